"""DBOS behind the protocol of `sync.jobs`: the only module that knows which job engine this is.

What a job does is not here. Rules that this follows, and why: docs/decisions/0014-jobs-wake-rows-are-the-work.md.
"""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, WorkflowStatus
from structlog.contextvars import bound_contextvars

from storage.jobs import jobs_explained, jobs_file, jobs_url, prepare_jobs_file
from sync.jobs import QUEUES, Jobs, Run, place
from sync.takeover import Running, replica

NAME = "keyrail"
VERSION = "1"
"""A replica leaves jobs of other versions alone: raise it only when `work` itself takes other arguments or steps."""

WORK = "work"
ANSWER_WITHIN = 5.0
"""Seconds after which a database that does not answer counts as away."""

UNWIND = 5.0
"""Seconds that cancelled jobs have to close what they hold."""

COUNTED = {"ENQUEUED": "enqueued", "PENDING": "pending", "ERROR": "error", "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "error"}
ENDED = ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"]
BATCH = 1000

_ONE = threading.Lock()
"""DBOS is one for the whole process; a second would silently be the first."""

T = TypeVar("T")

log = logging.getLogger(__name__)


def executor_name(database_url: str) -> str:
    """Return a name for this replica: a new one; beside SQLite always the same, so that a restart goes on."""
    return "alone" if jobs_file(database_url) is not None else uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Client:
    """Jobs over a client of DBOS's tables, which never starts anything itself; also the list that takeover works on."""

    database_url: str
    dbos: DBOSClient

    async def ask(self, job: str, key: str, *, id: str) -> None:
        """Enqueue a job; a queue's part is always named, without one it would wait for ever.

        One that waits already and has not begun finds what this one would: else wake-ups would pile up behind a slow
        or a dead one, and those who come later wait until all have found nothing to do.
        """
        queue, part = place(job, key)
        if await self._waits(queue, f"{job}:{key}:"):
            return
        await self._told(
            self.dbos.enqueue_async(
                {
                    "workflow_name": WORK,
                    "workflow_id": id,
                    "queue_name": queue,
                    "queue_partition_key": part,
                    "app_version": VERSION,
                },
                job,
                key,
            )
        )

    async def _waits(self, queue: str, prefix: str) -> bool:
        """Return whether a job waits whose id begins so; those of other versions wait for others."""
        found = await self._list(status="ENQUEUED", queue_name=queue, prefix=prefix, app_version=VERSION, limit=1)
        return any(job.workflow_id.startswith(prefix) for job in found)

    async def counts(self) -> dict[str, int]:
        """Count the jobs that wait, run or failed; what ended well is not counted, it is pruned."""
        found = dict.fromkeys(COUNTED.values(), 0)
        for job in await self._list(status=list(COUNTED)):
            found[COUNTED[job.status]] += 1
        return found

    async def prune(self, before: datetime) -> int:
        """Delete the jobs that ended before a time, some at once."""
        pruned = 0
        until = before.astimezone(UTC).isoformat()
        while ids := [job.workflow_id for job in await self._list(status=ENDED, completed_before=until, limit=BATCH)]:
            await self._told(self.dbos.delete_workflows_async(ids))
            pruned += len(ids)
        return pruned

    async def running(self, executor: str | None = None) -> Sequence[Running]:
        """Return the jobs that run, as far as the database knows, of one replica or of all."""
        return [
            Running(id=job.workflow_id, executor=job.executor_id, queue=job.queue_name)
            for job in await self._list(status="PENDING", executor_id=executor)
            if job.executor_id is not None and job.queue_name is not None
        ]

    async def resume(self, job: Running) -> None:
        """Put a job back into its own queue; DBOS's default queue would let it run beside others of its part."""
        await self._told(self.dbos.resume_workflow_async(job.id, queue_name=job.queue))

    async def _list(
        self,
        *,
        status: str | list[str],
        executor_id: str | None = None,
        completed_before: str | None = None,
        queue_name: str | None = None,
        prefix: str | None = None,
        app_version: str | None = None,
        limit: int | None = None,
    ) -> list[WorkflowStatus]:
        return await self._told(
            self.dbos.list_workflows_async(
                status=status,
                executor_id=executor_id,
                completed_before=completed_before,
                queue_name=queue_name,
                workflow_id_prefix=prefix,
                app_version=app_version,
                limit=limit,
                load_input=False,
                load_output=False,
            )
        )

    async def _told(self, call: Awaitable[T]) -> T:
        with jobs_explained(self.database_url):
            async with asyncio.timeout(ANSWER_WITHIN):
                return await call


@asynccontextmanager
async def open_asker(database_url: str) -> AsyncIterator[Jobs]:
    """Open the jobs for one who only asks, such as a receiver of webhooks; no worker need have run before."""
    async with _client(database_url) as client:
        yield client


@asynccontextmanager
async def open_jobs(database_url: str, run: Run, *, executor: str, drain: float = 25.0) -> AsyncIterator[Jobs]:
    """Run jobs in the running loop while the block runs, and take over those of dead replicas; one at a time a process.

    `executor` names this replica among all that share the database: see `executor_name`. At the end no new job starts;
    those that run have `drain` seconds to end, then they are cancelled and left to other replicas, or the next start.
    Raises StorageError where the database is away, LockedError where another replica has the name.
    """
    if not _ONE.acquire(blocking=False):
        raise RuntimeError("this process has its job engine open already")
    try:
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(_client(database_url))
            if jobs_file(database_url) is None:
                await stack.enter_async_context(replica(database_url, executor, client))
            await stack.enter_async_context(_launched(database_url, run, executor, drain))
            yield client
    finally:
        _ONE.release()


@asynccontextmanager
async def _client(database_url: str) -> AsyncIterator[Client]:
    """Bring the engine's tables and queues up to date, and open a client that fails fast."""
    _route_log()

    def open_tables() -> DBOSClient:
        prepare_jobs_file(database_url)
        DBOS.migrate(jobs_url(database_url))
        dbos = DBOSClient(
            system_database_url=jobs_url(database_url),
            serializer=DBOSPortableJSONSerializer(),
            application_name=NAME,
            retry_connection_errors=False,
        )
        for queue in QUEUES:
            dbos.register_queue(queue.name, partition_concurrency=1, polling_interval_sec=queue.every)
        return dbos

    with jobs_explained(database_url):
        dbos = await asyncio.to_thread(open_tables)
    try:
        yield Client(database_url, dbos)
    finally:
        dbos.destroy()


@asynccontextmanager
async def _launched(database_url: str, run: Run, executor: str, drain: float) -> AsyncIterator[None]:
    """Have DBOS start jobs in this loop; at the end see them out."""
    config: DBOSConfig = {
        "name": NAME,
        "system_database_url": jobs_url(database_url),
        "executor_id": executor,
        "application_version": VERSION,
        "serializer": DBOSPortableJSONSerializer(),
        "log_level": logging.getLevelName(_level()),
    }
    going: set[asyncio.Task[object]] = set()

    async def work(job: str, key: str) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # DBOS starts each job as a task of its own
        going.add(task)

        async def step() -> None:  # DBOS awaits nothing but what is an `async def` itself
            with bound_contextvars(job_id=DBOS.workflow_id):
                await run(job, key)

        try:
            await DBOS.run_step_async({"name": job}, step)
        finally:
            going.discard(task)

    DBOS(config=config)
    DBOS.workflow(name=WORK)(work)
    try:
        with jobs_explained(database_url):
            DBOS.launch()
        yield
    finally:
        await _leave(going, drain)


async def _leave(going: set[asyncio.Task[object]], drain: float) -> None:
    """Start no more jobs; let those that run end, then cancel them, which leaves them as running in the database."""
    loop = asyncio.get_running_loop()
    _own_threads(loop)
    with ThreadPoolExecutor(1) as thread:
        patience = math.ceil(drain + UNWIND)
        gone = loop.run_in_executor(
            thread, lambda: DBOS.destroy(destroy_registry=True, workflow_completion_timeout_sec=patience)
        )
        try:
            await asyncio.wait({gone}, timeout=drain)
        finally:
            for task in going:
                log.warning("A job did not end within %g seconds and was stopped; it goes on elsewhere.", drain)
                task.cancel()
            await gone
            _own_threads(loop)


def _own_threads(loop: asyncio.AbstractEventLoop) -> None:
    """Give the loop threads of its own again: DBOS made it use those that end with DBOS."""
    loop.set_default_executor(ThreadPoolExecutor(thread_name_prefix="asyncio"))


def _level() -> int:
    """Return the level of DBOS's lines: its information says nothing to an operator, and advertises."""
    root = logging.getLogger().getEffectiveLevel()
    return root if root <= logging.DEBUG else max(root, logging.WARNING)


def _route_log() -> None:
    """Send DBOS's lines the way of all others; it prints by itself only where its logger has no handler."""
    logger = logging.getLogger("dbos")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
    logger.setLevel(_level())
