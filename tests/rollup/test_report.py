"""The report of a whole workspace: shapes, roll-up of objectives, overlays, timeframes."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from domain.facts import Freshness, Progress
from domain.okr import (
    CheckIn,
    Contribution,
    Health,
    Initiative,
    KeyResult,
    ManualRollup,
    Metric,
    Objective,
    Override,
    Status,
    Timeframe,
)
from domain.rules import Policies
from domain.workspace import Workspace
from rollup.forecast import Forecast
from rollup.health import Close
from rollup.report import report

NOW = datetime(2026, 11, 15, 23, tzinfo=UTC)  # midnight in Berlin: 16 November
YEAR = Timeframe(id="2026", start=date(2026, 1, 1), end=date(2026, 12, 31))
Q3 = Timeframe(id="2026-Q3", start=date(2026, 7, 1), end=date(2026, 9, 30), parent="2026")
Q4 = Timeframe(id="2026-Q4", start=date(2026, 10, 1), end=date(2026, 12, 31), parent="2026")
FRESH = {
    name: Freshness(connection=name, complete_to=datetime(2026, 11, 15, 22, hour, tzinfo=UTC), stale=False)
    for name, hour in (("jira", 40), ("github", 42))
}

O0 = Objective(id="O0", title="Grow", timeframe="2026")
O1 = Objective(id="O1", title="Checkout", timeframe="2026-Q4", parent="O0", owner="maria")
O2 = Objective(id="O2", title="Last quarter", timeframe="2026-Q3")
KR1 = KeyResult(id="KR1", objective="O1", title="Conversion", metric=Metric(start=2.0, target=3.0))
KR2 = KeyResult(id="KR2", objective="O1", title="Regions", weight=2)
KR3 = KeyResult(id="KR3", objective="O2", title="Old")
I1 = Initiative(
    id="I1",
    title="One click",
    contributes=(Contribution(to="KR2", share=0.6, explicit=True), Contribution(to="KR3", share=0.6, explicit=True)),
    start=date(2026, 10, 1),
)
I2 = Initiative(id="I2", title="Idle")


def workspace(objectives=(O0, O1, O2), key_results=(KR1, KR2, KR3), initiatives=(I1, I2), **over):
    return Workspace(
        name="acme",
        timezone="Europe/Berlin",
        timeframes={t.id: t for t in (YEAR, Q3, Q4)},
        objectives={o.id: o for o in objectives},
        key_results={k.id: k for k in key_results},
        initiatives={i.id: i for i in initiatives},
        **over,
    )


def progress(value, connections=None, **over):
    counts = {"todo": 5, "in_progress": 0, "done": 5, "canceled": 0}
    state = "ok" if value is not None else "no_scope"
    return Progress(
        value=value,
        state=state,
        items=10,
        counts=counts,
        connections={"jira": 10} if connections is None else connections,
        **over,
    )


def check_in(value, day, kr="KR1"):
    at = datetime(2026, 11, day, 9, tzinfo=UTC)
    return CheckIn(key_result=kr, as_of=at, value=value, recorded_at=at)


def made(ws=None, found=None, **kw):
    found = {"KR2": progress(0.5), "I1": progress(0.5)} if found is None else found
    arguments = {"check_ins": [check_in(2.4, 10)], "freshness": FRESH, "now": NOW, **kw}
    return report(ws or workspace(), found, **arguments)


def by_id(document, kind, id):
    return next(row for row in document[kind] if row["id"] == id)


def test_shape_and_order_of_keys():
    document = made(unlinked={"epics": 2, "items": 14})
    assert list(document) == [
        "workspace",
        "as_of",
        "complete_to",
        "objectives",
        "key_results",
        "initiatives",
        "unlinked",
    ]
    assert (document["as_of"], document["complete_to"]) == ("2026-11-15T23:00:00Z", "2026-11-15T22:40:00Z")
    assert document["unlinked"] == {"epics": 2, "items": 14}
    objective, kr, initiative = document["objectives"][0], document["key_results"][0], document["initiatives"][0]
    assert list(objective)[:13] == [
        *("id", "title", "timeframe", "parent", "progress", "state", "health", "health_reasons", "overlays"),
        *("coverage", "flags", "override", "key_results"),
    ]
    assert list(kr)[:19] == [
        *("id", "objective", "title", "progress", "score_basis", "outcome_progress", "delivery_progress", "state"),
        *("health", "health_reasons", "overlays", "flags", "override", "coverage", "counts", "baseline_progress"),
        *("scope_change", "forecast", "initiatives"),
    ]
    assert list(initiative)[:18] == [
        *("id", "title", "progress", "state", "health", "health_reasons", "overlays", "flags", "override", "counts"),
        *("size_total", "size_done", "unestimated", "estimated_coverage", "baseline_progress", "scope_change"),
        *("forecast", "start"),
    ]
    assert kr["forecast"] == {
        "p50": None,
        "p85": None,
        "p95": None,
        "probability": None,
        "state": "insufficient_history",
        "indicative": False,
    }
    assert json.loads(json.dumps(document)) == document


def test_outcome_beside_delivery():
    document = made(found={"KR1": progress(0.8), "KR2": progress(0.5)})
    kr1, kr2 = by_id(document, "key_results", "KR1"), by_id(document, "key_results", "KR2")
    assert (kr1["score_basis"], kr1["progress"], kr1["delivery_progress"]) == ("outcome", pytest.approx(0.4), 0.8)
    assert kr1["overlays"] == ["divergence"]
    assert (kr2["score_basis"], kr2["progress"], kr2["outcome_progress"]) == ("delivery", 0.5, None)
    assert kr2["initiatives"] == [{"id": "I1", "share": 0.6}]
    assert (kr2["expected"], kr2["health"]) == (0.5, "on_track")
    assert kr2["summary"] == "On track. 50 % delivered, 50 % expected by today."


def test_objectives_are_weighted_means_that_cascade():
    document = made()
    o1, o0 = by_id(document, "objectives", "O1"), by_id(document, "objectives", "O0")
    assert o1["progress"] == pytest.approx((0.4 + 2 * 0.5) / 3)
    assert o0["progress"] == pytest.approx(o1["progress"])
    assert (o1["coverage"], o1["state"], o1["health"]) == (1.0, "ok", "on_track")
    assert (o1["key_results"], o0["key_results"], o0["objectives"]) == (["KR1", "KR2"], [], ["O1"])


def test_timeframes():
    assert [o["id"] for o in made()["objectives"]] == ["O0", "O1"]
    assert [i["id"] for i in made()["initiatives"]] == ["I1", "I2"]
    assert [o["id"] for o in made(timeframe="all")["objectives"]] == ["O0", "O1", "O2"]
    third = made(timeframe="2026-Q3")
    assert ([o["id"] for o in third["objectives"]], [k["id"] for k in third["key_results"]]) == (["O2"], ["KR3"])
    year = made(workspace(objectives=(replace(O0, timeframe=None), O1, O2)), timeframe="2026-Q3")
    assert [o["id"] for o in year["objectives"]] == ["O0", "O2"]
    next_year = made(now=datetime(2027, 5, 1, tzinfo=UTC))
    assert next_year["objectives"] == []


def test_without_anything_known():
    document = report(workspace(), {}, freshness={}, now=NOW)
    kr1, kr2 = by_id(document, "key_results", "KR1"), by_id(document, "key_results", "KR2")
    assert (kr1["progress"], kr1["state"], kr1["health"], kr1["coverage"]) == (None, "no_data", "unknown", 0.0)
    assert (kr2["progress"], kr2["state"], kr2["coverage"]) == (None, "no_scope", None)
    assert kr2["counts"] == {"todo": 0, "in_progress": 0, "done": 0, "canceled": 0}
    o1 = by_id(document, "objectives", "O1")
    assert (o1["progress"], o1["state"], o1["health"]) == (None, "no_data", "unknown")
    assert document["complete_to"] is None


def test_stale_connections_lower_coverage():
    half = {"KR2": progress(0.5, {"jira": 7, "github": 3})}
    stale = {**FRESH, "github": replace(FRESH["github"], stale=True)}
    document = made(found=half, freshness=stale)
    kr2, o1 = by_id(document, "key_results", "KR2"), by_id(document, "objectives", "O1")
    assert (kr2["coverage"], kr2["overlays"]) == (0.7, ["stale", "partial_coverage"])
    assert (o1["progress"], o1["coverage"]) == (pytest.approx(1.4 / 3), pytest.approx(1 / 3))
    assert o1["overlays"] == ["stale", "partial_coverage"]


def test_check_ins_go_stale_ten_days_after_the_last():
    def overlays(day, **metric):
        key_result = replace(KR1, metric=replace(KR1.metric, **metric))
        document = made(workspace(key_results=(key_result, KR2)), check_ins=[check_in(2.4, day)])
        return by_id(document, "key_results", "KR1")["overlays"]

    assert overlays(6) == []
    assert overlays(5) == ["stale", "partial_coverage"]
    assert overlays(5, check_in_every=timedelta(days=14)) == []
    assert overlays(5, kind="binary") == []


def test_blocked_and_inaccessible():
    document = made(found={"KR2": progress(0.5, blocked_size=2.0), "I1": progress(0.5, flags=("inaccessible",))})
    assert by_id(document, "key_results", "KR2")["overlays"] == ["blocked"]
    assert by_id(document, "initiatives", "I1")["overlays"] == ["stale"]
    assert by_id(document, "objectives", "O1")["overlays"] == ["blocked"]


def test_paused_and_canceled_children_are_listed_and_left_out():
    document = made(workspace(key_results=(KR1, replace(KR2, status=Status.PAUSED))))
    o1 = by_id(document, "objectives", "O1")
    assert (o1["progress"], o1["coverage"], o1["key_results"]) == (pytest.approx(0.4), 1.0, ["KR1", "KR2"])
    assert by_id(document, "key_results", "KR2")["health"] == "paused"


def test_manual_rollup_until_its_day_is_over():
    manual = ManualRollup(value=0.9, by="maria", reason="audited", until=date(2026, 11, 16))
    document = made(workspace(objectives=(O0, replace(O1, rollup=manual))))
    o1, o0 = by_id(document, "objectives", "O1"), by_id(document, "objectives", "O0")
    assert (o1["progress"], o1["flags"], o0["progress"]) == (0.9, ["manual"], 0.9)
    assert o1["computed_progress"] == pytest.approx(1.4 / 3)
    late = made(workspace(objectives=(O0, replace(O1, rollup=replace(manual, until=date(2026, 11, 15))))))
    assert by_id(late, "objectives", "O1")["progress"] == pytest.approx(1.4 / 3)
    assert by_id(late, "objectives", "O1")["flags"] == ["manual_expired"]
    assert (o1["manual"]["until"], by_id(late, "objectives", "O1")["manual"]) == ("2026-11-16", None)


@pytest.mark.parametrize(("since", "progress"), [(date(2026, 11, 2), 0.9), (date(2026, 11, 1), 1.4 / 3)])
def test_a_manual_value_without_an_end_holds_for_fourteen_days(since, progress):
    said = workspace(objectives=(O0, replace(O1, rollup=ManualRollup(value=0.9, by="maria", reason="audited"))))
    o1 = by_id(made(said, manual_since={"O1": since}), "objectives", "O1")
    assert (o1["progress"], o1["computed_progress"]) == (pytest.approx(progress), pytest.approx(1.4 / 3))
    assert by_id(made(said), "objectives", "O1")["manual"]["until"] == "2026-11-30"


def test_rollup_off():
    document = made(workspace(objectives=(O0, replace(O1, rollup="off"))))
    o1 = by_id(document, "objectives", "O1")
    assert (o1["progress"], o1["health"], o1["flags"]) == (None, "unknown", ["rollup_off"])
    assert by_id(document, "objectives", "O0")["progress"] is None


def test_overrides_show_what_is_computed():
    said = Override(subject="O1", health=Health.OFF_TRACK, until=date(2026, 12, 1), by="maria", reason="x", at=NOW)
    document = made(overrides=[said])
    o1 = by_id(document, "objectives", "O1")
    assert o1["health"] == "off_track"
    assert o1["override"] == {
        "health": "off_track",
        "until": "2026-12-01",
        "by": "maria",
        "reason": "x",
        "computed": "on_track",
        "at": "2026-11-15T23:00:00Z",
    }
    assert by_id(document, "objectives", "O0")["health"] == "off_track"


def test_outcome_freezes_at_the_end():
    values = [check_in(2.4, 10), check_in(3.0, 20)]
    ended = replace(KR1, end=date(2026, 11, 14))
    later = datetime(2026, 11, 25, tzinfo=UTC)
    kr1 = by_id(made(workspace(key_results=(ended,)), check_ins=values, now=later), "key_results", "KR1")
    assert (kr1["progress"], kr1["health"], kr1["overlays"]) == (pytest.approx(0.4), "missed", [])
    moving = workspace(
        key_results=(ended,), policies=Policies(health=replace(Policies().health, freeze_after_end=False))
    )
    assert by_id(made(moving, check_ins=values, now=later), "key_results", "KR1")["health"] == "achieved"


def test_a_close_ends_the_period():
    closed = replace(KR2, status=Status.CLOSED, closed_on=date(2026, 11, 1))
    kr2 = by_id(made(workspace(key_results=(KR1, closed))), "key_results", "KR2")
    assert (kr2["end"], kr2["health"]) == ("2026-11-01", "missed")


def test_outcome_health_folds_its_check_ins():
    values = [check_in(2.4, 1), check_in(2.3, 15)]
    kr1 = by_id(made(check_ins=values), "key_results", "KR1")
    assert (kr1["health"], kr1["expected"]) == ("at_risk", 0.5)
    now = replace(check_in(2.33, 15), as_of=NOW)
    just_before = replace(now, as_of=NOW - timedelta(minutes=1))
    assert by_id(made(check_ins=[check_in(2.34, 12), now]), "key_results", "KR1")["health"] == "on_track"
    assert by_id(made(check_ins=[check_in(2.34, 12), just_before]), "key_results", "KR1")["health"] == "at_risk"


def test_delivery_health_folds_its_history():
    closes = [Close(day=date(2026, 11, 14), progress=0.45), Close(day=date(2026, 11, 13), progress=0.45)]
    found = {"KR2": progress(0.33), "I1": progress(0.33)}
    document = made(found=found, history={"KR2": closes, "I1": closes})
    assert by_id(document, "key_results", "KR2")["health"] == "on_track"
    assert by_id(document, "initiatives", "I1")["health"] == "on_track"
    assert by_id(made(found=found), "key_results", "KR2")["health"] == "at_risk"


def test_forecast_drives_delivery_health():
    likely = Forecast(p50=date(2026, 12, 1), p85=date(2027, 1, 9), probability=0.6, state="ok")
    kr2 = by_id(made(forecasts={"KR2": likely}), "key_results", "KR2")
    assert (kr2["health"], kr2["forecast"]["p85"]) == ("at_risk", "2027-01-09")
    assert kr2["health_reasons"] == ["60 % likely to be done by 31 Dec 2026."]


def test_initiatives_take_their_due_from_what_they_serve():
    document = made()
    i1, i2 = by_id(document, "initiatives", "I1"), by_id(document, "initiatives", "I2")
    assert (i1["due"], i1["health"], i1["flags"]) == ("2026-12-31", "on_track", ["over_allocated"])
    assert (i2["due"], i2["state"], i2["health"]) == (None, "no_scope", "unknown")


def test_initiatives_made_by_rules():
    made_by_rule = Initiative(id="linear:x", title="Rail", contributes=(Contribution(to="KR2"),))
    document = made(extra_initiatives={"linear:x": made_by_rule})
    assert by_id(document, "initiatives", "linear:x")["title"] == "Rail"
    assert {"id": "linear:x", "share": 1.0} in by_id(document, "key_results", "KR2")["initiatives"]


def test_objectives_in_a_circle_end():
    ring = (replace(O0, parent="O1"), O1)
    document = made(workspace(objectives=ring))
    assert by_id(document, "objectives", "O1")["progress"] == pytest.approx(1.4 / 3)
