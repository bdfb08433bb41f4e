"""Matchers compiled to functions: does an item, or a published subject, fit, and what did its patterns name.

Pure: which rule a matcher belongs to and what follows from it is decided in `mapping`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, date, datetime, time, tzinfo
from functools import lru_cache
from itertools import product
from typing import Any, assert_never

import jmespath
import re2
from jmespath.exceptions import JMESPathError

from domain.errors import ConfigError
from domain.rules import All, Matcher, Not, Test
from domain.rules import Any as AnyOf
from domain.work import WorkItem

Condition = Callable[[object], bool]
Predicate = Callable[[WorkItem, WorkItem | None, object], bool]
"""(item, its structural parent if known, raw payload if kept) -> does it fit"""
Groups = Mapping[str, str]
Captures = Callable[[WorkItem, WorkItem | None, object], list[Groups]]
"""What the named groups of the patterns hold, one mapping per way in which the item fits; empty: it does not."""

ITEM_FIELDS = frozenset(field.name for field in fields(WorkItem))
COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
CACHED_WORDS = 8192
"""words whose answer a pattern remembers; labels, types and teams repeat, titles and keys do not"""
UNIQUE = frozenset({"title", "key", "url", "id"})


def word(value: object) -> str:
    """Return a value as matchers compare it: without case, ``true`` and ``false``, 3.0 as ``3``, ISO dates."""
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, date):
        return value.isoformat()
    return str(value).casefold()


def elements(found: object) -> Iterable[object]:
    """Return what a field holds, one by one: a list's entries, a mapping's keys, else the value itself."""
    if found is None:
        return ()
    if isinstance(found, tuple | list | set | frozenset | Mapping):
        return found
    return (found,)


def is_there(found: object) -> bool:
    """Whether a field holds anything; 0 and false are values, an empty text or list is not."""
    if found is None or found == "":
        return False
    return len(found) > 0 if isinstance(found, tuple | list | set | frozenset | Mapping) else True


def condition(test: Test, zone: tzinfo) -> Condition:
    """Compile the condition of one field; of a list one fitting entry is enough.

    Dates are days in `zone`. Raises ConfigError for a pattern that RE2 refuses.
    """
    if test.op == "exists":
        wanted = bool(test.value)
        return lambda found: is_there(found) is wanted
    if test.op == "in":
        return one_of(test.value)
    if test.op in ("matches", "glob"):
        return any_element(found_by(test))
    if test.op in COMPARE:
        return any_element(bound(test, zone))
    raise ConfigError(f"'{test.op}' is no operator of a matcher ({test.field}).")


def one_of(value: object) -> Condition:
    """Compile a list of words."""
    wanted = frozenset(word(one) for one in elements(value) if one is not None)

    def fits(found: object) -> bool:
        if isinstance(found, str):
            return found.casefold() in wanted
        return not wanted.isdisjoint(map(word, elements(found)))

    return fits


def any_element(fits: Condition) -> Condition:
    """Return a condition that holds where `fits` does for one entry of what is found."""

    def over(found: object) -> bool:
        return fits(found) if isinstance(found, str) else any(map(fits, elements(found)))

    return over


def found_by(test: Test) -> Condition:
    """Compile a pattern to a condition that remembers the words it has seen, where words repeat."""
    search = pattern(test).search

    def fits(one: str) -> bool:
        return search(one) is not None

    remembered = fits if is_unique(test) else lru_cache(CACHED_WORDS)(fits)
    return lambda one: remembered(text(one))


def is_unique(test: Test) -> bool:
    """Whether hardly two items hold the same in the tested field, so that remembering answers does not pay."""
    return test.field.removeprefix("parent.") in UNIQUE


def text(value: object) -> str:
    """Return a value as patterns see it."""
    return value if isinstance(value, str) else word(value)


def pattern(test: Test) -> Any:  # Any: google-re2 has no types
    """Compile a regular expression (found anywhere) or a glob (the whole value); neither minds the case."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    source = str(test.value) if test.op == "matches" else glob_pattern(str(test.value))
    try:
        return re2.compile(source, options)
    except re2.error as error:
        raise ConfigError(f"The pattern '{test.value}' of {test.field} cannot be compiled: {error}.") from error


def glob_pattern(glob: str) -> str:
    """Return the regular expression of a glob: ``*`` is any text, ``?`` one character, ``[a-c]`` one of them."""
    parts = re.split(r"(\*|\?|\[[^\]]+\])", glob)
    wild = {"*": ".*", "?": "."}
    body = "".join(wild.get(part) or (negated(part) if part[:1] == "[" else re.escape(part)) for part in parts)
    return rf"(?s)\A{body}\z"


def negated(part: str) -> str:
    """Return a glob's character class as a regular expression's."""
    inner = part[1:-1].replace("\\", "\\\\")
    if inner == "!":
        return re.escape(part)
    return f"[^{inner[1:]}]" if inner[0] == "!" else f"[{inner}]" if inner[0] != "^" else f"[\\{inner}]"


def bound(test: Test, zone: tzinfo) -> Condition:
    """Compile ``gt``, ``gte``, ``lt`` or ``lte`` against a number, a day, an instant or a word.

    A value that cannot be read as what it is compared with does not fit.
    """
    compare, limit = COMPARE[test.op], test.value
    if isinstance(limit, datetime):
        instant = limit if limit.tzinfo else limit.replace(tzinfo=UTC)
        return lambda one: (at := as_instant(one, zone)) is not None and compare(at, instant)
    if isinstance(limit, date):
        return lambda one: (day := as_day(one, zone)) is not None and compare(day, limit)
    if isinstance(limit, int | float) and not isinstance(limit, bool):
        return lambda one: (number := as_number(one)) is not None and compare(number, limit)
    limit = word(limit)
    return lambda one: compare(word(one), limit)


def as_number(value: object) -> float | None:
    """Return a number, or a text that is one."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    try:
        return float(value) if isinstance(value, str) else None
    except ValueError:
        return None


def as_instant(value: object, zone: tzinfo) -> datetime | None:
    """Return an instant; a day is its first moment in `zone`."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    return datetime.combine(value, time.min, zone) if isinstance(value, date) else None


def as_day(value: object, zone: tzinfo) -> date | None:
    """Return a day; an instant is the day on which it falls in `zone`."""
    if isinstance(value, str):
        value = parsed(value)
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(zone).date()
    return value if isinstance(value, date) else None


def parsed(value: str) -> date | None:
    """Read a day or an instant as ISO 8601 writes them."""
    try:
        return date.fromisoformat(value) if len(value) == len("2026-01-01") else datetime.fromisoformat(value)
    except ValueError:
        return None


def getter(name: str) -> Callable[[WorkItem], object]:
    """Return the function that reads one field of an item; raises ConfigError where there is none of that name."""
    if name.startswith("fields."):
        return named_field(name.removeprefix("fields."))
    if name == "parent":
        return operator.attrgetter("parent_key")
    if name.startswith("parent."):
        raise ConfigError(f"'parent.{name}': rules see the parent of an item, but nothing above it.")
    if name not in ITEM_FIELDS:
        raise ConfigError(f"'{name}' is no field of a work item.")
    return operator.attrgetter(name)


def named_field(name: str) -> Callable[[WorkItem], object]:
    """Return the function that reads one of the operator's own `fields`; their names compare without case."""
    read = among_fields(name)
    return lambda item: read(item.fields)


def among_fields(name: str) -> Callable[[Mapping[str, object]], object]:
    """Return the function that reads a field among an item's `fields`, without regard to the case of its name."""
    folded = name.casefold()

    def read(fields: Mapping[str, object]) -> object:
        if name in fields or not fields:
            return fields.get(name)
        return next((value for key, value in fields.items() if key.casefold() == folded), None)

    return read


def predicate(matcher: Matcher, zone: tzinfo = UTC) -> Predicate:
    """Compile a matcher over items; raises ConfigError for an unknown field or a pattern that cannot be compiled."""
    match matcher:
        case Test():
            return of_test(matcher, zone)
        case Not():
            inner = predicate(matcher.inner, zone)
            return lambda item, parent, raw: not inner(item, parent, raw)
        case All():
            return all_of([predicate(one, zone) for one in matcher.inner])
        case AnyOf():
            several = [predicate(one, zone) for one in matcher.inner]
            return lambda item, parent, raw: any(fits(item, parent, raw) for fits in several)
        case _:
            assert_never(matcher)


def all_of(several: list[Predicate]) -> Predicate:
    """Return a predicate that holds where each does."""
    if len(several) == 1:
        return several[0]

    def fits(item: WorkItem, parent: WorkItem | None, raw: object) -> bool:
        return all(one(item, parent, raw) for one in several)

    return fits


def of_test(test: Test, zone: tzinfo) -> Predicate:
    """Compile one test; a field of an unknown parent is empty."""
    if test.op == "jmespath":
        return of_raw(str(test.value))
    holds = condition(test, zone)
    if test.field.startswith("parent."):
        above = getter(test.field.removeprefix("parent."))
        return lambda item, parent, raw: holds(above(parent) if parent is not None else None)
    read = getter(test.field)
    return lambda item, parent, raw: holds(read(item))


def of_raw(expression: str) -> Predicate:
    """Compile a JMESPath expression: fits where its result is neither null, false nor empty; 0 is a result."""
    try:
        search = jmespath.compile(expression).search
    except JMESPathError as error:
        raise ConfigError(f"The JMESPath expression '{expression}' cannot be read: {error}.") from error

    def fits(item: WorkItem, parent: WorkItem | None, raw: object) -> bool:
        if raw is None:
            return False
        try:
            result = search(raw)
        except JMESPathError:
            return False
        return result is not False and is_there(result)

    return fits


def captures(matcher: Matcher, zone: tzinfo = UTC) -> Captures:
    """Compile a matcher to what its named groups hold.

    Each fitting entry of a list is one way to fit, as is each fitting branch of `any`; `all` combines the
    ways of its parts. What stands under `not` names nothing.
    """
    match matcher:
        case Test(op="matches"):
            return captures_of_test(matcher)
        case Test() | Not():
            fits = predicate(matcher, zone)
            return lambda item, parent, raw: [{}] if fits(item, parent, raw) else []
        case All():
            parts = [captures(one, zone) for one in matcher.inner]
            return lambda item, parent, raw: combined([part(item, parent, raw) for part in parts])
        case AnyOf():
            branches = [captures(one, zone) for one in matcher.inner]
            return lambda item, parent, raw: distinct(way for one in branches for way in one(item, parent, raw))
        case _:
            assert_never(matcher)


def captures_of_test(test: Test) -> Captures:
    """Compile a pattern to what its groups hold in each entry that it fits."""
    search = pattern(test).search
    above = test.field.startswith("parent.")
    read = getter(test.field.removeprefix("parent."))

    def held(one: str) -> Groups | None:
        match = search(one)
        return {name: text for name, text in match.groupdict().items() if text is not None} if match else None

    groups = held if is_unique(test) else lru_cache(CACHED_WORDS)(held)

    def ways(item: WorkItem, parent: WorkItem | None, raw: object) -> list[Groups]:
        holder = parent if above else item
        found = [groups(text(one)) for one in elements(read(holder) if holder is not None else None)]
        return distinct(way for way in found if way is not None)

    return ways


def combined(parts: list[list[Groups]]) -> list[Groups]:
    """Return every combination of one way per part; of a name that several parts use, the first counts."""
    ways: list[Groups] = []
    for chosen in product(*parts):
        merged: dict[str, str] = {}
        for way in reversed(chosen):
            merged.update(way)
        ways.append(merged)
    return distinct(ways)


def distinct(ways: Iterable[Groups]) -> list[Groups]:
    """Return the ways that differ, in order."""
    found: list[Groups] = []
    for way in ways:
        if way not in found:
            found.append(way)
    return found


def every_test(matcher: Matcher) -> Iterator[Test]:
    """Yield every test inside a matcher."""
    match matcher:
        case Test():
            yield matcher
        case Not():
            yield from every_test(matcher.inner)
        case _:
            for inner in matcher.inner:
                yield from every_test(inner)


def subject_matches(matcher: Matcher, values: Mapping[str, object]) -> bool:
    """Whether a published subject fits; `values` holds its fields and ``dimensions``.

    A name that is no field is that of a dimension, with or without ``dimensions.`` before it; a subject with
    shares on a dimension fits each value that has one.
    """
    match matcher:
        case Test():
            return condition(matcher, UTC)(subject_field(matcher.field, values))
        case Not():
            return not subject_matches(matcher.inner, values)
        case All():
            return all(subject_matches(one, values) for one in matcher.inner)
        case AnyOf():
            return any(subject_matches(one, values) for one in matcher.inner)
        case _:
            assert_never(matcher)


def subject_field(name: str, values: Mapping[str, object]) -> object:
    """Return a field of a subject, else its value on the dimension of that name."""
    if name in values and name != "dimensions":
        return values[name]
    dimensions = values.get("dimensions")
    if not isinstance(dimensions, Mapping):
        return None
    wanted = name.removeprefix("dimensions.").casefold()
    return next((value for key, value in dimensions.items() if str(key).casefold() == wanted), None)
