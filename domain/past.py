"""What an item was at any instant: the values between its history and the sums over it.

Values only; they are made of transitions in `sync.past` and become facts there.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import NamedTuple

from domain.work import Link

Own = tuple[tuple[Link, bool], ...]
"""an item's own links; the flag says that a link adds to inherited ones"""


class Known(NamedTuple):
    """An item as the store has it now, as far as its past is told from it.

    `estimate` is the number that sizes come from, `measured` says that history tells of it. Dates and `stage`,
    `category`, `level`, `team`, `own` are as settled with today's file. `standard_children` is None where all children
    are known, else it says whether some of them are no sub-tasks.
    """

    connection: str
    id: str
    key: str
    title: str
    url: str
    tracker: str
    type: str
    status: str
    resolution: str | None
    level: str
    parent: str | None
    category: str
    stage: str | None
    estimate: float | None
    measured: bool
    team: str | None
    flags: str
    own: Own
    blocked: bool
    mirror_of: str | None
    updated_at: datetime
    history_at: datetime | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    canceled_at: datetime | None
    deleted_at: datetime | None
    completed_on: date | None
    canceled_on: date | None
    entered_on: date | None
    inaccessible_on: date | None
    standard_children: bool | None = None


class Version(NamedTuple):
    """What an item was from `at` on until its next version; `there` is False once it is deleted."""

    at: datetime
    there: bool
    level: str
    parent: str | None
    category: str
    stage: str | None
    estimate: float | None
    team: str | None
    own: Own
    completed_on: date | None
    canceled_on: date | None
    entered_on: date | None


class Life(NamedTuple):
    """An item through time: its versions, oldest first.

    `untold` says that the tracker's history of it was never read, so that what it gives no date for is as today.
    """

    known: Known
    versions: tuple[Version, ...]
    untold: bool
