"""Blocks of a text as Markdown of GitHub under our marker, and back again.

Pure. What other people wrote stands in it letter by letter; `connectors.github.markdown` sees to that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from connectors import body
from connectors.base import Json
from connectors.body import FILLED, WHY, Block
from connectors.github.markdown import escape, unescape
from domain.facts import StatusUpdate

MARKER = "<!-- keyrail:"
"""How each text of ours begins; the natural key follows."""

MARKDOWN = "markdown"
"""the markup of a template that is taken as it is"""

_HEAD = re.compile(r"\*\*(?P<title>.*)\*\* · (?P<status>.*)")
_LINK = re.compile(rf"\[{re.escape(WHY)}\]\((?P<url>.*)\)")
_FOOT = re.compile(r"<sub>(?P<text>.*)</sub>")


def content_of(update: StatusUpdate) -> Mapping[str, Json]:
    """Return what a text says: that of `body.content_of`, or the Markdown `text` of a template."""
    if update.text is None:
        return body.content_of(update)
    lines = update.text.splitlines()
    plain = "\n".join(lines) if update.markup == MARKDOWN else "\n".join(escape(line.rstrip()) for line in lines)
    return body.filled(update, plain)


def marker(key: str) -> str:
    """Return the comment of HTML that a body begins with; a natural key can neither end it nor look like another."""
    return f"<!-- keyrail:{quote(key.removeprefix('keyrail:'), safe=':')} -->"


def body_of(content: Mapping[str, Json], key: str) -> str:
    """Return the Markdown that says a content; it begins with the marker of our natural key."""
    return "\n\n".join(
        [marker(key), *(body.markdown(block, escape, foot="<sub>{}</sub>") for block in body.blocks_of(content))]
    )


def said_in(text: str, key: str) -> Mapping[str, Json]:
    """Return the content that a body says; ``{"body": …}`` where it is not what we would write, so by a person."""
    lines = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").split("\n")).strip()
    first, _, rest = lines.partition("\n\n")
    content = body.said_by(_blocks(rest)) if first == marker(key) else None
    return content if content is not None and body_of(content, key) == lines else {"body": lines}


def _blocks(text: str) -> Sequence[Block]:
    middle, _, last = text.rpartition("\n\n")
    foot = _block(last)
    if foot.kind == "foot" and foot.texts[0].startswith(FILLED):
        return [Block(kind="text", texts=(middle,)), foot]
    return [_block(part) for part in text.split("\n\n")]


def _block(part: str) -> Block:
    if part.startswith("- "):
        return Block(kind="list", texts=tuple(unescape(line.removeprefix("- ")) for line in part.split("\n")))
    if head := _HEAD.fullmatch(part):
        return Block(kind="head", texts=(unescape(head["title"]), unescape(head["status"])))
    if link := _LINK.fullmatch(part):
        return Block(kind="link", texts=(link["url"],))
    if foot := _FOOT.fullmatch(part):
        return Block(kind="foot", texts=(unescape(foot["text"]),))
    return Block(kind="line", texts=(unescape(part),))
