"""Links and rollups follow what moved, and the file, without a word from any tracker."""

from dataclasses import replace
from datetime import date

import pytest

from domain.okr import CheckIn, Contribution, Initiative, KeyResult, Objective, Status, Timeframe, WorkSelector
from domain.rules import CreateInitiative, MappingRule, Policies, Test
from storage import checkpoints, okrs, rollups
from sync.ingest import Ingested
from sync.refresh import MAPPED, catch_up, rebuild
from sync.run import UNCOUNTED, mark_uncounted, settle


def initiative(id_, *keys, to="KR1", **more):
    work = (WorkSelector(connection="jira", keys=keys),) if keys else ()
    return Initiative(id=id_, title=id_, contributes=(Contribution(to=to),), work=work, **more)


def key_result(id_, **more):
    return KeyResult(id=id_, objective="O1", title=id_, timeframe="Q4", **more)


@pytest.fixture
def file(workspace):
    """I1 (PAY-1) and I2 (PAY-5) serve KR1, I3 (PAY-9) serves KR2."""

    def build(**stated):
        values = {
            "timeframes": [Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))],
            "objectives": [Objective(id="O1", title="Grow", timeframe="Q4")],
            "key_results": [key_result("KR1"), key_result("KR2")],
            "initiatives": [
                initiative("I1", "PAY-1"),
                initiative("I2", "PAY-5"),
                initiative("I3", "PAY-9", to="KR2"),
            ],
        }
        return workspace(**{**values, **stated})

    return build


@pytest.fixture
async def known(road, file, item):
    """A road with PAY-1 over PAY-2 (done) and PAY-3, PAY-5 over PAY-6, and PAY-9; all computed."""
    road.use(file())
    await road.receive(
        item("1", level="epic"),
        item("2", parent_id="1", category="done"),
        item("3", parent_id="1"),
        item("5", level="epic"),
        item("6", parent_id="5"),
        item("9"),
    )
    await catch_up(road.context)
    road.moved = Ingested()
    return road


async def values(road):
    async with road.store.read() as tx:
        return {id_: progress.value for id_, (progress, _) in (await rollups.load(tx)).items()}


async def same_after_rebuild(road):
    before = await road.dump()
    async with road.store.write() as tx:
        await rebuild(tx, road.context)
    assert await road.dump() == before


async def test_only_what_is_above_a_change_is_computed(known, item, clock):
    assert await values(known) == {"I1": 0.5, "I2": 0.0, "I3": 0.0, "KR1": pytest.approx(1 / 3), "KR2": 0.0}
    clock.forward(minutes=1)
    computed = await known.take(item("3", parent_id="1", category="done", updated_at=clock()))
    assert computed == {"I1", "KR1"}
    assert await values(known) == {"I1": 1.0, "I2": 0.0, "I3": 0.0, "KR1": pytest.approx(2 / 3), "KR2": 0.0}
    await same_after_rebuild(known)


async def test_a_change_that_no_number_depends_on_computes_nothing(known, item, clock):
    clock.forward(minutes=1)
    assert await known.take(item("3", parent_id="1", title="New title", updated_at=clock())) == set()
    await same_after_rebuild(known)


async def test_both_sides_of_a_move_are_computed(known, item, clock):
    clock.forward(minutes=1)
    computed = await known.take(item("2", parent_id="5", category="done", updated_at=clock()))
    assert computed == {"I1", "I2", "KR1"}
    assert (await values(known))["I2"] == 0.5
    await same_after_rebuild(known)


async def test_a_parent_left_by_an_item_of_another_initiative_is_computed(known, item, clock):
    """PAY-1 keeps one child, which counts for I3; when that leaves, PAY-1 itself is a leaf of I1."""
    road = known
    road.use(replace(road.context.workspace, initiatives={
        **road.context.workspace.initiatives, "I3": initiative("I3", "PAY-2", "PAY-3", to="KR2"),
    }, digest="second"))  # fmt: skip
    await catch_up(road.context)
    assert (await road.progress("I1")).items == 0
    clock.forward(minutes=1)
    await road.take(*(item(id_, updated_at=clock()) for id_ in ("2", "3")))
    assert (await road.progress("I1")).items == 1
    await same_after_rebuild(road)


async def test_an_ancestor_out_of_scope_speaks_for_all_below(road, file, item, clock):
    """PAY-1 counts for nothing itself, yet being done it makes all below it done, two levels down."""
    policies = Policies(parent_done_wins=True)
    road.use(file(initiatives=[initiative("I1", "PAY-3")], policies=policies))
    await road.receive(item("1", level="initiative"), item("2", parent_id="1", level="epic"), item("3", parent_id="2"))
    await catch_up(road.context)
    road.moved = Ingested()
    assert await values(road) == {"I1": 0.0, "KR1": 0.0}
    clock.forward(minutes=1)
    assert await road.take(item("1", level="initiative", category="done", updated_at=clock())) == {"I1", "KR1"}
    assert await values(road) == {"I1": 1.0, "KR1": 1.0}
    await same_after_rebuild(road)


async def test_who_waits_for_an_item_is_computed_with_it(known, item, clock):
    clock.forward(minutes=1)
    await known.take(item("6", parent_id="5", blocked_by=("9",), updated_at=clock()))
    assert (await known.progress("I2")).blocked_size == 1.0
    clock.forward(minutes=1)
    assert {"I2", "I3"} <= await known.take(item("9", category="done", updated_at=clock()))
    assert (await known.progress("I2")).blocked_size == 0.0
    await same_after_rebuild(known)


async def test_a_cancellation_that_is_dated_anew_is_computed(known, item, clock):
    clock.forward(minutes=1)
    await known.take(item("9", category="canceled", updated_at=clock(), canceled_at=clock()))
    earlier = clock.forward(minutes=1).replace(year=2026, month=9, day=30)
    assert "I3" in await known.take(item("9", category="canceled", updated_at=clock(), canceled_at=earlier))
    await same_after_rebuild(known)


async def test_deleted_work_leaves_and_returns(known, item, clock):
    clock.forward(minutes=1)
    assert await known.take({"delete": "2"}, {"delete": "9"}) >= {"I1", "I3", "KR1", "KR2"}
    found = await values(known)
    assert (found["I1"], found["I3"]) == (0.0, None)
    await same_after_rebuild(known)
    clock.forward(minutes=1)
    await known.take(item("2", parent_id="1", category="done"), item("9"))
    assert (await values(known))["I1"] == 0.5
    await same_after_rebuild(known)


async def test_hidden_work_leaves_after_its_grace_period(known, clock):
    await known.hide("3")
    await known.refresh()
    assert (await values(known))["I1"] == 0.5
    await same_after_rebuild(known)
    clock.forward(days=13)
    await catch_up(known.context)
    assert (await values(known))["I1"] == 0.5
    clock.forward(days=2)
    await catch_up(known.context)
    assert await values(known) == {"I1": 1.0, "I2": 0.0, "I3": 0.0, "KR1": 0.5, "KR2": 0.0}
    await same_after_rebuild(known)


def made(label, to):
    return MappingRule(
        name="made",
        when=Test(field="labels", op="matches", value=label),
        initiative=CreateInitiative(contributes=((to, 1.0, None),)),
    )


async def test_an_initiative_made_by_a_rule_serves_whom_its_item_says(road, file, item, clock):
    road.use(file(initiatives=[], rules=(made(r"kr/(?P<kr>\w+)", "{kr}"),)))
    await catch_up(road.context)

    async def say(*labels):
        clock.forward(minutes=1)
        await road.take(item("1", labels=labels, updated_at=clock()), item("2", parent_id="1", category="done"))
        await same_after_rebuild(road)
        return await values(road)

    assert await say("kr/KR1") == {"jira:PAY-1": 1.0, "KR1": 1.0}
    assert await say("kr/KR2") == {"jira:PAY-1": 1.0, "KR2": 1.0}
    assert await say() == {}
    assert await say("kr/KR1", "kr/KR2") == {"jira:PAY-1": 1.0, "KR1": 1.0, "KR2": 1.0}
    clock.forward(minutes=1)
    await road.take({"delete": "1"})
    await same_after_rebuild(road)
    assert await values(road) == {}
    async with road.store.read() as tx:
        assert await okrs.orphaned(tx) == [("jira:PAY-1", "initiative", "Item 1")]


async def test_a_canceled_item_cancels_the_initiative_it_makes(road, file, item, clock):
    road.use(file(initiatives=[initiative("I1", "PAY-5")], rules=(made("bet", "KR1"),)))
    await catch_up(road.context)
    await road.take(item("1", labels=("bet",)), item("2", parent_id="1", category="done"), item("5"))
    assert (await values(road))["KR1"] == 0.5
    clock.forward(minutes=1)
    await road.take(item("1", labels=("bet",), category="canceled", updated_at=clock()))
    assert (await values(road))["KR1"] == 0.0
    await same_after_rebuild(road)


async def test_a_changed_file_maps_the_store_again_without_a_tracker(known, file):
    """Sources that would be asked fail the test; none is even handed over."""
    known.use(file(digest="second", initiatives=[initiative("I1", "PAY-5"), initiative("I4", "PAY-1", to="KR2")]))
    await catch_up(known.context)
    assert (await known.links())["3"] == [("I4", "work", "PAY-1")]
    assert await values(known) == {"I1": 0.0, "I4": 0.5, "KR1": 0.0, "KR2": 0.5}
    async with known.store.read() as tx:
        assert await checkpoints.note(tx, MAPPED) == {"digest": "second"}
        assert await okrs.orphaned(tx) == [("I2", "initiative", "I2"), ("I3", "initiative", "I3")]


async def test_a_changed_word_for_a_status_settles_items_again(known, file, item, clock):
    clock.forward(minutes=1)
    await known.take(item("3", parent_id="1", status="Live", updated_at=clock()))
    assert (await values(known))["I1"] == 0.5
    jira = known.context.workspace.connections["jira"]
    known.use(file(digest="second", connections={"jira": replace(jira, statuses={"live": "done"})}))
    await catch_up(known.context)
    assert (await values(known))["I1"] == 1.0
    assert (await known.items())["3"].item.category == "done"


async def test_the_same_file_and_day_compute_nothing(known, monkeypatch):
    async def never(*_arguments):
        pytest.fail("computed")

    monkeypatch.setattr("sync.refresh.rebuild", never)
    monkeypatch.setattr("sync.refresh.roll_up", never)
    await catch_up(known.context)


async def test_a_renamed_id_keeps_its_check_ins_and_its_links(known, file, item, clock):
    value = CheckIn(key_result="KR1", as_of=clock(), value=2.0, recorded_at=clock(), by="maria")
    async with known.store.write() as tx:
        await okrs.add_check_in(tx, value)
    renamed = [replace(key_result("KR7"), was=("KR1",)), key_result("KR2")]
    labelled = Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)")
    rule = MappingRule(name="label", when=labelled, initiative="{id}")
    known.use(
        file(
            digest="second",
            key_results=renamed,
            initiatives=[initiative("I9", "PAY-1", to="KR7", was=("I1",))],
            rules=(rule,),
        )
    )
    await catch_up(known.context)
    async with known.store.read() as tx:
        assert await okrs.all_check_ins(tx) == [replace(value, key_result="KR7")]
        assert {id_ for id_, _, _ in await okrs.orphaned(tx)} == {"I2", "I3"}
    clock.forward(minutes=1)
    await known.take(item("6", labels=("okr/I1",), updated_at=clock()))
    assert (await known.links())["6"] == [("I9", "rule:label", None)]


async def test_a_canceled_initiative_leaves_the_key_result(known, file):
    canceled = initiative("I1", "PAY-1", status=Status.CANCELED)
    known.use(file(digest="second", initiatives=[canceled, initiative("I2", "PAY-5")]))
    await catch_up(known.context)
    assert await values(known) == {"I1": 0.5, "I2": 0.0, "KR1": 0.0}


async def test_a_key_result_that_nobody_serves_any_more_has_no_rollup(known, file):
    known.use(file(digest="second", initiatives=[initiative("I1", "PAY-1")]))
    await catch_up(known.context)
    assert set(await values(known)) == {"I1", "KR1"}


async def test_what_a_dead_run_moved_is_made_good_by_whoever_comes_next(known, item, clock):
    """The run before died between the items and the numbers: what it moved was noted with the items."""
    clock.forward(minutes=1)
    await known.receive(item("3", parent_id="1", category="done", updated_at=clock()))
    assert (await values(known))["I1"] != 1.0
    assert await settle(known.context) >= {"I1", "KR1"}
    assert (await values(known))["I1"] == 1.0
    assert await settle(known.context) == set()


async def test_what_a_dead_backfill_moved_is_computed_by_the_next_run_of_its_connection(known, item, clock):
    unnoted = replace(known.context, computes_all=True)
    await mark_uncounted(unnoted, ["jira"])
    clock.forward(minutes=1)
    before, known.context = known.context, unnoted
    await known.receive(item("3", parent_id="1", category="done", updated_at=clock()))
    known.context = before
    assert await settle(known.context) == set()
    async with known.store.read() as tx:
        assert await checkpoints.load(tx, "jira", UNCOUNTED) is True
    assert await settle(known.context, whole=["jira"]) >= {"I1"}
    assert (await values(known))["I1"] == 1.0
    async with known.store.read() as tx:
        assert await checkpoints.load(tx, "jira", UNCOUNTED) is None


async def test_a_dead_backfill_under_another_file_maps_again(known, file, item, clock):
    other = known.context
    known.use(file(digest="second", initiatives=[initiative("I4", "PAY-6")]))
    known.context = replace(known.context, computes_all=True)
    await mark_uncounted(known.context, ["jira"])
    clock.forward(minutes=1)
    await known.receive(item("6", parent_id="5", updated_at=clock()))
    known.context = other
    await settle(known.context)
    assert (await known.links())["6"] == [("I2", "work", "PAY-5")]


async def test_items_mapped_by_another_file_are_mapped_by_the_file_that_the_store_has(known, file, item, clock):
    """A replica that still has the file of before writes an item: the present file's links stay in effect."""
    present = known.context
    known.use(file(digest="before", initiatives=[initiative("I4", "PAY-6")]))
    clock.forward(minutes=1)
    await known.receive(item("6", parent_id="5", updated_at=clock()))
    known.context = present
    await settle(known.context)
    assert (await known.links())["6"] == [("I2", "work", "PAY-5")]
