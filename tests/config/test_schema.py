"""The JSON Schema agrees with what is read: one declaration, two uses."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from config.grammar import ROOT
from config.schema import EDITOR_LINE, FILE, schema
from config.template import Answers, template

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").rglob("*.yaml"))
VALIDATOR = Draft202012Validator(schema())


def as_editors_see(text: str) -> object:
    """Parse YAML 1.2; dates are texts there."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {str(key): plain(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [plain(inner) for inner in value]
        return value.isoformat() if isinstance(value, date | datetime) else value

    return plain(YAML(typ="safe", pure=True).load(text))


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_the_examples_are_valid(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    VALIDATOR.validate(as_editors_see(text))
    assert text.startswith("# yaml-language-server: $schema=")


def test_the_generated_file_is_valid() -> None:
    text = template(Answers(name="acme", url="https://acme.atlassian.net", email="a@b.c", scope=["PAY"]))
    VALIDATOR.validate(as_editors_see(text))
    assert text.splitlines()[0] == EDITOR_LINE == f"# yaml-language-server: $schema=./{FILE}"


@pytest.mark.parametrize(
    "text",
    [
        "conections: {}",
        "objectives: [{id: O1, titel: x}]",
        "objectives: [{id: O1}]",
        "objectives: [{id: O1, title: x, key_results: [{id: K, title: t, metric: {knd: number}}]}]",
        "policies: {credit: binery}",
        "policies: {top_down: 3}",
        "version: 2\nworkspace: a",
        "version: 1",
        'connections: {j: {type: jira, url: x, scope: {projects: A}, auth: {pat: "literal"}}}',
        'connections: {j: {type: jira, url: x, scope: {projects: A}, auth: {pat: "${env:X}"}, epics: {}}}',
        "mapping: [{name: r, when: {label: x}, initiative: I}]",
        "mapping: [{name: r, when: {labels: {match: x}}, initiative: I}]",
        "mapping: [{name: r, when: {any: [{level: epics}]}, initiative: I}]",
        "initiatives: [{id: I, title: t, contributes: [{to: K, share: 0}]}]",
        "publish: [{id: p, to: {slak: x}}]",
        "timeframes: {Q: {start: 1 Jan, end: 2026-01-01}}",
    ],
)
def test_mistakes_are_refused(text: str) -> None:
    assert not VALIDATOR.is_valid(as_editors_see(text))


def undescribed(node: object, at: str = "") -> list[str]:
    """Return the places of properties of records that have no description."""
    found: list[str] = []
    if isinstance(node, dict):
        properties = node.get("properties")
        if isinstance(properties, dict) and node.get("additionalProperties") is False and "$defs" not in at:
            found += [f"{at}.{name}" for name, each in properties.items() if "description" not in each]
        for name, each in node.items():
            found += undescribed(each, f"{at}.{name}")
    elif isinstance(node, list):
        for each in node:
            found += undescribed(each, at)
    return found


def test_every_key_says_what_it_is_for() -> None:
    places = [place for place in undescribed(schema()) if ".to.anyOf" not in place]
    assert places == []


def test_no_key_is_missing_from_the_schema() -> None:
    assert list(schema()["properties"]) == list(ROOT.keys)
