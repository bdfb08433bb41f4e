"""What changed since a watermark: overlap, form of dates, time zones, where the new watermark may stand."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest

from connectors.jira import CONNECTOR
from domain.errors import AuthError, RejectedError

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
T0 = int(NOW.timestamp() * 1000)
MINUTE = 60_000
DAY = 24 * 60 * MINUTE
SCOPE = 'project in ("PAY", "CORE")'


def mark(minutes_ago=30, **more):
    return {"updated_ms": T0 - minutes_ago * MINUTE, "day": "2026-11-20", "epoch_ms": True} | more


async def collect(pages):
    return [page async for page in pages]


async def test_an_idle_sync_costs_two_requests(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert [call.url.path for call in jira.calls] == ["/rest/api/3/myself", "/rest/api/3/search/jql"]
    assert (page.items, page.stream, page.kind) == (0, "changes", "items")
    assert page.cursor == {"updated_ms": T0 - 30 * MINUTE, "day": "2026-11-20", "t0_ms": T0, "epoch_ms": True}


async def test_the_query_has_an_overlap_an_order_and_no_upper_bound(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        await collect(CONNECTOR.changes(client, connection, reading, mark(30)))
    since = T0 - 40 * MINUTE
    assert jira.asked("/search/jql") == [
        {
            "jql": f"{SCOPE} AND updated >= {since} ORDER BY updated ASC, id ASC",
            "fields": ["summary", "project", "updated", "parent"],
            "maxResults": 100,
        }
    ]


async def test_seconds_are_floored_to_the_minute(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        await collect(CONNECTOR.changes(client, connection, reading, mark(30) | {"updated_ms": T0 - 1}))
    assert f"updated >= {T0 - 11 * MINUTE} " in jira.asked("/search/jql")[0]["jql"]


async def test_once_a_day_the_overlap_is_a_day(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, mark(30, day="2026-11-19")))
    assert f"updated >= {T0 - 30 * MINUTE - DAY} " in jira.asked("/search/jql")[0]["jql"]
    assert page.cursor["day"] == "2026-11-20"


async def test_without_a_watermark_it_begins_when_the_connection_was_read(jira, client_on, connection, reading):
    async with client_on(jira) as client:
        await collect(CONNECTOR.changes(client, connection, reading, None))
    assert f"updated >= {T0 - DAY} " in jira.asked("/search/jql")[0]["jql"]


@pytest.mark.parametrize(
    ("updated", "expected"),
    [
        ("2026-11-20T09:50:00.000+0000", T0 - 10 * MINUTE),
        ("2026-11-20T01:50:00.000-0800", T0 - 10 * MINUTE),
        ("2026-11-20T09:59:30.000+0000", T0 - 2 * MINUTE),
        ("2026-11-20T11:00:00.000+0000", T0 - 2 * MINUTE),
    ],
)
async def test_the_watermark_never_passes_the_servers_clock_less_the_lag(
    jira, client_on, connection, reading, make_issue, updated, expected
):
    jira.add(make_issue(1, updated=updated))
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert page.items == 1
    assert page.cursor["updated_ms"] == expected


async def test_the_servers_clock_counts_not_ours(jira, client_on, connection, reading, make_issue):
    late = httpx.Response(
        200,
        json={"issues": [make_issue(1, updated="2026-11-20T09:59:00.000+0000")]},
        headers={"date": "Fri, 20 Nov 2026 09:30:00 GMT"},
    )
    jira.plan("/search/jql", late)
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert page.cursor["t0_ms"] == T0 - 30 * MINUTE
    assert page.cursor["updated_ms"] == T0 - 32 * MINUTE


async def test_only_the_last_page_of_a_finished_sweep_moves_the_watermark(
    jira, client_on, connection, reading, make_issue
):
    jira.add(*(make_issue(id, updated="2026-11-20T09:50:00.000+0000") for id in range(1, 251)))
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert [(page.number, page.items, page.cursor is None) for page in pages] == [
        (0, 100, True),
        (1, 100, True),
        (2, 50, False),
    ]


async def test_a_sweep_that_breaks_off_leaves_the_watermark(jira, client_on, connection, reading, make_issue):
    first = httpx.Response(200, json={"issues": [make_issue(1)], "nextPageToken": "a"})
    second = httpx.Response(200, json={"issues": [make_issue(2)], "nextPageToken": "b"})
    jira.plan("/search/jql", first, second, httpx.Response(400, json={"errorMessages": ["token expired"]}))
    async with client_on(jira) as client:
        pages = CONNECTOR.changes(client, connection, reading, mark())
        assert (await anext(pages)).cursor is None
        with pytest.raises(RejectedError, match="token expired"):
            await anext(pages)


async def test_stale_credentials_are_found_before_an_empty_answer_is_believed(jira, client_on, connection, reading):
    jira.me = {"displayName": "Anonymous"}
    async with client_on(jira) as client:
        with pytest.raises(AuthError, match="anonymous visitor: the credentials of environment variable JIRA_TOKEN"):
            await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert jira.asked("/search/jql") == []


@pytest.mark.parametrize(
    ("by_ms", "taken"), [(3, True), (0, False), (900, False), (httpx.Response(400, json={"message": "no"}), False)]
)
async def test_the_first_sync_compares_both_forms_of_dates(
    jira, client_on, connection, reading, make_issue, by_ms, taken
):
    jira.add(*(make_issue(id) for id in range(1, 4)))
    jira.ms_counts = by_ms
    reading = replace(reading, facts={**reading.facts, "epoch_ms": None})
    first = {"updated_ms": T0 - 30 * MINUTE, "day": "2026-11-20"}
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, first))
        asked = len(jira.calls)
        await collect(CONNECTOR.changes(client, connection, reading, page.cursor))
    assert page.cursor["epoch_ms"] is taken
    assert asked == 4
    assert len(jira.calls) == 6
    jqls = [body["jql"] for body in jira.asked("/search/jql")]
    if taken:
        assert f"updated >= {T0 - 40 * MINUTE} " in jqls[0]
    else:
        assert 'updated >= "2026-11-19 10:30" ' in jqls[0]


async def test_a_site_where_nothing_changed_tells_nothing_and_is_asked_again(jira, client_on, connection, reading):
    jira.ms_counts = 0
    reading = replace(reading, facts={**reading.facts, "epoch_ms": None})
    async with client_on(jira) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, reading, mark(epoch_ms=None)))
    assert page.cursor["epoch_ms"] is None
    assert len(jira.calls) == 4


async def test_quoted_dates_are_written_in_the_accounts_zone_with_a_day_of_overlap(
    jira, client_on, connection, reading
):
    reading = replace(reading, facts={**reading.facts, "epoch_ms": False, "time_zone": "America/New_York"})
    async with client_on(jira) as client:
        await collect(CONNECTOR.changes(client, connection, reading, mark(0)))
    assert 'updated >= "2026-11-19 05:00" ' in jira.asked("/search/jql")[0]["jql"]


async def test_descendants_of_the_scope_that_changed_are_read_too(jira, client_on, connection, reading, make_issue):
    old, new = "2026-11-01T00:00:00.000+0000", "2026-11-20T09:55:00.000+0000"
    jira.scope = lambda one: one["fields"].get("labels") == ["okr"]
    jira.add(
        make_issue(1, labels=["okr"], updated=old),
        make_issue(2, parent=1, updated=old),
        make_issue(3, parent=2, updated=new),
        make_issue(4, parent=3, updated=old),
        make_issue(5, updated=old),
        make_issue(6, parent=5, updated=new),
        make_issue(7, labels=["okr"], updated=new),
        make_issue(8, parent=7, updated=old),
    )
    connection = replace(connection, scope={"jql": "labels = okr", "children": True})
    async with client_on(jira) as client:
        pages = await collect(CONNECTOR.changes(client, connection, reading, mark()))
    read = {one["id"] for page in pages for one in httpx.Response(200, content=page.body).json()["issues"]}
    assert read == {"3", "4", "7", "8"}
    assert [page.cursor is None for page in pages] == [True] * (len(pages) - 1) + [False]
    assert [page.number for page in pages] == list(range(len(pages)))


async def test_an_idle_sync_with_descendants_costs_three_requests(jira, client_on, connection, reading):
    connection = replace(connection, scope={"jql": "labels = okr", "children": True})
    async with client_on(jira) as client:
        await collect(CONNECTOR.changes(client, connection, reading, mark()))
    assert len(jira.calls) == 3


async def test_data_center_reads_one_page_at_a_glance_and_more_by_id(
    server, client_on, connection, server_reading, make_issue
):
    async with client_on(server) as client:
        (page,) = await collect(CONNECTOR.changes(client, connection, server_reading, mark()))
        assert (page.items, len(server.calls)) == (0, 2)
        server.add(*(make_issue(id, updated="2026-11-20T09:55:00.000+0000") for id in range(1, 251)))
        pages = await collect(CONNECTOR.changes(client, connection, server_reading, mark()))
    ids = {one["id"] for page in pages for one in httpx.Response(200, content=page.body).json()["issues"]}
    assert len(ids) == 250
    assert pages[-1].cursor["updated_ms"] == T0 - 5 * MINUTE
