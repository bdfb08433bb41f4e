"""Jobs: what is asked for, under which name, and who may run beside whom.

Only names, values and the narrow protocol; what stands behind it is in `sync.engine`. A job wakes work that is in the
database as rows, so that a wake-up that is lost or doubled costs nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

Run = Callable[[str, str], Awaitable[None]]
"""(job, key): does one job to its end, logging its own errors; a key is a connection's name or "all"."""

JOBS = ("pull", "census", "history", "deliveries", "sums", "publish", "snapshot", "webhooks", "measure", "upkeep")


class Jobs(Protocol):
    """Who can be asked to see that jobs are done."""

    async def ask(self, job: str, key: str, *, id: str) -> None:
        """Have a job done soon, by any replica; the same id asked twice runs once.

        Returns when that is kept. Raises StorageError within seconds where the database is away.
        """

    async def counts(self) -> Mapping[str, int]:
        """Return how many jobs are `enqueued`, `pending` (running) and failed (`error`), each named even at 0."""

    async def prune(self, before: datetime) -> int:
        """Forget the jobs that ended before; return how many. Their ids could then run again: keep at least a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Jobs of one queue wait for each other within a part, and run side by side with other parts.

    `every` is how often a replica looks for work, in seconds: half of it is what a wake-up waits on average.
    """

    name: str
    jobs: tuple[str, ...]
    by_key: bool
    every: float


QUEUES = (
    Queue(name="pulls", jobs=("pull", "census"), by_key=True, every=1.0),
    Queue(name="history", jobs=("history",), by_key=True, every=1.0),
    Queue(name="deliveries", jobs=("deliveries",), by_key=True, every=0.2),
    Queue(
        name="others", jobs=("sums", "publish", "snapshot", "webhooks", "measure", "upkeep"), by_key=False, every=0.2
    ),
)
"""Few, because each replica polls each. Pull and census of one connection need the same lock, so they share a part; a
history may take hours, so it shares none."""

_HOME = {job: queue for queue in QUEUES for job in queue.jobs}


def place(job: str, key: str) -> tuple[str, str]:
    """Return the queue of a job and the part of it within which one runs at a time: its connection, or its own name."""
    if job not in _HOME:
        raise ValueError(f"there is no job '{job}'; there are {', '.join(JOBS)}")
    queue = _HOME[job]
    return queue.name, key if queue.by_key else job
