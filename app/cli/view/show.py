"""The tree of `show`: objectives, their key results, the initiatives behind them, each with its reason.

Takes the document that `show --json` prints and nothing else; it orders and words, it computes no number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime

from rich.cells import cell_len
from rich.text import Text

from app.cli.view import words
from app.cli.view.provenance import provenance
from app.cli.view.sheet import (
    CARDS_BELOW,
    DIM,
    Doc,
    Sheet,
    bar,
    closing,
    draw,
    flow,
    line,
    pad,
    paragraph,
    twin_bar,
    wrap,
)

HEALTH_WIDTH = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One row of the tree; `again` marks an initiative that was told in full further up."""

    kind: str
    doc: Doc
    share: float | None = None
    again: bool = False
    below: list[Branch] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every row is laid out by: cells in all, of the bar and left of it, and the day of the document."""

    width: int
    bar: int
    label: int
    today: date

    @property
    def cards(self) -> bool:
        """Whether the bar stands under the title, not beside it."""
        return self.width < CARDS_BELOW


def show(doc: Doc, *, zone: str = "UTC", now: datetime | None = None, step: str | None = None) -> Sheet:
    """Return the tree of a `show --json` document, dates in `zone`.

    `now` is what relative times are told from, the document's `as_of` unless given. `step` is what to do next, empty
    for nothing, where that is no matter of the document. Beyond the shape of
    SPEC section 7 it uses where present: `expected` of any row, `end` of a key result, and
    `sources`: ``[{"connection", "items", "complete_to", "stale"}]``.
    """
    at = now or words.instant(doc["as_of"])
    return Sheet(lambda width: _lines(doc, width, zone, at, step))


def _lines(doc: Doc, width: int, zone: str, now: datetime, step: str | None) -> Iterator[Text]:
    today = words.local(now, zone).date()
    roots = _forest(doc)
    frame = _frame(roots, width, today)
    yield from _heading(doc, width, zone)
    if not roots:
        yield Text()
        yield from paragraph("No objectives here yet. Write the first one under `objectives` in keyrail.yaml.", width)
    drawn = list(_tree(roots, frame))
    yield from drawn
    yield Text()
    yield from _legend(doc, width)
    yield from _unlinked(doc, width)
    yield from provenance(doc, width, zone, now)
    if step != "":
        yield Text()
        yield from closing(step or _next(doc, roots), width)


def _frame(roots: list[Branch], width: int, today: date) -> Frame:
    """Return the layout: the bar stands as far left as the longest title allows."""
    gauge = 20 if width >= 100 else 12
    if width < CARDS_BELOW:
        return Frame(width=width, bar=gauge, label=width, today=today)
    room = width - (2 + gauge + 1 + 5 + 2 + HEALTH_WIDTH)
    return Frame(
        width=width, bar=gauge, label=min(room, max([_longest(root, 0) for root in roots] or [0])), today=today
    )


def _longest(branch: Branch, indent: int) -> int:
    return max([indent + cell_len(_label(branch)), *(_longest(child, indent + 3) for child in branch.below)])


def _label(branch: Branch) -> str:
    share = f" ({words.percent(branch.share)} of it)" if branch.share not in (None, 1, 1.0) else ""
    title = words.clean(branch.doc.get("title") or "")
    return f"{words.clean(branch.doc['id'])}  {title}{share}".strip()


def _heading(doc: Doc, width: int, zone: str) -> Iterator[Text]:
    as_of = words.local(words.instant(doc["as_of"]), zone)
    name = words.clean(doc["workspace"])
    published = " · as published then" if doc.get("as_published") else ""
    first = wrap(f"{name} · {words.long_day(as_of.date())} {as_of:%H:%M}{published}", width)
    yield line((first[0][: len(name)], "bold"), (first[0][len(name) :], DIM))
    yield from (line((each, DIM)) for each in first[1:])
    yield from paragraph(_headline(doc), width)


def _headline(doc: Doc) -> str:
    """Return the answer in one sentence: how many objectives (else key results, else initiatives) stand how."""
    for name, noun in (("objectives", "objective"), ("key_results", "key result"), ("initiatives", "initiative")):
        rows = doc.get(name) or []
        if rows:
            counted = Counter(row.get("health") or "unknown" for row in rows)
            if len(rows) == 1:
                return f"1 {noun}: {words.health_word(rows[0].get('health'))}."
            said = [f"{n} {words.health_word(code)}" for code in words.HEALTH if (n := counted[code])]
            return f"{words.plural(len(rows), noun)}: {words.listed(said)}."
    return "Nothing to show yet."


def _forest(doc: Doc) -> list[Branch]:
    """Return the rows as trees: child objectives under theirs, and at the end what nothing holds."""
    objectives = {row["id"]: row for row in doc.get("objectives") or []}
    key_results = {row["id"]: row for row in doc.get("key_results") or []}
    initiatives = {row["id"]: row for row in doc.get("initiatives") or []}
    told: set[str] = set()

    def initiative(id: str, share: float | None) -> Branch:
        again = id in told
        told.add(id)
        return Branch(kind="initiative", doc=initiatives[id], share=share, again=again)

    def key_result(row: Doc) -> Branch:
        told.add(row["id"])
        links = [link for link in row.get("initiatives") or [] if link["id"] in initiatives]
        below = [initiative(link["id"], link.get("share")) for link in links]
        return Branch(kind="key_result", doc=row, below=below)

    def objective(row: Doc) -> Branch:
        told.add(row["id"])
        held = [id for id in row.get("key_results") or [] if id in key_results]
        below = [key_result(key_results[id]) for id in held if id not in told]
        children = [o for o in objectives.values() if o.get("parent") == row["id"]]
        below += [objective(child) for child in children if child["id"] not in told]
        return Branch(kind="objective", doc=row, below=below)

    tops = [row for row in objectives.values() if row.get("parent") not in objectives]
    forest = [objective(row) for row in tops if row["id"] not in told]
    forest += [objective(row) for row in objectives.values() if row["id"] not in told]
    forest += [key_result(row) for row in key_results.values() if row["id"] not in told]
    forest += [initiative(id, None) for id in initiatives if id not in told]
    return forest


def _tree(roots: list[Branch], frame: Frame) -> Iterator[Text]:
    before = ""
    for root in roots:
        if root.below or root.kind != before:
            yield Text()
        before = "" if root.below else root.kind
        yield from _branch(root, frame, "", "")


def _branch(branch: Branch, frame: Frame, own: str, rest: str) -> Iterator[Text]:
    """Yield a row and all below it; `own` leads its first line, `rest` all others."""
    children = branch.below
    yield from _row(branch, frame, own, rest + ("│" if children else " "))
    for i, child in enumerate(children):
        last = i == len(children) - 1
        yield from _branch(child, frame, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  "))


def _row(branch: Branch, frame: Frame, own: str, rest: str) -> Iterator[Text]:
    doc = branch.doc
    id = words.clean(doc["id"])
    hang = cell_len(own) + (cell_len(id) + 2 if cell_len(id) <= 10 else 4)
    label = wrap(_label(branch), frame.label - hang, first=frame.label - cell_len(own), most=2)
    style = "bold" if branch.kind == "objective" else ""
    margin = rest + " " * (hang - cell_len(rest))
    for i, text in enumerate(label):
        said = line((own if i == 0 else margin, DIM), (text, style))
        if i == 0 and not frame.cards:
            said.append(" " * (frame.label + 2 - said.cell_len))
            said.append_text(_gauge(branch, frame))
        yield said
    if frame.cards:
        yield line((margin, DIM)).append_text(_gauge(branch, frame))
    for parts, tone in _details(branch, frame.today):
        for each in flow(parts, frame.width - cell_len(margin)):
            yield line((margin, DIM), (each, tone))


def _gauge(branch: Branch, frame: Frame) -> Text:
    """Return bar, percent and health of a row; where there is no value, the words that say so."""
    doc = branch.doc
    health = doc.get("health") or "unknown"
    style = words.HEALTH_STYLES.get(health, "")
    value, tick = doc.get("progress"), doc.get("expected")
    outcome, delivery = doc.get("outcome_progress"), doc.get("delivery_progress")
    twin = doc.get("score_basis") == "outcome" and delivery is not None
    if twin:
        drawn = draw(twin_bar(outcome, delivery, frame.bar, tick=tick), style)
    elif value is None:
        drawn = Text()
    else:
        drawn = draw(bar(value, frame.bar, tick=tick), style)
    if value is not None:
        drawn.append(" " + pad(words.percent(value), 5, right=True))
    elif twin:
        drawn.append(" " + pad("–", 5, right=True))
    else:
        drawn.append(pad(words.state(doc.get("state")), frame.bar + 6), DIM)
    return drawn.append("  ").append(words.health(health), style or None)


def _details(branch: Branch, today: date) -> Iterator[tuple[list[str], str]]:
    """Yield what stands under a row: its reason first, then its facts, each as parts with their style."""
    doc = branch.doc
    if branch.again:
        yield ["as above"], DIM
        return
    advice = _missing(branch)
    if advice:
        yield [advice], ""
    reasons = [words.sentence(each) for each in doc.get("health_reasons") or []]
    if reasons and not (advice and reasons[0] == words.sentence(words.state(doc.get("state")))):
        more = f" (and {len(reasons) - 1} more)" if len(reasons) > 1 else ""
        yield [reasons[0] + more], ""
    if doc.get("override"):
        yield [_override(doc["override"], today)], ""
    facts = list(_facts(branch, today))
    if facts:
        yield facts, DIM
    notes = list(dict.fromkeys([*(doc.get("overlays") or []), *(doc.get("flags") or [])]))
    if notes:
        yield ["Note: " + "; ".join(words.flag(each) for each in notes)], ""


def _missing(branch: Branch) -> str:
    doc = branch.doc
    if doc.get("progress") is not None:
        return ""
    outcome = doc.get("score_basis") == "outcome"
    advice = words.advice(doc.get("state"), branch.kind, words.clean(doc["id"]), outcome=outcome)
    if outcome and doc.get("delivery_progress") is not None:
        advice = f"{words.state(doc.get('state'))}. {advice}".rstrip()
    return advice


def _override(override: Doc, today: date) -> str:
    by = words.clean(override.get("by") or "a person")
    until = f" until {words.day(date.fromisoformat(override['until']), today)}" if override.get("until") else ""
    why = f": {words.clean(override['reason'])}" if override.get("reason") else ""
    computed = override.get("computed")
    beside = f" Computed: {words.health_word(computed)}." if computed else ""
    return words.sentence(f"Set by {by}{until}{why}") + beside


def _facts(branch: Branch, today: date) -> Iterator[str]:
    doc = branch.doc
    if doc.get("score_basis") == "outcome":
        for name, key in (("outcome", "outcome_progress"), ("delivery", "delivery_progress")):
            if doc.get(key) is not None:
                yield f"{name} {words.percent(doc[key])}"
    told = "expected" in " ".join((doc.get("health_reasons") or [])[:1])
    if doc.get("expected") is not None and doc.get("progress") is not None and not told:
        yield f"{words.percent(doc['expected'])} expected by today"
    counts = doc.get("counts") or {}
    scope = sum(counts.get(each) or 0 for each in ("todo", "in_progress", "done"))
    if scope:
        yield f"{words.exact(counts.get('done') or 0)} of {words.plural(scope, 'item')} done"
    if counts.get("canceled"):
        yield f"{words.exact(counts['canceled'])} canceled"
    if doc.get("scope_change"):
        yield f"scope {words.relative_change(doc['scope_change'])} since the start"
    coverage = doc.get("coverage")
    if coverage is not None and round(coverage, 9) < 1 and doc.get("progress") is not None:
        of = "of the weight has a fresh value" if branch.kind == "objective" else "of it read in time"
        yield f"{words.percent(coverage)} {of}"
    estimated = doc.get("estimated_coverage")
    if estimated is not None and doc.get("unestimated"):
        yield f"{words.percent(estimated)} estimated"
    end = doc.get("due") or doc.get("end")
    forecast = words_of_forecast(doc.get("forecast") or {}, end, doc.get("progress"), today)
    if forecast:
        yield forecast
    elif end and branch.kind != "objective":
        yield f"due {words.relative_day(date.fromisoformat(end), today)}"


def words_of_forecast(forecast: Doc, due: str | None, progress: float | None, today: date) -> str:
    """Return a forecast as words, empty where there is none to tell; `due` is ``YYYY-MM-DD``."""
    if progress is not None and round(progress, 9) >= 1:
        return ""
    end = date.fromisoformat(due) if due else None

    def told(value: str) -> str:
        on = date.fromisoformat(value)
        return words.day(on, today) + (f", {words.against(on, end)}" if end else "")

    if forecast.get("indicative") and forecast.get("p50"):
        return f"done about {told(forecast['p50'])}, at the pace so far"
    odds = forecast.get("probability")
    in_time = f"; {words.percent(odds)} likely in time" if odds is not None and end else ""
    if forecast.get("p85"):
        return f"85 % likely done by {told(forecast['p85'])}"
    if forecast.get("p50"):
        return f"done about {told(forecast['p50'])}{in_time}"
    if forecast.get("state") == "no_finish_date":
        return "no end in sight"
    return ""


def _legend(doc: Doc, width: int) -> Iterator[Text]:
    rows = [*(doc.get("objectives") or []), *(doc.get("key_results") or []), *(doc.get("initiatives") or [])]
    said = []
    if any(r.get("score_basis") == "outcome" and r.get("delivery_progress") is not None for r in rows):
        said.append("▀ outcome · ▄ delivery · █ both")
    if any(r.get("expected") is not None and r.get("progress") is not None for r in rows):
        said.append("│ expected by today")
    if said:
        yield from paragraph(" · ".join(said), width, DIM)


def _unlinked(doc: Doc, width: int) -> Iterator[Text]:
    unlinked = doc.get("unlinked") or {}
    parts = [
        words.plural(unlinked[key], noun) for key, noun in (("epics", "epic"), ("items", "item")) if unlinked.get(key)
    ]
    if parts:
        yield from paragraph(f"Not counted: {words.listed(parts)} linked to no initiative.", width)


def _next(doc: Doc, roots: list[Branch]) -> str:
    if not roots:
        return words.next_step("check", "is the file right, do the trackers answer")
    if not doc.get("complete_to"):
        return words.next_step("backfill", "pull the work once, with its history")
    rows = [*(doc.get("key_results") or []), *(doc.get("initiatives") or []), *(doc.get("objectives") or [])]
    worst = min(rows, key=lambda row: _urgency(row.get("health")))
    if _urgency(worst.get("health")) < _urgency("unknown"):
        return words.next_step(f"explain {words.clean(worst['id'])}", f"why it is {words.health_word(worst['health'])}")
    if (doc.get("unlinked") or {}).get("items"):
        return words.next_step("coverage", "what is not counted, and how to link it")
    return words.next_step(f"explain {words.clean(rows[0]['id'])}", "where its number comes from")


def _urgency(health: str | None) -> int:
    return words.WORST_FIRST.index(health) if health in words.WORST_FIRST else words.WORST_FIRST.index("unknown")
