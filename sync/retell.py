"""The past in the documents of `show` and `explain`: as of a day, with what changed since one, as a burn-up.

What was is computed in `history`; what was published is asked of the journal and never computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from domain.errors import UsageError
from domain.okr import Initiative
from rollup.burnup import Json, closed_at, day_json
from rollup.days import ONE_DAY, local_day
from rollup.explain import explain as explain_subject
from rollup.explain import explain_epic
from rollup.report import instant
from rollup.scope import period, scope_of
from rollup.since import change_json, objective_changes, outcome_changes, with_restated
from storage import journal
from storage.rollups import NO_FACTS
from storage.views import Present
from sync import answers
from sync.answers import Doc, now_there, one_item
from sync.closes import closes, kept_rows
from sync.context import Context
from sync.history import facts_at, judged, lives, moment, present_at, replay_of, subject_scope
from sync.present import created, freshness, views
from sync.present import show as show_present
from sync.refresh import measure_of
from sync.scene import Scene


async def standing(context: Context, day: date) -> Present:
    """Return the present of a day, with the closes before it that its health depends on."""
    there = await present_at(context, day)
    if day == context.today:
        return there
    async with context.store.read() as tx:
        found = await closes(tx, context, there, moment(context, day))
    return replace(there, closes={id_: kept_rows(past) for id_, past in found.items()}, closes_day=day)


async def show(context: Context, id_: str | None, timeframe: str, day: date) -> Doc:
    """Return the document of `show` as of a day; how much was not linked then is not known."""
    there = await standing(context, day)
    doc = show_present(context.workspace, there, id_, timeframe=timeframe, now=moment(context, day))
    return doc if day == context.today else {**doc, "unlinked": {"epics": None, "items": None}}


async def explain(
    context: Context, id_: str, *, as_of: date | None = None, since: date | None = None, burnup: bool = False
) -> Doc:
    """Return the document of `explain`, as of a day or now, with what changed since another and with the burn-up."""
    day = as_of or context.today
    doc = await (answers.explain(context, id_) if day == context.today else explain_at(context, id_, day))
    if since is not None:
        doc = await with_changes(context, doc, id_, since, day)
    return await with_burnup(context, doc, id_, day) if burnup else doc


async def explain_at(context: Context, id_: str, day: date) -> Doc:
    """Return the document of `explain` as of a day, with today's file over all that is known of the past."""
    workspace = context.workspace
    at = moment(context, day)
    there = await standing(context, day)
    made = created(there.created)
    if id_ in workspace.objectives:
        doc = explain_subject(views(workspace, there, at), id_, NO_FACTS)
    elif id_ in workspace.key_results or id_ in workspace.initiatives or id_ in made:
        scope = scope_of(workspace, id_, made)
        found, _ = await facts_at(context, scope, at)
        doc = explain_subject(views(workspace, there, at), id_, found, scope=scope)
    else:
        async with context.store.read() as tx:
            item = (await one_item(tx, workspace, id_)).item
            ref = (item.connection, item.id)
            known = await lives(tx, context, (), at, measure=measure_of(workspace.policies), below=[ref])
        name = f"{item.connection}:{item.key}" if item.connection in workspace.connections else item.key
        stood = Scene(known, context.zone, at)
        if ref not in stood.now or not stood.now[ref].there:
            raise UsageError(f"{id_} did not exist on {day}: it was created {item.created_at.date()}.")
        doc = explain_epic(
            stood.facts(listed=True),
            name,
            workspace.policies,
            today=local_day(at, context.zone),
            workspace=workspace,
            freshness=freshness(workspace, there.complete_to, at),
        )
        doc = {**doc, "key": item.key}
    return {**doc, "as_of": instant(at)}


async def with_changes(context: Context, doc: Doc, id_: str, since: date, until: date) -> Doc:
    """Return an explanation with what changed after the close of a day; the effects sum to the change.

    Where something had been published by then, the change is against that: what no event explains is `restated`.
    """
    if since >= until:
        raise UsageError(f"Nothing lies between the close of {since} and {until}: name a day before it with --since.")
    start, end = moment(context, since), moment(context, until)
    workspace = context.workspace
    there = await present_at(context, since)
    made = created(there.created)
    changes: list[Json] = []
    recomputed: float | None
    if id_ in workspace.objectives:
        then = views(workspace, there, start)
        now = views(workspace, await present_at(context, until), end)
        recomputed = then.objectives[id_].value
        changes = objective_changes(then, now, id_)
    elif (kr := workspace.key_results.get(id_)) is not None and kr.metric is not None:
        then = views(workspace, there, start)
        began, _ = period(workspace, kr)
        when = judged(scope_of(workspace, id_, made), end, context)
        recomputed = then.key_results[id_].value
        spoken = [one for one in (await now_there(context)).check_ins if one.key_result == id_]
        changes = outcome_changes(kr, kr.metric, spoken, start=began, since=start, until=when.at, zone=context.zone)
    else:
        async with context.store.read() as tx:
            scope, top = await subject_scope(tx, context, id_, made)
            found = await replay_of(tx, context, scope, start, end, top=top)
        recomputed = found.before.value
        changes = [change_json(change) for change in found.changes]
    async with context.store.read() as tx:
        rows = [row for row in await journal.as_of(tx, start, id_) if row.entry is not None]
    last = rows[-1] if rows else None
    told = last.entry["progress"] if last is not None and last.entry is not None else None
    edited = last is not None and last.file != workspace.digest
    why = "the workspace file was edited since" if edited else "history that was read later than it happened"
    return {
        **doc,
        "since": since.isoformat(),
        "before": {
            "progress": recomputed,
            "published": told,
            "published_at": instant(last.at) if last is not None else None,
        },
        "changes": with_restated(
            changes,
            published=told if last is not None else recomputed,
            recomputed=recomputed,
            now=doc["progress"],
            why=why,
        ),
    }


async def with_burnup(context: Context, doc: Doc, id_: str, until: date) -> Doc:
    """Return an explanation with done and scope at each close since the start, of what is made of items."""
    if id_ in context.workspace.objectives:
        return doc
    made = created((await now_there(context)).created)
    return {**doc, "burnup": await days_of(context, id_, until, made)}


async def days_of(context: Context, id_: str, until: date, made: Mapping[str, Initiative]) -> list[Json]:
    """Return done and scope of a key result, an initiative or an epic at each close since its start.

    Without a start it begins with the first item. `made` are the initiatives that rules created.
    """
    async with context.store.read() as tx:
        scope, top = await subject_scope(tx, context, id_, made)
        begins = closed_at(scope.start - ONE_DAY, context.zone) if scope.start is not None else None
        if scope.start is not None and scope.start > until:
            return []
        found = await replay_of(tx, context, scope, begins, moment(context, until), top=top)
    return [day_json(day) for day in found.days]
