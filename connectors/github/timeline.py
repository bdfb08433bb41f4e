"""GitHub's timelines -> transitions of the fields that Keyrail follows, and whose past is thereby complete.

Pure. What an event says of a label, a project or a milestone becomes a change of status, estimate or parent where the
operator's file lets those come from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

from connectors.base import Parsed
from connectors.github.pages import issues_with_timelines
from connectors.github.plan import ESTIMATE_NAMES, Plan
from connectors.github.shapes import (
    Repository,
    as_node,
    folded,
    instant,
    is_rest,
    key_of,
    object_of,
    place_in,
    repository_of,
    rest_id,
    text_of,
)
from connectors.github.values import project_key
from domain.errors import PayloadError
from domain.work import Transition

NAMES: Mapping[str, str] = {
    "ClosedEvent": "closed",
    "ReopenedEvent": "reopened",
    "LabeledEvent": "labeled",
    "UnlabeledEvent": "unlabeled",
    "MilestonedEvent": "milestoned",
    "DemilestonedEvent": "demilestoned",
    "ParentIssueAddedEvent": "parent_issue_added",
    "ParentIssueRemovedEvent": "parent_issue_removed",
    "IssueTypeAddedEvent": "issue_type_added",
    "IssueTypeChangedEvent": "issue_type_changed",
    "IssueTypeRemovedEvent": "issue_type_removed",
    "IssueFieldAddedEvent": "issue_field_added",
    "IssueFieldChangedEvent": "issue_field_changed",
    "IssueFieldRemovedEvent": "issue_field_removed",
    "ProjectV2ItemStatusChangedEvent": "project_v2_item_status_changed",
    "RemovedFromProjectV2Event": "removed_from_project_v2",
    "TransferredEvent": "transferred",
}
"""GraphQL's type of an event that we follow -> its name in REST."""

FIELDS = ("status", "resolution", "estimate", "parent", "labels", "type", "project", "key")
"""Fields of transitions; the place here stands behind the event's id."""

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


def read_history(page: Any, plan: Plan) -> Parsed:
    """Read timelines: a GraphQL answer whose issues carry `timelineItems`, or events of REST.

    A REST list does not name its issue: the reader puts ``{"issue": …, "events": […]}`` around it, unless each
    event holds its own `issue`, as those of a repository do. `history_of` names the issues whose timeline is whole.
    """
    transitions: list[Transition] = []
    complete: dict[str, None] = {}
    for issue, events, whole in _timelines(page):
        node = as_node(issue) if is_rest(issue) else issue
        id = text_of(node.get("id"))
        if id is None:
            raise PayloadError("A timeline does not say which issue it is of: the issue has no 'id'.")
        transitions.extend(_transitions(id, {**node, "repository": issue.get("repository")}, events, plan))
        if whole:
            complete[id] = None
    return Parsed(transitions=tuple(transitions), history_of=tuple(complete))


def _timelines(page: Any) -> Iterator[tuple[dict[str, Any], list[Any], bool]]:
    """Yield (issue, its events, whether those are all)."""
    if isinstance(page, dict) and "data" in page:
        for issue, around in issues_with_timelines(page["data"]):
            told = object_of(issue["timelineItems"])
            paging = object_of(told.get("pageInfo"))
            whole = not paging.get("hasNextPage") and not paging.get("hasPreviousPage")
            placed = issue if issue.get("repository") or not around.name else {**issue, "repository": _named(around)}
            yield placed, _list(told.get("nodes"), issue.get("id")), whole
        return
    if isinstance(page, dict) and "events" in page:
        issue = object_of(page.get("issue"))
        yield issue, _list(page["events"], issue.get("id")), page.get("whole") is not False
        return
    events = page if isinstance(page, list) else [page]
    by_issue: dict[str, tuple[dict[str, Any], list[Any]]] = {}
    for event in events:
        issue = object_of(event.get("issue")) if isinstance(event, dict) else {}
        id = rest_id(issue)
        if id is None:
            raise PayloadError("A list of events does not say which issue it is of: GitHub leaves it out, add it.")
        by_issue.setdefault(id, (issue, []))[1].append(event)
    yield from ((issue, told, False) for issue, told in by_issue.values())


def _named(around: Repository) -> dict[str, str]:
    return {"nameWithOwner": around.name}


def _list(value: Any, id: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise PayloadError(f"The timeline of issue {id} is {type(value).__name__} instead of a list.")


def _transitions(id: str, issue: Mapping[str, Any], told: Sequence[Any], plan: Plan) -> Iterator[Transition]:
    """Yield the transitions of one issue, oldest first; what happens at one instant is one step."""
    events = list(_followed(id, told))
    state = _before(events, plan)
    moves = _moves(events, issue)
    for at, step in groupby(events, key=lambda event: event.at):
        here = list(step)
        before = state.told()
        for event in here:
            _apply(event, state, issue)
        after = state.told()
        for name in before:
            if before[name] != after[name]:
                yield _transition(plan, id, here[-1].id, at, name, before[name], after[name])
        for event in here:
            for name, was, now in _direct(event, moves):
                yield _transition(plan, id, event.id, at, name, was, now)


def _transition(plan: Plan, item: str, event: str, at: datetime, name: str, before: Named, after: Named) -> Transition:
    return Transition(
        connection=plan.connection,
        item_id=item,
        id=f"{event}.{FIELDS.index(name)}",
        at=at,
        field=name,
        before=before[0],
        after=after[0],
        before_id=before[1],
        after_id=after[1],
    )


def _followed(id: str, told: Iterable[Any]) -> Iterator[Event]:
    """Yield the events that we follow, oldest first, each once; an event that our account may not see is null."""
    found: dict[str, Event] = {}
    for body in told:
        if body is None:
            continue
        if not isinstance(body, dict):
            raise PayloadError(f"The timeline of issue {id} holds {type(body).__name__} instead of an object.")
        name = NAMES.get(str(body.get("__typename"))) or str(body.get("event"))
        if name not in FOLLOWED:
            continue
        event, at = rest_id(body), instant(body.get("createdAt") or body.get("created_at"))
        if event is None or at is None:
            raise PayloadError(f"A '{name}' event of issue {id} has no 'id' or no time.")
        found.setdefault(event, Event(at, event, name, body))
    yield from sorted(found.values(), key=lambda event: event.at)


FOLLOWED = frozenset(NAMES.values())


def _before(events: Sequence[Event], plan: Plan) -> State:
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
            about = ("label", _label(body)[0])
            if about not in seen and name == "unlabeled":
                state.labels[_label(body)[0] or ""] = None
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


def _apply(event: Event, state: State, issue: Mapping[str, Any]) -> None:
    """Let an event happen."""
    body = event.body
    match event.name:
        case "closed":
            reason = _text(body, "stateReason", "state_reason")
            state.is_open, state.reason = False, folded(reason) if reason else None
        case "reopened":
            state.is_open, state.reason = True, None
        case "labeled":
            state.labels[_label(body)[0] or ""] = None
        case "unlabeled":
            state.labels.pop(_label(body)[0] or "", None)
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


def _direct(event: Event, moves: Mapping[str, tuple[Named, Named, Named]]) -> Iterator[tuple[str, Named, Named]]:
    """Yield the fields that one event alone changes: (field, before, after)."""
    body = event.body
    match event.name:
        case "labeled":
            yield "labels", NOTHING, _label(body)
        case "unlabeled":
            yield "labels", _label(body), NOTHING
        case "issue_type_added":
            yield "type", NOTHING, _type(body, "issueType", "issue_type")
        case "issue_type_changed":
            before = _type(body, "prevIssueType", "prev_issue_type")
            yield "type", before, _type(body, "issueType", "issue_type")
        case "issue_type_removed":
            yield "type", _type(body, "issueType", "issue_type", "prev_issue_type"), NOTHING
        case "transferred":
            source, target, key = moves[event.id]
            yield "project", source, target
            if key != NOTHING:
                yield "key", NOTHING, key


def _moves(events: Sequence[Event], issue: Mapping[str, Any]) -> dict[str, tuple[Named, Named, Named]]:
    """Return for each transfer where it came from, where it went and, for the last, the key that it has now.

    GitHub tells the repository that an issue left, not the number that it had there.
    """
    transfers = [event for event in events if event.name == "transferred"]
    sources = [_repository(event.body) for event in transfers]
    here = repository_of(issue, Repository()).name or None
    number = issue.get("number")
    key = key_of(here, number) if here and isinstance(number, int) else None
    found: dict[str, tuple[Named, Named, Named]] = {}
    for place, event in enumerate(transfers):
        is_last = place + 1 == len(transfers)
        target = (here, None) if is_last else sources[place + 1]
        found[event.id] = (sources[place], target, (key, None) if is_last else NOTHING)
    return found


def _text(body: Mapping[str, Any], *keys: str) -> str | None:
    for key in keys:
        told = body.get(key)
        if told is not None and not isinstance(told, (dict, list, bool)) and str(told):
            return str(told)
    return None


def _label(body: Mapping[str, Any]) -> Named:
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


def _type(body: Mapping[str, Any], *keys: str) -> Named:
    told = next((found for key in keys if (found := object_of(body.get(key)))), {})
    return text_of(told.get("name")), text_of(told.get("node_id")) or text_of(told.get("id"))


def _field(body: Mapping[str, Any]) -> str:
    told = object_of(body.get("issueField") or body.get("issue_field"))
    return folded(text_of(told.get("name")) or text_of(body.get("issue_field_name")) or "")


def _project(body: Mapping[str, Any], plan: Plan) -> str:
    """Return ``owner/number`` of a project, found by its number among those of the scope; else its id."""
    project = object_of(body.get("project"))
    if key := folded(project_key(project)):
        return key
    numbered = [name for name in plan.projects if name.rpartition("/")[2] == str(project.get("number"))]
    return numbered[0] if len(numbered) == 1 else text_of(project.get("id")) or ""


def _repository(body: Mapping[str, Any]) -> Named:
    source = object_of(body.get("fromRepository") or body.get("from_repository"))
    name = text_of(source.get("nameWithOwner")) or text_of(source.get("full_name"))
    return name, text_of(source.get("id")) or text_of(source.get("node_id"))
