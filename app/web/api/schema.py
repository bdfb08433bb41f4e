"""JSON Schema in few words: what endpoints take and answer is declared with these, and checked by tests.

Values only; nothing is read or checked here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]  # Any: a JSON Schema

ANY: Schema = {}
TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
YES_NO: Schema = {"type": "boolean"}
DAY: Schema = {"type": "string", "format": "date"}
INSTANT: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "array", "items": TEXT}
COUNTS: Schema = {"type": "object", "additionalProperties": NUMBER}
OBJECT: Schema = {"type": "object"}


def maybe(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    if isinstance(schema.get("type"), str):
        kept = {**schema, "type": [schema["type"], "null"]}
        return {**kept, "enum": [*schema["enum"], None]} if "enum" in schema else kept
    return {"anyOf": [schema, {"type": "null"}]}


def one_of(*words: str) -> Schema:
    """Return the schema of one of some words."""
    return {"type": "string", "enum": list(words)}


def many(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def record(fields: Mapping[str, Schema], *, optional: tuple[str, ...] = (), more: bool = False) -> Schema:
    """Return the schema of an object with these fields; `more` allows others."""
    return {
        "type": "object",
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
        "additionalProperties": more,
    }


def named(name: str) -> Schema:
    """Return the schema that stands under a name in the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}
