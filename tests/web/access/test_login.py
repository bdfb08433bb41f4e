"""Signing in and out: by link, by token; what another site cannot do with a person's browser."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from app.web import access as known
from app.web import login
from config.access import Auth
from storage import audit, tokens

PAGE = {"accept": "text/html"}
HOME = "/api/v1/nowhere"


async def link_of(door):
    return (await login.login_link(door.store, "http://localhost:8080", door.clock())).removeprefix(
        "http://localhost:8080"
    )


async def is_in(door, client=None):
    return (await (client or door.client).get(HOME)).status_code == 404


async def test_a_browser_is_led_to_signing_in_and_back(door):
    answer = await door.client.get("/key-results/KR1?as_of=2026-11-01", headers=PAGE)
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next={quote('/key-results/KR1?as_of=2026-11-01', safe='')}"
    form = await door.client.get(answer.headers["location"])
    assert '<input type="hidden" name="next" value="/key-results/KR1?as_of=2026-11-01">' in form.text
    _, secret = await door.token()
    back = await door.client.post("/login", data={"token": f" {secret} ", "next": "/key-results/KR1?as_of=2026-11-01"})
    assert (back.status_code, back.headers["location"]) == (303, "/key-results/KR1?as_of=2026-11-01")
    assert await is_in(door)


async def test_a_link_lets_in_once(door):
    link = await link_of(door)
    answer = await door.client.get(link)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert await is_in(door)
    async with door.browser() as other:
        again = await other.get(link)
        assert again.status_code == 403
        assert "has been used, or is over" in again.text
        assert not await is_in(door, other)


async def test_a_link_is_over_after_an_hour(door):
    link = await link_of(door)
    door.clock.forward(hours=1)
    assert (await door.client.get(link)).status_code == 403
    assert not await is_in(door)


async def test_a_session_ends_after_thirty_days(door):
    await door.client.get(await link_of(door))
    door.clock.forward(days=29, hours=23)
    assert await is_in(door)
    door.clock.forward(hours=1)
    assert not await is_in(door)


async def test_a_session_ends_with_its_token(door):
    token, secret = await door.token()
    await door.client.post("/login", data={"token": secret})
    assert await is_in(door)
    async with door.store.write() as tx:
        await tokens.revoke(tx, token.id, door.clock())
    assert not await is_in(door)


async def test_a_wrong_token_is_told_and_not_repeated(door):
    answer = await door.client.post("/login", data={"token": "kr_<b>wrong", "next": '/x"><script>'})
    assert answer.status_code == 403
    assert "opens nothing" in answer.text
    assert "wrong" not in answer.text.replace("mistyped", "")
    assert "<script>" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_guessing_at_the_door_is_made_to_wait(door):
    answers = [(await door.client.post("/login", data={"token": "kr_x"})).status_code for _ in range(20)]
    assert answers == [403] * 19 + [429]
    assert (await door.client.get("/login?once=guess")).status_code == 429


@pytest.mark.parametrize(
    "where",
    [
        "https://evil.example",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil",
        "javascript:alert(1)",
        "/a\r\nb",
        "",
        "/login",
    ],
)
async def test_nobody_is_led_elsewhere(door, where):
    _, secret = await door.token()
    answer = await door.client.post("/login", data={"token": secret, "next": where})
    assert answer.headers["location"] == "/"


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(open_door):
    async with open_door() as door:
        cookie = (await door.client.get(await link_of(door))).headers["set-cookie"]
        assert cookie.startswith("keyrail=")
        assert {"HttpOnly", "SameSite=lax", "Path=/", "Max-Age=2592000"} <= set(cookie.split("; "))
    async with open_door(public_url="https://okr.example.com", base="https://okr.example.com") as door:
        cookie = (await door.client.get(await link_of(door))).headers["set-cookie"]
        assert cookie.startswith("__Host-keyrail=")
        assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
        assert "domain" not in cookie.lower()


async def test_the_store_knows_no_secret_of_a_browser(door):
    await door.client.get(await link_of(door))
    secret = door.client.cookies["keyrail"]
    async with door.store.read() as tx:
        assert await tokens.session(tx, secret, door.clock())
        assert await tokens.session(tx, tokens.hash_of(secret), door.clock()) is None


async def test_signing_in_is_put_to_the_account(door):
    _, secret = await door.token(name="ann", role="write")
    await door.client.post("/login", data={"token": secret})
    async with door.store.read() as tx:
        ((_, deed),) = await audit.deeds(tx)
    assert deed == audit.Deed(
        at=door.clock(), by="ann", via="session", address="127.0.0.1", action="sign in", subject="token",
        detail={"role": "write"},
    )  # fmt: skip


async def seal(door, client=None):
    """Return the seal of a browser's forms."""
    return known.seal_of((client or door.client).cookies["keyrail"])


async def test_signing_out_ends_the_session_everywhere(door):
    await door.client.get(await link_of(door))
    stolen = door.client.cookies["keyrail"]
    refused = await door.client.post("/logout", data={"seal": "guess"})
    assert refused.status_code == 403
    assert await is_in(door)
    answer = await door.client.post("/logout", data={"seal": await seal(door)})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    async with door.browser(cookie=f"keyrail={stolen}") as other:
        assert not await is_in(door, other)


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://localhost:9999"},
    ],
)
async def test_another_site_cannot_have_a_browser_change_anything(door, headers):
    await door.client.get(await link_of(door))
    answer = await door.client.post("/logout", data={"seal": await seal(door)}, headers=headers)
    assert answer.status_code == 403
    assert "another site" in answer.json()["detail"]
    assert await is_in(door)
    _, secret = await door.token()
    assert (await door.client.post("/login", data={"token": secret}, headers=headers)).status_code == 403


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "same-origin"}, {"origin": "http://localhost:8080"}, {}])
async def test_ones_own_pages_can(door, headers):
    await door.client.get(await link_of(door))
    answer = await door.client.post("/logout", data={"seal": await seal(door)}, headers=headers)
    assert answer.status_code == 303


async def test_behind_tls_the_public_address_is_ones_own(open_door):
    async with open_door(public_url="https://okr.example.com") as door:
        _, secret = await door.token()
        said = {"origin": "https://okr.example.com"}
        assert (await door.client.post("/login", data={"token": secret}, headers=said)).status_code == 303


def a_form(door, role="write"):
    """Put a route that takes a form into the application."""

    async def take(request: Request):
        return PlainTextResponse(repr(sorted((await known.posted(request, role)).items())))

    door.client._transport.app.router.routes.append(Route("/form", take, methods=["POST"]))


async def test_a_form_needs_its_role_and_its_seal(door):
    a_form(door)
    _, secret = await door.token(role="read")
    await door.client.post("/login", data={"token": secret})
    answer = await door.client.post("/form", data={"seal": await seal(door)})
    assert answer.status_code == 403
    assert "--role write" in answer.json()["detail" if "detail" in answer.json() else "error"]
    await door.client.get(await link_of(door))
    assert (await door.client.post("/form", data={"a": "1"})).status_code == 403
    answer = await door.client.post("/form", data={"a": "1", "b": "ü", "seal": await seal(door)})
    assert answer.text == "[('a', '1'), ('b', 'ü')]"
    assert (await door.client.post("/form", content=b"a=%ff")).status_code == 400
    assert (await door.client.post("/form", content=b"a=" + b"x" * 70_000)).status_code == 413


async def test_without_a_session_a_form_has_the_seal_of_the_visit(open_door):
    async with open_door(Auth(mode="none")) as door:
        a_form(door)
        assert (await door.client.post("/form", data={"a": "1", "seal": ""})).status_code == 403
        cookie = (await door.client.get("/api/v1/nowhere")).headers["set-cookie"]
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
        visit = door.client.cookies["keyrail_visit"]
        assert "set-cookie" not in (await door.client.get("/api/v1/nowhere")).headers
        answer = await door.client.post("/form", data={"a": "1", "seal": known.seal_of(visit)})
        assert answer.status_code == 200


async def test_the_page_needs_nothing_from_elsewhere(door):
    form = await door.client.get("/login")
    assert '<link rel="stylesheet" href="/login/style.css">' in form.text
    assert "style=" not in form.text
    assert "<script" not in form.text
    assert (await door.client.get("/login/style.css")).headers["content-type"].startswith("text/css")


async def test_what_has_ended_makes_room(door):
    await door.client.get(await link_of(door))
    door.clock.forward(days=31)
    await link_of(door)
    async with door.store.write() as tx:
        assert await tokens.close_all(tx) == 1


def test_spans_are_what_the_documentation_says():
    assert (timedelta(hours=1), timedelta(days=30)) == (login.LINK, login.SESSION)
