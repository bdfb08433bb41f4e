"""The outbox folds changes and keeps the first due time; the ledger knows what was told and what a human took over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from storage import outbox, publications
from storage.outbox import Due, Place, Published
from storage.publications import Deed

FIRST = datetime(2026, 11, 18, 9, tzinfo=UTC)
PLACE = Place(target="badge", kind="initiative", subject="I1", address="10001")
DUE = Due(
    place=PLACE,
    content={"text": "43 %", "n": 0.43},
    fingerprint="a",
    action="update",
    reason="first time",
    first_due_at=FIRST,
)


async def test_changes_fold_into_one_row_with_the_first_due_time(store):
    other = replace(DUE, place=replace(PLACE, address="10002"), first_due_at=FIRST - timedelta(hours=1))
    later = FIRST + timedelta(hours=1)
    newer = replace(DUE, content={"text": "44 %"}, fingerprint="b", reason="+1", first_due_at=later)
    async with store.write() as tx:
        await outbox.enqueue(tx, DUE)
        await outbox.enqueue(tx, other)
        await outbox.enqueue(tx, newer)
        assert await outbox.waiting(tx) == [other, replace(newer, first_due_at=FIRST)]


async def test_a_failed_row_waits_with_its_error_until_something_new_is_due(store):
    async with store.write() as tx:
        await outbox.enqueue(tx, DUE)
        await outbox.fail(tx, PLACE, "503", final=False)
        await outbox.fail(tx, PLACE, "field is gone", final=True)
        assert await outbox.waiting(tx) == [replace(DUE, state="failed", attempts=2, error="field is gone")]
        await outbox.enqueue(tx, replace(DUE, reason="again"))
        assert [(due.state, due.reason) for due in await outbox.waiting(tx)] == [("failed", "again")]
        await outbox.enqueue(tx, replace(DUE, fingerprint="b"))
        assert await outbox.waiting(tx) == [replace(DUE, fingerprint="b")]
        await outbox.withdraw(tx, PLACE)
        assert await outbox.waiting(tx) == []


async def test_what_was_sent_moves_to_the_ledger(store):
    told = Published(place=PLACE, content=DUE.content, fingerprint="a", sent_at=FIRST, overridden_at=None)
    async with store.write() as tx:
        await outbox.enqueue(tx, DUE)
        await outbox.remember(tx, DUE, FIRST)
        assert await outbox.waiting(tx) == []
        assert await outbox.ledger(tx) == {PLACE: told}
        assert await outbox.ledger(tx, ["badge"]) == {PLACE: told}
        assert await outbox.ledger(tx, ["other"]) == {}


async def test_what_folded_in_while_it_was_sent_stays_due(store):
    newer = replace(DUE, fingerprint="b", content={"text": "44 %"})
    async with store.write() as tx:
        await outbox.enqueue(tx, DUE)
        await outbox.enqueue(tx, newer)
        await outbox.remember(tx, DUE, FIRST)
        assert await outbox.waiting(tx) == [newer]
        assert (await outbox.ledger(tx))[PLACE].fingerprint == "a"


async def test_a_deletion_leaves_the_ledger(store):
    async with store.write() as tx:
        await outbox.remember(tx, DUE, FIRST)
        gone = replace(DUE, action="delete", fingerprint="z")
        await outbox.enqueue(tx, gone)
        await outbox.remember(tx, gone, FIRST)
        assert await outbox.ledger(tx) == {}
        assert await outbox.waiting(tx) == []


async def test_a_humans_override_holds_until_it_is_released(store):
    elsewhere = replace(PLACE, address="10002")
    async with store.write() as tx:
        await outbox.remember(tx, DUE, FIRST)
        await outbox.remember(tx, replace(DUE, place=elsewhere), FIRST)
        await outbox.enqueue(tx, replace(DUE, fingerprint="b"))
        await outbox.override(tx, PLACE, FIRST + timedelta(hours=1))
        assert await outbox.waiting(tx) == []
        ledger = await outbox.ledger(tx)
        assert (ledger[PLACE].overridden_at, ledger[elsewhere].overridden_at) == (FIRST + timedelta(hours=1), None)

        assert await outbox.release(tx, "badge", "I2") == []
        assert [told.place for told in await outbox.release(tx, "badge", "I1")] == [PLACE]
        assert await outbox.release(tx, "badge", "I1") == []
        ledger = await outbox.ledger(tx)
        assert (ledger[PLACE].overridden_at, ledger[PLACE].fingerprint) == (None, "released")
        assert ledger[elsewhere].fingerprint == "a"


async def test_telling_a_place_again_ends_its_override(store):
    async with store.write() as tx:
        await outbox.remember(tx, DUE, FIRST)
        await outbox.override(tx, PLACE, FIRST)
        await outbox.remember(tx, replace(DUE, fingerprint="b"), FIRST + timedelta(days=1))
        (told,) = (await outbox.ledger(tx)).values()
    assert (told.overridden_at, told.fingerprint, told.sent_at) == (None, "b", FIRST + timedelta(days=1))


async def test_a_call_that_was_not_carried_out_leaves_the_ledger_as_it_was(store):
    newer = replace(DUE, fingerprint="b", content={"text": "44 %"}, period="2026-W48")
    async with store.write() as tx:
        await outbox.begin(tx, DUE, FIRST)
        assert [told.state for told in (await outbox.ledger(tx)).values()] == ["sending"]
        await outbox.take_back(tx, PLACE, None)
        assert await outbox.ledger(tx) == {}
        await outbox.remember(tx, DUE, FIRST, entry="7")
        before = (await outbox.ledger(tx))[PLACE]
        await outbox.begin(tx, newer, FIRST + timedelta(days=1))
        assert (await outbox.ledger(tx))[PLACE].fingerprint == "b"
        await outbox.take_back(tx, PLACE, before)
        assert (await outbox.ledger(tx))[PLACE] == before


async def test_what_nobody_knows_the_outcome_of_is_not_due_any_more_and_can_be_given_back(store):
    async with store.write() as tx:
        await outbox.enqueue(tx, DUE)
        await outbox.begin(tx, DUE, FIRST)
        await outbox.doubt(tx, PLACE)
        assert await outbox.waiting(tx) == []
        assert (await outbox.ledger(tx))[PLACE].state == "uncertain"
        assert len(await outbox.release(tx, "badge", "I1")) == 1
        told = (await outbox.ledger(tx))[PLACE]
    assert (told.state, told.fingerprint) == ("told", "released")


async def test_the_log_holds_each_deed_in_order_and_knows_the_last_of_a_kind(store):
    first = Deed(at=FIRST, place=PLACE, key="PAY-1", action="created", by="maria", reason="first time", after={"n": 1})
    second = replace(first, action="updated", before={"n": 1}, after={"n": 2}, fingerprint="b", period="2026-W48")
    third = replace(second, at=FIRST + timedelta(days=1), after={"n": 3})
    other = replace(first, place=replace(PLACE, address="10002"))
    async with store.write() as tx:
        for deed in (first, other, second, third):
            await publications.note(tx, deed)
        assert [deed async for chunk in publications.every(tx, size=2) for deed in chunk] == [
            first,
            other,
            second,
            third,
        ]
        assert await publications.latest(tx, "updated") == {PLACE: third}
        assert await publications.latest(tx, "released") == {}
