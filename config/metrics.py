"""The shapes of a key result's metric and of the source of its values.

Only what is stated is checked; scoring a metric is the rollup's business.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from config import nodes
from config.connections import url_problem
from config.matchers import ITEMS
from config.nodes import Node
from config.notes import BAD, Notes
from config.patterns import JMESPATH
from config.scalars import Choice, Day, Flag, Number, SecretRef, Span, Text
from config.shapes import Here, Key, ListOf, MapOf, Record, Then
from domain.okr import Metric, Milestone
from domain.rules import Matcher, Not, Test

SENSITIVE_HEADER = ("authorization", "cookie", "token", "secret", "key", "password")

WORD = Text("a word")
TITLE = Text("a title")
WEIGHT = Number(least=0)

METRIC_KEYS = {
    "number": ("start", "target", "unit", "direction", "targets", "check_in_every"),
    "at_least": ("start", "target", "unit", "partial", "targets", "check_in_every"),
    "at_most": ("start", "target", "unit", "partial", "targets", "check_in_every"),
    "maintain": ("start", "lo", "hi", "unit", "partial", "tolerance", "targets", "check_in_every"),
    "binary": ("unit", "check_in_every"),
    "milestones": ("milestones", "check_in_every"),
}
"""Keys that mean something to each kind of metric, beside `kind`."""


def _metric(values: dict[str, Any], here: Here) -> Metric:
    kind = values.get("kind", "number")
    for key in values:
        if key != "kind" and key not in METRIC_KEYS[kind]:
            here.error(key, f"Means nothing to a metric of kind {kind}. Valid there: {', '.join(METRIC_KEYS[kind])}.")
    if kind in ("number", "at_least", "at_most") and "target" not in values:
        here.error("", f"The key 'target' is missing here: a metric of kind {kind} needs the value to reach.")
    if kind == "number":
        _direction(values, here)
    if kind == "maintain":
        _corridor(values, here)
    if kind == "milestones" and math.fsum(step.weight for step in values.get("milestones", ())) <= 0:
        here.error("milestones", "A metric of kind milestones needs a list of milestones whose weights are not all 0.")
    values["milestones"] = tuple(values.get("milestones", ()))
    values["targets"] = tuple(sorted(values.get("targets", {}).items()))
    return Metric(**values)


def _direction(values: dict[str, Any], here: Here) -> None:
    direction, start, target = values.get("direction"), values.get("start"), values.get("target")
    if direction is None or start is None or target is None or start == target:
        return
    actual = "increase" if target > start else "decrease"
    if direction != actual:
        here.error(
            "direction",
            f"invalid: direction is {direction}, but from start {start:g} to target {target:g} is {actual}. "
            "Change one of the three.",
        )


def _corridor(values: dict[str, Any], here: Here) -> None:
    lo, hi = values.get("lo"), values.get("hi")
    for key, value in (("lo", lo), ("hi", hi)):
        if value is None:
            here.error("", f"The key '{key}' is missing here: a metric of kind maintain needs both of its ends.")
    if lo is not None and hi is not None and lo > hi:
        here.error("lo", f"lo {lo:g} is above hi {hi:g}.")
    if values.get("partial") and not values.get("tolerance"):
        here.error("partial", "partial needs a tolerance above 0: how far outside the score falls to 0.")


MILESTONE = Record(
    "a milestone",
    {
        "title": Key(TITLE, "What is reached.", required=True),
        "weight": Key(WEIGHT, "Its weight among the milestones; default 1."),
        "done": Key(Day(), "The day it was reached."),
    },
    lambda values, _: Milestone(**values),
    word=Then(TITLE, lambda title, *_: Milestone(title=title)),
)

METRIC = Record(
    "metric",
    {
        "kind": Key(Choice(tuple(METRIC_KEYS)), "How the value is scored; default number."),
        "start": Key(Number(), "The value at the start."),
        "target": Key(Number(), "The value to reach."),
        "unit": Key(WORD, "The unit of the values."),
        "lo": Key(Number(), "With kind maintain: the lower end."),
        "hi": Key(Number(), "With kind maintain: the upper end."),
        "direction": Key(Choice(("increase", "decrease")), "With kind number: must agree with start and target."),
        "partial": Key(Flag(), "Score what is nearly met in part."),
        "tolerance": Key(Number(above=0), "With kind maintain and partial: where the score falls to 0."),
        "check_in_every": Key(Span(timedelta(hours=1)), "How often a value is expected, like 2w."),
        "targets": Key(MapOf(Number(), key=Day()), "Dated values on the way."),
        "milestones": Key(ListOf(MILESTONE), "With kind milestones: the steps."),
    },
    _metric,
)


class Headers:
    """Request headers; the value of one that authenticates is a reference, with a word such as Bearer before it."""

    expected = "a mapping from header names to values"
    reference = SecretRef(prefix=True)
    text = SecretRef(prefix=True, plain=True)

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        if not isinstance(node, nodes.Mapping):
            return MapOf(self.text).read(node, path, notes)
        headers = {}
        for name, child in node.values.items():
            sensitive = any(word in name.lower() for word in SENSITIVE_HEADER)
            value = (self.reference if sensitive else self.text).read(child, f"{path}.{name}", notes)
            if value is not BAD:
                headers[name] = value
        return headers

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


def _called(values: dict[str, Any], here: Here) -> dict[str, Any]:
    if problem := url_problem(values["url"]):
        here.error("url", problem)
    names = [name for name, _ in parse_qsl(urlsplit(values["url"]).query)] if problem is None else []
    for name in sorted({name for name in names if names.count(name) > 1}):
        here.error("url", f"The query names '{name}' twice. Each name once.")
    return values


HTTP = Record(
    "http",
    {
        "url": Key(Text("an address like https://host/path"), "Where the value is read.", required=True),
        "jmespath": Key(JMESPATH, "Which part of the JSON answer is the value.", required=True),
        "headers": Key(Headers(), "Request headers; secrets as references."),
    },
    _called,
)


def _looks_into_payloads(matcher: Matcher) -> bool:
    match matcher:
        case Test():
            return matcher.op == "jmespath"
        case Not():
            return _looks_into_payloads(matcher.inner)
        case _:
            return any(map(_looks_into_payloads, matcher.inner))


def _source(values: dict[str, Any], here: Here) -> dict[str, Any]:
    kinds = [kind for kind in ("http", "count", "sum") if kind in values]
    if len(kinds) != 1:
        here.error("", f"Expected exactly one of http, count, sum; found {' and '.join(kinds) or 'none'}.")
    for kind in ("count", "sum"):
        if kind in values and _looks_into_payloads(values[kind]):
            here.error(kind, "jmespath is not possible here: payloads are not kept for ever. Name fields of the items.")
    if ("field" in values) != ("sum" in values):
        here.error("field" if "field" in values else "sum", "sum and field belong together: {sum: …, field: NAME}.")
    return values


SOURCE = Record(
    "source",
    {
        "http": Key(HTTP, "Read the value over HTTP."),
        "count": Key(ITEMS, "The number of items that match."),
        "sum": Key(ITEMS, "The sum of `field` over the items that match."),
        "field": Key(WORD, "With sum: the field to add up, estimate or a name under the connection's fields."),
    },
    _source,
    word=Choice(("check_in",)),
)
