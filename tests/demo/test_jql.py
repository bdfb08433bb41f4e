"""The JQL that the simulated site understands, and what it refuses as the real one does."""

from datetime import UTC, datetime

import pytest

DONE_AT = datetime(2026, 10, 31, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("jql", "expected"),
    [
        ("project = PAY ORDER BY id", ["PAY-1", "PAY-2", "PAY-3"]),
        ('project in ("PAY", core) ORDER BY key DESC', ["PAY-3", "PAY-2", "PAY-1", "CORE-1"]),
        ("project = PAY", ["PAY-3", "PAY-2", "PAY-1"]),
        ("project = PAY AND issuetype = Epic", ["PAY-1"]),
        ("project = PAY AND status != Done ORDER BY id", ["PAY-1", "PAY-3"]),
        ("statusCategory = Done", ["PAY-2"]),
        ('labels = "okr/I1"', ["PAY-1"]),
        ("labels in (okr/i1, b) ORDER BY id", ["PAY-1", "PAY-2"]),
        ("labels is empty AND project = PAY", ["PAY-3"]),
        ("parent = PAY-1 ORDER BY id", ["PAY-2", "PAY-3"]),
        ("parent in (10101) AND NOT status = Done", ["PAY-3"]),
        ("key in (PAY-1, CORE-1) ORDER BY id", ["PAY-1", "CORE-1"]),
        ("id > 10101 AND id <= 10103 ORDER BY id", ["PAY-2", "PAY-3"]),
        ("key >= PAY-2 ORDER BY id", ["PAY-2", "PAY-3"]),
        ("(project = CORE OR labels = b) AND created <= 2026-11-01 ORDER BY id", ["PAY-2", "CORE-1"]),
        ("project = PAY OR project = CORE AND status = Done ORDER BY id", ["PAY-1", "PAY-2", "PAY-3"]),
        ("project = PAY ORDER BY updated ASC, id DESC", ["PAY-1", "PAY-3", "PAY-2"]),
        (f"updated >= {int(DONE_AT.timestamp() * 1000)}", ["PAY-2"]),
        (f"updated >= {int(DONE_AT.timestamp() * 1000) + 1}", []),
        ('updated >= "2026-10-31 10:30"', ["PAY-2"]),
        ('updated >= "2026/10/31 10:31"', []),
        ('updated >= "-19d"', ["PAY-2"]),
        ("summary ~ cards", ["PAY-2"]),
        ("sprint = 2", ["PAY-2"]),
    ],
)
async def test_finds(keys, jql, expected):
    assert await keys(jql) == expected


async def test_quoted_dates_are_read_in_the_zone_of_the_account(site, keys):
    # 09:30 UTC is 10:30 in Berlin and 04:30 in New York (EST begins a day later: EDT, 05:30).
    assert await keys('updated >= "2026-10-31 10:30"') == ["PAY-2"]
    site.me = site.add_user("Keyrail", email=site.email, time_zone="America/New_York")
    assert await keys('updated >= "2026-10-31 10:30"') == []
    assert await keys('updated >= "2026-10-31 05:30"') == ["PAY-2"]


@pytest.mark.parametrize(
    ("jql", "message"),
    [
        ("ORDER BY key", "Unbounded JQL queries are not allowed here."),
        ("", "Unbounded JQL queries are not allowed here."),
        ("project = NOPE", "The value 'NOPE' does not exist for the field 'project'."),
        ("key in (PAY-1, PAY-99)", "An issue with key 'PAY-99' does not exist for field 'id'."),
        ("id in (77)", "A value with ID '77' does not exist for field 'id'."),
        ("colour = red", "Field 'colour' does not exist"),
        ("project = PAY AND", "Expecting a value but got the end"),
        ("project = PAY status = Done", "Expecting operator before 'status'"),
        ("(project = PAY", "Expecting ')'"),
        ("updated >= tomorrow", "Date value 'tomorrow' for field 'updated' is invalid."),
        ("labels > a", "The operator '>' is not supported by the 'labels' field."),
        (
            "project = PAY ORDER BY id, key, updated, created, status, project, summary, issuetype",
            "number of sort fields",
        ),
        ("project = PAY ORDER BY colour", "Not able to sort using field 'colour'."),
    ],
)
async def test_refuses(jira, jql, message):
    answer = await jira.post("/rest/api/3/search/jql", json={"jql": jql, "fields": ["key"]})
    assert answer.status_code == 400
    assert message in answer.json()["errorMessages"][0]


async def test_a_project_that_we_lost_is_refused_by_name(site, jira):
    site.project("CORE").hidden = True
    answer = await jira.post("/rest/api/3/search/approximate-count", json={"jql": "project in (PAY, CORE)"})
    assert answer.status_code == 400
    assert answer.json()["errorMessages"] == ["The value 'CORE' does not exist for the field 'project'."]
