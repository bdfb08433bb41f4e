"""Expected progress: where a subject should stand at an instant, by its dates, calendar and curve.

What follows from being behind is health's business.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from domain.rules import Calendar, Policies
from rollup.days import ONE_DAY, distance, local_day, position


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected progress 0…1, or None with the reason in `state`."""

    value: float | None
    state: str = "ok"


def expected(
    now: datetime,
    start: date | None,
    end: date | None,
    policies: Policies,
    zone: ZoneInfo,
    targets: Sequence[tuple[date, float]] = (),
) -> Expected:
    """Return e of semantics section 4 at `now`; both dates belong to the period.

    `targets` are dated ratios 0…1 that hold at the start of their local day; they matter under the curve
    ``targets`` alone.
    """
    if start is None or end is None:
        return Expected(None, "no_dates")
    if end < start:
        return Expected(None, "invalid")
    calendar = policies.calendar
    whole = distance(start, end + ONE_DAY, calendar)
    if whole == 0:  # no working day in the whole period
        calendar = Calendar()
        whole = distance(start, end + ONE_DAY, calendar)
    today = local_day(now, zone)
    passed = float(whole) if today > end else position(now, start, calendar, zone)
    x = min(max(passed / whole, 0.0), 1.0)
    match policies.health.curve:
        case "s_curve":
            return Expected(3 * x**2 - 2 * x**3)
        case "targets":
            return Expected(_between(x, _points(start, end, whole, calendar, targets)))
        case _:
            return Expected(x)


def _points(
    start: date, end: date, whole: int, calendar: Calendar, targets: Sequence[tuple[date, float]]
) -> list[tuple[float, float]]:
    inner = {distance(start, day, calendar) / whole: value for day, value in sorted(targets) if start <= day <= end}
    return sorted({0.0: 0.0, 1.0: 1.0, **inner}.items())


def _between(x: float, points: Sequence[tuple[float, float]]) -> float:
    for (x0, y0), (x1, y1) in pairwise(points):
        if x <= x1:
            return min(max(y0 + (y1 - y0) * (x - x0) / (x1 - x0), 0.0), 1.0)
    return 1.0
