"""Local days: when they begin, how many lie between two dates, where an instant stands in a period.

The zone is an argument; nothing here knows what the days are needed for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from domain.rules import Calendar

ONE_DAY = timedelta(days=1)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def local_day(now: datetime, zone: ZoneInfo) -> date:
    """Return the local date of an instant."""
    return now.astimezone(zone).date()


@lru_cache(maxsize=8192)
def day_start(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant (UTC) of a local day, also where its midnight does not exist."""
    midnight = datetime.combine(day, time(), tzinfo=zone)
    late = midnight.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return late
    early = midnight.replace(fold=1).astimezone(UTC)
    while late - early > timedelta(seconds=1):  # the gap's end, to the second
        middle = early + (late - early) // 2
        if local_day(middle, zone) < day:
            early = middle
        else:
            late = middle
    return late.replace(microsecond=0)


def period_end(end: date, zone: ZoneInfo) -> datetime:
    """Return the instant at which a period with this (inclusive) last day is over."""
    return day_start(end + ONE_DAY, zone)


def day_fraction(now: datetime, zone: ZoneInfo) -> float:
    """Return how much of the local day has passed, 0…1; a day of 23 or 25 hours is one day."""
    today = local_day(now, zone)
    begin, end = day_start(today, zone), day_start(today + ONE_DAY, zone)
    if end <= begin:
        return 0.0
    return min(max((now - begin) / (end - begin), 0.0), 1.0)


def working_days(start: date, stop: date, holidays: tuple[date, ...] = ()) -> int:
    """Count the days from Monday to Friday in [start, stop), less the holidays among them."""
    if stop <= start:
        return 0
    weeks, rest = divmod((stop - start).days, 7)
    count = weeks * 5 + sum((start.weekday() + n) % 7 < 5 for n in range(rest))
    return count - len({h for h in holidays if start <= h < stop and h.weekday() < 5})


def position(now: datetime, start: date, calendar: Calendar, zone: ZoneInfo) -> float:
    """Return the days that have passed since the start of a period, in days of its calendar (not negative).

    Calendar days count the fraction of the current day, working days are whole ones before it.
    """
    today = local_day(now, zone)
    if today < start:
        return 0.0
    if calendar.kind == "working_days":
        return float(working_days(start, today, calendar.holidays))
    return (today - start).days + day_fraction(now, zone)


def distance(start: date, day: date, calendar: Calendar) -> int:
    """Count the days of the calendar in [start, day)."""
    if calendar.kind == "working_days":
        return working_days(start, day, calendar.holidays)
    return (day - start).days


def said(day: date) -> str:
    """Write a date for a sentence: ``12 Dec 2026``."""
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"
