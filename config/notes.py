"""What reading the files finds: places, problems, names defined and referred to; and what a shape is.

Knows nodes and words, not the keys of the workspace file.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from config.nodes import Listing, Node, Scalar
from domain.errors import Problem

Schema = dict[str, Any]


class Bad:
    """What a shape returns when it could not read its node; the problem has been noted."""

    __slots__ = ()


BAD: Final = Bad()


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
