"""Blocks of a text as Markdown of Linear, and back again.

Pure. Linear keeps a document and tells Markdown anew, so the same text may come back spelled another way: other
bullets, fewer backslashes. Nothing that stands in a payload may become markup, a link or the name of a person.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from connectors import body
from connectors.base import Json
from connectors.body import FILLED, WHY, Block
from domain.facts import StatusUpdate

MARKDOWN = "markdown"
"""the markup of a template that is taken as it is"""

GAP = "\u200b"
"""A space without width: what would become a link or a mention falls apart, and people see no difference."""

_MARKUP = frozenset("\\`*_[]~<>#|!")
_START = re.compile(r"^([0-9]*)([-+.)=])")
_BREAKS = (re.compile(r"(@)"), re.compile(r"(:)(?=//)"), re.compile(r"(?i)\b(www)(?=\.)"))
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
_HEAD = re.compile(r"(\*\*|__)(?P<title>.*?)\1 · (?P<status>.*)")
_ITEM = re.compile(r"[-*+] +(?P<text>.*)")
_LINK = re.compile(rf"\[{re.escape(WHY)}\]\(<?(?P<url>[^\s>]*)>?\)")
_FOOT = re.compile(r"([_*])(?P<text>.*)\1")


def content_of(update: StatusUpdate) -> Mapping[str, Json]:
    """Return what a text says: that of `body.content_of`, or the Markdown `text` of a template."""
    if update.text is None:
        return body.content_of(update)
    lines = update.text.splitlines()
    return body.filled(update, "\n".join(lines if update.markup == MARKDOWN else map(escape, lines)))


def body_of(content: Mapping[str, Json]) -> str:
    """Return the Markdown that says a content."""
    return "\n\n".join(body.markdown(block, escape, foot="_{}_") for block in body.blocks_of(content))


def said_in(text: str) -> Mapping[str, Json]:
    """Return the content that a text says; ``{"body": …}`` where it is not what we would write, so by a person."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    return body.said_by(_blocks(lines)) or {"body": lines}


def escape(text: str) -> str:
    """Return Markdown that shows a text of one line as it is."""
    marked = _START.sub(r"\1\\\2", "".join(f"\\{c}" if c in _MARKUP else c for c in text.rstrip()))
    for pattern in _BREAKS:
        marked = pattern.sub(rf"\1{GAP}", marked)
    return marked


def unescape(text: str) -> str:
    """Return the text that `escape` was given; of other Markdown some text."""
    return _ESCAPED.sub(r"\1", text.replace(GAP, ""))


def _blocks(text: str) -> list[Block]:
    middle, _, last = text.rpartition("\n\n")
    foot = _block(last)
    if foot.kind == "foot" and foot.texts[0].startswith(FILLED):
        return [Block(kind="text", texts=(middle,)), foot]
    found: list[Block] = []
    for part in re.split(r"\n{2,}", text):
        block = _block(part)
        if block.kind == "list" and found and found[-1].kind == "list":
            block = Block(kind="list", texts=(*found.pop().texts, *block.texts))
        found.append(block)
    return found


def _block(part: str) -> Block:
    items = [_ITEM.fullmatch(line.strip()) for line in part.split("\n")]
    if all(items):
        return Block(kind="list", texts=tuple(unescape(item["text"]) for item in items if item))
    if head := _HEAD.fullmatch(part):
        return Block(kind="head", texts=(unescape(head["title"]), unescape(head["status"])))
    if link := _LINK.fullmatch(part):
        return Block(kind="link", texts=(link["url"],))
    if foot := _FOOT.fullmatch(part):
        return Block(kind="foot", texts=(unescape(foot["text"]),))
    return Block(kind="line", texts=(unescape(part),))
