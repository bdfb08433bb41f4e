"""The benchmark's trackers under the whole road: each answers what Keyrail asks, and the counts are right."""

from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx
import pytest

from app.bootstrap import open_context
from bench import github_issues, linear_issues, server
from bench.github import ASKED
from bench.plain import LINEAR
from bench.workspace import TOKEN, TOKEN_VARIABLE, connection_name, workspace_text
from config.workspace import load
from connectors.github.queries import listing_document
from connectors.registry import connector, open_connection
from domain.work import Category, Level
from storage import items as store
from sync.context import Live
from sync.run import backfill, sync

SIZE = 300
PROJECTS = linear_issues.projects_among(SIZE)


class Opened:
    """A road from the benchmark's server of one tracker to a store."""

    def __init__(self, served, context, live):
        self.served, self.context, self.live = served, context, live

    @property
    def sources(self):
        return {self.live.name: self.live}

    async def run(self, step, **more):
        """Run a step; return what it asked by name."""
        self.served.reset()
        pulled = await step(self.context, self.sources, **more)
        assert [one.error for one in pulled] == [None]
        stats = self.served.stats()
        assert stats["refused"] == []
        return stats["by_name"]

    async def items(self):
        """Return the items that are stored, by id."""
        async with self.context.store.read() as tx:
            pages = [page async for page in store.stream(tx, connection=self.live.name)]
        return {stored.item.id: stored.item for page in pages for stored in page}


@pytest.fixture
def opened(tmp_path):
    @asynccontextmanager
    async def opened(tracker):
        served = server.prepared(tracker, SIZE, 0)
        file = tmp_path / "keyrail.yaml"
        file.write_text(workspace_text("http://127.0.0.1:9", tracker))
        workspace = load(file, {TOKEN_VARIABLE: TOKEN})
        connection = workspace.connections[connection_name(tracker)]

        def answer(request):
            target = request.url.raw_path.decode()
            told = served.asked(request.method, target, request.content)
            return httpx.Response(told.status, headers=dict(told.headers), content=told.body)

        async with (
            open_context(workspace, f"sqlite:///{tmp_path / 'bench.db'}") as context,
            open_connection(connection, transport=httpx.MockTransport(answer)) as client,
        ):
            kind = connector(tracker)
            reading = await kind.discover(client, connection, None)
            yield Opened(served, context, Live(connection=connection, connector=kind, client=client, reading=reading))

    return opened


async def test_a_backfill_of_jira_is_whole(opened):
    async with opened("jira") as road:
        asked = await road.run(backfill, history=False)
        assert asked["/rest/api/3/issue/bulkfetch"] == 3
        items = await road.items()
    assert (len(items), sum(item.level is Level.EPIC for item in items.values())) == (SIZE, SIZE // 20)


async def test_a_backfill_of_github_is_whole(opened):
    async with opened("github") as road:
        asked = await road.run(backfill, history=False)
        points = road.served.stats()["costs"]["Issues"]
        items = await road.items()
        issues = road.served.tracker.issues
    assert asked == {"Counts": 1, "Issues": 4, "Items": 1}
    assert points == 4 * 5
    assert {id: item.key for id, item in items.items()} == {
        github_issues.id_of(at): f"{github_issues.repository_of(at)}#{github_issues.number_of(at)}"
        for at in range(SIZE)
    }
    ended = {id for id, item in items.items() if item.category in (Category.DONE, Category.CANCELED)}
    assert ended == {github_issues.id_of(at) for at in range(SIZE) if issues.is_closed(at)}
    item = items[github_issues.id_of(5)]
    assert (item.status, item.category, item.estimate, item.parent_id, item.labels, item.level) == (
        "In Review", Category.IN_PROGRESS, None, github_issues.id_of(0), ("backend", "q4"), Level.ISSUE,
    )  # fmt: skip
    assert items[github_issues.id_of(20)].labels == ("okr/I2",)


async def test_a_backfill_of_linear_is_whole(opened):
    async with opened("linear") as road:
        asked = await road.run(backfill, history=False)
        items = await road.items()
        issues = road.served.tracker.issues
    assert asked == {"IssuesInWindow": 4, "Projects": 1, "Initiatives": 1}
    by_level = {level: {item.id for item in items.values() if item.level is level} for level in Level}
    assert by_level[Level.ISSUE] == {linear_issues.id_of(at) for at in range(SIZE)}
    assert by_level[Level.EPIC] == {f"project-{number:05d}" for number in range(PROJECTS)}
    assert by_level[Level.INITIATIVE] == {f"initiative-{number:02d}" for number in range(PROJECTS)}
    assert {item.key for item in items.values() if item.level is Level.ISSUE} == {
        linear_issues.identifier_of(at) for at in range(SIZE)
    }
    done = {id for id in by_level[Level.ISSUE] if items[id].category is Category.DONE}
    assert done == {linear_issues.id_of(at) for at in range(SIZE) if issues.state(at) == 4}
    assert items["project-00001"].labels == ("okr/I2",)


@pytest.mark.parametrize("tracker", ["jira", "github", "linear"])
async def test_a_sync_brings_what_was_touched_and_its_history(opened, tracker):
    async with opened(tracker) as road:
        await road.run(backfill, history=False)
        await road.run(sync)
        before = await road.items()
        idle = await road.run(sync)
        road.served.tracker.touch(3, datetime.now(UTC))
        changed = await road.run(sync)
        after = await road.items()
    moved = {id for id, item in after.items() if item != before[id]}
    assert len(moved) == 3
    assert all((after[id].category is Category.DONE) != (before[id].category is Category.DONE) for id in moved)
    assert sum(idle.values()) < sum(changed.values())
    assert changed[{"jira": "/rest/api/3/changelog/bulkfetch"}.get(tracker, "History")] >= 1


@pytest.mark.parametrize("tracker", ["github", "linear"])
async def test_the_plain_script_asks_for_what_keyrail_asks_for(opened, tracker):
    async with opened(tracker) as road:
        await road.run(backfill, history=False)
        documents = road.served.tracker.documents
        rendered = [plan for plan in documents._plans.values() if len(plan.kept) == SIZE]
        assert len(rendered) == 1
        document = listing_document(ASKED) if tracker == "github" else LINEAR
        plan = documents.read(document).plan
        for name in ("repository", "issues", "nodes"):
            plan = next((one.inner for one in plan.fields if one.name == name), plan)
        assert plan is rendered[0]
