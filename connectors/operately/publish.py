"""Status updates -> check-ins of goals in Operately: one for each change that is told, none is edited.

An edit by their API gives the goal's dates anew (`lib/operately/operations/goal_check_in_edit.ex`), which are people's.
Pure. Calls: https://github.com/operately/operately, `app/lib/operately_web/api`. An address is ``GOAL`` or, where a
target's value is written too, ``GOAL/TARGET``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from connectors.base import Answer, Call, Json, Outlet, Spot, Target, There
from connectors.operately.document import document, said_by
from connectors.shapes import load
from connectors.tools import (
    Range,
    get,
    lines,
    mapping,
    number,
    open_to_private,
    refuse,
    setting,
    source_of,
    status_line,
    whole_percent,
    workspace_of,
)
from connectors.words import nowhere
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

HOST = "https://app.operately.com"
STATUSES: Mapping[Health, str] = {
    Health.ON_TRACK: "on_track",
    Health.ACHIEVED: "on_track",
    Health.AT_RISK: "caution",
    Health.OFF_TRACK: "off_track",
    Health.MISSED: "off_track",
}
"""health -> their word; of any other nothing is told"""


def target(row: PublishRow) -> Target:
    """Return where the calls of a row go."""
    token = setting(row, "token")
    return Target(
        base_url=f"{setting(row, 'url', HOST).rstrip('/')}/api/external/v1",
        headers={"authorization": f"Bearer {token}"},
        secrets=(token,),
        source=source_of(row, "token"),
        allow_private=open_to_private(row),
    )


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return status, percent, first line and url, and the other lines under `summary`; nothing without a status."""
    status = STATUSES.get(update.health)
    if status is None:
        return {}
    own = [line.strip() for line in update.text.split("\n") if line.strip()] if update.text is not None else None
    ours = [*lines((update.summary, *update.changed)), *lines(update.drivers)]
    return {
        "status": status,
        "percent": whole_percent(update),
        "line": status_line(update),
        "url": update.url or nowhere(update),
        "summary": own if own is not None else ours,
    }


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that checks in, silently but for those who follow the goal's feed; it is not repeated."""
    refuse(spot)
    listed = content.get("summary")
    told = [str(content["line"]), *(str(one) for one in listed)] if isinstance(listed, list) else []
    body: dict[str, Json] = {
        "status": content["status"],
        "content": document(told, str(content["url"]), spot.key),
        "new_target_values": orjson.dumps(_values(content, spot)).decode(),
    }
    body |= {"goal_id": _goal(spot), "send_notifications_to_everyone": False, "subscriber_ids": []}
    if spot.row.to.get("draft") is True:
        body["post_as_draft"] = True
    return Call(method="POST", path="/goals/create_check_in", json=body, idempotent=False)


PERCENT = re.compile(r"(\d+) %")
"""how a first line begins where there is a number"""


def _document(message: Json) -> Json:
    """Return a message, which their API gives as JSON in a text."""
    try:
        return orjson.loads(message) if isinstance(message, str) else message
    except orjson.JSONDecodeError:
        return None


def _goal(spot: Spot) -> str:
    return spot.address.partition("/")[0]


def _values(content: Mapping[str, Json], spot: Spot) -> list[Json]:
    """Return the value of the address's target in its own unit; none where it names no target or there is no number."""
    whole, target = number(content.get("percent")), spot.address.partition("/")[2]
    ends = mapping(spot.facts.get("ranges")).get(spot.address)
    if whole is None or not isinstance(ends, list):
        return []
    return [{"id": target, "value": Range(start=ends[0], end=ends[1]).value(whole)}]


def read(spot: Spot) -> Call:
    """Return the call that lists the goal's check-ins; raise RejectedError where `prepare` found why not."""
    refuse(spot)
    return get("/goals/list_check_ins", goal_id=_goal(spot))


def current(body: bytes, spot: Spot) -> There | None:
    """Return what our latest check-in of the period says, or whose there are instead; None where there are none."""
    listed = mapping(load(body)).get("check_ins")
    ours: list[tuple[str, There]] = []
    owner: str | None = None
    for one in map(mapping, listed if isinstance(listed, list) else []):
        told, url, key = said_by(_document(one.get("message")))
        if key != spot.key:
            owner = key if key is not None and workspace_of(key) != workspace_of(spot.key) else owner
            continue
        content: dict[str, Json] = {
            "status": one.get("status"),
            "percent": int(found[1]) if (found := PERCENT.match(told[0] if told else "")) else None,
            "line": told[0] if told else "",
            "url": url,
            "summary": told[1:],
        }
        ours.append((str(one.get("inserted_at")), There(content=content, id=str(one.get("id")))))
    if not ours:
        return There(content={}, owner=owner) if owner is not None else None
    return max(ours, key=lambda each: each[0])[1]


def sent(answer: Answer, spot: Spot) -> str | None:
    """Return the id of the check-in."""
    id = mapping(mapping(load(answer.body)).get("update")).get("id")
    return id if isinstance(id, str) else None


def remove(spot: Spot) -> Call:
    """Return the call that deletes our check-in."""
    return Call(method="POST", path="/goals/delete_check_in", json={"id": spot.id}, writes=True)


OUTLET = Outlet(
    kind="operately",
    guarantee="read_back",
    content=content_of,
    render=render,
    read=read,
    current=current,
    sent=sent,
    remove=remove,
    per_period=True,
)
