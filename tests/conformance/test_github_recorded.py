"""Payloads of GitHub that others recorded, and what they say the answer is: read in place, never copied here.

`shared/data/README.md` tells where each comes from and what to leave out of a comparison.
"""

import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Reading
from connectors.github.events import event_like
from connectors.github.parse import defaults, kind_of, parse, split
from connectors.github.webhook import verify, webhook
from domain.errors import PayloadError, SignatureError
from domain.work import Category, Delete, Ignored, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection
from sync.settle import Words, settle

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
DATA = SHARED / "data"
GITHUB = DATA / "github"

pytestmark = pytest.mark.skipif(not _TOLD and not DATA.exists(), reason="no shared data beside the repository")

CONNECTION = Connection(name="github", type="github", url="https://api.github.com", epics={"milestones": True})
ISSUES_ALONE = replace(CONNECTION, epics={})
READ = defaults(CONNECTION)
NOW = datetime(2026, 11, 22, tzinfo=UTC)


def lines(path: str) -> list[dict[str, Any]]:
    file = DATA / path
    if not _TOLD and not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rows(name: str) -> list[dict[str, Any]]:
    return lines(f"oracles/{name}.jsonl")


def of_github(name: str) -> list[dict[str, Any]]:
    return [row for row in rows(name) if row["system"] == "github"]


def items(payload: object, connection: Connection = ISSUES_ALONE) -> list[WorkItem]:
    changes = parse("items", json.dumps(payload).encode(), connection, READ).changes
    return [change.item for change in changes if isinstance(change, Upsert)]


def instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def pointed(row: dict[str, Any]) -> Any:
    """Follow a JSON pointer of an oracle; ``#N/…`` begins at line N."""
    steps = row["path"].split("/")
    file = row["file"]
    value: Any = (
        lines(file)[int(steps.pop(0)[1:])] if file.endswith(".jsonl") else json.loads((DATA / file).read_bytes())
    )
    for step in steps:
        if step:
            value = value[int(step)] if isinstance(value, list) else value[step]
    return value


# --- everything recorded is read, or knowingly is not

EXCHANGES = sorted(
    path for folder in ("rest/octokit-fixtures", "rest/pygithub", "graphql/pygithub")
    for path in (GITHUB / folder).glob("*.json")
)  # fmt: skip
CUT_TO_IDS = ("Issue33.testClosedIssues", "Issue33.testOpenIssues", "PaginatedList.testCustomPerPage")
LISTS_OF_EVENTS = ("Issue.testGetEvents", "Issue.testGetTimeline")


def is_issue(thing: Any) -> bool:
    return isinstance(thing, dict) and {"number", "title", "created_at", "labels"} <= thing.keys()


def is_pull_request(thing: dict[str, Any]) -> bool:
    return any((thing.get("pull_request") or {}).values())


def is_milestone(thing: Any) -> bool:
    return isinstance(thing, dict) and {"number", "title", "due_on", "open_issues"} <= thing.keys()


def things_in(answer: Any) -> list[Any]:
    if isinstance(answer, dict) and "total_count" in answer:
        return answer["items"]
    return answer if isinstance(answer, list) else [answer]


def test_all_recorded_exchanges_are_here():
    assert len(EXCHANGES) == 7 + 44 + 4


@pytest.mark.parametrize("path", EXCHANGES, ids=lambda path: path.stem)
def test_a_recorded_answer_is_read_or_known_to_be_none(path):
    for exchange in json.loads(path.read_bytes()):
        answer = exchange["response"]
        if path.parent.parent.name == "graphql":
            assert items(answer) == []  # discussions, organizations: no work
        elif path.stem in LISTS_OF_EVENTS or path.stem == "IssueEvent.setUp":
            assert kind_of(answer) == "history"
        elif things_in(answer) and all(is_issue(thing) for thing in things_in(answer)):
            expected = [thing for thing in things_in(answer) if not is_pull_request(thing)]
            found = items(answer)
            assert [(item.title, item.created_at) for item in found] == [
                (thing["title"], instant(thing["created_at"])) for thing in expected
            ]
            assert [item.id for item in found] == [t.get("node_id") or f"REST:{t['id']}" for t in expected]
            assert [item.category is Category.DONE for item in found] == [t["state"] == "closed" for t in expected]
            assert len(split("items", json.dumps(answer).encode())) == len(expected)
        elif things_in(answer) and all(is_milestone(thing) for thing in things_in(answer)):
            assert [item.title for item in items(answer, CONNECTION)] == [t["title"] for t in things_in(answer)]
            assert items(answer) == []
        elif answer != []:
            with pytest.raises(PayloadError):
                parse("items", answer if isinstance(answer, (dict, list)) else answer.encode(), CONNECTION, READ)


def test_lists_cut_down_to_ids_are_told_from_issues():
    for name in CUT_TO_IDS:
        for exchange in json.loads((GITHUB / "rest/pygithub" / f"{name}.json").read_bytes()):
            with pytest.raises(PayloadError, match="has no 'number'"):
                items(exchange["response"])


def test_issues_of_2012_are_issues_though_each_has_a_pull_request():
    seen = 0
    for path in EXCHANGES:
        for exchange in json.loads(path.read_bytes()):
            for thing in things_in(exchange["response"]):
                if (
                    is_issue(thing)
                    and thing["created_at"] < "2013"
                    and not any(thing.get("pull_request", {1: 1}).values())
                ):
                    assert len(items([thing])) == 1
                    assert items([thing])[0].assignees == tuple(a["login"] for a in thing.get("assignees") or ())
                    seen += 1
    assert seen == 75


# --- sub-issues, types, dependencies as they are recorded


def recorded(name: str, place: int) -> Any:
    return json.loads((GITHUB / "rest/pygithub" / f"{name}.json").read_bytes())[place]["response"]


def test_the_tree_of_sub_issues_is_read():
    tree = {
        item.key.rpartition("#")[2]: item for item in items(recorded("Repository.testGetIssuesWithTypeWildcard", 1))
    }
    above = {number: item.parent_key for number, item in tree.items()}
    home = "PyGithub/PyGithub#"
    assert above == {"3364": None, "3337": f"{home}3335", "3336": f"{home}3335", "3335": f"{home}28", "28": None}
    assert {number for number, item in tree.items() if item.level is Level.EPIC} == {"3335", "28"}
    assert [tree[n].type for n in ("3364", "3336", "3335")] == ["Bug", "Task", "Feature"]


def test_a_blocker_that_is_counted_alone_blocks_nobody():
    (blocked,) = items(recorded("IssueDependencies.testAddBlockedBy", 1))
    assert (blocked.key, blocked.blocked_by) == ("EnricoMi/PyGithub#24", ())


# --- oracles: issues

DEVLAKE = [line["data"] for line in lines("github/rest/devlake/issues.jsonl")]
PULL_REQUESTS = [0, 1, 5, 6, 8, 10, 11, 12, 13, 16, 20, 27, 33, 36, 37, 38]


def test_pull_requests_are_left_out():
    assert [number for number, issue in enumerate(DEVLAKE) if not items(issue)] == PULL_REQUESTS
    assert len(items(DEVLAKE)) == len(rows("github.devlake.issues")) == 26


@pytest.mark.parametrize("row", rows("github.devlake.issues"), ids=lambda row: row["key"])
def test_an_issue_is_what_devlake_says(row):
    issue = lines(row["file"])[row["line"]]["data"]
    (item,) = items(issue)
    assert (item.id, str(issue["id"])) == (issue["node_id"], row["id"])
    assert item.key == f"panjf2000/ants#{row['key']}"
    assert (item.status, item.resolution) == (row["status_original"], row["state_reason"])
    assert (item.created_at, item.updated_at) == (instant(row["created"]), instant(row["updated"]))
    assert (item.completed_at or item.canceled_at) == instant(row["resolved"])
    assert sorted(item.labels) == sorted(row["labels"])
    assert (item.estimate, item.parent_key) == (None, None)
    assert item.assignees == ((row["assignee"],) if row["assignee"] else ())
    lead = (instant(row["resolved"]) - item.created_at).total_seconds()
    assert int(lead // 60) == row["lead_time_minutes"]
    # DevLake knows no cancellation: what was not planned is done there
    expected = Category.CANCELED if row["state_reason"] in ("not_planned", "duplicate") else Category.DONE
    assert settle(item, Words(CONNECTION)).category is expected
    assert row["status_std"] == "DONE"


def test_a_milestone_of_another_repository_is_the_parent_where_milestones_are_epics():
    (row,) = rows("github.devlake.milestones")
    (milestone,) = items(lines("github/rest/devlake/milestones.jsonl")[0]["data"], CONNECTION)
    assert milestone.key == f"apache/incubator-devlake/milestone/{row['number']}"
    assert (milestone.title, milestone.status, milestone.completed_at) == (row["title"], row["state"], None)
    for item in items(DEVLAKE, CONNECTION):
        assert (item.parent_id, item.parent_key, item.milestone) == (milestone.id, milestone.key, milestone.title)


def test_pages_of_issues_are_in_the_order_that_is_told():
    (row,) = rows("github.octokit-fixtures.pagination")
    for file in (row["file"], row["normalized_file"]):
        answers = [exchange["response"] for exchange in json.loads((DATA / file).read_bytes())]
        pages = [items(answer) for answer in answers if isinstance(answer, list)]
        assert len(pages) == row["pages"]
        found = [int(item.key.rpartition("#")[2]) for page in pages for item in page]
        assert found == row["issue_numbers_in_order"]
        if file == row["file"]:  # the ids of the other are invented, and all the same
            assert len({item.id for page in pages for item in page}) == row["distinct"]


@pytest.mark.parametrize("row", of_github("tracker_rollups"), ids=lambda row: f"{row['id']}-{row['path']}")
def test_what_github_adds_up_is_an_epic_where_there_is_something_to_add(row):
    thing = pointed(row)
    if row["kind"] == "sub_issues_summary":
        (item,) = items(thing)
        assert item.level is (Level.EPIC if row["total"] else Level.ISSUE)
        assert (item.title, item.status) == (row["title"], row["state"])
        return
    (item,) = items(thing, CONNECTION)
    assert (item.level, item.title, item.status) == (Level.EPIC, row["title"], row["state"])
    assert item.key.endswith(f"/milestone/{row['key']}")
    assert item.due_date == (instant(row["due_on"]).date() if row["due_on"] else None)
    assert item.completed_at == instant(row["closed_at"])


# --- oracles: history


def test_events_are_the_ones_that_devlake_sees():
    events = {str(line["data"]["id"]): line["data"] for line in lines("github/rest/devlake/issue_events.jsonl")}
    parsed = parse("history", json.dumps(list(events.values())).encode(), CONNECTION, READ)
    seen = {
        (t.item_id, t.id.rpartition(".")[0], t.at, t.after)
        for t in parsed.transitions
        if t.field in ("status", "labels")
    }
    told = set()
    for row in rows("github.devlake.issue_events"):
        event = events[row["github_id"]]
        assert str(event["issue"]["id"]) == row["issue_id"]
        if row["type"] in ("closed", "labeled") and not is_pull_request(event["issue"]):
            after = "closed" if row["type"] == "closed" else event["label"]["name"]
            told.add((event["issue"]["node_id"], event["node_id"], instant(row["github_created_at"]), after))
    assert len(told) > 25
    assert seen == told
    assert parsed.history_of == ()


@pytest.mark.parametrize("name", LISTS_OF_EVENTS)
def test_a_recorded_list_of_events_is_read_once_its_issue_is_named(name):
    events = recorded(name, 0)
    with pytest.raises(PayloadError, match="does not say which issue"):
        parse("history", events, CONNECTION, READ)
    issue = recorded("Issue.setUp", 0)
    parsed = parse("history", {"issue": issue, "events": events}, CONNECTION, READ)
    told = Counter(event["event"] for event in events)
    assert Counter(t.field for t in parsed.transitions) == Counter(
        {name: count for name, count in (("labels", told["labeled"]), ("status", told["closed"])) if count}
    )
    assert parsed.history_of == (issue["node_id"],)


def test_single_events_are_read_with_the_issue_that_they_hold():
    seen = Counter()
    for exchange in json.loads((GITHUB / "rest/pygithub/IssueEvent.setUp.json").read_bytes()):
        event = exchange["response"]
        for transition in parse("history", event, CONNECTION, READ).transitions:
            seen[event["event"], transition.field] += 1
    assert seen == {("closed", "status"): 1, ("labeled", "labels"): 1}  # the others are about a pull request


# --- webhooks

WEBHOOKS = sorted((GITHUB / "webhooks").rglob("*.json"))


def delivered(path: Path) -> tuple[str, dict[str, Any]]:
    payload = json.loads(path.read_bytes())
    if path.parent.name == "github-for-jira":
        return payload["name"], payload["payload"]
    return path.parent.name, payload


def deliveries() -> Iterator[tuple[str, dict[str, Any]]]:
    return map(delivered, WEBHOOKS)


def test_all_recorded_webhooks_are_here():
    assert len(WEBHOOKS) == 77 + 3


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_recorded_webhook_becomes_its_change(path):
    event, delivery = delivered(path)
    body = json.dumps(delivery).encode()
    assert kind_of(delivery) == "webhook"
    assert event_like(delivery) == event
    changes = webhook(body, event, ISSUES_ALONE, READ).changes
    assert webhook(body, None, ISSUES_ALONE, READ).changes == changes
    if event == "issues":
        issue, action = delivery["issue"], delivery["action"]
        ref = ItemRef(connection="github", id=issue.get("node_id") or issue["id"])
        full_name = delivery["repository"].get("full_name")
        key = "/".join(issue["html_url"].split("/")[3:5]) + f"#{issue['number']}" if full_name else ""
        if is_pull_request(issue):
            assert changes == (Ignored(reason="a pull request is no work item"),)
        elif action == "transferred":
            there = delivery["changes"]["new_issue"]
            assert [type(change) for change in changes] == [Delete, Refetch]
            assert [change.ref.id for change in changes] == [ref.id, there["node_id"]]
        elif "old_issue" in delivery.get("changes", {}):
            assert [change.ref.id for change in changes] == [ref.id, delivery["changes"]["old_issue"]["node_id"]]
            assert all(isinstance(change, Refetch) for change in changes)
        else:
            change = Delete if action == "deleted" else Refetch
            assert changes == (change(ref=ref, key=key),)
    elif event == "projects_v2_item":
        item = delivery["projects_v2_item"]
        found = [change.ref.id for change in changes if isinstance(change, Refetch)]
        assert found == ([item["content_node_id"]] if item["content_type"] == "Issue" else [])
    elif event == "milestone" and delivery["action"] != "created":
        milestone = delivery["milestone"]
        ref = ItemRef(connection="github", id=f"milestone:{milestone['node_id']}")
        assert changes == (Refetch(ref=ref, key=f"milestone:{milestone['title']}"),)
        again = webhook(body, event, CONNECTION, READ).changes[0]
        assert again.ref.id == milestone["node_id"]
        assert isinstance(again, Delete) is (delivery["action"] == "deleted")
    else:
        assert all(isinstance(change, Ignored) and change.reason for change in changes)
        assert changes


def test_the_issue_in_a_webhook_is_read_as_any_other():
    seen = 0
    for event, delivery in deliveries():
        issue = delivery.get("issue", {})
        if event in ("issues", "issue_comment") and "created_at" in issue and not is_pull_request(issue):
            (item,) = items(issue)
            assert item.key == "/".join(issue["html_url"].split("/")[3:5]) + f"#{issue['number']}"
            seen += 1
    assert seen > 30


@pytest.mark.parametrize("row", of_github("webhook_signature_vectors"), ids=lambda row: row["expected"])
def test_signatures_are_checked_as_github_makes_them(row):
    headers, body = {row["header"]: row["expected"]}, row["payload"].encode("utf-8", "surrogatepass")
    if row["valid"]:
        verify(headers, body, row["secret"], NOW)
    else:
        with pytest.raises(SignatureError):
            verify(headers, body, row["secret"], NOW)


def test_our_own_account_changes_nothing_in_recorded_comments():
    reading = Reading(facts={}, account="Codertocat", digest="")
    for event, delivery in deliveries():
        if event == "issue_comment":
            (change,) = webhook(json.dumps(delivery).encode(), event, CONNECTION, reading).changes
            assert change == Ignored(reason="a comment changes nothing that counts")
