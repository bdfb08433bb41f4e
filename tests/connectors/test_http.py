"""The client against answers that real trackers give: limits, faults, half answers, redirects, other hosts."""

import asyncio
import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import aiohttp
import httpx
import pytest
import respx

from connectors import http
from connectors.base import Call
from connectors.http import open_client, vendor_words
from connectors.jira.auth import DIALECT, access
from domain.errors import (
    AuthError,
    NotFoundError,
    RateLimitedError,
    RejectedError,
    VendorUnavailableError,
)
from domain.workspace import Connection, Secret

SITE = "https://jira.acme.com"
READ = Call(method="GET", path="/rest/api/2/myself")
WRITE = Call(method="POST", path="/rest/api/2/issue/1/comment", json={"body": "x"}, idempotent=False)
TOKEN = "s3cr3t-value"


class Clock:
    """Time that passes only where somebody waits."""

    def __init__(self):
        self.now = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
        self.slept = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.slept.append(round(seconds, 3))
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def router():
    return respx.MockRouter(assert_all_called=False)


@pytest.fixture
def waits():
    return []


@pytest.fixture
def heard():
    return []


@pytest.fixture
def connection():
    return Connection(name="jira-main", type="jira", url=SITE, auth={"pat": Secret("env:JIRA_PAT", TOKEN)})


@pytest.fixture
async def client(connection, router, clock, waits, heard):
    async with open_client(
        connection,
        access=access(connection),
        dialect=DIALECT,
        on_wait=lambda text, until: waits.append((text, until)),
        on_answer=lambda status, seconds, signal: heard.append((status, seconds >= 0, signal.limited)),
        transport=httpx.MockTransport(router.async_handler),
        sleep=clock.sleep,
        now=clock,
    ) as opened:
        yield opened


async def test_each_call_is_told_with_its_outcome_also_where_nobody_answers(client, router, heard):
    router.get(url__startswith=SITE).mock(
        side_effect=[
            httpx.Response(503),
            httpx.Response(429, headers={"Retry-After": "3"}),
            httpx.ConnectError("no route"),
            httpx.Response(200, json={}),
        ]
    )
    await client.send(READ)
    assert heard == [(503, True, False), (429, True, True), (None, True, False), (200, True, False)]


async def test_an_answer_carries_status_lower_case_headers_body_and_when_it_was_asked(client, router, clock):
    router.get(f"{SITE}/rest/api/2/search", params={"jql": "a = 'b c'"}).respond(json={"a": 1}, headers={"X-T": "Y"})
    answer = await client.send(Call(method="GET", path="/rest/api/2/search", params={"jql": "a = 'b c'"}))
    assert (answer.status, answer.body, answer.sent_at) == (200, b'{"a":1}', clock.now)
    assert answer.headers["x-t"] == "Y"
    sent = router.calls.last.request
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert sent.headers["accept"] == "application/json"


async def test_a_body_is_sent_as_json(client, router):
    router.post(f"{SITE}/rest/api/2/issue/1/comment").respond(201, json={})
    await client.send(WRITE)
    sent = router.calls.last.request
    assert (sent.content, sent.headers["content-type"]) == (b'{"body":"x"}', "application/json")


async def test_compressed_answers_are_read(client, router):
    packed = gzip.compress(b'{"a":2}')
    router.get(f"{SITE}/rest/api/2/myself").respond(content=packed, headers={"content-encoding": "gzip"})
    assert await client.json(READ) == {"a": 2}


@pytest.mark.parametrize(
    ("status", "kind", "says"),
    [
        (400, RejectedError, "refused (400)"),
        (401, AuthError, "environment variable JIRA_PAT"),
        (403, RejectedError, "lacks the permission (403)"),
        (404, NotFoundError, "not visible"),
        (409, RejectedError, "refused (409)"),
        (410, RejectedError, "removed API (410)"),
        (413, RejectedError, "refused (413)"),
        (422, RejectedError, "refused (422)"),
    ],
)
async def test_a_refusal_is_an_error_of_its_kind_and_is_not_repeated(client, router, status, kind, says):
    route = router.get(f"{SITE}/rest/api/2/myself").respond(status, json={"errorMessages": ["The field is unknown."]})
    with pytest.raises(kind) as caught:
        await client.send(READ)
    assert says in str(caught.value)
    assert "jira-main" in str(caught.value)
    assert 'Jira says: "The field is unknown."' in str(caught.value)
    assert route.call_count == 1
    if kind is RejectedError:
        assert caught.value.status == status


async def test_secrets_are_masked_and_long_words_cut_in_what_is_quoted(client, router):
    router.get(f"{SITE}/rest/api/2/myself").respond(400, json={"message": f"bad {TOKEN} " + "x" * 500})
    with pytest.raises(RejectedError) as caught:
        await client.send(READ)
    assert TOKEN not in str(caught.value)
    assert "bad ***" in str(caught.value)
    assert len(str(caught.value)) < 450


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"errorMessages":["A","B"],"errors":{"jql":"C"},"status":400}', "A B jql: C"),
        (b'{"message":"M"}', "M"),
        (b'{"errorMessage":"E"}', "E"),
        (b'{"code":401,"message":"Unauthorized"}', "Unauthorized"),
        (b'{"error":"invalid_grant","error_description":"gone"}', "gone invalid_grant"),
        (b'{"errorMessages":[],"errors":["x"]}', "x"),
        (b'{"errors":[{"message":"G"}]}', "G"),
        (b'{"errorMessages":[]}', ""),
        (b"", ""),
        (b"<html>no</html>", ""),
        (b"[1]", ""),
    ],
)
def test_each_shape_of_an_error_body_is_read(body, words):
    assert vendor_words(body) == words


async def test_server_faults_are_repeated_with_growing_waits(client, router, clock):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [
        httpx.Response(502, html="<h1>bad gateway</h1>"),
        httpx.Response(500),
        httpx.Response(200, json={"ok": True}),
    ]
    assert await client.json(READ) == {"ok": True}
    first, second = clock.slept
    assert 1.4 <= first <= 2.6
    assert 2.8 <= second <= 5.2


async def test_after_four_attempts_the_fault_is_named(client, router):
    route = router.get(f"{SITE}/rest/api/2/myself").respond(503, json={"errorMessage": "down"})
    with pytest.raises(VendorUnavailableError) as caught:
        await client.json(READ)
    assert route.call_count == 4
    assert "503" in str(caught.value)
    assert "GET /rest/api/2/myself" in str(caught.value)
    assert "4 attempts" in str(caught.value)


async def test_retry_after_of_a_fault_wins_over_the_backoff(client, router, clock):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [
        httpx.Response(503, headers={"retry-after": "45"}),
        httpx.Response(200, json={}),
    ]
    await client.json(READ)
    assert clock.slept == [45.0]


@pytest.mark.parametrize(
    "fault",
    [
        httpx.ReadTimeout("slow"),
        httpx.ConnectError("refused"),
        httpx.ReadError("cut"),
        aiohttp.ClientPayloadError("cut"),
        TimeoutError(),
    ],
)
async def test_what_breaks_on_the_way_is_repeated(client, router, fault):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [fault, httpx.Response(200, json={"ok": 1})]
    assert await client.json(READ) == {"ok": 1}


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (httpx.ConnectError("no route"), True),
        (httpx.ConnectTimeout("dropped"), True),
        (httpx.ReadTimeout("slow"), False),
    ],
)
async def test_where_no_connection_comes_about_the_address_is_to_be_checked(client, router, fault, told):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = fault
    with pytest.raises(VendorUnavailableError) as failed:
        await client.json(READ)
    assert ("Check `url` of the connection, and that this machine may reach it." in str(failed.value)) is told


@pytest.mark.parametrize("fault", [httpx.Response(502), httpx.ReadTimeout("slow")])
async def test_a_call_that_is_not_idempotent_is_sent_once(client, router, fault):
    route = router.post(f"{SITE}/rest/api/2/issue/1/comment")
    route.side_effect = [fault, httpx.Response(201, json={})]
    with pytest.raises(VendorUnavailableError):
        await client.send(WRITE)
    assert route.call_count == 1


async def test_a_call_that_is_not_idempotent_waits_out_a_limit(client, router):
    route = router.post(f"{SITE}/rest/api/2/issue/1/comment")
    route.side_effect = [httpx.Response(429, headers={"retry-after": "3"}), httpx.Response(201, json={})]
    assert (await client.send(WRITE)).status == 201


@pytest.mark.parametrize("body", [b'{"issues":[{"id":', b"not json", b""])
async def test_half_a_body_is_asked_again_then_named(client, router, body):
    route = router.get(f"{SITE}/rest/api/2/myself").respond(content=body, content_type="application/json")
    with pytest.raises(VendorUnavailableError, match="GET /rest/api/2/myself is cut off or not JSON"):
        await client.json(READ)
    assert route.call_count == 4


async def test_a_body_cut_once_is_read_at_the_second_try(client, router):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [
        httpx.Response(200, content=b'{"a":'),
        httpx.Response(200, content=b'{"a":1}'),
    ]
    assert await client.json(READ) == {"a": 1}


async def test_a_login_page_instead_of_json_is_an_auth_error(client, router):
    route = router.get(f"{SITE}/rest/api/2/myself").respond(html="<html><form>Password</form></html>")
    with pytest.raises(AuthError, match="login page"):
        await client.json(READ)
    assert route.call_count == 1


async def test_another_web_page_is_the_vendor_being_away(client, router):
    router.get(f"{SITE}/rest/api/2/myself").respond(html="<html>We will be back</html>")
    with pytest.raises(VendorUnavailableError, match="web page instead of JSON"):
        await client.json(READ)


async def test_a_huge_body_is_not_read(client, router, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY", 10)
    router.get(f"{SITE}/rest/api/2/myself").respond(content=b"x" * 11)
    with pytest.raises(RejectedError, match="larger than"):
        await client.send(READ)


async def test_a_small_packed_body_that_unpacks_huge_is_not_read(client, router, monkeypatch):
    monkeypatch.setattr(http, "MAX_BODY", 100_000)
    packed = gzip.compress(b"0" * 1_000_000)
    router.get(f"{SITE}/rest/api/2/myself").respond(content=packed, headers={"content-encoding": "gzip"})
    with pytest.raises(RejectedError, match="larger than"):
        await client.send(READ)


async def test_redirects_are_not_followed(client, router):
    router.get(f"{SITE}/rest/api/2/myself").respond(302, headers={"location": "https://evil.example/steal"})
    elsewhere = router.get("https://evil.example/steal").respond(json={})
    with pytest.raises(RejectedError, match="redirects are not followed"):
        await client.send(READ)
    assert elsewhere.call_count == 0


async def test_a_redirect_to_a_login_page_is_an_auth_error(client, router):
    router.get(f"{SITE}/rest/api/2/myself").respond(302, headers={"location": "/login.jsp?os_destination=x"})
    with pytest.raises(AuthError, match="login page"):
        await client.send(READ)


async def test_see_other_is_an_answer(client, router):
    router.post(f"{SITE}/rest/api/2/issue/1/comment").respond(303, headers={"location": "/rest/api/3/task/7"})
    assert (await client.send(WRITE)).headers["location"] == "/rest/api/3/task/7"


@pytest.mark.parametrize("path", [".evil.example/x", "@evil.example/x", ":8443/x"])
async def test_no_path_leads_to_another_host(client, router, path):
    with pytest.raises(RejectedError, match="not a configured host"):
        await client.send(Call(method="GET", path=path))
    assert router.calls.call_count == 0


@pytest.mark.parametrize(
    ("reason", "slept"),
    [("jira-burst-based", 7.0), ("jira-quota-global-based", 7.0), ("jira-per-issue-on-write", 7.0), ("", 7.0)],
)
async def test_a_limit_slows_and_never_fails(client, router, clock, waits, reason, slept):
    refused = httpx.Response(429, headers={"retry-after": "7", "ratelimit-reason": reason})
    route = router.put(f"{SITE}/rest/api/2/issue/1")
    route.side_effect = [refused] * 10 + [httpx.Response(204)]
    answer = await client.send(Call(method="PUT", path="/rest/api/2/issue/1", json={}))
    assert (answer.status, route.call_count) == (204, 11)
    assert clock.slept.count(slept) == 10
    assert len(waits) == 10
    assert "jira-main: Jira asked us to pause" in waits[0][0]
    assert waits[0][1] == datetime(2026, 11, 20, 10, 0, 7, tzinfo=UTC)


async def test_a_limit_without_headers_backs_off(client, router, clock):
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [httpx.Response(429)] * 3 + [httpx.Response(200, json={})]
    await client.json(READ)
    assert [round(seconds / 2**n) for n, seconds in enumerate(clock.slept, start=1)] == [1, 1, 1]


async def test_a_quota_pauses_other_calls_too(client, router, clock):
    reset = "2026-11-20T10:30:00Z"
    heads = {"ratelimit-reason": "jira-quota-tenant-based", "x-ratelimit-reset": reset}
    router.get(f"{SITE}/rest/api/2/myself").side_effect = [
        httpx.Response(429, headers=heads),
        httpx.Response(200, json={}),
    ]
    router.get(f"{SITE}/rest/api/2/field").respond(json=[])
    await asyncio.gather(client.json(READ), client.json(Call(method="GET", path="/rest/api/2/field")))
    await client.json(Call(method="GET", path="/rest/api/2/field"))
    assert clock.now == datetime(2026, 11, 20, 10, 30, tzinfo=UTC)


async def test_a_wait_longer_than_our_patience_is_an_error_that_says_until_when(client, router, clock):
    router.get(f"{SITE}/rest/api/2/myself").respond(429, headers={"retry-after": str(7 * 3600)})
    with pytest.raises(RateLimitedError) as caught:
        await client.json(READ)
    assert caught.value.until == datetime(2026, 11, 20, 17, 0, tzinfo=UTC)
    assert clock.slept == []


async def test_the_budget_paces_calls_without_any_refusal(router, clock):
    connection = Connection(name="j", type="jira", url=SITE, auth={"pat": TOKEN}, budget=0.1)
    route = router.get(f"{SITE}/rest/api/2/myself").respond(json={})
    transport = httpx.MockTransport(router.async_handler)
    async with open_client(
        connection, access=access(connection), dialect=DIALECT, transport=transport, sleep=clock.sleep, now=clock
    ) as client:
        for _ in range(41):
            await client.send(READ)
    assert route.call_count == 41
    assert (clock.now - datetime(2026, 11, 20, 10, 0, tzinfo=UTC)).total_seconds() == pytest.approx(3.0, abs=0.1)


async def test_no_more_calls_are_in_flight_than_the_vendor_likes(client, router):
    flying = most = 0

    async def answer(request):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        flying -= 1
        return httpx.Response(200, json={})

    router.get(f"{SITE}/rest/api/2/myself").mock(side_effect=answer)
    await asyncio.gather(*(client.send(READ) for _ in range(40)))
    assert most == DIALECT.concurrency


async def test_plain_http_on_loopback_goes_over_a_real_socket_with_its_query_whole():
    async def serve(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        query = parse_qs(urlsplit(head.split(b" ")[1].decode()).query)
        body = json.dumps(query).encode()
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\nset-cookie: a=b\r\n\r\n" % len(body) + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    connection = Connection(name="j", type="jira", url=f"http://127.0.0.1:{port}", auth={"pat": TOKEN})
    jql = 'labels = "a+b & c%20" AND text ~ "Zürich; #1?" ORDER BY id'
    async with server, open_client(connection, access=access(connection), dialect=DIALECT) as client:
        assert await client.json(Call(method="GET", path="/rest/api/2/search", params={"jql": jql})) == {"jql": [jql]}


@pytest.fixture
async def spoken(connection, router, clock):
    """A client of a tracker whose errors may stand in the body, and whose writes have a pace of their own."""

    def failed(name, call, answer):
        said = answer.body.decode()
        if "busy" in said:
            return VendorUnavailableError(f"{name}: busy.")
        return RejectedError(f"{name}: {call.path} failed.") if "errors" in said else None

    dialect = replace(DIALECT, failed=failed, rates={"POST": 100.0, http.WRITE: 1.0})
    transport = httpx.MockTransport(router.async_handler)
    async with open_client(
        connection, access=access(connection), dialect=dialect, transport=transport, sleep=clock.sleep, now=clock
    ) as opened:
        yield opened


ASK = Call(method="POST", path="/graphql", json={"query": "{ viewer { id } }"})
CHANGE = Call(method="POST", path="/graphql", json={"query": "mutation { x }"}, writes=True)


@pytest.mark.parametrize("status", [200, 400])
async def test_an_error_in_the_body_is_an_error(spoken, router, status):
    router.post(f"{SITE}/graphql").respond(status, json={"data": None, "errors": [{"message": "no"}]})
    with pytest.raises(RejectedError, match="/graphql failed"):
        await spoken.json(ASK)


@pytest.mark.parametrize("status", [200, 400])
async def test_what_the_body_calls_unavailable_is_asked_again(spoken, router, status):
    route = router.post(f"{SITE}/graphql")
    route.side_effect = [httpx.Response(status, json={"errors": "busy"}), httpx.Response(200, json={"data": 1})]
    assert await spoken.json(ASK) == {"data": 1}


async def test_writes_keep_their_own_pace_and_hold_up_no_question(spoken, router, clock):
    router.post(f"{SITE}/graphql").respond(200, json={})
    start = clock.now
    for _ in range(3):
        await spoken.json(CHANGE)
    # Half of one a second: the budget is half of what the tracker allows.
    assert (clock.now - start).total_seconds() == pytest.approx(3, abs=1.01)
    after = clock.now
    for _ in range(20):
        await spoken.json(ASK)
    assert clock.now == after


async def test_a_call_that_is_not_to_be_repeated_is_not(client, router):
    route = router.get(f"{SITE}/rest/api/2/myself").respond(502)
    with pytest.raises(VendorUnavailableError, match="502"):
        await client.json(replace(READ, attempts=1))
    assert route.call_count == 1
