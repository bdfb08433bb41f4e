"""The shapes of the plan: timeframes, dimensions, teams, objectives with their key results, initiatives.

Reads one place at a time; what only all files together can tell is checked in `references`.
"""

from __future__ import annotations

import math
from typing import Any

from config import nodes
from config.connections import NAME
from config.metrics import METRIC, SOURCE
from config.nodes import Node
from config.notes import BAD, Notes, Place, at
from config.policies import POLICIES
from config.scalars import Choice, Day, Define, Number, Refer, Text
from config.shapes import ByKind, Here, Key, ListOf, MapOf, Record, Then
from domain.okr import (
    Contribution,
    Initiative,
    KeyResult,
    ManualRollup,
    Objective,
    Status,
    Timeframe,
    WorkSelector,
)
from domain.workspace import Dimension, Team

BUILT_IN_DIMENSIONS = ("objective", "initiative", "team", "timeframe")

WORD = Text("a word")
WORDS = ListOf(WORD)
TITLE = Text("a title")
TIMEFRAME = Refer(("timeframe",), "a timeframe")
TEAM = Refer(("team",), "a team")
WEIGHT = Number(least=0)
STATUS = Then(Choice(tuple(Status)), lambda word, *_: Status(word))


def _order(values: dict[str, Any], here: Here, first: str, last: str) -> None:
    start, end = values.get(first), values.get(last)
    if start is not None and end is not None and end < start:
        here.error(last, f"{last} {end} is before {first} {start}.")


def _timeframe(values: dict[str, Any], here: Here) -> Timeframe:
    name = here.path.removeprefix("timeframes.")
    _order(values, here, "start", "end")
    if "parent" in values:
        here.notes.edges.setdefault("timeframe", {})[name] = (values["parent"], here.place("parent"))
    return Timeframe(id=name, **values)


TIMEFRAMES = MapOf(
    Record(
        "a timeframe",
        {
            "start": Key(Day(), "First day.", required=True),
            "end": Key(Day(), "Last day; it belongs to the timeframe.", required=True),
            "parent": Key(TIMEFRAME, "The wider timeframe that this one is part of."),
        },
        _timeframe,
    ),
    key=Define("timeframe", "timeframe", NAME),
)


def _dimension(values: dict[str, Any], here: Here) -> Dimension:
    targets, allowed = values.get("targets", {}), values.get("values", [])
    if math.fsum(targets.values()) > 1 + 1e-9:
        here.error("targets", f"The targets add up to {math.fsum(targets.values()):g}; at most 1 can be given out.")
    for value in targets if allowed else ():
        if value not in allowed:
            here.error("targets", f"'{value}' is not among the values: {', '.join(allowed)}.")
    return Dimension(name=here.path.removeprefix("dimensions."), values=tuple(allowed), targets=targets)


DIMENSIONS = MapOf(
    Record(
        "a dimension",
        {
            "values": Key(WORDS, "The values it may have; left out, any."),
            "targets": Key(MapOf(Number(least=0, most=1)), "Wanted share of the planned weeks by value."),
        },
        _dimension,
    ),
    key=Define("dimension", "dimension", NAME),
)


def _team(values: dict[str, Any], here: Here) -> Team:
    return Team(name=here.path.removeprefix("teams."), **values)


TEAMS = MapOf(
    Record(
        "a team",
        {"capacity_weeks": Key(MapOf(WEIGHT, key=TIMEFRAME), "Weeks of work it can do, by timeframe.")},
        _team,
    ),
    key=Define("team", "team", r"\S(.*\S)?"),
)


def _shares(values: dict[str, float], node: Node, path: str, notes: Notes) -> Any:
    if not math.isclose(math.fsum(values.values()), 1, abs_tol=1e-6):
        notes.error(at(node, path), f"The shares add up to {math.fsum(values.values()):g}; they must add up to 1.")
        return BAD
    return values


VALUE = Text("a value")


class Classification:
    """Values of a thing on the dimensions: a word, a list (split equally) or shares that sum to 1."""

    by_value = ByKind(
        word=VALUE,
        listing=ListOf(VALUE, single=False, least=1),
        mapping=Then(MapOf(Number(above=0, most=1), least=1), _shares),
    )
    shape = MapOf(by_value)
    expected = "a mapping from dimensions to a value, a list or shares"

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        values = self.shape.read(node, path, notes)
        if isinstance(values, dict) and isinstance(node, nodes.Mapping):
            for dimension, value in values.items():
                place = Place(node.file, node.line_of(dimension), f"{path}.{dimension}")
                stated = (value,) if isinstance(value, str) else tuple(value)
                notes.classified.append((dimension, stated, place))
                if len(set(stated)) < len(stated):
                    notes.error(place, "A value stands here twice.")
        return values

    def schema(self) -> dict[str, Any]:
        return self.shape.schema()


CLASSIFICATION = Classification()

ROLLUP = ByKind(
    word=Choice(("auto", "off")),
    mapping=Record(
        "rollup",
        {
            "manual": Key(Number(least=0, most=1), "The value, 0 to 1.", required=True),
            "by": Key(WORD, "Who says so.", required=True),
            "reason": Key(TITLE, "Why.", required=True),
            "until": Key(Day(), "Last day it holds; default 14 days."),
        },
        lambda values, _: ManualRollup(value=values.pop("manual"), **values),
    ),
)

EXTERNAL = MapOf(WORD)

COMMON = {
    "title": Key(TITLE, "What people call it.", required=True),
    "owner": Key(WORD, "Who answers for it."),
    "status": Key(STATUS, "What its owner says: active, paused, canceled or closed."),
    "was": Key(WORDS, "Earlier ids, whose history it carries on."),
    "dimensions": Key(CLASSIFICATION, "Where it stands on the portfolio's axes."),
    "external": Key(EXTERNAL, "Where it lives elsewhere, by connection or target."),
}


def _shared(values: dict[str, Any], here: Here) -> dict[str, Any]:
    for key in ("was", "external", "continues", "policies"):
        if key in values:
            here.notes.places[f"{key}:{values['id']}"] = here.place(key)
    values["was"] = tuple(values.get("was", ()))
    return values


def _key_result(values: dict[str, Any], here: Here) -> KeyResult:
    _shared(values, here)
    _order(values, here, "start", "end")
    if "source" in values and values["source"] != "check_in" and "metric" not in values:
        here.warning("source", "A source without a metric has no effect: the score is the delivery.")
    if "closed_on" in values and values.get("status") is not Status.CLOSED:
        here.error("closed_on", "Belongs to status: closed.")
    return KeyResult(objective="", **values)


KEY_RESULT = Record(
    "a key result",
    {
        "id": Key(Define("key_result", "key result"), "Its id, unique over all files.", required=True),
        **COMMON,
        "timeframe": Key(TIMEFRAME, "Its period; default its objective's."),
        "weight": Key(WEIGHT, "Its weight in the objective; default 1."),
        "closed_on": Key(Day(), "With status closed: the day its period ended."),
        "start": Key(Day(), "First day; default its timeframe's."),
        "end": Key(Day(), "Last day; default its timeframe's."),
        "metric": Key(METRIC, "How its outcome is measured; without it the score is the delivery."),
        "source": Key(SOURCE, "Where the metric's values come from; default check_in."),
        "commitment": Key(Choice(("committed", "aspirational")), "How its score is graded."),
        "continues": Key(WORD, "The key result that it carries on."),
    },
    _key_result,
)


def _objective(values: dict[str, Any], here: Here) -> tuple[Objective, list[KeyResult]]:
    _shared(values, here)
    key_results = values.pop("key_results", [])
    if "parent" in values:
        here.notes.edges.setdefault("objective", {})[values["id"]] = (values["parent"], here.place("parent"))
    return Objective(**values), key_results


OBJECTIVE = Record(
    "an objective",
    {
        "id": Key(Define("objective", "objective"), "Its id, unique over all files.", required=True),
        **COMMON,
        "timeframe": Key(TIMEFRAME, "Its period."),
        "parent": Key(Refer(("objective",), "an objective"), "The objective it counts for."),
        "weight": Key(WEIGHT, "Its weight in the parent; default 1."),
        "rollup": Key(ROLLUP, "auto, off, or a value set by hand."),
        "policies": Key(POLICIES, "Policies that differ from the workspace's."),
        "key_results": Key(ListOf(KEY_RESULT), "How we know that it is reached."),
    },
    _objective,
)

SHARE = Number(above=0, most=1)


def _contribution(values: dict[str, Any], here: Here) -> Contribution:
    return Contribution(explicit="share" in values, **values)


def contribution(templates: bool) -> Record:
    """Return the shape of one entry of `contributes`; a rule's may hold ``{name}`` templates."""
    to = Refer(("key_result",), "a key result", templates=templates)
    return Record(
        "a contribution",
        {
            "to": Key(to, "The key result it counts for.", required=True),
            "share": Key(SHARE, "How much of the initiative's items count there; default 1."),
            "benefit": Key(WEIGHT, "What it is worth there, for the ranking."),
        },
        _contribution,
        word=Then(to, lambda name, *_: Contribution(to=name)),
    )


def _work(values: dict[str, Any], here: Here) -> WorkSelector:
    if not values.get("keys") and not values.get("projects"):
        here.error("", "Expected keys or projects: which items of the connection are meant?")
    return WorkSelector(
        connection=values["connection"],
        keys=tuple(values.get("keys", ())),
        projects=tuple(values.get("projects", ())),
    )


def address_of(text: str, node: Node, path: str, notes: Notes) -> Any:
    """Split ``connection:key``; the connection must be defined."""
    connection, colon, key = text.partition(":")
    if not colon or not connection or not key.strip():
        notes.error(at(node, path), f"Expected connection:key, found '{text[:60]}'.")
        return BAD
    notes.refer(("connection",), connection, "a connection", at(node, path))
    return connection, key.strip()


ADDRESS = Then(Text("an item as connection:key"), address_of)


WORK = Record(
    "work",
    {
        "connection": Key(Refer(("connection",), "a connection"), "The connection of the items.", required=True),
        "keys": Key(WORDS, "Keys of items: PAY-12, owner/name#4, ENG-7."),
        "projects": Key(WORDS, "Titles or ids of projects."),
    },
    _work,
    word=Then(ADDRESS, lambda pair, *_: WorkSelector(connection=pair[0], keys=(pair[1],))),
)


def _initiative(values: dict[str, Any], here: Here) -> Initiative:
    _shared(values, here)
    _order(values, here, "start", "due")
    contributes = values["contributes"] = tuple(values.get("contributes", ()))
    values["work"] = tuple(values.get("work", ()))
    served = [each.to for each in contributes]
    for name in dict.fromkeys(name for name in served if served.count(name) > 1):
        here.error("contributes", f"'{name}' stands here twice. Keep one entry.")
    stated = math.fsum(each.share for each in contributes if each.explicit)
    if stated > 1 + 1e-9:
        here.warning("contributes", f"over_allocated: the shares stated here add up to {stated:g}, above 1.")
    return Initiative(**values)


INITIATIVE = Record(
    "an initiative",
    {
        "id": Key(Define("initiative", "initiative"), "Its id, unique over all files.", required=True),
        **COMMON,
        "contributes": Key(ListOf(contribution(templates=False)), "The key results it counts for."),
        "team": Key(TEAM, "The team that does it."),
        "start": Key(Day(), "First day."),
        "due": Key(Day(), "Last day."),
        "planned_weeks": Key(WEIGHT, "Planned effort in weeks."),
        "work": Key(ListOf(WORK), "The items that belong to it."),
        "policies": Key(POLICIES, "Policies that differ from the workspace's."),
    },
    _initiative,
)
