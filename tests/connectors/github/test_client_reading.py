"""Everything in scope: lists from both ends, pages that shrink, lists inside issues, items by id, the census."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import orjson
import pytest

from app.demo import github_projects as projects
from app.demo.github_graph import OLD_SERVER
from connectors.github import CONNECTOR
from domain.errors import NotFoundError, PayloadError, VendorUnavailableError


def keys(count, repository="acme/api"):
    return sorted(f"{repository}#{number}" for number in range(1, count + 1))


async def test_a_small_repository_takes_one_request_and_its_count(github, discovered, connection):
    github.repository("api", 7)
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(7)
    assert github.operations == ["Counts", "Issues"]
    assert [(page.kind, page.stream, page.number, page.items) for page in pages] == [("items", "backfill", 0, 7)]


async def test_six_requests_are_under_way_at_a_time(github, discovered, connection):
    names = [f"r{number}" for number in range(9)]
    for name in names:
        github.repository(name, 1)
    answer, under_way, most = github.answer, 0, 0

    async def counted(request):
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        for _ in range(50):
            await asyncio.sleep(0)
        under_way -= 1
        return await answer(request)

    github.answer = counted
    wide = replace(connection, scope={"repositories": [f"acme/{name}" for name in names]})
    async with discovered(wide, github) as session:
        assert len(session.keys(await session.backfill())) == 9
    assert most == 6


async def test_an_empty_repository_is_counted_and_not_read(github, discovered, connection):
    github.repository("api")
    async with discovered(connection, github) as session:
        assert await session.backfill() == []
        assert await session.ids() == []
        assert await session.count() == 0


async def test_open_and_closed_issues_are_read_from_both_ends_until_they_meet(github, discovered, connection):
    api = github.repository("api", 1050)
    for issue in api.issues[:520]:
        github.site.change(issue, at=issue.created_at + timedelta(days=1), state="closed", reason="completed")
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(1050)
    assert sum(page.items for page in pages) <= 1050 + 2
    assert len(github.asked("Issues")) == 12
    ends = {(tuple(asked["states"]), asked["direction"]) for asked in github.asked("Issues")}
    assert ends == {(("OPEN",), "ASC"), (("OPEN",), "DESC"), (("CLOSED",), "ASC"), (("CLOSED",), "DESC")}


@pytest.mark.parametrize("count", [101, 200, 201, 300, 301, 400, 555, 1000])
async def test_no_issue_is_read_twice_but_where_the_ends_meet(github, discovered, connection, count):
    github.repository("api", count)
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(count)
    assert sum(page.items for page in pages) <= count + 1
    assert len(github.asked("Issues")) <= -(-count // 100) + 1


async def test_the_requests_for_ten_thousand_issues_stay_within_a_few_more_than_a_hundred(
    github, discovered, connection
):
    github.repository("api", 10_000)
    async with discovered(connection, github) as session:
        ids = await session.ids()
        counted = await session.count()
    assert len(ids) == len(set(ids)) == counted == 10_000
    assert len(github.calls) <= 105


async def test_issues_of_one_instant_are_read_whole_from_both_ends(github, discovered, connection):
    api = github.repository("api")
    for number in range(350):
        github.site.create(api, f"Issue {number}", at=github.now - timedelta(days=3))
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(350)


async def test_what_leaves_the_list_meanwhile_hides_nothing_that_stays(github, discovered, connection):
    api = github.repository("api", 600)
    async with discovered(connection, github) as session:
        asking = github.answer

        async def answer(request):
            told = await asking(request)
            if len(github.asked("Issues")) == 2 and len(api.issues) == 600:
                for issue in list(api.issues[:40]):
                    github.site.delete(issue)
            return told

        github.answer = answer
        pages = await session.backfill()
    assert {f"acme/api#{number}" for number in range(41, 601)} <= set(session.keys(pages))


async def test_a_page_that_takes_too_long_is_made_smaller_and_never_asked_for_again_at_its_size(
    github, discovered, connection
):
    github.repository("api", 230)
    github.site.faults.timeout_nodes = 5_000
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(230)
    tried = [(asked["direction"], asked.get("after"), asked["first"]) for asked in github.asked("Issues")]
    assert len(tried) == len(set(tried))
    assert min(first for _, _, first in tried) < 60


async def test_a_page_over_the_resource_limits_is_made_smaller_though_part_of_it_came(github, discovered, connection):
    github.repository("api", 90)
    github.site.faults.resource_nodes = 30
    async with discovered(connection, github) as session:
        pages = await session.backfill()
    assert session.keys(pages) == keys(90)
    assert [asked["first"] for asked in github.asked("Issues")][:3] == [100, 50, 25]


async def test_the_smallest_page_is_repeated_like_any_call_and_then_given_up(github, discovered, connection):
    github.repository("api", 90)
    async with discovered(connection, github) as session:
        github.site.faults.add("timeout", path="Issues", times=99)
        with pytest.raises(VendorUnavailableError, match=r"Gave up after 4 attempts"):
            await session.backfill()
    assert [asked["first"] for asked in github.asked("Issues")] == [100, 50, 25, 12, 6, *[5] * 8]


@pytest.fixture
def poisoned(github):
    """Let GitHub never manage an answer that holds a certain issue or its past."""

    def poisoned(id):
        asking = github.answer

        async def answer(request):
            told = await asking(request)
            heavy = b"...Issue" in request.content or b"timelineItems" in request.content
            if heavy and id.encode() in await told.aread():
                return httpx.Response(502, json={"message": "Something went wrong"})
            return told

        github.answer = answer

    return poisoned


async def test_an_issue_that_github_cannot_give_is_named_and_the_rest_goes_on(github, discovered, connection, poisoned):
    api = github.repository("api", 240)
    bad = api.issues[117]
    poisoned(bad.id)
    async with discovered(connection, github) as session:
        mark = {"updated_ms": session.reading.facts["read_ms"]}
        for pages in (
            await session.backfill(),
            await session.fetch([issue.id for issue in api.issues]),
            await session.changes({**mark, "updated_ms": mark["updated_ms"] - 30 * 86_400_000}),
            [(await session.locate(bad.id, "acme/api")).page],
        ):
            found, refused = [], []
            for page in pages:
                for piece in CONNECTOR.split("items", page.body):
                    try:
                        parsed = CONNECTOR.parse("items", piece, session.connection, session.reading)
                        found += [change.item.key for change in parsed.changes]
                    except PayloadError as error:
                        refused.append(str(error))
            assert set(refused) == {f"Issue acme/api#118 ({bad.id}): GitHub cannot give it, alone either."}
            if len(pages) > 1:
                assert set(found) == set(keys(240)) - {"acme/api#118"}
        assert len(await session.ids()) == 240


async def test_a_past_that_github_cannot_give_is_named_and_the_rest_goes_on(github, discovered, connection, poisoned):
    api = github.repository("api", 40)
    bad = api.issues[17]
    poisoned(bad.id)
    async with discovered(connection, github) as session:
        pages = await session.history([issue.id for issue in api.issues])
        pieces = [piece for page in pages for piece in CONNECTOR.split("history", page.body)]
        refused, whole = [], []
        for piece in pieces:
            try:
                whole += CONNECTOR.parse("history", piece, session.connection, session.reading).history_of
            except PayloadError as error:
                refused.append(str(error))
    assert refused == [f"The past of issue {bad.id}: GitHub cannot give it, alone either."]
    assert sorted(whole) == sorted(issue.id for issue in api.issues if issue is not bad)


async def test_nothing_is_called_unreadable_where_github_is_out_of_order(github, discovered, connection):
    api = github.repository("api", 2)
    async with discovered(connection, github) as session:
        github.site.faults.add("timeout", times=99)
        with pytest.raises(VendorUnavailableError):
            await session.fetch([issue.id for issue in api.issues])
        with pytest.raises(VendorUnavailableError):
            await session.history([issue.id for issue in api.issues])


async def test_pages_grow_back_slowly(github, discovered, connection):
    github.repository("api", 900)
    async with discovered(connection, github) as session:
        github.site.faults.add("timeout", path="Issues", times=2)
        pages = await session.backfill()
    assert session.keys(pages) == keys(900)
    sizes = [asked["first"] for asked in github.asked("Issues")]
    assert sizes[0] == 100
    assert 50 in sizes
    assert 60 in sizes


async def test_a_list_whose_cursor_expired_is_read_from_its_start(github, discovered, connection):
    github.repository("api", 350)
    async with discovered(connection, github) as session:
        github.site.faults.add("expired_cursor", path="Issues", after=2)
        pages = await session.backfill()
    assert session.keys(pages) == keys(350)


@pytest.mark.parametrize("kind", ["null_cursor", "same_cursor"])
async def test_a_promise_of_more_without_a_place_to_go_on_ends_in_an_error(github, discovered, connection, kind):
    github.repository("api", 350)
    async with discovered(connection, github) as session:
        github.site.faults.add(kind, path="Issues", after=2, times=9)
        with pytest.raises(VendorUnavailableError, match=r"where it goes on|circles"):
            await session.backfill()


async def test_lists_inside_an_issue_are_read_to_their_end(github, discovered, connection):
    api = github.repository("api", 3)
    many = [f"label-{number:03}" for number in range(170)]
    people = [github.site.add_user(f"person-{number:02}") for number in range(12)]
    github.site.change(api.issues[1], labels=many, assignees=people)
    for number in range(14):
        github.site.block(api.issues[2], github.site.create(api, f"Blocker {number}"))
    async with discovered(connection, github) as session:
        items = {item.key: item for item in session.items(await session.backfill())}
    assert sorted(items["acme/api#2"].labels) == many
    assert len(items["acme/api#2"].assignees) == 12
    assert len(items["acme/api#3"].blocked_by) == 14
    assert [call for call in github.operations if call == "RestOf"] == ["RestOf"] * 4


async def test_an_issue_that_went_wrong_at_github_is_asked_for_again(github, discovered, connection):
    github.repository("api", 5)
    async with discovered(connection, github) as session:
        github.site.faults.add("partial", path="Issues")
        pages = await session.backfill()
    assert session.keys(pages) == keys(5)
    assert [asked["first"] for asked in github.asked("Issues")] == [100, 50]


async def test_an_issue_that_we_may_not_see_does_not_hide_the_others(github, discovered, connection):
    github.repository("api", 2)
    async with discovered(connection, github) as session:
        [page] = await session.backfill()
        seen = page.payload["data"]["repository"]["issues"]["nodes"]
        issues = {"totalCount": 3, "pageInfo": {"hasNextPage": False, "endCursor": None}, "nodes": [None, *seen]}
        refused = {"type": "FORBIDDEN", "path": ["repository", "issues", "nodes", 0], "message": "Resource protected"}
        told = {
            "data": {"repository": {"id": "R_1", "nameWithOwner": "acme/api", "issues": issues}},
            "errors": [refused],
        }
        github.plan("Issues", httpx.Response(200, json=told))
        pages = await session.backfill()
    assert session.keys(pages) == keys(2)


async def test_an_organization_is_read_with_its_archived_repositories(github, discovered, connection):
    github.repository("api", 2)
    github.site.archive_repository(github.repository("old", 1))
    scoped = replace(connection, scope={"organizations": ["Acme"]})
    async with discovered(scoped, github) as session:
        items = session.items(await session.backfill())
    assert sorted((item.key, item.archived) for item in items) == [
        ("acme/api#1", False), ("acme/api#2", False), ("acme/old#1", True),
    ]  # fmt: skip


async def test_a_project_brings_its_issues_from_any_repository_each_once(github, discovered, connection):
    api, web = github.repository("api", 3), github.repository("web", 4)
    boards = [projects.add_project(github.site, github.acme, title) for title in ("Board", "Other")]
    for board in boards:
        for issue in (api.issues[0], web.issues[1], web.issues[3]):
            projects.add_item(github.site, board, issue)
    projects.add_draft(github.site, boards[0], "A thought")
    projects.archive(github.site, boards[0].items[1])
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1", "acme/2"]})
    async with discovered(scoped, github) as session:
        pages = await session.backfill()
        ids = await session.ids()
        counted = await session.count()
    assert session.keys(pages) == ["acme/api#1", "acme/api#2", "acme/api#3", "acme/web#2", "acme/web#4"]
    assert sorted(ids) == sorted(item.id for item in session.items(pages))
    assert counted == 3
    alone = replace(connection, scope={"projects": ["acme/1"]})
    async with discovered(alone, github) as session:
        assert session.keys(await session.backfill()) == ["acme/api#1", "acme/web#2", "acme/web#4"]
        assert await session.count() == 4


async def test_milestones_are_items_where_they_are_epics(github, discovered, connection):
    api = github.repository("api", 2)
    github.site.add_milestone(api, "Beta")
    with_milestones = replace(connection, epics={"milestones": True})
    async with discovered(with_milestones, github) as session:
        pages = await session.backfill()
        ids = await session.ids()
        assert await session.count() == 3
        again = session.items(await session.fetch(ids))
    assert session.keys(pages) == ["acme/api#1", "acme/api#2", "acme/api/milestone/1"]
    assert sorted(item.id for item in again) == sorted(ids) == sorted(item.id for item in session.items(pages))


async def test_fetch_names_what_is_gone_and_keeps_the_rest(github, discovered, connection):
    api = github.repository("api", 150)
    ids = [issue.id for issue in api.issues]
    github.site.delete(api.issues[3])
    async with discovered(connection, github) as session:
        pages = await session.fetch([*ids, ids[0]])
    assert len(session.items(pages)) == 149
    assert [id for page in pages for id in page.missing] == [ids[3]]
    assert [len(asked["ids"]) for asked in github.asked("ByIds")] == [100, 50]


@pytest.mark.parametrize("old", [False, True])
async def test_fetch_hands_out_nothing_from_outside_the_scope(make_github, discovered, connection, old):
    github = make_github(**({"server": "3.14.0", "without": OLD_SERVER | {"Issue.stateReason"}} if old else {}))
    api, web = github.repository("api", 2), github.repository("web", 2)
    url = "https://git.acme.example/api/v3" if old else connection.url
    async with discovered(replace(connection, url=url), github) as session:
        pages = await session.fetch([issue.id for issue in (*api.issues, *web.issues)])
    assert session.keys(pages) == ["acme/api#1", "acme/api#2"]
    assert [page.items for page in pages] == [2]
    assert sorted(id for page in pages for id in page.missing) == sorted(issue.id for issue in web.issues)


async def test_a_fetch_that_takes_too_long_is_halved(github, discovered, connection):
    api = github.repository("api", 40)
    async with discovered(connection, github) as session:
        github.plan("ByIds", httpx.Response(502, json={"message": "Something went wrong"}))
        pages = await session.fetch([issue.id for issue in api.issues])
    assert session.keys(pages) == keys(40)
    assert [len(asked["ids"]) for asked in github.asked("ByIds")] == [40, 20, 20]


async def test_a_backfill_and_its_bar_count_once(github, discovered, connection):
    github.repository("api", 3)
    async with discovered(connection, github) as session:
        pages, count = await asyncio.gather(session.backfill(), session.count())
        assert (sum(page.items for page in pages), count) == (3, 3)
        assert github.operations.count("Counts") == 1
        github.site.create(github.site.repository("acme/api"), "One more")
        github.at += timedelta(minutes=1)
        assert await session.count() == 4


async def test_a_project_is_read_from_both_ends_and_before_all_else(github, discovered, connection):
    api, web = github.repository("api", 5), github.repository("web", 430)
    board = projects.add_project(github.site, github.acme, "Board")
    for issue in web.issues:
        projects.add_item(github.site, board, issue)
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]})
    async with discovered(scoped, github) as session:
        pages = await session.backfill()
        assert len(session.keys(pages)) == len(api.issues) + len(web.issues)
        assert len(session.items(pages)) == len(api.issues) + len(web.issues)
        assert github.operations[1] == "Items"
        assert github.operations.count("Items") == 5
        ends = [
            "last:" in orjson.loads(request.content)["query"] for name, _, request in github.calls if name == "Items"
        ]
        assert sorted(ends) == [False, False, False, True, True]
        assert sorted(await session.ids()) == sorted(issue.id for issue in (*api.issues, *web.issues))


async def test_a_project_that_loses_items_under_way_is_read_to_its_end(github, discovered, connection):
    web = github.repository("web", 430)
    board = projects.add_project(github.site, github.acme, "Board")
    rows = [projects.add_item(github.site, board, issue) for issue in web.issues]
    scoped = replace(connection, scope={"projects": ["acme/1"]})
    async with discovered(scoped, github) as session:
        asking = github.answer

        async def answer(request):
            if github.operations.count("Items") == 2 and len(board.items) == 430:
                for row in rows[210:260]:
                    projects.remove(github.site, row)
            return await asking(request)

        github.answer = answer
        pages = await session.backfill()
    assert {issue.key for issue in (*web.issues[:210], *web.issues[260:])} <= set(session.keys(pages))


@pytest.mark.parametrize("after", [1, 2, 4])
async def test_a_repository_that_vanishes_under_way_takes_nothing_else_along(github, discovered, connection, after):
    api, _ = github.repository("api", 450), github.repository("web", 3)
    scoped = replace(connection, scope={"repositories": ["acme/api", "acme/web"]})
    async with discovered(scoped, github) as session:
        asking = github.answer

        async def answer(request):
            api.hidden = len(github.calls) >= after
            return await asking(request)

        github.answer = answer
        pages = await session.backfill()
        assert {"acme/web#1", "acme/web#2", "acme/web#3"} <= set(session.keys(pages))
        github.at += timedelta(minutes=1)
        assert await session.count() == 3


async def test_a_repository_that_is_missing_in_one_answer_alone_ends_the_backfill(github, discovered, connection):
    github.repository("api", 3)
    async with discovered(connection, github) as session:
        github.plan("Issues", httpx.Response(200, json={"data": {"repository": None}}))
        with pytest.raises(NotFoundError, match="repository 'acme/api'"):
            await session.backfill()


async def test_a_repository_that_vanishes_under_way_ends_the_census(github, discovered, connection):
    api = github.repository("api", 3)
    async with discovered(connection, github) as session:
        api.hidden = True
        with pytest.raises(NotFoundError, match="repository 'acme/api'"):
            await session.ids()
