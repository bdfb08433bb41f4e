"""The findings of `check`: what is fine, what to look at, what to do about it, by connection.

Takes the document that `check --json` prints; problems of the file look the same as in `errors`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from rich.text import Text

from app.cli.view import words
from app.cli.view.errors import located
from app.cli.view.sheet import DIM, Doc, Sheet, closing, line, pad, wrap

LEVELS = {"ok": ("✓", "ok", ""), "warning": ("▲", "warning", "color(172)"), "error": ("✕", "error", "color(162)")}
"""level -> shape, word, colour"""


def check(doc: Doc) -> Sheet:
    """Return a `check --json` document.

    ``{"problems": [{file, line, key, message, nearest, severity}], "findings": [{connection, level, subject,
    message}]}``; findings without a connection are about the workspace itself.
    """
    return Sheet(lambda width: _lines(doc, width))


def _lines(doc: Doc, width: int) -> Iterator[Text]:
    problems, findings = doc.get("problems") or [], doc.get("findings") or []
    levels = Counter([row.get("severity") or "error" for row in problems] + [row.get("level") for row in findings])
    yield line(_headline(levels, len(findings)))
    if problems:
        yield Text()
        yield from located(problems, width)
    groups: dict[str, list[Doc]] = {}
    for row in findings:
        groups.setdefault(words.clean(row.get("connection") or "workspace"), []).append(row)
    for name, rows in groups.items():
        yield Text()
        yield line((name, "bold"))
        yield from _findings(rows, width)
    yield Text()
    if levels["error"]:
        yield from closing(words.next_step("check", "after putting the errors right"), width)
    elif findings:
        yield from closing(words.next_step("backfill", "pull the work once, with its history"), width)
    else:
        yield from closing(words.next_step("check", "ask the trackers too"), width)


def _headline(levels: Counter[str], findings: int) -> str:
    wrong = [words.plural(levels[name], name) for name in ("error", "warning") if levels[name]]
    if wrong:
        return words.sentence(words.listed(wrong))
    return "All is well." if findings else "The workspace file is right."


def _findings(rows: Sequence[Doc], width: int) -> Iterator[Text]:
    order = list(LEVELS)
    ranked = sorted(rows, key=lambda row: -order.index(row["level"]) if row.get("level") in order else -len(order))
    for row in ranked:
        shape, word, style = LEVELS.get(row.get("level") or "", ("?", words.clean(row.get("level") or ""), ""))
        subject, message = words.clean(row.get("subject") or ""), words.clean(row.get("message") or "")
        said = f"{subject}: {message}" if subject and message else subject or message
        for i, each in enumerate(wrap(said, width - 13)):
            mark = (f"  {shape} {pad(word, 7)}  ", style or DIM) if i == 0 else " " * 13
            yield line(mark, each)
