"""Side by side: everything once, so many at a time, held back by a slow reader, ended by the first error."""

import asyncio

import pytest

from connectors.lanes import batches, chunks, each, side_by_side


async def test_every_input_is_worked_once_and_no_more_than_lanes_at_a_time():
    working = most = 0

    async def work(value):
        nonlocal working, most
        working += 1
        most = max(most, working)
        await asyncio.sleep(0)
        working -= 1
        return value * 2

    assert sorted([r async for r in side_by_side(each(range(50)), work, 4)]) == [n * 2 for n in range(50)]
    assert most == 4


async def test_results_come_as_they_complete():
    gate = asyncio.Event()

    async def work(value):
        if value == 0:
            await gate.wait()
        return value

    results = side_by_side(each([0, 1]), work, 2)
    assert await anext(results) == 1
    gate.set()
    assert await anext(results) == 0
    with pytest.raises(StopAsyncIteration):
        await anext(results)


async def test_a_slow_reader_holds_back_the_feed():
    taken = []

    async def feed():
        for value in range(1000):
            taken.append(value)
            yield value

    async def work(value):
        return value

    results = side_by_side(feed(), work, 3)
    await anext(results)
    for _ in range(100):
        await asyncio.sleep(0)
    assert len(taken) < 15
    await results.aclose()


async def test_the_first_error_ends_it_and_cancels_the_rest():
    canceled = []

    async def work(value):
        if value == 1:
            raise ValueError("broken")
        try:
            await asyncio.Event().wait()
        finally:
            canceled.append(value)

    with pytest.raises(ValueError, match="broken"):
        _ = [r async for r in side_by_side(each([0, 1]), work, 2)]
    assert canceled == [0]


async def test_an_error_of_the_feed_is_raised():
    async def feed():
        yield 1
        raise ValueError("feed")

    async def work(value):
        return value

    with pytest.raises(ValueError, match="feed"):
        _ = [r async for r in side_by_side(feed(), work, 2)]


async def test_chunks_pass_on_what_is_full():
    async def lists():
        yield [1, 2, 3]
        yield []
        yield [4, 5]

    assert [c async for c in chunks(lists(), 2)] == [[1, 2], [3, 4], [5]]


async def test_what_is_ready_comes_together_in_order_and_at_most_so_many():
    async with batches(each(range(7)), 3) as lists:
        for _ in range(20):
            await asyncio.sleep(0)
        assert [one async for one in lists] == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_single_input_is_not_kept_waiting_for_others():
    gate = asyncio.Event()

    async def feed():
        yield 0
        await gate.wait()
        yield 1

    async with batches(feed(), 3) as lists:
        assert await anext(lists) == [0]
        gate.set()
        assert await anext(lists) == [1]
        with pytest.raises(StopAsyncIteration):
            await anext(lists)


async def test_inputs_are_got_before_the_first_is_asked_for_but_not_without_end():
    taken = []

    async def feed():
        for value in range(1000):
            taken.append(value)
            yield value

    async with batches(feed(), 4):
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(taken) == 5


async def test_an_error_of_the_inputs_comes_after_what_was_ready_before_it():
    async def feed():
        yield 0
        raise ValueError("broken")

    async with batches(feed(), 3) as lists:
        assert await anext(lists) == [0]
        with pytest.raises(ValueError, match="broken"):
            await anext(lists)


async def test_leaving_early_ends_the_inputs():
    closed = asyncio.Event()

    async def feed():
        try:
            for value in range(1000):
                yield value
        finally:
            closed.set()

    async with batches(feed(), 2) as lists:
        await anext(lists)
    assert closed.is_set()
