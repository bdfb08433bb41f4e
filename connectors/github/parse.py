"""GitHub's pages -> work items as GitHub states them, GraphQL and REST alike; their past is read in `timeline`.

Pure; the operator's categories are applied by `sync.settle`, and nothing is read that Keyrail does not use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from connectors.base import Parsed, Reading
from connectors.github.pages import Entry, entries, kind_of, split
from connectors.github.plan import (
    DUE_NAMES,
    START_NAMES,
    Plan,
    defaults,
    plan_of,
    site_of,
)
from connectors.github.shapes import (
    UNREAD,
    Repository,
    day,
    folded,
    key_of,
    object_of,
    objects,
    place_in,
    repository_of,
    text_of,
)
from connectors.github.states import CANCELED_REASONS, State, estimate_of, is_closed, state_of
from connectors.github.timeline import read_history
from connectors.github.values import (
    Project,
    Value,
    first_of_kind,
    first_value,
    issue_values,
    iteration_of,
    leading,
    projects_of,
)
from connectors.shapes import instant, is_number, load
from domain.errors import PayloadError
from domain.work import Category, Level, Upsert, WorkItem
from domain.workspace import Connection

__all__ = ["defaults", "key_at", "kind_of", "parse", "split"]


def parse(kind: str, body: object, connection: Connection, reading: Reading) -> Parsed:
    """Read a stored page, given as bytes or as the JSON value that it holds.

    ``items``: a GraphQL answer with issues or milestones anywhere in it, a REST list or search result, or one
    issue; each becomes an `Upsert`, pull requests and drafts become nothing. ``history``: see `timeline`. Raises
    PayloadError that names the item and what is wrong with it.
    """
    page = load(body)
    plan = plan_of(connection, reading)
    if kind == "items":
        return Parsed(changes=tuple([Upsert(item=item) for entry in entries(page) if (item := _item(entry, plan))]))
    if kind == "history":
        return read_history(page, plan)
    raise PayloadError(f"{connection.name}: a GitHub page of kind '{kind}' is unknown; expected items or history.")


def key_at(address: str, connection: Connection) -> str | None:
    """Return the key of the issue or milestone that a web address shows, None where it is of another site or none."""
    site = site_of(connection.url).lower() + "/"
    repository, number = place_in(address)
    if number is None or not address.lower().startswith(site) or "/pull/" in address:
        return None
    return key_of(repository, number, milestone=f"{repository}/milestone/" in address)


class _Face(NamedTuple):
    """What every item must state."""

    id: str
    key: str
    title: str
    repository: Repository
    created: datetime
    updated: datetime


def _item(entry: Entry, plan: Plan) -> WorkItem | None:
    repository = repository_of(entry.raw, entry.around)
    if entry.is_milestone:
        return _milestone(entry.node, repository, plan) if plan.milestones else None
    return _issue(entry.node, repository, plan)


def _face(node: Mapping[str, Any], repository: Repository, what: str) -> _Face:
    """Return what an item must state; only a milestone may be too old to say when it was changed."""
    id, number, title = node.get("id"), node.get("number"), node.get("title")
    if node.get(UNREAD) is True:
        raise PayloadError(f"{what} {repository.name}#{number} ({id}): GitHub cannot give it, alone either.")
    if not isinstance(id, str) or not id:
        raise PayloadError(f"{what} {number if number is not None else '(no number)'} has no 'id'.")
    if not isinstance(number, int) or isinstance(number, bool) or not isinstance(title, str):
        name = "title" if isinstance(number, int) else "number"
        raise PayloadError(f"{what} {id} has no '{name}'; ask for it by name.")
    if not repository.name:
        raise PayloadError(f"{what} {id} (number {number}) does not say which repository it is in.")
    key = key_of(repository.name, number, milestone=what == "Milestone")
    created = instant(node.get("createdAt"))
    updated = instant(node.get("updatedAt")) or (created if what == "Milestone" else None)
    if created is None or updated is None:
        name = "updatedAt" if updated is None else "createdAt"
        raise PayloadError(f"{what} {key}: '{name}' is missing or not a time ({node.get(name)!r}).")
    return _Face(id, key, title, repository, created, updated)


def _issue(node: Mapping[str, Any], repository: Repository, plan: Plan) -> WorkItem:
    face = _face(node, repository, "Issue")
    values = issue_values(node)
    every_project = projects_of(node, plan)
    projects = leading(every_project, plan)
    places = [values, *[project.values for project in projects]]
    labels = _names(node.get("labels"), "name")
    state = state_of(node, labels, projects, plan)
    estimate, doubts = estimate_of(values, labels, projects, plan)
    parent_id, parent_key = _parent(node, face, plan)
    type_name = text_of(object_of(node.get("issueType")).get("name")) or "Issue"
    milestone = object_of(node.get("milestone"))
    milestone_title = text_of(milestone.get("title"))
    sprint = iteration_of(projects)
    closed = instant(node.get("closedAt")) if is_closed(node) else None
    canceled = state.category is Category.CANCELED or state.resolution in CANCELED_REASONS
    due = first_of_kind("date", DUE_NAMES, places)

    return WorkItem(
        connection=plan.connection,
        tracker="github",
        id=face.id,
        key=face.key,
        url=text_of(node.get("url")) or f"{plan.site}/{repository.name}/issues/{node['number']}",
        title=face.title,
        type=type_name,
        level=_level(node, type_name, plan),
        status=state.status,
        vendor_category=state.category,
        category=state.category,
        updated_at=face.updated,
        created_at=face.created,
        project=repository.name,
        resolution=state.resolution,
        estimate=estimate,
        parent_id=parent_id,
        parent_key=parent_key,
        containers=_containers(milestone_title, sprint, every_project),
        labels=labels,
        assignees=_names(node.get("assignees"), "login"),
        team=_team(places, plan),
        sprint=sprint,
        milestone=milestone_title,
        status_changed_at=closed,
        completed_at=None if canceled else closed,
        canceled_at=closed if canceled else None,
        start_date=day(first_of_kind("date", START_NAMES, places)),
        due_date=day(due if due is not None else milestone.get("dueOn")),
        archived=repository.archived,
        flags=_flags(doubts, state, sprint),
        fields=_extra(places, plan) if plan.extra else {},
        blocked_by=_blockers(node.get("blockedBy")),
    )


def _milestone(node: Mapping[str, Any], repository: Repository, plan: Plan) -> WorkItem:
    face = _face(node, repository, "Milestone")
    over = is_closed(node)
    category = Category.DONE if over else Category.TODO
    closed = instant(node.get("closedAt")) if over else None
    return WorkItem(
        connection=plan.connection,
        tracker="github",
        id=face.id,
        key=face.key,
        url=text_of(node.get("url")) or f"{plan.site}/{face.key}",
        title=face.title,
        type="Milestone",
        level=Level.EPIC,
        status="closed" if over else "open",
        vendor_category=category,
        category=category,
        updated_at=face.updated,
        created_at=face.created,
        project=repository.name,
        status_changed_at=closed,
        completed_at=closed,
        due_date=day(node.get("dueOn")),
        archived=repository.archived,
    )


def _level(node: Mapping[str, Any], type_name: str, plan: Plan) -> Level:
    """Return epic for a type that is one and, where asked for, for what has sub-issues; else issue."""
    if folded(type_name) in plan.epic_types:
        return Level.EPIC
    total = object_of(node.get("subIssuesSummary")).get("total")
    return Level.EPIC if plan.with_sub_issues and is_number(total) and total > 0 else Level.ISSUE


def _parent(node: Mapping[str, Any], face: _Face, plan: Plan) -> tuple[str | None, str | None]:
    """Return id and key of the parent issue, else of the milestone where milestones are epics."""
    above = object_of(node.get("parent"))
    id, number = text_of(above.get("id")), above.get("number")
    name = repository_of(above, Repository()).name
    key = key_of(name, number) if name and isinstance(number, int) else None
    if (id is not None or key is not None) and id != face.id and key != face.key:
        return id, key
    milestone = object_of(node.get("milestone"))
    id, number = text_of(milestone.get("id")), milestone.get("number")
    if not plan.milestones or id is None:
        return None, None
    place, stated = place_in(milestone.get("url"))
    number = number if isinstance(number, int) else stated
    return id, key_of(place or face.repository.name, number, milestone=True) if number is not None else None


def _containers(milestone: str | None, sprint: str | None, projects: Sequence[Project]) -> tuple[str, ...]:
    """Return what an issue is in beside its parent: milestone, iteration, and projects by number and by title."""
    named = [f"project:{told}" for project in projects for told in (project.name, project.title) if told]
    if milestone:
        named.insert(0, f"milestone:{milestone}")
    if sprint:
        named.append(f"sprint:{sprint}")
    return tuple(dict.fromkeys(named))


def _names(connection: Any, key: str) -> tuple[str, ...]:
    return tuple([text for one in objects(connection) if (text := text_of(one.get(key)))]) if connection else ()


def _team(places: Sequence[Mapping[str, Value]], plan: Plan) -> str | None:
    found = first_value(plan.team, places) if plan.team else None
    if found is None:
        return None
    return ", ".join(str(one) for one in found.plain) if isinstance(found.plain, list) else str(found.plain)


def _extra(places: Sequence[Mapping[str, Value]], plan: Plan) -> dict[str, object]:
    return {name: found.plain for name, field in plan.extra if (found := first_value(field, places)) is not None}


def _flags(doubts: Sequence[str], state: State, sprint: str | None) -> tuple[str, ...]:
    """Return what is to be said about an item, sorted; projects keep no past of numbers and iterations."""
    return tuple(sorted({*doubts, *state.flags, *(("no_history",) if sprint else ())}))


def _blockers(blocked_by: Any) -> tuple[str, ...]:
    """Return the ids of the issues that this one waits for; whether they are open their own items say."""
    return tuple([id for one in objects(blocked_by) if (id := text_of(one.get("id")))]) if blocked_by else ()
