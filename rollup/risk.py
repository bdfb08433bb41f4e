"""What is at risk and what could be won: named signals with what drives them, never a mean.

Numbers come in as arguments; which subject they belong to, and who stands above whom, is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from domain.okr import Health
from rollup.score import ratio9
from rollup.summary import percent, points

LEVELS = ("low", "medium", "high")
MAX_LATE = (0.15, 0.50)
MAX_CREEP = (0.10, 0.25)
MAX_BLOCKED = (0.0, 0.30)
MAX_AGEING = 0.30
MIN_RELIABILITY = (0.80, 0.60)
MIN_COVERAGE = 0.60
MIN_ESTIMATED = 0.50
BY_BAND = {Health.AT_RISK: "medium", Health.OFF_TRACK: "high", Health.MISSED: "high"}
SET_ASIDE = frozenset({Health.PAUSED, Health.CANCELED, Health.ACHIEVED})
"""healths of which nothing is at risk any more, or for now"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """One thing that was noticed: its `name`, how bad it is, the number behind it, and that in words.

    `severity` is ``medium`` or ``high``; ``low`` for what is no risk (opportunities).
    """

    name: str
    severity: str = "low"
    value: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """What the risk of one subject is read from; None where it cannot be said.

    `health` is the computed one, `q` the probability of being in time. Blocked, ageing and coverage are shares: of the
    remaining size, of the work under way, of the items.
    """

    health: Health
    q: float | None = None
    scope_change: float | None = None
    blocked: float | None = None
    ageing: int = 0
    ageing_share: float | None = None
    reliability: float | None = None
    divergence: bool = False
    stale: bool = False
    coverage: float | None = None
    estimated_coverage: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Risk:
    """How much a subject is at risk, by its own signals, and those of its worst child as (id, signal)."""

    id: str
    level: str
    signals: tuple[Signal, ...] = ()
    drivers: tuple[tuple[str, Signal], ...] = ()


def signals(seen: Exposure) -> tuple[Signal, ...]:
    """Return the signals of a subject, the worst first (semantics section 10); none where it is set aside."""
    if seen.health in SET_ASIDE:
        return ()
    found = [
        _due_date(seen),
        _above("scope_creep", seen.scope_change, MAX_CREEP, "the scope grew by {} %"),
        _above("blocked", seen.blocked, MAX_BLOCKED, "{} % of what remains is blocked"),
        _ageing(seen),
        _reliability(seen.reliability),
        _noted("divergence", seen.divergence, "outcome and delivery diverge"),
        _noted("stale", seen.stale, "its sources are stale"),
        _below("coverage", seen.coverage, MIN_COVERAGE, "only {} % of it was read in time"),
        _below("estimated_coverage", seen.estimated_coverage, MIN_ESTIMATED, "only {} % of the items are estimated"),
    ]
    return tuple(sorted((one for one in found if one is not None), key=lambda one: -LEVELS.index(one.severity)))


def level_of(severities: Iterable[str]) -> str:
    """Return the worst of some severities, ``low`` where there is none."""
    return max(severities, key=LEVELS.index, default="low")


def risk_of(id: str, own: Sequence[Signal], children: Iterable[Risk] = ()) -> Risk:
    """Return the risk of a subject: its own signals, or the worst child's, with what drives that one.

    Of several children at the worst level the one with the most drivers is taken, then the first.
    """
    mine = tuple((id, one) for one in own)
    worst = max(children, key=lambda one: (LEVELS.index(one.level), len(one.drivers)), default=None)
    theirs = worst.drivers if worst is not None and worst.level != "low" else ()
    level = level_of([*(one.severity for one in own), *(one.severity for _, one in theirs)])
    return Risk(id=id, level=level, signals=tuple(own), drivers=(*mine, *theirs))


def reliability(accepted: float, committed: float) -> float | None:
    """Return how much of what was committed was accepted, None where nothing was; 17 of 20 give .85."""
    return accepted / committed if committed else None


def _due_date(seen: Exposure) -> Signal | None:
    if seen.q is not None:
        late = ratio9(1 - seen.q)
        return _above("due_date", late, MAX_LATE, "{} % likely to be late")
    severity = BY_BAND.get(seen.health)
    said = (
        "its period ended short of the goal" if seen.health is Health.MISSED else "progress is behind what was expected"
    )
    return Signal(name="due_date", severity=severity, reason=said) if severity else None


def _above(name: str, value: float | None, limits: tuple[float, float], words: str) -> Signal | None:
    """Signal what lies above the first limit as medium; above the second, or at it for what is blocked, as high."""
    if value is None or ratio9(value) <= limits[0]:
        return None
    beyond = ratio9(value) >= limits[1] if name == "blocked" else ratio9(value) > limits[1]
    shown = points(value).partition(" ")[0] if value > 1 else percent(value)
    return Signal(name=name, severity="high" if beyond else "medium", value=value, reason=words.format(shown))


def _ageing(seen: Exposure) -> Signal | None:
    if not seen.ageing:
        return None
    share = seen.ageing_share if seen.ageing_share is not None else 0.0
    items = "1 item has" if seen.ageing == 1 else f"{seen.ageing} items have"
    return Signal(
        name="ageing",
        severity="high" if ratio9(share) > MAX_AGEING else "medium",
        value=share,
        reason=f"{items} been under way for longer than 85 % of the finished ones took",
    )


def _reliability(value: float | None) -> Signal | None:
    if value is None or ratio9(value) >= MIN_RELIABILITY[0]:
        return None
    severity = "high" if ratio9(value) < MIN_RELIABILITY[1] else "medium"
    return Signal(
        name="reliability", severity=severity, value=value, reason=f"{percent(value)} % of what was committed got done"
    )


def _noted(name: str, there: bool, words: str) -> Signal | None:
    return Signal(name=name, severity="medium", reason=words) if there else None


def _below(name: str, value: float | None, limit: float, words: str) -> Signal | None:
    if value is None or ratio9(value) >= limit:
        return None
    return Signal(name=name, severity="medium", value=value, reason=words.format(percent(value)))
