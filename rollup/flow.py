"""How work flows: what is under way and for how long, what gets finished, how often it comes back.

Items come in as days of their first start and last completion; which items count is the caller's choice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil
from typing import NamedTuple

from rollup.forecast import percentile

MIN_COMPLETIONS = 10
"""Completions below which no age is called too high."""
PERCENTILES = (50, 85, 95)
WEEKS = 12


class Passage(NamedTuple):
    """Items that passed alike: local days of the first start and of the last completion.

    `completed_on` None says that they are not done. `initiatives` are those that they count for.
    """

    initiatives: frozenset[str]
    team: str | None
    started_on: date | None
    completed_on: date | None
    count: int = 1  # type: ignore[assignment]  # the field's own name; tuple.count is not used


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Flow of some items at the end of a local day; spans in whole days, None where nothing can be said.

    `weeks` are completions of the last full weeks, oldest first, at most 12; `throughput` is their mean a day.
    `ageing` are items under way for longer than 85 % of the finished ones took. `little` is the cycle time by
    Little's law (work under way / throughput), which holds for stable systems only.
    """

    wip: int
    completed: int
    weeks: tuple[int, ...]
    throughput: float | None
    cycle_p50: int | None
    cycle_p85: int | None
    cycle_p95: int | None
    skipped_start: int
    age_p50: int | None
    age_p85: int | None
    oldest: int | None
    ageing: int
    ageing_share: float | None
    little: float | None
    reopened: int
    reopen_rate: float | None


def pace(passages: Iterable[Passage], *, today: date, reopened: int = 0) -> Pace:
    """Return the flow of items that were started or are done (semantics section 8).

    What is not done counts as under way. Items that were done without a start have no cycle time and are counted in
    `skipped_start`; work under way whose start nobody knows has no age. `reopened` is how often something done was
    taken up again: `reopen_rate` is its share of all completions there have been.
    """
    finished: dict[date, int] = {}
    cycles: list[int] = []
    ages: list[int] = []
    wip = skipped = 0
    first: date | None = None
    for one in passages:
        days = [day for day in (one.started_on, one.completed_on) if day is not None]
        first = min([*days, *([first] if first is not None else [])], default=None)
        if one.completed_on is None:
            wip += one.count
            if one.started_on is not None:
                ages += [max((today - one.started_on).days, 0)] * one.count
            continue
        finished[one.completed_on] = finished.get(one.completed_on, 0) + one.count
        if one.started_on is None:
            skipped += one.count
        else:
            cycles += [max((one.completed_on - one.started_on).days, 0)] * one.count
    completed = sum(finished.values())
    weeks = _weeks(finished, first, today)
    throughput = sum(weeks) / (7 * len(weeks)) if weeks else None
    p50, p85, p95 = (percentile(cycles, p) if cycles else None for p in PERCENTILES)
    ageing = sum(age > p85 for age in ages) if p85 is not None and len(cycles) >= MIN_COMPLETIONS else 0
    return Pace(
        wip=wip,
        completed=completed,
        weeks=weeks,
        throughput=throughput,
        cycle_p50=p50,
        cycle_p85=p85,
        cycle_p95=p95,
        skipped_start=skipped,
        age_p50=percentile(ages, 50) if ages else None,
        age_p85=percentile(ages, 85) if ages else None,
        oldest=max(ages, default=None),
        ageing=ageing,
        ageing_share=ageing / wip if wip else None,
        little=little(wip, throughput),
        reopened=reopened,
        reopen_rate=reopened / (completed + reopened) if completed + reopened else None,
    )


def little(wip: float, throughput: float | None) -> float | None:
    """Return the cycle time in days that work under way and completions a day imply; 12 and 1.5 give 8."""
    return wip / throughput if throughput else None


def _weeks(finished: dict[date, int], first: date | None, today: date) -> tuple[int, ...]:
    """Completions of the full blocks of seven closed days back from today, as far as anything is known."""
    known = (today - first).days if first is not None else 0
    count = min(max(known, 0) // 7, WEEKS)
    weeks = [0] * count
    for day, n in finished.items():
        back = ceil((today - day) / timedelta(days=7))
        if day < today and back <= count:
            weeks[count - back] += n
    return tuple(weeks)
