"""A GraphQL server without HTTP: documents are run against an SDL, for simulated trackers that speak it.

No vendor and no state in here: what a field says comes from resolvers, how an error reads from a wording.
"""

from __future__ import annotations

import functools
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    GraphQLSchema,
    OperationDefinitionNode,
    Visitor,
    build_ast_schema,
    execute_sync,
    get_nullable_type,
    is_leaf_type,
    parse,
    validate,
    visit,
)
from graphql.execution.incremental.incremental_executor import IncrementalExecutor
from graphql.language import REMOVE, FieldDefinitionNode, NamedTypeNode, Node
from graphql.pyutils import Path, Undefined
from graphql.utilities import get_operation_ast

Told = dict[str, Any]
"""An object as JSON has it."""

Resolver = Callable[..., Any]
"""(source, context, **arguments) -> what the field says; raises Refusal"""

Wording = Callable[[GraphQLError, str], Told]
"""(error, stage) -> how the vendor says it; `stage` is ``syntax``, ``rules``, ``variables`` or ``field``"""

DOCUMENTS_KEPT = 256


class Refusal(Exception):
    """A field, or the whole call, is refused: the message, and what else the error object says."""

    def __init__(self, message: str, **told: Any) -> None:
        super().__init__(message)
        self.told = told


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A document that was parsed and checked once; `errors` are those of reading it, worded."""

    text: str
    document: DocumentNode | None
    errors: tuple[Told, ...] = ()

    def operation(self, name: str | None = None) -> OperationDefinitionNode | None:
        """Return the operation of that name, or the only one."""
        return get_operation_ast(self.document, name) if self.document else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What running a document gave: `data` is None where nothing ran, or where a null went up to the root."""

    data: Told | None
    errors: tuple[Told, ...] = ()
    ran: bool = True

    def body(self) -> Told:
        """Return the answer's JSON: without `data` where nothing ran, without `errors` where there are none."""
        told: Told = {"data": self.data} if self.ran else {}
        return told | ({"errors": list(self.errors)} if self.errors else {})


def plain_words(error: GraphQLError, stage: str) -> Told:
    """Word an error as the specification does, with what a `Refusal` adds."""
    cause = error.original_error
    return {**error.formatted, **(cause.told if isinstance(cause, Refusal) else {})}


class Engine:
    """A schema and its resolvers; documents are parsed and checked once by their text.

    `resolvers` are named ``Type.field``; a name of an interface stands for all types that have it. A field without
    one is read from its source: the key of a mapping, or the attribute of that name in snake case. Objects behind an
    interface or a union say their type by the key ``__typename`` or the attribute ``typename``. `scalars` write the
    values of the schema's own scalars, by name.
    """

    def __init__(
        self,
        schema: GraphQLSchema,
        resolvers: Mapping[str, Resolver],
        wording: Wording = plain_words,
        scalars: Mapping[str, Callable[[Any], Any]] | None = None,
    ) -> None:
        self.schema = schema
        self._wording = wording
        self._kept: OrderedDict[str, Prepared] = OrderedDict()
        for name, write in (scalars or {}).items():
            scalar = schema.type_map.get(name)
            if isinstance(scalar, GraphQLScalarType):
                scalar.coerce_output_value = write
        for place, resolver in resolvers.items():
            _attach(schema, place, resolver)

    def prepare(self, text: str) -> Prepared:
        """Parse and check a document, or return what an earlier call found."""
        kept = self._kept.get(text)
        if kept is None:
            kept = self._kept[text] = self._read(text)
            if len(self._kept) > DOCUMENTS_KEPT:
                self._kept.popitem(last=False)
        else:
            self._kept.move_to_end(text)
        return kept

    def run(
        self, prepared: Prepared, variables: Mapping[str, Any] | None, context: Any, name: str | None = None
    ) -> Outcome:
        """Run a prepared document; errors of resolvers other than Refusal are ours and are raised."""
        if prepared.document is None or prepared.errors:
            return Outcome(data=None, errors=prepared.errors, ran=False)
        result = execute_sync(
            self.schema,
            prepared.document,
            root_value={},
            context_value=context,
            variable_values=dict(variables or {}),
            operation_name=name,
            field_resolver=_from_source,
            type_resolver=_type_of,
            executor_class=_Executor,
        )
        stage = "field" if result.data is not None or any(e.path for e in result.errors or ()) else "variables"
        for error in result.errors or ():
            cause = error.original_error
            if cause is not None and not isinstance(cause, Refusal | GraphQLError):
                raise cause
        errors = tuple(self._wording(error, stage) for error in result.errors or ())
        return Outcome(data=result.data, errors=errors, ran=stage == "field")

    def _read(self, text: str) -> Prepared:
        try:
            document = parse(text)
        except GraphQLError as error:
            return Prepared(text=text, document=None, errors=(self._wording(error, "syntax"),))
        broken = tuple(self._wording(error, "rules") for error in validate(self.schema, document))
        return Prepared(text=text, document=document, errors=broken)


class _Executor(IncrementalExecutor):
    """Executes as the library does, but reads fields that are mere values straight from their source.

    Most fields of an answer are such; the way round resolvers, arguments and their errors would double its time.
    """

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Any,
        grouped_field_set: Any,
        position_context: Any,
    ) -> Any:
        values = parent_type.extensions.get(_VALUES)
        if values is None:
            values = parent_type.extensions[_VALUES] = _values_of(parent_type)
        keyed = isinstance(source_value, dict)
        results: dict[str, Any] = {}
        for answer_name, details in grouped_field_set.items():
            name = details[0].node.name.value
            if name == "__typename":
                results[answer_name] = parent_type.name
                continue
            plain = values.get(name)
            if plain is not None:
                value = source_value[name] if keyed else getattr(source_value, plain[0])
                if value is not None:
                    results[answer_name] = plain[1](value)
                    continue
                if plain[2]:
                    results[answer_name] = None
                    continue
            told = self.execute_field(
                parent_type, source_value, details, Path(path, answer_name, parent_type.name), position_context
            )
            if told is not Undefined:
                results[answer_name] = told
        return results


_VALUES = "values"


def _values_of(kind: GraphQLObjectType) -> dict[str, tuple[str, Callable[[Any], Any], bool]]:
    """Return the fields of a type that are mere values: attribute, how it is written, whether it may be null."""
    found = {}
    for name, one in kind.fields.items():
        leaf = get_nullable_type(one.type)
        if one.resolve is None and is_leaf_type(leaf):
            found[name] = (snake(name), leaf.coerce_output_value, leaf is one.type)
    return found


def schema_of(sdl: str, *, without: Iterable[str] = ()) -> GraphQLSchema:
    """Build a schema without what `without` names: ``Type``, ``Type.field`` or ``Type.field.argument``.

    Values of enums are named like fields. With a type go the fields that are of it, and its place in unions.
    """
    document = parse(sdl)
    if gone := frozenset(without):
        document = visit(document, _Without(gone))
    return build_ast_schema(document)


class _Without(Visitor):
    """Takes definitions out of an SDL document."""

    def __init__(self, gone: frozenset[str]) -> None:
        super().__init__()
        self.gone = gone

    def enter(self, node: Node, key: Any, _parent: Any, path: list[Any], ancestors: list[Any]) -> Any:
        name = getattr(getattr(node, "name", None), "value", None)
        if isinstance(node, NamedTypeNode):
            listed = isinstance(key, int) and path[-2] in ("types", "interfaces")
            return REMOVE if listed and name in self.gone else None
        if not node.kind.endswith("definition") or name is None:
            return None
        if isinstance(node, FieldDefinitionNode) and self._type(node) in self.gone:
            return REMOVE
        above = [a.name.value for a in ancestors if hasattr(a, "name")]
        return REMOVE if ".".join([*above, name]) in self.gone else None

    @staticmethod
    def _type(node: FieldDefinitionNode) -> str:
        kind: Any = node.type
        while not isinstance(kind, NamedTypeNode):
            kind = kind.type
        return kind.name.value


def _attach(schema: GraphQLSchema, place: str, resolver: Resolver) -> None:
    """Make a resolver answer for a field, on every type behind an interface; places the schema lacks are left out."""
    type_name, _, field_name = place.partition(".")
    kind = schema.type_map.get(type_name)
    types: list[Any] = [kind]
    if isinstance(kind, GraphQLInterfaceType):
        types = list(schema.get_implementations(kind).objects)

    def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        return resolver(source, info.context, **arguments)

    for one in types:
        field = one.fields.get(field_name) if isinstance(one, GraphQLObjectType) else None
        if field is not None and field.resolve is None:
            field.resolve = resolve


def _from_source(source: Any, info: GraphQLResolveInfo[Any], **_: Any) -> Any:
    name = info.field_name
    return source[name] if isinstance(source, dict) else getattr(source, snake(name))


@functools.cache
def snake(name: str) -> str:
    """Write a name in snake case: ``updatedAt`` is ``updated_at``, ``projectV2`` is ``project_v2``."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _type_of(value: Any, info: GraphQLResolveInfo[Any], _kind: Any) -> str:
    name: str = value["__typename"] if isinstance(value, dict) else value.typename
    return name


__all__ = [
    "Engine",
    "Outcome",
    "Prepared",
    "Refusal",
    "Resolver",
    "Wording",
    "plain_words",
    "schema_of",
    "snake",
]
