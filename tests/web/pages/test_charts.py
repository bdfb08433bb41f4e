"""Charts say in words what they show, keep to their place, and take anything for a name."""

import re
from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.web.charts import bars, series, svg

TODAY = date(2026, 11, 18)
RATIO = st.none() | st.floats(0, 1.5)
DAY = st.none() | st.dates(date(2025, 1, 1), date(2028, 1, 1))


def label(drawn):
    return ElementTree.fromstring(drawn).attrib["aria-label"]


def test_a_twin_bar_says_all_four_numbers():
    drawn = bars.twin(0.58, 0.648, 0.51, "on_track")
    assert label(drawn) == "Outcome 58 %, delivery 65 %, 51 % expected by today, target 100 %."
    assert 'width="58%"' in drawn
    assert 'width="64.8%"' in drawn
    assert 'x1="51%"' in drawn


def test_what_is_missing_is_said_and_not_drawn():
    drawn = bars.twin(None, 0.5, None, "unknown")
    assert label(drawn) == "Outcome not known yet, delivery 50 %, target 100 %."
    assert drawn.count("fill") == 1


def test_a_name_is_escaped():
    drawn = bars.allocation(0.4, 0.5, name='<b>"x"</b>')
    assert label(drawn) == '<b>"x"</b>: 40 % of the effort, 50 % wanted.'
    assert "<b>" not in drawn


def test_a_timeline_says_plan_and_forecast():
    drawn = bars.timeline(
        date(2026, 10, 1),
        date(2027, 1, 9),
        TODAY,
        start=date(2026, 10, 1),
        due=date(2026, 11, 20),
        p50=date(2026, 11, 30),
        p85=date(2026, 12, 10),
        health="at_risk",
        value=0.5,
    )
    assert label(drawn) == "planned 1 Oct to 20 Nov, even odds by 30 Nov and 85 % likely by 10 Dec."
    assert 'width="25%"' in drawn  # 50 of 100 days, half of them done


def test_a_burn_up_marks_what_moved_the_scope():
    closes = [
        series.Close(day=TODAY - timedelta(days=n), done=10 - n, scope=20 if n < 5 else 18) for n in range(9, -1, -1)
    ]
    closes[5] = series.Close(day=closes[5].day, done=5, scope=20, why="scope +2 (added)")
    drawn = series.burn_up(
        closes,
        today=TODAY,
        start=None,
        due=TODAY + timedelta(days=9),
        p50=None,
        p85=None,
        unit="items",
        label="Burn-up.",
    )
    assert label(drawn) == "Burn-up."
    assert "14 Nov: scope +2 (added)" in drawn
    assert drawn.count("scope-mark") == 1


@given(RATIO, RATIO, RATIO)
def test_bars_stay_in_their_place(outcome, delivery, expected):
    for drawn in (bars.twin(outcome, delivery, expected, "at_risk"), bars.progress(outcome, expected, "at_risk")):
        ElementTree.fromstring(drawn)
        assert all(0 <= float(one) <= 100 for one in re.findall(r'"([\d.-]+)%"', drawn))


@given(DAY, DAY, DAY, DAY, RATIO)
def test_timelines_stay_in_their_place(start, due, p50, p85, value):
    drawn = bars.timeline(
        TODAY, TODAY + timedelta(days=90), TODAY, start=start, due=due, p50=p50, p85=p85, health="unknown", value=value
    )
    ElementTree.fromstring(drawn)
    assert all(0 <= float(one) <= 100 for one in re.findall(r'x\d?="([\d.-]+)%"', drawn))


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=20), DAY, DAY, DAY)
def test_burn_ups_take_any_numbers(values, due, p50, p85):
    closes = [
        series.Close(day=TODAY - timedelta(days=len(values) - i), done=done, scope=scope)
        for i, (done, scope) in enumerate(values)
    ]
    drawn = series.burn_up(closes, today=TODAY, start=None, due=due, p50=p50, p85=p85, unit="items", label="x")
    ElementTree.fromstring(drawn)


@pytest.mark.parametrize("values", [[], [None], [0.5], [None, 0.5, None]])
def test_a_spark_of_too_little_is_empty(values):
    assert "polyline" not in series.spark(values, "on_track", label="nothing yet")
    assert "polyline" in series.spark([0.1, None, 0.4], "on_track", label="two")


def test_numbers_have_no_more_digits_than_can_be_seen():
    assert [svg.number(one) for one in (1.0, 0.3333, 12.50)] == ["1", "0.33", "12.5"]
