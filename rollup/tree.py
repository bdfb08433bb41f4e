"""Who stands above whom: ancestors of an item and the level at which items are counted.

Links, credits and sizes are not known here; a hierarchy is read per connection and never across.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.facts import Node

Key = tuple[str, str]
"""(connection, immutable id)"""


@dataclass(frozen=True, slots=True)
class Tree:
    """Items with children by key. The other fields are memories of answers already given."""

    nodes: dict[Key, Node]
    chains: dict[Key, tuple[Node, ...]] = field(default_factory=dict)
    cyclic: set[Key] = field(default_factory=set)
    covered: dict[Key, bool] = field(default_factory=dict)


def plant(nodes: Iterable[Node]) -> Tree:
    """Return the tree of these items; a node listed twice counts once, as first listed."""
    found: dict[Key, Node] = {}
    for node in nodes:
        found.setdefault((node.fact.connection, node.id), node)
    return Tree(found)


def key_of(node: Node) -> Key:
    """Return the identity of an item with children."""
    return node.fact.connection, node.id


def ancestors(tree: Tree, connection: str, parent: str | None) -> tuple[Node, ...]:
    """Return the items above one whose structural parent is `parent`, nearest first.

    The walk ends at an unknown id and is cut at the first repeated one (`is_cyclic` then says so).
    """
    if parent is None:
        return ()
    key = (connection, parent)
    known = tree.chains.get(key)
    if known is not None:
        return known
    walk: list[Node] = []
    seen: set[str] = set()
    at: str | None = parent
    while at is not None and at not in seen:
        node = tree.nodes.get((connection, at))
        if node is None:
            break
        seen.add(at)
        walk.append(node)
        at = node.fact.parent
    if at in seen:
        tree.cyclic.add(key)
    chain = tuple(walk)
    tree.chains[key] = chain
    return chain


def is_cyclic(tree: Tree, connection: str, parent: str | None) -> bool:
    """Say whether the walk upwards from `parent` comes back to an item it has passed."""
    ancestors(tree, connection, parent)
    return parent is not None and (connection, parent) in tree.cyclic


def counted_as_leaf(tree: Tree, node: Node, leaf_level: str) -> bool:
    """Say whether an item with children is counted itself, in place of what is below it.

    Under ``standard`` these are items whose children are all sub-tasks, under ``epic_children`` the direct
    children of an epic as well (an epic with children never is, its children are), under ``lowest`` none.
    """
    if leaf_level == "lowest":
        return False
    if leaf_level == "epic_children":
        above = ancestors(tree, node.fact.connection, node.fact.parent)
        if above and above[0].level == "epic" and node.level != "epic":
            return not is_covered(tree, above[0], leaf_level)
    return not node.standard_children


def is_covered(tree: Tree, node: Node, leaf_level: str) -> bool:
    """Say whether the item or something above it is counted itself, so that nothing below it is."""
    key = key_of(node)
    known = tree.covered.get(key)
    if known is not None:
        return known
    tree.covered[key] = False
    answer = counted_as_leaf(tree, node, leaf_level)
    if not answer:
        above = tree.nodes.get((node.fact.connection, node.fact.parent)) if node.fact.parent else None
        answer = above is not None and is_covered(tree, above, leaf_level)
    tree.covered[key] = answer
    return answer
