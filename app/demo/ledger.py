"""Deliveries that left a simulated tracker, and what became of each try.

Values only: who sends is `sender`, what is said to those who ask for the list is the tracker's own matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """A delivery ready to leave: the very bytes that are signed, and what it is known by.

    `hook` is the id of the registration it is for; `guid` is the vendor's id of the delivery, the same on every
    repeat; `item` names what it is about, for people.
    """

    tracker: str
    hook: str
    url: str
    guid: str
    event: str
    headers: dict[str, str]
    body: bytes
    action: str | None = None
    item: str = ""
    repository: int | None = None
    installation: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try: `status` is None where no answer came, `words` say why; `again` marks all but the first."""

    id: int
    at: datetime
    duration: float
    status: int | None
    words: str
    again: bool
    accepted: bool
    headers: dict[str, str] = field(default_factory=dict)
    answer: str = ""


@dataclass(slots=True, kw_only=True)
class Delivery:
    """A letter and its tries; `fate` is ``waiting``, ``dropped`` (never sent), ``given up``, or ``accepted``."""

    letter: Letter
    attempts: list[Attempt] = field(default_factory=list)
    fate: str = "waiting"
    forged: bool = False

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver took it over at least once."""
        return any(attempt.accepted for attempt in self.attempts)


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Every delivery in the order of what happened; `ask_again` sends one anew, None where nobody sends.

    `forged` ones are what somebody else made up: none of them may ever be acknowledged.
    """

    deliveries: list[Delivery] = field(default_factory=list)
    forged: list[Delivery] = field(default_factory=list)
    ask_again: Callable[[Delivery], None] | None = None
    _last: int = 20_000_000_000

    def next_id(self) -> int:
        """Return a new number of a try, growing by one."""
        self._last += 1
        return self._last

    def of(self, tracker: str, hook: str | None = None) -> Iterator[Delivery]:
        """Yield the deliveries of a tracker, or of one of its registrations."""
        for one in self.deliveries:
            if one.letter.tracker == tracker and hook in (None, one.letter.hook):
                yield one

    def acknowledged(self, tracker: str | None = None) -> list[Delivery]:
        """Return the deliveries that the receiver took over: what it may not lose."""
        return [one for one in self.deliveries if one.acknowledged and tracker in (None, one.letter.tracker)]

    def document(self) -> dict[str, Any]:
        """Return what can be told of it in JSON: counts by tracker, and every delivery without its body."""
        counts: dict[str, dict[str, int]] = {}
        for one in self.deliveries:
            of = counts.setdefault(one.letter.tracker, {"deliveries": 0, "attempts": 0, "acknowledged": 0})
            of["deliveries"] += 1
            of["attempts"] += len(one.attempts)
            of["acknowledged"] += one.acknowledged
            of[one.fate] = of.get(one.fate, 0) + 1
        forged = [attempt.status for one in self.forged for attempt in one.attempts]
        return {
            "counts": counts,
            "forged": {"attempts": len(forged), "acknowledged": sum(one.acknowledged for one in self.forged)},
            "deliveries": [_told(one) for one in self.deliveries],
        }


def _told(one: Delivery) -> dict[str, Any]:
    letter = one.letter
    return {
        "tracker": letter.tracker, "hook": letter.hook, "guid": letter.guid, "event": letter.event,
        "action": letter.action, "item": letter.item, "fate": one.fate, "acknowledged": one.acknowledged,
        "attempts": [
            {"at": attempt.at.isoformat(), "status": attempt.status, "words": attempt.words, "again": attempt.again}
            for attempt in one.attempts
        ],
    }  # fmt: skip
