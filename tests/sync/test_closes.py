"""Health by the closes of past days, from the history of items: the same whenever it is computed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from rollup.health import Close
from storage.views import present
from sync.answers import now_there
from sync.closes import closes, keep_closes
from sync.present import is_current, show
from sync.publish import plan
from sync.refresh import catch_up, rebuild

Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))
O1 = Objective(id="O1", title="Checkout", timeframe="2026-Q4")
KR1 = KeyResult(id="KR1", objective="O1", title="Regions")
I1 = Initiative(
    id="I1",
    title="One click",
    contributes=(Contribution(to="KR1"),),
    start=date(2026, 10, 1),
    work=(WorkSelector(connection="jira", keys=("PAY-1",)),),
)
BEGUN = datetime(2026, 10, 5, 9, tzinfo=UTC)
DONE = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture
async def company(road, workspace, item):
    """Twenty-five items, nine of them done in early November: 16 points behind on 17 November, 17 on the 18th."""
    road.use(workspace(timeframes=[Q4], objectives=[O1], key_results=[KR1], initiatives=[I1]))
    road.children = [
        item(str(n), parent_id="1", created_at=BEGUN, category="done" if n < 11 else "todo",
             completed_at=DONE if n < 11 else None)
        for n in range(2, 27)
    ]  # fmt: skip
    await road.receive(item("1", level="epic", created_at=BEGUN), *road.children)
    await catch_up(road.context)
    return road


def shown(road, id_="KR1"):
    doc = show(road.context.workspace, present(road.store.url), None, timeframe="all", now=road.clock())
    return next(row for row in [*doc["key_results"], *doc["initiatives"]] if row["id"] == id_)


@pytest.mark.parametrize("id_", ["KR1", "I1"])
async def test_one_close_beyond_a_boundary_moves_nothing_two_do(company, id_):
    today = shown(company, id_)
    assert (today["health"], today["progress"]) == ("on_track", 0.36)
    assert "Held at on track until the next close confirms at risk." in today["health_reasons"]
    company.clock.forward(days=1)
    await catch_up(company.context)
    assert shown(company, id_)["health"] == "at_risk"


async def test_only_the_closes_that_decide_are_kept(company):
    kept = present(company.store.url).closes
    assert kept == {
        "I1": [["2026-11-17", 0.36, None], ["2026-11-16", 0.36, None]],
        "KR1": [["2026-11-17", 0.36, None], ["2026-11-16", 0.36, None]],
    }


async def test_far_from_every_boundary_nothing_is_kept(company, item):
    company.clock.forward(days=5)
    await catch_up(company.context)
    there = present(company.store.url)
    assert (dict(there.closes), there.closes_due) == ({}, False)


async def test_health_does_not_depend_on_when_it_was_computed(company):
    for _ in range(2):
        company.clock.forward(hours=20)
        await catch_up(company.context)
    daily = shown(company)["health"]
    async with company.store.alone() as tx:
        await rebuild(tx, company.context)
    assert not is_current(present(company.store.url), company.context.workspace, company.clock())
    await keep_closes(company.context)
    assert is_current(present(company.store.url), company.context.workspace, company.clock())
    assert shown(company)["health"] == daily


async def test_history_that_comes_late_is_taken_into_account(company):
    """Three of the nine were done only today, it turns out: yesterday closed far behind."""
    now = company.clock.forward(minutes=5)
    await company.take(*(replace(one, completed_at=now, updated_at=now) for one in company.children[:3]))
    assert present(company.store.url).closes_due
    await catch_up(company.context)
    row = shown(company)
    assert (row["progress"], row["health"]) == (0.36, "at_risk")


async def test_what_is_published_is_judged_by_the_closes_too(company):
    async with company.store.alone() as tx:
        await rebuild(tx, company.context)
    assert shown(company)["health"] == "at_risk"
    assert await plan(company.context) == []
    assert shown(company)["health"] == "on_track"


async def test_closes_before_a_past_instant(company):
    there = await now_there(company.context)
    at = company.clock() - timedelta(days=1)
    async with company.store.read() as tx:
        found = await closes(tx, company.context, there, at, {"KR1"})
    assert found == {
        "KR1": (Close(day=date(2026, 11, 16), progress=0.36), Close(day=date(2026, 11, 15), progress=0.36))
    }
