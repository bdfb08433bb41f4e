"""Documents that take long to put together, kept while they hold: put together beside the event loop, one at a time.

A page waits a moment for one; where that is not enough it shows the one before, or says that it is on its way.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from domain.errors import KeyrailError
from storage.engine import open_store
from sync.context import Context, utc_now

log = logging.getLogger("keyrail")

Doc = dict[str, Any]  # Any: a JSON document
Make = Callable[[Context], Awaitable[Any]]

PATIENCE = 1.5
"""seconds that a page waits for a document that is not there"""
SHORT = 0.3
"""seconds that a page waits for a newer one where it has an older"""
TURN = 0.0005
"""seconds that one thread computes before another may"""
KEPT = 200
"""documents that are kept"""


@dataclass(frozen=True, slots=True)
class Found:
    """A document and when it was put together; `current` says that nothing has changed since."""

    doc: Any  # Any: what `Make` returns
    at: datetime
    current: bool


@dataclass(slots=True)
class Entry:
    """What is kept under a key, and the work that is to replace it."""

    stamp: str = ""
    doc: Any = None  # Any: as above
    at: datetime | None = None
    error: KeyrailError | None = None
    running: asyncio.Task[None] | None = None


@dataclass(slots=True)
class Memory:
    """Documents by key, each with the stamp of what it was made from."""

    now: Callable[[], datetime] = utc_now
    entries: OrderedDict[str, Entry] = field(default_factory=OrderedDict)
    turns: dict[str, asyncio.Lock] = field(default_factory=dict)

    async def get(
        self, context: Context, key: str, stamp: str, make: Make, *, lane: str = "pages", patience: float = PATIENCE
    ) -> Found | None:
        """Return the document of a key, None where it is still being put together; raise what making it raised.

        Of a lane one is put together at a time, so that what takes long does not hold up what somebody waits for.
        """
        entry = self.entries.setdefault(key, Entry())
        self.entries.move_to_end(key)
        self._forget()
        if entry.stamp != stamp or entry.at is None:
            if entry.running is None:
                entry.running = asyncio.create_task(self._make(context, entry, stamp, make, lane))
            await asyncio.wait({entry.running}, timeout=patience if entry.at is None else SHORT)
        if entry.error is not None:
            raise entry.error
        if entry.at is None:
            return None
        return Found(entry.doc, entry.at, entry.stamp == stamp)

    async def _make(self, context: Context, entry: Entry, stamp: str, make: Make, lane: str) -> None:
        try:
            async with self.turns.setdefault(lane, asyncio.Lock()):
                at = self.now()
                entry.doc = await asyncio.to_thread(aside, context, make)
            entry.stamp, entry.at, entry.error = stamp, at, None
        except KeyrailError as error:
            entry.stamp, entry.at, entry.error = "", None, error
        except Exception as error:  # whatever it is: the page says so, the service goes on, the log has it all
            log.exception("A page could not be put together")
            entry.error = KeyrailError(f"It could not be put together ({type(error).__name__}). The log says more.")
        finally:
            entry.running = None

    def _forget(self) -> None:
        idle = [key for key, entry in self.entries.items() if entry.running is None]
        for key in idle[: max(len(self.entries) - KEPT, 0)]:
            del self.entries[key]


def aside(context: Context, make: Make) -> Any:  # Any: what `Make` returns
    """Return what is made of a context over a store of its own, in an event loop of this thread.

    Threads take turns more often meanwhile, for each answer of the event loop waits for several turns.
    """
    sys.setswitchinterval(TURN)

    async def work() -> Any:  # Any: as above
        store = await open_store(context.store.url)
        try:
            return await make(replace(context, store=store))
        finally:
            await store.close()

    running: Coroutine[Any, Any, Any] = work()
    return asyncio.run(running)
