"""How we prove to Linear who we are: an API key, OAuth with rotating tokens, or an app's own credentials.

Nothing in here reads the environment; secrets arrive in the connection and are shown to Linear alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from urllib.parse import urlsplit

from connectors.http import Access, Dialect, Wire, source_of
from connectors.linear.answers import failed, read_limits
from connectors.linear.queries import PATH
from connectors.oauth import Service, Tokens, revealed, tokens_of
from connectors.tokens import TokenStore
from domain.errors import ConfigError
from domain.workspace import Connection

TOKEN_PATH = "/oauth/token"  # noqa: S105 a path, not a secret
SCOPE = "read,write,initiative:read,initiative:write"
"""what an app asks for with its own credentials"""
DAY = 86_400.0

DIALECT = Dialect(
    vendor="Linear",
    read_limits=read_limits,
    denied=lambda status, headers: None,
    rates={"POST": 100.0},
    failed=failed,
)


def base_of(url: str) -> str:
    """Return the address that paths are relative to: the endpoint's without ``/graphql``."""
    return url.rstrip("/").removesuffix(PATH)


def token_url(url: str) -> str:
    """Return the address of the token endpoint, on the host of the API."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}{TOKEN_PATH}"


class Key:
    """A personal API key, which goes into the header as it is, without ``Bearer``."""

    def __init__(self, connection: Connection, key: object) -> None:
        secret = revealed(key, connection.name)
        self.base = base_of(connection.url)
        self.hosts = frozenset({urlsplit(connection.url).netloc})
        self.source = source_of(key)
        self.secrets = (secret,)
        self._headers = {"authorization": secret}

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the same header each time."""
        return self._headers

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Give up: a key that was refused once is refused again."""
        return False

    def adopt(self, base: str) -> None:
        """Stay: Linear has one address."""


class OAuth:
    """OAuth 2.0: access tokens of a day with rotating refresh tokens, or of 30 days by the app's own credentials.

    Of the latter there is one an app: asking for another revokes it, so that happens on a 401 or at its end alone.
    """

    def __init__(self, connection: Connection, tokens: Tokens) -> None:
        self.base = base_of(connection.url)
        self.hosts = frozenset({urlsplit(connection.url).netloc})
        self.source = tokens.source
        self._tokens = tokens

    @property
    def secrets(self) -> tuple[str, ...]:
        """What the operator gave and what was issued since."""
        return self._tokens.secrets

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the current access token, renewed in time."""
        return await self._tokens.current(wire)

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Get another access token in place of the refused one, unless that happened meanwhile."""
        await self._tokens.replace(wire, sent)
        return True

    def adopt(self, base: str) -> None:
        """Stay: Linear has one address."""


def access(
    connection: Connection,
    *,
    store: TokenStore | None = None,
    secret_key: str | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Access:
    """Choose the way in from `auth`: ``{token}``, ``{oauth}`` or ``{client_credentials}``.

    Raises ConfigError for a missing secret, an unknown shape, or OAuth without `secret_key` or `store`.
    """
    auth, url = connection.auth, token_url(connection.url)
    if key := auth.get("token"):
        return Key(connection, key)
    for kind, scope, life in (("oauth", "", DAY), ("client_credentials", SCOPE, 30 * DAY)):
        if isinstance(settings := auth.get(kind), Mapping):
            service = Service(name="Linear", url=url, form=True, life=life)
            tokens = tokens_of(connection, settings, service, store=store, secret_key=secret_key, now=now, scope=scope)
            return OAuth(connection, tokens)
    raise ConfigError(f"{connection.name}: `auth` needs token, oauth, or client_credentials.")
