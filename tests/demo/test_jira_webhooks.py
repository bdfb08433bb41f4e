"""Webhooks registered at the simulated Jira: by administrators, by OAuth apps, on Data Center; and who gets what."""

import json

import httpx
import pytest

from app.demo import jira_hooks
from app.demo.jira_dc import application as data_center
from connectors.jira.webhook import verify
from domain.errors import SignatureError

ADMIN = "/rest/webhooks/1.0/webhook"
DYNAMIC = "/rest/api/3/webhook"
DC = "/rest/jira-webhook/1.0/webhooks"
SECTION = "issue-related-events-section"
HOOK = {"name": "Keyrail", "url": "https://k.example/w", "events": ["jira:issue_updated"], "secret": "s"}
ENTRY = {"events": ["jira:issue_updated"], "jqlFilter": "project = PAY"}


@pytest.fixture
def site(site):
    site.permissions.add("ADMINISTER")
    site.changes.clear()
    return site


@pytest.fixture
async def app(site, face):
    transport, headers = httpx.ASGITransport(app=face), {"authorization": f"Bearer {site.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=site.url, headers=headers) as client:
        yield client


@pytest.fixture
async def server(site):
    headers = {"authorization": f"Bearer {site.token}"}
    transport = httpx.ASGITransport(app=data_center(site))
    async with httpx.AsyncClient(transport=transport, base_url=site.url, headers=headers) as client:
        yield client


def told(site):
    """The deliveries of one change of PAY-2's points and one of CORE-1's status."""
    changes = [
        site.change(site.find("PAY-2"), points=5.0),
        site.change(site.find("CORE-1"), status="Done"),
    ]
    return [letter for change in changes for letter in jira_hooks.letters(site, change)]


async def test_an_administrators_webhook_is_made_read_changed_and_removed(jira):
    made = await jira.post(ADMIN, json={**HOOK, "filters": {SECTION: "project = PAY"}})
    assert made.status_code == 201
    body = made.json()
    assert (body["isSigned"], body["enabled"], body["filters"]) == (True, True, {SECTION: "project = PAY"})
    assert "secret" not in body
    assert (await jira.get(body["self"])).json() == body
    changed = (await jira.put(body["self"], json={"enabled": False, "events": []})).json()
    assert (changed["enabled"], changed["events"], changed["isSigned"]) == (False, [], True)
    assert (await jira.get(ADMIN)).json() == [changed]
    assert (await jira.delete(body["self"])).status_code == 204
    assert (await jira.get(body["self"])).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"url": "k.example"}, {"events": ["jira:issue_moved"]}, {"filters": {SECTION: "project ="}}],
)
async def test_what_is_wrong_is_refused(jira, wrong):
    answer = await jira.post(ADMIN, json={**HOOK, **wrong})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"]


async def test_who_does_not_administer_may_not_look(jira, server, site):
    site.permissions.discard("ADMINISTER")
    assert (await jira.get(ADMIN)).status_code == 403
    assert (await jira.post(ADMIN, json=HOOK)).status_code == 403
    assert (await server.get(DC)).status_code == 403


async def test_it_is_told_what_it_asked_for_and_signed_with_its_secret(jira, site):
    await jira.post(ADMIN, json={**HOOK, "filters": {SECTION: "project = PAY"}})
    (letter,) = told(site)
    assert (letter.event, letter.item, letter.url) == ("jira:issue_updated", "PAY-2", HOOK["url"])
    verify(letter.headers, letter.body, "s", site.now())


async def test_without_a_secret_nothing_proves_it(jira, site):
    await jira.post(ADMIN, json={name: value for name, value in HOOK.items() if name != "secret"})
    with pytest.raises(SignatureError):
        verify(told(site)[0].headers, told(site)[0].body, "s", site.now())


async def test_a_disabled_one_is_told_nothing(jira, site):
    await jira.post(ADMIN, json={**HOOK, "enabled": False})
    assert told(site) == []


# Apps


async def test_a_dynamic_webhook_lives_for_thirty_days_and_longer_where_refreshed(app, site, clock):
    made = (await app.post(DYNAMIC, json={"url": HOOK["url"], "webhooks": [ENTRY]})).json()
    (number,) = (entry["createdWebhookId"] for entry in made["webhookRegistrationResult"])
    (listed,) = (await app.get(DYNAMIC)).json()["values"]
    thirty = int(site.now().timestamp() * 1000) + 30 * 86_400_000
    assert listed == {"id": number, "url": HOOK["url"], **ENTRY, "expirationDate": thirty}
    clock.forward(20 * 86_400)
    refreshed = (await app.put(f"{DYNAMIC}/refresh", json={"webhookIds": [number, 1]})).json()
    assert refreshed == {"expirationDate": thirty + 20 * 86_400_000}
    clock.forward(29 * 86_400)
    assert len(told(site)) == 1
    clock.forward(86_400)
    assert told(site) == []
    assert (await app.get(DYNAMIC)).json()["total"] == 0


async def test_dynamic_ones_are_proved_by_a_token_of_the_client_secret(app, site):
    await app.post(DYNAMIC, json={"url": HOOK["url"], "webhooks": [ENTRY, {**ENTRY, "jqlFilter": "status = Done"}]})
    first, second = told(site)
    verify(first.headers, first.body, site.webhook_secret, site.now())
    assert [len(json.loads(letter.body)["matchedWebhookIds"]) for letter in (first, second)] == [2, 1]


async def test_dynamic_ones_can_be_told_of_some_fields_alone(app, site):
    await app.post(DYNAMIC, json={"url": HOOK["url"], "webhooks": [{**ENTRY, "fieldIdsFilter": ["status"]}]})
    assert told(site) == []
    (letter,) = jira_hooks.letters(site, site.change(site.find("PAY-3"), status="Done"))
    assert letter.item == "PAY-3"


@pytest.mark.parametrize(
    "wrong",
    [
        {"jqlFilter": "labels = a"},
        {"jqlFilter": "project = PAY AND updated > -1d"},
        {"jqlFilter": "project ~ PAY"},
        {"jqlFilter": ""},
        {"events": ["issuelink_created"]},
        {"events": []},
        {"secret": "s"},
    ],
)
async def test_what_dynamic_ones_cannot_do_is_told_for_each(app, wrong):
    made = await app.post(DYNAMIC, json={"url": HOOK["url"], "webhooks": [{**ENTRY, **wrong}, ENTRY]})
    refused, taken = made.json()["webhookRegistrationResult"]
    assert (made.status_code, list(refused), list(taken)) == (200, ["errors"], ["createdWebhookId"])


async def test_an_app_has_one_address_and_five_webhooks(app):
    many = {"url": HOOK["url"], "webhooks": [ENTRY] * 6}
    results = (await app.post(DYNAMIC, json=many)).json()["webhookRegistrationResult"]
    assert [list(one) for one in results] == [["createdWebhookId"]] * 5 + [["errors"]]
    assert (await app.post(DYNAMIC, json={**many, "url": "https://other.example/w"})).status_code == 400
    gone = await app.request("DELETE", DYNAMIC, json={"webhookIds": [results[0]["createdWebhookId"]]})
    assert gone.status_code == 202
    assert (await app.get(DYNAMIC)).json()["total"] == 4


async def test_only_apps_have_them(jira, app):
    for method, path in (("GET", DYNAMIC), ("POST", DYNAMIC), ("DELETE", DYNAMIC), ("PUT", f"{DYNAMIC}/refresh")):
        assert (await jira.request(method, path, json={"webhookIds": [1]})).status_code == 403
    assert (await app.get(f"{DYNAMIC}/failed")).status_code == 403


async def test_a_deletion_is_told_though_nobody_can_see_the_issue_any_more(app, site):
    await app.post(DYNAMIC, json={"url": HOOK["url"], "webhooks": [{**ENTRY, "events": ["jira:issue_deleted"]}]})
    (letter,) = jira_hooks.letters(site, site.delete(site.find("PAY-3")))
    assert letter.event == "jira:issue_deleted"


# Data Center


async def test_data_center_has_them_elsewhere_and_tells_in_its_own_words(server, site):
    made = await server.post(
        DC,
        json={
            "name": "K", "url": HOOK["url"], "events": HOOK["events"], "active": True, "secret": "passed over",
            "configuration": {"SECRET": "s", "EXCLUDE_BODY": "false", "FILTERS": "project = PAY"},
        },
    )  # fmt: skip
    assert made.status_code == 201
    assert (made.json()["active"], made.json()["configuration"]["FILTERS"]) == (True, "project = PAY")
    (letter,) = told(site)
    verify(letter.headers, letter.body, "s", site.now())
    body = json.loads(letter.body)
    assert "accountId" not in body["user"]
    assert [item["field"] for item in body["changelog"]["items"]] == ["Story Points"]
    assert "fieldId" not in body["changelog"]["items"][0]
    path = f"{DC}/{made.json()['id']}"
    assert (await server.put(path, json={"active": False})).json()["active"] is False
    assert told(site) == []
    assert (await server.delete(path)).status_code == 204
    assert (await server.get(DC)).json() == []
    assert (await server.get(ADMIN)).status_code == 404


async def test_the_calls_of_apps_are_as_described(app, face, description):
    """The others are in no published description."""
    found = set()

    async def ask(method, path, status, **asked):
        answer = await app.request(method, path, **asked)
        assert answer.status_code == status, answer.text
        found.update(description.broken(face.exchanges[-1]))
        return answer.json() if answer.content else None

    made = await ask("POST", DYNAMIC, 200, json={"url": HOOK["url"], "webhooks": [ENTRY, {**ENTRY, "jqlFilter": "x"}]})
    ids = {"webhookIds": [one["createdWebhookId"] for one in made["webhookRegistrationResult"][:1]]}
    await ask("GET", f"{DYNAMIC}?startAt=0&maxResults=100", 200)
    await ask("PUT", f"{DYNAMIC}/refresh", 200, json=ids)
    await ask("PUT", f"{DYNAMIC}/refresh", 400, json={})
    await ask("DELETE", DYNAMIC, 202, json=ids)
    assert found == {("PUT /rest/api/3/webhook/refresh request", "", "required")}
