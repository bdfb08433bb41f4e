"""The sample company: the same from a seed and a date, in time order, and telling the story it is meant to tell."""

import random
import re
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from app.demo import company, jira_bodies
from app.demo.site import Issue, Site
from app.demo.workspace import CHECK_INS, check_ins, quarter, workspace_text
from config.workspace import check

FIXED = date(2026, 11, 16)
URLS = {
    "jira": "http://127.0.0.1:8081",
    "github": "http://127.0.0.1:8082",
    "linear": "http://127.0.0.1:8083/graphql",
}
EXAMPLE = Path(__file__).parents[2] / "examples" / "demo" / "keyrail.yaml"


def built(today=FIXED):
    now = datetime.combine(today, time(9), UTC)
    site = Site(clock=lambda: now)
    return company.build(site, today)


def everything(site: Site) -> list[object]:
    return [
        (jira_bodies.issue_fields(site, issue), [jira_bodies.history(site, entry) for entry in issue.histories])
        for issue in site.issues.values()
    ]


def ratio_done(items: list[Issue]) -> float:
    kept = [item for item in items if item.status != "Won't Do"]
    return sum(item.status == "Done" for item in kept) / len(kept)


def test_is_the_same_from_the_same_date_and_another_from_another_seed():
    assert everything(built().site) == everything(built().site)
    other = Site(clock=lambda: datetime.combine(FIXED, time(9), UTC))
    company.build(other, FIXED, seed=1)
    assert everything(other) != everything(built().site)


def test_has_the_size_of_a_company():
    site = built().site
    types = [issue.type for issue in site.issues.values()]
    assert len(site.projects) == 3
    assert types.count("Epic") == 40
    assert 400 <= len(types) - 40 - types.count("Sub-task") <= 450
    assert types.count("Sub-task") == 8


@pytest.mark.parametrize("offset", range(7))
def test_keys_of_epics_hang_on_no_date(offset):
    today = FIXED + timedelta(days=offset)
    epics = [(e.key, e.summary) for plan in built(today).epics.values() for e in plan]
    assert epics == [(e.key, e.summary) for plan in built().epics.values() for e in plan]


def test_changelogs_tell_ten_weeks_in_order():
    made = built()
    morning = datetime.combine(FIXED, time(0), UTC)
    first = min(issue.created for issue in made.site.issues.values())
    assert timedelta(days=69) <= morning - first <= timedelta(days=73)
    entries = sorted((e for i in made.site.issues.values() for e in i.histories), key=lambda e: e.id)
    assert [e.at for e in entries] == sorted(e.at for e in entries)
    assert len({e.id for e in entries}) == len(entries)
    assert entries[-1].at < morning
    for issue in made.site.issues.values():
        assert all(issue.created <= entry.at <= issue.updated for entry in issue.histories), issue.key
        ids = [entry.id for entry in issue.histories]
        assert ids == sorted(ids)


def test_changelogs_lead_to_the_present():
    site = built().site
    for issue in site.issues.values():
        state = "To Do"
        for item in (item for entry in issue.histories for item in entry.items if item.field == "status"):
            assert item.before_text == state, issue.key
            state = item.after_text
        assert state == issue.status


@pytest.mark.parametrize("offset", range(7))
def test_tells_its_story_on_every_day_of_the_week(offset):
    today = FIXED + timedelta(days=offset)
    made = built(today)
    start, _ = quarter(today)
    done = {plan: ratio_done(items) for plan, items in made.items.items()}
    assert min(done["I1"], done["I2"], done["I3"]) > 0.65
    assert done["I6"] > 0.8
    assert 0.5 < done["I4"] < 0.7
    assert done["I7"] < 0.35
    added = [item for item in made.items["I4"] if item.created.date() > start]
    assert len(added) == 14
    assert sum(item.status == "Won't Do" for item in made.items["I8"]) == 6
    assert sum(item.points is None for item in made.items["I8"]) >= 8
    blocked = [item for item in made.items["I7"] if item.links]
    assert len(blocked) == 7
    assert all(made.site.issues[link.other].status == "To Do" for item in blocked for link in item.links)
    assert all(item.status != "Done" for item in blocked)
    reopened = made.epics["I2"][0]
    words = [item.after_text for entry in reopened.histories for item in entry.items if item.field == "status"]
    assert words == ["In Progress", "Done", "In Progress"]
    unlinked = [i for i in made.site.issues.values() if i.parent is None and i.type == "Bug"]
    assert len(unlinked) == 9


def test_check_ins_begin_with_the_quarter_and_diverge_from_delivery_on_one_key_result():
    start, end = quarter(FIXED)
    values = check_ins(FIXED)
    assert (end - start).days == 89
    assert {value.key_result for value in values} == {"KR1", "KR3", "KR4", "KR6"}
    assert values == sorted(values, key=lambda value: value.as_of)
    assert all(start <= value.as_of.date() <= FIXED for value in values)
    last = [value.value for value in values if value.key_result == "KR6"][-1]
    assert (last - 40) / (120 - 40) < 0.1
    assert ratio_done(built().items["I6"]) > 0.8


def test_the_example_is_the_workspace_of_its_date():
    assert EXAMPLE.read_text() == workspace_text(URLS, FIXED)


def test_without_the_other_trackers_the_file_is_about_jira_alone():
    text = workspace_text({"jira": URLS["jira"]}, FIXED)
    assert "github" not in text.lower().replace("work in up to three trackers", "")
    assert "linear" not in text.lower()
    assert len(text.splitlines()) < len(workspace_text(URLS, FIXED).splitlines()) - 30


def test_the_example_is_a_sound_workspace():
    trackers = ("JIRA", "GITHUB", "LINEAR")
    secrets = {f"DEMO_{name}_{kind}": "s" for name in trackers for kind in ("TOKEN", "WEBHOOK_SECRET")}
    workspace, problems = check(EXAMPLE, secrets)
    assert problems == []
    assert (len(workspace.objectives), len(workspace.key_results), len(workspace.initiatives)) == (3, 7, 8)
    assert set(CHECK_INS) == {id_ for id_, one in workspace.key_results.items() if one.metric is not None}
    assert {plan.id for plan in company.PLANS} - {"-"} == set(workspace.initiatives)


def test_the_workspace_names_the_epics_that_have_no_label():
    made = built()
    assert [epic.key for epic in made.epics["I6"]] == ["MER-1", "MER-2", "MER-3", "MER-4", "MER-5"]
    assert "keys: [MER-1, MER-2, MER-3, MER-4, MER-5]" in workspace_text({"jira": made.site.url}, FIXED)
    assert not re.search("<(?:DAY|URL|START|END)", workspace_text({"jira": made.site.url}, FIXED))


def test_things_happen_one_at_a_time_and_are_told():
    made, chance = built(), random.Random(7)
    events = [change for _ in range(60) for change in company.step(made.site, chance)]
    assert {change.event for change in events} == {"jira:issue_created", "jira:issue_updated"}
    finished = [c for c in events if c.history and any(i.after_text == "Done" for i in c.history.items)]
    assert len(finished) >= 3
    assert all(change.at == made.site.now() for change in events)


def test_a_change_says_what_happened():
    site = built().site
    epic = site.find("PAY-1")
    change = site.change(site.create("PAY", "Task", "Measure consent", parent=epic), status="Done")
    assert change.said == "status: To Do -> Done, resolution: none -> Done"
    assert site.changes[-2].said == "created: Measure consent"
