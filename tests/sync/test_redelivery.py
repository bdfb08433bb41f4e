"""What GitHub could not deliver is asked for once; what the service does about webhooks stops at nobody's trouble."""

import logging
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from app.demo import github as github_face
from app.demo import github_company, github_subscriptions
from app.demo.github_site import Site
from app.demo.ledger import Attempt, Delivery, Letter
from connectors.registry import CONNECTORS, open_connection
from domain.workspace import Connection, Secret, Workspace
from storage import setbacks
from sync import hooks, work
from sync.context import Context, Live
from sync.mapping import compile_mapping
from sync.redelivery import redeliver, upkeep

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)


class GitHub:
    """The sample company's GitHub with our webhook in its organization, and what became of its deliveries."""

    def __init__(self, store):
        self.now, self.store = NOW, store
        self.site = Site(clock=lambda: self.now, url="http://127.0.0.1:1")
        github_company.build(self.site, date(2026, 11, 16))
        self.site.access.add_token("ghp_admin", self.site.me, scopes=("repo", "read:org", "admin:org_hook"))
        self.face = github_face.application(self.site)
        self.again = []
        self.site.ledger.ask_again = lambda delivery: self.again.append(delivery.letter.guid)
        self.connection = Connection(
            name="github-main",
            type="github",
            url="http://127.0.0.1:1",
            auth={"token": Secret("env:TOKEN", "ghp_admin")},
            scope={"organizations": ["acme"]},
            webhook_secret=Secret("env:HOOK_SECRET", "s3cret"),
            budget=1.0,
        )
        workspace = Workspace(name="acme", timezone="UTC", connections={"github-main": self.connection})
        self.context = Context(
            store=store,
            workspace=workspace,
            mapper=compile_mapping(workspace),
            now=lambda: self.now,
            public_url="https://keyrail.example.com",
        )

    @asynccontextmanager
    async def live(self):
        transport = httpx.ASGITransport(app=self.face)
        async with open_connection(self.connection, transport=transport, now=lambda: self.now) as client:
            connector = CONNECTORS["github"]
            reading = await connector.discover(client, self.connection, None)
            yield Live(connection=self.connection, connector=connector, client=client, reading=reading)

    async def register(self):
        async with self.live() as source:
            await hooks.over(self.context, {source.name: source}, "register")

    def set_up_by_hand(self, url="https://keyrail.example.com/webhooks/github-main"):
        """Let a person set up the webhook in the settings of the organization."""
        organization = self.site.accounts["acme"]
        return github_subscriptions.add(self.site, organization, url, events=["issues"], secret="s3cret")

    @asynccontextmanager
    async def source(self, name):
        """Be the room where jobs are done."""
        async with self.live() as source:
            yield source

    async def job(self):
        """Do the hourly job of webhooks; return what was asked for."""
        self.again.clear()
        assert await work.do(self, "webhooks", "github-main")
        async with self.store.read() as tx:
            assert await setbacks.every(tx) == []
        return self.again

    async def redeliver(self):
        self.again.clear()
        async with self.live() as source:
            return await redeliver(self.context, source)

    def deliver(self, guid, *statuses, ago=timedelta(0)):
        """Enter a delivery with the answers that its attempts had, a minute apart."""
        (hook,) = self.site.hooks.values()
        url = hook.url
        letter = Letter(tracker="github", hook=str(hook.id), url=url, guid=guid, event="issues", headers={}, body=b"{}")
        attempts = [
            Attempt(
                id=self.site.ledger.next_id(),
                at=self.now - ago + timedelta(minutes=number),
                duration=0.1,
                status=status,
                words="OK" if status == 200 else f"Invalid HTTP Response: {status}",
                again=number > 0,
                accepted=status == 200,
            )
            for number, status in enumerate(statuses)
        ]
        self.site.ledger.deliveries.append(Delivery(letter=letter, attempts=attempts))


@pytest.fixture
async def github(store):
    made = GitHub(store)
    await made.register()
    return made


async def test_each_failed_delivery_without_a_later_success_is_asked_for_once(github):
    hour = timedelta(hours=1)
    github.deliver("arrived", 200, ago=hour)
    github.deliver("arrived-later", 503, 200, ago=hour)
    github.deliver("failed", 503, ago=hour)
    github.deliver("failed-twice", 503, 502, ago=hour)
    github.deliver("too-old", 503, ago=timedelta(days=4))
    assert await github.redeliver() == 2
    assert sorted(github.again) == ["failed", "failed-twice"]
    assert await github.redeliver() == 0
    github.now += hour
    github.deliver("failed", 503)
    github.deliver("failed-since", 500)
    assert await github.redeliver() == 1
    assert github.again == ["failed-since"]


async def test_a_long_list_of_deliveries_is_read_to_where_the_last_look_ended(github):
    for number in range(250):
        github.deliver(f"d-{number}", 200 if number else 503, ago=timedelta(hours=60) - timedelta(minutes=number))
    before = github.face.count("/deliveries")
    assert await github.redeliver() == 1
    assert github.again == ["d-0"]
    assert github.face.count("/deliveries") - before == 4  # three pages, and the one that was asked for
    before = github.face.count("/deliveries")
    assert await github.redeliver() == 0
    assert github.face.count("/deliveries") - before == 1


async def test_upkeep_looks_after_webhooks_and_deliveries_of_all_connections(github, caplog):
    github.deliver("failed", 503)
    (hook,) = github.site.hooks.values()
    hook.active = False
    async with github.live() as source:
        polled = replace(source, connection=replace(source.connection, name="polled", webhook_secret=None))
        broken = replace(source, connection=replace(source.connection, name="broken", webhook_url="http://plain"))
        with caplog.at_level(logging.WARNING):
            docs = await upkeep(github.context, {"polled": polled, "broken": broken, "github-main": source})
    assert [(doc["connection"], doc["redelivered"], bool(doc["error"])) for doc in docs] == [
        ("broken", 0, True),
        ("github-main", 1, False),
    ]
    assert hook.active
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "the webhooks of broken were not looked after"
    ]


async def test_upkeep_tells_of_what_only_a_person_can_do(github, caplog):
    github.site.access.add_token("ghp_admin", github.site.me, scopes=("repo", "read:org"))
    async with github.live() as source:
        with caplog.at_level(logging.WARNING):
            (doc,) = await upkeep(github.context, {source.name: source})
    assert doc["webhooks"][0]["state"] == "by_hand"
    assert "keyrail webhooks list --connection github-main" in caplog.text


async def test_what_failed_at_a_webhook_that_a_person_set_up_is_asked_for_too(store, caplog):
    github = GitHub(store)
    hook = github.set_up_by_hand()
    github.deliver("arrived", 200)
    github.deliver("failed", 503)
    hook.active = False
    with caplog.at_level(logging.INFO, "sync"):
        assert await github.job() == ["failed"]
        assert await github.job() == []
    assert "github-main: 1 deliveries that failed are asked for again" in caplog.text
    assert not hook.active  # it is theirs


async def test_a_webhook_that_goes_elsewhere_is_not_asked_about(store):
    github = GitHub(store)
    github.set_up_by_hand("https://keyrail-test.example.com/webhooks/github-main")
    github.deliver("failed", 503)
    assert await github.job() == []
    assert github.face.count("/deliveries") == 0


async def test_where_our_address_is_not_known_it_is_told_what_to_set(store, caplog):
    github = GitHub(store)
    github.set_up_by_hand()
    github.deliver("failed", 503)
    github.context = replace(github.context, public_url=None)
    with caplog.at_level(logging.INFO, "sync"):
        assert await github.job() == []
    assert "Set KEYRAIL_PUBLIC_URL" in caplog.text


@pytest.mark.parametrize("may", ["nothing", "read"])
async def test_a_token_that_may_not_asks_once_at_most(store, caplog, may):
    github = GitHub(store)
    github.set_up_by_hand()
    for number in range(3):
        github.deliver(f"failed-{number}", 503)
    github.site.access.add_token("ghp_admin", github.site.me, scopes=None)
    github.site.access.permissions["organization_hooks"] = may
    with caplog.at_level(logging.WARNING, "sync"):
        assert await github.job() == []
    assert github.face.count("/attempts") == (may == "read")
    assert caplog.text.count("cannot be had again") == (may == "read")
