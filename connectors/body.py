"""A status update as a text that is kept: its blocks in order, and the same content out of blocks that were read back.

Pure, plain text. How a block is written and read again is the business of each vendor's own format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from connectors.base import Json
from connectors.words import SHAPES, complete_words, one_line, progress_words, shorten
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS

LONGEST, MOST = 500, 20
"""characters of one line, and lines of one list that are told"""

LONGEST_TEXT = 20_000
"""characters of a text out of a template"""

WHY = "Why this number"
"""the words of the link to the explanation"""

CHANGED = "Since the last update:"
KEPT, FILLED = "Kept up to date by Keyrail", "Written by Keyrail"
"""how a foot begins: of our own words, and of a template's"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block: ``head`` (title, status), ``line``, ``list``, ``link`` (an address), ``foot`` or filled ``text``."""

    kind: str
    texts: tuple[str, ...]


def content_of(update: StatusUpdate) -> Mapping[str, Json]:
    """Return what a kept text says: title, status, url, and under `summary` what moves with the calendar.

    `summary` holds `text`, the `reasons` of the health, what `changed`, and `complete`, up to when the sources are
    complete.
    """
    return {
        "title": _line(update.title) or update.id,
        "status": f"{progress_words(update)} · {SHAPES[update.health]} {HEALTH_WORDS[update.health]}",
        "url": update.url if update.url and _is_plain(update.url) else "",
        "summary": {
            "text": _line(update.summary),
            "reasons": _lines(update.drivers),
            "changed": _lines(update.changed),
            "complete": complete_words(update.complete_to),
        },
    }


def filled(update: StatusUpdate, text: str) -> Mapping[str, Json]:
    """Return the content of a text out of a template, in the form that the place keeps; never two blank lines."""
    lines = "\n".join(line.rstrip() for line in text.splitlines()).strip()
    return {
        "text": shorten(re.sub(r"\n{3,}", "\n\n", lines), LONGEST_TEXT),
        "summary": {"complete": complete_words(update.complete_to)},
    }


def blocks_of(content: Mapping[str, Json]) -> tuple[Block, ...]:
    """Return the blocks that say a content, in order; lists and lines that would be empty are left out."""
    told = content.get("summary")
    summary = told if isinstance(told, dict) else {}
    complete = f" · {summary['complete']}" if summary.get("complete") else ""
    if "text" in content:
        text = Block(kind="text", texts=(str(content["text"]),))
        return (text, Block(kind="foot", texts=(f"{FILLED}{complete}",)))
    line, url = str(summary.get("text") or ""), str(content.get("url") or "")
    reasons, changed = _texts(summary.get("reasons")), _texts(summary.get("changed"))
    found = [Block(kind="head", texts=(str(content["title"]), str(content["status"])))]
    found += [Block(kind="line", texts=(line,))] if line else []
    found += [Block(kind="list", texts=reasons)] if reasons else []
    found += [Block(kind="line", texts=(CHANGED,)), Block(kind="list", texts=changed)] if changed else []
    found += [Block(kind="link", texts=(url,))] if url else []
    return (*found, Block(kind="foot", texts=(f"{KEPT}{complete}",)))


def said_by(blocks: Sequence[Block]) -> Mapping[str, Json] | None:
    """Return the content that blocks say; None where we would not write exactly these, so where a person did."""
    if len(blocks) == 2 and blocks[0].kind == "text":
        complete = blocks[1].texts[0].removeprefix(FILLED).removeprefix(" · ")
        return {"text": blocks[0].texts[0], "summary": {"complete": complete}}
    if not blocks or blocks[0].kind != "head":
        return None
    text, url, complete = "", "", ""
    lists: dict[str, list[Json]] = {"reasons": [], "changed": []}
    filling = "reasons"
    for block in blocks[1:]:
        match block.kind:
            case "line" if block.texts == (CHANGED,):
                filling = "changed"
            case "line":
                text = block.texts[0]
            case "list":
                lists[filling] = list(block.texts)
            case "link":
                url = block.texts[0]
            case _:
                complete = block.texts[0].removeprefix(KEPT).removeprefix(" · ")
    title, status = blocks[0].texts
    content: dict[str, Json] = {
        "title": title,
        "status": status,
        "url": url,
        "summary": {"text": text, **lists, "complete": complete},
    }
    return content if blocks_of(content) == tuple(blocks) else None


def _line(text: str) -> str:
    return shorten(one_line(text), LONGEST)


def _lines(texts: Sequence[str]) -> list[Json]:
    return [told for text in texts[:MOST] if (told := _line(text))]


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()


def _is_plain(url: str) -> bool:
    """Tell whether an address can stand in a link of Markdown or wiki markup as it is."""
    return urlsplit(url).scheme in ("https", "http") and url.isascii() and not re.search(r"[\s()<>\\\[\]|]", url)


def markdown(block: Block, escape: Callable[[str], str], *, foot: str) -> str:
    """Return a block as Markdown, what stands in it escaped as a vendor needs it; a filled text stands as it is.

    `foot` is how the vendor shows a last line, with ``{}`` for its words.
    """
    match block.kind:
        case "head":
            return f"**{escape(block.texts[0])}** · {escape(block.texts[1])}"
        case "list":
            return "\n".join(f"- {escape(text)}" for text in block.texts)
        case "link":
            return f"[{WHY}]({block.texts[0]})"
        case "foot":
            return foot.format(escape(block.texts[0]))
        case "text":
            return block.texts[0]
        case _:
            return escape(block.texts[0])
