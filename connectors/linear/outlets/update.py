"""Status updates -> the update on a project or an initiative: one a period, changed in place within it.

Pure: a `Call` is described, never sent. The id of an update is derived from our key, so that it is found again.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from connectors.base import Answer, Call, Json, Spot, There
from connectors.graphql import request
from connectors.linear.outlets.text import body_of, content_of, said_in
from connectors.linear.queries import PATH
from connectors.linear.shapes import child, text_of
from connectors.shapes import load
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow

HEALTHS: Mapping[Health, str] = {
    Health.ON_TRACK: "onTrack",
    Health.AT_RISK: "atRisk",
    Health.OFF_TRACK: "offTrack",
    Health.ACHIEVED: "onTrack",
    Health.MISSED: "offTrack",
}
"""Linear's word for a health; the others have none, and the health is left out"""

UNSTATED = "no health stated"
"""what the foot of a template's text says where the health is left out"""

ARCHIVED = " archived"
"""how the id of an entry ends that was archived at Linear"""

PROJECT_UPDATE = """query ProjectUpdate($id: String!) {
  projectUpdate(id: $id) { id body health archivedAt }
}"""
CREATE_PROJECT_UPDATE = """mutation CreateProjectUpdate($input: ProjectUpdateCreateInput!) {
  projectUpdateCreate(input: $input) { success projectUpdate { id } }
}"""
CHANGE_PROJECT_UPDATE = """mutation ChangeProjectUpdate($id: String!, $input: ProjectUpdateUpdateInput!) {
  projectUpdateUpdate(id: $id, input: $input) { success projectUpdate { id } }
}"""
RESTORE_PROJECT_UPDATE = """mutation RestoreProjectUpdate($id: String!, $input: ProjectUpdateUpdateInput!) {
  projectUpdateUnarchive(id: $id) { success }
  projectUpdateUpdate(id: $id, input: $input) { success projectUpdate { id } }
}"""
ARCHIVE_PROJECT_UPDATE = """mutation ArchiveProjectUpdate($id: String!) {
  projectUpdateArchive(id: $id) { success }
}"""
INITIATIVE_UPDATE = """query InitiativeUpdate($id: String!) {
  initiativeUpdate(id: $id) { id body health archivedAt }
}"""
CREATE_INITIATIVE_UPDATE = """mutation CreateInitiativeUpdate($input: InitiativeUpdateCreateInput!) {
  initiativeUpdateCreate(input: $input) { success initiativeUpdate { id } }
}"""
CHANGE_INITIATIVE_UPDATE = """mutation ChangeInitiativeUpdate($id: String!, $input: InitiativeUpdateUpdateInput!) {
  initiativeUpdateUpdate(id: $id, input: $input) { success initiativeUpdate { id } }
}"""
RESTORE_INITIATIVE_UPDATE = """mutation RestoreInitiativeUpdate($id: String!, $input: InitiativeUpdateUpdateInput!) {
  initiativeUpdateUnarchive(id: $id) { success }
  initiativeUpdateUpdate(id: $id, input: $input) { success initiativeUpdate { id } }
}"""
ARCHIVE_INITIATIVE_UPDATE = """mutation ArchiveInitiativeUpdate($id: String!) {
  initiativeUpdateArchive(id: $id) { success }
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How updates of one kind of place are written and read; `place` is the input that names where."""

    field: str
    place: str
    read: str
    create: str
    change: str
    restore: str
    archive: str


WAYS: Mapping[str, Way] = {
    "project": Way(
        field="projectUpdate",
        place="projectId",
        read=PROJECT_UPDATE,
        create=CREATE_PROJECT_UPDATE,
        change=CHANGE_PROJECT_UPDATE,
        restore=RESTORE_PROJECT_UPDATE,
        archive=ARCHIVE_PROJECT_UPDATE,
    ),
    "initiative": Way(
        field="initiativeUpdate",
        place="initiativeId",
        read=INITIATIVE_UPDATE,
        create=CREATE_INITIATIVE_UPDATE,
        change=CHANGE_INITIATIVE_UPDATE,
        restore=RESTORE_INITIATIVE_UPDATE,
        archive=ARCHIVE_INITIATIVE_UPDATE,
    ),
}


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what an update says: title, status, url, `summary`, and Linear's own word of health under `mark`."""
    said, mark = content_of(update), HEALTHS.get(update.health)
    if mark is None and "text" in said:
        complete = child(said, "summary").get("complete")
        said = {**said, "summary": {"complete": " · ".join([UNSTATED, *([str(complete)] if complete else [])])}}
    return {**said, "mark": mark}


def id_of(key: str) -> str:
    """Return the id of the update that our key stands for: a UUID with the bits of version 4 out of its SHA-256."""
    return str(uuid.UUID(bytes=hashlib.sha256(key.encode()).digest()[:16], version=4))


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our update of this period, or that posts it; that is not repeated.

    An update that was archived comes back.
    """
    way, id = way_of(spot), id_of(spot.key)
    mark = content.get("mark")
    said = {"body": body_of(content), **({"health": mark} if mark else {})}
    if spot.id is None:
        return request(PATH, way.create, {"input": {"id": id, way.place: spot.address, **said}}, idempotent=False)
    return request(PATH, way.restore if spot.id.endswith(ARCHIVED) else way.change, {"id": id, "input": said})


def read(spot: Spot) -> Call:
    """Return the call that reads our update of this period."""
    return request(PATH, way_of(spot).read, {"id": id_of(spot.key)})


def current(answer: bytes, spot: Spot) -> There | None:
    """Return what our update says now, ``archived`` where somebody took it away, None where there is none.

    Linear always states a health. Where the text says one that Linear has no word for, it is not ours and left out.
    """
    told = load(answer)
    update = child(child(told, "data") if isinstance(told, dict) else {}, way_of(spot).field)
    id = text_of(update.get("id"))
    if id is None:
        return None
    if update.get("archivedAt") is not None:
        return There(content={"archived": True}, id=f"{id}{ARCHIVED}")
    said = said_in(str(update.get("body") or ""))
    return There(content={**said, "mark": None if _is_unstated(said) else update.get("health")}, id=id)


def _is_unstated(said: Mapping[str, Any]) -> bool:
    if "text" in said:
        return str(child(said, "summary").get("complete") or "").startswith(UNSTATED)
    status = str(said.get("status") or "")
    return any(status.endswith(f" {HEALTH_WORDS[health]}") for health in Health if health not in HEALTHS)


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the update that was written; raise RejectedError where Linear says that it was not."""
    told = load(answer.body)
    data = child(told, "data") if isinstance(told, dict) else {}
    if not data or any(child(data, name).get("success") is not True for name in data):
        raise RejectedError(f"{spot.row.id}: Linear took the update on {spot.address} and says that it was no success.")
    return id_of(spot.key)


def remove(spot: Spot) -> Call:
    """Return the call that archives our update of this period."""
    return request(PATH, way_of(spot).archive, {"id": id_of(spot.key)})


def way_of(spot: Spot) -> Way:
    """Return how the place is written to; raise RejectedError where it was not found, or could be several."""
    several, kinds = spot.facts.get("several"), spot.facts.get("kinds")
    if isinstance(several, dict) and spot.address in several:
        raise RejectedError(
            f"{spot.row.id}: '{spot.address}' could be {several[spot.address]}. Write the end of its address under "
            "`external`, as in linear.app/acme/project/pay-0123456789ab: 0123456789ab."
        )
    kind = kinds.get(spot.address) if isinstance(kinds, dict) else None
    if not isinstance(kind, str) or kind not in WAYS:
        raise RejectedError(
            f"{spot.row.id}: there is no project or initiative '{spot.address}', or our account may not see it. Check "
            "its name under `external`."
        )
    return WAYS[kind]
