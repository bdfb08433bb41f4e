"""What all goals of a row need before any is written: the ends of their metrics, read once.

What is done with them is told in `connectors.asana.metric`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.asana.metric import goal_of, range_of
from connectors.base import Json, Reading
from connectors.http import Client
from domain.errors import NotFoundError, RejectedError
from domain.workspace import PublishRow


async def prepare(client: Client, row: PublishRow, addresses: Sequence[str], reading: Reading) -> Mapping[str, Json]:
    """Return the ends of each goal's metric under ``ranges``, or why there is none under ``refused``.

    One goal that cannot be written to keeps no other from being written.
    """
    ranges: dict[str, Json] = {}
    refused: dict[str, Json] = {}
    for address in dict.fromkeys(addresses):
        try:
            found = range_of(await client.json(goal_of(address)), f"{row.id}: the goal {address}")
            ranges[address] = [found.start, found.end, found.decimals]
        except (RejectedError, NotFoundError) as error:
            refused[address] = str(error)
    return {"ranges": ranges, "refused": refused}
