"""The benchmark's own parts: its Jira answers as Jira does, its server counts, and its workspace files are sound."""

import json
from datetime import UTC, datetime

import pytest

from bench import jira, jql, payloads, server
from bench.answer import Answer
from bench.budgets import Pull, lines
from bench.suite import RULES
from bench.workspace import INITIATIVES, KEY_RESULTS, workspace_text
from config.workspace import check

API = "/rest/api/3"
NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
SIZE = 450


@pytest.fixture
def bench():
    return jira.prepared(SIZE, NOW)


@pytest.fixture
def served(bench):
    return server.Server(tracker=bench, latency=0)


def ask(bench, path, **body):
    answer = bench.answer("POST", f"{API}{path}", json.dumps(body).encode())
    assert answer.status == 200, answer
    return json.loads(answer.body)


def test_issues_are_like_jiras_and_about_4_kilobytes():
    issues = payloads.render(SIZE, NOW)
    assert 3_500 < sum(map(len, issues.bodies)) / SIZE < 4_800
    epic, child = json.loads(issues.bodies[20]), json.loads(issues.bodies[25])
    assert (epic["id"], epic["key"], epic["fields"]["issuetype"]["hierarchyLevel"]) == ("100021", "OPS-1", 1)
    assert (child["key"], child["fields"]["parent"]["id"]) == ("OPS-6", "100021")
    assert epic["fields"]["labels"] == ["okr/I2"]
    assert len({payloads.key_of(p) for p in range(SIZE)}) == SIZE
    assert issues.updated == sorted(issues.updated)


def test_ids_come_in_pages_of_5000_and_issues_of_100(bench):
    everything = "project in (BEN, OPS, WEB, APP) ORDER BY id ASC"
    ids = ask(bench, "/search/jql", jql=everything, fields=["id", "key"], maxResults=5000)
    assert (len(ids["issues"]), ids["isLast"]) == (SIZE, True)
    seen, token = [], None
    while True:
        more = {"nextPageToken": token} if token else {}
        page = ask(bench, "/search/jql", jql=everything, fields=["*all"], maxResults=5000, **more)
        seen.append(len(page["issues"]))
        token = page.get("nextPageToken")
        if page["isLast"]:
            break
    assert seen == [100, 100, 100, 100, 50]
    bulk = ask(bench, "/issue/bulkfetch", issueIdsOrKeys=["100007", "100003", "999999"], fields=["summary"])
    assert [issue["id"] for issue in bulk["issues"]] == ["100003", "100007"]
    assert "description" not in bulk["issues"][0]["fields"]
    assert ask(bench, "/search/approximate-count", jql="project = OPS") == {"count": 120}


def test_jira_charges_a_point_a_call_and_one_an_object(bench):
    bulk = json.dumps({"issueIdsOrKeys": ["100007", "100003"], "fields": ["summary"]}).encode()
    assert bench.answer("POST", f"{API}/issue/bulkfetch", bulk).cost == 3
    assert bench.answer("GET", f"{API}/myself", b"").cost == 1


def test_what_changed_is_found_by_time_and_has_a_history(bench):
    since = int(NOW.timestamp() * 1000)
    query = f"project in (BEN, OPS, WEB, APP) AND updated >= {since} ORDER BY updated ASC, id ASC"
    assert ask(bench, "/search/jql", jql=query, fields=["id"])["issues"] == []
    before = json.loads(bench.issues.bodies[97])["fields"]["status"]["name"]
    bench.touch(5, NOW)
    found = [issue["id"] for issue in ask(bench, "/search/jql", jql=query, fields=["id"])["issues"]]
    assert found == ["100008", "100098", "100188", "100278", "100368"]
    assert json.loads(bench.issues.bodies[97])["fields"]["status"]["name"] != before
    logs = ask(bench, "/changelog/bulkfetch", issueIdsOrKeys=["100001", "100098"])["issueChangeLogs"]
    assert [log["issueId"] for log in logs] == ["100098"]


def test_a_query_that_it_does_not_know_is_never_answered(bench):
    with pytest.raises(jql.UnknownQuery, match="status"):
        jql.positions("project = BEN AND status = Done", bench.issues)


def test_what_it_cannot_answer_is_refused_and_told(served):
    body = json.dumps({"jql": "status = Done", "fields": ["id"]}).encode()
    answer = served.asked("POST", f"{API}/search/jql", body)
    assert (answer.status, answer.name) == (400, "refused")
    assert served.stats()["refused"] == ["The benchmark's server does not know 'status=Done' in: status = Done"]


def test_counts_what_it_is_asked(served):
    protocol = server.Protocol(served)
    written: list[Answer] = []
    protocol.write = written.append
    protocol.data_received(b"GET /_bench/stats HTTP/1.1\r\nHost: x\r\n\r\n")
    served.asked("GET", f"{API}/myself", b"")
    served.asked("POST", f"{API}/issue/bulkfetch", b'{"issueIdsOrKeys":["100001"]}')
    protocol.data_received(b"GET /_bench/stats HTTP/1.1\r\nHost: x\r\n\r\nGET /_bench/reset HTTP/1.1\r\n\r\n")
    stats = [json.loads(answer.body) for answer in written]
    assert [(one["requests"], one["cost"]) for one in stats] == [(0, 0), (2, 3), (0, 0)]
    assert stats[1]["by_name"] == {f"{API}/myself": 1, f"{API}/issue/bulkfetch": 1}


@pytest.mark.parametrize("tracker", sorted(server.TRACKERS))
def test_the_workspace_is_sound(tmp_path, tracker):
    file = tmp_path / "keyrail.yaml"
    file.write_text(workspace_text("http://127.0.0.1:9", tracker))
    workspace, problems = check(file, {"BENCH_TOKEN": "t"})
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert (len(workspace.initiatives), len(workspace.key_results)) == (INITIATIVES, KEY_RESULTS) == (20, 10)
    assert (len(workspace.rules), workspace.connections[f"{tracker}-bench"].type) == (4, tracker)


def test_the_least_pages_are_those_of_every_list_that_issues_are_in():
    assert {name: rules.pages(10_100) for name, rules in RULES.items()} == {"jira": 101, "github": 104, "linear": 44}


def test_the_budget_that_ends_first_is_named():
    told = list(lines("linear", Pull(items=10_000, requests=60, cost=400_000.0), 0.5))
    assert told == [
        "what customers meet first, at a budget of 0.5 (a pull of 10,000 without history):",
        "  API key: 2,500 requests/h -> 208,333, 3,000,000 complexity/h -> 37,500 items an hour, "
        "first met: complexity; a pull takes 400,000",
        "  OAuth: 5,000 requests/h -> 416,667, 2,000,000 complexity/h -> 25,000 items an hour, "
        "first met: complexity; a pull takes 400,000",
    ]
