"""Who asks, with the way out; and the addresses that published texts carry."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from app.web.pages.desk import Desk, address


async def session(desk: Desk, request: Request) -> Response:
    """Answer the page of who asks."""
    ask = await desk.ask(request)
    return ask.page("session.html", title="Session")


async def published(desk: Desk, request: Request) -> Response:
    """Lead from the address in a published text to the page of its key result."""
    return RedirectResponse(address("key_result", request.path_params["id"]), 301)
