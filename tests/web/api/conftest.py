"""The API over a small company whose numbers can be worked out by hand, without a network, on a store of each kind."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import httpx
import pytest

from app.web.access import Access
from app.web.app import application
from app.web.needs import Web
from config.workspace import load
from domain.okr import CheckIn
from domain.work import Transition
from storage import inbox, items, okrs, outbox, tokens
from storage.engine import Store
from sync.context import Context
from sync.mapping import compile_mapping
from sync.refresh import rebuild

TODAY = date(2026, 11, 18)
FILE = """\
version: 1
workspace: acme
timezone: Europe/Berlin
timeframes:
  2026-Q3: {start: 2026-07-01, end: 2026-09-30}
  2026-Q4: {start: 2026-10-01, end: 2026-12-31}
connections:
  jira:
    type: jira
    url: https://jira.test
    auth: {email: bot@example.com, token: "${env:TOKEN}"}
    scope: {projects: [PAY]}
objectives:
  - id: O1
    title: Checkout that nobody notices
    timeframe: 2026-Q4
    owner: ann@example.com
    key_results:
      - {id: KR1, title: Payments done}
      - {id: KR2, title: Signups, metric: {start: 0, target: 100}}
  - id: O2
    title: Faster support
    timeframe: 2026-Q4
    key_results:
      - {id: KR3, title: "=HYPERLINK(1)"}
  - id: O0
    title: The quarter before
    timeframe: 2026-Q3
    key_results:
      - {id: KR0, title: Done then}
initiatives:
  - id: I1
    title: One page of payment
    team: Payments
    contributes: [{to: KR1}]
    work: [{connection: jira, keys: [PAY-1]}]
  - id: I2
    title: Answers at once
    contributes: [{to: KR3}]
    work: [{connection: jira, keys: [PAY-20]}]
"""


@dataclass
class Api:
    """The API as a program with a token asks it; `reader` holds one that may only read."""

    client: httpx.AsyncClient
    reader: httpx.AsyncClient
    store: Store
    context: Context
    clock: object

    async def get(self, path, **said):
        """Ask, and return the document."""
        answer = await self.client.get(f"/api/v1/{path}", **said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def all(self, path, **params):
        """Return all records of a list, a page of two at a time."""
        found, cursor = [], None
        while True:
            doc = await self.get(path, params={**params, "limit": 2, **({"cursor": cursor} if cursor else {})})
            assert len(doc["records"]) <= 2
            found += doc["records"]
            cursor = doc["next"]
            if cursor is None:
                return found


@pytest.fixture
def company(tmp_path):
    """The workspace file, loaded."""
    path = tmp_path / "keyrail.yaml"
    path.write_text(FILE, encoding="utf-8")
    return load(path, {"TOKEN": "of the tracker"})


@pytest.fixture
def fill(company, item, clock):
    """Return what fills a store with the company's work."""

    async def filled(store):
        now = clock()
        context = Context(store=store, workspace=company, mapper=compile_mapping(company), now=clock)
        epic = {"level": "epic", "title": "Pay in one page"}
        work = [
            item("1", **epic),
            *(item(str(n), parent_id="1", category="done" if n < 5 else "todo", estimate=n) for n in range(2, 8)),
            item("20", level="epic", title='<script>alert("x")</script>'),
            item("21", parent_id="20", category="in_progress"),
            item("30", title="100%_of it", labels=("=cmd",), team="Support"),
        ]
        async with store.write() as tx:
            await items.upsert(tx, [items.row_of(one, (), {}, now, context.zone) for one in work])
            steps = [
                Transition(connection="jira", item_id=id_, id=str(n), at=now - timedelta(days=n), field="status",
                           before="To Do", after="Done", before_id="1", after_id="2")
                for id_ in ("2", "3") for n in (1, 2)
            ]  # fmt: skip
            await items.add_transitions(tx, steps)
            for value, days in ((10.0, 20), (25.0, 6)):
                at = now - timedelta(days=days)
                await okrs.add_check_in(
                    tx, CheckIn(key_result="KR2", as_of=at, value=value, recorded_at=at, by="ann", note="by hand")
                )
            for n in range(3):
                await inbox.put(
                    tx, connection="jira", delivery_id=f"d{n}", kind="webhook", event="jira:issue_updated",
                    read_at=now, body=inbox.pack(b"{}"), items=1,
                )  # fmt: skip
            place = outbox.Place(target="jira-links", kind="initiative", subject="I1", address="PAY-1")
            due = outbox.Due(
                place=place, content={"text": "On track"}, fingerprint="f", action="update", reason="moved",
                first_due_at=now,
            )  # fmt: skip
            await outbox.put(tx, due, now)
            await rebuild(tx, context)
        return context

    return filled


@pytest.fixture
async def api(store, fill, clock):
    """The API over a store that is filled, on each kind of database."""
    context = await fill(store)
    async with store.write() as tx:
        said = {"by": "root", "now": clock(), "expires_at": None}
        _, write = await tokens.create(tx, name="ann", role="write", **said)
        _, read = await tokens.create(tx, name="wall", role="read", **said)
    access = Access(store=store, now=clock)
    web = Web(
        version="0.1.0", workspace=lambda: context.workspace, arrivals=None, metrics=None, scrape=None,
        context=lambda: context, access=access, now=clock,
    )  # fmt: skip
    transport = httpx.ASGITransport(application(web))

    def client(secret):
        headers = {"authorization": f"Bearer {secret}"}
        return httpx.AsyncClient(transport=transport, base_url="http://keyrail.test", headers=headers)

    async with client(write) as writer, client(read) as reader:
        yield Api(client=writer, reader=reader, store=store, context=context, clock=clock)
        for task in list(access.noting):
            await task


@pytest.fixture
def now():
    return datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
