"""A request as text -> what is asked: parameters, cursors and bodies, each wrong one with what would be right.

What an endpoint takes is declared with the parameters here; nothing is looked up.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, date, datetime
from typing import Any

import orjson
from starlette.requests import Request

from app.web.access import require
from app.web.api.endpoint import Asked, Endpoint, Key, Param, Wrong
from app.web.api.schema import Schema
from sync.context import Context

MOST, USUAL = 500, 100
"""records of a page: at most, and where nothing is said"""
YEARS = range(1970, 3000)
"""what a calendar can count on from"""
LARGEST_BODY = 64 * 1024
PRINTABLE = r"^[^\u0000-\u001f\u007f-\u009f]*$"
LONGEST = 500


def is_text(said: str) -> bool:
    """Return whether a text is one line that every database and every page can hold."""
    return not any(ord(one) < 32 or 127 <= ord(one) < 160 or 0xD800 <= ord(one) < 0xE000 for one in said)


def _text(said: str) -> str:
    if not said or len(said) > LONGEST or not is_text(said):
        raise ValueError(f"a text of 1 to {LONGEST} characters in one line")
    return said


def _whole(said: str, most: int) -> int:
    if not said.isascii() or not said.isdigit() or len(said) > 9 or not 1 <= int(said) <= most:
        raise ValueError(f"a whole number from 1 to {most}")
    return int(said)


def text(name: str, says: str, *, where: str = "query", repeats: bool = False) -> Param:
    """Return a parameter of free text."""
    return Param(name=name, schema=line(), says=says, read=_text, where=where, repeats=repeats, default=None)


def line(most: int = LONGEST, least: int = 1) -> Schema:
    """Return the schema of a text without line breaks and other control characters."""
    return {"type": "string", "minLength": least, "maxLength": most, "pattern": PRINTABLE}


def word(name: str, words: tuple[str, ...], says: str, default: str | None = None) -> Param:
    """Return a parameter that is one of some words."""

    def read(said: str) -> str:
        if said not in words:
            raise ValueError(f"one of {', '.join(words)}")
        return said

    schema: Schema = {"type": "string", "enum": list(words)}
    return Param(name=name, schema=schema, says=says, read=read, default=default)


def flag(name: str, says: str, default: bool | None = None) -> Param:
    """Return a parameter that is true or false."""

    def read(said: str) -> bool:
        if said not in ("true", "false"):
            raise ValueError("true or false")
        return said == "true"

    return Param(name=name, schema={"type": "boolean"}, says=says, read=read, default=default)


def day(name: str, says: str) -> Param:
    """Return a parameter that is a day, which cannot be to come: see `read_asked`."""
    return Param(name=name, schema={"type": "string", "format": "date"}, says=says, read=to_day)


def instant(name: str, says: str) -> Param:
    """Return a parameter that is an instant with its zone, or a day that begins in UTC."""
    return Param(name=name, schema={"type": "string", "format": "date-time"}, says=says, read=to_instant)


LIMIT = Param(
    name="limit",
    schema={"type": "integer", "minimum": 1, "maximum": MOST, "default": USUAL},
    says="Records of a page.",
    read=lambda said: _whole(said, MOST),
    default=USUAL,
)
CURSOR = text("cursor", "Where to go on: `next` of the page before.")
FORMAT = word("format", ("json", "csv"), "`csv` answers all pages at once, safe to open in a spreadsheet.", "json")
PAGING = (LIMIT, CURSOR, FORMAT)
"""what every list takes"""


def path(name: str, says: str) -> Param:
    """Return a part of the path; one with a slash in it is written as it is, or as %2F."""
    return text(name, says, where="path")


async def read_asked(endpoint: Endpoint, context: Context, request: Request) -> Asked:
    """Return what a request asks of an endpoint; raise Wrong where it cannot be read, Denied where it may not be."""
    person = require(request, endpoint.role)
    taken = (*endpoint.params, *(PAGING if endpoint.listed else ()))
    known = {param.name for param in taken if param.where == "query"}
    for name in request.query_params:
        if name not in known:
            raise Wrong(
                400, f"There is no parameter '{name[:50]}' here. There are: {', '.join(sorted(known)) or 'none'}."
            )
    values = {param.name: value_of(param, request) for param in taken}
    for param in taken:
        if (
            param.schema.get("format") == "date"
            and values[param.name] is not None
            and values[param.name] > context.today
        ):
            raise Wrong(400, f"{param.name}: {values[param.name]} is still to come; today is {context.today}.")
    body = await body_of(request) if endpoint.body is not None else {}
    return Asked(context=context, person=person, values=values, body=body)


def value_of(param: Param, request: Request) -> Any:  # Any: what the parameter's `read` makes
    """Return the value of a parameter, its default where it is not there."""
    said = [request.path_params[param.name]] if param.where == "path" else request.query_params.getlist(param.name)
    if len(said) > 1 and not param.repeats:
        raise Wrong(400, f"{param.name} stands here {len(said)} times; once is enough.")
    if not said:
        return [] if param.repeats else param.default
    try:
        found = [param.read(one) for one in said]
    except ValueError as error:
        raise Wrong(404 if param.where == "path" else 400, f"{param.name}: expected {error}.") from error
    return found if param.repeats else found[0]


async def body_of(request: Request) -> dict[str, Any]:  # Any: a JSON object
    """Return the JSON object of a body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Wrong(415, "Send a JSON object, with the header 'Content-Type: application/json'.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Wrong(413, f"A body has at most {LARGEST_BODY // 1024} KB.")
    try:
        found = orjson.loads(bytes(body))
    except orjson.JSONDecodeError as error:
        raise Wrong(400, f"The body is no JSON: {error}.") from error
    if not isinstance(found, dict):
        raise Wrong(422, "Expected a JSON object.")
    return found


class Body:
    """The fields of a body, each taken once: what is left over at the end is a field that nobody knows."""

    def __init__(self, fields: dict[str, Any]) -> None:  # Any: JSON values
        self.fields = dict(fields)
        self.known: list[str] = []

    def text(self, name: str, *, most: int = LONGEST, default: str | None = None) -> str:
        """Take a text; raise Wrong where it is none, or is needed and not there."""
        said = self._take(name, default)
        if not isinstance(said, str) or len(said) > most or (default is None and not said.strip()):
            raise Wrong(422, f"{name}: expected a text of at most {most} characters.")
        if not is_text(said):
            raise Wrong(422, f"{name}: expected a text without control characters.")
        return said

    def number(self, name: str) -> float:
        """Take a number."""
        said = self._take(name, None)
        if isinstance(said, bool) or not isinstance(said, int | float) or abs(said) > 1e300:
            raise Wrong(422, f"{name}: expected a number.")
        return float(said)

    def day(self, name: str, *, needed: bool = False) -> date | None:
        """Take a day."""
        said = self._take(name, None)
        if said is None and not needed:
            return None
        try:
            return to_day(said if isinstance(said, str) else "")
        except ValueError as error:
            raise Wrong(422, f"{name}: expected {error}.") from error

    def end(self) -> None:
        """Raise Wrong where fields are left."""
        if self.fields:
            name = next(iter(self.fields))
            raise Wrong(422, f"There is no field '{name[:50]}' here. There are: {', '.join(self.known)}.")

    def _take(self, name: str, default: object) -> object:
        self.known.append(name)
        return self.fields.pop(name, default)


def to_day(said: str) -> date:
    """Read a day; raise ValueError that says how it is written."""
    try:
        found = date.fromisoformat(said) if len(said) == 10 else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise ValueError("a day like 2026-11-24, from 1970 to 2999")
    return found


def to_instant(said: str) -> datetime:
    """Read an instant with its zone, or a day, which begins in UTC; raise ValueError that says how it is written."""
    try:
        found = datetime.fromisoformat(said.upper().replace(" ", "+") if "T" in said.upper() else said)
        if found.tzinfo is None and len(said) == 10:
            found = found.replace(tzinfo=UTC)
        if found.tzinfo is not None and found.year in YEARS:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ValueError("an instant like 2026-11-24T09:30:00Z")


def cursor_of(after: Key) -> str:
    """Return a key as a cursor."""
    return base64.urlsafe_b64encode(orjson.dumps(after)).rstrip(b"=").decode()


def key_of(cursor: str | None, shape: tuple[type, ...]) -> Key | None:
    """Return the key of a cursor; raise Wrong for one that we did not give for such a list."""
    if cursor is None:
        return None
    try:
        found = orjson.loads(base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        found = None
    if isinstance(found, list) and len(found) == len(shape) and all(map(_fits, found, shape)):
        return found
    raise Wrong(400, "cursor: this is none of ours. Take `next` of the page before as it is, or leave it out.")


def _fits(part: object, kind: type) -> bool:
    if isinstance(part, str):
        return kind is str and is_text(part)
    return kind is int and type(part) is int and abs(part) < 2**53
