"""What changed since a watermark: nothing is skipped, little is asked, and the watermark is Linear's own clock."""

from dataclasses import replace
from datetime import timedelta

import httpx
import orjson
import pytest

from connectors.linear import CONNECTOR
from domain.errors import VendorUnavailableError
from domain.work import Delete, Upsert


@pytest.fixture
def pull(opened, discovered, connection):
    """Pull once; return the pages without the last, and the cursor that the last one carries."""

    async def pull(workspace, mark=None, other=None, reading=None):
        reading = reading or await discovered(workspace, other)
        workspace.face.exchanges.clear()
        async with opened(other or connection, workspace) as client:
            pages = [page async for page in CONNECTOR.changes(client, other or connection, reading, mark)]
        assert [page.number for page in pages] == list(range(len(pages)))
        assert [page.cursor for page in pages[:-1]] == [None] * (len(pages) - 1)
        assert (pages[-1].items, pages[-1].body) == (0, b'{"data":{"issues":{"nodes":[]}}}')
        return pages[:-1], pages[-1].cursor

    return pull


def ms(moment):
    return int(moment.timestamp() * 1000)


def found(pages):
    return {node["id"] for page in pages for part in page.payload["data"].values() for node in part["nodes"]}


def fields(pages):
    return [next(iter(page.payload["data"])) for page in pages]


async def test_the_watermark_is_when_the_run_began_by_linears_clock(linear, pull):
    linear.later(hours=1, microseconds=700_000)
    pages, cursor = await pull(linear)
    assert pages == []
    assert cursor == {
        "updated_ms": ms(linear.now.replace(microsecond=0)),
        "day": "2026-11-20",
        "swept": cursor["swept"],
    }
    (asked,) = linear.asked("IssuesChanged")
    assert asked == {
        "teams": [linear.eng.id, linear.des.id],
        "since": "2026-11-20T10:55:00.000Z",
        "until": "2026-11-20T11:00:00.000Z",
    }


async def test_what_changed_since_the_watermark_and_five_minutes_before_is_read(linear, pull):
    old, edge, new = linear.many(linear.eng, 3)
    start = linear.now
    linear.site.change(edge, at=start - timedelta(minutes=4), title="Edge")
    linear.later(hours=1)
    linear.site.change(new, title="New")
    linear.later(seconds=2)
    pages, cursor = await pull(linear, {"updated_ms": ms(start), "day": "2026-11-20"})
    assert found(pages) == {edge.id, new.id}
    assert old.id not in found(pages)
    assert cursor["updated_ms"] == ms(linear.now)


async def test_what_changes_during_the_run_comes_with_the_next(linear, pull, opened, discovered, connection):
    """Lists are newest first: without an end of the span each change would push a row over the edge of its page."""
    issues = linear.many(linear.eng, 30)
    reading = await discovered(linear)
    linear.site.faults.page_size = 10
    linear.later(minutes=1)
    seen = set()

    async with opened(connection, linear, busy(linear, issues)) as client:
        mark = {"updated_ms": ms(issues[0].created_at), "day": "2026-11-20"}
        async for page in CONNECTOR.changes(client, connection, reading, mark):
            seen |= found([page]) if page.items else set()
            cursor = page.cursor
    late = {one.id for one in issues if one.title == "Touched"}
    assert late
    assert seen | late == {one.id for one in issues}
    linear.later(minutes=1)
    pages, _ = await pull(linear, cursor, reading=reading)
    assert late <= found(pages)


def busy(workspace, issues):
    """A transport to a workspace where somebody touches the oldest issue before each page."""
    inner = httpx.ASGITransport(app=workspace.face)
    left = iter(issues)

    async def answer(request):
        if b"IssuesChanged" in request.content:
            workspace.later(seconds=1)
            workspace.site.change(next(left), title="Touched")
        return await inner.handle_async_request(request)

    return httpx.MockTransport(answer)


async def test_an_idle_pull_asks_little_and_hands_out_nothing(linear, pull):
    for number in range(3):
        linear.site.link_project(
            linear.site.add_initiative(f"I{number}"), linear.site.add_project(f"P{number}", [linear.eng])
        )
    pages, cursor = await pull(linear)
    assert fields(pages) == ["projects", "initiatives"]
    linear.later(minutes=5)
    pages, cursor = await pull(linear, cursor)
    assert pages == []
    assert linear.operations == ["Initiatives", "Projects", "IssuesChanged"]


async def test_many_projects_cost_a_request_a_hundred(linear, pull):
    oldest, *_ = [linear.site.add_project(f"P{number}", [linear.eng]) for number in range(120)]
    pages, cursor = await pull(linear)
    assert [page.items for page in pages] == [100, 20]
    assert len(linear.operations) == 4 <= 4 + 120 / 50
    linear.later(minutes=5)
    linear.site.change_container(oldest, name="Renamed")
    pages, _ = await pull(linear, cursor)
    assert [page.items for page in pages] == [20]
    assert oldest.id in found(pages)


async def test_a_link_to_an_initiative_is_seen_though_no_time_moves(linear, pull):
    project, initiative = linear.site.add_project("Pay", [linear.eng]), linear.site.add_initiative("Faster")
    pages, cursor = await pull(linear)
    assert found(pages) == {project.id}
    linear.later(hours=1)
    before = project.updated_at
    linear.site.link_project(initiative, project)
    assert project.updated_at == before
    pages, cursor = await pull(linear, cursor)
    assert found(pages) == {project.id, initiative.id}
    linear.site.unlink_project(initiative, project)
    pages, _ = await pull(linear, cursor)
    assert fields(pages) == ["projects"]


def refusing(workspace):
    """A transport to a workspace that refuses to show initiatives, and projects with their links."""
    inner = httpx.ASGITransport(app=workspace.face)
    error = {"message": "You lack access", "extensions": {"type": "forbidden"}}

    async def answer(request):
        if b"query Initiatives" in request.content or b"initiativeToProjects" in request.content:
            return httpx.Response(200, json={"data": None, "errors": [error]})
        return await inner.handle_async_request(request)

    return httpx.MockTransport(answer)


@pytest.mark.parametrize("refused", [True, False])
async def test_a_project_keeps_its_initiative_when_initiatives_go_out_of_sight(
    linear, opened, discovered, connection, refused
):
    project, initiative = linear.site.add_project("Pay", [linear.eng]), linear.site.add_initiative("Faster")
    linear.site.link_project(initiative, project)
    reading = await discovered(linear)
    linear.site.faults.hide_initiatives = not refused
    async with opened(connection, linear, refusing(linear) if refused else None) as client:
        swept = [page async for page in CONNECTOR.changes(client, connection, reading, None)]
    async with opened(connection, linear, refusing(linear) if refused else None) as client:
        located = await CONNECTOR.locate(client, connection, reading, initiative.id, "", "")
        fetched = [page async for page in CONNECTOR.fetch(client, connection, reading, [project.id])]
    for page in (swept[0], fetched[0]):
        (change,) = CONNECTOR.parse("items", page.body, connection, reading).changes
        assert (change.item.id, change.unstated) == (project.id, {"parent_id", "parent_key", "containers"})
    assert located.state == "inaccessible"


async def test_a_sweep_is_handed_out_again_once_a_day(linear, pull):
    linear.site.add_project("Pay", [linear.eng])
    _, cursor = await pull(linear)
    linear.later(hours=2)
    assert (await pull(linear, cursor))[0] == []
    linear.later(days=1)
    pages, cursor = await pull(linear, cursor)
    assert fields(pages) == ["projects"]
    assert cursor["day"] == "2026-11-21"


async def test_a_backfill_of_some_days_passes_a_time_alone(linear, pull):
    (issue,) = linear.many(linear.eng, 1)
    linear.site.add_project("Pay", [linear.eng])
    pages, _ = await pull(linear, {"updated_ms": ms(issue.created_at)})
    assert fields(pages) == ["projects", "issues"]


async def test_without_a_watermark_changes_count_from_discovery(linear, pull, discovered):
    reading = await discovered(linear)
    linear.later(hours=3)
    linear.many(linear.eng, 1)
    linear.site.create(linear.eng, "New", at=linear.now - timedelta(hours=1))
    pages, _ = await pull(linear, None, reading=reading)
    assert [page.items for page in pages] == [1]


async def test_trash_and_restore_are_seen(linear, pull, discovered, connection):
    (issue,) = linear.many(linear.eng, 1)
    reading = await discovered(linear)

    def changes(pages):
        return [one for page in pages for one in CONNECTOR.parse("items", page.body, connection, reading).changes]

    linear.later(hours=1)
    linear.site.trash(issue)
    linear.later(seconds=1)
    pages, cursor = await pull(linear, {"updated_ms": ms(linear.now) - 60_000}, reading=reading)
    (gone,) = changes(pages)
    assert isinstance(gone, Delete)
    assert (gone.ref.id, gone.key) == (issue.id, "ENG-1")
    linear.later(hours=1)
    linear.site.restore(issue)
    linear.later(seconds=1)
    pages, _ = await pull(linear, cursor, reading=reading)
    (back,) = changes(pages)
    assert isinstance(back, Upsert)
    assert (back.item.key, back.item.archived) == ("ENG-1", False)


async def test_an_issue_that_moves_into_the_scope_is_seen_and_one_that_moves_out_is_not(linear, pull, scoped):
    (issue,) = linear.many(linear.eng, 1)
    (other,) = linear.many(linear.des, 1)
    linear.later(hours=1)
    linear.site.move(issue, linear.des)
    linear.site.move(other, linear.eng)
    linear.later(seconds=1)
    pages, _ = await pull(linear, {"updated_ms": ms(linear.now) - 60_000}, scoped("DES"))
    assert found(pages) == {issue.id}
    (node,) = pages[0].payload["data"]["issues"]["nodes"]
    assert node["previousIdentifiers"] == ["ENG-1"]


async def test_a_broken_list_leaves_the_watermark_where_it_was(linear, opened, discovered, connection):
    issues = linear.many(linear.eng, 30)
    reading = await discovered(linear)
    linear.site.faults.page_size = 10
    linear.site.faults.add("null_cursor", path="IssuesChanged", after=1)
    mark = {"updated_ms": ms(issues[0].created_at), "day": "2026-11-20"}
    async with opened(connection, linear) as client:
        pages = CONNECTOR.changes(client, connection, reading, mark)
        first = await anext(pages)
        with pytest.raises(VendorUnavailableError, match="gives no cursor"):
            await anext(pages)
    assert (first.items, first.cursor) == (10, None)


async def test_a_server_without_a_clock_is_timed_by_ours(linear, opened, discovered, connection):
    reading = await discovered(linear)
    inner = httpx.ASGITransport(app=linear.face)

    async def answer(request):
        response = await inner.handle_async_request(request)
        body = await response.aread()
        return httpx.Response(response.status_code, content=body, headers={"content-type": "application/json"})

    linear.later(minutes=7)
    async with opened(connection, linear, httpx.MockTransport(answer)) as client:
        pages = [page async for page in CONNECTOR.changes(client, connection, reading, {"updated_ms": 5})]
    assert pages[-1].cursor["updated_ms"] == ms(linear.now)


async def test_a_watermark_never_goes_back(linear, pull):
    ahead = ms(linear.now + timedelta(hours=2))
    _, cursor = await pull(linear, {"updated_ms": ahead, "day": "2026-11-20"})
    assert cursor["updated_ms"] == ahead


async def test_a_cursor_is_json(linear, pull):
    linear.site.add_project("Pay", [linear.eng])
    _, cursor = await pull(linear)
    assert orjson.loads(orjson.dumps(cursor)) == cursor


async def test_a_watermark_of_nought_means_everything(linear, pull):
    issues = linear.many(linear.eng, 2)
    pages, _ = await pull(linear, {"updated_ms": 0, "day": "2026-11-20"})
    assert found(pages) == {one.id for one in issues}


async def test_the_scope_decides_whose_issues_are_asked_for(linear, pull, scoped):
    linear.many(linear.eng, 2)
    await pull(linear, {"updated_ms": 0}, scoped("DES"))
    assert linear.asked("IssuesChanged")[0]["teams"] == [linear.des.id]
    assert linear.asked("Projects")[0]["teams"] == [linear.des.id]


async def test_a_lost_team_is_not_asked_for(linear, pull, discovered, connection):
    before = await discovered(linear)
    linear.des.hidden = True
    reading = await discovered(linear, before=before)
    await pull(linear, {"updated_ms": 0}, replace(connection, scope={"teams": ["ENG"]}), reading)
    assert linear.asked("IssuesChanged")[0]["teams"] == [linear.eng.id]
