"""Overview: are we going to make it? Objectives with their key results, what needs a decision, what changed this week.

Filters and search cut what is shown, never what is computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.cli.view import words
from app.web.pages.desk import Desk
from app.web.pages.weeks import Weeks, weeks
from domain.errors import UsageError
from domain.workspace import Workspace

Doc = dict[str, Any]  # Any: a JSON document

OBJECTIVES_A_PAGE = 25
INITIATIVES_A_PAGE = 25
URGENT = ("off_track", "missed", "at_risk")
DECISIONS = 6
MOVES = 8


async def overview(desk: Desk, request: Request) -> Response:
    """Answer the page."""
    ask = await desk.ask(request)
    workspace = ask.context.workspace
    timeframe = ask.said("timeframe") or "current"
    if timeframe not in ("current", "all", *workspace.timeframes):
        known = ", ".join(["current", "all", *workspace.timeframes])
        raise UsageError(f"There is no timeframe '{timeframe[:80]}'. There are: {known}.")
    doc = await ask.report(timeframe)
    if doc is None:
        return ask.waiting("Overview", f"how everything stood at the close of {ask.today}")
    past = await weeks(ask)
    chosen = {name: ask.said(name) for name in (*filters(workspace), "health", "q")}
    shown = narrowed(doc, workspace, {name: value for name, value in chosen.items() if value})
    objectives, more = paged(shown.objectives, ask.number("page"), OBJECTIVES_A_PAGE)
    initiatives, more_initiatives = paged(shown.initiatives, ask.number("initiatives"), INITIATIVES_A_PAGE)
    return ask.page(
        "overview.html",
        title="Overview",
        headline=headline(doc),
        doc=doc,
        objectives=objectives,
        key_results=shown.key_results,
        initiatives=initiatives,
        all_initiatives=len(shown.initiatives),
        pager=more,
        initiatives_pager=more_initiatives,
        decisions=decisions(shown),
        moves=moves(shown, past),
        weeks=past,
        timeframe=timeframe,
        timeframes=["current", *workspace.timeframes, "all"],
        filters=filters(workspace),
        chosen=chosen,
        narrowed=any(chosen.values()),
        since=past.since if past is not None else None,
    )


@dataclass(slots=True, kw_only=True)
class Shown:
    """What passed the filters: objectives, the key results of each, initiatives."""

    objectives: list[Doc] = field(default_factory=list)
    key_results: dict[str, list[Doc]] = field(default_factory=dict)
    initiatives: list[Doc] = field(default_factory=list)


def headline(doc: Doc) -> str:
    """Return the answer in one sentence."""
    for name, noun in (("objectives", "objective"), ("key_results", "key result"), ("initiatives", "initiative")):
        rows = doc[name]
        if not rows:
            continue
        counted = Counter(row["health"] for row in rows)
        if len(counted) == 1:
            code = next(iter(counted))
            whole = f"The {noun} is" if len(rows) == 1 else f"All {len(rows)} {noun}s are"
            return f"{whole} {words.health_word(code)}."
        said = [f"{n} {words.health_word(code)}" for code in words.HEALTH if (n := counted[code])]
        return f"Of {len(rows)} {noun}s, {words.listed(said)}."
    return "Nothing to show yet."


def filters(workspace: Workspace) -> dict[str, list[str]]:
    """Return what can be chosen: teams, and the values of each dimension that objectives and initiatives have."""
    found: dict[str, list[str]] = {}
    teams = {one.team for one in workspace.initiatives.values() if one.team} | set(workspace.teams)
    if teams:
        found["team"] = sorted(teams)
    known: dict[str, set[str]] = {}
    subjects: Iterable[Any] = (
        *workspace.objectives.values(),
        *workspace.key_results.values(),
        *workspace.initiatives.values(),
    )
    for one in subjects:
        for name, value in one.dimensions.items():
            known.setdefault(name, set()).update(values_of(value))
    found.update({name: sorted(values) for name, values in sorted(known.items()) if name != "team"})
    return found


def values_of(value: object) -> set[str]:
    """Return the values of a dimension, which may be a list."""
    many = value if isinstance(value, list | tuple) else [value]
    return {str(one) for one in many if one is not None}


def narrowed(doc: Doc, workspace: Workspace, chosen: Mapping[str, str]) -> Shown:
    """Return what of a report passes what was chosen: a key result by its own, its objective's or an initiative's."""
    held = {name: value for name, value in chosen.items() if name not in ("health", "q")}
    text, health = chosen.get("q", "").casefold(), chosen.get("health")
    initiatives = {one["id"]: one for one in doc["initiatives"]}

    def stated(id_: str) -> dict[str, set[str]]:
        one: Any = workspace.initiatives.get(id_) or workspace.key_results.get(id_) or workspace.objectives.get(id_)
        found = {name: values_of(value) for name, value in (one.dimensions.items() if one is not None else ())}
        if team := initiatives.get(id_, {}).get("team"):
            found["team"] = {team}
        return found

    def fits(ids: Iterable[str]) -> bool:
        told = [stated(id_) for id_ in ids]
        return all(any(value in one.get(name, ()) for one in told) for name, value in held.items())

    def passes(row: Doc, ids: Iterable[str], said: Iterable[Doc]) -> bool:
        if health and row["health"] != health:
            return False
        if text and not any(text in f"{one['id']} {one['title']} {one.get('owner') or ''}".casefold() for one in said):
            return False
        return fits(ids)

    found = Shown()
    for objective in doc["objectives"]:
        own = [one for one in doc["key_results"] if one["objective"] == objective["id"]]
        kept = [
            row
            for row in own
            if passes(row, [objective["id"], row["id"], *(link["id"] for link in row["initiatives"])], [objective, row])
        ]
        if kept or passes(objective, [objective["id"]], [objective]):
            found.objectives.append(objective)
            found.key_results[objective["id"]] = kept
    found.initiatives = [row for row in doc["initiatives"] if passes(row, [row["id"]], [row])]
    return found


def decisions(shown: Shown) -> list[Doc]:
    """Return what needs a person, worst first; an overridden health only where the computed one differs."""
    rows = [{**row, "kind": "key_result"} for rows in shown.key_results.values() for row in rows]
    rows += [{**row, "kind": "initiative"} for row in shown.initiatives]
    urgent = [row for row in rows if row["health"] in URGENT and not row["override"]]
    urgent += [row for row in rows if row["override"] and row["override"]["computed"] != row["health"]]
    return sorted(urgent, key=lambda row: words.WORST_FIRST.index(row["health"]))[:DECISIONS]


def moves(shown: Shown, past: Weeks | None) -> list[Doc]:
    """Return what moved most since a week ago."""
    if past is None or past.since is None:
        return []
    found = []
    rows = [("key_result", row) for rows in shown.key_results.values() for row in rows]
    for kind, row in [*rows, *(("initiative", row) for row in shown.initiatives)]:
        before, now = past.before(row["id"]), row["progress"]
        if before is not None and now is not None and abs(now - before) >= 0.005:
            found.append({**row, "kind": kind, "moved": now - before})
    return sorted(found, key=lambda row: -abs(row["moved"]))[:MOVES]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """Which page of how many, and of how many rows."""

    page: int
    pages: int
    rows: int


def paged(rows: list[Doc], page: int, size: int) -> tuple[list[Doc], Pager]:
    """Return the rows of a page, the last where it is beyond it, and which page that is."""
    pages = max(-(-len(rows) // size), 1)
    page = min(page, pages)
    return rows[(page - 1) * size : page * size], Pager(page=page, pages=pages, rows=len(rows))
