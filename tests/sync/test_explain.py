"""`explain` over the real store: what a link of its own moved away is told, not silently gone."""

from datetime import timedelta

from domain.okr import Initiative, WorkSelector
from sync.answers import explain


async def test_a_child_that_counts_elsewhere_is_named_with_where_it_went(road, workspace, item):
    one = Initiative(id="I1", title="One", work=(WorkSelector(connection="jira", keys=("PAY-1",)),))
    other = Initiative(id="I2", title="Other", work=(WorkSelector(connection="jira", keys=("PAY-3",)),))
    road.use(workspace(initiatives=[one, other]))
    await road.take(item("1"), item("2", parent_id="1"), item("3", parent_id="1"))
    found = await explain(road.context, "I1")
    assert [row["key"] for row in found["inputs"]] == ["PAY-2"]
    gone = [row for row in found["excluded"] if row["key"] == "PAY-3"]
    assert [row["reason"] for row in gone] == ["moved_away"]
    assert "I2" in str(gone[0])


async def test_an_epic_has_a_forecast_of_its_own(road, item):
    now = road.clock()
    done = [
        item(
            str(n),
            parent_id="1",
            category="done",
            created_at=now - timedelta(days=60),
            completed_at=now - timedelta(days=n - 9),
        )
        for n in range(10, 30)
    ]
    due = (now + timedelta(days=90)).date()
    await road.take(item("1", level="epic", due_date=due), *done, *(item(str(n), parent_id="1") for n in range(30, 40)))
    found = await explain(road.context, "PAY-1")
    assert (found["due"], found["forecast"]["state"], found["forecast"]["indicative"]) == (due, "ok", False)
    assert found["forecast"]["probability"] > 0.9
    assert (await explain(road.context, "PAY-30"))["forecast"]["p50"] is None
