"""What stands before every route: who asks is known before anything is done, and each answer says what browsers may do.

Who is known how is decided in `app.web.access`; nothing here looks at what is asked for beyond its path.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web import access as known
from app.web.access import SAFE, VISIT, Access, Denied, check_origin
from app.web.problems import problem
from domain.errors import StorageError
from storage.tokens import new_secret

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
"""what browsers are told with each answer, unless the answer says it otherwise"""
TLS_ONLY = ("strict-transport-security", "max-age=31536000")


class Guard:
    """The application behind its door; without `access` only what is open is served behind it."""

    def __init__(self, app: ASGIApp, access: Access | None) -> None:
        self.app = app
        self.access = access
        self.headers = dict(HEADERS)
        if access is not None and access.secure:
            self.headers.update([TLS_ONLY])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        visit: list[str] = []

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    headers.setdefault(name, value)
                for cookie in visit:
                    headers.append("set-cookie", cookie)
            await send(message)

        access = self.access
        if access is not None and not scope["path"].startswith("/webhooks/"):
            request = HTTPConnection(scope)
            refusal = await admit(access, request, visit)
            if refusal is not None:
                await refusal(scope, receive, told)
                return
        await self.app(scope, receive, told)


async def admit(access: Access, request: HTTPConnection, visit: list[str]) -> Response | None:
    """Note who asks in the request's state; return the answer that turns them away, None where they may go on."""
    path, method = request.scope["path"], request.scope["method"]
    try:
        if method not in SAFE and "authorization" not in request.headers:
            check_origin(request, access.public_url)
        if access.is_open(path):
            return None
        person = await access.person(request)
        if person is None:
            raise Denied(401, known.NOT_KNOWN)
    except Denied as denied:
        return turned_away(request, denied)
    except StorageError as error:
        return problem(503, str(error), headers={"retry-after": "5"})
    if person.via in ("none", "proxy") and VISIT not in request.cookies and method in SAFE:
        secret = new_secret()
        visit.append(f"{VISIT}={secret}; Path=/; HttpOnly; SameSite=Strict" + ("; Secure" if access.secure else ""))
        person = replace(person, seal=known.seal_of(secret))
    request.scope.setdefault("state", {})["person"] = person
    return None


def turned_away(request: HTTPConnection, denied: Denied) -> Response:
    """Return the answer for somebody who is not let in: a browser is led to the page where people sign in."""
    path = request.scope["path"]
    wants_page = "text/html" in request.headers.get("accept", "") and not path.startswith(("/api/v1/", "/badge/"))
    if denied.status_code == 401 and wants_page and request.scope["method"] in SAFE:
        query = request.scope.get("query_string", b"").decode("latin-1")
        back = quote(path + (f"?{query}" if query else ""), safe="")
        return RedirectResponse(f"/login?next={back}", 303, headers={"cache-control": "no-store"})
    headers = dict(denied.headers or {})
    if denied.status_code == 401:
        headers["www-authenticate"] = 'Bearer realm="Keyrail"'
    return problem(denied.status_code, denied.detail, headers=headers)
