"""The simulated trackers in their own process, and what can be asked of them there."""

import asyncio
import json
import signal
import sys
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from app.web.server import serve
from config.workspace import load

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def alone():
    """What the process prints, and a client of its control endpoint."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "app.demo.alone", "--today", "2026-11-16", "--scale", "0.00001",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, limit=2**20,
    )  # fmt: skip
    try:
        told = json.loads(await process.stdout.readline())
        async with httpx.AsyncClient(base_url=told["control"], timeout=30) as client:
            yield told, client
    finally:
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


@pytest.fixture
async def receiver():
    got = []

    async def take(request):
        got.append(await request.body())
        return Response(status_code=503 if len(got) <= 3 else 200)

    async with serve(Starlette(routes=[Route("/{tracker}", take, methods=["POST"])])) as url:
        yield url, got


async def test_a_storm_and_its_webhooks_from_another_process(alone, receiver):
    told, control = alone
    url, got = receiver
    hooks = {tracker: f"{url}/{tracker}" for tracker in told["urls"]}
    assert (await control.post("/hooks", json=hooks)).json() == {}
    assert (await control.post("/faults", json={"sending": {"duplicate": 0.2, "seed": 4}})).status_code == 200
    done = (await control.post("/storm", json={"steps": 60, "seed": 3})).json()["done"]
    assert len(done) == 60
    assert (await control.post("/idle")).json() == {"idle": True}
    ledger = (await control.get("/ledger")).json()
    counts = ledger["counts"]
    assert set(counts) == {"jira", "github", "linear"}
    assert sum(of["attempts"] for of in counts.values()) == len(got)
    assert len(got) > len(ledger["deliveries"]) == sum(of["deliveries"] for of in counts.values())
    assert "deliveries" not in (await control.get("/ledger?brief=1")).json()


async def test_faults_are_set_and_taken_back(alone):
    told, control = alone
    async with httpx.AsyncClient(base_url=told["urls"]["jira"]) as jira:
        await control.post("/faults", json={"jira": {"down": "unavailable"}})
        assert (await jira.get("/rest/api/3/serverInfo")).status_code == 503
        await control.post("/faults", json={"jira": {"down": "", "add": {"kind": "unavailable"}}})
        assert [(await jira.get("/rest/api/3/serverInfo")).status_code for _ in range(2)] == [502, 200]
    assert (await control.post("/faults", json={"github": {"sso_required": ["acme"]}})).status_code == 200
    assert (await control.post("/reveal")).json() == {}


async def test_one_thing_can_be_asked_for(alone):
    _, control = alone
    (done,) = (await control.post("/deed", json={"tracker": "linear", "deed": "trash", "seed": 1})).json()["done"]
    assert done.startswith("linear: trash ")


@pytest.mark.parametrize(
    ("path", "asked", "words"),
    [
        ("/deed", {"tracker": "asana", "deed": "x"}, "There is no tracker 'asana'; there are jira, github, linear."),
        ("/deed", {"tracker": "jira", "deed": "burn"}, "There is no deed 'burn'; there are work, status,"),
        ("/deed", {"tracker": "jira"}, "missing: 'deed'"),
        ("/hooks", {"asana": "http://127.0.0.1:1"}, "There is no tracker 'asana'"),
        ("/faults", {"jira": {"dwn": "reset"}}, "There is no switch 'dwn'; there are changelog_epoch,"),
        ("/faults", {"sending": {"add": {}}}, "There is no switch 'add'; there are delay,"),
        ("/faults", {"jira": {"add": {"kid": "cut"}}}, "'kind'"),
        ("/storm", {}, "missing: 'steps'"),
    ],
)
async def test_what_cannot_be_is_told_with_what_can(alone, path, asked, words):
    _, control = alone
    answer = await control.post(path, json=asked)
    assert answer.status_code == 400
    assert words in answer.json()["error"]


async def test_the_workspace_file_that_it_prints_can_be_loaded(alone, tmp_path):
    told, _ = alone
    file = tmp_path / "keyrail.yaml"
    file.write_text(told["workspace"])
    assert len(load(file, told["environ"]).connections) == 3
