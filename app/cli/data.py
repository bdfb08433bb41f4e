"""Commands that hand everything out, and the state of the database."""

from __future__ import annotations

import sys
from contextlib import aclosing
from enum import StrEnum
from typing import Annotated

import typer

from app.cli.common import Doc, Json, Session, run, session


class What(StrEnum):
    """What `export` hands out."""

    ITEMS = "items"
    EPICS = "epics"
    INITIATIVES = "initiatives"
    KEY_RESULTS = "key-results"
    HISTORY = "history"
    BURN_UP = "burn-up"
    CHECK_INS = "check-ins"
    LINKS = "links"
    PUBLICATIONS = "publications"
    ALL = "all"


class Format(StrEnum):
    """How `export` writes."""

    JSONL = "jsonl"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(export)


def export(
    context: typer.Context,
    what: Annotated[What, typer.Argument(metavar="WHAT")],
    form: Annotated[Format, typer.Option("--format")] = Format.JSONL,
    as_json: Json = False,
) -> None:
    """Hand everything out, a record a line.

    `all` adds the kind of each record; `burn-up` is no part of it.
    """
    from app.tabular import write_csv, write_lines
    from sync.exports import records
    from sync.refresh import catch_up

    here = session(context)
    if form is Format.CSV and what is What.ALL:
        raise typer.BadParameter("CSV has one table: name what to export, or use --format jsonl.")

    async def work() -> None:
        async with here.open() as opened:
            await catch_up(opened)
            async with aclosing(records(opened, what.value)) as found:
                if form is Format.CSV and not as_json:
                    await write_csv(found, sys.stdout)
                else:
                    await write_lines(found, sys.stdout.buffer)

    run(work)


async def database_status(here: Session) -> Doc:
    """Return where the database is, at which revision, and what it holds."""
    from storage import inbox
    from storage import items as store
    from storage.engine import create_store, revision, shown_url
    from storage.revision import REVISION

    opened = create_store(here.database_url)
    try:
        found = await revision(opened)
        doc: Doc = {
            "database": shown_url(here.database_url),
            "revision": found,
            "needs": REVISION,
            "items": {},
            "inbox": {"deliveries": 0, "bytes": 0},
        }
        if found == REVISION:
            async with opened.read() as tx:
                doc["items"] = await store.counts(tx)
                rows, size = await inbox.size(tx)
                doc["inbox"] = {"deliveries": rows, "bytes": size, "parked": await inbox.parked_counts(tx)}
        return doc
    finally:
        await opened.close()


def told_status(doc: Doc) -> str:
    """Say the state of the database."""
    lines = [f"Database  {doc['database']}"]
    if doc["revision"] is None:
        return "\n".join([*lines, "Empty. Next: keyrail backfill"])
    if doc["revision"] > doc["needs"]:
        newer = f"Revision  {doc['revision']}, newer than this Keyrail knows ({doc['needs']}). Upgrade Keyrail."
        return "\n".join([*lines, newer])
    if doc["revision"] != doc["needs"]:
        return "\n".join([*lines, f"Revision  {doc['revision']}, needs {doc['needs']}. Next: keyrail db upgrade"])
    lines.append(f"Revision  {doc['revision']}")
    lines += [f"Items     {count:>8}  {name}" for name, count in doc["items"].items()]
    box = doc["inbox"]
    lines.append(f"Inbox     {box['deliveries']:>8}  stored payloads, {weight(box['bytes'])} compressed")
    lines += [f"Parked    {count:>8}  {name}: see keyrail replay --parked" for name, count in box["parked"].items()]
    return "\n".join(lines)


def weight(size: int) -> str:
    """Write a number of bytes for people."""
    return f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
