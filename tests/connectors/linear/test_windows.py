"""Windows of issue numbers: about a page each, none too many, the last without an end."""

import pytest

from connectors.linear.queries import NO_END
from connectors.linear.windows import Size, Window, size_of, windows_of


def spans(*sizes):
    return [(one.low, one.high) for one in windows_of([Size(team="t", count=c, newest=n) for c, n in sizes])]


@pytest.mark.parametrize(
    ("count", "newest", "expected"),
    [
        (0, 0, []),
        (1, 1, [(0, NO_END)]),
        (250, 250, [(0, NO_END)]),
        (251, 251, [(0, 251), (251, NO_END)]),
        (500, 500, [(0, 251), (251, NO_END)]),
        (490, 501, [(0, 251), (251, 501), (501, NO_END)]),
        (0, 7, [(0, NO_END)]),
    ],
)
def test_dense_numbers_are_cut_into_pages(count, newest, expected):
    assert spans((count, newest)) == expected


def test_ten_thousand_issues_are_forty_windows():
    assert len(spans((10_000, 10_000))) == 40


def test_where_half_of_the_numbers_are_not_in_use_windows_are_wider():
    assert spans((500, 1000)) == [(0, 451), (451, 901), (901, NO_END)]


def test_a_newest_issue_with_a_low_number_does_not_hide_those_that_were_moved_in():
    assert spans((600, 3)) == [(0, 251), (251, 501), (501, NO_END)]


def test_each_team_has_windows_of_its_own():
    sizes = [Size(team="a", count=2, newest=2), Size(team="b", count=300, newest=300)]
    assert list(windows_of(sizes)) == [
        Window(team="a", low=0, high=NO_END),
        Window(team="b", low=0, high=251),
        Window(team="b", low=251, high=NO_END),
    ]
    assert Window(team="a", low=0, high=9).variables == {"team": "a", "low": 0, "high": 9}


@pytest.mark.parametrize(
    ("team", "expected"),
    [
        ({"id": "t", "issueCount": 7, "issues": {"nodes": [{"number": 9.0}]}}, Size(team="t", count=7, newest=9)),
        ({"id": "t", "issueCount": 0, "issues": {"nodes": []}}, Size(team="t", count=0, newest=0)),
        ({"id": "t", "issueCount": None, "issues": None}, Size(team="t", count=0, newest=0)),
        ({"id": "t", "issueCount": True, "issues": {"nodes": [{"number": -1}]}}, Size(team="t", count=0, newest=0)),
    ],
)
def test_what_a_team_says_of_its_size(team, expected):
    assert size_of(team) == expected
