"""What `publish` would write, as diffs, and what it has written.

Takes the documents that `publish --plan --json` and `publish --json` print; it never compares contents itself.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Doc, Sheet, closing, flow, line, paragraph, wrap

OUTCOMES = {
    "sent": "sent",
    "unchanged": "unchanged",
    "overridden": "left alone because a person changed it",
    "uncertain": "uncertain, not sent again in this period",
    "failed": "failed",
    "dry_run": "noted by a dry run, not sent",
}
"""outcomes of a publish run in the order they are told"""


def plan(doc: Doc) -> Sheet:
    """Return a `publish --plan --json` document: each write as a diff, skipped ones counted by reason.

    A write is ``{target, subject, address, action, before, after, reason}``; `before` and `after` are null, a
    text or a mapping, of which only the lines that differ are shown.
    """
    return Sheet(lambda width: _plan_lines(doc.get("writes") or [], width))


def published(doc: Doc, *, step: str | None = None) -> Sheet:
    """Return a `publish --json` document: how much was sent, and each thing that a person must look at.

    Under each of ``sent, unchanged, overridden, uncertain, failed`` it holds a number or a list of
    ``{target, subject, address, reason}``, under ``dry_run`` what rows in `mode: dry_run` would have sent. `step` is
    what to do next, empty for nothing, where the document does not decide that.
    """
    return Sheet(lambda width: _published_lines(doc, width, step))


def _plan_lines(writes: Sequence[Doc], width: int) -> Iterator[Text]:
    real = [write for write in writes if write.get("action") != "skip"]
    dry = sum(write.get("mode") == "dry_run" for write in real)
    skipped = [write for write in writes if write.get("action") == "skip"]
    kinds = Counter(write.get("action") for write in real)
    named = (("create", "new"), ("update", "changed"), ("delete", "taken away"))
    parts = [f"{kinds[action]} {word}" for action, word in named if kinds[action]]
    if real:
        yield from paragraph(f"{words.plural(len(real), 'write')} would be sent: {words.listed(parts)}.", width)
        if dry:
            yield from paragraph(f"{words.exact(dry)} of them by dry runs, which send nothing.", width)
    else:
        yield from paragraph("Nothing would be sent.", width)
    for write in real:
        yield Text()
        yield from _write(write, width)
    if skipped:
        yield Text()
        yield line(("Not sent", "bold"), (f"  {words.exact(len(skipped))}", DIM))
        yield from _skipped(skipped, width)
    yield Text()
    yield from paragraph("Nothing was sent.", width, DIM)
    if real:
        yield from closing(words.next_step("publish", "send these"), width)
    else:
        yield from closing(words.next_step("show", "where everything stands"), width)


def _write(write: Doc, width: int) -> Iterator[Text]:
    yield from paragraph(_named(write), width, "bold", hang=2)
    action = {"create": "New", "update": "Changes", "delete": "Taken away"}.get(
        write.get("action") or "", words.clean(write.get("action") or "")
    )
    why = f": {words.clean(write['reason'])}" if write.get("reason") else ""
    dry = " (dry run)" if write.get("mode") == "dry_run" else ""
    yield from paragraph(words.sentence(action + dry + why), width, DIM, indent=2)
    before, after = _flat(write.get("before")), _flat(write.get("after"))
    names = [name for name in dict.fromkeys([*before, *after]) if before.get(name) != after.get(name)]
    margin = min(max((cell_len(name) for name in names), default=0), 24)
    for name in names:
        for sign, side, style in (("-", before, DIM), ("+", after, "")):
            if name in side:
                yield from _diff(sign, name, margin, side[name], style, width)


def _diff(sign: str, name: str, margin: int, value: str, style: str, width: int) -> Iterator[Text]:
    lead = f"  {sign} "
    if name:
        label = name + " " * max(margin - cell_len(name), 0) + "  "
        lead += label if cell_len(label) <= width // 2 else f"{name} "
    indent = 4 + (margin + 2 if name else 0)
    indent = indent if indent <= width // 2 else 6
    for i, each in enumerate(wrap(lead[4:] + value, width - indent, first=width - 4)):
        yield line((("  " + sign + " " if i == 0 else " " * indent) + each, style))


def _flat(value: object, prefix: str = "") -> dict[str, str]:
    """Return a content as dotted names and texts; a bare text has the empty name, nothing no name at all."""
    if value is None:
        return {}
    if isinstance(value, Mapping):
        flat: dict[str, str] = {}
        for name, part in value.items():
            flat.update(_flat(part, f"{prefix}.{name}" if prefix else words.clean(name)))
        return flat
    said = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {prefix: words.clean(said)}


def _skipped(writes: Sequence[Doc], width: int) -> Iterator[Text]:
    grouped: dict[str, list[str]] = {}
    for write in writes:
        grouped.setdefault(words.clean(write.get("reason") or "unchanged"), []).append(_short(write))
    for why, subjects in sorted(grouped.items(), key=lambda each: (-len(each[1]), each[0])):
        said = f"{words.exact(len(subjects))} {why}: {words.listed(list(dict.fromkeys(subjects)), 8)}"
        yield from paragraph(said, width, indent=2, hang=4)


def _named(write: Doc) -> str:
    at = f" at {words.clean(write['address'])}" if write.get("address") else ""
    return f"{words.clean(write['target'])} · {words.clean(write['subject'])}{at}"


def _short(write: Doc) -> str:
    return f"{words.clean(write['target'])}:{words.clean(write['subject'])}"


def _published_lines(doc: Doc, width: int, step: str | None) -> Iterator[Text]:
    counts = {name: _count(doc.get(name)) for name in OUTCOMES}
    yield from (line(each) for each in flow(outcome(doc), width))
    for name in ("failed", "uncertain", "overridden"):
        rows = doc.get(name)
        if not isinstance(rows, list) or not rows:
            continue
        yield Text()
        yield line((OUTCOMES[name].capitalize(), "bold"))
        for row in rows:
            why = f": {words.clean(row['reason'])}" if row.get("reason") else ""
            yield from paragraph(_named(row) + why, width, indent=2, hang=4)
    if step != "":
        yield Text()
        yield from closing(step or _after(doc, counts), width)


def outcome(doc: Doc) -> list[str]:
    """Return what a publish run did as facts: ``3 sent``, ``12 unchanged``."""
    counts = {name: _count(doc.get(name)) for name in OUTCOMES}
    return [f"{words.exact(n)} {OUTCOMES[name]}" for name, n in counts.items() if n] or ["Nothing to publish."]


def _count(value: object) -> int:
    if isinstance(value, int):
        return value
    return len(value) if isinstance(value, list) else 0


def _after(doc: Doc, counts: Mapping[str, int]) -> str:
    if counts["failed"]:
        return words.next_step("publish", "try the failed ones again once their cause is gone")
    uncertain = doc.get("uncertain")
    if isinstance(uncertain, list) and uncertain:
        return words.next_step(
            f"publish --release {_short(uncertain[0])} --reason TEXT", "send it again, if it did not arrive"
        )
    overridden = doc.get("overridden")
    if isinstance(overridden, list) and overridden:
        return words.next_step(f"publish --release {_short(overridden[0])} --reason TEXT", "take it back")
    if counts["overridden"]:
        return words.next_step("publish --plan", "see what was left alone")
    return words.next_step("show", "where everything stands")
