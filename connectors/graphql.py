"""GraphQL over HTTP as GitHub and Linear speak it: a document and its variables out, `data` and `errors` in.

Pure. What an error means differs between the two and is told in their own folders.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from connectors.base import Answer, Call, Json


def request(
    path: str, document: str, variables: Mapping[str, Json], *, idempotent: bool = True, attempts: int = 4
) -> Call:
    """Return the call that carries a document. A mutation that makes something is not idempotent."""
    body = {"query": document, "variables": dict(variables)}
    writes = document.lstrip().startswith("mutation")
    return Call(method="POST", path=path, json=body, idempotent=idempotent, writes=writes, attempts=attempts)


def errors_of(told: Json) -> list[dict[str, Any]]:
    """Return the errors that an answer lists, none where it lists none."""
    errors = told.get("errors") if isinstance(told, dict) else None
    return [error for error in errors if isinstance(error, dict)] if isinstance(errors, list) else []


def errors_in(answer: Answer) -> list[dict[str, Any]]:
    """Return the errors of an answer that was not decoded yet; costs a search where there are none.

    A quotation mark inside a JSON string is escaped, so the key cannot be taken from the text of an issue.
    """
    if b'"errors"' not in answer.body:
        return []
    try:
        return errors_of(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        return []
