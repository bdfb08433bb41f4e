"""The report of a workspace as plain JSON values: the shapes that scripts rely on.

Nothing is computed here; the numbers are those of `views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime

from domain.facts import Freshness, Progress
from domain.okr import CheckIn, Initiative, ManualRollup, Metric, Override
from domain.workspace import Workspace
from rollup.forecast import Forecast
from rollup.health import Close, Verdict
from rollup.score import Score, grade
from rollup.summary import sentence
from rollup.views import (
    InitiativeView,
    KeyResultView,
    ObjectiveView,
    Views,
    children_of,
    complete_to,
    evaluate,
    key_results_of,
)

Json = dict[str, object]


def report(
    workspace: Workspace,
    progress: Mapping[str, Progress],
    *,
    check_ins: Iterable[CheckIn] = (),
    overrides: Iterable[Override] = (),
    freshness: Mapping[str, Freshness],
    extra_initiatives: Mapping[str, Initiative] | None = None,
    unlinked: Mapping[str, int] | None = None,
    now: datetime,
    timeframe: str = "current",
    history: Mapping[str, Sequence[Close]] | None = None,
    forecasts: Mapping[str, Forecast] | None = None,
    manual_since: Mapping[str, date] | None = None,
) -> Json:
    """Return the document of ``show --json``.

    `progress` is the delivery of each key result and initiative by id; one that is missing has nothing in
    scope. `timeframe` is ``current`` (all that contain today's local date), ``all`` or an id; objectives
    without a timeframe are always in, and so are the parents of what is shown. `now` is aware.
    """
    views = evaluate(
        workspace,
        progress,
        check_ins=check_ins,
        overrides=overrides,
        freshness=freshness,
        extra_initiatives=extra_initiatives,
        now=now,
        history=history,
        forecasts=forecasts,
        manual_since=manual_since,
    )
    objectives = shown_objectives(views, timeframe)
    key_results = [v for v in views.key_results.values() if v.key_result.objective in objectives]
    served = {kr.key_result.id for kr in key_results}
    initiatives = [
        v
        for v in views.initiatives.values()
        if timeframe == "all" or not v.initiative.contributes or any(c.to in served for c in v.initiative.contributes)
    ]
    involved = {c for kr in key_results for c in kr.delivery.connections}
    involved.update(c for i in initiatives for c in i.progress.connections)
    return {
        "workspace": workspace.name,
        "as_of": instant(now),
        "complete_to": instant(complete_to(freshness, involved)),
        "objectives": [objective_json(v, views) for v in views.objectives.values() if v.objective.id in objectives],
        "key_results": [key_result_json(v, views) for v in key_results],
        "initiatives": [initiative_json(v) for v in initiatives],
        "unlinked": {"epics": (unlinked or {}).get("epics", 0), "items": (unlinked or {}).get("items", 0)},
    }


def shown_objectives(views: Views, timeframe: str) -> set[str]:
    """Return the objectives of a timeframe with their parents."""
    workspace, today = views.sources.workspace, views.sources.today
    current_ids = {t.id for t in workspace.timeframes.values() if t.start <= today <= t.end}
    wanted = current_ids if timeframe == "current" else {timeframe}
    found: set[str] = set()
    for objective in workspace.objectives.values():
        if timeframe == "all" or objective.timeframe is None or objective.timeframe in wanted:
            at: str | None = objective.id
            while at is not None and at not in found and at in workspace.objectives:
                found.add(at)
                at = workspace.objectives[at].parent
    return found


def instant(at: datetime | None) -> str | None:
    """Write an instant as ISO 8601 in UTC with ``Z``."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z") if at is not None else None


def forecast_json(forecast: Forecast) -> Json:
    """Return the forecast as scripts read it."""
    return {
        "p50": _day(forecast.p50),
        "p85": _day(forecast.p85),
        "p95": _day(forecast.p95),
        "probability": forecast.probability,
        "state": forecast.state,
        "indicative": forecast.indicative,
    }


def override_json(verdict: Verdict) -> Json | None:
    """Return a person's word on the health beside what is computed, None where there is none."""
    override = verdict.override
    if override is None:
        return None
    return {
        "health": str(override.health),
        "until": override.until.isoformat(),
        "by": override.by,
        "reason": override.reason,
        "computed": str(verdict.computed),
        "at": instant(override.at),
    }


def manual_json(manual: ManualRollup | None) -> Json | None:
    """Return the value that a person set for an objective, None where there is none."""
    if manual is None:
        return None
    return {"value": manual.value, "by": manual.by, "reason": manual.reason, "until": _day(manual.until)}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def objective_json(view: ObjectiveView, views: Views) -> Json:
    """Return an objective as ``show --json`` has it."""
    objective, verdict = view.objective, view.verdict
    return {
        "id": objective.id,
        "title": objective.title,
        "timeframe": objective.timeframe,
        "parent": objective.parent,
        "progress": view.value,
        "state": view.state,
        "health": str(verdict.health),
        "health_reasons": list(verdict.reasons),
        "overlays": list(view.overlays),
        "coverage": view.computed.coverage,
        "flags": list(view.flags),
        "override": override_json(verdict),
        "key_results": [v.key_result.id for v in key_results_of(views, objective.id)],
        "objectives": [o.id for o in children_of(views.sources.workspace, objective.id)],
        "owner": objective.owner,
        "status": str(objective.status),
        "weight": objective.weight,
        "computed_progress": view.computed.value,
        "manual": manual_json(view.manual),
        "expected": view.expected,
        "drivers": list(view.worst.drivers),
        "summary": objective_summary(view),
    }


def key_result_json(view: KeyResultView, views: Views) -> Json:
    """Return a key result as ``show --json`` has it."""
    kr, verdict, delivery = view.key_result, view.verdict, view.delivery
    outcome = view.outcome.score if view.outcome is not None else None
    latest = view.outcome.latest if view.outcome is not None else None
    shares = views.sources.contributors.get(kr.id, {})
    return {
        "id": kr.id,
        "objective": kr.objective,
        "title": kr.title,
        "progress": view.value,
        "score_basis": view.basis,
        "outcome_progress": outcome.value if outcome is not None else None,
        "delivery_progress": delivery.value,
        "state": view.state,
        "health": str(verdict.health),
        "health_reasons": list(verdict.reasons),
        "overlays": list(view.overlays),
        "flags": list(view.flags),
        "override": override_json(verdict),
        "coverage": view.coverage,
        "counts": dict(delivery.counts),
        "baseline_progress": delivery.baseline_progress,
        "scope_change": delivery.scope_change,
        "forecast": forecast_json(view.forecast),
        "initiatives": [{"id": i, "share": share} for i, share in shares.items()],
        "owner": kr.owner,
        "status": str(kr.status),
        "weight": kr.weight,
        "commitment": kr.commitment,
        "grade": grade(view.value, kr.commitment) if view.value is not None else None,
        "start": _day(view.start),
        "end": _day(view.end),
        "expected": verdict.expected,
        "metric": _metric_json(kr.metric, outcome, latest) if kr.metric is not None else None,
        "items": delivery.items,
        "unestimated": delivery.unestimated,
        "estimated_coverage": delivery.estimated_coverage,
        "summary": key_result_summary(view),
    }


def objective_summary(view: ObjectiveView) -> str:
    """Say where an objective stands, in one sentence for a board."""
    return sentence(
        health=view.verdict.health, progress=view.value, state=view.state, basis="objective", expected=view.expected
    )


def key_result_summary(view: KeyResultView) -> str:
    """Say where a key result stands, in one sentence for a board."""
    return sentence(
        health=view.verdict.health,
        progress=view.value,
        state=view.state,
        basis=view.basis,
        expected=view.verdict.expected,
        p85=view.forecast.p85 if not view.forecast.indicative else None,
        due=view.end,
    )


def initiative_summary(view: InitiativeView) -> str:
    """Say where an initiative stands, in one sentence for a board."""
    return sentence(
        health=view.verdict.health,
        progress=view.progress.value,
        state=view.progress.state,
        expected=view.verdict.expected,
        p85=view.forecast.p85 if not view.forecast.indicative else None,
        due=view.due,
    )


def _metric_json(metric: Metric, outcome: Score | None, latest: CheckIn | None) -> Json:
    return {
        "kind": metric.kind,
        "start": outcome.start if outcome is not None else None,
        "target": metric.target,
        "current": outcome.current if outcome is not None else None,
        "unit": metric.unit,
        "raw": outcome.raw if outcome is not None else None,
        "checked_in_at": instant(latest.as_of) if latest is not None else None,
    }


def initiative_json(view: InitiativeView) -> Json:
    """Return an initiative as ``show --json`` has it."""
    initiative, verdict, progress = view.initiative, view.verdict, view.progress
    return {
        "id": initiative.id,
        "title": initiative.title,
        "progress": progress.value,
        "state": progress.state,
        "health": str(verdict.health),
        "health_reasons": list(verdict.reasons),
        "overlays": list(view.overlays),
        "flags": list(view.flags),
        "override": override_json(verdict),
        "counts": dict(progress.counts),
        "size_total": progress.size_total,
        "size_done": progress.size_done,
        "unestimated": progress.unestimated,
        "estimated_coverage": progress.estimated_coverage,
        "baseline_progress": progress.baseline_progress,
        "scope_change": progress.scope_change,
        "forecast": forecast_json(view.forecast),
        "start": _day(initiative.start),
        "due": _day(view.due),
        "owner": initiative.owner,
        "team": initiative.team,
        "status": str(initiative.status),
        "contributes": [{"to": c.to, "share": c.share, "benefit": c.benefit} for c in initiative.contributes],
        "coverage": view.coverage,
        "expected": verdict.expected,
        "items": progress.items,
        "summary": initiative_summary(view),
    }
