"""What can be made to go wrong on a simulated GitHub, as plain switches.

Only values and the choice of the next fault live here; how a fault looks on the wire is the application's matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from app.demo.faults import Fault, Weather
from app.demo.faults import Faults as Queue


@dataclass(slots=True, kw_only=True)
class Faults(Weather):
    """The switches of a site besides those of `Weather`; all off by default.

    page_size           lists hold at most this many nodes, however many were asked for; 0 means no such limit
    timeout_nodes       a document that may give more nodes than this takes more than ten seconds: 502
    resource_nodes      the nodes of issues beyond this many are null: 200, RESOURCE_LIMITS_EXCEEDED
    large_repositories  REST refuses `page` with 422, and its `Link` leads on by cursor
    page_limit          REST refuses `page` beyond this one with 422; 0 means no such limit
    sso_required        organizations (logins) whose single sign-on our token was not authorized for: 403
    sso_partial         the same, but what else was asked for is answered, with `x-github-sso: partial-results`
    not_followed        REST forgets where transferred issues went: 404 in place of 301

    Faults for the next requests are queued with `add`; `path` is sought in the address and in the name of the
    operation. Their kinds: ``rate_limited`` (GraphQL on 200, `reason` is the type: RATE_LIMITED or RATE_LIMIT),
    ``rest_limited`` (403, or 429 with `reason` "429"), both with nothing remaining until `retry_after`;
    ``secondary`` (403 with retry-after), ``secondary_silent`` (403 without), ``secondary_429``, ``secondary_ok``
    (GraphQL on 200), ``timeout`` (502, JSON), ``gateway_timeout`` (504), ``unavailable`` (502, HTML), ``refused``
    (401), ``forbidden`` (403, `reason` is the message), ``login_page`` (200, HTML), ``reset`` (the connection),
    ``slow`` (the body takes `retry_after` seconds), ``cut`` (the body ends early), ``malformed`` (not JSON),
    ``internal`` (200, `data` null), ``partial`` (200, one issue of the list is null and an error says so),
    ``expired_cursor`` (the cursor that was given is refused), ``null_cursor`` (a next page without a cursor),
    ``same_cursor`` (the cursor that was given comes back), ``token_expired`` (installation tokens that were issued so
    far are worth nothing).
    """

    page_size: int = 0
    timeout_nodes: int | None = None
    resource_nodes: int | None = None
    large_repositories: bool = False
    page_limit: int = 0
    sso_required: set[str] = field(default_factory=set)
    sso_partial: set[str] = field(default_factory=set)
    not_followed: bool = False
    queued: Queue = field(default_factory=Queue)

    def add(self, kind: str, **details: object) -> Fault:
        """Queue a fault for coming requests and return it; `details` are the fields of `Fault`."""
        return self.queued.add(kind, **{"reason": None, **details})

    def take(self, path: str) -> Fault | None:
        """Return the fault that this request meets, using it up, or None."""
        return self.queued.take(path)

    @property
    def queue(self) -> deque[Fault]:
        """The faults that are still to come."""
        return self.queued.queue
