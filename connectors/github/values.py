"""Values of custom fields: an issue's own and those that projects keep about it, by name.

Pure; which field plays which part is said in `plan`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from connectors.github.plan import Plan
from connectors.github.shapes import folded, object_of, objects, text_of
from connectors.shapes import is_number

_NUMBER = re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?")
_PROJECT = re.compile(r"/(?:orgs|users)/([^/]+)/projects/([0-9]+)")
_ALIAS = re.compile(r"value[0-9]+")


class Value(NamedTuple):
    """What a field holds: `kind` is ``number``, ``date``, ``text``, ``single``, ``multi`` or ``iteration``."""

    kind: str
    plain: object


class Project(NamedTuple):
    """A project that an issue is in: ``owner/number`` in lower case and as written, title, values by field name."""

    key: str
    name: str
    title: str
    values: Mapping[str, Value]


def issue_values(node: Mapping[str, Any]) -> dict[str, Value]:
    """Return the values of an issue's own fields by their names, as names compare."""
    told = node.get("issueFieldValues")
    return dict(_values(objects(told))) if told else {}


def projects_of(node: Mapping[str, Any], plan: Plan) -> list[Project]:
    """Return the projects that an issue is in: those of the scope in its order, then the others."""
    told = node.get("projectItems")
    found = [_project(item) for item in objects(told)] if told else []
    if len(found) > 1 and plan.projects:
        rank = {key: place for place, key in enumerate(plan.projects)}
        found.sort(key=lambda project: rank.get(project.key, len(rank)))
    return found


def leading(projects: Iterable[Project], plan: Plan) -> list[Project]:
    """Return the projects whose fields count: those of the scope; all where the scope names none."""
    return [project for project in projects if not plan.projects or not project.key or project.key in plan.projects]


def first_value(name: str, places: Iterable[Mapping[str, Value]]) -> Value | None:
    """Return the value of a field in the first place that has one."""
    return next((found for values in places if (found := values.get(name))), None)


def first_of_kind(kind: str, names: Iterable[str], places: Iterable[Mapping[str, Value]]) -> object:
    """Return the plain value of the first field of one kind that goes by one of `names`."""
    for values in places:
        for name in names:
            if (found := values.get(name)) and found.kind == kind:
                return found.plain
    return None


def iteration_of(projects: Iterable[Project]) -> str | None:
    """Return the title of the iteration that the first project with one states."""
    for project in projects:
        for value in project.values.values():
            if value.kind == "iteration":
                return str(value.plain)
    return None


def number_in(value: object) -> float | None:
    """Return an estimate: a number that is not negative, or a text that is one; None else."""
    if isinstance(value, str):
        value = float(value) if _NUMBER.fullmatch(value.strip()) else None
    return float(value) if is_number(value) and value >= 0 else None


def project_key(project: Mapping[str, Any]) -> str:
    """Return ``owner/number`` of a project, by its owner or its address; empty where neither tells."""
    number, owner = project.get("number"), object_of(project.get("owner")).get("login")
    if isinstance(owner, str) and isinstance(number, int):
        return f"{owner}/{number}"
    for url in (project.get("url"), project.get("resourcePath")):
        if isinstance(url, str) and (found := _PROJECT.search(url)):
            return f"{found[1]}/{found[2]}"
    return ""


def _project(item: Mapping[str, Any]) -> Project:
    project = object_of(item.get("project"))
    name = project_key(project)
    asked = [one for alias, one in item.items() if isinstance(one, dict) and _ALIAS.fullmatch(alias)]
    values = dict(_values([*asked, *objects(item.get("fieldValues"))]))
    return Project(folded(name), name, text_of(project.get("title")) or "", values)


def _values(nodes: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, Value]]:
    for node in nodes:
        name = text_of(object_of(node.get("field")).get("name"))
        inner = node.get("issueFieldValue")
        value = _value(inner if isinstance(inner, dict) else node) if name else None
        if name and value is not None:
            yield folded(name), value


def _value(node: Mapping[str, Any]) -> Value | None:
    """Read a value by its type, else by the keys that it has; queries call one `value` by several names."""
    kind = str(node.get("__typename") or "").removesuffix("Value").removeprefix("ProjectV2Item")
    reader = READERS.get(kind.removeprefix("IssueField").removeprefix("Field"))
    if reader is not None:
        return reader(node)
    return next((found for read in READERS.values() if (found := read(node))), None) if not kind else None


def _number(node: Mapping[str, Any]) -> Value | None:
    told = next((node[key] for key in ("numberValue", "number", "value") if is_number(node.get(key))), None)
    return None if told is None else Value("number", float(told))


def _under(kind: str, *keys: str) -> Callable[[Mapping[str, Any]], Value | None]:
    def read(node: Mapping[str, Any]) -> Value | None:
        told = next((text for key in keys if (text := text_of(node.get(key)))), None)
        return Value(kind, told) if told else None

    return read


def _options(node: Mapping[str, Any]) -> Value | None:
    names = [text for one in objects(node.get("options")) if (text := text_of(one.get("name")))]
    return Value("multi", names) if names else None


READERS: Mapping[str, Callable[[Mapping[str, Any]], Value | None]] = {
    "Number": _number,
    "Date": _under("date", "dateValue", "date", "value"),
    "Iteration": _under("iteration", "title"),
    "MultiSelect": _options,
    "SingleSelect": _under("single", "name", "singleSelectValue", "value"),
    "Text": _under("text", "textValue", "text", "value"),
}
"""Type of a field -> what reads its value; None where it holds none."""
