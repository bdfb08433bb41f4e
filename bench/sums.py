"""Holds the sums over a large company against what the same database and the same arithmetic need at least.

`python -m bench.sums [--issues N]`. Each part runs in a process of its own, so that its memory is its own, and prints
seconds of CPU; ends with 1 where a bound is missed. Nothing is fetched: the store is filled by bulk inserts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from app.bootstrap import open_context
from bench.runs import ROOT, Row
from bench.store import CONNECTION, LARGE, LARGE_EPICS, NOW, Size, fill, id_of_epic, id_of_issue, workspace_of
from sync.context import Context

ISSUES = 1_000_000
REPEATS = 15

REBUILD, MEMORY, ONE, AS_OF, AHEAD = 10.0, 400.0, 0.001, 20.0, 10.0
"""the bounds: times the bare GROUP BY, MB, share of the rebuild, times reading the rows, times drawing the days"""

GROUP_BY = (
    "select scope, connection, parent_id, category, stage, estimate, team, completed_on, entered_on, flags,"
    " inaccessible_on, canceled_on, count(*) from items where deleted_at is null and mirror_of is null"
    " group by scope, connection, parent_id, category, stage, estimate, team, completed_on, entered_on, flags,"
    " inaccessible_on, canceled_on"
)


def size_of(issues: int) -> Size:
    """Return the company of so many issues, in the proportions of the full one."""
    return Size(
        issues=issues,
        epics=issues // 20,
        initiatives=max(issues // 200, 100),
        key_results=max(issues // 500, 8),
    )


@dataclass(frozen=True, slots=True)
class Measured:
    """What a process found, and the most memory that it had, in MB."""

    found: Mapping[str, float]
    memory: float


def apart(part: str, database: str, issues: int) -> Measured:
    """Run a part in a process of its own; ends the benchmark where it fails."""
    command = [sys.executable, "-m", "bench.sums", "--part", part, "--database", database, "--issues", str(issues)]
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(command, stdout=out, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{part} ended with {process.returncode}")
        out.seek(0)
        return Measured(found=json.loads(out.read()), memory=usage.ru_maxrss / 1024)


@contextlib.asynccontextmanager
async def company(database: str, size: Size) -> AsyncIterator[Context]:
    """Open the company's store at its own moment."""
    async with open_context(workspace_of(size), database) as context:
        yield replace(context, now=lambda: NOW)


async def filled(database: str, size: Size) -> dict[str, float]:
    """Fill a new store, make its links and its numbers once."""
    from sync.refresh import rebuild

    began = time.process_time()
    async with company(database, size) as context:
        await fill(context.store, size, context.workspace)
        written = time.process_time()
        async with context.store.alone() as tx:
            await rebuild(tx, context)
    return {"fill": written - began, "first": time.process_time() - written}


async def rebuilt(database: str, size: Size) -> dict[str, float]:
    """Map and compute everything again."""
    from sync.refresh import rebuild

    async with company(database, size) as context:
        before = time.process_time()
        async with context.store.alone() as tx:
            await rebuild(tx, context)
        return {"seconds": time.process_time() - before}


async def grouped(database: str, _size: Size) -> dict[str, float]:
    """Group all items in bare SQL, and take the rows."""
    import sqlite3

    connection = sqlite3.connect(database.removeprefix("sqlite:///"))
    seconds = []
    for _ in range(3):
        before = time.process_time()
        rows = connection.execute(GROUP_BY).fetchall()
        seconds.append(time.process_time() - before)
    return {"seconds": statistics.median(seconds), "rows": len(rows)}


async def one_changed(database: str, size: Size) -> dict[str, float]:
    """Bring the numbers up to date with one issue that changed, several times."""
    from sync.ingest import Ingested
    from sync.refresh import refresh

    seconds = []
    async with company(database, size) as context:
        for number in range(REPEATS):
            item = (CONNECTION, id_of_issue(size.issues * (number + 1) // (REPEATS + 2)))
            before = time.process_time()
            async with context.store.write() as tx:
                await refresh(tx, context, Ingested(moved={item}))
            seconds.append(time.process_time() - before)
    return {"seconds": statistics.median(seconds)}


async def ahead(database: str, size: Size) -> dict[str, float]:
    """Forecast all key results, and draw as many random days as simulating them would take."""
    import numpy as np

    from rollup.features import forecasts
    from storage import rollups

    async with company(database, size) as context:
        async with context.store.read() as tx:
            stored = await rollups.load(tx)
        key_results = [id_ for id_ in stored if id_ in context.workspace.key_results]
        forecasts(context.workspace, stored, today=context.today, only=key_results[:1])
        before = time.process_time()
        found = forecasts(context.workspace, stored, today=context.today, only=key_results)
        seconds = time.process_time() - before
    computed = sum(one.state == "ok" for one in found.values())
    rng = np.random.Generator(np.random.PCG64(1))
    before = time.process_time()
    rng.integers(0, 91, size=len(key_results) * 1000 * 91)
    return {"seconds": seconds, "drawn": time.process_time() - before, "forecasts": computed, "of": len(key_results)}


async def past(database: str, size: Size) -> dict[str, float]:
    """Compute the large key result as of a day, and read the rows of its items and of their history in bare SQL."""
    import sqlite3

    from rollup.scope import delivered, scope_of
    from sync.history import facts_at

    whole, least = [], []
    async with company(database, size) as context:
        scope = scope_of(context.workspace, LARGE)
        for day in range(1, REPEATS):
            before = time.process_time()
            facts, when = await facts_at(context, scope, NOW - timedelta(days=day))
            progress, _ = delivered(facts, scope, today=when.day)
            whole.append(time.process_time() - before)
    connection = sqlite3.connect(database.removeprefix("sqlite:///"))
    epics = [id_of_epic(n) for n in range(LARGE_EPICS)]
    wanted = f"connection = ? and parent_id in ({','.join('?' * len(epics))})"
    for _ in range(REPEATS):
        before = time.process_time()
        items = connection.execute(f"select * from items where {wanted}", (CONNECTION, *epics)).fetchall()
        connection.execute(
            f"select * from transitions where connection = ? and item_id in (select id from items where {wanted})",
            (CONNECTION, CONNECTION, *epics),
        ).fetchall()
        least.append(time.process_time() - before)
    return {
        "seconds": statistics.median(whole),
        "rows": statistics.median(least),
        "items": len(items),
        "counted": progress.items,
    }


PARTS: Mapping[str, Callable[[str, Size], Coroutine[None, None, dict[str, float]]]] = {
    "fill": filled,
    "rebuild": rebuilt,
    "group": grouped,
    "one": one_changed,
    "ahead": ahead,
    "past": past,
}


def judge(database: str, issues: int) -> list[Row]:
    """Run all parts and return what they are against the bounds."""
    rows: list[Row] = []

    def judged(title: str, value: float, bound: float, detail: str) -> None:
        rows.append(Row(title=title, value=value, bound=bound, detail=detail))
        print(rows[-1], flush=True)

    size = size_of(issues)
    made = apart("fill", database, issues)
    print(f"\n{size}\nfilled in {made.found['fill']:.0f} s, mapped first in {made.found['first']:.0f} s", flush=True)
    group, whole = apart("group", database, issues), apart("rebuild", database, issues)
    least, seconds = group.found["seconds"], whole.found["seconds"]
    detail = f"{seconds:.1f} s : {least:.1f} s, {group.found['rows']:.0f} rows"
    judged(f"rebuild of {issues} issues, times the bare GROUP BY", seconds / least, REBUILD, detail)
    judged("  its peak memory, MB", whole.memory, MEMORY, "")
    one = apart("one", database, issues).found["seconds"]
    judged("re-rolling one changed issue, share of the rebuild", one / seconds, ONE, f"{one * 1000:.1f} ms")
    then = apart("past", database, issues).found
    detail = f"{then['seconds'] * 1000:.0f} ms : {then['rows'] * 1000:.0f} ms, {then['items']:.0f} items"
    judged("as of a day, one key result, times reading its rows", then["seconds"] / then["rows"], AS_OF, detail)
    future = apart("ahead", database, issues).found
    detail = f"{future['seconds']:.1f} s : {future['drawn']:.1f} s, {future['forecasts']:.0f} of {future['of']:.0f}"
    judged("forecasts of all key results, times drawing the days", future["seconds"] / future["drawn"], AHEAD, detail)
    return rows


def main() -> int:
    """Run one part, or all of them and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--issues", type=int, default=ISSUES, help="issues of the company (default: a million)")
    parser.add_argument("--part", choices=list(PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.part:
        found = asyncio.run(PARTS[chosen.part](chosen.database, size_of(chosen.issues)))
        print(json.dumps(found))
        return 0
    with tempfile.TemporaryDirectory(prefix="keyrail-bench-") as folder:
        database = chosen.database or f"sqlite:///{Path(folder) / 'large.db'}"
        rows = judge(database, chosen.issues)
    missed = [row.title.strip() for row in rows if not row.passed]
    print(f"{len(rows) - len(missed)} of {len(rows)} bounds hold" + (f"; missed: {missed}" if missed else ""))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
