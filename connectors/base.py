"""The whole contract between Keyrail and a tracker: calls out, pages in, changes read from them.

Values and function types only; nothing here performs IO. A `Connector` is a name and functions.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from domain.facts import StatusUpdate
from domain.work import Change, Delete, Ignored, Level, Refetch, Transition, Upsert, WorkItem
from domain.workspace import Connection, PublishRow

if TYPE_CHECKING:
    from connectors.hooks import Hooks
    from connectors.http import Client

Json = object
"""A value as JSON has it: None, bool, int, float, str, list, dict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, relative to the connection's base address.

    `idempotent` says that sending it twice leaves what sending it once leaves; only such calls are
    repeated after an unclear outcome, up to `attempts` times in all. `writes` marks what changes something and
    does not say so by its method, as GraphQL does not. `json` None means no body. `accepts` are
    statuses beside those of success that are answers and no errors (304, 301), for who sends it to read.
    `courtesies` are parameters that are left out, and from then on, where the tracker refuses the call for them (403).
    """

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    json: Json = None
    idempotent: bool = True
    writes: bool = False
    attempts: int = 4
    headers: Mapping[str, str] = field(default_factory=dict)
    accepts: tuple[int, ...] = ()
    courtesies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A successful answer. Header names are lower case; `sent_at` is when the request left (UTC)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    sent_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What discovery found out about a connection and every later read needs; plain JSON, kept in the store.

    `facts` is the connector's own (field ids, issue types, statuses, time zone, deployment). `account` is
    the vendor's id of our own account. `digest` covers the settings that decide what is requested: when
    it differs from the stored one the connection is read from the start.

    Facts that the road reads too: ``statuses`` (id or name -> category, or [name, category]), ``read_ms`` (the
    vendor's clock, epoch milliseconds), ``mark`` (what the first watermark holds beside its time) and ``lost`` (key of
    `scope` -> names there that were visible once).
    """

    facts: Mapping[str, Json]
    account: str
    digest: str

    @property
    def lost(self) -> dict[str, list[str]]:
        """Names in the connection's scope, by key, that were visible once and are not any more."""
        lost = self.facts.get("lost")
        found = lost.items() if isinstance(lost, dict) else ()
        return {str(key): [str(name) for name in names] for key, names in found if isinstance(names, list) and names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page as received. `kind` tells `parse` how to read it: ``items``, ``history``, ``links``, ``webhook``.

    `items` counts what is in it; `missing` are ids that were asked for and not answered. `cursor`, if
    set, is where the stream goes on once this page is stored (for `changes`: the new watermark, a mapping with
    ``updated_ms`` in epoch milliseconds and what else the connector wants back). `payload`
    is the body as JSON says it, where the connector had to look inside, so that nobody decodes it twice.
    """

    kind: str
    stream: str
    number: int
    body: bytes
    read_at: datetime
    items: int
    missing: tuple[str, ...] = ()
    cursor: Json = None
    payload: Json = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parsed:
    """What a page or a webhook body says. Empty means knowingly ignored."""

    changes: tuple[Change, ...] = ()
    transitions: tuple[Transition, ...] = ()
    history_of: tuple[str, ...] = ()
    """ids whose whole history (of the fields we follow) `transitions` holds"""
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """where else items are kept, by id, of a payload that tells that alone (`WorkItem.mirrors` says the forms)"""
    raw: Mapping[str, Json] = field(default_factory=dict)
    """raw payload by item id, only where asked for (rules with jmespath)"""

    @property
    def hints(self) -> Parsed:
        """What it names, each once, to be read again: all that is left where the payload itself is not believed."""
        return Parsed(changes=tuple({hint.ref: hint for change in self.changes if (hint := _hint(change))}.values()))


def _hint(change: Change) -> Refetch | None:
    match change:
        case Upsert():
            return Refetch(ref=change.item.ref, key=change.item.key)
        case Delete():
            return Refetch(ref=change.ref, key=change.key)
        case Refetch():
            return change
        case Ignored():
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Located:
    """What a direct read of one id found: ``present``, ``moved``, ``deleted`` or ``inaccessible``."""

    id: str
    state: str
    page: Page | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of `check`: ``ok``, ``warning`` or ``error`` about one thing, with what to do."""

    level: str
    subject: str
    message: str


class Resume(Protocol):
    """What an interrupted backfill may skip."""

    async def missing(self, ids: Sequence[str]) -> list[str]:
        """Return those of `ids` that this run has not stored yet, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """A tracker: its name and what can be done with it.

    discover   read what later reads need, knowing what an earlier discovery read; raises AuthError, RejectedError,
               ConfigError
    count      the tracker's own estimate of the items in scope, None where it has none
    backfill   every item in scope, in pages, several requests in flight; skips what `Resume` has
    changes    what changed since the watermark (None: since the connection was read), oldest first
    history    the past of the given items
    ids        every id in scope, in pages: the census
    fetch      the given items now, in pages
    locate     why an id, last known in a project and by a key, is not in the census
    probe      findings for `check`
    parse      pure: a stored page, as bytes or as JSON -> what it says; raises PayloadError
    split      pure: a stored page -> pages of one item each; empty where it cannot be cut
    kind_of    pure: what a payload is by its shape: ``items``, ``history`` or ``webhook``
    webhook    pure: the body of a webhook -> what it says; raises PayloadError
    verify     pure: headers, body, secret, now: raises SignatureError for what is not genuine, StaleDeliveryError for
               what is, and was not sent just now
    delivery_id
               pure: what a delivery is known by, the same when it is sent again
    event_of   pure: the event that the headers name, None where the tracker's bodies do
    hints      pure: the body of a webhook that came too late -> what to read again, nothing else; raises PayloadError
    defaults   pure: what `parse` assumes about a connection that was never discovered
    outlets    places on items that status updates can be published to, by name
    key_at     pure: the key of the item that a web address shows, None where it is of another site
    hooks      webhooks on the tracker's side, None where it has none that can be set up by calls
    """

    type: str
    discover: Callable[[Client, Connection, Reading | None], Awaitable[Reading]]
    count: Callable[[Client, Connection, Reading], Awaitable[int | None]]
    backfill: Callable[[Client, Connection, Reading, Resume], AsyncIterator[Page]]
    changes: Callable[[Client, Connection, Reading, Json], AsyncIterator[Page]]
    history: Callable[[Client, Connection, Reading, Sequence[str]], AsyncIterator[Page]]
    ids: Callable[[Client, Connection, Reading], AsyncIterator[list[str]]]
    fetch: Callable[[Client, Connection, Reading, Sequence[str]], AsyncIterator[Page]]
    locate: Callable[[Client, Connection, Reading, str, str, str], Awaitable[Located]]
    probe: Callable[[Client, Connection, Reading], Awaitable[list[Finding]]]
    parse: Callable[[str, Json, Connection, Reading], Parsed]
    split: Callable[[str, bytes], list[bytes]]
    kind_of: Callable[[Json], str]
    webhook: Callable[[bytes, str | None, Connection, Reading], Parsed]
    verify: Callable[[Mapping[str, str], bytes, str, datetime], None]
    delivery_id: Callable[[Mapping[str, str], bytes], str]
    event_of: Callable[[Mapping[str, str]], str | None]
    hints: Callable[[bytes, str | None, Connection, Reading], Parsed]
    defaults: Callable[[Connection], Reading]
    outlets: Mapping[str, Outlet] = field(default_factory=dict)
    key_at: Callable[[str, Connection], str | None] = lambda address, connection: None
    hooks: Hooks | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where one update goes: the row of `publish`, the vendor's id of the item, our natural key, and the connection.

    `address` is the vendor's id where it is known, else the address as the workspace file has it; empty where the row
    itself is the place. `key` names the period too where each period has an entry of its own. `id` is the vendor's id
    of our own entry there, where the vendor gives it one and it is known. `facts` is what `prepare` found, `period`
    what the update stands for (``2026-W48``; of a row with a cron line the day of its slot), `now` when it is sent.
    """

    row: PublishRow
    address: str
    key: str
    reading: Reading
    id: str | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)
    period: str = ""
    now: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class There:
    """What a place says now, comparable with `Outlet.content`, and the vendor's id of the entry that says it.

    `owner` is the natural key that the entry bears where that is not ours: another workspace writes there.
    """

    content: Mapping[str, Json]
    id: str | None = None
    owner: str | None = None


Prepare = Callable[["Client", PublishRow, Sequence[str], Reading], Awaitable[Mapping[str, Json]]]
"""(client, row, addresses, reading) -> `Spot.facts`"""
MayWrite = Callable[["Client", PublishRow, Reading], Awaitable[list[Finding]]]
"""(client, row, reading) -> findings for `check`"""


def entry_kept(answer: Answer, spot: Spot) -> str | None:
    """Return the id that was known before: what an outlet's `sent` is where the answer to a write says no more."""
    return spot.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """A place a status update can be published to.

    `guarantee` is ``keyed`` (at least once, one visible result), ``read_back`` (found again by our marker
    before anything is created) or ``blind`` (at most once: `read` and `current` may be None).
    `content` gives what the place shall say, empty where it has no words for the update, `read` the
    call that tells what it says now, `current` what that answer holds: an entry of ours, nothing, or the call to
    read on with. `render` is the call that makes it say a content: it changes the entry `spot.id`, or makes one.
    `sent` reads the vendor's id of the entry out of the answer to that call, and raises RejectedError where a body
    of status 200 says failure. `remove` is None where nothing can be taken back. All of these are pure.
    What a content says of today, of the forecast or of reasons never causes a write: the content of the update without
    them is compared.

    `prepare` reads once a run and row what all its places need: ids of fields and options, and under ``addresses``
    the vendor's id by the address as the file has it. It raises RejectedError or ConfigError that say what is missing
    and what to do. `may_write` proves for `check` that we have the right to write, without writing.

    `level` says on which items it can stand; on issues it stands only where they are linked themselves.
    `stands_on` tells by its key whether an item of that level has room for it. `addressed` is False where the row
    itself is the place, as a channel is, and `per_period` True where each period gets an entry of its own. `lone` tells
    of a row whether its places have room for one subject alone, as a field has.
    """

    kind: str
    guarantee: str
    content: Callable[[StatusUpdate, PublishRow], Mapping[str, Json]]
    render: Callable[[Mapping[str, Json], Spot], Call]
    read: Callable[[Spot], Call] | None = None
    current: Callable[[bytes, Spot], There | Call | None] | None = None
    remove: Callable[[Spot], Call] | None = None
    sent: Callable[[Answer, Spot], str | None] = entry_kept
    prepare: Prepare | None = None
    may_write: MayWrite | None = None
    level: Level = Level.EPIC
    stands_on: Callable[[str], bool] = lambda key: True
    addressed: bool = True
    per_period: bool = False
    lone: Callable[[PublishRow], bool] = lambda row: False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the calls of one row of `publish` go; holds revealed secrets, so it is made just before and never kept.

    The host of `base_url` is the only one that is called. `sign` gives more headers for the exact bytes of a body at
    an instant. `secrets` are never shown; `source` says where they come from. `budget` is 0…1 of the vendor's limit.
    """

    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    source: str = "the row of `publish`"
    budget: float = 0.5
    allow_private: bool = False
    sign: Callable[[Call, bytes, datetime], Mapping[str, str]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sink:
    """A tool that is only written to: no connection, one client a row, pinned to the host of the row's own address.

    `outlet` chooses by the row how it is written, `target` where its calls go: it raises ConfigError for a missing
    secret.
    """

    type: str
    outlet: Callable[[PublishRow], Outlet]
    target: Callable[[PublishRow], Target]


__all__ = [
    "Answer",
    "Call",
    "Connector",
    "Finding",
    "Json",
    "Located",
    "Outlet",
    "Page",
    "Parsed",
    "Reading",
    "Resume",
    "Sink",
    "Spot",
    "Target",
    "There",
    "Transition",
    "WorkItem",
]
