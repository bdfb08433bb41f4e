"""What can be made to go wrong on a simulated tracker, as plain switches.

Only values and the choice of the next fault live here; how a fault looks on the wire is the application's matter.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

RATE_LIMIT_REASONS = (
    "jira-quota-global-based",
    "jira-quota-tenant-based",
    "jira-burst-based",
    "jira-per-issue-on-write",
)


@dataclass(slots=True, kw_only=True)
class Fault:
    """One fault for the next `times` requests whose path contains `path`, after letting `after` of them through.

    `kind`: ``rate_limit`` (429 with `reason`; None means the gateway's 429 without headers), ``unavailable``
    (502), ``overloaded`` (503 with Retry-After), ``login_page`` (200, HTML), ``cut`` (body ends early),
    ``malformed`` (not JSON), ``refused`` (401 with the reason that Jira gives on a locked account).
    `retry_after` is in seconds.
    """

    kind: str
    path: str = ""
    times: int = 1
    after: int = 0
    reason: str | None = "jira-burst-based"
    retry_after: int = 1


@dataclass(slots=True, kw_only=True)
class Faults:
    """The switches of a site; all off by default.

    refuse_epoch_ms    JQL with an unquoted number of milliseconds is answered with 400
    index_lag          seconds of the site's clock until a search shows a change; direct reads show it at once
    latency            seconds that every answer takes
    repeat_page_token  a page answers with the token that asked for it
    empty_pages        every other page is empty and carries a token
    stale_credentials  known credentials count as anonymous: 200 and nothing in it
    refuse_quiet_edit  `notifyUsers=false` needs admin rights: 403 and nothing written
    changelog_epoch    bulk changelogs tell `created` as a number of milliseconds
    result_window      Data Center answers 500 to pages that end beyond this many issues
    """

    refuse_epoch_ms: bool = False
    index_lag: float = 0.0
    latency: float = 0.0
    repeat_page_token: bool = False
    empty_pages: bool = False
    stale_credentials: bool = False
    refuse_quiet_edit: bool = True
    changelog_epoch: bool = False
    result_window: int = 10_000
    queue: deque[Fault] = field(default_factory=deque)

    def add(self, kind: str, **details: object) -> Fault:
        """Queue a fault for coming requests and return it; `details` are the fields of `Fault`."""
        fault = Fault(kind=kind, **details)  # type: ignore[arg-type]  # names are checked by the dataclass itself
        self.queue.append(fault)
        return fault

    def take(self, path: str) -> Fault | None:
        """Return the fault that this request meets, using it up, or None."""
        for fault in self.queue:
            if fault.path not in path:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            fault.times -= 1
            if fault.times <= 0:
                self.queue.remove(fault)
            return fault
        return None
