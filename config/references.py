"""What only all files together can tell: names that lead nowhere, circles, places that do not fit.

Works on what was read, complete or not, so that one mistake does not hide another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from config.matchers import SUBJECT_FIELDS
from config.notes import Notes, Place, Reference, nearest
from config.plan import BUILT_IN_DIMENSIONS
from config.publishing import OUTLETS
from domain.okr import Initiative, KeyResult, Objective, Status, Timeframe
from domain.rules import CreateInitiative, HealthPolicy, MappingRule, Policies
from domain.workspace import Connection, Dimension, PublishRow, Workspace

KIND_WORDS = {"objective": "an objective", "key_result": "a key result", "initiative": "an initiative"}


def check_names(notes: Notes) -> None:
    """Note each reference to a name that is not defined, and each circle of parents."""
    for reference in notes.references:
        if not any(reference.name in notes.defined.get(space, ()) for space in reference.spaces):
            _missing(reference, notes)
    for space, edges in notes.edges.items():
        _circles(space, edges, notes)


def _missing(reference: Reference, notes: Notes) -> None:
    name, spaces = reference.name, reference.spaces
    if "dimension" in spaces:
        if name in BUILT_IN_DIMENSIONS:
            return
        known = [*notes.names(("dimension",)), *SUBJECT_FIELDS]
        notes.error(
            reference.place,
            f"Unknown field '{name[:60]}'. Valid: {', '.join(SUBJECT_FIELDS)}, the dimensions, any, all, not.",
            nearest(name, known),
        )
        return
    if spaces == ("team",) and not notes.defined.get("team"):
        return
    connection, colon, key = name.partition(":")
    if spaces == ("initiative",) and colon and key and connection in notes.defined.get("connection", {}):
        return
    for space, words in KIND_WORDS.items():
        if name in notes.defined.get(space, {}):
            notes.error(reference.place, f"'{name}' is {words}, expected {reference.what}.")
            return
    notes.error(
        reference.place,
        f"There is no {reference.what.split(' ', 1)[1]} '{name[:60]}' in the file.",
        nearest(name, notes.names(spaces)),
    )


def _circles(space: str, edges: Mapping[str, tuple[str, Place]], notes: Notes) -> None:
    done: set[str] = set()
    for start in edges:
        trail: list[str] = []
        name = start
        while name in edges and name not in done:
            done.add(name)
            trail.append(name)
            name = edges[name][0]
        if name in trail:
            circle = [*trail[trail.index(name) :], name]
            notes.error(
                edges[name][1], f"The parents of this {space} go round: {' -> '.join(circle)}. Remove one of them."
            )


def check_values(read: Mapping[str, Any], notes: Notes) -> None:
    """Note values that do not fit what other places declare."""
    _dimensions(read["dimensions"], notes)
    _published(read["publish"], read["connections"], notes)
    _timeframes(read["timeframes"], notes)
    subjects: list[Objective | Initiative] = [objective for objective, _ in read["objectives"]]
    subjects += read["initiatives"]
    key_results = [each for _, inner in read["objectives"] for each in inner]
    _renamed([*subjects, *key_results], notes)
    _bands(read["policies"], subjects, notes)
    for objective, inner in read["objectives"]:
        for each in inner:
            _period(each, objective, read["timeframes"], notes)


def _dimensions(dimensions: Mapping[str, Dimension], notes: Notes) -> None:
    known = (*notes.defined.get("dimension", {}), *BUILT_IN_DIMENSIONS)
    for dimension, values, place in notes.classified:
        if dimension not in known:
            notes.error(
                place,
                f"There is no dimension '{dimension[:60]}' in the file. Add it under dimensions.",
                nearest(dimension, known),
            )
            continue
        allowed = dimensions[dimension].values if dimension in dimensions else ()
        for value in values if allowed else ():
            if value not in allowed and "{" not in value:
                notes.error(
                    place,
                    f"'{value[:60]}' is no value of the dimension {dimension}: {', '.join(allowed)}.",
                    nearest(value, allowed),
                )


def _published(rows: Iterable[PublishRow], connections: Mapping[str, Connection], notes: Notes) -> None:
    for row in rows:
        connection = connections.get(row.connection) if row.connection else None
        place = notes.places.get(f"publish:{row.id}")
        if connection is not None and place is not None and row.outlet not in OUTLETS[connection.type]:
            allowed = OUTLETS[connection.type]
            notes.error(
                place,
                f"{connection.type} has no '{row.outlet}'. Valid for {row.connection}: {', '.join(allowed)}.",
                nearest(row.outlet, allowed),
            )


def _timeframes(timeframes: Mapping[str, Timeframe], notes: Notes) -> None:
    for each in timeframes.values():
        parent = timeframes.get(each.parent) if each.parent else None
        if parent is not None and (each.start < parent.start or each.end > parent.end):
            place = notes.edges["timeframe"][each.id][1]
            notes.warning(
                place, f"{each.start} to {each.end} is not within {parent.id}, {parent.start} to {parent.end}."
            )


def _renamed(subjects: Iterable[Objective | Initiative | KeyResult], notes: Notes) -> None:
    claimed: dict[str, str] = {}
    ids = notes.defined.get("id", {})
    for subject in subjects:
        for old in subject.was:
            place = notes.places[f"was:{subject.id}"]
            if old in ids:
                notes.error(place, f"'{old}' is still an id, at {ids[old]}; was names ids that are gone.")
            elif claimed.setdefault(old, subject.id) != subject.id:
                notes.error(place, f"'{old}' is carried on by {claimed[old]} already; its history can go to one place.")


def _bands(stated: Mapping[str, object], subjects: Iterable[Objective | Initiative], notes: Notes) -> None:
    policies = Policies().under(stated)
    place = notes.defined.get("policy", {}).get("health")
    if place is not None and (problem := _band_problem(policies.health)):
        notes.error(place, problem)
        return
    for subject in subjects:
        if "health" in subject.policies and (problem := _band_problem(policies.under(subject.policies).health)):
            notes.error(notes.places[f"policies:{subject.id}"], problem)


def _band_problem(health: HealthPolicy) -> str | None:
    if health.bands == "ratio" and health.on_track <= health.at_risk:
        return (
            f"With bands: ratio on_track ({health.on_track:g}) must be above at_risk ({health.at_risk:g}): "
            "it is a pace, and more is better."
        )
    if health.bands == "gap" and health.on_track >= health.at_risk:
        return (
            f"With bands: gap on_track ({health.on_track:g}) must be below at_risk ({health.at_risk:g}): "
            "it is a lag, and less is better."
        )
    return None


def period_of(
    key_result: KeyResult, objective: Objective, timeframes: Mapping[str, Timeframe]
) -> tuple[date | None, date | None]:
    """Return first and last day of a key result: its own, else its timeframe's, else its objective's timeframe's."""
    timeframe = timeframes.get(key_result.timeframe or objective.timeframe or "")
    start = key_result.start or (timeframe.start if timeframe else None)
    end = key_result.end or (timeframe.end if timeframe else None)
    return start, end


def _period(key_result: KeyResult, objective: Objective, timeframes: Mapping[str, Timeframe], notes: Notes) -> None:
    start, end = period_of(key_result, objective, timeframes)
    both = key_result.start is not None and key_result.end is not None
    if start is not None and end is not None and end < start and not both:
        place = notes.defined["key_result"][key_result.id]
        notes.error(place, f"{key_result.id} would end on {end}, before it starts on {start}.")


def advise(workspace: Workspace, notes: Notes) -> None:
    """Note what is allowed but probably not meant; for a file without errors."""
    if not workspace.connections:
        notes.warning(Place(workspace.files[0], 1, "connections"), "No connection: there is nothing to read from.")
    _unused_timeframes(workspace, notes)
    _without_value(workspace, notes)
    _elsewhere(workspace, notes)
    ids = notes.defined.get("id", {})
    gone = {old for each in workspace.key_results.values() for old in each.was}
    for each in workspace.key_results.values():
        if each.continues and each.continues not in workspace.key_results and each.continues not in gone:
            notes.warning(
                notes.places[f"continues:{each.id}"],
                f"'{each.continues}' is not in the file; its history is joined if the store knows it.",
                nearest(each.continues, workspace.key_results),
            )
        if each.status is Status.CLOSED and each.closed_on is None:
            notes.warning(ids[each.id], f"{each.id} is closed without closed_on: its period ends at its last day.")


def _unused_timeframes(workspace: Workspace, notes: Notes) -> None:
    used = {each.timeframe for each in workspace.objectives.values()}
    used |= {each.timeframe for each in workspace.key_results.values()}
    used |= {name for team in workspace.teams.values() for name in team.capacity_weeks}
    for name in list(used):
        while name is not None and (timeframe := workspace.timeframes.get(name)) is not None:
            name = timeframe.parent
            used.add(name)
    for name in workspace.timeframes:
        if name not in used:
            notes.warning(notes.defined["timeframe"][name], f"No objective uses the timeframe {name}.")


def _without_value(workspace: Workspace, notes: Notes) -> None:
    ids = notes.defined.get("id", {})
    served = {each.to for initiative in workspace.initiatives.values() for each in initiative.contributes}
    by_rule = [rule for rule in workspace.rules if isinstance(rule.initiative, CreateInitiative)]
    served |= {to for rule in by_rule for to, _, _ in created(rule)}
    any_served = any("{" in name for name in served)
    for each in workspace.key_results.values():
        if each.metric is None and each.id not in served and not any_served:
            notes.warning(ids[each.id], f"{each.id} has neither a metric nor an initiative: it can have no value.")
    parents = {each.parent for each in workspace.objectives.values()}
    with_results = {each.objective for each in workspace.key_results.values()}
    for objective in workspace.objectives:
        if objective not in with_results and objective not in parents:
            notes.warning(ids[objective], f"{objective} has neither key results nor child objectives: no value.")
    for initiative in workspace.initiatives.values():
        if not initiative.contributes:
            notes.warning(ids[initiative.id], f"{initiative.id} contributes to no key result.")


def created(rule: MappingRule) -> tuple[tuple[str, float, float | None], ...]:
    """Return what the initiatives that a rule creates contribute to."""
    return rule.initiative.contributes if isinstance(rule.initiative, CreateInitiative) else ()


def _elsewhere(workspace: Workspace, notes: Notes) -> None:
    """Warn of a name under `external` that looks like a connection and is none."""
    rows = {row.id for row in workspace.publish} | {row.outlet for row in workspace.publish}
    for group in (workspace.objectives, workspace.key_results, workspace.initiatives):
        for subject in group.values():
            for name in subject.external:
                close = nearest(name, workspace.connections)
                if name not in workspace.connections and name not in rows and close:
                    message = f"'{name}' is neither a connection nor a publish target."
                    notes.warning(notes.places[f"external:{subject.id}"], message, close)
