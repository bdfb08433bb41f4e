"""Replicas killed without a word, one after the other, while webhooks pour in: nothing is lost or told twice."""

import asyncio
from collections import Counter

import pytest

from app.demo.sender import Sending
from app.demo.storm import storm

SHORT = {"seconds": 12, "kills": 3, "rate": 12}
LONG = {"seconds": 60, "kills": 15, "rate": 12}
LENGTHS = [pytest.param(SHORT, id="short"), pytest.param(LONG, id="long", marks=pytest.mark.long)]
ROLES = {"all": ("all", "all", "all"), "split": ("receiver", "worker", "worker")}


async def weather(fleet, roles, length):
    """Let work be done at the sites while replicas die; return the sender's ledger once all is quiet."""
    for role in roles:
        await fleet.start(role)
    faults = Sending(seed=5, shuffle=0.3, duplicate=0.05, forged=0.02)
    async with fleet.sending(faults) as sender:
        steps = length["seconds"] * length["rate"]
        done, fell = await asyncio.gather(
            storm(fleet.sites, steps, 11, rate=length["rate"]),
            fleet.killing(length["kills"], length["seconds"] / (length["kills"] + 1), 3),
        )
        assert (len(done), fell) == (steps, length["kills"])
        await asyncio.wait_for(sender.idle(), 120)
    await fleet.rest()
    return sender.ledger


async def check(fleet, ledger):
    """Hold the store and the sites against what was promised."""
    kept = await fleet.inbox()
    acknowledged = {(f"{one.letter.tracker}-demo", one.letter.guid) for one in ledger.acknowledged()}
    assert len(acknowledged) > 50
    assert [name for name in acknowledged if name not in kept] == []
    assert {name: row.error for name, row in kept.items() if row.state != "done"} == {}
    assert not any(one.acknowledged for one in ledger.forged)
    assert [one for one in fleet.fallen if "Traceback" in one.log] == []

    # What no webhook tells, and what a tracker gave up sending, is the pull's and the census's.
    for issue in fleet.sites.jira.issues.values():
        issue.secured = False
    await fleet.stop()
    await fleet.run("sync", "--no-publish")
    await fleet.run("census", "--repair")
    different = differing(await fleet.truth(), await fleet.known())
    assert not different, "\n".join(f"{name}: {found}" for name, found in sorted(different.items()))

    assert await fleet.overridden() == []
    assert told_twice(fleet.writes) == []
    await fleet.run("publish")
    assert more_than_one(fleet.sites) == []


def differing(truth, ours):
    """Return what differs, by record: the fields with (truth, ours), or which side lacks it."""
    found = {}
    for key in truth.keys() | ours.keys():
        if key not in ours or key not in truth:
            found[key] = "only in the truth" if key in truth else "only in the store"
        elif truth[key] != ours[key]:
            names = (name for name, value in truth[key].items() if value != ours[key].get(name))
            found[key] = {name: (truth[key][name], ours[key].get(name)) for name in names}
    return found


def told_twice(writes):
    """Return the writes that said what the place said already."""
    last, found = {}, []
    for tracker, place, content in writes:
        if last.get((tracker, place)) == content:
            found.append((tracker, place, content))
        last[tracker, place] = content
    return found


def more_than_one(sites):
    """Return what stands more than once at a place: comments by their marker; links and cards by their key."""
    comments = Counter(
        (issue.key, comment.body.partition("-->")[0])
        for repository in sites.github.repositories.values()
        for issue in repository.issues
        for comment in issue.comments
        if comment.body.startswith("<!-- keyrail:")
    )
    return [place for place, count in comments.items() if count > 1]


@pytest.mark.postgres
@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("roles", ROLES.values(), ids=ROLES)
async def test_replicas_that_are_killed_lose_nothing_and_tell_nothing_twice(fleet, roles, length):
    await check(fleet, await weather(fleet, roles, length))


@pytest.mark.parametrize("length", LENGTHS)
async def test_one_process_on_sqlite_that_is_killed_and_started_again_loses_nothing(single, length):
    await check(single, await weather(single, ("all",), length))
