"""GitHub's requests as values: GraphQL documents and the `Call`s that carry them, and the few REST calls.

Pure; what an answer means, and which call comes next, is decided elsewhere. Issues stand in the answers at
``repository.issues.nodes`` or ``nodes``, milestones at ``repository.milestones.nodes`` or ``nodes``, each with its
`__typename`; the past of an issue is its `timelineItems`. Any node may be null.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence

from connectors import graphql
from connectors.base import Call, Json
from connectors.github.selection import (
    EVENT_TYPES,
    LISTS,
    MILESTONE,
    MORE,
    PROJECT_FIELD,
    Selection,
    document,
)

GRAPHQL = "/graphql"
"""relative to `https://api.github.com`, or to `https://HOST/api` of an Enterprise Server"""
PAGE, SMALLEST, IDS, HISTORY, REPOSITORIES = 100, 5, 100, 50, 20
"""issues in a page at most and at least, ids in one call, ids in one call for history, repositories in one call"""
EVENTS, EVENT_PAGE = 50, 100
"""events of one issue in a call for many, and in a call for one"""
API_VERSION = "2022-11-28"

ASC, DESC = "ASC", "DESC"
RATE = "rateLimit{cost limit remaining used resetAt}"
"""comes first in each document, so that it is found in the first bytes of the answer"""

_NAME = re.compile(r"[\w.-]+", re.ASCII)


def base_of(url: str) -> str:
    """Return the address that both kinds of call are below: of an Enterprise Server the part before /v3."""
    plain = url.rstrip("/")
    return plain.removesuffix("/v3") if rest_of_url(plain) else plain


def rest_of_url(url: str) -> str:
    """Return what comes before the path of a REST call: /v3 on an Enterprise Server, else nothing."""
    return "/v3" if url.rstrip("/").endswith("/api/v3") else ""


def _ask(document: str, variables: Mapping[str, Json], attempts: int = 4) -> Call:
    told = {name: value for name, value in variables.items() if value is not None}
    return graphql.request(GRAPHQL, document, told, attempts=attempts)


# --- capabilities

CAPABILITIES = f"""query Capabilities {{ {RATE}
  viewer{{__typename id login}}
  Issue:__type(name:"Issue"){{fields(includeDeprecated:true){{name}}}}
  Organization:__type(name:"Organization"){{fields{{name}}}}
  ProjectV2:__type(name:"ProjectV2"){{fields{{name args{{name}}}}}}
  ClosedEvent:__type(name:"ClosedEvent"){{fields(includeDeprecated:true){{name}}}}
  ReopenedEvent:__type(name:"ReopenedEvent"){{fields{{name}}}}
  IssueStatus:__type(name:"IssueStatus"){{fields{{name}}}}
  IssueTimelineItemsItemType:__type(name:"IssueTimelineItemsItemType"){{enumValues{{name}}}}
  IssueFieldValue:__type(name:"IssueFieldValue"){{possibleTypes{{name}}}}
  ProjectV2ItemFieldValue:__type(name:"ProjectV2ItemFieldValue"){{possibleTypes{{name}}}}
}}"""
"""Who we are and what the server's schema has. A capability is named like its field of `Issue` (``issueType``), its
event (``CLOSED_EVENT``), its type (``IssueFieldMultiSelectValue``), ``Type.field`` or ``ProjectV2.items.argument``."""


# --- issues in lists


@functools.lru_cache(maxsize=64)
def listing_document(selection: Selection | None) -> str:
    """Return the document that lists a repository's issues by age; None selects the ids alone."""
    nodes = "{id createdAt}" if selection is None else "{...Issue}"
    operation = (
        "query Issues($owner:String!,$name:String!,$first:Int!,$after:String,$direction:OrderDirection!,"
        f"$states:[IssueState!]){{ {RATE} repository(owner:$owner,name:$name){{id nameWithOwner isArchived "
        "issues(first:$first,after:$after,states:$states,orderBy:{field:CREATED_AT,direction:$direction}){"
        f"totalCount {MORE} nodes{nodes}}}}} }}"
    )
    return operation if selection is None else document(operation, selection)


def listing(
    selection: Selection | None,
    repository: str,
    direction: str,
    *,
    state: str | None = None,
    after: str | None = None,
    first: int = PAGE,
    attempts: int = 4,
) -> Call:
    """List issues of a repository by age from one end, those of one state or all; pages can be made smaller."""
    owner, name = split_name(repository)
    variables: dict[str, Json] = {
        "owner": owner, "name": name, "first": first, "after": after, "direction": direction,
        "states": [state] if state else None,
    }  # fmt: skip
    return _ask(listing_document(selection), variables, attempts)


@functools.lru_cache(maxsize=64)
def changed_document(selection: Selection | None) -> str:
    """Return the document that lists what changed, oldest change first; None selects the ids alone."""
    nodes = "{id}" if selection is None else "{...Issue}"
    operation = (
        "query Changed($owner:String!,$name:String!,$first:Int!,$after:String,$since:DateTime){ "
        f"{RATE} repository(owner:$owner,name:$name){{id nameWithOwner isArchived "
        "issues(first:$first,after:$after,filterBy:{since:$since},orderBy:{field:UPDATED_AT,direction:ASC}){"
        f"totalCount {MORE} nodes{nodes}}}}} }}"
    )
    return operation if selection is None else document(operation, selection)


def changed(
    selection: Selection | None,
    repository: str,
    since: str,
    *,
    after: str | None = None,
    first: int = PAGE,
    attempts: int = 4,
) -> Call:
    """List issues updated at or after `since`: what changes meanwhile moves to the end and is seen again."""
    owner, name = split_name(repository)
    variables: dict[str, Json] = {"owner": owner, "name": name, "first": first, "after": after, "since": since}
    return _ask(changed_document(selection), variables, attempts)


MILESTONES = (
    "query Milestones($owner:String!,$name:String!,$first:Int!,$after:String){ "
    f"{RATE} repository(owner:$owner,name:$name){{id nameWithOwner isArchived "
    f"milestones(first:$first,after:$after,orderBy:{{field:UPDATED_AT,direction:DESC}}){{totalCount {MORE} "
    f"nodes{{...Milestone}}}}}} }}\n{MILESTONE}"
)


def milestones(repository: str, *, after: str | None = None, first: int = PAGE, attempts: int = 4) -> Call:
    """List milestones of a repository, the one that changed last first."""
    owner, name = split_name(repository)
    return _ask(MILESTONES, {"owner": owner, "name": name, "first": first, "after": after}, attempts)


# --- issues by id


@functools.lru_cache(maxsize=64)
def by_ids_document(selection: Selection) -> str:
    """Return the document that reads issues and milestones by id."""
    return document(
        f"query ByIds($ids:[ID!]!){{ {RATE} nodes(ids:$ids){{__typename ... on Node{{id}} ...Issue ...Milestone}} }}",
        selection,
    )


def by_ids(selection: Selection, ids: Sequence[str], *, attempts: int = 4) -> Call:
    """Read up to a hundred issues or milestones; null and an error NOT_FOUND stand for one that is gone."""
    if len(ids) > IDS:
        raise ValueError(f"at most {IDS} ids can be read at once, not {len(ids)}")
    return _ask(by_ids_document(selection), {"ids": list(ids)}, attempts)


PLACES = (
    f"query Places($ids:[ID!]!){{ {RATE} nodes(ids:$ids){{__typename ... on Node{{id}} "
    "... on Issue{number updatedAt repository{nameWithOwner}} "
    "... on Milestone{number updatedAt repository{nameWithOwner}} ... on Discussion{number url}} }"
)


def places(ids: Sequence[str]) -> Call:
    """Ask where ids are now: type, repository and number."""
    return _ask(PLACES, {"ids": list(ids)})


@functools.lru_cache(maxsize=64)
def rest_of_document(selection: Selection, name: str) -> str:
    """Return the document that reads one list of one issue on."""
    field, node = LISTS[name]
    return document(
        f"query RestOf($id:ID!,$after:String){{ {RATE} node(id:$id){{__typename ... on Issue{{id "
        f"{field}(first:100,after:$after){{totalCount {MORE} nodes{node}}}}}}} }}",
        selection,
    )


def rest_of(selection: Selection, name: str, id: str, after: str) -> Call:
    """Read one of the `LISTS` of an issue on, a hundred at a time."""
    return _ask(rest_of_document(selection, name), {"id": id, "after": after})


# --- history


@functools.lru_cache(maxsize=64)
def _events(can: frozenset[str]) -> tuple[str, str]:
    """Return (the item types to ask for, what is asked of each event)."""
    typed = [name for name in EVENT_TYPES if name in can]
    closed = " ".join(
        text
        for name, text in (
            ("ClosedEvent.stateReason", "stateReason"),
            ("ClosedEvent.duplicateOf", "duplicateOf{... on Issue{id number repository{nameWithOwner}}}"),
        )
        if name in can
    )
    reopened = "stateReason" if "ReopenedEvent.stateReason" in can else ""
    parent = "parent{id number repository{nameWithOwner}}"
    selections = {
        "CLOSED_EVENT": f"id createdAt {closed}",
        "REOPENED_EVENT": f"id createdAt {reopened}",
        "LABELED_EVENT": "id createdAt label{id name}",
        "UNLABELED_EVENT": "id createdAt label{id name}",
        "MILESTONED_EVENT": "id createdAt milestoneTitle",
        "DEMILESTONED_EVENT": "id createdAt milestoneTitle",
        "PARENT_ISSUE_ADDED_EVENT": f"id createdAt {parent}",
        "PARENT_ISSUE_REMOVED_EVENT": f"id createdAt {parent}",
        "ISSUE_TYPE_ADDED_EVENT": "id createdAt issueType{id name}",
        "ISSUE_TYPE_CHANGED_EVENT": "id createdAt issueType{id name} prevIssueType{id name}",
        "ISSUE_TYPE_REMOVED_EVENT": "id createdAt issueType{id name}",
        "ISSUE_FIELD_ADDED_EVENT": "id createdAt issueField{...Field} value",
        "ISSUE_FIELD_CHANGED_EVENT": "id createdAt issueField{...Field} previousValue newValue",
        "ISSUE_FIELD_REMOVED_EVENT": "id createdAt issueField{...Field}",
        "PROJECT_V2_ITEM_STATUS_CHANGED_EVENT": "id createdAt previousStatus status project{id number title}",
        "REMOVED_FROM_PROJECT_V2_EVENT": "id createdAt project{id number}",
        "TRANSFERRED_EVENT": "id createdAt fromRepository{nameWithOwner}",
        "CONVERTED_TO_DISCUSSION_EVENT": "id createdAt",
    }
    nodes = " ".join(f"... on {EVENT_TYPES[name]}{{{selections[name]}}}" for name in typed)
    return ",".join(typed), f"{{__typename {nodes}}}"


def _timeline(can: frozenset[str], first: int, after: str = "") -> str:
    types, nodes = _events(can)
    # number, repository and createdAt name the issue in messages and say what it was at first
    return (
        "... on Issue{id number createdAt state repository{nameWithOwner} "
        f"timelineItems(first:{first}{after},itemTypes:[{types}]){{totalCount {MORE} nodes{nodes}}}}}"
    )


@functools.lru_cache(maxsize=16)
def history_document(can: frozenset[str]) -> str:
    """Return the document that reads the past of many issues."""
    operation = f"query History($ids:[ID!]!){{ {RATE} nodes(ids:$ids){{__typename {_timeline(can, EVENTS)}}} }}"
    return document(operation, Selection(can=can))


def history(can: frozenset[str], ids: Sequence[str], *, attempts: int = 4) -> Call:
    """Read the first events of up to fifty issues."""
    if len(ids) > HISTORY:
        raise ValueError(f"the past of at most {HISTORY} issues can be read at once, not {len(ids)}")
    return _ask(history_document(can), {"ids": list(ids)}, attempts)


@functools.lru_cache(maxsize=16)
def events_document(can: frozenset[str]) -> str:
    """Return the document that reads the past of one issue on."""
    operation = (
        f"query Events($id:ID!,$after:String){{ {RATE} node(id:$id){{__typename "
        f"{_timeline(can, EVENT_PAGE, ',after:$after')}}} }}"
    )
    return document(operation, Selection(can=can))


def events(can: frozenset[str], id: str, after: str) -> Call:
    """Read the events of one issue on, a hundred at a time."""
    return _ask(events_document(can), {"id": id, "after": after})


# --- scope


def _aliased(kind: str, each: str, count: int) -> str:
    """Return an operation with `count` copies of `each`, in which ``#`` stands for the number of the copy."""
    variables = ",".join(f"$owner{at}:String!,$name{at}:String!" for at in range(count))
    return f"query {kind}({variables}){{ {RATE} {' '.join(each.replace('#', str(at)) for at in range(count))} }}"


def _pairs(names: Sequence[str]) -> dict[str, Json]:
    if len(names) > REPOSITORIES:
        raise ValueError(f"at most {REPOSITORIES} repositories can be asked for at once, not {len(names)}")
    variables: dict[str, Json] = {}
    for at, full in enumerate(names):
        variables[f"owner{at}"], variables[f"name{at}"] = split_name(full)
    return variables


_ROSTER = "id nameWithOwner isArchived hasIssuesEnabled viewerPermission"


@functools.lru_cache(maxsize=REPOSITORIES)
def repositories_document(count: int) -> str:
    """Return the document that reads `count` repositories as ``r0``, ``r1`` …; old names find the new ones."""
    return _aliased(
        "Repositories", f"r#:repository(owner:$owner#,name:$name#){{{_ROSTER} owner{{__typename login}}}}", count
    )


def repositories(names: Sequence[str]) -> Call:
    """Read up to twenty repositories by name."""
    return _ask(repositories_document(len(names)), _pairs(names))


@functools.lru_cache(maxsize=REPOSITORIES * 2)
def counts_document(count: int, milestones: bool) -> str:
    """Return the document that counts open and closed issues of `count` repositories, and their milestones."""
    more = " milestones(first:1){totalCount}" if milestones else ""
    return _aliased(
        "Counts",
        "r#:repository(owner:$owner#,name:$name#){nameWithOwner open:issues(first:1,states:[OPEN]){totalCount} "
        f"closed:issues(first:1,states:[CLOSED]){{totalCount}}{more}}}",
        count,
    )


def counts(names: Sequence[str], *, milestones: bool = False) -> Call:
    """Count the issues of up to twenty repositories."""
    return _ask(counts_document(len(names), milestones), _pairs(names))


_MOVED = "issues(first:1,filterBy:{since:$since}){totalCount}"
_NEWEST = " milestones(first:1,orderBy:{field:UPDATED_AT,direction:DESC}){nodes{updatedAt}}"


@functools.lru_cache(maxsize=REPOSITORIES * 4)
def moved_document(count: int, milestones: bool, projects: bool) -> str:
    """Return the document that tells in which repositories and projects anything changed."""
    more = _NEWEST if milestones else ""
    each = f"r#:repository(owner:$owner#,name:$name#){{id nameWithOwner isArchived hasIssuesEnabled {_MOVED}{more}}}"
    variables = [
        *(f"$owner{at}:String!,$name{at}:String!" for at in range(count)),
        *(["$since:DateTime!"] if count else []),
        *(["$projects:[ID!]!"] if projects else []),
    ]
    asked = [each.replace("#", str(at)) for at in range(count)]
    if projects:
        asked.append("projects:nodes(ids:$projects){__typename ... on ProjectV2{id updatedAt}}")
    return f"query Moved({','.join(variables)}){{ {RATE} {' '.join(asked)} }}"


def moved(names: Sequence[str], since: str, *, milestones: bool = False, projects: Sequence[str] = ()) -> Call:
    """Ask where anything changed since a moment: counts of changed issues, and when projects (ids) changed last."""
    variables = _pairs(names)
    if names:
        variables["since"] = since
    if projects:
        variables["projects"] = list(projects[:IDS])
    return _ask(moved_document(len(names), milestones, bool(projects)), variables)


@functools.lru_cache(maxsize=4)
def organization_document(moved: bool, milestones: bool) -> str:
    """Return the document that lists an organization's repositories, with what changed in each where `moved`."""
    more = f" {_MOVED}{_NEWEST if milestones else ''}" if moved else ""
    since = ",$since:DateTime" if moved else ""
    return (
        f"query Organization($login:String!,$first:Int!,$after:String{since}){{ {RATE} "
        "organization(login:$login){id login "
        f"repositories(first:$first,after:$after,orderBy:{{field:NAME,direction:ASC}}){{totalCount {MORE} "
        f"nodes{{{_ROSTER}{more}}}}}}} }}"
    )


def organization(
    login: str,
    *,
    after: str | None = None,
    first: int = PAGE,
    since: str | None = None,
    milestones: bool = False,
    attempts: int = 4,
) -> Call:
    """List an organization's repositories by name; with `since`, how many issues changed in each."""
    variables: dict[str, Json] = {"login": login, "first": first, "after": after, "since": since}
    return _ask(organization_document(since is not None, milestones), variables, attempts)


@functools.lru_cache(maxsize=16)
def owner_document(can: frozenset[str]) -> str:
    """Return the document that reads an organization's issue types and issue fields."""
    types = f"issueTypes(first:100){{{MORE} nodes{{id name isEnabled}}}}" if "Organization.issueTypes" in can else ""
    options = "... on IssueFieldSingleSelect{options{id name}}"
    fields = (
        f"issueFields(first:100){{{MORE} nodes{{...Field {options}}}}}" if "Organization.issueFields" in can else ""
    )
    operation = f"query Owner($login:String!){{ {RATE} organization(login:$login){{id login {types} {fields}}} }}"
    return document(operation, Selection(can=can))


def owner(can: frozenset[str], login: str) -> Call:
    """Read an organization's issue types and issue fields."""
    return _ask(owner_document(can), {"login": login})


PROJECT = (
    f"query Project($login:String!,$number:Int!){{ {RATE} repositoryOwner(login:$login){{__typename login "
    "... on ProjectV2Owner{projectV2(number:$number){id number title url closed updatedAt owner{__typename} "
    f"fields(first:100){{{MORE} nodes{{...ProjectField "
    "... on ProjectV2SingleSelectField{options{id name}}}}}}} }"
    f"\n{PROJECT_FIELD}"
)


def project(login: str, number: int) -> Call:
    """Read a project, its fields and their options."""
    return _ask(PROJECT, {"login": login, "number": number})


@functools.lru_cache(maxsize=4)
def items_document(archived: bool, direction: str = ASC) -> str:
    """Return the document that lists the items of a project, archived ones too where the server can.

    From the last on, the page before is told as the one that follows.
    """
    states = ",archivedStates:[ARCHIVED,NOT_ARCHIVED]" if archived else ""
    window, more = (
        ("first:$first,after:$after", MORE)
        if direction == ASC
        else ("last:$first,before:$after", "pageInfo{hasNextPage:hasPreviousPage endCursor:startCursor}")
    )
    return (
        f"query Items($id:ID!,$first:Int!,$after:String){{ {RATE} "
        "node(id:$id){__typename ... on ProjectV2{id updatedAt "
        f"items({window}{states}){{totalCount {more} nodes{{id type isArchived updatedAt "
        "content{__typename ... on Issue{id repository{nameWithOwner}}}}}}} }"
    )


def items(
    can: frozenset[str],
    id: str,
    direction: str = ASC,
    *,
    after: str | None = None,
    first: int = PAGE,
    attempts: int = 4,
) -> Call:
    """List the items of a project from one end: what each is, and when it changed."""
    document = items_document("ProjectV2.items.archivedStates" in can, direction)
    return _ask(document, {"id": id, "first": first, "after": after}, attempts)


# --- names, for messages

REPOSITORIES_OF = (
    f"query RepositoriesOf($login:String!){{ {RATE} repositoryOwner(login:$login){{login "
    "repositories(first:100,orderBy:{field:PUSHED_AT,direction:DESC}){nodes{nameWithOwner}}} }"
)
PROJECTS_OF = (
    f"query ProjectsOf($login:String!){{ {RATE} repositoryOwner(login:$login){{login "
    "... on ProjectV2Owner{projectsV2(first:100){nodes{number title}}}} }"
)
ORGANIZATIONS = f"query Organizations{{ {RATE} viewer{{login organizations(first:100){{nodes{{login}}}}}} }}"


def repositories_of(login: str) -> Call:
    """List repositories of an owner by name, for saying what may have been meant."""
    return _ask(REPOSITORIES_OF, {"login": login})


def projects_of(login: str) -> Call:
    """List projects of an owner by number and title, for saying what may have been meant."""
    return _ask(PROJECTS_OF, {"login": login})


def organizations() -> Call:
    """List the organizations of our account, for saying what may have been meant."""
    return _ask(ORGANIZATIONS, {})


def capabilities() -> Call:
    """Ask who we are and what the server's schema has."""
    return _ask(CAPABILITIES, {})


# --- REST; `rest` is what comes before the path: nothing, or /v3 on an Enterprise Server


def _get(path: str, headers: Mapping[str, str] | None = None, accepts: tuple[int, ...] = (), **params: str) -> Call:
    return Call(method="GET", path=path, params=params, headers=headers or {}, accepts=accepts)


def rate_limit(rest: str) -> Call:
    """Ask for all limits of the account; costs nothing."""
    return _get(f"{rest}/rate_limit")


def repository(rest: str, full: str) -> Call:
    """Read a repository; the answer's headers tell the token's scopes."""
    return _get(f"{rest}/repos/{_path(full)}")


def issue(rest: str, full: str, number: int) -> Call:
    """Read an issue: 301 where it was transferred, 404 where it is hidden, 410 where it was deleted: all answers."""
    return _get(f"{rest}/repos/{_path(full)}/issues/{int(number)}", accepts=(301, 404, 410))


def issues(rest: str, full: str, since: str | None = None, etag: str | None = None) -> Call:
    """List issues and pull requests, oldest change first; with `etag` an unchanged list is answered with 304.

    301 is an answer too: where a renamed repository is now.
    """
    params = {"state": "all", "sort": "updated", "direction": "asc", "per_page": str(PAGE)}
    if since:
        params["since"] = since
    asked = {"if-none-match": etag} if etag else None
    return _get(f"{rest}/repos/{_path(full)}/issues", asked, (301, 304), **params)


def planning_statuses(rest: str, full: str) -> Call:
    """List the issue statuses of a repository; 404 where it is not enrolled in the preview."""
    return _get(f"{rest}/repos/{_path(full)}/planning-statuses")


def split_name(full: str) -> tuple[str, str]:
    """Return owner and name of ``owner/name``; refuse what is neither, so that no text can name another path."""
    owner, _, name = full.partition("/")
    if any(not _NAME.fullmatch(part) or part in (".", "..") for part in (owner, name)):
        raise ValueError(f"not a repository: {full!r}")
    return owner, name


def _path(full: str) -> str:
    return "/".join(split_name(full))
