"""One tenant, kept in Jira, in GitHub or in Linear, gives the same numbers; so it does spread over all three.

A tenant is drawn, rendered into the three simulated trackers, pulled, changed in each alike, and pulled again.
"""

import asyncio
import shutil
import tempfile
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.bootstrap import in_sight, read_settings
from app.demo import github, github_projects, github_site, jira, linear, linear_site, site
from connectors.registry import CONNECTORS, open_connection
from domain.okr import Contribution, Initiative, KeyResult, Objective, Timeframe
from domain.rules import CREDITS, MappingRule, Policies, Test
from domain.workspace import Connection, Secret, Workspace
from storage.engine import create_store
from storage.views import present
from sync import run
from sync.context import Context, Live
from sync.mapping import compile_mapping
from sync.present import show

NOW = datetime(2026, 11, 20, 10, tzinfo=UTC)
FIRST_DAY = date(2026, 10, 20)
"""where the key results and initiatives begin: some work is older, and some of it was done before"""
TEAMS = ("Alpha", "Beta", "Gamma")
"""who the work belongs to; each keeps to one tracker where the tenant is spread"""
TODO, STARTED, DONE, CANCELED = "todo", "in_progress", "done", "canceled"
STATES = (TODO, STARTED, DONE, CANCELED)
ENDS = (DONE, CANCELED)

POLICIES = {
    "count": {},
    "points": {"size": "points"},
    "half": {"size": "points", "credit": CREDITS["half"], "unestimated": "one", "before_start": "include"},
    "done": {"size": "points", "canceled": "as_done", "unestimated": "exclude", "leaf_level": "epic_children"},
    "equal": {"size": "equal_per_child", "canceled": "as_open"},
}


# What is drawn


@dataclass(frozen=True, kw_only=True)
class Item:
    """Work below an epic, or below none: how old it is in days, and what state it came to how many days ago."""

    epic: int | None
    age: int
    estimate: float | None
    label: str | None
    moves: tuple[tuple[int, str], ...]


@dataclass(frozen=True, kw_only=True)
class Tenant:
    """Epics by the initiative that their label names, items, and what happens after the first pull."""

    epics: tuple[str | None, ...]
    items: tuple[Item, ...]
    changes: tuple[tuple, ...]
    by_label: bool
    """GitHub's status is in labels, not in a project"""


LABELS = st.sampled_from([None, "I1", "I1", "I2", "I2"])
ESTIMATES = st.sampled_from([None, 0.0, 1.0, 2.0, 3.0, 5.0, 8.0])
MOVES = st.lists(st.tuples(st.integers(1, 59), st.sampled_from(STATES)), max_size=3, unique_by=lambda move: move[0])
NUMBERS = st.integers(0, 11)
ITEMS = st.builds(
    Item,
    epic=st.one_of(st.none(), NUMBERS, NUMBERS, NUMBERS),
    age=st.integers(5, 60),
    estimate=ESTIMATES,
    label=st.sampled_from([None, None, None, None, "I2"]),
    moves=MOVES.map(lambda moves: tuple(sorted(moves, reverse=True))),
)
CHANGES = st.one_of(
    st.tuples(st.just("state"), NUMBERS, st.sampled_from(STATES)),
    st.tuples(st.just("state"), NUMBERS, st.sampled_from(STATES)),
    st.tuples(st.just("estimate"), NUMBERS, ESTIMATES),
    st.tuples(st.just("parent"), NUMBERS, NUMBERS),
    st.tuples(st.just("label"), NUMBERS, LABELS),
    st.tuples(st.just("delete"), NUMBERS),
    st.tuples(st.just("add"), NUMBERS, ESTIMATES),
    st.tuples(st.just("pull")),
)
TENANTS = st.builds(
    Tenant,
    epics=st.lists(LABELS, min_size=3, max_size=6).map(tuple),
    items=st.lists(ITEMS, min_size=2, max_size=9).map(tuple),
    changes=st.lists(CHANGES, max_size=8).map(tuple),
    by_label=st.booleans(),
)


# The three trackers


class Jira:
    """The tenant as Jira keeps it: epics with stories below."""

    STATUSES: ClassVar = {TODO: "To Do", STARTED: "In Progress", DONE: "Done", CANCELED: "Won't Do"}

    def __init__(self, clock, tenant):
        self.site = site.Site(clock=clock)
        self.site.add_project("PAY", "Payments")
        self.face = jira.application(self.site)
        self.connection = Connection(
            name="jira",
            type="jira",
            url="https://acme.atlassian.net",
            auth={"email": self.site.email, "token": Secret("env:JIRA_TOKEN", self.site.token)},
            scope={"projects": ["PAY"]},
            estimate="Story point estimate",
            fields={"team": "Team"},
            budget=1.0,
        )

    def epic(self, name, team, label, at):
        return self.site.create("PAY", "Epic", name, at=at, team=team, labels=named(label))

    def item(self, name, team, label, epic, estimate, at):
        return self.site.create(
            "PAY", "Story", name, at=at, team=team, labels=named(label), parent=epic, points=estimate
        )

    def state(self, issue, before, after, at):
        self.site.change(issue, at=at, status=self.STATUSES[after])

    def estimate(self, issue, value, at):
        self.site.change(issue, at=at, points=value)

    def parent(self, issue, epic, at):
        self.site.change(issue, at=at, parent=epic)

    def label(self, epic, label, at):
        self.site.change(epic, at=at, labels=named(label))

    def delete(self, issue):
        self.site.delete(issue)


class GitHub:
    """The tenant as GitHub keeps it: issues below issues of the type Epic, the effort in a field of the organization.

    The status is an option of a project's field, or a label; closing says the rest.
    """

    WORDS: ClassVar = {TODO: "Todo", STARTED: "In Progress", DONE: "Done"}

    def __init__(self, clock, tenant):
        self.by_label = tenant.by_label
        self.site = github_site.Site(clock=clock)
        self.acme = self.site.add_organization("acme", "Acme")
        self.site.add_issue_type(self.acme, "Epic")
        self.site.add_issue_field(self.acme, "Effort", "NUMBER")
        self.site.add_issue_field(self.acme, "Team", "TEXT")
        self.api = self.site.add_repository(self.acme, "api", at=NOW - timedelta(days=90))
        self.board = github_projects.add_project(self.site, self.acme, "Board", at=NOW - timedelta(days=90))
        self.face = github.application(self.site)
        self.connection = Connection(
            name="github",
            type="github",
            url="https://api.github.com",
            auth={"token": Secret("env:GITHUB_TOKEN", self.site.token)},
            scope={"repositories": ["acme/api"], **({} if self.by_label else {"projects": ["acme/1"]})},
            estimate={"issue_field": "Effort"},
            status={"label": "status/(.+)"} if self.by_label else {"project_field": "Status"},
            fields={"team": "Team"},
            budget=1.0,
        )

    def epic(self, name, team, label, at):
        return self.site.create(self.api, name, at=at, type="Epic", labels=named(label), fields={"Team": team})

    def item(self, name, team, label, epic, estimate, at):
        fields = {"Team": team} if estimate is None else {"Team": team, "Effort": estimate}
        issue = self.site.create(self.api, name, at=at, labels=named(label), fields=fields, parent=epic)
        if not self.by_label:
            row = github_projects.add_item(self.site, self.board, issue, at=at)
            github_projects.set_value(self.site, row, "Status", "Todo", at=at)
        return issue

    def state(self, issue, before, after, at):
        if after not in ENDS:
            self._word(issue, self.WORDS[after], at)
            if before in ENDS:
                self.site.change(issue, at=at, state="open")
            return
        if after == DONE or issue.number % 2:
            self._word(issue, self.WORDS[DONE], at)
        self.site.change(issue, at=at, state="closed", reason="completed" if after == DONE else "not_planned")

    def _word(self, issue, word, at):
        if self.by_label:
            kept = [label.name for label in issue.labels if not label.name.startswith("status/")]
            self.site.change(issue, at=at, labels=[*kept, f"status/{word}"])
        else:
            github_projects.set_value(self.site, issue.items[0], "Status", word, at=at)

    def estimate(self, issue, value, at):
        self.site.change(issue, at=at, fields={"Effort": value})

    def parent(self, issue, epic, at):
        self.site.change(issue, at=at, parent=epic)

    def label(self, epic, label, at):
        self.site.change(epic, at=at, labels=named(label))

    def delete(self, issue):
        self.site.delete(issue)


class Linear:
    """The tenant as Linear keeps it: issues in projects, one team for each of ours."""

    STATES: ClassVar = {TODO: "Todo", STARTED: "In Progress", DONE: "Done", CANCELED: "Canceled"}

    def __init__(self, clock, tenant):
        self.site = linear_site.Site(clock=clock)
        self.teams = {name: self.site.add_team(name[:3].upper(), name) for name in TEAMS}
        self.face = linear.application(self.site)
        self.connection = Connection(
            name="linear",
            type="linear",
            url="https://api.linear.app/graphql",
            auth={"token": Secret("env:LINEAR_TOKEN", self.site.key)},
            scope={"teams": [team.key for team in self.teams.values()]},
            budget=1.0,
        )

    def epic(self, name, team, label, at):
        labels = [self.site.label(one, of="project") for one in named(label)]
        return self.site.add_project(name, [self.teams[team]], at=at, labels=labels)

    def item(self, name, team, label, epic, estimate, at):
        return self.site.create(
            self.teams[team], name, at=at, state="Todo", labels=named(label), project=epic, estimate=estimate
        )

    def state(self, issue, before, after, at):
        duplicate = after == CANCELED and issue.number % 2
        self.site.change(issue, at=at, state="Duplicate" if duplicate else self.STATES[after])

    def estimate(self, issue, value, at):
        self.site.change(issue, at=at, estimate=value)

    def parent(self, issue, epic, at):
        self.site.change(issue, at=at, project=epic)

    def label(self, epic, label, at):
        self.site.change_container(epic, at=at, labels=[self.site.label(one, of="project") for one in named(label)])

    def delete(self, issue):
        (self.site.trash if issue.number % 2 else self.site.purge)(issue)


KINDS = (Jira, GitHub, Linear)


def named(label):
    return [f"okr/{label}"] if label else []


# One tenant in its trackers


@dataclass
class Work:
    """An item as the tenant has it now, and what it is in its tracker."""

    epic: int | None
    team: int
    label: str | None
    state: str
    thing: object


@dataclass
class World:
    """The tenant, kept by one tracker for each team; what happens to it happens there."""

    trackers: list
    clock: object
    labels: list = field(default_factory=list)
    epics: list = field(default_factory=list)
    items: list = field(default_factory=list)

    def found(self, tenant):
        """Let the tenant be as it is before the first pull."""
        for number, label in enumerate(tenant.epics):
            team = number % len(TEAMS)
            at = NOW - timedelta(days=80, minutes=number)
            self.labels.append(label)
            self.epics.append(self.trackers[team].epic(f"Epic {number}", TEAMS[team], label, at))
        for item in tenant.items:
            epic = item.epic % len(self.epics) if item.epic is not None else None
            self.add(epic, item.estimate, item.label, NOW - timedelta(days=item.age, hours=14))
            for days, state in item.moves:
                if days < item.age:
                    self.move(self.items[-1], state, NOW - timedelta(days=days, hours=11))

    def add(self, epic, estimate, label, at):
        team = epic % len(TEAMS) if epic is not None else 0
        parent = self.epics[epic] if epic is not None else None
        thing = self.trackers[team].item(f"Item {len(self.items)}", TEAMS[team], label, parent, estimate, at)
        self.items.append(Work(epic=epic, team=team, label=label, state=TODO, thing=thing))

    def move(self, work, state, at):
        """Bring an item into a state; what is over in one way is not over in another before it was open again."""
        if state != work.state and not (state in ENDS and work.state in ENDS):
            self.trackers[work.team].state(work.thing, work.state, state, at)
            work.state = state

    def happen(self, change):
        """Let one change happen now, where there is something to change."""
        at = self.clock()
        match change:
            case "label", number, label:
                number %= len(self.epics)
                self.labels[number] = label
                self.trackers[number % len(TEAMS)].label(self.epics[number], label, at)
            case "add", number, estimate:
                self.add(number % len(self.epics), estimate, None, at)
            case kind, number, *values if self.items:
                work = self.items[number % len(self.items)]
                self.change(kind, work, values, at)

    def change(self, kind, work, values, at):
        tracker = self.trackers[work.team]
        match kind, *values:
            case "state", state:
                self.move(work, state, at)
            case "estimate", value:
                tracker.estimate(work.thing, value, at)
            case "parent", number:
                choices = [None, *range(work.team, len(self.epics), len(TEAMS))]
                work.epic = choices[number % len(choices)]
                tracker.parent(work.thing, None if work.epic is None else self.epics[work.epic], at)
            case ("delete",):
                self.items.remove(work)
                tracker.delete(work.thing)

    def counts(self, initiative):
        """Count the leaves of an initiative by category, as the words of the specification say."""
        found = dict.fromkeys(STATES, 0)
        for work in self.items:
            above = self.labels[work.epic] if work.epic is not None else None
            found[work.state] += (work.label or above) == initiative
        for number, label in enumerate(self.labels):
            found[TODO] += label == initiative and all(work.epic != number for work in self.items)
        return found


def file_of(connections):
    """Return a workspace in which every policy has its own objective, key result and initiatives over the same work."""
    initiatives, objectives, key_results, rules = {}, {}, {}, []
    for name, policies in POLICIES.items():
        objectives[f"O-{name}"] = Objective(id=f"O-{name}", title=name, timeframe="Q4", policies=policies)
        key_results[f"KR-{name}"] = KeyResult(id=f"KR-{name}", objective=f"O-{name}", title=name, timeframe="Q4")
        for id_, share in (("I1", 0.5), ("I2", 1.0)):
            initiatives[f"{id_}-{name}"] = Initiative(
                id=f"{id_}-{name}",
                title=f"{id_} by {name}",
                contributes=(Contribution(to=f"KR-{name}", share=share),),
                start=FIRST_DAY,
                policies=policies,
            )
        rules.append(
            MappingRule(
                name=name,
                when=Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)"),
                initiative=f"{{id}}-{name}",
                also=bool(rules),
            )
        )
    return Workspace(
        name="acme",
        timezone="Europe/Berlin",
        digest="first",
        connections={connection.name: connection for connection in connections},
        timeframes={"Q4": Timeframe(id="Q4", start=FIRST_DAY, end=date(2026, 12, 31))},
        objectives=objectives,
        key_results=key_results,
        initiatives=initiatives,
        rules=tuple(rules),
        policies=Policies(),
    )


# The road


async def no_wait(seconds):
    pytest.fail(f"a client waited for {seconds} s")


class Road:
    """The connections of a workspace, open, over a store of their own."""

    def __init__(self, context, world):
        self.context = context
        self.world = world
        self.sources = {}

    async def open(self, stack, tracker):
        connection, connector = tracker.connection, CONNECTORS[tracker.connection.type]
        client = await stack.enter_async_context(
            open_connection(
                connection, transport=httpx.ASGITransport(app=tracker.face), sleep=no_wait, now=self.context.now
            )
        )
        reading = await read_settings(self.context, connection, connector, client, rediscover=True)
        self.sources[connection.name] = Live(
            connection=in_sight(connection, reading), connector=connector, client=client, reading=reading
        )

    async def backfill(self):
        self.well(await run.backfill(self.context, self.sources))

    async def sync(self):
        self.well(await run.sync(self.context, self.sources))

    async def census(self):
        found, errors = await run.census(self.context, self.sources, repair=True)
        assert errors == {}
        assert [one.missing for one in found] == [[] for _ in found]

    def well(self, pulls):
        assert [(pulled.connection, pulled.error) for pulled in pulls] == [(name, None) for name in self.sources]

    def numbers(self):
        """Return the numbers of each key result and initiative, without what names the source of an item."""
        doc = show(
            self.context.workspace, present(self.context.store.url), None, timeframe="all", now=self.context.now()
        )
        return {
            one["id"]: {name: value for name, value in one.items() if name not in ("flags", "overlays")}
            for one in [*doc["key_results"], *doc["initiatives"]]
        } | {"unlinked": doc["unlinked"]}


@asynccontextmanager
async def opened(world, url, clock):
    """Open a road over a fresh store to the trackers of a world."""
    trackers = list(dict.fromkeys(world.trackers))
    workspace = file_of([tracker.connection for tracker in trackers])
    store = create_store(url)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(store.close)
        context = Context(store=store, workspace=workspace, mapper=compile_mapping(workspace), now=clock)
        road = Road(context, world)
        for tracker in trackers:
            await road.open(stack, tracker)
        yield road


def alike(roads, what):
    """Assert that all roads end in the same numbers, and that the simplest are those that the tenant says."""
    expected, *others = [road.numbers() for road in roads]
    world = roads[0].world
    for initiative in ("I1", "I2"):
        assert (what, expected[f"{initiative}-count"]["counts"]) == (what, world.counts(initiative))
    for road, found in zip(roads[1:], others, strict=True):
        for id_ in expected:
            differ = {
                name: (expected[id_][name], found[id_][name])
                for name in expected[id_]
                if expected[id_][name] != found[id_][name]
            }
            assert not differ, (what, list(road.sources), id_, differ)


async def check(new_clock, urls, tenant):
    """Pull the tenant from each tracker and from all three, let it change, pull again, and compare."""
    clock = new_clock(NOW)
    worlds = [World([kind(clock, tenant)] * len(TEAMS), clock) for kind in KINDS]
    worlds.append(World([kind(clock, tenant) for kind in KINDS], clock))
    for world in worlds:
        world.found(tenant)
    async with AsyncExitStack() as stack:
        roads = [await stack.enter_async_context(opened(*one, clock)) for one in zip(worlds, urls, strict=True)]
        for road in roads:
            await road.backfill()
        alike(roads, "backfill")
        clock.forward(hours=1)
        for change in tenant.changes:
            clock.forward(minutes=3)
            for road in roads:
                if change == ("pull",):
                    await road.sync()
                else:
                    road.world.happen(change)
        clock.forward(minutes=10)
        for road in roads:
            await road.sync()
            await road.census()
        alike(roads, "changes")


EXAMPLES = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None, "print_blob": True}


@pytest.fixture(scope="module")
def run_on_sqlite(clock_class, migrated_file):
    def run_one(tenant):
        folder = Path(tempfile.mkdtemp(prefix="keyrail-property-"))
        try:
            names = [kind.__name__ for kind in KINDS] + ["All"]
            urls = [f"sqlite:///{shutil.copy(migrated_file, folder / f'{name}.db')}" for name in names]
            asyncio.run(check(clock_class, urls, tenant))
        finally:
            shutil.rmtree(folder)

    return run_one


@given(TENANTS)
@settings(max_examples=12, **EXAMPLES)
def test_three_trackers_tell_the_same_of_one_tenant(run_on_sqlite, tenant):
    run_on_sqlite(tenant)


@pytest.mark.long
@given(TENANTS)
@settings(max_examples=150, **EXAMPLES)
def test_three_trackers_tell_the_same_of_one_tenant_at_length(run_on_sqlite, tenant):
    run_on_sqlite(tenant)
