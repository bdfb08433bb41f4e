"""The page of `portfolio`: where the effort goes, teams, ranking, risks and chances, the roadmap, how work flows.

Takes the document that `portfolio --json` prints and nothing else; it orders and words, it computes no number.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from rich.text import Text

from app.cli.view import words
from app.cli.view.provenance import provenance
from app.cli.view.sheet import CARDS_BELOW, DIM, Cell, Column, Doc, Sheet, closing, flow, line, paragraph, table
from app.cli.view.show import words_of_forecast

MOST_ROWS = 12
"""rows shown per list; the rest is counted and left to `--json`"""
ALWAYS = ("objective", "initiative", "team", "timeframe")
LEVELS = {"high": "■ High", "medium": "▲ Medium", "low": "● Low"}
STYLES = {"high": "color(162)", "medium": "color(172)"}


def portfolio(doc: Doc, *, zone: str = "UTC") -> Sheet:
    """Return a `portfolio --json` document as a page, dates in `zone`.

    Of several dimensions those of the file are shown, and the objectives; one alone is shown whatever it is.
    """
    return Sheet(lambda width: _lines(doc, width, zone))


def _lines(doc: Doc, width: int, zone: str) -> Iterator[Text]:
    as_of = words.instant(doc["as_of"])
    today = words.local(as_of, zone).date()
    name = words.clean(doc["workspace"])
    said = {"current": "this timeframe", "all": "all timeframes"}.get(doc["timeframe"], words.clean(doc["timeframe"]))
    yield line((name, "bold"), (f" · {words.long_day(today)} · portfolio of {said}", DIM))
    yield from paragraph(_headline(doc), width)
    for ledger in _shown(doc["dimensions"]):
        yield from _ledger(ledger, width)
    yield from _loose(doc, width)
    yield from _capacity(doc["capacity"], width)
    yield from _ranking(doc["ranking"], width)
    yield from _risks(doc, width)
    yield from _opportunities(doc["opportunities"], width)
    yield from _roadmap(doc["roadmap"], width, today)
    yield from _flow(doc["flow"], width)
    yield Text()
    yield from provenance(doc, width, zone, as_of)
    yield Text()
    yield from closing(_next(doc), width)


def _headline(doc: Doc) -> str:
    totals = doc["totals"]
    if not totals["initiatives"]:
        return "No initiatives here yet. Write the first one under `initiatives` in keyrail.yaml."
    parts = [words.plural(totals["initiatives"], "initiative"), f"{_weeks(totals['planned_weeks'])} planned"]
    if totals["items"]:
        parts.append(f"{words.exact(totals['done_items'])} of {words.plural(totals['items'], 'item')} done")
    if totals["progress"] is not None:
        parts.append(f"{words.percent(totals['progress'])} delivered")
    return f"{words.listed(parts)}. Risk: {doc['risk_level']}."


def _weeks(value: float) -> str:
    return words.plural(round(value, 1), "week")


def _shown(ledgers: Sequence[Doc]) -> list[Doc]:
    if len(ledgers) == 1:
        return list(ledgers)
    own = [one for one in ledgers if one["dimension"] not in ALWAYS]
    return [*(one for one in ledgers if one["dimension"] == "objective"), *own]


def _ledger(ledger: Doc, width: int) -> Iterator[Text]:
    rows = ledger["rows"]
    name = words.clean(ledger["dimension"])
    yield Text()
    yield line((f"By {name}", "bold"))
    if not rows:
        yield from paragraph("Nothing stands here yet.", width, DIM, indent=2)
        return
    cells = [_cells(row, name) for row in rows[:MOST_ROWS]]
    columns = [
        Column(header="", flex=1, least=8),
        Column(header="Planned", right=True),
        Column(header="Share", right=True),
        Column(header="Target", right=True),
        Column(header="Off", right=True),
        Column(header="In flight", right=True),
        Column(header="Done", right=True),
        Column(header="Items", right=True),
    ]
    if width < CARDS_BELOW:  # what the narrow page leaves out is told in `--json`
        columns, cells = columns[:-1], [each[:-1] for each in cells]
    yield from table(columns, cells, width, indent=2)
    yield from _more(len(rows) - MOST_ROWS, width)


def _share(value: float | None) -> str:
    return words.percent(value) if value is not None else "–"


def _cells(row: Doc, name: str) -> list[Cell]:
    weeks = (words.number(row[key]) if row["initiatives"] else "–" for key in ("in_flight_weeks", "done_weeks"))
    return [
        words.clean(row["value"]) if row["value"] is not None else (f"no {name}", DIM),
        words.number(row["planned_weeks"]) if row["initiatives"] else "–",
        _share(row["planned_share"]),
        words.percent(row["target"]) if row["target"] is not None else "",
        _apart(row),
        *weeks,
        words.number(row["items"] + row["unlinked_items"]),
    ]


def _apart(row: Doc) -> Cell:
    """Return how far the planned share is from its target, in points; what is too far is marked."""
    if row["difference"] is None:
        return ""
    said = words.points(row["difference"]).removesuffix(" points").removesuffix(" point")
    said = said.replace("no change", "±0")
    return (f"! {said}", STYLES["medium"]) if row["flagged"] else said


def _loose(doc: Doc, width: int) -> Iterator[Text]:
    """Say what no week stands for: initiatives without a plan, items without an initiative."""
    unplanned, unlinked = doc["unplanned"], doc["unlinked"]
    said = []
    if unplanned["initiatives"]:
        ids = words.listed([words.clean(id_) for id_ in unplanned["initiatives"]], 5)
        said.append(f"No weeks planned for {ids}: {words.plural(round(unplanned['items'], 1), 'item')}.")
    if unlinked["items"] or unlinked["epics"]:
        parts = [words.plural(unlinked[key], noun) for key, noun in (("epics", "epic"), ("items", "item"))]
        said.append(f"Linked to no initiative: {words.listed(parts)}.")
    if said:
        yield Text()
    for each in said:
        yield from paragraph(each, width)


def _capacity(rows: Sequence[Doc], width: int) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield line(("Teams", "bold"), ("  planned weeks against what they can do", DIM))
    cells: list[list[Cell]] = [
        [
            words.clean(row["team"]),
            words.clean(row["timeframe"]),
            words.number(row["planned_weeks"]),
            words.number(row["capacity_weeks"]) if row["capacity_weeks"] is not None else "–",
            ("over", STYLES["medium"])
            if row["flags"]
            else (words.percent(row["load"]) if row["load"] is not None else "–"),
        ]
        for row in rows[:MOST_ROWS]
    ]
    columns = [
        Column(header="Team", flex=2),
        Column(header="Timeframe", flex=1),
        Column(header="Planned", right=True),
        Column(header="Capacity", right=True),
        Column(header="Load", right=True),
    ]
    yield from table(columns, cells, width, indent=2)
    yield from _more(len(rows) - MOST_ROWS, width)


def _ranking(rows: Sequence[Doc], width: int) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield line(("Ranking", "bold"), ("  by benefit per planned week", DIM))
    cells: list[list[Cell]] = [
        [
            f"{words.clean(row['id'])}  {words.clean(row['title'])}",
            words.number(row["value_rate"]) if row["value_rate"] is not None else "–",
            words.percent(row["contribution"]) if row["contribution"] is not None else "–",
            words.percent(row["progress"]) if row["progress"] is not None else "–",
            (words.health(row["health"]), words.HEALTH_STYLES.get(row["health"], "")),
        ]
        for row in rows[:MOST_ROWS]
    ]
    columns = [
        Column(header="", flex=1, least=10),
        Column(header="Per week", right=True),
        Column(header="Of all", right=True),
        Column(header="Done", right=True),
        Column(),
    ]
    yield from table(columns, cells, width, indent=2)
    yield from _more(len(rows) - MOST_ROWS, width)


def _risks(doc: Doc, width: int) -> Iterator[Text]:
    rows = [row for row in doc["risks"] if row["risk_level"] != "low" and row["signals"]]
    general = doc["general_risks"]
    if not rows and not general:
        return
    yield Text()
    yield line(("Risks", "bold"), (f"  {words.exact(len(rows) + len(general))}", DIM))
    for row in rows[:MOST_ROWS]:
        level = LEVELS[row["risk_level"]]
        head = f"{words.clean(row['id'])}  {words.clean(row['title'] or '')}".rstrip()
        yield from _headed(level, STYLES.get(row["risk_level"], ""), head, width)
        yield from paragraph(_reasons(row), width, indent=4)
    yield from _more(len(rows) - MOST_ROWS, width)
    for one in general[:MOST_ROWS]:
        yield from _headed(LEVELS[one["severity"]], STYLES.get(one["severity"], ""), words.clean(one["subject"]), width)
        yield from paragraph(words.sentence(words.clean(one["reason"])), width, indent=4)
    yield from _more(len(general) - MOST_ROWS, width)


def _reasons(row: Doc) -> str:
    said = words.sentence(words.listed([words.clean(signal["reason"]) for signal in row["signals"]]))
    below = [driver["id"] for driver in row["drivers"] if driver["id"] != row["id"]]
    worse = row["risk_level"] not in [signal["severity"] for signal in row["signals"]]
    return f"{said} Worse below it: {words.clean(below[0])}." if worse and below else said


def _headed(mark: str, style: str, text: str, width: int) -> Iterator[Text]:
    first, *rest = flow([text], width - 12)
    yield line("  ", (f"{mark:<10}", style), first)
    yield from (line(" " * 12, each) for each in rest)


def _opportunities(rows: Sequence[Doc], width: int) -> Iterator[Text]:
    if not rows:
        return
    yield Text()
    yield line(("Opportunities", "bold"), (f"  {words.exact(len(rows))}", DIM))
    for row in rows[:MOST_ROWS]:
        subject = f"{words.clean(row['subject'])}  {words.clean(row['title'] or '')}".rstrip()
        yield from paragraph(subject, width, indent=2, hang=4)
        yield from paragraph(words.sentence(words.clean(row["reason"])), width, DIM, indent=4)
    yield from _more(len(rows) - MOST_ROWS, width)


def _roadmap(stays: Sequence[Doc], width: int, today: date) -> Iterator[Text]:
    if not stays:
        return
    yield Text()
    yield line(("Roadmap", "bold"))
    for stay in stays:
        if stay["timeframe"] is None:
            yield line("  ", ("No dates", "bold"))
        else:
            days = " to ".join(words.day(date.fromisoformat(stay[key]), today) for key in ("start", "end"))
            yield from paragraph(f"{words.clean(stay['timeframe'])} · {days}", width, "bold", indent=2)
        for one in stay["initiatives"][:MOST_ROWS]:
            head = f"{words.clean(one['id'])}  {words.clean(one['title'])}"
            yield from paragraph(head, width, indent=4, hang=6)
            for each in flow(_road(one, today), width - 6):
                yield line(" " * 6, (each, DIM))
        yield from _more(len(stay["initiatives"]) - MOST_ROWS, width)


def _road(one: Doc, today: date) -> list[str]:
    parts = [words.health(one["health"])]
    if one["progress"] is not None:
        parts.append(words.percent(one["progress"]))
    days = [words.day(date.fromisoformat(one[key]), today) if one[key] else "…" for key in ("start", "due")]
    if days != ["…", "…"]:
        parts.append(" to ".join(days))
    forecast = words_of_forecast(one["forecast"], one["due"], one["progress"], today)
    return [*parts, forecast] if forecast else parts


def _flow(doc: Doc, width: int) -> Iterator[Text]:
    whole = doc["portfolio"]
    if not whole or not (whole["wip"] or whole["completed"]):
        return
    yield Text()
    yield line(("Flow", "bold"), ("  days from first start to last completion", DIM))
    rows = [("all work", whole), *((words.clean(one["team"]), one) for one in doc["teams"][:MOST_ROWS])]
    cells: list[list[Cell]] = [
        [
            name,
            words.exact(one["wip"]),
            words.number(7 * one["throughput"]) if one["throughput"] is not None else "–",
            *(words.exact(one[key]) if one[key] is not None else "–" for key in ("cycle_p50", "cycle_p85")),
            words.exact(one["ageing"]),
            words.percent(one["reopen_rate"]) if one["reopen_rate"] is not None else "–",
        ]
        for name, one in rows
    ]
    columns = [
        Column(header="", flex=1, least=8),
        Column(header="Begun", right=True),
        Column(header="Per week", right=True),
        Column(header="50 %", right=True),
        Column(header="85 %", right=True),
        Column(header="Ageing", right=True),
        Column(header="Reopened", right=True),
    ]
    yield from table(columns, cells, width, indent=2)
    yield from _more(len(doc["teams"]) - MOST_ROWS, width)


def _more(count: int, width: int) -> Iterator[Text]:
    if count > 0:
        yield from paragraph(f"… and {words.exact(count)} more: keyrail portfolio --json", width, DIM, indent=2)


def _next(doc: Doc) -> str:
    worst = next((row for row in doc["risks"] if row["risk_level"] == "high"), None)
    if worst is not None:
        subject = worst["drivers"][0]["id"] if worst["drivers"] else worst["id"]
        return words.next_step(f"explain {words.clean(subject)}", "why it is at risk")
    if not doc.get("complete_to"):
        return words.next_step("backfill", "pull the work once, with its history")
    return words.next_step("show", "where everything stands")
