"""Ways in: Basic, tokens that work at the gateway alone, personal access tokens, OAuth with rotating tokens."""

import asyncio
import base64
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from cryptography.fernet import Fernet

from connectors.base import Call
from connectors.jira import CONNECTOR
from connectors.tokens import fernet, seal, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Secret

MYSELF = Call(method="GET", path="/rest/api/3/myself")
GATEWAY = "https://api.atlassian.com/ex/jira/c0ffee-1"
KEY = Fernet.generate_key().decode()
OAUTH = {
    "client_id": "id",
    "client_secret": Secret("env:JIRA_CLIENT_SECRET", "client-s3cret"),
    "refresh_token": Secret("env:JIRA_REFRESH_TOKEN", "first-refresh"),
}


class Tokens:
    """A token store in memory, as replicas share one."""

    def __init__(self):
        self.kept = {}
        self.locks = {}

    async def load(self, connection):
        return self.kept.get(connection)

    async def save(self, connection, sealed):
        self.kept[connection] = sealed

    @asynccontextmanager
    async def lock(self, connection):
        async with self.locks.setdefault(connection, asyncio.Lock()):
            yield


class Atlassian:
    """The token service and the gateway around a site: one refresh token is good at a time."""

    def __init__(self, fake):
        self.fake = fake
        self.waits, self.slept = fake.waits, fake.slept
        self.good = "first-refresh"
        self.access = set()
        self.issued = 0
        self.hosts = []
        self.troubles = []

    @property
    def now(self):
        return self.fake.now

    async def sleep(self, seconds):
        await self.fake.sleep(seconds)

    async def answer(self, request):
        self.hosts.append(request.url.host)
        await asyncio.sleep(0)
        if self.troubles:
            return self.troubles.pop()
        if request.url.path == "/oauth/token":
            asked = httpx.Response(200, content=request.content).json()
            if asked["refresh_token"] != self.good:
                return httpx.Response(403, json={"error": "invalid_grant", "error_description": f"{self.good} is it"})
            self.issued += 1
            self.good = f"refresh-{self.issued}"
            self.access = {f"access-{self.issued}"}
            return httpx.Response(
                200, json={"access_token": f"access-{self.issued}", "refresh_token": self.good, "expires_in": 3600}
            )
        if request.url.path == "/oauth/token/accessible-resources":
            other = {"id": "other", "url": "https://other.atlassian.net"}
            return httpx.Response(200, json=[other, {"id": "c0ffee-1", "url": "https://acme.atlassian.net"}])
        if request.headers["authorization"].removeprefix("Bearer ") not in self.access:
            return httpx.Response(401, json={"code": 401, "message": "Unauthorized"})
        return httpx.Response(200, json={"accountId": "acc-1"})


@pytest.fixture
def atlassian(jira):
    return Atlassian(jira)


@pytest.fixture
def oauth(connection):
    return replace(connection, auth={"oauth": OAUTH})


async def test_basic_is_email_and_token(jira, client_on):
    async with client_on(jira) as client:
        await client.json(MYSELF)
    expected = "Basic " + base64.b64encode(b"bot@acme.com:t0k3n-value").decode()
    assert jira.calls[0].headers["authorization"] == expected


@pytest.mark.parametrize(
    ("auth", "header"),
    [
        ({"pat": Secret("env:PAT", "p4t")}, "Bearer p4t"),
        ({"user": "bob", "password": "pw"}, "Basic " + base64.b64encode(b"bob:pw").decode()),
    ],
)
async def test_data_center_takes_a_personal_access_token_or_a_password(server, opened, connection, auth, header):
    connection = replace(connection, url="https://jira.acme.com", auth=auth)
    async with opened(connection, server) as client:
        await client.json(Call(method="GET", path="/rest/api/2/myself"))
    assert server.calls[0].headers["authorization"] == header


@pytest.mark.parametrize(
    "auth", [{}, {"email": "a@b.c"}, {"token": "x"}, {"oauth": {"client_id": "x"}}, {"pat": Secret("env:NOPE", None)}]
)
async def test_incomplete_credentials_are_a_config_error(jira, opened, connection, auth):
    with pytest.raises(ConfigError, match="jira-main"):
        async with opened(replace(connection, auth=auth), jira, store=Tokens(), secret_key=KEY):
            pass


async def test_a_scoped_token_goes_to_the_gateway_and_stays_there(jira, client_on, connection):
    jira.plan("/rest/api/3/myself", httpx.Response(401, headers={"x-seraph-loginreason": "AUTHENTICATED_FAILED"}))
    jira.plan("/_edge/tenant_info", httpx.Response(200, json={"cloudId": "c0ffee-1"}))
    async with client_on(jira) as client:
        reading = await CONNECTOR.discover(client, connection)
    assert [str(call.url) for call in jira.calls[:3]] == [
        "https://acme.atlassian.net/rest/api/3/myself",
        "https://acme.atlassian.net/_edge/tenant_info",
        f"{GATEWAY}/rest/api/3/myself",
    ]
    assert "authorization" not in jira.calls[1].headers
    assert {call.url.host for call in jira.calls[3:]} == {"api.atlassian.com"}
    assert reading.facts["gateway"] == GATEWAY
    jira.calls.clear()
    async with client_on(jira) as client:
        await CONNECTOR.count(client, connection, reading)
    assert [call.url.host for call in jira.calls] == ["api.atlassian.com"]


async def test_calls_under_way_at_the_first_refusal_follow_to_the_gateway(jira, client_on):
    own = jira.answer

    async def answer(request):
        for _ in range(3):
            await asyncio.sleep(0)
        if request.url.path == "/_edge/tenant_info":
            jira.plan(request.url.path, httpx.Response(200, json={"cloudId": "c0ffee-1"}))
        elif request.url.host == "acme.atlassian.net":
            return httpx.Response(401)
        return own(request)

    jira.answer = answer
    async with client_on(jira) as client:
        told = await asyncio.gather(*(client.json(MYSELF) for _ in range(3)))
    assert told == [jira.me] * 3
    assert len(jira.asked("/_edge/tenant_info")) == 1


async def test_a_token_that_both_refuse_is_named_and_not_tried_again(jira, client_on):
    jira.plan("/rest/api/3/myself", *(httpx.Response(401) for _ in range(3)))
    jira.plan("/_edge/tenant_info", httpx.Response(200, json={"cloudId": "c0ffee-1"}))
    async with client_on(jira) as client:
        with pytest.raises(AuthError, match="environment variable JIRA_TOKEN") as caught:
            await client.json(MYSELF)
    assert len(jira.asked("/myself")) == 2
    assert "t0k3n" not in str(caught.value)


@pytest.mark.parametrize("told", [{"cloudId": "../../evil"}, {"cloudId": ""}, {}, [1]])
async def test_a_strange_cloud_id_leads_nowhere(jira, client_on, told):
    jira.plan("/rest/api/3/myself", *(httpx.Response(401) for _ in range(2)))
    jira.plan("/_edge/tenant_info", httpx.Response(200, json=told))
    async with client_on(jira) as client:
        with pytest.raises(AuthError):
            await client.json(MYSELF)
    assert {call.url.host for call in jira.calls} == {"acme.atlassian.net"}


@pytest.mark.parametrize(
    "base",
    [
        "https://evil.example",
        "https://api.atlassian.com.evil.example/ex/jira/1",
        "https://api.atlassian.com/ex/jira/",
        "http://api.atlassian.com/ex/jira/1",
    ],
)
async def test_a_stored_gateway_that_is_none_is_not_used(jira, client_on, base):
    async with client_on(jira) as client:
        client.access.adopt(base)
        await client.json(MYSELF)
    assert jira.calls[0].url.host == "acme.atlassian.net"


async def test_data_center_is_never_sent_to_the_gateway(server, opened, connection):
    connection = replace(connection, url="https://jira.acme.com", auth={"pat": "x"})
    server.plan("/myself", httpx.Response(401))
    async with opened(connection, server) as client:
        with pytest.raises(AuthError):
            await client.json(Call(method="GET", path="/rest/api/2/myself"))
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("status", "headers", "says"),
    [
        (200, {"x-seraph-loginreason": "AUTHENTICATED_FAILED"}, "did not accept our login"),
        (200, {"x-seraph-loginreason": "OUT"}, "did not accept our login"),
        (200, {"x-seraph-loginreason": "AUTHENTICATION_DENIED"}, "CAPTCHA"),
        (403, {"x-authentication-denied-reason": "CAPTCHA_CHALLENGE; login-url=https://x"}, "CAPTCHA"),
    ],
)
async def test_a_refused_login_is_seen_in_any_answer_and_not_tried_again(jira, client_on, status, headers, says):
    jira.plan("/myself", httpx.Response(status, json={}, headers=headers))
    async with client_on(jira) as client:
        with pytest.raises(AuthError, match=says):
            await client.json(MYSELF)
    assert len(jira.calls) == 1


async def test_an_accepted_login_is_no_refusal(jira, client_on):
    jira.plan("/myself", httpx.Response(200, json={"a": 1}, headers={"x-seraph-loginreason": "OK"}))
    async with client_on(jira) as client:
        assert await client.json(MYSELF) == {"a": 1}


async def test_oauth_without_a_key_names_the_command_that_makes_one(jira, opened, oauth):
    with pytest.raises(ConfigError, match=r"KEYRAIL_SECRET_KEY.*Fernet\.generate_key"):
        async with opened(oauth, jira, store=Tokens()):
            pass
    with pytest.raises(ConfigError, match="not a Fernet key"):
        async with opened(oauth, jira, store=Tokens(), secret_key="short"):
            pass


async def test_oauth_refreshes_finds_the_site_and_keeps_the_rotated_token_sealed(atlassian, opened, oauth):
    store = Tokens()
    async with opened(oauth, atlassian, store=store, secret_key=KEY) as client:
        assert await client.json(MYSELF) == {"accountId": "acc-1"}
        assert client.access.base == GATEWAY
    assert atlassian.hosts == ["auth.atlassian.com", "api.atlassian.com", "api.atlassian.com"]
    kept = unseal(fernet("j", KEY), store.kept["jira-main"])
    assert (kept["access"], kept["refresh"]) == ("access-1", "refresh-1")
    assert b"refresh-1" not in store.kept["jira-main"]
    async with opened(oauth, atlassian, store=store, secret_key=KEY) as client:
        await client.json(MYSELF)
    assert atlassian.issued == 1


async def test_oauth_refreshes_in_time_with_the_newest_token(atlassian, opened, oauth):
    async with opened(oauth, atlassian, store=Tokens(), secret_key=KEY) as client:
        await client.json(MYSELF)
        atlassian.fake.now += timedelta(minutes=59, seconds=30)
        await client.json(MYSELF)
    assert atlassian.issued == 2


async def test_two_clients_at_once_refresh_once(atlassian, opened, oauth):
    store = Tokens()
    async with (
        opened(oauth, atlassian, store=store, secret_key=KEY) as one,
        opened(oauth, atlassian, store=store, secret_key=KEY) as two,
    ):
        await asyncio.gather(*(client.json(MYSELF) for client in (one, two) for _ in range(5)))
        assert atlassian.issued == 1
        atlassian.access = set()
        await asyncio.gather(*(client.json(MYSELF) for client in (one, two) for _ in range(5)))
    assert atlassian.issued == 2


async def test_a_new_refresh_token_of_the_operator_replaces_the_kept_one(atlassian, opened, oauth):
    store = Tokens()
    async with opened(oauth, atlassian, store=store, secret_key=KEY) as client:
        await client.json(MYSELF)
    atlassian.good, atlassian.access = "second-refresh", set()
    auth = {"oauth": OAUTH | {"refresh_token": Secret("env:JIRA_REFRESH_TOKEN", "second-refresh")}}
    async with opened(replace(oauth, auth=auth), atlassian, store=store, secret_key=KEY) as client:
        assert await client.json(MYSELF) == {"accountId": "acc-1"}


async def test_tokens_sealed_with_another_key_are_as_good_as_none(atlassian, opened, oauth):
    store = Tokens()
    store.kept["jira-main"] = seal(Fernet(Fernet.generate_key()), {"access": "x"})
    async with opened(oauth, atlassian, store=store, secret_key=KEY) as client:
        assert await client.json(MYSELF) == {"accountId": "acc-1"}


async def test_a_refused_refresh_token_is_named_and_nothing_secret_shown(atlassian, opened, oauth):
    atlassian.good = "client-s3cret"
    async with opened(oauth, atlassian, store=Tokens(), secret_key=KEY) as client:
        with pytest.raises(AuthError, match="environment variable JIRA_REFRESH_TOKEN") as caught:
            await client.json(MYSELF)
    assert "client-s3cret" not in str(caught.value)
    assert "first-refresh" not in str(caught.value)


async def test_a_token_service_that_is_down_is_a_passing_trouble(jira, opened, oauth):
    jira.plan("/oauth/token", *(httpx.Response(503) for _ in range(10)))
    async with opened(oauth, jira, store=Tokens(), secret_key=KEY) as client:
        with pytest.raises(VendorUnavailableError, match=r"answered 503 to POST .*/oauth/token\. Gave up after 4"):
            await client.json(MYSELF)
    assert len(jira.calls) == 4


async def test_a_token_service_that_fails_once_is_asked_again(atlassian, opened, oauth):
    atlassian.troubles = [httpx.Response(503)]
    async with opened(oauth, atlassian, store=Tokens(), secret_key=KEY) as client:
        assert await client.json(MYSELF) == {"accountId": "acc-1"}
    assert (atlassian.hosts[:2], len(atlassian.slept)) == (["auth.atlassian.com"] * 2, 1)


async def test_a_grant_for_another_site_is_refused(atlassian, opened, oauth):
    async with opened(
        replace(oauth, url="https://third.atlassian.net"), atlassian, store=Tokens(), secret_key=KEY
    ) as client:
        with pytest.raises(AuthError, match=r"does not cover https://third\.atlassian\.net"):
            await client.json(MYSELF)
