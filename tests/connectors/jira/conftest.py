"""A small Jira for the client's tests: answers what it is told, and keeps what it was asked."""

import asyncio
import re
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import orjson
import pytest
import respx

from connectors.base import Reading
from connectors.registry import open_connection
from domain.workspace import Connection, Secret

SITE = "https://acme.atlassian.net"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

FIELDS = [
    {"id": "summary", "name": "Summary", "custom": False, "schema": {"type": "string", "system": "summary"}},
    {"id": "customfield_10016", "name": "Story point estimate", "custom": True,
     "schema": {"type": "number", "custom": "com.pyxis.greenhopper.jira:jsw-story-points", "customId": 10016}},
    {"id": "customfield_10020", "name": "Sprint", "custom": True,
     "schema": {"type": "array", "custom": "com.pyxis.greenhopper.jira:gh-sprint", "customId": 10020}},
    {"id": "customfield_10001", "name": "Team", "custom": True,
     "schema": {"type": "team", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:atlassian-team"}},
]  # fmt: skip
CLASSIC = {
    "id": "customfield_10026", "name": "Story Points", "custom": True,
    "schema": {"type": "number", "custom": "com.atlassian.jira.plugin.system.customfieldtypes:float"},
}  # fmt: skip


def issue(id, *, project="PAY", updated="2026-11-20T09:00:00.000+0000", parent=None, **fields):
    """Write an issue as the fake keeps it; `parent` is an id."""
    above = {"parent": {"id": str(parent), "key": f"PAY-{parent}"}} if parent else {}
    base = {"summary": f"Issue {id}", "project": {"id": "1", "key": project, "name": project}, "updated": updated}
    return {"id": str(id), "key": f"{project}-{id}", "fields": {**base, **above, **fields}}


def updated_ms(one):
    return datetime.fromisoformat(one["fields"]["updated"]).timestamp() * 1000


class FakeJira:
    """Cloud by default; `server` makes it Data Center. `planned` answers come before its own, by path."""

    def __init__(self, server=False):
        self.server = server
        self.issues = {}
        self.histories = {}
        self.links = {}
        self.projects = [{"id": "1", "key": "PAY", "name": "Payments"}, {"id": "2", "key": "CORE", "name": "Core"}]
        self.fields = list(FIELDS)
        self.boards = {}
        self.me = {"name": "bot"} if server else {"accountId": "acc-1", "timeZone": "Europe/Berlin"}
        self.scope = lambda issue: issue["fields"]["project"]["key"] in ("PAY", "CORE")
        self.ms_counts = None
        self.page_cap = 5000
        self.planned = {}
        self.calls = []
        self.now = NOW
        self.slept = []
        self.waits = []

    def add(self, *issues):
        for one in issues:
            self.issues[int(one["id"])] = one

    def plan(self, path, *answers):
        self.planned.setdefault(path, []).extend(answers)

    def asked(self, path):
        return [orjson.loads(call.content) if call.content else dict(call.url.params)
                for call in self.calls if call.url.path.endswith(path)]  # fmt: skip

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)
        await asyncio.sleep(0)

    def answer(self, request):
        self.calls.append(request)
        path = request.url.path
        for planned, answers in self.planned.items():
            if path.endswith(planned) and answers:
                return answers.pop(0)
        body = orjson.loads(request.content) if request.content else dict(request.url.params)
        told = self.route(path.partition("/rest/api/" + ("2" if self.server else "3"))[2] or path, body)
        if isinstance(told, httpx.Response):
            return told
        return httpx.Response(200, json=told, headers={"date": format_datetime(self.now, usegmt=True)})

    def route(self, path, body):
        match path:
            case "/myself":
                return self.me
            case "/serverInfo":
                return {"deploymentType": "Server" if self.server else "Cloud"}
            case "/field":
                return self.fields
            case "/issuetype":
                return [
                    {"id": "10000", "name": "Epic", "subtask": False} | ({} if self.server else {"hierarchyLevel": 1})
                ]
            case "/status":
                return [{"id": "3", "name": "In Review", "statusCategory": {"key": "indeterminate"}}]
            case "/project":
                return self.projects
            case "/project/search":
                start = int(body["startAt"])
                page = self.projects[start : start + 100]
                return {"values": page, "total": len(self.projects), "isLast": start + 100 >= len(self.projects)}
            case "/mypermissions":
                return {
                    "permissions": {
                        name: {"havePermission": name != "LINK_ISSUES"} for name in body["permissions"].split(",")
                    }
                }
            case "/rest/agile/1.0/board":
                return {"values": [{"id": id} for id in self.boards]}
            case "/search/approximate-count":
                if self.ms_counts is not None and re.search(r"updated >= \d", body["jql"]):
                    return self.ms_counts if isinstance(self.ms_counts, httpx.Response) else {"count": self.ms_counts}
                return {"count": len(self.matching(body["jql"]))}
            case "/search/jql":
                return self.search(body)
            case "/search":
                return self.server_search(body)
            case "/issue/bulkfetch":
                ids = {int(re.sub(r"\D", "", name)) for name in body["issueIdsOrKeys"]}
                return {"issues": [one for id, one in sorted(self.issues.items()) if id in ids]}
            case "/changelog/bulkfetch":
                logs = [{"issueId": id, "changeHistories": self.histories[int(id)]}
                        for id in body["issueIdsOrKeys"] if self.histories.get(int(id))]  # fmt: skip
                return {"issueChangeLogs": logs}
        if board := re.fullmatch(r"/rest/agile/1.0/board/(\d+)/configuration", path):
            return {"estimation": {"field": {"fieldId": self.boards[int(board[1])]}}}
        if log := re.fullmatch(r"/issue/(\d+)/changelog", path):
            entries, start = self.histories[int(log[1])], int(body["startAt"])
            page = entries[start : start + 2]
            return {"values": page, "startAt": start, "total": len(entries), "isLast": start + 2 >= len(entries)}
        if linked := re.fullmatch(r"/issue/(\d+)/remotelink", path):
            return self.links[int(linked[1])]
        if one := re.fullmatch(r"/issue/(\d+)", path):
            found = self.issues.get(int(one[1]))
            return found or httpx.Response(404, json={"errorMessages": ["Issue does not exist."]})
        return httpx.Response(404, json={"errorMessages": [f"no {path}"]})

    def matching(self, jql):
        clause = jql.partition(" ORDER BY ")[0]
        found = [one for _, one in sorted(self.issues.items())]
        if parents := re.search(r"parent in \(([\d, ]+)\)", clause):
            wanted = set(parents[1].split(", "))
            return [one for one in found if one["fields"].get("parent", {}).get("id") in wanted]
        if ids := re.search(r"(?<![a-z])id in \(([\d, ]+)\)", clause):
            wanted = set(ids[1].split(", "))
            found = [one for one in found if one["id"] in wanted]
        for sign, bound in re.findall(r"(?<![a-z])id (>=|<=|>) (\d+)", clause):
            compare = {">=": int.__ge__, "<=": int.__le__, ">": int.__gt__}[sign]
            found = [one for one in found if compare(int(one["id"]), int(bound))]
        if key := re.search(r'project = "(\w+)"', clause):
            found = [one for one in found if one["fields"]["project"]["key"] == key[1]]
        if ms := re.search(r"updated >= (\d+)", clause):
            found = [
                one
                for one in found
                if datetime.fromisoformat(one["fields"]["updated"]).timestamp() * 1000 >= int(ms[1])
            ]
        if not clause.startswith(("id in", "updated")):
            found = [one for one in found if self.scope(one)]
        return found

    def search(self, body):
        found = self.matching(body["jql"])
        start = int(body.get("nextPageToken") or 0)
        size = min(body["maxResults"], self.page_cap)
        page = found[start : start + size]
        if body["fields"] == ["id"]:
            page = [{"id": one["id"]} for one in page]
        more = {"nextPageToken": str(start + size)} if start + size < len(found) else {"isLast": True}
        return {"issues": page} | more

    def server_search(self, body):
        found = self.matching(body["jql"])
        start, size = int(body["startAt"]), min(int(body["maxResults"]), self.page_cap)
        page = found[start : start + size]
        if body.get("expand"):
            page = [one | {"changelog": self.embedded(one)} for one in page]
        return {"issues": page, "total": len(found), "startAt": start, "maxResults": size}

    def embedded(self, one):
        entries = self.histories.get(int(one["id"]), [])
        return {"startAt": 0, "total": len(entries), "histories": entries[:2]}


class Everything:
    """A backfill that has nothing yet, or what `stored` holds."""

    def __init__(self, stored=()):
        self.stored = set(stored)

    async def missing(self, ids):
        return [id for id in ids if id not in self.stored]


@pytest.fixture
def jira():
    return FakeJira()


@pytest.fixture
def server():
    return FakeJira(server=True)


@pytest.fixture
def make_issue():
    return issue


@pytest.fixture
def classic_points():
    return CLASSIC


@pytest.fixture
def everything():
    return Everything


@pytest.fixture
def connection():
    return Connection(
        name="jira-main",
        type="jira",
        url=SITE,
        auth={"email": "bot@acme.com", "token": Secret("env:JIRA_TOKEN", "t0k3n-value")},
        scope={"projects": ["PAY", "CORE"]},
    )


@pytest.fixture
def reading():
    facts = {
        "deployment": "cloud", "api": "/rest/api/3", "site": SITE, "gateway": None, "time_zone": "Europe/Berlin",
        "fields": {"estimate": "customfield_10016", "sprint": "customfield_10020", "epic_link": None, "extra": {}},
        "request_fields": ["summary", "project", "updated", "parent"], "epoch_ms": True,
        "visible_projects": ["CORE", "PAY"], "read_ms": int(NOW.timestamp() * 1000),
    }  # fmt: skip
    return Reading(facts=facts, account="acc-1", digest="d")


@pytest.fixture
def server_reading(reading):
    return Reading(facts={**reading.facts, "deployment": "datacenter", "api": "/rest/api/2"}, account="bot", digest="d")


@pytest.fixture
def opened():
    """Open a client of a connection on a fake."""

    @asynccontextmanager
    async def opened(connection, fake, **more):
        router = respx.MockRouter(assert_all_called=False)
        router.route().mock(side_effect=fake.answer)
        async with open_connection(
            connection,
            transport=httpx.MockTransport(router.async_handler),
            on_wait=lambda text, until: fake.waits.append((text, until)),
            sleep=fake.sleep,
            now=lambda: fake.now,
            **more,
        ) as client:
            yield client

    return opened


@pytest.fixture
def client_on(opened, connection):
    """Open the usual connection on a fake."""
    return lambda fake, **more: opened(connection, fake, **more)
