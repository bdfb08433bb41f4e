"""Cron lines of five fields: what is wrong with one, and its slots in a time zone.

Pure: the present is an argument. Where both a day of the month and a weekday are given, either is enough, as in cron.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from zoneinfo import ZoneInfo

CRON_FIELDS = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day of month", 1, 31, ()),
    ("month", 1, 12, ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("day of week", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
HORIZON = 9 * 366
"""days within which each line that ever comes has come: 29 February is at most eight years away"""


@dataclass(frozen=True, slots=True)
class Cron:
    """A line that was read: what fits of each field; `weekdays` has Monday as 0."""

    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either: bool

    def on(self, day: date) -> bool:
        """Return whether a day has slots."""
        if day.month not in self.months:
            return False
        fits = day.day in self.days, day.weekday() in self.weekdays
        return any(fits) if self.either else all(fits)


def cron_problem(line: str) -> str | None:
    """Return what is wrong with a cron line of five fields, None if nothing is."""
    parts = line.split()
    if len(parts) != len(CRON_FIELDS):
        return f"Expected a cron line of 5 fields (minute hour day month weekday), found {len(parts)}."
    for part, (name, low, high, words) in zip(parts, CRON_FIELDS, strict=True):
        for entry in part.split(","):
            if _span(entry, low, high, words) is None:
                return f"'{part[:40]}' is no {name} of a cron line: *, {low}-{high}, a list, a range, a step."
    if next(_days(cron(line), date(2024, 1, 1), 1), None) is None:
        return f"'{line[:40]}' never comes: no month that it names has such a day."
    return None


def cron(line: str) -> Cron:
    """Read a line that has no problem."""
    minutes, hours, days, months, weekdays = (
        frozenset(value for entry in part.split(",") for value in _span(entry, low, high, words) or ())
        for part, (_, low, high, words) in zip(line.split(), CRON_FIELDS, strict=True)
    )
    parts = line.split()
    return Cron(
        times=tuple(time(hour, minute) for hour, minute in product(sorted(hours), sorted(minutes))),
        days=days,
        months=months,
        weekdays=frozenset((day - 1) % 7 for day in weekdays),
        either=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )


def slot_by(line: str, instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the last slot at or before an instant, in the zone.

    A time that the change to summer time leaves out comes an hour later, one that comes twice counts the first time.
    """
    read = cron(line)
    for day in _days(read, instant.astimezone(zone).date() + timedelta(days=1), -1):
        for at in reversed(read.times):
            slot = datetime.combine(day, at, zone)
            if slot.astimezone(UTC) <= instant:
                return slot
    raise ValueError(f"{line} never comes")


def slot_after(line: str, instant: datetime, zone: ZoneInfo) -> datetime:
    """Return the first slot after an instant, in the zone."""
    read = cron(line)
    for day in _days(read, instant.astimezone(zone).date() - timedelta(days=1), 1):
        for at in read.times:
            slot = datetime.combine(day, at, zone)
            if slot.astimezone(UTC) > instant:
                return slot
    raise ValueError(f"{line} never comes")


def _days(read: Cron, first: date, step: int) -> Iterator[date]:
    for n in range(HORIZON):
        day = first + timedelta(days=step * n)
        if read.on(day):
            yield day


def _span(entry: str, low: int, high: int, words: tuple[str, ...]) -> range | None:
    span, slash, step = entry.partition("/")
    if slash and not (step.isascii() and step.isdigit() and 0 < int(step) <= high):
        return None
    first, dash, last = span.partition("-")
    start = low if span == "*" else _value(first, words)
    end = high if span == "*" or (slash and not dash) else _value(last, words) if dash else start
    if start is None or end is None or not low <= start <= end <= high:
        return None
    return range(start, end + 1, int(step) if slash else 1)


def _value(text: str, words: tuple[str, ...]) -> int | None:
    if text.isascii() and text.isdigit() and len(text) <= 2:
        return int(text)
    if text.lower() in words:
        return words.index(text.lower()) + (1 if len(words) == 12 else 0)
    return None
