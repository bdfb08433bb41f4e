"""Who hangs below the scope: ancestors of changed issues, read upwards.

The way down, from parents to children, is in `listing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from connectors.http import Client
from connectors.jira import queries
from connectors.jira.listing import LEVELS, matching
from connectors.jira.site import Site, find, parent_of


async def inside(client: Client, site: Site, parents: Mapping[str, str], up: Sequence[str]) -> list[str]:
    """Return those of the keys of `parents` that have an ancestor in scope; parents may be ids or keys."""
    above: dict[str, str | None] = {}
    alias: dict[str, str] = {}
    ask = list(dict.fromkeys(parents.values()))
    for _ in range(LEVELS):
        if not ask:
            break
        higher: list[str] = []
        for at in range(0, len(ask), queries.BULK):
            for issue in await _ancestors(client, site, ask[at : at + queries.BULK], up):
                id, key, parent = str(issue["id"]), str(issue.get("key")), parent_of(issue, up)
                alias[key] = alias[id] = id
                above[id] = parent
                if parent:
                    higher.append(parent)
        ask = [name for name in dict.fromkeys(higher) if name not in alias]
    scoped: set[str] = set()
    all_above = list(above)
    for at in range(0, len(all_above), queries.BULK):
        call_ids = all_above[at : at + queries.BULK]
        async with aclosing(matching(client, site, queries.among(site.scope, call_ids))) as lists:
            async for found in lists:
                scoped.update(found)

    def has_scope_above(name: str | None) -> bool:
        for _ in range(LEVELS):
            id = alias.get(name or "")
            if id is None:
                return False
            if id in scoped:
                return True
            name = above.get(id)
        return False

    return [id for id, parent in parents.items() if has_scope_above(parent)]


async def _ancestors(client: Client, site: Site, names: list[str], up: Sequence[str]) -> list[dict[str, Any]]:
    if not site.server:
        return (await find(client, queries.bulk_fetch(names, up))).issues
    jql = f"issuekey in ({', '.join(queries.quoted(name) for name in names)})"
    return (await find(client, queries.server_search(jql, up, len(names), validate=False))).issues
