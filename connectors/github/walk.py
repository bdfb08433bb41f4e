"""Lists read page by page: many side by side, one from both ends, and pages made smaller where GitHub chokes.

Knows connections, cursors and sizes; what is in a page, and what to make of it, is the caller's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from connectors.base import Answer, Call, Json
from connectors.github.limits import CursorError
from connectors.github.queries import ASC, DESC, PAGE, SMALLEST
from connectors.github.shapes import objects
from connectors.http import Client
from connectors.lanes import side_by_side
from domain.errors import VendorUnavailableError

R = TypeVar("R")
MAX_PAGES, EMPTY_PAGES, RESTARTS = 20_000, 5, 2
_GROWS_AFTER, _GROWS_BY = 12, 10
"""good pages before pages grow, and by how many issues"""


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """What a step found, and the steps that follow from it."""

    results: list[R]
    more: Sequence[Step[R]] = ()


Step = Callable[[], Awaitable[Done[R]]]


async def growing(first: Iterable[Step[R]], lanes: int) -> AsyncGenerator[R, None]:
    """Yield the results of steps as they complete, at most `lanes` side by side; a step may name further ones."""
    ready: asyncio.Queue[Step[R] | None] = asyncio.Queue()
    waiting = 0
    for step in first:
        waiting += 1
        ready.put_nowait(step)
    if not waiting:
        return

    async def feed() -> AsyncGenerator[Step[R], None]:
        while (step := await ready.get()) is not None:
            yield step

    async def work(step: Step[R]) -> list[R]:
        nonlocal waiting
        done = await step()
        waiting += len(done.more) - 1
        for following in done.more:
            ready.put_nowait(following)
        if not waiting:
            ready.put_nowait(None)
        return done.results

    async with aclosing(side_by_side(feed(), work, lanes)) as found:
        async for results in found:
            for result in results:
                yield result


@dataclass(slots=True)
class Sizes:
    """How many nodes a page may hold: halved where GitHub does not manage, growing back slowly."""

    now: int = PAGE
    good: int = 0

    def failed(self, size: int) -> int:
        """Take in that a page of `size` failed; return the next size for the same page, never the same again."""
        smaller = max(SMALLEST, size // 2)
        self.now, self.good = min(self.now, smaller), 0
        return smaller

    def fine(self, size: int) -> None:
        """Take in that a page of `size` came."""
        self.good += size >= self.now
        if self.good >= _GROWS_AFTER and self.now < PAGE:
            self.now, self.good = min(PAGE, self.now + _GROWS_BY), 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One page of a list as it came: the answer, what it says, and the connection in it."""

    answer: Answer
    told: dict[str, Any]
    connection: Mapping[str, Any]

    @property
    def nodes(self) -> list[dict[str, Any]]:
        """The nodes that we may see."""
        return objects(self.connection)

    @property
    def total(self) -> int:
        """How long the list is now."""
        total = self.connection.get("totalCount")
        return total if isinstance(total, int) else 0


Ask = Callable[[str | None, int, int], Call]
"""(cursor, size, attempts) -> the call for a page"""
Find = Callable[[dict[str, Any]], Mapping[str, Any]]
"""an answer -> the connection in it; raises NotFoundError where what should hold it is not there"""
Rescue = Callable[[str | None, int], Awaitable[tuple[Answer, dict[str, Any]]]]
"""(cursor, size) -> the answer to `Ask` put together from smaller ones"""


async def page(
    client: Client, ask: Ask, find: Find, sizes: Sizes, after: str | None, size: int, rescue: Rescue | None = None
) -> Slice | int:
    """Read one page; return the size to try next where GitHub did not manage this one.

    A page that can be smaller is tried once; the smallest is repeated like any call, and then left to `rescue`.
    """
    smallest = size <= SMALLEST
    try:
        answer, told = await client.read(ask(after, size, 4 if smallest else 1))
        sizes.fine(size)
    except VendorUnavailableError:
        if not smallest:
            return sizes.failed(size)
        if rescue is None:
            raise
        answer, told = await rescue(after, size)
    if not isinstance(told, dict):
        raise VendorUnavailableError(f"{client.name}: GitHub answered {type(told).__name__} instead of an object.")
    return Slice(answer=answer, told=told, connection=find(told))


def cursor_of(client: Client, connection: Mapping[str, Any], before: str | None, what: str) -> str | None:
    """Return where a list goes on, None at its end; raise VendorUnavailableError where it says so only half."""
    info = connection.get("pageInfo")
    if not isinstance(info, dict) or not info.get("hasNextPage"):
        return None
    cursor = info.get("endCursor")
    if not isinstance(cursor, str) or not cursor or cursor == before:
        said = "repeated the place" if cursor else "does not say the place"
        raise VendorUnavailableError(
            f"{client.name}: GitHub promises more of {what} and {said} where it goes on; the list was stopped. "
            "Run again."
        )
    return cursor


async def follow(
    client: Client, what: str, ask: Ask, find: Find, sizes: Sizes, rescue: Rescue | None = None
) -> AsyncGenerator[Slice, None]:
    """Yield the pages of a list to its end; where its cursor is not known any more it is read from its start."""
    after: str | None = None
    used: set[str] = set()
    size, empty, restarts = sizes.now, 0, 0
    for _ in range(MAX_PAGES):
        try:
            found = await page(client, ask, find, sizes, after, size, rescue)
        except CursorError:
            restarts += 1
            if after is None or restarts > RESTARTS:
                raise
            after = None
            used.clear()
            continue
        if isinstance(found, int):
            size = found
            continue
        yield found
        after = cursor_of(client, found.connection, after, what)
        if after is None:
            return
        if after in used:
            raise VendorUnavailableError(f"{client.name}: GitHub goes in circles in {what}; the list was stopped.")
        used.add(after)
        empty = 0 if found.nodes else empty + 1
        if empty >= EMPTY_PAGES:
            raise VendorUnavailableError(
                f"{client.name}: GitHub answered {empty} empty pages of {what} in a row, each promising more; "
                "the list was stopped. Run again."
            )
        size = sizes.now
    raise VendorUnavailableError(f"{client.name}: {what} did not end after {MAX_PAGES} pages.")


async def to_the_end(
    client: Client, what: str, connection: Mapping[str, Any], more: Callable[[str], Awaitable[Mapping[str, Any]]]
) -> list[Any] | None:
    """Return all nodes of a connection that came in part, None where it came whole; `more` reads on from a cursor."""
    after = cursor_of(client, connection, None, what)
    if after is None:
        return None
    nodes = list(connection.get("nodes") or ())
    used: set[str] = set()
    while after is not None:
        if after in used:
            raise VendorUnavailableError(f"{client.name}: GitHub goes in circles in {what}; the list was stopped.")
        used.add(after)
        further = await more(after)
        nodes += further.get("nodes") or ()
        after = cursor_of(client, further, after, what)
    return nodes


WHOLE: Mapping[str, Json] = {"hasNextPage": False, "endCursor": None}
"""What a connection says once it was read to its end."""


def stepwise(pages: AsyncGenerator[R, None]) -> Step[R]:
    """Return the step that takes the next page of a list, and names itself again until the list ends."""

    async def step() -> Done[R]:
        try:
            return Done([await anext(pages)], [step])
        except StopAsyncIteration:
            return Done([])

    return step


@dataclass(slots=True)
class _End:
    """One end of a list: where it goes on, the last node that was read, and the page that is on its way."""

    after: str | None = None
    last: tuple[str, str] | None = None
    claimed: int = 0
    closed: bool = False
    restarts: int = 0
    empty: int = 0
    used: set[str] = field(default_factory=set)


EndAsk = Callable[[str, str | None, int, int], Call]
"""(direction, cursor, size, attempts) -> the call for a page"""


class BothEnds(Generic[R]):
    """A list in one order, as of issues by age, read from its first and its last at once until the two meet.

    No page is read twice: what is on its way is counted, and the page that closes the gap asks for one node more than
    is left, so that the ends are seen to overlap. Where they are not seen to, one node more is asked for, and where
    nodes left the list meanwhile reading goes on until they do. `total` is a first estimate of the length, 0 where
    the first page is to tell it. `find` gives the nodes of a page in the direction that it was read in; `then` are
    steps that follow from a page.
    """

    def __init__(
        self,
        client: Client,
        what: str,
        ask: EndAsk,
        find: Callable[[str], Find],
        take: Callable[[Slice], Awaitable[list[R]]],
        *,
        total: int,
        sizes: Sizes,
        rescue: Callable[[str], Rescue | None] = lambda direction: None,
        then: Callable[[Slice], Sequence[Step[R]]] = lambda found: (),
    ) -> None:
        self._client, self._what = client, what
        self._ask, self._find, self._take, self._rescue, self._then = ask, find, take, rescue, then
        self._sizes = sizes
        self._total = total
        self._read = 0
        self._met = self._proving = False
        self._ends = {ASC: _End(), DESC: _End()}

    def start(self) -> list[Step[R]]:
        """Return the first steps: one where a page holds all, else one from each end."""
        if self._total <= PAGE:
            return [self._step(ASC, self._sizes.now)]
        return self._next(ASC)

    def _next(self, first: str) -> list[Step[R]]:
        """Return the steps that may leave now, that of the end `first` before the other's."""
        if self._met:
            return []
        steps: list[Step[R]] = []
        for direction in (first, DESC if first == ASC else ASC):
            end = self._ends[direction]
            left = self._total - self._read - sum(one.claimed for one in self._ends.values())
            if not end.claimed and left > 0:
                steps.append(self._step(direction, min(self._sizes.now, left + 1)))
        if not steps and not any(one.claimed for one in self._ends.values()):
            steps.append(self._step(first, self._sizes.now if self._proving else 1))
            self._proving = True
        return steps

    def _step(self, direction: str, size: int) -> Step[R]:
        self._ends[direction].claimed = size

        async def step() -> Done[R]:
            return await self._read_on(direction, size)

        return step

    async def _read_on(self, direction: str, size: int) -> Done[R]:
        end = self._ends[direction]

        def ask(after: str | None, first: int, attempts: int) -> Call:
            return self._ask(direction, after, first, attempts)

        try:
            rescue = self._rescue(direction)
            found = await page(self._client, ask, self._find(direction), self._sizes, end.after, size, rescue)
        except CursorError:
            end.restarts += 1
            if end.after is None or end.restarts > RESTARTS:
                raise
            end.after = None
            end.used.clear()
            return Done([], [self._step(direction, self._sizes.now)])
        if isinstance(found, int):
            return Done([], [self._step(direction, found)])
        self._advance(direction, found)
        return Done(await self._take(found), [*self._next(direction), *self._then(found)])

    def _advance(self, direction: str, found: Slice) -> None:
        """Take in a page: how much is read, where this end goes on, and whether it met the other."""
        end, other = self._ends[direction], self._ends[DESC if direction == ASC else ASC]
        end.claimed = 0
        nodes = found.nodes
        self._total = found.total
        self._read += len(nodes)
        if nodes:
            end.last = (str(nodes[-1].get("createdAt")), str(nodes[-1].get("id")))
        after = cursor_of(self._client, found.connection, end.after, self._what)
        end.empty = 0 if nodes else end.empty + 1
        if after is None:
            self._met = True
            return
        if after in end.used or end.empty >= EMPTY_PAGES:
            raise VendorUnavailableError(
                f"{self._client.name}: GitHub goes in circles in {self._what}; the list was stopped. Run again."
            )
        end.used.add(after)
        end.after = after
        if other.last is not None and end.last is not None:
            ids = {str(node.get("id")) for node in nodes}
            past = end.last[0] > other.last[0] if direction == ASC else end.last[0] < other.last[0]
            self._met = self._met or past or other.last[1] in ids


def data_of(told: Mapping[str, Json]) -> dict[str, Any]:
    """Return the data of an answer, empty where there is none."""
    data = told.get("data")
    return data if isinstance(data, dict) else {}
