"""What the benchmark's server and the trackers that it stands in for agree on: a call in, rendered bytes out.

No tracker and no socket in here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol


class UnknownQuery(ValueError):
    """The benchmark cannot answer this; the text says what it did not understand. It ends the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer: `name` is what it counts under, `cost` what the vendor would charge for it in its own unit."""

    name: str
    body: bytes
    status: int = 200
    cost: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


class Tracker(Protocol):
    """A tracker whose answers cost next to nothing."""

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a call; raise UnknownQuery for one that the tracker would answer and the benchmark cannot."""

    def touch(self, count: int, now: datetime) -> None:
        """Change `count` items spread over all, one millisecond after the other."""
