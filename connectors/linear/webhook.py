"""Linear's webhooks: is it genuine, which delivery is it, and what does its event become.

Pure. A body is a hint: an issue is believed where its event states all of it, everything else is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.base import Parsed, Reading
from connectors.linear.parse import change_of
from connectors.linear.plan import Plan, plan_of
from connectors.linear.shapes import (
    INITIATIVE,
    ISSUE,
    PROJECT,
    child,
    cycle_of,
    identifier_of,
    identity,
    key_of,
    listed,
    name_of,
    people_of,
    reference,
    text_of,
)
from connectors.shapes import is_number, load
from connectors.signature import check, fresh, header
from domain.errors import PayloadError, StaleDeliveryError
from domain.work import Change, Ignored, ItemRef, Refetch, Upsert
from domain.workspace import Connection

WINDOW = timedelta(seconds=60)
"""How far from now a delivery may have been sent: what Linear's own SDK accepts."""

ACTIONS = frozenset({"create", "update", "remove"})

THINGS = frozenset({ISSUE, PROJECT, INITIATIVE})

IGNORED: Mapping[str, str] = {
    "AgentActivity": "work of agents is told by the issues that it changes",
    "AgentSession": "work of agents is told by the issues that it changes",
    "AgentSessionEvent": "work of agents is told by the issues that it changes",
    "AppUserNotification": "notifications are not read",
    "Attachment": "an attachment is read with its issue, when that changes",
    "AuditEntry": "the audit log is not read",
    "Comment": "a comment changes nothing that counts",
    "Customer": "customers are not read",
    "CustomerNeed": "requests of customers are not read",
    "Cycle": "the name of a cycle is read with its issues, when they change",
    "Document": "documents are not read",
    "InitiativeLabel": "labels are read again by the next discovery",
    "InitiativeUpdate": "what is told about an initiative changes nothing that counts",
    "IssueLabel": "labels are read again by the next discovery",
    "IssueSLA": "service levels are not read",
    "OAuthApp": "the next call finds that the application was revoked",
    "OAuthAuthorization": "the next call finds which authorizations there are",
    "PermissionChange": "the next census finds what came into sight and what went out of it",
    "ProjectLabel": "labels are read again by the next discovery",
    "ProjectUpdate": "what is told about a project changes nothing that counts",
    "Reaction": "a reaction changes nothing that counts",
    "Release": "releases are not read",
    "ReleaseNote": "releases are not read",
    "User": "accounts are not read",
}
"""Types that we know and that change nothing here, with the reason.

https://linear.app/developers/webhooks
"""

BOOKKEEPING = frozenset({"updatedAt", "sortOrder", "prioritySortOrder", "boardOrder", "subIssueSortOrder"})
"""Fields that move by themselves: alone they are no change by anybody."""

UNSTATED = frozenset({"blocked_by", "mirrors"})
"""what a delivery never states of an issue: relations and attachments"""


def webhook(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Read a delivery; `event` (header ``Linear-Event``) counts only where the body names no `type` itself.

    An issue that was created or updated is an `Upsert` where the body states its team, state, parent and project
    and what they are called, else a `Refetch`, as are projects and initiatives. Removed things are read again too:
    archiving may look like removal, and the trash gives back. Raises PayloadError for a type or an action that is
    unknown and for a body without what its event needs.
    """
    delivery = load(body)
    if not isinstance(delivery, dict):
        raise PayloadError(f"A Linear webhook is {type(delivery).__name__} instead of an object.")
    name = text_of(delivery.get("type")) or event
    if not name:
        raise PayloadError("The Linear webhook names no event: the body has no 'type'.")
    return Parsed(changes=(_change(name, delivery, plan_of(connection, reading), reading.account),))


def hints(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Return what a genuine delivery outside the window is still good for: what it names is read again."""
    return webhook(body, event, connection, reading).hints


def _change(name: str, delivery: dict[str, Any], plan: Plan, account: str) -> Change:
    if reason := IGNORED.get(name):
        return Ignored(reason=reason)
    if name not in THINGS:
        raise PayloadError(f"The Linear webhook type '{name}' is unknown.")
    action = delivery.get("action")
    if action not in ACTIONS:
        raise PayloadError(f"The Linear webhook {name} has the unknown action '{action}'.")
    data = delivery.get("data")
    if not isinstance(data, dict):
        raise PayloadError(f"Linear webhook {name} {action}: the body has no 'data'.")
    if action == "update" and _is_our_own(delivery, data, account):
        return Ignored(reason="our own update")
    id = identity(name, data)
    if name == ISSUE and action != "remove" and _is_whole(data, plan):
        found = change_of(name, {"url": delivery.get("url"), **data}, plan)
        return replace(found, unstated=UNSTATED) if isinstance(found, Upsert) else found
    key = (identifier_of(data, plan.team(data)[1]) if name == ISSUE else key_of(data, name)) or ""
    return Refetch(ref=ItemRef(connection=plan.connection, id=id), key=key)


def _is_whole(issue: Mapping[str, Any], plan: Plan) -> bool:
    """Tell whether a body states all of an issue that a page would: what it refers to, and what that is called.

    A key that is left out may be one that is not set, or one that was not sent: for parent and project, which decide
    where an issue counts, it is not taken for the former. What is in the trash is read again.
    """
    if issue.get("trashed") or not (child(issue, "team").get("key") and child(issue, "state").get("type")):
        return False
    if not all(field in issue or f"{field}Id" in issue for field in ("parent", "project")):
        return False
    named = (
        ("project", name_of(issue, "project")),
        ("cycle", cycle_of(issue)),
        ("projectMilestone", name_of(issue, "projectMilestone")),
        ("assignee", people_of(issue, "assignee")),
    )
    if any(reference(issue, field) is not None and not name for field, name in named):
        return False
    told = [label.get("id") for label in listed(issue.get("labels")) if not label.get("parentId")]
    ids = issue.get("labelIds")
    wanted = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else []
    return all(id in told or id in plan.labels for id in wanted)


def _is_our_own(delivery: Mapping[str, Any], data: Mapping[str, Any], account: str) -> bool:
    """Tell whether our account did this and nothing that a person could mean by it differs.

    The account alone proves nothing, since an API key is a person's who also works by hand. We write no fields of
    issues, projects or initiatives, so what we cause moves their bookkeeping alone. `updatedFrom` lists fields that
    were not set before beside those that changed, hence the comparison.
    """
    if not account or child(delivery, "actor").get("id") != account:
        return False
    before = delivery.get("updatedFrom")
    if not isinstance(before, dict):
        return False
    return all(field in BOOKKEEPING or data.get(field) == value for field, value in before.items())


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Raise SignatureError unless `secret` signed the delivery, StaleDeliveryError unless it was sent just now.

    ``Linear-Signature`` is the bare hex HMAC-SHA256 of the raw body. The time is `webhookTimestamp` in the body, in
    epoch milliseconds; the header ``Linear-Timestamp`` is not signed, so it proves nothing. What is stale is answered
    as accepted, and `hints` says what to read again. https://linear.app/developers/webhooks#securing-webhooks
    """
    check(secret, body, header(headers, "linear-signature"))
    sent = _sent_at(body)
    if sent is None:
        raise StaleDeliveryError("The delivery does not say when it was sent ('webhookTimestamp').")
    if not fresh(sent, now, WINDOW):
        raise StaleDeliveryError(f"The delivery was sent at {sent:%Y-%m-%dT%H:%M:%SZ}, more than 60 s from now.")


def _sent_at(body: bytes) -> datetime | None:
    try:
        delivery = load(body)
        sent = delivery.get("webhookTimestamp") if isinstance(delivery, dict) else None
        return datetime.fromtimestamp(sent / 1000, UTC) if is_number(sent) else None
    except (PayloadError, ValueError, OverflowError, OSError):
        return None


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """Return what the delivery is known by: ``Linear-Delivery``, the same on every retry, else the body's hash.

    Never `webhookId`, which is that of the configuration and the same on every delivery.
    """
    identifier = (header(headers, "linear-delivery") or "").strip()
    return identifier or f"sha256:{hashlib.sha256(body).hexdigest()}"


def event_of(headers: Mapping[str, str]) -> str | None:
    """Return the event's name as the header says it; the body names it too."""
    return (header(headers, "linear-event") or "").strip() or None
