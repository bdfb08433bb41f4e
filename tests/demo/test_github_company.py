"""The web part of the sample company: the same from a date and a seed, believable on every day of the week."""

import random
from datetime import UTC, date, datetime, time, timedelta

import pytest

from app.demo import github_company as company
from app.demo.company import HISTORY
from app.demo.github_site import Site
from app.demo.github_things import Comment
from app.demo.workspace import quarter

FIXED = date(2026, 11, 16)


def built(today=FIXED, seed=company.SEED):
    now = datetime.combine(today, time(9), UTC)
    return company.build(Site(clock=lambda: now), today, seed)


def when(event):
    return event.created_at if isinstance(event, Comment) else event["createdAt"]


def everything(made):
    return [
        (
            issue.id,
            issue.title,
            issue.state,
            issue.updated_at,
            [(one["id"], one["createdAt"]) for one in issue.timeline],
        )
        for issue in made.site.issues()
    ]


def test_is_the_same_from_the_same_date_and_another_from_another_seed():
    assert everything(built()) == everything(built())
    assert everything(built()) != everything(built(seed=1))


def test_has_its_size_and_its_links():
    made = built()
    issues = list(made.site.issues())
    assert 60 <= len(issues) <= 70
    epics = [(one.number, one.issue_type.name, [label.name for label in one.labels]) for one in made.epics.values()]
    assert epics == [*((number, "Epic", ["okr/I3"]) for number in (1, 2, 3, 4)), (5, "Epic", ["okr/I1"])]
    assert {issue.parent for issue in issues} == {None, *made.epics.values()}
    assert [pull.title for pull in made.web.pulls] == ["Load fonts before the first paint"]


@pytest.mark.parametrize("offset", range(7))
def test_tells_its_story_on_every_day_of_the_week(offset):
    today = FIXED + timedelta(days=offset)
    made = built(today)
    start, _ = quarter(today)
    work = [issue for items in made.items.values() for issue in items]
    counted = [issue for issue in work if issue.state_reason != "NOT_PLANNED"]
    assert 0.55 < sum(issue.closed for issue in counted) / len(counted) < 0.8
    assert sum(issue.state_reason == "NOT_PLANNED" for issue in work) == 3
    assert sum(issue.state_reason == "REOPENED" for issue in work) == 1
    assert sum(issue.state_reason == "DUPLICATE" for issue in made.site.issues()) == 1
    assert 2 <= sum(not issue.values for issue in work) <= 10
    assert [issue.key for issue in work if issue.repository is made.kit] == [
        "acme/checkout-kit#1",
        "acme/checkout-kit#2",
    ]
    assert sum(bool(issue.blocked_by) for issue in work) == 1
    assert sum(issue.closed_at is not None and issue.closed_at.date() >= start for issue in work) > 20
    statuses = {row.values[made.project.field("Status").id].name for row in made.project.items}
    assert statuses >= {"Todo", "In Progress", "Done"}


@pytest.mark.parametrize("offset", range(7))
def test_timelines_lie_in_the_past_and_lead_to_the_present(offset):
    today = FIXED + timedelta(days=offset)
    made = built(today)
    morning = datetime.combine(today, time(0), UTC)
    assert made.site.changes == []
    assert made.project.updated_at < morning
    for issue in made.site.issues():
        assert morning - timedelta(days=HISTORY + 4) <= issue.created_at <= issue.updated_at < morning, issue.key
        assert all(issue.created_at <= when(event) < morning for event in issue.timeline), issue.key
        words = [
            e["__typename"]
            for e in sorted(issue.timeline, key=when)
            if e["__typename"] in ("ClosedEvent", "ReopenedEvent")
        ]
        assert (words[-1:] == ["ClosedEvent"]) is issue.closed, issue.key
        moves = [e["status"] for e in sorted(issue.timeline, key=when) if "status" in e]
        row = next(iter(issue.items), None)
        assert moves[-1:] == ([row.values[made.project.field("Status").id].name] if row else []), issue.key


def test_things_happen_one_at_a_time_and_are_told():
    made, chance = built(), random.Random(7)
    closed = sum(issue.closed for issue in made.site.issues())
    known = len(list(made.site.issues()))
    events = [change for _ in range(60) for change in company.step(made.site, chance)]
    assert {change.event for change in events} == {"issues", "sub_issues", "projects_v2_item"}
    assert sum(issue.closed for issue in made.site.issues()) - closed >= 3
    assert len(list(made.site.issues())) - known >= 2
    assert all(change.at == made.site.now() and change.said for change in events)
    assert [change.number for change in events] == list(range(1, len(events) + 1))
