"""What changed since a watermark: one question tells where, parents and projects come along, the mark moves."""

from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from app.demo import github_projects as projects
from app.demo.github_graph import OLD_SERVER


def mark_of(pages):
    assert [page.cursor is not None for page in pages] == [False] * (len(pages) - 1) + [True]
    assert [page.number for page in pages] == list(range(len(pages)))
    return pages[-1].cursor


@pytest.fixture
async def first(github):
    """Let time pass after what a test made, and return a watermark of now."""

    def first():
        github.at += timedelta(hours=1)
        return {"updated_ms": int(github.at.timestamp() * 1000), "day": github.at.date().isoformat()}

    return first


async def test_an_idle_sync_asks_one_question_and_moves_the_mark(github, discovered, connection, first):
    github.repository("api", 3)
    mark = first()
    async with discovered(connection, github) as session:
        github.at += timedelta(hours=1)
        pages = await session.changes(mark)
    assert github.operations == ["Moved"]
    assert [page.items for page in pages] == [0]
    assert mark_of(pages) == {
        "updated_ms": int(github.at.timestamp() * 1000),
        "day": "2026-11-20",
        "repositories": {session.reading.facts["repositories"]["acme/api"]["id"]: ["acme/api", False]},
        "projects": {},
    }
    assert session.items(pages) == []


async def test_an_idle_sync_of_many_repositories_asks_for_twenty_at_a_time(github, discovered, connection, first):
    names = [f"acme/repo-{number}" for number in range(45)]
    for name in names:
        github.repository(name.partition("/")[2], 1)
    many = replace(connection, scope={"repositories": names})
    mark = first()
    async with discovered(many, github) as session:
        pages = await session.changes(mark)
    assert github.operations == ["Moved"] * 3
    assert len(mark_of(pages)["repositories"]) == 45


async def test_only_repositories_where_something_changed_are_read_oldest_change_first(
    github, discovered, connection, first
):
    api, web = github.repository("api", 4), github.repository("web", 4)
    mark = first()
    both = replace(connection, scope={"repositories": ["acme/api", "acme/web"]})
    async with discovered(both, github) as session:
        for number, issue in enumerate([web.issues[2], web.issues[0]]):
            github.at += timedelta(minutes=number + 1)
            github.site.change(issue, state="closed", reason="not_planned")
        pages = await session.changes(mark)
    assert [item.key for item in session.items(pages)] == ["acme/web#3", "acme/web#1"]
    assert github.operations == ["Moved", "Changed"]
    assert github.asked("Changed")[0]["since"] == "2026-11-20T10:55:00Z"
    assert api.issues
    assert mark_of(pages)["updated_ms"] == int(github.at.timestamp() * 1000)


async def test_without_a_watermark_changes_begin_where_the_connection_was_discovered(github, discovered, connection):
    api = github.repository("api", 2)
    async with discovered(connection, github) as session:
        github.at += timedelta(minutes=1)
        github.site.change(api.issues[1], title="Another")
        pages = await session.changes(None)
    assert [item.title for item in session.items(pages)] == ["Another"]


async def test_the_parents_of_what_changed_are_read_again(github, discovered, connection, first):
    api, far = github.repository("api", 4), github.repository("far", 1)
    mark = first()
    async with discovered(connection, github) as session:
        github.at += timedelta(minutes=1)
        github.site.change(api.issues[1], parent=api.issues[0])
        github.site.change(api.issues[2], parent=far.issues[0])
        github.at += timedelta(minutes=1)
        pages = await session.changes(mark)
    items = {item.key: item for item in session.items(pages)}
    assert set(items) == {"acme/api#1", "acme/api#2", "acme/api#3"}
    assert items["acme/api#1"].level.value == "epic"
    assert github.operations == ["Moved", "Changed", "ByIds"]


async def test_a_changed_list_longer_than_a_page_is_read_to_its_end(github, discovered, connection, first):
    api = github.repository("api", 230)
    mark = first()
    async with discovered(connection, github) as session:
        github.at += timedelta(minutes=1)
        for issue in api.issues:
            github.site.change(issue, labels=["all"])
        github.site.faults.add("timeout", path="Changed", after=1)
        github.site.faults.add("expired_cursor", path="Changed", after=2)
        pages = await session.changes(mark)
    assert len({item.key for item in session.items(pages)}) == 230


async def test_a_repository_that_comes_to_an_organization_is_read_whole(github, discovered, connection, first):
    github.repository("api", 2)
    scoped = replace(connection, scope={"organizations": ["acme"]})
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.repository("late", 3)
        github.calls.clear()
        pages = await session.changes(before)
        assert session.keys(pages) == ["acme/late#1", "acme/late#2", "acme/late#3"]
        assert github.operations == ["Organization", "Counts", "Issues"]
        github.calls.clear()
        again = await session.changes(mark_of(pages))
    assert [page.items for page in again] == [0]
    assert github.operations == ["Organization"]


async def test_a_repository_that_came_before_the_first_sync_is_new_to_the_backfills_mark(
    github, discovered, connection, first
):
    github.repository("api", 2)
    scoped = replace(connection, scope={"organizations": ["acme"]})
    mark = first()
    async with discovered(scoped, github) as session:
        mark |= session.reading.facts["mark"]
    github.repository("late", 3)
    async with discovered(scoped, github) as session:
        pages = await session.changes(mark)
    assert session.keys(pages) == ["acme/late#1", "acme/late#2", "acme/late#3"]


async def test_a_repository_whose_issues_are_switched_on_is_read_whole(github, discovered, connection, first):
    api = github.repository("api", 2, has_issues_enabled=False)
    mark = first()
    async with discovered(connection, github) as session:
        before = mark_of(await session.changes(mark))
        api.has_issues_enabled = True
        pages = await session.changes(before)
    assert session.keys(pages) == ["acme/api#1", "acme/api#2"]


async def test_a_renamed_or_archived_repository_is_read_again_for_its_issues_do_not_move(
    github, discovered, connection, first
):
    api = github.repository("api", 2)
    mark = first()
    async with discovered(connection, github) as session:
        github.site.rename_repository(api, "core")
        pages = await session.changes(mark)
        assert session.keys(pages) == ["acme/core#1", "acme/core#2"]
        github.at += timedelta(hours=1)
        github.site.change(api.issues[0], title="Changed under the new name")
        github.at += timedelta(minutes=1)
        pages = await session.changes(mark_of(pages))
        assert [item.title for item in session.items(pages)] == ["Changed under the new name"]
        github.at += timedelta(hours=1)
        github.site.archive_repository(api)
        pages = await session.changes(mark_of(pages))
    assert [item.archived for item in session.items(pages)] == [True, True]


async def test_a_repository_out_of_sight_stops_nothing_and_is_read_whole_when_it_is_back(
    github, discovered, connection, first
):
    api, web = github.repository("api", 2), github.repository("web", 2)
    both = replace(connection, scope={"repositories": ["acme/api", "acme/web"]})
    mark = first()
    async with discovered(both, github) as session:
        web.hidden = True
        github.at += timedelta(minutes=1)
        github.site.change(api.issues[0], title="Still read")
        github.at += timedelta(hours=1)
        pages = await session.changes(mark)
        assert [item.title for item in session.items(pages)] == ["Still read"]
        web.hidden = False
        pages = await session.changes(mark_of(pages))
    assert session.keys(pages) == ["acme/web#1", "acme/web#2"]


async def test_a_change_of_a_projects_field_moves_the_item_alone(github, discovered, connection, first):
    api = github.repository("api", 3)
    board = projects.add_project(github.site, github.acme, "Board")
    rows = [projects.add_item(github.site, board, issue) for issue in api.issues]
    scoped = replace(
        connection,
        scope={"repositories": ["acme/api"], "projects": ["acme/1"]},
        status={"project_field": "Status"},
    )
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.at += timedelta(hours=1)
        projects.set_value(github.site, rows[1], "Status", "Done")
        github.at += timedelta(minutes=1)
        github.calls.clear()
        pages = await session.changes(before)
        assert [(item.key, item.status) for item in session.items(pages)] == [("acme/api#2", "Done")]
        assert github.operations == ["Moved", "Items", "ByIds", "History"]
        assert [(one.before, one.after) for one in session.transitions(pages)] == [("open", "Done")]
        assert [page.kind for page in pages] == ["items", "history", "items"]
        assert pages[-1].items == 0
        github.at += timedelta(hours=1)
        github.calls.clear()
        idle = await session.changes(mark_of(pages))
    assert github.operations == ["Moved"]
    assert [page.items for page in idle] == [0]


async def test_the_past_of_a_project_is_read_where_its_field_tells_the_status_alone(
    github, discovered, connection, first
):
    api = github.repository("api", 1)
    board = projects.add_project(github.site, github.acme, "Board")
    row = projects.add_item(github.site, board, api.issues[0])
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]})
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.at += timedelta(hours=1)
        projects.set_value(github.site, row, "Status", "Done")
        github.calls.clear()
        await session.changes(before)
    assert github.operations == ["Moved", "Items", "ByIds"]


async def test_an_issue_that_changed_and_moved_in_a_project_is_read_once_and_its_past_too(
    github, discovered, connection, first
):
    api = github.repository("api", 2)
    board = projects.add_project(github.site, github.acme, "Board")
    row = projects.add_item(github.site, board, api.issues[0])
    scoped = replace(
        connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]}, status={"project_field": "Status"}
    )
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.at += timedelta(hours=1)
        github.site.change(api.issues[0], title="Another")
        projects.set_value(github.site, row, "Status", "In Progress")
        github.calls.clear()
        pages = await session.changes(before)
    assert github.operations == ["Moved", "Changed", "Items", "History"]
    assert [one.after for one in session.transitions(pages)] == ["In Progress"]


async def test_an_issue_that_left_a_project_is_read_again_and_named_where_it_left_the_scope(
    github, discovered, connection, first
):
    api, web = github.repository("api", 2), github.repository("web", 1)
    board = projects.add_project(github.site, github.acme, "Board")
    rows = [projects.add_item(github.site, board, issue) for issue in (*api.issues, *web.issues)]
    projects.set_value(github.site, rows[0], "Status", "Done")
    scoped = replace(
        connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]}, status={"project_field": "Status"}
    )
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        assert before["projects"]["acme/1"]["items"] == [issue.id for issue in (*api.issues, *web.issues)]
        github.at += timedelta(hours=1)
        projects.remove(github.site, rows[0])
        projects.remove(github.site, rows[2])
        pages = await session.changes(before)
        assert [(item.key, item.status) for item in session.items(pages)] == [("acme/api#1", "open")]
        assert [page.missing for page in pages if page.missing] == [(web.issues[0].id,)]
        assert session.transitions(pages)[-1].after == "open"
        again = await session.changes(mark_of(pages))
    assert [page.missing for page in again if page.missing] == []
    assert mark_of(again)["projects"]["acme/1"]["items"] == [api.issues[1].id]


async def test_issues_of_a_project_that_come_into_sight_are_read_though_nothing_moved(
    github, discovered, connection, first
):
    api, web = github.repository("api", 1), github.repository("web", 2)
    board = projects.add_project(github.site, github.acme, "Board")
    for issue in (*api.issues, *web.issues):
        projects.add_item(github.site, board, issue)
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]})
    web.hidden = True
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        assert before["projects"]["acme/1"]["outside"] == []
        web.hidden = False
        github.at += timedelta(days=1)
        pages = await session.changes(before)
    assert session.keys(pages) == ["acme/web#1", "acme/web#2"]


async def test_each_of_many_projects_is_asked_for_changes(github, discovered, connection, first):
    api = github.repository("api", 1)
    boards = [projects.add_project(github.site, github.acme, f"Board {number}") for number in range(130)]
    row = projects.add_item(github.site, boards[-1], api.issues[0])
    scoped = replace(
        connection,
        scope={"repositories": ["acme/api"], "projects": [f"acme/{board.number}" for board in boards]},
        estimate={"project_field": "Points"},
    )
    projects.add_field(github.site, boards[-1], "Points", "NUMBER")
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.at += timedelta(hours=1)
        projects.set_value(github.site, row, "Points", 5)
        github.calls.clear()
        pages = await session.changes(before)
    assert [(item.key, item.estimate) for item in session.items(pages)] == [("acme/api#1", 5.0)]
    assert [len(asked["projects"]) for asked in github.asked("Moved")] == [100, 30]


async def test_issues_of_a_project_in_other_repositories_are_followed(github, discovered, connection, first):
    web = github.repository("web", 3)
    board = projects.add_project(github.site, github.acme, "Board")
    for issue in web.issues[:2]:
        projects.add_item(github.site, board, issue)
    scoped = replace(connection, scope={"projects": ["acme/1"]})
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        assert before["projects"]["acme/1"]["outside"] == ["acme/web"]
        github.at += timedelta(hours=1)
        github.site.change(web.issues[0], state="closed", reason="completed")
        github.site.change(web.issues[2], title="Not in the project")
        github.at += timedelta(minutes=1)
        pages = await session.changes(before)
    assert session.keys(pages) == ["acme/web#1"]


async def test_once_a_day_the_items_of_a_project_are_compared_though_it_did_not_move(
    github, discovered, connection, first
):
    api = github.repository("api", 1)
    board = projects.add_project(github.site, github.acme, "Board")
    projects.add_item(github.site, board, api.issues[0])
    scoped = replace(connection, scope={"repositories": ["acme/api"], "projects": ["acme/1"]})
    mark = first()
    async with discovered(scoped, github) as session:
        before = mark_of(await session.changes(mark))
        github.at += timedelta(days=1)
        github.calls.clear()
        await session.changes(before)
    assert github.operations == ["Moved", "Items"]


async def test_milestones_that_changed_are_read_where_they_are_items(github, discovered, connection, first):
    api = github.repository("api", 1)
    beta = github.site.add_milestone(api, "Beta")
    github.site.add_milestone(api, "Old")
    with_milestones = replace(connection, epics={"milestones": True})
    mark = first()
    async with discovered(with_milestones, github) as session:
        github.at += timedelta(minutes=1)
        github.site.change_milestone(beta, title="Beta 2")
        github.at += timedelta(minutes=1)
        pages = await session.changes(mark)
    assert next(item.title for item in session.items(pages)) == "Beta 2"
    assert github.operations == ["Moved", "Milestones"]


async def test_an_old_server_is_asked_by_rest_and_an_unchanged_list_costs_nothing(
    make_github, discovered, connection, first
):
    github = make_github(server="3.14.0", without=OLD_SERVER | {"Issue.stateReason"})
    api = github.repository("api", 130)
    github.site.create_pull(api, "A pull request")
    old = replace(connection, url="https://git.acme.example/api/v3")
    async with discovered(old, github) as session:
        assert session.reading.facts["old"] is True
        pages = await session.backfill()
        assert len({item.id for item in session.items(pages)}) == 130
        assert sum(page.items for page in pages) == 130 + 1  # the issue where the pages meet
        github.at += timedelta(hours=1)
        mark = {"updated_ms": int(github.at.timestamp() * 1000), "day": "2026-11-20"}
        github.at += timedelta(minutes=1)
        github.site.change(api.issues[4], state="closed", reason="completed")
        github.calls.clear()
        pages = await session.changes(mark)
        assert [(item.key, item.resolution) for item in session.items(pages)] == [("acme/api#5", "completed")]
        kept = mark_of(pages)["lists"]["acme/api"]
        assert kept["since"] == "2026-11-20T10:55:00Z"
        pages = await session.changes(mark_of(pages))
        request = github.calls[-1][2]
        assert request.headers["if-none-match"] == kept["etag"]
        assert [page.items for page in pages] == [0]
        assert mark_of(pages)["lists"]["acme/api"] == kept
        fetched = await session.fetch([api.issues[4].id, "I_gone"])
    assert session.keys(fetched) == ["acme/api#5"]
    assert fetched[0].missing == ("I_gone",)


async def test_the_servers_clock_is_the_watermark(github, discovered, connection, first):
    github.repository("api", 1)
    mark = first()
    async with discovered(connection, github) as session:
        body = {"data": {"r0": {"id": "R_1", "nameWithOwner": "acme/api", "issues": {"totalCount": 0}}}}
        late = {"date": "Fri, 20 Nov 2026 08:00:00 GMT"}
        github.plan("Moved", httpx.Response(200, json=body, headers=late))
        mark |= {"repositories": {"R_1": ["acme/api", False]}}
        pages = await session.changes(mark)
    assert mark_of(pages)["updated_ms"] == 1795161600000
