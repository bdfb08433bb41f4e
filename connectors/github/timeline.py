"""GitHub's timelines -> transitions of the fields that Keyrail follows, and whose past is thereby complete.

Pure. What an event says of a label, a project or a milestone becomes a change of status, estimate or parent where the
operator's file lets those come from there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any

from connectors.base import Parsed
from connectors.github.pages import issues_with_timelines
from connectors.github.past import NOTHING, Event, Named, happen, label_of, repository_left, taken_for_granted, type_of
from connectors.github.plan import Plan
from connectors.github.shapes import (
    UNREAD,
    Repository,
    as_node,
    is_pull_request,
    is_rest,
    key_of,
    object_of,
    repository_of,
    rest_id,
    text_of,
)
from connectors.shapes import instant
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

FOLLOWED = frozenset(NAMES.values())

FIELDS = ("status", "resolution", "estimate", "parent", "labels", "type", "project", "key")
"""Fields of transitions; the place here stands behind the event's id."""


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
        placed = {**node, "repository": {"nameWithOwner": repository_of(issue, Repository()).name}}
        transitions.extend(_transitions(id, placed, events, plan))
        if whole:
            complete[id] = None
    return Parsed(transitions=tuple(transitions), history_of=tuple(complete))


def _timelines(page: Any) -> Iterator[tuple[dict[str, Any], list[Any], bool]]:
    """Yield (issue, its events, whether those are all)."""
    if isinstance(page, dict) and "data" in page:
        for issue, around in issues_with_timelines(page["data"]):
            told = object_of(issue["timelineItems"])
            if told.get(UNREAD) is True:
                raise PayloadError(f"The past of issue {issue.get('id')}: GitHub cannot give it, alone either.")
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
        if not is_pull_request(issue):
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
    state = taken_for_granted(events, plan)
    moves = _moves(events, issue)
    for at, step in groupby(events, key=lambda event: event.at):
        here = list(step)
        before = state.told()
        for event in here:
            happen(event, state, issue)
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
        event, at = _event_id(body), instant(body.get("createdAt") or body.get("created_at"))
        if event is None or at is None:
            raise PayloadError(f"A '{name}' event of issue {id} has no 'id' or no time.")
        found.setdefault(event, Event(at, event, name, body))
    yield from sorted(found.values(), key=lambda event: (event.at, _serial(event.body)))


def _event_id(body: Mapping[str, Any]) -> str | None:
    return (
        text_of(body.get("node_id")) or text_of(body.get("id")) or (str(serial) if (serial := _serial(body)) else None)
    )


def _serial(body: Mapping[str, Any]) -> int:
    """Return REST's number of an event, which grows; 0 where there is none."""
    id = body.get("id")
    return id if isinstance(id, int) and not isinstance(id, bool) else 0


def _direct(event: Event, moves: Mapping[str, tuple[Named, Named, Named]]) -> Iterator[tuple[str, Named, Named]]:
    """Yield the fields that one event alone changes: (field, before, after)."""
    body = event.body
    match event.name:
        case "labeled":
            yield "labels", NOTHING, label_of(body)
        case "unlabeled":
            yield "labels", label_of(body), NOTHING
        case "issue_type_added":
            yield "type", NOTHING, type_of(body, "issueType", "issue_type")
        case "issue_type_changed":
            before = type_of(body, "prevIssueType", "prev_issue_type")
            yield "type", before, type_of(body, "issueType", "issue_type")
        case "issue_type_removed":
            yield "type", type_of(body, "issueType", "issue_type", "prev_issue_type"), NOTHING
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
    sources = [repository_left(event.body) for event in transfers]
    here = repository_of(issue, Repository()).name or None
    number = issue.get("number")
    key = key_of(here, number) if here and isinstance(number, int) else None
    found: dict[str, tuple[Named, Named, Named]] = {}
    for place, event in enumerate(transfers):
        is_last = place + 1 == len(transfers)
        target = (here, None) if is_last else sources[place + 1]
        found[event.id] = (sources[place], target, (key, None) if is_last else NOTHING)
    return found
