"""Expected progress over local days: semantics section 4 and the zones that make it hard."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.rules import Calendar, HealthPolicy, Policies
from rollup.days import day_fraction, day_start, period_end, working_days
from rollup.expected import expected

ZERO = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
START, END = date(2026, 1, 1), date(2026, 3, 31)
FEB15 = datetime(2026, 2, 15, tzinfo=UTC)
WORKING = Policies(calendar=Calendar(kind="working_days"))


def curve(name):
    return Policies(health=replace(HealthPolicy(), curve=name))


def test_half_of_a_quarter():
    assert expected(FEB15, START, END, Policies(), ZERO).value == 0.50
    assert expected(FEB15, START, END, WORKING, ZERO).value == 0.50


def test_working_days_are_whole_ones():
    late = datetime(2026, 2, 16, 23, 59, tzinfo=UTC)
    assert expected(late, START, END, WORKING, ZERO).value == 0.50
    assert expected(late + timedelta(minutes=1), START, END, WORKING, ZERO).value == 33 / 64
    holiday = replace(WORKING, calendar=Calendar(kind="working_days", holidays=(START, date(2026, 2, 14))))
    assert expected(FEB15, START, END, holiday, ZERO).value == 31 / 63


def test_working_days_agree_with_counting():
    for n in range(40):
        stop = START + timedelta(days=n)
        by_hand = sum((START + timedelta(days=d)).weekday() < 5 for d in range(n))
        assert working_days(START, stop) == by_hand
    assert working_days(END, START) == 0


def test_a_period_without_a_working_day_counts_calendar_days():
    saturday = date(2026, 1, 3)
    now = datetime(2026, 1, 4, tzinfo=UTC)
    assert expected(now, saturday, date(2026, 1, 4), WORKING, ZERO).value == 0.5


def test_s_curve():
    now = datetime(2026, 1, 23, 12, tzinfo=UTC)
    assert expected(now, START, END, Policies(), ZERO).value == 0.25
    assert expected(now, START, END, curve("s_curve"), ZERO).value == 0.15625


def test_targets():
    targets = ((date(2026, 3, 1), 0.5), (date(2026, 2, 1), 0.2))
    assert expected(FEB15, START, END, curve("targets"), ZERO, targets).value == pytest.approx(0.35, abs=1e-12)
    assert expected(FEB15, START, END, Policies(), ZERO, targets).value == 0.5
    assert expected(datetime(2026, 2, 1, tzinfo=UTC), START, END, curve("targets"), ZERO, targets).value == 0.2
    assert expected(FEB15, START, END, curve("targets"), ZERO).value == 0.5


def test_before_after_and_without_dates():
    assert expected(datetime(2025, 12, 31, tzinfo=UTC), START, END, Policies(), ZERO).value == 0
    assert expected(datetime(2026, 4, 1, tzinfo=UTC), START, END, Policies(), ZERO).value == 1
    assert expected(FEB15, None, END, Policies(), ZERO).state == "no_dates"
    assert expected(FEB15, START, None, Policies(), ZERO).state == "no_dates"
    assert expected(FEB15, END, START, Policies(), ZERO).state == "invalid"


@pytest.mark.parametrize(("day", "hours"), [(date(2026, 3, 29), 23), (date(2026, 10, 25), 25), (date(2026, 3, 1), 24)])
def test_a_day_is_a_day_however_long(day, hours):
    begin, end = day_start(day, BERLIN), period_end(day, BERLIN)
    assert end - begin == timedelta(hours=hours)
    assert day_fraction(begin + (end - begin) / 2, BERLIN) == 0.5
    start = day - timedelta(days=1)
    halfway = expected(begin, start, day, Policies(), BERLIN).value
    assert halfway == 0.5
    assert expected(begin + (end - begin) / 2, start, day, Policies(), BERLIN).value == 0.75


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("America/Sao_Paulo", date(2018, 11, 4), datetime(2018, 11, 4, 3, tzinfo=UTC)),
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),
        ("America/Toronto", date(1919, 3, 31), datetime(1919, 3, 31, 4, 30, tzinfo=UTC)),
        ("America/Sao_Paulo", date(2018, 2, 18), datetime(2018, 2, 18, 3, tzinfo=UTC)),
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC)),
    ],
)
def test_first_instant_of_a_day(zone, day, first):
    where = ZoneInfo(zone)
    found = day_start(day, where)
    assert found == first
    assert found.astimezone(where).date() == day
    assert (found - timedelta(seconds=1)).astimezone(where).date() < day


def test_a_date_that_was_skipped_has_no_length():
    apia = ZoneInfo("Pacific/Apia")
    assert day_start(date(2011, 12, 30), apia) == day_start(date(2011, 12, 31), apia)
