"""Links in effect are interned once; the tree is read as it stands, deleted items aside."""

from datetime import date
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select

from domain.okr import Contribution, Initiative
from domain.work import Level, Link
from storage import items as item_store
from storage import links

UTC_ZONE = ZoneInfo("UTC")
ONE = (Link(initiative="I1", rule="work"),)
TWO = (Link(initiative="I1", rule="rule:a", inherited_from="PAY-1"), Link(initiative="I2", rule="work"))


@pytest.fixture
def tree(store, clock):
    """Store items and return a transaction to look at them."""

    async def plant(*batch, own=()):
        linked = [{"initiative": "I1", "rule": "work", "also": False}]
        async with store.write() as tx:
            rows = [item_store.row_of(one, linked if one.id in own else [], {}, clock(), UTC_ZONE) for one in batch]
            await item_store.upsert(tx, rows)
            await item_store.set_blockers(tx, batch, set())

    return plant


async def bury(tx, clock, id_):
    found = (await item_store.versions(tx, "jira", [id_]))[id_]
    await item_store.mark(tx, found, read_at=clock(), deleted_at=clock())


async def test_a_list_of_links_has_one_number(store):
    async with store.write() as tx:
        first = await links.intern(tx, [ONE, TWO, ()])
    async with store.write() as tx:
        again = await links.intern(tx, {TWO, ONE})
        loaded = await links.load_scopes(tx)
        (rows,) = (await tx.execute(select(func.count()).select_from(links.scopes))).one()
        by_initiative = await links.load_scopes(tx, [first[TWO]])
    assert first[()] == 0
    assert len(set(first.values())) == 3
    assert again == {(): 0, ONE: first[ONE], TWO: first[TWO]}
    assert loaded == {0: (), first[ONE]: ONE, first[TWO]: TWO}
    assert by_initiative == {0: (), first[TWO]: TWO}
    assert rows == 2


async def test_scopes_without_items_are_forgotten(store, item, tree):
    await tree(item("1"), item("2"))
    async with store.write() as tx:
        numbers = await links.intern(tx, [ONE, TWO])
        await links.set_scopes(tx, {("jira", "1"): numbers[TWO]})
        await links.drop_unused(tx)
        assert await links.load_scopes(tx) == {0: (), numbers[TWO]: TWO}
        assert await links.initiatives_of(tx, [("jira", "1"), ("jira", "2"), ("other", "1")]) == {"I1", "I2"}
        assert await links.scope_numbers(tx) == {("jira", "1"): numbers[TWO], ("jira", "2"): 0}


async def test_places_say_what_inheritance_needs(store, item, tree):
    await tree(item("1"), item("2", parent_id="1"), item("3", parent_id="2"), item("2", connection="other"), own={"2"})
    own = ((Link(initiative="I1", rule="work"), False),)
    two = links.Place("jira", "2", "PAY-2", "1", own, 0)
    async with store.read() as tx:
        assert await links.places(tx, [("jira", "2"), ("jira", "9")]) == {("jira", "2"): two}
        assert set(await links.parents(tx)) == {("jira", "1"), ("jira", "2")}
        assert await links.children(tx, [("jira", "1")]) == {("jira", "2"): two}
        assert {(place.connection, place.id) for place in await links.linked_themselves(tx)} == {
            ("jira", "2"),
            ("other", "2"),
        }
        assert await links.parents_above(tx, [("jira", "2"), ("jira", "3"), ("jira", "1")]) == {
            ("jira", "1"),
            ("jira", "2"),
        }


async def test_nothing_comes_down_from_a_deleted_item(store, item, tree, clock):
    await tree(item("1"), item("2", parent_id="1"), item("3", parent_id="1"), own={"1"})
    async with store.write() as tx:
        number = (await links.intern(tx, [ONE]))[ONE]
        await links.set_scopes_below(tx, {("jira", "1"): number})
        assert set((await links.scope_numbers(tx)).values()) == {0, number}
        await bury(tx, clock, "1")
        assert (await links.places(tx, [("jira", "2")]))[("jira", "2")].parent_id is None
        await links.clear_orphans(tx)
        assert set((await links.scope_numbers(tx)).values()) == {0}
        await links.set_scopes_below(tx, {("jira", "1"): number})
        assert set((await links.scope_numbers(tx)).values()) == {0}


async def test_links_from_above_leave_own_ones_alone(store, item, tree):
    await tree(item("1"), item("2", parent_id="1"), item("3", parent_id="1"), own={"3"})
    async with store.write() as tx:
        number = (await links.intern(tx, [ONE]))[ONE]
        await links.set_scopes_below(tx, {("jira", "1"): number})
        assert await links.scope_numbers(tx) == {("jira", "1"): 0, ("jira", "2"): number, ("jira", "3"): 0}


async def test_a_parent_known_by_key_alone_is_found_once_it_is_there(store, item, tree):
    named = item("4", parent_id="8", parent_key="PAY-1")
    await tree(item("2", parent_key="PAY-1"), item("3", parent_key="PAY-9"), named)
    async with store.write() as tx:
        assert await links.resolve_parents(tx) == []
    await tree(item("1"), item("1", connection="other"))
    async with store.write() as tx:
        assert await links.resolve_parents(tx) == [("jira", "2")]
        assert await links.resolve_parents(tx) == []
        found = await item_store.versions(tx, "jira", ["2", "3", "4"])
    assert {id_: row.item.parent_id for id_, row in found.items()} == {"2": "1", "3": None, "4": "8"}


async def test_who_may_be_touched_by_a_change(store, item, tree):
    """Everything below, whatever its depth, and whoever waits; not what stands beside or above."""
    await tree(
        item("1"),
        item("2", parent_id="1"),
        item("3", parent_id="2"),
        item("4", parent_id="3"),
        item("5", parent_id="1"),
        item("6", blocked_by=("2",)),
        item("7", parent_id="8"),
        item("8", parent_id="7"),
    )
    async with store.write() as tx:
        lists = {id_: (Link(initiative=f"I{id_}", rule="work"),) for id_ in "12345678"}
        numbers = await links.intern(tx, lists.values())
        await links.set_scopes(tx, {("jira", id_): numbers[those] for id_, those in lists.items()})
        assert await links.initiatives_near(tx, [("jira", "2")]) == {"I2", "I3", "I4", "I6"}
        assert await links.initiatives_near(tx, [("jira", "7")]) == {"I7", "I8"}
        assert await links.initiatives_near(tx, [("other", "2")]) == set()


async def test_mirrored_copies_are_marked_and_unmarked(store, item, tree):
    await tree(item("1"), item("2"), item("3"))
    async with store.write() as tx:
        await links.set_mirrors(tx, {("jira", "1"): ("jira", "3"), ("jira", "2"): ("jira", "3")})
        assert await links.copies(tx) == {("jira", "1"), ("jira", "2")}
        await links.set_mirrors(tx, {("jira", "2"): ("jira", "1")})
        assert await links.copies(tx) == {("jira", "2")}
        assert (await item_store.versions(tx, "jira", ["2"]))["2"].mirror_of == "jira:1"


async def test_keys_are_found_without_case_and_never_lead_to_a_deleted_item(store, item, tree, clock):
    await tree(item("1"), item("2"), item("9", key="PAY-1", connection="other"))
    asked = [("jira", "pay-1"), ("jira", "PAY-2"), ("jira", "PAY-3")]
    async with store.write() as tx:
        assert await links.refs_of_keys(tx, asked) == {
            ("jira", "pay-1"): ("jira", "1"),
            ("jira", "PAY-2"): ("jira", "2"),
        }
        await bury(tx, clock, "2")
        assert await links.refs_of_keys(tx, asked) == {("jira", "pay-1"): ("jira", "1")}
        assert await links.refs_of_keys(tx, []) == {}


async def test_unlinked_work_leaves_out_what_does_not_count(store, item, tree, clock):
    await tree(
        item("1", level="epic"), item("2", level="initiative"), item("3"), item("4", level="subtask"),
        item("5", category="canceled"), item("6"), item("7"), item("8"),
    )  # fmt: skip
    async with store.write() as tx:
        await bury(tx, clock, "6")
        await links.set_mirrors(tx, {("jira", "7"): ("jira", "3")})
        await links.set_scopes(tx, {("jira", "8"): (await links.intern(tx, [ONE]))[ONE]})
        assert await links.unlinked(tx) == (2, 2)


async def test_epics_are_found_by_the_initiatives_they_count_for(store, item, tree, clock):
    await tree(item("2", level="epic"), item("1", level="epic"), item("3"), item("4", level="epic"))
    async with store.write() as tx:
        numbers = await links.intern(tx, [ONE, TWO])
        await links.set_scopes(
            tx, {("jira", "1"): numbers[TWO], **{("jira", id_): numbers[ONE] for id_ in ("2", "3", "4")}}
        )
        await bury(tx, clock, "4")
        assert await links.linked_at(tx, "jira", Level.EPIC) == {
            "I1": [("1", "PAY-1"), ("2", "PAY-2")],
            "I2": [("1", "PAY-1")],
        }
        assert await links.linked_at(tx, "other", Level.EPIC) == {}


async def test_below_epics_those_are_found_that_are_linked_themselves(store, item, tree):
    await tree(item("1", level="epic"), item("2", parent_id="1"), item("3", parent_id="1"))
    async with store.write() as tx:
        number = (await links.intern(tx, [ONE]))[ONE]
        await links.set_scopes(tx, {("jira", id_): number for id_ in ("1", "2", "3")})
        rows = (
            item_store.items.update()
            .where(item_store.items.c.id == "3")
            .values(own=[{"initiative": "I1", "rule": "work", "also": False}])
        )
        await tx.execute(rows)
        assert await links.linked_at(tx, "jira", Level.ISSUE) == {"I1": [("3", "PAY-3")]}


def made(id_, *, to="KR1", item_id="1", **more):
    initiative = Initiative(id=id_, title=id_, contributes=(Contribution(to=to, share=0.5),), **more)
    return {"id": id_, "connection": "jira", "item_id": item_id, "data": initiative}


async def test_created_initiatives_tell_who_is_concerned(store):
    async with store.write() as tx:
        first = made("jira:PAY-1", due=date(2026, 12, 1))
        assert await links.save_created(tx, [first], []) == {"jira:PAY-1", "KR1"}
        assert await links.save_created(tx, [first], [("jira", "1")]) == set()
        assert await links.save_created(tx, [made("jira:PAY-1", to="KR2")], [("jira", "1")]) == {
            "jira:PAY-1", "KR1", "KR2",
        }  # fmt: skip
        assert await links.save_created(tx, [made("jira:CORE-1", to="KR2")], [("jira", "1"), ("jira", "2")]) == {
            "jira:PAY-1", "jira:CORE-1", "KR2",
        }  # fmt: skip
        assert set(await links.load_created(tx)) == {"jira:CORE-1"}
        assert await links.save_created(tx, [], [("jira", "1")]) == {"jira:CORE-1", "KR2"}
        await links.save_created(tx, [first], [])
        await links.forget_created(tx)
        assert await links.load_created(tx) == {}
