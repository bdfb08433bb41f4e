"""Key results measured: check-ins to current value, metric to score, scores to weighted means.

Delivery from work items and health live elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import fsum, isclose, isfinite
from zoneinfo import ZoneInfo

from domain.okr import CheckIn, Metric
from rollup.days import local_day

ACHIEVED_AT = {"aspirational": 0.7, "committed": 1.0}
THRESHOLD_KINDS = frozenset({"at_least", "at_most", "maintain"})
UNDATED_KINDS = frozenset({"binary", "milestones"})
"""Kinds whose check-ins do not go stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Outcome of a key result: `value` 0…1 or None with the reason in `state`; `raw` is not clamped.

    `current` and `start` are in the metric's unit.
    """

    value: float | None
    state: str = "ok"
    raw: float | None = None
    current: float | None = None
    start: float | None = None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """One weighted part of a mean; `live` is False where it is paused or canceled."""

    weight: float = 1.0
    value: float | None = None
    fresh: bool = True
    live: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A weighted mean with the share of the weights that had a fresh value."""

    value: float | None
    state: str
    coverage: float | None


def current(check_ins: Iterable[CheckIn], at: datetime) -> CheckIn | None:
    """Return the latest check-in dated up to `at` (of one instant the last recorded), None without any."""
    known = [c for c in check_ins if c.as_of <= at and isfinite(c.value)]
    return max(known, key=lambda c: (c.as_of, c.recorded_at), default=None)


def start_value(
    metric: Metric, check_ins: Sequence[CheckIn], start: date | None, at: datetime, zone: ZoneInfo
) -> float | None:
    """Return the value to start from: as stated, else the last one up to the first day, else the first one after.

    Only check-ins up to `at` are looked at.
    """
    if metric.start is not None:
        return metric.start
    known = [c for c in check_ins if c.as_of <= at and isfinite(c.value)]
    order = sorted(known, key=lambda c: (c.as_of, c.recorded_at))
    before = [c for c in order if start is not None and local_day(c.as_of, zone) <= start]
    if before:
        return before[-1].value
    if not order:
        return None
    first = [c for c in order if c.as_of == order[0].as_of]
    return first[-1].value


def score(metric: Metric, *, current: float | None, start: float | None = None, today: date | None = None) -> Score:
    """Return the score of a metric at a value (semantics, section 2).

    `start` is the value to start from (`start_value`); `today` limits which milestones are reached.
    """
    if metric.kind == "milestones":
        return _milestones(metric, today)
    if current is None or not isfinite(current):
        return Score(value=None, state="no_data", start=start)
    match metric.kind:
        case "number":
            return _number(metric, current, metric.start if metric.start is not None else start)
        case "binary":
            met = 1.0 if ratio9(current) >= 1 else 0.0
        case "maintain":
            met = _maintain(metric, current)
        case _:
            if metric.target is None:
                return Score(value=None, state="invalid", current=current)
            met = _threshold(metric, current, metric.target)
    return Score(value=met, raw=met, current=current, start=start)


def ratio_of(metric: Metric, value: float, start: float | None) -> float | None:
    """Return the raw ratio r of a value on the way from start to target, None where it has none."""
    if metric.target is None or start is None or isclose(metric.target, start, rel_tol=1e-12):
        return None
    return (value - start) / (metric.target - start)


def ratio9(value: float) -> float:
    """Round to the nine decimals at which ratios are compared."""
    return round(value, 9)


def grade(value: float, commitment: str) -> str:
    """Return the band of a final score: ``red``, ``amber`` or ``green``, half-open."""
    low, high = (0.3, 0.7) if commitment == "aspirational" else (0.7, 1.0)
    value = ratio9(value)
    return "red" if value < low else "amber" if value < high else "green"


def achieved_at(commitment: str) -> float:
    """Return the score from which a key result is achieved."""
    return ACHIEVED_AT.get(commitment, 1.0)


def mean(children: Sequence[Child]) -> Mean:
    """Return the weighted mean of the live children that have a value (semantics, section 3).

    Coverage is the weight with a fresh value over the weight of all live children, None without weight.
    """
    live = [c for c in children if c.live]
    valued = [(c.weight, c.value) for c in live if c.value is not None]
    weight = fsum(w for w, _ in valued)
    everything = fsum(c.weight for c in live)
    fresh = fsum(c.weight for c in live if c.value is not None and c.fresh)
    coverage = fresh / everything if everything > 0 else None
    if weight <= 0:
        return Mean(value=None, state="no_data", coverage=coverage)
    return Mean(value=fsum(w * v for w, v in valued) / weight, state="ok", coverage=coverage)


def _number(metric: Metric, current: float, start: float | None) -> Score:
    target = metric.target
    if target is None:
        return Score(value=None, state="invalid", current=current, start=start)
    if start is None:
        return Score(value=None, state="no_baseline", current=current)
    if isclose(target, start, rel_tol=1e-12):
        met = current <= target if metric.direction == "decrease" else current >= target
        value = 1.0 if met else 0.0
        return Score(value=value, raw=value, current=current, start=start, flags=("degenerate",))
    if metric.direction is not None and (metric.direction == "increase") != (target > start):
        return Score(value=None, state="invalid", current=current, start=start)
    raw = (current - start) / (target - start)
    return Score(value=min(max(raw, 0.0), 1.0), raw=raw, current=current, start=start)


def _threshold(metric: Metric, current: float, target: float) -> float:
    met = current <= target if metric.kind == "at_most" else current >= target
    if met or not metric.partial or current <= 0 or target <= 0:
        return 1.0 if met else 0.0
    return min(target / current if metric.kind == "at_most" else current / target, 1.0)


def _maintain(metric: Metric, current: float) -> float:
    low = metric.lo if metric.lo is not None else -float("inf")
    high = metric.hi if metric.hi is not None else float("inf")
    away = max(low - current, current - high, 0.0)
    if away == 0:
        return 1.0
    if not metric.partial or not metric.tolerance:
        return 0.0
    return max(0.0, 1 - away / metric.tolerance)


def _milestones(metric: Metric, today: date | None) -> Score:
    whole = fsum(m.weight for m in metric.milestones)
    if whole <= 0:
        return Score(value=None, state="no_scope")
    done = fsum(m.weight for m in metric.milestones if m.done is not None and (today is None or m.done <= today))
    value = done / whole
    return Score(value=value, raw=value, current=done, start=0.0)
