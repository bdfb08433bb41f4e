"""What takes long to compute, beside the event loop, so that webhooks are answered meanwhile; a few at a time.

What is computed is decided by the endpoints.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from app.web.pages import memory
from sync.context import Context

T = TypeVar("T")

AT_ONCE = 2
"""computations that run at once; those after them wait for their turn"""
_threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="keyrail-api")


async def aside(context: Context, make: Callable[[Context], Awaitable[T]]) -> T:
    """Return what is made of a context, over a store of its own in a thread of its own."""
    made: T = await asyncio.get_running_loop().run_in_executor(_threads, memory.aside, context, make)
    return made
