"""How we prove to Jira who we are: Basic, a personal access token, or OAuth 2.0 with rotating tokens.

Nothing in here reads the environment; secrets arrive in the connection and are shown to Jira alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson
from cryptography.fernet import Fernet

from connectors import ratelimit
from connectors.base import Answer
from connectors.http import Access, Dialect, Wire, source_of, vendor_words
from connectors.tokens import TokenStore, fernet, seal, unseal
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Connection, Secret

GATEWAY = "https://api.atlassian.com"
TOKEN_URL = "https://auth.atlassian.com/oauth/token"  # noqa: S105 an address, not a secret
RESOURCES_URL = GATEWAY + "/oauth/token/accessible-resources"
_EARLY = 60.0
"""seconds before its end that an access token is no longer used"""


def denied(status: int, headers: Mapping[str, str]) -> str | None:
    """Find a refused login in an answer of any status (https://jira.atlassian.com/browse/ID-6351)."""
    reason = headers.get("x-authentication-denied-reason", "")
    seraph = headers.get("x-seraph-loginreason", "")
    if "captcha" in reason.lower() or "AUTHENTICATION_DENIED" in seraph:
        return "Jira denies the login until a CAPTCHA is solved in a browser; more tries would lock the account."
    if reason or any(word.strip() != "OK" for word in seraph.split(",") if word.strip()):
        return f"Jira did not accept our login (answer {status}, reason {(seraph or reason)[:60]})."
    return None


DIALECT = Dialect(
    vendor="Jira",
    read_limits=ratelimit.jira,
    denied=denied,
    rates={"GET": 100.0, "POST": 100.0, "PUT": 50.0, "DELETE": 50.0},
)


def _text(value: object, what: str) -> str:
    return value.reveal(what) if isinstance(value, Secret) else str(value)


def _host(url: str) -> str:
    return urlsplit(url).netloc


def is_gateway(base: str) -> bool:
    """Whether `base` is the address of one site at Atlassian's gateway."""
    head, _, cloud = base.rpartition("/")
    return head == GATEWAY + "/ex/jira" and bool(cloud) and cloud.replace("-", "").isalnum()


async def gateway_of(connection: Connection, wire: Wire) -> str | None:
    """Ask the site for its cloud id; return its address at the gateway, None where the site does not say."""
    try:
        answer = await wire("GET", connection.url.rstrip("/") + "/_edge/tenant_info")
        found = orjson.loads(answer.body) if answer.status == 200 else None
    except (VendorUnavailableError, orjson.JSONDecodeError):
        return None
    base = f"{GATEWAY}/ex/jira/{found.get('cloudId') or ''}" if isinstance(found, dict) else ""
    return base if is_gateway(base) else None


class Fixed:
    """Basic or Bearer with what the operator gave.

    A Cloud token that the site refuses may be scoped: those work at the gateway alone, so on the first 401
    the site's gateway address is asked for and used from then on.
    """

    def __init__(self, connection: Connection, authorization: str, secret: object, *, scoped: bool) -> None:
        self.base = connection.url.rstrip("/")
        self.source = source_of(secret)
        self.secrets = (_text(secret, connection.name), authorization.partition(" ")[2])
        self.hosts = frozenset({_host(connection.url)})
        self._connection = connection
        self._headers = {"authorization": authorization}
        self._scoped = scoped
        self._asking = asyncio.Lock()

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the same headers each time."""
        return self._headers

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Move to the gateway, once; never try the same address again, that locks accounts."""
        if not self._scoped or is_gateway(base):
            return False
        async with self._asking:
            if not is_gateway(self.base) and (found := await gateway_of(self._connection, wire)):
                self.adopt(found)
        return is_gateway(self.base)

    def adopt(self, base: str) -> None:
        """Use the gateway address that an earlier session found."""
        if self._scoped and is_gateway(base):
            self.base = base
            self.hosts = self.hosts | {_host(GATEWAY)}


class OAuth:
    """OAuth 2.0 (3LO): access tokens of an hour, refresh tokens that rotate with each use.

    The newest pair is kept sealed in the store; a refresh happens under the store's lock, so that of two
    replicas one refreshes and the other finds what it got.
    """

    def __init__(
        self,
        connection: Connection,
        oauth: Mapping[str, object],
        store: TokenStore,
        cipher: Fernet,
        now: Callable[[], datetime],
    ) -> None:
        name = connection.name
        try:
            self._id, self._secret = _text(oauth["client_id"], name), _text(oauth["client_secret"], name)
            self._first = _text(oauth["refresh_token"], name)
        except KeyError as missing:
            raise ConfigError(
                f"{name}: `auth.oauth` lacks {missing}. It needs client_id, client_secret, refresh_token."
            ) from missing
        self.base = GATEWAY
        self.source = source_of(oauth["refresh_token"])
        self.hosts = frozenset({_host(GATEWAY), _host(TOKEN_URL)})
        self._connection = connection
        self._store = store
        self._cipher = cipher
        self._now = now
        self._seed = hashlib.sha256(self._first.encode()).hexdigest()
        self._tokens: dict[str, object] = {}
        self._one = asyncio.Lock()

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the operator gave and what was issued since."""
        issued = (str(self._tokens.get(name) or "") for name in ("access", "refresh"))
        return tuple(value for value in (self._secret, self._first, *issued) if value)

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the current access token, refreshed in time."""
        if not self._usable(self._tokens, self._now()):
            async with self._one:
                if not self._usable(self._tokens, self._now()):
                    await self._refresh(wire, stale=None)
        if not is_gateway(self.base):
            await self._find_site(wire)
        return {"authorization": f"Bearer {self._tokens['access']}"}

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Get another access token in place of the refused one, unless that happened meanwhile."""
        stale = sent.get("authorization", "").removeprefix("Bearer ")
        async with self._one:
            if self._tokens.get("access") == stale:
                await self._refresh(wire, stale=stale)
        return True

    def adopt(self, base: str) -> None:
        """Use the gateway address that an earlier session found."""
        if is_gateway(base):
            self.base = base

    def _usable(self, tokens: Mapping[str, object], now: datetime) -> bool:
        until = tokens.get("until")
        return bool(tokens.get("access")) and isinstance(until, int | float) and until - _EARLY > now.timestamp()

    async def _refresh(self, wire: Wire, stale: str | None) -> None:
        name = self._connection.name
        async with self._store.lock(name):
            kept = unseal(self._cipher, await self._store.load(name))
            if kept.get("seed") != self._seed:
                kept = {}
            if self._usable(kept, self._now()) and kept["access"] != stale:
                self._tokens = kept
                return
            body = orjson.dumps(
                {
                    "grant_type": "refresh_token",
                    "client_id": self._id,
                    "client_secret": self._secret,
                    "refresh_token": kept.get("refresh") or self._first,
                }
            )
            issued = self._issued(await wire("POST", TOKEN_URL, body=body))
            fresh = {
                "access": issued["access_token"],
                "refresh": issued.get("refresh_token") or kept.get("refresh") or self._first,
                "until": self._now().timestamp() + (ratelimit.number(str(issued.get("expires_in"))) or 3600.0),
                "seed": self._seed,
            }
            await self._store.save(name, seal(self._cipher, fresh))
            self._tokens = fresh

    def _issued(self, answer: Answer) -> dict[str, object]:
        name = self._connection.name
        if answer.status >= 500 or answer.status == 429:
            raise VendorUnavailableError(f"{name}: Atlassian's token service answered {answer.status}.")
        try:
            issued = orjson.loads(answer.body)
        except orjson.JSONDecodeError:
            issued = None
        if answer.status != 200 or not isinstance(issued, dict) or not issued.get("access_token"):
            said = vendor_words(answer.body)
            for secret in self.secrets:
                said = said.replace(secret, "***")
            raise AuthError(
                f"{name}: Atlassian refused the refresh token of {self.source} ({answer.status}). It was revoked, or "
                "unused for too long: authorise the app again and put the new refresh token there. "
                f'Atlassian says: "{said[:200]}"'
            )
        return issued

    async def _find_site(self, wire: Wire) -> None:
        name, site = self._connection.name, self._connection.url.rstrip("/")
        proof = {"authorization": f"Bearer {self._tokens['access']}"}
        answer = await wire("GET", RESOURCES_URL, headers=proof)
        try:
            sites = orjson.loads(answer.body) if answer.status == 200 else []
        except orjson.JSONDecodeError:
            sites = []
        for entry in sites if isinstance(sites, list) else []:
            if isinstance(entry, dict) and str(entry.get("url", "")).rstrip("/").lower() == site.lower():
                self.adopt(f"{GATEWAY}/ex/jira/{entry.get('id')}")
        if not is_gateway(self.base):
            raise AuthError(
                f"{name}: the OAuth grant of {self.source} does not cover {site}. Authorise the app for that site."
            )


def access(
    connection: Connection,
    *,
    store: TokenStore | None = None,
    secret_key: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Access:
    """Choose the way in from `auth`: ``{pat}``, ``{email, token}``, ``{user, password}`` or ``{oauth}``.

    Raises ConfigError for a missing secret, an unknown shape, or OAuth without `secret_key` or `store`.
    """
    auth, name = connection.auth, connection.name
    if isinstance(oauth := auth.get("oauth"), Mapping):
        cipher = fernet(name, secret_key)
        if store is None:
            raise ConfigError(f"{name}: OAuth needs the database to keep the issued tokens.")
        return OAuth(connection, oauth, store, cipher, now)
    if pat := auth.get("pat"):
        return Fixed(connection, f"Bearer {_text(pat, name)}", pat, scoped=False)
    user = auth.get("email") or auth.get("user") or auth.get("username")
    secret = auth.get("token") or auth.get("password")
    if not user or not secret:
        raise ConfigError(
            f"{name}: `auth` needs email and token (Cloud), pat or user and password (Data Center), or oauth."
        )
    pair = f"{_text(user, name)}:{_text(secret, name)}".encode()
    scoped = connection.deployment != "datacenter" and _host(connection.url).endswith(".atlassian.net")
    return Fixed(connection, "Basic " + base64.b64encode(pair).decode("ascii"), secret, scoped=scoped)
