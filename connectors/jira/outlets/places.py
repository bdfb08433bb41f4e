"""Where things of an issue stand in Jira's REST API, for every kind of place.

Pure: paths and small readings of JSON.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from connectors.base import Reading, Spot

CLOUD, SERVER = "/rest/api/3", "/rest/api/2"


def api_of(reading: Reading) -> str:
    """Return the root of the REST paths: version 3 on Cloud, 2 on Data Center."""
    api = reading.facts.get("api")
    if isinstance(api, str):
        return api.rstrip("/")
    return SERVER if reading.facts.get("deployment") == "datacenter" else CLOUD


def is_server(spot: Spot) -> bool:
    """Tell whether texts are wiki markup there, as on Data Center, and not documents."""
    return api_of(spot.reading) == SERVER


def issue_path(spot: Spot, *parts: str) -> str:
    """Return the path of an issue or of something below it; parts are quoted."""
    return "/".join([f"{api_of(spot.reading)}/issue", *(quote(part, safe="") for part in (spot.address, *parts))])


def object_of(value: Any) -> dict[str, Any]:
    """Return a JSON object, an empty one for anything else."""
    return value if isinstance(value, dict) else {}
