"""Each answer to a webhook, for what it is given: what is not genuine is never stored, what is genuine is so once."""

import asyncio
import json
import logging
from datetime import timedelta

import pytest

from app.web import webhooks as taking
from connectors.signature import sign

TRACKERS = ("jira", "github", "linear")
ISSUE = "x-github-event"


def github(webhooks, body, **headers):
    """Sign a body as GitHub does."""
    signed, secret = webhooks["github"]
    return type(signed)({"x-hub-signature-256": sign(secret, body, prefix="sha256="), **headers}, body)


@pytest.mark.parametrize("tracker", TRACKERS)
async def test_what_a_tracker_signed_is_stored_once_as_it_came(site, webhooks, tracker):
    signed, _ = webhooks[tracker]
    first = await site.post(tracker, signed)
    assert (first.status_code, first.json()) == (200, {"status": "accepted"})
    again = await site.post(tracker, signed, path="/webhooks/{}/")
    assert (again.status_code, again.json()) == (200, {"status": "known"})
    event = {"jira": None, "github": "issues", "linear": "Issue"}[tracker]
    assert await site.stored(tracker) == [("webhook", event, signed.body)]
    assert site.woken == [tracker]


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("spoilt", ["body", "other", "none"])
async def test_what_is_not_genuine_is_refused_and_nothing_is_stored(site, webhooks, said, caplog, tracker, spoilt):
    signed, secret = webhooks[tracker]
    body = signed.body + b" " if spoilt == "body" else signed.body
    if spoilt == "body":
        headers = signed.headers
    else:
        headers = {name: text for name, text in signed.headers.items() if "signature" not in name.lower()}
    if spoilt == "other":
        name, prefix = {
            "jira": ("x-hub-signature", "sha256="),
            "github": ("x-hub-signature-256", "sha256="),
            "linear": ("linear-signature", ""),
        }[tracker]
        headers[name] = sign(f"not {secret}", body, prefix=prefix)
    answer = await site.client.post(f"/webhooks/{tracker}", content=body, headers=headers)
    assert answer.status_code == 401
    assert "secret" in said(answer)
    assert await site.stored(tracker) == []
    assert site.woken == []
    assert "webhook refused" in caplog.text
    for hidden in (secret, *[text for name, text in headers.items() if "signature" in name.lower()]):
        assert hidden not in caplog.text + answer.text


async def test_a_genuine_delivery_that_came_too_late_leaves_what_to_read_again(site, webhooks):
    signed, _ = webhooks["linear"]
    site.now += timedelta(minutes=5)
    answer = await site.post("linear", signed)
    assert (answer.status_code, answer.json()) == (200, {"status": "stale"})
    ((kind, event, body),) = await site.stored("linear")
    issue = json.loads(signed.body)["data"]
    assert (kind, event) == ("hint", "Issue")
    assert json.loads(body) == [{"id": issue["id"], "key": issue["identifier"]}]
    assert site.woken == ["linear"]
    assert (await site.post("linear", signed)).status_code == 200
    assert len(await site.stored("linear")) == 1


async def test_a_late_delivery_that_names_nothing_is_dropped_and_answered(site, webhooks):
    signed, secret = webhooks["linear"]
    for body in (b'{"type": "Comment", "data": {}}', b'{"type": "Unheard"}', b"{", b"[]"):
        late = type(signed)({"linear-signature": sign(secret, body)}, body)
        answer = await site.post("linear", late)
        assert (answer.status_code, answer.json()) == (200, {"status": "stale"})
    assert await site.stored("linear") == []


async def test_what_cannot_be_read_is_stored_for_a_person_to_look_at(site, webhooks):
    for body in (b"", b"{", b"\xff\x00", b'{"a":' * 2000):
        answer = await site.post("github", github(webhooks, body, **{ISSUE: "issues"}))
        assert answer.json() == {"status": "accepted"}
    assert len(await site.stored("github")) == 4


@pytest.mark.parametrize(
    ("connection", "status", "says"),
    [
        ("nowhere", 404, "no such connection"),
        ("%00", 404, "no such connection"),
        ("%ff", 404, "no such connection"),
        ("mute", 401, "`webhook.secret`"),
        ("unset", 401, "is not set"),
        ("github/more", 404, "nothing here"),
        ("", 404, "nothing here"),
    ],
)
async def test_a_connection_that_takes_no_webhooks(site, webhooks, said, connection, status, says):
    answer = await site.post(connection, webhooks["github"][0])
    assert (answer.status_code, says in said(answer)) == (status, True)


@pytest.mark.parametrize(
    ("headers", "says"),
    [
        ({"content-type": "application/x-www-form-urlencoded"}, "Choose application/json"),
        ({"content-type": "Application/X-WWW-Form-Urlencoded; charset=utf-8"}, "Choose application/json"),
        ({"content-type": "multipart/form-data; boundary=x"}, "Choose application/json"),
        ({"content-encoding": "gzip"}, "Content-Encoding"),
    ],
)
async def test_a_body_that_is_not_plain_json_is_refused_with_what_to_choose(site, webhooks, said, headers, says):
    body = b"payload=%7B%7D"
    answer = await site.post("github", github(webhooks, body, **headers))
    assert (answer.status_code, says in said(answer)) == (415, True)
    assert await site.stored("github") == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_only_post_is_answered(site, method):
    answer = await site.client.request(method, "/webhooks/github")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_body_at_the_limit_is_taken_and_a_larger_one_refused(site, webhooks, said, monkeypatch):
    monkeypatch.setattr(taking, "LARGEST", 1 << 20)
    fits = github(webhooks, b"x" * (1 << 20))
    assert (await site.post("github", fits)).status_code == 200
    too_large = github(webhooks, b"x" * ((1 << 20) + 1))
    answer = await site.post("github", too_large)
    assert (answer.status_code, "larger than 1 MB" in said(answer)) == (413, True)

    async def pieces():
        for _ in range(2 << 10):
            yield b"x" * (1 << 10)

    streamed = await site.client.post("/webhooks/github", content=pieces(), headers=fits.headers)
    assert streamed.status_code == 413
    assert len(await site.stored("github")) == 1


async def test_a_body_of_25_megabytes_is_within_the_limit(site, webhooks):
    assert taking.LARGEST == 25 * 1024 * 1024
    assert (await site.post("github", github(webhooks, b"1" * taking.LARGEST))).status_code == 200


async def test_what_strangers_send_at_once_is_bounded(site, webhooks, monkeypatch):
    """Bodies of senders whom nobody knows yet fill no memory: one too many is told to come again."""
    monkeypatch.setattr(taking, "AT_ONCE", 100_000)
    genuine = webhooks["github"][0]
    _, stranger = await asyncio.open_connection(site.client.base_url.host, site.client.base_url.port)
    stranger.write(b"POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 200000\r\n\r\n" + b"x" * 99_990)
    await stranger.drain()
    while (answer := await site.post("github", genuine)).status_code == 200:
        continue  # the stranger's bytes are still on their way
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    stranger.close()
    await stranger.wait_closed()
    while (await site.post("github", genuine)).status_code == 503:
        continue  # nobody has noticed yet that the stranger went
    assert len(await site.stored("github")) == 1


@pytest.mark.parametrize("stops", ["waits", "goes"])
async def test_a_sender_that_stops_in_the_middle_is_not_waited_for(site, webhooks, monkeypatch, stops):
    monkeypatch.setattr(taking, "READING", 0.1)
    reader, writer = await asyncio.open_connection(site.client.base_url.host, site.client.base_url.port)
    writer.write(b"POST /webhooks/github HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{")
    await writer.drain()
    if stops == "waits":
        assert b" 408 " in await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert (await site.post("github", webhooks["github"][0])).status_code == 200
    assert len(await site.stored("github")) == 1


async def test_many_at_once_are_all_stored_once(site, webhooks):
    bodies = [b'{"n": %d}' % n for n in range(500)]
    signed = [github(webhooks, body, **{"x-github-delivery": str(n % 400)}) for n, body in enumerate(bodies)]
    answers = await asyncio.gather(*(site.post("github", one) for one in signed))
    assert {answer.status_code for answer in answers} == {200}
    assert sum(answer.json()["status"] == "accepted" for answer in answers) == 400
    assert len(await site.stored("github")) == 400


async def test_an_id_of_any_length_and_any_event_can_be_stored(site, webhooks):
    ids = ["x" * 201, "x" * 4000, "ÿ", "a\tb"]
    for id in ids:
        one = github(webhooks, b"{}", **{"x-github-delivery": id.encode("latin-1"), ISSUE: "e" * 3000})
        assert (await site.post("github", one)).json() == {"status": "accepted"}
        assert (await site.post("github", one)).json() == {"status": "known"}
    assert len(await site.stored("github")) == len(ids)


@pytest.mark.postgres
async def test_while_the_database_is_away_the_tracker_is_asked_to_send_again(
    open_site, postgres_server, webhooks, said, caplog
):
    signed, secret = webhooks["github"]
    with postgres_server.migrated() as url:
        async with open_site(url) as site:
            assert (await site.post("github", signed)).status_code == 200
            name = url.rpartition("/")[2]
            postgres_server.execute(f'alter database "{name}" allow_connections false')
            postgres_server.execute(f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'")
            other = github(webhooks, b"{}")
            with caplog.at_level(logging.ERROR):
                answer = await site.post("github", other)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
            assert "Send it again" in said(answer)
            assert "were not stored" in caplog.text
            assert secret not in caplog.text
            assert (await site.client.get("/readyz")).status_code == 503
            assert (await site.client.get("/healthz")).status_code == 200
            assert (await site.numbers())["keyrail_database_up"] == 0
            postgres_server.execute(f'alter database "{name}" allow_connections true')
            assert (await site.post("github", other)).json() == {"status": "accepted"}
            assert (await site.client.get("/readyz")).status_code == 200
            assert len(await site.stored("github")) == 2
