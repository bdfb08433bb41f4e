"""Objective, key result and initiative: where it stands, how it came there, why the number is what it is.

The three pages differ in what stands between the answer and its explanation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import date
from typing import Any
from urllib.parse import quote

from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.cli.view import words
from app.web.access import posted
from app.web.charts import series
from app.web.pages import why
from app.web.pages.desk import Ask, Desk
from app.web.pages.overview import paged
from app.web.pages.weeks import weeks
from domain.errors import UsageError
from storage import audit
from sync.answers import record

Doc = dict[str, Any]  # Any: a JSON document

ITEMS_A_PAGE = 25


async def objective(desk: Desk, request: Request) -> Response:
    """Answer the page of an objective."""
    ask = await desk.ask(request)
    found = await row_of(ask, "objectives", request.path_params["id"])
    if found is None:
        return ask.waiting(request.path_params["id"], f"how it stood at the close of {ask.today}")
    doc, row = found
    told, past = await asyncio.gather(why.why(ask, row["id"], why.since_of(ask)), weeks(ask))
    key_results = [one for one in doc["key_results"] if one["objective"] == row["id"]]
    parents = {one["id"]: one for one in doc["objectives"]}
    return ask.page(
        "objective.html",
        title=f"{row['id']} {row['title']}",
        row=row,
        kind="objective",
        key_results=key_results,
        parent=parents.get(row["parent"]),
        children=[one for one in doc["objectives"] if one["parent"] == row["id"]],
        weeks=past,
        why=told,
        since=why.since_of(ask),
        pager=None,
        items=[],
    )


async def key_result(desk: Desk, request: Request) -> Response:
    """Answer the page of a key result."""
    ask = await desk.ask(request)
    return await key_result_page(ask, request.path_params["id"])


async def key_result_page(ask: Ask, id_: str, *, wrong: str = "", typed: Doc | None = None) -> Response:
    """Return the page of a key result; `wrong` is why what was typed could not be recorded."""
    found = await row_of(ask, "key_results", id_)
    if found is None:
        return ask.waiting(id_, f"how it stood at the close of {ask.today}")
    doc, row = found
    told, past = await asyncio.gather(why.why(ask, id_, why.since_of(ask)), weeks(ask))
    items, pager = paged(inputs_of(told), ask.number("items"), ITEMS_A_PAGE)
    spoken = [
        one for one in ask.there.check_ins if one.key_result == id_ and (ask.day is None or one.as_of.date() <= ask.day)
    ]
    spoken.sort(key=lambda one: (one.as_of, one.recorded_at))
    shares = {link["id"]: link["share"] for link in row["initiatives"]}
    return ask.page(
        "key_result.html",
        title=f"{id_} {row['title']}",
        status=422 if wrong else 200,
        row=row,
        kind="key_result",
        objective=next((one for one in doc["objectives"] if one["id"] == row["objective"]), None),
        initiatives=[one for one in doc["initiatives"] if one["id"] in shares],
        shares=shares,
        weeks=past,
        why=told,
        since=why.since_of(ask),
        items=items,
        pager=pager,
        charts=charts(ask, row, told),
        check_ins=spoken[::-1],
        may_write=ask.person.may("write") and ask.day is None,
        wrong=wrong,
        typed={"value": "", "date": "", "note": "", **(typed or {})},
        recorded=ask.said("recorded"),
    )


async def check_in(desk: Desk, request: Request) -> Response:
    """Record a value that a person typed, and show the page again."""
    typed = await posted(request)
    ask = await desk.ask(request)
    id_ = request.path_params["id"]
    try:
        value = value_of(typed.get("value", ""))
        day = ask.context.now().fromisoformat(typed["date"]) if typed.get("date") else None
        done = await record(ask.context, id_, value, day=day, note=typed.get("note", "")[:2000], by=ask.person.name)
    except (UsageError, ValueError) as error:
        wrong = str(error) if isinstance(error, UsageError) else f"'{typed.get('date', '')[:40]}' is no day."
        return await key_result_page(ask, id_, wrong=wrong, typed=typed)
    async with ask.context.store.write() as tx:
        await audit.note(tx, ask.person.deed("check-in", id_, ask.now, value=value, date=done["date"].isoformat()))
    return RedirectResponse(f"/key-results/{quote(id_, safe='')}?recorded=1#check-ins", 303)


def value_of(text: str) -> float:
    """Return the number that a person typed; raise UsageError with how to type it."""
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        raise UsageError(f"'{text[:40]}' is no number: type it like 2.62. Nothing was recorded.") from None


async def initiative(desk: Desk, request: Request) -> Response:
    """Answer the page of an initiative."""
    ask = await desk.ask(request)
    id_ = request.path_params["id"]
    found = await row_of(ask, "initiatives", id_)
    if found is None:
        return ask.waiting(id_, f"how it stood at the close of {ask.today}")
    doc, row = found
    told, past = await asyncio.gather(why.why(ask, id_, why.since_of(ask)), weeks(ask))
    items, pager = paged(inputs_of(told), ask.number("items"), ITEMS_A_PAGE)
    served = {one["to"]: one for one in row["contributes"]}
    return ask.page(
        "initiative.html",
        title=f"{id_} {row['title']}",
        row=row,
        kind="initiative",
        serves=[one for one in doc["key_results"] if one["id"] in served],
        served=served,
        weeks=past,
        why=told,
        since=why.since_of(ask),
        items=items,
        pager=pager,
        charts=charts(ask, row, told),
        left=left_by_tracker(told),
    )


async def item(desk: Desk, request: Request) -> Response:
    """Answer the page of an epic or another item of a tracker."""
    ask = await desk.ask(request)
    name = request.path_params["id"]
    told = await why.why(ask, name, why.since_of(ask))
    if told is None:
        return ask.waiting(name, f"what {name} is made of")
    doc = told
    items, pager = paged(inputs_of(doc), ask.number("items"), ITEMS_A_PAGE)
    return ask.page(
        "item.html",
        title=f"{doc['key']} {doc['title']}",
        row={**doc, "score_basis": "delivery", "overlays": [], "flags": [], "override": None},
        kind="epic",
        why=doc,
        since=why.since_of(ask),
        items=items,
        pager=pager,
        charts=charts(ask, doc, doc),
    )


async def row_of(ask: Ask, name: str, id_: str) -> tuple[Doc, Doc] | None:
    """Return the report of all timeframes and the row of an id; None where the report is on its way."""
    doc = await ask.report("all")
    if doc is None:
        return None
    for row in doc[name]:
        if row["id"] == id_:
            return doc, row
    raise HTTPException(
        404, f"There is nothing called '{id_[:80]}' in the workspace file on this day. See the overview: /"
    )


def inputs_of(doc: Doc | None) -> list[Doc]:
    """Return the items behind a number, or behind the delivery beside an outcome."""
    if doc is None:
        return []
    part = doc["delivery"] if doc.get("delivery") else doc
    return [row for row in part["inputs"] if "category" in row]


def left_by_tracker(doc: Doc | None) -> list[Doc]:
    """Return what is open by connection and status: what is left, and where."""
    found: dict[tuple[str, str], Doc] = {}
    for row in inputs_of(doc):
        if row["category"] == "done":
            continue
        key = (row.get("connection") or "", row.get("status") or row["category"])
        one = found.setdefault(
            key, {"connection": key[0], "tracker": row.get("tracker"), "status": key[1], "items": 0, "size": 0.0}
        )
        one["items"] += row.get("count") or 1
        one["size"] += row.get("size") or 0.0
    return sorted(found.values(), key=lambda one: -one["items"])


def charts(ask: Ask, row: Doc, doc: Doc | None) -> list[Doc]:
    """Return the charts of a subject, each with its sentence and the rows of its table."""
    found = []
    days = (doc or {}).get("burnup") or []
    metric = row.get("metric")
    if (
        metric is not None
        and metric["start"] is not None
        and metric["target"] is not None
        and row.get("start")
        and row.get("end")
    ):
        found.append(outcome_chart(ask, row, days))
    if days and any(day["scope"] for day in days):
        found.append(burn_up_chart(ask, row, days))
    return found


def burn_up_chart(ask: Ask, row: Doc, days: Sequence[Doc]) -> Doc:
    """Return the burn-up of a subject with its forecast."""
    today, last = ask.today, days[-1]
    forecast = row.get("forecast") or {}
    due = _day(row.get("due") or row.get("end"))
    p50, p85 = (_day(forecast.get(name)) if last["done"] < last["scope"] else None for name in ("p50", "p85"))
    said = [f"{words.exact(last['done'])} of {words.exact(last['scope'])} done"]
    if row.get("scope_change"):
        said.append(f"scope {words.relative_change(row['scope_change'])} since the start")
    if p50:
        said.append(f"even odds of the end by {words.day(p50, today)}")
    if p85:
        said.append(f"85 % likely by {words.day(p85, today)}")
    if due:
        said.append(f"due {words.day(due, today)}")
    sentence = f"{words.listed(said)}."
    closes = [
        series.Close(day=date.fromisoformat(one["day"]), done=one["done"], scope=one["scope"], why=one["why"])
        for one in days
    ]
    drawn = series.burn_up(
        closes,
        today=today,
        start=_day(row.get("start")),
        due=due,
        p50=p50,
        p85=p85,
        unit="items or points",
        label=f"Burn-up: {sentence}",
    )
    rows = [one for i, one in enumerate(closes) if one.why or i % 7 == 0 or i == len(closes) - 1]
    return {"title": "Done and scope by day", "sentence": sentence, "svg": drawn, "rows": rows[::-1], "kind": "burn_up"}


def outcome_chart(ask: Ask, row: Doc, days: Sequence[Doc]) -> Doc:
    """Return the outcome of a key result through time against the straight line to its target."""
    metric, today = row["metric"], ask.today
    span = metric["target"] - metric["start"]
    spoken = sorted((one for one in ask.there.check_ins if one.key_result == row["id"]), key=lambda one: one.as_of)
    values = [
        (one.as_of.astimezone(ask.context.zone).date(), (one.value - metric["start"]) / span if span else 0.0)
        for one in spoken
    ]
    values = [one for one in values if one[0] <= today]
    unit = f" {metric['unit']}" if metric["unit"] else ""
    current = f"{words.exact(metric['current'])}{unit}" if metric["current"] is not None else "No value yet"
    sentence = f"{current} on the way from {words.exact(metric['start'])} to {words.exact(metric['target'])}{unit}."
    drawn: Markup = series.outcome(
        values,
        [(date.fromisoformat(one["day"]), one["progress"]) for one in days if one["progress"] is not None],
        today=today,
        start=date.fromisoformat(row["start"]),
        end=date.fromisoformat(row["end"]),
        label=f"Outcome: {sentence}",
    )
    return {
        "title": "Outcome against the straight line",
        "sentence": sentence,
        "svg": drawn,
        "rows": values[::-1],
        "kind": "outcome",
    }


def _day(value: str | date | None) -> date | None:
    return date.fromisoformat(value) if isinstance(value, str) else value
