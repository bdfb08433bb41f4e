"""What is answered where something cannot be: a problem document to programs, a page to people.

Which status an error has is said here once; its words come from where it happened.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from app.web.plain import refusal
from app.web.problems import problem
from domain.errors import KeyrailError, LockedError, StorageError, TransientError, UsageError

log = logging.getLogger("keyrail.web")

FOR_PROGRAMS = ("/api/v1/", "/api/openapi.json", "/badge/")
RETRY_AFTER = {"retry-after": "5"}


async def failed(request: Request, error: Exception) -> Response:
    """Answer an error of ours."""
    status = status_of(error)
    return told(request, status, str(error), RETRY_AFTER if status == 503 else {})


async def refused(request: Request, error: Exception) -> Response:
    """Answer what a route refuses."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    if error.status_code == 404 and error.detail == "Not Found":
        return told(request, 404, "There is nothing here.", headers)
    if error.status_code == 405:
        return told(request, 405, f"{request.method} is not answered here.", headers)
    return told(request, error.status_code, error.detail, headers)


async def broken(request: Request, error: Exception) -> Response:
    """Answer a fault of Keyrail's; what it was stands in the log."""
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return told(request, 500, "Something is wrong in Keyrail itself; its log says what. Nothing was changed.", {})


def status_of(error: Exception) -> int:
    """Return the status of an error."""
    if isinstance(error, UsageError):
        return 400
    return 503 if isinstance(error, StorageError | LockedError | TransientError) else 500


def told(request: Request, status: int, said: str, headers: Mapping[str, str]) -> Response:
    """Return the answer for who asks: programs of the API, people, or those who send webhooks."""
    path = request.url.path
    if path.startswith(FOR_PROGRAMS):
        return problem(status, said, headers=headers)
    if "text/html" in request.headers.get("accept", "") and request.scope.get("state", {}).get("person") is not None:
        page = refusal(HTTPStatus(status).phrase, said, status=status)
        page.headers.update(headers)
        return page
    return JSONResponse({"error": said}, status, headers=dict(headers))


Handler = Callable[[Request, Exception], Awaitable[Response]]
HANDLERS: Mapping[Any, Handler] = {  # Any: what Starlette takes, statuses and classes of errors
    HTTPException: refused,
    KeyrailError: failed,
    Exception: broken,
}
