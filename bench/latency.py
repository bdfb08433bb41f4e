"""How long a webhook takes until it is in the numbers, at 10 a second, over trackers that answer in 50 ms.

`python -m bench.latency [--database URL] [--seconds N]`. Service and simulated trackers run in processes of their own,
over SQLite, or over the empty database that is named. Ends with 1 where a bound is missed or a webhook is.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import func, select

from bench.runs import KEYRAIL, ROOT, Row
from storage.dirty import dirty
from storage.engine import Store, open_store
from storage.inbox import inbox

RATE = 10.0
"""things that happen a second, of which nearly each is told in one webhook"""
ANSWER = 0.05
"""seconds that a tracker takes for each answer"""
MOST_MEDIAN, MOST_P99 = 2.0, 5.0
WARM = 50
"""things that happen first, while all is imported and made"""
LOOK = 0.05
"""seconds between two looks at the store, by which a result may be too long"""
PATIENCE = 60.0
"""seconds after which a webhook that is not in the numbers counts as lost"""


@dataclass(slots=True)
class Watch:
    """When each webhook came, and when a look first found it read with nothing left to be rolled up.

    Work of others that waits for its roll-up at that moment counts against it, so that a result is never too short.
    """

    store: Store
    came: dict[int, datetime] = field(default_factory=dict)
    counted: dict[int, datetime] = field(default_factory=dict)

    async def look(self) -> None:
        """Look once."""
        async with self.store.read() as tx:
            query = select(inbox.c.id, inbox.c.received_at, inbox.c.state).where(inbox.c.kind == "webhook")
            rows = (await tx.execute(query)).all()
            moved = await tx.scalar(select(func.count()).select_from(dirty))
        now = datetime.now(UTC)
        self.came.update((row.id, row.received_at) for row in rows)
        if not moved:
            for row in rows:
                if row.state == "done":
                    self.counted.setdefault(row.id, now)

    async def follow(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK)

    async def all_counted(self) -> None:
        """Wait until every webhook is in the numbers, or it was given time enough."""
        for _ in range(round(PATIENCE / LOOK)):
            await asyncio.sleep(LOOK)
            if self.came.keys() == self.counted.keys():
                return

    def times(self, after: set[int]) -> list[float]:
        """Return the seconds that webhooks took, but for those that were known before."""
        return [(at - self.came[id_]).total_seconds() for id_, at in self.counted.items() if id_ not in after]


@asynccontextmanager
async def running(*command: object, **environ: str) -> AsyncIterator[tuple[Process, dict[str, Any]]]:
    """Run a process that says in one line of JSON what it serves; end it with the block."""
    process = await asyncio.create_subprocess_exec(
        *map(str, command), cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environ}, stdout=PIPE, limit=2**20
    )
    assert process.stdout is not None
    try:
        yield process, json.loads(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


async def measured(database: str, seconds: float, folder: Path) -> list[Row]:
    """Run the service over a database while things happen, and judge."""
    async with running(sys.executable, "-m", "app.demo.alone") as (_, trackers):
        control = httpx.AsyncClient(base_url=trackers["control"], timeout=None, trust_env=False)
        file = folder / "keyrail.yaml"
        text = trackers["workspace"].replace("    budget: 1\n", "")
        file.write_text(text.replace("    poll: 1m\n", "    poll: 1m\n    budget: 1\n"))
        environ = {**trackers["environ"], "KEYRAIL_DATABASE_URL": database, "KEYRAIL_PORT": "0"}
        environ |= {"KEYRAIL_LOG_LEVEL": "warning"}
        pulling = await asyncio.create_subprocess_exec(
            str(KEYRAIL), "--workspace", str(file), "backfill",
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environ}, stdout=PIPE,
        )  # fmt: skip
        await pulling.communicate()
        async with control, running(KEYRAIL, "--workspace", file, "serve", "--json", **environ) as (_, served):
            return await judged(database, seconds, control, trackers, served["url"])


async def judged(
    database: str, seconds: float, control: httpx.AsyncClient, trackers: dict[str, Any], url: str
) -> list[Row]:
    """Let things happen at the trackers of a service that runs, and judge how long they took."""
    await control.post("/hooks", json={name: f"{url}/webhooks/{name}-demo" for name in trackers["urls"]})
    await control.post("/faults", json={name: {"latency": ANSWER} for name in trackers["urls"]})
    store = await open_store(database)
    watch = Watch(store)
    following = asyncio.create_task(watch.follow())
    try:
        await control.post("/storm", json={"steps": WARM, "seed": 1, "rate": RATE})
        await control.post("/idle", json={})
        await watch.all_counted()
        before = set(watch.came)
        began = asyncio.get_running_loop().time()
        await control.post("/storm", json={"steps": int(seconds * RATE), "seed": 2, "rate": RATE})
        lasted = asyncio.get_running_loop().time() - began
        await control.post("/idle", json={})
        await watch.all_counted()
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await store.close()
    if following.done() and not following.cancelled() and (error := following.exception()):
        raise error
    times = watch.times(before)
    cuts = statistics.quantiles(times, n=100)
    kind = database.partition(":")[0]
    told = f"{len(times)} webhooks, {len(times) / lasted:.1f} a second, at most {max(times):.1f} s"
    return [
        Row(title=f"webhook to rolled-up on {kind}, median in s", value=cuts[49], bound=MOST_MEDIAN, detail=told),
        Row(title=f"webhook to rolled-up on {kind}, p99 in s", value=cuts[98], bound=MOST_P99),
        Row(title="webhooks that never were", value=len(watch.came) - len(watch.counted), bound=0),
    ]


def main() -> int:
    """Run what is asked for and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", help="URL of an empty database instead of a SQLite file")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long things happen")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keyrail-bench-") as name:
        database = chosen.database or f"sqlite:///{name}/keyrail.db"
        rows = asyncio.run(measured(database, chosen.seconds, Path(name)))
    for row in rows:
        print(row)
    return 0 if all(row.passed for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
