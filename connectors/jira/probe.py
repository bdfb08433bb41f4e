"""Findings for `keyrail check`: whose account, what it may, how much room there is, what to do next.

Nothing is changed at Jira and no issue is read.
"""

from __future__ import annotations

import asyncio

from connectors.base import Answer, Finding, Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.discover import account_of
from connectors.jira.listing import count_of
from connectors.jira.site import site_of
from domain.errors import NotFoundError, RejectedError
from domain.workspace import Connection

_NEEDED = {
    "BROWSE_PROJECTS": "nothing can be read",
    "EDIT_ISSUES": "fields and properties cannot be written",
    "LINK_ISSUES": "the status link on issues cannot be written",
}
_PROJECTS = 10
"""whose permissions are asked"""


async def probe(client: Client, connection: Connection, reading: Reading) -> list[Finding]:
    """Tell for `check`: whose account, permissions, head-room, scope, estimate."""
    site = site_of(client, connection, reading)
    api = site.api
    answer, me = await client.read(queries.myself(api))
    account_of(client, me)
    who = me.get("emailAddress") or me.get("displayName") or reading.account if isinstance(me, dict) else ""
    keys = _scoped_keys(connection, reading)
    counted, granted = await asyncio.gather(
        count_of(client, site, site.scope),
        asyncio.gather(*(_permissions(client, api, key) for key in keys[:_PROJECTS])),
    )
    found = [Finding(level="ok", subject="credentials", message=f"{client.access.source} is the account of {who}.")]
    found.extend(finding for findings in granted for finding in findings)
    found.append(_headroom(answer, connection))
    found.append(
        Finding(level="ok", subject="scope", message=f"About {counted} issues match the scope.")
        if counted
        else Finding(level="warning", subject="scope", message="No issue matches the scope. Check `scope`.")
    )
    found.append(_estimate_finding(connection, reading))
    return found


def _scoped_keys(connection: Connection, reading: Reading) -> list[str]:
    if keys := queries.project_keys(connection):
        return list(keys)
    visible = reading.facts.get("visible_projects")
    return [str(key) for key in visible] if isinstance(visible, list) else []


async def _permissions(client: Client, api: str, key: str) -> list[Finding]:
    subject = f"permissions in {key}"
    try:
        told = await client.json(queries.permissions(api, key, tuple(_NEEDED)))
    except (NotFoundError, RejectedError) as error:
        return [Finding(level="error", subject=subject, message=str(error))]
    granted = told.get("permissions") if isinstance(told, dict) else None
    have = granted if isinstance(granted, dict) else {}
    lacking = [name for name in _NEEDED if not (isinstance(have.get(name), dict) and have[name].get("havePermission"))]
    if not lacking:
        return [Finding(level="ok", subject=subject, message="Browse, edit and link issues.")]
    return [
        Finding(
            level="error" if name == "BROWSE_PROJECTS" else "warning",
            subject=subject,
            message=f"The account lacks {name}: {_NEEDED[name]}. Grant it in the project's permission scheme.",
        )
        for name in lacking
    ]


def _headroom(answer: Answer, connection: Connection) -> Finding:
    limit, remaining = (answer.headers.get(f"x-ratelimit-{name}") for name in ("limit", "remaining"))
    near = answer.headers.get("x-ratelimit-nearlimit", "").lower() == "true"
    share = f"Keyrail uses at most {connection.budget:.0%} of it."
    if near:
        message = f"Less than a fifth of the account's limit is left ({remaining} of {limit}). {share}"
        return Finding(level="warning", subject="rate limit", message=message)
    told = f"{remaining} of {limit} left." if limit and remaining else "Jira states none on this answer."
    return Finding(level="ok", subject="rate limit", message=f"{told} {share}")


def _estimate_finding(connection: Connection, reading: Reading) -> Finding:
    roles = reading.facts.get("fields")
    field = roles.get("estimate") if isinstance(roles, dict) else None
    if field:
        said = f"'{connection.estimate}' is" if connection.estimate != "auto" else "found:"
        return Finding(level="ok", subject="estimate", message=f"Estimate field {said} {field}.")
    if connection.estimate in (None, "none"):
        return Finding(level="ok", subject="estimate", message="No estimate field is wanted; items count as one each.")
    message = "No story point field was found. Name it in `estimate`, or say none."
    return Finding(level="warning", subject="estimate", message=message)
