"""Health: pace and probability become bands, bands become one word with its reasons.

Numbers come in as arguments; nothing here knows items, metrics or the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from math import fsum
from zoneinfo import ZoneInfo

from domain.okr import HEALTH_WORDS, Health, Override, Status
from domain.rules import HealthPolicy, Policies
from rollup.days import local_day, period_end, said
from rollup.expected import expected
from rollup.score import THRESHOLD_KINDS, achieved_at, ratio9
from rollup.summary import STATE_WORDS, percent, points

MARGIN = 0.03
"""How far beyond a boundary a single evaluation must lie to cross it at once."""
TOO_EARLY = 0.10
"""Expected progress below which pace says nothing."""
RATIO_BANDS = (0.90, 0.75)
PROBABILITY_BANDS = (0.85, 0.50)
BANDS = (Health.ON_TRACK, Health.AT_RISK, Health.OFF_TRACK)
SET_ASIDE = frozenset({Health.PAUSED, Health.CANCELED, Health.NOT_STARTED})
FINAL = frozenset({Health.ACHIEVED, Health.MISSED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Progress at the close of a local day, and the probability q of finishing in time where one stood."""

    day: date
    progress: float | None
    q: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What the health of a key result, an initiative or an epic is judged by.

    `progress` is p with its `state`; `kind` the metric's kind, None for delivery; `end` includes the
    effect of a close; `closes` are the past evaluations, oldest first; `targets` are dated ratios.
    """

    id: str
    progress: float | None
    state: str = "ok"
    kind: str | None = None
    commitment: str = "committed"
    status: Status = Status.ACTIVE
    start: date | None = None
    end: date | None = None
    q: float | None = None
    closes: Sequence[Close] = ()
    targets: Sequence[tuple[date, float]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A health with its reasons as sentences.

    `computed` is the health without a person's override. `expected` is e, `gap` e - p, `pace` p / e.
    `ended` says that the subject's period is over.
    """

    health: Health
    reasons: tuple[str, ...] = ()
    computed: Health
    expected: float | None = None
    gap: float | None = None
    pace: float | None = None
    flags: tuple[str, ...] = ()
    override: Override | None = None
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A child of an objective as its health sees it."""

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


def judge(
    case: Case, *, now: datetime, zone: ZoneInfo, policies: Policies, overrides: Iterable[Override] = ()
) -> Verdict:
    """Return the health of a key result, an initiative or an epic; the first rule that applies wins (section 5)."""
    computed = _computed(case, now, zone, policies)
    return overridden(computed, valid_override(overrides, case.id, local_day(now, zone)))


def valid_override(overrides: Iterable[Override], subject: str, today: date) -> Override | None:
    """Return the latest statement about the subject that has not expired; its last day still counts."""
    valid = [o for o in overrides if o.subject == subject and o.until >= today]
    return max(valid, key=lambda o: o.at, default=None)


def overridden(verdict: Verdict, override: Override | None) -> Verdict:
    """Lay a person's word over a computed health and keep what it covers."""
    if override is None:
        return verdict
    said_so = f"{override.by} says {HEALTH_WORDS[override.health].lower()} until {said(override.until)}"
    told = f"{said_so}: {override.reason.rstrip('.')}." if override.reason else f"{said_so}."
    under = f"Computed: {HEALTH_WORDS[verdict.computed].lower()}."
    return replace(verdict, health=override.health, reasons=(told, under, *verdict.reasons), override=override)


def _computed(case: Case, now: datetime, zone: ZoneInfo, policies: Policies) -> Verdict:
    today = local_day(now, zone)
    over = case.end is not None and today > case.end
    closed = case.status is Status.CLOSED
    wanted = expected(now, case.start, case.end, policies, zone, case.targets)
    p, e = case.progress, wanted.value

    base = Verdict(
        health=Health.UNKNOWN,
        computed=Health.UNKNOWN,
        expected=e,
        gap=ratio9(e - p) if e is not None and p is not None else None,
        pace=p / e if e is not None and p is not None and ratio9(e) >= TOO_EARLY else None,
        ended=over or closed,
    )
    if case.status is Status.CANCELED:
        return _said(base, Health.CANCELED, "Canceled by its owner.")
    if case.status is Status.PAUSED:
        return _said(base, Health.PAUSED, "Paused by its owner.")
    if case.start is not None and today < case.start:
        return _said(base, Health.NOT_STARTED, f"Starts on {said(case.start)}.")
    if p is None:
        return _said(base, Health.UNKNOWN, f"{STATE_WORDS.get(case.state, STATE_WORDS['no_data'])}.")
    threshold = achieved_at(case.commitment)
    by_threshold = case.kind in THRESHOLD_KINDS
    if ratio9(p) >= threshold and (over or closed or not by_threshold):
        return _said(base, Health.ACHIEVED, f"{percent(p)} %, achieved from {percent(threshold)} %.")
    if over or closed:
        ended = f"Ended on {said(case.end)}" if over and case.end is not None else "Closed"
        return _said(base, Health.MISSED, f"{ended} at {percent(p)} %, achieved from {percent(threshold)} %.")
    if wanted.state == "invalid":
        return _said(base, Health.UNKNOWN, "It ends before it starts.")
    if case.end is None:
        return _said(base, Health.UNKNOWN, "No end date to measure against.")
    if by_threshold:
        if ratio9(p) >= 1:
            return _said(base, Health.ON_TRACK, "The value is where it should be.")
        return _said(base, Health.AT_RISK, "The value is not where it should be.")
    if case.kind is None and case.q is not None:
        band = fold([c.q for c in _run(case, with_q=True) if c.q is not None] + [case.q], policies.health, by="q")
        likely = f"{percent(case.q)} % likely to be done by {said(case.end)}."
        return _said(base, band, likely, *_held(band, raw_band(case.q, policies.health, by="q")))
    if e is None:
        return _said(base, Health.UNKNOWN, "No start date to measure against.")
    return _by_pace(case, base, e, p, now, zone, policies)


def _by_pace(
    case: Case,
    base: Verdict,
    e: float,
    p: float,
    now: datetime,
    zone: ZoneInfo,
    policies: Policies,
) -> Verdict:
    """Rule 8: bands of gap or ratio over the closes so far and now."""
    told = against(e, p)
    if ratio9(e) < TOO_EARLY:
        return _said(base, Health.ON_TRACK, told, "Too early to judge the pace.", flags=("too_early",))
    ratio_bands = policies.health.bands == "ratio"
    by = "pace" if ratio_bands else "gap"
    values: list[float] = []
    today = local_day(now, zone)
    for close in _run(case, with_q=False):
        if close.progress is None or close.day >= today or (case.start is not None and close.day < case.start):
            continue
        then = expected(period_end(close.day, zone), case.start, case.end, policies, zone, case.targets).value
        if then is None or (ratio_bands and ratio9(then) < TOO_EARLY):
            continue
        values.append(close.progress / then if ratio_bands else then - close.progress)
    latest = p / e if ratio_bands else e - p
    band = fold([*values, latest], policies.health, by=by)
    if ratio_bands:
        told = f"{percent(p / e)} % of the expected pace; {told[0].lower()}{told[1:]}"
    return _said(base, band, told, *_held(band, raw_band(latest, policies.health, by=by)))


def _said(base: Verdict, health: Health, *reasons: str, flags: tuple[str, ...] = ()) -> Verdict:
    return replace(base, health=health, computed=health, reasons=reasons, flags=flags)


def against(e: float, p: float) -> str:
    """Say how far progress is from what was expected: ``12 points behind the expected 58 %.``"""
    gap = ratio9(e - p)
    if gap == 0:
        return f"On the expected {percent(e)} %."
    return f"{points(gap).capitalize()} {'behind' if gap > 0 else 'ahead of'} the expected {percent(e)} %."


def _held(band: Health, raw: Health) -> tuple[str, ...]:
    if band is raw:
        return ()
    return (f"Held at {HEALTH_WORDS[band].lower()} until the next close confirms {HEALTH_WORDS[raw].lower()}.",)


def _run(case: Case, *, with_q: bool) -> Sequence[Close]:
    """The latest closes judged the same way as now: a change between probability and pace restarts the fold."""
    if case.kind is not None:
        return case.closes
    first = len(case.closes)
    while first > 0:
        close = case.closes[first - 1]
        if close.progress is not None and (close.q is not None) != with_q:
            break
        first -= 1
    return case.closes[first:]


def _boundaries(policy: HealthPolicy, by: str) -> tuple[tuple[float, float], float]:
    """The two boundaries, and the sign that turns a value into 'more is worse'."""
    match by:
        case "gap":
            return (policy.on_track, policy.at_risk), 1.0
        case "pace":
            return (-RATIO_BANDS[0], -RATIO_BANDS[1]), -1.0
        case _:
            return (-PROBABILITY_BANDS[0], -PROBABILITY_BANDS[1]), -1.0


def raw_band(value: float, policy: HealthPolicy, *, by: str = "gap") -> Health:
    """Return the band of one value alone; `by` is ``gap``, ``pace`` or ``q``."""
    bounds, sign = _boundaries(policy, by)
    return BANDS[sum(ratio9(sign * value) > bound for bound in bounds)]


def fold(closes: Sequence[float], policy: HealthPolicy, *, by: str = "gap") -> Health:
    """Return the band after these evaluations, oldest first (section 5, Hysteresis).

    The first takes its raw band. A boundary is then crossed, each for itself, when two evaluations in a
    row lie beyond it or one lies at least 0.03 beyond it. `by` is ``gap``, ``pace`` or ``q``.
    """
    if not closes:
        return Health.UNKNOWN
    bounds, sign = _boundaries(policy, by)
    values = [ratio9(sign * value) for value in closes]
    crossed = 0
    for bound in bounds:
        worse = values[0] > bound
        for before, value in pairwise(values):
            beyond = value > bound
            if beyond == worse:
                continue
            far = ratio9(value - bound) >= MARGIN if beyond else ratio9(bound - value) >= MARGIN
            if far or (before > bound) == beyond:
                worse = beyond
        crossed += worse
    return BANDS[crossed]


def weighted_worst(parts: Sequence[Part]) -> Worst:
    """Return the health of an objective by its children: lifecycle first, then the weighted worst (sections 3, 5)."""
    if not parts:
        return Worst(health=Health.UNKNOWN, reasons=("No key results yet.",))
    acting = [p for p in parts if p.health not in (Health.PAUSED, Health.CANCELED)]
    if acting and all(p.health is Health.ACHIEVED for p in acting):
        return Worst(health=Health.ACHIEVED, reasons=("All key results are achieved.",), coverage=1.0)
    if acting and all(p.ended or p.health in FINAL for p in acting):
        missed = [p for p in acting if p.health is Health.MISSED]
        if missed:
            return Worst(
                health=Health.MISSED,
                reasons=tuple(f"{_name(p)} missed." for p in missed),
                coverage=1.0,
                drivers=tuple(p.id for p in missed),
            )
    judged = [p for p in parts if p.health not in SET_ASIDE]
    if not judged:
        left = {p.health for p in parts}
        health = next(h for h in (Health.NOT_STARTED, Health.PAUSED, Health.CANCELED) if h in left)
        return Worst(health=health, reasons=(f"{HEALTH_WORDS[health]}: nothing under it runs.",))
    return _by_weight(judged)


def _by_weight(judged: Sequence[Part]) -> Worst:
    known = [p for p in judged if p.health is not Health.UNKNOWN]
    whole, weight = fsum(p.weight for p in judged), fsum(p.weight for p in known)
    coverage = weight / whole if whole > 0 else None
    unknown = tuple(p for p in judged if p.health is Health.UNKNOWN and p.weight > 0)
    if coverage is None or weight <= 0 or ratio9(coverage) < 0.6:
        share = percent(coverage) if coverage else "0"
        reason = f"Only {share} % of the weight has a known health."
        names = tuple(f"{_name(p)}: unknown." for p in unknown)
        return Worst(
            health=Health.UNKNOWN, reasons=(reason, *names), coverage=coverage, drivers=tuple(p.id for p in unknown)
        )
    off = [p for p in known if p.health in (Health.OFF_TRACK, Health.MISSED) and p.weight > 0]
    risk = [p for p in known if p.health is Health.AT_RISK and p.weight > 0]
    w_off = ratio9(fsum(p.weight for p in off) / weight)
    w_both = ratio9(fsum(p.weight for p in (*off, *risk)) / weight)
    health = Health.OFF_TRACK if w_off >= 0.25 else Health.AT_RISK if w_off > 0 or w_both >= 0.25 else Health.ON_TRACK
    drivers = (*off, *risk)
    reasons = tuple(
        f"{_name(p)}: {HEALTH_WORDS[p.health].lower()}, {percent(p.weight / weight)} % of the weight." for p in drivers
    )
    if not reasons:
        reasons = ("Every key result with a known health is on track.",)
    return Worst(health=health, reasons=reasons, coverage=coverage, drivers=tuple(p.id for p in drivers))


def _name(part: Part) -> str:
    return f"{part.id} ({part.title})" if part.title else part.id
