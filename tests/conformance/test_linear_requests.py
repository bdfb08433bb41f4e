"""What we send to Linear, against Linear's own schema: documents, variables, and what its server checks beside it."""

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLError,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    extend_schema,
    get_named_type,
    is_leaf_type,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values
from graphql.language import BooleanValueNode, IntValueNode
from graphql.validation import NoDeprecatedCustomRule

from app.demo.linear import application
from app.demo.linear_model import Initiative, Issue, Project
from app.demo.linear_site import Site
from connectors.base import Answer, Call, Reading, Spot
from connectors.graphql import request
from connectors.hooks import Hook, Place, Receiver
from connectors.http import open_client
from connectors.linear import CONNECTOR, DIALECT, access, hooks, queries
from connectors.linear.outlets import attachment, prepare
from connectors.linear.outlets import update as of_period
from domain.facts import StatusUpdate
from domain.okr import Health
from domain.workspace import Connection, PublishRow, Secret

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "schemas" / "linear.graphql"

pytestmark = pytest.mark.skipif(not _TOLD and not SCHEMA.exists(), reason="no shared schemas beside the repository")

MOST_ROWS, MOST_POINTS = 250, 10_000
NOT_OURS = ("[internal]", "[alpha]", "[deprecated]")
NEWER = "extend type Project { identifier: String! previousIdentifiers: [String!]! }"
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)


def written(module: object) -> dict[str, str]:
    texts = {name: text for name, text in vars(module).items() if name.isupper() and isinstance(text, str)}
    return {name: text for name, text in texts.items() if text.startswith(("query ", "mutation "))}


LISTS = [*queries.NESTED, ("issues", "history")]
PUBLISHING = {**written(attachment), **written(of_period), **written(prepare)}
DOCUMENTS = {
    **written(queries),
    **PUBLISHING,
    **written(hooks),
    **{f"LABELS_BY_ID {field}": text for field, text in queries.LABELS_BY_ID.items()},
    **{f"REST {field} {name}": queries.rest_document(field, name) for field, name in LISTS},
    **{
        f"PROJECTS initiatives={linked} by_id={by_id}": queries.projects_document((), initiatives=linked, by_id=by_id)
        for linked in (True, False)
        for by_id in (True, False)
    },
}
OPTIONAL = {
    f"PROJECTS with {' '.join(queries.OPTIONAL['Project'])} by_id={by_id}": queries.projects_document(
        queries.OPTIONAL["Project"], initiatives=True, by_id=by_id
    )
    for by_id in (True, False)
}


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return build_schema(SCHEMA.read_text("utf-8"))


@pytest.fixture(scope="module")
def newer(schema: GraphQLSchema) -> GraphQLSchema:
    return extend_schema(schema, parse(NEWER))


class Manners(Visitor):
    """What Linear's server checks and its schema does not say, and what we keep our hands off."""

    def __init__(self, info: TypeInfo) -> None:
        super().__init__()
        self.info = info
        self.found: list[str] = []

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        known, name = self.info.get_field_def(), node.name.value
        if known is None or name.startswith("__"):
            return
        self.keep_off(name, known.description)
        given = {one.name.value: one.value for one in node.arguments or ()}
        if "sort" in given:
            self.found.append(f"{name}: sort")
        if "first" in known.args:
            first = given.get("first")
            if not isinstance(first, IntValueNode) or not 1 <= int(first.value) <= MOST_ROWS:
                self.found.append(f"{name}: first")
        if "includeArchived" in known.args:
            archived = given.get("includeArchived")
            if not isinstance(archived, BooleanValueNode) or not archived.value:
                self.found.append(f"{name}: includeArchived")

    def enter_argument(self, node: Any, *_: Any) -> None:
        known = self.info.get_argument()
        self.keep_off(node.name.value, known.description if known else None)

    def enter_object_field(self, node: Any, *_: Any) -> None:
        known = getattr(get_named_type(self.info.get_parent_input_type()), "fields", {}).get(node.name.value)
        self.keep_off(node.name.value, known.description if known else None)

    def keep_off(self, name: str, description: str | None) -> None:
        if (description or "").lower().startswith(NOT_OURS):
            self.found.append(f"{name}: not for us")


def bad_manners(schema: GraphQLSchema, document: DocumentNode) -> list[str]:
    info = TypeInfo(schema)
    manners = Manners(info)
    visit(document, TypeInfoVisitor(info, manners))
    return manners.found


def points(schema: GraphQLSchema, document: DocumentNode) -> float:
    """Return a document's complexity read as dearly as the formula allows: `pageInfo` is multiplied too."""
    operation = operation_of(document)
    return cost(schema, operation.selection_set, schema.get_root_type(operation.operation))


def cost(schema: GraphQLSchema, selections: SelectionSetNode, kind: Any) -> float:
    total = 0.0
    for one in selections.selections:
        if isinstance(one, InlineFragmentNode):
            assert one.type_condition is not None
            total += cost(schema, one.selection_set, schema.get_type(one.type_condition.name.value))
            continue
        assert isinstance(one, FieldNode)
        known = kind.fields.get(one.name.value)
        inner = get_named_type(known.type) if known else None
        if one.selection_set is None or inner is None or is_leaf_type(inner):
            total += 0.1
            continue
        first = [arg.value for arg in one.arguments or () if arg.name.value == "first"]
        times = int(first[0].value) if first and isinstance(first[0], IntValueNode) else 1
        total += 1 + times * cost(schema, one.selection_set, inner)
    return total


def operation_of(document: DocumentNode) -> OperationDefinitionNode:
    (operation,) = document.definitions
    assert isinstance(operation, OperationDefinitionNode)
    return operation


def faults(schema: GraphQLSchema, text: str) -> list[str]:
    document = parse(text)
    errors: list[GraphQLError] = validate(schema, document, [*specified_rules, NoDeprecatedCustomRule])
    return [error.message for error in errors] + bad_manners(schema, document)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_as_the_schema_says(schema, name):
    assert faults(schema, DOCUMENTS[name]) == []


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_document_is_within_the_limit_of_complexity(schema, name):
    assert points(schema, parse(DOCUMENTS[name])) <= MOST_POINTS


@pytest.mark.parametrize("name", OPTIONAL)
def test_optional_fields_are_those_of_newer_schemas(schema, newer, name):
    assert faults(newer, OPTIONAL[name]) == []
    assert points(newer, parse(OPTIONAL[name])) <= MOST_POINTS
    assert len(faults(schema, OPTIONAL[name])) == len(queries.OPTIONAL["Project"])


def test_the_points_of_an_issue_are_stated_as_they_are(schema):
    whole = points(schema, parse(queries.ISSUES_IN_WINDOW))
    assert queries.ISSUE_POINTS - 1 < whole / queries.PAGE <= queries.ISSUE_POINTS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{ initiatives(first: 1, includeArchived: true) { nodes { progress } } }", "Cannot query field 'progress'"),
        ("{ projects(first: 1, includeArchived: true) { nodes { state } } }", "is deprecated"),
        ("{ issues(first: 251, includeArchived: true) { nodes { id } } }", "issues: first"),
        ("{ issues(includeArchived: true) { nodes { id } } }", "issues: first"),
        ("{ issues(first: 1) { nodes { id } } }", "issues: includeArchived"),
        ("query ($a: Boolean) { issues(first: 1, includeArchived: $a) { nodes { id } } }", "issues: includeArchived"),
        ("{ issues(first: 1, includeArchived: true, sort: []) { nodes { id } } }", "issues: sort"),
        ("{ initiatives(first: 1, includeArchived: true) { nodes { canceledAt } } }", "canceledAt: not for us"),
        (
            "{ issues(first: 1, includeArchived: true, filter: { leadTime: { null: true } }) { nodes { id } } }",
            "leadTime: not for us",
        ),
    ],
)
def test_what_must_not_be_sent_would_be_found(schema, text, found):
    assert any(found in one for one in faults(schema, text))


def test_a_document_that_costs_too_much_would_be_found(schema):
    text = (
        "{ issues(first: 250, includeArchived: true) "
        "{ nodes { history(first: 50, includeArchived: true) { nodes { id } } } } }"
    )
    assert points(schema, parse(text)) > MOST_POINTS


# --- variables


@pytest.fixture(scope="module")
def sent() -> list[tuple[str, dict[str, Any]]]:
    """Send every document once with what a whole road of a small workspace gives it; return text and variables."""
    site = Site(clock=lambda: NOW)
    team = site.add_team("ENG", "Engineering")
    project = site.add_project("Pay", [team, *(site.add_team(f"T{n}", f"Team {n}") for n in range(5))])
    for number in range(5):
        site.link_project(site.add_initiative(f"Initiative {number}"), project)
    issue, *others = [site.create(team, f"Issue {n}", at=NOW - timedelta(days=9)) for n in range(8)]
    for other in others:
        site.relate(other, "blocks", issue)
    for number in range(40):
        site.change(issue, at=NOW - timedelta(hours=number + 1), estimate=float(number))
        site.attach(issue, f"https://github.com/acme/api/issues/{number}", "one")
    return collect(site, issue.id, [project.id, "00000000-0000-4000-8000-000000000000"])


def collect(site: Site, issue: str, others: list[str]) -> list[tuple[str, dict[str, Any]]]:
    face = application(site)
    connection = Connection(
        name="linear-acme",
        type="linear",
        url="https://api.linear.app/graphql",
        auth={"token": Secret("env:LINEAR_TOKEN", site.key)},
        scope={"teams": ["ENG"]},
    )

    async def road() -> None:
        async with open_client(
            connection, access=access(connection), dialect=DIALECT, transport=httpx.ASGITransport(app=face)
        ) as client:
            reading = await CONNECTOR.discover(client, connection, None)
            await CONNECTOR.probe(client, connection, reading)
            for kind, of in ((Issue, "issue"), (Project, "project"), (Initiative, "initiative")):
                for row in site.all(kind):
                    row.labels = [site.label("new", of=of)]
            streams = [
                CONNECTOR.backfill(client, connection, reading, Everything()),
                CONNECTOR.changes(client, connection, reading, {"updated_ms": 1_795_000_000_000}),
                CONNECTOR.fetch(client, connection, reading, [issue, *others]),
                CONNECTOR.history(client, connection, reading, [issue, *others]),
            ]
            for stream in streams:
                async for _ in stream:
                    pass
            async for _ in CONNECTOR.ids(client, connection, reading):
                pass
            await CONNECTOR.locate(client, connection, reading, others[-1], "ENG")
            without = Reading(facts={**reading.facts, "initiatives": False}, account="", digest="")
            async for _ in CONNECTOR.fetch(client, connection, without, others):
                pass
            async for _ in CONNECTOR.changes(client, connection, without, None):
                pass

    asyncio.run(road())
    bodies = [orjson.loads(one.request) for one in face.exchanges]
    assert {one.status for one in face.exchanges} == {200}
    return [(body["query"], body["variables"]) for body in bodies]


class Everything:
    """A backfill that has nothing yet."""

    async def missing(self, ids: list[str]) -> list[str]:
        return list(ids)


def variable_faults(schema: GraphQLSchema, text: str, variables: dict[str, Any]) -> list[str]:
    declared = list(operation_of(parse(text)).variable_definitions or ())
    unknown = sorted(variables.keys() - {one.variable.name.value for one in declared})
    given = get_variable_values(schema, declared, variables)
    return unknown + ([error.message for error in given] if isinstance(given, list) else [])


def test_variables_are_as_the_documents_declare_them(schema, sent):
    assert [fault for text, variables in sent for fault in variable_faults(schema, text, variables)] == []


def test_every_document_that_reads_is_sent_by_some_step(sent):
    texts = {text for text, _ in sent}
    reads = {name: text for name, text in DOCUMENTS.items() if name not in {**PUBLISHING, **written(hooks)}}
    assert [name for name, text in reads.items() if text not in texts] == []


def test_a_wrong_variable_would_be_found(schema):
    good = {"teams": ["a"], "since": "2026-11-20T10:55:00.000Z", "until": "2026-11-20T11:00:00.000Z"}
    assert variable_faults(schema, queries.ISSUES_CHANGED, good) == []
    assert variable_faults(schema, queries.ISSUES_CHANGED, {**good, "team": "a"}) == ["team"]
    assert variable_faults(schema, queries.ISSUES_CHANGED, {**good, "teams": None}) != []


# --- what is asked about webhooks


@pytest.mark.parametrize("scope", [hooks.PUBLIC, "team-1"])
def test_the_calls_about_webhooks_are_as_the_schema_says(schema, scope):
    place = Place(name="somewhere", path=queries.PATH, events=hooks.EVENTS, scope=scope)
    receiver = Receiver(url="https://keyrail.acme.example/webhooks/linear", secret="s3cret", name="Keyrail")
    hook = Hook(id="hook-1", url=receiver.url, events=("Cycle",))
    page = {"data": {"webhooks": {"nodes": [], "pageInfo": {"hasNextPage": True, "endCursor": "c"}}}}
    answer = Answer(status=200, headers={}, body=orjson.dumps(page), sent_at=NOW)
    calls = [hooks.standing(place, ()), hooks.standing(place, (answer,)), hooks.delete(place, hook)]
    calls += [hooks.write(place, None, receiver), hooks.write(place, hook, receiver)]
    for call in calls:
        assert isinstance(call, Call)
        assert isinstance(call.json, dict)
        assert call.json["query"] in DOCUMENTS.values()
        assert variable_faults(schema, call.json["query"], call.json["variables"]) == []
    assert {call.idempotent for call in calls if "webhookCreate" in str(call.json)} == {False}


# --- what publishing sends


def update() -> StatusUpdate:
    return StatusUpdate(
        workspace="acme", kind="initiative", id="I1", title="One-click pay", progress=0.62, state="ok",
        health=Health.ON_TRACK, url="https://keyrail.acme.example/i/I1",
    )  # fmt: skip


def test_the_calls_of_outlets_are_as_the_schema_says(schema):
    row = PublishRow(id="card", outlet="linear.attachment", connection="linear-acme")
    reading = Reading(facts={}, account="a", digest="d")
    found = []
    for outlet, kind in ((one, kind) for one in CONNECTOR.outlets.values() for kind in ("project", "initiative")):
        facts = {"kinds": {"place-1": kind}}
        spot = Spot(row=row, address="place-1", key="keyrail:acme:card:initiative:I1", reading=reading, facts=facts)
        mine = replace(spot, id="card-1 https://old.example/i/I1" if outlet.kind == "attachment" else "update-1")
        content = outlet.content(update(), row)
        found += [outlet.read(spot), outlet.render(content, spot), outlet.render(content, mine), outlet.remove(mine)]
        found.append(outlet.render(content, replace(mine, id="update-1 archived")))
    found += [request(queries.PATH, prepare.PLACES_BY_ID, {"ids": ["x"]})]
    found += [request(queries.PATH, prepare.PLACES_BY_NAME, {"name": "One-click pay"})]
    for call in found:
        assert isinstance(call.json, dict)
        assert call.json["query"] in DOCUMENTS.values()
        assert variable_faults(schema, call.json["query"], call.json["variables"]) == []
