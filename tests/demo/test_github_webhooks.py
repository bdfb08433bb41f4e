"""Webhooks registered through the simulated GitHub's REST API, and the list of what was delivered."""

import json
from collections import deque
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.demo.github import application
from app.demo.github_access import SCOPES
from app.demo.github_site import Site
from app.demo.linear_site import Site as Linear
from app.demo.portfolio import Portfolio
from app.demo.sender import Sending, sending
from app.demo.site import Site as Jira
from app.web.server import serve

REPO = "/repos/acme/web/hooks"
ORG = "/orgs/acme/hooks"
HOOK = {"config": {"url": "http://127.0.0.1:9/w", "content_type": "json", "secret": "s"}, "events": ["issues"]}


@pytest.fixture
def site(clock):
    site = Site(clock=clock)
    web = site.add_repository(site.add_organization("acme"), "web", viewer_permission="ADMIN")
    site.create(web, "Button")
    site.access.add_token(site.token, site.me, scopes=(*SCOPES, "admin:org_hook"))
    site.changes.clear()
    return site


@pytest.fixture
async def client(site):
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    transport = httpx.ASGITransport(app=application(site))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client:
        yield client


def only(site):
    (issue,) = site.issues()
    return issue


@pytest.mark.parametrize("place", [REPO, ORG])
async def test_a_webhook_is_made_read_changed_and_removed(client, site, place):
    made = await client.post(place, json=HOOK)
    assert made.status_code == 201
    told = made.json()
    assert told["config"] == {
        "url": HOOK["config"]["url"], "content_type": "json", "insecure_ssl": "0", "secret": "********",
    }  # fmt: skip
    assert (told["name"], told["active"], told["events"]) == ("web", True, ["issues"])
    assert (await client.get(place)).json() == [told]
    path = f"{place}/{told['id']}"
    changed = await client.patch(path, json={"add_events": ["milestone"], "active": False})
    assert (changed.json()["events"], changed.json()["active"]) == (["issues", "milestone"], False)
    assert site.hooks[told["id"]].secret == "s"
    changed = await client.patch(path, json={"config": {"url": "http://127.0.0.1:9/x", "content_type": "json"}})
    assert "secret" not in changed.json()["config"]
    changed = await client.patch(f"{path}/config", json={"secret": "t"})
    assert changed.json()["url"] == "http://127.0.0.1:9/x"
    assert site.hooks[told["id"]].secret == "t"
    assert (await client.delete(path)).status_code == 204
    assert (await client.get(path)).status_code == 404


async def test_where_nobody_says_it_is_a_form_and_pushes_alone(client):
    told = (await client.post(REPO, json={"config": {"url": "http://127.0.0.1:9/w"}})).json()
    assert (told["events"], told["config"]["content_type"]) == (["push"], "form")


@pytest.mark.parametrize(
    "asked",
    [
        {**HOOK, "name": "email"},
        {**HOOK, "config": {"content_type": "json"}},
        {**HOOK, "config": {"url": "ftp://x"}},
        {**HOOK, "config": {**HOOK["config"], "content_type": "xml"}},
        {**HOOK, "events": ["issues", "sprints"]},
        {**HOOK, "events": ["projects_v2_item"]},
    ],
)
async def test_what_is_wrong_is_refused(client, asked):
    answer = await client.post(REPO, json=asked)
    assert (answer.status_code, answer.json()["message"]) == (422, "Validation Failed")


async def test_the_same_webhook_twice_is_refused(client):
    assert (await client.post(REPO, json=HOOK)).status_code == 201
    answer = await client.post(REPO, json=HOOK)
    assert answer.json()["errors"][0]["message"] == "Hook already exists on this repository"


async def test_projects_are_told_to_organizations_alone(client):
    assert (await client.post(ORG, json={**HOOK, "events": ["projects_v2_item"]})).status_code == 201


async def test_who_may_not_sees_nothing(client, site):
    site.access.add_token(site.token, site.me, scopes=SCOPES)
    assert (await client.get(ORG)).status_code == 404
    site.repository("acme/web").viewer_permission = "WRITE"
    assert (await client.get(REPO)).status_code == 404
    site.access.add_token("ghp_fine", site.me, scopes=None)
    client.headers["authorization"] = "Bearer ghp_fine"
    assert (await client.get(REPO)).status_code == 403
    site.access.permissions = {**site.access.permissions, "repository_hooks": "read"}
    site.repository("acme/web").viewer_permission = "ADMIN"
    assert (await client.get(REPO)).status_code == 200
    assert (await client.post(REPO, json=HOOK)).status_code == 403


async def test_an_old_server_does_not_know_new_events(client, site):
    site.server = "3.17.0"
    assert (await client.post(REPO, json={**HOOK, "events": ["sub_issues"]})).status_code == 422


# Deliveries


class Receiver:
    def __init__(self):
        self.url, self.got, self.statuses = "", [], deque()

    async def __call__(self, request):
        self.got.append((dict(request.headers), await request.body()))
        return Response("told", self.statuses.popleft() if self.statuses else 200)


@pytest.fixture
async def receiver():
    receiver = Receiver()
    async with serve(Starlette(routes=[Route("/w", receiver.__call__, methods=["POST"])])) as url:
        receiver.url = f"{url}/w"
        yield receiver


@pytest.fixture
async def sender(site):
    async with sending(Portfolio(jira=Jira(), github=site, linear=Linear(), urls={})) as sender:
        yield sender


async def registered(client, receiver, place=REPO, **more):
    asked = {**HOOK, "config": {**HOOK["config"], "url": receiver.url, **more}}
    return f"{place}/{(await client.post(place, json=asked)).json()['id']}"


async def test_it_is_greeted_and_told_what_it_asked_for(client, site, sender, receiver):
    path = await registered(client, receiver)
    site.change(only(site), state="closed")
    site.comment(only(site), "Done.")
    await sender.idle()
    assert [headers["x-github-event"] for headers, _ in receiver.got] == ["ping", "issues"]
    headers, body = receiver.got[0]
    assert json.loads(body)["hook_id"] == int(headers["x-github-hook-id"]) == int(path.rpartition("/")[2])
    assert (await client.get(path)).json()["last_response"] == {"code": 200, "status": "active", "message": "OK"}


async def test_a_repository_is_told_of_itself_alone(client, site, sender, receiver):
    await registered(client, receiver)
    await sender.idle()
    receiver.got.clear()
    site.create(site.add_repository(site.accounts["acme"], "kit"), "Elsewhere")
    await sender.idle()
    assert receiver.got == []


async def test_a_form_carries_the_body_in_a_field(client, site, sender, receiver):
    await registered(client, receiver, content_type="form")
    await sender.idle()
    headers, body = receiver.got[0]
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    assert body.startswith(b"payload=%7B%22zen%22")


async def test_repository_and_organization_get_one_event_under_one_id(client, site, sender, receiver):
    await registered(client, receiver)
    await registered(client, receiver, ORG)
    await sender.idle()
    receiver.got.clear()
    site.change(only(site), state="closed")
    await sender.idle()
    assert len({headers["x-github-delivery"] for headers, _ in receiver.got}) == 1
    assert {headers["x-github-hook-installation-target-type"] for headers, _ in receiver.got} == {
        "repository", "organization",
    }  # fmt: skip


async def test_a_failed_delivery_is_listed_and_sent_again_under_its_guid(client, site, sender, receiver):
    path = await registered(client, receiver)
    await sender.idle()
    receiver.statuses.append(503)
    site.change(only(site), state="closed")
    await sender.idle()
    (failed,) = (await client.get(f"{path}/deliveries", params={"status": "failure"})).json()
    assert (failed["event"], failed["action"], failed["status_code"], failed["redelivery"]) == (
        "issues", "closed", 503, False,
    )  # fmt: skip
    one = (await client.get(f"{path}/deliveries/{failed['id']}")).json()
    assert (one["request"]["payload"]["action"], one["response"]["payload"]) == ("closed", "told")
    assert (await client.post(f"{path}/deliveries/{failed['id']}/attempts")).status_code == 202
    await sender.idle()
    again, first, _ = (await client.get(f"{path}/deliveries")).json()
    assert (again["guid"], again["redelivery"], again["status"]) == (first["guid"], True, "OK")
    assert (await client.post(f"{path}/deliveries/1/attempts")).status_code == 404


async def test_what_got_lost_on_the_way_is_listed_as_failed(client, site, sender, receiver):
    sender.faults = Sending(drop=1.0)
    path = await registered(client, receiver)
    await sender.idle()
    (lost,) = (await client.get(f"{path}/deliveries?status=failure")).json()
    assert (lost["status"], lost["status_code"]) == ("failed to connect to host", 502)
    assert receiver.got == []


async def test_the_list_has_pages_and_forgets_after_three_days(client, site, sender, receiver, clock):
    path = await registered(client, receiver)
    for number in range(4):
        site.change(only(site), title=str(number))
        await sender.idle()
    page = await client.get(f"{path}/deliveries", params={"per_page": 3})
    rest = await client.get(page.links["next"]["url"])
    ids = [row["id"] for row in (*page.json(), *rest.json())]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 5
    assert "next" not in rest.links
    assert (await client.get(f"{path}/deliveries?cursor=nonsense")).status_code == 400
    assert (await client.get(f"{path}/deliveries?status=odd")).status_code == 400
    clock.forward(timedelta(days=3, seconds=1).total_seconds())
    assert (await client.get(f"{path}/deliveries")).json() == []


async def test_the_webhook_of_an_app_is_set_by_the_app(client, site, sender, receiver):
    import jwt

    app = site.access.add_app(site.add_bot("keyrail"))
    now = int(site.now().timestamp())
    token = jwt.encode({"iss": app.client_id, "iat": now, "exp": now + 300}, app.private_key, algorithm="RS256")
    assert (await client.get("/app/hook/config")).status_code == 401
    client.headers["authorization"] = f"Bearer {token}"
    assert "url" not in (await client.get("/app/hook/config")).json()
    assert (await client.get("/app/hook/deliveries")).status_code == 404
    config = {"url": receiver.url, "content_type": "json", "secret": "s"}
    assert (await client.patch("/app/hook/config", json=config)).json()["secret"] == "********"
    site.change(only(site), state="closed")
    await sender.idle()
    rows = (await client.get("/app/hook/deliveries")).json()
    assert [row["event"] for row in rows] == ["issues", "ping"]
    assert rows[0]["installation_id"] == app.installation
    assert (await client.post(f"/app/hook/deliveries/{rows[0]['id']}/attempts")).status_code == 202
    await sender.idle()
    assert len(receiver.got) == 3
