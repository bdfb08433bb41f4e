"""The file that `keyrail init` writes."""

from __future__ import annotations

from datetime import date

import pytest

from config.template import Answers, quarter_of, template
from config.workspace import check


@pytest.mark.parametrize(
    "answers",
    [
        Answers(name="acme", url="https://acme.atlassian.net", email="bot@acme.com", projects=["PAY", "CORE"]),
        Answers(name="A: b {c} \"d\" 'e'", url="https://jira.acme.com/jira", email="", projects=["NO"]),
        Answers(name="日本", url="http://localhost:8080", email="a@b", projects=[], timezone="Asia/Tokyo"),
    ],
)
def test_it_loads_without_an_error(write, answers: Answers) -> None:
    workspace, problems = check(write({"keyrail.yaml": template(answers)}), {"JIRA_TOKEN": "x"})
    assert workspace is not None, problems
    assert problems == []
    assert workspace.timezone == answers.timezone


def test_the_answers_stand_in_it(write) -> None:
    answers = Answers(
        name="acme",
        url="https://acme.atlassian.net",
        email="bot@acme.com",
        projects=["PAY", "CORE"],
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
    ("day", "expected"),
    [
        (date(2026, 1, 1), ("2026-Q1", date(2026, 1, 1), date(2026, 3, 31))),
        (date(2026, 9, 30), ("2026-Q3", date(2026, 7, 1), date(2026, 9, 30))),
        (date(2026, 12, 31), ("2026-Q4", date(2026, 10, 1), date(2026, 12, 31))),
    ],
)
def test_quarters(day: date, expected: tuple[str, date, date]) -> None:
    assert quarter_of(day) == expected
