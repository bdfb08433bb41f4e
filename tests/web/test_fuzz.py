"""Whatever is sent: never a 5xx, nothing stored that is not genuine, and everything stored that is."""

import asyncio
from datetime import UTC, datetime

import httpx
import orjson
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from app.web.app import application
from app.web.metrics import Metrics
from app.web.needs import Web
from app.web.webhooks import LONGEST_ID, bounded
from connectors.signature import sign
from domain.workspace import Connection, Secret, Workspace

NOW = datetime(2026, 11, 16, 9, tzinfo=UTC)
SECRET = "of the tracker"
SIGNED = {"jira": ("x-hub-signature", "sha256="), "github": ("x-hub-signature-256", "sha256="),
          "linear": ("linear-signature", "")}  # fmt: skip
MEANT = (
    "x-hub-signature", "x-hub-signature-256", "linear-signature", "authorization", "x-github-event",
    "x-github-delivery", "linear-delivery", "linear-event", "linear-timestamp", "x-atlassian-webhook-identifier",
    "content-type", "content-length", "content-encoding", "transfer-encoding", "expect",
)  # fmt: skip
TELLING = (
    "", "sha256=", "sha1=00", "sha256=" + "0" * 64, "Bearer a.b.c", "JWT ..", "Bearer eyJhbGciOiJIUzI1NiJ9.e30.x",
    "application/json", "gzip", "identity", "9" * 20, "-1", "chunked", "100-continue",
    "application/x-www-form-urlencoded",
)  # fmt: skip

values = st.sampled_from(TELLING) | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=300)
heads = st.lists(
    st.tuples(st.sampled_from(MEANT) | st.from_regex(r"[a-z][a-z-]{0,9}", fullmatch=True), values), max_size=8
)
words = st.sampled_from(["type", "action", "data", "webhookTimestamp", "webhookEvent", "issue", "id", "team", "Issue",
                         "update", "identifier", "updatedFrom", "jira:issue_updated"])  # fmt: skip
tree = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | words | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=8), inner, max_size=6),
    max_leaves=12,
)
bodies = st.binary(max_size=400) | tree.map(orjson.dumps)


class Kept:
    """Remembers what it was given instead of storing it (`app.web.needs.Taker`)."""

    def __init__(self):
        self.arrivals = []

    async def put(self, arrival):
        self.arrivals.append(arrival)
        return True


def sent(tracker, said, body):
    """Send a body with headers that no client mends; return the status of the answer, and what was stored."""
    kept = Kept()
    connection = Connection(
        name=tracker, type=tracker, url="https://tracker.test", webhook_secret=Secret("env:SECRET", SECRET)
    )
    workspace = Workspace(name="acme", timezone="UTC", connections={tracker: connection})
    metrics = Metrics("0")
    web = Web(version="0", workspace=lambda: workspace, arrivals=kept, metrics=metrics, scrape=None, now=lambda: NOW)

    async def once():
        transport = httpx.ASGITransport(application(web))
        request = httpx.Request("POST", f"http://keyrail.test/webhooks/{tracker}", content=body)
        request.headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in said])
        response = await transport.handle_async_request(request)
        return response.status_code, await response.aread()

    status, _ = asyncio.run(once())
    return status, kept.arrivals


@settings(max_examples=300)
@given(tracker=st.sampled_from(sorted(SIGNED)), said=heads, body=bodies)
def test_what_is_not_signed_is_refused_and_never_stored(tracker, said, body):
    status, arrivals = sent(tracker, said, body)
    event(str(status))
    assert status in (401, 413, 415)
    assert arrivals == []


@settings(max_examples=300)
@given(tracker=st.sampled_from(sorted(SIGNED)), said=heads, body=bodies)
@example(tracker="linear", said=[], body=b'{"type":"Issue","action":"update","data":{"id":"1"},"webhookTimestamp":0}')
@example(tracker="linear", said=[], body=b'{"type":"Issue","action":"update","data":{},"webhookTimestamp":1e300}')
@example(tracker="github", said=[], body=b"[" * 5000)
def test_what_is_signed_is_accepted_whatever_it_says(tracker, said, body):
    name, prefix = SIGNED[tracker]
    others = [(head, value) for head, value in said if head != name]
    status, arrivals = sent(tracker, [*others, (name, sign(SECRET, body, prefix=prefix))], body)
    event(f"{status}, {len(arrivals)} stored")
    assert status in (200, 413, 415)
    if tracker == "linear":  # it must also say that it was sent just now; else what it names is kept, if anything
        assert {arrival.kind for arrival in arrivals} <= {"hint"}
    else:
        assert [(arrival.kind, arrival.body) for arrival in arrivals] == [("webhook", body)] * (status == 200)
    assert all(0 < len(arrival.delivery_id) <= LONGEST_ID for arrival in arrivals)


@given(st.text(max_size=2 * LONGEST_ID), st.text(max_size=2 * LONGEST_ID))
def test_ids_stay_apart_and_fit(one, other):
    assert (bounded(one) == bounded(other)) is (one == other)
    assert len(bounded(one)) <= LONGEST_ID
    assert bounded(one).isprintable()
