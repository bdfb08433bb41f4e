"""The file that `keyrail init` writes."""

from __future__ import annotations

from datetime import date

import pytest

from config.template import Answers, quarter_of, template
from config.workspace import check


@pytest.mark.parametrize(
    "answers",
    [
        Answers(name="acme", url="https://acme.atlassian.net", email="bot@acme.com", scope=["PAY", "CORE"]),
        Answers(name="A: b {c} \"d\" 'e'", url="https://jira.acme.com/jira", email="", scope=["NO"]),
        Answers(name="日本", url="http://localhost:8080", email="a@b", scope=[], timezone="Asia/Tokyo"),
        Answers(name="acme", tracker="github", scope=["acme/api", " acme/web"]),
        Answers(name="acme", tracker="github"),
        Answers(name="acme", tracker="linear", scope=["ENG", "NO"]),
    ],
)
def test_it_loads_without_an_error(write, answers: Answers) -> None:
    workspace, problems = check(write({"keyrail.yaml": template(answers)}), {answers.variable: "x"})
    assert workspace is not None, problems
    assert problems == []
    assert workspace.timezone == answers.timezone


def test_the_answers_stand_in_it(write) -> None:
    answers = Answers(
        name="acme",
        url="https://acme.atlassian.net",
        email="bot@acme.com",
        scope=["PAY", "CORE"],
        timezone="Europe/Berlin",
        token_variable="ACME_TOKEN",
        today=date(2026, 11, 22),
    )
    workspace, problems = check(write({"keyrail.yaml": template(answers)}), {})
    assert workspace is not None, problems
    connection = workspace.connections["jira-main"]
    assert (workspace.name, connection.url) == ("acme", "https://acme.atlassian.net")
    assert connection.scope == {"projects": ["PAY", "CORE"]}
    assert connection.auth["email"] == "bot@acme.com"
    assert getattr(connection.auth["token"], "source", "") == "env:ACME_TOKEN"
    assert list(workspace.timeframes) == ["2026-Q4"]
    assert workspace.rules[0].initiative == "{id}"


@pytest.mark.parametrize(
    ("tracker", "scope", "expected", "variable"),
    [
        ("github", ["acme/api", "acme/web"], {"repositories": ["acme/api", "acme/web"]}, "GITHUB_TOKEN"),
        ("linear", ["ENG"], {"teams": ["ENG"]}, "LINEAR_TOKEN"),
    ],
)
def test_each_tracker_has_its_own_scope_and_variable(write, tracker, scope, expected, variable) -> None:
    workspace, _ = check(write({"keyrail.yaml": template(Answers(name="acme", tracker=tracker, scope=scope))}), {})
    assert workspace is not None
    connection = workspace.connections[f"{tracker}-main"]
    assert (connection.type, connection.scope) == (tracker, expected)
    assert getattr(connection.auth["token"], "source", "") == f"env:{variable}"
    (work,) = workspace.initiatives["I1"].work
    assert (work.connection, work.keys[0].startswith(scope[0])) == (f"{tracker}-main", True)


def test_what_is_commented_out_would_load_too(write) -> None:
    for tracker in ("jira", "github", "linear"):
        text = template(Answers(name="acme", tracker=tracker, url="https://acme.atlassian.net", email="a@acme.com"))
        lines = text.splitlines()
        for start in ("    # estimate:", "    # status:", "    # statuses:", "    # poll:", "    # webhook:"):
            lines = [line.replace("    # ", "    ", 1) if line.startswith(start) else line for line in lines]
        publish = lines.index("# publish:")
        lines[publish:] = [line.removeprefix("# ") for line in lines[publish:]]
        _, problems = check(write({"keyrail.yaml": "\n".join(lines) + "\n"}), {})
        assert [one for one in problems if one.severity == "error"] == []


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2026, 1, 1), ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31))),
        (date(2026, 9, 30), ("2026-Q3", date(2026, 7, 1), date(2026, 9, 30))),
        (date(2026, 12, 31), ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31))),
    ],
)
def test_quarters(day: date, expected: tuple[str, date, date]) -> None:
    assert quarter_of(day) == expected
