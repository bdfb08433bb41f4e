"""What trackers send: stored many at a time, and told as new or known.

A delivery counts as accepted when its transaction is committed, never before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from domain.errors import KeyrailError, StorageError
from storage import inbox
from storage.arrivals import Packed, put_all
from storage.engine import Store

log = logging.getLogger("keyrail")

LINGER = 0.005
"""seconds that a delivery waits for others to share its commit with"""
AT_ONCE = 500
"""most deliveries of one commit"""
BACKLOG = 5000
"""most deliveries that wait for a commit; of more, each would be answered too late"""
LARGE = 128 * 1024
"""bytes from which a body is compressed in another thread: that takes a millisecond"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A genuine delivery as received; a ``hint`` is the JSON ``[{"id": …, "key": …}, …]`` of what to read again."""

    connection: str
    delivery_id: str
    event: str | None
    body: bytes
    received_at: datetime
    kind: str = "webhook"


@dataclass(slots=True)
class _Waiting:
    packed: Packed
    stored: asyncio.Future[bool]


class Arrivals:
    """Puts deliveries into the inbox, those that come together in one transaction. Made by `open_arrivals`."""

    def __init__(self, store: Store, wake: Callable[[str], None]) -> None:
        self._store = store
        self._wake = wake
        self._waiting: list[_Waiting] = []
        self._there = asyncio.Event()
        self._full = asyncio.Event()
        self._closed = False

    async def put(self, arrival: Arrival) -> bool:
        """Store a delivery; return whether it was new, once that is committed. Raises StorageError."""
        packed = await _pack(arrival)
        if self._closed:
            raise StorageError("This process is stopping and takes no more deliveries. Send it again.")
        if len(self._waiting) >= BACKLOG:
            raise StorageError(f"{BACKLOG} deliveries wait for the database already. Send it again later.")
        waiting = _Waiting(packed, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._there.set()
        if len(self._waiting) >= AT_ONCE:
            self._full.set()
        return await waiting.stored

    async def run(self) -> None:
        """Commit what arrives until closed and all is written."""
        while not (self._closed and not self._waiting):
            await self._there.wait()
            await self._linger()
            batch, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
            if not self._waiting and not self._closed:
                self._there.clear()
            self._full.clear()
            if batch:
                await self._commit(batch)

    def close(self) -> None:
        """Take no more; `run` ends when what waits is written."""
        self._closed = True
        self._there.set()
        self._full.set()

    async def _linger(self) -> None:
        if len(self._waiting) < AT_ONCE and not self._closed:
            try:
                async with asyncio.timeout(LINGER):
                    await self._full.wait()
            except TimeoutError:
                return

    async def _commit(self, batch: list[_Waiting]) -> None:
        """Write a batch and tell each of its waiters; of the same delivery twice in it, the first was new."""
        try:
            async with self._store.write() as tx:
                new = await put_all(tx, {one.packed.name: one.packed for one in reversed(batch)}.values())
        except Exception as error:  # noqa: BLE001  # whatever it was: nothing is stored, and the senders must know
            _fail(batch, error)
            return
        woken = {connection for connection, _ in new}
        for one in batch:
            if not one.stored.done():
                one.stored.set_result(one.packed.name in new)
            new.discard(one.packed.name)
        for connection in sorted(woken):
            self._wake(connection)


def _fail(batch: list[_Waiting], error: Exception) -> None:
    """Tell each waiter; an error of the driver is told without its parameters, which hold bodies."""
    said = str(error) if isinstance(error, KeyrailError) else f"The database failed: {_first_line(error)}"
    log.error("%s deliveries were not stored and not accepted. %s", len(batch), said)
    for one in batch:
        if not one.stored.done():
            one.stored.set_exception(StorageError(said))


def _first_line(error: Exception) -> str:
    said = str(getattr(error, "orig", None) or "").strip()
    return f"{said.splitlines()[0]} ({type(error).__name__})" if said else type(error).__name__


async def _pack(arrival: Arrival) -> Packed:
    large = len(arrival.body) >= LARGE
    body = await asyncio.to_thread(inbox.pack, arrival.body) if large else inbox.pack(arrival.body)
    return Packed(
        connection=arrival.connection,
        delivery_id=arrival.delivery_id,
        kind=arrival.kind,
        event=arrival.event,
        received_at=arrival.received_at,
        body=body,
    )


@asynccontextmanager
async def open_arrivals(store: Store, wake: Callable[[str], None]) -> AsyncIterator[Arrivals]:
    """Take deliveries while the block runs; at its end those that wait are written first.

    `wake(connection)` is called after a commit that brought a new delivery of the connection.
    """
    async with store.durable() as own:
        arrivals = Arrivals(own, wake)
        writer = asyncio.create_task(arrivals.run())
        try:
            yield arrivals
        finally:
            arrivals.close()
            await writer
