"""Patterns that an operator writes: regular expressions of RE2 and JMESPath expressions, tried on load.

Nothing is matched here; what is refused is explained by the construct that is the reason.
"""

from __future__ import annotations

import re
from typing import Any

from config.nodes import Node
from config.notes import BAD, Bad, Notes, at
from config.scalars import Text

LOOK_AROUND = (
    ("(?=", "look-ahead (?=…)"),
    ("(?!", "negative look-ahead (?!…)"),
    ("(?<=", "look-behind (?<=…)"),
    ("(?<!", "negative look-behind (?<!…)"),
    ("(?>", "an atomic group (?>…)"),
    ("(?P=", "a back-reference (?P=…)"),
    ("(?(", "a conditional (?(…)…)"),
)


def groups_of(pattern: str) -> tuple[str, ...]:
    """Return the named groups of a pattern."""
    return _compiled(pattern)[0]


def group_count(pattern: str) -> int:
    """Return how many groups a pattern has, 0 where it is refused."""
    import re2

    try:
        return int(re2.compile(pattern, _quiet()).groups)
    except re2.error:
        return 0


def _quiet() -> Any:
    import re2

    options = re2.Options()
    options.log_errors = False
    return options


def _compiled(pattern: str) -> tuple[tuple[str, ...], str | None]:
    import re2

    try:
        return tuple(re2.compile(pattern, _quiet()).groupindex), None
    except re2.error as error:
        for construct, words in LOOK_AROUND:
            if construct in pattern:
                return (), (
                    f"The regular expression uses {words}, which RE2 does not have: it would make the time to match "
                    "unbounded. Match what you want with a group, or exclude the rest with not:."
                )
        if found := re.search(r"(?<!\\)\\[1-9]", pattern):
            return (), (
                f"The regular expression uses the back-reference {found[0]}, which RE2 does not have. "
                "Write the text out, or use two conditions."
            )
        reason = error.args[0] if error.args else "it is refused"
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        return (), f"The regular expression cannot be read: {text}."


def check_regex(pattern: str, node: Node, path: str, notes: Notes) -> str | Bad:
    """Return `pattern`, or note why RE2 refuses it."""
    if pattern not in notes.patterns:
        notes.patterns[pattern] = _compiled(pattern)
    problem = notes.patterns[pattern][1]
    if problem is None:
        return pattern
    notes.error(at(node, path), problem)
    return BAD


def jmespath_problem(expression: str) -> str | None:
    """Return why a JMESPath expression cannot be read, None where it can."""
    import jmespath
    from jmespath.exceptions import JMESPathError

    try:
        jmespath.compile(expression)
    except JMESPathError as error:
        first = (str(error).splitlines() or [type(error).__name__])[0].rstrip(":. ")
        return f"The JMESPath expression cannot be read: {first}."
    except (RecursionError, ValueError):
        return "The JMESPath expression cannot be read: it is nested too deep or holds a bad value."
    return None


JMESPATH = Text("a JMESPath expression", check=jmespath_problem)
