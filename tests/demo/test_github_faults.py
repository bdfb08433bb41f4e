"""What can go wrong on the simulated GitHub, as a client sees it: the status, the headers, the words."""

from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.demo.github import Site, application
from connectors.github import queries, selection

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
NOTHING = selection.Selection(can=frozenset())
WHO = {"query": "query Who{viewer{login}}"}


@pytest.fixture
def site():
    site = Site(clock=lambda: NOW)
    web = site.add_repository(site.add_organization("acme"), "web")
    for number in range(1, 6):
        site.create(web, f"Issue {number}", at=NOW - timedelta(days=10 - number))
    return site


@pytest.fixture
async def client(site):
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    transport = httpx.ASGITransport(app=application(site))
    async with httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client:
        yield client


@pytest.fixture
def send(client):
    async def exchange(call):
        return await client.request(call.method, call.path, params=call.params, json=call.json, headers=call.headers)

    return exchange


@pytest.mark.parametrize("kind", ["RATE_LIMITED", "RATE_LIMIT"])
async def test_the_limit_of_graphql_comes_on_200(site, client, kind):
    site.faults.add("rate_limited", reason=kind, retry_after=90)
    answer = await client.post("/graphql", json=WHO)
    assert (answer.status_code, answer.json()) == (
        200,
        {"errors": [{"type": kind, "message": f"API rate limit exceeded for user ID {site.me.number}."}]},
    )
    assert answer.headers["x-ratelimit-remaining"] == "0"
    assert answer.headers["x-ratelimit-reset"] == str(int(NOW.timestamp()) + 90)
    assert (await client.post("/graphql", json=WHO)).json() == {"data": {"viewer": {"login": "keyrail-bot"}}}


@pytest.mark.parametrize("status", [403, 429])
async def test_the_limit_of_rest(site, client, status):
    site.faults.add("rest_limited", reason=str(status))
    answer = await client.get("/user")
    assert (answer.status_code, answer.headers["x-ratelimit-remaining"]) == (status, "0")
    assert answer.headers["x-ratelimit-resource"] == "core"
    assert answer.json()["message"] == f"API rate limit exceeded for user ID {site.me.number}. (Used 5000.)"


async def test_requests_that_are_used_up(site, client):
    site.access.limits["core"] = 1
    assert (await client.get("/user")).status_code == 200
    assert (await client.get("/user")).status_code == 403
    assert (await client.get("/rate_limit")).json()["resources"]["core"]["remaining"] == 0


@pytest.mark.parametrize(
    ("kind", "status", "retry_after"),
    [
        ("secondary", 403, "7"),
        ("secondary_silent", 403, None),
        ("secondary_429", 429, "7"),
        ("secondary_ok", 200, None),
    ],
)
async def test_secondary_limits(site, client, kind, status, retry_after):
    site.faults.add(kind, retry_after=7)
    answer = await client.post("/graphql", json=WHO)
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, retry_after)
    assert "secondary rate limit" in answer.text
    assert answer.headers["x-ratelimit-remaining"] == "5000"


@pytest.mark.parametrize(
    ("kind", "status", "part"),
    [
        ("timeout", 502, '"data":null'),
        ("gateway_timeout", 504, "Something went wrong while executing your query"),
        ("unavailable", 502, "<!DOCTYPE html>"),
        ("refused", 401, "Bad credentials"),
        ("forbidden", 403, "Resource not accessible by personal access token"),
        ("internal", 200, '"data":null'),
        ("malformed", 200, ',,"'),
    ],
)
async def test_answers_that_are_none(site, client, kind, status, part):
    site.faults.add(kind, path="Who")
    assert (await client.post("/graphql", json={"query": "query Other{viewer{login}}"})).status_code == 200
    answer = await client.post("/graphql", json=WHO)
    assert answer.status_code == status
    assert part in answer.text
    assert (await client.post("/graphql", json=WHO)).json() == {"data": {"viewer": {"login": "keyrail-bot"}}}


async def test_an_answer_that_ends_early(site, client):
    site.faults.add("cut")
    answer = await client.post("/graphql", json=WHO)
    assert len(answer.content) == int(answer.headers["content-length"]) // 2


async def test_a_large_page_takes_too_long(site, send):
    site.faults.timeout_nodes = 1000
    assert (await send(queries.listing(NOTHING, "acme/web", "ASC", first=100))).status_code == 502
    assert (await send(queries.listing(NOTHING, "acme/web", "ASC", first=10))).status_code == 200


async def test_resources_end_in_the_middle(site, send):
    site.faults.resource_nodes = 2
    told = (await send(queries.listing(NOTHING, "acme/web", "ASC"))).json()
    nodes = told["data"]["repository"]["issues"]["nodes"]
    assert [node and node["number"] for node in nodes] == [1, 2, None, None, None]
    assert [(error["type"], error["path"]) for error in told["errors"]] == [
        ("RESOURCE_LIMITS_EXCEEDED", ["repository", "issues", "nodes", at]) for at in (2, 3, 4)
    ]
    ids = [issue.id for issue in site.issues()]
    told = (await send(queries.by_ids(NOTHING, ids))).json()
    assert [node and node["number"] for node in told["data"]["nodes"]] == [1, 2, None, None, None]


async def test_pages_smaller_than_asked_for(site, send):
    site.faults.page_size = 2
    told = (await send(queries.listing(NOTHING, "acme/web", "ASC"))).json()["data"]["repository"]["issues"]
    assert ([node["number"] for node in told["nodes"]], told["totalCount"], told["pageInfo"]["hasNextPage"]) == (
        [1, 2], 5, True,
    )  # fmt: skip
    assert len((await send(queries.issues("", "acme/web"))).json()) == 2


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("null_cursor", {"hasNextPage": True, "endCursor": None}),
        ("same_cursor", {"hasNextPage": True, "endCursor": "given"}),
    ],
)
async def test_cursors_that_lead_nowhere(site, send, kind, expected):
    first = (await send(queries.listing(NOTHING, "acme/web", "ASC", first=2))).json()["data"]["repository"]["issues"]
    given = first["pageInfo"]["endCursor"]
    site.faults.add(kind)
    told = (await send(queries.listing(NOTHING, "acme/web", "ASC", first=2, after=given))).json()
    found = {
        name: "given" if value == given else value
        for name, value in told["data"]["repository"]["issues"]["pageInfo"].items()
    }
    assert found == expected


async def test_a_cursor_that_is_not_known_any_more(site, send):
    first = (await send(queries.listing(NOTHING, "acme/web", "ASC", first=2))).json()["data"]["repository"]["issues"]
    site.faults.add("expired_cursor")
    told = (await send(queries.listing(NOTHING, "acme/web", "ASC", after=first["pageInfo"]["endCursor"]))).json()
    assert told["data"] == {"rateLimit": told["data"]["rateLimit"], "repository": None}
    assert [error["type"] for error in told["errors"]] == ["INVALID_CURSOR_ARGUMENTS"]


async def test_one_node_that_fails(site, send):
    site.faults.add("partial")
    told = (await send(queries.listing(NOTHING, "acme/web", "ASC"))).json()
    assert [node and node["number"] for node in told["data"]["repository"]["issues"]["nodes"]] == [None, 2, 3, 4, 5]
    assert [error["path"] for error in told["errors"]] == [["repository", "issues", "nodes", 0]]


async def test_one_repository_that_may_not_be_read(site, send):
    site.repository("acme/web").forbidden = True
    site.add_repository(site.accounts["acme"], "kit")
    told = (await send(queries.repositories(["acme/web", "acme/kit"]))).json()
    assert (told["data"]["r0"], told["data"]["r1"]["nameWithOwner"]) == (None, "acme/kit")
    assert [(error["type"], error["path"]) for error in told["errors"]] == [("FORBIDDEN", ["r0"])]
    told = (await send(queries.by_ids(NOTHING, [next(site.issues()).id]))).json()
    assert (told["data"]["nodes"], told["errors"][0]["type"]) == ([None], "FORBIDDEN")
    assert (await send(queries.issue("", "acme/web", 1))).status_code == 403


async def test_single_sign_on_that_is_required(site, send):
    site.faults.sso_required.add("acme")
    for call in (queries.organization("acme"), queries.issue("", "acme/web", 1)):
        answer = await send(call)
        assert answer.status_code == 403
        assert answer.headers["x-github-sso"].startswith("required; url=https://github.com/orgs/acme/sso?")
        assert "SAML enforcement" in answer.json()["message"]


async def test_single_sign_on_that_keeps_a_part_back(site, send):
    site.faults.sso_partial.add("acme")
    other = site.add_repository(site.member, "notes")
    answer = await send(queries.repositories(["acme/web", other.name_with_owner]))
    assert (answer.status_code, answer.json()["data"]["r0"]) == (200, None)
    assert answer.json()["data"]["r1"]["nameWithOwner"] == "delivery-lead/notes"
    assert answer.json()["errors"][0]["extensions"] == {"saml_failure": True}
    number = site.accounts["acme"].number
    assert answer.headers["x-github-sso"] == f"partial-results; organizations={number}"


async def test_an_installation_token_that_ends_in_the_middle(site, client):
    app = site.access.add_app(site.add_bot("keyrail"))
    headers = {"authorization": f"Bearer {site.access.install(app).value}"}
    assert (await client.post("/graphql", json=WHO, headers=headers)).status_code == 200
    site.faults.add("token_expired", after=1)
    assert (await client.post("/graphql", json=WHO, headers=headers)).status_code == 200
    assert (await client.post("/graphql", json=WHO, headers=headers)).status_code == 401
    headers = {"authorization": f"Bearer {site.access.install(app).value}"}
    assert (await client.post("/graphql", json=WHO, headers=headers)).status_code == 200


async def test_transfers_that_are_not_followed(site, send):
    site.transfer(site.find("acme/web#1"), site.add_repository(site.accounts["acme"], "kit"))
    site.faults.not_followed = True
    assert (await send(queries.issue("", "acme/web", 1))).status_code == 404


async def test_pages_of_rest_beyond_a_limit(site, client):
    site.faults.page_limit = 2
    pages = [(await client.get(f"/repos/acme/web/issues?per_page=1&page={number}")).status_code for number in (2, 3)]
    assert pages == [200, 422]


async def test_faults_wait_their_turn(site, client):
    site.faults.add("unavailable", path="/user", after=1, times=2)
    statuses = [(await client.get("/user")).status_code for _ in range(4)]
    assert (statuses, list(site.faults.queue)) == ([200, 502, 502, 200], [])


async def test_answers_can_be_slow(site, client):
    site.faults.latency = 0.001
    assert (await client.get("/user")).status_code == 200
