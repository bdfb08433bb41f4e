"""Shapes that Linear's bodies share: JSON, times, days, connections of nodes, and which kind of thing a node is.

Pure; what a shape means for a work item or its past is said elsewhere.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from connectors.graphql import errors_of
from connectors.shapes import is_number
from domain.errors import PayloadError

ISSUE, PROJECT, INITIATIVE = "Issue", "Project", "Initiative"

FIELDS: Mapping[str, str] = {
    "issue": ISSUE,
    "issues": ISSUE,
    "project": PROJECT,
    "projects": PROJECT,
    "initiative": INITIATIVE,
    "initiatives": INITIATIVE,
}
"""Field of an answer -> the kind of its nodes."""

KINDS = frozenset(FIELDS.values())

_ISSUES_OWN = frozenset({"state", "stateId", "team", "teamId"})
"""Fields of which an issue has at least one; it has a `title` where other things have a `name`."""

_GITHUB_ISSUE = re.compile(r"https?://[^/]+/[^/]+/[^/]+/issues/[0-9]+", re.IGNORECASE)
"""Address of an issue on github.com or an Enterprise Server."""

MONTHS: Mapping[str, int] = {"month": 1, "quarter": 3, "halfYear": 6, "year": 12}
"""Months of a span, by the resolution of a date."""


def day(value: object, resolution: object = None, *, end: bool = False) -> date | None:
    """Return the day of a TimelessDate; of a month, quarter, half year or year its first day, or its last (`end`)."""
    if not isinstance(value, str):
        return None
    try:
        stated = date.fromisoformat(value[:10])
    except ValueError:
        return None
    months = MONTHS.get(resolution) if isinstance(resolution, str) else None
    if months is None:
        return stated
    first = (stated.month - 1) // months * months + 1
    if not end:
        return date(stated.year, first, 1)
    last = first + months - 1
    return date(stated.year, last, calendar.monthrange(stated.year, last)[1])


def text_of(value: object) -> str | None:
    """Return `value` where it is a text that says something."""
    return value if isinstance(value, str) and value else None


def child(node: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the object that a field holds, empty where it holds none."""
    value = node.get(name)
    return value if isinstance(value, dict) else {}


def reference(node: Mapping[str, Any], name: str) -> str | None:
    """Return the id of what a field refers to: ``team {id}``, or ``teamId`` as webhooks have it."""
    return text_of(child(node, name).get("id")) or text_of(node.get(f"{name}Id"))


def listed(value: object) -> list[dict[str, Any]]:
    """Return the objects of a connection, or of the bare list that webhooks have in its place."""
    if isinstance(value, dict):
        value = value.get("nodes")
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def nodes_of(page: Any) -> list[tuple[str, Any]]:
    """Return (kind, node) of the issues, projects and initiatives of a body; those of other kinds are left out.

    Read are an answer with its `data`, a connection with `nodes`, a list of nodes, and one node. Raises
    PayloadError for an answer that holds errors alone, and for what is none of these.
    """
    if isinstance(page, list):
        return list(_of_list(page, None))
    if isinstance(page, dict):
        if "data" in page or "errors" in page:
            return list(_of_answer(page))
        if isinstance(page.get("nodes"), list):
            return list(_of_list(page["nodes"], None))
        kind = kind_of_node(page)
        if kind is not None:
            return [(kind, page)]
        if not FIELDS.keys().isdisjoint(page):
            return list(_of_fields(page))
    raise PayloadError(
        "Not a Linear page: expected 'data' with issues, projects or initiatives, 'nodes', or one node with its fields."
    )


def _of_answer(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    data = answer.get("data")
    if isinstance(data, dict):
        yield from _of_fields(data)
        return
    said = "; ".join(str(error.get("message")) for error in errors_of(answer)[:3])
    raise PayloadError(f"The answer holds no data. Linear says: {said or 'nothing'}.")


def _of_fields(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        known = FIELDS.get(name)
        if isinstance(value, dict) and isinstance(value.get("nodes"), list):
            yield from _of_list(value["nodes"], known)
        elif isinstance(value, dict) and (kind := kind_of_node(value, known)):
            yield kind, value


def _of_list(nodes: list[Any], known: str | None) -> Iterator[tuple[str, Any]]:
    for node in nodes:
        kind = kind_of_node(node, known) if isinstance(node, dict) else known or ISSUE
        if kind is not None:
            yield kind, node


def kind_of_node(node: Mapping[str, Any], known: str | None = None) -> str | None:
    """Return what a node is; None for other kinds.

    `__typename` tells it, else the field of the answer that holds it (`known`), else the fields that only its kind has.
    """
    told = node.get("__typename")
    if isinstance(told, str):
        return told if told in KINDS else None
    if known is not None:
        return known
    if "name" not in node:
        titled = "title" in node and not _ISSUES_OWN.isdisjoint(node)
        return ISSUE if titled or "identifier" in node or "history" in node else None
    if isinstance(node.get("status"), str) or "parentInitiative" in node or "owner" in node:
        return INITIATIVE
    return PROJECT if "slugId" in node or "statusId" in node or isinstance(node.get("status"), dict) else None


def identity(kind: str, node: Any) -> str:
    """Return the id of a node, which never changes; raise PayloadError where it has none."""
    if not isinstance(node, dict):
        raise PayloadError(f"A node is {type(node).__name__} instead of an object.")
    id = text_of(node.get("id"))
    if id is None:
        name = text_of(node.get("identifier")) or text_of(node.get("name")) or text_of(node.get("title"))
        raise PayloadError(f"{kind} {name or '(no name)'} has no 'id'; ask for it.")
    return id


def identifier_of(issue: Mapping[str, Any], team_key: str | None) -> str | None:
    """Return the identifier of an issue, put together from team and number where it is left out (webhooks of 2021)."""
    told = text_of(issue.get("identifier"))
    if told is not None:
        return told
    number = issue.get("number")
    return f"{team_key}-{int(number)}" if team_key and is_number(number) else None


def key_of(node: Mapping[str, Any], kind: str = "") -> str | None:
    """Return the key that a node states: its identifier, else the slug of its address; of an initiative the slug."""
    identifier = text_of(node.get("identifier")) if kind != INITIATIVE else None
    return identifier or text_of(node.get("slugId"))


def name_of(node: Mapping[str, Any], field: str) -> str | None:
    """Return the name of what a field refers to, None where it is not told."""
    return text_of(child(node, field).get("name"))


def cycle_of(node: Mapping[str, Any], field: str = "cycle") -> str | None:
    """Return the name of a cycle as Linear shows it: its own, else ``Cycle 7``."""
    number = child(node, field).get("number")
    return name_of(node, field) or (f"Cycle {int(number)}" if is_number(number) else None)


def people_of(node: Mapping[str, Any], field: str) -> tuple[str, ...]:
    """Return who a field names: the e-mail address, else the name that is shown, none where nobody is."""
    person = child(node, field)
    found = text_of(person.get("email")) or text_of(person.get("displayName")) or text_of(person.get("name"))
    return (found,) if found else ()


def blockers_of(issue: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the ids of the issues that block this one, done ones too: whether they still do is told by themselves.

    The blocker is `issue` of an inverse relation of type ``blocks``, not `relatedIssue`.
    """
    ids = [
        id
        for relation in listed(issue.get("inverseRelations"))
        if relation.get("type") == "blocks" and (id := reference(relation, "issue"))
    ]
    return tuple(dict.fromkeys(ids))


def mirrors_of(issue: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of the same work in Jira or GitHub: what Linear keeps in sync, and GitHub issues attached.

    Linear names a Jira issue by its key alone, so it is known only where an attachment gives the address to the key.
    A GitHub issue is taken to be on github.com where no attachment says otherwise.
    """
    if not issue.get("syncedWith") and not issue.get("attachments"):
        return ()
    attached = [_bare(url) for entry in listed(issue.get("attachments")) if (url := text_of(entry.get("url")))]
    found: list[str] = []
    for entity in listed(issue.get("syncedWith")):
        tail, host = _synced(entity)
        known = next((url for url in attached if tail and url.lower().endswith(tail.lower())), None)
        if known or (tail and host):
            found.append(known or f"{host}{tail}")
    found += [url for url in attached if _GITHUB_ISSUE.fullmatch(url)]
    return tuple({url.lower(): url for url in reversed(found)}.values())[::-1]


def _synced(entity: Mapping[str, Any]) -> tuple[str, str]:
    """Return the path of an entity elsewhere, and its host where that is known; empty for what is no issue."""
    told = child(entity, "metadata")
    key = text_of(told.get("issueKey"))
    if key is not None:
        return f"/browse/{key}", ""
    owner, repo, number = text_of(told.get("owner")), text_of(told.get("repo")), told.get("number")
    if owner and repo and is_number(number):
        return f"/{owner}/{repo}/issues/{int(number)}", "https://github.com"
    return "", ""


def _bare(url: str) -> str:
    """Return an address without query, fragment and the slash at its end."""
    return url.partition("#")[0].partition("?")[0].rstrip("/")
