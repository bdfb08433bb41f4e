"""Is this change our own update coming back? Told by account and content.

Pure; time plays no part: an echo may come late, and a person may be quick.
"""

from __future__ import annotations

from collections.abc import Mapping


def is_echo(account: str, author: str | None, changed_fields: Mapping[str, object], ours: Mapping[str, object]) -> bool:
    """Whether a change says nothing but what we wrote.

    `account` and `author` are the vendor's ids of our account and of whoever made the change;
    `changed_fields` maps the changed fields to their new content, `ours` those we last wrote to what we wrote.
    A change under our account that holds anything else is somebody's who uses it; a change whose author or
    fields are not told proves nothing. Neither is an echo.
    """
    if not account or author != account or not changed_fields:
        return False
    return all(name in ours and same(value, ours[name]) for name, value in changed_fields.items())


def same(one: object, other: object) -> bool:
    """Whether two contents are one: trackers trim texts, change line ends, and write 40 for 40.0."""
    if isinstance(one, str) and isinstance(other, str):
        return plain(one) == plain(other)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[name]) for name, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def plain(text: str) -> str:
    """Return a text without the differences that trackers make."""
    return "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").strip().split("\n"))
