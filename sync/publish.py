"""Publishing: what should be said where, what of it is due, and telling it while nobody else does.

Which subjects and places there are, what is worth a write and how one is made are decided in the modules it calls.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from connectors.base import Outlet
from domain.errors import UsageError
from domain.workspace import PublishRow
from storage import outbox, publications
from storage.engine import Transaction
from storage.outbox import Due, Place, Published
from storage.publications import Deed
from sync import journal, present
from sync.addresses import Places, crowded, crowded_words, outlet_of, places_of, unsupported
from sync.answers import Doc, now_there, report
from sync.closes import keep_closes
from sync.context import Context, Live
from sync.due import Decision, Write, content_of, decide, fingerprint, period_of
from sync.outcomes import Sent, settle
from sync.present import created
from sync.sending import send
from sync.subjects import Subject, subjects_of
from sync.updates import numbers_of, status_update, still, template_mark, with_changes, with_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Planning:
    """What a plan is made of: the report, the ledger, and since when places wait in the outbox."""

    context: Context
    now: datetime
    doc: Doc
    ledger: Mapping[Place, Published]
    waiting: Mapping[Place, datetime]


async def plan(
    context: Context, *, target: str | None = None, subject: str | None = None, now: datetime | None = None
) -> list[Write]:
    """Return what would be written, and what is left as it is and why; sends nothing."""
    at = now or context.now()
    await keep_closes(context)
    there = await now_there(context)
    made = created(there.created)
    doc, current = (present.report(context.workspace, there, timeframe=name, now=at) for name in ("all", "current"))
    async with context.store.read() as tx:
        ledger = await outbox.ledger(tx)
        waiting = {due.place: due.first_due_at for due in await outbox.waiting(tx)}
        planning = Planning(context=context, now=at, doc=doc, ledger=ledger, waiting=waiting)
        writes: list[Write] = []
        for row in context.workspace.publish:
            outlet = outlet_of(context, row)
            if outlet is not None and target in (None, row.id):
                subjects = await subjects_of(tx, context, row, doc, current, made)
                places = await places_of(tx, context, row, outlet, subjects, made)
                writes += wanted(planning, row, outlet, subjects, places)
                writes += [write async for write in unwanted(tx, planning, row, outlet, places)]
    return [write for write in writes if subject in (None, write.place.subject) or named(write, subject)]


def named(write: Write, subject: str | None) -> bool:
    """Return whether somebody who names an epic by its key means a write."""
    return write.place.kind == "epic" and write.key == subject


def wanted(
    planning: Planning, row: PublishRow, outlet: Outlet, subjects: Sequence[Subject], places: Places
) -> Iterator[Write]:
    """Yield the writes of one row of `publish`: one for each subject and place."""
    context, now = planning.context, planning.now
    period, template = period_of(row, now, context.zone), template_mark(row)
    crowds = crowded(row, outlet, subjects, places)
    for subject in subjects:
        plain = status_update(context, subject, planning.doc, period)
        numbers = numbers_of(subject)
        for address, key in dict(places.get(subject.id, ())).items():
            place = Place(target=row.id, kind=subject.kind, subject=subject.id, address=address)
            told = planning.ledger.get(place)
            update = with_changes(plain, row, numbers, told.content if told is not None else {})
            after = dict(outlet.content(with_text(update, row), row))
            mark = fingerprint(outlet.content(with_text(still(update, row), row), row))
            decision = decide(
                row,
                outlet,
                update,
                after,
                {"template": template, "still": mark},
                told,
                first_due=planning.waiting.get(place),
                now=now,
                zone=context.zone,
            )
            if address in crowds:
                decision = Decision(action="skip", reason=crowded_words(crowds[address]))
            yield Write(
                place=place,
                key=key,
                action=decision.action,
                before=content_of(told.content) if told is not None else None,
                after=after,
                reason=decision.reason,
                mode=row.mode,
                period=period,
                told={
                    "content": after,
                    **numbers,
                    "changed": list(update.changed),
                    "template": template,
                    "still": mark,
                },
            )


async def unwanted(
    tx: Transaction, planning: Planning, row: PublishRow, outlet: Outlet, places: Places
) -> AsyncIterator[Write]:
    """Yield the removal of what a row once wrote where it is linked no more."""
    for place, told in planning.ledger.items():
        linked = {address for address, _ in places.get(place.subject, ())}
        if place.target == row.id and place.address not in linked and told.overridden_at is None:
            yield Write(
                place=place,
                key=await publications.key_of(tx, place),
                action="delete",
                before=content_of(told.content),
                after=None,
                reason="no longer linked"
                if outlet.remove is not None
                else "no longer linked; what was sent stays, as it cannot be taken back",
                mode=row.mode,
                period=told.period,
            )


async def enqueue(context: Context, writes: Iterable[Write]) -> None:
    """Put what is to be written into the outbox, and take out what is not any more.

    What waits for its time is put there too, since it keeps since when; what a dry run would send is not.
    """
    async with context.store.write() as tx:
        for write in writes:
            if write.action == "skip":
                await outbox.withdraw(tx, write.place)
                continue
            if write.mode != "live" and write.is_due:
                continue
            due = Due(
                place=write.place,
                content=dict(write.told),
                fingerprint=fingerprint(write.after or {}),
                action="delete" if write.action == "delete" else "update",
                reason=write.reason,
                first_due_at=context.now(),
                period=write.period,
            )
            await outbox.enqueue(tx, due)


async def release(context: Context, what: str, reason: str | None, *, by: str) -> Doc:
    """Give a target back after a person's override, or after a write of which nobody knows whether it arrived.

    Who did it and why goes into the log. Raises UsageError where there is nothing to release.
    """
    target, colon, subject = what.partition(":")
    if not colon or not reason:
        raise UsageError("Release names TARGET:SUBJECT and says why: --release jira-badge:I1 --reason 'agreed with …'")
    async with context.store.write() as tx:
        released = await outbox.release(tx, target, subject)
        for told in released:
            deed = Deed(
                at=context.now(),
                place=told.place,
                key=await publications.key_of(tx, told.place),
                action="released",
                by=by,
                reason=reason,
                period=told.period,
                before=content_of(told.content),
            )
            await publications.note(tx, deed)
    if not released:
        raise UsageError(f"{what}: no place of it is overridden or uncertain. See keyrail publish --plan")
    return {"target": target, "subject": subject, "released": len(released), "reason": reason, "by": by}


async def tell(
    context: Context,
    sources: Mapping[str, Live],
    *,
    target: str | None = None,
    subject: str | None = None,
    by: str = "keyrail serve",
    again: bool = False,
) -> Sent:
    """Plan and send while nobody else does; raise LockedError where another process has been at it for a minute.

    The numbers that were sent are appended to the journal. `by` is who has it sent; `again`, of people who
    ask for it, tries anew what a vendor refused, which else waits for another content.
    """
    async with context.store.lock("publish", patience=60):
        now = context.now()
        await settle(context, by=by)
        writes = await plan(context, target=target, subject=subject, now=now)
        await enqueue(context, writes)
        done = await send(context, sources, writes, by=by, again=again)
        done.errors += unsupported(context, target)
        if done.sent:
            doc = await report(context, timeframe="all", now=now)
            subjects = {str(document["subject"]) for document in done.sent}
            async with context.store.write() as tx:
                await journal.keep(tx, context, only(doc, subjects), how="sent", at=now)
        return done


def only(doc: Doc, subjects: Collection[str]) -> Doc:
    """Return a report of some subjects alone."""
    return {**doc, **{name: [one for one in doc[name] if one["id"] in subjects] for name in present.KINDS}}
