"""Status updates -> updates of goals in Atlassian Goals, by its GraphQL gateway.

Pure. Names of operations are not in Atlassian's published
documents but in public clients of theirs; the input's type was renamed once, so the row may name it.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from connectors import graphql
from connectors.base import Answer, Call, Json, Outlet, Spot
from connectors.goals.text import LONGEST, adf
from connectors.shapes import load
from connectors.tools import mapping, setting, status_line, whole_percent
from connectors.words import one_line, shorten
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

GRAPHQL = "/gateway/api/graphql"
INPUT = "TownsquareGoalsCreateUpdateInput"
STATUSES: Mapping[Health, str] = {
    Health.ON_TRACK: "on_track",
    Health.AT_RISK: "at_risk",
    Health.OFF_TRACK: "off_track",
    Health.ACHIEVED: "done",
    Health.MISSED: "off_track",
    Health.NOT_STARTED: "pending",
    Health.PAUSED: "paused",
    Health.CANCELED: "cancelled",
}
"""health -> their word; of any other nothing is told"""

UPDATE = """mutation Update($input:%s!){
  goals_createUpdate(input:$input) @optIn(to:"Townsquare"){success errors{message} update{id}}
}"""


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return status and score, and the text under `summary`; nothing where there is no word for the health."""
    status = STATUSES.get(update.health)
    if status is None:
        return {}
    own = (
        update.text
        if update.text is not None
        else f"{status_line(update)}. {' '.join(update.changed)} {update.summary}"
    )
    return {"status": status, "score": whole_percent(update), "summary": shorten(one_line(own), LONGEST)}


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that posts an update; it is not repeated."""
    goal = mapping(spot.facts.get("addresses")).get(spot.address, spot.address)
    if not str(goal).startswith("ari:"):
        raise RejectedError(f"{spot.row.id}: there is no goal {spot.address}, or the account does not see it.")
    told: dict[str, Json] = {
        "goalId": goal,
        "status": content["status"],
        "summary": orjson.dumps(adf(str(content["summary"]))).decode(),
    }
    if content.get("score") is not None:
        told["score"] = content["score"]
    document = UPDATE % setting(spot.row, "input", INPUT)
    return graphql.request(GRAPHQL, document, {"input": told}, idempotent=False)


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the update; raise RejectedError where the body of the answer says failure."""
    said = mapping(data_of(load(answer.body), spot.row.id).get("goals_createUpdate"))
    if said.get("success") is not True:
        errors = said.get("errors")
        words = "; ".join(str(mapping(one).get("message")) for one in errors) if isinstance(errors, list) else ""
        raise RejectedError(f"{spot.row.id}: Atlassian Goals did not take it: {words or 'it does not say why'}.")
    id = mapping(said.get("update")).get("id")
    return id if isinstance(id, str) else None


def data_of(body: Json, row: str) -> Mapping[str, Json]:
    """Return the data of an answer; raise RejectedError for errors of GraphQL."""
    errors = mapping(body).get("errors")
    if isinstance(errors, list) and errors:
        words = "; ".join(str(mapping(one).get("message")) for one in errors[:3])
        raise RejectedError(
            f"{row}: Atlassian Goals answered with errors: {words}. "
            "Its operations are not published: one may have another name by now; a type's goes into `input`."
        )
    return mapping(mapping(body).get("data"))


OUTLET = Outlet(kind="goals", guarantee="blind", content=content_of, render=render, sent=sent, per_period=True)
