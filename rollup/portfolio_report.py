"""The portfolio as plain JSON values: the document of ``portfolio``.

Nothing is computed here that a number depends on; it puts `allocation`, `portfolio`, `risk` and `flow` together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import fsum

from rollup.allocation import BUILT_IN, Ledger, Load, Member, Row, ledger, loads
from rollup.flow import Pace
from rollup.opportunities import off_target, opportunities, over_capacity
from rollup.portfolio import Rank, Stay, Weight, members_of, ranking, risks, roadmap
from rollup.report import Json, forecast_json, instant, shown_objectives
from rollup.risk import LEVELS, Risk, Signal, level_of
from rollup.views import Views, complete_to

EVERYTHING = "portfolio"
"""the key under which the flow of all work of a portfolio stands"""


def dimensions_of(views: Views) -> tuple[str, ...]:
    """Return the axes of a portfolio: those that always exist, then those of the file."""
    return (*BUILT_IN, *(name for name in views.sources.workspace.dimensions if name not in BUILT_IN))


def portfolio_report(
    views: Views,
    *,
    timeframe: str,
    by: str | None,
    weight: Weight,
    unlinked: Mapping[str, int],
    loose: Mapping[str, Mapping[str | None, float]],
    paces: Mapping[str, Pace],
    teams: Mapping[str, Pace],
) -> Json:
    """Return the document of ``portfolio --json``.

    `timeframe` is ``current``, ``all`` or an id, `by` one dimension or None for all of them. `unlinked` counts epics
    and items of no initiative, `loose` the items among them by their value on each dimension. `paces` is the flow of
    each initiative, and under `EVERYTHING` of all; `teams` that of each team.
    """
    workspace, today = views.sources.workspace, views.sources.today
    wanted = shown_objectives(views, timeframe)
    objectives = [id_ for id_ in workspace.objectives if id_ in wanted]
    members = members_of(views, objectives, weight)
    timeframes = _timeframes(views, timeframe)
    ledgers = [ledger(name, members, workspace, loose.get(name)) for name in ((by,) if by else dimensions_of(views))]
    load = loads(members, workspace, timeframes)
    ranks = ranking(members, views, weight.size)
    found = risks(views, objectives, members, paces)
    general = (*off_target(ledgers), *over_capacity(load))
    involved = {c for one in members for c in views.initiatives[one.initiative.id].progress.connections}
    return {
        "workspace": workspace.name,
        "as_of": instant(views.sources.now),
        "complete_to": instant(complete_to(views.sources.freshness, involved)),
        "timeframe": timeframe,
        "today": today.isoformat(),
        "totals": _totals(members, weight),
        "dimensions": [_ledger(one) for one in ledgers],
        "unlinked": {"epics": unlinked.get("epics", 0), "items": unlinked.get("items", 0)},
        "unplanned": _unplanned(members),
        "capacity": [_load(one) for one in load],
        "ranking": [_rank(one, views) for one in ranks],
        "risk_level": level_of([*(one.level for one in found), *(one.severity for _, one in general)]),
        "risks": [_risk(one, views) for one in sorted(found, key=lambda one: -LEVELS.index(one.level))],
        "general_risks": [{"subject": subject, **_signal(one)} for subject, one in general],
        "opportunities": [
            {"subject": subject, "title": _title(views, subject), **_signal(one, severity=False)}
            for subject, one in opportunities(views, members, ranks, load)
        ],
        "roadmap": [_stay(one, views) for one in roadmap(members, views, workspace.timeframes)],
        "flow": {
            "portfolio": asdict(paces[EVERYTHING]) if EVERYTHING in paces else None,
            "teams": [{"team": team, **asdict(one)} for team, one in teams.items()],
            "initiatives": [
                {"id": one.initiative.id, **asdict(paces[one.initiative.id])}
                for one in members
                if one.initiative.id in paces
            ],
        },
    }


def _timeframes(views: Views, timeframe: str) -> list[str]:
    """Return the timeframes that capacities are looked at in, in the order of the file."""
    known, today = views.sources.workspace.timeframes, views.sources.today
    if timeframe == "all":
        return list(known)
    if timeframe == "current":
        return [one.id for one in known.values() if one.start <= today <= one.end]
    return [timeframe]


def _totals(members: Sequence[Member], weight: Weight) -> Json:
    return {
        "initiatives": len(members),
        "planned_weeks": fsum((one.planned or 0.0) * one.part for one in members),
        "done_weeks": fsum((one.done or 0.0) * one.part for one in members),
        "in_flight_weeks": fsum((one.in_flight or 0.0) * one.part for one in members),
        "items": weight.total_items,
        "done_items": weight.done_items,
        "progress": weight.progress,
    }


def _unplanned(members: Sequence[Member]) -> Json:
    """Initiatives without planned weeks: their work is told in items."""
    without = [one for one in members if one.planned is None]
    return {"initiatives": [one.initiative.id for one in without], "items": fsum(one.items for one in without)}


def _ledger(one: Ledger) -> Json:
    return {
        "dimension": one.dimension,
        "derived": ["done_weeks", "in_flight_weeks"],
        "rows": [_row(r) for r in one.rows],
    }


def _row(row: Row) -> Json:
    return {
        "value": row.value,
        "planned_weeks": row.planned,
        "planned_share": row.share,
        "target": row.target,
        "difference": row.difference,
        "flagged": row.flagged,
        "done_weeks": row.done,
        "in_flight_weeks": row.in_flight,
        "items": row.items,
        "unplanned_items": row.unplanned_items,
        "unlinked_items": row.unlinked_items,
        "initiatives": list(row.initiatives),
    }


def _load(one: Load) -> Json:
    return {
        "team": one.team,
        "timeframe": one.timeframe,
        "planned_weeks": one.planned,
        "capacity_weeks": one.capacity,
        "load": one.load,
        "flags": list(one.flags),
    }


def _rank(one: Rank, views: Views) -> Json:
    view = views.initiatives[one.id]
    return {
        "id": one.id,
        "title": view.initiative.title,
        "benefit": one.benefit,
        "planned_weeks": view.initiative.planned_weeks,
        "value_rate": one.value_rate,
        "contribution": one.contribution,
        "open_contribution": one.open,
        "progress": view.progress.value,
        "state": view.progress.state,
        "health": str(view.verdict.health),
    }


def _risk(one: Risk, views: Views) -> Json:
    return {
        "id": one.id,
        "kind": _kind(views, one.id),
        "title": _title(views, one.id),
        "risk_level": one.level,
        "signals": [_signal(signal) for signal in one.signals],
        "drivers": [{"id": id_, **_signal(signal)} for id_, signal in one.drivers],
    }


def _signal(one: Signal, *, severity: bool = True) -> Json:
    said: Json = {"name": one.name, "value": one.value, "reason": one.reason}
    return {"severity": one.severity, **said} if severity else said


def _stay(one: Stay, views: Views) -> Json:
    timeframe = views.sources.workspace.timeframes.get(one.timeframe or "")
    return {
        "timeframe": one.timeframe,
        "start": timeframe.start.isoformat() if timeframe else None,
        "end": timeframe.end.isoformat() if timeframe else None,
        "initiatives": [_on_road(id_, views) for id_ in one.initiatives],
    }


def _on_road(id_: str, views: Views) -> Json:
    view = views.initiatives[id_]
    return {
        "id": id_,
        "title": view.initiative.title,
        "team": view.initiative.team,
        "start": view.initiative.start.isoformat() if view.initiative.start else None,
        "due": view.due.isoformat() if view.due else None,
        "planned_weeks": view.initiative.planned_weeks,
        "progress": view.progress.value,
        "state": view.progress.state,
        "health": str(view.verdict.health),
        "forecast": forecast_json(view.forecast),
    }


def _kind(views: Views, id_: str) -> str:
    if id_ in views.objectives:
        return "objective"
    return "key_result" if id_ in views.key_results else "initiative"


def _title(views: Views, id_: str) -> str | None:
    """Return the title of a subject, None where it is no subject but a team."""
    if id_ in views.objectives:
        return views.objectives[id_].objective.title
    if id_ in views.key_results:
        return views.key_results[id_].key_result.title
    return views.initiatives[id_].initiative.title if id_ in views.initiatives else None
