"""What every reading of Linear shares: the workspace as discovery found it, one list page by page, pages to hand out.

Which list is read when is told by `client`, `containers`, `windows`, `changes` and `history`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

import orjson

from connectors.base import Answer, Call, Json, Page, Reading
from connectors.http import Client
from connectors.linear import queries
from domain.errors import RejectedError, VendorUnavailableError
from domain.workspace import Connection

LANES, HISTORY_LANES = 12, 4
MAX_PAGES = 20_000
RESTARTS = 2
"""times that one list is begun anew because its cursor was refused"""

Node = dict[str, Any]  # Any: JSON as Linear has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The part of a reading that decides requests: teams in scope (key by id), what the schema has, what we may see."""

    teams: Mapping[str, str]
    initiatives: bool
    project_fields: tuple[str, ...]
    labels: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One page of a list as it came and as JSON says it; `after` is the cursor of the next one."""

    answer: Answer
    payload: Node
    nodes: list[Node]
    after: str | None


def site_of(connection: Connection, reading: Reading) -> Site:
    """Read the facts that decide requests."""
    facts = reading.facts
    roster, fields, labels = facts.get("teams"), facts.get("project_fields"), facts.get("labels")
    teams = {id: team for id, team in roster.items() if isinstance(team, dict)} if isinstance(roster, dict) else {}
    return Site(
        teams={id: str(teams[id].get("key")) for id in scoped_teams(connection, teams)},
        initiatives=facts.get("initiatives") is True,
        project_fields=tuple(str(field) for field in fields) if isinstance(fields, list) else (),
        labels=labels if isinstance(labels, dict) else {},
    )


def wanted_teams(connection: Connection) -> tuple[str, ...]:
    """Return `scope.teams` as written: keys, names or ids."""
    teams = connection.scope.get("teams")
    return tuple(str(team) for team in teams) if isinstance(teams, list | tuple) else ()


def scoped_teams(connection: Connection, roster: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the ids of the teams in scope: a word means an id, else a key, else a name, without case."""
    called = {id: names_of(id, team) for id, team in roster.items()}
    found: dict[str, None] = {}
    for word in (word.lower() for word in wanted_teams(connection)):
        by_rank = ([id for id, names in called.items() if names[rank] == word] for rank in range(3))
        found |= dict.fromkeys(next(filter(None, by_rank), []))
    return list(found)


def names_of(id: str, team: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what a team may be called in the file, in lower case: its id, its key, its name."""
    return id.lower(), str(team.get("key") or "").lower(), str(team.get("name") or "").lower()


async def told(client: Client, call: Call) -> tuple[Answer, Node, Node]:
    """Send a call; return the answer, all that it says, and its `data`."""
    answer, payload = await client.read(call)
    data = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(payload, dict) or not isinstance(data, dict):
        raise VendorUnavailableError(f"{client.name}: Linear answered without data.")
    return answer, payload, data


async def listing(client: Client, document: str, field: str, **variables: Json) -> AsyncGenerator[Found, None]:
    """Follow a list to its end, however small its pages are.

    A list whose cursor Linear refuses is begun anew: what was handed out comes again. Raises VendorUnavailableError
    for a cursor that comes again, and for a promise of more without a cursor.
    """
    after: str | None = None
    used: set[str] = set()
    restarts = 0
    for _ in range(MAX_PAGES):
        try:
            found = await one_page(client, document, field, after, **variables)
        except RejectedError as error:
            if error.status != 400 or after is None or restarts == RESTARTS:
                raise
            after, restarts = None, restarts + 1
            used.clear()
            continue
        yield found
        after = found.after
        if after is None:
            return
        if after in used:
            raise VendorUnavailableError(f"{client.name}: Linear repeated a cursor of '{field}'. Run again.")
        used.add(after)
    raise VendorUnavailableError(f"{client.name}: the list of '{field}' did not end after {MAX_PAGES} pages.")


async def one_page(client: Client, document: str, field: str, after: str | None = None, **variables: Json) -> Found:
    """Read one page of a list."""
    return found_in(client, field, *await told(client, queries.page(document, after, **variables)))


def found_in(client: Client, field: str, answer: Answer, payload: Node, data: Node) -> Found:
    """Return the page of a list that is in an answer."""
    value = data.get(field)
    if not isinstance(value, dict) or not isinstance(value.get("nodes"), list):
        raise VendorUnavailableError(f"{client.name}: Linear answered without '{field}'.")
    return Found(
        answer=answer,
        payload=payload,
        nodes=[node for node in value["nodes"] if isinstance(node, dict)],
        after=next_of(client, value, field),
    )


def next_of(client: Client, listed: Mapping[str, Any], field: str) -> str | None:
    """Return the cursor of a list's next page, None at its end."""
    info = listed.get("pageInfo")
    if not isinstance(info, dict) or not info.get("hasNextPage"):
        return None
    cursor = info.get("endCursor")
    if not isinstance(cursor, str) or not cursor:
        raise VendorUnavailableError(
            f"{client.name}: Linear promises more of '{field}' and gives no cursor; the list was not read whole. "
            "Run again."
        )
    return cursor


async def all_nodes(client: Client, document: str, field: str, **variables: Json) -> list[Node]:
    """Return the nodes of a whole list, each id once."""
    nodes: dict[str, Node] = {}
    async with aclosing(listing(client, document, field, **variables)) as pages:
        async for found in pages:
            nodes.update((str(node.get("id")), node) for node in found.nodes)
    return list(nodes.values())


def page_of(
    stream: str, found: Found, *, kind: str = "items", missing: Sequence[str] = (), mended: bool = False
) -> Page:
    """Hand out a page as it came, or, where more was put into it, as it is now."""
    return Page(
        kind=kind,
        stream=stream,
        number=0,
        body=orjson.dumps(found.payload) if mended else found.answer.body,
        read_at=found.answer.sent_at,
        items=len(found.nodes),
        missing=tuple(missing),
        payload=found.payload,
    )


def kept(found: Found, field: str, nodes: list[Node]) -> Found:
    """Return the page with some of its nodes alone."""
    payload = {"data": {field: {"nodes": nodes}}}
    return replace(found, payload=payload, nodes=nodes)


def nothing(client: Client, stream: str, *, missing: Sequence[str] = (), cursor: Json = None) -> Page:
    """Hand out an empty page."""
    return Page(
        kind="items",
        stream=stream,
        number=0,
        body=b'{"data":{"issues":{"nodes":[]}}}',
        read_at=client.now,
        items=0,
        missing=tuple(missing),
        cursor=cursor,
    )


async def numbered(results: AsyncGenerator[list[Page], None]) -> AsyncGenerator[Page, None]:
    """Yield pages numbered from 0 in the order in which they completed."""
    number = 0
    async with aclosing(results):
        async for pages in results:
            for page in pages:
                yield replace(page, number=number)
                number += 1
