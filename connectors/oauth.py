"""Tokens that run out: got under the store's lock, kept sealed, shared by all replicas.

What a vendor's token service is asked and where differs and comes in as a `Service`; no vendor is known here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import orjson

from connectors import ratelimit
from connectors.base import Answer
from connectors.http import Wire, source_of, vendor_words
from connectors.tokens import TokenStore, fernet, seal, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Connection, Secret

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

EARLY = 60.0
"""seconds before its end that an access token is no longer used"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A vendor's token service: its name for people, its address, how its bodies are written.

    `life` are the seconds that an access token lives where the answer does not say.
    """

    name: str
    url: str
    form: bool = False
    life: float = 3600.0


def revealed(value: object, for_what: str) -> str:
    """Return a secret's value; raise ConfigError that names the variable or file where it is missing."""
    return value.reveal(for_what) if isinstance(value, Secret) else str(value)


def required(settings: Mapping[str, object], name: str, connection: str, where: str, keys: tuple[str, ...]) -> object:
    """Return one of the `keys` of `auth.WHERE`; raise ConfigError where it is missing."""
    if name not in settings:
        raise ConfigError(f"{connection}: `auth.{where}` lacks '{name}'. It needs {', '.join(keys)}.")
    return settings[name]


class Tokens:
    """An access token of one connection, and what renews it.

    The newest is kept sealed in the store; a renewal happens under the store's lock, so that of two replicas one
    renews and the other finds what it got. With a refresh token that rotates with each use, or without any: then
    the client id and secret themselves get the next one (client credentials, with `scope`).
    """

    def __init__(
        self,
        connection: str,
        settings: Mapping[str, object],
        service: Service,
        store: TokenStore,
        cipher: Fernet,
        now: Callable[[], datetime],
        *,
        scope: str = "",
    ) -> None:
        kind = "client_credentials" if scope else "oauth"
        keys = ("client_id", "client_secret") if scope else ("client_id", "client_secret", "refresh_token")
        given = {name: required(settings, name, connection, kind, keys) for name in keys}
        self._id, self._secret, *first = (revealed(value, connection) for value in given.values())
        self._first = first[0] if first else ""
        self.source = source_of(given[keys[-1]])
        self._connection = connection
        self._service = service
        self._store = store
        self._cipher = cipher
        self._now = now
        self._scope = scope
        self._seed = hashlib.sha256((self._first or f"{self._id}:{self._secret}").encode()).hexdigest()
        self._held: dict[str, object] = {}
        self._one = asyncio.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the operator gave and what was issued since."""
        issued = (str(self._held.get(name) or "") for name in ("access", "refresh"))
        return tuple(value for value in (self._secret, self._first, *issued) if value)

    @property
    def proof(self) -> dict[str, str]:
        """The header that carries the access token at hand."""
        return {"authorization": f"Bearer {self._held['access']}"}

    async def current(self, wire: Wire) -> Mapping[str, str]:
        """Return the header that carries a usable access token, renewed in time."""
        if not self._usable(self._held):
            async with self._one:
                if not self._usable(self._held):
                    await self._renew(wire, stale=None)
        return self.proof

    async def replace(self, wire: Wire, sent: Mapping[str, str]) -> None:
        """Get another access token in place of the refused one, unless that happened meanwhile."""
        stale = sent.get("authorization", "").removeprefix("Bearer ")
        async with self._one:
            if self._held.get("access") == stale:
                await self._renew(wire, stale=stale)

    def _usable(self, tokens: Mapping[str, object]) -> bool:
        until = tokens.get("until")
        timely = isinstance(until, int | float) and until - EARLY > self._now().timestamp()
        return bool(tokens.get("access")) and timely

    async def _kept(self) -> dict[str, object]:
        """Return what the store has, nothing where other credentials got it."""
        kept = unseal(self._cipher, await self._store.load(self._connection))
        return kept if kept.get("seed") == self._seed else {}

    async def _renew(self, wire: Wire, stale: str | None) -> None:
        async with self._store.lock(self._connection):
            kept = await self._kept()
            if self._usable(kept) and kept["access"] != stale:
                self._held = kept
                return
            refresh = str(kept.get("refresh") or self._first)
            answer = await self._ask(wire, refresh)
            issued = self._issued(answer)
            if issued is None:
                other = await self._kept()
                if not self._usable(other) or other["access"] in (stale, kept.get("access")):
                    raise self._refusal(answer)
                self._held = other
                return
            fresh = {
                "access": issued["access_token"],
                "refresh": issued.get("refresh_token") or refresh,
                "until": self._now().timestamp()
                + (ratelimit.number(str(issued.get("expires_in"))) or self._service.life),
                "seed": self._seed,
            }
            await self._store.save(self._connection, seal(self._cipher, fresh))
            self._held = fresh

    async def _ask(self, wire: Wire, refresh: str) -> Answer:
        grant = (
            {"grant_type": "client_credentials", "scope": self._scope}
            if self._scope
            else {"grant_type": "refresh_token", "refresh_token": refresh}
        )
        asked = {**grant, "client_id": self._id, "client_secret": self._secret}
        if not self._service.form:
            return await wire("POST", self._service.url, body=orjson.dumps(asked))
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await wire("POST", self._service.url, headers=kind, body=urlencode(asked).encode())

    def _issued(self, answer: Answer) -> dict[str, object] | None:
        """Read what was issued, None where the service refused; raise where we ask too often."""
        if answer.status == 429:
            raise VendorUnavailableError(f"{self._connection}: {self._service.name}'s token service answered 429.")
        try:
            issued = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            issued = None
        sound = answer.status == 200 and isinstance(issued, dict) and issued.get("access_token")
        return issued if sound else None

    def _refusal(self, answer: Answer) -> AuthError:
        said = vendor_words(answer.body)
        for secret in self.secrets:
            said = said.replace(secret, "***")
        vendor = self._service.name
        what = (
            f"the client credentials of {self.source} ({answer.status}). Check id and secret of the app, and that it "
            "allows client credentials."
            if self._scope
            else f"the refresh token of {self.source} ({answer.status}). It was revoked, or unused for too long: "
            "authorise the app again and put the new refresh token there."
        )
        return AuthError(f'{self._connection}: {vendor} refused {what} {vendor} says: "{said[:200]}"')


def tokens_of(
    connection: Connection,
    settings: Mapping[str, object],
    service: Service,
    *,
    store: TokenStore | None,
    secret_key: str | None,
    now: Callable[[], datetime],
    scope: str = "",
) -> Tokens:
    """Return the tokens of a connection; raise ConfigError where there is no key or no store to keep them with."""
    cipher = fernet(connection.name, secret_key)
    if store is None:
        raise ConfigError(f"{connection.name}: OAuth needs the database to keep the issued tokens.")
    return Tokens(connection.name, settings, service, store, cipher, now, scope=scope)
