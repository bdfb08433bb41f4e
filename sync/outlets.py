"""The findings of `check` about `publish`: outlets that there are, addresses, the right to write, other workspaces.

Places are read, never written.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from connectors.base import Outlet
from domain.errors import KeyrailError
from domain.workspace import PublishRow
from storage.outbox import Due, Place
from sync import present
from sync.addresses import Places, crowded, crowded_words, external_names, outlet_of, places_of, unsupported_words
from sync.answers import now_there
from sync.context import Context, Live
from sync.due import period_of
from sync.present import created
from sync.subjects import Subject, subjects_of
from sync.ways import current, open_way, spot_of

Doc = dict[str, Any]  # Any: a JSON document

LOOKED_AT = 10
"""places of a row that are read to see whether another workspace writes there"""


async def targets(context: Context, sources: Mapping[str, Live]) -> list[Doc]:
    """Return the findings about each row of `publish`."""
    there = await now_there(context)
    made = created(there.created)
    doc, current = (
        present.report(context.workspace, there, timeframe=name, now=context.now()) for name in ("all", "current")
    )
    findings: list[Doc] = []
    for row in context.workspace.publish:
        outlet = outlet_of(context, row)
        if outlet is None:
            findings.append(finding(row.connection, "error", row.id, unsupported_words(row)))
            continue
        async with context.store.read() as tx:
            subjects = await subjects_of(tx, context, row, doc, current, made)
            places = await places_of(tx, context, row, outlet, subjects, made)
        findings.append(addressed(row, subjects, places))
        findings += crowds(row, outlet, subjects, places)
        findings += await reached(context, sources, row, subjects, places)
    return findings


def addressed(row: PublishRow, subjects: list[Subject], places: Places) -> Doc:
    """Return the finding about the addresses of a row: which subjects have none, and what would give them one."""
    without = [one.item[1] if one.item is not None else one.id for one in subjects if not places.get(one.id)]
    if not without:
        return finding(row.connection, "ok", row.id, "each subject has an address")
    if row.on == "linked_epics":
        how = "nothing is linked to"
    elif row.what == "epics":
        how = "there is no room on"
    else:
        how = f"no `external: {external_names(row)[0]}` on"
    return finding(row.connection, "warning", row.id, f"no address: {how} {', '.join(without)}")


def crowds(row: PublishRow, outlet: Outlet, subjects: list[Subject], places: Places) -> list[Doc]:
    """Return a finding for each place that has room for one subject alone and would be told of several."""
    keys = {address: key for there in places.values() for address, key in there}
    return [
        finding(row.connection, "warning", row.id, f"{keys[address]}: {crowded_words(there)}")
        for address, there in crowded(row, outlet, subjects, places).items()
    ]


async def reached(
    context: Context, sources: Mapping[str, Live], row: PublishRow, subjects: list[Subject], places: Places
) -> list[Doc]:
    """Return what the vendor says of a row: what is missing there, whether we may write, who else writes there."""
    if row.connection is not None and row.connection not in sources:
        return []
    found = [(one, address, key) for one in subjects for address, key in places.get(one.id, ())]
    findings: list[Doc] = []
    try:
        async with AsyncExitStack() as stack:
            way = await open_way(context, stack, sources, row, [address for _, address, _ in found])
            if way.outlet.may_write is not None:
                for one in await way.outlet.may_write(way.client, row, way.reading):
                    findings.append(finding(row.connection, one.level, one.subject or row.id, one.message))
            for subject, address, key in found[:LOOKED_AT]:
                place = Place(target=row.id, kind=subject.kind, subject=subject.id, address=address)
                await current(way, spot_of(context, way, looking_at(context, row, place), None), key)
    except KeyrailError as error:
        findings.append(finding(row.connection, "error", row.id, str(error)))
    return findings


def looking_at(context: Context, row: PublishRow, place: Place) -> Due:
    """Return a row of the outbox that stands for a place which is only looked at."""
    period = period_of(row, context.now(), context.zone)
    return Due(
        place=place, content={}, fingerprint="", action="update", reason="", first_due_at=context.now(), period=period
    )


def finding(connection: str | None, level: str, subject: str, message: str) -> Doc:
    """Return a finding as `check` prints it."""
    return {"connection": connection, "level": level, "subject": subject, "message": message}
