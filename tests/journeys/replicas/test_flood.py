"""Webhooks as fast as they can be sent, some twice and some forged: each genuine one is accepted and kept once."""

import asyncio
import contextlib
import random
from collections import Counter

import httpx
import orjson
import pytest

from connectors.signature import sign

SENDERS = 32
COUNTS = [pytest.param(1000, id="short"), pytest.param(10_000, id="long", marks=pytest.mark.long)]


@pytest.fixture(params=["single", pytest.param("fleet", marks=pytest.mark.postgres)])
def any_fleet(request):
    """A fleet on either database, and the roles of its replicas."""
    roles = {"single": ("all",), "fleet": ("receiver", "receiver", "worker")}
    return request.getfixturevalue(request.param), roles[request.param]


def webhooks(count, secret, seed=9):
    """Return so many webhooks of GitHub as (id, headers, body, forged): 5 % were sent before, 2 % are forged."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        fate = chance.random()
        if made and fate < 0.05:
            made.append(chance.choice([one for one in made[-200:] if not one[3]]))
            continue
        forged = fate > 0.98
        body = orjson.dumps({"action": "created", "starred_at": None, "repository": {"id": number}, "of": "x" * 2000})
        headers = {
            "content-type": "application/json",
            "x-github-event": "star",
            "x-github-delivery": f"flood-{number}",
            "x-hub-signature-256": sign("somebody else's" if forged else secret, body, prefix="sha256="),
        }
        made.append((f"flood-{number}", headers, body, forged))
    return made


async def post(client, url, **request):
    """Send until there is an answer: a connection may be closed as idle just when it is used again."""
    for _ in range(5):
        with contextlib.suppress(httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            return await client.post(url, **request)
    return await client.post(url, **request)


@pytest.mark.parametrize("count", COUNTS)
async def test_a_flood_is_accepted_exactly_once_and_what_is_forged_is_refused(any_fleet, count):
    fleet, roles = any_fleet
    receivers = [(await fleet.start(role)).url for role in roles if role != "worker"]
    if "worker" in roles:
        await fleet.start("worker")
    waiting = webhooks(count, fleet.sites.github.webhook_secret)
    genuine = {id for id, _, _, forged in waiting if not forged}
    turns, answers = iter(enumerate(waiting)), Counter()

    async def sender(client):
        for number, (_, headers, body, forged) in turns:
            url = receivers[number % len(receivers)]
            answer = await post(client, f"{url}/webhooks/github-demo", content=body, headers=headers)
            answers[answer.status_code, forged] += 1

    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        await asyncio.gather(*(sender(client) for _ in range(SENDERS)))
    forged = sum(one[3] for one in waiting)
    assert answers == {(200, False): count - forged, (401, True): forged}
    await fleet.rest()
    kept = await fleet.inbox()
    assert {id for _, id in kept} == genuine
    assert {row.state for row in kept.values()} == {"done"}
    await fleet.stop()
