"""What is not counted and why: unlinked work, rules that never match, links to nothing, orphans, proposals.

One pass over the store; a proposal is only ever printed, never applied.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from domain.work import Link, WorkItem
from storage import items as store
from storage import links as link_store
from storage import okrs
from storage.engine import Transaction
from sync import proposals
from sync.context import Context
from sync.ingest import parents_of
from sync.mapping import project_names
from sync.refresh import created

Doc = dict[str, Any]  # Any: a JSON document


async def coverage(context: Context) -> Doc:
    """Return the document of `coverage`."""
    workspace = context.workspace
    async with context.store.read() as tx:
        made = await created(tx)
        scopes = await link_store.load_scopes(tx)
        unlinked: list[WorkItem] = []
        linked: list[tuple[tuple[str, ...], set[str]]] = []
        own: list[tuple[str, str, Link]] = []
        hits: Counter[str] = Counter()
        projects: set[tuple[str, str]] = set()
        async for chunk in store.stream(tx):
            projects |= {
                (row.item.connection, name.casefold())
                for row in chunk
                if not row.item.deleted
                for name in project_names(row.item)
            }
            hits.update(await fired(tx, context, chunk))
            for row in chunk:
                own += [(str(row.item.ref), row.item.key, link) for link, _also in row.own]
                if row.item.deleted or row.mirror_of is not None:
                    continue
                initiatives = {link.initiative for link in scopes.get(row.scope, ())}
                if not initiatives:
                    unlinked.append(row.item)
                elif row.item.labels:
                    linked.append((row.item.labels, initiatives))
        orphaned = [{"id": id_, "kind": kind, "title": title} for id_, kind, title in await okrs.orphaned(tx)]
        statuses = await store.unmapped_statuses(tx)
        keys = await named_keys(tx, context)
    return {
        "unlinked": proposals.unlinked_work(unlinked),
        "dead_rules": proposals.dead_rules(workspace.rules, hits),
        "dangling": proposals.dangling(workspace, own, made)
        + proposals.dangling_contributions(workspace, made.values()),
        "missing_keys": proposals.missing_work(
            workspace.initiatives.values(),
            lambda connection, key: (connection, key.casefold()) in keys,
            lambda connection, name: (connection, name.casefold()) in projects,
        ),
        "orphaned": orphaned,
        "unmapped_statuses": proposals.unmapped_statuses(statuses),
        "proposals": proposals.proposals(
            (item for item in unlinked if proposals.counts(item)), linked, workspace, made.values()
        ),
    }


async def fired(tx: Transaction, context: Context, chunk: list[store.Stored]) -> list[str]:
    """Return the names of the rules that gave items of a chunk a link or a dimension, once for each item."""
    touched = [row for row in chunk if row.own or row.dimensions]
    parents = await parents_of(tx, [row.item for row in touched]) if context.mapper.uses_parent else {}
    names: list[str] = []
    for row in touched:
        item = row.item
        parent = parents.get((item.connection, item.parent_id)) if item.parent_id else None
        found = context.mapper.own(item, parent, None, item.former_keys).rules
        by_link = [link.rule.removeprefix("rule:") for link, _also in row.own if link.rule.startswith("rule:")]
        names += {*found, *by_link}
    return names


async def named_keys(tx: Transaction, context: Context) -> set[tuple[str, str]]:
    """Return the (connection, folded key) of the keys named under `work` that the store has."""
    selectors = [one for initiative in context.workspace.initiatives.values() for one in initiative.work]
    wanted = [(one.connection, key) for one in selectors for key in one.keys]
    found = await link_store.refs_of_keys(tx, wanted)
    keys = {(connection, key.casefold()) for connection, key in found}
    return keys | await former(tx, [pair for pair in wanted if pair not in found])


async def former(tx: Transaction, missing: list[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return which of the missing keys are former names of items that still have a link by them."""
    if not missing:
        return set()
    asked = {(connection, key.casefold()) for connection, key in missing}
    found: set[tuple[str, str]] = set()
    async for chunk in store.stream(tx):
        for row in chunk:
            found |= {(row.item.connection, key.casefold()) for key in row.item.former_keys} & asked
    return found
