"""Random futures drawn from a seed, for what the exact distribution cannot hold: growth, calendars, ranges, queues.

What the numbers mean is said in `forecast` and `features`, which import this where futures are really drawn: it loads
numpy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import reduce

import numpy as np
import numpy.typing as npt

from domain.rules import ForecastPolicy

Amounts = npt.NDArray[np.float64]
"""remaining items, one number a run"""
Days = npt.NDArray[np.int64]

GROWTH = (1.0, 1.3)
"""by how much the remaining work grows under `growth: uniform`"""
STEP = 64
"""days that are drawn at a time"""
LOOSE = 1e-9
"""what is left when an amount counts as done: factors of days are no whole numbers"""


@dataclass(frozen=True, slots=True)
class Futures:
    """On which day it is done in each run, day 1 first; `max_days` + 1 stands for never."""

    days: Days
    max_days: int

    def by(self, percent: int) -> int | None:
        """Return the day by which so many of a hundred runs are done, nearest rank; None where that is never."""
        runs = len(self.days)
        day = int(np.sort(self.days)[max(-(-percent * runs // 100), 1) - 1])
        return day if day <= self.max_days else None

    def share_by(self, day: int) -> float:
        """Return the share of the runs that are done by a day."""
        return float((self.days <= min(day, self.max_days)).mean())


def last_of(several: Sequence[Futures]) -> Futures:
    """Return the futures in which all of several are done, run by run; they have the same number of runs."""
    return Futures(
        reduce(np.maximum, (one.days for one in several)),
        max(one.max_days for one in several),
    )


def amounts(remaining: int, policy: ForecastPolicy, rng: np.random.Generator, unit: int = 1) -> Amounts:
    """Draw how much is left in each run: as counted, or of the policy's range, grown where the policy has it grow.

    `remaining` is counted in `unit`ths of an item, and so is what is returned.
    """
    match policy.range:
        case (low, high):
            left = rng.uniform(low, high, policy.runs) * unit
        case (low, likely, high):
            left = np.full(policy.runs, (low + 4 * likely + high) / 6 * unit)
        case _:
            left = np.full(policy.runs, float(remaining))
    return left * rng.uniform(*GROWTH, policy.runs) if policy.growth == "uniform" else left


def queued_amounts(several: Sequence[Amounts]) -> Amounts:
    """Return what is to be done until the last of several amounts is, run by run."""
    return reduce(np.add, several)


def futures(
    sample: Sequence[int],
    needed: Sequence[Amounts],
    *,
    rng: np.random.Generator,
    max_days: int,
    today: date,
    policy: ForecastPolicy,
) -> list[Futures]:
    """Return, for each of some amounts, when one and the same stream of random days has done it.

    Each day is one of `sample`, drawn with replacement, times the `calendar_factor` of its month.
    """
    daily = np.asarray(sample, dtype=np.float64)
    runs = len(needed[0])
    limits = [amount - LOOSE for amount in needed]
    short = [(amount > LOOSE).astype(np.int64) for amount in needed]  # the days that do not suffice, and the one after
    done = np.zeros(runs)
    for begun in range(0, max_days, STEP):
        width = min(STEP, max_days - begun)
        drawn = daily[rng.integers(0, len(daily), size=(runs, width))] * factors(policy, today, begun, width)
        reached = done[:, None] + np.cumsum(drawn, axis=1)
        for days, limit in zip(short, limits, strict=True):
            days += (reached < limit[:, None]).sum(axis=1)
        done = reached[:, -1]
        if all((done >= limit).all() for limit in limits):
            break
    return [Futures(days, max_days) for days in short]


def factors(policy: ForecastPolicy, today: date, begun: int, width: int) -> npt.NDArray[np.float64]:
    """Return the calendar factor of each of `width` days, the first being `begun` + 1 days after today."""
    if not policy.calendar_factor:
        return np.ones(width)
    months = ((today + timedelta(days=begun + n)).month for n in range(1, width + 1))
    return np.array([policy.calendar_factor.get(month, 1.0) for month in months])


def generator(seed: int) -> np.random.Generator:
    """Return the source of chance for a seed."""
    return np.random.Generator(np.random.PCG64(seed))
