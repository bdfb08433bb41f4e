"""What the simulated site says about its objects, in the JSON of Jira Cloud v3 and of its webhooks.

Only shapes live here, with the deviations from the published schema that recorded traffic shows: null where
the schema has a string, `fieldId` left out, `untranslatedName` and `entityId` added, offsets without a colon.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from app.demo.site import (
    EPIC_LINK,
    OKR_HEALTH,
    OKR_PROGRESS,
    OKR_STATE,
    OKR_STATES,
    POINTS,
    RESOLUTIONS,
    SPRINT,
    START_DATE,
    TEAM,
    Change,
    History,
    Issue,
    IssueLink,
    IssueType,
    Item,
    Project,
    Site,
    Status,
    User,
)

Body = dict[str, Any]

_CATEGORIES = {
    "new": {"id": 2, "key": "new", "colorName": "blue-gray", "name": "To Do"},
    "indeterminate": {"id": 4, "key": "indeterminate", "colorName": "yellow", "name": "In Progress"},
    "done": {"id": 3, "key": "done", "colorName": "green", "name": "Done"},
}
_GREENHOPPER = "com.pyxis.greenhopper.jira:"
_CUSTOM = "com.atlassian.jira.plugin.system.customfieldtypes:"
_CUSTOM_FIELDS = (
    (EPIC_LINK, "Epic Link", "any", _GREENHOPPER + "gh-epic-link", None),
    (START_DATE, "Start date", "date", _CUSTOM + "datepicker", None),
    (POINTS, "Story point estimate", "number", _GREENHOPPER + "jsw-story-points", None),
    (SPRINT, "Sprint", "array", _GREENHOPPER + "gh-sprint", "json"),
    (TEAM, "Team", "option", _CUSTOM + "select", None),
    (OKR_PROGRESS, "OKR progress", "number", _CUSTOM + "float", None),
    (OKR_HEALTH, "OKR health", "string", _CUSTOM + "textfield", None),
    (OKR_STATE, "OKR state", "option", _CUSTOM + "select", None),
)
_SYSTEM_FIELDS = (
    ("summary", "Summary", "string"), ("issuetype", "Issue Type", "issuetype"), ("status", "Status", "status"),
    ("project", "Project", "project"), ("parent", "Parent", "parent"), ("labels", "Labels", "array"),
    ("assignee", "Assignee", "user"), ("reporter", "Reporter", "user"), ("priority", "Priority", "priority"),
    ("resolution", "Resolution", "resolution"), ("resolutiondate", "Resolved", "datetime"),
    ("created", "Created", "datetime"), ("updated", "Updated", "datetime"), ("duedate", "Due date", "date"),
    ("description", "Description", "string"), ("fixVersions", "Fix versions", "array"),
    ("issuelinks", "Linked Issues", "array"), ("subtasks", "Sub-tasks", "array"),
    ("timeoriginalestimate", "Original estimate", "number"),
    ("statuscategorychangedate", "Status Category Changed", "datetime"),
)  # fmt: skip
NOT_NAVIGABLE = {"description", "issuelinks", "subtasks"}
"""Fields that `*navigable` leaves out here, so that a client which relies on the default finds out."""


def stamp(at: datetime, zone: ZoneInfo) -> str:
    """Write an instant as Jira does: milliseconds, and the offset of the site's default user without a colon."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def _avatars(site: Site, name: str) -> Body:
    return {size: f"{site.url}/avatar/{name}?size={size}" for size in ("48x48", "24x24", "16x16", "32x32")}


def states(site: Site) -> list[Body]:
    """Return the options of the select field."""
    return [one for name in OKR_STATES if (one := _state(site, name))]


def _state(site: Site, name: str | None) -> Body | None:
    if name is None:
        return None
    number = OKR_STATES[name]
    return {"self": f"{site.url}/rest/api/3/customFieldOption/{number}", "value": name, "id": number}


def account(site: Site, user: User, version: int = 3) -> Body:
    """Write an account; its avatars lie on the site itself."""
    base = f"{site.url}/rest/api/{version}"
    body: Body = {
        "self": f"{base}/user?accountId={user.id}",
        "accountId": user.id,
        "accountType": "atlassian",
        "displayName": user.name,
        "active": True,
        "timeZone": user.time_zone,
        "avatarUrls": _avatars(site, user.id[-6:]),
    }
    return body | ({"emailAddress": user.email} if user.email else {})


def issue_type(site: Site, kind: IssueType, version: int = 3) -> Body:
    """Write an issue type; v2 bodies (webhooks, Data Center) have no hierarchy level."""
    body: Body = {
        "self": f"{site.url}/rest/api/{version}/issuetype/{kind.id}",
        "id": kind.id,
        "description": "",
        "iconUrl": f"{site.url}/images/issuetypes/{kind.id}.svg",
        "name": kind.name,
        "subtask": kind.level < 0,
    }
    return body | ({"untranslatedName": kind.name, "hierarchyLevel": kind.level} if version == 3 else {})


def status(site: Site, state: Status, version: int = 3) -> Body:
    """Write a status with its category."""
    base = f"{site.url}/rest/api/{version}"
    category = _CATEGORIES[state.category]
    return {
        "self": f"{base}/status/{state.id}",
        "description": "",
        "iconUrl": f"{site.url}/images/status.png",
        "name": state.name,
        "id": state.id,
        "statusCategory": {"self": f"{base}/statuscategory/{category['id']}", **category},
    }


def project(site: Site, area: Project, version: int = 3, *, in_list: bool = False) -> Body:
    """Write a project, briefly inside an issue and at length in a list."""
    body: Body = {
        "self": f"{site.url}/rest/api/{version}/project/{area.id}",
        "id": str(area.id),
        "key": area.key,
        "name": area.name,
        "projectTypeKey": "software",
        "simplified": area.style == "next-gen",
        "avatarUrls": _avatars(site, f"p{area.id}"),
    }
    if not in_list:
        return body
    number = hashlib.sha256(area.key.encode()).digest()[:16]
    return body | {
        "style": area.style,
        "isPrivate": False,
        "properties": {},
        "entityId": str(uuid.UUID(bytes=number)),
        "uuid": str(uuid.UUID(bytes=number)),
    }


def field_list(site: Site, *, anonymous: bool = False) -> list[Body]:
    """Write the site's fields; an anonymous caller sees the system ones alone."""
    out: list[Body] = [
        {
            "id": name, "key": name, "name": title, "custom": False, "orderable": True, "navigable": True,
            "searchable": True, "clauseNames": [name], "schema": {"type": kind, "system": name},
        }
        for name, title, kind in _SYSTEM_FIELDS
    ]  # fmt: skip
    for field_id, title, kind, custom, items in () if anonymous else _CUSTOM_FIELDS:
        number = int(field_id.rpartition("_")[2])
        schema: Body = {"type": kind, "custom": custom, "customId": number} | ({"items": items} if items else {})
        out.append(
            {
                "id": field_id, "key": field_id, "name": title, "untranslatedName": title, "custom": True,
                "orderable": True, "navigable": True, "searchable": True,
                "clauseNames": [f"cf[{number}]", title], "schema": schema,
            }
        )  # fmt: skip
    return out


def _reference(site: Site, other: Issue, version: int) -> Body:
    return {
        "id": str(other.id),
        "key": other.key,
        "self": f"{site.url}/rest/api/{version}/issue/{other.id}",
        "fields": {
            "summary": other.summary,
            "status": status(site, site.statuses[other.status], version),
            "priority": _priority(site, version),
            "issuetype": issue_type(site, site.types[other.type], version),
        },
    }


def _priority(site: Site, version: int) -> Body:
    return {
        "self": f"{site.url}/rest/api/{version}/priority/3",
        "iconUrl": f"{site.url}/images/priorities/medium.svg",
        "name": "Medium",
        "id": "3",
    }


def _link(site: Site, link: IssueLink, version: int) -> Body:
    base = f"{site.url}/rest/api/{version}"
    kind = {"id": "10000", "name": link.type, "inward": "is blocked by", "outward": "blocks",
            "self": f"{base}/issueLinkType/10000"}  # fmt: skip
    side = "outwardIssue" if link.outward else "inwardIssue"
    return {
        "id": str(link.id),
        "self": f"{base}/issueLink/{link.id}",
        "type": kind,
        side: _reference(site, site.issues[link.other], version),
    }


def _sprint(site: Site, number: int) -> Body:
    sprint = site.sprints[number]
    body: Body = {
        "id": sprint.id, "name": sprint.name, "state": sprint.state, "boardId": 1, "goal": "",
        "startDate": _zulu(sprint.start), "endDate": _zulu(sprint.end),
    }  # fmt: skip
    return body | ({"completeDate": _zulu(sprint.end)} if sprint.state == "closed" else {})


def _zulu(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000Z"


def _document(text: str) -> Body:
    return {
        "type": "doc",
        "version": 1,
        "content": [{"type": "paragraph", "content": [{"type": "text", "text": text}]}],
    }


def issue_fields(site: Site, issue: Issue, version: int = 3) -> Body:
    """Write every field of an issue; version 2 has strings for texts and, on Cloud, no parent in webhooks."""
    base = f"{site.url}/rest/api/{version}"
    assignee = site.users.get(issue.assignee or "")
    parent = site.issues.get(issue.parent) if issue.parent else None
    text = issue.description
    body: Body = {
        "summary": issue.summary,
        "issuetype": issue_type(site, site.types[issue.type], version),
        "status": status(site, site.statuses[issue.status], version),
        "project": project(site, site.projects[issue.project], version),
        "labels": list(issue.labels),
        "assignee": account(site, assignee, version) if assignee else None,
        "reporter": account(site, site.me, version),
        "priority": _priority(site, version),
        "resolution": None,
        "resolutiondate": stamp(issue.resolved, site.zone) if issue.resolved else None,
        "created": stamp(issue.created, site.zone),
        "updated": stamp(issue.updated, site.zone),
        "statuscategorychangedate": stamp(issue.category_changed, site.zone) if issue.category_changed else None,
        "duedate": issue.due.isoformat() if issue.due else None,
        "description": None if text is None else _document(text) if version == 3 else text,
        "fixVersions": [],
        "timeoriginalestimate": issue.estimate_seconds,
        "issuelinks": [_link(site, link, version) for link in issue.links if site.visible(site.issues[link.other])],
        "subtasks": [
            _reference(site, child, version) for child in site.children(issue) if site.types[child.type].level < 0
        ],
        POINTS: issue.points,
        START_DATE: issue.start.isoformat() if issue.start else None,
        SPRINT: [_sprint(site, number) for number in issue.sprints] or None,
        TEAM: None,
        EPIC_LINK: parent.key if parent and site.types[parent.type].level == 1 else None,
        OKR_PROGRESS: issue.custom.get(OKR_PROGRESS),
        OKR_HEALTH: issue.custom.get(OKR_HEALTH),
        OKR_STATE: _state(site, issue.custom.get(OKR_STATE)),
    }
    if issue.resolution:
        number = RESOLUTIONS[issue.resolution]
        body["resolution"] = {
            "self": f"{base}/resolution/{number}", "id": number, "description": "", "name": issue.resolution,
        }  # fmt: skip
    if issue.team:
        number = site.teams[issue.team]
        body[TEAM] = {"self": f"{base}/customFieldOption/{number}", "value": issue.team, "id": number}
    if parent is not None and site.visible(parent):
        body["parent"] = _reference(site, parent, version)
    return body


def chosen(fields: Sequence[str], default: str) -> Callable[[str], bool]:
    """Return the test that a `fields` parameter stands for: names, ``*all``, ``*navigable``, ``-name``."""
    names = [name.strip() for part in (fields or [default]) for name in part.split(",") if name.strip()]
    out = {name[1:] for name in names if name.startswith("-")}
    wanted = {name for name in names if not name.startswith("-")} or {"*all"}
    if "*all" in wanted:
        return lambda name: name not in out
    if "*navigable" in wanted:
        return lambda name: name not in out and (name not in NOT_NAVIGABLE or name in wanted)
    return lambda name: name in wanted and name not in out


def issue(site: Site, one: Issue, fields: Sequence[str], *, default: str, expand: str = "") -> Body:
    """Write an issue with the fields asked for; nothing but `id` where only that is asked for."""
    keep = chosen(fields, default)
    body: Body = {
        "expand": "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        "id": str(one.id),
        "self": f"{site.url}/rest/api/3/issue/{one.id}",
        "key": one.key,
    }
    asked = {name for part in (fields or [default]) for name in part.split(",")}
    if asked <= {"id"}:
        return {"id": body["id"]}
    if asked <= {"id", "key"}:
        return body
    body["fields"] = {name: value for name, value in issue_fields(site, one).items() if keep(name)}
    if "changelog" in expand:
        # Embedded histories are newest first and at most 40.
        recent = [history(site, entry) for entry in reversed(one.histories[-40:])]
        body["changelog"] = {
            "startAt": 0, "maxResults": len(recent), "total": len(one.histories), "histories": recent,
        }  # fmt: skip
    return body


def _item(item: Item) -> Body:
    body: Body = {
        "field": item.field,
        "fieldtype": item.kind,
        "from": item.before,
        "fromString": item.before_text,
        "to": item.after,
        "toString": item.after_text,
    }
    if item.field_id:
        body["fieldId"] = item.field_id
    if item.field == "assignee":
        body |= {"tmpFromAccountId": item.before, "tmpToAccountId": item.after}
    return body


def history(site: Site, entry: History) -> Body:
    """Write one entry of a changelog; null and missing `fieldId` as recorded."""
    return {
        "id": str(entry.id),
        "author": account(site, site.users.get(entry.author, site.me)),
        "created": stamp(entry.at, site.zone),
        "items": [_item(item) for item in entry.items],
    }


def bulk_history(site: Site, entry: History, wanted: Iterable[str]) -> Body | None:
    """Write an entry with the wanted fields' items alone (all where none is named); None if nothing is left."""
    names = {name.casefold() for name in wanted}
    items = [
        item for item in entry.items
        if not names or (item.field_id or "").casefold() in names or item.field.casefold() in names
        or (item.field == "IssueParentAssociation" and "parent" in names)
    ]  # fmt: skip
    if not items:
        return None
    body = history(site, entry) | {"items": [_item(item) for item in items]}
    if site.faults.changelog_epoch:
        body["created"] = int(entry.at.timestamp() * 1000)
    return body


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as it leaves the tracker: the headers and the very bytes that are signed."""

    headers: dict[str, str]
    body: bytes


def webhook_body(site: Site, change: Change) -> Body:
    """Write what a webhook of Jira Cloud says of a change: v2 shapes, no level and no parent."""
    fields = issue_fields(site, change.issue, version=2)
    fields.pop("parent", None)
    author = site.users.get(change.history.author if change.history else "", site.me)
    return enveloped(site, change, account(site, author, 2), fields)


def enveloped(site: Site, change: Change, author: Body, fields: Body) -> Body:
    """Put what webhooks of every Jira have around the fields of an issue."""
    body: Body = {
        "timestamp": int(change.at.timestamp() * 1000),
        "webhookEvent": change.event,
        "user": author,
        "issue": {
            "id": str(change.issue.id),
            "self": f"{site.url}/rest/api/2/{change.issue.id}",
            "key": change.issue.key,
            "fields": fields,
        },
    }
    if change.kind:
        body["issue_event_type_name"] = change.kind
    if change.history:
        body["changelog"] = {"id": str(change.history.id), "items": [_item(item) for item in change.history.items]}
    return body


def webhook(site: Site, change: Change) -> Webhook:
    """Write what an admin webhook sends for a change, signed with the site's webhook secret."""
    raw = orjson.dumps(webhook_body(site, change))
    digest = hmac.new(site.webhook_secret.encode(), raw, hashlib.sha256).hexdigest()
    return Webhook(
        headers={
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Atlassian-Webhook-Identifier": hashlib.sha256(f"{site.name}:{change.number}".encode()).hexdigest()[:32],
            "X-Atlassian-Webhook-Flow": "Primary",
            "X-Hub-Signature": f"sha256={digest}",
        },
        body=raw,
    )
