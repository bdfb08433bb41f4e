"""The workspace file and its secrets, changed while the service runs."""

import pytest

pytestmark = pytest.mark.parametrize("copied", ["sqlite"], indirect=True)
OK = "keyrail_workspace_ok"


async def test_a_right_edit_counts_at_once_and_a_broken_one_not_at_all(house, caplog):
    item = await house.open_work("jira")
    new = f'  - id: I99\n    title: New\n    work: [{{connection: jira-demo, keys: ["{item["key"]}"]}}]\n'

    async def there():
        return any(one["id"] == "I99" for one in (await house.report())["initiatives"])

    async def is_ok(value):
        return (await house.metrics())[OK] == value

    async with house.serving(), house.sending():
        house.edit("  - id: I2\n", f"{new}  - id: I2\n")
        await house.until(there, "the new initiative")

        async def counted():
            return sum((await house.counts("I99")).values()) == 1

        await house.until(counted, "the new initiative's work")
        house.edit("timezone: Europe/Berlin", "timezone: Nowhere/Land")
        await house.until(lambda: is_ok("0.0"), "the broken edit told")
        line = house.file.read_text().splitlines().index("timezone: Nowhere/Land") + 1
        (said,) = [one.getMessage() for one in caplog.records if "broken" in one.getMessage()]
        assert f"keyrail.yaml:{line}" in said
        house.finish(item)
        await house.until(lambda: house.done(item), "work goes on with the version before")
        house.edit("timezone: Nowhere/Land", "timezone: Europe/Berlin")
        await house.until(lambda: is_ok("1.0"), "the mended edit")


async def test_a_secret_in_a_file_is_rotated(house):
    secret = house.folder / "secret"
    secret.write_text(house.sites.jira.webhook_secret)
    house.edit("${env:DEMO_JIRA_WEBHOOK_SECRET}", f"${{file:{secret}}}")
    first, second = [await house.open_work("jira", number) for number in range(2)]
    async with house.serving(), house.sending() as sender:
        house.finish(first)
        await house.until(lambda: house.done(first), "a delivery under the first secret")
        loaded = (await house.metrics())["keyrail_workspace_loaded_timestamp_seconds"]
        beside = secret.with_suffix(".new")
        beside.write_text("another secret")
        beside.rename(secret)

        async def reloaded():
            return (await house.metrics())["keyrail_workspace_loaded_timestamp_seconds"] != loaded

        await house.until(reloaded, "the second secret")
        sender.ledger.deliveries.clear()
        house.sites.jira.webhook_secret = "another secret"
        for hook in house.sites.jira.webhooks.values():
            hook.secret = "another secret"
        house.finish(second)
        await sender.idle()
        assert {one.fate for one in sender.ledger.deliveries} == {"accepted"}
        await house.until(lambda: house.done(second), "a delivery under the second secret")
