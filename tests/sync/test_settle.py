"""The operator's words over the vendor's facts, and the dates that history proves."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.work import Category, Level, Transition, WorkItem
from domain.workspace import Connection, Workspace
from sync.mapping import compile_mapping, dates

T0 = datetime(2026, 1, 1, 9, tzinfo=UTC)
TODO, DOING, DONE, CANCELED = Category.TODO, Category.IN_PROGRESS, Category.DONE, Category.CANCELED


def day(number):
    return T0 + timedelta(days=number)


def an_item(tracker="jira", **facts):
    given_ = {
        "connection": f"{tracker}-main",
        "tracker": tracker,
        "id": "1",
        "key": "PAY-1",
        "url": "",
        "title": "",
        "type": "Story",
        "level": Level.ISSUE,
        "status": "To Do",
        "vendor_category": TODO,
        "category": facts.get("vendor_category", TODO),
        "updated_at": T0,
        "created_at": T0,
    }
    return WorkItem(**(given_ | facts))


def a_mapper(statuses=None, resolutions=None, levels=None):
    connections = {
        name: Connection(
            name=name,
            type=name.partition("-")[0],
            url="",
            statuses=statuses or {},
            resolutions=resolutions or {},
            levels=levels or {},
        )
        for name in ("jira-main", "github-main", "linear-main")
    }
    return compile_mapping(Workspace(name="acme", timezone="UTC", connections=connections))


OVERRIDES = {
    "in review": "review",
    "abgelehnt": "canceled",
    "released": "done",
    "blocked": "todo",
    "in arbeit": "in_progress",
}


@pytest.mark.parametrize(
    ("tracker", "status", "vendor", "resolution", "expected"),
    [
        ("jira", "To Do", TODO, None, (TODO, None)),
        ("jira", "In Progress", DOING, None, (DOING, None)),
        ("jira", "Done", DONE, "Done", (DONE, None)),
        ("jira", "Done", DONE, None, (DONE, None)),
        ("jira", "Done", DONE, "Won't Do", (CANCELED, None)),
        ("jira", "Done", DONE, "WON'T FIX", (CANCELED, None)),
        ("jira", "Done", DONE, "Won’t Do", (CANCELED, None)),
        ("jira", "Closed", DONE, "Duplicate", (CANCELED, None)),
        ("jira", "Closed", DONE, "Cannot Reproduce", (CANCELED, None)),
        ("jira", "Closed", DONE, "Incomplete", (CANCELED, None)),
        ("jira", "Cancelled", DONE, None, (CANCELED, None)),
        ("jira", "Rejected", DONE, "Done", (CANCELED, None)),
        ("jira", "Obsolete", DONE, None, (CANCELED, None)),
        ("jira", "Rejected", TODO, None, (TODO, None)),
        ("jira", "In Progress", DOING, "Won't Do", (DOING, None)),
        ("jira", "Reopened", TODO, "Duplicate", (TODO, None)),
        ("jira", "In Review", DOING, None, (DOING, "review")),
        ("jira", "IN REVIEW", TODO, None, (DOING, "review")),
        ("jira", "Abgelehnt", DOING, None, (CANCELED, None)),
        ("jira", "Released", DOING, None, (DONE, None)),
        ("jira", "Released", DONE, "Won't Do", (DONE, None)),
        ("jira", "Blocked", DOING, None, (TODO, None)),
        ("jira", "In Arbeit", TODO, None, (DOING, None)),
        ("jira", "Done", DONE, "Verworfen", (CANCELED, None)),
        ("jira", "Done", DONE, "Declined", (DONE, None)),
        ("jira", "In Progress", DOING, "Verworfen", (DOING, None)),
        ("github", "closed", CANCELED, "NOT_PLANNED", (CANCELED, None)),
        ("github", "closed", DONE, "COMPLETED", (DONE, None)),
        ("github", "Cancelled", DONE, "COMPLETED", (DONE, None)),
        ("linear", "Canceled", CANCELED, None, (CANCELED, None)),
        ("linear", "Duplicate", DONE, None, (DONE, None)),
    ],
)
def test_category_and_stage(tracker, status, vendor, resolution, expected):
    mapper = a_mapper(OVERRIDES, {"verworfen": "canceled", "declined": "done"})
    item = mapper.settle(an_item(tracker, status=status, vendor_category=vendor, resolution=resolution))
    assert (item.category, item.stage) == expected


def test_nothing_to_settle_is_the_same_object():
    item = an_item(team="Payments")
    assert a_mapper(OVERRIDES).settle(item) is item
    assert a_mapper().settle(replace(item, connection="gone")).category is TODO


def test_levels_by_name_and_back():
    story = an_item(type="Feature")
    epic = a_mapper(levels={"epic": ("Epic", "FEATURE")}).settle(story)
    assert (epic.level, epic.vendor_level) == (Level.EPIC, Level.ISSUE)
    assert a_mapper().settle(epic) == story
    other = a_mapper(levels={"initiative": ("Feature",)}).settle(epic)
    assert (other.level, other.vendor_level) == (Level.INITIATIVE, Level.ISSUE)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [({"team": "Checkout"}, "Checkout"), ({"team": ["Checkout"]}, "API"), ({"team": ""}, "API"), ({"x": "y"}, "API")],
)
def test_team_from_the_operators_field(fields, expected):
    assert a_mapper().settle(an_item(fields=fields, team="API")).team == expected


def test_a_mapped_status_is_not_unmapped_until_the_file_forgets_it():
    unknown = an_item(status="Released", flags=("bad_estimate", "unmapped_status"))
    mapped = a_mapper(OVERRIDES).settle(unknown)
    assert (mapped.category, mapped.flags) == (DONE, ("bad_estimate", "mapped_status"))
    assert a_mapper().settle(mapped) == unknown


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"vendor_category": DOING, "status_changed_at": day(3)}, (day(3), None, None)),
        ({"vendor_category": DOING, "status_changed_at": day(3), "started_at": day(1)}, (day(1), None, None)),
        ({"vendor_category": DONE, "status_changed_at": day(3)}, (None, day(3), None)),
        ({"vendor_category": DONE, "status_changed_at": day(3), "completed_at": day(2)}, (None, day(2), None)),
        ({"vendor_category": DONE, "resolution": "Duplicate", "status_changed_at": day(3)}, (None, None, day(3))),
        ({"vendor_category": DONE, "resolution": "Duplicate", "completed_at": day(2)}, (None, None, day(2))),
        ({"vendor_category": TODO, "status_changed_at": day(3)}, (None, None, None)),
        ({"vendor_category": TODO, "status_changed_at": day(3), "started_at": day(1)}, (day(1), None, None)),
        ({"vendor_category": DOING, "completed_at": day(2)}, (None, None, None)),
        ({"vendor_category": DONE}, (None, None, None)),
    ],
)
def test_dates_that_the_vendor_left_out(facts, expected):
    item = a_mapper().settle(an_item(**facts))
    assert (item.started_at, item.completed_at, item.canceled_at) == expected


def test_a_date_survives_a_file_that_says_otherwise_for_a_while():
    released = an_item(status="Released", vendor_category=DONE, completed_at=day(2))
    reviewed = a_mapper({"released": "review"}).settle(released)
    assert (reviewed.category, reviewed.completed_at) == (DOING, None)
    assert a_mapper().settle(reviewed).completed_at == day(2)
    dropped = a_mapper({"released": "canceled"}).settle(released)
    assert (dropped.completed_at, dropped.canceled_at) == (None, day(2))
    assert a_mapper().settle(dropped).completed_at == day(2)


WORDS = ["To Do", "In Progress", "In Review", "Rejected", "Released", "Done"]
VENDORS = [TODO, DOING, DONE, CANCELED]
FILES = [a_mapper(), a_mapper(OVERRIDES), a_mapper({"done": "canceled", "released": "todo"}, {"done": "canceled"})]
MOMENTS = st.none() | st.integers(0, 3).map(day)
ITEMS = st.builds(
    an_item,
    tracker=st.sampled_from(["jira", "github", "linear"]),
    status=st.sampled_from(WORDS),
    vendor_category=st.sampled_from(VENDORS),
    resolution=st.sampled_from([None, "Done", "Won't Do", "DUPLICATE"]),
    status_changed_at=MOMENTS,
    started_at=MOMENTS,
    completed_at=MOMENTS,
    canceled_at=MOMENTS,
    flags=st.sampled_from([(), ("unmapped_status",)]),
)


@given(item=ITEMS, file=st.sampled_from(FILES))
def test_settling_twice_is_settling_once(item, file):
    once = file.settle(item)
    assert file.settle(once) is once


@given(item=ITEMS, old=st.sampled_from(FILES), new=st.sampled_from(FILES))
def test_what_an_old_file_settled_leaves_no_trace(item, old, new):
    direct, late = new.settle(item), new.settle(old.settle(item))
    for name in ("category", "stage", "level", "vendor_level", "team"):
        assert getattr(late, name) == getattr(direct, name)
    assert set(late.flags) == set(direct.flags)


def change(at, before, after, field="status", id="1.0", **ids):
    return Transition(connection="jira-main", item_id="1", id=id, at=at, field=field, before=before, after=after, **ids)


STATUSES = {"1": ["To Do", "todo"], "3": ["In Progress", "in_progress"], "5": ["Done", "done"], "6": ["Closed", "done"]}


def proven(item, transitions, mapper=None):
    mapper = mapper or a_mapper()

    def category_of(status, status_id, resolution):
        return mapper.category_of("jira-main", status, status_id, resolution, STATUSES)

    return dates(item, transitions, category_of)


def test_dates_of_a_straight_way():
    item = an_item(status="Done", vendor_category=DONE)
    way = [change(day(1), "To Do", "In Progress", id="8.0"), change(day(4), "In Progress", "Done", id="9.0")]
    assert proven(item, way) == (day(1), day(4), None)
    assert proven(item, way[::-1]) == (day(1), day(4), None)


def test_started_at_the_first_entry_completed_at_the_last():
    item = an_item(status="Closed", vendor_category=DONE)
    way = [
        change(day(1), "To Do", "In Progress"),
        change(day(2), "In Progress", "Done"),
        change(day(3), "Done", "In Progress"),
        change(day(5), "In Progress", "Done"),
        change(day(6), "Done", "Closed"),
    ]
    assert proven(item, way) == (day(1), day(5), None)


def test_reopened_is_not_completed():
    item = an_item(status="To Do", resolution="Done", completed_at=day(2))
    way = [change(day(2), "To Do", "Done"), change(day(3), "Done", "To Do")]
    assert proven(item, way) == (None, None, None)


@pytest.mark.parametrize("order", [1, -1])
def test_status_and_resolution_of_one_entry_are_one_step(order):
    item = an_item(status="Done", vendor_category=DONE, category=CANCELED, resolution="Won't Do")
    way = [
        change(day(2), "To Do", "Done", id="7.0"),
        change(day(2), None, "Won't Do", field="resolution", id="7.1"),
    ]
    assert proven(item, way[::order]) == (None, None, day(2))


def test_canceled_later_by_its_resolution_alone():
    item = an_item(status="Done", vendor_category=DONE, category=CANCELED, resolution="Duplicate")
    way = [
        change(day(2), "To Do", "Done"),
        change(day(2), None, "Done", field="resolution", id="1.1"),
        change(day(9), "Done", "Duplicate", field="resolution"),
    ]
    assert proven(item, way) == (None, None, day(9))


def test_a_stale_resolution_does_not_cancel_the_past():
    item = an_item(status="Done", vendor_category=DONE, resolution="Done")
    way = [
        change(day(1), "To Do", "Done", id="1.0"),
        change(day(1), None, "Won't Do", field="resolution", id="1.1"),
        change(day(2), "Done", "In Progress", id="2.0"),
        change(day(5), "In Progress", "Done", id="3.0"),
        change(day(5), "Won't Do", "Done", field="resolution", id="3.1"),
    ]
    assert proven(item, way) == (day(2), day(5), None)


def test_steps_of_one_instant_follow_their_ids():
    item = an_item(status="Done", vendor_category=DONE)
    way = [change(day(1), "In Progress", "Done", id="10.0"), change(day(1), "To Do", "In Progress", id="9.0")]
    assert proven(item, way)[1] == day(1)
    assert proven(an_item(status="In Progress", vendor_category=DOING), [way[1]]) == (day(1), None, None)


def test_without_history_the_state_dates_from_the_creation():
    assert proven(an_item(status="In Progress", vendor_category=DOING), []) == (T0, None, None)
    assert proven(an_item(status="To Do"), []) == (None, None, None)


def test_other_fields_and_unknown_statuses_change_nothing():
    item = an_item(status="Done", vendor_category=DONE)
    way = [
        change(day(1), "3", "5", field="estimate"),
        change(day(2), "To Do", "Done"),
        change(day(3), "Done", "Gone Status"),
        change(day(4), "Gone Status", "Done"),
    ]
    assert proven(item, way) == (None, day(2), None)


def test_an_unknown_end_keeps_the_items_own_date():
    item = an_item(status="Fertig", vendor_category=DONE, completed_at=day(8))
    assert proven(item, [change(day(2), "To Do", "Fertig")]) == (None, day(8), None)


@pytest.mark.parametrize(
    ("connection", "status", "status_id", "resolution", "statuses", "expected"),
    [
        ("jira-main", "Done", "5", None, STATUSES, DONE),
        ("jira-main", "done", None, None, STATUSES, DONE),
        ("jira-main", "Renamed since", "5", None, STATUSES, DONE),
        ("jira-main", "Done", "5", "Won't Do", STATUSES, CANCELED),
        ("jira-main", "In Progress", "3", "Won't Do", STATUSES, DOING),
        ("jira-main", "Nobody knows", "99", None, STATUSES, None),
        ("jira-main", None, None, None, STATUSES, None),
        ("jira-main", "In Review", "99", None, STATUSES, DOING),
        ("jira-main", "To Do", "1", None, {"to do": "todo"}, TODO),
        ("jira-main", "To Do", "1", None, None, None),
        ("github-main", "closed", None, "NOT_PLANNED", {}, CANCELED),
        ("github-main", "CLOSED", None, "COMPLETED", {}, DONE),
        ("github-main", "open", None, None, {}, TODO),
        ("linear-main", "In Arbeit bald", "s1", None, {"s1": ["In Arbeit bald", "started"]}, DOING),
        ("linear-main", "Dup", "s2", None, {"s2": "duplicate"}, CANCELED),
        ("gone", "Done", "5", None, STATUSES, None),
    ],
)
def test_category_of_the_past(connection, status, status_id, resolution, statuses, expected):
    found = a_mapper({"in review": "review"}).category_of(connection, status, status_id, resolution, statuses)
    assert found is expected
