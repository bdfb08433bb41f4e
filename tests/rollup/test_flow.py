"""How work flows: cycle times by nearest rank, ages, weeks, Little's law, and what is left out of each."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollup.flow import Passage, little, pace

TODAY = date(2026, 11, 22)
NONE = frozenset()


def went(took, done=3, count=1):
    """An item finished `done` days ago after `took` days."""
    end = TODAY - timedelta(days=done)
    return Passage(NONE, None, end - timedelta(days=took), end, count)


def under_way(age, count=1):
    return Passage(NONE, None, TODAY - timedelta(days=age), None, count)


def test_the_worked_example():
    found = pace([went(n) for n in (1, 2, 2, 3, 3, 4, 5, 6, 8, 13)], today=TODAY)
    assert (found.cycle_p50, found.cycle_p85, found.cycle_p95) == (3, 8, 13)
    assert little(12, 1.5) == 8


def test_what_is_under_way_for_too_long_needs_ten_completions():
    ten = [went(n) for n in (1, 2, 2, 3, 3, 4, 5, 6, 8, 13)]
    now = [under_way(8), under_way(9), under_way(30, count=2), Passage(NONE, None, None, None)]
    found = pace([*ten, *now], today=TODAY)
    assert (found.wip, found.ageing, found.oldest) == (5, 3, 30)
    assert found.ageing_share == pytest.approx(0.6)
    assert pace([*ten[:9], *now], today=TODAY).ageing == 0


def test_done_without_a_start_has_no_cycle_time():
    found = pace([Passage(NONE, None, None, TODAY, 2), went(4)], today=TODAY)
    assert (found.completed, found.skipped_start, found.cycle_p50) == (3, 2, 4)


def test_weeks_are_the_full_blocks_of_closed_days_before_today():
    done = [went(1, done=n) for n in (0, 1, 7, 8, 20)]
    found = pace(done, today=TODAY)  # known since 21 days ago: three full weeks
    assert found.weeks == (1, 1, 2)
    assert found.throughput == pytest.approx(4 / 21)
    assert pace([went(1, done=2)], today=TODAY).throughput is None


def test_completions_before_the_last_twelve_weeks_are_in_no_week():
    found = pace([went(1, done=84), went(1, done=85)], today=TODAY)
    assert found.weeks == (1, *[0] * 11)
    assert found.completed == 2


def test_little_tells_the_cycle_time_that_work_under_way_implies():
    found = pace([*(went(0, done=n) for n in range(1, 15)), under_way(14, count=7)], today=TODAY)
    assert found.throughput == 1
    assert found.little == 7
    assert pace([], today=TODAY).little is None


def test_reopened_work_is_told_apart():
    found = pace([went(2, count=3)], today=TODAY, reopened=1)
    assert (found.reopened, found.reopen_rate) == (1, 0.25)
    assert pace([], today=TODAY).reopen_rate is None


days = st.integers(min_value=0, max_value=200)


@given(st.lists(st.builds(went, days, days, st.integers(min_value=1, max_value=3))))
def test_no_order_and_no_folding_makes_a_difference(passages):
    apart = [one._replace(count=1) for one in passages for _ in range(one.count)]
    assert pace(passages, today=TODAY) == pace(reversed(apart), today=TODAY)
