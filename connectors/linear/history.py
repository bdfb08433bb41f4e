"""The past of issues, fifty in a request, what is cut read to its end; and the weekly sums of projects.

Pages hold whole issues only; what an entry means is told by `past`, what a sum by `weeks`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from connectors.base import Json, Page, Reading
from connectors.http import Client
from connectors.lanes import each, side_by_side
from connectors.linear import queries
from connectors.linear.site import HISTORY_LANES, Found, listing, nothing, numbered, page_of, site_of
from connectors.linear.whole import is_cut, name_past_labels, read_on
from domain.workspace import Connection


async def history(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the past of the given items, whole issues only, and of projects what Linear sums up by week.

    Four requests are under way at a time, so that the present always finds a lane. `missing` are ids that were not
    answered: initiatives, which have no past, and what is out of sight.
    """
    site = site_of(connection, reading)
    unseen = dict.fromkeys(ids)

    async def work(asked: list[str]) -> list[Page]:
        pages: list[Page] = []
        async with aclosing(listing(client, queries.HISTORY, "issues", ids=list[Json](asked))) as found:
            async for one in found:
                cut = [node for node in one.nodes if is_cut(node, "history")]
                for node in cut:
                    await read_on(client, "issues", node, "history")
                named = await name_past_labels(client, site, one.nodes)
                pages.append(page_of("history", one, kind="history", mended=named or bool(cut)))
                note(one)
        return pages

    async def weeks() -> AsyncGenerator[list[Page], None]:
        left: list[Json] = list(unseen)
        for at in range(0, len(left), queries.SHORT_PAGE):
            found = listing(client, queries.WEEKS, "projects", ids=left[at : at + queries.SHORT_PAGE])
            async with aclosing(found) as projects:
                pages = [page_of("history", one, kind="history") async for one in projects if note(one)]
            yield pages

    def note(found: Found) -> bool:
        for node in found.nodes:
            unseen.pop(str(node.get("id")), None)
        return bool(found.nodes)

    async def all_pages() -> AsyncGenerator[list[Page], None]:
        groups = [list(ids[at : at + queries.HISTORY_BULK]) for at in range(0, len(ids), queries.HISTORY_BULK)]
        async with aclosing(side_by_side(each(groups), work, HISTORY_LANES)) as results:
            async for pages in results:
                yield pages
        async with aclosing(weeks()) as results:
            async for pages in results:
                yield pages
        if unseen:
            yield [replace(nothing(client, "history", missing=tuple(unseen)), kind="history")]

    async with aclosing(numbered(all_pages())) as results:
        async for page in results:
            yield page
