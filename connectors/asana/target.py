"""Where the calls of a row go, and findings for `check`: whose token it is.

The only place where that token is revealed.
"""

from __future__ import annotations

from connectors.base import Finding, Reading, Target
from connectors.http import Client
from connectors.tools import get, mapping, open_to_private, setting, source_of
from domain.workspace import PublishRow

HOST = "https://app.asana.com"


def target(row: PublishRow) -> Target:
    """Return the target of a row."""
    token = setting(row, "token")
    return Target(
        base_url=f"{setting(row, 'url', HOST).rstrip('/')}/api/1.0",
        headers={"authorization": f"Bearer {token}"},
        secrets=(token,),
        source=source_of(row, "token"),
        allow_private=open_to_private(row),
    )


async def may_write(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Return whose token it is; who may edit a goal is told by Asana when it is written."""
    said = mapping(mapping(await client.json(get("/users/me", opt_fields="name"))).get("data"))
    return [
        Finding(level="ok", subject=row.id, message=f"Asana knows the token as {said.get('name') or 'nobody by name'}.")
    ]
