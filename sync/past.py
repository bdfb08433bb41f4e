"""From an item as it is and what its history tells to what it was: versions, oldest first, by today's file.

Pure. What history does not explain holds from the item's last change on; a field without history is as it is today.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from datetime import date, datetime, tzinfo
from itertools import groupby
from math import isfinite
from typing import TypeVar

from domain.past import Known, Life, Own, Version
from domain.work import Transition, WorkItem, revised
from sync.settle import entry_order

State = tuple[str, str | None]
"""(category, stage)"""
Meaning = Callable[[str | None, str | None, str | None], State | None]
"""(status, its id, resolution) -> state by today's words, None where nothing is known about the status"""
V = TypeVar("V")
Track = list[tuple[datetime, V]]
"""what a field was from an instant on, oldest first"""

FINAL = ("done", "canceled")


def life(
    known: Known,
    transitions: Iterable[Transition],
    meaning: Meaning,
    zone: tzinfo,
    owned: Sequence[tuple[datetime, tuple[Own, str]]] = (),
) -> Life:
    """Return an item through time; any order of `transitions` will do.

    `owned` are the links that the file gives to the item itself, with its level, from past instants on, oldest first,
    where its rules look at something that changed; without them those of today hold for all of its past. The last
    version is the item as the store has it.
    """
    told = sorted(transitions, key=lambda entry: (entry.at, entry_order(entry.id)))
    born = min([known.created_at, *(entry.at for entry in told[:1])])
    states = _states(known, [e for e in told if e.field in ("status", "resolution")], meaning, born)
    moves = [(e.at, e.before_id or e.before, e.after_id or e.after) for e in told if e.field == "parent"]
    parents = _values(known, moves, known.parent, born)
    estimates: Track[float | None] = [(born, known.estimate)]
    if known.measured:
        numbers = [(e.at, _number(e.before), _number(e.after)) for e in told if e.field == "estimate"]
        estimates = _values(known, numbers, known.estimate, born)
    teams = _values(known, [(e.at, e.before, e.after) for e in told if e.field == "team"], known.team, born)
    owns = [*owned] or [(born, (known.own, known.level))]
    owns[-1] = (owns[-1][0], (known.own, known.level))
    steps = {at for track in (states, parents, estimates, teams, owns) for at, _ in track}
    versions: list[Version] = []
    for at in sorted({max(at, born) for at in steps}):
        category, stage = _at(states, at)
        own, level = _at(owns, at)
        versions.append(
            Version(
                at=at,
                there=True,
                level=level,
                parent=_at(parents, at),
                category=category,
                stage=stage,
                estimate=_at(estimates, at),
                team=_at(teams, at),
                own=own,
                completed_on=_since(states, at, "done", zone) if category == "done" else None,
                canceled_on=_since(states, at, "canceled", zone) if category == "canceled" else None,
                entered_on=_entered(parents, at, known.created_at, zone),
            )
        )
    versions[-1] = versions[-1]._replace(
        completed_on=known.completed_on, canceled_on=known.canceled_on, entered_on=known.entered_on
    )
    if known.deleted_at is not None:
        gone = max(known.deleted_at, versions[-1].at)
        versions = [v for v in versions if v.at < gone] or versions[:1]
        versions.append(versions[-1]._replace(at=gone, there=False))
    return Life(known, tuple(versions), known.history_at is None and not told)


def _states(known: Known, told: Sequence[Transition], meaning: Meaning, born: datetime) -> Track[State]:
    """Return the state of an item through time; without a trace of it, as its own dates have it."""
    now: State = (known.category, known.stage)
    if not told:
        return _by_dates(known, now, born)
    first_status = next((e for e in told if e.field == "status"), None)
    first_resolution = next((e for e in told if e.field == "resolution"), None)
    status = first_status.before if first_status else known.status
    status_id = first_status.before_id if first_status else None
    resolution = first_resolution.before if first_resolution else known.resolution
    track: Track[State] = [(born, meaning(status, status_id, resolution) or ("todo", None))]
    for at, step in groupby(told, key=lambda e: e.at):
        for entry in step:
            if entry.field == "status":
                status, status_id = entry.after, entry.after_id
            else:
                resolution = entry.after
        found = meaning(status, status_id, resolution)
        if found is not None and found != track[-1][1]:
            track.append((at, found))
    if track[-1][1] != now:
        if _complete(known) or first_status is None:
            track[-1] = (track[-1][0], now)  # what the status is called today is what it was called then
        else:
            ended = {"done": known.completed_at, "canceled": known.canceled_at}.get(now[0])
            track.append((max(ended or known.updated_at, told[-1].at), now))
    return track


def _by_dates(known: Known, now: State, born: datetime) -> Track[State]:
    track: Track[State] = [(born, ("todo", None))]
    ended = {"done": known.completed_at, "canceled": known.canceled_at}.get(known.category)
    begun = known.started_at
    if known.category in FINAL and ended is None:
        return [(born, now)]
    if known.category == "in_progress":
        return [*track, (max(begun, born), now)] if begun is not None and begun > born else [(born, now)]
    if begun is not None and begun > born and (ended is None or begun < ended):
        track.append((begun, ("in_progress", None)))
    if ended is not None:
        track.append((max(ended, born), now))
    elif track[-1][1] != now:
        track = [(born, now)]
    return track if track[-1][0] > born or track[-1][1] == now else [(born, now)]


def _values(known: Known, told: Sequence[tuple[datetime, V, V]], now: V, born: datetime) -> Track[V]:
    """Return a field through time out of (instant, before, after), oldest first, and what it is now."""
    if not told:
        return [(born, now)]
    track: Track[V] = [(born, told[0][1])]
    track += [(at, after) for at, _, after in told]
    if track[-1][1] != now:
        if _complete(known):
            track[-1] = (track[-1][0], now)
        else:
            track.append((max(known.updated_at, track[-1][0]), now))
    return track


def _complete(known: Known) -> bool:
    """Whether all that the tracker tells of the item's past was read."""
    return known.history_at is not None and known.history_at >= known.updated_at


def _at(track: Track[V], at: datetime) -> V:
    found = track[0][1]
    for begins, value in track:
        if begins > at:
            break
        found = value
    return found


def _since(states: Track[State], at: datetime, category: str, zone: tzinfo) -> date:
    """Return the local day on which an item last came into the category that it is in at an instant."""
    entered = states[0][0]
    before: str | None = None
    for begins, (found, _) in states:
        if begins > at:
            break
        if found == category and before != category:
            entered = begins
        before = found
    return entered.astimezone(zone).date()


def _entered(parents: Track[str | None], at: datetime, created: datetime, zone: tzinfo) -> date:
    """Return the local day on which an item came under the parent that it has at an instant."""
    moves = [begins for begins, _ in parents[1:] if begins <= at]
    under = _at(parents, at) is not None
    return (moves[-1] if moves and under else created).astimezone(zone).date()


def _number(told: str | None) -> float | None:
    try:
        value = float(told) if told else None
    except ValueError:
        return None
    return value if value is not None and isfinite(value) else None


WATCHED = {
    "category": ("status", "resolution"),
    "estimate": ("estimate",),
    "key": ("key",),
    "labels": ("labels",),
    "project": ("project", "key"),
    "resolution": ("status", "resolution"),
    "sprint": ("sprint",),
    "stage": ("status", "resolution"),
    "status": ("status", "resolution"),
    "team": ("team",),
}
"""Fields that rules test -> fields whose history tells of them."""


def watched(looks_at: Iterable[str]) -> frozenset[str]:
    """Return the fields of transitions that can change which rules fit: `type` always, as levels hang on it."""
    named = (WATCHED.get(name.removeprefix("fields."), ()) for name in looks_at)
    return frozenset({"type", *(each for names in named for each in names)})


def former_selves(item: WorkItem, told: Iterable[Transition], fields: Container[str]) -> Track[WorkItem]:
    """Return an item as rules saw it through time, oldest first, out of the changes of some of its fields."""
    followed = sorted(
        (entry for entry in told if entry.field in fields), key=lambda entry: (entry.at, entry_order(entry.id))
    )
    track: Track[WorkItem] = []
    self = item
    for at, step in groupby(reversed(followed), key=lambda entry: entry.at):
        track.append((at, self))
        for entry in step:
            self = _undone(self, entry)
    track.append((min([item.created_at, *(entry.at for entry in followed[:1])]), self))
    return track[::-1]


def _undone(item: WorkItem, entry: Transition) -> WorkItem:
    """Return the item as it was before one change."""
    before = entry.before
    match entry.field:
        case "labels":
            return revised(item, labels=_labels(item, entry))
        case "type" if before:
            return revised(item, type=before)
        case "key" if before:
            project = {"project": before.rpartition("-")[0]} if item.tracker == "jira" else {}
            return revised(item, key=before, **project)
        case "project" if before and item.tracker != "jira":  # Jira tells its name, not its key
            return revised(item, project=before)
        case "team":
            return revised(item, team=before)
        case "sprint":
            return revised(item, sprint=before.rpartition(", ")[2] if before else None)
        case "estimate":
            return revised(item, estimate=_number(before))
        case "status" if before:
            return revised(item, status=before)
        case "resolution":
            return revised(item, resolution=before)
    return item


def _labels(item: WorkItem, entry: Transition) -> tuple[str, ...]:
    """Return the labels before a change: Jira tells all of them, the others what was added and taken away."""
    if item.tracker == "jira":
        return tuple((entry.before or "").split())
    added, removed = (side.split(", ") if side else [] for side in (entry.after, entry.before))
    return (*(label for label in item.labels if label not in added), *removed)
