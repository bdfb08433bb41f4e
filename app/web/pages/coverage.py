"""Coverage: what are we not counting? Unlinked work, rules that never match, and the line that would link it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cli.view import words
from app.web.pages.desk import Desk
from app.web.pages.overview import paged
from sync.coverage import coverage as coverage_doc

Doc = dict[str, Any]  # Any: a JSON document

PROPOSALS_A_PAGE = 25
MOST = 50


async def coverage(desk: Desk, request: Request) -> Response:
    """Answer the page."""
    ask = await desk.ask(request)
    found = await ask.kept("coverage", coverage_doc)
    if found is None:
        return ask.waiting("Coverage", "what is linked to nothing")
    doc = found.doc
    proposals, pager = paged(doc["proposals"], ask.number("page"), PROPOSALS_A_PAGE)
    return ask.page(
        "coverage.html",
        title="Coverage",
        doc=doc,
        headline=headline(doc),
        proposals=proposals,
        pager=pager,
        most=MOST,
        connection=next(iter(ask.context.workspace.connections), "jira"),
        initiative=next(iter(ask.context.workspace.initiatives), "I1"),
    )


def headline(doc: Doc) -> str:
    """Return the answer."""
    unlinked = doc["unlinked"]
    if not unlinked["epics"] and not unlinked["items"]:
        return "Everything in scope is counted."
    parts = [
        words.plural(unlinked[name], noun) for name, noun in (("epics", "epic"), ("items", "item")) if unlinked[name]
    ]
    alone = unlinked["epics"] + unlinked["items"] == 1
    return f"{words.listed(parts)} {'is' if alone else 'are'} linked to no initiative."
