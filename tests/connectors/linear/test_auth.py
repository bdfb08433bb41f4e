"""Ways in: a key without Bearer, OAuth with rotating refresh tokens, an app's one token by its own credentials."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs

import httpx
import pytest
from cryptography.fernet import Fernet

from connectors.linear import queries
from connectors.linear.auth import access, base_of, token_url
from connectors.tokens import fernet, seal, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Secret

KEY = Fernet.generate_key().decode()
VIEWER = queries.ask(queries.VIEWER)


class Store:
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


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def oauth(connection, linear):
    """The usual connection by OAuth."""
    app = linear.site.oauth
    settings = {
        "client_id": app.client_id,
        "client_secret": Secret("env:LINEAR_CLIENT_SECRET", app.client_secret),
        "refresh_token": Secret("env:LINEAR_REFRESH_TOKEN", app.refresh_token),
    }
    return replace(connection, auth={"oauth": settings})


@pytest.fixture
def own(connection, linear):
    """The usual connection by an app's own credentials."""
    app = linear.site.oauth
    settings = {
        "client_id": app.client_id,
        "client_secret": Secret("env:LINEAR_CLIENT_SECRET", app.client_secret),
    }
    return replace(connection, auth={"client_credentials": settings})


def forms(workspace):
    return [parse_qs(one.request.decode()) for one in workspace.face.exchanges if one.path == "/oauth/token"]


def header_of(calls):
    return [call.headers["authorization"] for call in calls]


def listening(workspace):
    """A transport to the workspace that keeps the requests, and lets others go on meanwhile."""
    calls, inner = [], httpx.ASGITransport(app=workspace.face)

    async def answer(request):
        calls.append(request)
        for _ in range(5):
            await asyncio.sleep(0)
        return await inner.handle_async_request(request)

    return calls, httpx.MockTransport(answer)


# --- keys


async def test_a_key_goes_out_as_it_is(linear, opened, connection):
    calls, transport = listening(linear)
    async with opened(connection, linear, transport) as client:
        told = await client.json(VIEWER)
    assert told["data"]["viewer"]["id"] == linear.site.me.id
    assert header_of(calls) == ["lin_api_demo"]
    assert str(calls[0].url) == "https://api.linear.app/graphql"


async def test_a_refused_key_is_named_and_not_tried_again(linear, opened, connection):
    wrong = replace(connection, auth={"token": Secret("env:LINEAR_TOKEN", "lin_api_wr0ng")})
    async with opened(wrong, linear) as client:
        with pytest.raises(AuthError, match="environment variable LINEAR_TOKEN") as caught:
            await client.json(VIEWER)
    assert len(linear.face.exchanges) == 1
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "base", "token"),
    [
        ("https://api.linear.app/graphql", "https://api.linear.app", "https://api.linear.app/oauth/token"),
        ("http://127.0.0.1:8123/graphql/", "http://127.0.0.1:8123", "http://127.0.0.1:8123/oauth/token"),
        ("https://gate.acme.com/linear/graphql", "https://gate.acme.com/linear", "https://gate.acme.com/oauth/token"),
    ],
)
def test_addresses(url, base, token):
    assert base_of(url) == base
    assert token_url(url) == token


@pytest.mark.parametrize(
    ("auth", "says"),
    [
        ({}, "needs token, oauth, or client_credentials"),
        ({"token": Secret("env:NOPE", None)}, "environment variable NOPE is not set"),
        ({"oauth": {"client_id": "x", "client_secret": "y"}}, "`auth.oauth` lacks 'refresh_token'"),
        ({"client_credentials": {"client_id": "x"}}, "`auth.client_credentials` lacks 'client_secret'"),
    ],
)
def test_incomplete_credentials_are_a_config_error(connection, store, auth, says):
    with pytest.raises(ConfigError, match=says):
        access(replace(connection, auth=auth), store=store, secret_key=KEY)


@pytest.mark.parametrize("way", ["oauth", "own"])
@pytest.mark.parametrize(
    ("more", "says"),
    [({}, "Make one: python -c"), ({"secret_key": "short"}, "not a Fernet key"), ({"secret_key": KEY}, "database")],
)
def test_issued_tokens_need_a_key_and_a_store(request, way, more, says):
    with pytest.raises(ConfigError, match=says):
        access(request.getfixturevalue(way), **more)


# --- OAuth


async def test_the_first_refresh_token_buys_an_access_token_that_is_kept_sealed(linear, opened, oauth, store):
    first = linear.site.oauth.refresh_token
    calls, transport = listening(linear)
    async with opened(oauth, linear, transport, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
        await client.json(VIEWER)
        secrets = client.access.secrets
    assert forms(linear) == [
        {
            "grant_type": ["refresh_token"],
            "refresh_token": [first],
            "client_id": ["acme-client"],
            "client_secret": ["acme-client-secret"],
        }
    ]
    assert calls[0].headers["content-type"] == "application/x-www-form-urlencoded"
    (token,) = linear.site.oauth.tokens
    assert header_of(calls[1:]) == [f"Bearer {token}"] * 2
    kept = unseal(fernet("linear-acme", KEY), store.kept["linear-acme"])
    assert (kept["access"], kept["refresh"]) == (token, linear.site.oauth.refresh_token)
    assert kept["until"] == linear.now.timestamp() + 86_399
    assert token.encode() not in store.kept["linear-acme"]
    assert {token, first, "acme-client-secret"} < set(secrets)


async def test_a_token_is_renewed_before_it_ends_with_the_rotated_one(linear, opened, oauth, store):
    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
        second = linear.site.oauth.refresh_token
        linear.later(hours=23, minutes=59)
        await client.json(VIEWER)
    assert [form["refresh_token"][0] for form in forms(linear)][1] == second
    assert linear.operations == ["/oauth/token", "Viewer", "/oauth/token", "Viewer"]


async def test_a_token_that_was_revoked_is_replaced_once(linear, opened, oauth, store):
    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
        linear.site.oauth.revoke()
        await asyncio.gather(*(client.json(VIEWER) for _ in range(5)))
    assert len(forms(linear)) == 2


async def test_of_two_replicas_one_refreshes_and_the_other_finds_it(linear, opened, oauth, store):
    _, transport = listening(linear)
    async with (
        opened(oauth, linear, transport, store=store, secret_key=KEY) as one,
        opened(oauth, linear, transport, store=store, secret_key=KEY) as other,
    ):
        await asyncio.gather(one.json(VIEWER), other.json(VIEWER))
    assert len(forms(linear)) == 1


async def test_after_invalid_grant_the_store_is_read_again(linear, opened, oauth, store):
    """Another worker may have rotated the token without our lock, as after a lock that broke off."""
    cipher = fernet("linear-acme", KEY)
    grant = linear.site.oauth.grant

    def rotated_meanwhile(form, now):
        linear.site.oauth.grant = grant
        issued = grant(form, now)
        kept = {"access": issued["access_token"], "refresh": issued["refresh_token"], "seed": seed}
        store.kept["linear-acme"] = seal(cipher, {**kept, "until": now.timestamp() + 86_000})
        linear.later(hours=1)
        return grant(form, linear.now)

    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
        seed = unseal(cipher, store.kept["linear-acme"])["seed"]
        linear.later(days=2)
        linear.site.oauth.grant = rotated_meanwhile
        told = await client.json(VIEWER)
    assert told["data"]["viewer"]["id"] == linear.site.me.id
    assert [one.status for one in linear.face.exchanges] == [200, 200, 400, 200]


async def test_a_refresh_token_that_is_no_good_is_named(linear, opened, oauth, store):
    linear.site.oauth.refresh_token = "another"
    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        with pytest.raises(AuthError, match="refused the refresh token of environment variable") as caught:
            await client.json(VIEWER)
    assert "authorise the app again" in str(caught.value)
    assert "lin_refresh" not in str(caught.value)


async def test_a_new_refresh_token_in_the_environment_beats_the_kept_one(linear, opened, oauth, store):
    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
    linear.site.oauth.refresh_token = "from-a-new-consent"
    settings = {**oauth.auth["oauth"], "refresh_token": Secret("env:LINEAR_REFRESH_TOKEN", "from-a-new-consent")}
    async with opened(replace(oauth, auth={"oauth": settings}), linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
    assert forms(linear)[1]["refresh_token"] == ["from-a-new-consent"]


@pytest.mark.parametrize("way", ["oauth", "own"])
async def test_a_token_service_that_is_down_is_no_refusal(request, linear, opened, store, way):
    linear.site.faults.add("unavailable", path="/oauth/token", times=9)
    async with opened(request.getfixturevalue(way), linear, store=store, secret_key=KEY) as client:
        with pytest.raises(VendorUnavailableError, match=r"Linear answered 502 to POST .*token\. Gave up after 4"):
            await client.json(VIEWER)
    assert linear.operations == ["/oauth/token"] * 4
    assert len(linear.slept) == 3


async def test_a_token_service_that_is_busy_for_long_is_not_waited_for_under_the_lock(linear, opened, oauth, store):
    linear.site.faults.add("overloaded", path="/oauth/token", retry_after=600)
    async with opened(oauth, linear, store=store, secret_key=KEY) as client:
        with pytest.raises(VendorUnavailableError, match="answered 503"):
            await client.json(VIEWER)
    assert (len(forms(linear)), linear.slept) == (1, [])


@pytest.mark.parametrize("way", ["oauth", "own"])
async def test_a_renewal_whose_answer_is_lost_is_asked_for_again_before_a_call_that_may_not_be(
    request, linear, opened, store, way
):
    """The token that the lost answer brought is used up or revoked; Linear answers a used up one for half an hour."""
    lost, inner = [], httpx.ASGITransport(app=linear.face)

    async def answer(call):
        answered = await inner.handle_async_request(call)
        if call.url.path == "/oauth/token" and not lost:
            lost.append(call)
            raise httpx.ReadError("cut")
        return answered

    connection = request.getfixturevalue(way)
    async with opened(connection, linear, httpx.MockTransport(answer), store=store, secret_key=KEY) as client:
        told = await client.json(replace(VIEWER, idempotent=False))
        again = await client.json(VIEWER)
    assert told["data"]["viewer"]["id"] == again["data"]["viewer"]["id"]
    assert linear.operations == ["/oauth/token", "/oauth/token", "Viewer", "Viewer"]


# --- an app's own credentials


async def test_an_app_asks_for_its_one_token_and_shares_it(linear, opened, own, store):
    async with opened(own, linear, store=store, secret_key=KEY) as client:
        told = await client.json(VIEWER)
    assert told["data"]["viewer"]["app"] is True
    assert forms(linear) == [
        {
            "grant_type": ["client_credentials"],
            "scope": ["read,write,initiative:read,initiative:write"],
            "client_id": ["acme-client"],
            "client_secret": ["acme-client-secret"],
        }
    ]
    linear.later(days=29)
    async with opened(own, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
    assert len(forms(linear)) == 1


async def test_replicas_with_a_refused_token_take_one_new_one_together(linear, opened, own, store):
    """Each new token revokes the last one: two that ask would revoke each other's for ever."""
    _, transport = listening(linear)
    async with (
        opened(own, linear, transport, store=store, secret_key=KEY) as one,
        opened(own, linear, transport, store=store, secret_key=KEY) as other,
    ):
        await asyncio.gather(one.json(VIEWER), other.json(VIEWER))
        linear.site.oauth.revoke()
        await asyncio.gather(*(client.json(VIEWER) for client in (one, other) for _ in range(3)))
        await asyncio.gather(one.json(VIEWER), other.json(VIEWER))
    assert len(forms(linear)) == 2


async def test_an_apps_token_is_renewed_at_its_end(linear, opened, own, store):
    async with opened(own, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
        linear.now += timedelta(days=30)
        await client.json(VIEWER)
    assert len(forms(linear)) == 2


async def test_an_app_without_client_credentials_is_told_what_to_switch_on(linear, opened, own, store):
    linear.site.oauth.client_credentials = False
    async with opened(own, linear, store=store, secret_key=KEY) as client:
        with pytest.raises(AuthError, match="that it allows client credentials") as caught:
            await client.json(VIEWER)
    assert "acme-client-secret" not in str(caught.value)


async def test_a_secret_of_another_app_does_not_use_the_kept_token(linear, opened, own, store):
    async with opened(own, linear, store=store, secret_key=KEY) as client:
        await client.json(VIEWER)
    linear.site.oauth.client_secret = "rotated"
    settings = {**own.auth["client_credentials"], "client_secret": Secret("env:LINEAR_CLIENT_SECRET", "rotated")}
    async with opened(
        replace(own, auth={"client_credentials": settings}), linear, store=store, secret_key=KEY
    ) as client:
        await client.json(VIEWER)
    assert len(forms(linear)) == 2
