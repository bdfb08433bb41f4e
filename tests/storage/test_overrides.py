"""What people say in place of what is computed: kept as said, taken back, renamed; values by hand and since when."""

from datetime import UTC, date, datetime, timedelta

from domain.okr import Health, Override
from storage import overrides
from storage.views import present

AT = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
UNTIL = date(2026, 12, 1)


def said(health, *, subject="KR1", after=0, cleared_after=None):
    return Override(
        subject=subject,
        health=health,
        until=UNTIL,
        by="maria",
        reason="Größe",
        at=AT + timedelta(hours=after),
        cleared_at=AT + timedelta(hours=cleared_after) if cleared_after is not None else None,
    )


async def say(tx, one):
    await overrides.say(tx, one.subject, one.health, until=one.until, by=one.by, reason=one.reason, at=one.at)


async def test_all_that_was_said_stays_known_and_both_ways_of_reading_agree(store):
    first, second = said(Health.AT_RISK, cleared_after=2), said(Health.OFF_TRACK, after=3)
    other = said(Health.PAUSED, subject="O1", after=1)
    async with store.write() as tx:
        await say(tx, first)
        await say(tx, other)
        await overrides.take_back(tx, "KR1", by="jan", reason="", at=AT + timedelta(hours=2))
        await overrides.take_back(tx, "KR2", by="jan", reason="", at=AT)
        await say(tx, second)
        assert await overrides.all_overrides(tx) == [first, other, second]
    assert list(present(store.url).overrides) == [first, other, second]


async def test_what_was_said_follows_a_renamed_id(store):
    async with store.write() as tx:
        await say(tx, said(Health.AT_RISK))
        await say(tx, said(Health.AT_RISK, subject="O1"))
        await overrides.rename(tx, {"KR1": "KR9"})
        assert [one.subject for one in await overrides.all_overrides(tx)] == ["KR9", "O1"]


async def test_a_value_by_hand_is_dated_by_when_it_was_first_seen(store):
    day = date(2026, 11, 18)
    async with store.write() as tx:
        await overrides.note_manual(tx, {"O1": "0.4", "O2": "0.5"}, day)
        await overrides.note_manual(tx, {"O1": "0.4", "O2": "0.6"}, day + timedelta(days=3))
    assert present(store.url).manual_since == {"O1": day, "O2": day + timedelta(days=3)}
    async with store.write() as tx:
        await overrides.note_manual(tx, {"O2": "0.6"}, day + timedelta(days=4))
        await overrides.note_manual(tx, {"O2": "0.6", "O1": "0.4"}, day + timedelta(days=5))
    assert present(store.url).manual_since == {"O1": day + timedelta(days=5), "O2": day + timedelta(days=3)}
