"""The signature of Standard Webhooks: a secret, and the headers that prove who sent a body and when.

Pure; the rules are those of https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

from connectors.base import Call
from domain.errors import ConfigError

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
PREFIX = "whsec_"
SHORTEST, LONGEST = 24, 64
"""bytes of a secret"""


def key_of(secret: str, whose: str) -> bytes:
    """Return the bytes of a secret, given as base64 with or without ``whsec_``; raise ConfigError for anything else."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not SHORTEST <= len(key) <= LONGEST:
        raise ConfigError(
            f"{whose}: the secret is not {SHORTEST} to {LONGEST} bytes in base64, as Standard Webhooks have it. "
            'Make one: echo "whsec_$(openssl rand -base64 32)"'
        )
    return key


def signature(key: bytes, id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a body, of version 1 (HMAC with SHA-256)."""
    signed = f"{id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def signing(key: bytes | None) -> Callable[[Call, bytes, datetime], Mapping[str, str]]:
    """Return what gives each sending its headers: the time, and the signature where there is a key."""

    def sign(call: Call, body: bytes, now: datetime) -> Mapping[str, str]:
        timestamp = int(now.timestamp())
        headers = {TIMESTAMP: str(timestamp)}
        if key is not None:
            headers[SIGNATURE] = signature(key, call.headers[ID], timestamp, body)
        return headers

    return sign
