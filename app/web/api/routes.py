"""The API as routes: every endpoint, the OpenAPI document, and the page that shows it.

Which endpoints there are is said in the files beside.
"""

from __future__ import annotations

from collections.abc import Callable

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.web.api import state, statements, subjects, work
from app.web.api.answer import Answer, answering
from app.web.api.openapi import openapi
from app.web.api.reference import reference
from sync.context import Context

ENDPOINTS = (*subjects.ENDPOINTS, *work.ENDPOINTS, *statements.ENDPOINTS, *state.ENDPOINTS)


def routes(source: Callable[[], Context], *, version: str) -> list[Route]:
    """Return the routes of the API over the workspace in force."""
    described = orjson.dumps(openapi(ENDPOINTS, version=version))
    by_path: dict[str, dict[str, Answer]] = {}
    for endpoint in ENDPOINTS:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = answering(endpoint, source)

    async def schema(request: Request) -> Response:
        return Response(described, media_type="application/json", headers={"cache-control": "private, no-cache"})

    async def docs(request: Request) -> Response:
        base = source().public_url or str(request.base_url).rstrip("/")
        return reference(ENDPOINTS, base=base)

    return [
        Route("/api/openapi.json", schema, methods=["GET"]),
        Route("/api/docs", docs, methods=["GET"]),
        *(
            Route(path.replace("}", ":path}"), one_of(answers), methods=list(answers))
            for path, answers in sorted(by_path.items())
        ),
    ]


def one_of(answers: dict[str, Answer]) -> Answer:
    """Return what answers a path, by the method of the request."""

    async def answer(request: Request) -> Response:
        return await answers["GET" if request.method == "HEAD" else request.method](request)

    return answer
