"""GraphQL documents read once, and answers cut to what they select out of objects that hold every field.

Rows that many documents share are rendered to bytes once for each selection. No tracker in here: what there is to
select comes as plain objects, and a field or an argument that is not there is an UnknownQuery.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    ValueNode,
    get_named_type,
    is_abstract_type,
    parse,
    print_ast,
    validate,
    value_from_ast_untyped,
)
from graphql.pyutils import Undefined
from graphql.utilities import get_operation_ast

from bench.answer import UnknownQuery

Told = dict[str, Any]
Cost = Callable[[GraphQLSchema, DocumentNode, OperationDefinitionNode, Mapping[str, Any]], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One selected field: under which `key`, on which types (None: on all), with which arguments and sub-selection."""

    key: str
    name: str
    on: frozenset[str] | None
    arguments: tuple[tuple[str, ValueNode], ...]
    inner: Plan | None


@dataclass(slots=True, eq=False)
class Plan:
    """What is selected of an object; `kept` are the rows rendered under it, by their place."""

    fields: tuple[Field, ...]
    kept: dict[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rows:
    """A list whose rows are rendered once: their places (None is a null), and how the row at a place is made."""

    places: Sequence[int | None]
    make: Callable[[int], Told]

    def under(self, plan: Plan) -> orjson.Fragment:
        """Return the rows as a selection wants them."""
        kept = plan.kept
        parts = []
        for place in self.places:
            part = b"null" if place is None else kept.get(place)
            if part is None:
                assert place is not None
                part = kept[place] = orjson.dumps(cut(self.make(place), plan, {}))
            parts.append(part)
        return orjson.Fragment(b"[" + b",".join(parts) + b"]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document that was parsed, checked against the schema and planned; `costs` by what they depend on."""

    name: str
    node: DocumentNode
    operation: OperationDefinitionNode
    plan: Plan
    costs: dict[tuple[object, int], float] = field(default_factory=dict)


class Documents:
    """The documents of one schema by their text. Equal selections share one plan, and with it the rendered rows."""

    def __init__(self, schema: GraphQLSchema, cost: Cost) -> None:
        self.schema = schema
        self._cost = cost
        self._known: dict[str, Document] = {}
        self._plans: dict[tuple[object, ...], Plan] = {}

    def read(self, text: str) -> Document:
        """Return a document; raise UnknownQuery for one that the schema does not allow."""
        known = self._known.get(text)
        if known is None:
            known = self._known[text] = self._read(text)
        return known

    def cost(self, document: Document, variables: Mapping[str, Any]) -> float:
        """Return what the vendor would charge, by its formula."""
        depends = (variables.get("first"), len(variables.get("ids") or ()))
        known = document.costs.get(depends)
        if known is None:
            known = self._cost(self.schema, document.node, document.operation, variables)
            document.costs[depends] = known
        return known

    def forget(self, places: Sequence[int]) -> None:
        """Have rows rendered anew."""
        for plan in self._plans.values():
            for place in places:
                plan.kept.pop(place, None)

    def type(self, name: str) -> Told | None:
        """Return what introspection says about a type: its fields with their arguments, its values, its members."""
        kind = self.schema.type_map.get(name)
        if kind is None:
            return None
        fields = getattr(kind, "fields", {})
        return {
            "name": name,
            "fields": [{"name": one, "args": [{"name": arg} for arg in told.args]} for one, told in fields.items()],
            "enumValues": [{"name": one} for one in getattr(kind, "values", {})],
            "possibleTypes": [{"name": one} for one in self._concrete(name)] if is_abstract_type(kind) else None,
        }

    def _read(self, text: str) -> Document:
        try:
            node = parse(text)
        except GraphQLError as error:
            raise UnknownQuery(f"not GraphQL: {error.message}") from error
        if errors := validate(self.schema, node):
            raise UnknownQuery(f"the schema does not allow it: {errors[0].message}: {text[:200]}")
        operation = get_operation_ast(node)
        if operation is None or operation.name is None:
            raise UnknownQuery(f"not one named operation: {text[:200]}")
        parts = {one.name.value: one for one in node.definitions if isinstance(one, FragmentDefinitionNode)}
        root = self.schema.get_root_type(operation.operation)
        plan = self._plan(operation.selection_set, root, parts)
        return Document(name=operation.name.value, node=node, operation=operation, plan=plan)

    def _plan(self, selected: SelectionSetNode, kind: Any, parts: Mapping[str, FragmentDefinitionNode]) -> Plan:
        fields = tuple(self._fields(selected, kind, None, parts))
        seen = tuple(
            (one.key, one.name, one.on, tuple((name, print_ast(value)) for name, value in one.arguments), id(one.inner))
            for one in fields
        )
        return self._plans.setdefault(seen, Plan(fields))

    def _fields(
        self,
        selected: SelectionSetNode,
        kind: Any,
        on: frozenset[str] | None,
        parts: Mapping[str, FragmentDefinitionNode],
    ) -> Iterator[Field]:
        for one in selected.selections:
            match one:
                case FieldNode():
                    yield self._field(one, kind, on, parts)
                case InlineFragmentNode():
                    named = one.type_condition.name.value if one.type_condition else kind.name
                    yield from self._within(one.selection_set, kind, named, on, parts)
                case FragmentSpreadNode():
                    part = parts[one.name.value]
                    yield from self._within(part.selection_set, kind, part.type_condition.name.value, on, parts)

    def _within(
        self,
        selected: SelectionSetNode,
        kind: Any,
        named: str,
        on: frozenset[str] | None,
        parts: Mapping[str, FragmentDefinitionNode],
    ) -> Iterator[Field]:
        concrete = self._concrete(named)
        own = None if concrete >= self._concrete(kind.name) else concrete
        both = on if own is None else own if on is None else own & on
        yield from self._fields(selected, self.schema.type_map[named], both, parts)

    def _field(
        self, node: FieldNode, kind: Any, on: frozenset[str] | None, parts: Mapping[str, FragmentDefinitionNode]
    ) -> Field:
        name = node.name.value
        inner = None
        if node.selection_set is not None:
            told = kind.fields.get(name) if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType) else None
            of = get_named_type(told.type) if told else self.schema.type_map["__Type"]
            inner = self._plan(node.selection_set, of, parts)
        return Field(
            key=node.alias.value if node.alias else name,
            name=name,
            on=on,
            arguments=tuple((one.name.value, one.value) for one in node.arguments or ()),
            inner=inner,
        )

    def _concrete(self, name: str) -> frozenset[str]:
        kind = self.schema.type_map[name]
        if isinstance(kind, GraphQLInterfaceType | GraphQLUnionType):
            return frozenset(one.name for one in self.schema.get_possible_types(kind))
        return frozenset({name})


def cut(value: Any, plan: Plan | None, variables: Mapping[str, Any]) -> Any:
    """Return what a selection takes of a value; what may be called is called with the arguments that are stated.

    An object behind an interface or a union says its type by the key ``__typename``.
    """
    if plan is None or value is None:
        return value
    if isinstance(value, Rows):
        return value.under(plan)
    if isinstance(value, list):
        return [cut(one, plan, variables) for one in value]
    kind, told = value.get("__typename"), Told()
    for one in plan.fields:
        if one.on is not None and kind not in one.on:
            continue
        try:
            found = value[one.name]
            if one.arguments and callable(found):
                found = found(**arguments(one, variables))
        except (KeyError, TypeError) as error:
            raise UnknownQuery(f"no '{one.name}' like this in {kind or 'an object'}: {error}") from error
        part = cut(found, one.inner, variables)
        known = told.get(one.key)
        told[one.key] = {**known, **part} if isinstance(known, dict) and isinstance(part, dict) else part
    return told


def arguments(one: Field, variables: Mapping[str, Any]) -> Told:
    """Return the arguments of a field; what is not stated is left out."""
    values = {name: value_from_ast_untyped(node, dict(variables)) for name, node in one.arguments}
    return {name: value for name, value in values.items() if value is not Undefined and value is not None}


def connection(nodes: Rows | list[Any], total: int | None = None, after: str | None = None) -> Told:
    """Return a list as GraphQL pages it; `after` is the cursor of what follows."""
    told: Told = {"pageInfo": {"hasNextPage": after is not None, "endCursor": after}, "nodes": nodes}
    return told if total is None else {"totalCount": total, **told}
