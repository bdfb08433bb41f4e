"""Trouble that all simulated trackers have in common, over HTTP: down, reset, slow, HTML, clocks, late lists."""

import asyncio
import time
from datetime import timedelta
from email.utils import parsedate_to_datetime

import httpx
import pytest

from app.demo import github, jira, jira_dc, linear
from app.demo.github_site import Site as GitHub
from app.demo.linear_site import Site as Linear
from app.demo.site import Site as Jira
from app.web.server import serve

TRACKERS = ("jira", "github", "linear")
ASKED = {
    "jira": ("GET", "/rest/api/3/myself", None),
    "github": ("GET", "/user", None),
    "linear": ("POST", "/graphql", {"query": "{ viewer { id name email } }"}),
}


@pytest.fixture(params=TRACKERS)
def tracker(request, clock):
    """(name, site, application, headers)"""
    if request.param == "jira":
        site = Jira(clock=clock)
        return request.param, site, jira.application(site), {"authorization": f"Bearer {site.token}"}
    if request.param == "github":
        site = GitHub(clock=clock)
        return request.param, site, github.application(site), {"authorization": f"Bearer {site.token}"}
    site = Linear(clock=clock)
    return request.param, site, linear.application(site), {"authorization": site.key}


@pytest.fixture
async def ask(tracker):
    name, _, app, headers = tracker
    method, path, body = ASKED[name]
    async with serve(app) as url, httpx.AsyncClient(base_url=url, headers=headers, timeout=5) as client:

        async def send():
            return await client.request(method, path, json=body)

        yield send


@pytest.fixture
def site(tracker):
    return tracker[1]


async def test_a_site_can_be_away_for_a_while(site, ask):
    site.faults.down = "unavailable"
    assert (await ask()).status_code == 503
    site.faults.down = "html"
    answer = await ask()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    site.faults.down = ""
    assert (await ask()).headers["content-type"].startswith("application/json")


async def test_connections_can_be_reset(site, ask):
    await ask()
    site.faults.down = "reset"
    with pytest.raises(httpx.ReadError):
        await ask()
    site.faults.down = ""
    assert (await ask()).status_code == 200


async def test_a_site_can_hang_without_a_word(site, ask):
    site.faults.down = "hang"
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await ask()
    site.faults.down = ""
    assert (await ask()).status_code == 200


async def test_there_are_four_ways_to_be_down(tracker, site):
    name, _, app, headers = tracker
    method, path, body = ASKED[name]
    site.faults.down = "tired"
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://x", headers=headers
    ) as client:
        with pytest.raises(ValueError, match="'reset', 'hang', 'unavailable' or 'html', not 'tired'"):
            await client.request(method, path, json=body)


async def test_bodies_can_be_slow(site, ask):
    plain = (await ask()).content
    site.faults.trickle = 0.2
    begun = time.perf_counter()
    assert (await ask()).json().keys() == (await ask()).json().keys()
    assert time.perf_counter() - begun >= 0.4
    site.faults.trickle = 0.0
    assert len((await ask()).content) == len(plain)


@pytest.mark.parametrize(
    ("kind", "error"), [("reset", httpx.ReadError), ("cut", httpx.RemoteProtocolError), ("malformed", ValueError)]
)
async def test_the_next_answer_can_be_spoilt(site, ask, kind, error):
    site.faults.add(kind)
    with pytest.raises(error):
        (await ask()).json()
    assert (await ask()).json()


async def test_the_next_answer_can_be_a_page_for_people_or_slow(site, ask):
    site.faults.add("login_page")
    answer = await ask()
    assert (answer.status_code, answer.headers["content-type"].startswith("text/html")) == (200, True)
    site.faults.add("slow", retry_after=1)
    begun = time.perf_counter()
    assert (await ask()).json()
    assert time.perf_counter() - begun >= 1


async def test_the_clock_can_be_wrong(site, ask, clock):
    site.faults.clock_skew = -3600
    told = parsedate_to_datetime((await ask()).headers["date"])
    assert told == clock() - timedelta(hours=1)
    assert site.now() == told


# What a late index shows


async def test_githubs_lists_can_be_late_and_what_is_read_by_id_is_not(clock):
    site = GitHub(clock=clock)
    web = site.add_repository(site.add_organization("acme"), "web")
    old = site.create(web, "Old")
    clock.forward(3600)
    site.faults.index_lag = 60
    site.change(old, title="Changed")
    new = site.create(web, "New")
    headers = {"authorization": f"Bearer {site.token}", "user-agent": "tests"}
    transport = httpx.ASGITransport(app=github.application(site))
    since = (clock() - timedelta(minutes=5)).isoformat()

    async with httpx.AsyncClient(transport=transport, base_url="https://api.github.com", headers=headers) as client:

        async def listed():
            query = (
                'query L($since: DateTime) { repository(owner: "acme", name: "web") {'
                " all: issues(first: 9) { nodes { title } } late: issues(first: 9, filterBy: {since: $since})"
                " { nodes { title } } } }"
            )
            told = (await client.post("/graphql", json={"query": query, "variables": {"since": since}})).json()
            rest = [
                (await client.get("/repos/acme/web/issues", params=params)).json()
                for params in ({"sort": "created", "direction": "asc"}, {"since": since})
            ]
            lists = [page["nodes"] for page in told["data"]["repository"].values()] + rest
            return [[row["title"] for row in rows] for rows in lists]

        assert await listed() == [["Changed"], [], ["Changed"], []]
        read = {"query": "query N($id: ID!) { node(id: $id) { id } }", "variables": {"id": new.id}}
        assert (await client.post("/graphql", json=read)).json()["data"]["node"] == {"id": new.id}
        assert (await client.get("/repos/acme/web/issues/2")).status_code == 200
        clock.forward(61)
        everything = await listed()
        assert [sorted(titles) for titles in everything] == [["Changed", "New"]] * 4


async def test_linears_lists_can_be_late_and_what_is_read_by_id_is_not(clock):
    site = Linear(clock=clock)
    team = site.add_team("MOB", "Mobile")
    old = site.create(team, "Old")
    clock.forward(3600)
    site.faults.index_lag = 60
    site.change(old, title="Changed")
    new = site.create(team, "New")
    transport = httpx.ASGITransport(app=linear.application(site))
    headers = {"authorization": site.key}
    async with httpx.AsyncClient(transport=transport, base_url="https://api.linear.app", headers=headers) as client:

        async def listed(chosen):
            document = f"{{ issues(filter: {chosen}, includeArchived: true) {{ nodes {{ title }} }} }}"
            told = (await client.post("/graphql", json={"query": document})).json()
            return sorted(row["title"] for row in told["data"]["issues"]["nodes"])

        since = (clock() - timedelta(minutes=5)).isoformat()
        assert await listed("{}") == ["Changed"]
        assert await listed(f'{{updatedAt: {{gte: "{since}"}}}}') == []
        assert await listed(f'{{id: {{in: ["{new.id}", "{old.id}"]}}}}') == ["Changed", "New"]
        clock.forward(61)
        assert await listed("{}") == await listed(f'{{updatedAt: {{gte: "{since}"}}}}') == ["Changed", "New"]


async def test_data_center_is_under_the_same_weather(clock):
    site = Jira(clock=clock)
    site.faults.down = "unavailable"
    transport = httpx.ASGITransport(app=jira_dc.application(site))
    async with httpx.AsyncClient(transport=transport, base_url=site.url) as client:
        assert (await client.get("/rest/api/2/serverInfo")).status_code == 503
