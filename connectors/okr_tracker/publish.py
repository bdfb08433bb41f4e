"""Status updates -> dated values of okr-tracker: one a day and key result or KPI, with a comment.

Pure. Calls and headers: https://github.com/oslokommune/okr-tracker, `public/openapi.yaml`.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from urllib.parse import quote

from connectors.base import Call, Json, Outlet, Spot, Target, There
from connectors.shapes import load
from connectors.tools import (
    comment_of,
    get,
    mapping,
    number,
    open_to_private,
    scale_of,
    setting,
    source_of,
    whole_percent,
)
from domain.errors import ConfigError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

KINDS = ("keyres", "kpi")


def target(row: PublishRow) -> Target:
    """Return where the calls of a row go: three headers prove who we are."""
    proof = {"x-api-key": "api_key", "okr-client-id": "client_id", "okr-client-secret": "client_secret"}
    headers = {header: setting(row, name) for header, name in proof.items()}
    return Target(
        base_url=setting(row, "url").rstrip("/"),
        headers=headers,
        secrets=(headers["x-api-key"], headers["okr-client-secret"]),
        source=source_of(row, "client_secret"),
        allow_private=open_to_private(row),
    )


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return the progress in percent and a comment; nothing where there is no progress."""
    whole = whole_percent(update)
    return {"percent": whole, "summary": comment_of(update)} if whole is not None else {}


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that states today's value (UTC); the same again changes nothing."""
    if spot.now is None:
        raise ConfigError(f"{spot.row.id}: a dated value needs the time.")
    value = scale_of(spot.row).value(number(content["percent"]) or 0.0)
    body = {"value": value, "comment": content["summary"]}
    return Call(method="PUT", path=f"{_path(spot)}/values/{spot.now:%Y-%m-%d}", json=body)


def _path(spot: Spot) -> str:
    return f"/{spot.row.to.get('as', KINDS[0])}/{quote(spot.address, safe='')}"


def read(spot: Spot) -> Call:
    """Return the call that reads the last value: of a key result itself, of a KPI its list."""
    return get(_path(spot) if spot.row.to.get("as") != "kpi" else f"{_path(spot)}/values")


def current(body: bytes, spot: Spot) -> There | None:
    """Return the last value in percent, and its comment; okr-tracker keeps comments with HTML escaped."""
    said = load(body)
    if isinstance(said, list):
        last = max(map(mapping, said), key=lambda one: str(one.get("date")), default={})
    else:
        last = mapping(mapping(said).get("lastUpdated"))
    value = number(last.get("value"))
    if value is None:
        return None
    comment = html.unescape(str(last.get("comment") or "")).strip()
    return There(content={"percent": scale_of(spot.row).percent(value), "summary": comment})


OUTLET = Outlet(kind="okr_tracker", guarantee="keyed", content=content_of, render=render, read=read, current=current)
