"""What is asked -> an answer: documents with their mark, pages of lists, tables.

What is said in them comes from the endpoints.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import date
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from app.tabular import cell
from app.web.api.asked import MOST, cursor_of, key_of, read_asked
from app.web.api.endpoint import Asked, Doc, Endpoint, Find, Key, Wrong
from domain.errors import UsageError
from sync.context import Context

MOVING = frozenset({"expected", "summary"})
"""what is another value a second later, while nothing happens"""
OPTION = re.compile(r"--([a-z])")
"""how a sentence for the terminal names what is a parameter here"""
PRIVATE = {"cache-control": "private, no-cache", "vary": "authorization, cookie"}

Answer = Callable[[Request], Awaitable[Response]]


def answering(endpoint: Endpoint, source: Callable[[], Context]) -> Answer:
    """Return what answers an endpoint over the workspace in force."""

    async def answer(request: Request) -> Response:
        asked = await read_asked(endpoint, source(), request)
        try:
            if endpoint.open is not None:
                return await listed(endpoint, await endpoint.open(asked), asked, request)
            if endpoint.do is None:
                raise TypeError(f"{endpoint.name} does nothing")
            return document(await endpoint.do(asked), asked.context.today, request, status=endpoint.status)
        except UsageError as error:
            raise Wrong(status_of(endpoint), OPTION.sub(r"\1", str(error))) from error

    return answer


def status_of(endpoint: Endpoint) -> int:
    """Return the status of a request that can be read, and names what is not there or cannot be."""
    if endpoint.body is not None:
        return 422
    return 404 if endpoint.missing else 400


def document(doc: Doc, today: date, request: Request, *, status: int = 200, link: str | None = None) -> Response:
    """Return a document with its mark; nothing but the mark where who asks has it already."""
    headers = dict(PRIVATE)
    if link is not None:
        headers["link"] = f'<{link}>; rel="next"'
    if status == 200 and request.method in ("GET", "HEAD"):
        headers["etag"] = mark_of(doc, today)
        if has(request.headers.get("if-none-match"), headers["etag"]):
            return Response(status_code=304, headers=headers)
    body = orjson.dumps(doc, option=orjson.OPT_UTC_Z)
    return Response(body, status, media_type="application/json", headers=headers)


def mark_of(doc: Doc, today: date) -> str:
    """Return the mark of a document: another one where it says anything else, whatever the hour of asking."""
    steady = still({name: value for name, value in doc.items() if name != "as_of"})
    return f'W/"{hashlib.sha256(orjson.dumps([str(today), steady])).hexdigest()[:32]}"'


def still(value: Any) -> Any:  # Any: a JSON value
    """Return a value without what moves with the hour."""
    if isinstance(value, dict):
        return {name: still(inner) for name, inner in value.items() if name not in MOVING}
    return [still(one) for one in value] if isinstance(value, list | tuple) else value


def has(stated: str | None, mark: str) -> bool:
    """Return whether who asks has what a mark stands for (RFC 9110, 13.1.2)."""
    if stated is None:
        return False
    known = {one.strip().removeprefix("W/") for one in stated.split(",")}
    return "*" in known or mark.removeprefix("W/") in known


async def listed(endpoint: Endpoint, find: Find, asked: Asked, request: Request) -> Response:
    """Return a page of a list, or all of it as a table."""
    after = key_of(asked["cursor"], endpoint.key)
    if asked["format"] == "csv":
        name = f"{endpoint.path.rpartition('/')[2]}.csv"
        headers = {**PRIVATE, "content-disposition": f'attachment; filename="{name}"'}
        columns = list(endpoint.answer["properties"])
        return StreamingResponse(table(find, columns, after), media_type="text/csv; charset=utf-8", headers=headers)
    found = await find(after, asked["limit"])
    next_ = cursor_of(found.after) if found.after is not None else None
    link = None
    if next_ is not None:
        others = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        link = f"{request.url.path}?{urlencode([*others, ('cursor', next_)])}"
    return document({"records": found.records, "next": next_}, asked.context.today, request, link=link)


async def table(find: Find, columns: list[str], after: Key | None) -> AsyncIterator[bytes]:
    """Yield a list as CSV, page by page."""
    yield row(columns)
    while True:
        found = await find(after, MOST)
        yield b"".join(row([cell(record.get(name)) for name in columns]) for record in found.records)
        if found.after is None:
            return
        after = found.after


def row(cells: list[Any]) -> bytes:  # Any: what the csv module writes
    """Return a line of CSV."""
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue().encode()
