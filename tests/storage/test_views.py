"""The present as `show` reads it over the plain driver: the same from both databases."""

from datetime import UTC, datetime

from storage import checkpoints
from storage.views import present


async def test_values_that_are_texts_are_read_from_each_database(store):
    """PostgreSQL's driver hands out JSON that is read already, unless it is told not to."""
    at = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
    async with store.write() as tx:
        await checkpoints.save(tx, "jira", "complete_to", at.isoformat())
        await checkpoints.save_note(tx, "mapped", {"digest": "first"})
    found = present(store.url)
    assert found is not None
    assert (found.complete_to, found.digest) == ({"jira": at}, "first")
