"""What all goals of a row need before any is written: the id of the site, and of each goal by its key.

What is done with them is told in `connectors.goals.publish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors import graphql
from connectors.base import Json, Reading
from connectors.goals.publish import GRAPHQL, data_of
from connectors.http import Client
from connectors.tools import get, mapping
from domain.errors import RejectedError
from domain.workspace import PublishRow

GOAL = """query Goal($key:String!,$site:ID!){
  goals_byKey(goalKey:$key,containerId:$site) @optIn(to:"Townsquare"){id}
}"""


async def prepare(client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading) -> Mapping[str, Json]:
    """Return the id of each goal by its key under ``addresses``; what is an id already stays what it is."""
    keys = [one for one in dict.fromkeys(addresses) if not one.startswith("ari:")]
    if not keys:
        return {"addresses": {}}
    cloud = mapping(await client.json(get("/_edge/tenant_info"))).get("cloudId")
    if not isinstance(cloud, str):
        raise RejectedError(f"{row.id}: /_edge/tenant_info of the site told no cloudId. Check `site`.")
    site, ids = f"ari:cloud:townsquare::site/{cloud}", {}
    for key in keys:
        call = graphql.request(GRAPHQL, GOAL, {"key": key, "site": site})
        found = mapping(data_of(await client.json(call), row.id).get("goals_byKey")).get("id")
        if isinstance(found, str):
            ids[key] = found
    return {"addresses": ids}
