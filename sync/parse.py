"""What Keyrail reads in a payload, without storing it: the `parse` command.

A bare tracker's name stands for a connection with default settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson

from connectors.base import Parsed, Reading
from connectors.registry import CONNECTORS
from domain.errors import PayloadError, UsageError
from domain.work import Change, Delete, Ignored, Refetch, Upsert
from domain.workspace import Connection, Workspace
from sync.exports import item_document
from sync.mapping import Mapper, compile_mapping

Doc = dict[str, Any]  # Any: a JSON document

BARE = {"jira": "cloud", "jira-dc": "datacenter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """How payloads are read."""

    connection: Connection
    reading: Reading
    mapper: Mapper


def reader(kind: str, workspace: Workspace | None, known: Reading | None = None) -> Reader:
    """Return how payloads of a connection, or of a bare tracker (`workspace` None), are read.

    `known` is what discovery found out about the connection; without it the connector's defaults stand in.
    """
    if workspace is None:
        tracker = kind.removesuffix("-dc")
        connection = Connection(
            name=kind, type=tracker, url=f"https://{kind}.invalid", deployment=BARE.get(kind, "auto")
        )
        workspace = Workspace(name="", timezone="UTC", connections={kind: connection})
    elif kind in workspace.connections:
        connection = workspace.connections[kind]
    else:
        names = ", ".join([*workspace.connections, "jira", "jira-dc", "github", "linear"])
        raise UsageError(f"There is no connection '{kind}'. Known: {names}.")
    if connection.type not in CONNECTORS:
        raise UsageError(f"This version reads no {connection.type} payloads; it reads: {', '.join(CONNECTORS)}.")
    reading = known or CONNECTORS[connection.type].defaults(connection)
    return Reader(connection=connection, reading=reading, mapper=compile_mapping(workspace))


def read_payload(source: Reader, body: bytes, event: str | None) -> Iterator[Doc]:
    """Yield a document for each change in a payload, and for each past change that it tells of.

    Raises PayloadError where it cannot be read.
    """
    said = parsed(source, body, event)
    if not said.changes and not said.transitions:
        yield {"change": "ignored", "reason": "nothing in it that Keyrail follows"}
    for change in said.changes:
        yield document(source, change)
    for past in said.transitions:
        told = {"id": past.item_id, "at": past.at, "field": past.field, "before": past.before, "after": past.after}
        yield {"change": "transition", **told}


def parsed(source: Reader, body: bytes, event: str | None) -> Parsed:
    """Read a payload as a webhook where it is one, else as a page."""
    connector = CONNECTORS[source.connection.type]
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"not JSON: {error}") from error
    kind = "webhook" if event is not None else connector.kind_of(value)
    if kind == "webhook":
        return connector.webhook(body, event, source.connection, source.reading)
    return connector.parse(kind, body, source.connection, source.reading)


def document(source: Reader, change: Change) -> Doc:
    """Return a change as `parse` prints it."""
    match change:
        case Upsert():
            item = source.mapper.settle(change.item)
            own = source.mapper.own(item, None, None)
            return {"change": "upsert", "item": item_document(item, own.links, own.dimensions)}
        case Delete():
            return {"change": "delete", "id": change.ref.id, "key": change.key}
        case Refetch():
            return {"change": "refetch", "id": change.ref.id, "key": change.key}
        case Ignored():
            return {"change": "ignored", "reason": change.reason}
