"""Jira's changelogs -> transitions of the fields that Keyrail follows, and whose past is thereby complete.

Pure; entries may come newest first (embedded) or oldest first (of their own), what leaves is oldest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from connectors.base import Parsed
from connectors.jira.plan import Plan
from connectors.jira.shapes import identity, instant, issues_of, reference, text_of
from domain.errors import PayloadError
from domain.work import Transition


def read_history(page: Any, plan: Plan) -> Parsed:
    transitions: list[Transition] = []
    complete: dict[str, None] = {}
    for id, histories, whole in _changelogs(page):
        transitions.extend(_transitions(id, histories, plan))
        if whole:
            complete[id] = None
    return Parsed(transitions=tuple(transitions), history_of=tuple(complete))


def _changelogs(page: Any) -> Iterator[tuple[str, list[Any], bool]]:
    """Yield (issue id, histories, whether that is all of them), one issue once."""
    if isinstance(page, dict) and isinstance(page.get("issueChangeLogs"), list):
        merged: dict[str, list[Any]] = {}
        for entry in page["issueChangeLogs"]:
            id, _ = reference({"id": entry.get("issueId")}) if isinstance(entry, dict) else (None, None)
            if id is None:
                raise PayloadError("An entry of 'issueChangeLogs' has no 'issueId'.")
            merged.setdefault(id, []).extend(_list(entry.get("changeHistories"), id))
        for id, histories in merged.items():
            yield id, histories, not page.get("nextPageToken")
        return
    if isinstance(page, dict) and "values" in page:
        id, _ = reference({"id": page.get("issueId")})
        if id is None:
            raise PayloadError("A changelog page has no 'issueId': Jira leaves it out, the reader must add it.")
        histories = _list(page["values"], id)
        yield id, histories, not page.get("startAt") and page.get("isLast") is not False and _all(page, histories)
        return
    for issue in issues_of(page):
        id, key = identity(issue)
        changelog = issue.get("changelog")
        if not isinstance(changelog, dict):
            raise PayloadError(f"Issue {key} has no 'changelog'; ask for it with expand=changelog.")
        histories = _list(changelog.get("histories"), id)
        yield id, histories, _all(changelog, histories)


def _list(value: Any, id: str) -> list[Any]:
    if isinstance(value, list):
        return value
    raise PayloadError(f"The changelog of issue {id} is {type(value).__name__} instead of a list.")


def _all(page: dict[str, Any], histories: list[Any]) -> bool:
    """Tell whether a page holds all entries; embedded changelogs stop at 40 on Cloud."""
    total = page.get("total")
    return not isinstance(total, int) or total <= len(histories)


def _transitions(id: str, histories: list[Any], plan: Plan) -> list[Transition]:
    """Return the transitions of one issue, oldest first."""
    entries: list[tuple[datetime, int, str, Any]] = []
    for history in histories:
        if not isinstance(history, dict):
            raise PayloadError(f"The changelog of issue {id} holds {type(history).__name__} instead of an object.")
        entry, _ = reference({"id": history.get("id")})
        at = instant(history.get("created"))
        if entry is None or at is None:
            raise PayloadError(f"A changelog entry of issue {id} has no 'id' or no 'created' with an offset.")
        items = history.get("items")
        entries.append((at, int(entry) if entry.isdecimal() and len(entry) < 20 else 0, entry, items))
    entries.sort(key=lambda e: e[:3])
    return [
        Transition(
            connection=plan.connection,
            item_id=id,
            id=f"{entry}.{position}",
            at=at,
            field=field,
            before=text_of(item.get("fromString")) or None,
            after=text_of(item.get("toString")) or None,
            before_id=text_of(item.get("from")) or None,
            after_id=text_of(item.get("to")) or None,
        )
        for at, _, entry, items in entries
        if isinstance(items, list)
        for position, item in enumerate(items)
        if isinstance(item, dict) and (field := _followed(item, plan.history))
    ]


def _followed(item: Mapping[str, Any], table: Mapping[str, str]) -> str | None:
    """Return the field of a transition that a changelog item is about, None where we do not follow it.

    `fieldId` decides, else `field` without case: Data Center sends no `fieldId`, old Cloud bodies a name in it.
    A custom field under another id is no estimate, whatever its name: a site may have two fields for points.
    """
    field_id = item.get("fieldId")
    known = table.get(field_id.lower()) if isinstance(field_id, str) else None
    if known is not None:
        return known
    name = item.get("field")
    field = table.get(name.lower()) if isinstance(name, str) else None
    return None if field == "estimate" and field_id else field
