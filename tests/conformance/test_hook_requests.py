"""What we ask of Jira and GitHub about webhooks, and what we read in their answers, against their own descriptions.

An administrator's webhooks in Jira and organizations' in GitHub are in no description: their bodies are those of a
repository's where the documentation says so, and no more is said of them here.
"""

import json
import os
import re
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import orjson
import pytest
from jsonschema import Draft4Validator

from connectors.base import Answer, Call
from connectors.github import hooks as github
from connectors.hooks import Failed, Hook, Place, Receiver
from connectors.jira import hooks as jira

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
SCHEMAS = SHARED / "schemas"

pytestmark = pytest.mark.skipif(not _TOLD and not SCHEMAS.exists(), reason="no shared schemas beside the repository")

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
RECEIVER = Receiver(url="https://keyrail.acme.example/webhooks/x", secret="s3cret", source="variable X", name="Keyrail")
HOOK = Hook(id="12", url=RECEIVER.url, events=("label",))
REPOSITORY = Place(name="acme/api", path="/repos/acme/api/hooks", events=tuple(github.EVENTS))
APP = Place(name="the GitHub App", path="/app/hook", events=tuple(github.EVENTS), alone=True)
DYNAMIC = Place(
    name="the OAuth app", path=jira.DYNAMIC, events=(*jira.EVENTS, *jira.AROUND), filter='project in ("PAY")'
)


@cache
def described(name: str) -> dict[str, Any]:
    """Return a description with OpenAPI 3.0 turned into JSON Schema and objects with properties closed."""

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(item) for item in node]
        if not isinstance(node, dict):
            return node
        out = {key: plain(value) for key, value in node.items() if key not in ("example", "examples")}
        if isinstance(out.get("properties"), dict) and "additionalProperties" not in out:
            out["additionalProperties"] = False
        if out.pop("nullable", None) is True and isinstance(out.get("type"), str):
            out["type"] = [out["type"], "null"]
        return out

    return plain(json.loads((SCHEMAS / name).read_bytes()))


def faults(name: str, call: Call) -> list[str]:
    """Return what about a call is not as described: its path, its parameters, its body."""
    told = described(name)
    fitting = [path for path in told["paths"] if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", path), call.path)]
    # A literal path wins over one with a variable.
    path = min(fitting, key=lambda path: path.count("{"), default=None)
    if path is None or call.method.lower() not in told["paths"][path]:
        return [f"{call.method} {call.path} is not described"]
    operation = told["paths"][path][call.method.lower()]
    found = ["deprecated"] if operation.get("deprecated") else []
    known = {one["name"] for one in (resolved(told, one) for one in operation.get("parameters", ()))}
    found += [f"unknown parameter {key}" for key in call.params if key not in known]
    content = operation.get("requestBody", {}).get("content", {})
    if call.json is None:
        return found + (["no body"] if operation.get("requestBody", {}).get("required") else [])
    if "application/json" not in content:
        return [*found, "an unwanted body"]
    schema = {**content["application/json"]["schema"], "components": told["components"]}
    return found + [error.message for error in Draft4Validator(schema).iter_errors(call.json)]


def resolved(told: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found: Any = told
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def answer(body: Any, **headers: str) -> Answer:
    return Answer(status=200, headers=headers, body=orjson.dumps(body), sent_at=NOW)


def asked(read: Any, place: Place, *answers: Answer) -> Call:
    call = read(place, answers)
    assert isinstance(call, Call)
    return call


def row(number: int, *, code: int = 200, at: datetime = NOW) -> dict[str, Any]:
    return {"id": number, "guid": f"g-{number}", "delivered_at": at.isoformat(), "status_code": code}


def calls_to_github() -> list[Call]:
    full = answer([{"id": number, "config": {}} for number in range(github.PAGE)])
    more = answer([row(1, code=503)], link='<https://api.github.com/x?per_page=100&cursor=v1_8>; rel="next"')
    told = github.undelivered(REPOSITORY, HOOK, (answer([row(1, code=503)]),), NOW - timedelta(days=3))
    of_app = github.undelivered(APP, HOOK, (answer([row(1, code=503)]),), NOW - timedelta(days=3))
    assert isinstance(told, list)
    assert isinstance(of_app, list)
    found = [
        asked(github.standing, REPOSITORY),
        asked(github.standing, REPOSITORY, full),
        asked(github.standing, APP, answer({"id": 1, "events": []})),
        github.write(REPOSITORY, None, RECEIVER),
        github.write(REPOSITORY, HOOK, RECEIVER),
        github.write(APP, None, RECEIVER),
        github.delete(REPOSITORY, HOOK),
        github.undelivered(REPOSITORY, HOOK, (), NOW),
        github.undelivered(REPOSITORY, HOOK, (more,), NOW - timedelta(days=3)),
        github.undelivered(APP, HOOK, (), NOW),
        *(one.again for one in (*told, *of_app)),
    ]
    return [call for call in found if isinstance(call, Call)]


def test_what_github_is_asked_is_as_described():
    calls = calls_to_github()
    assert len(calls) == 12
    assert [(call.path, fault) for call in calls for fault in faults("github-rest-subset.openapi.json", call)] == []


def test_what_jira_is_asked_about_dynamic_webhooks_is_as_described():
    page = answer({"values": [{"id": 1}], "isLast": False})
    calls = [
        asked(jira.standing, DYNAMIC),
        asked(jira.standing, DYNAMIC, page),
        jira.write(DYNAMIC, None, RECEIVER),
        jira.delete(DYNAMIC, HOOK),
        jira.extend(DYNAMIC, [HOOK]),
    ]
    for call in calls:
        assert call is not None
        assert faults("jira-cloud-v3.openapi.json", call) == []
    assert jira.write(DYNAMIC, HOOK, RECEIVER) is None


@pytest.mark.parametrize(
    ("path", "change"),
    [("/repos/acme/api/hooks", {"event": []}), ("/repos/acme/api/hook", {}), ("/repos/acme/api/hooks", {"events": 1})],
)
def test_what_is_not_described_would_be_found(path, change):
    call = Call(method="POST", path=path, json={"name": "web", **change})
    assert faults("github-rest-subset.openapi.json", call)


def test_the_end_of_a_dynamic_webhook_is_read_as_the_schema_and_as_the_examples_have_it():
    raw = json.loads((SCHEMAS / "jira-cloud-v3.openapi.json").read_bytes())
    told = raw["paths"]["/rest/api/3/webhook"]["get"]["responses"]["200"]["content"]["application/json"]["example"]
    example = orjson.loads(told)
    found = jira.standing(DYNAMIC, (answer(example),))
    assert isinstance(found, list)
    assert {hook.expires_at for hook in found} == {datetime(2019, 6, 1, 12, 42, 30, tzinfo=UTC)}
    assert [(hook.id, hook.filter) for hook in found][:2] == [("10000", "project = PRJ"), ("10001", "issuetype = Bug")]
    example["values"][0]["expirationDate"] = 1_559_392_950_000
    found = jira.standing(DYNAMIC, (answer(example),))
    assert isinstance(found, list)
    assert found[0].expires_at == datetime(2019, 6, 1, 12, 42, 30, tzinfo=UTC)


def test_events_are_those_that_github_has():
    known = json.loads((SCHEMAS / "github-webhooks.schema.json").read_bytes())
    text = json.dumps(known)
    for event in github.TITLES:
        assert event.replace("_", "-") in text or event in text, event


def test_only_failed_deliveries_are_had_again():
    rows = [row(4, code=200), row(3, code=504), row(2, code=200), {**row(1, code=500), "guid": "g-2"}]
    found = github.undelivered(REPOSITORY, HOOK, (answer(rows),), NOW - timedelta(days=3))
    assert isinstance(found, list)
    assert [(one.id, one.again.path) for one in found if isinstance(one, Failed)] == [
        ("g-3", "/repos/acme/api/hooks/12/deliveries/3/attempts")
    ]
