"""The commands around the road: reading payloads, saying values, a new file, the database, the schema."""

from datetime import UTC, datetime, timedelta

import jsonschema
import orjson
import pytest
from ruamel.yaml import YAML

from app.demo import jira_bodies as bodies


@pytest.fixture
def payload(company):
    """The body of an issue as the tracker answers it, or of a page of several."""

    def make(*keys):
        issues = [bodies.issue(company.site, company.site.find(key), [], default="*all") for key in keys]
        return orjson.dumps(issues[0] if len(keys) == 1 else {"issues": issues})

    return make


# parse


def test_an_issue_is_read_as_the_connection_reads_it(company, payload):
    (company.folder / "issue.json").write_bytes(payload("PAY-60"))
    (line,) = company.run("parse", "jira-demo", "issue.json").lines
    assert line["change"] == "upsert"
    stored = company.items()["PAY-60"]
    for name in ("key", "title", "status", "category", "estimate", "parent_key", "team", "labels", "updated_at", "url"):
        assert line["item"][name] == stored[name], name
    assert line["item"].keys() == stored.keys()
    assert company.asked() == []


@pytest.mark.parametrize("kind", ["jira", "jira-dc"])
def test_a_bare_tracker_needs_no_file_and_no_store(company, payload, kind):
    company.file.unlink()
    lines = company.run("parse", kind, "-", stdin=payload("PAY-60", "PAY-1")).lines
    assert [(line["change"], line["item"]["key"], line["item"]["level"]) for line in lines] == [
        ("upsert", "PAY-60", "issue"),
        ("upsert", "PAY-1", "epic"),
    ]


def test_a_webhook_becomes_what_is_done_about_it(company):
    site, issue = company.site, company.site.find("PAY-60")
    number = str(issue.id)
    changed = company.face.webhook_for(site.change(issue, points=8))
    deleted = company.face.webhook_for(site.delete(issue))
    told = company.run("parse", "jira-demo", "-", "--event", "jira:issue_updated", stdin=changed.body)
    assert told.lines == [{"change": "refetch", "id": number, "key": "PAY-60"}]
    told = company.run("parse", "jira-demo", "-", stdin=deleted.body)
    assert told.lines == [{"change": "delete", "id": number, "key": "PAY-60"}]


def test_what_cannot_be_read_is_named_and_the_rest_is_read(company, payload):
    (company.folder / "good.json").write_bytes(payload("PAY-60"))
    (company.folder / "cut.json").write_bytes(payload("PAY-60")[:-20])
    ended = company.run("parse", "jira", "cut.json", "good.json", code=1)
    assert [line["item"]["key"] for line in ended.lines] == ["PAY-60"]
    assert "cut.json: not JSON" in ended.words
    ended = company.run("parse", "jira", "-", "--event", "jira:coffee_made", stdin=b"{}", code=1)
    assert "standard input: " in ended.words
    assert "jira:coffee_made" in ended.words
    assert "nowhere.json cannot be read" in company.run("parse", "jira", "nowhere.json", code=2).words
    assert "no connection 'jria'" in company.run("parse", "jria", "good.json", code=2).words


# check-in


def test_a_check_in_moves_its_key_result_at_once(company):
    ended = company.json("check-in", "KR1", "2.8", "--note", "Two more regions")
    today = datetime.now(UTC).date()
    assert ended["date"] in {(today + timedelta(days=n)).isoformat() for n in (0, 1)}
    row = next(row for row in company.json("show", "KR1")["key_results"] if row["id"] == "KR1")
    assert (row["progress"], row["score_basis"]) == (pytest.approx(7 / 9), "outcome")
    (one,) = company.json("explain", "KR1")["inputs"]
    assert (one["value"], one["note"], one["effect"]) == (2.8, "Two more regions", pytest.approx(7 / 9))
    assert [line["value"] for line in company.run("export", "check-ins").lines if line["key_result"] == "KR1"] == [
        2.62,
        2.8,
    ]


def test_a_check_in_of_an_earlier_day_changes_the_past_alone(company):
    before = company.json("show", "KR1")["key_results"][0]["progress"]
    day = (datetime.now(UTC) - timedelta(days=10)).date().isoformat()
    assert company.json("check-in", "KR1", "2.2", "--date", day)["date"] == day
    assert company.json("show", "KR1")["key_results"][0]["progress"] == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("KR99", "1"), "no key result 'KR99'"),
        (("KR2", "1"), "KR2 has no metric"),
        (("KR1", "nan"), "the value before it stays"),
        (("KR1", "many"), "valid number"),
        (("KR1", "1", "--date", "2099-01-01"), "in the future"),
        (("KR1", "1", "--date", "0001-01-01"), "long before"),
        (("KR1", "1", "--date", "tomorrow"), "tomorrow"),
    ],
)
def test_a_check_in_that_cannot_be_is_refused(company, arguments, said):
    before = company.run("export", "check-ins").out
    assert said in company.run("check-in", *arguments, code=2).words
    assert company.run("export", "check-ins").out == before


def test_a_value_may_be_below_zero(company):
    assert company.json("check-in", "KR1", "-0.5")["value"] == -0.5


# override


def test_a_persons_word_is_shown_and_taken_back(company):
    before = company.json("show", "KR2")["key_results"][0]["health"]
    said = company.run("override", "KR2", "Off track", "--until", "2099-12-31", "--reason", "The vendor left").text
    assert "Off track until Thu 31 Dec 2099" in said
    assert "The vendor left" in company.run("show", "KR2").text
    assert company.json("explain", "KR2")["override"]["computed"] == before
    assert company.json("override", "KR2", "--clear", "--reason", "Solved")["cleared"]["health"] == "off_track"
    assert company.json("show", "KR2")["key_results"][0]["override"] is None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("KR1", "--until", "2099-01-01"), "Say what it is and until when"),
        (("KR1", "at_risk", "--reason", "x"), "--until DATE"),
        (("KR1", "at_risk", "--clear"), "goes without a health"),
        (("KR1", "at_risk", "--until", "2001-01-01", "--reason", "x"), "is over"),
        (("KR1", "at_risk", "--until", "2099-01-01"), "Say why KR1 is at risk"),
        (("KR1", "off_trak", "--until", "2099-01-01", "--reason", "x"), "Did you mean off_track?"),
        (("KR99", "at_risk", "--until", "2099-01-01", "--reason", "x"), "nothing called 'KR99'"),
        (("KR1", "--clear"), "Nobody's word"),
    ],
)
def test_a_word_that_cannot_hold_is_refused(company, arguments, said):
    assert said in company.run("override", *arguments, code=2).words


# init


ANSWERS = ("--name", "acme", "--url", "https://acme.atlassian.net", "--email", "bot@acme.com", "--projects", "PAY, NO")


def test_a_new_file_is_valid_and_keeps_words_words(empty):
    empty.file.unlink()
    assert empty.json("init", *ANSWERS, "--timezone", "Europe/Oslo")["file"] == str(empty.file)
    problems = empty.json("check", "--offline")["problems"]
    assert [(one["severity"], "JIRA_TOKEN" in one["message"]) for one in problems] == [("warning", True)]
    assert empty.json("check", "--offline", env={"JIRA_TOKEN": "abc"})["problems"] == []
    written = YAML(typ="safe").load(empty.file.read_text())
    assert (written["workspace"], written["timezone"]) == ("acme", "Europe/Oslo")
    assert written["connections"]["jira-main"]["scope"]["projects"] == ["PAY", "NO"]
    assert len(empty.json("show", env={"JIRA_TOKEN": "abc"})["objectives"]) == 1


@pytest.mark.parametrize(
    ("kind", "option", "scope"),
    [("github", "--repositories", {"repositories": ["acme/api"]}), ("linear", "--teams", {"teams": ["acme/api"]})],
)
def test_a_new_file_for_another_tracker_asks_what_that_one_needs(empty, kind, option, scope):
    empty.file.unlink()
    said = empty.run("init", "--name", "acme", "--tracker", kind, option, "acme/api").text
    assert f"export {kind.upper()}_TOKEN=" in said
    written = YAML(typ="safe").load(empty.file.read_text())
    assert written["connections"][f"{kind}-main"]["scope"] == scope
    assert "There is no tracker 'trello'" in empty.run("init", "--force", "--tracker", "trello", code=2).words


def test_a_new_file_names_an_enterprise_server_and_takes_no_answer_that_it_has_no_place_for(empty):
    def init(tracker, *said, **more):
        return empty.run("init", "--force", "--name", "acme", "--tracker", tracker, *said, **more)

    init("github", "--repositories", "acme/api", "--url", "https://git.acme.com/api/v3")
    written = YAML(typ="safe").load(empty.file.read_text())
    assert written["connections"]["github-main"]["url"] == "https://git.acme.com/api/v3"
    init("github", "--repositories", "acme/api")
    assert "url" not in YAML(typ="safe").load(empty.file.read_text())["connections"]["github-main"]
    before = empty.file.read_text()
    words = init("linear", "--teams", "ENG", "--url", "https://linear.app/acme", code=2).words
    assert "--url says nothing about linear: leave it out. It is for jira and github." in words
    words = init("github", "--repositories", "acme/api", "--email", "bot@acme.com", code=2).words
    assert "--email says nothing about github" in words
    assert empty.file.read_text() == before


def test_a_file_that_is_there_is_not_replaced_unasked(empty):
    before = empty.file.read_text()
    assert "--force" in empty.run("init", *ANSWERS, code=2).words
    assert empty.file.read_text() == before
    empty.run("init", *ANSWERS, "--force")
    assert "jira-main" in empty.file.read_text()


def test_answers_that_make_no_valid_file_are_refused(empty):
    before = empty.file.read_text()
    wrong = ("--name", "acme", "--url", "acme", "--email", "a@acme.com", "--projects", "PAY", "--timezone", "Mars/Base")
    words = empty.run("init", "--force", *wrong, code=2).words
    assert "Nothing was written" in words
    assert "Mars/Base" in words
    assert "https://host/path" in words
    assert empty.file.read_text() == before


def test_nobody_to_ask_is_told_the_option(empty):
    empty.file.unlink()
    assert "keyrail init --help" in empty.run("init", code=2).words
    assert not empty.file.exists()


# check


def test_check_says_how_soon_changes_arrive_and_where_links_lead(company):
    def told(**more):
        findings = company.json("check", **more)["findings"]
        return {one["subject"]: (one["level"], one["message"]) for one in findings}

    # A secret and no address: nobody could deliver, and links in published texts lead nowhere.
    found = told()
    level, message = found["webhook"]
    assert (level, "Set KEYRAIL_PUBLIC_URL" in message) == ("warning", True)
    level, message = found["KEYRAIL_PUBLIC_URL"]
    assert level == "warning"
    assert "not set, so nothing that jira-badge publishes has a link that leads anywhere" in message

    found = told(env={"KEYRAIL_PUBLIC_URL": "https://okr.example.com"})
    level, message = found["webhook"]
    assert level == "ok"
    assert message.startswith("deliveries go to https://okr.example.com/webhooks/jira-demo, signed")
    assert "KEYRAIL_PUBLIC_URL" not in found

    company.edit('    webhook: {secret: "${env:DEMO_JIRA_WEBHOOK_SECRET}"}\n', "")
    level, message = told()["webhook"]
    assert level == "warning"
    assert message.startswith("changes arrive by polling, every 1 min. To be told at once set `webhook.secret`")
    assert message.endswith("keyrail webhooks register --connection jira-demo")


# rollover, schema, version


def test_a_rollover_prints_what_is_open_and_writes_nothing(company):
    company.edit("\ndimensions:\n", "  next-quarter: {start: 2099-01-01, end: 2099-03-31}\n\ndimensions:\n")
    before = company.file.read_text()
    text = company.run("rollover", "this-quarter", "next-quarter").text
    found = YAML(typ="safe").load(text)
    assert {one["timeframe"] for one in found["objectives"]} == {"next-quarter"}
    assert len(found["objectives"]) == 3
    continued = [one.get("continues") for objective in found["objectives"] for one in objective["key_results"]]
    assert set(continued) == {f"KR{n}" for n in range(1, 8)}
    assert company.json("rollover", "this-quarter", "next-quarter") == {"yaml": text}
    assert company.file.read_text() == before
    assert "no timeframe 'never'" in company.run("rollover", "this-quarter", "never", code=2).words


def test_the_schema_takes_what_check_takes(company):
    schema = company.run("schema").doc
    validator = jsonschema.Draft202012Validator(schema)
    document = YAML(typ="safe").load(company.file.read_text())
    assert list(validator.iter_errors(orjson.loads(orjson.dumps(document)))) == []
    document["objectivs"] = []
    assert list(validator.iter_errors(orjson.loads(orjson.dumps(document))))


def test_the_version_is_that_of_the_package(company):
    from importlib.metadata import version

    assert company.json("version") == {"version": version("keyrail")}
    assert company.run("version").text == f"keyrail {version('keyrail')}\n"


# db


def test_the_database_says_what_it_holds(company):
    doc = company.json("db", "status")
    assert doc["database"] == f"sqlite:///{company.folder}/.keyrail/keyrail.db"
    assert doc["revision"] == doc["needs"]
    assert doc["items"] == {"jira-demo": 470}
    assert doc["inbox"]["deliveries"] > 0
    assert company.json("db", "upgrade") == {"before": doc["revision"], "after": doc["revision"]}
    assert company.json("db", "status") == doc


def test_an_empty_database_is_set_up_by_upgrade(empty):
    assert empty.json("db", "status")["revision"] is None
    assert "keyrail backfill" in empty.run("db", "status").text
    made = empty.json("db", "upgrade")
    assert (made["before"], made["after"]) == (None, empty.json("db", "status")["needs"])


def test_a_prune_frees_payloads_and_no_answer(company):
    before = company.run("export", "all").out
    assert company.json("db", "prune")["deliveries"] == 0
    there = company.json("db", "status")["inbox"]["deliveries"]
    assert company.json("db", "prune", "--older-than", "0")["deliveries"] == there
    assert company.json("db", "status")["inbox"]["deliveries"] == 0
    assert company.run("export", "all").out == before
    assert company.json("replay")["deliveries"] == 0
    assert company.run("export", "all").out == before
