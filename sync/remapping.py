"""The whole store mapped again: what today's file leaves as it is is told by what rules look at, the rest is mapped.

Most items share all that decides with many others, so that one of them answers for all; what mapping means is in
`mapping` and `settle`, and what it writes in `ingest`.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, TypeVar

import orjson

from domain.work import Link, WorkItem
from storage import items as store
from storage.engine import Transaction
from sync.context import Context
from sync.ingest import as_stored, own_rows, remap, remap_by_payload
from sync.mapping import NO_NAMES, Mapper, Own
from sync.matchers import among_fields

REMEMBERED = 50_000
"""answers that are kept at once; where rules look at what no two items share they are of no use"""

STATED = itemgetter(
    "connection", "type", "level", "status", "vendor_category", "category", "stage", "resolution", "team"
)
Data = dict[str, Any]  # Any: JSON values of an item's own fields
K = TypeVar("K")
V = TypeVar("V")


async def remap_all(tx: Transaction, context: Context) -> None:
    """Settle all items by today's file and write those that it changes, with the initiatives that rules make."""
    mapper = context.mapper
    screen = Screen(mapper)
    async for rows in store.as_mapped(tx):
        differ: dict[str, list[str]] = {}
        for row in rows:
            if not screen.keeps(*row[2:]):
                differ.setdefault(row[0], []).append(row[1])
        for connection, ids in differ.items():
            await remap(tx, context, list((await store.versions(tx, connection, ids)).values()))
    if mapper.uses_raw:
        await remap_by_payload(tx, context)


class Screen:
    """Says of stored items whether mapping them again would change nothing; "no" may also mean that it cannot tell."""

    def __init__(self, mapper: Mapper) -> None:
        self.mapper = mapper
        self.blind = mapper.uses_parent or mapper.uses_raw
        self.read = [reader(name) for name in sorted(mapper.looks_at)] if not self.blind else []
        self.stays: dict[tuple[object, ...], bool] = {}
        self.owned: dict[bytes, Own] = {}

    def keeps(self, parent: str | None, own: str | None, dimensions: str | None, data: str) -> bool:
        """Say whether an item would stay as it is stored, and makes no initiative that would have to be kept again."""
        if self.blind:
            return False
        stated = orjson.loads(data)
        stated["parent_id"] = parent
        return self.settled(stated) and self.linked(stated, own, dimensions)

    def settled(self, data: Data) -> bool:
        """Say whether the operator's words leave an item as it is: they look at no date but whether it is there.

        The exception is the start of what is to be done, which is compared with when that began.
        """
        began, fields = data["started_at"], data["fields"]
        if began is not None and data["category"] == "todo":
            return self.settles(store.item_of(data))
        team = fields.get("team") if fields else None
        key = (
            STATED(data), data.get("vendor_level"), team if isinstance(team, str) else None, " ".join(data["flags"]),
            data["status_changed_at"] is None, began is None, data["completed_at"] is None,
            data["canceled_at"] is None,
        )  # fmt: skip
        found = self.stays.get(key)
        if found is None:
            found = remember(self.stays, key, self.settles(store.item_of(data)))
        return found

    def settles(self, item: WorkItem) -> bool:
        """Say whether settling an item changes nothing."""
        return self.mapper.settle(item) == item

    def linked(self, data: Data, own: str | None, dimensions: str | None) -> bool:
        """Say whether a settled item has the links and dimensions that the file gives it."""
        mapper = self.mapper
        kind = (data["connection"], data["tracker"], data["level"])
        ruled = bool(mapper.rules_of(kind))
        _, projects = mapper.named.get(data["connection"], NO_NAMES)
        named = mapper.named_by_key(data["connection"], data["key"], data["former_keys"])
        if not ruled and not projects:
            return dimensions is None and (orjson.loads(own) if own else []) == [by_name(one) for one in named]
        if named or projects:
            found = mapper.own(store.item_of(data), former_keys=data["former_keys"])
        else:
            key = orjson.dumps((kind, [read(data) for read in self.read]))
            known = self.owned.get(key)
            found = known if known is not None else remember(self.owned, key, mapper.own(store.item_of(data)))
        return (
            not found.created
            and found.pairs == store.own_links(orjson.loads(own) if own else None)
            and as_stored(found.dimensions) == (orjson.loads(dimensions) if dimensions else {})
        )


def by_name(initiative: str) -> dict[str, object]:
    """Return the link of an item that work under an initiative names, as it is stored."""
    return own_rows([(Link(initiative=initiative, rule="work"), False)])[0]


def remember(known: dict[K, V], key: K, value: V) -> V:
    """Keep an answer, in the place of all others where there are too many; return it."""
    if len(known) >= REMEMBERED:
        known.clear()
    known[key] = value
    return value


def reader(name: str) -> Callable[[Data], object]:
    """Return the function that reads a field of matchers out of an item's JSON; see `matchers.getter`."""
    if name.startswith("fields."):
        read = among_fields(name.removeprefix("fields."))
        return lambda data: read(data["fields"])
    return lambda data: data.get("parent_key" if name == "parent" else name)
