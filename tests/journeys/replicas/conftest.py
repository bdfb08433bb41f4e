"""The service as a fleet: replicas in processes of their own that can be killed, sites that send to whoever lives.

A company is pulled once for the session; each test gets a copy of its sites and of its store. What every replica wrote
at the sites is noted in order, so that a test can tell what was written twice.
"""

import asyncio
import itertools
import json
import os
import pickle
import random
import shutil
import signal
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit

import httpx
import orjson
import pytest
from sqlalchemy import select
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.demo import github, jira, linear
from app.demo.portfolio import Portfolio, running
from app.demo.sender import Sending, sending
from app.demo.workspace import workspace_text
from app.web.server import serve
from storage import dirty, inbox, outbox, setbacks
from storage.engine import open_store
from sync.engine import open_asker

PATIENCE = 60.0
"""seconds until something that must come about has failed to"""
NAMES = {tracker: f"{tracker}-demo" for tracker in ("jira", "github", "linear")}
FACES = {"jira": jira.application, "github": github.application, "linear": linear.application}


@dataclass
class Replica:
    """A `keyrail serve` that was started; `url` once it serves."""

    running: object
    role: str
    url: str | None = None

    @property
    def pid(self):
        return self.running.pid

    @property
    def out(self):
        return (self.running.folder / "out").read_text()

    @property
    def log(self):
        return (self.running.folder / "err").read_text()


@dataclass
class Fleet:
    """Replicas over one store, and the address to which the sites send: each delivery goes to the next that lives."""

    folder: Path
    url: str
    sites: Portfolio
    warm: object
    replicas: list[Replica] = field(default_factory=list)
    fallen: list[Replica] = field(default_factory=list)
    writes: list[tuple[str, str, str]] = field(default_factory=list)
    entry: str | None = None
    turn: itertools.count = field(default_factory=itertools.count)

    @property
    def env(self):
        return {
            "PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "COLUMNS": "250",
            "KEYRAIL_PORT": "0", "KEYRAIL_DATABASE_URL": self.url, "KEYRAIL_DATABASE_WAIT": "20", **self.sites.environ,
        }  # fmt: skip

    @property
    def file(self):
        return self.folder / "keyrail.yaml"

    def command(self, *arguments, **env):
        arguments = ("--workspace", str(self.file), *arguments)
        return self.warm.start(arguments, cwd=self.folder, env=self.env | env)

    async def run(self, *arguments, **env):
        """Run a command to its end, which must be a good one."""
        ended = await asyncio.to_thread(self.command(*arguments, **env).wait)
        assert (ended.code, "Traceback" in ended.err) == (0, False), (arguments, ended.code, ended.err[-9000:])
        return ended

    async def start(self, role="all"):
        """Start a replica and wait until it serves."""
        replica = Replica(self.command("serve", "--role", role, "--json"), role)
        self.replicas.append(replica)

        def serves():
            assert "Traceback" not in replica.log, replica.log
            return replica.out.endswith("\n")

        await until(serves, f"a replica that serves (role {role})", log=lambda: replica.log)
        replica.url = json.loads(replica.out)["url"]
        return replica

    def kill(self, replica):
        """End a replica as the power does."""
        self.replicas.remove(replica)
        self.fallen.append(replica)
        os.kill(replica.pid, signal.SIGKILL)
        assert self.warm.ask({"wait": replica.pid, "seconds": 10})["code"] == -signal.SIGKILL, replica.log

    async def stop(self):
        """Ask all replicas to end; each must, in time and with 0."""
        for replica in self.replicas:
            os.kill(replica.pid, signal.SIGTERM)
        for replica in self.replicas:
            ended = await asyncio.to_thread(replica.running.wait, 30)
            assert ended.code == 0, (ended.code, ended.err[-9000:])
        self.fallen += self.replicas
        self.replicas.clear()

    def end(self):
        for replica in self.replicas:
            with suppress(ProcessLookupError):
                os.kill(replica.pid, signal.SIGKILL)
            self.warm.ask({"wait": replica.pid, "seconds": 10})

    async def killing(self, times, every, seed):
        """Kill one replica at random after the other, each replaced at once; return how many fell."""
        chance = random.Random(seed)
        for _ in range(times):
            await asyncio.sleep(chance.uniform(0.5, 1.5) * every)
            fallen = chance.choice(self.replicas)
            self.kill(fallen)
            await self.start(fallen.role)
        return times

    async def deliver(self, request):
        """Hand a request on to the next replica that lives; who dies meanwhile leaves the sender without an answer."""
        body = await request.body()
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "connection")}
        alive = [one for one in self.replicas if one.url is not None and one.role != "worker"]
        first = next(self.turn)
        for number in range(len(alive)):
            replica = alive[(first + number) % len(alive)]
            try:
                answer = await self.client.post(replica.url + request.url.path, content=body, headers=headers)
            except httpx.ConnectError:
                continue
            except httpx.HTTPError:
                return Response(b"", 502)
            return Response(answer.content, answer.status_code)
        return Response(b"", 503)

    @asynccontextmanager
    async def listening(self):
        """Stand between the sites and the replicas while the block runs."""
        routes = [Route("/webhooks/{connection}", self.deliver, methods=["POST"])]
        client = httpx.AsyncClient(trust_env=False, timeout=20)
        async with client as self.client, serve(Starlette(routes=routes)) as self.entry:
            yield

    @asynccontextmanager
    async def sending(self, faults=None, *, scale=0.002):
        """Send what happens at the sites to the fleet; vendors repeat after minutes, 0.002 makes them seconds."""
        urls = {tracker: f"{self.entry}/webhooks/{name}" for tracker, name in NAMES.items()}
        async with sending(self.sites, urls, faults=faults or Sending(), scale=scale) as sender:
            yield sender

    async def until(self, condition, what, seconds=PATIENCE):
        """Wait until a condition holds."""
        await until(condition, what, seconds)

    async def ask(self, question):
        """Return what a function finds in a transaction of the store."""
        store = await open_store(self.url)
        try:
            async with store.read() as tx:
                return await question(tx)
        finally:
            await store.close()

    async def left(self):
        """Return what nobody has seen to yet."""

        async def question(tx):
            failed = [f"{one.job} {one.key}: {one.error}" for one in await setbacks.every(tx)]
            return {"deliveries": await inbox.waiting_connections(tx), "moved": await dirty.count(tx), "failed": failed}

        async with open_asker(self.url) as jobs:
            counts = await jobs.counts()
        return {**await self.ask(question), "jobs": counts["enqueued"] + counts["pending"]}

    async def rest(self, seconds=5 * PATIENCE):
        """Wait until all that came in is seen to; after a storm that takes as long as the machine has other work."""
        left = {}

        async def none():
            left.update(await self.left())
            return not any(left.values())

        def log():
            return f"{left}\n" + "\n".join(f"{one.pid}: {one.log[-3000:]}" for one in self.replicas)

        await until(none, "rest", seconds, log=log, every=0.3)

    async def inbox(self):
        """Return the deliveries that trackers sent, by connection and id."""

        async def question(tx):
            query = select(inbox.inbox).where(inbox.inbox.c.kind.in_(inbox.PUSHED))
            return {(row.connection, row.delivery_id): row for row in await tx.execute(query)}

        return await self.ask(question)

    async def overridden(self):
        """Return the places that count as changed by a person."""
        ledger = await self.ask(outbox.ledger)
        return [place for place, told in ledger.items() if told.overridden_at]

    async def known(self, **env):
        """Return what the store holds of items that are there and in sight, and all numbers, by kind."""
        found, there = {}, set()
        for record in (await self.run("export", "all", **env)).lines:
            kind = record.pop("kind")
            if kind == "items":
                if record["deleted"] or record["inaccessible"]:
                    continue
                there.add((record["connection"], record["id"]))
            elif kind == "links" and (record["connection"], record["id"]) not in there:
                continue
            if kind not in ("history", "publications"):
                found[kind, record.get("connection", ""), record["id"]] = record
        return found

    async def truth(self):
        """Return what a backfill into an empty store makes of the sites."""
        beside = {"KEYRAIL_DATABASE_URL": f"sqlite:///{self.folder}/truth.db"}
        await self.run("backfill", **beside)
        return await self.known(**beside)

    def note(self, tracker, exchange):
        """Note what a request wrote: where, and what."""
        for place, content in WROTE[tracker](exchange):
            self.writes.append((tracker, place, content))


def jira_wrote(exchange):
    if exchange.method == "POST" and exchange.path.endswith("/remotelink") and exchange.status < 300:
        link = orjson.loads(exchange.request)
        yield f"{exchange.path.split('/')[-2]} {link['globalId']}", json.dumps(link["object"], sort_keys=True)


def github_wrote(exchange):
    if exchange.path.endswith("/graphql") and exchange.status == 200:
        asked = orjson.loads(exchange.request)
        values = asked.get("variables") or {}
        if "addComment(" in asked["query"]:
            yield f"{values['subjectId']} {values['body'].partition('-->')[0]}", values["body"]
        elif "updateIssueComment(" in asked["query"]:
            yield values["id"], values["body"]


def linear_wrote(exchange):
    if exchange.operation in ("Attach", "Reattach") and exchange.status == 200:
        card = orjson.loads(exchange.request)["variables"]["input"]
        yield f"{card['issueId']} {card['url']}", f"{card['title']} {card['subtitle']}"


WROTE = {"jira": jira_wrote, "github": github_wrote, "linear": linear_wrote}


async def until(condition, what, seconds=PATIENCE, *, log=str, every=0.05):
    """Wait until a condition holds; what was found instead is told where it never does."""
    deadline = monotonic() + seconds
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert monotonic() < deadline, f"{what}: not within {seconds:g} s\n{log()}"
        await asyncio.sleep(every)


@asynccontextmanager
async def standing(fleet):
    """Serve the sites at the addresses that they were pulled from, and note what is written there."""
    async with AsyncExitStack() as stack:
        for tracker, application in FACES.items():
            face = application(getattr(fleet.sites, tracker))
            face.observers.append(lambda exchange, tracker=tracker: fleet.note(tracker, exchange))
            await stack.enter_async_context(serve(face, urlsplit(fleet.sites.urls[tracker]).port))
        yield


async def pull_company(folder, url, warm):
    """Build the company, pull it into an empty store and tell it; return the sites as bytes."""
    today = datetime.now(UTC).date()
    async with running(today) as sites:
        text = workspace_text(sites.urls, today).replace("at_most: 24h", "at_most: 0s")
        text = text.replace("    budget: 1\n", "").replace("    poll: 1m\n", "    poll: 10s\n    budget: 1\n")
        (folder / "keyrail.yaml").write_text(text)
        fleet = Fleet(folder, url, sites, warm)
        await fleet.run("backfill")
        await fleet.run("publish")
        async with open_asker(url):  # with the tables of the jobs
            return pickle.dumps(sites)


@pytest.fixture(scope="session")
def pulled_file(tmp_path_factory, warm):
    """A folder with a workspace file and a SQLite store of the company, and its sites as bytes."""
    folder = tmp_path_factory.mktemp("fleet")
    return folder, asyncio.run(pull_company(folder, f"sqlite:///{folder}/keyrail.db", warm))


@pytest.fixture(scope="session")
def pulled_server(tmp_path_factory, warm, postgres_server):
    """The same on PostgreSQL: the folder, the sites, the name of the database to be copied."""
    folder = tmp_path_factory.mktemp("fleet-pg")
    with postgres_server.migrated() as url:
        yield folder, asyncio.run(pull_company(folder, url, warm)), url.rpartition("/")[2]


@asynccontextmanager
async def at_work(fleet):
    """Let the sites stand and the fleet be reached; whatever runs at the end is killed."""
    async with standing(fleet), fleet.listening():
        try:
            yield fleet
        finally:
            fleet.end()


@pytest.fixture
async def fleet(tmp_path, warm, pulled_server, postgres_server):
    """A company that was pulled, on PostgreSQL; no replica runs yet."""
    folder, sites, template = pulled_server
    shutil.copytree(folder, tmp_path / "files")
    with postgres_server.database(template) as url:
        async with at_work(Fleet(tmp_path / "files", url, pickle.loads(sites), warm)) as fleet:
            yield fleet


@pytest.fixture
async def single(tmp_path, warm, pulled_file):
    """The same on SQLite, for one replica."""
    folder, sites = pulled_file
    shutil.copytree(folder, tmp_path / "files")
    url = f"sqlite:///{tmp_path}/files/keyrail.db"
    async with at_work(Fleet(tmp_path / "files", url, pickle.loads(sites), warm)) as fleet:
        yield fleet
