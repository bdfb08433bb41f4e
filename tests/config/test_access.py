"""Who is let in, as the environment says it."""

import pytest

from config.access import Auth, check_exposure
from config.settings import read
from domain.errors import ConfigError


def problems(environ):
    with pytest.raises(ConfigError) as raised:
        read(environ)
    return [(each.key, each.nearest, each.message) for each in raised.value.problems]


def test_tokens_are_asked_for_unless_something_else_is_said():
    assert read({}).auth == Auth(mode="token", header="x-forwarded-user", badges="private")


def test_a_proxy_is_believed_from_its_addresses_alone():
    auth = read(
        {
            "KEYRAIL_AUTH": "Proxy",
            "KEYRAIL_AUTH_HEADER": "Remote-User",
            "KEYRAIL_AUTH_PROXIES": "10.0.0.5, fd00::/8",
            "KEYRAIL_AUTH_WRITERS": "ann, bo",
        }
    ).auth
    assert (auth.mode, auth.header) == ("proxy", "remote-user")
    assert [auth.trusts(one) for one in ("10.0.0.5", "::ffff:10.0.0.5", "fd00::1")] == [True, True, True]
    assert [auth.trusts(one) for one in ("10.0.0.6", "::1", "testclient", "", None)] == [False] * 5
    assert [auth.may_write(name) for name in ("ann", "bo", "cy", "*")] == [True, True, False, False]


def test_everybody_whom_the_proxy_knows_may_write_where_that_is_said():
    auth = Auth(writers=frozenset("*"))
    assert auth.may_write("cy")


def test_a_proxy_without_addresses_is_refused():
    ((key, _, message),) = problems({"KEYRAIL_AUTH": "proxy"})
    assert key == "KEYRAIL_AUTH_PROXIES"
    assert "Name those of the proxy" in message


@pytest.mark.parametrize(
    ("name", "value", "nearest"),
    [
        ("KEYRAIL_AUTH", "tokn", "token"),
        ("KEYRAIL_BADGES", "pubic", "public"),
        ("KEYRAIL_AUTH_HEADER", "X User", None),
        ("KEYRAIL_AUTH_PROXIES", "10.0.0.5/33", None),
        ("KEYRAIL_AUTH_PROXIES", "10.0.0.5/24", None),
        ("KEYRAIL_AUTH_PROXIES", "proxy.internal", None),
    ],
)
def test_what_cannot_be_meant_is_told(name, value, nearest):
    ((key, close, _),) = problems({name: value})
    assert (key, close) == (name, nearest)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_nobody_is_asked_who_they_are_on_loopback(host):
    check_exposure(Auth(mode="none"), host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "okr.example.com", ""])
def test_and_on_no_other_address(host):
    with pytest.raises(ConfigError, match="KEYRAIL_AUTH=none lets everybody in"):
        check_exposure(Auth(mode="none"), host)
    check_exposure(Auth(mode="token"), host)
