"""A portfolio: each item once, what is worth most, the roadmap, risks up the tree, what could be won, the document."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from domain.facts import Fact, Facts, Freshness, Progress
from domain.okr import CheckIn, Contribution, Initiative, KeyResult, Metric, Objective, Status, Timeframe
from domain.rules import Policies
from domain.workspace import Dimension, Team, Workspace
from rollup.flow import Passage, pace
from rollup.forecast import Forecast
from rollup.portfolio import members_of, ranking, risks, roadmap, value_rate, weigh
from rollup.portfolio_report import EVERYTHING, dimensions_of, portfolio_report
from rollup.progress import sized
from rollup.views import evaluate

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TODAY = NOW.date()
YEAR = Timeframe(id="2026", start=date(2026, 1, 1), end=date(2026, 12, 31))
Q3 = Timeframe(id="2026-Q3", start=date(2026, 7, 1), end=date(2026, 9, 30), parent="2026")
Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31), parent="2026")
O1 = Objective(id="O1", title="Checkout", timeframe="2026-Q4", dimensions={"product": "Checkout"})
O2 = Objective(id="O2", title="Platform", timeframe="2026-Q4", weight=3)
KR1 = KeyResult(id="KR1", objective="O1", title="Regions")
KR2 = KeyResult(id="KR2", objective="O1", title="Conversion", weight=3, metric=Metric(start=0.0, target=10.0))
KR3 = KeyResult(id="KR3", objective="O2", title="Ledger")
I1 = Initiative(
    id="I1",
    title="One click",
    contributes=(Contribution(to="KR1", benefit=50.0), Contribution(to="KR2", share=0.5, benefit=10.0)),
    planned_weeks=4,
    team="Pay",
    start=date(2026, 10, 1),
    due=date(2026, 12, 10),
)
I2 = Initiative(id="I2", title="Ledger", contributes=(Contribution(to="KR3", benefit=80.0),), planned_weeks=10)
I3 = Initiative(id="I3", title="Loose end", start=date(2026, 8, 1), due=date(2026, 9, 1))
I4 = Initiative(id="I4", title="Given up", contributes=(Contribution(to="KR3"),), status=Status.CANCELED)
WORK = Workspace(
    name="acme",
    timezone="Europe/Berlin",
    timeframes={t.id: t for t in (YEAR, Q3, Q4)},
    dimensions={"product": Dimension(name="product", targets={"Checkout": 0.9})},
    teams={"Pay": Team(name="Pay", capacity_weeks={"2026-Q4": 3})},
    objectives={o.id: o for o in (O1, O2)},
    key_results={k.id: k for k in (KR1, KR2, KR3)},
    initiatives={i.id: i for i in (I1, I2, I3, I4)},
)
FRESH = {"jira": Freshness(connection="jira", complete_to=NOW, stale=False)}


def progress(value, items=10, **over):
    done = round(value * items)
    counts = {"todo": items - done, "in_progress": 0, "done": done, "canceled": 0}
    return Progress(
        value=value, items=items, counts=counts, size_total=items, size_done=done, connections={"jira": items}, **over
    )


def views(workspace=WORK, found=None, **over):
    found = {"KR1": progress(0.5), "KR3": progress(0.2), "I1": progress(0.5), "I2": progress(0.2)} | (found or {})
    return evaluate(workspace, found, freshness=FRESH, now=NOW, **over)


def fact(links, category="todo", count=1, estimate=None):
    return Fact(
        "jira", None, category, None, estimate, None, frozenset(links), frozenset(), False, None, None, "", False, None,
        count,
    )  # fmt: skip


def test_totals_ignore_shares_and_count_each_item_once():
    rows = (fact(["A"], "done", estimate=5.0), fact(["A", "B"], "done", estimate=8.0), fact(["B"], estimate=3.0))
    ids = ("A", "B")
    settled = sized(Facts(rows=rows, nodes=()), dict.fromkeys(ids, 1.0), Policies(size="points"), today=TODAY)
    found = weigh(settled, ids)
    assert found.progress == 0.8125
    assert (found.total_items, found.done_items) == (3, 2)
    assert (found.items, found.done) == ({"A": 1.5, "B": 1.5}, {"A": 1.5, "B": 0.5})
    assert found.size == {"A": 13, "B": 11}


def test_nothing_to_weigh():
    found = weigh(sized(Facts(rows=(), nodes=()), {"A": 1.0}, Policies(), today=TODAY), ["A"])
    assert (found.total_items, found.progress, found.items) == (0, None, {"A": 0})


def test_benefit_per_planned_week():
    assert (value_rate(60, 4), value_rate(80, 10)) == (15, 8)
    assert value_rate(60, 0) is value_rate(60, None) is value_rate(None, 4) is None


def test_members_serve_the_objectives_or_none_at_all():
    assert [one.initiative.id for one in members_of(views(), ["O1", "O2"])] == ["I1", "I2", "I3"]
    assert [one.initiative.id for one in members_of(views(), ["O1"])] == ["I1", "I3"]


def test_ranking_by_value_then_by_contribution():
    found = views()
    ranks = ranking(members_of(found, ["O1", "O2"]), found, {"I1": 10, "I2": 30, "I3": 5})
    assert [(one.id, one.benefit, one.value_rate) for one in ranks] == [
        ("I1", 60, 15),
        ("I2", 80, 8),
        ("I3", None, None),
    ]
    # O1 weighs 1 of 4, all of it I1's; O2 weighs 3 of 4, all of it I2's; I3 serves nothing.
    assert [one.contribution for one in ranks] == [0.25, 0.75, None]
    assert [one.open for one in ranks] == [0.125, pytest.approx(0.6), None]


def test_a_contribution_is_share_times_size_within_a_key_result():
    more = replace(I3, contributes=(Contribution(to="KR1", share=0.5),))
    found = views(replace(WORK, initiatives={i.id: i for i in (I1, more)}))
    ranks = {one.id: one for one in ranking(members_of(found, ["O1"]), found, {"I1": 10, "I3": 20})}
    # KR1 (weight 1 of 4): 10 and .5 x 20; KR2 (3 of 4): I1 alone.
    assert ranks["I1"].contribution == pytest.approx(0.25 * 0.5 + 0.75)
    assert ranks["I3"].contribution == pytest.approx(0.25 * 0.5)


def test_the_roadmap_holds_what_runs_in_the_narrowest_timeframes():
    bare = replace(I2, contributes=())
    found = views(replace(WORK, initiatives={i.id: i for i in (I1, I3, bare)}))
    stays = roadmap(members_of(found, ["O1", "O2"]), found, WORK.timeframes)
    assert [(one.timeframe, one.initiatives) for one in stays] == [
        ("2026-Q3", ("I3",)),
        ("2026-Q4", ("I1",)),
        (None, ("I2",)),
    ]


def test_parents_are_at_risk_by_their_worst_child():
    found = views(
        found={"I1": progress(0.5, blocked_size=2.0)}, forecasts={"I2": Forecast(probability=0.4, state="ok")}
    )
    members = members_of(found, ["O1", "O2"])
    paces = {"I2": pace([Passage(frozenset(), None, date(2026, 1, 1), None)], today=TODAY)}
    seen = {one.id: one for one in risks(found, ["O1", "O2"], members, paces)}
    assert seen["I2"].level == seen["KR3"].level == seen["O2"].level == "high"
    assert [(id_, one.name) for id_, one in seen["O2"].drivers] == [("KR3", "due_date"), ("I2", "due_date")]
    assert [(one.name, one.severity) for one in seen["I1"].signals] == [("blocked", "high"), ("due_date", "medium")]
    assert ("I1", "blocked") in [(id_, one.name) for id_, one in seen["O1"].drivers]
    assert seen["I3"].level == "low"


def test_reliability_is_judged_when_the_period_is_over():
    over = progress(0.5, baseline_progress=0.55)
    assert "reliability" not in names(views(found={"KR1": over}), "KR1")
    ended = replace(WORK, objectives={"O1": replace(O1, timeframe="2026-Q3"), "O2": O2})
    assert names(views(ended, {"KR1": over}), "KR1")["reliability"] == "high"
    old = KeyResult(id="OLD", objective="O1", title="Old", start=date(2026, 7, 1), end=date(2026, 9, 30))
    krs = {**WORK.key_results, "OLD": old, "KR1": replace(KR1, continues="OLD")}
    carried = views(replace(WORK, key_results=krs), {"OLD": progress(0.7, baseline_progress=0.7)})
    assert names(carried, "KR1")["reliability"] == "medium"


def names(found, id_):
    seen = {one.id: one for one in risks(found, list(found.objectives), members_of(found, found.objectives), {})}
    return {one.name: one.severity for one in seen[id_].signals}


def document(found=None, by=None, timeframe="current", **over):
    found = found or views(**over)
    paces = {EVERYTHING: pace([Passage(frozenset({"I1"}), "Pay", TODAY, None)], today=TODAY)}
    rows = (fact(["I1"], "done", 5), fact(["I1"], "todo", 5), fact(["I3"], "todo", 2))
    shares = dict.fromkeys(("I1", "I3"), 1.0)
    weight = weigh(sized(Facts(rows=rows, nodes=()), shares, Policies(), today=TODAY), shares)
    return portfolio_report(
        found,
        timeframe=timeframe,
        by=by,
        weight=weight,
        unlinked={"epics": 1, "items": 7},
        loose={"product": {"Checkout": 3, None: 4}},
        paces=paces,
        teams={},
    )


def test_the_document():
    doc = document()
    assert list(doc) == [
        *("workspace", "as_of", "complete_to", "timeframe", "today", "totals", "dimensions", "unlinked", "unplanned"),
        *("capacity", "ranking", "risk_level", "risks", "general_risks", "opportunities", "roadmap", "flow"),
    ]
    assert [one["dimension"] for one in doc["dimensions"]] == list(dimensions_of(views()))
    assert doc["totals"] == {
        "initiatives": 3,
        "planned_weeks": 14,
        "done_weeks": 4,
        "in_flight_weeks": 10,
        "items": 12,
        "done_items": 5,
        "progress": pytest.approx(5 / 12),
    }
    assert doc["unlinked"] == {"epics": 1, "items": 7}
    assert doc["unplanned"] == {"initiatives": ["I3"], "items": 2}
    assert (doc["complete_to"], doc["flow"]["portfolio"]["wip"]) == ("2026-11-22T12:00:00Z", 1)
    assert [row["team"] for row in doc["capacity"] if row["flags"]] == ["Pay"]


def test_one_dimension_with_its_unlinked_items():
    doc = document(by="product")
    (ledger,) = doc["dimensions"]
    checkout, rest = ledger["rows"]
    assert (checkout["value"], checkout["planned_share"], checkout["target"], checkout["flagged"]) == (
        *("Checkout", pytest.approx(4 / 14)),
        *(0.9, True),
    )
    assert (checkout["unlinked_items"], rest["unlinked_items"], rest["value"]) == (3, 4, None)
    assert [row["subject"] for row in doc["general_risks"]] == ["product=Checkout", "Pay"]


def test_a_portfolio_of_one_timeframe():
    later = replace(WORK, objectives={"O1": O1, "O2": replace(O2, timeframe="2026-Q3")})
    doc = document(views(later), timeframe="2026-Q3")
    assert [row["id"] for row in doc["ranking"]] == ["I2", "I3"]
    assert {row["id"] for row in doc["risks"]} == {"I2", "I3", "KR3", "O2"}


@pytest.mark.parametrize(
    ("over", "name", "subject"),
    [
        ({"found": {"I2": progress(0.0)}}, None, None),
        ({"found": {"I1": progress(0.9)}}, "nearly_done", "I1"),
        ({"forecasts": {"I1": Forecast(p85=date(2026, 11, 26), state="ok")}}, "early", "I1"),
        ({"forecasts": {"I1": Forecast(p85=date(2026, 11, 27), state="ok")}}, None, None),
        ({"forecasts": {"I1": Forecast(p85=date(2026, 11, 26), indicative=True)}}, None, None),
        ({"found": {"KR2": progress(0.1)}, "check_ins": [(5.0)]}, "outcome_ahead", "KR2"),
        ({"found": {"I1": progress(0.0)}, "initiatives": {"I1": replace(I1, start=None)}}, "waiting_value", "I1"),
        ({"capacity": 5.1}, "free_capacity", "Pay"),
        ({"capacity": 5.0}, None, None),
    ],
)
def test_what_could_be_won(over, name, subject):
    workspace = replace(WORK, initiatives={**WORK.initiatives, **over.pop("initiatives", {})})
    if "capacity" in over:
        team = Team(name="Pay", capacity_weeks={"2026-Q4": over.pop("capacity")})
        workspace = replace(workspace, teams={"Pay": team})
    made = [CheckIn(key_result="KR2", as_of=NOW, value=v, recorded_at=NOW) for v in over.pop("check_ins", ())]
    doc = document(views(workspace, check_ins=made, **over))
    assert [(row["name"], row["subject"]) for row in doc["opportunities"]] == ([(name, subject)] if name else [])


def test_an_empty_workspace_has_a_portfolio_too():
    empty = evaluate(Workspace(name="acme", timezone="UTC"), {}, freshness={}, now=NOW)
    doc = document(empty)
    assert (doc["totals"]["initiatives"], doc["risk_level"], doc["roadmap"], doc["ranking"]) == (0, "low", [], [])
