"""Scopes: shares, dates and policies of key results and initiatives, and the basis that is shown."""

from dataclasses import replace
from datetime import date

import pytest

from domain.facts import Fact, Facts
from domain.okr import Contribution, Initiative, KeyResult, Objective, Status, Timeframe
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.scope import due_of, inspect, measure, period, scope_of

TODAY = date(2026, 11, 20)
Q4 = Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))
KR1 = KeyResult(id="KR1", objective="O1", title="One")
KR2 = KeyResult(id="KR2", objective="O1", title="Two", start=date(2026, 11, 1), end=date(2027, 1, 31))
I1 = Initiative(
    id="I1",
    title="First",
    contributes=(Contribution(to="KR1", share=0.4), Contribution(to="KR2"), Contribution(to="KR1", share=0.6)),
    policies={"size": "points"},
)
I2 = Initiative(id="I2", title="Second", contributes=(Contribution(to="KR1"),), due=date(2026, 11, 30))


def workspace(*initiatives, policies=None):
    return Workspace(
        name="acme",
        timezone="UTC",
        timeframes={"Q4": Q4},
        objectives={"O1": Objective(id="O1", title="Grow", timeframe="Q4", policies={"canceled": "as_open"})},
        key_results={"KR1": KR1, "KR2": KR2},
        initiatives={i.id: i for i in initiatives or (I1, I2)},
        policies=policies or Policies(),
    )


def test_a_key_result_covers_its_initiatives():
    scope = scope_of(workspace(), "KR1")
    assert list(scope.shares.items()) == [("I1", 0.6), ("I2", 1.0)]
    assert (scope.start, scope.end, scope.due, scope.before_start_applies) == (Q4.start, Q4.end, Q4.end, True)
    assert (scope.policies.canceled, scope.policies.size) == ("as_open", "count")


def test_an_initiative_covers_itself_and_keeps_moving():
    scope = scope_of(workspace(), "I1")
    assert (scope.shares, scope.end, scope.due, scope.before_start_applies) == ({"I1": 1.0}, None, KR2.end, False)
    assert (scope.policies.canceled, scope.policies.size) == ("exclude", "points")
    assert due_of(workspace(), I2) == date(2026, 11, 30)
    with pytest.raises(KeyError):
        scope_of(workspace(), "O1")


def test_initiatives_of_rules_come_after_those_of_the_file():
    extra = {"x": Initiative(id="x", title="Rule", contributes=(Contribution(to="KR1", share=0.1),)), "I2": I1}
    assert scope_of(workspace(), "KR1", extra).shares == {"I1": 0.6, "I2": 1.0, "x": 0.1}


def test_a_canceled_initiative_takes_its_items_along():
    assert scope_of(workspace(I1, replace(I2, status=Status.CANCELED)), "KR1").shares == {"I1": 0.6}


def test_a_close_ends_the_period_on_that_day():
    closed = replace(KR1, status=Status.CLOSED, closed_on=date(2026, 11, 5))
    assert period(workspace(), closed) == (Q4.start, date(2026, 11, 5))
    assert period(workspace(), replace(closed, closed_on=date(2027, 5, 5))) == (Q4.start, Q4.end)
    assert period(workspace(), KR2) == (KR2.start, KR2.end)


def row(category, entered, count=1, done=None):
    linked = frozenset({"I1"})
    return Fact(
        "jira", None, category, None, None, None, linked, frozenset(), False, done, entered, "", False, None, count
    )


def test_the_shown_basis():
    before, after = Q4.start, date(2026, 10, 9)
    rows = (
        row("done", before, 5, done=after),
        row("todo", before, 5),
        row("done", after, 1, after),
        row("todo", after, 3),
    )
    facts = Facts(rows, ())
    current = measure(facts, scope_of(workspace(), "KR1"), today=TODAY, late_baseline=True)
    assert (round(current.value, 4), current.baseline_progress) == (0.4286, 0.5)
    assert current.flags == ("late_baseline",)
    scope = scope_of(workspace(policies=Policies(scope_basis="baseline")), "KR1")
    shown = measure(facts, scope, today=TODAY)
    assert (shown.value, shown.flags) == (0.5, ("baseline_scope",))
    reasons = [e.reason for e in inspect(facts, scope, today=TODAY).entries]
    assert reasons == [None, None, "added_after_baseline", "added_after_baseline"]
