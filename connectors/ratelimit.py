"""Pure arithmetic on rate limits: what an answer's headers ask for, and when the next call may leave.

No clock and no waiting in here: the time is an argument, and `connectors.http` does the sleeping.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from connectors.base import Answer

ALL, ENDPOINT, WRITES = "all", "endpoint", "writes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What one answer says about the account's limits.

    `limited`: this call was refused for its rate. `scope` says who has to slow down: ``all`` calls, the
    ``endpoint``, or ``writes``. `until` is when the vendor lets us call again, None where it does not
    say. `limit`, `remaining` and `reset` are of the account's window, `refill` is what flows back in a second;
    `pool` names the window where a vendor has several, each for its own endpoints, and `cost` is what this call
    took of it, in the window's unit. `least` are the seconds that a refusal costs at least where the vendor does
    not say until when.
    """

    limited: bool = False
    scope: str = ALL
    until: datetime | None = None
    reason: str = ""
    near: bool = False
    limit: float | None = None
    remaining: float | None = None
    reset: datetime | None = None
    refill: float | None = None
    pool: str = ""
    cost: float = 1.0
    least: float = 0.0

    def patience(self, refusals: int) -> float:
        """Seconds to wait after so many refusals in a row: `least`, doubled with each, at most a quarter of an hour."""
        return min(self.least * 2.0 ** max(0, min(refusals - 1, 10)), 900.0)


QUIET = Signal()
Reader = Callable[[Answer, datetime], Signal]
"""(any answer, now) -> what it says about limits"""


def number(text: str | None) -> float | None:
    """Read a header as a finite number of at least 0, None where it is none."""
    try:
        value = float(text) if text else None
    except ValueError:
        return None
    return value if value is not None and math.isfinite(value) and value >= 0 else None


def instant(text: str | None) -> datetime | None:
    """Read a moment: ISO 8601, epoch seconds or epoch milliseconds; None where it is none of them."""
    if not text:
        return None
    seconds = number(text)
    try:
        if seconds is not None:
            return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, UTC)
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """When `Retry-After` (seconds or an HTTP date) lets us call again (RFC 9110, section 10.2.3)."""
    text = headers.get("retry-after")
    if not text:
        return None
    seconds = number(text)
    if seconds is not None:
        return now + timedelta(seconds=min(seconds, 7 * 86_400))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def plain(answer: Answer, now: datetime) -> Signal:
    """Read what a vendor without headers of its own says: 429, and `Retry-After` where it is there."""
    return Signal(limited=True, until=retry_after(answer.headers, now)) if answer.status == 429 else QUIET


_JIRA_REASONS: tuple[tuple[str, str, str], ...] = (
    ("per-issue-on-write", WRITES, "too many writes to one issue"),
    ("burst", ENDPOINT, "too many calls to this endpoint in one second"),
    ("quota", ALL, "the hourly quota of the account is used up"),
    ("cost", ALL, "the calls cost more than the site allows"),
    ("concurrent", ALL, "too many calls at once"),
)


def jira(answer: Answer, now: datetime) -> Signal:
    """Read Jira's headers: Cloud's three limits told apart by `RateLimit-Reason`, Data Center's token bucket.

    Source: https://developer.atlassian.com/cloud/jira/platform/rate-limiting/ and, for Data Center,
    https://confluence.atlassian.com/doc/_ratelimiting_httpheaders-992678779.html. `Beta-RateLimit*`
    headers carry wrong values and are not read.
    """
    headers = answer.headers
    limited = answer.status == 429
    if not limited and "x-ratelimit-limit" not in headers and "x-ratelimit-nearlimit" not in headers:
        return QUIET
    scope, words, until = ALL, "", None
    reset = instant(headers.get("x-ratelimit-reset"))
    if limited:
        reason = headers.get("ratelimit-reason", "").lower()
        for part, scope_of, text in _JIRA_REASONS:
            if part in reason:
                scope, words = scope_of, text
                break
        asked = retry_after(headers, now)
        until = max((moment for moment in (asked, reset) if moment), default=None) if scope == ALL else asked or reset
    fill, interval = number(headers.get("x-ratelimit-fillrate")), number(headers.get("x-ratelimit-interval-seconds"))
    return Signal(
        limited=limited,
        scope=scope,
        until=until,
        reason=words,
        near=headers.get("x-ratelimit-nearlimit", "").lower() == "true",
        limit=number(headers.get("x-ratelimit-limit")),
        remaining=number(headers.get("x-ratelimit-remaining")),
        reset=reset,
        refill=fill / interval if fill and interval else None,
    )


def backoff(attempt: int, jitter: float) -> float:
    """Seconds before attempt `attempt` + 1: 2 s doubling to at most 30 s, times `jitter` (0.7 to 1.3)."""
    return min(30.0, 2.0 * 2.0 ** max(0, min(attempt - 1, 10))) * jitter


ASIDE = 0.75
"""share of the budget that is for calls which can wait"""


class Gate:
    """Hands out departure times so that at most `budget` (0…1) of the account's limit is used.

    Calls that can wait (`aside`) have three quarters of it and stand in a line of their own: where that share is used
    up they wait alone, and no other call is ever held back by more than those of them that have left.

    `rates` are the vendor's calls a second by method, each for one endpoint; `bursts` the seconds of such calls that
    may leave at once, by method, 1 where nothing is said. An endpoint that was refused
    goes on at half its pace and recovers by 2 % with each good answer. Times are epoch seconds.
    """

    def __init__(self, budget: float, rates: Mapping[str, float], bursts: Mapping[str, float] | None = None) -> None:
        self.budget = budget
        self._bursts = bursts or {}
        self._ceilings = {method: max(0.1, rate * budget) for method, rate in rates.items()}
        self._rates: dict[str, float] = {}
        self._next: dict[str, float] = {}
        self._pauses: dict[str, float] = {}
        self._windows: dict[str, tuple[datetime, float]] = {}

    def reserve(self, endpoint: str, now: float, *, write: bool = False, aside: bool = False) -> float:
        """Return when a call to `endpoint` ("METHOD path") may leave, and count it as sent."""
        ceiling, rate = self._ceiling(endpoint), self._rate(endpoint)
        start = max(now, self.blocked(endpoint, write=write, aside=aside))
        ahead = self._next.get(endpoint, 0.0)
        due = max(ahead, start)
        if aside:
            line = _aside(endpoint)
            self._next[endpoint] = max(ahead, now) + 1.0 / rate
            rate = min(rate, self._rate(line))
            due = max(due, self._next.get(line, 0.0))
            self._next[line] = due + 1.0 / rate
        else:
            self._next[endpoint] = due + 1.0 / rate
        burst = self._bursts.get(endpoint.partition(" ")[0], 1.0) if rate == ceiling else 0.0
        return max(start, due - burst)

    def blocked(self, endpoint: str, *, write: bool = False, aside: bool = False) -> float:
        """Until when calls to `endpoint` are held back by what answers have asked for since."""
        pauses = self._pauses
        if not pauses:
            return 0.0
        held = [pauses.get(ALL, 0.0), pauses.get(endpoint, 0.0), pauses.get(WRITES, 0.0) if write else 0.0]
        return max(*held, pauses.get(_aside(endpoint), 0.0) if aside else 0.0)

    def learn(self, endpoint: str, signal: Signal, now: datetime, *, wait: float = 0.0) -> None:
        """Take in an answer's signal; `wait` (seconds) holds where a refusal does not say until when."""
        if signal.limited:
            until = max(signal.until or now, now).timestamp() if signal.until else now.timestamp() + wait
            pause = endpoint if signal.scope == ENDPOINT else signal.scope
            self._pauses[pause] = max(self._pauses.get(pause, 0.0), until)
            if signal.scope != ALL:
                self._slow(endpoint, 0.5)
        elif signal.near:
            self._slow(endpoint, 0.8)
        else:
            for line in (endpoint, _aside(endpoint)):
                if line in self._rates:
                    self._rates[line] = min(self._ceiling(line), self._rates[line] * 1.02)
        if signal.limit and signal.remaining is not None:
            self._keep_within(endpoint, signal, now)

    def _keep_within(self, endpoint: str, signal: Signal, now: datetime) -> None:
        limit, remaining = signal.limit or 0.0, signal.remaining or 0.0
        shares = {endpoint: self.budget, _aside(endpoint): self.budget * ASIDE}
        if signal.refill:
            for line, share in shares.items():
                if remaining < limit * (1.0 - share):
                    self._rates[line] = max(0.01, signal.refill * share / signal.cost)
        elif signal.reset and signal.reset > now:
            reset, used = self._windows.get(signal.pool, (signal.reset, 0.0))
            used = signal.cost + (used if reset == signal.reset else 0.0)
            self._windows[signal.pool] = signal.reset, used
            for line, share in shares.items():
                if used >= limit * share:
                    pause = ALL if line == endpoint and not signal.pool else line
                    self._pauses[pause] = max(self._pauses.get(pause, 0.0), signal.reset.timestamp())

    def _ceiling(self, endpoint: str) -> float:
        return self._ceilings.get(endpoint.partition(" ")[0], 10.0)

    def _rate(self, endpoint: str) -> float:
        return self._rates.get(endpoint) or self._ceiling(endpoint)

    def _slow(self, endpoint: str, factor: float) -> None:
        self._rates[endpoint] = max(0.2, self._rate(endpoint) * factor)


def _aside(endpoint: str) -> str:
    """Return the line of the calls to an endpoint that can wait."""
    return f"{endpoint} aside"
