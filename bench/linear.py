"""A Linear of rendered issues: windows of numbers, what changed, issues by id, projects, initiatives, and discovery.

What they are is told in `linear_issues`; documents are read and answers cut by `documents`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from app.demo.graphql import schema_of
from app.demo.linear_graph import SDL
from app.demo.linear_limits import Bucket, Limits, complexity
from bench.answer import Answer, UnknownQuery
from bench.documents import Documents, Rows, Told, connection, cut
from bench.linear_issues import (
    KEYS,
    LABELS,
    PROJECT_LABELS,
    STATES,
    STATUSES,
    Issues,
    made,
    number_of,
    position_of,
    projects_among,
    state_at,
    team_at,
    team_of,
)
from bench.payloads import EPIC_EVERY, INITIATIVES
from connectors.linear.queries import ISSUES_IN_WINDOW

REQUESTS, COMPLEXITY = 10_000_000, 10_000_000_000
"""what the headers speak of, an hour: so much that no run is slowed by it"""
MOST = 10_000
"""points that Linear lets one query cost"""

Condition = Mapping[str, Any]


class Linear:
    """The issues, and which of them each team has."""

    def __init__(self, issues: Issues) -> None:
        self.issues = issues
        self.documents = Documents(schema_of(SDL.read_text()), complexity)
        self.limits = Limits(requests=Bucket(limit=REQUESTS), complexity=Bucket(limit=COMPLEXITY))
        self.members = {
            f"team-{team}": [at for at in range(issues.size) if team_of(at) == team] for team in range(len(KEYS))
        }

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a GraphQL call by the shape of its document."""
        if (method, target) != ("POST", "/graphql"):
            raise UnknownQuery(f"the benchmark's Linear has no {method} {target}")
        asked = orjson.loads(body)
        variables: Mapping[str, Any] = asked.get("variables") or {}
        document = self.documents.read(asked["query"])
        cost = self.documents.cost(document, variables)
        if cost > MOST:
            raise UnknownQuery(f"too complex: {cost:.0f} points for {document.name}, Linear allows {MOST}")
        now = datetime.now(UTC)
        self.limits.requests.take(1, now)
        self.limits.complexity.take(cost, now)
        told = cut(self._root(), document.plan, variables)
        headers = self.limits.headers(now, cost)
        return Answer(name=document.name, body=orjson.dumps({"data": told}), cost=cost, headers=headers)

    def touch(self, count: int, now: datetime) -> None:
        """Complete or reopen `count` issues spread over all, children only, one millisecond after the other."""
        stride, start, places = max(1, self.issues.size // count), int(now.timestamp() * 1000), []
        for number in range(count):
            place = min(self.issues.size - 1, number * stride + 7)
            place += place % EPIC_EVERY == 0
            self.issues.touched[place] = start + number
            places.append(place)
        self.documents.forget(places)

    def render(self) -> None:
        """Render every issue as Keyrail's windows ask for it."""
        plan = self.documents.read(ISSUES_IN_WINDOW).plan
        for name in ("issues", "nodes"):
            plan = next(one.inner for one in plan.fields if one.name == name and one.inner)
        Rows(range(self.issues.size), self.issues.node).under(plan)

    def _root(self) -> Told:
        return {
            "viewer": {
                "id": "user-bench", "name": "Bench", "displayName": "bench", "email": "bench@example.com",
                "app": False, "admin": False, "guest": False,
            },
            "organization": {"id": "workspace-bench", "name": "Bench", "urlKey": "bench"},
            "__type": lambda name: self.documents.type(name),
            "teams": _listed([self._team(team) for team in range(len(KEYS))]),
            "workflowStates": _listed([state_at(team, at) for team in range(len(KEYS)) for at in range(len(STATES))]),
            "projectStatuses": _listed(
                [{"id": f"status-{at}", "name": name, "type": type} for at, (name, type) in enumerate(STATUSES)]
            ),
            "issueLabels": _listed([_label(id, name) for id, name in LABELS.items()]),
            "projectLabels": _listed([_label(id, name) for id, name in PROJECT_LABELS.items()]),
            "initiativeLabels": _listed([]),
            "projects": _listed(_Made(projects_among(self.issues.size), self.issues.project)),
            "initiatives": _listed(_Made(INITIATIVES, self.issues.initiative)),
            "issues": self._issues,
        }  # fmt: skip

    def _team(self, team: int) -> Told:
        places = self.members[f"team-{team}"]
        return {
            **team_at(team),
            "visibility": "public",
            "issueEstimationType": "fibonacci",
            "retiredAt": None,
            "archivedAt": None,
            "issueCount": len(places),
            "issues": connection([{"number": number_of(places[-1])}] if places else []),
        }

    def _issues(
        self,
        *,
        first: int,
        includeArchived: bool,
        after: str | None = None,
        orderBy: str = "createdAt",
        filter: Condition | None = None,
    ) -> Told:
        """Return a page of issues, the newest or the one that changed last first."""
        conditions = dict(filter or {})
        ids = _word(conditions.pop("id", None))
        if ids is not None:
            places: Sequence[int] = [at for id in ids if (at := position_of(id, self.issues.size)) is not None]
        else:
            teams = _word((conditions.pop("team", None) or {}).get("id"))
            places = [at for team in teams or self.members for at in self._numbered(team, conditions)]
            conditions.pop("number", None)
            places = self._within(places, conditions.pop("updatedAt", None))
        if conditions:
            raise UnknownQuery(f"the benchmark's Linear does not know this filter: {filter}")
        newest = (lambda at: (self.issues.changed(at), at)) if orderBy == "updatedAt" else None
        ordered = sorted(places, key=newest, reverse=True)
        start = int(after) if after else 0
        more = str(start + first) if start + first < len(ordered) else None
        return connection(Rows(ordered[start : start + first], self.issues.node), after=more)

    def _numbered(self, team: str, conditions: Condition) -> Sequence[int]:
        places, numbers = self.members.get(team, []), conditions.get("number")
        if numbers is None:
            return places
        low, high = _bounds(numbers)
        return places[bisect_left(places, low, key=number_of) : bisect_left(places, high, key=number_of)]

    def _within(self, places: Sequence[int], span: Condition | None) -> Sequence[int]:
        if span is None:
            return places
        low, high = (datetime.fromisoformat(one).timestamp() * 1000 for one in _bounds(span))
        return [at for at in places if low <= self.issues.changed(at) < high]


class _Made(Sequence[Told]):
    """Things made when a page of them is asked for."""

    def __init__(self, size: int, make: Callable[[int], Told]) -> None:
        self._size, self._make = size, make

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, at: Any) -> Any:
        chosen = range(self._size)[at]
        return [self._make(one) for one in chosen] if isinstance(chosen, range) else self._make(chosen)


def _listed(nodes: Sequence[Told]) -> Callable[..., Told]:
    """Return a list that is asked for page by page; of filters those by id alone, and by a project's teams: all."""

    def told(
        *,
        first: int,
        includeArchived: bool = True,
        after: str | None = None,
        filter: Condition | None = None,
    ) -> Told:
        known = set(filter or {}) <= {"id", "accessibleTeams"}
        if not known:
            raise UnknownQuery(f"the benchmark's Linear does not know this filter: {filter}")
        ids = _word((filter or {}).get("id"))
        chosen = nodes if ids is None else [node for node in nodes if node["id"] in ids]
        start = int(after) if after else 0
        more = str(start + first) if start + first < len(chosen) else None
        return connection(list(chosen[start : start + first]), after=more)

    return told


def _word(condition: Condition | None) -> list[str] | None:
    """Return what a condition ``{in: [...]}`` or ``{eq: ...}`` allows, None where there is none."""
    if condition is None:
        return None
    match dict(condition):
        case {"in": ids, **rest} if not rest:
            return list(ids)
        case {"eq": id, **rest} if not rest:
            return [str(id)]
    raise UnknownQuery(f"the benchmark's Linear does not know this condition: {condition}")


def _bounds(condition: Condition) -> Iterable[Any]:
    if set(condition) != {"gte", "lt"}:
        raise UnknownQuery(f"the benchmark's Linear does not know this span: {condition}")
    return condition["gte"], condition["lt"]


def _label(id: str, name: str) -> Told:
    return {"id": id, "name": name, "parent": None}


def prepared(size: int, now: datetime | None = None) -> Linear:
    """Render everything and return a Linear that is ready to be asked."""
    linear = Linear(made(size, now or datetime.now(UTC)))
    linear.render()
    return linear
