"""How we prove to Jira who we are: Basic, a personal access token, or OAuth 2.0 with rotating tokens.

Nothing in here reads the environment; secrets arrive in the connection and are shown to Jira alone.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

import orjson

from connectors import ratelimit
from connectors.http import Access, Dialect, Wire, source_of
from connectors.oauth import Service, Tokens, revealed, tokens_of
from connectors.tokens import TokenStore
from domain.errors import AuthError, ConfigError, VendorUnavailableError
from domain.workspace import Connection

GATEWAY = "https://api.atlassian.com"
TOKEN_URL = "https://auth.atlassian.com/oauth/token"  # noqa: S105 an address, not a secret
RESOURCES_URL = GATEWAY + "/oauth/token/accessible-resources"
SERVICE = Service(name="Atlassian", url=TOKEN_URL)


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
        self.secrets = (revealed(secret, connection.name), authorization.partition(" ")[2])
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
    """OAuth 2.0 (3LO): access tokens of an hour at the gateway of the one site that the connection names."""

    def __init__(self, connection: Connection, tokens: Tokens) -> None:
        self.base = GATEWAY
        self.source = tokens.source
        self.hosts = frozenset({_host(GATEWAY), _host(TOKEN_URL)})
        self._connection = connection
        self._tokens = tokens

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the operator gave and what was issued since."""
        return self._tokens.secrets

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the current access token, refreshed in time."""
        proof = await self._tokens.current(wire)
        if not is_gateway(self.base):
            await self._find_site(wire, proof)
        return self._tokens.proof

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Get another access token in place of the refused one, unless that happened meanwhile."""
        await self._tokens.replace(wire, sent)
        return True

    def adopt(self, base: str) -> None:
        """Use the gateway address that an earlier session found."""
        if is_gateway(base):
            self.base = base

    async def _find_site(self, wire: Wire, proof: Mapping[str, str]) -> None:
        name, site = self._connection.name, self._connection.url.rstrip("/")
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
        tokens = tokens_of(connection, oauth, SERVICE, store=store, secret_key=secret_key, now=now)
        return OAuth(connection, tokens)
    if pat := auth.get("pat"):
        return Fixed(connection, f"Bearer {revealed(pat, name)}", pat, scoped=False)
    user = auth.get("email") or auth.get("user") or auth.get("username")
    secret = auth.get("token") or auth.get("password")
    if not user or not secret:
        raise ConfigError(
            f"{name}: `auth` needs email and token (Cloud), pat or user and password (Data Center), or oauth."
        )
    pair = f"{revealed(user, name)}:{revealed(secret, name)}".encode()
    scoped = connection.deployment != "datacenter" and _host(connection.url).endswith(".atlassian.net")
    return Fixed(connection, "Basic " + base64.b64encode(pair).decode("ascii"), secret, scoped=scoped)
