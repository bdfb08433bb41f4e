"""The endpoints -> the OpenAPI 3.1 document, which tools make clients of, and tests ask by.

Pure: what is declared in the endpoints is all that is known here.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from app.web.api.asked import PAGING
from app.web.api.endpoint import Endpoint, Param
from app.web.api.schema import TEXT, WHOLE, Schema, many, maybe, record
from app.web.api.shapes import NAMED
from app.web.problems import MEDIA_TYPE

Doc = dict[str, Any]  # Any: a JSON document

PROBLEM = record({"type": TEXT, "title": TEXT, "status": WHOLE, "detail": TEXT}, more=True)
SAID = {
    400: "The request cannot be read; the detail says what would be right.",
    401: "Nobody is known, or the token opens nothing.",
    403: "Who asks may not.",
    404: "What is named is not there.",
    413: "The body is too large.",
    415: "The body is no JSON.",
    422: "What is said cannot be; the detail says why.",
    429: "Too many wrong tokens came from this address.",
    500: "Something is wrong in Keyrail; its log says what.",
    503: "The database cannot be used just now; try again.",
}
"""what a status of an error means"""


def openapi(endpoints: Iterable[Endpoint], *, version: str, server: str | None = None) -> Doc:
    """Return the OpenAPI document of endpoints."""
    paths: dict[str, Doc] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Keyrail",
            "version": version,
            "description": "Progress of objectives, computed out of the work. Times are in UTC, parts are of 1.",
        },
        "servers": [{"url": server or "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": {**NAMED, "Problem": PROBLEM},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Made by `keyrail token create NAME`."}
            },
        },
    }


def operation(endpoint: Endpoint) -> Doc:
    """Return what the document says of one endpoint."""
    params = (*endpoint.params, *(PAGING if endpoint.listed else ()))
    doc: Doc = {
        "operationId": endpoint.name,
        "tags": [endpoint.group],
        "summary": endpoint.says,
        "parameters": [parameter(param) for param in params],
        "responses": {**answers(endpoint), **refusals(endpoint)},
    }
    if endpoint.role == "write":
        doc["description"] = "Needs a token of the role `write`."
    if endpoint.body is not None:
        doc["requestBody"] = {"required": True, "content": {"application/json": {"schema": endpoint.body}}}
    return doc


def parameter(param: Param) -> Doc:
    """Return what the document says of a parameter."""
    schema = many(param.schema) if param.repeats else dict(param.schema)
    if param.default is not None and not param.repeats:
        schema["default"] = param.default
    doc: Doc = {"name": param.name, "in": param.where, "description": param.says, "schema": schema}
    if param.where == "path":
        doc["required"] = True
    if param.repeats:
        doc |= {"style": "form", "explode": True}
    return doc


def answers(endpoint: Endpoint) -> Doc:
    """Return what the document says of good answers."""
    shape = reference(endpoint.answer)
    if endpoint.listed:
        shape = record({"records": many(shape), "next": maybe(TEXT)})
    content: Doc = {"application/json": {"schema": shape}}
    if endpoint.listed:
        content["text/csv"] = {"schema": TEXT}
    found: Doc = {str(endpoint.status): {"description": "What was asked for.", "content": content}}
    if endpoint.method == "GET":
        found["200"]["headers"] = {"ETag": {"schema": TEXT, "description": "Send it back as If-None-Match."}}
        found["304"] = {"description": "Nothing has changed since the answer whose ETag was sent."}
    return found


def reference(schema: Schema) -> Schema:
    """Return a reference to a shape by its name."""
    name = next(name for name, known in NAMED.items() if known is schema)
    return {"$ref": f"#/components/schemas/{name}"}


def refusals(endpoint: Endpoint) -> Doc:
    """Return what the document says of errors."""
    statuses = {400, 401, 403, 429, 500, 503}
    if endpoint.missing:
        statuses.add(404)
    if endpoint.body is not None:
        statuses |= {413, 415, 422}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": SAID[status], "content": content} for status in sorted(statuses)}
