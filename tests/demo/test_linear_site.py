"""What happens in a simulated Linear workspace: edits, moves, archive and trash, and what follows from them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.demo import linear_weeks as weeks
from app.demo.linear_model import InitiativeToProject, Issue, Project, ProjectStatus, State, in_jira, on_github
from app.demo.linear_site import Site, slug, uuid_of

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
OLD = NOW - timedelta(days=40)


@pytest.fixture
def site(clock):
    """Teams MOB and DES with a cycle, project "Wallet" of MOB with a milestone, and MOB-1 in it."""
    site = Site(clock=clock)
    mobile, _ = site.add_team("MOB", "Mobile"), site.add_team("DES", "Design", estimates="notUsed")
    site.add_user("Mobile team")
    site.add_cycle(mobile, NOW - timedelta(days=7), NOW + timedelta(days=7))
    project = site.add_project("Wallet", [mobile], at=OLD, status="In Progress")
    site.add_milestone(project, "Beta", target=date(2026, 12, 1), at=OLD)
    site.create(mobile, "Stored cards", at=OLD, project=project, estimate=3.0, labels=["ios"])
    site.changes.clear()
    return site


@pytest.fixture
def issue(site):
    return site.find("MOB-1")


def told(issue):
    return [entry.told for entry in issue.histories]


def test_ids_are_uuids_of_version_four_and_hang_on_names(site):
    other = Site(clock=site.clock)
    assert other.add_team("MOB", "Mobile").id == site.team("MOB").id
    assert Site(name="globex", clock=site.clock).add_team("MOB", "Mobile").id != site.team("MOB").id
    assert all(one.id[14] == "4" and one.id[19] in "89ab" for one in (site.team("MOB"), site.find("MOB-1")))
    assert uuid_of("a") == uuid_of("a") != uuid_of("b")
    assert slug("Agree on the contract: stored cards!") == "agree-on-the-contract-stored-cards"


def test_a_team_has_a_state_of_each_of_the_seven_types(site):
    types = [state.type for state in site.all(State) if state.team.key == "MOB"]
    assert types == ["triage", "backlog", "unstarted", "started", "started", "completed", "canceled", "duplicate"]
    assert [status.type for status in site.all(ProjectStatus)] == [
        "backlog", "planned", "started", "paused", "completed", "canceled",
    ]  # fmt: skip


def test_one_edit_is_one_entry_and_one_change(site, issue, clock):
    clock.forward(60)
    backlog = issue.state
    change = site.change(issue, state="In Progress", estimate=5.0, labels=["android"], title="Stored cards")
    going = site.state(site.team("MOB"), "In Progress")
    ios, android = site.label("ios"), site.label("android")
    assert told(issue) == [
        {
            "fromState": backlog,
            "toState": going,
            "fromEstimate": 3.0,
            "toEstimate": 5.0,
            "addedLabels": [android],
            "removedLabels": [ios],
        }
    ]
    assert change.updated_from == {
        "updatedAt": OLD,
        "stateId": backlog.id,
        "startedAt": None,
        "estimate": 3,
        "labelIds": [ios.id],
    }
    assert change.said == "state: Backlog -> In Progress, estimate: 3 -> 5, labels: ios -> android"
    assert (change.action, change.type, change.key, change.at) == ("update", "Issue", "MOB-1", clock.at)
    assert (issue.started_at, issue.updated_at, issue.histories[0].created_at) == (clock.at,) * 3
    assert site.changes == [change]


@pytest.mark.parametrize(
    ("states", "dates"),
    [
        (("In Progress",), (0, None, None)),
        (("In Progress", "In Review", "Done"), (0, 2, None)),
        (("In Progress", "Done", "In Progress"), (0, None, None)),
        (("In Progress", "Done", "Todo"), (None, None, None)),
        (("Canceled",), (None, None, 0)),
        (("Canceled", "Duplicate"), (None, None, 0)),
        (("Duplicate", "Backlog"), (None, None, None)),
    ],
)
def test_dates_follow_the_type_of_the_state(site, issue, states, dates):
    moments = [NOW + timedelta(minutes=number) for number in range(3)]
    for at, state in zip(moments, states, strict=False):
        site.change(issue, state=state, at=at)
    found = (issue.started_at, issue.completed_at, issue.canceled_at)
    assert found == tuple(None if number is None else moments[number] for number in dates)


def test_triage_is_entered_and_left(site):
    report = site.create(site.team("MOB"), "It stalls", state="Triage")
    assert report.started_triage_at == NOW
    site.change(report, state="Backlog", at=NOW + timedelta(hours=1))
    assert report.triaged_at == NOW + timedelta(hours=1)


def test_what_stays_as_it_is_is_not_told(site, issue):
    assert site.change(issue, estimate=3.0, state="Backlog").said == ""
    assert told(issue) == [{}]


def test_a_move_gives_a_new_identifier_and_keeps_the_id(site, issue):
    design, mobile, before = site.team("DES"), site.team("MOB"), issue.id
    site.create(design, "Icons")
    change = site.move(issue, design)
    assert (issue.id, issue.identifier, issue.previous_identifiers) == (before, "DES-2", ["MOB-1"])
    assert site.find("MOB-1") is site.find("des-2") is site.find(before) is issue
    assert (issue.state.name, issue.state.team) == ("Backlog", design)
    assert {key: told(issue)[0][key] for key in ("fromTeam", "toTeam")} == {"fromTeam": mobile, "toTeam": design}
    assert change.updated_from == {
        "updatedAt": OLD,
        "teamId": mobile.id,
        "number": 1,
        "stateId": site.state(mobile, "Backlog").id,
        "previousIdentifiers": [],
    }


def test_the_milestone_goes_with_the_project(site, issue):
    site.change(issue, project_milestone=issue.project.milestones[0])
    other = site.add_project("Other", [site.team("MOB")])
    change = site.change(issue, project=other)
    assert (issue.project_milestone, issue.added_to_project_at) == (None, NOW)
    assert change.updated_from["projectMilestoneId"]


def test_archive_trash_and_restore_move_the_update_time_and_are_told(site, issue, clock):
    clock.forward(10)
    archived = site.archive(issue, auto=True)
    assert (issue.archived_at, issue.auto_archived_at, issue.trashed) == (clock.at, clock.at, None)
    restored = site.restore(issue)
    assert (issue.archived_at, issue.auto_archived_at) == (None, None)
    clock.forward(10)
    removed = site.trash(issue)
    assert (issue.archived_at, issue.trashed, issue.updated_at) == (clock.at, True, clock.at)
    back = site.restore(issue)
    assert (issue.archived_at, issue.trashed) == (None, None)
    assert [change.action for change in (archived, restored, removed, back)] == ["update", "update", "remove", "update"]
    assert archived.updated_from["archivedAt"] is None
    assert back.updated_from["trashed"] is True
    assert told(issue) == [
        {"archived": True, "autoArchived": True},
        {"archived": False},
        {"trashed": True, "archived": True},
        {"archived": False, "trashed": False},
    ]


def test_a_purge_leaves_nothing_and_frees_the_children(site, issue):
    child = site.create(site.team("MOB"), "Part", parent=issue)
    site.relate(child, "blocks", issue)
    project = issue.project
    site.change(child, project=project)
    site.link_project(site.add_initiative("Mobile"), project)
    known = len(site.changes)
    site.purge(issue)
    assert (site.find(issue.id), site.find("MOB-1"), child.parent, child.relations) == (None, None, None, [])
    assert len(site.changes) == known
    site.purge(project)
    assert (child.project, list(site.all(Project)), list(site.all(InitiativeToProject))) == (None, [], [])


def test_relations_are_told_on_both_sides(site, issue):
    other = site.create(site.team("DES"), "Icons")
    relation = site.relate(issue, "blocks", other)
    assert (issue.relations, other.inverse_relations) == ([relation], [relation])
    assert told(issue)[0] == {"relationChanges": [{"identifier": "DES-1", "type": "ab"}]}
    assert told(other)[0] == {"relationChanges": [{"identifier": "MOB-1", "type": "bb"}]}
    site.unrelate(relation)
    assert (issue.relations, other.inverse_relations) == ([], [])


def test_there_is_one_card_an_issue_and_address(site, issue, clock):
    first = site.attach(issue, "https://k.example/1", "62 %", subtitle="On track")
    clock.forward(5)
    again = site.attach(issue, "https://k.example/1", "63 %", subtitle=None)
    assert again is first
    assert (first.title, first.subtitle, first.created_at, first.updated_at) == ("63 %", None, NOW, clock.at)
    assert issue.attachments == [first]
    site.detach(first)
    assert issue.attachments == []


def test_a_project_is_not_updated_by_the_closing_of_its_issues(site, issue, clock):
    project = issue.project
    before = project.updated_at
    clock.forward(60)
    site.change(issue, state="Done")
    site.add_milestone(project, "Every phone")
    site.link_project(site.add_initiative("Mobile"), project)
    assert project.updated_at == before
    assert weeks.progress(weeks.issues_of(site, project)) == 1.0
    site.change_container(project, name="The wallet")
    assert project.updated_at == clock.at


def test_progress_counts_a_quarter_of_what_is_in_progress_and_one_point_where_nothing_is_estimated(site, issue):
    mobile, project = site.team("MOB"), issue.project
    site.change(issue, state="Done")
    site.create(mobile, "Going", project=project, estimate=4.0, state="In Progress")
    site.create(mobile, "Waiting", project=project)
    site.create(mobile, "Dropped", project=project, estimate=8.0, state="Canceled")
    site.create(site.team("DES"), "Counted", project=project, estimate=5.0)
    issues = weeks.issues_of(site, project)
    assert weeks.scope(issues) == 3 + 4 + 1 + 1
    assert weeks.progress(issues) == pytest.approx((3 + 0.25 * 4) / 9, abs=1e-6)
    assert weeks.progress([]) == 0.0


def test_weekly_arrays_tell_the_state_at_the_end_of_each_week(site, issue):
    project, start = issue.project, NOW - timedelta(days=21)
    site.change(issue, state="In Progress", at=start + timedelta(days=8))
    site.change(issue, state="Done", at=start + timedelta(days=15))
    late = site.create(site.team("MOB"), "Late", project=project, estimate=2.0, at=start + timedelta(days=9))
    site.change(late, state="Canceled", at=start + timedelta(days=16))
    assert weeks.series(weeks.issues_of(site, project), start, NOW, weeks.WEEK) == {
        "issueCountHistory": [1.0, 2.0, 1.0],
        "completedIssueCountHistory": [0.0, 0.0, 1.0],
        "scopeHistory": [3.0, 5.0, 3.0],
        "completedScopeHistory": [0, 0, 3.0],
        "inProgressScopeHistory": [0, 3.0, 0],
    }


def test_a_project_goes_through_its_statuses(site, issue):
    project = issue.project
    assert project.started_at == OLD
    change = site.change_container(project, status="Completed", target_date=date(2026, 12, 24))
    assert (project.completed_at, project.target_date) == (NOW, date(2026, 12, 24))
    assert change.said == "status: In Progress -> Completed, target_date: none -> 2026-12-24"
    assert (change.type, change.key) == ("Project", "Wallet")
    site.change_container(project, status="Canceled")
    assert (project.completed_at, project.canceled_at) == (None, NOW)


def test_health_is_that_of_the_newest_update_that_is_not_archived(site, issue, clock):
    project = issue.project
    site.post_update(project, "onTrack", "Fine.")
    clock.forward(60)
    late = site.post_update(project, "atRisk", "Less fine.")
    assert (project.health, project.health_updated_at, project.updated_at) == ("atRisk", clock.at, clock.at)
    site.edit_update(late, health="offTrack")
    assert (project.health, late.edited_at) == ("offTrack", clock.at)
    site.archive_update(late)
    assert project.health == "onTrack"
    assert [change.said for change in site.changes][-1] == "health: offTrack -> onTrack"


def test_an_initiative_has_one_parent(site):
    first, second = site.add_initiative("First", status="Active"), site.add_initiative("Second")
    child = site.add_initiative("Child", parent=first)
    assert (site.parent_of(child), first.started_at) == (first, NOW)
    site.nest(second, child)
    assert (site.parent_of(child), site.parent_of(first)) == (second, None)
    site.change_container(child, status="Completed")
    assert child.completed_at == NOW


def test_a_link_to_a_project_can_be_taken_away(site, issue):
    initiative = site.add_initiative("Mobile")
    link = site.link_project(initiative, issue.project)
    assert link in site.all(type(link))
    site.unlink_project(initiative, issue.project)
    assert link not in site.all(type(link))


def test_mirrors_say_what_they_are():
    assert on_github("acme", "api", 9).metadata == {
        "__typename": "ExternalEntityInfoGithubMetadata",
        "owner": "acme",
        "repo": "api",
        "number": 9,
    }
    assert in_jira("PAY-7").metadata["issueKey"] == "PAY-7"


def test_rows_say_who_they_are(site, issue):
    assert (repr(issue), repr(issue.project)) == ("<Issue MOB-1>", "<Project Wallet>")
    assert list(site.all(Issue)) == [issue]
