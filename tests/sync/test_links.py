"""Who counts for what: links come down the tree, and follow every change of it."""

from dataclasses import replace

import pytest

from domain.okr import Initiative, WorkSelector
from domain.rules import MappingRule, Test
from domain.workspace import Connection
from sync.ingest import finish_history
from sync.links import relink_all

OWN = ("I1", "work", None)
FROM_1 = ("I1", "work", "PAY-1")


def initiative(id_, *keys, connection="jira"):
    return Initiative(id=id_, title=id_, work=(WorkSelector(connection=connection, keys=keys),))


def labelled(name, label, to, **more):
    return MappingRule(name=name, when=Test(field="labels", op="in", value=(label,)), initiative=to, **more)


@pytest.fixture
def mapped(road, workspace):
    """A road whose file names PAY-1 under I1 and PAY-5 under I2; `also` adds I3, `move` takes to I2."""
    rules = (labelled("also", "also", "I3", also=True), labelled("move", "move", "I2"))
    road.use(workspace(initiatives=[initiative("I1", "PAY-1"), initiative("I2", "PAY-5")], rules=rules))
    return road


async def checked(road):
    """Return the links, after making sure that computing them anew says the same."""
    found = await road.links()
    async with road.store.write() as tx:
        await relink_all(tx, road.context.mapper)
    assert await road.links() == found
    return found


async def test_links_come_down_to_all_below(mapped, item):
    below = [item(id_, parent_id=above) for id_, above in (("2", "1"), ("3", "2"), ("4", "3"))]
    await mapped.take(item("1"), *below, item("9"))
    assert await checked(mapped) == {"1": [OWN], "2": [FROM_1], "3": [FROM_1], "4": [FROM_1], "9": []}


async def test_children_may_come_first(mapped, item):
    await mapped.take(item("3", parent_id="2"))
    await mapped.take(item("2", parent_id="1"))
    assert await checked(mapped) == {"2": [], "3": []}
    await mapped.take(item("1"))
    assert await checked(mapped) == {"1": [OWN], "2": [FROM_1], "3": [FROM_1]}


async def test_a_nearer_link_moves_a_whole_branch_away(mapped, item):
    await mapped.take(
        item("1"), item("2", parent_id="1", labels=("move",)), item("3", parent_id="2"), item("4", parent_id="1")
    )
    assert await checked(mapped) == {
        "1": [OWN],
        "2": [("I2", "rule:move", None)],
        "3": [("I2", "rule:move", "PAY-2")],
        "4": [FROM_1],
    }


async def test_a_rule_that_adds_keeps_what_comes_from_above(mapped, item):
    await mapped.take(item("1"), item("2", parent_id="1", labels=("also",)), item("3", parent_id="2"))
    assert await checked(mapped) == {
        "1": [OWN],
        "2": [FROM_1, ("I3", "rule:also", None)],
        "3": [FROM_1, ("I3", "rule:also", "PAY-2")],
    }


async def test_a_branch_that_changes_its_parent_changes_its_links(mapped, item, clock):
    await mapped.take(
        item("1"), item("5"), item("2", parent_id="1"), item("3", parent_id="2"), item("4", parent_id="3")
    )
    clock.forward(minutes=1)
    await mapped.take(item("2", parent_id="5", updated_at=clock()))
    from_5 = ("I2", "work", "PAY-5")
    assert await checked(mapped) == {
        "1": [OWN], "5": [("I2", "work", None)], "2": [from_5], "3": [from_5], "4": [from_5],
    }  # fmt: skip
    clock.forward(minutes=1)
    await mapped.take(item("2", updated_at=clock()))
    assert await checked(mapped) == {"1": [OWN], "5": [("I2", "work", None)], "2": [], "3": [], "4": []}


async def test_a_link_that_is_taken_away_goes_from_all_below(mapped, item, clock):
    await mapped.take(item("1"), item("2", labels=("move",)), item("3", parent_id="2"))
    clock.forward(minutes=1)
    await mapped.take(item("2", updated_at=clock()))
    assert await checked(mapped) == {"1": [OWN], "2": [], "3": []}


async def test_nothing_comes_down_from_a_deleted_item_and_all_of_it_again_from_a_restored_one(mapped, item, clock):
    await mapped.take(item("1"), item("2", parent_id="1"), item("3", parent_id="2"))
    clock.forward(minutes=1)
    await mapped.take({"delete": "2"})
    assert await checked(mapped) == {"1": [OWN], "2": [FROM_1], "3": []}
    clock.forward(minutes=1)
    await mapped.take(item("2", parent_id="1", updated_at=clock()))
    assert await checked(mapped) == {"1": [OWN], "2": [FROM_1], "3": [FROM_1]}


async def test_a_new_key_of_an_ancestor_is_told_below(mapped, item, clock):
    await mapped.take(item("5"), item("2", parent_id="5"))
    clock.forward(minutes=1)
    await mapped.take(item("5", key="CORE-5", updated_at=clock()))
    assert await checked(mapped) == {"5": [("I2", "work", None)], "2": [("I2", "work", "CORE-5")]}


async def test_cycles_end_and_heal(mapped, item, clock):
    around = [item(id_, parent_id=above) for id_, above in (("1", "3"), ("2", "1"), ("3", "2"), ("7", "7"))]
    await mapped.take(*around)
    assert await checked(mapped) == {"1": [OWN], "2": [FROM_1], "3": [FROM_1], "7": []}
    clock.forward(minutes=1)
    await mapped.take(item("2", updated_at=clock(), labels=("also",)))
    assert await checked(mapped) == {
        "1": [OWN],
        "2": [("I3", "rule:also", None)],
        "3": [("I3", "rule:also", "PAY-2")],
        "7": [],
    }


async def test_an_item_named_under_an_initiative_stays_linked_after_it_moved(mapped, item, clock):
    await mapped.take(item("1"), item("2", parent_id="1"))
    clock.forward(minutes=1)
    await mapped.take(item("1", key="CORE-77", project="CORE", updated_at=clock()))
    assert await checked(mapped) == {"1": [OWN], "2": [("I1", "work", "CORE-77")]}
    clock.forward(minutes=1)
    await mapped.take(item("1", key="WEB-3", project="WEB", updated_at=clock(), title="again"))
    assert (await checked(mapped))["1"] == [OWN]


async def test_a_name_that_only_the_history_knows_links_too(mapped, item, clock):
    await mapped.take(item("9", key="CORE-77"))
    assert (await mapped.links())["9"] == []
    entry = {"connection": "jira", "item_id": "9", "id": "1.0", "at": clock(), "field": "key"}
    await mapped.receive({"transition": {**entry, "before": "PAY-1", "after": "CORE-77"}}, kind="history")
    async with mapped.store.write() as tx:
        mapped.moved.add(await finish_history(tx, mapped.context, mapped.sources["jira"], ["9"]))
    await mapped.refresh()
    assert (await checked(mapped))["9"] == [OWN]


@pytest.fixture
def mirrored(road, workspace):
    """PAY-1 of `jira` and ENG-1 of `linear` are the same work; the former is in I1, the latter in I2."""
    file = workspace()
    linear = Connection(name="linear", type="linear", url="https://linear.test")
    road.use(
        replace(
            file,
            connections={**file.connections, "linear": linear},
            mirrors=((("jira", "PAY-1"), ("linear", "ENG-1")),),
            initiatives={"I1": initiative("I1", "PAY-1"), "I2": initiative("I2", "ENG-1", connection="linear")},
        )
    )
    return road


def copy(item, **more):
    return item("a", connection="linear", tracker="linear", key="ENG-1", **more)


@pytest.mark.parametrize("order", ["leader first", "copy first"])
async def test_the_leading_item_takes_the_links_of_its_copy(mirrored, item, order):
    first, second = [(item("1"), "jira"), (copy(item), "linear")][:: 1 if order == "leader first" else -1]
    await mirrored.take(first[0], connection=first[1])
    await mirrored.take(second[0], connection=second[1])
    assert await checked(mirrored) == {"1": [OWN, ("I2", "mirror:ENG-1", None)], "a": [("I2", "work", None)]}
    assert {id_: row.mirror_of for id_, row in (await mirrored.items()).items()} == {"1": None, "a": "jira:1"}
    assert [(await mirrored.progress(id_)).items for id_ in ("I1", "I2")] == [1, 1]


async def test_the_copy_counts_again_when_the_leading_item_is_gone(mirrored, item, clock):
    await mirrored.take(item("1"))
    await mirrored.take(copy(item), connection="linear")
    clock.forward(minutes=1)
    await mirrored.take({"delete": "1"})
    assert (await mirrored.items())["a"].mirror_of is None
    assert [(await mirrored.progress(id_)).items for id_ in ("I1", "I2")] == [0, 1]


@pytest.fixture
def by_tracker(mirrored):
    """As `mirrored`, but the file does not say that the two are the same work."""
    mirrored.use(replace(mirrored.context.workspace, mirrors=()))
    return mirrored


@pytest.mark.parametrize("address", ["https://jira.test/browse/PAY-1", "jira:PAY-1"])
@pytest.mark.parametrize("order", ["leader first", "copy first"])
async def test_what_a_tracker_knows_to_be_kept_elsewhere_counts_once(by_tracker, item, order, address):
    first, second = [(item("1"), "jira"), (copy(item, mirrors=(address,)), "linear")][:: 1 if "leader" in order else -1]
    await by_tracker.take(first[0], connection=first[1])
    await by_tracker.take(second[0], connection=second[1])
    assert await checked(by_tracker) == {"1": [OWN, ("I2", "mirror:ENG-1", None)], "a": [("I2", "work", None)]}
    assert {id_: row.mirror_of for id_, row in (await by_tracker.items()).items()} == {"1": None, "a": "jira:1"}
    assert [(await by_tracker.progress(id_)).items for id_ in ("I1", "I2")] == [1, 1]


async def test_a_page_that_tells_of_copies_alone_is_enough(by_tracker, item):
    await by_tracker.take(item("1"))
    await by_tracker.take(copy(item), connection="linear")
    await by_tracker.take({"mirrors": {"a": ["jira:PAY-1"]}}, connection="linear", kind="links")
    assert {id_: row.mirror_of for id_, row in (await by_tracker.items()).items()} == {"1": None, "a": "jira:1"}
    assert [(await by_tracker.progress(id_)).items for id_ in ("I1", "I2")] == [1, 1]


async def test_it_counts_twice_again_when_the_tracker_no_longer_says_so(by_tracker, item, clock):
    await by_tracker.take(item("1"))
    await by_tracker.take(copy(item, mirrors=("jira:PAY-1",)), connection="linear")
    clock.forward(minutes=1)
    await by_tracker.take(copy(item, updated_at=clock()), connection="linear")
    assert await checked(by_tracker) == {"1": [OWN], "a": [("I2", "work", None)]}
    assert {row.mirror_of for row in (await by_tracker.items()).values()} == {None}


@pytest.mark.parametrize("address", ["https://elsewhere.test/browse/PAY-1", "https://jira.test/browse/PAY-404"])
async def test_an_address_of_no_item_of_ours_mirrors_nothing(by_tracker, item, address):
    await by_tracker.take(item("1"))
    await by_tracker.take(copy(item, mirrors=(address,)), connection="linear")
    assert {row.mirror_of for row in (await by_tracker.items()).values()} == {None}
