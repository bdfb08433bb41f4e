"""Drawn futures: they agree with the exact distribution, and hold what it cannot."""

from datetime import date
from hashlib import sha256
from math import sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Flow
from domain.rules import ForecastPolicy
from rollup.forecast import NO_FORECAST, finish, outlook, seed_of, simulated
from rollup.simulation import Futures, amounts, futures, generator, last_of

TODAY = date(2026, 11, 20)
PLAIN = ForecastPolicy()


def draw(sample, remaining, policy=PLAIN, seed=7):
    rng = generator(seed)
    needed = amounts(remaining, policy, rng)
    (found,) = futures(sample, [needed], rng=rng, max_days=policy.max_days, today=TODAY, policy=policy)
    return found


def days_of(found):
    return tuple(found.by(p) for p in (50, 85, 95))


def test_a_steady_history_has_one_answer():
    found = draw([2] * 90, 10)
    assert days_of(found) == (5, 5, 5)
    assert (found.share_by(4), found.share_by(5), found.share_by(0)) == (0.0, 1.0, 0.0)


def test_nothing_is_done_by_idle_days_however_long():
    found = draw([0], 1, ForecastPolicy(max_days=100))
    assert days_of(found) == (None, None, None)
    assert found.share_by(1000) == 0.0


def test_percentiles_are_nearest_rank():
    found = Futures(np.arange(20, 0, -1), 30)
    assert (found.by(50), found.by(85), found.by(95)) == (10, 17, 19)
    assert Futures(np.array([1, 31]), 30).by(50) == 1
    assert Futures(np.array([1, 31]), 30).by(51) is None


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    st.lists(st.integers(0, 6), min_size=5, max_size=90).filter(any),
    st.integers(1, 60),
    st.integers(1, 120),
    st.integers(0, 2**64 - 1),
)
def test_it_agrees_with_the_convolution(sample, remaining, until, seed):
    runs = 4000
    _, exact = finish(sample, remaining, until=until)
    found = draw(sample, remaining, ForecastPolicy(runs=runs), seed).share_by(until)
    assert abs(found - exact) <= 4 * sqrt(max(exact * (1 - exact), 1 / runs) / runs)


def test_the_seed_is_the_one_that_is_written_out():
    text = b"acme\nkey_result\nKR1\n2026-11-20"
    assert seed_of("acme", "key_result", "KR1", TODAY) == int.from_bytes(sha256(text).digest()[:8], "big")


def look(policy, seed=1, remaining=30):
    done = {date.fromordinal(TODAY.toordinal() - n): n % 3 for n in range(1, 61)}
    flow = Flow(done=done, remaining=remaining, first=date(2026, 9, 1))
    return outlook(
        flow, progress=0.5, start=date(2026, 10, 1), due=date(2026, 12, 24), today=TODAY, policy=policy, seed=seed
    )


def test_the_same_seed_gives_the_same_and_another_one_nearly_the_same():
    policy = ForecastPolicy(growth="uniform")
    assert look(policy) == look(policy)
    assert look(policy) != look(policy, seed=2)
    assert abs(look(policy).probability - look(policy, seed=2).probability) < 0.1
    assert look(PLAIN) == look(PLAIN, seed=2)


def test_growth_takes_longer():
    assert look(ForecastPolicy(growth="uniform")).p50 > look(PLAIN).p50
    grown = amounts(100, ForecastPolicy(growth="uniform", runs=10_000), generator(1))
    assert 100 <= grown.min() < 101
    assert 129 < grown.max() <= 130
    assert grown.mean() == pytest.approx(115, abs=0.5)


def test_a_slow_month_delays_and_an_idle_one_lets_nothing_be_done():
    half = ForecastPolicy(calendar_factor={12: 0.5})
    assert days_of(draw([2], 30, half)) == (20, 20, 20)  # ten days of 2 in November, then 1 a day
    idle = ForecastPolicy(calendar_factor={12: 0.0})
    assert days_of(draw([2], 21, idle)) == (42, 42, 42)  # 20 by 30 November, the rest on 1 January
    assert look(half).p50 > look(PLAIN).p50


def test_thirds_of_days_add_up_to_whole_ones():
    third = ForecastPolicy(calendar_factor=dict.fromkeys(range(1, 13), 0.1))
    assert days_of(draw([1], 3, third)) == (30, 30, 30)


def test_a_range_takes_the_place_of_what_is_counted():
    assert amounts(5, ForecastPolicy(range=(20, 30, 52)), generator(1)).tolist() == [32.0] * 1000
    drawn = amounts(5, ForecastPolicy(range=(20, 30), runs=10_000), generator(1))
    assert drawn.min() >= 20
    assert drawn.max() <= 30
    assert drawn.mean() == pytest.approx(25, abs=0.2)
    assert days_of(draw([1], 5, ForecastPolicy(range=(20, 30, 52)))) == (32, 32, 32)


def test_guards_hold_for_what_is_simulated_too():
    policy = ForecastPolicy(growth="uniform")
    assert look(policy, remaining=0) == NO_FORECAST


def test_runs_and_cap_are_the_policy_s():
    found, q = simulated([0, 1], 1, today=TODAY, until=2, policy=ForecastPolicy(range=(1, 1, 1), runs=10), seed=3)
    assert q * 10 == int(q * 10)
    assert found[0] in (1, 2)
    assert simulated(
        [1], 50, today=TODAY, until=60, policy=ForecastPolicy(range=(50, 50, 50), max_days=40), seed=3
    ) == ((None, None, None), 0.0)


def test_all_are_done_when_the_last_is_run_by_run():
    one, two = Futures(np.array([1, 9, 5]), 30), Futures(np.array([2, 3, 31]), 30)
    assert last_of([one, two]).days.tolist() == [2, 9, 31]


def test_long_futures_are_drawn_in_steps_without_a_seam():
    found = draw([0, 0, 1], 100, ForecastPolicy(max_days=2000))
    _, exact = finish([0, 0, 1], 100, max_days=2000, until=300)
    assert found.share_by(300) == pytest.approx(exact, abs=4 * 0.016)
