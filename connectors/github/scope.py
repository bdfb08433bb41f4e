"""What GitHub shows of a connection's scope: repositories, organizations, projects, and what of them is out of sight.

Each refusal says what in `keyrail.yaml` to change. No issue is read here.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeVar

from connectors.base import Call, Json, Reading
from connectors.github import queries
from connectors.github.limits import TokenScopeError, lacks, missing_paths
from connectors.github.shapes import object_of, objects
from connectors.github.site import ask, chunked, scoped
from connectors.github.walk import Sizes, data_of, follow
from connectors.graphql import errors_of
from connectors.http import Client
from domain.errors import AuthError, ConfigError, KeyrailError, NotFoundError, RejectedError
from domain.workspace import Connection

T = TypeVar("T")
Refused = dict[tuple[str, str], KeyrailError]
"""(key of `scope`, name) -> why GitHub refuses to show it"""
KINDS = ("repositories", "organizations", "projects")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What GitHub shows of the scope, by the file's names; None stands for what it does not show."""

    repositories: Mapping[str, dict[str, Any] | None]
    organizations: Mapping[str, list[dict[str, Any]] | None]
    projects: Mapping[str, dict[str, Any] | None]
    refused: Refused

    @property
    def roster(self) -> dict[str, Json]:
        """What is known of each repository, by its present name."""
        nodes = [node for node in self.repositories.values() if node is not None]
        nodes += [node for listed in self.organizations.values() for node in listed or ()]
        return {
            str(node["nameWithOwner"]): {
                "id": node.get("id"),
                "archived": node.get("isArchived") is True,
                "issues": node.get("hasIssuesEnabled") is not False,
                "permission": node.get("viewerPermission"),
            }
            for node in nodes
        }

    @property
    def faces(self) -> dict[str, Json]:
        """How repositories that have issues look, by id, as watermarks keep it (`sweep.Seen.face`)."""
        known = [(name, object_of(one)) for name, one in self.roster.items()]
        return {str(one["id"]): [name, one["archived"]] for name, one in known if one["issues"]}

    @property
    def owners(self) -> list[str]:
        """The organizations that anything in scope belongs to, each once."""
        homes = [object_of(node.get("owner")) for node in self.repositories.values() if node is not None]
        logins = [str(home.get("login")) for home in homes if home.get("__typename") == "Organization"]
        logins += [name for name, listed in self.organizations.items() if listed is not None]
        logins += [
            key.partition("/")[0]
            for key, node in self.projects.items()
            if node is not None and object_of(node.get("owner")).get("__typename") == "Organization"
        ]
        return list({login.lower(): login for login in logins}.values())


async def look(client: Client, connection: Connection) -> Scope:
    """Ask for everything in scope, side by side; raises TokenScopeError with all that the token lacks for it."""
    refused: Refused = {}
    repositories, organizations, projects = await asyncio.gather(
        _repositories(client, connection, refused),
        _organizations(client, connection, refused),
        _projects(client, connection, refused),
    )
    lacking = [error for error in refused.values() if isinstance(error, TokenScopeError)]
    if lacking:
        needs = [need for error in lacking for need in error.needs]
        raise lacks(connection.name, needs, f" Check {client.access.source}.") if len(set(needs)) > 1 else lacking[0]
    return Scope(repositories=repositories, organizations=organizations, projects=projects, refused=refused)


async def _unless_refused(asking: Awaitable[T], refused: Refused, key: str, name: str) -> T | None:
    """Return what is asked for; None where GitHub refuses to show it, with the reason put into `refused`."""
    try:
        return await asking
    except (AuthError, RejectedError) as error:
        if isinstance(error, RejectedError) and error.status != 403:
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
        except TokenScopeError as error:
            found.update(dict.fromkeys(names))
            refused["repositories", names[0]] = error
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


async def _projects(client: Client, connection: Connection, refused: Refused) -> dict[str, dict[str, Any] | None]:
    """Return the projects in scope with their fields, None for those that GitHub does not show."""
    keys = scoped(connection, "projects")

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


async def lost(client: Client, connection: Connection, before: Reading | None, scope: Scope) -> dict[str, list[Json]]:
    """Return what of the scope we used to see and do not see any more, unless that is all of it.

    What we never saw is an error that names all of it: AuthError where our credentials were refused for a part, else
    the refusal, else ConfigError.
    """
    found: Mapping[str, Mapping[str, object]] = {
        "repositories": scope.repositories, "organizations": scope.organizations, "projects": scope.projects,
    }  # fmt: skip
    missing = {key: [name for name, node in names.items() if node is None] for key, names in found.items()}
    all_gone = not any(node is not None for names in found.values() for node in names.values())
    unseen: dict[str, list[str]] = {}
    for key, names in missing.items():
        seen = _names(before.facts.get("seen") if before else None, key)
        unseen[key] = [name for name in names if all_gone or name.lower() not in seen]
    errors = [error for key, names in unseen.items() for name in names if (error := scope.refused.get((key, name)))]
    for key, names in unseen.items():
        if open_to_all := [name for name in names if (key, name) not in scope.refused]:
            errors.append(ConfigError(await _unknown(client, connection, key, open_to_all)))
    if errors:
        raise together(connection.name, errors)
    return {key: list(names) for key, names in missing.items()}


def together(name: str, errors: Sequence[KeyrailError]) -> KeyrailError:
    """Return one error that says what all of them say, each thing once: of the kind of the one that weighs most."""
    worst = next((error for error in errors if isinstance(error, AuthError)), errors[0])
    first, *more = dict.fromkeys([str(worst), *map(str, errors)])
    rest = [text.removeprefix(f"{name}: ") for text in more]
    worst.args = (" ".join([first, *(text[:1].upper() + text[1:] for text in rest)]),)
    return worst


def _names(seen: Json, key: str) -> set[str]:
    names = object_of(seen).get(key)
    return {str(name).lower() for name in names} if isinstance(names, list) else set()


async def _unknown(client: Client, connection: Connection, key: str, names: Sequence[str]) -> str:
    """Say which names of one key of the scope are not there, and what may have been meant."""
    one, many = {
        "repositories": ("repository", "repositories"),
        "organizations": ("organization", "organizations"),
        "projects": ("project", "projects"),
    }[key]
    need = {
        "repositories": "access, with Issues and Metadata: read",
        "organizations": "an account that is a member, or an app that is installed there",
        "projects": "read:project, or of an app the organization permission Projects: read",
    }[key]
    which, lacks, it = (one, "does not exist", "it") if len(names) == 1 else (many, "do not exist", "them")
    called = ", ".join(f"'{name}'" for name in names)
    hints = await _hints(client, key, names)
    return (
        f"{connection.name}: {which} {called} of `scope.{key}` {lacks}, or our account may not see {it}. "
        f"Check the spelling, and {client.access.source}: it needs {need}.{hints}"
    )


async def _hints(client: Client, key: str, names: Sequence[str]) -> str:
    """Return what may have been meant, asked once an owner."""
    known: dict[str, list[str]] = {}
    near: dict[str, list[str]] = {}
    for name in names:
        owner = "" if key == "organizations" else name.partition("/")[0]
        if owner not in known:
            known[owner] = await _known(client, _listing(key, owner), key)
        near[name] = difflib.get_close_matches(name.lower(), known[owner], n=1, cutoff=0.5)
    found = {name: close[0] for name, close in near.items() if close}
    if len(names) == 1:
        return "".join(f" Did you mean '{close}'?" for close in found.values())
    return "".join(f" '{name}': did you mean '{close}'?" for name, close in found.items())


def _listing(key: str, owner: str) -> Call:
    if key == "organizations":
        return queries.organizations()
    return queries.repositories_of(owner) if key == "repositories" else queries.projects_of(owner)


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
