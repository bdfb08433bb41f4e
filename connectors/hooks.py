"""Webhooks on the tracker's side: what shall stand where, what stands there, and the calls that mend the difference.

Values and pure functions only: who may be asked, in which order, and what is ours is told by `sync.hooks`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from connectors.base import Answer, Call, Json, Reading
from domain.workspace import Connection

if TYPE_CHECKING:
    from connectors.http import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where deliveries shall go: the address, what they are signed with, and what the webhook is called over there.

    `source` names the variable or file that holds the secret; it may be shown, the secret never.
    """

    url: str
    secret: str = field(default="", repr=False)
    source: str = ""
    name: str = "Keyrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Somewhere that a webhook of ours shall stand.

    `path` is where its calls go, `scope` what it covers there (a team), `filter` what narrows it (JQL): the
    connector's own words. `fixed` names what no call can change: ``events``, ``enabled``. `alone`: there is one
    webhook at most, which may be somebody else's. `signs`: we choose what it signs with.
    """

    name: str
    path: str
    events: tuple[str, ...]
    scope: str = ""
    filter: str = ""
    fixed: frozenset[str] = frozenset()
    alone: bool = False
    signs: bool = True

    def events_with(self, hook: Hook | None) -> list[Json]:
        """Return the events to ask for: those of the place, and those that somebody added."""
        return list(dict.fromkeys((*self.events, *(hook.events if hook is not None else ()))))


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """A webhook as it stands at the tracker.

    `secret` is what it signs with where the tracker tells: empty for nothing, None where it does not say. `flaw` says
    in words what else is not as we need it, `last_failure` how the last delivery failed, where it did and is told.
    """

    id: str
    url: str
    events: tuple[str, ...]
    enabled: bool = True
    filter: str = ""
    secret: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    flaw: str = ""
    last_failure: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A delivery that no attempt brought, by what the receiver knows it by, and the call that sends it again."""

    id: str
    again: Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What can be done about webhooks on a tracker's side. All pure.

    places       where webhooks of ours shall stand; raises ConfigError where they could not be verified
    standing     the answers so far -> the call to ask next, or all webhooks that stand at a place
    write        the call that makes a webhook (None) what it shall be, or a new one; None: only a new one can be made
    written      the answer to a call that made a webhook -> its id; raises RejectedError for a refusal in it
    delete       the call that takes a webhook away; None where only a person can
    by_hand      what a person clicks to set a place up, step by step
    extend       the call that lets webhooks live longer; None where they live for ever
    undelivered  the answers so far -> the call to ask next, or the deliveries since then that no attempt brought
    proved       puts on a call what it must carry beside the connection's credentials
    """

    places: Callable[[Connection, Reading, Receiver], tuple[Place, ...]]
    standing: Callable[[Place, Sequence[Answer]], Call | list[Hook]]
    write: Callable[[Place, Hook | None, Receiver], Call | None]
    written: Callable[[Place, Json], str]
    delete: Callable[[Place, Hook], Call | None]
    by_hand: Callable[[Connection, Place, Receiver], tuple[str, ...]]
    extend: Callable[[Place, Sequence[Hook]], Call | None] = lambda place, hooks: None
    undelivered: Callable[[Place, Hook, Sequence[Answer], datetime], Call | list[Failed]] | None = None
    proved: Callable[[Client, Call], Call] = lambda client, call: call
