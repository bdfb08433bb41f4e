"""The past of issues: many in a request, long ones read to their end."""

from dataclasses import replace
from datetime import timedelta

import httpx

from app.demo import github_projects as projects
from app.demo.github_graph import OLD_SERVER


async def test_the_past_of_many_issues_comes_fifty_at_a_time_and_whole(github, discovered, connection):
    api = github.repository("api", 60)
    long = api.issues[3]
    for number in range(90):
        github.site.change(long, at=github.now - timedelta(hours=90 - number), labels=[f"step-{number}"])
    github.site.change(api.issues[0], state="closed", reason="not_planned")
    ids = [issue.id for issue in api.issues]
    async with discovered(connection, github) as session:
        pages = await session.history(ids)
    assert sorted(len(asked["ids"]) for asked in github.asked("History")) == [10, 50]
    assert len(github.asked("Events")) == 2
    assert sorted(page.items for page in pages) == [10, 50]
    moves = session.transitions(pages)
    assert sum(move.item_id == long.id and move.field == "labels" for move in moves) == 179
    closed = [(move.field, move.after) for move in moves if move.item_id == api.issues[0].id]
    assert sorted(closed) == [("resolution", "not_planned"), ("status", "closed")]


async def test_a_past_that_takes_too_long_is_read_for_fewer_at_once(github, discovered, connection):
    api = github.repository("api", 20)
    async with discovered(connection, github) as session:
        github.plan("History", httpx.Response(504, json={"message": "Timeout"}))
        pages = await session.history([issue.id for issue in api.issues])
    assert [len(asked["ids"]) for asked in github.asked("History")] == [20, 10, 10]
    assert sum(page.items for page in pages) == 20


async def test_milestones_have_no_past_and_that_of_what_is_gone_is_missing(github, discovered, connection):
    api = github.repository("api", 2)
    milestone = github.site.add_milestone(api, "Beta")
    github.site.delete(gone := api.issues[1])
    async with discovered(connection, github) as session:
        pages = await session.history([api.issues[0].id, gone.id, milestone.id])
    assert [(page.items, page.missing) for page in pages] == [(1, (gone.id,))]
    assert session.transitions(pages) == []


async def test_a_server_that_tells_no_events_is_not_asked(make_github, discovered, connection, opened):
    github = make_github(without=OLD_SERVER)
    api = github.repository("api", 1)
    async with discovered(connection, github) as session:
        assert len(await session.history([api.issues[0].id])) == 1
        session.reading.facts["can"].clear()
        github.calls.clear()
        assert await session.history([api.issues[0].id]) == []
    assert github.calls == []


async def test_an_issue_taken_out_of_its_project_has_no_word_of_it_any_more(github, discovered, connection):
    api = github.repository("api", 1)
    board = projects.add_project(github.site, github.acme, "Board")
    item = projects.add_item(github.site, board, api.issues[0])
    github.at += timedelta(minutes=1)
    projects.set_value(github.site, item, "Status", "In Progress")
    github.at += timedelta(minutes=1)
    projects.remove(github.site, item)
    scope = {"repositories": ["acme/api"], "projects": ["acme/1"]}
    scoped = replace(connection, scope=scope, status={"project_field": "Status"})
    async with discovered(scoped, github) as session:
        pages = await session.history([api.issues[0].id])
    moves = [(move.before, move.after) for move in session.transitions(pages) if move.field == "status"]
    assert moves == [("open", "In Progress"), ("In Progress", "open")]
