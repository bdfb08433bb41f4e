"""A part of the work waits: exact where days are fixed, drawn futures agree with the convolution, never sooner."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Flow
from domain.rules import ForecastPolicy
from rollup.forecast import outlook
from rollup.holds import Hold, outlook_held

TODAY = date(2026, 11, 22)
PLAIN = ForecastPolicy()


def flow(daily, remaining, days=60):
    """A flow with the same completions every day, or those of a cycle."""
    cycle = daily if isinstance(daily, list) else [daily]
    done = {TODAY - timedelta(days=n): cycle[n % len(cycle)] for n in range(1, days + 1)}
    return Flow(done={day: n for day, n in done.items() if n}, remaining=remaining, first=TODAY - timedelta(days=days))


def ahead(whole, *holds, due=None, policy=PLAIN, progress=0.5):
    found = outlook_held(
        whole,
        [Hold(until=until, flow=part) for until, part in holds],
        progress=progress,
        start=date(2026, 1, 1),
        due=TODAY + timedelta(days=due) if due is not None else None,
        today=TODAY,
        policy=policy,
    )
    days = [(day - TODAY).days if day is not None else None for day in (found.p50, found.p85, found.p95)]
    return days, found.probability


def test_what_waits_as_a_whole_is_done_as_much_later():
    assert ahead(flow(2, 10)) == ([5, 5, 5], None)
    assert ahead(flow(2, 10), (14, flow(0, 0)), due=19) == ([19, 19, 19], 1.0)
    assert ahead(flow(2, 10), (14, flow(0, 0)), due=18) == ([19, 19, 19], 0.0)


def test_meanwhile_the_rest_goes_on_at_its_own_pace():
    # 20 left at 2 a day; for 4 days only 1 a day of the 12 that may go on: 16 left, 8 days more.
    assert ahead(flow(2, 20), (4, flow(1, 12)))[0] == [12, 12, 12]


def test_meanwhile_no_more_gets_done_than_there_is():
    # For 10 days 1 a day, but only 3 items may go on: 17 left, 9 days more.
    assert ahead(flow(2, 20), (10, flow(1, 3)))[0] == [19, 19, 19]


def test_several_wait_for_different_times():
    # Days 1-4 nothing, days 5-10 one a day of 8: 6 done; 14 left at 2 a day.
    assert ahead(flow(2, 20), (10, flow(1, 8)), (4, flow(0, 0)))[0] == [17, 17, 17]


def test_nothing_waits_where_nothing_is_left_of_it():
    assert ahead(flow(2, 10), (14, flow(2, 10))) == ahead(flow(2, 10))


def test_by_the_due_date_while_something_waits_it_is_never_done():
    assert ahead(flow(5, 4), (7, flow(1, 2)), due=7)[1] == 0.0
    assert ahead(flow(5, 4), (7, flow(1, 2)), due=8)[1] == 1.0
    assert ahead(flow(5, 4), (7, flow(1, 2)), due=-1)[1] == 0.0


def test_the_guards_hold_and_the_projection_is_moved():
    short = flow(1, 10, days=20)
    found = outlook_held(
        short, [Hold(until=7, flow=flow(0, 0))], progress=0.5, start=None, due=None, today=TODAY, policy=PLAIN
    )
    assert (found.indicative, found.probability, found.p50) == (True, None, TODAY + timedelta(days=17))
    assert ahead(short, progress=1.0) == ([None] * 3, None)
    assert ahead(flow(0, 5), (7, flow(0, 0)))[0] == [None] * 3


def test_beyond_the_longest_time_is_never():
    assert ahead(flow(1, 5), (700, flow(0, 0)), policy=ForecastPolicy(max_days=704))[0] == [None] * 3
    assert ahead(flow(1, 5), (700, flow(0, 0)), policy=ForecastPolicy(max_days=705))[0] == [705] * 3


def test_drawn_futures_agree_with_the_convolution():
    whole, rest = flow([0, 1, 3], 30), flow([0, 1], 12)
    exact, q = ahead(whole, (10, rest), due=30)
    drawn, share = ahead(whole, (10, rest), due=30, policy=ForecastPolicy(runs=10_000, range=(30, 30)))
    assert share == pytest.approx(q, abs=4 * 0.005)
    assert all(abs(a - b) <= 1 for a, b in zip(exact, drawn, strict=True))


def test_calendars_count_in_the_days_that_they_are_about():
    # Nobody works in November: eight days are lost, whether something waits then or not.
    bare = ForecastPolicy(calendar_factor={11: 0.0}, runs=10)
    assert ahead(flow(2, 10), policy=bare)[0] == [13] * 3
    assert ahead(flow(2, 10), (6, flow(0, 0)), policy=bare)[0] == [13] * 3
    assert ahead(flow(2, 10), (12, flow(0, 0)), policy=bare)[0] == [17] * 3


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 3), min_size=3, max_size=9).filter(any),
    st.integers(1, 25),
    st.integers(0, 25),
    st.integers(1, 40),
)
def test_waiting_never_makes_it_sooner(cycle, remaining, part, until):
    whole, rest = flow(cycle, remaining), flow([n // 2 for n in cycle], min(part, remaining))
    today = outlook(whole, progress=0.5, start=None, due=TODAY + timedelta(days=20), today=TODAY, policy=PLAIN)
    then, q = ahead(whole, (until, rest), due=20)
    if today.p85 is not None and then[1] is not None:
        assert then[1] >= (today.p85 - TODAY).days
    assert (q or 0.0) <= (today.probability or 0.0) + 1e-9
