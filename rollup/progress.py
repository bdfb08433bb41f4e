"""Facts and policies become sizes, credits and progress: `sized` says how each item counts, the rest sums.

Metrics, health and anything that depends on the hour of asking live elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import chain, pairwise, repeat
from math import fsum, inf
from operator import mul
from typing import NamedTuple

from domain.facts import Fact, Facts, Node, Progress
from domain.rules import Credit, Policies
from rollup.tree import Key, Tree, ancestors, counted_as_leaf, is_covered, is_cyclic, key_of, plant

ESTIMATED_SIZES = frozenset({"points", "time", "field"})
CATEGORIES = ("todo", "in_progress", "done", "canceled")
COUNTED_REASONS = frozenset(
    {"canceled", "done_before_start", "unestimated", "inaccessible", "entered_after_end", "subtask"}
)
"""Reasons that `Progress.excluded` counts; the others are told item by item only."""


class Entry(NamedTuple):
    """How the items of one fact count for one subject.

    `node` is set where an item with children is meant. `category` is as of the evaluation (an item
    completed after a frozen end is todo). `weight` is share x size of one item, `reason` why the items do
    not enter the sum (None: they do), `imputed` where a missing size was taken from: ``siblings``,
    ``team``, ``one``.
    """

    fact: Fact
    node: Node | None
    share: float
    category: str
    credit: float
    size: float
    weight: float
    imputed: str | None
    reason: str | None


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


class _Above(NamedTuple):
    """What stands above the children of one parent, as far as it matters to them."""

    chain: tuple[Node, ...]
    done: bool
    done_on: date | None
    canceled: bool
    cyclic: bool
    covered: bool
    under_epic: bool


class _Placed(NamedTuple):
    fact: Fact
    node: Node | None
    share: float
    above: _Above
    reason: str | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """The evaluation: policies and dates of one subject. `end` is set only where it freezes the subject."""

    policies: Policies
    today: date
    start: date | None
    end: date | None
    exclude_before: date | None


def total(values: Iterable[float], counts: Iterable[int]) -> float:
    """Sum each value as often as its count says, rounded once: order and folding make no difference."""
    return fsum(chain.from_iterable(map(repeat, values, counts)))


def ratio(value: float) -> float:
    """Round to the nine decimals at which ratios are compared (semantics, section 0)."""
    return round(value, 9)


def sized(
    facts: Facts,
    shares: Mapping[str, float],
    policies: Policies,
    *,
    today: date,
    start: date | None = None,
    end: date | None = None,
    before_start_applies: bool = False,
) -> Sized:
    """Say for each fact that touches the subject how it counts and, where it does not, why.

    `shares` maps initiative id to its share of the subject, in the order of the file; an item linked to
    several takes the largest. Dates are local. Past `end` the subject is frozen there, if its policies
    say so. Facts whose links and parent's links are outside `shares` are left out.
    """
    frame = _frame(policies, today, start, end, before_start_applies)
    tree = plant(facts.nodes)
    return _settle(_place(facts, tree, shares, frame), tree, frame, shares=shares)


def delivery(
    facts: Facts,
    shares: Mapping[str, float],
    policies: Policies,
    *,
    today: date,
    start: date | None = None,
    end: date | None = None,
    before_start_applies: bool = False,
    baseline_at: date | None = None,
) -> Progress:
    """Return the delivery progress of a subject; arguments as for `sized`.

    `baseline_at` is the local date whose scope is the baseline (None: no baseline); the sizes of the
    baseline are today's estimates of the items that had entered by then.
    """
    frame = _frame(policies, today, start, end, before_start_applies)
    tree = plant(facts.nodes)
    settled = _settle(_place(facts, tree, shares, frame), tree, frame, shares=shares)
    return _sum(settled, tree, frame, shares=shares, baseline_at=baseline_at)


def epics(facts: Facts, policies: Policies, *, today: date, only: Sequence[Key] | None = None) -> dict[Key, Progress]:
    """Return the own progress of each epic with children over its leaf items, whatever they are linked to.

    `only` restricts the answer to these epics (any item with children may be named). An epic that is
    itself the lowest item counted is 1 when done, else null with `no_scope`.
    """
    frame = _frame(policies, today, None, None, False)
    tree = plant(facts.nodes)
    return {
        key: _epic_progress(tree.nodes[key], placed, tree, frame)
        for key, placed in _by_epic(facts, tree, frame, only).items()
    }


def epic_sized(facts: Facts, key: Key, policies: Policies, *, today: date) -> Sized:
    """Say how each item below one epic counts for it; raise KeyError where it has no children."""
    frame = _frame(policies, today, None, None, False)
    tree = plant(facts.nodes)
    return _settle(_by_epic(facts, tree, frame, (key,))[key], tree, frame, top=key)


def lone(category: str) -> Progress:
    """Return the own progress of an item without children: 1 if it is done, else null with `no_scope`."""
    counts = dict.fromkeys(CATEGORIES, 0)
    if category == "done":
        return Progress(value=1.0, counts=counts)
    return Progress(value=None, state="no_scope", counts=counts)


def _frame(policies: Policies, today: date, start: date | None, end: date | None, before_start_applies: bool) -> _Frame:
    frozen = end if end is not None and today > end and policies.health.freeze_after_end else None
    exclude_before = start if before_start_applies and policies.before_start == "exclude" else None
    return _Frame(policies, today if frozen is None else frozen, start, frozen, exclude_before)


def _above(tree: Tree, connection: str, parent: str | None, frame: _Frame) -> _Above:
    above = ancestors(tree, connection, parent)
    done = next((n.fact for n in above if _category(n.fact, frame.end) == "done"), None)
    level = frame.policies.leaf_level
    return _Above(
        chain=above,
        done=done is not None,
        done_on=done.completed_on if done else None,
        canceled=any(_category(n.fact, frame.end) == "canceled" for n in above),
        cyclic=is_cyclic(tree, connection, parent),
        covered=bool(above) and is_covered(tree, above[0], level),
        under_epic=level == "epic_children" and bool(above) and above[0].level == "epic",
    )


def _category(fact: Fact, end: date | None) -> str:
    """Category as of `end`: what was completed or canceled later was still to do."""
    if end is not None:
        if fact.category == "done" and fact.completed_on is not None and fact.completed_on > end:
            return "todo"
        if fact.category == "canceled" and fact.canceled_on is not None and fact.canceled_on > end:
            return "todo"
    return fact.category


def _row_reason(fact: Fact, above: _Above, parent_counts: bool, leaf_level: str) -> str | None:
    """Why an item without children is not a leaf of the scope. A sub-task whose parent is outside always is."""
    if fact.deleted:
        return "deleted"
    if fact.mirror_of is not None:
        return "mirror"
    if fact.subtask and leaf_level != "lowest":
        return "subtask" if parent_counts and not (above.under_epic and not above.covered) else None
    return "below_leaf" if above.covered else None


def _place(facts: Facts, tree: Tree, shares: Mapping[str, float], frame: _Frame) -> list[_Placed]:
    """Keep the facts that touch the subject, with their share and, where they are no leaves, the reason."""
    level = frame.policies.leaf_level
    share_of: dict[frozenset[str], float] = {}
    above_of: dict[tuple[str, str | None], _Above] = {}

    def share(links: frozenset[str]) -> float:
        known = share_of.get(links)
        if known is None:
            known = share_of[links] = max((shares[i] for i in links if i in shares), default=0.0)
        return known

    placed: list[_Placed] = []
    for fact, node in chain(zip(facts.rows, repeat(None)), ((n.fact, n) for n in tree.nodes.values())):
        k = share(fact.links)
        parent_counts = bool(fact.parent_links) and share(fact.parent_links) > 0
        if k <= 0 and not parent_counts:
            continue
        where = (fact.connection, fact.parent)
        above = above_of.get(where)
        if above is None:
            above = above_of[where] = _above(tree, fact.connection, fact.parent, frame)
        reason: str | None
        if k <= 0:
            reason = "deleted" if fact.deleted else "moved_away"
        elif node is None:
            reason = _row_reason(fact, above, parent_counts, level)
        else:
            reason = _node_reason(tree, node, above, level)
        placed.append(_Placed(fact, node, k, above, reason))
    return placed


def _node_reason(tree: Tree, node: Node, above: _Above, leaf_level: str) -> str | None:
    if node.fact.deleted:
        return "deleted"
    if node.fact.mirror_of is not None:
        return "mirror"
    if above.covered:
        return "below_leaf"
    return None if counted_as_leaf(tree, node, leaf_level) else "has_children"


def _by_epic(facts: Facts, tree: Tree, frame: _Frame, only: Sequence[Key] | None) -> dict[Key, list[_Placed]]:
    """Group everything below each wanted epic; each fact is looked at once, whatever the number of epics."""
    level = frame.policies.leaf_level
    wanted = [k for k, n in tree.nodes.items() if n.level == "epic"] if only is None else list(only)
    groups: dict[Key, list[_Placed]] = {key: [] for key in wanted if key in tree.nodes}
    memory: dict[tuple[str, str | None], tuple[_Above, list[list[_Placed]]]] = {}
    for fact, node in chain(zip(facts.rows, repeat(None)), ((n.fact, n) for n in tree.nodes.values())):
        where = (fact.connection, fact.parent)
        known = memory.get(where)
        if known is None:
            above = _above(tree, fact.connection, fact.parent, frame)
            lists = [groups[key_of(n)] for n in above.chain if key_of(n) in groups]
            known = memory[where] = (above, lists)
        above, lists = known
        if not lists:
            continue
        reason = _row_reason(fact, above, True, level) if node is None else _node_reason(tree, node, above, level)
        placed = _Placed(fact, node, 1.0, above, reason)
        for group in lists:
            if node is None or key_of(node) not in groups or group is not groups[key_of(node)]:
                group.append(placed)
    return groups


def _epic_progress(epic: Node, placed: list[_Placed], tree: Tree, frame: _Frame) -> Progress:
    if counted_as_leaf(tree, epic, frame.policies.leaf_level):
        return lone(_category(epic.fact, frame.end))
    return _sum(_settle(placed, tree, frame, top=key_of(epic)), tree, frame, top=key_of(epic), baseline_at=None)


def _settle(
    placed: list[_Placed],
    tree: Tree,
    frame: _Frame,
    *,
    shares: Mapping[str, float] | None = None,
    top: Key | None = None,
) -> Sized:
    """Give each placed fact its category, credit, reason and size; `top` is the epic where links do not matter."""
    flags: set[str] = set()
    valid_until: date | None = None
    entries: list[Entry] = []
    grace = timedelta(days=frame.policies.inaccessible_grace)
    words: dict[str, tuple[str, ...]] = {}
    for item in placed:
        fact, node, share, above, reason = item
        category = _category(fact, frame.end)
        credit = 0.0
        if reason is None:
            done_on = fact.completed_on
            if fact.inaccessible_on is not None and fact.inaccessible_on <= frame.today:
                if frame.today >= fact.inaccessible_on + grace:
                    reason = "inaccessible"
                else:
                    flags.add("inaccessible")
                    until = fact.inaccessible_on + grace
                    if frame.end is None and (valid_until is None or until < valid_until):
                        valid_until = until
            if frame.end is not None and fact.entered_on is not None and fact.entered_on > frame.end:
                reason = reason or "entered_after_end"
        if reason is None:
            open_ = category in ("todo", "in_progress")
            if open_ and above.done:
                flags.add("done_parent_open_children")
            if open_ and above.canceled:
                flags.add("canceled_parent_open_children")
            if above.cyclic:
                flags.add("cycle")
            won = open_ and above.done and frame.policies.parent_done_wins
            if won:
                done_on = above.done_on
            credit = 1.0 if won else _credit(category, fact.stage, frame.policies.canceled, frame.policies.credit)
            if category == "canceled" and frame.policies.canceled == "exclude":
                reason = "canceled"
            elif (won or category == "done") and _before(done_on, frame.exclude_before):
                reason = "done_before_start"
            else:
                found = words.get(fact.flags)
                if found is None:
                    found = words[fact.flags] = tuple(fact.flags.split())
                for word in found:
                    if word != "archived":
                        flags.add(word)
                    elif open_:
                        flags.add("archived_open")
                if fact.estimate is not None and not 0 <= fact.estimate < inf:
                    flags.add("bad_estimate")
        entries.append(Entry(fact, node, share, category, credit, 1.0, share, None, reason))
    return _with_sizes(entries, tree, frame, flags, valid_until, shares, top)


def _before(day: date | None, limit: date | None) -> bool:
    return day is not None and limit is not None and day < limit


def _credit(category: str, stage: str | None, canceled: str, credit: Credit) -> float:
    """Credit of an item by its category (semantics, section 1)."""
    match category:
        case "done":
            return credit.done
        case "in_progress":
            return credit.review if stage == "review" else credit.started
        case "canceled":
            return credit.done if canceled == "as_done" else credit.todo
        case _:
            return credit.todo


def _estimate(fact: Fact) -> float | None:
    """The estimate, None where there is none or it is no size at all (negative, infinite, not a number)."""
    value = fact.estimate
    return value if value is not None and 0 <= value < inf else None


def _with_sizes(
    entries: list[Entry],
    tree: Tree,
    frame: _Frame,
    flags: set[str],
    valid_until: date | None,
    shares: Mapping[str, float] | None,
    top: Key | None,
) -> Sized:
    policies = frame.policies
    items = unestimated = 0
    for e in entries:
        if e.reason is None:
            items += e.fact.count
            if _estimate(e.fact) is None:
                unestimated += e.fact.count
    coverage = (items - unestimated) / items if items else None
    mode = policies.size
    excess: tuple[Entry, ...] = ()
    if mode in ESTIMATED_SIZES:
        if policies.unestimated == "impute_median" and coverage is not None and ratio(coverage) < 0.5:
            mode = "count"
            flags.add("fallback_count")
        else:
            by_estimate = _by_estimate(entries, policies.unestimated)
            if policies.top_down:
                excess = _excess(by_estimate, tree, frame, shares, top)
            if items and not excess and not any(e.size > 0 for e in by_estimate if e.reason is None):
                mode = "count"
                flags.add("fallback_count")
                by_estimate = [e._replace(size=1.0, weight=e.share) for e in by_estimate]
            entries = by_estimate
    elif mode == "equal_per_child":
        entries = _equal(entries, tree, shares, top)
    return Sized(tuple(entries), excess, mode, frozenset(flags), unestimated, coverage, valid_until)


def _by_estimate(entries: list[Entry], unestimated: str) -> list[Entry]:
    """Give each entry the size of its estimate, or what the policy puts in the place of a missing one."""
    missing = any(_estimate(e.fact) is None for e in entries)
    siblings, teams = _medians(entries) if missing and unestimated == "impute_median" else ({}, {})
    out: list[Entry] = []
    for e in entries:
        fact = e.fact
        size = _estimate(fact)
        imputed: str | None = None
        reason = e.reason
        if size is None:
            size, imputed = 1.0, "one"
            if unestimated == "exclude":
                size, imputed = 0.0, None
                reason = reason or "unestimated"
            elif unestimated == "impute_median":
                sibling = siblings.get((fact.connection, fact.parent)) if fact.parent is not None else None
                team = teams.get((fact.connection, fact.team)) if fact.team is not None else None
                if sibling is not None:
                    size, imputed = sibling, "siblings"
                elif team is not None:
                    size, imputed = team, "team"
        out.append(Entry(fact, e.node, e.share, e.category, e.credit, size, e.share * size, imputed, reason))
    return out


_Group = tuple[str, str | None]


def _medians(entries: list[Entry]) -> tuple[dict[_Group, float], dict[_Group, float]]:
    """Median estimate by structural parent and by team over the estimated leaves in scope, canceled left out."""
    siblings: dict[_Group, list[tuple[float, int]]] = {}
    teams: dict[_Group, list[tuple[float, int]]] = {}
    for e in entries:
        fact = e.fact
        size = _estimate(fact)
        if e.reason is not None or size is None or e.category == "canceled":
            continue
        if fact.parent is not None:
            siblings.setdefault((fact.connection, fact.parent), []).append((size, fact.count))
        if fact.team is not None:
            teams.setdefault((fact.connection, fact.team), []).append((size, fact.count))
    return {k: median(v) for k, v in siblings.items()}, {k: median(v) for k, v in teams.items()}


def median(values: list[tuple[float, int]]) -> float:
    """Median of values that come with a count each; the mean of the middle two where they are even in number."""
    ordered = sorted(values)
    n = sum(count for _, count in ordered)
    low, high = (n - 1) // 2, n // 2
    found: list[float] = []
    seen = 0
    for value, count in ordered:
        for rank in (low, high)[len(found) :]:
            if seen <= rank < seen + count:
                found.append(value)
        seen += count
        if len(found) == 2:
            break
    return (found[0] + found[1]) / 2


def _excess(
    entries: list[Entry], tree: Tree, frame: _Frame, shares: Mapping[str, float] | None, top: Key | None
) -> tuple[Entry, ...]:
    """What parents' own estimates exceed the sum of their children by (policy `top_down`), lowest first.

    Children that were done before the start are part of the parent's estimate, so they are set against
    it; canceled ones are not. A parent that is canceled, or was itself done before the start, has none.
    """
    sums: dict[Key, list[tuple[float, int]]] = {}
    for e in entries:
        if e.reason in (None, "done_before_start") and e.fact.parent is not None:
            sums.setdefault((e.fact.connection, e.fact.parent), []).append((e.size, e.fact.count))
    depth = {key: len(ancestors(tree, *key)) for key in tree.nodes}
    out: list[Entry] = []
    for key in sorted(tree.nodes, key=lambda k: (-depth[k], k)):
        node = tree.nodes[key]
        if key not in sums:
            continue
        children = sums[key]
        below = total((v for v, _ in children), (c for _, c in children))
        own = _estimate(node.fact)
        share = _floor_share(node, tree, frame, shares, top)
        over = own - below if own is not None and share > 0 and own > below else 0.0
        if over > 0:
            won = frame.policies.parent_done_wins and _category(node.fact, frame.end) == "done"
            credit = 1.0 if won else 0.0
            category = _category(node.fact, frame.end)
            out.append(Entry(node.fact, node, share, category, credit, over, share * over, "excess", None))
        if node.fact.parent is not None and depth[key] > 1:
            sums.setdefault((key[0], node.fact.parent), []).append((below + over, 1))
    return tuple(out)


def _floor_share(node: Node, tree: Tree, frame: _Frame, shares: Mapping[str, float] | None, top: Key | None) -> float:
    """Share with which a parent's own estimate counts as a floor; 0 where it does not."""
    fact = node.fact
    category = _category(fact, frame.end)
    if category == "canceled" or fact.deleted or counted_as_leaf(tree, node, frame.policies.leaf_level):
        return 0.0
    if category == "done" and _before(fact.completed_on, frame.exclude_before):
        return 0.0
    if frame.end is not None and fact.entered_on is not None and fact.entered_on > frame.end:
        return 0.0
    if shares is not None:
        return max((shares[i] for i in fact.links if i in shares), default=0.0)
    above = ancestors(tree, fact.connection, node.id)
    return 1.0 if any(key_of(n) == top for n in above) else 0.0


def _equal(entries: list[Entry], tree: Tree, shares: Mapping[str, float] | None, top: Key | None) -> list[Entry]:
    """Give the entries that count the weights of the mean of means (policy ``equal_per_child``)."""
    counted = [e for e in entries if e.reason is None]
    weights = dict(zip(map(id, counted), _equal_weights(counted, tree, shares, top), strict=True))
    out: list[Entry] = []
    for e in entries:
        weight, share = weights.get(id(e), (0.0, e.share))
        reason = "canceled" if e.reason is None and weight == 0 else e.reason
        size = weight / share if share else 0.0
        out.append(e._replace(share=share, size=size, weight=weight, reason=reason))
    return out


def _equal_weights(
    leaves: Sequence[Entry], tree: Tree, shares: Mapping[str, float] | None, top: Key | None
) -> list[tuple[float, float]]:
    """Return (weight, share) of one item of each leaf: share of its first initiative over the children at each step.

    A branch whose items are all canceled is null and left out with weight 0. Weights sum to 1.
    """
    order = {initiative: n for n, initiative in enumerate(shares or ())}
    owner_of: dict[frozenset[str], str] = {}
    paths: dict[tuple[str, _Group], tuple[tuple[str, Key | None], ...]] = {}
    children: dict[tuple[str, Key | None], int] = {}
    branches: dict[tuple[str, Key | None], set[Key]] = {}
    live: set[tuple[str, Key | None]] = set()
    routes: list[tuple[tuple[str, Key | None], ...]] = []
    for e in leaves:
        fact = e.fact
        owner = owner_of.get(fact.links) if shares is not None else ""
        if owner is None:
            owner = owner_of[fact.links] = min((i for i in fact.links if i in order), key=lambda i: order[i])
        where = (owner, (fact.connection, fact.parent))
        route = paths.get(where)
        if route is None:
            route = paths[where] = _route(tree, fact, owner if shares is not None else None, top)
        routes.append(route)
        children[route[0]] = children.get(route[0], 0) + fact.count
        if e.category != "canceled":
            live.update(route)
    for route in set(paths.values()):
        for lower, upper in pairwise(route):
            if lower in live and lower[1] is not None:
                branches.setdefault(upper, set()).add(lower[1])
    shared = fsum((shares or {"": 1.0})[i] for i in sorted({owner for owner, key in live if key is None}))
    ways: dict[tuple[tuple[str, Key | None], ...], int] = {}
    for route in set(routes):
        ways[route] = 0 if any(step not in live for step in route) else 1
        for step in route:
            ways[route] *= children.get(step, 0) + len(branches.get(step, ()))
    out: list[tuple[float, float]] = []
    for route in routes:
        share = (shares or {"": 1.0})[route[0][0]]
        out.append((share / (shared * ways[route]) if ways[route] else 0.0, share))
    return out


def _route(tree: Tree, fact: Fact, owner: str | None, top: Key | None) -> tuple[tuple[str, Key | None], ...]:
    """The steps from an item's parent up to the linked root and the initiative (key None) itself."""
    name = owner or ""
    steps: list[tuple[str, Key | None]] = []
    for node in ancestors(tree, fact.connection, fact.parent):
        if key_of(node) == top or (owner is not None and owner not in node.fact.links):
            break
        steps.append((name, key_of(node)))
    steps.append((name, None))
    return tuple(steps)


def _sum(
    settled: Sized,
    tree: Tree,
    frame: _Frame,
    *,
    shares: Mapping[str, float] | None = None,
    top: Key | None = None,
    baseline_at: date | None,
) -> Progress:
    """Add up what `_settle` found."""
    counts = dict.fromkeys(CATEGORIES, 0)
    excluded: dict[str, int] = {}
    connections: dict[str, int] = {}
    weights: list[float] = []
    credits: list[float] = []
    numbers: list[int] = []
    blocked: list[tuple[float, int]] = []
    points: list[tuple[float, int]] = []
    points_done: list[tuple[float, int]] = []
    items = live = 0
    for e in settled.entries:
        fact, reason, n = e.fact, e.reason, e.fact.count
        if reason is not None:
            if reason in COUNTED_REASONS:
                excluded[reason] = excluded.get(reason, 0) + n
            if reason in ("canceled", "unestimated"):
                counts[e.category] += n
            live += n if reason == "unestimated" and e.category != "canceled" else 0
            continue
        counts[e.category] += n
        items += n
        connections[fact.connection] = connections.get(fact.connection, 0) + n
        weights.append(e.weight)
        credits.append(e.credit)
        numbers.append(n)
        if e.category == "canceled":
            continue
        live += n
        if fact.blocked and e.category != "done":
            blocked.append((e.weight, n))
        estimate = _estimate(fact)
        if estimate is not None:
            points.append((estimate, n))
            if e.category == "done":
                points_done.append((estimate, n))
    weights.extend(e.weight for e in settled.excess)
    credits.extend(e.credit for e in settled.excess)
    numbers.extend(1 for _ in settled.excess)
    size_total = total(weights, numbers)
    size_done = total(map(mul, weights, credits), numbers)
    known = bool(live and items and size_total > 0)
    base = _Baseline(None, None, None)
    if baseline_at is not None:
        base = _baseline(settled, tree, frame, shares, top, baseline_at, size_total)
    return Progress(
        value=size_done / size_total if known else None,
        state="ok" if known else "no_scope",
        size_total=size_total,
        size_done=size_done,
        counts=counts,
        points_total=_weighed(points),
        points_done=_weighed(points_done),
        items=items,
        unestimated=settled.unestimated,
        estimated_coverage=settled.estimated_coverage,
        baseline_progress=base.progress,
        scope_base=base.scope,
        scope_change=base.change,
        blocked_size=_weighed(blocked),
        excluded=dict(sorted(excluded.items())),
        flags=tuple(sorted(settled.flags)),
        connections=dict(sorted(connections.items())),
        valid_until=settled.valid_until,
    )


def _weighed(values: Sequence[tuple[float, int]]) -> float:
    return total((v for v, _ in values), (n for _, n in values))


class _Baseline(NamedTuple):
    progress: float | None
    scope: float | None
    change: float | None


def _baseline(
    settled: Sized,
    tree: Tree,
    frame: _Frame,
    shares: Mapping[str, float] | None,
    top: Key | None,
    at: date,
    size_total: float,
) -> _Baseline:
    """Progress over the scope as it stood on `at`, that scope, and the change of scope since.

    Items canceled since left the progress but not the scope as frozen. Under ``equal_per_child`` scope is
    measured in items x share, as its weights always sum to 1.
    """
    then = [e for e in settled.entries if e.reason in (None, "canceled") and _was_there(e, at)]
    now = [e for e in settled.entries if e.reason is None]
    equal = settled.mode == "equal_per_child"
    frozen = [(e.share if equal else e.weight, e.fact.count) for e in then]
    staying = [e for e in then if e.category != "canceled"]
    excess: tuple[Entry, ...] = ()
    if frame.policies.top_down and settled.mode in ESTIMATED_SIZES:
        before = [e for e in settled.entries if e.reason == "done_before_start" and _was_there(e, at)]
        excess = tuple(e for e in _excess(staying + before, tree, frame, shares, top) if _was_there(e, at))
        frozen.extend((e.weight, 1) for e in excess)
    weights = [w for w, _ in _equal_weights(staying, tree, shares, top)] if equal else [e.weight for e in staying]
    weights.extend(e.weight for e in excess)
    credits = [e.credit for e in (*staying, *excess)]
    numbers = [e.fact.count for e in (*staying, *excess)]
    size = total(weights, numbers)
    scope = _weighed(frozen)
    scope_now = _weighed([(e.share, e.fact.count) for e in now]) if equal else size_total
    return _Baseline(
        progress=total(map(mul, weights, credits), numbers) / size if size > 0 else None,
        scope=scope,
        change=(scope_now - scope) / scope if scope > 0 else None,
    )


def _was_there(entry: Entry, at: date) -> bool:
    """Whether the item had entered the scope by `at` and had not been canceled by then."""
    fact = entry.fact
    if entry.category == "canceled" and fact.canceled_on is not None and fact.canceled_on <= at:
        return False
    return fact.entered_on is None or fact.entered_on <= at


def with_flags(progress: Progress, *flags: str) -> Progress:
    """Return the progress with flags added, sorted."""
    return replace(progress, flags=tuple(sorted({*progress.flags, *flags})))
