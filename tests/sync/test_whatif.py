"""What if, over the real store: both worlds side by side, nothing written, and options that people mistype."""

from datetime import date, timedelta
from fractions import Fraction

import pytest

from domain.errors import UsageError
from domain.okr import Contribution, Initiative, KeyResult, Metric, Objective, Timeframe, WorkSelector
from domain.rules import CreateInitiative, MappingRule, Test
from domain.workspace import Team
from sync.whatif import change_of, what_if


def work(*keys):
    return (WorkSelector(connection="jira", keys=keys),)


@pytest.fixture
def file(workspace, clock):
    today = clock().date()
    span = Timeframe(id="now", start=today - timedelta(days=60), end=today + timedelta(days=12))
    return workspace(
        timeframes={"now": span},
        objectives=[Objective(id="O1", title="O", timeframe="now")],
        key_results=[
            KeyResult(id="KR1", objective="O1", title="Delivery"),
            KeyResult(id="KR2", objective="O1", title="Outcome", metric=Metric(start=0.0, target=10.0)),
        ],
        initiatives=[
            Initiative(
                id="I1",
                title="One",
                contributes=(Contribution(to="KR1"), Contribution(to="KR2")),
                team="Pay",
                work=work("PAY-1"),
            )
        ],
        teams={"Pay": Team(name="Pay"), "Web": Team(name="Web")},
        rules=(
            MappingRule(
                name="made",
                when=Test(field="type", op="in", value=("Theme",)),
                initiative=CreateInitiative(contributes=(("KR1", 1.0, None),)),
            ),
        ),
    )


@pytest.fixture
async def road(road, file, item):
    """An epic with one item done a day for 40 days and ten left, and a theme that is an initiative of its own."""
    road.use(file)
    now = road.clock()
    await road.take(
        item("1", level="epic"),
        item("2", type="Theme", level="initiative"),
        item("3", parent_id="2"),
        *(
            item(
                f"d{n}",
                parent_id="1",
                category="done",
                created_at=now - timedelta(days=40),
                completed_at=now - timedelta(days=n),
            )
            for n in range(1, 41)
        ),
        *(item(f"o{n}", parent_id="1", created_at=now - timedelta(days=40)) for n in range(10)),
    )
    return road


def row(doc, kind, id_):
    return next(one for one in doc[kind] if one["id"] == id_)


def days(road, forecast):
    return (date.fromisoformat(forecast["p85"]) - road.context.today).days


async def test_a_delay_beside_today_and_nothing_written(road):
    before = await road.dump()
    doc = await what_if(road.context, change_of(delay=["I1=1w"]))
    assert list(doc) == ["workspace", "as_of", "complete_to", "changes", "key_results", "objectives", "initiatives"]
    assert doc["changes"] == [{"change": "delay", "id": "I1", "value": 7}]
    one = row(doc, "initiatives", "I1")
    assert (one["changed"], days(road, one["today"]["forecast"]), days(road, one["then"]["forecast"])) == (True, 10, 17)
    assert (one["today"]["forecast"]["probability"], one["then"]["forecast"]["probability"]) == (1.0, 0.0)
    assert (one["today"]["health"], one["then"]["health"]) == ("on_track", "off_track")
    assert await road.dump() == before


async def test_a_metric_shows_what_its_delivery_would_do(road):
    doc = await what_if(road.context, change_of(scope=["I1=+20%"], throughput=["Pay=-50%"]))
    metric = row(doc, "key_results", "KR2")
    assert metric["today"]["forecast"] == metric["then"]["forecast"]
    assert days(road, metric["today"]["delivery_forecast"]) == 10
    assert days(road, metric["then"]["delivery_forecast"]) == 40
    assert (metric["today"]["delivery_progress"], metric["then"]["delivery_progress"]) == (0.8, pytest.approx(40 / 60))
    assert row(doc, "key_results", "KR1")["today"]["delivery_forecast"] is None


async def test_an_initiative_that_a_rule_made_can_be_dropped(road):
    doc = await what_if(road.context, change_of(drop=["jira:PAY-2"]))
    made = row(doc, "initiatives", "jira:PAY-2")
    assert (made["today"]["status"], made["then"]["status"]) == ("active", "canceled")
    assert made["then"]["health"] == "canceled"
    kr = row(doc, "key_results", "KR1")
    assert (kr["today"]["items"], kr["then"]["items"]) == (51, 50)
    assert not row(doc, "initiatives", "I1")["changed"]


async def test_another_end_of_a_key_result(road):
    end = road.context.today + timedelta(days=5)
    doc = await what_if(road.context, change_of(due=[f"KR1={end}", f"jira:PAY-2={end}"]))
    kr = row(doc, "key_results", "KR1")
    assert (kr["then"]["due"], kr["then"]["forecast"]["probability"]) == (end.isoformat(), 0.0)
    assert row(doc, "initiatives", "jira:PAY-2")["then"]["due"] == end.isoformat()


async def test_a_team_without_work_moves_nothing(road):
    doc = await what_if(road.context, change_of(throughput=["Web=-50%"]))
    rows = [one for kind in ("key_results", "initiatives", "objectives") for one in doc[kind]]
    assert not [one["id"] for one in rows if one["changed"]]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({}, "Say what would be"),
        ({"drop": ["I9"]}, "--drop: there is no initiative 'I9'. There are: I1, jira:PAY-2."),
        ({"delay": ["KR1=1w"]}, "--delay: there is no initiative 'KR1'"),
        (
            {"due": ["X=2026-12-01"]},
            "--due: there is no initiative or key result 'X'. There are: I1, jira:PAY-2, KR1, KR2.",
        ),
        ({"throughput": ["Ops=-10%"]}, "--throughput: there is no team 'Ops'. There are: Pay, Web."),
    ],
)
async def test_what_is_not_there_is_named_with_what_is(road, stated, said):
    with pytest.raises(UsageError) as error:
        await what_if(road.context, change_of(**stated))
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("delay", "I1"),
        ("delay", "I1="),
        ("delay", "=2w"),
        ("delay", "I1=2"),
        ("delay", "I1=5m"),
        ("delay", "I1=36h"),
        ("delay", "I1=0d"),
        ("delay", "I1=-2w"),
        ("scope", "I1=20"),
        ("scope", "I1=-101%"),
        ("scope", "I1=nan%"),
        ("throughput", "Pay=-100.5%"),
        ("due", "I1=tomorrow"),
        ("due", "I1=2026-02-30"),
    ],
)
def test_what_cannot_be_read_says_what_is_expected(option, text):
    with pytest.raises(UsageError) as error:
        change_of(**{option: [text]})
    assert str(error.value).startswith(f"--{option}: expected ")
    assert f"found '{text}'" in str(error.value)


def test_what_is_stated_twice():
    with pytest.raises(UsageError, match="'I1' stands here twice"):
        change_of(scope=["I1=+10%", "I1=+20%"])


def test_how_changes_are_written():
    read = change_of(
        drop=["I1", "I1"],
        delay=["linear:1=2=2w", "I2=10d"],
        scope=["I1=+20%", "I2=-12.5 %"],
        throughput=["Team A=−20%"],
        due=["I1=2026-12-24"],
    )
    assert read.drop == ("I1",)
    assert read.delay == {"linear:1=2": 14, "I2": 10}
    assert read.scope == {"I1": Fraction(1, 5), "I2": Fraction(-1, 8)}
    assert read.throughput == {"Team A": Fraction(-1, 5)}
    assert read.due == {"I1": date(2026, 12, 24)}
