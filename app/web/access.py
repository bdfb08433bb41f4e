"""Who asks, and whether they may: tokens, sessions, the header of a trusted proxy, or everybody on loopback.

One guard stands before the application, so that a route nobody thought of is closed, not open; what may be seen
without being known is `OPEN`. How people sign in is in `app.web.login`.
"""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request

from app.web.failures import Failures
from config.access import Auth, is_loopback
from domain.errors import KeyrailError
from storage import audit, tokens
from storage.engine import Store

log = logging.getLogger("keyrail.access")

Role = Literal["read", "write"]
Via = Literal["token", "session", "proxy", "none"]

OPEN = ("/healthz", "/readyz", "/metrics", "/login", "/login/", "/webhooks/", "/static/")
"""paths, or beginnings of paths that end with a slash, for which nobody needs to be known"""
SAFE = ("GET", "HEAD", "OPTIONS")
USE_NOTED = timedelta(hours=1)
"""how exactly the last use of a token is known"""
LONGEST_NAME = 200
LARGEST_FORM = 64 * 1024


class Denied(HTTPException):
    """Somebody is not known (401), may not (403), or failed too often (429); the detail says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who asks. `via` is how they are known, `seal` what a form of theirs must bring back."""

    name: str
    role: Role
    via: Via
    seal: str = ""
    address: str | None = None

    def may(self, role: Role) -> bool:
        """Return whether they may read, or write."""
        return role == "read" or self.role == "write"

    def deed(self, action: str, subject: str, at: datetime, **detail: object) -> audit.Deed:
        """Return what they did, for the account of it."""
        return audit.Deed(
            at=at, by=self.name, via=self.via, address=self.address, action=action, subject=subject, detail=detail
        )


def require(request: HTTPConnection, role: Role = "read") -> Person:
    """Return who asks; raise Denied where they are not known, or may not."""
    person: Person | None = request.scope.get("state", {}).get("person")
    if person is None:
        raise Denied(401, NOT_KNOWN)
    if not person.may(role):
        raise Denied(403, f"{person.name} may read, not write. Ask for a token with --role write.")
    return person


NOT_KNOWN = (
    "Say who asks: with the header 'Authorization: Bearer kr_…' (keyrail token create NAME), or sign in at /login."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who is let in, and how they are known. `public_url` is the address that people type, if it is another."""

    store: Store
    auth: Auth = field(default_factory=Auth)
    public_url: str | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    failures: Failures = field(default_factory=Failures)
    noting: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def secure(self) -> bool:
        """Whether people come over TLS."""
        return (self.public_url or "").startswith("https://")

    @property
    def cookie(self) -> str:
        """The name of the session's cookie; over TLS one that no other host can set."""
        return "__Host-keyrail" if self.secure else "keyrail"

    def is_open(self, path: str) -> bool:
        """Return whether nobody needs to be known for a path."""
        if self.auth.badges == "public" and path.startswith("/badge/"):
            return True
        return any(path == one or (one.endswith("/") and path.startswith(one)) for one in OPEN)

    async def person(self, request: HTTPConnection) -> Person | None:
        """Return who asks, None where nothing says so; raise Denied for what is said and does not hold.

        A token goes before the proxy's header, and that before a session.
        """
        address = self.address(request)
        if self.auth.mode == "none":
            check_host(request, self.public_url)
            return Person(name=local_name(), role="write", via="none", seal=self.visit_seal(request), address=address)
        stated = request.headers.get("authorization")
        if stated is not None:
            return await self.bearer(stated, address)
        if (named := self.proxied(request)) is not None:
            role: Role = "write" if self.auth.may_write(named) else "read"
            return Person(name=named, role=role, via="proxy", seal=self.visit_seal(request), address=address)
        if secret := request.cookies.get(self.cookie):
            async with self.store.read() as tx:
                visitor = await tokens.session(tx, secret, self.now())
            if visitor is not None:
                return person_of(visitor, "session", seal=seal_of(secret), address=address)
        return None

    async def bearer(self, stated: str, address: str | None) -> Person:
        """Return whose token a header states; raise Denied where it opens nothing."""
        scheme, _, secret = stated.partition(" ")
        token = None
        if scheme.lower() == "bearer":
            token = await self.known_token(secret.strip(), address)
        if token is None:
            raise Denied(
                401,
                "This token opens nothing: it is mistyped, has expired or was revoked. `keyrail token list` shows"
                " those that hold, `keyrail token create NAME` makes one.",
            )
        return Person(name=token.name, role=role_of(token.role), via="token", address=address)

    async def known_token(self, secret: str, address: str | None) -> tokens.Issued | None:
        """Return the token of a secret, None where it opens nothing; raise Denied where that was so too often."""
        now = self.now()
        async with self.store.read() as tx:
            token = await tokens.by_secret(tx, secret, now)
        if token is None:
            self.failed(address)
        elif token.used_at is None or now - token.used_at > USE_NOTED:
            self.note_use(token.id, now)
        return token

    def failed(self, address: str | None) -> None:
        """Note that somebody was not let in; raise Denied where that happened too often from an address."""
        wait = self.failures.note(address or "", self.now())
        if wait:
            seconds = str(max(1, round(wait.total_seconds())))
            headers = {"retry-after": seconds}
            raise Denied(429, f"Too often wrong from this address. Try again in {seconds} seconds.", headers=headers)

    def note_use(self, id_: str, now: datetime) -> None:
        """Note the use of a token, without having who asks wait for it."""

        async def note() -> None:
            try:
                async with self.store.write() as tx:
                    await tokens.note_use(tx, id_, now)
            except KeyrailError as error:
                log.warning("The last use of a token was not noted: %s", error)

        task = asyncio.create_task(note())
        self.noting.add(task)
        task.add_done_callback(self.noting.discard)

    def proxied(self, request: HTTPConnection) -> str | None:
        """Return whom a proxy that is believed names; None where there is none."""
        if self.auth.mode != "proxy" or not self.auth.trusts(peer(request)):
            return None
        said = request.headers.getlist(self.auth.header)
        if not said:
            return None
        name = said[0].strip()
        if len(said) > 1 or not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise Denied(
                401, f"The proxy must name one person in {self.auth.header}, and strip what others sent there."
            )
        return name

    def address(self, request: HTTPConnection) -> str | None:
        """Return where somebody comes from: of a believed proxy, whom it says that it speaks for."""
        found = peer(request)
        if self.auth.mode == "proxy" and self.auth.trusts(found):
            last = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
            return last[:LONGEST_NAME] or found
        return found

    def visit_seal(self, request: HTTPConnection) -> str:
        """Return what forms of somebody without a session bring back; empty where their browser has no visit yet."""
        return seal_of(request.cookies.get(VISIT, ""))


VISIT = "keyrail_visit"
"""the cookie of a browser whose person is known without a session, for the seal of its forms"""


def peer(request: HTTPConnection) -> str | None:
    """Return the address at the other end of the connection."""
    return request.client.host if request.client is not None else None


def person_of(visitor: tokens.Visitor, via: Via, *, seal: str, address: str | None) -> Person:
    """Return the person of a session."""
    return Person(name=visitor.name, role=role_of(visitor.role), via=via, seal=seal, address=address)


def role_of(stored: str) -> Role:
    """Return a role as it is stored; what is unknown reads."""
    return "write" if stored == "write" else "read"


def seal_of(secret: str) -> str:
    """Return what a form must bring back, from the secret of a cookie that no other site can read."""
    return hashlib.sha256(f"form {secret}".encode()).hexdigest() if secret else ""


def local_name() -> str:
    """Return who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "operator"


def check_host(request: HTTPConnection, public_url: str | None) -> None:
    """Raise Denied for a name that only looks like this machine: another site can give its own to loopback."""
    host = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if not is_loopback(host) and host != urlsplit(public_url or "").hostname:
        raise Denied(403, f"With KEYRAIL_AUTH=none this is served as localhost alone, not as '{host[:100]}'.")


def check_origin(request: HTTPConnection, public_url: str | None) -> None:
    """Raise Denied for a change that another site has a person's browser ask for."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Denied(403, "This was asked for by another site. Open Keyrail itself, and do it there.")
    origin = request.headers.get("origin")
    if origin is None:
        return
    host = urlsplit(origin).netloc
    if host not in (request.headers.get("host"), urlsplit(public_url or "").netloc) or not host:
        raise Denied(403, "This was asked for by another site. Open Keyrail itself, and do it there.")


async def posted(request: Request, role: Role = "write") -> dict[str, str]:
    """Return the fields of a form that a person sent; raise Denied where they may not, or it was not their own page.

    A form holds `<input type="hidden" name="seal" value="…">` with the seal of its person.
    """
    person = require(request, role)
    found = await fields_of(request)
    if person.via != "token" and (not person.seal or found.pop("seal", None) != person.seal):
        raise Denied(403, "The page was open for too long. Go back, load it again, and send it once more.")
    return found


async def fields_of(request: Request) -> dict[str, str]:
    """Return the fields of a form; of one that is there twice, the last."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_FORM:
            raise HTTPException(413, f"A form has at most {LARGEST_FORM // 1024} KB.")
    try:
        pairs: list[tuple[str, Any]] = parse_qsl(
            bytes(body).decode(), keep_blank_values=True, max_num_fields=100, errors="strict"
        )
    except ValueError as error:
        raise HTTPException(400, "The form cannot be read.") from error
    return dict(pairs)
