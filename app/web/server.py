"""Runs an ASGI application inside the running event loop.

Nothing about what the application does is known here.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Generator

import uvicorn
from starlette.types import ASGIApp


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to its host."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def bound(port: int, host: str) -> socket.socket:
    """Take a port, 0 for a free one, on which nothing is accepted yet; raise OSError where it is taken."""
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError:
        listener.close()
        raise
    return listener


@contextlib.asynccontextmanager
async def serve(
    app: ASGIApp, port: int = 0, *, host: str = "127.0.0.1", grace: int = 1, listener: socket.socket | None = None
) -> AsyncIterator[str]:
    """Serve `app` while the block runs and yield its address (`http://HOST:PORT`).

    Port 0 takes a free one; a `listener` that is `bound` already goes before both. The application sends its own
    `Date`, so that its clock may be another. Raises OSError where the port is taken. At the end nothing is accepted any
    more, requests that run have `grace` seconds, and then open connections are closed.
    """
    listener = listener or bound(port, host)
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,
        proxy_headers=False,  # whom a proxy speaks for is decided in `app.web.access`
        lifespan="off",
        timeout_graceful_shutdown=grace,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started:
            if task.done():
                await task
            await asyncio.sleep(0.005)
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listener.close()
