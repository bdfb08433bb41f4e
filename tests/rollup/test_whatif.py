"""Supposed changes: what each does to delivery and pace, that no change changes nothing, and what is never possible."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.facts import Fact, Facts
from domain.okr import Contribution, Initiative, KeyResult, Objective, Status, Timeframe
from domain.rules import ForecastPolicy, Policies
from domain.workspace import Workspace
from rollup.features import forecasts
from rollup.scope import delivered, scope_of
from rollup.whatif import Change, case_of, forecasts_under, plan_under, touched, unit_of

TODAY = date(2026, 11, 22)
Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))
KR1 = KeyResult(id="KR1", objective="O1", title="One")
KR2 = KeyResult(id="KR2", objective="O1", title="Two")
I1 = Initiative(id="I1", title="1", contributes=(Contribution(to="KR1"),), team="Pay", due=date(2026, 12, 10))
I2 = Initiative(id="I2", title="2", contributes=(Contribution(to="KR1", share=0.5), Contribution(to="KR2")), team="Web")
WORK = Workspace(
    name="acme",
    timezone="Europe/Berlin",
    timeframes={"2026-Q4": Q4},
    objectives={"O1": Objective(id="O1", title="O", timeframe="2026-Q4")},
    key_results={k.id: k for k in (KR1, KR2)},
    initiatives={i.id: i for i in (I1, I2)},
)


def fact(links, category="todo", count=1, days_ago=None, team=None, estimate=None):
    completed = TODAY - timedelta(days=days_ago) if days_ago is not None else None
    entered = TODAY - timedelta(days=40)
    return Fact(
        "jira", None, category, None, estimate, team, frozenset(links), frozenset(), False, completed, entered, "",
        False, None, count,
    )  # fmt: skip


def done(links, count=1, team=None):
    """So many items a day, on each of the last 40 days."""
    return tuple(fact(links, "done", count, n, team) for n in range(1, 41))


FACTS = Facts(rows=(*done(["I1"]), *done(["I2"]), fact(["I1"], count=20), fact(["I2"], count=10)), nodes=())


def team_of(entry):
    return entry.fact.team or next((WORK.initiatives[i].team for i in sorted(entry.fact.links)), None)


def case(id_, change, facts=FACTS, workspace=WORK):
    plan, made = plan_under(workspace, {}, change, today=TODAY)
    found = scope_of(plan, id_, made)
    return case_of(facts, found, change, team_of=team_of, unit=unit_of(change), today=TODAY)


def ahead(change, facts=FACTS, workspace=WORK):
    """Return days to p85 by subject: today, and under a change."""
    subjects = {id_: delivered(facts, scope_of(workspace, id_), today=TODAY) for id_ in ("KR1", "KR2", "I1", "I2")}
    plan, made = plan_under(workspace, {}, change, today=TODAY)
    cases = {id_: case(id_, change, facts, workspace) for id_ in touched(workspace, {}, change)}
    now = forecasts(workspace, subjects, today=TODAY)
    then = now | forecasts_under(plan, made, subjects, cases, change, today=TODAY)
    return {
        id_: tuple((one[id_].p85 - TODAY).days if one[id_].p85 else None for one in (now, then)) for id_ in subjects
    }


def test_nothing_supposed_changes_nothing():
    for id_ in ("KR1", "KR2", "I1", "I2"):
        progress, flow = delivered(FACTS, scope_of(WORK, id_), today=TODAY)
        found = case(id_, Change())
        assert (found.progress, found.flow, found.holds) == (progress, flow, ())
    assert touched(WORK, {}, Change()) == set()
    assert plan_under(WORK, {}, Change(), today=TODAY) == (WORK, {})


def test_a_dropped_initiative_takes_its_items_with_it():
    change = Change(drop=("I2",))
    plan, _ = plan_under(WORK, {}, change, today=TODAY)
    assert plan.initiatives["I2"].status is Status.CANCELED
    assert touched(WORK, {}, change) == {"I2", "KR1", "KR2"}
    assert case("KR1", change).progress.value == pytest.approx(40 / 60)
    assert case("KR1", change).flow.remaining == 20
    gone = case("KR2", change).progress
    assert (gone.value, gone.state) == (None, "no_scope")
    # 30 left at 2 a day; without I2, 20 at 1 a day.
    assert ahead(change)["KR1"] == (15, 20)


def test_an_item_that_counts_for_another_initiative_stays():
    both = Facts(rows=(*done(["I1", "I2"]), fact(["I1", "I2"], count=10)), nodes=())
    assert case("KR1", Change(drop=("I2",)), both).progress.value == 0.8


def test_what_is_delayed_waits_and_the_rest_goes_on():
    # KR1: 30 left at 2 a day, for 6 days I2 alone at 1 a day: 24 left, 12 days more.
    found = ahead(Change(delay={"I1": 6}))
    assert found == {"KR1": (15, 18), "KR2": (10, 10), "I1": (20, 26), "I2": (10, 10)}
    assert [one.until for one in case("KR1", Change(delay={"I1": 6, "I2": 2})).holds] == [2, 6]


def test_an_item_waits_only_with_all_its_initiatives():
    both = Facts(rows=(*done(["I1", "I2"]), fact(["I1", "I2"], count=10)), nodes=())
    assert case("KR1", Change(delay={"I1": 6}), both).holds == ()
    assert ahead(Change(delay={"I1": 6, "I2": 6}), both)["KR1"] == (10, 16)


def test_what_has_not_begun_begins_later():
    later = replace(WORK, initiatives={"I1": replace(I1, start=date(2026, 12, 1)), "I2": replace(I2, start=TODAY)})
    plan, _ = plan_under(later, {}, Change(delay={"I1": 6, "I2": 6}), today=TODAY)
    assert (plan.initiatives["I1"].start, plan.initiatives["I2"].start) == (date(2026, 12, 7), TODAY)


@pytest.mark.parametrize(
    ("part", "items", "left", "initiative", "key_result"),
    [
        (Fraction(1, 5), 72, 32, 40 / 72, 60 / (72 + 25)),
        (Fraction(1, 100), 61, 21, 40 / 61, 60 / (61 + 25)),
        (Fraction(-1, 5), 48, 8, 40 / 48, 60 / (48 + 25)),
        (Fraction(-1), 40, 0, 1.0, 60 / (40 + 25)),
    ],
)
def test_scope_comes_and_goes_in_whole_items(part, items, left, initiative, key_result):
    change = Change(scope={"I1": part})
    one = case("I1", change)
    assert (one.progress.items, one.flow.remaining) == (items, left)
    assert one.progress.value == pytest.approx(initiative)
    assert sum(one.progress.counts.values()) == items
    assert case("KR1", change).progress.value == pytest.approx(key_result)


def test_what_is_added_is_as_large_as_what_there_is():
    rows = (
        *(row._replace(estimate=2.0) for row in FACTS.rows if row.category == "done"),
        fact(["I1"], count=20, estimate=5.0),
    )
    points = replace(WORK, policies=Policies(size="points"))
    found = case("I1", Change(scope={"I1": Fraction(1, 2)}), Facts(rows=rows, nodes=()), points)
    assert found.progress.value == pytest.approx(80 / (180 * 1.5))


def test_under_the_mean_of_means_an_initiative_keeps_its_weight():
    means = replace(WORK, policies=Policies(size="equal_per_child"))
    alone = Facts(rows=(fact(["I1"], "done", 1, 1), fact(["I1"]), fact(["I2"], "done", 1, 1), fact(["I2"])), nodes=())
    assert case("KR1", Change(), alone, means).progress.value == pytest.approx(0.5)
    found = case("KR1", Change(scope={"I1": Fraction(1)}), alone, means).progress
    assert found.value == pytest.approx((1 * 0.25 + 0.5 * 0.5) / 1.5)


def test_the_change_of_scope_is_told_against_the_baseline():
    known = replace(WORK, initiatives={"I1": replace(I1, start=date(2026, 10, 20)), "I2": I2})
    before = delivered(FACTS, scope_of(known, "I1"), today=TODAY)[0]
    assert before.scope_change == 0
    assert case("I1", Change(scope={"I1": Fraction(1, 5)}), workspace=known).progress.scope_change == pytest.approx(0.2)


def test_a_team_gets_less_done():
    change = Change(throughput={"Pay": Fraction(-1, 2)})
    assert unit_of(change) == 2
    found = ahead(change)
    # I1: 20 left at half an item a day; KR1: 30 at 1.5 a day.
    assert (found["I1"], found["I2"], found["KR1"], found["KR2"]) == ((20, 40), (10, 10), (15, 20), (10, 10))
    assert ahead(Change(throughput={"Pay": Fraction(-1)}))["I1"] == (20, None)
    assert ahead(Change(throughput={"Pay": Fraction(1)}))["I1"] == (20, 10)


def test_an_item_of_another_team_is_paced_by_that():
    web = Facts(rows=(*done(["I1"], team="Web"), fact(["I1"], count=20)), nodes=())
    assert ahead(Change(throughput={"Pay": Fraction(-1, 2)}), web)["I1"] == (20, 20)
    assert ahead(Change(throughput={"Web": Fraction(-1, 2)}), web)["I1"] == (20, 40)


def test_fractions_of_items_pass_no_guard_that_whole_ones_do_not():
    few = Facts(rows=(*(fact(["I1"], "done", 1, n) for n in range(1, 9)), fact(["I1"], count=5)), nodes=())
    change = Change(throughput={"Pay": Fraction(-1, 5)})
    subjects = {"I1": delivered(few, scope_of(WORK, "I1"), today=TODAY)}
    found = forecasts_under(WORK, {}, subjects, {"I1": case("I1", change, few)}, change, today=TODAY)
    assert (found["I1"].state, found["I1"].indicative) == ("insufficient_history", True)


def test_a_slower_pace_leaves_the_history_as_long_as_it_is():
    ten = Facts(rows=(*(fact(["I1"], "done", 1, n) for n in range(1, 11)), fact(["I1"], count=5)), nodes=())
    change = Change(throughput={"Pay": Fraction(-1, 2)})
    subjects = {"I1": delivered(ten, scope_of(WORK, "I1"), today=TODAY)}
    found = forecasts_under(WORK, {}, subjects, {"I1": case("I1", change, ten)}, change, today=TODAY)
    assert (found["I1"].state, found["I1"].indicative) == ("ok", False)


def test_a_range_of_what_is_left_is_in_whole_items():
    ranged = replace(WORK, policies=Policies(forecast=ForecastPolicy(range=(20, 20, 20), runs=10)))
    assert ahead(Change(throughput={"Pay": Fraction(-1, 2)}), workspace=ranged)["I1"] == (20, 40)


def test_another_due_date_is_another_probability():
    change = Change(due={"I1": date(2026, 12, 20), "KR2": date(2026, 11, 25)})
    plan, made = plan_under(WORK, {}, change, today=TODAY)
    assert (plan.initiatives["I1"].due, plan.key_results["KR2"].end) == (date(2026, 12, 20), date(2026, 11, 25))
    subjects = {id_: delivered(FACTS, scope_of(WORK, id_), today=TODAY) for id_ in ("KR1", "KR2", "I1", "I2")}
    now = forecasts(WORK, subjects, today=TODAY)
    then = forecasts_under(plan, made, subjects, {}, change, today=TODAY)
    assert (now["I1"].probability, then["I1"].probability) == (0.0, 1.0)
    assert (now["KR2"].probability, then["KR2"].probability) == (1.0, 0.0)
    # I2 has no due date of its own: it takes the latest end of what it serves, which is still that of KR1.
    assert then["I2"].probability == 1.0


def test_what_shares_a_throughput_is_moved_as_a_whole():
    queue = replace(
        WORK,
        initiatives={"I1": I1, "I2": replace(I2, team="Pay")},
        policies=Policies(forecast=ForecastPolicy(features="cut_line", runs=10)),
    )
    # Together 2 a day: I1's 20 first (10 days), then I2's 10 (15 days).
    assert ahead(Change(drop=("I1",)), workspace=queue)["I2"] == (15, 5)
    found = ahead(Change(delay={"I1": 6}), workspace=queue)
    assert (found["I1"], found["KR1"]) == ((10, 16), (15, 21))


def test_what_is_over_and_frozen_stays():
    over = replace(WORK, timeframes={"2026-Q4": replace(Q4, end=date(2026, 11, 1))})
    change = Change(scope={"I1": Fraction(1)}, delay={"I1": 5}, throughput={"Pay": Fraction(-1, 2)})
    progress, flow = delivered(FACTS, scope_of(over, "KR1"), today=TODAY)
    found = case("KR1", change, workspace=over)
    assert (found.progress, found.flow.remaining, found.holds) == (progress, flow.remaining * found.flow.unit, ())


@given(
    st.fractions(min_value=-1, max_value=3, max_denominator=100),
    st.lists(st.tuples(st.sampled_from(["todo", "done", "in_progress", "canceled"]), st.integers(1, 9)), max_size=6),
)
def test_progress_stays_a_ratio_whatever_the_scope(part, rows):
    facts = Facts(rows=tuple(fact(["I1"], c, n, 1 if c == "done" else None) for c, n in rows), nodes=())
    found = case("I1", Change(scope={"I1": part}), facts)
    assert found.progress.value is None or 0 <= found.progress.value <= 1
    assert found.flow.remaining >= 0
    assert all(n >= 0 for n in found.progress.counts.values())
    open_left = found.progress.counts["todo"] + found.progress.counts["in_progress"]
    assert found.progress.value != 1 or open_left == 0
