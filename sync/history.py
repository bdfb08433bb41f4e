"""What was: today's file over all that is known of the past, as of any day, and what happened after one.

A day means its close in the workspace's zone, today means now. What is made of it for people is in `retell`, what was
published on a day in `journal`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from domain.errors import UsageError
from domain.facts import Facts, Flow, Progress
from domain.okr import Initiative
from domain.past import Known, Life, Own
from domain.work import Transition
from rollup.burnup import Day, closed_at, replayed
from rollup.days import ONE_DAY, day_start, local_day
from rollup.history import Change, Running, begun
from rollup.scope import Scope, all_initiatives, contributors, scope_of
from storage import checkpoints, history, pasts
from storage import items as store
from storage.engine import Transaction
from storage.links import Ref
from storage.views import Present
from sync.answers import now_there, one_item
from sync.context import Context
from sync.past import State, former_selves, life, watched
from sync.present import created
from sync.refresh import measure_of
from sync.scene import Scene, turns

EVER = datetime(1970, 1, 1, tzinfo=UTC)
"""before anything that trackers tell of"""
READING = "reading"
"""the checkpoint with what discovery found out about a connection"""


def moment(context: Context, day: date | None) -> datetime:
    """Return the instant that a day stands for: its close, or now for today; raise UsageError for the future."""
    if day is None or day == context.today:
        return context.now()
    if day > context.today:
        raise UsageError(f"{day} is in the future: name today ({context.today}) or a day before it.")
    return closed_at(day, context.zone)


async def lives(
    tx: Transaction,
    context: Context,
    initiatives: Collection[str],
    since: datetime,
    *,
    measure: str = "estimate",
    below: Collection[Ref] = (),
) -> dict[Ref, Life]:
    """Return, through time, the items that count or can have counted for initiatives since an instant."""
    mapper = context.mapper
    fields = watched({*mapper.looks_at, *(["project"] if names_projects(context) else [])})
    found, past = await history.involved(tx, initiatives, since, measure=measure, fields=fields - {"type"}, below=below)
    statuses: dict[str, object] = {}
    for name in {ref[0] for ref in found}:
        kept = await checkpoints.load(tx, name, READING)
        statuses[name] = kept["facts"].get("statuses", {}) if kept else {}
    owned = await owned_by(tx, context, past, fields)

    def through(ref: Ref, known: Known, told: Sequence[Transition]) -> Life:
        def meaning(status: str | None, status_id: str | None, resolution: str | None) -> State | None:
            state = mapper.state_of(ref[0], status, status_id, resolution, statuses[ref[0]])
            return (state[0].value, state[1]) if state is not None else None

        return life(known, told, meaning, context.zone, owned.get(ref, ()))

    return {ref: through(ref, known, past.get(ref, ())) for ref, known in found.items()}


def names_projects(context: Context) -> bool:
    """Return whether the file names work by its project."""
    return any(selector.projects for one in context.workspace.initiatives.values() for selector in one.work)


async def owned_by(
    tx: Transaction, context: Context, past: Mapping[Ref, Sequence[Transition]], fields: Collection[str]
) -> dict[Ref, list[tuple[datetime, tuple[Own, str]]]]:
    """Return links and level that the file gives to items through time, of those where something it looks at changed.

    Rules that look into payloads cannot be asked about the past: where there are any, today's links hold for it.
    """
    mapper = context.mapper
    changed: dict[str, list[str]] = {}
    for (connection, id_), told in past.items():
        if any(entry.field in fields for entry in told):
            changed.setdefault(connection, []).append(id_)
    found: dict[Ref, list[tuple[datetime, tuple[Own, str]]]] = {}
    for connection, ids in changed.items():
        rows = await store.versions(tx, connection, ids)
        above = {row.item.parent_id for row in rows.values() if row.item.parent_id} if mapper.uses_parent else set()
        parents = await store.versions(tx, connection, sorted(above))
        for id_, row in rows.items():
            over = parents.get(row.item.parent_id or "")
            track = []
            for at, self in former_selves(row.item, past[connection, id_], fields):
                settled = mapper.settle(self)
                own = mapper.own(settled, over.item if over else None, None, settled.former_keys).pairs
                track.append((at, (row.own if mapper.uses_raw else own, settled.level.value)))
            found[connection, id_] = track
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Frozen:
    """When a scope is judged: the instant and its local day; after a frozen end both are those of the end."""

    at: datetime
    day: date


def judged(scope: Scope, at: datetime, context: Context) -> Frozen:
    """Return when a scope is judged that is asked about at an instant."""
    day = local_day(at, context.zone)
    if scope.end is not None and day > scope.end and scope.policies.health.freeze_after_end:
        return Frozen(at=closed_at(scope.end, context.zone), day=scope.end)
    return Frozen(at=at, day=day)


def running_at(there: Scene, scope: Scope, day: date) -> Running:
    """Return the delivery of a scope whose items stand as in a scene."""
    return begun(scope, {ref: there.form(ref) for ref in there.now}, today=day)


async def delivery_at(
    tx: Transaction, context: Context, at: datetime, made: Mapping[str, Initiative]
) -> dict[str, tuple[Progress, Flow]]:
    """Return delivery and flow of every key result and initiative as of an instant."""
    workspace = context.workspace
    found: dict[str, tuple[Progress, Flow]] = {}
    served = {id_: shares for id_, shares in contributors(workspace, made).items() if shares}
    for id_ in (*served, *all_initiatives(workspace, made)):
        if id_ in found:
            continue
        scope = scope_of(workspace, id_, made)
        measure = measure_of(scope.policies)
        inner = {one: scope_of(workspace, one, made) for one in served.get(id_, ()) if one not in found}
        known = await lives(tx, context, {*scope.shares, *served.get(id_, ())}, at, measure=measure)
        for one in (scope, *(each for each in inner.values() if measure_of(each.policies) == measure)):
            when = judged(one, at, context)
            if when.at != at:
                known = await lives(tx, context, one.shares, when.at, measure=measure)
            found[one.id] = running_at(Scene(known, context.zone, when.at), one, when.day).measured()
    return found


async def present_at(context: Context, day: date) -> Present:
    """Return the present of a past day: what a report of that day is made of, with today's file.

    Kept until the file or any history changes.
    """
    there = await now_there(context)
    if day == context.today:
        return there
    at = moment(context, day)
    made = created(there.created)
    async with context.store.read() as tx:
        stamp = await pasts.stamp(tx, context.workspace.digest)
        kept = await pasts.load(tx, day, stamp)
        subjects = kept if kept is not None else await delivery_at(tx, context, at, made)
    if kept is None:
        async with context.store.write() as tx:
            await pasts.save(tx, day, stamp, subjects)
    complete = {name: min(known, at) for name, known in there.complete_to.items()}
    return replace(
        there,
        subjects=subjects,
        complete_to=complete,
        valid_until=None,
        forecasts={},
        forecast_day=None,
        check_ins=[one for one in there.check_ins if one.as_of <= at],
    )


async def facts_at(context: Context, scope: Scope, at: datetime) -> tuple[Facts, Frozen]:
    """Return the items of a scope as they were at an instant, one by one, and when the scope is judged."""
    when = judged(scope, at, context)
    async with context.store.read() as tx:
        known = await lives(tx, context, scope.shares, when.at, measure=measure_of(scope.policies))
    return Scene(known, context.zone, when.at).facts(listed=True, initiatives=scope.shares), when


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A delivery from one moment to another: what it was, what happened, and how each day closed."""

    before: Progress
    after: Progress
    changes: Sequence[Change]
    days: Sequence[Day]


async def replay_of(
    tx: Transaction, context: Context, scope: Scope, since: datetime | None, until: datetime, *, top: Ref | None = None
) -> Replayed:
    """Return what happened to the delivery of a scope after one instant (None: ever), up to another.

    `top` is the epic where the scope is one (`scope_of_epic`). Past a frozen end nothing happens.
    """
    last = judged(scope, until, context)
    first = judged(scope, since, context) if since is not None else None
    known = await lives(
        tx,
        context,
        () if top is not None else scope.shares,
        first.at if first is not None else EVER,
        measure=measure_of(scope.policies),
        below=[top] if top is not None else [],
    )
    if first is None:
        born = min((one.versions[0].at for one in known.values()), default=last.at)
        day = min(local_day(born, context.zone), last.day) - ONE_DAY
        first = Frozen(at=closed_at(day, context.zone), day=day)
    grace = timedelta(days=scope.policies.inaccessible_grace)
    lost = {ref: one.known.inaccessible_on for ref, one in known.items()}
    ends = {ref: day_start(day + grace, context.zone) for ref, day in lost.items() if day is not None}
    there = Scene(known, context.zone, first.at, grace=grace.days, top=top)
    running = running_at(there, scope, last.day)
    before = running.measured()[0]
    found = list(replayed(running, turns(there, last.at, ends), first.day, last.day, context.zone))
    return Replayed(
        before=before,
        after=running.measured()[0],
        changes=[change for _, changes in found for change in changes],
        days=[day for day, _ in found],
    )


def scope_of_epic(context: Context, ref: Ref) -> Scope:
    """Return the scope that an epic is, over its leaf items."""
    return Scope(
        id=ref[1],
        shares={ref[1]: 1.0},
        policies=context.workspace.policies,
        start=None,
        end=None,
        due=None,
        before_start_applies=False,
    )


async def subject_scope(
    tx: Transaction, context: Context, id_: str, made: Mapping[str, Initiative]
) -> tuple[Scope, Ref | None]:
    """Return the scope of a key result, an initiative or an epic, with the epic's own place."""
    workspace = context.workspace
    if id_ in workspace.key_results or id_ in workspace.initiatives or id_ in made:
        return scope_of(workspace, id_, made), None
    item = (await one_item(tx, workspace, id_)).item
    return scope_of_epic(context, (item.connection, item.id)), (item.connection, item.id)
