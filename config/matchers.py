"""The shape of a matcher: which field, against what, nested with any, all and not.

Patterns and expressions are compiled here only to know that they can be; what matches is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from config import nodes
from config.nodes import Listing, Node, Scalar
from config.notes import BAD, Bad, Notes, Place, Schema, Shape, at, nearest, refuse
from config.patterns import JMESPATH, check_regex
from config.scalars import NUMBER, Choice, Flag, Number, Refer, Text, to_day
from config.shapes import ListOf
from domain.okr import Health
from domain.rules import All, Matcher, Not, Test
from domain.rules import Any as AnyOf

TIMES = ("created_at", "updated_at", "started_at", "completed_at", "canceled_at", "start_date", "due_date")
NUMBERS = ("estimate", "time_estimate")
ITEM_FIELDS = (
    "connection",
    "tracker",
    "level",
    "type",
    "key",
    "project",
    "status",
    "category",
    "stage",
    "labels",
    "assignees",
    "team",
    "sprint",
    "milestone",
    "title",
    "parent",
    "containers",
    "resolution",
    *NUMBERS,
    *TIMES,
    "archived",
)
"""Fields of a work item that a rule may name, beside ``fields.NAME`` and ``parent.FIELD``."""

SUBJECT_FIELDS = (
    "id",
    "kind",
    "title",
    "owner",
    "team",
    "status",
    "timeframe",
    "health",
)
"""Fields of what is published that `only` of a publish row may name, beside the dimensions (``dimensions.NAME``)."""

WORDS: dict[str, Shape] = {
    "connection": Refer(("connection",), "a connection"),
    "tracker": Choice(("jira", "github", "linear")),
    "level": Choice(("initiative", "epic", "issue", "subtask")),
    "category": Choice(("todo", "in_progress", "done", "canceled")),
    "stage": Choice(("review",)),
    "archived": Flag(),
    "kind": Choice(("objective", "key_result", "initiative", "epic")),
    "health": Choice(tuple(Health)),
}
"""Fields whose words are known."""

BOUNDS = ("gt", "gte", "lt", "lte")
OPERATORS = ("matches", "glob", *BOUNDS, "exists", "not")


@dataclass(frozen=True, slots=True)
class MatcherShape:
    """A matcher over work items, or with `subjects` over what is published."""

    subjects: bool = False

    @property
    def expected(self) -> str:
        return "a mapping from fields to what they must be"

    def read(self, node: Node, path: str, notes: Notes) -> Matcher | Bad:
        if not isinstance(node, nodes.Mapping):
            return refuse(node, path, notes, self.expected)
        found: list[Matcher] = []
        good = True
        for name, child in node.values.items():
            one = self._entry(name, child, node, f"{path}.{name}" if path else name, notes)
            if isinstance(one, Bad):
                good = False
            else:
                found.append(one)
        if not good:
            return BAD
        return found[0] if len(found) == 1 else All(inner=tuple(found))

    def _entry(self, name: str, child: Node, node: nodes.Mapping, path: str, notes: Notes) -> Matcher | Bad:
        if name in ("any", "all"):
            return self._nested(name, child, path, notes)
        if name == "not":
            inner = self.read(child, path, notes)
            return inner if isinstance(inner, Bad) else Not(inner=inner)
        if name == "jmespath" and not self.subjects:
            expression = JMESPATH.read(child, path, notes)
            return expression if isinstance(expression, Bad) else Test(field="raw", op="jmespath", value=expression)
        place = Place(node.file, node.keys[name].line, path)
        if not self._known(name, place, notes):
            return BAD
        return self._condition(name, child, path, notes)

    def _nested(self, name: str, child: Node, path: str, notes: Notes) -> Matcher | Bad:
        inner = ListOf(self).read(child, path, notes)
        if isinstance(inner, Bad):
            return BAD
        if not inner:
            notes.error(at(child, path), f"Expected at least one matcher under '{name}'.")
            return BAD
        return AnyOf(inner=tuple(inner)) if name == "any" else All(inner=tuple(inner))

    def _known(self, name: str, place: Place, notes: Notes) -> bool:
        if self.subjects:
            if name not in SUBJECT_FIELDS:
                dimension = name.removeprefix("dimensions.")
                notes.refer(("dimension",), dimension, "a field or a dimension", place)
            return True
        bare = name.removeprefix("parent.")
        if bare in ITEM_FIELDS or (bare.startswith("fields.") and len(bare) > len("fields.")):
            return True
        close = nearest(bare, (*ITEM_FIELDS, "any", "all", "not", "jmespath"))
        if close is None and bare == "field":
            close = "fields.NAME"
        prefix = name[: len(name) - len(bare)]
        notes.error(
            place,
            f"Unknown field '{name[:60]}' of a work item. Valid: {', '.join(ITEM_FIELDS)}, fields.NAME, parent.FIELD, "
            "any, all, not, jmespath.",
            f"{prefix}{close}" if close else None,
        )
        return False

    def _condition(self, name: str, node: Node, path: str, notes: Notes) -> Matcher | Bad:
        bare = name.removeprefix("parent.")
        if isinstance(node, nodes.Mapping):
            return self._operators(name, bare, node, path, notes)
        items = node.items if isinstance(node, Listing) else [node]
        if not items:
            notes.error(at(node, path), "Expected a value, a list of values or an operator, found an empty list.")
            return BAD
        words = []
        for i, item in enumerate(items):
            inner = f"{path}[{i}]" if isinstance(node, Listing) else path
            word = _word(bare, item, inner, notes)
            if isinstance(word, Bad):
                return BAD
            words.append(word)
        if bare in NUMBERS:
            numbers = tuple(_equal(name, float(word)) for word in words)
            return numbers[0] if len(numbers) == 1 else AnyOf(inner=numbers)
        return Test(field=name, op="in", value=tuple(words))

    def _operators(self, name: str, bare: str, node: nodes.Mapping, path: str, notes: Notes) -> Matcher | Bad:
        found: list[Matcher] = []
        good = True
        for operator, child in node.values.items():
            inner = f"{path}.{operator}"
            if operator not in OPERATORS:
                place = Place(node.file, node.keys[operator].line, inner)
                notes.error(
                    place,
                    f"Unknown operator '{operator[:40]}'. Valid: {', '.join(OPERATORS)}; or a value, or a list.",
                    nearest(operator, OPERATORS),
                )
                good = False
                continue
            one = self._operator(name, bare, operator, child, inner, notes)
            if isinstance(one, Bad):
                good = False
            else:
                found.append(one)
        if good and not found:
            notes.error(at(node, path), f"Expected an operator: {', '.join(OPERATORS)}.")
            return BAD
        if not good:
            return BAD
        return found[0] if len(found) == 1 else All(inner=tuple(found))

    def _operator(self, name: str, bare: str, op: str, node: Node, path: str, notes: Notes) -> Matcher | Bad:
        if op == "not":
            inner = self._condition(name, node, path, notes)
            return inner if isinstance(inner, Bad) else Not(inner=inner)
        value: Any
        if op == "exists":
            value = Flag().read(node, path, notes)
        elif op == "matches":
            value = Text("a regular expression").read(node, path, notes)
            value = value if isinstance(value, Bad) else check_regex(value, node, path, notes)
        elif op == "glob":
            value = Text("a pattern with * and ?").read(node, path, notes)
        else:
            value = _bound(bare, node, path, notes)
        return value if isinstance(value, Bad) else Test(field=name, op=op, value=value)

    def schema(self) -> Schema:
        return {"$ref": "#/$defs/subject_matcher" if self.subjects else "#/$defs/matcher"}

    def definition(self) -> Schema:
        """Return the schema that `schema` refers to: it is recursive and stands under ``$defs``."""
        own = self.schema()
        nested = {"anyOf": [{"type": "array", "items": own, "minItems": 1}, own]}
        properties: Schema = {"any": nested, "all": nested, "not": own}
        patterns: Schema = {}
        if self.subjects:
            properties |= {name: {"$ref": "#/$defs/condition"} for name in SUBJECT_FIELDS}
            return {"type": "object", "properties": properties, "additionalProperties": {"$ref": "#/$defs/condition"}}
        properties["jmespath"] = {"type": "string"}
        properties |= {name: _condition_schema(name) for name in ITEM_FIELDS}
        patterns[r"^(parent\.)?fields\..+$"] = {"$ref": "#/$defs/condition"}
        patterns[rf"^parent\.({'|'.join(ITEM_FIELDS)})$"] = {"$ref": "#/$defs/condition"}
        return {
            "type": "object",
            "properties": properties,
            "patternProperties": patterns,
            "additionalProperties": False,
        }


CONDITION: Schema = {
    "anyOf": [
        {"type": ["string", "number", "boolean"]},
        {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1},
        {
            "type": "object",
            "minProperties": 1,
            "additionalProperties": False,
            "properties": {
                "matches": {"type": "string", "description": "RE2 regular expression, found anywhere in the value"},
                "glob": {"type": "string", "description": "pattern with * and ? over the whole value"},
                **{bound: {"type": ["string", "number"]} for bound in BOUNDS},
                "exists": {"type": "boolean"},
                "not": {"$ref": "#/$defs/condition"},
            },
        },
    ]
}
"""Schema of what a field may be compared with."""


def _condition_schema(name: str) -> Schema:
    shape = WORDS.get(name)
    if not isinstance(shape, Choice):
        return {"$ref": "#/$defs/condition"}
    word = shape.schema()
    alternatives: list[Schema] = [word, {"type": "array", "items": word, "minItems": 1}]
    return {"anyOf": [*alternatives, CONDITION["anyOf"][2]]}


def _equal(name: str, value: float) -> Matcher:
    """Compare a number as a number: 3 and 3.0 are one."""
    return All(inner=(Test(field=name, op="gte", value=value), Test(field=name, op="lte", value=value)))


def _word(field: str, node: Node, path: str, notes: Notes) -> str | Bad:
    shape: Shape = Number() if field in NUMBERS else WORDS.get(field, Text("a word to compare with"))
    value = shape.read(node, path, notes)
    if isinstance(value, Bad):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bound(field: str, node: Node, path: str, notes: Notes) -> object:
    """Read what gt, gte, lt and lte compare with: a number, a date or an instant; else a word."""
    if field in NUMBERS:
        return Number().read(node, path, notes)
    text = Text("a number or a date").read(node, path, notes)
    if isinstance(text, Bad):
        return text
    if day := to_day(text):
        return day
    moment = _instant(text)
    if moment is not None:
        return moment
    if field in TIMES:
        notes.error(at(node, path), f"Expected a date like 2026-12-31 or an instant, found '{text[:40]}'.")
        return BAD
    plain = isinstance(node, Scalar) and node.plain
    return float(text) if plain and NUMBER.fullmatch(text) else text


def _instant(text: str) -> datetime | None:
    """Read an ISO 8601 instant; without an offset it is UTC."""
    if "T" not in text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def tests_of(matcher: Matcher) -> Iterator[Test]:
    """Yield every test inside a matcher, negated ones included."""
    match matcher:
        case Test():
            yield matcher
        case Not():
            yield from tests_of(matcher.inner)
        case _:
            for inner in matcher.inner:
                yield from tests_of(inner)


ITEMS = MatcherShape()
SUBJECTS = MatcherShape(subjects=True)
