"""A Jira of rendered issues: searches, issues by the hundred, histories, and what discovery asks for.

What the issues are is told in `payloads`, which of them a query finds in `jql`; nothing is measured here.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson

from app.demo import jira_bodies
from app.demo.site import POINTS
from bench import payloads
from bench.answer import Answer
from bench.jql import positions
from bench.payloads import FIRST_ID, Issues

API = "/rest/api/3"
MAX_IDS, MAX_ISSUES = 5000, 100


@dataclass(slots=True)
class Jira:
    """The issues, the answers that never change, and what each query found."""

    issues: Issues
    fixed: dict[str, bytes]
    found: dict[str, list[int]] = field(default_factory=dict)

    def answer(self, method: str, target: str, body: bytes) -> Answer:
        """Answer a call; 404 for a path that is not there."""
        path = target.partition("?")[0]
        status, told, objects = self._told(method, target, path, body)
        return Answer(name=path, status=status, body=told, cost=1 + objects)

    def touch(self, count: int, now: datetime) -> None:
        """Change `count` issues spread over all."""
        payloads.touch(self.issues, count, now)
        self.found.clear()

    def _told(self, method: str, target: str, path: str, body: bytes) -> tuple[int, bytes, int]:
        """Return status and body, and how many objects are in it, each of which Jira charges a point for."""
        if fixed := self.fixed.get(path):
            return 200, fixed, 0
        match path:
            case "/rest/api/3/issue/bulkfetch":
                asked = orjson.loads(body)
                return self.bulk(asked["issueIdsOrKeys"], self.shapes(asked))
            case "/rest/api/3/search/jql":
                asked = orjson.loads(body) if method == "POST" else _query(target)
                return self.search(asked)
            case "/rest/api/3/search/approximate-count":
                return 200, b'{"count":%d}' % len(self.matching(orjson.loads(body)["jql"])), 0
            case "/rest/api/3/changelog/bulkfetch":
                ids = orjson.loads(body)["issueIdsOrKeys"]
                return 200, self.changelogs(ids), len(ids)
            case _:
                tail = path.removeprefix(f"{API}/issue/")
                place = int(tail) - FIRST_ID if tail.isdigit() else -1
                if 0 <= place < self.issues.size:
                    return 200, self.issues.bodies[place], 1
        told = {"errorMessages": [f"The benchmark's server has no {method} {path}."], "errors": {}}
        return 404, orjson.dumps(told), 0

    def shapes(self, asked: dict[str, Any]) -> list[bytes]:
        """Return the issues as a request wants them: whole, with the fields that Keyrail asks for, or ids and keys."""
        fields = set(asked.get("fields") or ["id"])
        if fields <= {"id", "key"}:
            return self.issues.ids
        return self.issues.bodies if "*all" in fields else self.issues.asked

    def bulk(self, ids: list[str], source: list[bytes]) -> tuple[int, bytes, int]:
        """Return up to 100 issues."""
        if len(ids) > MAX_ISSUES:
            return 400, b'{"errorMessages":["The number of issues requested must not exceed 100."],"errors":{}}', 0
        places = sorted(int(id) - FIRST_ID for id in ids)
        bodies = [source[p] for p in places if 0 <= p < self.issues.size]
        return 200, b'{"issues":[' + b",".join(bodies) + b'],"issueErrors":[]}', len(bodies)

    def search(self, asked: dict[str, Any]) -> tuple[int, bytes, int]:
        """Return a page: 5,000 where only ids and keys are asked for, else 100 whole issues."""
        source = self.shapes(asked)
        size = min(int(asked.get("maxResults") or 50), MAX_IDS if source is self.issues.ids else MAX_ISSUES)
        token = asked.get("nextPageToken")
        start = int(base64.b64decode(token)) if token else 0
        places = self.matching(asked["jql"])
        page = places[start : start + size]
        last = start + size >= len(places)
        more = b"" if last else b',"nextPageToken":"%s"' % base64.b64encode(b"%d" % (start + size))
        rows = b",".join([source[p] for p in page])
        body = b'{"isLast":%s%s,"issues":[' % (b"true" if last else b"false", more) + rows + b"]}"
        return 200, body, len(page)

    def changelogs(self, ids: list[str]) -> bytes:
        """Return one status change for each touched issue, nothing for the others."""
        logs = []
        for id in ids:
            at = self.issues.touched.get(int(id) - FIRST_ID)
            if at is not None:
                item = {
                    "field": "status", "fieldId": "status", "fieldtype": "jira",
                    "from": "10000", "fromString": "To Do", "to": "10002", "toString": "Done",
                }  # fmt: skip
                moment = datetime.fromtimestamp(at / 1000, UTC)
                created = f"{moment:%Y-%m-%dT%H:%M:%S}.{at % 1000:03d}+0000"
                entry = {"id": str(900_000 + int(id)), "created": created, "items": [item]}
                logs.append({"issueId": id, "changeHistories": [entry]})
        return orjson.dumps({"issueChangeLogs": logs, "nextPageToken": None})

    def matching(self, jql: str) -> list[int]:
        """Return the positions that a query finds; each text is worked out once until something is touched."""
        if jql not in self.found:
            self.found[jql] = positions(jql, self.issues)
        return self.found[jql]


def _query(target: str) -> dict[str, Any]:
    values = parse_qs(urlsplit(target).query)
    asked: dict[str, Any] = {name: value[0] for name, value in values.items()}
    return asked | {"fields": [part for value in values.get("fields", ()) for part in value.split(",")]}


def fixed_answers(issues: Issues) -> dict[str, bytes]:
    """Render what discovery asks for."""
    site = issues.site
    projects = [jira_bodies.project(site, p, in_list=True) for p in site.projects.values()]
    page = {"self": site.url, "maxResults": 100, "startAt": 0, "total": len(projects), "isLast": True}
    names = ("BROWSE_PROJECTS", "EDIT_ISSUES", "LINK_ISSUES", "ADD_COMMENTS", "ADMINISTER")
    board = {"id": 1, "self": site.url, "name": "Board", "type": "scrum"}
    estimation = {"type": "field", "field": {"fieldId": POINTS, "displayName": "Story point estimate"}}
    answers: dict[str, Any] = {
        f"{API}/myself": jira_bodies.account(site, site.me),
        f"{API}/serverInfo": {
            "baseUrl": site.url, "deploymentType": "Cloud", "version": "1001.0.0-SNAPSHOT",
            "serverTime": jira_bodies.stamp(datetime.now(UTC), site.zone), "serverTitle": "Jira",
        },
        f"{API}/field": jira_bodies.field_list(site),
        f"{API}/issuetype": [jira_bodies.issue_type(site, kind) for kind in site.types.values()],
        f"{API}/status": [jira_bodies.status(site, state) for state in site.statuses.values()],
        f"{API}/project/search": page | {"values": projects},
        f"{API}/mypermissions": {
            "permissions": {n: {"key": n, "name": n, "type": "PROJECT", "havePermission": True} for n in names}
        },
        "/_edge/tenant_info": {"cloudId": site.cloud_id},
        "/rest/agile/1.0/board": page | {"values": [board]},
        "/rest/agile/1.0/board/1/configuration": {"id": 1, "name": "Board", "estimation": estimation},
    }  # fmt: skip
    return {path: orjson.dumps(body) for path, body in answers.items()}


def prepared(size: int, now: datetime | None = None) -> Jira:
    """Render everything and return a Jira that is ready to be asked."""
    issues = payloads.render(size, now)
    return Jira(issues=issues, fixed=fixed_answers(issues))
