"""What nobody was woken for, what was parked, and who pulls beside whom."""

import orjson

from app.demo.sender import Sending
from storage import inbox


async def put(house, delivery_id, body, **more):
    """Put a delivery into the inbox and wake nobody: as where the process dies between commit and wake-up."""
    async with house.context() as context, context.store.write() as tx:
        return await inbox.put(
            tx, connection="jira-demo", delivery_id=delivery_id, body=inbox.pack(body), read_at=house.now(), **more
        )


async def test_a_lost_wake_up_is_made_good(house):
    item = await house.open_work("jira")
    async with house.serving():
        house.finish(item)
        await put(house, "lost", orjson.dumps([{"id": item["id"], "key": item["key"]}]), kind="hint")
        await house.until(lambda: house.done(item), "the tick", seconds=15)


async def test_a_parked_webhook_is_replayed_beside_the_service(house):
    item = await house.open_work("jira")
    async with house.serving():
        async with house.sending(Sending(drop=1.0)) as sender:
            house.finish(item)
            await sender.idle()
            (letter,) = [one.letter for one in sender.ledger.of("jira")]
        await put(house, letter.guid, letter.body, kind="webhook", event=letter.event, error="could not be read then")
        await put(house, "poison", b"not json", kind="webhook", event=letter.event, error="cannot be read at all")
        ended = await house.command("replay", "--parked", "--json")
        assert ended.code == 1
        assert ended.doc["parked"] == 1
        assert "is not JSON" in ended.words
        await house.until(lambda: house.done(item), "the replayed webhook")
        async with house.context() as context, context.store.read() as tx:
            assert await inbox.parked_counts(tx) == {"jira-demo": 1}


async def test_command_line_and_service_do_not_pull_at_once(house, caplog):
    caplog.set_level("INFO", "keyrail")
    house.sites.jira.faults.latency = 0.4
    async with house.serving(poll="1s"):
        for _ in range(20):
            ended = await house.command("sync", "--connection", "jira-demo", "--no-publish")
            if ended.code == 1:
                break
        assert ended.code == 1
        assert "another pull is running" in ended.words
        async with house.context() as context, context.store.lock("jira-demo", patience=20):
            await house.until(lambda: "another pull is running" in caplog.text, "the service told")
