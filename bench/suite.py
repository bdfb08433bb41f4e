"""Runs Keyrail as people run it against answers that cost nothing, beside a plain script, and judges the ratios.

`make bench`, or `python -m bench.suite [--tracker T] [--size N]`. Ends with 1 where a bound is missed, or where the
server took so much CPU that the run says nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench import github_issues, linear_issues, payloads
from bench.budgets import Pull, lines
from bench.github import ASKED
from bench.runs import Bench, Run, served
from bench.workspace import connection_name
from connectors.github.selection import points_of
from domain.workspace import Connection

SMALL, MIDDLE, LARGE = 10_000, 50_000, 100_000
MAX_SERVER_SHARE = 0.30
USUAL_BUDGET = Connection(name="bench", type="jira", url="").budget
"""share of a vendor's budget that a connection uses where its file does not say"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is asked of one tracker.

    `size` issues are pulled for speed and `memory` for memory. `speed` are (latency in ms, times as fast as the plain
    script), of `repeats` pairs of runs the better one; `requests` are a factor on the least possible, and what comes on
    top.
    """

    size: int
    memory: int
    page: int
    speed: tuple[tuple[int, float], ...]
    repeats: int
    requests: tuple[float, int]
    place: Callable[[int], object]
    history: int
    """issues whose past one request reads"""

    def pages(self, size: int) -> int:
        """Return the least possible pages: of each list that the issues are in."""
        return sum(math.ceil(count / self.page) for count in Counter(map(self.place, range(size))).values())


RULES: Mapping[str, Rules] = {
    "jira": Rules(
        size=LARGE, memory=LARGE, page=100, speed=((150, 5.0), (50, 2.5)), repeats=1, requests=(1.1, 30),
        place=lambda at: None, history=1000,
    ),
    "github": Rules(
        size=MIDDLE, memory=LARGE, page=100, speed=((150, 4.0),), repeats=2, requests=(1.15, 40),
        place=github_issues.repository_of, history=50,
    ),
    "linear": Rules(
        size=MIDDLE, memory=LARGE, page=250, speed=((150, 3.0),), repeats=2, requests=(1.15, 40),
        place=linear_issues.team_of, history=50,
    ),
}  # fmt: skip
POINTS = (1.15, 60)
"""on GitHub: a factor on the points of the least possible pages, and what comes on top"""


def backfills(bench: Bench, rules: Rules) -> Run:
    """Judge speed, CPU and requests of a backfill against the plain script; return the last one."""
    least, size = rules.pages(bench.size), bench.size
    ours: Run | None = None
    for latency, bound in rules.speed:
        bench.control(f"latency?ms={latency}")
        pairs = []
        for number in range(rules.repeats):
            plain = bench.plain(f"plain{latency}-{number}")
            ours = bench.keyrail(f"keyrail{latency}-{number}", "backfill", "--no-history")
            bench.shares += [plain.server_share, ours.server_share]
            pairs.append((plain, ours))
        pairs.sort(key=lambda pair: pair[0].wall / pair[1].wall)
        plain, ours = pairs[len(pairs) // 2]
        every = " ".join(f"{one.wall / other.wall:.2f}" for one, other in pairs) if len(pairs) > 1 else ""
        detail = f"{plain.wall:.1f} s : {ours.wall:.1f} s, server {ours.server_share:.0%} of a core {every}".rstrip()
        title = f"backfill of {size}, {latency} ms a request: times as fast"
        bench.judge(title, plain.wall / ours.wall, bound, at_least=True, detail=detail)
        factor, more = rules.requests
        asked = sorted(ours.by_name.items(), key=lambda entry: -entry[1])[:4]
        detail = f"least possible {least}; {', '.join(f'{count} {name}' for name, count in asked)}"
        bench.judge(f"  requests at {latency} ms", ours.requests, factor * least + more, detail=detail)
        plain_cpu, our_cpu = (statistics.median(pair[side].cpu for pair in pairs) for side in (0, 1))
        detail = f"{our_cpu:.1f} s : {plain_cpu:.1f} s, {our_cpu / size * 1e6:.0f} µs an issue"
        bench.judge(f"  CPU at {latency} ms, times the plain script's", our_cpu / plain_cpu, 4.0, detail=detail)
    assert ours is not None
    return ours


def charges(bench: Bench, rules: Rules, run: Run) -> None:
    """Judge the points that GitHub charges for a backfill; print how far the vendor's budgets reach."""
    if bench.tracker == "github":
        least = rules.pages(bench.size) * points_of(ASKED)
        factor, more = POINTS
        bench.judge("  points of the backfill", run.cost, factor * least + more, detail=f"least possible {least}")
    for line in lines(bench.tracker, Pull(items=bench.size, requests=run.requests, cost=run.cost), USUAL_BUDGET):
        print(f"      {line}", flush=True)


def memory(bench: Bench, large: Bench, small: Bench) -> None:
    """Judge the peak memory of a backfill: flat in the number of issues, and small."""
    peaks = []
    for one in (large, small):
        one.control("latency?ms=5")
        run = one.keyrail("memory", "backfill", "--no-history")
        bench.shares.append(run.server_share)
        peaks.append(run.memory)
    many, few = peaks
    detail = f"{many:.0f} MB : {few:.0f} MB"
    bench.judge(f"peak memory, {large.size} issues to {small.size}", many / few, 1.2, detail=detail)
    bench.judge(f"peak memory of {large.size} issues, MB", many, 200)


def idle_bound(bench: Bench) -> int:
    """Return how many requests a sync may take where nothing changed."""
    if bench.tracker == "github":
        return 2 + math.ceil(len(github_issues.REPOSITORIES) / 20)
    if bench.tracker == "linear":
        projects = linear_issues.projects_among(bench.size)
        return 4 + math.ceil(projects / 50) + math.ceil(payloads.INITIATIVES / 50)
    return 4


def changed_bound(bench: Bench, rules: Rules, count: int) -> tuple[int, str]:
    """Return how many requests a sync may take where `count` issues changed, and what those are for."""
    pages, past = math.ceil(count / rules.page), math.ceil(count / rules.history)
    if bench.tracker == "github":
        places = len(github_issues.REPOSITORIES)
        parents = math.ceil(count / rules.page)
        items = math.ceil(sum(map(github_issues.in_project, range(bench.size))) / 100)
        told = f"{places} lists, {pages} pages, {parents} of parents, {items} of a project, {past} of history"
        return idle_bound(bench) + places + pages + parents + items + past + 3, told
    if bench.tracker == "linear":
        return idle_bound(bench) + pages + past + 3, f"{pages} pages of changes, {past} of history"
    return pages + 6, f"{pages} pages of changes"


def increments(bench: Bench, rules: Rules, database: str) -> None:
    """Judge how many requests an incremental pull takes, with nothing and with 1 % changed."""
    bench.control("latency?ms=5")
    # The first sync may still bring the history that the backfill left out; the second has nothing to do.
    first, idle = (bench.keyrail(database, "sync").requests for _ in range(2))
    bench.judge("idle sync, requests", idle, idle_bound(bench), detail=f"the sync before it: {first}")
    count = bench.size // 100
    bench.control(f"touch?count={count}")
    run = bench.keyrail(database, "sync")
    bound, detail = changed_bound(bench, rules, count)
    bench.judge("sync after 1 % changed, requests", run.requests, bound, detail=detail)


def answers(bench: Bench, database: str) -> None:
    """Judge how fast the numbers are read and brought up to date, over all issues."""
    shown = statistics.median(bench.keyrail(database, "show").wall for _ in range(6))
    version = statistics.median(bench.keyrail(database, "version").wall for _ in range(6))
    detail = f"{shown * 1000:.0f} ms : {version * 1000:.0f} ms"
    bench.judge(f"warm show over {bench.size} issues, times `keyrail version`", shown / version, 3.0, detail=detail)
    command = [
        sys.executable, "-m", "bench.reroll",
        "--workspace", bench.folder / "keyrail.yaml", "--database", bench.database(database),
    ]  # fmt: skip
    found = json.loads(bench.run(command, database).output)
    detail = f"{found['one'] * 1000:.1f} ms : {found['rebuild'] * 1000:.0f} ms"
    bench.judge(
        "re-rolling one changed issue, share of a rebuild", found["one"] / found["rebuild"], 0.01, detail=detail
    )
    whole = bench.keyrail(database, "rebuild")
    name = connection_name(bench.tracker)
    print(f"      keyrail rebuild of {name}: {whole.wall:.1f} s, {whole.memory:.0f} MB", flush=True)


def judged(tracker: str, size: int | None, folder: Path) -> Bench:
    """Run everything about one tracker."""
    rules = RULES[tracker]
    size = size or rules.size
    print(f"\n{tracker}", flush=True)
    with served(tracker, size, folder / f"{tracker}-{size}") as bench:
        charges(bench, rules, backfills(bench, rules))
        with contextlib.ExitStack() as stack:
            large, small = (
                bench if count == size else stack.enter_context(served(tracker, count, folder / f"{tracker}-{count}"))
                for count in (max(size, rules.memory), SMALL)
            )
            memory(bench, large, small)
        last = f"keyrail{rules.speed[-1][0]}-{rules.repeats - 1}"
        increments(bench, rules, last)
        if tracker == "jira":
            answers(bench, last)
    return bench


def main() -> int:
    """Run everything and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracker", choices=list(RULES), help="one tracker instead of all")
    sizes = ", ".join(f"{rules.size} of {tracker}" for tracker, rules in RULES.items())
    parser.add_argument("--size", type=int, help=f"issues that are pulled for speed (default: {sizes})")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keyrail-bench-") as name:
        trackers = [chosen.tracker] if chosen.tracker else list(RULES)
        benches = [judged(tracker, chosen.size, Path(name)) for tracker in trackers]
    rows = [row for bench in benches for row in bench.rows]
    worst = max(share for bench in benches for share in bench.shares)
    void = worst >= MAX_SERVER_SHARE
    missed = [f"{bench.tracker}: {row.title.strip()}" for bench in benches for row in bench.rows if not row.passed]
    print(
        f"\nserver's CPU at worst {worst:.0%} of one core" + (": VOID, the server was the bottleneck" if void else "")
    )
    print(f"{len(rows) - len(missed)} of {len(rows)} bounds hold" + (f"; missed: {missed}" if missed else ""))
    return 1 if missed or void else 0


if __name__ == "__main__":
    sys.exit(main())
