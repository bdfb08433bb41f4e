"""The rich text of Operately: paragraphs and a list, and what they say; our key stands in the address of a link.

Pure. The form is that of ProseMirror (https://github.com/operately/operately, `app/test/support/rich_text.ex`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote, unquote

from connectors.base import Json
from connectors.tools import mapping

LINK = "Why this number"


def document(told: Sequence[str], url: str, key: str) -> dict[str, Json]:
    """Return lines as paragraphs, and a link to the explanation that bears our key."""
    href = f"{url}#{quote(key, safe=':')}"
    mark = {"type": "link", "attrs": {"href": href, "target": "_blank"}}
    last = {"type": "paragraph", "content": [{"type": "text", "text": LINK, "marks": [mark]}]}
    lines = [{"type": "paragraph", "content": [{"type": "text", "text": line}]} for line in told if line]
    return {"type": "doc", "content": [*lines, last]}


def said_by(doc: Json) -> tuple[list[str], str, str | None]:
    """Return the lines of a document, the address of its last link, and the key in there, None where it is not ours."""
    lines: list[str] = []
    url, key = "", None
    for block in _list(mapping(doc).get("content")):
        text, href = _text(block)
        address, hash, fragment = href.partition("#keyrail:")
        if hash and text == LINK:
            url, key = address, "keyrail:" + unquote(fragment)
        elif text:
            lines.append(text)
    return lines, url, key


def _text(node: Mapping[str, Json]) -> tuple[str, str]:
    """Return the text below a node, and the address of the last link in it."""
    text, href = str(node.get("text") or ""), ""
    for mark in _list(node.get("marks")):
        if mark.get("type") == "link":
            href = str(mapping(mark.get("attrs")).get("href") or "")
    for child in _list(node.get("content")):
        inner, link = _text(child)
        text, href = text + inner, link or href
    return text, href


def _list(value: Json) -> list[Mapping[str, Json]]:
    return [mapping(one) for one in value] if isinstance(value, list) else []
