"""The benchmark's own parts: its server answers as Jira does, and its workspace file is sound."""

import json
from datetime import UTC, datetime

import pytest

from bench import jql, payloads, server
from bench.workspace import INITIATIVES, KEY_RESULTS, workspace_text
from config.workspace import check

API = "/rest/api/3"
NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
SIZE = 450


@pytest.fixture
def bench():
    issues = payloads.render(SIZE, NOW)
    return server.Server(issues=issues, latency=0, fixed=server.fixed_answers(issues))


def ask(bench, path, **body):
    status, answer = bench.answer("POST", f"{API}{path}", json.dumps(body).encode())
    assert status == 200, answer
    return json.loads(answer)


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


def test_what_changed_is_found_by_time_and_has_a_history(bench):
    since = int(NOW.timestamp() * 1000)
    query = f"project in (BEN, OPS, WEB, APP) AND updated >= {since} ORDER BY updated ASC, id ASC"
    assert ask(bench, "/search/jql", jql=query, fields=["id"])["issues"] == []
    before = json.loads(bench.issues.bodies[97])["fields"]["status"]["name"]
    payloads.touch(bench.issues, 5, NOW)
    bench.found.clear()
    found = [issue["id"] for issue in ask(bench, "/search/jql", jql=query, fields=["id"])["issues"]]
    assert found == ["100008", "100098", "100188", "100278", "100368"]
    assert json.loads(bench.issues.bodies[97])["fields"]["status"]["name"] != before
    logs = ask(bench, "/changelog/bulkfetch", issueIdsOrKeys=["100001", "100098"])["issueChangeLogs"]
    assert [log["issueId"] for log in logs] == ["100098"]


def test_a_query_that_it_does_not_know_is_never_answered(bench):
    with pytest.raises(jql.UnknownQuery, match="status"):
        jql.positions("project = BEN AND status = Done", bench.issues)


def test_counts_what_it_is_asked(bench):
    protocol = server.Protocol(bench)
    written = []
    protocol.write = lambda status, body: written.append((status, json.loads(body)))
    protocol.data_received(b"GET /_bench/stats HTTP/1.1\r\nHost: x\r\n\r\n")
    bench.requests.update(["/a", "/a"])
    protocol.data_received(b"GET /_bench/stats HTTP/1.1\r\nHost: x\r\n\r\nGET /_bench/reset HTTP/1.1\r\n\r\n")
    assert [(status, stats["requests"]) for status, stats in written] == [(200, 0), (200, 2), (200, 0)]


def test_the_workspace_is_sound(tmp_path):
    file = tmp_path / "keyrail.yaml"
    file.write_text(workspace_text("http://127.0.0.1:9"))
    workspace, problems = check(file, {"BENCH_JIRA_TOKEN": "t"})
    assert [problem for problem in problems if problem.severity == "error"] == []
    assert (len(workspace.initiatives), len(workspace.key_results)) == (INITIATIVES, KEY_RESULTS) == (20, 10)
    assert len(workspace.rules) == 4
