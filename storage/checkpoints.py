"""Where each stream of each connection goes on, and notes about the whole store."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert

from storage.engine import Transaction
from storage.tables import Base, Checkpoint, IssuedToken, Note

checkpoints = Base.metadata.tables[Checkpoint.__tablename__]
notes = Base.metadata.tables[Note.__tablename__]
issued_tokens = Base.metadata.tables[IssuedToken.__tablename__]


def upsert(tx: Transaction, table: Table, update: tuple[str, ...]) -> Insert:
    """Return `insert … on conflict (primary key) do update` of the named columns."""
    insert = (postgresql if tx.dialect.name == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key.columns]
    changed: Insert = insert.on_conflict_do_update(
        index_elements=keys, set_={name: insert.excluded[name] for name in update}
    )
    return changed


async def load(tx: Transaction, connection: str, stream: str) -> Any:  # Any: a JSON value of the stream's own shape
    """Return the checkpoint of a stream, None before the first."""
    query = select(checkpoints.c.value).where(checkpoints.c.connection == connection, checkpoints.c.stream == stream)
    return await tx.scalar(query)


async def save(tx: Transaction, connection: str, stream: str, value: object) -> None:
    """Move the checkpoint of a stream."""
    row = {"connection": connection, "stream": stream, "value": value, "at": datetime.now(UTC)}
    await tx.execute(upsert(tx, checkpoints, ("value", "at")), [row])


async def drop(tx: Transaction, connection: str, stream: str) -> None:
    """Forget the checkpoint of a stream."""
    await tx.execute(delete(checkpoints).where(checkpoints.c.connection == connection, checkpoints.c.stream == stream))


async def of_stream(tx: Transaction, stream: str) -> dict[str, Any]:  # Any: as above
    """Return the checkpoints of one stream by connection."""
    rows = await tx.execute(select(checkpoints.c.connection, checkpoints.c.value).where(checkpoints.c.stream == stream))
    return {row.connection: row.value for row in rows}


async def note(tx: Transaction, name: str) -> Any:  # Any: a JSON value of the note's own shape
    """Return a note about the whole store, None where there is none."""
    return await tx.scalar(select(notes.c.value).where(notes.c.name == name))


async def save_note(tx: Transaction, name: str, value: object) -> None:
    """Write a note about the whole store."""
    await tx.execute(upsert(tx, notes, ("value",)), [{"name": name, "value": value}])


async def issued_token(tx: Transaction, connection: str) -> bytes | None:
    """Return the sealed tokens that a vendor issued to us for a connection."""
    query = select(issued_tokens.c.sealed).where(issued_tokens.c.connection == connection)
    if tx.dialect.name == "postgresql":
        query = query.with_for_update()
    found: bytes | None = await tx.scalar(query)
    return found


async def save_issued_token(tx: Transaction, connection: str, sealed: bytes) -> None:
    """Keep the sealed tokens of a connection."""
    row = {"connection": connection, "sealed": sealed, "at": datetime.now(UTC)}
    await tx.execute(upsert(tx, issued_tokens, ("sealed", "at")), [row])
