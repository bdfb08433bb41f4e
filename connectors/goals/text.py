"""Text in the Atlassian Document Format, as the summary of a goal's update takes it.

Pure; a summary holds one paragraph of at most 280 visible characters.
"""

from __future__ import annotations

from connectors.base import Json

LONGEST = 280


def adf(text: str) -> dict[str, Json]:
    """Return a text as a document of one paragraph."""
    content = [{"type": "text", "text": text}] if text else []
    return {"version": 1, "type": "doc", "content": [{"type": "paragraph", "content": content}]}
