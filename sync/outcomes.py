"""What became of each place that was to be told: counted for the run, kept in the ledger, and noted in the log.

Nothing here asks a vendor.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.errors import AuthError, ConfigError, KeyrailError, PermanentError
from domain.workspace import PublishRow
from storage import outbox, publications
from storage.outbox import Due, Published
from storage.publications import Deed
from sync.addresses import outlet_of
from sync.context import Context
from sync.due import Write, content_of, fingerprint

Doc = dict[str, object]


@dataclass(slots=True)
class Sent:
    """What a run of `publish` did, each as a document; `waiting` are places that could not be told in this run."""

    sent: list[Doc] = field(default_factory=list)
    unchanged: int = 0
    overridden: list[Doc] = field(default_factory=list)
    uncertain: list[Doc] = field(default_factory=list)
    failed: list[Doc] = field(default_factory=list)
    waiting: int = 0
    dry_run: list[Doc] = field(default_factory=list)
    errors: list[KeyrailError] = field(default_factory=list)

    def document(self) -> Doc:
        """Return the run as `publish` prints it."""
        return {
            "sent": self.sent,
            "unchanged": self.unchanged,
            "overridden": self.overridden,
            "uncertain": self.uncertain,
            "failed": self.failed,
            "waiting": self.waiting,
            "dry_run": self.dry_run,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """One row of the outbox with the row of `publish` it is for, the plan, and what the ledger said of the place."""

    row: PublishRow
    due: Due
    write: Write
    told: Published | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of `publish`: what it did so far, and who has it done."""

    context: Context
    by: str
    done: Sent

    def deed(self, write: Write, action: str, **more: Any) -> Deed:  # Any: fields of a Deed
        """Return the entry of the log about a write."""
        about = {
            "at": self.context.now(),
            "place": write.place,
            "key": write.key,
            "action": action,
            "by": self.by,
            "reason": write.reason,
            "period": write.period,
            "fingerprint": fingerprint(write.after or {}),
            "after": write.after,
        }
        return Deed(**{**about, **more})


async def settle(context: Context, *, by: str) -> None:
    """Note as uncertain what an earlier run was sending when it ended, where nobody can look whether it arrived."""
    blind = {
        row.id
        for row in context.workspace.publish
        if (outlet := outlet_of(context, row)) is not None and outlet.guarantee == "blind"
    }
    if not blind:
        return
    async with context.store.write() as tx:
        for told in (await outbox.ledger(tx, blind)).values():
            if told.state == "sending":
                await outbox.doubt(tx, told.place)
                deed = Deed(
                    at=context.now(),
                    place=told.place,
                    key=await publications.key_of(tx, told.place),
                    action="uncertain",
                    by=by,
                    reason="the run that sent it ended before the answer came",
                    period=told.period,
                    fingerprint=told.fingerprint,
                    after=content_of(told.content),
                )
                await publications.note(tx, deed)


async def note_dry(run: Run, writes: Sequence[Write]) -> list[Doc]:
    """Note in the log what rows in `mode: dry_run` would send, each content once; return all of it."""
    if writes:
        async with run.context.store.write() as tx:
            noted = await publications.latest(tx, "would send")
            for write in writes:
                before = noted.get(write.place)
                if before is None or before.fingerprint != fingerprint(write.after or {}):
                    await publications.note(tx, run.deed(write, "would send", before=write.before))
    return [write.document() for write in writes]


async def note_override(run: Run, errand: Errand, says: Mapping[str, object] | None) -> None:
    """Note that a human changed a place; nothing is sent there until it is given back."""
    write, reason = errand.write, "changed by a person" if says is not None else "taken away by a person"
    async with run.context.store.write() as tx:
        await outbox.override(tx, write.place, run.context.now())
        await publications.note(tx, run.deed(write, "overridden", before=write.before, after=says, reason=reason))
    run.done.overridden.append({**write.document(), "before": says, "reason": reason})


async def note_doubt(run: Run, errand: Errand, error: KeyrailError) -> None:
    """Note that nobody knows whether a call was carried out; it is not made again in the period."""
    write = errand.write
    async with run.context.store.write() as tx:
        await outbox.doubt(tx, write.place)
        await publications.note(tx, run.deed(write, "uncertain", before=write.before, reason=str(error)))
    run.done.uncertain.append({**write.document(), "reason": str(error)})
    run.done.errors.append(error)


async def remember(run: Run, errand: Errand, entry: str | None, *, before: Mapping[str, object] | None) -> None:
    """Note that a place says what it shall, under which id of the vendor's."""
    write = errand.write
    action = "removed" if errand.due.action == "delete" else "created" if before is None else "updated"
    async with run.context.store.write() as tx:
        await outbox.remember(tx, errand.due, run.context.now(), entry=entry)
        await publications.note(tx, run.deed(write, action, before=before))
    run.done.sent.append(write.document())


async def fail(run: Run, errand: Errand, error: KeyrailError) -> None:
    """Note a failed attempt; what was refused waits for another content or a person, the rest for the next run."""
    final = isinstance(error, PermanentError | ConfigError) and not isinstance(error, AuthError)
    async with run.context.store.write() as tx:
        await outbox.fail(tx, errand.due.place, str(error), final=final)
        if final and errand.due.state != "failed":
            await publications.note(
                tx, run.deed(errand.write, "refused", before=errand.write.before, reason=str(error))
            )
    run.done.failed.append({**errand.write.document(), "reason": str(error)})
