"""Shapes that Jira's bodies share: JSON, times, references to issues, pages of issues.

Pure; what a shape means for a work item or its past is said elsewhere.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from connectors.shapes import instant as stated_instant
from connectors.shapes import is_number
from domain.errors import PayloadError

_KEY = re.compile(r"[^\s-]+-[0-9]+")


def instant(value: object) -> datetime | None:
    """Return a time of Jira's as aware UTC, None where it is none.

    ``2019-02-15T19:15:40.477-0800`` and ``…Z`` are read, and epoch numbers in seconds or milliseconds
    (the changelog endpoints' documentation shows both). A time without an offset is none.
    """
    if not is_number(value):
        return stated_instant(value)
    try:
        return datetime.fromtimestamp(value / 1000 if abs(value) >= 1e11 else value, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def issues_of(page: Any) -> list[Any]:
    """Return the issues of a page, of a bare list, or the one issue that the body is; raise PayloadError else."""
    if isinstance(page, list):
        return page
    if isinstance(page, dict):
        issues = page.get("issues")
        if isinstance(issues, list):
            return issues
        if issues is None and "fields" in page:
            return [page]
    raise PayloadError("Not a Jira page: expected 'issues', one issue with 'fields', or a list of issues.")


def identity(issue: Any) -> tuple[str, str]:
    """Return id and key of an issue; the id is what it is known by, keys change when it moves."""
    if not isinstance(issue, dict):
        raise PayloadError(f"An issue is {type(issue).__name__} instead of an object.")
    id, key = issue.get("id"), issue.get("key")
    if isinstance(id, int) and not isinstance(id, bool):
        id = str(id)
    if not isinstance(id, str) or not id:
        raise PayloadError(f"Issue {key if isinstance(key, str) else '(no key)'} has no 'id'.")
    if not isinstance(key, str) or not key:
        raise PayloadError(f"Issue with id {id} has no 'key'.")
    return id, key


def text_of(value: object) -> str | None:
    """Return `value` where it is a text."""
    return value if isinstance(value, str) else None


def reference(value: Any) -> tuple[str | None, str | None]:
    """Return id and key of what names an issue: a key, an id, or an object, which Parent Link keeps under `data`."""
    if isinstance(value, dict):
        if isinstance(value.get("data"), dict):
            value = value["data"]
        id, key = value.get("id"), value.get("key")
        if isinstance(id, int) and not isinstance(id, bool):
            id = str(id)
        return text_of(id) or None, text_of(key) or None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value), None
    if isinstance(value, str):
        if value.isdecimal():
            return value, None
        return None, value if _KEY.fullmatch(value) else None
    return None, None
