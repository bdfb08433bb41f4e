"""What an answer of Linear says beside its data: how much of the limits is left, and which error it is.

Pure. Linear refuses with 400 what others refuse with 429, and tells of most errors with 200.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from connectors.base import Answer, Call, Json
from connectors.graphql import errors_in
from connectors.ratelimit import QUIET, Signal, instant, number, retry_after
from domain.errors import AuthError, KeyrailError, NotFoundError, RejectedError, VendorUnavailableError

WINDOWS = ("requests", "complexity", "endpoint-requests")
HOUR = 3600.0
"""seconds in which a bucket fills up again"""

_UNAVAILABLE = frozenset({"internal error", "network error", "bootstrap error", "lock timeout", "other"})
_FORBIDDEN = frozenset({"forbidden", "feature not accessible", "usage limit exceeded"})
_UNSEEN = "entity not found"


def read_limits(answer: Answer, now: datetime) -> Signal:
    """Read Linear's headers: three leaky buckets, whose resets are epoch milliseconds.

    Of the buckets for requests and complexity the emptier one counts. A refusal lasts until the later reset of the
    empty ones; one that is over by our clock says nothing, so the wait is ours. Source: https://linear.app/developers/rate-limiting.
    """
    headers = answer.headers
    limited = answer.status == 429 or (answer.status in (200, 400) and any(map(_is_limit, errors_in(answer))))
    if limited:
        empty = [name for name in WINDOWS if number(headers.get(f"x-ratelimit-{name}-remaining")) == 0]
        resets = [instant(headers.get(f"x-ratelimit-{name}-reset")) for name in empty]
        asked = [moment for moment in (*resets, retry_after(headers, now)) if moment is not None and moment > now]
        words = f"the hourly limit of {' and '.join(empty)} is used up" if empty else ""
        return Signal(limited=True, until=max(asked, default=None), reason=words.replace("-", " "))
    cost = number(headers.get("x-complexity"))
    found = [_bucket(headers, "requests", 1.0), _bucket(headers, "complexity", cost) if cost else None]
    return min((signal for signal in found if signal is not None), key=_share, default=QUIET)


def _bucket(headers: Mapping[str, str], name: str, cost: float) -> Signal | None:
    limit, remaining = (number(headers.get(f"x-ratelimit-{name}-{part}")) for part in ("limit", "remaining"))
    if not limit or remaining is None:
        return None
    return Signal(limit=limit, remaining=remaining, refill=limit / HOUR, cost=cost)


def _share(signal: Signal) -> float:
    return (signal.remaining or 0.0) / (signal.limit or 1.0)


def failed(name: str, call: Call, answer: Answer) -> KeyrailError | None:
    """Return the error that an answer stands for, None for data.

    An answer with data and errors passes where each error is about something that we may not see: there null is
    the truth. Where Linear itself failed in part, it does not: a null would stand for what is not known.
    """
    errors = errors_in(answer)
    if not errors:
        return None
    data = _data(answer)
    if any(value is not None for value in data.values()) and all(map(is_unseen, errors)):
        return None
    return error_of(name, errors, repeat=answer.status != 400)


def error_of(name: str, errors: list[dict[str, Any]], *, repeat: bool = True) -> KeyrailError:
    """Return what to raise for errors: who we are comes first, then Linear's own failure, then what was asked.

    A repeat may mend a failure of Linear's own, but for what it answers with 400 (`repeat` False).
    """
    words = "; ".join(dict.fromkeys(_words(error) for error in errors[:3]))
    said = f'Linear says: "{words[:300]}"'
    if any(map(_is_login, errors)):
        return AuthError(f"{name}: Linear refused our credentials. {said}")
    if repeat and any(kind_of(error) in _UNAVAILABLE for error in errors):
        return VendorUnavailableError(f"{name}: Linear could not answer in full. {said}")
    if all(_words(error).lower().startswith(_UNSEEN) for error in errors):
        return NotFoundError(f"{name}: not found, or not visible to our account. {said}")
    status = 403 if any(kind_of(error) in _FORBIDDEN for error in errors) else 400
    lacks = "our account lacks the permission" if status == 403 else "the request was refused"
    return RejectedError(f"{name}: {lacks}. {said}", status=status)


def is_unseen(error: Mapping[str, Any]) -> bool:
    """Whether an error says that something is gone, or not for us to see."""
    return kind_of(error) in _FORBIDDEN or _words(error).lower().startswith(_UNSEEN)


def kind_of(error: Mapping[str, Any]) -> str:
    """Return the kind of an error as Linear classifies it, in lower case, empty where it does not."""
    told = _extensions(error).get("type")
    return told.lower() if isinstance(told, str) else ""


def _extensions(error: Mapping[str, Any]) -> Mapping[str, Any]:
    told = error.get("extensions")
    return told if isinstance(told, dict) else {}


def _words(error: Mapping[str, Any]) -> str:
    told = _extensions(error).get("userPresentableMessage")
    message = error.get("message")
    return str(message if isinstance(message, str) and message else told or "no reason")


def _is_limit(error: Mapping[str, Any]) -> bool:
    return _extensions(error).get("code") == "RATELIMITED" or kind_of(error) == "ratelimited"


def _is_login(error: Mapping[str, Any]) -> bool:
    return _extensions(error).get("code") == "AUTHENTICATION_ERROR" or kind_of(error) == "authentication error"


def _data(answer: Answer) -> Mapping[str, Json]:
    told = orjson.loads(answer.body)
    data = told.get("data") if isinstance(told, dict) else None
    return data if isinstance(data, dict) else {}
