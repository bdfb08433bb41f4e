"""Runs Keyrail as people run it against answers that cost nothing, beside a plain script, and judges the ratios.

`make bench`, or `python -m bench.suite [--size N]`. Ends with 1 where a bound is missed, or where the server took
so much CPU that the run says nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.workspace import CONNECTION, TOKEN_VARIABLE, workspace_text

ROOT = Path(__file__).resolve().parent.parent
KEYRAIL = Path(sys.executable).parent / "keyrail"
SMALL, LARGE = 10_000, 100_000
MAX_SERVER_SHARE = 0.30
PER_REQUEST = 100
"""most issues that one answer of Jira holds"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took: seconds of wall and CPU, peak memory in MB, and what it asked of the server."""

    wall: float
    cpu: float
    memory: float
    requests: int
    server_share: float
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the result. `at_least` says on which side of the bound the value must lie."""

    title: str
    value: float
    bound: float
    at_least: bool = False
    detail: str = ""

    @property
    def passed(self) -> bool:
        """Whether the bound holds."""
        return self.value >= self.bound if self.at_least else self.value <= self.bound


@dataclass(slots=True)
class Bench:
    """A server with its rendered answers, and a folder for databases and the workspace file."""

    url: str
    folder: Path
    rows: list[Row] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)

    def control(self, call: str) -> dict[str, Any]:
        """Make a call of the server's own and return its counters."""
        with urllib.request.urlopen(f"{self.url}/_bench/{call}") as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def run(self, command: Sequence[object], database: str) -> Run:
        """Run a process to its end; ends the whole benchmark where it fails."""
        environment = {
            **os.environ,
            "KEYRAIL_DATABASE_URL": self.database(database),
            TOKEN_VARIABLE: "bench-token",
            "PYTHONPATH": str(ROOT),
        }
        self.control("reset")
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            before = time.perf_counter()
            process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=errors, env=environment, cwd=ROOT)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - before
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            errors.seek(0)
            if process.returncode:
                said = errors.read().decode()[-4000:]
                sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{said}")
            output = out.read().decode()
        stats = self.control("stats")
        share = stats["cpu"] / wall
        if stats["requests"] >= PER_REQUEST:
            self.shares.append(share)
        return Run(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            memory=usage.ru_maxrss / 1024,
            requests=stats["requests"],
            server_share=share,
            output=output,
        )

    def keyrail(self, database: str, *arguments: str) -> Run:
        """Run a command of Keyrail on a database of this benchmark."""
        return self.run([KEYRAIL, "--workspace", self.folder / "keyrail.yaml", *arguments], database)

    def plain(self, name: str) -> Run:
        """Run the plain script into a new database."""
        command = [sys.executable, "-m", "bench.plain", "--url", self.url, "--database", self.database(name)]
        return self.run(command, name)

    def database(self, name: str) -> str:
        """Return the URL of a database in the benchmark's folder."""
        return f"sqlite:///{self.folder / name}.db"

    def judge(self, title: str, value: float, bound: float, *, at_least: bool = False, detail: str = "") -> None:
        """Note a result and print it."""
        row = Row(title=title, value=value, bound=bound, at_least=at_least, detail=detail)
        self.rows.append(row)
        verdict, sign = "ok  " if row.passed else "MISS", ">=" if at_least else "<="
        print(f"{verdict}  {title:<58} {value:>9.3g}  {sign} {bound:<7.4g} {detail}", flush=True)


@contextlib.contextmanager
def served(size: int, folder: Path) -> Iterator[Bench]:
    """Start the server for `size` issues and wait until everything is rendered."""
    command = [sys.executable, "-m", "bench.server", "--size", str(size)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            folder.mkdir()
            (folder / "keyrail.yaml").write_text(workspace_text(url))
            yield Bench(url=url, folder=folder)
        finally:
            process.terminate()


def backfills(bench: Bench, size: int) -> None:
    """Judge speed, CPU and requests of a backfill against the plain script, at both latencies."""
    least = math.ceil(size / PER_REQUEST)
    for latency, bound in ((150, 5.0), (50, 2.5)):
        bench.control(f"latency?ms={latency}")
        plain, ours = bench.plain(f"plain{latency}"), bench.keyrail(f"keyrail{latency}", "backfill", "--no-history")
        detail = f"{plain.wall:.1f} s : {ours.wall:.1f} s, server {ours.server_share:.0%} of a core"
        title = f"backfill of {size}, {latency} ms a request: times as fast"
        bench.judge(title, plain.wall / ours.wall, bound, at_least=True, detail=detail)
        detail = f"least possible {least}"
        bench.judge(f"  requests at {latency} ms", ours.requests, 1.1 * least + 30, detail=detail)
        detail = f"{ours.cpu:.1f} s : {plain.cpu:.1f} s, {ours.cpu / size * 1e6:.0f} µs an issue"
        bench.judge(f"  CPU at {latency} ms, times the plain script's", ours.cpu / plain.cpu, 4.0, detail=detail)


def memory(bench: Bench, small: Bench, size: int) -> None:
    """Judge the peak memory of a backfill: flat in the number of issues, and small."""
    for one in (bench, small):
        one.control("latency?ms=5")
    many = bench.keyrail("memory", "backfill", "--no-history").memory
    few = small.keyrail("memory", "backfill", "--no-history").memory
    bench.judge(f"peak memory, {size} issues to {SMALL}", many / few, 1.2, detail=f"{many:.0f} MB : {few:.0f} MB")
    bench.judge(f"peak memory of {size} issues, MB", many, 200)


def increments(bench: Bench, size: int) -> None:
    """Judge how many requests an incremental pull takes, with nothing and with 1 % changed."""
    bench.control("latency?ms=5")
    # The first sync may still bring the history that the backfill left out; the second has nothing to do.
    first, idle = (bench.keyrail("keyrail50", "sync").requests for _ in range(2))
    bench.judge("idle sync, requests", idle, 4, detail=f"the sync before it: {first}")
    count = size // 100
    bench.control(f"touch?count={count}")
    run = bench.keyrail("keyrail50", "sync")
    pages = math.ceil(count / PER_REQUEST)
    bench.judge("sync after 1 % changed, requests", run.requests, pages + 6, detail=f"{pages} pages of changes")


def answers(bench: Bench, size: int) -> None:
    """Judge how fast the numbers are read and brought up to date, over all issues."""
    shown = statistics.median(bench.keyrail("keyrail50", "show").wall for _ in range(6))
    version = statistics.median(bench.keyrail("keyrail50", "version").wall for _ in range(6))
    detail = f"{shown * 1000:.0f} ms : {version * 1000:.0f} ms"
    bench.judge(f"warm show over {size} issues, times `keyrail version`", shown / version, 3.0, detail=detail)
    command = [
        sys.executable, "-m", "bench.reroll",
        "--workspace", bench.folder / "keyrail.yaml", "--database", bench.database("keyrail50"),
    ]  # fmt: skip
    found = json.loads(bench.run(command, "keyrail50").output)
    detail = f"{found['one'] * 1000:.1f} ms : {found['rebuild'] * 1000:.0f} ms"
    bench.judge(
        "re-rolling one changed issue, share of a rebuild", found["one"] / found["rebuild"], 0.01, detail=detail
    )
    whole = bench.keyrail("keyrail50", "rebuild")
    print(f"      keyrail rebuild of {CONNECTION}: {whole.wall:.1f} s, {whole.memory:.0f} MB", flush=True)


def main() -> int:
    """Run everything and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=LARGE, help="issues of the large run (default %(default)s)")
    size: int = parser.parse_args().size
    with tempfile.TemporaryDirectory(prefix="keyrail-bench-") as name, served(size, Path(name) / "large") as bench:
        backfills(bench, size)
        with served(SMALL, Path(name) / "small") as small:
            memory(bench, small, size)
        increments(bench, size)
        answers(bench, size)
    worst = max(bench.shares)
    void = worst >= MAX_SERVER_SHARE
    missed = [row.title.strip() for row in bench.rows if not row.passed]
    print(
        f"\nserver's CPU at worst {worst:.0%} of one core" + (": VOID, the server was the bottleneck" if void else "")
    )
    print(
        f"{len(bench.rows) - len(missed)} of {len(bench.rows)} bounds hold" + (f"; missed: {missed}" if missed else "")
    )
    return 1 if missed or void else 0


if __name__ == "__main__":
    sys.exit(main())
