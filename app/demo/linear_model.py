"""What a simulated Linear workspace consists of, as values that point at each other.

No behaviour but what follows from a value itself: how things change is `linear_site`, how they are told `linear_graph`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

STATE_TYPES = ("triage", "backlog", "unstarted", "started", "completed", "canceled", "duplicate")
CANCELED = ("canceled", "duplicate")
PRIORITIES = ("No priority", "Urgent", "High", "Medium", "Low")


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Row:
    """What everything in Linear has: an id that never changes, and when it came and last changed."""

    id: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {getattr(self, 'identifier', None) or getattr(self, 'name', self.id)}>"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class User(Row):
    """An account; the names of a sample workspace are roles, never people. `app` is one that a program acts as."""

    name: str
    display_name: str
    email: str
    active: bool = True
    admin: bool = False
    app: bool = False
    guest: bool = False
    owner: bool = False
    timezone: str | None = "Europe/Berlin"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Team(Row):
    """A team. `hidden` means that our account is no member of it, and it is private."""

    key: str
    name: str
    description: str | None = None
    visibility: str = "public"
    hidden: bool = False
    parent: Team | None = None
    retired_at: datetime | None = None
    timezone: str = "Europe/Berlin"
    issue_estimation_type: str = "fibonacci"
    issue_estimation_allow_zero: bool = False
    issue_estimation_extended: bool = False
    default_issue_estimate: float = 1.0
    inherit_issue_estimation: bool = False
    inherit_workflow_statuses: bool = False
    cycles_enabled: bool = True
    triage_enabled: bool = True
    last_number: int = 0


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class State(Row):
    """A workflow state of one team; `type` is one of `STATE_TYPES`, though Linear says String."""

    name: str
    type: str
    team: Team
    position: float = 0.0
    color: str = "#95a2b3"
    description: str | None = None
    inherited_from: State | None = None


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Label(Row):
    """A label of issues, projects or initiatives; a group holds others and is never set itself."""

    name: str
    color: str = "#5e6ad2"
    description: str | None = None
    is_group: bool = False
    parent: Label | None = None
    team: Team | None = None


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Cycle(Row):
    """A cycle of a team."""

    team: Team
    number: int
    starts_at: datetime
    ends_at: datetime
    name: str | None = None
    description: str | None = None
    completed_at: datetime | None = None
    auto_archived_at: datetime | None = None


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class ProjectStatus(Row):
    """A status of projects; `type` is backlog, planned, started, paused, completed or canceled."""

    name: str
    type: str
    position: float
    color: str = "#95a2b3"
    description: str | None = None
    indefinite: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Where Linear's own sync keeps the same work: ``github`` or ``jira``, and what is known of it there."""

    id: str
    service: str
    metadata: Mapping[str, Any]


def on_github(owner: str, repo: str, number: int) -> Mirror:
    """Return the mirror that an issue of GitHub is."""
    known = {"__typename": "ExternalEntityInfoGithubMetadata", "owner": owner, "repo": repo, "number": number}
    return Mirror(id=f"{owner}/{repo}#{number}", service="github", metadata=known)


def in_jira(key: str, id_: str = "10001") -> Mirror:
    """Return the mirror that an issue of Jira is."""
    known = {
        "__typename": "ExternalEntityInfoJiraMetadata",
        "issueKey": key,
        "projectId": "10000",
        "issueTypeId": "10002",
    }
    return Mirror(id=id_, service="jira", metadata=known)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Link(Row):
    """An external link of a project or an initiative."""

    label: str
    url: str
    project: Project | None = None
    initiative: Initiative | None = None
    creator: User | None = None
    sort_order: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Update(Row):
    """A project update or an initiative update: health in words of the vendor, and a text."""

    health: str
    body: str
    user: User
    slug_id: str
    project: Project | None = None
    initiative: Initiative | None = None
    edited_at: datetime | None = None
    is_diff_hidden: bool = False
    is_stale: bool = False


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Project(Row):
    """A project of one or more teams; progress and weekly arrays are derived and never move `updated_at`."""

    slug_id: str
    name: str
    status: ProjectStatus
    teams: list[Team]
    description: str = ""
    content: str | None = None
    color: str = "#5e6ad2"
    icon: str | None = None
    priority: int = 0
    sort_order: float = 0.0
    lead: User | None = None
    creator: User | None = None
    members: list[User] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    start_date: date | None = None
    start_date_resolution: str | None = None
    target_date: date | None = None
    target_date_resolution: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    auto_archived_at: datetime | None = None
    trashed: bool | None = None
    health: str | None = None
    health_updated_at: datetime | None = None
    updates: list[Update] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    milestones: list[Milestone] = field(default_factory=list)
    synced_with: list[Mirror] | None = None
    number: int = 0


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Milestone(Row):
    """A milestone of a project."""

    name: str
    project: Project
    description: str | None = None
    target_date: date | None = None
    sort_order: float = 0.0


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Initiative(Row):
    """An initiative; it has no progress of its own."""

    slug_id: str
    name: str
    status: str = "Planned"
    description: str | None = None
    content: str | None = None
    color: str | None = "#5e6ad2"
    icon: str | None = None
    priority: int = 0
    sort_order: float = 0.0
    owner: User | None = None
    creator: User | None = None
    labels: list[Label] = field(default_factory=list)
    target_date: date | None = None
    target_date_resolution: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    trashed: bool | None = None
    health: str | None = None
    health_updated_at: datetime | None = None
    updates: list[Update] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class InitiativeToProject(Row):
    """A project's place under an initiative."""

    initiative: Initiative
    project: Project
    sort_order: str = "0"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class InitiativeRelation(Row):
    """An initiative's place under another: `initiative` is the parent."""

    initiative: Initiative
    related_initiative: Initiative
    sort_order: float = 0.0
    user: User | None = None


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Issue(Row):
    """An issue as it is now, and the entries of its history, oldest first."""

    team: Team
    number: int
    title: str
    state: State
    creator: User
    previous_identifiers: list[str] = field(default_factory=list)
    description: str | None = None
    estimate: float | None = None
    priority: int = 0
    sort_order: float = 0.0
    sub_issue_sort_order: float | None = None
    assignee: User | None = None
    delegate: User | None = None
    project: Project | None = None
    project_milestone: Milestone | None = None
    parent: Issue | None = None
    cycle: Cycle | None = None
    labels: list[Label] = field(default_factory=list)
    started_at: datetime | None = None
    started_triage_at: datetime | None = None
    triaged_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    auto_archived_at: datetime | None = None
    auto_closed_at: datetime | None = None
    added_to_project_at: datetime | None = None
    added_to_cycle_at: datetime | None = None
    added_to_team_at: datetime | None = None
    snoozed_until_at: datetime | None = None
    trashed: bool | None = None
    due_date: date | None = None
    synced_with: list[Mirror] | None = None
    histories: list[History] = field(default_factory=list)
    relations: list[IssueRelation] = field(default_factory=list)
    inverse_relations: list[IssueRelation] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)

    @property
    def identifier(self) -> str:
        """The name for people; it changes with the team."""
        return f"{self.team.key}-{self.number}"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class IssueRelation(Row):
    """`issue` blocks, duplicates, is related or similar to `related_issue`."""

    type: str
    issue: Issue
    related_issue: Issue


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Attachment(Row):
    """A card on an issue; there is one an issue and address."""

    issue: Issue
    url: str
    title: str
    subtitle: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    source: dict[str, Any] | None = None
    source_type: str | None = None
    group_by_source: bool = False
    creator: User | None = None


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class History(Row):
    """One entry of an issue's history; `told` holds what changed under Linear's names (``fromState``)."""

    issue: Issue
    actor: User | None
    told: dict[str, Any]


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Webhook(Row):
    """A webhook that somebody registered."""

    url: str
    secret: str
    resource_types: list[str]
    label: str | None = None
    enabled: bool = True
    team: Team | None = None
    all_public_teams: bool = False
    creator: User | None = None


RESOURCES = (
    "Issue", "Comment", "IssueLabel", "Attachment", "Reaction", "Project", "ProjectLabel", "ProjectUpdate",
    "Initiative", "InitiativeUpdate", "Cycle", "Document", "Customer", "CustomerNeed", "User", "Release", "ReleaseNote",
    "IssueSLA", "OAuthAuthorization", "PermissionChange", "AppUserNotification", "AgentSessionEvent",
)  # fmt: skip
"""What a webhook can be told about"""
Told = Issue | Project | Initiative
"""What webhooks tell about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened and that a webhook would tell: ``create``, ``update`` or ``remove`` of a row.

    `updated_from` holds the old values of what changed, under the names that deliveries use; `said` says it for people.
    """

    action: str
    row: Told
    at: datetime
    actor: User
    updated_from: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""
    number: int = 0

    @property
    def type(self) -> str:
        """Linear's name of the kind: ``Issue``, ``Project``, ``Initiative``."""
        return type(self.row).__name__

    @property
    def key(self) -> str:
        """The name of the row for people."""
        return self.row.identifier if isinstance(self.row, Issue) else self.row.name
