"""Work as the trackers state it: items, their past, and the changes that a payload stands for.

Parsers produce these values and storage keeps them; no operator's rule has touched an item
until `sync.mapping` has settled it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from enum import StrEnum
from operator import attrgetter


class Level(StrEnum):
    """How far up an item stands; the order of the members is top down."""

    INITIATIVE = "initiative"
    EPIC = "epic"
    ISSUE = "issue"
    SUBTASK = "subtask"


class Category(StrEnum):
    """The canonical status. The vendor's own word is kept beside it."""

    TODO = "todo"
    IN_PROGRESS = "in_progress"
    DONE = "done"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class ItemRef:
    """Identity of an item: the connection and the vendor's immutable id."""

    connection: str
    id: str

    def __str__(self) -> str:
        return f"{self.connection}:{self.id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An item counts for an initiative; `rule` says why.

    `rule` is ``work`` for an item named under the initiative, ``rule:NAME`` for a mapping rule,
    ``mirror:KEY`` for the links of a mirrored copy. `inherited_from` is the key of the ancestor
    whose link this is, or None where the item is linked itself.
    """

    initiative: str
    rule: str
    inherited_from: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """An epic, an issue, a sub-task, a project or a milestone.

    A parser fills the vendor's facts: `vendor_category` is the vendor's own grouping of the status
    and `status_changed_at` the instant of the last change of that grouping, where the vendor tells.
    `category`, `stage`, `level`, `team`, `links` and `dimensions` are settled by the operator's rules.
    `estimate` is in the tracker's unit (points), `time_estimate` in seconds; None is "not estimated",
    0 is a value. `blocked_by` holds ids of the same connection; `former_keys` are names it had before it
    moved. `vendor_level` is the parser's level where the operator's rules settled another one; None says
    that `level` is the vendor's.
    """

    connection: str
    tracker: str
    id: str
    key: str
    url: str
    title: str
    type: str
    level: Level
    status: str
    vendor_category: Category
    category: Category
    updated_at: datetime
    created_at: datetime
    project: str = ""
    vendor_level: Level | None = None
    stage: str | None = None
    resolution: str | None = None
    estimate: float | None = None
    time_estimate: float | None = None
    parent_id: str | None = None
    parent_key: str | None = None
    containers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    assignees: tuple[str, ...] = ()
    team: str | None = None
    sprint: str | None = None
    milestone: str | None = None
    status_changed_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    canceled_at: datetime | None = None
    start_date: date | None = None
    due_date: date | None = None
    archived: bool = False
    deleted: bool = False
    inaccessible: bool = False
    flags: tuple[str, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)
    blocked_by: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    former_keys: tuple[str, ...] = ()
    dimensions: Mapping[str, object] = field(default_factory=dict)
    links: tuple[Link, ...] = ()

    @property
    def ref(self) -> ItemRef:
        """The identity of the item."""
        return ItemRef(connection=self.connection, id=self.id)


SLOTS = {each.name: getattr(WorkItem, each.name).__set__ for each in fields(WorkItem)}
values_of = attrgetter(*SLOTS)


def revised(item: WorkItem, **changes: object) -> WorkItem:
    """Return the item with some fields changed: `dataclasses.replace` at a third of its cost, for the hot path."""
    fresh: WorkItem = object.__new__(WorkItem)
    for put, value in zip(SLOTS.values(), values_of(item), strict=True):
        put(fresh, value)
    for name, value in changes.items():
        SLOTS[name](fresh, value)
    return fresh


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One change of one field of one item at an instant, as the tracker's history tells it.

    `field` is one of ``status``, ``resolution``, ``estimate``, ``parent``, ``project``, ``type``,
    ``sprint``, ``labels``, ``team``, ``key``, or ``weekly_…``: a sum of a Linear project at the end of a week.
    `before` and `after` are the values for people, `before_id` and `after_id` the vendor's ids where it gives
    them. `id` is the vendor's id of the entry with the position inside it (``10042.0``), unique within the item.
    """

    connection: str
    item_id: str
    id: str
    at: datetime
    field: str
    before: str | None
    after: str | None
    before_id: str | None = None
    after_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Upsert:
    """The payload states the whole item, but for the fields named in `unstated`: those stay as they were."""

    item: WorkItem
    unstated: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """The payload says that the item is gone."""

    ref: ItemRef
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refetch:
    """The payload names an item that must be read again before anything is believed."""

    ref: ItemRef
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """The payload is known and changes nothing here; the reason is kept."""

    reason: str


Change = Upsert | Delete | Refetch | Ignored
