"""A portfolio of initiatives: whom it consists of, what is worth most, when it comes, what is at risk and to be won.

Allocation by dimension is made in `allocation`, the limits of risk stand in `risk`; nothing here reads or prints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import fsum

from domain.okr import Status
from rollup.allocation import Member, member
from rollup.flow import Pace
from rollup.risk import Exposure, Risk, risk_of, signals
from rollup.sizes import Sized
from rollup.views import InitiativeView, KeyResultView, Views, children_of, key_results_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """Items of the portfolio: `items` and `done` by initiative (one that serves n of them as 1/n), `size` in full."""

    items: Mapping[str, float]
    done: Mapping[str, float]
    size: Mapping[str, float]
    total_items: int
    done_items: int
    progress: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rank:
    """What an initiative is worth: benefit per planned week, and how much of the portfolio hangs on it.

    `contribution` is the part of the portfolio's delivery that its items are, `open` what of that is not done yet.
    """

    id: str
    benefit: float | None
    value_rate: float | None
    contribution: float | None
    open: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """What a timeframe holds on the roadmap; `timeframe` None holds what has no date."""

    timeframe: str | None
    initiatives: tuple[str, ...]


def members_of(views: Views, objectives: Iterable[str], weight: Weight | None = None) -> tuple[Member, ...]:
    """Return the initiatives that serve some objectives, and those that serve none at all; canceled ones are out."""
    wanted = set(objectives)
    workspace, today = views.sources.workspace, views.sources.today
    inside = {id_ for id_, kr in workspace.key_results.items() if kr.objective in wanted}
    items = weight.items if weight is not None else {}
    found = []
    for view in views.initiatives.values():
        if view.initiative.status is not Status.CANCELED:
            one = member(view, workspace, inside, today=today, items=items.get(view.initiative.id, 0.0))
            if one.part > 0:
                found.append(one)
    return tuple(found)


def weigh(settled: Sized, initiatives: Iterable[str]) -> Weight:
    """Count the items behind some initiatives, each once; the shares that they have in key results do not matter."""
    wanted = frozenset(initiatives)
    cells: dict[frozenset[str], list[tuple[int, bool, float, float]]] = {}
    for e in (*settled.entries, *settled.excess):
        held = e.fact.links & wanted
        if e.reason is None and held:
            n = e.fact.count if e.imputed != "excess" else 1
            counted = n if e.imputed != "excess" else 0
            cells.setdefault(held, []).append((counted, e.category == "done", e.weight * n, e.weight * e.credit * n))
    items: dict[str, list[float]] = {id_: [] for id_ in wanted}
    done: dict[str, list[float]] = {id_: [] for id_ in wanted}
    size: dict[str, list[float]] = {id_: [] for id_ in wanted}
    for held, found in cells.items():
        for id_ in held:
            items[id_].append(sum(n for n, *_ in found) / len(held))
            done[id_].append(sum(n for n, is_done, *_ in found if is_done) / len(held))
            size[id_].append(fsum(weight for *_, weight, _ in found))
    every = [one for found in cells.values() for one in found]
    whole = fsum(weight for *_, weight, _ in every)
    return Weight(
        items={id_: fsum(found) for id_, found in items.items()},
        done={id_: fsum(found) for id_, found in done.items()},
        size={id_: fsum(found) for id_, found in size.items()},
        total_items=sum(n for n, *_ in every),
        done_items=sum(n for n, is_done, *_ in every if is_done),
        progress=fsum(credited for *_, credited in every) / whole if whole > 0 else None,
    )


def value_rate(benefit: float | None, planned: float | None) -> float | None:
    """Return benefit per planned week: 60 in 4 weeks are 15; None where nothing was planned or no benefit is stated."""
    return benefit / planned if benefit is not None and planned else None


def ranking(members: Sequence[Member], views: Views, size: Mapping[str, float]) -> tuple[Rank, ...]:
    """Return the initiatives by benefit per planned week, the best first; what has none comes last, by contribution.

    `size` is the size of each initiative's items under one policy. An initiative is share x size / sum of that of the
    delivery of each key result it serves; key results and objectives count by their weights, objectives side by side.
    """
    contributions = _contributions(members, views, size)
    ranks = []
    for one in members:
        id_ = one.initiative.id
        stated = [c.benefit for c in one.initiative.contributes if c.benefit is not None]
        benefit = fsum(stated) if stated else None
        progress = views.initiatives[id_].progress.value
        whole = contributions.get(id_)
        left = whole * (1 - (progress or 0.0)) if whole is not None else None
        ranks.append(
            Rank(id=id_, benefit=benefit, value_rate=value_rate(benefit, one.planned), contribution=whole, open=left)
        )
    return tuple(sorted(ranks, key=lambda one: (-(one.value_rate or 0.0), -(one.contribution or 0.0))))


def _contributions(members: Sequence[Member], views: Views, size: Mapping[str, float]) -> dict[str, float]:
    """Return how much of the portfolio's delivery each initiative is; they sum to 1 where anything has a size."""
    workspace = views.sources.workspace
    inside = {one.initiative.id for one in members}
    sized: dict[str, dict[str, float]] = {}
    for to in dict.fromkeys(to for one in members for to in one.links):
        shares = views.sources.contributors.get(to, {})
        parts = {id_: k * size.get(id_, 0.0) for id_, k in shares.items() if id_ in inside}
        if fsum(parts.values()) > 0:
            sized[to] = parts
    weights: dict[str, float] = {}
    for to in sized:
        kr = workspace.key_results[to]
        if kr.status in (Status.ACTIVE, Status.CLOSED):
            weights[to] = kr.weight
    per_objective: dict[str, float] = {}
    for to, weight in weights.items():
        objective = workspace.key_results[to].objective
        per_objective[objective] = per_objective.get(objective, 0.0) + weight
    present = {id_: workspace.objectives[id_].weight for id_, total in per_objective.items() if total > 0}
    whole = fsum(present.values())
    found: dict[str, list[float]] = {}
    for to, weight in weights.items():
        objective = workspace.key_results[to].objective
        if objective not in present or whole <= 0:
            continue
        here = weight / per_objective[objective] * present[objective] / whole
        total = fsum(sized[to].values())
        for id_, part in sized[to].items():
            found.setdefault(id_, []).append(here * part / total)
    return {id_: fsum(each) for id_, each in found.items()}


def roadmap(members: Sequence[Member], views: Views, timeframes: Iterable[str]) -> tuple[Stay, ...]:
    """Return the initiatives by the timeframes they run in, the earliest first, each by start and due date.

    One runs from its start to its due date; where one of them is missing, on the other. Of nested timeframes the
    narrowest that it touches hold it. What has no date comes last.
    """
    workspace = views.sources.workspace
    known = sorted((workspace.timeframes[name] for name in timeframes), key=lambda one: (one.start, one.end, one.id))
    held: dict[str | None, list[str]] = {one.id: [] for one in known}
    for one in sorted(members, key=lambda one: _span(views.initiatives[one.initiative.id]) or (date.max, date.max)):
        span = _span(views.initiatives[one.initiative.id])
        touched = [t for t in known if span is not None and t.start <= span[1] and span[0] <= t.end]
        around = {t.parent for t in touched}
        for t in touched:
            if t.id not in around:
                held[t.id].append(one.initiative.id)
        if span is None:
            held.setdefault(None, []).append(one.initiative.id)
    return tuple(Stay(timeframe=name, initiatives=tuple(ids)) for name, ids in held.items() if ids)


def _span(view: InitiativeView) -> tuple[date, date] | None:
    start, due = view.initiative.start, view.due
    days = [day for day in (start, due) if day is not None]
    return (days[0], days[-1]) if days else None


def risks(views: Views, objectives: Iterable[str], members: Sequence[Member], paces: Mapping[str, Pace]) -> list[Risk]:
    """Return the risk of each initiative, key result and objective of a portfolio, in this order."""
    inside = {one.initiative.id for one in members}
    found: dict[str, Risk] = {}
    for one in members:
        view = views.initiatives[one.initiative.id]
        found[view.initiative.id] = risk_of(
            view.initiative.id, signals(_initiative(view, paces.get(view.initiative.id)))
        )
    wanted = [views.objectives[id_] for id_ in objectives]
    for objective in wanted:
        for kr in key_results_of(views, objective.objective.id):
            id_ = kr.key_result.id
            below = [found[i] for i in views.sources.contributors.get(id_, {}) if i in inside]
            found[id_] = risk_of(id_, signals(_key_result(kr, views)), below)
    ids = {one.objective.id for one in wanted}

    def settle(id_: str, path: tuple[str, ...]) -> Risk:
        if id_ not in found:
            below = [found[kr.key_result.id] for kr in key_results_of(views, id_)]
            children = children_of(views.sources.workspace, id_)
            below += [settle(one.id, (*path, id_)) for one in children if one.id in ids and one.id not in (*path, id_)]
            view = views.objectives[id_]
            own = Exposure(health=view.verdict.computed, coverage=view.computed.coverage)
            aside = [one for one in signals(own) if one.name == "coverage"]
            found[id_] = risk_of(id_, aside, below)
        return found[id_]

    for objective in wanted:
        settle(objective.objective.id, ())
    return list(found.values())


def _initiative(view: InitiativeView, pace: Pace | None) -> Exposure:
    progress = view.progress
    remaining = progress.size_total - progress.size_done
    return Exposure(
        health=view.verdict.computed,
        q=view.forecast.probability,
        scope_change=progress.scope_change,
        blocked=min(progress.blocked_size / remaining, 1.0) if remaining > 0 else None,
        ageing=pace.ageing if pace is not None else 0,
        ageing_share=pace.ageing_share if pace is not None else None,
        reliability=progress.baseline_progress if view.verdict.ended else None,
        stale="stale" in view.overlays,
        coverage=view.coverage,
        estimated_coverage=progress.estimated_coverage,
    )


def _key_result(view: KeyResultView, views: Views) -> Exposure:
    delivery = view.delivery
    remaining = delivery.size_total - delivery.size_done
    return Exposure(
        health=view.verdict.computed,
        q=view.forecast.probability,
        scope_change=delivery.scope_change,
        blocked=min(delivery.blocked_size / remaining, 1.0) if remaining > 0 else None,
        reliability=_kept(view, views),
        divergence="divergence" in view.overlays,
        stale="stale" in view.overlays,
        coverage=view.coverage,
        estimated_coverage=delivery.estimated_coverage,
    )


def _kept(view: KeyResultView, views: Views) -> float | None:
    """Return how much of what it began with got done: by a key result that is over, until then by what it continues."""
    if view.verdict.ended:
        return view.delivery.baseline_progress
    before = views.key_results.get(view.key_result.continues or "")
    return before.delivery.baseline_progress if before is not None and before.verdict.ended else None
