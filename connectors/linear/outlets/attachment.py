"""Status updates -> the card that Linear shows on an issue: what it says, and the calls that write and find it.

Pure: a `Call` is described, never sent. What a card says now is brought into the same shape as what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from connectors.base import Call, Json, Spot, There
from connectors.graphql import request
from connectors.linear.queries import PATH
from connectors.linear.shapes import child, listed, text_of
from connectors.shapes import load
from connectors.words import nowhere, one_line, progress_words, shorten
from domain.errors import PayloadError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS
from domain.workspace import PublishRow

LONGEST = 255
"""Characters of a title or a subtitle; Linear states no limit."""

ATTACHMENTS = """query Attachments($issue: String!, $mark: String!, $after: String) {
  issue(id: $issue) {
    id
    attachments(first: 50, after: $after, includeArchived: true, filter: { url: { endsWith: $mark } }) {
      pageInfo { hasNextPage endCursor }
      nodes { id title subtitle url }
    }
  }
}"""
ATTACH = """mutation Attach($input: AttachmentCreateInput!) {
  attachmentCreate(input: $input) { success attachment { id } }
}"""
REATTACH = """mutation Reattach($input: AttachmentCreateInput!, $old: String!) {
  attachmentCreate(input: $input) { success attachment { id } }
  attachmentDelete(id: $old) { success }
}"""
DETACH = """mutation Detach($id: String!) {
  attachmentDelete(id: $id) { success }
}"""


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a card says: title with progress and health, one line of summary, and the url that it leads to.

    Linear keeps one card an issue and url, so the url carries the natural key: it is the same for each write and
    differs between targets. A title with its number is never cut.
    """
    said = f"{progress_words(update)} · {HEALTH_WORDS[update.health]}"
    key = f"keyrail:{update.workspace}:{row.id}:{update.kind}:{update.id}"
    return {
        "title": f"{shorten(one_line(update.title), LONGEST - len(said) - 2)}: {said}",
        "summary": shorten(one_line(update.text or update.summary or "; ".join(update.drivers)), LONGEST),
        "url": f"{update.url or nowhere(update)}{mark(key)}",
    }


def mark(key: str) -> str:
    """Return how the url of our card ends, by its natural key; no key's mark ends with that of another."""
    return f"?keyrail={quote(key.removeprefix('keyrail:'), safe=':')}"


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that makes the card say `content`; it may be sent again, as it is known by issue and url.

    Where our public address has changed the url has too, so the card at the old one goes in the same request.
    """
    card = {
        "issueId": spot.address,
        "url": content["url"],
        "title": content["title"],
        "subtitle": content["summary"],
        "metadata": {"keyrail": spot.key},
    }
    id, _, url = (spot.id or "").partition(" ")
    if id and url and url != content["url"]:
        return request(PATH, REATTACH, {"input": card, "old": id})
    return request(PATH, ATTACH, {"input": card})


def read(spot: Spot) -> Call:
    """Return the call that reads our cards on an issue, by how their url ends."""
    return _read(spot, None)


def _read(spot: Spot, after: str | None) -> Call:
    paging = {"after": after} if after else {}
    return request(PATH, ATTACHMENTS, {"issue": spot.address, "mark": mark(spot.key), **paging})


def current(answer: bytes, spot: Spot) -> There | Call | None:
    """Return what our card says now, the call for more cards, or None where there is none of ours.

    The id of an entry is that of the card and its url, which may be one that we would not choose any more. Raises
    PayloadError on a body that is not JSON or that promises more and does not say where.
    """
    told = load(answer)
    data = child(told, "data") if isinstance(told, dict) else {}
    cards = child(child(data, "issue"), "attachments")
    for card in listed(cards):
        id, url = text_of(card.get("id")), text_of(card.get("url"))
        if id and url and url.endswith(mark(spot.key)):
            return There(content=_said(card), id=f"{id} {url}")
    paging = child(cards, "pageInfo")
    if paging.get("hasNextPage") is not True:
        return None
    after = text_of(paging.get("endCursor"))
    if after is None:
        raise PayloadError(f"The attachments of issue {spot.address} go on, and Linear does not say where.")
    return _read(spot, after)


def _said(card: Mapping[str, Any]) -> Mapping[str, Json]:
    return {"title": card.get("title"), "summary": card.get("subtitle") or "", "url": card.get("url")}


def remove(spot: Spot) -> Call:
    """Return the call that takes our card away; raise RejectedError where it was not looked up first."""
    id, _, _ = (spot.id or "").partition(" ")
    if not id:
        raise RejectedError(f"{spot.row.id}: the card on issue {spot.address} is not known, so it cannot be removed.")
    return request(PATH, DETACH, {"id": id})
