"""A GitHub of rendered issues: lists from both ends, what changed, issues by id, a project, and discovery.

What the issues are is told in `github_issues`; documents are read and answers cut by `documents`.
"""

from __future__ import annotations

import base64
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson

from app.demo.github_cost import cost_of
from app.demo.github_graph import SDL
from app.demo.graphql import schema_of
from bench.answer import Answer, UnknownQuery
from bench.documents import Documents, Rows, Told, connection, cut
from bench.github_issues import (
    EFFORT,
    OWNER,
    PROJECT,
    PROJECT_ID,
    REPOSITORIES,
    STATUS,
    Issues,
    in_project,
    made,
    position_of,
    repository_of,
)
from bench.payloads import EPIC_EVERY
from connectors.github.queries import ASC, listing_document
from connectors.github.selection import EVERYTHING, Selection

LIMIT = 10_000_000
"""points an hour that the headers speak of: so many that no run is slowed by them"""
ASKED = Selection(can=EVERYTHING, projects=True, values=(str(STATUS["name"]),))
"""what Keyrail asks of each issue, with the benchmark's workspace file"""


class GitHub:
    """The issues, and the lists that they are in."""

    def __init__(self, issues: Issues) -> None:
        self.issues = issues
        self.documents = Documents(
            schema_of(SDL.read_text()),
            lambda *asked: cost_of(*asked).points,
        )
        self.used = 0
        self.moved = issues.updated[-1]
        self._lists: dict[tuple[str, str], list[int]] = {}
        self._sort()

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a GraphQL call by the shape of its document."""
        if (method, target) != ("POST", "/graphql"):
            raise UnknownQuery(f"the benchmark's GitHub has no {method} {target}")
        asked = orjson.loads(body)
        variables: Mapping[str, Any] = asked.get("variables") or {}
        document = self.documents.read(asked["query"])
        cost = int(self.documents.cost(document, variables))
        self.used += cost
        reset = int(datetime.now(UTC).timestamp()) // 3600 * 3600 + 3600
        told = cut(self._root(cost, reset), document.plan, variables)
        headers = {
            "X-RateLimit-Limit": str(LIMIT),
            "X-RateLimit-Remaining": str(LIMIT - self.used),
            "X-RateLimit-Used": str(self.used),
            "X-RateLimit-Reset": str(reset),
            "X-RateLimit-Resource": "graphql",
        }
        return Answer(name=document.name, body=orjson.dumps({"data": told}), cost=cost, headers=headers)

    def touch(self, count: int, now: datetime) -> None:
        """Close or reopen `count` issues spread over all, children only; the project of some of them moves."""
        stride = max(1, self.issues.size // count)
        start = int(now.timestamp() * 1000)
        places = []
        for number in range(count):
            place = min(self.issues.size - 1, number * stride + 7)
            place += place % EPIC_EVERY == 0
            self.issues.touched[place] = start + number
            places.append(place)
        self.moved = start if any(map(in_project, places)) else self.moved
        self.documents.forget(places)
        self._sort()

    def render(self) -> None:
        """Render every issue as Keyrail's lists ask for it."""
        plan = self.documents.read(listing_document(ASKED)).plan
        for name in ("repository", "issues", "nodes"):
            plan = next(one.inner for one in plan.fields if one.name == name and one.inner)
        Rows(range(self.issues.size), self.issues.node).under(plan)

    def _sort(self) -> None:
        self._lists = {(f"{OWNER}/{name}", state): [] for name in REPOSITORIES for state in ("ALL", "OPEN", "CLOSED")}
        for at in range(self.issues.size):
            name = repository_of(at)
            self._lists[name, "ALL"].append(at)
            self._lists[name, "CLOSED" if self.issues.is_closed(at) else "OPEN"].append(at)

    def _root(self, cost: int, reset: int) -> Told:
        at = f"{datetime.fromtimestamp(reset, UTC):%Y-%m-%dT%H:%M:%SZ}"
        owner = {"__typename": "Organization", "id": "O_bench", "login": OWNER}
        project = {
            **PROJECT,
            "updatedAt": _stamp(self.moved),
            "fields": connection([STATUS]),
            "items": self._items,
        }
        return {
            "rateLimit": {
                "cost": cost, "limit": LIMIT, "remaining": LIMIT - self.used, "used": self.used, "resetAt": at,
            },
            "viewer": {"__typename": "User", "id": "U_bench", "login": "bench-bot"},
            "__type": lambda name: self.documents.type(name),
            "repository": lambda owner, name: self._repository(f"{owner}/{name}"),
            "organization": lambda login: {
                **owner,
                "issueTypes": connection([{"id": f"IT_{n}", "name": n, "isEnabled": True} for n in ("Epic", "Task")]),
                "issueFields": connection([EFFORT]),
            },
            "repositoryOwner": lambda login: {**owner, "projectV2": lambda number: project},
            "node": lambda id: {PROJECT_ID: project}[id],
            "nodes": lambda ids: self._nodes(ids, project),
        }  # fmt: skip

    def _repository(self, name: str) -> Told | None:
        if (name, "ALL") not in self._lists:
            return None

        def issues(**asked: Any) -> Told:
            return self._issues(name, **asked)

        return {
            "id": f"R_{name}", "nameWithOwner": name, "isArchived": False, "hasIssuesEnabled": True,
            "viewerPermission": "ADMIN", "owner": {"__typename": "Organization", "login": OWNER}, "issues": issues,
        }  # fmt: skip

    def _issues(
        self,
        name: str,
        *,
        first: int,
        after: str | None = None,
        states: Sequence[str] | None = None,
        orderBy: Mapping[str, str] | None = None,
        filterBy: Mapping[str, str] | None = None,
    ) -> Told:
        """Return a page of a repository's issues; `states` is one state, `filterBy` the time of a change."""
        if len(states or ()) > 1 or set(filterBy or ()) - {"since"}:
            raise UnknownQuery(f"the benchmark's GitHub does not know these filters: {states} {filterBy}")
        places = self._lists[name, states[0] if states else "ALL"]
        if filterBy:
            since = datetime.fromisoformat(filterBy["since"]).timestamp() * 1000
            start = bisect_left(places, since, key=self.issues.updated.__getitem__)
            late = [at for at, ms in self.issues.touched.items() if ms >= since and repository_of(at) == name]
            fresh = {*places[start:], *(at for at in late if states is None)}
            places = sorted(fresh)
        order = orderBy or {"field": "CREATED_AT", "direction": ASC}
        if order["field"] == "UPDATED_AT":
            places = sorted(places, key=lambda at: (self.issues.changed(at), at))
        return _page(places, first, after, descending=order["direction"] != ASC, make=self.issues.node)

    def _items(
        self,
        first: int = 0,
        after: str | None = None,
        last: int = 0,
        before: str | None = None,
        archivedStates: Sequence[str] = (),
    ) -> Told:
        """Return a page of the project's items from either end; a cursor is the place of its first or last one."""
        places = [at for at in range(self.issues.size) if in_project(at)]
        start = int(base64.b64decode(after)) + 1 if after else 0
        end = int(base64.b64decode(before)) if before else len(places)
        start, end = (max(start, end - last), end) if last else (start, min(start + first, end))
        told = connection([self.issues.item(at) for at in places[start:end]], len(places))
        return told | {
            "pageInfo": {
                "hasNextPage": end < len(places), "endCursor": _cursor(end - 1),
                "hasPreviousPage": start > 0, "startCursor": _cursor(start),
            }
        }  # fmt: skip

    def _nodes(self, ids: Sequence[str], project: Told) -> Rows | list[Told | None]:
        if PROJECT_ID in ids:
            return [project if id == PROJECT_ID else None for id in ids]
        return Rows([position_of(id, self.issues.size) for id in ids], self.issues.node)


def _page(places: Sequence[int], first: int, after: str | None, *, descending: bool, make: Any) -> Told:
    start, total = int(base64.b64decode(after)) if after else 0, len(places)
    if descending:
        page = [places[total - 1 - at] for at in range(start, min(start + first, total))]
    else:
        page = list(places[start : start + first])
    return connection(Rows(page, make), total, _cursor(start + first) if start + first < total else None)


def _cursor(at: int) -> str:
    return base64.b64encode(b"%d" % at).decode()


def _stamp(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


def prepared(size: int, now: datetime | None = None) -> GitHub:
    """Render everything and return a GitHub that is ready to be asked."""
    github = GitHub(made(size, now or datetime.now(UTC)))
    github.render()
    return github
