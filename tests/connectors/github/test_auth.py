"""Ways in: tokens, and apps that buy a token for an hour, alone or shared by replicas."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from cryptography.fernet import Fernet

from connectors.github import access
from connectors.github.queries import repositories
from connectors.tokens import fernet, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Secret

KEY = Fernet.generate_key().decode()
ASK = repositories(["acme/api"])
TOKENS = "/app/installations/7654321/access_tokens"


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


@pytest.fixture
def registered(github):
    """An app of the site, and its `auth`."""
    github.repository("api", 1)
    return github.site.access.add_app(github.site.add_bot("keyrail-acme"))


@pytest.fixture
def app(connection, registered):
    return with_app(connection, registered)


def with_app(connection, registered, **other):
    key = Secret("file:/run/secrets/github.pem", registered.private_key)
    told = {"id": str(registered.id), "installation": str(registered.installation), "private_key": key} | other
    return replace(connection, auth={"app": told})


@pytest.mark.parametrize(
    ("url", "base", "host"),
    [
        ("https://api.github.com", "https://api.github.com", "api.github.com"),
        ("https://api.acme.ghe.com", "https://api.acme.ghe.com", "api.acme.ghe.com"),
        ("https://git.acme.example/api/v3", "https://git.acme.example/api", "git.acme.example"),
        ("http://127.0.0.1:8099", "http://127.0.0.1:8099", "127.0.0.1:8099"),
        ("http://127.0.0.1:8099/api/v3", "http://127.0.0.1:8099/api", "127.0.0.1:8099"),
    ],
)
async def test_every_kind_of_github_has_one_base_and_one_host(connection, url, base, host):
    way = access(replace(connection, url=url))
    assert (way.base, way.hosts, way.source) == (base, frozenset({host}), "environment variable GITHUB_TOKEN")
    assert await way.headers(None) == {"authorization": f"Bearer {way.secrets[0]}"}


async def test_a_refused_token_is_not_tried_again(github, opened, connection):
    github.repository("api")
    github.site.access.revoke(github.site.token)
    async with opened(connection, github) as client:
        with pytest.raises(AuthError, match="environment variable GITHUB_TOKEN") as refused:
            await client.json(ASK)
    assert len(github.calls) == 1
    assert github.site.token not in str(refused.value)


async def test_an_app_buys_one_token_for_all_calls_at_once(github, opened, app):
    async with opened(app, github) as client:
        await asyncio.gather(*(client.json(ASK) for _ in range(5)))
    assert github.operations.count(TOKENS) == 1
    assert github.operations.count("Repositories") == 5


async def test_an_apps_token_is_bought_anew_at_fifty_five_minutes(github, opened, app):
    async with opened(app, github) as client:
        await client.json(ASK)
        github.at += timedelta(minutes=54)
        await client.json(ASK)
        github.at += timedelta(minutes=1, seconds=1)
        await client.json(ASK)
    assert github.operations.count(TOKENS) == 2


async def test_a_token_that_ends_in_the_middle_is_replaced_once(github, opened, app):
    async with opened(app, github) as client:
        await client.json(ASK)
        github.site.access.expire()
        await asyncio.gather(*(client.json(ASK) for _ in range(4)))
        assert github.operations.count(TOKENS) == 2
        github.site.faults.add("refused", path="Repositories", times=2)
        with pytest.raises(AuthError):
            await client.json(ASK)
    assert github.operations.count(TOKENS) == 3


async def test_replicas_share_what_was_issued_and_nobody_reads_it_in_the_store(github, opened, app):
    store = Tokens()
    for _ in range(2):
        async with opened(app, github, store=store, secret_key=KEY) as client:
            await client.json(ASK)
    assert github.operations.count(TOKENS) == 1
    kept = unseal(fernet("x", KEY), store.kept["github-acme"])
    assert str(kept["access"]).encode() not in store.kept["github-acme"]
    github.site.access.expire()
    async with opened(app, github, store=store, secret_key=KEY) as client:
        await client.json(ASK)
    assert github.operations.count(TOKENS) == 2


async def test_another_key_or_app_does_not_use_what_was_issued_before(github, opened, app, registered, connection):
    store = Tokens()
    async with opened(app, github, store=store, secret_key=KEY) as client:
        await client.json(ASK)
    other = with_app(connection, registered, id=registered.client_id)
    async with opened(other, github, store=store, secret_key=KEY) as client:
        await client.json(ASK)
    assert github.operations.count(TOKENS) == 2


async def test_without_a_secret_key_each_process_keeps_its_own(github, opened, app):
    store = Tokens()
    async with opened(app, github, store=store) as client:
        await client.json(ASK)
    assert store.kept == {}


async def test_a_key_with_written_line_ends_works_and_stays_secret(github, opened, connection, registered):
    flat = Secret("env:APP_KEY", registered.private_key.replace("\n", "\\n"))
    async with opened(with_app(connection, registered, private_key=flat), github) as client:
        await client.json(ASK)
        assert registered.private_key in client.access.secrets
        assert client.access.permissions["issues"] == "write"


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"id": "99"}, "not of app 99"),
        ({"installation": "42"}, "no installation 42"),
    ],
)
async def test_an_app_that_github_does_not_know_is_told_what_to_check(
    github, opened, connection, registered, other, words
):
    async with opened(with_app(connection, registered, **other), github) as client:
        with pytest.raises(AuthError, match=words) as refused:
            await client.json(ASK)
    assert "PRIVATE KEY" not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "message", "headers"),
    [
        (429, "later", {}),
        (403, "You have exceeded a secondary rate limit.", {}),
        (403, "later", {"retry-after": "60"}),
        (403, "API rate limit exceeded", {"x-ratelimit-remaining": "0"}),
    ],
)
async def test_an_app_whose_token_github_cannot_make_now_is_tried_again_later(
    github, opened, app, status, message, headers
):
    async with opened(app, github) as client:
        github.plan(TOKENS, httpx.Response(status, json={"message": message}, headers=headers))
        with pytest.raises(VendorUnavailableError, match=f"answered {status} to the app's request"):
            await client.json(ASK)


async def test_an_apps_token_is_asked_for_again_where_github_does_not_get_to_it(github, opened, app):
    github.repository("api")
    github.plan(TOKENS, httpx.Response(502), httpx.Response(500))
    async with opened(app, github) as client:
        await client.json(ASK)
        github.plan(TOKENS, *(httpx.Response(502) for _ in range(4)))
        github.at += timedelta(hours=2)
        with pytest.raises(VendorUnavailableError, match=r"answered 502 to POST .*access_tokens\. Gave up after 4"):
            await client.json(ASK)


async def test_a_key_that_is_none_is_a_wrong_configuration(github, opened, connection, registered):
    broken = with_app(connection, registered, private_key=Secret("env:APP_KEY", "no key"))
    async with opened(broken, github) as client:
        with pytest.raises(ConfigError, match="environment variable APP_KEY"):
            await client.json(ASK)


@pytest.mark.parametrize(
    ("auth", "words"),
    [
        ({}, "`auth` needs token, or app"),
        ({"app": {"id": "1", "installation": "2"}}, "lacks 'private_key'"),
        ({"app": {"id": "1", "installation": "acme", "private_key": Secret("env:K", "k")}}, "is a number"),
    ],
)
def test_what_is_missing_is_said(connection, auth, words):
    with pytest.raises(ConfigError, match=words):
        access(replace(connection, auth=auth))


def test_a_secret_key_that_is_none_is_refused(app):
    with pytest.raises(ConfigError, match="Fernet"):
        access(app, store=Tokens(), secret_key="short")


async def test_single_sign_on_ends_in_an_error_that_says_where_to_authorise(github, opened, connection):
    github.repository("api")
    github.site.faults.sso_required.add("acme")
    async with opened(connection, github) as client:
        with pytest.raises(AuthError, match=r"Authorise it at https://github.com/orgs/acme/sso"):
            await client.json(ASK)
