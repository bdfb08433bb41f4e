"""How we prove to GitHub who we are: a token, or an app that gets a token for its installation each hour.

Nothing in here reads the environment; secrets arrive in the connection and are shown to GitHub alone.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from connectors import ratelimit
from connectors.base import Answer, Call
from connectors.github.limits import read_limits
from connectors.github.queries import base_of, rest_of_url
from connectors.http import Access, Client, Wire, source_of, vendor_words
from connectors.tokens import TokenStore, fernet, seal, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Connection, Secret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

_EARLY = 300.0
"""seconds before its end that an installation token is no longer used: at 55 minutes of its hour"""
_JWT_LIFE, _JWT_BACK = 540, 60
"""seconds that a JSON web token is good for, and that it is dated back against a clock that goes ahead

https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
"""


def _text(value: object, name: str) -> str:
    return value.reveal(name) if isinstance(value, Secret) else str(value)


def _host(url: str) -> str:
    return urlsplit(url).netloc


class Token:
    """A personal access token, classic or fine-grained: what the operator gave, each time."""

    def __init__(self, connection: Connection, secret: object) -> None:
        token = _text(secret, connection.name)
        self.base = base_of(connection.url)
        self.source = source_of(secret)
        self.secrets = (token,)
        self.hosts = frozenset({_host(connection.url)})
        self.kind = "fine-grained" if token.startswith("github_pat_") else "classic"
        self._headers = {"authorization": f"Bearer {token}"}

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the same header each time."""
        return self._headers

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Never try a refused token again."""
        return False

    def adopt(self, base: str) -> None:
        """Stay where the connection's address says."""


class App:
    """A GitHub App: a JSON web token signed with its key buys a token of its installation, good for an hour.

    With a store and a cipher the token is kept sealed, and refreshed under the store's lock, so that of two replicas
    one asks and the other finds what it got; without them each process keeps its own.
    """

    kind = "app"

    def __init__(
        self,
        connection: Connection,
        app: Mapping[str, object],
        store: TokenStore | None,
        cipher: Fernet | None,
        now: Callable[[], datetime],
    ) -> None:
        name = connection.name
        try:
            self._id, self._installation = _text(app["id"], name), _text(app["installation"], name)
            self._key = _pem(_text(app["private_key"], name))
        except KeyError as missing:
            raise ConfigError(
                f"{name}: `auth.app` lacks {missing}. It needs id, installation and private_key."
            ) from missing
        self.base = base_of(connection.url)
        self.source = source_of(app["private_key"])
        self.hosts = frozenset({_host(connection.url)})
        self._name = name
        if not self._installation.isdecimal():
            raise ConfigError(
                f"{name}: `auth.app.installation` is a number, the last part of the installation's address."
            )
        self._url = f"{self.base}{rest_of_url(connection.url)}/app/installations/{self._installation}/access_tokens"
        self._store, self._cipher, self._now = store, cipher, now
        seed = f"{self._id}/{self._installation}/{self._key}"
        self._seed = hashlib.sha256(seed.encode()).hexdigest()
        self._token: dict[str, object] = {}
        self._one = asyncio.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The app's key and the token that was issued last."""
        issued = str(self._token.get("access") or "")
        return (self._key, issued) if issued else (self._key,)

    @property
    def permissions(self) -> Mapping[str, object]:
        """What the installation was granted: permission -> ``read`` or ``write``."""
        told = self._token.get("permissions")
        return told if isinstance(told, dict) else {}

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the installation's token, got anew in time."""
        if not self._usable(self._token):
            async with self._one:
                if not self._usable(self._token):
                    await self._renew(wire, stale=None)
        return {"authorization": f"Bearer {self._token['access']}"}

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Get another token in place of the refused one, unless that happened meanwhile."""
        stale = sent.get("authorization", "").removeprefix("Bearer ")
        async with self._one:
            if self._token.get("access") == stale:
                await self._renew(wire, stale=stale)
        return True

    def adopt(self, base: str) -> None:
        """Stay where the connection's address says."""

    def _usable(self, token: Mapping[str, object]) -> bool:
        until = token.get("until")
        return bool(token.get("access")) and isinstance(until, int | float) and until - _EARLY > self._now().timestamp()

    async def _renew(self, wire: Wire, stale: str | None) -> None:
        if self._store is None or self._cipher is None:
            self._token = await self._issue(wire)
            return
        async with self._store.lock(self._name):
            kept = unseal(self._cipher, await self._store.load(self._name))
            if kept.get("seed") == self._seed and self._usable(kept) and kept["access"] != stale:
                self._token = kept
                return
            fresh = await self._issue(wire)
            await self._store.save(self._name, seal(self._cipher, fresh))
            self._token = fresh

    async def _issue(self, wire: Wire) -> dict[str, object]:
        answer = await wire("POST", self._url, headers=self.as_app())
        if read_limits(answer, self._now()).limited:
            raise VendorUnavailableError(
                f"{self._name}: GitHub answered {answer.status} to the app's request for a token."
            )
        try:
            issued = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            issued = None
        if answer.status != 201 or not isinstance(issued, dict) or not issued.get("token"):
            raise AuthError(self._refusal(answer))
        until = ratelimit.instant(str(issued.get("expires_at") or ""))
        return {
            "access": issued["token"],
            "until": until.timestamp() if until else self._now().timestamp() + 3600.0,
            "permissions": issued.get("permissions") or {},
            "seed": self._seed,
        }

    def as_app(self) -> Mapping[str, str]:
        """Return the header of a call that is about the app itself and not about its installation."""
        return {"authorization": f"Bearer {self._signed()}"}

    def _signed(self) -> str:
        import jwt  # loaded where an app signs, with the cryptography behind it

        at = int(self._now().timestamp())
        claims = {"iat": at - _JWT_BACK, "exp": at + _JWT_LIFE, "iss": self._id}
        try:
            return jwt.encode(claims, self._key, algorithm="RS256")
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise ConfigError(
                f"{self._name}: the private key of {self.source} is not one that GitHub issues (PEM, RSA). "
                "Make a new one on the app's page under Private keys."
            ) from error

    def _refusal(self, answer: Answer) -> str:
        said = vendor_words(answer.body)
        for secret in self.secrets:
            said = said.replace(secret, "***")
        why = {
            401: f"the key of {self.source} is not of app {self._id}, or this machine's clock is wrong",
            403: "the installation is suspended",
            404: f"app {self._id} has no installation {self._installation} here",
        }.get(answer.status, "check id, installation and private_key under `auth.app`")
        return (
            f"{self._name}: GitHub gave the app no token ({answer.status}): {why}. "
            f'Check `auth.app`. GitHub says: "{said[:200]}"'
        )


def proved(client: Client, call: Call) -> Call:
    """Put the app's own proof on a call about the app; others go out with what their access gives them."""
    if isinstance(client.access, App) and call.path.removeprefix("/v3").split("/")[1] == "app":
        return replace(call, headers={**call.headers, **client.access.as_app()})
    return call


def _pem(text: str) -> str:
    """Return a key as it was issued; an environment variable often holds its line ends as ``\\n``."""
    return text.replace("\\n", "\n") if "\\n" in text else text


def access(
    connection: Connection,
    *,
    store: TokenStore | None = None,
    secret_key: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Access:
    """Choose the way in from `auth`: ``{token}`` or ``{app: {id, installation, private_key}}``.

    Raises ConfigError for a missing secret or an unknown shape. An app needs neither `store` nor `secret_key`: with
    both, replicas share the tokens issued to it.
    """
    if isinstance(app := connection.auth.get("app"), Mapping):
        cipher = fernet(connection.name, secret_key) if store is not None and secret_key else None
        return App(connection, app, store, cipher, now)
    if token := connection.auth.get("token"):
        return Token(connection, token)
    raise ConfigError(f"{connection.name}: `auth` needs token, or app with id, installation and private_key.")
