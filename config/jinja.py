"""Templates of the operator: Jinja2 in its sandbox, tried when the file is read, filled in when something is told.

Nothing in here escapes: what a place needs escaped is known where it is written to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

MARKUP = re.compile(r"\A\s*\{#-?\s*(markdown|mrkdwn)\s*-?#\}")
OLD = re.compile(r"(?<!\{)\{\s*([a-z_0-9]+)\s*\}(?!\})")
LONGEST = 20_000
"""characters that a template may come to"""
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

SAMPLE: Mapping[str, object] = {
    "workspace": "acme",
    "kind": "key_result",
    "id": "KR1",
    "title": "A key result",
    "progress": 62,
    "progress_words": "62 %",
    "health": "At risk",
    "reasons": ["62 % delivered, 70 % expected by today"],
    "summary": "At risk. 62 % delivered, 70 % expected by today.",
    "changed": ["Progress moved from 60 % to 62 %."],
    "coverage": 100,
    "forecast": {"p50": date(2026, 12, 1), "p85": date(2026, 12, 12), "probability": 40},
    "flags": ["no_history"],
    "url": "https://keyrail.example.com/key_results/KR1",
    "period": "2026-W48",
    "complete_to": datetime(2026, 11, 24, 12, tzinfo=UTC),
}
"""What a template of `publish` may name, each with a value to try it with."""
BARE: Mapping[str, object] = {
    **SAMPLE,
    "progress": None,
    "reasons": [],
    "changed": [],
    "coverage": None,
    "forecast": {"p50": None, "p85": None, "probability": None},
    "flags": [],
    "url": None,
    "complete_to": None,
}
"""The same where nothing is known."""


def template_problem(text: str, *samples: Mapping[str, object]) -> str | None:
    """Return what is wrong with a template, and in which line of it; None if nothing is.

    It may name what the first of the samples names, and is tried with each; without any, as one of `publish`.
    """
    from jinja2 import TemplateError, TemplateSyntaxError, meta

    samples = samples or (SAMPLE, BARE)
    known = samples[0]
    if old := next((found for found in OLD.finditer(text) if found[1] in known), None):
        return f"Names stand in two braces: write {{{{ {old[1]} }}}} in place of {old[0]}."
    try:
        unknown = meta.find_undeclared_variables(environment().parse(text)) - known.keys()
    except TemplateSyntaxError as error:
        return f"Line {error.lineno} of the template: {error.message}."
    if unknown:
        return f"The template names {', '.join(sorted(unknown))}. It may name: {', '.join(known)}."
    try:
        for sample in samples:
            filled(text, sample)
    except (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, OverflowError) as error:
        return f"The template cannot be filled in: {error}. Values may be missing (none): test with `if`."
    return None


def filled(text: str, values: Mapping[str, object], *, encode: Callable[[object], object] | None = None) -> str:
    """Return a template with its values, white space around it taken away, at most `LONGEST` characters.

    `encode` is applied to each value that is written. Raises `jinja2.TemplateError` for what the sandbox refuses, and
    what operators and filters raise.
    """
    parts, size = [], 0
    for part in environment(encode).from_string(text).generate(**values):
        parts.append(part)
        size += len(part)
        if size > LONGEST:
            break
    return "".join(parts)[:LONGEST].strip()


def markup_of(text: str) -> str | None:
    """Return the format that a template says it is written in by its first line, ``{# markdown #}``; None for none."""
    found = MARKUP.match(text)
    return found[1] if found else None


@lru_cache(maxsize=8)
def environment(encode: Callable[[object], object] | None = None) -> SandboxedEnvironment:
    """Return the sandbox; `encode` is applied to each value that is written."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    made = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=encode or _written
    )
    made.filters["day"] = day
    made.filters["moment"] = moment
    for name in ("range", "lipsum"):
        made.globals.pop(name, None)
    return made


def _written(value: Any) -> Any:  # Any: whatever an expression comes to
    return "" if value is None else day(value) if type(value) is date else moment(value)


def day(value: Any) -> Any:  # Any: whatever a filter is given
    """Write a date as ``12 Dec 2026``; anything else stays what it is, and nothing is nothing."""
    if isinstance(value, date):
        return f"{value.day} {MONTHS[value.month - 1]} {value.year}"
    return "" if value is None else value


def moment(value: Any) -> Any:  # Any: whatever a filter is given
    """Write an instant as ``12 Dec 2026, 14:05 CET`` in its own zone; anything else stays what it is."""
    return f"{day(value)}, {value:%H:%M %Z}" if isinstance(value, datetime) else value
