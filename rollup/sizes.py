"""How large each item is: estimates, what stands in for a missing one, parents as floor, equal parts.

Which items count is decided in `leaves`; adding up is `progress`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, repeat
from math import fsum

from rollup.equal import equal_weights
from rollup.leaves import Entry, Frame, category_at, estimate_of, is_before
from rollup.tree import Key, Tree, ancestors, counted_as_leaf, key_of

ESTIMATED_SIZES = frozenset({"points", "time", "field"})
MIN_COVERAGE = 0.50
"""Share of estimated items below which imputing gives way to counting."""
WITH_GRACE = (None, "canceled", "done_before_start", "unestimated")
"""Reasons that loss of access takes the place of, once its grace is over."""

Group = tuple[str, str | None]
Place = tuple[str, str | None, str | None]
"""(connection, structural parent, team)"""


@dataclass(frozen=True, slots=True)
class Sized:
    """Every fact that touches a subject, with its size, credit and share, and what was noticed on the way.

    `mode` is the size policy that was applied (``count`` after a fall-back). `excess` holds the parents
    whose own estimate exceeds the sum of their children (`top_down`), with the excess as size.
    """

    entries: tuple[Entry, ...]
    excess: tuple[Entry, ...]
    mode: str
    flags: frozenset[str]
    unestimated: int
    estimated_coverage: float | None
    valid_until: date | None


def total(values: Iterable[float], counts: Iterable[int]) -> float:
    """Sum each value as often as its count says, rounded once: order and folding make no difference."""
    return fsum(chain.from_iterable(map(repeat, values, counts)))


def settle(
    entries: list[Entry], tree: Tree, terms: Frame, *, shares: Mapping[str, float] | None, top: Key | None = None
) -> Sized:
    """Give the entries of one subject their sizes under its policies.

    `shares` are the subject's; None where the subject is the epic `top` and links do not matter.
    """
    policies = terms.policies
    items = unestimated = 0
    raised: set[tuple[str, ...]] = set()
    for e in entries:
        if e.reason is None:
            items += e.fact.count
            if e.notes:
                raised.add(e.notes)
            if estimate_of(e.fact) is None:
                unestimated += e.fact.count
    flags = {word for notes in raised for word in notes}
    coverage = (items - unestimated) / items if items else None
    mode = policies.size
    excess: tuple[Entry, ...] = ()
    if mode == "equal_per_child":
        entries = _equal(entries, tree, shares, top)
    elif mode in ESTIMATED_SIZES:
        if policies.unestimated == "impute_median" and is_sparse(items, unestimated):
            mode = "count"
        else:
            by_estimate = _by_estimate(entries, policies.unestimated)
            if policies.top_down:
                excess = excesses(by_estimate, tree, terms, shares, top)
            if any(e.size > 0 for e in by_estimate if e.reason is None) or excess:
                entries = by_estimate
            else:
                mode = "count"
                entries = [e._replace(size=1.0, weight=e.share, imputed=None) for e in by_estimate]
        if mode == "count" and items:
            flags.add("fallback_count")
    until = valid_until(entries, terms)
    return Sized(tuple(entries), excess, mode, frozenset(flags), unestimated, coverage, until)


def is_sparse(items: int, unestimated: int) -> bool:
    """Say whether so few of the items are estimated that imputing gives way to counting."""
    return items > 0 and round((items - unestimated) / items, 9) < MIN_COVERAGE


def valid_until(entries: Iterable[Entry], terms: Frame) -> date | None:
    """Return the first day on which the grace of an item is over, after which it is left out for that reason."""
    if terms.end is not None:
        return None
    grace = timedelta(days=terms.policies.inaccessible_grace)
    lost = (e.fact.inaccessible_on for e in entries if e.fact.inaccessible_on is not None and e.reason in WITH_GRACE)
    return min((day + grace for day in lost), default=None)


def _by_estimate(entries: list[Entry], unestimated: str) -> list[Entry]:
    """Give each entry the size of its estimate, or what the policy puts in the place of a missing one."""
    stand_in = _medians(entries) if unestimated == "impute_median" else {}
    out: list[Entry] = []
    for e in entries:
        fact = e.fact
        size = estimate_of(fact)
        imputed: str | None = None
        reason = e.reason
        if size is None:
            if unestimated == "exclude":
                size = 0.0
                reason = reason or "unestimated"
            else:
                size, imputed = stand_in.get((fact.connection, fact.parent, fact.team), (1.0, "one"))
        weight = e.share * size
        out.append(Entry(fact, e.node, e.share, e.category, e.credit, size, weight, imputed, reason, e.notes))
    return out


def _medians(entries: list[Entry]) -> dict[Place, tuple[float, str]]:
    """Return what a missing estimate is replaced by, where there is more to say than 1.

    The median estimate of the leaves in scope with the same structural parent, else of those of the same
    team; canceled ones are left out.
    """
    places = {(e.fact.connection, e.fact.parent, e.fact.team) for e in entries if estimate_of(e.fact) is None}
    if not places:
        return {}
    siblings = sibling_medians(entries)
    without = [(c, team) for c, parent, team in places if team is not None and (c, parent) not in siblings]
    teams = _estimates(entries, set(without), parents=False)
    found: dict[Place, tuple[float, str]] = {}
    for place in places:
        connection, parent, team = place
        if (connection, parent) in siblings:
            found[place] = siblings[connection, parent], "siblings"
        elif (connection, team) in teams:
            found[place] = teams[connection, team], "team"
    return found


def sibling_medians(entries: Sequence[Entry]) -> dict[Group, float]:
    """Return the median estimate of the children of each parent that a missing estimate is replaced by."""
    groups = {(e.fact.connection, e.fact.parent) for e in entries if estimate_of(e.fact) is None}
    return _estimates(entries, {group for group in groups if group[1] is not None}, parents=True)


def _estimates(entries: Sequence[Entry], wanted: set[Group], *, parents: bool) -> dict[Group, float]:
    """Return the median estimate of each wanted group of leaves: of a parent's children, or of a team."""
    if not wanted:
        return {}
    groups: dict[Group, list[tuple[float, int]]] = {group: [] for group in wanted}
    for e in entries:
        if e.reason is None and e.category != "canceled":
            fact = e.fact
            group = groups.get((fact.connection, fact.parent if parents else fact.team))
            size = estimate_of(fact)
            if group is not None and size is not None:
                group.append((size, fact.count))
    return {group: median(values) for group, values in groups.items() if values}


def median(values: Sequence[tuple[float, int]]) -> float:
    """Return the median of values that come with a count each; the mean of the middle two of an even number."""
    ordered = sorted(values)
    n = sum(count for _, count in ordered)
    return (_ranked(ordered, (n - 1) // 2) + _ranked(ordered, n // 2)) / 2


def _ranked(ordered: Sequence[tuple[float, int]], rank: int) -> float:
    seen = 0
    for value, count in ordered:
        seen += count
        if rank < seen:
            return value
    return ordered[-1][0]


def excesses(
    entries: Iterable[Entry], tree: Tree, terms: Frame, shares: Mapping[str, float] | None, top: Key | None
) -> tuple[Entry, ...]:
    """Return what parents' own estimates exceed the sum of their children by (policy `top_down`), lowest first.

    Children that were done before the start are part of the parent's estimate, so they are set against
    it; canceled ones are not. A parent that is canceled, or was itself done before the start, has none.
    """
    sums: dict[Key, list[tuple[float, int]]] = {}
    for e in entries:
        if e.reason in (None, "done_before_start") and e.fact.parent is not None:
            sums.setdefault((e.fact.connection, e.fact.parent), []).append((e.size, e.fact.count))
    touched = {key_of(n) for key in sums for n in ancestors(tree, *key)}
    depth = {key: len(ancestors(tree, *key)) for key in touched}
    out: list[Entry] = []
    for key in sorted(touched, key=lambda k: (-depth[k], k)):
        node = tree.nodes[key]
        below = total(*zip(*sums[key], strict=True)) if key in sums else 0.0
        own = estimate_of(node.fact)
        share = _floor_share(key, tree, terms, shares, top)
        over = max(own - below, 0.0) if own is not None and share > 0 else 0.0
        if over > 0:
            category = category_at(node.fact, terms.end)
            credit = 1.0 if terms.policies.parent_done_wins and category == "done" else 0.0
            out.append(Entry(node.fact, node, share, category, credit, over, share * over, "excess", None, ()))
        if node.fact.parent is not None:
            sums.setdefault((key[0], node.fact.parent), []).append((below + over, 1))
    return tuple(out)


def _floor_share(key: Key, tree: Tree, terms: Frame, shares: Mapping[str, float] | None, top: Key | None) -> float:
    """Share with which a parent's own estimate counts as a floor; 0 where it does not."""
    node = tree.nodes[key]
    fact = node.fact
    category = category_at(fact, terms.end)
    if category == "canceled" or fact.deleted or counted_as_leaf(tree, node, terms.policies.leaf_level):
        return 0.0
    if category == "done" and is_before(fact.completed_on, terms.exclude_before):
        return 0.0
    if is_before(terms.end, fact.entered_on):
        return 0.0
    if shares is not None:
        return max((shares[i] for i in fact.links if i in shares), default=0.0)
    return 1.0 if any(key_of(n) == top for n in ancestors(tree, *key)) else 0.0


def _equal(entries: list[Entry], tree: Tree, shares: Mapping[str, float] | None, top: Key | None) -> list[Entry]:
    """Give the entries that count the weights of the mean of means."""
    counted = [e for e in entries if e.reason is None]
    weights = iter(equal_weights(counted, tree, shares, top))
    out: list[Entry] = []
    for e in entries:
        if e.reason is not None:
            out.append(e)
            continue
        weight, share = next(weights)
        reason = None if weight > 0 else "canceled"
        size = weight / share
        out.append(Entry(e.fact, e.node, share, e.category, e.credit, size, weight, None, reason, e.notes))
    return out
