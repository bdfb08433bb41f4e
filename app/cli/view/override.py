"""What a person said of the health of a subject, or took back, beside what is computed.

Takes the document that `override --json` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Doc, Sheet, closing, line, paragraph


def override(doc: Doc) -> Sheet:
    """Return the page of an `override --json` document: what holds now, what it covers, what it took the place of."""
    return Sheet(lambda width: _lines(doc, width))


def _lines(doc: Doc, width: int) -> Iterator[Text]:
    subject, title = words.clean(doc["id"]), words.clean(doc["title"] or "")
    cleared = doc.get("cleared")
    health = doc["computed"] if cleared else doc["health"]
    yield from paragraph(f"{subject}  {title}".strip(), width, "bold")
    if health:
        yield line((words.health(health), words.HEALTH_STYLES.get(health, "")))
    if cleared:
        yield from paragraph(f"As computed. Taken back: {_said(cleared)}", width)
    else:
        yield from paragraph(_said(doc), width)
        if doc["computed"]:
            yield from paragraph(f"Computed: {words.health_word(doc['computed'])}.", width, DIM)
        if doc["replaces"]:
            yield from paragraph(f"In place of: {_said(doc['replaces'])}", width, DIM)
    yield Text()
    command = "explain" if doc["kind"] == "epic" else "show"
    yield from closing(words.next_step(f"{command} {subject}", "where it stands"), width)


def _said(statement: Doc) -> str:
    day = words.long_day(date.fromisoformat(statement["until"]))
    said = f"{words.health_word(statement['health'])} until {day}, set by {words.clean(statement['by'])}"
    return words.sentence(f"{said}: {words.clean(statement['reason'])}")
