"""What the application over HTTP needs, as one value; who serves it opens and closes what is in it.

Types only; what is done with them is in the files beside.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from app.web.metrics import Metrics
from domain.workspace import Workspace
from sync.arrivals import Arrival

Check = Callable[[], Awaitable[None]]
"""returns where something is as it must be, raises a KeyrailError that says what is missing"""


class Taker(Protocol):
    """Who stores deliveries (`sync.arrivals.Arrivals`)."""

    async def put(self, arrival: Arrival) -> bool:
        """Store a delivery; return whether it was new, once that is committed. Raises StorageError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """What the application needs.

    `workspace` gives the one in force, `checks` are what `/readyz` asks, by name, `scrape` gives the text of
    `/metrics`. A process without `arrivals` takes no webhooks.
    """

    version: str
    workspace: Callable[[], Workspace]
    arrivals: Taker | None
    metrics: Metrics
    scrape: Callable[[], Awaitable[bytes]]
    checks: Mapping[str, Check] = field(default_factory=dict)
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
