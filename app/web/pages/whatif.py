"""What-if: forecasts and health as they would be beside today's, for a supposed change; nothing is stored.

A change is the address of the page, so it can be sent to somebody.
"""

from __future__ import annotations

from datetime import date
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cli.view import words
from app.web.pages.desk import Ask, Desk
from domain.errors import UsageError
from sync import whatif as suppose

Doc = dict[str, Any]  # Any: a JSON document

MOST = 40
"""initiatives and teams that can be moved on the page; more by the command"""
UNITS = {"delay": "{}w", "scope": "{:+d}%", "throughput": "{:+d}%"}


async def what_if(desk: Desk, request: Request) -> Response:
    """Answer the page."""
    ask = await desk.ask(request)
    report = await ask.report("current")
    rows = [row for row in (report or {}).get("initiatives", []) if row["progress"] != 1 and row["status"] == "active"]
    teams = sorted({row["team"] for row in rows if row["team"]})
    stated = {name: list(values) for name, values in options(ask).items() if values}
    wrong, doc, late = "", None, False
    if stated:
        try:
            change = suppose.change_of(**stated)
            key = "what-if/" + "&".join(
                sorted(f"{name}={value}" for name, values in stated.items() for value in values)
            )
            found = await ask.kept(key, lambda context: suppose.what_if(context, change))
            doc, late = (found.doc, False) if found is not None else (None, True)
        except UsageError as error:
            wrong = str(error)
    if late:
        return ask.waiting("What-if", "what would be")
    return ask.page(
        "whatif.html",
        title="What-if",
        headline=headline(doc) if doc else "What would be if a plan were another?",
        doc=doc,
        wrong=wrong,
        supposed=[words_of(one, ask.today) for one in doc["changes"]] if doc else [],
        rows=rows[:MOST],
        teams=teams[:MOST],
        left=max(len(rows) - MOST, 0),
        value=ask.said,
        dropped=set(stated.get("drop", ())),
        command=command(stated),
    )


def options(ask: Ask) -> dict[str, list[str]]:
    """Return what the query supposes, as the options of the command."""
    found: dict[str, list[str]] = {"drop": ask.request.query_params.getlist("drop")}
    for name, text in ask.request.query_params.multi_items():
        kind, _, id_ = name.partition(".")
        if kind in UNITS and id_ and text.strip() not in ("", "0"):
            found.setdefault(kind, []).append(f"{id_}={said(kind, text.strip())}")
        elif kind == "due" and id_ and text.strip():
            found.setdefault(kind, []).append(f"{id_}={text.strip()}")
    return found


def said(kind: str, text: str) -> str:
    """Return a number of a slider as the command takes it; anything else as it is, to be refused in its words."""
    try:
        return UNITS[kind].format(int(text))
    except ValueError:
        return text


def command(stated: dict[str, list[str]]) -> str:
    """Return the command that supposes the same."""
    parts = [f"--{name} {value}" for name, values in stated.items() for value in values]
    return " ".join(["keyrail what-if", *parts])


def headline(doc: Doc) -> str:
    """Return the answer in one sentence."""
    rows = doc["key_results"]
    moved = [row for row in rows if row["changed"]]
    other = [row for row in moved if row["today"]["health"] != row["then"]["health"]]
    if not moved:
        return "No key result would move."
    told = f"{len(moved)} of {words.plural(len(rows), 'key result')} would move"
    return f"{told}, {len(other)} to another health." if other else f"{told}, none to another health."


def words_of(change: Doc, today: date) -> str:
    """Return a supposed change as a sentence."""
    id_, value = change["id"], change["value"]
    match change["change"]:
        case "drop":
            return f"{id_} is dropped."
        case "delay":
            return f"Nobody works on {id_} for {words.plural(value, 'day')}."
        case "scope":
            return f"The scope of {id_} changes by {words.relative_change(value)}."
        case "throughput":
            return f"The throughput of {id_} changes by {words.relative_change(value)}."
        case _:
            return f"{id_} is due {words.day(date.fromisoformat(value), today)}."
