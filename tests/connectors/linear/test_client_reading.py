"""Everything in scope, every id, given ids and lost ids: what is asked, and that nothing is left out."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import orjson
import pytest

from connectors.linear import CONNECTOR
from connectors.linear.windows import SIZES, Size
from domain.errors import AuthError, RejectedError, VendorUnavailableError
from domain.work import Upsert

JIRA_URL = "https://acme.atlassian.net/browse/PAY-7"


@pytest.fixture
def backfill(opened, discovered, connection, everything):
    """Read everything; return the pages."""

    async def backfill(workspace, other=None):
        reading = await discovered(workspace, other)
        async with opened(other or connection, workspace) as client:
            return [page async for page in CONNECTOR.backfill(client, other or connection, reading, everything)]

    return backfill


@pytest.fixture
def items_of(connection):
    """What the pages say, by id, read from their bytes as the store keeps them."""

    def items_of(pages, reading):
        changes = [one for page in pages for one in CONNECTOR.parse("items", page.body, connection, reading).changes]
        assert all(isinstance(one, Upsert) for one in changes)
        return {one.item.id: one.item for one in changes}

    return items_of


class Counting(httpx.ASGITransport):
    """A transport that knows how many requests were under way at most."""

    under_way = most = 0

    async def handle_async_request(self, request):
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(50):
            await asyncio.sleep(0)
        self.under_way -= 1
        return await super().handle_async_request(request)


async def test_twelve_requests_are_under_way_at_a_time(linear, opened, discovered, scoped, everything):
    keys = [f"T{number}" for number in range(15)]
    for key in keys:
        linear.many(linear.site.add_team(key, f"Team {key}"), 1)
    reading, transport = await discovered(linear, scoped(*keys)), Counting(app=linear.face)
    async with opened(scoped(*keys), linear, transport) as client:
        pages = [page async for page in CONNECTOR.backfill(client, scoped(*keys), reading, everything)]
    assert len(nodes(pages, "issues")) == 15
    assert transport.most == 12


def nodes(pages, field):
    return [node for page in pages for node in orjson.loads(page.body)["data"].get(field, {}).get("nodes", [])]


def ids(pages, field):
    return [node["id"] for node in nodes(pages, field)]


# --- backfill


async def test_issues_are_read_in_windows_each_once(linear, backfill):
    issues = linear.many(linear.eng, 620) + linear.many(linear.des, 5)
    pages = await backfill(linear)
    assert sorted(ids(pages, "issues")) == sorted(one.id for one in issues)
    assert sorted(linear.operations) == ["Initiatives", *["IssuesInWindow"] * 4, "Projects", "Sizes"]
    assert [page.number for page in pages] == list(range(len(pages)))
    assert {page.kind for page in pages} == {"items"}
    assert sorted(page.items for page in pages) == [5, 120, 250, 250]
    eng = {"team": linear.eng.id}
    assert sorted((one for one in linear.asked("IssuesInWindow") if one["team"] == linear.eng.id), key=str) == [
        {**eng, "low": 0, "high": 251},
        {**eng, "low": 251, "high": 501},
        {**eng, "low": 501, "high": 1_000_000_000},
    ]


async def test_requests_of_a_large_backfill_are_close_to_its_pages(linear, backfill, discovered):
    linear.many(linear.eng, 3000)
    pages = await backfill(linear)
    assert sum(page.items for page in pages) == 3000
    assert len(linear.face.exchanges) == 15
    assert len(linear.face.exchanges) <= 1.15 * 3000 / 250 + 40


async def test_the_body_of_a_page_is_what_came(linear, backfill):
    linear.many(linear.eng, 1)
    (page,) = await backfill(linear)
    (exchange,) = [one for one in linear.face.exchanges if one.operation == "IssuesInWindow"]
    assert page.body == exchange.answer
    assert page.payload == orjson.loads(page.body)


async def test_gaps_in_the_numbers_cost_few_requests(linear, backfill):
    issues = linear.many(linear.eng, 1000)
    for one in issues[::2]:
        linear.site.purge(one)
    pages = await backfill(linear)
    assert sorted(ids(pages, "issues")) == sorted(one.id for one in issues[1::2])
    assert linear.operations.count("IssuesInWindow") == 3


async def test_a_window_that_is_too_full_is_read_on(linear, opened, discovered, connection, everything):
    issues = linear.many(linear.eng, 600)
    reading = await discovered(linear)
    async with opened(connection, linear) as client:
        client.notes[SIZES] = [Size(team=linear.eng.id, count=3, newest=3)]
        pages = [page async for page in CONNECTOR.backfill(client, connection, reading, everything)]
    assert sorted(ids(pages, "issues")) == sorted(one.id for one in issues)
    assert [bool(one.get("after")) for one in linear.asked("IssuesInWindow")] == [False, True, True]


async def test_pages_smaller_than_asked_go_on(linear, backfill):
    issues = linear.many(linear.eng, 100)
    linear.site.faults.page_size = 7
    assert sorted(ids(await backfill(linear), "issues")) == sorted(one.id for one in issues)


async def test_what_is_archived_comes_along_and_what_is_in_the_trash_says_so(linear, backfill):
    archived, trashed = linear.many(linear.eng, 2)
    linear.site.archive(archived)
    linear.site.trash(trashed)
    found = {node["id"]: node for node in nodes(await backfill(linear), "issues")}
    assert found[archived.id]["archivedAt"]
    assert found[trashed.id]["trashed"] is True


async def test_projects_of_the_teams_and_the_initiatives_above_them_come_along(linear, backfill, scoped):
    site = linear.site
    top = site.add_initiative("Top")
    middle = site.add_initiative("Middle", parent=top)
    low = site.add_initiative("Low", parent=middle)
    other, once = site.add_initiative("Of others"), site.add_initiative("Once")
    ours = site.add_project("Ours", [linear.eng, linear.des])
    theirs = site.add_project("Theirs", [linear.eng])
    site.link_project(low, ours)
    site.link_project(other, theirs)
    site.link_project(once, ours)
    site.unlink_project(once, ours)
    pages = await backfill(linear, scoped("DES"))
    assert ids(pages, "projects") == [ours.id]
    assert sorted(ids(pages, "initiatives")) == sorted([top.id, middle.id, low.id])


async def test_every_page_is_read_without_any_other(linear, backfill, discovered, items_of):
    site = linear.site
    label = site.add_label("okr/I1")
    initiative = site.add_initiative("Faster")
    project = site.add_project("Pay", [linear.eng])
    site.link_project(initiative, project)
    milestone = site.add_milestone(project, "Beta")
    cycle = site.add_cycle(linear.eng, linear.now - timedelta(days=3), linear.now + timedelta(days=11))
    parent = site.create(linear.eng, "Parent", project=project)
    child = site.create(
        linear.eng, "Child", parent=parent, estimate=3.0, labels=[label], project=project, project_milestone=milestone,
        cycle=cycle, assignee=site.me,
    )  # fmt: skip
    blocker = site.create(linear.eng, "Blocker")
    site.relate(blocker, "blocks", child)
    pages = await backfill(linear)
    found = items_of(pages, await discovered(linear))
    assert found.keys() == {initiative.id, project.id, parent.id, child.id, blocker.id}
    item = found[child.id]
    assert (item.key, item.parent_id, item.parent_key, item.estimate) == ("ENG-2", parent.id, "ENG-1", 3.0)
    assert (item.labels, item.sprint, item.milestone) == (("okr/I1",), "Cycle 1", "Beta")
    assert (item.assignees, item.team, item.blocked_by) == (("product-ops@example.com",), "Engineering", (blocker.id,))
    assert found[parent.id].parent_id == project.id
    assert found[project.id].parent_id == initiative.id


# --- lists inside nodes


async def test_lists_inside_nodes_are_read_to_their_end(linear, backfill, discovered, items_of):
    site = linear.site
    blocked, *blockers = linear.many(linear.eng, 110)
    for one in blockers:
        site.relate(one, "blocks", blocked)
    for number in range(5):
        site.attach(blocked, f"https://github.com/acme/api/issues/{number}", f"#{number}")
    site.attach(blocked, "https://example.com/design", "no issue elsewhere")
    project = site.add_project(
        "Pay", [linear.eng, linear.des, *(site.add_team(f"T{n}", f"Team {n}") for n in range(4))]
    )
    above = [site.add_initiative(f"Initiative {n}") for n in range(6)]
    for one in above:
        site.link_project(one, project)
    reading = await discovered(linear)
    found = items_of(await backfill(linear), reading)
    assert set(found[blocked.id].blocked_by) == {one.id for one in blockers}
    assert set(found[blocked.id].mirrors) == {f"https://github.com/acme/api/issues/{n}" for n in range(5)}
    assert found[project.id].containers.count("team:ENG") == 1
    assert len([name for name in found[project.id].containers if name.startswith("team:")]) == 6
    assert {one.id for one in above} <= found.keys()
    assert linear.operations.count("Rest") == 5


async def test_an_attachment_that_is_no_issue_elsewhere_is_not_read(linear, backfill):
    (issue,) = linear.many(linear.eng, 1)
    for number in range(9):
        linear.site.attach(issue, f"https://github.com/acme/api/pull/{number}", "a pull request")
    linear.site.attach(issue, JIRA_URL, "PAY-7")
    (node,) = nodes(await backfill(linear), "issues")
    assert [one["url"] for one in node["attachments"]["nodes"]] == [JIRA_URL]
    assert "Rest" not in linear.operations


async def test_labels_newer_than_discovery_are_named_in_the_page(linear, opened, discovered, connection, everything):
    site = linear.site
    old = site.add_label("Bug")
    reading = await discovered(linear)
    group = site.add_label("okr", group=True)
    fresh, bet = site.add_label("I1", parent=group), site.add_label("bet/core", of="project")
    issue = site.create(linear.eng, "Labelled", labels=[old, fresh])
    project = site.add_project("Pay", [linear.eng], labels=[bet])
    async with opened(connection, linear) as client:
        pages = [page async for page in CONNECTOR.backfill(client, connection, reading, everything)]
        again = [page async for page in CONNECTOR.fetch(client, connection, reading, [issue.id])]
    found = {
        one.item.id: one.item
        for page in (*pages, *again)
        for one in CONNECTOR.parse("items", page.body, connection, reading).changes
    }
    assert set(found[issue.id].labels) == {"Bug", "I1", "okr/I1"}
    assert found[project.id].labels == ("bet/core",)
    assert linear.operations.count("IssueLabelsById") == 1
    assert linear.operations.count("ProjectLabelsById") == 1


# --- what Linear does wrong


@pytest.mark.parametrize(
    ("fault", "says"),
    [("null_cursor", "gives no cursor"), ("same_cursor", "repeated a cursor of 'issues'")],
)
async def test_a_list_without_an_end_is_an_error(linear, backfill, fault, says):
    linear.many(linear.eng, 30)
    linear.site.faults.page_size = 7
    linear.site.faults.add(fault, path="IssuesInWindow", after=1, times=50)
    with pytest.raises(VendorUnavailableError, match=says):
        await backfill(linear)


async def test_an_expired_cursor_begins_its_window_anew(linear, backfill):
    issues = linear.many(linear.eng, 20)
    linear.site.faults.page_size = 7
    linear.site.faults.add("expired_cursor", path="IssuesInWindow", after=1)
    pages = await backfill(linear)
    assert set(ids(pages, "issues")) == {one.id for one in issues}
    assert [bool(one.get("after")) for one in linear.asked("IssuesInWindow")] == [False, True, False, True, True]


async def test_a_cursor_that_always_expires_is_an_error(linear, backfill):
    linear.many(linear.eng, 20)
    linear.site.faults.page_size = 7
    linear.site.faults.add("expired_cursor", path="IssuesInWindow", times=50)
    with pytest.raises(RejectedError):
        await backfill(linear)
    assert [bool(one.get("after")) for one in linear.asked("IssuesInWindow")] == [False, True] * 3


@pytest.mark.parametrize("fault", ["cut", "malformed", "unavailable", "overloaded", "internal", "partial"])
async def test_an_answer_that_broke_is_asked_for_again(linear, backfill, fault):
    issues = linear.many(linear.eng, 3)
    linear.site.faults.add(fault, path="IssuesInWindow")
    assert ids(await backfill(linear), "issues") == [one.id for one in reversed(issues)]
    assert linear.operations.count("IssuesInWindow") == 2


async def test_a_null_that_stands_for_a_failure_is_not_believed(linear, backfill):
    linear.many(linear.eng, 3)
    linear.site.faults.add("partial", path="IssuesInWindow", times=9)
    with pytest.raises(VendorUnavailableError, match="could not answer in full"):
        await backfill(linear)


async def test_a_rate_limit_waits_for_its_reset_and_loses_nothing(linear, backfill):
    issues = linear.many(linear.eng, 3)
    linear.site.faults.add("rate_limit", path="IssuesInWindow", reason="complexity", retry_after=1200)
    assert set(ids(await backfill(linear), "issues")) == {one.id for one in issues}
    assert sum(linear.slept) == pytest.approx(1200, abs=2)
    (told,) = {text for text, _ in linear.waits}
    assert told == "linear-acme: Linear asked us to pause (the hourly limit of complexity is used up)"


async def test_a_query_that_is_refused_is_not_repeated(linear, backfill, everything, opened, connection, discovered):
    reading = await discovered(linear)
    async with opened(connection, linear, httpx.MockTransport(refusing)) as client:
        with pytest.raises(RejectedError, match="Cannot query field"):
            await CONNECTOR.count(client, connection, reading)
        assert client.requests == 1


async def test_a_refused_login_is_known_with_any_status(linear, opened, connection, discovered):
    reading = await discovered(linear)
    error = {"message": "Authentication required", "extensions": {"code": "AUTHENTICATION_ERROR"}}
    for status in (200, 400):
        told = httpx.Response(status, json={"data": None, "errors": [error]})
        async with opened(connection, linear, httpx.MockTransport(lambda request, told=told: told)) as client:
            with pytest.raises(AuthError, match="Authentication required"):
                await CONNECTOR.count(client, connection, reading)
            assert client.requests == 1


def refusing(request):
    error = {"message": "Cannot query field 'progress' on type 'Initiative'.", "extensions": {"type": "graphql error"}}
    return httpx.Response(400, json={"errors": [error]})


@pytest.mark.parametrize("told", [[], {"data": None}, {"data": {"teams": None}}, {"data": {"teams": {"nodes": None}}}])
async def test_an_answer_of_another_shape_is_an_error(linear, opened, connection, discovered, told):
    reading = await discovered(linear)
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=told))
    async with opened(connection, linear, transport) as client:
        with pytest.raises(VendorUnavailableError, match="Linear answered without"):
            await CONNECTOR.count(client, connection, reading)


# --- count and census


async def test_count_is_what_the_teams_in_scope_say(linear, opened, discovered, scoped):
    linear.many(linear.eng, 12)
    linear.site.archive(linear.many(linear.des, 3)[0])
    reading = await discovered(linear, scoped("DES"))
    async with opened(scoped("DES"), linear) as client:
        counts = await asyncio.gather(*(CONNECTOR.count(client, scoped("DES"), reading) for _ in range(3)))
    assert counts == [3, 3, 3]
    assert linear.operations == ["Sizes"]


async def test_the_census_lists_every_id_in_scope_once(linear, opened, discovered, connection):
    site = linear.site
    issues = linear.many(linear.eng, 260)
    site.archive(issues[0])
    site.trash(issues[1])
    project, trashed = site.add_project("Pay", [linear.eng]), site.add_project("Gone", [linear.eng])
    site.trash(trashed)
    initiative = site.add_initiative("Faster")
    site.add_initiative("Of nobody")
    site.link_project(initiative, project)
    reading = await discovered(linear)
    async with opened(connection, linear) as client:
        lists = [found async for found in CONNECTOR.ids(client, connection, reading)]
    found = [id for one in lists for id in one]
    kept = {one.id for one in issues} - {issues[1].id}
    assert sorted(found) == sorted(kept | {project.id, initiative.id})
    assert all(lists)
    assert sorted(linear.operations) == ["Initiatives", "IssueIds", "IssueIds", "Projects", "Sizes"]


# --- given ids


async def test_ids_of_all_kinds_are_fetched_and_the_rest_is_missing(linear, opened, discovered, connection):
    site = linear.site
    issue, archived = linear.many(linear.eng, 2)
    site.archive(archived)
    project, initiative = site.add_project("Pay", [linear.eng]), site.add_initiative("Faster")
    reading = await discovered(linear)
    asked = [initiative.id, issue.id, "00000000-0000-4000-8000-000000000000", project.id, archived.id]
    async with opened(connection, linear) as client:
        pages = [page async for page in CONNECTOR.fetch(client, connection, reading, asked)]
    assert set(ids(pages, "issues")) == {issue.id, archived.id}
    assert ids(pages, "projects") == [project.id]
    assert ids(pages, "initiatives") == [initiative.id]
    assert [page.missing for page in pages] == [(), (), (), ("00000000-0000-4000-8000-000000000000",)]
    assert linear.operations == ["IssuesById", "InitiativesSeen", "ProjectsById", "InitiativesById"]


async def test_issues_alone_take_one_request(linear, opened, discovered, connection):
    issues = linear.many(linear.eng, 9)
    reading = await discovered(linear)
    async with opened(connection, linear) as client:
        pages = [page async for page in CONNECTOR.fetch(client, connection, reading, [one.id for one in issues])]
    assert [(page.items, page.missing, page.number) for page in pages] == [(9, (), 0)]
    assert linear.operations == ["IssuesById"]


async def test_more_ids_than_a_page_holds_are_cut(linear, opened, discovered, connection):
    issues = linear.many(linear.eng, 300)
    reading = await discovered(linear)
    async with opened(connection, linear) as client:
        pages = [page async for page in CONNECTOR.fetch(client, connection, reading, [one.id for one in issues])]
    assert sorted(ids(pages, "issues")) == sorted(one.id for one in issues)
    assert [len(one["ids"]) for one in linear.asked("IssuesById")] == [250, 50]


# --- where one id went


@pytest.fixture
def locate(opened, discovered, connection):
    """Locate an id in a workspace, with the usual connection where none is given."""

    async def locate(workspace, id, last_in="", other=None, reading=None, key=""):
        reading = reading or await discovered(workspace, other)
        async with opened(other or connection, workspace) as client:
            return await CONNECTOR.locate(client, other or connection, reading, id, last_in, key)

    return locate


async def test_an_archived_issue_is_present(linear, locate):
    (issue,) = linear.many(linear.eng, 1)
    linear.site.archive(issue)
    found = await locate(linear, issue.id, "ENG")
    assert (found.state, found.page.items, found.detail) == ("present", 1, "")


async def test_what_is_in_the_trash_is_deleted_until_it_is_restored(linear, locate):
    (issue,) = linear.many(linear.eng, 1)
    linear.site.trash(issue)
    found = await locate(linear, issue.id, "ENG")
    assert (found.state, found.page, found.detail) == ("deleted", None, "in the trash")
    linear.site.restore(issue)
    assert (await locate(linear, issue.id, "ENG")).state == "present"


async def test_what_is_gone_for_good_is_deleted(linear, locate):
    (issue,) = linear.many(linear.eng, 1)
    linear.site.purge(issue)
    found = await locate(linear, issue.id, "ENG")
    assert (found.state, found.detail) == ("deleted", "not found, and its team is still visible")


async def test_an_issue_of_another_team_moved(linear, locate, scoped):
    (issue,) = linear.many(linear.eng, 1)
    linear.site.move(issue, linear.des)
    found = await locate(linear, issue.id, "ENG", scoped("ENG"))
    assert (found.state, found.page.items, found.detail) == ("moved", 1, "now DES-1 in team DES")


async def test_an_issue_whose_team_went_private_is_inaccessible(linear, locate, discovered):
    (issue,) = linear.many(linear.des, 1)
    reading = await discovered(linear)
    linear.des.hidden = True
    found = await locate(linear, issue.id, "DES", reading=reading)
    assert (found.state, found.detail) == ("inaccessible", "no longer visible to our account: team DES")


async def test_which_teams_are_visible_is_asked_again_after_a_minute(linear, opened, connection, discovered):
    gone, hidden = linear.many(linear.des, 2)
    linear.site.purge(gone)
    reading = await discovered(linear)
    async with opened(connection, linear) as client:
        for _ in range(2):
            assert (await CONNECTOR.locate(client, connection, reading, gone.id, "DES")).state == "deleted"
        assert linear.operations.count("Teams") == 1
        linear.des.hidden = True
        linear.later(minutes=1)
        assert (await CONNECTOR.locate(client, connection, reading, hidden.id, "DES")).state == "inaccessible"


async def test_what_had_the_key_of_an_issue_is_sought_among_issues_alone(linear, locate):
    issue, project = linear.many(linear.eng, 1)[0], linear.site.add_project("Pay", [linear.eng])
    linear.site.purge(issue)
    assert (await locate(linear, issue.id, "ENG", key="ENG-1")).state == "deleted"
    assert linear.operations == ["IssuesById", "Teams"]
    assert (await locate(linear, project.id, "ENG", key="P-ENG-1")).state == "present"
    assert (await locate(linear, project.id, "", key="7c1d")).state == "present"


async def test_a_project_without_a_team_in_scope_moved(linear, locate, scoped):
    project = linear.site.add_project("Pay", [linear.des])
    found = await locate(linear, project.id, "ENG", scoped("ENG"))
    assert (found.state, found.detail) == ("moved", "now of the teams: DES")
    assert (await locate(linear, project.id, "DES", scoped("DES"))).state == "present"


async def test_an_initiative_is_present_while_a_project_in_scope_is_below_it(linear, locate):
    site = linear.site
    top = site.add_initiative("Top")
    low, lone = site.add_initiative("Low", parent=top), site.add_initiative("Lone")
    site.link_project(low, site.add_project("Pay", [linear.eng]))
    assert [(await locate(linear, one.id)).state for one in (top, low)] == ["present", "present"]
    found = await locate(linear, lone.id)
    assert (found.state, found.page.items) == ("moved", 1)
    site.trash(low)
    assert (await locate(linear, low.id)).state == "deleted"
    site.purge(lone)
    assert (await locate(linear, lone.id)).state == "deleted"


async def test_initiatives_that_went_out_of_sight_are_inaccessible(linear, locate):
    initiative = linear.site.add_initiative("Top")
    linear.site.faults.hide_initiatives = True
    found = await locate(linear, initiative.id)
    assert (found.state, found.detail) == ("inaccessible", "initiatives are no longer visible to our account")


async def test_a_scope_without_its_lost_team_is_read_on(linear, opened, discovered, connection, everything):
    (kept,) = linear.many(linear.eng, 1)
    linear.many(linear.des, 1)
    before = await discovered(linear)
    linear.des.hidden = True
    reading = await discovered(linear, before=before)
    visible = replace(connection, scope={"teams": ["ENG"]})
    async with opened(visible, linear) as client:
        pages = [page async for page in CONNECTOR.backfill(client, visible, reading, everything)]
    assert ids(pages, "issues") == [kept.id]
