"""What every reading of GitHub shares: the scope as discovery found it, issues made whole, and pages to hand out.

Which list is read when is told by `listing`, `client`, `changes` and `history`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Answer, Call, Json, Page, Reading
from connectors.github import queries
from connectors.github.selection import EVERYTHING, Selection, lists_of
from connectors.github.shapes import UNREAD, object_of, objects
from connectors.github.walk import WHOLE, Find, Rescue, data_of, to_the_end
from connectors.http import Client
from domain.errors import NotFoundError, VendorUnavailableError
from domain.workspace import Connection

LANES, HISTORY_LANES = 6, 2
"""requests side by side: GitHub allows a minute of computing time in a minute, which a page takes a second of"""
WORK = frozenset({"Issue", "Milestone"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The part of a reading that decides requests.

    `repositories` are those in scope that have issues, by their present names, `named` those that the file names;
    `organizations` and `projects` as the scope has them, projects with their ids. `whole` and `owners` are names in
    lower case. `old` says that the server's GraphQL lacks what is needed, so that issues are read by REST,
    `status_in_projects` that a project's field tells the status.
    """

    rest: str
    old: bool
    selection: Selection
    milestones: bool
    repositories: tuple[str, ...]
    named: tuple[str, ...]
    organizations: tuple[str, ...]
    projects: Mapping[str, str]
    status_in_projects: bool

    whole: frozenset[str]
    owners: frozenset[str]

    def covers(self, repository: str) -> bool:
        """Whether a repository is read whole: it is named, or its organization is."""
        low = repository.lower()
        return low in self.whole or low.partition("/")[0] in self.owners

    def holds(self, node: Mapping[str, Any]) -> bool:
        """Whether an issue or a milestone is in scope: by its repository, or as an item of a project."""
        if self.covers(repository_of(node)):
            return True
        ours = set(self.projects.values())
        return any(
            isinstance(project := item.get("project"), dict) and project.get("id") in ours
            for item in objects(node.get("projectItems"))
        )


def site_of(connection: Connection, reading: Reading) -> Site:
    """Read the facts that decide requests, within the scope as it is now."""
    facts = reading.facts
    roster, names, ids = (object_of(facts.get(name)) for name in ("repositories", "names", "projects"))
    named = tuple(dict.fromkeys(str(names.get(name.lower()) or name) for name in scoped(connection, "repositories")))
    organizations = scoped(connection, "organizations")
    owners = frozenset(login.lower() for login in organizations)
    listed = [name for name in roster if name.partition("/")[0].lower() in owners]
    readable = [name for name in dict.fromkeys([*named, *listed]) if object_of(roster.get(name)).get("issues", True)]
    values = facts.get("values")
    can = facts.get("can")
    return Site(
        rest=queries.rest_of_url(connection.url),
        old=facts.get("old") is True,
        selection=Selection(
            can=frozenset(str(name) for name in can) if isinstance(can, list) else EVERYTHING,
            projects=facts.get("with_projects") is True,
            values=tuple(str(name) for name in values) if isinstance(values, list) else (),
        ),
        milestones=connection.epics.get("milestones") is True,
        repositories=tuple(readable),
        named=named,
        organizations=organizations,
        projects={
            key: str(object_of(ids.get(key.lower())).get("id"))
            for key in scoped(connection, "projects")
            if key.lower() in ids
        },
        status_in_projects=isinstance(connection.status, Mapping) and "project_field" in connection.status,
        whole=frozenset(name.lower() for name in named),
        owners=owners,
    )


def scoped(connection: Connection, key: str) -> tuple[str, ...]:
    """Return the names under a key of `scope`, as written."""
    names = connection.scope.get(key)
    return tuple(str(name) for name in names) if isinstance(names, list | tuple) else ()


def repository_of(node: Mapping[str, Any]) -> str:
    """Return ``owner/name`` of what an issue or a milestone says about its repository, empty where it says nothing."""
    url = node.get("repository_url")
    if isinstance(url, str):
        return url.rpartition("/repos/")[2]
    return str(object_of(node.get("repository")).get("nameWithOwner") or "")


def issues_in(client: Client, repository: str, told: Mapping[str, Json], field: str = "issues") -> Mapping[str, Any]:
    """Return the list in a repository's answer; raise NotFoundError where the repository is out of sight."""
    found = data_of(told).get("repository")
    if not isinstance(found, dict):
        raise NotFoundError(
            f"{client.name}: repository '{repository}' does not exist any more, or is hidden from our account."
        )
    return object_of(found.get(field))


async def ask(client: Client, call: Call) -> tuple[Answer, dict[str, Any]]:
    """Send a query; return the answer and what it says."""
    answer, told = await client.read(call)
    if not isinstance(told, dict):
        raise VendorUnavailableError(f"{client.name}: GitHub answered {type(told).__name__} instead of an object.")
    return answer, told


async def completed(client: Client, site: Site, nodes: Sequence[dict[str, Any]]) -> bool:
    """Read those lists inside issues to their end that are longer than what came along; tell whether any was."""
    mended = False
    for node in nodes:
        for name in lists_of(site.selection):
            short = object_of(node.get(name))
            whole = await to_the_end(
                client, f"the {name} of an issue", short, _reader(client, site, str(node["id"]), name)
            )
            if whole is not None:
                node[name] = {**short, "nodes": whole, "pageInfo": dict(WHOLE)}
                mended = True
    return mended


def _reader(client: Client, site: Site, id: str, name: str) -> Callable[[str], Awaitable[Mapping[str, Any]]]:
    async def more(after: str) -> Mapping[str, Any]:
        _, told = await ask(client, queries.rest_of(site.selection, name, id, after))
        return object_of(object_of(data_of(told).get("node")).get(name))

    return more


async def whole_page(
    client: Client,
    site: Site,
    stream: str,
    answer: Answer,
    told: dict[str, Any],
    nodes: Sequence[dict[str, Any]],
    missing: tuple[str, ...] = (),
) -> Page:
    """Hand out an answer once every list inside its issues is whole: as it came, or with what was cut put in."""
    mended = await completed(client, site, nodes)
    return Page(
        kind="items",
        stream=stream,
        number=0,
        body=orjson.dumps(told) if mended else answer.body,
        read_at=answer.sent_at,
        items=len(nodes),
        missing=missing,
        payload=told,
    )


def rescued(client: Client, site: Site, ids_alone: Callable[[str | None, int], Call], find: Find) -> Rescue:
    """Return what reads a page that GitHub cannot give at once: its ids, and then one issue after the other."""

    async def rescue(after: str | None, size: int) -> tuple[Answer, dict[str, Any]]:
        answer, told = await ask(client, ids_alone(after, size))
        found = object_of(find(told))
        _, found["nodes"] = await _one_by_one(client, site, [str(node["id"]) for node in objects(found)])
        return replace(answer, body=orjson.dumps(told)), told

    return rescue


async def _one_by_one(client: Client, site: Site, ids: Sequence[str]) -> tuple[Answer, list[Json]]:
    """Read items one after the other; one that GitHub cannot give is its name alone, marked `UNREAD`.

    Where they are is asked first: that fails where GitHub is out of order, and nothing is taken for unreadable then.
    """
    answer, told = await ask(client, queries.places(ids))
    found: list[Json] = []
    for id, place in zip(ids, _nodes(told, ids), strict=True):
        try:
            _, alone = await ask(client, queries.by_ids(site.selection, [id]))
            found += _nodes(alone, [id])
        except VendorUnavailableError:
            found.append({**object_of(place), "id": id, UNREAD: True} if place is not None else None)
    return answer, found


def _nodes(told: Mapping[str, Json], ids: Sequence[str]) -> list[Json]:
    """Return what an answer says of each id that was asked for, None for what is not there."""
    nodes = data_of(told).get("nodes")
    placed = list(nodes) if isinstance(nodes, list) else []
    return [*placed, *[None] * len(ids)][: len(ids)]


def nodes_of(page: Page) -> list[dict[str, Any]]:
    """Return the objects in a page that was read by id."""
    told = page.payload
    return objects(data_of(told) if isinstance(told, dict) else told)


def within(page: Page, holds: Callable[[Mapping[str, Any]], bool]) -> Page:
    """Return a page that was read by id without what is outside the scope, by `holds`; that is `missing` in it."""
    nodes = nodes_of(page)
    names = [str(node.get("node_id") or node.get("id")) for node in nodes]
    strange = [name for name, node in zip(names, nodes, strict=True) if not holds(node)]
    strange = [name for name in strange if name not in page.missing]
    if not strange:
        return page
    ours = [node for name, node in zip(names, nodes, strict=True) if name not in strange]
    told: Json = {"data": {"nodes": ours}} if isinstance(page.payload, dict) else ours
    missing = (*page.missing, *strange)
    return replace(page, body=orjson.dumps(told), payload=told, items=page.items - len(strange), missing=missing)


def nothing(stream: str, read_at: datetime, cursor: Json = None) -> Page:
    """Hand out a page without items, for its cursor."""
    told: dict[str, Json] = {"data": {"nodes": []}}
    return Page(
        kind="items",
        stream=stream,
        number=0,
        body=orjson.dumps(told),
        read_at=read_at,
        items=0,
        cursor=cursor,
        payload=told,
    )


async def numbered(pages: AsyncGenerator[Page, None]) -> AsyncGenerator[Page, None]:
    """Yield pages numbered from 0 in the order in which they completed."""
    number = 0
    async with aclosing(pages):
        async for page in pages:
            yield replace(page, number=number)
            number += 1


async def read_ids(client: Client, site: Site, stream: str, ids: Sequence[str]) -> list[Page]:
    """Read up to a hundred items by id, fewer at once where GitHub does not manage; what is not there is `missing`.

    Answers come in the order of the ids, so an id of an older form finds its item too.
    """
    smallest = len(ids) <= queries.SMALLEST
    try:
        answer, told = await ask(client, queries.by_ids(site.selection, ids, attempts=4 if smallest else 1))
    except VendorUnavailableError:
        if not smallest:
            middle = len(ids) // 2
            first = await read_ids(client, site, stream, ids[:middle])
            return [*first, *await read_ids(client, site, stream, ids[middle:])]
        answer, one_by_one = await _one_by_one(client, site, ids)
        told = {"data": {"nodes": one_by_one}}
        answer = replace(answer, body=orjson.dumps(told))
    kinds = WORK if site.milestones else {"Issue"}
    placed = [(id, object_of(node)) for id, node in zip(ids, _nodes(told, ids), strict=True)]
    there = [node for _, node in placed if node.get("__typename") in kinds]
    missing = tuple(id for id, node in placed if node.get("__typename") not in kinds)
    return [await whole_page(client, site, stream, answer, told, there, missing)]


def chunked(ids: Sequence[str], size: int = queries.IDS) -> list[list[str]]:
    """Cut a list of ids into lists of at most `size`."""
    return [list(ids[at : at + size]) for at in range(0, len(ids), size)]


def number_of(value: Json) -> float | None:
    """Return a JSON number, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
