"""What we would write to Jira, against Atlassian's own description of it."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft4Validator

from connectors.base import Reading, Spot
from connectors.jira.outlets import OUTLETS
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import PublishRow

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "schemas" / "jira-cloud-v3.openapi.json"

pytestmark = pytest.mark.skipif(not _TOLD and not SCHEMA.exists(), reason="no shared schemas beside the repository")

KEY = "keyrail:acme:jira-badge:key_result:KR1"
ROW = PublishRow(id="jira-badge", outlet="jira.remote_link", connection="jira-main")
CLOUD = Reading(facts={"api": "/rest/api/3"}, account="a", digest="d")
LINK = OUTLETS["remote_link"]
SPOT = Spot(row=ROW, address="10000", key=KEY, reading=CLOUD)


def plain(node: Any) -> Any:
    """OpenAPI 3.0 -> JSON Schema, objects closed: a misspelt key must not pass because the object is open."""
    if isinstance(node, list):
        return [plain(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: plain(value) for key, value in node.items() if key not in ("example", "examples")}
    if out.get("additionalProperties") is True and "properties" in out:
        out["additionalProperties"] = False
    if out.pop("nullable", None) is True and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return json.loads(SCHEMA.read_bytes())


def operation(described: dict[str, Any], method: str) -> dict[str, Any]:
    found = described["paths"]["/rest/api/3/issue/{issueIdOrKey}/remotelink"][method.lower()]
    assert found.get("deprecated") is not True
    return found


def update(health: Health, progress: float | None, url: str | None) -> StatusUpdate:
    return StatusUpdate(
        workspace="acme",
        kind="key_result",
        id="KR1",
        title="Checkout conversion",
        progress=progress,
        state="ok" if progress is not None else "no_data",
        health=health,
        url=url,
    )


@pytest.mark.parametrize("health", list(Health))
@pytest.mark.parametrize(("progress", "url"), [(0.62, "https://keyrail.acme.example/k/KR1"), (None, None)])
def test_the_body_of_a_remote_link_is_as_described(described, health, progress, url):
    call = LINK.render(LINK.content(update(health, progress, url), ROW), SPOT)
    body = operation(described, call.method)["requestBody"]["content"]["application/json"]["schema"]
    document = plain(described)
    errors = list(Draft4Validator({**plain(body), "components": document["components"]}).iter_errors(call.json))
    assert errors == []
    assert isinstance(call.json, dict)
    known = document["components"]["schemas"]["RemoteIssueLinkRequest"]["properties"]
    assert set(call.json) == set(known)
    assert set(call.json["object"]) == set(document["components"]["schemas"]["RemoteObject"]["properties"])


def test_a_misspelt_key_would_be_found(described):
    document = plain(described)
    check = Draft4Validator(
        {"$ref": "#/components/schemas/RemoteIssueLinkRequest", "components": document["components"]}
    )
    body = LINK.render(LINK.content(update(Health.ON_TRACK, 0.5, None), ROW), SPOT).json
    assert check.is_valid(body)
    assert not check.is_valid({**body, "globalID": "x"})


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_reading_and_removing_use_the_parameters_that_are_described(described, method):
    call = (LINK.read if method == "GET" else LINK.remove)(SPOT)
    assert call.method == method
    assert call.path == "/rest/api/3/issue/10000/remotelink"
    in_query = {p["name"] for p in operation(described, method)["parameters"] if p["in"] == "query"}
    assert set(call.params) <= in_query


# --- properties, fields, comments


FACTS = {"field": "customfield_10050", "takes": "number"}
ISSUE = "/rest/api/3/issue/{issueIdOrKey}"
PATHS = {"property": f"{ISSUE}/properties/{{propertyKey}}", "field": ISSUE, "comment": f"{ISSUE}/comment/{{id}}"}


@pytest.mark.parametrize("kind", PATHS)
@pytest.mark.parametrize("text", [None, "Two lines\n\nout of a template"])
def test_every_other_call_is_as_described(described, kind, text):
    outlet, document = OUTLETS[kind], plain(described)
    row = PublishRow(id="row", outlet=f"jira.{kind}", connection="jira-main", to={"value": "progress"})
    told = replace(update(Health.AT_RISK, 0.62, "https://keyrail.acme.example/k/KR1"), text=text)
    new = replace(SPOT, row=row, facts=FACTS)
    known = replace(new, id="7")
    content = outlet.content(told, row)
    calls = [outlet.read(new), outlet.read(known), outlet.render(content, new), outlet.render(content, known)]
    for call in [*calls, outlet.remove(known)]:
        path = PATHS[kind] if kind != "comment" or call.path.endswith("/7") else f"{ISSUE}/comment"
        found = described["paths"][path][call.method.lower()]
        assert found.get("deprecated") is not True
        assert set(call.params) <= {one["name"] for one in found["parameters"] if one["in"] == "query"}
        assert (call.json is not None) is ("requestBody" in found)
        if call.json is not None:
            body = plain(found["requestBody"]["content"]["application/json"]["schema"])
            check = Draft4Validator({**body, "components": document["components"]})
            assert list(check.iter_errors(call.json)) == []


def test_a_document_of_ours_holds_what_the_description_of_documents_knows(described):
    """The description takes any body; nodes and marks are those of Atlassian's document format, with what they need."""
    told = replace(update(Health.AT_RISK, 0.62, "https://x.example/k"), summary="a", drivers=("b",), changed=("c",))
    needs = {"doc": {"version", "content"}, "paragraph": {"content"}, "bulletList": {"content"},
             "listItem": {"content"}, "text": {"text"}}  # fmt: skip

    def look(node):
        assert needs[node["type"]] <= set(node) <= needs[node["type"]] | {"type", "marks"}
        assert node.get("text", "x") != ""
        for mark in node.get("marks", ()):
            assert mark in (
                {"type": "strong"},
                {"type": "em"},
                {"type": "link", "attrs": {"href": "https://x.example/k"}},
            )
        for child in node.get("content", ()):
            look(child)

    look(OUTLETS["comment"].render(OUTLETS["comment"].content(told, ROW), SPOT).json["body"])
