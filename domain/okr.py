"""Objectives, key results, initiatives and the numbers people state about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum


class Health(StrEnum):
    """One word for where a subject stands; `semantics` section 5."""

    ON_TRACK = "on_track"
    AT_RISK = "at_risk"
    OFF_TRACK = "off_track"
    ACHIEVED = "achieved"
    MISSED = "missed"
    NOT_STARTED = "not_started"
    PAUSED = "paused"
    CANCELED = "canceled"
    UNKNOWN = "unknown"


HEALTH_WORDS: Mapping[Health, str] = {health: health.value.replace("_", " ").capitalize() for health in Health}
"""health as people read it: ``On track``"""


class Status(StrEnum):
    """What its owner says about an objective, key result or initiative."""

    ACTIVE = "active"
    PAUSED = "paused"
    CANCELED = "canceled"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeframe:
    """A named period; both dates belong to it, in the workspace's time zone."""

    id: str
    start: date
    end: date
    parent: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One step of a ``milestones`` metric; `done` is the day it was reached."""

    title: str
    weight: float = 1.0
    done: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """How the outcome of a key result is measured; values are in the metric's own unit.

    `kind`: number | at_least | at_most | maintain | binary | milestones.
    `direction` is ``increase`` or ``decrease`` where stated. `targets` are dated values on the way.
    """

    kind: str = "number"
    start: float | None = None
    target: float | None = None
    unit: str | None = None
    lo: float | None = None
    hi: float | None = None
    direction: str | None = None
    partial: bool = False
    tolerance: float | None = None
    check_in_every: timedelta | None = None
    targets: tuple[tuple[date, float], ...] = ()
    milestones: tuple[Milestone, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ManualRollup:
    """A value that a person set in place of the computed one, until a day (inclusive)."""

    value: float
    by: str
    reason: str
    until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What we want; `rollup` is ``auto``, ``off`` or a manual value."""

    id: str
    title: str
    timeframe: str | None = None
    owner: str | None = None
    parent: str | None = None
    weight: float = 1.0
    status: Status = Status.ACTIVE
    rollup: str | ManualRollup = "auto"
    was: tuple[str, ...] = ()
    dimensions: Mapping[str, object] = field(default_factory=dict)
    external: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyResult:
    """How we know; without a metric its score is the delivery behind it.

    `source` is ``check_in`` or a mapping with one of the keys ``http``, ``count``, ``sum``.
    `start` and `end` default to the timeframe of its objective.
    """

    id: str
    objective: str
    title: str
    timeframe: str | None = None
    owner: str | None = None
    weight: float = 1.0
    status: Status = Status.ACTIVE
    closed_on: date | None = None
    start: date | None = None
    end: date | None = None
    metric: Metric | None = None
    source: object = "check_in"
    commitment: str = "committed"
    continues: str | None = None
    was: tuple[str, ...] = ()
    dimensions: Mapping[str, object] = field(default_factory=dict)
    external: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contribution:
    """An initiative counts for a key result; `share` in (0, 1], `explicit` where the file states it."""

    to: str
    share: float = 1.0
    benefit: float | None = None
    explicit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkSelector:
    """Items of one connection named under an initiative, by key or by project title."""

    connection: str
    keys: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Initiative:
    """What we do about it. `item` is the work item it lives in, where a rule created it."""

    id: str
    title: str
    contributes: tuple[Contribution, ...] = ()
    owner: str | None = None
    team: str | None = None
    status: Status = Status.ACTIVE
    start: date | None = None
    due: date | None = None
    planned_weeks: float | None = None
    work: tuple[WorkSelector, ...] = ()
    was: tuple[str, ...] = ()
    dimensions: Mapping[str, object] = field(default_factory=dict)
    external: Mapping[str, str] = field(default_factory=dict)
    policies: Mapping[str, object] = field(default_factory=dict)
    item: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckIn:
    """A dated value of a key result's metric; of several for one instant the latest recorded wins."""

    key_result: str
    as_of: datetime
    value: float
    recorded_at: datetime
    by: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """A person's word on the health of a subject, from an instant until a day (inclusive).

    `cleared_at` is when it was taken back before that.
    """

    subject: str
    health: Health
    until: date
    by: str
    reason: str
    at: datetime
    cleared_at: datetime | None = None
