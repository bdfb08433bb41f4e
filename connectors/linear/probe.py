"""Findings for `keyrail check`: whose account, what it sees, how much room there is, what to do next.

Nothing is changed at Linear and no issue is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from connectors.base import Answer, Finding, Reading
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.containers import initiatives_seen
from connectors.linear.discover import account_of
from connectors.linear.site import Site, site_of, told
from connectors.linear.windows import sizes
from connectors.ratelimit import number
from domain.workspace import Connection

SCARCE = 0.2
"""share of a limit below which it is scarce"""


async def probe(client: Client, connection: Connection, reading: Reading) -> list[Finding]:
    """Tell for `check`: whose account, scope, initiatives, estimates, head-room and pace, writing."""
    site = site_of(connection, reading)
    (answer, _, data), counted, seen = await asyncio.gather(
        told(client, queries.ask(queries.VIEWER)), sizes(client, site.teams), initiatives_seen(client)
    )
    account_of(client, data)
    found = [_credentials(client, data["viewer"])]
    found.append(_scope(site, sum(size.count for size in counted)))
    found.extend(_private(reading, site))
    found.append(_initiatives(connection, seen))
    found.append(_estimates(connection, reading, site))
    found.extend(_headroom(answer, connection))
    found.append(_writing(connection, data["viewer"]))
    return found


def _credentials(client: Client, viewer: Mapping[str, Any]) -> Finding:
    who = viewer.get("email") or viewer.get("displayName") or viewer.get("name") or viewer.get("id")
    what = f"the app {viewer.get('name') or who}" if viewer.get("app") else f"the user {who}"
    return Finding(level="ok", subject="credentials", message=f"{client.access.source} is {what}.")


def _scope(site: Site, count: int) -> Finding:
    keys = ", ".join(sorted(site.teams.values()))
    if count:
        return Finding(level="ok", subject="scope", message=f"About {count} issues in {keys}.")
    return Finding(level="warning", subject="scope", message=f"No issue is in {keys}. Check `scope`.")


def _private(reading: Reading, site: Site) -> list[Finding]:
    roster = reading.facts.get("teams")
    teams = roster if isinstance(roster, dict) else {}
    private = [key for id, key in site.teams.items() if _visibility(teams.get(id)) == "private"]
    if not private:
        return []
    names = ", ".join(sorted(private))
    message = f"{names}: private; a webhook for all public teams does not cover it. Add one of its own."
    return [Finding(level="ok", subject="private teams", message=message)]


def _visibility(team: object) -> object:
    return team.get("visibility") if isinstance(team, dict) else None


def _initiatives(connection: Connection, seen: bool | None) -> Finding:
    if seen:
        return Finding(level="ok", subject="initiatives", message="Visible.")
    by_key = "token" in connection.auth
    way = "initiatives to what the key may read" if by_key else "initiative:read to the scopes of the app"
    if seen is None:
        message = f"Linear refuses to show initiatives; projects are read without them. Add {way}."
    else:
        message = f"None is visible. If the workspace has any, add {way}."
    level = "ok" if seen is False and by_key else "warning"
    return Finding(level=level, subject="initiatives", message=message)


def _estimates(connection: Connection, reading: Reading, site: Site) -> Finding:
    if connection.estimate == "none":
        return Finding(level="ok", subject="estimate", message="No estimate is wanted; items count as one each.")
    roster = reading.facts.get("teams")
    teams = roster if isinstance(roster, dict) else {}
    silent = sorted(key for id, key in site.teams.items() if not (teams.get(id) or {}).get("estimates"))
    if not silent:
        return Finding(level="ok", subject="estimate", message="All teams in scope estimate.")
    message = f"Estimates are off in {', '.join(silent)}; turn them on in the team's settings, or say none."
    level = "warning" if len(silent) == len(site.teams) else "ok"
    return Finding(level=level, subject="estimate", message=message)


def _headroom(answer: Answer, connection: Connection) -> list[Finding]:
    """Tell what is left of both hourly limits, and how many issues an hour they let through."""
    limits: dict[str, float] = {}
    told_of: list[str] = []
    scarce = False
    for name in ("requests", "complexity"):
        limit, left = (number(answer.headers.get(f"x-ratelimit-{name}-{part}")) for part in ("limit", "remaining"))
        if not limit or left is None:
            continue
        limits[name] = limit
        told_of.append(f"{left:,.0f} of {limit:,.0f} {'points' if name == 'complexity' else name}")
        scarce = scarce or left < limit * SCARCE
    if not limits:
        message = f"Linear states none on this answer. Keyrail uses at most {connection.budget:.0%} of it."
        return [Finding(level="ok", subject="rate limit", message=message)]
    message = f"Left this hour: {' and '.join(told_of)}. Keyrail uses at most {connection.budget:.0%} of them."
    found = [Finding(level="warning" if scarce else "ok", subject="rate limit", message=message)]
    paces = {
        "requests": limits.get("requests", 0.0) * queries.PAGE,
        "complexity": limits.get("complexity", 0.0) / queries.ISSUE_POINTS,
    }
    pace = min(paces[name] for name in limits) * connection.budget
    by = min(limits, key=lambda name: paces[name])
    what = "the number of requests" if by == "requests" else "the points that an issue costs at most"
    message = f"At least {pace:,.0f} issues an hour without their history, going by {what}."
    return [*found, Finding(level="ok", subject="pace", message=message)]


def _writing(connection: Connection, viewer: Mapping[str, Any]) -> Finding:
    if viewer.get("guest") is True:
        message = "The account is a guest: it sees and writes in its own teams alone."
        return Finding(level="warning", subject="writing", message=message)
    how = "write permission of the key" if "token" in connection.auth else "scope write"
    message = f"Linear does not tell what we may write; attachments on issues need the {how}."
    return Finding(level="ok", subject="writing", message=message)
