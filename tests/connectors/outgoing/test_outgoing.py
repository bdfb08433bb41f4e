"""Outgoing webhooks: the signature as the published library verifies it, ids, templates of JSON, success, addresses."""

import base64
from dataclasses import replace
from datetime import UTC, date, datetime

import httpx
import orjson
import pytest
from standardwebhooks import Webhook, WebhookVerificationError
from starlette.responses import PlainTextResponse

from app.demo import sinks
from connectors.base import Answer, Reading, Spot
from connectors.outgoing.publish import OUTLET, content_of, render, sent
from connectors.outgoing.signature import key_of
from connectors.registry import open_sink
from domain.errors import ConfigError, RejectedError
from domain.facts import Outlook, StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow, Secret

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
KEY = b"0123456789abcdef0123456789abcdef"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
UPDATE = StatusUpdate(
    workspace="acme",
    kind="key_result",
    id="KR1",
    title='Say "one"',
    progress=0.62,
    state="ok",
    health=Health.AT_RISK,
    drivers=("a reason",),
    summary="At risk.",
    forecast=Outlook(p50=date(2026, 12, 1), probability=0.4),
    period="2026-W48",
)


def encoded(size):
    return base64.b64encode(b"x" * size).decode()


def row(**to):
    return PublishRow(
        id="hook", outlet="webhook", to={"url": "http://127.0.0.1:1/receive", "allow_private": True, **to}
    )


def spot(of, **more):
    reading = Reading(facts={}, account="", digest="")
    base = Spot(row=of, address="", key="keyrail:acme:hook:key_result:KR1", reading=reading, period="2026-W48", now=NOW)
    return replace(base, **more)


async def deliver(of, site, update=UPDATE):
    clock = [datetime.now(UTC)]

    async def sleep(seconds):
        clock[0] = datetime.fromtimestamp(clock[0].timestamp() + seconds, UTC)

    transport = httpx.ASGITransport(app=sinks.application(site))
    async with open_sink(of, transport=transport, sleep=sleep, now=lambda: clock[0]) as client:
        at = spot(of)
        answer = await client.send(render(content_of(update, of), at))
        sent(answer, at)


async def test_the_published_library_verifies_what_is_sent():
    heard = []

    async def receive(scope, receive, send):
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        heard.append(({name.decode(): value.decode() for name, value in scope["headers"]}, body))
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    of = row(secret=Secret("env:S", SECRET))
    async with open_sink(of, transport=httpx.ASGITransport(app=receive)) as client:
        await client.send(render(content_of(UPDATE, of), spot(of)))
    [(headers, body)] = heard
    said = Webhook(SECRET).verify(body, headers)
    assert said == orjson.loads(body)
    assert (said["type"], said["timestamp"]) == ("keyrail.status_update", "2026-11-24T09:00:00Z")
    data = said["data"]
    assert (data["title"], data["progress"], data["percent"], data["health"]) == ('Say "one"', 0.62, 62, "at_risk")
    assert data["forecast"] == {"p50": "2026-12-01", "p85": None, "probability": 0.4}
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(body + b" ", headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + base64.b64encode(b"another secret of 24 bytes").decode()).verify(body, headers)


async def test_a_repeat_has_the_same_id_and_is_taken_once():
    site = sinks.Sinks(trouble=[PlainTextResponse("away", 503), PlainTextResponse("away", 502)])
    of = row(secret=Secret("env:S", SECRET))
    await deliver(of, site)
    await deliver(of, site)
    assert len(site.delivered) == 1
    headers, _ = site.delivered[0]
    assert headers["idempotency-key"] == headers["webhook-id"]
    await deliver(of, site, replace(UPDATE, progress=0.7))
    assert len(site.delivered) == 2


@pytest.mark.parametrize("to", [{}, {"body": "{}"}])
def test_the_id_is_of_place_day_and_what_is_told_and_changed(to):
    of = row(**to)
    content = content_of(UPDATE, of)
    again = replace(UPDATE, changed=("Progress fell from 70 % to 62 %.",))
    ids = {
        render(told, at).headers["webhook-id"]
        for told in (content, content_of(replace(UPDATE, progress=0.7), of), content_of(again, of))
        for at in (spot(of), spot(of, key="keyrail:acme:hook:key_result:KR2"), spot(of, now=NOW.replace(day=25)))
    }
    assert len(ids) == 9
    later = content_of(replace(UPDATE, drivers=("another",), complete_to=NOW), of)
    assert render(content, spot(of)).headers == render(later, spot(of, now=NOW.replace(hour=12))).headers


@pytest.mark.parametrize("secret", ["", "short", f"whsec_{encoded(23)}", encoded(65)])
def test_a_secret_that_is_no_key_is_refused_unseen(secret):
    with pytest.raises(ConfigError, match=r"hook: the secret is not 24 to 64 bytes in base64.*openssl rand") as refused:
        key_of(secret, "hook")
    assert not secret or secret not in str(refused.value)


def test_a_template_makes_json_whatever_the_title_is():
    of = row(
        body='{"metric": {{ progress }}, "note": {{ "OKR " ~ title }}, "why": {{ reasons }}, "due": {{ forecast.p50 }}}'
    )
    content = content_of(replace(UPDATE, title='"}, "admin": true, {"x": "\n\\'), of)
    assert render(content, spot(of)).json == {
        "metric": 62,
        "note": 'OKR "}, "admin": true, {"x": "\n\\',
        "why": ["a reason"],
        "due": "2026-12-01",
    }


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"a": {{ nothing }}}', "nothing"),
        ('{"a": "{{ title }}"}', "Values bring their own quotes"),
        ("{{ title.__class__.__mro__ }}", "unsafe"),
    ],
)
def test_a_template_that_makes_none_says_why(body, said):
    with pytest.raises(RejectedError, match=r"hook: `body` of the webhook") as refused:
        content_of(UPDATE, row(body=body))
    assert said in str(refused.value)


def answer(status=200, body=b"{}"):
    return Answer(status=status, headers={}, body=body, sent_at=NOW)


def test_success_is_what_the_row_says():
    of = row(success={"status": [200, 409], "jmespath": "result.ok"})
    assert render(content_of(UPDATE, of), spot(of)).accepts == (200, 409)
    sent(answer(409, b'{"result": {"ok": 1}}'), spot(of))
    with pytest.raises(RejectedError, match="answered 204; `success` asks for 200, 409"):
        sent(answer(204, b""), spot(of))
    with pytest.raises(RejectedError, match=r"did not take it: result.ok is False in"):
        sent(answer(200, b'{"result": {"ok": false}}'), spot(of))
    with pytest.raises(RejectedError, match=r"`success.jmespath` looks into JSON"):
        sent(answer(200, b"<html>"), spot(of))
    OUTLET.sent(answer(500, b""), spot(row()))


async def test_the_address_is_called_as_it_stands_and_a_secret_one_is_never_shown():
    asked = []

    async def receive(scope, receive, send):
        asked.append(scope["raw_path"].decode() + "?" + scope["query_string"].decode())
        await send({"type": "http.response.start", "status": 404, "headers": []})
        await send({"type": "http.response.body", "body": b'{"error": "no /hooks/s3cret/ here"}'})

    of = row(url=Secret("env:URL", "http://127.0.0.1:1/hooks/s3cret/?k=v"))
    with pytest.raises(Exception, match="404") as refused:
        async with open_sink(of, transport=httpx.ASGITransport(app=receive)) as client:
            await client.send(render(content_of(UPDATE, of), spot(of)))
    assert asked == ["/hooks/s3cret/?k=v"]
    assert "s3cret" not in str(refused.value)


async def test_a_redirect_is_not_followed():
    site = sinks.Sinks(trouble=[PlainTextResponse("", 307, headers={"location": "http://127.0.0.1:1/elsewhere"})])
    with pytest.raises(RejectedError, match="redirects are not followed"):
        await deliver(row(), site)
