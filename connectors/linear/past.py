"""Linear's issue history -> transitions of the fields that Keyrail follows, and whose past is thereby complete.

Pure; entries may come in any order, what leaves is oldest first. Of projects there are weekly sums alone (`weeks`), of
initiatives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.base import Parsed
from connectors.linear.plan import Plan
from connectors.linear.shapes import (
    ISSUE,
    PROJECT,
    child,
    cycle_of,
    identity,
    key_of,
    listed,
    nodes_of,
    reference,
    text_of,
)
from connectors.linear.weeks import is_weekly, weeks_of
from connectors.shapes import instant, is_number
from domain.errors import PayloadError
from domain.work import Transition

POSITIONS: Mapping[str, int] = {
    field: position
    for position, field in enumerate(("status", "estimate", "parent", "project", "team", "key", "labels", "sprint"))
}
"""Place of a field inside an entry, so that a transition has the same id however much of an entry is read."""

Value = tuple[str | None, str | None]
"""(value for people, id); None where there is none"""

Entry = tuple[datetime, str, dict[str, Any]]
"""(instant, id, the entry)"""

NOTHING: Value = (None, None)


def is_history(payload: Any) -> bool:
    """Tell whether a payload holds issues or projects for the sake of their past: it is there, their titles are not."""
    try:
        nodes = [node for _, node in nodes_of(payload)]
    except PayloadError:
        return False
    return bool(nodes) and all(
        isinstance(node, dict) and (("history" in node and "title" not in node) or is_weekly(node)) for node in nodes
    )


def read_history(page: Any, plan: Plan) -> Parsed:
    """Read issues with their `history`, and projects with their weekly sums.

    `history_of` are those of which the page holds all that there is.
    """
    transitions: list[Transition] = []
    complete: dict[str, None] = {}
    for kind, issue in nodes_of(page):
        if kind == PROJECT and is_weekly(issue):
            transitions.extend(sorted(weeks_of(plan.connection, kind, issue), key=lambda week: week.at))
            complete[identity(kind, issue)] = None
        if kind != ISSUE:
            continue
        id = identity(kind, issue)
        history = issue.get("history")
        entries = history.get("nodes") if isinstance(history, dict) else None
        if not isinstance(entries, list):
            raise PayloadError(f"Issue with id {id} has no 'history' with nodes; ask for it.")
        transitions.extend(_transitions(id, issue, _ordered(id, entries), plan))
        info = child(history, "pageInfo")
        if not info.get("hasNextPage") and not info.get("hasPreviousPage"):
            complete[id] = None
    return Parsed(transitions=tuple(transitions), history_of=tuple(complete))


def _ordered(id: str, entries: Sequence[Any]) -> list[Entry]:
    """Return the entries of one issue, oldest first."""
    found: list[Entry] = []
    for entry in entries:
        if not isinstance(entry, dict):
            raise PayloadError(f"The history of issue {id} holds {type(entry).__name__} instead of an object.")
        name, at = text_of(entry.get("id")), instant(entry.get("createdAt"))
        if name is None or at is None:
            raise PayloadError(f"A history entry of issue {id} has no 'id', or no 'createdAt' that is a time.")
        found.append((at, name, entry))
    return sorted(found, key=lambda e: e[:2])


def _transitions(id: str, issue: dict[str, Any], entries: Sequence[Entry], plan: Plan) -> Iterator[Transition]:
    estimates = plan.estimates_in(issue)
    above = _above(issue, entries)
    keys = _keys(issue, entries, plan)
    for number, (at, name, entry) in enumerate(entries):
        changes: list[tuple[str, Value, Value]] = [
            ("status", _state(entry, "fromState", plan), _state(entry, "toState", plan)),
            ("estimate", _estimate(entry, "fromEstimate"), _estimate(entry, "toEstimate")),
            ("parent", *above[number]),
            *_teams(entry, keys.get(number, (NOTHING, NOTHING)), plan),
            ("labels", _labels(entry, "removed", plan), _labels(entry, "added", plan)),
            ("sprint", _cycle(entry, "fromCycle"), _cycle(entry, "toCycle")),
        ]
        for field, before, after in changes:
            if before != after and (estimates or field != "estimate"):
                yield Transition(
                    connection=plan.connection,
                    item_id=id,
                    id=f"{name}.{POSITIONS[field]}",
                    at=at,
                    field=field,
                    before=before[0],
                    after=after[0],
                    before_id=before[1],
                    after_id=after[1],
                )


def _state(entry: dict[str, Any], side: str, plan: Plan) -> Value:
    return plan.state(entry, side)[0], reference(entry, side)


def _cycle(entry: dict[str, Any], side: str) -> Value:
    return cycle_of(entry, side), reference(entry, side)


def _estimate(entry: dict[str, Any], side: str) -> Value:
    value = entry.get(side)
    return (f"{value:g}", None) if is_number(value) else NOTHING


def _teams(entry: dict[str, Any], keys: tuple[Value, Value], plan: Plan) -> Iterator[tuple[str, Value, Value]]:
    """Yield what a move between teams changes: the item's project, which is the team's key, its team, and its key.

    `keys` are the identifiers on both sides, whose first part tells the key of a team that we do not see.
    """
    if not _moved(entry, "Team"):
        return
    sides = [(plan.team(entry, f"{side}Team"), key) for side, (key, _) in zip(("from", "to"), keys, strict=True)]
    (before_id, before_key, before_name), (after_id, after_key, after_name) = [team for team, _ in sides]
    before_prefix, after_prefix = [key.rpartition("-")[0] if key else None for _, key in sides]
    yield "project", (before_key or before_prefix, before_id), (after_key or after_prefix, after_id)
    yield "team", (before_name, before_id), (after_name, after_id)
    yield "key", *keys


def _labels(entry: dict[str, Any], verb: str, plan: Plan) -> Value:
    """Return the labels that were added or removed, by name where it is known and by id."""
    ids = entry.get(f"{verb}LabelIds")
    nested = listed(entry.get(f"{verb}Labels"))
    named = {id: text_of(label.get("name")) for label in nested if (id := text_of(label.get("id")))}
    wanted = [id for id in ids if isinstance(id, str)] if isinstance(ids, list) else list(named)
    if not wanted:
        return NOTHING
    names = [named.get(id) or next(iter(plan.labels.get(id, ())), id) for id in wanted]
    return ", ".join(names), ", ".join(wanted)


def _above(issue: dict[str, Any], entries: Sequence[Entry]) -> list[tuple[Value, Value]]:
    """Return the structural parent before and after each entry: the parent issue, and without one the project.

    Entries tell of changes alone, so what stood before the first of them is its `from`; where none is told of, it is
    what the issue has now.
    """
    now: dict[str, Value] = {}
    for name in ("Parent", "Project"):
        moves = [entry for _, _, entry in entries if _moved(entry, name)]
        now[name] = _value(moves[0], f"from{name}") if moves else _value(issue, name.lower())
    found: list[tuple[Value, Value]] = []
    for _, _, entry in entries:
        before = _first(now["Parent"], now["Project"])
        for name in now:
            if _moved(entry, name):
                now[name] = _value(entry, f"to{name}")
        found.append((before, _first(now["Parent"], now["Project"])))
    return found


def _moved(entry: dict[str, Any], name: str) -> bool:
    return reference(entry, f"from{name}") != reference(entry, f"to{name}")


def _value(node: dict[str, Any], field: str) -> Value:
    thing = child(node, field)
    return text_of(thing.get("identifier")) or text_of(thing.get("name")) or key_of(thing), reference(node, field)


def _first(parent: Value, project: Value) -> Value:
    return parent if parent[1] is not None else project


def _keys(issue: dict[str, Any], entries: Sequence[Entry], plan: Plan) -> dict[int, tuple[Value, Value]]:
    """Return the identifier before and after each move between teams, by the entry's place.

    No entry tells them. `previousIdentifiers` and the present one are taken for them, in their order, where they are
    one more than the moves and each begins with the key of its team, where that is known.
    """
    former, present = issue.get("previousIdentifiers"), text_of(issue.get("identifier"))
    names = [name for name in former if isinstance(name, str)] if isinstance(former, list) else []
    moves = [number for number, (_, _, entry) in enumerate(entries) if _moved(entry, "Team")]
    if present is None or len(names) != len(moves):
        return {}
    names.append(present)
    found: dict[int, tuple[Value, Value]] = {}
    for place, number in enumerate(moves):
        entry = entries[number][2]
        sides = ((names[place], "fromTeam"), (names[place + 1], "toTeam"))
        if any(plan.team(entry, side)[1] not in (None, name.rpartition("-")[0]) for name, side in sides):
            return {}
        found[number] = ((names[place], None), (names[place + 1], None))
    return found
