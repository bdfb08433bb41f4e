"""Health of an objective out of its children: lifecycle first, then the weighted worst, never an average.

What a child is, and how its own health came about, is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from domain.okr import HEALTH_WORDS, Health
from rollup.score import ratio9
from rollup.summary import percent

SET_ASIDE = frozenset({Health.PAUSED, Health.CANCELED, Health.NOT_STARTED})
FINAL = frozenset({Health.ACHIEVED, Health.MISSED})
KNOWN_ENOUGH = 0.60
"""Share of the weight whose health must be known."""
TOO_MUCH = 0.25
"""Share of the weight off track that makes the whole off track; of both off track and at risk, at risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A child of an objective as its health sees it; `ended` says that its period is over."""

    id: str
    title: str = ""
    health: Health
    weight: float = 1.0
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """Health rolled up from children: share of the weight that has a known health, and who drove it."""

    health: Health
    reasons: tuple[str, ...]
    coverage: float | None = None
    drivers: tuple[str, ...] = ()


def weighted_worst(parts: Sequence[Part]) -> Worst:
    """Return the health of an objective by its children (semantics, sections 3 and 5).

    A child of weight 0 has no effect, unless all are.
    """
    if not parts:
        return Worst(health=Health.UNKNOWN, reasons=("No key results yet.",))
    weighing = [p for p in parts if p.weight > 0] or list(parts)
    return _lifecycle(weighing) or _by_weight([p for p in weighing if p.health not in SET_ASIDE])


def _lifecycle(parts: Sequence[Part]) -> Worst | None:
    """Return what holds where all children have come to the same stage of their lives."""
    acting = [p for p in parts if p.health not in (Health.PAUSED, Health.CANCELED)]
    if acting and all(p.health is Health.ACHIEVED for p in acting):
        return Worst(health=Health.ACHIEVED, reasons=("All key results are achieved.",), coverage=1.0)
    missed = [p for p in acting if p.health is Health.MISSED]
    if missed and all(p.ended or p.health in FINAL for p in acting):
        return Worst(
            health=Health.MISSED,
            reasons=tuple(f"{_name(p)} missed." for p in missed),
            coverage=1.0,
            drivers=tuple(p.id for p in missed),
        )
    if any(p.health not in SET_ASIDE for p in parts):
        return None
    left = {p.health for p in parts}
    health = next(h for h in (Health.NOT_STARTED, Health.PAUSED, Health.CANCELED) if h in left)
    return Worst(health=health, reasons=(f"{HEALTH_WORDS[health]}: nothing under it runs.",))


def _by_weight(judged: Sequence[Part]) -> Worst:
    known = [p for p in judged if p.health is not Health.UNKNOWN]
    whole, weight = fsum(p.weight for p in judged), fsum(p.weight for p in known)
    coverage = weight / whole if whole > 0 else None
    if coverage is None or ratio9(coverage) < KNOWN_ENOUGH:
        share = percent(coverage) if coverage else "0"
        unknown = [p for p in judged if p.health is Health.UNKNOWN]
        return Worst(
            health=Health.UNKNOWN,
            reasons=(f"Only {share} % of the weight has a known health.", *(f"{_name(p)}: unknown." for p in unknown)),
            coverage=coverage,
            drivers=tuple(p.id for p in unknown),
        )
    off = [p for p in known if p.health in (Health.OFF_TRACK, Health.MISSED)]
    risk = [p for p in known if p.health is Health.AT_RISK]
    w_off = ratio9(fsum(p.weight for p in off) / weight)
    w_both = ratio9(fsum(p.weight for p in (*off, *risk)) / weight)
    if w_off >= TOO_MUCH:
        health = Health.OFF_TRACK
    else:
        health = Health.AT_RISK if w_off > 0 or w_both >= TOO_MUCH else Health.ON_TRACK
    drivers = (*off, *risk)
    reasons = tuple(
        f"{_name(p)}: {HEALTH_WORDS[p.health].lower()}, {percent(p.weight / weight)} % of the weight." for p in drivers
    )
    return Worst(
        health=health,
        reasons=reasons or ("Every key result with a known health is on track.",),
        coverage=coverage,
        drivers=tuple(p.id for p in drivers),
    )


def _name(part: Part) -> str:
    return f"{part.id} ({part.title})" if part.title else part.id
