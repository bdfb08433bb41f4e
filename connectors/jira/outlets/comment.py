"""Status updates -> one kept comment on an issue: a document on Cloud, wiki markup on Data Center.

Pure: a `Call` is described, never sent. What a comment says now is read back into the shape of what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors import body
from connectors.base import Answer, Call, Json, Spot, There
from connectors.body import Block
from connectors.jira.outlets import adf, wiki
from connectors.jira.outlets.field import QUIET
from connectors.jira.outlets.places import is_server, issue_path, object_of
from connectors.shapes import load
from domain.errors import PayloadError, RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

PROPERTY = "keyrail"
"""the comment's property that bears our natural key, on Cloud"""

PAGE = 100


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a comment says: that of `body.content_of`, or the plain `text` of a template."""
    return body.content_of(update) if update.text is None else body.filled(update, update.text)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our comment to say `content`, or that writes one; that is not repeated.

    A change sends no mail where our account may say so; Jira has no such parameter for a new comment.
    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-comments/
    """
    blocks = body.blocks_of(content)
    if is_server(spot):
        said: dict[str, Json] = {"body": f"{wiki.marker(spot.key)}\n\n{wiki.document(blocks)}"}
    else:
        said = {"body": adf.document(blocks), "properties": [{"key": PROPERTY, "value": {"key": spot.key}}]}
    if spot.id is None:
        return Call(method="POST", path=issue_path(spot, "comment"), json=said, idempotent=False)
    quiet: Mapping[str, str] = {} if is_server(spot) else {QUIET: "false"}
    path = issue_path(spot, "comment", spot.id)
    return Call(method="PUT", path=path, params=quiet, courtesies=tuple(quiet), json=said)


def read(spot: Spot) -> Call:
    """Return the call that reads our comment by its id, or the newest comments where it is not known."""
    if spot.id is not None:
        return Call(method="GET", path=issue_path(spot, "comment", spot.id), params={"expand": "properties"})
    return _page(spot, 0)


def _page(spot: Spot, start: int) -> Call:
    params = {"orderBy": "-created", "expand": "properties", "startAt": str(start), "maxResults": str(PAGE)}
    return Call(method="GET", path=issue_path(spot, "comment"), params=params)


def current(answer: bytes, spot: Spot) -> There | Call | None:
    """Return what our comment says now, the call for older comments, or None where there is none of ours.

    Ours is the one that was remembered, else one that our account wrote and that bears our marker. Raises
    PayloadError on a body that is not JSON.
    """
    told = object_of(load(answer))
    if spot.id is not None:
        return _there(told, spot)
    page = told.get("comments")
    comments = [one for one in page if isinstance(one, dict)] if isinstance(page, list) else []
    for comment in comments:
        if _author(comment) == spot.reading.account and _marked(comment) == spot.key:
            return _there(comment, spot)
    total, start = told.get("total"), told.get("startAt")
    reached = (start if isinstance(start, int) else 0) + len(comments)
    return _page(spot, reached) if comments and isinstance(total, int) and reached < total else None


def _there(comment: Mapping[str, Any], spot: Spot) -> There:
    said = comment.get("body")
    blocks: Sequence[Block] | None
    if isinstance(said, str):
        text = said.lstrip()
        mine = wiki.owner(text) == spot.key
        blocks = wiki.blocks(text.removeprefix(wiki.marker(spot.key))) if mine else None
    else:
        text, blocks = adf.plain(said), adf.blocks(said)
    content = body.said_by(blocks or ())
    id = comment.get("id")
    return There(content=content or {"body": text}, id=str(id) if id is not None else None)


def _author(comment: Mapping[str, Any]) -> str | None:
    author = object_of(comment.get("author"))
    found = author.get("accountId") or author.get("key") or author.get("name")
    return str(found) if found else None


def _marked(comment: Mapping[str, Any]) -> str | None:
    """Return the natural key that a comment bears: in a property on Cloud, in its text on Data Center."""
    said = comment.get("body")
    if isinstance(said, str):
        return wiki.owner(said)
    properties = comment.get("properties")
    for one in properties if isinstance(properties, list) else ():
        if isinstance(one, dict) and one.get("key") == PROPERTY:
            key = object_of(one.get("value")).get("key")
            return key if isinstance(key, str) else None
    return None


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the comment that was written; raise PayloadError where the answer names none."""
    id = object_of(load(answer.body)).get("id")
    if id is None:
        raise PayloadError(f"{spot.row.id}: Jira wrote a comment on {spot.address} and does not say which.")
    return str(id)


def remove(spot: Spot) -> Call:
    """Return the call that takes our comment away; raise RejectedError where it was not looked up first."""
    if spot.id is None:
        raise RejectedError(f"{spot.row.id}: our comment on {spot.address} is not known, so it cannot be removed.")
    return Call(method="DELETE", path=issue_path(spot, "comment", spot.id))
