"""The schema of a simulated Linear put together with what each field says, and errors in Linear's words.

No HTTP here; `linear_reads` and `linear_writes` hold the resolvers that are more than an attribute.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from operator import attrgetter
from pathlib import Path
from typing import Any

from graphql import GraphQLError, GraphQLObjectType, GraphQLScalarType, GraphQLSchema

from app.demo import linear_model as model
from app.demo.graphql import Engine, Refusal, Resolver, schema_of
from app.demo.linear_edits import stamp
from app.demo.linear_lists import snake
from app.demo.linear_reads import READS, told
from app.demo.linear_writes import WRITES

SDL = Path(__file__).with_name("linear.graphql")
NEWER = "extend type Project { identifier: String! previousIdentifiers: [String!]! leadTeam: Team }"
"""What a later version of the schema has (SDK 98 of October 2026)."""

ROWS: Mapping[str, type] = {
    "User": model.User,
    "Team": model.Team,
    "WorkflowState": model.State,
    "IssueLabel": model.Label,
    "ProjectLabel": model.Label,
    "InitiativeLabel": model.Label,
    "Cycle": model.Cycle,
    "ProjectStatus": model.ProjectStatus,
    "Project": model.Project,
    "ProjectMilestone": model.Milestone,
    "Initiative": model.Initiative,
    "InitiativeToProject": model.InitiativeToProject,
    "InitiativeRelation": model.InitiativeRelation,
    "Issue": model.Issue,
    "IssueRelation": model.IssueRelation,
    "Attachment": model.Attachment,
    "IssueHistory": model.History,
    "ProjectUpdate": model.Update,
    "InitiativeUpdate": model.Update,
    "EntityExternalLink": model.Link,
    "Webhook": model.Webhook,
}
"""Types of the schema that are rows: a field without a resolver of its own is the attribute of that name."""

_SAID: Mapping[str, Callable[[Any], Any]] = {
    "DateTime": stamp,
    "TimelessDate": date.isoformat,
    "JSONObject": lambda value: value,
}


def engine_of(*, newer: bool = False, without: Iterable[str] = ()) -> Engine:
    """Return the engine; `newer` adds what later schemas have, `without` takes fields away as Linear does unasked."""
    return _engine(newer, frozenset(without))


@functools.lru_cache(maxsize=4)
def _engine(newer: bool, without: frozenset[str]) -> Engine:
    schema = schema_of(f"{SDL.read_text(encoding='utf-8')}\n{NEWER if newer else ''}", without=without)
    for name, say in _SAID.items():
        kind = schema.type_map[name]
        if isinstance(kind, GraphQLScalarType):
            kind.coerce_output_value = say
    return Engine(schema, {**_attributes(schema), **_connections(schema), **READS, **WRITES}, wording)


def wording(error: GraphQLError, stage: str) -> dict[str, Any]:
    """Word an error as Linear does."""
    said = dict(error.formatted)
    if isinstance(error.original_error, Refusal):
        return {**said, **error.original_error.told}
    codes = {"syntax": "GRAPHQL_PARSE_FAILED", "rules": "GRAPHQL_VALIDATION_FAILED", "variables": "BAD_USER_INPUT"}
    code = codes.get(stage, "INTERNAL_SERVER_ERROR")
    return {**said, "extensions": {"type": "graphql error", "code": code, "userError": stage in codes}}


def _attributes(schema: GraphQLSchema) -> dict[str, Resolver]:
    """Return a resolver for each field of a row that is an attribute, or something that history tells."""
    found: dict[str, Resolver] = {}
    for name, row in ROWS.items():
        kind = schema.type_map[name]
        for field in kind.fields if isinstance(kind, GraphQLObjectType) else ():
            if hasattr(row, snake(field)):
                found[f"{name}.{field}"] = _attribute(snake(field))
            elif row is model.History:
                found[f"{name}.{field}"] = told(field)
    return found


def _attribute(name: str) -> Resolver:
    read = attrgetter(name)
    return lambda row, _: read(row)


def _connections(schema: GraphQLSchema) -> dict[str, Resolver]:
    parts: Mapping[str, Resolver] = {
        "nodes": lambda page, _: page.nodes,
        "pageInfo": lambda page, _: page.page_info,
        "edges": lambda page, _: page.edges(),
    }
    kinds = [name for name in schema.type_map if name.endswith("Connection")]
    return {f"{kind}.{field}": resolve for kind in kinds for field, resolve in parts.items()}
