"""The past of issues: the events of many in one request, those of one read on to their end.

Pages hold whole histories only; what an event means is told by `parse`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from connectors.base import Page, Reading
from connectors.github import queries
from connectors.github.selection import EVENT_TYPES
from connectors.github.shapes import UNREAD, object_of, objects
from connectors.github.site import HISTORY_LANES, Site, ask, chunked, numbered, site_of
from connectors.github.walk import WHOLE, data_of, to_the_end
from connectors.http import Client
from connectors.lanes import each, side_by_side
from domain.errors import VendorUnavailableError
from domain.workspace import Connection


async def history(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the past of the given items, whole issues only; milestones have none, and `missing` are out of sight.

    Two requests are under way at a time, so that the present, read by others of the account, goes first.
    """
    site = site_of(connection, reading)
    if not site.selection.can & frozenset(EVENT_TYPES):
        return

    async def work(asked: list[str]) -> list[Page]:
        return await past(client, site, "history", asked)

    async def pages() -> AsyncGenerator[Page, None]:
        groups = each(chunked(ids, queries.HISTORY))
        async with aclosing(side_by_side(groups, work, HISTORY_LANES)) as results:
            async for found in results:
                for page in found:
                    yield page

    async with aclosing(numbered(pages())) as all_pages:
        async for page in all_pages:
            yield page


async def past(client: Client, site: Site, stream: str, ids: Sequence[str]) -> list[Page]:
    """Read the past of up to fifty issues, of fewer at once where GitHub does not manage."""
    smallest = len(ids) <= queries.SMALLEST
    try:
        answer, told = await ask(client, queries.history(site.selection.can, ids, attempts=4 if smallest else 1))
    except VendorUnavailableError:
        if len(ids) == 1:
            return await _without_past(client, stream, ids[0])
        middle = len(ids) // 2
        return [*await past(client, site, stream, ids[:middle]), *await past(client, site, stream, ids[middle:])]
    nodes = data_of(told).get("nodes")
    there = nodes if isinstance(nodes, list) else []
    issues = [node for node in objects(there) if isinstance(node.get("timelineItems"), dict)]
    mended = [await _completed(client, site, issue) for issue in issues]
    return [
        Page(
            kind="history",
            stream=stream,
            number=0,
            body=orjson.dumps(told) if any(mended) else answer.body,
            read_at=answer.sent_at,
            items=len(issues),
            missing=tuple(id for id, node in zip(ids, there, strict=False) if node is None),
            payload=told,
        )
    ]


async def _without_past(client: Client, stream: str, id: str) -> list[Page]:
    """Hand out the name of an issue whose past GitHub cannot give; asking for it fails where all is out of order."""
    answer, told = await ask(client, queries.places([id]))
    found = [{**place, "timelineItems": {UNREAD: True}} for place in objects(data_of(told))]
    body = orjson.dumps({"data": {"nodes": found}})
    return [Page(kind="history", stream=stream, number=0, body=body, read_at=answer.sent_at, items=len(found))]


async def _completed(client: Client, site: Site, issue: dict[str, Any]) -> bool:
    """Read the events of an issue to their end and put them in; tell whether any were left."""
    timeline: dict[str, Any] = issue["timelineItems"]

    async def more(after: str) -> Mapping[str, Any]:
        _, told = await ask(client, queries.events(site.selection.can, str(issue["id"]), after))
        return object_of(object_of(data_of(told).get("node")).get("timelineItems"))

    whole = await to_the_end(client, "the events of an issue", timeline, more)
    if whole is None:
        return False
    issue["timelineItems"] = {**timeline, "nodes": whole, "pageInfo": dict(WHOLE)}
    return True
