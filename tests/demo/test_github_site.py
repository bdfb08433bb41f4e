"""The simulated GitHub in memory: what changes, what is told of it, and what counts as updated."""

from datetime import UTC, date, datetime, timedelta

import pytest

from app.demo import github_projects as projects
from app.demo.github_site import Site
from app.demo.github_things import Comment, node_id

NOW = datetime(2026, 11, 18, 9, 30, tzinfo=UTC)
BEFORE = NOW - timedelta(days=30)


@pytest.fixture
def site():
    """An organization with two repositories; in `web` an epic #1 with #2 below it, and #3 alone."""
    site = Site(clock=lambda: NOW)
    acme = site.add_organization("acme", "Acme")
    for name in ("Epic", "Task"):
        site.add_issue_type(acme, name)
    site.add_issue_field(acme, "Effort", "NUMBER")
    site.add_issue_field(acme, "Stage", "SINGLE_SELECT", ["Ready", "Doing"])
    web = site.add_repository(acme, "web")
    site.add_repository(acme, "kit")
    epic = site.create(web, "Payment page", at=BEFORE, type="Epic", labels=["okr/I3"])
    site.create(web, "Fewer scripts", at=BEFORE, parent=epic, fields={"Effort": 3})
    site.create(web, "Alone", at=BEFORE)
    site.changes.clear()
    return site


@pytest.fixture
def issue(site):
    return lambda number, repository="web": site.find(f"acme/{repository}#{number}")


def told(changes):
    return [(change.event, change.action) for change in changes]


def kinds(issue):
    return ["IssueComment" if isinstance(one, Comment) else one["__typename"] for one in issue.timeline]


def test_ids_look_like_githubs():
    assert node_id("I", 446_365_735, 2_435_613_241) == "I_kwDOGpsAJ86RLII5"
    assert node_id("O", 11_288_996) == "O_kgDOAKxBpA"


def test_sites_with_one_past_are_alike(site, issue):
    other = Site(clock=lambda: NOW)
    assert (other.me.id, other.member.id) == (site.me.id, site.member.id)
    assert issue(1).id == "I_kwDOKbknAc6s2n0B"
    assert issue(1).database_id is None
    assert issue(1).full_database_id == "2900000001"


def test_a_child_is_updated_and_its_parent_is_not(site, issue):
    epic, child, alone = issue(1), issue(2), issue(3)
    site.change(child, state="closed")
    assert (child.updated_at, epic.updated_at) == (NOW, BEFORE)
    assert epic.sub_issues_summary == {"total": 1, "completed": 1, "percentCompleted": 100}
    changes = site.change(alone, parent=epic)
    assert (alone.updated_at, epic.updated_at) == (NOW, BEFORE)
    assert told(changes) == [("sub_issues", "parent_issue_added"), ("sub_issues", "sub_issue_added")]
    assert kinds(epic)[-1] == "SubIssueAddedEvent"
    site.change(alone, parent=None)
    assert [child.number for child in epic.children] == [2]
    assert kinds(alone) == ["ParentIssueAddedEvent", "ParentIssueRemovedEvent"]


def test_renames_and_project_edits_update_no_issue(site, issue):
    child = issue(2)
    project = projects.add_project(site, site.accounts["acme"], "Board", at=BEFORE)
    projects.add_field(site, project, "Size", "NUMBER")
    item = projects.add_item(site, project, child, at=BEFORE)
    assert project.updated_at == item.updated_at == BEFORE
    projects.set_value(site, item, "Status", "In Progress")
    projects.set_value(site, item, "Size", 5)
    site.rename_label(issue(1).labels[0], "okr/I1")
    projects.rename_option(site, project.field("Status"), "Todo", "To do")
    milestone = site.add_milestone(child.repository, "November", due=date(2026, 11, 30))
    site.change_milestone(milestone, title="Winter", closed=True)
    site.rename_repository(child.repository, "checkout")
    assert {child.updated_at, issue(1, "checkout").updated_at} == {BEFORE}
    assert (project.updated_at, item.updated_at) == (NOW, NOW)
    assert site.find("acme/web#1") is issue(1, "checkout")
    assert kinds(child)[-2:] == ["AddedToProjectV2Event", "ProjectV2ItemStatusChangedEvent"]


def test_closing_and_reopening(site, issue):
    one, other = issue(2), issue(3)
    changes = site.change(one, state="closed", reason="duplicate", duplicate_of=other)
    assert told(changes) == [("issues", "closed")]
    assert (one.state, one.state_reason, one.closed_at, one.duplicate_of) == ("CLOSED", "DUPLICATE", NOW, other)
    assert kinds(one)[-2:] == ["ClosedEvent", "MarkedAsDuplicateEvent"]
    assert site.change(one, state="closed") == []
    site.change(one, state="open")
    assert (one.state, one.state_reason, one.closed_at, one.duplicate_of) == ("OPEN", "REOPENED", None, None)


def test_every_part_of_an_issue_changes_and_tells(site, issue):
    one = issue(2)
    milestone = site.add_milestone(one.repository, "November")
    changes = site.change(
        one, labels=["a", "b"], assignees=[site.member], milestone=milestone, type="Task", title="Less", body="x",
        fields={"Effort": 5, "Stage": "Ready"}, locked=True, pinned=True,
    )  # fmt: skip
    assert [change.action for change in changes] == [
        "labeled", "labeled", "assigned", "milestoned", "typed", "edited", "edited", "field_added", "field_added",
        "locked", "pinned",
    ]  # fmt: skip
    assert changes[0].said == "labeled: a"
    assert changes[7].said == "field_added: 5"
    changed = one.timeline[-4]
    assert (changed["__typename"], changed["previousValue"], changed["newValue"]) == (
        "IssueFieldChangedEvent",
        "3",
        "5",
    )
    changes = site.change(
        one, labels=["b"], assignees=[], milestone=None, type=None, fields={"Effort": None}, locked=False, pinned=False
    )
    assert [change.action for change in changes] == [
        "unlabeled", "unassigned", "demilestoned", "untyped", "field_removed", "unlocked", "unpinned",
    ]  # fmt: skip
    assert [value.said for value in one.values.values()] == ["Ready"]


def test_a_transfer_gives_a_new_id_and_takes_the_family_along(site, issue):
    epic, child = issue(1), issue(2)
    site.block(child, issue(3))
    project = projects.add_project(site, site.accounts["acme"], "Board")
    projects.add_item(site, project, child)
    comment = site.comment(child, "Soon.")
    ids, said = (child.id, comment.id), child.updated_at
    moved = site.transfer(child, site.repository("acme/kit"))
    assert (moved.key, moved.parent, epic.children, project.items[0].holds) == ("acme/kit#1", epic, [moved], moved)
    assert moved.id != ids[0]
    assert comment.id != ids[1]
    assert (moved.updated_at, moved.values, moved.blocked_by) == (said, child.values, [issue(3)])
    assert site.node(ids[0]) is None
    assert site.node(moved.id) is moved
    assert site.find("acme/web#2") is None
    assert issue(3).blocking == [moved]
    assert kinds(moved)[-1] == "TransferredEvent"
    assert told(site.changes[-1:]) == [("issues", "transferred")]


def test_what_is_gone_leaves_no_trace_in_others(site, issue):
    epic, child, alone = issue(1), issue(2), issue(3)
    site.block(child, epic)
    site.delete(epic)
    assert (child.parent, child.blocked_by, site.node(epic.id), epic.gone) == (None, [], None, "deleted")
    site.convert(alone)
    assert alone.gone == "converted"
    assert [one.number for one in site.issues()] == [2]
    assert [thing.typename for thing in site.nodes.values() if thing.typename == "Discussion"] == ["Discussion"]


def test_a_hidden_repository_hides_what_is_in_it(site, issue):
    one = issue(2)
    comment = site.comment(one, "Soon.")
    project = projects.add_project(site, site.accounts["acme"], "Board")
    item = projects.add_item(site, project, one)
    assert (item.type, item.content) == ("ISSUE", one)
    one.repository.hidden = True
    assert [site.node(thing.id) for thing in (one, comment, one.repository)] == [None, None, None]
    assert (item.type, item.content) == ("REDACTED", None)
    assert site.repository("acme/web") is None


def test_drafts_and_the_archive(site, issue):
    project = projects.add_project(site, site.accounts["acme"], "Board")
    draft = projects.add_draft(site, project, "Perhaps")
    assert (draft.type, draft.content.title) == ("DRAFT_ISSUE", "Perhaps")
    projects.convert_draft(site, draft, issue(3))
    assert (draft.type, issue(3).items) == ("ISSUE", [draft])
    pull = projects.add_item(site, project, site.create_pull(issue(3).repository, "Do it"))
    assert (pull.type, pull.holds.number) == ("PULL_REQUEST", 4)
    projects.archive(site, draft)
    assert draft.is_archived
    projects.remove(site, draft)
    assert (project.items, issue(3).items) == ([pull], [])
    assert [change.action for change in site.changes[-4:]] == ["converted", "created", "archived", "deleted"]


def test_values_of_an_item_come_from_itself_and_from_its_issue(site, issue):
    one, owner = issue(2), site.accounts["acme"]
    project = projects.add_project(site, owner, "Board")
    projects.add_field(site, project, "When", "ITERATION", iterations=[("Sprint 1", date(2026, 11, 9), 14)])
    projects.add_field(site, project, "Due", "DATE")
    projects.add_field(site, project, "Effort", "NUMBER", issue_field=owner.issue_fields[0])
    item = projects.add_item(site, project, one)
    projects.set_value(site, item, "When", "Sprint 1")
    projects.set_value(site, item, "due", date(2026, 11, 20))
    site.change(one, labels=["a"])
    shown = {value.field.name: (value.typename, value.said) for value in projects.values_of(item) if value.content}
    assert list(shown) == ["Title", "Labels", "Repository", "When", "Due", "Effort"]
    assert shown["When"] == ("ProjectV2ItemFieldIterationValue", "Sprint 1")
    assert shown["Due"] == ("ProjectV2ItemFieldDateValue", "2026-11-20")
    assert shown["Effort"][0] == "ProjectV2ItemIssueFieldValue"
    projects.set_value(site, item, "Due", None)
    assert "Due" not in {value.field.name for value in projects.values_of(item)}
    with pytest.raises(KeyError):
        projects.set_value(site, item, "Nothing", 1)
