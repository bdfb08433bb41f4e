"""All items that matter to a subject at one instant, and the same scene as it turns from instant to instant.

Pure. Links come down the tree as it stood then; what a link means is decided in `inheritance`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import NamedTuple

from domain.facts import Face, Fact, Facts, Node
from domain.past import Life, Own, Version
from domain.work import Link
from rollup.history import Form, Turn
from sync.inheritance import Inheritance, Ref, brought_along

SUBTASK = "subtask"
OPEN = ("todo", "in_progress")


class Spot(NamedTuple):
    """A place in the tree, as inheritance looks at it."""

    connection: str
    key: str
    parent_id: str | None
    own: Own


@dataclass(slots=True)
class Scene:
    """The items at one instant.

    `grace` says after how many days without access an item is told as inaccessible. Where `top` is given, what is
    below that item counts for it, under its id, and nothing for anything else.
    """

    lives: Mapping[Ref, Life]
    zone: tzinfo
    at: datetime
    grace: int = 0
    top: Ref | None = None
    now: dict[Ref, Version] = field(default_factory=dict)
    below: dict[Ref, dict[Ref, None]] = field(default_factory=dict)
    places: dict[Ref, Spot] = field(default_factory=dict)
    links: dict[Ref, tuple[Link, ...]] = field(default_factory=dict)
    copies: dict[Ref, list[Ref]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for ref, one in self.lives.items():
            leader = one.known.mirror_of
            if leader is not None:
                connection, _, id_ = leader.partition(":")
                self.copies.setdefault((connection, id_), []).append(ref)
        for ref, one in self.lives.items():
            begun = [version for version in one.versions if version.at <= self.at]
            if begun:
                self._place(ref, begun[-1])
        self._relink(self.now)

    def turn(self, at: datetime, versions: Mapping[Ref, Version]) -> set[Ref]:
        """Go on to an instant at which items change; return those whose part in the sums may differ."""
        self.at = at
        near: set[Ref] = set()
        relinked: set[Ref] = set()
        for ref, version in versions.items():
            before = self.now.get(ref)
            near.add(ref)
            near.update(self._parents(ref))
            if before is None or (before.parent, before.own, before.there) != (
                version.parent,
                version.own,
                version.there,
            ):
                relinked.add(ref)
            self._place(ref, version)
            near.update(self._parents(ref))
            if before is None or before.there != version.there:
                near.update(self.below.get(ref, ()))
        near |= self._relink(self._all_below(relinked))
        return near

    def form(self, ref: Ref) -> Form:
        """Return what an item is to the sums: a fact, a node with children below it, or nothing."""
        version, one = self.now.get(ref), self.lives[ref]
        if version is None or not version.there or one.known.mirror_of is not None:
            return None
        fact = self.fact(ref, version)
        if not any(self.now[child].there for child in self.below.get(ref, ())):
            return fact
        return self.node(ref, version, fact)

    def node(self, ref: Ref, version: Version, fact: Fact) -> Node:
        """Return an item with children."""
        known = self.lives[ref].known
        children = (self.now[child] for child in self.below[ref])
        standard = known.standard_children or any(child.there and child.level != SUBTASK for child in children)
        return Node(id=ref[1], key=known.key, level=version.level, standard_children=standard, fact=fact)

    def fact(self, ref: Ref, version: Version) -> Fact:
        """Return the fact of one item, with its face."""
        known = self.lives[ref].known
        links = self.links.get(ref, ())
        parent = (ref[0], version.parent) if version.parent is not None else None
        above = self.now.get(parent) if parent is not None else None
        parent_links = self.links.get(parent, ()) if parent is not None and above is not None and above.there else ()
        subtask = version.level == SUBTASK
        return Fact(
            connection=known.connection,
            parent=version.parent,
            category=version.category,
            stage=version.stage,
            estimate=version.estimate,
            team=version.team,
            links=frozenset(link.initiative for link in links),
            parent_links=frozenset(link.initiative for link in parent_links) if subtask else frozenset(),
            subtask=subtask,
            completed_on=version.completed_on,
            entered_on=version.entered_on,
            flags=self._flags(ref, version),
            blocked=known.blocked,
            inaccessible_on=self._lost(known.inaccessible_on),
            count=1,
            item=Face(
                id=known.id,
                key=known.key,
                title=known.title,
                url=known.url,
                rule={link.initiative: link.rule for link in links},
                inherited_from={link.initiative: link.inherited_from for link in links},
                tracker=known.tracker,
                type=known.type,
                status=known.status if version is self.lives[ref].versions[-1] else version.category,
            ),
            deleted=not version.there,
            mirror_of=known.mirror_of,
            canceled_on=version.canceled_on,
            bucket=ref[1][-2:] if version.parent is None else "",
        )

    def facts(self, *, listed: bool = False, initiatives: Collection[str] = ()) -> Facts:
        """Return all facts; `listed` adds deleted items, copies, and what `initiatives` lost to others, for people."""
        rows: list[Fact] = []
        nodes: list[Node] = []
        for ref, version in self.now.items():
            form = self.form(ref)
            if isinstance(form, Node):
                nodes.append(form)
            elif form is not None:
                rows.append(self._told_away(ref, version, form, initiatives) if listed else form)
            elif listed and not any(self.now[child].there for child in self.below.get(ref, ())):
                rows.append(self.fact(ref, version))
        return Facts(rows=tuple(rows), nodes=tuple(nodes))

    def _told_away(self, ref: Ref, version: Version, fact: Fact, initiatives: Collection[str]) -> Fact:
        """Return the fact of an item that counts elsewhere with the links of the parent it was taken from."""
        if not version.own or version.parent is None or not fact.links.isdisjoint(initiatives):
            return fact
        above = self.links.get((ref[0], version.parent), ())
        return fact._replace(parent_links=frozenset(link.initiative for link in above))

    def _flags(self, ref: Ref, version: Version) -> str:
        """Return the flags of an item; what carries today's values in the past says so."""
        known, versions, untold = self.lives[ref]
        flags = known.flags.split()
        of_today = untold or (known.estimate is not None and not known.measured)
        if version.category in OPEN:  # nobody asks of what is over whether it waits, or is in the archive
            of_today = of_today or known.blocked or "archived" in flags
        if version is versions[-1] or not of_today:
            return known.flags
        return " ".join(sorted({*flags, "no_history"}))

    def _lost(self, day: date | None) -> date | None:
        """Return the day on which access was lost, None where that was still to come (or its grace is not over)."""
        if day is None:
            return None
        today = self.at.astimezone(self.zone).date()
        return day if day + timedelta(days=self.grace) <= today else None

    def _place(self, ref: Ref, version: Version) -> None:
        """Let an item be a version; nothing comes down from an item that is deleted."""
        before = self.now.get(ref)
        if before is not None and before.parent is not None:
            self.below.get((ref[0], before.parent), {}).pop(ref, None)
        if version.parent is not None:
            self.below.setdefault((ref[0], version.parent), {})[ref] = None
        self.now[ref] = version
        turned = self.below.get(ref, ()) if before is None or before.there != version.there else ()
        for one in (ref, *turned):
            self.places[one] = self._spot(one)

    def _spot(self, ref: Ref) -> Spot:
        version = self.now[ref]
        above = self.now.get((ref[0], version.parent)) if version.parent is not None else None
        standing = version.parent if above is None or above.there else None
        return Spot(ref[0], self.lives[ref].known.key, standing, version.own)

    def _relink(self, refs: Iterable[Ref]) -> set[Ref]:
        """Compute the links of items anew; return those whose links, or whose parent's, differ."""
        asked = set(refs)
        if not asked:
            return set()
        if self.top is not None:
            self.links |= {ref: self._below_top(ref) for ref in asked}
            return asked
        known = Inheritance(places=self.places)
        if self.copies:
            added = {
                leader: brought_along((self.places[copy].key, known.links(copy)) for copy in copies if copy in self.now)
                for leader, copies in self.copies.items()
                if leader in self.now
            }
            known = Inheritance(places=self.places, added=added)
            asked = set(self.now)
        moved = set()
        for ref in asked:
            links = known.links(ref)
            if self.links.get(ref) != links:
                self.links[ref] = links
                moved.add(ref)
        return moved | {child for ref in moved for child in self.below.get(ref, ())}

    def _below_top(self, ref: Ref) -> tuple[Link, ...]:
        """Return a link to the top for what is below it; a circle is cut where it closes."""
        seen, at = {ref}, self.places[ref].parent_id
        while at is not None and (ref[0], at) in self.places and (ref[0], at) not in seen:
            if (ref[0], at) == self.top:
                return (Link(initiative=self.top[1], rule=""),)
            seen.add((ref[0], at))
            at = self.places[ref[0], at].parent_id
        return ()

    def _parents(self, ref: Ref) -> Iterator[Ref]:
        version = self.now.get(ref)
        if version is not None and version.parent is not None and (ref[0], version.parent) in self.now:
            yield ref[0], version.parent

    def _all_below(self, refs: Iterable[Ref]) -> set[Ref]:
        found: set[Ref] = set()
        waiting = list(refs)
        while waiting:
            ref = waiting.pop()
            if ref not in found:
                found.add(ref)
                waiting.extend(self.below.get(ref, ()))
        return {ref for ref in found if ref in self.now}


def scene_at(lives: Mapping[Ref, Life], at: datetime, zone: tzinfo) -> Scene:
    """Return the scene at an instant."""
    return Scene(lives, zone, at)


def turns(scene: Scene, until: datetime, grace_ends: Mapping[Ref, datetime]) -> Iterator[Turn]:
    """Yield what happens to the sums up to and with an instant, oldest first; the scene moves on with it.

    `grace_ends` are the instants from which items that are out of sight do not count any more.
    """
    steps: dict[datetime, dict[Ref, Version]] = {}
    for ref, one in scene.lives.items():
        for version in one.versions:
            if scene.at < version.at <= until:
                steps.setdefault(version.at, {})[ref] = version
    for ref, at in grace_ends.items():
        if scene.at < at <= until and ref in scene.lives:
            steps.setdefault(at, {})
    for at in sorted(steps):
        lost = {ref for ref, end in grace_ends.items() if end == at and ref in scene.now}
        asked = scene.turn(at, steps[at]) | lost
        forms = {ref: scene.form(ref) for ref in asked if ref in scene.now}
        yield Turn(at=at, forms=forms, own=frozenset({*steps[at], *lost}))
