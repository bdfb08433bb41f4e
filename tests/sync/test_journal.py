"""What was published stays as it was, whatever becomes known later; what was recomputed says what differs, and why."""

from dataclasses import replace
from datetime import timedelta
from math import fsum

import pytest

from domain.errors import UsageError
from storage.views import present
from sync import history, journal, retell
from sync.answers import report
from sync.present import is_news


@pytest.fixture
def publish(pulled):
    """Publish what stands now, or a part of it."""

    async def keep(how="shown", *, whole=True, doc=None):
        doc = doc or await report(pulled.context, timeframe="all")
        async with pulled.store.write() as tx:
            return await journal.keep(tx, pulled.context, doc, how=how, at=pulled.clock(), whole=whole)

    return keep


async def published(road, day=None):
    doc = await journal.published(road.context, day or road.context.today, None, timeframe="all")
    return {one["id"]: (one["progress"], one["published"]["how"]) for one in doc["initiatives"]}


async def test_what_was_published_on_a_day_is_never_restated(pulled, publish, item, clock):
    first = pulled.context.today
    assert await publish() == 1
    clock.forward(days=2)
    done = item("2", parent_id="1", category="done", updated_at=clock(), completed_at=clock() - timedelta(days=2))
    await pulled.take(done)
    assert await publish() == 1
    assert await published(pulled, first) == {"I1": (0.5, "shown")}
    assert await published(pulled, first + timedelta(days=1)) == {"I1": (0.5, "shown")}
    assert await published(pulled) == {"I1": (1.0, "shown")}
    assert (await history.present_at(pulled.context, first)).subjects["I1"][0].value == 1.0


async def test_late_history_is_restated_as_one_last_effect_that_says_so(pulled, publish, item, clock):
    since = pulled.context.today
    await publish()
    clock.forward(days=2)
    late = {"category": "done", "updated_at": clock(), "completed_at": clock() - timedelta(days=2, hours=1)}
    await pulled.take(item("2", parent_id="1", **late))
    doc = await retell.explain(pulled.context, "I1", since=since)
    assert [(row["cause"], row["effect"]) for row in doc["changes"]] == [("restated", 0.5)]
    assert "read later" in doc["changes"][0]["title"]
    assert (doc["before"]["published"], doc["before"]["progress"]) == (0.5, 1.0)


async def test_an_edited_file_is_restated_too_and_named(pulled, publish, item, clock):
    since = pulled.context.today
    await publish()
    file = pulled.context.workspace
    pulled.use(replace(file, digest="edited", policies=replace(file.policies, canceled="as_done")))
    clock.forward(days=1)
    canceled = item("4", parent_id="1", category="canceled", created_at=clock() - timedelta(days=9), updated_at=clock())
    await pulled.take(replace(canceled, canceled_at=clock() - timedelta(days=8)))
    async with pulled.store.alone() as tx:
        from sync.refresh import rebuild

        await rebuild(tx, pulled.context)
    doc = await retell.explain(pulled.context, "I1", since=since)
    assert fsum(row["effect"] for row in doc["changes"]) == pytest.approx(doc["progress"] - 0.5)
    assert "file was edited" in doc["changes"][-1]["title"]


async def test_what_is_sent_is_an_entry_even_where_it_was_shown_before(pulled, publish, clock):
    assert [await publish(), await publish(), await publish("sent"), await publish("sent"), await publish()] == [
        1,
        0,
        1,
        0,
        0,
    ]
    assert await published(pulled) == {"I1": (0.5, "sent")}


async def test_a_part_of_a_report_says_nothing_of_the_others_and_a_whole_one_ends_what_left_the_file(
    pulled, publish, workspace, clock
):
    await publish()
    day = pulled.context.today
    pulled.use(replace(workspace(), digest="without it"))
    async with pulled.store.alone() as tx:
        from sync.refresh import rebuild

        await rebuild(tx, pulled.context)
    clock.forward(days=1)
    assert await publish(whole=False) == 0
    assert await published(pulled) == {"I1": (0.5, "shown")}
    assert await publish() == 1
    assert await published(pulled, day) == {"I1": (0.5, "shown")}
    with pytest.raises(UsageError, match=r"Nothing had been published by .*--as-of"):
        await published(pulled)


async def test_before_the_first_entry_there_is_nothing_and_the_message_says_since_when(pulled, publish):
    await publish()
    day = pulled.context.today
    with pytest.raises(UsageError, match=rf"by {day - timedelta(days=3)}. The first was on {day}.*--as-of"):
        await published(pulled, day - timedelta(days=3))


async def test_what_was_published_last_is_no_news(pulled, publish, clock):
    doc = await report(pulled.context, timeframe="all")
    assert is_news(doc, present(pulled.store.url))
    await publish(doc=doc)
    assert not is_news(doc, present(pulled.store.url))
    doc["initiatives"][0]["progress"] = 0.75
    assert is_news(doc, present(pulled.store.url))
