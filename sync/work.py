"""What each job of the service does, and what happens when one does not end well.

A job takes what waits in the database, so that doing it twice, or once more after a crash, changes nothing.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol

from domain.errors import AuthError, KeyrailError, LockedError
from domain.workspace import Workspace
from storage import checkpoints, dirty, inbox, setbacks
from storage.setbacks import Failed
from sync import deliveries as told
from sync import ingest, journal, measures, redelivery
from sync import publish as publishing
from sync import run as runs
from sync.answers import report
from sync.closes import keep_closes
from sync.context import Context, Live
from sync.jobs import Jobs
from sync.places import STREAM
from sync.poll import COMPLETE, WATERMARK, lacks_past
from sync.refresh import catch_up
from sync.schedule import Duty

log = logging.getLogger("keyrail")

ALL = "all"
"""the key of jobs that are of no one connection"""
POISON = 5
"""attempts that did not end, from which a job is left alone for a while: `SOON`, doubling to `LATER`"""
SOON, LATER = timedelta(seconds=30), timedelta(hours=1)
RECENT = 500
"""items of which a pull reads the past itself"""
KEPT = timedelta(days=90)
"""how long payloads are kept that were read"""
DONE = timedelta(days=7)
"""how long jobs are remembered that ended"""


class Room(Protocol):
    """Where jobs are done: the workspace in force, its connections, and who is asked for further jobs."""

    @property
    def context(self) -> Context:
        """The workspace in force, over the store."""

    @property
    def jobs(self) -> Jobs:
        """Whom to ask for further jobs."""

    def soon(self, job: str, key: str) -> None:
        """Have a further job done in a moment, once for all who ask within it."""

    def source(self, name: str, *, rediscover: bool = False) -> AbstractAsyncContextManager[Live]:
        """Open a connection, or take the open one; raises what opening raises."""


async def pull(room: Room, name: str) -> None:
    """Read what changed in a connection; one that was never read is read whole.

    The past of many items is read by a job of its own, so that no pull waits for it. Pulls that waited behind a long
    one which ended well find that it is done.
    """
    context = room.context
    async with context.store.read() as tx:
        complete_to = await checkpoints.load(tx, name, COMPLETE)
        attempt = await setbacks.of_job(tx, "pull", name)
    lately = context.workspace.connections[name].poll / 2
    first = attempt is None or attempt.attempts == 1
    if first and complete_to is not None and context.now() - datetime.fromisoformat(complete_to) < lately:
        return
    async with room.source(name) as source, context.store.lock(name):
        asked = source.client.requests
        (pulled,) = await runs.sync(context, {name: source}, most=RECENT)
        past = pulled.error is None and await lacks_past(context, source)
    if pulled.error is not None:
        raise pulled.error
    log.info("%s: pulled %d items with %d requests", name, pulled.ingested.items, pulled.requests - asked)
    if past:
        room.soon("history", name)
    if pulled.ingested.items:
        publish_soon(room)


async def history(room: Room, name: str) -> None:
    """Read the past of items that lack it, beside the pulls, which go first."""
    context = room.context
    async with room.source(name) as source, context.store.lock(f"{name}.history"):
        asked = source.client.requests
        items = await runs.history(context, source)
        log.info("%s: read the past of %d items, %d requests meanwhile", name, items, source.client.requests - asked)
    if items:
        publish_soon(room)


async def census(room: Room, name: str) -> None:
    """Compare ids with the tracker, and mend what differs; a connection that was never read is left to its pull."""
    context = room.context
    async with context.store.read() as tx:
        if await checkpoints.load(tx, name, WATERMARK) is None:
            return
    async with room.source(name, rediscover=True) as source, context.store.lock(name):
        found, errors = await runs.census(context, {name: source}, repair=True)
    for error in errors.values():
        raise error
    for one in found:
        log.info("%s: census of %d items, %d missing, %d absent", name, one.listed, len(one.missing), len(one.absent))
    publish_soon(room)


async def deliveries(room: Room, name: str) -> None:
    """Read what the tracker told us, and bring the numbers up to date."""
    context = room.context
    try:
        async with room.source(name) as source:
            done = await told.take_in(context, source)
    finally:
        moved = await runs.settle(context)
    log.debug("%s: deliveries changed %d items", name, done.items)
    if moved:
        publish_soon(room)


async def sums(room: Room, _key: str) -> None:
    """Bring the numbers up to date with what moved, and with the day."""
    context = room.context
    await runs.settle(context)
    if await in_force(context):
        await catch_up(context)
        publish_soon(room)


async def publish(room: Room, _key: str) -> None:
    """Tell the places whose content changed; a place that cannot be told waits, and stops no other."""
    context = room.context
    if not context.workspace.publish or not await in_force(context):
        return
    async with AsyncExitStack() as stack:
        sources: dict[str, Live] = {}
        for name in dict.fromkeys(row.connection for row in context.workspace.publish if row.connection):
            try:
                sources[name] = await stack.enter_async_context(room.source(name))
            except KeyrailError as error:
                log.warning("publish: %s", error)
        sent = await publishing.tell(context, sources)
    for failed in sent.errors:
        log.warning("publish: %s", failed)
    if sent.sent:
        log.info("publish: %d places told", len(sent.sent))


async def snapshot(room: Room, _key: str) -> None:
    """Append to the journal what is shown now and differs from what was."""
    context = room.context
    if not await in_force(context):
        return
    await keep_closes(context)
    doc = await report(context, timeframe="all")
    async with context.store.write() as tx:
        await journal.keep(tx, context, doc, how="shown", at=context.now(), whole=True)


async def measure(room: Room, _key: str) -> None:
    """Read the values of key results from their sources; what cannot be read is told, and stops no other."""
    if not await in_force(room.context):
        return
    found = await measures.measure(room.context)
    if found.recorded:
        log.info("measure: %s recorded", ", ".join(sorted(found.recorded)))
        publish_soon(room)
    for error in found.errors[1:]:
        log.warning("measure: %s", error)
    if found.errors:
        raise found.errors[0]


async def upkeep(room: Room, _key: str) -> None:
    """Forget old payloads and old jobs."""
    context = room.context
    async with context.store.write() as tx:
        rows, _ = await inbox.prune(tx, context.now() - KEPT)
    ended = await room.jobs.prune(context.now() - DONE)
    log.info("upkeep: %d payloads and %d ended jobs forgotten", rows, ended)


async def webhooks(room: Room, name: str) -> None:
    """Keep the webhooks alive that `webhooks register` made, and have sent again what did not arrive at any of ours."""
    context = room.context
    async with context.store.read() as tx:
        made = await checkpoints.load(tx, name, STREAM)
    async with room.source(name) as source:
        if made:
            await redelivery.upkeep(context, {name: source})
        else:
            await redelivery.set_up_by_hand(context, source)


DOES: Mapping[str, Callable[[Room, str], Awaitable[None]]] = {
    "pull": pull,
    "census": census,
    "history": history,
    "deliveries": deliveries,
    "sums": sums,
    "publish": publish,
    "snapshot": snapshot,
    "webhooks": webhooks,
    "measure": measure,
    "upkeep": upkeep,
}


async def do(room: Room, job: str, key: str) -> bool:
    """Do one job; return whether it ended well. A failure is counted, told, and tried again later and later.

    The attempt is counted before it begins: what kills the process each time is left alone after a while.
    """
    context = room.context
    if key != ALL and key not in context.workspace.connections:
        return True
    async with context.store.write() as tx:
        before = await setbacks.of_job(tx, job, key)
        if before is not None and context.now() < before.retry_at:
            return True
        attempt = attempted(before, job, key, context.now())
        await setbacks.save(tx, attempt)
    try:
        await DOES[job](room, key)
    except LockedError as error:
        log.info("%s %s: %s", job, key, error)
        ended = before
    except KeyrailError as error:
        log.warning("%s %s: %s", job, key, error)
        ended = replace(attempt, error=str(error), retry_at=context.now() + patience(attempt.attempts, error))
    except Exception as error:  # a fault of ours stops this job, not the service
        log.exception("%s %s", job, key)
        wait = patience(attempt.attempts, error)
        ended = replace(attempt, error=f"{type(error).__name__}: {error}", retry_at=context.now() + wait)
    except asyncio.CancelledError:  # the service ends, which is no fault of the job
        await note(context, job, key, before)
        raise
    else:
        ended = None
    await note(context, job, key, ended)
    return ended is None or ended == before


async def note(context: Context, job: str, key: str, failed: Failed | None) -> None:
    """Note how a job ended; None is well."""
    async with context.store.write() as tx:
        await (setbacks.save(tx, failed) if failed is not None else setbacks.clear(tx, job, key))


def attempted(before: Failed | None, job: str, key: str, now: datetime) -> Failed:
    """Return the note of an attempt that begins, as it stays behind where the process dies of it."""
    attempts = before.attempts + 1 if before is not None else 1
    wait = min(LATER, SOON * 2.0 ** min(attempts - POISON, 10)) if attempts >= POISON else timedelta(0)
    return Failed(job=job, key=key, attempts=attempts, error="", retry_at=now + wait)


def patience(attempts: int, error: Exception) -> timedelta:
    """Return how long to wait after so many failures in a row: 5 s, doubling to 15 min; refused credentials at once."""
    if isinstance(error, AuthError):
        return timedelta(minutes=15)
    return min(timedelta(minutes=15), timedelta(seconds=5 * 2.0 ** min(attempts - 1, 10)))


async def in_force(context: Context) -> bool:
    """Return whether the numbers are those of this workspace file: another replica may have read a newer one."""
    async with context.store.read() as tx:
        return await ingest.in_force(tx, context)


def publish_soon(room: Room) -> None:
    """Have changed numbers told."""
    if room.context.workspace.publish:
        room.soon("publish", ALL)


async def wake(room: Room) -> None:
    """Ask for what waits in the database and nobody was asked for, or whose time to be tried again has come.

    An enqueued job and the row that it is about are not one transaction: the row stays when the job is lost.
    """
    context, now = room.context, room.context.now()
    async with context.store.read() as tx:
        waiting = await inbox.waiting_connections(tx)
        moved = await dirty.count(tx)
        again = [failed for failed in await setbacks.every(tx) if failed.error and failed.retry_at <= now]
    for name in waiting:
        await room.jobs.ask("deliveries", name, id=slot("deliveries", name, now, TICK))
    if moved:
        await room.jobs.ask("sums", ALL, id=slot("sums", ALL, now, TICK))
    for failed in again:
        await room.jobs.ask(failed.job, failed.key, id=slot(failed.job, failed.key, now, TICK))


TICK = timedelta(seconds=5)
"""how often each worker looks for what nobody was asked for"""


def slot(job: str, key: str, now: datetime, width: timedelta) -> str:
    """Return an id that all replicas give to a job within the same span, so that it is done once in it."""
    return f"{job}:{key}:{int(now.timestamp() / width.total_seconds())}:{width.total_seconds():g}"


def duties(workspace: Workspace) -> list[Duty]:
    """Return what is to be done again and again for a workspace."""
    found = [
        Duty(job="publish", key=ALL, every=timedelta(minutes=1)),
        Duty(job="sums", key=ALL, every=timedelta(minutes=15)),
        Duty(job="snapshot", key=ALL, every=timedelta(hours=1)),
        Duty(job="upkeep", key=ALL, every=timedelta(hours=6)),
    ]
    if any(isinstance(one.source, Mapping) for one in workspace.key_results.values()):
        found.append(Duty(job="measure", key=ALL, every=timedelta(hours=1)))
    for name, connection in workspace.connections.items():
        found.append(Duty(job="pull", key=name, every=connection.poll))
        found.append(Duty(job="census", key=name, every=connection.census))
        if connection.webhook_secret is not None:
            found.append(Duty(job="webhooks", key=name, every=timedelta(hours=1)))
    return found
