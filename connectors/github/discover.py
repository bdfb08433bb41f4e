"""What must be known about a GitHub before anything is read: who we are, and what its schema has.

What is in scope is found by `scope`, fields are judged in `fields`. No issue is read here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from connectors.base import Answer, Json, Reading
from connectors.github import queries
from connectors.github.fields import Found, project_fields, statuses_of, statuses_of_rows, values_of
from connectors.github.limits import TokenScopeError, hidden_organizations, server_time
from connectors.github.plan import site_of as web_site_of
from connectors.github.scope import KINDS, look, lost
from connectors.github.selection import EVENT_TYPES, ISSUE_FIELDS
from connectors.github.shapes import object_of, objects
from connectors.github.site import ask, scoped
from connectors.github.walk import data_of
from connectors.http import Client
from domain.errors import AuthError, ConfigError, NotFoundError, RejectedError
from domain.workspace import Connection

NEEDED = frozenset({"stateReason"})
"""fields of `Issue` without which GraphQL tells less than REST does"""


async def discover(client: Client, connection: Connection, before: Reading | None = None) -> Reading:
    """Read what later reads need: who we are, what the server can and everything in scope, side by side.

    Raises AuthError where our credentials are refused, ConfigError where scope, estimate, status or fields name what
    is not there.
    """
    introduced, scope = await asyncio.gather(who(client, connection), look(client, connection), return_exceptions=True)
    if isinstance(introduced, BaseException):
        raise introduced
    answer, told = introduced
    can, viewer = capabilities_of(told), object_of(data_of(told).get("viewer"))
    if not viewer.get("login"):
        raise AuthError(
            f"{client.name}: GitHub answers, but names no account for {client.access.source}. Check `auth`."
        )
    if (keys := scoped(connection, "projects")) and "projectItems" not in can:
        raise ConfigError(
            f"{connection.name}: `scope.projects` names '{keys[0]}', but this server's issues know no projects. "
            "Leave it out."
        )
    if isinstance(scope, BaseException):
        raise scope
    gone, owners = await asyncio.gather(lost(client, connection, before, scope), _owners(client, can, scope.owners))
    roster = scope.roster
    projects = {key: node for key, node in scope.projects.items() if node is not None}
    found = Found(owners=owners, projects=projects, can=can)
    values = values_of(connection, found)
    with_projects = "projectItems" in can and bool(scoped(connection, "projects") or values)
    facts: dict[str, Json] = {
        "site": web_site_of(connection.url),
        "server": answer.headers.get("x-github-enterprise-version"),
        "login": viewer.get("login"),
        "can": sorted(can),
        "old": not can >= NEEDED,
        "names": {name.lower(): node["nameWithOwner"] for name, node in scope.repositories.items() if node is not None},
        "repositories": roster,
        "organizations": [name for name, node in scope.organizations.items() if node is not None],
        "projects": {key.lower(): project_fields(node) for key, node in projects.items()},
        "issue_fields": owners,
        "values": list(values),
        "with_projects": with_projects,
        "statuses": statuses_of(connection, found) | await _issue_statuses(client, connection, can, list(roster)),
        "lost": {key: names for key, names in gone.items() if names},
        "seen": {key: list(scoped(connection, key)) for key in KINDS},
        "mark": {"repositories": scope.faces},
        "hidden": list(hidden_organizations(answer)),
        "read_ms": int((server_time(answer) or answer.sent_at).timestamp() * 1000),
    }
    return Reading(facts=facts, account=str(viewer["login"]), digest=_digest(connection, can, values, with_projects))


async def who(client: Client, connection: Connection) -> tuple[Answer, dict[str, Any]]:
    """Ask who we are and what the schema has; raise ConfigError where there is no GitHub API."""
    try:
        return await ask(client, queries.capabilities())
    except NotFoundError as error:
        hint = "https://api.github.com, https://api.SUBDOMAIN.ghe.com, or https://HOST/api/v3 of an Enterprise Server"
        raise ConfigError(f"{connection.name}: no GitHub API answers at {connection.url}. `url` is {hint}.") from error


def capabilities_of(told: Mapping[str, Json]) -> frozenset[str]:
    """Return the capabilities that introspection found, named as `queries.CAPABILITIES` says."""
    data = data_of(told)

    def names(kind: str, part: str) -> set[str]:
        rows = object_of(data.get(kind)).get(part)
        return {str(row.get("name")) for row in rows if isinstance(row, dict)} if isinstance(rows, list) else set()

    issue = names("Issue", "fields")
    can = {name for name in ISSUE_FIELDS if name in issue}
    if "status" in can and not {"name", "category"} <= names("IssueStatus", "fields"):
        can.discard("status")
    can |= {name for name in EVENT_TYPES if name in names("IssueTimelineItemsItemType", "enumValues")}
    for kind, fields in (
        ("Organization", ("issueFields", "issueTypes")),
        ("ClosedEvent", ("stateReason", "duplicateOf")),
        ("ReopenedEvent", ("stateReason",)),
    ):
        can |= {f"{kind}.{field}" for field in fields if field in names(kind, "fields")}
    can |= names("IssueFieldValue", "possibleTypes") & {"IssueFieldMultiSelectValue"}
    can |= names("ProjectV2ItemFieldValue", "possibleTypes") & {"ProjectV2ItemIssueFieldValue"}
    project = object_of(data.get("ProjectV2")).get("fields")
    for field in project if isinstance(project, list) else ():
        if field.get("name") == "items" and any(one.get("name") == "archivedStates" for one in field.get("args") or ()):
            can.add("ProjectV2.items.archivedStates")
    return frozenset(can)


# --- what the scope's owners define


async def _owners(client: Client, can: frozenset[str], logins: Sequence[str]) -> dict[str, Json]:
    """Return issue types and issue fields of organizations, None where we may not see them."""
    if not can & {"Organization.issueFields", "Organization.issueTypes"}:
        return {}
    told = await asyncio.gather(*(_owner(client, can, login) for login in logins))
    return {login.lower(): one for login, one in zip(logins, told, strict=True)}


async def _owner(client: Client, can: frozenset[str], login: str) -> Json:
    try:
        _, told = await ask(client, queries.owner(can, login))
    except (NotFoundError, RejectedError, TokenScopeError):
        return None
    organization = data_of(told).get("organization")
    if not isinstance(organization, dict):
        return None
    fields = organization.get("issueFields")
    return {
        "types": [str(node.get("name")) for node in objects(organization.get("issueTypes"))],
        "fields": {
            str(node.get("name")): {
                "id": node.get("id"),
                "type": node.get("dataType"),
                "options": [str(option.get("name")) for option in node.get("options") or ()],
            }
            for node in objects(fields)
        }
        if isinstance(fields, dict)
        else None,
    }


async def _issue_statuses(
    client: Client, connection: Connection, can: frozenset[str], repositories: Sequence[str]
) -> dict[str, Json]:
    """Return the issue statuses (a preview) of the first repository, where the server has them."""
    if "status" not in can or connection.status != "auto" or not repositories:
        return {}
    try:
        told = await client.json(queries.planning_statuses(queries.rest_of_url(connection.url), repositories[0]))
    except (AuthError, NotFoundError, RejectedError):
        return {}
    rows = object_of(told).get("statuses") if isinstance(told, dict) else told
    return statuses_of_rows(rows if isinstance(rows, list) else [])


def _digest(connection: Connection, can: frozenset[str], values: Sequence[str], with_projects: bool) -> str:
    decides = {
        "url": connection.url.rstrip("/"),
        "scope": connection.scope,
        "estimate": connection.estimate,
        "status": connection.status,
        "fields": connection.fields,
        "epics": connection.epics,
        "can": sorted(can & frozenset(ISSUE_FIELDS)),
        "values": list(values),
        "projects": with_projects,
    }
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS, default=dict)).hexdigest()
