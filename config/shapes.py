"""Shapes: one declaration of what may stand at a place, used to read it and to print its JSON Schema.

Knows nodes and words, not the keys of the workspace file; those are declared in `grammar`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from config import nodes
from config.nodes import Listing, Node, Scalar
from domain.errors import Problem
from domain.workspace import Secret

Schema = dict[str, Any]


class Bad:
    """What a shape returns when it could not read its node; the problem has been noted."""

    __slots__ = ()


BAD: Final = Bad()

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
SPAN_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")
ID = re.compile(r"[^\W_][\w.\-/]*")
HINT = re.compile(r"[A-Za-z][A-Za-z_.\- ]{0,30}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a thing stands."""

    file: str
    line: int
    key: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Reference:
    """A name that must be defined somewhere in one of `spaces`."""

    spaces: tuple[str, ...]
    name: str
    what: str
    place: Place


@dataclass(slots=True)
class Notes:
    """What reading the files has found so far: problems, names defined and names referred to."""

    environ: Mapping[str, str]
    problems: list[Problem] = field(default_factory=list)
    defined: dict[str, dict[str, Place]] = field(default_factory=dict)
    references: list[Reference] = field(default_factory=list)
    edges: dict[str, dict[str, tuple[str, Place]]] = field(default_factory=dict)
    """space -> name -> (its parent, where that is said)"""
    classified: list[tuple[str, tuple[str, ...], Place]] = field(default_factory=list)
    """(dimension, values given, where)"""
    places: dict[str, Place] = field(default_factory=dict)
    """any other place that a later check needs, by a name of its own"""
    patterns: dict[str, tuple[tuple[str, ...], str | None]] = field(default_factory=dict)
    """regex -> (its named groups, what is wrong with it)"""

    def error(self, at: Place, message: str, nearest: str | None = None) -> None:
        """Note something that must be changed before the file can be used."""
        self.problems.append(
            Problem(file=at.file, line=at.line, key=at.key, message=message, nearest=nearest, severity="error")
        )

    def warning(self, at: Place, message: str, nearest: str | None = None) -> None:
        """Note something that is probably not meant."""
        self.problems.append(
            Problem(file=at.file, line=at.line, key=at.key, message=message, nearest=nearest, severity="warning")
        )

    def define(self, space: str, name: str, at: Place, what: str) -> None:
        """Record that `name` is defined here; a name defined before in `space` is an error naming both places."""
        names = self.defined.setdefault(space, {})
        if name in names:
            first = names[name]
            self.error(at, f"{what} '{name}' is already used at {first} ({first.key}); it may stand once.")
        else:
            names[name] = at

    def names(self, spaces: Iterable[str]) -> list[str]:
        """Return every name defined in `spaces`, in the order of the files."""
        return [name for space in spaces for name in self.defined.get(space, ())]

    def refer(self, spaces: tuple[str, ...], name: str, what: str, at: Place) -> None:
        """Record that `name` must turn out to be defined in one of `spaces`."""
        self.references.append(Reference(spaces, name, what, at))


class Shape(Protocol):
    """What may stand at a place."""

    @property
    def expected(self) -> str:
        """The end of the sentence "Expected …"."""

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        """Return the value, or BAD after noting why not."""

    def schema(self) -> Schema:
        """Return the JSON Schema (draft 2020-12) of the place."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that looks most like `word`, None if none does."""
    by_folded = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), by_folded, 1, 0.6)
    return by_folded[found[0]] if found else None


def at(node: Node, path: str) -> Place:
    """Return the place of a node."""
    return Place(node.file, node.line, path)


def kind_of(node: Node) -> str:
    """Name what stands here, without repeating it: it may be a secret."""
    if isinstance(node, Scalar):
        return "nothing" if node.empty else "a single value"
    return "a list" if isinstance(node, Listing) else "a mapping"


def refuse(node: Node, path: str, notes: Notes, expected: str) -> Bad:
    """Note that something else was expected here."""
    notes.error(at(node, path), f"Expected {expected}, found {kind_of(node)}.")
    return BAD


@dataclass(frozen=True, slots=True)
class Text:
    """A word or a sentence, kept as written: ``NO``, ``12:30`` and ``012`` stay what they are.

    `check` returns what is wrong with the text, None if nothing is.
    """

    expected: str = "a text"
    pattern: str | None = None
    check: Callable[[str], str | None] | None = None

    def read(self, node: Node, path: str, notes: Notes) -> str | Bad:
        if not isinstance(node, Scalar) or node.empty:
            return refuse(node, path, notes, self.expected)
        text = node.text.strip()
        if not text:
            notes.error(at(node, path), f"Expected {self.expected}, found an empty text.")
            return BAD
        if self.pattern is not None and not re.fullmatch(self.pattern, text):
            notes.error(at(node, path), f"Expected {self.expected}, found '{text[:60]}'.")
            return BAD
        if self.check is not None and (wrong := self.check(text)) is not None:
            notes.error(at(node, path), wrong)
            return BAD
        return text

    def schema(self) -> Schema:
        if self.pattern is not None:
            return {"type": ["string", "number"], "pattern": f"^{self.pattern}$"}
        return {"type": ["string", "number", "boolean"]}


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def expected(self) -> str:
        return f"one of {', '.join(self.words)}" if len(self.words) > 1 else self.words[0]

    def read(self, node: Node, path: str, notes: Notes) -> str | Bad:
        if not isinstance(node, Scalar) or (node.empty and node.text not in self.words):
            return refuse(node, path, notes, self.expected)
        if node.text in self.words:
            return node.text
        notes.error(
            at(node, path), f"Expected {self.expected}, found '{node.text[:60]}'.", nearest(node.text, self.words)
        )
        return BAD

    def schema(self) -> Schema:
        return {"enum": [int(word) if word.isdigit() else word for word in self.words]}


@dataclass(frozen=True, slots=True)
class Number:
    """A decimal number; `above` and `below` exclude their ends, `least` and `most` include them."""

    least: float | None = None
    most: float | None = None
    above: float | None = None
    whole: bool = False

    @property
    def expected(self) -> str:
        words = ["a whole number" if self.whole else "a number"]
        if self.above is not None:
            words.append(f"above {self.above:g}")
        if self.least is not None:
            words.append(f"of at least {self.least:g}")
        if self.most is not None:
            words.append(f"of at most {self.most:g}")
        return words[0] + (" " + " and ".join(words[1:]) if words[1:] else "")

    def read(self, node: Node, path: str, notes: Notes) -> float | int | Bad:
        if not isinstance(node, Scalar) or node.empty:
            return refuse(node, path, notes, self.expected)
        if not node.plain and NUMBER.fullmatch(node.text):
            notes.error(at(node, path), f"Expected {self.expected}, found a quoted text. Remove the quotes.")
            return BAD
        value = float(node.text) if NUMBER.fullmatch(node.text) else None
        if (
            value is None
            or value in (float("inf"), float("-inf"))
            or (self.whole and not value.is_integer())
            or (self.least is not None and value < self.least)
            or (self.most is not None and value > self.most)
            or (self.above is not None and value <= self.above)
        ):
            notes.error(at(node, path), f"Expected {self.expected}, found '{node.text[:60]}'.")
            return BAD
        return int(value) if self.whole else value

    def schema(self) -> Schema:
        schema: Schema = {"type": "integer" if self.whole else "number"}
        for key, value in (("minimum", self.least), ("maximum", self.most), ("exclusiveMinimum", self.above)):
            if value is not None:
                schema[key] = value
        return schema


@dataclass(frozen=True, slots=True)
class Flag:
    """true or false; no other word means either."""

    expected: str = "true or false"

    def read(self, node: Node, path: str, notes: Notes) -> bool | Bad:
        if isinstance(node, Scalar) and node.plain and node.text in ("true", "True", "TRUE"):
            return True
        if isinstance(node, Scalar) and node.plain and node.text in ("false", "False", "FALSE"):
            return False
        if isinstance(node, Scalar) and not node.empty:
            notes.error(at(node, path), f"Expected true or false, found '{node.text[:20]}'.")
            return BAD
        return refuse(node, path, notes, self.expected)

    def schema(self) -> Schema:
        return {"type": "boolean"}


@dataclass(frozen=True, slots=True)
class Day:
    """A date, ``YYYY-MM-DD``."""

    expected: str = "a date like 2026-12-31"

    def read(self, node: Node, path: str, notes: Notes) -> date | Bad:
        if not isinstance(node, Scalar) or node.empty:
            return refuse(node, path, notes, self.expected)
        day = to_day(node.text)
        if day is None:
            notes.error(at(node, path), f"Expected {self.expected}, found '{node.text[:40]}'.")
            return BAD
        return day

    def schema(self) -> Schema:
        return {"type": "string", "format": "date", "pattern": r"^\d{4}-\d{2}-\d{2}$"}


def to_day(text: str) -> date | None:
    """Read ``YYYY-MM-DD``; None if it is no such day."""
    if not DAY.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def to_span(text: str) -> timedelta | None:
    """Read ``5m``, ``24h``, ``14d``, ``2w``, ``30s``; None if it is no such span."""
    found = SPAN.fullmatch(text.strip())
    if found is None:
        return None
    try:
        return timedelta(**{SPAN_UNITS[found[2]]: float(found[1])})
    except OverflowError:
        return None


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time like ``5m``; at least `least`. With `days` the value is a whole number of days."""

    least: timedelta = timedelta(0)
    days: bool = False

    @property
    def expected(self) -> str:
        if self.days:
            return "whole days like 14d or 2w"
        floor = f" of at least {self.least.total_seconds():g}s" if self.least else ""
        return f"a span like 30s, 5m, 24h, 14d or 2w{floor}"

    def read(self, node: Node, path: str, notes: Notes) -> timedelta | int | Bad:
        if not isinstance(node, Scalar) or node.empty:
            return refuse(node, path, notes, self.expected)
        span = to_span(node.text)
        if span is None or span < self.least or (self.days and span % timedelta(days=1)):
            notes.error(at(node, path), f"Expected {self.expected}, found '{node.text[:40]}'.")
            return BAD
        return span // timedelta(days=1) if self.days else span

    def schema(self) -> Schema:
        units = "dw" if self.days else "smhdw"
        return {"type": "string", "pattern": rf"^\d+(\.\d+)?\s*[{units}]$"}


@dataclass(frozen=True, slots=True)
class SecretRef:
    """``${env:NAME}`` or ``${file:PATH}``: the only ways to give a secret.

    A variable or file that is not there is a warning; the value is asked for when it is needed.
    With `plain` a text that is not a reference is taken as it is (an e-mail address, a client id).
    `prefix` allows a word before the reference (``Bearer ${env:TOKEN}``).
    """

    plain: bool = False
    prefix: bool = False

    @property
    def expected(self) -> str:
        return '"${env:NAME}" or "${file:PATH}"' + (" or a text" if self.plain else "")

    def read(self, node: Node, path: str, notes: Notes) -> Secret | str | Bad:
        if not isinstance(node, Scalar) or node.empty:
            return refuse(node, path, notes, self.expected)
        text = node.text.strip()
        head, _, tail = text.rpartition(" ")
        if not (self.prefix and re.fullmatch(r"[A-Za-z]{2,20}", head)):
            head, tail = "", text
        found = REFERENCE.fullmatch(tail)
        if found is not None:
            return resolve(found[1], found[2].strip(), head, at(node, path), notes)
        if self.plain and "${" not in text and text:
            return text
        notes.error(
            at(node, path),
            'A secret is never written into the file. Expected "${env:NAME}" (an environment variable) or '
            '"${file:PATH}" (a file), and nothing around it.',
        )
        return BAD

    def schema(self) -> Schema:
        if self.plain:
            return {"type": ["string", "number"]}
        head = "([A-Za-z]{2,20} )?" if self.prefix else ""
        return {"type": "string", "pattern": rf"^{head}\$\{{(env|file):[^{{}}]+\}}$"}


def resolve(kind: str, name: str, head: str, place: Place, notes: Notes) -> Secret:
    """Return the secret that ``env:NAME`` or ``file:PATH`` stands for; a relative path starts at its own file."""
    if kind == "env":
        value = notes.environ.get(name)
    else:
        try:
            value = Path(place.file).parent.joinpath(name).read_text("utf-8").rstrip("\r\n")
        except (OSError, ValueError):
            value = None
    if not value:
        what = f"The environment variable {name} is not set" if kind == "env" else f"The file {name} cannot be read"
        notes.warning(place, f"{what}. Commands that call the network will ask for it.")
        return Secret(f"{kind}:{name}", None)
    return Secret(f"{kind}:{name}", f"{head} {value}" if head else value)


@dataclass(frozen=True, slots=True)
class Define:
    """A name defined here, within `space`."""

    space: str
    what: str
    pattern: str = ID.pattern

    @property
    def expected(self) -> str:
        return f"a name of letters, digits and . _ - / for the {self.what}"

    def read(self, node: Node, path: str, notes: Notes) -> str | Bad:
        name = Text(self.expected, self.pattern).read(node, path, notes)
        if isinstance(name, str):
            place = at(node, path)
            if self.space in KINDS_WITH_IDS:
                notes.define("id", name, place, "The id")
                notes.defined.setdefault(self.space, {}).setdefault(name, place)
            else:
                notes.define(self.space, name, place, f"The {self.what}")
        return name

    def schema(self) -> Schema:
        return {"type": ["string", "number"], "pattern": f"^{_ecma(self.pattern)}$"}


KINDS_WITH_IDS = ("objective", "key_result", "initiative")
"""Spaces whose names share one more, ``id``."""


@dataclass(frozen=True, slots=True)
class Refer:
    """A name that must be defined in one of `spaces`. A text with ``{`` is a template where `templates`."""

    spaces: tuple[str, ...]
    what: str
    templates: bool = False

    @property
    def expected(self) -> str:
        return f"the name of {self.what}"

    def read(self, node: Node, path: str, notes: Notes) -> str | Bad:
        name = Text(self.expected).read(node, path, notes)
        if isinstance(name, str) and not (self.templates and "{" in name):
            notes.refer(self.spaces, name, self.what, at(node, path))
        return name

    def schema(self) -> Schema:
        return {"type": ["string", "number"]}


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list; a single value stands for a list of one where `single`."""

    item: Shape
    single: bool = True
    least: int = 0

    @property
    def expected(self) -> str:
        return f"a list; in it {self.item.expected}"

    def read(self, node: Node, path: str, notes: Notes) -> list[Any] | Bad:
        if isinstance(node, Scalar) and node.empty:
            return self._enough([], node, path, notes)
        if not isinstance(node, Listing):
            if not self.single:
                return refuse(node, path, notes, self.expected)
            value = self.item.read(node, path, notes)
            return BAD if value is BAD else [value]
        values = [self.item.read(item, f"{path}[{i}]", notes) for i, item in enumerate(node.items)]
        good = [value for value in values if value is not BAD]
        return self._enough(good, node, path, notes) if len(good) == len(values) else good

    def _enough(self, values: list[Any], node: Node, path: str, notes: Notes) -> list[Any] | Bad:
        if len(values) < self.least:
            notes.error(at(node, path), f"Expected at least {self.least} here; in it {self.item.expected}.")
            return BAD
        return values

    def schema(self) -> Schema:
        array: Schema = {"type": "array", "items": self.item.schema()}
        if self.least:
            array["minItems"] = self.least
        return {"anyOf": [array, self.item.schema()]} if self.single else array


@dataclass(frozen=True, slots=True)
class MapOf:
    """A mapping from names to values of one shape. `fold` keeps the names in lower case."""

    value: Shape
    key: Shape = field(default_factory=Text)
    fold: bool = False
    least: int = 0

    @property
    def expected(self) -> str:
        return f"a mapping from {self.key.expected} to {self.value.expected}"

    def read(self, node: Node, path: str, notes: Notes) -> dict[Any, Any] | Bad:
        if isinstance(node, Scalar) and node.empty:
            return {}
        if not isinstance(node, nodes.Mapping):
            return refuse(node, path, notes, self.expected)
        values: dict[Any, Any] = {}
        for name, child in node.values.items():
            inner = f"{path}.{name}" if path else name
            key = self.key.read(node.keys[name], inner, notes)
            value = self.value.read(child, inner, notes)
            if key is not BAD and value is not BAD:
                values[key.lower() if self.fold else key] = value
        if len(node.values) < self.least:
            notes.error(at(node, path), f"Expected at least {self.least} entry: {self.expected}.")
            return BAD
        return values

    def schema(self) -> Schema:
        schema: Schema = {"type": "object", "additionalProperties": self.value.schema()}
        names = self.key.schema()
        if "pattern" in names:
            schema["propertyNames"] = {"pattern": names["pattern"]}
        elif "enum" in names:
            schema["propertyNames"] = {"enum": names["enum"]}
        return schema


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a record: what may stand there and what it is for."""

    shape: Shape
    doc: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class Here:
    """A record that is being read: its node and path, and where to note what is wrong with it."""

    node: nodes.Mapping
    path: str
    notes: Notes

    def place(self, key: str = "") -> Place:
        """Return the place of one of the record's keys, or of the record."""
        path = f"{self.path}.{key}" if self.path and key else key or self.path
        return Place(self.node.file, self.node.line_of(key), path)

    def error(self, key: str, message: str, nearest: str | None = None) -> None:
        """Note an error at a key of the record (empty: at the record)."""
        self.notes.error(self.place(key), message, nearest)

    def warning(self, key: str, message: str, nearest: str | None = None) -> None:
        """Note a warning at a key of the record (empty: at the record)."""
        self.notes.warning(self.place(key), message, nearest)


Build = Callable[[dict[str, Any], Here], Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with known keys. `build` makes the value of what was read; None keeps the mapping.

    `word` reads a single value in place of the mapping. `private` keeps unknown keys out of messages.
    """

    name: str
    keys: Mapping[str, Key]
    build: Build | None = None
    word: Shape | None = None
    private: bool = False
    dependent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def expected(self) -> str:
        words = f"a mapping with the keys {', '.join(self.keys)}"
        return f"{words}; or {self.word.expected}" if self.word else words

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        if self.word is not None and isinstance(node, Scalar):
            return self.word.read(node, path, notes)
        if isinstance(node, Scalar) and node.empty and not any(key.required for key in self.keys.values()):
            node = nodes.Mapping(node.file, node.line)
        if not isinstance(node, nodes.Mapping):
            return refuse(node, path, notes, self.expected)
        values: dict[str, Any] = {}
        complete = True
        for name, child in node.values.items():
            inner = f"{path}.{name}" if path else name
            key = self.keys.get(name)
            if key is None:
                self._unknown(name, node, inner, notes)
                complete = False
            elif isinstance(child, Scalar) and child.empty and not key.required and not _means_nothing(key.shape):
                continue
            elif (value := key.shape.read(child, inner, notes)) is BAD:
                complete = False
            else:
                values[name] = value
        for name, key in self.keys.items():
            if key.required and name not in node.values:
                notes.error(at(node, path), f"The key '{name}' is missing here: {key.shape.expected}.")
                complete = False
        if not complete:
            return BAD
        return self.build(values, Here(node, path, notes)) if self.build else values

    def refuse_unknown(self, node: nodes.Mapping, path: str, notes: Notes) -> None:
        """Note each key that the record does not know."""
        for name in node.values:
            if name not in self.keys:
                self._unknown(name, node, f"{path}.{name}" if path else name, notes)

    def _unknown(self, name: str, node: nodes.Mapping, path: str, notes: Notes) -> None:
        close = nearest(name, self.keys)
        if self.private and close is None:
            path, name = path[: -len(name)].rstrip("."), ""
        place = Place(node.file, node.keys[name].line if name else node.line, path)
        shown = f" '{name[:60]}'" if name else ""
        notes.error(place, f"Unknown key{shown} in {self.name}. Valid: {', '.join(self.keys)}.", close)

    def schema(self) -> Schema:
        schema: Schema = {
            "type": "object",
            "additionalProperties": False,
            "properties": {name: key.shape.schema() | {"description": key.doc} for name, key in self.keys.items()},
        }
        required = [name for name, key in self.keys.items() if key.required]
        if required:
            schema["required"] = required
        if self.dependent:
            schema["dependentRequired"] = {name: list(others) for name, others in self.dependent.items()}
        return {"anyOf": [self.word.schema(), schema]} if self.word else schema


@dataclass(frozen=True, slots=True)
class ByKind:
    """A different shape for a single value, a list and a mapping."""

    word: Shape | None = None
    listing: Shape | None = None
    mapping: Shape | None = None

    @property
    def expected(self) -> str:
        return " or ".join(shape.expected for shape in (self.word, self.listing, self.mapping) if shape)

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        shape = self.word if isinstance(node, Scalar) else self.listing if isinstance(node, Listing) else self.mapping
        return shape.read(node, path, notes) if shape else refuse(node, path, notes, self.expected)

    def schema(self) -> Schema:
        return {"anyOf": [shape.schema() for shape in (self.word, self.listing, self.mapping) if shape]}


@dataclass(frozen=True, slots=True)
class Then:
    """A shape whose value is checked or changed by one more function, which may return BAD."""

    shape: Shape
    step: Callable[[Any, Node, str, Notes], Any]

    @property
    def expected(self) -> str:
        return self.shape.expected

    def read(self, node: Node, path: str, notes: Notes) -> Any:
        value = self.shape.read(node, path, notes)
        return value if value is BAD else self.step(value, node, path, notes)

    def schema(self) -> Schema:
        return self.shape.schema()


def _means_nothing(shape: Shape) -> bool:
    """Whether an empty value has a meaning of its own at a place (`{}` or `[]` left out)."""
    return isinstance(shape, Choice) and any(word in nodes.NULLS for word in shape.words)


def _ecma(pattern: str) -> str:
    r"""Spell a pattern for JSON Schema's regexes, whose ``\w`` knows ASCII alone."""
    return pattern.replace(r"[^\W_]", r"[^\s:{}_.\-/]").replace(r"[\w.\-/]", r"[^\s:{}]")
