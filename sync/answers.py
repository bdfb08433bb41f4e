"""What the reading commands answer: facts out of the store, through the sums, as JSON documents.

Asks no tracker; a file that changed since the store was mapped is applied first (`sync.refresh.catch_up`).
"""

from __future__ import annotations

import asyncio
from datetime import date, datetime, time
from math import isfinite
from typing import Any

from domain.errors import UsageError
from domain.okr import CheckIn
from domain.workspace import Workspace
from rollup.explain import explain as explain_subject
from rollup.explain import explain_epic
from rollup.features import of_epic
from rollup.report import forecast_json
from rollup.scope import scope_of
from storage import audit, okrs, rollups
from storage import items as store
from storage.engine import Transaction
from storage.views import Present, present
from sync import present as presents
from sync.context import Context
from sync.present import NOTHING, created, freshness, views
from sync.refresh import measure_of

Doc = dict[str, Any]  # Any: a JSON document

EARLIEST = date(1970, 1, 1)
"""the first day that a check-in can be of"""


async def now_there(context: Context) -> Present:
    """Return the present of a context's store."""
    return await asyncio.to_thread(present, context.store.url) or NOTHING


async def report(context: Context, *, timeframe: str, now: datetime | None = None) -> Doc:
    """Return the document of `show --json`."""
    return presents.report(context.workspace, await now_there(context), timeframe=timeframe, now=now or context.now())


async def show(context: Context, id_: str | None, timeframe: str) -> Doc:
    """Return the document of `show`, or the part of it that belongs to one id."""
    return presents.show(context.workspace, await now_there(context), id_, timeframe=timeframe, now=context.now())


async def explain(context: Context, id_: str) -> Doc:
    """Return the document of `explain` for an objective, key result, initiative or item."""
    workspace = context.workspace
    there = await now_there(context)
    made = created(there.created)
    async with context.store.read() as tx:
        if id_ in workspace.objectives:
            return explain_subject(views(workspace, there, context.now()), id_, rollups.NO_FACTS)
        if id_ in workspace.key_results or id_ in workspace.initiatives or id_ in made:
            scope = scope_of(workspace, id_, made)
            found = await rollups.facts(tx, scope.shares, measure=measure_of(scope.policies), listed=True)
            return explain_subject(views(workspace, there, context.now()), id_, found, scope=scope)
        item = (await one_item(tx, workspace, id_)).item
        found = await rollups.facts(tx, None, measure=measure_of(workspace.policies), listed=True)
        doc = explain_epic(
            found,
            f"{item.connection}:{item.key}" if item.connection in workspace.connections else item.key,
            workspace.policies,
            today=context.today,
            workspace=workspace,
            freshness=freshness(workspace, there.complete_to, context.now()),
        )
        asked = id_.removeprefix(f"{item.connection}:")
        ahead = of_epic(
            found,
            (item.connection, item.id),
            workspace,
            start=item.start_date,
            due=item.due_date,
            today=context.today,
        )
        named = {"key": item.key, "former_key": asked if asked.lower() != item.key.lower() else None}
        return {**doc, **named, "due": item.due_date, "forecast": forecast_json(ahead)}


async def one_item(tx: Transaction, workspace: Workspace, name: str) -> store.Stored:
    """Return the item that `connection:key` or a bare key names, else the one that had that key before it moved.

    Raises UsageError with the candidates if it is not one.
    """
    connection, colon, key = name.partition(":")
    scoped = (key, connection) if colon and connection in workspace.connections else (name, None)
    found = await store.by_key(tx, *scoped) or await store.by_former_key(tx, *scoped)
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(f"{row.item.connection}:{row.item.key}" for row in found)
        raise UsageError(f"'{name}' names {len(found)} items: {names}. Say which, with its connection in front.")
    known = ", ".join([*workspace.objectives, *workspace.key_results, *workspace.initiatives])
    raise UsageError(f"There is nothing called '{name}': no item has that key, and the file has {known or 'no ids'}.")


async def record(
    context: Context,
    key_result: str,
    value: float,
    *,
    day: datetime | None,
    note: str,
    by: str,
    deed: audit.Deed | None = None,
) -> Doc:
    """Record a check-in: for a day, as of its end (of today: as of now); raise UsageError where it cannot be.

    `deed` is put to the account with it.
    """
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
    if local < EARLIEST:
        raise UsageError(f"{key_result}: {local} is long before there were key results. Is the year meant?")
    as_of = now if local == context.today else datetime.combine(local, time(23, 59, 59), context.zone)
    entry = CheckIn(key_result=key_result, as_of=as_of, value=value, recorded_at=now, by=by, note=note)
    async with context.store.write() as tx:
        await okrs.add_check_in(tx, entry)
        if deed is not None:
            await audit.note(tx, deed)
    return {"key_result": key_result, "value": value, "date": local, "note": note, "by": by}
