"""The keys of the workspace file: the root of the one declaration that reads it and prints its schema.

Only names and shapes; reading files is done in `workspace`, checks over all of them in `references`.
"""

from __future__ import annotations

from typing import Any

from config.connections import CONNECTIONS
from config.nodes import Node
from config.notes import Notes, at
from config.plan import ADDRESS, DIMENSIONS, INITIATIVE, OBJECTIVE, TEAMS, TIMEFRAMES
from config.policies import POLICIES
from config.publishing import PUBLISH
from config.rules import MAPPING
from config.scalars import Choice, Text
from config.shapes import Key, ListOf, Record, Then


def zone_problem(name: str) -> str | None:
    """Return what is wrong with a time zone, None if it is known."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return f"Unknown time zone '{name[:60]}'. Expected an IANA name like Europe/Berlin.{_zone_hint(name)}"
    return None


def _zone_hint(name: str) -> str:
    from zoneinfo import available_timezones

    from config.notes import nearest

    close = nearest(name, sorted(available_timezones()))
    return f" Did you mean '{close}'?" if close else ""


def _mirror(pairs: list[tuple[str, str]], node: Node, path: str, notes: Notes) -> tuple[tuple[str, str], ...]:
    if len(pairs) < 2:
        notes.error(at(node, path), "Expected at least two items that are one piece of work.")
    for connection, key in pairs:
        notes.define("mirror", f"{connection}:{key}", at(node, path), "The item")
    return tuple(pairs)


MIRRORS = ListOf(Then(ListOf(ADDRESS, single=False), _mirror), single=False)

INCLUDE = ListOf(Text("a path or a pattern like okrs/*.yaml"))

NAME = Text("a short name of letters, digits and . _ -", r"[^\W_][\w.\-]*")

LISTS = ("mirrors", "objectives", "initiatives", "mapping", "publish")
MAPPINGS = ("connections", "timeframes", "dimensions", "teams", "policies")
WORDS = ("version", "workspace", "timezone")

ROOT = Record(
    "the workspace file",
    {
        "version": Key(Choice(("1",)), "The version of this file's format: 1."),
        "workspace": Key(NAME, "The workspace's name, part of the key of everything it publishes."),
        "timezone": Key(Text("a time zone", check=zone_problem), "Where days start and end: an IANA name."),
        "include": Key(INCLUDE, "More files, as patterns relative to this one; their lists and mappings are joined."),
        "connections": Key(CONNECTIONS, "Accounts of trackers."),
        "mirrors": Key(MIRRORS, "Pieces of work kept in two trackers; each counts once."),
        "timeframes": Key(TIMEFRAMES, "Named periods."),
        "dimensions": Key(DIMENSIONS, "The portfolio's axes."),
        "teams": Key(TEAMS, "Teams and their capacity."),
        "objectives": Key(ListOf(OBJECTIVE, single=False), "What we want."),
        "initiatives": Key(ListOf(INITIATIVE, single=False), "What we do about it."),
        "mapping": Key(MAPPING, "Rules that link items; the first that matches wins."),
        "policies": Key(POLICIES, "How numbers are computed."),
        "publish": Key(PUBLISH, "Where they are shown."),
    },
    dependent={"version": ("workspace",), "workspace": ("version",)},
)


def empty() -> dict[str, Any]:
    """Return what a file that says nothing says."""
    return {name: [] for name in LISTS} | {name: {} for name in MAPPINGS}
