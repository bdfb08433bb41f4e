"""Items of GitHub read whole: everything in scope, the given ids, and where one id went.

Pages go out as they came in; what they mean is told by `parse`. Calls are built in `queries`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing

import orjson

from connectors.base import Located, Page, Reading, Resume
from connectors.github import queries, rest
from connectors.github.limits import kind_of
from connectors.github.listing import Counted, counted_lately, issue_lists, item_list, milestones_of, outside, taken
from connectors.github.shapes import object_of
from connectors.github.site import (
    LANES,
    Site,
    ask,
    chunked,
    nodes_of,
    numbered,
    read_ids,
    repository_of,
    site_of,
    whole_page,
    within,
)
from connectors.github.walk import Done, Sizes, Slice, Step, data_of, growing, stepwise
from connectors.graphql import errors_of
from connectors.http import Client
from connectors.lanes import each, side_by_side
from connectors.recall import recall
from domain.errors import NotFoundError, RejectedError
from domain.workspace import Connection


async def backfill(client: Client, connection: Connection, reading: Reading, resume: Resume) -> AsyncIterator[Page]:
    """Yield every item in scope in pages of up to a hundred, as they complete.

    Several lists are read side by side, each from both ends. What an interrupted run has stored already is read
    again, a hundred issues a request: no list tells ids any cheaper. A repository that goes out of sight meanwhile
    is left alone; the next discovery tells of it. Projects come first: they are fewest lists, and name what to read.
    """
    site = site_of(connection, reading)
    sizes = Sizes()
    counts = await counted_lately(client, site)
    steps = project_steps(client, site, "backfill", sizes)
    steps += [
        _while_visible(client, one.repository, step)
        for one in counts
        for step in repository_steps(client, site, one, "backfill", sizes)
    ]
    async with aclosing(numbered(growing(steps, LANES))) as pages:
        async for page in pages:
            yield page


def _while_visible(client: Client, repository: str, step: Step[Page]) -> Step[Page]:
    """Return the step that ends a list in peace where its repository went out of sight."""

    async def guarded() -> Done[Page]:
        try:
            done = await step()
        except NotFoundError:
            if await _visible(client, repository):
                raise
            return Done([])
        return Done(done.results, [_while_visible(client, repository, following) for following in done.more])

    return guarded


def repository_steps(client: Client, site: Site, counts: Counted, stream: str, sizes: Sizes) -> list[Step[Page]]:
    """Return the steps that read a repository whole, and its milestones where those are items."""

    async def take(found: Slice) -> list[Page]:
        if not found.nodes:
            return []
        return [await whole_page(client, site, stream, found.answer, found.told, found.nodes)]

    if site.old:
        steps = [stepwise(rest.pages(client, site, counts.repository, stream))]
    else:
        steps = issue_lists(client, site, counts, take, sizes)
    if counts.milestones:
        steps.append(taken(milestones_of(client, counts.repository, sizes), take))
    return steps


def project_steps(client: Client, site: Site, stream: str, sizes: Sizes) -> list[Step[Page]]:
    """Return the steps that read those issues of projects whose repositories are not read whole, each once."""
    seen: set[str] = set()

    async def take(found: Slice) -> list[Page]:
        return []

    def then(found: Slice) -> list[Step[Page]]:
        fresh = [one for one in dict.fromkeys(outside(site, found.nodes)) if one not in seen]
        seen.update(fresh)
        return [ids_step(client, site, stream, part) for part in chunked(fresh)]

    return [step for id in site.projects.values() for step in item_list(client, site, id, take, sizes, then)]


def ids_step(client: Client, site: Site, stream: str, ids: Sequence[str]) -> Step[Page]:
    """Return the step that reads up to a hundred items by id."""

    async def step() -> Done[Page]:
        return Done(await read_items(client, site, stream, ids))

    return step


async def read_items(client: Client, site: Site, stream: str, ids: Sequence[str]) -> list[Page]:
    """Read up to a hundred items by id, by REST where GraphQL lacks what is needed."""
    if site.old:
        return await rest.read_ids(client, site, stream, ids)
    return await read_ids(client, site, stream, ids)


async def fetch(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the given items as they are now, in pages; those that are gone, hidden or out of scope are `missing`."""
    site = site_of(connection, reading)

    async def work(asked: list[str]) -> list[Page]:
        return [within(page, site.holds) for page in await read_items(client, site, "fetch", asked)]

    async def pages() -> AsyncGenerator[Page, None]:
        async with aclosing(side_by_side(each(chunked(list(dict.fromkeys(ids)))), work, LANES)) as results:
            async for found in results:
                for page in found:
                    yield page

    async with aclosing(numbered(pages())) as all_pages:
        async for page in all_pages:
            yield page


# --- where one id went


async def locate(
    client: Client, connection: Connection, reading: Reading, id: str, last_in: str = "", key: str = ""
) -> Located:
    """Tell why an id is not in the census: a direct read, then its repository, then its old number where we know it.

    An id that finds nothing in a repository that we still see is deleted, or transferred under another id: its old
    number (`key`, ``owner/name#number``) tells the two apart. Either way this id counts no more.
    """
    site = site_of(connection, reading)
    page = (await read_items(client, site, "locate", [id]))[0]
    node = next(iter(nodes_of(page)), {})
    if not page.missing:
        there = repository_of(node)
        if site.holds(node):
            return Located(id=id, state="present", page=page)
        number = f"{there}#{node.get('number')}"
        return Located(id=id, state="moved", page=page, detail=f"now {number}, which is outside the scope")
    if node.get("__typename") == "Discussion":
        return Located(id=id, state="deleted", detail="it was converted to a discussion")
    if any(kind_of(error) == "FORBIDDEN" for error in errors_of(page.payload)):
        return Located(id=id, state="inaccessible", detail="our account may not see it any more")
    if last_in and not await _visible(client, last_in):
        return Located(id=id, state="inaccessible", detail=f"no longer visible to our account: repository {last_in}")
    if "#" in key:
        return await _by_number(client, site, id, key)
    return Located(id=id, state="deleted", detail="not found, and its repository is still visible")


async def _visible(client: Client, repository: str) -> bool:
    async def seen() -> bool:
        try:
            _, told = await ask(client, queries.repositories([repository]))
            return isinstance(data_of(told).get("r0"), dict)
        except (NotFoundError, RejectedError, ValueError):
            return False

    return await recall(client, f"visible: {repository}", seen)


async def _by_number(client: Client, site: Site, id: str, key: str) -> Located:
    """Ask for the old number: GitHub remembers where it was transferred to, and that it was deleted."""
    repository, _, number = key.rpartition("#")
    if not number.isdecimal():
        return Located(id=id, state="deleted", detail="not found, and its repository is still visible")
    call = queries.issue(site.rest, repository, int(number))
    answer = await client.send(call)
    if answer.status == 410:
        return Located(id=id, state="deleted", detail="GitHub says that it was deleted")
    if answer.status == 404:
        return Located(
            id=id, state="inaccessible", detail="transferred to, or deleted in, a repository that we cannot see"
        )
    if answer.status == 301:
        place = answer.headers.get("location", "")
        return Located(id=id, state="deleted", detail=f"it was transferred and goes on under another id: {place[:200]}")
    try:
        told = object_of(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        told = {}
    if told.get("node_id") == id:
        return Located(id=id, state="inaccessible", detail="there by REST, and not by GraphQL")
    return Located(id=id, state="deleted", detail=f"{key} is another issue now")
