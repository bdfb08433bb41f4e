"""What the application over HTTP needs, as one value; who serves it opens and closes what is in it.

Types only; what is done with them is in the files beside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from app.web.access import Access
from app.web.metrics import Metrics
from domain.workspace import Workspace
from sync.arrivals import Arrival
from sync.context import Context

Check = Callable[[], Awaitable[None]]
"""returns where something is as it must be, raises a KeyrailError that says what is missing"""


class Taker(Protocol):
    """Who stores deliveries (`sync.arrivals.Arrivals`)."""

    async def put(self, arrival: Arrival) -> bool:
        """Store a delivery; return whether it was new, once that is committed. Raises StorageError."""


@dataclass(slots=True)
class Bodies:
    """How many bytes of bodies are being read by all requests together."""

    size: int = 0

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """Read one more body while the block runs."""
        one = Reading(self)
        try:
            yield one
        finally:
            self.size -= one.size


@dataclass(slots=True)
class Reading:
    """One body that is being read."""

    bodies: Bodies
    size: int = 0

    def grown(self, size: int) -> int:
        """Note that so many bytes of it came; return how many of all bodies are held now."""
        self.size += size
        self.bodies.size += size
        return self.bodies.size


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the application needs.

    `workspace` gives the one in force, `checks` are what `/readyz` asks, by name, `scrape` gives the text of
    `/metrics`. A process without `arrivals` takes no webhooks, one without `context` (the workspace in force, over the
    store) shows no pages, and one without `access` knows nobody and shows nothing but its health.
    """

    version: str
    workspace: Callable[[], Workspace]
    arrivals: Taker | None
    metrics: Metrics
    scrape: Callable[[], Awaitable[bytes]]
    context: Callable[[], Context] | None = None
    checks: Mapping[str, Check] = field(default_factory=dict)
    bodies: Bodies = field(default_factory=Bodies)
    access: Access | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
