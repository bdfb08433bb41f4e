"""Errors as a person should meet them: where, what, and what to do; never a traceback.

Knows the error types and nothing of what raised them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.cells import cell_len
from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import CARDS_BELOW, DIM, Doc, Sheet, closing, line, pad, paragraph, wrap
from domain.errors import AuthError, ConfigError, KeyrailError, LockedError, RateLimitedError, TransientError

WRONG = "color(162)"

_NEXT: tuple[tuple[type[KeyrailError], str, str], ...] = (
    (AuthError, "Nothing was changed.", "Put the credentials right, then run: keyrail check"),
    (LockedError, "Nothing was changed.", "Run it again when the other one has finished."),
    (RateLimitedError, "What was read so far is kept.", "Run it again to go on."),
    (TransientError, "What was read so far is kept.", "Run it again to go on."),
)
"""error type -> what stays safe, and what to do, where its message cannot say it"""


def error(raised: KeyrailError, *, told: bool = False) -> Sheet:
    """Return any of our errors: located problems of a file as a list, everything else as one statement.

    `told` leaves out what stays safe, where the caller says it of all that was to be done.
    """
    if isinstance(raised, ConfigError):
        return config_error(raised)
    return Sheet(lambda width: _statement(raised, width, told))


def config_error(raised: ConfigError) -> Sheet:
    """Return all problems of a workspace file at once, aligned, each with its place; without any, its statement."""
    if not raised.problems:
        return Sheet(lambda width: _statement(raised, width, told=True))
    return Sheet(lambda width: _problem_page(raised, width))


def _statement(raised: KeyrailError, width: int, told: bool) -> Iterator[Text]:
    lines = wrap(words.stopped(str(raised)), width, first=width - 7)
    yield line(("Error: ", WRONG), lines[0])
    yield from (line(each) for each in lines[1:])
    for kind, safe, step in _NEXT:
        if isinstance(raised, kind):
            yield from paragraph(step if told else f"{safe} {step}", width, DIM)
            return


def _problem_page(raised: ConfigError, width: int) -> Iterator[Text]:
    rows = [asdict(problem) for problem in raised.problems]
    lines = wrap(words.stopped(str(raised)), width, first=width - 7)
    yield line(("Error: ", WRONG), lines[0])
    yield from (line(each) for each in lines[1:])
    yield Text()
    yield from located(rows, width)
    yield Text()
    yield from paragraph("Nothing was changed.", width, DIM)
    yield from closing(words.next_step("check --offline", "after correcting the file"), width)


def located(problems: Sequence[Doc], width: int) -> Iterator[Text]:
    """Yield problems, each ``{file, line, key, message, nearest, severity}``: place, key, what, what was meant.

    A place is never cut: editors and terminals make a link of it.
    """
    places = [_place(row) for row in problems]
    margin = max((cell_len(place) for place in places), default=0)
    beside = width >= CARDS_BELOW and margin <= width // 3
    for row, place in zip(problems, places, strict=True):
        key = words.clean(row.get("key") or "")
        nearest = f" Did you mean '{words.clean(row['nearest'])}'?" if row.get("nearest") else ""
        said = (f"{key}: " if key else "") + words.stopped(row.get("message") or "") + nearest
        said = said if row.get("severity") != "warning" else f"Warning: {said}"
        if beside:
            indent = 2 + margin + 2
            for i, each in enumerate(wrap(said, width - indent)):
                lead = ("  " + pad(place, margin) + "  ", "bold") if i == 0 else " " * indent
                yield line(lead, each)
        else:
            for each in wrap(place, width - 2):
                yield line(("  " + each, "bold"))
            yield from paragraph(said, width, indent=4)


def _place(row: Doc) -> str:
    file = words.clean(row.get("file") or "")
    return f"{file}:{row['line']}" if row.get("line") else file
