"""A simulated Linear behind a client, for the tests of the reading half: real documents on a real schema."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from app.demo.linear import application
from app.demo.linear_model import State
from app.demo.linear_site import Site
from connectors.linear import CONNECTOR
from connectors.registry import open_connection
from domain.workspace import Connection, Secret

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


class Workspace:
    """One simulated workspace with two teams, its clock, and what it was asked."""

    def __init__(self, **schema):
        self.now = NOW
        self.slept = []
        self.waits = []
        self.site = Site(clock=lambda: self.now)
        self.site.oauth.scopes = ("read", "write", "initiative:read")
        self.face = application(self.site, **schema)
        self.eng = self.site.add_team("ENG", "Engineering")
        self.des = self.site.add_team("DES", "Design", estimates="notUsed")
        self.todo = {team.key: self.site.state(team, "Todo") for team in (self.eng, self.des)}

    def many(self, team, amount, *, number=1, minutes=1):
        """Create issues at the cost of none of the site's bookkeeping, one a minute."""
        return [
            self.site.create(team, f"Issue {n}", at=NOW - timedelta(days=30) + timedelta(minutes=n * minutes))
            for n in range(number, number + amount)
        ]

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def later(self, **span):
        self.now += timedelta(**span)

    @property
    def operations(self):
        """The names of the documents that were sent, tokens by their path."""
        return [one.operation or one.path for one in self.face.exchanges]

    def asked(self, operation):
        """The variables that a document was sent with."""
        return [orjson.loads(one.request)["variables"] for one in self.face.exchanges if one.operation == operation]


class Everything:
    """A backfill that has nothing yet."""

    async def missing(self, ids):
        return list(ids)


@pytest.fixture
def linear():
    return Workspace()


@pytest.fixture
def newer_linear():
    """A workspace whose projects have identifiers, as later schemas say."""
    return Workspace(newer=True)


@pytest.fixture
def everything():
    return Everything()


@pytest.fixture
def connection(linear):
    return Connection(
        name="linear-acme",
        type="linear",
        url="https://api.linear.app/graphql",
        auth={"token": Secret("env:LINEAR_TOKEN", linear.site.key)},
        scope={"teams": ["ENG", "DES"]},
        budget=1.0,
    )


@pytest.fixture
def opened():
    """Open a client of a connection on a workspace."""

    @asynccontextmanager
    async def opened(connection, workspace, transport=None, **more):
        async with open_connection(
            connection,
            transport=transport or httpx.ASGITransport(app=workspace.face),
            on_wait=lambda text, until: workspace.waits.append((text, until)),
            sleep=workspace.sleep,
            now=lambda: workspace.now,
            **more,
        ) as client:
            yield client

    return opened


@pytest.fixture
def client_on(opened, connection):
    """Open the usual connection on a workspace."""
    return lambda workspace, **more: opened(connection, workspace, **more)


@pytest.fixture
def discovered(opened, connection):
    """Discover a connection, the usual one where none is given, and forget the requests that it took."""

    async def discovered(workspace, other=None, before=None):
        async with opened(other or connection, workspace) as client:
            reading = await CONNECTOR.discover(client, other or connection, before)
        workspace.face.exchanges.clear()
        return reading

    return discovered


@pytest.fixture
def scoped(connection):
    """The usual connection with other teams in scope."""
    return lambda *teams: replace(connection, scope={"teams": list(teams)})


@pytest.fixture
def states():
    """All states of a workspace by id, as discovery keeps them."""
    return lambda workspace: {one.id: [one.name, one.type] for one in workspace.site.all(State)}
