"""How a long pull is told while it runs, on stderr: bars in a terminal, a line now and then elsewhere, or nothing.

Each class is a watcher as `sync` expects one (`sync.context.Watcher`). Rich is imported only where bars are drawn.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TextIO
from zoneinfo import ZoneInfo

from app.cli.view import words

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

EVERY = 5.0
"""seconds between two lines about one connection where there is no terminal"""

SHORT_BELOW = 100
"""cells below which a bar is told in few words"""


@dataclass(slots=True)
class Meter:
    """How far one stage of one connection is; times are seconds of a monotonic clock."""

    stage: str
    total: int | None
    began: float
    items: int = 0
    waiting: str = ""

    def rate(self, now: float) -> float | None:
        """Return items per second since the stage began, None while nothing can be said."""
        passed = now - self.began
        return self.items / passed if self.items and passed >= 0.5 else None

    def left(self, now: float) -> float | None:
        """Return the seconds that the rest will take at the rate so far, None where that is unknown."""
        rate = self.rate(now)
        if rate is None or self.total is None or self.items >= self.total:
            return None
        return (self.total - self.items) / rate


def told(meter: Meter, now: float, *, short: bool = False) -> str:
    """Return where a stage stands: items, rate, time left, or what it waits for."""
    done = words.exact(meter.items)
    if meter.total is not None:
        total = words.exact(max(meter.total, meter.items))
        parts = [f"{done}/{total}" if short else f"{done} of {total} items"]
    else:
        parts = [done if short else words.plural(meter.items, "item")]
    if meter.waiting:
        return ", ".join([*parts, meter.waiting])
    rate, left = meter.rate(now), meter.left(now)
    if rate is not None:
        parts.append(f"{words.exact(round(rate) if rate >= 10 else round(rate, 1))}/s")
    if left is not None:
        parts.append(f"{words.duration(round(left))} left")
    return ", ".join(parts)


def ended(connection: str, meter: Meter, now: float) -> str:
    """Return the line that stays when a stage is over."""
    passed = words.duration(max(now - meter.began, 0.0))
    return f"{words.clean(connection)}  {words.clean(meter.stage)}: {words.plural(meter.items, 'item')} in {passed}"


class SilentProgress:
    """Tells nothing."""

    def __enter__(self) -> SilentProgress:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave nothing behind."""

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """Tell nothing."""

    def advance(self, connection: str, items: int) -> None:
        """Tell nothing."""

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """Tell nothing."""

    def answered(self, connection: str, status: int | None, seconds: float, signal: object) -> None:
        """Tell nothing: a call is no news to who waits for items."""

    def done(self, connection: str) -> None:
        """Tell nothing."""


class LineProgress:
    """Writes a line when a stage begins and ends, when a wait begins, and else every five seconds."""

    def __init__(
        self, stream: TextIO | None = None, *, zone: str = "UTC", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._zone = ZoneInfo(zone)
        self._clock = clock
        self._meters: dict[str, Meter] = {}
        self._written: dict[str, float] = {}

    def __enter__(self) -> LineProgress:
        return self

    def __exit__(self, *raised: object) -> None:
        """Leave the lines as they are."""

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """Begin a stage; `total` is how many items are expected, None if nobody knows."""
        now = self._clock()
        self._meters[connection] = Meter(name, total, now)
        expected = f", {words.plural(total, 'item')} expected" if total is not None else ""
        self._write(connection, f"{words.clean(connection)}  {words.clean(name)}: begins{expected}", now)

    def advance(self, connection: str, items: int) -> None:
        """Count items that are done."""
        meter, now = _meter(self._meters, connection, self._clock), self._clock()
        meter.items += items
        meter.waiting = ""
        if now - self._written.get(connection, meter.began) >= EVERY:
            self._tell(connection, meter, now)

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """Say what a pause waits for; the same pause is told once."""
        meter, now = _meter(self._meters, connection, self._clock), self._clock()
        waiting = _waiting(reason, until, self._zone)
        if waiting != meter.waiting:
            meter.waiting = waiting
            self._tell(connection, meter, now)

    def answered(self, connection: str, status: int | None, seconds: float, signal: object) -> None:
        """Tell nothing: a call is no news to who waits for items."""

    def done(self, connection: str) -> None:
        """End the stage."""
        meter = self._meters.pop(connection, None)
        if meter is not None:
            now = self._clock()
            self._write(connection, ended(connection, meter, now), now)

    def _tell(self, connection: str, meter: Meter, now: float) -> None:
        said = f"{words.clean(connection)}  {words.clean(meter.stage)}: {told(meter, now)}"
        self._write(connection, said, now)

    def _write(self, connection: str, said: str, now: float) -> None:
        self._written[connection] = now
        print(said, file=self._stream, flush=True)


class LiveProgress:
    """Draws one bar a connection in a terminal; a stage that is over leaves one line above the bars."""

    def __init__(
        self,
        console: Console | None = None,
        *,
        zone: str = "UTC",
        clock: Callable[[], float] = time.monotonic,
        auto_refresh: bool = True,
    ) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._console = console or Console(stderr=True)
        self._zone = ZoneInfo(zone)
        self._clock = clock
        self._meters: dict[str, Meter] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=12, style="dim", complete_style="default", finished_style="default"),
            TextColumn("{task.fields[said]}", markup=False, table_column=Column(no_wrap=True, overflow="ellipsis")),
            console=self._console,
            auto_refresh=auto_refresh,
            get_time=clock,
            transient=True,
        )

    def __enter__(self) -> LiveProgress:
        self._bars.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """Take the bars away; what was finished stays as lines."""
        self._bars.stop()

    def stage(self, connection: str, name: str, total: int | None) -> None:
        """Begin a stage; `total` is how many items are expected, None if nobody knows."""
        if connection in self._tasks:
            self._bars.remove_task(self._tasks.pop(connection))
        self._meters[connection] = meter = Meter(name, total, self._clock())
        described = f"{words.clean(connection)}  {words.clean(name)}"
        self._tasks[connection] = self._bars.add_task(described, total=total, said=self._said(meter))

    def advance(self, connection: str, items: int) -> None:
        """Count items that are done."""
        meter = _meter(self._meters, connection, self._clock)
        meter.items += items
        meter.waiting = ""
        self._show(connection, meter)

    def wait(self, connection: str, reason: str, until: datetime) -> None:
        """Say what a pause waits for, until items come again."""
        meter = _meter(self._meters, connection, self._clock)
        meter.waiting = _waiting(reason, until, self._zone)
        self._show(connection, meter)

    def answered(self, connection: str, status: int | None, seconds: float, signal: object) -> None:
        """Tell nothing: a call is no news to who waits for items."""

    def done(self, connection: str) -> None:
        """End the stage: its bar goes, its line stays."""
        meter = self._meters.pop(connection, None)
        if connection in self._tasks:
            self._bars.remove_task(self._tasks.pop(connection))
        if meter is not None:
            self._console.print(ended(connection, meter, self._clock()), markup=False, highlight=False)

    def _show(self, connection: str, meter: Meter) -> None:
        if connection not in self._tasks:
            self._tasks[connection] = self._bars.add_task(words.clean(connection), total=None, said="")
        total = max(meter.total, meter.items) if meter.total is not None else None
        self._bars.update(self._tasks[connection], completed=meter.items, total=total, said=self._said(meter))

    def _said(self, meter: Meter) -> str:
        return told(meter, self._clock(), short=self._console.width < SHORT_BELOW)


def open_progress(*, silent: bool = False, zone: str = "UTC") -> SilentProgress | LineProgress | LiveProgress:
    """Return the watcher that fits stderr: bars in a terminal, lines elsewhere, nothing where `silent`."""
    if silent:
        return SilentProgress()
    if sys.stderr.isatty():
        return LiveProgress(zone=zone)
    return LineProgress(zone=zone)


def _meter(meters: dict[str, Meter], connection: str, clock: Callable[[], float]) -> Meter:
    """Return the meter of a connection; one that began no stage gets an unnamed one."""
    if connection not in meters:
        meters[connection] = Meter("items", None, clock())
    return meters[connection]


def _waiting(reason: str, until: datetime, zone: ZoneInfo) -> str:
    """Return why nothing moves: ``Jira asked us to pause until 10:42``."""
    said = words.clean(reason).rstrip(".")
    if "until" in said.split():
        return said
    return f"{said} until {until.astimezone(zone):%H:%M}"
