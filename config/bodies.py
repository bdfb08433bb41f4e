"""Templates of JSON: the body of an outgoing webhook, tried when the file is read, filled in when something is told.

Each value that is written is encoded as JSON, quotes and all, so that no title can end a text or add a key.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

import orjson

from config import jinja

SAMPLE: Mapping[str, object] = {
    **jinja.SAMPLE,
    "health_id": "at_risk",
    "text": "At risk.",
    "key": "keyrail:acme:r:kr:KR1",
}
"""What the template of a body may name, each with a value to try it with."""

BARE: Mapping[str, object] = {**SAMPLE, **jinja.BARE, "percent": None, "text": None}
"""The same where nothing is known."""

HINT = 'Values bring their own quotes: {"name": {{ title }}}. Text around one: {{ "OKR " ~ title }}.'


def filled(text: str, values: Mapping[str, object]) -> object:
    """Return the JSON value that a template makes; raise ValueError with what is wrong where it makes none."""
    from jinja2 import TemplateError

    try:
        body = jinja.filled(text, values, encode=_encoded)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, OverflowError) as error:
        raise ValueError(f"The template cannot be filled in: {error}.") from error
    if len(body) >= jinja.LONGEST:
        raise ValueError(f"The template came to {jinja.LONGEST} characters or more.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"Filled in it is not JSON ({error}). {HINT}") from error


def _encoded(value: object) -> object:
    """Encode what is written; what is undefined raises when it is."""
    from jinja2 import Undefined

    if isinstance(value, Undefined):
        return value
    return orjson.dumps(str(value) if isinstance(value, date) and not isinstance(value, datetime) else value).decode()


def body_problem(text: str) -> str | None:
    """Return what is wrong with the template of a body; None if nothing is."""
    if problem := jinja.template_problem(text, SAMPLE, BARE):
        return problem
    try:
        for sample in (SAMPLE, BARE):
            filled(text, sample)
    except ValueError as error:
        return str(error)
    return None
