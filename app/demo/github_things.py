"""What a simulated GitHub consists of, as values that point at each other, with the ids and addresses they have.

No behaviour but what follows from a value itself: how things change is `github_site`, how they are told `github_graph`
and `github_rest`; projects are in `github_boards`. Attributes are named as in GitHub's GraphQL schema, in snake case.
"""

from __future__ import annotations

import base64
import functools
from abc import ABC, abstractmethod
from dataclasses import dataclass
from dataclasses import field as slot
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.demo.github_boards import Project, ProjectItem
    from app.demo.github_site import Site

Event = dict[str, Any]
"""An entry of a timeline: ``__typename`` and the keys of that type in GitHub's GraphQL schema"""

MAX_INT = 2**31 - 1


@functools.lru_cache(maxsize=65_536)
def node_id(prefix: str, *numbers: int) -> str:
    """Return an opaque id as GitHub makes them: a prefix, and MessagePack of 0 and 32-bit numbers in base64."""
    packed = bytes([0x90 + 1 + len(numbers), 0]) + b"".join(b"\xce" + n.to_bytes(4, "big") for n in numbers)
    return f"{prefix}_{base64.urlsafe_b64encode(packed).decode().rstrip('=')}"


def database_id(number: int) -> int | None:
    """Return what `databaseId` says: nothing where the number does not fit GraphQL's Int."""
    return number if number <= MAX_INT else None


class Page(ABC):
    """What has a page of its own on the site."""

    __slots__ = ()

    @property
    @abstractmethod
    def site(self) -> Site: ...

    @property
    @abstractmethod
    def resource_path(self) -> str: ...

    @property
    def url(self) -> str:
        return self.site.url + self.resource_path


class InRepository(Page):
    """What belongs to a repository."""

    __slots__ = ()
    repository: Repository

    @property
    def site(self) -> Site:
        return self.repository.site


class Counted:
    """What has a number among all of its kind on the site."""

    __slots__ = ()
    id_number: int

    @property
    def database_id(self) -> int | None:
        return database_id(self.id_number)

    @property
    def full_database_id(self) -> str:
        return str(self.id_number)


@dataclass(slots=True, kw_only=True, eq=False)
class Account(Page):
    """A user, an organization or a bot (`typename`); the names of a sample site are roles, never people."""

    site: Site = slot(repr=False)
    typename: str
    number: int
    login: str
    name: str | None
    created_at: datetime
    issue_types: list[IssueType] = slot(default_factory=list)
    issue_fields: list[IssueField] = slot(default_factory=list)
    projects: list[Project] = slot(default_factory=list, repr=False)

    @property
    def id(self) -> str:
        return node_id({"User": "U", "Bot": "BOT"}.get(self.typename, "O"), self.number)

    @property
    def database_id(self) -> int | None:
        return database_id(self.number)

    @property
    def resource_path(self) -> str:
        return f"/apps/{self.login.removesuffix('[bot]')}" if self.typename == "Bot" else f"/{self.login}"

    @property
    def is_viewer(self) -> bool:
        return self is self.site.me


@dataclass(slots=True, kw_only=True, eq=False)
class Hook:
    """A webhook of a repository, of an organization, or (`place` None) the one of the GitHub App.

    `content_type` is ``json`` or ``form``, which is what GitHub takes where nobody says.
    """

    id: int
    place: Repository | Account | None
    url: str
    events: list[str]
    created_at: datetime
    updated_at: datetime
    content_type: str = "form"
    secret: str | None = None
    insecure_ssl: str = "0"
    active: bool = True


@dataclass(slots=True, kw_only=True, eq=False)
class Repository(Page):
    """A repository. `hidden`: our account lost sight of it; `forbidden`: it is seen and may not be read."""

    owner: Account
    number: int
    name: str
    created_at: datetime
    description: str | None = None
    is_private: bool = True
    is_archived: bool = False
    archived_at: datetime | None = None
    has_issues_enabled: bool = True
    hidden: bool = False
    forbidden: bool = False
    viewer_permission: str = "WRITE"
    labels: list[Label] = slot(default_factory=list)
    milestones: list[Milestone] = slot(default_factory=list)
    issues: list[Issue] = slot(default_factory=list, repr=False)
    pulls: list[PullRequest] = slot(default_factory=list, repr=False)
    last_number: int = 0
    typename = "Repository"
    is_disabled = is_fork = is_locked = False
    has_projects_enabled = True

    @property
    def id(self) -> str:
        return node_id("R", self.number)

    @property
    def database_id(self) -> int | None:
        return database_id(self.number)

    @property
    def name_with_owner(self) -> str:
        return f"{self.owner.login}/{self.name}"

    @property
    def resource_path(self) -> str:
        return f"/{self.name_with_owner}"

    @property
    def site(self) -> Site:
        return self.owner.site

    @property
    def api_url(self) -> str:
        return f"{self.site.api_url}/repos/{self.name_with_owner}"

    @property
    def is_in_organization(self) -> bool:
        return self.owner.typename == "Organization"

    @property
    def visibility(self) -> str:
        return "PRIVATE" if self.is_private else "PUBLIC"

    @property
    def updated_at(self) -> datetime:
        return self.archived_at or self.created_at

    @property
    def pushed_at(self) -> datetime:
        return self.created_at

    @property
    def viewer_can_administer(self) -> bool:
        return self.viewer_permission == "ADMIN"

    @property
    def viewer_can_see_issue_fields(self) -> bool:
        return self.is_in_organization


@dataclass(slots=True, kw_only=True, eq=False)
class Label(InRepository):
    """A label of a repository."""

    repository: Repository
    number: int
    name: str
    created_at: datetime
    updated_at: datetime
    color: str = "ededed"
    description: str | None = None
    is_default: bool = False
    typename = "Label"

    @property
    def id(self) -> str:
        return node_id("LA", self.repository.number, self.number)

    @property
    def resource_path(self) -> str:
        return f"{self.repository.resource_path}/labels/{self.name.replace('/', '%2F')}"


@dataclass(slots=True, kw_only=True, eq=False)
class Milestone(InRepository):
    """A milestone of a repository; `due_on` is a moment, midnight as GitHub has it."""

    repository: Repository
    id_number: int
    number: int
    title: str
    creator: Account
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    due_on: datetime | None = None
    closed_at: datetime | None = None
    typename = "Milestone"

    @property
    def id(self) -> str:
        return node_id("MI", self.repository.number, self.id_number)

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def state(self) -> str:
        return "CLOSED" if self.closed else "OPEN"

    @property
    def issues(self) -> list[Issue]:
        return [issue for issue in self.repository.issues if issue.milestone is self]

    @property
    def open_issue_count(self) -> int:
        return sum(not issue.closed for issue in self.issues)

    @property
    def closed_issue_count(self) -> int:
        return sum(issue.closed for issue in self.issues)

    @property
    def progress_percentage(self) -> float:
        issues = self.issues
        return 100.0 * sum(issue.closed for issue in issues) / len(issues) if issues else 0.0

    @property
    def resource_path(self) -> str:
        return f"{self.repository.resource_path}/milestone/{self.number}"


@dataclass(slots=True, kw_only=True, eq=False)
class IssueType:
    """An issue type of an organization."""

    owner: Account
    number: int
    name: str
    color: str = "BLUE"
    description: str | None = None
    is_enabled: bool = True
    typename = "IssueType"

    @property
    def id(self) -> str:
        return node_id("IT", self.owner.number, self.number)


@dataclass(slots=True, kw_only=True, eq=False)
class Option:
    """An option of a single-select field, of an organization or of a project; its id says nothing of its name."""

    id: str
    number: int
    name: str
    color: str = "GRAY"
    description: str = ""
    typename = "IssueFieldSingleSelectOption"

    @property
    def database_id(self) -> int | None:
        return database_id(self.number)

    @property
    def full_database_id(self) -> str:
        return str(self.number)

    @property
    def priority(self) -> int | None:
        return None


_ISSUE_FIELDS = {
    "NUMBER": ("Number", "IFN"), "DATE": ("Date", "IFD"), "TEXT": ("Text", "IFT"),
    "SINGLE_SELECT": ("SingleSelect", "IFSS"), "MULTI_SELECT": ("MultiSelect", "IFMS"),
}  # fmt: skip
"""By data type: the name of the GraphQL type, and how ids begin"""


@dataclass(slots=True, kw_only=True, eq=False)
class IssueField:
    """A field of the issues of an organization; `data_type` is NUMBER, DATE, TEXT, SINGLE_SELECT or MULTI_SELECT."""

    owner: Account
    number: int
    name: str
    data_type: str
    created_at: datetime
    options: list[Option] = slot(default_factory=list)
    description: str | None = None
    visibility = "ORG_ONLY"

    @property
    def typename(self) -> str:
        return f"IssueField{_ISSUE_FIELDS[self.data_type][0]}"

    @property
    def id(self) -> str:
        return node_id(_ISSUE_FIELDS[self.data_type][1], self.number)

    @property
    def full_database_id(self) -> str:
        return str(self.number)

    def option(self, name: str) -> Option:
        """Return the option of that name."""
        return next(option for option in self.options if option.name == name)


@dataclass(slots=True, kw_only=True, eq=False)
class IssueFieldValue:
    """What an issue says in a field: a number, an ISO date, a text, an option, or several."""

    field: IssueField
    number: int
    content: float | str | Option | tuple[Option, ...]

    @property
    def typename(self) -> str:
        return f"{self.field.typename}Value"

    @property
    def id(self) -> str:
        return node_id("IFV", self.number)

    @property
    def options(self) -> tuple[Option, ...]:
        return self.content if isinstance(self.content, tuple) else ()

    @property
    def value(self) -> float | str:
        if isinstance(self.content, tuple):
            return ",".join(option.name for option in self.content)
        return self.content.name if isinstance(self.content, Option) else self.content

    @property
    def name(self) -> str:
        return str(self.value)

    @property
    def option_id(self) -> str | None:
        return self.content.id if isinstance(self.content, Option) else None

    @property
    def color(self) -> str:
        return self.content.color if isinstance(self.content, Option) else "GRAY"

    @property
    def description(self) -> str | None:
        return self.content.description if isinstance(self.content, Option) else None

    @property
    def said(self) -> str:
        """The value as timelines have it: whole numbers without a decimal point."""
        return f"{self.content:g}" if isinstance(self.content, float) else str(self.value)


@dataclass(slots=True, kw_only=True, eq=False)
class Issue(InRepository, Counted):
    """An issue as it is now. `gone` is ``deleted``, ``transferred`` (to `moved_to`) or ``converted``."""

    repository: Repository
    number: int
    id_number: int
    title: str
    author: Account
    created_at: datetime
    updated_at: datetime
    body: str = ""
    state: str = "OPEN"
    state_reason: str | None = None
    closed_at: datetime | None = None
    closed_by: Account | None = None
    duplicate_of: Issue | None = None
    issue_type: IssueType | None = None
    labels: list[Label] = slot(default_factory=list)
    assignees: list[Account] = slot(default_factory=list)
    milestone: Milestone | None = None
    parent: Issue | None = slot(default=None, repr=False)
    children: list[Issue] = slot(default_factory=list, repr=False)
    blocked_by: list[Issue] = slot(default_factory=list, repr=False)
    blocking: list[Issue] = slot(default_factory=list, repr=False)
    values: dict[str, IssueFieldValue] = slot(default_factory=dict)
    items: list[ProjectItem] = slot(default_factory=list, repr=False)
    comments: list[Comment] = slot(default_factory=list, repr=False)
    timeline: list[Event | Comment] = slot(default_factory=list, repr=False)
    locked: bool = False
    is_pinned: bool = False
    gone: str | None = None
    moved_to: Issue | None = None
    typename = "Issue"
    viewer_did_author = False

    @property
    def id(self) -> str:
        return node_id("I", self.repository.number, self.id_number)

    @property
    def key(self) -> str:
        """The name that people use: ``owner/repo#7``."""
        return f"{self.repository.name_with_owner}#{self.number}"

    @property
    def resource_path(self) -> str:
        return f"{self.repository.resource_path}/issues/{self.number}"

    @property
    def api_url(self) -> str:
        return f"{self.repository.api_url}/issues/{self.number}"

    @property
    def closed(self) -> bool:
        return self.state == "CLOSED"

    @property
    def body_text(self) -> str:
        return self.body

    @property
    def published_at(self) -> datetime:
        return self.created_at

    @property
    def active_lock_reason(self) -> str | None:
        return "RESOLVED" if self.locked else None

    @property
    def viewer_can_update(self) -> bool:
        return self.repository.viewer_permission in ("WRITE", "MAINTAIN", "ADMIN")

    @property
    def viewer_can_set_fields(self) -> bool:
        return self.viewer_can_update

    @property
    def sub_issues_summary(self) -> dict[str, int]:
        children = [child for child in self.children if not child.repository.hidden]
        done = sum(child.closed for child in children)
        percent = 100 * done // len(children) if children else 0
        return {"total": len(children), "completed": done, "percentCompleted": percent}

    @property
    def issue_dependencies_summary(self) -> dict[str, int]:
        return {
            "blockedBy": sum(not issue.closed for issue in self.blocked_by),
            "totalBlockedBy": len(self.blocked_by),
            "blocking": sum(not issue.closed for issue in self.blocking),
            "totalBlocking": len(self.blocking),
        }


@dataclass(slots=True, kw_only=True, eq=False)
class PullRequest(InRepository, Counted):
    """A pull request: it shares the numbers of issues, and REST lists it among them."""

    repository: Repository
    number: int
    id_number: int
    title: str
    author: Account
    created_at: datetime
    updated_at: datetime
    body: str = ""
    state: str = "OPEN"
    closed_at: datetime | None = None
    typename = "PullRequest"

    @property
    def id(self) -> str:
        return node_id("PR", self.repository.number, self.id_number)

    @property
    def closed(self) -> bool:
        return self.state != "OPEN"

    @property
    def resource_path(self) -> str:
        return f"{self.repository.resource_path}/pull/{self.number}"


@dataclass(slots=True, kw_only=True, eq=False)
class Comment(Page, Counted):
    """A comment on an issue."""

    issue: Issue
    id_number: int
    author: Account
    body: str
    created_at: datetime
    updated_at: datetime
    last_edited_at: datetime | None = None
    deleted: bool = False
    typename = "IssueComment"
    is_minimized = False
    pull_request = None

    @property
    def id(self) -> str:
        return node_id("IC", self.issue.repository.number, self.id_number)

    @property
    def body_text(self) -> str:
        return self.body

    @property
    def site(self) -> Site:
        return self.repository.site

    @property
    def repository(self) -> Repository:
        return self.issue.repository

    @property
    def resource_path(self) -> str:
        return f"{self.issue.resource_path}#issuecomment-{self.id_number}"

    @property
    def viewer_did_author(self) -> bool:
        return self.author.is_viewer

    @property
    def viewer_can_update(self) -> bool:
        return self.author.is_viewer or self.repository.viewer_can_administer

    @property
    def viewer_can_delete(self) -> bool:
        return self.viewer_can_update


@dataclass(slots=True, kw_only=True, eq=False)
class Discussion(InRepository, Counted):
    """A discussion, as far as one that was an issue is known."""

    repository: Repository
    number: int
    id_number: int
    title: str
    author: Account
    created_at: datetime
    updated_at: datetime
    body: str = ""
    typename = "Discussion"

    @property
    def id(self) -> str:
        return node_id("D", self.repository.number, self.id_number)

    @property
    def resource_path(self) -> str:
        return f"{self.repository.resource_path}/discussions/{self.number}"
