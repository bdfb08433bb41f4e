"""GitHub's webhooks: is it genuine, which delivery is it, and what does its event become.

Pure. A body is a hint: but for deletions nothing in it is believed, the item is read again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connectors.base import Parsed, Reading
from connectors.github.events import IGNORED, event_like
from connectors.github.outlets.text import MARKER
from connectors.github.plan import Plan, plan_of
from connectors.github.shapes import Repository, is_pull_request, key_of, object_of, repository_of, rest_id, text_of
from connectors.shapes import load
from connectors.signature import check, header
from domain.errors import PayloadError, SignatureError
from domain.work import Change, Delete, Ignored, ItemRef, Refetch
from domain.workspace import Connection

NO_WORK = "a pull request is no work item"


def webhook(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Read a delivery; `event` is what the header X-GitHub-Event says, else the body's shape tells.

    A milestone that is no item names no issues: its `Refetch` has the id ``milestone:<node id>`` and as key the
    entry of `WorkItem.containers` that its issues carry. Raises PayloadError for an event that is unknown and for a
    body without what its event needs.
    """
    delivery = load(body)
    if not isinstance(delivery, dict):
        raise PayloadError(f"A GitHub webhook is {type(delivery).__name__} instead of an object.")
    name = event or event_like(delivery)
    if not name:
        raise PayloadError("The GitHub webhook names no event: there is no X-GitHub-Event and its shape is unknown.")
    return Parsed(changes=_changes(name, delivery, plan_of(connection, reading), reading.account))


def hints(body: bytes, event: str | None, connection: Connection, reading: Reading) -> Parsed:
    """Return what a genuine delivery that came too late is still good for: what it names is read again."""
    return webhook(body, event, connection, reading).hints


def _changes(name: str, delivery: dict[str, Any], plan: Plan, account: str) -> tuple[Change, ...]:
    match name:
        case "issues":
            return _issues(delivery, plan.connection)
        case "sub_issues":
            return _both(name, delivery, ("sub_issue", "parent_issue"), plan.connection)
        case "issue_dependencies":
            if not any(rest_id(object_of(delivery.get(part))) for part in ("blocked_issue", "blocking_issue")):
                return (Ignored(reason="its issues are named by number alone; the next sync reads them"),)
            return _both(name, delivery, ("blocked_issue", "blocking_issue"), plan.connection)
        case "milestone":
            return _milestone(delivery, plan)
        case "projects_v2_item":
            return _project_item(delivery, plan.connection)
        case "issue_comment":
            return (Ignored(reason=_about_comment(delivery, account)),)
    if reason := IGNORED.get(name):
        return (Ignored(reason=reason),)
    raise PayloadError(f"The GitHub webhook event '{name}' is unknown.")


def _part(name: str, delivery: Mapping[str, Any], part: str) -> dict[str, Any]:
    found = delivery.get(part)
    if not isinstance(found, dict):
        raise PayloadError(f"GitHub webhook {name}: the body has no '{part}'.")
    return found


def _named(name: str, thing: Mapping[str, Any], around: Mapping[str, Any], connection: str) -> tuple[ItemRef, str]:
    """Return identity and key of an issue or a milestone that a delivery names."""
    id, number = rest_id(thing), thing.get("number")
    if id is None:
        raise PayloadError(f"GitHub webhook {name}: number {number} has no 'node_id'.")
    where = repository_of(thing, Repository(name=text_of(around.get("full_name")) or "")).name
    ref = ItemRef(connection=connection, id=id)
    return ref, key_of(where, number, name == "milestone") if where and isinstance(number, int) else ""


def _issues(delivery: dict[str, Any], connection: str) -> tuple[Change, ...]:
    """Return what became of an issue: gone, gone elsewhere, or to be read again with the parent that is named."""
    issue = _part("issues", delivery, "issue")
    if is_pull_request(issue):
        return (Ignored(reason=NO_WORK),)
    action, changes = delivery.get("action"), object_of(delivery.get("changes"))
    ref, key = _named("issues", issue, object_of(delivery.get("repository")), connection)
    if action == "deleted":
        return (Delete(ref=ref, key=key),)
    found: list[Change] = [Refetch(ref=ref, key=key)]
    if action == "transferred" and isinstance(changes.get("new_issue"), dict):
        there, new_key = _named("issues", changes["new_issue"], object_of(changes.get("new_repository")), connection)
        moved = Refetch(ref=there, key=new_key)
        return (moved,) if there == ref else (Delete(ref=ref, key=key), moved)
    if isinstance(changes.get("old_issue"), dict):
        old, old_key = _named("issues", changes["old_issue"], object_of(changes.get("old_repository")), connection)
        found += [Refetch(ref=old, key=old_key)] if old != ref else []
    parent = object_of(issue.get("parent"))
    if rest_id(parent):
        above, above_key = _named("issues", parent, {}, connection)
        found.append(Refetch(ref=above, key=above_key))
    return tuple(found)


def _both(name: str, delivery: dict[str, Any], parts: tuple[str, str], connection: str) -> tuple[Change, ...]:
    """Return the two issues that a link is between; GitHub may leave out the one of another repository."""
    found: dict[ItemRef, str] = {}
    for part in parts:
        if rest_id(issue := object_of(delivery.get(part))):
            around = object_of(delivery.get(f"{part}_repo"))
            ref, key = _named(name, issue, around or _own_repository(issue, delivery), connection)
            found.setdefault(ref, key)
    if not found:
        raise PayloadError(f"GitHub webhook {name}: the body has neither '{parts[0]}' nor '{parts[1]}'.")
    return tuple(Refetch(ref=ref, key=key) for ref, key in found.items())


def _own_repository(issue: Mapping[str, Any], delivery: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the delivery's repository for an issue that does not say its own."""
    return {} if repository_of(issue, Repository()).name else object_of(delivery.get("repository"))


def _milestone(delivery: dict[str, Any], plan: Plan) -> tuple[Change, ...]:
    """Return the milestone where it is an item, and what its issues are found by: its title, also the one it had."""
    milestone = _part("milestone", delivery, "milestone")
    ref, key = _named("milestone", milestone, object_of(delivery.get("repository")), plan.connection)
    action, found = delivery.get("action"), list[Change]()
    if plan.milestones:
        found.append(Delete(ref=ref, key=key) if action == "deleted" else Refetch(ref=ref, key=key))
    if action == "created":
        return tuple(found) or (Ignored(reason="a new milestone has no issues yet"),)
    if plan.milestones and action in ("closed", "opened"):
        return tuple(found)
    members = ItemRef(connection=plan.connection, id=f"milestone:{ref.id}")
    before = object_of(object_of(object_of(delivery.get("changes")).get("title"))).get("from")
    titles = [title for title in (milestone.get("title"), before) if isinstance(title, str)]
    return (*found, *[Refetch(ref=members, key=f"milestone:{title}") for title in dict.fromkeys(titles)])


def _project_item(delivery: dict[str, Any], connection: str) -> tuple[Change, ...]:
    item = _part("projects_v2_item", delivery, "projects_v2_item")
    kind, id = item.get("content_type"), text_of(item.get("content_node_id"))
    if kind == "PullRequest":
        return (Ignored(reason=NO_WORK),)
    if kind == "DraftIssue":
        return (Ignored(reason="a draft is no work item"),)
    if id is None:
        raise PayloadError("GitHub webhook projects_v2_item: the item has no 'content_node_id'.")
    return (Refetch(ref=ItemRef(connection=connection, id=id), key=""),)


def _about_comment(delivery: Mapping[str, Any], account: str) -> str:
    """Return why a comment is ignored; our account alone does not make it ours, since it may be a person's."""
    if is_pull_request(object_of(delivery.get("issue"))):
        return NO_WORK
    sender, body = object_of(delivery.get("sender")), object_of(delivery.get("comment")).get("body")
    names = {sender.get("login"), sender.get("node_id"), str(sender.get("id"))}
    if account and account in names and isinstance(body, str) and body.lstrip().startswith(MARKER):
        return "our own comment"
    return "a comment changes nothing that counts"


def verify(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> None:
    """Raise SignatureError unless the delivery was signed with `secret`.

    ``X-Hub-Signature-256: sha256=<hex>`` covers the raw body. GitHub signs no time, so `now` is not asked: a replay
    is known by its delivery id.
    https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    signature = header(headers, "x-hub-signature-256")
    if signature is None and header(headers, "x-hub-signature") is not None:
        raise SignatureError("The delivery is signed with SHA-1 alone, which is not accepted; expected sha256.")
    check(secret, body, signature, prefix="sha256=")


def delivery_id(headers: Mapping[str, str], body: bytes) -> str:
    """Return what the delivery is known by: GitHub's GUID, the same when it is sent again, else the body's hash."""
    guid = (header(headers, "x-github-delivery") or "").strip()
    return guid or f"sha256:{hashlib.sha256(body).hexdigest()}"


def event_of(headers: Mapping[str, str]) -> str | None:
    """Return the event's name, which GitHub's bodies do not say; None where no header does."""
    return (header(headers, "x-github-event") or "").strip() or None
