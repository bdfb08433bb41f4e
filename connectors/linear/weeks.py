"""Linear's weekly sums of a project -> transitions of the sums, a week at a time: what it says of a past without items.

Pure. They are kept and shown as Linear has them; no progress is computed from them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.linear.shapes import identity
from connectors.shapes import instant, is_number
from domain.errors import PayloadError
from domain.work import Transition

SUMS: Mapping[str, str] = {
    "issueCountHistory": "weekly_issues",
    "completedIssueCountHistory": "weekly_completed_issues",
    "scopeHistory": "weekly_points",
    "completedScopeHistory": "weekly_completed_points",
    "inProgressScopeHistory": "weekly_started_points",
}
"""Linear's array -> the field of the transitions that stand for it."""

WEEK = timedelta(days=7)


def is_weekly(node: Any) -> bool:
    """Tell whether a node is a project that was read for the sake of its sums: they are there, and its name is not."""
    return isinstance(node, dict) and not SUMS.keys().isdisjoint(node) and "name" not in node


def weeks_of(connection: str, kind: str, project: Mapping[str, Any]) -> Iterator[Transition]:
    """Yield what changed from week to week; an entry is the end of a week since the project's creation.

    The last entry is of the week that still runs and is left out, unless the project has ended: then it stands for
    its end. Raises PayloadError where the project does not say when it was created.
    """
    id, created = identity(kind, project), instant(project.get("createdAt"))
    if created is None:
        raise PayloadError(f"Project with id {id} has no 'createdAt' that is a time.")
    ended = instant(project.get("completedAt")) or instant(project.get("canceledAt"))
    for place, (name, field) in enumerate(SUMS.items()):
        sums = project.get(name)
        told = [one if is_number(one) else None for one in sums] if isinstance(sums, list) else []
        before: str | None = None
        for week, value in enumerate(told if ended is not None else told[:-1]):
            after = None if value is None else f"{value:g}"
            if after is None or after == before:
                continue
            yield Transition(
                connection=connection,
                item_id=id,
                id=f"week{week}.{place}",
                at=_end(created, week, ended),
                field=field,
                before=before,
                after=after,
            )
            before = after


def _end(created: datetime, week: int, ended: datetime | None) -> datetime:
    end = created + WEEK * (week + 1)
    return end if ended is None else min(end, max(ended, created))
