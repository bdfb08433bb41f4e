"""Values of single environment variables, and what is said of a wrong one.

Which variables there are is said in `config.settings`.
"""

from __future__ import annotations

from config.notes import nearest
from domain.errors import Problem


def number(name: str, text: str, most: int, problems: list[Problem]) -> int:
    """Read a whole number from 0 to `most`."""
    if not text.isascii() or not text.isdigit() or int(text) > most:
        problems.append(problem(name, f"Expected a whole number from 0 to {most}, found '{text[:20]}'."))
        return 0
    return int(text)


def word(name: str, text: str, words: tuple[str, ...], problems: list[Problem]) -> str:
    """Read one of some words, whatever its case."""
    said = text.lower()
    if said not in words:
        message = f"Expected one of {', '.join(words)}, found '{text[:20]}'."
        problems.append(problem(name, message, nearest(said, words)))
    return said


def names(text: str) -> list[str]:
    """Read names with commas between."""
    return [name for part in text.split(",") if (name := part.strip())]


def problem(name: str, message: str, close: str | None = None) -> Problem:
    """Return what is wrong with a variable; `close` is what may have been meant."""
    return Problem(file="environment", line=0, key=name, message=message, nearest=close)
