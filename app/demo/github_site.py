"""A simulated GitHub in memory: accounts, repositories, issues, their past, and every way they change.

No HTTP and no JSON of an answer here: `github_graph` and `github_rest` tell what is, `github` serves it. Projects
change in `github_projects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from typing import Any, TypeVar

from app.demo.github_access import Access
from app.demo.github_boards import Project, ProjectItem, Status
from app.demo.github_changes import CHANGES, Content
from app.demo.github_faults import Faults
from app.demo.github_things import (
    Account,
    Comment,
    Discussion,
    Event,
    Hook,
    Issue,
    IssueField,
    IssueType,
    Label,
    Milestone,
    Option,
    PullRequest,
    Repository,
    node_id,
)
from app.demo.ledger import Ledger

Thing = TypeVar("Thing", bound=Any)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that happened and that a webhook would tell: `event` and `action` are GitHub's names of it.

    `details` are the further keys of the delivery as values of `github_things`; `owner` is who the hook belongs to.
    """

    event: str
    action: str
    at: datetime
    actor: Account
    owner: Account
    repository: Repository | None = None
    issue: Issue | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    number: int = 0

    @property
    def said(self) -> str:
        """Say what happened, for people: ``labeled: okr/I3``, ``closed: Measure consent``."""
        for name in ("label", "assignee", "milestone", "type", "value"):
            if name in self.details:
                told = self.details[name]
                words = [getattr(told, word, None) for word in ("said", "name", "title", "login")]
                return f"{self.action}: {next(filter(None, words), 'nothing')}"
        return f"{self.action}: {self.issue.title}" if self.issue else f"{self.event} {self.action}"


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Site:
    """GitHub as one account of ours sees it: `me`, with `token`; or, through a GitHub App, that app's bot.

    `clock` tells the site's time (UTC). `url` is where people look, `api_url` where programs do. `server` is the
    version of an Enterprise Server that this is, None for github.com.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime] = _utc_now,
        url: str = "https://github.com",
        login: str = "keyrail-bot",
        token: str = "ghp_demoDemoDemoDemoDemoDemoDemoDemoDe00",  # noqa: S107  # the site's own, worth nothing elsewhere
        webhook_secret: str = "demo-webhook-secret",  # noqa: S107  # same
        server: str | None = None,
    ) -> None:
        self.clock = clock
        self.url = url
        self.server = server
        self.token = token
        self.webhook_secret = webhook_secret
        self.faults = Faults()
        self.sorted: dict[Any, tuple[int, list[Issue], list[tuple[float, ...]]]] = {}
        self.version = 0
        """how often anything changed, so that what was sorted need not be sorted again"""
        self.changes: list[Change] = []
        self.listeners: list[Callable[[Change], None]] = []
        self.hooks: dict[int, Hook] = {}
        self.ledger = Ledger()
        """what was delivered to the webhooks, as far as anybody sends"""
        self.accounts: dict[str, Account] = {}
        self.repositories: dict[int, Repository] = {}
        self.names: dict[str, Repository] = {}
        self.numbers: dict[tuple[int, int], Issue | PullRequest] = {}
        self.nodes: dict[str, Any] = {}
        self._next = {
            "account": 60_000_000, "repository": 700_000_000, "issue": 2_900_000_000, "pull": 1_900_000_000,
            "comment": 2_100_000_000, "hook": 400_000_000,
        }  # fmt: skip
        self.me = self.add_user(login, "Keyrail")
        self.member = self.add_user("delivery-lead", "Delivery lead")
        self.access = Access(self.me, token, self.now)
        self.planning_statuses: list[dict[str, Any]] | None = None
        """the issue statuses of repositories that are enrolled in the preview; None where none is"""

    @property
    def api_url(self) -> str:
        """Where the REST API of this site is."""
        if self.server:
            return f"{self.url}/api/v3"
        return "https://api.github.com" if self.url == "https://github.com" else self.url

    def now(self) -> datetime:
        """Return the site's time, UTC, in whole seconds as GitHub tells it."""
        return (self.clock() + self.faults.skew).replace(microsecond=0)

    def next_id(self, kind: str) -> int:
        """Return a new number of that kind, growing by one."""
        self._next[kind] = self._next.get(kind, 10_000_000) + 1
        return self._next[kind]

    # Accounts and what belongs to them

    def add_user(self, login: str, name: str | None = None) -> Account:
        """Add a user."""
        return self._account("User", login, name)

    def add_organization(self, login: str, name: str | None = None) -> Account:
        """Add an organization."""
        return self._account("Organization", login, name)

    def add_bot(self, slug: str) -> Account:
        """Add the bot that a GitHub App acts as."""
        return self._account("Bot", f"{slug}[bot]", slug)

    def _account(self, kind: str, login: str, name: str | None) -> Account:
        account = Account(
            site=self, typename=kind, number=self.next_id("account"), login=login, name=name, created_at=self.now()
        )
        self.accounts[login.casefold()] = account
        return self.keep(account)

    def keep(self, thing: Thing) -> Thing:
        """Make a new thing findable by its node id."""
        self.version += 1
        self.nodes[thing.id] = thing
        return thing

    def add_issue_type(self, owner: Account, name: str, color: str = "BLUE") -> IssueType:
        """Add an issue type to an organization."""
        kind = IssueType(owner=owner, number=self.next_id("issue type"), name=name, color=color)
        owner.issue_types.append(kind)
        return self.keep(kind)

    def add_issue_field(self, owner: Account, name: str, data_type: str, options: Sequence[str] = ()) -> IssueField:
        """Add an issue field to an organization: NUMBER, DATE, TEXT, or SINGLE_SELECT or MULTI_SELECT with options."""
        one = IssueField(
            owner=owner, number=self.next_id("issue field"), name=name, data_type=data_type, created_at=self.now()
        )
        for text in options:
            number = self.next_id("option")
            one.options.append(Option(id=node_id("IFSSO", number), number=number, name=text))
        owner.issue_fields.append(one)
        return self.keep(one)

    # Repositories

    def add_repository(self, owner: Account, name: str, *, at: datetime | None = None, **details: Any) -> Repository:
        """Add a repository; `details` are further attributes of it."""
        repository = Repository(
            owner=owner, number=self.next_id("repository"), name=name, created_at=self.second(at), **details
        )
        self.repositories[repository.number] = repository
        self.names[repository.name_with_owner.casefold()] = repository
        return self.keep(repository)

    def repository(self, full: str) -> Repository | None:
        """Return the visible repository of that name, present or past."""
        found = self.names.get(full.casefold())
        return found if found is not None and not found.hidden else None

    def rename_repository(self, repository: Repository, name: str) -> Change:
        """Rename a repository; its old name leads to it as long as no other takes it."""
        old, repository.name = repository.name, name
        self.names[repository.name_with_owner.casefold()] = repository
        changes = {"repository": {"name": {"from": old}}}
        return self.tell("repository", "renamed", repository=repository, changes=changes)

    def archive_repository(self, repository: Repository) -> Change:
        """Archive a repository."""
        repository.is_archived, repository.archived_at = True, self.now()
        return self.tell("repository", "archived", repository=repository)

    def label(self, repository: Repository, name: str) -> Label:
        """Return the label of that name, made where the repository lacks it."""
        for label in repository.labels:
            if label.name.casefold() == name.casefold():
                return label
        label = Label(
            repository=repository, number=self.next_id("label"), name=name, created_at=self.now(), updated_at=self.now()
        )
        repository.labels.append(label)
        return self.keep(label)

    def rename_label(self, label: Label, name: str) -> Change:
        """Rename a label; the issues that have it are not updated."""
        old, label.name, label.updated_at = label.name, name, self.now()
        return self.tell("label", "edited", repository=label.repository, label=label, changes={"name": {"from": old}})

    def add_milestone(self, repository: Repository, title: str, *, due: date | None = None) -> Milestone:
        """Add a milestone; `due` is kept as midnight UTC."""
        milestone = Milestone(
            repository=repository, id_number=self.next_id("milestone"), number=len(repository.milestones) + 1,
            title=title, creator=self.member, created_at=self.now(), updated_at=self.now(),
            due_on=datetime.combine(due, time(), UTC) if due else None,
        )  # fmt: skip
        repository.milestones.append(milestone)
        return self.keep(milestone)

    def change_milestone(
        self, milestone: Milestone, *, title: str | None = None, due: date | None = None, closed: bool | None = None
    ) -> Change:
        """Change a milestone; its issues are not updated."""
        now, action = self.now(), "edited"
        milestone.updated_at = now
        if title is not None:
            milestone.title = title
        if due is not None:
            milestone.due_on = datetime.combine(due, time(), UTC)
        if closed is not None:
            milestone.closed_at, action = (now, "closed") if closed else (None, "opened")
        more: dict[str, Any] = {"changes": {}} if action == "edited" else {}
        return self.tell("milestone", action, repository=milestone.repository, milestone=milestone, **more)

    # Reading

    def node(self, id: str) -> Any:
        """Return what has that node id, where it still exists and our account sees it."""
        thing = self.nodes.get(id)
        return thing if thing is not None and self.visible(thing) else None

    def visible(self, thing: Any) -> bool:
        """Return whether something exists and our account sees it."""
        if isinstance(thing, Issue):
            return thing.gone is None and not thing.repository.hidden
        if isinstance(thing, Comment):
            return not thing.deleted and self.visible(thing.issue)
        if isinstance(thing, Repository | Project):
            return not thing.hidden
        if isinstance(thing, ProjectItem):
            return not thing.project.hidden and thing in thing.project.items
        if isinstance(thing, Status):
            return not thing.project.hidden and thing in thing.project.statuses
        place = getattr(thing, "repository", None)
        return not isinstance(place, Repository) or not place.hidden

    def find(self, key: str) -> Issue | None:
        """Return the issue at ``owner/repo#7``, where it still is there."""
        full, _, number = key.partition("#")
        place = self.names.get(full.casefold())
        found = self.numbers.get((place.number, int(number))) if place else None
        return found if isinstance(found, Issue) and found.gone is None else None

    def issues(self) -> Iterator[Issue]:
        """Yield every issue that exists and is seen."""
        for repository in self.repositories.values():
            if not repository.hidden:
                yield from repository.issues

    # Issues

    def create(
        self,
        repository: Repository,
        title: str,
        *,
        at: datetime | None = None,
        by: Account | None = None,
        body: str = "",
        labels: Sequence[str] = (),
        assignees: Sequence[Account] = (),
        milestone: Milestone | None = None,
        type: str | None = None,
        parent: Issue | None = None,
        fields: Mapping[str, Content] | None = None,
    ) -> Issue:
        """Open an issue; `at` may lie in the past, so that a site can be given a history."""
        when, actor = self.second(at), by or self.member
        repository.last_number += 1
        issue = Issue(
            repository=repository, number=repository.last_number, id_number=self.next_id("issue"), title=title,
            author=actor, created_at=when, updated_at=when, body=body,
        )  # fmt: skip
        self.settle(issue)
        self.tell("issues", "opened", at=when, actor=actor, issue=issue)
        new: dict[str, Any] = {"labels": labels, "assignees": assignees, "milestone": milestone, "type": type}
        new |= {"parent": parent, "fields": fields}
        self.change(issue, at=when, by=actor, **{name: value for name, value in new.items() if value})
        return issue

    def settle(self, issue: Issue) -> None:
        """Put a new issue object into its repository."""
        issue.repository.issues.append(issue)
        self.numbers[issue.repository.number, issue.number] = issue
        self.keep(issue)

    def create_pull(self, repository: Repository, title: str, *, at: datetime | None = None) -> PullRequest:
        """Open a pull request; it takes the next number of the repository."""
        when = self.second(at)
        repository.last_number += 1
        pull = PullRequest(
            repository=repository, number=repository.last_number, id_number=self.next_id("pull"), title=title,
            author=self.member, created_at=when, updated_at=when,
        )  # fmt: skip
        repository.pulls.append(pull)
        self.numbers[repository.number, pull.number] = pull
        return self.keep(pull)

    def change(
        self, issue: Issue, *, at: datetime | None = None, by: Account | None = None, **new: Any
    ) -> list[Change]:
        """Change an issue and return what webhooks would tell.

        state (``open``, ``closed``) with reason (``completed``, ``not_planned``, ``duplicate`` of `duplicate_of`),
        labels (names), assignees, milestone, type (name), parent, title, body, fields (content by name), locked,
        pinned. Only the issue itself is updated: not its parent, nor who waits for it.
        """
        when, known = self.second(at), len(self.changes)
        actor = by or next(iter(issue.assignees), self.member)
        details = {name: new.pop(name) for name in ("reason", "duplicate_of") if name in new}
        for name, value in new.items():
            CHANGES[name](self, issue, value, when, actor, **(details if name == "state" else {}))
        issue.updated_at = max(issue.updated_at, when)
        self.version += 1
        return self.changes[known:]

    def block(self, issue: Issue, blocker: Issue, *, at: datetime | None = None) -> list[Change]:
        """Mark an issue as blocked by another one."""
        return self._depend(issue, blocker, "added", at)

    def unblock(self, issue: Issue, blocker: Issue, *, at: datetime | None = None) -> list[Change]:
        """Take back that an issue is blocked by another one."""
        return self._depend(issue, blocker, "removed", at)

    def _depend(self, issue: Issue, blocker: Issue, action: str, at: datetime | None) -> list[Change]:
        when, known = self.second(at), len(self.changes)
        for here, there in ((issue.blocked_by, blocker), (blocker.blocking, issue)):
            here.append(there) if action == "added" else here.remove(there)
        name = action.capitalize()
        self.event(issue, f"BlockedBy{name}Event", when, self.member, blockingIssue=blocker)
        self.event(blocker, f"Blocking{name}Event", when, self.member, blockedIssue=issue)
        issue.updated_at = max(issue.updated_at, when)
        sides: dict[str, Any] = {"blocked_issue": issue, "blocking_issue": blocker}
        self.tell("issue_dependencies", f"blocked_by_{action}", at=when, repository=issue.repository, **sides)
        self.tell("issue_dependencies", f"blocking_{action}", at=when, repository=blocker.repository, **sides)
        return self.changes[known:]

    def delete(self, issue: Issue) -> Change:
        """Delete an issue; what hung below it is left without a parent, and without a word."""
        self._go(issue, "deleted")
        return self.tell("issues", "deleted", issue=issue)

    def convert(self, issue: Issue) -> Change:
        """Convert an issue to a discussion: the issue is gone, and the discussion has another id."""
        discussion = Discussion(
            repository=issue.repository, number=issue.number, id_number=self.next_id("discussion"), title=issue.title,
            author=issue.author, created_at=issue.created_at, updated_at=self.now(), body=issue.body,
        )  # fmt: skip
        self.event(issue, "ConvertedToDiscussionEvent", self.now(), self.member, discussion=self.keep(discussion))
        self._go(issue, "converted")
        return self.tell("issues", "deleted", issue=issue)

    def _go(self, issue: Issue, how: str) -> None:
        issue.gone = how
        issue.repository.issues.remove(issue)
        self.version += 1
        for other in issue.children:
            other.parent = None
        if issue.parent is not None:
            issue.parent.children.remove(issue)
        for other in issue.blocked_by:
            other.blocking.remove(issue)
        for other in issue.blocking:
            other.blocked_by.remove(issue)
        for item in issue.items:
            item.project.items.remove(item)

    def transfer(self, issue: Issue, repository: Repository, *, at: datetime | None = None) -> Issue:
        """Move an issue to another repository of its owner and return what it is there.

        It has a new node id and a new number; parent, sub-issues, project items, comments, labels and a milestone of
        the same name go with it. `updatedAt` does not move, so that only a webhook or a census finds it.
        """
        when, old = self.second(at), issue.repository
        repository.last_number += 1
        moved = replace(
            issue, repository=repository, number=repository.last_number, id_number=self.next_id("issue"),
            labels=[self.label(repository, label.name) for label in issue.labels],
            milestone=next(
                (one for one in repository.milestones if issue.milestone and one.title == issue.milestone.title), None
            ),
        )  # fmt: skip
        for comment in moved.comments:
            comment.issue, comment.id_number = moved, self.next_id("comment")
            self.keep(comment)
        self._exchange(issue, moved)
        old.issues.remove(issue)
        issue.gone, issue.moved_to = "transferred", moved
        self.settle(moved)
        self.event(moved, "TransferredEvent", when, self.member, fromRepository=old, issue=moved)
        self.tell("issues", "transferred", at=when, issue=issue, moved=moved)
        return moved

    @staticmethod
    def _exchange(old: Issue, new: Issue) -> None:
        """Let everything that points to one issue point to another."""
        for child in old.children:
            child.parent = new
        for item in old.items:
            item.holds = new
        pointing = [other.blocking for other in old.blocked_by] + [other.blocked_by for other in old.blocking]
        for places in [*pointing, *([old.parent.children] if old.parent else [])]:
            places[places.index(old)] = new

    def comment(
        self, issue: Issue, body: str, *, at: datetime | None = None, by: Account | None = None, tell: bool = True
    ) -> Comment:
        """Comment on an issue."""
        when, author = self.second(at), by or self.member
        comment = Comment(
            issue=issue, id_number=self.next_id("comment"), author=author, body=body, created_at=when, updated_at=when
        )
        issue.comments.append(comment)
        issue.timeline.append(comment)
        issue.updated_at = max(issue.updated_at, when)
        if tell:
            self.tell("issue_comment", "created", at=when, actor=author, issue=issue, comment=comment)
        return self.keep(comment)

    def edit_comment(self, comment: Comment, body: str, *, by: Account | None = None) -> Change:
        """Change the text of a comment."""
        old, comment.body = comment.body, body
        comment.updated_at = comment.last_edited_at = comment.issue.updated_at = self.now()
        changes = {"body": {"from": old}}
        return self.tell(
            "issue_comment", "edited", actor=by or comment.author, issue=comment.issue, comment=comment, changes=changes
        )

    def delete_comment(self, comment: Comment, *, by: Account | None = None) -> Change:
        """Delete a comment."""
        comment.deleted, comment.issue.updated_at = True, self.now()
        comment.issue.comments.remove(comment)
        comment.issue.timeline.remove(comment)
        return self.tell("issue_comment", "deleted", actor=by or self.member, issue=comment.issue, comment=comment)

    # What happened, told

    def second(self, at: datetime | None) -> datetime:
        """Return a moment in whole seconds, now where it is None."""
        return (at or self.now()).replace(microsecond=0)

    def event(self, issue: Issue, kind: str, at: datetime, actor: Account, /, **details: Any) -> Event:
        """Append an event to the timeline of an issue: `details` are keys of its type in GraphQL."""
        prefix = "".join(letter for letter in kind if letter.isupper())
        id = node_id(prefix, issue.id_number, self.next_id("event"))
        event: Event = {"__typename": kind, "id": id, "createdAt": at, "actor": actor, **details}
        issue.timeline.append(event)
        return event

    def tell(
        self,
        event: str,
        action: str,
        *,
        at: datetime | None = None,
        actor: Account | None = None,
        issue: Issue | None = None,
        repository: Repository | None = None,
        owner: Account | None = None,
        **details: Any,
    ) -> Change:
        """Note what a webhook would tell, and that something changed."""
        place = repository or (issue.repository if issue else None)
        belongs = owner or (place.owner if place else self.member)
        change = Change(
            event=event, action=action, at=at or self.now(), actor=actor or self.member, owner=belongs,
            repository=place, issue=issue, details=details, number=len(self.changes) + 1,
        )  # fmt: skip
        self.changes.append(change)
        self.version += 1
        for listener in self.listeners:
            listener(change)
        return change


__all__ = ["Change", "Content", "Site"]
