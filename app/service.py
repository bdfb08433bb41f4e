"""The service put together: receiver, jobs, schedule, the workspace file followed, and the way in and out of it.

What the parts do is theirs; here is only which there are in which role, and in what order they begin and end.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from socket import socket
from time import monotonic

import structlog

from app.reload import follow
from app.web import health
from app.web.access import Access
from app.web.app import application
from app.web.login import login_link
from app.web.metrics import Metrics
from app.web.needs import Check, Web
from app.web.server import bound
from app.web.server import serve as serve_web
from app.worker import Worker
from config.access import check_exposure
from config.log import Masks
from config.settings import Settings
from config.workspace import load, secrets
from domain.errors import ConfigError, KeyrailError, LockedError, NewerSchemaError, Problem, StorageError
from domain.workspace import Workspace
from storage.beside import beside as known_beside
from storage.engine import Store, open_store, shown_url
from sync import work
from sync.arrivals import open_arrivals
from sync.context import Context, utc_now
from sync.engine import executor_name, open_asker, open_jobs
from sync.jobs import Jobs
from sync.mapping import compile_mapping
from sync.refresh import catch_up
from sync.schedule import Schedule
from sync.wake import Wake

log = logging.getLogger("keyrail")

ROLES = ("all", "receiver", "worker")
DRAIN = 20.0
"""seconds that running jobs have to end when the service is stopped; with the rest it ends within 30"""
LONGEST_WAIT = 10.0
"""seconds between two looks at a database that is awaited"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A service that runs: its address, the workspace that it began with, and a link that lets in once.

    There is no link where everybody is let in.
    """

    url: str
    workspace: Workspace
    login: str | None


@asynccontextmanager
async def service(
    settings: Settings, environ: Mapping[str, str], role: str = "all", *, masks: Masks | None = None
) -> AsyncIterator[Served]:
    """Run the service while the block runs; at its end nothing is accepted any more and what runs is seen out.

    Raises ConfigError for a broken file, split roles on SQLite or doors open to a network, StorageError where the
    database cannot be used, and LockedError where another service has the SQLite file.
    """
    check_exposure(settings.auth, settings.host)
    workspace = await asyncio.to_thread(load, settings.workspace, environ)
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(port_of(settings))
        store = await stack.enter_async_context(opened(settings))
        await stack.enter_async_context(alone(store, role))
        metrics = Metrics(version("keyrail"))
        metrics.workspace(utc_now())
        context = Context(
            store=store,
            workspace=workspace,
            mapper=compile_mapping(workspace),
            watcher=metrics,
            public_url=settings.public_url,
            adopts=False,
        )
        running = Running(context=context, metrics=metrics, masks=masks or Masks())
        running.masks.add(secret.reveal() for secret in secrets(workspace) if not secret.missing)
        if role == "receiver":
            jobs = await stack.enter_async_context(open_asker(settings.database_url))
        else:
            jobs = await stack.enter_async_context(working(running, settings))
        wake = Wake(jobs, utc_now)
        stack.push_async_callback(wake.settle)
        checks: dict[str, Check] = {
            "database": health.database(store),
            "migrations": health.migrations(store),
            "jobs": answering(jobs),
        }
        arrivals = None
        if role != "worker":
            arrivals = await stack.enter_async_context(open_arrivals(store, lambda name: wake("deliveries", name)))
        web = Web(
            version=version("keyrail"),
            workspace=lambda: running.context.workspace,
            arrivals=arrivals,
            metrics=metrics,
            scrape=lambda: metrics.scrape(store, jobs, utc_now()),
            context=lambda: running.context,
            checks=checks,
            access=Access(store=store, auth=settings.auth, public_url=settings.public_url),
        )
        path, told = settings.workspace, running.told
        await stack.enter_async_context(beside(lambda: follow(path, environ, workspace, running.adopt, told)))
        serving = serve_web(application(web), host=settings.host, grace=5, listener=listener)
        url = await stack.enter_async_context(serving)
        link = None
        if settings.auth.mode != "none":
            link = await login_link(store, settings.public_url or reachable(url), utc_now())
        yield Served(url=url, workspace=workspace, login=link)


def port_of(settings: Settings) -> socket:
    """Take the service's port, before anything is begun that a taken port would break off."""
    try:
        return bound(settings.port, settings.host)
    except OSError as error:
        raise KeyrailError(
            f"Cannot listen on {settings.host} port {settings.port}: {error.strerror}. Stop what listens there,"
            " or set KEYRAIL_HOST and KEYRAIL_PORT to an address of this machine and a free port."
        ) from error


def reachable(url: str) -> str:
    """Return the address under which a service that listens on all addresses is reached from its own machine."""
    return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")


@dataclass(slots=True, kw_only=True)
class Running:
    """What a running service swaps when the workspace file changes; `worker` and `schedule` where it does jobs."""

    context: Context
    metrics: Metrics
    masks: Masks
    worker: Worker | None = None
    schedule: Schedule | None = None
    applied: bool = False

    async def adopt(self, workspace: Workspace) -> None:
        """Put another version of the file in force."""
        self.masks.add(secret.reveal() for secret in secrets(workspace) if not secret.missing)
        self.context = replace(self.context, workspace=workspace, mapper=compile_mapping(workspace))
        self.metrics.workspace(utc_now())
        if self.worker is not None and self.schedule is not None:
            await self.worker.adopt(self.context)
            self.schedule.replace(work.duties(workspace))
            self.applied = False
            await self.apply()

    def told(self, problems: tuple[Problem, ...]) -> None:
        """Note whether the file as it is now could be loaded."""
        self.metrics.workspace(None if problems else utc_now())

    async def apply(self) -> None:
        """Map the store with the file in force, unless that is done; a database that is away is tried again."""
        if self.applied:
            return
        context = self.context
        try:
            await catch_up(context)
            self.applied = context is self.context
        except KeyrailError as error:
            log.warning("The workspace file is not in force yet: %s", error)

    async def do(self, job: str, key: str) -> None:
        """Do one job, with its name on every log line."""
        worker = self.worker
        if worker is None:
            raise RuntimeError("a job came before the worker was there")
        began = monotonic()
        with structlog.contextvars.bound_contextvars(job=job, connection=key):
            ok = await work.do(worker, job, key)
        self.metrics.job(job, monotonic() - began, ok=ok)

    async def tick(self) -> None:
        """See to what nobody was asked for, every few seconds; never returns."""
        while self.worker is not None:
            await self.apply()
            try:
                await work.wake(self.worker)
            except KeyrailError as error:
                log.warning("%s", error)
            await asyncio.sleep(work.TICK.total_seconds())


@asynccontextmanager
async def working(running: Running, settings: Settings) -> AsyncIterator[Jobs]:
    """Do jobs while the block runs, and ask for those that come again and again."""
    secret_key = None if settings.secret_key.missing else settings.secret_key.reveal()
    executor = executor_name(settings.database_url)
    async with AsyncExitStack() as stack:
        asker = await stack.enter_async_context(open_asker(settings.database_url))
        wake = Wake(asker, utc_now)
        running.worker = Worker(running.context, asker, wake, secret_key)
        stack.push_async_callback(running.worker.close)
        await running.apply()
        stack.push_async_callback(wake.settle)
        await stack.enter_async_context(open_jobs(settings.database_url, running.do, executor=executor, drain=DRAIN))
        running.schedule = Schedule(asker, work.duties(running.context.workspace))
        running.schedule.start()
        stack.callback(running.schedule.stop)
        await stack.enter_async_context(beside(running.tick))
        yield asker


@asynccontextmanager
async def beside(task: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Run a task that never ends beside the block; a fault of it is logged, and it begins again."""

    async def always() -> None:
        while True:
            try:
                await task()
            except Exception:  # whatever it is: the service goes on, and so must this
                log.exception("A task of the service failed and begins again")
                await asyncio.sleep(1)

    running = asyncio.create_task(always())
    try:
        yield
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Store]:
    """Open the database, known as a service that runs on it.

    One that is away, behind, or used by a version that must stop first is awaited for `KEYRAIL_DATABASE_WAIT` seconds.
    """
    deadline, wait = monotonic() + settings.database_wait, 0.5
    async with AsyncExitStack() as stack:
        while True:
            try:
                async with AsyncExitStack() as unless_ready:
                    store = await open_store(settings.database_url)
                    unless_ready.push_async_callback(store.close)
                    await unless_ready.enter_async_context(known_beside(store))
                    stack.push_async_exit(unless_ready.pop_all())
                break
            except NewerSchemaError:
                raise
            except (StorageError, LockedError) as error:
                if monotonic() >= deadline:
                    raise
                log.warning("Waiting for the database. %s", error)
                await asyncio.sleep(min(wait, max(0.0, deadline - monotonic())))
                wait = min(LONGEST_WAIT, wait * 2)
        yield store


@asynccontextmanager
async def alone(store: Store, role: str) -> AsyncIterator[None]:
    """See that a SQLite file has one service with all roles; PostgreSQL takes any number."""
    if store.path is None:
        yield
        return
    if role != "all":
        raise ConfigError(
            f"--role {role}: roles are for several processes on PostgreSQL. On SQLite one process does all:"
            " leave --role out, or set KEYRAIL_DATABASE_URL to postgresql://…"
        )
    async with AsyncExitStack() as stack:
        try:
            await stack.enter_async_context(store.lock("serve"))
        except LockedError as error:
            raise LockedError(
                f"Another keyrail serve works on {shown_url(store.url)}. Stop it first; for several, use PostgreSQL."
                f" ({error})"
            ) from error
        yield


def answering(jobs: Jobs) -> Check:
    """Return the check that jobs can be asked for."""

    async def check() -> None:
        await jobs.counts()

    return check
