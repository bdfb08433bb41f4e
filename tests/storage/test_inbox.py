"""The inbox: a delivery is stored once, packed, parked with its reason, and pruned within bounds."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from domain.errors import PayloadError
from storage import inbox

READ_AT = datetime(2026, 11, 18, 9, tzinfo=UTC)


async def put(tx, delivery_id="run/changes/1", *, body=b"{}", connection="jira", error=None):
    return await inbox.put(
        tx,
        connection=connection,
        delivery_id=delivery_id,
        kind="items",
        body=inbox.pack(body),
        read_at=READ_AT,
        items=1,
        error=error,
    )


async def test_a_delivery_is_stored_once(store):
    async with store.write() as tx:
        first = await put(tx, body=b"first")
        again = await put(tx, body=b"other")
        elsewhere = await put(tx, connection="jira-two")
    async with store.read() as tx:
        rows = await inbox.waiting(tx, "jira")
    assert again is None
    assert elsewhere is not None
    assert [(row.id, inbox.unpack(row.body), row.read_at, row.items) for row in rows] == [(first, b"first", READ_AT, 1)]


async def test_waiting_goes_on_oldest_first(store):
    async with store.write() as tx:
        ids = [await put(tx, f"run/changes/{number}") for number in range(5)]
        first = await inbox.waiting(tx, "jira", limit=2)
        rest = await inbox.waiting(tx, "jira", after=first[-1].id)
    assert [row.id for row in [*first, *rest]] == ids


async def test_a_delivery_moves_from_new_to_done_or_parked_and_back(store):
    async with store.write() as tx:
        read = await put(tx, "1")
        damaged = await put(tx, "2")
        born_parked = await put(tx, "3", error="no id")
        await inbox.settle(tx, [read])
        await inbox.park(tx, damaged, "not JSON")
        parked = await inbox.stored(tx, "jira", since=None, parked=True, after=0)
        assert [(row.id, row.error) for row in parked] == [(damaged, "not JSON"), (born_parked, "no id")]
        assert await inbox.parked_counts(tx) == {"jira": 2}
        assert [row.id for row in await inbox.stored(tx, "jira", since=None, parked=False, after=0)] == [
            read,
            damaged,
            born_parked,
        ]
        assert await inbox.waiting(tx, "jira") == []
        await inbox.settle(tx, [damaged])
        assert await inbox.parked_counts(tx) == {"jira": 1}
        (again,) = await inbox.waiting(tx, "jira", state="done", after=read)
    assert (again.id, again.error) == (damaged, None)


async def test_replay_reads_since_an_instant(store):
    async with store.write() as tx:
        old, new = await put(tx, "1"), await put(tx, "2")
        await tx.execute(update(inbox.inbox).where(inbox.inbox.c.id == old).values(received_at=READ_AT))
        rows = await inbox.stored(tx, "jira", since=READ_AT + timedelta(seconds=1), parked=False, after=0)
    assert [row.id for row in rows] == [new]


async def test_prune_takes_what_was_read_before_an_instant_and_nothing_else(store):
    async with store.write() as tx:
        ids = [await put(tx, name, body=b"x" * 100) for name in ("old", "edge", "young", "parked", "new")]
        old, edge, young, parked, new = ids
        await inbox.settle(tx, [old, edge, young])
        await inbox.park(tx, parked, "not JSON")
        for id_, received in (
            (old, READ_AT - timedelta(microseconds=1)),
            (edge, READ_AT),
            (parked, READ_AT - timedelta(days=1)),
            (new, READ_AT - timedelta(days=1)),
        ):
            await tx.execute(update(inbox.inbox).where(inbox.inbox.c.id == id_).values(received_at=received))
        assert await inbox.prune(tx, READ_AT) == (1, len(inbox.pack(b"x" * 100)))
        left = await inbox.stored(tx, "jira", since=None, parked=False, after=0)
        assert [row.id for row in left] == [edge, young, parked, new]
        assert await inbox.prune(tx, READ_AT) == (0, 0)
        assert await inbox.size(tx) == (4, 4 * len(inbox.pack(b"x" * 100)))


@pytest.mark.parametrize("body", [b"", b"{}", "Größe ✓".encode() * 1000, bytes(range(256))])
def test_a_body_comes_back_as_it_was(body):
    assert inbox.unpack(inbox.pack(body)) == body


@pytest.mark.parametrize("damaged", [b"", b"{}", inbox.pack(b"a" * 500)[:-3], inbox.pack(b"abc" * 50)[4:]])
def test_a_damaged_body_is_a_payload_error(damaged):
    with pytest.raises(PayloadError, match="damaged"):
        inbox.unpack(damaged)


def test_a_body_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(monkeypatch):
    packed = inbox.pack(b"0" * 10_001)
    monkeypatch.setattr(inbox, "LARGEST", 10_000)
    monkeypatch.setattr(inbox.zstd, "decompress", lambda _: pytest.fail("unpacked"))
    with pytest.raises(PayloadError, match="10001 bytes, more than 10000"):
        inbox.unpack(packed)


def test_a_body_that_hides_its_size_is_refused(monkeypatch):
    packer = inbox.zstd.ZstdCompressor(options={inbox.zstd.CompressionParameter.content_size_flag: 0})
    packed = packer.compress(b"0" * 20_000, mode=packer.FLUSH_FRAME)
    monkeypatch.setattr(inbox.zstd, "decompress", lambda _: pytest.fail("unpacked"))
    with pytest.raises(PayloadError, match="unknown bytes"):
        inbox.unpack(packed)
