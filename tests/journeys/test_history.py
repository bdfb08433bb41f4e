"""The past at the command line: recomputed from what trackers tell, published as it was shown, and the way between."""

from datetime import date, timedelta
from math import fsum

import pytest

MONTH = timedelta(days=30)


def day_of(company):
    return date.fromisoformat(company.json("explain", "I1")["burnup"][-1]["day"])


def close(value):
    return pytest.approx(value or 0.0, abs=1e-9)


def test_the_past_before_the_first_run_is_there_and_every_way_to_it_says_the_same(company):
    today = day_of(company)
    then = today - MONTH
    now = company.json("show", "--timeframe", "all")
    past = company.json("show", "--timeframe", "all", "--as-of", then.isoformat())
    assert past["as_of"] < now["as_of"]
    moved = 0
    for row, before in zip(now["initiatives"], past["initiatives"], strict=True):
        doc = company.json("explain", row["id"], "--since", then.isoformat())
        assert (doc["progress"], doc["before"]["progress"]) == (row["progress"], before["progress"])
        effects = fsum(change["effect"] for change in doc["changes"])
        assert effects == close((row["progress"] or 0) - (before["progress"] or 0))
        assert all(change["cause"] != "restated" for change in doc["changes"])
        moved += len(doc["changes"])
        days = {one["day"]: one for one in doc["burnup"]}
        if then.isoformat() in days:
            assert days[then.isoformat()]["progress"] == before["progress"]
            assert days[then.isoformat()]["scope"] == before["size_total"]
        assert doc["burnup"][-1]["progress"] == row["progress"]
    assert moved > 20
    assert company.asked() == []


def test_an_explanation_of_a_past_day_adds_up_to_what_show_says_of_it(company):
    then = (day_of(company) - MONTH).isoformat()
    past = company.json("show", "--timeframe", "all", "--as-of", then)
    for row in past["initiatives"][:4]:
        doc = company.json("explain", row["id"], "--as-of", then)
        assert doc["progress"] == row["progress"]
        assert fsum(one["effect"] for one in doc["inputs"]) == close(row["progress"])
    for kind in ("key_results", "objectives"):
        doc = company.json("explain", past[kind][0]["id"], "--as-of", then, "--since", "2020-01-01")
        assert fsum(one["effect"] for one in doc["changes"]) == close(doc["progress"])
    epic = company.json("explain", "MER-1", "--as-of", then)
    assert fsum(one["effect"] for one in epic["inputs"]) == close(epic["progress"])


def test_today_as_of_today_is_today(company):
    today = day_of(company).isoformat()
    now, same = company.json("show"), company.json("show", "--as-of", today)
    for name in ("objectives", "key_results", "initiatives"):
        assert [row["progress"] for row in now[name]] == [row["progress"] for row in same[name]]
        assert [row["health"] for row in now[name]] == [row["health"] for row in same[name]]


def test_what_was_shown_is_published_and_nothing_before_it(company):
    today = day_of(company)
    shown = company.json("show")
    told = company.json("show", "--as-published", today.isoformat())
    for name in ("objectives", "key_results", "initiatives"):
        published = {row["id"]: row for row in told[name]}
        assert {row["id"]: row["progress"] for row in shown[name]} == {
            id_: row["progress"] for id_, row in published.items() if id_ in {one["id"] for one in shown[name]}
        }
    assert {row["published"]["how"] for row in told["initiatives"]} == {"shown"}
    early = company.run("show", "--as-published", (today - MONTH).isoformat(), code=2)
    assert "Nothing had been published by" in early.words
    assert "as published then" in company.run("show", "--as-published", today.isoformat()).text


def test_what_was_sent_is_published_as_sent(published):
    today = day_of(published)
    told = published.json("show", "--as-published", today.isoformat(), "--timeframe", "all")
    sent = {row["id"] for row in told["initiatives"] if row["published"]["how"] == "sent"}
    assert sent == {f"I{n}" for n in range(1, 9)}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "--as-of", "2999-01-01"], "in the future"),
        (["show", "--as-of", "2026-01-01", "--as-published", "2026-01-01"], "name one of them"),
        (["explain", "I1", "--since", "2999-01-01"], "Nothing lies between"),
        (["explain", "MER-1", "--as-of", "2001-01-01"], "did not exist on 2001-01-01"),
        (["explain", "I1", "--as-of", "yesterday"], "yesterday"),
    ],
)
def test_days_that_mean_nothing_are_refused(company, arguments, said):
    assert said in company.run(*arguments, code=2).words


def test_a_page_for_people_says_what_changed_since_a_day(company):
    then = (day_of(company) - MONTH).isoformat()
    page = company.run("explain", "I1", "--since", then).text
    assert "What changed" in page
    assert "done" in page
