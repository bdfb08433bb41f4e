"""The few JQL clauses that a sweep of Jira needs, over the benchmark's issues; anything else is refused.

Pure: text in, positions out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from datetime import UTC, datetime

from bench.answer import UnknownQuery
from bench.payloads import FIRST_ID, Issues, key_of, project_of

_PROJECTS = re.compile(r"project\s+in\s*\(([^)]*)\)|project\s*=\s*(\"?\w+\"?)", re.IGNORECASE)
_UPDATED = re.compile(r"updated\s*>=\s*(?:(\d+)|\"([^\"]+)\")", re.IGNORECASE)
_BOUND = re.compile(r"\b(?:id|key|issuekey)\s*(>=|<=|>|<)\s*\"?(\d+)\"?", re.IGNORECASE)
_AMONG = re.compile(r"\b(?:id|key|issuekey)\s+in\s*\(([^)]*)\)", re.IGNORECASE)
_ORDER = re.compile(r"order\s+by\s+(\w+)[\w\s,]*$", re.IGNORECASE)
_GLUE = re.compile(r"\band\b|[()\s]", re.IGNORECASE)


def positions(text: str, issues: Issues) -> list[int]:
    """Return the positions of the issues that a query finds, in its order."""
    rest = text
    order = _ORDER.search(rest)
    rest = _ORDER.sub("", rest)
    found = _candidates(rest, issues)
    rest = _UPDATED.sub("", rest)
    for match in _PROJECTS.finditer(rest):
        wanted = {word.strip(' "') for word in (match[1] or match[2]).split(",")}
        found = [p for p in found if project_of(p) in wanted]
    rest = _PROJECTS.sub("", rest)
    for sign, number in _BOUND.findall(rest):
        bound = int(number) - FIRST_ID
        keep = {">=": bound.__le__, ">": bound.__lt__, "<=": bound.__ge__, "<": bound.__gt__}[sign]
        found = [p for p in found if keep(p)]
    rest = _BOUND.sub("", rest)
    for match in _AMONG.finditer(rest):
        words = {word.strip(' "') for word in match[1].split(",")}
        found = [p for p in found if str(FIRST_ID + p) in words or key_of(p) in words]
    rest = _AMONG.sub("", rest)
    if left := _GLUE.sub("", rest):
        raise UnknownQuery(f"The benchmark's server does not know '{left}' in: {text}")
    by_time = order is not None and order[1].casefold() == "updated"
    descending = re.search(r"order\s+by\s+\w+\s+desc", text, re.IGNORECASE) is not None
    return sorted(found, key=(lambda p: (changed(issues, p), p)) if by_time else None, reverse=descending)


def changed(issues: Issues, position: int) -> int:
    """Return the ms at which an issue changed last."""
    return issues.touched.get(position, issues.updated[position])


def _candidates(text: str, issues: Issues) -> list[int]:
    match = _UPDATED.search(text)
    if match is None:
        return list(range(issues.size))
    if match[1]:
        bound = int(match[1])
    else:
        moment = datetime.strptime(match[2].replace("/", "-"), "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
        bound = int(moment.timestamp() * 1000)
    first = bisect_left(issues.updated, bound)
    return [*range(first, issues.size), *(p for p, at in issues.touched.items() if p < first and at >= bound)]
