"""What every connector in the registry must do, each asked over its own simulated tracker."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random

import httpx
import orjson
import pytest

from app.demo import company, github_company, linear_company
from app.demo import github as github_face
from app.demo import jira as jira_face
from app.demo import linear as linear_face
from app.demo.github_site import Site as GitHub
from app.demo.linear_site import Site as Linear
from app.demo.site import Site as Jira
from connectors import github, jira, linear
from connectors.base import Spot
from connectors.registry import CONNECTORS, connector, open_connection
from domain.errors import AuthError, ConfigError, PayloadError, SignatureError
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.work import Ignored, Level, Refetch, Upsert
from domain.workspace import Connection, PublishRow, Secret

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
VENDORS = {"jira": jira, "github": github, "linear": linear}
ROOT = Path(__file__).parents[2]
ITEMS = {"jira": 470, "github": 66, "linear": 73}


class Tracker:
    """The sample company's part on one tracker, and a connection to it."""

    def __init__(self, name):
        self.now = NOW
        self.name = name
        self.connector = CONNECTORS[name]
        scope, auth, more = {}, {}, {}
        match name:
            case "jira":
                self.site = Jira(clock=lambda: self.now)
                company.build(self.site, TODAY)
                self.face, self.url = jira_face.application(self.site), "http://127.0.0.1:1"
                auth = {"email": self.site.email, "token": Secret("env:TOKEN", self.site.token)}
                scope, more = {"projects": ["PAY", "CORE", "MER"]}, {"deployment": "cloud"}
            case "github":
                self.site = GitHub(clock=lambda: self.now, url="http://127.0.0.1:1")
                github_company.build(self.site, TODAY)
                self.face, self.url = github_face.application(self.site), "http://127.0.0.1:1"
                auth, scope = {"token": Secret("env:TOKEN", self.site.token)}, {"organizations": ["acme"]}
                more = {"estimate": {"issue_field": "Effort"}, "status": {"project_field": "Status"}}
            case _:
                self.site = Linear(clock=lambda: self.now)
                linear_company.build(self.site, TODAY)
                self.face, self.url = linear_face.application(self.site), "http://127.0.0.1:1/graphql"
                auth, scope = {"token": Secret("env:TOKEN", self.site.key)}, {"teams": ["MOB", "DES"]}
        self.connection = Connection(name=f"{name}-main", type=name, url=self.url, auth=auth, scope=scope, **more)

    def later(self, **span):
        self.now += timedelta(**span)

    async def sleep(self, seconds):
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    @asynccontextmanager
    async def opened(self, connection=None):
        stated = connection or self.connection
        transport = httpx.ASGITransport(app=self.face)
        async with open_connection(stated, transport=transport, sleep=self.sleep, now=lambda: self.now) as client:
            yield client

    @asynccontextmanager
    async def read(self):
        """Open a client, with what discovery reads."""
        async with self.opened() as client:
            yield client, await self.connector.discover(client, self.connection, None)

    def parse(self, page, reading):
        return self.connector.parse(page.kind, page.body, self.connection, reading)

    async def everything(self, client, reading, resume=None):
        """Return the items of a backfill by id."""
        pages = [
            page async for page in self.connector.backfill(client, self.connection, reading, resume or Everything())
        ]
        changes = [change for page in pages for change in self.parse(page, reading).changes]
        return {change.item.id: change.item for change in changes if isinstance(change, Upsert)}


class Everything:
    """A backfill that has nothing yet."""

    async def missing(self, ids):
        return list(ids)


@pytest.fixture(params=sorted(CONNECTORS))
def tracker(request):
    return Tracker(request.param)


def test_every_connector_is_known_here_has_a_page_and_its_manners():
    assert set(CONNECTORS) == set(VENDORS) == set(ITEMS)
    for name, vendor in VENDORS.items():
        assert vendor.CONNECTOR is CONNECTORS[name]
        assert vendor.DIALECT.concurrency > 1
        assert (ROOT / "connectors" / name / "README.md").read_text().startswith("# ")
    with pytest.raises(ConfigError, match="github, jira, linear"):
        connector("trello")


async def test_a_backfill_brings_every_item_that_is_counted_and_listed(tracker):
    async with tracker.read() as (client, reading):
        items = await tracker.everything(client, reading)
        listed = [
            id
            for ids in [ids async for ids in tracker.connector.ids(client, tracker.connection, reading)]
            for id in ids
        ]
        counted = await tracker.connector.count(client, tracker.connection, reading)
    assert len(items) == ITEMS[tracker.name]
    assert sorted(listed) == sorted(items)
    # Linear counts issues alone.
    assert counted == sum(item.tracker != "linear" or item.type == "Issue" for item in items.values())
    for item in items.values():
        assert (item.connection, item.tracker) == (tracker.connection.name, tracker.name)
        assert all((item.key, item.title, item.type, item.status, item.url.startswith("http"))), item
        assert item.updated_at >= item.created_at
        assert item.parent_id is None or item.parent_id in items, item.key
        # What an item is called on the web is told back as its key.
        if item.type in ("Issue", "Story", "Task", "Bug", "Epic") and tracker.name != "jira":
            assert tracker.connector.key_at(item.url, tracker.connection) == item.key


async def test_a_piece_of_a_page_says_what_the_page_says(tracker):
    async with tracker.read() as (client, reading):
        pages = [page async for page in tracker.connector.backfill(client, tracker.connection, reading, Everything())]
    for page in pages:
        whole = tracker.parse(page, reading).changes
        assert tracker.connector.kind_of(orjson.loads(page.body)) == page.kind == "items"
        pieces = tracker.connector.split(page.kind, page.body)
        apart = [
            change
            for piece in pieces
            for change in tracker.connector.parse("items", piece, tracker.connection, reading).changes
        ]
        assert tuple(apart) == whole
    with pytest.raises(PayloadError):
        tracker.connector.parse("items", b"<html>", tracker.connection, reading)
    assert tracker.connector.split("items", b"<html>") == []


async def test_without_a_change_the_sweep_ends_with_a_watermark_and_few_calls(tracker):
    async with tracker.read() as (client, reading):
        start = {"updated_ms": reading.facts["read_ms"]}
        tracker.later(minutes=30)
        first = [page async for page in tracker.connector.changes(client, tracker.connection, reading, start)]
        assert first[-1].cursor["updated_ms"] >= start["updated_ms"]
        tracker.later(minutes=30)
        before = client.requests
        idle = [page async for page in tracker.connector.changes(client, tracker.connection, reading, first[-1].cursor)]
        assert client.requests - before <= 6
    assert [change for page in idle for change in tracker.parse(page, reading).changes if isinstance(change, Upsert)
            and change.item.type == "Issue"] == []  # fmt: skip
    assert idle[-1].cursor["updated_ms"] >= first[-1].cursor["updated_ms"]


async def test_the_given_items_are_read_and_the_unknown_are_named(tracker):
    async with tracker.read() as (client, reading):
        items = await tracker.everything(client, reading)
        some = sorted(items)[:7]
        unknown = {"jira": "99999999", "github": "I_kwDOdoesNotExist", "linear": "00000000-0000-4000-8000-00000000dead"}
        asked = [*some, unknown[tracker.name]]
        pages = [page async for page in tracker.connector.fetch(client, tracker.connection, reading, asked)]
        located = await tracker.connector.locate(client, tracker.connection, reading, unknown[tracker.name], "")
    found = {change.item.id: change.item for page in pages for change in tracker.parse(page, reading).changes}
    assert found == {id: items[id] for id in some}
    assert [id for page in pages for id in page.missing] == [unknown[tracker.name]]
    assert (located.state, located.page) == ("deleted", None)


async def test_the_past_is_whole_and_in_order(tracker):
    async with tracker.read() as (client, reading):
        items = await tracker.everything(client, reading)
        pages = [page async for page in tracker.connector.history(client, tracker.connection, reading, sorted(items))]
    parsed = [tracker.parse(page, reading) for page in pages]
    told = [entry for one in parsed for entry in one.transitions]
    # Linear keeps no history of initiatives, and of projects sums by week alone; they say so.
    without = {id for id, item in items.items() if "no_history" in item.flags and item.level is not Level.ISSUE}
    read = {id for one in parsed for id in one.history_of}
    assert set(items) - without <= read <= set(items)
    assert {entry.field.partition("_")[0] for entry in told if entry.item_id in without} <= {"weekly"}
    assert len({(entry.item_id, entry.id) for entry in told}) == len(told)
    assert {entry.field for entry in told} >= {"status", "estimate"}
    for one in parsed:
        for id in one.history_of:
            moments = [entry.at for entry in one.transitions if entry.item_id == id]
            assert moments == sorted(moments)
    # What is done was once not done, and the last word of its history is the status that it has.
    for item in items.values():
        last = [entry for entry in told if entry.item_id == item.id and entry.field == "status"]
        if last:
            assert last[-1].after == item.status, item.key


async def test_check_has_nothing_to_complain_of_and_a_wrong_token_is_told(tracker):
    async with tracker.read() as (client, reading):
        findings = await tracker.connector.probe(client, tracker.connection, reading)
    assert [one for one in findings if one.level == "error"] == []
    assert all(one.message and one.subject for one in findings)
    wrong = {name: Secret("env:TOKEN", "wrong") if name == "token" else said
             for name, said in tracker.connection.auth.items()}  # fmt: skip
    async with tracker.opened(replace(tracker.connection, auth=wrong)) as client:
        with pytest.raises(AuthError, match="environment variable TOKEN") as refused:
            await tracker.connector.discover(client, tracker.connection, None)
    assert tracker.connection.name in str(refused.value)
    assert "wrong" not in str(refused.value).replace("wrong credentials", "")


def test_a_webhook_is_genuine_or_refused_and_an_unknown_event_is_named(tracker):
    known = len(tracker.site.changes)
    match tracker.name:
        case "jira":
            issue = next(iter(tracker.site.issues.values()))
            tracker.site.change(issue, summary="New words")
        case "github":
            github_company.step(tracker.site, Random(3))
        case _:
            linear_company.step(tracker.site, Random(3))
    delivery = tracker.face.webhook_for(tracker.site.changes[known])
    reading = tracker.connector.defaults(tracker.connection)
    asked = tracker.connector
    asked.verify(delivery.headers, delivery.body, tracker.site.webhook_secret, tracker.now)
    with pytest.raises(SignatureError):
        asked.verify(delivery.headers, delivery.body + b" ", tracker.site.webhook_secret, tracker.now)
    # Headers come in any case, and a delivery that is sent again is known by the same id.
    shouted = {name.upper(): value for name, value in delivery.headers.items()}
    id = asked.delivery_id(delivery.headers, delivery.body)
    assert id == asked.delivery_id(shouted, delivery.body)
    assert id == asked.delivery_id(delivery.headers, delivery.body)
    assert asked.delivery_id({}, delivery.body) != asked.delivery_id({}, delivery.body + b" ")
    event = asked.event_of(delivery.headers)
    assert event == asked.event_of(shouted)
    assert event == {"jira": None, "github": "issues", "linear": "Issue"}[tracker.name]
    assert asked.event_of({}) is None
    changes = asked.webhook(delivery.body, None, tracker.connection, reading).changes
    assert changes == asked.webhook(delivery.body, event, tracker.connection, reading).changes
    # Of a delivery that came too late nothing is believed, and what it names is read again.
    hints = asked.hints(delivery.body, event, tracker.connection, reading).changes
    assert all(isinstance(hint, Refetch) for hint in hints)
    assert {hint.ref for hint in hints} == {
        change.item.ref if isinstance(change, Upsert) else change.ref
        for change in changes
        if not isinstance(change, Ignored)
    }
    assert changes
    assert all(isinstance(change, Refetch | Upsert | Ignored) for change in changes)
    unheard = {
        "jira": {"webhookEvent": "unheard_of"},
        "github": {"action": "unheard_of"},
        "linear": {"type": "Unheard_of", "action": "update", "data": {}},
    }
    body, event = orjson.dumps(unheard[tracker.name]), "unheard_of" if tracker.name == "github" else None
    with pytest.raises(PayloadError, match=r"(?i)unheard"):
        tracker.connector.webhook(body, event, tracker.connection, reading)


UPDATE = StatusUpdate(
    workspace="acme", kind="initiative", id="I1", title="One-click <pay> & @more", progress=0.62, state="ok",
    health=Health.AT_RISK, drivers=("late by *two* weeks",), summary="At risk. 62 % delivered.", url=None,
)  # fmt: skip


async def test_what_is_written_is_read_back_changed_in_place_and_removed(tracker):
    async with tracker.read() as (client, reading):
        items = await tracker.everything(client, reading)
        for kind, outlet in tracker.connector.outlets.items():
            if outlet.prepare is not None:
                continue  # what needs to look things up first is held to this in tests/sync/test_tracker_outlets.py
            row = PublishRow(id="row", outlet=f"{tracker.name}.{kind}", connection=tracker.connection.name)
            place = next(item for item in items.values() if item.level is outlet.level)
            spot = Spot(row=row, address=place.id, key="keyrail:acme:row:initiative:I1", reading=reading)

            async def there(spot, outlet=outlet):
                call = outlet.read(spot)
                while True:
                    found = outlet.current((await client.send(call)).body, spot)
                    if not hasattr(found, "method"):
                        return found
                    call = found

            said = outlet.content(UPDATE, row)
            if tracker.name != "jira":
                assert await there(spot) is None
            await client.send(outlet.render(said, spot))
            first = await there(spot)
            assert first.content == said
            news = outlet.content(replace(UPDATE, progress=0.7, health=Health.ON_TRACK), row)
            assert news != said
            await client.send(outlet.render(news, replace(spot, id=first.id)))
            second = await there(spot)
            assert second.content == news
            assert second.id == first.id
            await client.send(outlet.remove(replace(spot, id=second.id)))
