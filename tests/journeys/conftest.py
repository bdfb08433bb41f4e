"""The whole road as its users have it: the command line in a process of its own, a tracker behind real HTTP.

A company is pulled once for the session; each test gets a copy of its files and of its tracker.
"""

import asyncio
import json
import logging
import os
import pickle
import shutil
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from starlette.responses import Response

from app.demo.company import build
from app.demo.jira import application
from app.demo.site import Site
from app.demo.workspace import workspace_text
from app.web.server import serve

SECRETS = {"DEMO_JIRA_TOKEN": "demo-token", "DEMO_JIRA_WEBHOOK_SECRET": "demo-webhook-secret"}
PATIENCE = 60
"""seconds until a command is given up"""


@dataclass
class Ended:
    """How a command ended: its exit code and what it printed."""

    arguments: tuple[str, ...]
    code: int | None
    out: bytes
    err: str

    @property
    def text(self):
        return self.out.decode()

    @property
    def doc(self):
        """The one JSON document on standard output; anything beside it fails here."""
        assert self.out.endswith(b"\n"), (self.arguments, self.out[-200:], self.err)
        assert self.out.count(b"\n") == 1, (self.arguments, self.out[:500])
        return orjson.loads(self.out)

    @property
    def lines(self):
        return [orjson.loads(line) for line in self.out.splitlines()]

    @property
    def words(self):
        """What was said on standard error, as one line: the breaks depend on the width of the terminal."""
        return " ".join(self.err.split())


@dataclass
class Running:
    """A command that was started: to be waited for, or stopped by a signal."""

    warm: "Warm"
    arguments: tuple[str, ...]
    folder: Path
    pid: int

    def wait(self, seconds=PATIENCE):
        code = self.warm.ask({"wait": self.pid, "seconds": seconds})["code"]
        out, err = (self.folder / "out").read_bytes(), (self.folder / "err").read_text()
        assert code is not None, f"keyrail {' '.join(self.arguments)} took longer than {seconds} s: {err[-2000:]}"
        return Ended(arguments=self.arguments, code=code, out=out, err=err)


class Warm:
    """A process with everything imported, which commands are forked from (`warm.py`)."""

    def __init__(self, folder):
        self.folder = folder
        self.number = 0
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", str(Path(__file__).with_name("warm.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "utf-8"},
        )

    def ask(self, order):
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def start(self, arguments, *, cwd, env, stdin=b"", largest_file=None):
        self.number += 1
        folder = self.folder / str(self.number)
        folder.mkdir()
        (folder / "in").write_bytes(stdin)
        for name in ("out", "err"):
            (folder / name).touch()
        order = {
            "arguments": list(arguments),
            "cwd": str(cwd),
            "env": env,
            "stdin": str(folder / "in"),
            "stdout": str(folder / "out"),
            "stderr": str(folder / "err"),
            "largest_file": largest_file,
        }
        return Running(warm=self, arguments=tuple(arguments), folder=folder, pid=self.ask({"start": order})["pid"])

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


class Tracker:
    """A simulated tracker on one port for the whole session; each test puts its own site there.

    Requests for `one_by_one` (the end of a path) are answered a tenth of a second apart. Below ``/second``
    stands another tracker where a test needs two.
    """

    def __init__(self):
        self.face = None
        self.url = None
        self.one_by_one = None
        self.second = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    async def __call__(self, scope, receive, send):
        if self.second is not None and scope["path"].startswith("/second/"):
            await self.second({**scope, "path": scope["path"].removeprefix("/second")}, receive, send)
            return
        if self.one_by_one is None or not scope["path"].endswith(self.one_by_one):
            await (self.face or Response(b"", 503))(scope, receive, send)
            return
        async with self._turn:
            await asyncio.sleep(0.1)
            await self.face(scope, receive, send)

    async def _serve(self):
        self._loop, self._end, self._turn = asyncio.get_running_loop(), asyncio.Event(), asyncio.Lock()
        async with serve(self) as url:
            # The server silences its loggers, which other tests in this process listen to.
            for name in ("uvicorn.error", "uvicorn.access", "uvicorn.asgi"):
                logging.getLogger(name).setLevel(logging.NOTSET)
            self.url = url
            self._ready.set()
            await self._end.wait()

    def close(self):
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


@dataclass
class Company:
    """A folder with a workspace file and a store, the tracker behind it, and the command line."""

    folder: Path
    tracker: Tracker
    warm: Warm
    site: Site
    env: dict = field(default_factory=lambda: dict(SECRETS))

    def __post_init__(self):
        self.site.url = self.tracker.url
        self.face = self.tracker.face = application(self.site)
        self.tracker.one_by_one = self.tracker.second = None

    @property
    def today(self):
        return datetime.now(UTC).date()

    @property
    def file(self):
        return self.folder / "keyrail.yaml"

    def start(self, *arguments, stdin=b"", env=None, largest_file=None):
        said = {"PATH": os.environ["PATH"], "HOME": str(self.folder), "LANG": "C.UTF-8", "COLUMNS": "250"}
        stated = {name: value for name, value in (self.env | (env or {})).items() if value is not None}
        arguments = ("--workspace", str(self.file), *arguments)
        return self.warm.start(arguments, cwd=self.folder, env=said | stated, stdin=stdin, largest_file=largest_file)

    def run(self, *arguments, code=0, **more):
        """Run a command to its end; it must end with `code` and never with a traceback."""
        ended = self.start(*arguments, **more).wait()
        assert "Traceback" not in ended.err, ended.err
        assert ended.code == code, (arguments, ended.code, ended.text[-2000:], ended.err[-2000:])
        return ended

    def json(self, *arguments, code=0, **more):
        return self.run(*arguments, "--json", code=code, **more).doc

    def asked(self, path="", method=""):
        """Return the requests so far whose path ends so."""
        return [one for one in self.face.exchanges if one.path.endswith(path) and one.method.startswith(method)]

    def forget(self):
        """Forget the requests so far."""
        self.face.exchanges.clear()

    def edit(self, before, after, times=1):
        """Replace a text in the workspace file."""
        text = self.file.read_text()
        assert text.count(before) == times, (before, text.count(before))
        self.file.write_text(text.replace(before, after))

    def initiative(self, id_="I1"):
        """Return what `show` says of an initiative."""
        return next(row for row in self.json("show")["initiatives"] if row["id"] == id_)

    def facts(self):
        """Return all items and links, byte for byte."""
        return self.run("export", "items").out, self.run("export", "links").out

    def items(self):
        """Return what `export items` says, by key."""
        return {item["key"]: item for item in self.run("export", "items").lines}

    def fetched(self):
        """Return how often each issue was read by id, over all requests so far but those whether it is in sight."""
        asked = [json.loads(one.request) for one in self.asked("/issue/bulkfetch")]
        return Counter(str(issue) for one in asked if one["fields"] != ["created"] for issue in one["issueIdsOrKeys"])

    def wait_for(self, path):
        """Wait until `path` was asked for."""
        seen = threading.Event()
        self.face.observers.append(lambda exchange: exchange.path.endswith(path) and seen.set())
        if not self.asked(path):
            assert seen.wait(PATIENCE), path

    def stop_after(self, path, times, number, running):
        """Send a signal to a running command when `path` was answered so many times."""
        seen = 0

        def observe(exchange):
            nonlocal seen
            seen += exchange.path.endswith(path)
            if seen == times and exchange.path.endswith(path):
                os.kill(running().pid, number)

        self.face.observers.append(observe)


@dataclass
class Prepared:
    """A folder and a site as they were at some point, for each test to go on from a copy of both.

    `ended` is what the backfill printed and `facts` are what it found, where there was one.
    """

    of: type[Company]
    folder: Path
    site: bytes
    tracker: Tracker
    warm: Warm
    ended: dict | None = None
    facts: tuple | None = None

    def copy(self, folder):
        shutil.copytree(self.folder, folder)
        return self.of(folder=folder, tracker=self.tracker, warm=self.warm, site=pickle.loads(self.site))

    def pulled(self, folder):
        """Return the same after `backfill`; nothing happens at the site meanwhile."""
        company = self.copy(folder)
        ended = company.json("backfill")
        company.run("show")
        return replace(self, folder=folder, ended=ended, facts=company.facts())


@pytest.fixture(scope="session")
def company_class():
    return Company


@pytest.fixture(scope="session")
def prepare(tmp_path_factory, tracker, warm):
    """Write a workspace file for a site, with its address and a timeframe around today; nothing is pulled."""

    def prepare(of, site, text):
        folder, today = tmp_path_factory.mktemp("prepared"), datetime.now(UTC).date()
        start, end = (f"{today + timedelta(days=days)}" for days in (-40, 40))
        text = text.replace("<URL>", tracker.url).replace("<START>", start).replace("<END>", end)
        (folder / "keyrail.yaml").write_text(text)
        return Prepared(of=of, folder=folder, site=pickle.dumps(site), tracker=tracker, warm=warm)

    return prepare


@pytest.fixture(scope="session")
def tracker():
    made = Tracker()
    yield made
    made.close()


@pytest.fixture(scope="session")
def warm(tmp_path_factory):
    made = Warm(tmp_path_factory.mktemp("commands"))
    yield made
    made.close()


@pytest.fixture(scope="session")
def fresh(tmp_path_factory, tracker):
    """A workspace file and a site, nothing pulled: (folder, the site as bytes)."""
    folder = tmp_path_factory.mktemp("fresh")
    today = datetime.now(UTC).date()
    site = Site()
    build(site, today)
    # All of the account's rate limit: there is nobody else on it, and tests should not wait.
    text = workspace_text({"jira": tracker.url}, today).replace("    poll: 1m\n", "    poll: 1m\n    budget: 1\n")
    (folder / "keyrail.yaml").write_text(text)
    return folder, pickle.dumps(site)


@pytest.fixture(scope="session")
def pulled(tmp_path_factory, tracker, warm, fresh):
    """The same after `backfill` and four check-ins, and how the backfill ended."""
    source, site = fresh
    folder = tmp_path_factory.mktemp("pulled") / "files"
    shutil.copytree(source, folder)
    company = Company(folder=folder, tracker=tracker, warm=warm, site=pickle.loads(site))
    ended = company.run("backfill", "--json")
    for key_result, value in (("KR1", 2.62), ("KR3", 1.8), ("KR4", 325), ("KR6", 46)):
        company.run("check-in", key_result, str(value))
    company.run("show")
    return folder, pickle.dumps(company.site), ended


@pytest.fixture(scope="session")
def undisturbed(tracker, warm, pulled):
    """The records of `export all` after a backfill that nothing disturbed."""
    folder, site, _ = pulled
    company = Company(folder=folder, tracker=tracker, warm=warm, site=pickle.loads(site))
    return company.run("export", "all").lines


@pytest.fixture(scope="session")
def told(tmp_path_factory, tracker, warm, pulled):
    """The same after `publish`, with a row that sends every change at once."""
    source, site, _ = pulled
    folder = tmp_path_factory.mktemp("told") / "files"
    shutil.copytree(source, folder)
    company = Company(folder=folder, tracker=tracker, warm=warm, site=pickle.loads(site))
    company.edit("at_most: 24h", "at_most: 0s")
    company.run("publish")
    return folder, pickle.dumps(company.site)


@pytest.fixture
def empty(tmp_path, tracker, warm, fresh):
    """A company that nothing was pulled from yet."""
    folder, site = fresh
    shutil.copytree(folder, tmp_path / "files")
    return Company(folder=tmp_path / "files", tracker=tracker, warm=warm, site=pickle.loads(site))


@pytest.fixture
def company(tmp_path, tracker, warm, pulled):
    """A company that was pulled with its history; no request was made since."""
    folder, site, _ = pulled
    shutil.copytree(folder, tmp_path / "files")
    return Company(folder=tmp_path / "files", tracker=tracker, warm=warm, site=pickle.loads(site))


@pytest.fixture
def published(tmp_path, tracker, warm, told):
    """A company whose links are written; no request was made since."""
    folder, site = told
    shutil.copytree(folder, tmp_path / "files")
    return Company(folder=tmp_path / "files", tracker=tracker, warm=warm, site=pickle.loads(site))


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.journey)
