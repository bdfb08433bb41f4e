"""What a simulated Linear puts on the wire besides data: refusals, limits, and what queued faults make of an answer.

Which answer is due is decided in `linear`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, get_named_type
from starlette.responses import Response

from app.demo.faults import Fault
from app.demo.graphql import Outcome
from app.demo.linear_limits import Limits


def json_answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json; charset=utf-8")


def refusal(status: int, message: str, kind: str, code: str, headers: dict[str, str] | None = None) -> Response:
    """Return an answer that is one error and no data, with Linear's `type` and `code`."""
    told = {"type": kind, "code": code, "statusCode": status, "userError": True, "userPresentableMessage": message}
    return json_answer({"errors": [{"message": message, "extensions": told}]}, status, headers)


def unknown_account(message: str = "Authentication required, not authenticated") -> Response:
    """Return the refusal of credentials."""
    return refusal(401, message, "authentication error", "AUTHENTICATION_ERROR")


def limited(limits: Limits, reason: str, reset: datetime, now: datetime) -> Response:
    """Return the refusal for the rate; `reason` is the empty bucket: ``requests``, ``complexity`` or ``endpoint``."""
    headers, name = limits.headers(now, 0), reason.capitalize()
    if reason == "endpoint":
        name = "Endpoint-Requests"
        headers |= {"X-RateLimit-Endpoint-Name": "graphql", "X-RateLimit-Endpoint-Requests-Limit": "30"}
    headers[f"X-RateLimit-{name}-Remaining"] = "0"
    headers[f"X-RateLimit-{name}-Reset"] = str(int(reset.timestamp() * 1000))
    return refusal(400, "Rate limit exceeded", "ratelimited", "RATELIMITED", headers)


def replaced(fault: Fault, limits: Limits, now: datetime) -> Response | None:
    """Return the answer of a fault that replaces the real one, or None where it spoils the real one."""
    match fault.kind:
        case "rate_limit":
            return limited(limits, fault.reason or "requests", now + timedelta(seconds=fault.retry_after), now)
        case "too_many":
            headers = {"Retry-After": str(fault.retry_after)}
            return refusal(429, "Too many requests", "ratelimited", "RATELIMITED", headers)
        case "refused":
            return unknown_account()
        case "unavailable":
            return Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, media_type="text/html")
        case "overloaded":
            return Response(b"", 503, {"Retry-After": str(fault.retry_after)})
        case "login_page":
            return Response("<!doctype html><title>Log in</title><body>Log in to Linear", 200, media_type="text/html")
        case "internal":
            return json_answer({"data": None, "errors": [_internal()]})
        case _:
            return None


def partial(outcome: Outcome, schema: GraphQLSchema) -> dict[str, Any]:
    """Return the answer's body with a field that may be null taken out of a row, and an error that says so.

    An object goes before a plain value, and both before a field that is null anyway.
    """
    body = outcome.body()
    fields = [
        (root, number, name, row)
        for root, told in (outcome.data or {}).items()
        for number, row in enumerate((told.get("nodes") if isinstance(told, dict) else None) or ())
        for name in _nullable(schema, root)
        if name in row
    ]
    if not fields:
        return body
    root, number, name, row = min(
        fields, key=lambda one: (not isinstance(one[3][one[2]], dict), one[3][one[2]] is None)
    )
    row[name] = None
    error = _internal() | {"path": [root, "nodes", number, name]}
    return body | {"errors": [*body.get("errors", ()), error]}


def _nullable(schema: GraphQLSchema, root: str) -> list[str]:
    """Return the fields that may be null of the rows of a list of the root."""
    query = schema.query_type
    page = get_named_type(query.fields[root].type) if query and root in query.fields else None
    if not isinstance(page, GraphQLObjectType):
        return []
    row = get_named_type(page.fields["nodes"].type)
    fields = row.fields.items() if isinstance(row, GraphQLObjectType) else ()
    return [name for name, one in fields if not isinstance(one.type, GraphQLNonNull)]


def _internal() -> dict[str, Any]:
    told = {"type": "internal error", "code": "INTERNAL_SERVER_ERROR", "statusCode": 500, "userError": False}
    return {"message": "Internal server error", "extensions": told}
