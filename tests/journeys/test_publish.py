"""Pushing back out: what changed, once, to where it is linked, and never over what a person wrote."""

import getpass
import signal
from collections import Counter
from datetime import timedelta

import pytest

from app.demo.site import OKR_PROGRESS, OKR_STATE, History, Item

KEY = "keyrail:demo:jira-badge:initiative:{}"


def links(company):
    """Return the remote links of the site: {(issue key, global id): link}."""
    return {
        (issue.key, name): link["object"]
        for issue in company.site.issues.values()
        for name, link in issue.remote_links.items()
    }


def posts(company):
    return company.asked("/remotelink", "POST")


def finish_work(company, initiative, count=7):
    """Let open work of an initiative be done at the tracker and pulled."""
    waiting = [one for one in company.json("explain", initiative)["inputs"] if one["category"] != "done"]
    for one in waiting[:count]:
        company.site.change(company.site.find(one["key"]), status="Done")
    company.run("sync", "--no-publish")


def epic_of(company, initiative):
    return next(issue for issue in company.site.issues.values() if f"okr/{initiative}" in issue.labels)


def test_a_plan_shows_every_write_and_sends_nothing(company):
    writes = company.json("publish", "--plan")["writes"]
    assert len(writes) == 36
    names = {"target", "subject", "address", "action", "before", "after", "reason", "mode", "period"}
    assert all(write.keys() == names for write in writes)
    assert {write["action"] for write in writes} == {"create"}
    assert {write["subject"] for write in writes} == {f"I{n}" for n in range(1, 9)}
    assert {write["address"] for write in writes if write["subject"] == "I1"} == {f"PAY-{n}" for n in range(1, 7)}
    first = next(write for write in writes if write["subject"] == "I1")
    assert (first["target"], first["before"]) == ("jira-badge", None)
    assert first["after"]["title"] == "One-click pay: 73 % · On track"
    assert company.asked() == []
    told = company.run("publish", "--plan")
    assert "Nothing was sent." in told.text


def test_what_was_planned_is_what_is_written(company):
    planned = company.json("publish", "--plan")["writes"]
    sent = company.json("publish")
    assert (len(sent["sent"]), sent["unchanged"], sent["overridden"], sent["failed"]) == (36, 0, [], [])
    found = links(company)
    assert {(write["address"], KEY.format(write["subject"])) for write in planned} == set(found)
    for write in planned:
        link = found[write["address"], KEY.format(write["subject"])]
        assert (link["title"], link["summary"]) == (write["after"]["title"], write["after"]["summary"])
        assert link["status"]["icon"]["title"] == write["after"]["status"]


def test_what_is_unchanged_is_never_sent(published):
    again = published.json("publish")
    assert (again["sent"], again["unchanged"]) == ([], 36)
    assert {write["reason"] for write in published.json("publish", "--plan")["writes"]} == {"unchanged"}
    assert published.asked("/remotelink") == []
    assert published.run("publish").text.startswith("36 unchanged")


def test_a_move_is_told_with_what_was_said_before_and_why(published):
    finish_work(published, "I1")
    writes = [write for write in published.json("publish", "--plan")["writes"] if write["action"] != "skip"]
    assert {(write["subject"], write["action"]) for write in writes} == {("I1", "update")}
    assert writes[0]["before"]["title"].startswith("One-click pay: 73 %")
    assert writes[0]["after"]["title"].startswith("One-click pay: 83 %")
    assert writes[0]["reason"] == "progress: 73 % -> 83 %"
    sent = published.json("publish")
    assert len(sent["sent"]) == len(posts(published)) == 6
    assert links(published)["PAY-1", KEY.format("I1")]["title"].startswith("One-click pay: 83 %")


def test_a_sync_publishes_what_it_changes(published):
    waiting = [one for one in published.json("explain", "I5")["inputs"] if one["category"] != "done"]
    for one in waiting[:9]:
        published.site.change(published.site.find(one["key"]), status="Done")
    doc = published.json("sync")
    assert {write["subject"] for write in doc["published"]["sent"]} == {"I5"}
    assert len(posts(published)) == 4


def test_a_small_move_waits_until_it_is_large_enough(published):
    published.edit("when: {progress: 1pp, health: change, at_most: 0s}", "when: {progress: 20pp, at_most: 0s}")
    finish_work(published, "I1", 1)
    reasons = {write["reason"] for write in published.json("publish", "--plan")["writes"] if write["subject"] == "I1"}
    assert reasons == {"moved by less than the row asks for"}
    finish_work(published, "I1", 14)
    assert {write["subject"] for write in published.json("publish")["sent"]} == {"I1"}


def test_at_most_once_a_day_means_so(company):
    only = ("publish", "--subject", "I1")
    company.run(*only)
    finish_work(company, "I1")
    company.forget()
    assert company.json(*only)["sent"] == []
    assert posts(company) == []
    waiting = company.json(*only, "--plan")["writes"]
    assert {write["action"] for write in waiting} == {"skip"}
    assert waiting[0]["reason"] == "sent less than 24 h ago; progress: 73 % -> 83 % waits"
    company.edit("at_most: 24h", "at_most: 0s")
    assert len(company.json(*only)["sent"]) == 6


def test_our_own_write_coming_back_moves_nothing(published):
    site = published.site
    for number, epic in enumerate([issue for issue in site.issues.values() if issue.remote_links]):
        # As Jira tells it: an entry of our account in the changelog, and a new `updated`.
        text = 'This issue links to "One-click pay: 73 % · On track (Keyrail)"'
        entry = Item(field="RemoteIssueLink", field_id=None, after=str(number), after_text=text)
        at = site.now() + timedelta(milliseconds=number)
        epic.histories.append(History(id=site.next_id("history"), at=at, author=site.me.name, items=(entry,)))
        epic.updated = at
    before = published.run("export", "links").out
    doc = published.json("sync")
    assert doc["connections"][0]["read"] == 36
    assert (doc["published"]["sent"], doc["published"]["unchanged"]) == ([], 36)
    assert posts(published) == []
    assert published.run("export", "links").out == before


def test_what_a_person_wrote_stays_until_it_is_given_back(published):
    epic = published.site.find("PAY-1")
    epic.remote_links[KEY.format("I1")]["object"]["title"] = "Ask Maria"
    finish_work(published, "I1")
    done = published.json("publish")
    assert (len(done["sent"]), [write["address"] for write in done["overridden"]]) == (5, ["PAY-1"])
    assert done["overridden"][0]["before"]["title"] == "Ask Maria"
    assert links(published)["PAY-1", KEY.format("I1")]["title"] == "Ask Maria"
    skipped = next(w for w in published.json("publish", "--plan")["writes"] if w["address"] == "PAY-1")
    assert (skipped["action"], "changed by a person" in skipped["reason"]) == ("skip", True)
    said = " ".join(published.run("publish", "--plan").text.split())
    assert "1 changed by a person since our last write; give it back with publish --release: jira-badge:I1" in said
    assert published.json("publish")["sent"] == []

    refused = published.run("publish", "--release", "jira-badge:I1", code=2)
    assert "--reason" in refused.words
    released = published.json("publish", "--release", "jira-badge:I1", "--reason", "agreed with Maria")
    said = {"target": "jira-badge", "subject": "I1", "released": 1, "reason": "agreed with Maria"}
    assert released == {**said, "by": getpass.getuser()}
    (write,) = published.json("publish")["sent"]
    assert (write["address"], write["reason"]) == ("PAY-1", "given back after a person's change")
    assert links(published)["PAY-1", KEY.format("I1")]["title"].startswith("One-click pay: 83 %")
    nothing = published.run("publish", "--release", "jira-badge:I1", "--reason", "again", code=2)
    assert "no place of it is overridden" in nothing.words
    told = [one for one in published.run("export", "publications").lines if one["address"] == "PAY-1"]
    assert [(one["action"], one["reason"]) for one in told] == [
        ("created", "first time"),
        ("overridden", "changed by a person"),
        ("released", "agreed with Maria"),
        ("updated", "given back after a person's change"),
    ]
    assert {one["by"] for one in told} == {getpass.getuser()}
    assert told[1]["after"]["title"] == "Ask Maria"


def test_a_link_that_a_person_took_away_stays_away(published):
    del published.site.find("PAY-1").remote_links[KEY.format("I1")]
    finish_work(published, "I1")
    done = published.json("publish")
    assert [write["address"] for write in done["overridden"]] == ["PAY-1"]
    assert ("PAY-1", KEY.format("I1")) not in links(published)
    published.run("publish", "--release", "jira-badge:I1", "--reason", "it was a mistake")
    published.run("publish")
    assert links(published)["PAY-1", KEY.format("I1")]["title"].startswith("One-click pay: 83 %")


def test_an_epic_out_of_sight_waits_and_is_no_persons_override(published):
    epic, link = epic_of(published, "I1"), KEY.format("I1")
    finish_work(published, "I1")
    before = links(published)[epic.key, link]["title"]
    epic.secured = True
    done = published.json("publish")
    assert (done["overridden"], done["failed"], done["waiting"]) == ([], [], 1)
    epic.secured = False
    done = published.json("publish")
    assert ([one["address"] for one in done["sent"]], done["overridden"]) == ([epic.key], [])
    assert links(published)[epic.key, link]["title"] != before


def test_an_epic_that_is_linked_no_more_loses_its_link(published):
    epic = epic_of(published, "I1")
    published.site.change(epic, labels=[])
    published.run("sync", "--no-publish")
    gone = [write for write in published.json("publish", "--plan")["writes"] if write["action"] == "delete"]
    assert [(write["subject"], write["after"]) for write in gone] == [("I1", None)]
    published.run("publish")
    assert (epic.key, KEY.format("I1")) not in links(published)
    assert not [write for write in published.json("publish", "--plan")["writes"] if write["action"] == "delete"]


def test_one_target_and_one_subject_can_be_named(company):
    assert {write["subject"] for write in company.json("publish", "--subject", "I2")["sent"]} == {"I2"}
    assert {name for _, name in links(company)} == {KEY.format("I2")}
    refused = company.run("publish", "--target", "jira-bagde", code=2)
    assert "There is no target 'jira-bagde'" in refused.words
    assert "jira-badge" in refused.words.replace("jira-bagde", "")


def test_a_write_that_the_tracker_refuses_is_listed_and_the_rest_is_sent(company):
    company.site.faults.add("rate_limit", path="/remotelink", retry_after=0, reason="jira-per-issue-on-write")
    company.site.faults.add("refused", path="PAY-1/remotelink")
    company.site.permissions.discard("LINK_ISSUES")
    ended = company.run("publish", "--subject", "I1", "--json", code=1)
    assert (ended.doc["sent"], len(ended.doc["failed"])) == ([], 6)
    assert "permission" in ended.doc["failed"][0]["reason"]
    assert "permission" in ended.words
    company.site.permissions.add("LINK_ISSUES")
    assert len(company.json("publish", "--subject", "I1")["sent"]) == 6


def test_a_publish_that_is_killed_goes_on_and_writes_nothing_twice(company):
    only, running = ("publish", "--subject", "I1"), None
    # The eighth request is the fourth write: it is carried out, and we never learn of it.
    company.stop_after("/remotelink", 8, signal.SIGKILL, lambda: running)
    running = company.start(*only)
    assert running.wait().code == -signal.SIGKILL
    assert len(posts(company)) == 4
    assert company.json(*only)["failed"] == []
    assert (len(links(company)), len(posts(company))) == (6, 6)
    assert {write["action"] for write in company.json(*only, "--plan")["writes"]} == {"skip"}


@pytest.mark.parametrize("then", ["moves on", "moves back"])
def test_what_a_killed_publish_wrote_is_not_taken_for_a_persons(published, then):
    only, running = ("publish", "--subject", "I1"), None
    statuses = {issue.key: issue.status for issue in published.site.issues.values()}
    finish_work(published, "I1")
    # The eighth request is the fourth write: it is carried out, and we never learn of it.
    published.forget()
    published.stop_after("/remotelink", 8, signal.SIGKILL, lambda: running)
    running = published.start(*only)
    assert running.wait().code == -signal.SIGKILL
    if then == "moves on":
        finish_work(published, "I1", 5)
    else:
        for issue in published.site.issues.values():
            if issue.status != statuses[issue.key]:
                published.site.change(issue, status=statuses[issue.key])
        published.run("sync", "--no-publish")
    done = published.json(*only)
    assert (done["overridden"], done["failed"]) == ([], [])
    said = {link["title"] for (_, name), link in links(published).items() if name == KEY.format("I1")}
    assert len(said) == 1
    assert {write["reason"] for write in published.json(*only, "--plan")["writes"]} == {"unchanged"}


def test_a_subject_without_an_address_is_named_by_check(company):
    company.edit("keys: [MER-1, MER-2, MER-3, MER-4, MER-5]", "keys: [MER-99]")
    findings = company.json("check")["findings"]
    (row,) = [one for one in findings if one["subject"] == "jira-badge"]
    assert (row["level"], "I6" in row["message"], "I1" in row["message"]) == ("warning", True, False)


ROWS = """\
publish:
  - id: data
    to: {connection: jira-demo, as: property}
    on: linked_epics
    only: {id: I1}
  - id: number
    to: {connection: jira-demo, as: field, field: OKR progress}
    on: linked_epics
    only: {id: I1}
  - id: state
    to: {connection: jira-demo, as: field, field: OKR state, value: health}
    on: linked_epics
    only: {id: I1}
  - id: words
    to: {connection: jira-demo, as: comment}
    on: linked_epics
    only: {id: I1}
"""


def test_every_kind_of_place_in_jira_is_told_once_and_a_person_is_left_alone_in_each(company):
    company.edit("publish:\n", ROWS)
    company.edit(
        "    to: {connection: jira-demo, as: remote_link}\n",
        "    to: {connection: jira-demo, as: remote_link}\n    mode: dry_run\n",
    )
    sent = company.json("publish")
    told = Counter(one["target"] for one in sent["sent"])
    assert told == {"data": 6, "number": 6, "state": 6, "words": 6}
    epics = [issue for issue in company.site.issues.values() if issue.comments]
    assert len(epics) == 6
    for epic in epics:
        (comment,) = epic.comments
        assert comment["properties"] == [{"key": "keyrail", "value": {"key": "keyrail:demo:words:initiative:I1"}}]
        assert epic.properties["keyrail"]["health"] == "on_track"
        assert epic.custom == {OKR_PROGRESS: pytest.approx(73, abs=0.5), OKR_STATE: "On Track"}
    # Our writes come back with the next pull and move nothing; they are not written again.
    doc = company.json("sync")
    assert (doc["published"]["sent"], doc["published"]["overridden"], doc["published"]["unchanged"]) == ([], [], 24)
    first = epics[0]
    first.properties["keyrail"]["health"] = "at_risk"
    company.site.change(first, custom={OKR_PROGRESS: 12.0, OKR_STATE: None})
    first.comments[0]["body"]["content"].pop()
    finish_work(company, "I1")
    company.edit("at_most: 24h", "at_most: 0s")
    for target in ("data", "number", "state", "words"):
        company.edit(
            f"  - id: {target}\n", f"  - id: {target}\n    when: {{progress: 1pp, health: change, at_most: 0s}}\n"
        )
    told = company.json("publish")
    assert [one["address"] for one in told["overridden"]] == [first.key] * 3
    assert Counter(one["target"] for one in told["sent"]) == {"data": 5, "number": 5, "words": 5}
    assert first.custom == {OKR_PROGRESS: 12.0, OKR_STATE: None}
