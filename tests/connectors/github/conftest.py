"""The simulated GitHub behind the client's edge: it answers, what was planned comes first, and all is kept."""

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from app.demo.github import Site, application
from connectors.github import CONNECTOR, DIALECT, access
from connectors.http import open_client
from domain.workspace import Connection, Secret

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class GitHub:
    """A site and its face; `plan` puts an answer, or an error, before its own, by operation or path."""

    def __init__(self, server=None, without=None):
        self.at = NOW
        self.site = Site(
            clock=lambda: self.at, server=server, url="https://git.acme.example" if server else "https://github.com"
        )
        self.acme = self.site.add_organization("acme", "Acme")
        self.face = application(self.site, without=without)
        self._wire = httpx.ASGITransport(self.face)
        self.planned = []
        self.calls = []
        self.slept = []
        self.waits = []

    @property
    def now(self):
        return self.at

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def plan(self, place, *answers):
        self.planned.extend((place, answer) for answer in answers)

    async def answer(self, request):
        body = orjson.loads(request.content) if request.content else {}
        operation = body.get("query", "").partition("(")[0].removeprefix("query ").partition("{")[0].strip()
        self.calls.append((operation or request.url.path, body.get("variables", {}), request))
        for at, (place, answer) in enumerate(self.planned):
            if place in (operation, request.url.path):
                del self.planned[at]
                if isinstance(answer, Exception):
                    raise answer
                return answer
        return await self._wire.handle_async_request(request)

    def asked(self, name):
        """The variables of each call of an operation, in order."""
        return [variables for operation, variables, _ in self.calls if operation == name]

    @property
    def operations(self):
        return [operation for operation, _, _ in self.calls]

    def repository(self, name, issues=0, **details):
        """Add a repository of acme; its issues are a minute younger each, the last ten days old."""
        made = self.site.add_repository(self.acme, name, at=NOW - timedelta(days=400), **details)
        for number in range(issues):
            self.site.create(made, f"Issue {number + 1}", at=NOW - timedelta(days=10, minutes=issues - number))
        return made


class Everything:
    """A backfill that has nothing yet."""

    async def missing(self, ids):
        return list(ids)


@pytest.fixture
def github():
    return GitHub()


@pytest.fixture
def make_github():
    return GitHub


@pytest.fixture
def connection(github):
    return Connection(
        name="github-acme",
        type="github",
        url="https://api.github.com",
        auth={"token": Secret("env:GITHUB_TOKEN", github.site.token)},
        scope={"repositories": ["acme/api"]},
        budget=1.0,
    )


@pytest.fixture
def opened():
    """Open a client of a connection on a GitHub."""

    @asynccontextmanager
    async def opened(connection, github, **more):
        async with open_client(
            connection,
            access=access(connection, now=lambda: github.now, **more),
            dialect=DIALECT,
            transport=httpx.MockTransport(lambda request: github.answer(request)),
            on_wait=lambda text, until: github.waits.append((text, until)),
            sleep=github.sleep,
            now=lambda: github.now,
        ) as client:
            yield client

    return opened


class Session:
    """A connection that was discovered, and what is read through it."""

    def __init__(self, client, connection, reading):
        self.client, self.connection, self.reading = client, connection, reading

    async def backfill(self):
        return [page async for page in CONNECTOR.backfill(self.client, self.connection, self.reading, Everything())]

    async def changes(self, watermark):
        return [page async for page in CONNECTOR.changes(self.client, self.connection, self.reading, watermark)]

    async def fetch(self, ids):
        return [page async for page in CONNECTOR.fetch(self.client, self.connection, self.reading, ids)]

    async def history(self, ids):
        return [page async for page in CONNECTOR.history(self.client, self.connection, self.reading, ids)]

    async def ids(self):
        return [id async for ids in CONNECTOR.ids(self.client, self.connection, self.reading) for id in ids]

    async def count(self):
        return await CONNECTOR.count(self.client, self.connection, self.reading)

    async def probe(self):
        return await CONNECTOR.probe(self.client, self.connection, self.reading)

    async def locate(self, id, last_in="", **more):
        return await CONNECTOR.locate(self.client, self.connection, self.reading, id, last_in, **more)

    def items(self, pages):
        """Every item in the pages' bodies, as parse reads them."""
        return [
            change.item
            for page in pages
            if page.kind == "items"
            for change in CONNECTOR.parse("items", page.body, self.connection, self.reading).changes
        ]

    def keys(self, pages):
        return sorted({item.key for item in self.items(pages)})

    def transitions(self, pages):
        return [
            change
            for page in pages
            if page.kind == "history"
            for change in CONNECTOR.parse("history", page.body, self.connection, self.reading).transitions
        ]


@pytest.fixture
def discovered(opened):
    """Open a client and discover; calls before this point are forgotten."""

    @asynccontextmanager
    async def discovered(connection, github, before=None, **more):
        async with opened(connection, github, **more) as client:
            reading = await CONNECTOR.discover(client, connection, before)
            github.calls.clear()
            yield Session(client, connection, reading)

    return discovered
