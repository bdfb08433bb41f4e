"""What must be known about a Jira before anything is read: who we are, its fields, types, statuses, projects.

Requests run side by side; each refusal says what in `keyrail.yaml` to change. No issue is read here.
"""

from __future__ import annotations

import asyncio
import difflib
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from connectors.base import Answer, Json, Reading
from connectors.http import Client
from connectors.jira import queries
from connectors.jira.auth import is_gateway
from connectors.jira.fields import requested, roles_of, rows, values
from domain.errors import AuthError, ConfigError, NotFoundError, RejectedError
from domain.workspace import Connection

_CATEGORIES = {"new": "todo", "undefined": "todo", "indeterminate": "in_progress", "done": "done"}
_LEVEL_BY_NAME = {"epic": 1, "initiative": 2, "theme": 2}
_PROJECT_PAGES = 200


async def discover(client: Client, connection: Connection, before: Reading | None = None) -> Reading:
    """Read what later reads need: who we are first, for more tries with a bad token lock the account, then the rest.

    Raises AuthError where we are nobody, ConfigError where scope, estimate or fields name what is not there.
    """
    api = await _api(client, connection)
    who, me = await client.read(queries.myself(api))
    account = account_of(client, me)
    raw_fields, raw_types, raw_statuses, roster, _ = await asyncio.gather(
        client.json(queries.issue_fields(api)),
        client.json(queries.issue_types(api)),
        client.json(queries.statuses(api)),
        projects(client, api),
        _scope_is_sound(client, connection, api),
    )
    lost = _lost_projects(connection, roster, before)
    scoped = {id for id, project in roster.items() if _in_scope(connection, project)}
    roles = await roles_of(client, connection, raw_fields, scoped)
    request_fields = requested(roles)
    facts: dict[str, Json] = {
        "deployment": "datacenter" if api == queries.SERVER else "cloud",
        "site": connection.url.rstrip("/"),
        "api": api,
        "gateway": client.access.base if is_gateway(client.access.base) else None,
        "time_zone": _zone(me),
        "fields": roles,
        "request_fields": request_fields,
        "types": {str(kind["id"]): _type(kind) for kind in rows(raw_types) if "id" in kind},
        "statuses": {str(status["id"]): _status(status) for status in rows(raw_statuses) if "id" in status},
        "projects": {id: str(project.get("key")) for id, project in roster.items()},
        "visible_projects": sorted(str(project.get("key")) for project in roster.values()),
        "lost": {"projects": lost},
        "epoch_ms": None,
        "read_ms": int(server_time(who).timestamp() * 1000),
    }
    return Reading(facts=facts, account=account, digest=_digest(connection, request_fields, roles))


def account_of(client: Client, me: Json) -> str:
    """Return our account's id; raise AuthError where Jira took us for an anonymous visitor."""
    found = (me.get("accountId") or me.get("key") or me.get("name")) if isinstance(me, dict) else None
    if not found:
        raise AuthError(
            f"{client.name}: Jira answers, but as to an anonymous visitor: the credentials of {client.access.source} "
            "are not taken. Make a new token and set it there."
        )
    return str(found)


def server_time(answer: Answer) -> datetime:
    """Return the server's clock at the answer, our own at the request where it sends none."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return answer.sent_at
    return moment if moment.tzinfo else answer.sent_at


async def projects(client: Client, api: str) -> dict[str, Mapping[str, Any]]:
    """Return the visible projects by id; pages after the first are read side by side."""
    first = await client.json(queries.projects(api))
    found = rows(first if isinstance(first, list) else values(first))
    total = first.get("total") if isinstance(first, dict) else None
    if isinstance(first, dict) and isinstance(total, int) and found and not first.get("isLast") and total > len(found):
        starts = range(len(found), min(total, _PROJECT_PAGES * len(found)), len(found))
        for page in await asyncio.gather(*(client.json(queries.projects(api, start)) for start in starts)):
            found.extend(rows(values(page)))
    return {str(project["id"]): project for project in found if "id" in project and "key" in project}


# --- deployment and scope


async def _api(client: Client, connection: Connection) -> str:
    """Choose the API: by the host where it is Atlassian's own, else the server says what it is."""
    wanted = connection.deployment
    if wanted == "auto" and (".atlassian.net" in connection.url or "oauth" in connection.auth):
        return queries.CLOUD
    server_first = wanted == "datacenter" or (wanted == "auto" and "pat" in connection.auth)
    for api in (queries.SERVER, queries.CLOUD) if server_first else (queries.CLOUD, queries.SERVER):
        try:
            info = await client.json(queries.server_info(api))
        except NotFoundError:
            continue
        found = _deployment(info) if isinstance(info, dict) else ""
        if wanted not in ("auto", found):
            raise ConfigError(
                f"{connection.name}: `deployment: {wanted}` does not fit: this Jira says that it is {found}. "
                "Use `deployment: auto`."
            )
        return queries.SERVER if found == "datacenter" else queries.CLOUD
    raise ConfigError(f"{connection.name}: no Jira answers at {connection.url}. Check `url`; it ends before /rest.")


def _deployment(info: Mapping[str, Any]) -> str:
    return "cloud" if str(info.get("deploymentType", "")).lower() == "cloud" else "datacenter"


async def _scope_is_sound(client: Client, connection: Connection, api: str) -> None:
    """Let Jira judge a JQL scope; project keys are compared with the visible ones instead."""
    if queries.project_keys(connection) and not connection.scope.get("jql"):
        return
    if not connection.scope.get("jql"):
        raise ConfigError(f"{connection.name}: `scope` needs `projects` or `jql`.")
    clause = queries.listed(queries.scope_jql(connection))
    server = api == queries.SERVER
    call = queries.server_search(clause, ["id"], 1) if server else queries.search(clause, ["id"], 1)
    try:
        await client.json(call)
    except RejectedError as error:
        if error.status != 400:
            raise
        raise ConfigError(
            f"{connection.name}: Jira refuses the JQL of `scope.jql`: {connection.scope.get('jql')} - {error}"
        ) from error


def _in_scope(connection: Connection, project: Mapping[str, Any]) -> bool:
    wanted = {key.lower() for key in queries.project_keys(connection)}
    return not wanted or any(str(project.get(name, "")).lower() in wanted for name in ("key", "name", "id"))


def _lost_projects(
    connection: Connection, roster: Mapping[str, Mapping[str, Any]], before: Reading | None
) -> list[Json]:
    """Return the projects in scope that we used to see and do not see any more, unless that is all of them.

    Raises ConfigError for a project that we never saw.
    """
    visible = {str(project.get(name, "")).lower() for project in roster.values() for name in ("key", "name", "id")}
    wanted = list(queries.project_keys(connection))
    missing = [name for name in wanted if name.lower() not in visible]
    seen = {str(key).lower() for key in _seen_before(before)}
    if missing and len(missing) < len(wanted) and all(name.lower() in seen for name in missing):
        return list(missing)
    if missing:
        keys = [str(project.get("key")) for project in roster.values()]
        near = difflib.get_close_matches(missing[0].upper(), keys, n=1, cutoff=0.5)
        hint = f" Did you mean '{near[0]}'?" if near else ""
        raise ConfigError(
            f"{connection.name}: project '{missing[0]}' of `scope.projects` does not exist, or our account may not "
            f"browse it. Check the key, and the permission Browse Projects.{hint}"
        )
    return []


def _seen_before(before: Reading | None) -> list[Json]:
    """Return the keys of the projects that an earlier discovery saw, or knew as lost already."""
    if before is None:
        return []
    visible = before.facts.get("visible_projects")
    return [*(visible if isinstance(visible, list) else []), *before.lost.get("projects", [])]


# --- small readings


def _type(kind: Mapping[str, Any]) -> dict[str, Json]:
    name, subtask = str(kind.get("name", "")), kind.get("subtask") is True
    level = kind.get("hierarchyLevel")
    if not isinstance(level, int):
        level = -1 if subtask else _LEVEL_BY_NAME.get(name.lower(), 0)
    return {"name": name, "level": level, "subtask": subtask}


def _status(status: Mapping[str, Any]) -> list[Json]:
    group = status.get("statusCategory")
    key = str(group.get("key", "")) if isinstance(group, dict) else ""
    return [str(status.get("name", "")), _CATEGORIES.get(key, "todo")]


def _zone(me: Json) -> str:
    zone = me.get("timeZone") if isinstance(me, dict) else None
    try:
        return ZoneInfo(str(zone)).key if zone else "UTC"
    except (ZoneInfoNotFoundError, ValueError):
        return "UTC"


def _digest(connection: Connection, requested: Sequence[str], roles: Mapping[str, Json]) -> str:
    decides = {
        "url": connection.url.rstrip("/"),
        "scope": connection.scope,
        "estimate": roles.get("estimate"),
        "fields": roles.get("extra"),
        "request_fields": sorted(requested),
    }
    return hashlib.sha256(orjson.dumps(decides, option=orjson.OPT_SORT_KEYS)).hexdigest()
