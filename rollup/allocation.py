"""Where the planned effort goes: planned, done and in flight by every dimension, teams against their capacity.

Weeks come from the workspace file and from progress; no week is ever made of items.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from math import fsum

from domain.okr import Initiative, KeyResult, Status
from domain.workspace import Workspace
from rollup.score import ratio9
from rollup.views import InitiativeView

MAX_DIFFERENCE = 0.10
"""How far the planned share may lie from its target before it is flagged."""
BUILT_IN = ("objective", "initiative", "team", "timeframe")

Shares = Mapping[str | None, float]
"""value of a dimension -> how much of an initiative stands there; None: no value"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An initiative of a portfolio: what it serves there, what it costs, how far it is.

    `links` are key results of the portfolio with their fraction of the whole initiative, `part` is their sum (1
    without any link at all). `planned`, `done` and `in_flight` are weeks of the whole initiative, None where nothing
    was planned. `items` are the items of the whole initiative, one that serves n initiatives as 1/n.
    """

    initiative: Initiative
    links: Mapping[str, float]
    part: float
    planned: float | None
    done: float | None
    in_flight: float | None
    items: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One value of a dimension: weeks, the share of all planned weeks against its target, items."""

    value: str | None
    planned: float
    done: float
    in_flight: float
    share: float | None
    target: float | None
    difference: float | None
    flagged: bool
    items: float
    unplanned_items: float
    unlinked_items: float
    initiatives: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Planned weeks of a team against what it can do in a timeframe; over 1 is `over_capacity`."""

    team: str
    timeframe: str
    planned: float
    capacity: float | None
    load: float | None
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A dimension with its rows."""

    dimension: str
    rows: tuple[Row, ...] = field(default=())


def member(
    view: InitiativeView, workspace: Workspace, key_results: Collection[str], *, today: date, items: float = 0.0
) -> Member:
    """Return an initiative as it stands in a portfolio of some key results.

    Its planned weeks split over all key results it serves by share / sum of shares (semantics section 9); those
    outside the portfolio take their fraction with them. Done is planned weeks x progress. What is left of one that has
    started is in flight, unless it is paused or closed.
    """
    one = view.initiative
    served = {c.to: c.share for c in one.contributes if c.to in workspace.key_results}
    whole = fsum(served.values())
    links = {to: share / whole for to, share in served.items() if to in key_results}
    planned = one.planned_weeks
    progress = view.progress.value or 0.0
    done = planned * progress if planned is not None else None
    in_flight = None
    if planned is not None and done is not None:
        in_flight = planned - done if one.status is Status.ACTIVE and has_started(view, today) else 0.0
    return Member(
        initiative=one,
        links=links,
        part=fsum(links.values()) if served else 1.0,
        planned=planned,
        done=done,
        in_flight=in_flight,
        items=items,
    )


def has_started(view: InitiativeView, today: date) -> bool:
    """Say whether an initiative has begun: by its start, or by work that is under way or done."""
    counts = view.progress.counts
    begun = counts.get("in_progress", 0) + counts.get("done", 0) > 0
    start = view.initiative.start
    return begun or (start is not None and start <= today)


def places(one: Member, dimension: str, workspace: Workspace) -> dict[str | None, float]:
    """Return how much of an initiative stands at each value of a dimension; the fractions sum to its `part`.

    A list splits equally, a map as given. Of a dimension that it has no value on, each link takes the value of its key
    result, else of the objective, else of the nearest objective above that has one.
    """
    match dimension:
        case "initiative":
            return {one.initiative.id: one.part}
        case "team":
            return {one.initiative.team: one.part}
        case "objective":
            return _by_link(one, lambda kr: {kr.objective: 1.0}, workspace)
        case "timeframe":
            return _by_link(one, lambda kr: {timeframe_of(workspace, kr): 1.0}, workspace)
        case _:
            own = split(one.initiative.dimensions.get(dimension))
            if own is not None:
                return {value: part * one.part for value, part in own.items()}
            return _by_link(one, lambda kr: _inherited(workspace, kr, dimension), workspace)


def split(stated: object) -> dict[str | None, float] | None:
    """Return what a classification states as shares that sum to 1, None where it states nothing."""
    match stated:
        case str():
            return {stated: 1.0}
        case Mapping():
            return {str(value): float(part) for value, part in stated.items()} or None
        case list() | tuple():
            return {str(value): 1 / len(stated) for value in stated} or None
        case _:
            return None


def timeframe_of(workspace: Workspace, key_result: KeyResult) -> str | None:
    """Return the timeframe of a key result: its own, else its objective's."""
    objective = workspace.objectives.get(key_result.objective)
    return key_result.timeframe or (objective.timeframe if objective else None)


def ledger(
    dimension: str, members: Sequence[Member], workspace: Workspace, unlinked: Mapping[str | None, float] | None = None
) -> Ledger:
    """Return a dimension row by row; `unlinked` counts items of no initiative by their value on it.

    Rows sum to the whole: first the values that the file names, then others as they come, what has no value last.
    """
    declared = workspace.dimensions.get(dimension)
    targets = declared.targets if declared is not None else {}
    cells: dict[str | None, list[tuple[Member, float]]] = {
        value: [] for value in (*(declared.values if declared else ()), *targets)
    }
    for one in members:
        for value, part in places(one, dimension, workspace).items():
            cells.setdefault(value, []).append((one, part))
    loose = dict(unlinked or {})
    for value in loose:
        cells.setdefault(value, [])
    total = fsum((one.planned or 0.0) * one.part for one in members)
    order = sorted(cells, key=lambda value: value is None)
    return Ledger(
        dimension=dimension,
        rows=tuple(_row(value, cells[value], total, targets.get(value or ""), loose.get(value, 0)) for value in order),
    )


def loads(members: Sequence[Member], workspace: Workspace, timeframes: Iterable[str]) -> tuple[Load, ...]:
    """Return each team against its capacity in each of some timeframes, that of the timeframes inside them included.

    A team that neither has a capacity nor planned weeks in a timeframe is left out there.
    """
    planned: dict[tuple[str, str], list[float]] = {}
    for one in members:
        team = one.initiative.team
        if team is None or one.planned is None:
            continue
        for name, part in places(one, "timeframe", workspace).items():
            for at in around(workspace, name):
                planned.setdefault((team, at), []).append(one.planned * part)
    teams = [*workspace.teams, *sorted({team for team, _ in planned} - set(workspace.teams))]
    found = []
    for name in timeframes:
        for team in teams:
            weeks = fsum(planned.get((team, name), ()))
            known = workspace.teams.get(team)
            capacity = known.capacity_weeks.get(name) if known is not None else None
            if capacity is None and not weeks:
                continue
            load = weeks / capacity if capacity else None
            over = (load is not None and ratio9(load) > 1) or (capacity == 0 and weeks > 0)
            flags = ("over_capacity",) if over else ()
            found.append(Load(team=team, timeframe=name, planned=weeks, capacity=capacity, load=load, flags=flags))
    return tuple(found)


def around(workspace: Workspace, timeframe: str | None) -> list[str]:
    """Return a timeframe and those it is part of, the narrowest first."""
    found: list[str] = []
    while timeframe is not None and timeframe not in found and timeframe in workspace.timeframes:
        found.append(timeframe)
        timeframe = workspace.timeframes[timeframe].parent
    return found


def _by_link(one: Member, value_of: Callable[[KeyResult], Shares], workspace: Workspace) -> dict[str | None, float]:
    """Split an initiative over what its links say; one without any link has no value."""
    if not one.links:
        return {None: one.part}
    parts: dict[str | None, list[float]] = {}
    for to, fraction in one.links.items():
        for value, part in value_of(workspace.key_results[to]).items():
            parts.setdefault(value, []).append(fraction * part)
    return {value: fsum(found) for value, found in parts.items()}


def _inherited(workspace: Workspace, key_result: KeyResult, dimension: str) -> Shares:
    """Return the value of a key result, else of the nearest objective above that has one."""
    found = split(key_result.dimensions.get(dimension))
    at: str | None = key_result.objective
    seen: set[str] = set()
    while found is None and at is not None and at not in seen and at in workspace.objectives:
        seen.add(at)
        found = split(workspace.objectives[at].dimensions.get(dimension))
        at = workspace.objectives[at].parent
    return found if found is not None else {None: 1.0}


def _row(
    value: str | None, cells: Sequence[tuple[Member, float]], total: float, target: float | None, unlinked: float
) -> Row:
    planned = fsum((one.planned or 0.0) * part for one, part in cells)
    share = planned / total if total > 0 else None
    difference = share - target if share is not None and target is not None else None
    # A part of an initiative outside the portfolio takes its weeks with it; an item is there as a whole.
    items = [(one, one.items * part / one.part) for one, part in cells if one.part > 0]
    return Row(
        value=value,
        planned=planned,
        done=fsum((one.done or 0.0) * part for one, part in cells),
        in_flight=fsum((one.in_flight or 0.0) * part for one, part in cells),
        share=share,
        target=target,
        difference=difference,
        flagged=difference is not None and ratio9(abs(difference)) > MAX_DIFFERENCE,
        items=fsum(n for _, n in items),
        unplanned_items=fsum(n for one, n in items if one.planned is None),
        unlinked_items=unlinked,
        initiatives=tuple(one.initiative.id for one, _ in cells),
    )
