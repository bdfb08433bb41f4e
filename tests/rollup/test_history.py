"""Why delivery moved: events in order, effects that sum exactly, the same numbers whatever the way to them."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from math import fsum, isclose
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Face, Fact, Facts, Node
from domain.rules import CREDITS, Policies
from rollup.burnup import day_json, replayed
from rollup.history import RANK, Running, Turn, begun, replay, steps
from rollup.scope import Scope, delivered

TODAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ZONE = ZoneInfo("Europe/Berlin")
NOBODY = frozenset()
MINE = frozenset({"I1"})


def scope(**policies):
    return Scope(
        id="I1", shares={"I1": 1.0}, policies=Policies(**policies), start=None, end=None, due=None,
        before_start_applies=False,
    )  # fmt: skip


def leaf(name, category="todo", *, parent=None, links=MINE, estimate=None, **known):
    face = Face(name, f"PAY-{name}", f"Item {name}", "", {}, {}, "jira", "Story", category)
    return Fact(
        connection="jira", parent=parent, category=category, stage=None, estimate=estimate, team=None, links=links,
        parent_links=NOBODY, subtask=False, completed_on=TODAY if category == "done" else None, entered_on=None,
        flags="", blocked=False, inaccessible_on=None, count=1, item=face, **known,
    )  # fmt: skip


def node(name, category="todo", **known):
    return Node(id=name, key=f"PAY-{name}", level="epic", standard_children=True, fact=leaf(name, category, **known))


def ref(name):
    return ("jira", name)


def ten(done=4):
    return {ref(f"{n:02}"): leaf(f"{n:02}", "done" if n < done else "todo") for n in range(10)}


def turn(forms, own=None, at=NOON):
    return Turn(at=at, forms=forms, own=frozenset(forms if own is None else own))


def test_the_example_of_the_semantics_done_added_canceled():
    running = begun(scope(), ten(), today=TODAY)
    turns = [
        turn({ref("05"): leaf("05", "done")}),
        turn({ref("a"): leaf("a"), ref("b"): leaf("b")}),
        turn({ref("06"): leaf("06", "canceled")}),
    ]
    changes = [change for one in turns for change in replay(running, one)]
    assert [change.cause for change in changes] == ["done", "added", "added", "canceled"]
    done, one, two, canceled = (change.effect for change in changes)
    assert (done, one + two, canceled) == pytest.approx((1 / 10, -1 / 12, 5 / 132), abs=1e-15)
    assert fsum(change.effect for change in changes) == pytest.approx(3 / 55, abs=1e-15)
    assert running.measured()[0].value == pytest.approx(5 / 11, abs=1e-15)


def test_events_of_one_instant_are_taken_in_the_order_of_the_semantics():
    forms = {**ten(), ref("c"): leaf("c", "canceled"), ref("out"): leaf("out", links=NOBODY)}
    running = begun(scope(size="points"), forms, today=TODAY)
    wanted = {
        ref("00"): leaf("00", "todo"),
        ref("04"): leaf("04", "done"),
        ref("05"): leaf("05", "in_progress"),
        ref("06"): leaf("06", "todo", estimate=3.0),
        ref("07"): leaf("07", "canceled"),
        ref("08"): None,
        ref("09"): leaf("09", links=NOBODY),
        ref("c"): leaf("c"),
        ref("new"): leaf("new"),
        ref("out"): leaf("out"),
    }
    found = [(step.cause, step.ref[1]) for step in steps(turn(wanted), running)]
    assert found == [
        ("deleted", "08"), ("removed", "09"), ("canceled", "07"), ("re_estimated", "06"), ("linked", "out"),
        ("added", "new"), ("un_canceled", "c"), ("reopened", "00"), ("status", "05"), ("done", "04"),
    ]  # fmt: skip


def test_what_changes_in_two_ways_at_once_is_two_events():
    running = begun(
        scope(size="points"), {ref("1"): leaf("1", estimate=1.0), ref("2"): leaf("2", estimate=2.0)}, today=TODAY
    )
    changes = replay(running, turn({ref("2"): leaf("2", "done", estimate=8.0)}))
    assert [change.cause for change in changes] == ["re_estimated", "done"]
    assert [change.scope for change in changes] == [6.0, 0.0]
    assert [change.effect for change in changes] == pytest.approx([0.0, 8 / 9])


def test_an_epic_that_moves_takes_each_of_its_items_along():
    forms = {
        ref("e"): node("e"),
        ref("1"): leaf("1", "done", parent="e"),
        ref("2"): leaf("2", parent="e"),
        ref("3"): leaf("3"),
    }
    running = begun(scope(), forms, today=TODAY)
    away = {
        ref("e"): node("e", parent="elsewhere", links=NOBODY),
        ref("1"): leaf("1", "done", parent="e", links=NOBODY),
        ref("2"): leaf("2", parent="e", links=NOBODY),
    }
    changes = replay(running, turn(away, own=[ref("e")]))
    assert [(change.key, change.cause) for change in changes] == [("PAY-1", "moved_out"), ("PAY-2", "moved_out")]
    assert fsum(change.effect for change in changes) == pytest.approx(-1 / 3)


def test_a_first_child_is_added_together_with_what_it_makes_of_its_parent():
    running = begun(scope(), {ref("e"): leaf("e", "done"), ref("1"): leaf("1", "done")}, today=TODAY)
    changes = replay(running, turn({ref("2"): leaf("2", parent="e"), ref("e"): node("e", "done")}, own=[ref("2")]))
    assert [(change.key, change.cause, change.effect) for change in changes] == [("PAY-2", "added", -0.5)]


@pytest.mark.parametrize("closing", [ZONE, ZoneInfo("UTC")])
def test_each_day_closes_at_its_own_midnight(closing):
    late = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    running = begun(scope(), ten(), today=TODAY)
    turns = [turn({ref("05"): leaf("05", "done")}, at=late), turn({ref("06"): None}, at=late + timedelta(days=1))]
    days = [day for day, _ in replayed(running, turns, date(2026, 11, 19), date(2026, 11, 22), closing)]
    assert [day.day.day for day in days] == [20, 21, 22]
    first = [0.4, 0.5, 5 / 9] if closing == ZONE else [0.5, 5 / 9, 5 / 9]
    assert [day.progress.value for day in days] == pytest.approx(first)
    assert day_json(days[0]) == {
        "day": "2026-11-20",
        "done": 10 * first[0],
        "scope": 10.0,
        "progress": first[0],
        "causes": {} if closing == ZONE else {"done": pytest.approx(0.1)},
    }


POLICIES = st.builds(
    Policies,
    credit=st.sampled_from(list(CREDITS.values())),
    size=st.sampled_from(["count", "points", "equal_per_child"]),
    canceled=st.sampled_from(["exclude", "as_done", "as_open"]),
    leaf_level=st.sampled_from(["standard", "lowest", "epic_children"]),
    parent_done_wins=st.booleans(),
    top_down=st.booleans(),
)
CATEGORIES = st.sampled_from(["todo", "in_progress", "done", "canceled"])
LINKS = st.sampled_from([MINE, NOBODY])
ESTIMATES = st.sampled_from([None, 0.0, 1.0, 5.0])
LEAVES = [f"l{n}" for n in range(5)]
EPICS = ["e0", "e1"]


@st.composite
def forms(draw):
    """A form for each of some items: two epics, the second perhaps under the first, and leaves anywhere."""
    found = {}
    for name in draw(st.lists(st.sampled_from([*LEAVES, *EPICS]), unique=True)):
        above = draw(st.sampled_from([None, *EPICS] if name in LEAVES else [None, *EPICS[: EPICS.index(name)]]))
        known = {"parent": above, "links": draw(LINKS), "estimate": draw(ESTIMATES)}
        make = node if name in EPICS else leaf
        found[ref(name)] = draw(st.sampled_from([None, make(name, draw(CATEGORIES), **known)]))
    return found


def whole(running):
    """The delivery of all forms at once, from nothing."""
    rows = [form for form in running.forms.values() if isinstance(form, Fact)]
    nodes = [form for form in running.forms.values() if isinstance(form, Node)]
    return delivered(Facts(tuple(rows), tuple(nodes)), running.scope, today=running.today)


@settings(max_examples=200)
@given(st.lists(forms(), max_size=6), POLICIES)
def test_going_on_step_by_step_says_what_adding_up_anew_says_and_effects_sum_to_the_change(batches, policies):
    running = Running(replace(scope(), policies=policies), TODAY)
    began = running.measured()[0].value or 0.0
    changes = []
    for number, batch in enumerate(batches):
        changes += replay(running, turn(batch, at=NOON + timedelta(hours=number)))
        assert running.measured() == whole(running)
    ended = running.measured()[0].value or 0.0
    assert isclose(fsum(change.effect for change in changes), ended - began, abs_tol=1e-12)
    assert 0 <= ended <= 1


@given(st.lists(forms(), min_size=1, max_size=4), st.randoms())
def test_any_order_of_the_same_events_ends_in_the_same_state(batches, random):
    first, second = (Running(scope(size="points"), TODAY) for _ in range(2))
    final = {}
    for batch in batches:
        final |= batch
        replay(first, turn(batch))
    shuffled = list(final.items())
    random.shuffle(shuffled)
    for name, form in shuffled:
        second.put(name, form)
    assert first.measured() == second.measured()


def test_every_cause_has_its_rank():
    assert sorted(RANK.values()) == list(range(len(RANK)))
