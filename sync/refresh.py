"""From what moved to the numbers: links of what is below, delivery of every subject above, in one transaction.

A change re-computes only what it can reach; `rebuild` re-computes all, and both write the same bytes.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import NamedTuple

from domain.facts import Facts, Flow, Progress
from domain.okr import Initiative, ManualRollup
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.features import forecasts, shares_throughput, tied
from rollup.parts import Part, merge, separable
from rollup.scope import Scope, all_initiatives, combine, contributors, delivered, fingerprint, scopes_of
from rollup.scope import parts as parts_of
from storage import checkpoints, closes, dirty, links, okrs, overrides, parts, rollups
from storage.engine import Transaction
from storage.links import Ref
from sync import present as presents
from sync.context import Context
from sync.ingest import MAPPED, Ingested, remap_refs
from sync.links import mirroring, relink, relink_all
from sync.remapping import remap_all

FORECASTS = "forecasts"
"""the note that says of which day the forecasts beside the rollups are"""

AT_ONCE = 50
"""subjects whose facts are read, and whose numbers are written, with the same statements"""


async def refresh(tx: Transaction, context: Context, done: Ingested) -> set[str]:
    """Bring links and rollups up to date with what moved; return the subjects that were computed."""
    found = await find_parents(tx, context)
    # Where items are mirrored all links are made anew, and scopes that nobody has any more are forgotten on the way.
    known = await links.load_scopes(tx) if await mirroring(tx, context.mapper) else None
    relinked = await relink(tx, context.mapper, done.moved | found.moved)
    moved = done.moved | found.moved | set(relinked)
    dirty = done.initiatives | found.initiatives | await links.initiatives_near(tx, moved)
    if known is None:
        known = await links.load_scopes(tx, set(relinked.values()))
    dirty |= {link.initiative for number in set(relinked.values()) for link in known.get(number, ())}
    if not dirty <= set(context.workspace.initiatives):
        await remember_subjects(tx, context.workspace, all_initiatives(context.workspace, await created(tx)))
    groups = moved | {parts.bucket_of(ref) for ref in done.loose | found.loose} | await parts.groups_near(tx, moved)
    computed = await roll_up(tx, context, dirty, groups)
    if computed:
        await look_ahead(tx, context, computed)
    return computed


async def find_parents(tx: Transaction, context: Context) -> Ingested:
    """Find the parents that payloads name by key alone, and apply the rules that look at them; return what moved."""
    found = await links.resolve_parents(tx)
    done = Ingested(moved={*found, *await links.parents_above(tx, found)}, loose=set(found))
    if context.mapper.uses_parent:
        done.add(await remap_refs(tx, context, found))
    return done


async def rebuild(tx: Transaction, context: Context) -> set[str]:
    """Map the whole store again by today's file and re-compute everything, asking no tracker."""
    with collecting_rarely():
        await links.forget_created(tx)
        await remap_all(tx, context)
        return await settle_all(tx, context)


@contextmanager
def collecting_rarely() -> Iterator[None]:
    """Have garbage in circles looked for less often: millions of short-lived values come and go, and none is in one."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


async def settle_all(tx: Transaction, context: Context) -> set[str]:
    """Compute all links and rollups of items that are mapped already, and note with which file; nothing waits then."""
    await dirty.take(tx)
    await find_parents(tx, context)
    await relink_all(tx, context.mapper)
    initiatives = all_initiatives(context.workspace, await created(tx))
    await rollups.clear(tx)
    computed = await roll_up(tx, context, initiatives)
    await look_ahead(tx, context)
    await remember_subjects(tx, context.workspace, initiatives)
    await overrides.note_manual(tx, manual_statements(context.workspace), context.today)
    await checkpoints.save_note(tx, MAPPED, {"digest": context.workspace.digest})
    return computed


async def catch_up(context: Context) -> None:
    """Re-map the store where the file changed, and re-compute what has outlived its day."""
    async with context.store.read() as tx:
        mapped = await checkpoints.note(tx, MAPPED)
        late = await rollups.expired(tx, context.today)
        kept = await checkpoints.note(tx, FORECASTS)
    if mapped is None or mapped["digest"] != context.workspace.digest:
        async with context.store.alone() as tx:
            await rebuild(tx, context)
    elif late or kept is None or kept["day"] != context.today.isoformat():
        async with context.store.alone() as tx:
            served = contributors(context.workspace, await created(tx))
            await roll_up(tx, context, late.union(*(served.get(id_, ()) for id_ in late)))
            await look_ahead(tx, context)
    from sync.closes import keep_closes  # history, which closes are computed from, stands on this module

    await keep_closes(context)


async def look_ahead(tx: Transaction, context: Context, subjects: Collection[str] | None = None) -> None:
    """Compute the forecasts of the day, of some subjects or of all, and keep them: they cost more than showing them.

    What past closes their health depends on is noted as unknown, and looked at when somebody asks (`sync.closes`).
    """
    day = context.today.isoformat()
    made = await created(tx)
    shared = shares_throughput(context.workspace, made)
    moved = asked = None
    if subjects is not None:
        moved = asked = tied(context.workspace, await rollups.known(tx) if shared else (), made, subjects)
    if await checkpoints.note(tx, FORECASTS) != {"day": day}:
        asked = None
        await checkpoints.save_note(tx, FORECASTS, {"day": day})
    stored = await rollups.load(tx, None if shared else asked)
    ahead = forecasts(context.workspace, stored, made, today=context.today, only=asked)
    await rollups.foresee(tx, {id_: asdict(forecast) for id_, forecast in ahead.items()})
    await closes.forget(tx, day, moved)


async def roll_up(
    tx: Transaction, context: Context, dirty: Iterable[str], groups: Collection[Ref] | None = None
) -> set[str]:
    """Compute the delivery of initiatives and of the key results that they serve; return all their ids.

    `dirty` may name key results too. What is no more, or is served by no initiative any more, loses its rollup.
    `groups` are the parts that a change can have reached, None where nothing is known of what was before.
    """
    made = await created(tx)
    initiatives = all_initiatives(context.workspace, made)
    contributing = contributors(context.workspace, made)
    served = {id_: shares for id_, shares in contributing.items() if shares}
    asked = set(dirty)
    await rollups.drop(tx, asked - set(initiatives) - set(served))
    wanted = asked & set(initiatives)
    subjects = {id_: "key_result" for id_, shares in served.items() if id_ in asked or wanted & set(shares)}
    subjects |= dict.fromkeys(sorted(wanted), "initiative")
    scopes = scopes_of(context.workspace, subjects, made, contributing)
    computed = await patch(tx, context, subjects, scopes, groups) if groups is not None else set()
    waiting = [(id_, kind) for id_, kind in subjects.items() if id_ not in computed]
    if not waiting:
        return computed
    shares = {id_: served[id_] if kind == "key_result" else {id_: 1.0} for id_, kind in waiting}
    order = together(waiting, shares)
    shelf = await rollups.open_shelf(tx, [shares[id_] for id_, _ in order])
    for start in range(0, len(order), AT_ONCE):
        some = [(kind, scopes[id_]) for id_, kind in order[start : start + AT_ONCE]]
        await compute_some(tx, context, shelf, some, shares)
    return computed | shares.keys()


async def compute_some(
    tx: Transaction,
    context: Context,
    shelf: rollups.Shelf,
    subjects: Sequence[tuple[str, Scope]],
    shares: Mapping[str, Mapping[str, float]],
) -> None:
    """Compute the delivery of subjects (kind, scope) from the initiatives of their `shares`, and keep it."""
    asked: dict[str, set[str]] = {}
    for _, scope in subjects:
        asked.setdefault(measure_of(scope.policies), set()).update(shares[scope.id])
    for measure, initiatives in asked.items():
        await rollups.stock(tx, shelf, initiatives, measure=measure)
    made: list[Computed] = []
    for kind, scope in subjects:
        found = await rollups.shelved(tx, shelf, shares[scope.id], measure=measure_of(scope.policies))
        shelf.took(shares[scope.id])
        made.append(compute(kind, scope, found, context.today))
    await keep(tx, context, made)
    await parts.replace_all(tx, {(one.kind, one.scope.id): one.parts for one in made})


def together(subjects: Iterable[tuple[str, str]], shares: Mapping[str, Mapping[str, float]]) -> list[tuple[str, str]]:
    """Return subjects (id, kind) so that initiatives follow the first key result that they serve: they share facts."""
    kinds = dict(subjects)
    order: dict[str, str] = {}
    for id_, kind in kinds.items():
        order.setdefault(id_, kind)
        if kind == "key_result":
            for inner in shares[id_]:
                if inner in kinds:
                    order.setdefault(inner, kinds[inner])
    return list(order.items())


async def patch(
    tx: Transaction,
    context: Context,
    subjects: Mapping[str, str],
    scopes: Mapping[str, Scope],
    groups: Collection[Ref],
) -> set[str]:
    """Compute the named parts alone of all subjects whose other parts still hold; return the ids of those."""
    totals = await rollups.totals(tx, subjects, context.today)
    served = {initiative for scope in scopes.values() for initiative in scope.shares}
    found: dict[str, Facts] = {}
    patched: set[str] = set()
    for id_, kind in subjects.items():
        scope, known = scopes[id_], totals.get((kind, id_))
        if known is None or known.terms != fingerprint(scope):
            continue
        patched.add(id_)
        measure = measure_of(scope.policies)
        if measure not in found:
            found[measure] = await rollups.facts_of(tx, groups, served, measure=measure)
        fresh = parts_of(found[measure], scope, today=context.today, only=groups)
        stale = {key: Part(**part) for key, part in (await parts.load(tx, kind, id_, groups)).items()}
        differ = {key for key in {*fresh, *stale} if fresh.get(key) != stale.get(key)}
        if differ:
            fresh = {key: fresh[key] for key in differ & set(fresh)}
            total = merge([Part(**known.part), *fresh.values()], [stale[key] for key in differ & set(stale)])
            await parts.replace(tx, kind, id_, fresh, differ)
            await keep(tx, context, [Computed(kind, scope, *combine(total, scope, today=context.today), total, fresh)])
    return patched


class Computed(NamedTuple):
    """The delivery of a subject with the flow that forecasts are made of, and the parts that it is the sum of."""

    kind: str
    scope: Scope
    progress: Progress
    flow: Flow
    total: Part | None
    parts: Mapping[Ref, Part]
    """none where the policies of the subject allow none"""


def compute(kind: str, scope: Scope, found: Facts, today: date) -> Computed:
    """Compute the delivery of a subject, in parts if its policies allow any."""
    if not separable(scope.policies):
        return Computed(kind, scope, *delivered(found, scope, today=today), None, {})
    made = parts_of(found, scope, today=today)
    total = merge(made.values())
    return Computed(kind, scope, *combine(total, scope, today=today), total, made)


async def keep(tx: Transaction, context: Context, made: Iterable[Computed]) -> None:
    """Keep the delivery of subjects; it holds until their scope freezes."""
    kept = []
    for kind, scope, progress, flow, total, _ in made:
        if scope.end is not None and context.today <= scope.end and scope.policies.health.freeze_after_end:
            ends = scope.end + timedelta(days=1)
            progress = replace(progress, valid_until=min(progress.valid_until or ends, ends))
        sum_ = rollups.Total(fingerprint(scope), total) if total is not None else None
        kept.append(rollups.Kept(kind, scope.id, progress, flow, sum_))
    await rollups.save(tx, kept)


def measure_of(policies: Policies) -> str:
    """Return which stored number sizes come from under these policies."""
    if policies.size == "field":
        return f"field:{policies.size_field}"
    return "time_estimate" if policies.size == "time" else "estimate"


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
    await overrides.rename(tx, renamed)


def manual_statements(workspace: Workspace) -> dict[str, str]:
    """Return what the file states by hand for objectives without saying until when, as JSON texts."""
    found = {id_: one.rollup for id_, one in workspace.objectives.items() if isinstance(one.rollup, ManualRollup)}
    return {id_: json.dumps([one.value, one.by, one.reason]) for id_, one in found.items() if one.until is None}
