"""What storage tells of the flow: days of starts and ends, steps of the past, items that nobody linked."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.work import Link, Transition
from storage import flow, links
from storage import items as item_store

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def keep(store, clock):
    """Store items; those that `linked` names count for I1."""

    async def those(batch, linked=(), dimensions=None):
        async with store.write() as tx:
            rows = [item_store.row_of(one, [], (dimensions or {}).get(one.id, {}), clock(), BERLIN) for one in batch]
            await item_store.upsert(tx, rows)
            mine = (Link(initiative="I1", rule="work"),)
            numbers = await links.intern(tx, [mine])
            await links.set_scopes(tx, {("jira", id_): numbers[mine] for id_ in linked})

    return those


async def told(store, leaf_level="standard"):
    async with store.read() as tx:
        found = [way async for way in flow.ways(tx, BERLIN, leaf_level=leaf_level)]
    return sorted((way.team or "", str(way.started_on), str(way.completed_on)) for way in found)


async def test_days_of_start_and_end_in_the_local_zone(store, keep, item):
    late = datetime(2026, 11, 1, 23, 30, tzinfo=UTC)  # already the 2nd in Berlin
    batch = [
        item("1", category="done", started_at=late, completed_at=datetime(2026, 11, 9, 23, 30, tzinfo=UTC), team="A"),
        item("2", category="in_progress", started_at=late, team="B"),
        item("3", category="todo", started_at=late, team="C"),
        item("4", category="todo", team="D"),
        item("5", category="canceled", started_at=late, team="E"),
        item("6", category="done", completed_at=None, team="F"),
        item("7", category="in_progress", team="G"),
        item("8", category="in_progress", started_at=late, team="H"),
    ]
    await keep(batch, linked=[*"1234567"])
    assert await told(store) == [
        ("A", "2026-11-02", "2026-11-10"),
        ("B", "2026-11-02", "None"),
        ("C", "2026-11-02", "None"),
        ("G", "None", "None"),
    ]


async def test_an_item_above_sub_tasks_is_one_piece_of_work(store, keep, item):
    batch = [
        item("1", level="epic", category="in_progress", team="epic"),
        item("2", parent_id="1", category="in_progress", team="story"),
        item("3", parent_id="2", level="subtask", category="in_progress", team="sub-task"),
    ]
    await keep(batch, linked=[*"123"])
    assert [team for team, *_ in await told(store)] == ["story"]
    assert [team for team, *_ in await told(store, "lowest")] == ["sub-task"]


def step(id, number, before, after, item_id="1"):
    at = datetime(2026, 11, number, tzinfo=UTC)
    return Transition(connection="jira", item_id=item_id, id=id, at=at, field="status", before=before, after=after)


async def test_steps_of_the_past_and_how_often_they_were_taken(store, keep, item):
    await keep([item("1", team="A"), item("2", team="A"), item("3")], linked=["1", "2"])
    past = [
        step("1", 1, "To Do", "Done"),
        step("2", 2, "Done", "To Do"),
        step("3", 3, "To Do", "Done"),
        step("4", 4, "Done", "To Do"),
        step("5", 1, "Done", "To Do", "2"),
        step("6", 1, "Done", "To Do", "3"),
        replace(step("7", 5, "3", "5"), field="estimate"),
    ]
    async with store.write() as tx:
        await item_store.add_transitions(tx, past)
    async with store.read() as tx:
        steps = await flow.steps(tx)
        back = [one for one in steps if one.before == "Done"]
        assert {(one.before, one.after) for one in steps} == {("To Do", "Done"), ("Done", "To Do")}
        times = await flow.times(tx, back)
        assert [(team, count) for (_, team), count in times.items()] == [("A", 3)]
        assert await flow.times(tx, []) == {}


async def test_items_that_nobody_linked_by_dimension_and_team(store, keep, item):
    batch = [
        item("1", team="A"),
        item("2", team="A"),
        item("3"),
        item("4", level="epic"),
        item("5", category="canceled"),
    ]
    await keep([*batch, item("6")], linked=["6"], dimensions={"1": {"product": "X"}, "2": {"product": ["X", "Y"]}})
    async with store.read() as tx:
        found = await flow.loose(tx)
    assert sorted((str(dict(stated)), team or "", count) for stated, team, count in found) == [
        ("{'product': 'X'}", "A", 1),
        ("{'product': ['X', 'Y']}", "A", 1),
        ("{}", "", 1),
    ]


async def test_a_day_is_a_date(store, keep, item):
    await keep([item("1", category="done", completed_at=datetime(2026, 11, 9, tzinfo=UTC))], linked=["1"])
    async with store.read() as tx:
        (way,) = [way async for way in flow.ways(tx, BERLIN, leaf_level="standard")]
    assert way.completed_on == date(2026, 11, 9)
