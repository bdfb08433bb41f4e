"""Blocks of a text as an Atlassian document, and back again; plain lines as one, and the text that one holds.

Pure. Text is text there: nothing in it can become markup, a mention or a link.
https://developer.atlassian.com/cloud/jira/platform/apis/document/structure/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from connectors.body import FILLED, WHY, Block

Node = dict[str, Any]


def document(blocks: Sequence[Block]) -> Node:
    """Return the document that says these blocks."""
    return _doc([node for block in blocks for node in _nodes(block)])


def paragraphs(text: str) -> Node:
    """Return the document with one paragraph a line."""
    return _doc(_lines(text))


def blocks(doc: Any) -> list[Block] | None:
    """Return the blocks that a document says; None where it holds what we never write."""
    nodes = _children(doc)
    foot = _block(nodes[-1]) if nodes else None
    if foot is not None and foot.kind == "foot" and foot.texts[0].startswith(FILLED):
        return [Block(kind="text", texts=("\n".join(plain(node) for node in nodes[:-1]),)), foot]
    found = [_block(node) for node in nodes]
    return [block for block in found if block is not None] if None not in found else None


def plain(node: Any) -> str:
    """Return the text of a document, one line a paragraph, without its formatting."""
    if not isinstance(node, dict):
        return ""
    match node.get("type"):
        case "text":
            return str(node.get("text", ""))
        case "hardBreak":
            return "\n"
        case "paragraph" | "heading":
            return "".join(plain(child) for child in _children(node))
        case _:
            return "\n".join(plain(child) for child in _children(node))


def _doc(nodes: list[Node]) -> Node:
    return {"type": "doc", "version": 1, "content": nodes}


def _lines(text: str) -> list[Node]:
    return [_paragraph(*([_text(line)] if line.strip() else [])) for line in text.splitlines()]


def _nodes(block: Block) -> list[Node]:
    return _lines(block.texts[0]) if block.kind == "text" else [_node(block)]


def _node(block: Block) -> Node:
    match block.kind:
        case "head":
            return _paragraph(_text(block.texts[0], {"type": "strong"}), _text(f" · {block.texts[1]}"))
        case "list":
            items = [{"type": "listItem", "content": [_paragraph(_text(text))]} for text in block.texts]
            return {"type": "bulletList", "content": items}
        case "link":
            return _paragraph(_text(WHY, {"type": "link", "attrs": {"href": block.texts[0]}}))
        case "foot":
            return _paragraph(_text(block.texts[0], {"type": "em"}))
        case _:
            return _paragraph(_text(block.texts[0]))


def _block(node: Any) -> Block | None:
    children = _children(node)
    kind = node.get("type") if isinstance(node, dict) else None
    if kind == "bulletList":
        return Block(kind="list", texts=tuple(plain(item) for item in children))
    if kind != "paragraph" or not children:
        return None
    marks = [_marks(child) for child in children]
    text = "".join(plain(child) for child in children)
    if "strong" in marks[0] and len(children) > 1:
        title = plain(children[0])
        return Block(kind="head", texts=(title, text.removeprefix(f"{title} · ")))
    if "link" in marks[0]:
        attributes = marks[0]["link"].get("attrs")
        return Block(kind="link", texts=(str(attributes.get("href") if isinstance(attributes, dict) else ""),))
    return Block(kind="foot" if "em" in marks[0] else "line", texts=(text,))


def _paragraph(*nodes: Node) -> Node:
    return {"type": "paragraph", "content": list(nodes)}


def _text(text: str, *marks: Node) -> Node:
    return {"type": "text", "text": text, **({"marks": list(marks)} if marks else {})}


def _marks(node: Any) -> dict[str, Node]:
    told = node.get("marks") if isinstance(node, dict) else None
    return {str(mark.get("type")): mark for mark in told if isinstance(mark, dict)} if isinstance(told, list) else {}


def _children(node: Any) -> list[Any]:
    told = node.get("content") if isinstance(node, dict) else None
    return told if isinstance(told, list) else []
