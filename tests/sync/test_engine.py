"""The job engine: each job once, one at a time where it must be, nothing lost however a process ends."""

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from domain.errors import StorageError
from sync.engine import executor_name, open_asker, open_jobs

ROOT = Path(__file__).parents[2]
TAKEN_OVER_WITHIN = 10.0
postgres = pytest.mark.postgres


async def until(condition, within=15.0):
    """Wait until a condition holds, or what it awaits does; fail after `within` seconds."""
    async with asyncio.timeout(within):
        while True:
            holds = condition()
            if await holds if inspect.isawaitable(holds) else holds:
                return
            await asyncio.sleep(0.02)


async def counted(jobs, **states):
    """Say whether the jobs are in these states, and none in others."""
    return await jobs.counts() == {"enqueued": 0, "pending": 0, "error": 0, **states}


class Work:
    """What jobs do in these tests: they are written down; those of the key `hang` wait until they are let go."""

    def __init__(self):
        self.begun = []
        self.ended = []
        self.cancelled = []
        self.let_go = asyncio.Event()

    async def __call__(self, job, key):
        self.begun.append((job, key))
        try:
            if key == "hang":
                await self.let_go.wait()
        except asyncio.CancelledError:
            self.cancelled.append((job, key))
            raise
        self.ended.append((job, key))


@pytest.fixture
def work():
    return Work()


@contextlib.contextmanager
def process(url, executor, runs, *more):
    """Run a replica in a process of its own; yield it once it is ready."""
    command = [sys.executable, "-W", "error", ROOT / "tests/sync/replica_process.py", url, executor, runs, *more]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=-1) as replica:
        try:
            assert replica.stdout.readline() == b"ready\n"
            yield replica
        finally:
            replica.kill()


def lines(path):
    """Return the lines of a file that a process may not have made yet."""
    return path.read_text().splitlines() if path.exists() else []


async def test_the_same_id_asked_twice_runs_once(empty_url, work):
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("pull", "jira", id="pull:jira:1")
        await jobs.ask("pull", "jira", id="pull:jira:1")
        await until(lambda: work.ended)
        await jobs.ask("pull", "jira", id="pull:jira:1")
        await jobs.ask("pull", "jira", id="pull:jira:2")
        await until(lambda: len(work.ended) == 2)
        await until(lambda: counted(jobs))
    assert work.begun == [("pull", "jira")] * 2


async def test_wake_ups_behind_a_job_that_runs_are_one(empty_url, work):
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("deliveries", "hang", id="deliveries:hang:1")
        await until(lambda: work.begun)
        for number in range(2, 9):
            await jobs.ask("deliveries", "hang", id=f"deliveries:hang:{number}")
        assert await counted(jobs, enqueued=1, pending=1)
        work.let_go.set()
        await until(lambda: counted(jobs))
    assert work.ended == [("deliveries", "hang")] * 2


async def test_one_at_a_time_for_a_connection_and_side_by_side_between_them(empty_url):
    active, most, together = [], {}, asyncio.Event()

    async def run(job, key):
        active.append(key)
        most[key] = max(most.get(key, 0), active.count(key))
        if set(active) == {"jira", "github"}:
            together.set()
        await together.wait()
        active.remove(key)
        ended.append((job, key))

    ended = []
    async with open_jobs(empty_url, run, executor=executor_name(empty_url), drain=1) as jobs:
        for key in ("jira", "github"):
            await jobs.ask("pull", key, id=f"pull:{key}")
            await jobs.ask("census", key, id=f"census:{key}")
        await until(lambda: len(ended) == 4)
    assert most == {"jira": 1, "github": 1}


async def test_jobs_that_share_a_key_and_not_a_queue_do_not_wait_for_each_other(empty_url, work):
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("pull", "hang", id="pull")
        await until(lambda: work.begun)
        await jobs.ask("sums", "all", id="sums")
        await jobs.ask("publish", "all", id="publish")
        await until(lambda: len(work.ended) == 2)
        work.let_go.set()


async def test_a_job_that_fails_is_counted_and_stops_no_other(empty_url, caplog):
    ended = []

    async def run(job, key):
        if job == "sums":
            raise ValueError("broken")
        ended.append(job)

    async with open_jobs(empty_url, run, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("sums", "all", id="sums:1")
        await jobs.ask("publish", "all", id="publish:1")
        await until(lambda: ended and "broken" in caplog.text)
        await until(lambda: counted(jobs, error=1))


async def test_who_only_asks_runs_nothing(empty_url, work):
    async with open_asker(empty_url) as jobs:
        await jobs.ask("deliveries", "jira", id="deliveries:jira:1")
        assert await counted(jobs, enqueued=1)
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1):
        await until(lambda: work.ended == [("deliveries", "jira")])


async def test_a_job_that_does_not_exist_is_refused(empty_url):
    async with open_asker(empty_url) as jobs:
        with pytest.raises(ValueError, match="no job 'pulls'"):
            await jobs.ask("pulls", "jira", id="1")


async def test_what_ended_is_forgotten_and_what_waits_is_not(empty_url, work):
    later = datetime.now(UTC) + timedelta(minutes=1)
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=0.1) as jobs:
        await jobs.ask("pull", "jira", id="done")
        await until(lambda: work.ended)
        await jobs.ask("pull", "hang", id="running")
        await until(lambda: len(work.begun) == 2)
        assert await jobs.prune(datetime.now(UTC) - timedelta(minutes=1)) == 0
        await until(lambda: jobs.prune(later))
        await jobs.ask("pull", "jira", id="done")
        assert await counted(jobs, enqueued=1, pending=1)


async def test_leaving_lets_a_running_job_end_and_starts_no_other(empty_url):
    begun, ended = [], []

    async def run(job, key):
        begun.append(job)
        await asyncio.sleep(0.8)
        ended.append(job)

    async with open_jobs(empty_url, run, executor=executor_name(empty_url), drain=10) as jobs:
        await jobs.ask("pull", "jira", id="first")
        await jobs.ask("census", "jira", id="second")
        await until(lambda: begun)
    assert begun == ended == ["pull"]
    async with open_asker(empty_url) as jobs:
        assert await counted(jobs, enqueued=1)


async def test_leaving_stops_a_job_that_takes_too_long_and_the_next_start_does_it(empty_url, work):
    name = executor_name(empty_url)
    async with open_jobs(empty_url, work, executor=name, drain=0.1) as jobs:
        await jobs.ask("pull", "hang", id="long")
        await until(lambda: work.begun)
        left = time.monotonic()
    assert time.monotonic() - left < 5
    assert work.cancelled == [("pull", "hang")]
    work.let_go.set()
    async with open_jobs(empty_url, work, executor=name, drain=1):
        await until(lambda: work.ended == [("pull", "hang")])
    assert len(work.begun) == 2


async def test_threads_of_the_loop_work_after_the_engine_left(empty_url, work):
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("pull", "jira", id="1")
        await until(lambda: work.ended)
    assert await asyncio.to_thread(lambda: "run") == "run"


async def test_a_second_engine_in_one_process_is_refused(sqlite_url, work):
    async with open_jobs(sqlite_url, work, executor="alone", drain=1):
        with pytest.raises(RuntimeError, match="open already"):
            async with open_jobs(sqlite_url, work, executor="alone"):
                pass


async def test_beside_sqlite_the_next_start_does_what_a_killed_one_left(sqlite_url, work, tmp_path):
    runs = tmp_path / "runs"
    work.let_go.set()
    with process(sqlite_url, executor_name(sqlite_url), runs) as killed:
        async with open_asker(sqlite_url) as jobs:
            await jobs.ask("pull", "hang", id="1")
        await until(lambda: lines(runs))
        killed.send_signal(signal.SIGKILL)
        killed.wait()
    async with open_jobs(sqlite_url, work, executor=executor_name(sqlite_url), drain=1):
        await until(lambda: work.ended == [("pull", "hang")])


@postgres
async def test_what_a_killed_replica_ran_is_done_by_another_within_seconds_and_once(postgres_url, work, tmp_path):
    url, runs = postgres_url, tmp_path / "runs"
    work.let_go.set()
    with process(url, "doomed", runs) as doomed:
        async with open_asker(url) as jobs:
            await jobs.ask("pull", "hang", id="first")
            await until(lambda: lines(runs))
            await jobs.ask("census", "hang", id="second")
        async with open_jobs(url, work, executor=executor_name(url), drain=1) as jobs:
            doomed.send_signal(signal.SIGKILL)
            killed = time.monotonic()
            await until(lambda: len(work.ended) == 2)
            assert time.monotonic() - killed < TAKEN_OVER_WITHIN
            await until(lambda: counted(jobs))
    assert work.begun == [("pull", "hang"), ("census", "hang")]
    assert len(lines(runs)) == 1


@postgres
async def test_two_replicas_do_each_slot_of_the_schedule_once(postgres_url, tmp_path):
    url, runs = postgres_url, tmp_path / "runs"
    with process(url, "one", runs, "4") as one, process(url, "two", runs, "4") as two:
        await asyncio.to_thread(one.wait)
        await asyncio.to_thread(two.wait)
        assert one.returncode == two.returncode == 0
    with psycopg.connect(url) as connection:
        slots = connection.execute("select workflow_uuid, status from dbos.workflow_status").fetchall()
    assert {status for _, status in slots} == {"SUCCESS"}
    assert len(slots) >= 4
    assert len(lines(runs)) == len(slots)


class Line:
    """A line to a server that can be cut and mended, on a thread of its own: DBOS may hold the test's loop up."""

    def __init__(self, host, port):
        self.target = (host, port)
        self.loop = asyncio.new_event_loop()
        self.tasks = set()
        self.server = None
        self.port = 0
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        self.mend()

    def mend(self):
        self._call(self._open())

    def cut(self):
        self._call(self._close())

    def end(self):
        self.cut()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def _call(self, coroutine):
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _open(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def _close(self):
        self.server.close()
        for task in list(self.tasks):
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _serve(self, reader, writer):
        self.tasks.add(asyncio.current_task())
        there, back = await asyncio.open_connection(*self.target)

        async def pump(source, sink):
            while data := await source.read(65536):
                sink.write(data)
            sink.close()

        with contextlib.suppress(asyncio.CancelledError, OSError):
            await asyncio.gather(pump(reader, back), pump(there, writer))
        writer.transport.abort()
        back.transport.abort()
        self.tasks.discard(asyncio.current_task())


@postgres
async def test_a_database_that_is_away_is_told_at_once_and_all_goes_on_when_it_is_back(postgres_url, work):
    parts = psycopg.conninfo.conninfo_to_dict(postgres_url)
    line = Line(parts["host"], int(parts["port"]))
    url = f"postgresql://{parts['user']}@127.0.0.1:{line.port}/{parts['dbname']}"
    try:
        async with open_jobs(url, work, executor=executor_name(url), drain=1) as jobs:
            await jobs.ask("pull", "hang", id="through")
            await until(lambda: work.begun)
            line.cut()
            asked = time.monotonic()
            with pytest.raises(StorageError, match=r"is running and reachable|Is the server running"):
                await jobs.ask("pull", "jira", id="away")
            assert time.monotonic() - asked < 4
            work.let_go.set()
            line.mend()
            await jobs.ask("pull", "jira", id="back")
            await until(lambda: work.ended == [("pull", "hang"), ("pull", "jira")], within=30)
    finally:
        line.end()


async def test_an_address_without_a_server_is_told(work):
    url = "postgresql://postgres@127.0.0.1:1/keyrail"
    for opened in (open_asker(url), open_jobs(url, work, executor="x")):
        with pytest.raises(StorageError, match="Is the server running"):
            async with opened:
                pass


def sockets():
    """Return the internet sockets of this process as (local, remote, state), in the kernel's words."""
    own = set()
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            own.add(os.readlink(handle))
    tables = [Path("/proc/net", name).read_text() for name in ("tcp", "tcp6", "udp", "udp6")]
    rows = [row.split() for table in tables for row in table.splitlines()]
    return {(row[1], row[2], row[3]) for row in rows if f"socket:[{row[9]}]" in own}


async def test_nothing_listens_and_nothing_is_called_but_the_database(empty_url, work):
    before = sockets()
    async with open_jobs(empty_url, work, executor=executor_name(empty_url), drain=1) as jobs:
        await jobs.ask("pull", "jira", id="1")
        await until(lambda: work.ended)
        found = sockets() - before
    if empty_url.startswith("sqlite"):
        assert not found
    else:
        port = int(psycopg.conninfo.conninfo_to_dict(empty_url)["port"])
        assert {remote for _, remote, state in found if state != "06"} == {f"0100007F:{port:04X}"}
