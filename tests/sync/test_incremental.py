"""A change costs the parts it can reach: the others are not looked at again, and the sum is still that of a rebuild."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select, update

from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from domain.rules import Policies
from storage import parts, rollups
from storage.items import items
from sync.ingest import Ingested
from sync.refresh import rebuild

KR = KeyResult(id="KR1", objective="O1", title="KR1", timeframe="Q4")
EPICS = WorkSelector(connection="jira", keys=("PAY-1", "PAY-5", "PAY-8"))


@pytest.fixture
async def known(road, workspace, item):
    """PAY-1 over PAY-2 (done), PAY-3; PAY-5 over PAY-6, PAY-7; PAY-8 alone: all count for I1, which serves KR1."""
    road.use(
        workspace(
            timeframes=[Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))],
            objectives=[Objective(id="O1", title="Grow", timeframe="Q4")],
            key_results=[KR],
            initiatives=[
                Initiative(id="I1", title="I1", contributes=(Contribution(to="KR1", share=0.3),), work=(EPICS,))
            ],
        )
    )
    await road.receive(
        item("1", level="epic"),
        item("2", parent_id="1", category="done", estimate=1),
        item("3", parent_id="1", estimate=2),
        item("5", level="epic"),
        item("6", parent_id="5", estimate=3),
        item("7", parent_id="5"),
        item("8"),
    )
    await recompute(road)
    road.moved = Ingested()
    return road


async def recompute(road):
    async with road.store.write() as tx:
        await rebuild(tx, road.context)


async def groups(road):
    """Return which parts KR1 has."""
    async with road.store.read() as tx:
        found = await tx.scalars(select(parts.parts.c.parent).where(parts.parts.c.id == "KR1"))
        return sorted(found)


async def spoil(road, id_, **values):
    """Change a stored item without telling anybody."""
    async with road.store.write() as tx:
        await tx.execute(update(items).where(items.c.id == id_).values(**values))


async def same_as_a_rebuild(road):
    stepwise = await road.dump()
    await recompute(road)
    assert await road.dump() == stepwise


async def test_only_what_a_change_reaches_is_looked_at(known, item, clock):
    await spoil(known, "6", category="done")
    clock.forward(minutes=1)
    changed = item("3", parent_id="1", category="done", estimate=2, updated_at=clock())
    assert await known.take(changed) == {"KR1", "I1"}
    progress = await known.progress("KR1")
    assert (progress.counts["done"], progress.counts["todo"]) == (2, 3)
    assert progress.size_done == 0.3 + 0.3
    await recompute(known)
    assert (await known.progress("KR1")).counts["done"] == 3


async def test_a_part_goes_and_another_comes_with_an_item_that_moves(known, item, clock):
    assert await groups(known) == ["/8", "1", "5"]
    clock.forward(minutes=1)
    await known.take(item("8", parent_id="5", updated_at=clock()))
    assert await groups(known) == ["1", "5"]
    await same_as_a_rebuild(known)
    clock.forward(minutes=1)
    await known.take(item("6", updated_at=clock()), item("7", parent_id="1", updated_at=clock()))
    assert await groups(known) == ["1", "5"]
    await same_as_a_rebuild(known)
    clock.forward(minutes=1)
    await known.take({"delete": "8"})
    # Nothing is below PAY-5 any more, so that it counts itself.
    assert await groups(known) == ["/5", "1"]
    await same_as_a_rebuild(known)


async def test_an_epic_that_is_done_reaches_its_children(known, item, clock):
    clock.forward(minutes=1)
    await known.take(item("5", level="epic", category="done", updated_at=clock()))
    assert "done_parent_open_children" in (await known.progress("KR1")).flags
    await same_as_a_rebuild(known)


async def test_parts_made_under_other_terms_are_not_added_to(known, item, clock):
    """A file that changed is mapped by a rebuild; should that not have happened, no number is a mixture."""
    await spoil(known, "6", category="done")
    file = known.context.workspace
    known.use(replace(file, policies=Policies(canceled="as_open")))
    clock.forward(minutes=1)
    await known.take(item("3", parent_id="1", category="canceled", updated_at=clock()))
    progress = await known.progress("KR1")
    assert (progress.items, progress.counts["done"], progress.counts["canceled"]) == (5, 2, 1)


async def test_what_has_outlived_its_day_is_not_added_to(known, item, clock):
    await spoil(known, "6", category="done")
    clock.forward(days=60)
    changed = item("3", parent_id="1", category="done", updated_at=clock(), completed_at=clock())
    await known.take(changed)
    # The quarter is over and frozen: what is done later is still to do there, whatever part it belongs to.
    progress = await known.progress("KR1")
    assert (progress.counts["done"], progress.counts["todo"]) == (2, 3)
    assert progress.valid_until is None


@pytest.mark.parametrize(
    "policies",
    [
        Policies(size="points"),
        Policies(size="points", unestimated="exclude"),
        Policies(size="equal_per_child"),
        Policies(size="points", top_down=True),
        Policies(scope_basis="baseline"),
        Policies(parent_done_wins=True, leaf_level="lowest"),
    ],
    ids=["median", "exclude", "equal", "top-down", "baseline", "wins"],
)
async def test_under_each_policy_a_change_says_what_a_rebuild_says(known, item, clock, policies):
    known.use(replace(known.context.workspace, policies=policies, digest=repr(policies)))
    await recompute(known)
    for number, stated in enumerate(
        (
            {"id": "7", "parent_id": "5", "estimate": 5, "team": "Pay"},
            {"id": "3", "parent_id": "1", "estimate": None, "team": "Pay", "category": "done"},
            {"id": "8", "team": "Pay"},
            {"id": "1", "level": "epic", "category": "done", "estimate": 30},
            {"id": "10", "level": "subtask", "parent_id": "3"},
            {"id": "6", "parent_id": "5", "category": "canceled"},
        )
    ):
        clock.forward(minutes=1)
        await known.take(item(**stated, updated_at=clock()))
        await same_as_a_rebuild(known)
        async with known.store.read() as tx:
            totals = await rollups.totals(tx, {"KR1"}, known.context.today)
        has_parts = policies.size == "count" or not (policies.top_down or policies.size == "equal_per_child")
        assert bool(totals) == has_parts, number
