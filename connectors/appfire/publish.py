"""Status updates -> check-ins of Appfire's OKR for Jira: a status, a value for key results, a description.

Pure. Calls: https://intercom.help/okr-for-jira/en/articles/6252250. What was sent cannot be edited.
"""

from __future__ import annotations

from collections.abc import Mapping

from connectors.base import Answer, Call, Json, Outlet, Spot, Target
from connectors.tools import comment_of, number, open_to_private, scale_of, setting, source_of, whole_percent
from connectors.words import one_line
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

HOST = "https://okr-jira-prod.appfire.com"
STATUSES: Mapping[Health, str] = {
    Health.ON_TRACK: "ON TRACK",
    Health.ACHIEVED: "ON TRACK",
    Health.AT_RISK: "AT RISK",
    Health.OFF_TRACK: "OFF TRACK",
    Health.MISSED: "OFF TRACK",
    Health.NOT_STARTED: "NOT STARTED",
}
"""health -> their word; of any other nothing is told"""


def target(row: PublishRow) -> Target:
    """Return where the calls of a row go; the token has a header of its own."""
    token = setting(row, "token")
    return Target(
        base_url=f"{setting(row, 'url', HOST).rstrip('/')}/api/v2",
        headers={"api-token": token},
        secrets=(token,),
        source=source_of(row, "token"),
        allow_private=open_to_private(row),
    )


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return status, progress in percent and a description; nothing where there is no word for the health."""
    status, whole = STATUSES.get(update.health), whole_percent(update)
    if status is None or (row.what != "objectives" and whole is None):
        return {}
    value = {} if row.what == "objectives" else {"percent": whole}
    return {"status": status, **value, "summary": comment_of(update)}


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that checks in; it is not repeated."""
    body: dict[str, Json] = {"status": content["status"], "description": content["summary"]}
    if spot.row.what == "objectives":
        return Call(
            method="POST",
            path="/api-update/objectives",
            json={"objectiveId": spot.address, **body},
            idempotent=False,
        )
    value = scale_of(spot.row).value(number(content["percent"]) or 0.0)
    return Call(
        method="POST",
        path="/api-update/keyResults",
        json={"keyResultId": spot.address, "newValue": value, **body},
        idempotent=False,
    )


def sent(answer: Answer, spot: Spot) -> None:
    """Raise RejectedError where a web page answered in place of the API."""
    if answer.body.lstrip()[:1] == b"<":
        said = one_line(answer.body[:80].decode("utf-8", "replace"))
        raise RejectedError(f"{spot.row.id}: a web page answered in place of Appfire's API: {said}. Check `url`.")


OUTLET = Outlet(kind="appfire", guarantee="blind", content=content_of, render=render, sent=sent, per_period=True)
