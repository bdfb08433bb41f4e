"""Documents that take long: kept while nothing changes, the older one meanwhile, an error told and tried again."""

import asyncio
import threading

import pytest

from app.web.pages.memory import Memory
from domain.errors import UsageError


@pytest.fixture
def context(make_context):
    return make_context()


@pytest.fixture
def make_context(store, workspace):
    from sync.context import Context
    from sync.mapping import compile_mapping

    def make():
        file = workspace()
        return Context(store=store, workspace=file, mapper=compile_mapping(file))

    return make


async def test_a_document_is_made_once_for_a_stamp(context):
    memory, made = Memory(), []

    async def make(beside):
        assert beside.store is not context.store
        made.append(threading.current_thread() is threading.main_thread())
        return len(made)

    for stamp, doc in [("a", 1), ("a", 1), ("b", 2)]:
        found = await memory.get(context, "x", stamp, make, patience=30)
        await settle(memory)
        found = await memory.get(context, "x", stamp, make, patience=30)
        assert (found.doc, found.current) == (doc, True)
    assert made == [False, False]


async def settle(memory):
    for entry in list(memory.entries.values()):
        if entry.running is not None:
            await entry.running


async def test_the_older_one_stands_in_and_nothing_is_waited_for_too_long(context):
    memory, go = Memory(), threading.Event()

    async def first(_):
        return "old"

    async def second(_):
        await asyncio.to_thread(go.wait, 30)
        return "new"

    assert (await memory.get(context, "x", "a", first, patience=30)).doc == "old"
    found = await memory.get(context, "x", "b", second)
    assert (found.doc, found.current) == ("old", False)
    assert await memory.get(context, "y", "b", second, patience=0.01) is None
    go.set()
    await settle(memory)
    assert (await memory.get(context, "x", "b", second)).doc == "new"


async def test_an_error_is_told_and_tried_again(context):
    memory, right = Memory(), []

    async def make(_):
        if not right:
            raise UsageError("There is nothing called 'x'.")
        return "found"

    with pytest.raises(UsageError, match="nothing called"):
        await memory.get(context, "x", "a", make, patience=30)
    right.append(True)
    assert (await memory.get(context, "x", "a", make, patience=30)).doc == "found"
