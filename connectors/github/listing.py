"""Every list in scope: how long each is, and the ids in all of them to their provable end.

Steps for `walk.growing`; issues are read whole in `client`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from connectors.base import Call, Reading
from connectors.github import queries
from connectors.github.shapes import object_of
from connectors.github.site import LANES, Site, ask, chunked, issues_in, repository_of, rescued, site_of
from connectors.github.walk import BothEnds, Find, Rescue, Sizes, Slice, Step, data_of, follow, growing, stepwise
from connectors.http import Client
from connectors.lanes import each, side_by_side
from domain.errors import NotFoundError
from domain.workspace import Connection

R = TypeVar("R")
Take = Callable[[Slice], Awaitable[list[R]]]
COUNTS_LAST = timedelta(seconds=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """How many issues and milestones a repository has."""

    repository: str
    open: int
    closed: int
    milestones: int

    @property
    def issues(self) -> int:
        """All issues."""
        return self.open + self.closed


async def count(client: Client, connection: Connection, reading: Reading) -> int | None:
    """Return GitHub's own count of the issues in scope, with milestones where those are items.

    Items of projects count only where nothing else is in scope: they may be issues of the same repositories.
    """
    site = site_of(connection, reading)
    repositories = await counted_lately(client, site)
    total = sum(one.issues + one.milestones for one in repositories)
    if site.repositories or not site.projects:
        return total
    for id in site.projects.values():
        _, told = await ask(client, queries.items(site.selection.can, id, first=1))
        total += int(object_of(_items(client, id, told)).get("totalCount") or 0)
    return total


@dataclass(slots=True)
class _Lately:
    """What was counted last, of what and when; whoever asks meanwhile waits for it."""

    counting: asyncio.Lock = field(default_factory=asyncio.Lock)
    of: tuple[str, ...] = ()
    at: datetime | None = None
    found: list[Counted] = field(default_factory=list)


async def counted_lately(client: Client, site: Site) -> list[Counted]:
    """Count the repositories in scope that are in sight; a backfill and its bar, a moment apart, count once."""
    lately = client.notes.get("counted")
    if not isinstance(lately, _Lately):
        lately = client.notes["counted"] = _Lately()
    async with lately.counting:
        if lately.at is None or lately.of != site.repositories or client.now - lately.at > COUNTS_LAST:
            found = await counted(client, site, site.repositories, leave_out=True)
            lately.of, lately.at, lately.found = site.repositories, client.now, found
    return lately.found


async def counted(client: Client, site: Site, repositories: Sequence[str], *, leave_out: bool = False) -> list[Counted]:
    """Count the issues of each repository; the largest comes first.

    One that is out of sight is left out where that is asked for, else it ends in a NotFoundError.
    """

    async def work(names: list[str]) -> list[Counted]:
        _, told = await ask(client, queries.counts(names, milestones=site.milestones))
        data = data_of(told)
        answered = [(name, data.get(f"r{at}")) for at, name in enumerate(names)]
        return [_counted(client, name, told) for name, told in answered if told is not None or not leave_out]

    found: list[Counted] = []
    groups = chunked(repositories, queries.REPOSITORIES)
    async with aclosing(side_by_side(each(groups), work, LANES)) as results:
        async for some in results:
            found += some
    return sorted(found, key=lambda one: (-one.issues, one.repository))


def _counted(client: Client, name: str, told: object) -> Counted:
    if not isinstance(told, dict):
        raise NotFoundError(
            f"{client.name}: repository '{name}' does not exist any more, or is hidden from our account."
        )
    numbers = [int(object_of(told.get(part)).get("totalCount") or 0) for part in ("open", "closed", "milestones")]
    return Counted(repository=name, open=numbers[0], closed=numbers[1], milestones=numbers[2])


async def ids(client: Client, connection: Connection, reading: Reading) -> AsyncIterator[list[str]]:
    """Yield every id in scope, in pages: the census. Ends in an error where a list does not end as it should."""
    site = site_of(connection, reading)
    sizes = Sizes()
    seen: set[str] = set()

    async def take(found: Slice) -> list[list[str]]:
        return [[str(node["id"]) for node in found.nodes]]

    async def take_outside(found: Slice) -> list[list[str]]:
        return [outside(site, found.nodes)]

    steps: list[Step[list[str]]] = []
    for one in await counted(client, site, site.repositories):
        steps += issue_list(client, None, one.repository, None, one.issues, take, sizes) if one.issues else []
        if one.milestones:
            steps.append(taken(milestones_of(client, one.repository, sizes), take))
    for id in site.projects.values():
        steps += item_list(client, site, id, take_outside, sizes)
    async with aclosing(growing(steps, LANES)) as lists:
        async for found in lists:
            fresh = [id for id in dict.fromkeys(found) if id not in seen]
            seen.update(fresh)
            if fresh:
                yield fresh


def issue_lists(client: Client, site: Site, counts: Counted, take: Take[R], sizes: Sizes) -> list[Step[R]]:
    """Return the first steps through a repository's issues: one list where a page holds all, else one a state."""
    if counts.issues <= queries.PAGE:
        return issue_list(client, site, counts.repository, None, counts.issues, take, sizes) if counts.issues else []
    return [
        step
        for state, total in (("OPEN", counts.open), ("CLOSED", counts.closed))
        if total
        for step in issue_list(client, site, counts.repository, state, total, take, sizes)
    ]


def issue_list(
    client: Client,
    site: Site | None,
    repository: str,
    state: str | None,
    total: int,
    take: Take[R],
    sizes: Sizes,
) -> list[Step[R]]:
    """Return the first steps through the issues of one state, or of all, from both ends; ids alone without `site`."""
    selection = site.selection if site is not None else None

    def call(direction: str, after: str | None, first: int, attempts: int) -> Call:
        return queries.listing(
            selection, repository, direction, state=state, after=after, first=first, attempts=attempts
        )

    def find(told: dict[str, Any]) -> Mapping[str, Any]:
        return issues_in(client, repository, told)

    def rescue(direction: str) -> Rescue | None:
        def ids_alone(after: str | None, first: int) -> Call:
            return queries.listing(None, repository, direction, state=state, after=after, first=first)

        return rescued(client, site, ids_alone, find) if site is not None else None

    what = f"the issues of {repository}"
    return BothEnds(client, what, call, lambda _: find, take, total=total, sizes=sizes, rescue=rescue).start()


def taken(pages: AsyncGenerator[Slice, None], take: Take[R]) -> Step[R]:
    """Return the step that reads a list page by page and takes in each."""

    async def results() -> AsyncGenerator[R, None]:
        async with aclosing(pages):
            async for found in pages:
                for result in await take(found):
                    yield result

    return stepwise(results())


def milestones_of(client: Client, repository: str, sizes: Sizes) -> AsyncGenerator[Slice, None]:
    """Yield the milestones of a repository, the one that changed last first."""

    def call(after: str | None, first: int, attempts: int) -> Call:
        return queries.milestones(repository, after=after, first=first, attempts=attempts)

    def find(told: dict[str, Any]) -> Mapping[str, Any]:
        return issues_in(client, repository, told, "milestones")

    return follow(client, f"the milestones of {repository}", call, find, sizes)


def item_list(
    client: Client,
    site: Site,
    project: str,
    take: Take[R],
    sizes: Sizes,
    then: Callable[[Slice], Sequence[Step[R]]] = lambda found: (),
) -> list[Step[R]]:
    """Return the first steps through the items of a project (its id) from both ends: what each is, when it changed."""

    def call(direction: str, after: str | None, first: int, attempts: int) -> Call:
        return queries.items(site.selection.can, project, direction, after=after, first=first, attempts=attempts)

    def find(direction: str) -> Find:
        def found(told: dict[str, Any]) -> Mapping[str, Any]:
            items = _items(client, project, told)
            return items if direction == queries.ASC else {**items, "nodes": (items.get("nodes") or [])[::-1]}

        return found

    return BothEnds(client, "the items of a project", call, find, take, total=0, sizes=sizes, then=then).start()


def _items(client: Client, project: str, told: dict[str, Any]) -> Mapping[str, Any]:
    node = data_of(told).get("node")
    if not isinstance(node, dict) or "items" not in node:
        raise NotFoundError(f"{client.name}: project {project} does not exist any more, or is hidden from our account.")
    return object_of(node["items"])


def issues_among(items: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Return (id, repository, when the item changed) of the issues among items of a project."""
    return [
        (str(content["id"]), repository_of(content), str(item.get("updatedAt") or ""))
        for item in items
        if isinstance(content := item.get("content"), dict)
        and content.get("__typename") == "Issue"
        and content.get("id")
    ]


def outside(site: Site, items: list[dict[str, Any]]) -> list[str]:
    """Return the ids of those issues among items whose repositories are not read whole."""
    return [id for id, repository, _ in issues_among(items) if not site.covers(repository)]
