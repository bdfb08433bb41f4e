"""Which fields of issues and projects the file names, whether they are there, and what has to be asked for.

Pure: discovery read them, and a name that is not there ends in a ConfigError with the nearest that is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Json
from connectors.github.plan import DUE_NAMES, START_NAMES, STATUS_CATEGORIES, TEMPLATE_WORDS
from connectors.github.shapes import folded, object_of, objects
from domain.errors import ConfigError
from domain.workspace import Connection

MOST_VALUES = 12
"""project fields asked for with each item"""
NUMBERS = frozenset({"NUMBER", "SINGLE_SELECT"})
"""types of fields that an estimate may stand in; options of a single select may be numbers"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What discovery read: organizations with their issue fields (None: not for us to see), and projects by key."""

    owners: Mapping[str, Json]
    projects: Mapping[str, Mapping[str, Any]]
    can: frozenset[str]

    @property
    def issue_fields(self) -> dict[str, dict[str, Any]]:
        """The issue fields of all organizations by name."""
        return {
            name: object_of(field)
            for owner in self.owners.values()
            for name, field in object_of(object_of(owner).get("fields")).items()
        }

    @property
    def project_fields(self) -> dict[str, dict[str, Any]]:
        """The fields of all projects in scope by name."""
        return {
            name: field
            for project in self.projects.values()
            for name, field in project_fields(project)["fields"].items()
        }

    @property
    def hidden(self) -> bool:
        """Whether there may be issue fields that we do not see."""
        return any(owner is None or object_of(owner).get("fields", {}) is None for owner in self.owners.values())


def project_fields(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return what later reads need of a project: id, title and its fields with the names of their options."""
    return {
        "id": project.get("id"),
        "title": project.get("title"),
        "fields": {
            str(node.get("name")): {
                "id": node.get("id"),
                "type": node.get("dataType"),
                "options": {str(one.get("id")): one.get("name") for one in node.get("options") or ()},
            }
            for node in objects(project.get("fields"))
        },
    }


def values_of(connection: Connection, found: Found) -> tuple[str, ...]:
    """Return the names of the project fields to ask for.

    Raises ConfigError where `estimate`, `status` or `fields` names a field that is not there, or of the wrong type.
    """
    names: list[str] = []
    estimate, status = connection.estimate, connection.status
    if isinstance(estimate, Mapping) and (name := estimate.get("issue_field")):
        _issue_field(connection, found, "estimate.issue_field", str(name))
    for key, told in (("estimate.project_field", estimate), ("status.project_field", status)):
        if isinstance(told, Mapping) and (name := told.get("project_field")):
            names.append(_project_field(connection, found, key, str(name), numbers=told is estimate))
    for own, name in connection.fields.items():
        if not _among(name, found.issue_fields):
            names += _extra(connection, found, own, name)
    names += _dates(found)
    by_name = {folded(name): name for name in reversed(names)}
    ordered = dict.fromkeys(by_name[folded(name)] for name in names)
    return tuple(ordered)[:MOST_VALUES]


def _issue_field(connection: Connection, found: Found, key: str, name: str) -> None:
    fields = found.issue_fields
    known = _among(name, fields)
    if known is None and found.hidden:
        return
    if known is None:
        raise ConfigError(_absent(connection, key, name, fields, "no organization in scope has such an issue field"))
    _holds_numbers(connection, key, name, fields, known)


def _holds_numbers(
    connection: Connection, key: str, name: str, fields: Mapping[str, Mapping[str, Any]], known: str
) -> None:
    kind = fields[known].get("type")
    if kind not in NUMBERS:
        numbers = [field for field, told in fields.items() if told.get("type") == "NUMBER"]
        raise ConfigError(
            f"{connection.name}: `{key}` names '{name}', which is a field of the type {kind} and holds no number."
            f"{_one_of(numbers)}"
        )


def _project_field(connection: Connection, found: Found, key: str, name: str, *, numbers: bool) -> str:
    """Return the field's name as the projects have it; without projects in scope nothing tells, and it is believed."""
    if "projectItems" not in found.can:
        raise ConfigError(f"{connection.name}: `{key}` names '{name}', but this server's issues know no projects.")
    fields = found.project_fields
    if not found.projects:
        return name
    known = _among(name, fields)
    if known is None:
        raise ConfigError(_absent(connection, key, name, fields, "no project of `scope.projects` has such a field"))
    if numbers:
        _holds_numbers(connection, key, name, fields, known)
    return known


def _extra(connection: Connection, found: Found, own: str, name: str) -> list[str]:
    known = _among(name, found.project_fields)
    if known is not None:
        return [known]
    if "projectItems" in found.can and not found.projects:
        return [name]
    if found.hidden:
        return []
    fields = {**found.issue_fields, **found.project_fields}
    raise ConfigError(
        _absent(
            connection, f"fields.{own}", name, fields, "no issue field and no field of `scope.projects` is called that"
        )
    )


def _dates(found: Found) -> list[str]:
    """Return the fields that say when: iterations, and dates under the names that are read."""
    return [
        name
        for name, field in found.project_fields.items()
        if field.get("type") == "ITERATION"
        or (field.get("type") == "DATE" and folded(name) in (*START_NAMES, *DUE_NAMES))
    ]


def _among(name: str, fields: Iterable[str]) -> str | None:
    return next((field for field in fields if folded(field) == folded(name)), None)


def _absent(connection: Connection, key: str, name: str, fields: Iterable[str], why: str) -> str:
    names = sorted(fields)
    near = difflib.get_close_matches(folded(name), [folded(field) for field in names], n=1, cutoff=0.5)
    meant = next((field for field in names if near and folded(field) == near[0]), None)
    hint = f" Did you mean '{meant}'?" if meant else _one_of(names)
    return f"{connection.name}: `{key}` names '{name}', but {why}.{hint}"


def _one_of(names: Iterable[str]) -> str:
    listed = [f"'{name}'" for name in list(names)[:10]]
    return f" There are: {', '.join(listed)}." if listed else " There are none."


def statuses_of(connection: Connection, found: Found) -> dict[str, Json]:
    """Return the status words that GitHub itself gives a meaning: those of its template, and options called so."""
    words: dict[str, Json] = {word: category.value for word, category in TEMPLATE_WORDS.items()}
    status = connection.status
    name = status.get("project_field") if isinstance(status, Mapping) else None
    for project in found.projects.values() if name else ():
        fields = project_fields(project)["fields"]
        known = _among(str(name), fields)
        for id, option in (fields[known]["options"] if known else {}).items():
            if category := TEMPLATE_WORDS.get(folded(str(option))):
                words[id] = [option, category.value]
    return words


def statuses_of_rows(rows: Iterable[Json]) -> dict[str, Json]:
    """Return issue statuses by name, as the preview lists them; a category that nobody knows is left out."""
    found: dict[str, Json] = {}
    for row in rows:
        told = object_of(row)
        category = STATUS_CATEGORIES.get(folded(str(told.get("category") or "")).replace(" ", "_"))
        if category is not None and told.get("name"):
            found[str(told["name"])] = category.value
    return found
