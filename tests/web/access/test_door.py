"""Who is let in: tokens, the proxy's header, everybody on loopback; and what every answer tells a browser."""

from datetime import timedelta
from ipaddress import ip_network

import pytest

from app.service import service
from app.web.access import Person
from app.web.failures import MOST, SPAN, Failures
from config.access import Auth
from config.settings import read
from domain.errors import ConfigError
from storage import audit, tokens

PAGE = {"accept": "text/html,application/xhtml+xml"}
NOWHERE = "/api/v1/nowhere"
"""a path without a route: who is let in finds nothing there (404), who is not is not told so"""


def bearer(secret):
    return {"authorization": f"Bearer {secret}"}


async def test_whatever_is_no_route_is_closed_too(door):
    for path in (
        "/",
        "/no/such/page",
        NOWHERE,
        "/api/docs",
        "/badge/objective/O1.svg",
        "/logout",
        "/loginx",
        "/metrics/x",
    ):
        answer = await door.client.get(path)
        assert answer.status_code == 401, path
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.headers["www-authenticate"].startswith("Bearer")
        assert "keyrail token create" in answer.json()["detail"]


async def test_health_is_open(door):
    assert (await door.client.get("/healthz")).status_code == 200
    assert (await door.client.get("/readyz")).status_code == 200


async def test_a_token_lets_in_until_it_is_revoked_or_expires(door):
    token, secret = await door.token(expires_at=door.clock() + SPAN)
    assert (await door.client.get(NOWHERE, headers=bearer(secret))).status_code == 404
    assert (await door.client.get(NOWHERE, headers={"authorization": f"bearer  {secret} "})).status_code == 404
    door.clock.forward(minutes=5)
    answer = await door.client.get(NOWHERE, headers=bearer(secret))
    assert answer.status_code == 401
    assert "expired" in answer.json()["detail"]
    token, secret = await door.token()
    assert (await door.client.get(NOWHERE, headers=bearer(secret))).status_code == 404
    async with door.store.write() as tx:
        await tokens.revoke(tx, token.id, door.clock())
    assert (await door.client.get(NOWHERE, headers=bearer(secret))).status_code == 401


@pytest.mark.parametrize(
    "said", ["", "Bearer", "Bearer ", "Basic YTpi", "kr_x", "Bearer kr_\x7f", "Bearer " + "a" * 5000]
)
async def test_what_is_no_token_opens_nothing_and_is_not_repeated(door, said):
    answer = await door.client.get(NOWHERE, headers={"authorization": said})
    assert answer.status_code == 401
    assert "aaaa" not in answer.text


async def test_the_last_use_of_a_token_is_known_to_the_hour(door):
    _, secret = await door.token()

    async def used():
        for task in list(door.access.noting):
            await task
        async with door.store.read() as tx:
            return [one.used_at for one in await tokens.listed(tx)]

    began = door.clock()
    await door.client.get(NOWHERE, headers=bearer(secret))
    assert await used() == [began]
    door.clock.forward(minutes=59)
    await door.client.get(NOWHERE, headers=bearer(secret))
    assert await used() == [began]
    door.clock.forward(minutes=2)
    await door.client.get(NOWHERE, headers=bearer(secret))
    assert await used() == [door.clock()]


async def test_who_is_wrong_too_often_waits_while_those_who_know_a_token_go_on(door):
    _, secret = await door.token()
    for _ in range(MOST - 1):
        assert (await door.client.get(NOWHERE, headers=bearer("kr_wrong"))).status_code == 401
    answer = await door.client.get(NOWHERE, headers=bearer("kr_wrong"))
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "300"
    assert (await door.client.get(NOWHERE, headers=bearer(secret))).status_code == 404
    door.clock.forward(minutes=5)
    assert (await door.client.get(NOWHERE, headers=bearer("kr_wrong"))).status_code == 401


def test_failures_are_counted_by_address_and_remembered_for_some_only(clock, monkeypatch):
    monkeypatch.setattr("app.web.failures.REMEMBERED", 2)
    failures = Failures()
    waits = [failures.note("a", clock()) for _ in range(MOST)]
    assert waits == [SPAN * 0] * (MOST - 1) + [SPAN]
    assert failures.note("b", clock()) == SPAN * 0
    assert failures.note("a", clock.forward(minutes=2)) == SPAN - timedelta(minutes=2)
    failures.note("c", clock())
    assert set(failures.times) == {"a", "c"}


async def test_without_asking_who_it_is_everybody_writes_on_loopback_alone(open_door):
    async with open_door(Auth(mode="none")) as door:
        assert (await door.client.get(NOWHERE)).status_code == 404
        rebound = await door.client.get(NOWHERE, headers={"host": "evil.example:8080"})
        assert rebound.status_code == 403
        assert "localhost alone" in rebound.json()["detail"]


async def test_a_proxy_is_believed_from_its_own_address_alone(open_door):
    auth = Auth(mode="proxy", proxies=(ip_network("10.0.0.0/24"),), writers=frozenset({"ann"}))
    named = {"x-forwarded-user": "ann"}
    async with open_door(auth, peer=("10.0.0.7", 5000)) as door:
        assert (await door.client.get(NOWHERE, headers=named)).status_code == 404
        assert (await door.client.get(NOWHERE)).status_code == 401
        for said in (" ", "a" * 201, "ann\x7f"):
            assert (await door.client.get(NOWHERE, headers={"x-forwarded-user": said})).status_code == 401, said
        twice = [("x-forwarded-user", "ann"), ("x-forwarded-user", "bo")]
        assert (await door.client.get(NOWHERE, headers=twice)).status_code == 401
        _, secret = await door.token()
        assert (await door.client.get(NOWHERE, headers=bearer(secret))).status_code == 404
    async with open_door(auth, peer=("10.0.1.7", 5000)) as door:
        assert (await door.client.get(NOWHERE, headers=named)).status_code == 401
        assert (await door.client.get(NOWHERE, headers={**named, "x-forwarded-for": "10.0.0.7"})).status_code == 401


async def test_the_proxys_header_counts_for_nothing_unless_it_is_asked_for(open_door):
    async with open_door(Auth(mode="token", proxies=(ip_network("127.0.0.0/8"),))) as door:
        assert (await door.client.get(NOWHERE, headers={"x-forwarded-user": "ann"})).status_code == 401


async def test_every_answer_tells_browsers_what_they_may(door):
    _, secret = await door.token()
    for answer in (
        await door.client.get("/healthz"),
        await door.client.get(NOWHERE),
        await door.client.get(NOWHERE, headers=bearer(secret)),
        await door.client.get("/login"),
        await door.client.get("/", headers=PAGE),
    ):
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "strict-transport-security" not in answer.headers


async def test_over_tls_browsers_are_told_to_stay_there(open_door):
    async with open_door(public_url="https://okr.example.com") as door:
        assert "strict-transport-security" in (await door.client.get("/login")).headers


async def test_badges_are_open_where_that_is_said(open_door):
    async with open_door(Auth(badges="public")) as door:
        assert (await door.client.get("/badge/objective/O1.svg")).status_code == 404
        assert (await door.client.get("/badges")).status_code == 401


async def test_deeds_name_who_did_it_and_how_they_were_known(clock):
    deed = Person(name="ann", role="write", via="proxy", address="192.0.2.1").deed(
        "check-in", "KR1", clock(), value=3.0
    )
    assert deed == audit.Deed(
        at=clock(), by="ann", via="proxy", address="192.0.2.1", action="check-in", subject="KR1", detail={"value": 3.0}
    )


async def test_a_service_that_lets_everybody_in_does_not_begin_on_a_network(tmp_path):
    settings = read({"KEYRAIL_AUTH": "none", "KEYRAIL_HOST": "0.0.0.0", "KEYRAIL_WORKSPACE": f"{tmp_path}/none.yaml"})
    with pytest.raises(ConfigError, match="lets everybody in who reaches"):
        async with service(settings, {}):
            pytest.fail("it began")
    assert not list(tmp_path.iterdir())
