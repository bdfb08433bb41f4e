"""Endpoints of Keyrail's own state: connections, deliveries, publications, the account of who changed what, who asks.

Read out of the store; nothing asks a tracker.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.web.api.asked import text, word
from app.web.api.endpoint import Asked, Doc, Endpoint, Find, Key, Page, in_memory, page
from app.web.api.shapes import CONNECTION, DEED, DELIVERY, ME, PUBLICATION
from storage import audit, gauges, lists, outbox
from sync.present import freshness

NAME = text("connection", "Only those of this connection.")


async def connections(asked: Asked) -> Find:
    """Open the list of connections."""
    context = asked.context
    async with context.store.read() as tx:
        state = await gauges.read(tx)
    fresh = freshness(context.workspace, state.complete_to, context.now())
    return in_memory(
        [
            {
                "name": name,
                "type": connection.type,
                "url": connection.url,
                "complete_to": fresh[name].complete_to,
                "stale": fresh[name].stale,
                "items": state.items.get(name, 0),
                "waiting": state.deliveries.get((name, "new"), 0),
                "parked": state.deliveries.get((name, "parked"), 0),
                "oldest_waiting": state.oldest.get(name),
                "census": state.census.get(name),
                "failures": {job: count for (job, key), count in sorted(state.failures.items()) if key == name},
            }
            for name, connection in context.workspace.connections.items()
        ],
        lambda one: [one["name"]],
    )


async def deliveries(asked: Asked) -> Find:
    """Open the list of what trackers sent, and of pages that were read; without the bodies."""

    async def find(after: Key | None, limit: int) -> Page:
        async with asked.context.store.read() as tx:
            rows = await lists.deliveries_before(
                tx,
                connection=asked["connection"],
                state=asked["state"],
                kinds=(asked["kind"],) if asked["kind"] is not None else None,
                before=after[0] if after else None,
                limit=limit + 1,
            )
        return page([row._asdict() for row in rows], limit, lambda one: [one["id"]])

    return find


async def publications(asked: Asked) -> Find:
    """Open the list of places: what each was told last, and what it is to be told."""
    async with asked.context.store.read() as tx:
        told = await outbox.ledger(tx)
        due = {one.place: one for one in await outbox.waiting(tx)}
    found = [place_document(place, told.get(place), due.get(place)) for place in told.keys() | due.keys()]
    wanted = {name: asked[name] for name in ("target", "subject", "state") if asked[name] is not None}
    kept = [one for one in found if all(one[name] == value for name, value in wanted.items())]
    return in_memory(kept, lambda one: [one[name] for name in ("target", "kind", "subject", "address")])


def place_document(place: outbox.Place, told: outbox.Published | None, due: outbox.Due | None) -> Doc:
    """Return a place with what it says and shall say."""
    state = told.state if told is not None else "due"
    if told is not None and told.overridden_at is not None:
        state = "overridden"
    elif due is not None:
        state = due.state
    content: Mapping[str, Any] | None = told.content if told is not None else None
    return {
        "target": place.target,
        "kind": place.kind,
        "subject": place.subject,
        "address": place.address,
        "state": state,
        "sent_at": told.sent_at if told is not None else None,
        "overridden_at": told.overridden_at if told is not None else None,
        "due_at": due.first_due_at if due is not None else None,
        "reason": due.reason if due is not None else None,
        "error": due.error if due is not None else None,
        "content": {name: value for name, value in content.items() if name != outbox.MAY_SAY} if content else None,
    }


async def account(asked: Asked) -> Find:
    """Open the account of who changed what."""

    async def find(after: Key | None, limit: int) -> Page:
        async with asked.context.store.read() as tx:
            rows = await audit.deeds(tx, before=after[0] if after else None, limit=limit + 1)
        return page([deed_document(number, deed) for number, deed in rows], limit, lambda one: [one["number"]])

    return find


def deed_document(number: int, deed: audit.Deed) -> Doc:
    """Return what somebody did."""
    return {"number": number, **{name: getattr(deed, name) for name in DEED["properties"] if name != "number"}}


async def me(asked: Asked) -> Doc:
    """Answer who asks."""
    return {"name": asked.person.name, "role": asked.person.role, "via": asked.person.via}


ENDPOINTS = (
    Endpoint(
        name="list_connections",
        path="/api/v1/connections",
        group="State",
        says="Connections: up to when each is complete, what waits, what is parked, the last census.",
        answer=CONNECTION,
        open=connections,
        key=(str,),
    ),
    Endpoint(
        name="list_deliveries",
        path="/api/v1/deliveries",
        group="State",
        says="What trackers sent and what was read of them, the latest first; without the bodies.",
        answer=DELIVERY,
        params=(
            NAME,
            word("state", ("new", "done", "parked"), "Only those in this state."),
            text("kind", "Only those of this kind, such as `webhook`."),
        ),
        open=deliveries,
        key=(int,),
    ),
    Endpoint(
        name="list_publications",
        path="/api/v1/publications",
        group="State",
        says="Where something is told: what each place says, and what it is to be told.",
        answer=PUBLICATION,
        params=(
            text("target", "Only this row of `publish`."),
            text("subject", "Only what is told of this subject."),
            word("state", tuple(PUBLICATION["properties"]["state"]["enum"]), "Only those in this state."),
        ),
        open=publications,
        key=(str, str, str, str),
    ),
    Endpoint(
        name="list_audit",
        path="/api/v1/audit",
        group="State",
        says="Who changed what through the service and its tokens, the latest first.",
        answer=DEED,
        role="write",
        open=account,
        key=(int,),
    ),
    Endpoint(
        name="get_me",
        path="/api/v1/me",
        group="State",
        says="Who asks, and what they may.",
        answer=ME,
        do=me,
    ),
)
