"""Sync: can I trust today's numbers? Each connection with its lag, census and head-room; what was parked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.cli.view import words
from app.web.access import posted
from app.web.pages.desk import Ask, Desk
from domain.errors import UsageError
from storage import audit, gauges, inbox, setbacks
from storage.gauges import Gauges
from sync import present as presents

Doc = dict[str, Any]  # Any: a JSON document

PARKED = 20
"""parked deliveries shown of each connection"""
AT_ONCE = 1000
"""parked deliveries that one replay takes up"""


async def sync(desk: Desk, request: Request) -> Response:
    """Answer the page."""
    ask = await desk.ask(request)
    async with ask.context.store.read() as tx:
        state = await gauges.read(tx)
        failures = await setbacks.every(tx)
        parked = {
            name: await inbox.stored(tx, name, since=None, parked=True, after=0, limit=PARKED)
            for name in ask.context.workspace.connections
            if state.deliveries.get((name, "parked"))
        }
    rows = connections(ask, state)
    return ask.page(
        "sync.html",
        title="Sync",
        rows=rows,
        headline=headline(rows),
        parked=parked,
        counts={name: state.deliveries.get((name, "parked"), 0) for name in parked},
        failures=[one for one in failures if one.error],
        dirty=state.dirty,
        may_write=ask.person.may("write"),
        replayed=ask.number("replayed", 0),
    )


def connections(ask: Ask, state: Gauges) -> list[Doc]:
    """Return each connection with what is known of it."""
    known = presents.freshness(ask.context.workspace, ask.there.complete_to, ask.now)
    headroom, stages = ask.desk.web.metrics.headroom(), ask.desk.web.metrics.stages
    found = []
    for name, connection in ask.context.workspace.connections.items():
        complete = known[name].complete_to
        census = state.census.get(name)
        found.append(
            {
                "name": name,
                "type": connection.type,
                "items": state.items.get(name, 0),
                "complete_to": complete,
                "lag": (ask.now - complete).total_seconds() if complete is not None else None,
                "stale": known[name].stale,
                "census": {**census, "at": datetime.fromisoformat(census["at"])} if census else None,
                "waiting": state.deliveries.get((name, "new"), 0),
                "parked": state.deliveries.get((name, "parked"), 0),
                "headroom": headroom.get(name),
                "stage": stages.get(name),
            }
        )
    return found


def headline(rows: list[Doc]) -> str:
    """Return the answer."""
    if not rows:
        return "No connection yet, so nothing is counted."
    unread = [row["name"] for row in rows if row["complete_to"] is None]
    stale = [row["name"] for row in rows if row["stale"] and row["complete_to"] is not None]
    gaps = [
        row["name"]
        for row in rows
        if row["census"] and row["census"]["missing"] + row["census"]["absent"] > row["census"]["repaired"]
    ]
    parked = sum(row["parked"] for row in rows)
    if unread:
        return f"Not yet: {words.listed(unread, 3)} {'has' if len(unread) == 1 else 'have'} not been read in full."
    if stale:
        return f"Not quite: {words.listed(stale, 3)} {'is' if len(stale) == 1 else 'are'} behind."
    if gaps:
        return f"Nearly: the last census of {words.listed(gaps, 3)} found gaps that are not repaired yet."
    if parked:
        told = words.plural(parked, "delivery")
        return f"Nearly: {told} could not be read and {'waits' if parked == 1 else 'wait'} below."
    return "Yes: every connection is read in full and up to date."


async def replay(desk: Desk, request: Request) -> Response:
    """Let parked deliveries of a connection be read again, and show the page again."""
    typed = await posted(request)
    ask = await desk.ask(request)
    name = typed.get("connection", "")
    if name not in ask.context.workspace.connections:
        raise UsageError(f"There is no connection '{name[:80]}'. See Sync: /sync")
    async with ask.context.store.write() as tx:
        rows = await inbox.stored(tx, name, since=None, parked=True, after=0, limit=AT_ONCE)
        await inbox.reopen(tx, [row.id for row in rows])
        await audit.note(tx, ask.person.deed("replay", name, ask.now, deliveries=len(rows)))
    return RedirectResponse(f"/sync?replayed={len(rows)}", 303)
