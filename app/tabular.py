"""Records to JSON lines and to CSV that a spreadsheet opens without running anything in it."""

from __future__ import annotations

import csv
from collections.abc import AsyncIterator
from typing import Any, BinaryIO, TextIO

import orjson

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""first characters that spreadsheets take for a formula (OWASP, CSV injection)"""


async def write_lines(records: AsyncIterator[dict[str, Any]], out: BinaryIO) -> None:  # Any: JSON
    """Write a JSON document a line."""
    async for record in records:
        out.write(orjson.dumps(record, option=orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE))
    out.flush()


async def write_csv(records: AsyncIterator[dict[str, Any]], out: TextIO) -> None:  # Any: JSON
    """Write a table with the columns of the first record; nested values are JSON in their cell."""
    writer: csv.DictWriter[str] | None = None
    async for record in records:
        if writer is None:
            writer = csv.DictWriter(out, fieldnames=list(record), extrasaction="ignore")
            writer.writeheader()
        writer.writerow({name: cell(value) for name, value in record.items()})


def cell(value: object) -> object:
    """Return what a cell shows; a text that would be a formula gets an apostrophe in front."""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if value is None or isinstance(value, bool | int | float):
        return value
    return orjson.dumps(value, option=orjson.OPT_UTC_Z).decode().strip('"')
