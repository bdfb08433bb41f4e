"""The mean of means: weights of items where each child of a step counts alike (size policy ``equal_per_child``).

What an item is credited with, and which items count, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from math import fsum

from domain.facts import Fact
from rollup.leaves import Entry
from rollup.tree import Key, Tree, ancestors, key_of

Step = tuple[str, Key | None]
"""(initiative, item with children); the item is None for the initiative itself"""


def equal_weights(
    leaves: Sequence[Entry], tree: Tree, shares: Mapping[str, float] | None, top: Key | None
) -> list[tuple[float, float]]:
    """Return (weight, share) of one item of each leaf: the share of its initiative over the children at each step.

    An item reached twice stays with its first initiative. A branch whose items are all canceled is null
    and left out with weight 0. The weights of all items sum to 1. `shares` None stands for the epic `top`.
    """
    order = {initiative: n for n, initiative in enumerate(shares or ())}
    share_of = shares or {"": 1.0}
    owners: dict[frozenset[str], str] = {}
    numbers: dict[tuple[str, str, str | None], int] = {}
    routes: list[tuple[Step, ...]] = []
    items: list[int] = []
    live: set[int] = set()
    taken: list[int] = []
    for e in leaves:
        fact = e.fact
        owner = owners.get(fact.links) if shares is not None else ""
        if owner is None:
            owner = owners[fact.links] = min((i for i in fact.links if i in order), key=lambda i: order[i])
        where = (owner, fact.connection, fact.parent)
        number = numbers.get(where)
        if number is None:
            number = numbers[where] = len(routes)
            routes.append(_route(tree, fact, owner if shares is not None else None, top))
            items.append(0)
        taken.append(number)
        items[number] += fact.count
        if e.category != "canceled":
            live.add(number)
    known = {step for number in live for step in routes[number]}
    children = _children(routes, items, known)
    shared = fsum(share_of[i] for i in sorted({owner for owner, key in known if key is None}))
    weights = [_weight(route, children, known, share_of[route[0][0]], shared) for route in routes]
    return [(weights[number], share_of[routes[number][0][0]]) for number in taken]


def _route(tree: Tree, fact: Fact, owner: str | None, top: Key | None) -> tuple[Step, ...]:
    """The steps from an item's parent up to the linked root, then the initiative (or the epic) itself."""
    name = owner or ""
    steps: list[Step] = []
    for node in ancestors(tree, fact.connection, fact.parent):
        if key_of(node) == top or (owner is not None and owner not in node.fact.links):
            break
        steps.append((name, key_of(node)))
    steps.append((name, None))
    return tuple(steps)


def _children(routes: Sequence[tuple[Step, ...]], items: Sequence[int], known: set[Step]) -> dict[Step, int]:
    """Count what each step has directly below it: items, and branches that are not null."""
    children: dict[Step, int] = {}
    branches: set[tuple[Step, Step]] = set()
    for route, count in zip(routes, items, strict=True):
        children[route[0]] = children.get(route[0], 0) + count
        branches.update((upper, lower) for lower, upper in pairwise(route) if lower in known)
    for upper, _ in branches:
        children[upper] = children.get(upper, 0) + 1
    return children


def _weight(
    route: tuple[Step, ...], children: Mapping[Step, int], known: set[Step], share: float, shared: float
) -> float:
    ways = 1
    for step in route:
        if step not in known:
            return 0.0
        ways *= children[step]
    return share / (shared * ways)
