"""From history to versions: however it is told, each instant has one answer, and the last one is now."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.past import Known
from domain.work import Transition
from sync.past import former_selves, life, watched

BORN = datetime(2026, 10, 1, 12, tzinfo=UTC)
NOW = BORN + timedelta(days=40)
WORDS = {
    "To Do": ("todo", None),
    "Doing": ("in_progress", None),
    "Review": ("in_progress", "review"),
    "Done": ("done", None),
}


def meaning(status, _status_id, _resolution):
    return WORDS.get(status)


def known(**over):
    values = dict.fromkeys(Known._fields)
    values |= {
        "connection": "jira", "id": "1", "key": "PAY-1", "title": "One", "url": "", "tracker": "jira", "type": "Story",
        "status": "To Do", "level": "issue", "category": "todo", "measured": True, "flags": "", "own": (),
        "blocked": False, "created_at": BORN, "updated_at": NOW, "history_at": NOW, "entered_on": BORN.date(),
    }  # fmt: skip
    return Known(**{**values, **over})


def moved(day, field, before, after, serial=1):
    at = BORN + timedelta(days=day)
    return Transition(
        connection="jira", item_id="1", id=f"{serial}.0", at=at, field=field, before=before, after=after,
        before_id=before if field == "parent" else None, after_id=after if field == "parent" else None,
    )  # fmt: skip


STORY = [
    moved(1, "status", "To Do", "Doing", 1),
    moved(2, "estimate", None, "3", 2),
    moved(3, "status", "Doing", "Done", 3),
    moved(5, "parent", "9", "8", 4),
    moved(6, "status", "Done", "Doing", 5),
    moved(8, "status", "Doing", "Done", 6),
]
FINISHED = known(
    status="Done", category="done", estimate=3.0, parent="8", completed_at=STORY[-1].at,
    completed_on=STORY[-1].at.date(), entered_on=STORY[3].at.date(),
)  # fmt: skip


@given(st.permutations(STORY))
def test_any_order_of_the_same_history_is_the_same_life(told):
    found = life(FINISHED, told, meaning, UTC)
    assert found == life(FINISHED, STORY, meaning, UTC)
    assert [(v.at - BORN).days for v in found.versions] == [0, 1, 2, 3, 5, 6, 8]
    assert [v.category for v in found.versions] == ["todo", *["in_progress"] * 2, "done", "done", "in_progress", "done"]
    assert [v.estimate for v in found.versions] == [None, None, *[3.0] * 5]
    assert [v.parent for v in found.versions] == [*["9"] * 4, *["8"] * 3]
    assert [v.completed_on and v.completed_on.day for v in found.versions] == [None, None, None, 4, 4, None, 9]
    assert [v.entered_on.day for v in found.versions] == [1, 1, 1, 1, 6, 6, 6]


HISTORIES = st.lists(
    st.builds(moved, st.integers(0, 30), st.sampled_from(["status"]), st.sampled_from([*WORDS, "Gone"]),
              st.sampled_from([*WORDS, "Gone"]), st.integers(1, 99)), max_size=6
)  # fmt: skip


@given(HISTORIES, st.sampled_from(list(WORDS)), st.booleans())
def test_the_last_version_is_the_item_as_it_is_whatever_was_told(told, status, complete):
    category, stage = WORDS[status]
    item = known(status=status, category=category, stage=stage, history_at=NOW if complete else None)
    found = life(item, told, meaning, UTC)
    last = found.versions[-1]
    assert (last.category, last.stage, last.there) == (category, stage, True)
    assert [v.at for v in found.versions] == sorted({v.at for v in found.versions})
    assert all(v.at <= NOW for v in found.versions)


def test_a_status_that_nobody_knows_any_more_changes_nothing():
    told = [
        moved(1, "status", "To Do", "Doing", 1),
        moved(2, "status", "Doing", "Blocked?", 2),
        moved(3, "status", "Blocked?", "Done", 3),
    ]
    found = life(known(status="Done", category="done"), told, meaning, UTC)
    assert [v.category for v in found.versions] == ["todo", "in_progress", "done"]


def test_what_a_tracker_changed_since_its_history_was_read_holds_from_the_last_change_on():
    item = known(status="Done", category="done", completed_at=NOW - timedelta(days=1), history_at=BORN, estimate=5.0)
    found = life(item, [moved(1, "status", "To Do", "Doing"), moved(2, "estimate", "1", "3", 2)], meaning, UTC)
    assert [(v.category, v.estimate, (NOW - v.at).days) for v in found.versions] == [
        ("todo", 1.0, 40), ("in_progress", 1.0, 39), ("in_progress", 3.0, 38), ("done", 3.0, 1), ("done", 5.0, 0),
    ]  # fmt: skip


def test_without_history_an_item_s_own_dates_tell_of_it():
    item = known(
        status="Done", category="done", history_at=None, started_at=BORN + timedelta(days=2),
        completed_at=BORN + timedelta(days=4), completed_on=date(2026, 10, 5),
    )  # fmt: skip
    found = life(item, [], meaning, UTC)
    assert found.untold
    assert [(v.category, (v.at - BORN).days) for v in found.versions] == [("todo", 0), ("in_progress", 2), ("done", 4)]


def test_a_deleted_item_is_there_until_then():
    found = life(known(deleted_at=BORN + timedelta(days=3)), [], meaning, UTC)
    assert [((v.at - BORN).days, v.there) for v in found.versions] == [(0, True), (3, False)]


@pytest.mark.parametrize(
    ("tracker", "field", "before", "after", "now", "then"),
    [
        ("jira", "labels", "a b", "b c", {"labels": ("b", "c")}, {"labels": ("a", "b")}),
        ("github", "labels", None, "c", {"labels": ("b", "c")}, {"labels": ("b",)}),
        ("linear", "labels", "x, y", None, {"labels": ("b",)}, {"labels": ("b", "x", "y")}),
        ("jira", "key", "OLD-4", "PAY-1", {"key": "PAY-1", "project": "PAY"}, {"key": "OLD-4", "project": "OLD"}),
        ("jira", "project", "Old name", "New name", {"project": "PAY"}, {"project": "PAY"}),
        ("linear", "project", "DES", "ENG", {"project": "ENG"}, {"project": "DES"}),
        ("jira", "sprint", "1, 2", "3", {"sprint": "3"}, {"sprint": "2"}),
        ("jira", "type", "Bug", "Story", {"type": "Story"}, {"type": "Bug"}),
    ],
)
def test_an_item_is_as_rules_saw_it(item, tracker, field, before, after, now, then):
    one = item("1", tracker=tracker, created_at=BORN, **now)
    track = former_selves(
        one, [moved(2, field, before, after)], watched(["labels", "project", "sprint", "fields.team"])
    )
    assert [at for at, _ in track] == [BORN, BORN + timedelta(days=2)]
    assert track[1][1] == one
    assert {name: getattr(track[0][1], name) for name in then} == then
