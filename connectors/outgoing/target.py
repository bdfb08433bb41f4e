"""Where the webhooks of a row go, with which headers, and who signs them.

The only place where their secrets are revealed.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from connectors.base import Target
from connectors.outgoing.signature import key_of, signing
from connectors.tools import mapping, open_to_private, setting, source_of
from domain.workspace import PublishRow, Secret


def target(row: PublishRow) -> Target:
    """Return the target of a row; raise ConfigError for a missing secret, or one that is no key."""
    url = setting(row, "url")
    headers, secrets = {}, []
    for name, value in mapping(row.to.get("headers")).items():
        if isinstance(value, Secret):
            shown = value.reveal(f"{row.id}: {name}")
            secrets += [shown, shown.rpartition(" ")[2]]
            headers[name.lower()] = shown
        else:
            headers[name.lower()] = str(value)
    parts = urlsplit(url)
    if isinstance(row.to.get("url"), Secret):
        secrets += [url, parts.path] if parts.path.strip("/") else [url]
    key = None
    if row.to.get("secret") is not None:
        secret = setting(row, "secret")
        key = key_of(secret, row.id)
        secrets.append(secret)
    return Target(
        base_url=url if parts.path else parts._replace(path="/").geturl(),
        headers=headers,
        secrets=tuple(secrets),
        source=source_of(row, "url"),
        allow_private=open_to_private(row),
        sign=signing(key),
    )
