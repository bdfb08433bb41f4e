"""The sample company's part in Linear: the same from a seed and a date, in time order, and telling its story."""

import random
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise

import pytest

from app.demo import linear_company as company
from app.demo.linear_model import CANCELED, Cycle, Initiative, Issue, Project
from app.demo.linear_site import Site
from app.demo.linear_webhooks import data_of

FIXED = date(2026, 11, 16)


def built(today=FIXED, seed=company.SEED):
    now = datetime.combine(today, time(9), UTC)
    site = Site(clock=lambda: now)
    return company.build(site, today, seed)


def everything(made):
    site = made.site
    return [
        (data_of(site, issue), [(entry.id, entry.created_at, sorted(entry.told)) for entry in issue.histories])
        for issue in site.all(Issue)
    ] + [data_of(site, row) for kind in (Project, Initiative) for row in site.all(kind)]


def ratio_done(items):
    return sum(item.state.type == "completed" for item in items) / sum(
        item.state.type not in CANCELED for item in items
    )


def test_is_the_same_from_the_same_date_and_another_from_another_seed():
    assert everything(built()) == everything(built())
    assert everything(built(seed=1)) != everything(built())


@pytest.mark.parametrize("offset", range(7))
def test_tells_its_story_on_every_day_of_the_week(offset):
    made = built(FIXED + timedelta(days=offset))
    done = {plan.name: ratio_done(made.items[plan.name]) for plan in company.PLANS}
    assert 0.65 < done["One-click pay on mobile"] < 0.85
    assert done["Self-service onboarding screens"] > 0.8
    assert 0.5 < done["Ledger reports in the app"] < 0.7
    issues = list(made.site.all(Issue))
    assert 60 <= len(issues) <= 70
    types = [issue.state.type for issue in issues]
    assert (types.count("canceled"), types.count("duplicate"), types.count("triage")) == (3, 2, 4)
    assert sum(issue.parent is not None for issue in issues) == 6
    assert 20 <= sum(issue.auto_archived_at is not None for issue in issues) <= 30
    assert all(issue.completed_at or issue.canceled_at for issue in issues if issue.archived_at)
    assert 0 < sum(issue.estimate is None for issue in issues if issue.project) <= 12
    assert [issue.previous_identifiers for issue in issues if issue.previous_identifiers] == [["DES-26"]]
    blocked = [issue for issue in issues if any(one.type == "blocks" for one in issue.inverse_relations)]
    assert [issue.state.type in ("backlog", "unstarted") for issue in blocked] == [True, True]
    duplicates = [issue for issue in issues if any(one.type == "duplicate" for one in issue.relations)]
    assert {issue.state.type for issue in duplicates} == {"duplicate"}


@pytest.mark.parametrize("offset", range(7))
def test_histories_tell_ten_weeks_in_order_and_lead_to_the_present(offset):
    made = built(FIXED + timedelta(days=offset))
    morning = datetime.combine(made.today, time(), UTC)
    issues = list(made.site.all(Issue))
    assert timedelta(days=63) <= morning - min(issue.created_at for issue in issues) <= timedelta(days=73)
    for issue in issues:
        times = [entry.created_at for entry in issue.histories]
        assert times == sorted(times), issue.identifier
        assert all(issue.created_at <= at <= issue.updated_at < morning for at in times), issue.identifier
        states = [
            (entry.told["fromState"], entry.told["toState"]) for entry in issue.histories if "toState" in entry.told
        ]
        assert all(later[0] is earlier[1] for earlier, later in pairwise(states)), issue.identifier
        assert not states or states[-1][1] is issue.state, issue.identifier


def test_projects_serve_the_initiatives_of_the_workspace_and_one_initiative_is_linears_own():
    made = built()
    site = made.site
    assert {plan.name: plan.initiative for plan in company.PLANS} == {
        "One-click pay on mobile": "I1",
        "Self-service onboarding screens": "I6",
        "Ledger reports in the app": None,
    }
    assert [[label.name for label in project.labels] for project in site.all(Project)] == [["okr/I1"], [], []]
    wide, own = site.all(Initiative)
    assert (site.parent_of(own), [label.name for label in own.labels]) == (wide, ["kr/KR5"])
    assert sorted({team.key for project in site.all(Project) for team in project.teams}) == ["DES", "MOB"]
    assert [cycle.number for cycle in site.all(Cycle)] == [1, 2, 3, 4, 5] * 2
    assert all("team" in user.name for user in (project.lead for project in site.all(Project)))
    assert site.changes == []


def test_things_happen_one_at_a_time_and_are_told():
    made, chance = built(), random.Random(7)
    changes = [change for _ in range(60) for change in company.step(made.site, chance)]
    assert {change.action for change in changes} == {"create", "update"}
    assert sum("-> Done" in change.said for change in changes) >= 3
    assert all(change.at == made.site.now() for change in changes)
    assert [change.number for change in changes] == list(range(1, len(changes) + 1))
    assert all(change.said and change.key for change in changes)


def test_each_step_changes_something_when_nothing_waits():
    made, chance = built(), random.Random(3)
    for issue in made.site.all(Issue):
        if issue.project and issue.archived_at is None:
            made.site.change(issue, state="Done")
    assert [change.action for change in company.step(made.site, chance)] == ["create"]
