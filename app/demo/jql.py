"""The part of JQL that the simulated site understands: text to a test on an issue and an order.

Pure but for the site that it asks about names and keys; pages, limits and HTTP are the application's matter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.demo.site import SPRINT, Issue, Site

Test = Callable[[Issue], bool]

_TOKEN = re.compile(r"""\s*(?:("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(>=|<=|!=|!~|[=<>~(),])|([^\s=<>!~(),"']+))""")
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_RELATIVE = re.compile(r"([+-]?\d+)([mhdw])")
_DATE_FORMATS = ("%Y-%m-%d %H:%M", "%Y/%m/%d %H:%M", "%Y-%m-%d", "%Y/%m/%d")
_ALIASES = {"key": "id", "issuekey": "id", "issue": "id", "type": "issuetype", "createddate": "created",
            "updateddate": "updated", "resolved": "resolutiondate", "epic link": "parent",
            "cf[10014]": "parent"}  # fmt: skip
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
}
MAX_ORDER_FIELDS = 7


class JqlError(ValueError):
    """The query is refused; the text is what Jira would answer under `errorMessages`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One token: `kind` is ``word``, ``text`` (it was quoted) or ``sign``."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A query ready to run; `bounded` says whether it restricts anything."""

    test: Test
    order: tuple[tuple[str, bool], ...]
    bounded: bool

    def run(self, site: Site, issues: Sequence[Issue]) -> list[Issue]:
        """Return the matching issues in the query's order (newest first where it names none)."""
        found = [issue for issue in issues if self.test(issue)]
        found.sort(key=lambda issue: issue.id, reverse=not self.order)
        for field, descending in reversed(self.order):
            key = _ORDER_KEYS[field]
            found.sort(key=lambda issue, key=key: key(site, issue), reverse=descending)  # type: ignore[misc]  # bound default
        return found


_ORDER_KEYS: dict[str, Callable[[Site, Issue], Any]] = {
    "id": lambda site, issue: (site.projects[issue.project].key, int(issue.key.rpartition("-")[2])),
    "numeric id": lambda site, issue: issue.id,
    "updated": lambda site, issue: issue.updated,
    "created": lambda site, issue: issue.created,
    "project": lambda site, issue: site.projects[issue.project].key,
    "status": lambda site, issue: issue.status,
    "issuetype": lambda site, issue: issue.type,
    "summary": lambda site, issue: issue.summary,
    "duedate": lambda site, issue: issue.due.toordinal() if issue.due else 0,
    "resolutiondate": lambda site, issue: issue.resolved.timestamp() if issue.resolved else 0.0,
}


def read(text: str, site: Site, *, validate: bool = True) -> Query:
    """Read a query; raises JqlError as the real site answers 400.

    `validate` False passes over issues in a list that are not there, as `validateQuery=false` does on Data Center.
    """
    where, order = _split_order(text)
    words = _words(where)
    if not words:
        return Query(test=lambda issue: True, order=_order(order), bounded=False)
    reader = _Reader(words, site, validate)
    test = reader.either()
    if reader.peek() is not None:
        raise JqlError(f"Error in the JQL Query: Expecting operator before '{reader.words[reader.at].text}'.")
    return Query(test=test, order=_order(order), bounded=True)


def _split_order(text: str) -> tuple[str, str]:
    found = list(_ORDER.finditer(text))
    return (text[: found[-1].start()], text[found[-1].end() :]) if found else (text, "")


def _words(text: str) -> list[Word]:
    words, at, text = [], 0, text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise JqlError(f"Error in the JQL Query: The character '{text[at]}' is a reserved JQL character.")
        quoted, sign, word = match.groups()
        if quoted:
            words.append(Word(kind="text", text=re.sub(r"\\(.)", r"\1", quoted[1:-1])))
        else:
            words.append(Word(kind="sign" if sign else "word", text=sign or word))
        at = match.end()
    return words


def _order(text: str) -> tuple[tuple[str, bool], ...]:
    fields = []
    for part in text.split(",") if text.strip() else []:
        name, _, direction = part.strip().partition(" ")
        field = "numeric id" if name.casefold() == "id" else _ALIASES.get(name.casefold(), name.casefold())
        if field not in _ORDER_KEYS:
            raise JqlError(f"Not able to sort using field '{name}'.")
        if direction.strip().casefold() not in ("", "asc", "desc"):
            raise JqlError(f"Error in the JQL Query: Expecting 'ASC' or 'DESC' but got '{direction.strip()}'.")
        fields.append((field, direction.strip().casefold() == "desc"))
    if len(fields) > MAX_ORDER_FIELDS:
        raise JqlError(f"The maximum number of sort fields is {MAX_ORDER_FIELDS}.")
    return tuple(fields)


class _Reader:
    """Recursive descent over the words of a query."""

    def __init__(self, words: list[Word], site: Site, validate: bool) -> None:
        self.words, self.site, self.validate, self.at = words, site, validate, 0

    def peek(self) -> Word | None:
        return self.words[self.at] if self.at < len(self.words) else None

    def next(self) -> Word:
        word = self.peek()
        if word is None:
            raise JqlError("Error in the JQL Query: Expecting a value but got the end of the query.")
        self.at += 1
        return word

    def accept(self, *texts: str) -> bool:
        """Step over the words if they come next, unquoted and in any case."""
        ahead = self.words[self.at : self.at + len(texts)]
        if [(w.kind != "text", w.text.casefold()) for w in ahead] != [(True, t) for t in texts]:
            return False
        self.at += len(texts)
        return True

    def either(self) -> Test:
        tests = [self.both()]
        while self.accept("or"):
            tests.append(self.both())
        return tests[0] if len(tests) == 1 else lambda issue: any(test(issue) for test in tests)

    def both(self) -> Test:
        tests = [self.single()]
        while self.accept("and"):
            tests.append(self.single())
        return tests[0] if len(tests) == 1 else lambda issue: all(test(issue) for test in tests)

    def single(self) -> Test:
        if self.accept("not"):
            inner = self.single()
            return lambda issue: not inner(issue)
        if self.accept("("):
            inner = self.either()
            if not self.accept(")"):
                raise JqlError("Error in the JQL Query: Expecting ')' before the end of the query.")
            return inner
        return self.clause()

    def clause(self) -> Test:
        name = self.next().text
        field = _ALIASES.get(name.casefold(), name.casefold())
        if field not in _CLAUSES:
            raise JqlError(f"Field '{name}' does not exist or you do not have permission to view it.")
        if self.accept("is", "not"):
            return self.emptiness(field, False)
        if self.accept("is"):
            return self.emptiness(field, True)
        if self.accept("not", "in"):
            inner = _CLAUSES[field](self.site, "in", self.list(field))
            return lambda issue: not inner(issue)
        if self.accept("in"):
            return _CLAUSES[field](self.site, "in", self.list(field))
        sign = self.next()
        if sign.kind != "sign" or sign.text not in (*_COMPARE, "~"):
            raise JqlError(f"Error in the JQL Query: Expecting an operator but got '{sign.text}'.")
        return _CLAUSES[field](self.site, sign.text, [self.next()])

    def emptiness(self, field: str, empty: bool) -> Test:
        if not (self.accept("empty") or self.accept("null")):
            raise JqlError("Error in the JQL Query: Expecting EMPTY or NULL after 'is'.")
        if field not in _EMPTY:
            raise JqlError(f"The operator 'is' is not supported by the '{field}' field.")
        blank = _EMPTY[field]
        return lambda issue: blank(issue) is empty

    def list(self, field: str) -> list[Word]:
        if not self.accept("("):
            raise JqlError("Error in the JQL Query: Expecting '(' after 'in'.")
        values = [self.next()]
        while self.accept(","):
            values.append(self.next())
        if not self.accept(")"):
            raise JqlError("Error in the JQL Query: Expecting ')' at the end of a list.")
        if not self.validate and field in ("id", "parent"):
            return [value for value in values if self.site.find(value.text)]
        return values


_EMPTY: dict[str, Test] = {
    "labels": lambda issue: not issue.labels,
    "resolution": lambda issue: issue.resolution is None,
    "resolutiondate": lambda issue: issue.resolved is None,
    "assignee": lambda issue: issue.assignee is None,
    "duedate": lambda issue: issue.due is None,
    "sprint": lambda issue: not issue.sprints,
}


def _membership(name: str, sign: str, wanted: set[Any], value: Callable[[Issue], Any]) -> Test:
    if sign in ("=", "in"):
        return lambda issue: value(issue) in wanted
    if sign == "!=":
        return lambda issue: value(issue) not in wanted
    raise JqlError(f"The operator '{sign}' is not supported by the '{name}' field.")


def _project(site: Site, sign: str, values: list[Word]) -> Test:
    wanted = set()
    for value in values:
        project = site.project(value.text)
        if project is None:
            raise JqlError(f"The value '{value.text}' does not exist for the field 'project'.")
        wanted.add(project.id)
    return _membership("project", sign, wanted, lambda issue: issue.project)


def _named(field: str, known: Callable[[Site], dict[str, str]], value: Callable[[Issue], str]) -> Callable[..., Test]:
    def clause(site: Site, sign: str, values: list[Word]) -> Test:
        names = known(site)
        wanted = set()
        for word in values:
            if word.text.casefold() not in names:
                raise JqlError(f"The value '{word.text}' does not exist for the field '{field}'.")
            wanted.add(names[word.text.casefold()])
        return _membership(field, sign, wanted, value)

    return clause


def _type_names(site: Site) -> dict[str, str]:
    names = {t.name.casefold(): t.name for t in site.types.values()}
    return names | {t.id: t.name for t in site.types.values()}


def _status_names(site: Site) -> dict[str, str]:
    names = {s.name.casefold(): s.name for s in site.statuses.values()}
    return names | {s.id: s.name for s in site.statuses.values()}


def _status_category(site: Site, sign: str, values: list[Word]) -> Test:
    words = {"to do": "new", "new": "new", "in progress": "indeterminate", "indeterminate": "indeterminate",
             "done": "done", "complete": "done", "2": "new", "4": "indeterminate", "3": "done"}  # fmt: skip
    wanted = set()
    for word in values:
        if word.text.casefold() not in words:
            raise JqlError(f"The value '{word.text}' does not exist for the field 'statusCategory'.")
        wanted.add(words[word.text.casefold()])
    return _membership("statusCategory", sign, wanted, lambda issue: site.statuses[issue.status].category)


def _labels(site: Site, sign: str, values: list[Word]) -> Test:
    wanted = {word.text.casefold() for word in values}
    if sign not in ("=", "in", "!="):
        raise JqlError(f"The operator '{sign}' is not supported by the 'labels' field.")
    return lambda issue: wanted.isdisjoint(label.casefold() for label in issue.labels) is (sign == "!=")


def _known_id(site: Site, word: Word, field: str) -> int:
    issue = site.find(word.text)
    if issue is None:
        what = "A value with ID" if word.text.isdigit() else "An issue with key"
        raise JqlError(f"{what} '{word.text}' does not exist for field '{field}'.")
    return issue.id


def _id(site: Site, sign: str, values: list[Word]) -> Test:
    if sign in ("=", "in", "!="):
        return _membership("id", sign, {_known_id(site, word, "id") for word in values}, lambda issue: issue.id)
    if sign not in _COMPARE:
        raise JqlError(f"The operator '{sign}' is not supported by the 'key' field.")
    compare, text = _COMPARE[sign], values[0].text
    if text.isdigit():
        return lambda issue: compare(issue.id, int(text))
    prefix, _, number = text.upper().rpartition("-")
    if not number.isdigit():
        raise JqlError(f"The issue key '{text}' for field 'key' is invalid.")
    return lambda issue: issue.key.startswith(f"{prefix}-") and compare(int(issue.key.rpartition("-")[2]), int(number))


def _parent(site: Site, sign: str, values: list[Word]) -> Test:
    wanted = {_known_id(site, word, "parent") for word in values}
    return _membership("parent", sign, wanted, lambda issue: issue.parent)


def _instant(field: str, value: Callable[[Issue], datetime | None]) -> Callable[..., Test]:
    def clause(site: Site, sign: str, values: list[Word]) -> Test:
        if sign not in _COMPARE:
            raise JqlError(f"The operator '{sign}' is not supported by the '{field}' field.")
        bound, compare = _moment(site, values[0], field), _COMPARE[sign]
        # Dates compare by the minute, as the search index keeps them.
        exact = values[0].kind == "word"

        def test(issue: Issue) -> bool:
            at = value(issue)
            return at is not None and compare(at if exact else at.replace(second=0, microsecond=0), bound)

        return test

    return clause


def _moment(site: Site, word: Word, field: str) -> datetime:
    if word.kind == "word" and word.text.isdigit():
        if site.faults.refuse_epoch_ms:
            raise JqlError(f"Date value '{word.text}' for field '{field}' is invalid.")
        return datetime.fromtimestamp(int(word.text) / 1000, UTC)
    if relative := _RELATIVE.fullmatch(word.text):
        return site.now() + timedelta(**{_UNITS[relative[2]]: int(relative[1])})
    for form in _DATE_FORMATS:
        try:
            local = datetime.strptime(word.text, form)  # noqa: DTZ007  # the caller's zone is laid over it next
        except ValueError:
            continue
        return local.replace(tzinfo=ZoneInfo(site.me.time_zone)).astimezone(UTC)
    raise JqlError(
        f"Date value '{word.text}' for field '{field}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', "
        "'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
    )


def _sprint(site: Site, sign: str, values: list[Word]) -> Test:
    names = {sprint.name.casefold(): sprint.id for sprint in site.sprints.values()}
    wanted = {int(w.text) if w.text.isdigit() else names.get(w.text.casefold(), -1) for w in values}
    if sign not in ("=", "in", "!="):
        raise JqlError(f"The operator '{sign}' is not supported by the '{SPRINT}' field.")
    return lambda issue: wanted.isdisjoint(issue.sprints) is (sign == "!=")


def _summary(site: Site, sign: str, values: list[Word]) -> Test:
    if sign != "~":
        raise JqlError(f"The operator '{sign}' is not supported by the 'summary' field.")
    wanted = values[0].text.casefold()
    return lambda issue: wanted in issue.summary.casefold()


def _only_empty(field: str) -> Callable[..., Test]:
    def clause(site: Site, sign: str, values: list[Word]) -> Test:
        raise JqlError(f"The simulated site knows no comparison of '{field}', only IS EMPTY.")

    return clause


_CLAUSES: dict[str, Callable[[Site, str, list[Word]], Test]] = {
    "project": _project,
    "issuetype": _named("issuetype", _type_names, lambda issue: issue.type),
    "status": _named("status", _status_names, lambda issue: issue.status),
    "statuscategory": _status_category,
    "labels": _labels,
    "id": _id,
    "parent": _parent,
    "updated": _instant("updated", lambda issue: issue.updated),
    "created": _instant("created", lambda issue: issue.created),
    "resolutiondate": _instant("resolutiondate", lambda issue: issue.resolved),
    "sprint": _sprint,
    "summary": _summary,
    **{name: _only_empty(name) for name in ("resolution", "assignee", "duedate")},
}
