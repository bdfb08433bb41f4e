"""The page of `what-if`: what is supposed, and each key result, initiative and objective that it would move.

Takes the document that `what-if --json` prints and nothing else; it orders and words, it computes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from rich.text import Text

from app.cli.view import words
from app.cli.view.provenance import provenance
from app.cli.view.sheet import DIM, Doc, Sheet, closing, flow, line, paragraph
from app.cli.view.show import words_of_forecast

SET_ASIDE = ("canceled", "paused")
GROUPS = (("key_results", "Key results"), ("initiatives", "Initiatives"), ("objectives", "Objectives"))


def whatif(doc: Doc, *, zone: str = "UTC") -> Sheet:
    """Return a `what-if --json` document as a page, dates in `zone`."""
    return Sheet(lambda width: _lines(doc, width, zone))


def _lines(doc: Doc, width: int, zone: str) -> Iterator[Text]:
    as_of = words.instant(doc["as_of"])
    today = words.local(as_of, zone).date()
    yield line((words.clean(doc["workspace"]), "bold"), (f" · {words.long_day(today)} · what if", DIM))
    for each in doc["changes"]:
        yield from paragraph(_supposed(each, today), width, hang=2)
    yield from paragraph(_headline(doc), width)
    for name, title in GROUPS:
        yield from _group(title, doc[name], width, today)
    yield Text()
    yield from provenance(doc, width, zone, as_of)
    yield Text()
    yield from closing(_next(doc), width)


def _supposed(change: Doc, today: date) -> str:
    id_, value = words.clean(change["id"]), change["value"]
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


def _headline(doc: Doc) -> str:
    rows = doc["key_results"]
    moved = [row for row in rows if row["changed"]]
    other = [row for row in moved if row["today"]["health"] != row["then"]["health"]]
    if not rows:
        return "There are no key results."
    if not moved:
        return "No key result would move."
    said = f"{len(moved)} of {words.plural(len(rows), 'key result')} would move"
    return f"{said}, {len(other)} to another health." if other else f"{said}, none to another health."


def _group(title: str, rows: Sequence[Doc], width: int, today: date) -> Iterator[Text]:
    moved = [row for row in rows if row["changed"]]
    same = [words.clean(row["id"]) for row in rows if not row["changed"]]
    if not rows:
        return
    yield Text()
    yield line((title, "bold"))
    for row in moved:
        yield from paragraph(f"{words.clean(row['id'])}  {words.clean(row['title'])}", width, indent=2, hang=4)
        for when in ("today", "then"):
            yield from _world(when, row[when], width, today)
    if same:
        yield from paragraph(f"As today: {words.listed(same, 12)}.", width, DIM, indent=2, hang=4)


def _world(when: str, state: Doc, width: int, today: date) -> Iterator[Text]:
    """Yield one world of a subject: health and progress first, then what is forecast."""
    health = words.health(state["health"])
    value = words.percent(state["progress"]) if state["progress"] is not None else words.state(state["state"])
    parts = [value]
    delivery = state.get("delivery_progress")
    outcome = state.get("score_basis") == "outcome"
    if outcome:
        parts.append(f"delivery {words.percent(delivery)}" if delivery is not None else "nothing is delivered for it")
    if state.get("items"):
        parts.append(f"{words.exact(state['counts'].get('done') or 0)} of {words.plural(state['items'], 'item')} done")
    if state.get("due"):
        parts.append(f"due {words.day(date.fromisoformat(state['due']), today)}")
    forecast = state.get("delivery_forecast") or state.get("forecast") or {}
    if state["health"] in SET_ASIDE or (outcome and delivery is None):
        forecast = {}
    told = words_of_forecast(forecast, state.get("due"), delivery if delivery is not None else state["progress"], today)
    odds = forecast.get("probability")
    if odds is not None and state.get("due"):
        parts.append(f"{words.percent(odds)} likely in time")
    said = flow([*parts, told] if told else parts, width - 26)
    style = words.HEALTH_STYLES.get(state["health"], "")
    yield line(f"    {when:<6} ", (f"{health:<14}", style), " ", said[0])
    yield from (line(" " * 26, each) for each in said[1:])


def _next(doc: Doc) -> str:
    moved = [row for row in doc["key_results"] if row["changed"]]
    if moved:
        return words.next_step(f"explain {words.clean(moved[0]['id'])}", "what stands behind it today")
    return words.next_step("portfolio", "what is at risk, and what is worth most")
