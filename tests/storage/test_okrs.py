"""What people state: check-ins in order, and ids that leave the file, come back or are renamed."""

from datetime import UTC, datetime, timedelta

from domain.okr import CheckIn
from storage import okrs

DAY = datetime(2026, 11, 18, tzinfo=UTC)


def check_in(value, *, at=DAY, recorded=DAY, key_result="KR1"):
    return CheckIn(key_result=key_result, as_of=at, value=value, recorded_at=recorded, by="maria", note="Größe")


async def test_check_ins_come_oldest_first_and_of_one_instant_the_latest_recorded_last(store):
    values = [
        check_in(3.0, at=DAY + timedelta(days=1)),
        check_in(1.0, recorded=DAY + timedelta(hours=1)),
        check_in(2.0, recorded=DAY + timedelta(hours=2)),
        check_in(0.1, at=DAY - timedelta(days=1), key_result="KR2"),
    ]
    async with store.write() as tx:
        for value in values:
            await okrs.add_check_in(tx, value)
        assert await okrs.all_check_ins(tx) == [values[3], values[1], values[2], values[0]]


async def test_ids_that_left_the_file_are_orphaned_until_they_come_back(store):
    known = {"O1": ("objective", "Grow"), "KR1": ("key_result", "Rate"), "I1": ("initiative", "Pay")}
    async with store.write() as tx:
        await okrs.remember(tx, known, {})
        assert await okrs.orphaned(tx) == []
        await okrs.remember(tx, {"O1": known["O1"]}, {})
        assert await okrs.orphaned(tx) == [("I1", "initiative", "Pay"), ("KR1", "key_result", "Rate")]
        await okrs.remember(tx, {**known, "KR1": ("key_result", "New title")}, {})
        assert await okrs.orphaned(tx) == []
        await okrs.remember(tx, {}, {})
        assert ("KR1", "key_result", "New title") in await okrs.orphaned(tx)


async def test_a_renamed_id_takes_its_check_ins_along_and_is_no_orphan(store):
    async with store.write() as tx:
        await okrs.add_check_in(tx, check_in(1.0))
        await okrs.add_check_in(tx, check_in(2.0, key_result="KR2"))
        await okrs.remember(tx, {"KR1": ("key_result", "Rate"), "KR2": ("key_result", "Other")}, {})
        await okrs.remember(tx, {"KR9": ("key_result", "Rate"), "KR2": ("key_result", "Other")}, {"KR1": "KR9"})
        assert [(one.key_result, one.value) for one in await okrs.all_check_ins(tx)] == [("KR9", 1.0), ("KR2", 2.0)]
        assert await okrs.orphaned(tx) == []
