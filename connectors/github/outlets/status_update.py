"""Status updates -> the status of a project: one a period, changed in place within it.

Pure: a `Call` is described, never sent. What a status says now is read back into the shape of what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors import graphql
from connectors.base import Answer, Call, Json, Spot, There
from connectors.github.outlets.places import project_of
from connectors.github.outlets.text import body_of, content_of, marker, said_in
from connectors.github.queries import GRAPHQL
from connectors.github.shapes import object_of, objects
from connectors.shapes import load
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

STATUSES: Mapping[Health, str] = {
    Health.ON_TRACK: "ON_TRACK",
    Health.AT_RISK: "AT_RISK",
    Health.OFF_TRACK: "OFF_TRACK",
    Health.ACHIEVED: "COMPLETE",
    Health.MISSED: "OFF_TRACK",
    Health.PAUSED: "INACTIVE",
    Health.CANCELED: "INACTIVE",
}
"""GitHub's word for a health; the others have none, and the status is left out"""

STATUS = """query Status($id:ID!){
  node(id:$id){__typename ... on ProjectV2StatusUpdate{id body status}}
}"""
STATUSES_OF = """query Statuses($id:ID!,$after:String){
  node(id:$id){__typename ... on ProjectV2{id
    statusUpdates(first:50,after:$after,orderBy:{field:CREATED_AT,direction:DESC}){
      pageInfo{hasNextPage endCursor} nodes{id body status creator{login}}}}}
}"""
CREATE_STATUS = """mutation CreateStatus($project:ID!,$body:String!,$status:ProjectV2StatusUpdateStatus){
  createProjectV2StatusUpdate(input:{projectId:$project,body:$body,status:$status}){statusUpdate{id}}
}"""
UPDATE_STATUS = """mutation UpdateStatus($id:ID!,$body:String!,$status:ProjectV2StatusUpdateStatus){
  updateProjectV2StatusUpdate(input:{statusUpdateId:$id,body:$body,status:$status}){statusUpdate{id}}
}"""
DELETE_STATUS = """mutation DeleteStatus($id:ID!){
  deleteProjectV2StatusUpdate(input:{statusUpdateId:$id}){deletedStatusUpdateId}
}"""
DOCUMENTS = (STATUS, STATUSES_OF, CREATE_STATUS, UPDATE_STATUS, DELETE_STATUS)


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a status says: the text of a comment, and GitHub's own word of health under `mark`."""
    return {**content_of(update), "mark": STATUSES.get(update.health)}


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our status of this period, or that posts one; that is not repeated."""
    told = {"body": body_of(content, spot.key), "status": content.get("mark")}
    if spot.id is not None:
        return graphql.request(GRAPHQL, UPDATE_STATUS, {"id": spot.id, **told})
    return graphql.request(GRAPHQL, CREATE_STATUS, {"project": project_of(spot), **told}, idempotent=False)


def read(spot: Spot) -> Call:
    """Return the call that reads our status by its id, or the newest of the project where it is not known."""
    if spot.id is not None:
        return graphql.request(GRAPHQL, STATUS, {"id": spot.id})
    return graphql.request(GRAPHQL, STATUSES_OF, {"id": project_of(spot)})


def current(answer: bytes, spot: Spot) -> There | Call | None:
    """Return what our status says now, the call for older ones, or None where there is none of ours.

    Ours is the one that was remembered, else the newest that our account wrote and that begins with our marker.
    Raises RejectedError where the place is no project.
    """
    node = object_of(object_of(object_of(load(answer)).get("data")).get("node"))
    if spot.id is not None:
        return _there(node, spot)
    if node.get("__typename", "ProjectV2") != "ProjectV2":
        raise RejectedError(
            f"{spot.row.id}: {spot.address} is of type {node['__typename']}, and only projects have a status."
        )
    told = object_of(node.get("statusUpdates"))
    for status in objects(told):
        author = object_of(status.get("creator")).get("login")
        mine = isinstance(author, str) and _login(author) == _login(spot.reading.account)
        if mine and str(status.get("body")).lstrip().startswith(marker(spot.key)):
            return _there(status, spot)
    paging = object_of(told.get("pageInfo"))
    after = paging.get("endCursor")
    if paging.get("hasNextPage") is not True or not isinstance(after, str):
        return None
    return graphql.request(GRAPHQL, STATUSES_OF, {"id": project_of(spot), "after": after})


def _login(name: str) -> str:
    """Return a login as an author has it: an app's own is told with an ending there and without one here."""
    return name.removesuffix("[bot]").lower()


def _there(status: Mapping[str, Json], spot: Spot) -> There | None:
    said, id = status.get("body"), status.get("id")
    if not isinstance(id, str):
        return None
    content = said_in(said if isinstance(said, str) else "", spot.key)
    return There(content={**content, "mark": status.get("status")}, id=id)


def remove(spot: Spot) -> Call:
    """Return the call that takes our status of this period away."""
    return graphql.request(GRAPHQL, DELETE_STATUS, {"id": spot.id or ""})


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the status that was posted."""
    told = object_of(object_of(load(answer.body)).get("data"))
    made = object_of(object_of(told.get("createProjectV2StatusUpdate")).get("statusUpdate")).get("id")
    return made if isinstance(made, str) else spot.id
