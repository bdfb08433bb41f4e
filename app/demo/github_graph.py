"""What each field of the simulated GitHub's GraphQL says: lists, what our account may not see, and comments made.

Nothing about HTTP, tokens or limits here; what a value says by itself is an attribute of `github_things`.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from graphql import GraphQLError

from app.demo.faults import Fault
from app.demo.github_boards import ItemValue, Project, ProjectItem
from app.demo.github_lists import GONE_WRONG, Page, forbidden, issue_page, page, pages
from app.demo.github_projects import values_of
from app.demo.github_site import Site
from app.demo.github_things import Account, Comment, Event, Issue, Repository
from app.demo.github_writes import WRITES
from app.demo.graphql import Engine, Refusal, Resolver, Told, plain_words, schema_of, snake

SDL = Path(__file__).with_name("github.graphql")
MOST_IDS = 100
MOST_OF_A_BODY = 65_536

OLD_SERVER = frozenset({
    "Issue.parent", "Issue.subIssues", "Issue.blockedBy", "Issue.blocking", "Issue.duplicateOf", "SubIssuesSummary",
    "IssueDependenciesSummary", "IssueType", "IssueTypeConnection", "IssueFields", "IssueFieldsConnection",
    "IssueFieldValue", "IssueFieldValueConnection", "IssueFieldValueCommon", "IssueFieldCommon", "IssueFieldDate",
    "IssueFieldMultiSelect", "IssueFieldNumber", "IssueFieldSingleSelect", "IssueFieldText", "IssueFieldDateValue",
    "IssueFieldMultiSelectValue", "IssueFieldNumberValue", "IssueFieldSingleSelectValue", "IssueFieldTextValue",
    "IssueFieldSingleSelectOption", "ProjectV2IssueFieldValues", "ProjectV2ItemIssueFieldValue",
    "ClosedEvent.duplicateOf", "Mutation.setIssueFieldValue", "SetIssueFieldValueInput", "SetIssueFieldValuePayload",
    "IssueFieldCreateOrUpdateInput",
    "Issue.projectItems", "ProjectV2.items.archivedStates", "ProjectV2Owner",
    *(
        f"{kind}.{name}"
        for kind in ("Issue", "Organization", "PullRequest", "Repository", "User")
        for name in ("projectV2", "projectsV2")
    ),
    *(
        name
        for event in (
            "BlockedByAdded", "BlockedByRemoved", "BlockingAdded", "BlockingRemoved", "IssueFieldAdded",
            "IssueFieldChanged", "IssueFieldRemoved", "IssueTypeAdded", "IssueTypeChanged", "IssueTypeRemoved",
            "ParentIssueAdded", "ParentIssueRemoved", "ProjectV2ItemStatusChanged", "SubIssueAdded", "SubIssueRemoved",
        )
        for name in (f"{event}Event", f"IssueTimelineItemsItemType.{snake(event).upper()}_EVENT")
    ),
})  # fmt: skip
"""What the schema of an Enterprise Server 3.17 lacks"""


@dataclass(slots=True, kw_only=True)
class Asking:
    """One call as the fields see it: the site, what it costs and what is left, and the fault that it meets."""

    site: Site
    rate: Told | None = None
    fault: Fault | None = None
    partial: set[str] = field(default_factory=set)
    """logins of organizations whose single sign-on kept something back"""


@functools.lru_cache(maxsize=4)
def engine(without: frozenset[str] = frozenset()) -> Engine:
    """Return the engine for a schema that lacks `without`; built once."""
    schema = schema_of(SDL.read_text(encoding="utf-8"), without=without)
    return Engine(schema, RESOLVERS, worded, {"DateTime": stamp, "Date": str, "URI": str})


@functools.lru_cache(maxsize=4096)
def stamp(at: datetime) -> str:
    """Write a moment as GitHub does: UTC, whole seconds, Z."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def worded(error: GraphQLError, stage: str) -> Told:
    """Word an error as GitHub does: the type first, the place of a document's fault by codes."""
    told = plain_words(error, stage)
    if stage == "rules" and (words := error.message.split("'"))[0] == "Cannot query field " and len(words) > 3:
        name, kind = words[1], words[3]
        codes = {"code": "undefinedField", "typeName": kind, "fieldName": name}
        message = f"Field '{name}' doesn't exist on type '{kind}'"
        return {"path": ["query"], "extensions": codes, "locations": told["locations"], "message": message}
    order = ("type", "path", "extensions", "locations", "message")
    return {name: told[name] for name in order if name in told}


# What our account may see


def _allowed(asking: Asking, thing: Any) -> Any:
    """Return a thing; raise Refusal where it is seen and may not be read."""
    place = thing.issue.repository if isinstance(thing, Comment) else getattr(thing, "repository", thing)
    owner = place.owner if isinstance(place, Repository | Project) else place if isinstance(place, Account) else None
    if owner is not None and owner.login in asking.site.faults.sso_partial:
        asking.partial.add(owner.login)
        text = (
            "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to "
            "this organization."
        )
        raise Refusal(text, type="FORBIDDEN", extensions={"saml_failure": True})
    if isinstance(place, Repository) and place.forbidden:
        raise forbidden(asking)
    return thing


def _seen(issue: Issue | None, asking: Asking) -> Issue | None:
    """Return an issue that another one points to, wherever it is now; None where it is out of sight."""
    while issue is not None and issue.moved_to is not None:
        issue = issue.moved_to
    return issue if issue is not None and asking.site.visible(issue) else None


def _all_seen(issues: Iterable[Issue], asking: Asking) -> list[Issue]:
    return [issue for issue in issues if asking.site.visible(issue)]


def _unknown_node(id: str) -> Refusal:
    return Refusal(f"Could not resolve to a node with the global id of '{id}'", type="NOT_FOUND")


# Query


def _node(_: Any, asking: Asking, id: str) -> Any:
    found = asking.site.node(id)
    if found is None:
        raise _unknown_node(id)
    return _allowed(asking, found)


def _nodes(_: Any, asking: Asking, ids: Sequence[str]) -> list[Any]:
    if len(ids) > MOST_IDS:
        text = f"You may not provide more than {MOST_IDS} node ids; you provided {len(ids)}."
        raise Refusal(text, type="ARGUMENT_LIMIT")
    answers: list[Any] = []
    for at, id in enumerate(ids):
        try:
            found: Any = _node(None, asking, id)
        except Refusal as refusal:
            found = refusal
        most = asking.site.faults.resource_nodes
        spoiled = most is not None and at >= most
        answers.append(Refusal(GONE_WRONG, type="RESOURCE_LIMITS_EXCEEDED") if spoiled else found)
    return answers


def _repository(_: Any, asking: Asking, owner: str, name: str, followRenames: bool = True) -> Repository:
    found = asking.site.repository(f"{owner}/{name}")
    if found is None or (not followRenames and found.name.casefold() != name.casefold()):
        raise Refusal(f"Could not resolve to a Repository with the name '{owner}/{name}'.", type="NOT_FOUND")
    _allowed(asking, found)
    return found


def _account(kinds: Sequence[str], words: str) -> Resolver:
    def resolve(_: Any, asking: Asking, login: str) -> Account:
        found = asking.site.accounts.get(login.casefold())
        if found is None or found.typename not in kinds:
            raise Refusal(f"Could not resolve to {words} with the login of '{login}'.", type="NOT_FOUND")
        _allowed(asking, found)
        return found

    return resolve


def _rate_limit(_: Any, asking: Asking, **__: Any) -> Told | None:
    return asking.rate


def _viewer(_: Any, asking: Asking) -> Any:
    return asking.site.me


# Owners


def _repositories(owner: Account, asking: Asking, **asked: Any) -> Page:
    order = asked.get("orderBy") or {"field": "CREATED_AT", "direction": "ASC"}
    found = [one for one in asking.site.repositories.values() if one.owner is owner and not one.hidden]
    tests = {"isArchived": "is_archived", "hasIssuesEnabled": "has_issues_enabled", "isFork": "is_fork"}
    for argument, name in {**tests, "isLocked": "is_locked", "visibility": "visibility"}.items():
        if asked.get(argument) is not None:
            found = [one for one in found if getattr(one, name) == asked[argument]]
    keys = {"NAME": lambda one: (one.name, one.number), "CREATED_AT": lambda one: (one.created_at, one.number)}
    found.sort(key=keys.get(order["field"], keys["CREATED_AT"]), reverse=order["direction"] == "DESC")
    return page(found, asking, **asked)


def _owned(owner: Account, asking: Asking, name: str, followRenames: bool = True) -> Repository:
    return _repository(None, asking, owner.login, name, followRenames)


def _projects_of(owner: Any, asking: Asking) -> list[Project]:
    if isinstance(owner, Account):
        return [project for project in reversed(owner.projects) if not project.hidden]
    return [item.project for item in getattr(owner, "items", ()) if not item.project.hidden]


def _projects(owner: Any, asking: Asking, query: str | None = None, **asked: Any) -> Page:
    found = [one for one in _projects_of(owner, asking) if not query or query.casefold() in one.title.casefold()]
    return page(found, asking, **asked)


def _project(owner: Any, asking: Asking, number: int) -> Project:
    for project in _projects_of(owner, asking):
        if project.number == number:
            return project
    raise Refusal(f"Could not resolve to a ProjectV2 with the number {number}.", type="NOT_FOUND")


def _organizations(_: Account, asking: Asking, **asked: Any) -> Page:
    known = [one for one in asking.site.accounts.values() if one.typename == "Organization"]
    return page(known, asking, **asked)


# Repositories


def _named(name: str, by: str) -> Resolver:
    """Return a resolver that finds one of a list by what it is called."""

    def resolve(source: Any, asking: Asking, **asked: Any) -> Any:
        wanted = asked[by]
        return next((one for one in getattr(source, name) if getattr(one, by) == wanted), None)

    return resolve


def _issue(repository: Repository, asking: Asking, number: int) -> Any:
    found = asking.site.numbers.get((repository.number, number))
    if not isinstance(found, Issue) or found.gone is not None:
        raise Refusal(f"Could not resolve to an Issue with the number of {number}.", type="NOT_FOUND")
    return found


def _issue_or_pull(repository: Repository, asking: Asking, number: int) -> Any:
    found = asking.site.numbers.get((repository.number, number))
    if found is None or (isinstance(found, Issue) and found.gone is not None):
        text = f"Could not resolve to an issue or pull request with the number of {number}."
        raise Refusal(text, type="NOT_FOUND")
    return found


def _milestones(repository: Repository, asking: Asking, **asked: Any) -> Page:
    order = asked.get("orderBy") or {"field": "NUMBER", "direction": "ASC"}
    states = asked.get("states")
    found = [one for one in repository.milestones if not states or one.state in states]
    names = {"NUMBER": "number", "UPDATED_AT": "updated_at", "CREATED_AT": "created_at"}
    found.sort(key=lambda one: getattr(one, names.get(order["field"], "number")), reverse=order["direction"] == "DESC")
    return page(found, asking, **asked)


# Issues


def _timeline(issue: Issue, asking: Asking, **asked: Any) -> Page:
    kinds, since = asked.get("itemTypes"), asked.get("since")
    found = sorted(issue.timeline, key=_when)
    if kinds is not None:
        found = [one for one in found if snake(_kind(one)).upper() in kinds]
    if since:
        found = [one for one in found if _when(one) >= datetime.fromisoformat(since)]
    told = page(found[asked.get("skip") or 0 :], asking, **asked)
    more = {"filteredCount": len(found), "pageCount": len(told["nodes"]), "updatedAt": issue.updated_at}
    return {**told, **more}


def _when(event: Event | Comment) -> datetime:
    at: datetime = event.created_at if isinstance(event, Comment) else event["createdAt"]
    return at


def _kind(event: Event | Comment) -> str:
    kind: str = event.typename if isinstance(event, Comment) else event["__typename"]
    return kind


def _pointed(name: str) -> Resolver:
    """Return a resolver for an issue that an issue or an event points to."""

    def resolve(source: Any, asking: Asking, **_: Any) -> Issue | None:
        return _seen(source[name] if isinstance(source, dict) else getattr(source, snake(name)), asking)

    return resolve


def _comments(issue: Issue, asking: Asking, **asked: Any) -> Page:
    order = asked.get("orderBy")
    backwards = order is not None and order["direction"] == "DESC"
    found = sorted(issue.comments, key=lambda one: (one.updated_at, one.id_number), reverse=backwards)
    return page(found if order else issue.comments, asking, **asked)


# Projects


def _items(project: Project, asking: Asking, **asked: Any) -> Page:
    states = asked.get("archivedStates", ["NOT_ARCHIVED"])
    wanted = {"ARCHIVED": True, "NOT_ARCHIVED": False}
    kept = {wanted[state] for state in states}
    return page([item for item in project.items if item.is_archived in kept], asking, **asked)


def _items_of(issue: Issue, asking: Asking, includeArchived: bool = True, **asked: Any) -> Page:
    found = [one for one in issue.items if not one.project.hidden and (includeArchived or not one.is_archived)]
    return page(found, asking, **asked)


def _content(item: ProjectItem, asking: Asking) -> Any:
    return None if item.content is None else _allowed(asking, item.content)


def _value_by_name(item: ProjectItem, asking: Asking, name: str) -> ItemValue | None:
    wanted = item.project.field(name)
    if wanted is None:
        return None
    known = item.values.get(wanted.id)
    return known or next((value for value in values_of(item) if value.field is wanted), None)


# Comments made


def _commentable(issue: Issue, asking: Asking, body: str | None) -> None:
    if issue.repository.is_archived:
        raise Refusal("Repository was archived so is read-only.", type="FORBIDDEN")
    if issue.repository.viewer_permission == "READ":
        raise forbidden(asking)
    if body is not None and not body.strip():
        raise Refusal("Body can't be blank", type="UNPROCESSABLE")
    if body is not None and len(body) > MOST_OF_A_BODY:
        raise Refusal(f"Body is too long (maximum is {MOST_OF_A_BODY} characters)", type="UNPROCESSABLE")


def _add_comment(_: Any, asking: Asking, input: Mapping[str, Any]) -> Told:
    site, subject = asking.site, _node(None, asking, input["subjectId"])
    if not isinstance(subject, Issue):
        raise _unknown_node(input["subjectId"])
    _commentable(subject, asking, input["body"])
    comment = site.comment(subject, input["body"], by=site.me)
    edge = {"node": comment, "cursor": comment.id}
    return {"clientMutationId": input.get("clientMutationId"), "commentEdge": edge, "subject": subject}


def _own_comment(asking: Asking, id: str, body: str | None) -> Comment:
    found = asking.site.node(id)
    if not isinstance(found, Comment):
        raise _unknown_node(id)
    _commentable(found.issue, asking, body)
    if not found.viewer_can_update:
        login = asking.site.me.login
        raise Refusal(f"{login} does not have permission to update the comment {id}.", type="FORBIDDEN")
    return found


def _update_comment(_: Any, asking: Asking, input: Mapping[str, Any]) -> Told:
    comment = _own_comment(asking, input["id"], input["body"])
    asking.site.edit_comment(comment, input["body"], by=asking.site.me)
    return {"clientMutationId": input.get("clientMutationId"), "issueComment": comment}


def _delete_comment(_: Any, asking: Asking, input: Mapping[str, Any]) -> Told:
    comment = _own_comment(asking, input["id"], None)
    asking.site.delete_comment(comment, by=asking.site.me)
    return {"clientMutationId": input.get("clientMutationId")}


RESOLVERS: Mapping[str, Resolver] = {
    "Query.node": _node,
    "Query.nodes": _nodes,
    "Query.organization": _account(("Organization",), "an Organization"),
    "Query.rateLimit": _rate_limit,
    "Query.repository": _repository,
    "Query.repositoryOwner": _account(("User", "Organization"), "a RepositoryOwner"),
    "Query.user": _account(("User",), "a User"),
    "Query.viewer": _viewer,
    "Mutation.addComment": _add_comment,
    "Mutation.updateIssueComment": _update_comment,
    "Mutation.deleteIssueComment": _delete_comment,
    **WRITES,
    "RepositoryOwner.repositories": _repositories,
    "RepositoryOwner.repository": _owned,
    "ProjectV2Owner.projectsV2": _projects,
    "ProjectV2Owner.projectV2": _project,
    "User.organizations": _organizations,
    "Organization.issueTypes": pages("issue_types"),
    "Organization.issueFields": pages("issue_fields"),
    "Organization.viewerCanAdminister": lambda source, asking: False,
    "Organization.viewerCanCreateRepositories": lambda source, asking: False,
    "Organization.viewerIsAMember": lambda source, asking: True,
    "Repository.issues": lambda source, asking, **asked: issue_page(source, source.issues, asking, **asked),
    "Repository.issue": _issue,
    "Repository.issueOrPullRequest": _issue_or_pull,
    "Repository.issueTypes": lambda source, asking, **asked: page(source.owner.issue_types, asking, **asked),
    "Repository.issueType": lambda source, asking, name: next(
        (one for one in source.owner.issue_types if one.name == name), None
    ),
    "Repository.issueFields": lambda source, asking, **asked: page(source.owner.issue_fields, asking, **asked),
    "Repository.milestone": _named("milestones", "number"),
    "Repository.milestones": _milestones,
    "Repository.label": _named("labels", "name"),
    "Repository.labels": pages("labels"),
    "Repository.projectsV2": lambda source, asking, **asked: _projects(source.owner, asking, **asked),
    "Repository.projectV2": lambda source, asking, number: _project(source.owner, asking, number),
    "Milestone.issues": lambda source, asking, **asked: issue_page(source, source.issues, asking, **asked),
    "Issue.assignees": pages("assignees"),
    "Issue.labels": pages("labels"),
    "Issue.blockedBy": lambda source, asking, **asked: page(_all_seen(source.blocked_by, asking), asking, **asked),
    "Issue.blocking": lambda source, asking, **asked: page(_all_seen(source.blocking, asking), asking, **asked),
    "Issue.subIssues": lambda source, asking, **asked: page(_all_seen(source.children, asking), asking, **asked),
    "Issue.comments": _comments,
    "Issue.issueFieldValues": lambda source, asking, **asked: page(list(source.values.values()), asking, **asked),
    "Issue.projectItems": _items_of,
    "Issue.timelineItems": _timeline,
    "Issue.parent": _pointed("parent"),
    "Issue.duplicateOf": _pointed("duplicateOf"),
    "ClosedEvent.duplicateOf": _pointed("duplicateOf"),
    "MarkedAsDuplicateEvent.canonical": _pointed("canonical"),
    "ParentIssueAddedEvent.parent": _pointed("parent"),
    "ParentIssueRemovedEvent.parent": _pointed("parent"),
    "SubIssueAddedEvent.subIssue": _pointed("subIssue"),
    "SubIssueRemovedEvent.subIssue": _pointed("subIssue"),
    "BlockedByAddedEvent.blockingIssue": _pointed("blockingIssue"),
    "BlockedByRemovedEvent.blockingIssue": _pointed("blockingIssue"),
    "BlockingAddedEvent.blockedIssue": _pointed("blockedIssue"),
    "BlockingRemovedEvent.blockedIssue": _pointed("blockedIssue"),
    "ProjectV2.fields": pages("fields"),
    "ProjectV2.field": lambda source, asking, name: source.field(name),
    "ProjectV2.items": _items,
    "ProjectV2.statusUpdates": lambda source, asking, orderBy, **asked: page(
        source.statuses if orderBy["direction"] == "ASC" else source.statuses[::-1], asking, **asked
    ),
    "ProjectV2.repositories": lambda source, asking, **asked: page([], asking, **asked),
    "ProjectV2Item.content": _content,
    "ProjectV2Item.fieldValues": lambda source, asking, **asked: page(list(values_of(source)), asking, **asked),
    "ProjectV2Item.fieldValueByName": _value_by_name,
    "ProjectV2SingleSelectField.options": lambda source, asking, names=None: [
        one for one in source.options if names is None or one.name in names
    ],
    "ProjectV2ItemFieldLabelValue.labels": pages("content"),
    "ProjectV2ItemFieldUserValue.users": pages("content"),
    "DraftIssue.assignees": pages("assignees"),
}
"""(source, asking, **arguments) by ``Type.field``"""
