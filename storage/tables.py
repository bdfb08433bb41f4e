"""The tables, and nothing else: what a row is, and which index serves which question.

`table=True` classes do not validate; values are checked before they get here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Column, Date, DateTime, Index, Integer, LargeBinary, MetaData, String, Text, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime on every database: SQLite forgets the zone, PostgreSQL answers in the session's."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], object]:
        """Store UTC, as text on SQLite; raise ValueError for an instant that could be any."""
        return stored_instant if dialect.name == "sqlite" else aware

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:
        """Answer UTC."""
        return known_instant


def aware(value: datetime | None) -> datetime | None:
    """Return an instant as it is; raise ValueError where it has no time zone."""
    if value is not None and value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone")
    return value


def stored_instant(value: datetime | None) -> str | None:
    """Write an instant as SQLite's dialect does (``2026-11-24 09:30:00.000000``): such texts compare as times."""
    instant = aware(value)
    return instant.astimezone(UTC).isoformat(" ", "microseconds")[:26] if instant is not None else None


def known_instant(value: datetime | str | None) -> datetime | None:
    """Read what `stored_instant` wrote, or an instant in the session's zone."""
    if isinstance(value, str):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return value.astimezone(UTC) if value is not None else None


Document = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


class Base(SQLModel):
    """Common ground of the tables: one metadata with named constraints, which SQLite's batch migrations need.

    Nothing is validated by these classes, so no validators are built: those take longer than all else in here.
    """

    model_config = {"defer_build": True}
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def instant(*, nullable: bool = False, index: bool = False) -> Any:  # Any: what SQLModel's Field itself returns
    """Return a column of an instant."""
    return Field(sa_column=Column(Instant(), nullable=nullable, index=index))


def document(*, nullable: bool = False) -> Any:  # Any: what SQLModel's Field itself returns
    """Return a column of a JSON value; None is stored as NULL."""
    return Field(sa_column=Column(Document, nullable=nullable))


ADRIFT = text("parent_id IS NULL AND parent_key IS NOT NULL")
"""items that name a parent which has not been found"""
COPIED = text("mirror_of IS NOT NULL")
"""items that another one stands for"""
MOVES = text("field = 'parent'")
"""transitions from one parent to another"""


class Item(Base, table=True):
    """A work item. The columns are what rollups group by; `data` is the whole item as settled, for people.

    `read_at` is the start of the authoritative read that saw this version. `own` are the links that the file
    gives the item itself (NULL: none), `scope` names the links it has in effect, inherited ones with them (0: none).
    `completed_on`, `canceled_on`, `entered_on`, `inaccessible_on` are local dates of the workspace. `history_at` is the
    `updated_at` up to which the item's history is stored.
    """

    __tablename__ = "items"
    __table_args__ = (
        Index("ix_items_parent", "connection", "parent_id"),
        Index("ix_items_scope", "scope", "connection", "parent_id"),
        Index("ix_items_key", "key", "connection"),
        Index("ix_items_adrift", "connection", "parent_key", sqlite_where=ADRIFT, postgresql_where=ADRIFT),
        Index("ix_items_copied", "connection", "id", sqlite_where=COPIED, postgresql_where=COPIED),
    )

    connection: str = Field(sa_column=Column(String, primary_key=True))
    id: str = Field(sa_column=Column(String, primary_key=True))
    key: str = Field(sa_column=Column(String, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    project: str = Field(sa_column=Column(String, nullable=False))
    level: str = Field(sa_column=Column(String, nullable=False))
    parent_id: str | None = Field(sa_column=Column(String, nullable=True))
    parent_key: str | None = Field(sa_column=Column(String, nullable=True))
    category: str = Field(sa_column=Column(String, nullable=False))
    stage: str | None = Field(sa_column=Column(String, nullable=True))
    estimate: float | None = None
    time_estimate: float | None = None
    team: str | None = Field(sa_column=Column(String, nullable=True))
    flags: str = Field(sa_column=Column(String, nullable=False))
    updated_at: datetime = instant()
    read_at: datetime = instant()
    completed_on: date | None = Field(sa_column=Column(Date, nullable=True))
    canceled_on: date | None = Field(sa_column=Column(Date, nullable=True))
    entered_on: date | None = Field(sa_column=Column(Date, nullable=True))
    deleted_at: datetime | None = instant(nullable=True)
    inaccessible_on: date | None = Field(sa_column=Column(Date, nullable=True))
    mirror_of: str | None = Field(sa_column=Column(String, nullable=True))
    history_at: datetime | None = instant(nullable=True)
    scope: int = 0
    own: list[dict[str, Any]] | None = document(nullable=True)
    dimensions: dict[str, Any] | None = document(nullable=True)
    data: dict[str, Any] = document()


class Scope(Base, table=True):
    """A list of links with their provenance, stored once, so that items can be grouped by a number.

    `links` is the canonical JSON text of the links.
    """

    __tablename__ = "scopes"

    id: int | None = Field(default=None, primary_key=True)
    links: str = Field(sa_column=Column(Text, nullable=False, unique=True))


class ScopeInitiative(Base, table=True):
    """The initiatives of a scope, to find the scopes of an initiative."""

    __tablename__ = "scope_initiatives"

    initiative: str = Field(sa_column=Column(String, primary_key=True))
    scope: int = Field(primary_key=True)


class Blocker(Base, table=True):
    """`item_id` waits for `blocker_id`, in one connection."""

    __tablename__ = "blockers"
    __table_args__ = (Index("ix_blockers_blocker", "connection", "blocker_id", "item_id"),)

    connection: str = Field(sa_column=Column(String, primary_key=True))
    item_id: str = Field(sa_column=Column(String, primary_key=True))
    blocker_id: str = Field(sa_column=Column(String, primary_key=True))


class Mirror(Base, table=True):
    """A tracker says that the work of an item is also kept at `address`: ``connection:key``, or a web address."""

    __tablename__ = "mirrors"

    connection: str = Field(sa_column=Column(String, primary_key=True))
    item_id: str = Field(sa_column=Column(String, primary_key=True))
    address: str = Field(sa_column=Column(String, primary_key=True))


class Transition(Base, table=True):
    """One change of one field of one item, as the tracker's history tells it."""

    __tablename__ = "transitions"
    __table_args__ = (
        Index("ix_transitions_field", "field", "at"),
        Index("ix_transitions_left", "connection", "before_id", sqlite_where=MOVES, postgresql_where=MOVES),
    )

    connection: str = Field(sa_column=Column(String, primary_key=True))
    item_id: str = Field(sa_column=Column(String, primary_key=True))
    id: str = Field(sa_column=Column(String, primary_key=True))
    at: datetime = instant()
    field: str = Field(sa_column=Column(String, nullable=False))
    before: str | None = Field(sa_column=Column(Text, nullable=True))
    after: str | None = Field(sa_column=Column(Text, nullable=True))
    before_id: str | None = Field(sa_column=Column(String, nullable=True))
    after_id: str | None = Field(sa_column=Column(String, nullable=True))


class Delivery(Base, table=True):
    """The inbox: a page or a webhook body as received, compressed; kept after it was read, for `replay`.

    `delivery_id` of a page is run + stream + page number, never a hash of its content. `state` is ``new``,
    ``done`` or ``parked`` (`error` says why). `attempts` counts the readings that were begun and did not end.
    """

    __tablename__ = "inbox"
    __table_args__ = (
        Index("uq_inbox_delivery", "connection", "delivery_id", unique=True),
        Index("ix_inbox_state", "state", "connection", "id"),
    )

    id: int | None = Field(default=None, primary_key=True)
    connection: str = Field(sa_column=Column(String, nullable=False))
    delivery_id: str = Field(sa_column=Column(String, nullable=False))
    kind: str = Field(sa_column=Column(String, nullable=False))
    event: str | None = Field(sa_column=Column(String, nullable=True))
    received_at: datetime = instant()
    read_at: datetime = instant()
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    items: int = 0
    state: str = Field(sa_column=Column(String, nullable=False))
    error: str | None = Field(sa_column=Column(Text, nullable=True))
    attempts: int = Field(sa_column=Column(Integer, nullable=False, server_default="0"))


class Dirty(Base, table=True):
    """Something that moved and that no rollup has seen yet.

    `kind` is ``item``, ``loose`` (an item that had no parent), ``initiative`` (`ref` is its id) or ``unmapped`` (an
    item written under another file than the one that the store was mapped with).
    """

    __tablename__ = "dirty"

    number: int | None = Field(default=None, primary_key=True)
    kind: str = Field(sa_column=Column(String, nullable=False))
    connection: str = Field(sa_column=Column(String, nullable=False))
    ref: str = Field(sa_column=Column(String, nullable=False))


class Setback(Base, table=True):
    """A job of the service that did not end well since it last did: how often, why, and when it is tried again."""

    __tablename__ = "setbacks"

    job: str = Field(sa_column=Column(String, primary_key=True))
    key: str = Field(sa_column=Column(String, primary_key=True))
    attempts: int
    error: str = Field(sa_column=Column(Text, nullable=False))
    retry_at: datetime = instant()


class Journal(Base, table=True):
    """What was published of a subject, and when; appended where it differs, never changed.

    `how` is ``shown`` or ``sent``, `file` the digest of the workspace file, `entry` the report's own, NULL from when
    the subject had left the file.
    """

    __tablename__ = "journal"
    __table_args__ = (Index("ix_journal_id", "id", "kind", "number"),)

    number: int | None = Field(default=None, primary_key=True)
    at: datetime = instant()
    kind: str = Field(sa_column=Column(String, nullable=False))
    id: str = Field(sa_column=Column(String, nullable=False))
    how: str = Field(sa_column=Column(String, nullable=False))
    file: str = Field(sa_column=Column(String, nullable=False))
    complete_to: datetime | None = instant(nullable=True)
    fingerprint: str = Field(sa_column=Column(String, nullable=False))
    entry: dict[str, Any] | None = document(nullable=True)


class Past(Base, table=True):
    """Delivery of all subjects as of a past day, while file and history are those of `stamp`."""

    __tablename__ = "pasts"

    day: date = Field(sa_column=Column(Date, primary_key=True))
    stamp: str = Field(sa_column=Column(String, nullable=False))
    data: dict[str, Any] = document()


class Checkpoint(Base, table=True):
    """Where a stream of a connection goes on, or what was last known about it; `value` is the stream's own."""

    __tablename__ = "checkpoints"

    connection: str = Field(sa_column=Column(String, primary_key=True))
    stream: str = Field(sa_column=Column(String, primary_key=True))
    value: Any = document(nullable=True)
    at: datetime = instant()


class CensusId(Base, table=True):
    """Ids that the running census of a connection has listed."""

    __tablename__ = "census_ids"

    connection: str = Field(sa_column=Column(String, primary_key=True))
    id: str = Field(sa_column=Column(String, primary_key=True))


class Rollup(Base, table=True):
    """Delivery of a key result or initiative at the present (`domain.facts.Progress`).

    `terms` says what its `parts` were made under, `total` is their sum; both are NULL where it has none.
    """

    __tablename__ = "rollups"

    kind: str = Field(sa_column=Column(String, primary_key=True))
    id: str = Field(sa_column=Column(String, primary_key=True))
    data: dict[str, Any] = document()
    valid_until: date | None = Field(sa_column=Column(Date, nullable=True))
    terms: str | None = Field(sa_column=Column(String, nullable=True))
    total: str | None = Field(sa_column=Column(Text, nullable=True))


class Part(Base, table=True):
    """What the children of one structural parent add to a subject; `data` is JSON text.

    `parent` is the parent's id, or the name of a bucket of items without one.
    """

    __tablename__ = "parts"

    kind: str = Field(sa_column=Column(String, primary_key=True))
    id: str = Field(sa_column=Column(String, primary_key=True))
    connection: str = Field(sa_column=Column(String, primary_key=True))
    parent: str = Field(sa_column=Column(String, primary_key=True))
    data: str = Field(sa_column=Column(Text, nullable=False))


class Created(Base, table=True):
    """An initiative that a mapping rule made of a work item."""

    __tablename__ = "created_initiatives"

    id: str = Field(sa_column=Column(String, primary_key=True))
    connection: str = Field(sa_column=Column(String, nullable=False))
    item_id: str = Field(sa_column=Column(String, nullable=False))
    data: dict[str, Any] = document()


class Subject(Base, table=True):
    """An id that the workspace file has, or once had (`orphaned_at`)."""

    __tablename__ = "subjects"

    id: str = Field(sa_column=Column(String, primary_key=True))
    kind: str = Field(sa_column=Column(String, nullable=False))
    title: str = Field(sa_column=Column(Text, nullable=False))
    orphaned_at: datetime | None = instant(nullable=True)


class CheckIn(Base, table=True):
    """A dated value of a key result's metric; never changed, a later row for the same instant wins."""

    __tablename__ = "check_ins"
    __table_args__ = (Index("ix_check_ins_key_result", "key_result", "as_of"),)

    id: int | None = Field(default=None, primary_key=True)
    key_result: str = Field(sa_column=Column(String, nullable=False))
    as_of: datetime = instant()
    value: float
    note: str = Field(sa_column=Column(Text, nullable=False))
    by: str = Field(sa_column=Column(String, nullable=False))
    recorded_at: datetime = instant()


class Override(Base, table=True):
    """What a person said of the health of a subject; never changed, a later row stands in place of those before it.

    Without `health` and `until` it takes them back. `subject` is an id of the file, or ``connection:id`` of an epic.
    """

    __tablename__ = "overrides"
    __table_args__ = (Index("ix_overrides_subject", "subject"),)

    id: int | None = Field(default=None, primary_key=True)
    subject: str = Field(sa_column=Column(String, nullable=False))
    health: str | None = Field(sa_column=Column(String, nullable=True))
    until: date | None = Field(sa_column=Column(Date, nullable=True))
    by: str = Field(sa_column=Column(String, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    at: datetime = instant()


class ManualRollup(Base, table=True):
    """The local day on which the file was first seen to state a value for an objective without saying until when.

    `statement` is what it says, as JSON text: another value, author or reason is another statement.
    """

    __tablename__ = "manual_rollups"

    objective: str = Field(sa_column=Column(String, primary_key=True))
    statement: str = Field(sa_column=Column(Text, nullable=False))
    since: date = Field(sa_column=Column(Date, nullable=False))


class Outgoing(Base, table=True):
    """The outbox: what is to be told, one row per target, subject and address; `state` is ``due`` or ``failed``.

    A change folds into the row that waits, of whatever `period` that was, and keeps its first due time.
    """

    __tablename__ = "outbox"

    target: str = Field(sa_column=Column(String, primary_key=True))
    kind: str = Field(sa_column=Column(String, primary_key=True))
    subject: str = Field(sa_column=Column(String, primary_key=True))
    address: str = Field(sa_column=Column(String, primary_key=True))
    content: dict[str, Any] = document()
    fingerprint: str = Field(sa_column=Column(String, nullable=False))
    action: str = Field(sa_column=Column(String, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    first_due_at: datetime = instant()
    state: str = Field(sa_column=Column(String, nullable=False))
    attempts: int = 0
    error: str | None = Field(sa_column=Column(Text, nullable=True))
    period: str = Field(sa_column=Column(String, nullable=False, server_default=""))


class Publication(Base, table=True):
    """What a place was last told by us; the ledger that a remote value is compared with.

    `state` is ``told``, ``sending`` while a call whose outcome is not known is out, ``uncertain`` where it never will
    be. `entry` is the vendor's id of what we wrote.
    """

    __tablename__ = "publications"

    target: str = Field(sa_column=Column(String, primary_key=True))
    kind: str = Field(sa_column=Column(String, primary_key=True))
    subject: str = Field(sa_column=Column(String, primary_key=True))
    address: str = Field(sa_column=Column(String, primary_key=True))
    content: dict[str, Any] = document()
    fingerprint: str = Field(sa_column=Column(String, nullable=False))
    sent_at: datetime = instant()
    overridden_at: datetime | None = instant(nullable=True)
    entry: str | None = Field(sa_column=Column(String, nullable=True))
    period: str = Field(sa_column=Column(String, nullable=False, server_default=""))
    state: str = Field(sa_column=Column(String, nullable=False, server_default="told"))


class PublicationDeed(Base, table=True):
    """Who told a place what, when and why, and what else became of it; only ever appended to."""

    __tablename__ = "publication_log"

    number: int | None = Field(sa_column=Column(Integer, primary_key=True))
    at: datetime = instant()
    target: str = Field(sa_column=Column(String, nullable=False))
    kind: str = Field(sa_column=Column(String, nullable=False))
    subject: str = Field(sa_column=Column(String, nullable=False))
    address: str = Field(sa_column=Column(String, nullable=False))
    key: str = Field(sa_column=Column(String, nullable=False))
    action: str = Field(sa_column=Column(String, nullable=False))
    by: str = Field(sa_column=Column(String, nullable=False))
    period: str = Field(sa_column=Column(String, nullable=False))
    reason: str = Field(sa_column=Column(Text, nullable=False))
    fingerprint: str = Field(sa_column=Column(String, nullable=False))
    before: Any = document(nullable=True)
    after: Any = document(nullable=True)

    __table_args__ = (Index("ix_publication_log_place", "target", "kind", "subject", "address"),)


class IssuedToken(Base, table=True):
    """Tokens that a vendor issued to us, encrypted; shared by all processes on one database."""

    __tablename__ = "issued_tokens"

    connection: str = Field(sa_column=Column(String, primary_key=True))
    sealed: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    at: datetime = instant()


class Note(Base, table=True):
    """A fact about the whole store: the digest it was mapped with, how often each rule matched."""

    __tablename__ = "notes"

    name: str = Field(sa_column=Column(String, primary_key=True))
    value: Any = document(nullable=True)


class Token(Base, table=True):
    """A bearer token that Keyrail gave to somebody: its hash, and what it may do (`role`: ``read`` or ``write``)."""

    __tablename__ = "tokens"
    __table_args__ = (Index("uq_tokens_hash", "hash", unique=True),)

    id: str = Field(sa_column=Column(String, primary_key=True))
    hash: str = Field(sa_column=Column(String, nullable=False))
    name: str = Field(sa_column=Column(String, nullable=False))
    role: str = Field(sa_column=Column(String, nullable=False))
    by: str = Field(sa_column=Column(String, nullable=False))
    created_at: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    used_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)


class Login(Base, table=True):
    """A way into the dashboard by the hash of its secret: a link that works once, or the session of a browser.

    `kind` is ``link`` or ``session``. A session that was opened with a token ends with it (`token`).
    """

    __tablename__ = "logins"

    hash: str = Field(sa_column=Column(String, primary_key=True))
    kind: str = Field(sa_column=Column(String, nullable=False))
    name: str = Field(sa_column=Column(String, nullable=False))
    role: str = Field(sa_column=Column(String, nullable=False))
    token: str | None = Field(sa_column=Column(String, nullable=True))
    created_at: datetime = instant()
    expires_at: datetime = instant()


class Audit(Base, table=True):
    """Who changed what through the service or its tokens, and when; appended, never changed.

    `via` is how they were known: ``token``, ``session``, ``proxy``, ``none`` or ``terminal``.
    """

    __tablename__ = "audit"

    number: int | None = Field(default=None, primary_key=True)
    at: datetime = instant()
    by: str = Field(sa_column=Column(String, nullable=False))
    via: str = Field(sa_column=Column(String, nullable=False))
    address: str | None = Field(sa_column=Column(String, nullable=True))
    action: str = Field(sa_column=Column(String, nullable=False))
    subject: str = Field(sa_column=Column(String, nullable=False))
    detail: dict[str, Any] = document()
