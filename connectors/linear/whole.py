"""Nodes made whole: lists inside them read to their end, labels named that discovery did not know.

A page must say by itself all that is read in it, so what is missing is put into its nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connectors.base import Json
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.shapes import child, listed
from connectors.linear.site import MAX_PAGES, Found, Node, Site, all_nodes, next_of, told
from domain.errors import VendorUnavailableError

LABEL_LISTS: Mapping[str, str] = {
    "issues": "issueLabels",
    "projects": "projectLabels",
    "initiatives": "initiativeLabels",
}
"""List -> the list of the labels that its nodes carry."""
VERBS = ("added", "removed")
"""What history does with labels: ``addedLabelIds``."""


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
    young = await names_of_labels(client, site, field, (id for node in nodes for id in _label_ids(node)))
    mended = False
    for node in nodes:
        fresh = [young[id] for id in _label_ids(node) if id in young]
        if fresh:
            node["labels"] = {"nodes": fresh}
            mended = True
    return mended


async def name_past_labels(client: Client, site: Site, issues: Sequence[Node]) -> bool:
    """Put the labels into entries of history whose ids nobody knows; True where there was any.

    Asked for in the document itself they would be paid for with every entry, which has none as a rule.
    """
    entries = [entry for issue in issues for entry in listed(child(issue, "history").get("nodes"))]
    told = [(entry, verb, ids) for entry in entries for verb in VERBS if (ids := _label_ids(entry, f"{verb}LabelIds"))]
    young = await names_of_labels(client, site, "issues", (id for _, _, ids in told for id in ids))
    mended = False
    for entry, verb, ids in told:
        fresh = [young[id] for id in ids if id in young]
        if fresh:
            entry[f"{verb}Labels"] = fresh
            mended = True
    return mended


async def names_of_labels(client: Client, site: Site, field: str, ids: Iterable[str]) -> dict[str, Json]:
    """Return those labels of the nodes of a list that discovery does not know; each is asked for once a discovery.

    A label that is gone has no name any more and is left out.
    """
    learned = client.notes.get(f"labels of {field}")
    if not isinstance(learned, dict):
        learned = client.notes[f"labels of {field}"] = {}
    unknown = [id for id in dict.fromkeys(ids) if id not in site.labels]
    asked = [id for id in unknown if id not in learned]
    for at in range(0, len(asked), queries.IDS):
        chunk: list[Json] = list(asked[at : at + queries.IDS])
        found = await all_nodes(client, queries.LABELS_BY_ID[field], LABEL_LISTS[field], ids=chunk)
        named = {str(label.get("id")): label for label in found}
        learned.update((str(id), named.get(str(id))) for id in chunk)
    return {id: label for id in unknown if (label := learned.get(id)) is not None}


def _label_ids(node: Mapping[str, Any], field: str = "labelIds") -> list[str]:
    ids = node.get(field)
    return [str(id) for id in ids] if isinstance(ids, list) else []
