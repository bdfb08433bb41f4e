"""The way to a place that is only written to: one client a row of `publish`, pinned to the host of its own address.

What a call says, and which one it is, is the business of the tool's own `publish`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors import ratelimit
from connectors.base import Sink, Target
from connectors.http import Client, Dialect, OnAnswer, OnWait, Sleep, Transport, Wire, open_client
from domain.errors import ConfigError
from domain.workspace import Connection, PublishRow


class Given:
    """The address and the headers of a row, as they stand in the workspace file."""

    def __init__(self, target: Target) -> None:
        self.base = target.base_url
        self.hosts = frozenset({urlsplit(self.base).netloc})
        self.source = target.source
        self.secrets = target.secrets
        self._headers = target.headers

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the same headers each time."""
        return self._headers

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Give up: what was refused once is refused again."""
        return False

    def adopt(self, base: str) -> None:
        """Stay: the file alone says where calls go."""


def manners(vendor: str, *, rate: float = 1.0) -> Dialect:
    """Return the dialect of a tool that states no limits but 429 with Retry-After; `rate` is writes a second."""
    return Dialect(
        vendor=vendor,
        read_limits=ratelimit.plain,
        denied=lambda status, headers: None,
        rates={"GET": 5.0, "WRITE": rate, "POST": rate},
        bursts={"WRITE": 5.0, "POST": 5.0},
        concurrency=2,
    )


def open_target(
    row: PublishRow,
    sink: Sink,
    dialect: Dialect,
    *,
    on_wait: OnWait | None = None,
    on_answer: OnAnswer | None = None,
    transport: Transport | None = None,
    sleep: Sleep = asyncio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AbstractAsyncContextManager[Client]:
    """Open the client of a row; raise ConfigError for a missing secret or an address that cannot be called."""
    target = sink.target(row)
    parts = urlsplit(target.base_url)
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise ConfigError(f"{row.id}: `to` holds no address to call. Give it one that begins with https://.")
    return open_client(
        Connection(name=row.id, type=sink.type, url=target.base_url, budget=target.budget),
        access=Given(target),
        dialect=replace(dialect, sign=target.sign) if target.sign is not None else dialect,
        on_wait=on_wait,
        on_answer=on_answer,
        transport=transport,
        sleep=sleep,
        now=now,
        public_only=not target.allow_private,
    )
