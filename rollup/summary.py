"""A rollup in words: numbers as people read them and the sentences of a status update.

Nothing is computed here that a number depends on.
"""

from __future__ import annotations

from datetime import date
from decimal import ROUND_HALF_EVEN, Decimal

from domain.okr import HEALTH_WORDS, Health
from rollup.days import said

STATE_WORDS = {
    "no_data": "No data yet",
    "no_scope": "Nothing in scope",
    "no_baseline": "No value to start from",
    "no_dates": "No dates to measure against",
    "insufficient_history": "Not enough history yet",
    "no_finish_date": "No finish date in sight",
    "invalid": "The target contradicts its direction",
}


def percent(value: float, digits: int = 0) -> str:
    """Write a ratio 0…1 as the number of a percentage, half to even on the decimal string.

    What is not complete never reads 100, what has begun never reads 0; outside 0…1 is clamped
    (semantics, section 1, Display).
    """
    step = Decimal(1).scaleb(-digits)
    exact = Decimal(repr(round(min(max(value, 0.0), 1.0), 9))) * 100
    shown = exact.quantize(step, rounding=ROUND_HALF_EVEN)
    if exact < 100 and shown >= 100:
        shown = 100 - step
    if value > 0 and shown <= 0:
        shown = step
    return str(shown)


def points(difference: float) -> str:
    """Write the size of a difference of two ratios in percentage points: ``12 points``, ``1 point``."""
    exact = Decimal(repr(round(abs(difference), 9))) * 100
    shown = exact.quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    if not shown and exact:
        return "less than 1 point"
    return f"{shown} point{'' if shown == 1 else 's'}"


def amount(value: float) -> str:
    """Write a plain number with at most three digits after the point and none that say nothing."""
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def sentence(
    *,
    health: Health,
    progress: float | None,
    state: str = "ok",
    basis: str = "delivery",
    expected: float | None = None,
    p85: date | None = None,
    due: date | None = None,
) -> str:
    """Say where a subject stands: ``On track. 62 % delivered, 58 % expected by today.``

    `basis` is ``delivery``, ``outcome`` or ``objective``; `p85` the day by which it is 85 % likely done.
    """
    word = HEALTH_WORDS[health]
    if progress is None:
        return f"{word}. {STATE_WORDS.get(state, STATE_WORDS['no_data'])}."
    verb = {"delivery": "delivered", "outcome": "of the way to the target"}.get(basis, "reached")
    text = f"{word}. {percent(progress)} % {verb}"
    if health in (Health.ON_TRACK, Health.AT_RISK, Health.OFF_TRACK):
        if expected is not None:
            text += f", {percent(expected)} % expected by today"
        if p85 is not None:
            text += f"; 85 % likely done by {said(p85)}{_against(p85, due)}"
    return text + "."


def certainty(*, coverage: float | None, probability: float | None) -> str:
    """Say how much of it was read in time, where that is not all, and how likely the date is; empty for neither."""
    said_so = []
    if coverage is not None and coverage < 1:
        said_so.append(f"Only {percent(coverage)} % of it is up to date.")
    if probability is not None:
        said_so.append(f"{percent(probability)} % likely to be done by its date.")
    return " ".join(said_so)


def _against(day: date, due: date | None) -> str:
    if due is None:
        return ""
    days = (due - day).days
    if days == 0:
        return ", on its day"
    plural = "" if abs(days) == 1 else "s"
    return f", {abs(days)} day{plural} {'early' if days > 0 else 'late'}"
