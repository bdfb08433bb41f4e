"""Everything out, a record at a time, in the shapes that scripts rely on.

Order is fixed (connection, id) and what moves with the clock alone is left out, so that two exports of one
state are the same bytes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from domain.facts import Progress
from domain.okr import Override
from domain.work import Level, Link, WorkItem
from rollup import progress as sums
from rollup.report import override_json
from rollup.scope import all_initiatives
from rollup.views import epic_verdict
from storage import items as store
from storage import links as link_store
from storage import okrs, overrides, publications, rollups
from sync.answers import now_there, report
from sync.context import Context
from sync.present import created
from sync.refresh import measure_of
from sync.retell import days_of

Doc = dict[str, Any]  # Any: a JSON document

KINDS = ("items", "epics", "initiatives", "key-results", "history", "check-ins", "links", "publications")
"""what `all` hands out; the burn-up, made of the history, is computed for who asks for it"""


def item_document(item: WorkItem, links: Sequence[Link], dimensions: Mapping[str, object]) -> Doc:
    """Return an item as `export items` and `parse` print it."""
    return {
        "connection": item.connection,
        "tracker": item.tracker,
        "id": item.id,
        "key": item.key,
        "url": item.url,
        "title": item.title,
        "type": item.type,
        "level": item.level.value,
        "status": item.status,
        "category": item.category.value,
        "stage": item.stage,
        "resolution": item.resolution,
        "estimate": item.estimate,
        "parent_id": item.parent_id,
        "parent_key": item.parent_key,
        "containers": list(item.containers),
        "project": item.project,
        "labels": list(item.labels),
        "assignees": list(item.assignees),
        "team": item.team,
        "sprint": item.sprint,
        "milestone": item.milestone,
        "created_at": item.created_at,
        "updated_at": item.updated_at,
        "started_at": item.started_at,
        "completed_at": item.completed_at,
        "canceled_at": item.canceled_at,
        "start_date": item.start_date,
        "due_date": item.due_date,
        "archived": item.archived,
        "deleted": item.deleted,
        "inaccessible": item.inaccessible,
        "flags": list(item.flags),
        "fields": dict(item.fields),
        "dimensions": dict(dimensions),
        "links": [
            {"initiative": link.initiative, "rule": link.rule, "inherited_from": link.inherited_from} for link in links
        ],
    }


async def records(context: Context, what: str) -> AsyncGenerator[Doc, None]:
    """Yield the records of one kind, or of all kinds with their kind in front."""
    for kind in KINDS if what == "all" else (what,):
        async with aclosing(SOURCES[kind](context)) as found:
            async for record in found:
                yield {"kind": kind, **record} if what == "all" else record


async def items(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every item, tombstones too."""
    async with context.store.read() as tx:
        links = await link_store.load_scopes(tx)
        async for chunk in store.stream(tx):
            for row in chunk:
                yield item_document(row.item, links.get(row.scope, ()), row.dimensions)


async def links(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every link of every item."""
    async with aclosing(items(context)) as found:
        async for record in found:
            for link in record["links"]:
                yield {"connection": record["connection"], "id": record["id"], "key": record["key"], **link}


async def epics(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every epic with its own delivery over its leaf items."""
    async with context.store.read() as tx:
        policies = context.workspace.policies
        found = await rollups.facts(tx, None, measure=measure_of(policies))
        progress = sums.epics(found, policies, today=context.today)
        said: dict[str, list[Override]] = {}
        for one in await overrides.all_overrides(tx):
            said.setdefault(one.subject, []).append(one)
        async for chunk in store.stream(tx):
            for row in chunk:
                item = row.item
                if item.level is Level.EPIC and not item.deleted:
                    own = progress.get((item.connection, item.id)) or sums.lone(item.category.value)
                    yield epic_document(context, item, own, said.get(str(item.ref), ()))


def epic_document(context: Context, item: WorkItem, own: Progress, said: Sequence[Override] = ()) -> Doc:
    """Return an epic as `export epics` prints it; `said` are the overrides of its health."""
    verdict = epic_verdict(
        str(item.ref),
        own,
        start=item.start_date,
        due=item.due_date,
        now=context.now(),
        zone=context.zone,
        policies=context.workspace.policies,
        overrides=said,
    )
    return {
        "connection": item.connection,
        "id": item.id,
        "key": item.key,
        "title": item.title,
        "category": item.category.value,
        "counts": dict(own.counts),
        "size_total": own.size_total,
        "size_done": own.size_done,
        "points_total": own.points_total,
        "points_done": own.points_done,
        "unestimated": own.unestimated,
        "progress": own.value,
        "state": own.state,
        "health": verdict.health.value,
        "override": override_json(verdict),
    }


async def initiatives(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every initiative as `show` has it, without what is expected by now."""
    for entry in (await report(context, timeframe="all"))["initiatives"]:
        yield timeless(entry)


async def key_results(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every key result as `show` has it, without what is expected by now."""
    for entry in (await report(context, timeframe="all"))["key_results"]:
        yield timeless(entry)


def timeless(entry: Doc) -> Doc:
    """Return an entry of the report without what is another number a second later."""
    return {name: value for name, value in entry.items() if name != "expected"}


async def history(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every known change of every item."""
    async with context.store.read() as tx:
        async for chunk in store.all_transitions(tx):
            for entry in chunk:
                yield {
                    "connection": entry.connection,
                    "item_id": entry.item_id,
                    "id": entry.id,
                    "at": entry.at,
                    "field": entry.field,
                    "before": entry.before,
                    "after": entry.after,
                    "before_id": entry.before_id,
                    "after_id": entry.after_id,
                }


async def burn_up(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield done and scope of every key result and initiative by day, with what moved its progress on that day."""
    made = created((await now_there(context)).created)
    subjects = dict.fromkeys(context.workspace.key_results, "key_result")
    subjects |= dict.fromkeys(all_initiatives(context.workspace, made), "initiative")
    for id_, kind in subjects.items():
        for day in await days_of(context, id_, context.today, made):
            yield {"subject_kind": kind, "subject": id_, **day}


async def check_ins(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield every check-in."""
    async with context.store.read() as tx:
        for entry in await okrs.all_check_ins(tx):
            yield {
                "key_result": entry.key_result,
                "as_of": entry.as_of,
                "value": entry.value,
                "note": entry.note,
                "by": entry.by,
                "recorded_at": entry.recorded_at,
            }


async def told(context: Context) -> AsyncGenerator[Doc, None]:
    """Yield the log of publishing: who told a place what, when and why, and what else became of it."""
    async with context.store.read() as tx:
        async for chunk in publications.every(tx):
            for deed in chunk:
                yield {
                    "at": deed.at,
                    "target": deed.place.target,
                    "subject_kind": deed.place.kind,
                    "subject": deed.place.subject,
                    "address": deed.key,
                    "action": deed.action,
                    "by": deed.by,
                    "period": deed.period,
                    "reason": deed.reason,
                    "before": deed.before,
                    "after": deed.after,
                }


SOURCES = {
    "items": items,
    "epics": epics,
    "initiatives": initiatives,
    "key-results": key_results,
    "history": history,
    "burn-up": burn_up,
    "check-ins": check_ins,
    "links": links,
    "publications": told,
}
