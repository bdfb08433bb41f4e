"""How trouble looks on the wire at every simulated tracker: connections reset, bodies cut, slow or no JSON, sites down.

Which answer meets which trouble is decided by each tracker's application.
"""

from __future__ import annotations

import asyncio
import socket
import struct

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.demo.faults import Fault, Weather

SIGN_IN = "<!DOCTYPE html><html><head><title>Log in to continue</title></head><body></body></html>"
MAINTENANCE = "<!DOCTYPE html><html><head><title>Down for maintenance</title></head><body></body></html>"
PIECES = 8
"""in which a slow body comes"""


class Cut(Response):
    """An answer that promises its whole length and ends in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: len(self.body) // 2]})


class Reset(Response):
    """No answer at all: the connection is reset."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await reset(receive)


class Slow(Response):
    """An answer whose body takes its time; `seconds` in all."""

    seconds = 1.0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(scope, receive, trickling(send, self.seconds))


def spoiled(response: Response, fault: Fault) -> Response:
    """Return the real answer as a fault leaves it: ``cut``, ``malformed``, ``reset``, ``slow``, or as it is."""
    match fault.kind:
        case "cut":
            return Cut(response.body, response.status_code, media_type="application/json")
        case "malformed":
            return Response(bytes(response.body)[:-1] + b',,"', response.status_code, media_type="application/json")
        case "reset":
            return Reset()
        case "slow":
            slow = Slow(response.body, response.status_code, dict(response.headers))
            slow.seconds = fault.retry_after
            return slow
        case _:
            return response


async def under(weather: Weather, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a request at a site as it is now: down in some way, slow, or well."""
    match weather.down:
        case "":
            await app(scope, receive, trickling(send, weather.trickle) if weather.trickle else send)
        case "reset":
            await reset(receive)
        case "hang":
            await _closed(receive)
        case "unavailable":
            await Response(MAINTENANCE, 503, media_type="text/html")(scope, receive, send)
        case "html":
            await Response(MAINTENANCE, 200, media_type="text/html")(scope, receive, send)
        case other:
            raise ValueError(f"A site is down as 'reset', 'hang', 'unavailable' or 'html', not '{other}'.")


def trickling(send: Send, seconds: float) -> Send:
    """Return a `send` that takes `seconds` for a body."""

    async def slowly(message: Message) -> None:
        body = message.get("body", b"")
        if message["type"] != "http.response.body" or not body:
            await send(message)
            return
        size = -(-len(body) // PIECES)
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        for number, piece in enumerate(pieces, 1):
            await asyncio.sleep(seconds / len(pieces))
            await send({**message, "body": piece, "more_body": number < len(pieces) or message.get("more_body", False)})

    return slowly


async def reset(receive: Receive) -> None:
    """Reset the connection of a request before anything was answered.

    Uvicorn's `receive` is a method of the object that holds the transport; elsewhere ConnectionResetError is raised.
    """
    transport = getattr(getattr(receive, "__self__", None), "transport", None)
    if not isinstance(transport, asyncio.Transport):
        raise ConnectionResetError("The simulated site resets the connection.")
    connection = transport.get_extra_info("socket")
    # Without lingering, closing says RST instead of an orderly end.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _closed(receive)


async def _closed(receive: Receive) -> None:
    """Wait until whoever asked is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
