"""What the events of a timeline add up to: status, resolution, estimate and parent as `parse` would have read them.

Pure; which events there are and what becomes of a difference is said in `timeline`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from connectors.github.plan import ESTIMATE_NAMES, Plan
from connectors.github.shapes import (
    Repository,
    folded,
    is_rest,
    key_of,
    object_of,
    place_in,
    repository_of,
    rest_id,
    text_of,
)
from connectors.github.values import project_key

Named = tuple[str | None, str | None]
"""A value for people, and its id where there is one."""

NOTHING: Named = (None, None)


class Event(NamedTuple):
    """One event of a timeline that we follow."""

    at: datetime
    id: str
    name: str
    body: Mapping[str, Any]


@dataclass(slots=True)
class State:
    """What the events of an issue add up to, up to one of them."""

    plan: Plan
    is_open: bool = True
    reason: str | None = None
    labels: dict[str, None] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, str | None] = field(default_factory=dict)
    parent: Named = NOTHING
    milestone: Named = NOTHING

    def told(self) -> dict[str, Named]:
        """Return the fields that are made of several events, as `parse` would read them of the issue then."""
        above = self.parent
        if above == NOTHING and self.plan.milestones:
            above = self.milestone
        return {
            "status": (self.plan.status_word(self.is_open, self._word()), None),
            "resolution": (self.reason, None),
            "estimate": (self._estimate(), None),
            "parent": above,
        }

    def _word(self) -> str | None:
        source = self.plan.status
        if source.kind == "label":
            return source.in_labels(self.labels)
        if source.kind != "project_field" or source.name != "status":
            return None
        order = [*self.plan.projects, ""] if self.plan.projects else list(self.words)
        return next((self.words[project] for project in order if self.words.get(project)), None)

    def _estimate(self) -> str | None:
        source = self.plan.estimate
        if source.kind == "label":
            return source.in_labels(self.labels)
        names = ESTIMATE_NAMES if source.kind == "auto" else (source.name,)
        return next((told for name in names if (told := self.numbers.get(name)) is not None), None)


def taken_for_granted(events: Sequence[Event], plan: Plan) -> State:
    """Return what the first events take for granted: what is taken away first was there from the start."""
    state = State(plan)
    seen: set[object] = set()
    for event in events:
        name, body = event.name, event.body
        if name in ("closed", "reopened"):
            about: object = "state"
            if about not in seen:
                state.is_open = name == "closed"
        elif name in ("labeled", "unlabeled"):
            about = ("label", label_of(body)[0])
            if about not in seen and name == "unlabeled":
                state.labels[label_of(body)[0] or ""] = None
        elif name == "project_v2_item_status_changed":
            about = ("project", _project(body, state.plan))
            if about not in seen and (word := text_of(body.get("previousStatus") or body.get("previous_status"))):
                state.words[_project(body, state.plan)] = word
        elif name.startswith("issue_field_"):
            about = ("field", _field(body))
            if about not in seen and name == "issue_field_changed":
                state.numbers[_field(body)] = _text(body, "previousValue", "previous_value")
        elif name in ("parent_issue_added", "parent_issue_removed"):
            about = "parent"
            if about not in seen and name == "parent_issue_removed":
                state.parent = _parent(body)
        elif name in ("milestoned", "demilestoned"):
            about = "milestone"
            if about not in seen and name == "demilestoned":
                state.milestone = (_title(body), None)
        else:
            continue
        seen.add(about)
    return state


def happen(event: Event, state: State, issue: Mapping[str, Any]) -> None:
    """Let an event happen."""
    body = event.body
    match event.name:
        case "closed":
            reason = _text(body, "stateReason", "state_reason")
            state.is_open, state.reason = False, folded(reason) if reason else None
        case "reopened":
            state.is_open, state.reason = True, None
        case "labeled":
            state.labels[label_of(body)[0] or ""] = None
        case "unlabeled":
            state.labels.pop(label_of(body)[0] or "", None)
        case "project_v2_item_status_changed":
            state.words[_project(body, state.plan)] = text_of(body.get("status")) or ""
        case "removed_from_project_v2":
            state.words.pop(_project(body, state.plan), None)
        case "issue_field_added" | "issue_field_changed":
            state.numbers[_field(body)] = _text(body, "newValue", "new_value", "value")
        case "issue_field_removed":
            state.numbers.pop(_field(body), None)
        case "parent_issue_added":
            state.parent = _parent(body)
        case "parent_issue_removed":
            if state.parent[1] is None or state.parent == _parent(body):
                state.parent = NOTHING
        case "milestoned":
            state.milestone = (_title(body), _milestone_id(_title(body), issue))
        case "demilestoned":
            if state.milestone[0] == _title(body):
                state.milestone = NOTHING


def _text(body: Mapping[str, Any], *keys: str) -> str | None:
    for key in keys:
        told = body.get(key)
        if told is not None and not isinstance(told, (dict, list, bool)) and str(told):
            return str(told)
    return None


def label_of(body: Mapping[str, Any]) -> Named:
    """Return the label that an event is about."""
    label = object_of(body.get("label"))
    return text_of(label.get("name")), text_of(label.get("id"))


def _title(body: Mapping[str, Any]) -> str | None:
    return text_of(body.get("milestoneTitle")) or text_of(object_of(body.get("milestone")).get("title"))


def _milestone_id(title: str | None, issue: Mapping[str, Any]) -> str | None:
    """Return the id of a milestone that events name by title alone, where the issue is in it still."""
    now = object_of(issue.get("milestone"))
    return text_of(now.get("id")) if title is not None and now.get("title") == title else None


def _parent(body: Mapping[str, Any]) -> Named:
    parent = object_of(body.get("parent") or body.get("parent_issue"))
    if is_rest(parent):
        name, number = place_in(parent.get("html_url") or parent.get("url"))
        return (key_of(name, number) if number is not None else None), rest_id(parent)
    name, number = repository_of(parent, Repository()).name, parent.get("number")
    return (key_of(name, number) if name and isinstance(number, int) else None), text_of(parent.get("id"))


def type_of(body: Mapping[str, Any], *keys: str) -> Named:
    """Return the issue type under the first of `keys` that holds one."""
    told = next((found for key in keys if (found := object_of(body.get(key)))), {})
    return text_of(told.get("name")), text_of(told.get("node_id")) or text_of(told.get("id"))


def _field(body: Mapping[str, Any]) -> str:
    told = object_of(body.get("issueField") or body.get("issue_field"))
    return folded(text_of(told.get("name")) or text_of(body.get("issue_field_name")) or "")


def _project(body: Mapping[str, Any], plan: Plan) -> str:
    """Return ``owner/number`` of a project, found by its id or its number among those of the scope; else its id."""
    project = object_of(body.get("project"))
    if key := folded(project_key(project)) or plan.project_ids.get(text_of(project.get("id")) or ""):
        return key
    numbered = [name for name in plan.projects if name.rpartition("/")[2] == str(project.get("number"))]
    return numbered[0] if len(numbered) == 1 else text_of(project.get("id")) or ""


def repository_left(body: Mapping[str, Any]) -> Named:
    """Return the repository that a transferred issue came from."""
    source = object_of(body.get("fromRepository") or body.get("from_repository"))
    name = text_of(source.get("nameWithOwner")) or text_of(source.get("full_name"))
    return name, text_of(source.get("id")) or text_of(source.get("node_id"))
