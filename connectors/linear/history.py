"""The past of issues, fifty in a request; what is cut is read to its end.

Pages hold whole issues only; what an entry means is told by `past`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from connectors.base import Json, Page, Reading
from connectors.http import Client
from connectors.lanes import each, side_by_side
from connectors.linear import queries
from connectors.linear.site import HISTORY_LANES, listing, numbered, page_of, site_of
from connectors.linear.whole import is_cut, name_past_labels, read_on
from domain.workspace import Connection


async def history(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the past of the given items, whole issues only. Projects and initiatives have none that could be read.

    Four requests are under way at a time, so that the present always finds a lane. `missing` are ids that were not
    answered: those, and issues that are out of sight.
    """
    site = site_of(connection, reading)

    async def work(asked: list[str]) -> list[Page]:
        pages: list[Page] = []
        unseen = dict.fromkeys(asked)
        async with aclosing(listing(client, queries.HISTORY, "issues", ids=list[Json](asked))) as found:
            async for one in found:
                cut = [node for node in one.nodes if is_cut(node, "history")]
                for node in cut:
                    await read_on(client, "issues", node, "history")
                named = await name_past_labels(client, site, one.nodes)
                for node in one.nodes:
                    unseen.pop(str(node.get("id")), None)
                pages.append(page_of("history", one, kind="history", mended=named or bool(cut)))
        return [*pages[:-1], *(replace(page, missing=tuple(unseen)) for page in pages[-1:])]

    groups = [list(ids[at : at + queries.HISTORY_BULK]) for at in range(0, len(ids), queries.HISTORY_BULK)]
    async with aclosing(numbered(side_by_side(each(groups), work, HISTORY_LANES))) as results:
        async for page in results:
            yield page
