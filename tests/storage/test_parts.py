"""Parts: replaced one by one or all at once; the facts of some groups are those of all, cut to them."""

from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from domain.work import Link
from storage import items as item_store
from storage import links, parts, rollups

BERLIN = ZoneInfo("Europe/Berlin")
ONE, TWO, LOOSE = ("jira", "1"), ("jira", "2"), ("jira", "/07")


@pytest.fixture
def tree(store, clock, item):
    """Two epics with children that count for I1, one of them linked to I2 as well; 207 and 3 have no parent."""
    batch = [
        item("1", level="epic"),
        item("2", level="epic", parent_id="9"),
        item("9", level="initiative"),
        item("11", parent_id="1", estimate=2),
        item("12", parent_id="1", estimate=2),
        item("13", parent_id="1", category="done", blocked_by=("3",)),
        item("21", parent_id="2"),
        item("22", parent_id="21", level="subtask"),
        item("207"),
        item("307", estimate=1),
        item("3"),
    ]
    linked = {one.id: ("I1",) for one in batch if one.id != "9"} | {"12": ("I1", "I2")}

    async def plant():
        async with store.write() as tx:
            await item_store.upsert(tx, [item_store.row_of(one, [], {}, clock(), BERLIN) for one in batch])
            await item_store.set_blockers(tx, batch, set())
            wanted = {id_: tuple(Link(initiative=name, rule="work") for name in names) for id_, names in linked.items()}
            numbers = await links.intern(tx, wanted.values())
            await links.set_scopes(tx, {("jira", id_): numbers[found] for id_, found in wanted.items()})

    return plant


async def test_parts_are_replaced_all_at_once_or_some(store):
    async with store.write() as tx:
        both = {ONE: {"b": 1, "a": [0.1]}, TWO: {"a": 2}}
        await parts.replace_all(tx, {("initiative", "I1"): both, ("initiative", "I2"): {ONE: {"a": 9}}})
        await parts.replace(tx, "initiative", "I1", {LOOSE: {"a": 3}}, [TWO, LOOSE, ("linear", "1")])
        assert await parts.load(tx, "initiative", "I1", [ONE, TWO, LOOSE]) == {
            ONE: {"a": [0.1], "b": 1},
            LOOSE: {"a": 3},
        }
        assert await parts.load(tx, "initiative", "I1", [TWO]) == {}
        assert await parts.load(tx, "key_result", "I1", [ONE]) == {}
        await parts.replace_all(tx, {("initiative", "I1"): {TWO: {"a": 4}}})
        assert await parts.load(tx, "initiative", "I1", [ONE, TWO, LOOSE]) == {TWO: {"a": 4}}
        assert await parts.load(tx, "initiative", "I2", [ONE]) == {ONE: {"a": 9}}
        texts = list(await tx.scalars(select(parts.parts.c.data).order_by(parts.parts.c.id)))
        assert texts == ['{"a":4}', '{"a":9}']
        await rollups.drop(tx, {"I2"})
        assert await parts.load(tx, "initiative", "I2", [ONE]) == {}
        await rollups.clear(tx)
        assert await parts.load(tx, "initiative", "I1", [TWO]) == {}


async def test_a_change_reaches_the_parts_of_an_item_of_all_below_and_of_those_that_wait(store, tree):
    await tree()
    async with store.read() as tx:
        assert await parts.groups_near(tx, [("jira", "11")]) == {ONE}
        assert await parts.groups_near(tx, [("jira", "9")]) == {("jira", "/9"), ("jira", "9"), TWO, ("jira", "21")}
        assert await parts.groups_near(tx, [("jira", "3")]) == {("jira", "/3"), ONE}
        assert await parts.groups_near(tx, [("jira", "207"), ("linear", "1")]) == {LOOSE}
        assert await parts.groups_near(tx, []) == set()


async def test_a_bucket_is_the_same_in_the_database_and_beside_it(store, tree):
    await tree()
    async with store.read() as tx:
        for id_ in ("207", "3", "9"):
            assert await parts.groups_near(tx, [("jira", id_)]) >= {parts.bucket_of(("jira", id_))}


async def test_the_facts_of_groups_are_those_of_all_cut_to_them(store, tree):
    await tree()
    async with store.read() as tx:
        everything = await rollups.facts(tx, {"I1", "I2"}, bucketed=True)
        for groups in ([ONE], [TWO, ("jira", "21")], [LOOSE], [("jira", "/3"), ONE], [("jira", "nobody")]):
            found = await rollups.facts_of(tx, groups, {"I1", "I2"})
            wanted = [row for row in everything.rows if (row.connection, row.parent or f"/{row.bucket}") in groups]
            assert sorted(found.rows, key=repr) == sorted(wanted, key=repr)
        found = await rollups.facts_of(tx, [("jira", "21")], {"I1"})
        assert sorted(node.id for node in found.nodes) == ["2", "21", "9"]
        loose = await rollups.facts_of(tx, [LOOSE], {"I1"})
        assert sorted(row.estimate or 0 for row in loose.rows) == [0, 1]
        assert (await rollups.facts_of(tx, [LOOSE], {"I2"})).rows == ()
        (epic,) = (await rollups.facts_of(tx, [("jira", "/1")], {"I1"})).nodes
        assert (epic.id, epic.fact.links, epic.fact.bucket) == ("1", frozenset({"I1"}), "1")


async def test_items_without_a_parent_are_cut_only_where_that_is_wished(store, tree):
    await tree()
    async with store.read() as tx:
        assert {row.bucket for row in (await rollups.facts(tx, {"I1"})).rows} == {""}
        assert {row.bucket for row in (await rollups.facts(tx, {"I1"}, bucketed=True)).rows} == {"", "07", "3"}
