"""Everything in scope, once: the counts are the tracker's, the shapes are those that scripts rely on."""

import csv
import io
import json

import pytest

from app.demo.site import STATUSES

CATEGORY = {"new": "todo", "indeterminate": "in_progress", "done": "done"}
FORECAST = {"p50", "p85", "p95", "probability", "state", "indicative"}
ITEM = {
    "connection", "tracker", "id", "key", "url", "title", "type", "level", "status", "category", "stage",
    "resolution", "estimate", "parent_id", "parent_key", "containers", "project", "labels", "assignees", "team",
    "sprint", "milestone", "created_at", "updated_at", "started_at", "completed_at", "canceled_at", "start_date",
    "due_date", "archived", "deleted", "inaccessible", "fields", "dimensions", "links",
}  # fmt: skip
EPIC = {
    "connection", "id", "key", "title", "category", "counts", "size_total", "size_done", "points_total", "points_done",
    "unestimated", "progress", "state", "health",
}  # fmt: skip
OBJECTIVE = {
    "id", "title", "timeframe", "parent", "progress", "state", "health", "health_reasons", "overlays", "coverage",
    "flags", "override", "key_results",
}  # fmt: skip
KEY_RESULT = {
    "id", "objective", "title", "progress", "score_basis", "outcome_progress", "delivery_progress", "state", "health",
    "health_reasons", "overlays", "flags", "override", "coverage", "counts", "baseline_progress", "scope_change",
    "forecast", "initiatives",
}  # fmt: skip
INITIATIVE = {
    "id", "title", "progress", "state", "health", "health_reasons", "overlays", "flags", "override", "counts",
    "size_total", "size_done", "unestimated", "estimated_coverage", "baseline_progress", "scope_change", "forecast",
    "start", "due",
}  # fmt: skip
EXPLAIN = {"id", "kind", "progress", "formula", "inputs", "excluded", "changes", "complete_to"}
STATES = {
    "ok", "no_data", "no_scope", "no_baseline", "no_dates", "insufficient_history", "no_finish_date", "invalid",
}  # fmt: skip
HEALTH = {
    "on_track", "at_risk", "off_track", "achieved", "missed", "not_started", "paused", "canceled", "unknown",
}  # fmt: skip


def category(site, issue):
    if issue.status == "Won't Do":
        return "canceled"
    return CATEGORY[site.statuses[issue.status].category]


def as_of_nothing(doc):
    """The same answer without the moment at which it was given."""
    return {name: value for name, value in doc.items() if name != "as_of"}


def test_a_backfill_reads_every_issue_with_its_history_and_says_so(pulled):
    ended = pulled[2]
    (row,) = ended.doc["connections"]
    assert (row["connection"], row["items"], row["read"], row["expected"]) == ("jira-demo", 470, 470, 470)
    assert (row["history"], row["parked"], row["error"]) == (470, 0, None)
    assert (row["deleted"], row["moved"], row["inaccessible"]) == (0, 0, 0)
    assert row["complete_to"].endswith("Z")
    assert ended.err == ""


def test_every_exported_item_is_the_trackers_own(company):
    site, lines = company.site, company.run("export", "items").lines
    assert len(lines) == len(site.issues) == 470
    assert [item["id"] for item in lines] == sorted(item["id"] for item in lines)
    for item in lines:
        issue = site.issues[int(item["id"])]
        assert item.keys() >= ITEM
        assert (item["connection"], item["tracker"]) == ("jira-demo", "jira")
        assert (item["key"], item["title"], item["status"]) == (issue.key, issue.summary, issue.status)
        assert item["category"] == category(site, issue)
        assert item["stage"] == ("review" if issue.status == "In Review" else None)
        assert item["estimate"] == issue.points
        assert item["team"] == issue.team
        assert item["parent_id"] == (str(issue.parent) if issue.parent else None)
        assert item["parent_key"] == (site.issues[issue.parent].key if issue.parent else None)
        assert item["level"] == {1: "epic", 0: "issue", -1: "subtask"}[site.types[issue.type].level]
        assert item["url"] == f"{company.tracker.url}/browse/{issue.key}"
        assert all(link.keys() >= {"initiative", "rule", "inherited_from"} for link in item["links"])
        assert (item["completed_at"] is not None) == (item["category"] == "done")
        assert (item["canceled_at"] is not None) == (item["category"] == "canceled")
        assert item["created_at"].endswith("Z")


def test_show_has_every_key_that_scripts_rely_on(company):
    doc = company.json("show")
    assert doc.keys() >= {"workspace", "as_of", "complete_to", "objectives", "key_results", "initiatives", "unlinked"}
    assert doc["workspace"] == "demo"
    assert doc["as_of"].endswith("Z")
    assert doc["complete_to"].endswith("Z")
    assert doc["unlinked"] == {"epics": 4, "items": 50}
    for rows, keys in (("objectives", OBJECTIVE), ("key_results", KEY_RESULT), ("initiatives", INITIATIVE)):
        for row in doc[rows]:
            assert row.keys() >= keys, (row["id"], keys - row.keys())
            assert row["state"] in STATES
            assert row["health"] in HEALTH
            assert set(row["overlays"]) <= {"stale", "blocked", "divergence", "partial_coverage"}
            assert row["progress"] is None or 0 <= row["progress"] <= 1
            if rows != "objectives":
                assert row["forecast"].keys() >= FORECAST
                assert row["counts"].keys() >= {"todo", "in_progress", "done", "canceled"}
    assert [row["id"] for row in doc["objectives"]] == ["O1", "O2", "O3"]
    assert doc["objectives"][0]["key_results"] == ["KR1", "KR2", "KR3"]
    assert doc["key_results"][0]["initiatives"] == [{"id": "I1", "share": 0.6}, {"id": "I2", "share": 0.4}]


def test_the_numbers_are_those_of_the_work(company):
    company_of = {"I1": (51, 70), "I2": (36, 50), "I3": (29, 40), "I5": (23, 36), "I6": (42, 50), "I7": (13, 44)}
    by_id = {row["id"]: row for row in company.json("show")["initiatives"]}
    for id_, (done, items) in company_of.items():
        assert by_id[id_]["counts"]["done"] == done
        assert by_id[id_]["progress"] == pytest.approx(done / items)
        assert (by_id[id_]["size_total"], by_id[id_]["size_done"]) == (items, done)
    assert by_id["I8"]["counts"]["canceled"] == 6
    assert by_id["I8"]["progress"] == pytest.approx(10 / 24)
    assert by_id["I4"]["scope_change"] > 0.3


@pytest.mark.parametrize("kind", ["objectives", "key_results", "initiatives"])
def test_the_effects_of_explain_sum_to_the_number(company, kind):
    shown = {row["id"]: row["progress"] for row in company.json("show")[kind]}
    assert len(shown) >= 3
    for id_, progress in shown.items():
        doc = company.json("explain", id_)
        assert doc.keys() >= EXPLAIN
        assert (doc["id"], doc["kind"]) == (id_, kind.removesuffix("s"))
        assert doc["progress"] == progress
        assert sum(one["effect"] for one in doc["inputs"]) == pytest.approx(progress)
        assert all(one.keys() >= {"id", "key", "reason"} for one in doc["excluded"])
        if kind == "initiatives":
            assert all(one.keys() >= {"id", "key", "size", "credit", "share", "rule"} for one in doc["inputs"])


def test_explain_of_an_epic_says_what_export_epics_says(company):
    epics = {epic["key"]: epic for epic in company.run("export", "epics").lines}
    assert len(epics) == 40
    for key in ("PAY-1", "MER-1"):
        doc = company.json("explain", key)
        assert doc["progress"] == epics[key]["progress"]
        assert sum(one["effect"] for one in doc["inputs"]) == pytest.approx(doc["progress"])
        assert company.json("explain", f"jira-demo:{key}")["progress"] == doc["progress"]


def test_an_epics_counts_are_its_own_children(company):
    site = company.site
    for epic in company.run("export", "epics").lines:
        assert epic.keys() >= EPIC
        children = [issue for issue in site.issues.values() if str(issue.parent) == epic["id"]]
        found = [category(site, issue) for issue in children]
        assert epic["counts"] == {name: found.count(name) for name in ("todo", "in_progress", "done", "canceled")}
        alive = [issue for issue in children if category(site, issue) != "canceled"]
        assert epic["points_total"] == sum(issue.points or 0 for issue in alive)
        assert epic["unestimated"] == sum(issue.points is None for issue in alive)
        assert epic["progress"] == pytest.approx(found.count("done") / len(alive))


def test_history_holds_every_status_change_that_the_tracker_knows(company):
    site = company.site
    names = {state.name for state in STATUSES}
    expected = {
        (str(issue.id), entry.before_text, entry.after_text)
        for issue in site.issues.values()
        for history in issue.histories
        for entry in history.items
        if entry.field == "status"
    }
    lines = company.run("export", "history").lines
    told = {(one["item_id"], one["before"], one["after"]) for one in lines if one["field"] == "status"}
    assert told == expected
    assert {after for _, _, after in told} <= names
    assert all(one["at"].endswith("Z") for one in lines)
    started = {issue_id for issue_id, _, after in told if after == "In Progress"}
    assert {item["id"] for item in company.run("export", "items").lines if item["started_at"]} >= started


@pytest.mark.parametrize("what", ["items", "epics", "history", "initiatives", "key-results", "check-ins", "links"])
def test_csv_holds_the_records_of_jsonl(company, what):
    lines = company.run("export", what).lines
    table = list(csv.DictReader(io.StringIO(company.run("export", what, "--format", "csv").text)))
    assert len(table) == len(lines) > 0
    assert list(table[0]) == list(lines[0])
    for row, line in zip(table, lines, strict=True):
        for name, value in line.items():
            if isinstance(value, dict | list):
                assert json.loads(row[name]) == value
            elif value is None:
                assert row[name] == ""
            elif isinstance(value, str):
                assert row[name].removeprefix("'") == value.removeprefix("'")


def test_a_text_that_would_be_a_formula_is_only_text_in_csv(company):
    issue = company.site.find("PAY-30")
    company.site.change(issue, summary="=1+1")
    company.run("sync", "--no-publish")
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(company.run("export", "items", "--format", "csv").text))
        if row["key"] == "PAY-30"
    ]
    assert row["title"] == "'=1+1"


def test_two_exports_of_one_state_are_the_same_bytes_and_a_rebuild_changes_none(company):
    exported, shown = company.run("export", "all").out, company.json("show")
    assert company.run("export", "all").out == exported
    assert company.json("rebuild")["key_results"] == 7
    assert company.run("export", "all").out == exported
    again = company.json("show")
    assert as_of_nothing(again).keys() == as_of_nothing(shown).keys()
    for rows in ("objectives", "key_results", "initiatives", "unlinked", "complete_to"):
        assert timeless(again[rows]) == timeless(shown[rows])
    assert company.asked() == []


def timeless(rows):
    """Without what moves with the clock by itself: how much is expected by now."""
    if not isinstance(rows, list):
        return rows
    return [{name: value for name, value in row.items() if name != "expected"} for row in rows]


def test_a_backfill_of_what_is_there_already_changes_nothing(company):
    before = company.run("export", "items").out
    (row,) = company.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (470, None)
    assert company.run("export", "items").out == before


def test_without_history_the_numbers_are_there_and_the_past_is_not(empty):
    (row,) = empty.json("backfill", "--no-history")["connections"]
    assert (row["items"], row["history"]) == (470, 0)
    assert empty.asked("/changelog/bulkfetch") == []
    assert empty.run("export", "history").out == b""
    assert {row["id"]: row["progress"] for row in empty.json("show")["initiatives"]}["I1"] == pytest.approx(51 / 70)


def test_only_one_connection_is_pulled_where_one_is_named(empty):
    (row,) = empty.json("backfill", "--connection", "jira-demo", "--no-history")["connections"]
    assert row["connection"] == "jira-demo"
    ended = empty.run("backfill", "--connection", "jira-dmeo", code=2)
    assert "There is no connection 'jira-dmeo'" in ended.words
    assert "jira-demo" in ended.words
