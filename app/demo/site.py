"""A simulated Jira site in memory: projects, issues, their past, and every way they change.

No HTTP and no JSON of an answer here: `jira_bodies` writes answers, `jira` serves them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from app.demo.faults import Faults

POINTS = "customfield_10016"
SPRINT = "customfield_10020"
EPIC_LINK = "customfield_10014"
START_DATE = "customfield_10015"
TEAM = "customfield_10040"
OKR_PROGRESS = "customfield_10050"
OKR_HEALTH = "customfield_10051"
OKR_STATE = "customfield_10052"

WRITABLE_CUSTOM = {START_DATE, OKR_PROGRESS, OKR_HEALTH, OKR_STATE}
OKR_STATES = {"On Track": "10901", "At Risk": "10902", "Off Track": "10903", "Achieved": "10904"}
"""options of the select field, and their ids"""

COMMENTING = {"ADD_COMMENTS", "EDIT_OWN_COMMENTS", "DELETE_OWN_COMMENTS"}
"""permissions"""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """An account; the names of a sample site are roles, never people."""

    id: str
    name: str
    email: str | None = None
    time_zone: str = "Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueType:
    """A type with Jira's hierarchy level: -1 sub-task, 0 base, 1 epic, 2 and more above."""

    id: str
    name: str
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A status with the key of Jira's category: ``new``, ``indeterminate`` or ``done``."""

    id: str
    name: str
    category: str


@dataclass(slots=True, kw_only=True)
class Project:
    """A project; `hidden` means that our account lost the permission to browse it."""

    id: int
    key: str
    name: str
    style: str = "classic"
    hidden: bool = False
    last_number: int = 0


@dataclass(slots=True, kw_only=True)
class Sprint:
    """A sprint of a board; `state` is ``future``, ``active`` or ``closed``."""

    id: int
    name: str
    state: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One changed field of a history; None is what Jira really sends there. `before`/`after` are the ids."""

    field: str
    field_id: str | None
    kind: str = "jira"
    before: str | None = None
    before_text: str | None = None
    after: str | None = None
    after_text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One entry of an issue's changelog."""

    id: int
    at: datetime
    author: str
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueLink:
    """One side of a link: `outward` says whether this issue is the source (it blocks `other`)."""

    id: int
    type: str
    outward: bool
    other: int


@dataclass(slots=True, kw_only=True)
class Issue:
    """An issue as it is now; `past` holds states that a lagging index may still show."""

    id: int
    key: str
    project: int
    type: str
    status: str
    summary: str
    created: datetime
    updated: datetime
    written: datetime
    parent: int | None = None
    labels: tuple[str, ...] = ()
    points: float | None = None
    team: str | None = None
    assignee: str | None = None
    sprints: tuple[int, ...] = ()
    resolution: str | None = None
    resolved: datetime | None = None
    category_changed: datetime | None = None
    due: date | None = None
    start: date | None = None
    estimate_seconds: int | None = None
    description: str | None = None
    custom: dict[str, Any] = field(default_factory=dict)
    links: tuple[IssueLink, ...] = ()
    secured: bool = False
    deleted: bool = False
    histories: list[History] = field(default_factory=list)
    properties: dict[str, Any] = field(default_factory=dict)
    remote_links: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    past: list[tuple[datetime, Issue | None]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Hook:
    """A registered webhook. `kind` is ``admin``, ``dynamic`` (of an OAuth app, until `expires`) or ``data center``.

    No `events` means all of them, no `jql` all issues; `fields` are those whose change a dynamic one is told.
    """

    id: int
    kind: str
    url: str
    name: str
    updated: datetime
    events: list[str] = field(default_factory=list)
    jql: str = ""
    fields: list[str] = field(default_factory=list)
    property_keys: list[str] = field(default_factory=list)
    secret: str | None = None
    enabled: bool = True
    exclude_body: bool = False
    description: str = ""
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened and that a webhook would tell; `event` is Jira's name of it."""

    event: str
    issue: Issue
    at: datetime
    history: History | None = None
    kind: str | None = None
    number: int = 0

    @property
    def said(self) -> str:
        """Say what happened, for people: ``status: In Progress -> Done``, ``created: Measure consent``."""
        if self.history is None:
            return f"{self.event.rpartition('_')[2]}: {self.issue.summary}"
        return ", ".join(
            f"{item.field}: {item.before_text or 'none'} -> {item.after_text or 'none'}" for item in self.history.items
        )


TYPES = (
    IssueType(id="10000", name="Epic", level=1),
    IssueType(id="10001", name="Story", level=0),
    IssueType(id="10002", name="Task", level=0),
    IssueType(id="10003", name="Bug", level=0),
    IssueType(id="10004", name="Sub-task", level=-1),
    IssueType(id="10005", name="Initiative", level=2),
)
STATUSES = (
    Status(id="10000", name="To Do", category="new"),
    Status(id="3", name="In Progress", category="indeterminate"),
    Status(id="10001", name="In Review", category="indeterminate"),
    Status(id="10002", name="Done", category="done"),
    Status(id="10003", name="Won't Do", category="done"),
)
RESOLUTIONS = {"Done": "10000", "Won't Do": "10001", "Duplicate": "10002"}


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:g}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Site:
    """One Jira site and our account on it.

    `clock` tells the site's time (UTC). `zone` is the zone of the site's default user, in which answers
    tell times; `me.time_zone` the one in which quoted JQL dates are read. Any other account than
    `me.email` with `token` is refused.
    """

    def __init__(
        self,
        *,
        name: str = "acme",
        clock: Callable[[], datetime] = _utc_now,
        zone: str = "Europe/Berlin",
        my_zone: str = "Europe/Berlin",
        email: str = "keyrail-bot@example.com",
        token: str = "demo-token",  # noqa: S107  # the simulated site's own, worth nothing elsewhere
        webhook_secret: str = "demo-webhook-secret",  # noqa: S107  # same
    ) -> None:
        self.name = name
        self.url = f"https://{name}.atlassian.net"
        self.clock = clock
        self.zone = ZoneInfo(zone)
        self.email = email
        self.token = token
        self.webhook_secret = webhook_secret
        self.faults = Faults()
        self.cloud_id = hashlib.sha256(name.encode()).hexdigest()[:32]
        self.users: dict[str, User] = {}
        self.me = self.add_user("Keyrail", email=email, time_zone=my_zone)
        self.types = {t.name: t for t in TYPES}
        self.statuses = {s.name: s for s in STATUSES}
        self.projects: dict[int, Project] = {}
        self.issues: dict[int, Issue] = {}
        self.keys: dict[str, int] = {}
        self.sprints: dict[int, Sprint] = {}
        self.teams: dict[str, str] = {}
        self.permissions = {"BROWSE_PROJECTS", "EDIT_ISSUES", "LINK_ISSUES", *COMMENTING}
        self.changes: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self.webhooks: dict[int, Hook] = {}
        self.cursors: dict[str, tuple[str, list[int]]] = {}
        self._next = {"issue": 10_100, "project": 10_000, "history": 100_000, "link": 10_000, "sprint": 1}

    def now(self) -> datetime:
        """Return the site's time, UTC."""
        return self.clock() + self.faults.skew

    def next_id(self, kind: str) -> int:
        """Return a new number of that kind, growing by one."""
        self._next[kind] = self._next.get(kind, 10_000) + 1
        return self._next[kind]

    # People, projects, sprints

    def add_user(self, name: str, *, email: str | None = None, time_zone: str = "Europe/Berlin") -> User:
        """Add an account; its id depends on the name alone."""
        digest = hashlib.sha256(name.encode()).hexdigest()
        user = User(
            id=f"712020:{digest[:8]}-{digest[8:12]}-{digest[12:16]}", name=name, email=email, time_zone=time_zone
        )
        self.users[name] = user
        return user

    def add_project(self, key: str, name: str, *, style: str = "classic") -> Project:
        """Add a project; `style` ``next-gen`` is a team-managed one."""
        project = Project(id=self.next_id("project"), key=key, name=name, style=style)
        self.projects[project.id] = project
        return project

    def add_sprint(self, name: str, state: str, start: datetime, end: datetime) -> Sprint:
        """Add a sprint to the site's only board."""
        sprint = Sprint(id=self.next_id("sprint"), name=name, state=state, start=start, end=end)
        self.sprints[sprint.id] = sprint
        return sprint

    def project(self, key_or_id: str) -> Project | None:
        """Return the visible project with that key (any case), name or id."""
        wanted = key_or_id.casefold()
        for project in self.projects.values():
            if not project.hidden and wanted in (project.key.casefold(), project.name.casefold(), str(project.id)):
                return project
        return None

    # Issues

    def find(self, id_or_key: str) -> Issue | None:
        """Return the issue by id or by any key it ever had, where our account may see it."""
        number = int(id_or_key) if id_or_key.isdigit() else self.keys.get(id_or_key.upper())
        issue = self.issues.get(number) if number is not None else None
        return issue if issue is not None and self.visible(issue) else None

    def visible(self, issue: Issue) -> bool:
        """Return whether our account sees the issue now."""
        return not issue.deleted and not issue.secured and not self.projects[issue.project].hidden

    def indexed(self) -> Iterator[Issue]:
        """Yield the issues as the search index shows them: late by `faults.index_lag` seconds."""
        shown_until = self.now() - self.faults.lag
        for issue in self.issues.values():
            state: Issue | None = issue
            if issue.written > shown_until:
                state = next((old for replaced, old in issue.past if replaced > shown_until), issue)
            if state is not None and self.visible(state):
                yield state

    def children(self, issue: Issue) -> list[Issue]:
        """Return the visible issues whose parent is `issue`."""
        return [other for other in self.issues.values() if other.parent == issue.id and self.visible(other)]

    def create(
        self,
        project_key: str,
        type_name: str,
        summary: str,
        *,
        at: datetime | None = None,
        parent: Issue | None = None,
        labels: Sequence[str] = (),
        points: float | None = None,
        team: str | None = None,
        assignee: str | None = None,
        sprint: Sprint | None = None,
        due: date | None = None,
        start: date | None = None,
        description: str | None = None,
    ) -> Issue:
        """Create an issue in To Do; `at` may lie in the past, so that a site can be given a history."""
        project = self.project(project_key)
        if project is None:
            raise KeyError(project_key)
        when = at or self.now()
        project.last_number += 1
        issue = Issue(
            id=self.next_id("issue"),
            key=f"{project.key}-{project.last_number}",
            project=project.id,
            type=self.types[type_name].name,
            status="To Do",
            summary=summary,
            created=when,
            updated=when,
            written=self.now(),
            category_changed=when,
            parent=parent.id if parent else None,
            labels=tuple(labels),
            points=points,
            team=team,
            assignee=assignee,
            sprints=(sprint.id,) if sprint else (),
            due=due,
            start=start,
            description=description,
        )
        if team:
            self.teams.setdefault(team, str(10_020 + len(self.teams)))
        if self.faults.index_lag:
            issue.past.append((issue.written, None))
        self.issues[issue.id] = issue
        self.keys[issue.key] = issue.id
        self._tell("jira:issue_created", issue, when, None, "issue_created")
        return issue

    def change(self, issue: Issue, *, at: datetime | None = None, by: str | None = None, **new: Any) -> Change:
        """Change fields of an issue as one entry of its changelog and return what a webhook would tell.

        Fields: status, parent (Issue or None), points, labels, team, assignee, sprint, due, start, type,
        summary, resolution, custom. A classic project sets and clears the resolution with the status; a
        team-managed one leaves it alone.
        """
        when = at or self.now()
        items: list[Item] = []
        self._remember(issue)
        for name, value in new.items():
            items.extend(_CHANGES[name](self, issue, value, when))
        issue.updated = max(when, issue.updated)
        history = self._append(issue, when, by, items)
        kind = "issue_generic" if "status" in new else "issue_updated"
        return self._tell("jira:issue_updated", issue, when, history, kind)

    def link(self, source: Issue, target: Issue, *, type_name: str = "Blocks", at: datetime | None = None) -> Change:
        """Link two issues (source blocks target); both are updated and both tell it in their changelog."""
        when = at or self.now()
        number = self.next_id("link")
        for issue, other, outward in ((source, target, True), (target, source, False)):
            self._remember(issue)
            issue.links = (*issue.links, IssueLink(id=number, type=type_name, outward=outward, other=other.id))
            issue.updated = max(when, issue.updated)
            verb = "blocks" if outward else "is blocked by"
            text = f"This issue {verb} {other.key}"
            self._append(issue, when, None, [Item(field="Link", field_id=None, after=other.key, after_text=text)])
        return self._tell("jira:issue_updated", target, when, target.histories[-1], "issue_updated")

    def link_out(self, issue: Issue, url: str, title: str, *, at: datetime | None = None) -> Change:
        """Add a remote link by hand, as a person does who keeps the same work elsewhere."""
        when = at or self.now()
        self._remember(issue)
        number = self.next_id("remotelink")
        issue.remote_links[f"generated-{number}"] = {
            "id": number,
            "self": f"{self.url}/rest/api/3/issue/{issue.key}/remotelink/{number}",
            "application": {},
            "object": {"url": url, "title": title},
        }
        issue.updated = max(when, issue.updated)
        text = f'This issue links to "{title}"'
        self._append(issue, when, None, [Item(field="RemoteIssueLink", field_id=None, after_text=text)])
        return self._tell("jira:issue_updated", issue, when, issue.histories[-1], "issue_updated")

    def unlink(self, source: Issue, target: Issue, *, at: datetime | None = None) -> Change:
        """Take every link between two issues away."""
        when = at or self.now()
        for issue, other in ((source, target), (target, source)):
            self._remember(issue)
            issue.links = tuple(link for link in issue.links if link.other != other.id)
            issue.updated = max(when, issue.updated)
            text = f"This issue no longer relates to {other.key}"
            self._append(issue, when, None, [Item(field="Link", field_id=None, before=other.key, before_text=text)])
        return self._tell("jira:issue_updated", target, when, target.histories[-1], "issue_updated")

    def move(self, issue: Issue, project_key: str, *, at: datetime | None = None) -> Change:
        """Move an issue to another project: a new key, the same id; the old key still finds it."""
        when = at or self.now()
        target = self.project(project_key)
        if target is None:
            raise KeyError(project_key)
        self._remember(issue)
        old, old_key = self.projects[issue.project], issue.key
        target.last_number += 1
        issue.project, issue.key = target.id, f"{target.key}-{target.last_number}"
        self.keys[issue.key] = issue.id
        issue.updated = max(when, issue.updated)
        project = Item(
            field="project", field_id="project",
            before=str(old.id), before_text=old.name, after=str(target.id), after_text=target.name,
        )  # fmt: skip
        key = Item(field="Key", field_id=None, before_text=old_key, after_text=issue.key)
        history = self._append(issue, when, None, [project, key])
        return self._tell("jira:issue_updated", issue, when, history, "issue_moved")

    def delete(self, issue: Issue) -> Change:
        """Delete an issue; its children lose their parent without a word in their changelog."""
        self._remember(issue)
        issue.deleted = True
        for other in self.issues.values():
            if other.parent == issue.id:
                self._remember(other)
                other.parent = None
            if any(link.other == issue.id for link in other.links):
                self._remember(other)
                other.links = tuple(link for link in other.links if link.other != issue.id)
        return self._tell("jira:issue_deleted", issue, self.now(), None, None)

    def _remember(self, issue: Issue) -> None:
        """Keep the state before a change for a lagging index."""
        now = self.now()
        if self.faults.index_lag:
            before = copy(issue)
            before.past = []
            issue.past = [*issue.past[-9:], (now, before)]
        issue.written = now

    def _append(self, issue: Issue, when: datetime, by: str | None, items: Sequence[Item]) -> History:
        author = by or issue.assignee or self.me.name
        history = History(id=self.next_id("history"), at=when, author=author, items=tuple(items))
        issue.histories.append(history)
        return history

    def _tell(self, event: str, issue: Issue, at: datetime, history: History | None, kind: str | None) -> Change:
        change = Change(event=event, issue=issue, at=at, history=history, kind=kind, number=len(self.changes) + 1)
        self.changes.append(change)
        for listener in self.listeners:
            listener(change)
        return change


def _status(site: Site, issue: Issue, value: str, when: datetime) -> Iterator[Item]:
    old, new = site.statuses[issue.status], site.statuses[value]
    yield Item(
        field="status", field_id="status", before=old.id, before_text=old.name, after=new.id, after_text=new.name
    )
    issue.status = new.name
    if old.category != new.category:
        issue.category_changed = when
    if site.projects[issue.project].style == "classic":
        resolution = (new.name if new.name in RESOLUTIONS else "Done") if new.category == "done" else None
        yield from _resolution(site, issue, resolution, when)


def _resolution(site: Site, issue: Issue, value: str | None, when: datetime) -> Iterator[Item]:
    if value == issue.resolution:
        return
    yield Item(
        field="resolution", field_id="resolution",
        before=RESOLUTIONS.get(issue.resolution or ""), before_text=issue.resolution,
        after=RESOLUTIONS.get(value or ""), after_text=value,
    )  # fmt: skip
    issue.resolution = value
    issue.resolved = when if value else None


def _parent(site: Site, issue: Issue, value: Issue | None, when: datetime) -> Iterator[Item]:
    old = site.issues.get(issue.parent) if issue.parent else None
    yield Item(
        field="IssueParentAssociation", field_id=None,
        before=str(old.id) if old else None, before_text=old.key if old else None,
        after=str(value.id) if value else None, after_text=value.key if value else None,
    )  # fmt: skip
    issue.parent = value.id if value else None


def _points(site: Site, issue: Issue, value: float | None, when: datetime) -> Iterator[Item]:
    yield Item(
        field="Story point estimate", field_id=POINTS, kind="custom",
        before_text=_number(issue.points), after_text=_number(value),
    )  # fmt: skip
    issue.points = value


def _labels(site: Site, issue: Issue, value: Sequence[str], when: datetime) -> Iterator[Item]:
    before, after = " ".join(issue.labels), " ".join(value)
    yield Item(field="labels", field_id="labels", before="", before_text=before, after="", after_text=after)
    issue.labels = tuple(value)


def _team(site: Site, issue: Issue, value: str | None, when: datetime) -> Iterator[Item]:
    if value:
        site.teams.setdefault(value, str(10_020 + len(site.teams)))
    yield Item(
        field="Team", field_id=TEAM, kind="custom",
        before=site.teams.get(issue.team or ""), before_text=issue.team,
        after=site.teams.get(value or ""), after_text=value,
    )  # fmt: skip
    issue.team = value


def _assignee(site: Site, issue: Issue, value: str | None, when: datetime) -> Iterator[Item]:
    old, new = site.users.get(issue.assignee or ""), site.users.get(value or "")
    yield Item(
        field="assignee", field_id="assignee",
        before=old.id if old else None, before_text=old.name if old else None,
        after=new.id if new else None, after_text=new.name if new else None,
    )  # fmt: skip
    issue.assignee = value


def _sprint(site: Site, issue: Issue, value: Sprint | None, when: datetime) -> Iterator[Item]:
    names = ", ".join(site.sprints[number].name for number in issue.sprints)
    numbers = ", ".join(str(number) for number in issue.sprints)
    after = (*issue.sprints, value.id) if value else ()
    yield Item(
        field="Sprint", field_id=SPRINT, kind="custom", before=numbers, before_text=names,
        after=", ".join(str(number) for number in after), after_text=", ".join(site.sprints[n].name for n in after),
    )  # fmt: skip
    issue.sprints = after


def _due(site: Site, issue: Issue, value: date | None, when: datetime) -> Iterator[Item]:
    before, after = (day.isoformat() if day else None for day in (issue.due, value))
    yield Item(field="duedate", field_id="duedate", before=before, before_text=before, after=after, after_text=after)
    issue.due = value


def _start(site: Site, issue: Issue, value: date | None, when: datetime) -> Iterator[Item]:
    before, after = (day.isoformat() if day else None for day in (issue.start, value))
    yield Item(field="Start date", field_id=START_DATE, kind="custom", before_text=before, after_text=after)
    issue.start = value


def _type(site: Site, issue: Issue, value: str, when: datetime) -> Iterator[Item]:
    old, new = site.types[issue.type], site.types[value]
    yield Item(
        field="issuetype", field_id="issuetype",
        before=old.id, before_text=old.name, after=new.id, after_text=new.name,
    )  # fmt: skip
    issue.type = new.name


def _summary(site: Site, issue: Issue, value: str, when: datetime) -> Iterator[Item]:
    yield Item(field="summary", field_id="summary", before_text=issue.summary, after_text=value)
    issue.summary = value


def _custom(site: Site, issue: Issue, value: Mapping[str, Any], when: datetime) -> Iterator[Item]:
    names = {OKR_PROGRESS: "OKR progress", OKR_HEALTH: "OKR health", OKR_STATE: "OKR state"}
    for field_id, content in value.items():
        before = issue.custom.get(field_id)
        yield Item(
            field=names.get(field_id, field_id), field_id=field_id, kind="custom",
            before_text=None if before is None else str(before), after_text=None if content is None else str(content),
        )  # fmt: skip
        issue.custom = {**issue.custom, field_id: content}


_CHANGES: dict[str, Callable[[Site, Issue, Any, datetime], Iterator[Item]]] = {
    "status": _status,
    "resolution": _resolution,
    "parent": _parent,
    "points": _points,
    "labels": _labels,
    "team": _team,
    "assignee": _assignee,
    "sprint": _sprint,
    "due": _due,
    "start": _start,
    "type": _type,
    "summary": _summary,
    "custom": _custom,
}
