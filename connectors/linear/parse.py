"""Linear's pages -> work items as Linear states them: issues, projects, initiatives; their past is read in `past`.

Pure; no operator's rule is applied here, and nothing is read that Keyrail does not use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Parsed, Reading
from connectors.linear.past import is_history, read_history
from connectors.linear.plan import Plan, defaults, plan_of
from connectors.linear.shapes import (
    INITIATIVE,
    ISSUE,
    PROJECT,
    blockers_of,
    child,
    cycle_of,
    day,
    identifier_of,
    identity,
    key_of,
    listed,
    mirrors_of,
    name_of,
    nodes_of,
    people_of,
    reference,
    text_of,
)
from connectors.shapes import instant, is_number, load
from domain.errors import PayloadError
from domain.work import Category, Change, Delete, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection

__all__ = ["defaults", "kind_of", "parse", "split"]

STATES: Mapping[str, Category] = {
    "triage": Category.TODO,
    "backlog": Category.TODO,
    "unstarted": Category.TODO,
    "started": Category.IN_PROGRESS,
    "completed": Category.DONE,
    "canceled": Category.CANCELED,
    "duplicate": Category.CANCELED,
}
"""Type of an issue's state -> category; names are free text and differ between teams, types do not."""

PROJECT_STATES: Mapping[str, Category] = {
    "backlog": Category.TODO,
    "planned": Category.TODO,
    "started": Category.IN_PROGRESS,
    "paused": Category.IN_PROGRESS,
    "completed": Category.DONE,
    "canceled": Category.CANCELED,
}
"""Type of a project's status -> category."""

INITIATIVE_STATES: Mapping[str, Category] = {
    "proposed": Category.TODO,
    "planned": Category.TODO,
    "active": Category.IN_PROGRESS,
    "completed": Category.DONE,
    "canceled": Category.CANCELED,
}
"""Status of an initiative, without case -> category."""


STATED: Mapping[str, frozenset[str]] = {
    ISSUE: frozenset({"identifier", "number"}),
    PROJECT: frozenset({"name"}),
    INITIATIVE: frozenset({"name"}),
}
"""Kind -> fields of which a node needs one to be read: what it is called."""

TIMES = frozenset({"createdAt", "updatedAt"})
"""Fields of which a node needs one to be read: how old it is."""

LINKS = frozenset({"initiatives", "initiativeToProjects"})
"""Fields that tell which initiatives a project is in."""

ABOVE = frozenset({"parent_id", "parent_key", "containers"})
"""what a project without any of them does not state: it was read by somebody who sees no initiatives"""

_SHOWN = re.compile(r"https://linear\.app/[^/]+/issue/([A-Za-z0-9]+-[0-9]+)(?:[/?#]|$)", re.IGNORECASE)


def parse(kind: str, body: object, connection: Connection, reading: Reading) -> Parsed:
    """Read a stored page, given as bytes or as the JSON value that it holds.

    ``items``: an answer, a connection, a list or one node; each issue, project and initiative becomes an `Upsert`,
    a `Delete` where it is in the trash, from which it may come back, or a `Refetch` where neither name nor age was
    asked for. ``history``: issues with their `history`.
    Raises PayloadError that names the thing and what is wrong with it.
    """
    page = load(body)
    if kind == "items":
        plan = plan_of(connection, reading)
        return Parsed(changes=tuple([change_of(kind, node, plan) for kind, node in nodes_of(page)]))
    if kind == "history":
        return read_history(page, plan_of(connection, reading))
    raise PayloadError(f"{connection.name}: a Linear page of kind '{kind}' is unknown; expected items or history.")


def kind_of(payload: object) -> str:
    """Tell what a payload is by its shape: ``webhook``, ``history`` or ``items``."""
    if isinstance(payload, dict) and "action" in payload and "type" in payload:
        return "webhook"
    return "history" if is_history(payload) else "items"


def key_at(address: str, connection: Connection) -> str | None:
    """Return the identifier of the issue that a web address of Linear shows, None where it shows none."""
    found = _SHOWN.match(address)
    return found[1].upper() if found else None


def split(kind: str, body: bytes) -> list[bytes]:
    """Cut a page into its nodes, so that one that cannot be read is parked alone; empty where it is no page.

    Each piece says what it is in `__typename`, which else only the page around it tells.
    """
    try:
        nodes = nodes_of(load(body)) if kind in ("items", "history") else []
    except PayloadError:
        return []
    return [orjson.dumps({**node, "__typename": kind} if isinstance(node, dict) else node) for kind, node in nodes]


def change_of(kind: str, node: Any, plan: Plan) -> Change:
    """Read one node of a known kind; one that was asked for little more than its id is to be read again."""
    id = identity(kind, node)
    ref, key = ItemRef(connection=plan.connection, id=id), key_of(node, kind) or ""
    if node.get("trashed") is True:
        return Delete(ref=ref, key=key)
    if STATED[kind].isdisjoint(node) or TIMES.isdisjoint(node):
        return Refetch(ref=ref, key=key)
    if kind == PROJECT:
        unstated = ABOVE if LINKS.isdisjoint(node) else frozenset[str]()
        return Upsert(item=_project(id, node, plan), unstated=unstated)
    return Upsert(item=_initiative(id, node, plan) if kind == INITIATIVE else _issue(id, node, plan))


def _issue(id: str, node: dict[str, Any], plan: Plan) -> WorkItem:
    get = node.get
    _, team_key, team_name = plan.team(node)
    key = identifier_of(node, team_key)
    if key is None:
        raise PayloadError(f"Issue with id {id} has no 'identifier', and no team and number to make one of.")
    created, updated = _times("Issue", key, node)
    flags: list[str] = []
    status, category = _category(plan.state(node), STATES, flags)
    estimate = get("estimate") if plan.estimates_in(node) else None
    if estimate is not None and (not is_number(estimate) or estimate < 0):
        estimate = None
        flags.insert(0, "bad_estimate")
    parent_id, parent_key = _parent(id, node)
    sprint = cycle_of(node)
    milestone = name_of(node, "projectMilestone")
    project = name_of(node, "project")
    return WorkItem(
        connection=plan.connection,
        tracker="linear",
        id=id,
        key=key,
        url=text_of(get("url")) or _address(plan, key),
        title=text_of(get("title")) or "",
        type="Issue",
        level=Level.ISSUE,
        status=status,
        vendor_category=category,
        category=category,
        updated_at=updated,
        created_at=created,
        project=team_key or key.rpartition("-")[0],
        estimate=float(estimate) if estimate is not None else None,
        parent_id=parent_id,
        parent_key=parent_key,
        containers=_containers(("cycle", sprint), ("milestone", milestone), ("project", project)),
        labels=plan.labels_of(node),
        assignees=people_of(node, "assignee"),
        team=team_name or team_key or key.rpartition("-")[0],
        sprint=sprint,
        milestone=milestone,
        started_at=instant(get("startedAt")),
        completed_at=instant(get("completedAt")),
        canceled_at=instant(get("canceledAt")),
        due_date=day(get("dueDate")),
        archived=bool(get("archivedAt")),
        flags=tuple(flags),
        blocked_by=blockers_of(node),
        mirrors=mirrors_of(node),
        former_keys=_former(node, key),
    )


def _project(id: str, node: dict[str, Any], plan: Plan) -> WorkItem:
    get = node.get
    key = key_of(node) or id
    created, updated = _times("Project", key, node)
    flags = ["no_history"]
    status, category = _category(_project_state(node, plan), PROJECT_STATES, flags)
    teams = _teams(node, plan)
    above = _initiatives(node)
    team_key, team_name = teams[0] if teams else (None, None)
    return WorkItem(
        connection=plan.connection,
        tracker="linear",
        id=id,
        key=key,
        url=text_of(get("url")) or "",
        title=text_of(get("name")) or "",
        type="Project",
        level=Level.EPIC,
        status=status,
        vendor_category=category,
        category=category,
        updated_at=updated,
        created_at=created,
        project=team_key or "",
        parent_id=above[0][0] if above else None,
        parent_key=key_of(above[0][1]) if above else None,
        containers=_containers(
            *[("initiative", text_of(initiative.get("name"))) for _, initiative in above],
            *[("team", each) for each, _ in teams],
        ),
        labels=plan.labels_of(node),
        assignees=people_of(node, "lead"),
        team=team_name or team_key,
        started_at=instant(get("startedAt")),
        completed_at=instant(get("completedAt")),
        canceled_at=instant(get("canceledAt")),
        start_date=day(get("startDate"), get("startDateResolution")),
        due_date=day(get("targetDate"), get("targetDateResolution"), end=True),
        archived=bool(get("archivedAt")),
        flags=tuple(flags),
        former_keys=_former(node, key, text_of(get("slugId"))),
    )


def _initiative(id: str, node: dict[str, Any], plan: Plan) -> WorkItem:
    get = node.get
    key = key_of(node, INITIATIVE) or id
    created, updated = _times("Initiative", key, node)
    flags = ["no_history"]
    word = text_of(get("status")) or ""
    status, category = _category((word, word.lower()), INITIATIVE_STATES, flags)
    parent = child(node, "parentInitiative")
    parent_id = reference(node, "parentInitiative")
    return WorkItem(
        connection=plan.connection,
        tracker="linear",
        id=id,
        key=key,
        url=text_of(get("url")) or "",
        title=text_of(get("name")) or "",
        type="Initiative",
        level=Level.INITIATIVE,
        status=status,
        vendor_category=category,
        category=category,
        updated_at=updated,
        created_at=created,
        parent_id=parent_id if parent_id != id else None,
        parent_key=text_of(parent.get("slugId")) if parent_id != id else None,
        labels=plan.labels_of(node),
        assignees=people_of(node, "owner"),
        started_at=instant(get("startedAt")),
        completed_at=instant(get("completedAt")),
        canceled_at=instant(get("canceledAt")),
        due_date=day(get("targetDate"), get("targetDateResolution"), end=True),
        archived=bool(get("archivedAt")),
        flags=tuple(flags),
    )


def _times(kind: str, key: str, node: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Return when a node was created and updated; one of the two that was not asked for is as the other."""
    stated = {name: instant(node[name]) for name in ("createdAt", "updatedAt") if name in node}
    for name, at in stated.items():
        if at is None:
            raise PayloadError(f"{kind} {key}: '{name}' is not a time with an offset ({node[name]!r}).")
    created, updated = stated.get("createdAt"), stated.get("updatedAt")
    known = created or updated
    if known is None:
        raise PayloadError(f"{kind} {key} states neither 'createdAt' nor 'updatedAt'; ask for them.")
    return known, updated or known


def _category(
    state: tuple[str | None, str | None], categories: Mapping[str, Category], flags: list[str]
) -> tuple[str, Category]:
    """Return the vendor's word, and the category by the state's type; of an unknown type todo and a flag."""
    name, type = state
    category = categories.get(type or "")
    if category is None:
        flags.append("unmapped_status")
    return name or type or "", category or Category.TODO


def _project_state(node: Mapping[str, Any], plan: Plan) -> tuple[str | None, str | None]:
    """Return name and type of a project's status; before there were statuses, `state` was both."""
    name, type = plan.state(node, "status")
    old = text_of(node.get("state"))
    return name or old, type or old


def _parent(id: str, issue: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return id and key of the structural parent: the parent issue, else the project."""
    for name in ("parent", "project"):
        parent_id = reference(issue, name)
        if parent_id is not None and parent_id != id:
            return parent_id, key_of(child(issue, name))
    return None, None


def _initiatives(project: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (id, initiative) of the initiatives that a project is in, by id; links in the archive do not count."""
    links = [link for link in listed(project.get("initiativeToProjects")) if not link.get("archivedAt")]
    stated = [*listed(project.get("initiatives")), *[child(link, "initiative") for link in links]]
    found = {id: initiative for initiative in stated if (id := text_of(initiative.get("id")))}
    return sorted(found.items())


def _teams(project: Mapping[str, Any], plan: Plan) -> list[tuple[str, str | None]]:
    """Return (key, name) of the teams of a project, in their order."""
    ids = project.get("teamIds")
    stated = listed(project.get("teams")) or [{"id": id} for id in (ids if isinstance(ids, list) else ())]
    found = [plan.team({"team": team}) for team in stated]
    return [(key, name) for _, key, name in found if key]


def _containers(*named: tuple[str, str | None]) -> tuple[str, ...]:
    return tuple([f"{kind}:{name}" for kind, name in named if name])


def _former(node: Mapping[str, Any], key: str, slug: str | None = None) -> tuple[str, ...]:
    """Return the keys that a thing had before it moved, and the slug that was its key before it had an identifier."""
    told = node.get("previousIdentifiers")
    stated = [*told, slug] if isinstance(told, list) else [slug]
    names = [name for each in stated if (name := text_of(each)) and name != key]
    return tuple(dict.fromkeys(names))


def _address(plan: Plan, key: str) -> str:
    """Return the address of an issue that does not state it; empty where the workspace is not known."""
    return f"https://linear.app/{plan.workspace}/issue/{key}" if plan.workspace else ""
