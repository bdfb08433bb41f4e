"""Every subject of a workspace evaluated once: objectives, key results and initiatives as values.

How they are told (JSON, words, pages) is not known here; reading facts and clocks is the caller's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from domain.facts import Freshness, Progress
from domain.okr import CheckIn, Health, Initiative, KeyResult, ManualRollup, Metric, Objective, Override, Status
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.days import ONE_DAY, local_day, period_end
from rollup.forecast import NO_FORECAST, Forecast, metric_outlook
from rollup.health import Case, Close, Verdict, judge, overridden, valid_override
from rollup.scope import all_initiatives, contributors, due_of, period
from rollup.score import UNDATED_KINDS, Child, Mean, Score, current, mean, ratio9, ratio_of, score, start_value
from rollup.worst import Part, Worst, weighted_worst

NO_PROGRESS = Progress(
    value=None, state="no_scope", counts=dict.fromkeys(("todo", "in_progress", "done", "canceled"), 0)
)
CHECK_IN_EVERY = timedelta(days=7)
MANUAL_FOR = timedelta(days=14)
"""How long a value set by hand holds where the file does not say until when."""
CHECK_IN_GRACE = timedelta(days=3)
LIVE = (Status.ACTIVE, Status.CLOSED)
OVERLAYS = ("stale", "blocked", "divergence", "partial_coverage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Everything a report is made of. `progress`, `history`, `forecasts` and `overrides` are by subject id.

    `history` holds the progress at past closes, newest first, of subjects scored by delivery, as many as their
    band depends on; without it health takes today's raw band. `manual_since` is the local day on which the file
    first stated a value for an objective without an end.
    """

    workspace: Workspace
    progress: Mapping[str, Progress]
    check_ins: Mapping[str, Sequence[CheckIn]]
    overrides: Mapping[str, Sequence[Override]]
    freshness: Mapping[str, Freshness]
    initiatives: Mapping[str, Initiative]
    contributors: Mapping[str, Mapping[str, float]]
    history: Mapping[str, Sequence[Close]]
    forecasts: Mapping[str, Forecast]
    manual_since: Mapping[str, date]
    now: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        """The local date of `now`."""
        return local_day(self.now, self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What is known of a key result's metric at the moment of evaluation."""

    score: Score
    latest: CheckIn | None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyResultView:
    """A key result with all that its objective and its page need; `case` is what its health was judged by."""

    key_result: KeyResult
    policies: Policies
    start: date | None
    end: date | None
    evaluated_on: date
    value: float | None
    state: str
    basis: str
    outcome: Outcome | None
    delivery: Progress
    coverage: float | None
    fresh: bool
    overlays: tuple[str, ...]
    flags: tuple[str, ...]
    forecast: Forecast
    case: Case
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveView:
    """An objective with its mean over key results and child objectives; `computed` is the mean itself.

    `manual` is the value that a person set in its place, with the last day on which it holds.
    """

    objective: Objective
    value: float | None
    state: str
    computed: Mean
    manual: ManualRollup | None
    expected: float | None
    overlays: tuple[str, ...]
    flags: tuple[str, ...]
    worst: Worst
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class InitiativeView:
    """An initiative with its delivery; `due` is its own or the latest end of what it serves, `case` as above."""

    initiative: Initiative
    policies: Policies
    progress: Progress
    due: date | None
    coverage: float | None
    overlays: tuple[str, ...]
    flags: tuple[str, ...]
    forecast: Forecast
    case: Case
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The whole workspace, evaluated once."""

    sources: Sources
    key_results: Mapping[str, KeyResultView]
    objectives: Mapping[str, ObjectiveView] = field(default_factory=dict)
    initiatives: Mapping[str, InitiativeView] = field(default_factory=dict)


def evaluate(
    workspace: Workspace,
    progress: Mapping[str, Progress],
    *,
    check_ins: Iterable[CheckIn] = (),
    overrides: Iterable[Override] = (),
    freshness: Mapping[str, Freshness],
    extra_initiatives: Mapping[str, Initiative] | None = None,
    now: datetime,
    history: Mapping[str, Sequence[Close]] | None = None,
    forecasts: Mapping[str, Forecast] | None = None,
    manual_since: Mapping[str, date] | None = None,
) -> Views:
    """Evaluate every subject of the workspace at `now`; arguments as for `report`."""
    extra = extra_initiatives or {}
    by_key_result: dict[str, list[CheckIn]] = {}
    for c in check_ins:
        by_key_result.setdefault(c.key_result, []).append(c)
    by_subject: dict[str, list[Override]] = {}
    for o in overrides:
        by_subject.setdefault(o.subject, []).append(o)
    sources = Sources(
        workspace=workspace,
        progress=progress,
        check_ins=by_key_result,
        overrides=by_subject,
        freshness=freshness,
        initiatives=all_initiatives(workspace, extra),
        contributors=contributors(workspace, extra),
        history=history or {},
        forecasts=forecasts or {},
        manual_since=manual_since or {},
        now=now,
        zone=ZoneInfo(workspace.timezone),
    )
    views = Views(sources=sources, key_results={i: _key_result(kr, sources) for i, kr in workspace.key_results.items()})
    objectives: dict[str, ObjectiveView] = {}
    for objective in workspace.objectives.values():
        _objective(objective, views, objectives, ())
    return Views(
        sources=sources,
        key_results=views.key_results,
        objectives={i: objectives[i] for i in workspace.objectives},
        initiatives={i: _initiative(v, sources) for i, v in sources.initiatives.items()},
    )


def complete_to(freshness: Mapping[str, Freshness], involved: Iterable[str]) -> datetime | None:
    """Return the earliest time up to which the connections involved are complete (all, where none is)."""
    names = sorted(set(involved)) or sorted(freshness)
    times = [freshness[n].complete_to if n in freshness else None for n in names]
    known = [t for t in times if t is not None]
    return min(known) if known and len(known) == len(times) else None


def item_coverage(progress: Progress, freshness: Mapping[str, Freshness]) -> float | None:
    """Return the share of the items in scope that come from fresh connections, None without items."""
    items = sum(progress.connections.values())
    fresh = sum(n for c, n in progress.connections.items() if c in freshness and not freshness[c].stale)
    return fresh / items if items else None


def evaluated_at(sources: Sources, policies: Policies, end: date | None) -> datetime:
    """Return the instant a key result is evaluated at: now, or the end of its period where that freezes it."""
    if end is not None and sources.today > end and policies.health.freeze_after_end:
        return period_end(end, sources.zone) - timedelta(microseconds=1)
    return sources.now


def score_at(
    metric: Metric, check_ins: Sequence[CheckIn], start: date | None, at: datetime, zone: ZoneInfo
) -> tuple[Score, CheckIn | None]:
    """Return the score of a metric at an instant, and the check-in it stands on."""
    latest = current(check_ins, at)
    begin = start_value(metric, check_ins, start, at, zone)
    value = latest.value if latest is not None else None
    return score(metric, current=value, start=begin, today=local_day(at, zone)), latest


def _outcome(metric: Metric, kr: KeyResult, start: date | None, at: datetime, sources: Sources) -> Outcome:
    found, latest = score_at(metric, sources.check_ins.get(kr.id, ()), start, at, sources.zone)
    limit = (metric.check_in_every or CHECK_IN_EVERY) + CHECK_IN_GRACE
    stale = metric.kind not in UNDATED_KINDS and latest is not None and at - latest.as_of > limit
    return Outcome(score=found, latest=latest, stale=stale)


def _closes(kr: KeyResult, start: date | None, end: date | None, sources: Sources) -> Iterable[Close]:
    """Progress at each close of the period so far, newest first: by check-ins, or as history tells for delivery."""
    if kr.metric is None:
        return sources.history.get(kr.id, ())
    return _measured_closes(kr.metric, kr, start, end, sources) if start is not None else ()


def _measured_closes(metric: Metric, kr: KeyResult, start: date, end: date | None, sources: Sources) -> Iterator[Close]:
    check_ins = sources.check_ins.get(kr.id, ())
    day = min(sources.today, end + ONE_DAY) if end is not None else sources.today
    while (day := day - ONE_DAY) >= start:
        at = period_end(day, sources.zone) - timedelta(microseconds=1)
        found, _ = score_at(metric, check_ins, start, at, sources.zone)
        yield Close(day=day, progress=found.value)


def _dated_targets(metric: Metric | None, start: float | None) -> tuple[tuple[date, float], ...]:
    if metric is None:
        return ()
    found = ((day, ratio_of(metric, value, start)) for day, value in metric.targets)
    return tuple((day, r) for day, r in found if r is not None)


def _stale_sources(progress: Progress, freshness: Mapping[str, Freshness]) -> bool:
    """Whether some connection behind the items is not fresh, or an item counts with its last known value."""
    behind = any(c not in freshness or freshness[c].stale for c in progress.connections)
    return behind or "inaccessible" in progress.flags


def _overlays(**found: bool) -> tuple[str, ...]:
    return tuple(name for name in OVERLAYS if found.get(name))


def _key_result(kr: KeyResult, sources: Sources) -> KeyResultView:
    policies = sources.workspace.policies_of(kr.id)
    start, end = period(sources.workspace, kr)
    at = evaluated_at(sources, policies, end)
    delivery = sources.progress.get(kr.id, NO_PROGRESS)
    outcome = _outcome(kr.metric, kr, start, at, sources) if kr.metric is not None else None
    value = outcome.score.value if outcome is not None else delivery.value
    if outcome is not None:
        fresh = value is not None and not outcome.stale
        coverage: float | None = 1.0 if fresh else 0.0
        forecast = _metric_forecast(kr, at, value, sources)
    else:
        coverage = item_coverage(delivery, sources.freshness)
        fresh = coverage is not None and coverage >= 1
        forecast = sources.forecasts.get(kr.id, NO_FORECAST)
    case = Case(
        id=kr.id,
        progress=value,
        state=outcome.score.state if outcome is not None else delivery.state,
        kind=kr.metric.kind if kr.metric is not None else None,
        commitment=kr.commitment,
        status=kr.status,
        start=start,
        end=end,
        q=forecast.probability,
        closes=_closes(kr, start, end, sources),
        targets=_dated_targets(kr.metric, outcome.score.start if outcome is not None else None),
    )
    verdict = judge(
        case,
        now=sources.now,
        zone=sources.zone,
        policies=policies,
        overrides=sources.overrides.get(kr.id, ()),
    )
    apart = outcome is not None and _diverges(outcome.score.value, delivery.value, policies.divergence)
    score_flags = outcome.score.flags if outcome is not None else ()
    return KeyResultView(
        key_result=kr,
        policies=policies,
        start=start,
        end=end,
        evaluated_on=local_day(at, sources.zone),
        value=value,
        state=outcome.score.state if outcome is not None else delivery.state,
        basis="outcome" if outcome is not None else "delivery",
        outcome=outcome,
        delivery=delivery,
        coverage=coverage,
        fresh=fresh,
        overlays=_overlays(
            stale=(outcome is not None and outcome.stale) or _stale_sources(delivery, sources.freshness),
            blocked=delivery.blocked_size > 0,
            divergence=apart,
            partial_coverage=coverage is not None and coverage < 1,
        ),
        flags=_sorted(delivery.flags, score_flags, verdict.flags, forecast.flags, ("divergence",) if apart else ()),
        forecast=forecast,
        case=case,
        verdict=verdict,
    )


def _metric_forecast(kr: KeyResult, at: datetime, value: float | None, sources: Sources) -> Forecast:
    if kr.metric is None:
        return NO_FORECAST
    known = [c for c in sources.check_ins.get(kr.id, ()) if c.as_of <= at]
    return metric_outlook(kr.metric, known, zone=sources.zone, value=value)


def _diverges(outcome: float | None, delivery: float | None, limit: float) -> bool:
    return outcome is not None and delivery is not None and ratio9(abs(delivery - outcome)) >= limit


def _sorted(*flags: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted({word for group in flags for word in group}))


def _initiative(initiative: Initiative, sources: Sources) -> InitiativeView:
    progress = sources.progress.get(initiative.id, NO_PROGRESS)
    due = due_of(sources.workspace, initiative)
    forecast = sources.forecasts.get(initiative.id, NO_FORECAST)
    policies = sources.workspace.policies.under(initiative.policies)
    case = Case(
        id=initiative.id,
        progress=progress.value,
        state=progress.state,
        status=initiative.status,
        start=initiative.start,
        end=due,
        q=forecast.probability,
        closes=sources.history.get(initiative.id, ()),
    )
    verdict = judge(
        case,
        now=sources.now,
        zone=sources.zone,
        policies=policies,
        overrides=sources.overrides.get(initiative.id, ()),
    )
    coverage = item_coverage(progress, sources.freshness)
    stated = [c.share for c in initiative.contributes if c.explicit]
    over = ("over_allocated",) if ratio9(sum(stated)) > 1 else ()
    return InitiativeView(
        initiative=initiative,
        policies=policies,
        progress=progress,
        due=due,
        coverage=coverage,
        overlays=_overlays(
            stale=_stale_sources(progress, sources.freshness),
            blocked=progress.blocked_size > 0,
            partial_coverage=coverage is not None and coverage < 1,
        ),
        flags=_sorted(progress.flags, verdict.flags, forecast.flags, over),
        forecast=forecast,
        case=case,
        verdict=verdict,
    )


def epic_verdict(
    id: str,
    progress: Progress,
    *,
    start: date | None,
    due: date | None,
    now: datetime,
    zone: ZoneInfo,
    policies: Policies,
    overrides: Iterable[Override] = (),
) -> Verdict:
    """Return the health of an epic over the dates of its item; without a due date it is unknown.

    `id` is what overrides name it by.
    """
    case = Case(id=id, progress=progress.value, state=progress.state, start=start, end=due)
    return judge(case, now=now, zone=zone, policies=policies, overrides=overrides)


def key_results_of(views: Views, objective: str) -> list[KeyResultView]:
    """Return the key results of an objective in the order of the file."""
    return [v for v in views.key_results.values() if v.key_result.objective == objective]


def children_of(workspace: Workspace, objective: str) -> list[Objective]:
    """Return the objectives that cascade into one, in the order of the file."""
    return [o for o in workspace.objectives.values() if o.parent == objective and o.id != objective]


def _objective(
    objective: Objective, views: Views, done: dict[str, ObjectiveView], path: tuple[str, ...]
) -> ObjectiveView:
    """Evaluate an objective after its children; one that is its own ancestor counts once on the way down."""
    if objective.id in done:
        return done[objective.id]
    sources = views.sources
    path = (*path, objective.id)
    below = [
        _objective(child, views, done, path)
        for child in children_of(sources.workspace, objective.id)
        if child.id not in path
    ]
    krs = key_results_of(views, objective.id)
    computed = mean([*(_child_kr(v) for v in krs), *(_child_objective(v) for v in below)])
    parts = [
        *(_part(v.key_result.id, v.key_result.title, v.verdict, v.key_result.weight) for v in krs),
        *(_part(v.objective.id, v.objective.title, v.verdict, v.objective.weight) for v in below),
    ]
    manual, expired = _manual(objective, sources)
    value, state, own_flags = _rolled_up(objective, computed, manual, expired)
    worst = weighted_worst(parts)
    verdict = overridden(
        _objective_verdict(objective, worst, value, sources),
        valid_override(sources.overrides.get(objective.id, ()), objective.id, sources.now, sources.zone),
    )
    inherited = {name for v in krs if v.key_result.status in LIVE for name in v.overlays}
    inherited.update(name for v in below if v.objective.status in LIVE for name in v.overlays)
    inherited.discard("partial_coverage")
    partial = computed.coverage is not None and ratio9(computed.coverage) < 1
    view = ObjectiveView(
        objective=objective,
        value=value,
        state=state,
        computed=computed,
        manual=manual,
        expected=_mean_expected(krs, below),
        overlays=tuple(n for n in OVERLAYS if n in inherited or (n == "partial_coverage" and partial)),
        flags=_sorted(own_flags, ("cycle",) if objective.parent in path[1:] else ()),
        worst=worst,
        verdict=verdict,
    )
    done[objective.id] = view
    return view


def _child_kr(view: KeyResultView) -> Child:
    kr = view.key_result
    return Child(weight=kr.weight, value=view.value, fresh=view.fresh, live=kr.status in LIVE)


def _child_objective(view: ObjectiveView) -> Child:
    objective = view.objective
    return Child(
        weight=objective.weight,
        value=view.value,
        fresh=view.value is not None and "stale" not in view.overlays,
        live=objective.status in LIVE,
    )


def _part(id: str, title: str, verdict: Verdict, weight: float) -> Part:
    return Part(id=id, title=title, health=verdict.health, weight=weight, ended=verdict.ended)


def _mean_expected(krs: Sequence[KeyResultView], below: Sequence[ObjectiveView]) -> float | None:
    return mean(
        [
            *(
                Child(weight=v.key_result.weight, value=v.verdict.expected, live=v.key_result.status in LIVE)
                for v in krs
                if v.value is not None
            ),
            *(
                Child(weight=v.objective.weight, value=v.expected, live=v.objective.status in LIVE)
                for v in below
                if v.value is not None
            ),
        ]
    ).value


def _manual(objective: Objective, sources: Sources) -> tuple[ManualRollup | None, bool]:
    """Return the value that a person set for an objective, None where there is none or (True) it has expired."""
    if not isinstance(objective.rollup, ManualRollup):
        return None, False
    since = sources.manual_since.get(objective.id, sources.today)
    until = objective.rollup.until or since + MANUAL_FOR
    return (replace(objective.rollup, until=until), False) if until >= sources.today else (None, True)


def _rolled_up(
    objective: Objective, computed: Mean, manual: ManualRollup | None, expired: bool
) -> tuple[float | None, str, tuple[str, ...]]:
    """Return value, state and flags of an objective under its `rollup` choice."""
    if manual is not None:
        return manual.value, "ok", ("manual",)
    if objective.rollup == "off":
        return None, "no_data", ("rollup_off",)
    return computed.value, computed.state, ("manual_expired",) if expired else ()


def _objective_verdict(objective: Objective, worst: Worst, value: float | None, sources: Sources) -> Verdict:
    timeframe = sources.workspace.timeframes.get(objective.timeframe) if objective.timeframe else None
    over = timeframe is not None and sources.today > timeframe.end
    health, reasons = worst.health, worst.reasons
    if objective.status is Status.CANCELED:
        health, reasons = Health.CANCELED, ("Canceled by its owner.",)
    elif objective.status is Status.PAUSED:
        health, reasons = Health.PAUSED, ("Paused by its owner.",)
    elif objective.rollup == "off":
        health, reasons = Health.UNKNOWN, ("Its roll-up is switched off.",)
    elif objective.status is Status.CLOSED and health not in (Health.ACHIEVED, Health.MISSED):
        achieved = value is not None and ratio9(value) >= 1
        health, reasons = (Health.ACHIEVED if achieved else Health.MISSED), ("Closed by its owner.", *reasons)
    return Verdict(health=health, reasons=reasons, computed=health, ended=over or objective.status is Status.CLOSED)
