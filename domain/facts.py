"""What storage tells the rollup: facts as histograms per structural parent, and what the rollup answers.

Facts carry no policy. Rows that differ in nothing but the item are folded into one with a `count`;
`explain` asks for the same rows with `item` filled and `count` 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from domain.okr import Health


class Face(NamedTuple):
    """What a person needs to recognise an item, and why it is linked."""

    id: str
    key: str
    title: str
    url: str
    rule: Mapping[str, str]
    """initiative id -> rule of the link"""
    inherited_from: Mapping[str, str | None]
    """initiative id -> key of the ancestor that gave the link"""
    tracker: str
    type: str
    status: str


class Fact(NamedTuple):
    """Items without children that share all of this; `count` says how many they are.

    `parent` is the id of the structural parent in the same connection. `links` are the ids of the
    initiatives that the items count for, `parent_links` those of the parent (empty without one).
    `completed_on` and `entered_on` are local dates of the last completion and of entering the scope.
    `flags` are space-separated words (``archived unmapped_status bad_estimate``), sorted.
    `canceled_on` is the local date of the cancellation of a canceled item: without it the item is taken
    to have been canceled after the baseline. `inaccessible_on` is the local date on which access was lost.
    `mirror_of` and `deleted` are set only where items are listed one by one: histograms leave such items out.
    `bucket` cuts items without a parent into groups of any kind, where they are to be summed group by group.
    """

    connection: str
    parent: str | None
    category: str
    stage: str | None
    estimate: float | None
    team: str | None
    links: frozenset[str]
    parent_links: frozenset[str]
    subtask: bool
    completed_on: date | None
    entered_on: date | None
    flags: str
    blocked: bool
    inaccessible_on: date | None
    count: int  # type: ignore[assignment]  # the field's own name; tuple.count is not used
    item: Face | None = None
    deleted: bool = False
    mirror_of: str | None = None
    canceled_on: date | None = None
    bucket: str = ""


class Node(NamedTuple):
    """An item with children. `standard_children` is False where all its children are sub-tasks.

    A node is itself a fact (`fact`, with count 1) where a policy makes it a leaf: all its children are
    sub-tasks under `leaf_level: standard`, or it is a direct child of an epic under `epic_children`.
    `fact.parent` is its own structural parent.
    """

    id: str
    key: str
    level: str
    standard_children: bool
    fact: Fact


class Facts(NamedTuple):
    """All facts of one scope; `nodes` holds each item with children that is in scope or above something in scope."""

    rows: tuple[Fact, ...]
    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Delivery of one subject at the present, before anything that depends on the hour of asking.

    `value` is 0…1 or None with the reason in `state`. Sizes are in the unit of the `size` policy,
    `size_done` is the sum of size x credit. `counts` are items by category. `points_*` are plain sums of
    estimates, canceled left out. `valid_until` is the first local date on which the same facts would give
    another answer (a grace period ends), None if there is none.
    """

    value: float | None
    state: str = "ok"
    size_total: float = 0.0
    size_done: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)
    points_total: float = 0.0
    points_done: float = 0.0
    items: int = 0
    unestimated: int = 0
    estimated_coverage: float | None = None
    baseline_progress: float | None = None
    scope_base: float | None = None
    scope_change: float | None = None
    blocked_size: float = 0.0
    excluded: Mapping[str, int] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    connections: Mapping[str, int] = field(default_factory=dict)
    """in-scope items by connection"""
    valid_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Completed items by local day, items that remain, and the first day anything is known of.

    Where a pace is only supposed both are counted in `unit`ths of an item; `completed` is how many items really were.
    """

    done: Mapping[date, int]
    remaining: int
    first: date | None
    unit: int = 1
    completed: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """Up to when a connection's items are complete, and since when that is too old (`stale`)."""

    connection: str
    complete_to: datetime | None
    stale: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """When a subject is likely done: even odds by `p50`, 85 % by `p85`; `probability` (0…1) of making its date."""

    p50: date | None = None
    p85: date | None = None
    probability: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusUpdate:
    """What is told about one subject: the content that targets render and fingerprints are taken of.

    `progress` is 0…1 or None, `coverage` the part of it that was read in time; `drivers` are the reasons of the
    health in words, `changed` sentences on what moved since the last update; `url` leads to the explanation, None
    where no public address is configured. `period` is what the update stands for. `text` is the row's template filled
    in, to be used in place of the outlet's own body, None where the row has none; `markup` names the format that the
    template says it is written in (``markdown``, ``mrkdwn``, ``adf`` …), None for plain text, which an outlet escapes.
    """

    workspace: str
    kind: str
    id: str
    title: str
    progress: float | None
    state: str
    health: Health
    drivers: tuple[str, ...] = ()
    summary: str = ""
    flags: tuple[str, ...] = ()
    complete_to: datetime | None = None
    url: str | None = None
    coverage: float | None = None
    forecast: Outlook | None = None
    changed: tuple[str, ...] = ()
    period: str = ""
    text: str | None = None
    markup: str | None = None
