"""Dead replicas: what one left running is taken over by another within seconds.

On PostgreSQL only: beside a SQLite file there is one process, which finds its own work again when it starts. This
module decides; locks are in `storage.presence`, the list of jobs is the engine's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from domain.errors import LockedError, StorageError
from storage.presence import Presence, present

TICK = 3.0
"""Seconds between two looks at the others: with the engine's polling, takeover is done within ten."""

AGAIN = 1.0
"""Seconds between two attempts to be known as alive again."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A job that is running as far as the database knows, and the replica that took it."""

    id: str
    executor: str
    queue: str


class Board(Protocol):
    """Who knows the jobs of all replicas."""

    async def running(self, executor: str | None = None) -> Sequence[Running]:
        """Return the jobs that run, of one replica or of all."""

    async def resume(self, job: Running) -> None:
        """Put a job back into its queue, at its place."""


@asynccontextmanager
async def replica(database_url: str, executor: str, board: Board) -> AsyncIterator[None]:
    """Be known as alive while the block runs, and take over what dead replicas left.

    Begin it before the first job can start, end it after the last has: who is not known as alive loses its jobs to
    others. Raises StorageError where the database is away at the start, and LockedError where the name is taken.
    """
    known = asyncio.Event()
    watch = asyncio.create_task(stay(database_url, executor, board, known))
    first = asyncio.create_task(known.wait())
    try:
        await asyncio.wait({watch, first}, return_when=asyncio.FIRST_COMPLETED)
        if watch.done():
            watch.result()
        yield
    finally:
        for task in (first, watch):
            task.cancel()
            with suppress(asyncio.CancelledError, StorageError, LockedError):
                await task


async def stay(database_url: str, executor: str, board: Board, known: asyncio.Event) -> None:
    """Keep this replica's lock and look after the others, for ever; a lost lock is taken again at once.

    Until it is back, others take this replica for dead and may do its jobs a second time: jobs are idempotent.
    """
    while True:
        try:
            async with present(database_url, executor) as presence:
                if known.is_set():
                    log.info("This replica is known as alive again.")
                known.set()
                await look_after(presence, executor, board)
        except (StorageError, LockedError) as error:
            if not known.is_set():
                raise
            log.warning("This replica is not known as alive, others may take over its jobs. %s", error)
            await asyncio.sleep(AGAIN)


async def look_after(presence: Presence, executor: str, board: Board) -> None:
    """Take over from the dead, tick by tick; raise StorageError when the lock's session is lost."""
    while True:
        await presence.check()
        try:
            await take_over(presence, executor, board)
        except StorageError as error:
            log.warning("Nobody looked after other replicas this time. %s", error)
        except Exception:
            log.exception("Taking over from other replicas failed.")  # and must not cost this one its lock
        await asyncio.sleep(TICK)


async def take_over(presence: Presence, executor: str, board: Board) -> int:
    """Put back what dead replicas left running; return how many jobs that were."""
    taken = 0
    for other in sorted({job.executor for job in await board.running()} - {executor}):
        async with presence.gone(other) as dead:
            if not dead:
                continue
            # listed again: another replica may have been here before us, and the job runs there by now
            for job in await board.running(other):
                await board.resume(job)
                log.warning("Replica %s is dead; its job %s goes on elsewhere.", other, job.id)
                taken += 1
    return taken
