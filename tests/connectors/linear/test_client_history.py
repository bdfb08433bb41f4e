"""The past of issues: fifty in a request, whole issues only, however long their history."""

from datetime import timedelta

import httpx
import orjson
import pytest

from connectors.linear import CONNECTOR
from connectors.linear.weeks import SUMS
from domain.errors import VendorUnavailableError


@pytest.fixture
def history(opened, discovered, connection):
    """Read the past of ids; return the pages and what they say."""

    async def history(workspace, ids):
        reading = await discovered(workspace)
        async with opened(connection, workspace) as client:
            pages = [page async for page in CONNECTOR.history(client, connection, reading, ids)]
        said = [CONNECTOR.parse("history", page.body, connection, reading) for page in pages]
        return pages, said

    return history


def worked_on(workspace, issue, edits):
    """Change the estimate of an issue so many times."""
    for number in range(edits):
        at = issue.created_at + timedelta(hours=number + 1)
        workspace.site.change(issue, at=at, estimate=float(number + 1))


async def test_the_past_of_a_few_issues(linear, history):
    (issue,) = linear.many(linear.eng, 1)
    at = issue.created_at + timedelta(days=1)
    linear.site.change(issue, at=at, state="In Progress", estimate=5.0)
    linear.site.change(issue, at=at + timedelta(days=1), state="Done")
    pages, (said,) = await history(linear, [issue.id])
    assert [(one.field, one.before, one.after) for one in said.transitions] == [
        ("status", "Backlog", "In Progress"),
        ("estimate", None, "5"),
        ("status", "In Progress", "Done"),
    ]
    done = said.transitions[-1]
    assert (done.item_id, done.at) == (issue.id, at + timedelta(days=1))
    assert done.after_id == issue.state.id
    assert said.history_of == (issue.id,)
    assert [(page.kind, page.stream, page.items, page.number) for page in pages] == [("history", "history", 1, 0)]
    assert pages[0].body == linear.face.exchanges[0].answer


async def test_fifty_issues_take_one_request(linear, history):
    issues = linear.many(linear.eng, 120)
    pages, said = await history(linear, [one.id for one in issues])
    assert sorted(page.items for page in pages) == [20, 50, 50]
    assert linear.operations == ["History"] * 3
    assert {id for one in said for id in one.history_of} == {one.id for one in issues}


async def test_a_long_past_is_read_to_its_end(linear, history):
    short, long, longer = linear.many(linear.eng, 3)
    for issue, edits in ((short, 3), (long, 31), (longer, 250)):
        worked_on(linear, issue, edits)
    pages, (said,) = await history(linear, [short.id, long.id, longer.id])
    edits = {one.id: [t.after for t in said.transitions if t.item_id == one.id] for one in (short, long, longer)}
    assert edits[short.id] == ["1", "2", "3"]
    assert edits[long.id] == [str(n) for n in range(1, 32)]
    assert edits[longer.id] == [str(n) for n in range(1, 251)]
    assert set(said.history_of) == {short.id, long.id, longer.id}
    assert linear.operations == ["History", *["Rest"] * 4]
    assert orjson.loads(pages[0].body) == pages[0].payload


async def test_labels_newer_than_discovery_are_named_in_the_past(linear, opened, discovered, connection):
    old, gone = linear.site.add_label("Bug"), linear.site.add_label("Gone")
    reading = await discovered(linear)
    fresh = linear.site.add_label("okr/I1")
    issues = linear.many(linear.eng, 2)
    for issue in issues:
        linear.site.change(issue, at=issue.created_at + timedelta(days=1), labels=[old, fresh])
        linear.site.change(issue, at=issue.created_at + timedelta(days=2), labels=[gone])
    async with opened(connection, linear) as client:
        pages = [page async for page in CONNECTOR.history(client, connection, reading, [one.id for one in issues])]
    (said,) = (CONNECTOR.parse("history", page.body, connection, reading) for page in pages)
    assert [(one.before, one.after, one.after_id) for one in said.transitions if one.item_id == issues[0].id] == [
        (None, "Bug, okr/I1", f"{old.id}, {fresh.id}"),
        ("Bug, okr/I1", "Gone", gone.id),
    ]
    assert linear.operations == ["History", "IssueLabelsById"]


async def test_initiatives_and_the_dead_have_none(linear, history):
    initiative = linear.site.add_initiative("Faster")
    (issue,) = linear.many(linear.eng, 1)
    linear.site.purge(issue)
    pages, said = await history(linear, [initiative.id, issue.id])
    assert {(one.transitions, one.history_of) for one in said} == {((), ())}
    assert [page.missing for page in pages if page.missing] == [(initiative.id, issue.id)]


async def test_of_a_project_there_are_the_sums_of_each_week_that_is_over(linear, history):
    born = linear.now - timedelta(days=24)
    project = linear.site.add_project("Pay", [linear.eng], at=born)
    for number, days in enumerate((1, 1, 9)):
        at = born + timedelta(days=days)
        issue = linear.site.create(linear.eng, f"Issue {number}", at=at, project=project, estimate=2.0 + number)
        linear.site.change(issue, at=at + timedelta(days=7), state="Done")
    issues = linear.many(linear.eng, 60)
    pages, said = await history(linear, [*(one.id for one in issues), project.id])
    assert linear.operations == ["History", "History", "Weeks"]
    assert [page.missing for page in pages] == [(), (), ()]
    (weeks,) = (one for one in said if project.id in one.history_of)
    order = list(SUMS.values())
    assert {one.item_id for one in weeks.transitions} == {project.id}
    told = [(one.field, (one.at - born).days, one.before, one.after) for one in weeks.transitions]
    assert [days for _, days, _, _ in told] == sorted(days for _, days, _, _ in told)
    assert sorted(told, key=lambda week: (order.index(week[0]), week[1])) == [
        ("weekly_issues", 7, None, "2"),
        ("weekly_issues", 14, "2", "3"),
        ("weekly_completed_issues", 7, None, "0"),
        ("weekly_completed_issues", 14, "0", "2"),
        ("weekly_completed_issues", 21, "2", "3"),
        ("weekly_points", 7, None, "5"),
        ("weekly_points", 14, "5", "9"),
        ("weekly_completed_points", 7, None, "0"),
        ("weekly_completed_points", 14, "0", "5"),
        ("weekly_completed_points", 21, "5", "9"),
        ("weekly_started_points", 7, None, "0"),
    ]


async def test_a_past_without_an_end_is_an_error(linear, opened, discovered, connection):
    (issue,) = linear.many(linear.eng, 1)
    worked_on(linear, issue, 40)
    reading = await discovered(linear)
    inner = httpx.ASGITransport(app=linear.face)

    async def answer(request):
        response = await inner.handle_async_request(request)
        told = orjson.loads(await response.aread())
        if after := orjson.loads(request.content)["variables"].get("after"):
            told["data"]["issues"]["nodes"][0]["history"]["pageInfo"] = {"hasNextPage": True, "endCursor": after}
        return httpx.Response(200, json=told)

    async with opened(connection, linear, httpx.MockTransport(answer)) as client:
        with pytest.raises(VendorUnavailableError, match=r"repeated a cursor of 'issues\.history'"):
            await anext(CONNECTOR.history(client, connection, reading, [issue.id]))
