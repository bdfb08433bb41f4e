"""The value of a metric read from an address of the operator's own: one call, one number out of its JSON.

Which key result it is for, and what becomes of the value, is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from math import isfinite
from urllib.parse import parse_qsl, urlsplit

import jmespath
from jmespath.exceptions import JMESPathError

from connectors import ratelimit
from connectors.base import Call, Json
from connectors.http import Dialect, Sleep, Transport, Wire, open_client, source_of
from domain.errors import PayloadError, VendorUnavailableError
from domain.workspace import Connection, Secret

PATIENCE = 60.0
"""seconds within which a value is there or given up, repeats included"""
ATTEMPTS = 3

DIALECT = Dialect(
    vendor="the source of its values",
    read_limits=lambda answer, now: ratelimit.QUIET,
    denied=lambda status, headers: None,
    rates={"GET": 10.0},
    concurrency=1,
)


class Address:
    """Where a value is read (`connectors.http.Access`): its host alone is called, with the headers of the file."""

    def __init__(self, name: str, url: str, headers: Mapping[str, object]) -> None:
        parts = urlsplit(url)
        self.base = f"{parts.scheme}://{parts.netloc}"
        self.hosts = frozenset({parts.netloc})
        secrets = [value for value in headers.values() if isinstance(value, Secret)]
        self.source = source_of(secrets[0]) if secrets else f"`source.http.headers` of {name}"
        self._headers = {key: _shown(value, name) for key, value in headers.items()}
        self.secrets = tuple(value.reveal(name).rpartition(" ")[2] for value in secrets)

    async def headers(self, wire: Wire) -> Mapping[str, str]:
        """Return the same headers each time."""
        return self._headers

    async def refused(self, wire: Wire, base: str, sent: Mapping[str, str]) -> bool:
        """Give up: what was refused once is refused again."""
        return False

    def adopt(self, base: str) -> None:
        """Stay: there is one address."""


def _shown(value: object, name: str) -> str:
    return value.reveal(name) if isinstance(value, Secret) else str(value)


async def read_value(
    name: str,
    source: Mapping[str, object],
    *,
    yes_no: bool = False,
    transport: Transport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> float:
    """Call the address of `source` (``{url, jmespath, headers}``) and return the value; `name` is whose it is.

    With `yes_no`, true is 1 and false is 0. Raises ConfigError for a missing secret, PayloadError where the answer
    holds no number, and what calls raise (`connectors.http.Client.send`), all within a minute. `transport` and `sleep`
    are for tests.
    """
    url, expression, headers = str(source["url"]), str(source["jmespath"]), source.get("headers")
    address = Address(name, url, headers if isinstance(headers, Mapping) else {})
    parts = urlsplit(url)
    call = Call(
        method="GET",
        path=parts.path or "/",
        params=dict(parse_qsl(parts.query, keep_blank_values=True)),
        attempts=ATTEMPTS,
    )
    connection = Connection(name=name, type="http", url=url, budget=1.0)
    try:
        async with asyncio.timeout(PATIENCE):
            async with open_client(
                connection, access=address, dialect=DIALECT, transport=transport, sleep=sleep
            ) as client:
                document = await client.json(call)
    except TimeoutError as error:
        raise VendorUnavailableError(
            f"{name}: {DIALECT.vendor} ({parts.netloc}) had not answered after {PATIENCE:g} seconds."
        ) from error
    return value_in(document, expression, name=name, host=parts.netloc, yes_no=yes_no)


def value_in(document: Json, expression: str, *, name: str, host: str, yes_no: bool = False) -> float:
    """Return the number that a JMESPath expression finds in a document; raise PayloadError where it finds none.

    A text that is a number is one. What was found instead is not repeated: it may be anything.
    """
    try:
        found = jmespath.search(expression, document)
    except JMESPathError as error:
        raise PayloadError(
            f"{name}: `{expression}` cannot be applied to the answer of {host}. Correct `source.http.jmespath`."
        ) from error
    if isinstance(found, bool) and yes_no:
        return float(found)
    if isinstance(found, int | float | str) and not isinstance(found, bool):
        try:
            value = float(found)
        except (ValueError, OverflowError):
            value = float("nan")
        if isfinite(value):
            return value
    what = "nothing" if found is None else f"{KINDS.get(type(found), 'no number')}"
    raise PayloadError(
        f"{name}: `{expression}` finds {what} in the answer of {host}; a number is needed. Correct"
        " `source.http.jmespath`; the value before it stays."
    )


KINDS = {bool: "true or false", str: "a text", list: "a list", dict: "an object"}
