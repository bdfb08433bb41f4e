"""The shape of `policies`: names and values of the semantics, read into the final values of `Policies`.

An objective or initiative may state some of them; what is stated there is laid over the workspace's own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from config.nodes import Node
from config.notes import BAD, Notes, at
from config.scalars import Choice, Day, Flag, Number, Span, Text
from config.shapes import ByKind, Here, Key, ListOf, MapOf, Record, Then
from domain.rules import CREDITS, Credit

RATIO_BANDS = {"on_track": 0.90, "at_risk": 0.75}
GAP_BANDS = {"on_track": 0.165, "at_risk": 0.33}
"""Thresholds of the two kinds of bands where none are stated; semantics section 5."""

SHARE = Number(least=0, most=1)
MONTHS = Number(least=1, most=12, whole=True)


def _credit(values: dict[str, Any], here: Here) -> Credit:
    if "started" in values:
        values.setdefault("review", values["started"])
    return Credit(**values)


CREDIT = ByKind(
    word=Then(Choice(tuple(CREDITS)), lambda word, *_: CREDITS[word]),
    mapping=Record(
        "credit",
        {
            "todo": Key(SHARE, "Credit of an item that is not started, 0 to 1."),
            "started": Key(SHARE, "Credit of an item in progress, 0 to 1."),
            "review": Key(SHARE, "Credit of an item in progress with stage review, 0 to 1."),
            "done": Key(SHARE, "Credit of a finished item, 0 to 1."),
        },
        _credit,
    ),
)

SIZE = ByKind(
    word=Choice(("count", "points", "time", "equal_per_child")),
    mapping=Record("size", {"field": Key(Text("the name of a field"), "The item's field to sum.", required=True)}),
)


def _calendar(values: dict[str, Any], here: Here) -> dict[str, Any]:
    if "holidays" in values:
        values["holidays"] = tuple(sorted(values["holidays"]))
    return values


KIND = Choice(("calendar_days", "working_days"))
CALENDAR = ByKind(
    word=Then(KIND, lambda word, *_: {"kind": word}),
    mapping=Record(
        "calendar",
        {
            "kind": Key(KIND, "Which days count as elapsed."),
            "holidays": Key(ListOf(Day()), "Days that working_days leaves out."),
        },
        _calendar,
    ),
)


def _health(values: dict[str, Any], here: Here) -> dict[str, Any]:
    """Complete the thresholds where `bands` is stated: those of the other kind would make no sense."""
    if "bands" in values:
        values = (RATIO_BANDS if values["bands"] == "ratio" else GAP_BANDS) | values
    return values


HEALTH = Record(
    "health",
    {
        "bands": Key(Choice(("gap", "ratio")), "Judge by the gap to the expected progress, or by the ratio to it."),
        "on_track": Key(SHARE, "Threshold between on_track and at_risk."),
        "at_risk": Key(SHARE, "Threshold between at_risk and off_track."),
        "curve": Key(Choice(("linear", "s_curve", "targets")), "How progress is expected to grow over the period."),
        "freeze_after_end": Key(Flag(), "Keep a key result as it stood at its end."),
    },
    _health,
)


def _range(values: list[float], node: Node, path: str, notes: Notes) -> Any:
    if len(values) not in (2, 3) or sorted(values) != values:
        notes.error(at(node, path), "Expected [low, high] or [low, likely, high], ascending.")
        return BAD
    return tuple(values)


FORECAST = Record(
    "forecast",
    {
        "window": Key(Span(timedelta(days=1), days=True), "How much history is used, like 90d."),
        "growth": Key(Choice(("none", "uniform")), "Whether the remaining work grows in the simulation."),
        "runs": Key(Number(least=1, most=10_000, whole=True), "Simulated futures."),
        "max_days": Key(Number(least=1, most=10_000, whole=True), "A future that is not done by then counts as never."),
        "bulk_days": Key(Choice(("flag", "exclude")), "What to do with days that look like an import."),
        "calendar_factor": Key(MapOf(Number(least=0, most=10), key=MONTHS), "Throughput factor by month (12: 0.5)."),
        "range": Key(Then(ListOf(Number(least=0), single=False), _range), "Remaining items: [low, high] or [L, M, H]."),
        "features": Key(Choice(("cut_line", "parallel")), "How several initiatives share one throughput."),
    },
)


def _policies(values: dict[str, Any], here: Here) -> dict[str, Any]:
    """Make the final values; `size` always sets `size_field` too, so that a nearer word undoes a farther field."""
    if "size" in values:
        size = values["size"]
        values["size"], values["size_field"] = ("field", size["field"]) if isinstance(size, dict) else (size, None)
    return values


KEYS = {
    "credit": Key(CREDIT, "How much of an item counts by where it stands: binary, linear, half, staged or a map."),
    "size": Key(SIZE, "What an item weighs: count, points, time, equal_per_child or {field: NAME}."),
    "unestimated": Key(Choice(("impute_median", "one", "exclude")), "Size of an item without an estimate."),
    "leaf_level": Key(Choice(("standard", "lowest", "epic_children")), "Which items are counted."),
    "canceled": Key(Choice(("exclude", "as_done", "as_open")), "What canceled items count as."),
    "before_start": Key(Choice(("exclude", "include")), "Work done before a key result started."),
    "parent_done_wins": Key(Flag(), "A finished epic counts as 1 whatever its children say."),
    "top_down": Key(Flag(), "The estimate of an epic is a floor for the sum of its children."),
    "scope_basis": Key(Choice(("current", "baseline")), "Which scope the progress shown is measured against."),
    "inaccessible_grace": Key(Span(days=True), "How long the last value of an item that we can no longer see is used."),
    "decrease": Key(Choice(("warn_and_explain", "hold", "silent")), "What to do before a lower value is published."),
    "divergence": Key(SHARE, "Distance between outcome and delivery from which it is flagged."),
    "calendar": Key(CALENDAR, "Calendar or working days, and holidays."),
    "health": Key(HEALTH, "Bands and curve of the health."),
    "forecast": Key(FORECAST, "Inputs of the forecast."),
}

POLICIES = Record("policies", KEYS, _policies)
