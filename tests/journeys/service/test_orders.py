"""Whatever happens at the trackers and however its webhooks come, the store ends with what is true."""

import pytest

from app.demo.sender import Sending
from app.demo.storm import storm

SHORT = [(1, 60)]
LONG = [pytest.param(seed, 400, marks=pytest.mark.long) for seed in range(2, 6)]


@pytest.mark.parametrize(("seed", "steps"), [*SHORT, *LONG])
async def test_webhooks_that_overtake_repeat_come_late_or_never(house, seed, steps):
    faults = Sending(seed=seed, shuffle=1.5, duplicate=0.2, late=0.2, late_by=4.0, drop=0.1, forged=0.05)
    async with house.serving(poll="3s"):
        async with house.sending(faults) as sender:
            await storm(house.sites, steps, seed, rate=20.0)
            await sender.idle()
            assert not any(one.acknowledged for one in sender.ledger.forged)
        for issue in house.sites.jira.issues.values():
            issue.secured = False
        await house.until(house.at_rest, "rest after the storm")
        await house.ask("census")
        await house.agrees()
