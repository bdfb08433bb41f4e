"""A process that dies in the worst moment: what was committed is seen to by others, within seconds."""

import json

import pytest

from storage import inbox
from storage.engine import open_store

pytestmark = pytest.mark.postgres
NAME = "hint-of-the-dead"


@pytest.fixture
async def quiet(fleet):
    """A worker that has nothing to do, and no pull to help it."""
    text = fleet.file.read_text()
    assert text.count("poll: 10s") == 3
    fleet.file.write_text(text.replace("poll: 10s", "poll: 1h"))
    await fleet.start("worker")
    await fleet.rest()
    return fleet


async def finish_and_die(fleet):
    """Let work be done, and its delivery committed by a receiver that dies before it asks anybody to read it."""
    issue = next(one for one in fleet.sites.jira.issues.values() if one.type == "Story" and one.status == "To Do")
    fleet.sites.jira.change(issue, status="Done")
    body = inbox.pack(json.dumps([{"id": str(issue.id), "key": issue.key}]).encode())
    store = await open_store(fleet.url)
    try:
        async with store.write() as tx:
            read_at = fleet.sites.jira.now()
            await inbox.put(tx, connection="jira-demo", delivery_id=NAME, kind="hint", body=body, read_at=read_at)
    finally:
        await store.close()
    return issue.key


async def category(fleet, key):
    return next(one for one in (await fleet.run("export", "items")).lines if one["key"] == key)["category"]


async def test_what_a_receiver_committed_and_told_nobody_is_read_within_ten_seconds(quiet):
    key = await finish_and_die(quiet)
    await quiet.rest(10)
    assert await category(quiet, key) == "done"


async def test_the_job_of_a_dead_replica_goes_on_elsewhere_within_ten_seconds(quiet):
    """It dies in the middle of a delivery, over a tracker that does not answer; the other one is answered."""
    (first,) = quiet.replicas
    quiet.sites.jira.faults.latency = 3600.0
    key = await finish_and_die(quiet)

    async def begun():
        return (await quiet.inbox())["jira-demo", NAME].attempts == 1

    await quiet.until(begun, "the delivery begun", 15)
    second = await quiet.start("worker")
    quiet.sites.jira.faults.latency = 0.0
    quiet.kill(first)
    await quiet.rest(10)
    assert await category(quiet, key) == "done"
    assert "its job deliveries:jira-demo:" in second.log
