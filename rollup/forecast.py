"""When will it be done: daily completions to dates and a probability, trend of a metric to a date.

Where nothing but history enters, the distribution is computed by convolution, without a seed and without luck; growth,
calendars and ranges are simulated. How several initiatives share one throughput is told in `features`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from hashlib import sha256
from math import ceil, isfinite
from statistics import median
from zoneinfo import ZoneInfo

from domain.facts import Flow
from domain.okr import CheckIn, Metric
from domain.rules import ForecastPolicy
from rollup.days import local_day

MIN_DONE = 10
MIN_DAYS = 30
MIN_STARTED = 7
MIN_PROGRESS = 0.10
MIN_CHECK_INS = 4
PERCENTILES = (0.50, 0.85, 0.95)
WEEKS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Dates by which it is done with 50, 85 and 95 %, and the probability of being done by the due date.

    `indicative` marks a simple projection that health does not look at.
    """

    p50: date | None = None
    p85: date | None = None
    p95: date | None = None
    probability: float | None = None
    state: str = "insufficient_history"
    indicative: bool = False
    flags: tuple[str, ...] = ()


NO_FORECAST = Forecast()


def seed_of(workspace: str, kind: str, id: str, day: date) -> int:
    """Return the seed of a subject's futures on a local day: the same day gives the same forecast."""
    return int.from_bytes(sha256(f"{workspace}\n{kind}\n{id}\n{day.isoformat()}".encode()).digest()[:8])


def outlook(
    flow: Flow,
    *,
    progress: float | None,
    start: date | None,
    due: date | None,
    today: date,
    policy: ForecastPolicy,
    seed: int = 0,
) -> Forecast:
    """Return the forecast of a subject from its flow, within the guards of semantics section 6.

    `today` is the day of the snapshot: it is not in the history, and day 1 is the day after it. `seed` (`seed_of`)
    matters only where the policy asks for what has to be simulated.
    """
    days = history(flow, today, policy.window)
    withheld = guarded(days, flow, flow.remaining, progress=progress, start=start, today=today)
    if withheld is not None:
        return withheld
    sample, flags = without_imports(days, policy.bulk_days)
    until = (due - today).days if due is not None else None
    if is_simulated(policy):
        found, q = simulated(sample, flow.remaining, today=today, until=until, policy=policy, seed=seed, unit=flow.unit)
    else:
        found, q = finish(sample, flow.remaining, max_days=policy.max_days, until=until)
    return told(found, q, today, flags)


def guarded(
    days: Sequence[int], flow: Flow, remaining: int, *, progress: float | None, start: date | None, today: date
) -> Forecast | None:
    """Return what is told in place of a forecast where a guard of semantics section 6 withholds it, else None.

    `days` is the window of `flow`, whose completions do the `remaining` items.
    """
    known = (today - flow.first).days if flow.first is not None and flow.first < today else 0
    if progress is None or round(progress, 9) >= 1 or remaining <= 0:
        return NO_FORECAST
    young = start is not None and (today - start).days < MIN_STARTED
    if round(progress, 9) <= MIN_PROGRESS or young or completed(flow) < MIN_DONE or known < MIN_DAYS:
        return _indicative(days, remaining, today)
    return None if any(days) else Forecast(state="no_finish_date")


def completed(flow: Flow) -> int:
    """Return how many items of a flow really were completed."""
    return flow.completed if flow.completed is not None else sum(flow.done.values())


def is_simulated(policy: ForecastPolicy) -> bool:
    """Return whether something enters that only drawn futures can hold."""
    return bool(policy.growth != "none" or policy.calendar_factor or policy.range)


def told(found: Sequence[int | None], q: float | None, today: date, flags: tuple[str, ...]) -> Forecast:
    """Return the forecast of three numbers of days and a probability; beyond the calendar is never."""
    reach = (date.max - today).days
    p50, p85, p95 = (today + timedelta(days=n) if n is not None and n <= reach else None for n in found)
    state = "ok" if p50 is not None else "no_finish_date"
    return Forecast(p50=p50, p85=p85, p95=p95, probability=q, state=state, flags=flags)


def history(flow: Flow, today: date, window: int) -> list[int]:
    """Return completions of each of the last closed local days, oldest first, zero days included."""
    if flow.first is None:
        return []
    length = min(window, max((today - flow.first).days, 0))
    return [flow.done.get(today - timedelta(days=n), 0) for n in range(length, 0, -1)]


def percentile(values: Sequence[int], p: int) -> int:
    """Return the nearest-rank percentile: the ceil(p x n / 100)-th smallest."""
    return sorted(values)[max(-(-p * len(values) // 100), 1) - 1]


def without_imports(days: Sequence[int], bulk_days: str) -> tuple[list[int], tuple[str, ...]]:
    """Flag days with more than three times the 95th percentile of the non-zero days; drop them if so wished."""
    active = [n for n in days if n > 0]
    if len(active) < 20:
        return list(days), ()
    limit = 3 * percentile(active, 95)
    if not any(n > limit for n in active):
        return list(days), ()
    return [n for n in days if n <= limit] if bulk_days == "exclude" else list(days), ("import_artefact",)


def finish(
    sample: Sequence[int], remaining: int, *, max_days: int = 730, until: int | None = None
) -> tuple[tuple[int | None, ...], float | None]:
    """Return the days by which `remaining` items are done with 50, 85 and 95 %, and the probability by day `until`.

    Each day is one of `sample`, drawn with replacement. None means not within `max_days`. The distribution of
    what is done after a number of days is convolved by Fourier transform, to well under the nine decimals that
    probabilities are compared at.
    """
    from rollup.convolution import Convolution

    work = Convolution(sample, remaining)
    days = tuple(work.first_day(p, max_days) for p in PERCENTILES)
    q = None
    if until is not None:
        q = work.done_by(min(until, max_days)) if until > 0 else 0.0
    return days, q


def simulated(
    sample: Sequence[int],
    remaining: int,
    *,
    today: date,
    until: int | None,
    policy: ForecastPolicy,
    seed: int,
    unit: int = 1,
) -> tuple[tuple[int | None, ...], float | None]:
    """Return what `finish` does, out of so many drawn futures as the policy says."""
    from rollup.simulation import amounts, futures, generator

    rng = generator(seed)
    needed = amounts(remaining, policy, rng, unit)
    (ahead,) = futures(sample, [needed], rng=rng, max_days=policy.max_days, today=today, policy=policy)
    return tuple(ahead.by(p) for p in (50, 85, 95)), ahead.share_by(until) if until is not None else None


def how_many(sample: Sequence[int], days: int, confidence: float) -> int:
    """Return the largest number of items that is reached within `days` with at least this confidence."""
    from rollup.convolution import Convolution

    top = max(sample, default=0) * days
    done = Convolution(sample, top + 1).after(days)
    reached = 0.0
    for n in range(top, 0, -1):
        reached += float(done[n])
        if round(reached, 9) >= confidence:
            return n
    return 0


def _indicative(days: Sequence[int], remaining: int, today: date) -> Forecast:
    """The projection for a short history: weeks back from its end, the newest heaviest."""
    weeks = full_weeks(days)
    estimate, slow, _ = project(weeks, remaining)
    if estimate is None:
        return NO_FORECAST
    return replace(told((estimate, slow, None), None, today, ()), state="insufficient_history", indicative=True)


def full_weeks(days: Sequence[int]) -> list[int]:
    """Return the sums of the full blocks of seven days counted back from the end, at most 12, oldest first."""
    count = min(len(days) // 7, WEEKS)
    return [sum(days[len(days) - 7 * n : len(days) - 7 * (n - 1)]) for n in range(count, 0, -1)]


def project(weeks: Sequence[int], remaining: int) -> tuple[int | None, int | None, int | None]:
    """Return days to finish by the weighted mean week and by the 20th and 80th percentile week."""
    if not any(weeks):
        return None, None, None
    weighted = sum(w * n for n, w in enumerate(weeks, start=1))
    paces = (weighted / sum(range(1, len(weeks) + 1)), percentile(weeks, 20), percentile(weeks, 80))
    estimate, slow, fast = (ceil(round(7 * remaining / pace, 9)) if pace > 0 else None for pace in paces)
    return estimate, slow, fast


def trend(points: Sequence[tuple[int, float]]) -> tuple[float, float] | None:
    """Return slope and intercept by Theil-Sen: medians over pairs with different x; None without such a pair."""
    slopes = [(y1 - y0) / (x1 - x0) for n, (x0, y0) in enumerate(points) for x1, y1 in points[n + 1 :] if x1 != x0]
    if not slopes:
        return None
    slope = median(slopes)
    return slope, median(y - slope * x for x, y in points)


def metric_outlook(metric: Metric, check_ins: Iterable[CheckIn], *, zone: ZoneInfo, value: float | None) -> Forecast:
    """Return the day on which the trend of the check-ins crosses the target, as `p50`.

    `value` is the score so far: what is reached needs no forecast.
    """
    latest: dict[object, CheckIn] = {}
    for c in sorted(check_ins, key=lambda c: (c.as_of, c.recorded_at)):
        if isfinite(c.value):
            latest[c.as_of] = c
    known = list(latest.values())
    target = metric.target
    if metric.kind not in ("number", "at_least", "at_most") or target is None or len(known) < MIN_CHECK_INS:
        return NO_FORECAST
    if value is None or round(value, 9) >= 1:
        return NO_FORECAST
    origin = local_day(known[0].as_of, zone)
    line = trend([((local_day(c.as_of, zone) - origin).days, c.value) for c in known])
    if line is None:
        return NO_FORECAST
    slope, intercept = line
    if slope * (target - known[-1].value) <= 0:
        return Forecast(state="no_finish_date")
    crossing = round((target - intercept) / slope, 9)
    if not (date.min - origin).days <= crossing <= (date.max - origin).days:
        return Forecast(state="no_finish_date")
    return Forecast(p50=origin + timedelta(days=ceil(crossing)), state="ok")
