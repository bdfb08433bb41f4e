"""Wake-ups folded: many who want the same job soon ask for it once.

What a job is and who does it is said in `sync.jobs`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from domain.errors import KeyrailError
from sync.jobs import Jobs

log = logging.getLogger("keyrail")

COALESCE = 0.3
"""seconds within which one wake-up stands for all"""


@dataclass(slots=True)
class Wake:
    """Asks for a job: once for all who want it within 0.3 s, at the end of that time.

    A slot of time is asked for after it is over, so that the job finds all that came in it, and under one name, so
    that of several replicas one wakes. What a replica with a slow clock adds waits for the next tick, and so does
    what could not be asked for.
    """

    jobs: Jobs
    now: Callable[[], datetime]
    _slots: dict[tuple[str, str], int] = field(default_factory=dict)
    _asking: set[asyncio.Task[None]] = field(default_factory=set)

    def __call__(self, job: str, key: str) -> None:
        """Note that a job is wanted soon."""
        at = self.now().timestamp()
        slot = int(at / COALESCE)
        if self._slots.get((job, key)) == slot:
            return
        self._slots[job, key] = slot
        asking = asyncio.create_task(self._ask(job, key, slot, (slot + 1) * COALESCE - at))
        self._asking.add(asking)
        asking.add_done_callback(self._asking.discard)

    async def _ask(self, job: str, key: str, slot: int, wait: float) -> None:
        await asyncio.sleep(wait)
        try:
            await self.jobs.ask(job, key, id=f"{job}:{key}:{slot}")
        except KeyrailError as error:
            log.warning("%s %s: nobody was woken; the next tick does. %s", job, key, error)

    async def settle(self) -> None:
        """Wait until all that was noted is asked for."""
        while self._asking:
            await asyncio.gather(*self._asking)
