"""Reading the stored payloads again with today's code and rules; asks no tracker.

Deliveries are taken oldest first, so that the newest version of an item is the one that stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from storage import inbox
from sync.context import Context, Source
from sync.ingest import Ingested, finish_history, ingest_packed
from sync.run import mark_uncounted, settle


async def replay(
    context: Context, sources: Mapping[str, Source], *, parked: bool, since: datetime | None
) -> dict[str, Any]:  # Any: a JSON document
    """Read deliveries again and compute everything; return what happened."""
    unnoted = replace(context, computes_all=True)
    total = Ingested()
    deliveries = 0
    await mark_uncounted(context, sources)
    for source in sources.values():
        found = Ingested()
        after = 0
        while True:
            async with context.store.read() as tx:
                rows = await inbox.stored(tx, source.name, since=since, parked=parked, after=after)
            if not rows:
                break
            for row in rows:
                found.add(await ingest_packed(unnoted, source, row))
            deliveries += len(rows)
            after = rows[-1].id
        total.add(found)
        ids = sorted({id_ for _, id_ in found.moved} | found.past)
        for start in range(0, len(ids), 500):
            async with context.store.alone() as tx:
                await finish_history(tx, unnoted, source, ids[start : start + 500], read=False)
    await settle(context, whole=sources)
    return {"deliveries": deliveries, "items": total.items, "parked": total.parked}
