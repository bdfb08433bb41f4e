"""What would be if: a supposed change over the facts of the store, answered beside today; nothing is written.

Reads what people type and finds out whom it means; the sums are `rollup.whatif`'s.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import date
from fractions import Fraction
from typing import Any, TypeVar

from config.scalars import to_span
from domain.errors import UsageError
from domain.okr import Initiative
from domain.workspace import Workspace
from rollup.forecast import Forecast
from rollup.leaves import Entry
from rollup.scope import all_initiatives, scope_of
from rollup.whatif import Case, Change, case_of, forecasts_under, plan_under, touched, unit_of
from rollup.whatif_report import whatif_report
from storage import rollups
from storage.engine import Transaction
from sync import present as presents
from sync.answers import now_there
from sync.context import Context
from sync.refresh import measure_of

Doc = dict[str, Any]  # Any: a JSON document
T = TypeVar("T")

PERCENT = re.compile(r"([+-]?\d{1,6}(?:\.\d{1,6})?) ?%")


async def what_if(context: Context, change: Change) -> Doc:
    """Return the document of `what-if`; raise UsageError where the change names what is not there."""
    workspace, now = context.workspace, context.now()
    there = await now_there(context)
    made = presents.created(there.created)
    check(workspace, made, change)
    plan, planned = plan_under(workspace, made, change, today=context.today)
    async with context.store.read() as tx:
        cases = await cases_of(
            tx, context, plan, planned, change, touched(workspace, made, change) & set(there.subjects)
        )
    today = presents.forecasts(workspace, there, made, now)
    ahead = today | forecasts_under(plan, planned, there.subjects, cases, change, today=context.today)
    supposed = replace(
        there,
        subjects={**there.subjects, **{id_: (case.progress, case.flow) for id_, case in cases.items()}},
        created={id_: {**data, **plan_of(planned[id_])} for id_, data in there.created.items()},
        forecasts={id_: as_kept(one) for id_, one in ahead.items()},
        forecast_day=context.today,
    )
    return whatif_report(
        presents.views(workspace, there, now),
        presents.views(plan, supposed, now),
        change,
        delivery_now=today,
        delivery_then=ahead,
    )


async def cases_of(
    tx: Transaction,
    context: Context,
    workspace: Workspace,
    made: Mapping[str, Initiative],
    change: Change,
    ids: Iterable[str],
) -> dict[str, Case]:
    """Return subjects under a change; the file is the changed one. Facts that several share are read once."""
    team_of = teams_by(all_initiatives(workspace, made))
    shelf = await rollups.open_shelf(tx)
    found = {}
    for id_ in sorted(ids):
        scope = scope_of(workspace, id_, made)
        facts = await rollups.shelved(tx, shelf, scope.shares, measure=measure_of(scope.policies))
        found[id_] = case_of(facts, scope, change, team_of=team_of, unit=unit_of(change), today=context.today)
    return found


def teams_by(initiatives: Mapping[str, Initiative]) -> Callable[[Entry], str | None]:
    """Return what says whose work an item is: its own team's, else that of the first initiative that has one."""

    def team_of(entry: Entry) -> str | None:
        own = entry.fact.team
        held = (initiatives[id_].team for id_ in sorted(entry.fact.links) if id_ in initiatives)
        return own or next((team for team in held if team), None)

    return team_of


def plan_of(one: Initiative) -> Doc:
    """Return what a change can move of an initiative that a rule made, as it is stored."""
    return {
        "status": one.status.value,
        "start": one.start.isoformat() if one.start else None,
        "due": one.due.isoformat() if one.due else None,
    }


def as_kept(forecast: Forecast) -> Doc:
    """Return a forecast as `sync.present.forecast_of` reads it."""
    data = asdict(forecast)
    return {**data, **{name: data[name].isoformat() if data[name] else None for name in ("p50", "p85", "p95")}}


def check(workspace: Workspace, made: Mapping[str, Initiative], change: Change) -> None:
    """Raise UsageError for an initiative, a key result or a team that is not there, or a change of nothing."""
    initiatives = all_initiatives(workspace, made)
    known = ", ".join(initiatives) or "none"
    for option, ids in (("drop", change.drop), ("delay", change.delay), ("scope", change.scope)):
        for id_ in ids:
            if id_ not in initiatives:
                raise UsageError(f"--{option}: there is no initiative '{id_}'. There are: {known}.")
    for id_ in change.due:
        if id_ not in initiatives and id_ not in workspace.key_results:
            raise UsageError(
                f"--due: there is no initiative or key result '{id_}'. There are:"
                f" {', '.join([*initiatives, *workspace.key_results]) or 'none'}."
            )
    teams = dict.fromkeys([*workspace.teams, *(one.team for one in initiatives.values() if one.team)])
    for team in change.throughput:
        if team not in teams:
            raise UsageError(f"--throughput: there is no team '{team}'. There are: {', '.join(teams) or 'none'}.")
    if not any((change.drop, change.delay, change.scope, change.throughput, change.due)):
        raise UsageError(
            "Say what would be: --drop I1, --delay I1=2w, --scope I1=+20%, --throughput TEAM=-20% or --due I1=DATE."
        )


def change_of(
    *,
    drop: Sequence[str] = (),
    delay: Sequence[str] = (),
    scope: Sequence[str] = (),
    throughput: Sequence[str] = (),
    due: Sequence[str] = (),
) -> Change:
    """Return the change that options state; raise UsageError for one that cannot be read."""
    return Change(
        drop=tuple(dict.fromkeys(drop)),
        delay=read("delay", delay, days_of, "a span of days or weeks: I1=10d, I1=2w"),
        scope=read("scope", scope, part_of, "a change in percent, not below -100: I1=+20%"),
        throughput=read("throughput", throughput, part_of, "a change in percent, not below -100: Payments=-20%"),
        due=read("due", due, day_of, "a date: I1=2026-12-24"),
    )


def read(option: str, stated: Sequence[str], value_of: Callable[[str], T | None], expected: str) -> dict[str, T]:
    """Return ``NAME=VALUE`` options by name."""
    found: dict[str, T] = {}
    for text in stated:
        name, sign, said = text.rpartition("=")
        value = value_of(said.strip()) if sign and name.strip() else None
        if value is None:
            raise UsageError(f"--{option}: expected {expected}; found '{text}'.")
        if name.strip() in found:
            raise UsageError(f"--{option}: '{name.strip()}' stands here twice. Keep one.")
        found[name.strip()] = value
    return found


def days_of(text: str) -> int | None:
    """Read a span of whole days, at least one."""
    span = to_span(text)
    return span.days if span is not None and span.days >= 1 and not span.seconds else None


def part_of(text: str) -> Fraction | None:
    """Read a change in percent: ``+20%`` is 1/5."""
    match = PERCENT.fullmatch(text.replace("−", "-"))
    part = Fraction(match[1]) / 100 if match else None
    return part if part is not None and part >= -1 else None


def day_of(text: str) -> date | None:
    """Read a date."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
