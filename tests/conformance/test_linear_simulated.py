"""The simulated Linear against Linear's own schema: what it answers and what it sends is a part of that."""

import os
from datetime import UTC, date, datetime, time
from pathlib import Path

import orjson
import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLUnionType,
    build_schema,
    is_specified_scalar_type,
    print_ast,
)

from app.demo import linear_company as company
from app.demo.linear_graph import SDL
from app.demo.linear_model import Initiative, Issue, Project
from app.demo.linear_site import Site
from app.demo.linear_webhooks import delivery

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
SCHEMA = SHARED / "schemas" / "linear.graphql"

pytestmark = pytest.mark.skipif(not _TOLD and not SCHEMA.exists(), reason="no shared schemas beside the repository")


@pytest.fixture(scope="module")
def vendor():
    return build_schema(SCHEMA.read_text(encoding="utf-8"))


def differences(ours, theirs):
    """What a schema has that the vendor's has not, or has otherwise."""
    for name, kind in ours.type_map.items():
        if name.startswith("__") or is_specified_scalar_type(kind):
            continue
        known = theirs.type_map.get(name)
        if type(known) is not type(kind):
            yield f"{name}: {type(known).__name__}"
            continue
        match kind:
            case GraphQLObjectType() | GraphQLInterfaceType():
                yield from fields(kind, known)
                yield from missing(f"{name} implements", interfaces(kind), interfaces(known))
            case GraphQLInputObjectType():
                yield from fields(kind, known)
                required = {key for key, one in known.fields.items() if isinstance(one.type, GraphQLNonNull)}
                yield from missing(f"{name} requires", required, set(kind.fields))
            case GraphQLEnumType():
                yield from missing(name, set(kind.values), set(known.values))
                yield from missing(f"{name} lacks", set(known.values), set(kind.values))
            case GraphQLUnionType():
                yield from missing(name, {one.name for one in kind.types}, {one.name for one in known.types})


def fields(kind, known):
    for name, one in kind.fields.items():
        other = known.fields.get(name)
        if other is None or str(one.type) != str(other.type):
            yield f"{kind.name}.{name}: {one.type}, Linear has {other and other.type}"
            continue
        for argument, value in getattr(one, "args", {}).items():
            told = other.args.get(argument)
            if written(value) != (other_text := told and written(told)):
                yield f"{kind.name}.{name}({argument}: {written(value)}), Linear has {other_text}"
        required = {key for key, told in getattr(other, "args", {}).items() if isinstance(told.type, GraphQLNonNull)}
        yield from missing(f"{kind.name}.{name} requires", required, set(getattr(one, "args", {})))


def written(argument):
    """An argument's type and default, as an SDL writes them."""
    node = argument.ast_node
    return print_ast(node.type) + (f" = {print_ast(node.default_value)}" if node.default_value else "")


def missing(where, ours, theirs):
    yield from (f"{where} {name}" for name in sorted(ours - theirs))


def interfaces(kind):
    return {one.name for one in kind.interfaces}


def test_the_schema_is_a_part_of_linears(vendor):
    assert list(differences(build_schema(SDL.read_text(encoding="utf-8")), vendor)) == []


@pytest.mark.parametrize(
    ("ours", "found"),
    [
        ("type User { nickname: String }", ["User.nickname: String, Linear has None"]),
        ("type User { email: String }", ["User.email: String, Linear has String!"]),
        ("type Organization implements Paged { id: ID! } interface Paged { id: ID! }", [
            "Organization implements Paged", "Paged: NoneType",
        ]),
        ("type Team { issueCount(includeArchived: Boolean): Int! }", [
            "Team.issueCount(includeArchived: Boolean), Linear has Boolean = false",
        ]),
        ("type Team { issueCount(most: Int): Int! }", ["Team.issueCount(most: Int), Linear has None"]),
        ("type Query { attachment: Attachment! } type Attachment { id: ID! }", ["Query.attachment requires id"]),
        ("enum InitiativeStatus { active Canceled Completed Planned Proposed }", [
            "InitiativeStatus active", "InitiativeStatus lacks Active",
        ]),
        ("input AttachmentUpdateInput { subtitle: String }", ["AttachmentUpdateInput requires title"]),
        ("union ArchivePayload = User type User { id: ID! }", ["ArchivePayload: GraphQLInterfaceType"]),
        ("scalar Wallet", ["Wallet: NoneType"]),
    ],
)  # fmt: skip
def test_the_check_itself_finds_what_is_not(vendor, ours, found):
    assert sorted(differences(build_schema(ours), vendor)) == found


def broken(kind, value, where):
    """What in a JSON value is not as a type of the schema says."""
    if isinstance(kind, GraphQLNonNull):
        if value is None:
            yield f"{where} is missing"
            return
        kind = kind.of_type
    if value is None:
        return
    if isinstance(kind, GraphQLList):
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for one in value:
            yield from broken(kind.of_type, one, f"{where}[]")
    elif isinstance(kind, GraphQLObjectType):
        yield from (f"{where}.{name} is unknown" for name in sorted(set(value) - set(kind.fields)))
        for name, one in kind.fields.items():
            yield from broken(one.type, value.get(name), f"{where}.{name}")
    elif isinstance(kind, GraphQLUnionType):
        named = next(
            one for one in kind.types if one.name == f"{value.get('type', '').capitalize()}ActorWebhookPayload"
        )
        yield from broken(named, value, where)
    else:
        expected = {"String": str, "ID": str, "DateTime": str, "Float": (int, float), "Boolean": bool}.get(kind.name)
        if expected and not isinstance(value, expected):
            yield f"{where} is {type(value).__name__}"


@pytest.fixture(scope="module")
def site():
    today = date(2026, 11, 16)
    now = datetime.combine(today, time(9), UTC)
    site = Site(clock=lambda: now)
    company.build(site, today)
    return site


def test_deliveries_are_as_linears_payloads(vendor, site):
    envelope = vendor.type_map["EntityWebhookPayload"]
    for kind, payload in (
        (Issue, "IssueWebhookPayload"),
        (Project, "ProjectWebhookPayload"),
        (Initiative, "InitiativeWebhookPayload"),
    ):
        for row in list(site.all(kind)):
            for action in ("create", "update", "remove"):
                change = site.tell(action, row, site.now(), updated_from={"updatedAt": row.created_at})
                body = orjson.loads(delivery(site, change).body)
                data = body.pop("data")
                assert list(broken(vendor.type_map[payload], data, kind.__name__)) == []
                found = [line for line in broken(envelope, body, "") if line != ".data is missing"]
                assert found == []


def test_a_delivery_that_is_not_would_be_found(vendor, site):
    change = site.tell("update", next(iter(site.all(Issue))), site.now())
    data = orjson.loads(delivery(site, change).body)["data"]
    wrong = {**data, "number": "1", "nickname": "x", "state": {}} | {"title": None}
    assert list(broken(vendor.type_map["IssueWebhookPayload"], wrong, "Issue")) == [
        "Issue.nickname is unknown",
        "Issue.number is str",
        "Issue.state.color is missing",
        "Issue.state.id is missing",
        "Issue.state.name is missing",
        "Issue.state.type is missing",
        "Issue.title is missing",
    ]
