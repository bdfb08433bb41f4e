"""Whatever happens to the items, and however late it is told: what was computed step by step equals a rebuild.

And both equal a store that was only ever told how things are in the end.
"""

import asyncio
import shutil
import tempfile
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from domain.rules import All, CreateInitiative, ForecastPolicy, MappingRule, Not, Policies, Test
from domain.work import Category, Level, WorkItem
from domain.workspace import Connection, Workspace
from storage.engine import create_store
from sync.refresh import rebuild

START = datetime(2026, 11, 2, 9, tzinfo=UTC)
PLACES = [("jira", str(number)) for number in range(1, 8)] + [("linear", name) for name in ("a", "b", "c")]
IDS = st.sampled_from(PLACES)
PARENTS = {"jira": [None, "1", "2", "3", "4"], "linear": [None, "a", "b"]}
NAMED = {"6": [None, "2"], "7": [None, "2"], "c": [None, "b"]}
"""items that name their parent by key alone, as old trackers do, with the parents they can have; those stay"""
FIRST = {
    ("jira", "1"): {"labels": ["kr/KR1"], "level": Level.INITIATIVE},
    ("jira", "2"): {"parent": 1, "level": Level.EPIC},
    ("jira", "3"): {"parent": 1, "level": Level.EPIC, "labels": ["okr/I1"]},
    ("jira", "4"): {"parent": 2, "estimate": 5.0, "labels": ["ours"]},
    ("jira", "5"): {"parent": 4, "level": Level.SUBTASK, "labels": ["okr/I2"], "estimate": 1.0},
    ("jira", "6"): {"parent": 1, "blocked_by": ["4"], "estimate": 3.0},
    ("jira", "7"): {"parent": 1, "labels": ["also"], "n": 2},
    ("linear", "a"): {"level": Level.INITIATIVE},
    ("linear", "b"): {"parent": 1, "level": Level.EPIC, "labels": ["okr/I1"]},
    ("linear", "c"): {"parent": 1, "team": "Pay"},
}
"""how the work stands before anything happens"""


def rule(name, when, initiative, **more):
    return MappingRule(name=name, when=when, initiative=initiative, **more)


def labels(pattern):
    return Test(field="labels", op="matches", value=pattern)


WORK = (WorkSelector(connection="jira", keys=("PAY-2",)), WorkSelector(connection="linear", keys=("ENG-c",)))
WORKSPACE = Workspace(
    name="acme",
    timezone="Europe/Berlin",
    digest="first",
    connections={
        "jira": Connection(name="jira", type="jira", url="https://jira.test", statuses={"testing": "review"}),
        "linear": Connection(name="linear", type="linear", url="https://linear.test"),
    },
    mirrors=((("jira", "PAY-5"), ("linear", "ENG-b")), (("jira", "PAY-6"), ("jira", "PAY-7"))),
    timeframes={"Q4": Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))},
    objectives={"O1": Objective(id="O1", title="Grow", timeframe="Q4")},
    key_results={id_: KeyResult(id=id_, objective="O1", title=id_, timeframe="Q4") for id_ in ("KR1", "KR2", "KR3")},
    initiatives={
        "I1": Initiative(
            id="I1",
            title="One",
            contributes=(Contribution(to="KR1", share=0.5), Contribution(to="KR2")),
            policies={"size": "points", "top_down": True},
        ),
        "I2": Initiative(
            id="I2", title="Two", contributes=(Contribution(to="KR1"),), start=date(2026, 11, 1), work=WORK
        ),
        "I3": Initiative(id="I3", title="Three", policies={"leaf_level": "epic_children"}),
        "I4": Initiative(id="I4", title="Four", policies={"leaf_level": "lowest", "size": "field", "size_field": "n"}),
    },
    rules=(
        rule("named", labels(r"okr/(?P<id>\w+)"), "{id}"),
        rule(
            "made",
            All(inner=(Test(field="level", op="in", value=("initiative",)), labels(r"kr/(?P<kr>\w+)"))),
            CreateInitiative(contributes=(("{kr}", 1.0, None),)),
        ),
        rule("from-above", Test(field="parent.labels", op="in", value=("ours",)), "I3"),
        rule("more", Test(field="labels", op="in", value=("also",)), "I4", also=True),
        rule("moving", Test(field="parent.category", op="in", value=("done",)), None, set={"phase": ("late", "end")}),
        rule("rest", All(inner=(Test(field="team", op="in", value=("Pay",)), Not(inner=labels("x")))), "I2", also=True),
    ),
    policies=Policies(parent_done_wins=True, forecast=ForecastPolicy(runs=20)),
)

FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "category": st.sampled_from(list(Category)),
        "status": st.sampled_from(["Testing", "Open"]),
        "estimate": st.sampled_from([None, 0.0, 1.0, 5.0]),
        "parent": st.integers(0, 4),
        "level": st.sampled_from(list(Level)),
        "labels": st.lists(
            st.sampled_from(["okr/I1", "okr/I2", "okr/I9", "kr/KR1", "kr/KR3", "ours", "also", "x"]),
            max_size=2,
            unique=True,
        ),
        "team": st.sampled_from([None, "Pay"]),
        "blocked_by": st.lists(st.sampled_from(["1", "2", "3", "a"]), max_size=1),
        "start_date": st.sampled_from([None, date(2026, 11, 5)]),
        "n": st.sampled_from([None, 2, 3.5, "many"]),
    },
)
EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), IDS, FIELDS, st.booleans()),
        st.tuples(st.just("set"), IDS, FIELDS, st.booleans()),
        st.tuples(st.just("delete"), IDS),
        st.tuples(st.just("hide"), IDS),
        st.tuples(st.just("deliver"), st.integers(0, 2**16)),
    ),
    max_size=30,
)


class Tracker:
    """How things are, and what is still on its way to us."""

    def __init__(self, clock):
        self.clock = clock
        self.items = {}
        self.hidden = {}
        self.seen = set()
        self.waiting = []
        self.told = []

    def set(self, place, fields, updated):
        """Create or change an item; `updated` says whether the tracker admits to it."""
        now = self.clock.forward(minutes=1)
        connection = place[0]
        before = self.items.get(place)
        fields = dict(fields)
        if "parent" in fields:
            choices = NAMED.get(place[1], PARENTS[connection])
            above = choices[fields.pop("parent") % len(choices)]
            fields["parent_id"] = None if place[1] in NAMED else above
            fields["parent_key"] = key_of((connection, above)) if above else None
        if "n" in fields:
            fields["fields"] = {"n": fields.pop("n")}
        for name in ("labels", "blocked_by"):
            if name in fields:
                fields[name] = tuple(fields[name])
        category = fields.get("category")
        if category is not None:
            fields |= {"vendor_category": category, "status_changed_at": now}
        fresh = before is None or place in self.hidden
        item = replace(before or plain(place), **fields, **({"updated_at": now} if updated or fresh else {}))
        self.items[place] = item
        self.hidden.pop(place, None)
        return {"item": item}, now

    def delete(self, place):
        """Delete an item for good, or until it is restored."""
        now = self.clock.forward(minutes=1)
        del self.items[place]
        self.hidden.pop(place, None)
        return {"delete": place[1]}, now


def key_of(place):
    return f"{'PAY' if place[0] == 'jira' else 'ENG'}-{place[1]}"


def plain(place):
    connection, id_ = place
    return WorkItem(
        connection=connection,
        tracker=connection,
        id=id_,
        key=key_of(place),
        url="",
        title=f"Item {id_}",
        type="Task",
        level=Level.EPIC if id_ in "23b" else Level.INITIATIVE if id_ in "1a" else Level.ISSUE,
        status="Open",
        vendor_category=Category.TODO,
        category=Category.TODO,
        updated_at=START,
        created_at=START,
    )


async def play(road, tracker, events):
    """Let events happen, deliver them late, twice and out of order, and keep the numbers up to date on the way."""
    for place, fields in FIRST.items():
        await tell(road, tracker, place, tracker.set(place, fields, True))
    for event in events:
        match event:
            case "set", place, fields, updated:
                await tell(road, tracker, place, tracker.set(place, fields, updated))
            case "delete", place if place in tracker.items and place[1] not in "2b":
                await tell(road, tracker, place, tracker.delete(place))
            case "hide", place if place in tracker.items and place not in tracker.hidden:
                await deliver(road, tracker, Random(1))
                tracker.clock.forward(minutes=1)
                tracker.hidden[place] = tracker.clock().date()
                await road.hide(place[1], place[0])
            case "deliver", seed:
                await deliver(road, tracker, Random(seed))
    await deliver(road, tracker, Random(0))


async def tell(road, tracker, place, said):
    """Put a delivery on its way; the first word of an item comes at once."""
    entry, read_at = said
    if place in tracker.seen:
        tracker.waiting.append((place[0], entry, read_at))
    else:
        tracker.seen.add(place)
        tracker.told.append((place[0], entry, read_at))
        await road.receive(entry, read_at=read_at, connection=place[0])


async def deliver(road, tracker, random):
    """Hand over what is on its way, in any order, and some of what was told long ago once more."""
    tracker.told += tracker.waiting
    batch = tracker.waiting + [one for one in tracker.told if random.random() < 0.15]
    tracker.waiting = []
    random.shuffle(batch)
    for connection, entry, read_at in batch:
        await road.receive(entry, read_at=read_at, connection=connection)
    await road.refresh()


async def feed_final(road, tracker, random):
    """Tell a fresh store how things are."""
    for connection in ("linear", "jira"):
        there = [item for place, item in tracker.items.items() if place[0] == connection]
        random.shuffle(there)
        await road.receive(*there[:3], connection=connection)
        await road.receive(*there[3:], connection=connection)
    for place in tracker.hidden:
        await road.hide(place[1], place[0])


async def check(new_road, new_clock, urls, events):
    """Compare the three ways to the same numbers."""
    clock = new_clock(START)
    first, second = (create_store(url) for url in urls)
    try:
        road, tracker = new_road(first, WORKSPACE, clock), Tracker(clock)
        async with road.store.write() as tx:
            await rebuild(tx, road.context)
        await play(road, tracker, events)
        stepwise = await road.dump()
        visible = await road.dump(deleted=False)
        async with road.store.write() as tx:
            await rebuild(tx, road.context)
        compare(await road.dump(), stepwise)
        fresh = new_road(second, WORKSPACE, clock)
        await feed_final(fresh, tracker, Random(len(events)))
        async with fresh.store.write() as tx:
            await rebuild(tx, fresh.context)
        compare(await fresh.dump(), visible)
    finally:
        await first.close()
        await second.close()


def compare(found, expected):
    """Compare two dumps, and show of each part only what differs."""
    for name, part in expected.items():
        if isinstance(part, dict):
            ids = {id_ for id_ in part.keys() | found[name].keys() if part.get(id_) != found[name].get(id_)}
            assert not ids, (name, [(id_, found[name].get(id_), part.get(id_)) for id_ in sorted(ids)])
        assert (name, found[name]) == (name, part)


EXAMPLES = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "print_blob": True}


@pytest.fixture(scope="module")
def run_on_sqlite(new_road, clock_class, migrated_file):
    def run(events):
        folder = Path(tempfile.mkdtemp(prefix="keyrail-property-"))
        try:
            urls = [f"sqlite:///{shutil.copy(migrated_file, folder / name)}" for name in ("first.db", "second.db")]
            asyncio.run(check(new_road, clock_class, urls, events))
        finally:
            shutil.rmtree(folder)

    return run


@given(EVENTS)
@settings(max_examples=25, **EXAMPLES)
def test_step_by_step_equals_a_rebuild_and_a_fresh_start(run_on_sqlite, events):
    run_on_sqlite(events)


@pytest.mark.long
@given(EVENTS)
@settings(max_examples=500, **EXAMPLES)
def test_step_by_step_equals_a_rebuild_and_a_fresh_start_at_length(run_on_sqlite, events):
    run_on_sqlite(events)


@pytest.mark.postgres
@given(EVENTS)
@settings(max_examples=4, **EXAMPLES)
def test_step_by_step_equals_a_rebuild_on_postgresql(new_road, clock_class, postgres_server, events):
    with postgres_server.migrated() as first, postgres_server.migrated() as second:
        asyncio.run(check(new_road, clock_class, [first, second], events))
