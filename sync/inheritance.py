"""Links on their way down the tree: what an item has itself, laid over what it inherits.

Pure: the tree is handed in as places, in any order; who is read and written is decided in `links`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from domain.work import Link

Ref = tuple[str, str]
"""(connection, id)"""


class Place(Protocol):
    """What inheritance needs to know of an item; `own` tells of each link whether it adds (`also`)."""

    @property
    def connection(self) -> str:
        """The connection, the same for the parent."""

    @property
    def key(self) -> str:
        """The item's name for people."""

    @property
    def parent_id(self) -> str | None:
        """The structural parent's id."""

    @property
    def own(self) -> Sequence[tuple[Link, bool]]:
        """Links of its own."""


@dataclass(slots=True)
class Inheritance:
    """Links in effect, each place computed once, whatever is asked first.

    A cycle is cut at the first repeated item, seen from the item that is asked for. Memory is that of
    `places`: those with children and those with links of their own are enough, leaves may be asked for by
    `below` of their parent.
    """

    places: Mapping[Ref, Place]
    added: Mapping[Ref, tuple[Link, ...]] = field(default_factory=dict)
    """links that the mirrored copies of a leading item bring along"""
    known: dict[Ref, tuple[Link, ...]] = field(default_factory=dict)
    handed: dict[Ref, tuple[Link, ...]] = field(default_factory=dict)

    def links(self, ref: Ref) -> tuple[Link, ...]:
        """Return the links in effect for an item."""
        if ref in self.known:
            return self.known[ref]
        path: list[Ref] = []
        seen: set[Ref] = set()
        at: Ref | None = ref
        while at is not None and at not in self.known and at not in seen:
            path.append(at)
            seen.add(at)
            at = self.parent_of(at)
        if at is not None and at in seen:
            start = path.index(at)
            for turn in range(start, len(path)):
                self.known[path[turn]] = self.around([*path[turn:], *path[start:turn]])
            path = path[:start]
        for step in reversed(path):
            above = self.parent_of(step)
            self.known[step] = self.at(step, self.below(above) if above is not None else ())
        return self.known[ref]

    def below(self, ref: Ref) -> tuple[Link, ...]:
        """Return the links that the children of an item inherit."""
        place = self.places.get(ref)
        if place is None:
            return ()
        if ref not in self.handed:
            self.handed[ref] = handed_down(self.links(ref), place.key)
        return self.handed[ref]

    def parent_of(self, ref: Ref) -> Ref | None:
        """Return the structural parent of a known item."""
        place = self.places.get(ref)
        return (place.connection, place.parent_id) if place is not None and place.parent_id is not None else None

    def at(self, ref: Ref, above: tuple[Link, ...]) -> tuple[Link, ...]:
        """Lay what an item has itself over what comes from above."""
        place = self.places.get(ref)
        own = place.own if place is not None else ()
        return effective(own, above, self.added.get(ref, ()))

    def around(self, turn: Sequence[Ref]) -> tuple[Link, ...]:
        """Return the links of the first of a cycle, whose ancestors are the others once each."""
        above: tuple[Link, ...] = ()
        for step in reversed(turn):
            links = self.at(step, above)
            above = handed_down(links, self.places[step].key)
        return links


def effective(
    own: Iterable[tuple[Link, bool]], above: Collection[Link], added: Iterable[Link] = ()
) -> tuple[Link, ...]:
    """Return the links in effect, by initiative; of two for one initiative the nearer stays.

    Of `own`, links with the flag (`also`) add to those from `above`, any other replaces them. `added` are
    links of mirrored copies: they add, but a link of the item's own to the same initiative is kept before.
    """
    found: dict[str, Link] = {}
    replaces = False
    for link, also in own:
        replaces = replaces or not also
        found.setdefault(link.initiative, link)
    for link in added:
        found.setdefault(link.initiative, link)
    if not replaces:
        for link in above:
            found.setdefault(link.initiative, link)
    return tuple([found[initiative] for initiative in sorted(found)])


def handed_down(links: Iterable[Link], key: str) -> tuple[Link, ...]:
    """Return the links as the children of the item called `key` have them: from the ancestor that had them itself."""
    return tuple(
        [
            link
            if link.inherited_from is not None
            else Link(initiative=link.initiative, rule=link.rule, inherited_from=key)
            for link in links
        ]
    )


def mirror_groups(
    stated: Iterable[Iterable[Ref]], order: Mapping[str, int], first: Mapping[Ref, int] | None = None
) -> tuple[tuple[Ref, ...], ...]:
    """Join statements "these are the same work" to groups of two and more, the leading item first.

    The item of the connection that stands first in the file leads (`order`: connection -> position); within
    one connection that with the lowest number in `first`, then the lowest id. The groups do not depend on
    the order of the statements.
    """
    leader: dict[Ref, Ref] = {}

    def root(ref: Ref) -> Ref:
        leader.setdefault(ref, ref)
        while leader[ref] != ref:
            leader[ref] = leader[leader[ref]]
            ref = leader[ref]
        return ref

    for group in stated:
        members = list(group)
        for one in members[1:]:
            leader[root(one)] = root(members[0])
    groups: dict[Ref, list[Ref]] = {}
    for ref in leader:
        groups.setdefault(root(ref), []).append(ref)
    last = len(order)
    named = first or {}

    def rank(ref: Ref) -> tuple[int, int, Ref]:
        return order.get(ref[0], last), named.get(ref, len(named)), ref

    return tuple(sorted(tuple(sorted(group, key=rank)) for group in groups.values() if len(group) > 1))


def mirror_of(groups: Iterable[Sequence[Ref]]) -> dict[Ref, Ref]:
    """Return copy -> leading item."""
    return {copy: group[0] for group in groups for copy in group[1:]}


def brought_along(copies: Iterable[tuple[str, Iterable[Link]]]) -> tuple[Link, ...]:
    """Return the links that copies, given as (key, links in effect), bring to the item that stands for them."""
    return tuple(Link(initiative=link.initiative, rule=f"mirror:{key}") for key, links in copies for link in links)
