"""Jira's webhooks: is it genuine, which delivery is it, and what does its event become.

Pure. A body is a hint: but for deletions nothing in it is believed, the issue is read again.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from connectors.base import Parsed, Reading
from connectors.jira.outlets.remote_link import APPLICATION
from connectors.shapes import load
from connectors.signature import check, header, hmac_sha256, same
from domain.errors import PayloadError, SignatureError
from domain.work import Change, Delete, Ignored, ItemRef, Refetch
from domain.workspace import Connection

LEEWAY = timedelta(seconds=60)
"""How far the sender's clock may be off where a token states its times."""

IGNORED: Mapping[str, str] = {
    "comment_created": "a comment changes nothing that counts",
    "comment_updated": "a comment changes nothing that counts",
    "comment_deleted": "a comment changes nothing that counts",
    "attachment_created": "an attachment changes nothing that counts",
    "attachment_deleted": "an attachment changes nothing that counts",
    "worklog_created": "logged work is not read",
    "worklog_updated": "logged work is not read",
    "worklog_deleted": "logged work is not read",
    "jira:worklog_updated": "logged work is not read",
    "issue_property_set": "issue properties are not read",
    "issue_property_deleted": "issue properties are not read",
    "project_created": "a new project is no work; its issues tell of themselves",
    "project_updated": "a project's own settings are not read",
    "project_deleted": "the next census finds which items went with the project",
    "project_soft_deleted": "the next census finds which items went with the project",
    "project_restored_deleted": "the next census finds which items came back with the project",
    "project_archived": "the next census finds which items were archived with the project",
    "project_restored_archived": "the next census finds which items came back with the project",
    "issuetype_created": "types are read again by the next discovery",
    "issuetype_updated": "types are read again by the next discovery",
    "issuetype_deleted": "types are read again by the next discovery",
    "issuelink_type_created": "link types are not read",
    "issuelink_type_updated": "link types are not read",
    "issuelink_type_deleted": "link types are not read",
    "filter_created": "filters are not read",
    "filter_updated": "filters are not read",
    "filter_deleted": "filters are not read",
    "board_created": "boards are not read",
    "board_updated": "boards are not read",
    "board_deleted": "boards are not read",
    "board_configuration_changed": "boards are not read",
    "user_created": "accounts are not read",
    "user_updated": "accounts are not read",
    "user_deleted": "accounts are not read",
    "jira_expression_evaluation_failed": "expressions of apps are not read",
    **dict.fromkeys(
        [
            f"option_{option}_changed"
            for option in (
                "voting",
                "watching",
                "unassigned_issues",
                "subtasks",
                "attachments",
                "issuelinks",
                "timetracking",
                "timetracking_provider",
            )
        ],
        "settings of the site are not read",
    ),
}
"""Events that we know and that change nothing here, with the reason.

https://developer.atlassian.com/cloud/jira/platform/webhooks/#registering-a-webhook-using-the-rest-api--other-integrations-
"""

SPRINT_EVENTS = frozenset(f"sprint_{verb}" for verb in ("created", "updated", "deleted", "started", "closed"))
VERSION_EVENTS = frozenset(
    f"jira:version_{verb}" for verb in ("created", "updated", "deleted", "released", "unreleased", "moved")
)


def webhook(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Read a delivery; `event` counts only where the body does not name one itself.

    A sprint or a version names no issues: its `Refetch` has the id ``sprint:7`` or ``version:10008`` and as key
    the entry of `WorkItem.containers` that its issues carry. Raises PayloadError for an event that is unknown and
    for a body without what its event needs.
    """
    delivery = load(body)
    if not isinstance(delivery, dict):
        raise PayloadError(f"A Jira webhook is {type(delivery).__name__} instead of an object.")
    told = delivery.get("webhookEvent")
    name = told if isinstance(told, str) and told else event
    if not name:
        raise PayloadError("The Jira webhook names no event: the body has no 'webhookEvent'.")
    return Parsed(changes=_changes(name, delivery, connection.name, reading))


def hints(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Return what a genuine delivery that came too late is still good for: what it names is read again."""
    return webhook(body, event, connection, reading).hints


def _changes(name: str, delivery: dict[str, Any], connection: str, reading: Reading) -> tuple[Change, ...]:
    if name in ("jira:issue_created", "jira:issue_updated"):
        if name == "jira:issue_updated" and _is_our_own(delivery, reading.account):
            return (Ignored(reason="our own update"),)
        ref, key = _issue(name, delivery, connection)
        return (Refetch(ref=ref, key=key),)
    if name == "jira:issue_deleted":
        ref, key = _issue(name, delivery, connection)
        return (Delete(ref=ref, key=key),)
    if name in ("issuelink_created", "issuelink_deleted"):
        link = _part(name, delivery, "issueLink")
        ends = (link.get("sourceIssueId"), link.get("destinationIssueId"))
        ids = [id for end in ends if (id := _id(end))]
        if not ids:
            raise PayloadError(f"Jira webhook {name}: 'issueLink' names neither of its issues.")
        return tuple(Refetch(ref=ItemRef(connection=connection, id=id), key="") for id in dict.fromkeys(ids))
    if name in SPRINT_EVENTS:
        return _container(name, "sprint", delivery, connection)
    if name in VERSION_EVENTS:
        return _container(name, "version", delivery, connection)
    if reason := IGNORED.get(name):
        return (Ignored(reason=reason),)
    raise PayloadError(f"The Jira webhook event '{name}' is unknown.")


def _part(name: str, delivery: dict[str, Any], part: str) -> dict[str, Any]:
    found = delivery.get(part)
    if not isinstance(found, dict):
        raise PayloadError(f"Jira webhook {name}: the body has no '{part}'.")
    return found


def _id(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None


def _issue(name: str, delivery: dict[str, Any], connection: str) -> tuple[ItemRef, str]:
    issue = _part(name, delivery, "issue")
    id, key = _id(issue.get("id")), issue.get("key")
    if id is None:
        raise PayloadError(f"Jira webhook {name}: 'issue' has no 'id'.")
    return ItemRef(connection=connection, id=id), key if isinstance(key, str) else ""


def _container(name: str, kind: str, delivery: dict[str, Any], connection: str) -> tuple[Change, ...]:
    thing = _part(name, delivery, kind)
    id, title = _id(thing.get("id")), thing.get("name")
    if id is None:
        raise PayloadError(f"Jira webhook {name}: '{kind}' has no 'id'.")
    key = f"{kind}:{title}" if isinstance(title, str) else ""
    return (Refetch(ref=ItemRef(connection=connection, id=f"{kind}:{id}"), key=key),)


def _is_our_own(delivery: dict[str, Any], account: str) -> bool:
    """Tell whether our account did this and all that changed is a link that we keep.

    The account alone proves nothing, since with OAuth it is a person's who also works by hand. Jira's entry reads
    ``This issue links to "TITLE (APPLICATION)"``.
    """
    user, changelog = delivery.get("user"), delivery.get("changelog")
    if not account or not isinstance(user, dict) or not isinstance(changelog, dict):
        return False
    items = changelog.get("items")
    if account not in (user.get("accountId"), user.get("key"), user.get("name")) or not isinstance(items, list):
        return False
    return bool(items) and all(_is_our_link(item) for item in items)


def _is_our_link(item: Any) -> bool:
    if not isinstance(item, dict) or str(item.get("field")).lower() != "remoteissuelink":
        return False
    texts = [text for side in ("fromString", "toString") if isinstance(text := item.get(side), str) and text]
    return bool(texts) and all(f"({APPLICATION})" in text for text in texts)


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Raise SignatureError unless the delivery was signed with `secret`.

    Admin webhooks carry ``X-Hub-Signature: sha256=<hex>`` over the raw body; dynamic ones of an OAuth app carry
    ``Authorization: Bearer <JWT>``, HS256 with the app's client secret, whose times are compared with `now`.
    https://developer.atlassian.com/cloud/jira/platform/webhooks/#secure-admin-webhooks
    """
    signature = header(headers, "x-hub-signature")
    if signature is not None:
        method, _, _ = signature.partition("=")
        if method != "sha256":
            raise SignatureError(f"The signature method '{method[:20]}' is not accepted; expected sha256.")
        check(secret, body, signature, prefix="sha256=")
        return
    scheme, _, token = (header(headers, "authorization") or "").partition(" ")
    if scheme.lower() not in ("bearer", "jwt") or not token:
        raise SignatureError("The delivery carries no signature. Set the webhook's secret in Jira and in Keyrail.")
    _verify_token(token.strip(), secret, now)


def _verify_token(token: str, secret: str, now: datetime) -> None:
    if not secret:
        raise SignatureError("No webhook secret is configured, so no signature can be checked.")
    parts = token.split(".")
    if len(parts) != 3:
        raise SignatureError("The token of the delivery is no signed JWT.")
    head, claims, signature = parts
    if _decoded(head).get("alg") != "HS256":
        raise SignatureError("The token of the delivery is not signed with HS256.")
    expected = _unpadded(hmac_sha256(secret, f"{head}.{claims}".encode("utf-8", "surrogateescape")))
    if not same(signature, expected):
        raise SignatureError("The token's signature does not match. Compare the client secret on both sides.")
    times = _decoded(claims)
    expires, issued = _moment(times.get("exp")), _moment(times.get("iat"))
    if expires is None:
        raise SignatureError("The token of the delivery does not say when it expires.")
    if now > expires + LEEWAY:
        raise SignatureError(f"The token of the delivery expired at {expires:%Y-%m-%dT%H:%M:%SZ}.")
    if issued is not None and issued > now + LEEWAY:
        raise SignatureError(f"The token of the delivery is dated {issued:%Y-%m-%dT%H:%M:%SZ}, which is yet to come.")


def _unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _decoded(part: str) -> dict[str, Any]:
    try:
        value = orjson.loads(base64.urlsafe_b64decode(part.encode("ascii") + b"=" * (-len(part) % 4)))
    except ValueError as error:
        raise SignatureError("The token of the delivery cannot be read.") from error
    if not isinstance(value, dict):
        raise SignatureError("The token of the delivery cannot be read.")
    return value


def _moment(seconds: object) -> datetime | None:
    if not isinstance(seconds, (int, float)) or isinstance(seconds, bool):
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise SignatureError("The token of the delivery states a time that is none.") from error


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """Return what the delivery is known by: Jira's identifier, the same on every retry, else the body's hash.

    The hash covers the body's `timestamp`, so a change made twice is two deliveries. Two recorded bodies may share
    timestamp and issue and still differ, hence the whole body.
    """
    identifier = (header(headers, "x-atlassian-webhook-identifier") or "").strip()
    return identifier or f"sha256:{hashlib.sha256(body).hexdigest()}"


def event_of(headers: Mapping[str, str]) -> str | None:
    """Return None: Jira names the event in the body alone."""
    return None
