"""One process after the other against the benchmark's server: wall, CPU, memory, requests, and what they were charged.

What the results have to be is judged in `suite`.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.workspace import TOKEN, TOKEN_VARIABLE, workspace_text

ROOT = Path(__file__).resolve().parent.parent
KEYRAIL = Path(sys.executable).parent / "keyrail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took: seconds of wall and CPU, peak memory in MB, and what it asked of the server.

    `by_name` are requests by operation or path; `cost` is what the vendor would have charged, in its own unit.
    """

    wall: float
    cpu: float
    memory: float
    requests: int
    by_name: Mapping[str, int]
    cost: float
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

    def __str__(self) -> str:
        """Return it as it is printed."""
        verdict, sign = "ok  " if self.passed else "MISS", ">=" if self.at_least else "<="
        return f"{verdict}  {self.title:<58} {self.value:>9.3g}  {sign} {self.bound:<7.4g} {self.detail}"


@dataclass(slots=True)
class Bench:
    """A server with its rendered answers, and a folder for databases and the workspace file."""

    tracker: str
    size: int
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
        """Run a process to its end; ends the whole benchmark where it fails, or asks what the server does not know."""
        environment = {
            **os.environ,
            "KEYRAIL_DATABASE_URL": self.database(database),
            TOKEN_VARIABLE: TOKEN,
            "PYTHONPATH": str(ROOT),
        }
        self.control("reset")
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
            before = time.perf_counter()
            process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=errors, env=environment, cwd=ROOT)
            _, status, usage = os.wait4(process.pid, 0)
            wall = time.perf_counter() - before
            process.returncode = os.waitstatus_to_exitcode(status)
            stats = self.control("stats")
            out.seek(0)
            errors.seek(0)
            if process.returncode or stats["refused"]:
                said = "\n".join([*stats["refused"], errors.read().decode()[-4000:]])
                sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}:\n{said}")
            output = out.read().decode()
        return Run(
            wall=wall,
            cpu=usage.ru_utime + usage.ru_stime,
            memory=usage.ru_maxrss / 1024,
            requests=stats["requests"],
            by_name=stats["by_name"],
            cost=stats["cost"],
            server_share=stats["cpu"] / wall,
            output=output,
        )

    def keyrail(self, database: str, *arguments: str) -> Run:
        """Run a command of Keyrail on a database of this benchmark."""
        return self.run([KEYRAIL, "--workspace", self.folder / "keyrail.yaml", *arguments], database)

    def plain(self, name: str) -> Run:
        """Run the plain script into a new database."""
        command = [
            sys.executable, "-m", "bench.plain",
            "--tracker", self.tracker, "--url", self.url, "--database", self.database(name),
        ]  # fmt: skip
        return self.run(command, name)

    def database(self, name: str) -> str:
        """Return the URL of a database in the benchmark's folder."""
        return f"sqlite:///{self.folder / name}.db"

    def judge(self, title: str, value: float, bound: float, *, at_least: bool = False, detail: str = "") -> None:
        """Note a result and print it."""
        row = Row(title=title, value=value, bound=bound, at_least=at_least, detail=detail)
        self.rows.append(row)
        print(row, flush=True)


@contextlib.contextmanager
def served(tracker: str, size: int, folder: Path) -> Iterator[Bench]:
    """Start the server for `size` issues and wait until everything is rendered."""
    command = [sys.executable, "-m", "bench.server", "--tracker", tracker, "--size", str(size)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            folder.mkdir()
            (folder / "keyrail.yaml").write_text(workspace_text(url, tracker))
            yield Bench(tracker=tracker, size=size, url=url, folder=folder)
        finally:
            process.terminate()
