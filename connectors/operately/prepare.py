"""What all goals of a row need before any is written: the ends of the targets that addresses name, read once.

What is done with them is told in `connectors.operately.publish`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Json, Reading
from connectors.http import Client
from connectors.tools import Range, get, mapping, number
from domain.errors import NotFoundError, RejectedError
from domain.workspace import PublishRow


async def prepare(client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading) -> Mapping[str, Json]:
    """Return the ends of each named target under ``ranges``, or why there are none under ``refused``."""
    ranges: dict[str, Json] = {}
    refused: dict[str, Json] = {}
    for address in dict.fromkeys(one for one in addresses if "/" in one):
        goal, _, wanted = address.partition("/")
        try:
            said = mapping(mapping(await client.json(get("/goals/get", id=goal))).get("goal"))
            listed = said.get("targets")
            targets = {str(one.get("id")): one for one in map(mapping, listed if isinstance(listed, list) else [])}
            where = f"{row.id}: the target {wanted} of the goal {goal}"
            if wanted not in targets:
                raise RejectedError(f"{where} is not there. It has: {', '.join(targets) or 'none'}.")
            start, end = (number(targets[wanted].get(name)) for name in ("from", "to"))
            Range(start=start or 0.0, end=end or 0.0).checked(where)
            ranges[address] = [start or 0.0, end or 0.0]
        except (RejectedError, NotFoundError) as error:
            refused[address] = str(error)
    return {"ranges": ranges, "refused": refused}
