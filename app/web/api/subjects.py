"""Endpoints of the plan: objectives, key results, initiatives; why, where the effort goes, what would be if.

What they answer is put together in `sync`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date

from app.web.api.aside import aside
from app.web.api.asked import day, flag, path, text, word
from app.web.api.endpoint import Asked, Doc, Endpoint, Find, Key, in_memory
from app.web.api.shapes import (
    COVERAGE,
    EXPLANATION,
    HEALTH,
    INITIATIVE,
    KEY_RESULT,
    OBJECTIVE,
    PORTFOLIO,
    REPORT,
    WHAT_IF,
)  # fmt: skip
from domain.errors import UsageError
from sync import coverage, portfolio, present, retell, whatif
from sync import journal as journals
from sync.answers import now_there

TIMEFRAME = text("timeframe", "`current` (the default), `all`, or the id of a timeframe.")
AS_OF = day("as_of", "As it stood at the close of a past day, by today's workspace file.")
AS_PUBLISHED = day("as_published", "As it had been shown or sent by the close of a past day.")
HEALTHS = word("health", tuple(HEALTH["enum"]), "Only what has this health.")
OWNER = text("owner", "Only what this person answers for.")
SEARCH = text("q", "Only what has this in its title, whatever its case, or is called so.")


async def report(asked: Asked, id_: str | None = None) -> Doc:
    """Return the document of `show`, of now or of a past day."""
    context, values = asked.context, asked.values
    timeframe = values.get("timeframe") or "current"
    as_of: date | None = values.get("as_of")
    if as_of is not None and values.get("as_published") is not None:
        raise UsageError("as_of computes a day anew, as_published tells what was said then: name one of them.")
    if values.get("as_published") is not None:
        return await journals.published(context, values["as_published"], id_, timeframe=timeframe)
    if as_of is not None:
        return await aside(context, lambda context: retell.show(context, id_, timeframe, as_of))
    there = await now_there(context)
    return await asyncio.to_thread(present.show, context.workspace, there, id_, timeframe=timeframe, now=context.now())


def lister(kind: str) -> Callable[[Asked], Awaitable[Find]]:
    """Return what opens the list of one kind of entries of the report."""

    async def open_(asked: Asked) -> Find:
        doc = await report(asked)
        wanted = {
            name: asked[name]
            for name in ("health", "owner", "team", "objective", "status")
            if asked.values.get(name) is not None
        }
        shares = {
            link["id"]
            for one in doc["key_results"]
            if one["id"] == asked.values.get("key_result")
            for link in one["initiatives"]
        }
        found = [
            one
            for one in doc[kind]
            if all(one.get(name) == value for name, value in wanted.items())
            and (asked.values.get("key_result") is None or one["id"] in shares)
            and is_named(one, asked["q"])
        ]
        return in_memory(found, id_key)

    return open_


def single(kind: str) -> Callable[[Asked], Awaitable[Doc]]:
    """Return what answers one entry of the report; raise UsageError where there is none of that id."""

    async def do(asked: Asked) -> Doc:
        doc = await report(
            Asked(context=asked.context, person=asked.person, values={**asked.values, "timeframe": "all"})
        )
        found = next((one for one in doc[kind] if one["id"] == asked["id"]), None)
        if found is None:
            raise UsageError(f"There is no {SINGULAR[kind]} '{asked['id']}'. See /api/v1/{kind.replace('_', '-')}.")
        return {**found, "as_of": doc["as_of"], "complete_to": doc["complete_to"]}

    return do


SINGULAR = {"objectives": "objective", "key_results": "key result", "initiatives": "initiative"}


def id_key(one: Doc) -> Key:
    """Return the key of an entry of the report."""
    return [one["id"]]


def is_named(one: Doc, text: str | None) -> bool:
    """Return whether an entry is called so."""
    if text is None:
        return True
    said = text.casefold()
    return said in one["title"].casefold() or said == one["id"].casefold()


async def show(asked: Asked) -> Doc:
    """Answer the whole report."""
    return await report(asked)


async def explain(asked: Asked) -> Doc:
    """Answer why a number is what it is."""
    said = {name: asked[name] for name in ("as_of", "since", "burnup")}
    return await aside(asked.context, lambda context: retell.explain(context, asked["id"], **said))


async def invested(asked: Asked) -> Doc:
    """Answer where the effort goes."""
    by, timeframe = asked["by"], asked["timeframe"] or "current"
    return await aside(asked.context, lambda context: portfolio.portfolio(context, by=by, timeframe=timeframe))


async def supposed(asked: Asked) -> Doc:
    """Answer what would be if."""
    options = ("drop", "delay", "scope", "throughput", "due")
    change = whatif.change_of(**{name: asked[name] for name in options})
    return await aside(asked.context, lambda context: whatif.what_if(context, change))


async def uncounted(asked: Asked) -> Doc:
    """Answer what is not counted."""
    return await aside(asked.context, coverage.coverage)


ENDPOINTS = (
    Endpoint(
        name="show",
        path="/api/v1/show",
        group="Plan",
        says="The tree of objectives, key results and initiatives, as `keyrail show --json` prints it.",
        answer=REPORT,
        params=(TIMEFRAME, AS_OF, AS_PUBLISHED),
        do=show,
    ),
    Endpoint(
        name="list_objectives",
        path="/api/v1/objectives",
        group="Plan",
        says="Objectives, with progress, health and its reasons.",
        answer=OBJECTIVE,
        params=(TIMEFRAME, AS_OF, HEALTHS, OWNER, SEARCH),
        open=lister("objectives"),
        key=(str,),
    ),
    Endpoint(
        name="get_objective",
        path="/api/v1/objectives/{id}",
        group="Plan",
        says="One objective.",
        answer=OBJECTIVE,
        params=(path("id", "Its id in the workspace file."), AS_OF),
        do=single("objectives"),
    ),
    Endpoint(
        name="list_key_results",
        path="/api/v1/key-results",
        group="Plan",
        says="Key results: outcome beside delivery, health, forecast.",
        answer=KEY_RESULT,
        params=(TIMEFRAME, AS_OF, text("objective", "Only those of this objective."), HEALTHS, OWNER, SEARCH),
        open=lister("key_results"),
        key=(str,),
    ),
    Endpoint(
        name="get_key_result",
        path="/api/v1/key-results/{id}",
        group="Plan",
        says="One key result.",
        answer=KEY_RESULT,
        params=(path("id", "Its id in the workspace file."), AS_OF),
        do=single("key_results"),
    ),
    Endpoint(
        name="list_initiatives",
        path="/api/v1/initiatives",
        group="Plan",
        says="Initiatives: what is delivered, forecast, scope.",
        answer=INITIATIVE,
        params=(
            TIMEFRAME,
            AS_OF,
            text("key_result", "Only those that contribute to this key result."),
            text("team", "Only those of this team."),
            HEALTHS,
            OWNER,
            SEARCH,
        ),
        open=lister("initiatives"),
        key=(str,),
    ),
    Endpoint(
        name="get_initiative",
        path="/api/v1/initiatives/{id}",
        group="Plan",
        says="One initiative.",
        answer=INITIATIVE,
        params=(path("id", "Its id in the workspace file, or that of the item that made it."), AS_OF),
        do=single("initiatives"),
    ),
    Endpoint(
        name="explain",
        path="/api/v1/explain/{id}",
        group="Plan",
        says="Why a number is what it is, item by item; the effects sum to it. As `keyrail explain --json` prints it.",
        answer=EXPLANATION,
        params=(
            path("id", "An objective, key result or initiative, or an item as `KEY` or `connection:KEY`."),
            AS_OF,
            day("since", "With what changed after the close of a day."),
            flag("burnup", "With what was done and in scope, by day.", False),
        ),
        do=explain,
    ),
    Endpoint(
        name="portfolio",
        path="/api/v1/portfolio",
        group="Plan",
        says="Where the effort goes, what is worth most, what is at risk. As `keyrail portfolio --json` prints it.",
        answer=PORTFOLIO,
        params=(text("by", "Only this dimension."), TIMEFRAME),
        do=invested,
    ),
    Endpoint(
        name="what_if",
        path="/api/v1/what-if",
        group="Plan",
        says="Forecasts and health as they would be, beside today's. Nothing is stored; options add up.",
        answer=WHAT_IF,
        params=(
            text("drop", "Cancel an initiative: `I1`.", repeats=True),
            text("delay", "Nobody works on it for so long: `I1=2w`.", repeats=True),
            text("scope", "More or fewer items: `I1=+20%`.", repeats=True),
            text("throughput", "A team gets more or less done: `TEAM=-20%`.", repeats=True),
            text("due", "Another due date, or end of a key result: `I1=2026-12-24`.", repeats=True),
        ),
        do=supposed,
    ),
    Endpoint(
        name="coverage",
        path="/api/v1/coverage",
        group="Plan",
        says="What is not counted, and proposals. As `keyrail coverage --json` prints it.",
        answer=COVERAGE,
        do=uncounted,
    ),
)
