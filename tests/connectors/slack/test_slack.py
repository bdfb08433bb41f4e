"""Slack: what a message shows and never formats, threads of a period, what `ok: false` means."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from app.demo import sinks
from connectors.base import Answer, Call, Reading, Spot
from connectors.registry import SINKS, open_sink
from connectors.slack.publish import began, content_of, hook_sent, message_of
from domain.errors import AuthError, NotFoundError, RejectedError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow, Secret

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
CHANNEL = "C0123456789"
NASTY = "*bold* <!channel> :tada: & <https://evil.example|here>"
UPDATE = StatusUpdate(
    workspace="acme",
    kind="initiative",
    id="I1",
    title=NASTY,
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=(NASTY,),
    summary=NASTY,
    changed=(NASTY,),
    url="https://keyrail.example.com/initiatives/I1?a=1&b=<2>",
)


def bot(**to):
    base = {"token": Secret("env:TOKEN", "sink-token"), "channel": CHANNEL, "api": "http://127.0.0.1:1/slack"}
    return PublishRow(id="digest", outlet="slack", to={**base, "allow_private": True, **to})


def texts(blocks):
    for block in blocks:
        yield from block["elements"] if "elements" in block else [block["text"]]


def test_no_text_of_ours_is_formatted_or_mentions_anybody():
    message = message_of(content_of(UPDATE, bot()))
    plain = [text for text in texts(message["blocks"]) if text["type"] == "plain_text"]
    [marked] = [text for text in texts(message["blocks"]) if text["type"] == "mrkdwn"]
    assert all(text["emoji"] is False for text in plain)
    assert [text["text"] for text in plain] == [
        NASTY,
        "62 % · ▲ At risk",
        f"{NASTY}\n{NASTY}",
        f"• {NASTY}",
    ]
    assert marked["text"] == "<https://keyrail.example.com/initiatives/I1?a=1&amp;b=&lt;2&gt;|Why this number>"
    assert message["text"].startswith("*bold* &lt;!channel&gt; :tada: &amp; &lt;https:")


@pytest.mark.parametrize(("markup", "kind"), [(None, "plain_text"), ("mrkdwn", "mrkdwn"), ("markdown", "plain_text")])
def test_a_template_is_plain_unless_it_says_that_it_is_mrkdwn(markup, kind):
    told = replace(UPDATE, text="*62 %* done", markup=markup)
    assert [
        text["type"] for text in texts(message_of(content_of(told, bot()))["blocks"]) if "62 %*" in text["text"]
    ] == [kind]


def test_long_texts_stay_within_the_limits():
    long = replace(UPDATE, title="t" * 400, drivers=("r" * 4000,) * 60, changed=("c" * 4000,) * 60, text=None)
    message = message_of(content_of(long, bot()))
    assert len(message["blocks"]) <= 50
    assert max(len(text["text"]) for text in texts(message["blocks"])) <= 3000
    assert len(message["blocks"][0]["text"]["text"]) <= 150


class Channel:
    """A channel, and the road from an update to the vendor's answer."""

    def __init__(self, row=None):
        self.now = NOW
        self.site = sinks.Sinks(clock=lambda: self.now)
        self.row = row or bot()
        self.transport = httpx.ASGITransport(app=sinks.application(self.site))

    @property
    def messages(self):
        return self.site.channels[CHANNEL]

    async def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)

    def opened(self):
        return open_sink(self.row, transport=self.transport, sleep=self.sleep, now=lambda: self.now)

    async def tell(self, subject, progress=0.62, period="2026-W48", id=None):
        outlet = SINKS["slack"][0].outlet(self.row)
        key = f"keyrail:acme:digest:initiative:{subject}:{period}"
        reading = Reading(facts={}, account="", digest="")
        spot = Spot(row=self.row, address="", key=key, reading=reading, period=period, now=self.now, id=id)
        async with self.opened() as client:
            call = outlet.read(spot)
            while isinstance(call, Call):
                try:
                    call = outlet.current((await client.send(call)).body, spot)
                except NotFoundError:
                    call = None
            spot = replace(spot, id=call.id if call else None)
            content = outlet.content(replace(UPDATE, id=subject, title=subject, progress=progress), self.row)
            return outlet.sent(await client.send(outlet.render(content, spot)), spot)


async def test_each_period_has_a_message_that_is_changed_in_place():
    channel = Channel()
    first = await channel.tell("I1")
    assert await channel.tell("I1", 0.7, id=first) == first
    channel.now += timedelta(days=7)
    second = await channel.tell("I1", 0.8, "2026-W49")
    assert [(one["ts"], one["blocks"][1]["text"]["text"][:4]) for one in channel.messages] == [
        (first, "70 %"),
        (second, "80 %"),
    ]


async def test_a_message_whose_id_was_lost_is_found_among_the_pages_of_others():
    channel = Channel()
    mine = await channel.tell("I1")
    for _ in range(450):
        channel.messages.append({"ts": channel.site.stamp(), "text": "chatter", "metadata": {}})
    assert await channel.tell("I1", 0.7) == mine
    assert len([one for one in channel.messages if one["text"] != "chatter"]) == 1


async def test_threads_hold_a_row_and_a_period_together():
    channel = Channel(bot(threads=True))
    first = await channel.tell("I1")
    second, third = await channel.tell("I2"), await channel.tell("I3")
    assert [one.get("thread_ts") for one in channel.messages] == [first, first, first]
    assert await channel.tell("I2", 0.9) == second
    assert await channel.tell("I3", 0.9, id=third) == third
    channel.now += timedelta(days=7)
    await channel.tell("I1", 0.9, "2026-W49")
    assert [one.get("thread_ts") for one in channel.messages] == [first, first, first, None]


async def test_a_deleted_message_is_seen_to_be_gone():
    channel = Channel()
    mine = await channel.tell("I1")
    channel.messages.clear()
    assert await channel.tell("I1", id=mine) != mine
    assert len(channel.messages) == 1


@pytest.mark.parametrize(
    ("said", "kind", "advice"),
    [
        ({"ok": False, "error": "not_in_channel"}, RejectedError, "Invite the app"),
        ({"ok": False, "error": "missing_scope", "needed": "chat:write"}, RejectedError, "It needs chat:write"),
        ({"ok": False, "error": "token_revoked"}, AuthError, "environment variable TOKEN"),
        ({"ok": False, "error": "message_not_found"}, NotFoundError, "message_not_found"),
    ],
)
async def test_ok_false_is_a_failure_whatever_the_status(said, kind, advice):
    channel = Channel()
    channel.site.trouble = [JSONResponse(said)]
    async with channel.opened() as client:
        with pytest.raises(kind, match=advice):
            await client.send(Call(method="POST", path="/chat.postMessage", json={}, idempotent=False))


async def test_slack_being_away_is_tried_again_where_that_does_no_harm():
    channel = Channel()
    channel.site.trouble = [JSONResponse({"ok": False, "error": "internal_error"}), PlainTextResponse("<html>", 200)]
    await channel.tell("I1")
    assert len(channel.messages) == 1


async def test_check_tells_scopes_that_are_missing_and_channels_that_are_not_there():
    outlet = SINKS["slack"][0].outlet(bot())
    reading = Reading(facts={}, account="", digest="")
    channel = Channel()
    async with channel.opened() as client:
        assert [one.level for one in await outlet.may_write(client, channel.row, reading)] == ["ok"]
        channel.site.trouble = [JSONResponse({"ok": True}, headers={"x-oauth-scopes": "commands"})]
        [lacks] = await outlet.may_write(client, channel.row, reading)
        assert (lacks.level, "chat:write and channels:history" in lacks.message) == ("error", True)
        [gone] = await outlet.may_write(client, bot(channel="C9999999999"), reading)
        assert (gone.level, "Give `channel` the channel's id" in gone.message) == ("error", True)
    assert channel.messages == []


def test_a_hook_that_does_not_say_ok_has_not_told_anybody():
    reading = Reading(facts={}, account="", digest="")
    row = PublishRow(id="hook", outlet="slack", to={"url": Secret("env:URL", "https://hooks.slack.com/services/T/B/x")})
    spot = Spot(row=row, address="", key="", reading=reading)
    hook_sent(Answer(status=200, headers={}, body=b"ok", sent_at=NOW), spot)
    with pytest.raises(RejectedError, match="did not answer 'ok' but '<html> sign in'"):
        hook_sent(Answer(status=200, headers={}, body=b"<html> sign in", sent_at=NOW), spot)


@pytest.mark.parametrize(
    ("period", "first"),
    [("2026-W48", "2026-11-22"), ("2026-11-24T09:00", "2026-11-23"), ("2026-Q4", "2026-11-17")],
)
def test_where_a_message_is_looked_for(period, first):
    assert f"{began(period, NOW):%Y-%m-%d}" == first


def test_metadata_is_flat_and_says_the_whole_content():
    outlet = SINKS["slack"][0].outlet(bot())
    content = outlet.content(UPDATE, bot())
    spot = Spot(row=bot(), address="", key="k", reading=Reading(facts={}, account="", digest=""), period="p", now=NOW)
    metadata = outlet.render(content, spot).json["metadata"]
    assert metadata["event_type"] == "keyrail_update"
    assert orjson.loads(metadata["event_payload"].pop("content")) == content
    assert metadata["event_payload"] == {"key": "k", "row": "digest", "period": "p"}
