"""The operator's words laid over the vendor's facts: category, stage, level, team and the dates that follow.

Pure, and repeatable on an item of any age: what is settled is computed from the vendor's facts each time.
Links and dimensions are made in `mapping`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from itertools import groupby

from domain.work import Category, Level, Transition, WorkItem, revised
from domain.workspace import Connection

CANCELED_WORDS = frozenset({
    "won't do", "won't fix", "duplicate", "cannot reproduce", "declined", "incomplete", "canceled", "cancelled",
    "rejected", "abandoned", "obsolete",
})  # fmt: skip
"""Jira's usual statuses and resolutions that mean canceled, without case; semantics section 1."""

CANCELED_REASONS: Mapping[str, frozenset[str]] = {
    "jira": CANCELED_WORDS,
    "github": frozenset({"not_planned", "not planned", "duplicate"}),
}
"""Resolutions that mean canceled, by type of tracker."""

VENDOR_WORDS: Mapping[str, Mapping[str, Category]] = {
    "github": {"open": Category.TODO, "reopened": Category.TODO, "closed": Category.DONE},
    "linear": {
        "triage": Category.TODO,
        "backlog": Category.TODO,
        "unstarted": Category.TODO,
        "planned": Category.TODO,
        "started": Category.IN_PROGRESS,
        "paused": Category.IN_PROGRESS,
        "completed": Category.DONE,
        "canceled": Category.CANCELED,
        "duplicate": Category.CANCELED,
    },
}
"""The trackers' own fixed words for a state, where they have them."""

REVIEW = "review"
UNMAPPED, MAPPED = "unmapped_status", "mapped_status"
"""Flags: no category is known for the vendor's status; the tracker gives none, but the operator's file does."""

Settle = Callable[[WorkItem], WorkItem]
CategoryOf = Callable[[str | None, str | None, str | None], Category | None]
"""(status, its id, resolution) -> category, None where nothing is known about the status"""


class Words:
    """What the words of one connection mean, looked up without case."""

    __slots__ = ("canceled_reasons", "canceled_statuses", "levels", "resolutions", "statuses", "type")

    def __init__(self, connection: Connection) -> None:
        self.type = connection.type
        self.statuses = {folded(name): meaning for name, meaning in connection.statuses.items()}
        self.resolutions = {folded(name): meaning for name, meaning in connection.resolutions.items()}
        self.levels = {folded(name): Level(level) for level, names in connection.levels.items() for name in names}
        self.canceled_statuses = CANCELED_WORDS if connection.type == "jira" else frozenset[str]()
        self.canceled_reasons = CANCELED_REASONS.get(connection.type, frozenset[str]())

    def category(self, status: str | None, vendor: Category, resolution: str | None) -> tuple[Category, str | None]:
        """Return category and stage: the operator's word on the status first, then the rule for canceled.

        A resolution counts only where the vendor says that the item is over: after reopening it is stale.
        """
        meaning = self.statuses.get(folded(status))
        if meaning is not None:
            return (Category.IN_PROGRESS, REVIEW) if meaning == REVIEW else (Category(meaning), None)
        if vendor is not Category.DONE and vendor is not Category.CANCELED:
            return vendor, None
        said = self.resolutions.get(folded(resolution))
        if said == "canceled" or folded(status) in self.canceled_statuses:
            return Category.CANCELED, None
        if said == "done":
            return Category.DONE, None
        return (Category.CANCELED if folded(resolution) in self.canceled_reasons else vendor), None


def folded(name: str | None) -> str:
    """Return a word as words compare: without case, with the plain apostrophe."""
    return name.strip().casefold().replace("’", "'") if name else ""


def settle(item: WorkItem, words: Words) -> WorkItem:
    """Return the item as the operator sees it, the same object where nothing differs.

    `started_at`, `completed_at` and `canceled_at` that were given stay; else the last change of the
    vendor's category stands in for the date of the category that the item is in.
    """
    category, stage = words.category(item.status, item.vendor_category, item.resolution)
    vendor_level = item.vendor_level or item.level
    level = words.levels.get(folded(item.type), vendor_level) if words.levels else vendor_level
    stated = item.fields.get("team") if item.fields else None
    team = stated if isinstance(stated, str) and stated else item.team
    flags = item.flags and flags_of(item, words)
    started, completed, canceled, changed = dates_of(item, category)
    if (
        category is item.category
        and stage == item.stage
        and level is item.level
        and team == item.team
        and flags == item.flags
        and started == item.started_at
        and completed == item.completed_at
        and canceled == item.canceled_at
    ):
        return item
    return revised(
        item,
        category=category,
        stage=stage,
        level=level,
        vendor_level=None if level is vendor_level else vendor_level,
        team=team,
        flags=flags,
        started_at=started,
        completed_at=completed,
        canceled_at=canceled,
        status_changed_at=changed,
    )


def flags_of(item: WorkItem, words: Words) -> tuple[str, ...]:
    """Return the flags of an item: a status that the operator maps is not unmapped, but known to be so mapped."""
    mapped = folded(item.status) in words.statuses
    here, there = (UNMAPPED, MAPPED) if mapped else (MAPPED, UNMAPPED)
    return tuple(there if flag == here else flag for flag in item.flags) if here in item.flags else item.flags


def dates_of(
    item: WorkItem, category: Category
) -> tuple[datetime | None, datetime | None, datetime | None, datetime | None]:
    """Return when the item was started, completed and canceled, and when the vendor's category changed last."""
    changed, started = item.status_changed_at, item.started_at
    ended = item.completed_at or item.canceled_at
    if category is Category.DONE:
        return started, item.completed_at or item.canceled_at or changed, None, changed
    if category is Category.CANCELED:
        return started, None, item.canceled_at or item.completed_at or changed, changed
    if changed is None and item.vendor_category in (Category.DONE, Category.CANCELED):
        changed = ended
    if category is Category.IN_PROGRESS:
        return started or changed, None, None, changed
    return (None if started == changed else started), None, None, changed


def dates(
    item: WorkItem, transitions: Iterable[Transition], category_of: CategoryOf
) -> tuple[datetime | None, datetime | None, datetime | None]:
    """Return (started_at, completed_at, canceled_at) as the history of status and resolution proves them.

    Started is the first entry into in_progress, None if there was none. Completed is the last entry into
    done of an item that is done, canceled the last entry into canceled of one that is canceled; without
    such an entry the item's own date stays. Status and resolution that change at one instant are one step;
    the state before the first change dates from the item's creation, a status that nobody knows any more
    changes nothing. Any order of `transitions` will do.
    """
    followed = sorted(
        (change for change in transitions if change.field in ("status", "resolution")),
        key=lambda change: (change.at, entry_order(change.id)),
    )
    first_status = next((change for change in followed if change.field == "status"), None)
    first_resolution = next((change for change in followed if change.field == "resolution"), None)
    status = first_status.before if first_status else item.status
    status_id = first_status.before_id if first_status else None
    resolution = first_resolution.before if first_resolution else item.resolution
    at_first = category_of(status, status_id, resolution)
    entries: dict[Category, tuple[datetime, datetime]] = {}
    before = at_first
    if at_first is not None:
        entries[at_first] = (item.created_at, item.created_at)
    for at, step in groupby(followed, key=lambda change: change.at):
        for change in step:
            if change.field == "status":
                status, status_id = change.after, change.after_id
            else:
                resolution = change.after
        now = category_of(status, status_id, resolution)
        if now is not None and now is not before:
            entries[now] = (entries[now][0] if now in entries else at, at)
            before = now
    started = entries[Category.IN_PROGRESS][0] if Category.IN_PROGRESS in entries else None
    completed = entries.get(Category.DONE, (None, item.completed_at))[1] if item.category is Category.DONE else None
    canceled = (
        entries.get(Category.CANCELED, (None, item.canceled_at))[1] if item.category is Category.CANCELED else None
    )
    return started, completed, canceled


def entry_order(id: str) -> tuple[int, int | str, int]:
    """Return the order of a history entry's id with the position inside it: ``9.1`` before ``10.0``."""
    entry, _, position = id.rpartition(".")
    if not entry or not position.isdecimal():
        entry, position = id, "0"
    return (0, int(entry), int(position)) if entry.isdecimal() else (1, entry, int(position))


def history_category(
    words: Words, status: str | None, status_id: str | None, resolution: str | None, statuses: object
) -> Category | None:
    """Return the category of a status that history names; see `history_state`."""
    found = history_state(words, status, status_id, resolution, statuses)
    return found[0] if found is not None else None


def history_state(
    words: Words, status: str | None, status_id: str | None, resolution: str | None, statuses: object
) -> tuple[Category, str | None] | None:
    """Return category and stage of a status that history names, by the operator's words of today; None if unknown.

    `statuses` is what discovery keeps: a mapping from id or name to a category or to a list that begins with
    the name and ends with the category. An id that is known beats the name, which may have changed since.
    """
    entry = statuses.get(status_id) if isinstance(statuses, Mapping) and status_id is not None else None
    vendor = category_in(entry, words.type) or category_by_name(status, statuses, words.type)
    if vendor is None and folded(status) not in words.statuses:
        return None
    if entry is not None and folded(status) not in words.statuses:
        status = name_in(entry) or status
    return words.category(status, vendor or Category.TODO, resolution)


def category_by_name(status: str | None, statuses: object, tracker: str) -> Category | None:
    """Return the vendor's category of a status by its name, else by the tracker's own fixed words."""
    wanted = folded(status)
    if isinstance(statuses, Mapping):
        for key, entry in statuses.items():
            if folded(name_in(entry) or str(key)) == wanted and (found := category_in(entry, tracker)):
                return found
    return VENDOR_WORDS.get(tracker, {}).get(wanted)


def category_in(entry: object, tracker: str) -> Category | None:
    """Read the category out of an entry of the vendor's statuses."""
    if isinstance(entry, list | tuple) and entry:
        entry = entry[-1]
    if not isinstance(entry, str):
        return None
    return Category(entry) if entry in CATEGORY_NAMES else VENDOR_WORDS.get(tracker, {}).get(entry.casefold())


def name_in(entry: object) -> str | None:
    """Read the name out of an entry of the vendor's statuses."""
    return str(entry[0]) if isinstance(entry, list | tuple) and len(entry) > 1 else None


CATEGORY_NAMES = frozenset(Category)
