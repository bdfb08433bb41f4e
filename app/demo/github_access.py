"""Who may call the simulated GitHub: personal tokens, a GitHub App and its installation tokens, and what each has left.

No HTTP in here; a refusal is a value that the application words.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from app.demo.github_things import Account

SCOPES = ("repo", "read:org", "read:project")
PERMISSIONS = {"issues": "write", "metadata": "read", "organization_projects": "write", "pull_requests": "read"}
EVENTS = ("issues", "sub_issues", "issue_dependencies", "milestone", "projects_v2_item")
"""What the GitHub App is told of; chosen in its settings alone"""
WINDOW = timedelta(hours=1)
LEEWAY = timedelta(seconds=60)
LONGEST_JWT = timedelta(minutes=10)


class RefusedError(Exception):
    """Credentials that GitHub refuses with 401, and its words for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token: ``classic`` has scopes, ``fine_grained`` and ``installation`` ones have permissions."""

    value: str
    kind: str
    account: Account
    scopes: tuple[str, ...] = ()
    expires_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class Window:
    """What an account may use of a resource (``core`` or ``graphql``) in an hour."""

    limit: int
    reset: datetime
    used: int = 0

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A registered GitHub App with one installation; `private_key` is the PEM that its owner was given."""

    id: int
    client_id: str
    slug: str
    installation: int
    bot: Account
    private_key: str = field(repr=False)
    public_key: str = field(repr=False)


class Access:
    """The credentials that a site knows, and the limits of their accounts."""

    def __init__(self, me: Account, token: str, now: Callable[[], datetime]) -> None:
        self._now = now
        self.limits = {"core": 5000, "graphql": 5000}
        self.lifetime = timedelta(hours=1)
        """of an installation token"""
        self.app: App | None = None
        self.permissions: Mapping[str, str] = PERMISSIONS
        self.events: Sequence[str] = EVENTS
        self.issued = 0
        self._tokens = {token: Token(value=token, kind="classic", account=me, scopes=SCOPES)}
        self._windows: dict[tuple[int, str], Window] = {}

    def add_token(self, value: str, account: Account, *, scopes: Sequence[str] | None = SCOPES) -> Token:
        """Accept one more personal token: classic with scopes, fine-grained where `scopes` is None."""
        kind = "fine_grained" if scopes is None else "classic"
        self._tokens[value] = Token(value=value, kind=kind, account=account, scopes=tuple(scopes or ()))
        return self._tokens[value]

    def revoke(self, value: str) -> None:
        """Accept a token no longer."""
        self._tokens.pop(value, None)

    def add_app(self, bot: Account, *, id: int = 123_456, installation: int = 7_654_321) -> App:
        """Register a GitHub App with a new key, installed once; its tokens act as `bot`."""
        key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        slug = bot.login.removesuffix("[bot]")
        self.app = App(
            id=id, client_id=f"Iv23li{slug}", slug=slug, installation=installation, bot=bot,
            private_key=private.decode(), public_key=public.decode(),
        )  # fmt: skip
        return self.app

    def token(self, header: str | None) -> Token | None:
        """Return the token of an `Authorization` header, None for nobody; raise RefusedError for a worthless one."""
        if not header:
            return None
        scheme, _, value = header.partition(" ")
        known = self._tokens.get(value)
        if scheme.casefold() not in ("bearer", "token") or known is None:
            raise RefusedError("Bad credentials")
        if known.expires_at is not None and known.expires_at <= self._now():
            raise RefusedError("Bad credentials")
        return known

    def application(self, header: str | None) -> App:
        """Return the App that a JSON web token proves; raise RefusedError with GitHub's words for what is wrong."""
        if self.app is None or not header or not header.startswith("Bearer "):
            raise RefusedError("A JSON web token could not be decoded")
        told = self._decoded(header.removeprefix("Bearer "), self.app)
        now = self._now()
        if str(told.get("iss")) not in (str(self.app.id), self.app.client_id):
            raise RefusedError("'Issuer' claim ('iss') must be an Integer or a valid client ID")
        issued, expires = told.get("iat"), told.get("exp")
        if not isinstance(issued, int) or issued > (now + LEEWAY).timestamp():
            raise RefusedError(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was"
            )
        if not isinstance(expires, int) or expires > (now + LONGEST_JWT).timestamp():
            raise RefusedError("'Expiration time' claim ('exp') is too far in the future")
        if expires <= now.timestamp():
            raise RefusedError("'Expiration time' claim ('exp') must be a numeric value representing the future time")
        return self.app

    @staticmethod
    def _decoded(value: str, app: App) -> Mapping[str, object]:
        unchecked = {"verify_exp": False, "verify_iat": False, "verify_iss": False}
        try:
            told: Mapping[str, object] = jwt.decode(value, app.public_key, algorithms=["RS256"], options=unchecked)  # type: ignore[arg-type]  # the site's clock decides, not the library's
        except jwt.InvalidTokenError as error:
            raise RefusedError("A JSON web token could not be decoded") from error
        return told

    def install(self, app: App) -> Token:
        """Issue an installation token."""
        self.issued += 1
        value = f"ghs_{hashlib.sha256(f'{app.id} {self.issued}'.encode()).hexdigest()[:36]}"
        expires = self._now() + self.lifetime
        self._tokens[value] = Token(value=value, kind="installation", account=app.bot, expires_at=expires)
        return self._tokens[value]

    def expire(self) -> None:
        """Make every installation token that was issued so far worthless."""
        for value, token in list(self._tokens.items()):
            if token.kind == "installation":
                del self._tokens[value]

    def window(self, account: Account, resource: str) -> Window:
        """Return what an account has of a resource now; a new hour begins with its first use."""
        now, key = self._now(), (account.number, resource)
        window = self._windows.get(key)
        if window is None or window.reset <= now:
            window = self._windows[key] = Window(limit=self.limits[resource], reset=now + WINDOW)
        return window
