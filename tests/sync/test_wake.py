"""Many who want the same job soon ask for it once, when its slot of time is over."""

import logging

from domain.errors import StorageError
from sync.wake import COALESCE, Wake


class Asked:
    """Keeps what is asked for (`sync.jobs.Jobs`); `away` is the database's state."""

    def __init__(self):
        self.ids = []
        self.away = False

    async def ask(self, job, key, *, id):
        if self.away:
            raise StorageError("Database away.")
        self.ids.append((job, key, id))

    async def counts(self):
        return {}

    async def prune(self, before):
        return 0


async def test_one_wake_up_stands_for_all_that_came_in_its_time(clock):
    jobs = Asked()
    wake = Wake(jobs, clock)
    slot = int(clock.at.timestamp() / COALESCE)
    for connection in ("jira", "jira", "github", "jira"):
        wake("deliveries", connection)
    assert jobs.ids == []  # the time is not over: more may come
    clock.forward(seconds=COALESCE)
    wake("deliveries", "jira")
    await wake.settle()
    assert sorted(jobs.ids) == sorted(
        [
            ("deliveries", "jira", f"deliveries:jira:{slot}"),
            ("deliveries", "github", f"deliveries:github:{slot}"),
            ("deliveries", "jira", f"deliveries:jira:{slot + 1}"),
        ]
    )


async def test_a_wake_up_that_fails_is_logged_and_the_next_is_made(clock, caplog):
    jobs = Asked()
    jobs.away = True
    wake = Wake(jobs, clock)
    with caplog.at_level(logging.WARNING):
        wake("deliveries", "jira")
        await wake.settle()
    assert "deliveries jira: nobody was woken" in caplog.text
    jobs.away = False
    clock.forward(seconds=COALESCE)
    wake("deliveries", "jira")
    await wake.settle()
    assert len(jobs.ids) == 1
