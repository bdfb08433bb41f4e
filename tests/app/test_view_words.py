"""The words of the product: rounding, null states, dates, plurals."""

import ast
from datetime import date
from pathlib import Path
from types import ModuleType

import pytest

from app.cli.view import progress, words

TODAY = date(2026, 11, 22)
NOW = words.instant("2026-11-22T10:45:00Z")


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        (0.625, 0, "62 %"),
        (0.635, 0, "64 %"),
        (0.996, 0, "99 %"),
        (0.003, 0, "1 %"),
        (0.9996, 1, "99.9 %"),
        (0.0001, 1, "0.1 %"),
        (0.0, 0, "0 %"),
        (1.0, 0, "100 %"),
        (0.9999999999, 0, "100 %"),
        (1.5, 0, "150 %"),
        (-0.0667, 0, "−7 %"),
        (None, 0, "No data yet"),
    ],
)
def test_percent_is_never_complete_before_the_end_nor_nothing_after_the_start(
    value: float | None, digits: int, text: str
) -> None:
    assert words.percent(value, digits) == text


@pytest.mark.parametrize(
    ("difference", "text"),
    [
        (0.04, "+4 points"),
        (0.01, "+1 point"),
        (-0.0545, "−5 points"),
        (0.004, "+0.4 points"),
        (0.0, "no change"),
        (None, "no earlier value"),
    ],
)
def test_a_difference_carries_its_sign(difference: float | None, text: str) -> None:
    assert words.points(difference) == text


def test_a_difference_carries_its_period() -> None:
    assert words.points(0.04, words.since(date(2026, 11, 15), TODAY)) == "+4 points since last Sunday"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.42857, "0.429"),
        (42.857, "42.9"),
        (429, "429"),
        (999.6, "1k"),
        (42949, "42.9k"),
        (1e6, "1M"),
        (100.0, "100"),
        (-3, "−3"),
        (0, "0"),
        (0.000123, "0.000123"),
    ],
)
def test_a_number_has_at_most_three_significant_digits(value: float, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(100214, "100,214"), (3.5, "3.5"), (8.0, "8"), (-1200, "−1,200"), (0, "0")]
)
def test_a_count_is_exact(value: float, text: str) -> None:
    assert words.exact(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 28, "3.6"), (0.0, "0.0"), (1e-5, "<0.1"), (-1e-5, ">−0.1"), (-1 / 12, "−8.3")]
)
def test_an_effect_is_never_shown_as_none(value: float, text: str) -> None:
    assert words.effect(value) == text


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (0, "item", "no items"),
        (1, "item", "1 item"),
        (12345, "item", "12,345 items"),
        (2, "dependency", "2 dependencies"),
        (2, "day", "2 days"),
    ],
)
def test_nouns_agree_with_their_count(count: int, noun: str, text: str) -> None:
    assert words.plural(count, noun) == text


def test_an_irregular_noun_brings_its_plural() -> None:
    assert words.plural(2, "person", "people") == "2 people"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (12, "12 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (86400, "1 day"),
        (86400 * 3 + 4 * 3600, "3 days 4 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-22T09:42:00Z", "10:42"),
        ("2026-11-21T23:30:00Z", "00:30"),
        ("2026-11-21T09:42:00Z", "yesterday 10:42"),
        ("2026-11-17T09:42:00Z", "Tuesday 10:42"),
        ("2026-11-12T09:42:00Z", "12 Nov 10:42"),
        ("2025-11-12T09:42:00Z", "12 Nov 2025 10:42"),
        ("2026-07-01T09:42:00Z", "1 Jul 11:42"),
    ],
)
def test_an_instant_is_told_in_the_zone_of_the_workspace(at: str, text: str) -> None:
    assert words.moment(words.instant(at), "Europe/Berlin", NOW) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (date(2026, 11, 22), "today · 22 Nov"),
        (date(2026, 11, 23), "tomorrow · 23 Nov"),
        (date(2026, 12, 4), "in 12 days · 4 Dec"),
        (date(2026, 11, 2), "20 days ago · 2 Nov"),
        (date(2026, 12, 31), "in 6 weeks · 31 Dec"),
        (date(2027, 3, 31), "in 4 months · 31 Mar 2027"),
    ],
)
def test_a_date_has_its_distance_in_front(value: date, text: str) -> None:
    assert words.relative_day(value, TODAY) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(date(2026, 12, 4), "6 days early"), (date(2026, 12, 10), "on the day"), (date(2026, 12, 11), "1 day late")],
)
def test_a_date_is_told_against_the_due_date(value: date, text: str) -> None:
    assert words.against(value, date(2026, 12, 10)) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (None, "Never read in full"),
        ("2026-11-22T08:00:00Z", "Stale since 09:00"),
        ("2026-11-17T08:00:00Z", "Stale since Tuesday"),
        ("2026-10-17T08:00:00Z", "Stale since 17 Oct"),
    ],
)
def test_what_was_not_read_in_time_is_stale_since(at: str | None, text: str) -> None:
    assert words.stale(words.instant(at) if at else None, "Europe/Berlin", NOW) == text


def test_health_is_a_shape_and_a_word() -> None:
    assert [words.health(code) for code in words.HEALTH] == [
        "● On track",
        "▲ At risk",
        "■ Off track",
        "✓ Achieved",
        "✕ Missed",
        "○ Not started",
        "❙❙ Paused",
        "⊘ Canceled",
        "? Unknown",
    ]
    assert words.health("no such word") == "? Unknown"


@pytest.mark.parametrize(
    "code",
    ["no_data", "no_scope", "no_baseline", "no_dates", "insufficient_history", "no_finish_date", "invalid"],
)
def test_each_reason_of_a_missing_value_has_words_and_says_what_to_do(code: str) -> None:
    assert words.state(code) != words.state("never heard of it")
    assert words.advice(code, "initiative", "I1")


def test_a_missing_outcome_leads_to_a_check_in() -> None:
    assert words.advice("no_data", "key_result", "KR1", outcome=True) == (
        "Record its first value: keyrail check-in KR1 VALUE"
    )


@pytest.mark.parametrize(
    ("parts", "limit", "text"),
    [([], 0, ""), (["a"], 0, "a"), (["a", "b", "c"], 0, "a, b and c"), (["a", "b", "c", "d"], 2, "a, b and 2 more")],
)
def test_parts_are_enumerated(parts: list[str], limit: int, text: str) -> None:
    assert words.listed(parts, limit) == text


@pytest.mark.parametrize(
    ("said", "text"),
    [("late by a week", "Late by a week."), ("jira-main is late", "jira-main is late."), ("Why?", "Why?"), ("", "")],
)
def test_a_sentence_begins_large_unless_with_a_name(said: str, text: str) -> None:
    assert words.sentence(said) == text


@pytest.mark.parametrize(
    ("rule", "via", "text"),
    [
        ("work", None, "named in the file"),
        ("rule:checkout-epics", "PAY-12", "checkout-epics, via PAY-12"),
        ("mirror:PAY-7", None, "mirror of PAY-7"),
    ],
)
def test_a_rule_is_told_in_words(rule: str, via: str | None, text: str) -> None:
    assert words.rule(rule, via) == text


def test_keys_are_ordered_as_people_count() -> None:
    assert sorted(["PAY-10", "PAY-2", "CORE-1", "PAY-1"], key=words.in_order) == ["CORE-1", "PAY-1", "PAY-2", "PAY-10"]


@pytest.mark.parametrize("module", [words, progress])
def test_what_a_machine_reads_pays_nothing_for_what_people_read(module: ModuleType) -> None:
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = {alias.name for node in imports for alias in node.names} | {getattr(n, "module", None) for n in imports}
    assert [name for name in named if name and name.split(".")[0] in ("rich", "pydantic", "sqlalchemy", "httpx")] == []
