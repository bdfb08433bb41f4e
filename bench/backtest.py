"""Forecasts held against futures that are known: how often what was promised by a day was done by that day.

`python -m bench.backtest`. Ends with 1 where the 85 % promise is not kept in 80 to 95 % of the cases of the first two
worlds. The worlds are drawn from a fixed seed, so the table is the same each time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from domain.facts import Flow
from domain.rules import ForecastPolicy
from rollup.forecast import Forecast, outlook

CASES = 500
KNOWN, AHEAD = 90, 730
"""days of history, and days of future that are drawn"""
TODAY = date(2026, 11, 20)
WEEKEND = 5
KEPT = (0.80, 0.95)
"""between which the share of kept 85 % promises must lie"""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A way in which work goes on. `pace` is the mean of items a day, as a factor, on a day before or after today (0).

    `scope` is the work that there really is, as a factor on what is known today.
    """

    name: str
    pace: Callable[[int], float] = lambda day: 1.0
    scope: float = 1.0
    judged: bool = False


WORLDS = (
    World(name="stationary", judged=True),
    World(
        name="weekends",
        pace=lambda day: 0.0 if (TODAY + timedelta(days=day)).weekday() >= WEEKEND else 1.4,
        judged=True,
    ),
    World(name="ramp-up", pace=lambda day: min(max(0.25, 1.0 + day / KNOWN), 1.0)),
    World(name="scope +20 %", scope=1.2),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """How often each promise was kept, and how far the median was off, in days late (below 0: early)."""

    p50: float
    p85: float
    p95: float
    late: float


def case(world: World, rng: np.random.Generator) -> tuple[Flow, int]:
    """Draw a history with what is left of it, two to eight weeks of work, and the day on which that is really done."""
    usual = rng.uniform(0.5, 4.0)
    paces = np.array([usual * world.pace(day) for day in range(-KNOWN, AHEAD + 1)])
    drawn = rng.poisson(paces)
    past, future = drawn[:KNOWN], drawn[KNOWN + 1 :]
    left = max(round(usual * rng.uniform(14, 56)), 1)
    done = {TODAY - timedelta(days=KNOWN - n): int(count) for n, count in enumerate(past) if count}
    day = int(np.searchsorted(np.cumsum(future), left * world.scope)) + 1
    return Flow(done=done, remaining=left, first=TODAY - timedelta(days=KNOWN)), day


def told(flow: Flow, policy: ForecastPolicy, seed: int) -> Forecast:
    """Return the forecast that Keyrail would have given."""
    whole = sum(flow.done.values()) + flow.remaining
    return outlook(
        flow, progress=1 - flow.remaining / whole, start=None, due=None, today=TODAY, policy=policy, seed=seed
    )


def calibration(world: World, policy: ForecastPolicy) -> Kept:
    """Return how the promises of a world were kept, over cases that are the same for each policy."""
    rng = np.random.default_rng(20261120)
    kept: list[tuple[bool, bool, bool]] = []
    late: list[int] = []
    while len(kept) < CASES:
        flow, day = case(world, rng)
        found = told(flow, policy, seed=len(kept))
        if found.p50 is None or found.p85 is None or found.p95 is None or found.indicative:
            continue
        really = TODAY + timedelta(days=day)
        kept.append((really <= found.p50, really <= found.p85, really <= found.p95))
        late.append((really - found.p50).days)
    p50, p85, p95 = np.mean(kept, axis=0)
    return Kept(p50=float(p50), p85=float(p85), p95=float(p95), late=float(np.median(late)))


def main() -> int:
    """Print the table and return the exit code."""
    print(f"promises kept, of {CASES} forecasts each\n")
    print(f"{'world':<14} {'growth':<8} {'P50':>6} {'P85':>6} {'P95':>6} {'median late':>12}")
    missed = []
    for world in WORLDS:
        for growth in ("none",) if world.judged else ("none", "uniform"):
            found = calibration(world, replace(ForecastPolicy(), growth=growth))
            shares = f"{found.p50:>6.0%} {found.p85:>6.0%} {found.p95:>6.0%}"
            print(f"{world.name:<14} {growth:<8} {shares} {found.late:>7.0f} days", flush=True)
            if world.judged and not KEPT[0] <= found.p85 <= KEPT[1]:
                missed.append(world.name)
    low, high = KEPT
    print(f"\nP85 is to be kept in {low:.0%} to {high:.0%}" + (f"; missed: {', '.join(missed)}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
