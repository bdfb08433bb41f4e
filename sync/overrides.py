"""What people say of the health of a subject in place of what is computed: stated until a day, taken back, audited.

How long it holds and how it is shown is decided in `rollup.health`; nothing here asks a tracker.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches

from domain.errors import UsageError
from domain.okr import HEALTH_WORDS, Health, Override
from domain.work import Level
from rollup.days import said
from rollup.health import Verdict, valid_override
from rollup.report import instant
from rollup.views import Views
from storage import overrides as store
from storage.audit import Deed, note
from storage.engine import Transaction
from sync.answers import Doc, now_there, one_item
from sync.context import Context
from sync.present import views


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a person speaks of; `id` is what overrides name it by, `verdict` None where only its item is known."""

    id: str
    name: str
    kind: str
    title: str
    verdict: Verdict | None


def health_named(word: str) -> Health:
    """Return the health that a word means, whatever its case and whether it is written with ``_``, ``-`` or a space."""
    code = "_".join(word.lower().replace("-", " ").replace("_", " ").split())
    if code in {health.value for health in Health}:
        return Health(code)
    near = get_close_matches(code, [health.value for health in Health], n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise UsageError(f"There is no health '{word}'. Say one of: {', '.join(health.value for health in Health)}.{hint}")


async def override(
    context: Context, id_: str, health: Health, *, until: date, reason: str, by: str, deed: Deed | None = None
) -> Doc:
    """Record a person's word on the health of a subject; it stands in place of what was said of it before.

    Raises UsageError for an unknown id, a day that is over, or where no reason is given. `deed` is put to the account
    with it.
    """
    if not reason.strip():
        raise UsageError(f"Say why {id_} is {HEALTH_WORDS[health].lower()}: --reason TEXT.")
    if until < context.today:
        raise UsageError(f"{said(until)} is over: an override holds until a day that is still to come, or today.")
    now = context.now()
    subject = await subject_of(context, id_)
    async with context.store.write() as tx:
        replaced = await in_force(tx, context, subject)
        await store.say(tx, subject.id, health, until=until, by=by, reason=reason.strip(), at=now)
        if deed is not None:
            await note(tx, deed)
    return {
        **told(subject),
        "health": health.value,
        "until": until.isoformat(),
        "by": by,
        "reason": reason.strip(),
        "at": instant(now),
        "replaces": statement(replaced),
    }


async def clear(context: Context, id_: str, *, reason: str, by: str, deed: Deed | None = None) -> Doc:
    """Record that what a person said of a subject holds no longer; raise UsageError where nothing does.

    `deed` is put to the account with it.
    """
    subject = await subject_of(context, id_)
    async with context.store.write() as tx:
        cleared = await in_force(tx, context, subject)
        if cleared is None:
            raise UsageError(f"Nobody's word stands in place of the computed health of {subject.name}.")
        await store.take_back(tx, subject.id, by=by, reason=reason.strip(), at=context.now())
        if deed is not None:
            await note(tx, deed)
    return {**told(subject), "cleared": statement(cleared), "by": by, "reason": reason.strip()}


async def in_force(tx: Transaction, context: Context, subject: Subject) -> Override | None:
    """Return what holds of a subject now."""
    return valid_override(await store.all_overrides(tx), subject.id, context.now(), context.zone)


async def subject_of(context: Context, id_: str) -> Subject:
    """Return the objective, key result, initiative or epic of an id or key; raise UsageError where it is none."""
    found = views(context.workspace, await now_there(context), context.now())
    known = evaluated(found, id_)
    if known is not None:
        return known
    async with context.store.read() as tx:
        item = (await one_item(tx, context.workspace, id_)).item
    name = f"{item.connection}:{item.key}"
    if known := evaluated(found, name):
        return known
    if item.level is not Level.EPIC:
        raise UsageError(
            f"{name} is no epic but of level {item.level.value}, and has no health of its own: "
            "name an objective, key result, initiative or epic."
        )
    return Subject(id=str(item.ref), name=name, kind="epic", title=item.title, verdict=None)


def evaluated(found: Views, id_: str) -> Subject | None:
    """Return the objective, key result or initiative of an id, None where there is none."""
    if objective := found.objectives.get(id_):
        return Subject(id=id_, name=id_, kind="objective", title=objective.objective.title, verdict=objective.verdict)
    if key_result := found.key_results.get(id_):
        return Subject(
            id=id_, name=id_, kind="key_result", title=key_result.key_result.title, verdict=key_result.verdict
        )
    if initiative := found.initiatives.get(id_):
        return Subject(
            id=id_, name=id_, kind="initiative", title=initiative.initiative.title, verdict=initiative.verdict
        )
    return None


def told(subject: Subject) -> Doc:
    """Return a subject with its computed health, None where that is not at hand."""
    computed = subject.verdict.computed.value if subject.verdict is not None else None
    return {"id": subject.name, "kind": subject.kind, "title": subject.title, "computed": computed}


def statement(override: Override | None) -> Doc | None:
    """Return what a person said, None where nobody did."""
    if override is None:
        return None
    return {
        "health": override.health.value,
        "until": override.until.isoformat(),
        "by": override.by,
        "reason": override.reason,
        "at": instant(override.at),
    }
