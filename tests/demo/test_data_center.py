"""The same site as Data Center: what a client of version 2 meets."""

import httpx
import pytest

from app.demo.jira_dc import application

API = "/rest/api/2"


@pytest.fixture
async def server(site):
    transport = httpx.ASGITransport(app=application(site))
    pat = {"Authorization": f"Bearer {site.token}"}
    async with httpx.AsyncClient(transport=transport, base_url=site.url, headers=pat) as client:
        yield client


async def find(server, jql, **more):
    return (await server.get(f"{API}/search", params={"jql": jql, **more})).json()


async def test_says_what_it_is_and_who_we_are(server):
    assert (await server.get(f"{API}/serverInfo")).json()["deploymentType"] == "Server"
    me = (await server.get(f"{API}/myself")).json()
    assert me["name"] == "keyrail"
    assert "accountId" not in me
    wrong = await server.get(f"{API}/myself", headers={"Authorization": "Bearer wrong"})
    assert wrong.status_code == 401


async def test_has_no_cloud_paths(server):
    assert (await server.get("/rest/api/3/myself")).status_code == 404
    assert (await server.post(f"{API}/search/jql", json={"jql": "project = PAY"})).status_code == 404


async def test_pages_by_offset_and_counts(server):
    first = await find(server, "project = PAY ORDER BY id", startAt=0, maxResults=2)
    rest = await find(server, "project = PAY ORDER BY id", startAt=2, maxResults=2)
    assert [issue["key"] for page in (first, rest) for issue in page["issues"]] == ["PAY-1", "PAY-2", "PAY-3"]
    assert (first["total"], rest["startAt"]) == (3, 2)
    posted = await server.post(f"{API}/search", json={"jql": "order by key", "fields": ["summary"], "maxResults": 1})
    assert posted.json()["total"] == 4


async def test_refuses_beyond_its_window(site, server):
    site.faults.result_window = 2
    answer = await server.get(f"{API}/search", params={"jql": "project = PAY", "startAt": 1, "maxResults": 2})
    assert answer.status_code == 500
    assert "Search limit exceeded" in answer.json()["errorMessages"][0]


async def test_the_epic_stands_in_a_field(site, server):
    site.create("PAY", "Sub-task", "Part", parent=site.find("PAY-2"))
    by_key = {issue["key"]: issue["fields"] for issue in (await find(server, "project = PAY"))["issues"]}
    assert by_key["PAY-2"]["customfield_10014"] == "PAY-1"
    assert "parent" not in by_key["PAY-2"]
    assert by_key["PAY-4"]["parent"]["key"] == "PAY-2"
    assert "hierarchyLevel" not in by_key["PAY-1"]["issuetype"]
    assert by_key["PAY-2"]["assignee"]["name"] == "payments.team"
    children = await find(server, "(parent in (10101) OR cf[10014] in (10101)) ORDER BY id")
    assert [issue["key"] for issue in children["issues"]] == ["PAY-2", "PAY-3"]


async def test_histories_are_embedded_without_field_ids(server):
    issue = (await server.get(f"{API}/issue/PAY-2", params={"expand": "changelog"})).json()
    items = [item for entry in issue["changelog"]["histories"] for item in entry["items"]]
    assert [item["field"] for item in items][-2:] == ["status", "resolution"]
    assert "Story Points" in [item["field"] for item in items]
    assert not any("fieldId" in item for item in items)


async def test_ids_that_are_gone_can_be_passed_over(server):
    assert (await server.get(f"{API}/search", params={"jql": "id in (10101, 77)"})).status_code == 400
    found = await find(server, "id in (10101, 77)", validateQuery="false")
    assert [issue["key"] for issue in found["issues"]] == ["PAY-1"]


async def test_tells_its_budget_on_every_answer(server):
    answer = await server.get(f"{API}/field")
    assert answer.headers["X-RateLimit-FillRate"] == "50"
    assert answer.headers["Retry-After"] == "0"
    points = next(field for field in answer.json() if field["name"] == "Story Points")
    assert points["schema"]["custom"].endswith(":float")
