"""What people say of health over the real store: it stands until its day is over or it is taken back."""

from dataclasses import replace
from datetime import date

import pytest

from domain.errors import UsageError
from domain.okr import Contribution, Health, Initiative, KeyResult, ManualRollup, Objective, Timeframe, WorkSelector
from storage.views import present
from sync import exports, overrides
from sync.present import show
from sync.refresh import catch_up

DAY = date(2026, 11, 18)
Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))
O1 = Objective(id="O1", title="Checkout", timeframe="2026-Q4")
KR1 = KeyResult(id="KR1", objective="O1", title="Regions")
I1 = Initiative(
    id="I1",
    title="One click",
    contributes=(Contribution(to="KR1"),),
    work=(WorkSelector(connection="jira", keys=("PAY-1",)),),
)


@pytest.fixture
async def company(road, workspace, item):
    """An epic half done, in an initiative of a key result of an objective."""
    road.use(workspace(timeframes=[Q4], objectives=[O1], key_results=[KR1], initiatives=[I1]))
    await road.receive(item("1", level="epic"), item("2", parent_id="1"), item("3", parent_id="1", category="done"))
    await catch_up(road.context)
    return road


async def say(road, id_="KR1", health=Health.OFF_TRACK, until=DAY, reason="The vendor left"):
    return await overrides.override(road.context, id_, health, until=until, reason=reason, by="maria")


def shown(road, id_="KR1"):
    doc = show(road.context.workspace, present(road.store.url), None, timeframe="all", now=road.clock())
    rows = [*doc["objectives"], *doc["key_results"], *doc["initiatives"]]
    return next(row for row in rows if row["id"] == id_)


async def test_a_persons_word_stands_before_the_computed_health_until_its_day_is_over(company):
    before = shown(company)["health"]
    said = await say(company)
    assert (said["id"], said["kind"], said["computed"], said["replaces"]) == ("KR1", "key_result", before, None)
    row = shown(company)
    assert (row["health"], row["override"]["computed"], row["override"]["by"]) == ("off_track", before, "maria")
    assert row["override"]["reason"] == "The vendor left"
    assert shown(company, "O1")["health"] == "off_track"
    company.clock.forward(hours=13)
    assert shown(company)["health"] == "off_track"
    company.clock.forward(hours=2)
    assert (shown(company)["health"], shown(company)["override"]) == (before, None)


async def test_the_latest_word_counts_and_taking_it_back_brings_no_earlier_one_back(company):
    before = shown(company)["health"]
    await say(company, until=date(2026, 12, 24))
    company.clock.forward(minutes=1)
    second = await say(company, health=Health.AT_RISK)
    assert second["replaces"]["health"] == "off_track"
    assert shown(company)["health"] == "at_risk"
    company.clock.forward(minutes=1)
    taken = await overrides.clear(company.context, "KR1", reason="solved", by="jan")
    assert (taken["cleared"]["health"], taken["cleared"]["by"], taken["computed"]) == ("at_risk", "maria", before)
    assert shown(company)["override"] is None
    with pytest.raises(UsageError, match="Nobody's word stands in place of the computed health of KR1"):
        await overrides.clear(company.context, "KR1", reason="", by="jan")


@pytest.mark.parametrize("id_", ["O1", "KR1", "I1"])
async def test_every_subject_can_be_spoken_of(company, id_):
    await say(company, id_)
    assert shown(company, id_)["health"] == "off_track"


async def test_an_epic_by_its_key_and_no_other_item(company):
    said = await say(company, "PAY-1")
    assert (said["id"], said["kind"], said["title"]) == ("jira:PAY-1", "epic", "Item 1")
    records = [record async for record in exports.epics(company.context)]
    assert [(one["key"], one["health"], one["override"]["by"]) for one in records] == [("PAY-1", "off_track", "maria")]
    with pytest.raises(UsageError, match="jira:PAY-2 is no epic but of level issue"):
        await say(company, "PAY-2")
    with pytest.raises(UsageError, match="There is nothing called 'KR7'"):
        await say(company, "KR7")


async def test_what_cannot_hold_is_refused_and_leaves_nothing(company):
    with pytest.raises(UsageError, match="17 Nov 2026 is over"):
        await say(company, until=date(2026, 11, 17))
    with pytest.raises(UsageError, match="Say why KR1 is off track"):
        await say(company, reason="  ")
    assert shown(company)["override"] is None


@pytest.mark.parametrize("word", ["at_risk", "At risk", "AT-RISK", "  at  risk "])
def test_health_is_named_as_people_write_it(word):
    assert overrides.health_named(word) is Health.AT_RISK


def test_an_unknown_health_names_the_nearest():
    with pytest.raises(UsageError, match=r"no health 'of_track'.*on_track, at_risk.*Did you mean off_track\?"):
        overrides.health_named("of_track")


async def test_a_value_by_hand_expires_fourteen_days_after_the_file_first_had_it(company):
    manual = replace(O1, rollup=ManualRollup(value=0.9, by="maria", reason="audited"))
    file = company.context.workspace
    company.use(replace(file, objectives={"O1": manual}, digest="second"))
    await catch_up(company.context)
    company.clock.forward(days=14)
    company.use(replace(company.context.workspace, digest="third"))
    await catch_up(company.context)
    assert (shown(company, "O1")["progress"], shown(company, "O1")["manual"]["until"]) == (0.9, "2026-12-02")
    company.clock.forward(days=1)
    assert (shown(company, "O1")["progress"], shown(company, "O1")["flags"]) == (0.5, ["manual_expired"])


async def test_a_renamed_key_result_keeps_what_was_said_of_it(company):
    await say(company)
    renamed = replace(KR1, id="KR9", was=("KR1",))
    moved = replace(I1, contributes=(Contribution(to="KR9"),))
    file = replace(company.context.workspace, key_results={"KR9": renamed}, initiatives={"I1": moved}, digest="second")
    company.use(file)
    await catch_up(company.context)
    assert shown(company, "KR9")["health"] == "off_track"
