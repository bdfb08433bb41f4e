"""Linear's filters as functions over rows: comparators, `and` and `or`, filters of related rows and of collections.

What a filter may say is the schema's matter; what a related row is comes in as a function.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

from app.demo.graphql import Refusal

Test = Callable[[Any], bool]
ValueOf = Callable[[str], Callable[[Any], Any]]
"""field of a filter -> function of a row: what it is compared with, a value, a row, or a list of rows"""

_DURATION = re.compile(r"(-)?P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def invalid(message: str) -> Refusal:
    """Return Linear's refusal of what somebody sent."""
    told = {"type": "invalid input", "code": "INVALID_INPUT", "statusCode": 400, "userError": True}
    return Refusal(message, extensions={**told, "userPresentableMessage": message})


def test_of(asked: Mapping[str, Any], value_of: ValueOf, now: datetime) -> Test:
    """Return whether a row passes a filter, as a function; all of its parts must hold. Raises Refusal."""
    tests = [_part(name, value, value_of, now) for name, value in asked.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda row: all(test(row) for test in tests)


def _part(name: str, asked: Any, value_of: ValueOf, now: datetime) -> Test:
    if name in ("and", "or"):
        parts = [test_of(one, value_of, now) for one in asked]
        together = all if name == "and" else any
        return lambda row: together(part(row) for part in parts)
    inner, value = _against(asked, value_of, now), value_of(name)
    return lambda row: inner(value(row))


def _against(asked: Mapping[str, Any], value_of: ValueOf, now: datetime) -> Test:
    """Return the test of what a field is: a comparator, a filter of a row, or one of a collection."""
    null = asked.get("null")
    rest = {key: value for key, value in asked.items() if key != "null"}
    comparing = {key: value for key, value in rest.items() if key in _COMPARE}
    tests = [_comparison(key, value, now) for key, value in comparing.items()]
    some = test_of(rest["some"], value_of, now) if "some" in rest else None
    every = test_of(rest["every"], value_of, now) if "every" in rest else None
    length = _against(rest["length"], value_of, now) if "length" in rest else None
    related = {key: value for key, value in rest.items() if key not in {*_COMPARE, "some", "every", "length"}}
    nested = test_of(related, value_of, now) if related else None
    if len(tests) == 1 and rest.keys() == comparing.keys() and null is None and not _takes_none(rest):
        (only,) = tests
        return lambda value: value is not None and only(value)
    if nested is not None and rest == related and null is None and some is None:
        return lambda value: (
            any(nested(one) for one in value) if isinstance(value, list) else value is not None and nested(value)
        )

    def passes(value: Any) -> bool:
        if null is not None and (value is None) != null:
            return False
        if isinstance(value, list):
            one = some or nested
            return (
                (one is None or any(one(row) for row in value))
                and (every is None or all(every(row) for row in value))
                and (length is None or length(len(value)))
            )
        if value is None:
            return null is True or _takes_none(rest)
        return all(test(value) for test in tests) and (nested is None or nested(value))

    return passes


def _takes_none(asked: Mapping[str, Any]) -> bool:
    """Return whether a field that is null passes: nothing is asked, or only what it must not be."""
    return all(key in ("neq", "nin") for key in asked)


def _comparison(key: str, asked: Any, now: datetime) -> Test:
    compare, made = _COMPARE[key], asked
    if key in ("in", "nin"):
        made = frozenset(asked)

    def passes(value: Any) -> bool:
        nonlocal made
        if isinstance(value, datetime) and isinstance(made, str):
            made = moment(made, now)
        elif isinstance(value, datetime) and isinstance(made, frozenset):
            return compare(value, {moment(one, now) for one in made})
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = value.isoformat()
        return compare(value, made)

    return passes


def moment(text: str, now: datetime) -> datetime:
    """Read a `DateTimeOrDuration`: ISO 8601, or a duration from now such as ``-P2W``; raises Refusal."""
    if found := _DURATION.fullmatch(text):
        sign = -1 if found[1] else 1
        years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in found.groups()[1:])
        span = timedelta(
            days=365 * years + 30 * months + 7 * weeks + days, hours=hours, minutes=minutes, seconds=seconds
        )
        return now + sign * span
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise invalid(f"Argument Validation Error: {text!r} is no date.") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _text(test: Callable[[str, str], bool], *, fold: bool = False) -> Callable[[Any, Any], bool]:
    if fold:
        return lambda value, asked: test(str(value).casefold(), asked.casefold())
    return lambda value, asked: test(str(value), asked)


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda value, asked: bool(value == asked),
    "neq": lambda value, asked: bool(value != asked),
    "in": lambda value, asked: value in asked,
    "nin": lambda value, asked: value not in asked,
    "gt": lambda value, asked: bool(value > asked),
    "gte": lambda value, asked: bool(value >= asked),
    "lt": lambda value, asked: bool(value < asked),
    "lte": lambda value, asked: bool(value <= asked),
    "contains": _text(lambda value, asked: asked in value),
    "containsIgnoreCase": _text(lambda value, asked: asked in value, fold=True),
    "containsIgnoreCaseAndAccent": _text(lambda value, asked: asked in value, fold=True),
    "notContains": _text(lambda value, asked: asked not in value),
    "notContainsIgnoreCase": _text(lambda value, asked: asked not in value, fold=True),
    "startsWith": _text(str.startswith),
    "startsWithIgnoreCase": _text(str.startswith, fold=True),
    "notStartsWith": _text(lambda value, asked: not value.startswith(asked)),
    "endsWith": _text(str.endswith),
    "notEndsWith": _text(lambda value, asked: not value.endswith(asked)),
    "eqIgnoreCase": _text(str.__eq__, fold=True),
    "neqIgnoreCase": _text(str.__ne__, fold=True),
}
