"""What would be if: one change of the plan applied to the same facts, summed up by the same engine.

Facts come in and values go out; nothing is stored. Telling the two worlds side by side is `whatif_report`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from fractions import Fraction
from math import ceil, floor, fsum, lcm

from domain.facts import Facts, Flow, Progress
from domain.okr import Initiative, Status
from domain.workspace import Workspace
from rollup.features import forecasts, kind_of, tied
from rollup.forecast import Forecast, completed, seed_of
from rollup.holds import Hold, outlook_held
from rollup.leaves import Entry
from rollup.parts import flow_of, tally
from rollup.scope import Scope, all_initiatives, delivered, inspect, scope_of, terms_of
from rollup.sizes import Sized


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is supposed, by id of initiative or name of team.

    `drop` cancels, `delay` is in days in which nobody works on it, `scope` and `throughput` are relative (1/5 for
    +20 %, never below -1), `due` is another due date of an initiative or another end of a key result.
    """

    drop: tuple[str, ...] = ()
    delay: Mapping[str, int] = field(default_factory=dict)
    scope: Mapping[str, Fraction] = field(default_factory=dict)
    throughput: Mapping[str, Fraction] = field(default_factory=dict)
    due: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A key result or an initiative under a change: its delivery, its flow, and what waits for how long."""

    progress: Progress
    flow: Flow
    holds: tuple[Hold, ...] = ()


def plan_under(
    workspace: Workspace, made: Mapping[str, Initiative], change: Change, *, today: date
) -> tuple[Workspace, dict[str, Initiative]]:
    """Return the file and the initiatives that rules made, as they would be: canceled, due on another day.

    An initiative that is delayed and has not begun begins later by as much.
    """

    def changed(one: Initiative) -> Initiative:
        if one.id in change.drop:
            one = replace(one, status=Status.CANCELED)
        if one.id in change.due:
            one = replace(one, due=change.due[one.id])
        if one.id in change.delay and one.start is not None and one.start > today:
            one = replace(one, start=one.start + timedelta(days=change.delay[one.id]))
        return one

    key_results = {
        id_: replace(kr, end=change.due[id_]) if id_ in change.due else kr for id_, kr in workspace.key_results.items()
    }
    initiatives = {id_: changed(one) for id_, one in workspace.initiatives.items()}
    plan = replace(workspace, key_results=key_results, initiatives=initiatives)
    return plan, {id_: changed(one) for id_, one in made.items()}


def case_of(
    facts: Facts, scope: Scope, change: Change, *, team_of: Callable[[Entry], str | None], unit: int, today: date
) -> Case:
    """Return a subject as it would be; `scope` is that of the changed file.

    `team_of` says whose work an item is. Completions and what remains are counted in `unit`ths of an item (`unit_of`).
    What is over and frozen keeps its scope and its pace.
    """
    progress, flow = delivered(facts, scope, today=today)
    terms = terms_of(scope, today)
    if terms.end is not None:
        return Case(progress=progress, flow=flow)
    settled = inspect(facts, scope, today=today)
    added = {id_: more for id_, part in change.scope.items() if (more := _more(settled, id_, part))}
    for id_, more in added.items():
        progress = _grown(progress, settled, id_, more)

    def tallied(entries: Sequence[Entry]) -> Flow:
        return flow_of(tally(entries, terms, scope.start, weighed=True))

    def part_of(entries: Sequence[Entry], held: Collection[str] = ()) -> Flow:
        kept = [e for e in entries if not _waits(e, held)]
        grown = sum(more for id_, more in added.items() if id_ not in held)
        return _paced(kept, grown, tallied, change, team_of, unit)

    holds = []
    waiting = sorted({days for days in change.delay.values() if days > 0})
    for days in waiting:
        held = {id_ for id_, n in change.delay.items() if n >= days}
        if any(_waits(e, held) and e.reason is None and e.category != "done" for e in settled.entries):
            holds.append(Hold(until=days, flow=part_of(settled.entries, held)))
    return Case(progress=progress, flow=part_of(settled.entries), holds=tuple(holds))


def touched(workspace: Workspace, made: Mapping[str, Initiative], change: Change) -> set[str]:
    """Return the subjects whose delivery or pace a change can move: all where a team's throughput does."""
    initiatives = all_initiatives(workspace, made)
    if change.throughput:
        return {*workspace.key_results, *initiatives}
    moved = {*change.drop, *change.delay, *change.scope}
    served = {c.to for id_ in moved if id_ in initiatives for c in initiatives[id_].contributes}
    return {*moved, *(served & set(workspace.key_results))}


def forecasts_under(
    workspace: Workspace,
    made: Mapping[str, Initiative],
    subjects: Mapping[str, tuple[Progress, Flow]],
    cases: Mapping[str, Case],
    change: Change,
    *,
    today: date,
) -> dict[str, Forecast]:
    """Return the forecasts that a change moves; file and initiatives are the changed ones, `subjects` are as stored.

    Where initiatives share the throughput of a team (policy `features`) a delay moves what waits by as many days.
    """
    unit = unit_of(change)
    world = {id_: (progress, _cut(flow, unit)) for id_, (progress, flow) in subjects.items()}
    world |= {id_: (case.progress, case.flow) for id_, case in cases.items()}
    initiatives = all_initiatives(workspace, made)
    due = {*change.due, *(one.id for one in initiatives.values() if any(c.to in change.due for c in one.contributes))}
    moved = tied(workspace, world, made, {*cases, *due, *change.drop} & set(world))
    found = forecasts(workspace, world, made, today=today, only=moved)
    for id_, case in cases.items():
        if not case.holds or id_ not in found:
            continue
        scope = scope_of(workspace, id_, made)
        if scope.policies.forecast.features is not None:
            found[id_] = _later(workspace, made, world, id_, case.holds[-1].until, today)
            continue
        found[id_] = outlook_held(
            case.flow,
            case.holds,
            progress=case.progress.value,
            start=scope.start,
            due=scope.due,
            today=today,
            policy=scope.policies.forecast,
            seed=seed_of(workspace.name, kind_of(workspace, id_), id_, today),
        )
    return found


def _cut(flow: Flow, unit: int) -> Flow:
    """Return a flow counted in `unit`ths of an item."""
    if unit == 1:
        return flow
    done = {day: n * unit for day, n in flow.done.items()}
    return Flow(done=done, remaining=flow.remaining * unit, first=flow.first, unit=unit, completed=completed(flow))


def _later(
    workspace: Workspace,
    made: Mapping[str, Initiative],
    world: Mapping[str, tuple[Progress, Flow]],
    id_: str,
    days: int,
    today: date,
) -> Forecast:
    """Return the forecast of a subject moved by some days: as if it were due as much earlier, then read later."""
    span = timedelta(days=days)
    due = scope_of(workspace, id_, made).due
    if due is not None:
        workspace, made = plan_under(workspace, made, Change(due={id_: due - span}), today=today)
    found = forecasts(workspace, world, made, today=today, only=(id_,))[id_]
    p50, p85, p95 = (day + span if day is not None else None for day in (found.p50, found.p85, found.p95))
    return replace(found, p50=p50, p85=p85, p95=p95)


def unit_of(change: Change) -> int:
    """Return into how many parts an item is cut so that changed throughputs are whole numbers: 5 for -20 %."""
    return lcm(*((1 + part).denominator for part in change.throughput.values()))


def _waits(entry: Entry, held: Collection[str]) -> bool:
    """Say whether all the initiatives that an item counts for wait."""
    return bool(held) and entry.fact.links <= set(held)


def _paced(
    entries: Sequence[Entry],
    grown: int,
    flow: Callable[[Sequence[Entry]], Flow],
    change: Change,
    team_of: Callable[[Entry], str | None],
    unit: int,
) -> Flow:
    """Return the flow of items with the completions of each team at its changed pace, in `unit`ths of an item."""
    by_factor: dict[Fraction, list[Entry]] = {}
    for e in entries:
        factor = 1 + change.throughput.get(team_of(e) or "", Fraction(0))
        by_factor.setdefault(factor, []).append(e)
    done: dict[date, int] = {}
    remaining = really = 0
    firsts: list[date] = []
    for factor, some in by_factor.items():
        part = flow(some)
        remaining += part.remaining
        really += completed(part)
        firsts += [part.first] if part.first is not None else []
        for day, n in part.done.items():
            done[day] = done.get(day, 0) + int(n * factor * unit)
    left = max(remaining + grown, 0) * unit
    return Flow(
        done=dict(sorted(done.items())),
        remaining=left,
        first=min(firsts, default=None),
        unit=unit,
        completed=really if change.throughput else None,
    )


def _of(settled: Sized, id_: str) -> list[Entry]:
    return [e for e in settled.entries if e.reason is None and e.category != "canceled" and id_ in e.fact.links]


def _more(settled: Sized, id_: str, part: Fraction) -> int:
    """Return how many items are added (below 0: taken away, of the open ones) where a scope changes by a part."""
    mine = _of(settled, id_)
    items = sum(e.fact.count for e in mine)
    if part >= 0:
        return ceil(items * part)
    return -min(floor(items * -part), sum(e.fact.count for e in mine if e.category != "done"))


def _grown(progress: Progress, settled: Sized, id_: str, more: int) -> Progress:
    """Return the progress with open items added, or taken away, of the mean size of the initiative's.

    Under ``equal_per_child`` the initiative keeps its weight and what is done of it counts for less, or more.
    """
    mine = _of(settled, id_)
    items = sum(e.fact.count for e in mine)
    weight = fsum(e.weight * e.fact.count for e in mine)
    done = fsum(e.weight * e.credit * e.fact.count for e in mine)
    total, size_done, scope = progress.size_total, progress.size_done, weight * more / items
    if settled.mode == "equal_per_child":
        size_done += done * items / (items + more) - done if items + more else -done
        scope = fsum(e.share * e.fact.count for e in mine) * more / items
    else:
        total += scope
    value, state = (size_done / total, "ok") if total > 0 else (None, "no_scope")
    if "baseline_scope" in progress.flags:
        value, state = progress.value, progress.state
    base, change = progress.scope_base, progress.scope_change
    return replace(
        progress,
        value=value,
        state=state,
        size_total=total,
        size_done=size_done,
        items=progress.items + more,
        counts=_counted(progress.counts, more),
        scope_change=change + scope / base if change is not None and base else change,
    )


def _counted(counts: Mapping[str, int], more: int) -> dict[str, int]:
    """Return counts by category with open items added, or taken away: those to do first."""
    todo = max(counts.get("todo", 0) + more, 0)
    rest = min(counts.get("todo", 0) + more, 0)
    return {**counts, "todo": todo, "in_progress": max(counts.get("in_progress", 0) + rest, 0)}
