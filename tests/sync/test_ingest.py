"""Inbox to items: repeats and late arrivals change nothing, and what cannot be read holds up nobody."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from sqlalchemy import select, update

from domain.rules import CreateInitiative, MappingRule, Test
from domain.work import Category, Transition
from storage import inbox, items
from sync import ingest
from sync.refresh import catch_up
from sync.replay import replay


async def inbox_rows(road, state):
    async with road.store.read() as tx:
        return await inbox.waiting(tx, "jira", state=state)


async def test_a_page_is_taken_in_once_and_marked_as_read(road, item):
    done = await road.receive(item("1"), item("2"), run="run")
    again = await road.receive(item("1", title="other"), run="run")
    assert (done.items, done.moved) == (2, {("jira", "1"), ("jira", "2")})
    assert again == ingest.Ingested()
    assert {row.item.title for row in (await road.items()).values()} == {"Item 1", "Item 2"}
    assert [row.delivery_id for row in await inbox_rows(road, "done")] == ["run/changes/1"]


async def test_a_page_read_twice_changes_nothing(road, item, clock):
    page = [item("1", labels=("a",), fields={"n": [1, 2]}), item("2", parent_id="1", category="done")]
    await road.take(*page)
    before = await road.dump()
    done = await road.receive(*page)
    assert (done.moved, done.initiatives) == (set(), set())
    assert await road.refresh() == set()
    assert await road.dump() == before


async def test_an_older_page_after_a_newer_one_changes_nothing(road, item, clock):
    await road.take(item("1", title="new", updated_at=clock(), labels=("b",), blocked_by=("7",)))
    before = await road.dump()
    done = await road.receive(item("1", title="old", labels=("a",)), read_at=clock() - timedelta(minutes=1))
    assert (done.items, done.moved) == (0, set())
    await road.refresh()
    assert await road.dump() == before


async def test_there_and_back_within_one_updated_moves_each_time(road, item, clock):
    moves = []
    for estimate in (1, 2, 1):
        clock.forward(seconds=1)
        done = await road.receive(item("1", estimate=estimate))
        moves.append((bool(done.moved), (await road.items())["1"].item.estimate))
    assert moves == [(True, 1), (True, 2), (True, 1)]


async def test_what_a_payload_says_nothing_about_stays_as_it_was(road, item, clock):
    await road.receive(item("1", blocked_by=("7",), mirrors=("https://x/1",), title="old"))
    news = item("1", title="new", updated_at=clock.forward(minutes=1))
    await road.receive({"item": news, "unstated": ["blocked_by", "mirrors"]})
    found = (await road.items())["1"].item
    assert (found.title, found.blocked_by, found.mirrors) == ("new", ("7",), ("https://x/1",))


async def test_of_one_page_the_last_word_counts(road, item):
    await road.receive(item("1", title="first"), item("1", title="second"))
    assert (await road.items())["1"].item.title == "second"


async def test_one_malformed_issue_is_parked_alone_and_can_be_replayed(road, item):
    poison = {"itme": "without anything"}
    done = await road.take(item("1"), poison, item("3"))
    assert set(await road.items()) == {"1", "3"}
    assert [row.delivery_id for row in await inbox_rows(road, "done")] == ["run/changes/1"]
    (parked,) = await inbox_rows(road, "parked")
    assert orjson.loads(inbox.unpack(parked.body)) == [poison]
    assert "neither an item" in parked.error
    assert done == set()

    again = await replay(road.context, road.sources, parked=True, since=None)
    assert again == {"deliveries": 1, "items": 0, "parked": 1}
    assert len(await inbox_rows(road, "parked")) == 1


async def test_what_is_readable_by_now_is_written_by_a_replay(road, item):
    await road.take(item("1"), {"item": "soon"})
    (parked,) = await inbox_rows(road, "parked")
    mended = inbox.pack(orjson.dumps([{"item": item("2")}]))
    async with road.store.write() as tx:
        await tx.execute(update(inbox.inbox).where(inbox.inbox.c.id == parked.id).values(body=mended))
    assert await replay(road.context, road.sources, parked=True, since=None) == {
        "deliveries": 1,
        "items": 1,
        "parked": 0,
    }
    assert set(await road.items()) == {"1", "2"}
    assert await inbox_rows(road, "parked") == []


@pytest.mark.parametrize(("kind", "body"), [("items", b"<html>"), ("webhook", b'[{"itme":1},{"item":2}]')])
async def test_what_cannot_be_cut_is_parked_whole(road, item, kind, body):
    done = await road.receive(body=body, kind=kind)
    assert done.parked == 1
    (parked,) = await inbox_rows(road, "parked")
    assert inbox.unpack(parked.body) == body
    await road.receive(item("1"))
    assert set(await road.items()) == {"1"}


async def test_a_value_that_the_database_cannot_hold_parks_its_item_alone(road, item):
    await road.receive(item("1"), item("2", title="nul \x00 inside"), item("3"))
    stored = set(await road.items())
    parked = await inbox_rows(road, "parked")
    if road.store.path is None:
        assert stored == {"1", "3"}
        assert [row.error for row in parked] == [parked[0].error]
        assert "cannot hold" in parked[0].error
    else:
        assert stored == {"1", "2", "3"}
        assert parked == []
    assert await inbox_rows(road, "new") == []


async def test_pages_that_are_ready_together_are_stored_together(road, item):
    pages = [road.page(item(str(number)), item(str(number + 100), parent_id=str(number))) for number in range(1, 8)]
    done = await road.stream(*pages)
    assert (done.items, len(done.moved), done.parked) == (14, 14, 0)
    assert len(await road.items()) == 14
    assert [row.delivery_id for row in await inbox_rows(road, "done")] == [f"run/changes/{n}" for n in range(1, 8)]
    again = await road.stream(*pages)
    assert again.moved == set()
    assert len(await inbox_rows(road, "done")) == 7


async def test_a_page_that_cannot_be_read_parks_alone_among_those_stored_with_it(road, item):
    broken = road.page(item("3"), {"itme": 1}, item("4"))
    done = await road.stream(road.page(item("1")), broken, road.page(body=b"<html>"), road.page(item("2")))
    assert (done.items, done.parked) == (4, 2)
    assert set(await road.items()) == {"1", "2", "3", "4"}
    assert await inbox_rows(road, "new") == []


async def test_a_value_without_room_in_the_database_holds_back_no_page_stored_with_it(road, item):
    await road.stream(
        road.page(item("1")), road.page(item("2", title="nul \x00 inside"), item("3")), road.page(item("4"))
    )
    assert {"1", "3", "4"} <= set(await road.items())
    assert await inbox_rows(road, "new") == []


async def test_of_pages_stored_together_the_later_read_of_an_item_counts(road, item, clock):
    first, second = clock(), clock.forward(seconds=1)
    late = road.page(item("1", title="new"), read_at=second)
    early = road.page(item("1", title="old"), {"delete": "2"}, read_at=first)
    await road.stream(road.page(item("2"), read_at=first), late, early)
    stored = await road.items()
    assert stored["1"].item.title == "new"
    assert stored["2"].item.deleted


async def test_what_an_interrupted_run_left_is_read_by_the_next(road, item):
    async with road.store.write() as tx:
        for number, body in enumerate((orjson.dumps([{"item": item("1")}]), b"damaged", orjson.dumps([{"item": 1}]))):
            await inbox.put(
                tx,
                connection="jira",
                delivery_id=f"died/changes/{number}",
                kind="items",
                body=inbox.pack(body) if number != 1 else body,
                read_at=road.clock(),
            )
    done = await ingest.drain(road.context, road.sources["jira"])
    assert (done.items, done.parked) == (1, 2)
    assert await inbox_rows(road, "new") == []
    assert [row.error.split(":")[0] for row in await inbox_rows(road, "parked")] == [
        "the stored body is damaged",
        "neither an item nor anything else",
    ]


async def test_a_deleted_item_stays_deleted_whatever_arrives_late(road, item, clock):
    await road.receive(item("1"))
    seen_before = clock()
    deleted = clock.forward(minutes=5)
    await road.receive({"delete": "1"}, {"delete": "404"})
    assert (await road.items())["1"].item.deleted

    await road.receive(item("1"), read_at=seen_before)
    await road.receive(item("1", updated_at=clock()), read_at=deleted - timedelta(seconds=1))
    assert (await road.items())["1"].item.deleted

    again = await road.receive({"delete": "1"}, read_at=clock.forward(minutes=1))
    assert again.moved == set()


async def test_a_restored_item_is_not_deleted_by_an_old_message(road, item, clock):
    await road.receive(item("1"))
    deleted = clock.forward(minutes=1)
    clock.forward(minutes=1)
    await road.receive(item("1"))
    await road.receive({"delete": "1"}, read_at=deleted)
    assert not (await road.items())["1"].item.deleted


@pytest.mark.parametrize("way", ["deleted", "hidden"])
async def test_a_later_read_revives(road, item, clock, way):
    await road.take(item("1"))
    clock.forward(minutes=1)
    await (road.receive({"delete": "1"}) if way == "deleted" else road.hide("1"))
    await road.refresh()
    clock.forward(minutes=1)
    done = await road.receive(item("1"))
    assert done.moved == {("jira", "1")}
    assert (await road.items())["1"].item == item("1")


async def test_access_lost_keeps_its_first_day(road, item, clock):
    await road.receive(item("1"))
    await road.hide("1")
    first = await road.dump()
    clock.forward(days=3)
    done = road.moved = ingest.Ingested()
    await road.hide("1")
    assert done.moved == set()
    clock.forward(days=-3)
    assert await road.dump() == first


async def test_refetch_is_told_and_writes_nothing(road):
    done = await road.receive({"refetch": "5"})
    assert (done.refetch, done.items) == ({"5"}, 0)
    assert await road.items() == {}


async def test_names_and_start_survive_a_newer_version(road, item, clock, workspace):
    await road.receive(item("1", key="OLD-1"))
    clock.forward(minutes=1)
    await road.receive(item("1", key="MID-1", updated_at=clock()))
    clock.forward(minutes=1)
    await road.receive(item("1", key="NEW-1", updated_at=clock()))
    assert (await road.items())["1"].item.former_keys == ("OLD-1", "MID-1")
    clock.forward(minutes=1)
    await road.receive(item("1", key="OLD-1", updated_at=clock()))
    assert (await road.items())["1"].item.former_keys == ("MID-1", "NEW-1")


def moved_to(clock, status, *, number, days, item_id="1", field="status", before=None):
    at = clock() - timedelta(days=days)
    entry = Transition(
        connection="jira", item_id=item_id, id=f"{number}.0", at=at, field=field, before=before, after=status
    )
    return {"transition": entry}


STATUSES = {"statuses": {"1": ["Open", "todo"], "2": ["Doing", "in_progress"], "3": ["Shut", "done"]}}


async def finish(road, *ids, **how):
    source = road.sources["jira"]
    road.sources["jira"] = replace(source, reading=replace(source.reading, facts=STATUSES))
    async with road.store.write() as tx:
        road.moved.add(await ingest.finish_history(tx, road.context, road.sources["jira"], list(ids), **how))


async def test_history_proves_start_and_completion(road, item, clock):
    await road.receive(item("1", status="Shut", category="done", created_at=clock() - timedelta(days=9)))
    await road.receive(
        moved_to(clock, "Doing", number=1, days=8, before="Open"),
        moved_to(clock, "Shut", number=2, days=4, before="Doing"),
        kind="history",
    )
    await finish(road, "1")
    known = (await road.items())["1"]
    assert known.item.started_at == clock() - timedelta(days=8)
    assert known.item.completed_at == clock() - timedelta(days=4)
    assert known.history_at == known.item.updated_at
    clock.forward(minutes=1)
    await road.receive(item("1", status="Shut", category="done", updated_at=clock(), title="renamed"))
    assert (await road.items())["1"].item.started_at == known.item.started_at


async def test_a_version_that_its_history_reaches_keeps_the_end_that_it_proves(road, item, clock):
    shut = {"status": "Shut", "category": "done", "created_at": clock() - timedelta(days=9)}
    await road.receive(item("1", **shut))
    await road.receive(moved_to(clock, "Shut", number=2, days=4, before="Doing"), kind="history")
    await finish(road, "1")
    clock.forward(minutes=1)
    await road.receive(item("1", completed_at=clock() - timedelta(days=1), **shut))
    assert (await road.items())["1"].item.completed_at == clock() - timedelta(days=4, minutes=1)
    await road.receive(item("1", completed_at=clock(), updated_at=clock(), **shut))
    assert (await road.items())["1"].item.completed_at == clock()


async def test_a_version_that_came_while_the_history_was_asked_for_waits_for_its_own(road, item, clock):
    await road.receive(item("1"))
    async with road.store.read() as tx:
        reached = await items.updated(tx, "jira", ["1"])
    await road.receive(item("1", updated_at=clock(), title="changed meanwhile"))
    await finish(road, "1", reached=reached)
    async with road.store.read() as tx:
        assert await items.without_history(tx, "jira", since=None, after="", limit=9) == ["1"]
    await finish(road, "1")
    async with road.store.read() as tx:
        assert await items.without_history(tx, "jira", since=None, after="", limit=9) == []


@pytest.mark.parametrize(("category", "again"), [("in_progress", True), ("todo", False)])
async def test_where_the_tracker_keeps_no_past_a_new_start_is_the_start(road, item, clock, category, again):
    """A project that was put back and begun again, or put back alone: what the tracker states now is all there is."""
    flags = {"flags": ("no_history",)}
    await road.receive(item("1", status="Doing", category="in_progress", started_at=clock(), **flags))
    await finish(road, "1")
    later = clock.forward(days=1)
    began = later if again else None
    await road.receive(item("1", status=category, category=category, started_at=began, updated_at=later, **flags))
    await finish(road, "1")
    assert (await road.items())["1"].item.started_at == began


@pytest.mark.parametrize("category", ["in_progress", "done", "todo"])
async def test_where_the_tracker_keeps_no_past_its_own_start_stays(road, item, clock, category):
    began = clock() - timedelta(days=5)
    word = {"in_progress": "Doing", "done": "Shut", "todo": "Open"}[category]
    stated = {"status": word, "category": category, "started_at": began, "flags": ("no_history",)}
    await road.receive(item("1", created_at=clock() - timedelta(days=9), **stated))
    await finish(road, "1")
    assert (await road.items())["1"].item.started_at == began


async def test_the_key_of_a_parent_that_a_webhook_names_by_id_alone_stays(road, item, clock):
    await road.receive(item("2", parent_id="1", parent_key="PAY-1"))
    await road.receive(item("2", parent_id="1", updated_at=clock()))
    assert (await road.items())["2"].item.parent_key == "PAY-1"
    await road.receive(item("2", parent_id="9", updated_at=clock.forward(minutes=1)))
    assert (await road.items())["2"].item.parent_key is None


async def test_children_name_a_parent_by_its_new_key(road, item, clock):
    await road.take(item("1"), item("2", parent_id="1", parent_key="A-1"), item("3", parent_key="A-9"))
    clock.forward(seconds=1)
    await road.take(item("1", key="B-7"))
    assert {id_: row.item.parent_key for id_, row in (await road.items()).items()} == {
        "1": None,
        "2": "B-7",
        "3": "A-9",
    }


async def test_a_replayed_history_counts_for_items_that_did_not_move(road, item, clock):
    await road.receive(item("1", status="Shut", category="done", created_at=clock() - timedelta(days=9)))
    await finish(road, "1")
    await road.refresh()
    entry = moved_to(clock, "Shut", number=2, days=4, before="Open")
    async with road.store.write() as tx:
        await inbox.put(
            tx,
            connection="jira",
            delivery_id="1/0",
            kind="history",
            body=inbox.pack(orjson.dumps([entry])),
            read_at=clock(),
            error="could not be read then",
        )
    await replay(road.context, road.sources, parked=True, since=None)
    assert (await road.items())["1"].item.completed_at == clock() - timedelta(days=4)


def parent_rule(field, value, **more):
    return MappingRule(
        name="above", when=Test(field=f"parent.{field}", op="in", value=(value,)), initiative="I1", **more
    )


@pytest.mark.parametrize("order", [("1", "2"), ("2", "1")])
@pytest.mark.parametrize("together", [True, False])
async def test_rules_about_the_parent_see_it_whenever_it_comes(road, item, workspace, order, together):
    road.use(workspace(rules=(parent_rule("labels", "okr"),)))
    both = {"1": item("1", labels=("okr",)), "2": item("2", parent_key="PAY-1")}
    if together:
        await road.take(*(both[id_] for id_ in order))
    else:
        for id_ in order:
            await road.take(both[id_])
    assert (await road.links())["2"] == [("I1", "rule:above", None)]


async def test_rules_about_the_parent_see_it_in_a_page_that_comes_again(road, item, workspace):
    """The parent is named by key alone: the version that is stored knows which item that is."""
    rule = MappingRule(name="late", when=Test(field="parent.category", op="in", value=("done",)), set={"phase": "late"})
    road.use(workspace(rules=(parent_rule("labels", "okr"), rule)))
    child = item("2", parent_key="PAY-1")
    await road.take(item("1", labels=("okr",), category="done"), child)
    await road.take(child)
    assert (await road.links())["2"] == [("I1", "rule:above", None)]
    assert (await road.items())["2"].dimensions == {"phase": "late"}


async def test_rules_about_the_parent_follow_its_changes(road, item, workspace, clock):
    road.use(workspace(rules=(parent_rule("labels", "okr"),)))
    await road.take(item("1"), item("2", parent_id="1"))
    assert (await road.links())["2"] == []
    clock.forward(minutes=1)
    await road.take(item("1", labels=("okr",), updated_at=clock()))
    assert (await road.links())["2"] == [("I1", "rule:above", None)]
    clock.forward(minutes=1)
    await road.take({"delete": "1"})
    assert (await road.links())["2"] == []
    clock.forward(minutes=1)
    await road.take(item("1", labels=("okr",), updated_at=clock()))
    assert (await road.links())["2"] == [("I1", "rule:above", None)]


async def test_rules_about_the_parent_see_it_as_the_operator_does(road, item, workspace):
    connection = replace(workspace().connections["jira"], statuses={"shelved": "canceled"})
    road.use(workspace(connections={"jira": connection}, rules=(parent_rule("category", "canceled"),)))
    shelved = item("1", status="Shelved", category=Category.TODO)
    await road.take(item("2", parent_id="1"), shelved)
    assert (await road.links())["2"] == [("I1", "rule:above", None)]
    plain = workspace(rules=(parent_rule("category", "canceled"),), digest="second")
    road.use(plain)
    await catch_up(road.context)
    assert (await road.links())["2"] == []
    road.use(replace(plain, connections={"jira": connection}, digest="third"))
    await catch_up(road.context)
    assert (await road.links())["2"] == [("I1", "rule:above", None)]


async def test_an_item_that_makes_an_initiative_stops_making_it(road, item, workspace, clock):
    make = CreateInitiative(contributes=(("KR1", 1.0, None),))
    rule = MappingRule(name="made", when=Test(field="labels", op="in", value=("bet",)), initiative=make)
    road.use(workspace(rules=(rule,)))
    done = await road.receive(item("1", labels=("bet",)))
    assert done.initiatives == {"jira:PAY-1", "KR1"}
    clock.forward(minutes=1)
    done = await road.receive(item("1", updated_at=clock()))
    assert {"jira:PAY-1", "KR1"} <= done.initiatives
    assert (await road.dump())["created"] == {}


async def test_an_initiative_goes_with_its_item_whatever_arrives_late(road, item, workspace, clock):
    make = CreateInitiative(contributes=(("KR1", 1.0, None),))
    rule = MappingRule(name="made", when=Test(field="labels", op="in", value=("bet",)), initiative=make)
    road.use(workspace(rules=(rule,)))
    seen = clock()
    await road.receive(item("1", labels=("bet",), blocked_by=("2",)))
    clock.forward(minutes=1)
    await road.take({"delete": "1"})
    assert (await road.dump())["created"] == {}
    late = await road.receive(item("1", labels=("bet",), updated_at=clock()), read_at=seen)
    assert late == ingest.Ingested()
    assert (await road.dump())["created"] == {}


def test_an_entry_that_moves_an_item_nowhere_is_no_move(item, clock):
    entry = Transition(
        connection="jira", item_id="1", id="7.0", at=clock(), field="parent", before="PAY-2", after="PAY-2",
        before_id="2", after_id="2",
    )  # fmt: skip
    stays = item("1", parent_id="2", created_at=clock() - timedelta(days=9))
    assert ingest.entered_at(stays, [entry]) == stays.created_at
    assert ingest.entered_at(stays, [replace(entry, before_id="3", before="PAY-3")]) == clock()


async def test_a_parent_that_is_hidden_and_seen_again_was_there_since_it_became_one(road, item, clock):
    """All of it is one version of the item, whose past was read once."""
    entries = (moved_to(clock, "2", number=1, days=3, field="parent"),)

    async def entered_on():
        async with road.store.read() as tx:
            return await tx.scalar(select(items.items.c.entered_on).where(items.items.c.id == "1"))

    await road.receive(item("1"), item("2"))
    await road.receive(*entries, kind="history")
    await finish(road, "1")
    assert await entered_on() == item("1").created_at.date()
    clock.forward(minutes=1)
    await road.receive(item("1", parent_id="2"))
    assert await entered_on() == (clock() - timedelta(days=3)).date()
    clock.forward(minutes=1)
    await road.receive(item("1"))
    assert await entered_on() == item("1").created_at.date()
