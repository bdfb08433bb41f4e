"""Status updates -> one kept comment on an issue or an epic: its text, and the calls that write and find it.

Pure: a `Call` is described, never sent. What a comment says now is read back into the shape of what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import graphql
from connectors.base import Answer, Call, Json, Spot, There
from connectors.github.outlets.places import issue_of
from connectors.github.outlets.text import body_of, content_of, marker, said_in
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of, objects
from connectors.shapes import load
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

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


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a comment says: title, status, url, and under `summary` what moves with the calendar."""
    return content_of(update)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our comment to say `content`, or that writes one; that is not repeated."""
    body = body_of(content, spot.key)
    if spot.id is not None:
        return graphql.request(GRAPHQL, UPDATE_COMMENT, {"id": spot.id, "body": body})
    return graphql.request(GRAPHQL, ADD_COMMENT, {"subjectId": issue_of(spot), "body": body}, idempotent=False)


def read(spot: Spot) -> Call:
    """Return the call that reads our comment by its id, or the newest comments where it is not known."""
    if spot.id is not None:
        return graphql.request(GRAPHQL, COMMENT, {"id": spot.id})
    return _comments(spot, None)


def _comments(spot: Spot, before: str | None) -> Call:
    paging = {"before": before} if before else {}
    return graphql.request(GRAPHQL, COMMENTS, {"id": issue_of(spot), **paging})


def current(answer: bytes, spot: Spot) -> There | Call | None:
    """Return what our comment says now, the call for older comments, or None where there is none of ours.

    Ours is the one that was remembered, else the newest that our account wrote and that begins with our marker.
    Raises RejectedError where the place is no issue, as a milestone is none.
    """
    node = object_of(object_of(object_of(load(answer)).get("data")).get("node"))
    if spot.id is not None:
        said = node.get("body")
        return There(content=said_in(said, spot.key), id=spot.id) if isinstance(said, str) else None
    if node.get("__typename", "Issue") != "Issue":
        raise RejectedError(f"{spot.row.id}: {spot.address} is a {node['__typename']}, which takes no comment.")
    comments = object_of(node.get("comments"))
    for comment in reversed(objects(comments)):
        id, said = comment.get("id"), comment.get("body")
        mine = comment.get("viewerDidAuthor") is True and isinstance(said, str)
        if mine and isinstance(id, str) and said.lstrip().startswith(marker(spot.key)):
            return There(content=said_in(said, spot.key), id=id)
    paging = object_of(comments.get("pageInfo"))
    before = paging.get("startCursor")
    return _comments(spot, before) if paging.get("hasPreviousPage") is True and isinstance(before, str) else None


def remove(spot: Spot) -> Call:
    """Return the call that takes our comment away."""
    return graphql.request(GRAPHQL, DELETE_COMMENT, {"id": spot.id or ""})


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the comment that was written."""
    told = object_of(object_of(load(answer.body)).get("data"))
    made = object_of(object_of(object_of(told.get("addComment")).get("commentEdge")).get("node"))
    id = made.get("id")
    return id if isinstance(id, str) else spot.id
