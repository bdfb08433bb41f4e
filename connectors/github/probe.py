"""Findings for `keyrail check`: whose account, what it may, how much room there is, what to do next.

Nothing is changed at GitHub and no issue is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from connectors.base import Answer, Finding, Reading
from connectors.github import queries
from connectors.github.auth import App
from connectors.github.limits import hidden_organizations
from connectors.github.listing import count
from connectors.github.plan import ESTIMATE_NAMES
from connectors.github.selection import points_of
from connectors.github.shapes import folded, object_of
from connectors.github.site import Site, scoped, site_of
from connectors.http import Client
from domain.errors import NotFoundError, RejectedError
from domain.workspace import Connection

_SHOWN = 10
"""names listed one by one"""
MAY_TRIAGE = frozenset({"ADMIN", "MAINTAIN", "WRITE", "TRIAGE"})


async def probe(client: Client, connection: Connection, reading: Reading) -> list[Finding]:
    """Tell for `check`: whose account, permissions, head-room, scope, fields and writing."""
    site = site_of(connection, reading)
    limits, counted = await asyncio.gather(_limits(client, site), count(client, connection, reading))
    found = [_credentials(client, reading, limits)]
    found += _permissions(client, connection, reading, site, limits)
    found += _sign_on(reading, limits)
    found += _headroom(connection, site, limits)
    found += _scope(connection, reading, site, counted)
    found += [_estimate(connection, reading), _status(connection, reading)]
    found += _epics(connection, reading)
    found.append(_comments(client, reading))
    return found


async def _limits(client: Client, site: Site) -> Answer | None:
    """Ask for the limits; an Enterprise Server without any says so with 404."""
    try:
        return await client.send(queries.rate_limit(site.rest))
    except (NotFoundError, RejectedError):
        return None


def _finding(level: str, subject: str, message: str) -> Finding:
    return Finding(level=level, subject=subject, message=message)


# --- who we are and what we may


def _kind(client: Client, limits: Answer | None) -> str:
    if isinstance(client.access, App):
        return "a GitHub App"
    if limits is not None and "x-oauth-scopes" in limits.headers:
        return "a classic token"
    return "a fine-grained token"


def _credentials(client: Client, reading: Reading, limits: Answer | None) -> Finding:
    who = f"{client.access.source} is {_kind(client, limits)} of the account {reading.account}."
    return _finding("ok", "credentials", who)


def _permissions(
    client: Client, connection: Connection, reading: Reading, site: Site, limits: Answer | None
) -> list[Finding]:
    if isinstance(client.access, App):
        return _granted(client.access.permissions, site)
    scopes = limits.headers.get("x-oauth-scopes") if limits is not None else None
    if scopes is None:
        text = "Not told by GitHub for this kind of token. It needs Issues: read (write to publish) and Metadata: read."
        return [_finding("ok", "permissions", text)]
    have = {scope.strip() for scope in scopes.split(",") if scope.strip()}
    lacking = [(scopes, why) for scopes, why in _wanted(connection, site) if not have & set(scopes)]
    if not lacking:
        return [_finding("ok", "permissions", f"Scopes: {', '.join(sorted(have))}.")]
    return [
        _finding("warning", "permissions", f"The token lacks the scope {' or '.join(names)}: {why}.")
        for names, why in lacking
    ]


def _wanted(connection: Connection, site: Site) -> list[tuple[tuple[str, ...], str]]:
    wanted: list[tuple[tuple[str, ...], str]] = []
    wanted.append((("repo", "public_repo"), "private repositories are hidden, and nothing can be published"))
    if site.selection.projects:
        wanted.append((("read:project", "project"), "items of projects cannot be read"))
    if scoped(connection, "organizations"):
        wanted.append((("read:org", "admin:org", "write:org"), "issue fields and types of organizations may be hidden"))
    return wanted


def _granted(permissions: Mapping[str, object], site: Site) -> list[Finding]:
    issues = permissions.get("issues")
    found: list[Finding] = []
    if issues not in ("read", "write"):
        text = (
            "The installation lacks the repository permission Issues: no issue can be read. Grant it on the app's page."
        )
        found.append(_finding("error", "permissions", text))
    elif issues == "read":
        text = "Issues: read. To publish comments the app needs Issues: write."
        found.append(_finding("warning", "permissions", text))
    if site.selection.projects and permissions.get("organization_projects") not in ("read", "write", "admin"):
        text = "The installation lacks the organization permission Projects: items of projects cannot be read."
        found.append(_finding("error", "permissions", text))
    return found or [_finding("ok", "permissions", "Issues: write.")]


def _sign_on(reading: Reading, limits: Answer | None) -> list[Finding]:
    kept = reading.facts.get("hidden")
    ids = {str(id) for id in kept} if isinstance(kept, list) else set()
    ids |= set(hidden_organizations(limits)) if limits is not None else set()
    if not ids:
        return []
    text = (
        f"Organizations that ask for single sign-on are hidden from the token (ids {', '.join(sorted(ids))}). If they "
        "are in scope, authorise it: Settings -> Developer settings -> Personal access tokens -> Configure SSO."
    )
    return [_finding("warning", "single sign-on", text)]


# --- room


def _headroom(connection: Connection, site: Site, limits: Answer | None) -> list[Finding]:
    resources = _resources(limits)
    points, requests = (object_of(resources.get(name)) for name in ("graphql", "core"))
    if not points:
        return [_finding("ok", "rate limit", "This server states none.")]
    limit, remaining = int(points.get("limit") or 0), int(points.get("remaining") or 0)
    share = limit * connection.budget
    level = "warning" if remaining < share / 5 else "ok"
    text = (
        f"{remaining} of {limit} points and {requests.get('remaining')} of {requests.get('limit')} requests left this "
        f"hour. Keyrail uses at most {connection.budget:.0%} of the points: about {_an_hour(site, share):,} issues an "
        "hour with their history."
    )
    return [_finding(level, "rate limit", text)]


def _resources(limits: Answer | None) -> dict[str, Any]:
    if limits is None:
        return {}
    try:
        return object_of(object_of(orjson.loads(limits.body)).get("resources"))
    except orjson.JSONDecodeError:
        return {}


def _an_hour(site: Site, points: float) -> int:
    """Return how many issues so many points pull: a page of a hundred, and the past of fifty for a point."""
    each = points_of(site.selection) / queries.PAGE + 1 / queries.HISTORY
    return int(points / each / 100) * 100


# --- scope


def _scope(connection: Connection, reading: Reading, site: Site, counted: int | None) -> list[Finding]:
    roster = object_of(reading.facts.get("repositories"))
    named = object_of(reading.facts.get("names"))
    found = [
        _finding("ok", f"repository {name}", f"Visible{_called(name, str(named[name.lower()]))}.")
        for name in scoped(connection, "repositories")[:_SHOWN]
        if named.get(name.lower(), "").lower() == name.lower()
    ]
    found += [
        _finding(
            "warning",
            f"repository {name}",
            f"It is called {named[name.lower()]} now and is read under that name. Put the new name into `scope`.",
        )
        for name in scoped(connection, "repositories")
        if name.lower() in named and str(named[name.lower()]).lower() != name.lower()
    ]
    for login in scoped(connection, "organizations"):
        theirs = [name for name in roster if name.partition("/")[0].lower() == login.lower()]
        level = "ok" if theirs else "warning"
        found.append(
            _finding(level, f"organization {login}", f"{len(theirs)} repositories are visible to our account.")
        )
    projects = object_of(reading.facts.get("projects"))
    found += [
        _finding("ok", f"project {key}", f"Visible: {object_of(projects.get(key.lower())).get('title')}.")
        for key in site.projects
    ]
    found += _states(roster)
    if counted:
        found.append(_finding("ok", "scope", f"About {counted} issues are in scope."))
    else:
        found.append(_finding("warning", "scope", "No issue is in scope. Check `scope`."))
    if site.old:
        text = "This server's GraphQL lacks the reason of a close: issues are read by REST, which takes more requests."
        found.append(_finding("warning", "server", text))
    return found


def _called(name: str, known: str) -> str:
    return f" as {known}" if known != name else ""


def _states(roster: Mapping[str, Any]) -> Iterable[Finding]:
    archived = [name for name, told in roster.items() if object_of(told).get("archived")]
    without = [name for name, told in roster.items() if object_of(told).get("issues") is False]
    if archived:
        yield _finding("ok", "archived", f"Archived, and read all the same: {_names(archived)}.")
    if without:
        yield _finding("warning", "issues", f"Issues are switched off, so there is nothing to read: {_names(without)}.")


def _names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(sorted(names)[:_SHOWN]) + more


# --- fields


def _estimate(connection: Connection, reading: Reading) -> Finding:
    told = connection.estimate
    if told in (None, "none"):
        return _finding("ok", "estimate", "No estimate is wanted; items count as one each.")
    if isinstance(told, Mapping):
        kind, name = next(iter(told.items()), ("", ""))
        if kind == "label":
            return _finding("ok", "estimate", f"From labels like {name}.")
        return _field("estimate", str(kind), str(name), reading)
    for owner in object_of(reading.facts.get("issue_fields")).values():
        for name, field in object_of(object_of(owner).get("fields")).items():
            if folded(name) in ESTIMATE_NAMES and object_of(field).get("type") == "NUMBER":
                return _finding("ok", "estimate", f"Issue field found: {name}.")
    message = "No issue field for it was found. Name one in `estimate` ({issue_field: …} or another), or say none."
    return _finding("warning", "estimate", message)


def _status(connection: Connection, reading: Reading) -> Finding:
    told = connection.status
    if isinstance(told, Mapping):
        kind, name = next(iter(told.items()), ("", ""))
        if kind == "label":
            return _finding("ok", "status", f"From labels like {name}.")
        return _field("status", str(kind), str(name), reading)
    can = reading.facts.get("can")
    own = isinstance(can, list) and "status" in can
    return _finding("ok", "status", "Issue statuses, where a repository has them." if own else "Open, closed and why.")


def _epics(connection: Connection, reading: Reading) -> Iterable[Finding]:
    """Tell which types under `epics.types` no organization in scope has, where we see what they have."""
    wanted = connection.epics.get("types")
    owners = [object_of(owner) for owner in object_of(reading.facts.get("issue_fields")).values() if owner]
    known = {folded(str(name)) for owner in owners for name in owner.get("types") or ()}
    for name in wanted if isinstance(wanted, list | tuple) and known else ():
        if folded(str(name)) not in known:
            text = f"No organization in scope has the issue type '{name}' of `epics.types`. Check its name."
            yield _finding("warning", "epics", text)


def _field(subject: str, kind: str, name: str, reading: Reading) -> Finding:
    facts = reading.facts
    where = "projects" if kind == "project_field" else "issue_fields"
    for key, told in object_of(facts.get(where)).items():
        for known, field in object_of(object_of(told).get("fields")).items():
            if folded(known) == folded(name):
                options = object_of(field).get("options")
                names = list(options.values()) if isinstance(options, dict) else list(options or ())
                listed = f" with {', '.join(str(option) for option in names)}" if names else ""
                return _finding("ok", subject, f"Field '{known}' found in {key}{listed}.")
    hint = "Put the project into `scope.projects`" if kind == "project_field" else "The token may not see issue fields"
    return _finding(
        "warning", subject, f"Field '{name}' could not be looked up. {hint}; see the first items in `coverage`."
    )


# --- writing


def _comments(client: Client, reading: Reading) -> Finding:
    roster = object_of(reading.facts.get("repositories"))
    mute = [name for name, told in roster.items() if not object_of(told).get("permission")]
    if isinstance(client.access, App):
        may = client.access.permissions.get("issues") == "write"
        text = "The app may comment." if may else "The app may not comment: grant Issues: write to publish comments."
        return _finding("ok" if may else "warning", "comments", text)
    if mute:
        return _finding(
            "warning", "comments", f"Our account has no role in {_names(mute)}: it may comment only where anyone may."
        )
    readers = [name for name, told in roster.items() if object_of(told).get("permission") not in MAY_TRIAGE]
    if readers:
        return _finding(
            "ok", "comments", f"Our account reads {_names(readers)}; that is enough to comment on open issues."
        )
    return _finding("ok", "comments", "Our account may comment in each repository.")
