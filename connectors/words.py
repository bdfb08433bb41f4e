"""A status update in words, as every place that shows one line of it says them.

Pure, plain text: what a vendor needs escaped is escaped by its own `publish`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from fractions import Fraction
from urllib.parse import quote

from domain.facts import StatusUpdate
from domain.okr import Health

STATE_WORDS: Mapping[str, str] = {
    "no_scope": "Nothing in scope",
    "no_baseline": "No baseline yet",
    "no_dates": "No dates",
    "insufficient_history": "Not enough history yet",
    "no_finish_date": "No finish date",
    "invalid": "Not computable",
}

SHAPES: Mapping[Health, str] = {
    Health.ON_TRACK: "●",
    Health.AT_RISK: "▲",
    Health.OFF_TRACK: "■",
    Health.ACHIEVED: "✓",
    Health.MISSED: "✕",
    Health.NOT_STARTED: "○",
    Health.PAUSED: "❙❙",
    Health.CANCELED: "⊘",
    Health.UNKNOWN: "?",
}
"""The shape beside each word of health, so that colour and word are not alone."""

OVER = frozenset({Health.ACHIEVED, Health.MISSED, Health.CANCELED})
"""Healths after which nothing more is expected."""


def nowhere(update: StatusUpdate) -> str:
    """Return a URL that leads nowhere, ever (RFC 2606), since a link needs one and none is configured."""
    return "https://keyrail.invalid/" + "/".join(
        quote(part, safe="") for part in (update.workspace, update.kind, update.id)
    )


def progress_words(update: StatusUpdate) -> str:
    """Return the progress in whole percent, or why there is none."""
    if update.progress is None:
        return STATE_WORDS.get(update.state, "No data yet")
    return f"{percent(update.progress)} %"


def percent(ratio: float) -> int:
    """Round half to even on the decimal text; what is not complete is never 100, what is begun never 0."""
    if ratio >= 1:
        return 100
    if ratio <= 0:
        return 0
    return min(max(round(Fraction(str(ratio)) * 100), 1), 99)


def complete_words(moment: datetime | None) -> str:
    """Return up to when the sources are complete, empty where that is not known."""
    return f"complete to {moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if moment is not None else ""


def one_line(text: str) -> str:
    """Return `text` as one line: runs of white space and control characters become one space."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def shorten(text: str, longest: int) -> str:
    """Return at most `longest` characters of a text; a cut is marked."""
    return text if len(text) <= longest else text[: max(longest - 1, 0)].rstrip() + "…"
