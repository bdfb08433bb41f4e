"""What must be known about a GitHub before anything is read: who we are, what its schema has, and what is in scope.

Each refusal says what in `keyrail.yaml` to change. No issue is read here; fields are judged in `fields`.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeVar

import orjson

from connectors.base import Answer, Call, Json, Reading
from connectors.github import queries
from connectors.github.fields import Found, project_fields, statuses_of, statuses_of_rows, values_of
from connectors.github.limits import TokenScopeError, hidden_organizations, missing_paths, server_time
from connectors.github.plan import site_of as web_site_of
from connectors.github.selection import EVENT_TYPES, ISSUE_FIELDS
from connectors.github.shapes import object_of, objects
from connectors.github.site import ask, chunked, scoped
from connectors.github.walk import Sizes, data_of, follow
from connectors.graphql import errors_of
from connectors.http import Client
from domain.errors import AuthError, ConfigError, KeyrailError, NotFoundError, RejectedError
from domain.workspace import Connection

NEEDED = frozenset({"stateReason"})
"""fields of `Issue` without which GraphQL tells less than REST does"""
T = TypeVar("T")
Refused = dict[tuple[str, str], KeyrailError]
"""(key of `scope`, name) -> why GitHub refuses to show it"""
_KINDS = ("repositories", "organizations", "projects")


async def discover(client: Client, connection: Connection, before: Reading | None = None) -> Reading:
    """Read what later reads need: who we are and what the server can first, then everything in scope side by side.

    Raises AuthError where our credentials are refused, ConfigError where scope, estimate, status or fields name what
    is not there.
    """
    answer, told = await who(client, connection)
    can, viewer = capabilities_of(told), object_of(data_of(told).get("viewer"))
    if not viewer.get("login"):
        raise AuthError(
            f"{client.name}: GitHub answers, but names no account for {client.access.source}. Check `auth`."
        )
    refused: Refused = {}
    named, organizations, projects = await asyncio.gather(
        _repositories(client, connection, refused),
        _organizations(client, connection, refused),
        _projects(client, connection, can, refused),
    )
    shown = {"repositories": named, "organizations": organizations, "projects": projects}
    lost = await _lost(client, connection, before, shown, refused)
    roster = _roster(named, organizations)
    owners = await _owners(client, can, named, organizations, projects)
    found = Found(owners=owners, projects={key: node for key, node in projects.items() if node is not None}, can=can)
    values = values_of(connection, found)
    with_projects = "projectItems" in can and bool(scoped(connection, "projects") or values)
    facts: dict[str, Json] = {
        "site": web_site_of(connection.url),
        "server": answer.headers.get("x-github-enterprise-version"),
        "login": viewer.get("login"),
        "can": sorted(can),
        "old": not can >= NEEDED,
        "names": {name.lower(): node["nameWithOwner"] for name, node in named.items() if node is not None},
        "repositories": roster,
        "organizations": [name for name, node in organizations.items() if node is not None],
        "projects": {key.lower(): project_fields(node) for key, node in found.projects.items()},
        "issue_fields": owners,
        "values": list(values),
        "with_projects": with_projects,
        "statuses": statuses_of(connection, found) | await _issue_statuses(client, connection, can, list(roster)),
        "lost": {key: names for key, names in lost.items() if names},
        "seen": {key: list(scoped(connection, key)) for key in _KINDS},
        "mark": {"repositories": _faces(roster)},
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


# --- scope


async def _unless_refused(asking: Awaitable[T], refused: Refused, key: str, name: str) -> T | None:
    """Return what is asked for; None where GitHub refuses to show it, with the reason put into `refused`."""
    try:
        return await asking
    except (AuthError, RejectedError) as error:
        if isinstance(error, TokenScopeError) or (isinstance(error, RejectedError) and error.status != 403):
            raise
        refused[key, name] = error
        return None


async def _repositories(client: Client, connection: Connection, refused: Refused) -> dict[str, dict[str, Any] | None]:
    """Return the named repositories as GitHub has them now, None for those that it does not show."""
    found: dict[str, dict[str, Any] | None] = {}

    async def look(names: list[str]) -> None:
        _, told = await ask(client, queries.repositories(names))
        nodes = [data_of(told).get(f"r{at}") for at in range(len(names))]
        found.update((name, node if isinstance(node, dict) else None) for name, node in zip(names, nodes, strict=True))

    for names in chunked(_sound(connection, "repositories"), queries.REPOSITORIES):
        try:
            await look(names)
        except (AuthError, RejectedError):  # one of them may be refused for all: each alone tells which
            for name in names:
                found[name] = None
                await _unless_refused(look([name]), refused, "repositories", name)
    return found


async def _organizations(
    client: Client, connection: Connection, refused: Refused
) -> dict[str, list[dict[str, Any]] | None]:
    """Return the repositories of the organizations in scope, None for an organization that GitHub does not show."""
    names = _sound(connection, "organizations")
    asked = (_unless_refused(_repositories_of(client, name), refused, "organizations", name) for name in names)
    return dict(zip(names, await asyncio.gather(*asked), strict=True))


async def _repositories_of(client: Client, login: str) -> list[dict[str, Any]] | None:
    def call(after: str | None, first: int, attempts: int) -> Call:
        return queries.organization(login, after=after, first=first, attempts=attempts)

    def find(told: dict[str, Any]) -> Mapping[str, Any]:
        organization = data_of(told).get("organization")
        if not isinstance(organization, dict):
            why = missing_paths(errors_of(told)).get("organization", "")
            raise NotFoundError(why or f"{login} is not there")
        return object_of(organization.get("repositories"))

    try:
        async with aclosing(follow(client, f"the repositories of {login}", call, find, Sizes())) as pages:
            return [node async for found in pages for node in found.nodes]
    except NotFoundError:
        return None


async def _projects(
    client: Client, connection: Connection, can: frozenset[str], refused: Refused
) -> dict[str, dict[str, Any] | None]:
    """Return the projects in scope with their fields, None for those that GitHub does not show."""
    keys = scoped(connection, "projects")
    if keys and "projectItems" not in can:
        raise ConfigError(
            f"{connection.name}: `scope.projects` names '{keys[0]}', but this server's issues know no projects. "
            "Leave it out."
        )

    async def one(key: str) -> dict[str, Any] | None:
        login, _, number = key.partition("/")
        _, told = await ask(client, queries.project(login, int(number)))
        found = object_of(data_of(told).get("repositoryOwner")).get("projectV2")
        return found if isinstance(found, dict) else None

    asked = (_unless_refused(one(key), refused, "projects", key) for key in keys)
    return dict(zip(keys, await asyncio.gather(*asked), strict=True))


def _sound(connection: Connection, key: str) -> list[str]:
    names = list(dict.fromkeys(scoped(connection, key)))
    for name in names:
        try:
            queries.split_name(name if key == "repositories" else f"{name}/x")
        except ValueError as error:
            raise ConfigError(
                f"{connection.name}: '{name}' of `scope.{key}` is not a name that GitHub allows."
            ) from error
    return names


async def _lost(
    client: Client,
    connection: Connection,
    before: Reading | None,
    found: Mapping[str, Mapping[str, object]],
    refused: Refused,
) -> dict[str, list[Json]]:
    """Return what of the scope we used to see and do not see any more, unless that is all of it.

    Raises the refusal, or ConfigError, for what we never saw.
    """
    missing = {key: [name for name, node in names.items() if node is None] for key, names in found.items()}
    all_gone = not any(node is not None for names in found.values() for node in names.values())
    for key, names in missing.items():
        seen = _names(before.facts.get("seen") if before else None, key)
        for name in names:
            if all_gone or name.lower() not in seen:
                raise refused.get((key, name)) or ConfigError(await _unknown(client, connection, key, name))
    return {key: list(names) for key, names in missing.items()}


def _names(seen: Json, key: str) -> set[str]:
    names = object_of(seen).get(key)
    return {str(name).lower() for name in names} if isinstance(names, list) else set()


async def _unknown(client: Client, connection: Connection, key: str, name: str) -> str:
    """Say that something of the scope is not there, and what may have been meant."""
    owner = name.partition("/")[0]
    what = {"repositories": "repository", "organizations": "organization", "projects": "project"}[key]
    asked = {
        "repositories": queries.repositories_of(owner),
        "projects": queries.projects_of(owner),
        "organizations": queries.organizations(),
    }[key]
    need = {
        "repositories": "the token or the app needs access to it, with Issues and Metadata: read",
        "organizations": "our account has to be a member, or the app installed there",
        "projects": "the token needs read:project, the app the organization permission Projects: read",
    }[key]
    near = difflib.get_close_matches(name.lower(), await _known(client, asked, key), n=1, cutoff=0.5)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    where = f"{what} '{name}' of `scope.{key}`"
    return f"{connection.name}: {where} does not exist, or our account may not see it: {need}.{hint}"


async def _known(client: Client, call: Call, key: str) -> list[str]:
    try:
        _, told = await ask(client, call)
    except (NotFoundError, RejectedError, TokenScopeError):
        return []
    data = data_of(told)
    if key == "organizations":
        return [str(node.get("login")) for node in objects(object_of(data.get("viewer")).get("organizations"))]
    owner = object_of(data.get("repositoryOwner"))
    if key == "projects":
        return [f"{owner.get('login')}/{node.get('number')}" for node in objects(owner.get("projectsV2"))]
    return [str(node.get("nameWithOwner")) for node in objects(owner.get("repositories"))]


def _roster(
    named: Mapping[str, dict[str, Any] | None], organizations: Mapping[str, list[dict[str, Any]] | None]
) -> dict[str, Json]:
    """Return what is known of each repository in scope, by its present name."""
    nodes = [node for node in named.values() if node is not None]
    nodes += [node for listed in organizations.values() for node in listed or ()]
    return {
        str(node["nameWithOwner"]): {
            "id": node.get("id"),
            "archived": node.get("isArchived") is True,
            "issues": node.get("hasIssuesEnabled") is not False,
            "permission": node.get("viewerPermission"),
        }
        for node in nodes
    }


def _faces(roster: Mapping[str, Json]) -> dict[str, Json]:
    """Return how the repositories that have issues look, by id, as watermarks keep it (`sweep.Seen.face`)."""
    known = [(name, object_of(one)) for name, one in roster.items()]
    return {str(one["id"]): [name, one["archived"]] for name, one in known if one["issues"]}


async def _owners(
    client: Client,
    can: frozenset[str],
    named: Mapping[str, dict[str, Any] | None],
    organizations: Mapping[str, list[dict[str, Any]] | None],
    projects: Mapping[str, dict[str, Any] | None],
) -> dict[str, Json]:
    """Return issue types and issue fields of each organization in scope, None where we may not see them."""
    if not can & {"Organization.issueFields", "Organization.issueTypes"}:
        return {}
    owners = [object_of(node.get("owner")) for node in named.values() if node is not None]
    logins = [str(owner.get("login")) for owner in owners if owner.get("__typename") == "Organization"]
    logins += [name for name, listed in organizations.items() if listed is not None]
    logins += [key.partition("/")[0] for key, node in projects.items() if _is_owned_by_organization(node)]
    logins = list({login.lower(): login for login in logins}.values())
    told = await asyncio.gather(*(_owner(client, can, login) for login in logins))
    return {login.lower(): one for login, one in zip(logins, told, strict=True)}


def _is_owned_by_organization(project: Mapping[str, Any] | None) -> bool:
    return object_of((project or {}).get("owner")).get("__typename") == "Organization"


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
