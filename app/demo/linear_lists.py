"""Lists as Linear gives them: what the account sees, filtered, newest first, and the page that was asked for.

Nothing of HTTP, and nothing of what a single field says.
"""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_left
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

import orjson

from app.demo.faults import Fault
from app.demo.graphql import Refusal
from app.demo.linear_edits import stamp
from app.demo.linear_filters import ValueOf, invalid, test_of
from app.demo.linear_limits import DEFAULT_PAGE, Limits
from app.demo.linear_model import (
    Attachment,
    Cycle,
    Initiative,
    InitiativeRelation,
    InitiativeToProject,
    Issue,
    IssueRelation,
    Label,
    Link,
    Milestone,
    Project,
    Row,
    State,
    Team,
    Update,
    User,
)
from app.demo.linear_site import Site

MOST_ROWS = 250
LISTS_KEPT = 32


@dataclass(slots=True, kw_only=True)
class Asked:
    """One authorised request as the fields see it: who asks, the fault it meets, and what lists were kept.

    `app` says that the application asks for itself: private teams are closed to it, and initiatives need a scope.
    """

    site: Site
    user: User
    limits: Limits
    app: bool = False
    scopes: tuple[str, ...] = ("read", "write", "initiative:read")
    fault: Fault | None = None
    kept: dict[bytes, tuple[int, list[Any]]] = field(default_factory=dict)


def missing(kind: str) -> Refusal:
    """Return the refusal of an id that nothing visible has."""
    told = {"type": "invalid input", "code": "INPUT_ERROR", "statusCode": 400, "userError": True}
    words = f"Could not find referenced {kind}."
    return Refusal(f"Entity not found: {kind}", extensions={**told, "userPresentableMessage": words})


def administers(asked: Asked) -> None:
    """Raise Linear's refusal unless the account administers the workspace, as an application by itself never does."""
    if "admin" not in asked.scopes:
        told = {"type": "forbidden", "code": "FORBIDDEN", "statusCode": 403, "userError": True}
        raise Refusal("Invalid scope: `admin` required", extensions=told)


def seen(asked: Asked, row: Any) -> bool:
    """Return whether the account sees a row."""
    match row:
        case None:
            return False
        case Issue() | Cycle() | State():
            return _team_seen(asked, row.team)
        case Team():
            return _team_seen(asked, row)
        case Label():
            return row.team is None or _team_seen(asked, row.team)
        case Project():
            return any(_team_seen(asked, team) for team in row.teams)
        case Initiative():
            return not asked.site.faults.hide_initiatives and (not asked.app or "initiative:read" in asked.scopes)
        case Milestone():
            return seen(asked, row.project)
        case Attachment():
            return seen(asked, row.issue)
        case IssueRelation():
            return seen(asked, row.issue) and seen(asked, row.related_issue)
        case InitiativeToProject():
            return seen(asked, row.initiative) and seen(asked, row.project)
        case InitiativeRelation():
            return seen(asked, row.initiative) and seen(asked, row.related_initiative)
        case Update() | Link():
            return seen(asked, row.project or row.initiative)
        case _:
            return True


def _team_seen(asked: Asked, team: Team) -> bool:
    return not (team.hidden or (asked.app and team.visibility == "private"))


class Slice:
    """One page of a connection."""

    __slots__ = ("end", "nodes", "order", "page_info")

    def __init__(self, nodes: list[Any], order: str, *, more: bool, before: bool, end: str | None) -> None:
        self.nodes = nodes
        self.order = order
        start = cursor_of(nodes[0], order) if nodes else None
        self.page_info = {"hasNextPage": more, "hasPreviousPage": before, "startCursor": start, "endCursor": end}

    def edges(self) -> list[dict[str, Any]]:
        """Return the rows with the cursor of each."""
        return [{"cursor": cursor_of(row, self.order), "node": row} for row in self.nodes]


def cursor_of(row: Row, order: str) -> str:
    """Return the cursor after a row: where it stands in this order."""
    at = row.updated_at if order == "updatedAt" else row.created_at
    return base64.urlsafe_b64encode(f"{stamp(at)} {row.id}".encode()).decode().rstrip("=")


def _anchor(cursor: str) -> tuple[datetime, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, id_ = text.partition(" ")
        return datetime.fromisoformat(at), id_
    except (binascii.Error, ValueError) as error:
        raise invalid("Argument Validation Error: after is not a valid cursor.") from error


def listed(
    asked: Asked,
    rows: Collection[Any],
    *,
    value_of: ValueOf | None = None,
    keep: str = "",
    first: int | None = None,
    after: str | None = None,
    orderBy: str | None = None,  # arguments have Linear's names
    includeArchived: bool | None = None,
    filter: Mapping[str, Any] | None = None,
) -> Slice:
    """Return the page that the arguments of a connection ask for; raises Refusal.

    With `keep`, the name of a list of the root, the rows that an earlier page found are used again while nothing
    changed, and the faults of paging meet it.
    """
    size, order, archived = _size(first), orderBy or "createdAt", bool(includeArchived)
    if not rows:
        return Slice([], order, more=False, before=after is not None, end=None)
    fault = asked.fault.kind if keep and asked.fault is not None else None
    if after is not None and fault == "expired_cursor":
        raise invalid("Argument Validation Error: after is no longer valid.")
    what = orjson.dumps([keep, order, archived, filter, asked.app, _hidden(asked)]) if keep else b""
    version, found = asked.kept.get(what, (-1, [])) if after is not None else (-1, [])
    if version != asked.site.version:
        found = _found(asked, rows, value_of, order, archived=archived, wanted=filter or {})
        if keep and asked.site.faults.index_lag and "id" not in (filter or {}):
            found = _indexed(asked, found, "updatedAt" in (filter or {}))
        if keep:
            _keep(asked, what, found)
    start = 0
    if after is not None:
        anchor, place = _anchor(after), _place(order)
        start = bisect_left(found, True, key=lambda row: place(row) < anchor)
    limit = min(size, asked.site.faults.page_size or size)
    page = found[start : start + limit]
    more, end = start + limit < len(found), cursor_of(page[-1], order) if page else None
    if fault in ("null_cursor", "same_cursor"):
        more, end = True, after if fault == "same_cursor" else None
    return Slice(page, order, more=more, before=start > 0, end=end)


def _keep(asked: Asked, what: bytes, found: list[Any]) -> None:
    asked.kept[what] = asked.site.version, found
    if len(asked.kept) > LISTS_KEPT:
        del asked.kept[next(iter(asked.kept))]


def _size(first: int | None) -> int:
    if first is None:
        return DEFAULT_PAGE
    if first > MOST_ROWS:
        raise invalid(f"Argument Validation Error: first must not be greater than {MOST_ROWS}")
    if first < 1:
        raise invalid("Argument Validation Error: first must not be less than 1")
    return first


def _hidden(asked: Asked) -> list[Any]:
    teams = [team.id for team in asked.site.all(Team) if team.hidden]
    return [*teams, asked.site.faults.hide_initiatives, *asked.scopes]


def _place(order: str) -> Callable[[Any], tuple[datetime, str]]:
    return attrgetter("updated_at" if order == "updatedAt" else "created_at", "id")


def _found(
    asked: Asked,
    rows: Collection[Any],
    value_of: ValueOf | None,
    order: str,
    *,
    archived: bool,
    wanted: Mapping[str, Any],
) -> list[Any]:
    test = test_of(wanted, value_of or plain_value, asked.site.now()) if wanted else None
    found = [
        row
        for row in rows
        if (archived or row.archived_at is None) and (test is None or test(row)) and seen(asked, row)
    ]
    found.sort(key=_place(order), reverse=True)
    return found


def _indexed(asked: Asked, found: list[Any], by_change: bool) -> list[Any]:
    """Keep what a late index shows: not what is new, nor, in a list of what changed, what changed just now."""
    shown_until = asked.site.now() - asked.site.faults.lag
    return [row for row in found if (row.updated_at if by_change else row.created_at) <= shown_until]


def plain_value(name: str) -> Callable[[Any], Any]:
    """Return what a filter's field is compared with: the attribute of that name."""
    return attrgetter(snake(name))


def snake(name: str) -> str:
    """Return our name of Linear's: ``startedAt`` is ``started_at``."""
    found = _SNAKES.get(name)
    if found is None:
        found = _SNAKES[name] = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
    return found


_SNAKES: dict[str, str] = {}
