"""How projects of the simulated GitHub come to be and change: their fields, their items, and what items say.

No issue counts as updated by any of it; the project does, and the item.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from app.demo.github_boards import Draft, ItemValue, Iteration, Project, ProjectField, ProjectItem, Status
from app.demo.github_site import Change, Site
from app.demo.github_things import Account, Issue, IssueField, Option, PullRequest

BUILT_IN = (
    ("Title", "TITLE"), ("Assignees", "ASSIGNEES"), ("Status", "SINGLE_SELECT"), ("Labels", "LABELS"),
    ("Linked pull requests", "LINKED_PULL_REQUESTS"), ("Milestone", "MILESTONE"), ("Repository", "REPOSITORY"),
    ("Parent issue", "PARENT_ISSUE"), ("Sub-issues progress", "SUB_ISSUES_PROGRESS"),
)  # fmt: skip
STATUSES = ("Todo", "In Progress", "Done")


def add_project(
    site: Site, owner: Account, title: str, *, statuses: Sequence[str] = STATUSES, at: datetime | None = None
) -> Project:
    """Add a project with the fields that every project has; `statuses` are the options of Status."""
    now = site.second(at)
    project = Project(
        owner=owner, number=len(owner.projects) + 1, id_number=site.next_id("project"), title=title,
        creator=site.member, created_at=now, updated_at=now,
    )  # fmt: skip
    owner.projects.append(project)
    for name, data_type in BUILT_IN:
        add_field(site, project, name, data_type, statuses if name == "Status" else ())
    return site.keep(project)


def add_field(
    site: Site,
    project: Project,
    name: str,
    data_type: str,
    options: Sequence[str] = (),
    iterations: Sequence[tuple[str, date, int]] = (),
    issue_field: IssueField | None = None,
) -> ProjectField:
    """Add a field: NUMBER, DATE, TEXT, SINGLE_SELECT with options, or ITERATION with (title, start, days)."""
    number, now = site.next_id("project field"), site.now()
    field = ProjectField(
        project=project, number=number, name=name, data_type=data_type, created_at=now, updated_at=now,
        issue_field=issue_field,
    )  # fmt: skip
    for at, text in enumerate(options):
        field.options.append(Option(id=f"{(number * 16 + at) & 0xFFFFFFFF:08x}", number=at, name=text))
    for at, (title, start, days) in enumerate(iterations):
        id = f"{(number * 32 + at) & 0xFFFFFFFF:08x}"
        field.iterations.append(Iteration(id=id, title=title, start_date=start, duration=days))
    project.fields.append(field)
    return site.keep(field)


def rename_option(site: Site, field: ProjectField, old: str, new: str) -> None:
    """Rename an option: its id stays, and no item is updated."""
    next(option for option in field.options if option.name == old).name = new
    site.version += 1


def add_item(
    site: Site, project: Project, content: Issue | PullRequest | Draft, *, at: datetime | None = None
) -> ProjectItem:
    """Add an issue, a pull request or a draft to a project."""
    when = site.second(at)
    item = ProjectItem(
        project=project, id_number=site.next_id("project item"), holds=content, creator=site.member, created_at=when,
        updated_at=when,
    )  # fmt: skip
    project.items.append(item)
    if isinstance(content, Issue):
        content.items.append(item)
        site.event(content, "AddedToProjectV2Event", when, site.member, project=project, wasAutomated=False)
    site.keep(item)
    _moved(project, when)
    _tell(site, item, "created", when)
    return item


def add_draft(site: Site, project: Project, title: str, *, at: datetime | None = None) -> ProjectItem:
    """Add a draft to a project."""
    when = site.second(at)
    draft = Draft(number=site.next_id("draft"), title=title, creator=site.member, created_at=when, updated_at=when)
    return add_item(site, project, site.keep(draft), at=at)


def convert_draft(site: Site, item: ProjectItem, issue: Issue) -> Change:
    """Make an item's draft the given issue."""
    item.holds, item.updated_at = issue, site.now()
    issue.items.append(item)
    _moved(item.project, site.now())
    return _tell(site, item, "converted", site.now(), changes={"content_type": {"from": "DraftIssue", "to": "Issue"}})


def archive(site: Site, item: ProjectItem, *, archived: bool = True) -> Change:
    """Archive an item, or restore it."""
    now = site.now()
    item.is_archived, item.updated_at = archived, now
    _moved(item.project, now)
    changes = {"archived_at": {"from": None if archived else now, "to": now if archived else None}}
    return _tell(site, item, "archived" if archived else "restored", now, changes=changes)


def remove(site: Site, item: ProjectItem) -> Change:
    """Take an item out of its project."""
    now = site.now()
    item.project.items.remove(item)
    if isinstance(item.holds, Issue):
        item.holds.items.remove(item)
        more = {"project": item.project, "wasAutomated": False}
        site.event(item.holds, "RemovedFromProjectV2Event", now, site.member, **more)
    _moved(item.project, now)
    return _tell(site, item, "deleted", now)


def set_value(site: Site, item: ProjectItem, name: str, content: Any, *, at: datetime | None = None) -> Change:
    """Set what an item says in a field, by the names of field, option and iteration; None clears it."""
    when, project = site.second(at), item.project
    field = project.field(name)
    if field is None:
        raise KeyError(name)
    old = item.values.pop(field.id, None)
    if content is not None:
        told = _content(field, content)
        since = old.created_at if old else when
        item.values[field.id] = ItemValue(field=field, item=item, content=told, created_at=since, updated_at=when)
    new = item.values.get(field.id)
    if name == "Status" and isinstance(item.holds, Issue):
        words = {"previousStatus": old.name if old else "", "status": new.name if new else ""}
        more = {**words, "project": project, "wasAutomated": False}
        site.event(item.holds, "ProjectV2ItemStatusChangedEvent", when, site.member, **more)
    item.updated_at = max(item.updated_at, when)
    _moved(project, when)
    return _tell(site, item, "edited", when, field=field, was=old, value=new)


def post_status(
    site: Site, project: Project, body: str | None, status: str | None, *, by: Account | None = None
) -> Status:
    """Post a status update of a project."""
    now = site.now()
    posted = Status(
        project=project, id_number=site.next_id("status update"), creator=by or site.member, created_at=now,
        updated_at=now, body=body, status=status,
    )  # fmt: skip
    project.statuses.append(posted)
    site.keep(posted)
    _moved(project, now)
    return posted


def edit_status(site: Site, posted: Status, **said: str | None) -> None:
    """Change the body or the status of a status update; None takes the status away."""
    for name, value in said.items():
        setattr(posted, name, value)
    posted.updated_at = site.now()
    _moved(posted.project, posted.updated_at)


def delete_status(site: Site, posted: Status) -> None:
    """Take a status update away."""
    posted.project.statuses.remove(posted)
    _moved(posted.project, site.now())


def _content(field: ProjectField, content: Any) -> Any:
    match field.data_type:
        case "SINGLE_SELECT":
            return next(option for option in field.options if option.name == content)
        case "ITERATION":
            return next(one for one in field.iterations if one.title == content)
        case "NUMBER":
            return float(content)
        case _:
            return content


def values_of(item: ProjectItem) -> Iterator[ItemValue]:
    """Yield everything that an item says, in the order of the project's fields, as `fieldValues` lists it."""
    for field in item.project.fields:
        known = item.values.get(field.id)
        if known is not None:
            yield known
            continue
        content = _of_content(item, field)
        if content:
            born, moved = item.created_at, item.updated_at
            yield ItemValue(field=field, item=item, content=content, created_at=born, updated_at=moved)


def _of_content(item: ProjectItem, field: ProjectField) -> Any:
    """Return what a field shows of the item's issue, None where it shows nothing."""
    content = item.content
    if content is None:
        return None
    if field.data_type == "TITLE":
        return content.title
    if not isinstance(content, Issue):
        return None
    if field.issue_field is not None:
        return content.values.get(field.issue_field.id)
    match field.data_type:
        case "ASSIGNEES":
            return content.assignees
        case "LABELS":
            return content.labels
        case "MILESTONE":
            return content.milestone
        case "REPOSITORY":
            return content.repository
        case _:
            return None


def _moved(project: Project, when: datetime) -> None:
    project.updated_at = max(project.updated_at, when)


def _tell(site: Site, item: ProjectItem, action: str, at: datetime, **details: Any) -> Change:
    issue = item.holds if isinstance(item.holds, Issue) else None
    return site.tell("projects_v2_item", action, at=at, owner=item.project.owner, issue=issue, item=item, **details)
