"""Lines of text that fit the width they are printed in: cutting, wrapping, columns, bars.

Knows cells and styles but no word of the product; nothing here reads a document.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.cells import cell_len, chop_cells, set_cell_size
from rich.console import Console, ConsoleOptions
from rich.text import Text

Doc = Mapping[str, Any]
"""A JSON document, or a part of one"""

WIDEST = 120
"""cells beyond which lines are no longer easy to follow"""

CARDS_BELOW = 80
"""cells below which a table becomes cards"""

DIM = "dim"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A renderable that is laid out for the width it meets; `lines` gives the lines for a width in cells."""

    lines: Callable[[int], Iterable[Text]]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        for line in self.lines(min(options.max_width, WIDEST)):
            line.rstrip()
            line.no_wrap = True
            line.overflow = "ellipsis"
            yield line


def line(*parts: str | tuple[str, str]) -> Text:
    """Return one line of parts, each a text or a text with its style; no markup is read."""
    return Text.assemble(*parts)


def cut(text: str, width: int) -> str:
    """Return the text in at most `width` cells, its loss marked by an ellipsis."""
    if cell_len(text) <= width:
        return text
    if width <= 0:
        return ""
    return set_cell_size(text, width - 1).rstrip() + "…"


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Return the text cut and filled to exactly `width` cells; `right` aligns it there."""
    text = cut(text, width)
    gap = " " * (width - cell_len(text))
    return gap + text if right else text + gap


def wrap(text: str, width: int, *, first: int | None = None, most: int = 0) -> list[str]:
    """Return the text as lines of at most `width` cells, the first of `first`; beyond `most` lines (0: any) cut.

    A number and its percent sign stay together; a word wider than a line is broken.
    """
    lines: list[str] = []
    current = ""
    for word in text.replace(" %", "\u00a0%").split(" "):
        candidate = f"{current} {word}" if current else word
        room = max(first if first is not None and not lines else width, 2)
        if cell_len(candidate) <= room:
            current = candidate
            continue
        if current:
            lines.append(current)
            room = max(width, 2)
        *full, current = chop_cells(word, room) if cell_len(word) > room else [word]
        lines.extend(full)
    if current or not lines:
        lines.append(current)
    lines = [each.replace("\u00a0", " ").strip(" ") for each in lines]
    if most and len(lines) > most:
        last = cut(" ".join(lines[most - 1 :]), first if first is not None and most == 1 else width)
        lines = [*lines[: most - 1], last]
    return lines


def paragraph(text: str, width: int, style: str = "", indent: int = 0, hang: int | None = None) -> list[Text]:
    """Return the text wrapped, its first line indented by `indent` cells and the others by `hang`."""
    hang = indent if hang is None else hang
    lines = wrap(text, width - hang, first=width - indent)
    return [line(" " * (hang if i else indent), (each, style)) for i, each in enumerate(lines)]


def flow(parts: Sequence[str], width: int, joint: str = " · ") -> list[str]:
    """Return parts joined into lines of at most `width` cells, broken between parts where they fit."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + cell_len(joint) + cell_len(part) <= width:
            lines[-1] += joint + part
        else:
            lines.extend(wrap(part, width))
    return lines


def closing(text: str, width: int) -> list[Text]:
    """Return the last line of a command; where it is too long it breaks before its explanation."""
    return [line(each) for each in flow(text.split(" · "), width)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column of a table; where the whole is too wide `flex` columns are cut, the higher ones sooner."""

    header: str = ""
    right: bool = False
    flex: int = 0
    style: str = ""
    least: int = 6


Cell = str | tuple[str, str]
"""A text, or a text with its own style"""


def table(columns: Sequence[Column], rows: Sequence[Sequence[Cell]], width: int, indent: int = 0) -> list[Text]:
    """Return aligned columns with a dim header row, cut to the width; two cells part the columns."""
    texts = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
    widths = [max([cell_len(column.header), *(cell_len(row[i]) for row in texts)]) for i, column in enumerate(columns)]
    _narrow(widths, columns, width - indent - 2 * (len(columns) - 1))
    lines = []
    if any(column.header for column in columns):
        heads = [(pad(c.header, w, right=c.right), DIM) for c, w in zip(columns, widths, strict=True)]
        lines.append(_spaced(heads, indent))
    for row, plain in zip(rows, texts, strict=True):
        cells = [
            (pad(text, w, right=c.right), cell[1] if isinstance(cell, tuple) else c.style)
            for cell, text, c, w in zip(row, plain, columns, widths, strict=True)
        ]
        lines.append(_spaced(cells, indent))
    return lines


def _narrow(widths: list[int], columns: Sequence[Column], room: int) -> None:
    """Take cells from the widest flexible column (width times `flex`) until all fit or none can give more."""
    while sum(widths) > room:
        giving = [i for i, c in enumerate(columns) if c.flex and widths[i] > c.least]
        if not giving:
            giving = [i for i, w in enumerate(widths) if w > 1]
        if not giving:
            return
        widths[max(giving, key=lambda i: widths[i] * max(columns[i].flex, 1))] -= 1


def _spaced(cells: Sequence[tuple[str, str]], indent: int) -> Text:
    joined = Text(" " * indent)
    for i, (text, style) in enumerate(cells):
        if i:
            joined.append("  ")
        joined.append(text, style or None)
    return joined


def cells_of(value: float | None, width: int) -> int:
    """Return how many of `width` cells a ratio fills: what has begun fills one, what is not complete never all."""
    if value is None or value <= 0:
        return 0
    if round(value, 9) >= 1:
        return width
    return max(1, min(width - 1, round(value * width)))


def bar(value: float | None, width: int, *, tick: float | None = None) -> list[tuple[str, bool]]:
    """Return a bar as characters, each with whether it is filled; `tick` marks what was expected by today."""
    filled = cells_of(value, width)
    return _ticked([("█", True) if i < filled else ("░", False) for i in range(width)], tick)


def twin_bar(
    upper: float | None, lower: float | None, width: int, *, tick: float | None = None
) -> list[tuple[str, bool]]:
    """Return two ratios on one track, the first in the upper halves of the cells and the second in the lower."""
    top, bottom = cells_of(upper, width), cells_of(lower, width)
    marks = {(True, True): "█", (True, False): "▀", (False, True): "▄"}
    cells = [(marks[key], True) if any(key := (i < top, i < bottom)) else ("░", False) for i in range(width)]
    return _ticked(cells, tick)


def _ticked(cells: list[tuple[str, bool]], tick: float | None) -> list[tuple[str, bool]]:
    if tick is not None and cells:
        at = max(0, min(len(cells) - 1, int(tick * len(cells))))
        cells[at] = ("│", cells[at][1])
    return cells


def draw(cells: Sequence[tuple[str, bool]], style: str) -> Text:
    """Return a bar as text: what is filled in `style`, the rest of the track dim."""
    drawn = Text()
    for mark, filled in cells:
        drawn.append(mark, style if filled else DIM)
    return drawn


def effect_bar(value: float, largest: float, width: int) -> str:
    """Return an effect as a bar in eighths of a cell, relative to the largest one; negative ones are hollow."""
    if largest <= 0 or value == 0:
        return ""
    eighths = max(1, round(abs(value) / largest * width * 8))
    if value < 0:
        return "░" * max(1, round(eighths / 8))
    return "█" * (eighths // 8) + "▏▎▍▌▋▊▉"[eighths % 8 - 1] * (eighths % 8 > 0)
