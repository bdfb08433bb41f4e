"""Tokens as a table: whose, what each may do, until when, and when it was used last.

Takes the document that `token list` prints.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Column, Doc, Sheet, closing, paragraph, table

COLUMNS = (
    Column(header="ID"),
    Column(header="NAME", flex=1, style="bold"),
    Column(header="MAY"),
    Column(header="HOLDS", flex=2),
    Column(header="LAST USED", flex=3),
)


def tokens(doc: Doc, *, now: datetime, zone: str = "UTC") -> Sheet:
    """Return the tokens of ``{"tokens": [{id, name, role, by, created_at, expires_at, used_at, revoked_at}]}``."""
    return Sheet(lambda width: _lines(doc, zone, now, width))


def _lines(doc: Doc, zone: str, now: datetime, width: int) -> Iterator[Text]:
    rows = doc["tokens"]
    if not rows:
        yield from paragraph("There is no token yet.", width)
    else:
        shown = [
            (
                row["id"],
                words.clean(row["name"]),
                row["role"],
                _holds(row, now, zone),
                words.moment(row["used_at"], zone, now) if row["used_at"] else ("never", DIM),
            )
            for row in rows
        ]
        yield from table(COLUMNS, shown, width)
    yield Text()
    yield from closing(words.next_step("token create NAME" if not rows else "token revoke ID"), width)


def _holds(row: Doc, now: datetime, zone: str) -> str | tuple[str, str]:
    if row["revoked_at"] is not None:
        return f"revoked {words.moment(row['revoked_at'], zone, now)}", DIM
    if row["expires_at"] is None:
        return "until revoked"
    day = words.long_day(words.local(row["expires_at"], zone).date())
    return f"until {day}" if now < row["expires_at"] else (f"ended {day}", DIM)
