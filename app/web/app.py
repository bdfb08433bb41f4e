"""The service's ASGI application: which path is whose.

No lifespan and no state of its own: who serves it opens and closes what is in `Web`.
"""

from __future__ import annotations

from functools import partial

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Route

from app.web import badges, errors, health, login
from app.web.api import routes as api
from app.web.guard import Guard
from app.web.needs import Web
from app.web.pages import routes as pages
from app.web.webhooks import receive


def application(web: Web) -> Starlette:
    """Return the application: webhooks, health and metrics; with `web.access` also what people and programs ask."""
    routes: list[BaseRoute] = [
        Route("/healthz", partial(health.alive, web)),
        Route("/readyz", partial(health.ready, web)),
        Route("/metrics", partial(health.metrics, web)),
    ]
    if web.arrivals is not None:
        take = partial(receive, web, web.arrivals)
        routes += [
            Route(path, take, methods=["POST"]) for path in ("/webhooks/{connection}", "/webhooks/{connection}/")
        ]
    if web.access is not None:
        routes += login.routes(web.access)
    if web.access is not None and web.context is not None:
        routes += api.routes(web.context, version=web.version)
        routes += badges.routes(web.context, public=web.access.auth.badges == "public")
        routes += pages.routes(web, web.context)
    app = Starlette(routes=routes, middleware=[Middleware(Guard, web.access)], exception_handlers=errors.HANDLERS)
    app.router.redirect_slashes = False
    return app
