"""Trackers and databases in trouble: the others go on, and the end is what is true."""

import asyncio
import signal

import psycopg
import pytest

from app.demo.faults import RATE_LIMIT_REASONS
from app.demo.sender import Sending
from app.demo.storm import storm

TRACKERS = ("jira", "github", "linear")


def later(value):
    """Leave a case to the long tests."""
    return pytest.param(value, marks=pytest.mark.long)


POSTGRES_LATER = pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.long])
WIRE = ("reset", "slow", "cut", "malformed", "login_page", "unavailable")
KINDS = {
    "jira": [
        *((kind, {}) for kind in (*WIRE, "overloaded")),
        *(("rate_limit", {"reason": reason}) for reason in (*RATE_LIMIT_REASONS, None)),
    ],
    "github": [
        *((kind, {}) for kind in (*WIRE, "timeout", "gateway_timeout", "internal", "partial")),
        ("rate_limited", {"reason": "RATE_LIMITED"}),
        *((kind, {}) for kind in ("rest_limited", "secondary", "secondary_429", "secondary_ok")),
    ],
    "linear": [
        *((kind, {}) for kind in (*WIRE, "overloaded", "internal", "partial", "too_many")),
        *(("rate_limit", {"reason": reason}) for reason in ("requests", "complexity", "endpoint")),
    ],
}


@pytest.mark.parametrize("copied", ["sqlite", POSTGRES_LATER], indirect=True)
@pytest.mark.parametrize("tracker", ["jira", later("github"), later("linear")])
async def test_every_fault_of_a_tracker_in_one_storm(house, tracker):
    site = getattr(house.sites, tracker)
    async with house.serving(poll="2s"):
        async with house.sending(Sending(seed=1, shuffle=0.5)) as sender:
            site.faults.clock_skew = 20.0
            for number, (kind, details) in enumerate(KINDS[tracker]):
                site.faults.add(kind, retry_after=1, after=2 * number, **details)
            await storm(house.sites, 40, 3, rate=20.0)
            await sender.idle()
        site.faults.queue.clear()
        for issue in house.sites.jira.issues.values():
            issue.secured = False
        await house.until(house.at_rest, "rest after the storm", seconds=60)
        await house.ask("census")
        await house.agrees()


@pytest.mark.parametrize("copied", ["sqlite"], indirect=True)
@pytest.mark.parametrize("down", ["reset", "unavailable", later("html"), later("hang")])
async def test_one_tracker_is_down_and_the_others_go_on(house, down):
    items = [await house.open_work(tracker) for tracker in TRACKERS]
    async with house.serving(), house.sending() as sender:
        house.sites.jira.faults.down = down
        for item in items:
            house.finish(item)
        await sender.idle()
        assert {one.fate for one in sender.ledger.deliveries} == {"accepted"}
        await house.until(lambda: house.done(*items[1:]), "the others")
        assert not await house.done(items[0])
        house.sites.jira.faults.down = ""
        await house.until(lambda: house.done(items[0]), "the one that was down", seconds=90)
        await house.agrees(past=False)


@pytest.mark.parametrize("copied", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_the_database_goes_away_and_comes_back(house, postgres_server):
    """What the receiver could not store it did not accept, so that the trackers send it again."""
    name = house.url.rpartition("/")[2]
    before, during = [await house.open_work("linear", number) for number in range(2)]
    async with house.serving(poll="2s"), house.sending(scale=0.05) as sender:
        house.finish(before)
        postgres_server.execute(f'alter database "{name}" allow_connections false')
        postgres_server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
        with pytest.raises(psycopg.OperationalError):
            psycopg.connect(house.url)
        house.finish(during)

        def refused():
            tries = [one for told in sender.ledger.deliveries for one in told.attempts]
            return [one for one in tries if one.status == 503]

        await house.until(refused, "a delivery that is not accepted")
        await asyncio.to_thread(postgres_server.execute, f'alter database "{name}" allow_connections true')
        await sender.idle()
        assert {one.fate for one in sender.ledger.of("linear")} == {"accepted"}
        await house.until(lambda: house.done(before, during), "both changes", seconds=60)
        await house.agrees()


@pytest.mark.long
@pytest.mark.parametrize("copied", [pytest.param("own server", marks=pytest.mark.postgres)], indirect=True)
async def test_postgresql_dies_in_the_middle_and_starts_again(house, cluster):
    """Nobody is given time, and it recovers from its log: what was answered 200 is there, what was not comes again."""
    async with house.serving(poll="2s"), house.sending(Sending(seed=7, shuffle=0.5), scale=0.02) as sender:
        storming = asyncio.create_task(storm(house.sites, 120, 7, rate=10.0))

        def answered(status):
            return sum(one.status == status for told in sender.ledger.deliveries for one in told.attempts)

        for _ in range(2):
            accepted, refused = answered(200), answered(503)
            await house.until(lambda before=accepted: answered(200) > before + 10, "deliveries that are accepted")
            await asyncio.to_thread(cluster.stop, signal.SIGQUIT)
            await house.until(lambda before=refused: answered(503) > before, "a delivery that is not accepted")
            cluster.start()  # not in a thread of the pool, which it would end with
        assert not storming.done()
        await storming
        await sender.idle()
        for issue in house.sites.jira.issues.values():
            issue.secured = False
        await house.until(house.at_rest, "rest after the storm", seconds=60)
        await house.ask("census")
        await house.agrees()
        acknowledged = {(f"{one.letter.tracker}-demo", one.letter.guid) for one in sender.ledger.acknowledged()}
    assert len(acknowledged) > 50
    assert acknowledged <= await house.delivered()
