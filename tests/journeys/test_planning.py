"""What a portfolio manager asks of the sample company: where it stands, by day, where the work goes, and what if."""

from math import fsum

import pytest


def settled(row):
    """Return what a document says of a subject without what moves with the clock alone."""
    return {name: value for name, value in row.items() if name not in ("expected", "summary", "health_reasons")}


def test_the_burn_up_ends_where_the_numbers_stand(company):
    rows = company.run("export", "burn-up").lines
    stands = {}
    before = {}
    for row in rows:
        subject = row["subject_kind"], row["subject"]
        if subject in before:
            step = (row["progress"] or 0.0) - (before[subject] or 0.0)
            assert fsum(row["causes"].values()) == pytest.approx(step, abs=1e-9)
        before[subject], stands[subject] = row["progress"], (row["progress"], row["scope"])
    now = company.json("show", "--timeframe", "all")
    for row in now["initiatives"]:
        if ("initiative", row["id"]) in stands:
            assert stands["initiative", row["id"]] == (row["progress"], row["size_total"])
    assert {("key_result", "KR1"), ("initiative", "I1")} <= stands.keys()
    heads = company.run("export", "burn-up", "--format", "csv").text.splitlines()[0].split(",")
    assert heads == ["subject_kind", "subject", "day", "done", "scope", "progress", "causes"]


def test_an_explanation_begins_with_the_sentence_that_show_has(company):
    now = company.json("show", "--timeframe", "all")
    for kind in ("objectives", "key_results", "initiatives"):
        row = now[kind][0]
        assert company.json("explain", row["id"])["sentence"] == row["summary"]


def test_the_portfolio_holds_each_initiative_once_and_its_rows_sum_to_the_whole(company):
    doc = company.json("portfolio", "--timeframe", "all", "--by", "team")
    ranked = [one["id"] for one in doc["ranking"]]
    assert len(ranked) == len(set(ranked)) == doc["totals"]["initiatives"] > 3
    assert set(ranked) <= {one["id"] for one in company.json("show", "--timeframe", "all")["initiatives"]}
    (teams,) = doc["dimensions"]
    assert teams["dimension"] == "team"
    for name in ("planned_weeks", "done_weeks", "in_flight_weeks"):
        assert fsum(row[name] for row in teams["rows"]) == pytest.approx(doc["totals"][name])
    assert doc["totals"]["planned_weeks"] > 0
    assert doc["risk_level"] in ("none", "medium", "high")
    assert company.asked() == []


def test_what_if_answers_beside_today_and_stores_nothing(company):
    before = company.json("show", "--timeframe", "all")
    doc = company.json("what-if", "--drop", "I1")
    assert [(one["change"], one["id"]) for one in doc["changes"]] == [("drop", "I1")]
    served = {one["to"] for row in before["initiatives"] if row["id"] == "I1" for one in row["contributes"]}
    changed = {row["id"] for row in doc["key_results"] if row["changed"]}
    assert changed
    assert changed <= served
    today = {row["id"]: (row["progress"], row["health"]) for row in before["key_results"]}
    for row in doc["key_results"]:
        assert (row["today"]["progress"], row["today"]["health"]) == today[row["id"]]
    after = company.json("show", "--timeframe", "all")
    assert [settled(row) for row in after["key_results"]] == [settled(row) for row in before["key_results"]]
    assert company.asked() == []
