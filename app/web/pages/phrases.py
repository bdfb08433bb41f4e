"""The words and charts that templates use, as filters and functions: the terminal's own words wherever it has them.

Nothing is computed and nothing is read here.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from app.cli.view import words
from app.cli.view.show import words_of_forecast
from app.web.charts import bars, series
from storage.views import Present
from sync import present as presents
from sync.context import Context

Doc = dict[str, Any]  # Any: a JSON document

GLYPHS = {"jira": "J", "github": "G", "linear": "L"}


def day(value: date | str | None, today: date) -> str:
    """Return a date as words."""
    return words.day(_date(value), today) if value else "no date"


def relative(value: date | str | None, today: date) -> str:
    """Return a date with its distance in front."""
    return words.relative_day(_date(value), today) if value else "no date"


def moment(value: datetime | str | None, zone: str, now: datetime) -> str:
    """Return an instant as a person would say it."""
    if not value:
        return "never"
    return words.moment(words.instant(value) if isinstance(value, str) else value, zone, now)


def percent(value: float | None) -> str:
    """Return a ratio as percent, a dash where there is none: the words for that stand beside it."""
    return words.percent(value) if value is not None else "–"


def forecast(row: Doc, today: date) -> str:
    """Return the forecast of a row of `show` as a sentence's part, empty where there is none to tell."""
    due = row.get("due") or row.get("end")
    return words_of_forecast(row.get("forecast") or {}, str(due) if due else None, row.get("progress"), today)


def gauge(row: Doc) -> str:
    """Return the bar of a row of `show`: twin where an outcome stands beside delivery."""
    health = row.get("health") or "unknown"
    if row.get("score_basis") == "outcome":
        return bars.twin(row.get("outcome_progress"), row.get("delivery_progress"), row.get("expected"), health)
    return bars.progress(row.get("progress"), row.get("expected"), health)


def first_reason(row: Doc) -> str:
    """Return the first reason of a row's health, or what to do where it has no value."""
    for each in row.get("health_reasons") or []:
        return words.sentence(each)
    return ""


def provenance(there: Present, context: Context, day: date | None, now: datetime) -> list[str]:
    """Return where the numbers come from and up to when they are complete, as sentences."""
    zone = context.workspace.timezone
    known = presents.freshness(context.workspace, there.complete_to, now)
    if not known:
        return ["No connection yet. Write one under connections in keyrail.yaml."]
    unread = [name for name, one in known.items() if one.complete_to is None]
    if len(unread) == len(known):
        return ["Not complete yet: no connection has been read in full. Run keyrail backfill."]
    oldest = min(one.complete_to for one in known.values() if one.complete_to is not None)
    told = f"From {words.plural(len(known), 'connection')}, complete to {words.moment(oldest, zone, now)}."
    said = [told] if day is None else [f"As it stood at the close of {words.long_day(day)}, by today's file."]
    for name, one in known.items():
        if one.complete_to is None:
            said.append(f"{name} has not been read in full yet: keyrail backfill.")
        elif one.stale and day is None:
            said.append(f"{name}: {words.stale(one.complete_to, zone, now)}.")
    return said


def count(value: float, one: str, many: str | None = None) -> str:
    """Return a count with its noun."""
    return words.plural(value, one, many)


def web(value: str) -> str:
    """Return an address that a tracker gave, where it is one of the web; anything else leads nowhere."""
    return value if value.lower().startswith(("https://", "http://")) else "#"


def _date(value: date | str) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value[:10])


FILTERS = {
    "away": lambda value, today: words.away(_date(value), today),
    "cause": words.cause,
    "clean": words.clean,
    "count": count,
    "day": day,
    "duration": words.duration,
    "effect": words.effect,
    "exact": words.exact,
    "flag": words.flag,
    "forecast": forecast,
    "health": words.health,
    "health_word": words.health_word,
    "listed": words.listed,
    "moment": moment,
    "num": words.number,
    "percent": percent,
    "points": words.points,
    "reason": words.reason,
    "relative": relative,
    "relative_change": words.relative_change,
    "rule": words.rule,
    "sentence": words.sentence,
    "since": lambda value, today: words.since(_date(value), today),
    "state": words.state,
    "tracker": words.tracker_name,
    "web": web,
    "why": first_reason,
}
CHARTS = {
    "allocation_bar": bars.allocation,
    "effect_bar": bars.effect,
    "gauge": gauge,
    "glyphs": GLYPHS,
    "spark": series.spark,
    "timeline_row": bars.timeline,
    "advice": words.advice,
}
