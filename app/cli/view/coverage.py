"""The answer to "what are we not counting?": unlinked work, rules and links that lead nowhere, proposals.

Takes the document that `coverage --json` prints; a proposal is shown with the YAML to paste, never applied.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from app.cli.view import words
from app.cli.view.sheet import DIM, Cell, Column, Doc, Sheet, closing, line, paragraph, table

MOST_ROWS = 20
"""rows shown per list; the rest is counted and left to `--json`"""


def coverage(doc: Doc) -> Sheet:
    """Return a `coverage --json` document as a page.

    Lists that are absent count as empty: ``unlinked {epics, items, by_project [{project, epics, items}],
    by_team [{team, …}]}``, ``dead_rules [{rule, file, line}]``, ``dangling [{item, key, initiative, rule}]``,
    ``missing_keys [{initiative, connection, key}]``, ``orphaned [{id, kind, title}]``,
    ``unmapped_statuses [{connection, status, items}]``,
    ``proposals [{item, key, title, initiative, reason, yaml}]``.
    """
    return Sheet(lambda width: _lines(doc, width))


def _lines(doc: Doc, width: int) -> Iterator[Text]:
    yield from paragraph(_headline(doc), width)
    unlinked = doc.get("unlinked") or {}
    yield from _counted("Not linked, by project", "project", "Project", unlinked.get("by_project") or [], width)
    yield from _counted("Not linked, by team", "team", "Team", unlinked.get("by_team") or [], width)
    yield from _listed(
        "Rules that never fire",
        [
            f"{words.clean(r['rule'])}  {words.clean(r.get('file') or '')}:{r.get('line') or 0}"
            for r in _rows(doc, "dead_rules")
        ],
        "They match no item. Correct the condition, or remove the rule.",
        width,
    )
    yield from _listed(
        "Links to nothing",
        [
            f"{_subject(r)} → {words.clean(r['initiative'])}  by {words.rule(r.get('rule'))}"
            for r in _rows(doc, "dangling")
        ],
        "The initiative is not in the workspace file. Add it, or correct the rule or the label.",
        width,
    )
    yield from _listed(
        "Named work that was not found",
        [
            f"{words.clean(r['initiative'])}: {words.clean(r['connection'])}:{words.clean(r['key'])}"
            for r in _rows(doc, "missing_keys")
        ],
        "Not in the store: mistyped, outside the connection's scope, or not visible to its account.",
        width,
    )
    yield from _listed(
        "Gone from the file, history kept",
        [f"{words.clean(r['id'])}  {words.clean(r.get('title') or '')}".rstrip() for r in _rows(doc, "orphaned")],
        "Renamed? Put `was: [OLD]` at the new id and the history follows.",
        width,
    )
    yield from _listed(
        "Statuses without a meaning",
        [
            f"{words.clean(r['status'])}  {words.clean(r['connection'])}, {words.plural(r.get('items') or 0, 'item')}"
            for r in _rows(doc, "unmapped_statuses")
        ],
        "Counted as to do. Say what they mean under the connection's `statuses`.",
        width,
    )
    yield from _proposals(_rows(doc, "proposals"), width)
    yield Text()
    yield from closing(_next(doc), width)


def _rows(doc: Doc, name: str) -> Sequence[Doc]:
    rows: Sequence[Doc] = doc.get(name) or []
    return rows


def _subject(row: Doc) -> str:
    return words.clean(row.get("key") or row["item"])


def _headline(doc: Doc) -> str:
    unlinked = doc.get("unlinked") or {}
    parts = [
        words.plural(unlinked[name], noun)
        for name, noun in (("epics", "epic"), ("items", "item"))
        if unlinked.get(name)
    ]
    if not parts:
        return "All work is linked to an initiative."
    return f"Not counted: {words.listed(parts)} linked to no initiative."


def _counted(title: str, name: str, header: str, rows: Sequence[Doc], width: int) -> Iterator[Text]:
    if not rows:
        return
    ranked = sorted(
        rows, key=lambda row: (-(row.get("items") or 0), -(row.get("epics") or 0), str(row.get(name) or ""))
    )
    yield Text()
    yield line((title, "bold"))
    columns = [
        Column(header=header, flex=1),
        Column(header="Epics", right=True),
        Column(header="Items", right=True),
    ]
    cells: list[list[Cell]] = [
        [
            words.clean(row.get(name) or f"no {name}"),
            words.exact(row.get("epics") or 0),
            words.exact(row.get("items") or 0),
        ]
        for row in ranked[:MOST_ROWS]
    ]
    yield from table(columns, cells, width, indent=2)
    yield from _more(len(ranked) - MOST_ROWS, width)


def _listed(title: str, said: Sequence[str], advice: str, width: int) -> Iterator[Text]:
    if not said:
        return
    yield Text()
    yield line((title, "bold"), (f"  {words.exact(len(said))}", DIM))
    for each in said[:MOST_ROWS]:
        yield from paragraph(each, width, indent=2, hang=4)
    yield from _more(len(said) - MOST_ROWS, width)
    yield from paragraph(advice, width, DIM, indent=2)


def _proposals(rows: Sequence[Doc], width: int) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield line(("Proposals", "bold"), (f"  {words.exact(len(rows))}, none is applied by itself", DIM))
    for row in rows[:MOST_ROWS]:
        named = f"{_subject(row)} → {words.clean(row['initiative'])}"
        title = words.clean(row.get("title") or "")
        yield from paragraph(f"{named}  {title}".rstrip(), width, indent=2, hang=4)
        yield from paragraph(words.sentence(row.get("reason") or ""), width, DIM, indent=4)
        for each in str(row.get("yaml") or "").splitlines():
            indent = 6 + len(each) - len(each.lstrip(" "))
            yield from paragraph(words.clean(each), width, indent=min(indent, width // 2))
    yield from _more(len(rows) - MOST_ROWS, width)


def _more(count: int, width: int) -> Iterator[Text]:
    if count > 0:
        yield from paragraph(f"… and {words.exact(count)} more: keyrail coverage --json", width, DIM, indent=2)


def _next(doc: Doc) -> str:
    if _rows(doc, "proposals"):
        return words.next_step("rebuild", "after pasting a line, link and compute anew without asking a tracker")
    wrong = ("dead_rules", "dangling", "missing_keys", "unmapped_statuses")
    if any(_rows(doc, name) for name in wrong):
        return words.next_step("check --offline", "after correcting the file")
    if (doc.get("unlinked") or {}).get("items") or (doc.get("unlinked") or {}).get("epics"):
        return words.next_step("rebuild", "after adding a mapping rule or naming the work")
    return words.next_step("show", "where everything stands")
