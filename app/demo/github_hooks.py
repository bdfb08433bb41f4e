"""The webhooks that the simulated GitHub would send for what happened: headers, bodies, signatures.

Nothing is sent from here; `webhook` writes a delivery, whoever plays GitHub hands it over.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from app.demo import github_bodies as bodies
from app.demo.github_boards import ItemValue, Iteration
from app.demo.github_bodies import Body
from app.demo.github_site import Change, Site
from app.demo.github_things import Hook, Issue, IssueFieldValue, Option

_FIELD_TYPES = {"SINGLE_SELECT": "single_select", "NUMBER": "number", "DATE": "date", "TEXT": "text",
                "ITERATION": "iteration"}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook as it leaves GitHub: the headers and the very bytes that are signed."""

    headers: dict[str, str]
    body: bytes


def webhook(site: Site, change: Change) -> Webhook:
    """Write the delivery for a change: the same change gives the same delivery id, as a redelivery does."""
    return signed(site, change, site.webhook_secret)


def signed(site: Site, change: Change, secret: str | None, *, form: bool = False) -> Webhook:
    """Write the delivery for a change, signed with a secret if there is one, as JSON or as the field of a form."""
    raw = orjson.dumps(_body(site, change))
    raw = urlencode({"payload": raw.decode()}).encode() if form else raw
    delivery = uuid.UUID(bytes=hashlib.sha256(f"{site.url} {change.number}".encode()).digest()[:16], version=4)
    target = "organization" if change.event == "projects_v2_item" else "repository"
    place = change.owner.number if target == "organization" or change.repository is None else change.repository.number
    headers = {
        "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Event": change.event,
        "X-GitHub-Delivery": str(delivery),
        "X-GitHub-Hook-ID": "400000001",
        "X-GitHub-Hook-Installation-Target-Type": target,
        "X-GitHub-Hook-Installation-Target-ID": str(place),
    }
    if secret is not None:
        told = hmac.new(secret.encode(), raw, hashlib.sha256).hexdigest()
        headers["X-Hub-Signature-256"] = f"sha256={told}"
    return Webhook(headers=headers, body=raw)


def _body(site: Site, change: Change) -> Body:
    told: Body = {"action": change.action} if change.action else {}
    if change.issue is not None and change.event != "projects_v2_item":
        told["issue"] = bodies.issue(change.issue, webhook=True)
    told |= _details(change)
    if change.repository is not None and change.event != "projects_v2_item":
        told["repository"] = bodies.repository(change.repository)
    if change.owner.typename == "Organization":
        told["organization"] = bodies.organization(change.owner)
    told["sender"] = bodies.account(change.actor)
    app = site.access.app
    return told | ({"installation": {"id": app.installation, "node_id": "MDIzOkludGVncmF0aW9u"}} if app else {})


def _details(change: Change) -> Body:
    details = change.details
    match change.event:
        case "sub_issues":
            return _pair(change, "sub_issue", "parent_issue", "parent_issue_" in change.action)
        case "issue_dependencies":
            return _pair(change, "blocked_issue", "blocking_issue", "blocked_by_" in change.action)
        case "projects_v2_item":
            return _item(change)
        case "ping":
            return _ping(change.details["hook"])
        case "issues" if "moved" in details:
            moved: Issue = details["moved"]
            new = bodies.issue(moved, webhook=True)
            return {"changes": {"new_issue": new, "new_repository": bodies.repository(moved.repository)}}
        case "issues" if "field" in details:
            return _field(change)
    writers: dict[str, Any] = {
        "label": bodies.label, "assignee": bodies.account, "milestone": bodies.milestone, "type": bodies.issue_type,
        "comment": bodies.comment, "changes": lambda told: told,
    }  # fmt: skip
    return {name: writers[name](thing) for name, thing in details.items()}


def _ping(hook: Hook) -> Body:
    return {"zen": "Keep it logically awesome.", "hook_id": hook.id, "hook": bodies.hook(hook)}


def _pair(change: Change, first: str, second: str, on_first: bool) -> Body:
    """Describe two linked issues and the repository of the other one, as each side's delivery does."""
    here, there = change.details[first], change.details[second]
    other, name = (there, second) if on_first else (here, first)
    return {
        f"{first}_id": here.id_number,
        first: bodies.issue(here),
        f"{second}_id": there.id_number,
        second: bodies.issue(there),
        f"{name}_repo": bodies.repository(other.repository),
    }


def _field(change: Change) -> Body:
    told: Body = {"issue_field": bodies.issue_field(change.details["field"])}
    value: IssueFieldValue | None = change.details.get("value")
    was: IssueFieldValue | None = change.details.get("was")
    if value is not None:
        told["issue_field_value"] = _field_value(value)
    if was is not None:
        told["changes"] = {"issue_field_value": {"from": _field_value(was)}}
    return told


def _field_value(value: IssueFieldValue) -> Body:
    told: Body = {"id": value.number}
    if value.options:
        options = [{"id": one.number, "name": one.name} for one in value.options]
        return told | {"value_ids": [one.number for one in value.options], "options": options}
    if isinstance(value.content, Option):
        option = {"id": value.content.number, "name": value.content.name}
        return told | {"value_id": value.content.number, "option": option}
    return told | {"value": value.value}


def _item(change: Change) -> Body:
    told: Body = {"projects_v2_item": bodies.item(change.details["item"])}
    field = change.details.get("field")
    if field is not None:
        told["changes"] = {
            "field_value": {
                "field_node_id": field.id,
                "field_type": _FIELD_TYPES[field.data_type],
                "field_name": field.name,
                "project_number": field.project.number,
                "from": _item_value(change.details.get("was")),
                "to": _item_value(change.details.get("value")),
            }
        }
    if "changes" in change.details:
        told["changes"] = {
            name: {side: bodies.stamp(at) if isinstance(at, datetime) else at for side, at in sides.items()}
            for name, sides in change.details["changes"].items()
        }
    return told


def _item_value(value: ItemValue | None) -> Any:
    match value.content if value else None:
        case None:
            return None
        case Option() as option:
            return {"id": option.id, "name": option.name, "color": option.color, "description": option.description}
        case Iteration() as one:
            return {"id": one.id, "title": one.title, "start_date": str(one.start_date), "duration": one.duration}
        case float() as number:
            return int(number)
        case told:
            return str(told)
