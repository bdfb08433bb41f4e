"""Where a tracker's deliveries go, and in which ways a webhook that stands there is not what it shall be.

Pure but for the secret's variable or file, which was read with the workspace file.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlsplit

from connectors.hooks import Hook, Place, Receiver
from connectors.signature import same, sign
from domain.errors import ConfigError
from domain.workspace import Connection
from sync.context import Context

SOON = timedelta(days=10)
"""how long before its end a webhook is given more time"""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def address_of(context: Context, connection: Connection) -> str:
    """Return the public address of a connection's webhook; raise ConfigError where none is known or it is not https."""
    base = context.public_url
    url = connection.webhook_url or (f"{base}/webhooks/{quote(connection.name)}" if base else None)
    if url is None:
        raise ConfigError(
            f"{connection.name}: no public address is known that webhooks could go to. Set KEYRAIL_PUBLIC_URL, such as"
            f" https://keyrail.example.com, or `webhook: {{url: …}}` of the connection."
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and not connection.allow_http and parts.hostname not in LOOPBACK:
        raise ConfigError(
            f"{connection.name}: webhooks would go to {url}, unencrypted. Let the address start with https://, or say"
            " `allow_http: true` in the connection."
        )
    return url


def receiver_of(context: Context, connection: Connection, *, signing: bool) -> Receiver:
    """Return where a connection's deliveries go; `signing` raises ConfigError where no secret is set."""
    url, secret = address_of(context, connection), connection.webhook_secret
    if secret is None and signing:
        variable = f"{connection.type.upper()}_WEBHOOK_SECRET"
        raise ConfigError(
            f"{connection.name}: no webhook secret is set, so no delivery could be verified. Make one (openssl rand"
            f" -hex 32), put it into a variable, and add to the connection: webhook: {{secret: "
            f'"${{env:{variable}}}"}}'
        )
    value = secret.reveal(connection.name) if secret is not None and (signing or not secret.missing) else ""
    kind, _, name = (secret.source if secret is not None else "").partition(":")
    source = f"{'environment variable' if kind == 'env' else 'secret file'} {name}" if name else "`webhook.secret`"
    return Receiver(url=url, secret=value, source=source, name=f"Keyrail {context.workspace.name}: {connection.name}")


def same_address(left: str, right: str) -> bool:
    """Tell whether two addresses of webhooks are one."""
    return left.rstrip("/") == right.rstrip("/")


def mark_of(receiver: Receiver) -> str:
    """Return sixteen bits of a digest of the secret: enough to notice another one, too little to find it out."""
    return sign(receiver.secret, b"keyrail webhook")[:4]


def differences(
    place: Place, hook: Hook, receiver: Receiver, known: Mapping[str, Any], now: datetime
) -> dict[str, str]:
    """Return in which ways a webhook of ours is not what it shall be, in words."""
    lacking = [] if "*" in hook.events else [event for event in place.events if event not in hook.events]
    found = {
        "url": "" if same_address(hook.url, receiver.url) else f"goes to {hook.url}",
        "events": f"does not tell of {', '.join(lacking)}" if lacking else "",
        "enabled": "" if hook.enabled else "is switched off",
        "filter": _filter_words(place, hook),
        "secret": _secret_words(hook, receiver, known) if place.signs and receiver.secret else "",
        "flaw": hook.flaw,
    }
    if hook.expires_at is not None and hook.expires_at - now < SOON:
        found["expires"] = f"ends on {hook.expires_at:%Y-%m-%d}"
    return {kind: words for kind, words in found.items() if words}


def _filter_words(place: Place, hook: Hook) -> str:
    if hook.filter == place.filter:
        return ""
    return f"tells of {hook.filter or 'everything'} instead of {place.filter or 'everything'}"


def _secret_words(hook: Hook, receiver: Receiver, known: Mapping[str, Any]) -> str:
    if hook.secret is not None:
        wrong = f"signs with another secret than {receiver.source}" if hook.secret else "signs nothing"
        return "" if hook.secret and same(hook.secret, receiver.secret) else wrong
    if known.get("id") != hook.id or not known.get("mark"):
        return f"was not made by us: whether it signs with {receiver.source} is not known"
    return "" if known["mark"] == mark_of(receiver) else f"was made before {receiver.source} was changed"
