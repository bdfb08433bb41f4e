"""The closes of past days that today's bands depend on: kept for a day, and of whom they are still to be computed.

What a close is, and how many a band depends on, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from storage.checkpoints import note, save_note
from storage.engine import Transaction

CLOSES = "closes"
"""the note; `due` holds by subject the number of the change that it waits since, null where nobody has looked yet"""

Row = Sequence[object]
"""a close as JSON: day, progress, probability"""


async def forget(tx: Transaction, day: str, ids: Collection[str] | None = None) -> None:
    """Note that the closes of some subjects, or of all, have to be computed anew."""
    kept = await note(tx, CLOSES)
    count = kept["count"] + 1 if kept is not None else 1
    if ids is None or kept is None or kept["day"] != day:
        await save_note(tx, CLOSES, {"day": day, "count": count, "of": {}, "due": None})
        return
    of = {id_: rows for id_, rows in kept["of"].items() if id_ not in ids}
    due = kept["due"]
    waiting = {**due, **dict.fromkeys(sorted(ids), count)} if due is not None else None
    await save_note(tx, CLOSES, {"day": day, "count": count, "of": of, "due": waiting})


async def due(tx: Transaction, day: str, ids: Iterable[str]) -> dict[str, int]:
    """Return the subjects whose closes are to be computed, out of all, each with the number of its change."""
    kept = await note(tx, CLOSES)
    if kept is not None and kept["day"] == day and kept["due"] is not None:
        return dict(kept["due"])
    count = kept["count"] if kept is not None else 0
    found = dict.fromkeys(sorted(ids), count)
    await save_note(tx, CLOSES, {"day": day, "count": count, "of": {}, "due": found})
    return found


async def keep(tx: Transaction, day: str, asked: Mapping[str, int], found: Mapping[str, Sequence[Row]]) -> None:
    """Keep what was computed for the subjects that did not change meanwhile; the others go on waiting."""
    kept = await note(tx, CLOSES)
    if kept is None or kept["day"] != day or kept["due"] is None:
        return
    done = {id_ for id_, number in asked.items() if kept["due"].get(id_) == number}
    of = {**kept["of"], **{id_: rows for id_, rows in found.items() if id_ in done}}
    waiting = {id_: number for id_, number in kept["due"].items() if id_ not in done}
    await save_note(tx, CLOSES, {**kept, "of": of, "due": waiting})
