import pytest

from sync.echo import is_echo

OURS = {"OKR progress": 40.0, "comment": "On track\n40 %", "health": "on_track"}


@pytest.mark.parametrize(
    ("account", "author", "changed", "expected"),
    [
        ("bot", "bot", {"OKR progress": 40}, True),
        ("bot", "bot", {"comment": "On track  \r\n40 %\r\n"}, True),
        ("bot", "bot", {"OKR progress": 40, "health": "on_track"}, True),
        ("bot", "maria", {"OKR progress": 40}, False),
        ("bot", None, {"OKR progress": 40}, False),
        ("", "", {"OKR progress": 40}, False),
        ("bot", "bot", {"OKR progress": 41}, False),
        ("bot", "bot", {"OKR progress": None}, False),
        ("bot", "bot", {"OKR progress": 40, "summary": "new"}, False),
        ("bot", "bot", {"comment": "On track\n41 %"}, False),
        ("bot", "bot", {}, False),
    ],
)
def test_account_and_content_tell_an_echo(account, author, changed, expected):
    assert is_echo(account, author, changed, OURS) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"url": "https://x", "marks": ["a", 1]}, True),
        ({"url": "https://x", "marks": ["a", 2]}, False),
        ({"url": "https://x", "marks": ["a"]}, False),
        ({"url": "https://x"}, False),
        ({"url": "https://x", "marks": ["a", True]}, False),
        ("https://x", False),
    ],
)
def test_nested_content(value, expected):
    assert is_echo("bot", "bot", {"link": value}, {"link": {"url": "https://x", "marks": ["a", 1.0]}}) is expected
