"""What the projects of a simulated GitHub consist of: fields, items, and what items say.

No behaviour but what follows from a value itself: how they change is `github_projects`. Attributes are named as in
GitHub's GraphQL schema, in snake case.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as slot
from datetime import date as Day
from datetime import datetime, timedelta
from typing import Any

from app.demo.github_things import (
    Account,
    Issue,
    IssueField,
    IssueFieldValue,
    Milestone,
    Option,
    PullRequest,
    Repository,
    node_id,
)


@dataclass(slots=True, kw_only=True, eq=False)
class Project:
    """A project of an organization or a user. `updated_at` moves with its items and their fields."""

    owner: Account
    number: int
    id_number: int
    title: str
    creator: Account
    created_at: datetime
    updated_at: datetime
    short_description: str | None = None
    fields: list[ProjectField] = slot(default_factory=list)
    items: list[ProjectItem] = slot(default_factory=list, repr=False)
    statuses: list[Status] = slot(default_factory=list, repr=False)
    hidden: bool = False
    closed_at: datetime | None = None
    typename = "ProjectV2"
    readme = None
    public = template = False
    viewer_can_update: bool = True

    @property
    def id(self) -> str:
        return node_id("PVT", self.owner.number, self.id_number)

    @property
    def full_database_id(self) -> str:
        return str(self.id_number)

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def resource_path(self) -> str:
        place = "orgs" if self.owner.typename == "Organization" else "users"
        return f"/{place}/{self.owner.login}/projects/{self.number}"

    @property
    def url(self) -> str:
        return self.owner.site.url + self.resource_path

    def field(self, name: str) -> ProjectField | None:
        """Return the field of that name, compared without case as GitHub does."""
        return next((one for one in self.fields if one.name.casefold() == name.casefold()), None)


@dataclass(slots=True, kw_only=True, eq=False)
class Status:
    """A status update of a project; `status` is ON_TRACK, AT_RISK, OFF_TRACK, COMPLETE, INACTIVE or none."""

    project: Project
    id_number: int
    creator: Account
    created_at: datetime
    updated_at: datetime
    body: str | None = None
    status: str | None = None
    typename = "ProjectV2StatusUpdate"

    @property
    def id(self) -> str:
        return node_id("PVTSU", self.project.owner.number, self.id_number)

    @property
    def full_database_id(self) -> str:
        return str(self.id_number)


@dataclass(slots=True, kw_only=True, eq=False)
class Iteration:
    """An iteration of a project's iteration field; `duration` is in days."""

    id: str
    title: str
    start_date: Day
    duration: int

    @property
    def end(self) -> Day:
        return self.start_date + timedelta(days=self.duration)


@dataclass(slots=True, kw_only=True, eq=False)
class ProjectField:
    """A field of a project; `issue_field` is the organization's field that it shows, if it is one of those."""

    project: Project = slot(repr=False)
    number: int
    name: str
    data_type: str
    created_at: datetime
    updated_at: datetime
    options: list[Option] = slot(default_factory=list)
    iterations: list[Iteration] = slot(default_factory=list)
    issue_field: IssueField | None = None

    @property
    def typename(self) -> str:
        kinds = {"SINGLE_SELECT": "ProjectV2SingleSelectField", "ITERATION": "ProjectV2IterationField"}
        return kinds.get(self.data_type, "ProjectV2Field")

    @property
    def id(self) -> str:
        prefix = {"SINGLE_SELECT": "PVTSSF", "ITERATION": "PVTIF"}.get(self.data_type, "PVTF")
        return node_id(prefix, self.project.owner.number, self.project.id_number, self.number)

    @property
    def configuration(self) -> dict[str, Any]:
        today = self.project.owner.site.now().date()
        return {
            "duration": 14,
            "startDay": 1,
            "iterations": [one for one in self.iterations if one.end > today],
            "completedIterations": [one for one in self.iterations if one.end <= today],
        }


@dataclass(slots=True, kw_only=True, eq=False)
class Draft:
    """A draft in a project: text that is no issue yet."""

    number: int
    title: str
    creator: Account
    created_at: datetime
    updated_at: datetime
    body: str = ""
    assignees: list[Account] = slot(default_factory=list)
    typename = "DraftIssue"

    @property
    def id(self) -> str:
        return node_id("DI", self.number)

    @property
    def body_text(self) -> str:
        return self.body


@dataclass(slots=True, kw_only=True, eq=False)
class ProjectItem:
    """A row of a project. Where its repository is out of our sight it is redacted: no content."""

    project: Project = slot(repr=False)
    id_number: int
    holds: Issue | PullRequest | Draft
    creator: Account
    created_at: datetime
    updated_at: datetime
    is_archived: bool = False
    values: dict[str, ItemValue] = slot(default_factory=dict)
    typename = "ProjectV2Item"

    @property
    def id(self) -> str:
        return node_id("PVTI", self.project.owner.number, self.project.id_number, self.id_number)

    @property
    def full_database_id(self) -> str:
        return str(self.id_number)

    @property
    def content(self) -> Issue | PullRequest | Draft | None:
        hidden = not isinstance(self.holds, Draft) and self.holds.repository.hidden
        return None if hidden else self.holds

    @property
    def type(self) -> str:
        kinds = {"Issue": "ISSUE", "PullRequest": "PULL_REQUEST", "DraftIssue": "DRAFT_ISSUE"}
        return "REDACTED" if self.content is None else kinds[self.holds.typename]


_ITEM_VALUES = {
    "NUMBER": "Number", "DATE": "Date", "TEXT": "Text", "TITLE": "Text", "SINGLE_SELECT": "SingleSelect",
    "ITERATION": "Iteration", "LABELS": "Label", "MILESTONE": "Milestone", "REPOSITORY": "Repository",
    "ASSIGNEES": "User",
}  # fmt: skip


@dataclass(slots=True, kw_only=True, eq=False)
class ItemValue:
    """What an item says in a field of its project: what `content` is hangs on the field's type."""

    field: ProjectField
    item: ProjectItem = slot(repr=False)
    content: Any
    created_at: datetime
    updated_at: datetime

    @property
    def typename(self) -> str:
        if self.field.issue_field is not None:
            return "ProjectV2ItemIssueFieldValue"
        return f"ProjectV2ItemField{_ITEM_VALUES[self.field.data_type]}Value"

    @property
    def id(self) -> str:
        return node_id("PVTFV", self.item.id_number, self.field.number)

    @property
    def creator(self) -> Account:
        return self.item.creator

    @property
    def said(self) -> str:
        """The value for people."""
        told = getattr(self.content, "name", None) or getattr(self.content, "title", None) or self.content
        return f"{told:g}" if isinstance(told, float) else str(told)

    @property
    def number(self) -> float:
        return float(self.content)

    @property
    def text(self) -> str:
        return str(self.content)

    @property
    def date(self) -> Day:
        day: Day = self.content
        return day

    @property
    def name(self) -> str:
        return str(self.content.name)

    @property
    def option_id(self) -> str:
        return str(self.content.id)

    @property
    def color(self) -> str:
        return str(self.content.color)

    @property
    def description(self) -> str:
        return str(self.content.description)

    @property
    def iteration_id(self) -> str:
        return str(self.content.id)

    @property
    def title(self) -> str:
        return str(self.content.title)

    @property
    def start_date(self) -> Day:
        day: Day = self.content.start_date
        return day

    @property
    def duration(self) -> int:
        return int(self.content.duration)

    @property
    def milestone(self) -> Milestone:
        return self.content  # type: ignore[no-any-return]  # what the field's type says

    @property
    def repository(self) -> Repository:
        return self.content  # type: ignore[no-any-return]  # same

    @property
    def issue_field_value(self) -> IssueFieldValue:
        return self.content  # type: ignore[no-any-return]  # same
