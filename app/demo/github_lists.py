"""Lists of the simulated GitHub in pages: cursors that hold a place among what moves, filters and orders of issues.

The cursor of an issue is its place in the order, as GitHub's are: what changes meanwhile is met again, or not at all.
"""

from __future__ import annotations

import base64
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import orjson

from app.demo.github_things import Issue, Milestone, Repository
from app.demo.graphql import Refusal, Resolver

if TYPE_CHECKING:
    from app.demo.github_graph import Asking

Page = dict[str, Any]
Place = tuple[float, ...]
"""Where something stands in an order: the cursor says it"""

GONE_WRONG = "Resource limits for this query exceeded."
_START = "cursor:v2:"


def cursor(place: Place) -> str:
    """Write a place as an opaque text."""
    return base64.b64encode(_START.encode() + orjson.dumps(place)).decode()


def place_of(text: str) -> Place:
    """Read a cursor; raise GitHub's refusal where it is none."""
    try:
        told = base64.b64decode(text, validate=True).decode()
        return tuple(orjson.loads(told.removeprefix(_START)))
    except (ValueError, TypeError) as error:
        raise bad_cursor(text) from error


def bad_cursor(text: str) -> Refusal:
    """Return GitHub's refusal of a cursor."""
    return Refusal(f"`{text}` does not appear to be a valid cursor.", type="INVALID_CURSOR_ARGUMENTS")


def forbidden(asking: Asking) -> Refusal:
    """Return GitHub's refusal of what a token is not allowed."""
    kind = "integration" if asking.site.me.typename == "Bot" else "personal access token"
    return Refusal(f"Resource not accessible by {kind}", type="FORBIDDEN")


def page(
    things: Sequence[Any],
    asking: Asking,
    *,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    places: Sequence[Place] | None = None,
    **_: Any,
) -> Page:
    """Return the page of a list that is asked for; `places` are those of its things, their numbers where None."""
    begin, end = 0, len(things)
    if after is not None:
        place = place_of(after)
        begin = bisect_right(places, place) if places is not None else min(int(place[0]) + 1, end)
    if before is not None:
        place = place_of(before)
        end = bisect_left(places, place) if places is not None else min(int(place[0]), end)
    most = asking.site.faults.page_size or 100
    low, high = begin, max(begin, end)
    if first is not None:
        high = min(high, low + min(first, most))
    if last is not None:
        low = max(low, high - min(last, most))
    found = high > low
    return {
        "nodes": list(things[low:high]),
        "totalCount": len(things),
        "pageInfo": {
            "hasNextPage": high < len(things) if last is None else before is not None and high < len(things),
            "hasPreviousPage": low > 0 if last is not None else after is not None and low > 0,
            "startCursor": cursor(places[low] if places is not None else (low,)) if found else None,
            "endCursor": cursor(places[high - 1] if places is not None else (high - 1,)) if found else None,
        },
    }


def pages(name: str) -> Resolver:
    """Return the resolver of a connection over the list that an attribute holds."""

    def resolve(source: Any, asking: Asking, **asked: Any) -> Page:
        return page(getattr(source, name), asking, **asked)

    return resolve


# Issues


_ORDERS: dict[str, Callable[[Issue], float]] = {
    "CREATED_AT": lambda issue: issue.created_at.timestamp(),
    "UPDATED_AT": lambda issue: issue.updated_at.timestamp(),
    "COMMENTS": lambda issue: len(issue.comments),
}


def issue_page(home: Repository | Milestone, issues: Sequence[Issue], asking: Asking, **asked: Any) -> Page:
    """Return a page of issues in the order and with the filters that are asked for, spoiled where a fault says so."""
    order = asked.pop("orderBy", None) or {"field": "CREATED_AT", "direction": "ASC"}
    filters = dict(asked.pop("filterBy", None) or {})
    states = tuple(sorted(filters.pop("states", None) or asked.pop("states", None) or ()))
    labels = tuple(filters.pop("labels", None) or asked.pop("labels", None) or ())
    since = filters.pop("since", None)
    moment = datetime.fromisoformat(since).timestamp() if since else None
    rest = tuple(sorted((name, value) for name, value in filters.items() if value is not None))
    kept = sorted_issues(home, issues, asking, order["field"], order["direction"], states, labels, rest)
    listed, places = kept
    if moment is not None:
        listed, places = _since(listed, places, moment, order)
    if asking.site.faults.index_lag:
        listed, places = _indexed(listed, places, asking.site.now() - asking.site.faults.lag, moment is not None)
    fault = asking.fault
    after = asked.get("after")
    if fault is not None and fault.kind == "expired_cursor" and after is not None:
        raise bad_cursor(after)
    told = page(listed, asking, places=places, **asked)
    _spoil(told, asking, after)
    return told


def sorted_issues(
    home: Repository | Milestone,
    issues: Sequence[Issue],
    asking: Asking,
    order: str,
    direction: str,
    states: tuple[str, ...] = (),
    labels: tuple[str, ...] = (),
    rest: tuple[tuple[str, Any], ...] = (),
) -> tuple[list[Issue], list[Place]]:
    """Return issues in an order with their places in it; sorted once as long as nothing changes on the site."""
    site = asking.site
    key = (home.id, order, direction, states, labels, rest)
    kept = site.sorted.get(key)
    if kept is not None and kept[0] == site.version:
        return kept[1], kept[2]
    sign = -1.0 if direction == "DESC" else 1.0
    value = _ORDERS[order]
    chosen = [issue for issue in issues if _matches(issue, states, labels, rest)]
    rows: list[tuple[Place, Issue]] = sorted(((sign * value(issue), sign * issue.id_number), issue) for issue in chosen)
    listed, places = [issue for _, issue in rows], [place for place, _ in rows]
    site.sorted[key] = (site.version, listed, places)
    return listed, places


def _matches(issue: Issue, states: Sequence[str], labels: Sequence[str], rest: Sequence[tuple[str, Any]]) -> bool:
    if states and issue.state not in states:
        return False
    if labels and not {label.name for label in issue.labels} & set(labels):
        return False
    return all(_TESTS[name](issue, wanted) for name, wanted in rest)


def _one_of(found: Sequence[str], wanted: str) -> bool:
    """Compare as GitHub's filters do: ``*`` is anything, ``none`` is nothing."""
    return bool(found) if wanted == "*" else not found if wanted == "none" else wanted in found


_TESTS: dict[str, Callable[[Issue, Any], bool]] = {
    "assignee": lambda issue, wanted: _one_of([one.login for one in issue.assignees], wanted),
    "milestone": lambda issue, wanted: _one_of([str(issue.milestone.number)] if issue.milestone else [], wanted),
    "milestoneNumber": lambda issue, wanted: _one_of([str(issue.milestone.number)] if issue.milestone else [], wanted),
    "type": lambda issue, wanted: _one_of([issue.issue_type.name] if issue.issue_type else [], wanted),
}


def _since(
    listed: list[Issue], places: list[Place], moment: float, order: dict[str, str]
) -> tuple[list[Issue], list[Place]]:
    """Keep what was updated at or after a moment."""
    if order["field"] == "UPDATED_AT" and order["direction"] == "ASC":
        begin = bisect_left(places, (moment,))
        return listed[begin:], places[begin:]
    kept = [at for at, issue in enumerate(listed) if issue.updated_at.timestamp() >= moment]
    return [listed[at] for at in kept], [places[at] for at in kept]


def _indexed(
    listed: list[Issue], places: list[Place], shown_until: datetime, by_change: bool
) -> tuple[list[Issue], list[Place]]:
    """Keep what a late index shows: not what is new, nor, in a list of what changed, what changed just now."""
    kept = [at for at, issue in enumerate(listed) if is_indexed(issue, shown_until, by_change)]
    return [listed[at] for at in kept], [places[at] for at in kept]


def is_indexed(thing: Any, shown_until: datetime, by_change: bool) -> bool:
    """Return whether a late index shows an issue; one that changed it knows as it was, so not `by_change`."""
    at: datetime = thing.updated_at if by_change else thing.created_at
    return at <= shown_until


def _spoil(told: Page, asking: Asking, after: str | None) -> None:
    """Let a page of issues meet the faults that concern it."""
    most, fault = asking.site.faults.resource_nodes, asking.fault
    nodes: list[Any] = told["nodes"]
    if most is not None and len(nodes) > most:
        nodes[most:] = [Refusal(GONE_WRONG, type="RESOURCE_LIMITS_EXCEEDED") for _ in nodes[most:]]
    if fault is None:
        return
    if fault.kind == "partial" and nodes:
        nodes[0] = Refusal("Something went wrong while executing your query. Please try again.")
    if fault.kind == "null_cursor":
        told["pageInfo"] |= {"hasNextPage": True, "endCursor": None}
    if fault.kind == "same_cursor":
        told["pageInfo"] |= {"hasNextPage": True, "endCursor": after or told["pageInfo"]["endCursor"]}
