"""Health of one subject: the order of the rules, what it is measured by, one word with its reasons.

Numbers come in as arguments; nothing here knows items, metrics or the workspace.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.okr import HEALTH_WORDS, Health, Override, Status
from domain.rules import Policies
from rollup.bands import contested, decisive, fold, raw_band
from rollup.days import day_start, local_day, period_end, said
from rollup.expected import expected
from rollup.score import THRESHOLD_KINDS, achieved_at, ratio9
from rollup.summary import STATE_WORDS, percent, points

TOO_EARLY = 0.10
"""Expected progress below which pace says nothing."""


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
    effect of a close; `closes` are the evaluations at the closes of past days, newest first: no more of them
    are taken than the band depends on. `targets` are dated ratios.
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
    closes: Iterable[Close] = ()
    targets: tuple[tuple[date, float], ...] = ()


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


def judge(
    case: Case, *, now: datetime, zone: ZoneInfo, policies: Policies, overrides: Iterable[Override] = ()
) -> Verdict:
    """Return the health of a key result, an initiative or an epic; the first rule that applies wins (section 5)."""
    return overridden(_computed(case, now, zone, policies), valid_override(overrides, case.id, now, zone))


def valid_override(overrides: Iterable[Override], subject: str, now: datetime, zone: ZoneInfo) -> Override | None:
    """Return what a person says of a subject at an instant; the last day of a statement still counts.

    A later statement stands in place of the ones before it, also after it has expired.
    """
    said_by_now = [o for o in overrides if o.subject == subject and o.at <= now]
    latest = max(said_by_now, key=lambda o: o.at, default=None)
    if latest is None or latest.until < local_day(now, zone):
        return None
    return latest if latest.cleared_at is None or now < latest.cleared_at else None


def overridden(verdict: Verdict, override: Override | None) -> Verdict:
    """Lay a person's word over a computed health and keep what it covers."""
    if override is None:
        return verdict
    said_so = f"{override.by} says {HEALTH_WORDS[override.health].lower()} until {said(override.until)}"
    told = f"{said_so}: {override.reason.rstrip('.')}." if override.reason else f"{said_so}."
    under = f"Computed: {HEALTH_WORDS[verdict.computed].lower()}."
    return replace(verdict, health=override.health, reasons=(told, under, *verdict.reasons), override=override)


def enough(case: Case, *, now: datetime, zone: ZoneInfo, policies: Policies) -> tuple[Close, ...]:
    """Return those of a case's closes, newest first, that its band may depend on until the local day is over.

    Empty where it depends on none. `judge` over them alone is `judge` over all, at any time of the day.
    """
    today = local_day(now, zone)
    if not depends_on_closes(case, now=now, zone=zone, policies=policies):
        return ()
    taken: list[Close] = []
    by = _measure(case, policies)
    decisive(_values(case, by, today, zone, policies, taken), policies.health, by=by)
    return tuple(taken)


def depends_on_closes(case: Case, *, now: datetime, zone: ZoneInfo, policies: Policies) -> bool:
    """Return whether the band of some hour of the local day depends on the closes before it."""
    today = local_day(now, zone)
    return _settled(case, today) is None and _contested(case, today, zone, policies)


def _computed(case: Case, now: datetime, zone: ZoneInfo, policies: Policies) -> Verdict:
    today = local_day(now, zone)
    e, p = _expected(case, now, policies, zone), case.progress
    base = Verdict(
        health=Health.UNKNOWN,
        computed=Health.UNKNOWN,
        expected=e,
        gap=ratio9(e - p) if e is not None and p is not None else None,
        pace=p / e if e is not None and p is not None and ratio9(e) >= TOO_EARLY else None,
        ended=_is_over(case, today),
    )
    settled = _settled(case, today)
    if settled is not None:
        return _said(base, settled.health, settled.reason, flags=settled.flags)
    by = _measure(case, policies)
    value = _value(case.progress, case.q, e, by)
    if by == "q" and value is not None and case.end is not None:
        told = f"{percent(value)} % likely to be done by {said(case.end)}."
    elif e is None or p is None:
        return _said(base, Health.UNKNOWN, "No start date to measure against.", flags=("no_dates",))
    elif ratio9(e) < TOO_EARLY or value is None:
        return _said(base, Health.ON_TRACK, against(e, p), "Too early to judge the pace.", flags=("too_early",))
    else:
        told = against(e, p)
        if by == "pace":
            told = f"{percent(value)} % of the expected pace; {told[0].lower()}{told[1:]}"
    before = decisive(_values(case, by, today, zone, policies, []), policies.health, by=by)
    band = fold([*before, value], policies.health, by=by)
    return _said(base, band, told, *_held(band, raw_band(value, policies.health, by=by)))


class _Settled(NamedTuple):
    health: Health
    reason: str
    flags: tuple[str, ...] = ()


def _settled(case: Case, today: date) -> _Settled | None:
    """Return what holds whatever the bands say, None where they decide."""
    p = case.progress
    match case.status:
        case Status.CANCELED:
            return _Settled(Health.CANCELED, "Canceled by its owner.")
        case Status.PAUSED:
            return _Settled(Health.PAUSED, "Paused by its owner.")
    if case.start is not None and today < case.start:
        return _Settled(Health.NOT_STARTED, f"Starts on {said(case.start)}.")
    if p is None:
        return _Settled(Health.UNKNOWN, f"{STATE_WORDS.get(case.state, STATE_WORDS['no_data'])}.")
    by_threshold, over = case.kind in THRESHOLD_KINDS, _is_over(case, today)
    goal = achieved_at(case.commitment)
    if ratio9(p) >= goal and (over or not by_threshold):
        return _Settled(Health.ACHIEVED, f"{percent(p)} %, achieved from {percent(goal)} %.")
    if over:
        ended = f"Ended on {said(case.end)}" if case.end is not None and today > case.end else "Closed"
        return _Settled(Health.MISSED, f"{ended} at {percent(p)} %, achieved from {percent(goal)} %.")
    if case.end is None:
        return _Settled(Health.UNKNOWN, "No end date to measure against.", ("no_dates",))
    if case.start is not None and case.end < case.start:
        return _Settled(Health.UNKNOWN, "It ends before it starts.")
    if by_threshold and ratio9(p) >= 1:
        return _Settled(Health.ON_TRACK, "The value is where it should be.")
    if by_threshold:
        return _Settled(Health.AT_RISK, "The value is not where it should be.")
    return None


def _is_over(case: Case, today: date) -> bool:
    return case.status is Status.CLOSED or (case.end is not None and today > case.end)


def _measure(case: Case, policies: Policies) -> str:
    """Return what the bands are taken of: ``q`` of delivery where it is known, else ``pace`` or ``gap``."""
    if case.kind is None and case.q is not None:
        return "q"
    return "pace" if policies.health.bands == "ratio" else "gap"


def _expected(case: Case, at: datetime, policies: Policies, zone: ZoneInfo) -> float | None:
    return expected(at, case.start, case.end, policies, zone, case.targets).value


def _value(progress: float | None, q: float | None, e: float | None, by: str) -> float | None:
    if by == "q":
        return q
    if progress is None or e is None:
        return None
    if by == "gap":
        return e - progress
    return progress / e if ratio9(e) >= TOO_EARLY else None


def _contested(case: Case, today: date, zone: ZoneInfo, policies: Policies) -> bool:
    by = _measure(case, policies)
    values = []
    for at in (day_start(today, zone), period_end(today, zone)):
        e = _expected(case, at, policies, zone)
        value = _value(case.progress, case.q, max(e, TOO_EARLY) if e is not None and by == "pace" else e, by)
        if value is not None:
            values.append(value)
    return bool(values) and contested(min(values), max(values), policies.health, by=by)


def _values(
    case: Case, by: str, today: date, zone: ZoneInfo, policies: Policies, taken: list[Close]
) -> Iterator[float]:
    """Yield the value of each close that is judged the same way as now, newest first; note its close in `taken`.

    A change between probability and pace ends it, and so does the start of the subject.
    """
    for close in case.closes:
        if case.start is not None and close.day < case.start:
            return
        if close.day >= today or close.progress is None:
            continue
        if case.kind is None and (close.q is not None) != (by == "q"):
            return
        at = period_end(close.day, zone)
        value = _value(
            close.progress, close.q, expected(at, case.start, case.end, policies, zone, case.targets).value, by
        )
        if value is not None:
            taken.append(close)
            yield value


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
