"""What is asked of each issue, as far as a server can: its fields, the lists inside it, and the fragments of both.

Pure text; the operations around it are in `queries`.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

ISSUE_FIELDS = (
    "blockedBy", "duplicateOf", "fullDatabaseId", "issueDependenciesSummary", "issueFieldValues", "issueType", "parent",
    "projectItems", "stateReason", "status", "subIssuesSummary",
)  # fmt: skip
"""fields of `Issue` that not every server has"""

EVENT_TYPES: Mapping[str, str] = {
    "CLOSED_EVENT": "ClosedEvent",
    "REOPENED_EVENT": "ReopenedEvent",
    "LABELED_EVENT": "LabeledEvent",
    "UNLABELED_EVENT": "UnlabeledEvent",
    "MILESTONED_EVENT": "MilestonedEvent",
    "DEMILESTONED_EVENT": "DemilestonedEvent",
    "PARENT_ISSUE_ADDED_EVENT": "ParentIssueAddedEvent",
    "PARENT_ISSUE_REMOVED_EVENT": "ParentIssueRemovedEvent",
    "ISSUE_TYPE_ADDED_EVENT": "IssueTypeAddedEvent",
    "ISSUE_TYPE_CHANGED_EVENT": "IssueTypeChangedEvent",
    "ISSUE_TYPE_REMOVED_EVENT": "IssueTypeRemovedEvent",
    "ISSUE_FIELD_ADDED_EVENT": "IssueFieldAddedEvent",
    "ISSUE_FIELD_CHANGED_EVENT": "IssueFieldChangedEvent",
    "ISSUE_FIELD_REMOVED_EVENT": "IssueFieldRemovedEvent",
    "PROJECT_V2_ITEM_STATUS_CHANGED_EVENT": "ProjectV2ItemStatusChangedEvent",
    "REMOVED_FROM_PROJECT_V2_EVENT": "RemovedFromProjectV2Event",
    "TRANSFERRED_EVENT": "TransferredEvent",
    "CONVERTED_TO_DISCUSSION_EVENT": "ConvertedToDiscussionEvent",
}
"""the events whose past is followed: value of `IssueTimelineItemsItemType` -> type"""

EVERYTHING: frozenset[str] = frozenset({
    *ISSUE_FIELDS, *EVENT_TYPES, "Organization.issueFields", "Organization.issueTypes",
    "ClosedEvent.stateReason", "ClosedEvent.duplicateOf", "ReopenedEvent.stateReason", "ProjectV2.items.archivedStates",
    "IssueFieldMultiSelectValue", "ProjectV2ItemIssueFieldValue",
}) - {"status"}  # fmt: skip
"""the capabilities of github.com, but for the preview of issue statuses"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked of each issue: `can` are the capabilities that introspection found, see `CAPABILITIES`.

    `projects`: items of projects come along, with the values of the project fields named in `values`, each under
    ``value0``, ``value1`` … of the item (``null`` where the project has no such field).
    """

    can: frozenset[str]
    projects: bool = False
    values: tuple[str, ...] = ()


# --- fragments

MORE = "pageInfo{hasNextPage endCursor}"

LISTS: Mapping[str, tuple[str, str]] = {
    "assignees": ("assignees", "{login id}"),
    "labels": ("labels", "{id name}"),
    "blockedBy": ("blockedBy", "{id number state repository{nameWithOwner}}"),
    "issueFieldValues": ("issueFieldValues", "{...FieldValue}"),
    "projectItems": ("projectItems", "{...ProjectItem}"),
}
"""lists inside an issue: their name, and what is asked of each node"""
FIRST: Mapping[str, int] = {
    "assignees": 10, "labels": 50, "blockedBy": 10, "issueFieldValues": 20, "projectItems": 10,
}  # fmt: skip
"""how much of such a list comes with the issue; what is longer is read to its end by `rest_of`"""

# `closed` and not `state`: beside an issue's, another enum under one name is refused
MILESTONE = (
    "fragment Milestone on Milestone{__typename id number title url closed dueOn createdAt updatedAt closedAt "
    "openIssueCount closedIssueCount progressPercentage repository{nameWithOwner isArchived}}"
)
_FIELD = "fragment Field on IssueFields{__typename ... on Node{id} ... on IssueFieldCommon{name dataType}}"
PROJECT_FIELD = "fragment ProjectField on ProjectV2FieldConfiguration{... on ProjectV2FieldCommon{id name dataType}}"


def _field_value(on: str, can: frozenset[str]) -> str:
    many = "... on IssueFieldMultiSelectValue{options{id name}}" if "IssueFieldMultiSelectValue" in can else ""
    return (
        "__typename ... on IssueFieldValueCommon{field{...Field}} ... on IssueFieldNumberValue{numberValue:value} "
        "... on IssueFieldDateValue{dateValue:value} ... on IssueFieldTextValue{textValue:value} "
        f"... on IssueFieldSingleSelectValue{{name optionId}} {many}"
    )


def _project_value(can: frozenset[str]) -> str:
    own = ""
    if "ProjectV2ItemIssueFieldValue" in can and "issueFieldValues" in can:
        inner = _field_value("ProjectV2IssueFieldValues", can)
        own = f"... on ProjectV2ItemIssueFieldValue{{field{{...ProjectField}} issueFieldValue{{{inner}}}}}"
    return (
        "fragment ProjectValue on ProjectV2ItemFieldValue{__typename "
        "... on ProjectV2ItemFieldValueCommon{field{...ProjectField}} ... on ProjectV2ItemFieldNumberValue{number} "
        "... on ProjectV2ItemFieldDateValue{date} ... on ProjectV2ItemFieldSingleSelectValue{name optionId} "
        "... on ProjectV2ItemFieldTextValue{text} "
        f"... on ProjectV2ItemFieldIterationValue{{iterationId title startDate duration}} {own}}}"
    )


@functools.lru_cache(maxsize=64)
def fragments(selection: Selection) -> Mapping[str, str]:
    """Return every fragment by name, as this selection has it."""
    can = selection.can
    values = " ".join(
        f"value{at}:fieldValueByName(name:{json.dumps(name)}){{...ProjectValue}}"
        for at, name in enumerate(selection.values)
    )
    item = (
        "fragment ProjectItem on ProjectV2Item{id type isArchived updatedAt "
        f"project{{id number title owner{{... on Organization{{login}} ... on User{{login}}}}}} {values}}}"
    )
    return {
        "Issue": f"fragment Issue on Issue{{{_issue(selection)}}}",
        "FieldValue": f"fragment FieldValue on IssueFieldValue{{{_field_value('IssueFieldValue', can)}}}",
        "Field": _FIELD,
        "ProjectItem": item,
        "ProjectValue": _project_value(can),
        "ProjectField": PROJECT_FIELD,
        "Milestone": MILESTONE,
    }


def _issue(selection: Selection) -> str:
    can = selection.can
    parts = [
        "__typename id number title url state createdAt updatedAt closedAt",
        "repository{nameWithOwner isArchived}",
        "milestone{id number title url state dueOn}",
    ]
    optional = {
        "fullDatabaseId": "fullDatabaseId",
        "stateReason": "stateReason",
        "status": "status{id name category}",
        "issueType": "issueType{id name}",
        "parent": "parent{id number repository{nameWithOwner}}",
        "subIssuesSummary": "subIssuesSummary{total completed percentCompleted}",
        "issueDependenciesSummary": "issueDependenciesSummary{blockedBy totalBlockedBy}",
        "duplicateOf": "duplicateOf{id number repository{nameWithOwner}}",
    }
    parts += [text for name, text in optional.items() if name in can]
    parts += [_list_in_issue(name) for name in lists_of(selection)]
    return " ".join(parts)


def lists_of(selection: Selection) -> tuple[str, ...]:
    """Return the names of the lists that come with an issue."""
    return tuple(
        name
        for name in LISTS
        if name in ("assignees", "labels") or (name in selection.can and (name != "projectItems" or selection.projects))
    )


def points_of(selection: Selection) -> int:
    """Return what a page of a hundred issues costs: a request for each list, divided by a hundred.

    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api#predicting-the-point-value-of-a-query
    """
    return max(1, round((1 + 100 * len(lists_of(selection))) / 100))


def _list_in_issue(name: str) -> str:
    field, node = LISTS[name]
    return f"{field}(first:{FIRST[name]}){{totalCount {MORE} nodes{node}}}"


_SPREAD = re.compile(r"\.\.\.([A-Z]\w*)")


def document(operation: str, selection: Selection) -> str:
    """Return an operation with the fragments that it uses, each once, in the order of their names."""
    known, needed, fresh = fragments(selection), dict[str, str](), _SPREAD.findall(operation)
    while fresh:
        name = fresh.pop()
        if name not in needed:
            needed[name] = known[name]
            fresh += _SPREAD.findall(known[name])
    return "\n".join([operation, *(needed[name] for name in sorted(needed))])
