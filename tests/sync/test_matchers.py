"""Each operator of a matcher over items made by hand."""

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from domain.errors import ConfigError
from domain.rules import All, Not, Test
from domain.rules import Any as AnyOf
from domain.work import Category, Level, WorkItem
from sync.matchers import captures, every_test, predicate, subject_matches

NIGHT = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")

ITEM = WorkItem(
    connection="jira-main",
    tracker="jira",
    id="10042",
    key="PAY-12",
    url="https://acme.atlassian.net/browse/PAY-12",
    title="Pay with one click [I1]",
    type="Story",
    level=Level.ISSUE,
    status="In Review",
    vendor_category=Category.IN_PROGRESS,
    category=Category.IN_PROGRESS,
    stage="review",
    updated_at=NIGHT,
    created_at=NIGHT,
    project="PAY",
    estimate=3.0,
    parent_key="PAY-1",
    labels=("okr/I1", "okr/I2", "EU"),
    assignees=("Ada Lovelace",),
    team="Payments",
    sprint="Sprint 7",
    due_date=date(2026, 6, 30),
    fields={"Region": ["EU", "US"], "score": "4.5", "go live": "2026-05-01", "flagged": False, "points": 3},
)
PARENT = replace(ITEM, id="1", key="PAY-1", level=Level.EPIC, labels=("okr/I9",), team="Checkout", fields={"x": "y"})


def fits(matcher, item=ITEM, parent=PARENT, raw=None, zone=BERLIN):
    return predicate(matcher, zone)(item, parent, raw)


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("connection", "in", ("JIRA-MAIN",), True),
        ("connection", "in", ("github-acme",), False),
        ("tracker", "in", ("jira",), True),
        ("level", "in", ("epic", "issue"), True),
        ("level", "in", ("epic",), False),
        ("type", "in", ("story",), True),
        ("key", "in", ("pay-12",), True),
        ("project", "in", ("pay",), True),
        ("status", "in", ("in review",), True),
        ("category", "in", ("in_progress",), True),
        ("category", "in", ("done",), False),
        ("stage", "in", ("review",), True),
        ("labels", "in", ("eu",), True),
        ("labels", "in", ("us",), False),
        ("assignees", "in", ("ada lovelace",), True),
        ("team", "in", ("checkout", "PAYMENTS"), True),
        ("sprint", "in", ("sprint 7",), True),
        ("archived", "in", ("false",), True),
        ("fields.Region", "in", ("us",), True),
        ("fields.region", "in", ("us",), True),
        ("fields.points", "in", ("3",), True),
        ("fields.flagged", "in", ("false",), True),
        ("fields.nothing", "in", ("",), False),
        ("milestone", "in", ("none",), False),
        ("parent", "in", ("pay-1",), True),
        ("parent.team", "in", ("checkout",), True),
        ("parent.team", "in", ("payments",), False),
        ("parent.fields.x", "in", ("Y",), True),
        ("parent.labels", "matches", "okr/I9", True),
        ("title", "matches", "one CLICK", True),
        ("title", "matches", "^one", False),
        ("title", "matches", "(?-i)one CLICK", False),
        ("labels", "matches", r"^okr/\w+$", True),
        ("labels", "matches", "none", False),
        ("estimate", "matches", "^3$", True),
        ("title", "glob", "pay*", True),
        ("title", "glob", "click", False),
        ("title", "glob", "*[[]i1]", True),
        ("labels", "glob", "okr/?1", True),
        ("labels", "glob", "okr/[!1-9]*", True),
        ("key", "glob", "PAY-[!1]*", False),
        ("key", "glob", "PAY.12", False),
        ("estimate", "gt", 3, False),
        ("estimate", "gte", 3, True),
        ("estimate", "lt", 3.5, True),
        ("estimate", "lte", 2.9, False),
        ("time_estimate", "gte", 0, False),
        ("fields.score", "gt", 4, True),
        ("fields.Region", "gt", 4, False),
        ("created_at", "gte", date(2026, 4, 1), True),
        ("created_at", "lt", date(2026, 4, 1), False),
        ("created_at", "lt", datetime(2026, 3, 31, 23, tzinfo=UTC), True),
        ("created_at", "gt", datetime(2026, 3, 31, 22, 30, tzinfo=UTC), False),
        ("due_date", "lte", date(2026, 6, 30), True),
        ("due_date", "lt", datetime(2026, 6, 29, 22, 0, 1, tzinfo=UTC), True),
        ("due_date", "lt", datetime(2026, 6, 29, 22, 0, tzinfo=UTC), False),
        ("start_date", "lt", date(2030, 1, 1), False),
        ("fields.go live", "gt", date(2026, 4, 30), True),
        ("sprint", "gt", "sprint 6", True),
        ("estimate", "exists", True, True),
        ("milestone", "exists", True, False),
        ("milestone", "exists", False, True),
        ("fields.flagged", "exists", True, True),
        ("fields.nothing", "exists", False, True),
        ("containers", "exists", True, False),
    ],
)
def test_each_operator_on_each_kind_of_field(field, op, value, expected):
    assert fits(Test(field=field, op=op, value=value)) is expected


def test_an_estimate_of_zero_is_there():
    assert fits(Test(field="estimate", op="exists", value=True), replace(ITEM, estimate=0.0))
    assert not fits(Test(field="estimate", op="exists", value=True), replace(ITEM, estimate=None))


def test_a_day_is_counted_in_the_zone_of_the_workspace():
    on_april_first = Test(field="created_at", op="gte", value=date(2026, 4, 1))
    assert fits(on_april_first, zone=BERLIN)
    assert not fits(on_april_first, zone=ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (All(inner=()), True),
        (AnyOf(inner=()), False),
        (All(inner=(Test(field="project", op="in", value=("PAY",)), Test(field="team", op="in", value=("x",)))), False),
        (
            AnyOf(inner=(Test(field="project", op="in", value=("PAY",)), Test(field="team", op="in", value=("x",)))),
            True,
        ),
        (Not(inner=Test(field="project", op="in", value=("PAY",))), False),
        (Not(inner=Test(field="milestone", op="in", value=("PAY",))), True),
        (All(inner=(AnyOf(inner=(Not(inner=Test(field="team", op="exists", value=False)),)),)), True),
    ],
)
def test_nesting(matcher, expected):
    assert fits(matcher) is expected


def test_without_a_parent_its_fields_are_empty():
    assert not fits(Test(field="parent.team", op="in", value=("checkout",)), parent=None)
    assert fits(Test(field="parent.team", op="exists", value=False), parent=None)
    assert captures(Test(field="parent.labels", op="matches", value="(?P<id>.+)"))(ITEM, None, None) == []


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"fields": {"a": {"b": "x"}}}, True),
        ({"fields": {"a": {"b": ""}}}, False),
        ({"fields": {"a": {"b": []}}}, False),
        ({"fields": {"a": {"b": False}}}, False),
        ({"fields": {"a": {"b": 0}}}, True),
        ({"fields": {"a": None}}, False),
        ({}, False),
        (None, False),
    ],
)
def test_jmespath_on_the_raw_payload(raw, expected):
    assert fits(Test(field="raw", op="jmespath", value="fields.a.b"), raw=raw) is expected


def test_jmespath_that_does_not_suit_the_payload_does_not_fit():
    assert not fits(Test(field="raw", op="jmespath", value="contains(labels, 'x')"), raw={"labels": None})


@pytest.mark.parametrize(
    "bad",
    [
        Test(field="title", op="matches", value="("),
        Test(field="title", op="matches", value="(?=x)"),
        Test(field="raw", op="jmespath", value="a["),
        Test(field="titel", op="in", value=("x",)),
        Test(field="parent.parent.team", op="in", value=("x",)),
        Test(field="title", op="like", value="x"),
    ],
)
def test_what_cannot_be_compiled_says_so(bad):
    with pytest.raises(ConfigError, match=r"titel|title|a\[|parent"):
        predicate(bad)


@pytest.mark.parametrize(
    ("matcher", "ways"),
    [
        (Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)"), [{"id": "I1"}, {"id": "I2"}]),
        (Test(field="labels", op="matches", value=r"OKR/(?P<id>\w+)"), [{"id": "I1"}, {"id": "I2"}]),
        (Test(field="labels", op="matches", value=r"kr/(?P<id>X)"), []),
        (Test(field="team", op="matches", value=r"(?P<a>Pay)|(?P<b>Check)"), [{"a": "Pay"}]),
        (
            All(
                inner=(
                    Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)"),
                    Test(field="project", op="matches", value="(?P<p>.+)"),
                    Test(field="level", op="in", value=("issue",)),
                )
            ),
            [{"id": "I1", "p": "PAY"}, {"id": "I2", "p": "PAY"}],
        ),
        (
            All(
                inner=(
                    Test(field="labels", op="matches", value=r"okr/(?P<id>\w+)"),
                    Test(field="level", op="in", value=("epic",)),
                )
            ),
            [],
        ),
        (
            AnyOf(
                inner=(
                    Test(field="labels", op="matches", value=r"none/(?P<id>\w+)"),
                    Test(field="parent.labels", op="matches", value=r"okr/(?P<id>\w+)"),
                )
            ),
            [{"id": "I9"}],
        ),
        (Not(inner=Test(field="labels", op="matches", value=r"none/(?P<id>\w+)")), [{}]),
    ],
)
def test_named_groups(matcher, ways):
    assert captures(matcher)(ITEM, PARENT, None) == ways


def test_all_tests_inside_a_matcher_are_found():
    tests = [Test(field=name, op="exists", value=True) for name in ("team", "sprint", "labels")]
    nested = All(inner=(Not(inner=tests[0]), AnyOf(inner=(tests[1], tests[2]))))
    assert list(every_test(nested)) == tests


SUBJECT = {
    "id": "I1",
    "kind": "initiative",
    "team": "Payments",
    "health": "at_risk",
    "due": date(2026, 12, 10),
    "owner": None,
    "dimensions": {"product": "Checkout", "Region": {"EU": 0.7, "US": 0.3}, "bet": ("core", "new")},
}


@pytest.mark.parametrize(
    ("matcher", "expected"),
    [
        (Test(field="id", op="in", value=("i1",)), True),
        (Test(field="team", op="in", value=("Payments",)), True),
        (Test(field="owner", op="exists", value=True), False),
        (Test(field="health", op="in", value=("off_track", "at_risk")), True),
        (Test(field="due", op="lt", value=date(2026, 12, 11)), True),
        (Test(field="product", op="in", value=("checkout",)), True),
        (Test(field="dimensions.product", op="in", value=("Platform",)), False),
        (Test(field="region", op="in", value=("us",)), True),
        (Test(field="dimensions.bet", op="in", value=("new",)), True),
        (Test(field="unheard", op="in", value=("x",)), False),
        (Not(inner=Test(field="team", op="glob", value="pay*")), False),
        (All(inner=(Test(field="kind", op="in", value=("initiative",)), AnyOf(inner=()))), False),
    ],
)
def test_subjects(matcher, expected):
    assert subject_matches(matcher, SUBJECT) is expected
