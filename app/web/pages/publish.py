"""Publish: what have we told whom? What waits, what was sent, what a person overrode, and what would be sent now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.cli.view import words
from app.web.access import posted
from app.web.pages.desk import Ask, Desk
from app.web.pages.overview import paged
from domain.errors import UsageError
from domain.work import WorkItem
from storage import audit, items, outbox
from storage.outbox import Place
from sync import publish as publishing

Doc = dict[str, Any]  # Any: a JSON document

A_PAGE = 50
OUTLETS = {"jira": "remote_link", "github": "comment", "linear": "attachment"}
"""what an example writes `as`, by tracker"""


async def publish(desk: Desk, request: Request) -> Response:
    """Answer the page."""
    ask = await desk.ask(request)
    return await publish_page(desk, request, "", ask.said("released"))


async def publish_page(desk: Desk, request: Request, wrong: str, released: str) -> Response:
    """Return the page; `wrong` is why something could not be released."""
    ask = await desk.ask(request)
    async with ask.context.store.read() as tx:
        waiting = await outbox.waiting(tx)
        ledger = sorted((await outbox.ledger(tx)).values(), key=lambda told: told.sent_at, reverse=True)
    overridden = [told for told in ledger if told.overridden_at is not None]
    uncertain = [told for told in ledger if told.state == "uncertain" and told.overridden_at is None]
    sent, pager = paged([{"told": told} for told in ledger if told not in overridden], ask.number("page"), A_PAGE)
    known = await items_at(ask, [told.place for told in ledger] + [one.place for one in waiting])
    due = [one for one in waiting if one.state != "failed"]
    failed = [one for one in waiting if one.state == "failed"]
    plan = await ask.kept("plan", publishing.plan) if ask.said("plan") else None
    planned = [write for write in plan.doc if write.is_due] if plan is not None else []
    return ask.page(
        "publish.html",
        title="Publish",
        status=422 if wrong else 200,
        headline=headline(ask.context.workspace.publish, len(ledger), len(due), len(failed), len(overridden)),
        rows=ask.context.workspace.publish,
        overridden=overridden,
        uncertain=uncertain,
        due=due[:A_PAGE],
        failed=failed[:A_PAGE],
        sent=[one["told"] for one in sent],
        known=known,
        said=said,
        pager=pager,
        planned=planned[:A_PAGE],
        plan_asked=bool(ask.said("plan")),
        plan_ready=plan is not None,
        skipped=Counter(write.reason for write in plan.doc if write.action == "skip").most_common(8)
        if plan is not None
        else [],
        may_write=ask.person.may("write"),
        wrong=wrong,
        released=released,
        connection=next(iter(ask.context.workspace.connections), "jira"),
        outlet=OUTLETS.get(next((one.type for one in ask.context.workspace.connections.values()), "jira"), "comment"),
    )


async def items_at(ask: Ask, places: Iterable[Place]) -> dict[Place, WorkItem]:
    """Return the items of trackers that places are, where they are any."""
    rows = {row.id: row for row in ask.context.workspace.publish}
    by_connection: dict[str, list[Place]] = {}
    for place in places:
        row = rows.get(place.target)
        if row is not None and row.connection is not None:
            by_connection.setdefault(row.connection, []).append(place)
    found: dict[Place, WorkItem] = {}
    async with ask.context.store.read() as tx:
        for connection, there in by_connection.items():
            stored = await items.versions(tx, connection, sorted({place.address for place in there}))
            found.update({place: stored[place.address].item for place in there if place.address in stored})
    return found


def said(content: Mapping[str, Any]) -> str:  # Any: a JSON document
    """Return what a place was told, in a sentence where the content has one."""
    told = content.get("content", content)
    summary = told.get("summary") if isinstance(told, Mapping) else None
    if isinstance(summary, Mapping):
        summary = summary.get("text")
    return str(summary or (told.get("title") if isinstance(told, Mapping) else "") or "")


def headline(rows: Any, told: int, due: int, failed: int, overridden: int) -> str:  # Any: the rows of `publish`
    """Return the answer."""
    if not rows:
        return "Nobody is told anything yet."
    said = [f"{words.plural(told, 'place')} told"]
    if due:
        said.append(f"{words.exact(due)} waiting")
    if failed:
        said.append(f"{words.exact(failed)} refused")
    if overridden:
        said.append(f"{words.exact(overridden)} changed by a person and left alone")
    return f"{words.listed(said).capitalize()}."


async def release(desk: Desk, request: Request) -> Response:
    """Give a place back after a person's override, and show the page again."""
    typed = await posted(request)
    ask = await desk.ask(request)
    what = f"{typed.get('target', '')}:{typed.get('subject', '')}"
    reason = typed.get("reason", "").strip()
    try:
        if not reason:
            raise UsageError(
                "Say why it may be written again: the people who changed it will ask. Nothing was released."
            )
        await publishing.release(ask.context, what, reason[:2000], by=ask.person.name)
    except UsageError as error:
        return await publish_page(desk, request, str(error), "")
    async with ask.context.store.write() as tx:
        await audit.note(tx, ask.person.deed("release", what, ask.now, reason=reason[:2000]))
    return RedirectResponse("/publish?released=1", 303)
