"""Documents run against an SDL: what is answered, how refusals read, what is left out of a schema."""

from dataclasses import dataclass
from datetime import date

import pytest
from graphql import GraphQLObjectType

from app.demo.graphql import Engine, Refusal, plain_words, schema_of

SDL = """
scalar Day
union Any = Dog | Cat
enum Mood { GLAD SAD }
type Query { pet(name: String!): Pet pets: [Pet]! shelter: Shelter! }
interface Pet { name: String! friend: Pet }
type Dog implements Pet { name: String! friend: Pet barks: Boolean! bornOn: Day! }
type Cat implements Pet { name: String! friend: Pet }
type Shelter { beds(size: Int, warm: Boolean): Int! city: String }
"""


@dataclass
class Dog:
    name: str
    barks: bool = True
    born_on: date = date(2026, 1, 2)
    typename = "Dog"


def pet(source, context, name):
    if name == "nobody":
        raise Refusal("No such pet.", type="NOT_FOUND")
    return context[name]


@pytest.fixture
def engine():
    resolvers = {
        "Query.pet": pet,
        "Query.pets": lambda source, context: list(context.values()),
        "Query.shelter": lambda source, context: {"city": "Kiel"},
        "Shelter.beds": lambda source, context, size=1, warm=False: size * (2 if warm else 1),
        "Shelter.gone": lambda source, context: None,
        "Pet.friend": lambda source, context: context["tom"],
    }
    return Engine(schema_of(SDL), resolvers, scalars={"Day": date.isoformat})


CONTEXT = {"rex": Dog("Rex"), "tom": {"__typename": "Cat", "name": "Tom"}}


def run(engine, text, variables=None):
    return engine.run(engine.prepare(text), variables, CONTEXT).body()


def test_reads_objects_mappings_and_resolvers_of_interfaces(engine):
    text = "query($n: String!) { pet(name: $n) { __typename name friend { name } ... on Dog { barks bornOn } } }"
    friend = {"name": "Tom"}
    assert run(engine, text, {"n": "rex"}) == {
        "data": {"pet": {"__typename": "Dog", "name": "Rex", "friend": friend, "barks": True, "bornOn": "2026-01-02"}}
    }
    assert run(engine, "{ shelter { city beds(size: 3, warm: true) } }") == {
        "data": {"shelter": {"city": "Kiel", "beds": 6}}
    }


def test_a_refused_field_is_null_and_tells_why_beside_the_rest(engine):
    assert run(engine, '{ pet(name: "nobody") { name } shelter { city } }') == {
        "data": {"pet": None, "shelter": {"city": "Kiel"}},
        "errors": [
            {
                "message": "No such pet.",
                "locations": [{"line": 1, "column": 3}],
                "path": ["pet"],
                "type": "NOT_FOUND",
            }
        ],
    }


@pytest.mark.parametrize(
    ("text", "variables", "message"),
    [
        ("{ pet(", {}, "Syntax Error: Expected Name, found <EOF>."),
        ("{ shelter { town } }", {}, "Cannot query field 'town' on type 'Shelter'."),
        ("query($n: String!) { pet(name: $n) { name } }", {}, "Variable '$n' has invalid value: "),
    ],
)
def test_what_cannot_be_run_has_no_data(engine, text, variables, message):
    told = run(engine, text, variables)
    assert set(told) == {"errors"}
    assert [error["message"].startswith(message) for error in told["errors"]] == [True]


def test_the_wording_is_the_vendors():
    engine = Engine(schema_of(SDL), {}, lambda error, stage: {"stage": stage, **plain_words(error, stage)})
    assert [error["stage"] for error in run(engine, "{ nothing }")["errors"]] == ["rules"]


def test_a_fault_of_ours_is_not_told_to_clients(engine):
    with pytest.raises(KeyError):
        run(engine, '{ pet(name: "unknown") { name } }')


def test_a_document_is_read_once(engine):
    assert engine.prepare("{ shelter { city } }") is engine.prepare("{ shelter { city } }")
    assert engine.prepare("{ shelter { city } }").operation().operation.value == "query"
    assert engine.prepare("{").operation() is None


def test_a_schema_can_be_without_types_fields_and_arguments():
    schema = schema_of(SDL, without=["Cat", "Dog.barks", "Day", "Mood.SAD", "Shelter.beds.warm"])
    assert "Cat" not in schema.type_map
    dog, shelter = schema.type_map["Dog"], schema.type_map["Shelter"]
    assert isinstance(dog, GraphQLObjectType)
    assert set(dog.fields) == {"name", "friend"}
    assert set(shelter.fields["beds"].args) == {"size"}
    assert [kind.name for kind in schema.type_map["Any"].types] == ["Dog"]
    assert list(schema.type_map["Mood"].values) == ["GLAD"]
