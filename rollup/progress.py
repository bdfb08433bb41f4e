"""Delivery progress: what the items of a subject add up to, now and against its baseline.

Metrics, health and anything that depends on the hour of asking live elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date
from operator import mul
from typing import NamedTuple

from domain.facts import Facts, Flow, Node, Progress
from domain.rules import Policies
from rollup.equal import equal_weights
from rollup.leaves import Entry, Frame, category_at, epic_entries, frame, scope_entries, was_there
from rollup.parts import CATEGORIES, Part, flow_of, group_of, progress_of, separable, tally, told
from rollup.sizes import ESTIMATED_SIZES, Sized, excesses, settle, total
from rollup.tree import Key, Tree, counted_as_leaf, key_of, plant


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
    return delivered(facts, shares, terms, baseline_at)[0]


def delivered(facts: Facts, shares: Mapping[str, float], terms: Frame, at: date | None) -> tuple[Progress, Flow]:
    """Return the delivery progress of a subject and its flow; `at` is the date of the baseline."""
    tree = plant(facts.nodes)
    entries = scope_entries(facts, tree, shares, terms)
    if separable(terms.policies):
        part = tally(entries, terms, at)
        return progress_of(part, terms, at), flow_of(part)
    settled = settle(entries, tree, terms, shares=shares)
    found = _sum(settled, terms)
    if at is None:
        return found, flow_of(tally(settled.entries, terms, None, weighed=True))
    base = _baseline(settled, tree, terms, shares, at, found.size_total)
    found = replace(found, baseline_progress=base.progress, scope_base=base.scope, scope_change=base.change)
    return found, flow_of(tally(settled.entries, terms, at, weighed=True))


def parts(
    facts: Facts, shares: Mapping[str, float], terms: Frame, at: date | None, only: Collection[Key] | None = None
) -> dict[Key, Part]:
    """Return what each structural parent's children add to a subject, those of `only` or all; arguments as above.

    The policies must be separable; `merge` of all parts is what `delivered` is made of.
    """
    groups: dict[Key, list[Entry]] = {}
    for e in scope_entries(facts, plant(facts.nodes), shares, terms):
        key = group_of(e.fact)
        if only is None or key in only:
            groups.setdefault(key, []).append(e)
    found = ((key, tally(entries, terms, at)) for key, entries in groups.items())
    return {key: part for key, part in found if part}


def at_baseline(settled: Sized, at: date) -> Sized:
    """Return the same rows with what came into scope after `at` left out (`scope_basis: baseline`)."""
    entries = tuple(
        e._replace(reason="added_after_baseline") if e.reason is None and not was_there(e, at) else e
        for e in settled.entries
    )
    return replace(settled, entries=entries, excess=tuple(e for e in settled.excess if was_there(e, at)))


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


def epic_flow(facts: Facts, key: Key, policies: Policies, *, today: date) -> Flow:
    """Return the flow of an epic, which its forecast is made of; raise KeyError where it has no children."""
    terms = frame(policies, today)
    return flow_of(tally(epic_sized(facts, key, policies, today=today).entries, terms, None, weighed=True))


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
    if separable(terms.policies):
        return progress_of(tally(entries, terms, None), terms, None)
    return _sum(settle(entries, tree, terms, shares=None, top=key_of(epic)), terms)


def _sum(settled: Sized, terms: Frame) -> Progress:
    """Add up what was settled, without its baseline."""
    part = tally(settled.entries, terms, None, weighed=True)
    sums = {
        **part.sums,
        "size_total": [*part.sums.get("size_total", ()), *(e.weight for e in settled.excess)],
        "size_done": [*part.sums.get("size_done", ()), *(e.weight * e.credit for e in settled.excess)],
    }
    return replace(
        told(part, sums, settled.flags, baseline=False),
        unestimated=settled.unestimated,
        estimated_coverage=settled.estimated_coverage,
        valid_until=settled.valid_until,
    )


def _numbers(entries: Sequence[Entry]) -> list[int]:
    """How many items each entry stands for; a parent's excess is one."""
    return [e.fact.count if e.imputed != "excess" else 1 for e in entries]


def _size(entries: Sequence[Entry]) -> float:
    return total([e.weight for e in entries], _numbers(entries))


def _size_done(entries: Sequence[Entry]) -> float:
    return total([e.weight * e.credit for e in entries], _numbers(entries))


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
    then = [e for e in settled.entries if e.reason in (None, "canceled") and was_there(e, at)]
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
            before = [e for e in settled.entries if e.reason == "done_before_start" and was_there(e, at)]
            excess = tuple(e for e in excesses(staying + before, tree, terms, shares, None) if was_there(e, at))
        done, size = _size_done((*staying, *excess)), _size((*staying, *excess))
        scope, scope_now = _size((*then, *excess)), size_total
    return _Baseline(
        progress=done / size if size > 0 else None,
        scope=scope,
        change=(scope_now - scope) / scope if scope > 0 else None,
    )


def _items(entries: Sequence[Entry]) -> float:
    return total((e.share for e in entries), _numbers(entries))
