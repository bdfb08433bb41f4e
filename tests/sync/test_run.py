"""Whole runs: what the tracker does not hand out is judged, and what breaks one connection stops no other."""

from dataclasses import replace

import pytest

from storage import checkpoints
from sync import run
from sync.poll import WATERMARK


async def watermark(road, name):
    async with road.store.read() as tx:
        return await checkpoints.load(tx, name, WATERMARK)


@pytest.mark.parametrize(("state", "deleted", "value"), [("deleted", True, 1.0), ("inaccessible", False, 0.5)])
async def test_what_changed_and_is_not_answered_is_judged_at_once(pulled, state, deleted, value):
    paper = pulled.tracker()
    paper.unanswered, paper.found = ("2", "404"), {"2": state}
    (done,) = await run.sync(pulled.context, {"jira": paper.live()})
    assert (done.error, done.deleted, done.inaccessible) == (None, int(deleted), int(not deleted))
    gone = (await pulled.items())["2"].item
    assert (gone.deleted, gone.inaccessible) == (deleted, not deleted)
    assert (await pulled.progress("I1")).value == value


@pytest.mark.parametrize("way", ["sync", "census"])
async def test_what_hung_below_a_deleted_item_is_read_again(pulled, item, way):
    # The tracker put the children under another epic and did not move their `updated`.
    paper = pulled.tracker()
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
    broken, fine = pulled.tracker(), pulled.tracker("other")
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
    paper, broken = pulled.tracker(), pulled.tracker("other")
    paper.listed, paper.found = ["1", "3", "4"], {"2": "deleted"}
    paper.changed = [item("4", parent_id="1")]
    broken.broken = True
    found, errors = await run.census(pulled.context, {"jira": paper.live(), "other": broken.live()}, repair=True)
    assert [(one.connection, one.missing, len(one.absent), one.repaired) for one in found] == [("jira", ["4"], 1, 2)]
    assert list(errors) == ["other"]
    assert set(await pulled.items()) == {"1", "2", "3", "4", "9"}
    assert (await pulled.progress("I1")).value == 0.5


async def test_a_census_that_repairs_nothing_writes_nothing(pulled):
    paper = pulled.tracker()
    paper.listed, paper.found = ["1", "3", "4"], {"2": "deleted"}
    before = await pulled.dump()
    (found,), errors = await run.census(pulled.context, {"jira": paper.live()}, repair=False)
    assert (found.missing, [one.state for one in found.absent], found.repaired, errors) == (["4"], ["deleted"], 0, {})
    assert await pulled.dump() == before


async def test_a_repair_that_dies_is_made_good_by_the_next_run(pulled, monkeypatch):
    paper = pulled.tracker()
    paper.listed, paper.found = ["1", "3"], {"2": "deleted"}

    async def die(*_arguments, **_named):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(run, "settle", die)
        with pytest.raises(KeyboardInterrupt):
            await run.census(pulled.context, {"jira": paper.live()}, repair=True)
    assert (await pulled.progress("I1")).value == 0.5
    await run.sync(pulled.context, {"other": pulled.tracker("other").live()})
    assert (await pulled.progress("I1")).value == 1.0


async def test_the_past_of_what_is_out_of_sight_is_read_when_it_is_seen_again(pulled, item):
    """Its history was asked for while it was hidden: not answered is not read."""
    paper = pulled.tracker()
    hidden = item("2", parent_id="1", updated_at=pulled.clock())
    paper.changed, asked = [hidden], []

    async def history(_client, _connection, _reading, ids):
        asked.append(list(ids))
        yield replace(paper.page([]), kind="history", missing=tuple(ids) if len(asked) == 1 else ())

    paper.history = history
    for _ in range(3):
        await run.sync(pulled.context, {"jira": paper.live()})
    assert "2" in asked[0]
    assert "2" in asked[1]
    assert len(asked) == 2
