"""Forecasts of all subjects at once: each from its own history, or several initiatives from one team's (`features`).

What one forecast means is in `forecast`; here it is decided whose days do whose work.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from math import ceil
from typing import TYPE_CHECKING

from domain.facts import Facts, Flow, Progress
from domain.okr import Initiative, Status
from domain.rules import ForecastPolicy, Policies
from domain.workspace import Workspace
from rollup.forecast import NO_FORECAST, Forecast, completed, guarded, history, outlook, seed_of, told, without_imports
from rollup.progress import epic_flow, epics
from rollup.scope import NO_INITIATIVES, Scope, all_initiatives, scopes_of
from rollup.tree import Key

if TYPE_CHECKING:
    from rollup.simulation import Futures

Subjects = Mapping[str, tuple[Progress, Flow]]
"""delivery and flow of key results and initiatives, by id"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an initiative stands among those that share its team's throughput, `flow`.

    Under `cut_line` all in `before` are done first, it itself the last of them; under `parallel` it is alone there,
    with its fixed `share` of the throughput. `policy` is its own.
    """

    team: str
    flow: Flow
    policy: ForecastPolicy
    before: Sequence[str]
    share: float = 1.0


def forecasts(
    workspace: Workspace,
    subjects: Subjects,
    made: Mapping[str, Initiative] = NO_INITIATIVES,
    *,
    today: date,
    only: Collection[str] | None = None,
) -> dict[str, Forecast]:
    """Return the forecast of each subject, or of those in `only`; `made` are initiatives that rules created.

    A key result whose open work is all in queues is done when the last of them is.
    """
    places = queues(workspace, subjects, made)
    drawn: dict[str, Futures] = {}
    found: dict[str, Forecast] = {}
    asked = [id_ for id_ in subjects if only is None or id_ in only]
    for id_, scope in scopes_of(workspace, asked, made).items():
        progress, flow = subjects[id_]
        open_ = [one for one in scope.shares if one in subjects and subjects[one][1].remaining > 0]
        if scope.policies.forecast.features is not None and open_ and all(one in places for one in open_):
            found[id_] = _queued(workspace, subjects, places, scope, progress, open_, today, drawn)
        else:
            found[id_] = outlook(
                flow,
                progress=progress.value,
                start=scope.start,
                due=scope.due,
                today=today,
                policy=scope.policies.forecast,
                seed=seed_of(workspace.name, kind_of(workspace, id_), id_, today),
            )
    return found


def of_epic(
    facts: Facts, key: Key, workspace: Workspace, *, start: date | None, due: date | None, today: date
) -> Forecast:
    """Return the forecast of an epic over its leaf items, of its own history; none where it has no children."""
    if all((node.fact.connection, node.id) != key for node in facts.nodes):
        return NO_FORECAST
    policies = workspace.policies
    return outlook(
        epic_flow(facts, key, policies, today=today),
        progress=epics(facts, policies, today=today, only=(key,))[key].value,
        start=start,
        due=due,
        today=today,
        policy=policies.forecast,
        seed=seed_of(workspace.name, "epic", f"{key[0]}:{key[1]}", today),
    )


def kind_of(workspace: Workspace, id_: str) -> str:
    """Return whether an id is that of a key result or of an initiative."""
    return "key_result" if id_ in workspace.key_results else "initiative"


def shares_throughput(workspace: Workspace, made: Mapping[str, Initiative] = NO_INITIATIVES) -> bool:
    """Return whether any policy has initiatives share a team's throughput, so that one moves the forecast of others."""
    return any(one.forecast.features for one in _policies(workspace, all_initiatives(workspace, made).values()))


def tied(
    workspace: Workspace, subjects: Iterable[str], made: Mapping[str, Initiative], moved: Collection[str]
) -> set[str]:
    """Return the subjects whose forecast may differ where some have moved: also those that share a throughput."""
    initiatives = all_initiatives(workspace, made)
    teams = {initiatives[id_].team for id_ in moved if id_ in initiatives} - {None}
    if not teams or not shares_throughput(workspace, made):
        return set(moved)
    sharing = {one.id for one in initiatives.values() if one.team in teams}
    scopes = scopes_of(workspace, subjects, made).values()
    return {*moved, *(scope.id for scope in scopes if sharing & set(scope.shares))}


def queues(
    workspace: Workspace, subjects: Subjects, made: Mapping[str, Initiative] = NO_INITIATIVES
) -> dict[str, Place]:
    """Return the place of each initiative whose policies say `features`, that has a team and anything left to do.

    Priority is the order of the file. Fixed shares go by `planned_weeks` where all that wait have them, else all are
    equal. What counts as the team's throughput are the completions of all its initiatives, also of those that are over.
    """
    teams: dict[str, list[Initiative]] = {}
    for one in all_initiatives(workspace, made).values():
        if one.team is not None and one.id in subjects:
            teams.setdefault(one.team, []).append(one)
    places: dict[str, Place] = {}
    for team, members in teams.items():
        waiting = [
            (one, policies.forecast)
            for one, policies in zip(members, _policies(workspace, members), strict=True)
            if policies.forecast.features and one.status is Status.ACTIVE and subjects[one.id][1].remaining > 0
        ]
        flow = pooled([subjects[one.id][1] for one in members])
        weeks = [one.planned_weeks or 0.0 for one, _ in waiting]
        sizes = weeks if all(weeks) else [1.0] * len(weeks)
        ids = [one.id for one, _ in waiting]
        for at, (one, policy) in enumerate(waiting):
            if policy.features == "cut_line":
                places[one.id] = Place(team=team, flow=flow, policy=policy, before=ids[: at + 1])
            else:
                places[one.id] = Place(
                    team=team, flow=flow, policy=policy, before=[one.id], share=sizes[at] / sum(sizes)
                )
    return places


def pooled(flows: Sequence[Flow]) -> Flow:
    """Return several flows as one; an item that two of them have counts in both."""
    done: Counter[date] = Counter()
    for flow in flows:
        done.update(flow.done)
    firsts = [flow.first for flow in flows if flow.first is not None]
    return Flow(
        done=done,
        remaining=sum(flow.remaining for flow in flows),
        first=min(firsts, default=None),
        unit=max((flow.unit for flow in flows), default=1),
        completed=sum(completed(flow) for flow in flows),
    )


def _policies(workspace: Workspace, initiatives: Iterable[Initiative]) -> list[Policies]:
    return [workspace.policies.under(one.policies) for one in initiatives]


def _queued(
    workspace: Workspace,
    subjects: Subjects,
    places: Mapping[str, Place],
    scope: Scope,
    progress: Progress,
    members: Sequence[str],
    today: date,
    drawn: dict[str, Futures],
) -> Forecast:
    """The forecast of an initiative by its place, or of a key result by those of its initiatives."""
    from rollup.simulation import last_of

    common = workspace.policies.forecast
    flags: tuple[str, ...] = ()
    for id_ in members:
        place = places[id_]
        days = history(place.flow, today, common.window)
        left = ceil(round(sum(subjects[one][1].remaining for one in place.before) / place.share, 9))
        withheld = guarded(days, place.flow, left, progress=progress.value, start=scope.start, today=today)
        if withheld is not None:
            return withheld
        sample, flagged = without_imports(days, common.bulk_days)
        flags = flagged or flags
        if id_ not in drawn:
            drawn |= _draw(workspace, subjects, places, place.team, sample, today)
    ahead = last_of([drawn[id_] for id_ in members])
    q = ahead.share_by((scope.due - today).days) if scope.due is not None else None
    return told([ahead.by(p) for p in (50, 85, 95)], q, today, flags)


def _draw(
    workspace: Workspace,
    subjects: Subjects,
    places: Mapping[str, Place],
    team: str,
    sample: Sequence[int],
    today: date,
) -> dict[str, Futures]:
    """Draw the days of a team, and with them when each initiative that waits for it is done.

    Days, runs and calendar are those of the workspace, the amount of work is each initiative's own.
    """
    from rollup.simulation import amounts, futures, generator, queued_amounts

    common = workspace.policies.forecast
    members = [id_ for id_, place in places.items() if place.team == team]
    left = {
        id_: amounts(
            subjects[id_][1].remaining,
            replace(places[id_].policy, runs=common.runs),
            generator(seed_of(workspace.name, "initiative", id_, today)),
            subjects[id_][1].unit,
        )
        for id_ in members
    }
    needed = [queued_amounts([left[one] for one in places[id_].before]) / places[id_].share for id_ in members]
    rng = generator(seed_of(workspace.name, "team", team, today))
    ahead = futures(sample, needed, rng=rng, max_days=common.max_days, today=today, policy=common)
    return dict(zip(members, ahead, strict=True))
