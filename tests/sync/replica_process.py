"""A replica in a process of its own, to be killed: run by tests as `replica_process.py URL EXECUTOR RUNS [SECONDS]`.

It writes a line to the file RUNS for each job that it begins. Jobs of the key `hang` never end. With SECONDS it follows
a schedule of one duty a second and leaves after so long.
"""

import asyncio
import os
import sys
from datetime import timedelta
from pathlib import Path

from sync.engine import open_jobs
from sync.schedule import Duty, Schedule


async def main(url: str, executor: str, runs: Path, seconds: float | None) -> None:
    async def run(job: str, key: str) -> None:
        with runs.open("a") as file:
            file.write(f"{job} {key} {os.getpid()}\n")
        if key == "hang":
            await asyncio.Event().wait()

    async with open_jobs(url, run, executor=executor, drain=1) as jobs:
        print("ready", flush=True)
        if seconds is None:
            await asyncio.Event().wait()
        else:
            schedule = Schedule(jobs, [Duty("deliveries", "jira", timedelta(seconds=1))])
            schedule.start()
            await asyncio.sleep(seconds)
            schedule.stop()
            async with asyncio.timeout(10):
                while True:
                    if not (await jobs.counts())["enqueued"]:
                        break
                    await asyncio.sleep(0.05)


asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), float(sys.argv[4]) if len(sys.argv) > 4 else None))
