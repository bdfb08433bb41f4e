"""What each OKR tool is told in its own words and units, and what it is not told."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import orjson
import pytest

from app.demo import okr_tools
from connectors.base import Answer, Reading, Spot
from connectors.goals.publish import sent as goals_sent
from connectors.operately.document import document, said_by
from connectors.registry import SINKS, open_sink
from connectors.tools import Range, scale_of, setting
from domain.errors import ConfigError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow, Secret

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
READING = Reading(facts={}, account="", digest="")
TOKEN = Secret("env:TOKEN", "tool-token")
HOST = "http://127.0.0.1:1"
UPDATE = StatusUpdate(
    workspace="acme",
    kind="key_result",
    id="KR1",
    title="Checkout in one step",
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=("62 % delivered, 70 % expected by today",),
    summary="At risk <today>.",
    url="https://keyrail.example.com/key_results/KR1",
)
TO = {
    "okr_tracker": {"url": f"{HOST}/tracker", "api_key": TOKEN, "client_id": "k", "client_secret": TOKEN},
    "operately": {"url": f"{HOST}/operately", "token": TOKEN},
    "appfire": {"url": f"{HOST}/appfire", "token": TOKEN},
    "aha": {"url": f"{HOST}/aha", "token": TOKEN},
    "asana": {"url": f"{HOST}/asana", "token": TOKEN},
    "goals": {"site": f"{HOST}/goals", "email": "bot@acme.com", "token": TOKEN},
}


class Tool:
    """A tool in its simulation, and the road from an update to the vendor's answer."""

    def __init__(self, name, address, what="key_results", **to):
        self.site = okr_tools.Tools(clock=lambda: NOW)
        to = {**TO[name], "allow_private": True, **to}
        self.row = PublishRow(id="row", outlet=name, to=to, what=what, experimental=True)
        self.address = address
        self.outlet = SINKS[name][0].outlet(self.row)

    async def tell(self, update=UPDATE, id=None):
        transport = httpx.ASGITransport(app=okr_tools.application(self.site))
        async with open_sink(self.row, transport=transport, now=lambda: NOW) as client:
            prepare = self.outlet.prepare
            facts = await prepare(client, self.row, [self.address], READING) if prepare else {}
            key = "keyrail:acme:row:key_result:KR1:2026-W48"
            spot = Spot(
                row=self.row,
                address=self.address,
                key=key,
                reading=READING,
                facts=facts,
                now=NOW,
                id=id,
                period="2026-W48",
            )
            answer = await client.send(self.outlet.render(self.outlet.content(update, self.row), spot))
            return self.outlet.sent(answer, spot)


async def test_okr_tracker_gets_the_value_of_today_on_its_own_scale():
    tool = Tool("okr_tracker", "kr1", scale=5)
    await tool.tell()
    assert tool.site.values["2026-11-24"]["value"] == 3.1
    assert "At risk &lt;today&gt;." in tool.site.values["2026-11-24"]["comment"]


async def test_operately_gets_a_silent_check_in_and_the_value_between_the_ends_of_the_target():
    tool = Tool("operately", "goal-1/tgt-1")
    await tool.tell()
    [check_in] = tool.site.check_ins
    assert (check_in["status"], check_in["state"], check_in["notified"]) == ("caution", "published", False)
    assert tool.site.target["value"] == 41.0


async def test_operately_keeps_values_where_no_target_is_named_and_drafts_where_asked():
    tool = Tool("operately", "goal-1", draft=True)
    await tool.tell()
    assert (tool.site.check_ins[0]["state"], tool.site.target["value"]) == ("draft", 10.0)


@pytest.mark.parametrize(
    ("address", "target", "said"),
    [
        ("goal-1/nope", {}, "is not there. It has: tgt-1"),
        ("goal-1/tgt-1", {"to": 10.0}, "starts and ends at 10"),
        ("goal-9/tgt-1", {}, "not found"),
    ],
)
async def test_operately_says_which_target_cannot_be_written(address, target, said):
    tool = Tool("operately", address)
    tool.site.target.update(target)
    with pytest.raises(RejectedError, match=said):
        await tool.tell()
    assert tool.site.check_ins == []


def test_operately_documents_say_what_was_put_in():
    doc = document(["one", "two & <three>"], "https://k.example/x?a=1", "keyrail:a:b:c:d e#f")
    assert said_by(doc) == (["one", "two & <three>"], "https://k.example/x?a=1", "keyrail:a:b:c:d e#f")
    assert said_by({"type": "doc", "content": [{"type": "paragraph"}]}) == ([], "", None)
    assert said_by("no document") == ([], "", None)


async def test_appfire_gets_a_value_for_key_results_and_none_for_objectives():
    tool = Tool("appfire", "12", scale=200)
    await tool.tell()
    assert tool.site.appfire[0]["newValue"] == 124.0
    tool = Tool("appfire", "3", "objectives")
    await tool.tell()
    assert tool.site.appfire[0].keys() == {"objectiveId", "status", "description"}


async def test_aha_goals_are_told_that_progress_is_set_by_hand():
    tool = Tool("aha", "ACME-G-1", "objectives", statuses={"at_risk": "s2"})
    await tool.tell()
    assert tool.site.records["ACME-G-1"] == {
        "progress": 62.0,
        "progress_source": "manual",
        "workflow_status": {"id": "s2", "name": "…"},
    }


async def test_asana_gets_the_number_in_the_unit_of_the_goal():
    tool = Tool("asana", "77")
    await tool.tell()
    assert tool.site.metric["current_number_value"] == 0.62


@pytest.mark.parametrize(
    ("metric", "said"),
    [
        ({"progress_source": "subgoal_progress"}, "takes its progress from subgoal_progress"),
        ({"target_number_value": None}, "has no metric"),
        ({"unit": "none", "target_number_value": 5.0}, "too coarse"),
    ],
)
async def test_asana_says_why_a_goal_takes_no_number(metric, said):
    tool = Tool("asana", "77")
    tool.site.metric.update(metric)
    with pytest.raises(RejectedError, match=said):
        await tool.tell()


async def test_asana_gets_one_status_update_a_period():
    tool = Tool("asana", "77", **{"as": "status"})
    gid = await tool.tell()
    [status] = tool.site.statuses
    assert (status["status_type"], status["title"]) == ("at_risk", "Checkout in one step: 62 % · ▲ At risk")
    assert "At risk &lt;today&gt;." in status["html_text"]
    with pytest.raises(RejectedError, match="has its status update of 2026-W48"):
        await tool.tell(id=gid)


async def test_goals_get_at_most_280_characters_and_the_goal_by_its_key():
    tool = Tool("goals", "ACME-1")
    await tool.tell(replace(UPDATE, summary="long " * 100))
    [told] = tool.site.updates
    [paragraph] = orjson.loads(told["summary"])["content"]
    assert len(paragraph["content"][0]["text"]) <= 280
    assert (told["goalId"], told["status"], told["score"]) == (
        f"ari:cloud:townsquare:{okr_tools.CLOUD}:goal/1",
        "at_risk",
        62,
    )


async def test_goals_say_which_goal_is_not_there():
    tool = Tool("goals", "ACME-9")
    with pytest.raises(RejectedError, match="there is no goal ACME-9"):
        await tool.tell()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"errors": [{"message": "Unknown type"}]}, r"Unknown type.*`input`"),
        ({"data": {"goals_createUpdate": {"success": False, "errors": [{"message": "no"}]}}}, "did not take it: no"),
        ({"data": {"goals_createUpdate": {"success": False}}}, "it does not say why"),
    ],
)
def test_goals_answer_200_to_what_failed(body, said):
    row = PublishRow(id="row", outlet="goals", to=TO["goals"])
    spot = Spot(row=row, address="a", key="k", reading=READING)
    with pytest.raises(RejectedError, match=said):
        goals_sent(Answer(status=200, headers={}, body=orjson.dumps(body), sent_at=NOW), spot)


@pytest.mark.parametrize("whole", [0, 1, 33, 62, 99, 100])
@pytest.mark.parametrize(
    "ends", [Range(), Range(start=10, end=60), Range(start=9, end=-91, decimals=0), Range(end=9e6)]
)
def test_a_whole_percent_survives_the_unit_of_a_tool(whole, ends):
    assert ends.percent(ends.value(whole)) == whole


def test_a_number_of_a_person_is_told_from_a_whole_percent():
    assert Range(start=10, end=60).percent(41.2) == pytest.approx(62.4)


def test_settings_that_are_missing_or_wrong_are_named():
    row = PublishRow(id="row", outlet="aha", to={"scale": "x"})
    with pytest.raises(ConfigError, match=r"row: `to` has no 'url', which aha needs"):
        setting(row, "url")
    with pytest.raises(ConfigError, match=r"row: 'scale' is 'x'. Expected a number"):
        scale_of(row)
