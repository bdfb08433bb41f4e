"""The simulated site against Atlassian's own description: nothing is wrong but what is wrong in real traffic."""

import json

import pytest

from app.demo.jira import Exchange, application
from app.demo.site import OKR_HEALTH, OKR_PROGRESS, OKR_STATE

API = "/rest/api/3"
LINK = {
    "globalId": "keyrail:demo:badge:initiative:I1",
    "application": {"type": "keyrail", "name": "Keyrail"},
    "relationship": "counts for",
    "object": {"url": "https://keyrail.example/I1", "title": "One-click pay: 62 %", "summary": "On track"},
}
ADF = {"type": "doc", "version": 1, "content": [{"type": "paragraph", "content": [{"type": "text", "text": "Hello"}]}]}
MARK = {"key": "keyrail", "value": {"key": "keyrail:demo:comment:initiative:I1"}}

CALLS = [
    ("GET", f"{API}/myself", None),
    ("GET", f"{API}/serverInfo", None),
    ("GET", f"{API}/field", None),
    ("GET", f"{API}/issuetype", None),
    ("GET", f"{API}/status", None),
    ("GET", f"{API}/project/search?startAt=0&maxResults=1", None),
    ("GET", f"{API}/project/search?keys=CORE", None),
    ("GET", f"{API}/mypermissions?projectKey=PAY&permissions=BROWSE_PROJECTS,EDIT_ISSUES", None),
    ("POST", f"{API}/search/approximate-count", {"jql": "project = PAY"}),
    ("POST", f"{API}/search/jql", {"jql": "project = PAY", "fields": ["id"], "maxResults": 5000}),
    ("POST", f"{API}/search/jql", {"jql": "project = PAY", "fields": ["*all"], "reconcileIssues": [10101]}),
    ("GET", f"{API}/search/jql?jql=project%20%3D%20PAY&fields=summary,status&maxResults=2", None),
    ("POST", f"{API}/issue/bulkfetch", {"issueIdsOrKeys": ["10101", "PAY-2", "999"], "fields": ["*all"]}),
    ("POST", f"{API}/changelog/bulkfetch", {"issueIdsOrKeys": ["10102", "PAY-3"], "fieldIds": ["status", "parent"]}),
    ("POST", f"{API}/changelog/bulkfetch", {"issueIdsOrKeys": ["10102"], "maxResults": 1}),
    ("GET", f"{API}/issue/PAY-2?fields=*all&expand=changelog", None),
    ("GET", f"{API}/issue/10102/changelog?startAt=0&maxResults=100", None),
    ("POST", f"{API}/issue/PAY-1/remotelink", LINK),
    ("GET", f"{API}/issue/PAY-1/remotelink", None),
    ("GET", f"{API}/issue/PAY-1/remotelink?globalId=keyrail:demo:badge:initiative:I1", None),
    ("DELETE", f"{API}/issue/PAY-1/remotelink?globalId=keyrail:demo:badge:initiative:I1", None),
    ("PUT", f"{API}/issue/PAY-1/properties/keyrail", {"progress": 0.62}),
    ("GET", f"{API}/issue/PAY-1/properties/keyrail", None),
    ("DELETE", f"{API}/issue/PAY-1/properties/keyrail", None),
    ("PUT", f"{API}/issue/PAY-1", {"fields": {OKR_PROGRESS: 62.0, OKR_HEALTH: "On track"}}),
    ("PUT", f"{API}/issue/PAY-1", {"fields": {OKR_STATE: {"value": "At Risk"}}}),
    ("GET", f"{API}/issue/PAY-1?fields={OKR_PROGRESS},{OKR_STATE}", None),
    ("GET", f"{API}/issue/PAY-1/editmeta", None),
    ("PUT", f"{API}/issue/PAY-1?returnIssue=true", {"fields": {"labels": ["x"]}}),
    ("POST", f"{API}/issue/PAY-1/comment", {"body": ADF, "properties": [MARK]}),
    ("GET", f"{API}/issue/PAY-1/comment?orderBy=-created&expand=properties&startAt=0&maxResults=100", None),
    ("GET", f"{API}/issue/PAY-1/comment/COMMENT?expand=properties", None),
    ("PUT", f"{API}/issue/PAY-1/comment/COMMENT?notifyUsers=false", {"body": ADF, "properties": [MARK]}),
    ("DELETE", f"{API}/issue/PAY-1/comment/COMMENT", None),
    ("GET", "/rest/agile/1.0/board?projectKeyOrId=PAY", None),
    ("GET", "/rest/agile/1.0/board/1/configuration", None),
]


async def test_every_answer_is_as_described_but_for_what_recordings_show(site, face, jira, description, deviations):
    site.move(site.create("CORE", "Task", "Moves on"), "PAY")
    site.change(site.find("PAY-3"), parent=None)
    site.change(site.find("PAY-2"), points=None)
    found = set()
    for method, path, body in CALLS:
        comments = site.find("PAY-1").comments
        path = path.replace("COMMENT", comments[-1]["id"] if comments else "")
        answer = await jira.request(method, path, json=body)
        assert answer.is_success, (method, path, answer.text)
        found |= description.broken(face.exchanges[-1])
    broken = found - deviations
    assert not broken, sorted(broken)
    # Each deviation that is allowed is one that this site really reproduces.
    assert not deviations - found, sorted(deviations - found)


@pytest.mark.parametrize(
    ("method", "path", "request_body", "answer"),
    [
        ("POST", f"{API}/search/jql", {"jql": "project = PAY", "startAt": 0}, {"issues": []}),
        ("POST", f"{API}/search/jql", {"jql": "project = PAY", "expand": ["names"]}, {"issues": []}),
        ("POST", f"{API}/search/jql", {"jql": "project = PAY"}, {"issues": [], "total": 3}),
        ("GET", f"{API}/search?jql=x", None, {"issues": []}),
        ("GET", f"{API}/field?startAt=0", None, []),
        ("POST", f"{API}/changelog/bulkfetch", {"issueIdsOrKeys": ["1"]}, {"nextPageToken": 7}),
    ],
)
def test_the_check_itself_finds_what_is_wrong(description, deviations, method, path, request_body, answer):
    path, _, query = path.partition("?")
    exchange = Exchange(
        method=method,
        path=path,
        query=tuple(tuple(part.split("=")) for part in query.split("&") if part),
        request=json.dumps(request_body).encode() if request_body else b"",
        status=200,
        answer=json.dumps(answer).encode(),
    )
    found = description.broken(exchange)
    assert found
    if answer != {"nextPageToken": 7}:
        assert found - deviations


async def test_observers_see_each_exchange(site, jira, face):
    seen = []
    face.observers.append(seen.append)
    await jira.get(f"{API}/myself", params={"expand": "groups"})
    assert [(e.method, e.path, e.query, e.status) for e in seen] == [
        ("GET", f"{API}/myself", (("expand", "groups"),), 200)
    ]
    assert face.count("/myself") == 1
    assert json.loads(seen[0].answer)["accountId"] == site.me.id


async def test_sites_with_one_name_answer_alike(clock, site):
    other = application(site)
    assert other.site is site
    assert other.count() == 0
