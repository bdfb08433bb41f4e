"""Status updates -> fields of Aha!: progress, and where the row says which, the status.

Pure. Fields: https://www.aha.io/api/v3/resources/key_results/patchKeyResult and …/goals/updateGoal.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from connectors.base import Call, Json, Outlet, Spot, Target, There
from connectors.shapes import load
from connectors.tools import get, mapping, number, open_to_private, setting, source_of, whole_percent
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

RECORDS = {"objectives": ("goals", "goal")}
"""what a row is about -> the name of its list and of one record; anything else is a key result"""


def target(row: PublishRow) -> Target:
    """Return where the calls of a row go."""
    token = setting(row, "token")
    return Target(
        base_url=f"{setting(row, 'url').rstrip('/')}/api/v3",
        headers={"authorization": f"Bearer {token}"},
        secrets=(token,),
        source=source_of(row, "token"),
        allow_private=open_to_private(row),
    )


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return progress in percent, and the id of the status that stands for the health; nothing without progress."""
    whole = whole_percent(update)
    if whole is None:
        return {}
    status = mapping(row.to.get("statuses")).get(update.health.value)
    return {"progress": whole} | ({"status": str(status)} if status is not None else {})


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the fields; a goal is told first that its progress is set by hand."""
    place, record = _record(spot)
    fields = {"progress": number(content["progress"])} | {
        name: content[name] for name in ("status",) if name in content
    }
    if record == "goal":
        fields = {"progress_source": "manual", **fields}
    return Call(method="PATCH", path=place, json={record: fields})


def read(spot: Spot) -> Call:
    """Return the call that reads the record."""
    return get(_record(spot)[0])


def current(body: bytes, spot: Spot) -> There | None:
    """Return what the fields say that the row writes; None where no progress was ever set."""
    said = mapping(mapping(load(body)).get(_record(spot)[1]))
    progress = number(said.get("progress"))
    if progress is None:
        return None
    told: dict[str, Json] = {"progress": int(progress) if progress.is_integer() else progress}
    if "statuses" in spot.row.to:
        status = said.get("status") or mapping(said.get("workflow_status"))
        id = mapping(status).get("id") if isinstance(status, dict) else status
        if str(id) in map(str, mapping(spot.row.to["statuses"]).values()):
            told["status"] = str(id)
    return There(content=told)


def _record(spot: Spot) -> tuple[str, str]:
    name, record = RECORDS.get(spot.row.what, ("key_results", "key_result"))
    return f"/{name}/{quote(spot.address, safe='')}", record


OUTLET = Outlet(kind="aha", guarantee="keyed", content=content_of, render=render, read=read, current=current)
