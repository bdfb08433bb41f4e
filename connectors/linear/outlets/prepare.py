"""What is read at Linear before anything is written: which project or initiative is meant, what our account may do.

Nothing is changed there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Finding, Json, Reading
from connectors.graphql import request
from connectors.http import Client
from connectors.linear.queries import PATH, VIEWER
from connectors.linear.shapes import child, listed
from domain.workspace import PublishRow

PLACES_BY_ID = """query PlacesById($ids: [ID!]!) {
  projects(first: 250, includeArchived: true, filter: { id: { in: $ids } }) { nodes { id archivedAt } }
  initiatives(first: 250, includeArchived: true, filter: { id: { in: $ids } }) { nodes { id archivedAt } }
}"""
_NAMED = "{ or: [{ name: { eqIgnoreCase: $name } }, { slugId: { eq: $name } }] }"
PLACES_BY_NAME = f"""query PlacesByName($name: String!) {{
  projects(first: 10, includeArchived: true, filter: {_NAMED}) {{ nodes {{ id url archivedAt }} }}
  initiatives(first: 10, includeArchived: true, filter: {_NAMED}) {{ nodes {{ id url archivedAt }} }}
}}"""

_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TOGETHER = 100
"""ids in one call"""
KINDS = {"projects": "project", "initiatives": "initiative"}


async def find_places(
    client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading
) -> Mapping[str, Json]:
    """Return the ``kinds`` of places by id, the ids of names under ``addresses``, and ``several`` that a name can mean.

    An address is an id, a name, or the end of the web address; what is not found is left out.
    """
    kinds: dict[str, Json] = {}
    ids = [address for address in dict.fromkeys(addresses) if _ID.fullmatch(address)]
    for start in range(0, len(ids), _TOGETHER):
        told = await client.json(request(PATH, PLACES_BY_ID, {"ids": ids[start : start + _TOGETHER]}))
        kinds |= {id: kind for id, kind, _ in _places(told)}
    found: dict[str, Json] = {}
    several: dict[str, Json] = {}
    for address in dict.fromkeys(addresses):
        if _ID.fullmatch(address):
            continue
        places = _places(await client.json(request(PATH, PLACES_BY_NAME, {"name": address})))
        if len(places) == 1:
            [(id, kind, _)] = places
            found[address], kinds[id] = id, kind
        elif places:
            several[address] = " or ".join(f"the {kind} {url}" for _, kind, url in places)
    return {"addresses": found, "kinds": kinds, "several": several}


def _places(told: Any) -> list[tuple[str, str, str]]:
    """Return (id, kind, web address) of what an answer lists and is not archived."""
    data = child(told, "data") if isinstance(told, dict) else {}
    return [
        (str(node["id"]), kind, str(node.get("url", "")))
        for field, kind in KINDS.items()
        for node in listed(data.get(field))
        if "id" in node and node.get("archivedAt") is None
    ]


async def may_write(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Tell what is known of our right to write: Linear does not tell it, but guests have none over whole projects."""
    told = await client.json(request(PATH, VIEWER, {}))
    viewer = child(child(told, "data") if isinstance(told, dict) else {}, "viewer")
    subject = f"target {row.id}"
    if viewer.get("guest") is True:
        message = "The account is a guest: it writes in its own teams alone. Use a member's key or an app."
        return [Finding(level="warning", subject=subject, message=message)]
    message = "Linear does not tell what we may write; it needs write permission of the key, or scopes write and "
    return [Finding(level="ok", subject=subject, message=f"{message}initiative:write of the app.")]
