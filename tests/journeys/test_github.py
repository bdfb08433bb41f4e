"""The whole road over GitHub: the web team of the sample company, pulled and told, on good and on bad days."""

import shutil
import signal
from datetime import UTC, datetime

import pytest

from app.demo import github_projects as projects
from app.demo.github import application
from app.demo.github_company import build
from app.demo.github_site import Site

TOKEN = "GITHUB_TOKEN"
FILE = """\
version: 1
workspace: web
timezone: Europe/Berlin
connections:
  hub:
    type: github
    url: <URL>
    auth: {token: "${env:GITHUB_TOKEN}"}
    scope: {repositories: [acme/checkout-web, acme/checkout-kit], projects: [acme/1]}
    estimate: {issue_field: Effort}
    status: {project_field: Status}
    statuses: {"In Review": review}
    budget: 1
timeframes:
  now: {start: <START>, end: <END>}
objectives:
  - id: O1
    title: Checkout that nobody notices
    timeframe: now
    key_results:
      - {id: KR1, title: One-click pay everywhere}
      - {id: KR3, title: Payment page paints at once}
initiatives:
  - {id: I1, title: One-click pay, contributes: [{to: KR1}], start: <START>, due: <END>}
  - {id: I3, title: A faster payment page, contributes: [{to: KR3}], start: <START>, due: <END>}
mapping:
  - name: label-names-the-initiative
    when: {labels: {matches: "okr/(?P<id>[\\\\w-]+)"}}
    initiative: "{id}"
publish:
  - id: comment
    to: {connection: hub, as: comment}
    what: initiatives
    on: linked_epics
    when: {progress: 1pp, health: change, at_most: 0s}
"""
MARK = "<!-- keyrail:web:comment:initiative:I1 -->"


class Rig:
    """What the tests know of the sample company's GitHub."""

    @property
    def operations(self):
        """The GraphQL operations that were asked for."""
        return self.face.operations()

    @property
    def epic(self):
        return next(issue for issue in self.site.issues() if "okr/I1" in {label.name for label in issue.labels})

    def finish(self, count=1):
        """Let open work of I1 be done at the tracker."""
        waiting = [one for one in self.epic.children if not one.closed][:count]
        for issue in waiting:
            projects.set_value(self.site, issue.items[0], "Status", "Done")
            self.site.change(issue, state="closed")
        return waiting

    def kept(self):
        """The comments on the epic that carry our marker."""
        return [one for one in self.epic.comments if one.body.startswith(MARK)]

    def put_back(self, site):
        """Serve another state of the site."""
        self.site = site
        self.site.url = self.tracker.url
        self.face = self.tracker.face = application(site)


@pytest.fixture(scope="module")
def hub_class(company_class):
    class Hub(Rig, company_class):
        def __post_init__(self):
            self.tracker.one_by_one = self.tracker.second = None
            self.put_back(self.site)
            self.env = {TOKEN: self.site.token}

    return Hub


@pytest.fixture(scope="module")
def fresh_hub(prepare, hub_class):
    site = Site()
    build(site, datetime.now(UTC).date())
    return prepare(hub_class, site, FILE)


@pytest.fixture(scope="module")
def pulled_hub(tmp_path_factory, fresh_hub):
    return fresh_hub.pulled(tmp_path_factory.mktemp("pulled-hub") / "files")


@pytest.fixture
def empty_hub(tmp_path, fresh_hub):
    return fresh_hub.copy(tmp_path / "files")


@pytest.fixture
def hub(tmp_path, pulled_hub):
    return pulled_hub.copy(tmp_path / "files")


# On a good day


def test_what_is_pulled_is_what_github_has(hub, pulled_hub):
    (row,) = pulled_hub.ended["connections"]
    assert (row["items"], row["read"], row["expected"], row["history"], row["error"]) == (66, 66, 66, 66, None)
    assert hub.initiative()["counts"] == {"todo": 2, "in_progress": 2, "done": 9, "canceled": 1}
    told = hub.json("explain", "I1")
    assert {one["key"] for one in told["inputs"]} == {
        f"acme/checkout-web#{issue.number}" for issue in hub.epic.children if issue.state_reason != "NOT_PLANNED"
    }
    assert {one["inherited_from"] for one in told["inputs"]} == {"acme/checkout-web#5"}
    assert sum(one["effect"] for one in told["inputs"]) == pytest.approx(told["progress"])
    (found,) = hub.json("census")["connections"]
    assert (found["listed"], found["missing"], found["gone"]) == (
        66, 0, {"deleted": [], "moved": [], "inaccessible": []}
    )  # fmt: skip


def test_check_finds_what_the_file_names_and_whether_we_may_write(hub):
    findings = {one["subject"]: one for one in hub.json("check")["findings"]}
    assert {subject for subject, one in findings.items() if one["level"] != "ok"} == {
        "webhook", "KEYRAIL_PUBLIC_URL"
    }  # fmt: skip
    assert findings["estimate"]["message"] == "Field 'Effort' found in acme."
    assert findings["status"]["message"].endswith("found in acme/1 with Todo, In Progress, In Review, Done.")
    assert findings["comments"]["message"] == "Our account may comment in each repository."
    assert findings["comment"]["message"] == "each subject has an address"


def test_what_changes_is_pulled_and_nothing_else(hub):
    hub.finish(2)
    moved = hub.epic.children[0]
    hub.site.change(moved, parent=None)
    hub.site.create(hub.epic.repository, "Say why it was declined", type="Task", parent=hub.epic)
    (row,) = hub.json("sync", "--no-publish")["connections"]
    assert (row["error"], row["items"]) == (None, 67)
    assert hub.initiative()["counts"] == {"todo": 3, "in_progress": 0, "done": 10, "canceled": 1}
    before = hub.facts()
    (row,) = hub.json("sync", "--no-publish")["connections"]
    assert row["requests"] < 20
    assert hub.facts() == before
    hub.run("rebuild")
    assert hub.facts() == before


def test_a_move_on_a_board_alone_is_in_the_past_after_one_sync(hub):
    issue = next(one for one in hub.epic.children if not one.closed)
    before = issue.updated_at
    projects.set_value(hub.site, issue.items[0], "Status", "Done")
    (row,) = hub.json("sync", "--no-publish")["connections"]
    assert (row["error"], row["history"], issue.updated_at) == (None, 0, before)
    told = [one for one in hub.run("export", "history").lines if one["item_id"] == issue.id]
    assert (told[-1]["field"], told[-1]["after"]) == ("status", "Done")
    key = f"acme/checkout-web#{issue.number}"
    assert hub.items()[key]["completed_at"] is not None
    assert hub.initiative()["counts"]["done"] == 10


def test_an_issue_that_leaves_the_board_is_what_its_repository_says_at_once(hub):
    issue = next(one for one in hub.epic.children if not one.closed and one.items[0].values)
    key = f"acme/checkout-web#{issue.number}"
    hub.run("sync", "--no-publish")
    assert hub.items()[key]["status"] != "open"
    projects.remove(hub.site, issue.items[0])
    hub.run("sync", "--no-publish")
    assert hub.items()[key]["status"] == "open"


def test_a_repository_that_comes_between_backfill_and_first_sync_is_read_whole(hub):
    hub.edit(
        "scope: {repositories: [acme/checkout-web, acme/checkout-kit], projects",
        "scope: {organizations: [acme], projects",
    )
    hub.run("backfill", "--no-history")
    late = hub.site.add_repository(hub.epic.repository.owner, "late", at=hub.epic.created_at)
    hub.site.create(late, "Here for long", at=hub.epic.created_at)
    hub.json("check")
    hub.run("sync", "--no-publish")
    assert "acme/late#1" in hub.items()


def test_one_comment_is_kept_up_to_date_and_a_person_has_the_last_word(hub):
    only = ("publish", "--subject", "I1")
    (write,) = hub.json(*only, "--plan")["writes"]
    assert (write["address"], write["action"], hub.kept()) == ("acme/checkout-web#5", "create", [])
    assert hub.json(*only)["failed"] == []
    (comment,) = hub.kept()
    assert "**One-click pay** · 69 %" in comment.body

    again = hub.json(*only)
    assert (again["sent"], again["unchanged"]) == ([], 1)
    hub.finish(2)
    # Our own comment comes back with what changed, and is no reason to write.
    hub.run("sync", "--no-publish")
    (write,) = hub.json(*only)["sent"]
    assert (write["action"], hub.kept()) == ("update", [comment])
    assert "**One-click pay** · 85 %" in comment.body

    hub.site.edit_comment(comment, f"{comment.body} Ask Maria.", by=hub.site.member)
    hub.finish(1)
    hub.run("sync", "--no-publish")
    done = hub.json(*only)
    assert ([one["address"] for one in done["overridden"]], done["sent"]) == (["acme/checkout-web#5"], [])
    assert (hub.kept(), comment.body.endswith("Ask Maria.")) == ([comment], True)
    hub.run("publish", "--release", "comment:I1", "--reason", "agreed with Maria")
    assert len(hub.json(*only)["sent"]) == 1
    assert (hub.kept(), "92 %" in comment.body) == ([comment], True)


def test_a_comment_that_we_forgot_is_found_by_its_mark_and_never_doubled(hub, pulled_hub):
    only = ("publish", "--subject", "I1")
    hub.run(*only)
    (comment,) = hub.kept()
    for number in range(101):
        hub.site.comment(hub.epic, f"Another word, the {number}th")
    # A store that was pulled anew knows nothing of the comment.
    shutil.copytree(pulled_hub.folder / ".keyrail", hub.folder / ".keyrail", dirs_exist_ok=True)
    hub.finish(1)
    hub.run("sync", "--no-publish")
    done = hub.json(*only)
    assert (done["failed"], hub.kept()) == ([], [comment])


# Who goes, and comes back


def test_the_census_tells_deleted_from_transferred_from_hidden(hub):
    site, web = hub.site, hub.epic.repository
    deleted, transferred, left = [one for one in hub.epic.children if one.closed][:3]
    elsewhere = site.add_repository(web.owner, "other")
    kit = site.repository("acme/checkout-kit")
    was = hub.items()[f"acme/checkout-web#{transferred.number}"]
    assert was["started_at"] is not None
    site.delete(deleted)
    new = site.transfer(transferred, kit)
    site.transfer(left, elsewhere)
    (found,) = hub.json("census")["connections"]
    assert {one["key"] for one in found["gone"]["deleted"] + found["gone"]["moved"]} >= {
        f"acme/checkout-web#{one.number}" for one in (deleted, transferred, left)
    }
    assert hub.initiative()["counts"]["done"] == 9
    hub.run("census", "--repair")
    items = hub.items()
    assert items[f"acme/checkout-web#{deleted.number}"]["deleted"] is True
    there = items[f"acme/checkout-kit#{new.number}"]
    assert (there["deleted"], there["started_at"]) == (False, was["started_at"])
    told = {one["key"] for one in hub.json("explain", "I1")["inputs"]}
    assert f"acme/checkout-kit#{new.number}" in told
    assert f"acme/checkout-web#{transferred.number}" not in told
    (found,) = hub.json("census")["connections"]
    assert (found["missing"], found["gone"]["deleted"]) == (0, [])


def test_a_repository_that_is_hidden_keeps_its_numbers_for_a_while_and_comes_back(hub):
    kit = hub.site.repository("acme/checkout-kit")
    keys = {f"acme/checkout-kit#{one.number}" for one in kit.issues}
    before = hub.initiative("I3")["counts"]
    kit.hidden = True
    (warning,) = [
        one for one in hub.json("check")["findings"] if one["level"] == "warning" and one["subject"] == "scope"
    ]
    assert "'acme/checkout-kit' is no longer visible to our account" in warning["message"]
    hub.finish(1)
    hub.run("census", "--repair")
    items = hub.items()
    assert {key for key, one in items.items() if one["inaccessible"]} == keys
    assert hub.initiative("I3")["counts"] == before
    hub.run("sync", "--no-publish")
    assert hub.initiative()["counts"]["done"] == 10
    kit.hidden = False
    hub.run("census", "--repair")
    assert not any(one["inaccessible"] or one["deleted"] for one in hub.items().values())


def test_an_organization_that_hides_a_repository_stops_no_other(hub):
    hub.edit(
        "scope: {repositories: [acme/checkout-web, acme/checkout-kit], projects",
        "scope: {organizations: [acme], projects",
    )
    hub.run("backfill", "--no-history")
    hub.site.repository("acme/checkout-kit").hidden = True
    hub.finish(1)
    (row,) = hub.json("sync", "--no-publish")["connections"]
    assert row["error"] is None
    assert hub.initiative()["counts"]["done"] == 10
    (found,) = hub.json("census", "--repair")["connections"]
    assert len(found["gone"]["inaccessible"]) == 2


def test_a_repository_goes_on_under_its_new_name_and_in_the_archive(hub):
    web = hub.epic.repository
    before = hub.initiative()
    hub.site.rename_repository(web, "checkout-page")
    hub.finish(1)
    hub.run("sync", "--no-publish")
    items = hub.items()
    assert len(items) == 66
    assert {one["project"] for one in items.values()} == {"acme/checkout-page", "acme/checkout-kit"}
    assert hub.initiative()["size_total"] == before["size_total"]
    assert hub.initiative()["counts"]["done"] == 10
    told = {one["subject"]: one["message"] for one in hub.json("check")["findings"]}
    assert told["repository acme/checkout-web"] == (
        "It is called acme/checkout-page now and is read under that name. Put the new name into `scope`."
    )
    hub.site.archive_repository(web)
    hub.run("sync", "--no-publish")
    archived = [one for one in hub.items().values() if one["archived"]]
    assert {one["project"] for one in archived} == {"acme/checkout-page"}
    assert hub.initiative()["counts"]["done"] == 10
    assert "acme/checkout-page" in {one["subject"]: one["message"] for one in hub.json("check")["findings"]}["archived"]


# Stopped in the middle


@pytest.mark.parametrize("times", [8, 14], ids=["items", "history"])
def test_a_killed_backfill_goes_on_and_ends_the_same(empty_hub, pulled_hub, times):
    running = None
    empty_hub.site.faults.page_size = 20
    empty_hub.stop_after("/graphql", times, signal.SIGKILL, lambda: running)
    empty_hub.tracker.one_by_one = "/graphql"
    running = empty_hub.start("backfill")
    assert running.wait().code == -signal.SIGKILL
    empty_hub.face.observers.clear()
    empty_hub.tracker.one_by_one = None
    (row,) = empty_hub.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (66, None)
    assert empty_hub.facts() == pulled_hub.facts


def test_an_interrupted_backfill_says_how_to_go_on_and_reads_nothing_twice(empty_hub, pulled_hub):
    running = None
    empty_hub.site.faults.page_size = 20
    empty_hub.stop_after("/graphql", 14, signal.SIGINT, lambda: running)
    empty_hub.tracker.one_by_one = "/graphql"
    running = empty_hub.start("backfill")
    ended = running.wait()
    assert ended.code == 130
    assert ended.words.endswith("Interrupted. What was done so far is kept: run the same command again to go on.")
    empty_hub.face.observers.clear()
    empty_hub.tracker.one_by_one = None
    empty_hub.forget()
    empty_hub.run("backfill")
    assert "History" in empty_hub.operations
    assert "Issues" not in empty_hub.operations
    assert empty_hub.facts() == pulled_hub.facts


# On a bad day


def refused(hub, *arguments, code, **more):
    """Run a command that must fail, naming the connection, and return what it says; the numbers are still there."""
    ended = hub.run(*arguments, code=code, **more)
    assert ended.words.count("Error: ") == 1, ended.err
    assert "hub: " in ended.words
    assert hub.initiative()["size_total"] == 13
    return ended.words


def test_a_wrong_token_is_named_and_tried_once(hub):
    words = refused(hub, "sync", code=3, env={TOKEN: "ghp_wrong"})
    assert f"environment variable {TOKEN}" in words
    assert "Put the credentials right, then run: keyrail check" in words
    assert "ghp_wrong" not in words
    assert len(hub.asked()) <= 2
    assert f"environment variable {TOKEN} is not set" in refused(hub, "sync", code=2, env={TOKEN: None})


def test_a_scope_that_the_token_lacks_is_named(hub):
    hub.site.access.add_token("ghp_narrow", hub.site.me, scopes=("repo", "read:org"))
    hub.finish()
    ended = hub.run("sync", code=3, env={TOKEN: "ghp_narrow"})
    assert "the token lacks a scope. It needs read:project. Add it" in ended.words
    assert "Check environment variable GITHUB_TOKEN." in ended.words
    assert "Next: keyrail check · tells whether it is mended" in ended.out.decode()
    ended = hub.run("check", "--json", code=3, env={TOKEN: "ghp_narrow"})
    (error,) = [one for one in ended.doc["findings"] if one["level"] == "error"]
    assert "read:project" in error["message"]
    hub.run("sync", "--no-publish")
    assert hub.initiative()["counts"]["done"] == 10


def test_single_sign_on_that_the_token_was_not_authorised_for(hub):
    hub.site.faults.sso_required = {"acme"}
    words = refused(hub, "sync", code=3)
    assert "asks for single sign-on, and the token is not authorised for it" in words
    assert "Authorise it at" in words


def test_what_github_cannot_manage_is_asked_for_in_smaller_pages(empty_hub, pulled_hub):
    faults = empty_hub.site.faults
    faults.timeout_nodes, faults.page_size = 4000, 20
    for kind in ("cut", "malformed", "unavailable", "expired_cursor"):
        faults.add(kind, path="Issues")
    (row,) = empty_hub.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (66, None)
    assert not faults.queue
    assert empty_hub.facts() == pulled_hub.facts


def test_limits_slow_and_never_fail(empty_hub, pulled_hub):
    faults = empty_hub.site.faults
    faults.page_size = 20
    faults.add("rate_limited", path="Issues", retry_after=1, reason="RATE_LIMITED")
    faults.add("secondary", path="Issues", retry_after=1)
    faults.add("secondary_429", path="History", retry_after=1)
    ended = empty_hub.run("backfill")
    assert "hub" in ended.err
    assert not faults.queue
    assert empty_hub.facts() == pulled_hub.facts


def test_an_issue_that_is_null_beside_an_error_takes_nothing_along(empty_hub, pulled_hub):
    empty_hub.site.faults.add("partial", path="Issues")
    (row,) = empty_hub.json("backfill")["connections"]
    assert row["error"] is None
    empty_hub.run("census", "--repair")
    assert empty_hub.facts() == pulled_hub.facts


def test_the_status_and_the_fields_of_a_project_are_told_and_read_back(hub):
    hub.edit("title: One-click pay, contributes", "title: One-click pay, external: {hub: acme/1}, contributes")
    hub.edit(
        "publish:\n",
        """publish:
  - id: board
    to: {connection: hub, as: status_update}
    only: {id: I1}
  - id: late
    to: {connection: hub, as: project_field, project: acme/1, field: OKR, value: progress}
    on: linked_epics
    only: {id: I1}
""",
    )
    board = hub.site.accounts["acme"].projects[0]
    projects.add_field(hub.site, board, "OKR", "NUMBER")
    projects.add_item(hub.site, board, hub.epic)
    done = hub.json("publish", "--subject", "I1")
    assert ([one["target"] for one in done["sent"]], done["failed"]) == (["board", "late", "comment"], [])
    (status,) = board.statuses
    assert "**One-click pay** · 69 %" in status.body
    (item,) = [one for one in hub.epic.items if one.project is board]
    assert item.values[board.field("OKR").id].content == pytest.approx(69, abs=0.5)
    hub.finish(2)
    hub.run("sync", "--no-publish")
    projects.edit_status(hub.site, status, body="Ask Maria.")
    hub.edit("    only: {id: I1}\n", "    only: {id: I1}\n    when: {progress: 1pp, at_most: 0s}\n", times=2)
    done = hub.json("publish", "--subject", "I1")
    assert [one["target"] for one in done["overridden"]] == ["board"]
    assert [one["target"] for one in done["sent"]] == ["late", "comment"]
    assert ([one.body for one in board.statuses], done["failed"]) == (["Ask Maria."], [])
