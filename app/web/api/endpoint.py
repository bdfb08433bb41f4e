"""What an endpoint is: a declaration that is read for the request, for the answer and for the OpenAPI document alike.

Which endpoints there are is said in the files beside; how a request is read, in `asked`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException

from app.web.access import Person, Role
from app.web.api.schema import Schema
from storage.audit import Deed
from sync.context import Context

Doc = dict[str, Any]  # Any: a JSON document
Key = list[Any]  # Any: texts and numbers of which a cursor is made


class Wrong(HTTPException):
    """The request cannot be answered; the detail says what about it, and what would be right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """A parameter. `read` makes a value of a text, or raises ValueError that says what was expected."""

    name: str
    schema: Schema
    says: str
    read: Callable[[str], Any]  # Any: what it makes
    where: str = "query"
    default: Any = None  # Any: as above
    repeats: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request as read: the values of all parameters, and the body where there is one."""

    context: Context
    person: Person
    values: Mapping[str, Any]  # Any: what the parameters' `read` makes
    body: Doc = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:  # Any: as above
        """Return the value of a parameter."""
        return self.values[name]

    def deed(self, action: str, subject: str, **detail: object) -> Deed:
        """Return what is done with the request, for the account of it."""
        return self.person.deed(action, subject, self.context.now(), **detail)


class Page(NamedTuple):
    """Some records of a list, and the key of the last where more may follow."""

    records: list[Doc]
    after: Key | None


Find = Callable[[Key | None, int], Awaitable[Page]]
"""gives the page of a list after a key, of at most so many records"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One way to ask. `answer` is the schema of what is answered, of a list that of one record.

    `do` answers a document; `open` of a list gives what reads its pages, `key` is the shape of its cursors. `missing`
    says that the path names something which may not be there.
    """

    name: str
    path: str
    group: str
    says: str
    answer: Schema
    method: str = "GET"
    role: Role = "read"
    params: tuple[Param, ...] = ()
    body: Schema | None = None
    status: int = 200
    do: Callable[[Asked], Awaitable[Doc]] | None = None
    open: Callable[[Asked], Awaitable[Find]] | None = None
    key: tuple[type, ...] = ()

    @property
    def listed(self) -> bool:
        """Whether it answers a list."""
        return self.open is not None

    @property
    def missing(self) -> bool:
        """Whether its path names something that may not be there."""
        return any(param.where == "path" for param in self.params)


def in_memory(records: list[Doc], key: Callable[[Doc], Key]) -> Find:
    """Return what reads the pages of a list that is at hand, in order of its keys."""
    ordered = sorted(records, key=key)

    async def find(after: Key | None, limit: int) -> Page:
        rest = ordered if after is None else [one for one in ordered if key(one) > after]
        return page(rest[: limit + 1], limit, key)

    return find


def page(found: list[Doc], limit: int, key: Callable[[Doc], Key]) -> Page:
    """Return the page of records of which one more than `limit` was looked for."""
    kept = found[:limit]
    return Page(kept, key(kept[-1]) if len(found) > limit else None)
