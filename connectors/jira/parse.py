"""Jira's pages -> work items as Jira states them; their past is read in `changelog`.

Pure; no operator's rule but `levels` is applied here, and nothing is read that Keyrail does not use.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

import orjson

from connectors.base import Parsed, Reading
from connectors.jira.changelog import read_history
from connectors.jira.plan import Plan, defaults, level_of, plan_of
from connectors.jira.shapes import identity, instant, issues_of, reference, text_of
from connectors.shapes import is_number, load
from domain.errors import PayloadError
from domain.work import Category, Level, Upsert, WorkItem
from domain.workspace import Connection

__all__ = ["defaults", "parse"]

CATEGORIES: Mapping[str, Category] = {
    "undefined": Category.TODO,
    "new": Category.TODO,
    "indeterminate": Category.IN_PROGRESS,
    "done": Category.DONE,
}
"""Key of the status category -> category; names are free text and localised, keys are not."""

LEVEL_NAMES: Mapping[str, Level] = {
    "initiative": Level.INITIATIVE,
    "theme": Level.INITIATIVE,
    "epic": Level.EPIC,
    "sub-task": Level.SUBTASK,
    "subtask": Level.SUBTASK,
}
"""What a type's name says where Jira gives no hierarchy level (Data Center, old bodies)."""

_ISSUE_ELSEWHERE = re.compile(r"^https?://[^/]+/(?:[^/]+/[^/]+/issues/[0-9]+|[^/]+/issue/[A-Za-z0-9]+-[0-9]+)\b")
"""issues of GitHub and Linear; any other page that an issue links to is no copy of it"""
_KEY = re.compile(r"[A-Z][A-Z0-9_]*-[0-9]+")
_OLD_SPRINT_NAME = re.compile(r"[\[,]name=(.*?)(?:,[A-Za-z]+=|\]$)", re.DOTALL)
_OLD_SPRINT_STATE = re.compile(r"[\[,]state=([A-Za-z]+)")


def parse(kind: str, body: object, connection: Connection, reading: Reading) -> Parsed:
    """Read a stored page, given as bytes or as the JSON value that they hold.

    ``items``: a page with `issues` (search, bulk fetch), one issue, or a list of issues; each becomes an
    `Upsert`. ``history``: a page with `issueChangeLogs`, ``{"issueId", "values"}`` around an issue's changelog,
    or issues with an embedded `changelog`. ``links``: ``{"remoteLinks": [{"issueId",
    "links"}]}``. Raises PayloadError that names the issue and what is wrong with it.
    """
    page = load(body)
    if kind == "items":
        plan = plan_of(connection, reading, page)
        return Parsed(changes=tuple([Upsert(item=_item(issue, plan)) for issue in issues_of(page)]))
    if kind == "history":
        return read_history(page, plan_of(connection, reading, page))
    if kind == "links":
        return Parsed(mirrors=_mirrors(page))
    raise PayloadError(f"{connection.name}: a Jira page of kind '{kind}' is unknown; expected items or history.")


def kind_of(payload: object) -> str:
    """Tell what a payload is by its shape: ``webhook``, ``history`` or ``items``."""
    if isinstance(payload, dict):
        if "webhookEvent" in payload or ("timestamp" in payload and "issue" in payload):
            return "webhook"
        if "issueChangeLogs" in payload or ("issueId" in payload and "values" in payload):
            return "history"
    return "items"


def _mirrors(page: Any) -> dict[str, tuple[str, ...]]:
    """Return the addresses of issues elsewhere that remote links lead to, by issue."""
    found: dict[str, tuple[str, ...]] = {}
    entries = page.get("remoteLinks") if isinstance(page, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        id, _ = reference({"id": entry.get("issueId")}) if isinstance(entry, dict) else (None, None)
        links = entry.get("links") if id is not None else None
        if id is not None and isinstance(links, list):
            things = [link.get("object") for link in links if isinstance(link, dict)]
            urls = [text_of(thing.get("url")) for thing in things if isinstance(thing, dict)]
            found[id] = tuple(url for url in urls if url and _ISSUE_ELSEWHERE.search(url))
    return found


def key_at(address: str, connection: Connection) -> str | None:
    """Return the key of the issue that a web address shows, None where it is of another site or shows none."""
    root = connection.url.rstrip("/").lower() + "/browse/"
    key = address[len(root) :].partition("?")[0].partition("#")[0].strip("/").upper()
    return key if address.lower().startswith(root) and _KEY.fullmatch(key) else None


def split(kind: str, body: bytes) -> list[bytes]:
    """Cut a page into its issues, so that one that cannot be read is parked alone; empty where it is no page."""
    try:
        page = load(body)
        issues = issues_of(page) if kind == "items" else []
    except PayloadError:
        return []
    return [orjson.dumps(issue) for issue in issues]


def _item(issue: Any, plan: Plan) -> WorkItem:
    id, key = identity(issue)
    fields = issue.get("fields")
    if not isinstance(fields, dict):
        raise PayloadError(f"Issue {key} has no 'fields'; ask for them by name.")
    get = fields.get
    created, updated = instant(get("created")), instant(get("updated"))
    if created is None or updated is None:
        name = "updated" if updated is None else "created"
        raise PayloadError(f"Issue {key}: 'fields.{name}' is missing or not a time with an offset ({get(name)!r}).")

    flags: list[str] = []
    status, category = _status(get("status"))
    if category is None:
        category = Category.TODO
        flags.append("unmapped_status")
    estimate, sound = _estimate(fields, plan)
    if not sound:
        flags.insert(0, "bad_estimate")
    type_name, level = _type(get("issuetype"), plan)
    parent_id, parent_key = _parent(fields, plan)
    if parent_id == id or parent_key == key:
        parent_id = parent_key = None
    sprints, sprint = _sprints(fields, plan) if plan.sprint else ((), None)
    versions = _names(get("fixVersions"))
    project = get("project")
    project_key = project.get("key") if isinstance(project, dict) else None
    seconds = get("timeoriginalestimate")
    resolution = get("resolution")
    links = get("issuelinks")
    labels = get("labels")
    changed = get("resolutiondate") if category is Category.DONE else None
    due = get(plan.due)

    return WorkItem(
        connection=plan.connection,
        tracker="jira",
        id=id,
        key=key,
        url=plan.browse + key,
        title=text_of(get("summary")) or "",
        type=type_name,
        level=level,
        status=status,
        vendor_category=category,
        category=category,
        updated_at=updated,
        created_at=created,
        project=project_key if isinstance(project_key, str) else key.rpartition("-")[0],
        resolution=text_of(resolution.get("name")) if isinstance(resolution, dict) else None,
        estimate=estimate,
        time_estimate=float(seconds) if is_number(seconds) and seconds >= 0 else None,
        parent_id=parent_id,
        parent_key=parent_key,
        containers=(
            *[f"sprint:{name}" for name in sprints],
            *[f"component:{name}" for name in _names(get("components"))],
            *[f"version:{name}" for name in versions],
        ),
        labels=tuple([label for label in labels if isinstance(label, str)]) if isinstance(labels, list) else (),
        assignees=_people(get("assignee")),
        sprint=sprint,
        milestone=versions[0] if versions else None,
        status_changed_at=instant(changed) or instant(get("statuscategorychangedate")),
        start_date=_first_day(fields, plan.start),
        due_date=_day(due) if due else None,
        archived=bool(get("archiveddate") or get("archived") or issue.get("archived")),
        flags=tuple(flags),
        fields=_extra(fields, plan.extra) if plan.extra else {},
        blocked_by=_blockers(links) if links else (),
    )


def _status(status: Any) -> tuple[str, Category | None]:
    """Return the vendor's word and the category, None where the category is missing or unknown."""
    if not isinstance(status, dict):
        return "", None
    name, group = status.get("name"), status.get("statusCategory")
    key = group.get("key") if isinstance(group, dict) else None
    return name if isinstance(name, str) else "", CATEGORIES.get(key) if isinstance(key, str) else None


def _type(issue_type: Any, plan: Plan) -> tuple[str, Level]:
    """Return the type's name and its level: operator's names, then Jira's number, then what the site's types say."""
    if not isinstance(issue_type, dict):
        return "", Level.ISSUE
    name = text_of(issue_type.get("name")) or ""
    if plan.levels and (level := plan.levels.get(name.lower())):
        return name, level
    hierarchy = issue_type.get("hierarchyLevel")
    if isinstance(hierarchy, int):
        return name, level_of(hierarchy)
    if found := plan.types.get(str(issue_type.get("id"))):
        return name, found
    if issue_type.get("subtask") is True:
        return name, Level.SUBTASK
    return name, LEVEL_NAMES.get(name.lower(), Level.ISSUE)


def _estimate(fields: dict[str, Any], plan: Plan) -> tuple[float | None, bool]:
    """Return the estimate and whether it is sound; 0 is a value, a negative or a word is not."""
    several = len(plan.estimate) > 1
    for field in plan.estimate:
        value = fields.get(field)
        if value is None or (several and not is_number(value)):
            continue
        if not is_number(value) or value < 0:
            return None, False
        return float(value), True
    return None, True


def _parent(fields: dict[str, Any], plan: Plan) -> tuple[str | None, str | None]:
    """Return id and key of the parent: `parent`, else Epic Link, else Parent Link; either may be unknown."""
    id, key = reference(fields.get("parent"))
    if id is not None or key is not None:
        return id, key
    for field in plan.links_up:
        value = fields.get(field)
        if value is not None:
            id, key = reference(value)
            if key is not None or (id is not None and not plan.guessed):
                return id, key
    return None, None


def _sprints(fields: dict[str, Any], plan: Plan) -> tuple[tuple[str, ...], str | None]:
    """Return the names of all sprints, and that of the active one, else of the last."""
    for field in plan.sprint:
        value = fields.get(field)
        if not value:
            continue
        names: list[str] = []
        active: str | None = None
        for entry in value if isinstance(value, list) else [value]:
            name, state = _sprint(entry)
            if name:
                names.append(name)
                if state == "active":
                    active = name
        if names:
            return tuple(dict.fromkeys(names)), active or names[-1]
    return (), None


def _sprint(entry: Any) -> tuple[str | None, str]:
    """Read an object, or the text of old Data Center: ``com.atlassian.greenhopper…[id=7,state=ACTIVE,name=S 7,…]``."""
    if isinstance(entry, dict):
        return text_of(entry.get("name")), (text_of(entry.get("state")) or "").lower()
    if isinstance(entry, str) and (name := _OLD_SPRINT_NAME.search(entry)):
        state = _OLD_SPRINT_STATE.search(entry)
        return name[1], state[1].lower() if state else ""
    return None, ""


def _names(objects: Any) -> list[str]:
    if not objects or not isinstance(objects, list):
        return []
    return [o["name"] for o in objects if isinstance(o, dict) and isinstance(o.get("name"), str)]


def _people(person: Any) -> tuple[str, ...]:
    """Return the display name; Data Center's user name or the account id only where there is none."""
    if not isinstance(person, dict):
        return ()
    for field in ("displayName", "name", "accountId"):
        name = person.get(field)
        if isinstance(name, str) and name:
            return (name,)
    return ()


def _day(value: object) -> date | None:
    """Return the date of ``2026-11-22`` or of a time, as it is written there."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def _first_day(fields: dict[str, Any], ids: tuple[str, ...]) -> date | None:
    for id in ids:
        if day := _day(fields.get(id)):
            return day
    return None


def _blockers(links: Any) -> tuple[str, ...]:
    """Return the ids of the issues that this one "is blocked by"."""
    if not isinstance(links, list):
        return ()
    ids: list[str] = []
    for link in links:
        blocker = link.get("inwardIssue") if isinstance(link, dict) else None
        kind = link.get("type") if blocker else None
        if isinstance(blocker, dict) and isinstance(kind, dict):
            inward, name = text_of(kind.get("inward")) or "", text_of(kind.get("name")) or ""
            id, _ = reference(blocker)
            if id and (inward.lower() == "is blocked by" or name.lower() == "blocks"):
                ids.append(id)
    return tuple(ids)


def _extra(fields: dict[str, Any], extra: tuple[tuple[str, str], ...]) -> dict[str, object]:
    return {name: value for name, id in extra if (value := _plain(fields.get(id))) is not None}


def _plain(value: Any) -> object:
    """Flatten a field's value to words: options, users and named things to their name, lists to lists.

    A cascading option becomes the list of its steps. What has no name is None.
    """
    if isinstance(value, list):
        return [word for entry in value if (word := _plain(entry)) is not None]
    if not isinstance(value, dict):
        return value
    for field in ("value", "name", "displayName", "title"):
        word = value.get(field)
        if isinstance(word, str):
            child = value.get("child")
            step = child.get("value") if isinstance(child, dict) else None
            return [word, step] if isinstance(step, str) else word
    return None
