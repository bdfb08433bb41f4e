"""What changed since a watermark: one question tells where, then only those lists are read.

Pages go out as they came in; the last one carries the new watermark.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import Call, Json, Page, Reading
from connectors.github import queries, rest
from connectors.github.boards import in_projects, outside
from connectors.github.client import ids_step, repository_steps
from connectors.github.history import past
from connectors.github.listing import counted, milestones_of
from connectors.github.shapes import object_of
from connectors.github.site import (
    HISTORY_LANES,
    LANES,
    chunked,
    issues_in,
    nodes_of,
    nothing,
    number_of,
    rescued,
    site_of,
    whole_page,
)
from connectors.github.sweep import Look, Sweep, look_around
from connectors.github.walk import Sizes, Step, follow, growing, stepwise
from connectors.http import Client
from connectors.lanes import each, side_by_side
from domain.workspace import Connection

OVERLAP = timedelta(minutes=5)


async def changes(client: Client, connection: Connection, reading: Reading, watermark: Json) -> AsyncIterator[Page]:
    """Yield what changed since the watermark, oldest first in each repository; the last page has the new watermark.

    The watermark is the run's start by the server's clock, and each sweep begins five minutes before it. It keeps how
    repositories and projects looked: ``{"updated_ms", "day", "repositories", "projects", "lists"}``. After what is now
    comes the past of what moved in projects, and then nothing but the watermark.
    """
    site = site_of(connection, reading)
    mark = object_of(watermark)
    start_ms = number_of(mark.get("updated_ms")) or number_of(reading.facts.get("read_ms"))
    start = datetime.fromtimestamp(start_ms / 1000, UTC) if start_ms else client.now
    sweep = Sweep(client=client, site=site, since=start - OVERLAP, sizes=Sizes(), lists=object_of(mark.get("lists")))
    before = object_of(mark["projects"]) if "projects" in mark else None
    look = await look_around(sweep, outside(before or {}))
    today = look.at.date().isoformat()
    projects: dict[str, Json] = {}

    def changed_in(repository: str) -> Step[Page]:
        return stepwise(_changed(sweep, repository))

    parts = (
        _in_repositories(sweep, look, _faces(mark, reading)),
        in_projects(sweep, look, before, mark.get("day") != today, projects, changed_in),
        _parents(sweep),
        _past(sweep),
    )
    held: Page | None = None
    number = 0
    for part in parts:
        async with aclosing(part) as pages:
            async for page in pages:
                if held is not None:
                    yield replace(held, number=number)
                    number += 1
                held = page
    if held is not None and held.kind != "items":
        yield replace(held, number=number)
        number, held = number + 1, None
    cursor: dict[str, Json] = {
        "updated_ms": int(look.at.timestamp() * 1000),
        "day": today,
        "repositories": {seen.id: seen.face for seen in look.ours},
        "projects": projects,
    }
    if sweep.lists:
        cursor["lists"] = sweep.lists
    yield replace(held or nothing("changes", look.at), number=number, cursor=cursor)


# --- repositories


def _faces(mark: Mapping[str, Any], reading: Reading) -> dict[str, Json] | None:
    """Return how repositories looked at the watermark, at the discovery where that says nothing; None if unknown."""
    known = mark.get("repositories", object_of(reading.facts.get("mark")).get("repositories"))
    return known if isinstance(known, dict) else None


async def _in_repositories(sweep: Sweep, look: Look, known: Mapping[str, Json] | None) -> AsyncGenerator[Page, None]:
    """Yield what changed in repositories; those that are new, renamed or archived since are read whole."""
    whole = [seen for seen in look.ours if known is not None and known.get(seen.id) != seen.face]
    counts = await counted(sweep.client, sweep.site, [seen.name for seen in whole])
    steps = [step for one in counts for step in repository_steps(sweep.client, sweep.site, one, "changes", sweep.sizes)]
    for seen in look.ours:
        if seen in whole:
            continue
        if seen.moved:
            steps.append(stepwise(_changed(sweep, seen.name)))
        if seen.milestones:
            steps.append(stepwise(_milestones(sweep, seen.name)))
    steps += [stepwise(_changed(sweep, seen.name)) for seen in look.others if seen.moved]
    async with aclosing(growing(steps, LANES)) as pages:
        async for page in pages:
            yield page


def _changed(sweep: Sweep, repository: str) -> AsyncGenerator[Page, None]:
    by_rest = sweep.site.old and sweep.covers(repository)
    return _changed_by_rest(sweep, repository) if by_rest else _changed_by_query(sweep, repository)


async def _changed_by_query(sweep: Sweep, repository: str) -> AsyncGenerator[Page, None]:
    site = sweep.site

    def call(after: str | None, first: int, attempts: int) -> Call:
        return queries.changed(site.selection, repository, sweep.start, after=after, first=first, attempts=attempts)

    def ids_alone(after: str | None, first: int) -> Call:
        return queries.changed(None, repository, sweep.start, after=after, first=first)

    def find(told: dict[str, Any]) -> Mapping[str, Any]:
        return issues_in(sweep.client, repository, told)

    rescue = rescued(sweep.client, site, ids_alone, find)
    whole = sweep.covers(repository)
    what = f"the changed issues of {repository}"
    async with aclosing(follow(sweep.client, what, call, find, sweep.sizes, rescue)) as pages:
        async for found in pages:
            page = await whole_page(sweep.client, site, "changes", found.answer, found.told, found.nodes)
            ours = page if whole else sweep.only(page, found.nodes)
            if ours is not None and ours.items:
                sweep.note(found.nodes)
                yield ours


async def _changed_by_rest(sweep: Sweep, repository: str) -> AsyncGenerator[Page, None]:
    """Yield what changed by REST; a list that stays short is asked for again with its ETag, which costs nothing."""
    kept = object_of(sweep.lists.pop(repository, None))
    since, etag = str(kept.get("since") or sweep.start), kept.get("etag")
    known = etag if isinstance(etag, str) else None
    seen, newest = 0, known
    async with aclosing(rest.listed(sweep.client, sweep.site, repository, since, known)) as lists:
        async for found in lists:
            newest = found.answer.headers.get("etag") if not seen else newest
            seen += len(found.objects)
            if found.objects:
                yield rest.page_of("changes", found)
    if newest and seen <= rest.FEW:
        sweep.lists[repository] = {"since": since, "etag": newest}


async def _milestones(sweep: Sweep, repository: str) -> AsyncGenerator[Page, None]:
    async with aclosing(milestones_of(sweep.client, repository, sweep.sizes)) as pages:
        async for found in pages:
            yield await whole_page(sweep.client, sweep.site, "changes", found.answer, found.told, found.nodes)
            if not found.nodes or str(found.nodes[-1].get("updatedAt")) < sweep.start:
                return


# --- parents, and the past


async def _parents(sweep: Sweep) -> AsyncGenerator[Page, None]:
    """Yield the parents of what changed: a child moves the numbers of its parent, but not its `updatedAt`."""
    site = sweep.site
    wanted = [
        id
        for id, repository in sweep.parents.items()
        if id not in sweep.read and (sweep.covers(repository) or site.projects)
    ]
    steps = [ids_step(sweep.client, site, "changes", part) for part in chunked(wanted)]
    async with aclosing(growing(steps, LANES)) as pages:
        async for page in pages:
            if not site.projects:
                yield page
            elif (ours := sweep.only(page, nodes_of(page))) is not None:
                yield replace(ours, missing=())


async def _past(sweep: Sweep) -> AsyncGenerator[Page, None]:
    """Yield the past of what moved in projects: no `updatedAt` tells that it goes on."""

    async def work(ids: list[str]) -> list[Page]:
        return await past(sweep.client, sweep.site, "changes", ids)

    groups = each(chunked(list(sweep.past), queries.HISTORY))
    async with aclosing(side_by_side(groups, work, HISTORY_LANES)) as results:
        async for pages in results:
            for page in pages:
                yield page
