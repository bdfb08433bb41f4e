"""Every id in scope: counted, listed to the provable end, and followed down to descendants.

Ids alone; issues are read in `client`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

from connectors.base import Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.site import LANES, MAX_PAGES, Found, Site, find, site_of
from connectors.lanes import each, side_by_side
from domain.errors import VendorUnavailableError
from domain.workspace import Connection

EMPTY_PAGES = 5
"""in a row, each with a token for more, before a listing is given up"""
SERVER_PAGE = 1000
LEVELS = 10
"""of descendants; deeper trees are cut"""


async def count(client: Client, connection: Connection, reading: Reading) -> int | None:
    """Return Jira's own estimate of the issues in scope; None where descendants come along, which it cannot count."""
    site = site_of(client, connection, reading)
    return None if site.children else await count_of(client, site, site.scope)


async def count_of(client: Client, site: Site, clause: str) -> int:
    call = queries.server_search(clause, ["id"], 0) if site.server else queries.approximate_count(clause)
    told = await client.json(call)
    number = told.get("total" if site.server else "count") if isinstance(told, dict) else None
    if not isinstance(number, int):
        raise VendorUnavailableError(f"{client.name}: Jira's count of the scope is not a number.")
    return number


async def ids(client: Client, connection: Connection, reading: Reading) -> AsyncIterator[list[str]]:
    """Yield every id in scope once, in pages: the census."""
    site = site_of(client, connection, reading)
    async with aclosing(listing_of(client, connection, site)) as listing:
        async for _, found in listing:
            yield found


async def listing_of(client: Client, connection: Connection, site: Site) -> AsyncGenerator[tuple[str, list[str]], None]:
    """Yield (clause that the ids were listed by, ids); the clause is empty for descendants."""
    seen: set[str] = set()
    for clause in streams(connection, site):
        listing = server_ids(client, clause) if site.server else cloud_ids(client, clause)
        async with aclosing(listing):
            async for found in listing:
                if site.children:
                    found = [id for id in found if id not in seen]
                    seen.update(found)
                if found:
                    yield clause, found
    if site.children:
        async with aclosing(descendants(client, site, list(seen), seen)) as below:
            async for found in below:
                yield "", found


def streams(connection: Connection, site: Site) -> list[str]:
    """Return the clauses to list by: Data Center compares ids within one project only, so one for each project."""
    keys = queries.project_keys(connection)
    if site.server and keys and not connection.scope.get("jql"):
        return [f"project = {queries.quoted(key)}" for key in keys]
    return [site.scope]


async def cloud_ids(client: Client, clause: str) -> AsyncGenerator[list[str], None]:
    async with aclosing(cloud_pages(client, queries.listed(clause), ["id"], queries.ID_PAGE)) as pages:
        async for found in pages:
            if found.issues:
                yield found.ids


async def cloud_pages(client: Client, jql: str, fields: Sequence[str], size: int) -> AsyncGenerator[Found, None]:
    """Follow the page tokens to the end; a token that comes again, or ever empty pages, end in an error."""
    token: str | None = None
    used: set[str] = set()
    empty = 0
    for _ in range(MAX_PAGES):
        found = await find(client, queries.search(jql, fields, size, token))
        yield found
        token = found.page.get("nextPageToken") or None
        if not token or found.page.get("isLast") is True:
            return
        if token in used:
            raise VendorUnavailableError(
                f"{client.name}: the tracker repeated a page token of POST /search/jql; "
                "the listing was stopped. Run again."
            )
        used.add(token)
        empty = 0 if found.issues else empty + 1
        if empty >= EMPTY_PAGES:
            raise VendorUnavailableError(
                f"{client.name}: the tracker answered {empty} empty pages of POST /search/jql in a row, each "
                "promising more; the listing was stopped. Run again."
            )
    raise VendorUnavailableError(f"{client.name}: a listing of POST /search/jql did not end after {MAX_PAGES} pages.")


async def server_ids(client: Client, clause: str) -> AsyncGenerator[list[str], None]:
    """List by ``id > last``, which no change under way can shift; what that leaves out is found by plain paging."""
    seen: set[str] = set()
    total = last = None
    for _ in range(MAX_PAGES):
        jql = queries.listed(f"{clause} AND id > {last}" if last else clause)
        found = await find(client, queries.server_search(jql, ["id"], SERVER_PAGE))
        fresh = [id for id in found.ids if id not in seen]
        if total is None:
            total = int(found.page.get("total") or 0)
        if not fresh:
            break
        seen.update(fresh)
        yield fresh
        last = fresh[-1]
        if len(found.issues) >= int(found.page.get("total") or 0):
            break
    start = 0
    while total is not None and len(seen) < total and start < total:
        found = await find(client, queries.server_search(queries.listed(clause), ["id"], SERVER_PAGE, start))
        if not found.issues:
            break
        start += len(found.issues)
        if fresh := [id for id in found.ids if id not in seen]:
            seen.update(fresh)
            yield fresh


async def descendants(
    client: Client, site: Site, parents: list[str], seen: set[str]
) -> AsyncGenerator[list[str], None]:
    """Yield the ids below `parents` that are not in `seen` (which grows), level by level, a hundred parents a call."""
    for _ in range(LEVELS):
        level: list[str] = []
        groups = [parents[at : at + queries.BULK] for at in range(0, len(parents), queries.BULK)]

        async def below(group: list[str]) -> list[str]:
            clause = queries.children_jql(group, site.roles, server=site.server)
            listing = server_ids(client, clause) if site.server else cloud_ids(client, clause)
            async with aclosing(listing):
                return [id async for found in listing for id in found]

        async with aclosing(side_by_side(each(groups), below, LANES)) as results:
            async for found in results:
                fresh = [id for id in dict.fromkeys(found) if id not in seen]
                seen.update(fresh)
                level.extend(fresh)
                if fresh:
                    yield fresh
        if not level:
            return
        parents = level


def matching(client: Client, site: Site, clause: str) -> AsyncGenerator[list[str], None]:
    """Yield the ids that match a clause."""
    return server_ids(client, clause) if site.server else cloud_ids(client, clause)
