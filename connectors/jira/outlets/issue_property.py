"""Status updates -> a property of an issue: quiet, unseen by people, for apps and automations to read.

Pure: a `Call` is described, never sent. What a property says now is brought into the shape of what we would say.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from connectors.base import Call, Json, Spot, There
from connectors.jira.outlets.places import issue_path, object_of
from connectors.shapes import load
from connectors.words import one_line, shorten
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

KEY = "keyrail"
"""the property's key where the row says none"""

SUBJECT = "{subject}"
"""what stands in a row's key for the id of the subject, so that each has a property of its own"""

LONGEST_KEY, LONGEST_LINE, MOST = 255, 500, 20
"""characters that Jira allows for a key, and what keeps a value below its 32,768 characters"""

MARK = "marker"
"""where a value bears our natural key"""


def content(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a property says: numbers as numbers and words as `show --json` has them."""
    forecast = update.forecast
    return {
        "kind": update.kind,
        "id": update.id,
        "title": shorten(one_line(update.title), LONGEST_LINE),
        "progress": round(update.progress, 4) if update.progress is not None else None,
        "state": update.state,
        "health": update.health.value,
        "url": update.url,
        "summary": {
            "text": shorten(update.text or one_line(update.summary), 10 * LONGEST_LINE),
            "reasons": [shorten(one_line(reason), LONGEST_LINE) for reason in update.drivers[:MOST]],
            "coverage": round(update.coverage, 4) if update.coverage is not None else None,
            "likely_by": forecast.p85.isoformat() if forecast is not None and forecast.p85 is not None else None,
            "probability": forecast.probability if forecast is not None else None,
            "complete_to": _stamp(update.complete_to),
        },
    }


def _stamp(moment: datetime | None) -> str | None:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if moment is not None else None


def render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that sets the property: 201 where it is new, 200 where it was replaced.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-properties/
    """
    return Call(method="PUT", path=_path(spot), json={**content, MARK: spot.key})


def read(spot: Spot) -> Call:
    """Return the call that reads the property; one that is not there answers 404."""
    return Call(method="GET", path=_path(spot))


def current(body: bytes, spot: Spot) -> There:
    """Return what the property says, and whose it is where it bears another key than ours.

    Raises PayloadError on a body that is not JSON.
    """
    value = object_of(load(body)).get("value")
    if not isinstance(value, dict):
        return There(content={"value": value})
    said = {name: part for name, part in value.items() if name != MARK}
    owner = value.get(MARK)
    return There(content=said, owner=owner if isinstance(owner, str) and owner != spot.key else None)


def remove(spot: Spot) -> Call:
    """Return the call that takes the property away."""
    return Call(method="DELETE", path=_path(spot))


def is_lone(row: PublishRow) -> bool:
    """Tell whether an issue has room for one subject of a row: not where the key names the subject."""
    return SUBJECT not in _name(row)


def _name(row: PublishRow) -> str:
    return str(row.to.get("key") or KEY)


def _path(spot: Spot) -> str:
    key = _name(spot.row).replace(SUBJECT, spot.key.split(":", 4)[-1])
    if len(key) > LONGEST_KEY:
        raise RejectedError(f"{spot.row.id}: the property key '{key[:40]}…' is longer than {LONGEST_KEY} characters.")
    return issue_path(spot, "properties", key)
