"""When will it be done where some of the work waits for a while: the forecast, with a slower stretch in front.

Who waits, and why, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from math import ceil
from typing import TYPE_CHECKING

from domain.facts import Flow
from domain.rules import ForecastPolicy
from rollup.forecast import (
    PERCENTILES,
    Forecast,
    full_weeks,
    guarded,
    history,
    is_simulated,
    outlook,
    percentile,
    told,
    without_imports,
)

if TYPE_CHECKING:
    from rollup.convolution import Numbers
    from rollup.simulation import Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Until the end of day `until` (day 1 is the day after the snapshot) only the work of `flow` goes on."""

    until: int
    flow: Flow


@dataclass(frozen=True, slots=True)
class Stretch:
    """So many days of `sample`, in which no more than `most` of all can get done."""

    days: int
    sample: Sequence[int]
    most: int


def outlook_held(
    flow: Flow,
    holds: Sequence[Hold],
    *,
    progress: float | None,
    start: date | None,
    due: date | None,
    today: date,
    policy: ForecastPolicy,
    seed: int = 0,
) -> Forecast:
    """Return the forecast of a subject of which a part waits; other arguments as for `outlook`.

    Of the remaining items those of a hold's flow can get done while it lasts, and no others, at that flow's pace; then
    all of `flow` goes on. What waits is open work, so nothing is finished before the last hold is over.
    """
    holds = [one for one in holds if one.until > 0 and one.flow.remaining < flow.remaining]
    if not holds:
        return outlook(flow, progress=progress, start=start, due=due, today=today, policy=policy, seed=seed)
    days = history(flow, today, policy.window)
    withheld = guarded(days, flow, flow.remaining, progress=progress, start=start, today=today)
    if withheld is not None:
        return _projected(withheld, flow, holds, today, policy) if withheld.indicative else withheld
    sample, flags = without_imports(days, policy.bulk_days)
    stretches = _stretches(holds, today, policy)
    until = (due - today).days if due is not None else None
    find = _simulated if is_simulated(policy) else _exact
    found, q = find(sample, stretches, flow, until, today, policy, seed)
    return told(found, q, today, flags)


def _stretches(holds: Sequence[Hold], today: date, policy: ForecastPolicy) -> list[Stretch]:
    begun = 0
    found = []
    for hold in sorted(holds, key=lambda one: one.until):
        days = history(hold.flow, today, policy.window)
        sample, _ = without_imports(days, policy.bulk_days)
        found.append(Stretch(hold.until - begun, sample if any(sample) else [0], hold.flow.remaining))
        begun = hold.until
    return found


def _exact(
    sample: Sequence[int],
    stretches: Sequence[Stretch],
    flow: Flow,
    until: int | None,
    today: date,
    policy: ForecastPolicy,
    seed: int,
) -> tuple[Sequence[int | None], float | None]:
    """Return days and probability by convolution: what got done while some waited, then all together."""
    from rollup.convolution import Convolution

    work = Convolution(sample, flow.remaining)
    whole = work.start
    for stretch in stretches:
        whole = _after(whole, stretch)
    held = sum(stretch.days for stretch in stretches)
    days = [work.first_day(p, policy.max_days - held, whole) for p in PERCENTILES]
    q = None
    if until is not None:
        q = work.done_by(min(until, policy.max_days) - held, whole) if until > held else 0.0
    return [n + held if n is not None else None for n in days], q


def _after(whole: Numbers, stretch: Stretch) -> Numbers:
    """Return a distribution of what is done after a stretch; what goes beyond its most stops there."""
    from rollup.convolution import Convolution

    if stretch.most <= 0:
        return whole
    before = whole[: stretch.most]
    less = Convolution(stretch.sample, stretch.most).after(stretch.days, before)
    after = whole.copy()
    after[: stretch.most] = less
    after[stretch.most] += before.sum() - less.sum()
    return after


def _simulated(
    sample: Sequence[int],
    stretches: Sequence[Stretch],
    flow: Flow,
    until: int | None,
    today: date,
    policy: ForecastPolicy,
    seed: int,
) -> tuple[Sequence[int | None], float | None]:
    """Return the same out of drawn futures; where the work grows, so does the part that can get done meanwhile."""
    import numpy as np

    from rollup.simulation import Futures, amounts, factors, futures, generator

    rng = generator(seed)
    left: Amounts = amounts(flow.remaining, policy, rng, flow.unit)
    done = np.zeros(len(left))
    held = 0
    for stretch in stretches:
        daily = np.asarray(stretch.sample, dtype=np.float64)
        drawn = daily[rng.integers(0, len(daily), size=(len(left), stretch.days))]
        got = (drawn * factors(policy, today, held, stretch.days)).sum(axis=1)
        done = np.maximum(done, np.minimum(done + got, left * stretch.most / flow.remaining))
        held += stretch.days
    later = today + timedelta(days=held)
    (ahead,) = futures(sample, [left - done], rng=rng, max_days=policy.max_days - held, today=later, policy=policy)
    moved = Futures(ahead.days + held, policy.max_days)
    return [moved.by(p) for p in (50, 85, 95)], moved.share_by(until) if until is not None else None


def _projected(withheld: Forecast, flow: Flow, holds: Sequence[Hold], today: date, policy: ForecastPolicy) -> Forecast:
    """Return the projection of a short history with the stretch in front of it."""

    def paces(some: Flow) -> tuple[float, float]:
        weeks = full_weeks(history(some, today, policy.window))
        if not any(weeks):
            return 0.0, 0.0
        weighted = sum(w * n for n, w in enumerate(weeks, start=1))
        return weighted / sum(range(1, len(weeks) + 1)), percentile(weeks, 20)

    found: list[int | None] = []
    for nth in (0, 1):
        done, begun = 0.0, 0
        for hold in sorted(holds, key=lambda one: one.until):
            done = max(done, min(done + paces(hold.flow)[nth] * (hold.until - begun) / 7, hold.flow.remaining))
            begun = hold.until
        pace = paces(flow)[nth]
        found.append(begun + ceil(round(7 * (flow.remaining - done) / pace, 9)) if pace > 0 else None)
    return replace(told([*found, None], None, today, ()), state=withheld.state, indicative=True)
