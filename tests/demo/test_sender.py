"""Webhooks that the simulated trackers really send: signed, filtered by who registered, repeated as vendors repeat."""

import asyncio
import json
from collections import Counter, deque
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.demo.github_site import Site as GitHub
from app.demo.linear_site import Site as Linear
from app.demo.portfolio import Portfolio, live, running
from app.demo.sender import Sending, register, sending
from app.demo.site import Site as Jira
from app.web.server import serve
from connectors.registry import CONNECTORS
from domain.errors import SignatureError

TODAY = date(2026, 11, 16)


class Receiver:
    """Takes deliveries at `/webhooks/{tracker}`; `answers` are given first, then 200; wrong signatures get 401."""

    def __init__(self):
        self.url = ""
        self.got = []
        self.refused = []
        self.answers = deque()

    async def __call__(self, request):
        tracker, body = request.path_params["tracker"], await request.body()
        try:
            CONNECTORS[tracker].verify(request.headers, body, "demo-webhook-secret", datetime.now(UTC))
        except SignatureError:
            self.refused.append(body)
            return Response(status_code=401)
        self.got.append((tracker, CONNECTORS[tracker].delivery_id(request.headers, body), request.headers, body))
        status, headers = self.answers.popleft() if self.answers else (200, {})
        return Response(status_code=status, headers=headers)

    @property
    def urls(self):
        return {tracker: f"{self.url}/webhooks/{tracker}" for tracker in ("jira", "github", "linear")}


@pytest.fixture
async def receiver():
    receiver = Receiver()
    app = Starlette(routes=[Route("/webhooks/{tracker}", receiver.__call__, methods=["POST"])])
    async with serve(app) as receiver.url:
        yield receiver


@pytest.fixture
def sites():
    """One issue at each of three small sites."""
    jira, github, linear = Jira(), GitHub(), Linear()
    jira.add_project("PAY", "Payments")
    jira.create("PAY", "Story", "Stored cards")
    owner = github.add_organization("acme")
    github.create(github.add_repository(owner, "web"), "Button")
    linear.create(linear.add_team("MOB", "Mobile"), "Wallet")
    return Portfolio(jira=jira, github=github, linear=linear, urls={})


def first(site):
    if isinstance(site, Jira):
        return next(iter(site.issues.values()))
    return next(iter(site.issues())) if isinstance(site, GitHub) else site.find("MOB-1")


@asynccontextmanager
async def one_of(sites, receiver, tracker, **how):
    """Send for one tracker alone and wait to the end; GitHub's greeting is over by then."""
    async with sending(sites, {tracker: receiver.urls[tracker]}, **{"scale": 0.00001, **how}) as sender:
        await sender.idle()
        receiver.got.clear()
        yield sender
        await sender.idle()


async def test_what_happens_everywhere_arrives_and_is_genuine(receiver):
    async with running(TODAY) as portfolio, sending(portfolio, receiver.urls) as sender:
        steps = live(portfolio, every=0)
        for _ in range(40):
            await anext(steps)
        await sender.idle()
        changes = len(portfolio.jira.changes) + len(portfolio.github.changes) + len(portfolio.linear.changes)
    assert Counter(tracker for tracker, *_ in receiver.got).keys() == {"jira", "github", "linear"}
    assert len({id for _, id, *_ in receiver.got}) == len(receiver.got) == changes
    assert len(sender.ledger.acknowledged()) == changes
    assert not receiver.refused


async def test_a_delivery_tells_what_is_once_the_change_is_whole(sites, receiver):
    async with one_of(sites, receiver, "github"):
        sites.github.create(first(sites.github).repository, "Second", labels=["bug"], type=None)
    opened = [json.loads(body) for _, _, headers, body in receiver.got if headers["x-github-event"] == "issues"]
    assert [body["action"] for body in opened] == ["opened", "labeled"]
    assert [label["name"] for label in opened[0]["issue"]["labels"]] == ["bug"]


async def test_jira_tries_five_times_more_and_counts(sites, receiver):
    receiver.answers.extend([(503, {"Retry-After": "1"})] * 3 + [(429, {})] * 9)
    async with one_of(sites, receiver, "jira") as sender:
        sites.jira.change(first(sites.jira), status="Done")
    assert [headers.get("x-atlassian-webhook-retry") for _, _, headers, _ in receiver.got] == [
        None, "1", "2", "3", "4", "5",
    ]  # fmt: skip
    assert len({id for _, id, *_ in receiver.got}) == len({body for *_, body in receiver.got}) == 1
    (delivery,) = sender.ledger.deliveries
    assert (delivery.fate, delivery.acknowledged) == ("given up", False)
    assert [attempt.status for attempt in delivery.attempts] == [503, 503, 503, 429, 429, 429]


async def test_jira_never_repeats_what_was_refused(sites, receiver):
    receiver.answers.append((404, {}))
    async with one_of(sites, receiver, "jira") as sender:
        sites.jira.change(first(sites.jira), status="Done")
    assert [one.fate for one in sender.ledger.deliveries] == ["given up"]
    assert len(receiver.got) == 1


async def test_jira_waits_as_long_as_it_is_told(sites, receiver):
    receiver.answers.append((503, {"Retry-After": "30000"}))
    async with one_of(sites, receiver, "jira") as sender:
        sites.jira.change(first(sites.jira), status="Done")
    begun, ended = (attempt.at for attempt in sender.ledger.deliveries[0].attempts)
    assert (ended - begun).total_seconds() >= 0.3


async def test_linear_takes_200_alone_for_success_and_tries_three_times_more(sites, receiver):
    receiver.answers.extend([(202, {}), (204, {}), (500, {}), (200, {})])
    async with one_of(sites, receiver, "linear") as sender:
        sites.linear.change(first(sites.linear), state="Done")
    assert [attempt.status for attempt in sender.ledger.deliveries[0].attempts] == [202, 204, 500, 200]
    assert sender.ledger.deliveries[0].fate == "accepted"


async def test_linear_may_switch_a_webhook_off_that_fails(sites, receiver):
    async with one_of(sites, receiver, "linear", gives_up=True) as sender:
        receiver.answers.extend([(500, {})] * 4)
        sites.linear.change(first(sites.linear), state="Done")
        await sender.idle()
        sites.linear.change(first(sites.linear), state="Todo")
    assert len(sender.ledger.deliveries) == 1


async def test_github_sends_once_and_anew_only_when_asked(sites, receiver):
    receiver.answers.extend([(200, {}), (500, {})])
    async with one_of(sites, receiver, "github") as sender:
        sites.github.change(first(sites.github), state="closed")
        await sender.idle()
        delivery = sender.ledger.deliveries[-1]
        assert (len(delivery.attempts), delivery.acknowledged) == (1, False)
        sender.again(delivery)
    assert [(attempt.status, attempt.again) for attempt in delivery.attempts] == [(500, False), (200, True)]
    assert len({id for _, id, *_ in receiver.got}) == 1


async def test_a_receiver_that_is_away_is_no_answer(sites):
    async with sending(sites, {"linear": "http://127.0.0.1:9/webhooks/linear"}, scale=0) as sender:
        sites.linear.change(first(sites.linear), state="Done")
        await sender.idle()
    (delivery,) = sender.ledger.deliveries
    assert [attempt.status for attempt in delivery.attempts] == [None] * 4
    assert delivery.attempts[0].words == "failed to connect to host"


async def chances(sites, receiver, **faults):
    async with one_of(sites, receiver, "jira", faults=Sending(**faults)) as sender:
        for number in range(60):
            sites.jira.change(first(sites.jira), points=float(number))
    return sender.ledger


async def test_some_arrive_twice(sites, receiver):
    ledger = await chances(sites, receiver, duplicate=0.3)
    times = Counter(id for _, id, *_ in receiver.got)
    assert len(times) == 60
    assert 5 < sum(count == 2 for count in times.values()) < 40
    assert all(one.fate == "accepted" for one in ledger.deliveries)


async def test_some_never_arrive(sites, receiver):
    ledger = await chances(sites, receiver, drop=0.3)
    dropped = [one for one in ledger.deliveries if one.fate == "dropped"]
    assert 5 < len(dropped) < 40
    assert len(receiver.got) == 60 - len(dropped) == len(ledger.acknowledged("jira"))


async def test_forged_ones_bear_the_id_of_a_genuine_one_and_are_never_acknowledged(sites, receiver):
    ledger = await chances(sites, receiver, forged=0.5, seed=3)
    assert 10 < len(ledger.forged) == len(receiver.refused)
    assert {one.letter.guid for one in ledger.forged} < {one.letter.guid for one in ledger.deliveries}
    assert not any(one.acknowledged for one in ledger.forged)
    assert len(ledger.acknowledged()) == 60


async def test_they_overtake_each_other_within_the_window(sites, receiver):
    ledger = await chances(sites, receiver, shuffle=1.5)
    sent = [one.letter.guid for one in ledger.deliveries]
    came = [id for _, id, *_ in receiver.got]
    assert came != sent
    assert set(came) == set(sent)
    tries = [one.attempts[0].at for one in ledger.deliveries]
    assert (max(tries) - min(tries)).total_seconds() > 1.0


async def test_late_ones_come_last(sites, receiver):
    ledger = await chances(sites, receiver, late=0.2, late_by=1.0)
    late = {one.letter.guid for one in ledger.deliveries if one.attempts[0].at > ledger.deliveries[0].attempts[0].at}
    came = [id for _, id, *_ in receiver.got]
    assert [id for id in came if id not in late] + [id for id in came if id in late] == came


async def test_the_same_seed_has_the_same_fates(sites, receiver):
    def fates(ledger):
        return [one.fate for one in ledger.deliveries]

    dropped = fates(await chances(sites, receiver, drop=0.5, seed=7))
    again = Jira()
    again.add_project("PAY", "Payments")
    again.create("PAY", "Story", "Stored cards")
    other = Portfolio(jira=again, github=GitHub(), linear=Linear(), urls={})
    assert fates(await chances(other, receiver, drop=0.5, seed=7)) == dropped
    assert "dropped" in dropped


async def test_faults_may_be_changed_while_it_is_sent(sites, receiver):
    async with one_of(sites, receiver, "jira") as sender:
        sender.faults.drop = 1.0
        sites.jira.change(first(sites.jira), points=1.0)
        await asyncio.sleep(0)
        await sender.idle()
        sender.faults.drop = 0.0
        sites.jira.change(first(sites.jira), points=2.0)
    assert [one.fate for one in sender.ledger.deliveries] == ["dropped", "accepted"]


async def test_what_is_registered_meanwhile_is_told_from_then_on(receiver):
    async with running(TODAY) as portfolio, sending(portfolio) as sender:
        issue = next(iter(portfolio.jira.issues.values()))
        portfolio.jira.change(issue, points=13.0)
        await sender.idle()
        auth = (portfolio.jira.email, portfolio.jira.token)
        async with httpx.AsyncClient(base_url=portfolio.urls["jira"], auth=auth) as client:
            hook = {"name": "K", "url": receiver.urls["jira"], "secret": "demo-webhook-secret"}
            assert (await client.post("/rest/webhooks/1.0/webhook", json=hook)).status_code == 201
        portfolio.jira.change(issue, points=8.0)
        await sender.idle()
    assert len(receiver.got) == 1


def test_there_are_three_trackers(sites):
    with pytest.raises(KeyError, match="there are jira, github and linear"):
        register(sites, "asana", "http://127.0.0.1:1")


async def test_the_ledger_can_be_told_in_json(sites, receiver):
    ledger = await chances(sites, receiver, drop=0.3, forged=0.2)
    told = json.loads(json.dumps(ledger.document()))
    assert told["counts"]["jira"]["deliveries"] == 60
    assert told["counts"]["jira"]["accepted"] == told["counts"]["jira"]["acknowledged"]
    assert told["forged"]["acknowledged"] == 0
    assert told["deliveries"][0].keys() >= {"guid", "event", "fate", "attempts", "item"}
