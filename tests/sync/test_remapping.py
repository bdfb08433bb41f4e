"""Of a stored item nobody says that mapping leaves it as it is where mapping would change it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.okr import Initiative, WorkSelector
from domain.rules import All, CreateInitiative, MappingRule, Test
from domain.work import Category, Level, WorkItem
from domain.workspace import Connection, Workspace
from storage import items as store
from storage.engine import dumps
from sync import remapping
from sync.ingest import as_stored, own_rows
from sync.mapping import Mapper, compile_mapping
from sync.remapping import Screen

EARLY, LATE = datetime(2026, 11, 2, 9, tzinfo=UTC), datetime(2026, 11, 9, 9, tzinfo=UTC)


def workspace(**more):
    return Workspace(
        name="acme",
        timezone="Europe/Berlin",
        connections={
            "jira": Connection(
                name="jira",
                type="jira",
                url="https://jira.test",
                statuses={"testing": "review", "parked": "canceled", "ready": "todo"},
                levels={"epic": ("Feature",)},
            ),
            "github": Connection(name="github", type="github", url="https://github.test"),
        },
        initiatives={
            "I1": Initiative(id="I1", title="One", work=(WorkSelector(connection="jira", keys=("PAY-1", "old-1")),)),
            "I2": Initiative(id="I2", title="Two", work=(WorkSelector(connection="github", projects=("web",)),)),
        },
        **more,
    )


def rule(name, initiative, *when, **more):
    return MappingRule(name=name, when=All(inner=when), initiative=initiative, **more)


def among(field, *words):
    return Test(field=field, op="in", value=words)


RULES = (
    rule("named", "{id}", Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)")),
    rule("area", None, among("fields.Area", "a", "b"), set={"area": ("x", "y")}),
    rule("team", "I2", among("team", "Pay"), also=True),
    rule("below", "I1", among("parent_id", "9")),
    rule("late", None, Test(field="completed_at", op="exists", value=True), set={"over": "yes"}),
    rule("made", CreateInitiative(contributes=()), among("level", "epic"), among("labels", "big")),
)
PLAIN, RULED = compile_mapping(workspace()), compile_mapping(workspace(rules=RULES))
BASE = WorkItem(
    connection="jira",
    tracker="jira",
    id="1",
    key="PAY-2",
    url="https://jira.test/1",
    title="One",
    type="Story",
    level=Level.ISSUE,
    status="Open",
    vendor_category=Category.TODO,
    category=Category.TODO,
    created_at=EARLY,
    updated_at=LATE,
)
VALUES = {
    "connection": ["jira", "github", "gone"],
    "key": ["PAY-1", "PAY-2"],
    "type": ["Feature", "Story"],
    "level": [Level.EPIC, Level.ISSUE],
    "vendor_level": [None, Level.ISSUE],
    "status": ["Testing", "Parked", "Ready", "Rejected", "Open"],
    "vendor_category": list(Category),
    "category": list(Category),
    "stage": [None, "review"],
    "resolution": [None, "Won't Do", "Done"],
    "status_changed_at": [None, EARLY, LATE],
    "started_at": [None, EARLY, LATE],
    "completed_at": [None, EARLY, LATE],
    "canceled_at": [None, EARLY, LATE],
    "project": ["web", "app"],
    "team": [None, "Pay", "Ship"],
    "labels": [(), ("big",), ("okr/I1",), ("okr/I9", "big")],
    "flags": [(), ("unmapped_status",), ("mapped_status",)],
    "fields": [{}, {"area": "a"}, {"Area": "c"}, {"team": "Ship"}, {"team": 3}],
    "former_keys": [(), ("OLD-1",)],
    "parent_id": [None, "8", "9"],
}
ITEMS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}).map(
    lambda fields: replace(BASE, **fields)
)


def much_alike(item):
    """Return an item and all that differ from it in one field, as they are and settled."""
    alike = [item, *(replace(item, **{name: value}) for name, values in VALUES.items() for value in values)]
    return [one for each in alike for one in (each, RULED.settle(each))]


def mapped(mapper: Mapper, item):
    """Return the item as mapping leaves it, with what it says of the item's own links."""
    settled = mapper.settle(item)
    return settled, mapper.own(settled, None, None, settled.former_keys)


def as_texts(item, own):
    """Return parent and JSON texts of a stored item, as the screen takes them."""
    row = store.row_of(item, own_rows(own.pairs), own.dimensions, LATE, UTC)
    texts = [dumps(row[name]) if row[name] is not None else None for name in ("own", "dimensions")]
    return item.parent_id, *texts, dumps(item)


@pytest.mark.parametrize("mapper", [PLAIN, RULED], ids=["names", "rules"])
@given(item=ITEMS, last=st.sampled_from([PLAIN, RULED]))
def test_what_would_change_is_never_kept(mapper, item, last):
    screen = Screen(mapper)
    for stored in much_alike(RULED.settle(item)):
        _, before = mapped(last, stored)
        after, own = mapped(mapper, stored)
        dimensions = as_stored(own.dimensions) == as_stored(before.dimensions)
        same = after == stored and own.pairs == before.pairs and dimensions and not own.created
        assert screen.keeps(*as_texts(stored, before)) is same


@given(ITEMS)
def test_mapping_twice_changes_nothing_more(item):
    once, _ = mapped(RULED, item)
    assert RULED.settle(once) == once


@pytest.mark.parametrize("field", ["parent.labels", "raw"])
def test_rules_that_look_beyond_the_item_have_each_item_mapped(field):
    test = Test(field="raw", op="jmespath", value="a") if field == "raw" else among(field, "x")
    screen = Screen(compile_mapping(workspace(rules=(rule("one", "I1", test),))))
    item, own = mapped(PLAIN, replace(BASE, key="PAY-2"))
    assert not screen.keeps(*as_texts(item, own))


def test_so_many_answers_are_remembered_and_no_more(monkeypatch):
    monkeypatch.setattr(remapping, "REMEMBERED", 2)
    screen = Screen(RULED)
    for team in ("a", "b", "c", "a"):
        assert screen.keeps(*as_texts(*mapped(RULED, replace(BASE, team=team))))
        assert len(screen.stays) <= 2
        assert len(screen.owned) <= 2
