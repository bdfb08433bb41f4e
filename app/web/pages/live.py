"""What moves, as server-sent events: one look at the store every moment for all who listen, none where nobody does.

An event says only that something moved; the page asks for itself again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from app.web.access import require
from app.web.pages.desk import Desk, stamp
from domain.errors import KeyrailError

log = logging.getLogger("keyrail")

EVERY = 2.0
"""seconds between two looks at the store"""
ALIVE = 20.0
"""seconds after which a listener is told that nothing happened, so that proxies keep the line"""
MOST = 200
"""listeners of one process; more are asked to come back, and their pages do without"""


@dataclass(slots=True)
class Bell:
    """Who listens, and what they are told."""

    listeners: set[asyncio.Queue[str]] = field(default_factory=set)
    looking: asyncio.Task[None] | None = None

    def ring(self, event: str) -> None:
        """Tell everybody; who is behind is told once."""
        for one in self.listeners:
            if one.empty():
                one.put_nowait(event)

    async def look(self, desk: Desk) -> None:
        """Look at the store while anybody listens."""
        before: str | None = None
        while self.listeners:
            try:
                _, now = await stamp(desk.source())
            except KeyrailError as error:
                log.debug("live pages: %s", error)
            else:
                if before is not None and now != before:
                    self.ring("moved")
                before = now
            if desk.web.metrics.stages:
                self.ring("pulling")
            await asyncio.sleep(EVERY)


async def live(desk: Desk, bell: Bell, request: Request) -> Response:
    """Answer with a stream that says when something moved."""
    require(request, "read")
    if len(bell.listeners) >= MOST:
        return PlainTextResponse("Too many pages listen. Load the page again to see what is new.", 503)
    return StreamingResponse(events(desk, bell), media_type="text/event-stream", headers={"cache-control": "no-store"})


async def events(desk: Desk, bell: Bell) -> AsyncIterator[str]:
    """Yield events until the other side leaves."""
    heard: asyncio.Queue[str] = asyncio.Queue()
    bell.listeners.add(heard)
    try:
        if bell.looking is None or bell.looking.done():
            bell.looking = asyncio.create_task(bell.look(desk))
        yield "retry: 5000\n\n"
        while True:
            try:
                async with asyncio.timeout(ALIVE):
                    event = await heard.get()
                yield f"event: {event}\ndata: {event}\n\n"
            except TimeoutError:
                yield ": still here\n\n"
    finally:
        bell.listeners.discard(heard)
