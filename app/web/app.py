"""The service's ASGI application: which path is whose.

No lifespan and no state of its own: who serves it opens and closes what is in `Web`.
"""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.web import health
from app.web.needs import Web
from app.web.webhooks import receive


def application(web: Web) -> Starlette:
    """Return the application: webhooks, health and metrics."""
    routes = [
        Route("/healthz", partial(health.alive, web)),
        Route("/readyz", partial(health.ready, web)),
        Route("/metrics", partial(health.metrics, web)),
    ]
    if web.arrivals is not None:
        take = partial(receive, web, web.arrivals)
        routes += [
            Route(path, take, methods=["POST"]) for path in ("/webhooks/{connection}", "/webhooks/{connection}/")
        ]
    app = Starlette(routes=routes, exception_handlers={404: _nothing, 405: _not_so})
    app.router.redirect_slashes = False
    return app


async def _nothing(request: Request, error: Exception) -> Response:
    return JSONResponse({"error": "There is nothing here."}, 404)


async def _not_so(request: Request, error: Exception) -> Response:
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": f"{request.method} is not answered here."}, 405, headers=headers)
