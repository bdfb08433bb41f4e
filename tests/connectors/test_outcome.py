"""A value read from an address of the operator's: one call, one number, every failure with what to do."""

import asyncio

import httpx
import orjson
import pytest

from connectors import outcome
from connectors.outcome import read_value, value_in
from domain.errors import (
    AuthError,
    ConfigError,
    NotFoundError,
    PayloadError,
    RejectedError,
    VendorUnavailableError,
)
from domain.workspace import Secret

TOKEN = "s3cr3t-value"
SOURCE = {
    "url": "https://metrics.acme.test/v1/query?name=conversion%20rate&days=7",
    "jmespath": "data.conversion.percent",
    "headers": {"Authorization": Secret("env:METRICS_TOKEN", f"Bearer {TOKEN}"), "X-Tenant": "acme"},
}
GOOD = {"data": {"conversion": {"percent": 2.4}}}


@pytest.fixture
def asked():
    return []


@pytest.fixture
def answering(asked):
    """Answer calls with what is given, one after the other, the last for ever; waits between attempts take no time."""

    async def no_wait(_seconds):
        return None

    def prepare(*answers):
        left = list(answers)

        def handler(request):
            asked.append(request)
            answer = left.pop(0) if len(left) > 1 else left[0]
            if isinstance(answer, Exception):
                raise answer
            status, body = answer
            return httpx.Response(status, content=body if isinstance(body, bytes) else orjson.dumps(body))

        return {"transport": httpx.MockTransport(handler), "sleep": no_wait}

    return prepare


async def test_one_call_with_the_headers_of_the_file(answering, asked):
    assert await read_value("KR1", SOURCE, **answering((200, GOOD))) == 2.4
    (request,) = asked
    assert (request.method, request.url.host, request.url.path) == ("GET", "metrics.acme.test", "/v1/query")
    assert dict(request.url.params) == {"name": "conversion rate", "days": "7"}
    assert (request.headers["authorization"], request.headers["x-tenant"]) == (f"Bearer {TOKEN}", "acme")


async def test_an_address_without_a_path(answering, asked):
    source = {"url": "https://metrics.acme.test", "jmespath": "@"}
    assert await read_value("KR1", source, **answering((200, 7))) == 7
    assert asked[0].url.path == "/"


@pytest.mark.parametrize(
    ("status", "error", "says"),
    [
        (401, AuthError, "Check environment variable METRICS_TOKEN"),
        (403, RejectedError, "lacks the permission"),
        (404, NotFoundError, "not found"),
        (302, RejectedError, "redirects are not followed"),
        (429, RejectedError, "was refused (429)"),
        (503, VendorUnavailableError, "Gave up after 3 attempts"),
    ],
)
async def test_refusals_say_whose_value_it_is_and_nothing_secret(answering, status, error, says):
    with pytest.raises(error) as raised:
        await read_value("KR1", SOURCE, **answering((status, {"message": f"no {TOKEN}"})))
    assert str(raised.value).startswith("KR1: ")
    assert says in str(raised.value)
    assert TOKEN not in str(raised.value)


async def test_a_fault_is_asked_again(answering, asked):
    assert await read_value("KR1", SOURCE, **answering((502, b""), httpx.ReadError("gone"), (200, GOOD))) == 2.4
    assert len(asked) == 3


async def test_what_does_not_come_in_time_is_given_up(monkeypatch):
    monkeypatch.setattr(outcome, "PATIENCE", 0.05)

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            await asyncio.Event().wait()

    with pytest.raises(VendorUnavailableError, match=r"KR1: .*metrics\.acme\.test.* had not answered after 0\.05"):
        await read_value("KR1", SOURCE, transport=Silent())


async def test_a_secret_that_is_not_set_is_named(answering):
    source = {**SOURCE, "headers": {"Authorization": Secret("env:METRICS_TOKEN", None)}}
    with pytest.raises(ConfigError, match="KR1: environment variable METRICS_TOKEN is not set"):
        await read_value("KR1", source, **answering((200, GOOD)))


@pytest.mark.parametrize(("found", "value"), [(3, 3.0), (2.5, 2.5), ("2.5", 2.5), ("-1e3", -1000.0), (0, 0.0)])
def test_numbers(found, value):
    assert value_in({"a": found}, "a", name="KR1", host="h") == value


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (None, "nothing"),
        (True, "true or false"),
        ("high", "a text"),
        ("nan", "a text"),
        ("1e999", "a text"),
        (10**400, "no number"),
        ([1], "a list"),
        ({"b": 1}, "an object"),
    ],
)
def test_what_is_no_number_is_refused_and_not_repeated(found, says):
    with pytest.raises(PayloadError, match=f"KR1: `a` finds {says} in the answer of h; a number is needed"):
        value_in({"a": found}, "a", name="KR1", host="h")


def test_yes_and_no_are_values_where_that_is_the_metric():
    assert value_in({"a": True}, "a", name="KR1", host="h", yes_no=True) == 1.0
    assert value_in({"a": False}, "a", name="KR1", host="h", yes_no=True) == 0.0


def test_an_expression_that_cannot_be_applied():
    with pytest.raises(PayloadError, match="cannot be applied"):
        value_in({"a": "text"}, "sum(a)", name="KR1", host="h")
