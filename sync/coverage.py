"""What is not counted and why: unlinked work, rules that never match, links to nothing, orphans, proposals."""

from __future__ import annotations

from typing import Any

from sync.context import Context

Doc = dict[str, Any]  # Any: a JSON document


async def coverage(context: Context) -> Doc:
    """Return the document of `coverage`."""
    return {}
