"""What a simulated Jira puts on the wire besides data: refusals, pages, and what queued faults make of an answer.

A request as the endpoints see it is `Call`; which answer is due is decided in `jira` and its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.demo.faults import Fault
from app.demo.jira_bodies import Body
from app.demo.site import Issue, Site
from app.demo.spoilt import SIGN_IN


class Refusal(Exception):
    """The request is answered with an error body: Jira's `errorMessages` and `errors`."""

    def __init__(self, status: int, *messages: str, errors: dict[str, str] | None = None) -> None:
        super().__init__(*messages)
        self.status = status
        self.body = {"errorMessages": list(messages), "errors": errors or {}}


def json_response(body: Any, status: int = 200) -> Response:
    """Return a JSON answer with the rate-limit headers that all answers carry."""
    headers = {"X-RateLimit-Limit": "100", "X-RateLimit-Remaining": "99"}
    return Response(orjson.dumps(body), status, headers, media_type="application/json;charset=UTF-8")


def replaced(fault: Fault, now: datetime) -> Response | None:
    """Return the answer of a fault that replaces the real one, or None where it spoils the real one's body."""
    match fault.kind:
        case "rate_limit":
            headers, reset = {}, (now + timedelta(seconds=fault.retry_after)).astimezone(UTC)
            if fault.reason is not None:
                headers = {
                    "Retry-After": str(fault.retry_after),
                    "X-RateLimit-Limit": "100",
                    "X-RateLimit-Remaining": "0",
                    "X-RateLimit-Reset": f"{reset:%Y-%m-%dT%H:%M:%SZ}",
                    "RateLimit-Reason": fault.reason,
                }
            return Response(b'{"errorMessages":["Rate limit exceeded."],"errors":{}}', 429, headers, "application/json")
        case "unavailable":
            return Response("<html><body><h1>502 Bad Gateway</h1></body></html>", 502, media_type="text/html")
        case "overloaded":
            headers = {"Retry-After": str(fault.retry_after)}
            return Response(b'{"errorMessage":"Service Unavailable"}', 503, headers, "application/json")
        case "login_page":
            return Response(SIGN_IN, 200, media_type="text/html")
        case "refused":
            return Response(b"", 401, {"X-Seraph-LoginReason": fault.reason or "AUTHENTICATION_DENIED"})
        case _:
            return None


Answer = Callable[["Call"], Any]
Endpoint = tuple[str, str, Answer, str]
"""Methods, path, function, and who may call it: ``account`` or ``anyone``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One authorised request as the endpoints see it."""

    site: Site
    request: Request
    anonymous: bool
    raw: bytes

    @property
    def query(self) -> dict[str, str]:
        """The query parameters, the last of each name."""
        return dict(self.request.query_params)

    def json(self) -> Body:
        """Return the body as an object; raises Refusal where it is none."""
        try:
            body = orjson.loads(self.raw)
        except orjson.JSONDecodeError as error:
            raise Refusal(400, "There was an error parsing JSON. Check that your request body is valid.") from error
        if not isinstance(body, dict):
            raise Refusal(400, "There was an error parsing JSON. Check that your request body is valid.")
        return body

    def issue(self) -> Issue:
        """Return the issue that the path names, by id or any key; raises Refusal 404."""
        found = None if self.anonymous else self.site.find(self.request.path_params["issue"])
        if found is None:
            raise Refusal(404, "Issue does not exist or you do not have permission to see it.")
        return found


def offset_page(call: Call, values: list[Body], *, default: int, most: int) -> Body:
    """Return the page of `values` that `startAt` and `maxResults` ask for."""
    start = int(call.query.get("startAt", 0))
    size = min(int(call.query.get("maxResults", default)), most)
    page = values[start : start + size]
    last = start + len(page) >= len(values)
    here = f"{call.site.url}{call.request.url.path}?maxResults={size}&startAt="
    body = {
        "self": f"{here}{start}", "maxResults": size, "startAt": start, "total": len(values), "isLast": last,
        "values": page,
    }  # fmt: skip
    return body if last else body | {"nextPage": f"{here}{start + size}"}
