"""The service as it runs: three simulated trackers behind real HTTP, their webhooks, and a store on either database.

A company is pulled once for the session; each test gets a copy of its sites and of its store, and may ask for the
truth: what a backfill into an empty store makes of the sites as they are now.
"""

import asyncio
import os
import pickle
import shutil
from collections import Counter
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import select

from app.bootstrap import open_context, open_sources
from app.demo import github, jira, linear
from app.demo.portfolio import Portfolio, running
from app.demo.sender import Sending, sending
from app.demo.workspace import workspace_text
from app.service import service
from app.web.server import serve
from config.settings import read
from config.workspace import load
from domain.errors import ConfigError
from domain.workspace import Workspace
from storage import checkpoints, inbox
from sync import exports, run
from sync.answers import report
from sync.engine import open_asker
from sync.poll import COMPLETE

PATIENCE = 30.0
"""seconds until something that must come about has failed to"""
NAMES = {tracker: f"{tracker}-demo" for tracker in ("jira", "github", "linear")}
ENDED = "keyrail_job_duration_seconds_count"
PROVEN = {"items": ("started_at",), "initiatives": ("start",)}
"""fields of records that are known from the past"""
FACES = {"jira": jira.application, "github": github.application, "linear": linear.application}


@dataclass
class House:
    """Sites, a workspace file and a store; what runs over them is up to the test."""

    folder: Path
    url: str
    sites: Portfolio
    environ: dict[str, str] = field(default_factory=dict)
    served: str | None = None
    warm: object = None
    workspace: Workspace | None = None

    @property
    def file(self):
        return self.folder / "keyrail.yaml"

    @property
    def env(self):
        said = {"KEYRAIL_PORT": "0", "KEYRAIL_WORKSPACE": str(self.file), "KEYRAIL_DATABASE_URL": self.url}
        return {**self.sites.environ, **said, **self.environ}

    def now(self):
        return datetime.now(UTC)

    def edit(self, before, after, times=1):
        """Replace a text in the workspace file, as an editor does: another file takes its place."""
        text = self.file.read_text()
        assert text.count(before) == times, (before, text.count(before))
        beside = self.file.with_suffix(".new")
        beside.write_text(text.replace(before, after))
        beside.rename(self.file)

    @asynccontextmanager
    async def serving(self, *, poll="1h", **said):
        """Run the service in this loop; yields when its first round of jobs is over.

        What was pulled within half of `poll` is not pulled again: with an hour nothing is but what a test asks for.
        """
        self.file.write_text(self.file.read_text().replace("poll: 1h", f"poll: {poll}"))
        env = {**self.env, **said}
        async with service(read(env), env) as served:
            self.served = served.url
            await self.until(self.first_round, "the first round of jobs")
            yield served

    async def ended(self, job):
        """Return how many jobs of a name ended so far."""
        found = await self.metrics()
        return sum(int(float(n)) for name, n in found.items() if name.startswith(f'{ENDED}{{job="{job}"'))

    async def first_round(self):
        """Return whether each connection had its first pull and its first census."""
        return min(await self.ended("pull"), await self.ended("census")) >= len(NAMES) and await self.at_rest()

    async def pull(self):
        """Have the service pull every second from now on, and wait until it did."""
        began = datetime.now(UTC)
        self.edit("poll: 1h", "poll: 1s", times=len(NAMES))
        await self.until(lambda: self.pulled_since(began), "a pull of each connection")

    @asynccontextmanager
    async def sending(self, faults=None, *, scale=0.01):
        """Send what happens at the sites to the service that runs."""
        urls = {tracker: f"{self.served}/webhooks/{name}" for tracker, name in NAMES.items()}
        async with sending(self.sites, urls, faults=faults or Sending(), scale=scale) as sender:
            yield sender

    def start(self, *arguments, **said):
        """Start a command in a process of its own."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "COLUMNS": "250"}
        return self.warm.start(arguments, cwd=self.folder, env={**env, **self.env, **said})

    async def ended_well(self, running):
        """Wait for a command that was told to end; it ends without a traceback."""
        ended = await asyncio.to_thread(running.wait)
        assert "Traceback" not in ended.err, ended.err
        return ended

    async def command(self, *arguments, **said):
        """Run a command to its end, beside what runs here."""
        return await self.ended_well(self.start(*arguments, **said))

    async def until(self, condition, what, seconds=PATIENCE):
        """Wait until a condition holds; what it found last is told where it never does."""
        deadline = monotonic() + seconds
        while True:
            found = condition()
            found = await found if asyncio.iscoroutine(found) else found
            if found:
                return found
            assert monotonic() < deadline, f"{what}: not within {seconds:g} s"
            await asyncio.sleep(0.1)

    @asynccontextmanager
    async def context(self, url=None):
        """Open the store, or another one, with the workspace file as it is now, or last was when it was right."""
        with suppress(ConfigError):
            self.workspace = load(self.file, self.env)
        async with open_context(self.workspace, url or self.url) as context:
            yield context

    async def pulled_since(self, moment):
        async with self.context() as context, context.store.read() as tx:
            complete = await checkpoints.of_stream(tx, COMPLETE)
        return all(complete.get(name) and datetime.fromisoformat(complete[name]) >= moment for name in NAMES.values())

    async def at_rest(self):
        """Return whether nothing is left to be seen to: no delivery, nothing that moved, nothing that failed."""
        waits = ("keyrail_inbox_deliveries", "keyrail_dirty_rows", "keyrail_job_failures")
        found = await self.metrics()
        assert "keyrail_dirty_rows" in found
        return not any(
            float(value) for name, value in found.items() if name.startswith(waits) and 'state="parked"' not in name
        )

    async def ask(self, job):
        """Have a job done for each connection, and wait until it is."""
        before = await self.ended(job)
        async with open_asker(self.url) as jobs:
            for name in NAMES.values():
                await jobs.ask(job, name, id=f"test:{uuid4().hex}")

        async def done():
            return await self.ended(job) >= before + len(NAMES) and await self.at_rest()

        await self.until(done, f"{job} of each connection")

    async def metrics(self):
        """Return the metrics by name and labels, as text."""
        async with httpx.AsyncClient(trust_env=False) as client:
            lines = (await client.get(f"{self.served}/metrics")).text.splitlines()
        return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))

    async def report(self):
        async with self.context() as context:
            return await report(context, timeframe="all")

    async def done(self, *items, some=False):
        """Return whether the stored items are all done, or some of them."""
        stored = await self.items()
        return (any if some else all)(stored[one["connection"], one["id"]]["category"] == "done" for one in items)

    async def counts(self, initiative):
        """Return how many items of an initiative are in which category."""
        (entry,) = [one for one in (await self.report())["initiatives"] if one["id"] == initiative]
        return Counter(entry["counts"])

    async def items(self):
        """Return the items of the store by connection and id, tombstones too."""
        async with self.context() as context:
            return {(one["connection"], one["id"]): one async for one in exports.items(context)}

    async def open_work(self, tracker, number=0):
        """Return a stored leaf item of a tracker that counts for one initiative and that nobody has begun."""
        items = (await self.items()).values()
        parents = {one["parent_id"] for one in items}
        return [
            one
            for one in items
            if one["tracker"] == tracker
            and one["category"] == "todo"
            and one["level"] == "issue"
            and one["id"] not in parents
            and len(one["links"]) == 1
        ][number]

    async def delivered(self):
        """Return (connection, id) of the deliveries that trackers sent, as far as they were kept."""
        async with self.context() as context, context.store.read() as tx:
            rows = await tx.execute(select(inbox.inbox.c.connection, inbox.inbox.c.delivery_id))
            return {tuple(row) for row in rows}

    def issue(self, item):
        """Return what stands behind a stored item at its site."""
        match item["tracker"]:
            case "jira":
                return self.sites.jira.issues[int(item["id"])]
            case "github":
                return self.sites.github.find(item["key"])
            case _:
                return self.sites.linear.find(item["id"])

    def finish(self, item):
        """Complete the work behind a stored item."""
        done = {"github": {"state": "closed", "reason": "completed"}, "jira": {"status": "Done"}}
        site = getattr(self.sites, item["tracker"])
        site.change(self.issue(item), **done.get(item["tracker"], {"state": "Done"}))

    async def known(self, url=None):
        """Return everything that the store holds of items that are there and in sight, by kind."""
        found, there = {}, set()
        async with self.context(url) as context:
            async for record in exports.records(context, "all"):
                kind = record.pop("kind")
                item = record.get("connection"), record.get("item_id") or record.get("id")
                if kind == "items" and not (record["deleted"] or record["inaccessible"]):
                    there.add(item)
                if kind in ("items", "history", "links") and item not in there:
                    continue
                if kind == "history" and record["field"].startswith("weekly_"):
                    continue  # Linear sums up past weeks anew, and they are read again with their project alone
                found[kind, *(record.get(name) for name in ("connection", "item_id", "id", "rule", "initiative"))] = (
                    record
                )
        return found

    async def truth(self):
        """Return what a fresh backfill of the sites makes of them."""
        url = f"sqlite:///{self.folder}/truth-{uuid4().hex}/keyrail.db"
        async with self.context(url) as context:
            names = context.workspace.connections
            async with open_sources(context, names, secret_key=None, rediscover=True) as opened:
                assert not opened.errors
                pulls = await run.backfill(context, opened.sources)
                assert not [pulled.error for pulled in pulls if pulled.error]
        return await self.known(url)

    async def agrees(self, *, past=True, seconds=PATIENCE):
        """Wait until the store says what is true; the difference is told where it never does.

        The `past` of what a webhook told comes with the next pull.
        """
        truth, difference = await self.truth(), {}

        async def same():
            nonlocal difference
            difference = differing(truth, await self.known(), past=past)
            return not difference

        try:
            await self.until(same, "the truth", seconds)
        except AssertionError as error:
            shown = "\n".join(f"{name}: {value}" for name, value in list(difference.items())[:40])
            raise AssertionError(f"{len(difference)} records differ (truth, ours):\n{shown}") from error
        return truth


def differing(truth, ours, *, past):
    """Return what differs, by record: the fields with both values, or which side lacks it."""
    found = {}
    for key in truth.keys() | ours.keys():
        if key[0] == "history" and not past:
            continue
        if key not in ours or key not in truth:
            found[key] = "only in the truth" if key in truth else "only in the store"
            continue
        names = [name for name in truth[key] if past or name not in PROVEN.get(key[0], ())]
        fields = {name: (truth[key][name], ours[key][name]) for name in names if truth[key][name] != ours[key][name]}
        if fields:
            found[key] = fields
    return found


@asynccontextmanager
async def standing(sites):
    """Serve sites at the addresses that they were pulled from."""
    async with AsyncExitStack() as stack:
        for tracker, face in FACES.items():
            port = urlsplit(sites.urls[tracker]).port
            await stack.enter_async_context(serve(face(getattr(sites, tracker)), port))
        yield sites


async def pull_company(folder, url):
    """Build the company and pull it into an empty store; return the sites as bytes."""
    today = datetime.now(UTC).date()
    async with running(today) as sites:
        text = workspace_text(sites.urls, today).partition("\npublish:\n")[0] + "\n"
        text = text.replace("    poll: 1m\n", "    poll: 1h\n    census: 24h\n")
        text = text.replace("    budget: 1\n", "").replace("    poll: 1h\n", "    poll: 1h\n    budget: 1\n")
        (folder / "keyrail.yaml").write_text(text)
        kept = pickle.dumps(sites)
        house = House(folder=folder, url=url, sites=sites)
        async with house.context() as context:
            names = context.workspace.connections
            async with open_sources(context, names, secret_key=None, rediscover=True) as opened:
                pulls = await run.backfill(context, opened.sources)
        assert not opened.errors
        assert not [pulled.error for pulled in pulls if pulled.error]
        async with open_asker(url):  # with the tables of the jobs
            return kept


@pytest.fixture(scope="session")
def pulled_file(tmp_path_factory):
    """A folder with a workspace file and a SQLite store of the company, and its sites as bytes."""
    folder = tmp_path_factory.mktemp("company")
    return folder, asyncio.run(pull_company(folder, f"sqlite:///{folder}/keyrail.db"))


@pytest.fixture(scope="session")
def pulled_server(tmp_path_factory, postgres_server):
    """The same on PostgreSQL: the folder, the sites, the name of the database to be copied."""
    folder = tmp_path_factory.mktemp("company-pg")
    with postgres_server.migrated() as url:
        yield folder, asyncio.run(pull_company(folder, url)), url.rpartition("/")[2]


DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def copied(request, tmp_path):
    """A folder with the workspace file, copies of the store and of the sites; the test runs on each database.

    "own server" is a store on the test's own `cluster`.
    """
    if request.param == "sqlite":
        folder, sites = request.getfixturevalue("pulled_file")
        shutil.copytree(folder, tmp_path / "files")
        yield House(tmp_path / "files", f"sqlite:///{tmp_path}/files/keyrail.db", pickle.loads(sites))
    elif request.param == "own server":
        url = request.getfixturevalue("cluster").url
        (tmp_path / "files").mkdir()
        sites = asyncio.run(pull_company(tmp_path / "files", url))
        yield House(tmp_path / "files", url, pickle.loads(sites))
    else:
        folder, sites, template = request.getfixturevalue("pulled_server")
        shutil.copytree(folder, tmp_path / "files")
        with request.getfixturevalue("postgres_server").database(template) as url:
            yield House(tmp_path / "files", url, pickle.loads(sites))


@pytest.fixture
async def house(copied, warm):
    """A company that was pulled; its sites stand, nothing else runs."""
    copied.warm = warm
    async with standing(copied.sites):
        yield copied
