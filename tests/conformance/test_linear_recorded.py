"""Linear's recorded bodies, and what other projects say is in them: all is read or knowingly not, and answers agree.

The data lies beside the repository (or where KEYRAIL_SHARED points) and is read in place. DevLake's objects and the
command line's answers are synthetic; the webhooks were recorded in 2021.
"""

import json
import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Parsed, Reading
from connectors.linear.parse import defaults, kind_of, parse
from connectors.linear.webhook import IGNORED, delivery_id, verify, webhook
from domain.errors import PayloadError, SignatureError, StaleDeliveryError
from domain.work import Category, Change, Ignored, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection
from sync.settle import category_in

_TOLD = os.environ.get("KEYRAIL_SHARED")
SHARED = Path(_TOLD) if _TOLD else Path(__file__).parents[2].parent / "shared"
DATA = SHARED / "data"
DEVLAKE = "linear/graphql/devlake"

pytestmark = pytest.mark.skipif(not _TOLD and not DATA.exists(), reason="no shared data beside the repository")

LINEAR = Connection(name="linear", type="linear", url="https://linear.example/graphql")
BARE = defaults(LINEAR)

CATEGORY_OF = {"DONE": Category.DONE, "TODO": Category.TODO, "IN_PROGRESS": Category.IN_PROGRESS}


def lines(path: str) -> list[dict[str, Any]]:
    file = DATA / path
    if not _TOLD and not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def rows(name: str) -> list[dict[str, Any]]:
    return lines(f"oracles/{name}.jsonl")


def as_linear(value: Any) -> Any:
    """Give the keys of DevLake's objects, which are names of Go fields, back their first letter."""
    if isinstance(value, list):
        return [as_linear(entry) for entry in value]
    if isinstance(value, dict):
        return {key[:1].lower() + key[1:]: as_linear(entry) for key, entry in value.items()}
    return value


def devlake(name: str) -> list[dict[str, Any]]:
    return [as_linear(line["data"]) for line in lines(f"{DEVLAKE}/{name}.jsonl")]


def discovered() -> Reading:
    """Return what discovery would have found out about the team of DevLake's objects."""
    states = {state["id"]: [state["name"], state["type"]] for state in devlake("workflow_states")}
    return Reading(facts={"statuses": states}, account="", digest="")


def as_asked(issue: dict[str, Any]) -> dict[str, Any]:
    """Return an issue with what our documents ask of its cycle and its assignee; DevLake's have their ids alone."""
    things = {thing["id"]: thing for thing in (*devlake("cycles"), *devlake("accounts"))}
    return {**issue, **{name: issue[name] and things[issue[name]["id"]] for name in ("cycle", "assignee")}}


def issue_at(row: dict[str, Any]) -> dict[str, Any]:
    return as_linear(lines(row["file"])[row["line"]]["data"])


def one(node: dict[str, Any], reading: Reading = BARE) -> WorkItem:
    (change,) = parse("items", json.dumps(node).encode(), LINEAR, reading).changes
    assert isinstance(change, Upsert)
    return change.item


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


# --- issues of DevLake

ISSUES = [
    *rows("linear.devlake.issues"),
    *rows("linear.devlake.issues_negative_leadtime"),
    *rows("linear.devlake.issues_history_leadtime"),
    *rows("linear.devlake.issues_incident"),
]


def test_all_issues_are_here():
    assert len(ISSUES) == 5 + 1 + 5 + 5
    assert [len(devlake(name)) for name in ("issues", "issues_long_title", "issues_negative_leadtime")] == [5, 1, 1]


@pytest.mark.parametrize("row", ISSUES, ids=lambda row: row["key"])
@pytest.mark.parametrize("known", [True, False], ids=["discovered", "bare"])
def test_an_issue_is_what_devlake_says(row, known):
    issue = issue_at(row)
    item = one(issue, discovered() if known else BARE)
    assert (item.id, item.key, item.level) == (row["id"], row["key"], Level.ISSUE)
    assert item.status == row["status_original"]
    assert item.estimate == row["story_points"]
    assert (item.created_at, item.updated_at) == (instant(row["created"]), instant(row["updated"]))
    assert list(item.labels) == row["labels"]
    assert (item.parent_id, item.parent_key) == (None, row["parent_key"])
    assert (item.project, item.flags) == ("ENG", ())
    ended = item.completed_at or item.canceled_at
    assert ended == (instant(row["resolved"]) if row["resolved"] else None)


@pytest.mark.parametrize("row", ISSUES, ids=lambda row: row["key"])
def test_a_category_is_devlakes_but_for_canceled_which_devlake_counts_as_done(row):
    canceled = row["state_type"] == "canceled"
    assert one(issue_at(row)).vendor_category is (Category.CANCELED if canceled else CATEGORY_OF[row["status_std"]])


def minutes(span: timedelta) -> int | None:
    """DevLake's whole minutes, cut; empty where the end comes before the start."""
    return int(span.total_seconds() // 60) if span >= timedelta() else None


@pytest.mark.parametrize("row", ISSUES[:6], ids=lambda row: row["key"])
def test_the_lead_time_follows_from_the_dates(row):
    item = one(issue_at(row))
    ended = item.completed_at or item.canceled_at
    assert (minutes(ended - item.created_at) if ended else None) == row["lead_time_minutes"]


def test_a_long_title_is_kept_whole():
    (issue,) = devlake("issues_long_title")
    assert one(issue).title == issue["title"]
    assert len(issue["title"]) > 255


def test_the_sprint_of_an_issue_is_the_cycle_that_devlake_puts_it_in():
    names = {row["id"]: row["name"] for row in rows("linear.devlake.sprints")}
    told = {row["issue_id"].rpartition(":")[2]: names[row["sprint_id"]] for row in rows("linear.devlake.sprint_issues")}
    assert len(told) == 2
    found = [one(as_asked(issue)) for issue in devlake("issues")]
    assert {item.id: item.sprint for item in found if item.sprint} == told
    assert one(devlake("issues")[0]).sprint is None


def test_cycles_are_called_what_devlake_calls_them():
    numbered = {row["id"]: row for row in rows("linear.devlake.cycles")}
    called = {row["id"].rpartition(":")[2]: row["name"] for row in rows("linear.devlake.sprints")}
    assert len(called) == 2
    for cycle in devlake("cycles"):
        assert str(cycle["number"]) == numbered[cycle["id"]]["number"]
        assert one({**devlake("issues")[0], "cycle": cycle}).sprint == called[cycle["id"]]


def test_states_fall_into_the_categories_of_their_types():
    told = {row["id"]: row for row in rows("linear.devlake.workflow_states")}
    base = devlake("issues")[0]
    assert len(told) == 5
    for state in devlake("workflow_states"):
        item = one({**base, "state": state})
        assert (item.status, state["type"]) == (told[state["id"]]["name"], told[state["id"]]["type"])
        assert item.vendor_category is category_in(state["type"], "linear")
        assert "unmapped_status" not in item.flags


def test_people_are_known_by_their_e_mail_address():
    people = {user["id"]: user["email"] for user in devlake("accounts")}
    for issue in devlake("issues"):
        assignee = issue["assignee"]
        assert one(as_asked(issue)).assignees == ((people[assignee["id"]],) if assignee else ())


# --- history


def test_a_history_holds_what_devlake_sees():
    told: dict[str, list[dict[str, Any]]] = {}
    for line in lines(f"{DEVLAKE}/issue_history.jsonl"):
        told.setdefault(line["input"]["issueId"], []).append(as_linear(line["data"]))
    nodes = [{"id": id, "history": {"nodes": entries}} for id, entries in told.items()]
    body = {"data": {"issues": {"nodes": nodes}}}
    assert kind_of(body) == "history"
    parsed = parse("history", json.dumps(body).encode(), LINEAR, BARE)
    assert parsed.history_of == tuple(told)
    seen = [(t.item_id, t.id, t.field, t.before, t.after, t.at) for t in parsed.transitions]
    assert seen == [
        (
            row["issue_id"].rpartition(":")[2], row["id"].rpartition(":")[2] + ".0", row["field_name"],
            row["original_from_value"], row["original_to_value"], instant(row["created_date"]),
        )
        for row in rows("linear.devlake.issue_changelogs")
    ]  # fmt: skip
    assert len(seen) == 3
    for t, row in zip(parsed.transitions, rows("linear.devlake.issue_changelogs"), strict=True):
        sides = [category_in(discovered().facts["statuses"][id], "linear") for id in (t.before_id, t.after_id)]
        assert sides == [CATEGORY_OF[row["from_value"]], CATEGORY_OF[row["to_value"]]]


# --- what DevLake reads beside issues


@pytest.mark.parametrize("name", ["accounts", "comments", "cycles", "workflow_states"])
def test_what_is_no_work_is_knowingly_ignored(name):
    nodes = devlake(name)
    assert nodes
    assert parse("items", json.dumps({"data": {"found": {"nodes": nodes}}}).encode(), LINEAR, BARE) == Parsed()


# --- answers that a command line expects


def exchanges() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted((DATA / "linear" / "graphql" / "schpet-linear-cli").glob("*.json")):
        for number, exchange in enumerate(json.loads(path.read_bytes())):
            yield f"{path.stem}#{number}", exchange["response"]


EXCHANGES = dict(exchanges())
OURS = {"issue": "Issue", "issues": "Issue", "project": "Project", "projects": "Project"}
OURS |= {"initiative": "Initiative", "initiatives": "Initiative"}


def things(response: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return (kind, node) of the things of ours that an answer holds."""
    found = []
    for name, value in (response.get("data") or {}).items():
        if name in OURS and isinstance(value, dict):
            found += [(OURS[name], node) for node in value.get("nodes", [value])]
    return found


def is_whole(kind: str, node: dict[str, Any]) -> bool:
    """Tell whether an answer states enough of a thing to keep it: what it is called, and when it changed."""
    return ("identifier" if kind == "Issue" else "name") in node and ("updatedAt" in node or "createdAt" in node)


def test_all_answers_are_here():
    assert len(EXCHANGES) == 274
    found = [kind for response in EXCHANGES.values() for kind, node in things(response) if is_whole(kind, node)]
    assert {kind: found.count(kind) for kind in set(found)} == {"Issue": 5, "Project": 12, "Initiative": 1}


@pytest.mark.parametrize("name", EXCHANGES)
def test_an_answer_is_read_or_knowingly_not(name):
    response = EXCHANGES[name]
    body = json.dumps(response).encode()
    nodes = things(response)
    if response.get("data") is None:
        with pytest.raises(PayloadError, match=re.escape(response["errors"][0]["message"])):
            parse("items", body, LINEAR, BARE)
    elif not all("id" in node for _, node in nodes):
        with pytest.raises(PayloadError, match="has no 'id'"):
            parse("items", body, LINEAR, BARE)
    else:
        changes = parse("items", body, LINEAR, BARE).changes
        assert [(type(change), ref_of(change).id) for change in changes] == [
            (Upsert if is_whole(kind, node) else Refetch, node["id"]) for kind, node in nodes
        ]
        items = [change.item for change in changes if isinstance(change, Upsert)]
        assert [(item.type, item.title) for item in items] == [
            (kind, node.get("title", node.get("name"))) for kind, node in nodes if is_whole(kind, node)
        ]


def ref_of(change: Change) -> ItemRef:
    assert isinstance(change, Upsert | Refetch)
    return change.item.ref if isinstance(change, Upsert) else change.ref


def whole_things(kind: str) -> list[dict[str, Any]]:
    found = [node for response in EXCHANGES.values() for each, node in things(response) if each == kind]
    return [node for node in found if is_whole(kind, node)]


def test_projects_stand_on_the_level_of_epics_with_their_teams_and_dates():
    for node in whole_things("Project"):
        item = one(node)
        assert (item.level, item.key, item.title) == (Level.EPIC, node["slugId"], node["name"])
        assert item.status == node["status"]["name"]
        assert ("unmapped_status" in item.flags) is ("type" not in node["status"])
        assert item.assignees == ((node["lead"]["displayName"],) if node.get("lead") else ())
        keys = [team["key"] for team in node["teams"]["nodes"]]
        assert item.containers == tuple(f"team:{key}" for key in keys)
        assert item.project == (keys[0] if keys else "")
        for day, told in ((item.start_date, node.get("startDate")), (item.due_date, node.get("targetDate"))):
            assert (day.isoformat() if day else None) == told


def test_an_initiative_is_read_whatever_case_its_status_has():
    (node,) = {node["id"]: node for node in whole_things("Initiative")}.values()
    item = one({**node, "status": node["status"].upper()})
    assert (item.level, item.key, item.category) == (Level.INITIATIVE, node["slugId"], Category.IN_PROGRESS)
    assert one(node).category is Category.IN_PROGRESS


# --- webhooks

WEBHOOKS = sorted((DATA / "linear" / "webhooks" / "korosuke613").glob("*.json"))


def test_all_recorded_webhooks_are_here():
    assert len(WEBHOOKS) == 20


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: path.stem)
def test_a_recorded_webhook_becomes_its_change(path):
    body = path.read_bytes()
    delivery = json.loads(body)
    assert kind_of(delivery) == "webhook"
    if path.stem.startswith("unknown"):
        word = "Hogehoge" if path.stem == "unknownType" else "hogehoge"
        with pytest.raises(PayloadError, match=f"'{word}'"):
            webhook(body, None, LINEAR, BARE)
        return
    (change,) = webhook(body, None, LINEAR, BARE).changes
    name, data = delivery["type"], delivery["data"]
    if name in IGNORED:
        assert change == Ignored(reason=IGNORED[name])
        return
    key = f"{data['team']['key']}-{data['number']}" if name == "Issue" else data["slugId"]
    assert change == Refetch(ref=ItemRef(connection="linear", id=data["id"]), key=key)


@pytest.mark.parametrize("path", WEBHOOKS, ids=lambda path: path.stem)
def test_a_recorded_issue_reads_as_if_it_were_a_page(path):
    data = json.loads(path.read_bytes())["data"]
    if "number" not in data or "title" not in data:
        return
    item = one(data)
    assert (item.key, item.title) == (f"{data['team']['key']}-{data['number']}", data["title"])
    assert (item.status, item.category) == (data["state"]["name"], Category.TODO)
    assert item.labels == tuple(label["name"] for label in data.get("labels", []))
    assert item.estimate == data.get("estimate")
    assert item.assignees == ((data["assignee"]["name"],) if "assignee" in data else ())
    assert (item.project, item.team) == (data["team"]["key"], data["team"]["name"])


def test_deliveries_without_an_identifier_are_known_by_their_bodies():
    assert len({delivery_id({}, path.read_bytes()) for path in WEBHOOKS}) == len(WEBHOOKS)


@pytest.mark.parametrize(
    "row",
    [row for row in rows("webhook_signature_vectors") if row["system"] == "linear" and "decide" not in row],
    ids=lambda row: row.get("why", "valid"),
)
def test_a_signature_holds_where_it_should(row):
    body = row["payload"].encode()
    headers = {row["header"]: row["expected"]}
    sent = datetime.fromtimestamp(json.loads(row["payload"])[row["timestamp_field"]] / 1000, UTC)
    if not row["valid"]:
        with pytest.raises(SignatureError, match="does not match"):
            verify(headers, body, row["secret"], sent)
        return
    skew = timedelta(milliseconds=row["max_skew_ms"])
    for now in (sent - skew, sent, sent + skew):
        verify(headers, body, row["secret"], now)
    for now in (sent - skew * 2, sent + skew * 2):
        with pytest.raises(StaleDeliveryError):
            verify(headers, body, row["secret"], now)


def test_all_signature_vectors_of_linear_are_here():
    found = [row for row in rows("webhook_signature_vectors") if row["system"] == "linear"]
    assert [row["valid"] for row in found if "decide" not in row] == [True, False, False]
