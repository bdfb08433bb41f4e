"""What we ask of GitHub, against GitHub's own schemas: every document with what a server may lack, every REST call."""

import json
import os
import re
from functools import cache
from pathlib import Path

import pytest
from graphql import (
    FieldNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    build_schema,
    extend_schema,
    get_named_type,
    parse,
    specified_rules,
    validate,
    visit,
)
from graphql.execution.values import get_variable_values
from graphql.validation import NoDeprecatedCustomRule

from connectors.base import Call
from connectors.github import queries
from connectors.github.outlets import comment, issue_field, prepare, project_field, status_update
from connectors.github.queries import IDS
from connectors.github.selection import EVENT_TYPES, EVERYTHING, ISSUE_FIELDS, Selection, lists_of, points_of

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "schemas" / "github.graphql"
REST = SHARED / "schemas" / "github-rest-subset.openapi.json"

pytestmark = pytest.mark.skipif(not _TOLD and not SCHEMA.exists(), reason="no shared schemas beside the repository")

DEPRECATED = {
    # Only its argument `enableDuplicate` goes, which we do not give.
    "The field Issue.stateReason is deprecated.",
    "The field ClosedEvent.stateReason is deprecated.",
}
PREVIEW = "extend type Issue{status:IssueStatus} type IssueStatus{id:ID! name:String! category:String!}"
"""issue statuses, a preview that the published schema does not have yet"""
UNDESCRIBED = {"/repos/{owner}/{repo}/planning-statuses"}
"""the same preview by REST"""

VALUES = ("Status", "Points", 'Say "when"')
IDS_100, IDS_50 = [f"I_{number}" for number in range(IDS)], [f"I_{number}" for number in range(queries.HISTORY)]
NAMES = [f"acme/repo-{number}" for number in range(queries.REPOSITORIES)]
REASONS = frozenset({"ClosedEvent.stateReason", "ClosedEvent.duplicateOf", "ReopenedEvent.stateReason"})
SINCE = "2026-11-20T09:55:00Z"


def selections():
    """What servers can: everything, nothing, each thing alone, all but each; with and without projects."""
    cans = {EVERYTHING, frozenset(), EVERYTHING | {"status"}}
    for name in (*ISSUE_FIELDS, "IssueFieldMultiSelectValue", "ProjectV2ItemIssueFieldValue"):
        cans |= {frozenset({name}), EVERYTHING - {name}, frozenset({name, "projectItems", "issueFieldValues"})}
    for can in sorted(cans, key=sorted):
        yield Selection(can=can)
        if "projectItems" in can:
            yield Selection(can=can, projects=True, values=VALUES)


def calls_of(selection):
    yield queries.listing(selection, "acme/api", "ASC", state="OPEN", after="c", first=100)
    yield queries.changed(selection, "acme/api", SINCE, after="c")
    yield queries.changed(None, "acme/api", SINCE, after="c")
    yield queries.by_ids(selection, IDS_100)
    for name in lists_of(selection):
        yield queries.rest_of(selection, name, "I_1", "c")


def other_calls():
    yield queries.capabilities()
    yield queries.listing(None, "acme/api", "DESC")
    yield queries.milestones("acme/api", after="c")
    yield queries.places(IDS_100)
    yield queries.repositories(NAMES)
    yield queries.repositories_of("acme")
    yield queries.projects_of("acme")
    yield queries.organizations()
    yield queries.project("acme", 12)
    for can in (EVERYTHING, frozenset()):
        yield queries.items(can, "PVT_1", after="c")
        yield queries.items(can, "PVT_1", queries.DESC, after="c")
        yield queries.owner(can, "acme")
    without = [EVERYTHING - {name} for name in (*EVENT_TYPES, *REASONS)]
    for can in (EVERYTHING, EVERYTHING - REASONS, *without, *(frozenset({name}) for name in EVENT_TYPES)):
        yield queries.history(can, IDS_50)
        yield queries.events(can, "I_1", "c")
    for milestones in (False, True):
        yield queries.counts(NAMES, milestones=milestones)
        yield queries.moved(NAMES, SINCE, milestones=milestones, projects=["PVT_1"])
        yield queries.moved(NAMES[:1], SINCE, milestones=milestones)
        yield queries.organization("acme", since=SINCE, milestones=milestones)
    yield queries.moved([], SINCE, projects=["PVT_1"])
    yield queries.organization("acme", after="c")


@pytest.fixture(scope="session")
def schema():
    return build_schema(SCHEMA.read_text(), assume_valid=True)


@pytest.fixture(scope="session")
def with_preview(schema):
    return extend_schema(schema, parse(PREVIEW), assume_valid=True)


@cache
def parsed(document):
    return parse(document)


def problems(schema, call):
    document, variables = call.json["query"], call.json["variables"]
    found = [error.message for error in validate(schema, parsed(document), [*specified_rules, NoDeprecatedCustomRule])]
    operation = operation_of(document)
    values = get_variable_values(schema, operation.variable_definitions or (), variables)
    if isinstance(values, list):
        found += [error.message for error in values]
    declared = {one.variable.name.value for one in operation.variable_definitions or ()}
    found += [f"unknown variable {name}" for name in variables if name not in declared]
    return [text for text in found if not any(text.startswith(known) for known in DEPRECATED)]


def operation_of(document):
    return next(one for one in parsed(document).definitions if isinstance(one, OperationDefinitionNode))


def test_documents_are_valid_whatever_a_server_lacks(schema, with_preview):
    broken = {}
    for selection in selections():
        for call in calls_of(selection):
            known = with_preview if "status" in selection.can else schema
            if found := problems(known, call):
                broken[call.json["query"][:60], tuple(sorted(selection.can))] = found
    assert broken == {}


def test_the_other_documents_are_valid(schema):
    assert {call.json["query"][:60]: found for call in other_calls() if (found := problems(schema, call))} == {}


def test_documents_of_publishing_are_valid(schema):
    modules = (comment, status_update, project_field, issue_field, prepare)
    texts = [text for module in modules for text in vars(module).values() if isinstance(text, str)]
    documents = [text for text in texts if re.match(r"\s*(query|mutation)", text)]
    assert set(documents) >= {text for module in modules for text in module.DOCUMENTS}
    assert len(documents) >= 19
    rules = [*specified_rules, NoDeprecatedCustomRule]
    assert {
        text[:60]: validate(schema, parse(text), rules) for text in documents if validate(schema, parse(text), rules)
    } == {}


def test_a_field_that_is_not_there_a_deprecated_one_and_a_wrong_variable_would_be_found(schema):
    items = "query($id:ID!){node(id:$id){... on ProjectV2{databaseId}}}"
    for document, variables, words in (
        ("query{viewer{loginn}}", {}, "Cannot query field 'loginn'"),
        (items, {"id": "x"}, "ProjectV2.databaseId is deprecated"),
        (items, {}, "Variable '$id'"),
        (items, {"id": "x", "after": "c"}, "unknown variable after"),
    ):
        call = Call(method="POST", path="/graphql", json={"query": document, "variables": variables})
        assert any(words in text for text in problems(schema, call))


# --- what a document costs, by GitHub's formula


class Cost:
    """Requests and nodes of a call: each list is asked for once for each node around it, filled to its `first`."""

    def __init__(self, schema, call):
        self.document, self.variables = parsed(call.json["query"]), call.json["variables"]
        self.fragments = {one.name.value: one for one in self.document.definitions if hasattr(one, "type_condition")}
        self.types = {}
        info = TypeInfo(schema)
        visit(self.document, TypeInfoVisitor(info, _Types(info, self.types)))
        self.requests = self.nodes = 0
        self.unbounded = []
        for definition in self.document.definitions:
            if isinstance(definition, OperationDefinitionNode):
                self._walk(definition.selection_set, 1, ())

    @property
    def points(self):
        return max(1, round(self.requests / 100))

    def _walk(self, selected, around, path):
        for one in selected.selections if selected else ():
            if isinstance(one, FragmentSpreadNode):
                self._walk(self.fragments[one.name.value].selection_set, around, path)
            elif not isinstance(one, FieldNode):
                self._walk(one.selection_set, around, path)
            else:
                self._field(one, around, path)

    def _field(self, one, around, path):
        kind = self.types.get(id(one), "")
        given = {argument.name.value: self._value(argument.value) for argument in one.arguments or ()}
        if kind.endswith("Connection") and not kind.startswith("__"):
            size = given.get("first", given.get("last"))
            if not isinstance(size, int) or not 1 <= size <= 100:
                self.unbounded.append(".".join((*path, one.name.value)))
                size = 100
            self.requests += around
            around *= size
            self.nodes += around
        elif one.name.value == "nodes" and "ids" in given:
            around *= len(given["ids"])
            self.nodes += around
        self._walk(one.selection_set, around, (*path, one.name.value))

    def _value(self, node):
        name = getattr(node, "name", None)
        if name is not None:
            return self.variables.get(name.value, 100)
        return int(node.value) if str(getattr(node, "value", "")).isdecimal() else getattr(node, "value", None)


class _Types(Visitor):
    def __init__(self, info, types):
        super().__init__()
        self.info, self.types = info, types

    def enter_field(self, node, *_):
        kind = get_named_type(self.info.get_type())
        self.types[id(node)] = kind.name if kind else ""


def test_every_list_is_bounded_and_no_call_asks_for_too_many_nodes(schema):
    costs = [Cost(schema, call) for one in selections() if "status" not in one.can for call in calls_of(one)]
    costs += [Cost(schema, call) for call in other_calls()]
    assert [cost.unbounded for cost in costs if cost.unbounded] == []
    assert max(cost.nodes for cost in costs) <= 60_000
    assert all(cost.nodes <= 500_000 for cost in costs)


ALL = Selection(can=EVERYTHING)
WITH_PROJECTS = Selection(can=EVERYTHING, projects=True, values=VALUES)


@pytest.mark.parametrize(
    ("call", "points"),
    [
        (queries.listing(ALL, "acme/api", "ASC"), 4),
        (queries.listing(WITH_PROJECTS, "acme/api", "ASC"), 5),
        (queries.listing(Selection(can=frozenset()), "acme/api", "ASC"), 2),
        (queries.listing(None, "acme/api", "ASC"), 1),
        (queries.changed(ALL, "acme/api", SINCE), 4),
        (queries.by_ids(WITH_PROJECTS, IDS_100), 5),
        (queries.rest_of(WITH_PROJECTS, "projectItems", "I_1", "c"), 1),
        (queries.history(EVERYTHING, IDS_50), 1),
        (queries.events(EVERYTHING, "I_1", "c"), 1),
        (queries.counts(NAMES, milestones=True), 1),
        (queries.moved(NAMES, SINCE, milestones=True, projects=["PVT_1"]), 1),
        (queries.organization("acme", since=SINCE, milestones=True), 2),
        (queries.items(EVERYTHING, "PVT_1"), 1),
        (queries.items(EVERYTHING, "PVT_1", queries.DESC), 1),
        (queries.milestones("acme/api"), 1),
        (queries.project("acme", 12), 1),
        (queries.owner(EVERYTHING, "acme"), 1),
        (queries.capabilities(), 1),
    ],
)
def test_a_call_costs_as_many_points_as_we_think(schema, call, points):
    assert Cost(schema, call).points == points


def test_what_check_says_of_a_page_is_what_the_formula_says(schema):
    for selection in (ALL, WITH_PROJECTS, Selection(can=frozenset())):
        assert points_of(selection) == Cost(schema, queries.listing(selection, "acme/api", "ASC")).points


# --- REST


def rest_calls():
    yield queries.rate_limit("")
    yield queries.repository("", "acme/api")
    yield queries.issue("", "acme/api", 7)
    yield queries.issues("", "acme/api", SINCE, '"etag"')
    yield queries.planning_statuses("", "acme/api")


@pytest.fixture(scope="module")
def described():
    return json.loads(REST.read_bytes())


def matching(described, path):
    return next(
        (
            known
            for known in (*described["paths"], *UNDESCRIBED)
            if re.fullmatch(re.sub(r"\{[^}]+\}", "[^/]+", known), path)
        ),
        None,
    )


def test_rest_calls_are_described_and_not_deprecated(described):
    for call in rest_calls():
        path = matching(described, call.path)
        assert path is not None, call.path
        if path in UNDESCRIBED:
            continue
        operation = described["paths"][path][call.method.lower()]
        assert operation.get("deprecated") is not True
        parameters = [resolved(described, one) for one in operation.get("parameters", ())]
        known = {one["name"]: one["schema"] for one in parameters if one["in"] == "query"}
        assert set(call.params) <= set(known)
        for name, value in call.params.items():
            assert value in resolved(described, known[name]).get("enum", [value])


def resolved(described, node):
    if "$ref" not in node:
        return node
    found = described
    for part in node["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_call_for_an_installations_token_is_described(described):
    assert "post" in described["paths"]["/app/installations/{installation_id}/access_tokens"]
