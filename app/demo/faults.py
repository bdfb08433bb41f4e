"""What can be made to go wrong on a simulated tracker, as plain switches.

Only values and the choice of the next fault live here; how a fault looks on the wire is the application's matter.

All of it can be set at run time, at each site by itself (`site` is that of Jira, GitHub or Linear):

===========================  ==========================================================================================
late index, slow, down       `site.faults`: the switches of `Weather`
clock ahead or behind        `site.faults.clock_skew`
the next answers             `site.faults.add(kind, path=…, times=…, after=…)`; the kinds of all: ``reset``, ``slow``
                             (the body takes `retry_after` seconds), ``cut``, ``malformed``, ``login_page``,
                             ``unavailable``; of Jira those of `Fault`, of the others see their modules
limits                       the kinds ``rate_limit`` (Jira, Linear), ``too_many`` (Linear), ``rate_limited``,
                             ``rest_limited``, ``secondary``… (GitHub); what is left: `access.limits`, `Face.limits`
answers of one vendor        Jira: `Faults` below; GitHub: `github_faults`; Linear: `linear_faults`
permission lost, given back  Jira `project.hidden`, `issue.secured`; GitHub `repository.hidden`, `.forbidden`,
                             `project.hidden`, `faults.sso_required`; Linear `team.hidden` (then `site.touch()`)
no right to write            Jira `site.permissions`; GitHub `site.access`; Linear `site.oauth.scopes`
deleted, moved, archived     `site.delete`, `.move`, `.transfer`, `.convert`, `.archive`, `.trash`, `.restore`, `.purge`
tokens                       Jira `site.token`, `faults.stale_credentials`; GitHub `site.access.revoke`, `.expire`;
                             Linear `site.key`, `site.oauth.revoke`
webhooks on their way        `sender.Sending`
everything at random         `storm.storm`
===========================  ==========================================================================================
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import timedelta

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
    ``malformed`` (not JSON), ``reset`` (the connection), ``slow`` (the body takes `retry_after` seconds), ``refused``
    (401 with the reason that Jira gives on a locked account). `retry_after` is in seconds.
    """

    kind: str
    path: str = ""
    times: int = 1
    after: int = 0
    reason: str | None = "jira-burst-based"
    retry_after: int = 1


@dataclass(slots=True, kw_only=True)
class Weather:
    """What may go wrong at any site, set and taken back while it runs; all off by default.

    down        how the whole site is away: ``reset`` (connections), ``hang`` (no answer), ``unavailable`` (503, HTML),
                ``html`` (200, a page for people); empty where it is not
    latency     seconds that every answer takes
    trickle     seconds that every body takes, piece by piece
    clock_skew  seconds by which the site's clock is ahead
    index_lag   seconds of the site's clock until searches and lists show a change; what is read by id shows it at once
    """

    down: str = ""
    latency: float = 0.0
    trickle: float = 0.0
    clock_skew: float = 0.0
    index_lag: float = 0.0

    @property
    def skew(self) -> timedelta:
        """By how much the site's clock is ahead."""
        return timedelta(seconds=self.clock_skew)

    @property
    def lag(self) -> timedelta:
        """How late searches and lists are."""
        return timedelta(seconds=self.index_lag)


@dataclass(slots=True, kw_only=True)
class Faults(Weather):
    """The further switches of a Jira; all off by default.

    refuse_epoch_ms    JQL with an unquoted number of milliseconds is answered with 400
    repeat_page_token  a page answers with the token that asked for it
    empty_pages        every other page is empty and carries a token
    stale_credentials  known credentials count as anonymous: 200 and nothing in it
    refuse_quiet_edit  `notifyUsers=false` needs admin rights: 403 and nothing written
    changelog_epoch    bulk changelogs tell `created` as a number of milliseconds
    result_window      Data Center answers 500 to pages that end beyond this many issues
    """

    refuse_epoch_ms: bool = False
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
