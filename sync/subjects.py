"""Which subjects a row of `publish` is about: of the report, or epics with their own delivery; and what `only` asks.

What is told about one, and where, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.facts import Progress
from domain.okr import Initiative, Override
from domain.work import Category, ItemRef
from domain.workspace import PublishRow
from rollup import progress as sums
from rollup.summary import sentence
from rollup.views import epic_verdict
from storage import items, links, overrides, rollups
from storage.engine import Transaction
from storage.items import Stored
from sync.answers import Doc
from sync.context import Context
from sync.matchers import subject_matches
from sync.refresh import measure_of

KINDS = {"epics": "epic", "initiatives": "initiative", "key_results": "key_result", "objectives": "objective"}
"""what a row is about -> kind of each of its subjects"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One subject of a row. `external` is where it lives elsewhere, `item` the item and its key that an epic is."""

    kind: str
    id: str
    entry: Doc
    external: Mapping[str, str] = field(default_factory=dict)
    item: tuple[ItemRef, str] | None = None


async def subjects_of(
    tx: Transaction, context: Context, row: PublishRow, doc: Doc, current: Doc, made: Mapping[str, Initiative]
) -> list[Subject]:
    """Return the subjects of a row; those of current timeframes unless it names one.

    `doc` and `current` are the reports of all and of current timeframes, `made` the initiatives that rules made.
    """
    whole = row.only is not None and names(row.only, "timeframe")
    if row.what == "epics":
        found = await epics(tx, context, row, {one["id"] for one in (doc if whole else current)["initiatives"]})
    else:
        entries = (doc if whole else current)[row.what]
        found = [_subject(context, KINDS[row.what], entry, made) for entry in entries]
    only = row.only
    return [one for one in found if only is None or subject_matches(only, one.entry["asked"])]


def _subject(context: Context, kind: str, entry: Doc, made: Mapping[str, Initiative]) -> Subject:
    workspace, id_ = context.workspace, entry["id"]
    owners: Mapping[str, Any] = {  # Any: an objective, key result or initiative
        "initiative": {**made, **workspace.initiatives},
        "key_result": workspace.key_results,
        "objective": workspace.objectives,
    }[kind]
    owner = owners.get(id_)
    asked: dict[str, object] = {"id": id_, "kind": kind, "title": entry["title"], "health": entry["health"]}
    for name in ("team", "owner", "timeframe"):
        asked[name] = getattr(owner, name, None)
    asked["status"] = owner.status.value if owner is not None else "active"
    asked["dimensions"] = dict(owner.dimensions) if owner is not None else {}
    external = dict(owner.external) if owner is not None else {}
    return Subject(kind=kind, id=id_, entry={**entry, "asked": asked}, external=external)


def names(matcher: object, field_name: str) -> bool:
    """Return whether a matcher looks at a field."""
    if getattr(matcher, "field", None) == field_name:
        return True
    inner = getattr(matcher, "inner", ())
    return any(names(one, field_name) for one in (inner if isinstance(inner, tuple) else (inner,)))


async def epics(tx: Transaction, context: Context, row: PublishRow, initiatives: Iterable[str]) -> list[Subject]:
    """Return the epics of a row's connection (of all, where it has none) that count for one of some initiatives."""
    wanted = await links.epics_of(tx, list(initiatives), row.connection)
    policies = context.workspace.policies
    delivery = sums.epics(
        await rollups.facts(tx, None, measure=measure_of(policies)) if wanted else rollups.NO_FACTS,
        policies,
        today=context.today,
    )
    stated: dict[str, list[Override]] = {}
    for one in await overrides.all_overrides(tx):
        stated.setdefault(one.subject, []).append(one)
    found = []
    for connection, ids in wanted.items():
        for stored in (await items.versions(tx, connection, ids)).values():
            own = delivery.get((connection, stored.item.id)) or sums.lone(stored.item.category.value)
            found.append(_epic(context, stored, own, stated.get(str(stored.item.ref), ())))
    return sorted(found, key=lambda one: one.id)


def _epic(context: Context, stored: Stored, own: Progress, stated: Iterable[Override]) -> Subject:
    item = stored.item
    verdict = epic_verdict(
        str(item.ref),
        own,
        start=item.start_date,
        due=item.due_date,
        now=context.now(),
        zone=context.zone,
        policies=context.workspace.policies,
        overrides=stated,
    )
    asked = {
        "id": item.key,
        "kind": "epic",
        "title": item.title,
        "health": str(verdict.health),
        "team": item.team,
        "owner": item.assignees[0] if item.assignees else None,
        "timeframe": None,
        "status": "canceled" if item.category is Category.CANCELED else "active",
        "dimensions": dict(stored.dimensions),
    }
    entry: Doc = {
        "id": str(item.ref),
        "title": item.title,
        "progress": own.value,
        "state": own.state,
        "health": str(verdict.health),
        "health_reasons": list(verdict.reasons),
        "flags": list(own.flags),
        "coverage": None,
        "counts": dict(own.counts),
        "items": own.items,
        "summary": sentence(health=verdict.health, progress=own.value, state=own.state, expected=verdict.expected),
        "asked": asked,
    }
    return Subject(kind="epic", id=str(item.ref), entry=entry, item=(item.ref, item.key))
