"""Nodes made whole: lists inside them read to their end, labels named that discovery did not know.

A page must say by itself all that is read in it, so what is missing is put into its nodes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from connectors.base import Json
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.site import MAX_PAGES, Found, Node, Site, all_nodes, next_of, told
from domain.errors import VendorUnavailableError

LABEL_LISTS: Mapping[str, str] = {
    "issues": "issueLabels",
    "projects": "projectLabels",
    "initiatives": "initiativeLabels",
}
"""List -> the list of the labels that its nodes carry."""


async def complete(client: Client, site: Site, field: str, found: Found) -> bool:
    """Put into a page of `field` what its nodes lack; True where that was anything."""
    cut = [(node, name) for of, name in queries.NESTED for node in found.nodes if of == field and is_cut(node, name)]
    for node, name in cut:
        await read_on(client, field, node, name)
    return await _name_labels(client, site, field, found.nodes) or bool(cut)


async def read_on(client: Client, field: str, node: Node, name: str) -> None:
    """Read a list inside a node to its end, from where it was cut."""
    inner = node[name]
    id, what = str(node.get("id")), f"{field}.{name}"
    after = next_of(client, inner, what)
    used: set[str] = set()
    for _ in range(MAX_PAGES):
        if after is None:
            break
        if after in used:
            raise VendorUnavailableError(f"{client.name}: Linear repeated a cursor of '{what}'. Run again.")
        used.add(after)
        _, _, data = await told(client, queries.page(queries.rest_document(field, name), after, id=id))
        more = _inside(data, field, name)
        inner["nodes"] = [*(inner.get("nodes") or []), *(more.get("nodes") or [])]
        after = next_of(client, more, what)
    inner["pageInfo"] = {"hasNextPage": False, "endCursor": None}


def is_cut(node: Mapping[str, Any], name: str) -> bool:
    """Whether a list inside a node was not told whole."""
    inner = node.get(name)
    info = inner.get("pageInfo") if isinstance(inner, dict) else None
    return isinstance(info, dict) and bool(info.get("hasNextPage"))


def _inside(data: Mapping[str, Any], field: str, name: str) -> Mapping[str, Any]:
    """Return the list inside the one node of an answer, an empty one where the node is gone meanwhile."""
    nodes = (data.get(field) or {}).get("nodes") or [{}]
    inner = nodes[0].get(name) if isinstance(nodes[0], dict) else None
    return inner if isinstance(inner, dict) else {}


async def _name_labels(client: Client, site: Site, field: str, nodes: Sequence[Node]) -> bool:
    """Put the labels into nodes whose ids nobody knows: they are newer than the last discovery."""
    learned = client.notes.get(f"labels of {field}")
    if not isinstance(learned, dict):
        learned = client.notes[f"labels of {field}"] = {}
    unknown = dict.fromkeys(
        id for node in nodes for id in _label_ids(node) if id not in site.labels and id not in learned
    )
    asked = list(unknown)
    for at in range(0, len(asked), queries.IDS):
        chunk: list[Json] = list(asked[at : at + queries.IDS])
        found = await all_nodes(client, queries.LABELS_BY_ID[field], LABEL_LISTS[field], ids=chunk)
        named = {str(label.get("id")): label for label in found}
        learned.update((str(id), named.get(str(id))) for id in chunk)
    mended = False
    for node in nodes:
        fresh = [label for id in _label_ids(node) if (label := learned.get(id)) is not None]
        if fresh:
            node["labels"] = {"nodes": fresh}
            mended = True
    return mended


def _label_ids(node: Mapping[str, Any]) -> list[str]:
    ids = node.get("labelIds")
    return [str(id) for id in ids] if isinstance(ids, list) else []
