"""What changed since a watermark: one question tells where, then only those lists are read.

Pages go out as they came in; the last one carries the new watermark.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.base import Answer, Call, Json, Page, Reading
from connectors.github import queries, rest
from connectors.github.client import ids_step, repository_steps
from connectors.github.limits import server_time
from connectors.github.listing import counted, issues_among, items_of, milestones_of
from connectors.github.shapes import object_of, objects
from connectors.github.site import (
    LANES,
    Site,
    ask,
    chunked,
    issues_in,
    nodes_of,
    nothing,
    number_of,
    repository_of,
    rescued,
    site_of,
    whole_page,
)
from connectors.github.walk import Sizes, data_of, follow, growing, stepwise
from connectors.http import Client
from domain.workspace import Connection

OVERLAP = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the first question tells about one repository: whether issues `moved`, whether `milestones` did."""

    id: str
    name: str
    archived: bool
    moved: bool
    milestones: bool

    @property
    def face(self) -> list[Json]:
        """What its issues show of it: where that changes they are read again, for their `updatedAt` does not."""
        return [self.name, self.archived]


@dataclass(slots=True, kw_only=True)
class Look:
    """Where anything changed: repositories read whole and others, projects by id, and the server's clock."""

    at: datetime
    ours: list[Seen] = field(default_factory=list)
    others: list[Seen] = field(default_factory=list)
    projects: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Sweep:
    """One run: what is read from when, and what is known so far of the changed issues and their parents."""

    client: Client
    site: Site
    since: datetime
    sizes: Sizes
    read: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    lists: dict[str, Json] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    def covers(self, repository: str) -> bool:
        """Whether a repository is read whole, under the name that it has by now."""
        return repository.lower() in self.names or self.site.covers(repository)

    def only(self, page: Page, nodes: Sequence[dict[str, Any]]) -> Page | None:
        """Return the page with the issues in scope alone, None where there is none."""
        ours = [node for node in nodes if self.covers(repository_of(node)) or self.site.holds(node)]
        told = {"data": {"nodes": ours}}
        return replace(page, body=orjson.dumps(told), payload=told, items=len(ours)) if ours else None

    @property
    def start(self) -> str:
        """The moment that lists are asked from, as GitHub writes it."""
        return self.since.strftime("%Y-%m-%dT%H:%M:%SZ")

    def note(self, nodes: Sequence[Mapping[str, Any]]) -> None:
        """Keep which issues were read, and who stands above them: a parent's own `updatedAt` does not move."""
        for node in nodes:
            self.read.add(str(node.get("id")))
            above = node.get("parent")
            if isinstance(above, dict) and above.get("id"):
                self.parents[str(above["id"])] = repository_of(above)


async def changes(client: Client, connection: Connection, reading: Reading, watermark: Json) -> AsyncIterator[Page]:
    """Yield what changed since the watermark, oldest first in each repository; the last page has the new watermark.

    The watermark is the run's start by the server's clock, and each sweep begins five minutes before it. It keeps how
    repositories and projects looked: ``{"updated_ms", "day", "repositories", "projects", "lists"}``.
    """
    site = site_of(connection, reading)
    mark = object_of(watermark)
    start_ms = number_of(mark.get("updated_ms")) or number_of(reading.facts.get("read_ms"))
    start = datetime.fromtimestamp(start_ms / 1000, UTC) if start_ms else client.now
    sweep = Sweep(client=client, site=site, since=start - OVERLAP, sizes=Sizes(), lists=object_of(mark.get("lists")))
    before = object_of(mark.get("projects"))
    elsewhere = _outside(before)
    look = await _look(sweep, elsewhere)
    today = look.at.date().isoformat()
    projects: dict[str, Json] = {}

    async def pages() -> AsyncGenerator[Page, None]:
        async with aclosing(_in_repositories(sweep, look, _faces(mark, reading))) as found:
            async for page in found:
                yield page
        async with aclosing(_in_projects(sweep, look, before, elsewhere, mark.get("day") != today, projects)) as found:
            async for page in found:
                yield page
        async with aclosing(_parents(sweep)) as found:
            async for page in found:
                yield page

    held: Page | None = None
    number = 0
    async with aclosing(pages()) as found:
        async for page in found:
            if held is not None:
                yield replace(held, number=number)
                number += 1
            held = page
    cursor: dict[str, Json] = {
        "updated_ms": int(look.at.timestamp() * 1000),
        "day": today,
        "repositories": {seen.id: seen.face for seen in look.ours},
        "projects": projects,
    }
    if sweep.lists:
        cursor["lists"] = sweep.lists
    yield replace(held or nothing("changes", look.at), number=number, cursor=cursor)


# --- where anything changed


async def _look(sweep: Sweep, elsewhere: Sequence[str]) -> Look:
    """Ask where anything changed: twenty repositories a request, those of an organization by the hundred.

    What is out of sight is left out here and stops nothing; when it comes back it is new and read whole.
    """
    site = sweep.site
    look = Look(at=sweep.client.now)
    times: list[datetime] = []
    owned = [name for name in site.named if name.partition("/")[0].lower() not in site.owners]
    groups = chunked([*owned, *elsewhere], queries.REPOSITORIES)
    groups = groups or ([[]] if site.projects else [])
    steps = [
        stepwise(_named(sweep, look, names, elsewhere, list(site.projects.values()) if at == 0 else []))
        for at, names in enumerate(groups)
    ]
    steps += [stepwise(_owned(sweep, look, login)) for login in site.organizations]
    async with aclosing(growing(steps, LANES)) as answers:
        async for answer in answers:
            times.append(server_time(answer) or answer.sent_at)
    look.at = min(times, default=look.at)
    sweep.names = frozenset(seen.name.lower() for seen in look.ours)
    return look


async def _named(
    sweep: Sweep, look: Look, names: Sequence[str], elsewhere: Sequence[str], projects: Sequence[str]
) -> AsyncGenerator[Answer, None]:
    call = queries.moved(names, sweep.start, milestones=sweep.site.milestones, projects=projects)
    answer, told = await ask(sweep.client, call)
    data = data_of(told)
    for at, name in enumerate(names):
        if (seen := _seen(data.get(f"r{at}"), sweep.start)) is not None:
            (look.others if name in elsewhere else look.ours).append(seen)
    for node in data.get("projects") or ():
        if isinstance(node, dict) and node.get("id"):
            look.projects[str(node["id"])] = str(node.get("updatedAt") or "")
    yield answer


async def _owned(sweep: Sweep, look: Look, login: str) -> AsyncGenerator[Answer, None]:
    def call(after: str | None, first: int, attempts: int) -> Call:
        return queries.organization(
            login, after=after, first=first, since=sweep.start, milestones=sweep.site.milestones, attempts=attempts
        )

    def find(told: dict[str, Any]) -> Mapping[str, Any]:
        return object_of(object_of(data_of(told).get("organization")).get("repositories"))

    async with aclosing(follow(sweep.client, f"the repositories of {login}", call, find, sweep.sizes)) as pages:
        async for found in pages:
            seen = (_seen(node, sweep.start) for node in found.nodes if node.get("hasIssuesEnabled") is not False)
            look.ours.extend(one for one in seen if one is not None)
            yield found.answer


def _seen(node: Json, start: str) -> Seen | None:
    told = object_of(node)
    if not told.get("id"):
        return None
    newest = [str(one.get("updatedAt") or "") for one in objects(told.get("milestones"))]
    return Seen(
        id=str(told["id"]),
        name=str(told.get("nameWithOwner")),
        archived=told.get("isArchived") is True,
        moved=bool(object_of(told.get("issues")).get("totalCount")),
        milestones=bool(newest and newest[0] >= start),
    )


def _faces(mark: Mapping[str, Any], reading: Reading) -> dict[str, Json] | None:
    """Return how repositories looked at the watermark, at the discovery where that says nothing; None if unknown."""
    known = mark.get("repositories")
    if isinstance(known, dict):
        return known
    roster = reading.facts.get("repositories")
    if not isinstance(roster, dict):
        return None
    return {str(one.get("id")): [name, one.get("archived") is True] for name, one in roster.items()}


# --- repositories


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


# --- parents and projects


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


async def _in_projects(
    sweep: Sweep, look: Look, before: Mapping[str, Any], elsewhere: Sequence[str], daily: bool, after: dict[str, Json]
) -> AsyncGenerator[Page, None]:
    """Yield the issues whose items changed in a project; put how the projects look now into `after`.

    A change of a project's field moves the item and not the issue. All items are listed where the project says that
    it changed, and once a day.
    """
    asked = set(elsewhere)
    for key, id in sweep.site.projects.items():
        kept = object_of(before.get(key))
        updated = look.projects.get(id)
        if updated is None:
            after[key] = kept
            continue
        if not daily and kept.get("updated") == updated:
            after[key] = kept
            continue
        changed, places = await _items(sweep, id)
        after[key] = {"updated": updated, "outside": sorted(places)}
        steps = [stepwise(_changed(sweep, name)) for name in sorted(places - asked)]
        asked |= places
        steps += [ids_step(sweep.client, sweep.site, "changes", part) for part in chunked(changed)]
        async with aclosing(growing(steps, LANES)) as pages:
            async for page in pages:
                sweep.note(nodes_of(page))
                yield page


async def _items(sweep: Sweep, project: str) -> tuple[list[str], set[str]]:
    """Return the ids of issues whose items changed, and the repositories of issues that are not read whole."""
    changed: list[str] = []
    places: set[str] = set()
    async with aclosing(items_of(sweep.client, sweep.site, project, sweep.sizes)) as pages:
        async for found in pages:
            for id, repository, updated in issues_among(found.nodes):
                if repository and not sweep.covers(repository):
                    places.add(repository)
                if updated >= sweep.start and id not in sweep.read:
                    changed.append(id)
    return list(dict.fromkeys(changed)), places


def _outside(projects: Mapping[str, Any]) -> list[str]:
    """Return the repositories that are known from projects alone."""
    lists = (object_of(one).get("outside") for one in projects.values())
    return list(dict.fromkeys(str(name) for names in lists if isinstance(names, list) for name in names))
