"""Done and scope at the close of each local day, with every change of the progress attributed to its cause.

What an event is and what it does is told in `history`; here it is added up by day.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from math import fsum
from zoneinfo import ZoneInfo

from domain.facts import Flow, Progress
from rollup.days import ONE_DAY, period_end
from rollup.history import Change, Running, Turn, replay

Json = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """How a scope stood at the close of a local day, and what moved its progress since the close before.

    `causes` are effects by cause; they sum to the difference of progress (null counts as 0).
    """

    day: date
    progress: Progress
    flow: Flow
    causes: Mapping[str, float]


def closed_at(day: date, zone: ZoneInfo) -> datetime:
    """Return the last instant of a local day."""
    return period_end(day, zone) - timedelta(microseconds=1)


def replayed(
    running: Running, turns: Iterable[Turn], since: date, until: date, zone: ZoneInfo
) -> Iterator[tuple[Day, list[Change]]]:
    """Yield each day after `since` up to and with `until`, with its changes; the scope stands at the close of `since`.

    `turns` lie after that close, oldest first.
    """
    waiting = iter(turns)
    upcoming = next(waiting, None)
    day = since
    while day < until:
        day += ONE_DAY
        end = period_end(day, zone)
        changes: list[Change] = []
        while upcoming is not None and upcoming.at < end:
            changes += replay(running, upcoming)
            upcoming = next(waiting, None)
        progress, flow = running.measured()
        yield Day(day=day, progress=progress, flow=flow, causes=by_cause(changes)), changes


def by_cause(changes: Iterable[Change]) -> dict[str, float]:
    """Return the effects added up by cause, in the order of the first of each."""
    found: dict[str, list[float]] = {}
    for change in changes:
        found.setdefault(change.cause, []).append(change.effect)
    return {cause: fsum(effects) for cause, effects in found.items()}


def day_json(day: Day) -> Json:
    """Return a day as `explain --json` and `export history` have it."""
    progress = day.progress
    return {
        "day": day.day.isoformat(),
        "done": progress.size_done,
        "scope": progress.size_total,
        "progress": progress.value,
        "causes": dict(day.causes),
    }
