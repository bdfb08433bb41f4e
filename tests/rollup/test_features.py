"""Several initiatives that share a team's throughput: one after the other, or side by side."""

from datetime import date, timedelta

import pytest

from domain.facts import Flow, Progress
from domain.okr import Contribution, Initiative, KeyResult, Objective, Status, Timeframe
from domain.rules import ForecastPolicy, Policies
from domain.workspace import Workspace
from rollup.features import forecasts, pooled, tied

TODAY = date(2026, 11, 20)
START = date(2026, 10, 1)


def initiative(id, *, team="Payments", weeks=None, to="KR1", status=Status.ACTIVE, policies=None):
    return Initiative(
        id=id,
        title=id,
        team=team,
        planned_weeks=weeks,
        status=status,
        start=START,
        due=date(2026, 12, 10),
        contributes=(Contribution(to=to),),
        policies=policies or {},
    )


def workspace(features, *initiatives, **forecast):
    return Workspace(
        name="acme",
        timezone="UTC",
        timeframes={"Q4": Timeframe(id="Q4", start=START, end=date(2026, 12, 31))},
        objectives={"O1": Objective(id="O1", title="O1", timeframe="Q4")},
        key_results={id: KeyResult(id=id, objective="O1", title=id) for id in ("KR1", "KR2")},
        initiatives={one.id: one for one in initiatives},
        policies=Policies(forecast=ForecastPolicy(features=features, **forecast)),
    )


def flow(remaining, a_day=1, days=40):
    done = {TODAY - timedelta(days=n): a_day for n in range(1, days + 1)} if a_day else {}
    return Flow(done=done, remaining=remaining, first=TODAY - timedelta(days=days))


def half(*flows):
    return Progress(value=0.5), pooled(flows)


def days(found, id):
    return (found[id].p50 - TODAY).days


A, B = initiative("A"), initiative("B")
TWO = {"A": half(flow(10)), "B": half(flow(20)), "KR1": half(flow(10), flow(20))}


def test_each_has_its_own_throughput_where_nothing_is_said():
    found = forecasts(workspace(None, A, B), TWO, today=TODAY)
    assert [days(found, id) for id in TWO] == [10, 20, 15]


def test_below_the_cut_line_comes_after_all_above_it():
    found = forecasts(workspace("cut_line", A, B), TWO, today=TODAY)
    assert [days(found, id) for id in TWO] == [5, 15, 15]  # 2 a day: 10 of A, then 20 of B
    assert found["A"].probability == 1.0


def test_side_by_side_each_has_a_fixed_share():
    found = forecasts(workspace("parallel", A, B), TWO, today=TODAY)
    assert [days(found, id) for id in TWO] == [10, 20, 20]  # 1 a day each, and the key result waits for B
    weighted = workspace("parallel", initiative("A", weeks=1), initiative("B", weeks=3))
    assert [days(forecasts(weighted, TWO, today=TODAY), id) for id in TWO] == [20, 14, 20]
    half_known = workspace("parallel", initiative("A", weeks=1), B)
    assert [days(forecasts(half_known, TWO, today=TODAY), id) for id in TWO] == [10, 20, 20]


def test_what_is_over_still_says_how_fast_the_team_is_and_waits_for_nothing():
    subjects = {**TWO, "C": (Progress(value=1.0), flow(0, a_day=2))}
    found = forecasts(workspace("cut_line", initiative("C"), A, B), subjects, today=TODAY)
    assert [days(found, id) for id in TWO] == [3, 8, 8]  # 4 a day: 10, then 30 items
    assert found["C"].p50 is None


def test_what_is_paused_takes_no_place():
    found = forecasts(workspace("cut_line", initiative("A", status=Status.PAUSED), B), TWO, today=TODAY)
    assert days(found, "B") == 10
    assert days(found, "A") == 10  # its own 1 a day
    assert days(found, "KR1") == 15  # not all of its work is in a queue: its own history tells


def test_without_a_team_or_in_another_nothing_is_shared():
    alone = workspace("cut_line", initiative("A", team=None), B)
    assert [days(forecasts(alone, TWO, today=TODAY), id) for id in TWO] == [10, 20, 15]
    apart = workspace("cut_line", A, initiative("B", team="Checkout"))
    assert [days(forecasts(apart, TWO, today=TODAY), id) for id in TWO] == [10, 20, 20]


def test_guards_look_at_the_subject_s_progress_and_the_team_s_history():
    subjects = {**TWO, "B": (Progress(value=0.0), flow(20, a_day=0))}
    found = forecasts(workspace("cut_line", A, B), subjects, today=TODAY)
    assert (found["B"].indicative, found["B"].state, days(found, "B")) == (True, "insufficient_history", 30)
    started = {**TWO, "B": (Progress(value=0.2), flow(20, a_day=0))}
    found = forecasts(workspace("cut_line", A, B), started, today=TODAY)
    assert (found["B"].state, days(found, "B")) == ("ok", 30)


def test_growth_of_what_comes_first_delays_what_comes_after():
    plain = forecasts(workspace("cut_line", A, B), TWO, today=TODAY)
    grown = initiative("A", policies={"forecast": {"growth": "uniform"}})
    found = forecasts(workspace("cut_line", grown, B), TWO, today=TODAY)
    assert found["A"].p95 > plain["A"].p95
    assert found["B"].p95 > plain["B"].p95


def test_some_alone_are_the_same_as_all():
    world = workspace("cut_line", A, B, growth="uniform")
    whole = forecasts(world, TWO, today=TODAY)
    for id in TWO:
        assert forecasts(world, TWO, today=TODAY, only={id}) == {id: whole[id]}


@pytest.mark.parametrize(("features", "reached"), [(None, {"A"}), ("parallel", {"A", "B", "KR1"})])
def test_who_shares_a_throughput_is_forecast_anew_with_the_other(features, reached):
    assert tied(workspace(features, A, B), TWO, {}, {"A"}) == reached
    assert tied(workspace(features, A, initiative("B", team="Checkout", to="KR2")), TWO, {}, {"B"}) == ({"B"})
