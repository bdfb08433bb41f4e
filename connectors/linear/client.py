"""Items of Linear read whole: everything in scope, every id, the given ids, and where one id went.

Pages go out as they came in; what they mean is told by `parse`. Documents are in `queries`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from connectors.base import Json, Located, Page, Reading, Resume
from connectors.http import Client
from connectors.lanes import each, side_by_side
from connectors.linear import queries
from connectors.linear.containers import initiatives_seen, scoped_initiatives, sweep, teams_of
from connectors.linear.site import (
    LANES,
    Found,
    Site,
    all_nodes,
    listing,
    names_of,
    nothing,
    numbered,
    page_of,
    site_of,
)
from connectors.linear.whole import complete
from connectors.linear.windows import Window, sizes, windows_of
from connectors.recall import recall
from domain.workspace import Connection

LISTS = ("issues", "projects", "initiatives")


async def count(client: Client, connection: Connection, reading: Reading) -> int | None:
    """Return how many issues the teams in scope say they have; projects and initiatives are few and not counted."""
    return sum(size.count for size in await sizes(client, site_of(connection, reading).teams))


async def backfill(client: Client, connection: Connection, reading: Reading, resume: Resume) -> AsyncIterator[Page]:
    """Yield every item in scope: projects and initiatives beside the issues, which are read in twelve lanes.

    Issues come in windows of their numbers, one page each, so no page waits for another. Nothing is skipped on
    resuming: what a page holds is known only once it is read.
    """
    site = site_of(connection, reading)
    tasks: list[Window | None] = [None, *windows_of(await sizes(client, site.teams))]

    async def work(window: Window | None) -> list[Page]:
        if window is None:
            async with aclosing(sweep(client, site)) as pages:
                return [page_of("backfill", found, mended=mended) async for _, found, mended in pages if found.nodes]
        issues = listing(client, queries.ISSUES_IN_WINDOW, "issues", **window.variables)
        return [page async for page in pages_of(client, site, "issues", issues, "backfill")]

    async with aclosing(numbered(side_by_side(each(tasks), work, LANES))) as pages:
        async for page in pages:
            yield page


async def pages_of(
    client: Client, site: Site, field: str, found: AsyncGenerator[Found, None], stream: str
) -> AsyncGenerator[Page, None]:
    """Yield the pages of a list that hold anything, each with all that it needs."""
    async with aclosing(found):
        async for one in found:
            if one.nodes:
                mended = await complete(client, site, field, one)
                yield page_of(stream, one, mended=mended)


async def ids(client: Client, connection: Connection, reading: Reading) -> AsyncIterator[list[str]]:
    """Yield every id in scope once, in pages: the census. What is in the trash is not listed."""
    site = site_of(connection, reading)
    seen: set[str] = set()

    def fresh(nodes: Iterable[Mapping[str, Any]]) -> list[str]:
        found = [str(node["id"]) for node in nodes if node.get("id") and node.get("trashed") is not True]
        new = [id for id in dict.fromkeys(found) if id not in seen]
        seen.update(new)
        return new

    async with aclosing(sweep(client, site)) as swept:
        async for _, found, _ in swept:
            if new := fresh(found.nodes):
                yield new

    async def work(window: Window) -> list[dict[str, Any]]:
        return await all_nodes(client, queries.ISSUE_IDS, "issues", **window.variables)

    windows = each(windows_of(await sizes(client, site.teams)))
    async with aclosing(side_by_side(windows, work, LANES)) as results:
        async for nodes in results:
            if new := fresh(nodes):
                yield new


async def fetch(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the given items as they are now, in pages; ids of issues, projects and initiatives come mixed.

    Most are issues, so those are asked for first, then what is left over among projects, then among initiatives.
    """
    site = site_of(connection, reading)

    async def work(asked: list[str]) -> list[Page]:
        pages: list[Page] = []
        left = asked
        for field in LISTS:
            if not left:
                break
            for found, mended in await by_id(client, site, field, left):
                there = {str(node.get("id")) for node in found.nodes}
                left = [id for id in left if id not in there]
                if found.nodes:
                    pages.append(page_of("fetch", found, mended=mended))
        return [*pages, nothing(client, "fetch", missing=left)] if left else pages

    groups = [list(ids[at : at + queries.IDS]) for at in range(0, len(ids), queries.IDS)]
    async with aclosing(numbered(side_by_side(each(groups), work, LANES))) as pages:
        async for page in pages:
            yield page


async def by_id(client: Client, site: Site, field: str, ids: Sequence[str]) -> list[tuple[Found, bool]]:
    """Read nodes of one list by id; return its pages and whether they were mended.

    Initiatives, and the links to them, are asked for only where any is to be seen.
    """
    document = queries.ISSUES_BY_ID
    if field != "issues":
        linked = site.initiatives and bool(await initiatives_seen(client))
        if field == "initiatives" and not linked:
            return []
        projects = queries.projects_document(site.project_fields, initiatives=linked, by_id=True)
        document = projects if field == "projects" else queries.INITIATIVES_BY_ID
    chosen: list[Json] = list(ids)
    async with aclosing(listing(client, document, field, ids=chosen)) as pages:
        return [(found, await complete(client, site, field, found)) async for found in pages]


async def locate(
    client: Client, connection: Connection, reading: Reading, id: str, last_in: str = "", key: str = ""
) -> Located:
    """Tell why an id is not in the census: a direct read, then which teams are still visible.

    What is in the trash counts as deleted; it comes back when it is restored. What is not found at all is hidden
    where the team that it was last seen in is gone from view, and so is what has no team where no initiative is to be
    seen any more; else it is deleted. What had the key of an issue is sought among issues alone, so that the many of a
    team that went private take one request each.
    """
    site = site_of(connection, reading)
    for field in LISTS[:1] if last_in and key.rpartition("-")[0] == last_in else LISTS:
        for found, mended in await by_id(client, site, field, [id]):
            if found.nodes:
                return await _found(client, site, field, id, found, page_of("locate", found, mended=mended))
    return await _unseen(client, connection, reading, site, id, last_in)


async def _found(client: Client, site: Site, field: str, id: str, found: Found, page: Page) -> Located:
    node = found.nodes[0]
    if node.get("trashed") is True:
        return Located(id=id, state="deleted", detail="in the trash")
    if field == "initiatives":
        inside = id in await scoped_initiatives(client, site)
        return Located(
            id=id,
            state="present" if inside else "moved",
            page=page,
            detail="" if inside else "no project of a team in scope is in it any more",
        )
    teams = [node.get("team") or {}] if field == "issues" else teams_of(node)
    if any(team.get("id") in site.teams for team in teams):
        return Located(id=id, state="present", page=page)
    keys = ", ".join(str(team.get("key")) for team in teams) or "none"
    now = f"now {node['identifier']} in team {keys}" if field == "issues" else f"now of the teams: {keys}"
    return Located(id=id, state="moved", page=page, detail=now)


async def _unseen(
    client: Client, connection: Connection, reading: Reading, site: Site, id: str, last_in: str
) -> Located:
    known = reading.facts.get("visible_teams")
    before = [last_in] if last_in else [str(key) for key in known] if isinstance(known, list) else []
    roster = await visible_teams(client)
    lost = [key for key in before if key.lower() not in roster]
    if lost:
        gone = ", ".join(lost[:5])
        return Located(id=id, state="inaccessible", detail=f"no longer visible to our account: team {gone}")
    if not last_in and not await initiatives_seen(client):
        return Located(id=id, state="inaccessible", detail="initiatives are no longer visible to our account")
    return Located(id=id, state="deleted", detail="not found, and its team is still visible")


async def visible_teams(client: Client) -> frozenset[str]:
    """Return what the teams that we see now may be called, in lower case."""

    async def visible() -> frozenset[str]:
        nodes = await all_nodes(client, queries.TEAMS, "teams")
        return frozenset(name for node in nodes for name in names_of(str(node.get("id")), node))

    return await recall(client, "roster", visible)
