"""Two worlds side by side as plain JSON values: the document of ``what-if``.

Nothing is computed here; both worlds were evaluated by `views`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction

from domain.facts import Progress
from rollup.forecast import NO_FORECAST, Forecast
from rollup.health import Verdict
from rollup.report import Json, forecast_json, instant
from rollup.views import InitiativeView, KeyResultView, ObjectiveView, Views, complete_to
from rollup.whatif import Change


def whatif_report(
    now: Views,
    then: Views,
    change: Change,
    *,
    delivery_now: Mapping[str, Forecast],
    delivery_then: Mapping[str, Forecast],
) -> Json:
    """Return the document of ``what-if --json``: every subject as it is and as it would be.

    The two mappings are the forecasts of delivery by subject, which a key result with a metric shows beside its own.
    """
    sources = now.sources
    involved = {c for view in now.initiatives.values() for c in view.progress.connections}
    return {
        "workspace": sources.workspace.name,
        "as_of": instant(sources.now),
        "complete_to": instant(complete_to(sources.freshness, involved)),
        "changes": changes(change),
        "key_results": [
            {
                "id": id_,
                "objective": view.key_result.objective,
                "title": view.key_result.title,
                **_pair(
                    _key_result(view, delivery_now.get(id_, NO_FORECAST)),
                    _key_result(then.key_results[id_], delivery_then.get(id_, NO_FORECAST)),
                ),
            }
            for id_, view in now.key_results.items()
        ],
        "objectives": [
            {
                "id": id_,
                "title": view.objective.title,
                **_pair(_objective(view), _objective(then.objectives[id_])),
            }
            for id_, view in now.objectives.items()
        ],
        "initiatives": [
            {
                "id": id_,
                "title": view.initiative.title,
                **_pair(_initiative(view), _initiative(then.initiatives[id_])),
            }
            for id_, view in now.initiatives.items()
        ],
    }


def changes(change: Change) -> list[Json]:
    """Return what is supposed, one entry each: ``{"change", "id", "value"}``."""
    found: list[Json] = [_change("drop", id_, None) for id_ in change.drop]
    found += [_change("delay", id_, days) for id_, days in change.delay.items()]
    found += [_change("scope", id_, _ratio(part)) for id_, part in change.scope.items()]
    found += [_change("throughput", team, _ratio(part)) for team, part in change.throughput.items()]
    return [*found, *(_change("due", id_, day.isoformat()) for id_, day in change.due.items())]


def _change(what: str, id_: str, value: object) -> Json:
    return {"change": what, "id": id_, "value": value}


def _ratio(part: Fraction) -> float:
    return float(part)


def _pair(now: Json, then: Json) -> Json:
    return {"changed": now != then, "today": now, "then": then}


def _key_result(view: KeyResultView, delivery: Forecast) -> Json:
    outcome = view.outcome is not None
    return {
        **_state(view.value, view.state, view.verdict, view.flags),
        "score_basis": view.basis,
        "delivery_progress": view.delivery.value,
        "due": view.end.isoformat() if view.end else None,
        "forecast": forecast_json(view.forecast),
        "delivery_forecast": forecast_json(delivery) if outcome else None,
        **_scope(view.delivery),
    }


def _objective(view: ObjectiveView) -> Json:
    return _state(view.value, view.state, view.verdict, view.flags)


def _initiative(view: InitiativeView) -> Json:
    return {
        **_state(view.progress.value, view.progress.state, view.verdict, view.flags),
        "status": str(view.initiative.status),
        "start": view.initiative.start.isoformat() if view.initiative.start else None,
        "due": view.due.isoformat() if view.due else None,
        "forecast": forecast_json(view.forecast),
        **_scope(view.progress),
    }


def _state(value: float | None, state: str, verdict: Verdict, flags: Iterable[str]) -> Json:
    return {
        "progress": value,
        "state": state,
        "health": str(verdict.health),
        "health_reasons": list(verdict.reasons),
        "flags": list(flags),
    }


def _scope(progress: Progress) -> Json:
    return {"items": progress.items, "counts": dict(progress.counts), "scope_change": progress.scope_change}
