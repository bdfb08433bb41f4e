"""Where anything changed since a watermark: one question for twenty repositories and a hundred projects.

What is read of it is told by `changes` and `boards`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import zip_longest
from typing import Any

import orjson

from connectors.base import Answer, Call, Json, Page
from connectors.github import queries
from connectors.github.limits import server_time
from connectors.github.shapes import object_of, objects
from connectors.github.site import LANES, Site, ask, chunked, repository_of
from connectors.github.walk import Sizes, data_of, follow, growing, stepwise
from connectors.http import Client


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
    """One run: what is read from when, and what is known so far of the changed issues and their parents.

    `past` are the issues whose past moved in a project, which their own `updatedAt` need not tell.
    """

    client: Client
    site: Site
    since: datetime
    sizes: Sizes
    read: set[str] = field(default_factory=set)
    parents: dict[str, str] = field(default_factory=dict)
    past: dict[str, None] = field(default_factory=dict)
    lists: dict[str, Json] = field(default_factory=dict)
    names: frozenset[str] = frozenset()

    def covers(self, repository: str) -> bool:
        """Whether a repository is read whole, under the name that it has by now."""
        return repository.lower() in self.names or self.site.covers(repository)

    def holds(self, node: Mapping[str, Any]) -> bool:
        """Whether an issue is in scope: by its repository, or as an item of a project."""
        return self.covers(repository_of(node)) or self.site.holds(node)

    def only(self, page: Page, nodes: Sequence[dict[str, Any]]) -> Page | None:
        """Return the page with the issues in scope alone, None where there is none."""
        ours = [node for node in nodes if self.holds(node)]
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


async def look_around(sweep: Sweep, elsewhere: Sequence[str]) -> Look:
    """Ask where anything changed: twenty repositories a request, those of an organization by the hundred.

    What is out of sight is left out here and stops nothing; when it comes back it is new and read whole.
    """
    site = sweep.site
    look = Look(at=sweep.client.now)
    times: list[datetime] = []
    owned = [name for name in site.named if name.partition("/")[0].lower() not in site.owners]
    names = chunked([*owned, *elsewhere], queries.REPOSITORIES)
    projects = chunked(list(site.projects.values()))
    nothing: list[str] = []
    steps = [
        stepwise(_named(sweep, look, some, elsewhere, beside))
        for some, beside in zip_longest(names, projects, fillvalue=nothing)
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
            seen = (_seen(node, sweep.start) for node in found.nodes)
            look.ours.extend(one for one in seen if one is not None)
            yield found.answer


def _seen(node: Json, start: str) -> Seen | None:
    told = object_of(node)
    if not told.get("id") or told.get("hasIssuesEnabled") is False:
        return None
    newest = [str(one.get("updatedAt") or "") for one in objects(told.get("milestones"))]
    return Seen(
        id=str(told["id"]),
        name=str(told.get("nameWithOwner")),
        archived=told.get("isArchived") is True,
        moved=bool(object_of(told.get("issues")).get("totalCount")),
        milestones=bool(newest and newest[0] >= start),
    )
