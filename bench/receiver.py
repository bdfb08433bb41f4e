"""How many signed webhooks a second are accepted, beside a bare Starlette endpoint that inserts one row a request.

`python -m bench.receiver [--database URL] [--webhooks N]`. Both are served by processes of their own over SQLite, or
over the empty PostgreSQL database that is named, each commit synced to the disk, and sent the same by a third. Ends
with 1 where a bound is missed or a delivery is.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from sqlalchemy import select
from starlette.applications import Starlette

from app.web.app import application
from app.web.metrics import Metrics
from app.web.needs import Web
from app.web.server import serve
from bench.endpoint import endpoint, keeping
from bench.runs import ROOT, Row
from config.log import configure
from connectors.signature import sign
from domain.workspace import Connection, Secret, Workspace
from storage import inbox
from storage.engine import open_store
from sync.arrivals import open_arrivals

SECRET = "webhook-secret-of-the-benchmark"
NAME = "github-bench"
SENDERS = 64
"""connections that are kept open and send one webhook after the other"""
AGAIN, FORGED = 0.05, 0.02
"""shares of what was sent before, and of what is signed with another secret"""
LEAST_RATE, MOST_SPREAD = 0.5, 10.0
PACED = 1500
"""webhooks that are sent at a tenth of the full rate"""
Sent = tuple[dict[str, str], bytes]


def webhooks(count: int, seed: int) -> list[Sent]:
    """Return so many webhooks of issues, about four kilobytes each, some twice and some forged."""
    pick = random.Random(seed)
    made: list[Sent] = []
    for number in range(count):
        if made and pick.random() < AGAIN:
            made.append(pick.choice(made[-500:]))
            continue
        issue = {
            "id": 10_000_000 + number,
            "node_id": f"I_kwDO{number:08d}",
            "number": number,
            "title": f"Issue {number}",
            "body": " ".join(pick.choices(WORDS, k=500)),
            "updated_at": "2026-11-20T10:00:00Z",
        }
        body = orjson.dumps({"action": "edited", "issue": issue, "repository": {"full_name": "acme/api"}})
        secret = "somebody else's" if pick.random() < FORGED else SECRET
        headers = {
            "content-type": "application/json",
            "x-github-event": "issues",
            "x-github-delivery": f"{seed}-{number}",
            "x-hub-signature-256": sign(secret, body, prefix="sha256="),
        }
        made.append((headers, body))
    return made


WORDS = ("checkout", "payment", "page", "retry", "fails", "when", "the", "customer", "region", "of", "slow", "api")


async def ours(database: str) -> None:
    """Serve Keyrail's receiver until killed."""
    configure("info", "json")
    secret = Secret("env:BENCH", SECRET)
    connection = Connection(name=NAME, type="github", url="https://api.github.com", webhook_secret=secret)
    workspace = Workspace(name="bench", timezone="UTC", connections={NAME: connection})
    store, metrics = await open_store(database), Metrics("bench")
    async with open_arrivals(store, lambda name: None) as arrivals:
        web = Web(
            version="bench",
            workspace=lambda: workspace,
            arrivals=arrivals,
            metrics=metrics,
            scrape=lambda: metrics.scrape(store, None, datetime.now(UTC)),
        )
        await forever(application(web))


async def plain(database: str) -> None:
    """Serve the endpoint beside it until killed."""
    async with keeping(database) as keep:
        await forever(endpoint(NAME, SECRET, keep))


async def forever(app: Starlette) -> None:
    """Serve, say where, and end with who started us."""
    async with serve(app) as url:
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


async def send(url: str, count: int, seed: int, rate: float | None) -> dict[str, Any]:
    """Send webhooks at full speed, or so many a second; return rate, times of the answers in ms, and their codes."""
    waiting = list(reversed(webhooks(count, seed)))
    times: list[float] = []
    codes: Counter[int] = Counter()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=SENDERS)) as session:

        async def one(headers: dict[str, str], body: bytes) -> None:
            began = time.perf_counter()
            async with session.post(f"{url}/webhooks/{NAME}", data=body, headers=headers) as answer:
                await answer.read()
            times.append((time.perf_counter() - began) * 1000)
            codes[answer.status] += 1

        async def sender() -> None:
            while waiting:
                await one(*waiting.pop())

        start = time.perf_counter()
        if rate is None:
            await asyncio.gather(*(sender() for _ in range(SENDERS)))
        else:
            async with asyncio.TaskGroup() as sending:
                for number in range(count):
                    await asyncio.sleep(max(0.0, start + number / rate - time.perf_counter()))
                    sending.create_task(one(*waiting.pop()))
        wall = time.perf_counter() - start
    cuts = statistics.quantiles(times, n=100)
    return {"rate": count / wall, "median": cuts[49], "p99": cuts[98], "codes": dict(codes)}


@contextlib.contextmanager
def served(which: str, database: str, folder: Path) -> Iterator[str]:
    """Run a server in a process of its own, its log in a folder, and yield its address."""
    command = [sys.executable, "-m", "bench.receiver", "--serve", which, "--database", database]
    with (
        (folder / f"{which}.log").open("w") as log,
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as server,
    ):
        assert server.stdout is not None
        assert server.stdin is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.stdin.close()
            server.wait(30)


def sent(url: str, count: int, seed: int, rate: float | None = None) -> dict[str, Any]:
    """Send from a process of its own and return what it saw."""
    command = [sys.executable, "-m", "bench.receiver", "--send", url, "--webhooks", str(count), "--seed", str(seed)]
    command += ["--rate", str(rate)] if rate is not None else []
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def kept(database: str) -> set[str]:
    """Return the ids of the deliveries that the receiver stored."""
    store = await open_store(database)
    try:
        async with store.read() as tx:
            return set(await tx.scalars(select(inbox.inbox.c.delivery_id)))
    finally:
        await store.close()


def genuine(count: int, seed: int) -> set[str]:
    """Return the ids of the deliveries that had to be stored."""
    right = [headers for headers, body in webhooks(count, seed) if _is_ours(headers, body)]
    return {headers["x-github-delivery"] for headers in right}


def _is_ours(headers: dict[str, str], body: bytes) -> bool:
    return headers["x-hub-signature-256"] == sign(SECRET, body, prefix="sha256=")


def measured(count: int, folder: Path, database: str | None = None) -> list[Row]:
    """Run both and judge: of two runs at full speed the better one counts, then ours is sent a tenth of that.

    `database` is the URL of an empty one at PostgreSQL; None stands for SQLite files in the folder.
    """
    beside, own = (database or f"sqlite:///{folder}/{which}.db" for which in ("plain", "ours"))
    runs, slow = dict.fromkeys((1, 2), count), min(count, PACED)
    first = {0: count // 10}  # in which all is imported and made
    with served("plain", beside, folder) as url:
        sent(url, first[0], 0)
        plain_rate = max(sent(url, size, seed)["rate"] for seed, size in runs.items())
    with served("ours", own, folder) as url:
        sent(url, first[0], 0)
        rate = max(sent(url, size, seed)["rate"] for seed, size in runs.items())
        paced = sent(url, slow, 3, rate=rate / 10)
    expected = set().union(*(genuine(size, seed) for seed, size in {**first, **runs, 3: slow}.items()))
    wrong = len(expected ^ asyncio.run(kept(own)))
    rates = f"{rate:.0f} a second; plain {plain_rate:.0f}"
    spread = f"median {paced['median']:.1f} ms, p99 {paced['p99']:.1f} ms at {rate / 10:.0f} a second"
    share, tail = rate / plain_rate, paced["p99"] / paced["median"]
    return [
        Row(title="rate, of the plain endpoint's", value=share, bound=LEAST_RATE, at_least=True, detail=rates),
        Row(title="p99 of the answer, of its median", value=tail, bound=MOST_SPREAD, detail=spread),
        Row(title="lost, or stored though forged", value=wrong, bound=0),
    ]


def main() -> int:
    """Run what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--webhooks", type=int, default=10_000)
    parser.add_argument("--database", help="URL of an empty PostgreSQL database instead of SQLite files")
    for internal in ("--serve", "--send"):
        parser.add_argument(internal, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        asyncio.run((ours if chosen.serve == "ours" else plain)(chosen.database))
        return 0
    if chosen.send:
        print(json.dumps(asyncio.run(send(chosen.send, chosen.webhooks, chosen.seed, chosen.rate))))
        return 0
    with tempfile.TemporaryDirectory(prefix="keyrail-bench-") as name:
        rows = measured(chosen.webhooks, Path(name), chosen.database)
    for row in rows:
        print(row)
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
