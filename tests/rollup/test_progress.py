"""Delivery progress: the worked examples and the cases of semantics section 1."""

from dataclasses import replace
from datetime import date

import pytest

from domain.facts import Fact, Facts, Node
from domain.rules import CREDITS, Credit, Policies
from rollup.progress import delivery, epics, lone, sized
from rollup.sizes import median

TODAY = date(2026, 11, 20)
ONE = {"I1": 1.0}


def fact(category="todo", estimate=None, **over):
    base = {
        "connection": "jira",
        "parent": None,
        "category": category,
        "stage": None,
        "estimate": estimate,
        "team": None,
        "links": frozenset({"I1"}),
        "parent_links": frozenset(),
        "subtask": False,
        "completed_on": None,
        "entered_on": None,
        "flags": "",
        "blocked": False,
        "inaccessible_on": None,
        "count": 1,
    }
    for name in ("links", "parent_links"):
        if name in over:
            over[name] = frozenset(over[name])
    return Fact(**{**base, **over})


def child(parent, category="todo", estimate=None, **over):
    return fact(category, estimate, parent=parent, **{"parent_links": {"I1"}, **over})


def node(id, category="todo", estimate=None, level="epic", standard_children=True, **over):
    return Node(id, id, level, standard_children, fact(category, estimate, **over))


def value(rows, policies=None, nodes=(), shares=ONE, **kw):
    return delivery(Facts(tuple(rows), tuple(nodes)), shares, policies or Policies(), today=TODAY, **kw)


POINTS = Policies(size="points")
SIX = [
    fact("done", 3),
    fact("done", 5),
    fact("in_progress", 2),
    fact("in_progress", 2, stage="review"),
    fact("todo", 8),
    fact("canceled", 5),
]


@pytest.mark.parametrize(
    ("credit", "by_points", "by_count"),
    [("binary", 0.40, 0.40), ("linear", 0.45, 0.50), ("half", 0.50, 0.60), ("staged", 0.50, 0.60)],
)
def test_credit_presets(credit, by_points, by_count):
    assert value(SIX, replace(POINTS, credit=CREDITS[credit])).value == pytest.approx(by_points, abs=1e-12)
    assert value(SIX, Policies(credit=CREDITS[credit])).value == pytest.approx(by_count, abs=1e-12)


def test_custom_credit_map():
    custom = Credit(todo=0.1, started=0.2, review=0.3, done=0.9)
    assert value(SIX, Policies(credit=custom)).value == pytest.approx((0.9 * 2 + 0.2 + 0.3 + 0.1) / 5)


def test_sums_and_counts_of_the_example():
    found = value(SIX, POINTS)
    assert (found.size_total, found.size_done) == (20, 8)
    assert found.counts == {"todo": 1, "in_progress": 2, "done": 2, "canceled": 1}
    assert (found.points_total, found.points_done) == (20, 8)
    assert (found.items, found.unestimated, found.estimated_coverage) == (5, 0, 1.0)
    assert found.excluded == {"canceled": 1}
    assert found.connections == {"jira": 5}


def two_epics():
    nodes = [node("A"), node("B")]
    rows = [
        child("A", "done"),
        child("A", "todo"),
        child("B", "done", count=9),
        child("B", "todo"),
    ]
    return rows, nodes


def test_equal_per_child_of_two_epics():
    rows, nodes = two_epics()
    assert value(rows, Policies(size="equal_per_child"), nodes).value == pytest.approx(0.70, abs=1e-12)
    assert round(value(rows, Policies(), nodes).value, 4) == 0.8333


def test_equal_per_child_leaves_null_children_out():
    rows, nodes = two_epics()
    nodes.append(node("C"))
    rows.append(child("C", "canceled"))
    for canceled in ("exclude", "as_done", "as_open"):
        policies = Policies(size="equal_per_child", canceled=canceled)
        assert value(rows, policies, nodes).value == pytest.approx(0.70, abs=1e-12)


def test_equal_per_child_of_a_key_result_weighs_initiatives_by_share():
    rows = [fact("done"), fact("todo"), fact("done", links={"I2"})]
    found = value(rows, Policies(size="equal_per_child"), shares={"I1": 1.0, "I2": 0.5})
    assert found.value == pytest.approx((1.0 * 0.5 + 0.5 * 1.0) / 1.5)


def test_equal_per_child_keeps_an_item_reached_twice_on_its_first_path():
    rows = [fact("done", links={"I1", "I2"}), fact("todo"), fact("todo", links={"I2"})]
    assert value(rows, Policies(size="equal_per_child"), shares={"I1": 1.0, "I2": 1.0}).value == 0.25
    again = value(rows, Policies(size="equal_per_child"), shares={"I2": 1.0, "I1": 1.0})
    assert again.value == 0.25
    lopsided = [*rows, fact("todo")]
    assert value(lopsided, Policies(size="equal_per_child"), shares={"I1": 1.0, "I2": 1.0}).value == pytest.approx(
        1 / 6
    )
    assert value(lopsided, Policies(size="equal_per_child"), shares={"I2": 1.0, "I1": 1.0}).value == 0.25


def test_equal_per_child_goes_down_several_levels():
    nodes = [
        node("E"),
        node("S", level="issue", parent="E", parent_links={"I1"}),
    ]
    rows = [child("S", "done"), child("S", "todo", count=3), child("E", "done")]
    assert value(rows, Policies(size="equal_per_child"), nodes).value == pytest.approx((0.25 + 1) / 2)


def test_unestimated_takes_the_median_of_its_siblings():
    rows = [child("E", "done", 3), child("E", "done"), child("E", "todo", 5), child("E", "todo", 8)]
    found = value(rows, POINTS, [node("E")])
    assert round(found.value, 4) == 0.3810
    assert (found.size_total, found.size_done) == (21, 8)
    assert (found.estimated_coverage, found.unestimated) == (0.75, 1)


def test_unestimated_without_siblings_takes_the_team_then_one():
    rows = [
        fact("done", 4, team="T", count=3),
        child("E", "todo", team="T", parent_links=set()),
        fact("todo", team="other"),
        fact("todo", 9, team="U", count=2),
        fact("done"),
    ]
    entries = sized(Facts(tuple(rows), ()), ONE, POINTS, today=TODAY).entries
    assert [(e.size, e.imputed) for e in entries] == [(4, None), (4, "team"), (1, "one"), (9, None), (1, "one")]


def test_items_without_a_parent_are_no_siblings():
    found = value([fact("done", 8), fact("todo", 8), fact("todo")], POINTS)
    assert found.size_total == 17


def test_siblings_never_cross_connections():
    rows = [child("E", "done", 8, count=3), child("E", "todo", connection="github")]
    assert value(rows, POINTS, [node("E"), node("E", connection="github")]).size_total == 25


def test_median_of_an_even_number_is_the_mean_of_the_middle_two():
    assert median([(3.0, 1), (8.0, 1), (5.0, 1), (1.0, 1)]) == 4
    assert median([(3.0, 3), (8.0, 1)]) == 3
    assert median([(2.0, 1)]) == 2


def test_canceled_estimates_do_not_shift_the_median():
    rows = [child("E", "done", 2), child("E", "canceled", 100), child("E", "todo"), child("E", "todo", 2)]
    assert value(rows, replace(POINTS, canceled="as_open"), [node("E")]).size_total == 106


def test_fallback_to_count_below_half_coverage_under_impute_median_alone():
    rows = [fact("done", 8), fact("todo"), fact("todo")]
    found = value(rows, POINTS)
    assert round(found.value, 4) == 0.3333
    assert found.flags == ("fallback_count",)
    assert value(rows, replace(POINTS, unestimated="one")).value == 0.8
    left_out = value(rows, replace(POINTS, unestimated="exclude"))
    assert (left_out.value, left_out.excluded, left_out.flags) == (1.0, {"unestimated": 2}, ())
    assert left_out.counts == {"todo": 2, "in_progress": 0, "done": 1, "canceled": 0}
    assert value(rows[:2], POINTS).flags == ()


def test_estimate_zero_is_a_value_and_a_zero_sum_falls_back():
    assert value([fact("done", 0), fact("todo", 5), fact("done", 5)], POINTS).value == 0.5
    found = value([fact("done", 0), fact("todo", 0)], POINTS)
    assert (found.value, found.flags) == (0.5, ("fallback_count",))


@pytest.mark.parametrize("bad", [-3.0, float("nan"), float("inf")])
def test_an_impossible_estimate_is_missing(bad):
    found = value([child("E", "done", 4), child("E", "todo", bad)], POINTS, [node("E")])
    assert (found.value, found.flags, found.unestimated) == (0.5, ("bad_estimate",), 1)


def test_one_done_one_canceled():
    assert value([fact("done"), fact("canceled")]).value == 1.0
    assert value([fact("done", count=8), fact("canceled", count=2)]).value == 1.0


def test_canceled_policies():
    rows = [fact("done"), fact("todo"), fact("canceled", count=2)]
    assert value(rows, Policies(canceled="as_done")).value == 0.75
    assert value(rows, Policies(canceled="as_open")).value == 0.25
    assert value(rows, Policies(canceled="as_done")).counts["canceled"] == 2


@pytest.mark.parametrize("canceled", ["exclude", "as_done", "as_open"])
def test_all_canceled_is_nothing_in_scope(canceled):
    found = value([fact("canceled", count=3)], Policies(canceled=canceled))
    assert (found.value, found.state, found.counts["canceled"]) == (None, "no_scope", 3)


def test_empty_scope():
    found = value([])
    assert (found.value, found.state, found.estimated_coverage) == (None, "no_scope", None)
    assert found.counts == {"todo": 0, "in_progress": 0, "done": 0, "canceled": 0}


def test_carried_over_counts_for_the_initiative_and_not_for_the_key_result():
    start = date(2026, 10, 1)
    rows = [
        fact("done", completed_on=date(2026, 9, 30), count=6),
        fact("done", completed_on=start),
        fact("todo", count=3),
    ]
    assert value(rows).value == 0.70
    found = value(rows, start=start, before_start_applies=True)
    assert (found.value, found.excluded) == (0.25, {"done_before_start": 6})
    assert found.counts == {"todo": 3, "in_progress": 0, "done": 1, "canceled": 0}
    included = value(rows, Policies(before_start="include"), start=start, before_start_applies=True)
    assert included.value == 0.70


def test_share():
    rows = [
        fact("done", 5),
        fact("done", 8, links={"I2"}),
        fact("todo", 3),
    ]
    assert value(rows, POINTS, shares={"I1": 1.0, "I2": 0.5}).value == 0.75
    assert value(rows, POINTS, shares={"I1": 1.0, "I2": 1.0}).value == 0.8125


def test_reached_through_two_initiatives_counts_once_with_the_larger_share():
    rows = [fact("done", links={"I1", "I2"}), fact("todo", links={"I2"})]
    found = value(rows, shares={"I1": 0.2, "I2": 0.6})
    assert (found.items, found.size_total, found.value) == (2, 1.2, 0.5)


def test_other_links_are_ignored():
    rows = [fact("done"), fact("todo", links={"I9"}), fact("todo", links=set())]
    assert value(rows).value == 1.0


def test_subtasks_do_not_count_beside_their_parent():
    story = node("S", "in_progress", level="issue", standard_children=False)
    rows = [child("S", "done", subtask=True, count=4)]
    found = value(rows, nodes=[story])
    assert (found.value, found.items, found.excluded) == (0.0, 1, {"subtask": 4})
    assert value(rows, Policies(leaf_level="lowest"), [story]).value == 1.0


def test_a_subtask_linked_alone_is_a_leaf():
    story = node("S", "todo", level="issue", standard_children=False, links=set())
    row = child("S", "done", subtask=True, parent_links=set())
    for level in ("standard", "lowest", "epic_children"):
        found = value([row], Policies(leaf_level=level), [story])
        assert (found.value, found.items) == (1.0, 1)


def test_epic_children_are_leaves_whatever_is_below():
    nodes = [
        node("E"),
        node("S", "done", level="issue", parent="E", parent_links={"I1"}),
        node("F", level="issue"),
    ]
    rows = [child("E", "todo"), child("S", "todo", count=5), child("F", "done", count=2)]
    found = value(rows, Policies(leaf_level="epic_children"), nodes)
    assert (found.items, round(found.value, 4)) == (4, 0.75)
    assert value(rows, Policies(), nodes).items == 8


def test_nested_epics_count_the_children_of_the_lower_one():
    nodes = [node("E1"), node("E2", parent="E1", parent_links={"I1"})]
    rows = [child("E2", "done"), child("E2", "todo"), child("E1", "todo", count=2)]
    found = value(rows, Policies(leaf_level="epic_children"), nodes)
    assert (found.items, found.value) == (4, 0.25)


def test_a_parent_with_children_elsewhere_is_no_leaf():
    epic = node("E", "done")
    moved = child("E", "todo", links={"I2"})
    found = value([moved], nodes=[epic])
    assert (found.value, found.state) == (None, "no_scope")


def test_done_parent_with_open_children():
    epic = node("E", "done")
    rows = [child("E", "done"), child("E", "todo")]
    found = value(rows, nodes=[epic])
    assert (found.value, found.flags) == (0.5, ("done_parent_open_children",))
    won = value(rows, Policies(parent_done_wins=True), [epic])
    assert (won.value, won.flags) == (1.0, ("done_parent_open_children",))


def test_canceled_parent_with_open_children():
    found = value([child("E", "done"), child("E", "todo")], nodes=[node("E", "canceled")])
    assert (found.value, found.flags) == (0.5, ("canceled_parent_open_children",))


def test_top_down_takes_the_parent_as_floor():
    rows = [child("E", "done", 3), child("E", "todo", 2)]
    epic = node("E", estimate=20)
    assert value(rows, POINTS, [epic]).value == 0.60
    assert value(rows, replace(POINTS, top_down=True), [epic]).value == 0.15
    small = node("E", estimate=4)
    assert value(rows, replace(POINTS, top_down=True), [small]).value == 0.60


def test_top_down_counts_the_excess_of_each_step_once():
    nodes = [
        node("E", estimate=20),
        node("S", estimate=8, level="issue", parent="E", parent_links={"I1"}),
    ]
    rows = [child("S", "done", 5), child("E", "done", 2)]
    found = value(rows, replace(POINTS, top_down=True), nodes)
    assert (found.size_total, found.size_done) == (20, 7)
    assert found.items == 2


def test_top_down_leaves_out_canceled_parents_and_work_done_before():
    rows = [child("E", "done", 10, completed_on=date(2026, 9, 1)), child("E", "todo", 5), child("E", "done", 5)]
    policies = replace(POINTS, top_down=True)
    carried = value(rows, policies, [node("E", estimate=20)], start=date(2026, 10, 1), before_start_applies=True)
    assert carried.value == 0.5
    assert value(rows, policies, [node("E", "canceled", 90)]).size_total == 20


def test_archived_and_unmapped():
    rows = [fact("todo", flags="archived"), fact("done", flags="archived"), fact("todo", flags="unmapped_status")]
    assert value(rows).flags == ("archived_open", "unmapped_status")
    assert value(rows[1:2]).flags == ()


def test_inaccessible_within_and_after_the_grace():
    lost = fact("todo", inaccessible_on=date(2026, 11, 10))
    found = value([fact("done"), lost])
    assert (found.value, found.flags, found.valid_until) == (0.5, ("inaccessible",), date(2026, 11, 24))
    gone = delivery(Facts((fact("done"), lost), ()), ONE, Policies(), today=date(2026, 11, 24))
    assert (gone.value, gone.flags, gone.excluded, gone.valid_until) == (1.0, (), {"inaccessible": 1}, None)
    day_before = delivery(Facts((fact("done"), lost), ()), ONE, Policies(), today=date(2026, 11, 23))
    assert day_before.value == 0.5


def test_cycle_is_cut_and_flagged():
    nodes = [
        node("A", parent="B", parent_links={"I1"}),
        node("B", parent="A", parent_links={"I1"}),
    ]
    rows = [child("A", "done"), child("B", "todo")]
    for size in ("count", "equal_per_child"):
        found = value(rows, Policies(size=size), nodes)
        assert (found.value, found.flags) == (0.5, ("cycle",))
    both = epics(Facts(tuple(rows), tuple(nodes)), Policies(), today=TODAY)
    assert {key: p.value for key, p in both.items()} == {("jira", "A"): 0.5, ("jira", "B"): 0.5}


def test_frozen_at_the_end():
    end = date(2026, 10, 31)
    rows = [
        fact("done", completed_on=end),
        fact("done", completed_on=date(2026, 11, 1)),
        fact("todo", entered_on=date(2026, 11, 2)),
        fact("canceled", canceled_on=date(2026, 11, 3)),
        fact("todo", inaccessible_on=date(2026, 11, 1)),
    ]
    found = value(rows, end=end)
    assert found.value == 0.25
    assert found.counts == {"todo": 3, "in_progress": 0, "done": 1, "canceled": 0}
    assert (found.excluded, found.valid_until) == ({"entered_after_end": 1}, None)
    policies = Policies(health=replace(Policies().health, freeze_after_end=False))
    moving = value(rows, policies, end=end)
    assert (moving.size_done, moving.size_total) == (2, 3)
    assert value(rows, end=TODAY) == value(rows)


def test_baseline_beside_current():
    at = date(2026, 10, 1)
    rows = [
        fact("done", entered_on=at, count=5),
        fact("todo", entered_on=date(2026, 9, 1), count=5),
        fact("done", entered_on=date(2026, 10, 2)),
        fact("todo", entered_on=date(2026, 10, 2), count=3),
    ]
    found = value(rows, baseline_at=at)
    assert round(found.value, 4) == 0.4286
    assert found.baseline_progress == 0.5
    assert (found.scope_base, found.scope_change) == (10, 0.4)


def test_scope_change_of_forty_to_fortysix():
    at = date(2026, 10, 1)
    rows = [fact("todo", 40, entered_on=at), fact("todo", 6, entered_on=date(2026, 10, 2))]
    assert value(rows, POINTS, baseline_at=at).scope_change == pytest.approx(0.15)
    assert value(rows[1:], POINTS, baseline_at=at).scope_change is None
    assert value(rows).scope_change is None


def test_cancellations_lower_the_scope_of_now_only():
    at = date(2026, 10, 1)
    rows = [
        fact("done", entered_on=at),
        fact("todo", entered_on=at),
        fact("canceled", entered_on=at, canceled_on=date(2026, 10, 9), count=2),
        fact("canceled", entered_on=at, canceled_on=date(2026, 9, 9), count=7),
    ]
    found = value(rows, baseline_at=at)
    assert (found.baseline_progress, found.scope_base, found.scope_change) == (0.5, 4, -0.5)


def test_baseline_obeys_before_start():
    at = date(2026, 10, 1)
    rows = [fact("done", entered_on=at, completed_on=date(2026, 9, 1)), fact("todo", entered_on=at)]
    found = value(rows, start=at, before_start_applies=True, baseline_at=at)
    assert (found.baseline_progress, found.scope_base) == (0.0, 1)


def test_blocked_size_is_that_of_open_items():
    rows = [fact("todo", 5, blocked=True), fact("done", 3, blocked=True), fact("todo", 2)]
    assert value(rows, POINTS).blocked_size == 5


def test_parent_without_children():
    assert lone("done").value == 1.0
    assert [(lone(c).value, lone(c).state) for c in ("todo", "canceled")] == [(None, "no_scope")] * 2
    only_subtasks = node("E", "done", standard_children=False)
    facts = Facts((child("E", "todo", subtask=True),), (only_subtasks,))
    assert epics(facts, Policies(), today=TODAY)[("jira", "E")].value == 1.0


def test_epics_look_at_what_is_below_whatever_its_links():
    nodes = (
        node("E", links=set()),
        node("S", level="issue", parent="E", parent_links=set(), links=set()),
        node("F", connection="github"),
    )
    rows = (
        child("S", "done", links={"I2"}, count=2),
        child("E", "todo", links=set(), parent_links=set()),
        child("E", "canceled", links=set(), parent_links=set()),
        child("F", "todo", connection="github"),
        child("E", "todo", connection="github"),
    )
    found = epics(Facts(rows, nodes), Policies(), today=TODAY)
    assert set(found) == {("jira", "E"), ("github", "F")}
    assert round(found[("jira", "E")].value, 4) == 0.6667
    assert found[("jira", "E")].counts == {"todo": 1, "in_progress": 0, "done": 2, "canceled": 1}
    assert found[("github", "F")].value == 0.0
    equal = epics(Facts(rows, nodes), Policies(size="equal_per_child"), today=TODAY, only=[("jira", "E")])
    assert {key: p.value for key, p in equal.items()} == {("jira", "E"): 0.5}


def test_an_item_that_moved_away_is_told_but_not_counted():
    rows = (child("E", "todo", links={"I2"}), child("E", "done"))
    settled = sized(Facts(rows, (node("E"),)), ONE, Policies(), today=TODAY)
    assert [e.reason for e in settled.entries] == ["moved_away", None, "has_children"]
    assert value(rows, nodes=[node("E")]).excluded == {}


def test_listed_items_that_histograms_leave_out():
    rows = [fact("done"), fact("todo", deleted=True), fact("todo", mirror_of="jira:PAY-7")]
    assert value(rows).value == 1.0
    assert [e.reason for e in sized(Facts(tuple(rows), ()), ONE, Policies(), today=TODAY).entries] == [
        None,
        "deleted",
        "mirror",
    ]
