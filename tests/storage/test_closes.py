"""Closes that are kept for a day: who waits for them, and that nobody's change is lost while they are computed."""

from storage import closes
from storage.checkpoints import note

DAY = "2026-11-18"
ROW = ["2026-11-17", 0.4, None]


async def test_all_wait_until_they_were_looked_at(store):
    async with store.write() as tx:
        await closes.forget(tx, DAY)
        asked = await closes.due(tx, DAY, ["KR2", "KR1"])
        assert list(asked) == ["KR1", "KR2"]
        await closes.keep(tx, DAY, asked, {"KR1": [ROW]})
        assert await closes.due(tx, DAY, ["KR1", "KR2"]) == {}
        assert (await note(tx, closes.CLOSES))["of"] == {"KR1": [ROW]}


async def test_what_moved_waits_again_and_the_others_stay(store):
    async with store.write() as tx:
        asked = await closes.due(tx, DAY, ["KR1", "KR2"])
        await closes.keep(tx, DAY, asked, {"KR1": [ROW], "KR2": [ROW]})
        await closes.forget(tx, DAY, {"KR1"})
        assert list(await closes.due(tx, DAY, ["KR1", "KR2"])) == ["KR1"]
        assert (await note(tx, closes.CLOSES))["of"] == {"KR2": [ROW]}


async def test_what_moves_while_its_closes_are_computed_goes_on_waiting(store):
    async with store.write() as tx:
        asked = await closes.due(tx, DAY, ["KR1", "KR2"])
        await closes.forget(tx, DAY, {"KR1"})
        await closes.keep(tx, DAY, asked, {"KR1": [ROW], "KR2": [ROW]})
        assert list(await closes.due(tx, DAY, [])) == ["KR1"]
        assert (await note(tx, closes.CLOSES))["of"] == {"KR2": [ROW]}


async def test_a_new_day_begins_anew(store):
    async with store.write() as tx:
        asked = await closes.due(tx, DAY, ["KR1"])
        await closes.keep(tx, DAY, asked, {"KR1": [ROW]})
        assert list(await closes.due(tx, "2026-11-19", ["KR1"])) == ["KR1"]
        await closes.keep(tx, DAY, asked, {"KR1": [ROW]})
        assert (await note(tx, closes.CLOSES))["of"] == {}
        await closes.keep(tx, "2026-11-19", {"KR1": 99}, {"KR1": [ROW]})
        assert (await note(tx, closes.CLOSES))["of"] == {}
