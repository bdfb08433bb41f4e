"""What the fields of a simulated Linear say that are not simply an attribute of their row.

Lists and pages are `linear_lists`; nothing here changes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from app.demo import linear_weeks as weeks
from app.demo.graphql import Resolver
from app.demo.linear_filters import ValueOf
from app.demo.linear_lists import Asked, Slice, administers, listed, missing, plain_value, seen
from app.demo.linear_model import (
    PRIORITIES,
    Attachment,
    Cycle,
    History,
    Initiative,
    InitiativeRelation,
    InitiativeToProject,
    Issue,
    IssueRelation,
    Milestone,
    Project,
    ProjectStatus,
    Row,
    State,
    Team,
    Update,
    User,
    Webhook,
)
from app.demo.linear_site import Site, last_update, slug

Of = Callable[[Any, Asked], Any]


def value_of(asked: Asked) -> ValueOf:
    """Return what fields of filters are compared with, as this account sees it."""

    def value(name: str) -> Callable[[Any], Any]:
        derived = {kind: of for kind, of in _FILTERED.items() if kind[1] == name}
        if not derived:
            return plain_value(name)
        return lambda row: derived[type(row), name](row, asked)

    return value


def page_of(site: Site, row: Any) -> str:
    """Return the address of the page for people."""
    where = f"{site.url}/{site.name}"
    match row:
        case Issue():
            return f"{where}/issue/{row.identifier}/{slug(row.title)}"
        case Project():
            return f"{where}/project/{slug(row.name)}-{row.slug_id}"
        case Initiative():
            return f"{where}/initiative/{slug(row.name)}-{row.slug_id}"
        case Update():
            inner = row.project or row.initiative
            return f"{page_of(site, inner)}#update-{row.slug_id}"
        case _:
            return f"{where}/profiles/{row.display_name}"


# The root


def _roots(kind: type[Row], name: str) -> Resolver:
    def resolve(_: Any, asked: Asked, **arguments: Any) -> Slice:
        wanted = arguments.get("filter") or {}
        ids = wanted.get("id", {}).get("in") if isinstance(wanted.get("id"), dict) else None
        rows: Collection[Any] = asked.site.all(kind)
        if ids is not None:
            rows = [row for row in (asked.site.get(kind, id_) for id_ in dict.fromkeys(ids)) if row is not None]
        return listed(asked, rows, value_of=value_of(asked), keep=name, **arguments)

    return resolve


def _webhooks(root: Any, asked: Asked, **arguments: Any) -> Slice:
    administers(asked)
    return _roots(Webhook, "webhooks")(root, asked, **arguments)  # type: ignore[no-any-return]  # resolvers give anything


def _labels(of: str) -> Resolver:
    def resolve(_: Any, asked: Asked, **arguments: Any) -> Slice:
        return listed(asked, asked.site.labels[of].values(), value_of=value_of(asked), keep=of, **arguments)

    return resolve


def _updates(subject: str) -> Resolver:
    def resolve(_: Any, asked: Asked, **arguments: Any) -> Slice:
        rows = [row for row in asked.site.all(Update) if getattr(row, subject) is not None]
        return listed(asked, rows, value_of=value_of(asked), keep=f"{subject} updates", **arguments)

    return resolve


def _update(subject: str) -> Resolver:
    def resolve(_: Any, asked: Asked, *, id: str) -> Row:
        found = asked.site.get(Update, id)
        place = getattr(found, subject, None)
        if found is None or not seen(asked, place):
            raise missing(f"{subject.capitalize()}Update")
        return found

    return resolve


def _users(_: Any, asked: Asked, *, includeDisabled: bool | None = None, **arguments: Any) -> Slice:
    rows = [user for user in asked.site.all(User) if user.active or includeDisabled]
    return listed(asked, rows, value_of=value_of(asked), keep=f"users {includeDisabled}", **arguments)


def _one(kind: type[Row], word: str) -> Resolver:
    def resolve(_: Any, asked: Asked, *, id: str) -> Row:
        found = asked.site.find(id) if kind is Issue else asked.site.get(kind, id)
        if found is None and kind is Team:
            found = next((team for team in asked.site.all(Team) if team.key == id), None)
        if found is None or not seen(asked, found):
            raise missing(word)
        return found

    return resolve


def _for_url(_: Any, asked: Asked, *, url: str, **arguments: Any) -> Slice:
    rows = [card for card in asked.site.all(Attachment) if card.url == url]
    return listed(asked, rows, keep=f"cards {url}", **arguments)


# Inside a row


def _visible(name: str) -> Of:
    """Return a reference to another row, null where the account does not see that one."""

    def resolve(row: Any, asked: Asked) -> Any:
        other = getattr(row, name)
        return other if seen(asked, other) else None

    return resolve


def _within(rows: Of) -> Resolver:
    """Return a list inside a row as a connection."""

    def resolve(row: Any, asked: Asked, **arguments: Any) -> Slice:
        return listed(asked, rows(row, asked), value_of=value_of(asked), **arguments)

    return resolve


def _all(kind: type[Row], name: str) -> Of:
    return lambda row, asked: [one for one in asked.site.all(kind) if getattr(one, name) is row]


def _issue_labels(row: Any, asked: Asked) -> list[Any]:
    return [label for label in asked.site.labels["issue"].values() if label.team is row]


def _label_children(of: str) -> Of:
    return lambda row, asked: [label for label in asked.site.labels[of].values() if label.parent is row]


def _projects_of(row: Any, asked: Asked) -> list[Project]:
    """Return the projects of a team or an initiative."""
    if isinstance(row, Team):
        return [project for project in asked.site.all(Project) if row in project.teams]
    return [link.project for link in asked.site.all(InitiativeToProject) if link.initiative is row]


def _initiative_projects(
    row: Initiative,
    asked: Asked,
    *,
    includeSubInitiatives: bool | None = None,
    **arguments: Any,
) -> Slice:
    rows = _projects_of(row, asked)
    if includeSubInitiatives is not False:
        for child in _below(row, asked):
            rows += [one for one in _projects_of(child, asked) if one not in rows]
    return listed(asked, rows, value_of=value_of(asked), **arguments)


def _below(row: Initiative, asked: Asked) -> list[Initiative]:
    children = _children_of(row, asked)
    return [*children, *(deeper for child in children for deeper in _below(child, asked))]


def _children_of(row: Initiative, asked: Asked) -> list[Initiative]:
    return [one.related_initiative for one in asked.site.all(InitiativeRelation) if one.initiative is row]


def _parent_initiative(row: Initiative, asked: Asked) -> Initiative | None:
    above = asked.site.parent_of(row)
    return above if seen(asked, above) else None


def _initiatives_of(row: Project, asked: Asked) -> list[Initiative]:
    return [link.initiative for link in asked.site.all(InitiativeToProject) if link.project is row]


def _milestone_status(row: Milestone, asked: Asked) -> str:
    issues = weeks.issues_of(asked.site, row)
    if issues and weeks.progress(issues) >= 1.0:
        return "done"
    if row.target_date and row.target_date < asked.site.now().date():
        return "overdue"
    open_ones = [one for one in row.project.milestones if weeks.progress(weeks.issues_of(asked.site, one)) < 1.0]
    return "next" if open_ones and min(open_ones, key=lambda one: one.sort_order) is row else "unstarted"


def _progress(row: Any, asked: Asked) -> float:
    return weeks.progress(weeks.issues_of(asked.site, row))


def _series(name: str) -> Of:
    def resolve(row: Project | Cycle, asked: Asked) -> list[float]:
        now, issues = asked.site.now(), weeks.issues_of(asked.site, row)
        if isinstance(row, Cycle):
            return weeks.series(issues, row.starts_at, min(row.ends_at, now), weeks.DAY)[name]
        return weeks.series(issues, row.started_at or row.created_at, now, weeks.WEEK)[name]

    return resolve


def _cycle_beside(offset: int) -> Of:
    """Return whether a cycle is the one so many after the active one of its team."""

    def resolve(row: Cycle, asked: Asked) -> bool:
        now = asked.site.now()
        active = [one.number for one in asked.site.all(Cycle) if one.team is row.team and _is_active(one, now)]
        return bool(active) and row.number == active[0] + offset

    return resolve


def _is_active(cycle: Cycle, now: Any) -> bool:
    return bool(cycle.starts_at <= now < cycle.ends_at)


def _active_cycle(row: Team, asked: Asked) -> Cycle | None:
    now = asked.site.now()
    return next((one for one in asked.site.all(Cycle) if one.team is row and _is_active(one, now)), None)


def _issue_count(row: Team, asked: Asked, *, includeArchived: bool = False) -> int:
    return sum(one.team is row and (includeArchived or one.archived_at is None) for one in asked.site.all(Issue))


def told(name: str) -> Of:
    """Return what an entry of history says under a name of Linear's; ids are those of the rows it names."""

    def resolve(row: History, asked: Asked) -> Any:
        value = row.told.get(name)
        return value if not isinstance(value, Issue | Project | Team) or seen(asked, value) else None

    def ids(row: History, asked: Asked) -> Any:
        value = row.told.get(name.removesuffix("Ids") + "s" if name.endswith("Ids") else name.removesuffix("Id"))
        return [one.id for one in value] if isinstance(value, list) else value and value.id

    return ids if name.endswith(("Id", "Ids")) else resolve


def _actor_id(row: History, _: Asked) -> str | None:
    return row.actor.id if row.actor else None


def _url(row: Any, asked: Asked) -> str:
    return page_of(asked.site, row)


def _last(row: Project | Initiative, _: Asked) -> Update | None:
    return last_update(row)


def _label_ids(row: Any, _: Asked) -> list[str]:
    return [label.id for label in row.labels]


_FILTERED: Mapping[tuple[type[Row], str], Of] = {
    (Project, "accessibleTeams"): lambda row, asked: [team for team in row.teams if seen(asked, team)],
    (Project, "initiatives"): _initiatives_of,
    (Project, "issues"): lambda row, asked: weeks.issues_of(asked.site, row),
    (Initiative, "teams"): lambda row, asked: [team for one in _projects_of(row, asked) for team in one.teams],
    (Issue, "children"): _all(Issue, "parent"),
    (Cycle, "isActive"): lambda row, asked: _is_active(row, asked.site.now()),
    (Cycle, "isPast"): lambda row, asked: row.ends_at <= asked.site.now(),
    (Cycle, "isFuture"): lambda row, asked: row.starts_at > asked.site.now(),
}
"""Fields of filters that are no attribute, by the row they are of; one name is derived of all rows that have it."""

READS: Mapping[str, Resolver] = {
    "Query.viewer": lambda _, asked: asked.user,
    "Query.organization": lambda _, asked: asked.site,
    "Query.rateLimitStatus": lambda _, asked: asked.limits.status(asked.user.id, asked.site.now()),
    "Query.team": _one(Team, "Team"),
    "Query.user": _one(User, "User"),
    "Query.project": _one(Project, "Project"),
    "Query.initiative": _one(Initiative, "Initiative"),
    "Query.issue": _one(Issue, "Issue"),
    "Query.attachment": _one(Attachment, "Attachment"),
    "Query.users": _users,
    "Query.teams": _roots(Team, "teams"),
    "Query.workflowStates": _roots(State, "workflowStates"),
    "Query.issueLabels": _labels("issue"),
    "Query.projectLabels": _labels("project"),
    "Query.initiativeLabels": _labels("initiative"),
    "Query.projects": _roots(Project, "projects"),
    "Query.projectStatuses": _roots(ProjectStatus, "projectStatuses"),
    "Query.projectMilestones": _roots(Milestone, "projectMilestones"),
    "Query.projectUpdate": _update("project"),
    "Query.projectUpdates": _updates("project"),
    "Query.initiatives": _roots(Initiative, "initiatives"),
    "Query.initiativeToProjects": _roots(InitiativeToProject, "initiativeToProjects"),
    "Query.initiativeRelations": _roots(InitiativeRelation, "initiativeRelations"),
    "Query.initiativeUpdate": _update("initiative"),
    "Query.initiativeUpdates": _updates("initiative"),
    "Query.cycles": _roots(Cycle, "cycles"),
    "Query.issues": _roots(Issue, "issues"),
    "Query.issueRelations": _roots(IssueRelation, "issueRelations"),
    "Query.attachments": _roots(Attachment, "attachments"),
    "Query.attachmentsForURL": _for_url,
    "Query.webhooks": _webhooks,
    "Organization.urlKey": lambda site, _: site.name,
    "Organization.name": lambda site, _: site.name.capitalize(),
    "Organization.createdAt": lambda site, _: site.created_at,
    "Organization.updatedAt": lambda site, _: site.created_at,
    "Organization.archivedAt": lambda _, __: None,
    "Organization.roadmapEnabled": lambda _, __: True,
    "Organization.userCount": lambda site, _: sum(not user.app for user in site.all(User)),
    "Organization.createdIssueCount": lambda site, _: sum(team.last_number for team in site.all(Team)),
    "Organization.projectStatuses": lambda site, _: list(site.all(ProjectStatus)),
    "Organization.teams": _within(lambda site, _: site.all(Team)),
    "Organization.users": _within(lambda site, _: site.all(User)),
    "Organization.labels": _within(lambda site, _: site.labels["issue"].values()),
    "Organization.projectLabels": _within(lambda site, _: site.labels["project"].values()),
    "User.isMe": lambda row, asked: row is asked.user,
    "User.url": _url,
    "User.organization": lambda _, asked: asked.site,
    "Team.displayName": lambda row, _: row.name,
    "Team.organization": lambda _, asked: asked.site,
    "Team.parent": _visible("parent"),
    "Team.activeCycle": _active_cycle,
    "Team.issueCount": _issue_count,
    "Team.states": _within(_all(State, "team")),
    "Team.labels": _within(_issue_labels),
    "Team.cycles": _within(_all(Cycle, "team")),
    "Team.issues": _within(_all(Issue, "team")),
    "Team.projects": _within(_projects_of),
    "WorkflowState.issues": _within(_all(Issue, "state")),
    "IssueLabel.children": _within(_label_children("issue")),
    "ProjectLabel.children": _within(_label_children("project")),
    "InitiativeLabel.children": _within(_label_children("initiative")),
    "Cycle.name": lambda row, _: row.name or f"Cycle {row.number}",
    "Cycle.isActive": _FILTERED[Cycle, "isActive"],
    "Cycle.isPast": _FILTERED[Cycle, "isPast"],
    "Cycle.isFuture": _FILTERED[Cycle, "isFuture"],
    "Cycle.isNext": _cycle_beside(1),
    "Cycle.isPrevious": _cycle_beside(-1),
    "Cycle.progress": _progress,
    "Cycle.issues": _within(_all(Issue, "cycle")),
    "Project.identifier": lambda row, asked: f"P-{row.teams[0].key}-{row.number}",
    "Project.previousIdentifiers": lambda _, __: [],
    "Project.leadTeam": lambda row, _: row.teams[0],
    "Project.url": _url,
    "Project.progress": _progress,
    "Project.scope": lambda row, asked: weeks.scope(weeks.issues_of(asked.site, row)),
    "Project.lastUpdate": _last,
    "Project.labelIds": _label_ids,
    "Project.labels": _within(lambda row, _: row.labels),
    "Project.members": _within(lambda row, _: row.members),
    "Project.teams": _within(lambda row, _: row.teams),
    "Project.initiatives": _within(_initiatives_of),
    "Project.initiativeToProjects": _within(_all(InitiativeToProject, "project")),
    "Project.projectMilestones": _within(lambda row, _: row.milestones),
    "Project.projectUpdates": _within(lambda row, _: row.updates),
    "Project.externalLinks": _within(lambda row, _: row.links),
    "Project.issues": _within(_all(Issue, "project")),
    "ProjectMilestone.status": _milestone_status,
    "ProjectMilestone.progress": _progress,
    "ProjectMilestone.issues": _within(_all(Issue, "project_milestone")),
    "Initiative.url": _url,
    "Initiative.organization": lambda _, asked: asked.site,
    "Initiative.lastUpdate": _last,
    "Initiative.labelIds": _label_ids,
    "Initiative.labels": _within(lambda row, _: row.labels),
    "Initiative.parentInitiative": _parent_initiative,
    "Initiative.subInitiatives": _within(_children_of),
    "Initiative.projects": _initiative_projects,
    "Initiative.initiativeUpdates": _within(lambda row, _: row.updates),
    "Initiative.links": _within(lambda row, _: row.links),
    "Issue.url": _url,
    "Issue.branchName": lambda row, _: f"{row.identifier.lower()}-{slug(row.title)}",
    "Issue.priorityLabel": lambda row, _: PRIORITIES[row.priority],
    "Issue.parent": _visible("parent"),
    "Issue.project": _visible("project"),
    "Issue.labelIds": _label_ids,
    "Issue.labels": _within(lambda row, _: row.labels),
    "Issue.children": _within(_all(Issue, "parent")),
    "Issue.relations": _within(lambda row, _: row.relations),
    "Issue.inverseRelations": _within(lambda row, _: row.inverse_relations),
    "Issue.attachments": _within(lambda row, _: row.attachments),
    "Issue.history": _within(lambda row, _: row.histories),
    "IssueHistory.actorId": _actor_id,
    "ProjectUpdate.url": _url,
    "InitiativeUpdate.url": _url,
    **{
        f"{kind}.{name}": _series(name)
        for kind in ("Project", "Cycle")
        for name in (
            "issueCountHistory", "completedIssueCountHistory", "scopeHistory", "completedScopeHistory",
            "inProgressScopeHistory",
        )
    },
}  # fmt: skip
"""Resolvers by place; the names of their arguments are Linear's."""
