"""Delivery as a sum of parts, one for each structural parent, so that one changed item costs one small part.

Which items count is decided in `leaves`, how large they are in `sizes`; here they are added, and taken off again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import repeat
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

FORM = 1
"""To be raised when parts that an earlier version stored cannot be added to new ones."""

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
NAMES = [tuple((name, credited) for role, name, credited in SUMS if roles & role) for roles in range(2 * FLOWS)]
"""the same, looked up by all roles of an item"""
BY_ESTIMATE = "estimated_"
"""Names of sums of estimated sizes begin so: they stand beside those of plain counting, which may replace them."""

Judged = tuple[Entry, str | None, int]
"""(entry, why it is not in the sum, roles)"""
Cell = tuple[float, float, int]
"""(weight, credit, roles)"""
NOTHING: Mapping[str, int] = {}
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
    sums |= _sums(_fold(((e.weight, e.credit, roles), e.fact.count) for e, _, roles in judged if roles))
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
    lost: list[Entry] = []
    items = unestimated = live = 0
    for e, reason, roles in judged:
        n = e.fact.count
        if e.fact.inaccessible_on is not None:
            lost.append(e)
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
    scope = {"items": items, "unestimated": unestimated, "live": int(live > 0)}
    until = valid_until(lost, terms) if lost else None
    return {
        "scope": {word: n for word, n in scope.items() if n},
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
    first: date | None = None
    for e, reason, roles in judged:
        if not roles & FLOWS:
            continue
        fact = e.fact
        entered = fact.entered_on
        if entered is not None and (first is None or entered < first):
            first = entered
        if e.category != "done":
            if reason is None:
                remaining += fact.count
        elif (day := fact.completed_on) is not None:
            done[day] = done.get(day, 0) + fact.count
            if first is None or day < first:
                first = day
    if remaining:
        tallies["scope"]["remaining"] = remaining
    if first is not None:
        tallies["first"] = {first.isoformat(): 1}
    tallies["done"] = {day.isoformat(): n for day, n in done.items()}


def _points(judged: Sequence[Judged]) -> dict[str, list[float]]:
    """Add up plain estimates, canceled left out."""
    total: list[float] = []
    done: list[float] = []
    for e, _, roles in judged:
        if roles & LIVE and (size := estimate_of(e.fact)):
            sizes = [size] * e.fact.count
            total += sizes
            if e.category == "done":
                done += sizes
    return {name: exact(sizes) for name, sizes in (("points_total", total), ("points_done", done)) if sizes}


def _add_estimated(
    tallies: dict[str, dict[str, int]], sums: dict[str, list[float]], judged: Sequence[Judged], unestimated: str
) -> None:
    """Add what counts where sizes are estimates; what has to wait for the median of its team is listed."""
    imputed = unestimated == "impute_median"
    siblings = sibling_medians([e for e, _, _ in judged]) if imputed else {}
    estimates: dict[tuple[str, str, float], int] = {}
    waiting: dict[tuple[str, str, float, float, int], int] = {}
    weights: list[tuple[Cell, int]] = []
    for e, _, roles in judged:
        fact = e.fact
        size = estimate_of(fact)
        if size is not None and imputed and fact.team is not None and e.reason is None and e.category != "canceled":
            team = (fact.connection, fact.team, size)
            estimates[team] = estimates.get(team, 0) + fact.count
        if size is None and unestimated == "exclude":
            continue
        if size is None:
            size = siblings.get((fact.connection, fact.parent))
        if size is None and imputed and fact.team is not None:
            place = (fact.connection, fact.team, e.share, e.credit, roles)
            waiting[place] = waiting.get(place, 0) + fact.count
            continue
        size = 1.0 if size is None else size
        weights.append(((e.share * size, e.credit, roles), fact.count))
        if size > 0 and roles & COUNTED:
            tallies["scope"]["sized"] = 1
    tallies["estimates"] = {_packed(team): n for team, n in estimates.items()}
    tallies["waiting"] = {_packed(place): n for place, n in waiting.items() if place[-1]}
    sums |= {BY_ESTIMATE + name: values for name, values in _sums(_fold(weights)).items()}


def _sums(cells: Mapping[Cell, int]) -> dict[str, list[float]]:
    """Add up weights, and weights x credit, by role."""
    found: dict[str, list[float]] = {}
    for (weight, credit, roles), n in cells.items():
        for name, credited in NAMES[roles]:
            value = weight * credit if credited else weight
            if value:
                found.setdefault(name, []).extend(repeat(value, n))
    return {name: exact(values) for name, values in found.items()}


def _fold(pairs: Iterable[tuple[K, int]]) -> dict[K, int]:
    """Add up the counts of equal keys."""
    found: dict[K, int] = {}
    for key, n in pairs:
        found[key] = found.get(key, 0) + n
    return found


def _packed(words: Sequence[object]) -> str:
    """Write a key of several words as one, so that it can stand in JSON."""
    return json.dumps(words, ensure_ascii=False, separators=(",", ":"))


def merge(added: Iterable[Part], removed: Iterable[Part] = ()) -> Part:
    """Return the sum of parts less others; what is nothing any more leaves no trace."""
    tallies: dict[str, dict[str, int]] = {}
    sums: dict[str, list[float]] = {}
    for sign, parts in ((1, added), (-1, removed)):
        for part in parts:
            for word, counts in part.tallies.items():
                mine = tallies.setdefault(word, {})
                for key, n in counts.items():
                    mine[key] = mine.get(key, 0) + sign * n
            for name, values in part.sums.items():
                sums.setdefault(name, []).extend(sign * value for value in values)
    left = {word: {key: n for key, n in counts.items() if n} for word, counts in tallies.items()}
    rest = {name: exact(values) for name, values in sums.items()}
    return Part(
        {word: counts for word, counts in left.items() if counts},
        {name: values for name, values in rest.items() if values},
    )


def progress_of(part: Part, terms: Frame, at: date | None) -> Progress:
    """Return the progress that all parts of a subject add up to; `at` as they were tallied with."""
    flags = set(part.tallies.get("flags", ()))
    sums = part.sums
    if terms.policies.size in ESTIMATED_SIZES:
        by_estimate = _estimated(part, terms.policies.unestimated)
        if by_estimate is not None:
            sums = by_estimate
        elif part.tallies.get("scope", NOTHING).get("items"):
            flags.add("fallback_count")
    return told(part, sums, flags, baseline=at is not None)


def told(part: Part, sums: Mapping[str, Sequence[float]], flags: Iterable[str], *, baseline: bool) -> Progress:
    """Return the progress of tallies and sums as they stand."""
    scope, counts, until = (part.tallies.get(word, NOTHING) for word in ("scope", "counts", "until"))
    items, unestimated = scope.get("items", 0), scope.get("unestimated", 0)
    connections = part.tallies.get("connections", NOTHING)
    size_total, size_done, size_then, done_then, scope_base = (
        fsum(sums.get(name, ())) for name in ("size_total", "size_done", "baseline_size", "baseline_done", "scope_base")
    )
    known = "live" in scope and size_total > 0
    return Progress(
        value=size_done / size_total if known else None,
        state="ok" if known else "no_scope",
        size_total=size_total,
        size_done=size_done,
        counts={category: counts.get(category, 0) for category in CATEGORIES},
        points_total=fsum(part.sums.get("points_total", ())),
        points_done=fsum(part.sums.get("points_done", ())),
        items=sum(connections.values()),
        unestimated=unestimated,
        estimated_coverage=(items - unestimated) / items if items else None,
        baseline_progress=done_then / size_then if baseline and size_then > 0 else None,
        scope_base=scope_base if baseline else None,
        scope_change=(size_total - scope_base) / scope_base if baseline and scope_base > 0 else None,
        blocked_size=fsum(sums.get("blocked_size", ())),
        excluded=dict(sorted(part.tallies.get("excluded", NOTHING).items())),
        flags=tuple(sorted(flags)),
        connections=dict(sorted(connections.items())),
        valid_until=date.fromisoformat(min(until)) if until else None,
    )


def flow_of(part: Part) -> Flow:
    """Return the flow that all parts of a subject add up to."""
    first = part.tallies.get("first")
    return Flow(
        done={date.fromisoformat(day): n for day, n in sorted(part.tallies.get("done", NOTHING).items())},
        remaining=part.tallies.get("scope", NOTHING).get("remaining", 0),
        first=date.fromisoformat(min(first)) if first else None,
    )


def _estimated(part: Part, unestimated: str) -> dict[str, list[float]] | None:
    """Return the sums by estimate, None where plain counting takes their place."""
    scope = part.tallies.get("scope", NOTHING)
    if unestimated == "impute_median" and is_sparse(scope.get("items", 0), scope.get("unestimated", 0)):
        return None
    medians = _team_medians(part)
    cells: dict[Cell, int] = {}
    sized = "sized" in scope
    for place, n in part.tallies.get("waiting", NOTHING).items():
        connection, team, share, credit, roles = json.loads(place)
        size = medians.get((connection, team), 1.0)
        sized = sized or (size > 0 and roles & COUNTED > 0)
        cell = (share * size, credit, roles)
        cells[cell] = cells.get(cell, 0) + n
    if not sized:
        return None
    waiting = _sums(cells)
    return {name: [*part.sums.get(BY_ESTIMATE + name, ()), *waiting.get(name, ())] for _, name, _ in SUMS}


def _team_medians(part: Part) -> dict[tuple[str, str], float]:
    """Return the median estimate of each team."""
    known: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for group, n in part.tallies.get("estimates", NOTHING).items():
        connection, team, size = json.loads(group)
        known.setdefault((connection, team), []).append((size, n))
    return {team: median(sizes) for team, sizes in known.items()}
