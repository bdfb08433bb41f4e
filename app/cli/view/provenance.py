"""The lines that most answers share: how complete the sources are, and what a subject is called.

Small pieces only; the pages that use them live in modules of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Doc, paragraph

KINDS = {"objective": "objective", "key_result": "key result", "initiative": "initiative", "epic": "epic"}


def provenance(doc: Doc, width: int, zone: str, now: datetime) -> Iterator[Text]:
    """Yield where the numbers come from and up to when they are complete.

    `doc` has `complete_to` and, where known, `sources`: ``[{"connection", "items", "complete_to", "stale"}]``.
    """
    sources = doc.get("sources") or []
    items = sum(source.get("items") or 0 for source in sources)
    origin = f"From {words.plural(items, 'item')} in {words.plural(len(sources), 'connection')}, " if items else ""
    complete_to = words.instant(doc["complete_to"]) if doc.get("complete_to") else None
    if complete_to is None:
        said = "Not complete yet: no connection has been read in full. Run keyrail backfill."
    else:
        told = f"complete to {words.moment(complete_to, zone, now)}."
        said = origin + told if origin else told[0].upper() + told[1:]
    yield from paragraph(said, width, DIM)
    for source in sources:
        if source.get("stale"):
            read = words.instant(source["complete_to"]) if source.get("complete_to") else None
            said = f"{words.clean(source['connection'])}: {words.stale(read, zone, now)}. Run keyrail check."
            yield from paragraph(said, width)
