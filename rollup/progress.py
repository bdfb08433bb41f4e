"""Delivery progress: what the items of a subject add up to, now and against its baseline.

Metrics, health and anything that depends on the hour of asking live elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from operator import mul
from typing import NamedTuple

from domain.facts import Facts, Node, Progress
from domain.rules import Policies
from rollup.equal import equal_weights
from rollup.leaves import Entry, Frame, category_at, epic_entries, estimate_of, frame, scope_entries
from rollup.sizes import ESTIMATED_SIZES, Sized, excesses, settle, total
from rollup.tree import Key, Tree, counted_as_leaf, key_of, plant

CATEGORIES = ("todo", "in_progress", "done", "canceled")
COUNTED_REASONS = frozenset(
    {"canceled", "done_before_start", "unestimated", "inaccessible", "entered_after_end", "subtask"}
)
"""Reasons that `Progress.excluded` counts; the others are told item by item only."""


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
    terms = frame(policies, today, start=start, end=end, before_start_applies=before_start_applies)
    tree = plant(facts.nodes)
    return settle(scope_entries(facts, tree, shares, terms), tree, terms, shares=shares)


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
    terms = frame(policies, today, start=start, end=end, before_start_applies=before_start_applies)
    tree = plant(facts.nodes)
    settled = settle(scope_entries(facts, tree, shares, terms), tree, terms, shares=shares)
    found = _sum(settled)
    if baseline_at is None:
        return found
    base = _baseline(settled, tree, terms, shares, baseline_at, found.size_total)
    return replace(found, baseline_progress=base.progress, scope_base=base.scope, scope_change=base.change)


def at_baseline(settled: Sized, at: date) -> Sized:
    """Return the same rows with what came into scope after `at` left out (`scope_basis: baseline`)."""
    entries = tuple(
        e._replace(reason="added_after_baseline") if e.reason is None and not _was_there(e, at) else e
        for e in settled.entries
    )
    return replace(settled, entries=entries, excess=tuple(e for e in settled.excess if _was_there(e, at)))


def shown(progress: Progress, policies: Policies) -> Progress:
    """Return the progress with the value of the scope that the policies show; current where no baseline is known."""
    if policies.scope_basis == "baseline" and progress.baseline_progress is not None:
        return with_flags(replace(progress, value=progress.baseline_progress, state="ok"), "baseline_scope")
    return progress


def epics(facts: Facts, policies: Policies, *, today: date, only: Sequence[Key] | None = None) -> dict[Key, Progress]:
    """Return the own progress of each epic with children over its leaf items, whatever they are linked to.

    `only` restricts the answer to these epics (any item with children may be named). An epic that is
    itself the lowest item counted is 1 when done, else null with `no_scope`.
    """
    terms = frame(policies, today)
    tree = plant(facts.nodes)
    groups = epic_entries(facts, tree, terms, only)
    return {key: _epic(tree.nodes[key], entries, tree, terms) for key, entries in groups.items()}


def epic_sized(facts: Facts, key: Key, policies: Policies, *, today: date) -> Sized:
    """Say how each item below one epic counts for it; raise KeyError where it has no children."""
    terms = frame(policies, today)
    tree = plant(facts.nodes)
    return settle(epic_entries(facts, tree, terms, (key,))[key], tree, terms, shares=None, top=key)


def lone(category: str) -> Progress:
    """Return the own progress of an item without children: 1 if it is done, else null with `no_scope`."""
    counts = dict.fromkeys(CATEGORIES, 0)
    if category == "done":
        return Progress(value=1.0, counts=counts)
    return Progress(value=None, state="no_scope", counts=counts)


def with_flags(progress: Progress, *flags: str) -> Progress:
    """Return the progress with flags added, sorted."""
    return replace(progress, flags=tuple(sorted({*progress.flags, *flags})))


def _epic(epic: Node, entries: list[Entry], tree: Tree, terms: Frame) -> Progress:
    if counted_as_leaf(tree, epic, terms.policies.leaf_level):
        return lone(category_at(epic.fact, terms.end))
    return _sum(settle(entries, tree, terms, shares=None, top=key_of(epic)))


def _sum(settled: Sized) -> Progress:
    """Add up what was settled."""
    counts = dict.fromkeys(CATEGORIES, 0)
    excluded: dict[str, int] = {}
    connections: dict[str, int] = {}
    blocked: list[Entry] = []
    estimated: list[tuple[float, int]] = []
    estimated_done: list[tuple[float, int]] = []
    counted: list[Entry] = []
    live = False
    for e in settled.entries:
        fact, reason, n = e.fact, e.reason, e.fact.count
        if reason is not None:
            if reason in COUNTED_REASONS:
                excluded[reason] = excluded.get(reason, 0) + n
            if reason in ("canceled", "unestimated"):
                counts[e.category] += n
            continue
        counted.append(e)
        counts[e.category] += n
        connections[fact.connection] = connections.get(fact.connection, 0) + n
        if e.category == "canceled":
            continue
        live = True
        if fact.blocked and e.category != "done":
            blocked.append(e)
        estimate = estimate_of(fact)
        if estimate is not None:
            estimated.append((estimate, n))
            if e.category == "done":
                estimated_done.append((estimate, n))
    whole = (*counted, *settled.excess)
    size_total, size_done = _size(whole), _size_done(whole)
    known = live and size_total > 0
    return Progress(
        value=size_done / size_total if known else None,
        state="ok" if known else "no_scope",
        size_total=size_total,
        size_done=size_done,
        counts=counts,
        points_total=_plain(estimated),
        points_done=_plain(estimated_done),
        items=sum(connections.values()),
        unestimated=settled.unestimated,
        estimated_coverage=settled.estimated_coverage,
        blocked_size=_size(blocked),
        excluded=dict(sorted(excluded.items())),
        flags=tuple(sorted(settled.flags)),
        connections=dict(sorted(connections.items())),
        valid_until=settled.valid_until,
    )


def _numbers(entries: Sequence[Entry]) -> list[int]:
    """How many items each entry stands for; a parent's excess is one."""
    return [e.fact.count if e.imputed != "excess" else 1 for e in entries]


def _size(entries: Sequence[Entry]) -> float:
    return total([e.weight for e in entries], _numbers(entries))


def _size_done(entries: Sequence[Entry]) -> float:
    return total([e.weight * e.credit for e in entries], _numbers(entries))


def _plain(values: Sequence[tuple[float, int]]) -> float:
    return total((v for v, _ in values), (n for _, n in values))


class _Baseline(NamedTuple):
    progress: float | None
    scope: float
    change: float | None


def _baseline(
    settled: Sized, tree: Tree, terms: Frame, shares: Mapping[str, float], at: date, size_total: float
) -> _Baseline:
    """Progress over the scope as it stood on `at`, that scope, and the change of scope since.

    Items canceled since left the progress but not the scope as frozen. Under ``equal_per_child`` scope is
    measured in items x share, as its weights always sum to 1.
    """
    then = [e for e in settled.entries if e.reason in (None, "canceled") and _was_there(e, at)]
    staying = [e for e in then if e.category != "canceled"]
    if settled.mode == "equal_per_child":
        weights = [w for w, _ in equal_weights(staying, tree, shares, None)]
        numbers = _numbers(staying)
        done = total(map(mul, weights, [e.credit for e in staying]), numbers)
        size = total(weights, numbers)
        scope, scope_now = _items(then), _items([e for e in settled.entries if e.reason is None])
    else:
        excess: tuple[Entry, ...] = ()
        if terms.policies.top_down and settled.mode in ESTIMATED_SIZES:
            before = [e for e in settled.entries if e.reason == "done_before_start" and _was_there(e, at)]
            excess = tuple(e for e in excesses(staying + before, tree, terms, shares, None) if _was_there(e, at))
        done, size = _size_done((*staying, *excess)), _size((*staying, *excess))
        scope, scope_now = _size((*then, *excess)), size_total
    return _Baseline(
        progress=done / size if size > 0 else None,
        scope=scope,
        change=(scope_now - scope) / scope if scope > 0 else None,
    )


def _items(entries: Sequence[Entry]) -> float:
    return total((e.share for e in entries), _numbers(entries))


def _was_there(entry: Entry, at: date) -> bool:
    """Whether the item had entered the scope by `at` and had not been canceled by then."""
    fact = entry.fact
    if entry.category == "canceled" and fact.canceled_on is not None and fact.canceled_on <= at:
        return False
    return fact.entered_on is None or fact.entered_on <= at
