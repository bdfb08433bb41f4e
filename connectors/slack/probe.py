"""Findings for `check`: whether the bot may post in the channel and read there what it posted.

Nothing is posted: `auth.test` tells the scopes, and one page of the channel's history whether it is let in.
"""

from __future__ import annotations

from connectors.base import Call, Finding, Reading
from connectors.http import Client
from connectors.tools import get, setting
from domain.errors import KeyrailError
from domain.workspace import PublishRow

POSTING = "chat:write"
READING = frozenset({"channels:history", "groups:history", "im:history", "mpim:history"})


async def may_write(client: Client, row: PublishRow, reading: Reading) -> list[Finding]:
    """Return what is wrong with the bot's rights, or that they suffice."""
    answer = await client.send(Call(method="POST", path="/auth.test"))
    scopes = {one.strip() for one in answer.headers.get("x-oauth-scopes", "").split(",")} - {""}
    missing = [POSTING] if scopes and POSTING not in scopes else []
    if scopes and not scopes & READING:
        missing.append("channels:history (groups:history for a private channel)")
    if missing:
        words = " and ".join(missing)
        return [_finding("error", row, f"The app lacks {words}. Add it and install the app again.")]
    try:
        await client.send(get("/conversations.history", channel=setting(row, "channel"), limit="1"))
    except KeyrailError as error:
        return [_finding("error", row, str(error))]
    return [_finding("ok", row, "The app may post there, and read what it posted.")]


def _finding(level: str, row: PublishRow, message: str) -> Finding:
    return Finding(level=level, subject=row.id, message=message)
