"""Webhooks at Linear: one for all public teams or one team, and one of its own for each private team.

Pure. Linear tells administrators what a webhook signs with, so a secret that is not ours is seen.
https://linear.app/developers/webhooks
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Answer, Call, Json, Reading
from connectors.graphql import request
from connectors.hooks import Hook, Hooks, Place, Receiver
from connectors.linear import queries
from connectors.linear.site import scoped_teams
from connectors.linear.webhook import THINGS
from connectors.shapes import load
from domain.workspace import Connection

EVENTS = tuple(sorted(THINGS))
PUBLIC = "public"
"""`Place.scope` of the webhook for all public teams; of the others it is the team's id"""

LISTED = """query Webhooks($after: String) {
  webhooks(first: 100, after: $after, includeArchived: true) {
    pageInfo { hasNextPage endCursor }
    nodes { id archivedAt url label enabled resourceTypes secret allPublicTeams team { id } }
  }
}"""
MADE = """mutation WebhookCreate($input: WebhookCreateInput!) {
  webhookCreate(input: $input) { success webhook { id } }
}"""
CHANGED = """mutation WebhookUpdate($id: String!, $input: WebhookUpdateInput!) {
  webhookUpdate(id: $id, input: $input) { success webhook { id } }
}"""
DELETED = """mutation WebhookDelete($id: String!) {
  webhookDelete(id: $id) { success }
}"""


def places(connection: Connection, reading: Reading, receiver: Receiver) -> tuple[Place, ...]:
    """Return a place for the public teams in scope, their own where it is one alone, and one for each private team."""
    told = reading.facts.get("teams")
    roster = {id: team for id, team in told.items() if isinstance(team, dict)} if isinstance(told, dict) else {}
    scoped = {id: roster[id] for id in scoped_teams(connection, roster)}
    public = [id for id, team in scoped.items() if team.get("visibility") != "private"]
    alone = [id for id in scoped if id not in public] + (public if len(public) == 1 else [])
    found = [_place(PUBLIC, "all public teams")] if len(public) > 1 else []
    return (*found, *(_place(id, f"team {scoped[id].get('key') or id}") for id in alone))


def _place(scope: str, name: str) -> Place:
    return Place(name=name, path=queries.PATH, events=EVENTS, scope=scope)


# --- what stands there


def standing(place: Place, answers: Sequence[Answer]) -> Call | list[Hook]:
    """Read the workspace's webhooks to their end; of them those that cover what the place does."""
    if not answers:
        return _page(None)
    listed = [_listed(answer) for answer in answers]
    info = listed[-1].get("pageInfo")
    if isinstance(info, dict) and info.get("hasNextPage") and isinstance(after := info.get("endCursor"), str):
        return _page(after)
    nodes = [node for page in listed for node in page.get("nodes") or () if isinstance(node, dict)]
    return [_hook(node) for node in nodes if not node.get("archivedAt") and _covers(node) == place.scope]


def _page(after: str | None) -> Call:
    return queries.page(LISTED, after)


def _listed(answer: Answer) -> Mapping[str, Any]:
    told = load(answer.body)
    data = told.get("data") if isinstance(told, dict) else None
    listed = data.get("webhooks") if isinstance(data, dict) else None
    return listed if isinstance(listed, dict) else {}


def _covers(node: Mapping[str, Any]) -> str:
    team = node.get("team")
    if isinstance(team, dict):
        return str(team.get("id") or "")
    return PUBLIC if node.get("allPublicTeams") is True else ""


def _hook(node: Mapping[str, Any]) -> Hook:
    secret = node.get("secret")
    return Hook(
        id=str(node.get("id")),
        url=str(node.get("url") or ""),
        events=tuple(str(one) for one in node.get("resourceTypes") or ()),
        enabled=node.get("enabled") is not False,
        secret=secret if isinstance(secret, str) else None,
    )


# --- what is changed


def write(place: Place, hook: Hook | None, receiver: Receiver) -> Call:
    """Make a webhook, or let one be what it shall be; what it covers was chosen when it was made."""
    said: dict[str, Json] = {
        "url": receiver.url,
        "label": receiver.name,
        "resourceTypes": place.events_with(hook),
        "secret": receiver.secret,
        "enabled": True,
    }
    if hook is not None:
        return request(queries.PATH, CHANGED, {"id": hook.id, "input": said})
    covered: dict[str, Json] = {"allPublicTeams": True} if place.scope == PUBLIC else {"teamId": place.scope}
    return request(queries.PATH, MADE, {"input": said | covered}, idempotent=False)


def written(place: Place, told: Json) -> str:
    """Return the id of the webhook that was made; refusals are errors of the answer."""
    data = told.get("data") if isinstance(told, dict) else None
    made = data.get("webhookCreate") if isinstance(data, dict) else None
    webhook = made.get("webhook") if isinstance(made, dict) else None
    return str(webhook.get("id") or "") if isinstance(webhook, dict) else ""


def delete(place: Place, hook: Hook) -> Call:
    """Take a webhook away."""
    return request(queries.PATH, DELETED, {"id": hook.id})


# --- what a person does


def by_hand(connection: Connection, place: Place, receiver: Receiver) -> tuple[str, ...]:
    """Return what an administrator of the workspace clicks."""
    teams = "All public teams" if place.scope == PUBLIC else f"the {place.name}"
    return (
        "Linear -> Settings -> Administration -> API -> Webhooks -> New webhook (or open the one with this URL), as an"
        " administrator of the workspace.",
        f"Label: {receiver.name}",
        f"URL: {receiver.url}",
        f"Signing secret: Linear shows one; put it into {receiver.source}, or set it there to that value. Both must be"
        " the same.",
        f"Teams: {teams}",
        f"Data change events: {', '.join(f'{event}s' for event in place.events)}",
        "Choose Create webhook, and see that it is enabled.",
    )


HOOKS = Hooks(places=places, standing=standing, write=write, written=written, delete=delete, by_hand=by_hand)
