"""Pushing back out: what should be said where, what changed since it was last said, and one vendor call for each.

Content is compared by fingerprint with what we last wrote; what a human changed since then is left alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from connectors.base import Call, Outlet, Spot, There
from connectors.registry import CONNECTORS
from domain.errors import (
    AuthError,
    KeyrailError,
    NotFoundError,
    PermanentError,
    RejectedError,
    TransientError,
    UsageError,
)
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.work import Level
from domain.workspace import PublishRow
from storage import links, outbox
from storage.engine import Transaction
from storage.outbox import Due, Place, Published
from sync import journal
from sync.answers import Doc, report
from sync.closes import keep_closes
from sync.context import Context, Live
from sync.mapping import subject_matches

MAX_READS = 50
"""pages of entries that are looked through for ours"""

KINDS = {"initiatives": "initiative", "key_results": "key_result", "objectives": "objective"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One thing that a target would be told. `key` is the address as people know it."""

    place: Place
    key: str
    action: str
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    reason: str
    told: Mapping[str, object] = field(default_factory=dict)
    """content with the progress and health behind it, as the ledger keeps it"""

    def document(self) -> Doc:
        """Return the write as `publish --plan` prints it."""
        return {
            "target": self.place.target,
            "subject": self.place.subject,
            "address": self.key,
            "action": self.action,
            "before": self.before,
            "after": self.after,
            "reason": self.reason,
        }


async def plan(
    context: Context, *, target: str | None = None, subject: str | None = None, now: datetime | None = None
) -> list[Write]:
    """Return what would be written, and what is left as it is and why; sends nothing."""
    moment = now or context.now()
    await keep_closes(context)
    doc = await report(context, timeframe="all", now=moment)
    current = await report(context, timeframe="current", now=moment)
    async with context.store.read() as tx:
        ledger = await outbox.ledger(tx)
        writes: list[Write] = []
        for row in context.workspace.publish:
            if target is not None and row.id != target:
                continue
            writes += await plan_row(tx, context, row, doc, current, ledger, moment)
    return [write for write in writes if subject is None or write.place.subject == subject]


async def plan_row(
    tx: Transaction,
    context: Context,
    row: PublishRow,
    doc: Doc,
    current: Doc,
    ledger: Mapping[Place, Published],
    now: datetime,
) -> list[Write]:
    """Return the writes of one row of `publish`."""
    outlet = outlet_of(context, row)
    if outlet is None:
        return []
    writes: list[Write] = []
    wanted: set[Place] = set()
    addresses = await addresses_of(tx, context, row)
    for entry in subjects_of(context, row, doc, current):
        kind = KINDS[row.what]
        update = status_update(context, kind, entry, doc)
        content = outlet.content(update, row)
        for address, key in addresses.get(entry["id"], ()):
            place = Place(target=row.id, kind=kind, subject=entry["id"], address=address)
            if place not in wanted:
                wanted.add(place)
                writes.append(compare(row, place, key, update, content, ledger.get(place), now))
    for place, told in ledger.items():
        linked = {address for address, _key in addresses.get(place.subject, ())}
        if place.target == row.id and place.address not in linked and told.overridden_at is None:
            before = content_of(told.content)
            writes.append(
                Write(
                    place=place,
                    key=place.address,
                    action="delete",
                    before=before,
                    after=None,
                    reason="no longer linked",
                )
            )
    return writes


def compare(
    row: PublishRow,
    place: Place,
    key: str,
    update: StatusUpdate,
    content: Mapping[str, object],
    told: Published | None,
    now: datetime,
) -> Write:
    """Decide about one place: create, update, or skip with the reason."""
    after = dict(content)
    before = content_of(told.content) if told is not None else None
    told_now = {"content": after, "progress": update.progress, "health": update.health.value}

    def write(action: str, reason: str) -> Write:
        return Write(place=place, key=key, action=action, before=before, after=after, reason=reason, told=told_now)

    if told is None:
        return write("create", "first time")
    if told.overridden_at is not None:
        return write("skip", "changed by a person since our last write; give it back with publish --release")
    unconfirmed = outbox.MAY_SAY in told.content
    if told.fingerprint == fingerprint(after) and not unconfirmed:
        return write("skip", "unchanged")
    reason = cause(row, told, update, before or {}, after) or (
        "our last write was not confirmed" if unconfirmed else None
    )
    if reason is None:
        return write("skip", "moved by less than the row asks for")
    if row.when.at_most is not None and now < told.sent_at + row.when.at_most:
        return write("skip", f"sent less than {hours(row.when.at_most.total_seconds())} ago; {reason} waits")
    return write("update", reason)


def cause(
    row: PublishRow, told: Published, update: StatusUpdate, before: Mapping[str, object], after: Mapping[str, object]
) -> str | None:
    """Return why changed content is worth sending; None where the change is smaller than the row asks for."""
    was, health = told.content.get("progress"), told.content.get("health")
    if told.fingerprint == "released":
        return "given back after a person's change"
    if row.when.health and health != update.health.value:
        return f"health: {health} -> {update.health.value}"
    if (was is None) != (update.progress is None):
        return "progress became known" if was is None else "progress became unknown"
    if isinstance(was, int | float) and update.progress is not None and was != update.progress:
        moved = round(abs(update.progress - was), 9)
        if row.when.progress is not None and moved >= row.when.progress:
            return f"progress: {100 * was:.0f} % -> {100 * update.progress:.0f} %"
        return None
    return "text changed" if steady(before) != steady(after) else None


def steady(content: Mapping[str, object]) -> dict[str, object]:
    """Return a content without the text that moves with the calendar; it alone is never worth a write."""
    return {name: value for name, value in content.items() if name != "summary"}


def hours(seconds: float) -> str:
    """Write a span in hours or minutes."""
    return f"{seconds / 3600:.0f} h" if seconds >= 3600 else f"{seconds / 60:.0f} min"


def subjects_of(context: Context, row: PublishRow, doc: Doc, current: Doc) -> list[Doc]:
    """Return the report's entries that a row is about; those of current timeframes unless it names one."""
    if row.what not in KINDS:
        return []
    entries: list[Doc] = doc[row.what] if row.only is not None and names(row.only, "timeframe") else current[row.what]
    if row.only is None:
        return entries
    only = row.only
    return [entry for entry in entries if subject_matches(only, described(context, KINDS[row.what], entry))]


def names(matcher: object, field_name: str) -> bool:
    """Return whether a matcher looks at a field."""
    if getattr(matcher, "field", None) == field_name:
        return True
    inner = getattr(matcher, "inner", ())
    return any(names(one, field_name) for one in (inner if isinstance(inner, tuple) else (inner,)))


def described(context: Context, kind: str, entry: Doc) -> dict[str, object]:
    """Return what `only` can ask about a subject."""
    workspace = context.workspace
    owner = (
        workspace.initiatives.get(entry["id"])
        or workspace.key_results.get(entry["id"])
        or workspace.objectives.get(entry["id"])
    )
    values: dict[str, object] = {"id": entry["id"], "kind": kind, "title": entry["title"], "health": entry["health"]}
    for name in ("team", "owner", "timeframe"):
        values[name] = getattr(owner, name, None)
    values["status"] = owner.status.value if owner is not None else "active"
    values["dimensions"] = dict(owner.dimensions) if owner is not None else {}
    return values


async def addresses_of(tx: Transaction, context: Context, row: PublishRow) -> dict[str, list[tuple[str, str]]]:
    """Return (vendor's id, key) of the places of each subject of a row."""
    connection = row.connection or ""
    workspace = context.workspace
    if row.on == "linked_epics":
        outlet = outlet_of(context, row)
        by_initiative = await links.linked_at(tx, connection, outlet.level if outlet is not None else Level.EPIC)
        if outlet is not None:
            by_initiative = {
                initiative: [(id_, key) for id_, key in there if outlet.stands_on(key)]
                for initiative, there in by_initiative.items()
            }
        if row.what == "initiatives":
            return by_initiative
        found: dict[str, list[tuple[str, str]]] = {}
        for id_, initiative in workspace.initiatives.items():
            for link in initiative.contributes:
                key_result = workspace.key_results.get(link.to)
                if key_result is not None:
                    subject = key_result.id if row.what == "key_results" else key_result.objective
                    places = found.setdefault(subject, [])
                    places += [one for one in by_initiative.get(id_, ()) if one not in places]
        return found
    owners = {"initiatives": workspace.initiatives, "key_results": workspace.key_results}
    subjects: Mapping[str, object] = owners.get(row.what, workspace.objectives)
    stated = {id_: getattr(one, "external", {}).get(connection) for id_, one in subjects.items()}
    refs = await links.refs_of_keys(tx, [(connection, str(key)) for key in stated.values() if key])
    return {id_: [(refs.get((connection, key), ("", key))[1], key)] for id_, key in stated.items() if key}


def status_update(context: Context, kind: str, entry: Doc, doc: Doc) -> StatusUpdate:
    """Return what is told about a subject."""
    complete_to = doc.get("complete_to")
    return StatusUpdate(
        workspace=context.workspace.name,
        kind=kind,
        id=entry["id"],
        title=entry["title"],
        progress=entry["progress"],
        state=entry["state"],
        health=Health(entry["health"]),
        drivers=tuple(entry["health_reasons"]),
        summary=entry["summary"],
        flags=tuple(entry["flags"]),
        complete_to=datetime.fromisoformat(complete_to) if complete_to else None,
        url=f"{context.public_url}/{kind}s/{entry['id']}" if context.public_url else None,
    )


def outlet_of(context: Context, row: PublishRow) -> Outlet | None:
    """Return the outlet that a row publishes to, None where this version does not have it."""
    connection = context.workspace.connections.get(row.connection or "")
    connector = CONNECTORS.get(connection.type) if connection is not None else None
    return connector.outlets.get(row.outlet.rpartition(".")[2]) if connector is not None else None


def content_of(kept: Mapping[str, object]) -> dict[str, object]:
    """Return the content out of what the outbox and the ledger keep."""
    content = kept.get("content")
    return dict(content) if isinstance(content, Mapping) else {}


def ours(kept: Mapping[str, object]) -> list[object]:
    """Return what a place says if nobody but us wrote there: what it was last told, or what was just being written."""
    may_say = kept.get(outbox.MAY_SAY)
    return [content_of(kept), *(may_say if isinstance(may_say, list) else ())]


def natural_key(context: Context, place: Place) -> str:
    """Return the key that a vendor knows our entry by."""
    return f"keyrail:{context.workspace.name}:{place.target}:{place.kind}:{place.subject}"


def fingerprint(content: Mapping[str, object]) -> str:
    """Return the hash of a content."""
    return hashlib.sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


async def enqueue(context: Context, writes: Iterable[Write]) -> None:
    """Put what is to be written into the outbox, and take out what is not any more."""
    async with context.store.write() as tx:
        for write in writes:
            if write.action == "skip":
                await outbox.withdraw(tx, write.place)
                continue
            due = Due(
                place=write.place,
                content=dict(write.told),
                fingerprint=fingerprint(write.after or {}),
                action="delete" if write.action == "delete" else "update",
                reason=write.reason,
                first_due_at=context.now(),
            )
            await outbox.enqueue(tx, due)


@dataclass(slots=True)
class Sent:
    """What a run of `publish` did, each as a document."""

    sent: list[Doc] = field(default_factory=list)
    unchanged: int = 0
    overridden: list[Doc] = field(default_factory=list)
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
            "failed": self.failed,
            "waiting": self.waiting,
            "dry_run": self.dry_run,
        }


async def release(context: Context, what: str, reason: str | None) -> Doc:
    """Give a target back after a person's override; raises UsageError where there is nothing to release."""
    target, colon, subject = what.partition(":")
    if not colon or not reason:
        raise UsageError("Release names TARGET:SUBJECT and says why: --release jira-badge:I1 --reason 'agreed with …'")
    async with context.store.write() as tx:
        released = len(await outbox.release(tx, target, subject))
    if not released:
        raise UsageError(f"{what}: no place of it is overridden. See keyrail publish --plan")
    return {"target": target, "subject": subject, "released": released, "reason": reason}


async def tell(
    context: Context, sources: Mapping[str, Live], *, target: str | None = None, subject: str | None = None
) -> Sent:
    """Plan and send while nobody else does; raise LockedError where another process has been at it for a minute.

    The numbers that were sent are appended to the journal.
    """
    async with context.store.lock("publish", patience=60):
        now = context.now()
        writes = await plan(context, target=target, subject=subject, now=now)
        if all(write.action == "skip" for write in writes):
            return await send(context, sources, writes)
        doc = await report(context, timeframe="all", now=now)
        done = await send(context, sources, writes)
        subjects = {document["subject"] for document in done.sent}
        async with context.store.write() as tx:
            await journal.keep(tx, context, only(doc, subjects), how="sent", at=now)
        return done


def only(doc: Doc, subjects: Collection[str]) -> Doc:
    """Return a report of some subjects alone."""
    return {**doc, **{name: [one for one in doc[name] if one["id"] in subjects] for name in KINDS}}


async def send(context: Context, sources: Mapping[str, Live], writes: Sequence[Write]) -> Sent:
    """Send what is due, one vendor call each, and remember it; rows in `mode: dry_run` only say what they would send.

    A tracker that refuses our credentials or is away is asked no more: more tries could lock the account.
    """
    rows = {row.id: row for row in context.workspace.publish}
    live = [write for write in writes if rows[write.place.target].mode == "live"]
    dry = [write.document() for write in writes if rows[write.place.target].mode != "live" and write.action != "skip"]
    await enqueue(context, live)
    by_place = {write.place: write for write in live}
    done = Sent(unchanged=sum(write.action == "skip" for write in writes), dry_run=dry)
    async with context.store.read() as tx:
        waiting = [due for due in await outbox.waiting(tx) if due.place in by_place]
        ledger = await outbox.ledger(tx)
    given_up: set[str] = set()
    for due in waiting:
        row = rows[due.place.target]
        source = sources.get(row.connection or "")
        outlet = outlet_of(context, row)
        if source is None or outlet is None or source.name in given_up:
            done.waiting += 1
            continue
        error = await send_one(context, source, outlet, row, due, ledger.get(due.place), by_place[due.place], done)
        if isinstance(error, AuthError | TransientError):
            given_up.add(source.name)
    return done


async def send_one(
    context: Context,
    source: Live,
    outlet: Outlet,
    row: PublishRow,
    due: Due,
    told: Published | None,
    write: Write,
    done: Sent,
) -> KeyrailError | None:
    """Write one place: read it first, leave it alone where a human changed it, remember what was written.

    Returns the tracker's error, which `done` holds too.
    """
    document = write.document()
    content = content_of(due.content)
    spot = Spot(
        row=row,
        address=due.place.address,
        key=natural_key(context, due.place),
        reading=source.reading,
        id=told.entry if told is not None else None,
    )
    try:
        there = await current(source, outlet, spot)
        now_there = there.content if there is not None else None
        spot = replace(spot, id=there.id if there is not None else None)
        touched = told is not None and told.fingerprint != "released" and now_there not in ours(told.content)
        if touched and (now_there != content or due.action == "delete"):
            async with context.store.write() as tx:
                await outbox.override(tx, due.place, context.now())
            done.overridden.append({**document, "before": now_there, "reason": "changed by a person"})
            return None
        wanted = None if due.action == "delete" else content
        if now_there != wanted:
            if told is not None:
                async with context.store.write() as tx:
                    await outbox.attempt(tx, told, [now_there, wanted])
            if wanted is not None:
                answer = await source.client.send(outlet.render(wanted, spot))
                spot = replace(spot, id=outlet.sent(answer, spot))
            elif outlet.remove is not None:
                await source.client.send(outlet.remove(spot))
        async with context.store.write() as tx:
            await outbox.remember(tx, due, context.now(), entry=spot.id)
        done.sent.append(document)
    except KeyrailError as error:
        async with context.store.write() as tx:
            final = isinstance(error, PermanentError) and not isinstance(error, AuthError)
            await outbox.fail(tx, due.place, str(error), final=final)
        done.failed.append({**document, "reason": str(error)})
        done.errors.append(error)
        return error
    return None


async def current(source: Live, outlet: Outlet, spot: Spot) -> There | None:
    """Return what a place says now, None where it says nothing of ours; pages are read until ours is found."""
    if outlet.read is None or outlet.current is None:
        return None
    call = outlet.read(spot)
    for _ in range(MAX_READS):
        try:
            answer = await source.client.send(call)
        except NotFoundError:
            return None
        found = outlet.current(answer.body, spot)
        if not isinstance(found, Call):
            return found
        call = found
    raise RejectedError(f"{source.name}: our entry on {spot.address} was not found among {MAX_READS} pages of others.")
