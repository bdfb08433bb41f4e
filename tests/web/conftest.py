"""The service's application over real HTTP, on a store of each kind, with the simulated trackers' signed webhooks."""

import json
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from random import Random

import httpx
import pytest

from app.demo import company, github_company, linear_company
from app.demo import github as github_face
from app.demo import jira as jira_face
from app.demo import linear as linear_face
from app.demo.github_site import Site as GitHub
from app.demo.linear_site import Site as Linear
from app.demo.site import Site as Jira
from app.web.app import application
from app.web.health import database, migrations
from app.web.metrics import Metrics
from app.web.needs import Web
from app.web.server import serve
from domain.workspace import Connection, Secret
from storage import inbox
from storage.engine import open_store
from sync.arrivals import open_arrivals

TODAY = date(2026, 11, 16)
NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
URLS = {"jira": "https://jira.test", "github": "https://api.github.test", "linear": "https://api.linear.test/graphql"}


@dataclass(frozen=True)
class Signed:
    """A webhook as a tracker sends it."""

    headers: dict
    body: bytes


@pytest.fixture(scope="session")
def webhooks():
    """A signed webhook of each simulated tracker, and the secret that it is signed with."""
    jira, github = Jira(clock=lambda: NOW), GitHub(clock=lambda: NOW, url=URLS["github"])
    linear = Linear(clock=lambda: NOW)
    company.build(jira, TODAY)
    github_company.build(github, TODAY)
    linear_company.build(linear, TODAY)
    known = {"jira": len(jira.changes), "github": len(github.changes), "linear": len(linear.changes)}
    jira.change(next(iter(jira.issues.values())), summary="New words")
    github_company.step(github, Random(3))
    linear_company.step(linear, Random(3))
    faces = {"jira": (jira_face, jira), "github": (github_face, github), "linear": (linear_face, linear)}
    sent = {}
    for name, (face, site) in faces.items():
        found = face.application(site).webhook_for(site.changes[known[name]])
        sent[name] = Signed(dict(found.headers), found.body), site.webhook_secret
    return sent


@pytest.fixture
def acme(workspace, webhooks):
    """A workspace with the three trackers, and connections whose secret is not said, or not set."""
    connections = {
        name: Connection(name=name, type=name, url=URLS[name], webhook_secret=Secret(f"env:{name}", secret))
        for name, (_, secret) in webhooks.items()
    }
    connections["mute"] = Connection(name="mute", type="github", url=URLS["github"])
    connections["unset"] = Connection(
        name="unset", type="github", url=URLS["github"], webhook_secret=Secret("env:UNSET", None)
    )
    return workspace(connections=connections)


@dataclass
class Site:
    """The application as served: `post` sends a webhook, `stored` is the inbox; `now` is the application's clock."""

    client: httpx.AsyncClient
    store: object
    metrics: Metrics
    now: datetime = NOW
    woken: list = field(default_factory=list)

    async def post(self, connection, signed, *, path="/webhooks/{}", body=None, **headers):
        return await self.client.post(
            path.format(connection),
            content=signed.body if body is None else body,
            headers={**signed.headers, **headers},
        )

    async def stored(self, connection):
        async with self.store.read() as tx:
            return [
                (one.kind, one.event, inbox.unpack(one.body)) for one in await inbox.waiting(tx, connection, limit=9999)
            ]

    async def numbers(self):
        """Return the samples of `/metrics`: by name and labels as written."""
        text = (await self.client.get("/metrics")).text
        lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, _, value in lines}


@pytest.fixture
def open_site(acme):
    """Return what serves the application over a database."""

    @asynccontextmanager
    async def opened(url, jobs=None):
        store, metrics = await open_store(url), Metrics("0.1.0")
        woken = []
        async with open_arrivals(store, woken.append) as arrivals:
            site = Site(client=None, store=store, metrics=metrics, woken=woken)
            web = Web(
                version="0.1.0",
                workspace=lambda: acme,
                arrivals=arrivals,
                metrics=metrics,
                scrape=lambda: metrics.scrape(store, jobs, site.now),
                checks={"database": database(store), "migrations": migrations(store)},
                now=lambda: site.now,
            )
            async with serve(application(web)) as address, httpx.AsyncClient(base_url=address, timeout=30) as client:
                site.client = client
                yield site
        await store.close()

    return opened


@pytest.fixture
async def site(open_site, database_url):
    async with open_site(database_url) as opened:
        yield opened


@pytest.fixture
def said():
    """Return what an answer says."""

    def read(answer):
        (text,) = json.loads(answer.content).values()
        return text

    return read
