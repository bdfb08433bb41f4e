"""From what moved to the numbers: links of what is below, delivery of every subject above, in one transaction.

A change re-computes only what it can reach; `rebuild` re-computes all, and both write the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta

from domain.facts import Fact, Facts
from domain.okr import Initiative
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.scope import Scope, all_initiatives, contributors, delivered, scope_of
from storage import checkpoints, links, okrs, rollups
from storage import items as store
from storage.engine import Transaction
from sync import present as presents
from sync.context import Context
from sync.ingest import Ingested, remap, remap_by_payload, remap_refs
from sync.links import relink, relink_all

MAPPED = "mapped"
"""the note that says with which file the store was mapped"""


async def refresh(tx: Transaction, context: Context, done: Ingested) -> set[str]:
    """Bring links and rollups up to date with what moved; return the subjects that were computed."""
    found = await find_parents(tx, context)
    moved = done.moved | found.moved
    relinked = await relink(tx, context.mapper, moved)
    dirty = done.initiatives | found.initiatives | await links.initiatives_near(tx, moved | set(relinked))
    for lost in (await links.load_scopes(tx, set(relinked.values()))).values():
        dirty |= {link.initiative for link in lost}
    if not dirty <= set(context.workspace.initiatives):
        await remember_subjects(tx, context.workspace, all_initiatives(context.workspace, await created(tx)))
    return await roll_up(tx, context, dirty)


async def find_parents(tx: Transaction, context: Context) -> Ingested:
    """Find the parents that payloads name by key alone, and apply the rules that look at them; return what moved."""
    found = await links.resolve_parents(tx)
    done = Ingested(moved={*found, *await links.parents_above(tx, found)})
    if context.mapper.uses_parent:
        done.add(await remap_refs(tx, context, found))
    return done


async def rebuild(tx: Transaction, context: Context) -> None:
    """Map the whole store again by today's file and re-compute everything, asking no tracker."""
    await links.forget_created(tx)
    async for chunk in store.stream(tx):
        await remap(tx, context, chunk)
    if context.mapper.uses_raw:
        await remap_by_payload(tx, context)
    await settle_all(tx, context)


async def settle_all(tx: Transaction, context: Context) -> None:
    """Compute all links and rollups of items that are mapped already, and note with which file."""
    await find_parents(tx, context)
    await relink_all(tx, context.mapper)
    initiatives = all_initiatives(context.workspace, await created(tx))
    await rollups.clear(tx)
    await roll_up(tx, context, initiatives)
    await remember_subjects(tx, context.workspace, initiatives)
    await checkpoints.save_note(tx, MAPPED, {"digest": context.workspace.digest})


async def catch_up(context: Context) -> None:
    """Re-map the store where the file changed, and re-compute what has outlived its day."""
    async with context.store.read() as tx:
        mapped = await checkpoints.note(tx, MAPPED)
        late = await rollups.expired(tx, context.today)
    if mapped is None or mapped["digest"] != context.workspace.digest:
        async with context.store.write() as tx:
            await rebuild(tx, context)
    elif late:
        async with context.store.write() as tx:
            served = contributors(context.workspace, await created(tx))
            await roll_up(tx, context, late.union(*(served.get(id_, ()) for id_ in late)))


async def roll_up(tx: Transaction, context: Context, dirty: Iterable[str]) -> set[str]:
    """Compute the delivery of initiatives and of the key results that they serve; return all their ids.

    `dirty` may name key results too. What is no more, or is served by no initiative any more, loses its rollup.
    """
    made = await created(tx)
    initiatives = all_initiatives(context.workspace, made)
    served = {id_: shares for id_, shares in contributors(context.workspace, made).items() if shares}
    asked = set(dirty)
    await rollups.drop(tx, asked - set(initiatives) - set(served))
    wanted = asked & set(initiatives)
    computed: set[str] = set()
    for id_, shares in served.items():
        if id_ not in asked and not wanted & set(shares):
            continue
        scope = scope_of(context.workspace, id_, made)
        found = await rollups.facts(tx, shares, measure=measure_of(scope.policies))
        await compute(tx, context, "key_result", scope, found)
        for inner in sorted(wanted & set(shares) - computed):
            inner_scope = scope_of(context.workspace, inner, made)
            if measure_of(inner_scope.policies) == measure_of(scope.policies):
                await compute(tx, context, "initiative", inner_scope, only(found, inner))
                computed.add(inner)
        computed.add(id_)
    for id_ in sorted(wanted - computed):
        scope = scope_of(context.workspace, id_, made)
        found = await rollups.facts(tx, {id_}, measure=measure_of(scope.policies))
        await compute(tx, context, "initiative", scope, found)
        computed.add(id_)
    return computed


async def compute(tx: Transaction, context: Context, kind: str, scope: Scope, found: Facts) -> None:
    """Compute the delivery of a subject and keep it with the flow that forecasts are made of."""
    progress, past = delivered(found, scope, today=context.today)
    if scope.end is not None and context.today <= scope.end and scope.policies.health.freeze_after_end:
        ends = scope.end + timedelta(days=1)
        progress = replace(progress, valid_until=min(progress.valid_until or ends, ends))
    await rollups.save(tx, kind, scope.id, progress, past)


def measure_of(policies: Policies) -> str:
    """Return which stored number sizes come from under these policies."""
    if policies.size == "field":
        return f"field:{policies.size_field}"
    return "time_estimate" if policies.size == "time" else "estimate"


def only(found: Facts, initiative: str) -> Facts:
    """Return the facts of one initiative out of those of several."""

    def counts(fact: Fact) -> bool:
        return initiative in fact.links or initiative in fact.parent_links

    return Facts(rows=tuple(row for row in found.rows if counts(row)), nodes=found.nodes)


async def created(tx: Transaction) -> dict[str, Initiative]:
    """Return the initiatives that rules made of items."""
    return presents.created(await links.load_created(tx))


async def remember_subjects(tx: Transaction, workspace: Workspace, initiatives: Mapping[str, Initiative]) -> None:
    """Note which ids the file has, so that those that leave it are listed as orphaned."""
    known = {id_: ("objective", one.title) for id_, one in workspace.objectives.items()}
    known |= {id_: ("key_result", one.title) for id_, one in workspace.key_results.items()}
    known |= {id_: ("initiative", one.title) for id_, one in initiatives.items()}
    renamed = {old: one.id for one in workspace.objectives.values() for old in one.was}
    renamed |= {old: one.id for one in workspace.key_results.values() for old in one.was}
    renamed |= {old: one.id for one in workspace.initiatives.values() for old in one.was}
    await okrs.remember(tx, known, renamed)
