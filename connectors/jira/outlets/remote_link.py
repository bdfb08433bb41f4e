"""Status updates -> the remote link that an issue shows, known by its global id.

Pure: a `Call` is described, never sent. What a link says now is brought into the same shape as what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Call, Json, Spot, There
from connectors.jira.outlets.places import issue_path, object_of
from connectors.shapes import load
from connectors.words import OVER, nowhere, one_line, progress_words, shorten
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS
from domain.workspace import PublishRow

APPLICATION = "Keyrail"
"""Name of the remote application; Jira shows it, and the changelog entry of a link ends with it in brackets."""

LONGEST = 255
"""Characters of a title that Jira keeps."""


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a remote link says: title, summary, url, whether it is struck through, and its status in words."""
    said = f"{progress_words(update)} · {HEALTH_WORDS[update.health]}"
    return {
        "title": f"{shorten(one_line(update.title), LONGEST - len(said) - 2)}: {said}",
        "summary": shorten(one_line(update.text or update.summary or "; ".join(update.drivers)), LONGEST),
        "url": update.url or nowhere(update),
        "resolved": update.health in OVER,
        "status": HEALTH_WORDS[update.health],
    }


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that creates or replaces the link known by the spot's key, so that it says `content`.

    Every field is sent, since Jira empties those that are left out.
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-remote-links/
    """
    return Call(
        method="POST",
        path=issue_path(spot, "remotelink"),
        json={
            "globalId": spot.key,
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


def read(spot: Spot) -> Call:
    """Return the call that reads the link known by the spot's key."""
    return Call(method="GET", path=issue_path(spot, "remotelink"), params={"globalId": spot.key})


def current(body: bytes, spot: Spot) -> There | None:
    """Return what the link known by the spot's key says now, None where there is none.

    Jira answers one link, or a list where it was not asked for one. Raises PayloadError on a body that is not JSON.
    """
    answer = load(body) if body.strip() else None
    links = answer if isinstance(answer, list) else [answer]
    for link in links:
        if isinstance(link, dict) and link.get("globalId") == spot.key:
            thing = object_of(link.get("object"))
            status = object_of(thing.get("status"))
            return There(
                content={
                    "title": thing.get("title"),
                    "summary": thing.get("summary") or "",
                    "url": thing.get("url"),
                    "resolved": status.get("resolved") is True,
                    "status": object_of(status.get("icon")).get("title"),
                }
            )
    return None


def remove(spot: Spot) -> Call:
    """Return the call that takes the link away; a link that is not there answers 404."""
    return Call(method="DELETE", path=issue_path(spot, "remotelink"), params={"globalId": spot.key})
