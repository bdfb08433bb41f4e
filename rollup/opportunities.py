"""What could be won: named signals of room, of speed and of value that waits.

The counterpart of `risk`; the limits here are choices of this project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from domain.okr import Health
from rollup.allocation import Ledger, Load, Member, has_started
from rollup.portfolio import Rank
from rollup.risk import SET_ASIDE, Signal
from rollup.score import ratio9
from rollup.summary import percent, points
from rollup.views import InitiativeView, KeyResultView, Views

EARLY_DAYS = 14
"""Days before the due date from which a likely end is early."""
NEARLY = 0.90
"""Progress from which the rest is small."""
ROOM = 0.80
"""Load below which a team has room."""
BEST = 4
"""One initiative in so many, by value, should not wait."""

Found = tuple[str, Signal]
"""(subject, what could be won there)"""


def opportunities(
    views: Views, members: Sequence[Member], ranks: Sequence[Rank], loads: Sequence[Load]
) -> tuple[Found, ...]:
    """Return what could be won in a portfolio: value that waits first, then room, speed and what is nearly done."""
    ids = [one.initiative.id for one in members]
    served = dict.fromkeys(to for one in members for to in one.links)
    seen = [views.initiatives[id_] for id_ in ids]
    return (
        *_waiting(views, ranks),
        *((f"{one.team}", found) for one in loads if (found := _room(one)) is not None),
        *((to, found) for to in served if (found := _outcome_ahead(views.key_results[to])) is not None),
        *((view.initiative.id, found) for view in seen if (found := _early(view)) is not None),
        *((view.initiative.id, found) for view in seen if (found := _nearly(view)) is not None),
    )


def off_target(ledgers: Sequence[Ledger]) -> tuple[Found, ...]:
    """Return the values of dimensions whose share of the planned weeks is too far from its target, as risks."""
    return tuple(
        (
            f"{ledger.dimension}={row.value}",
            Signal(
                name="off_target",
                severity="medium",
                value=row.difference,
                reason=f"{percent(row.share)} % of the planned weeks, {points(row.difference)}"
                f" {'above' if row.difference > 0 else 'below'} its target",
            ),
        )
        for ledger in ledgers
        for row in ledger.rows
        if row.flagged and row.share is not None and row.difference is not None
    )


def over_capacity(loads: Sequence[Load]) -> tuple[Found, ...]:
    """Return the teams whose planned weeks exceed what they can do in a timeframe, as risks."""
    return tuple(
        (
            one.team,
            Signal(
                name="over_capacity",
                severity="medium",
                value=one.load,
                reason=f"{one.planned:g} weeks planned in {one.timeframe}, {one.capacity:g} can be done",
            ),
        )
        for one in loads
        if one.flags
    )


def _waiting(views: Views, ranks: Sequence[Rank]) -> list[Found]:
    """The best by benefit per planned week that nobody has begun."""
    valued = [one for one in ranks if one.value_rate is not None]
    found = []
    for place, one in enumerate(valued[: ceil(len(valued) / BEST)], start=1):
        view = views.initiatives[one.id]
        if view.verdict.computed not in SET_ASIDE and not has_started(view, views.sources.today):
            reason = f"not begun, and number {place} of {len(valued)} by benefit per planned week"
            found.append((one.id, Signal(name="waiting_value", value=one.value_rate, reason=reason)))
    return found


def _room(one: Load) -> Signal | None:
    if one.load is None or one.capacity is None or ratio9(one.load) >= ROOM:
        return None
    free = one.capacity - one.planned
    return Signal(
        name="free_capacity", value=free, reason=f"{free:g} of {one.capacity:g} weeks free in {one.timeframe}"
    )


def _outcome_ahead(view: KeyResultView) -> Signal | None:
    if view.outcome is None or view.outcome.score.value is None or view.delivery.value is None:
        return None
    ahead = ratio9(view.outcome.score.value - view.delivery.value)
    if ahead < view.policies.divergence:
        return None
    reason = f"the outcome is {points(ahead)} ahead of the delivery: the rest of the work may not be needed"
    return Signal(name="outcome_ahead", value=ahead, reason=reason)


def _early(view: InitiativeView) -> Signal | None:
    p85, due = view.forecast.p85, view.due
    if p85 is None or due is None or view.forecast.indicative or view.verdict.computed in SET_ASIDE:
        return None
    days = (due - p85).days
    return (
        Signal(name="early", value=days, reason=f"85 % likely done {days} days early") if days >= EARLY_DAYS else None
    )


def _nearly(view: InitiativeView) -> Signal | None:
    value = view.progress.value
    if value is None or not NEARLY <= ratio9(value) < 1 or view.verdict.computed in (*SET_ASIDE, Health.MISSED):
        return None
    left = left_of(view.progress.counts)
    items = "1 item is" if left == 1 else f"{left} items are"
    return Signal(name="nearly_done", value=value, reason=f"{percent(value)} % done, {items} left")


def left_of(counts: Mapping[str, int]) -> int:
    """Return how many items are still to do."""
    return counts.get("todo", 0) + counts.get("in_progress", 0)
