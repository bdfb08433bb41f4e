"""Jobs of the service: what becomes of one that does not end well."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from domain.errors import VendorUnavailableError
from storage import setbacks
from sync import work
from sync.context import Context


@dataclass
class Room:
    """Where a job is done whose tracker cannot be opened: it fails, or never answers."""

    context: Context
    error: Exception | None = None
    asked: asyncio.Event | None = None

    @asynccontextmanager
    async def source(self, _name, *, rediscover=False):
        if self.error is not None:
            raise self.error
        self.asked.set()
        await asyncio.Event().wait()
        yield


async def noted(road):
    async with road.store.read() as tx:
        return [(one.job, one.key, one.attempts, one.error) for one in await setbacks.every(tx)]


async def test_a_failure_is_counted_and_tried_again_later(pulled):
    room = Room(pulled.context, VendorUnavailableError("jira: 503"))
    assert not await work.do(room, "deliveries", "jira")
    assert await noted(pulled) == [("deliveries", "jira", 1, "jira: 503")]
    assert await work.do(room, "deliveries", "jira")
    assert await noted(pulled) == [("deliveries", "jira", 1, "jira: 503")]
    pulled.clock.forward(seconds=6)
    assert not await work.do(room, "deliveries", "jira")
    assert await noted(pulled) == [("deliveries", "jira", 2, "jira: 503")]


async def test_a_job_that_the_end_of_the_service_stops_has_not_failed(pulled):
    for _ in range(work.POISON + 1):
        room = Room(pulled.context, asked=asyncio.Event())
        job = asyncio.create_task(work.do(room, "deliveries", "jira"))
        await room.asked.wait()
        assert await noted(pulled) == [("deliveries", "jira", 1, "")]
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert await noted(pulled) == []
