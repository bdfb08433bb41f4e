"""Where everything stands now: the present out of the store, through the sums, as the documents of `show`.

Light on purpose: no engine and no client is loaded, so that asking costs little more than starting Python.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from domain.errors import UsageError
from domain.facts import Freshness
from domain.okr import Contribution, Initiative, Status
from domain.workspace import Workspace
from rollup import report as reports
from rollup.features import forecasts as ahead
from rollup.forecast import Forecast
from rollup.health import Close
from rollup.views import Views, evaluate
from storage.views import Present

Doc = dict[str, Any]  # Any: a JSON document

NOTHING = Present(
    digest=None,
    subjects={},
    created={},
    check_ins=(),
    complete_to={},
    unlinked={},
    valid_until=None,
    forecasts={},
    forecast_day=None,
)
"""an empty store"""


def is_current(present: Present | None, workspace: Workspace, now: datetime) -> bool:
    """Return whether the store was mapped with this file, no rollup has outlived its day, and the rest is today's."""
    day = today(workspace, now)
    if present is None or present.digest != workspace.digest or present.forecast_day != day:
        return False
    if present.closes_day != day or present.closes_due:
        return False
    return present.valid_until is None or day < present.valid_until


def today(workspace: Workspace, now: datetime) -> date:
    """Return the local date of an instant."""
    return now.astimezone(ZoneInfo(workspace.timezone)).date()


def report(workspace: Workspace, present: Present, *, timeframe: str, now: datetime) -> Doc:
    """Return the document of `show --json`."""
    made = created(present.created)
    return reports.report(
        workspace,
        {id_: progress for id_, (progress, _flow) in present.subjects.items()},
        check_ins=present.check_ins,
        overrides=present.overrides,
        manual_since=present.manual_since,
        freshness=freshness(workspace, present.complete_to, now),
        extra_initiatives=made,
        unlinked=present.unlinked,
        now=now,
        timeframe=timeframe,
        history=closes(workspace, present, now),
        forecasts=forecasts(workspace, present, made, now),
    )


def views(workspace: Workspace, present: Present, now: datetime) -> Views:
    """Evaluate every subject."""
    made = created(present.created)
    return evaluate(
        workspace,
        {id_: progress for id_, (progress, _flow) in present.subjects.items()},
        check_ins=present.check_ins,
        overrides=present.overrides,
        manual_since=present.manual_since,
        freshness=freshness(workspace, present.complete_to, now),
        extra_initiatives=made,
        now=now,
        history=closes(workspace, present, now),
        forecasts=forecasts(workspace, present, made, now),
    )


def closes(workspace: Workspace, present: Present, now: datetime) -> dict[str, tuple[Close, ...]]:
    """Return the closes of past days that health depends on, newest first, as kept for the day."""
    if present.closes_day != today(workspace, now):
        return {}
    return {
        id_: tuple(Close(day=date.fromisoformat(day), progress=progress, q=q) for day, progress, q in rows)
        for id_, rows in present.closes.items()
    }


def forecasts(
    workspace: Workspace, present: Present, made: Mapping[str, Initiative], now: datetime
) -> dict[str, Forecast]:
    """Return the forecast of each subject whose delivery is known: as kept for the day, else computed."""
    day = today(workspace, now)
    if present.forecast_day == day:
        return {id_: forecast_of(data) for id_, data in present.forecasts.items()}
    return ahead(workspace, present.subjects, made, today=day)


def forecast_of(data: Mapping[str, Any]) -> Forecast:
    """Return the forecast that was stored as JSON."""
    days = {name: date.fromisoformat(data[name]) if data[name] else None for name in ("p50", "p85", "p95")}
    return Forecast(**{**data, **days, "flags": tuple(data["flags"])})


def freshness(workspace: Workspace, complete_to: Mapping[str, datetime], now: datetime) -> dict[str, Freshness]:
    """Return up to when each connection is complete; stale after twice its `poll`, at least an hour."""
    found = {}
    for name, connection in workspace.connections.items():
        at = complete_to.get(name)
        patience = max(2 * connection.poll, timedelta(hours=1))
        found[name] = Freshness(connection=name, complete_to=at, stale=at is None or now - at > patience)
    return found


def show(workspace: Workspace, present: Present, id_: str | None, *, timeframe: str, now: datetime) -> Doc:
    """Return the document of `show`, or the part of it that belongs to one id."""
    if timeframe not in ("current", "all", *workspace.timeframes):
        known = ", ".join(workspace.timeframes) or "none"
        raise UsageError(f"There is no timeframe '{timeframe}'. The file has: {known}; or say current or all.")
    doc = report(workspace, present, timeframe="all" if id_ else timeframe, now=now)
    return part(doc, id_) if id_ else doc


def part(doc: Doc, id_: str) -> Doc:
    """Return the objective, key result or initiative `id_` of a report with what belongs to it."""
    key_results = [one for one in doc["key_results"] if id_ in (one["id"], one["objective"])]
    initiatives = {link["id"] for one in key_results for link in one["initiatives"]} | {id_}
    objectives = {one["objective"] for one in key_results if one["id"] == id_} | {id_}
    found = {
        **doc,
        "objectives": [one for one in doc["objectives"] if one["id"] in objectives],
        "key_results": key_results,
        "initiatives": [one for one in doc["initiatives"] if one["id"] in initiatives],
    }
    if not any(found[name] for name in ("objectives", "key_results", "initiatives")):
        known = [one["id"] for name in ("objectives", "key_results", "initiatives") for one in doc[name]]
        raise UsageError(f"There is no objective, key result or initiative '{id_}'. There are: {', '.join(known)}.")
    return found


KINDS = {"objectives": "objective", "key_results": "key_result", "initiatives": "initiative"}
"""lists of a report -> kinds of their entries"""
MOVING = ("expected", "summary")
"""what is another value a second later, while nothing happens"""


def entries_of(doc: Doc) -> dict[tuple[str, str], Doc]:
    """Return the entries of a report by kind and id."""
    return {(kind, one["id"]): one for name, kind in KINDS.items() for one in doc[name]}


def steady(entry: Doc) -> str:
    """Return the hash of what an entry says, less what moves with the hour of asking."""
    kept = {name: value for name, value in entry.items() if name not in MOVING}
    return hashlib.sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).hexdigest()


def is_news(doc: Doc, present: Present) -> bool:
    """Return whether a report says anything that was not published last."""
    return any(present.published.get(name) != steady(entry) for name, entry in entries_of(doc).items())


def created(stored: Mapping[str, Mapping[str, Any]]) -> dict[str, Initiative]:
    """Return the initiatives that rules made of items, out of their JSON."""
    return {id_: initiative_of(data) for id_, data in stored.items()}


def initiative_of(data: Mapping[str, Any]) -> Initiative:
    """Return the initiative that was stored as JSON."""
    value = dict(data)
    value["contributes"] = tuple(Contribution(**one) for one in value["contributes"])
    for name in ("start", "due"):
        value[name] = date.fromisoformat(value[name]) if value[name] else None
    value["status"] = Status(value["status"])
    value["work"] = ()
    value["was"] = ()
    return Initiative(**value)
