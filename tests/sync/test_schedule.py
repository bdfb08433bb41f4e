"""The schedule: slots that all replicas share, each asked for, none skipped, none lost for a database that was away."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import StorageError
from sync import schedule as module
from sync.schedule import Duty, Schedule

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
FORM = "%Y-%m-%dT%H:%M:%SZ"


class Asked:
    """Jobs that only remember what they were asked for; the first `refusals` asks fail."""

    def __init__(self, refusals=0):
        self.ids = []
        self.refusals = refusals

    async def ask(self, job, key, *, id):
        if self.refusals:
            self.refusals -= 1
            raise StorageError("away")
        assert id.startswith(f"{job}:{key}:")
        self.ids.append(id)

    async def counts(self):
        return {}

    async def prune(self, before):
        return 0


@pytest.fixture
def asked():
    return Asked()


@pytest.fixture
async def open_schedule(asked):
    """Start schedules that are stopped after the test."""
    started = []

    def start(*duties, **options):
        schedule = Schedule(options.pop("jobs", asked), duties, **options)
        schedule.start()
        started.append(schedule)
        return schedule

    yield start
    for schedule in started:
        schedule.stop()


async def until(condition, within=10.0):
    """Wait until a condition holds; fail after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


def begun(id):
    """Return the start of the slot that an id names."""
    return datetime.strptime(id.split(":", 2)[2], FORM).replace(tzinfo=UTC)


@given(
    key=st.text(min_size=1, max_size=9).filter(lambda text: ":" not in text),
    seconds=st.integers(1, 7 * 86400),
    at=st.integers(86400, 10**9).map(lambda second: module.EPOCH + timedelta(seconds=second, milliseconds=1)),
)
def test_a_slot_holds_the_time_and_is_as_long_as_the_rhythm(key, seconds, at):
    duty = Duty("pull", key, timedelta(seconds=seconds))
    start = begun(duty.slot(at))
    assert start <= at < start + duty.every
    assert duty.slot(start) == duty.slot(start + duty.every - timedelta.resolution) == duty.slot(at)
    assert begun(duty.slot(start + duty.every)) == start + duty.every


def test_a_slot_is_named_by_its_start():
    duty = Duty("pull", "jira", HOUR)
    assert duty.first == datetime(2026, 1, 1, 0, 4, 6, tzinfo=UTC)
    assert duty.slot(datetime(2026, 11, 18, 9, 30, tzinfo=UTC)) == "pull:jira:2026-11-18T09:04:06Z"


def test_connections_do_not_all_fall_due_at_once_and_not_far_apart():
    for every, widest in ((HOUR, 5 * MINUTE), (MINUTE, MINUTE / 2)):
        offsets = {Duty("pull", f"connection-{number}", every).first - module.EPOCH for number in range(40)}
        assert len(offsets) > 10
        assert timedelta(0) <= min(offsets) <= max(offsets) <= widest


async def test_a_start_asks_for_the_slot_that_is_going_on(asked, open_schedule, clock):
    duties = [Duty("pull", "jira", HOUR), Duty("census", "jira", 24 * HOUR)]
    open_schedule(*duties, now=clock)
    await until(lambda: len(asked.ids) == 2)
    assert set(asked.ids) == {duty.slot(clock()) for duty in duties}


async def test_each_slot_is_asked_for_and_none_is_skipped(asked, open_schedule):
    open_schedule(Duty("pull", "jira", timedelta(seconds=1)))
    await until(lambda: len(set(asked.ids)) >= 4)
    starts = sorted({begun(id) for id in asked.ids})
    assert {later - earlier for earlier, later in itertools.pairwise(starts)} == {timedelta(seconds=1)}


async def test_other_duties_take_over_and_those_that_stay_go_on_undisturbed(asked, open_schedule, clock):
    stays, changes, goes = Duty("pull", "jira", HOUR), Duty("pull", "github", HOUR), Duty("pull", "linear", HOUR)
    changed, new = Duty("pull", "github", 2 * HOUR), Duty("census", "jira", 24 * HOUR)
    schedule = open_schedule(stays, changes, goes, now=clock)
    await until(lambda: len(asked.ids) == 3)
    asked.ids.clear()
    clock.forward(hours=3)
    schedule.replace([stays, changed, new])
    await until(lambda: len(asked.ids) == 2)
    assert set(asked.ids) == {changed.slot(clock()), new.slot(clock())}
    asked.ids.clear()
    schedule.replace([])
    schedule.replace([new])
    await until(lambda: asked.ids)
    assert asked.ids == [new.slot(clock())]


async def test_a_duty_that_was_dropped_is_asked_for_no_more(asked, open_schedule):
    second = timedelta(seconds=1)
    schedule = open_schedule(Duty("pull", "jira", second), Duty("pull", "github", second))
    await until(lambda: {id.split(":")[1] for id in asked.ids} == {"jira", "github"})
    schedule.replace([Duty("pull", "github", second)])
    before = len([id for id in asked.ids if ":jira:" in id])
    seen = len(set(asked.ids))
    await until(lambda: len(set(asked.ids)) >= seen + 2)
    assert len([id for id in asked.ids if ":jira:" in id]) == before


async def test_a_slot_that_could_not_be_asked_for_is_asked_for_again(open_schedule, clock, monkeypatch, caplog):
    monkeypatch.setattr(module, "AGAIN", timedelta(milliseconds=50))
    away = Asked(refusals=2)
    duty = Duty("census", "jira", 24 * HOUR)
    open_schedule(duty, jobs=away, now=clock)
    due = duty.slot(clock())
    await until(lambda: away.refusals == 1)
    clock.forward(days=2)
    await until(lambda: away.ids)
    assert away.ids == [due]
    assert caplog.text.count("census:jira could not be asked for") == 2


async def test_a_slot_of_a_duty_that_was_dropped_meanwhile_is_not(open_schedule, clock, monkeypatch):
    monkeypatch.setattr(module, "AGAIN", timedelta(milliseconds=50))
    away = Asked(refusals=2)
    schedule = open_schedule(Duty("census", "jira", 24 * HOUR), jobs=away, now=clock)
    await until(lambda: away.refusals == 1)
    schedule.replace([Duty("pull", "jira", HOUR)])
    await until(lambda: away.ids)
    assert away.ids == [Duty("pull", "jira", HOUR).slot(clock())]
