"""YAML 1.2 text as a tree of nodes, each knowing its file and line.

Nothing here knows a key of the workspace file, and no value is interpreted: a scalar keeps its text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from domain.errors import Problem

MAX_BYTES = 5_000_000
TOO_LARGE = f"The file is above {MAX_BYTES // 1_000_000} MB. Split it with include."
MAX_DEPTH = 40
MAX_NODES = 500_000
"""Nodes of one file with every alias written out, so that a few aliases cannot stand for millions."""

NULLS = frozenset({"", "~", "null", "Null", "NULL"})
"""What YAML 1.2 (core schema) reads as nothing, where it is not quoted."""

WANTS_QUOTES = re.compile(r"""(?<!["'])\$\{""")


@dataclass(slots=True)
class Scalar:
    """A word. `plain` tells that it was neither quoted nor a block."""

    text: str
    plain: bool
    file: str
    line: int

    @property
    def empty(self) -> bool:
        """Whether the file says nothing here."""
        return self.plain and self.text in NULLS


@dataclass(slots=True)
class Listing:
    """A sequence."""

    file: str
    line: int
    items: list[Node] = field(default_factory=list)
    size: int = 1
    depth: int = 1


@dataclass(slots=True)
class Mapping:
    """A mapping; `keys` holds the key nodes in the order of the file."""

    file: str
    line: int
    keys: dict[str, Scalar] = field(default_factory=dict)
    values: dict[str, Node] = field(default_factory=dict)
    size: int = 1
    depth: int = 1

    def line_of(self, key: str) -> int:
        """Return the line of a key, or of the mapping where it has no such key."""
        return self.keys[key].line if key in self.keys else self.line


Node = Scalar | Listing | Mapping


class BrokenError(Exception):
    """The text cannot be read any further; `line` counts from 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


def compose(text: str, file: str, problems: list[Problem]) -> Node | None:
    """Return the root of the only document in `text`, None if it is empty or broken.

    Appends what is wrong to `problems`; a duplicate key leaves the first one standing.
    """
    if len(text) > MAX_BYTES:
        problems.append(_problem(file, 0, TOO_LARGE))
        return None
    try:
        return _Composer(file, problems).run(text)
    except BrokenError as broken:
        message = str(broken)
        lines = text.splitlines()
        if 0 < broken.line <= len(lines) and WANTS_QUOTES.search(lines[broken.line - 1]):
            message += ' Inside { } a value such as "${env:NAME}" needs its quotes.'
        problems.append(_problem(file, broken.line, message))
        return None


def _problem(file: str, line: int, message: str, key: str = "") -> Problem:
    return Problem(file=file, line=line, key=key, message=message)


class _Composer:
    """Builds the tree from the parser's events with a stack of its own: depth costs no recursion."""

    def __init__(self, file: str, problems: list[Problem]) -> None:
        self.file = file
        self.problems = problems
        self.anchors: dict[str, Node] = {}
        self.stack: list[tuple[Listing | Mapping, str | None]] = []
        self.pending: list[Scalar | None] = []
        self.root: Node | None = None

    def run(self, text: str) -> Node | None:
        from ruamel.yaml import YAML
        from ruamel.yaml import events as ev
        from ruamel.yaml.error import MarkedYAMLError, YAMLError

        documents = 0
        try:
            for event in YAML(typ="safe", pure=True).parse(text):
                kind = type(event)
                if kind is ev.ScalarEvent:
                    self._no_tag(event)
                    scalar = Scalar(event.value, not event.style, self.file, event.start_mark.line + 1)
                    if event.anchor:
                        self.anchors[event.anchor] = scalar
                    self._put(scalar)
                elif kind is ev.MappingStartEvent:
                    self._no_tag(event)
                    self._open(Mapping(self.file, event.start_mark.line + 1), event.anchor, event.start_mark.line + 1)
                elif kind is ev.SequenceStartEvent:
                    self._no_tag(event)
                    self._open(Listing(self.file, event.start_mark.line + 1), event.anchor, event.start_mark.line + 1)
                elif kind is ev.MappingEndEvent or kind is ev.SequenceEndEvent:
                    self._close()
                elif kind is ev.AliasEvent:
                    self._alias(event.anchor, event.start_mark.line + 1)
                elif kind is ev.DocumentStartEvent:
                    documents += 1
                    if documents > 1:
                        raise BrokenError(event.start_mark.line + 1, "A second document starts here; one is read.")
        except MarkedYAMLError as error:
            raise BrokenError(*_syntax(error)) from None
        except (YAMLError, ValueError, LookupError, AttributeError, TypeError, NotImplementedError) as error:
            # the pure parser meets some broken input (bad escapes, odd directives) with errors of Python
            line = getattr(getattr(error, "start_mark", None), "line", -1) + 1
            raise BrokenError(line, f"This is not YAML that can be read ({type(error).__name__}).") from None
        return self.root

    def _no_tag(self, event: object) -> None:
        tag = getattr(event, "tag", None)
        if tag is not None:
            line = event.start_mark.line + 1  # type: ignore[attr-defined]  # every event of the parser has its mark
            raise BrokenError(line, "Tags ('!…') are not used here; write the plain value.")

    def _open(self, node: Listing | Mapping, anchor: str | None, line: int) -> None:
        if len(self.stack) >= MAX_DEPTH:
            raise BrokenError(line, f"Nested deeper than {MAX_DEPTH} levels.")
        self.stack.append((node, anchor))
        self.pending.append(None)

    def _close(self) -> None:
        node, anchor = self.stack.pop()
        self.pending.pop()
        if isinstance(node, Mapping) and "<<" in node.values and node.keys["<<"].plain:
            _merge(node)
        if anchor:
            self.anchors[anchor] = node
        self._put(node)

    def _alias(self, name: str, line: int) -> None:
        if name not in self.anchors:
            raise BrokenError(line, f"The alias '*{name}' has no complete anchor '&{name}' before it.")
        self._put(self.anchors[name])

    def _put(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1][0]
        if isinstance(parent, Listing):
            parent.items.append(node)
        else:
            key = self.pending[-1]
            if key is None:
                self.pending[-1] = self._key(node)
                return
            self.pending[-1] = None
            first = parent.keys.get(key.text)
            if first is None:
                parent.keys[key.text] = key
                parent.values[key.text] = node
            else:
                self.problems.append(
                    _problem(
                        self.file,
                        key.line,
                        f"This key stands twice in one mapping; first at {first.file}:{first.line}. Keep one.",
                        key.text if len(key.text) <= 40 else "",
                    )
                )
        if not isinstance(node, Scalar):
            parent.size += node.size
            parent.depth = max(parent.depth, node.depth + 1)
        else:
            parent.size += 1
        if parent.size > MAX_NODES:
            raise BrokenError(parent.line, f"More than {MAX_NODES} values once its aliases are written out.")
        if parent.depth > MAX_DEPTH:
            raise BrokenError(parent.line, f"Nested deeper than {MAX_DEPTH} levels once its aliases are written out.")

    def _key(self, node: Node) -> Scalar:
        if not isinstance(node, Scalar):
            raise BrokenError(node.line, "A key must be a word, not a list or a mapping.")
        return node


def _merge(node: Mapping) -> None:
    """Lay the mappings named by ``<<`` under the keys that stand in the mapping itself."""
    merged = node.values["<<"]
    sources = merged.items if isinstance(merged, Listing) else [merged]
    if not all(isinstance(source, Mapping) for source in sources):
        raise BrokenError(node.line_of("<<"), "'<<' takes an alias of a mapping, or a list of such aliases.")
    del node.values["<<"], node.keys["<<"]
    for source in sources:
        if isinstance(source, Mapping):
            for key, value in source.values.items():
                if key not in node.values:
                    node.keys[key] = source.keys[key]
                    node.values[key] = value


def _syntax(error: object) -> tuple[int, str]:
    """Return the line and the words of a syntax error, without the text of the file: it may hold a secret."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    context, problem = getattr(error, "context", None), getattr(error, "problem", None)
    words = ", ".join(part for part in (context, problem) if isinstance(part, str) and part)
    return (mark.line + 1 if mark is not None else 0), f"YAML syntax: {words or 'cannot be read'}."
