"""Times two things inside one process, over a store that was filled before: one changed item, and a rebuild.

Prints JSON with seconds of CPU. Run by `bench.suite`; nothing is fetched.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import time
from pathlib import Path

from app.bootstrap import open_context
from bench.payloads import EPIC_EVERY, FIRST_ID
from bench.workspace import connection_name
from config.workspace import load
from sync.ingest import Ingested
from sync.refresh import rebuild, refresh

REPEATS = 15


async def measure(workspace_file: Path, database: str) -> dict[str, float]:
    """Return the CPU seconds of re-rolling one changed issue (the median of several) and of a rebuild."""
    async with open_context(load(workspace_file, os.environ), database) as context:
        one = []
        for number in range(REPEATS):
            item = (connection_name("jira"), str(FIRST_ID + EPIC_EVERY * (number + 1) + 5))
            async with context.store.write() as tx:
                before = time.process_time()
                await refresh(tx, context, Ingested(moved={item}))
                one.append(time.process_time() - before)
        async with context.store.write() as tx:
            before = time.process_time()
            await rebuild(tx, context)
            whole = time.process_time() - before
    return {"one": statistics.median(one), "rebuild": whole}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path, required=True)
    parser.add_argument("--database", required=True)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.workspace, chosen.database))))


if __name__ == "__main__":
    main()
