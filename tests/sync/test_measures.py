"""Values of key results from an address, a count or a sum: read, recorded as check-ins, once where nothing moves."""

from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from app.web.server import serve
from domain.errors import NotFoundError, TransientError
from domain.okr import KeyResult, Metric, Objective, Status, Timeframe
from domain.rules import All, Not, Test
from storage import checkpoints, okrs
from storage.views import present
from sync.ingest import MAPPED
from sync.measures import measure, read
from sync.poll import COMPLETE
from sync.present import show
from sync.work import ALL, DOES, duties

BUGS = Test(field="labels", op="in", value=("bug",))
OPEN = Not(inner=Test(field="category", op="in", value=("done", "canceled")))
COUNT = {"count": All(inner=(BUGS, OPEN))}


def key_result(id, source, kind="number", **stated):
    return KeyResult(
        id=id, objective="O1", title=id, metric=Metric(kind=kind, start=0.0, target=10.0), source=source, **stated
    )


@pytest.fixture
def use(road, workspace, clock):
    """Go on with a file that has these key results; all connections were read."""

    async def with_these(*key_results):
        road.use(workspace(
            timeframes=[Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))],
            objectives=[Objective(id="O1", title="One", timeframe="Q4")],
            key_results=key_results,
        ))  # fmt: skip
        async with road.store.write() as tx:
            await checkpoints.save(tx, "jira", COMPLETE, clock())
        return road.context

    return with_these


@asynccontextmanager
async def answering(values):
    """Serve `values[path]` as JSON; other paths are not found."""

    async def answer(request):
        name = request.path_params["name"]
        return JSONResponse({"value": values[name]} if name in values else {}, 200 if name in values else 404)

    async with serve(Starlette(routes=[Route("/{name}", answer)])) as url:
        yield lambda name: {"http": {"url": f"{url}/{name}", "jmespath": "value"}}


async def recorded(context):
    async with context.store.read() as tx:
        return [(one.key_result, one.value, one.by, one.note) for one in await okrs.all_check_ins(tx)]


async def test_items_that_match_are_counted_and_added_up(road, use, item):
    stored = [
        item("1", labels=("bug",), estimate=3),
        item("2", labels=("Bug",), estimate=0),
        item("3", labels=("bug",), category="done", estimate=5),
        item("4", labels=("feature",), estimate=8),
        item("5", labels=("bug",)),
        item("6", labels=("bug",), estimate=1, deleted=True),
    ]
    context = await use(
        key_result("KR1", COUNT),
        key_result("KR2", {"sum": BUGS, "field": "estimate"}),
        key_result("KR3", {"sum": BUGS, "field": "arr"}),
    )
    await road.take(*stored, item("7", labels=("bug",), fields={"ARR": "12.5", "region": "EU"}))
    found = await measure(context)
    assert (found.errors, found.recorded) == ([], {"KR1", "KR2", "KR3"})
    assert await recorded(context) == [
        ("KR1", 4.0, "count", "4 items"),
        ("KR2", 8.0, "sum", "3 items"),
        ("KR3", 12.5, "sum", "1 item"),
    ]


async def test_rules_may_look_at_the_parent(road, use, item):
    context = await use(key_result("KR1", {"count": Test(field="parent.labels", op="in", value=("bug",))}))
    await road.take(item("1", level="epic", labels=("bug",)), item("2", parent_id="1"), item("3"))
    assert [one.value for one in (await measure(context)).values] == [1.0]


async def test_what_is_out_of_sight_counts_for_the_grace_period(road, use, item, clock):
    context = await use(key_result("KR1", COUNT))
    await road.take(item("1", labels=("bug",)))
    await road.hide("1")
    assert [one.value for one in (await measure(context)).values] == [1.0]
    clock.forward(days=13)
    assert [one.value for one in (await measure(context)).values] == [1.0]
    clock.forward(days=1)
    assert [one.value for one in (await measure(context)).values] == [0.0]


async def test_a_mirrored_item_counts_once(road, use, item):
    context = await use(key_result("KR1", COUNT))
    pair = ((("jira", "PAY-1"), ("jira", "PAY-2")),)
    road.use(replace(context.workspace, mirrors=pair))
    await road.take(item("1", labels=("bug",)), item("2", labels=("bug",)), item("3", labels=("bug",)))
    assert [one.value for one in (await measure(road.context)).values] == [2.0]


async def test_nothing_is_counted_before_all_was_read(road, use, item):
    context = await use(key_result("KR1", COUNT))
    await road.take(item("1", labels=("bug",)))
    async with road.store.write() as tx:
        await checkpoints.drop(tx, "jira", COMPLETE)
    found = await measure(context)
    assert [str(error) for error in found.errors] == [
        "KR1: not counted before jira has been read whole once. Run: keyrail backfill"
    ]
    assert type(found.errors[0]) is TransientError
    assert await recorded(context) == []


async def test_the_job_tells_what_it_could_not_read_after_recording_the_rest(use):
    async with answering({"a": 1}) as source:
        context = await use(key_result("KR1", source("gone")), key_result("KR2", source("a")))
        room = SimpleNamespace(context=context)
        async with context.store.write() as tx:
            await checkpoints.save_note(tx, MAPPED, {"digest": context.workspace.digest})
        with pytest.raises(NotFoundError, match="KR1"):
            await DOES["measure"](room, ALL)
    assert [one[:2] for one in await recorded(context)] == [("KR2", 1.0)]


async def test_the_same_value_is_recorded_once_a_day_and_another_at_once(use, clock):
    values = {"a": 2.4}
    async with answering(values) as source:
        context = await use(key_result("KR1", source("a")))
        assert (await measure(context)).recorded == {"KR1"}
        clock.forward(hours=1)
        assert (await measure(context)).recorded == frozenset()
        values["a"] = 2.5
        assert (await measure(context)).recorded == {"KR1"}
        clock.forward(days=1)
        assert (await measure(context)).recorded == {"KR1"}
    assert [value for _, value, _, _ in await recorded(context)] == [2.4, 2.5, 2.5]
    assert (await recorded(context))[0][2:] == ("http", source("a")["http"]["url"].split("/")[2])


async def test_what_cannot_be_read_stops_no_other_and_keeps_its_value(use, clock):
    async with answering({"a": 1, "yes": True}) as source:
        context = await use(
            key_result("KR1", source("a")),
            key_result("KR2", source("gone")),
            key_result("KR3", source("yes")),
            key_result("KR4", source("yes"), kind="binary"),
        )
        found = await measure(context)
    assert [(one.key_result, one.value) for one in found.values] == [("KR1", 1.0), ("KR4", 1.0)]
    assert isinstance(found.errors[0], NotFoundError)
    assert [str(error).partition(":")[0] for error in found.errors] == ["KR2", "KR3"]
    assert [one["key_result"] for one in found.document() if one["recorded"]] == ["KR1", "KR4"]


async def test_what_is_over_or_set_aside_is_not_read(use, clock):
    async with answering({}) as source:
        context = await use(
            key_result("KR1", source("a"), end=clock().date() - timedelta(days=1)),
            key_result("KR2", source("a"), status=Status.PAUSED),
            key_result("KR3", "check_in"),
            key_result("KR4", source("a"), start=clock().date() + timedelta(days=9)),
        )
        values, errors = await read(context)
    assert (values, [str(error)[:3] for error in errors]) == ([], ["KR4"])


async def test_the_score_follows_and_a_check_reads_without_recording(use, clock):
    async with answering({"a": 4}) as source:
        context = await use(key_result("KR1", source("a")))
        assert [one.value for one in (await read(context))[0]] == [4.0]
        assert await recorded(context) == []
        await measure(context)
    doc = show(context.workspace, present(context.store.url), "KR1", timeframe="all", now=clock())
    assert doc["key_results"][0]["progress"] == 0.4


def test_the_service_measures_only_where_there_is_something_to_measure(workspace):
    asked = {duty.job for duty in duties(workspace(key_results=[key_result("KR1", "check_in")]))}
    assert "measure" not in asked
    assert "measure" in {duty.job for duty in duties(workspace(key_results=[key_result("KR1", COUNT)]))}
