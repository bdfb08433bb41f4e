"""Health: order of the rules, bands, hysteresis, roll-up; semantics sections 3 and 5."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.okr import Health, Override, Status
from domain.rules import HealthPolicy, Policies
from rollup.bands import decisive, fold, raw_band
from rollup.health import Case, Close, enough, judge, valid_override
from rollup.worst import Part, weighted_worst

ZERO = ZoneInfo("UTC")
NOW = datetime(2026, 2, 15, tzinfo=UTC)
START, END = date(2026, 1, 1), date(2026, 3, 31)
GAP = HealthPolicy()
RATIO = Policies(health=replace(GAP, bands="ratio", on_track=0.90, at_risk=0.75))


def case(progress=0.5, **over):
    return Case(**{"id": "KR1", "progress": progress, "start": START, "end": END, **over})


def verdict(progress=0.5, policies=None, now=NOW, overrides=(), **over):
    return judge(case(progress, **over), now=now, zone=ZERO, policies=policies or Policies(), overrides=overrides)


def health(*args, **kw):
    return verdict(*args, **kw).health


def test_the_same_numbers_under_both_kinds_of_bands():
    by_gap, by_ratio = verdict(0.35), verdict(0.35, RATIO)
    assert (by_gap.health, by_gap.gap, by_gap.expected) == (Health.ON_TRACK, 0.15, 0.5)
    assert (by_ratio.health, by_ratio.pace) == (Health.OFF_TRACK, 0.7)
    assert by_gap.reasons == ("15 points behind the expected 50 %.",)


@pytest.mark.parametrize(
    ("progress", "band"),
    [(0.335, "on_track"), (0.3349, "at_risk"), (0.17, "at_risk"), (0.1699, "off_track"), (0.9, "on_track")],
)
def test_gap_bands_are_closed_at_the_upper_end(progress, band):
    assert health(progress) == band


@pytest.mark.parametrize(
    ("pace", "band"), [(0.90, "on_track"), (0.899, "at_risk"), (0.75, "at_risk"), (0.749, "off_track")]
)
def test_ratio_bands(pace, band):
    assert health(pace * 0.5, RATIO) == band


def test_too_early_to_judge():
    early = datetime(2026, 1, 9, 23, tzinfo=UTC)
    found = verdict(0.0, RATIO, now=early)
    assert (found.health, found.flags, found.pace) == (Health.ON_TRACK, ("too_early",), None)
    assert verdict(0.0, RATIO, now=datetime(2026, 1, 10, tzinfo=UTC)).health is Health.OFF_TRACK


def test_the_first_rule_that_applies_wins():
    after = datetime(2026, 4, 1, tzinfo=UTC)
    before = datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert health(1.0, status=Status.CANCELED) is Health.CANCELED
    assert health(None, status=Status.PAUSED) is Health.PAUSED
    assert health(None, now=before) is Health.NOT_STARTED
    assert health(1.0, now=before) is Health.NOT_STARTED
    assert health(None, now=after) is Health.UNKNOWN
    assert health(1.0) is Health.ACHIEVED
    assert health(1.0, now=after) is Health.ACHIEVED
    assert health(0.99, now=after) is Health.MISSED
    assert health(0.99, status=Status.CLOSED) is Health.MISSED
    assert health(1.0, status=Status.CLOSED) is Health.ACHIEVED
    assert health(0.7, commitment="aspirational") is Health.ACHIEVED
    assert health(0.7) is Health.ON_TRACK
    assert verdict(None, state="no_scope").reasons == ("Nothing in scope.",)


def test_the_last_day_still_belongs_to_the_period():
    assert health(0.99, now=datetime(2026, 3, 31, 23, 59, tzinfo=UTC)) is Health.ON_TRACK
    assert verdict(0.99, now=datetime(2026, 4, 1, tzinfo=UTC)).reasons == (
        "Ended on 31 Mar 2026 at 99 %, achieved from 100 %.",
    )


def test_missing_dates():
    assert health(0.2, end=None) is Health.UNKNOWN
    assert health(0.2, end=None, q=0.9) is Health.UNKNOWN
    assert health(0.2, start=None) is Health.UNKNOWN
    assert health(0.2, start=None, q=0.9) is Health.ON_TRACK
    assert health(1.0, start=None, end=None) is Health.ACHIEVED


@pytest.mark.parametrize(
    ("q", "band"), [(0.85, "on_track"), (0.8499, "at_risk"), (0.5, "at_risk"), (0.49, "off_track")]
)
def test_probability_comes_before_pace(q, band):
    assert health(0.0, q=q) == band
    assert health(0.5, q=q, kind="number") is Health.ON_TRACK


@pytest.mark.parametrize("kind", ["at_least", "at_most", "maintain"])
def test_thresholds_are_judged_at_the_end(kind):
    after = datetime(2026, 4, 1, tzinfo=UTC)
    assert [health(p, kind=kind) for p in (1.0, 0.99)] == [Health.ON_TRACK, Health.AT_RISK]
    assert health(0.9, kind=kind, commitment="aspirational") is Health.AT_RISK
    assert [health(p, kind=kind, now=after) for p in (1.0, 0.99)] == [Health.ACHIEVED, Health.MISSED]


def override(until, word=Health.OFF_TRACK, at=NOW):
    return Override(subject="KR1", health=word, until=until, by="maria", reason="The vendor left", at=at)


def test_an_override_wins_until_its_day_is_over():
    found = verdict(0.5, overrides=[override(NOW.date())])
    assert (found.health, found.computed) == (Health.OFF_TRACK, Health.ON_TRACK)
    assert found.reasons[:2] == ("maria says off track until 15 Feb 2026: The vendor left.", "Computed: on track.")
    assert health(0.5, overrides=[override(NOW.date() - timedelta(days=1))]) is Health.ON_TRACK
    assert health(0.5, status=Status.PAUSED, overrides=[override(END)]) is Health.OFF_TRACK
    assert health(0.5, overrides=[replace(override(END), subject="KR2")]) is Health.ON_TRACK


def test_of_several_overrides_the_latest_holds_until_it_is_taken_back():
    first = override(END, at=NOW - timedelta(hours=2))
    latest = override(NOW.date(), Health.AT_RISK, at=NOW - timedelta(hours=1))
    both = [latest, first]
    assert health(0.5, overrides=both) is Health.AT_RISK
    assert valid_override(both, "KR1", NOW - timedelta(minutes=90), ZERO) == first
    assert valid_override(both, "KR1", NOW - timedelta(hours=3), ZERO) is None
    assert valid_override(both, "KR1", NOW + timedelta(days=1), ZERO) is None
    taken_back = [replace(latest, cleared_at=NOW), first]
    assert health(0.5, overrides=taken_back) is Health.ON_TRACK
    assert valid_override(taken_back, "KR1", NOW - timedelta(seconds=1), ZERO) == taken_back[0]


@pytest.mark.parametrize(
    ("gaps", "band"),
    [
        ([0.10, 0.17], "on_track"),
        ([0.10, 0.17, 0.171], "at_risk"),
        ([0.10, 0.20], "at_risk"),
        ([0.10, 0.195], "at_risk"),
        ([0.10, 0.1949], "on_track"),
        ([0.10, 0.34], "at_risk"),
        ([0.10, 0.34, 0.34], "off_track"),
        ([0.16, 0.17] * 10, "on_track"),
        ([0.17], "at_risk"),
        ([0.17, 0.16], "at_risk"),
        ([0.17, 0.16, 0.165], "on_track"),
        ([0.17, 0.135], "on_track"),
        ([0.50, 0.10], "on_track"),
        ([0.50, 0.31], "off_track"),
        ([0.50, 0.30], "at_risk"),
        ([0.50, 0.31, 0.31], "at_risk"),
    ],
)
def test_hysteresis(gaps, band):
    assert fold(gaps, GAP) == band


def test_hysteresis_of_probability_and_pace():
    assert fold([0.9, 0.84], GAP, by="q") is Health.ON_TRACK
    assert fold([0.9, 0.82], GAP, by="q") is Health.AT_RISK
    assert fold([0.9, 0.84, 0.84], GAP, by="q") is Health.AT_RISK
    assert fold([0.95, 0.88], RATIO.health, by="pace") is Health.ON_TRACK
    assert fold([0.95, 0.87], RATIO.health, by="pace") is Health.AT_RISK


def test_stated_thresholds_hold_for_both_kinds_of_bands():
    assert raw_band(0.2, replace(GAP, on_track=0.2)) is Health.ON_TRACK
    assert raw_band(0.8, replace(RATIO.health, on_track=0.8), by="pace") is Health.ON_TRACK


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=30))
def test_hysteresis_never_strays_from_the_last_two_values(gaps):
    band = fold(gaps, GAP)
    near = {raw_band(g, GAP) for g in gaps[-2:]}
    if len(near) == 1 and len(gaps) > 1:
        assert band in near
    assert fold([gaps[-1]], GAP) is raw_band(gaps[-1], GAP)


@given(
    st.lists(st.integers(100, 400).map(lambda n: n / 1000), max_size=30),
    st.lists(st.integers(100, 400).map(lambda n: n / 1000), min_size=1, max_size=3),
)
def test_the_latest_values_that_decide_stand_for_all(before, after):
    suffix = decisive(reversed(before), GAP)
    assert suffix == before[len(before) - len(suffix) :]
    assert fold([*suffix, *after], GAP) is fold([*before, *after], GAP)


def test_no_more_is_read_of_the_past_than_decides():
    def past():
        yield from (0.171, 0.2, 0.1)
        pytest.fail("read on")

    assert decisive(past(), GAP) == [0.2, 0.171]


def closes(*values):
    """Return closes up to yesterday, newest first, of values oldest first."""
    return [Close(day=NOW.date() - timedelta(days=n), progress=v) for n, v in enumerate(reversed(values), start=1)]


def test_health_folds_the_closes_of_the_period():
    steady = closes(0.45, 0.45, 0.45)
    assert health(0.33) is Health.AT_RISK
    held = verdict(0.33, closes=steady)
    assert held.health is Health.ON_TRACK
    assert held.reasons[1] == "Held at on track until the next close confirms at risk."
    assert health(0.33, closes=[replace(steady[0], progress=0.32), *steady[1:]]) is Health.AT_RISK
    assert health(0.33, closes=[replace(steady[0], progress=None), *steady[1:]]) is Health.ON_TRACK
    restarted = [replace(c, q=0.95) for c in steady]
    assert health(0.33, closes=restarted) is Health.AT_RISK
    assert health(0.33, closes=restarted, q=0.84) is Health.ON_TRACK
    assert health(0.33, closes=steady, q=0.84) is Health.AT_RISK
    before = [Close(day=START - timedelta(days=9), progress=0.9)]
    assert health(0.33, closes=before) is Health.AT_RISK
    assert health(0.33, closes=[replace(before[0], q=0.95)], q=0.84) is Health.AT_RISK


DAYS = st.lists(
    st.tuples(st.integers(0, 100), st.none() | st.integers(40, 100)).map(
        lambda both: (both[0] / 100, both[1] / 100 if both[1] is not None else None)
    ),
    max_size=44,
)


@given(DAYS, st.integers(0, 99), st.none() | st.integers(40, 100), st.integers(0, 86_399), st.booleans())
def test_the_closes_that_are_kept_decide_at_any_time_of_the_day(days, p, q, second, by_ratio):
    past = [
        Close(day=NOW.date() - timedelta(days=n), progress=progress, q=probability)
        for n, (progress, probability) in enumerate(days, start=1)
    ]
    policies = RATIO if by_ratio else Policies()
    at = NOW + timedelta(seconds=second)
    asked = case(p / 100, q=q / 100 if q is not None else None, closes=past)
    kept = enough(asked, now=NOW, zone=ZERO, policies=policies)
    assert judge(replace(asked, closes=kept), now=at, zone=ZERO, policies=policies) == judge(
        asked, now=at, zone=ZERO, policies=policies
    )


def test_far_from_any_boundary_no_close_is_asked_for():
    def past():
        pytest.fail("asked")
        yield

    for far in (case(0.9, closes=past()), case(0.02, closes=past()), case(1.0, closes=past()), case(0.5, q=0.7)):
        assert enough(far, now=NOW, zone=ZERO, policies=Policies()) == ()
    assert enough(case(0.34, closes=closes(0.3, 0.45)), now=NOW, zone=ZERO, policies=Policies()) == tuple(closes(0.45))


def parts(*words_and_weights):
    return [
        Part(id=f"KR{n}", health=Health(word), weight=weight) for n, (word, weight) in enumerate(words_and_weights, 1)
    ]


@pytest.mark.parametrize(
    ("children", "band"),
    [
        ([("on_track", 1), ("on_track", 1), ("at_risk", 1)], "at_risk"),
        ([("on_track", 0.9), ("off_track", 0.1)], "at_risk"),
        ([("on_track", 0.7), ("off_track", 0.3)], "off_track"),
        ([("on_track", 0.8), ("at_risk", 0.2)], "on_track"),
        ([("achieved", 3), ("missed", 1)], "missed"),
        ([("achieved", 2), ("missed", 1), ("on_track", 1)], "off_track"),
        ([("on_track", 6), ("unknown", 4)], "on_track"),
        ([("on_track", 59), ("unknown", 41)], "unknown"),
        ([("on_track", 1), ("off_track", 0)], "on_track"),
        ([("achieved", 1), ("on_track", 0)], "achieved"),
        ([("on_track", 0), ("at_risk", 0)], "unknown"),
        ([("not_started", 0), ("paused", 1)], "paused"),
        ([("on_track", 1), ("paused", 9), ("not_started", 9), ("canceled", 9)], "on_track"),
        ([("achieved", 1), ("paused", 1), ("canceled", 1)], "achieved"),
        ([("achieved", 1), ("on_track", 1)], "on_track"),
        ([("achieved", 1), ("not_started", 1)], "on_track"),
        ([("not_started", 1), ("paused", 1)], "not_started"),
        ([("paused", 1), ("canceled", 1)], "paused"),
        ([("canceled", 1)], "canceled"),
        ([("unknown", 1)], "unknown"),
        ([], "unknown"),
    ],
)
def test_weighted_worst(children, band):
    assert weighted_worst(parts(*children)).health == band


def test_all_ended_and_one_missed():
    ended = [replace(p, ended=True) for p in parts(("achieved", 9), ("missed", 1), ("unknown", 1))]
    found = weighted_worst(ended)
    assert (found.health, found.drivers) == (Health.MISSED, ("KR2",))
    running = [*ended, *parts(("on_track", 20))]
    assert weighted_worst(running).health is Health.AT_RISK


def test_drivers_are_always_named():
    found = weighted_worst(parts(("on_track", 7), ("at_risk", 1), ("off_track", 2)))
    assert found.drivers == ("KR3", "KR2")
    assert found.reasons == ("KR3: off track, 20 % of the weight.", "KR2: at risk, 10 % of the weight.")
