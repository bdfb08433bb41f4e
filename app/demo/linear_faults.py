"""What can be made to go wrong on a simulated Linear, as plain switches.

Only values live here; how a fault looks on the wire is the application's matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from app.demo.faults import Fault, Weather
from app.demo.faults import Faults as Queue


@dataclass(slots=True, kw_only=True)
class Faults(Weather):
    """The switches of a workspace besides those of `Weather`; all off by default.

    hide_initiatives   the account lacks ``initiative:read``: there seem to be none
    page_size          pages hold at most this many rows, however many were asked for; 0 means no such limit

    Faults for the next requests are queued with `add`, whose `path` is sought in the address, the name of the
    operation and the names of its root fields. Their kinds: ``rate_limit`` (400 RATELIMITED; `reason` ``requests``,
    ``complexity`` or ``endpoint``), ``too_many`` (a real 429), ``refused`` (401 AUTHENTICATION_ERROR), ``unavailable``
    (502), ``overloaded`` (503 with Retry-After), ``login_page`` (200, HTML), ``reset`` (the connection), ``slow`` (the
    body takes `retry_after` seconds), ``cut`` (it ends early), ``malformed`` (not JSON), ``internal`` (200, `data`
    null), ``partial`` (200, one field of one row is null and an error says so), ``null_cursor`` (a next page without a
    cursor), ``same_cursor`` (the cursor that was given comes back), ``expired_cursor`` (the cursor that was given is
    refused).
    """

    hide_initiatives: bool = False
    page_size: int = 0
    queued: Queue = field(default_factory=Queue)

    def add(self, kind: str, **details: object) -> Fault:
        """Queue a fault for coming requests and return it; `details` are the fields of `Fault`."""
        return self.queued.add(kind, **{"reason": "requests", **details})

    def take(self, path: str) -> Fault | None:
        """Return the fault that this request meets, using it up, or None."""
        return self.queued.take(path)

    @property
    def queue(self) -> deque[Fault]:
        """The faults that are still to come."""
        return self.queued.queue
