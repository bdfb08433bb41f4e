"""Where each subject of a row of `publish` is told: on the epics linked to it, at its own entry, in a channel.

An address is the vendor's id where the store knows it, else what the workspace file says; which id that is at the
vendor's, an outlet's `prepare` finds out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Outlet
from connectors.registry import CONNECTORS, SINKS
from domain.errors import ConfigError
from domain.okr import Initiative
from domain.work import Level
from domain.workspace import PublishRow, Workspace
from storage import links
from storage.engine import Transaction
from sync.context import Context
from sync.subjects import Subject

Places = dict[str, list[tuple[str, str]]]
"""(address, address as people know it) by subject"""


def outlet_of(context: Context, row: PublishRow) -> Outlet | None:
    """Return the outlet that a row publishes to, None where this version does not have it."""
    if row.connection is None:
        return SINKS[row.outlet][0].outlet(row) if row.outlet in SINKS else None
    connection = context.workspace.connections.get(row.connection)
    connector = CONNECTORS.get(connection.type) if connection is not None else None
    return connector.outlets.get(row.outlet.rpartition(".")[2]) if connector is not None else None


def unsupported(context: Context, target: str | None = None) -> list[ConfigError]:
    """Return an error for each row (or for one) whose place this version does not have."""
    return [
        ConfigError(f"{row.id}: {unsupported_words(row)}")
        for row in context.workspace.publish
        if target in (None, row.id) and outlet_of(context, row) is None
    ]


def unsupported_words(row: PublishRow) -> str:
    """Say that a row cannot be sent by this version, and what to do."""
    where = row.outlet.replace(".", ": ")
    return f"this version does not publish to {where}. Take the row out of the file, or change its `to`."


async def places_of(
    tx: Transaction,
    context: Context,
    row: PublishRow,
    outlet: Outlet,
    subjects: Sequence[Subject],
    made: Mapping[str, Initiative],
) -> Places:
    """Return the places of the subjects of a row; a subject without one is missing.

    `made` are the initiatives that rules made.
    """
    if not outlet.addressed:
        return {one.id: [("", row.outlet)] for one in subjects}
    if row.on == "linked_epics":
        return await on_linked(tx, context.workspace, row, outlet, made)
    if row.what == "epics":
        return {
            one.id: [(one.item[0].id, one.item[1])]
            for one in subjects
            if one.item and one.item[0].connection == row.connection and stands(outlet, one.item[1])
        }
    return await stated(tx, row, outlet, subjects)


def crowded(row: PublishRow, outlet: Outlet, subjects: Sequence[Subject], places: Places) -> dict[str, list[str]]:
    """Return the subjects of each place that has room for one alone and would be told of several, by address."""
    if not outlet.lone(row):
        return {}
    found: dict[str, list[str]] = {}
    for subject in subjects:
        for address in dict(places.get(subject.id, ())):
            found.setdefault(address, []).append(subject.id)
    return {address: there for address, there in found.items() if len(there) > 1}


def crowded_words(subjects: Sequence[str]) -> str:
    """Say that a place has room for one of its subjects alone, and what to do."""
    return f"{', '.join(subjects)} would all be written here, and it holds one value: leave the others out by `only`"


def stands(outlet: Outlet, key: str) -> bool:
    """Return whether an epic has room for what an outlet writes."""
    return outlet.level is Level.EPIC and outlet.stands_on(key)


async def on_linked(
    tx: Transaction, workspace: Workspace, row: PublishRow, outlet: Outlet, made: Mapping[str, Initiative]
) -> Places:
    """Return the linked items of each subject: of an initiative its own, above it those of all that contribute."""
    by_initiative = {
        initiative: [(id_, key) for id_, key in there if outlet.stands_on(key)]
        for initiative, there in (await links.linked_at(tx, row.connection or "", outlet.level)).items()
    }
    if row.what == "initiatives":
        return {id_: there for id_, there in by_initiative.items() if there}
    found: Places = {}
    for id_, initiative in {**made, **workspace.initiatives}.items():
        for link in initiative.contributes:
            key_result = workspace.key_results.get(link.to)
            if key_result is not None:
                subject = key_result.id if row.what == "key_results" else key_result.objective
                there = found.setdefault(subject, [])
                there += [one for one in by_initiative.get(id_, ()) if one not in there]
    return {id_: there for id_, there in found.items() if there}


async def stated(tx: Transaction, row: PublishRow, outlet: Outlet, subjects: Sequence[Subject]) -> Places:
    """Return the address of each subject by its own `external`, else the project whose status the row itself names."""
    keys = {one.id: address_of(row, one.external) for one in subjects}
    project = row.to.get("project") if outlet.kind == "status_update" else None
    connection = row.connection or ""
    refs = await links.refs_of_keys(tx, [(connection, key) for key in keys.values() if key]) if connection else {}
    found: Places = {}
    for id_, key in keys.items():
        if key is not None:
            found[id_] = [(refs.get((connection, key), ("", key))[1], key)]
        elif isinstance(project, str):
            found[id_] = [(project, project)]
    return found


def address_of(row: PublishRow, external: Mapping[str, str]) -> str | None:
    """Return a subject's address under `external`: by the row's connection, else its id, else the tool's name."""
    return next((external[name] for name in external_names(row) if name in external), None)


def external_names(row: PublishRow) -> tuple[str, ...]:
    """Return the names under `external` that give an address to a row, the first first."""
    return (row.connection, row.id) if row.connection is not None else (row.id, row.outlet)
