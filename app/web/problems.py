"""Answers that say what went wrong, for programs (RFC 9457).

What is an error, and of which status, is decided where it happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import orjson
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


def problem(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """Return a problem document: `detail` says what happened and what to do."""
    doc = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    said = {"cache-control": "no-store", **(headers or {})}
    return Response(orjson.dumps(doc, option=orjson.OPT_UTC_Z), status, media_type=MEDIA_TYPE, headers=said)
