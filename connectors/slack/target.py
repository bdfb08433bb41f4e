"""Where the calls of a row go: the address of an incoming webhook, or Slack's API with the token of a bot.

The only place where those secrets are revealed.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from connectors.base import Target
from connectors.tools import open_to_private, setting, source_of
from domain.workspace import PublishRow

API = "https://slack.com/api"


def target(row: PublishRow) -> Target:
    """Return the target of a row; the whole path of a webhook is a secret."""
    if "token" in row.to:
        token = setting(row, "token")
        return Target(
            base_url=setting(row, "api", API).rstrip("/"),
            headers={"authorization": f"Bearer {token}"},
            secrets=(token,),
            source=source_of(row, "token"),
            allow_private=open_to_private(row),
        )
    url = setting(row, "url")
    return Target(
        base_url=url,
        secrets=(url, urlsplit(url).path),
        source=source_of(row, "url"),
        allow_private=open_to_private(row),
    )
