"""What a tracker tells of its own accord: read once, folded, never lost, and stopped by nothing but itself."""

import asyncio
import itertools

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import LockedError, VendorUnavailableError
from domain.work import Upsert
from storage import inbox
from sync import deliveries, run
from sync.run import settle

numbers = itertools.count(1)


async def told(road, *entries, kind="webhook", body=None, connection="jira"):
    """Put a delivery into the inbox as the receiver does."""
    async with road.store.write() as tx:
        return await inbox.put(
            tx,
            connection=connection,
            delivery_id=f"guid-{next(numbers)}",
            kind=kind,
            body=inbox.pack(orjson.dumps(list(entries)) if body is None else body),
            read_at=road.clock(),
        )


async def states(road):
    async with road.store.read() as tx:
        return {
            state: [(row.id, row.attempts) for row in await inbox.waiting(tx, "jira", state=state, pushed=True)]
            for state in ("new", "done", "parked")
        }


async def test_what_is_named_is_read_again_once_and_counts(pulled, item):
    paper = pulled.tracker()
    paper.changed = [item("2", parent_id="1", category="done", updated_at=pulled.clock())]
    asked = []
    plain = paper.fetch

    async def fetch(client, connection, reading, ids):
        asked.append(list(ids))
        async for page in plain(client, connection, reading, ids):
            yield page

    paper.fetch = fetch
    for _ in range(3):
        await told(pulled, {"refetch": "2"})
    done = await deliveries.take_in(pulled.context, paper.live())
    assert asked == [["2"]]
    assert done.items == 1
    assert [len(rows) for rows in (await states(pulled)).values()] == [0, 3, 0]
    assert await settle(pulled.context) >= {"I1"}
    assert (await pulled.progress("I1")).value == 1.0


async def test_a_body_applies_where_it_is_newer_than_what_was_read(pulled, item):
    paper, then = pulled.tracker(), pulled.clock()
    pulled.clock.forward(minutes=5)
    await pulled.receive(item("2", parent_id="1", title="read", updated_at=then))
    await told(pulled, {"item": item("2", parent_id="1", title="told at the same time", updated_at=then)})
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.title == "read"
    await told(pulled, {"item": item("2", parent_id="1", title="told later", updated_at=pulled.clock())})
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.title == "told later"
    await pulled.receive(item("2", parent_id="1", title="read again", updated_at=pulled.clock()))
    assert (await pulled.items())["2"].item.title == "read again"


async def test_a_deletion_wins_over_what_was_told_beside_it(pulled, item):
    paper = pulled.tracker()
    await told(pulled, {"delete": "2"})
    await told(pulled, {"item": item("2", parent_id="1", updated_at=pulled.clock())}, {"refetch": "2"})
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.deleted


async def test_what_is_named_and_gone_is_judged(pulled):
    paper = pulled.tracker()
    paper.found = {"2": "deleted"}
    await told(pulled, {"refetch": "2"}, {"refetch": "never seen"})
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.deleted


async def test_a_sprint_names_the_items_that_are_in_it(pulled, item):
    await pulled.receive(item("2", parent_id="1", containers=("sprint:Crew 4",), updated_at=pulled.clock()))
    paper = pulled.tracker()
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock.forward(minutes=1))]
    await told(pulled, {"refetch": "sprint:7", "key": "sprint:Crew 4"})
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.title == "read again"


async def test_a_hint_is_read_again(pulled, item):
    paper = pulled.tracker()
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock())]
    await told(pulled, kind="hint", body=orjson.dumps([{"id": "2", "key": "PAY-2"}]))
    await deliveries.take_in(pulled.context, paper.live())
    assert (await pulled.items())["2"].item.title == "read again"


@pytest.mark.parametrize("body", [b"not json", b'[{"unheard": "of"}]', b'[{"item": 5}]'])
async def test_what_cannot_be_read_is_parked_alone(pulled, item, body):
    paper = pulled.tracker()
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock())]
    poison = await told(pulled, body=body)
    await told(pulled, {"refetch": "2"})
    done = await deliveries.take_in(pulled.context, paper.live())
    assert done.parked == 1
    assert (await pulled.items())["2"].item.title == "read again"
    assert [row for row, _ in (await states(pulled))["parked"]] == [poison]


async def test_a_tracker_that_is_away_loses_and_parks_nothing(pulled, item):
    paper = pulled.tracker()

    async def away(*_arguments):
        raise VendorUnavailableError("jira: 503")
        yield

    paper.fetch, there = away, paper.fetch
    row = await told(pulled, {"refetch": "2"})
    for _ in range(deliveries.POISON + 1):
        with pytest.raises(VendorUnavailableError):
            await deliveries.take_in(pulled.context, paper.live())
    assert (await states(pulled))["new"] == [(row, 0)]
    paper.fetch = there
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock())]
    await deliveries.take_in(pulled.context, paper.live())
    assert (await states(pulled))["done"] == [(row, 1)]
    assert (await pulled.items())["2"].item.title == "read again"


async def test_a_service_that_is_stopped_while_it_reads_blames_no_delivery(pulled, item):
    paper, reading = pulled.tracker(), asyncio.Event()

    async def slow(*_arguments):
        reading.set()
        await asyncio.Event().wait()
        yield

    paper.fetch, there = slow, paper.fetch
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock())]
    row = await told(pulled, {"refetch": "2"})
    for _ in range(deliveries.POISON + 1):
        reading.clear()
        job = asyncio.create_task(deliveries.take_in(pulled.context, paper.live()))
        await reading.wait()
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    assert (await states(pulled))["new"] == [(row, 0)]
    paper.fetch = there
    await deliveries.take_in(pulled.context, paper.live())
    assert (await states(pulled))["done"] == [(row, 1)]


async def test_a_delivery_that_its_readers_die_of_is_parked_and_the_others_are_read(pulled, item):
    """The process ends after `claim` each time: the count of the attempt is all that is left of it."""
    paper = pulled.tracker()
    paper.changed = [item("2", parent_id="1", title="read again", updated_at=pulled.clock())]
    poison = await told(pulled, {"refetch": "3"})
    good = await told(pulled, {"refetch": "2"})
    for _ in range(deliveries.SUSPECT):
        assert {row.id for row in await deliveries.claim(pulled.context, "jira")} == {poison, good}
    for _ in range(deliveries.SUSPECT, deliveries.POISON):
        assert [row.id for row in await deliveries.claim(pulled.context, "jira")] == [poison]
    await deliveries.take_in(pulled.context, paper.live())
    found = await states(pulled)
    assert [row for row, _ in found["parked"]] == [poison]
    assert [row for row, _ in found["done"]] == [good]
    assert (await pulled.items())["2"].item.title == "read again"


async def test_two_at_once_do_it_once(pulled):
    await told(pulled, {"refetch": "2"})
    async with pulled.store.lock("jira.deliveries"):
        with pytest.raises(LockedError):
            await deliveries.take_in(pulled.context, pulled.tracker().live())
    assert len((await states(pulled))["new"]) == 1


async def test_a_pull_leaves_what_was_told_to_those_who_read_it(pulled, item):
    paper = pulled.tracker()
    await told(pulled, {"refetch": "2"})
    await run.sync(pulled.context, {"jira": paper.live()})
    assert len((await states(pulled))["new"]) == 1


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(6)), again=st.lists(st.integers(0, 5), max_size=6), cut=st.integers(0, 6))
def test_any_order_of_bodies_ends_in_the_newest(order, again, cut, item, clock):
    """Whatever is repeated or overtakes: of the versions of an item the newest stays, in one batch or two."""
    at = clock()
    versions = [item("2", title=str(number), updated_at=at.replace(minute=number)) for number in range(6)]
    folded = [deliveries.Told(), deliveries.Told()]
    for place, number in enumerate([*order, *again]):
        folded[place >= cut].add(Upsert(item=versions[number]), at)
    newest = [one.upserts["2"].item for one in folded if one.upserts]
    assert max(newest, key=lambda one: one.updated_at).title == "5"
    assert all(len(one.pieces()) == (1 if one.upserts else 0) for one in folded)
