"""Numbers and sentences as people read them: the Display rules of semantics section 1."""

from datetime import date

import pytest

from domain.okr import Health
from rollup.summary import amount, certainty, percent, points, sentence


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (0.625, 0, "62"),
        (0.635, 0, "64"),
        (0.996, 0, "99"),
        (0.003, 0, "1"),
        (0.9996, 1, "99.9"),
        (0.0003, 1, "0.1"),
        (0.0, 0, "0"),
        (1.0, 0, "100"),
        (1.5, 0, "100"),
        (-0.07, 0, "0"),
        (0.285, 0, "28"),
        (0.62499999999999994, 0, "62"),
        (1 / 3, 1, "33.3"),
    ],
)
def test_percent(value, digits, shown):
    assert percent(value, digits) == shown


def test_points_and_amounts():
    assert [points(v) for v in (0.12, -0.01, 0.004, 0.0)] == ["12 points", "1 point", "less than 1 point", "0 points"]
    assert [amount(v) for v in (20.0, 2.1, 1 / 3, -0.0)] == ["20", "2.1", "0.333", "0"]


def test_sentences():
    assert (
        sentence(health=Health.ON_TRACK, progress=0.62, expected=0.58)
        == "On track. 62 % delivered, 58 % expected by today."
    )
    assert (
        sentence(
            health=Health.ON_TRACK,
            progress=0.62,
            expected=0.58,
            p85=date(2026, 12, 12),
            due=date(2026, 12, 18),
        )
        == "On track. 62 % delivered, 58 % expected by today; 85 % likely done by 12 Dec 2026, 6 days early."
    )
    assert sentence(health=Health.UNKNOWN, progress=None, state="no_scope") == "Unknown. Nothing in scope."
    assert sentence(health=Health.ACHIEVED, progress=1.0, expected=0.5) == "Achieved. 100 % delivered."
    late = sentence(health=Health.AT_RISK, progress=0.4, p85=date(2026, 12, 19), due=date(2026, 12, 18))
    assert late == "At risk. 40 % delivered; 85 % likely done by 19 Dec 2026, 1 day late."
    assert sentence(health=Health.AT_RISK, progress=0.4, basis="outcome") == "At risk. 40 % of the way to the target."


def test_certainty_is_told_where_it_is_not_whole() -> None:
    assert certainty(coverage=1.0, probability=None) == ""
    assert certainty(coverage=0.8, probability=None) == "Only 80 % of it is up to date."
    assert certainty(coverage=0.999, probability=0.72) == (
        "Only 99 % of it is up to date. 72 % likely to be done by its date."
    )
