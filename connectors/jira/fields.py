"""Which fields of a site play which part: the estimate, the sprint, the links up, the operator's own.

Fields are matched on what they are, then on exact names; what could mean two fields is asked, never guessed.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Call, Json
from connectors.http import Client
from connectors.jira import queries
from domain.errors import ConfigError, PermanentError, VendorUnavailableError
from domain.workspace import Connection

_TYPES = "com.atlassian.jira.plugin.system.customfieldtypes:"
_SOFTWARE = "com.pyxis.greenhopper.jira:"
_STORY_POINTS = _SOFTWARE + "jsw-story-points"
_POINT_NAMES = ("story points", "story point estimate")
_CUSTOM_ROLES = {
    "sprint": _SOFTWARE + "gh-sprint",
    "epic_link": _SOFTWARE + "gh-epic-link",
    "parent_link": "com.atlassian.jpo:jpo-custom-field-parent",
}
_BOARDS = 3
"""projects, and boards of each, that are asked which field they estimate in"""

Field = Mapping[str, Any]


async def roles_of(client: Client, connection: Connection, raw: Json, projects: set[str]) -> dict[str, Json]:
    """Return the ids of the fields by role, ``extra`` holding the operator's own; `projects` are the ids in scope.

    Raises ConfigError where the file names a field that is not there, or one that could be several.
    """
    fields = [field for field in rows(raw) if _applies(field, projects)]
    roles: dict[str, Json] = {"estimate": await _estimate(client, connection, fields)}
    for role, custom in _CUSTOM_ROLES.items():
        roles[role] = next((str(field["id"]) for field in fields if _custom(field) == custom), None)
    dates = (field for field in fields if _custom(field) == _TYPES + "datepicker" and "start date" in _names(field))
    roles["start_date"] = next((str(field["id"]) for field in dates), None)
    roles["extra"] = {
        name: _named(connection, f"fields.{name}", text, fields) for name, text in connection.fields.items()
    }
    return roles


async def _estimate(client: Client, connection: Connection, fields: Sequence[Field]) -> str | None:
    """Return the id of the estimate field: as configured, else the one that can only be meant, else ask."""
    wanted = connection.estimate
    if wanted is None or wanted == "none":
        return None
    if wanted != "auto":
        return _named(connection, "estimate", str(wanted), fields)
    software = [field for field in fields if _custom(field) == _STORY_POINTS]
    classic = [field for field in fields if _custom(field) == _TYPES + "float" and _names(field) & {*_POINT_NAMES}]
    candidates = [*software, *classic]
    if len(candidates) > 1:
        ids = {str(field["id"]) for field in candidates}
        used = await _board_fields(client, connection, ids)
        if len(used) == 1:
            return used.pop()
        if len(used) > 1:
            raise _ambiguous(connection, "estimate", [field for field in candidates if field["id"] in used])
    for group in (software, classic):
        if len(group) > 1:
            raise _ambiguous(connection, "estimate", group)
        if group:
            return str(group[0]["id"])
    return None


async def _board_fields(client: Client, connection: Connection, among: set[str]) -> set[str]:
    """Ask the boards of the first projects in scope which of the candidate fields they estimate in."""
    keys = queries.project_keys(connection)[:_BOARDS]
    calls = [queries.boards(key) for key in keys] or [queries.boards("")]
    lists = await asyncio.gather(*(_or_none(client, call) for call in calls))
    boards = [int(board["id"]) for page in lists for board in rows(values(page))[:_BOARDS] if "id" in board]
    found: set[str] = set()
    for told in await asyncio.gather(*(_or_none(client, queries.board_configuration(id)) for id in boards)):
        estimation = told.get("estimation") if isinstance(told, dict) else None
        field = estimation.get("field") if isinstance(estimation, dict) else None
        id = field.get("fieldId") if isinstance(field, dict) else None
        if id in among:
            found.add(str(id))
    return found


async def _or_none(client: Client, call: Call) -> Json:
    """Read what is only of help: a missing scope or board API is no reason to stop."""
    try:
        return await client.json(call)
    except (PermanentError, VendorUnavailableError):
        return None


def _named(connection: Connection, key: str, text: str, fields: Sequence[Field]) -> str:
    """Return the id of the one field that `text` names by id, else by name, whatever the case."""
    for field in fields:
        if field["id"] == text:
            return text
    exact = [field for field in fields if text.lower() in _names(field)]
    if len(exact) > 1:
        raise _ambiguous(connection, key, exact)
    if exact:
        return str(exact[0]["id"])
    names = {str(field.get("name", "")): str(field["id"]) for field in fields}
    near = difflib.get_close_matches(text, names, n=3, cutoff=0.5)
    hint = " Near: " + ", ".join(f"'{name}' ({names[name]})" for name in near) + "." if near else ""
    raise ConfigError(f"{connection.name}: `{key}`: no field '{text}' is visible to our account.{hint}")


def _ambiguous(connection: Connection, key: str, fields: Sequence[Field]) -> ConfigError:
    listed = ", ".join(f"'{field.get('name')}' ({field['id']})" for field in fields)
    return ConfigError(f"{connection.name}: `{key}` could mean several fields: {listed}. Give the id of one.")


def _applies(field: Field, scoped: set[str]) -> bool:
    """Leave out fields that belong to one project which is not in scope (team-managed projects)."""
    scope = field.get("scope")
    project = scope.get("project") if isinstance(scope, dict) else None
    return "id" in field and (not isinstance(project, dict) or not scoped or str(project.get("id")) in scoped)


def _custom(field: Field) -> str:
    schema = field.get("schema")
    return str(schema.get("custom", "")) if isinstance(schema, dict) else ""


def _names(field: Field) -> set[str]:
    return {str(field[name]).lower() for name in ("name", "untranslatedName") if field.get(name)}


def requested(roles: Mapping[str, Json]) -> list[str]:
    extra = roles.get("extra")
    custom = [id for role, id in roles.items() if role != "extra" and isinstance(id, str)]
    more = [str(id) for id in extra.values()] if isinstance(extra, dict) else []
    return list(dict.fromkeys([*queries.FIELDS, *custom, *more]))


def rows(value: Json) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def values(page: Json) -> Json:
    return page.get("values") if isinstance(page, dict) else None
