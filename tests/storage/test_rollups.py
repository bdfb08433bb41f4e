"""Facts: histograms that say what counting the listed rows says, with the nodes above them."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from domain.facts import Fact, Flow, Progress
from domain.work import Link
from storage import items as item_store
from storage import links, rollups

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def keep(store, clock):
    """Store items, and say which initiatives each counts for."""

    async def those(batch, linked=None):
        async with store.write() as tx:
            await item_store.upsert(tx, [item_store.row_of(one, [], {}, clock(), BERLIN) for one in batch])
            await item_store.set_blockers(tx, batch, set())
            wanted = {
                id_: tuple(Link(initiative=name, rule="work") for name in sorted(names))
                for id_, names in (linked or {}).items()
            }
            numbers = await links.intern(tx, wanted.values())
            await links.set_scopes(tx, {("jira", id_): numbers[found] for id_, found in wanted.items()})

    return those


def crowd(item, clock, random):
    """Return a crowd of items of all sorts, and who counts for what."""
    batch, linked = [], {}
    for number in range(1, 121):
        id_ = str(number)
        parent = str(random.randint(1, number - 1)) if number > 1 and random.random() < 0.7 else None
        category = random.choice(["todo", "in_progress", "done", "canceled"])
        batch.append(
            item(
                id_,
                parent_id=parent,
                category=category,
                level=random.choice(["epic", "issue", "issue", "subtask"]),
                stage=random.choice([None, "review"]) if category == "in_progress" else None,
                estimate=random.choice([None, 0, 1, 2.5]),
                time_estimate=random.choice([None, 3600]),
                team=random.choice([None, "Pay"]),
                flags=random.choice([(), ("unmapped_status",)]),
                blocked_by=random.choice([(), (str(random.randint(1, 120)),)]),
                created_at=clock() - timedelta(days=random.choice([30, 60])),
                completed_at=clock() - timedelta(days=random.choice([1, 2])) if category == "done" else None,
                canceled_at=clock() - timedelta(days=random.choice([1, 2])) if category == "canceled" else None,
                fields={"points": random.choice([None, 3, 0.5, "large", [1], True])},
            )
        )
        linked[id_] = random.choice([(), ("I1",), ("I2",), ("I1", "I2")])
    return batch, linked


@pytest.mark.parametrize("measure", ["estimate", "time_estimate", "field:points"])
async def test_histograms_say_what_counting_the_listed_rows_says(store, item, clock, keep, measure):
    batch, linked = crowd(item, clock, Random(11))
    await keep(batch, linked)
    async with store.write() as tx:
        stored = await item_store.versions(tx, "jira", ["5", "50", "90"])
        await item_store.mark(tx, stored["5"], read_at=clock(), deleted_at=clock())
        await item_store.mark(tx, stored["50"], read_at=clock(), inaccessible_on=date(2026, 11, 17))
        await links.set_mirrors(tx, {("jira", "90"): ("jira", "1")})
    async with store.read() as tx:
        for initiatives in (None, {"I1"}, {"I2", "I1"}, {"I9"}):
            folded = await rollups.facts(tx, initiatives, measure=measure)
            listed = await rollups.facts(tx, initiatives, measure=measure, listed=True)
            counted = Counter(
                row._replace(item=None, count=1) for row in listed.rows if not row.deleted and not row.mirror_of
            )
            assert Counter({row._replace(count=1): row.count for row in folded.rows}) == counted
            assert len(folded.rows) == len(counted)
            assert sorted(node.id for node in folded.nodes) == sorted(node.id for node in listed.nodes)
            assert bool(folded.rows) == (initiatives != {"I9"})


async def test_a_fact_says_all_that_the_rollup_asks_for(store, item, keep):
    await keep(
        [
            item("1", level="epic"),
            item("2", parent_id="1", category="in_progress", stage="review", estimate=3, team="Pay",
                 flags=("bad_estimate",), archived=True, blocked_by=("3",)),
            item("3"),
            item("4", parent_id="2", level="subtask", category="done"),
        ],
        {"1": ("I1",), "2": ("I1", "I2"), "3": ("I3",), "4": ("I2",)},
    )  # fmt: skip
    async with store.read() as tx:
        found = await rollups.facts(tx, {"I2"})
        listed = await rollups.facts(tx, {"I2"}, listed=True)
    (leaf,) = found.rows
    assert leaf == Fact(
        connection="jira",
        parent="2",
        category="done",
        stage=None,
        estimate=None,
        team=None,
        links=frozenset({"I2"}),
        parent_links=frozenset({"I1", "I2"}),
        subtask=True,
        completed_on=date(2026, 11, 17),
        entered_on=date(2026, 9, 19),
        flags="",
        blocked=False,
        inaccessible_on=None,
        count=1,
    )
    assert listed.rows[0].item[:4] == ("4", "PAY-4", "Item 4", "https://jira.test/browse/PAY-4")
    assert listed.rows[0].item.rule == {"I2": "work"}
    nodes = {node.id: node for node in found.nodes}
    assert set(nodes) == {"1", "2"}
    assert (nodes["1"].level, nodes["1"].standard_children, nodes["2"].standard_children) == ("epic", True, False)
    story = nodes["2"].fact
    assert (story.category, story.stage, story.estimate, story.team) == ("in_progress", "review", 3, "Pay")
    assert (story.flags, story.blocked, story.parent) == ("archived bad_estimate", True, "1")
    assert story.links == {"I1", "I2"}


async def test_a_field_is_a_size_where_it_is_a_number_and_nowhere_else(store, item, keep):
    values = {"1": 3, "2": 0.5, "3": 0, "4": "7", "5": "large", "6": [1], "7": True, "8": None, "9": {}}
    batch = [item(id_, fields={"team size": value}) for id_, value in values.items()]
    await keep([*batch, item("10"), item("11", fields={"other": 5})], dict.fromkeys([*values, "10", "11"], ("I1",)))
    async with store.read() as tx:
        found = await rollups.facts(tx, {"I1"}, measure="field:team size", listed=True)
    sizes = {row.item.id: row.estimate for row in found.rows}
    assert sizes == {**dict.fromkeys(sizes), "1": 3.0, "2": 0.5, "3": 0.0}


@pytest.mark.parametrize("state", ["open", "done", "canceled", "deleted", "absent"])
async def test_only_an_open_blocker_blocks(store, item, clock, keep, state):
    blocker = [] if state == "absent" else [item("9", category=state if state in ("done", "canceled") else "todo")]
    await keep([item("1", blocked_by=("9",)), *blocker], {"1": ("I1",)})
    async with store.write() as tx:
        if state == "deleted":
            found = (await item_store.versions(tx, "jira", ["9"]))["9"]
            await item_store.mark(tx, found, read_at=clock(), deleted_at=clock())
        (row,) = (await rollups.facts(tx, {"I1"})).rows
    assert row.blocked is (state == "open")


async def test_an_item_whose_children_are_all_deleted_is_a_leaf_again(store, item, clock, keep):
    await keep([item("1"), item("2", parent_id="1", level="subtask")], {"1": ("I1",), "2": ("I1",)})
    async with store.write() as tx:
        before = await rollups.facts(tx, {"I1"})
        child = (await item_store.versions(tx, "jira", ["2"]))["2"]
        await item_store.mark(tx, child, read_at=clock(), deleted_at=clock())
        after = await rollups.facts(tx, {"I1"})
    assert ([row.parent for row in before.rows], [node.id for node in before.nodes]) == (["1"], ["1"])
    assert ([row.parent for row in after.rows], after.nodes) == ([None], ())


async def test_a_deleted_parent_judges_no_subtask(store, item, clock, keep):
    await keep([item("1"), item("2", parent_id="1", level="subtask")], {"1": ("I1",), "2": ("I2",)})
    async with store.write() as tx:
        parent = (await item_store.versions(tx, "jira", ["1"]))["1"]
        await item_store.mark(tx, parent, read_at=clock(), deleted_at=clock())
        found = await rollups.facts(tx, {"I2"})
    assert found.rows[0].parent_links == frozenset()
    assert found.nodes == ()


async def test_nodes_above_the_scope_come_along_up_to_the_top(store, item, keep):
    chain = [item(str(n), parent_id=str(n - 1) if n > 1 else None) for n in range(1, 6)]
    await keep(chain, {"5": ("I1",)})
    async with store.read() as tx:
        found = await rollups.facts(tx, {"I1"})
    assert [row.parent for row in found.rows] == ["4"]
    assert sorted(node.id for node in found.nodes) == ["1", "2", "3", "4"]


async def test_a_cycle_above_the_scope_ends(store, item, keep):
    await keep([item("1", parent_id="2"), item("2", parent_id="1"), item("3", parent_id="1")], {"3": ("I1",)})
    async with store.read() as tx:
        found = await rollups.facts(tx, {"I1"})
    assert sorted(node.id for node in found.nodes) == ["1", "2"]


PROGRESS = Progress(
    value=1 / 3,
    size_total=3.0,
    size_done=1.0,
    counts={"todo": 2, "done": 1},
    points_total=0.1 + 0.2,
    flags=("a", "b"),
    excluded={"canceled": 1},
    connections={"jira": 3},
    valid_until=date(2026, 12, 1),
)
FLOW = Flow(done={date(2026, 11, 2): 1, date(2026, 11, 1): 2}, remaining=2, first=date(2026, 9, 1))


async def test_a_rollup_comes_back_to_the_last_digit(store):
    empty = Flow(done={}, remaining=0, first=None)
    nothing = Progress(value=None, state="no_scope")
    async with store.write() as tx:
        await rollups.save(tx, [rollups.Kept("initiative", "I1", replace(PROGRESS, value=0.5), empty)])
        await rollups.save(
            tx, [rollups.Kept("initiative", "I1", PROGRESS, FLOW), rollups.Kept("key_result", "KR1", nothing, empty)]
        )
    async with store.write() as tx:
        assert await rollups.load(tx) == {"I1": (PROGRESS, FLOW), "KR1": (nothing, empty)}
        assert await rollups.expired(tx, date(2026, 11, 30)) == set()
        assert await rollups.expired(tx, date(2026, 12, 1)) == {"I1"}
        await rollups.drop(tx, {"I1", "I7"})
        assert set(await rollups.load(tx)) == {"KR1"}
        await rollups.clear(tx)
        assert await rollups.load(tx) == {}
