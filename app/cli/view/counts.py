"""How a pull or a census ended: one row a connection, and what a person has to look at.

Takes the documents that `backfill --json`, `sync --json` and `census --json` print.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from rich.text import Text

from app.cli.view import words
from app.cli.view.plan import outcome
from app.cli.view.sheet import CARDS_BELOW, Cell, Column, Doc, Sheet, closing, flow, line, paragraph, table

FOUND = {"missing": "missing", "deleted": "deleted", "moved": "moved", "inaccessible": "no longer visible"}
"""what a census finds, as words"""

WRONG = "color(162)"


def counts(doc: Doc, *, kind: str = "backfill", zone: str = "UTC", now: datetime | None = None) -> Sheet:
    """Return the end of a `backfill`, `sync` or `census` (`kind`), times in `zone` told from `now`.

    ``{"connections": [{connection, items, read, expected, requests, seconds, missing, deleted, moved, inaccessible,
    parked, history, error, retry, complete_to}], "published": …}``; what is absent or null was not looked at and is not
    told. `retry` false says that running again ends the same way until something is mended. `missing` and its like are
    numbers or lists; `published` is as for `plan.published`. A census has `listed` in place of `complete_to`, and
    `repaired` beside its connections.
    """
    return Sheet(lambda width: _lines(doc, kind, zone, now, width))


def so_far(doc: Doc, kind: str, unopened: Collection[str]) -> str:
    """Say which connections are done and what became of the others; empty where nothing was done.

    Takes the document of `counts`; `unopened` are connections that failed before anything of them was read.
    """
    rows = doc.get("connections") or []
    well = [row["connection"] for row in rows if not row.get("error")]
    begun = [row["connection"] for row in rows if row.get("error") and row["connection"] not in unopened]
    if kind == "census" and not doc.get("repaired"):
        missed = [*begun, *unopened]
        return f"{_were(well, 'compared')} {_were(missed, 'not')}" if well and missed else ""
    if not well and not begun:
        return ""
    whole, part = ("compared and mended", "mended in") if kind == "census" else ("pulled", "read of")
    said = [_were(well, whole)] if well else []
    if begun:
        said.append(f"What was {part} {words.listed([words.clean(name) for name in begun])} before the error is kept.")
    if unopened:
        said.append(f"Nothing was {part} {words.listed([words.clean(name) for name in unopened])}.")
    return " ".join(said)


def _were(names: Sequence[str], what: str) -> str:
    return f"{words.listed([words.clean(name) for name in names])} {'was' if len(names) == 1 else 'were'} {what}."


def _lines(doc: Doc, kind: str, zone: str, now: datetime | None, width: int) -> Iterator[Text]:
    rows = doc.get("connections") or []
    failed = [row for row in rows if row.get("error")]
    yield from paragraph(_headline(rows, failed, kind), width)
    if rows:
        yield Text()
    if width < CARDS_BELOW:
        for row in rows:
            yield line((words.clean(row["connection"]), "bold"))
            yield from (line(f"  {each}") for each in flow(_facts(row, zone, now), width - 2))
    else:
        yield from _table(rows, zone, now, width)
    for row in rows:
        yield from _remarks(row, width)
    if doc.get("measured"):
        said = [f"{words.clean(one['key_result'])} {words.exact(one['value'])}" for one in doc["measured"]]
        yield Text()
        yield from (line(each) for each in flow(["Measured", *said], width))
    if doc.get("published"):
        yield Text()
        yield from (line(each) for each in flow(["Published", *outcome(doc["published"])], width))
    yield Text()
    yield from closing(_next(doc, failed, kind), width)


def _headline(rows: Sequence[Doc], failed: Sequence[Doc], kind: str) -> str:
    if not rows:
        return "No connection to read."
    name, verb = {"census": ("items", " compared"), "sync": ("read", " read")}.get(kind, ("items", ""))
    items = sum(row.get(name) or 0 for row in rows)
    said = f"{words.plural(items, 'item')}{verb} in {words.plural(len(rows), 'connection')}"
    if failed:
        return f"{said}; {len(failed)} of them failed."
    found = sum(_many(row.get(name)) for row in rows for name in FOUND)
    if kind != "sync" and all(row.get("missing") is not None for row in rows):
        return f"{said}: complete." if found == 0 else f"{said}; {_found_in(rows)}."
    return f"{said}."


def _found_in(rows: Sequence[Doc]) -> str:
    totals = {name: sum(_many(row.get(name)) for row in rows) for name in FOUND}
    return words.listed([f"{words.exact(n)} {FOUND[name]}" for name, n in totals.items() if n])


def _many(found: object) -> int:
    """Return how many: a number, or a list of what was found."""
    if isinstance(found, int):
        return found
    return len(found) if isinstance(found, list) else 0


def _complete(row: Doc, zone: str, now: datetime | None) -> str:
    if not row.get("complete_to"):
        return "not yet"
    read = words.instant(row["complete_to"])
    return words.moment(read, zone, now or read)


def _facts(row: Doc, zone: str, now: datetime | None) -> list[str]:
    said = [words.plural(row.get("items") or 0, "item")]
    if row.get("read") is not None:
        said.append(f"{words.exact(row['read'])} read")
    if row.get("expected") is not None:
        said.append(f"about {words.exact(row['expected'])} expected")
    if row.get("history"):
        said.append(f"{words.plural(row['history'], 'change')} of history")
    if row.get("requests") is not None:
        said.append(words.plural(row["requests"], "request"))
    if row.get("seconds") is not None:
        said.append(words.duration(row["seconds"]))
    if row.get("listed") is not None:
        said.append(f"{words.exact(row['listed'])} listed by the tracker")
    elif row.get("complete_to"):
        said.append(f"complete to {_complete(row, zone, now)}")
    else:
        said.append("not complete yet")
    return said


def _table(rows: Sequence[Doc], zone: str, now: datetime | None, width: int) -> Iterator[Text]:
    def whole(name: str) -> list[str]:
        return [words.exact(row[name]) if row.get(name) is not None else "not counted" for row in rows]

    shown: list[tuple[Column, list[str]]] = [
        (Column(header="Connection", flex=1), [words.clean(row["connection"]) for row in rows]),
        (Column(header="Items", right=True), whole("items")),
    ]
    for name, header in (
        ("listed", "Listed"),
        ("read", "Read"),
        ("expected", "Expected"),
        ("history", "Changes"),
        ("requests", "Requests"),
    ):
        if any(row.get(name) is not None for row in rows):
            shown.append((Column(header=header, right=True, flex=1), whole(name)))
    if any(row.get("seconds") is not None for row in rows):
        times = [words.duration(row["seconds"]) if row.get("seconds") is not None else "not timed" for row in rows]
        shown.append((Column(header="Time", right=True), times))
    if not any(row.get("listed") is not None for row in rows):
        shown.append((Column(header="Complete to"), [_complete(row, zone, now) for row in rows]))
    cells: list[list[Cell]] = [[column[i] for _, column in shown] for i in range(len(rows))]
    yield from table([column for column, _ in shown], cells, width)


def _remarks(row: Doc, width: int) -> Iterator[Text]:
    name = words.clean(row["connection"])
    found = [f"{words.exact(_many(row[key]))} {said}" for key, said in FOUND.items() if row.get(key)]
    if found:
        yield Text()
        yield from paragraph(f"{name}: {words.listed(found)} since the last read.", width)
    if row.get("parked"):
        yield Text()
        said = f"{name}: {words.plural(row['parked'], 'payload')} could not be read and wait in the store."
        yield from paragraph(f"{said} keyrail replay --parked reads them again.", width)
    if row.get("error"):
        yield Text()
        head = "Failed: " if name in row["error"] else f"{name} failed: "
        shown = paragraph(head + words.stopped(row["error"]), width, hang=2)
        shown[0].stylize(WRONG, 0, min(len(head), len(shown[0])))
        yield from shown


def _next(doc: Doc, failed: Sequence[Doc], kind: str) -> str:
    rows = doc.get("connections") or []
    again = [row for row in failed if row.get("retry") is not False]
    if failed and not again:
        return words.next_step("check", "tells whether it is mended; then run this again")
    if failed:
        one = f" --connection {words.clean(again[0]['connection'])}" if len(rows) > 1 else ""
        return words.next_step(f"{kind}{one}", "goes on where it stopped")
    if kind == "census" and not doc.get("repaired") and any(_many(row.get(name)) for row in rows for name in FOUND):
        return words.next_step("census --repair", "read what is missing, mark what is gone")
    if any(row.get("parked") for row in rows):
        return words.next_step("replay --parked", "read the parked payloads again")
    return words.next_step("show", "where everything stands")
