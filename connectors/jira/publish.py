"""Status updates -> what is written to Jira, one set of functions for each kind of place.

Pure: a `Call` is described, never sent. What a place says now is brought into the same shape as what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from connectors.base import Call, Json, Outlet, Reading
from connectors.jira.shapes import load
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow

APPLICATION = "Keyrail"
"""Name of the remote application; Jira shows it, and the changelog entry of a link ends with it in brackets."""

LONGEST = 255
"""Characters of a title that Jira keeps."""

STATE_WORDS: Mapping[str, str] = {
    "no_scope": "Nothing in scope",
    "no_baseline": "No baseline yet",
    "no_dates": "No dates",
    "insufficient_history": "Not enough history yet",
    "no_finish_date": "No finish date",
    "invalid": "Not computable",
}

_OVER = frozenset({Health.ACHIEVED, Health.MISSED, Health.CANCELED})


def remote_link_content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a remote link says: title, summary, url, whether it is struck through, and its status in words."""
    said = f"{_progress(update)} · {HEALTH_WORDS[update.health]}"
    return {
        "title": f"{_shorten(_line(update.title), LONGEST - len(said) - 2)}: {said}",
        "summary": _shorten(_line(update.summary or "; ".join(update.drivers)), LONGEST),
        "url": update.url or _nowhere(update),
        "resolved": update.health in _OVER,
        "status": HEALTH_WORDS[update.health],
    }


def remote_link_render(content: Mapping[str, Json], row: PublishRow, address: str, key: str, reading: Reading) -> Call:
    """Return the call that creates or replaces the link known by `key` on issue `address`, so that it says `content`.

    Every field is sent, since Jira empties those that are left out.
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/
    """
    return Call(
        method="POST",
        path=_remote_links(address, reading),
        json={
            "globalId": key,
            "application": {"name": APPLICATION, "type": "io.keyrail"},
            "relationship": "contributes to",
            "object": {
                "url": content["url"],
                "title": content["title"],
                "summary": content["summary"],
                "icon": {"title": APPLICATION},
                "status": {
                    "resolved": content["resolved"],
                    "icon": {"title": content["status"], "link": content["url"]},
                },
            },
        },
    )


def remote_link_read(row: PublishRow, address: str, key: str, reading: Reading) -> Call:
    """Return the call that reads the link known by `key`."""
    return Call(method="GET", path=_remote_links(address, reading), params={"globalId": key})


def remote_link_current(body: bytes, key: str) -> Mapping[str, Json] | None:
    """Return what the link known by `key` says now, comparable with `remote_link_content`; None where there is none.

    Jira answers one link, or a list where it was not asked for one. Raises PayloadError on a body that is not JSON.
    """
    answer = load(body) if body.strip() else None
    links = answer if isinstance(answer, list) else [answer]
    for link in links:
        if isinstance(link, dict) and link.get("globalId") == key:
            thing = _object(link.get("object"))
            status = _object(thing.get("status"))
            return {
                "title": thing.get("title"),
                "summary": thing.get("summary") or "",
                "url": thing.get("url"),
                "resolved": status.get("resolved") is True,
                "status": _object(status.get("icon")).get("title"),
            }
    return None


def remote_link_remove(row: PublishRow, address: str, key: str, reading: Reading) -> Call:
    """Return the call that takes the link away; a link that is not there answers 404."""
    return Call(method="DELETE", path=_remote_links(address, reading), params={"globalId": key})


def _remote_links(address: str, reading: Reading) -> str:
    return f"{_api(reading)}/issue/{quote(address, safe='')}/remotelink"


def _api(reading: Reading) -> str:
    """Return the root of the REST paths: version 3 on Cloud, 2 on Data Center."""
    api = reading.facts.get("api")
    if isinstance(api, str):
        return api.rstrip("/")
    return "/rest/api/2" if reading.facts.get("deployment") == "datacenter" else "/rest/api/3"


def _nowhere(update: StatusUpdate) -> str:
    """Return a URL that leads nowhere, ever (RFC 2606), since a link needs one and none is configured."""
    return "https://keyrail.invalid/" + "/".join(
        quote(part, safe="") for part in (update.workspace, update.kind, update.id)
    )


def _progress(update: StatusUpdate) -> str:
    if update.progress is None:
        return STATE_WORDS.get(update.state, "No data yet")
    return f"{_percent(update.progress)} %"


def _percent(ratio: float) -> int:
    """Round half to even on the decimal text; what is not complete is never 100, what is begun never 0."""
    if ratio >= 1:
        return 100
    if ratio <= 0:
        return 0
    return min(max(round(Fraction(str(ratio)) * 100), 1), 99)


def _line(text: str) -> str:
    """Return `text` as one line: runs of white space and control characters become one space.

    Jira shows the texts of a remote link as plain text and escapes them itself.
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: max(longest - 1, 0)].rstrip() + "…"


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


OUTLETS: Mapping[str, Outlet] = {
    "remote_link": Outlet(
        kind="remote_link",
        guarantee="keyed",
        content=remote_link_content,
        render=remote_link_render,
        read=remote_link_read,
        current=remote_link_current,
        remove=remote_link_remove,
    ),
}
