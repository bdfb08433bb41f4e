"""Sends what happens at the simulated trackers as their webhooks: signed, over HTTP, repeated as each vendor repeats.

What a delivery says and to whom it goes is each tracker's own matter; what can go wrong on the way is `Sending`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import httpx

from app.demo import github_subscriptions as github
from app.demo import jira_hooks as jira
from app.demo import linear_webhooks as linear
from app.demo.ledger import Attempt, Delivery, Ledger, Letter
from app.demo.portfolio import Portfolio

AT_ONCE = 20
"""How many deliveries of a tracker are on their way at the same time; Jira's own number"""
AWAY = "failed to connect to host"
MOST_KEPT = 2_000
"""How much of an answer is kept, in characters"""


@dataclass(slots=True, kw_only=True)
class Sending:
    """What goes wrong on the way, by chance but the same for the same `seed`; may be changed while it is sent.

    delay      seconds until a delivery leaves
    shuffle    and up to this many more, drawn for each: deliveries overtake each other within this window
    late       share of deliveries that leave `late_by` seconds later still
    duplicate  share that is sent twice, the second time within `shuffle` seconds of the first, acknowledged or not
    drop       share that never arrives and is not tried again; GitHub lists it as failed
    forged     share before which somebody sends other bytes with the same headers: the signature is wrong
    """

    seed: int = 0
    delay: float = 0.0
    shuffle: float = 0.0
    late: float = 0.0
    late_by: float = 0.0
    duplicate: float = 0.0
    drop: float = 0.0
    forged: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: `status` is None where nothing did in time, `words` are GitHub's for it."""

    words: str
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a vendor sends: seconds until it gives an answer up, what it takes for success, when it tries again.

    `waits` are the shortest and the longest pause before each further try, in seconds. `repeats` says for which
    statuses (None: no answer) there is one; `counted` is the header that tells the number of the repeat.
    """

    timeout: float
    accepts: Callable[[int], bool]
    waits: tuple[tuple[float, float], ...] = ()
    repeats: Callable[[int | None], bool] = lambda status: True
    counted: str | None = None


MANNERS: Mapping[str, Manner] = {
    # https://developer.atlassian.com/cloud/jira/platform/webhooks/ (retries, concurrency)
    "jira": Manner(
        timeout=20.0, accepts=lambda status: status in (200, 204), waits=((300.0, 900.0),) * 5,
        repeats=lambda status: status is None or status in (408, 409, 425, 429) or status >= 500,
        counted="X-Atlassian-Webhook-Retry",
    ),
    # https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries
    "github": Manner(timeout=10.0, accepts=lambda status: 200 <= status < 300),
    # https://linear.app/developers/webhooks
    "linear": Manner(
        timeout=5.0, accepts=lambda status: status == 200, waits=((60.0,) * 2, (3600.0,) * 2, (21_600.0,) * 2)
    ),
}  # fmt: skip


class Sender:
    """The senders of the three sites as one; `ledger` keeps what became of each delivery.

    `scale` stretches the pauses before repeats: 1 is as the vendors do, 0.001 makes an hour 3.6 s. With `gives_up`
    Linear switches a webhook off whose delivery failed to the end, as it reserves to itself.
    """

    def __init__(
        self, portfolio: Portfolio, client: httpx.AsyncClient, faults: Sending, *, scale: float, gives_up: bool
    ) -> None:
        self.faults = faults
        self.scale = scale
        self.gives_up = gives_up
        self.ledger = Ledger(ask_again=self.again)
        self._portfolio = portfolio
        self._client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._group = asyncio.TaskGroup()
        self._free = {tracker: asyncio.Semaphore(AT_ONCE) for tracker in MANNERS}
        self._now: Mapping[str, Callable[[], datetime]] = {
            "jira": portfolio.jira.now, "github": portfolio.github.now, "linear": portfolio.linear.now,
        }  # fmt: skip

    async def idle(self) -> None:
        """Wait until nothing is on its way, and nothing waits to be tried again."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def again(self, delivery: Delivery) -> None:
        """Send a delivery once more, as somebody asked for; it is not repeated by itself."""
        self._start(self._try_once(delivery, 0.0))

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Send what happens while the block runs; what is still on its way at the end is lost."""
        sites = self._portfolio
        told: list[tuple[list[Any], Callable[[Any], None]]] = [
            (sites.jira.listeners, lambda change: self._tell(lambda: jira.letters(sites.jira, change))),
            (sites.github.listeners, lambda change: self._tell(lambda: github.letters(sites.github, change))),
            (sites.linear.listeners, lambda change: self._tell(lambda: linear.letters(sites.linear, change))),
        ]
        sites.github.ledger = self.ledger
        for listeners, listener in told:
            listeners.append(listener)
        try:
            async with self._group:
                yield
                for listeners, listener in told:
                    listeners.remove(listener)
                for task in self._tasks:
                    task.cancel()
        finally:
            self.ledger.ask_again = None

    def _tell(self, write: Callable[[], Iterable[Letter]]) -> None:
        self._start(self._send_all(write))

    async def _send_all(self, write: Callable[[], Iterable[Letter]]) -> None:
        """Write what a change is told as, once whoever changed something is done, and start sending it."""
        for letter in write():
            delivery = Delivery(letter=letter)
            self.ledger.deliveries.append(delivery)
            self._post(delivery)

    def _post(self, delivery: Delivery) -> None:
        """Start sending a delivery with what chance has in store for it."""
        letter, faults = delivery.letter, self.faults
        chance = random.Random(f"{faults.seed} {letter.tracker} {letter.hook} {letter.guid}")
        dropped, forged, twice, late = (chance.random() for _ in range(4))
        wait = faults.delay + chance.uniform(0, faults.shuffle) + (faults.late_by if late < faults.late else 0.0)
        second, repeats = wait + chance.uniform(0, faults.shuffle), random.Random(chance.random())
        if dropped < faults.drop:
            delivery.fate = "dropped"
            if letter.tracker == "github":
                self._record(delivery, self._attempt(delivery, self._now["github"](), 0.0, Answer(words=AWAY)))
            return
        if forged < faults.forged:
            fake = Delivery(letter=replace(letter, body=letter.body[:-1] + b" }"), forged=True)
            self.ledger.forged.append(fake)
            self._start(self._try_once(fake, 0.0))
        self._start(self._deliver(delivery, wait, repeats))
        if twice < faults.duplicate:
            self._start(self._try_once(delivery, second))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_once(self, delivery: Delivery, wait: float) -> None:
        await asyncio.sleep(wait)
        await self._try(delivery)

    async def _deliver(self, delivery: Delivery, wait: float, chance: random.Random) -> None:
        """Send a delivery until it is accepted or the vendor gives it up."""
        manner = MANNERS[delivery.letter.tracker]
        await asyncio.sleep(wait)
        for number in range(len(manner.waits) + 1):
            attempt = await self._try(delivery, number)
            if attempt.accepted:
                return
            if number == len(manner.waits) or not manner.repeats(attempt.status):
                break
            pause = max(chance.uniform(*manner.waits[number]), _retry_after(attempt))
            await asyncio.sleep(pause * self.scale)
        if delivery.fate != "accepted":
            delivery.fate = "given up"
        if self.gives_up and delivery.letter.tracker == "linear":
            linear.switch_off(self._portfolio.linear, delivery.letter.hook)

    async def _try(self, delivery: Delivery, number: int = 0) -> Attempt:
        letter, manner = delivery.letter, MANNERS[delivery.letter.tracker]
        headers = letter.headers | ({manner.counted: str(number)} if manner.counted and number else {})
        async with self._free[letter.tracker]:
            at, begun = self._now[letter.tracker](), time.perf_counter()
            answer = await self._exchange(letter, headers)
        attempt = self._attempt(delivery, at, time.perf_counter() - begun, answer)
        self._record(delivery, attempt)
        return attempt

    def _attempt(self, delivery: Delivery, at: datetime, duration: float, answer: Answer) -> Attempt:
        accepts = MANNERS[delivery.letter.tracker].accepts
        return Attempt(
            id=self.ledger.next_id(), at=at, duration=round(duration, 3), status=answer.status, words=answer.words,
            again=bool(delivery.attempts), accepted=answer.status is not None and accepts(answer.status),
            headers=answer.headers, answer=answer.text,
        )  # fmt: skip

    @staticmethod
    def _record(delivery: Delivery, attempt: Attempt) -> None:
        delivery.attempts.append(attempt)
        if attempt.accepted:
            delivery.fate = "accepted"

    async def _exchange(self, letter: Letter, headers: dict[str, str]) -> Answer:
        try:
            async with asyncio.timeout(MANNERS[letter.tracker].timeout):
                answer = await self._client.post(letter.url, content=letter.body, headers=headers)
        except TimeoutError:
            return Answer(words="timed out")
        except httpx.HTTPError:
            return Answer(words=AWAY)
        words = "OK" if answer.is_success else f"Invalid HTTP Response: {answer.status_code}"
        return Answer(
            words=words, status=answer.status_code, headers=dict(answer.headers), text=answer.text[:MOST_KEPT]
        )


def _retry_after(attempt: Attempt) -> float:
    told = attempt.headers.get("retry-after", "")
    return float(told) if told.isdigit() else 0.0


@asynccontextmanager
async def sending(
    portfolio: Portfolio,
    urls: Mapping[str, str] | None = None,
    *,
    faults: Sending | None = None,
    scale: float = 1.0,
    gives_up: bool = False,
) -> AsyncIterator[Sender]:
    """Send what happens at the sites to their webhooks while the block runs.

    `urls` says by tracker (``jira``, ``github``, ``linear``) where a webhook is registered by hand, for everything that
    happens and with the site's `webhook_secret`; others are those that were registered through the tracker's own API,
    before or meanwhile. Webhooks are neither taken away at the end nor sent any more then.
    """
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=AT_ONCE * len(MANNERS))
    async with httpx.AsyncClient(trust_env=False, timeout=60.0, limits=limits) as client:
        sender = Sender(portfolio, client, faults or Sending(), scale=scale, gives_up=gives_up)
        async with sender.listening():
            for tracker, url in (urls or {}).items():
                register(portfolio, tracker, url)
            yield sender


def register(portfolio: Portfolio, tracker: str, url: str) -> None:
    """Register a webhook for everything at a tracker, as its administrator does by hand."""
    match tracker:
        case "jira":
            jira.register(portfolio.jira, url)
        case "github":
            github.register(portfolio.github, url)
        case "linear":
            linear.register(portfolio.linear, url)
        case _:
            raise KeyError(f"There is no simulated tracker '{tracker}'; there are jira, github and linear.")
