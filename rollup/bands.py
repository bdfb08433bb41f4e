"""Bands: values of one measure become one of three words, with a hysteresis so that the word does not flicker.

Which measure a subject is judged by is decided in `health`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

from domain.okr import Health
from domain.rules import HealthPolicy
from rollup.score import ratio9

MARGIN = 0.03
"""How far beyond a boundary a single evaluation must lie to cross it at once."""
PROBABILITY_BANDS = (0.85, 0.50)
BANDS = (Health.ON_TRACK, Health.AT_RISK, Health.OFF_TRACK)


def raw_band(value: float, policy: HealthPolicy, *, by: str = "gap") -> Health:
    """Return the band of one value alone; `by` is ``gap``, ``pace`` or ``q``."""
    bad = badness(value, by)
    return BANDS[sum(bad > bound for bound in boundaries(policy, by))]


def fold(closes: Sequence[float], policy: HealthPolicy, *, by: str = "gap") -> Health:
    """Return the band after these evaluations, oldest first (semantics, section 5, Hysteresis).

    The first takes its raw band. A boundary is then crossed, each for itself, when two evaluations in a
    row lie beyond it or one lies at least 0.03 beyond it. `by` is ``gap``, ``pace`` or ``q``.
    """
    if not closes:
        return Health.UNKNOWN
    values = [badness(value, by) for value in closes]
    crossed = 0
    for bound in boundaries(policy, by):
        beyond = values[0] > bound
        for before, value in pairwise(values):
            if decides(value, before, bound):
                beyond = value > bound
        crossed += beyond
    return BANDS[crossed]


def decisive(newest_first: Iterable[float], policy: HealthPolicy, *, by: str = "gap") -> list[float]:
    """Return the latest values that decide, whatever was before them and whatever comes next; oldest first.

    `fold` over them alone is `fold` over all: mostly the last two values are enough. Takes no more of the
    iterable than it needs.
    """
    taken: list[float] = []
    open_bounds = list(boundaries(policy, by))
    after: float | None = None
    for value in newest_first:
        taken.append(value)
        bad = badness(value, by)
        open_bounds = [bound for bound in open_bounds if not (_far(bad, bound) or _agree(bad, after, bound))]
        if not open_bounds:
            break
        after = bad
    return taken[::-1]


def contested(low: float, high: float, policy: HealthPolicy, *, by: str = "gap") -> bool:
    """Return whether the band of some value from `low` to `high` depends on the evaluations before it."""
    ends = (badness(low, by), badness(high, by))
    return any(min(ends) < bound + MARGIN and max(ends) > bound - MARGIN for bound in boundaries(policy, by))


def boundaries(policy: HealthPolicy, by: str) -> tuple[float, float]:
    """Return the two boundaries on the scale of `badness`."""
    match by:
        case "gap":
            return policy.on_track, policy.at_risk
        case "pace":
            return -policy.on_track, -policy.at_risk
        case _:
            return -PROBABILITY_BANDS[0], -PROBABILITY_BANDS[1]


def badness(value: float, by: str) -> float:
    """Return a value on a scale on which more is worse, to the nine decimals that are compared."""
    return ratio9(value if by == "gap" else -value)


def decides(value: float, before: float, bound: float) -> bool:
    """Return whether a boundary has been crossed or kept for certain, with `value` after `before`."""
    return _far(value, bound) or _agree(value, before, bound)


def _far(value: float, bound: float) -> bool:
    return ratio9(abs(value - bound)) >= MARGIN


def _agree(value: float, other: float | None, bound: float) -> bool:
    return other is not None and (value > bound) == (other > bound)
