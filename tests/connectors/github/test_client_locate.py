"""Why an id is not in the census: still there, moved, deleted, converted, or out of sight."""

from dataclasses import replace

import httpx
import pytest

from app.demo import github_projects as projects
from app.demo.github_graph import OLD_SERVER


@pytest.fixture
def both(connection):
    return replace(connection, scope={"repositories": ["acme/api", "acme/web"]})


async def test_an_issue_that_is_there_is_handed_out(github, discovered, connection):
    api = github.repository("api", 1)
    async with discovered(connection, github) as session:
        found = await session.locate(api.issues[0].id, "acme/api")
    assert (found.state, found.page.items) == ("present", 1)


async def test_an_issue_that_is_locked_and_pinned_is_as_it_was(github, discovered, connection):
    api = github.repository("api", 2)
    for issue in api.issues:
        github.site.change(issue, state="closed", at=github.now)
    github.site.change(api.issues[0], locked=True, pinned=True)
    async with discovered(connection, github) as session:
        found = [await session.locate(issue.id, "acme/api") for issue in api.issues]
    assert [one.state for one in found] == ["present", "present"]
    locked, other = session.items([one.page for one in found])
    assert (locked.status, locked.category, locked.flags) == (other.status, other.category, other.flags)


async def test_an_issue_outside_the_scope_moved(github, discovered, connection):
    github.repository("api")
    web = github.repository("web", 1)
    async with discovered(connection, github) as session:
        found = await session.locate(web.issues[0].id, "acme/api")
    assert (found.state, found.detail) == ("moved", "now acme/web#1, which is outside the scope")
    assert session.keys([found.page]) == ["acme/web#1"]


async def test_an_issue_of_a_project_in_scope_is_present_wherever_it_lives(github, discovered, connection):
    web = github.repository("web", 2)
    board = projects.add_project(github.site, github.acme, "Board")
    projects.add_item(github.site, board, web.issues[0])
    scoped = replace(connection, scope={"projects": ["acme/1"]})
    async with discovered(scoped, github) as session:
        assert (await session.locate(web.issues[0].id, "acme/web")).state == "present"
        assert (await session.locate(web.issues[1].id, "acme/web")).state == "moved"


@pytest.mark.parametrize("with_key", [False, True])
async def test_a_deleted_issue(github, discovered, connection, with_key):
    api = github.repository("api", 1)
    issue = api.issues[0]
    github.site.delete(issue)
    async with discovered(connection, github) as session:
        found = await session.locate(issue.id, "acme/api", **({"key": "acme/api#1"} if with_key else {}))
    told = "GitHub says that it was deleted" if with_key else "not found, and its repository is still visible"
    assert (found.state, found.page, found.detail) == ("deleted", None, told)


async def test_an_issue_that_became_a_discussion_is_deleted(github, discovered, connection):
    api = github.repository("api", 1)
    issue = api.issues[0]
    github.site.convert(issue)
    async with discovered(connection, github) as session:
        found = await session.locate(issue.id, "acme/api", key="acme/api#1")
    assert found.state == "deleted"


async def test_a_transferred_issue_goes_on_under_another_id(github, discovered, both):
    api, web = github.repository("api", 1), github.repository("web")
    old = api.issues[0]
    github.site.transfer(old, web)
    async with discovered(both, github) as session:
        without = await session.locate(old.id, "acme/api")
        found = await session.locate(old.id, "acme/api", key="acme/api#1")
        github.site.faults.not_followed = True
        hidden = await session.locate(old.id, "acme/api", key="acme/api#1")
    assert (without.state, without.detail) == ("deleted", "not found, and its repository is still visible")
    assert found.state == "deleted"
    assert found.detail.startswith("it was transferred and goes on under another id: https://api.github.com/")
    assert hidden.state == "inaccessible"


async def test_an_issue_of_a_hidden_repository_is_inaccessible_and_the_repository_is_asked_for_once(
    github, discovered, both
):
    api = github.repository("api", 2)
    github.repository("web")
    async with discovered(both, github) as session:
        api.hidden = True
        found = [await session.locate(issue.id, "acme/api", key="acme/api#1") for issue in api.issues]
    assert [(one.state, one.detail) for one in found] == [
        ("inaccessible", "no longer visible to our account: repository acme/api")
    ] * 2
    assert len(github.asked("Repositories")) == 1


async def test_an_issue_that_we_may_not_see_any_more_is_not_called_deleted(github, discovered, connection):
    api = github.repository("api", 1)
    refused = {"type": "FORBIDDEN", "path": ["nodes", 0], "message": "Resource not accessible"}
    async with discovered(connection, github) as session:
        github.plan("ByIds", httpx.Response(200, json={"data": {"nodes": [None]}, "errors": [refused]}))
        found = await session.locate(api.issues[0].id, "acme/api", key="acme/api#1")
    assert (found.state, found.detail) == ("inaccessible", "our account may not see it any more")


async def test_a_number_that_another_issue_has_by_now_says_nothing_for_the_old_one(github, discovered, connection):
    github.repository("api", 1)
    async with discovered(connection, github) as session:
        found = await session.locate("I_gone", "acme/api", key="acme/api#1")
        milestone = await session.locate("MI_gone", "acme/api", key="acme/api/milestone/1")
    assert (found.state, found.detail) == ("deleted", "acme/api#1 is another issue now")
    assert milestone.state == "deleted"


async def test_a_milestone_of_an_old_server_is_handed_out(make_github, discovered, connection):
    github = make_github(server="3.14.0", without=OLD_SERVER | {"Issue.stateReason"})
    api = github.repository("api", 1)
    beta = github.site.add_milestone(api, "Beta")
    old = replace(connection, url="https://git.acme.example/api/v3", epics={"milestones": True})
    async with discovered(old, github) as session:
        found = await session.locate(beta.id, "acme/api")
        issue = await session.locate(api.issues[0].id, "acme/api")
        pages = await session.fetch([beta.id, api.issues[0].id, "I_gone"])
    assert (found.state, session.keys([found.page])) == ("present", ["acme/api/milestone/1"])
    assert (issue.state, session.keys([issue.page])) == ("present", ["acme/api#1"])
    assert session.keys(pages) == ["acme/api#1", "acme/api/milestone/1"]
    assert [id for page in pages for id in page.missing] == ["I_gone"]
