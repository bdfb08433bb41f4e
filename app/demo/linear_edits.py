"""What an edit of an issue in a simulated Linear workspace does to it, and what history and webhooks say of it.

Values only: who edits, and where it is kept, is the site's matter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from app.demo.linear_model import CANCELED, Issue, Row

Before = dict[str, Any]
"""Old values under the names that deliveries use (``stateId``)."""
Told = dict[str, Any]
"""What changed under the names of an entry of history (``fromState``, ``toState``)."""

_REFERENCES = ("state", "assignee", "parent", "project", "project_milestone", "cycle")
_SILENT = ("description", "synced_with", "delegate", "snoozed_until_at", "sort_order")
"""Attributes that history does not tell with their values."""


def changed(issue: Issue, fields: Mapping[str, Any], when: datetime) -> tuple[Before, Told, str]:
    """Set attributes of an issue and what hangs on them; return old values, what history tells, and words for people.

    Attributes that stay as they are are not told.
    """
    before: Before = {}
    told: Told = {}
    said = []
    for name, value in fields.items():
        old = getattr(issue, name)
        if old == value:
            continue
        payload = f"{camel(name)}Id" if name in _REFERENCES else camel(name)
        before[payload] = described(old)
        if name == "labels":
            before["labelIds"] = before.pop("labels")
            told |= {"addedLabels": [one for one in value if one not in old]}
            told |= {"removedLabels": [one for one in old if one not in value]}
        elif name == "description":
            told["updatedDescription"] = True
        elif name not in _SILENT:
            title = camel(name)[0].upper() + camel(name)[1:]
            told |= {f"from{title}": old, f"to{title}": value}
        setattr(issue, name, value)
        if name in _EFFECTS:
            before |= _EFFECTS[name](issue, old, when)
        said.append(f"{name.replace('_', ' ')}: {word(old)} -> {word(value)}")
    return before, told, ", ".join(said)


def _state(issue: Issue, old: Any, when: datetime) -> Before:
    """Set the dates that hang on the state's type; going back takes them away."""
    was = {name: getattr(issue, name) for name in ("started_at", "completed_at", "canceled_at", "triaged_at")}
    kind = issue.state.type
    if kind == "started":
        issue.started_at = issue.started_at or when
    if kind in ("triage", "backlog", "unstarted"):
        issue.started_at = None
    issue.completed_at = (issue.completed_at or when) if kind == "completed" else None
    issue.canceled_at = (issue.canceled_at or when) if kind in CANCELED else None
    if old.type == "triage":
        issue.triaged_at = when
    return {camel(name): described(value) for name, value in was.items() if value != getattr(issue, name)}


def _project(issue: Issue, _old: Any, when: datetime) -> Before:
    issue.added_to_project_at = when if issue.project else None
    if issue.project_milestone is None or issue.project_milestone.project is issue.project:
        return {}
    gone, issue.project_milestone = issue.project_milestone, None
    return {"projectMilestoneId": gone.id}


def _cycle(issue: Issue, _old: Any, when: datetime) -> Before:
    issue.added_to_cycle_at = when if issue.cycle else None
    return {}


_EFFECTS: dict[str, Callable[[Issue, Any, datetime], Before]] = {"state": _state, "project": _project, "cycle": _cycle}


def described(value: Any) -> Any:
    """Say a value as deliveries do: rows by their id, moments and days as text."""
    match value:
        case list():
            return [described(one) for one in value]
        case datetime():
            return stamp(value)
        case date():
            return value.isoformat()
        case Row():
            return value.id
        case float() if value.is_integer():
            return int(value)
        case _:
            return value


def stamp(moment: datetime) -> str:
    """Write a moment (UTC) with milliseconds and Z."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def word(value: Any) -> str:
    """Say a value for people."""
    match value:
        case None:
            return "none"
        case list():
            return ", ".join(word(one) for one in value) or "none"
        case float():
            return f"{value:g}"
        case Issue():
            return value.identifier
        case _:
            return str(getattr(value, "name", value))


def camel(name: str) -> str:
    """Return Linear's name of an attribute: ``started_at`` is ``startedAt``."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)
