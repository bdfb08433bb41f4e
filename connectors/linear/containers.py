"""Projects that the teams in scope touch, and the initiatives above them: swept whole, a few requests in all.

Linear tells neither what closing an issue does to its project, nor which initiative a team has; so both are read in
full each time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from connectors.base import Json
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.site import Found, Site, kept, listing, one_page
from connectors.linear.whole import complete
from domain.errors import RejectedError

REACHED, VISIBLE = "initiatives in scope", "initiatives visible"
"""notes of a session: ids of the initiatives that the last sweep reached; whether we see any, until discovery asks"""


async def sweep(client: Client, site: Site) -> AsyncGenerator[tuple[str, Found, bool], None]:
    """Yield (list, page, whether it was mended) of all projects in scope, then of the initiatives above them.

    Where no initiative is to be seen projects are read without their links: none would mean that each left its own.
    """
    every = await _initiatives(client, site)
    linked: set[str] = set()
    document = queries.projects_document(site.project_fields, initiatives=bool(every), by_id=False)
    teams: list[Json] = list(site.teams)
    async with aclosing(listing(client, document, "projects", teams=teams)) as pages:
        async for found in pages:
            mended = await complete(client, site, "projects", found)
            linked.update(id for node in found.nodes for id in initiatives_of(node))
            yield "projects", found, mended
    scoped = reached(linked, (node for found in every for node in found.nodes))
    client.notes[REACHED] = scoped
    for found in every:
        nodes = [node for node in found.nodes if node.get("id") in scoped]
        if nodes:
            page = kept(found, "initiatives", nodes)
            await complete(client, site, "initiatives", page)
            yield "initiatives", page, True


async def _initiatives(client: Client, site: Site) -> list[Found]:
    """Return the pages of all initiatives that we see; none where Linear does not let us ask any more."""
    if not site.initiatives:
        return []
    try:
        async with aclosing(listing(client, queries.INITIATIVES, "initiatives")) as pages:
            every = [found async for found in pages if found.nodes]
    except RejectedError as error:
        if error.status != 403:
            raise
        client.notes[VISIBLE] = None
        return []
    client.notes[VISIBLE] = bool(every)
    return every


async def scoped_initiatives(client: Client, site: Site) -> set[str]:
    """Return the ids of the initiatives in scope, by the last sweep of this session or by one made now."""
    if not isinstance(client.notes.get(REACHED), set):
        async with aclosing(sweep(client, site)) as pages:
            async for _ in pages:
                pass
    known = client.notes.get(REACHED)
    return known if isinstance(known, set) else set()


def initiatives_of(project: Mapping[str, Any]) -> list[str]:
    """Return the ids of the initiatives that a project is in; links in the archive do not count."""
    links = project.get("initiativeToProjects")
    nodes = links.get("nodes") if isinstance(links, dict) else None
    stated = [link for link in nodes or [] if isinstance(link, dict) and not link.get("archivedAt")]
    return [str(link["initiative"]["id"]) for link in stated if isinstance(link.get("initiative"), dict)]


def teams_of(project: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the teams that a project states."""
    teams = project.get("teams")
    nodes = teams.get("nodes") if isinstance(teams, dict) else None
    return [team for team in nodes or [] if isinstance(team, dict)]


def reached(linked: set[str], initiatives: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return `linked` and all initiatives above them."""
    above: dict[str, str] = {}
    for node in initiatives:
        parent = node.get("parentInitiative")
        if isinstance(parent, dict) and parent.get("id"):
            above[str(node.get("id"))] = str(parent["id"])
    found = set(linked)
    ask = list(linked)
    while ask:
        parent_id = above.get(ask.pop())
        if parent_id and parent_id not in found:
            found.add(parent_id)
            ask.append(parent_id)
    return found


async def initiatives_visible(client: Client) -> bool:
    """Tell whether Linear lets us ask for initiatives, which it refuses an app without ``initiative:read``."""
    return await initiatives_seen(client) is not None


async def initiatives_seen(client: Client) -> bool | None:
    """Tell whether we see any initiative, None where Linear refuses to say; asked once a discovery."""
    if VISIBLE not in client.notes:
        try:
            page = await one_page(client, queries.INITIATIVES_SEEN, "initiatives")
            client.notes[VISIBLE] = bool(page.nodes)
        except RejectedError:
            client.notes[VISIBLE] = None
    known = client.notes[VISIBLE]
    return known if isinstance(known, bool) else None
