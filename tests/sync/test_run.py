"""Whole runs: what the tracker does not hand out is judged, and what breaks one connection stops no other."""

from dataclasses import dataclass, replace

import orjson
import pytest

from connectors.base import Located, Page
from domain.errors import VendorUnavailableError
from domain.okr import Initiative, WorkSelector
from domain.workspace import Connection
from storage import checkpoints
from sync import run
from sync.context import Live
from sync.poll import WATERMARK
from sync.refresh import catch_up


@dataclass
class Client:
    """As much of a client as a run looks at."""

    requests: int = 0


class Paper:
    """Answers for a tracker that exists on paper: what changed, what is listed, what a direct read finds."""

    def __init__(self, road, name="jira"):
        self.road = road
        self.name = name
        self.changed = []
        self.unanswered = ()
        self.listed = []
        self.found = {}
        self.broken = False

    def page(self, entries, *, missing=(), cursor=None):
        return Page(
            kind="items",
            stream="changes",
            number=next(self.road.numbers),
            body=orjson.dumps([{"item": entry} for entry in entries]),
            read_at=self.road.clock(),
            items=len(entries),
            missing=missing,
            cursor=cursor,
        )

    async def changes(self, *_arguments):
        yield self.page(self.changed, missing=self.unanswered, cursor={"updated_ms": 2})
        if self.broken:
            raise VendorUnavailableError(f"{self.name}: 503")

    async def ids(self, *_arguments):
        yield self.listed

    async def history(self, *_arguments):
        for page in ():
            yield page

    async def fetch(self, _client, _connection, _reading, ids):
        there = [one for one in self.changed if one.id in ids]
        yield self.page(there, missing=tuple(set(ids) - {one.id for one in there}))

    async def locate(self, _client, _connection, _reading, id_, _project, _key):
        if self.broken:
            raise VendorUnavailableError(f"{self.name}: 503")
        return Located(id=id_, state=self.found[id_])

    def live(self):
        source = self.road.sources[self.name]
        answers = {name: getattr(self, name) for name in ("changes", "ids", "history", "fetch", "locate")}
        return Live(
            connection=source.connection,
            connector=replace(source.connector, **answers),
            reading=source.reading,
            client=Client(),
        )


@pytest.fixture
async def pulled(road, workspace, item):
    """A road over PAY-1 with PAY-2 and PAY-3 below, in I1, read whole before; `jira` and `other` are connections."""
    file = workspace(initiatives=[
        Initiative(id="I1", title="One", work=(WorkSelector(connection="jira", keys=("PAY-1",)),))
    ])  # fmt: skip
    other = Connection(name="other", type="jira", url="https://other.test")
    road.use(replace(file, connections={**file.connections, "other": other}))
    await road.receive(item("1", level="epic"), item("2", parent_id="1"), item("3", parent_id="1", category="done"))
    await road.receive(item("9", connection="other"), connection="other")
    async with road.store.write() as tx:
        for name in road.sources:
            await checkpoints.save(tx, name, WATERMARK, {"updated_ms": 1})
            await checkpoints.save(tx, name, "backfill", {"started_at": road.clock(), "digest": ""})
    await catch_up(road.context)
    road.clock.forward(hours=1)
    return road


async def watermark(road, name):
    async with road.store.read() as tx:
        return await checkpoints.load(tx, name, WATERMARK)


@pytest.mark.parametrize(("state", "deleted", "value"), [("deleted", True, 1.0), ("inaccessible", False, 0.5)])
async def test_what_changed_and_is_not_answered_is_judged_at_once(pulled, state, deleted, value):
    paper = Paper(pulled)
    paper.unanswered, paper.found = ("2", "404"), {"2": state}
    (done,) = await run.sync(pulled.context, {"jira": paper.live()})
    assert (done.error, done.deleted, done.inaccessible) == (None, int(deleted), int(not deleted))
    gone = (await pulled.items())["2"].item
    assert (gone.deleted, gone.inaccessible) == (deleted, not deleted)
    assert (await pulled.progress("I1")).value == value


@pytest.mark.parametrize("way", ["sync", "census"])
async def test_what_hung_below_a_deleted_item_is_read_again(pulled, item, way):
    # The tracker put the children under another epic and did not move their `updated`.
    paper = Paper(pulled)
    epic = item("4", level="epic", key="PAY-4")
    await pulled.receive(epic)
    adopted = [item(id_, parent_id="4", category="done") for id_ in ("2", "3")]
    paper.found = {"1": "deleted"}
    if way == "sync":
        paper.unanswered = ("1",)

        async def fetch(_client, _connection, _reading, ids):
            yield paper.page([one for one in adopted if one.id in ids])

        paper.fetch = fetch
        (done,) = await run.sync(pulled.context, {"jira": paper.live()})
        assert done.error is None
    else:
        paper.changed, paper.listed = adopted, ["2", "3", "4"]
        _, errors = await run.census(pulled.context, {"jira": paper.live()}, repair=True)
        assert errors == {}
    found = await pulled.items()
    assert {found[id_].item.parent_id for id_ in ("2", "3")} == {"4"}
    assert found["1"].item.deleted


async def test_one_broken_connection_never_stops_another(pulled, item):
    broken, fine = Paper(pulled), Paper(pulled, "other")
    at = pulled.clock()
    broken.broken, broken.changed = True, [item("2", parent_id="1", category="done", updated_at=at)]
    fine.changed = [item("9", connection="other", title="New", updated_at=at)]
    done = await run.sync(pulled.context, {"jira": broken.live(), "other": fine.live()})
    assert {one.connection: str(one.error) for one in done} == {"jira": "jira: 503", "other": "None"}
    assert (await pulled.items())["9"].item.title == "New"
    assert (await pulled.progress("I1")).value == 1.0
    assert await watermark(pulled, "other") == {"updated_ms": 2}


async def test_a_repair_that_breaks_leaves_numbers_that_fit_the_items(pulled, item):
    """The first connection is mended, the second fails: what was mended is in the numbers."""
    paper, broken = Paper(pulled), Paper(pulled, "other")
    paper.listed, paper.found = ["1", "3", "4"], {"2": "deleted"}
    paper.changed = [item("4", parent_id="1")]
    broken.broken = True
    found, errors = await run.census(pulled.context, {"jira": paper.live(), "other": broken.live()}, repair=True)
    assert [(one.connection, one.missing, len(one.absent), one.repaired) for one in found] == [("jira", ["4"], 1, 2)]
    assert list(errors) == ["other"]
    assert set(await pulled.items()) == {"1", "2", "3", "4", "9"}
    assert (await pulled.progress("I1")).value == 0.5


async def test_a_census_that_repairs_nothing_writes_nothing(pulled):
    paper = Paper(pulled)
    paper.listed, paper.found = ["1", "3", "4"], {"2": "deleted"}
    before = await pulled.dump()
    (found,), errors = await run.census(pulled.context, {"jira": paper.live()}, repair=False)
    assert (found.missing, [one.state for one in found.absent], found.repaired, errors) == (["4"], ["deleted"], 0, {})
    assert await pulled.dump() == before


async def test_a_repair_that_dies_is_made_good_by_the_next_run(pulled, monkeypatch):
    paper = Paper(pulled)
    paper.listed, paper.found = ["1", "3"], {"2": "deleted"}

    async def die(*_arguments, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            await run.census(pulled.context, {"jira": paper.live()}, repair=True)
    assert (await pulled.progress("I1")).value == 0.5
    await run.sync(pulled.context, {"other": Paper(pulled, "other").live()})
    assert (await pulled.progress("I1")).value == 1.0
