"""Issues by REST, for servers whose GraphQL lacks what is needed: lists by `Link`, unchanged ones for nothing.

Pull requests come along in these lists; `parse` leaves them out.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from connectors.base import Answer, Call, Json, Page
from connectors.github import queries
from connectors.github import site as graphql
from connectors.github.shapes import is_pull_request
from connectors.github.site import Site, ask, repository_of
from connectors.github.walk import MAX_PAGES, data_of
from connectors.http import Client
from domain.errors import RejectedError, VendorUnavailableError

_NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next\b')
FEW = 50
"""changed issues up to which the same list is asked for again, so that its ETag may save the answer"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One page of a repository's list: the answer and the objects in it, issues and pull requests alike."""

    answer: Answer
    objects: list[dict[str, Any]]

    @property
    def issues(self) -> list[dict[str, Any]]:
        """The objects that are issues."""
        return [one for one in self.objects if not is_pull_request(one)]


async def pages(client: Client, site: Site, repository: str, stream: str) -> AsyncGenerator[Page, None]:
    """Yield all issues of a repository."""
    async with aclosing(listed(client, site, repository)) as lists:
        async for found in lists:
            if found.objects:
                yield page_of(stream, found)


async def listed(
    client: Client, site: Site, repository: str, since: str | None = None, etag: str | None = None
) -> AsyncGenerator[Listed, None]:
    """Yield the pages of a repository's list from a moment on, the oldest change first; none where it is unchanged.

    Each page begins at the last change of the one before: what changes meanwhile goes to the end and would push others
    out of numbered pages. Only within one instant the address of the next page is followed, as GitHub gives it.
    """
    call = queries.issues(site.rest, repository, since, etag)
    last = since
    for _ in range(MAX_PAGES):
        answer = await _answered(client, call, repository)
        if answer.status == 304:
            return
        objects = _decoded(client, answer)
        yield Listed(answer=answer, objects=objects)
        following = next_of(client, answer)
        if following is None:
            return
        newest = str(objects[-1].get("updated_at") or "") if objects else ""
        if newest > (last or ""):
            last, following = newest, queries.issues(site.rest, repository, newest)
        call = following
    raise VendorUnavailableError(f"{client.name}: the issues of {repository} did not end after {MAX_PAGES} pages.")


async def _answered(client: Client, call: Call, repository: str) -> Answer:
    """Send a call; go once to where a renamed or transferred repository is now."""
    answer = await client.send(call)
    if answer.status == 301:
        moved = _below(client, answer.headers.get("location", ""), replace(call, params={}))
        answer = await client.send(replace(moved, params={**call.params, **moved.params}))
        if answer.status == 301:
            raise RejectedError(f"{client.name}: repository '{repository}' was moved more than once.", status=301)
    return answer


def next_of(client: Client, answer: Answer) -> Call | None:
    """Return the call for the next page, None at the end of the list."""
    found = _NEXT.search(answer.headers.get("link", ""))
    return _below(client, found[1], Call(method="GET", path="/")) if found else None


def _below(client: Client, url: str, call: Call) -> Call:
    """Return the call for an address that GitHub gave; refuse one that is not below the connection's own."""
    base = client.access.base
    if not url.startswith(base + "/") or ".." in url:
        host = urlsplit(url).netloc or "nowhere"
        raise RejectedError(f"{client.name}: GitHub pointed to {host}, which is not its API; it was not followed.")
    parts = urlsplit(url)
    path = parts.path[len(urlsplit(base).path) :]
    return replace(call, path=path, params=dict(parse_qsl(parts.query)))


def _decoded(client: Client, answer: Answer) -> list[dict[str, Any]]:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise VendorUnavailableError(f"{client.name}: a list of issues is cut off or not JSON.") from error
    if not isinstance(told, list):
        raise VendorUnavailableError(
            f"{client.name}: GitHub answered {type(told).__name__} instead of a list of issues."
        )
    return [one for one in told if isinstance(one, dict)]


def page_of(stream: str, found: Listed) -> Page:
    """Hand out a page of a list as it came."""
    return Page(
        kind="items",
        stream=stream,
        number=0,
        body=found.answer.body,
        read_at=found.answer.sent_at,
        items=len(found.issues),
    )


async def read_ids(client: Client, site: Site, stream: str, ids: Sequence[str]) -> list[Page]:
    """Read items by id: GraphQL tells their numbers, REST the rest; milestones are whole in GraphQL."""
    answer, told = await ask(client, queries.places(ids))
    nodes = data_of(told).get("nodes")
    placed = dict(zip(ids, nodes, strict=False)) if isinstance(nodes, list) else {}
    found: list[Json] = []
    missing: list[str] = []
    milestones: list[str] = []
    for id in ids:
        node = placed.get(id)
        kind = node.get("__typename") if isinstance(node, dict) else None
        if isinstance(node, dict) and kind == "Issue":
            one = await _one(client, site, repository_of(node), int(node["number"]))
            found += [one] if one is not None else []
            missing += [id] if one is None else []
        elif kind == "Milestone" and site.milestones:
            milestones.append(id)
        else:
            missing.append(id)
    page = Page(
        kind="items",
        stream=stream,
        number=0,
        body=orjson.dumps(found),
        read_at=answer.sent_at,
        items=len(found),
        missing=tuple(missing),
        payload=found,
    )
    others = await graphql.read_ids(client, site, stream, milestones) if milestones else []
    return others if others and not found and not missing else [page, *others]


async def _one(client: Client, site: Site, repository: str, number: int) -> Json:
    answer = await client.send(queries.issue(site.rest, repository, number))
    if answer.status != 200:
        return None
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError as error:
        raise VendorUnavailableError(f"{client.name}: issue {repository}#{number} is cut off or not JSON.") from error
