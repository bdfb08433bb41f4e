"""What a GraphQL document may cost on GitHub: nodes and points by the vendor's formula, and the bounds of its lists.

Counted from the document and its variables alone, before anything runs.
Source: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    value_from_ast_untyped,
)

from app.demo.graphql import Refusal

MOST_NODES = 500_000
MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The most that a document can ask for: `requests` of connections, and `nodes`; and the names of its fields."""

    requests: int
    nodes: int
    names: frozenset[str]

    @property
    def points(self) -> int:
        """Points of the hourly limit: requests in hundreds, rounded, at least one."""
        return max(1, int(self.requests / 100 + 0.5))


class _Counter:
    """Walks one operation; `times` is how often a selection is made."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]) -> None:
        self.schema = schema
        self.variables = variables
        self.fragments = {d.name.value: d for d in document.definitions if isinstance(d, FragmentDefinitionNode)}
        self.requests = self.nodes = 0
        self.names: set[str] = set()

    def walk(self, kind: Any, selections: SelectionSetNode, times: int, path: tuple[str, ...]) -> None:
        for field, on in self._fields(kind, selections):
            name = field.name.value
            self.names.add(name)
            known = on.fields.get(name) if isinstance(on, GraphQLObjectType | GraphQLInterfaceType) else None
            if known is None or field.selection_set is None:
                continue
            here = (*path, field.alias.value if field.alias else name)
            inner, often = get_named_type(known.type), times
            if inner.name.endswith("Connection"):
                size = self._size(field, known.args, here)
                self.requests += times
                self.nodes += times * size
                often = times * size
            elif name == "nodes" and on is self.schema.query_type:
                often = times * len(self._value(field, "ids") or ())
                self.nodes += often
            self.walk(inner, field.selection_set, often, here)

    def _fields(self, kind: Any, selections: SelectionSetNode) -> Iterator[tuple[FieldNode, Any]]:
        for one in selections.selections:
            if isinstance(one, FieldNode):
                yield one, kind
            elif isinstance(one, InlineFragmentNode):
                on = self.schema.type_map[one.type_condition.name.value] if one.type_condition else kind
                yield from self._fields(on, one.selection_set)
            elif isinstance(one, FragmentSpreadNode):
                fragment = self.fragments[one.name.value]
                yield from self._fields(
                    self.schema.type_map[fragment.type_condition.name.value], fragment.selection_set
                )

    def _size(self, field: FieldNode, arguments: Mapping[str, Any], path: tuple[str, ...]) -> int:
        name = field.name.value
        for argument in ("first", "last"):
            size = self._value(field, argument) if argument in arguments else None
            if size is None:
                continue
            if size > MOST:
                much = f"Requesting {size} records on the `{name}` connection"
                text = f"{much} exceeds the `{argument}` limit of {MOST} records."
                raise Refusal(text, type="EXCESSIVE_PAGINATION", path=["query", *path])
            if size < 0:
                raise Refusal(
                    f"`{argument}` on the `{name}` connection cannot be less than zero.", path=["query", *path]
                )
            return int(size)
        text = f"You must provide a `first` or `last` value to properly paginate the `{name}` connection."
        raise Refusal(text, type="MISSING_PAGINATION_BOUNDARIES", path=["query", *path])

    def _value(self, field: FieldNode, argument: str) -> Any:
        for one in field.arguments or ():
            if one.name.value == argument:
                if isinstance(one.value, VariableNode):
                    return self.variables.get(one.value.name.value)
                return value_from_ast_untyped(one.value)
        return None


def cost_of(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Cost:
    """Count an operation; raise Refusal as GitHub words it where a list has no bounds or may hold too much."""
    defaults = {
        one.variable.name.value: value_from_ast_untyped(one.default_value)
        for one in operation.variable_definitions or ()
        if one.default_value is not None
    }
    counter = _Counter(schema, document, {**defaults, **variables})
    counter.walk(schema.get_root_type(operation.operation), operation.selection_set, 1, ())
    if counter.nodes > MOST_NODES:
        text = (
            f"This query requests up to {counter.nodes:,} possible nodes which exceeds the maximum limit of "
            f"{MOST_NODES:,}."
        )
        raise Refusal(text, type="MAX_NODE_LIMIT_EXCEEDED")
    return Cost(requests=counter.requests, nodes=counter.nodes, names=frozenset(counter.names))
