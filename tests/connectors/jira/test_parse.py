"""Samples of Jira's pages in, whole values out; and nothing but PayloadError for what is broken."""

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
from connectors.jira.parse import defaults, parse
from domain.errors import PayloadError
from domain.work import Category, Level, Transition, Upsert, WorkItem
from domain.workspace import Connection

SAMPLES = Path(__file__).parent / "samples"

CLOUD = Connection(
    name="jira-main",
    type="jira",
    url="https://acme.atlassian.net",
    fields={"team": "Team", "region": "customfield_10044"},
)
READ = Reading(
    facts={
        "site": "https://acme.atlassian.net",
        "api": "/rest/api/3",
        "fields": {
            "estimate": "customfield_10016",
            "sprint": "customfield_10020",
            "epic_link": "customfield_10014",
            "parent_link": "customfield_10018",
            "start_date": "customfield_10015",
            "extra": {"team": "customfield_10050", "region": "customfield_10044"},
        },
        "types": {},
    },
    account="557058:keyrail-bot",
    digest="d",
)
SERVER = Connection(name="jira-dc", type="jira", url="https://jira.acme.example/ctx", deployment="datacenter")
SERVER_READ = Reading(
    facts={
        "site": "https://jira.acme.example/ctx",
        "fields": {
            "estimate": "customfield_10106",
            "sprint": "customfield_10104",
            "epic_link": "customfield_10101",
            "parent_link": None,
            "start_date": None,
            "extra": {},
        },
        "types": {"7": {"name": "Story", "level": 0}},
    },
    account="JIRAUSER10001",
    digest="d",
)


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def items(body: bytes, connection: Connection = CLOUD, reading: Reading = READ) -> list[WorkItem]:
    changes = parse("items", body, connection, reading).changes
    assert all(isinstance(change, Upsert) for change in changes)
    return [change.item for change in changes if isinstance(change, Upsert)]


def issue(**fields: object) -> bytes:
    given = {"summary": "s", "created": "2026-01-01T00:00:00.000Z", "updated": "2026-01-02T00:00:00.000Z", **fields}
    return json.dumps({"id": "1", "key": "PAY-1", "fields": given}).encode()


def one(reading: Reading = READ, connection: Connection = CLOUD, **fields: object) -> WorkItem:
    (item,) = items(issue(**fields), connection, reading)
    return item


def test_a_search_page_of_cloud_is_read_whole():
    epic, story, subtask = items(sample("page__cloud_search"))
    assert epic == WorkItem(
        connection="jira-main",
        tracker="jira",
        id="20001",
        key="PAY-7",
        url="https://acme.atlassian.net/browse/PAY-7",
        title="One-click pay",
        type="Epic",
        level=Level.EPIC,
        status="In Progress",
        vendor_category=Category.IN_PROGRESS,
        category=Category.IN_PROGRESS,
        created_at=datetime(2026, 9, 28, 7, 0, tzinfo=UTC),
        updated_at=datetime(2026, 11, 20, 16, 15, 30, 250_000, tzinfo=UTC),
        status_changed_at=datetime(2026, 10, 5, 8, 30, tzinfo=UTC),
        project="PAY",
        labels=("okr/I1",),
        assignees=("Maria Lopez",),
        start_date=date(2026, 10, 1),
        due_date=date(2026, 12, 10),
    )
    assert story == WorkItem(
        connection="jira-main",
        tracker="jira",
        id="20012",
        key="PAY-12",
        url="https://acme.atlassian.net/browse/PAY-12",
        title="Remember the card",
        type="Story",
        level=Level.ISSUE,
        status="Erledigt",
        vendor_category=Category.DONE,
        category=Category.DONE,
        resolution="Done",
        created_at=datetime(2026, 10, 2, 9, 0, tzinfo=UTC),
        updated_at=datetime(2026, 11, 18, 15, 45, 0, 20_000, tzinfo=UTC),
        status_changed_at=datetime(2026, 11, 18, 15, 45, tzinfo=UTC),
        project="PAY",
        estimate=5.0,
        time_estimate=28800.0,
        parent_id="20001",
        parent_key="PAY-7",
        containers=(
            "sprint:Pay 6", "sprint:Pay 7", "sprint:Pay 8", "component:API", "component:Web",
            "version:2026.11", "version:2026.12",
        ),
        labels=("checkout", "Saas"),
        assignees=("Maria Lopez",),
        sprint="Pay 7",
        milestone="2026.11",
        fields={"team": "Payments Core", "region": ["EU", "US"]},
        blocked_by=("20040",),
    )  # fmt: skip
    assert subtask == WorkItem(
        connection="jira-main",
        tracker="jira",
        id="20013",
        key="PAY-13",
        url="https://acme.atlassian.net/browse/PAY-13",
        title="Migration",
        type="Unteraufgabe",
        level=Level.SUBTASK,
        status="Waiting on Mars",
        vendor_category=Category.TODO,
        category=Category.TODO,
        created_at=datetime(2026, 10, 3, 7, 0, tzinfo=UTC),
        updated_at=datetime(2026, 10, 4, 7, 0, tzinfo=UTC),
        project="PAY",
        parent_id="20012",
        parent_key="PAY-12",
        archived=True,
        flags=("bad_estimate", "unmapped_status"),
    )


def test_an_issue_of_data_center_has_its_epic_by_key_and_its_sprints_as_text():
    (item,) = items(sample("issue__data_center"), SERVER, SERVER_READ)
    assert (item.parent_id, item.parent_key) == (None, "CORE-2")
    assert (item.estimate, item.flags) == (0.0, ())
    assert item.containers == ("sprint:Core 41, cleanup", "sprint:Core 42")
    assert item.sprint == "Core 42"
    assert item.url == "https://jira.acme.example/ctx/browse/CORE-40"
    assert (item.level, item.assignees) == (Level.ISSUE, ("Jane Doe",))


def test_a_resolution_left_from_before_reopening_neither_closes_nor_dates():
    (item,) = items(sample("issue__data_center"), SERVER, SERVER_READ)
    assert (item.resolution, item.category, item.status_changed_at) == ("Won't Do", Category.TODO, None)


def test_bare_issues_lists_and_pages_read_alike():
    page = json.loads(sample("page__cloud_search"))
    alone = [items(json.dumps(issue).encode())[0] for issue in page["issues"]]
    assert items(json.dumps(page["issues"]).encode()) == alone == items(sample("page__cloud_search"))
    assert items(b'{"issues": [], "isLast": true}') == []


@pytest.mark.parametrize(
    ("key", "category", "flags"),
    [
        ("undefined", Category.TODO, ()),
        ("new", Category.TODO, ()),
        ("indeterminate", Category.IN_PROGRESS, ()),
        ("done", Category.DONE, ()),
        ("IN_PROGRESS", Category.TODO, ("unmapped_status",)),
        (None, Category.TODO, ("unmapped_status",)),
    ],
)
def test_the_category_is_read_by_key_never_by_name(key, category, flags):
    item = one(status={"name": "Done", "statusCategory": {"id": 3, "key": key, "name": "Done"}})
    assert (item.vendor_category, item.category, item.flags, item.status) == (category, category, flags, "Done")


def test_an_issue_without_a_status_is_still_there():
    assert one().flags == ("unmapped_status",)
    assert one(status="Done").category is Category.TODO


@pytest.mark.parametrize(
    ("value", "estimate", "bad"),
    [(0, 0.0, False), (0.5, 0.5, False), (None, None, False), (-1, None, True), ("8", None, True), (True, None, True)],
)
def test_an_estimate_is_a_number_from_zero_on(value, estimate, bad):
    item = one(customfield_10016=value)
    assert (item.estimate, "bad_estimate" in item.flags) == (estimate, bad)


@pytest.mark.parametrize(
    ("issue_type", "level"),
    [
        ({"name": "Initiative", "hierarchyLevel": 2}, Level.INITIATIVE),
        ({"name": "Theme", "hierarchyLevel": 5}, Level.INITIATIVE),
        ({"name": "长篇故事", "hierarchyLevel": 1}, Level.EPIC),
        ({"name": "Epic", "hierarchyLevel": 0}, Level.ISSUE),
        ({"name": "Bug", "hierarchyLevel": -1, "subtask": True}, Level.SUBTASK),
        ({"name": "Whatever", "id": "77"}, Level.EPIC),
        ({"name": "Whatever", "id": "78"}, Level.SUBTASK),
        ({"name": "Whatever", "id": "99", "subtask": True}, Level.SUBTASK),
        ({"name": "epic", "id": "99", "subtask": False}, Level.EPIC),
        ({"name": "Theme"}, Level.INITIATIVE),
        ({"name": "Task"}, Level.ISSUE),
        (None, Level.ISSUE),
    ],
)
def test_the_level_comes_from_jiras_number_then_the_sites_types_then_the_name(issue_type, level):
    reading = replace(READ, facts={**READ.facts, "types": {"77": {"level": 1}, "78": {"level": "subtask"}}})
    assert one(reading, issuetype=issue_type).level is level


def test_the_operators_names_of_levels_win_without_regard_to_case():
    connection = replace(CLOUD, levels={"epic": ("Feature",), "initiative": ("EPIC",)})
    assert one(connection=connection, issuetype={"name": "feature", "hierarchyLevel": 0}).level is Level.EPIC
    assert one(connection=connection, issuetype={"name": "Epic", "hierarchyLevel": 1}).level is Level.INITIATIVE
    assert one(connection=connection, issuetype={"name": "Story", "hierarchyLevel": 0}).level is Level.ISSUE


@pytest.mark.parametrize(
    ("fields", "parent"),
    [
        ({"parent": {"id": "5", "key": "PAY-5"}, "customfield_10014": "PAY-9"}, ("5", "PAY-5")),
        ({"parent": None, "customfield_10014": "PAY-9"}, (None, "PAY-9")),
        ({"customfield_10014": "10900"}, ("10900", None)),
        ({"customfield_10018": {"showField": False, "data": {"id": 7, "key": "PAY-2"}}}, ("7", "PAY-2")),
        ({"customfield_10018": {"showField": False, "nonEditableReason": {"reason": "X"}}}, (None, None)),
        ({"customfield_10018": "ROAD-3"}, (None, "ROAD-3")),
        ({"customfield_10014": "PAY-1"}, (None, None)),
        ({"customfield_10014": "no key at all"}, (None, None)),
    ],
)
def test_the_parent_is_the_parent_field_then_epic_link_then_parent_link(fields, parent):
    item = one(**fields)
    assert (item.parent_id, item.parent_key) == parent


def test_the_project_is_derived_from_the_key_where_the_body_leaves_it_out():
    assert one().project == "PAY"
    assert one(project={"id": "1", "key": "OTHER"}).project == "OTHER"


def test_a_person_is_named_and_an_account_id_is_the_last_resort():
    assert one(assignee={"accountId": "x", "displayName": "Jo"}).assignees == ("Jo",)
    assert one(assignee={"name": "jdoe", "accountId": "x"}).assignees == ("jdoe",)
    assert one(assignee={"accountId": "x"}).assignees == ("x",)


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        ({"value": "EU", "child": {"value": "Germany"}}, ["EU", "Germany"]),
        ({"value": "EU"}, "EU"),
        ({"displayName": "Jo", "accountId": "x"}, "Jo"),
        ([{"name": "A"}, "b", {"id": 1}], ["A", "b"]),
        (3.5, 3.5),
        (False, False),
        ("text", "text"),
    ],
)
def test_extra_fields_become_words(value, plain):
    assert one(customfield_10044=value).fields == {"region": plain}


def test_an_extra_field_without_a_value_is_absent():
    assert one(customfield_10044=None, customfield_10050={"type": "doc"}).fields == {}


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"{", "not JSON"),
        (b'"text"', "Not a Jira page"),
        (b'{"errorMessages": ["gone"]}', "Not a Jira page"),
        (b'{"issues": {}}', "Not a Jira page"),
        (b'{"issues": [7]}', "int instead of an object"),
        (b'{"issues": [{"key": "PAY-1", "fields": {}}]}', "Issue PAY-1 has no 'id'"),
        (b'{"issues": [{"id": "1", "fields": {}}]}', "Issue with id 1 has no 'key'"),
        (b'{"issues": [{"id": "1", "key": "PAY-1"}]}', "PAY-1 has no 'fields'"),
        (b'{"id": "1", "key": "PAY-1", "fields": {"created": "2026-01-01T00:00:00Z"}}', "PAY-1: 'fields.updated'"),
        (b'{"id": "1", "key": "PAY-1", "fields": {"updated": "2026-01-01T00:00:00Z"}}', "PAY-1: 'fields.created'"),
        (issue(updated="2026-01-02T00:00:00.000"), "not a time with an offset"),
        (issue(updated="0001-01-01T00:00:00+1400"), "not a time with an offset"),
    ],
)
def test_a_broken_page_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        parse("items", body, CLOUD, READ)


def test_a_kind_that_nobody_knows_is_named():
    with pytest.raises(PayloadError, match="'pages'"):
        parse("pages", b"[]", CLOUD, READ)


# --- without discovery


def test_defaults_read_the_usual_fields_of_cloud():
    reading = defaults(CLOUD)
    assert items(sample("page__cloud_search"), CLOUD, reading)[1] == replace(
        items(sample("page__cloud_search"))[1], fields={"region": ["EU", "US"]}
    )
    assert one(reading, customfield_10016={"id": 1}, customfield_10026=3).estimate == 3.0
    assert one(reading, customfield_10016=None, customfield_10004="High").flags == ("unmapped_status",)
    assert one(reading, customfield_10014=42).parent_id is None


def test_defaults_use_the_names_that_a_page_brings_along():
    (item,) = items(sample("page__data_center_search"), SERVER, defaults(SERVER))
    assert item == items(sample("issue__data_center"), SERVER, SERVER_READ)[0]


def test_defaults_take_an_estimate_named_by_id_and_none_at_its_word():
    by_id = replace(CLOUD, estimate="customfield_10024")
    assert one(defaults(by_id), by_id, customfield_10016=8, customfield_10024=2).estimate == 2.0
    nothing = replace(CLOUD, estimate="none")
    assert one(defaults(nothing), nothing, customfield_10016=8).estimate is None
    by_name = replace(SERVER, estimate="Effort")
    page = json.loads(sample("page__data_center_search"))
    page["names"]["customfield_10900"] = "Effort"
    page["issues"][0]["fields"]["customfield_10900"] = 13
    assert items(json.dumps(page).encode(), by_name, defaults(by_name))[0].estimate == 13.0


def test_defaults_know_where_the_rest_paths_of_a_deployment_are():
    assert defaults(CLOUD).facts["api"] == "/rest/api/3"
    assert defaults(SERVER).facts["api"] == "/rest/api/2"


# --- history


def test_a_bulk_changelog_becomes_transitions_of_the_fields_we_follow():
    parsed = parse("history", sample("changelog__bulkfetch"), CLOUD, READ)
    assert parsed.changes == ()
    assert parsed.history_of == ("20012", "20013")

    def transition(item_id: str, id: str, at: datetime, field: str, *values: str | None) -> Transition:
        before, after, before_id, after_id = values
        return Transition(
            connection="jira-main", item_id=item_id, id=id, at=at, field=field,
            before=before, after=after, before_id=before_id, after_id=after_id,
        )  # fmt: skip

    started = datetime(2026, 10, 6, 7, 0, tzinfo=UTC)
    closed = datetime(2026, 11, 17, 16, 45, tzinfo=UTC)
    refined = datetime(2026, 10, 3, 7, 30, tzinfo=UTC)
    assert parsed.transitions == (
        transition("20012", "9001.0", started, "status", "To Do", "In Progress", "10000", "3"),
        transition("20012", "9010.0", closed, "resolution", None, "Done", None, "10000"),
        transition("20012", "9010.1", closed, "status", "In Progress", "Erledigt", "3", "10001"),
        transition("20013", "9002.0", refined, "estimate", None, "-1", None, None),
        transition("20013", "9002.2", refined, "parent", "PAY-7", "PAY-12", "20001", "20012"),
        transition("20013", "9002.3", refined, "labels", None, "checkout", None, None),
    )


def test_an_embedded_changelog_without_field_ids_is_put_in_order():
    parsed = parse("history", sample("changelog__embedded_data_center"), SERVER, SERVER_READ)
    assert parsed.history_of == ("31007",)
    assert [(t.id, t.field, t.before, t.after) for t in parsed.transitions] == [
        ("499.0", "estimate", None, "0"),
        ("499.1", "type", "Bug", "Story"),
        ("501.0", "sprint", None, "Core 41, cleanup, Core 42"),
        ("501.1", "parent", None, "CORE-2"),
        ("502.0", "key", "LEDGER-1", "CORE-40"),
        ("502.1", "project", "Ledger", "Core"),
    ]


def test_a_changelog_that_goes_on_elsewhere_is_not_the_whole_history():
    cut = json.loads(sample("changelog__bulkfetch")) | {"nextPageToken": "more"}
    assert parse("history", json.dumps(cut).encode(), CLOUD, READ).history_of == ()
    embedded = json.loads(sample("changelog__embedded_data_center"))
    embedded["changelog"]["total"] = 41
    assert parse("history", json.dumps(embedded).encode(), SERVER, SERVER_READ).history_of == ()


@pytest.mark.parametrize(
    ("page", "whole"),
    [
        ({"values": [], "isLast": True, "startAt": 0, "total": 0}, ("5",)),
        ({"values": []}, ("5",)),
        ({"values": [], "isLast": False, "startAt": 0}, ()),
        ({"values": [], "isLast": True, "startAt": 100}, ()),
    ],
)
def test_an_issues_own_changelog_needs_its_id_beside_it(page, whole):
    assert parse("history", json.dumps({"issueId": "5", **page}).encode(), CLOUD, READ).history_of == whole
    with pytest.raises(PayloadError, match="no 'issueId'"):
        parse("history", json.dumps(page).encode(), CLOUD, READ)


def test_one_issue_spread_over_entries_of_a_page_is_one_history():
    page = json.loads(sample("changelog__bulkfetch"))
    first, second = page["issueChangeLogs"][0]["changeHistories"]
    page["issueChangeLogs"] = [
        {"issueId": "20012", "changeHistories": [second]}, {"issueId": "20012", "changeHistories": [first]},
    ]  # fmt: skip
    parsed = parse("history", json.dumps(page).encode(), CLOUD, READ)
    assert parsed.history_of == ("20012",)
    assert [t.id for t in parsed.transitions] == ["9001.0", "9010.0", "9010.1"]


def test_the_team_field_is_followed_where_the_operator_keeps_one():
    entry = {
        "field": "Team",
        "fieldtype": "custom",
        "fieldId": "customfield_10050",
        "fromString": None,
        "toString": "A",
    }
    history = {"id": "1", "created": "2026-01-01T00:00:00.000Z", "items": [entry]}
    body = json.dumps({"issueId": "5", "values": [history]}).encode()
    assert [t.field for t in parse("history", body, CLOUD, READ).transitions] == ["team"]
    assert parse("history", body, SERVER, SERVER_READ).transitions == ()


def test_without_field_ids_the_estimate_is_known_by_the_name_that_the_operator_gave():
    items = [{"field": name, "fromString": None, "toString": "5"} for name in ("Effort", "Story Points")]
    history = {"id": "1", "created": "2026-01-01T00:00:00.000Z", "items": items}
    body = json.dumps({"issueId": "5", "values": [history]}).encode()
    named = replace(SERVER, estimate="effort")
    assert [t.id for t in parse("history", body, named, SERVER_READ).transitions] == ["1.0"]
    assert [t.id for t in parse("history", body, SERVER, SERVER_READ).transitions] == ["1.1"]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"issueChangeLogs": [{"changeHistories": []}]}, "no 'issueId'"),
        ({"issueChangeLogs": [{"issueId": "5", "changeHistories": 3}]}, "changelog of issue 5 is int"),
        ({"issueId": "5", "values": [1]}, "changelog of issue 5 holds int"),
        ({"issueId": "5", "values": [{"created": "2026-01-01T00:00:00Z", "items": []}]}, "issue 5 has no 'id'"),
        ({"issueId": "5", "values": [{"id": "1", "items": []}]}, "no 'created'"),
        ({"id": "5", "key": "PAY-5", "fields": {}}, "PAY-5 has no 'changelog'"),
    ],
)
def test_a_broken_changelog_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        parse("history", json.dumps(body).encode(), CLOUD, READ)


# --- whatever comes

JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12), st.just([]), st.just({}), st.just([None]), st.just([{"name": 7}]), st.just("9" * 30),
    st.just("9999-12-31T23:59:59-1200"), st.just({"data": {"key": []}}),
)  # fmt: skip


def places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    """Every path into a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path for key, child in inner for path in [(*at, key), *places(child, (*at, key))]]


def change(value: object, path: tuple[object, ...], junk: object, drop: bool) -> None:
    for key in path[:-1]:
        if not isinstance(value, (dict, list)) or (isinstance(value, dict) and key not in value):
            return
        if isinstance(value, list) and not (isinstance(key, int) and key < len(value)):
            return
        value = value[key]
    last = path[-1]
    if (isinstance(value, dict) and last in value) or (
        isinstance(value, list) and isinstance(last, int) and last < len(value)
    ):
        if drop:
            del value[last]
        else:
            value[last] = junk


MUTABLE = [
    ("items", "page__cloud_search", CLOUD, READ),
    ("items", "page__data_center_search", SERVER, SERVER_READ),
    ("items", "page__data_center_search", SERVER, defaults(SERVER)),
    ("history", "changelog__bulkfetch", CLOUD, READ),
    ("history", "changelog__embedded_data_center", SERVER, SERVER_READ),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.parametrize("case", MUTABLE, ids=lambda c: c[1])
def test_a_mutated_page_is_read_or_parked_and_nothing_else(case, data):
    kind, name, connection, reading = case
    page = json.loads(sample(name))
    paths = places(page)
    mutated = copy.deepcopy(page)
    for path in data.draw(st.lists(st.sampled_from(paths), min_size=1, max_size=4)):
        change(mutated, path, data.draw(JUNK), data.draw(st.booleans()))
    try:
        parsed = parse(kind, json.dumps(mutated).encode(), connection, reading)
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
        assert parse(kind, body, CLOUD, READ).changes == ()
