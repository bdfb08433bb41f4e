"""What every step of the road is handed: the store, the operator's choices, and one connection opened.

Values only; they are put together in `app.bootstrap`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from connectors.base import Connector, Reading
from connectors.http import Client
from connectors.ratelimit import Signal
from domain.workspace import Connection, Workspace
from storage.engine import Store
from sync.mapping import Mapper


class Watcher(Protocol):
    """Who is told how the work goes on; the command line draws bars, a service writes metrics."""

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """A stage begins; `total` items are expected, None if nobody knows."""

    def advance(self, connection: str, items: int) -> None:
        """So many more items are done."""

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """The tracker asked us to wait."""

    def answered(self, connection: str, status: int | None, seconds: float, signal: Signal) -> None:
        """The tracker answered a call, or did not (None); `signal` is what it says of its limits."""

    def done(self, connection: str) -> None:
        """The stage is over."""


class Silent:
    """A watcher that says nothing."""

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """Say nothing."""

    def advance(self, connection: str, items: int) -> None:
        """Say nothing."""

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """Say nothing."""

    def answered(self, connection: str, status: int | None, seconds: float, signal: Signal) -> None:
        """Say nothing."""

    def done(self, connection: str) -> None:
        """Say nothing."""


def utc_now() -> datetime:
    """Return the time of this machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One workspace over one store."""

    store: Store
    workspace: Workspace
    mapper: Mapper
    now: Callable[[], datetime] = utc_now
    watcher: Watcher = field(default_factory=Silent)
    public_url: str | None = None
    computes_all: bool = False
    """whether all numbers are computed anew after this run, so that nobody notes what moved"""
    adopts: bool = True
    """whether a store that was mapped with another file is mapped again with this one; else it is left to who does"""

    @property
    def zone(self) -> ZoneInfo:
        """The workspace's time zone, which days are counted in."""
        return ZoneInfo(self.workspace.timezone)

    @property
    def today(self) -> date:
        """The present local date."""
        return self.now().astimezone(self.zone).date()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One connection and what discovery found out about it: enough to read what was stored."""

    connection: Connection
    connector: Connector
    reading: Reading

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.connection.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Live(Source):
    """A connection whose tracker can be asked."""

    client: Client
