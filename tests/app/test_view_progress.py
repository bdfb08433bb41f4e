"""What is told while a pull runs: in bars, in lines, or not at all."""

import inspect
import sys
from datetime import UTC, datetime
from io import StringIO

import pytest
from rich.cells import cell_len
from rich.console import Console

from app.cli.view.progress import LineProgress, LiveProgress, Meter, SilentProgress, open_progress, told

UNTIL = datetime(2026, 11, 22, 9, 42, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("meter", "now", "text"),
    [
        (Meter("issues", 100000, 0.0), 0.0, "0 of 100,000 items"),
        (Meter("issues", 100000, 0.0, items=12340), 6.0, "12,340 of 100,000 items, 2,057/s, 43 s left"),
        (Meter("issues", None, 0.0, items=12), 6.0, "12 items, 2/s"),
        (Meter("issues", 10, 0.0, items=12), 6.0, "12 of 12 items, 2/s"),
        (Meter("issues", 10, 0.0, items=5, waiting="Jira asked us to pause until 10:42"), 6.0,
         "5 of 10 items, Jira asked us to pause until 10:42"),
    ],
)  # fmt: skip
def test_a_stage_says_items_rate_time_left_and_what_it_waits_for(meter: Meter, now: float, text: str) -> None:
    assert told(meter, now) == text


def test_without_a_terminal_a_line_comes_every_five_seconds_and_a_wait_is_told_once() -> None:
    out, clock = StringIO(), Clock()
    with LineProgress(out, zone="Europe/Berlin", clock=clock) as progress:
        progress.stage("jira-main", "issues", 100000)
        for _ in range(12):
            clock.now += 1
            progress.advance("jira-main", 1000)
        progress.wait("jira-main", "Jira asked us to pause", UNTIL)
        progress.wait("jira-main", "Jira asked us to pause", UNTIL)
        clock.now += 48
        progress.advance("jira-main", 88000)
        progress.done("jira-main")
    assert out.getvalue().splitlines() == [
        "jira-main  issues: begins, 100,000 items expected",
        "jira-main  issues: 5,000 of 100,000 items, 1,000/s, 1 min 35 s left",
        "jira-main  issues: 10,000 of 100,000 items, 1,000/s, 1 min 30 s left",
        "jira-main  issues: 12,000 of 100,000 items, Jira asked us to pause until 10:42",
        "jira-main  issues: 100,000 of 100,000 items, 1,667/s",
        "jira-main  issues: 100,000 items in 1 min",
    ]


def test_connections_are_told_apart() -> None:
    out, clock = StringIO(), Clock()
    progress = LineProgress(out, clock=clock)
    progress.stage("a", "issues", None)
    clock.now += 4
    progress.stage("b", "issues", None)
    clock.now += 2
    progress.advance("a", 1)
    progress.advance("b", 1)
    assert out.getvalue().splitlines() == ["a  issues: begins", "b  issues: begins", "a  issues: 1 item, 0.2/s"]


@pytest.mark.parametrize("width", [60, 80, 120])
def test_bars_fit_the_terminal_and_a_finished_stage_leaves_a_line(width: int) -> None:
    out, clock = StringIO(), Clock()
    console = Console(file=out, width=width, height=20, force_terminal=True, color_system=None)
    progress = LiveProgress(console, zone="Europe/Berlin", clock=clock, auto_refresh=False)
    progress.stage("jira-main", "issues", 100000)
    clock.now += 6
    progress.advance("jira-main", 12340)
    progress.stage("jira-eu", "history", None)
    progress.wait("jira-eu", "Jira asked us to pause", UNTIL)
    shown = StringIO()
    Console(file=shown, width=width).print(progress._bars.get_renderable())
    lines = shown.getvalue().splitlines()
    assert [line for line in lines if cell_len(line) > width] == []
    assert "2,057/s, 43 s left" in lines[0]
    assert "pause until 10:42" in lines[1]
    progress.done("jira-main")
    assert out.getvalue() == "jira-main  issues: 12,340 items in 6 s\n"
    assert len(progress._bars.tasks) == 1


def test_bars_are_drawn_and_taken_away() -> None:
    out, clock = StringIO(), Clock()
    console = Console(file=out, width=80, height=20, force_terminal=True, color_system=None)
    with LiveProgress(console, clock=clock, auto_refresh=False) as progress:
        progress.stage("jira-main", "issues", 10)
        progress.advance("jira-main", 4)
        progress._bars.refresh()
        assert "4/10" in out.getvalue()
        progress.done("jira-main")
    assert "jira-main  issues: 4 items in 0 s" in out.getvalue()


def test_silence_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with SilentProgress() as progress:
        progress.stage("a", "issues", 1)
        progress.advance("a", 1)
        progress.wait("a", "Jira asked us to pause", UNTIL)
        progress.done("a")
    assert capsys.readouterr() == ("", "")


def test_the_watcher_fits_where_stderr_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", StringIO())
    assert [type(each) for each in (open_progress(), open_progress(silent=True))] == [LineProgress, SilentProgress]


@pytest.mark.parametrize("kind", [LiveProgress, LineProgress, SilentProgress])
def test_each_is_a_watcher_as_the_sync_expects_one(kind: type) -> None:
    from sync.context import Watcher

    for name in ("stage", "advance", "wait", "done"):
        assert inspect.signature(getattr(kind, name)) == inspect.signature(getattr(Watcher, name))
