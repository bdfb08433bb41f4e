"""The outbox folds changes and keeps the first due time; the ledger knows what was told and what a human took over."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from storage import outbox
from storage.outbox import Due, Place, Published

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

        assert await outbox.release(tx, "badge", "I2") == 0
        assert await outbox.release(tx, "badge", "I1") == 1
        assert await outbox.release(tx, "badge", "I1") == 0
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
