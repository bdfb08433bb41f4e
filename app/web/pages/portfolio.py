"""Portfolio and Roadmap: do we invest where we said, and when will it be done?

The numbers are those of `portfolio` and `show`.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cli.view import words
from app.web.pages.desk import Ask, Desk
from app.web.pages.overview import paged
from domain.errors import UsageError
from sync.portfolio import portfolio as portfolio_doc

Doc = dict[str, Any]  # Any: a JSON document

DERIVED = ("objective", "initiative", "team", "timeframe")
"""dimensions that every file has, behind those that it states"""
RISKS = 20
RANKED = 25
LEVELS = {"high": ("■", "High", "off_track"), "medium": ("▲", "Medium", "at_risk"), "low": ("●", "Low", "on_track")}
LANES = 50


async def portfolio(desk: Desk, request: Request) -> Response:
    """Answer the page of the portfolio."""
    ask = await desk.ask(request)
    timeframe = timeframe_of(ask)
    found = await ask.kept(f"portfolio/{timeframe}", lambda context: portfolio_doc(context, timeframe=timeframe))
    if found is None:
        return ask.waiting("Portfolio", "where the effort goes")
    doc = found.doc
    ledgers = sorted(doc["dimensions"], key=lambda one: one["dimension"] in DERIVED)
    return ask.page(
        "portfolio.html",
        title="Portfolio",
        doc=doc,
        headline=headline(doc, ledgers),
        ledgers=[{**one, "targeted": any(row["target"] is not None for row in one["rows"])} for one in ledgers],
        risks=[row for row in doc["risks"] if row["signals"]][:RISKS],
        ranking=doc["ranking"][:RANKED],
        levels=LEVELS,
        timeframe=timeframe,
        timeframes=["current", *ask.context.workspace.timeframes, "all"],
        places=dict.fromkeys(ask.context.workspace.initiatives, "initiative"),
    )


def headline(doc: Doc, ledgers: list[Doc]) -> str:
    """Return the answer: how far the effort is from where it was meant to go."""
    if not doc["totals"]["initiatives"]:
        return "No initiatives here yet."
    stated = [row for one in ledgers for row in one["rows"] if row["difference"] is not None]
    off = [row for row in stated if row["flagged"]]
    if off:
        row = max(off, key=lambda one: abs(one["difference"]))
        more = "more" if row["difference"] > 0 else "less"
        size = words.points(abs(row["difference"])).lstrip("+")
        rest = f", and {len(off) - 1} more off target" if len(off) > 1 else ""
        return f"{row['value']} gets {size} {more} of the effort than its target{rest}."
    if stated:
        return "The effort goes where we said."
    return "Nobody has said yet where the effort should go."


def timeframe_of(ask: Ask) -> str:
    """Return the timeframe that is asked for; raise UsageError for one that is not there."""
    timeframe = ask.said("timeframe") or "current"
    known = ["current", "all", *ask.context.workspace.timeframes]
    if timeframe not in known:
        raise UsageError(f"There is no timeframe '{timeframe[:80]}'. There are: {', '.join(known)}.")
    return timeframe


async def roadmap(desk: Desk, request: Request) -> Response:
    """Answer the page of the roadmap."""
    ask = await desk.ask(request)
    timeframe = timeframe_of(ask)
    doc = await ask.report(timeframe)
    if doc is None:
        return ask.waiting("Roadmap", f"how everything stood at the close of {ask.today}")
    rows = sorted(doc["initiatives"], key=lambda row: (row["due"] or "9999", row["start"] or "", row["id"]))
    shown, pager = paged(rows, ask.number("page"), LANES)
    first, last = span(ask, shown)
    late = [row for row in rows if is_late(row)]
    return ask.page(
        "roadmap.html",
        title="Roadmap",
        headline=roadmap_headline(rows, late),
        rows=[{**row, **{name: _day(row["forecast"][name]) for name in ("p50", "p85")}} for row in shown],
        pager=pager,
        first=first,
        last=last,
        day_of=_day,
        frames=[one for one in ask.context.workspace.timeframes.values() if one.start <= last and one.end >= first],
        timeframe=timeframe,
        timeframes=["current", *ask.context.workspace.timeframes, "all"],
    )


def is_late(row: Doc) -> bool:
    """Return whether a row's likely end, at even odds, is behind its due date."""
    p50 = row["forecast"]["p50"]
    return bool(p50 and row["due"] and p50 > row["due"])


def roadmap_headline(rows: list[Doc], late: list[Doc]) -> str:
    """Return the answer: how many will likely be done when they are due."""
    dated = [row for row in rows if row["due"] and row["forecast"]["p50"]]
    if not rows:
        return "No initiatives here yet."
    if not dated:
        return "No initiative has both a due date and a forecast yet."
    if not late:
        return f"All {words.plural(len(dated), 'initiative')} with a date will likely be done in time."
    whole = words.plural(len(dated), "initiative")
    return f"{len(dated) - len(late)} of {whole} will likely be done in time; {len(late)} late."


def span(ask: Ask, rows: list[Doc]) -> tuple[date, date]:
    """Return the days that the roadmap shows: what is planned, and forecasts up to a year behind it."""
    today = ask.today
    frames = [one for one in ask.context.workspace.timeframes.values() if one.start <= today <= one.end]
    starts = [_day(row["start"]) for row in rows] + [one.start for one in frames]
    dues = [_day(row["due"]) for row in rows] + [one.end for one in frames]
    likely = [_day(row["forecast"]["p85"] or row["forecast"]["p50"]) for row in rows]
    first = min([day for day in starts if day] + [today - timedelta(days=14)])
    planned = max([day for day in dues if day] + [today + timedelta(days=14)])
    last = max([planned, *(min(day, planned + timedelta(days=120)) for day in likely if day)])
    return max(first, today - timedelta(days=400)), last + timedelta(days=5)


def _day(value: str | None) -> date | None:
    return date.fromisoformat(value) if value else None
