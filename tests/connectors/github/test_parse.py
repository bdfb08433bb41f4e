"""Samples of GitHub's pages in, whole values out; and nothing but PayloadError for what is broken."""

import contextlib
import copy
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import Reading
from connectors.github.parse import defaults, key_at, kind_of, parse, split
from domain.errors import PayloadError
from domain.work import Category, Level, Upsert, WorkItem
from domain.workspace import Connection

SAMPLES = Path(__file__).parent / "samples"

GITHUB = Connection(
    name="github-acme",
    type="github",
    url="https://api.github.com",
    scope={"repositories": ["acme/api"], "projects": ["acme/12"]},
    fields={"team": "Squad", "customer": "Customer", "regions": "Regions"},
)
READ = defaults(GITHUB)
PROJECT = replace(GITHUB, estimate={"project_field": "Points"}, status={"project_field": "Status"})
MILESTONES = replace(GITHUB, epics={"milestones": True})


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def items(body: object, connection: Connection = GITHUB, reading: Reading = READ) -> list[WorkItem]:
    changes = parse("items", body, connection, reading).changes
    assert all(isinstance(change, Upsert) for change in changes)
    return [change.item for change in changes if isinstance(change, Upsert)]


def at(day: int, month: int = 11, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2026, month, day, hour, minute, second, tzinfo=UTC)


EPIC = WorkItem(
    connection="github-acme",
    tracker="github",
    id="I_7",
    key="acme/api#7",
    url="https://github.com/acme/api/issues/7",
    title="One-click pay",
    type="Feature",
    level=Level.EPIC,
    status="open",
    vendor_category=Category.TODO,
    category=Category.TODO,
    created_at=at(28, 9, 7),
    updated_at=at(20, 11, 16, 15, 30),
    project="acme/api",
    labels=("okr/I1", "status/In Review"),
    assignees=("maria",),
    team="Payments",
    start_date=date(2026, 10, 1),
    due_date=date(2026, 12, 10),
)
DONE = WorkItem(
    connection="github-acme",
    tracker="github",
    id="I_12",
    key="acme/api#12",
    url="https://github.com/acme/api/issues/12",
    title="Remember the card",
    type="Task",
    level=Level.ISSUE,
    status="closed",
    vendor_category=Category.DONE,
    category=Category.DONE,
    resolution="completed",
    created_at=at(2, 10, 9),
    updated_at=at(12, 11, 10, 0, 5),
    project="acme/api",
    estimate=3.0,
    parent_id="I_7",
    parent_key="acme/api#7",
    containers=(
        "milestone:2026.11", "project:acme/12", "project:Checkout", "project:acme/40", "project:Everything",
        "sprint:Pay 7",
    ),
    labels=("size/5",),
    assignees=("jo", "maria"),
    sprint="Pay 7",
    milestone="2026.11",
    status_changed_at=at(12, 11, 10),
    completed_at=at(12, 11, 10),
    due_date=date(2026, 11, 30),
    flags=("no_history",),
    fields={"customer": "Globex", "regions": ["EU", "US"]},
    blocked_by=("I_40", "I_41"),
)  # fmt: skip
DROPPED = WorkItem(
    connection="github-acme",
    tracker="github",
    id="I_13",
    key="acme/api#13",
    url="https://github.com/acme/api/issues/13",
    title="Remember the address",
    type="Issue",
    level=Level.ISSUE,
    status="closed",
    vendor_category=Category.DONE,
    category=Category.DONE,
    resolution="not_planned",
    created_at=at(2, 10, 9, 5),
    updated_at=at(20, 10, 8),
    project="acme/api",
    status_changed_at=at(20, 10, 8),
    canceled_at=at(20, 10, 8),
)
BARE = WorkItem(
    connection="github-acme",
    tracker="github",
    id="I_14",
    key="acme/api#14",
    url="https://github.com/acme/api/issues/14",
    title="Only what must be there",
    type="Issue",
    level=Level.ISSUE,
    status="open",
    vendor_category=Category.TODO,
    category=Category.TODO,
    created_at=at(3, 10, 9, 5),
    updated_at=at(3, 10, 9, 5),
    project="acme/api",
)
MILESTONE = WorkItem(
    connection="github-acme",
    tracker="github",
    id="MI_3",
    key="acme/api/milestone/3",
    url="https://github.com/acme/api/milestone/3",
    title="2026.11",
    type="Milestone",
    level=Level.EPIC,
    status="open",
    vendor_category=Category.TODO,
    category=Category.TODO,
    created_at=at(1, 10, 8),
    updated_at=at(12, 11, 8),
    project="acme/api",
    due_date=date(2026, 11, 30),
)


def test_a_page_of_issues_is_read_whole():
    assert items(sample("page__issues")) == [EPIC, DONE, DROPPED, BARE]


def test_a_decoded_page_is_read_as_its_bytes_are():
    assert items(json.loads(sample("page__issues"))) == items(sample("page__issues"))


def test_an_answer_by_ids_holds_what_was_found_and_what_is_work():
    (button,) = items(sample("page__by_ids"))
    assert (button.key, button.parent_key, button.archived) == ("acme/web#9", "acme/api#7", True)


def test_milestones_are_items_where_they_are_epics():
    button, milestone = items(sample("page__by_ids"), MILESTONES)
    assert (button.parent_id, button.parent_key) == ("I_7", "acme/api#7")
    assert (milestone.key, milestone.status, milestone.category) == ("acme/web/milestone/2", "closed", Category.DONE)
    assert (milestone.completed_at, milestone.archived) == (at(1, 11, 8), True)
    assert items(sample("page__milestones"), MILESTONES) == [MILESTONE]
    assert items(sample("page__milestones")) == []


def test_without_a_parent_issue_the_milestone_that_is_an_epic_is_the_parent():
    node = issue(milestone={"id": "MI_3", "number": 3, "title": "2026.11", "url": MILESTONE.url, "dueOn": None})
    assert (one(node).parent_id, one(node).parent_key, one(node).milestone) == (None, None, "2026.11")
    below = one(node, MILESTONES)
    assert (below.parent_id, below.parent_key) == (MILESTONE.id, MILESTONE.key)
    assert (below.milestone, below.containers) == ("2026.11", ("milestone:2026.11",))


def test_items_of_a_project_are_read_with_what_the_project_says():
    (item,) = items(sample("page__project_items"), PROJECT)
    assert item == replace(
        BARE,
        status="In progress",
        vendor_category=Category.IN_PROGRESS,
        category=Category.IN_PROGRESS,
        containers=("project:acme/12", "project:Checkout"),
    )


def test_rest_says_the_same_but_for_the_id_of_the_parent():
    card, ancient = items(sample("page__rest_list"))
    assert card == replace(
        DONE,
        parent_id=None,
        containers=("milestone:2026.11",),
        labels=("size/5", "okr/I1"),
        team="Payments",
        sprint=None,
        start_date=date(2026, 10, 1),
        flags=(),
        fields={"regions": ["EU"]},
        blocked_by=(),
    )
    assert (ancient.id, ancient.key, ancient.assignees) == ("REST:4769659", "acme/api#2", ())


@pytest.mark.parametrize("shape", ["{}", '{{"items": [{}]}}', "[{}]", '{{"data": {{"node": {}}}}}'])
def test_one_issue_is_read_in_whatever_it_comes(shape):
    node = {"number": 14, "title": BARE.title, "createdAt": "2026-10-03T09:05:00Z"}
    node |= {"id": "I_14", "updatedAt": "2026-10-03T09:05:00Z", "repository": {"nameWithOwner": "acme/api"}}
    assert items(shape.format(json.dumps(node)).encode()) == [BARE]


def test_repositories_side_by_side_keep_their_issues_apart():
    def repository(name: str) -> dict[str, object]:
        node = {"id": name, "number": 1, "title": "t", "createdAt": NEVER, "updatedAt": NEVER}
        return {"nameWithOwner": name, "isArchived": name == "acme/old", "issues": {"nodes": [node]}}

    page = {"data": {"rateLimit": {"cost": 1}, "r0": repository("acme/api"), "r1": repository("acme/old"), "r2": None}}
    assert [(i.key, i.archived) for i in items(page)] == [("acme/api#1", False), ("acme/old#1", True)]


def test_children_are_read_with_and_without_the_parent_around_them():
    child = {"id": "I_2", "number": 2, "title": "t", "createdAt": NEVER, "updatedAt": NEVER, "repository": API}
    alone = {"data": {"node": {"id": "I_1", "subIssues": {"nodes": [child]}}}}
    whole = {"data": {"node": issue(subIssues={"nodes": [child]})}}
    assert [item.key for item in items(alone)] == ["acme/api#2"]
    assert [item.key for item in items(whole)] == ["acme/api#1", "acme/api#2"]


def test_a_search_result_of_rest_is_a_page():
    page = {"total_count": 3, "incomplete_results": False, "items": json.loads(sample("page__rest_list"))}
    assert items(page) == items(sample("page__rest_list"))


# --- one thing at a time

NEVER = "2026-01-01T00:00:00Z"
API = {"nameWithOwner": "acme/api", "isArchived": False}


def issue(**parts: object) -> dict[str, object]:
    return {
        "id": "I_1", "number": 1, "title": "t", "createdAt": NEVER, "updatedAt": NEVER, "repository": API, **parts,
    }  # fmt: skip


def one(node: dict[str, object], connection: Connection = GITHUB) -> WorkItem:
    return items(node, connection)[0]


def closed(reason: str | None = None, **parts: object) -> dict[str, object]:
    return issue(state="CLOSED", stateReason=reason, closedAt="2026-02-01T00:00:00Z", **parts)


def field(called: str, /, **value: object) -> dict[str, object]:
    return {"field": {"name": called}, **value}


def fields(*values: dict[str, object]) -> dict[str, object]:
    return {"nodes": list(values)}


def project(number: int, *values: dict[str, object], owner: str = "acme") -> dict[str, object]:
    told = {"number": number, "title": f"P{number}", "owner": {"login": owner}}
    return {"project": told, **{f"value{place}": value for place, value in enumerate(values)}}


@pytest.mark.parametrize(
    ("epics", "parts", "level"),
    [
        ({}, {"issueType": {"name": "epic"}}, Level.EPIC),
        ({}, {"issueType": {"name": "Task"}}, Level.ISSUE),
        ({}, {"subIssuesSummary": {"total": 1}}, Level.EPIC),
        ({}, {"subIssuesSummary": {"total": 0}}, Level.ISSUE),
        ({"with_sub_issues": False}, {"subIssuesSummary": {"total": 1}}, Level.ISSUE),
        ({"types": ["Initiative", "Feature"]}, {"issueType": {"name": "Feature"}}, Level.EPIC),
        ({"types": ["Feature"]}, {"issueType": {"name": "Epic"}}, Level.ISSUE),
    ],
)
def test_what_is_an_epic(epics, parts, level):
    assert one(issue(**parts), replace(GITHUB, epics=epics)).level is level


@pytest.mark.parametrize(
    ("node", "status", "category", "resolution", "flags"),
    [
        (issue(state="OPEN", stateReason="REOPENED"), "open", "todo", None, ()),
        (closed(), "closed", "done", None, ()),
        (closed("DUPLICATE"), "closed", "done", "duplicate", ()),
        (issue(status={"name": "Ready", "category": "planned"}), "Ready", "todo", None, ("no_history",)),
        (issue(status={"name": "Doing", "category": "STARTED"}), "Doing", "in_progress", None, ("no_history",)),
        (issue(status={"name": "Odd", "category": "frozen"}), "Odd", "todo", None, ("no_history", "unmapped_status")),
        (closed("COMPLETED", status={"name": "Shipped", "category": "completed"}), "Shipped", "done", "completed",
         ("no_history",)),
        (closed(status={"name": "No", "category": "Not planned"}), "No", "canceled", "not_planned", ("no_history",)),
        (closed("COMPLETED", status={"name": "Doing", "category": "started"}), "closed", "done", "completed", ()),
        (issue(status=None), "open", "todo", None, ()),
    ],
)  # fmt: skip
def test_status_by_itself(node, status, category, resolution, flags):
    item = one(node)
    assert (item.status, item.category.value, item.resolution, item.flags) == (status, category, resolution, flags)
    assert item.vendor_category is item.category


LABELED = replace(
    GITHUB, status={"label": "status/(.+)"}, statuses={"in review": "review", "shipped": "done", "dropped": "canceled"}
)


@pytest.mark.parametrize(
    ("node", "words", "status", "category", "flags"),
    [
        (issue(), ["bug"], "open", "todo", ()),
        (issue(), ["bug", "Status/In progress", "status/Todo"], "In progress", "in_progress", ()),
        (issue(), ["status/done"], "done", "done", ()),
        (issue(), ["status/In Review"], "In Review", "todo", ("unmapped_status",)),
        (issue(), ["status/Odd"], "Odd", "todo", ("unmapped_status",)),
        (closed(), ["status/In progress"], "closed", "done", ()),
        (closed(), ["status/In Review"], "closed", "done", ()),
        (closed(), ["status/Odd"], "closed", "done", ()),
        (closed(), ["status/Shipped"], "Shipped", "done", ()),
        (closed(), ["status/Dropped"], "Dropped", "done", ()),
        (closed(), ["status/Done"], "Done", "done", ()),
    ],
)
def test_status_by_label(node, words, status, category, flags):
    item = one({**node, "labels": {"nodes": [{"name": word} for word in words]}}, LABELED)
    assert (item.status, item.category.value, item.flags) == (status, category, flags)


def option(name: str, field_name: str = "Status") -> dict[str, object]:
    return {"__typename": "ProjectV2ItemFieldSingleSelectValue", **field(field_name, name=name)}


@pytest.mark.parametrize(
    ("node", "projects", "status", "category", "flags"),
    [
        (issue(), [], "open", "todo", ()),
        (issue(), [project(40, option("Done")), project(12, option("In Progress"))], "In Progress", "in_progress", ()),
        (issue(), [project(40, option("Done"))], "open", "todo", ()),
        (issue(), [project(12)], "open", "todo", ()),
        (closed(), [project(12, option("Todo"))], "closed", "done", ()),
    ],
)
def test_status_by_project(node, projects, status, category, flags):
    item = one({**node, "projectItems": {"nodes": projects}}, PROJECT)
    assert (item.status, item.category.value, item.flags) == (status, category, flags)


def test_without_projects_in_the_scope_any_project_says_the_status():
    anywhere = replace(PROJECT, scope={"repositories": ["acme/api"]})
    assert one(issue(projectItems={"nodes": [project(40, option("Done"))]}), anywhere).status == "Done"


def test_a_project_field_that_is_not_status_has_no_past():
    staged = replace(GITHUB, status={"project_field": "Stage"})
    item = one(issue(projectItems={"nodes": [project(12, option("Todo", "Stage"))]}), staged)
    assert (item.status, item.flags) == ("Todo", ("no_history",))


EFFORT = {"__typename": "IssueFieldNumberValue"}


@pytest.mark.parametrize(
    ("estimate", "parts", "expected", "flags"),
    [
        ("auto", {"issueFieldValues": fields(field("Points", numberValue=5), field("EFFORT", numberValue=0))}, 0.0, ()),
        ("auto", {"issueFieldValues": fields({**EFFORT, **field("Story points", value=2.5)})}, 2.5, ()),
        ("auto", {"issueFieldValues": fields(field("Effort", name="8"))}, None, ()),
        ("auto", {"issueFieldValues": fields(field("Effort", numberValue=-1))}, None, ("bad_estimate",)),
        ("auto", {}, None, ()),
        ("none", {"issueFieldValues": fields(field("Effort", numberValue=3))}, None, ()),
        ({"issue_field": "Size"}, {"issueFieldValues": fields(field("size", name="8"))}, 8.0, ()),
        ({"issue_field": "Size"}, {"issueFieldValues": fields(field("Size", name="XL"))}, None, ("bad_estimate",)),
        ({"issue_field": "Size"}, {"issueFieldValues": fields(field("Effort", numberValue=3))}, None, ()),
        ({"label": r"size/(.+)"}, {"labels": fields({"name": "bug"}, {"name": "size/0"})}, 0.0, ()),
        ({"label": r"size/(.+)"}, {"labels": fields({"name": "size/1.5"}, {"name": "size/9"})}, 1.5, ()),
        ({"label": r"size/(.+)"}, {"labels": fields({"name": "Size/-2"})}, None, ("bad_estimate",)),
        ({"label": r"size/(.+)"}, {"labels": fields({"name": "size/nan"})}, None, ("bad_estimate",)),
        ({"label": r"size/(.+)"}, {"labels": fields({"name": "bug"})}, None, ()),
        ({"project_field": "Points"}, {"projectItems": fields(project(40, field("Points", number=9)))}, None, ()),
        ({"project_field": "Points"},
         {"projectItems": fields(project(40, field("Points", number=9)), project(12, field("Points", number=2)))},
         2.0, ("no_history",)),
        ({"project_field": "Points"}, {"projectItems": fields(project(12, field("Points", number=-2)))}, None,
         ("bad_estimate", "no_history")),
        ({"project_field": "Points"}, {"issueFieldValues": fields(field("Points", numberValue=9))}, None, ()),
    ],
)  # fmt: skip
def test_the_estimate(estimate, parts, expected, flags):
    item = one(issue(**parts), replace(GITHUB, estimate=estimate))
    assert (item.estimate, item.flags) == (expected, flags)


def test_an_issue_field_that_a_project_shows_is_read_there():
    shown = {"__typename": "ProjectV2ItemIssueFieldValue", **field("Effort")}
    shown["issueFieldValue"] = {"__typename": "IssueFieldNumberValue", "numberValue": 4}
    item = one(issue(projectItems=fields(project(12, shown))), replace(GITHUB, estimate={"project_field": "effort"}))
    assert item.estimate == 4.0


def test_dates_of_the_issue_come_before_those_of_a_project_and_of_the_milestone():
    there = project(12, field("Start date", date="2026-10-05"), field("Due date", date="2026-11-05"))
    milestone = {"id": "MI_1", "number": 1, "title": "m", "dueOn": "2026-11-30T23:00:00Z"}
    own = fields(field("Start date", dateValue="2026-10-01"))
    item = one(issue(projectItems=fields(there), issueFieldValues=own, milestone=milestone))
    assert (item.start_date, item.due_date) == (date(2026, 10, 1), date(2026, 11, 5))
    assert one(issue(milestone=milestone)).due_date == date(2026, 11, 30)


def test_an_iteration_is_the_sprint():
    iteration = field("Iteration", iterationId="i1", title="Pay 7", startDate="2026-11-02", duration=14)
    item = one(issue(projectItems=fields(project(12, iteration))))
    assert (item.sprint, item.flags) == ("Pay 7", ("no_history",))
    assert item.containers == ("project:acme/12", "project:P12", "sprint:Pay 7")


def test_fields_of_issue_and_project_are_kept_by_the_operators_names():
    own = replace(GITHUB, fields={"team": "Squad", "size": "Points", "due": "Target date", "word": "Note"})
    there = project(12, field("Points", number=2), field("Squad", name="Payments"), field("Note", text="urgent"))
    item = one(issue(projectItems=fields(there), issueFieldValues=fields(field("Target date", dateValue=NEVER))), own)
    assert item.team == "Payments"
    assert item.fields == {"size": 2.0, "due": NEVER, "word": "urgent"}


def test_a_project_without_an_owner_is_known_by_its_address():
    told = {"project": {"url": "https://github.com/users/jo/projects/3", "title": "Mine"}}
    assert one(issue(projectItems=fields(told))).containers == ("project:jo/3", "project:Mine")


def test_an_enterprise_server_is_named_by_its_own_host():
    server = replace(GITHUB, url="https://github.acme.example/api/v3")
    (item,) = items(issue(), server, defaults(server))
    assert item.url == "https://github.acme.example/acme/api/issues/1"


def test_the_repository_is_known_by_the_address_where_nothing_else_says_it():
    node = issue(repository=None, url="https://github.com/acme/web/issues/1")
    assert one(node).key == "acme/web#1"


def test_an_issue_is_not_its_own_parent():
    item = one(issue(parent={"id": "I_1", "number": 1, "repository": API}))
    assert (item.parent_id, item.parent_key) == (None, None)


SERVER = replace(GITHUB, url="https://github.acme.example/api/v3")


@pytest.mark.parametrize(
    ("address", "connection", "key"),
    [
        ("https://github.com/acme/api/issues/9", GITHUB, "acme/api#9"),
        ("https://GitHub.com/acme/api/issues/9/?x#issuecomment-1", GITHUB, "acme/api#9"),
        ("https://github.com/acme/api/milestone/3", GITHUB, "acme/api/milestone/3"),
        ("https://github.com/acme/api/pull/9", GITHUB, None),
        ("https://github.com/acme/api", GITHUB, None),
        ("https://github.com.evil.example/acme/api/issues/9", GITHUB, None),
        ("https://github.acme.example/acme/api/issues/9", GITHUB, None),
        ("https://github.acme.example/acme/api/issues/9", SERVER, "acme/api#9"),
        ("https://acme.ghe.com/acme/api/issues/9", replace(GITHUB, url="https://api.acme.ghe.com"), "acme/api#9"),
        ("http://127.0.0.1:8080/acme/api/issues/9", replace(GITHUB, url="http://127.0.0.1:8080"), "acme/api#9"),
    ],
)
def test_the_key_at_an_address(address, connection, key):
    assert key_at(address, connection) == key


# --- what is broken


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b"7", "Not a GitHub page"),
        (b"{}", "Not a GitHub page"),
        ({"message": "Not Found"}, "Not a GitHub page"),
        ({"data": None, "errors": [{"message": "Something went wrong"}]}, "holds no data: Something went wrong"),
        ({"data": {"nodes": [7]}}, "is int instead of an object"),
        ([{"id": 1}], "has no 'number'"),
        (issue(id=None), "Issue 1 has no 'id'"),
        (issue(title=None), "Issue I_1 has no 'title'"),
        (issue(repository=None), "number 1. does not say which repository"),
        (issue(createdAt="yesterday"), "acme/api#1: 'createdAt' is missing or not a time .'yesterday'."),
        (issue(updatedAt=None), "acme/api#1: 'updatedAt' is missing"),
        ({"data": {"nodes": [{"__typename": "Issue", "id": "I_1", "state": "OPEN"}]}}, "I_1 has no 'number'"),
    ],
)
def test_a_broken_page_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        parse("items", body, GITHUB, READ)


def test_an_unknown_kind_of_page_is_refused():
    with pytest.raises(PayloadError, match=r"github-acme: .* kind 'words' is unknown"):
        parse("words", b"[]", GITHUB, READ)


def test_a_pull_request_of_its_own_is_no_issue():
    pull = {"node_id": "PR_1", "number": 1, "title": "t", "diff_url": "https://github.com/acme/api/pull/1.diff"}
    assert items([pull]) == []


def test_what_is_no_work_becomes_nothing():
    nodes = [None, {}, {"__typename": "PullRequest", "id": "P"}, {"__typename": "Discussion"}, {"__typename": "Issue"}]
    with pytest.raises(PayloadError, match="has no 'id'"):
        items({"data": {"nodes": nodes}})
    assert items({"data": {"nodes": nodes[:-1]}}) == []


# --- kinds and pieces


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem)
def test_each_sample_is_known_by_its_shape(path):
    prefix = path.stem.split("__")[0]
    kind = {"page": "items", "timeline": "history"}.get(prefix, "webhook")
    assert kind_of(json.loads(path.read_bytes())) == kind


@pytest.mark.parametrize("payload", [None, 7, [], {}, [1], {"data": None}])
def test_whatever_else_is_taken_for_items(payload):
    assert kind_of(payload) == "items"


@pytest.mark.parametrize(
    "name", ["page__issues", "page__by_ids", "page__milestones", "page__project_items", "page__rest_list"]
)
@pytest.mark.parametrize("connection", [PROJECT, MILESTONES], ids=["project", "milestones"])
def test_a_page_cut_up_says_the_same(name, connection):
    pieces = split("items", sample(name))
    found = [item for piece in pieces for item in items(piece, connection)]
    assert found == items(sample(name), connection)
    assert [json.loads(piece)["id"] for piece in pieces if items(piece, connection)] == [item.id for item in found]


def test_a_timeline_cut_up_says_the_same():
    pieces = [parse("history", piece, GITHUB, READ) for piece in split("history", sample("timeline__nodes"))]
    whole = parse("history", sample("timeline__nodes"), GITHUB, READ)
    assert tuple(t for piece in pieces for t in piece.transitions) == whole.transitions
    assert tuple(id for piece in pieces for id in piece.history_of) == whole.history_of


def test_what_is_no_page_cannot_be_cut():
    assert split("items", b"{") == []
    assert split("items", b"7") == []
    assert split("history", b"[]") == []


# --- whatever comes

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12), st.just([]), st.just({}), st.just([None]), st.just({"nodes": [{"name": 7}, 3]}),
    st.just("9999-12-31T23:59:59-12:00"), st.just({"login": []}),
)  # fmt: skip


def places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every path into a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in inner for path in [(*at, key), *places(child, (*at, key))]]


def change(value: object, path: tuple[object, ...], junk: object, drop: bool) -> None:
    for key in path[:-1]:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return
    try:
        value[path[-1]] = copy.deepcopy(junk)
        if drop:
            del value[path[-1]]
    except (KeyError, IndexError, TypeError):
        return


MUTABLE = [
    ("items", "page__issues", PROJECT),
    ("items", "page__by_ids", MILESTONES),
    ("items", "page__milestones", MILESTONES),
    ("items", "page__project_items", PROJECT),
    ("items", "page__rest_list", LABELED),
    ("history", "timeline__nodes", PROJECT),
    ("history", "timeline__rest", LABELED),
]


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("case", MUTABLE, ids=lambda c: c[1])
def test_a_mutated_page_is_read_or_parked_and_nothing_else(case, data):
    kind, name, connection = case
    page = json.loads(sample(name))
    paths = places(page)
    mutated = copy.deepcopy(page)
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4)):
        change(mutated, path, data.draw(JUNK), data.draw(st.booleans()))
    kind_of(mutated)
    split(kind, json.dumps(mutated).encode())
    try:
        parsed = parse(kind, json.dumps(mutated).encode(), connection, READ)
    except PayloadError:
        return
    for upsert in parsed.changes:
        assert isinstance(upsert, Upsert)
        assert upsert.item.updated_at.tzinfo is UTC
        assert list(upsert.item.flags) == sorted(upsert.item.flags)
        assert upsert.item.estimate is None or upsert.item.estimate >= 0
    assert all(transition.at.tzinfo is UTC for transition in parsed.transitions)


@settings(max_examples=60, deadline=None)
@given(body=st.binary(max_size=60))
@pytest.mark.parametrize("kind", ["items", "history"])
def test_bytes_that_are_no_page_are_parked(kind, body):
    with contextlib.suppress(PayloadError):
        assert parse(kind, body, GITHUB, READ).changes == ()
