"""The issues of teams in windows of their numbers: read side by side, a page a window.

Linear's lists have no other order than newest first and give the next cursor with the page alone, so one list is read
one page after the other. But numbers count up within a team, and the team tells how many issues it has.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from connectors.base import Json
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.site import all_nodes

SIZES, ASKING = "sizes of teams", "sizes of teams are asked for"
"""notes of a session: what Linear says about the teams in scope, and the lock of whoever asks"""
DENSE, FILL = 0.9, 0.9
"""share of numbers in use from which a window has as many numbers as a page has room; how full others are planned"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """What a team says about its issues: how many there are, and a number that is in use, the newest issue's."""

    team: str
    count: int
    newest: int

    @property
    def highest(self) -> int:
        """The highest number that is known to be in use: no fewer numbers than issues."""
        return max(self.count, self.newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Issues of a team with low <= number < high."""

    team: str
    low: int
    high: int

    @property
    def variables(self) -> dict[str, Json]:
        """The variables of a document that reads it."""
        return {"team": self.team, "low": self.low, "high": self.high}


async def sizes(client: Client, teams: Collection[str]) -> list[Size]:
    """Ask once a discovery how many issues the teams in scope, given by id, have, archived ones too."""
    one = client.notes.get(ASKING)
    if not isinstance(one, asyncio.Lock):
        one = client.notes[ASKING] = asyncio.Lock()
    async with one:
        known = client.notes.get(SIZES)
        if not isinstance(known, list):
            known = client.notes[SIZES] = await _sizes(client, list(teams))
        return known


async def _sizes(client: Client, ids: Sequence[str]) -> list[Size]:
    found: list[Size] = []
    for at in range(0, len(ids), queries.SHORT_PAGE):
        chunk: list[Json] = list(ids[at : at + queries.SHORT_PAGE])
        found.extend(map(size_of, await all_nodes(client, queries.SIZES, "teams", ids=chunk)))
    return found


def size_of(team: Mapping[str, Any]) -> Size:
    """Read what a team says."""
    newest = [node.get("number") for node in (team.get("issues") or {}).get("nodes") or [] if isinstance(node, dict)]
    return Size(
        team=str(team.get("id")), count=_whole(team.get("issueCount")), newest=max(map(_whole, newest), default=0)
    )


def windows_of(teams: Sequence[Size]) -> Iterator[Window]:
    """Cut the numbers of each team into windows of about a page; the last has no end.

    Where many numbers are not in use, for issues moved away or gone for good, windows are wider, and those that
    turn out too full are read on. A team that has not even a newest issue has none.
    """
    for team in teams:
        if not team.highest:
            continue
        density = team.count / team.highest
        width = queries.PAGE if density >= DENSE or not density else int(queries.PAGE * FILL / density)
        bounds = [0, *range(width + 1, team.highest + 1, width), queries.NO_END]
        for low, high in pairwise(bounds):
            yield Window(team=team.team, low=low, high=high)


def _whole(value: object) -> int:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value > 0 else 0
