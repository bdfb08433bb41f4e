"""What one page needs of the connection and of discovery, looked up once: field ids, levels, history fields.

Pure; also what stands in for discovery where there was none. No issue is read here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Reading
from domain.work import Level
from domain.workspace import Connection

HISTORY_FIELDS: Mapping[str, str] = {
    "status": "status",
    "resolution": "resolution",
    "story points": "estimate",
    "story point estimate": "estimate",
    "issueparentassociation": "parent",
    "parent": "parent",
    "epic link": "parent",
    "parent link": "parent",
    "project": "project",
    "issuetype": "type",
    "issue type": "type",
    "sprint": "sprint",
    "labels": "labels",
    "key": "key",
}
"""Changelog field (`fieldId`, else `field`, lower case) -> field of a transition."""

ROLES: Mapping[str, tuple[str, ...]] = {
    "estimate": ("Story point estimate", "Story Points"),
    "sprint": ("Sprint",),
    "epic_link": ("Epic Link",),
    "parent_link": ("Parent Link",),
    "start_date": ("Start date",),
}
"""Role of a custom field -> the names it goes by, for pages that carry `names` and no discovery was made."""

GUESSES: Mapping[str, tuple[str, ...]] = {
    "estimate": ("customfield_10016", "customfield_10026", "customfield_10028", "customfield_10004"),
    "sprint": ("customfield_10020",),
    "epic_link": ("customfield_10014",),
    "parent_link": ("customfield_10018",),
    "start_date": ("customfield_10015",),
}
"""Role -> the ids that most Cloud sites have, tried in order and taken only where the value has the right shape."""


def defaults(connection: Connection) -> Reading:
    """Return the reading that stands in for discovery: field ids that are common, types as the payload states them.

    An estimate or extra field that the connection names by id is taken as it is.
    """
    roles: dict[str, object] = {role: list(ids) for role, ids in GUESSES.items()}
    if isinstance(connection.estimate, str) and connection.estimate.startswith("customfield_"):
        roles["estimate"] = connection.estimate
    elif connection.estimate == "none":
        roles["estimate"] = None
    roles["extra"] = dict(connection.fields)
    deployment = "datacenter" if connection.deployment == "datacenter" else "cloud"
    facts = {
        "site": connection.url.rstrip("/"),
        "deployment": deployment,
        "api": "/rest/api/2" if deployment == "datacenter" else "/rest/api/3",
        "fields": roles,
        "types": {},
        "guessed": True,
    }
    return Reading(facts=facts, account="", digest="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What one page needs of the connection and the discovery, looked up once.

    `guessed` says that no discovery was made: a value counts only where it has the shape of its role. Of several
    fields in `estimate` the first with a number counts.
    """

    connection: str
    browse: str
    levels: Mapping[str, Level]
    types: Mapping[str, Level]
    guessed: bool
    estimate: tuple[str, ...]
    sprint: tuple[str, ...]
    links_up: tuple[str, ...]
    start: tuple[str, ...]
    due: str
    extra: tuple[tuple[str, str], ...]
    history: Mapping[str, str]


def plan_of(connection: Connection, reading: Reading, page: Any) -> Plan:
    """Return the plan of a page; its `names` are used only where no discovery was made."""
    facts = reading.facts
    told = facts.get("fields")
    roles: Mapping[str, object] = told if isinstance(told, dict) else {}
    guessed = facts.get("guessed") is True
    if guessed and isinstance(page, dict) and isinstance(page.get("names"), dict):
        roles = {**roles, **_roles_by_name(page["names"], connection)}
    extra = roles.get("extra")
    extras = tuple([(n, f) for n, f in extra.items() if isinstance(f, str)]) if isinstance(extra, dict) else ()
    due = roles.get("due_date")
    site = facts.get("site")
    return Plan(
        connection=connection.name,
        browse=(site if isinstance(site, str) else connection.url).rstrip("/") + "/browse/",
        levels={name.lower(): Level(level) for level, names in connection.levels.items() for name in names},
        types=_levels_of_types(facts.get("types")),
        guessed=guessed,
        estimate=_ids(roles.get("estimate")),
        sprint=_ids(roles.get("sprint")),
        links_up=(*_ids(roles.get("epic_link")), *_ids(roles.get("parent_link"))),
        start=_ids(roles.get("start_date")),
        due=due if isinstance(due, str) else "duedate",
        extra=extras,
        history=_history_fields(roles, extras, connection),
    )


def _ids(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple([v for v in value if isinstance(v, str)]) if isinstance(value, (list, tuple)) else ()


def _roles_by_name(names: dict[str, Any], connection: Connection) -> dict[str, object]:
    """Find the roles in a page's own `names` (field id -> name), asked for by ``expand=names``."""
    by_name = {name.lower(): id for id, name in names.items() if isinstance(name, str)}
    found: dict[str, object] = {}
    for role, known in ROLES.items():
        wanted = known
        if role == "estimate" and isinstance(connection.estimate, str) and connection.estimate != "auto":
            wanted = (connection.estimate,)
        ids = [by_name[name.lower()] for name in wanted if name.lower() in by_name]
        if ids:
            found[role] = ids
    found["extra"] = {name: by_name.get(field.lower(), field) for name, field in connection.fields.items()}
    return found


def _levels_of_types(types: object) -> dict[str, Level]:
    """Read ``{type id: {"level": …}}``, the level being Jira's number or our word."""
    levels: dict[str, Level] = {}
    if isinstance(types, dict):
        for id, told in types.items():
            level = told.get("level") if isinstance(told, dict) else told
            if isinstance(level, str) and level in Level._value2member_map_:
                levels[str(id)] = Level(level)
            elif isinstance(level, int):
                levels[str(id)] = level_of(level)
    return levels


def level_of(hierarchy: int) -> Level:
    """Return our word for Jira's hierarchy level: -1 sub-task, 0 base, 1 epic, from 2 on initiative."""
    if hierarchy == 0:
        return Level.ISSUE
    if hierarchy < 0:
        return Level.SUBTASK
    return Level.EPIC if hierarchy == 1 else Level.INITIATIVE


def _history_fields(
    roles: Mapping[str, object], extras: tuple[tuple[str, str], ...], connection: Connection
) -> dict[str, str]:
    """Return `HISTORY_FIELDS` with this site's own ids and names laid over them."""
    table = dict(HISTORY_FIELDS)
    for role, field in (
        ("estimate", "estimate"),
        ("epic_link", "parent"),
        ("parent_link", "parent"),
        ("sprint", "sprint"),
    ):
        table.update(dict.fromkeys([id.lower() for id in _ids(roles.get(role))], field))
    table.update({id.lower(): "team" for name, id in extras if name.lower() == "team"})
    wanted = connection.estimate
    if isinstance(wanted, str) and wanted not in ("auto", "none"):
        if not wanted.startswith("customfield_"):
            table = {name: field for name, field in table.items() if field != "estimate" or name.startswith("customf")}
        table[wanted.lower()] = "estimate"
    return table
