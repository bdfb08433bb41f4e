"""Sending: each place is read first where it can be, left alone where a human changed it, written, and remembered.

What is due, and what it says, was decided before. No vendor is asked inside a transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from connectors.base import Json, Spot
from domain.errors import AuthError, KeyrailError, RejectedError, TransientError, VendorUnavailableError
from storage import outbox
from sync.context import Context, Live
from sync.due import RELEASED, Write, content_of, ours
from sync.outcomes import Errand, Run, Sent, fail, note_doubt, note_dry, note_override, remember
from sync.ways import Way, call_out, current, in_sight, open_way, spot_of


async def send(
    context: Context, sources: Mapping[str, Live], writes: Sequence[Write], *, by: str, again: bool = True
) -> Sent:
    """Send what is due and remember it; rows in `mode: dry_run` only note what they would send.

    Targets are told side by side, the places of one tracker or tool one after the other. One that refuses our
    credentials or is away is asked no more: more tries could lock the account. `again` says whether what was refused
    is tried anew.
    """
    run = Run(context=context, by=by, done=Sent(unchanged=sum(write.action == "skip" for write in writes)))
    run.done.dry_run = await note_dry(run, [write for write in writes if write.mode != "live" and write.is_due])
    planned = {write.place: write for write in writes if write.mode == "live" and write.is_due}
    async with context.store.read() as tx:
        waiting = [due for due in await outbox.waiting(tx) if due.place in planned]
        ledger = await outbox.ledger(tx)
    tools: dict[str, dict[str, list[Errand]]] = {}
    rows = {row.id: row for row in context.workspace.publish}
    # What is taken away first makes room for what takes its place.
    for due in sorted(waiting, key=lambda due: due.action != "delete"):
        if due.state == "failed" and not again:
            run.done.waiting += 1
            continue
        row = rows[due.place.target]
        errand = Errand(row=row, due=due, write=planned[due.place], told=ledger.get(due.place))
        tools.setdefault(row.connection or row.id, {}).setdefault(row.id, []).append(errand)
    ended = await asyncio.gather(
        *(send_to(run, sources, list(targets.values())) for targets in tools.values()), return_exceptions=True
    )
    for error in ended:
        if error is not None:
            raise error
    return run.done


async def send_to(run: Run, sources: Mapping[str, Live], targets: Sequence[Sequence[Errand]]) -> None:
    """Send to the rows of one tracker or tool, one place after the other, until it refuses us or is away."""
    over = False
    async with AsyncExitStack() as stack:
        for errands in targets:
            row = errands[0].row
            if over or (row.connection is not None and row.connection not in sources):
                run.done.waiting += len(errands)
                continue
            try:
                addresses = [errand.due.place.address for errand in errands]
                way = await open_way(run.context, stack, sources, row, addresses)
            except KeyrailError as error:
                run.done.errors.append(error)
                for errand in errands:
                    await fail(run, errand, error)
                over = isinstance(error, AuthError | TransientError)
                continue
            for errand in errands:
                if over:
                    run.done.waiting += 1
                    continue
                over = isinstance(await send_one(run, way, errand), AuthError | TransientError)


async def send_one(run: Run, way: Way, errand: Errand) -> KeyrailError | None:
    """Tell one place, and note what became of it; return the error, which the run holds too.

    A write that met another one at the vendor (409) is tried once more, after reading the place again.
    """
    try:
        try:
            await write_one(run, way, errand)
        except RejectedError as error:
            if error.status != 409:
                raise
            await write_one(run, way, errand)
    except KeyrailError as error:
        run.done.errors.append(error)
        await fail(run, errand, error)
        return error
    return None


async def write_one(run: Run, way: Way, errand: Errand) -> None:
    """Bring one place to say what it shall, by the guarantee of its outlet; remember what became of it.

    Where the item is out of our sight nobody can tell what stands there: the place waits until it is seen again.
    """
    spot = spot_of(run.context, way, errand.due, errand.told)
    wanted = None if errand.due.action == "delete" else content_of(errand.due.content)
    if way.outlet.read is None:
        await write_unread(run, way, errand, spot, wanted)
        return
    there = await current(way, spot, errand.write.key)
    if there is None and wanted is not None and errand.told is not None:
        if not await in_sight(run.context, way, spot):
            run.done.waiting += 1
            return
        there = await current(way, spot, errand.write.key)
    says = there.content if there is not None else None
    spot = replace(spot, id=there.id if there is not None else None)
    if says != wanted and is_touched(way, errand, says):
        await note_override(run, errand, says)
        return
    if wanted is None and says is None and errand.told is None:
        return
    entry = spot.id
    if says != wanted:
        if errand.told is not None:
            async with run.context.store.write() as tx:
                await outbox.attempt(tx, errand.told, [says, wanted])
        entry = await make_it_say(way, spot, wanted)
    await remember(run, errand, entry, before=says)


def is_touched(way: Way, errand: Errand, says: Mapping[str, Json] | None) -> bool:
    """Return whether a human changed a place, or took our entry away, since our last write there."""
    told = errand.told
    if told is None or told.fingerprint == RELEASED or (way.outlet.per_period and told.period != errand.due.period):
        return False
    return says not in ours(told.content)


async def make_it_say(way: Way, spot: Spot, wanted: Mapping[str, Json] | None) -> str | None:
    """Write a content, or take our entry away where none is wanted and it can be; return the id of the entry."""
    if wanted is not None:
        return await call_out(way, spot, wanted)
    if way.outlet.remove is not None:
        await way.client.send(way.outlet.remove(spot))
    return None


async def write_unread(run: Run, way: Way, errand: Errand, spot: Spot, wanted: Mapping[str, Json] | None) -> None:
    """Write where nothing can be read back: at most once, since an answer that does not come leaves us not knowing."""
    blind = way.outlet.guarantee == "blind" and wanted is not None
    if blind:
        async with run.context.store.write() as tx:
            await outbox.begin(tx, errand.due, run.context.now())
    try:
        entry = await make_it_say(way, spot, wanted)
    except KeyrailError as error:
        if blind and isinstance(error, VendorUnavailableError) and error.reached:
            await note_doubt(run, errand, error)
            return
        if blind:
            async with run.context.store.write() as tx:
                await outbox.take_back(tx, errand.due.place, errand.told)
        raise
    await remember(run, errand, entry, before=content_of(errand.told.content) if errand.told is not None else None)
