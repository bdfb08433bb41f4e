"""The past of issues: changelogs in bulk on Cloud, embedded ones on Data Center, read to their end.

Pages hold whole issues only; what a change means is told by `parse`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Json, Page, Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.site import LANES, MAX_PAGES, Site, as_object, find, numbered, objects, site_of
from connectors.lanes import each, side_by_side
from domain.errors import NotFoundError, RejectedError, VendorUnavailableError
from domain.workspace import Connection

HISTORY_LANES = 4
REMOTE_LINK = "RemoteIssueLink"
_HISTORY_FIELDS = (
    "status", "resolution", "estimate", "parent", "IssueParentAssociation", "epic_link", "issuetype", "project", "Key",
    "sprint", "labels",
)  # fmt: skip


async def history(client: Client, connection: Connection, reading: Reading, ids: Sequence[str]) -> AsyncIterator[Page]:
    """Yield the past of the given items, whole issues only: a changelog that Jira cuts is read to its end.

    `missing` are issues that are out of sight.
    """
    site = site_of(client, connection, reading)
    size = queries.BULK if site.server else queries.HISTORY_BULK

    async def work(asked: list[str]) -> list[Page]:
        page, linked = await (_server_history if site.server else _cloud_history)(client, site, asked)
        return [page, *([await _remote_links(client, site, linked)] if linked else [])]

    groups = [list(ids[at : at + size]) for at in range(0, len(ids), size)]
    lanes = LANES if site.server else HISTORY_LANES
    async with aclosing(numbered(side_by_side(each(groups), work, lanes))) as pages:
        async for page in pages:
            yield page


async def _cloud_history(client: Client, site: Site, asked: list[str]) -> tuple[Page, list[str]]:
    """Read the changelogs of up to a thousand issues, and tell which have remote links.

    Issues in sight without a change get an empty changelog.
    """
    fields = () if client.notes.get("all history fields") else _history_fields(site)
    try:
        logs, read_at = await _changelogs(client, asked, fields)
    except RejectedError as error:
        if error.status != 400 or not fields:
            raise
        client.notes["all history fields"] = True
        return await _cloud_history(client, site, asked)
    hidden = await _hidden(client, [id for id, entries in logs.items() if not entries])
    told = [{"issueId": id, "changeHistories": entries} for id, entries in logs.items() if id not in hidden]
    body = orjson.dumps({"issueChangeLogs": told})
    linked = linked_in(logs) if not fields else await _linked(client, asked)
    return _page(body, read_at, len(told), hidden), linked


def _page(body: bytes, read_at: datetime, issues: int, missing: Iterable[str]) -> Page:
    return Page(
        kind="history", stream="history", number=0, body=body, read_at=read_at, items=issues, missing=tuple(missing)
    )


async def _hidden(client: Client, silent: Sequence[str]) -> dict[str, None]:
    """Return the issues that are out of sight: changelogs in bulk leave them out as they do those without a change."""
    hidden = dict.fromkeys(silent)
    for at in range(0, len(silent), queries.BULK):
        for id in (await find(client, queries.bulk_fetch(silent[at : at + queries.BULK], ["created"]))).ids:
            hidden.pop(id, None)
    return hidden


async def _linked(client: Client, asked: list[str]) -> list[str]:
    """Ask for the changes of remote links, which ten fields leave no room for; a site may not know the name."""
    try:
        return linked_in((await _changelogs(client, asked, (REMOTE_LINK,)))[0])
    except RejectedError as error:
        if error.status != 400:
            raise
        return []


def linked_in(logs: Mapping[str, list[Json]]) -> list[str]:
    """Return the issues whose remote links ever changed: a changelog tells that, but not where they lead."""
    return [id for id, entries in logs.items() if any(_tells_of_links(entry) for entry in entries)]


def _tells_of_links(entry: Json) -> bool:
    items = entry.get("items") if isinstance(entry, dict) else None
    found = items if isinstance(items, list) else []
    return any(isinstance(item, dict) and str(item.get("field")).lower() == REMOTE_LINK.lower() for item in found)


async def _remote_links(client: Client, site: Site, ids: Sequence[str]) -> Page:
    """Read where the remote links of issues lead, as one page of our own making."""
    read_at = client.now

    async def of(id: str) -> dict[str, Json]:
        try:
            return {"issueId": id, "links": await client.json(queries.remote_links(site.api, id))}
        except NotFoundError:
            return {"issueId": id, "links": []}

    links = [found async for found in side_by_side(each(ids), of, HISTORY_LANES)]
    body = orjson.dumps({"remoteLinks": links})
    return Page(kind="links", stream="links", number=0, body=body, read_at=read_at, items=0)


async def _changelogs(
    client: Client, asked: list[str], fields: Sequence[str]
) -> tuple[dict[str, list[Json]], datetime]:
    """Read changelogs to their end: entries by issue, and when the last page was asked for."""
    logs: dict[str, list[Json]] = {id: [] for id in asked}
    token: str | None = None
    used: set[str] = set()
    for _ in range(MAX_PAGES):
        answer, told = await client.read(queries.bulk_changelog(asked, fields, token))
        page = as_object(client, told)
        for log in objects(page, "issueChangeLogs"):
            logs.setdefault(str(log.get("issueId")), []).extend(log.get("changeHistories") or [])
        token = page.get("nextPageToken") or None
        if not token:
            break
        if token in used:
            raise VendorUnavailableError(
                f"{client.name}: the tracker repeated a page token of POST /changelog/bulkfetch."
            )
        used.add(token)
    return logs, answer.sent_at


def _history_fields(site: Site) -> tuple[str, ...]:
    """Return the fields whose past is followed: at most ten, of which parents need three names."""
    extra = site.roles.get("extra")
    team = extra.get("team") if isinstance(extra, dict) else None
    names = [str(site.roles.get(name) or "") if name in site.roles else name for name in _HISTORY_FIELDS]
    roleless = {"estimate", "epic_link", "sprint"}
    known = [name for name in [*names, str(team or "")] if name and name not in roleless]
    return tuple(dict.fromkeys(known))[:10]


async def _server_history(client: Client, site: Site, asked: list[str]) -> tuple[Page, list[str]]:
    """Read embedded changelogs, and tell which issues have remote links.

    Where a changelog is cut, the issue's own is walked and put in its place.
    """
    jql = f"id in ({', '.join(asked)})"
    try:
        found = await find(
            client, queries.server_search(jql, ["created"], len(asked), expand="changelog", validate=False)
        )
        issues, read_at, body = found.issues, found.answer.sent_at, found.answer.body
    except RejectedError as error:
        if error.status != 400:
            raise
        issues, read_at, body = [], client.now, b""
    hidden, mended = dict.fromkeys(asked), False
    for issue in issues:
        hidden.pop(str(issue["id"]), None)
    for id in list(hidden):
        if (alone := await _alone(client, site, id)) is not None:
            issues.append(alone)
            del hidden[id]
            mended = True
    for issue in issues:
        log = issue.get("changelog")
        entries = log.get("histories") if isinstance(log, dict) else None
        if not isinstance(log, dict) or not isinstance(entries, list) or int(log.get("total") or 0) > len(entries):
            whole = await _walk(client, site, str(issue["id"]))
            issue["changelog"] = {"startAt": 0, "maxResults": len(whole), "total": len(whole), "histories": whole}
            mended = True
    if mended or not body:
        body = orjson.dumps({"issues": issues})
    linked = linked_in({str(one["id"]): one["changelog"]["histories"] for one in issues})
    return _page(body, read_at, len(issues), hidden), linked


async def _alone(client: Client, site: Site, id: str) -> dict[str, Any] | None:
    try:
        return as_object(client, await client.json(queries.issue_with_changelog(site.api, id)))
    except NotFoundError:
        return None


async def _walk(client: Client, site: Site, id: str) -> list[Json]:
    """Read one issue's changelog from its oldest entry to its last."""
    entries: list[Json] = []
    for _ in range(MAX_PAGES):
        page = as_object(client, await client.json(queries.issue_changelog(site.api, id, len(entries))))
        values = page.get("values") or page.get("histories") or []
        entries.extend(values)
        if not values or page.get("isLast") is True or len(entries) >= int(page.get("total") or 0):
            break
    return entries
