"""The journal of what was published: kept when numbers are shown or sent, asked for as of a day, never restated.

What today's file says of the same day is told in `history`.
"""

from __future__ import annotations

from datetime import date, datetime

from domain.errors import UsageError
from domain.workspace import Workspace
from rollup.report import instant
from storage import journal
from storage.engine import Transaction
from storage.journal import Published
from sync.answers import Doc
from sync.context import Context
from sync.history import moment
from sync.present import KINDS, entries_of, part, steady


async def keep(tx: Transaction, context: Context, doc: Doc, *, how: str, at: datetime, whole: bool = False) -> int:
    """Append the entries of a report that differ from what was published last; return how many did.

    `how` is ``shown`` or ``sent``: what is sent is kept even if it had been shown before. `whole` says that the
    report has all subjects, so that the others have left the file.
    """
    found = entries_of(doc)
    last = await journal.latest(tx, None if whole else {id_ for _, id_ in found})
    complete_to = datetime.fromisoformat(doc["complete_to"]) if doc["complete_to"] else None

    def row(kind: str, id_: str, entry: Doc | None, mark: str) -> Published:
        return Published(at, kind, id_, how, context.workspace.digest, complete_to, mark, entry)

    rows = []
    for (kind, id_), entry in found.items():
        mark = steady(entry)
        before, way = last.get((kind, id_), ("", ""))
        if before != mark or (how == "sent" and way != "sent"):
            rows.append(row(kind, id_, entry, mark))
    if whole:
        rows += [
            row(kind, id_, None, "") for (kind, id_), (mark, _) in last.items() if mark and (kind, id_) not in found
        ]
    await journal.append(tx, rows)
    return len(rows)


async def published(context: Context, day: date, id_: str | None, *, timeframe: str) -> Doc:
    """Return the report as it stood published at the close of a day, or the part of it that belongs to one id.

    Each entry says under `published` when and how it was published, with which file and how complete its sources
    were. Raises UsageError where nothing had been published by then.
    """
    at = moment(context, day)
    async with context.store.read() as tx:
        rows = [row for row in await journal.as_of(tx, at) if row.entry is not None]
        began = await journal.began(tx)
    if not rows:
        first = f"The first was on {began.astimezone(context.zone).date()}." if began else "Nothing has been so far."
        raise UsageError(f"Nothing had been published by {day}. {first} For a recomputed past: --as-of {day}")
    lists: dict[str, list[Doc]] = {name: [] for name in KINDS}
    for name, kind in KINDS.items():
        lists[name] = [told(row) for row in rows if row.kind == kind]
    complete = [row.complete_to for row in rows]
    doc: Doc = {
        "workspace": context.workspace.name,
        "as_of": instant(at),
        "as_published": day.isoformat(),
        "complete_to": instant(min(known))
        if (known := [c for c in complete if c]) and len(known) == len(rows)
        else None,
        **lists,
        "unlinked": {"epics": None, "items": None},
    }
    return part(doc, id_) if id_ else of_timeframe(context.workspace, doc, timeframe, day)


def told(row: Published) -> Doc:
    """Return an entry with how it was published."""
    said = {"at": instant(row.at), "how": row.how, "file": row.file, "complete_to": instant(row.complete_to)}
    return {**(row.entry or {}), "published": said}


def of_timeframe(workspace: Workspace, doc: Doc, timeframe: str, day: date) -> Doc:
    """Return the part of a published report that belongs to a timeframe, with the parents of its objectives."""
    if timeframe == "all":
        return doc
    current = {one.id for one in workspace.timeframes.values() if one.start <= day <= one.end}
    wanted = current if timeframe == "current" else {timeframe}
    by_id = {one["id"]: one for one in doc["objectives"]}
    shown: set[str] = set()
    for one in doc["objectives"]:
        if one["timeframe"] is None or one["timeframe"] in wanted:
            at = one["id"]
            while at in by_id and at not in shown:
                shown.add(at)
                at = by_id[at]["parent"]
    key_results = [one for one in doc["key_results"] if one["objective"] in shown]
    served = {link["id"] for one in key_results for link in one["initiatives"]}
    return {
        **doc,
        "objectives": [one for one in doc["objectives"] if one["id"] in shown],
        "key_results": key_results,
        "initiatives": [one for one in doc["initiatives"] if one["id"] in served or not one["contributes"]],
    }
