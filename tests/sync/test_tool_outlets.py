"""The whole road to places that are only written to, over HTTP: Slack, signed webhooks, an OKR tool."""

import base64
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount

from app.demo import okr_tools, sinks
from app.web.server import serve
from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from domain.workspace import PublishRow, PublishWhen, Secret
from sync.outlets import targets
from sync.publish import plan, release, tell
from sync.refresh import catch_up

SOON = PublishWhen(at_most=None)


@pytest.fixture
async def company(road, workspace, item):
    """Ten items of one initiative, four of them done, and simulated tools beside it; `rows` says what is published."""
    road.slack = sinks.Sinks(clock=road.context.now)
    road.tools = okr_tools.Tools(clock=road.context.now)
    face = Starlette(
        routes=[
            Mount("/tools", app=okr_tools.application(road.tools)),
            Mount("/", app=sinks.application(road.slack)),
        ]
    )

    def rows(**to):
        published = [
            PublishRow(
                id=name,
                outlet=name,
                to={**where(road.url), "allow_private": True},
                what="key_results",
                when=SOON,
                experimental=True,
            )
            for name, where in to.items()
        ]
        road.use(
            replace(
                workspace(
                    timeframes=[Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))],
                    objectives=[Objective(id="O1", title="Checkout", timeframe="2026-Q4")],
                    key_results=[
                        KeyResult(
                            id="KR1",
                            objective="O1",
                            title="Regions",
                            external={"okr_tracker": "kr1", "asana": "77"},
                        )
                    ],
                    initiatives=[
                        Initiative(
                            id="I1",
                            title="One click",
                            contributes=(Contribution(to="KR1"),),
                            start=date(2026, 10, 1),
                            work=(WorkSelector(connection="jira", keys=("PAY-1",)),),
                        )
                    ],
                ),
                publish=tuple(published),
            )
        )

    async def done(count):
        await road.take(
            *(item(str(n), parent_id="1", category="done" if n < 2 + count else "todo") for n in range(2, 12))
        )

    async with AsyncExitStack() as stack:
        road.url = await stack.enter_async_context(serve(face))
        road.rows, road.done = rows, done
        rows()
        await road.receive(item("1", level="epic"))
        await road.done(4)
        await catch_up(road.context)
        yield road


def secret(value):
    return Secret("env:TOKEN", value)


def bot(url):
    return {"token": secret("sink-token"), "channel": "C0123456789", "api": f"{url}/slack"}


def hook(url):
    return {"url": f"{url}/receive", "secret": secret(base64.b64encode(sinks.Sinks().key).decode())}


def tracker(url):
    token = secret("tool-token")
    return {"url": f"{url}/tools/tracker", "api_key": token, "client_id": "keyrail", "client_secret": token}


async def test_slack_says_one_thing_a_week_and_keeps_it_true(company):
    company.rows(slack=bot)
    messages = company.slack.channels["C0123456789"]
    assert [one["action"] for one in (await tell(company.context, {})).sent] == ["create"]
    assert (await tell(company.context, {})).sent == []
    await company.done(6)
    assert [one["action"] for one in (await tell(company.context, {})).sent] == ["update"]
    assert [one["blocks"][1]["text"]["text"].partition(" ·")[0] for one in messages] == ["60 %"]
    company.clock.forward(days=7)
    await company.done(7)
    assert [one["action"] for one in (await tell(company.context, {})).sent] == ["create"]
    assert [one["blocks"][1]["text"]["text"].partition(" ·")[0] for one in messages] == ["60 %", "70 %"]


async def test_a_message_that_was_deleted_stays_deleted_until_it_is_given_back(company):
    company.rows(slack=bot)
    await tell(company.context, {})
    company.slack.channels["C0123456789"].clear()
    await company.done(6)
    done = await tell(company.context, {})
    assert ([one["subject"] for one in done.overridden], company.slack.channels["C0123456789"]) == (["KR1"], [])
    await release(company.context, "slack:KR1", "agreed", by="maria")
    await tell(company.context, {})
    assert len(company.slack.channels["C0123456789"]) == 1


async def test_a_delivery_is_signed_and_taken_once_over_runs(company):
    company.rows(webhook=hook)
    company.slack.trouble = [PlainTextResponse("no", 400)]
    assert len((await tell(company.context, {})).failed) == 1
    await tell(company.context, {}, again=True)
    assert (await tell(company.context, {}, again=True)).sent == []
    ((headers, body),) = company.slack.delivered
    assert headers["webhook-signature"].startswith("v1,")
    assert (body["data"]["id"], body["data"]["percent"]) == ("KR1", 40)
    await company.done(6)
    await tell(company.context, {})
    assert [told["data"]["percent"] for _, told in company.slack.delivered] == [40, 60]


async def test_a_person_s_value_in_an_okr_tool_is_left_alone(company):
    company.rows(okr_tracker=tracker)
    await tell(company.context, {})
    assert [one["value"] for one in company.tools.values.values()] == [40]
    day = max(company.tools.values)
    company.tools.values[day] = {"value": 55, "comment": "counted by hand"}
    await company.done(6)
    done = await tell(company.context, {})
    assert ([one["reason"] for one in done.overridden], company.tools.values[day]["value"]) == (
        ["changed by a person"],
        55,
    )


async def test_one_goal_that_takes_no_number_keeps_no_row_from_being_told(company):
    company.tools.metric["progress_source"] = "subgoal_progress"
    asana = {"token": secret("tool-token")}
    company.rows(asana=lambda url: {**asana, "url": f"{url}/tools/asana"}, okr_tracker=tracker)
    done = await tell(company.context, {})
    assert [one["target"] for one in done.sent] == ["okr_tracker"]
    assert ["takes its progress from subgoal_progress" in str(error) for error in done.errors] == [True]


async def test_a_row_says_what_it_would_tell_before_it_does(company):
    company.rows(slack=bot, webhook=hook, okr_tracker=tracker)
    writes = await plan(company.context)
    assert [(one.place.target, one.action, one.key) for one in writes] == [
        ("slack", "create", "slack"),
        ("webhook", "create", "webhook"),
        ("okr_tracker", "create", "kr1"),
    ]
    assert (company.slack.delivered, company.tools.values) == ([], {})


async def test_check_tells_what_is_missing_at_a_tool_and_writes_nothing(company):
    company.tools.metric["progress_source"] = "subgoal_progress"
    asana = {"token": secret("tool-token")}
    wrong = {"client_secret": secret("wrong")}
    company.rows(
        slack=lambda url: {**bot(url), "channel": "C9999999999"},
        asana=lambda url: {**asana, "url": f"{url}/tools/asana"},
        okr_tracker=lambda url: {**tracker(url), **wrong},
        webhook=hook,
    )
    said = {one["subject"]: one["message"] for one in await targets(company.context, {}) if one["level"] == "error"}
    assert said.keys() == {"slack", "asana", "okr_tracker"}
    assert "invite the app to it" in said["slack"]
    assert "Set it to manual in Asana" in said["asana"]
    assert "environment variable TOKEN" in said["okr_tracker"]
    assert (company.slack.delivered, company.tools.values) == ([], {})
