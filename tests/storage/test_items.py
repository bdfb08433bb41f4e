"""Items: a version applies when it is newer, a tombstone holds against older reads, and nothing is lost on the way."""

import dataclasses
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.work import Category, Level, Link, Transition, WorkItem
from storage import items
from storage.engine import dumps, loads

BERLIN = ZoneInfo("Europe/Berlin")
CHANGED = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def write(store, clock):
    """Write items as a read that starts now sees them."""

    async def into(*batch, own=(), dimensions=None, read_at=None):
        rows = [items.row_of(item, own, dimensions or {}, read_at or clock(), BERLIN) for item in batch]
        async with store.write() as tx:
            await items.upsert(tx, rows)

    return into


@pytest.fixture
def stored(store):
    """Return a stored item."""

    async def of(id_="1", connection="jira"):
        async with store.read() as tx:
            return (await items.versions(tx, connection, [id_])).get(id_)

    return of


def full(item, clock):
    """An item that says something in every field."""
    return item(
        "7",
        category="done",
        level="subtask",
        vendor_level=Level.ISSUE,
        stage="review",
        resolution="Größe",
        estimate=0.5,
        time_estimate=3600.0,
        parent_id="3",
        parent_key="PAY-3",
        containers=("sprint:1",),
        labels=("b", "a"),
        assignees=("maria",),
        team="Payments",
        sprint="Sprint 1",
        milestone="1.0",
        status_changed_at=clock(),
        started_at=clock() - timedelta(days=3),
        completed_at=clock() - timedelta(days=1),
        canceled_at=clock(),
        start_date=date(2026, 10, 1),
        due_date=date(2026, 12, 1),
        archived=True,
        flags=("bad_estimate",),
        fields={"region": ["EU", {"x": None}], "n": 1.25},
        blocked_by=("8",),
        mirrors=("https://x/1",),
        former_keys=("OLD-1",),
    )


async def test_an_item_comes_back_as_it_was(item, clock, write, stored):
    whole = full(item, clock)
    plain = {field.name for field in dataclasses.fields(WorkItem)} - {"deleted", "inaccessible", "dimensions", "links"}
    assert {name for name in plain if not getattr(whole, name)} == set()
    await write(
        whole,
        own=[{"initiative": "I1", "rule": "work", "also": False}, {"initiative": "I2", "rule": "rule:x", "also": True}],
        dimensions={"region": {"EU": 0.7}},
    )
    found = await stored("7")
    assert found.item == whole
    assert found.read_at == clock()
    assert found.own == ((Link(initiative="I1", rule="work"), False), (Link(initiative="I2", rule="rule:x"), True))
    assert found.dimensions == {"region": {"EU": 0.7}}
    assert (found.scope, found.history_at, found.mirror_of) == (0, None, None)


def test_json_of_an_item_is_read_back_whole(item, clock):
    assert items.item_of(loads(dumps(full(item, clock)))) == full(item, clock)


async def test_days_are_those_of_the_zone(store, item, clock, write):
    late = clock().replace(hour=23, minute=30)
    await write(item("1", category="done", completed_at=late, created_at=late - timedelta(days=1)))
    async with store.read() as tx:
        row = (await tx.execute(items.items.select())).one()
    assert (row.completed_on, row.entered_on) == (date(2026, 11, 19), date(2026, 11, 18))


async def test_a_newer_version_applies(item, clock, write, stored):
    await write(item(title="old"))
    await write(item(title="new", updated_at=clock()), read_at=clock() - timedelta(hours=1))
    assert (await stored()).item.title == "new"


async def test_an_older_version_changes_nothing(item, clock, write, stored):
    await write(item(title="new", updated_at=clock()))
    await write(item(title="old"), read_at=clock() + timedelta(hours=1))
    assert (await stored()).item.title == "new"
    assert (await stored()).read_at == clock()


async def test_an_equal_version_applies_if_it_was_read_later(item, clock, write, stored):
    await write(item(title="first"))
    await write(item(title="before"), read_at=clock() - timedelta(seconds=1))
    assert (await stored()).item.title == "first"
    await write(item(title="after"), read_at=clock() + timedelta(seconds=1))
    assert (await stored()).item.title == "after"


async def test_there_and_back_within_one_updated_is_seen_each_time(item, clock, write, stored):
    seen = []
    for title in ("A", "B", "A"):
        await write(item(title=title), read_at=clock.forward(seconds=1))
        seen.append((await stored()).item.title)
    assert seen == ["A", "B", "A"]


@pytest.mark.parametrize(
    "state", [{"deleted_at": True}, {"inaccessible_on": date(2026, 11, 18)}], ids=["deleted", "inaccessible"]
)
async def test_a_tombstone_holds_until_a_later_read(store, item, clock, write, stored, state):
    await write(item())
    gone = clock.forward(minutes=1)
    async with store.write() as tx:
        found = (await items.versions(tx, "jira", ["1"]))["1"]
        marks = {name: gone if value is True else value for name, value in state.items()}
        await items.mark(tx, found, read_at=gone, **marks)
    buried = (await stored()).item
    assert (buried.deleted, buried.inaccessible) == ("deleted_at" in state, "inaccessible_on" in state)

    await write(item(), read_at=gone - timedelta(seconds=1))
    await write(item(updated_at=gone + timedelta(hours=1)), read_at=gone)
    assert (await stored()).item == buried

    await write(item(), read_at=gone + timedelta(seconds=1))
    assert (await stored()).item == item()
    async with store.read() as tx:
        row = (await tx.execute(items.items.select())).one()
    assert (row.deleted_at, row.inaccessible_on) == (None, None)


async def test_what_is_deleted_is_counted_nowhere(store, item, clock, write):
    await write(item("1"), item("2"), item("3", connection="other", flags=("unmapped_status",)))
    async with store.write() as tx:
        found = (await items.versions(tx, "jira", ["1"]))["1"]
        await items.mark(tx, found, read_at=clock(), deleted_at=clock())
        assert await items.counts(tx) == {"jira": 1, "other": 1}
        assert await items.not_read_since(tx, "jira", clock() + timedelta(seconds=1)) == ["2"]
        assert await items.not_read_since(tx, "jira", clock()) == []
        assert await items.without_history(tx, "jira", since=None, after="", limit=9) == ["2"]
        assert await items.unmapped_statuses(tx) == [("other", "todo", 1)]


async def test_the_census_finds_gaps_on_both_sides(store, item, clock, write):
    await write(item("1"), item("2"), item("3"), item("9", connection="other"))
    async with store.write() as tx:
        gone = (await items.versions(tx, "jira", ["3"]))["3"]
        await items.mark(tx, gone, read_at=clock(), deleted_at=clock())
        await items.start_census(tx, "jira")
        await items.add_census(tx, "jira", ["2", "3", "4"])
        await items.add_census(tx, "jira", ["4"])
        assert await items.census_gaps(tx, "jira") == (["3", "4"], ["1"])
        await items.start_census(tx, "jira")
        assert await items.census_gaps(tx, "jira") == ([], ["1", "2"])


async def test_items_are_found_by_key_without_case(store, item, write):
    await write(item("1", key="acme/Api#9"), item("2", key="PAY-2"), item("3", key="PAY-2", connection="other"))
    async with store.read() as tx:

        async def found(*arguments):
            return [row.item.id for row in await items.by_key(tx, *arguments)]

        assert await found("pay-2") == ["2", "3"]
        assert await found("Pay-2", "other") == ["3"]
        assert await found("ACME/aPI#9") == ["1"]
        assert await found("PAY-3") == []


async def test_items_are_found_by_the_keys_that_they_had(store, item, write):
    await write(
        item("1", key="PAY-1", former_keys=("OLD-1", "MID-1")),
        item("2", key="PAY-2", former_keys=("old-1",)),
        item("3", key="PAY-3", connection="other", former_keys=("OLD-1",)),
        item("4", key="OLD-1"),
    )
    async with store.read() as tx:

        async def found(*arguments):
            return [row.item.id for row in await items.by_former_key(tx, *arguments)]

        assert await found("Old-1") == ["1", "2", "3"]
        assert await found("OLD-1", "other") == ["3"]
        assert await found("MID-1") == ["1"]
        assert await found("OLD") == await found("PAY-1") == []


@pytest.mark.parametrize("size", [1, 2, 3, 50])
async def test_a_stream_has_each_item_once_in_order(store, item, write, size):
    await write(*(item(id_, connection=name) for name in ("b", "a") for id_ in ("2", "10", "1")))
    async with store.read() as tx:
        chunks = [[(row.item.connection, row.item.id) for row in chunk] async for chunk in items.stream(tx, size=size)]
        only = [row.item.id async for chunk in items.stream(tx, connection="a", size=size) for row in chunk]
    assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    assert [ref for chunk in chunks for ref in chunk] == [(name, id_) for name in "ab" for id_ in ("1", "10", "2")]
    assert only == ["1", "10", "2"]


async def test_more_ids_than_fit_into_one_statement(store, item, write):
    many = [str(number) for number in range(1101)]
    await write(*(item(id_) for id_ in many))
    async with store.read() as tx:
        assert set(await items.versions(tx, "jira", many)) == set(many)


async def test_rewriting_leaves_the_version_alone(store, item, clock, write, stored):
    await write(item())
    again = dataclasses.replace(item(), category=Category.DONE, stage="review", level=Level.EPIC, team="Pay")
    own = [{"initiative": "I1", "rule": "work", "also": False}]
    async with store.write() as tx:
        await items.rewrite(tx, [items.row_of(again, own, {"a": "b"}, clock() + timedelta(days=9), BERLIN)])
    found = await stored()
    assert (found.item, found.dimensions, found.read_at) == (again, {"a": "b"}, clock())
    assert found.own == ((Link(initiative="I1", rule="work"), False),)


async def test_blockers_are_those_of_the_latest_version(store, item, write):
    async def blockers():
        async with store.read() as tx:
            return {(row.item_id, row.blocker_id) for row in await tx.execute(items.blockers.select())}

    first = [item("1", blocked_by=("2", "3", "2")), item("4", blocked_by=("1",))]
    await write(*first)
    async with store.write() as tx:
        await items.set_blockers(tx, first, set())
    assert await blockers() == {("1", "2"), ("1", "3"), ("4", "1")}
    async with store.write() as tx:
        await items.set_blockers(tx, [item("1", blocked_by=("3", "5"))], {"1"})
    assert await blockers() == {("1", "3"), ("1", "5"), ("4", "1")}
    async with store.write() as tx:
        await items.set_blockers(tx, [item("1"), item("4")], {"1", "4"})
    assert await blockers() == set()


def change(number, *, item_id="1", entry=None, after="Done"):
    return Transition(
        connection="jira",
        item_id=item_id,
        id=entry or f"{number}.0",
        at=CHANGED + timedelta(hours=number),
        field="status",
        before="To do",
        after=after,
        before_id=None,
        after_id="3",
    )


async def test_the_past_is_kept_once_and_told_oldest_first(store):
    async with store.write() as tx:
        await items.add_transitions(tx, [change(12), change(9), change(3, item_id="2")])
        await items.add_transitions(tx, [change(9, after="changed since"), change(1)])
        await items.add_transitions(tx, [])
        found = await items.transitions_of(tx, "jira", ["1", "5"])
        everything = [entry async for chunk in items.all_transitions(tx, size=2) for entry in chunk]
    assert found == {"1": [change(1), change(9, after="changed since"), change(12)], "5": []}
    assert sorted(entry.id for entry in everything) == ["1.0", "12.0", "3.0", "9.0"]


async def test_a_whole_reading_takes_the_place_of_what_was_read_before(store):
    """What an earlier reading made of an entry, not knowing what came later, does not stay."""
    async with store.write() as tx:
        await items.add_transitions(tx, [change(1), change(9), change(3, item_id="2")])
        await items.add_transitions(tx, [change(9, after="Reviewed")], {("jira", "1"), ("jira", "7")})
        assert await items.transitions_of(tx, "jira", ["1", "2"]) == {
            "1": [change(9, after="Reviewed")],
            "2": [change(3, item_id="2")],
        }


async def test_entries_of_one_instant_are_told_in_order_of_their_number(store):
    at_once = [dataclasses.replace(change(1, entry=entry), at=CHANGED) for entry in ("100.1", "99.0", "100.0")]
    async with store.write() as tx:
        await items.add_transitions(tx, at_once)
        found = await items.transitions_of(tx, "jira", ["1"])
    assert [entry.id for entry in found["1"]] == ["99.0", "100.0", "100.1"]


async def test_history_is_missing_until_it_reaches_the_item(store, item, clock, write):
    await write(item("1"), item("2", updated_at=clock() - timedelta(days=9)), item("3"))

    async def missing(**asked):
        async with store.read() as tx:
            return await items.without_history(tx, "jira", **{"since": None, "after": "", "limit": 9, **asked})

    assert await missing() == ["1", "2", "3"]
    assert await missing(since=clock() - timedelta(days=2)) == ["1", "3"]
    assert await missing(after="1", limit=1) == ["2"]
    known = dataclasses.replace(item("1"), started_at=clock() - timedelta(days=5))
    async with store.write() as tx:
        proved = {
            "connection": "jira", "id": "1", "completed_on": None, "canceled_on": None,
            "entered_on": date(2026, 11, 11), "history_at": known.updated_at, "data": known,
        }  # fmt: skip
        await items.set_history(tx, [proved])
    assert await missing() == ["2", "3"]
    await write(item("1", updated_at=clock()))
    assert await missing() == ["1", "2", "3"]
    async with store.read() as tx:
        rows = await tx.execute(items.items.select().where(items.items.c.id == "1"))
    assert rows.one().entered_on == date(2026, 11, 11)


async def test_what_a_run_has_read_is_known_by_time(store, item, clock, write):
    await write(item("1"))
    later = clock.forward(hours=1)
    await write(item("2"))
    async with store.read() as tx:
        assert await items.read_since(tx, "jira", ["1", "2", "3"], later) == {"2"}
