"""How each part of an issue of the simulated GitHub changes: the issue, its timeline, and what webhooks tell of it.

One function a part; `Site.change` calls them. When an issue counts as updated is decided there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from app.demo.github_things import Account, Issue, IssueField, IssueFieldValue, IssueType, Milestone, Option

if TYPE_CHECKING:
    from app.demo.github_site import Site

Content = float | str | Sequence[str] | None
"""What an issue field is set to: a number, an ISO date, a text, the name of an option, several names, or nothing"""


def _state(
    site: Site,
    issue: Issue,
    value: str,
    at: datetime,
    actor: Account,
    *,
    reason: str = "completed",
    duplicate_of: Issue | None = None,
) -> None:
    state = value.upper()
    if state == issue.state:
        return
    issue.state = state
    if state == "CLOSED":
        issue.state_reason, issue.closed_at, issue.closed_by = reason.upper(), at, actor
        issue.duplicate_of = duplicate_of
        more = {"stateReason": issue.state_reason, "closable": issue, "duplicateOf": duplicate_of}
        event = site.event(issue, "ClosedEvent", at, actor, **more)
        event |= {"url": f"{issue.url}#event-{event['id']}", "resourcePath": f"{issue.resource_path}#event"}
        if duplicate_of is not None:
            pair = {"canonical": duplicate_of, "duplicate": issue}
            across = duplicate_of.repository is not issue.repository
            site.event(issue, "MarkedAsDuplicateEvent", at, actor, isCrossRepository=across, **pair)
        site.tell("issues", "closed", at=at, actor=actor, issue=issue)
    else:
        issue.state_reason, issue.closed_at, issue.closed_by, issue.duplicate_of = "REOPENED", None, None, None
        site.event(issue, "ReopenedEvent", at, actor, stateReason="REOPENED", closable=issue)
        site.tell("issues", "reopened", at=at, actor=actor, issue=issue)


def _labels(site: Site, issue: Issue, value: Sequence[str], at: datetime, actor: Account) -> None:
    wanted = [site.label(issue.repository, name) for name in value]
    for label in [one for one in issue.labels if one not in wanted]:
        issue.labels.remove(label)
        site.event(issue, "UnlabeledEvent", at, actor, label=label)
        site.tell("issues", "unlabeled", at=at, actor=actor, issue=issue, label=label)
    for label in [one for one in wanted if one not in issue.labels]:
        issue.labels.append(label)
        site.event(issue, "LabeledEvent", at, actor, label=label)
        site.tell("issues", "labeled", at=at, actor=actor, issue=issue, label=label)


def _assignees(site: Site, issue: Issue, value: Sequence[Account], at: datetime, actor: Account) -> None:
    for account in [one for one in issue.assignees if one not in value]:
        issue.assignees.remove(account)
        site.event(issue, "UnassignedEvent", at, actor, assignee=account)
        site.tell("issues", "unassigned", at=at, actor=actor, issue=issue, assignee=account)
    for account in [one for one in value if one not in issue.assignees]:
        issue.assignees.append(account)
        site.event(issue, "AssignedEvent", at, actor, assignee=account)
        site.tell("issues", "assigned", at=at, actor=actor, issue=issue, assignee=account)


def _milestone(site: Site, issue: Issue, value: Milestone | None, at: datetime, actor: Account) -> None:
    old, issue.milestone = issue.milestone, value
    for milestone, kind, action in ((old, "Demilestoned", "demilestoned"), (value, "Milestoned", "milestoned")):
        if milestone is not None and old is not value:
            site.event(issue, f"{kind}Event", at, actor, milestoneTitle=milestone.title, subject=issue)
            site.tell("issues", action, at=at, actor=actor, issue=issue, milestone=milestone)


def _type(site: Site, issue: Issue, value: str | None, at: datetime, actor: Account) -> None:
    types = issue.repository.owner.issue_types
    old: IssueType | None = issue.issue_type
    new = next(kind for kind in types if kind.name == value) if value else None
    if new is old:
        return
    issue.issue_type = new
    if new is None:
        site.event(issue, "IssueTypeRemovedEvent", at, actor, issueType=old)
        site.tell("issues", "untyped", at=at, actor=actor, issue=issue, type=old)
        return
    if old is None:
        site.event(issue, "IssueTypeAddedEvent", at, actor, issueType=new)
    else:
        site.event(issue, "IssueTypeChangedEvent", at, actor, issueType=new, prevIssueType=old)
    site.tell("issues", "typed", at=at, actor=actor, issue=issue, type=new)


def _parent(site: Site, issue: Issue, value: Issue | None, at: datetime, actor: Account) -> None:
    old, issue.parent = issue.parent, value
    if old is value:
        return
    for parent, action in ((old, "removed"), (value, "added")):
        if parent is None:
            continue
        if action == "added":
            parent.children.append(issue)
        else:
            parent.children.remove(issue)
        site.event(issue, f"ParentIssue{action.capitalize()}Event", at, actor, parent=parent)
        site.event(parent, f"SubIssue{action.capitalize()}Event", at, actor, subIssue=issue)
        sides: dict[str, Any] = {"sub_issue": issue, "parent_issue": parent}
        site.tell("sub_issues", f"parent_issue_{action}", at=at, actor=actor, repository=issue.repository, **sides)
        site.tell("sub_issues", f"sub_issue_{action}", at=at, actor=actor, repository=parent.repository, **sides)


def _title(site: Site, issue: Issue, value: str, at: datetime, actor: Account) -> None:
    old, issue.title = issue.title, value
    site.event(issue, "RenamedTitleEvent", at, actor, previousTitle=old, currentTitle=value, subject=issue)
    site.tell("issues", "edited", at=at, actor=actor, issue=issue, changes={"title": {"from": old}})


def _body(site: Site, issue: Issue, value: str, at: datetime, actor: Account) -> None:
    old, issue.body = issue.body, value
    site.tell("issues", "edited", at=at, actor=actor, issue=issue, changes={"body": {"from": old}})


def _fields(site: Site, issue: Issue, value: Mapping[str, Content], at: datetime, actor: Account) -> None:
    for name, content in value.items():
        field = next(one for one in issue.repository.owner.issue_fields if one.name == name)
        _field(site, issue, field, content, at, actor)


def _field(site: Site, issue: Issue, field: IssueField, content: Content, at: datetime, actor: Account) -> None:
    old = issue.values.get(field.id)
    if content is None:
        if old is not None:
            del issue.values[field.id]
            site.event(issue, "IssueFieldRemovedEvent", at, actor, issueField=field, options=None)
            site.tell("issues", "field_removed", at=at, actor=actor, issue=issue, field=field)
        return
    number = old.number if old else site.next_id("field value")
    new = IssueFieldValue(field=field, number=number, content=_content(field, content))
    issue.values[field.id] = new
    if old is None:
        more = {"value": new.said, "color": None, "options": None}
        site.event(issue, "IssueFieldAddedEvent", at, actor, issueField=field, **more)
    else:
        unsaid = dict.fromkeys(("newColor", "newOptions", "previousColor", "previousOptions"))
        more = {"previousValue": old.said, "newValue": new.said, **unsaid}
        site.event(issue, "IssueFieldChangedEvent", at, actor, issueField=field, **more)
    details: dict[str, Any] = {"field": field, "value": new, **({"was": old} if old else {})}
    site.tell("issues", "field_added", at=at, actor=actor, issue=issue, **details)


def _content(field: IssueField, content: float | str | Sequence[str]) -> float | str | Option | tuple[Option, ...]:
    if field.data_type == "MULTI_SELECT" and not isinstance(content, float | int):
        return tuple(field.option(name) for name in content)
    if field.data_type == "SINGLE_SELECT":
        return field.option(str(content))
    return str(content) if field.data_type in ("DATE", "TEXT") else float(str(content))


def _locked(site: Site, issue: Issue, value: bool, at: datetime, actor: Account) -> None:
    issue.locked = value
    more = {"lockReason": "RESOLVED"} if value else {}
    site.event(issue, "LockedEvent" if value else "UnlockedEvent", at, actor, **more)
    site.tell("issues", "locked" if value else "unlocked", at=at, actor=actor, issue=issue)


def _pinned(site: Site, issue: Issue, value: bool, at: datetime, actor: Account) -> None:
    issue.is_pinned = value
    site.event(issue, "PinnedEvent" if value else "UnpinnedEvent", at, actor, issue=issue)
    site.tell("issues", "pinned" if value else "unpinned", at=at, actor=actor, issue=issue)


CHANGES: dict[str, Callable[..., Any]] = {
    "state": _state,
    "labels": _labels,
    "assignees": _assignees,
    "milestone": _milestone,
    "type": _type,
    "parent": _parent,
    "title": _title,
    "body": _body,
    "fields": _fields,
    "locked": _locked,
    "pinned": _pinned,
}
"""(site, issue, new value, at, actor) by the name that `Site.change` takes"""
