"""Forecasts: the exact tests of semantics section 6, its guards and its fall-back."""

from datetime import UTC, date, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from domain.facts import Fact, Facts
from domain.okr import CheckIn, Metric
from domain.rules import ForecastPolicy, Policies
from rollup.forecast import (
    Flow,
    Forecast,
    finish,
    full_weeks,
    history,
    how_many,
    metric_outlook,
    outlook,
    percentile,
    project,
    trend,
    without_imports,
)
from rollup.leaves import frame
from rollup.progress import delivered

TODAY = date(2026, 11, 20)
POLICY = ForecastPolicy()
ZERO = ZoneInfo("UTC")


def test_a_steady_history_has_one_answer():
    assert finish([2] * 90, 10, until=5) == ((5, 5, 5), 1.0)
    assert finish([2] * 90, 10, until=4)[1] == 0.0


def test_nothing_or_two_a_day():
    assert finish([0, 2], 2, until=3) == ((1, 3, 5), 0.875)
    assert how_many([0, 2], 4, 0.85) == 2
    assert how_many([0, 2], 4, 0.68) == 4


def test_never_within_the_cap():
    assert finish([0], 1, max_days=30) == ((None, None, None), None)
    assert finish([0] * 99 + [1], 1, max_days=100)[0] == (69, None, None)


def test_convolution_agrees_with_all_paths():
    sample, remaining = (0, 1, 3), 5
    for days in range(1, 8):
        paths = list(product(sample, repeat=days))
        by_hand = sum(sum(path) >= remaining for path in paths) / len(paths)
        assert finish(sample, remaining, until=days)[1] == pytest.approx(by_hand, abs=1e-9)


def test_nearest_rank_percentiles():
    runs = range(1, 21)
    assert [percentile(runs, p) for p in (50, 85, 95)] == [10, 17, 19]
    assert [percentile([1, 2, 2, 3, 3, 4, 5, 6, 8, 13], p) for p in (85, 50, 95)] == [8, 3, 13]


def test_import_days_are_flagged():
    days = [2] * 19 + [40] + [0] * 5
    assert without_imports(days, "flag") == (days, ("import_artefact",))
    assert without_imports(days, "exclude") == ([2] * 19 + [0] * 5, ("import_artefact",))
    assert without_imports(days[1:], "exclude") == (days[1:], ())


def steady(days=40, a_day=1, remaining=10):
    done = {TODAY - timedelta(days=n): a_day for n in range(1, days + 1)}
    return Flow(done=done, remaining=remaining, first=TODAY - timedelta(days=days))


def look(found, progress=0.5, start=date(2026, 10, 1), due=date(2026, 12, 10)):
    return outlook(found, progress=progress, start=start, due=due, today=TODAY, policy=POLICY)


def test_dates_count_from_the_day_after_the_snapshot():
    found = look(steady())
    assert found == Forecast(
        p50=date(2026, 11, 30), p85=date(2026, 11, 30), p95=date(2026, 11, 30), probability=1.0, state="ok"
    )
    assert look(steady(), due=date(2026, 11, 29)).probability == 0.0
    assert look(steady(), due=None).probability is None
    assert look(steady(), due=date(2026, 11, 1)).probability == 0.0


@pytest.mark.parametrize("progress", [None, 1.0])
def test_nothing_to_forecast(progress):
    assert look(steady(), progress=progress) == Forecast()
    assert look(steady(remaining=0)) == Forecast()


def test_guards_leave_an_indication():
    indication = Forecast(p50=date(2026, 11, 30), p85=date(2026, 11, 30), indicative=True)
    assert look(steady(), progress=0.10) == indication
    assert look(steady(), start=date(2026, 11, 14)) == indication
    assert look(steady(), start=date(2026, 11, 13)).state == "ok"
    assert look(steady(days=29)) == indication
    assert look(steady(days=30)).state == "ok"
    few = Flow(done={TODAY - timedelta(days=3): 9}, remaining=10, first=TODAY - timedelta(days=60))
    found = look(few)
    assert (found.indicative, found.state, found.probability, found.p95, found.p85) == (
        True,
        "insufficient_history",
        None,
        None,
        None,
    )


def test_an_idle_window_has_no_finish_date():
    old = Flow(done={TODAY - timedelta(days=200): 50}, remaining=10, first=TODAY - timedelta(days=300))
    assert look(old) == Forecast(state="no_finish_date")


def test_history_leaves_the_snapshot_day_out_and_keeps_zero_days():
    found = Flow(done={TODAY: 7, TODAY - timedelta(days=2): 3}, remaining=1, first=TODAY - timedelta(days=3))
    assert history(found, TODAY, 90) == [0, 3, 0]
    assert history(found, TODAY, 2) == [3, 0]


def test_weeks_and_their_cone():
    assert project([2, 4, 6, 8], 30) == (35, 105, 27)
    assert full_weeks([9, *[1] * 7, *[2] * 7]) == [7, 14]
    assert len(full_weeks([1] * 200)) == 12
    assert project([0, 0], 5) == (None, None, None)


def fact(category, count=1, done=None, entered=None, links=("I1",)):
    return Fact(
        "jira",
        None,
        category,
        None,
        None,
        None,
        frozenset(links),
        frozenset(),
        False,
        done,
        entered,
        "",
        False,
        None,
        count,
    )


def test_flow_takes_what_was_done_before_the_start_and_no_canceled():
    rows = (
        fact("done", 2, date(2026, 9, 1), date(2026, 8, 1)),
        fact("done", 3, date(2026, 10, 5)),
        fact("canceled", 4, date(2026, 10, 5), date(2026, 1, 1)),
        fact("in_progress", 5, entered=date(2026, 10, 2)),
        fact("todo", 6, links=("I2",)),
    )
    terms = frame(Policies(), TODAY, start=date(2026, 10, 1), before_start_applies=True)
    _, found = delivered(Facts(rows, ()), {"I1": 1.0}, terms, None)
    assert found == Flow(done={date(2026, 9, 1): 2, date(2026, 10, 5): 3}, remaining=5, first=date(2026, 8, 1))


EXAMPLE = [(0, 10.0), (7, 14.0), (14, 17.0), (21, 22.0)]


def check_ins(points):
    origin = datetime(2026, 10, 1, 9, tzinfo=UTC)
    return [
        CheckIn(key_result="KR1", as_of=origin + timedelta(days=x), value=y, recorded_at=origin + timedelta(days=x))
        for x, y in points
    ]


def test_theil_sen():
    slope, intercept = trend(EXAMPLE)
    assert (round(slope, 4), round(intercept, 9)) == (0.5714, 10)
    found = metric_outlook(Metric(start=10, target=30), check_ins(EXAMPLE), zone=ZERO, value=0.6)
    assert found == Forecast(p50=date(2026, 10, 1) + timedelta(days=35), state="ok")


def test_metric_without_a_trend():
    def state(points, target=30.0, value=0.5):
        return metric_outlook(Metric(start=10, target=target), check_ins(points), zone=ZERO, value=value).state

    assert state(EXAMPLE[:3]) == "insufficient_history"
    assert state(EXAMPLE, value=1.0) == "insufficient_history"
    assert state([(x, -y) for x, y in EXAMPLE]) == "no_finish_date"
    assert state([(x, 12.0) for x, _ in EXAMPLE]) == "no_finish_date"
    assert state([(0, y) for _, y in EXAMPLE]) == "insufficient_history"


def test_a_trend_that_leaves_the_calendar_has_no_finish_date():
    points = [(x, 10.0 + x * 1e-9) for x in range(0, 28, 7)]
    found = metric_outlook(Metric(start=10, target=1e30), check_ins(points), zone=ZERO, value=0.5)
    assert found == Forecast(state="no_finish_date")
    steep = [(x, x * 5e-324) for x in range(0, 28, 7)]
    assert metric_outlook(Metric(start=0, target=1e300), check_ins(steep), zone=ZERO, value=0.5).p50 is None


def test_a_pace_that_leaves_the_calendar_is_no_date():
    few = Flow(done={TODAY - timedelta(days=3): 1}, remaining=10**7, first=TODAY - timedelta(days=60))
    assert look(few).p50 is None
