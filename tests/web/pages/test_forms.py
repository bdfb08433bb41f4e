"""What people send: check-ins, replay, release; each counts at once, is audited, and refused with what to do."""

from datetime import UTC, datetime
from html import unescape

from storage import audit, inbox, outbox


async def seal_of(board, path):
    """Return the seal of the very first page that a browser asks for."""
    board.client.cookies.clear()
    text = (await board.client.get(path)).text
    return text.split('name="seal" value="', 1)[1].split('"', 1)[0]


async def deeds(board):
    async with board.store.read() as tx:
        return [(one.action, one.subject) for _, one in await audit.deeds(tx)]


async def test_check_in(board):
    seal = await seal_of(board, "/key-results/KR1")
    sent = {"seal": seal, "value": "2,8", "date": str(board.context.today), "note": "Wallets live"}
    answer = await board.client.post("/key-results/KR1/check-in", data=sent)
    assert answer.status_code == 303
    text = await board.page(answer.headers["location"])
    assert "Recorded." in text
    assert "Wallets live" in text
    assert "2.8" in text
    assert await deeds(board) == [("check-in", "KR1")]


async def test_a_check_in_that_is_none(board):
    seal = await seal_of(board, "/key-results/KR1")
    for sent, said in [
        ({"value": "lots"}, "'lots' is no number"),
        ({"value": "nan"}, "is not a number"),
        ({"value": "3", "date": "2999-01-01"}, "is in the future"),
        ({"value": "3", "date": "someday"}, "'someday' is no day"),
    ]:
        answer = await board.client.post("/key-results/KR1/check-in", data={"seal": seal, **sent})
        assert answer.status_code == 422
        assert said in unescape(answer.text)
        assert f'value="{sent["value"]}"' in answer.text
    assert await deeds(board) == []


async def test_a_form_of_another_site_is_refused(board):
    answer = await board.client.post("/key-results/KR1/check-in", data={"value": "3"})
    assert answer.status_code == 403
    assert await deeds(board) == []


async def test_replay(board):
    name = next(iter(board.context.workspace.connections))
    async with board.store.write() as tx:
        await inbox.put(
            tx,
            connection=name,
            delivery_id="d1",
            kind="webhook",
            body=b"{}",
            read_at=datetime.now(UTC),
        )
        one = (await inbox.waiting(tx, name, limit=1))[0]
        await inbox.park(tx, one.id, "the event is called <b>nothing</b>")
    text = await board.page("/sync")
    assert "1 parked" in text
    assert "&lt;b&gt;nothing" in text
    seal = await seal_of(board, "/sync")
    answer = await board.client.post("/sync/replay", data={"seal": seal, "connection": name})
    text = await board.page(answer.headers["location"])
    assert "1 delivery" in text
    assert "none parked" in text
    assert "1 waiting" in text
    assert await deeds(board) == [("replay", name)]
    answer = await board.client.post("/sync/replay", data={"seal": seal, "connection": "nowhere"})
    assert answer.status_code == 400


async def test_release(board):
    async with board.store.write() as tx:
        place = next(iter(await outbox.ledger(tx)))
        await outbox.override(tx, place, datetime.now(UTC))
    text = await board.page("/publish")
    assert "Changed by a person" in text
    seal = await seal_of(board, "/publish")
    sent = {"seal": seal, "target": place.target, "subject": place.subject}
    answer = await board.client.post("/publish/release", data={**sent, "reason": " "})
    assert answer.status_code == 422
    assert "Nothing was released" in answer.text
    answer = await board.client.post("/publish/release", data={**sent, "reason": "agreed with Ann"})
    assert answer.status_code == 303
    assert "Changed by a person" not in await board.page("/publish")
    assert await deeds(board) == [("release", f"{place.target}:{place.subject}")]
    answer = await board.client.post("/publish/release", data={**sent, "reason": "again"})
    assert answer.status_code == 422
