"""What Prometheus is told, and how it is kept: counters of this process, and gauges read from the store at each scrape.

A registry of its own; no name is made from what a stranger sends.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from connectors.ratelimit import Signal
from domain.errors import KeyrailError
from storage import gauges
from storage.engine import Store
from storage.gauges import Gauges
from sync.context import Silent
from sync.jobs import Jobs

log = logging.getLogger("keyrail")

PATIENCE = 5.0
"""seconds that the database may take for a scrape"""
FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
SLOW = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200)
"""upper bounds in seconds of what people wait for, and of what runs by itself"""

STORED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "keyrail_database_up": ("Whether the database answered this scrape.", ()),
    "keyrail_items": ("Items that are stored, deleted ones with them.", ("connection",)),
    "keyrail_connection_lag_seconds": ("Time since the moment up to which all is known.", ("connection",)),
    "keyrail_census_timestamp_seconds": ("When the last census ended.", ("connection",)),
    "keyrail_census_gaps": ("Items that the last census found on one side alone.", ("connection", "kind")),
    "keyrail_inbox_deliveries": ("Deliveries that wait (new) or could not be read (parked).", ("connection", "state")),
    "keyrail_inbox_oldest_seconds": ("Time since the oldest unread delivery came.", ("connection",)),
    "keyrail_outbox_updates": ("Status updates that wait (due) or were refused (failed).", ("state",)),
    "keyrail_dirty_rows": ("What moved and no roll-up has seen yet.", ()),
    "keyrail_job_failures": ("Times in a row that a job did not end well.", ("job", "key")),
    "keyrail_jobs": ("Jobs by state.", ("state",)),
}
"""gauges that are read from the store, with their labels"""


@dataclass(slots=True)
class Stage:
    """What a pull of a connection does in this process: of how many items how many are done, what it waits for."""

    name: str
    total: int | None
    done: int = 0
    waits: str = ""
    until: datetime | None = None


class Metrics(Silent):
    """The numbers of one process; also the watcher that runs tell of the tracker's answers and of how far they are."""

    def __init__(self, version: str) -> None:
        self.stages: dict[str, Stage] = {}
        self.registry = CollectorRegistry()
        registry = self.registry
        self._stored = Stored()
        registry.register(self._stored)
        Info("keyrail_build", "The version that runs.", registry=registry).info({"version": version})
        self._webhooks = Counter(
            "keyrail_webhooks",
            "Webhooks by the code they were answered with.",
            ("connection", "code"),
            registry=registry,
        )
        self._webhook_seconds = Histogram(
            "keyrail_webhook_duration_seconds", "Time until a webhook was answered.", buckets=FAST, registry=registry
        )
        self._requests = Counter(
            "keyrail_tracker_requests", "Calls to trackers.", ("connection", "outcome"), registry=registry
        )
        self._request_seconds = Histogram(
            "keyrail_tracker_request_duration_seconds",
            "Time until a tracker answered.",
            ("connection",),
            buckets=FAST,
            registry=registry,
        )
        self._left = Gauge(
            "keyrail_tracker_rate_limit_left_ratio",
            "Share of the account's rate limit that is left.",
            ("connection", "window"),
            registry=registry,
        )
        self._job_seconds = Histogram(
            "keyrail_job_duration_seconds", "Time that jobs took.", ("job", "outcome"), buckets=SLOW, registry=registry
        )
        self._file_ok = Gauge(
            "keyrail_workspace_ok", "Whether the workspace file as it is now could be loaded.", registry=registry
        )
        self._file_at = Gauge(
            "keyrail_workspace_loaded_timestamp_seconds", "When the file in force was loaded.", registry=registry
        )

    def webhook(self, connection: str | None, status: int, seconds: float) -> None:
        """Count a webhook and its answer; None stands for all connections that do not exist."""
        self._webhooks.labels(connection or "unknown", str(status)).inc()
        self._webhook_seconds.observe(seconds)

    def answered(self, connection: str, status: int | None, seconds: float, signal: Signal) -> None:
        """Count a call to a tracker, and keep what its answer says is left."""
        self._requests.labels(connection, outcome(status, signal)).inc()
        self._request_seconds.labels(connection).observe(seconds)
        if signal.limit and signal.remaining is not None:
            self._left.labels(connection, signal.pool or "all").set(min(1.0, signal.remaining / signal.limit))

    def headroom(self) -> dict[str, float]:
        """Return by connection which part of its rate limit is left, of several windows the least, as last told."""
        found: dict[str, float] = {}
        for sample in (one for metric in self._left.collect() for one in metric.samples):
            name = sample.labels["connection"]
            found[name] = min(sample.value, found.get(name, 1.0))
        return found

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """Note what a pull does now, and of how many."""
        self.stages[connection] = Stage(name, total)

    def advance(self, connection: str, items: int) -> None:
        """Note how far it is."""
        if connection in self.stages:
            self.stages[connection].done += items

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """Note what it waits for."""
        if connection in self.stages:
            self.stages[connection].waits, self.stages[connection].until = reason, until

    def done(self, connection: str) -> None:
        """Note that it is through."""
        self.stages.pop(connection, None)

    def job(self, job: str, seconds: float, *, ok: bool) -> None:
        """Count a job that ended."""
        self._job_seconds.labels(job, "ok" if ok else "failed").observe(seconds)

    def workspace(self, loaded_at: datetime | None) -> None:
        """Note that the workspace file was loaded at a time, or (None) that it is broken now."""
        self._file_ok.set(loaded_at is not None)
        if loaded_at is not None:
            self._file_at.set(loaded_at.timestamp())

    async def scrape(self, store: Store, jobs: Jobs | None, now: datetime) -> bytes:
        """Return all in Prometheus's text format; without the database what the process itself knows."""
        self._stored.families = await families(store, jobs, now)
        return generate_latest(self.registry)


class Stored(Collector):
    """The gauges that were read from the store for this scrape."""

    def __init__(self) -> None:
        self.families: list[GaugeMetricFamily] = []

    def describe(self) -> Iterable[Metric]:
        """Name them, so that no other takes their names."""
        return [family(name) for name in STORED]

    def collect(self) -> Iterable[Metric]:
        """Return them."""
        return self.families


def outcome(status: int | None, signal: Signal) -> str:
    """Return in a word what became of a call: ok, limited, refused (4xx), failed (5xx) or unanswered."""
    if signal.limited:
        return "limited"
    if status is None:
        return "unanswered"
    return "failed" if status >= 500 else "refused" if status >= 400 else "ok"


def family(name: str) -> GaugeMetricFamily:
    """Return a gauge of the store without samples."""
    help, labels = STORED[name]
    return GaugeMetricFamily(name, help, labels=labels)


async def families(store: Store, jobs: Jobs | None, now: datetime) -> list[GaugeMetricFamily]:
    """Read the gauges of the store."""
    samples: dict[str, dict[tuple[str, ...], float]] = {}
    try:
        async with asyncio.timeout(PATIENCE):
            async with store.read() as tx:
                samples |= of_store(await gauges.read(tx), now)
            if jobs is not None:
                samples["keyrail_jobs"] = {(state,): count for state, count in (await jobs.counts()).items()}
    except Exception as error:  # noqa: BLE001  # what the process itself knows is told whatever the database does
        said = str(error) if isinstance(error, KeyrailError) else type(error).__name__
        log.warning("metrics without the database: %s", said)
        samples = {"keyrail_database_up": {(): 0}}
    found = []
    for name in STORED:
        one = family(name)
        for labels, value in samples.get(name, {}).items():
            one.add_metric(labels, value)
        found.append(one)
    return found


def of_store(read: Gauges, now: datetime) -> dict[str, dict[tuple[str, ...], float]]:
    """Return the samples by name and labels."""
    return {
        "keyrail_database_up": {(): 1},
        "keyrail_items": {(name,): count for name, count in read.items.items()},
        "keyrail_connection_lag_seconds": {(name,): _since(at, now) for name, at in read.complete_to.items()},
        "keyrail_census_timestamp_seconds": {
            (name,): datetime.fromisoformat(census["at"]).timestamp() for name, census in read.census.items()
        },
        "keyrail_census_gaps": {
            (name, kind): census[kind] for name, census in read.census.items() for kind in ("missing", "absent")
        },
        "keyrail_inbox_deliveries": {(name, state): count for (name, state), count in read.deliveries.items()},
        "keyrail_inbox_oldest_seconds": {(name,): _since(at, now) for name, at in read.oldest.items()},
        "keyrail_outbox_updates": {(state,): read.outbox.get(state, 0) for state in ("due", "failed")},
        "keyrail_dirty_rows": {(): read.dirty},
        "keyrail_job_failures": {(job, key): count for (job, key), count in read.failures.items()},
    }


def _since(at: datetime, now: datetime) -> float:
    return max(0.0, (now - at).total_seconds())
