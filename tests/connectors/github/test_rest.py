"""Lists by REST: where they go on, and where they must not."""

from dataclasses import replace

import httpx
import pytest

from app.demo.github_graph import OLD_SERVER
from connectors.github import rest
from connectors.github.site import site_of
from domain.errors import RejectedError, VendorUnavailableError

LIST = "/api/v3/repos/acme/api/issues"


@pytest.fixture
def old(make_github):
    github = make_github(server="3.14.0", without=OLD_SERVER | {"Issue.stateReason"})
    github.repository("api", 250)
    return github


@pytest.fixture
def listed(old, discovered, connection):
    async def listed(since=None, etag=None, repository="acme/api"):
        server = replace(connection, url="https://git.acme.example/api/v3")
        async with discovered(server, old) as session:
            site = site_of(server, session.reading)
            pages = rest.listed(session.client, site, repository, since, etag)
            return [[one["number"] for one in page.issues] async for page in pages]

    return listed


async def test_a_list_goes_on_from_its_last_change(old, listed):
    pages = await listed()
    assert {number for page in pages for number in page} == set(range(1, 251))
    asked = [request.url.params for _, _, request in old.calls]
    assert [set(params) & {"page", "after", "since"} for params in asked] == [set(), {"since"}, {"since"}]


async def test_what_changes_between_pages_pushes_nothing_out_of_sight(old, listed):
    [api] = old.site.repositories.values()
    asking = old.answer

    async def answer(request):
        told = await asking(request)
        if request.url.path == LIST:
            for issue in api.issues[:7]:
                old.site.change(issue, title="Changed meanwhile")
        return told

    old.answer = answer
    assert {number for page in await listed() for number in page} == set(range(1, 251))


async def test_within_one_instant_the_address_of_the_next_page_is_taken_as_it_is_given(old, listed):
    web = old.repository("web")
    for number in range(230):
        old.site.create(web, f"Issue {number}", at=old.now)
    old.site.faults.large_repositories = True
    pages = await listed(repository="acme/web")
    assert sorted(number for page in pages[1:] for number in page) == sorted(issue.number for issue in web.issues)
    asked = [set(request.url.params) & {"after", "since"} for _, _, request in old.calls]
    assert asked == [set(), {"since"}, {"after", "since"}, {"after", "since"}]


async def test_a_renamed_repository_is_followed_to_where_it_is(old, listed, discovered, connection):
    there = {"location": "https://git.acme.example/api/v3/repositories/700000001/issues"}
    old.plan(LIST, httpx.Response(301, headers=there, json={"message": "Moved Permanently"}))
    assert {number for page in await listed() for number in page} == set(range(1, 251))
    assert old.calls[1][2].url.path == "/api/v3/repositories/700000001/issues"
    assert old.calls[1][2].url.params["state"] == "all"


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/api/v3/repositories/1/issues?page=2",
        "http://git.acme.example/api/v3/repositories/1/issues?page=2",
        "https://git.acme.example.evil.example/api/v3/x",
        "https://git.acme.example/api/../other",
        "https://git.acme.example/elsewhere?page=2",
    ],
)
async def test_an_address_that_is_not_below_the_connections_own_is_not_followed(old, listed, url):
    old.plan(LIST, httpx.Response(200, json=[], headers={"link": f'<{url}>; rel="next"'}))
    with pytest.raises(RejectedError, match="was not followed"):
        await listed()
    assert len(old.calls) == 1


async def test_an_unchanged_list_gives_no_page(old, listed):
    old.plan(LIST, httpx.Response(304, headers={"etag": '"e"'}))
    assert await listed(since="2026-11-20T09:00:00Z", etag='"e"') == []
    assert old.calls[0][2].headers["if-none-match"] == '"e"'


@pytest.mark.parametrize("body", ["{", "{}"])
async def test_a_list_that_is_none_is_an_error(old, listed, body):
    old.plan(LIST, httpx.Response(200, text=body))
    with pytest.raises(VendorUnavailableError):
        await listed()
