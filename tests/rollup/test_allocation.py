"""Planned effort by dimension: how an initiative splits, what is in flight, targets, teams and their capacity."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.facts import Progress
from domain.okr import Contribution, Initiative, KeyResult, Objective, Status, Timeframe
from domain.workspace import Dimension, Team, Workspace
from rollup.allocation import ledger, loads, member, places
from rollup.views import evaluate

TODAY = date(2026, 11, 22)
YEAR = Timeframe(id="2026", start=date(2026, 1, 1), end=date(2026, 12, 31))
Q3 = Timeframe(id="2026-Q3", start=date(2026, 7, 1), end=date(2026, 9, 30), parent="2026")
Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31), parent="2026")
TOP = Objective(id="O0", title="Grow", dimensions={"region": "EU"})
O1 = Objective(id="O1", title="Checkout", timeframe="2026-Q4", parent="O0", dimensions={"product": "Checkout"})
O2 = Objective(id="O2", title="Platform", timeframe="2026-Q3", dimensions={"product": {"A": 0.75, "B": 0.25}})
KR1 = KeyResult(id="KR1", objective="O1", title="One")
KR2 = KeyResult(id="KR2", objective="O2", title="Two")
WORK = Workspace(
    name="acme",
    timezone="Europe/Berlin",
    timeframes={t.id: t for t in (YEAR, Q3, Q4)},
    dimensions={
        "product": Dimension(name="product", targets={"Checkout": 0.4}),
        "bet": Dimension(name="bet", values=("core", "new")),
        "region": Dimension(name="region"),
    },
    teams={"Pay": Team(name="Pay", capacity_weeks={"2026-Q4": 10, "2026": 40})},
    objectives={o.id: o for o in (TOP, O1, O2)},
    key_results={k.id: k for k in (KR1, KR2)},
)
ALL = ("KR1", "KR2")


def stands(initiative, value=None, **counts):
    """Return an initiative as it stands, with this progress."""
    plan = replace(WORK, initiatives={initiative.id: initiative})
    progress = {initiative.id: Progress(value=value, counts=counts)}
    now = datetime(2026, 11, 22, 12, tzinfo=UTC)
    return evaluate(plan, progress, freshness={}, now=now).initiatives[initiative.id]


def initiative(id="I1", **over):
    links = over.pop("to", {"KR1": 1.0})
    contributes = tuple(Contribution(to=to, share=share) for to, share in links.items())
    return Initiative(id=id, title=id, contributes=contributes, **over)


def one(value=0.5, items=0.0, inside=ALL, **over):
    view = stands(initiative(**over), value, done=1)
    return member(view, WORK, inside, today=TODAY, items=items)


def test_planned_weeks_split_by_share_over_sum_of_shares():
    both = one(to={"KR1": 0.6, "KR2": 0.2}, planned_weeks=40)
    assert places(both, "objective", WORK) == {"O1": pytest.approx(0.75), "O2": pytest.approx(0.25)}
    rows = ledger("objective", [both], WORK).rows
    assert [(row.value, row.planned) for row in rows] == [("O1", pytest.approx(30)), ("O2", pytest.approx(10))]


def test_what_serves_key_results_outside_takes_its_part_with_it():
    half = one(to={"KR1": 0.5, "KR2": 0.5}, planned_weeks=40, items=8.0, inside=("KR1",))
    (row,) = ledger("objective", [half], WORK).rows
    assert (row.planned, row.done, row.items) == (20, 10, 8)
    assert one(inside=()).part == 0
    assert one(to={}, inside=()).part == 1


@pytest.mark.parametrize(
    ("dimension", "over", "expected"),
    [
        ("bet", {"dimensions": {"bet": "core"}}, {"core": 1.0}),
        ("bet", {"dimensions": {"bet": ["core", "new"]}}, {"core": 0.5, "new": 0.5}),
        ("bet", {"dimensions": {"bet": {"core": 0.7, "new": 0.3}}}, {"core": 0.7, "new": 0.3}),
        ("bet", {}, {None: 1.0}),
        ("product", {}, {"Checkout": 1.0}),
        ("product", {"to": {"KR1": 1, "KR2": 1}}, {"Checkout": 0.5, "A": 0.375, "B": 0.125}),
        ("product", {"to": {}}, {None: 1.0}),
        ("region", {}, {"EU": 1.0}),
        ("team", {"team": "Pay"}, {"Pay": 1.0}),
        ("initiative", {}, {"I1": 1.0}),
        ("timeframe", {"to": {"KR1": 1, "KR2": 3}}, {"2026-Q4": 0.25, "2026-Q3": 0.75}),
    ],
)
def test_where_an_initiative_stands(dimension, over, expected):
    assert places(one(**over), dimension, WORK) == {value: pytest.approx(part) for value, part in expected.items()}


def test_the_worked_example_of_a_target():
    members = [one(id="I1", planned_weeks=30), one(id="I2", planned_weeks=30, dimensions={"product": "Other"})]
    checkout, other = ledger("product", members, WORK).rows
    assert (checkout.share, checkout.target, checkout.flagged) == (0.5, 0.4, False)
    assert checkout.difference == pytest.approx(0.1)
    assert (other.value, other.target, other.difference) == ("Other", None, None)
    more = ledger("product", [replace(members[0], planned=31.0), members[1]], WORK).rows[0]
    assert more.flagged


def test_values_that_the_file_names_stand_there_without_work_and_the_rest_comes_last():
    rows = ledger("bet", [one()], WORK, {None: 3, "strange": 2.5}).rows
    assert [(row.value, row.unlinked_items) for row in rows] == [("core", 0), ("new", 0), ("strange", 2.5), (None, 3)]
    assert rows[0].share is None


@pytest.mark.parametrize(
    ("over", "counts", "in_flight"),
    [
        ({}, {"todo": 4}, 0),
        ({}, {"todo": 3, "in_progress": 1}, 30),
        ({"start": TODAY}, {"todo": 4}, 30),
        ({"start": date(2026, 11, 23)}, {"todo": 4}, 0),
        ({"status": Status.PAUSED}, {"in_progress": 1}, 0),
        ({"status": Status.CLOSED}, {"in_progress": 1}, 0),
    ],
)
def test_in_flight_is_what_is_left_of_what_has_started(over, counts, in_flight):
    view = stands(initiative(planned_weeks=40, **over), 0.25, **counts)
    found = member(view, WORK, ALL, today=TODAY)
    assert (found.done, found.in_flight) == (10, in_flight)


def test_unplanned_work_is_told_in_items():
    rows = ledger("objective", [one(items=5.0), one(id="I2", planned_weeks=3, items=2.0)], WORK).rows
    assert [(row.planned, row.items, row.unplanned_items) for row in rows] == [(3, 7, 5)]


def test_a_team_against_its_capacity_with_the_timeframes_inside():
    pay = one(team="Pay", planned_weeks=24, to={"KR1": 1, "KR2": 1})
    other = one(id="I2", team="Web", planned_weeks=3)
    found = {(one.team, one.timeframe): one for one in loads([pay, other], WORK, WORK.timeframes)}
    assert found["Pay", "2026-Q4"].load == pytest.approx(1.2)
    assert found["Pay", "2026-Q4"].flags == ("over_capacity",)
    assert (found["Pay", "2026"].planned, found["Pay", "2026"].flags) == (24, ())
    assert (found["Pay", "2026-Q3"].planned, found["Pay", "2026-Q3"].load) == (12, None)
    assert (found["Web", "2026-Q4"].planned, found["Web", "2026-Q4"].capacity) == (3, None)
    assert ("Web", "2026-Q3") not in found
    (full,) = loads([one(team="Pay", planned_weeks=10)], WORK, ["2026-Q4"])
    assert (full.load, full.flags) == (1.0, ())


shares = st.floats(min_value=0.01, max_value=1)
weeks = st.none() | st.floats(min_value=0, max_value=100)
made = st.builds(
    lambda id, links, weeks, value, bet: one(
        value=value, id=id, to=links, planned_weeks=weeks, dimensions={"bet": bet} if bet else {}, items=3.0
    ),
    st.sampled_from(["I1", "I2", "I3"]),
    st.dictionaries(st.sampled_from(ALL), shares),
    weeks,
    st.floats(min_value=0, max_value=1),
    st.sampled_from([None, "core", ["core", "new"], {"core": 0.2, "x": 0.8}]),
)


@given(st.lists(made, max_size=5), st.sampled_from(["objective", "bet", "product", "region", "team", "timeframe"]))
def test_rows_of_every_dimension_sum_to_the_whole(members, dimension):
    rows = ledger(dimension, members, WORK).rows
    for name in ("planned", "done", "in_flight"):
        whole = sum(getattr(each, name) or 0.0 for each in members)
        assert sum(getattr(row, name) for row in rows) == pytest.approx(whole, abs=1e-9)
    assert sum(row.items for row in rows) == pytest.approx(3.0 * len(members))
    if any(each.planned for each in members):
        assert sum(row.share for row in rows) == pytest.approx(1)
