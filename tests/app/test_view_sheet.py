"""Bars, wrapping and columns, cell by cell."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from app.cli.view.sheet import Column, bar, cut, effect_bar, flow, pad, paragraph, table, twin_bar, wrap


def drawn(cells: list[tuple[str, bool]]) -> str:
    return "".join(mark for mark, _ in cells)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "░░░░░░░░░░"),
        (0.0, "░░░░░░░░░░"),
        (0.001, "█░░░░░░░░░"),
        (0.5, "█████░░░░░"),
        (0.999, "█████████░"),
        (1.0, "██████████"),
    ],
)
def test_a_bar_is_full_only_when_complete_and_empty_only_before_the_start(value: float | None, text: str) -> None:
    assert drawn(bar(value, 10)) == text


@pytest.mark.parametrize(
    ("outcome", "delivery", "text"),
    [
        (0.3, 0.6, "███▄▄▄░░░░"),
        (0.6, 0.3, "███▀▀▀░░░░"),
        (0.5, 0.5, "█████░░░░░"),
        (None, 0.2, "▄▄░░░░░░░░"),
        (0.2, None, "▀▀░░░░░░░░"),
    ],
)
def test_a_twin_bar_has_the_outcome_above_the_delivery(
    outcome: float | None, delivery: float | None, text: str
) -> None:
    assert drawn(twin_bar(outcome, delivery, 10)) == text


@pytest.mark.parametrize(("tick", "text"), [(0.0, "│█░░"), (0.6, "██│░"), (1.0, "██░│"), (1.4, "██░│")])
def test_what_was_expected_by_today_is_a_tick_on_the_track(tick: float, text: str) -> None:
    assert drawn(bar(0.5, 4, tick=tick)) == text


@pytest.mark.parametrize(
    ("value", "text"), [(1.0, "████"), (0.5, "██"), (0.2, "▊"), (0.0001, "▏"), (0.0, ""), (-0.5, "░░")]
)
def test_an_effect_is_drawn_against_the_largest_one(value: float, text: str) -> None:
    assert effect_bar(value, 1.0, 4) == text


def test_a_percent_sign_stays_with_its_number() -> None:
    assert wrap("from 2.1 % to 3 %", 12) == ["from 2.1 %", "to 3 %"]


def test_too_many_lines_end_in_an_ellipsis() -> None:
    assert wrap("one two three four five", 9, most=2) == ["one two", "three fo…"]


def test_facts_are_broken_between_them() -> None:
    assert flow(["12 of 28 items done", "2 canceled", "scope +15 %"], 32) == [
        "12 of 28 items done · 2 canceled",
        "scope +15 %",
    ]


def test_a_paragraph_hangs() -> None:
    assert [line.plain for line in paragraph("one two three four", 12, indent=2, hang=4)] == [
        "  one two",
        "    three",
        "    four",
    ]


def test_columns_are_aligned_in_cells_and_the_flexible_one_is_cut() -> None:
    columns = [Column(header="Key"), Column(header="Title", flex=1, least=4), Column(header="Size", right=True)]
    rows = [["PAY-1", "支付页面重新设计"], ["PAY-22", "short"]]
    lines = [line.plain for line in table(columns, [[*rows[0], "5"], [*rows[1], "1,000"]], 26)]
    assert lines == [
        "Key     Title         Size",
        "PAY-1   支付页面重…      5",
        "PAY-22  short        1,000",
    ]


@given(st.text(), st.integers(2, 40))
def test_cutting_and_filling_give_exactly_the_width(text: str, width: int) -> None:
    assert cell_len(cut(text, width)) <= width
    assert cell_len(pad(text, width)) == width


@given(st.text(alphabet="ab 支👩🎉%\u0301"), st.integers(2, 30))
def test_wrapping_keeps_every_character_and_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert [line for line in lines if cell_len(line) > width] == []
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
