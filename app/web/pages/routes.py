"""Which path is which page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from app.web.needs import Web
from app.web.pages import portfolio, publish, subject, sync
from app.web.pages.coverage import coverage
from app.web.pages.desk import STATIC, Desk
from app.web.pages.live import Bell, live
from app.web.pages.overview import overview
from app.web.pages.session import published, session
from app.web.pages.whatif import what_if
from sync.context import Context

Page = Callable[[Desk, Request], Awaitable[Response]]

PAGES: dict[str, Page] = {
    "/": overview,
    "/objectives/{id}": subject.objective,
    "/key-results/{id}": subject.key_result,
    "/initiatives/{id:path}": subject.initiative,
    "/items/{id:path}": subject.item,
    "/portfolio": portfolio.portfolio,
    "/roadmap": portfolio.roadmap,
    "/what-if": what_if,
    "/coverage": coverage,
    "/sync": sync.sync,
    "/publish": publish.publish,
    "/session": session,
    "/key_results/{id}": published,
}
"""the last one is what published texts link to"""
FORMS: dict[str, Page] = {
    "/key-results/{id}/check-in": subject.check_in,
    "/sync/replay": sync.replay,
    "/publish/release": publish.release,
}
"""what people send; who may is asked where it is read"""


class Files(StaticFiles):
    """Our own files; one that is asked for by its print never changes."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        """Return the answer with a file."""
        answer = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # handed on as they came
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def routes(web: Web, source: Callable[[], Context]) -> list[BaseRoute]:
    """Return the routes of the dashboard."""
    desk = Desk(web=web, source=source)
    found: list[BaseRoute] = [Mount("/static", GZipMiddleware(Files(directory=STATIC), minimum_size=500))]
    found += [Route(path, partial(page, desk), methods=["POST"]) for path, page in FORMS.items()]
    found += [
        Route("/live", partial(live, desk, Bell())),
        *(Route(path, partial(page, desk)) for path, page in PAGES.items()),
    ]
    return found
