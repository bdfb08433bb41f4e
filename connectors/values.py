"""One value about a subject, for a field of an item: a number, the name of an option, or a line of text.

Pure. What the field is called and what it takes is known to each vendor's own folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from connectors.base import Json
from connectors.words import progress_words
from domain.facts import StatusUpdate
from domain.okr import HEALTH_WORDS, Health
from domain.workspace import PublishRow

NONE = "none"
"""what a row says for a health that leaves the field empty"""


def of_row(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a field shall say, under `value`: percent, an option, a text; None for an empty field.

    A text says progress and health alone, which do not move with the calendar; a template may say more.
    """
    match row.to.get("value"):
        case "health":
            return {"value": option_of(update.health, row)}
        case "text" if update.text is not None:
            return {"value": update.text.strip() or None}
        case "text":
            return {"value": f"{progress_words(update)} · {HEALTH_WORDS[update.health]}"}
        case _:
            return {"value": percentage(update.progress) if update.progress is not None else None}


def percentage(ratio: float) -> float:
    """Return percent with one decimal; what is not complete is never 100, what is begun never 0."""
    if ratio >= 1:
        return 100.0
    if ratio <= 0:
        return 0.0
    return min(max(round(float(Fraction(str(ratio)) * 100), 1), 0.1), 99.9)


def option_of(health: Health, row: PublishRow) -> str | None:
    """Return the option that stands for a health: as the row says, else its own words; unknown empties the field."""
    told = row.to.get("options")
    stated = told.get(health.value) if isinstance(told, Mapping) else None
    if stated is not None:
        return str(stated) if stated != NONE else None
    return None if health == Health.UNKNOWN else HEALTH_WORDS[health]


def as_wanted(told: Json, row: PublishRow) -> Json:
    """Return what a field holds, an option spelled as `of_row` spells it; empty text is None."""
    if not isinstance(told, str):
        return told
    text = told.strip()
    if row.to.get("value") == "health":
        for health in Health:
            wanted = option_of(health, row)
            if wanted is not None and wanted.casefold() == text.casefold():
                return wanted
    return text or None
