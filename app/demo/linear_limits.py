"""What a call costs on Linear, and the two buckets that it is taken from.

Source of the formula: https://linear.app/developers/rate-limiting. No HTTP: `linear` writes the headers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
    is_leaf_type,
)

MOST = 10_000
DEFAULT_PAGE = 50
PROPERTY, OBJECT = 0.1, 1.0
HOUR = timedelta(hours=1)


def complexity(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> float:
    """Return the points of an operation: 0.1 a property, 1 an object, a connection times its `first` (else 50)."""
    root = schema.get_root_type(operation.operation)
    parts = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    return _Cost(schema, parts, variables).of(operation.selection_set, root)


@dataclass(frozen=True, slots=True)
class _Cost:
    schema: GraphQLSchema
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: Mapping[str, Any]

    def of(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> float:
        """Return the points of what is selected of a type, without the object itself."""
        points = 0.0
        for one in selections.selections:
            match one:
                case FieldNode():
                    points += self._field(one, parent)
                case InlineFragmentNode():
                    condition = one.type_condition
                    inner = self.schema.get_type(condition.name.value) if condition else parent
                    points += self.of(one.selection_set, inner)
                case FragmentSpreadNode():
                    fragment = self.fragments[one.name.value]
                    points += self.of(fragment.selection_set, self.schema.get_type(fragment.type_condition.name.value))
        return points

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> float:
        if node.selection_set is None:
            return PROPERTY
        known = (
            parent.fields.get(node.name.value) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None
        )
        kind = get_named_type(known.type) if known else None
        if kind is not None and is_leaf_type(kind):
            return PROPERTY
        inner = self.of(node.selection_set, kind)
        if (
            kind is not None
            and parent is not None
            and parent.name.endswith("Connection")
            and node.name.value != "pageInfo"
        ):
            return OBJECT + inner
        if kind is None or not kind.name.endswith("Connection"):
            return OBJECT + inner
        page = self._page_info(node.selection_set, kind)
        return OBJECT + page + _first(node, self.variables) * (inner - page)

    def _page_info(self, selections: SelectionSetNode, kind: GraphQLNamedType) -> float:
        """Return the points of a connection's own part, which there is once."""
        named = [one for one in selections.selections if isinstance(one, FieldNode) and one.name.value == "pageInfo"]
        return sum(self._field(one, kind) for one in named)


def _first(node: FieldNode, variables: Mapping[str, Any]) -> int:
    """Return how many rows a connection was asked for."""
    for argument in node.arguments or ():
        if argument.name.value == "first":
            match argument.value:
                case IntValueNode(value=text):
                    return int(text)
                case VariableNode(name=name):
                    given = variables.get(name.value)
                    return given if isinstance(given, int) else DEFAULT_PAGE
    return DEFAULT_PAGE


@dataclass(slots=True, kw_only=True)
class Bucket:
    """A leaky bucket: `limit` units, full again an hour after it was emptied; it refills continuously."""

    limit: float
    left: float = -1.0
    at: datetime | None = None

    def take(self, units: float, now: datetime) -> bool:
        """Take units out; False where there are not enough of them, and none are taken."""
        self._refill(now)
        if self.left < units:
            return False
        self.left -= units
        return True

    def remaining(self, now: datetime) -> float:
        """Return what is left."""
        self._refill(now)
        return self.left

    def reset(self, now: datetime) -> datetime:
        """Return when the bucket is full again."""
        self._refill(now)
        return now + HOUR * ((self.limit - self.left) / self.limit)

    def _refill(self, now: datetime) -> None:
        if self.at is None or self.left < 0:
            self.left = self.limit
        else:
            self.left = min(self.limit, self.left + self.limit * ((now - self.at) / HOUR))
        self.at = now


@dataclass(slots=True, kw_only=True)
class Limits:
    """The account's two buckets; the sizes are those of a personal key."""

    requests: Bucket = field(default_factory=lambda: Bucket(limit=2_500))
    complexity: Bucket = field(default_factory=lambda: Bucket(limit=3_000_000))

    def headers(self, now: datetime, cost: float) -> dict[str, str]:
        """Return the headers that tell of both; resets are epoch milliseconds."""
        out = {"X-Complexity": str(round(cost))}
        for name, bucket in (("Requests", self.requests), ("Complexity", self.complexity)):
            out[f"X-RateLimit-{name}-Limit"] = str(int(bucket.limit))
            out[f"X-RateLimit-{name}-Remaining"] = str(int(bucket.remaining(now)))
            out[f"X-RateLimit-{name}-Reset"] = str(int(bucket.reset(now).timestamp() * 1000))
        return out

    def status(self, identifier: str, now: datetime) -> dict[str, Any]:
        """Return what `rateLimitStatus` says."""
        limits = [
            {
                "type": name,
                "allowedAmount": bucket.limit,
                "remainingAmount": int(bucket.remaining(now)),
                "requestedAmount": 0,
                "period": 3_600_000,
                "reset": int(bucket.reset(now).timestamp() * 1000),
            }
            for name, bucket in (("request", self.requests), ("complexity", self.complexity))
        ]
        return {"identifier": identifier, "kind": "user", "limits": limits}


def charged(
    cost: float, operation: OperationDefinitionNode, variables: Mapping[str, Any], data: Mapping[str, Any] | None
) -> float:
    """Return the points that are taken in the end: those of the rows that came, often far fewer than were asked for.

    Source: charges observed by others; the formula alone decides whether a query is too complex.
    """
    asked = came = 0
    for node in operation.selection_set.selections:
        if isinstance(node, FieldNode):
            told = (data or {}).get(node.alias.value if node.alias else node.name.value)
            if isinstance(told, dict) and "nodes" in told:
                asked, came = asked + _first(node, variables), came + len(told["nodes"])
    return cost if not asked else max(1.0, cost * min(1.0, came / asked))
