"""Where the calls of a row go: the site's own gateway, with Basic authentication by an API token.

The only place where that token is revealed.
"""

from __future__ import annotations

import base64

from connectors.base import Target
from connectors.tools import open_to_private, setting, source_of
from domain.workspace import PublishRow


def target(row: PublishRow) -> Target:
    """Return the target of a row."""
    site, token = setting(row, "site"), setting(row, "token")
    proof = base64.b64encode(f"{setting(row, 'email')}:{token}".encode()).decode()
    return Target(
        base_url=site.rstrip("/") if "://" in site else f"https://{site}.atlassian.net",
        headers={"authorization": f"Basic {proof}"},
        secrets=(token, proof),
        source=source_of(row, "token"),
        allow_private=open_to_private(row),
    )
