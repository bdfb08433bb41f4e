"""A store of a large company, filled without a tracker: its workspace as a value, its items as rows.

What is measured over it is in `bench.sums`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

from sqlalchemy import insert

from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe, WorkSelector
from domain.work import Category, Level, Transition, WorkItem
from domain.workspace import Connection, Workspace
from storage import items as store
from storage.engine import Store

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
START, END = date(2026, 10, 1), date(2026, 12, 31)
CONNECTION = "jira"
CHUNK = 5000
LARGE = "KR-LARGE"
"""a key result over a hundred epics"""
LARGE_EPICS = 100
TEAMS = 40
DONE, BEGUN, CANCELED = 0.45, 0.65, 0.70
"""up to which share items are done, in progress, canceled; the rest is to be done"""


@dataclass(frozen=True, slots=True)
class Size:
    """How large the company is; items are spread over the epics evenly, epics over the initiatives, and so on."""

    issues: int
    epics: int
    initiatives: int
    key_results: int

    @property
    def below(self) -> int:
        """Issues of an epic."""
        return self.issues // self.epics

    def epic_of(self, issue: int) -> int:
        """Return the number of the epic that an issue is below."""
        return issue // self.below


def id_of_epic(number: int) -> str:
    """Return the tracker's id of an epic."""
    return f"1{number:07d}"


def id_of_issue(number: int) -> str:
    """Return the tracker's id of an issue."""
    return f"2{number:07d}"


def workspace_of(size: Size) -> Workspace:
    """Return the workspace: objectives of four key results each, initiatives that name their epics."""
    objectives = [Objective(id=f"O{n}", title=f"Objective {n}", timeframe="Q4") for n in range(size.key_results // 4)]
    names = [LARGE, *(f"KR{n}" for n in range(1, size.key_results))]
    key_results = [
        KeyResult(id=name, objective=f"O{n // 4 % len(objectives)}", title=name) for n, name in enumerate(names)
    ]
    each = size.epics // size.initiatives
    initiatives = []
    for n in range(size.initiatives):
        serves = [names[1 + n % (len(names) - 1)], *([LARGE] if n < LARGE_EPICS // each else [])]
        keys = tuple(key_of_epic(at) for at in range(n * each, (n + 1) * each))
        initiatives.append(
            Initiative(
                id=f"I{n}",
                title=f"Initiative {n}",
                team=f"Team {n % TEAMS}",
                contributes=tuple(Contribution(to=name) for name in serves),
                start=START,
                due=END,
                work=(WorkSelector(connection=CONNECTION, keys=keys),),
            )
        )
    return Workspace(
        name="bench",
        timezone="Europe/Berlin",
        connections={CONNECTION: Connection(name=CONNECTION, type="jira", url="https://jira.bench")},
        timeframes={"Q4": Timeframe(id="Q4", start=START, end=END)},
        objectives={one.id: one for one in objectives},
        key_results={one.id: one for one in key_results},
        initiatives={one.id: one for one in initiatives},
        digest=f"bench {size}",
    )


def key_of_epic(number: int) -> str:
    """Return the key of an epic."""
    return f"EPIC-{number + 1}"


def epic(number: int) -> WorkItem:
    """Return an epic."""
    return _item(id_of_epic(number), key_of_epic(number), Level.EPIC, Category.IN_PROGRESS, number, None, None)


def issue(number: int, size: Size, chance: Random) -> WorkItem:
    """Return an issue of its epic; when it came in, what became of it and how large it is are drawn."""
    at = chance.random()
    category = (
        Category.DONE
        if at < DONE
        else Category.IN_PROGRESS if at < BEGUN else Category.CANCELED if at < CANCELED else Category.TODO
    )  # fmt: skip
    above = size.epic_of(number)
    estimate = chance.choice((1.0, 2.0, 3.0, 5.0, 8.0, None))
    return _item(id_of_issue(number), f"WORK-{number + 1}", Level.ISSUE, category, above, id_of_epic(above), estimate)


def _item(
    id_: str, key: str, level: Level, category: Category, number: int, parent: str | None, estimate: float | None
) -> WorkItem:
    """An item whose days depend on its number and its place alone."""
    place = int(id_[1:])
    created = NOW - timedelta(days=60 + place % 120)
    ended = NOW - timedelta(days=1 + place * 7 % 100, hours=place % 20)
    ended = max(ended, created + timedelta(hours=1))
    return WorkItem(
        connection=CONNECTION,
        tracker="jira",
        id=id_,
        key=key,
        url=f"https://jira.bench/browse/{key}",
        title=f"{level.value} {place} of the company",
        type=level.value.title(),
        level=level,
        status=STATUS[category],
        category=category,
        vendor_category=category,
        estimate=estimate,
        parent_id=parent,
        parent_key=key_of_epic(number) if parent else None,
        project="WORK" if parent else "EPIC",
        labels=("bench", f"area-{number % 50}"),
        team=f"Team {number % TEAMS}",
        created_at=created,
        updated_at=ended,
        started_at=created + timedelta(minutes=30) if category is not Category.TODO else None,
        completed_at=ended if category is Category.DONE else None,
        canceled_at=ended if category is Category.CANCELED else None,
    )


STATUS = {
    Category.TODO: "To Do",
    Category.IN_PROGRESS: "In Progress",
    Category.DONE: "Done",
    Category.CANCELED: "Rejected",
}


def everything(size: Size) -> Iterator[WorkItem]:
    """Yield all items, each epic before its issues."""
    chance = Random(20261120)
    for number in range(size.epics):
        yield epic(number)
        for below in range(number * size.below, (number + 1) * size.below):
            yield issue(below, size, chance)


def past_of(item: WorkItem) -> list[Transition]:
    """Return the history of an item: when it was begun and when it ended."""
    steps = [(item.started_at, "To Do", "In Progress")]
    ended = item.completed_at or item.canceled_at
    steps.append((ended, "In Progress", item.status))
    return [
        Transition(
            connection=item.connection,
            item_id=item.id,
            id=f"{item.id}-{n}",
            at=at,
            field="status",
            before=before,
            after=after,
        )
        for n, (at, before, after) in enumerate(steps)
        if at is not None
    ]


async def fill(opened: Store, size: Size, workspace: Workspace) -> None:
    """Write all items into an empty store, with the history of those of the large key result; links are not made."""
    zone = ZoneInfo(workspace.timezone)
    large = {id_of_epic(n) for n in range(LARGE_EPICS)}
    for items in batched(everything(size), CHUNK):
        rows = [{**store.row_of(item, [], {}, NOW, zone), "history_at": item.updated_at, "scope": 0} for item in items]
        past = [step for item in items if item.parent_id in large for step in past_of(item)]
        async with opened.write() as tx:
            await tx.execute(insert(store.items), rows)
            await store.add_transitions(tx, past)


def batched(items: Iterator[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    """Yield items in lists of a size."""
    while chunk := list(islice(items, size)):
        yield chunk
