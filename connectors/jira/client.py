"""Issues of Jira read whole: everything in scope, the given ids, and where one id went.

Pages go out as they came in; what they mean is told by `parse`. Calls are built in `queries`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from connectors.base import Located, Page, Reading, Resume
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.discover import projects
from connectors.jira.family import inside
from connectors.jira.listing import SERVER_PAGE, listing_of, matching
from connectors.jira.site import LANES, Found, Site, as_object, find, nothing, numbered, page_of, parent_of, site_of
from connectors.lanes import each, side_by_side
from connectors.recall import recall
from domain.errors import NotFoundError, RejectedError
from domain.workspace import Connection


async def backfill(client: Client, connection: Connection, reading: Reading, resume: Resume) -> AsyncIterator[Page]:
    """Yield every item in scope in pages of up to a hundred, as they complete.

    Ids are listed one page after the other while the issues of earlier ids are fetched in twelve lanes. Page
    numbers count from 0 in the order of completion.
    """
    site = site_of(client, connection, reading)

    async def wanted() -> AsyncGenerator[tuple[str, list[str]], None]:
        async with aclosing(listing_of(client, connection, site)) as listing:
            async for clause, found in listing:
                missing = await resume.missing(found)
                for at in range(0, len(missing), queries.BULK):
                    yield clause, missing[at : at + queries.BULK]

    async def work(chunk: tuple[str, list[str]]) -> list[Page]:
        clause, asked = chunk
        return (
            await _fetch_range(client, site, clause, asked)
            if clause and site.server
            else await fetch_chunk(client, site, asked, "backfill")
        )

    async with aclosing(numbered(side_by_side(wanted(), work, LANES))) as pages:
        async for page in pages:
            yield page


async def fetch(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the given items as they are now, in pages.

    By id Cloud reads the database. What it leaves out is asked for once more with `reconcileIssues`, the one way
    past the lag of the index, before it is called missing.
    """
    site = site_of(client, connection, reading)

    async def work(asked: list[str]) -> list[Page]:
        pages = await fetch_chunk(client, site, asked, "fetch")
        absent = [id for page in pages for id in page.missing if id.isdecimal()]
        if site.server or not absent or len(absent) > queries.RECONCILE:
            return pages
        again = await reconcile(client, site.fields, absent)
        if again is None:
            return pages
        still = tuple(id for id in absent if id not in set(again.ids))
        late = page_of("items", "fetch", again.answer, len(again.issues), still)
        return [*(replace(page, missing=()) for page in pages), late]

    groups = [list(ids[at : at + queries.BULK]) for at in range(0, len(ids), queries.BULK)]
    async with aclosing(numbered(side_by_side(each(groups), work, LANES))) as pages:
        async for page in pages:
            yield page


async def reconcile(client: Client, fields: Sequence[str], ids: Sequence[str]) -> Found | None:
    """Search for up to 50 ids with strong consistency; None where Jira refuses, as it does for a dead id."""
    jql = queries.listed(f"id in ({', '.join(ids)})")
    try:
        return await find(client, queries.search(jql, fields, queries.PAGE, reconcile=ids))
    except RejectedError as error:
        if error.status != 400:
            raise
        return None


async def fetch_chunk(client: Client, site: Site, asked: list[str], stream: str) -> list[Page]:
    """Read up to a hundred issues by id; those absent from the answer are the page's `missing`."""
    if site.server:
        return await _server_fetch(client, site, asked, stream)
    found = await find(client, queries.bulk_fetch(asked, site.fields))
    there = {name for issue in found.issues for name in (str(issue["id"]), str(issue.get("key")))}
    absent = tuple(id for id in asked if id not in there)
    return [page_of("items", stream, found.answer, len(found.issues), absent, payload=found.page)]


async def _server_fetch(client: Client, site: Site, asked: list[str], stream: str) -> list[Page]:
    """Read by ``id in (…)``; where one dead id fails the chunk it is halved until the dead one stands alone."""
    call = queries.server_search(f"id in ({', '.join(asked)})", site.fields, len(asked), validate=False)
    try:
        found = await find(client, call)
    except RejectedError as error:
        if error.status != 400:
            raise
        if len(asked) == 1:
            return [nothing(client, stream, asked)]
        middle = len(asked) // 2
        left = await _server_fetch(client, site, asked[:middle], stream)
        return [*left, *await _server_fetch(client, site, asked[middle:], stream)]
    there = {name for issue in found.issues for name in (str(issue["id"]), str(issue.get("key")))}
    absent = [id for id in asked if id not in there]
    if found.issues and len(found.issues) < int(found.page.get("total") or 0) and absent:
        more = await _server_fetch(client, site, absent, stream)
        return [page_of("items", stream, found.answer, len(found.issues)), *more]
    return [page_of("items", stream, found.answer, len(found.issues), tuple(absent))]


async def _fetch_range(client: Client, site: Site, clause: str, asked: list[str]) -> list[Page]:
    """Read the issues of Data Center from the first to the last of `asked`, then by id those that were left out."""
    jql = queries.listed(f"{clause} AND id >= {asked[0]} AND id <= {asked[-1]}")
    found = await find(client, queries.server_search(jql, site.fields, SERVER_PAGE))
    pages = [page_of("items", "backfill", found.answer, len(found.issues))]
    there = set(found.ids)
    if absent := [id for id in asked if id not in there]:
        pages.extend(await _server_fetch(client, site, absent, "backfill"))
    return pages


async def locate(
    client: Client, connection: Connection, reading: Reading, id: str, last_in: str = "", key: str = ""
) -> Located:
    """Tell why an id is not in the census: a direct read, then what is visible of the projects.

    404 means deleted or hidden. It is called hidden where the project that it was last seen in is gone from view;
    where that is not known, where any project in scope is.
    """
    site = site_of(client, connection, reading)
    try:
        answer, told = await client.read(queries.issue(site.api, id, site.fields))
    except NotFoundError:
        return await _unseen(client, connection, reading, site, id, last_in)
    issue = as_object(client, told)
    page = page_of("items", "locate", answer, 1)
    project = issue.get("fields", {}).get("project") or {}
    key = str(project.get("key") or str(issue.get("key", "")).rpartition("-")[0])
    if await _still_in_scope(client, connection, site, issue, project, key):
        return Located(id=id, state="present", page=page)
    return Located(id=id, state="moved", page=page, detail=f"now {issue.get('key')} in project {key}")


async def _still_in_scope(
    client: Client, connection: Connection, site: Site, issue: Mapping[str, Any], project: Mapping[str, Any], key: str
) -> bool:
    if not connection.scope.get("jql"):
        wanted = {name.lower() for name in queries.project_keys(connection)}
        return bool(wanted & {key.lower(), str(project.get("name")).lower(), str(project.get("id")).lower()})
    id = str(issue["id"])
    async with aclosing(matching(client, site, queries.among(site.scope, [id]))) as lists:
        if [found async for found in lists]:
            return True
    up = ["parent", *(str(site.roles[role]) for role in ("epic_link", "parent_link") if site.roles.get(role))]
    parent = parent_of(issue, up)
    return bool(site.children and parent and await inside(client, site, {id: parent}, up))


async def _unseen(
    client: Client, connection: Connection, reading: Reading, site: Site, id: str, last_in: str
) -> Located:
    async def visible() -> set[str]:
        seen = await projects(client, site.api)
        return {str(project.get(name, "")).lower() for project in seen.values() for name in ("key", "name", "id")}

    roster = await recall(client, "roster", visible)
    before = [last_in] if last_in else [] if connection.scope.get("jql") else list(queries.project_keys(connection))
    known = reading.facts.get("visible_projects")
    lost = [key for key in before or (known if isinstance(known, list) else []) if str(key).lower() not in roster]
    if lost:
        gone = ", ".join(str(key) for key in lost[:5])
        return Located(id=id, state="inaccessible", detail=f"no longer visible to our account: project {gone}")
    return Located(id=id, state="deleted", detail="not found, and its project is still visible")
