"""Blocks of a text as wiki markup of Jira Data Center, and back again.

Pure. Nothing that stands in a payload may become markup, name a person or make a link.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from urllib.parse import quote, unquote

from connectors.body import FILLED, WHY, Block

_MARKUP = frozenset("\\*_?-+^~{}[]()!|#")
_START = re.compile(r"^(h[1-6]|bq)(\.)")
_COLON = re.compile(r":(?=//|[DPp]\b)|(?<=mailto):")
"""what makes a link of a bare address, and a face of :D"""

_ESCAPED = re.compile(r"\\(.)")

_ANCHOR = re.compile(r"\{anchor:keyrail\.(?P<key>[^{}\s]+)\}")
_HEAD = re.compile(r"\*(?P<title>.*)\* · (?P<status>.*)")
_LINK = re.compile(rf"\[{re.escape(WHY)}\|(?P<url>[^\s\]]+)\]")
_FOOT = re.compile(r"_(?P<text>.*)_")


def marker(key: str) -> str:
    """Return the anchor that a text begins with: it shows nothing and bears our natural key."""
    return f"{{anchor:keyrail.{quote(key.removeprefix('keyrail:'), safe='')}}}"


def owner(text: str) -> str | None:
    """Return the natural key that a text bears, None where it bears none."""
    found = _ANCHOR.match(text.lstrip())
    if found is None:
        return None
    return "keyrail:" + unquote(found["key"])


def document(blocks: Sequence[Block]) -> str:
    """Return the markup that says these blocks, without the marker."""
    return "\n\n".join(_written(block) for block in blocks)


def blocks(text: str) -> list[Block] | None:
    """Return the blocks that a markup says; None where it says nothing."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    middle, _, last = lines.rpartition("\n\n")
    foot = _block(last)
    if foot.kind == "foot" and foot.texts[0].startswith(FILLED):
        return [Block(kind="text", texts=(_each(unescape, middle),)), foot]
    return [_block(part) for part in re.split(r"\n{2,}", lines)] if lines else None


def escape(text: str) -> str:
    """Return markup that shows a text of one line as it is.

    https://jira.atlassian.com/secure/WikiRendererHelpAction.jspa?section=all
    """
    marked = "".join(f"\\{c}" if c in _MARKUP else c for c in text)
    return _COLON.sub(r"\:", _START.sub(r"\1\\\2", marked))


def unescape(text: str) -> str:
    """Return the text that `escape` was given; of other markup some text."""
    return _ESCAPED.sub(r"\1", text)


def _each(change: Callable[[str], str], text: str) -> str:
    return "\n".join(change(line) for line in text.split("\n"))


def _written(block: Block) -> str:
    match block.kind:
        case "head":
            return f"*{escape(block.texts[0])}* · {escape(block.texts[1])}"
        case "list":
            return "\n".join(f"* {escape(text)}" for text in block.texts)
        case "link":
            return f"[{WHY}|{block.texts[0]}]"
        case "foot":
            return f"_{escape(block.texts[0])}_"
        case _:
            return _each(escape, block.texts[0])


def _block(part: str) -> Block:
    if part.startswith("* "):
        return Block(kind="list", texts=tuple(unescape(line.removeprefix("* ")) for line in part.split("\n")))
    if head := _HEAD.fullmatch(part):
        return Block(kind="head", texts=(unescape(head["title"]), unescape(head["status"])))
    if link := _LINK.fullmatch(part):
        return Block(kind="link", texts=(link["url"],))
    if foot := _FOOT.fullmatch(part):
        return Block(kind="foot", texts=(unescape(foot["text"]),))
    return Block(kind="line", texts=(unescape(part),))
