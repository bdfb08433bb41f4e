"""The answer to "why is it this number?": the sentence, the formula, what made it up, what was left out, what moved.

Takes the document that `explain --json` prints; effects are shown as they are stated there, never computed anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime

from rich.cells import cell_len
from rich.text import Text

from app.cli.view import words
from app.cli.view.provenance import KINDS, provenance
from app.cli.view.sheet import (
    CARDS_BELOW,
    DIM,
    Cell,
    Column,
    Doc,
    Sheet,
    closing,
    cut,
    effect_bar,
    flow,
    line,
    pad,
    paragraph,
    table,
    wrap,
)
from app.cli.view.show import words_of_forecast

MOST_INPUTS = 25
"""inputs shown; the rest is counted and left to `--json`"""

MOST_KEYS = 12
"""keys named per reason of an exclusion"""

BAR = 8


def explain(doc: Doc, *, zone: str = "UTC", now: datetime | None = None, most: int = MOST_INPUTS) -> Sheet:
    """Return an `explain --json` document as a page, dates in `zone`.

    `now` is what relative times are told from: else the document's `as_of`, else its `complete_to`. Beyond
    the shape of SPEC section 7 it uses where present: ``title, sentence, health, health_reasons, state,
    since, sources``, and of an item ``key, former_key``; of an input ``id, key, title, inherited_from, weight,
    progress, state, health`` and, for check-ins, ``as_of, value, by, note``; of a change ``at, cause, key, title``.
    A key result with a metric has the sum over its items under ``delivery``, an objective set by hand what is
    computed under ``computed``.
    """
    anchor = doc.get("as_of") or doc.get("complete_to")
    at = now or (words.instant(anchor) if anchor else None)
    return Sheet(lambda width: _lines(doc, width, zone, at, most))


def _lines(doc: Doc, width: int, zone: str, now: datetime | None, most: int) -> Iterator[Text]:
    id = words.clean(doc["id"])
    yield from _heading(doc, width)
    yield from _forecast(doc, width, now)
    yield from _computed(doc, id, "How it is computed", width, most)
    if isinstance(doc.get("delivery"), Mapping):
        yield from _computed(doc["delivery"], id, _beside("The delivery behind it", doc["delivery"]), width, most)
    if isinstance(doc.get("computed"), Mapping):
        yield from _computed(doc["computed"], id, _beside("What is computed beside it", doc["computed"]), width, most)
    yield from _changes(doc, width, zone, now, most)
    if now is not None and (doc.get("complete_to") or doc.get("kind") != "epic"):
        yield Text()
        yield from provenance(doc, width, zone, now)
    yield Text()
    yield from closing(_next(doc), width)


def _heading(doc: Doc, width: int) -> Iterator[Text]:
    id, title = words.clean(doc.get("key") or doc["id"]), words.clean(doc.get("title") or "")
    kind = KINDS.get(doc.get("kind") or "", words.clean(doc.get("kind") or ""))
    first = wrap(f"{id}  {title}".strip(), width)
    for i, each in enumerate(first):
        yield line((each, "bold"), (f"  {kind}", DIM) if i == len(first) - 1 and _fits(each, kind, width) else "")
    if doc.get("former_key"):
        yield from paragraph(f"{words.clean(doc['former_key'])} is called {id} now.", width)
    style = words.HEALTH_STYLES.get(doc.get("health") or "", "")
    health = words.health(doc["health"]) if doc.get("health") else ""
    word = health.partition(" ")[2]
    said = _sentence(doc).removeprefix(f"{word}. ") if word else _sentence(doc)
    for i, each in enumerate(wrap(f"{health}. {said}" if health else said, width)):
        lead = health if i == 0 else ""
        yield line((lead, style), each[len(lead) :])
    for reason in doc.get("health_reasons") or []:
        yield from paragraph(f"- {words.sentence(reason)}", width, hang=2)


def _forecast(doc: Doc, width: int, now: datetime | None) -> Iterator[Text]:
    """Yield when it will be done, where the document says it."""
    if now is None or not doc.get("forecast"):
        return
    due = str(doc["due"]) if doc.get("due") else None
    told = words_of_forecast(doc["forecast"], due, doc.get("progress"), now.date())
    if told:
        yield from paragraph(words.sentence(told), width)


def _beside(title: str, part: Doc) -> str:
    value = part.get("progress")
    return f"{title}: {words.percent(value) if value is not None else words.state(part.get('state')).lower()}"


def _computed(part: Doc, id: str, title: str, width: int, most: int) -> Iterator[Text]:
    """Yield formula, inputs and what was left out of one number."""
    if part.get("formula"):
        yield Text()
        yield line((title, "bold"))
        yield from paragraph(words.clean(part["formula"]), width, indent=2, hang=4)
    yield from _inputs(part, id, width, most)
    yield from _excluded(part, width)


def _fits(text: str, kind: str, width: int) -> bool:
    return bool(kind) and cell_len(text) + 2 + cell_len(kind) <= width


def _sentence(doc: Doc) -> str:
    """Return the sentence for the board: the document's own, else progress or the reason of its absence."""
    value = doc.get("progress")
    if doc.get("sentence") and value is not None:
        return words.sentence(doc["sentence"])
    if value is not None:
        return f"{_reached(doc, value)}."
    advice = words.advice(doc.get("state"), doc.get("kind") or "", words.clean(doc["id"]))
    return f"{words.state(doc.get('state'))}. {advice}".rstrip()


def _kind(row: Doc) -> str:
    """Return what an input is: an item, a child, or one of the ways to measure an outcome."""
    if row.get("kind") in ("milestone", "manual"):
        return str(row["kind"])
    if "size" in row:
        return "item"
    return "check_in" if "value" in row else "child"


def _reached(doc: Doc, value: float) -> str:
    """Return a value in words; an outcome with the delivery behind it."""
    if doc.get("kind") == "objective":
        return f"{words.percent(value)} reached"
    if doc.get("score_basis") != "outcome" and not isinstance(doc.get("delivery"), Mapping):
        return f"{words.percent(value)} delivered"
    delivered = (doc.get("delivery") or {}).get("progress")
    behind = f", {words.percent(delivered)} delivered behind it" if delivered is not None else ""
    return f"{words.percent(value)} of the way to the target{behind}"


def _inputs(part: Doc, id: str, width: int, most: int) -> Iterator[Text]:
    grouped: dict[str, list[Doc]] = {}
    for row in part.get("inputs") or []:
        grouped.setdefault(_kind(row), []).append(row)
    for kind, noun, shown in (
        ("manual", "value set by hand", _manual_lines),
        ("child", "part", _child_lines),
        ("check_in", "check-in", _check_in_lines),
        ("milestone", "milestone", _milestone_lines),
        ("item", "item", _item_lines),
    ):
        rows = grouped.get(kind) or []
        if not rows:
            continue
        ranked = sorted(rows, key=lambda row: -abs(row.get("effect") or 0.0))
        count = sum(row.get("count") or 1 for row in rows)
        yield Text()
        yield line(("What makes it up", "bold"), (f"  {words.plural(count, noun)}", DIM))
        yield from shown(ranked, most, width)
        yield from _more(id, ranked[most:], width)
        if any(row.get("imputed") for row in rows):
            yield from paragraph("* not estimated: sized like its siblings, its team, or 1", width, DIM, indent=2)


def _more(id: str, rest: Sequence[Doc], width: int) -> Iterator[Text]:
    if rest:
        left = words.effect(sum(row.get("effect") or 0.0 for row in rest))
        said = f"… and {words.exact(len(rest))} more, together {left} points"
        command = f"keyrail explain {id} --json"
        yield from (line((each, DIM)) for each in _indented(flow([said, command], width - 2)))


def _indented(lines: Sequence[str], by: int = 2) -> Iterator[str]:
    return (" " * by + each for each in lines)


def _largest(rows: Sequence[Doc]) -> float:
    return max((abs(row.get("effect") or 0.0) for row in rows), default=0.0)


def _effect(row: Doc, largest: float) -> str:
    """Return bar and points of an effect, in cells of one width."""
    value = row.get("effect")
    if value is None:
        return ""
    return pad(effect_bar(value, largest, BAR), BAR) + pad(words.effect(value), 6, right=True)


def _named(row: Doc) -> str:
    return words.clean(row.get("key") or row.get("id") or "?")


def _item_lines(whole: Sequence[Doc], most: int, width: int) -> Iterator[Text]:
    rows, largest = whole[:most], _largest(whole)
    shares = {_share(row) for row in whole}
    rules = {words.rule(row.get("rule")) for row in whole}
    if width < CARDS_BELOW:
        for row in rows:
            facts = [
                f"size {_size(row)}",
                f"credit {words.number(row.get('credit') or 0)}",
                *([f"share {_share(row)}"] if len(shares) > 1 else []),
                *([words.rule(row.get("rule"))] if len(rules) > 1 else []),
                *([f"via {words.clean(row['inherited_from'])}"] if row.get("inherited_from") else []),
            ]
            yield from _card(row, largest, facts, width)
    else:
        shown: list[tuple[Column, list[str]]] = [
            (Column(header="Effect in points"), [_effect(row, largest) for row in rows]),
            (Column(header="Item", flex=1, least=10), [_named(row) for row in rows]),
            (Column(header="Title", flex=1, least=14), [words.clean(row.get("title") or "") for row in rows]),
            (Column(header="Size", right=True), [_size(row) for row in rows]),
            (Column(header="Credit", right=True), [words.number(row.get("credit") or 0) for row in rows]),
        ]
        if len(shares) > 1:
            shown.append((Column(header="Share", right=True), [_share(row) for row in rows]))
        if len(rules) > 1:
            linked = [words.rule(row.get("rule"), row.get("inherited_from")) for row in rows]
            shown.append((Column(header="Linked by", flex=2, style=DIM, least=12), linked))
        elif any(row.get("inherited_from") for row in rows):
            via = [words.clean(row.get("inherited_from") or "itself") for row in rows]
            shown.append((Column(header="Via", flex=2, style=DIM, least=8), via))
        cells: list[list[Cell]] = [[texts[i] for _, texts in shown] for i in range(len(rows))]
        yield from table([column for column, _ in shown], cells, width, indent=2)
    common = [
        *([f"each with share {_share(rows[0])}"] if len(shares) == 1 and shares != {"1"} else []),
        *([f"all linked by: {words.rule(rows[0].get('rule'))}"] if len(rules) == 1 and rows[0].get("rule") else []),
    ]
    if common:
        yield from (line((each, DIM)) for each in _indented(flow(common, width - 2)))


def _share(row: Doc) -> str:
    return words.number(row["share"] if row.get("share") is not None else 1)


def _child_lines(whole: Sequence[Doc], most: int, width: int) -> Iterator[Text]:
    rows, largest = whole[:most], _largest(whole)

    def value(row: Doc) -> str:
        return words.percent(row["progress"]) if row.get("progress") is not None else words.state(row.get("state"))

    def weight(row: Doc) -> str:
        return words.number(row["weight"] if row.get("weight") is not None else 1)

    if width < CARDS_BELOW:
        for row in rows:
            facts = [value(row), f"weight {weight(row)}", *([words.health(row["health"])] if row.get("health") else [])]
            yield from _card(row, largest, facts, width)
        return
    known = any(row.get("health") for row in rows)
    columns = [
        Column(header="Effect in points"),
        Column(header="Part", flex=1),
        Column(header="Title", flex=1, least=14),
        Column(header="Progress", right=True),
        Column(header="Weight", right=True),
        *([Column(header="Health")] if known else []),
    ]
    cells: list[list[Cell]] = [
        [
            _effect(row, largest),
            _named(row),
            words.clean(row.get("title") or ""),
            value(row),
            weight(row),
            *(
                [(words.health(row.get("health")), words.HEALTH_STYLES.get(row.get("health") or "", ""))]
                if known
                else []
            ),
        ]
        for row in rows
    ]
    yield from table(columns, cells, width, indent=2)


def _check_in_lines(rows: Sequence[Doc], most: int, width: int) -> Iterator[Text]:
    for row in sorted(rows[:most], key=lambda each: str(each.get("as_of") or ""), reverse=True):
        on = words.long_day(words.instant(row["as_of"]).date()) if row.get("as_of") else "undated"
        by = f" by {words.clean(row['by'])}" if row.get("by") else ""
        note = f": {words.clean(row['note'])}" if row.get("note") else ""
        yield from paragraph(f"{words.exact(row['value'])} on {on}{by}{note}", width, indent=2, hang=4)


def _milestone_lines(rows: Sequence[Doc], most: int, width: int) -> Iterator[Text]:
    for row in rows[:most]:
        reached = f"reached {words.long_day(date.fromisoformat(row['done']))}" if row.get("done") else "to be reached"
        weight = f"weight {words.number(row.get('weight') or 0)}"
        said = [words.clean(row.get("title") or ""), reached, weight]
        mark = "✓" if row.get("effect") else "○"
        for i, each in enumerate(flow(said, width - 4)):
            yield line(f"  {mark} {each}" if i == 0 else f"    {each}")


def _manual_lines(rows: Sequence[Doc], most: int, width: int) -> Iterator[Text]:
    for row in rows[:most]:
        value = f"{words.percent(row['effect'])} by " if row.get("effect") is not None else "by "
        why = f": {words.clean(row['reason'])}" if row.get("reason") else ""
        yield from paragraph(f"{value}{words.clean(row.get('by') or 'a person')}{why}", width, indent=2, hang=4)


def _size(row: Doc) -> str:
    """Return the size of an item; a star says that its estimate was imputed."""
    many = f"{words.exact(row['count'])} × " if (row.get("count") or 1) > 1 else ""
    return f"{many}{words.exact(row['size'])}{'*' if row.get('imputed') else ''}"


def _card(row: Doc, largest: float, facts: Sequence[str], width: int) -> Iterator[Text]:
    indent = 2 + BAR + 6 + 2
    text = f"{_named(row)}  {words.clean(row.get('title') or '')}".rstrip()
    for i, each in enumerate(wrap(text, width - indent, most=2)):
        lead = f"  {pad(_effect(row, largest), BAR + 6)}  " if i == 0 else " " * indent
        yield line(lead + each)
    for each in flow(facts, width - indent):
        yield line((" " * indent + each, DIM))


def _excluded(part: Doc, width: int) -> Iterator[Text]:
    excluded = part.get("excluded") or []
    if not excluded:
        return
    grouped: dict[str, list[str]] = {}
    for row in excluded:
        grouped.setdefault(row.get("reason") or "", []).append(_named(row))
    for keys in grouped.values():
        keys.sort(key=words.in_order)
    yield Text()
    yield line(("What was left out", "bold"), (f"  {words.exact(len(excluded))}", DIM))
    for code, keys in sorted(grouped.items(), key=lambda each: (-len(each[1]), each[0])):
        said = f"{words.exact(len(keys))} {words.reason(code) or 'without a reason'}: {words.listed(keys, MOST_KEYS)}"
        yield from paragraph(said, width, indent=2, hang=4)


def _changes(doc: Doc, width: int, zone: str, now: datetime | None, most: int) -> Iterator[Text]:
    changes = doc.get("changes") or []
    if not changes and not doc.get("since"):
        return
    period = _period(doc, zone, now)
    total = sum(row.get("effect") or 0.0 for row in changes)
    yield Text()
    yield line(("What changed", "bold"), (f"  {words.points(total, period)}", DIM))
    if not changes:
        yield from paragraph("Nothing that moves the number.", width, indent=2)
        return
    ranked = sorted(changes, key=lambda row: -abs(row.get("effect") or 0.0))
    for row in ranked[:most]:
        yield from _change(row, width, zone, now)
    yield from _more(words.clean(doc["id"]), ranked[most:], width)


def _change(row: Doc, width: int, zone: str, now: datetime | None) -> Iterator[Text]:
    value = row.get("effect") or 0.0
    sign = "+" if value > 0 and not words.effect(value).startswith("<") else ""
    lead = pad(sign + words.effect(value), 6, right=True)
    what = " ".join(words.clean(row[key]) for key in ("key", "title") if row.get(key))
    at = words.moment(words.instant(row["at"]), zone, now) if row.get("at") and now else ""
    parts = [
        words.cause(row.get("cause") or "changed"),
        *([cut(what, width - 10)] if what else []),
        *([at] if at else []),
    ]
    for i, each in enumerate(flow(parts, width - 10)):
        yield line(f"  {lead if i == 0 else ' ' * 6}  {each}")


def _period(doc: Doc, zone: str, now: datetime | None) -> str:
    if not doc.get("since") or now is None:
        return ""
    began = doc["since"]
    on = date.fromisoformat(began) if len(began) == 10 else words.local(words.instant(began), zone).date()
    return words.since(on, words.local(now, zone).date())


def _next(doc: Doc) -> str:
    id = words.clean(doc["id"])
    children = [row for row in doc.get("inputs") or [] if "size" not in row and row.get("id") and "value" not in row]
    if children:
        order = words.WORST_FIRST
        worst = min(children, key=lambda row: order.index(row["health"]) if row.get("health") in order else len(order))
        return words.next_step(f"explain {words.clean(worst['id'])}", "one level down")
    if doc.get("kind") not in ("objective", "key_result", "initiative"):
        return words.next_step("show", "where everything stands")
    return words.next_step(f"show {id}", "where it stands")
