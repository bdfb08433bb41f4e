"""Deliveries as Linear sends them: an envelope, the row as it is now, what it was, and a signature over the bytes.

Attributes without a value are left out, as in real deliveries.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from app.demo import linear_weeks as weeks
from app.demo.ledger import Letter
from app.demo.linear_edits import described
from app.demo.linear_model import (
    PRIORITIES,
    RESOURCES,
    Change,
    Initiative,
    InitiativeRelation,
    InitiativeToProject,
    Issue,
    Label,
    Project,
    Team,
    User,
    Webhook,
)
from app.demo.linear_reads import page_of
from app.demo.linear_site import Site, last_update, uuid_of
from connectors.signature import sign

Body = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A webhook as it leaves Linear: the headers and the very bytes that are signed."""

    headers: dict[str, str]
    body: bytes


def delivery(
    site: Site, change: Change, *, sent_at: datetime | None = None, webhook: Webhook | None = None
) -> Delivery:
    """Write the delivery of a change, as the row is now; `sent_at` is the time it claims, the site's own if None.

    It is for `webhook`, or for the first that is registered.
    """
    at = int((sent_at or site.now()).timestamp() * 1000)
    registered = webhook or next(iter(site.all(Webhook)), None)
    body: Body = {
        "action": change.action,
        "actor": _person(site, change.actor) | {"type": "user"},
        "createdAt": described(change.at),
        "data": data_of(site, change.row),
        "url": page_of(site, change.row),
        "type": change.type,
        "organizationId": site.id,
        "webhookTimestamp": at,
        "webhookId": registered.id if registered else uuid_of(f"{site.name}:webhook"),
    }
    if change.updated_from:
        body["updatedFrom"] = {name: described(value) for name, value in change.updated_from.items()}
    raw = orjson.dumps(body)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Linear-Webhook",
        "Linear-Delivery": uuid_of(f"{site.name}:delivery:{change.number}:{webhook.id if webhook else ''}"),
        "Linear-Event": change.type,
        "Linear-Timestamp": str(at),
        "Linear-Signature": sign(registered.secret if registered else site.webhook_secret, raw),
    }
    return Delivery(headers=headers, body=raw)


def register(site: Site, url: str) -> Webhook:
    """Register a webhook for everything that all public teams do."""
    return site.register(url, RESOURCES, all_public_teams=True)


def switch_off(site: Site, id_: str) -> None:
    """Disable a webhook whose deliveries fail."""
    webhook = site.get(Webhook, id_)
    if webhook is not None:
        webhook.enabled = False
        site.touch()


def letters(site: Site, change: Change) -> Iterator[Letter]:
    """Yield the deliveries of a change: one for each webhook that wants it."""
    for webhook in list(site.all(Webhook)):
        if webhook.enabled and change.type in webhook.resource_types and _concerns(webhook, change.row):
            sent = delivery(site, change, webhook=webhook)
            yield Letter(
                tracker="linear", hook=webhook.id, url=webhook.url, guid=sent.headers["Linear-Delivery"],
                event=change.type, action=change.action, item=change.key, headers=sent.headers, body=sent.body,
            )  # fmt: skip


def _concerns(webhook: Webhook, row: Issue | Project | Initiative) -> bool:
    """Return whether a row is of the webhook's team, or of any public one; initiatives are of nobody's team."""
    teams = row.teams if isinstance(row, Project) else [row.team] if isinstance(row, Issue) else None
    if webhook.team is not None:
        return teams is not None and webhook.team in teams
    return teams is None or any(team.visibility == "public" for team in teams)


def data_of(site: Site, row: Issue | Project | Initiative) -> Body:
    """Return the row as deliveries tell it."""
    match row:
        case Issue():
            told = _issue(site, row)
        case Project():
            told = _project(site, row)
        case Initiative():
            told = _initiative(site, row)
    return {name: described(value) for name, value in told.items() if value is not None}


def _issue(site: Site, row: Issue) -> Body:
    return {
        "id": row.id,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "archivedAt": row.archived_at,
        "number": row.number,
        "title": row.title,
        "description": row.description,
        "priority": row.priority,
        "priorityLabel": PRIORITIES[row.priority],
        "prioritySortOrder": row.sort_order,
        "sortOrder": row.sort_order,
        "subIssueSortOrder": row.sub_issue_sort_order,
        "estimate": row.estimate,
        "startedAt": row.started_at,
        "startedTriageAt": row.started_triage_at,
        "triagedAt": row.triaged_at,
        "completedAt": row.completed_at,
        "canceledAt": row.canceled_at,
        "autoArchivedAt": row.auto_archived_at,
        "autoClosedAt": row.auto_closed_at,
        "dueDate": row.due_date,
        "trashed": row.trashed,
        "addedToProjectAt": row.added_to_project_at,
        "addedToCycleAt": row.added_to_cycle_at,
        "addedToTeamAt": row.added_to_team_at,
        "identifier": row.identifier,
        "previousIdentifiers": row.previous_identifiers,
        "url": page_of(site, row),
        "teamId": row.team.id,
        "team": _team(row.team),
        "stateId": row.state.id,
        "state": {"id": row.state.id, "color": row.state.color, "name": row.state.name, "type": row.state.type},
        "parentId": row.parent and row.parent.id,
        "projectId": row.project and row.project.id,
        "project": row.project and _child(site, row.project),
        "projectMilestoneId": row.project_milestone and row.project_milestone.id,
        "cycleId": row.cycle and row.cycle.id,
        "cycle": row.cycle
        and {
            "id": row.cycle.id,
            "number": row.cycle.number,
            "startsAt": described(row.cycle.starts_at),
            "endsAt": described(row.cycle.ends_at),
        },
        "assigneeId": row.assignee and row.assignee.id,
        "assignee": row.assignee and _person(site, row.assignee),
        "creatorId": row.creator.id,
        "creator": _person(site, row.creator),
        "labelIds": row.labels,
        "labels": [_label(label) for label in row.labels],
        "subscriberIds": [row.creator.id],
        "reactionData": [],
    }


def _project(site: Site, row: Project) -> Body:
    now, issues = site.now(), weeks.issues_of(site, row)
    initiatives = [link.initiative for link in site.all(InitiativeToProject) if link.project is row]
    last = last_update(row)
    return {
        "id": row.id,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "archivedAt": row.archived_at,
        "autoArchivedAt": row.auto_archived_at,
        "name": row.name,
        "description": row.description,
        "content": row.content,
        "slugId": row.slug_id,
        "url": page_of(site, row),
        "icon": row.icon,
        "color": row.color,
        "priority": row.priority,
        "prioritySortOrder": row.sort_order,
        "sortOrder": row.sort_order,
        "statusId": row.status.id,
        "status": {"id": row.status.id, "color": row.status.color, "name": row.status.name, "type": row.status.type},
        "health": row.health,
        "healthUpdatedAt": row.health_updated_at,
        "lastUpdateId": last and last.id,
        "leadId": row.lead and row.lead.id,
        "lead": row.lead and _person(site, row.lead),
        "creatorId": row.creator and row.creator.id,
        "startDate": row.start_date,
        "startDateResolution": row.start_date_resolution,
        "targetDate": row.target_date,
        "targetDateResolution": row.target_date_resolution,
        "startedAt": row.started_at,
        "completedAt": row.completed_at,
        "canceledAt": row.canceled_at,
        "trashed": row.trashed,
        "labelIds": row.labels,
        "teamIds": row.teams,
        "memberIds": row.members,
        "initiatives": [_child(site, one) for one in initiatives],
        **weeks.series(issues, row.started_at or row.created_at, now, weeks.WEEK),
    }


def _initiative(site: Site, row: Initiative) -> Body:
    relations = list(site.all(InitiativeRelation))
    above, last = site.parent_of(row), last_update(row)
    return {
        "id": row.id,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
        "archivedAt": row.archived_at,
        "name": row.name,
        "description": row.description or "",
        "slugId": row.slug_id,
        "url": page_of(site, row),
        "organizationId": site.id,
        "icon": row.icon,
        "color": row.color,
        "priority": row.priority,
        "sortOrder": row.sort_order,
        "frequencyResolution": "weekly",
        "status": row.status,
        "health": row.health,
        "healthUpdatedAt": row.health_updated_at,
        "lastUpdateId": last and last.id,
        "ownerId": row.owner and row.owner.id,
        "owner": row.owner and _person(site, row.owner),
        "creatorId": row.creator and row.creator.id,
        "targetDate": row.target_date,
        "targetDateResolution": row.target_date_resolution,
        "startedAt": row.started_at,
        "completedAt": row.completed_at,
        "trashed": row.trashed,
        "labelIds": row.labels,
        "parentInitiative": above and _child(site, above),
        "subInitiatives": [_child(site, one.related_initiative) for one in relations if one.initiative is row],
        "projects": [_child(site, link.project) for link in site.all(InitiativeToProject) if link.initiative is row],
    }


def _person(site: Site, user: User) -> Body:
    return {"id": user.id, "name": user.name, "email": user.email, "url": page_of(site, user)}


def _team(team: Team) -> Body:
    return {"id": team.id, "key": team.key, "name": team.name}


def _child(site: Site, row: Project | Initiative) -> Body:
    return {"id": row.id, "name": row.name, "url": page_of(site, row)}


def _label(label: Label) -> Body:
    told = {"id": label.id, "name": label.name, "color": label.color}
    return told | {"parentId": label.parent.id} if label.parent else told
