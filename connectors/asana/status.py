"""Status updates -> status updates of a goal in Asana, which go to all its followers and are never changed.

Pure; one a period, found again by our key in its link. Calls:
https://developers.asana.com/reference/createstatusforobject.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from datetime import UTC, timedelta
from urllib.parse import quote, unquote

from connectors.base import Answer, Call, Json, Outlet, Spot, There
from connectors.shapes import load
from connectors.tools import get, lines, mapping, status_line, title_of, workspace_of
from connectors.words import nowhere
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

TYPES: Mapping[Health, str] = {
    Health.ON_TRACK: "on_track",
    Health.AT_RISK: "at_risk",
    Health.OFF_TRACK: "off_track",
    Health.ACHIEVED: "achieved",
    Health.MISSED: "missed",
    Health.CANCELED: "dropped",
}
"""health -> the type of a goal's status; of any other nothing is told"""

LOOK_BACK = timedelta(days=100)
FIELDS = "html_text,title,status_type"
MARK = re.compile(r'href="[^"]*#(keyrail:[^"]*)"')


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return type, title and url, and the text under `summary`; nothing where there is no type for the health."""
    kind = TYPES.get(update.health)
    if kind is None:
        return {}
    own = update.text.strip().split("\n") if update.text is not None else None
    told = own if own is not None else [*lines((update.summary, *update.changed)), *lines(update.drivers)]
    return {
        "type": kind,
        "title": f"{title_of(update)}: {status_line(update)}",
        "url": update.url or nowhere(update),
        "summary": told,
    }


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that posts; raise RejectedError where one stands for this period, as none can be changed."""
    if spot.id is not None:
        raise RejectedError(
            f"{spot.row.id}: {spot.address} has its status update of {spot.period}, and Asana lets nobody change one. "
            "The next comes with the next period; delete that one in Asana to have it written anew."
        )
    listed = content["summary"]
    told = [html.escape(str(line)) for line in listed] if isinstance(listed, list) else []
    address = f"{content['url']}#{quote(spot.key, safe=':')}"
    told.append(f'<a href="{html.escape(address)}">Why this number</a>')
    data = {
        "parent": spot.address,
        "status_type": content["type"],
        "title": content["title"],
        "html_text": f"<body>{chr(10).join(told)}</body>",
    }
    return Call(method="POST", path="/status_updates", json={"data": data}, idempotent=False)


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the gid of the status update."""
    gid = mapping(mapping(load(answer.body)).get("data")).get("gid")
    return gid if isinstance(gid, str) else None


def read(spot: Spot) -> Call:
    """Return the call that lists the goal's latest status updates."""
    since = {"created_since": f"{(spot.now - LOOK_BACK).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"} if spot.now else {}
    return get("/status_updates", parent=spot.address, opt_fields=FIELDS, limit="100", **since)


def current(body: bytes, spot: Spot) -> There | Call | None:
    """Return our status update of the period, or the call for the next page."""
    said = mapping(load(body))
    for update in map(mapping, listed if isinstance(listed := said.get("data"), list) else []):
        mark = MARK.search(str(update.get("html_text")))
        key = unquote(html.unescape(mark[1])) if mark is not None else spot.key
        if workspace_of(key) != workspace_of(spot.key):
            return There(content={}, owner=key)
        if mark is not None and key == spot.key:
            return There(content=_said(update), id=str(update.get("gid")))
    offset = mapping(said.get("next_page")).get("offset")
    if not isinstance(offset, str):
        return None
    first = read(spot)
    return get(first.path, **first.params, offset=offset)


def _said(update: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return the content that a status update shows."""
    text = str(update.get("html_text")).removeprefix("<body>").removesuffix("</body>")
    *told, link = text.split("\n")
    url = html.unescape(link.partition('href="')[2].partition('"')[0]).partition("#keyrail:")[0]
    return {
        "type": update.get("status_type"),
        "title": update.get("title"),
        "url": url,
        "summary": [html.unescape(re.sub("<[^>]*>", "", line)) for line in told],
    }


def remove(spot: Spot) -> Call:
    """Return the call that deletes our status update."""
    return Call(method="DELETE", path=f"/status_updates/{quote(spot.id or '', safe='')}")


STATUS = Outlet(
    kind="asana",
    guarantee="read_back",
    content=content_of,
    render=render,
    read=read,
    current=current,
    sent=sent,
    remove=remove,
    per_period=True,
)
