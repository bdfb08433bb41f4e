"""How subjects stood at the closes of past days, as far as the health of a day depends on it; from history.

How many closes a band takes is decided in `rollup.health`: mostly none, else the last two.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

from domain.okr import Initiative
from domain.past import Life
from domain.rules import Policies
from rollup.burnup import closed_at
from rollup.days import ONE_DAY, local_day
from rollup.features import forecasts, tied
from rollup.health import Case, Close, depends_on_closes, enough
from rollup.scope import Scope, scope_of
from rollup.views import Views
from storage import closes as store
from storage.engine import Transaction
from storage.links import Ref
from storage.views import Present
from sync.answers import now_there
from sync.context import Context
from sync.history import lives, running_at
from sync.present import created, views
from sync.refresh import measure_of
from sync.scene import Scene

FIRST_LOOK = 4
"""days back that are looked at first; what rules look at may have changed on many items in more of them"""
FURTHER = 8
"""times as many days that are looked at where those were not enough"""
WITHOUT_START = 90
"""days that are looked at where a subject has no start"""


async def keep_closes(context: Context) -> None:
    """Compute and keep the closes that today's health depends on, of those whose closes are not known yet."""
    there = await now_there(context)
    today = context.today
    if there.closes_day == today and not there.closes_due:
        return
    async with context.store.write() as tx:
        due = await store.due(tx, today.isoformat(), there.subjects)
    async with context.store.read() as tx:
        found = await closes(tx, context, there, context.now(), set(due))
    rows = {id_: kept_rows(past) for id_, past in found.items()}
    async with context.store.write() as tx:
        await store.keep(tx, today.isoformat(), due, rows)


async def closes(
    tx: Transaction, context: Context, there: Present, now: datetime, ids: Collection[str] | None = None
) -> dict[str, tuple[Close, ...]]:
    """Return the closes before an instant that the health at it depends on, newest first, of all subjects or of `ids`.

    `there` is what the report of that instant is made of.
    """
    found: dict[str, tuple[Close, ...]] = {}
    made = created(there.created)
    for case, policies in cases(views(context.workspace, there, now)):
        asked = ids is None or case.id in ids
        if asked and depends_on_closes(case, now=now, zone=context.zone, policies=policies):
            found[case.id] = await closes_of(tx, context, there, made, case, policies, now)
    return found


def cases(found: Views) -> Iterator[tuple[Case, Policies]]:
    """Yield what the subjects that are judged by their delivery are judged by."""
    for key_result in found.key_results.values():
        if key_result.key_result.metric is None:
            yield key_result.case, key_result.policies
    for initiative in found.initiatives.values():
        yield initiative.case, initiative.policies


async def closes_of(
    tx: Transaction,
    context: Context,
    there: Present,
    made: Mapping[str, Initiative],
    case: Case,
    policies: Policies,
    now: datetime,
) -> tuple[Close, ...]:
    """Return the closes that the band of one subject depends on, newest first."""
    today = local_day(now, context.zone)
    begin = case.start or today - timedelta(days=WITHOUT_START)
    together = sorted(tied(context.workspace, there.subjects, made, {case.id}) | {case.id})
    scopes = {id_: scope_of(context.workspace, id_, made) for id_ in together}
    days = FIRST_LOOK
    while True:
        first = max(begin, today - timedelta(days=days))
        since = closed_at(first, context.zone)
        known = {
            id_: await lives(tx, context, scope.shares, since, measure=measure_of(scope.policies))
            for id_, scope in scopes.items()
        }
        past = closes_back(context, case.id, scopes, known, made, first, today)
        taken = enough(replace(case, closes=past), now=now, zone=context.zone, policies=policies)
        if first <= begin or next(past, None) is not None:
            return taken
        days *= FURTHER


def closes_back(
    context: Context,
    subject: str,
    scopes: Mapping[str, Scope],
    known: Mapping[str, Mapping[Ref, Life]],
    made: Mapping[str, Initiative],
    first: date,
    today: date,
) -> Iterator[Close]:
    """Yield how a subject stood at the close of each day before `today` back to `first`.

    `scopes` and `known` are its own and those of all whose throughput it shares.
    """
    day = today
    while (day := day - ONE_DAY) >= first:
        at = closed_at(day, context.zone)
        measured = {
            id_: running_at(Scene(known[id_], context.zone, at), scope, day).measured() for id_, scope in scopes.items()
        }
        ahead = forecasts(context.workspace, measured, made, today=day, only={subject})
        yield Close(day=day, progress=measured[subject][0].value, q=ahead[subject].probability)


def kept_rows(past: Sequence[Close]) -> list[store.Row]:
    """Return closes as they are kept."""
    return [(each.day.isoformat(), each.progress, each.q) for each in past]
