"""Requests side by side with an even memory: a feed of inputs, so many lanes, results as they complete.

Knows nothing of what runs in the lanes; retries and limits are the client's.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

T = TypeVar("T")
R = TypeVar("R")


class _End:
    """Marks the end of a queue."""


_END: Final = _End()


async def side_by_side(
    inputs: AsyncGenerator[T, None], work: Callable[[T], Awaitable[R]], lanes: int
) -> AsyncGenerator[R, None]:
    """Yield `work(input)` of each input as it completes, at most `lanes` at a time.

    At most `lanes` inputs and one result a lane wait, so a slow reader holds back the feed. The first error ends
    everything and is raised here, after the results that were ready before it; leaving early cancels the rest.
    """
    todo: asyncio.Queue[T | _End] = asyncio.Queue(maxsize=lanes)
    ready: asyncio.Queue[R | _End] = asyncio.Queue(maxsize=1)

    async def feed() -> None:
        async with aclosing(inputs):
            async for value in inputs:
                await todo.put(value)
        for _ in range(lanes):
            await todo.put(_END)

    async def lane() -> None:
        while not isinstance(value := await todo.get(), _End):
            await ready.put(await work(value))

    async def all_done() -> None:
        try:
            await asyncio.gather(*tasks)
        finally:
            await ready.put(_END)

    tasks = [asyncio.create_task(feed()), *(asyncio.create_task(lane()) for _ in range(lanes))]
    end = asyncio.create_task(all_done())
    try:
        while not isinstance(result := await ready.get(), _End):
            yield result
        await end
    finally:
        for task in (end, *tasks):
            task.cancel()
        while not ready.empty():
            ready.get_nowait()
        await asyncio.gather(end, *tasks, return_exceptions=True)


@asynccontextmanager
async def batches(inputs: AsyncGenerator[T, None], most: int) -> AsyncGenerator[AsyncIterator[list[T]], None]:
    """Offer inputs in lists of those that are ready, at least one and at most `most`, in order.

    They are got from the moment this is entered, up to `most` ahead of the reader. An error of `inputs` is raised to
    the reader after what was ready before it; leaving early ends them.
    """
    ready: asyncio.Queue[T | _End] = asyncio.Queue(maxsize=most)

    async def feed() -> None:
        async with aclosing(inputs):
            async for value in inputs:
                await ready.put(value)

    async def ended() -> None:
        try:
            await feeding
        finally:
            await ready.put(_END)

    async def lists() -> AsyncGenerator[list[T], None]:
        while not isinstance(value := await ready.get(), _End):
            batch = [value]
            while len(batch) < most and not ready.empty() and not isinstance(value := ready.get_nowait(), _End):
                batch.append(value)
            yield batch
            if isinstance(value, _End):
                break
        await end

    feeding = asyncio.create_task(feed())
    end = asyncio.create_task(ended())
    try:
        yield lists()
    finally:
        for task in (end, feeding):
            task.cancel()
        while not ready.empty():
            ready.get_nowait()
        await asyncio.gather(end, feeding, return_exceptions=True)


async def each(values: Iterable[T]) -> AsyncGenerator[T, None]:
    """Feed values that are known already."""
    for value in values:
        yield value


async def chunks(lists: AsyncIterator[list[T]], size: int) -> AsyncGenerator[list[T], None]:
    """Regroup lists of any length into lists of `size`; a list that fills a chunk is passed on at once."""
    rest: list[T] = []
    async for values in lists:
        rest.extend(values)
        while len(rest) >= size:
            yield rest[:size]
            del rest[:size]
    if rest:
        yield rest
