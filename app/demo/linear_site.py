"""A simulated Linear workspace in memory: teams, projects, initiatives, issues, their past, and every way they change.

No HTTP and no GraphQL here: `linear_graph` says what is asked, `linear` serves it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from app.demo.linear_edits import camel, changed, described, word
from app.demo.linear_faults import Faults
from app.demo.linear_model import (
    Attachment,
    Change,
    Cycle,
    History,
    Initiative,
    InitiativeRelation,
    InitiativeToProject,
    Issue,
    IssueRelation,
    Label,
    Link,
    Milestone,
    Project,
    ProjectStatus,
    Row,
    State,
    Team,
    Told,
    Update,
    User,
    Webhook,
)
from app.demo.linear_oauth import Authority

STATES = (
    ("Triage", "triage"), ("Backlog", "backlog"), ("Todo", "unstarted"), ("In Progress", "started"),
    ("In Review", "started"), ("Done", "completed"), ("Canceled", "canceled"), ("Duplicate", "duplicate"),
)  # fmt: skip
PROJECT_STATUSES = (
    ("Backlog", "backlog"), ("Planned", "planned"), ("In Progress", "started"), ("Paused", "paused"),
    ("Completed", "completed"), ("Canceled", "canceled"),
)  # fmt: skip
R = TypeVar("R", bound=Row)


def uuid_of(text: str) -> str:
    """Return an id in the form of a UUID v4 that depends on `text` alone."""
    return str(UUID(bytes=hashlib.sha256(text.encode()).digest()[:16], version=4))


def slug(text: str) -> str:
    """Return the part of an address that Linear makes of a title."""
    words = "".join(letter if letter.isalnum() else " " for letter in text.casefold()).split()
    return "-".join(words)[:80].rstrip("-")


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Site:
    """One Linear workspace, and who may ask it.

    `clock` tells its time (UTC). `key` is the personal key of `me`; `oauth` knows the application and its tokens, which
    acts for `me` or, with its own credentials, as `bot`. What nobody in particular does is done by `editor`, so that it
    is not taken for our own doing. `url` is where its pages for people are.
    """

    def __init__(
        self,
        *,
        name: str = "acme",
        clock: Callable[[], datetime] = _utc_now,
        key: str = "lin_api_demo",
        webhook_secret: str = "demo-webhook-secret",  # noqa: S107  # the simulated site's own, worth nothing elsewhere
    ) -> None:
        self.name = name
        self.url = "https://linear.app"
        self.clock = clock
        self.key = key
        self.webhook_secret = webhook_secret
        self.faults = Faults()
        self.id = uuid_of(f"{name}:organization")
        self.created_at = self.now() - timedelta(days=400)
        self.version = 0
        self.rows: dict[type[Row], dict[str, Any]] = {}
        self.labels: dict[str, dict[str, Label]] = {"issue": {}, "project": {}, "initiative": {}}
        self.identifiers: dict[str, Issue] = {}
        self.changes: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self._counts: dict[str, int] = {}
        self.me = self.add_user("Product operations", email="product-ops@example.com", admin=True)
        self.editor = self.add_user("Team lead")
        self.bot = self.add_user("Keyrail", email="keyrail@oauthapp.linear.app", app=True)
        self.oauth = Authority(name)
        for position, (title, kind) in enumerate(PROJECT_STATUSES):
            self._add(ProjectStatus, kind, name=title, type=kind, position=float(position), at=self.created_at)

    def now(self) -> datetime:
        """Return the workspace's time (UTC), in whole milliseconds as Linear tells it."""
        at = self.clock() + self.faults.skew
        return at.replace(microsecond=at.microsecond // 1000 * 1000)

    def next_number(self, kind: str) -> int:
        """Return a new number of that kind, growing by one."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]

    def all(self, kind: type[R]) -> Collection[R]:
        """Return the rows of a kind, oldest first."""
        return self.rows.get(kind, {}).values()

    def get(self, kind: type[R], id_: str) -> R | None:
        """Return the row of that id, whether our account sees it or not."""
        found: R | None = self.rows.get(kind, {}).get(id_)
        return found

    def touch(self) -> None:
        """Forget what was remembered of lists; for those who change a row by hand."""
        self.version += 1

    def _add(
        self, kind: type[R], known: str | None = None, *, at: datetime, id_: str | None = None, **values: Any
    ) -> R:
        name = kind.__name__
        own = id_ or uuid_of(f"{self.name}:{name}:{known or self.next_number(name)}")
        row = kind(id=own, created_at=at, updated_at=at, **values)
        self.rows.setdefault(kind, {})[row.id] = row
        self.touch()
        return row

    def _slug_id(self, text: str) -> str:
        return uuid_of(f"{self.name}:slug:{text}").replace("-", "")[:12]

    def _drop(self, row: Row) -> None:
        self.rows[type(row)].pop(row.id, None)
        self.touch()

    # People, teams, words

    def add_user(self, name: str, *, email: str | None = None, app: bool = False, admin: bool = False) -> User:
        """Add an account; its id depends on the name alone."""
        address = email or f"{slug(name)}@example.com"
        at = self.created_at
        return self._add(User, name, name=name, display_name=slug(name), email=address, app=app, admin=admin, at=at)

    def add_team(
        self, key: str, name: str, *, estimates: str = "fibonacci", private: bool = False, parent: Team | None = None
    ) -> Team:
        """Add a team with a state of each type (two of ``started``); `estimates` ``notUsed`` switches them off."""
        team = self._add(
            Team, key, key=key, name=name, visibility="private" if private else "public", parent=parent,
            issue_estimation_type=estimates, at=self.created_at,
        )  # fmt: skip
        for position, (title, kind) in enumerate(STATES):
            self.add_state(team, title, kind, position=float(position))
        return team

    def add_state(self, team: Team, name: str, kind: str, *, position: float = 9.0) -> State:
        """Add a workflow state to a team; `kind` may be a word that nobody has heard of yet."""
        word = f"{team.key}:{name}"
        return self._add(State, word, name=name, type=kind, team=team, position=position, at=self.created_at)

    def add_label(
        self,
        name: str,
        *,
        group: bool = False,
        parent: Label | None = None,
        team: Team | None = None,
        of: str = "issue",
    ) -> Label:
        """Add a label of `of` (``issue``, ``project`` or ``initiative``); without a team it is the workspace's."""
        label = Label(
            id=uuid_of(f"{self.name}:{of}-label:{parent.name if parent else ''}/{name}"), created_at=self.created_at,
            updated_at=self.created_at, name=name, is_group=group, parent=parent, team=team,
        )  # fmt: skip
        self.labels[of][label.id] = label
        self.touch()
        return label

    def label(self, name: str, of: str = "issue") -> Label:
        """Return the label of that name, added where it is missing."""
        found = (one for one in self.labels[of].values() if one.name == name)
        return next(found, None) or self.add_label(name, of=of)

    def add_cycle(self, team: Team, starts_at: datetime, ends_at: datetime, *, name: str | None = None) -> Cycle:
        """Add a cycle to a team; one that has ended is completed."""
        number = self.next_number(f"cycle {team.key}")
        ended = ends_at if ends_at <= self.now() else None
        return self._add(
            Cycle, f"{team.key}:{number}", team=team, number=number, name=name, starts_at=starts_at, ends_at=ends_at,
            completed_at=ended, at=min(starts_at, self.now()),
        )  # fmt: skip

    def team(self, key: str) -> Team:
        """Return the team of that key."""
        return next(team for team in self.all(Team) if team.key == key)

    def state(self, team: Team, name: str) -> State:
        """Return the state of that name in a team."""
        return next(state for state in self.all(State) if state.team is team and state.name == name)

    def user(self, name: str) -> User:
        """Return the account of that name."""
        return next(user for user in self.all(User) if user.name == name)

    def status(self, name: str) -> ProjectStatus:
        """Return the status of projects of that name."""
        return next(status for status in self.all(ProjectStatus) if status.name == name)

    # Projects and initiatives

    def add_project(
        self, name: str, teams: Sequence[Team], *, at: datetime | None = None, status: str = "Planned", **values: Any
    ) -> Project:
        """Create a project; `values` are the other attributes of `Project`."""
        when, number = at or self.now(), self.next_number("project")
        project = self._add(
            Project, f"{number}", name=name, teams=list(teams), status=self.status("Planned"), number=number,
            slug_id=self._slug_id(f"project:{number}"), creator=self.editor, at=when, **values,
        )  # fmt: skip
        _set_status(project, self.status(status), when)
        self.tell("create", project, when, said=f"created: {name}")
        return project

    def add_milestone(
        self, project: Project, name: str, *, target: date | None = None, at: datetime | None = None
    ) -> Milestone:
        """Add a milestone to a project; the project's `updated_at` stays."""
        order = float(len(project.milestones))
        milestone = self._add(
            Milestone, name=name, project=project, target_date=target, sort_order=order, at=at or self.now()
        )
        project.milestones.append(milestone)
        return milestone

    def add_initiative(
        self,
        name: str,
        *,
        at: datetime | None = None,
        status: str = "Planned",
        parent: Initiative | None = None,
        **values: Any,
    ) -> Initiative:
        """Create an initiative, under another one where `parent` is given."""
        when, number = at or self.now(), self.next_number("initiative")
        initiative = self._add(
            Initiative, f"{number}", name=name, creator=self.editor, at=when,
            slug_id=self._slug_id(f"initiative:{number}"), **values,
        )  # fmt: skip
        _set_status(initiative, status, when)
        if parent is not None:
            self.nest(parent, initiative, at=when)
        self.tell("create", initiative, when, said=f"created: {name}")
        return initiative

    def nest(self, parent: Initiative, child: Initiative, *, at: datetime | None = None) -> InitiativeRelation:
        """Put an initiative under another; neither one's `updated_at` moves."""
        for known in [one for one in self.all(InitiativeRelation) if one.related_initiative is child]:
            self._drop(known)
        return self._add(InitiativeRelation, initiative=parent, related_initiative=child, at=at or self.now())

    def link_project(
        self, initiative: Initiative, project: Project, *, at: datetime | None = None
    ) -> InitiativeToProject:
        """Put a project under an initiative; neither one's `updated_at` moves."""
        return self._add(InitiativeToProject, initiative=initiative, project=project, at=at or self.now())

    def unlink_project(self, initiative: Initiative, project: Project) -> None:
        """Take a project out of an initiative."""
        for link in list(self.all(InitiativeToProject)):
            if link.initiative is initiative and link.project is project:
                self._drop(link)

    def parent_of(self, initiative: Initiative) -> Initiative | None:
        """Return the initiative that this one is under."""
        above = (one.initiative for one in self.all(InitiativeRelation) if one.related_initiative is initiative)
        return next(above, None)

    def change_container(
        self, row: Project | Initiative, *, at: datetime | None = None, by: User | None = None, **fields: Any
    ) -> Change:
        """Change attributes of a project or an initiative; a project's `status` is given by its name."""
        when, before, said = at or self.now(), {"updatedAt": row.updated_at}, []
        for name, value in fields.items():
            old = getattr(row, name)
            before[camel(name)] = described(old)
            if name == "status":
                _set_status(row, self.status(value) if isinstance(row, Project) else value, when)
            else:
                setattr(row, name, value)
            said.append(f"{name}: {word(old)} -> {word(getattr(row, name))}")
        row.updated_at = max(when, row.updated_at)
        return self.tell("update", row, when, by=by, updated_from=before, said=", ".join(said))

    def post_update(
        self,
        row: Project | Initiative,
        health: str,
        body: str,
        *,
        at: datetime | None = None,
        by: User | None = None,
        id_: str | None = None,
    ) -> Update:
        """Write a project or initiative update: the row takes its health over."""
        when, old = at or self.now(), row.health
        place = {"project": row} if isinstance(row, Project) else {"initiative": row}
        update = self._add(
            Update, id_=id_, health=health, body=body, user=by or self.editor, at=when,
            slug_id=self._slug_id(f"update:{self.next_number('update')}"), **place,
        )  # fmt: skip
        row.updates.append(update)
        self._take_health(row, when, by, old)
        return update

    def edit_update(self, update: Update, *, health: str | None = None, body: str | None = None) -> None:
        """Change a project or initiative update."""
        row, when = update.project or update.initiative, self.now()
        update.health, update.body = health or update.health, update.body if body is None else body
        update.updated_at = update.edited_at = when
        if row is not None:
            self._take_health(row, when, update.user, row.health)

    def archive_update(self, update: Update, *, archived: bool = True) -> None:
        """Archive a project or initiative update, or bring it back; the newest that is left speaks."""
        row, when = update.project or update.initiative, self.now()
        update.archived_at, update.updated_at = when if archived else None, when
        if row is not None:
            self._take_health(row, when, update.user, row.health)

    def _take_health(self, row: Project | Initiative, when: datetime, by: User | None, old: str | None) -> None:
        last = last_update(row)
        row.health, row.health_updated_at = (last.health, last.updated_at) if last else (None, None)
        before = {"updatedAt": row.updated_at, "health": old}
        row.updated_at = max(when, row.updated_at)
        self.tell("update", row, when, by=by, updated_from=before, said=f"health: {old or 'none'} -> {row.health}")

    def add_link(
        self, row: Project | Initiative, label: str, url: str, *, by: User | None = None, id_: str | None = None
    ) -> Link:
        """Add an external link to a project or an initiative; two of one address are possible."""
        place: Mapping[str, Any] = {"project": row} if isinstance(row, Project) else {"initiative": row}
        link = self._add(Link, id_=id_, label=label, url=url, creator=by or self.editor, at=self.now(), **place)
        row.links.append(link)
        return link

    # Issues

    def find(self, id_or_identifier: str) -> Issue | None:
        """Return the issue by id or by any identifier it ever had."""
        return self.get(Issue, id_or_identifier) or self.identifiers.get(id_or_identifier.upper())

    def create(
        self,
        team: Team,
        title: str,
        *,
        at: datetime | None = None,
        state: str = "Backlog",
        by: User | None = None,
        labels: Iterable[Label | str] = (),
        **values: Any,
    ) -> Issue:
        """Create an issue; `at` may lie in the past, so that a workspace can be given a history."""
        when = at or self.now()
        team.last_number += 1
        issue = self._add(
            Issue, team=team, number=team.last_number, title=title, state=self.state(team, state), at=when,
            creator=by or self.editor, added_to_team_at=when, labels=[self._label(one) for one in labels], **values,
        )  # fmt: skip
        issue.sort_order = -float(issue.number)
        issue.added_to_project_at = when if issue.project else None
        issue.added_to_cycle_at = when if issue.cycle else None
        issue.started_triage_at = when if issue.state.type == "triage" else None
        self.identifiers[issue.identifier] = issue
        self.tell("create", issue, when, by=by, said=f"created: {title}")
        return issue

    def change(self, issue: Issue, *, at: datetime | None = None, by: User | None = None, **fields: Any) -> Change:
        """Change attributes of an issue in one edit: one entry of its history, one delivery.

        `state` is a name, `labels` are names or labels; the others are the attributes of `Issue`.
        """
        when = at or self.now()
        if isinstance(fields.get("state"), str):
            fields["state"] = self.state(issue.team, fields["state"])
        if "labels" in fields:
            fields["labels"] = [self._label(one) for one in fields["labels"]]
        before, told, said = changed(issue, fields, when)
        return self._edited(issue, when, by, told, before, said)

    def move(self, issue: Issue, team: Team, *, at: datetime | None = None, by: User | None = None) -> Change:
        """Move an issue to another team: a new identifier and the like state there, the same id."""
        when, old, old_state = at or self.now(), issue.team, issue.state
        before = {"teamId": old.id, "number": issue.number, "stateId": old_state.id}
        before["previousIdentifiers"] = list(issue.previous_identifiers)
        was = issue.identifier
        issue.previous_identifiers = [*issue.previous_identifiers, was]
        team.last_number += 1
        issue.team, issue.number, issue.added_to_team_at = team, team.last_number, when
        states = [one for one in self.all(State) if one.team is team]
        same = [one for one in states if one.name == old_state.name]
        issue.state = (same or [one for one in states if one.type == old_state.type])[0]
        issue.cycle = None
        self.identifiers[issue.identifier] = issue
        told = {"fromTeam": old, "toTeam": team, "fromState": old_state, "toState": issue.state}
        return self._edited(issue, when, by, told, before, f"moved: {was} -> {issue.identifier}")

    def archive(self, issue: Issue, *, at: datetime | None = None, auto: bool = False) -> Change:
        """Archive an issue, as Linear does by itself (`auto`) some time after it was closed."""
        when = at or self.now()
        before = {"archivedAt": issue.archived_at}
        issue.archived_at = when
        if auto:
            before["autoArchivedAt"], issue.auto_archived_at = issue.auto_archived_at, when
        return self._edited(issue, when, None, {"archived": True, "autoArchived": auto or None}, before, "archived")

    def trash(self, row: Told, *, at: datetime | None = None, by: User | None = None) -> Change:
        """Delete a row as people do: it can be restored for 30 days; webhooks say ``remove``."""
        when = at or self.now()
        row.trashed, row.archived_at = True, when
        row.updated_at = max(when, row.updated_at)
        if isinstance(row, Issue):
            self._remember(row, when, by, {"trashed": True, "archived": True})
        return self.tell("remove", row, when, by=by, said="deleted")

    def restore(self, row: Told, *, at: datetime | None = None, by: User | None = None) -> Change:
        """Bring a row back from archive or trash."""
        when = at or self.now()
        before: dict[str, Any] = {"updatedAt": row.updated_at, "archivedAt": row.archived_at, "trashed": row.trashed}
        told = {"archived": False} | ({"trashed": False} if row.trashed else {})
        row.trashed = row.archived_at = None
        if isinstance(row, Issue | Project):
            row.auto_archived_at = None
        row.updated_at = max(when, row.updated_at)
        if isinstance(row, Issue):
            self._remember(row, when, by, told)
        return self.tell("update", row, when, by=by, updated_from=before, said="restored")

    def purge(self, row: Told) -> None:
        """Delete a row for good, as 30 days of trash do: nothing tells it, and its children lose their parent."""
        self._drop(row)
        if isinstance(row, Issue):
            for name in (row.identifier, *row.previous_identifiers):
                self.identifiers.pop(name, None)
            for relation in (*row.relations, *row.inverse_relations):
                self.unrelate(relation)
            for card in list(row.attachments):
                self._drop(card)
        for issue in self.all(Issue):
            issue.parent = None if issue.parent is row else issue.parent
            issue.project = None if issue.project is row else issue.project
        for link in [one for one in self.all(InitiativeToProject) if row in (one.initiative, one.project)]:
            self._drop(link)
        for nested in [one for one in self.all(InitiativeRelation) if row in (one.initiative, one.related_initiative)]:
            self._drop(nested)

    def relate(self, issue: Issue, kind: str, other: Issue, *, at: datetime | None = None) -> IssueRelation:
        """Relate two issues (`issue` blocks, duplicates, … `other`); both tell it in their history."""
        when = at or self.now()
        relation = self._add(IssueRelation, type=kind, issue=issue, related_issue=other, at=when)
        issue.relations.append(relation)
        other.inverse_relations.append(relation)
        for one, far, side in ((issue, other, "a"), (other, issue, "b")):
            change = [{"identifier": far.identifier, "type": f"{side}{kind[0]}"}]
            self._edited(one, when, None, {"relationChanges": change}, {}, f"{kind}: {other.identifier}")
        return relation

    def unrelate(self, relation: IssueRelation) -> None:
        """Take a relation of two issues away."""
        self._drop(relation)
        relation.issue.relations.remove(relation)
        relation.related_issue.inverse_relations.remove(relation)

    def attach(
        self, issue: Issue, url: str, title: str, *, by: User | None = None, id_: str | None = None, **values: Any
    ) -> Attachment:
        """Put a card on an issue, or rewrite the one of that address."""
        when = self.now()
        for known in issue.attachments:
            if known.url == url:
                known.title, known.updated_at = title, when
                for name, value in values.items():
                    setattr(known, name, value)
                self.touch()
                return known
        card = self._add(
            Attachment, id_=id_, issue=issue, url=url, title=title, creator=by or self.editor, at=when, **values
        )
        issue.attachments.append(card)
        self._edited(issue, when, by, {"attachment": card}, {}, f"attached: {title}")
        return card

    def detach(self, card: Attachment) -> None:
        """Take a card off its issue."""
        self._drop(card)
        card.issue.attachments.remove(card)
        card.issue.updated_at = max(self.now(), card.issue.updated_at)

    def register(self, url: str, resource_types: Sequence[str], **given: Any) -> Webhook:
        """Register a webhook; its secret is the workspace's unless given."""
        values: dict[str, Any] = {"secret": self.webhook_secret, "creator": self.editor, **given}
        return self._add(Webhook, url=url, resource_types=list(resource_types), at=self.now(), **values)

    def drop(self, row: Webhook | Link) -> None:
        """Delete a webhook or an external link."""
        self._drop(row)
        place = (row.project or row.initiative) if isinstance(row, Link) else None
        if place is not None and isinstance(row, Link):
            place.links.remove(row)

    def tell(
        self,
        action: str,
        row: Told,
        at: datetime,
        *,
        by: User | None = None,
        updated_from: Mapping[str, Any] | None = None,
        said: str = "",
    ) -> Change:
        """Remember that something happened, for webhooks and observers."""
        self.touch()
        change = Change(
            action=action, row=row, at=at, actor=by or self.editor, updated_from=updated_from or {}, said=said,
            number=len(self.changes) + 1,
        )  # fmt: skip
        self.changes.append(change)
        for listener in self.listeners:
            listener(change)
        return change

    def _label(self, label: Label | str) -> Label:
        return self.label(label) if isinstance(label, str) else label

    def _edited(
        self, issue: Issue, when: datetime, by: User | None, told: dict[str, Any], before: Mapping[str, Any], said: str
    ) -> Change:
        self._remember(issue, when, by, told)
        old = {"updatedAt": issue.updated_at, **before}
        issue.updated_at = max(when, issue.updated_at)
        return self.tell("update", issue, when, by=by, updated_from=old, said=said)

    def _remember(self, issue: Issue, when: datetime, by: User | None, told: dict[str, Any]) -> None:
        actor = by or issue.assignee or self.editor
        number = self.next_number("history")
        entry = History(
            id=uuid_of(f"{self.name}:history:{number}"),
            created_at=when,
            updated_at=when,
            issue=issue,
            actor=actor,
            told=told,
        )
        issue.histories.append(entry)


def last_update(row: Project | Initiative) -> Update | None:
    """Return the newest update of a project or initiative that is not archived."""
    return next((update for update in reversed(row.updates) if update.archived_at is None), None)


def _set_status(row: Project | Initiative, status: Any, when: datetime) -> None:
    """Set the status and the dates that hang on it."""
    row.status = status
    kind = (status.type if isinstance(row, Project) else status).casefold()
    if kind in ("started", "active", "paused") and row.started_at is None:
        row.started_at = when
    row.completed_at = (row.completed_at or when) if kind == "completed" else None
    if isinstance(row, Project):
        row.canceled_at = (row.canceled_at or when) if kind == "canceled" else None


__all__ = ["Site", "last_update", "slug", "uuid_of"]
