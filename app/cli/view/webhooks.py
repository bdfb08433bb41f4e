"""Webhooks at the trackers: where each stands, whether it is as it shall be, and what a person has to do.

Takes the document that `webhooks register|list|refresh|remove --json` print.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Doc, Sheet, closing, line, pad, paragraph, wrap

MARKS = {
    "ok": ("✓", "ok", ""),
    "differs": ("▲", "differs", "color(172)"),
    "missing": ("▲", "missing", "color(172)"),
    "by_hand": ("✕", "by hand", "color(162)"),
    "failed": ("✕", "failed", "color(162)"),
}
"""state -> shape, word, colour"""

DONE = {
    "created": "registered",
    "updated": "brought up to date",
    "extended": "given more time",
    "enabled": "switched on again",
    "unchanged": "as it was",
    "removed": "taken away",
}
"""what was done, as words"""

DOING = {"register": "set up", "list": "looked at", "refresh": "refreshed", "remove": "taken away"}


def webhooks(doc: Doc, *, action: str, zone: str = "UTC", now: datetime | None = None) -> Sheet:
    """Return what `action` found and did, times in `zone` told from `now`.

    ``{"connections": [{connection, url, webhooks: [{place, state, action, differs, id, url, enabled, events,
    expires_at, last_failure, error, instructions}], error}]}``.
    """
    return Sheet(lambda width: _lines(doc, action, zone, now or datetime.now(UTC), width))


def _lines(doc: Doc, action: str, zone: str, now: datetime, width: int) -> Iterator[Text]:
    connections = doc.get("connections") or []
    rows = [row for one in connections for row in one.get("webhooks") or ()]
    yield from paragraph(_headline(rows, connections, action), width)
    for one in connections:
        yield Text()
        yield line((words.clean(one["connection"]), "bold"), (f"  {words.clean(one.get('url') or '')}", DIM))
        if one.get("error"):
            yield from paragraph(f"✕ {words.clean(one['error'])}", width, "color(162)", 2, 4)
        elif not one.get("webhooks"):
            yield line("  Nothing of ours stands there." if action in ("list", "remove") else "  No webhook is wanted.")
        for row in one.get("webhooks") or ():
            yield from _webhook(row, zone, now, width)
    yield Text()
    yield from closing(_next(rows, connections, action), width)


def _headline(rows: list[Doc], connections: list[Doc], action: str) -> str:
    undone = sum(row["state"] in ("by_hand", "failed") for row in rows)
    if undone:
        return f"{words.plural(undone, 'webhook')} of {len(rows)} could not be {DOING[action]}."
    if not rows and any(one.get("error") for one in connections):
        return "Nothing was done."
    if action == "remove":
        return f"{words.plural(len(rows), 'webhook')} taken away."
    off = sum(row["state"] in ("differs", "missing") for row in rows)
    return f"{words.plural(off, 'webhook')} of {len(rows)} not as wanted." if off else _all_well(rows)


def _all_well(rows: list[Doc]) -> str:
    return f"{words.plural(len(rows), 'webhook')} as wanted."


def _webhook(row: Doc, zone: str, now: datetime, width: int) -> Iterator[Text]:
    shape, word, style = MARKS.get(row["state"], ("?", words.clean(row["state"]), ""))
    if row.get("action") == "removed":
        shape, word, style = "✓", "gone", ""
    parts = [words.clean(each) for each in row.get("differs") or ()]
    if row.get("action"):
        parts.insert(0, DONE.get(row["action"], words.clean(row["action"])))
    if row.get("expires_at"):
        parts.append(f"lives until {words.moment(_time(row['expires_at']), zone, now)}")
    if row.get("last_failure"):
        parts.append(f"last delivery {words.clean(row['last_failure'])}")
    if row["state"] == "missing" and not parts:
        parts.append("no webhook of ours stands there")
    if row.get("error"):
        parts.append(words.clean(row["error"]))
    place = words.clean(row["place"])
    said = f"{place}: {'; '.join(parts)}" if parts else place
    for i, each in enumerate(wrap(said, width - 13)):
        yield line((f"  {shape} {pad(word, 7)}  ", style or DIM) if i == 0 else " " * 13, each)
    for number, step in enumerate(row.get("instructions") or (), 1):
        for i, each in enumerate(wrap(words.clean(step), width - 17)):
            yield line((f"{number:>15}. " if i == 0 else " " * 17), each)


def _time(value: object) -> datetime:
    return value if isinstance(value, datetime) else words.instant(str(value))


def _next(rows: list[Doc], connections: list[Doc], action: str) -> str:
    if any(row["state"] == "by_hand" for row in rows):
        return words.next_step("webhooks list", "after the steps above")
    if any(row["state"] == "failed" for row in rows) or any(one.get("error") for one in connections):
        return words.next_step(f"webhooks {action}", "after putting right what failed")
    if action == "remove":
        return words.next_step("webhooks list", "see that nothing of ours is left")
    if any(row["state"] in ("differs", "missing") for row in rows):
        return words.next_step("webhooks register", "set right what differs")
    return words.next_step("webhooks list", "look at them at any time")
