"""Jira's recorded bodies, and what other projects say is in them: everything is read, and the answers agree.

The data lies beside the repository (or where KEYRAIL_SHARED points) and is read in place.
"""

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Parsed, Reading
from connectors.jira.parse import defaults, parse
from connectors.jira.webhook import webhook
from domain.work import Category, Delete, Ignored, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
DATA = SHARED / "data"

pytestmark = pytest.mark.skipif(not _TOLD and not DATA.exists(), reason="no shared data beside the repository")

JIRA = Connection(name="jira", type="jira", url="https://jira.example")
FIELDS = {
    "estimate": "customfield_10024",
    "sprint": "customfield_10020",
    "epic_link": "customfield_10014",
    "parent_link": "customfield_10018",
    "start_date": "customfield_10015",
    "extra": {},
}
READ = Reading(facts={"site": "https://jira.example", "fields": FIELDS, "types": {}}, account="", digest="")

CATEGORY_OF = {"DONE": Category.DONE, "TODO": Category.TODO, "IN_PROGRESS": Category.IN_PROGRESS}


def lines(path: str) -> list[dict[str, Any]]:
    file = DATA / path
    if not _TOLD and not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rows(name: str) -> list[dict[str, Any]]:
    return lines(f"oracles/{name}.jsonl")


def issue_at(row: dict[str, Any]) -> dict[str, Any]:
    return lines(row["file"])[row["line"]]["data"]


def one(issue: dict[str, Any], reading: Reading = READ) -> WorkItem:
    (change,) = parse("items", json.dumps(issue).encode(), JIRA, reading).changes
    assert isinstance(change, Upsert)
    return change.item


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- everything recorded is read


def recorded_issues() -> Iterator[tuple[str, dict[str, Any]]]:
    for name in ("issues", "issues_due_date", "issues_server_with_links"):
        for number, line in enumerate(lines(f"jira/rest/devlake/{name}.jsonl")):
            yield f"{name}#{number}", line["data"]
    for file in ("go-jira/issues_in_sprint.json", "hack-jira-cfd/jira-jql-query-response-fixture.json"):
        path = DATA / "jira" / "rest" / file
        if path.exists() or _TOLD:
            for issue in json.loads(path.read_bytes())["issues"]:
                yield f"{path.stem}#{issue['key']}", issue


ISSUES = dict(recorded_issues())


def test_all_recorded_issues_are_here():
    assert len(ISSUES) == 33 + 1 + 22 + 1 + 3


@pytest.mark.parametrize("name", ISSUES)
@pytest.mark.parametrize("reading", [READ, defaults(JIRA)], ids=["discovered", "guessed"])
def test_a_recorded_issue_is_read(name, reading):
    issue = ISSUES[name]
    item = one(issue, reading)
    fields = issue["fields"]
    assert (item.id, item.key, item.title) == (issue["id"], issue["key"], fields.get("summary", ""))
    assert item.type == fields["issuetype"]["name"]
    assert (item.level is Level.SUBTASK) is fields["issuetype"]["subtask"]
    assert item.status == fields["status"]["name"]
    assert "unmapped_status" not in item.flags
    assert item.updated_at == instant(fields["updated"])
    assert item.labels == tuple(fields["labels"])


@pytest.mark.parametrize(
    "file", ["go-jira/issues_in_sprint.json", "hack-jira-cfd/jira-jql-query-response-fixture.json"]
)
def test_a_recorded_page_is_read_whole(file):
    body = (DATA / "jira" / "rest" / file).read_bytes()
    changes = parse("items", body, JIRA, READ).changes
    assert [change.item.key for change in changes] == [issue["key"] for issue in json.loads(body)["issues"]]


@pytest.mark.parametrize(
    "file",
    ["jira-changelog-response-fixture.json", "jira-changelog-response-without-in-progress.fixture.json"],
)
def test_a_recorded_changelog_page_is_read_once_its_issue_is_named(file):
    page = json.loads((DATA / "jira" / "rest" / "hack-jira-cfd" / file).read_bytes())
    parsed = parse("history", json.dumps({"issueId": "15398", **page}).encode(), JIRA, READ)
    told = [item for entry in page["values"] for item in entry["items"] if item["field"] == "status"]
    seen = [(t.before, t.after) for t in parsed.transitions if t.field == "status"]
    assert seen == [(item["fromString"], item["toString"]) for item in told]
    assert seen
    assert parsed.history_of == (("15398",) if page["total"] == len(page["values"]) else ())


def test_recorded_changelog_entries_are_read_issue_by_issue():
    entries: dict[str, list[Any]] = {}
    for line in lines("jira/rest/devlake/issue_changelogs.jsonl"):
        entries.setdefault(str(line["input"]["issue_id"]), []).append(line["data"])
    logs = [{"issueId": id, "changeHistories": entries} for id, entries in entries.items()]
    parsed = parse("history", json.dumps({"issueChangeLogs": logs}).encode(), JIRA, READ)
    assert parsed.history_of == tuple(entries)
    told = sum(item["field"] == "status" for found in entries.values() for entry in found for item in entry["items"])
    assert sum(t.field == "status" for t in parsed.transitions) == told > 0
    for id in entries:
        times = [t.at for t in parsed.transitions if t.item_id == id]
        assert times == sorted(times)


# --- oracles: issues


def is_flagged(row: dict[str, Any]) -> bool:
    """Five rows were edited by hand: the category's key says "new", its id and the resolution say done."""
    return bool(row["flags"])


@pytest.mark.parametrize("row", rows("jira.devlake.issues"), ids=lambda row: row["key"])
def test_an_issue_is_what_devlake_says(row):
    issue = issue_at(row)
    item = one(issue)
    assert (item.id, item.key, item.type) == (row["id"], row["key"], row["type"])
    assert (item.level is Level.SUBTASK) is row["is_subtask"]
    assert item.status == row["status_original"]
    assert (item.created_at, item.updated_at) == (instant(row["created"]), instant(row["updated"]))
    assert (item.parent_id, item.parent_key) == (row["parent_id"], row["parent_key"])
    assert sorted(item.labels) == sorted(row["labels"])
    assert item.assignees == ((row["assignee"],) if row["assignee"] else ())
    assert [c for c in item.containers if c.startswith("version:")] == (
        [f"version:{name}" for name in row["fix_versions"].split(",")] if row["fix_versions"] else []
    )
    if row["original_estimate_minutes"] is not None:
        assert item.time_estimate == row["original_estimate_minutes"] * 60
    if issue["fields"].get("customfield_10024") is not None:  # DevLake writes 0 for none
        points = row["story_points"]
        assert item.estimate == (points if points >= 0 else None)
        assert ("bad_estimate" in item.flags) is (points < 0)
    if not is_flagged(row):
        assert item.vendor_category is CATEGORY_OF[row["status_std"]]
        if row["resolved"]:
            assert item.status_changed_at == instant(row["resolved"])


@pytest.mark.parametrize("row", rows("jira.devlake.external_epics"), ids=lambda row: row["key"])
def test_an_epic_is_found_by_parent_and_by_link(row):
    issue = issue_at(row)
    for left_out in ((), ("parent",)):
        kept = {name: value for name, value in issue["fields"].items() if name not in left_out}
        item = one({**issue, "fields": kept})
        expected = row["epic_key"]
        assert item.parent_key == expected
        assert item.parent_id == (row["parent_id"] if not left_out else None)
    assert item.vendor_category is CATEGORY_OF[row["status_std"]]


def test_sprints_are_named_as_the_board_names_them():
    names = {int(row["sprint_id"]): row["name"] for row in rows("jira.devlake.sprints")}
    compared = 0
    for row in [*rows("jira.devlake.issues"), *rows("jira.devlake.external_epics")]:
        issue = issue_at(row)
        item = one(issue)
        ids = [sprint["id"] for sprint in issue["fields"].get("customfield_10020") or []]
        known = [f"sprint:{names[id]}" for id in ids if id in names]
        assert [c for c in item.containers if c in known] == known
        compared += len(known)
    assert compared > 20


def test_a_due_date_is_read_from_the_field_that_holds_it():
    (row,) = rows("jira.devlake.due_date")
    issue = issue_at(row)
    assert one(issue).due_date is not None
    assert one(issue).due_date.isoformat() == "2025-03-09"
    elsewhere = Reading(
        facts={**READ.facts, "fields": {**FIELDS, "due_date": "customfield_10003"}}, account="", digest=""
    )
    due = one(issue, elsewhere).due_date
    assert due.isoformat() == "2025-03-04"
    assert row["due_date"].startswith("2025-03-03T16:00")  # midnight at +08:00, which DevLake writes as UTC


def test_blockers_are_those_of_the_recorded_links():
    told: dict[str, list[str]] = {}
    for row in rows("jira.devlake.issue_links"):
        if row["inward"] == "is blocked by" and row["inward_issue_key"]:
            told.setdefault(row["issue_id"], []).append(row["inward_issue_id"])
    assert len(told) == 3
    for line in lines("jira/rest/devlake/issues_server_with_links.jsonl"):
        item = one(line["data"])
        assert list(item.blocked_by) == told.get(item.id, [])


def test_statuses_fall_into_the_categories_that_devlake_sees():
    raw = {line["data"]["id"]: line["data"] for line in lines("jira/rest/devlake/statuses.jsonl")}
    table = {"new": Category.TODO, "indeterminate": Category.IN_PROGRESS, "done": Category.DONE}
    base = dict(ISSUES["issues#1"])
    for row in rows("jira.devlake.statuses"):
        item = one({**base, "fields": {**base["fields"], "status": raw[row["id"]]}})
        assert (item.status, item.vendor_category) == (row["name"], table[row["status_category"]])
    for status in raw.values():  # those of team-managed projects too, which DevLake leaves out
        assert "unmapped_status" not in one({**base, "fields": {**base["fields"], "status": status}}).flags


def test_types_stand_on_the_levels_that_devlake_sees():
    for row in rows("jira.devlake.issue_types"):
        base = ISSUES["issues#1"]
        kind = {"id": row["id"], "name": row["name"], "hierarchyLevel": int(row["hierarchy_level"])}
        level = one({**base, "fields": {**base["fields"], "issuetype": kind}}).level
        assert (level is Level.SUBTASK) is (row["subtask"] == "1")
        without = {"id": row["id"], "name": row["name"]}
        types = {row["id"]: {"name": row["name"], "level": int(row["hierarchy_level"])}}
        reading = Reading(facts={**READ.facts, "types": types}, account="", digest="")
        assert one({**base, "fields": {**base["fields"], "issuetype": without}}, reading).level is level


def test_time_estimates_add_up_to_the_totals_of_jira():
    """The total of an issue alone is logged plus remaining time: its estimate, where nobody has begun."""
    compared = 0
    for row in rows("tracker_rollups"):
        if row["system"] != "jira" or not row["file"].startswith("jira/rest/devlake/issues.jsonl"):
            continue
        number = int(row["path"].split("/")[0].removeprefix("#"))
        issue = lines(row["file"])[number]["data"]
        fields = issue["fields"]
        alone = not fields.get("subtasks") and fields.get("aggregateprogress") == fields.get("progress")
        untouched = fields.get("timeestimate") == fields.get("timeoriginalestimate") and not fields.get("timespent")
        if alone and untouched and fields.get("timeoriginalestimate"):
            assert one(issue).time_estimate == row["total"]
            compared += 1
    assert compared > 0


# --- oracles: history

FOLLOWED = {
    "status": "status",
    "resolution": "resolution",
    "Sprint": "sprint",
    "Epic Link": "parent",
    "Parent": "parent",
    "IssueParentAssociation": "parent",
    "issuetype": "type",
    "labels": "labels",
    "project": "project",
    "Key": "key",
}


def test_histories_hold_the_items_that_devlake_sees():
    seen = []
    for number in range(30):
        parsed: Parsed = parse("history", json.dumps(ISSUES[f"issues#{number}"]).encode(), JIRA, READ)
        assert parsed.history_of == (ISSUES[f"issues#{number}"]["id"],)
        for t in parsed.transitions:
            seen.append((t.item_id, t.id.split(".")[0], t.at, t.field, t.before_id, t.before, t.after_id, t.after))
    told = [
        (
            row["issue_id"], row["changelog_id"], instant(row["created"]), FOLLOWED[row["field"]],
            row["from_value"] or None, row["from_string"] or None, row["to_value"] or None, row["to_string"] or None,
        )
        for row in rows("jira.devlake.changelog_items")
        if row["field"] in FOLLOWED
    ]  # fmt: skip
    assert len(told) > 200
    assert sorted(seen, key=repr) == sorted(told, key=repr)


def test_each_transition_is_unique_within_its_issue():
    for name, issue in ISSUES.items():
        if "changelog" in issue:
            ids = [t.id for t in parse("history", json.dumps(issue).encode(), JIRA, READ).transitions]
            assert len(ids) == len(set(ids)), name


# --- webhooks

WEBHOOKS = sorted((DATA / "jira" / "webhooks" / "mattermost").glob("*.json"))


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: path.stem)
def test_a_recorded_webhook_becomes_its_change(path):
    delivery = json.loads(path.read_bytes())
    (change,) = webhook(path.read_bytes(), None, JIRA, READ).changes
    event = delivery["webhookEvent"]
    if event.startswith("comment_"):
        assert isinstance(change, Ignored)
        return
    ref = ItemRef(connection="jira", id=delivery["issue"]["id"])
    kind = Delete if event == "jira:issue_deleted" else Refetch
    assert change == kind(ref=ref, key=delivery["issue"]["key"])


def test_all_recorded_webhooks_are_here():
    assert len(WEBHOOKS) == 55


def is_empty_update(delivery: dict[str, Any]) -> bool:
    """An update that does not say what changed: Mattermost has nothing to tell, we read the issue again."""
    items = (delivery.get("changelog") or {}).get("items")
    return delivery["webhookEvent"] == "jira:issue_updated" and not items and "comment" not in delivery


def is_comment(delivery: dict[str, Any]) -> bool:
    """A comment event: Mattermost shows it, for us it changes nothing that counts."""
    return delivery["webhookEvent"].startswith("comment_")


@pytest.mark.parametrize(
    "row", rows("jira.mattermost.webhook_classification"), ids=lambda row: row["test"].replace(" ", "-")
)
def test_a_webhook_concerns_the_issue_that_mattermost_names(row):
    body = (DATA / row["file"]).read_bytes()
    delivery = json.loads(body)
    (change,) = webhook(body, None, JIRA, READ).changes
    if row["expected_ignored"] and not is_empty_update(delivery):
        assert isinstance(change, Ignored)
    if not row["expected_ignored"] and not is_comment(delivery):
        assert not isinstance(change, Ignored)
        assert f"{change.key}" in row["expected_headline"]
        assert isinstance(change, Delete) is (row["expected_action"] == "deleted")
