"""Samples of Linear's pages in, whole values out; and nothing but PayloadError for what is broken."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed, Reading
from connectors.linear.parse import defaults, kind_of, parse, split
from domain.errors import PayloadError
from domain.work import Category, Delete, ItemRef, Level, Refetch, Upsert, WorkItem
from domain.workspace import Connection
from sync.mapping import project_names

SAMPLES = Path(__file__).parent / "samples"
LINEAR = Connection(name="linear-acme", type="linear", url="https://api.linear.app/graphql", scope={"teams": ["MOB"]})
READ = Reading(
    facts={
        "workspace": "acme",
        "teams": {
            "7ea00000-0000-4000-8000-000000000001": {"key": "MOB", "name": "Mobile", "estimates": True},
            "7ea00000-0000-4000-8000-000000000002": {"key": "DES", "name": "Design", "estimates": False},
        },
        "statuses": {
            "57a70000-0000-4000-8000-000000000001": ["Todo", "unstarted"],
            "57a70000-0000-4000-8000-0000000000c3": ["Paused for audit", "paused"],
        },
        "labels": {
            "1ab00000-0000-4000-8000-000000000001": "checkout",
            "1ab00000-0000-4000-8000-000000000002": {"name": "Saas", "parent": None},
            "1ab00000-0000-4000-8000-0000000000b1": {"name": "I1", "parent": "okr"},
            "1ab00000-0000-4000-8000-0000000000d1": {"name": "KR5", "parent": {"name": "kr"}},
        },
    },
    account="00000000-0000-4000-8000-00000000beef",
    digest="d",
)

MOB12, MOB13, MOB14 = (f"5b1e0c52-0001-4c1e-9a51-00000000000{n}" for n in (1, 2, 3))
PROJECT = "9c0ec700-0000-4000-8000-000000000001"
CHECKOUT, PAYMENTS = "1f000000-0000-4000-8000-000000000002", "1f000000-0000-4000-8000-000000000001"


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def items(body: object, reading: Reading = READ, connection: Connection = LINEAR) -> list[WorkItem]:
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    changes = parse("items", body, connection, reading).changes
    return [change.item for change in changes if isinstance(change, Upsert)]


def issue(**fields: object) -> dict[str, object]:
    return {
        "id": "i1",
        "identifier": "MOB-1",
        "title": "t",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "state": {"id": "s1", "name": "Todo", "type": "unstarted"},
        "team": {"id": "t1", "key": "MOB", "name": "Mobile"},
        **fields,
    }


def project(**fields: object) -> dict[str, object]:
    return {
        "__typename": "Project",
        "id": "p1",
        "slugId": "abc",
        "name": "Pay",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "status": {"id": "s1", "name": "Doing", "type": "started"},
        **fields,
    }


def initiative(**fields: object) -> dict[str, object]:
    return {
        "__typename": "Initiative",
        "id": "n1",
        "slugId": "abc",
        "name": "Grow",
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-01-02T00:00:00.000Z",
        "status": "Active",
        **fields,
    }


def one(node: dict[str, object], reading: Reading = READ, connection: Connection = LINEAR) -> WorkItem:
    (item,) = items(node, reading, connection)
    return item


# --- issues


def test_a_page_of_issues_is_read_whole():
    changes = parse("items", sample("page__issues"), LINEAR, READ).changes
    assert changes == (
        Upsert(
            item=WorkItem(
                connection="linear-acme",
                tracker="linear",
                id=MOB12,
                key="MOB-12",
                url="https://linear.app/acme/issue/MOB-12/remember-the-card",
                title="Remember the card",
                type="Issue",
                level=Level.ISSUE,
                status="Erledigt",
                vendor_category=Category.DONE,
                category=Category.DONE,
                created_at=datetime(2026, 10, 2, 9, 0, tzinfo=UTC),
                updated_at=datetime(2026, 11, 18, 15, 45, 0, 20_000, tzinfo=UTC),
                started_at=datetime(2026, 10, 6, 7, 0, tzinfo=UTC),
                completed_at=datetime(2026, 11, 18, 15, 45, tzinfo=UTC),
                project="MOB",
                team="Mobile",
                estimate=5.0,
                parent_id=PROJECT,
                parent_key="6c1f00aa12b3",
                containers=("cycle:Cycle 7", "milestone:Beta", "project:One-click pay on mobile"),
                labels=("checkout", "Saas"),
                assignees=("maria@acme.example",),
                sprint="Cycle 7",
                milestone="Beta",
                due_date=date(2026, 11, 20),
                blocked_by=("5b1e0c52-0001-4c1e-9a51-000000000040",),
                mirrors=(
                    "https://github.com/acme/mobile/issues/41",
                    "https://acme.atlassian.net/browse/PAY-12",
                    "https://github.com/acme/web/issues/9",
                ),
                former_keys=("ENG-7",),
            )
        ),
        Upsert(
            item=WorkItem(
                connection="linear-acme",
                tracker="linear",
                id=MOB13,
                key="MOB-13",
                url="https://linear.app/acme/issue/MOB-13/migration",
                title="Migration",
                type="Issue",
                level=Level.ISSUE,
                status="Waiting on Mars",
                vendor_category=Category.TODO,
                category=Category.TODO,
                created_at=datetime(2026, 10, 3, 7, 0, tzinfo=UTC),
                updated_at=datetime(2026, 10, 4, 7, 0, tzinfo=UTC),
                project="MOB",
                team="Mobile",
                parent_id=MOB12,
                parent_key="MOB-12",
                containers=("project:One-click pay on mobile",),
                archived=True,
                flags=("bad_estimate", "unmapped_status"),
            )
        ),
        Delete(ref=ItemRef(connection="linear-acme", id=MOB14), key="MOB-14"),
    )


@pytest.mark.parametrize(
    ("type", "category", "flags"),
    [
        ("triage", Category.TODO, ()),
        ("backlog", Category.TODO, ()),
        ("unstarted", Category.TODO, ()),
        ("started", Category.IN_PROGRESS, ()),
        ("completed", Category.DONE, ()),
        ("canceled", Category.CANCELED, ()),
        ("duplicate", Category.CANCELED, ()),
        ("Completed", Category.TODO, ("unmapped_status",)),
        (None, Category.TODO, ("unmapped_status",)),
    ],
)
def test_the_category_of_an_issue_is_the_type_of_its_state_never_its_name(type, category, flags):
    item = one(issue(state={"id": "x", "name": "Done", "type": type}))
    assert (item.vendor_category, item.category, item.flags, item.status) == (category, category, flags, "Done")


def test_an_issue_without_a_state_is_still_there():
    item = one(issue(state=None))
    assert (item.status, item.category, item.flags) == ("", Category.TODO, ("unmapped_status",))


def test_a_state_that_is_named_by_id_alone_is_what_discovery_says():
    by_id = {"id": "57a70000-0000-4000-8000-000000000001"}
    for node in (issue(state=by_id), issue(state=None, stateId=by_id["id"])):
        item = one(node)
        assert (item.status, item.category, item.flags) == ("Todo", Category.TODO, ())


@pytest.mark.parametrize(
    ("value", "estimate", "bad"),
    [(0, 0.0, False), (0.5, 0.5, False), (None, None, False), (-1, None, True), ("8", None, True), (True, None, True)],
)
def test_an_estimate_is_a_number_from_zero_on(value, estimate, bad):
    item = one(issue(estimate=value))
    assert (item.estimate, "bad_estimate" in item.flags) == (estimate, bad)


def test_what_is_left_in_the_field_of_a_team_that_does_not_estimate_is_no_estimate():
    design = {"id": "7ea00000-0000-4000-8000-000000000002", "key": "DES", "name": "Design"}
    assert one(issue(estimate=3, team=design)).estimate is None
    assert one(issue(estimate=-3, team=design)).flags == ()
    assert one(issue(estimate=3, team=design), defaults(LINEAR)).estimate == 3.0


def test_a_connection_without_estimates_has_none():
    assert one(issue(estimate=3), connection=replace(LINEAR, estimate="none")).estimate is None


@pytest.mark.parametrize(
    ("fields", "parent"),
    [
        ({"parent": {"id": "i9", "identifier": "MOB-9"}, "project": {"id": "p1", "slugId": "abc"}}, ("i9", "MOB-9")),
        ({"parent": None, "project": {"id": "p1", "slugId": "abc", "name": "Pay"}}, ("p1", "abc")),
        ({"project": {"id": "p1", "identifier": "P-MOB-1", "slugId": "abc"}}, ("p1", "P-MOB-1")),
        ({"parentId": "i9", "projectId": "p1"}, ("i9", None)),
        ({"parent": {"id": "i1", "identifier": "MOB-1"}}, (None, None)),
        ({"parent": None, "project": None}, (None, None)),
    ],
)
def test_the_parent_of_an_issue_is_its_parent_issue_else_its_project(fields, parent):
    item = one(issue(**fields))
    assert (item.parent_id, item.parent_key) == parent


def test_an_identifier_that_is_left_out_is_put_together_from_team_and_number():
    assert one(issue(identifier=None, number=11)).key == "MOB-11"
    assert one(issue(identifier=None, number=11.0, team=None, teamId="7ea00000-0000-4000-8000-000000000002")).key == (
        "DES-11"
    )
    with pytest.raises(PayloadError, match="i1 has no 'identifier'"):
        one(issue(identifier=None, number=11, team=None))


def test_the_team_is_its_name_else_its_key():
    assert (one(issue()).project, one(issue()).team) == ("MOB", "Mobile")
    assert one(issue(team={"id": "t1", "key": "MOB"})).team == "MOB"
    assert (one(issue(team=None)).project, one(issue(team=None)).team) == ("MOB", "MOB")


def test_an_address_that_is_left_out_is_made_of_the_workspace():
    assert one(issue()).url == "https://linear.app/acme/issue/MOB-1"
    assert one(issue(), defaults(LINEAR)).url == ""


@pytest.mark.parametrize(
    ("assignee", "people"),
    [
        ({"id": "u", "email": "jo@acme.example", "displayName": "jo", "name": "Jo"}, ("jo@acme.example",)),
        ({"id": "u", "displayName": "jo", "name": "Jo"}, ("jo",)),
        ({"id": "u", "name": "Jo"}, ("Jo",)),
        ({"id": "u"}, ()),
        (None, ()),
    ],
)
def test_a_person_is_known_by_e_mail_then_by_name(assignee, people):
    assert one(issue(assignee=assignee)).assignees == people


def test_labels_are_named_with_their_group_and_without():
    nested = {"nodes": [{"id": "l1", "name": "Bug"}, {"id": "l2", "name": "KR5", "parent": {"id": "g", "name": "kr"}}]}
    assert one(issue(labels=nested)).labels == ("Bug", "KR5", "kr/KR5")
    ids = ["1ab00000-0000-4000-8000-0000000000b1", "l2", "unknown"]
    assert one(issue(labels=nested, labelIds=ids)).labels == ("I1", "okr/I1", "KR5", "kr/KR5", "Bug")
    assert one(issue(labels=[{"id": "l1", "name": "Bug"}], labelIds=["l1"])).labels == ("Bug",)
    assert one(issue(labelIds=None)).labels == ()


@pytest.mark.parametrize(
    ("cycle", "sprint"),
    [({"id": "c", "number": 7, "name": "Winter"}, "Winter"), ({"id": "c", "number": 7.0}, "Cycle 7"), ({}, None)],
)
def test_a_sprint_is_the_cycle_as_linear_shows_it(cycle, sprint):
    item = one(issue(cycle=cycle))
    assert (item.sprint, item.containers) == (sprint, (f"cycle:{sprint}",) if sprint else ())


def test_what_is_kept_in_sync_is_mirrored_once_and_what_cannot_be_found_is_not():
    synced = [
        {"id": "1", "service": "github", "metadata": {"owner": "acme", "repo": "api", "number": 9}},
        {"id": "2", "service": "jira", "metadata": {"issueKey": "PAY-1"}},
        {"id": "3", "service": "github", "metadata": None},
        {"id": "4", "service": "github", "metadata": {"owner": "acme", "repo": None, "number": 9}},
    ]
    assert one(issue(syncedWith=synced)).mirrors == ("https://github.com/acme/api/issues/9",)
    attached = {"nodes": [{"id": "a", "url": "https://git.acme.example/acme/API/issues/9/"}, {"id": "b", "url": None}]}
    assert one(issue(syncedWith=synced, attachments=attached)).mirrors == (
        "https://git.acme.example/acme/API/issues/9",
    )
    pull_request = {"nodes": [{"id": "a", "url": "https://github.com/acme/api/pull/9"}]}
    assert one(issue(attachments=pull_request)).mirrors == ()


def test_blockers_are_the_issues_that_block_this_one():
    relations = {
        "nodes": [
            {"id": "r1", "type": "blocks", "issue": {"id": "b1"}, "relatedIssue": {"id": "i1"}},
            {"id": "r2", "type": "related", "issue": {"id": "b2"}},
            {"id": "r3", "type": "blocks", "issue": {"id": "b1"}},
        ]
    }
    assert one(issue(inverseRelations=relations)).blocked_by == ("b1",)


# --- projects


def test_a_page_of_projects_is_read_whole():
    assert items(sample("page__projects")) == [
        WorkItem(
            connection="linear-acme",
            tracker="linear",
            id=PROJECT,
            key="6c1f00aa12b3",
            url="https://linear.app/acme/project/one-click-pay-on-mobile-6c1f00aa12b3",
            title="One-click pay on mobile",
            type="Project",
            level=Level.EPIC,
            status="Paused for audit",
            vendor_category=Category.IN_PROGRESS,
            category=Category.IN_PROGRESS,
            created_at=datetime(2026, 9, 20, 8, 0, tzinfo=UTC),
            updated_at=datetime(2026, 11, 20, 16, 15, 30, 250_000, tzinfo=UTC),
            started_at=datetime(2026, 10, 1, 8, 0, tzinfo=UTC),
            start_date=date(2026, 10, 1),
            due_date=date(2026, 12, 31),
            project="MOB",
            team="Mobile",
            parent_id=CHECKOUT,
            parent_key="f00dfeed0002",
            containers=("initiative:Checkout", "initiative:Fewer clicks", "team:MOB", "team:DES"),
            labels=("I1", "okr/I1"),
            assignees=("jo@acme.example",),
            flags=("no_history",),
        )
    ]


@pytest.mark.parametrize(
    ("type", "category"),
    [
        ("backlog", Category.TODO),
        ("planned", Category.TODO),
        ("started", Category.IN_PROGRESS),
        ("paused", Category.IN_PROGRESS),
        ("completed", Category.DONE),
        ("canceled", Category.CANCELED),
    ],
)
def test_the_category_of_a_project_is_the_type_of_its_status(type, category):
    item = one(project(status={"id": "x", "name": "Whatever", "type": type}))
    assert (item.category, item.flags, item.status) == (category, ("no_history",), "Whatever")


def test_a_status_of_a_project_that_nobody_knows_is_todo_and_said_so():
    assert one(project(status={"id": "x", "name": "Odd", "type": "odd"})).flags == ("no_history", "unmapped_status")
    assert one(project(status=None, state="started")).category is Category.IN_PROGRESS
    by_id = one(project(status=None, statusId="57a70000-0000-4000-8000-0000000000c3"))
    assert (by_id.status, by_id.category) == ("Paused for audit", Category.IN_PROGRESS)


@pytest.mark.parametrize(
    ("day", "resolution", "first", "last"),
    [
        ("2026-02-10", None, (2026, 2, 10), (2026, 2, 10)),
        ("2026-02-10", "month", (2026, 2, 1), (2026, 2, 28)),
        ("2028-02-10", "month", (2028, 2, 1), (2028, 2, 29)),
        ("2026-05-31", "quarter", (2026, 4, 1), (2026, 6, 30)),
        ("2026-12-31", "quarter", (2026, 10, 1), (2026, 12, 31)),
        ("2026-07-01", "halfYear", (2026, 7, 1), (2026, 12, 31)),
        ("2026-06-30", "halfYear", (2026, 1, 1), (2026, 6, 30)),
        ("2026-06-30", "year", (2026, 1, 1), (2026, 12, 31)),
        ("2026-06-30", "decade", (2026, 6, 30), (2026, 6, 30)),
    ],
)
def test_a_date_of_a_span_is_its_first_day_to_start_and_its_last_to_end(day, resolution, first, last):
    node = project(startDate=day, startDateResolution=resolution, targetDate=day, targetDateResolution=resolution)
    item = one(node)
    assert (item.start_date, item.due_date) == (date(*first), date(*last))


def test_the_key_of_a_project_is_its_identifier_where_there_are_any_then_its_slug_then_its_id():
    named = one(project(identifier="P-MOB-3", previousIdentifiers=["P-ENG-1", "P-MOB-3"]))
    assert (named.key, named.former_keys) == ("P-MOB-3", ("P-ENG-1", "abc"))
    assert (one(project()).key, one(project()).former_keys) == ("abc", ())
    assert one(project(slugId=None)).key == "p1"


def test_the_initiative_above_a_project_is_the_first_by_id_of_those_it_is_in():
    nested = {"nodes": [{"id": "n2", "slugId": "s2", "name": "B"}, {"id": "n1", "slugId": "s1", "name": "A"}]}
    linked = {"nodes": [{"id": "l", "initiative": nested["nodes"][0]}, {"id": "m", "initiative": nested["nodes"][1]}]}
    for item in (one(project(initiatives=nested)), one(project(initiativeToProjects=linked))):
        assert (item.parent_id, item.parent_key) == ("n1", "s1")
        assert item.containers == ("initiative:A", "initiative:B")
    assert one(project()).parent_id is None


def test_a_project_that_says_nothing_of_initiatives_leaves_what_is_known():
    node = project()
    for links in ("initiatives", "initiativeToProjects"):
        node.pop(links, None)
    (silent,) = parse("items", node, LINEAR, READ).changes
    assert silent.unstated == {"parent_id", "parent_key", "containers"}
    (none,) = parse("items", {**node, "initiativeToProjects": {"nodes": []}}, LINEAR, READ).changes
    assert (none.unstated, none.item.parent_id) == (frozenset(), None)


def test_the_teams_of_a_project_may_be_named_by_id():
    item = one(project(teamIds=["7ea00000-0000-4000-8000-000000000002", "7ea00000-0000-4000-8000-000000000001", "x"]))
    assert (item.project, item.team, item.containers) == ("DES", "Design", ("team:DES", "team:MOB"))
    nobody = one(project())
    assert (nobody.project, nobody.team, nobody.containers) == ("", None, ())


def test_a_project_is_found_by_title_and_by_key_as_work_names_it():
    assert project_names(one(project())) == ("Pay", "abc")
    assert project_names(one(issue())) == ()
    assert project_names(one(initiative())) == ()


# --- initiatives


def test_a_page_of_initiatives_is_read_whole():
    assert items(sample("page__initiatives")) == [
        WorkItem(
            connection="linear-acme",
            tracker="linear",
            id=CHECKOUT,
            key="f00dfeed0002",
            url="https://linear.app/acme/initiative/checkout-f00dfeed0002",
            title="Checkout",
            type="Initiative",
            level=Level.INITIATIVE,
            status="Active",
            vendor_category=Category.IN_PROGRESS,
            category=Category.IN_PROGRESS,
            created_at=datetime(2026, 9, 1, 8, 0, tzinfo=UTC),
            updated_at=datetime(2026, 11, 1, 8, 0, tzinfo=UTC),
            started_at=datetime(2026, 9, 15, 8, 0, tzinfo=UTC),
            due_date=date(2026, 12, 31),
            parent_id=PAYMENTS,
            parent_key="f00dfeed0001",
            labels=("KR5", "kr/KR5"),
            assignees=("maria@acme.example",),
            flags=("no_history",),
        )
    ]


@pytest.mark.parametrize(
    ("status", "category", "flags"),
    [
        ("Proposed", Category.TODO, ()),
        ("Planned", Category.TODO, ()),
        ("Active", Category.IN_PROGRESS, ()),
        ("active", Category.IN_PROGRESS, ()),
        ("Completed", Category.DONE, ()),
        ("Canceled", Category.CANCELED, ()),
        ("Dreamt", Category.TODO, ("unmapped_status",)),
        ("", Category.TODO, ("unmapped_status",)),
    ],
)
def test_the_status_of_an_initiative_is_its_word_without_case(status, category, flags):
    item = one(initiative(status=status))
    assert (item.status, item.category, item.flags) == (status, category, ("no_history", *flags))


def test_an_initiative_is_never_its_own_parent_and_has_its_id_for_a_key_where_it_has_no_slug():
    item = one(initiative(slugId=None, parentInitiative={"id": "n1", "slugId": "abc"}))
    assert (item.key, item.parent_id, item.parent_key) == ("n1", None, None)


# --- shapes of bodies


def test_answers_connections_lists_and_single_things_read_alike():
    page = json.loads(sample("page__projects"))
    expected = items(sample("page__projects"))
    (node,) = page["data"]["projects"]["nodes"]
    for body in (
        page["data"], page["data"]["projects"], [node], node, {"data": {"project": node}}, {"project": node},
        {"data": {"p1": {"__typename": "Project", **node}}}, {"data": {"found": {"nodes": [node]}}},
    ):  # fmt: skip
        assert items(body) == expected


def test_one_answer_may_hold_things_of_all_kinds():
    data = {
        "issues": {"nodes": [issue()]},
        "projects": {"nodes": [project()]},
        "initiatives": {"nodes": [initiative()]},
    }
    found = [(item.type, item.id) for item in items({"data": data})]
    assert found == [("Issue", "i1"), ("Project", "p1"), ("Initiative", "n1")]


def test_a_node_is_told_by_its_fields_where_nothing_names_its_kind():
    bare = [{k: v for k, v in node.items() if k != "__typename"} for node in (issue(), project(), initiative())]
    assert [item.type for item in items(bare)] == ["Issue", "Project", "Initiative"]


def test_fields_that_were_not_asked_for_are_simply_not_known():
    page = {"data": {"issues": {"nodes": [{"id": "i", "identifier": "A-1", "updatedAt": "2026-01-02T00:00:00Z"}]}}}
    (item,) = items(page)
    assert (item.key, item.created_at, item.title, item.flags) == ("A-1", item.updated_at, "", ("unmapped_status",))


@pytest.mark.parametrize(
    "body",
    [
        {"data": {"viewer": {"id": "u", "name": "Jo"}}},
        {"data": {"teams": {"nodes": [{"id": "t", "name": "Mobile", "key": "MOB"}]}}},
        {"data": {"cycles": {"nodes": [{"id": "c", "number": 7, "name": "Winter"}]}}},
        {"data": {"issueUpdate": {"success": True, "issue": {"id": "i"}}}},
        {"data": {"issues": {"nodes": []}}, "errors": [{"message": "partly"}]},
        {"data": {"issue": None}},
        [],
    ],
)
def test_what_is_none_of_ours_is_knowingly_ignored(body):
    assert parse("items", json.dumps(body).encode(), LINEAR, READ) == Parsed()


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b'"text"', "Not a Linear page"),
        (b"{}", "Not a Linear page"),
        (b'{"data": null, "errors": [{"message": "Cannot query field x"}]}', "Cannot query field x"),
        (b'{"errors": []}', "no data"),
        (b'{"data": {"issues": {"nodes": [7]}}}', "int instead of an object"),
        (b'{"data": {"issues": {"nodes": [{"identifier": "MOB-1"}]}}}', "Issue MOB-1 has no 'id'"),
        (b'{"data": {"projects": {"nodes": [{"name": "Pay"}]}}}', "Project Pay has no 'id'"),
        (json.dumps(issue(updatedAt=None)).encode(), "Issue MOB-1: 'updatedAt' is not a time with an offset .None."),
        (json.dumps(project(updatedAt="2026-01-01T00:00:00")).encode(), "Project abc: 'updatedAt' is not a time"),
        (json.dumps(initiative(createdAt=7)).encode(), "Initiative abc: 'createdAt' is not a time"),
    ],
)
def test_a_broken_page_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        parse("items", body, LINEAR, READ)


@pytest.mark.parametrize(
    ("answer", "key"),
    [
        ({"issue": {"id": "x"}}, ""),
        ({"issue": {"id": "x", "identifier": "MOB-1", "state": {"type": "started"}}}, "MOB-1"),
        ({"issues": {"nodes": [{"id": "x", "updatedAt": "2026-01-02T00:00:00Z"}]}}, ""),
        ({"projects": {"nodes": [{"id": "x", "slugId": "abc", "name": "Pay"}]}}, "abc"),
        ({"initiative": {"id": "x", "slugId": "abc", "identifier": "I-1", "name": "Grow"}}, "abc"),
    ],
)
def test_what_was_asked_for_little_more_than_its_id_is_to_be_read_again(answer, key):
    changes = parse("items", json.dumps({"data": answer}).encode(), LINEAR, READ).changes
    assert changes == (Refetch(ref=ItemRef(connection="linear-acme", id="x"), key=key),)


def test_a_kind_that_nobody_knows_is_named():
    with pytest.raises(PayloadError, match="'pages'"):
        parse("pages", b"[]", LINEAR, READ)


def test_a_thing_in_the_trash_is_deleted_until_it_comes_back():
    for node, key in ((issue(), "MOB-1"), (project(), "abc"), (initiative(), "abc")):
        trashed = json.dumps({**node, "trashed": True, "archivedAt": "2026-01-02T00:00:00Z"}).encode()
        ref = ItemRef(connection="linear-acme", id=str(node["id"]))
        assert parse("items", trashed, LINEAR, READ).changes == (Delete(ref=ref, key=key),)
        assert not one({**node, "trashed": False, "archivedAt": None}).archived


@pytest.mark.parametrize(
    ("payload", "kind"),
    [
        (json.loads(sample("page__issues")), "items"),
        (json.loads(sample("page__history")), "history"),
        ({"action": "create", "type": "Issue", "data": {}}, "webhook"),
        ({"data": {"viewer": {}}}, "items"),
        (issue(history={"nodes": []}), "items"),
        ({"id": "i1", "history": {"nodes": []}}, "history"),
        ("text", "items"),
    ],
)
def test_a_payload_is_told_by_its_shape(payload, kind):
    assert kind_of(payload) == kind


@pytest.mark.parametrize("name", ["page__issues", "page__projects", "page__initiatives"])
def test_a_page_is_cut_into_things_that_read_alone(name):
    pieces = split("items", sample(name))
    alone = [change for piece in pieces for change in parse("items", piece, LINEAR, READ).changes]
    assert tuple(alone) == parse("items", sample(name), LINEAR, READ).changes
    assert all("id" in json.loads(piece) for piece in pieces)


def test_a_thing_that_only_its_page_names_keeps_its_kind_when_cut_out():
    bare = {"id": "p1", "name": "Pay", "updatedAt": "2026-01-02T00:00:00Z"}
    (piece,) = split("items", json.dumps({"data": {"projects": {"nodes": [bare]}}}).encode())
    assert one(json.loads(piece)).level is Level.EPIC


def test_what_is_broken_in_a_page_is_a_piece_of_its_own():
    page = json.dumps({"data": {"issues": {"nodes": [issue(), 7, {"identifier": "MOB-2"}]}}}).encode()
    good, number, nameless = split("items", page)
    assert one(json.loads(good)).key == "MOB-1"
    for piece in (number, nameless):
        with pytest.raises(PayloadError):
            parse("items", piece, LINEAR, READ)
    assert split("items", b"{") == split("webhook", page) == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["id", "2026-01-01T00:00:00Z", "started", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([
                "id", "nodes", "name", "key", "type", "number", "initiative", "metadata", "owner", "repo", "issueKey",
                "url", "issue",
            ]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)  # fmt: skip
FIELDS = st.sampled_from([
    "estimate", "state", "team", "assignee", "project", "parent", "cycle", "labels", "labelIds", "syncedWith", "status",
    "inverseRelations", "attachments", "teams", "teamIds", "initiatives", "initiativeToProjects", "lead", "owner",
    "parentInitiative", "targetDate", "targetDateResolution", "dueDate", "previousIdentifiers", "archivedAt", "trashed",
    "slugId", "identifier", "number", "url", "startedAt",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(node=st.sampled_from([issue(), project(), initiative()]), fields=st.dictionaries(FIELDS, JSON, max_size=6))
def test_a_node_with_any_fields_is_read_or_refused_and_nothing_else(node, fields):
    with contextlib.suppress(PayloadError):
        parse("items", {**node, **fields}, LINEAR, READ)
