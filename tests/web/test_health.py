"""Whether the service is alive and ready, and its numbers, which the documentation must name."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from app.web.health import PATIENCE
from app.web.metrics import STORED, Metrics, outcome
from connectors.ratelimit import QUIET, Signal
from domain.errors import StorageError
from storage import checkpoints
from storage.outbox import Due, Place, enqueue, fail
from storage.setbacks import Failed, save

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"


class Counted:
    """Jobs that are counted (`sync.jobs.Jobs`)."""

    async def ask(self, job, key, *, id):
        raise StorageError("Nothing is asked of these.")

    async def counts(self):
        return {"enqueued": 3, "pending": 1, "error": 0}

    async def prune(self, before):
        return 0


async def test_alive_and_ready(site):
    alive = await site.client.get("/healthz")
    assert (alive.status_code, alive.json()) == (200, {"status": "ok", "version": "0.1.0"})
    ready = await site.client.get("/readyz")
    assert (ready.status_code, ready.json()) == (
        200, {"status": "ready", "checks": {"database": "ok", "migrations": "ok"}},
    )  # fmt: skip


async def test_a_database_that_needs_an_upgrade_is_not_ready_and_what_to_do_is_said(site):
    async with site.store.write() as tx:
        await tx.execute(text("update alembic_version set version_num = '0001'"))
    answer = await site.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert answer.json()["checks"]["database"] == "ok"
    assert "keyrail db upgrade" in answer.json()["checks"]["migrations"]
    assert (await site.client.get("/healthz")).status_code == 200


async def test_the_store_in_numbers(open_site, database_url, webhooks):
    async with open_site(database_url, Counted()) as site:
        earlier = site.now - timedelta(minutes=2)
        place = Place(target="badge", kind="initiative", subject="I1", address="1")
        due = Due(place=place, content={}, fingerprint="f", action="update", reason="new", first_due_at=earlier)
        census = {"at": earlier, "missing": 2, "absent": 1}
        async with site.store.write() as tx:
            await checkpoints.save(tx, "jira", "complete_to", earlier)
            await checkpoints.save(tx, "jira", "census", census)
            await enqueue(tx, due)
            await fail(tx, place, "refused", final=True)
            await save(tx, Failed(job="pull", key="jira", attempts=4, error="no", retry_at=earlier))
            await save(tx, Failed(job="pull", key="linear", attempts=1, error="", retry_at=earlier))
        await site.post("github", webhooks["github"][0])
        site.now += timedelta(seconds=30)
        numbers = await site.numbers()
    assert {name: value for name, value in numbers.items() if name.partition("{")[0] in STORED} == {
        "keyrail_database_up": 1,
        'keyrail_connection_lag_seconds{connection="jira"}': 150,
        'keyrail_census_timestamp_seconds{connection="jira"}': earlier.timestamp(),
        'keyrail_census_gaps{connection="jira",kind="missing"}': 2,
        'keyrail_census_gaps{connection="jira",kind="absent"}': 1,
        'keyrail_inbox_deliveries{connection="github",state="new"}': 1,
        'keyrail_inbox_oldest_seconds{connection="github"}': 30,
        'keyrail_outbox_updates{state="due"}': 0,
        'keyrail_outbox_updates{state="failed"}': 1,
        "keyrail_dirty_rows": 0,
        'keyrail_job_failures{job="pull",key="jira"}': 4,
        'keyrail_jobs{state="enqueued"}': 3,
        'keyrail_jobs{state="pending"}': 1,
        'keyrail_jobs{state="error"}': 0,
    }


async def test_webhooks_are_counted_by_connection_and_answer_and_strangers_make_no_names(site, webhooks):
    signed, _ = webhooks["github"]
    await site.post("github", signed)
    await site.post("github", signed)
    await site.post("jira", signed)
    for stranger in ("a", "b", "c"):
        await site.post(stranger, signed)
    numbers = await site.numbers()
    counted = {name: value for name, value in numbers.items() if name.startswith("keyrail_webhooks_total")}
    assert counted == {
        'keyrail_webhooks_total{code="200",connection="github"}': 2,
        'keyrail_webhooks_total{code="401",connection="jira"}': 1,
        'keyrail_webhooks_total{code="404",connection="unknown"}': 3,
    }
    assert numbers["keyrail_webhook_duration_seconds_count"] == 6


async def test_calls_jobs_and_the_file_in_numbers(site):
    site.metrics.answered("jira", 200, 0.2, Signal(limit=100, remaining=25))
    site.metrics.answered("github", 200, 0.2, Signal(limit=5000, remaining=5000, pool="graphql"))
    site.metrics.answered("github", None, 10.0, QUIET)
    site.metrics.job("sums", 0.4, ok=True)
    site.metrics.job("publish", 3.0, ok=False)
    site.metrics.workspace(site.now)
    site.metrics.workspace(None)
    numbers = await site.numbers()
    assert numbers['keyrail_tracker_rate_limit_left_ratio{connection="jira",window="all"}'] == 0.25
    assert numbers['keyrail_tracker_rate_limit_left_ratio{connection="github",window="graphql"}'] == 1
    assert numbers['keyrail_tracker_requests_total{connection="github",outcome="unanswered"}'] == 1
    assert numbers['keyrail_tracker_request_duration_seconds_count{connection="github"}'] == 2
    assert numbers['keyrail_job_duration_seconds_sum{job="sums",outcome="ok"}'] == 0.4
    assert numbers['keyrail_job_duration_seconds_count{job="publish",outcome="failed"}'] == 1
    assert numbers["keyrail_workspace_ok"] == 0
    assert numbers["keyrail_workspace_loaded_timestamp_seconds"] == site.now.timestamp()
    assert numbers['keyrail_build_info{version="0.1.0"}'] == 1


@pytest.mark.parametrize(
    ("status", "limited", "word"),
    [(200, False, "ok"), (304, False, "ok"), (200, True, "limited"), (429, True, "limited"), (404, False, "refused"),
     (502, False, "failed"), (None, False, "unanswered")],
)  # fmt: skip
def test_what_becomes_of_a_call_in_a_word(status, limited, word):
    assert outcome(status, Signal(limited=limited)) == word


async def test_the_text_is_what_prometheus_reads(site):
    answer = await site.client.get("/metrics", headers={"accept": "application/openmetrics-text; version=nonsense"})
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    named = {one.name for one in text_string_to_metric_families(answer.text)}
    assert set(STORED) <= named


def test_every_metric_is_described_and_no_other():
    """The table of `docs/operating.md` has a line for each name, as Prometheus knows it, with its labels."""
    there = {}
    for one in Metrics("0.1.0").registry.collect():
        name = {"counter": f"{one.name}_total", "info": f"{one.name}_info"}.get(one.type, one.name)
        there[name] = set()
    there |= {name: set(labels) for name, (_, labels) in STORED.items()}
    described = dict(re.findall(r"^\| `(keyrail_\w+)` \|([^|]*)\|", OPERATING.read_text(encoding="utf-8"), re.M))
    assert set(described) == set(there)
    for name in STORED:
        assert set(re.findall(r"`(\w+)`", described[name])) == there[name]


def test_a_check_ends_before_a_probe_gives_up():
    assert PATIENCE <= 5
