"""When a cron line comes, in a time zone with two changes of the clock a year."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from config.cron import slot_after, slot_by

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("line", "now", "by", "after"),
    [
        ("0 9 * * MON", "2026-11-24T12:00", "2026-11-23T09:00", "2026-11-30T09:00"),
        ("0 9 * * MON", "2026-11-23T09:00", "2026-11-23T09:00", "2026-11-30T09:00"),
        ("0 9 * * 1-5", "2026-11-28T00:00", "2026-11-27T09:00", "2026-11-30T09:00"),
        ("*/20 8,17 * * *", "2026-11-24T08:30", "2026-11-24T08:20", "2026-11-24T08:40"),
        ("0 12 1 * FRI", "2026-11-28T00:00", "2026-11-27T12:00", "2026-12-01T12:00"),
        ("30 23 29 2 *", "2026-11-24T00:00", "2024-02-29T23:30", "2028-02-29T23:30"),
        ("0 0 * * 7", "2026-11-24T00:00", "2026-11-22T00:00", "2026-11-29T00:00"),
    ],
)
def test_slots(line, now, by, after):
    instant = datetime.fromisoformat(now).replace(tzinfo=BERLIN).astimezone(UTC)
    assert f"{slot_by(line, instant, BERLIN):%Y-%m-%dT%H:%M}" == by
    assert f"{slot_after(line, instant, BERLIN):%Y-%m-%dT%H:%M}" == after


def test_a_time_that_the_clock_leaves_out_comes_once_and_one_that_comes_twice_counts_once():
    def utc(text):
        return datetime.fromisoformat(text).replace(tzinfo=UTC)

    gap = slot_after("30 2 * * *", utc("2026-03-28T12:00"), BERLIN)
    assert gap.astimezone(UTC) == utc("2026-03-29T01:30")
    assert slot_after("30 2 * * *", gap.astimezone(UTC), BERLIN).astimezone(UTC) == utc("2026-03-30T00:30")
    first = slot_after("30 2 * * *", utc("2026-10-24T12:00"), BERLIN)
    assert first.astimezone(UTC) == utc("2026-10-25T00:30")
    assert slot_by("30 2 * * *", utc("2026-10-25T01:30"), BERLIN) == first
