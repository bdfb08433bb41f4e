"""Scores of metrics and weighted means: the worked examples of semantics sections 2 and 3."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from domain.okr import CheckIn, Metric, Milestone
from rollup.score import Child, current, grade, mean, score, start_value

BERLIN = ZoneInfo("Europe/Berlin")


def number(start, target, at, direction=None):
    return score(Metric(start=start, target=target, direction=direction), current=at)


@pytest.mark.parametrize(
    ("start", "target", "at", "raw", "value"),
    [
        (50, 80, 62, 0.40, 0.40),
        (400, 250, 320, 0.5333, 0.5333),
        (50, 80, 95, 1.5, 1.0),
        (400, 250, 410, -0.0667, 0.0),
    ],
)
def test_number(start, target, at, raw, value):
    found = number(start, target, at)
    assert (round(found.raw, 4), round(found.value, 4), found.state) == (raw, value, "ok")


def test_at_most():
    assert score(Metric(kind="at_most", target=200), current=250).value == 0
    assert score(Metric(kind="at_most", target=200, partial=True), current=250).value == 0.80
    assert score(Metric(kind="at_most", target=200), current=200).value == 1
    assert score(Metric(kind="at_most", target=200, partial=True), current=-5).value == 1


def test_at_least():
    assert score(Metric(kind="at_least", target=200), current=150).value == 0
    assert score(Metric(kind="at_least", target=200, partial=True), current=150).value == 0.75
    assert score(Metric(kind="at_least", target=200, partial=True), current=0).value == 0
    assert score(Metric(kind="at_least", target=200), current=200).value == 1


def test_maintain():
    inside = Metric(kind="maintain", lo=40, hi=60)
    assert [score(inside, current=v).value for v in (39.9, 40, 60, 60.1)] == [0, 1, 1, 0]
    soft = Metric(kind="maintain", lo=40, hi=60, partial=True, tolerance=10)
    assert [score(soft, current=v).value for v in (63, 35, 71)] == [pytest.approx(0.70), 0.5, 0]
    assert score(Metric(kind="maintain", lo=40, hi=60, tolerance=10), current=63).value == 0


def test_binary():
    assert [score(Metric(kind="binary"), current=v).value for v in (0, 1)] == [0, 1]


def test_milestones():
    day = date(2026, 10, 5)
    six = Metric(
        kind="milestones", milestones=tuple(Milestone(title=str(n), done=day if n < 3 else None) for n in range(6))
    )
    assert score(six, current=None).value == 0.50
    four = Metric(
        kind="milestones",
        milestones=tuple(Milestone(title=str(n), weight=n, done=day if n < 3 else None) for n in (1, 2, 3, 4)),
    )
    assert score(four, current=None).value == pytest.approx(0.30)
    assert score(four, current=None, today=date(2026, 10, 4)).value == 0
    assert score(Metric(kind="milestones"), current=None).state == "no_scope"


def test_target_equal_to_start():
    met, unmet = number(5, 5, 5), number(5, 5, 4)
    assert (met.value, met.flags, unmet.value) == (1, ("degenerate",), 0)
    assert [number(5, 5, v, "decrease").value for v in (4, 6)] == [1, 0]
    assert number(0.1 + 0.2, 0.3, 0.3000001).flags == ("degenerate",)


def test_direction_against_the_sign():
    assert (number(5, 9, 6, "decrease").value, number(5, 9, 6, "decrease").state) == (None, "invalid")
    assert number(5, 9, 6, "increase").value == 0.25


def test_missing_values():
    assert score(Metric(start=1, target=2), current=None).state == "no_data"
    assert score(Metric(target=2), current=1.5).state == "no_baseline"
    assert score(Metric(target=2), current=1.5, start=1).value == 0.5
    assert score(Metric(start=1, target=2), current=float("nan")).state == "no_data"


def check_in(value, day, hour=12, recorded=0):
    as_of = datetime(2026, 10, day, hour, tzinfo=UTC)
    return CheckIn(key_result="KR1", as_of=as_of, value=value, recorded_at=as_of + timedelta(minutes=recorded))


def test_current_is_the_latest_up_to_the_moment():
    rows = [check_in(3, 9), check_in(1, 3), check_in(2, 5), check_in(2.5, 5, recorded=9)]
    assert current(rows, datetime(2026, 10, 8, tzinfo=UTC)).value == 2.5
    assert current(rows, datetime(2026, 10, 9, 12, tzinfo=UTC)).value == 3
    assert current(rows, datetime(2026, 10, 1, tzinfo=UTC)) is None
    assert current([check_in(float("inf"), 7), check_in(2, 5)], datetime(2026, 10, 8, tzinfo=UTC)).value == 2


def test_start_is_the_last_value_up_to_the_first_day():
    at = datetime(2026, 10, 20, tzinfo=UTC)
    rows = [check_in(1, 1), check_in(2, 4, hour=21), check_in(3, 4, hour=23), check_in(4, 9)]
    metric = Metric(target=9)
    assert start_value(metric, rows, date(2026, 10, 4), at, BERLIN) == 2
    assert start_value(metric, rows[2:], date(2026, 10, 4), at, BERLIN) == 3
    assert start_value(metric, [], date(2026, 10, 4), at, BERLIN) is None
    assert start_value(Metric(start=7, target=9), rows, date(2026, 10, 4), at, BERLIN) == 7


def test_grades_are_half_open():
    assert [grade(v, "aspirational") for v in (0.2999, 0.3, 0.35, 0.6999, 0.7, 1)] == [
        "red",
        "amber",
        "amber",
        "amber",
        "green",
        "green",
    ]
    assert [grade(v, "committed") for v in (0.6999, 0.7, 0.99, 1)] == ["red", "amber", "amber", "green"]


def test_weighted_mean():
    parts = [Child(weight=30, value=0.84), Child(weight=30, value=0.80), Child(weight=40, value=0.90)]
    assert mean(parts).value == pytest.approx(0.852, abs=1e-12)


def test_weighted_mean_with_missing_values():
    found = mean([Child(weight=2, value=0.5), Child(value=0.8), Child(value=0.2), Child()])
    assert (found.value, found.coverage, found.state) == (0.50, 0.80, "ok")


def test_mean_leaves_paused_and_canceled_out_of_value_and_coverage():
    found = mean([Child(value=0.5), Child(value=0.9, live=False)])
    assert (found.value, found.coverage) == (0.5, 1.0)


def test_stale_values_count_but_do_not_cover():
    found = mean([Child(value=0.4), Child(value=0.8, fresh=False)])
    assert (found.value, found.coverage) == (pytest.approx(0.6), 0.5)


def test_no_weight_is_no_data():
    assert mean([]).state == "no_data"
    assert mean([Child(weight=0, value=1.0)]).value is None
    assert mean([Child(weight=0, value=1.0), Child(value=0.25)]).value == 0.25
