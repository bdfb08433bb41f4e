"""Status updates -> webhooks of our own: what is told, the call that tells it, and whether the answer is a yes.

Pure: a `Call` is described, never sent; the signature is put on when it leaves (`connectors.outgoing.signature`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import jmespath
import orjson
from jmespath.exceptions import JMESPathError

from connectors.base import Answer, Call, Json, Outlet, Spot
from connectors.outgoing.body import STEADY, data_of, filled, utc
from connectors.outgoing.signature import ID
from connectors.tools import choice, mapping
from connectors.words import one_line
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

EVENT = "keyrail.status_update"
METHODS = ("POST", "PUT", "PATCH")


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what is told: what is worth a delivery, and under `summary` the rest, or the filled-in template."""
    values = data_of(update)
    told: dict[str, Json] = {name: values[name] for name in STEADY}
    template = row.to.get("body")
    if template is None:
        return {**told, "summary": {name: value for name, value in values.items() if name not in STEADY}}
    return {**told, "summary": {"body": filled(str(template), update, row.id), "changed": values["changed"]}}


def body_of(content: Mapping[str, Json], spot: Spot) -> Json:
    """Return the body: the template's, else an event as Standard Webhooks have it."""
    summary = mapping(content.get("summary"))
    if "body" in summary:
        return summary["body"]
    data = {name: value for name, value in content.items() if name != "summary"}
    return {"type": EVENT, "timestamp": utc(spot.now), "data": {**data, **summary, "key": spot.key}}


def id_of(content: Mapping[str, Json], spot: Spot) -> str:
    """Return the id of a delivery: of the place, the day, what is told, and what that changed since the last one.

    So a repeat has the same id, also by a later run; and what is told anew after something else was has another.
    """
    changed = mapping(content.get("summary")).get("changed")
    still = {name: value for name, value in content.items() if name != "summary"}
    day = f"{spot.now:%Y-%m-%d}" if spot.now is not None else ""
    told = orjson.dumps([spot.key, spot.period, day, still, changed], option=orjson.OPT_SORT_KEYS)
    return f"msg_{hashlib.sha256(told).hexdigest()[:32]}"


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that delivers a content. It may be repeated: its id tells the receiver that it has it."""
    id = id_of(content, spot)
    return Call(
        method=choice(spot.row, "method", METHODS),
        path="",
        json=body_of(content, spot),
        headers={ID: id, "idempotency-key": id},
        accepts=_statuses(spot.row),
    )


def _statuses(row: PublishRow) -> tuple[int, ...]:
    listed = mapping(row.to.get("success")).get("status")
    return tuple(one for one in listed if isinstance(one, int)) if isinstance(listed, list | tuple) else ()


def sent(answer: Answer, spot: Spot) -> None:
    """Raise RejectedError where the answer is not what the row's `success` says a success is."""
    statuses, success = _statuses(spot.row), mapping(spot.row.to.get("success"))
    if statuses and answer.status not in statuses:
        wanted = ", ".join(map(str, statuses))
        raise RejectedError(f"{spot.row.id}: the receiver answered {answer.status}; `success` asks for {wanted}.")
    expression = success.get("jmespath")
    if expression is None:
        return
    try:
        found = jmespath.search(str(expression), orjson.loads(answer.body))
    except (orjson.JSONDecodeError, JMESPathError) as error:
        raise RejectedError(
            f"{spot.row.id}: `success.jmespath` looks into JSON, and the answer is none or not of that shape: "
            f"{one_line(answer.body[:100].decode('utf-8', 'replace'))}"
        ) from error
    if not found:
        said = one_line(answer.body[:200].decode("utf-8", "replace"))
        raise RejectedError(f"{spot.row.id}: the receiver did not take it: {expression} is {found!r} in: {said}")


OUTLET = Outlet(
    kind="webhook",
    guarantee="keyed",
    content=content_of,
    render=render,
    sent=sent,
    addressed=False,
)
