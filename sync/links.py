"""Who counts for what: links come down the tree from parent to child, for the whole store or below a change.

A nearer link replaces the farther ones unless it adds (`also: true`); what a link is, is decided in `sync.mapping`.
"""

from __future__ import annotations

from collections.abc import Collection

from connectors.registry import CONNECTORS
from domain.work import Link
from domain.workspace import Workspace
from storage import links as store
from storage.engine import Transaction
from storage.links import Place, Ref
from sync.inheritance import Inheritance, brought_along, mirror_of
from sync.mapping import Mapper


async def relink_all(tx: Transaction, mapper: Mapper) -> None:
    """Compute the links of the whole store: one statement per parent, not one per item."""
    await store.resolve_parents(tx)
    places = await store.parents(tx)
    own = await store.linked_themselves(tx)
    places.update({(place.connection, place.id): place for place in own})
    added = await mirror(tx, mapper, places)
    known = Inheritance(places=places, added=added)
    numbers = await store.intern(tx, {known.links(ref) for ref in places} | {known.below(ref) for ref in places})
    await store.clear_orphans(tx)
    await store.set_scopes_below(tx, {ref: numbers[known.below(ref)] for ref in places})
    single = {ref: numbers[known.links(ref)] for ref in places}
    changed = {ref: number for ref, number in single.items() if number != places[ref].scope or ref in added}
    await store.set_scopes(tx, changed)
    await store.drop_unused(tx)


async def relink(tx: Transaction, mapper: Mapper, refs: Collection[Ref]) -> dict[Ref, int]:
    """Compute the links of items and of all below them; return those whose links changed, with their old scope."""
    refs = set(refs) | set(await store.resolve_parents(tx))
    if await mirroring(tx, mapper):
        was, copied = await store.scope_numbers(tx), await store.copies(tx)
        await relink_all(tx, mapper)
        after = await store.scope_numbers(tx)
        changed = {ref for ref, number in after.items() if was.get(ref) != number}
        return {ref: was.get(ref, 0) for ref in changed | (copied ^ await store.copies(tx))}
    frontier = await store.places(tx, refs)
    places = dict(frontier)
    await with_ancestors(tx, places)
    changes: dict[Ref, int] = {}
    before: dict[Ref, int] = {}
    known = Inheritance(places=places)
    visited: set[Ref] = set()
    while frontier:
        visited |= set(frontier)
        numbers = await store.intern(tx, {known.links(ref) for ref in frontier})
        for ref, place in frontier.items():
            number = numbers[known.links(ref)]
            if number != place.scope:
                changes[ref], before[ref] = number, place.scope
        children = await store.children(tx, frontier)
        places.update(children)
        numbers = await store.intern(tx, {known.links(ref) for ref in children})
        frontier = {
            ref: place
            for ref, place in children.items()
            if ref not in visited and place.scope != numbers[known.links(ref)]
        }
    await store.set_scopes(tx, changes)
    return before


async def mirroring(tx: Transaction, mapper: Mapper) -> bool:
    """Return whether any work is kept twice, by the file or by what a tracker says."""
    return bool(mapper.workspace.mirrors) or await store.any_mirrored(tx)


def key_at(address: str, workspace: Workspace) -> tuple[str, str] | None:
    """Return (connection, key) of the item that an address names, None where it is of no connection of the file."""
    name, _, key = address.partition(":")
    if name in workspace.connections:
        return name, key
    for connection in workspace.connections.values():
        connector = CONNECTORS.get(connection.type)
        if connector is not None and (found := connector.key_at(address, connection)) is not None:
            return connection.name, found
    return None


async def with_ancestors(tx: Transaction, places: dict[Ref, Place]) -> None:
    """Add the items above those given, up to the roots."""
    missing = above(places.values()) - set(places)
    while missing:
        found = await store.places(tx, missing)
        places.update(found)
        missing = above(found.values()) - set(places)


def above(places: Collection[Place]) -> set[Ref]:
    """Return the parents of places."""
    return {(place.connection, place.parent_id) for place in places if place.parent_id is not None}


async def mirror(tx: Transaction, mapper: Mapper, places: dict[Ref, Place]) -> dict[Ref, tuple[Link, ...]]:
    """Mark the copies of mirrored work; return the links that they bring to the items that stand for them.

    The items concerned are added to `places`, with what is above them.
    """
    stated = [pair for group in mapper.workspace.mirrors for pair in group]
    found = await store.mirrored(tx)
    named = {address: key for _, address in found if (key := key_at(address, mapper.workspace)) is not None}
    refs = await store.refs_of_keys(tx, [*stated, *named.values()])

    def resolved(address: str) -> Ref | None:
        return refs.get(named[address]) if address in named else None

    by_tracker = [(ref, (address,)) for ref, address in found]
    leaders = mirror_of(mapper.mirrors(lambda connection, key: refs.get((connection, key)), by_tracker, resolved))
    await store.set_mirrors(tx, leaders)
    places.update(await store.places(tx, {*leaders, *leaders.values()}))
    await with_ancestors(tx, places)
    known = Inheritance(places=places)
    copies: dict[Ref, list[tuple[str, tuple[Link, ...]]]] = {}
    for copy, leader in leaders.items():
        copies.setdefault(leader, []).append((places[copy].key, known.links(copy)))
    return {leader: brought_along(those) for leader, those in copies.items()}
