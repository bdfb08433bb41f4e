"""What a tracker said a moment ago, so that many questions in a row ask it once.

Only for a while: a client lives as long as the service, and what went private since must not be called deleted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar, cast

from connectors.http import Client

T = TypeVar("T")

LASTS = timedelta(seconds=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """An answer and when it was asked for."""

    what: object
    asked_at: datetime


async def recall(client: Client, note: str, ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` answered a moment ago, else ask; `note` names the question among a client's notes."""
    known = client.notes.get(note)
    if isinstance(known, Said) and client.now - known.asked_at < LASTS:
        return cast(T, known.what)
    asked_at = client.now
    what = await ask()
    client.notes[note] = Said(what=what, asked_at=asked_at)
    return what
