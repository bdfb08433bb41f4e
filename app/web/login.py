"""Signing in and out: a token typed, or a link that works once, becomes the session of a browser.

What a session may do is decided in `app.web.access`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from app.web.access import Access, Denied, fields_of, local_name, posted
from app.web.plain import STYLESHEET, sign_in, style
from storage import audit, tokens
from storage.engine import Store

SESSION: Final = timedelta(days=30)
LINK: Final = timedelta(hours=1)
"""how long a link that was printed works, if nobody used it"""


def routes(access: Access) -> list[Route]:
    """Return the ways in and out."""

    async def look(request: Request) -> Response:
        return await arrive(access, request)

    async def sign(request: Request) -> Response:
        return await with_token(access, request)

    async def leave(request: Request) -> Response:
        return await sign_out(access, request)

    async def styled(request: Request) -> Response:
        return style()

    return [
        Route("/login", look, methods=["GET"]),
        Route("/login", sign, methods=["POST"]),
        Route(STYLESHEET, styled, methods=["GET"]),
        Route("/logout", leave, methods=["POST"]),
    ]


async def arrive(access: Access, request: Request) -> Response:
    """Show where to sign in, or let in whoever follows a link."""
    next_ = inside(request.query_params.get("next"))
    secret = request.query_params.get("once")
    if secret is None:
        return sign_in(next_=next_)
    now = access.now()
    visitor = None
    async with access.store.read() as tx:
        works = await tokens.is_link(tx, secret, now)
    if works:
        async with access.store.write() as tx:
            visitor = await tokens.use_link(tx, secret, now)
    if visitor is None:
        said = (
            "This link has been used, or is over. Sign in with a token, or start keyrail serve again for another link."
        )
        return refused(access, request, next_, said)
    return await let_in(access, request, visitor, next_, now, how="link")


async def with_token(access: Access, request: Request) -> Response:
    """Let in whoever types a token that holds."""
    found = await fields_of(request)
    next_ = inside(found.get("next"))
    address = access.address(request)
    try:
        token = await access.known_token(found.get("token", "").strip(), address)
    except Denied as denied:
        return sign_in(next_=next_, said=denied.detail, status=denied.status_code)
    if token is None:
        said = "This token opens nothing: it is mistyped, has expired or was revoked."
        return sign_in(next_=next_, said=said, status=403)
    visitor = tokens.Visitor(name=token.name, role=token.role, token=token.id)
    return await let_in(access, request, visitor, next_, access.now(), how="token")


def refused(access: Access, request: Request, next_: str, said: str) -> Response:
    """Answer a link that does not work; too many of them wait."""
    try:
        access.failed(access.address(request))
    except Denied as denied:
        return sign_in(next_=next_, said=denied.detail, status=denied.status_code)
    return sign_in(next_=next_, said=said, status=403)


async def let_in(
    access: Access, request: Request, visitor: tokens.Visitor, next_: str, now: datetime, *, how: str
) -> Response:
    """Open a session, and lead on to where somebody wanted to go."""
    async with access.store.write() as tx:
        secret = await tokens.open_login(
            tx,
            "session",
            name=visitor.name,
            role=visitor.role,
            token=visitor.token,
            now=now,
            expires_at=now + SESSION,
        )
        came = audit.Deed(
            at=now,
            by=visitor.name,
            via="session",
            address=access.address(request),
            action="sign in",
            subject=how,
            detail={"role": visitor.role},
        )
        await audit.note(tx, came)
    response = RedirectResponse(next_, 303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})
    response.set_cookie(
        access.cookie,
        secret,
        max_age=int(SESSION.total_seconds()),
        path="/",
        secure=access.secure,
        httponly=True,
        samesite="lax",
    )
    return response


async def sign_out(access: Access, request: Request) -> Response:
    """End the session of a browser."""
    await posted(request, "read")
    if secret := request.cookies.get(access.cookie):
        async with access.store.write() as tx:
            await tokens.close_session(tx, secret)
    response = RedirectResponse("/login", 303, headers={"cache-control": "no-store", "clear-site-data": '"cache"'})
    response.delete_cookie(access.cookie, path="/", secure=access.secure, httponly=True, samesite="lax")
    return response


def inside(path: str | None) -> str:
    """Return a path of this site, ``/`` for anything else."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\", "/login")) or not path.isprintable():
        return "/"
    there = urlsplit(path)
    return path if not there.scheme and not there.netloc and "\\" not in path else "/"


async def login_link(store: Store, url: str, now: datetime) -> str:
    """Make a link at `url` that lets in, once and for an hour, whoever follows it; they may write."""
    async with store.write() as tx:
        secret = await tokens.open_login(tx, "link", name=local_name(), role="write", now=now, expires_at=now + LINK)
    return f"{url}/login?once={secret}"
