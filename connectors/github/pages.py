"""What is in a page of GitHub's: issues and milestones with the repository around them, wherever they hang.

Pure; tells items from what is none (pull requests, drafts, what is hidden), and reads nothing in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from connectors.github.shapes import Repository, as_milestone, as_node, is_pull_request, is_rest, rest_id, text_of
from connectors.shapes import load
from domain.errors import PayloadError

WORK = frozenset({"Issue", "Milestone"})
NOT_WORK = frozenset({"PullRequest", "DraftIssue", "Discussion"})
"""Types of nodes that are no work items."""

CLOSED_BOOKS = frozenset({
    "rateLimit", "viewer", "pageInfo", "owner", "timelineItems", "labels", "issueTypes", "issueFields", "fields",
    "discussions", "pullRequests",
})  # fmt: skip
"""What stands beside items in an answer and holds none."""

MILESTONE_WORDS = frozenset({
    "dueOn", "due_on", "openIssueCount", "closedIssueCount", "open_issues", "closed_issues", "progressPercentage",
})  # fmt: skip
"""What milestones have and issues do not."""


class Entry(NamedTuple):
    """An item as received, and where it stands."""

    raw: dict[str, Any]
    around: Repository
    is_milestone: bool

    @property
    def node(self) -> dict[str, Any]:
        """The item in the words of GraphQL."""
        if not is_rest(self.raw):
            return self.raw
        return as_milestone(self.raw) if self.is_milestone else as_node(self.raw)


def entries(page: Any) -> list[Entry]:
    """Return the issues and milestones of a page, in order; raise PayloadError where it is no page.

    A page is a GraphQL answer of any shape, a REST list or search result, or one issue.
    """
    found: list[Entry] = []
    if isinstance(page, list):
        _listed(page, Repository(), {}, found)
        return found
    if isinstance(page, dict):
        if "data" in page:
            _walk(_data(page), Repository(), {}, found)
            return found
        if isinstance(page.get("items"), list) and "number" not in page:
            _listed(page["items"], Repository(), {}, found)
            return found
        if _is_item(page):
            _enter(page, Repository(), found)
            return found
    raise PayloadError("Not a GitHub page: expected a GraphQL answer with 'data', one issue, or a list of issues.")


def _data(page: dict[str, Any]) -> dict[str, Any]:
    data = page["data"]
    if isinstance(data, dict):
        return data
    errors = page.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    said = first.get("message") if isinstance(first, dict) else None
    raise PayloadError(f"GitHub's answer holds no data: {said if isinstance(said, str) else 'it gives no reason'}.")


def _is_item(one: Mapping[str, Any]) -> bool:
    """Tell an issue or a milestone from what holds some; a project has a number too."""
    if _type(one) in WORK and "__typename" in one:
        return "number" in one or "title" in one
    return ("number" in one or "html_url" in one) and "title" in one and "items" not in one and "fields" not in one


def _type(one: Mapping[str, Any]) -> str:
    """Return the type that GraphQL gives a node; one that was not asked for it is taken for an issue."""
    return str(one.get("__typename", "Issue"))


def _walk(value: dict[str, Any], around: Repository, project: dict[str, Any], found: list[Entry]) -> None:
    name = text_of(value.get("nameWithOwner"))
    if name:
        around = Repository(name=name, archived=value.get("isArchived") is True)
    if "items" in value:
        project = {key: part for key, part in value.items() if key != "items"}
    for key, part in value.items():
        if key in CLOSED_BOOKS:
            continue
        if isinstance(part, list):
            _listed(part, around, project, found)
        elif isinstance(part, dict) and _type(part) not in NOT_WORK:
            if _is_item(part):
                _enter(part, around, found)
            else:
                _walk(part, around, project, found)


def _listed(nodes: list[Any], around: Repository, project: dict[str, Any], found: list[Entry]) -> None:
    """Take in a list: what is null, empty or no work is left out, all else is an item or holds some."""
    for one in nodes:
        if one is None or one == {}:
            continue
        if not isinstance(one, dict):
            raise PayloadError(f"An item of a GitHub page is {type(one).__name__} instead of an object.")
        kind = _type(one)
        if kind in NOT_WORK:
            continue
        if "content" in one:
            _project_item(one, around, project, found)
        elif not _is_item(one) and _holds_some(one):
            _walk(one, around, project, found)
        elif kind in WORK:
            _enter(one, around, found)


def _holds_some(one: Mapping[str, Any]) -> bool:
    return any(isinstance(part, dict) and "nodes" in part for part in one.values()) or "node" in one


def _project_item(item: dict[str, Any], around: Repository, project: dict[str, Any], found: list[Entry]) -> None:
    """Take in the issue behind an item of a project, with what the project says about it."""
    content = item["content"]
    if not isinstance(content, dict) or not content or _type(content) != "Issue":
        return
    if "projectItems" not in content and "fieldValues" in item:
        told = {"project": item.get("project") or project, "fieldValues": item["fieldValues"]}
        content = {**content, "projectItems": {"nodes": [told]}}
    _enter(content, around, found)


def _enter(one: dict[str, Any], around: Repository, found: list[Entry]) -> None:
    if not is_pull_request(one):
        is_milestone = _type(one) == "Milestone" or not MILESTONE_WORDS.isdisjoint(one)
        found.append(Entry(one, around, is_milestone))
    below = one.get("subIssues")
    if isinstance(below, dict):
        _walk(below, around, {}, found)


def kind_of(payload: object) -> str:
    """Tell what a payload is by its shape: ``webhook``, ``history`` or ``items``."""
    if isinstance(payload, dict):
        about = {"sender", "repository", "organization", "installation"} & payload.keys()
        if "zen" in payload or "hook_id" in payload or ("sender" in payload and len(about) > 1):
            return "webhook"
        if "action" in payload and about:
            return "webhook"
        if "events" in payload or "event" in payload or _has_timelines(payload.get("data")):
            return "history"
    if isinstance(payload, list) and payload and all(isinstance(one, dict) and "event" in one for one in payload):
        return "history"
    return "items"


def _has_timelines(value: Any) -> bool:
    if isinstance(value, dict):
        return "timelineItems" in value or any(
            _has_timelines(part) for part in value.values() if isinstance(part, (dict, list))
        )
    return isinstance(value, list) and any(_has_timelines(one) for one in value)


def issues_with_timelines(value: Any, around: Repository | None = None) -> list[tuple[dict[str, Any], Repository]]:
    """Return the issues of an answer that carry `timelineItems`, with the repository around them."""
    here = around or Repository()
    if isinstance(value, list):
        return [one for part in value for one in issues_with_timelines(part, here)]
    if not isinstance(value, dict):
        return []
    if "timelineItems" in value:
        return [(value, here)]
    name = text_of(value.get("nameWithOwner"))
    here = Repository(name=name) if name else here
    return [one for part in value.values() for one in issues_with_timelines(part, here)]


def split(kind: str, body: bytes) -> list[bytes]:
    """Cut a page into pages of one item each, which keep the repository; empty where it cannot be cut.

    Each piece is the item as received, but that its `id` is the one it is known by.
    """
    try:
        page = load(body)
        if kind == "items":
            return [orjson.dumps(_alone(entry)) for entry in entries(page)]
    except PayloadError:
        return []
    if kind == "history" and isinstance(page, dict):
        return [
            orjson.dumps({"data": {"nodes": [_placed(issue, around)]}})
            for issue, around in issues_with_timelines(page.get("data"))
        ]
    return []


def _alone(entry: Entry) -> dict[str, Any]:
    if is_rest(entry.raw):
        id = rest_id(entry.raw)
        return {**entry.raw, "id": id} if id else entry.raw
    kind = "Milestone" if entry.is_milestone else "Issue"
    return {"__typename": kind, **_placed(entry.raw, entry.around)}


def _placed(node: dict[str, Any], around: Repository) -> dict[str, Any]:
    if isinstance(node.get("repository"), dict) or not around.name:
        return node
    return {**node, "repository": {"nameWithOwner": around.name, "isArchived": around.archived}}
