"""What changed in projects: which issues their items are of now, against what the watermark kept of them.

A change of a project moves its items and no issue, so that no list of changed issues tells it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from connectors.base import Json, Page
from connectors.github.client import ids_step, read_items
from connectors.github.listing import issues_among, item_list
from connectors.github.shapes import object_of
from connectors.github.site import LANES, chunked, nodes_of, within
from connectors.github.sweep import Look, Sweep
from connectors.github.walk import Done, Slice, Step, growing

STATUS = "PROJECT_V2_ITEM_STATUS_CHANGED_EVENT"


@dataclass(slots=True)
class Board:
    """The issues that are items of a project; those whose item changed; repositories that are not read whole."""

    issues: dict[str, None] = field(default_factory=dict)
    changed: dict[str, None] = field(default_factory=dict)
    places: set[str] = field(default_factory=set)


async def in_projects(
    sweep: Sweep,
    look: Look,
    before: Mapping[str, Json] | None,
    daily: bool,
    after: dict[str, Json],
    changed_in: Callable[[str], Step[Page]],
) -> AsyncGenerator[Page, None]:
    """Yield the issues whose items changed in a project, came or went; put how the projects look now into `after`.

    All items are listed where a project says that it changed, and once a day. `before` is what the watermark kept:
    ``{key: {"updated", "outside", "items"}}``, None where nothing is known; `changed_in` reads what changed in a
    repository.
    """
    asked = set(outside(before or {}))
    for key, id in sweep.site.projects.items():
        kept = object_of((before or {}).get(key))
        updated = look.projects.get(id)
        if updated is None or (not daily and kept.get("updated") == updated):
            after[key] = kept
            continue
        board = await _board(sweep, id)
        after[key] = {"updated": updated, "outside": sorted(board.places), "items": sorted(board.issues)}
        known = _known(before, key)
        came = [one for one in board.issues if one not in known] if known is not None else []
        left = [one for one in known if one not in board.issues] if known is not None else []
        moved = list(dict.fromkeys([*board.changed, *came]))
        if sweep.site.status_in_projects and STATUS in sweep.site.selection.can:
            sweep.past |= dict.fromkeys([*moved, *left])
        unread = [one for one in moved if one not in sweep.read]
        steps = [changed_in(name) for name in sorted(board.places - asked)]
        asked |= board.places
        steps += [ids_step(sweep.client, sweep.site, "changes", part) for part in chunked(unread)]
        steps += [_left(sweep, part) for part in chunked(left)]
        async with aclosing(growing(steps, LANES)) as pages:
            async for page in pages:
                sweep.note(nodes_of(page))
                yield page


def _known(before: Mapping[str, Json] | None, key: str) -> dict[str, None] | None:
    """Return the issues that a project had; None where that is not known, nothing of a project that is new."""
    if before is None:
        return None
    items = object_of(before.get(key)).get("items") if key in before else []
    return dict.fromkeys(str(id) for id in items) if isinstance(items, list) else None


def _left(sweep: Sweep, ids: Sequence[str]) -> Step[Page]:
    """Return the step that reads issues which left a project: what it said of them is gone, and perhaps they too."""

    async def step() -> Done[Page]:
        pages = await read_items(sweep.client, sweep.site, "changes", ids)
        return Done([within(page, sweep.holds) for page in pages])

    return step


async def _board(sweep: Sweep, project: str) -> Board:
    async def take(found: Slice) -> list[tuple[str, str, str]]:
        return issues_among(found.nodes)

    board = Board()
    steps = item_list(sweep.client, sweep.site, project, take, sweep.sizes)
    async with aclosing(growing(steps, LANES)) as issues:
        async for id, repository, updated in issues:
            board.issues[id] = None
            if repository and not sweep.covers(repository):
                board.places.add(repository)
            if updated >= sweep.start:
                board.changed[id] = None
    return board


def outside(projects: Mapping[str, Any]) -> list[str]:
    """Return the repositories that are known from projects alone."""
    lists = (object_of(one).get("outside") for one in projects.values())
    return list(dict.fromkeys(str(name) for names in lists if isinstance(names, list) for name in names))
