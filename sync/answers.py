"""What the reading commands answer: facts out of the store, through the sums, as JSON documents.

Asks no tracker; a file that changed since the store was mapped is applied first (`sync.refresh.catch_up`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from math import isfinite
from typing import Any

from domain.errors import UsageError
from domain.facts import Flow, Freshness, Progress
from domain.okr import CheckIn
from domain.workspace import Workspace
from rollup import report as reports
from rollup.explain import explain as explain_subject
from rollup.explain import explain_epic
from rollup.forecast import Forecast, outlook
from rollup.scope import scope_of
from rollup.views import Views, evaluate
from storage import checkpoints, links, okrs, rollups
from storage import items as store
from storage.engine import Transaction
from sync.context import Context
from sync.poll import COMPLETE
from sync.refresh import created, measure_of

Doc = dict[str, Any]  # Any: a JSON document


async def report(tx: Transaction, context: Context, *, timeframe: str, now: datetime) -> Doc:
    """Return the document of `show --json`."""
    made = await created(tx)
    stored = await rollups.load(tx)
    epics, items = await links.unlinked(tx)
    doc: Doc = reports.report(
        context.workspace,
        {id_: progress for id_, (progress, _) in stored.items()},
        check_ins=await okrs.all_check_ins(tx),
        freshness=await freshness(tx, context, now),
        extra_initiatives=made,
        unlinked={"epics": epics, "items": items},
        now=now,
        timeframe=timeframe,
        forecasts=forecasts(context, stored, made, now),
    )
    return doc


def forecasts(
    context: Context, stored: Mapping[str, tuple[Progress, Flow]], made: Mapping[str, Any], now: datetime
) -> dict[str, Forecast]:
    """Return the forecast of each subject whose delivery is known."""
    today = now.astimezone(context.zone).date()
    found = {}
    for id_, (progress, past) in stored.items():
        scope = scope_of(context.workspace, id_, made)
        found[id_] = outlook(
            past,
            progress=progress.value,
            start=scope.start,
            due=scope.due,
            today=today,
            policy=scope.policies.forecast,
        )
    return found


async def freshness(tx: Transaction, context: Context, now: datetime) -> dict[str, Freshness]:
    """Return up to when each connection is complete; stale after twice its `poll`, at least an hour."""
    complete = await checkpoints.of_stream(tx, COMPLETE)
    found = {}
    for name, connection in context.workspace.connections.items():
        at = datetime.fromisoformat(complete[name]) if complete.get(name) else None
        patience = max(2 * connection.poll, timedelta(hours=1))
        found[name] = Freshness(connection=name, complete_to=at, stale=at is None or now - at > patience)
    return found


async def show(context: Context, id_: str | None, timeframe: str) -> Doc:
    """Return the document of `show`, or the part of it that belongs to one id."""
    workspace = context.workspace
    if timeframe not in ("current", "all", *workspace.timeframes):
        known = ", ".join(workspace.timeframes) or "none"
        raise UsageError(f"There is no timeframe '{timeframe}'. The file has: {known}; or say current or all.")
    async with context.store.read() as tx:
        doc = await report(tx, context, timeframe="all" if id_ else timeframe, now=context.now())
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


async def views(tx: Transaction, context: Context) -> Views:
    """Evaluate every subject now."""
    now = context.now()
    made = await created(tx)
    stored = await rollups.load(tx)
    return evaluate(
        context.workspace,
        {id_: progress for id_, (progress, _) in stored.items()},
        check_ins=await okrs.all_check_ins(tx),
        freshness=await freshness(tx, context, now),
        extra_initiatives=made,
        now=now,
        forecasts=forecasts(context, stored, made, now),
    )


async def explain(context: Context, id_: str) -> Doc:
    """Return the document of `explain` for an objective, key result, initiative or item."""
    workspace = context.workspace
    async with context.store.read() as tx:
        made = await created(tx)
        if id_ in workspace.objectives:
            return explain_subject(await views(tx, context), id_, rollups.NO_FACTS)
        if id_ in workspace.key_results or id_ in workspace.initiatives or id_ in made:
            scope = scope_of(workspace, id_, made)
            found = await rollups.facts(tx, scope.shares, measure=measure_of(scope.policies), listed=True)
            return explain_subject(await views(tx, context), id_, found, scope=scope)
        await one_item(tx, workspace, id_)
        found = await rollups.facts(tx, None, measure=measure_of(workspace.policies), listed=True)
        return explain_epic(
            found,
            id_,
            workspace.policies,
            today=context.today,
            workspace=workspace,
            freshness=await freshness(tx, context, context.now()),
        )


async def one_item(tx: Transaction, workspace: Workspace, name: str) -> store.Stored:
    """Return the item that `connection:key` or a bare key names; raise UsageError with the candidates if not one."""
    connection, colon, key = name.partition(":")
    if colon and connection in workspace.connections:
        found = await store.by_key(tx, key, connection)
    else:
        found = await store.by_key(tx, name)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{row.item.connection}:{row.item.key}" for row in found)
        raise UsageError(f"'{name}' names {len(found)} items: {names}. Say which, with its connection in front.")
    known = ", ".join([*workspace.objectives, *workspace.key_results, *workspace.initiatives])
    raise UsageError(f"There is nothing called '{name}': no item has that key, and the file has {known or 'no ids'}.")


async def record(context: Context, key_result: str, value: float, *, day: datetime | None, note: str, by: str) -> Doc:
    """Record a check-in: for a day, as of its end (of today: as of now); raise UsageError where it cannot be."""
    found = context.workspace.key_results.get(key_result)
    if found is None:
        known = ", ".join(context.workspace.key_results) or "none"
        raise UsageError(f"There is no key result '{key_result}'. The file has: {known}.")
    if found.metric is None:
        raise UsageError(f"{key_result} has no metric: it is scored by delivery. Give it one in the workspace file.")
    if not isfinite(value):
        raise UsageError(f"{key_result}: {value} is not a number; the value before it stays.")
    now = context.now()
    local: date = day.date() if day is not None else context.today
    if local > context.today:
        raise UsageError(f"{key_result}: {local} is in the future.")
    as_of = now if local == context.today else datetime.combine(local, time(23, 59, 59), context.zone)
    entry = CheckIn(key_result=key_result, as_of=as_of, value=value, recorded_at=now, by=by, note=note)
    async with context.store.write() as tx:
        await okrs.add_check_in(tx, entry)
    return {"key_result": key_result, "value": value, "date": local, "note": note, "by": by}
