"""Shapes of single values: texts, choices, numbers, dates, spans, secrets, names.

Each reads one scalar node and prints its JSON Schema; lists and mappings are made of them in `shapes`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from config.nodes import Node, Scalar
from config.notes import BAD, Bad, Notes, Place, Schema, at, nearest, refuse
from domain.workspace import Secret

NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
SPAN_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
REFERENCE = re.compile(r"\$\{(env|file):([^{}]+)\}")
ID = re.compile(r"[^\W_][\w.\-/]*")


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


def _ecma(pattern: str) -> str:
    r"""Spell a pattern for JSON Schema's regexes, whose ``\w`` knows ASCII alone."""
    return pattern.replace(r"[^\W_]", r"[^\s:{}_.\-/]").replace(r"[\w.\-/]", r"[^\s:{}]")
