"""What every reading of Jira shares: the site as discovery found it, one page of issues, and pages to hand out.

One call is sent in here at most; which call follows which is told by `listing`, `client`, `changes`, `history`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from connectors.base import Answer, Call, Json, Page, Reading
from connectors.http import Client
from connectors.jira import queries
from domain.errors import VendorUnavailableError
from domain.workspace import Connection

LANES = 12
MAX_PAGES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The part of a reading that decides requests."""

    server: bool
    api: str
    scope: str
    children: bool
    roles: Mapping[str, Json]
    fields: tuple[str, ...]
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A page of issues as it came and as JSON says it."""

    answer: Answer
    issues: list[dict[str, Any]]
    page: dict[str, Any]

    @property
    def ids(self) -> list[str]:
        """The ids in the order of the page."""
        return [str(issue["id"]) for issue in self.issues]


def site_of(client: Client, connection: Connection, reading: Reading) -> Site:
    """Read the facts that decide requests, and use the gateway where discovery found that we must."""
    facts = reading.facts
    gateway, roles, fields = facts.get("gateway"), facts.get("fields"), facts.get("request_fields")
    if isinstance(gateway, str):
        client.access.adopt(gateway)
    return Site(
        server=facts.get("deployment") == "datacenter",
        api=str(facts.get("api") or queries.CLOUD),
        scope=queries.scope_jql(connection),
        children=connection.scope.get("children") is True and bool(connection.scope.get("jql")),
        roles=roles if isinstance(roles, dict) else {},
        fields=tuple(str(field) for field in fields) if isinstance(fields, list) else queries.FIELDS,
        zone=str(facts.get("time_zone") or "UTC"),
    )


async def find(client: Client, call: Call) -> Found:
    """Send a call that is answered with a page of issues."""
    answer, told = await client.read(call)
    page = as_object(client, told)
    return Found(answer=answer, issues=[issue for issue in objects(page, "issues") if "id" in issue], page=page)


def as_object(client: Client, told: Json) -> dict[str, Any]:
    """Return the answer as an object; raise VendorUnavailableError where it is something else."""
    if isinstance(told, dict):
        return told
    raise VendorUnavailableError(f"{client.name}: Jira answered {type(told).__name__} where an object was expected.")


def objects(page: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return the objects of a list in a page, none where there is no list."""
    values = page.get(name)
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def page_of(
    kind: str,
    stream: str,
    answer: Answer,
    items: int,
    missing: tuple[str, ...] = (),
    *,
    number: int = 0,
    cursor: Json = None,
    payload: Json = None,
) -> Page:
    """Hand out an answer as it came, with what JSON says of it where that is known."""
    return Page(
        kind=kind,
        stream=stream,
        number=number,
        body=answer.body,
        read_at=answer.sent_at,
        items=items,
        missing=missing,
        cursor=cursor,
        payload=payload,
    )


def renumbered(page: Page, number: int) -> Page:
    """Return the page with another number."""
    return replace(page, number=number)


def nothing(client: Client, stream: str, asked: Sequence[str]) -> Page:
    """Hand out an empty page: none of `asked` was answered."""
    return Page(
        kind="items", stream=stream, number=0, body=b'{"issues":[]}', read_at=client.now, items=0, missing=tuple(asked)
    )


async def numbered(results: AsyncGenerator[list[Page], None]) -> AsyncGenerator[Page, None]:
    """Yield pages numbered from 0 in the order in which they completed."""
    number = 0
    async with aclosing(results):
        async for pages in results:
            for page in pages:
                yield renumbered(page, number)
                number += 1


def parent_of(issue: Mapping[str, Any], up: Sequence[str]) -> str | None:
    """Return the parent's id or key from the first of the fields `up` that states one."""
    fields = issue.get("fields") or {}
    for name in up:
        value: Any = fields.get(name)
        if isinstance(value, dict):
            value = value.get("data") if isinstance(value.get("data"), dict) else value
            value = value.get("id") or value.get("key")
        if value:
            return str(value)
    return None


def updated_ms(issue: Mapping[str, Any]) -> float:
    """Return when an issue was last changed in epoch milliseconds, 0 where it does not say."""
    text = (issue.get("fields") or {}).get("updated")
    try:
        return to_ms(datetime.fromisoformat(text)) if isinstance(text, str) else 0.0
    except ValueError:
        return 0.0


def to_ms(moment: datetime) -> float:
    """Return epoch milliseconds."""
    return moment.timestamp() * 1000


def number_of(value: Json) -> float | None:
    """Return a JSON number, None for anything else."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
