"""Status updates -> one kept comment on an issue or an epic: its text, and the calls that write and find it.

Pure: a `Call` is described, never sent. What a comment says now is read back into the shape of what we would say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from connectors import graphql
from connectors.base import Call, Json, Outlet, Spot, There
from connectors.github.markdown import escape, unescape
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of, objects
from connectors.shapes import load
from connectors.words import SHAPES, one_line, progress_words, shorten
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS
from domain.workspace import PublishRow

MARKER = "<!-- keyrail:"
"""How each comment of ours begins; the natural key follows."""

LONGEST, MOST = 500, 20
"""characters of one line, and reasons that are told"""

COMMENT = """query Comment($id:ID!){
  node(id:$id){__typename ... on IssueComment{id body}}
}"""
COMMENTS = """query Comments($id:ID!,$before:String){
  node(id:$id){__typename ... on Issue{id comments(last:100,before:$before){
    pageInfo{hasPreviousPage startCursor} nodes{id body viewerDidAuthor}}}}
}"""
ADD_COMMENT = """mutation AddComment($subjectId:ID!,$body:String!){
  addComment(input:{subjectId:$subjectId,body:$body}){commentEdge{node{id}}}
}"""
UPDATE_COMMENT = """mutation UpdateComment($id:ID!,$body:String!){
  updateIssueComment(input:{id:$id,body:$body}){issueComment{id}}
}"""
DELETE_COMMENT = """mutation DeleteComment($id:ID!){
  deleteIssueComment(input:{id:$id}){clientMutationId}
}"""
DOCUMENTS = (COMMENT, COMMENTS, ADD_COMMENT, UPDATE_COMMENT, DELETE_COMMENT)

_HEADLINE = re.compile(r"\*\*(?P<title>.*)\*\* · (?P<status>.*)")
_LINK = re.compile(r"\[Why this number\]\((?P<url>.*)\)")
_FOOT = "<sub>Kept up to date by Keyrail"


def comment_content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a comment says: title, status, url, and under `summary` what moves with the calendar.

    `summary` holds `text`, the `reasons` of the health and `complete`, up to when the sources are complete.
    """
    return {
        "title": _line(update.title) or update.id,
        "status": f"{progress_words(update)} · {SHAPES[update.health]} {HEALTH_WORDS[update.health]}",
        "url": update.url if update.url and _is_plain(update.url) else "",
        "summary": {
            "text": _line(update.summary),
            "reasons": [told for reason in update.drivers[:MOST] if (told := _line(reason))],
            "complete": _complete(update.complete_to),
        },
    }


def _line(text: str) -> str:
    return shorten(one_line(text), LONGEST)


def _is_plain(url: str) -> bool:
    """Tell whether an address can stand in a Markdown link as it is."""
    return urlsplit(url).scheme in ("https", "http") and url.isascii() and not re.search(r"[\s()<>\\\[\]]", url)


def _complete(moment: datetime | None) -> str:
    return f"complete to {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment is not None else ""


def body_of(content: Mapping[str, Json], key: str) -> str:
    """Return the Markdown of a comment; it begins with the marker of our natural key."""
    summary = object_of(content.get("summary"))
    reasons = "\n".join(f"- {escape(str(reason))}" for reason in _texts(summary.get("reasons")))
    link = f"[Why this number]({content['url']})" if content.get("url") else ""
    complete = summary.get("complete")
    parts = [
        marker(key),
        f"**{escape(str(content['title']))}** · {escape(str(content['status']))}",
        escape(str(summary.get("text") or "")),
        reasons,
        link,
        f"{_FOOT}{f' · {escape(str(complete))}' if complete else ''}</sub>",
    ]
    return "\n\n".join(part for part in parts if part)


def marker(key: str) -> str:
    """Return the comment of HTML that a body begins with; a natural key can neither end it nor look like another."""
    return f"<!-- keyrail:{quote(key.removeprefix('keyrail:'), safe=':')} -->"


def content_of(body: str, key: str) -> Mapping[str, Json]:
    """Return the content that a body says; ``{"body": …}`` where it is not what we would write, so by a person."""
    text = "\n".join(line.rstrip() for line in body.replace("\r\n", "\n").split("\n")).strip()
    first, *parts = text.split("\n\n")
    head = _HEADLINE.fullmatch(parts.pop(0)) if parts else None
    summary: dict[str, Any] = {"text": "", "reasons": [], "complete": ""}
    url = ""
    for part in parts:
        if part.startswith(_FOOT):
            summary["complete"] = unescape(part.removeprefix(_FOOT).removesuffix("</sub>").removeprefix(" · "))
        elif part.startswith("- "):
            summary["reasons"] = [unescape(line.removeprefix("- ")) for line in part.split("\n")]
        elif link := _LINK.fullmatch(part):
            url = link["url"]
        else:
            summary["text"] = unescape(part)
    if head is not None and first == marker(key):
        title, status = unescape(head["title"]), unescape(head["status"])
        told: dict[str, Json] = {"title": title, "status": status, "url": url, "summary": summary}
        if body_of(told, key) == text:
            return told
    return {"body": text}


def comment_render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our comment to say `content`, or that writes one; that is not repeated."""
    body = body_of(content, spot.key)
    if spot.id is not None:
        return graphql.request(GRAPHQL, UPDATE_COMMENT, {"id": spot.id, "body": body})
    return graphql.request(GRAPHQL, ADD_COMMENT, {"subjectId": spot.address, "body": body}, idempotent=False)


def comment_read(spot: Spot) -> Call:
    """Return the call that reads our comment by its id, or the newest comments where it is not known."""
    if spot.id is not None:
        return graphql.request(GRAPHQL, COMMENT, {"id": spot.id})
    return _comments(spot, None)


def _comments(spot: Spot, before: str | None) -> Call:
    paging = {"before": before} if before else {}
    return graphql.request(GRAPHQL, COMMENTS, {"id": spot.address, **paging})


def comment_current(body: bytes, spot: Spot) -> There | Call | None:
    """Return what our comment says now, the call for older comments, or None where there is none of ours.

    Ours is the one that was remembered, else the newest that our account wrote and that begins with our marker.
    Raises RejectedError where the place is no issue, as a milestone is none.
    """
    node = object_of(object_of(object_of(load(body)).get("data")).get("node"))
    if spot.id is not None:
        said = node.get("body")
        return There(content=content_of(said, spot.key), id=spot.id) if isinstance(said, str) else None
    if node.get("__typename", "Issue") != "Issue":
        raise RejectedError(f"{spot.row.id}: {spot.address} is a {node['__typename']}, which takes no comment.")
    comments = object_of(node.get("comments"))
    for comment in reversed(objects(comments)):
        id, said = comment.get("id"), comment.get("body")
        mine = comment.get("viewerDidAuthor") is True and isinstance(said, str)
        if mine and isinstance(id, str) and said.lstrip().startswith(marker(spot.key)):
            return There(content=content_of(said, spot.key), id=id)
    paging = object_of(comments.get("pageInfo"))
    before = paging.get("startCursor")
    return _comments(spot, before) if paging.get("hasPreviousPage") is True and isinstance(before, str) else None


def comment_remove(spot: Spot) -> Call:
    """Return the call that takes our comment away."""
    return graphql.request(GRAPHQL, DELETE_COMMENT, {"id": spot.id or ""})


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


OUTLETS: Mapping[str, Outlet] = {
    "comment": Outlet(
        kind="comment",
        guarantee="read_back",
        content=comment_content,
        render=comment_render,
        read=comment_read,
        current=comment_current,
        remove=comment_remove,
        stands_on=lambda key: "/milestone/" not in key,
    ),
}
