"""Status updates -> the number of a goal in Asana, in the unit and between the ends that the goal has.

Pure; `connectors.asana.prepare` has read each goal before. Calls: https://developers.asana.com/reference/updategoalmetric-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from connectors.base import Call, Json, Outlet, Spot, There
from connectors.shapes import load
from connectors.tools import Range, get, mapping, number, refuse, whole_percent
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

BY_HAND = ("manual", "external")
FIELDS = ",".join(
    f"metric.{name}"
    for name in (
        "unit",
        "precision",
        "progress_source",
        "initial_number_value",
        "target_number_value",
        "current_number_value",
    )
)


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return the progress in percent; nothing where there is none."""
    whole = whole_percent(update)
    return {"percent": whole} if whole is not None else {}


def goal_of(id: str) -> Call:
    """Return the call that reads a goal's metric."""
    return get(f"/goals/{quote(id, safe='')}", opt_fields=FIELDS)


def range_of(goal: Json, where: str) -> Range:
    """Return the ends of a goal's metric; raise RejectedError that says why no number can be written to it.

    A percentage is kept as a ratio, with two decimals more than its precision says.
    """
    metric = mapping(mapping(mapping(goal).get("data")).get("metric"))
    source = metric.get("progress_source", "manual")
    start, end = (number(metric.get(name)) for name in ("initial_number_value", "target_number_value"))
    if start is None or end is None:
        raise RejectedError(f"{where} has no metric. Give it one in Asana, or publish `as: status` to it.")
    if source not in BY_HAND:
        raise RejectedError(f"{where} takes its progress from {source}. Set it to manual in Asana.")
    decimals = int(number(metric.get("precision")) or 0) + (2 if metric.get("unit") == "percentage" else 0)
    return Range(start=start, end=end, decimals=decimals).checked(where)


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the number."""
    refuse(spot)
    value = _range(spot).value(number(content["percent"]) or 0.0)
    return Call(
        method="POST",
        path=f"/goals/{quote(spot.address, safe='')}/setMetricCurrentValue",
        json={"data": {"current_number_value": value}},
        writes=True,
    )


def _range(spot: Spot) -> Range:
    kept = mapping(spot.facts.get("ranges")).get(spot.address)
    if not isinstance(kept, list):
        raise RejectedError(f"{spot.row.id}: the goal {spot.address} was not read; run again.")
    start, end, decimals = kept
    return Range(start=start, end=end, decimals=decimals)


def read(spot: Spot) -> Call:
    """Return the call that reads the goal's metric; raise RejectedError where `prepare` found why not."""
    refuse(spot)
    return goal_of(spot.address)


def current(body: bytes, spot: Spot) -> There | None:
    """Return the goal's number in percent; None where it has none."""
    metric = mapping(mapping(mapping(load(body)).get("data")).get("metric"))
    value = number(metric.get("current_number_value"))
    if value is None or spot.address not in mapping(spot.facts.get("ranges")):
        return None
    return There(content={"percent": _range(spot).percent(value)})


METRIC = Outlet(
    kind="asana",
    guarantee="keyed",
    content=content_of,
    render=render,
    read=read,
    current=current,
)
