"""Delivery as a sum of parts, one for each structural parent, so that one changed item costs one small part.

Which items count is decided in `leaves`, how large they are in `sizes`; here they are added, and taken off again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain, repeat
from math import fsum
from typing import TypeVar

from domain.facts import Fact, Flow, Progress
from domain.rules import Policies
from rollup.leaves import Entry, Frame, estimate_of, was_there
from rollup.sizes import ESTIMATED_SIZES, is_sparse, median, sibling_medians, valid_until
from rollup.tree import Key

CATEGORIES = ("todo", "in_progress", "done", "canceled")
COUNTED_REASONS = frozenset(
    {"canceled", "done_before_start", "unestimated", "inaccessible", "entered_after_end", "subtask"}
)
"""Reasons that `Progress.excluded` counts; the others are told item by item only."""

COUNTED, LIVE, BLOCKED, STAYING, THERE, FLOWS = 1, 2, 4, 8, 16, 32
"""What an item has a role in: the sum; the same less canceled; what is blocked; the baseline less what was
canceled since; the whole baseline; the flow."""
SUMS = (
    (COUNTED, "size_total", False),
    (COUNTED, "size_done", True),
    (BLOCKED, "blocked_size", False),
    (STAYING, "baseline_size", False),
    (STAYING, "baseline_done", True),
    (THERE, "scope_base", False),
)
"""The sums of weights by role; True where it is weight x credit."""
BY_ESTIMATE = "estimated_"
"""Names of sums of estimated sizes begin so: they stand beside those of plain counting, which may replace them."""

Judged = tuple[Entry, str | None, int]
"""(entry, why it is not in the sum, roles)"""
Cell = tuple[float, float, int]
"""(weight, credit, roles)"""
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Part:
    """What some items add to a subject under its policies; JSON-able, the same for every order of adding.

    `tallies` are counts by word: ``scope`` (items, unestimated; live, sized, remaining), ``counts``,
    ``excluded``, ``connections``, ``flags``, ``done`` (completions by day), ``first`` (the earliest day that
    anything is known of), ``until`` (the first day on which the same facts say something else), ``estimates``
    by team and ``waiting`` for the median of their team. `sums` are sums of floats without rounding.
    """

    tallies: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    sums: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tallies or self.sums)


def separable(policies: Policies) -> bool:
    """Say whether delivery under these policies is a sum of parts; else a size may depend on any other item."""
    return policies.size != "equal_per_child" and not (policies.top_down and policies.size in ESTIMATED_SIZES)


def group_of(fact: Fact) -> Key:
    """Return the part that an item belongs to: of its structural parent, without one of its bucket."""
    return fact.connection, fact.parent if fact.parent is not None else f"/{fact.bucket}"


def exact(values: Iterable[float]) -> list[float]:
    """Return a sum without rounding: the nearest float, the float nearest to the rest, and so on."""
    terms = list(values)
    found: list[float] = []
    while rest := fsum(terms):
        found.append(rest)
        terms.append(-rest)
    return found


def tally(entries: Sequence[Entry], terms: Frame, at: date | None, *, weighed: bool = False) -> Part:
    """Return what the entries of whole groups add; `at` is the date of the baseline.

    `weighed` says that the entries have their final weights and reasons, else they are as `leaves` made them.
    """
    policies = terms.policies
    by_estimate = not weighed and policies.size in ESTIMATED_SIZES
    judged = _judge(entries, terms, at, skip_unestimated=by_estimate and policies.unestimated == "exclude")
    tallies, sums = _counts(judged, terms), _points(judged)
    _add_flow(tallies, judged)
    sums |= _sums(_fold((e.weight, e.credit, roles) for e, _, roles in judged))
    if by_estimate:
        _add_estimated(tallies, sums, judged, policies.unestimated)
    return Part({word: counts for word, counts in tallies.items() if counts}, sums)


def _judge(entries: Sequence[Entry], terms: Frame, at: date | None, *, skip_unestimated: bool) -> list[Judged]:
    """Say what each entry has a role in."""
    baseline_only = terms.policies.scope_basis == "baseline" and at is not None
    found: list[Judged] = []
    for e in entries:
        reason = e.reason
        there = at is not None and was_there(e, at)
        if reason is None:
            if skip_unestimated and estimate_of(e.fact) is None:
                reason, roles = "unestimated", 0
            elif e.category == "canceled":
                roles = COUNTED | THERE if there else COUNTED
            else:
                roles = COUNTED | LIVE | STAYING | THERE if there else COUNTED | LIVE
                if e.fact.blocked and e.category != "done":
                    roles |= BLOCKED
                if there or not baseline_only:
                    roles |= FLOWS
        elif reason == "canceled":
            roles = THERE if there else 0
        else:
            roles = FLOWS if reason == "done_before_start" else 0
        found.append((e, reason, roles))
    return found


def _counts(judged: Sequence[Judged], terms: Frame) -> dict[str, dict[str, int]]:
    """Count items by category, connection and reason, and note what they say about themselves."""
    counts: dict[str, int] = {}
    excluded: dict[str, int] = {}
    connections: dict[str, int] = {}
    flags: dict[str, int] = {}
    items = unestimated = live = 0
    for e, reason, roles in judged:
        n = e.fact.count
        if e.reason is None:
            items += n
            if e.notes:
                flags.update(dict.fromkeys(e.notes, 1))
            if estimate_of(e.fact) is None:
                unestimated += n
        if reason is None:
            live |= roles & LIVE
            counts[e.category] = counts.get(e.category, 0) + n
            connections[e.fact.connection] = connections.get(e.fact.connection, 0) + n
        elif reason in COUNTED_REASONS:
            excluded[reason] = excluded.get(reason, 0) + n
            if reason in ("canceled", "unestimated"):
                counts[e.category] = counts.get(e.category, 0) + n
    until = valid_until((e for e, _, _ in judged), terms)
    return {
        "scope": _positive({"items": items, "unestimated": unestimated, "live": int(live > 0)}),
        "counts": counts,
        "excluded": excluded,
        "connections": connections,
        "flags": flags,
        "until": {until.isoformat(): 1} if until is not None else {},
    }


def _add_flow(tallies: dict[str, dict[str, int]], judged: Sequence[Judged]) -> None:
    """Count completions by day, what remains, and note the earliest day."""
    done: dict[date, int] = {}
    remaining = 0
    days: set[date] = set()
    for e, reason, roles in judged:
        if not roles & FLOWS:
            continue
        fact = e.fact
        if fact.entered_on is not None:
            days.add(fact.entered_on)
        if e.category != "done":
            remaining += fact.count if reason is None else 0
        elif fact.completed_on is not None:
            done[fact.completed_on] = done.get(fact.completed_on, 0) + fact.count
    if remaining:
        tallies["scope"]["remaining"] = remaining
    if days or done:
        tallies["first"] = {min(days.union(done)).isoformat(): 1}
    tallies["done"] = {day.isoformat(): n for day, n in done.items()}


def _points(judged: Sequence[Judged]) -> dict[str, list[float]]:
    """Add up plain estimates, canceled left out."""
    found = [
        (size, e.category == "done", e.fact.count)
        for e, _, roles in judged
        if roles & LIVE and (size := estimate_of(e.fact)) is not None
    ]
    sums = {
        "points_total": exact(chain.from_iterable(repeat(size, n) for size, _, n in found)),
        "points_done": exact(chain.from_iterable(repeat(size, n) for size, done, n in found if done)),
    }
    return {name: values for name, values in sums.items() if values}
