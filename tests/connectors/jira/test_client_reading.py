"""Listing, backfill, fetch, census and where an item went, for Cloud and Data Center."""

from dataclasses import replace

import httpx
import pytest

from connectors.jira import CONNECTOR
from connectors.jira.client import reconcile
from domain.errors import RejectedError, VendorUnavailableError


async def collect(pages):
    return [page async for page in pages]


async def test_ten_thousand_issues_cost_two_id_pages_and_a_hundred_fetches(
    jira, client_on, connection, reading, make_issue, everything
):
    jira.add(*(make_issue(id) for id in range(1, 10_001)))
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.backfill(client, connection, reading, everything()))
    assert len(jira.asked("/search/jql")) == 2
    assert len(jira.asked("/issue/bulkfetch")) == 100
    assert len(jira.calls) == 102
    assert sum(page.items for page in pages) == 10_000
    assert [page.number for page in pages] == list(range(100))
    assert {(page.kind, page.stream, page.missing) for page in pages} == {("items", "backfill", ())}


async def test_an_id_listing_asks_for_ids_alone_in_a_bounded_order(jira, client_on, connection, reading, make_issue):
    jira.add(make_issue(1))
    async with client_on(jira) as client:
        assert await collect(CONNECTOR.ids(client, connection, reading)) == [["1"]]
    jql = 'project in ("PAY", "CORE") ORDER BY id ASC'
    assert jira.asked("/search/jql") == [{"jql": jql, "fields": ["id"], "maxResults": 5000}]


async def test_a_backfill_skips_what_is_stored(jira, client_on, connection, reading, make_issue, everything):
    jira.add(*(make_issue(id) for id in range(1, 251)))
    stored = [str(id) for id in range(1, 201)]
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.backfill(client, connection, reading, everything(stored)))
    assert [page.items for page in pages] == [50]


async def test_ids_that_are_gone_before_they_are_fetched_are_named(
    jira, client_on, connection, reading, make_issue, everything
):
    jira.add(make_issue(1), make_issue(2))
    jira.plan("/search/jql", httpx.Response(200, json={"issues": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}))
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.backfill(client, connection, reading, everything()))
    assert (page.items, page.missing) == (2, ("3",))


async def test_fetching_begins_before_the_listing_ends(jira, client_on, connection, reading, make_issue, everything):
    jira.page_cap = 100
    jira.add(*(make_issue(id) for id in range(1, 3001)))
    async with client_on(jira) as client:
        await collect(CONNECTOR.backfill(client, connection, reading, everything()))
    kinds = ["fetch" if "bulkfetch" in call.url.path else "list" for call in jira.calls]
    assert kinds.index("fetch") < len(kinds) - 1 - kinds[::-1].index("list")


async def test_a_reader_that_stops_early_stops_the_requests(
    jira, client_on, connection, reading, make_issue, everything
):
    jira.add(*(make_issue(id) for id in range(1, 5001)))
    async with client_on(jira) as client:
        pages = CONNECTOR.backfill(client, connection, reading, everything())
        await anext(pages)
        await pages.aclose()
        asked = len(jira.calls)
    assert asked < 45
    assert len(jira.calls) == asked


async def test_a_refusal_in_one_lane_ends_the_backfill(jira, client_on, connection, reading, make_issue, everything):
    jira.add(*(make_issue(id) for id in range(1, 1001)))
    jira.plan("/issue/bulkfetch", httpx.Response(400, json={"errorMessages": ["no"]}))
    async with client_on(jira) as client:
        with pytest.raises(RejectedError, match="no"):
            await collect(CONNECTOR.backfill(client, connection, reading, everything()))


async def test_a_repeated_page_token_is_an_error(jira, client_on, connection, reading):
    page = {"issues": [{"id": "1"}], "nextPageToken": "same"}
    jira.plan("/search/jql", *(httpx.Response(200, json=page) for _ in range(5)))
    async with client_on(jira) as client:
        with pytest.raises(VendorUnavailableError, match="the tracker repeated a page token"):
            await collect(CONNECTOR.ids(client, connection, reading))
    assert len(jira.calls) == 2


async def test_empty_pages_that_promise_more_are_followed_for_a_while(jira, client_on, connection, reading):
    empty = [httpx.Response(200, json={"issues": [], "nextPageToken": f"t{n}"}) for n in range(5)]
    jira.plan("/search/jql", *empty[:4], httpx.Response(200, json={"issues": [{"id": "1"}], "nextPageToken": None}))
    async with client_on(jira) as client:
        assert await collect(CONNECTOR.ids(client, connection, reading)) == [["1"]]
    jira.plan("/search/jql", *empty)
    async with client_on(jira) as client:
        with pytest.raises(VendorUnavailableError, match="5 empty pages"):
            await collect(CONNECTOR.ids(client, connection, reading))


async def test_is_last_ends_a_listing_even_with_a_token(jira, client_on, connection, reading):
    page = {"issues": [{"id": "1"}], "nextPageToken": "t", "isLast": True}
    jira.plan("/search/jql", httpx.Response(200, json=page))
    async with client_on(jira) as client:
        assert await collect(CONNECTOR.ids(client, connection, reading)) == [["1"]]


@pytest.mark.parametrize("kind", ["cloud", "server"])
async def test_descendants_come_along_once_level_by_level(
    kind, jira, server, client_on, connection, reading, server_reading, make_issue, everything
):
    fake, known = (jira, reading) if kind == "cloud" else (server, server_reading)
    fake.scope = lambda one: one["fields"].get("labels") == ["okr"]
    fake.add(
        make_issue(1, labels=["okr"]),
        make_issue(2, parent=1),
        make_issue(3, parent=2),
        make_issue(4, labels=["okr"], parent=1),
        make_issue(5),
    )
    connection = replace(connection, scope={"jql": "labels = okr ORDER BY created", "children": True})
    async with client_on(fake) as client:
        listed = [id for ids in await collect(CONNECTOR.ids(client, connection, known)) for id in ids]
        pages = await collect(CONNECTOR.backfill(client, connection, known, everything()))
        count = await CONNECTOR.count(client, connection, known)
    assert sorted(listed) == ["1", "2", "3", "4"]
    assert sum(page.items for page in pages) == 4
    assert count is None


async def test_count_is_the_trackers_own(jira, server, client_on, connection, reading, server_reading, make_issue):
    for fake, known in ((jira, reading), (server, server_reading)):
        fake.add(*(make_issue(id) for id in range(1, 8)))
        async with client_on(fake) as client:
            assert await CONNECTOR.count(client, connection, known) == 7
    assert server.asked("/search")[0]["maxResults"] == "0"


async def test_data_center_lists_by_id_and_reads_ranges(
    server, client_on, connection, server_reading, make_issue, everything
):
    server.page_cap = 150
    server.add(*(make_issue(id) for id in range(1, 251)), make_issue(300, project="CORE"))
    async with client_on(server) as client:
        pages = await collect(CONNECTOR.backfill(client, connection, server_reading, everything()))
    asked = [call["jql"] for call in server.asked("/search")]
    assert 'project = "PAY" AND id > 150 ORDER BY id ASC' in asked
    assert 'project = "PAY" AND id >= 1 AND id <= 100 ORDER BY id ASC' in asked
    assert sum(page.items for page in pages) == 251
    assert all(page.missing == () for page in pages)
    assert all(call.method == "GET" for call in server.calls)


async def test_data_center_ids_that_the_order_by_id_leaves_out_are_found(
    server, client_on, connection, server_reading, make_issue
):
    server.page_cap = 3
    server.add(*(make_issue(id) for id in range(1, 8)))
    first = [{"id": "5"}, {"id": "6"}, {"id": "7"}]
    server.plan("/search", httpx.Response(200, json={"issues": first, "total": 7}))
    async with client_on(server) as client:
        listed = [id for ids in await collect(CONNECTOR.ids(client, connection, server_reading)) for id in ids]
    assert sorted(listed) == ["1", "2", "3", "4", "5", "6", "7"]


async def test_fetch_asks_once_more_past_the_index_before_an_id_is_missing(
    jira, client_on, connection, reading, make_issue
):
    jira.add(make_issue(1), make_issue(2))
    jira.plan("/issue/bulkfetch", httpx.Response(200, json={"issues": [make_issue(1)]}))
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.fetch(client, connection, reading, ["1", "2", "9"]))
    assert [(page.items, page.missing) for page in pages] == [(1, ()), (1, ("9",))]
    assert jira.asked("/search/jql")[0]["reconcileIssues"] == [2, 9]


async def test_fetch_names_missing_ids_where_the_search_refuses_dead_ones(
    jira, client_on, connection, reading, make_issue
):
    jira.add(make_issue(1))
    jira.plan("/search/jql", httpx.Response(400, json={"errorMessages": ["A value with ID '9' does not exist."]}))
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.fetch(client, connection, reading, ["1", "9"]))
        assert await reconcile(client, ["summary"], ["1"]) is not None
    assert (page.items, page.missing) == (1, ("9",))


async def test_fetch_by_hundreds(jira, client_on, connection, reading, make_issue):
    jira.add(*(make_issue(id) for id in range(1, 251)))
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.fetch(client, connection, reading, [str(id) for id in range(1, 251)]))
    assert sorted(page.items for page in pages) == [50, 100, 100]


async def test_one_dead_id_does_not_fail_a_chunk_on_data_center(
    server, client_on, connection, server_reading, make_issue
):
    server.add(*(make_issue(id) for id in range(1, 8)))
    own = server.server_search

    def strict(body):
        if "8" in body["jql"]:
            return httpx.Response(400, json={"errorMessages": ["A value with ID '8' does not exist."]})
        return own(body)

    server.server_search = strict
    async with client_on(server) as client:
        pages = await collect(CONNECTOR.fetch(client, connection, server_reading, [str(id) for id in range(1, 9)]))
    assert sum(page.items for page in pages) == 7
    assert [page.missing for page in pages if page.missing] == [("8",)]
    assert server.asked("/search")[0]["validateQuery"] == "false"


async def test_history_is_whole_and_empty_where_nothing_changed(jira, client_on, connection, reading, make_issue):
    jira.add(make_issue(1), make_issue(2))
    first = {"issueId": "1", "changeHistories": [{"id": "1", "created": 1, "items": []}]}
    second = {"issueId": "1", "changeHistories": [{"id": "2", "created": 2, "items": []}]}
    jira.plan(
        "/changelog/bulkfetch",
        httpx.Response(200, json={"issueChangeLogs": [first], "nextPageToken": "t"}),
        httpx.Response(200, json={"issueChangeLogs": [second], "nextPageToken": None}),
    )
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.history(client, connection, reading, ["1", "2"]))
    assert httpx.Response(200, content=page.body).json() == {
        "issueChangeLogs": [
            {"issueId": "1", "changeHistories": [*first["changeHistories"], *second["changeHistories"]]},
            {"issueId": "2", "changeHistories": []},
        ]
    }
    assert page.kind == "history"
    asked = jira.asked("/changelog/bulkfetch")
    assert asked[0]["fieldIds"] == [
        "status", "resolution", "customfield_10016", "parent", "IssueParentAssociation", "issuetype", "project", "Key",
        "customfield_10020", "labels",
    ]  # fmt: skip
    assert asked[1]["nextPageToken"] == "t"


@pytest.mark.parametrize("site", ["cloud", "server"])
async def test_the_past_of_what_is_out_of_sight_is_missing_not_empty(
    jira, server, client_on, connection, reading, server_reading, make_issue, site
):
    fake, facts = (jira, reading) if site == "cloud" else (server, server_reading)
    fake.add(make_issue(1), make_issue(2))
    fake.histories = {1: [LINKED | {"items": []}]}
    async with client_on(fake) as client:
        (page,) = await collect(CONNECTOR.history(client, connection, facts, ["1", "2", "3"]))
    assert page.missing == ("3",)
    assert CONNECTOR.parse("history", page.body, connection, facts).history_of == ("1", "2")


async def test_history_falls_back_to_all_fields_where_a_field_is_refused(jira, client_on, connection, reading):
    jira.plan("/changelog/bulkfetch", httpx.Response(400, json={"errorMessages": ["Unknown field Key"]}))
    async with client_on(jira) as client:
        await collect(CONNECTOR.history(client, connection, reading, ["1"]))
        await collect(CONNECTOR.history(client, connection, reading, ["2"]))
    assert ["fieldIds" in asked for asked in jira.asked("/changelog/bulkfetch")] == [True, False, False]


LINKED = {"id": "9", "created": "2026-11-20T09:00:00.000+0000", "items": [{"field": "RemoteIssueLink"}]}
LINKS = [
    {"id": 1, "object": {"url": "https://github.com/acme/api/issues/9", "title": "#9"}},
    {"id": 2, "object": {"url": "https://wiki.acme.com/pages/77", "title": "Notes"}},
    {"id": 3, "application": {"name": "Keyrail"}, "object": {"url": "https://keyrail.acme.com/initiatives/I1"}},
    {"id": 4, "object": {"url": "https://linear.app/acme/issue/ENG-7/one-click-pay", "title": "ENG-7"}},
]


@pytest.mark.parametrize("site", ["cloud", "server"])
async def test_remote_links_to_issues_elsewhere_are_read_where_the_changelog_tells_of_any(
    jira, server, client_on, connection, reading, server_reading, make_issue, site
):
    fake, facts = (jira, reading) if site == "cloud" else (server, server_reading)
    fake.add(make_issue(1), make_issue(2))
    fake.histories, fake.links = {1: [LINKED], 2: []}, {1: LINKS}
    async with client_on(fake) as client:
        past, links = await collect(CONNECTOR.history(client, connection, facts, ["1", "2"]))
    assert (past.kind, links.kind) == ("history", "links")
    assert CONNECTOR.parse("links", links.body, connection, facts).mirrors == {
        "1": ("https://github.com/acme/api/issues/9", "https://linear.app/acme/issue/ENG-7/one-click-pay")
    }
    assert CONNECTOR.parse("links", links.body, connection, facts).changes == ()


async def test_a_site_that_does_not_know_remote_links_in_changelogs_is_read_without(
    jira, client_on, connection, reading
):
    refused = httpx.Response(400, json={"errorMessages": ["Unknown field RemoteIssueLink"]})
    jira.plan("/changelog/bulkfetch", httpx.Response(200, json={"issueChangeLogs": []}), refused)
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.history(client, connection, reading, ["1"]))
    assert page.kind == "history"


async def test_a_cut_changelog_is_walked_from_its_oldest_entry(
    server, client_on, connection, server_reading, make_issue
):
    server.add(make_issue(1), make_issue(2))
    entries = [{"id": str(n), "created": "2026-11-20T09:00:00.000+0000", "items": []} for n in range(5)]
    server.histories = {1: entries, 2: entries[:1]}
    async with client_on(server) as client:
        (page,) = await collect(CONNECTOR.history(client, connection, server_reading, ["1", "2"]))
    told = httpx.Response(200, content=page.body).json()["issues"]
    assert [len(one["changelog"]["histories"]) for one in told] == [5, 1]
    assert told[0]["changelog"]["total"] == 5
    assert CONNECTOR.parse("history", page.body, connection, server_reading).history_of == ("1", "2")


@pytest.mark.parametrize(
    ("project", "visible", "state"),
    [
        ("PAY", ["PAY", "CORE"], "present"),
        ("ELSE", ["PAY", "CORE"], "moved"),
        (None, ["PAY", "CORE"], "deleted"),
        (None, ["PAY"], "inaccessible"),
    ],
)
async def test_an_absent_id_is_told_apart(jira, client_on, connection, reading, make_issue, project, visible, state):
    if project:
        jira.add(make_issue(1, project=project))
    jira.projects = [one for one in jira.projects if one["key"] in visible]
    async with client_on(jira) as client:
        located = await CONNECTOR.locate(client, connection, reading, "1")
    assert (located.id, located.state) == ("1", state)
    assert (located.page is not None) == (project is not None)


async def test_an_issue_that_a_jql_scope_no_longer_matches_has_moved(jira, client_on, connection, reading, make_issue):
    jira.scope = lambda one: one["fields"].get("labels") == ["okr"]
    jira.add(make_issue(1, labels=["okr"]), make_issue(2), make_issue(3, parent=1))
    connection = replace(connection, scope={"jql": "labels = okr", "children": True})
    async with client_on(jira) as client:
        states = [(await CONNECTOR.locate(client, connection, reading, id)).state for id in ("1", "2", "3")]
    assert states == ["present", "moved", "present"]


async def test_the_roster_is_asked_once_for_many_ids(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        for id in ("7", "8", "9"):
            await CONNECTOR.locate(client, connection, reading, id)
    assert len(jira.asked("/project/search")) == 1
