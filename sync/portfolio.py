"""The portfolio, and what would be if: facts out of the store, through the sums, as JSON documents.

Asks no tracker and writes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from connectors.registry import CONNECTORS
from domain.errors import UsageError
from domain.work import Category
from domain.workspace import Workspace
from rollup.allocation import split
from rollup.flow import Pace, Passage, pace
from rollup.portfolio import Weight, members_of, weigh
from rollup.portfolio_report import EVERYTHING, dimensions_of, portfolio_report
from rollup.progress import sized
from rollup.report import shown_objectives
from rollup.views import Views
from storage import checkpoints, flow, rollups
from storage import links as link_store
from storage.engine import Transaction
from sync import present as presents
from sync.answers import now_there
from sync.context import Context
from sync.refresh import measure_of

Doc = dict[str, Any]  # Any: a JSON document

READING = "reading"
"""the stream that keeps what discovery found out"""


async def portfolio(context: Context, *, by: str | None = None, timeframe: str = "current") -> Doc:
    """Return the document of `portfolio`; raise UsageError for a timeframe or a dimension that is not there."""
    check_timeframe(context.workspace, timeframe)
    there = await now_there(context)
    views = presents.views(context.workspace, there, context.now())
    known = dimensions_of(views)
    if by is not None and by not in known:
        raise UsageError(f"There is no dimension '{by}'. There are: {', '.join(known)}.")
    ids = [one.initiative.id for one in members_of(views, shown_objectives(views, timeframe))]
    async with context.store.read() as tx:
        paces, teams = await flows(tx, context, views, ids)
        return portfolio_report(
            views,
            timeframe=timeframe,
            by=by,
            weight=await weights(tx, context, ids),
            unlinked=there.unlinked,
            loose=await loose(tx, known),
            paces=paces,
            teams=teams,
        )


def check_timeframe(workspace: Workspace, timeframe: str) -> None:
    """Raise UsageError for a timeframe that the file does not have."""
    if timeframe not in ("current", "all", *workspace.timeframes):
        known = ", ".join(workspace.timeframes) or "none"
        raise UsageError(f"There is no timeframe '{timeframe}'. The file has: {known}; or say current or all.")


async def weights(tx: Transaction, context: Context, ids: Iterable[str]) -> Weight:
    """Return the items behind some initiatives, each once, under the policies of the workspace."""
    policies = context.workspace.policies
    shares = dict.fromkeys(ids, 1.0)
    found = await rollups.facts(tx, shares, measure=measure_of(policies))
    return weigh(sized(found, shares, policies, today=context.today), shares)


async def flows(
    tx: Transaction, context: Context, views: Views, ids: Iterable[str]
) -> tuple[dict[str, Pace], dict[str, Pace]]:
    """Return the flow of each initiative, and of all together (`EVERYTHING`), and that of each team.

    Work without a team is that of its initiative's.
    """
    wanted = frozenset(ids)
    owners = {id_: view.initiative.team for id_, view in views.initiatives.items()}
    scopes = await link_store.load_scopes(tx)
    held = {number: frozenset(link.initiative for link in links) & wanted for number, links in scopes.items()}

    def team_of(scope: int, stated: str | None) -> str | None:
        return stated or next((owners[id_] for id_ in sorted(held.get(scope, ())) if owners.get(id_)), None)

    counted: Counter[Passage] = Counter()
    async for way in flow.ways(tx, context.zone, leaf_level=context.workspace.policies.leaf_level):
        if initiatives := held.get(way.scope):
            team = team_of(way.scope, way.team)
            counted[Passage(initiatives, team, way.started_on, way.completed_on)] += 1
    passages = [one._replace(count=n) for one, n in counted.items()]
    by_initiative: dict[str, list[Passage]] = {}
    of_team: dict[str, list[Passage]] = {}
    for one in passages:
        for id_ in one.initiatives:
            by_initiative.setdefault(id_, []).append(one)
        if one.team is not None:
            of_team.setdefault(one.team, []).append(one)
    again: Counter[str] = Counter()
    team_again: Counter[str] = Counter()
    for (scope, stated), n in (await flow.times(tx, await reopenings(tx, context))).items():
        if initiatives := held.get(scope):
            again.update(dict.fromkeys([*initiatives, EVERYTHING], n))
            team_again[team_of(scope, stated) or ""] += n
    day = context.today
    paces = {id_: pace(found, today=day, reopened=again[id_]) for id_, found in sorted(by_initiative.items())}
    paces[EVERYTHING] = pace(passages, today=day, reopened=again[EVERYTHING])
    teams = {team: pace(found, today=day, reopened=team_again[team]) for team, found in sorted(of_team.items())}
    return paces, teams


async def reopenings(tx: Transaction, context: Context) -> set[flow.Step]:
    """Return the steps of history that led out of done and not into canceled, by the words of today."""
    statuses: dict[str, object] = {}
    for name, connection in context.workspace.connections.items():
        kept = await checkpoints.load(tx, name, READING)
        facts = kept["facts"] if kept is not None else CONNECTORS[connection.type].defaults(connection).facts
        statuses[name] = facts.get("statuses", {})
    found: set[flow.Step] = set()
    for step in await flow.steps(tx):
        known = statuses.get(step.connection)
        before, after = (
            context.mapper.category_of(step.connection, word, id_, None, known)
            for word, id_ in ((step.before, step.before_id), (step.after, step.after_id))
        )
        if before is Category.DONE and after in (Category.TODO, Category.IN_PROGRESS):
            found.add(step)
    return found


async def loose(tx: Transaction, dimensions: Iterable[str]) -> dict[str, dict[str | None, float]]:
    """Return how many items of no initiative stand at which value of each dimension; a list splits equally."""
    found: dict[str, dict[str | None, float]] = {name: {} for name in dimensions}
    for stated, team, count in await flow.loose(tx):
        for name, counts in found.items():
            parts = split(team if name == "team" else stated.get(name))
            for value, part in (parts or {None: 1.0}).items():
                counts[value] = counts.get(value, 0.0) + count * part
    return found
