"""The connectors, listed by hand, and the one way to open a client for a connection.

A new tracker or tool is a folder, a line here, and a page in the docs; nothing is found by reflection.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from connectors import (
    aha,
    appfire,
    asana,
    github,
    goals,
    jira,
    linear,
    okr_tracker,
    operately,
    outgoing,
    slack,
)
from connectors.base import Connector, Sink
from connectors.http import Access, Client, Dialect, OnAnswer, OnWait, Sleep, Transport, open_client
from connectors.sinks import open_target
from connectors.tokens import TokenStore
from domain.errors import ConfigError
from domain.workspace import Connection, PublishRow

CONNECTORS: Mapping[str, Connector] = {one.type: one for one in (jira.CONNECTOR, github.CONNECTOR, linear.CONNECTOR)}

WAYS_IN: Mapping[str, tuple[Callable[..., Access], Dialect]] = {
    "jira": (jira.access, jira.DIALECT),
    "github": (github.access, github.DIALECT),
    "linear": (linear.access, linear.DIALECT),
}
"""how a connection proves who it is, and the manners of its tracker"""

SINKS: Mapping[str, tuple[Sink, Dialect]] = {
    "slack": (slack.SINK, slack.DIALECT),
    "webhook": (outgoing.SINK, outgoing.DIALECT),
    "okr_tracker": (okr_tracker.SINK, okr_tracker.DIALECT),
    "operately": (operately.SINK, operately.DIALECT),
    "appfire": (appfire.SINK, appfire.DIALECT),
    "aha": (aha.SINK, aha.DIALECT),
    "asana": (asana.SINK, asana.DIALECT),
    "goals": (goals.SINK, goals.DIALECT),
}
"""tools that are only written to, by the name that `to` has for them, and their manners"""


def connector(type: str) -> Connector:
    """Return the connector of a tracker; raise ConfigError that lists those there are."""
    try:
        return CONNECTORS[type]
    except KeyError as missing:
        raise ConfigError(f"There is no connector '{type}'. There are: {', '.join(sorted(CONNECTORS))}.") from missing


def open_connection(
    connection: Connection,
    *,
    store: TokenStore | None = None,
    secret_key: str | None = None,
    on_wait: OnWait | None = None,
    on_answer: OnAnswer | None = None,
    transport: Transport | None = None,
    sleep: Sleep = asyncio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AbstractAsyncContextManager[Client]:
    """Open the client of a connection, with the credentials and the manners of its tracker.

    `store` and `secret_key` (KEYRAIL_SECRET_KEY) keep tokens that are issued to us. Raises ConfigError
    for a missing secret or an unknown tracker.
    """
    access, dialect = WAYS_IN[connector(connection.type).type]
    return open_client(
        connection,
        access=access(connection, store=store, secret_key=secret_key, now=now),
        dialect=dialect,
        on_wait=on_wait,
        on_answer=on_answer,
        transport=transport,
        sleep=sleep,
        now=now,
    )


def open_sink(
    row: PublishRow,
    *,
    on_wait: OnWait | None = None,
    on_answer: OnAnswer | None = None,
    transport: Transport | None = None,
    sleep: Sleep = asyncio.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> AbstractAsyncContextManager[Client]:
    """Open the client of a row of `publish` whose place is no connection.

    Raises ConfigError for a missing secret, an address that cannot be called, or a tool that this version lacks.
    """
    try:
        sink, dialect = SINKS[row.outlet]
    except KeyError as missing:
        raise ConfigError(f"{row.id}: this version does not publish to {row.outlet}.") from missing
    return open_target(
        row, sink, dialect, on_wait=on_wait, on_answer=on_answer, transport=transport, sleep=sleep, now=now
    )
