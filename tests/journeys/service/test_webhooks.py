"""From a tracker's webhook to the numbers, and by a pull to the very same."""

import pytest

from app.demo.sender import Sending

TRACKERS = ("jira", "github", "linear")


@pytest.mark.parametrize("way", ["webhook", "pull"])
async def test_what_is_done_at_a_tracker_moves_the_numbers(house, way):
    done = [await house.open_work(tracker) for tracker in TRACKERS]
    subjects = [item["links"][0]["initiative"] for item in done]
    async with house.serving():
        before = {subject: await house.counts(subject) for subject in subjects}

        async def moved():
            now = {subject: await house.counts(subject) for subject in subjects}
            return all(
                (now[one]["done"], now[one]["todo"])
                == (before[one]["done"] + subjects.count(one), before[one]["todo"] - subjects.count(one))
                for one in subjects
            )

        async with house.sending(Sending(drop=1.0 if way == "pull" else 0.0)) as sender:
            for item in done:
                house.finish(item)
            await sender.idle()
            fates = {told.fate for told in sender.ledger.deliveries}
        if way == "pull":
            assert fates == {"dropped"}
            await house.pull()
        else:
            assert fates == {"accepted"}
        await house.until(moved, "the roll-up")
        await house.agrees(past=way == "pull")
        if way == "webhook":
            await house.pull()
            await house.agrees()


async def test_what_searches_do_not_show_yet_comes_by_webhook(house):
    done = [await house.open_work(tracker) for tracker in TRACKERS]
    async with house.serving(), house.sending():
        for item in done:
            getattr(house.sites, item["tracker"]).faults.index_lag = 3600.0
            house.finish(item)
        await house.until(lambda: house.done(*done), "what searches do not show")
        for tracker in TRACKERS:
            getattr(house.sites, tracker).faults.index_lag = 0.0
        await house.agrees(past=False)


async def test_what_searches_show_late_comes_by_a_later_pull(house):
    done = [await house.open_work(tracker) for tracker in TRACKERS]
    async with house.serving(poll="1s"):
        for tracker in TRACKERS:
            getattr(house.sites, tracker).faults.index_lag = 3600.0
        for item in done:
            house.finish(item)
        seen = house.now()
        await house.until(lambda: house.pulled_since(seen), "a pull that cannot see it")
        assert not await house.done(*done, some=True)
        for tracker in TRACKERS:
            getattr(house.sites, tracker).faults.index_lag = 0.0
        await house.until(lambda: house.done(*done), "a pull that sees it")
        await house.agrees()
