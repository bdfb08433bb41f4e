"""Badges: the health and progress of one subject as a small picture, for a README or a wiki.

Drawn from attributes alone, without style or script, and readable without its colours; who may see them is decided in
`app.web.access`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from functools import partial
from html import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.cli.view import words
from app.web.api.answer import has
from sync import present
from sync.answers import now_there
from sync.context import Context

KINDS = {"objective": "objectives", "key-result": "key_results", "initiative": "initiatives"}
"""kinds as they are written in addresses -> lists of the report"""
COLOURS = {
    "on_track": "#0b6e64",
    "at_risk": "#855400",
    "off_track": "#a01f58",
    "achieved": "#0b6e64",
    "missed": "#a01f58",
}
"""health -> ground; white on each of them has a contrast of 6 and more"""
QUIET, LABEL = "#565d6b", "#343a46"
LONGEST = 60
HEIGHT, PAD = 20, 6
NARROW, WIDE = "fijlrtI.,:;'!|()[] ", "mwMWGOQ%@●▲■✓✕○"


def routes(source: Callable[[], Context], *, public: bool) -> list[Route]:
    """Return the route of badges; `public` says that everybody may keep one."""
    return [Route("/badge/{kind}/{id:path}.svg", partial(badge, source, public), methods=["GET"])]


async def badge(source: Callable[[], Context], public: bool, request: Request) -> Response:
    """Answer the badge of a subject; one that is not there has a badge that says so, with status 404."""
    context = source()
    kind, id_ = request.path_params["kind"], request.path_params["id"]
    doc = await asyncio.to_thread(
        present.report, context.workspace, await now_there(context), timeframe="all", now=context.now()
    )
    found = next((one for one in doc.get(KINDS.get(kind, ""), ()) if one["id"] == id_), None)
    label = request.query_params.get("label") or (id_ if found is None else found["title"])
    if found is None:
        drawn = draw(label, "? not found", QUIET)
    else:
        said = words.health(found["health"])
        if found["progress"] is not None:
            said = f"{said} · {words.percent(found['progress'])}"
        drawn = draw(label, said, COLOURS.get(found["health"], QUIET))
    mark = f'"{hashlib.sha256(drawn.encode()).hexdigest()[:32]}"'
    headers = {
        "etag": mark,
        "cache-control": "public, max-age=120" if public else "private, no-cache",
        "cross-origin-resource-policy": "cross-origin" if public else "same-origin",
    }
    if found is not None and has(request.headers.get("if-none-match"), mark):
        return Response(status_code=304, headers=headers)
    return Response(drawn, 200 if found is not None else 404, media_type="image/svg+xml", headers=headers)


def draw(label: str, said: str, colour: str) -> str:
    """Return the picture of two texts side by side."""
    name, word = shown(label), shown(said)
    left, right = width(name) + 2 * PAD, width(word) + 2 * PAD
    alternative = escape(f"{name}: {word}")
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="{HEIGHT}" role="img" '
        f'aria-label="{alternative}"><title>{alternative}</title>'
        f'<clipPath id="r"><rect width="{left + right}" height="{HEIGHT}" rx="3"/></clipPath><g clip-path="url(#r)">'
        f'<rect width="{left}" height="{HEIGHT}" fill="{LABEL}"/>'
        f'<rect x="{left}" width="{right}" height="{HEIGHT}" fill="{colour}"/></g>'
        f'<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">'
        f'<text x="{PAD}" y="14" textLength="{left - 2 * PAD}">{escape(name)}</text>'
        f'<text x="{left + PAD}" y="14" textLength="{right - 2 * PAD}">{escape(word)}</text></g></svg>\n'
    )


def shown(text: str) -> str:
    """Return a text as it fits: in one line, without what no picture can hold, cut where it is too long."""
    held = words.clean(text).replace("\ufffe", "").replace("\uffff", "")  # XML has neither
    clean = " ".join(held.split()) or "?"
    return clean if len(clean) <= LONGEST else f"{clean[: LONGEST - 1]}…"


def width(text: str) -> int:
    """Return about how many pixels a text takes; `textLength` makes it so."""
    return round(sum(4.2 if one in NARROW else 9.6 if one in WIDE or ord(one) > 0x2E80 else 7.0 for one in text))
