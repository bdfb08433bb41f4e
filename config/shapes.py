"""Shapes made of shapes: lists, mappings, records with known keys. One declaration reads and prints JSON Schema.

Knows nodes and words, not the keys of the workspace file; those are declared from `grammar` on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from config import nodes
from config.nodes import Listing, Node, Scalar
from config.notes import BAD, Bad, Notes, Place, Schema, Shape, at, nearest, refuse
from config.scalars import Choice, Text


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
        if len(good) < len(values):
            return good or BAD
        return self._enough(good, node, path, notes)

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
        return BAD if node.values and not values else values

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
