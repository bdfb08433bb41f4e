"""The whole road over Linear: two teams of the sample company, pulled and told, on good and on bad days."""

import shutil
import signal
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from app.demo.linear import application
from app.demo.linear_company import build
from app.demo.linear_model import Issue, Project
from app.demo.linear_site import Site

KEY = "LINEAR_KEY"
FILE = """\
version: 1
workspace: mobile
timezone: Europe/Berlin
connections:
  line:
    type: linear
    url: <URL>/graphql
    auth: {token: "${env:LINEAR_KEY}"}
    scope: {teams: [MOB, DES]}
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
      - {id: KR5, title: All books on the ledger}
      - {id: KR6, title: Merchants who start alone}
initiatives:
  - id: I1
    title: One-click pay
    contributes: [{to: KR1}]
    start: <START>
    due: <END>
    work:
      - {connection: line, keys: [MOB-1]}
  - id: I6
    title: Self-service
    contributes: [{to: KR6}]
    start: <START>
    due: <END>
    work:
      - {connection: line, projects: ["Self-service onboarding screens"]}
mapping:
  - name: label-names-the-initiative
    when: {labels: {matches: "okr/(?P<id>[\\\\w-]+)"}}
    initiative: "{id}"
  - name: initiatives-that-live-in-linear
    when: {level: initiative, labels: {matches: "kr/(?P<kr>.+)"}}
    initiative: {create: true, contributes: [{to: "{kr}"}]}
publish:
  - id: card
    to: {connection: line, as: attachment}
    what: initiatives
    on: linked_epics
    when: {progress: 1pp, health: change, at_most: 0s}
"""
MARK = "?keyrail=mobile:card:initiative:I1"


class Rig:
    """What the tests know of the sample company's Linear."""

    @property
    def project(self):
        return next(one for one in self.site.all(Project) if one.name == "One-click pay on mobile")

    @property
    def first(self):
        return self.site.find("MOB-1")

    def children(self, *types):
        """The issues of the project whose state is of one of these types."""
        found = [one for one in self.site.all(Issue) if one.project is self.project and not one.trashed]
        return [one for one in found if one.state.type in types]

    def leaves(self, *types):
        """Those of them that nothing hangs below."""
        parents = {one.parent for one in self.site.all(Issue)}
        return [one for one in self.children(*types) if one not in parents and one is not self.first]

    def finish(self, count=1):
        """Let open work of I1 be done at the tracker."""
        for issue in self.leaves("backlog", "unstarted")[:count]:
            self.site.change(issue, state="Done")

    def age(self):
        """Make what was just changed a moment older: Linear tells its clock in whole seconds, where a pull ends."""
        for issue in self.site.all(Issue):
            if self.site.now() - issue.updated_at < timedelta(seconds=1):
                issue.updated_at -= timedelta(seconds=2)
        self.site.touch()

    def kept(self):
        """The cards on the issue that carry our mark."""
        return [one for one in self.first.attachments if one.url.endswith(MARK)]


@pytest.fixture(scope="module")
def line_class(company_class):
    class Line(Rig, company_class):
        def start(self, *arguments, **more):
            self.age()
            return super().start(*arguments, **more)

        def __post_init__(self):
            self.tracker.one_by_one = self.tracker.second = None
            self.face = self.tracker.face = application(self.site)
            self.env = {KEY: self.site.key}

    return Line


@pytest.fixture(scope="module")
def fresh_line(prepare, line_class):
    site = Site()
    build(site, datetime.now(UTC).date())
    return prepare(line_class, site, FILE)


@pytest.fixture(scope="module")
def pulled_line(tmp_path_factory, fresh_line):
    return fresh_line.pulled(tmp_path_factory.mktemp("pulled-line") / "files")


@pytest.fixture
def empty_line(tmp_path, fresh_line):
    return fresh_line.copy(tmp_path / "files")


@pytest.fixture
def line(tmp_path, pulled_line):
    return pulled_line.copy(tmp_path / "files")


# On a good day


def test_what_is_pulled_is_what_linear_has(line, pulled_line):
    (row,) = pulled_line.ended["connections"]
    assert (row["items"], row["read"], row["expected"], row["error"]) == (73, 73, 68, None)
    levels = [one["level"] for one in line.items().values()]
    assert (levels.count("issue"), levels.count("epic"), levels.count("initiative")) == (68, 3, 2)
    assert line.initiative()["counts"] == {"todo": 5, "in_progress": 2, "done": 20, "canceled": 3}
    assert line.initiative("I6")["counts"] == {"todo": 0, "in_progress": 3, "done": 14, "canceled": 1}
    # An initiative that lives in Linear alone counts for its key result.
    made = line.json("show")["key_results"][1]["initiatives"][0]["id"]
    assert (made.startswith("line:"), line.initiative(made)["title"]) == (True, "Ledger in the pocket")
    told = line.json("explain", "I1")
    assert len(told["inputs"]) == 27
    assert sum(one["effect"] for one in told["inputs"]) == pytest.approx(told["progress"])
    (found,) = line.json("census")["connections"]
    assert (found["listed"], found["missing"], found["gone"]) == (
        73, 0, {"deleted": [], "moved": [], "inaccessible": []}
    )  # fmt: skip


def test_check_finds_what_the_file_names_and_how_much_room_there_is(line):
    findings = {one["subject"]: one for one in line.json("check")["findings"]}
    assert {subject for subject, one in findings.items() if one["level"] != "ok"} == {
        "webhook", "card", "KEYRAIL_PUBLIC_URL"
    }  # fmt: skip
    assert findings["scope"]["message"] == "About 68 issues in DES, MOB."
    assert findings["initiatives"]["message"] == "Visible."
    assert findings["estimate"]["message"] == "All teams in scope estimate."
    assert findings["card"]["message"].startswith("no address: nothing is linked to I6")


def test_what_changes_is_pulled_and_nothing_else(line):
    line.finish(2)
    moved = line.children("completed")[-1]
    line.site.change(moved, project=None, parent=None)
    line.site.create(line.site.team("MOB"), "Say why it was declined", state="Todo", project=line.project)
    (row,) = line.json("sync", "--no-publish")["connections"]
    assert (row["error"], row["items"]) == (None, 74)
    assert line.initiative()["counts"] == {"todo": 4, "in_progress": 2, "done": 21, "canceled": 3}
    before = line.facts()
    (row,) = line.json("sync", "--no-publish")["connections"]
    assert row["requests"] < 10
    assert line.facts() == before
    line.run("rebuild")
    assert line.facts() == before


def test_one_update_a_week_is_posted_on_a_project_and_a_person_has_the_last_word(line):
    line.edit(
        "publish:\n",
        """publish:
  - id: weekly
    to: {connection: line, as: update}
    on: linked_epics
    only: {id: I6}
    when: {progress: 1pp, at_most: 0s}
""",
    )
    only = ("publish", "--target", "weekly")
    assert line.json(*only)["failed"] == []
    project = next(one for one in line.site.all(Project) if one.name == "Self-service onboarding screens")
    (update,) = [one for one in project.updates if "Kept up to date by Keyrail" in one.body]
    assert uuid.UUID(update.id).version == 4
    before = line.facts()
    line.run("sync", "--no-publish")
    # Our own update comes back with its project and is no reason to write.
    assert [len(line.json(*only)[name]) for name in ("sent", "overridden", "failed")] == [0, 0, 0]
    assert line.facts()[1] == before[1]
    line.site.edit_update(update, body="Ask Maria.")
    line.edit("title: Self-service\n", "title: Self-service for merchants\n")
    done = line.json(*only)
    assert ([one["target"] for one in done["overridden"]], done["sent"], update.body) == (["weekly"], [], "Ask Maria.")


def test_one_card_is_kept_up_to_date_and_a_person_has_the_last_word(line):
    only = ("publish", "--subject", "I1")
    (write,) = line.json(*only, "--plan")["writes"]
    assert (write["address"], write["action"], line.kept()) == ("MOB-1", "create", [])
    assert line.json(*only)["failed"] == []
    (card,) = line.kept()
    assert card.title == "One-click pay: 74 % · On track"

    again = line.json(*only)
    assert (again["sent"], again["unchanged"]) == ([], 1)
    line.finish(2)
    line.run("sync", "--no-publish")
    (write,) = line.json(*only)["sent"]
    assert (write["action"], line.kept(), card.title) == ("update", [card], "One-click pay: 81 % · On track")

    card.title = "Ask Maria"
    line.finish(1)
    line.run("sync", "--no-publish")
    done = line.json(*only)
    assert ([one["address"] for one in done["overridden"]], done["sent"]) == (["MOB-1"], [])
    assert (line.kept(), card.title) == ([card], "Ask Maria")
    line.run("publish", "--release", "card:I1", "--reason", "agreed with Maria")
    assert len(line.json(*only)["sent"]) == 1
    assert (line.kept(), card.title) == ([card], "One-click pay: 85 % · On track")


def test_a_card_that_we_forgot_is_found_by_its_mark_and_never_doubled(line, pulled_line):
    only = ("publish", "--subject", "I1")
    line.run(*only)
    (card,) = line.kept()
    for number in range(51):
        line.site.attach(line.first, f"https://example.com/{number}", f"Another card, the {number}th")
    # A store that was pulled anew knows nothing of the card.
    shutil.copytree(pulled_line.folder / ".keyrail", line.folder / ".keyrail", dirs_exist_ok=True)
    line.finish(1)
    line.run("sync", "--no-publish")
    assert line.json(*only)["failed"] == []
    assert (line.kept(), card.title) == ([card], "One-click pay: 78 % · On track")


# Who goes, and comes back


def test_trashed_purged_and_restored(line):
    trashed, purged = line.leaves("completed")[:2]
    key, id_ = trashed.identifier, purged.id
    line.site.trash(trashed)
    line.site.purge(purged)
    line.run("sync", "--no-publish")
    (found,) = line.json("census", "--repair")["connections"]
    assert id_ in [one["id"] for one in found["gone"]["deleted"]]
    assert {one["id"] for one in line.items().values() if one["deleted"]} == {trashed.id, id_}
    assert line.initiative()["counts"]["done"] == 18
    line.site.restore(trashed)
    line.run("sync", "--no-publish")
    assert line.items()[key]["deleted"] is False
    assert line.initiative()["counts"]["done"] == 19
    (found,) = line.json("census")["connections"]
    assert (found["missing"], found["gone"]["deleted"]) == (0, [])


def test_an_issue_that_moves_to_another_team_stays_the_same_issue(line):
    issue, leaving = line.leaves("completed")[2:4]
    old, counts = issue.identifier, line.initiative()["counts"]
    outside = line.site.add_team("OPS", "Operations")
    line.site.move(issue, next(line.site.team(key) for key in ("MOB", "DES") if issue.team.key != key))
    line.site.move(leaving, outside)
    line.run("sync", "--no-publish")
    (found,) = line.json("census", "--repair")["connections"]
    assert found["deleted"] == 0
    items = line.items()
    assert (items[issue.identifier]["id"], old in items) == (issue.id, False)
    assert [one["initiative"] for one in items[issue.identifier]["links"]] == ["I1"]
    assert items[leaving.identifier]["project"] == "OPS"
    assert line.initiative()["counts"] == counts


def test_a_team_that_went_private_keeps_its_numbers_for_a_while_and_comes_back(line):
    team = line.site.team("DES")
    keys = {one.identifier for one in line.site.all(Issue) if one.team is team}
    before = line.initiative()["counts"]
    team.hidden = True
    line.site.touch()
    warnings = {one["message"] for one in line.json("check")["findings"] if one["level"] == "warning"}
    assert any(words.startswith("'DES' is no longer visible to our account") for words in warnings)
    line.finish(1)
    (found,) = line.json("census", "--repair")["connections"]
    assert (found["deleted"], found["inaccessible"]) == (0, len(keys))
    assert {key for key, one in line.items().items() if one["inaccessible"]} == keys
    line.run("sync", "--no-publish")
    assert line.initiative()["counts"] == before | {"todo": before["todo"] - 1, "done": before["done"] + 1}
    team.hidden = False
    line.site.touch()
    line.run("census", "--repair")
    assert not any(one["inaccessible"] or one["deleted"] for one in line.items().values())


# Stopped in the middle


@pytest.mark.parametrize("times", [12, 18], ids=["items", "history"])
def test_a_killed_backfill_goes_on_and_ends_the_same(empty_line, pulled_line, times):
    running = None
    empty_line.site.faults.page_size = 20
    empty_line.stop_after("/graphql", times, signal.SIGKILL, lambda: running)
    empty_line.tracker.one_by_one = "/graphql"
    running = empty_line.start("backfill")
    assert running.wait().code == -signal.SIGKILL
    empty_line.face.observers.clear()
    empty_line.tracker.one_by_one = None
    (row,) = empty_line.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (73, None)
    assert empty_line.facts() == pulled_line.facts


def test_an_interrupted_backfill_says_how_to_go_on_and_reads_nothing_twice(empty_line, pulled_line):
    running = None
    empty_line.site.faults.page_size = 20
    empty_line.stop_after("/graphql", 18, signal.SIGINT, lambda: running)
    empty_line.tracker.one_by_one = "/graphql"
    running = empty_line.start("backfill")
    ended = running.wait()
    assert ended.code == 130
    assert ended.words.endswith("Interrupted. What was done so far is kept: run the same command again to go on.")
    empty_line.face.observers.clear()
    empty_line.tracker.one_by_one = None
    empty_line.face.exchanges.clear()
    empty_line.run("backfill")
    asked = {one.operation for one in empty_line.face.exchanges}
    assert "History" in asked
    assert "IssuesInWindow" not in asked
    assert empty_line.facts() == pulled_line.facts


# On a bad day


def refused(line, *arguments, code, **more):
    """Run a command that must fail, naming the connection, and return what it says; the numbers are still there."""
    ended = line.run(*arguments, code=code, **more)
    assert ended.words.count("Error: ") == 1, ended.err
    assert "line: " in ended.words
    assert line.initiative()["size_total"] == 27
    return ended.words


def test_a_wrong_key_is_named_and_tried_once(line):
    words = refused(line, "sync", code=3, env={KEY: "lin_api_wrong"})
    assert f"environment variable {KEY}" in words
    assert "Put the credentials right, then run: keyrail check" in words
    assert "lin_api_wrong" not in words
    assert len(line.face.exchanges) <= 2
    assert f"environment variable {KEY} is not set" in refused(line, "sync", code=2, env={KEY: None})


def test_without_the_right_to_initiatives_the_rest_goes_on(line):
    line.site.faults.hide_initiatives = True
    line.site.touch()
    line.finish(1)
    findings = {one["subject"]: one["message"] for one in line.json("check")["findings"]}
    assert findings["initiatives"].startswith("None is visible. If the workspace has any, add initiatives to what")
    (row,) = line.json("sync", "--no-publish")["connections"]
    assert row["error"] is None
    assert line.initiative()["counts"]["done"] == 21
    (found,) = line.json("census", "--repair")["connections"]
    assert (found["deleted"], found["inaccessible"]) == (0, 2)


def test_small_and_broken_pages_are_read_to_their_end(empty_line, pulled_line):
    faults = empty_line.site.faults
    faults.page_size = 5
    for kind, path in (
        ("cut", "IssuesInWindow"), ("malformed", "Projects"), ("unavailable", "Workspace"),
        ("internal", "IssuesInWindow"), ("partial", "History"),
    ):  # fmt: skip
        faults.add(kind, path=path)
    faults.add("expired_cursor", path="WorkflowStates", after=1)
    faults.add("overloaded", path="Initiatives", retry_after=0)
    (row,) = empty_line.json("backfill")["connections"]
    assert (row["items"], row["error"]) == (73, None)
    assert not faults.queue
    assert empty_line.facts() == pulled_line.facts


def test_limits_slow_and_never_fail(empty_line, pulled_line):
    faults = empty_line.site.faults
    for reason in ("requests", "complexity", "endpoint"):
        faults.add("rate_limit", path="IssuesInWindow", retry_after=1, reason=reason)
    faults.add("too_many", path="History", retry_after=1)
    empty_line.run("backfill")
    assert not faults.queue
    assert empty_line.facts() == pulled_line.facts


@pytest.mark.parametrize(
    ("kind", "said"), [("null_cursor", "gives no cursor"), ("same_cursor", "repeated a cursor of 'issues'")]
)
def test_a_list_that_leads_nowhere_ends_the_pull_and_loses_nothing(line, kind, said):
    for issue in line.children("completed", "started"):
        line.site.change(issue, estimate=13.0)
    line.site.faults.page_size = 10
    line.site.faults.add(kind, path="IssuesChanged", after=1, times=9)
    words = refused(line, "sync", "--no-publish", code=1)
    assert said in words
    assert "Run again" in words
    line.site.faults.queue.clear()
    line.run("sync", "--no-publish")
    items = line.items()
    assert {items[one.identifier]["estimate"] for one in line.children("completed", "started")} == {13}


def test_a_login_page_is_a_matter_of_the_key(line):
    line.site.faults.add("login_page", path="/graphql", times=9)
    words = refused(line, "sync", "--no-publish", code=3)
    assert f"environment variable {KEY}" in words


def test_a_state_of_a_kind_that_nobody_has_heard_of_is_kept_and_counts_as_open(line):
    issue = line.children("completed")[0]
    line.site.add_state(issue.team, "Frozen", "frozen")
    line.site.change(issue, state="Frozen")
    line.run("sync", "--no-publish")
    item = line.items()[issue.identifier]
    assert (item["status"], item["category"]) == ("Frozen", "todo")
    assert "Frozen" in line.run("coverage").text
