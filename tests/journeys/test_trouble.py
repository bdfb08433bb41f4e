"""What goes wrong is said once, with what to do, by the right exit code, and takes nothing away."""

import os
import sqlite3

import pytest

from app.demo import jira_bodies as bodies
from app.demo.company import build
from app.demo.jira import application
from app.demo.site import Site

TOKEN = "DEMO_JIRA_TOKEN"


def still_there(company):
    """Assert that the numbers of before are still answered."""
    doc = company.json("show")
    assert len(doc["objectives"]) == 3
    assert next(row for row in doc["initiatives"] if row["id"] == "I1")["size_total"] == 70


def refused(company, *arguments, code, **more):
    """Run a command that must fail, and return what it says; nothing may be lost, whatever the database is."""
    ended = company.run(*arguments, code=code, **more)
    assert ended.words.startswith("Error: ") or " Error: " in ended.words, ended.err
    return ended.words


# Credentials


@pytest.mark.parametrize("command", ["sync", "backfill", "census"])
def test_a_wrong_token_is_named_and_tried_once(company, command):
    words = refused(company, command, code=3, env={TOKEN: "wrong-token-value"})
    assert "jira-demo: Jira did not accept our login" in words
    assert f"Check environment variable {TOKEN}" in words
    assert "Put the credentials right, then run: keyrail check" in words
    assert words.count("Error: ") == 1
    assert "wrong-token-value" not in words
    # More tries with a bad token would lock the account.
    assert len(company.asked()) <= 3
    assert ("Nothing was changed" in words) == (command != "sync")
    still_there(company)


def test_a_wrong_token_stops_a_publish_at_its_first_write(company):
    ended = company.run("publish", "--json", code=3, env={TOKEN: "wrong-token-value"})
    assert (len(ended.doc["failed"]), ended.doc["waiting"]) == (1, 35)
    assert len(company.asked()) <= 2
    assert len(company.json("publish", "--subject", "I1")["sent"]) == 6


def test_check_says_what_is_wrong_with_the_credentials(company):
    ended = company.run("check", "--json", code=3, env={TOKEN: "wrong-token-value"})
    (error,) = [one for one in ended.doc["findings"] if one["level"] == "error"]
    assert (error["connection"], error["subject"]) == ("jira-demo", "connection")
    assert TOKEN in error["message"]
    assert "wrong-token-value" not in ended.text


def test_an_answer_to_an_anonymous_visitor_is_no_answer(empty):
    empty.site.faults.stale_credentials = True
    words = refused(empty, "backfill", code=3)
    assert TOKEN in words
    assert empty.json("db", "status")["items"] == {}


def test_a_missing_variable_is_named_where_it_is_needed_and_nowhere_else(company):
    words = refused(company, "sync", code=2, env={TOKEN: None})
    assert f"jira-demo: environment variable {TOKEN} is not set" in words
    assert company.asked() == []
    company.run("show", env={TOKEN: None})
    company.run("publish", "--plan", env={TOKEN: None})
    ended = company.run("check", "--offline", "--json", env={TOKEN: None})
    assert [one["severity"] for one in ended.doc["problems"]] == ["warning"]
    assert TOKEN in ended.doc["problems"][0]["message"]


# The tracker


def test_a_login_page_is_a_matter_of_credentials(company):
    company.site.faults.add("login_page", path="/search/jql", times=9)
    words = refused(company, "sync", "--no-publish", code=3)
    assert "answered with a web page instead of JSON: a login page" in words
    assert TOKEN in words
    still_there(company)


def test_a_page_that_is_cut_in_the_middle_is_asked_for_again(company):
    company.site.change(company.site.find("PAY-60"), points=34)
    company.site.faults.add("cut", path="/search/jql")
    company.run("sync", "--no-publish")
    assert company.items()["PAY-60"]["estimate"] == 34


def test_a_page_token_that_comes_again_ends_the_listing_and_loses_nothing(company):
    changed = [issue for issue in company.site.issues.values() if issue.type in ("Story", "Task")][:250]
    for issue in changed:
        company.site.change(issue, points=13)
    company.site.faults.repeat_page_token = True
    words = refused(company, "sync", "--no-publish", code=1)
    assert "repeated a page token" in words
    assert "Run it again to go on" in words
    assert len(company.asked("/search/jql")) < 10
    company.site.faults.repeat_page_token = False
    company.run("sync", "--no-publish")
    items = company.items()
    assert {items[issue.key]["estimate"] for issue in changed} == {13}
    still_there(company)


def test_pages_that_are_empty_but_promise_more_are_followed(empty):
    empty.site.faults.empty_pages = True
    (row,) = empty.json("backfill", "--no-history")["connections"]
    assert (row["items"], row["error"]) == (470, None)


def test_one_issue_that_cannot_be_read_is_parked_alone_and_read_later(company, monkeypatch):
    before = company.items()["PAY-60"]
    for key in ("PAY-60", "PAY-61"):
        company.site.change(company.site.find(key), points=34)
    good = bodies.issue

    def issue(site, found, *details, **more):
        body = good(site, found, *details, **more)
        return body | {"fields": body["fields"] | {"created": "the day before"}} if found.key == "PAY-60" else body

    monkeypatch.setattr(bodies, "issue", issue)
    (row,) = company.json("sync", "--no-publish")["connections"]
    assert (row["parked"], row["error"]) == (1, None)
    items = company.items()
    assert (items["PAY-61"]["estimate"], items["PAY-60"]) == (34, before)
    ended = company.run("replay", "--parked", "--json", code=1)
    assert (ended.doc["deliveries"], ended.doc["parked"]) == (1, 1)
    assert "Parked           1  jira-demo" in company.run("db", "status").text

    monkeypatch.setattr(bodies, "issue", good)
    company.run("sync", "--no-publish")
    assert company.items()["PAY-60"]["estimate"] == 34


def test_a_project_that_may_not_be_browsed_is_an_error_of_check(company):
    company.site.permissions.discard("BROWSE_PROJECTS")
    ended = company.run("check", "--json", code=1)
    errors = {one["subject"]: one["message"] for one in ended.doc["findings"] if one["level"] == "error"}
    assert set(errors) == {"permissions in PAY", "permissions in CORE", "permissions in MER"}
    assert "BROWSE_PROJECTS" in errors["permissions in PAY"]
    assert "Grant it" in errors["permissions in PAY"]


def test_a_broken_connection_stops_no_other(company):
    second = Site(name="second", token="second-token")
    build(second, company.today)
    second.url = f"{company.tracker.url}/second"
    company.tracker.second = application(second)
    company.edit(
        "connections:\n",
        "connections:\n"
        "  jira-second:\n"
        "    type: jira\n"
        f"    url: {company.tracker.url}/second\n"
        '    auth: {email: keyrail-bot@example.com, token: "${env:SECOND_TOKEN}"}\n'
        "    deployment: cloud\n"
        "    scope: {projects: [PAY, CORE]}\n",
    )
    company.env["SECOND_TOKEN"] = "second-token"
    rows = {row["connection"]: row for row in company.json("backfill", "--no-history")["connections"]}
    assert (rows["jira-demo"]["items"], rows["jira-second"]["error"]) == (470, None)
    there = rows["jira-second"]["items"]
    assert 100 < there < 470
    # The same key in two trackers is no key any more.
    ambiguous = company.run("explain", "PAY-60", code=2)
    assert "jira-demo:PAY-60, jira-second:PAY-60" in ambiguous.words
    assert company.json("explain", "jira-demo:PAY-60")["complete_to"]

    company.site.change(company.site.find("PAY-60"), points=34)
    for issue in list(second.issues.values()):
        second.change(issue, labels=["seen"])
    second.faults.repeat_page_token = True
    ended = company.run("sync", "--no-publish", "--json", code=1)
    rows = {row["connection"]: row for row in ended.doc["connections"]}
    assert rows["jira-demo"]["error"] is None
    assert "repeated a page token" in rows["jira-second"]["error"]
    assert rows["jira-second"]["items"] == there
    assert "jira-second: " in ended.words
    assert company.json("explain", "jira-demo:PAY-60")["inputs"][0]["size"] == 1
    estimates = {
        item["connection"]: item["estimate"] for item in company.run("export", "items").lines if item["key"] == "PAY-60"
    }
    assert (estimates["jira-demo"], estimates["jira-second"] == 34) == (34, False)

    # A connection that cannot even be opened: the other is pulled all the same, and credentials have the last word.
    company.env["SECOND_TOKEN"] = "wrong"
    for command, said in (
        (("backfill", "--no-history"), "jira-demo was pulled. Nothing was read of jira-second."),
        (("sync", "--no-publish"), "jira-demo was pulled. What was read of jira-second before the error is kept."),
        (("census",), "jira-demo was compared. jira-second was not."),
        (("census", "--repair"), "jira-demo was compared and mended. Nothing was mended in jira-second."),
    ):
        ended = company.run(*command, "--json", code=3)
        rows = {row["connection"]: row for row in ended.doc["connections"]}
        assert rows["jira-demo"].get("error") is None
        assert "SECOND_TOKEN" in rows["jira-second"]["error"]
        assert ended.words.endswith(f"Put the credentials right, then run: keyrail check {said}"), ended.err
        assert "Nothing was changed" not in ended.err


# The workspace file


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("projects: [PAY, CORE, MER]", "projects: [PAY, COER, MER]", ("project 'COER'", "Did you mean 'CORE'?")),
        ("scope: {projects: [PAY, CORE, MER]}", 'scope: {jql: "projct = PAY"}', ("Jira refuses the JQL", "'projct'")),
        ("estimate: Story point estimate", "estimate: Story pints", ("no field 'Story pints'", "Story point estimate")),
    ],
    ids=["project", "jql", "estimate"],
)
def test_what_the_tracker_does_not_have_is_named_with_what_is_near(company, before, after, said):
    company.edit(before, after)
    words = refused(company, "sync", "--no-publish", code=2)
    assert all(text in words for text in ("jira-demo: ", *said)), words
    still_there(company)


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("objectives:\n", "objectives: [\n", "objectives: [", ("YAML syntax",)),
        ("kind: number, start: 2.1", "kind: numbr, start: 2.1", "kind: numbr", ("'numbr'", "Did you mean 'number'?")),
        ('initiative: "{id}"', "initiative: I99", "initiative: I99", ("no initiative 'I99'",)),
        ("to: KR5,", "to: KR55,", "to: KR55", ("KR55", "KR5")),
        ("okr/(?P<id>[\\\\w-]+)", "okr/(?=x)(?P<id>.+)", "okr/(?=x)", ("RE2", "look-ahead")),
        ('token: "${env:DEMO_JIRA_TOKEN}"', "token: abc", "token: abc", ("${env:",)),
        ("    scope:", "    scop:", "    scop:", ("scop", "scope")),
    ],
    ids=["yaml", "kind", "initiative", "key result", "regex", "secret", "key"],
)
def test_an_error_in_the_file_is_told_with_its_line_and_what_was_meant(company, before, after, line, said):
    original = company.file.read_text()
    company.edit(before, after)
    number = next(n for n, text in enumerate(company.file.read_text().splitlines(), 1) if line in text)
    near = {f"{company.file}:{number}", f"{company.file}:{number + 1}"}
    words = refused(company, "show", code=2)
    assert any(place in words for place in near), words
    assert all(text in words for text in said), words
    problems = company.json("check", "--offline", code=2)["problems"]
    assert {one["severity"] for one in problems} >= {"error"}
    assert company.asked() == []
    company.file.write_text(original)
    still_there(company)


def test_no_is_a_word_and_no_switch(company):
    company.edit(
        "  bet: {values: [core, new], targets: {core: 0.7, new: 0.3}}",
        "  bet: {values: [core, new], targets: {core: 0.7, new: 0.3}}\n  region: {values: [NO, SE]}",
    )
    company.edit(
        "    dimensions: {product: Merchants, bet: new}\n    team: Merchants\n    start: ",
        "    dimensions: {product: Merchants, bet: new, region: NO}\n    team: Merchants\n    start: ",
        times=2,
    )
    company.edit(
        '    initiative: "{id}"',
        '    initiative: "{id}"\n    set: {region: NO}',
    )
    assert company.json("check", "--offline")["problems"] == []
    assert company.items()["PAY-1"]["dimensions"]["region"] == "NO"


def test_without_a_workspace_file_the_way_to_one_is_told(company):
    company.file.rename(company.folder / "elsewhere.yaml")
    for command in ("show", "check", "sync", "backfill"):
        words = refused(company, command, code=2)
        assert str(company.file) in words
        assert "keyrail init" in words


# The database


def test_a_disk_that_fills_up_keeps_what_was_committed(company):
    changed = [issue for issue in company.site.issues.values() if issue.type in ("Story", "Task")]
    for issue in changed:
        company.site.change(issue, summary=f"{issue.summary}, {'and more ' * 20}")
    size = (company.folder / ".keyrail" / "keyrail.db").stat().st_size
    # SQLite writes ahead into a file beside the database: it is this one that may not grow.
    words = refused(company, "sync", "--no-publish", code=1, largest_file=size // 8)
    assert "keyrail.db" in words
    assert "everything committed so far is kept" in words
    still_there(company)
    company.run("sync", "--no-publish")
    assert all(
        item["title"].endswith("and more ") or item["type"] not in ("Story", "Task")
        for item in (company.items().values())
    )
    still_there(company)


def test_a_database_that_is_ahead_is_left_alone(company):
    path = company.folder / ".keyrail" / "keyrail.db"
    before = company.json("db", "status")
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = '9999'")
    database.close()
    for command in (("show",), ("sync",), ("backfill",), ("export", "items"), ("publish", "--plan"), ("db", "upgrade")):
        words = refused(company, *command, code=1)
        assert "The database is at revision 9999, newer than this Keyrail knows" in words
        assert "Upgrade Keyrail" in words
    assert company.asked() == []
    assert company.json("db", "status")["revision"] == "9999"
    assert "Upgrade Keyrail" in company.run("db", "status").text
    with sqlite3.connect(path) as database:
        database.execute("update alembic_version set version_num = ?", [before["revision"]])
    database.close()
    assert company.json("db", "status") == before


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://user:secret-word@localhost/x", "must begin with sqlite:/// or postgresql://"),
        ("postgresql://user:secret-word@127.0.0.1:1/x", "Is the server running"),
        ("sqlite:///{folder}/keyrail.yaml", "The file is something else"),
    ],
    ids=["unknown", "server", "file"],
)
@pytest.mark.parametrize("command", ["show", "explain I1", "sync", "db status"])
def test_a_database_that_cannot_be_used_is_told_without_its_password(company, url, said, command):
    url = url.format(folder=company.folder)
    words = refused(company, *command.split(), code=1, env={"KEYRAIL_DATABASE_URL": url})
    assert said in words
    assert "secret-word" not in words


def test_a_folder_that_may_not_be_written_is_told(company):
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (company.folder / ".keyrail" / "keyrail.db").chmod(0o400)
    assert "Give this user the right" in refused(company, "sync", code=1)


def test_signs_in_the_name_of_the_folder_make_no_difference(company, tmp_path):
    # Signs that mean something in an address.
    odd = tmp_path / "100%41 [ours]#1?"
    company.folder.rename(odd)
    company.folder = odd
    still_there(company)
    company.run("sync", "--no-publish")
    assert company.run("db", "status").text.splitlines()[0].startswith(f"Database  sqlite:///{tmp_path}/100%2541")
    assert sorted(path.name for path in tmp_path.iterdir()) == [odd.name]
