"""The portfolio over the real store: items once, unlinked work by dimension, flow by team, what was reopened."""

from datetime import timedelta

import pytest

from domain.errors import UsageError
from domain.okr import Contribution, Initiative, KeyResult, Objective, WorkSelector
from domain.rules import MappingRule, Test
from domain.work import Transition
from domain.workspace import Dimension
from storage import checkpoints
from storage import items as store
from sync.portfolio import portfolio


def work(*keys):
    return (WorkSelector(connection="jira", keys=keys),)


ONE = Initiative(
    id="I1",
    title="One",
    contributes=(Contribution(to="KR1", benefit=30.0),),
    planned_weeks=10,
    team="Pay",
    work=work("PAY-1", "PAY-2"),
)
TWO = Initiative(id="I2", title="Two", contributes=(Contribution(to="KR1"),), work=work("PAY-2", "PAY-3"))
PRODUCT = MappingRule(
    name="product", when=Test(field="labels", op="in", value=("shop",)), set={"product": ["Shop", "Core"]}
)


@pytest.fixture
def file(workspace):
    return workspace(
        objectives=[Objective(id="O1", title="O")],
        key_results=[KeyResult(id="KR1", objective="O1", title="K")],
        initiatives=[ONE, TWO],
        dimensions={"product": Dimension(name="product")},
        rules=(PRODUCT,),
    )


async def test_where_the_effort_goes(road, file, item):
    road.use(file)
    await road.take(
        item("1", category="done"),
        item("2", category="in_progress"),
        item("3"),
        item("4", labels=("shop",)),
        item("5"),
    )
    doc = await portfolio(road.context)
    assert (doc["totals"]["items"], doc["totals"]["done_items"]) == (3, 1)
    assert doc["totals"]["progress"] == pytest.approx(1 / 3)
    assert (doc["totals"]["planned_weeks"], doc["totals"]["done_weeks"]) == (10, 5)
    assert doc["unlinked"] == {"epics": 0, "items": 2}
    assert doc["unplanned"] == {"initiatives": ["I2"], "items": 1.5}
    (product,) = (one for one in doc["dimensions"] if one["dimension"] == "product")
    assert {row["value"]: row["unlinked_items"] for row in product["rows"]} == {"Shop": 0.5, "Core": 0.5, None: 1}
    assert [(row["id"], row["value_rate"]) for row in doc["ranking"]] == [("I1", 3), ("I2", None)]


async def test_work_without_a_team_flows_in_that_of_its_initiative(road, file, item):
    road.use(file)
    now = road.clock()
    await road.take(
        item("1", category="done", started_at=now - timedelta(days=9), completed_at=now - timedelta(days=2)),
        item("2", category="in_progress", started_at=now - timedelta(days=4), team="Web"),
    )
    flow = (await portfolio(road.context))["flow"]
    assert {row["team"]: (row["wip"], row["completed"]) for row in flow["teams"]} == {"Pay": (0, 1), "Web": (1, 0)}
    assert (flow["portfolio"]["cycle_p50"], flow["portfolio"]["oldest"]) == (7, 4)
    assert {row["id"]: row["wip"] for row in flow["initiatives"]} == {"I1": 1, "I2": 1}


async def test_what_was_done_and_taken_up_again(road, file, item):
    road.use(file)
    now = road.clock()
    await road.take(item("1", category="done", completed_at=now - timedelta(days=2)), item("2"))
    past = [
        ("1", "To Do", "Done"),
        ("2", "Done", "In Progress"),
        ("3", "In Progress", "Done"),
        ("4", "Done", "Won't Do"),
    ]
    async with road.store.write() as tx:
        await store.add_transitions(
            tx,
            [
                Transition(connection="jira", item_id="1", id=id_, at=now, field="status", before=before, after=after)
                for id_, before, after in past
            ],
        )
        known = {"To Do": "todo", "In Progress": "in_progress", "Done": "done", "Won't Do": "done"}
        await checkpoints.save(tx, "jira", "reading", {"facts": {"statuses": known}})
    flow = (await portfolio(road.context))["flow"]
    assert (flow["portfolio"]["reopened"], flow["portfolio"]["reopen_rate"]) == (1, 0.5)
    assert [(row["team"], row["reopened"]) for row in flow["teams"]] == [("Pay", 1)]


async def test_what_is_not_there_is_named_with_what_is(road, file):
    road.use(file)
    with pytest.raises(UsageError, match="no dimension 'bet'"):
        await portfolio(road.context, by="bet")
    with pytest.raises(UsageError, match="no timeframe '2027'"):
        await portfolio(road.context, timeframe="2027")


async def test_an_empty_store_has_a_portfolio(road, file):
    road.use(file)
    doc = await portfolio(road.context, by="product")
    assert (doc["totals"]["items"], doc["totals"]["progress"], doc["complete_to"]) == (0, None, None)
