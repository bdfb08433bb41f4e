"""Shapes that the bodies of all trackers share: JSON, times with an offset, numbers.

Pure; what a vendor writes in its own way is read in its own folder.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, TypeGuard

import orjson

from domain.errors import PayloadError


def load(body: object) -> Any:
    """Return the JSON value of a body, or `body` where it is one already; raise PayloadError where it is none."""
    if not isinstance(body, bytes):
        return body
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"The body is not JSON: {error}.") from error


def instant(value: object) -> datetime | None:
    """Return a time such as ``2026-11-20T16:15:30.250Z`` as aware UTC, None where it is none or has no offset."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
        return at.astimezone(UTC) if at.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def is_number(value: object) -> TypeGuard[int | float]:
    """Tell whether `value` is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)
