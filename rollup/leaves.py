"""Which items count for a subject: what is a leaf, what left the scope and why, what credit the rest have.

Sizes and sums are made from these entries elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain, repeat
from math import inf
from typing import NamedTuple

from domain.facts import Fact, Facts, Node
from domain.rules import Policies
from rollup.tree import Key, Tree, ancestors, counted_as_leaf, is_covered, is_cyclic, key_of

OPEN = ("todo", "in_progress")


class Entry(NamedTuple):
    """How the items of one fact count for one subject.

    `node` is set where an item with children is meant. `category` is as of the evaluation (an item
    completed after a frozen end is todo). `weight` is share x size of one item, `reason` why the items do
    not enter the sum (None: they do), `imputed` where a missing size was taken from: ``siblings``,
    ``team``, ``one``; `notes` are the flags that these items raise.
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
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The terms of one evaluation.

    `end` is set only where it freezes the subject, and is `today` then. What was done before
    `exclude_before` does not count. `credits` is credit by (category, stage is review).
    """

    policies: Policies
    today: date
    end: date | None
    exclude_before: date | None
    credits: Mapping[tuple[str, bool], float]
    gone_before: date
    """items that have been inaccessible since this day or longer are out"""


class Above(NamedTuple):
    """What stands above the children of one parent, as far as it matters to them."""

    chain: tuple[Node, ...]
    done: bool
    done_on: date | None
    canceled: bool
    cyclic: bool
    covered: bool
    under_epic: bool


def frame(
    policies: Policies,
    today: date,
    *,
    start: date | None = None,
    end: date | None = None,
    before_start_applies: bool = False,
) -> Frame:
    """Return the terms of an evaluation; see `progress.sized` for the arguments."""
    frozen = end if end is not None and today > end and policies.health.freeze_after_end else None
    today = frozen or today
    return Frame(
        policies=policies,
        today=today,
        end=frozen,
        exclude_before=start if before_start_applies and policies.before_start == "exclude" else None,
        credits=_credits(policies),
        gone_before=today - timedelta(days=policies.inaccessible_grace),
    )


def _credits(policies: Policies) -> dict[tuple[str, bool], float]:
    credit = policies.credit
    canceled = credit.done if policies.canceled == "as_done" else credit.todo
    by_category = {"todo": credit.todo, "in_progress": credit.started, "done": credit.done, "canceled": canceled}
    reviewed = {**by_category, "in_progress": credit.review}
    return {(c, review): (reviewed if review else by_category)[c] for c in by_category for review in (False, True)}


def category_at(fact: Fact, end: date | None) -> str:
    """Return the category as of `end`: what was completed or canceled later was still to do."""
    if end is not None:
        if fact.category == "done" and fact.completed_on is not None and fact.completed_on > end:
            return "todo"
        if fact.category == "canceled" and fact.canceled_on is not None and fact.canceled_on > end:
            return "todo"
    return fact.category


def is_before(day: date | None, limit: date | None) -> bool:
    """Say whether a known day lies before a limit that is set."""
    return day is not None and limit is not None and day < limit


def was_there(entry: Entry, at: date) -> bool:
    """Say whether an item had entered the scope by `at` and had not been canceled by then."""
    fact = entry.fact
    if entry.category == "canceled" and fact.canceled_on is not None and fact.canceled_on <= at:
        return False
    return fact.entered_on is None or fact.entered_on <= at


def estimate_of(fact: Fact) -> float | None:
    """Return the estimate, None where there is none or it is no size at all (negative, infinite, not a number)."""
    value = fact.estimate
    return value if value is not None and 0 <= value < inf else None


def scope_entries(facts: Facts, tree: Tree, shares: Mapping[str, float], terms: Frame) -> list[Entry]:
    """Return an entry for each fact that touches the initiatives of `shares`, each of size 1 for now.

    Facts of children that were linked elsewhere are told as ``moved_away``; what has nothing to do with
    the subject is left out.
    """
    share_of: dict[frozenset[str], float] = {}
    above_of: dict[tuple[str, str | None], Above] = {}
    entries: list[Entry] = []
    for fact, node in _all(facts.rows, tree):
        share = share_of.get(fact.links)
        if share is None:
            share = share_of[fact.links] = _share(fact.links, shares)
        above_share = share_of.get(fact.parent_links)
        if above_share is None:
            above_share = share_of[fact.parent_links] = _share(fact.parent_links, shares)
        if share <= 0:
            if above_share > 0:
                reason = "deleted" if fact.deleted else "moved_away"
                entries.append(Entry(fact, node, 0.0, fact.category, 0.0, 1.0, 0.0, None, reason, ()))
            continue
        where = (fact.connection, fact.parent)
        above = above_of.get(where)
        if above is None:
            above = above_of[where] = _above(tree, *where, terms)
        entries.append(_entry(fact, node, share, above, above_share > 0, tree, terms))
    return entries


def epic_entries(facts: Facts, tree: Tree, terms: Frame, only: Sequence[Key] | None) -> dict[Key, list[Entry]]:
    """Return the entries below each epic (or each of `only`), whatever they are linked to.

    Each fact is looked at once, whatever the number of epics.
    """
    wanted = [k for k, n in tree.nodes.items() if n.level == "epic"] if only is None else only
    groups: dict[Key, list[Entry]] = {key: [] for key in wanted if key in tree.nodes}
    known: dict[tuple[str, str | None], tuple[Above, list[list[Entry]]]] = {}
    for fact, node in _all(facts.rows, tree):
        where = (fact.connection, fact.parent)
        found = known.get(where)
        if found is None:
            above = _above(tree, *where, terms)
            found = known[where] = (above, [groups[key] for key in map(key_of, above.chain) if key in groups])
        above, lists = found
        if lists:
            entry = _entry(fact, node, 1.0, above, True, tree, terms)
            own = groups.get(key_of(node)) if node is not None else None
            for group in lists:
                if group is not own:  # in a circle an epic stands above itself
                    group.append(entry)
    return groups


def _all(rows: Iterable[Fact], tree: Tree) -> Iterator[tuple[Fact, Node | None]]:
    nodes = tree.nodes.values()
    return chain(zip(rows, repeat(None)), ((n.fact, n) for n in nodes))


def _share(links: frozenset[str], shares: Mapping[str, float]) -> float:
    return max((shares[i] for i in links if i in shares), default=0.0)


def _above(tree: Tree, connection: str, parent: str | None, terms: Frame) -> Above:
    above = ancestors(tree, connection, parent)
    done = next((n.fact for n in above if category_at(n.fact, terms.end) == "done"), None)
    level = terms.policies.leaf_level
    return Above(
        chain=above,
        done=done is not None,
        done_on=done.completed_on if done else None,
        canceled=any(category_at(n.fact, terms.end) == "canceled" for n in above),
        cyclic=is_cyclic(tree, connection, parent),
        covered=bool(above) and is_covered(tree, above[0], level),
        under_epic=level == "epic_children" and bool(above) and above[0].level == "epic",
    )


def _not_a_leaf(fact: Fact, node: Node | None, above: Above, parent_counts: bool, tree: Tree, level: str) -> str | None:
    """Why an item is no leaf of the scope, None where it is one."""
    if fact.deleted:
        return "deleted"
    if fact.mirror_of is not None:
        return "mirror"
    if node is None and fact.subtask and level != "lowest":
        if not parent_counts or (above.under_epic and not above.covered):
            return None
        return "subtask"
    if above.covered:
        return "below_leaf"
    return "has_children" if node is not None and not counted_as_leaf(tree, node, level) else None


def _out_of_scope(fact: Fact, terms: Frame) -> str | None:
    if fact.inaccessible_on is not None and fact.inaccessible_on <= terms.gone_before:
        return "inaccessible"
    if is_before(terms.end, fact.entered_on):
        return "entered_after_end"
    return None


def _entry(
    fact: Fact, node: Node | None, share: float, above: Above, parent_counts: bool, tree: Tree, terms: Frame
) -> Entry:
    category = fact.category if terms.end is None else category_at(fact, terms.end)
    policies = terms.policies
    reason: str | None = None
    if node is not None or fact.subtask or above.covered or fact.deleted or fact.mirror_of is not None:
        reason = _not_a_leaf(fact, node, above, parent_counts, tree, policies.leaf_level)
    if reason is None and (terms.end is not None or fact.inaccessible_on is not None):
        reason = _out_of_scope(fact, terms)
    if reason is not None:
        return Entry(fact, node, share, category, 0.0, 1.0, share, None, reason, ())
    credit = terms.credits[category, fact.stage == "review"]
    is_open = category in OPEN
    won = above.done and is_open and policies.parent_done_wins
    if won:
        credit = 1.0
    if category == "canceled":
        if policies.canceled == "exclude":
            reason = "canceled"
    elif (
        terms.exclude_before is not None
        and (won or category == "done")
        and is_before(above.done_on if won else fact.completed_on, terms.exclude_before)
    ):
        reason = "done_before_start"
    notes: tuple[str, ...] = ()
    if fact.flags or above.done or above.canceled or above.cyclic or fact.inaccessible_on is not None:
        notes = _notes(fact, above, is_open, terms)
    if fact.estimate is not None and not 0 <= fact.estimate < inf:
        notes = (*notes, "bad_estimate")
    return Entry(fact, node, share, category, credit, 1.0, share, None, reason, notes if reason is None else ())


def _notes(fact: Fact, above: Above, is_open: bool, terms: Frame) -> tuple[str, ...]:
    """The flags that an item raises in a scope it counts for."""
    found = [word for word in fact.flags.split() if word != "archived"]
    if is_open and "archived" in fact.flags.split():
        found.append("archived_open")
    if is_open and above.done:
        found.append("done_parent_open_children")
    if is_open and above.canceled:
        found.append("canceled_parent_open_children")
    if above.cyclic:
        found.append("cycle")
    if fact.inaccessible_on is not None and fact.inaccessible_on <= terms.today:
        found.append("inaccessible")
    return tuple(found)
