"""Constant-time checks of webhook signatures: HMAC-SHA256 over the raw body, and freshness.

Pure: the body, the secret and `now` are passed in. Which header holds a signature is each connector's own affair.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.errors import SignatureError


def hmac_sha256(secret: str, body: bytes) -> bytes:
    """Return the 32-byte HMAC-SHA256 of `body`; the secret is used as UTF-8."""
    return hmac.new(secret.encode(), body, hashlib.sha256).digest()


def sign(secret: str, body: bytes, *, prefix: str = "") -> str:
    """Return `prefix` and the lower-case hex HMAC-SHA256 of `body`, as a vendor would send it."""
    return prefix + hmac_sha256(secret, body).hex()


def same(left: str | bytes, right: str | bytes) -> bool:
    """Compare in constant time; texts of any script are compared as UTF-8."""
    return hmac.compare_digest(_octets(left), _octets(right))


def check(secret: str, body: bytes, received: str | None, *, prefix: str = "") -> None:
    """Raise SignatureError unless `received` is `prefix` and the lower-case hex HMAC-SHA256 of `body`."""
    if not received:
        raise SignatureError("The delivery carries no signature. Set the same secret on the sender's side.")
    if not secret:
        raise SignatureError("No webhook secret is configured, so no signature can be checked.")
    if not same(received, sign(secret, body, prefix=prefix)):
        raise SignatureError("The signature does not match the body. Compare the secret on both sides.")


def fresh(sent_at: datetime, now: datetime, window: timedelta) -> bool:
    """Tell whether `sent_at` lies within `window` of `now`, on either side; both are aware."""
    return abs(now - sent_at) <= window


def header(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header by its lower-case name, however the sender writes it."""
    found = headers.get(name)
    if found is not None:
        return found
    return next((value for key, value in headers.items() if key.lower() == name), None)


def _octets(text: str | bytes) -> bytes:
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
