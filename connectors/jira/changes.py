"""What changed since a watermark, over an index that lags, in whichever form of date the site takes.

Pages go out as they came in; the last one carries the new watermark.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

from connectors.base import Json, Page, Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.client import fetch_chunk
from connectors.jira.discover import account_of, server_time
from connectors.jira.family import inside
from connectors.jira.listing import cloud_pages, count_of, descendants, server_ids, streams
from connectors.jira.site import (
    Found,
    Site,
    find,
    number_of,
    page_of,
    parent_of,
    renumbered,
    site_of,
    to_ms,
    updated_ms,
)
from connectors.lanes import chunks
from domain.errors import RejectedError
from domain.workspace import Connection

OVERLAP, WIDE_OVERLAP, INDEX_LAG = timedelta(minutes=10), timedelta(hours=24), timedelta(minutes=2)
_PROBE_SPAN = timedelta(days=30)


async def changes(client: Client, connection: Connection, reading: Reading, watermark: Json) -> AsyncIterator[Page]:
    """Yield what changed since the watermark, oldest first; the last page's cursor is the new watermark.

    The index lags behind the issues, so each sweep starts ten minutes before the watermark (a day before it once
    a day) and the store drops what it has; the watermark never passes the server's clock less the lag, and there
    is no upper bound. A watermark is ``{"updated_ms", "day", "t0_ms", "epoch_ms"}``.
    """
    site = site_of(client, connection, reading)
    mark = watermark if isinstance(watermark, dict) else {}
    start = queries.utc(
        number_of(mark.get("updated_ms")) or number_of(reading.facts.get("read_ms")) or to_ms(client.now)
    )
    known = next((known for known in (reading.facts.get("epoch_ms"), mark.get("epoch_ms")) if known is not None), None)
    me, epoch_ms = await asyncio.gather(
        client.json(queries.myself(site.api)), _decided(known) if known is not None else _epoch_ms(client, site, start)
    )
    account_of(client, me)
    today = client.now.astimezone(UTC).date().isoformat()
    wide = mark.get("day") != today or not epoch_ms
    after = start - (WIDE_OVERLAP if wide else OVERLAP)
    t0: datetime | None = None
    newest = 0.0
    held: Found | None = None
    roots: list[str] = []
    number = 0
    async with aclosing(sweep(client, connection, site, site.scope, after, bool(epoch_ms), site.fields)) as pages:
        async for found in pages:
            t0 = t0 or server_time(found.answer)
            newest = max([newest, *(updated_ms(issue) for issue in found.issues)])
            if site.children:
                roots.extend(found.ids)
            if held is not None:
                yield page_of("items", "changes", held.answer, len(held.issues), number=number, payload=held.page)
                number += 1
            held = found
    if site.children:
        async with aclosing(_changed_below(client, connection, site, roots, after, bool(epoch_ms))) as below:
            async for page in below:
                yield renumbered(page, number)
                number += 1
    if held is None or t0 is None:
        return
    limit = to_ms(t0 - INDEX_LAG)
    cursor: dict[str, Json] = {
        "updated_ms": int(min(limit, newest) if newest else min(limit, to_ms(start))),
        "day": today if epoch_ms else mark.get("day"),
        "t0_ms": int(to_ms(t0)),
        "epoch_ms": epoch_ms,
    }
    yield page_of("items", "changes", held.answer, len(held.issues), number=number, cursor=cursor, payload=held.page)


async def _decided(known: Json) -> bool | None:
    return bool(known)


async def _epoch_ms(client: Client, site: Site, start: datetime) -> bool | None:
    """Find out whether JQL takes milliseconds: do both forms count the same of all issues? None where none changed."""
    moment = start - _PROBE_SPAN

    async def counted(epoch_ms: bool) -> int | None:
        clause = queries.since("", moment, epoch_ms=epoch_ms, zone=site.zone).partition(" ORDER BY updated")[0]
        try:
            return await count_of(client, site, clause)
        except RejectedError:
            return None

    by_ms, by_date = await asyncio.gather(counted(True), counted(False))
    if by_ms is None or by_date is None:
        return False
    if not by_ms and not by_date:
        return None
    return abs(by_ms - by_date) <= max(2, by_date // 100)


async def sweep(
    client: Client,
    connection: Connection,
    site: Site,
    clause: str,
    after: datetime,
    epoch_ms: bool,
    fields: Sequence[str],
) -> AsyncGenerator[Found, None]:
    """Yield the pages of what changed after a moment.

    Data Center pages by position, which every change under way shifts: more than one page is therefore read
    again by ``id > last``, project by project.
    """
    jql = queries.since(clause, after, epoch_ms=epoch_ms, zone=site.zone)
    if not site.server:
        async with aclosing(cloud_pages(client, jql, fields, queries.PAGE)) as pages:
            async for found in pages:
                yield found
        return
    found = await find(client, queries.server_search(jql, fields, queries.PAGE))
    yield found
    if len(found.issues) >= int(found.page.get("total") or 0):
        return
    for stream in streams(connection, site) if clause == site.scope else [clause]:
        changed = queries.since(stream, after, epoch_ms=epoch_ms, zone=site.zone).partition(" ORDER BY updated")[0]
        async with aclosing(server_ids(client, changed)) as listing:
            async for group in chunks(listing, queries.BULK):
                ids_jql = f"id in ({', '.join(group)})"
                yield await find(client, queries.server_search(ids_jql, fields, len(group), validate=False))


async def _changed_below(
    client: Client, connection: Connection, site: Site, roots: list[str], after: datetime, epoch_ms: bool
) -> AsyncGenerator[Page, None]:
    """Yield changed descendants of the scope, and all that hangs below what changed or came in.

    Everything that changed and has a parent is looked at; it belongs here if an ancestor is in scope. The cost
    is that of the changes, not of the tree.
    """
    up = ["parent", *(str(id) for role, id in site.roles.items() if role in ("epic_link", "parent_link") and id)]
    changed: dict[str, str | None] = {}
    async with aclosing(sweep(client, connection, site, "", after, epoch_ms, up)) as pages:
        async for found in pages:
            changed.update((str(issue["id"]), parent_of(issue, up)) for issue in found.issues)
    for id in roots:
        changed.pop(id, None)
    below_scope = await inside(client, site, {id: parent for id, parent in changed.items() if parent}, up)
    seen = {*roots, *below_scope}
    wanted = list(below_scope)
    async with aclosing(descendants(client, site, [*roots, *below_scope], seen)) as below:
        async for found_below in below:
            wanted.extend(found_below)
    for at in range(0, len(wanted), queries.BULK):
        for page in await fetch_chunk(client, site, wanted[at : at + queries.BULK], "changes"):
            yield page
