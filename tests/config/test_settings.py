"""Settings of the process from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import VARIABLES, read
from domain.errors import ConfigError


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = read({})
    assert found.workspace == Path("keyrail.yaml")
    assert found.database_url == f"sqlite:///{tmp_path}/.keyrail/keyrail.db"
    assert (found.log_level, found.log_format, found.public_url) == ("info", "auto", None)
    assert found.secret_key.missing
    assert found.warnings == ()


def test_everything_stated() -> None:
    found = read(
        {
            "KEYRAIL_WORKSPACE": "/etc/keyrail/keyrail.yaml",
            "KEYRAIL_DATABASE_URL": "postgresql://db/keyrail",
            "KEYRAIL_SECRET_KEY": "k3y",
            "KEYRAIL_PUBLIC_URL": "https://okr.example.com/",
            "KEYRAIL_LOG_LEVEL": "DEBUG",
            "KEYRAIL_LOG_FORMAT": "json",
        }
    )
    assert found.workspace == Path("/etc/keyrail/keyrail.yaml")
    assert found.database_url == "postgresql://db/keyrail"
    assert found.secret_key.reveal() == "k3y"
    assert "k3y" not in repr(found)
    assert (found.public_url, found.log_level, found.log_format) == ("https://okr.example.com", "debug", "json")


def test_the_command_line_s_path_wins_and_the_database_lies_beside_it(tmp_path: Path) -> None:
    found = read({"KEYRAIL_WORKSPACE": "other.yaml"}, tmp_path / "keyrail.yaml")
    assert found.workspace == tmp_path / "keyrail.yaml"
    assert found.database_url == f"sqlite:///{tmp_path}/.keyrail/keyrail.db"


def test_an_empty_variable_is_not_set() -> None:
    assert read({"KEYRAIL_LOG_LEVEL": " ", "KEYRAIL_LOG_FORMAT": ""}).log_level == "info"


def test_a_misspelt_variable_is_warned_of() -> None:
    assert read({"KEYRAIL_DATABSE_URL": "x", "KEYRAIL_ZZZZZZZZ": "1", "OTHER": "2"}).warnings == (
        "The environment variable KEYRAIL_DATABSE_URL is not one that Keyrail reads. "
        "Did you mean KEYRAIL_DATABASE_URL?",
        "The environment variable KEYRAIL_ZZZZZZZZ is not one that Keyrail reads.",
    )


def test_all_wrong_values_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        read({"KEYRAIL_LOG_LEVEL": "loud", "KEYRAIL_LOG_FORMAT": "jsn", "KEYRAIL_PUBLIC_URL": "okr.example.com"})
    assert [(each.key, each.nearest) for each in raised.value.problems] == [
        ("KEYRAIL_PUBLIC_URL", None),
        ("KEYRAIL_LOG_LEVEL", None),
        ("KEYRAIL_LOG_FORMAT", "json"),
    ]


def test_every_variable_says_what_it_is_for() -> None:
    assert all(name.startswith("KEYRAIL_") and text.endswith(".") for name, text in VARIABLES.items())
