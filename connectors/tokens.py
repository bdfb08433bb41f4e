"""Tokens that a vendor issued to Keyrail: how they are sealed, and the narrow door to where they are kept.

No SQL, no file and no environment in here: the key and the store are handed in by the caller. The cipher is loaded
where a connection needs it, for most do not: it takes 10 MB and a tenth of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Protocol

import orjson

from domain.errors import ConfigError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MAKE_KEY = 'python -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'


class TokenStore(Protocol):
    """Where sealed tokens live, one row a connection, shared by all replicas."""

    async def load(self, connection: str) -> bytes | None:
        """Return what was saved last, None where nothing was."""

    async def save(self, connection: str, sealed: bytes) -> None:
        """Keep `sealed` in place of what was there; durable on return."""

    def lock(self, connection: str) -> AbstractAsyncContextManager[object]:
        """Hold the connection's row, so that one replica at a time refreshes."""


def fernet(connection: str, key: str | None) -> Fernet:
    """Make the cipher of `KEYRAIL_SECRET_KEY`; raise ConfigError with the command that makes a key."""
    if not key:
        raise ConfigError(
            f"{connection}: OAuth needs KEYRAIL_SECRET_KEY to keep the issued tokens encrypted. Make one: {MAKE_KEY}"
        )
    from cryptography.fernet import Fernet

    try:
        return Fernet(key)
    except ValueError as error:
        raise ConfigError(
            f"{connection}: KEYRAIL_SECRET_KEY is not a Fernet key (32 bytes, base64). Make one: {MAKE_KEY}"
        ) from error


def seal(cipher: Fernet, tokens: Mapping[str, object]) -> bytes:
    """Encrypt a flat mapping of tokens."""
    return cipher.encrypt(orjson.dumps(tokens))


def unseal(cipher: Fernet, sealed: bytes | None) -> dict[str, object]:
    """Decrypt what `seal` made; empty where there is nothing or another key sealed it."""
    if not sealed:
        return {}
    from cryptography.fernet import InvalidToken

    try:
        found = orjson.loads(cipher.decrypt(sealed))
    except (InvalidToken, orjson.JSONDecodeError):
        return {}
    return found if isinstance(found, dict) else {}
