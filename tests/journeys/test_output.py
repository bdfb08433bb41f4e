"""What a script may rely on: one JSON document on standard output and nothing else, and exit codes that mean it."""

import json

import pytest

READING = [
    ("show",),
    ("show", "I1"),
    ("show", "--timeframe", "all"),
    ("explain", "KR1"),
    ("explain", "O1"),
    ("coverage",),
    ("publish", "--plan"),
    ("check", "--offline"),
    ("version",),
    ("schema",),
    ("db", "status"),
    ("db", "upgrade"),
    ("db", "prune"),
    ("rebuild",),
    ("replay",),
    ("replay", "--parked"),
    ("check-in", "KR1", "2.7"),
    ("override", "KR1", "at_risk", "--until", "2099-12-31", "--reason", "The vendor left"),
]
ASKING = [
    ("check",),
    ("sync", "--no-publish"),
    ("census",),
    ("census", "--repair"),
    ("backfill",),
    ("publish", "--subject", "I1"),
]


@pytest.mark.parametrize("command", [*READING, *ASKING], ids=" ".join)
def test_json_is_one_document_and_nothing_else(company, command):
    ended = company.run(*command, "--json")
    assert isinstance(ended.doc, dict)
    assert ended.err == ""
    if command in READING:
        assert company.asked() == []


WIDE = [(command, 140) for command in [*READING, *ASKING] if command != ("schema",)]
NARROW = [
    (command, 40) for command in [("show",), ("explain", "KR1"), ("coverage",), ("publish", "--plan"), ("check",)]
]


@pytest.mark.parametrize(("command", "columns"), [*WIDE, *NARROW], ids=str)
def test_people_get_words_that_fit_their_terminal(company, command, columns):
    ended = company.run(*command, env={"COLUMNS": str(columns)})
    assert ended.text.strip()
    assert not ended.text.startswith("{")
    assert "None" not in ended.text
    assert "\x1b" not in ended.text
    if command[0] != "db":
        assert max(len(line) for line in ended.text.splitlines()) <= columns


@pytest.mark.parametrize(
    "what", ["items", "epics", "initiatives", "key-results", "history", "check-ins", "links", "all"]
)
def test_an_export_is_a_document_a_line(company, what):
    ended = company.run("export", what, "--json")
    assert len(ended.lines) > 3
    assert all(isinstance(line, dict) for line in ended.lines)
    assert (ended.err, company.asked()) == ("", [])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("shwo",), "No such command 'shwo'"),
        (("show", "--jsno"), "No such option: --jsno"),
        (("show", "I99"), "'I99'"),
        (("show", "--timeframe", "never"), "no timeframe 'never'"),
        (("explain", "PAY-9999"), "'PAY-9999'"),
        (("explain",), "Missing argument"),
        (("export", "everything"), "everything"),
        (("export", "all", "--format", "csv"), "--format jsonl"),
        (("backfill", "--since", "yesterday"), "yesterday"),
        (("sync", "--connection", "nope"), "no connection 'nope'"),
        (("db", "prune", "--older-than", "-1"), "--older-than"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_bad_usage_is_two_and_says_what_is_known(company, arguments, said):
    ended = company.run(*arguments, code=2)
    assert said in ended.words
    assert ended.out == b""
    assert company.asked() == []


def test_the_workspace_is_found_by_option_then_variable_then_folder(company, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(company.file.read_text().replace("workspace: demo", "workspace: other"))

    def name(*arguments, **env):
        variables = {"PATH": "/usr/bin", "HOME": str(tmp_path), **company.env, **env}
        running = company.warm.start([*arguments, "show", "--json"], cwd=company.folder, env=variables)
        return json.loads(running.wait().out)["workspace"]

    assert name() == "demo"
    assert name(KEYRAIL_WORKSPACE=str(other)) == "other"
    assert name("--workspace", str(company.file), KEYRAIL_WORKSPACE=str(other)) == "demo"


def test_a_secret_is_nowhere_to_be_read(company):
    secret = company.env["DEMO_JIRA_TOKEN"]
    company.run("sync", "--no-publish")
    company.run("publish", "--subject", "I1")
    said = company.run("check", "--json").out + company.run("export", "all").out
    assert secret.encode() not in said
    for path in company.folder.rglob("*"):
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
