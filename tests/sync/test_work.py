"""What becomes of jobs: those that fail are counted and tried again later, what nobody was asked for is found."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import orjson
import pytest

from domain.errors import AuthError, LockedError, VendorUnavailableError
from storage import checkpoints, dirty, inbox, journal, setbacks
from sync import work
from sync.ingest import MAPPED
from sync.poll import COMPLETE


class Room:
    """A room (`sync.work.Room`) over the paper trackers of a road; `asked` keeps what is asked for."""

    def __init__(self, road):
        self.context = road.context
        self.jobs = self
        self.trackers = {name: road.tracker(name) for name in road.sources}
        self.asked = []

    async def ask(self, job, key, *, id):
        self.asked.append((job, key, id))

    async def counts(self):
        return {}

    async def prune(self, before):
        return 0

    def soon(self, job, key):
        self.asked.append((job, key, "soon"))

    @asynccontextmanager
    async def source(self, name, *, rediscover=False):
        yield self.trackers[name].live()


@pytest.fixture
def room(pulled):
    return Room(pulled)


async def failures(room):
    async with room.context.store.read() as tx:
        return {(one.job, one.key): (one.attempts, one.error, one.retry_at) for one in await setbacks.every(tx)}


async def test_a_pull_that_fails_is_tried_again_later_and_later(room, clock):
    room.trackers["jira"].broken = True
    waits = []
    for attempt in range(1, 5):
        assert await work.do(room, "pull", "jira") is False
        attempts, error, retry_at = (await failures(room))["pull", "jira"]
        assert (attempts, error) == (attempt, "jira: 503")
        waits.append((retry_at - clock()).total_seconds())
        assert await work.do(room, "pull", "jira") is True  # not yet: nothing is tried
        assert (await failures(room))["pull", "jira"][0] == attempt
        clock.at = retry_at
    assert waits == [5, 10, 20, 40]
    room.trackers["jira"].broken = False
    assert await work.do(room, "pull", "jira") is True
    assert await failures(room) == {}


@pytest.mark.parametrize(
    ("error", "attempts", "seconds"),
    [
        (VendorUnavailableError("away"), 1, 5),
        (VendorUnavailableError("away"), 40, 900),
        (AuthError("refused"), 1, 900),
        (ValueError("a fault of ours"), 2, 10),
    ],
)
def test_how_long_is_waited(error, attempts, seconds):
    assert work.patience(attempts, error) == timedelta(seconds=seconds)


async def test_one_broken_connection_stops_no_other(room):
    room.trackers["jira"].broken = True
    assert await work.do(room, "pull", "jira") is False
    assert await work.do(room, "pull", "other") is True
    assert list(await failures(room)) == [("pull", "jira")]


async def test_the_past_of_many_is_read_by_a_job_of_its_own_that_no_pull_waits_for(room, item, clock, monkeypatch):
    monkeypatch.setattr(work, "RECENT", 1)
    paper, read = room.trackers["jira"], []

    async def history(client, _connection, _reading, ids):
        read.append((client.waits, list(ids)))
        yield replace(paper.page([]), kind="history")

    paper.history = history
    paper.changed = [item(id, updated_at=clock()) for id in ("1", "2", "3")]
    async with room.context.store.lock("jira.history"):  # one is at it for hours
        assert await work.do(room, "pull", "jira") is True
    assert read == []
    assert ("history", "jira", "soon") in room.asked
    async with room.context.store.lock("jira"):  # a pull is at it
        assert await work.do(room, "history", "jira") is True
    (aside, ids), room.asked = read[0], []
    assert aside
    assert {"1", "2", "3"} <= set(ids)
    clock.at += timedelta(hours=1)
    paper.changed = [item("1", updated_at=clock())]
    assert await work.do(room, "pull", "jira") is True
    assert read[1:] == [(False, ["1"])]
    assert ("history", "jira", "soon") not in room.asked


async def test_a_lock_that_another_holds_is_no_failure(room):
    async with room.context.store.lock("jira"):
        assert await work.do(room, "pull", "jira") is True
    assert await failures(room) == {}


async def test_what_kills_its_process_each_time_is_left_alone_for_an_hour(room, clock):
    """The process ends while the job runs: only the count of the attempt is left behind."""

    @asynccontextmanager
    async def killed(name, *, rediscover=False):
        raise KeyboardInterrupt
        yield

    living, room.source = room.source, killed
    for _ in range(work.POISON):
        with pytest.raises(KeyboardInterrupt):
            await work.do(room, "pull", "jira")
    room.source = living
    assert await work.do(room, "pull", "jira") is True
    assert (await failures(room))["pull", "jira"][0] == work.POISON
    clock.forward(hours=1)
    assert await work.do(room, "pull", "jira") is True
    assert await failures(room) == {}


async def test_a_fault_of_ours_is_told_and_stops_this_job_alone(room, caplog):
    @asynccontextmanager
    async def broken(name, *, rediscover=False):
        raise RuntimeError("a fault")
        yield

    room.source = broken
    assert await work.do(room, "pull", "jira") is False
    assert (await failures(room))["pull", "jira"][1] == "RuntimeError: a fault"
    assert "pull jira" in caplog.text


async def test_pulls_that_waited_behind_another_find_it_done(room, clock):
    room.trackers["jira"].broken = True
    async with room.context.store.write() as tx:
        await checkpoints.save(tx, "jira", COMPLETE, clock())
    assert await work.do(room, "pull", "jira") is True
    clock.forward(minutes=5)
    assert await work.do(room, "pull", "jira") is False


async def test_a_job_of_a_connection_that_left_the_file_is_nothing(room):
    assert await work.do(room, "pull", "gone") is True
    assert await failures(room) == {}


async def test_what_waits_and_nobody_was_asked_for_is_asked_for(room, clock):
    """A process that dies between the row and the job leaves the row, and the next look finds it."""
    async with room.context.store.write() as tx:
        body = inbox.pack(orjson.dumps([{"refetch": "2"}]))
        await inbox.put(tx, connection="jira", delivery_id="1", kind="webhook", body=body, read_at=clock())
        await dirty.note(tx, items=[("jira", "2")])
        failed = setbacks.Failed(job="census", key="other", attempts=1, error="away", retry_at=clock())
        await setbacks.save(tx, failed)
        await setbacks.save(tx, replace(failed, key="jira", retry_at=clock() + timedelta(minutes=1)))
        await setbacks.save(tx, replace(failed, job="pull", error=""))
    await work.wake(room)
    await work.wake(room)
    assert {(job, key) for job, key, _ in room.asked} == {
        ("deliveries", "jira"),
        ("sums", "all"),
        ("census", "other"),
    }
    assert len({id for _, _, id in room.asked}) == 3  # asked twice within one tick, done once


async def test_what_is_shown_is_appended_to_the_journal_where_it_differs_alone(room, clock, item, pulled):
    async def entries():
        async with room.context.store.read() as tx:
            rows = await tx.execute(journal.journal.select().order_by(journal.journal.c.number))
            return [(row.id, row.how, row.entry and row.entry["progress"]) for row in rows]

    await work.do(room, "snapshot", "all")
    clock.forward(hours=1)
    await work.do(room, "snapshot", "all")
    assert await entries() == [("I1", "shown", 0.5)]
    await pulled.take(item("2", parent_id="1", category="done", updated_at=clock()))
    await work.do(room, "snapshot", "all")
    assert await entries() == [("I1", "shown", 0.5), ("I1", "shown", 1.0)]


async def test_a_replica_with_another_file_leaves_the_numbers_alone(room, item, pulled):
    """It reads and notes what moved; who has the file of the store computes it."""
    room.context = replace(
        room.context, adopts=False, workspace=replace(room.context.workspace, digest="not read by the others yet")
    )
    clock = pulled.clock
    room.trackers["jira"].changed = [item("2", parent_id="1", category="done", updated_at=clock())]
    assert await work.do(room, "pull", "jira") is True
    assert (await pulled.progress("I1")).value == 0.5
    async with pulled.store.read() as tx:
        assert (await checkpoints.note(tx, MAPPED))["digest"] == pulled.context.workspace.digest
        assert await dirty.count(tx) > 0
    room.context = pulled.context
    assert await work.do(room, "sums", "all") is True
    assert (await pulled.progress("I1")).value == 1.0


async def test_a_locked_error_from_within_is_no_failure(room):
    @asynccontextmanager
    async def held(name, *, rediscover=False):
        raise LockedError("jira: another pull is running")
        yield

    room.source = held
    assert await work.do(room, "pull", "jira") is True
    assert await failures(room) == {}


def test_what_its_process_dies_of_again_and_again_is_left_alone_longer_and_longer(clock):
    """The first five may have been the machine's fault: then half a minute is lost, not an hour."""
    failed, waits = None, []
    for _ in range(14):
        failed = work.attempted(failed, "pull", "jira", clock())
        waits.append((failed.retry_at - clock()).total_seconds())
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]
