"""Shapes that GitHub's bodies share: JSON, times, places, and REST's issues said in the words of GraphQL.

Pure; what a shape means for a work item or its past is said elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from connectors.shapes import is_number

_PLACE = re.compile(r"https?://[^/]+(?:/api/v3)?(?:/repos)?/([^/]+/[^/]+)/(?:issues|pull|milestones?)/([0-9]+)")
_REPOSITORY = re.compile(r"/repos/([^/]+/[^/]+)$")

FIELD_TYPES: Mapping[str, str] = {
    "number": "IssueFieldNumberValue",
    "date": "IssueFieldDateValue",
    "text": "IssueFieldTextValue",
    "single_select": "IssueFieldSingleSelectValue",
    "multi_select": "IssueFieldMultiSelectValue",
}
"""REST's `data_type` of an issue field -> GraphQL's type of its value."""

UNREAD = "unread"
"""What stands true in an issue, or a past, that GitHub cannot give, in place of what it holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where an item stands, as far as what is around it tells; an empty name is unknown."""

    name: str = ""
    archived: bool = False


def day(value: object) -> date | None:
    """Return the date of ``2026-11-22`` or of a time, as it is written there."""
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def text_of(value: object) -> str | None:
    """Return `value` where it is a text that is not empty."""
    return value if isinstance(value, str) and value else None


def folded(name: str) -> str:
    """Return a name as names compare: without case and outer space."""
    return name.strip().casefold()


def objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of a list or of a connection's `nodes`; what is null or hidden is left out."""
    if isinstance(value, dict):
        value = value.get("nodes")
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def object_of(value: Any) -> dict[str, Any]:
    """Return `value` where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def place_in(url: object) -> tuple[str, int | None]:
    """Return repository and number out of the address of an issue or a milestone, web or API; empty if it is none."""
    found = _PLACE.match(url) if isinstance(url, str) else None
    return (found[1], int(found[2])) if found else ("", None)


def key_of(repository: str, number: int, milestone: bool = False) -> str:
    """Return the name of an issue, ``owner/name#7``, or of a milestone, ``owner/name/milestone/7``."""
    return f"{repository}/milestone/{number}" if milestone else f"{repository}#{number}"


def repository_of(node: Mapping[str, Any], around: Repository) -> Repository:
    """Return the repository that an item names, else the one around it, else the one that its address names."""
    own = object_of(node.get("repository"))
    name = text_of(own.get("nameWithOwner")) or text_of(own.get("full_name"))
    archived = own.get("isArchived") is True or own.get("archived") is True
    if name:
        return Repository(name=name, archived=archived or (around.archived and around.name == name))
    if around.name:
        return around
    told = node.get("repository_url")
    found = _REPOSITORY.search(told) if isinstance(told, str) else None
    for url in (node.get("html_url"), node.get("url"), node.get("resourcePath")):
        found_name = found[1] if found else place_in(url)[0]
        if found_name:
            return Repository(name=found_name, archived=archived)
    return Repository()


def is_pull_request(issue: Mapping[str, Any]) -> bool:
    """Tell whether a REST issue is a pull request: it says where, which the recordings of 2012 leave null.

    A pull request of its own, not as an issue, has the address of its difference at the top.
    """
    told = issue.get("pull_request")
    if "diff_url" in issue:
        return True
    return isinstance(told, dict) and any(told.get(name) for name in ("url", "html_url", "diff_url", "patch_url"))


def is_rest(issue: Mapping[str, Any]) -> bool:
    """Tell whether an issue or a milestone is said as REST and webhooks say it."""
    return "createdAt" not in issue and ("created_at" in issue or "node_id" in issue or is_number(issue.get("id")))


def rest_id(thing: Mapping[str, Any]) -> str | None:
    """Return the node id of a REST object, ``REST:<id>`` where the body is too old to have one."""
    node_id, id = thing.get("node_id"), thing.get("id")
    if isinstance(node_id, str) and node_id:
        return node_id
    if isinstance(id, int) and not isinstance(id, bool):
        return f"REST:{id}"
    return text_of(id)


def as_node(issue: Mapping[str, Any]) -> dict[str, Any]:
    """Return an issue of REST as GraphQL says one; the parent is known by key alone.

    Of who it is assigned to only `assignees` is read: API version 2026-03-10 has no `assignee` any more.
    """
    milestone = issue.get("milestone")
    parent, number = place_in(issue.get("parent_issue_url"))
    state, reason = text_of(issue.get("state")), text_of(issue.get("state_reason"))
    above, labels = object_of(issue.get("parent")), issue.get("labels")
    return {
        "__typename": "Issue",
        "id": rest_id(issue),
        "number": issue.get("number"),
        "title": issue.get("title"),
        "url": issue.get("html_url"),
        "state": state and state.upper(),
        "stateReason": reason and reason.upper(),
        "createdAt": issue.get("created_at"),
        "updatedAt": issue.get("updated_at"),
        "closedAt": issue.get("closed_at"),
        "issueType": issue.get("type") if isinstance(issue.get("type"), dict) else None,
        "status": issue.get("status"),
        "milestone": as_milestone(milestone) if isinstance(milestone, dict) else None,
        "parent": {"id": rest_id(above), "number": number, "repository": {"nameWithOwner": parent}} if parent else None,
        "subIssuesSummary": issue.get("sub_issues_summary"),
        "assignees": issue.get("assignees"),
        "labels": [{"name": one} if isinstance(one, str) else one for one in labels]
        if isinstance(labels, list)
        else [],
        "issueFieldValues": [_field_value(one) for one in objects(issue.get("issue_field_values"))],
    }


def as_milestone(milestone: Mapping[str, Any]) -> dict[str, Any]:
    """Return a milestone of REST as GraphQL says one."""
    return {
        "__typename": "Milestone",
        "id": rest_id(milestone),
        "number": milestone.get("number"),
        "title": milestone.get("title"),
        "url": milestone.get("html_url"),
        "state": milestone.get("state"),
        "createdAt": milestone.get("created_at"),
        "updatedAt": milestone.get("updated_at"),
        "closedAt": milestone.get("closed_at"),
        "dueOn": milestone.get("due_on"),
    }


def _field_value(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return the value of an issue field of REST as GraphQL says one."""
    kind = FIELD_TYPES.get(str(value.get("data_type")), "")
    option = object_of(value.get("single_select_option"))
    return {
        "__typename": kind,
        "field": {"name": value.get("issue_field_name")},
        "value": value.get("value"),
        "name": option.get("name"),
        "options": value.get("multi_select_options"),
    }
