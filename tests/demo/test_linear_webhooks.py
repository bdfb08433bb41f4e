"""Deliveries of the simulated Linear: what they say, and that they are signed as Linear signs them."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.demo.linear import application
from app.demo.linear_site import Site

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=14)
MS = 1_794_994_200_000
"""NOW in epoch milliseconds"""


@pytest.fixture
def site(clock):
    site = Site(clock=clock)
    site.add_team("MOB", "Mobile")
    return site


@pytest.fixture
def issue(site):
    project = site.add_project("Wallet", [site.team("MOB")], at=OLD)
    parent = site.create(site.team("MOB"), "Cards", at=OLD)
    labels = [site.add_label("ios", parent=site.add_label("area", group=True))]
    return site.create(site.team("MOB"), "Stored cards", at=OLD, project=project, parent=parent, labels=labels)


@pytest.fixture
def deliver(site):
    face = application(site)

    def body_of(change, **more):
        sent = face.webhook_for(change, **more)
        return sent.headers, json.loads(sent.body)

    return body_of


def test_an_update_tells_what_is_and_what_was(site, issue, deliver):
    mobile, editor = site.team("MOB"), site.editor
    backlog, going = site.state(mobile, "Backlog"), site.state(mobile, "In Progress")
    change = site.change(issue, state="In Progress", estimate=3.0)
    headers, body = deliver(change)
    data = body.pop("data")
    actor = {
        "id": editor.id,
        "name": editor.name,
        "email": editor.email,
        "url": "https://linear.app/acme/profiles/team-lead",
    }
    assert body == {
        "action": "update",
        "actor": actor | {"type": "user"},
        "createdAt": "2026-11-18T09:30:00.000Z",
        "url": "https://linear.app/acme/issue/MOB-2/stored-cards",
        "type": "Issue",
        "organizationId": site.id,
        "webhookTimestamp": MS,
        "webhookId": body["webhookId"],
        "updatedFrom": {
            "updatedAt": "2026-11-04T09:30:00.000Z",
            "stateId": backlog.id,
            "startedAt": None,
            "estimate": None,
        },
    }
    assert {name: data[name] for name in ("identifier", "number", "estimate", "stateId", "state", "startedAt")} == {
        "identifier": "MOB-2",
        "number": 2,
        "estimate": 3,
        "stateId": going.id,
        "state": {"id": going.id, "name": "In Progress", "type": "started", "color": going.color},
        "startedAt": "2026-11-18T09:30:00.000Z",
    }
    assert data["team"] == {"id": mobile.id, "key": "MOB", "name": "Mobile"}
    assert (data["parentId"], data["project"]["name"]) == (issue.parent.id, "Wallet")
    assert [label["parentId"] for label in data["labels"]] == [issue.labels[0].parent.id]
    assert data["labelIds"] == [issue.labels[0].id]
    assert "canceledAt" not in data
    assert headers == {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Linear-Webhook",
        "Linear-Delivery": headers["Linear-Delivery"],
        "Linear-Event": "Issue",
        "Linear-Timestamp": str(MS),
        "Linear-Signature": headers["Linear-Signature"],
    }


def test_the_signature_is_bare_hex_over_the_very_bytes(site, issue):
    sent = application(site).webhook_for(site.changes[-1])
    expected = hmac.new(site.webhook_secret.encode(), sent.body, hashlib.sha256).hexdigest()
    assert sent.headers["Linear-Signature"] == expected


def test_a_registered_webhook_signs_with_its_secret_and_names_itself(site, issue):
    webhook = site.register("https://k.example/hook", ["Issue"], secret="of its own")
    sent = application(site).webhook_for(site.changes[-1])
    assert sent.headers["Linear-Signature"] == hmac.new(b"of its own", sent.body, hashlib.sha256).hexdigest()
    assert json.loads(sent.body)["webhookId"] == webhook.id


def test_each_change_is_a_delivery_of_its_own_and_repeats_alike(site, issue, deliver):
    site.change(issue, estimate=2.0)
    ids = [deliver(change)[0]["Linear-Delivery"] for change in site.changes]
    assert len(set(ids)) == len(ids)
    assert deliver(site.changes[0]) == deliver(site.changes[0])
    _, body = deliver(site.changes[0], sent_at=NOW - timedelta(minutes=5))
    assert body["webhookTimestamp"] == MS - 300_000


def test_archiving_is_an_update_and_deleting_a_removal(site, issue, deliver):
    _, archived = deliver(site.archive(issue))
    assert (archived["action"], archived["updatedFrom"]["archivedAt"]) == ("update", None)
    _, removed = deliver(site.trash(issue))
    assert (removed["action"], removed["data"]["trashed"], "updatedFrom" in removed) == ("remove", True, False)
    _, restored = deliver(site.restore(issue))
    assert (restored["action"], restored["updatedFrom"]["trashed"]) == ("update", True)
    assert "archivedAt" not in restored["data"]


def test_projects_and_initiatives_are_told_too(site, issue, deliver):
    project = issue.project
    initiative = site.add_initiative("Wallets", parent=site.add_initiative("Everything on the phone"), owner=site.me)
    _, created = deliver(site.changes[-1])
    assert (created["type"], created["action"], created["data"]["parentInitiative"]["name"]) == (
        "Initiative",
        "create",
        "Everything on the phone",
    )
    site.link_project(initiative, project)
    _, body = deliver(site.change_container(project, status="In Progress"))
    assert (body["type"], body["updatedFrom"]["status"]) == ("Project", site.status("Planned").id)
    assert [one["name"] for one in body["data"]["initiatives"]] == ["Wallets"]
    assert body["data"]["teamIds"] == [site.team("MOB").id]
    assert body["data"]["status"]["type"] == "started"
    _, gone = deliver(site.trash(initiative))
    assert (gone["type"], gone["action"], [one["name"] for one in gone["data"]["projects"]]) == (
        "Initiative",
        "remove",
        ["Wallet"],
    )
    assert gone["data"]["owner"]["email"] == "product-ops@example.com"


def test_a_project_that_got_a_health_says_so(site, issue, deliver):
    site.post_update(issue.project, "atRisk", "Late.", by=site.bot)
    _, body = deliver(site.changes[-1])
    assert (body["data"]["health"], body["updatedFrom"]["health"], body["actor"]["id"]) == ("atRisk", None, site.bot.id)


async def test_what_is_written_through_the_api_is_told_as_the_accounts_doing(site, issue):
    card = f'{{issueId: "{issue.id}", url: "https://k.example/1", title: "62 %"}}'
    face = application(site)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=face), base_url="https://api.linear.app") as client:
        query = f"mutation {{ attachmentCreate(input: {card}) {{ success }} }}"
        answer = await client.post("/graphql", json={"query": query}, headers={"authorization": site.key})
    assert answer.json() == {"data": {"attachmentCreate": {"success": True}}}
    body = json.loads(face.webhook_for(site.changes[-1]).body)
    assert (body["type"], body["action"], body["actor"]["id"]) == ("Issue", "update", site.me.id)
    assert body["updatedFrom"] == {"updatedAt": "2026-11-04T09:30:00.000Z"}
