"""Every page of the terminal as whole text at fixed widths, and what holds for all of them at any width.

A page that changed on purpose: `KEYRAIL_WRITE_GOLDEN=1` writes the texts anew, to be read before they are kept.
"""

import json
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from app.cli.view import words
from app.cli.view.check import check
from app.cli.view.counts import counts
from app.cli.view.coverage import coverage
from app.cli.view.errors import error
from app.cli.view.explain import explain
from app.cli.view.override import override
from app.cli.view.plan import plan, published
from app.cli.view.portfolio import portfolio
from app.cli.view.show import show
from app.cli.view.whatif import whatif
from domain.errors import AuthError, ConfigError, Problem, RateLimitedError, UsageError

GOLDEN = Path(__file__).parent / "golden"
ZONE = "Europe/Berlin"
NOW = words.instant("2026-11-22T11:00:00Z")

CONFIG = ConfigError(
    "keyrail.yaml has 2 problems",
    (
        Problem(file="keyrail.yaml", line=12, key="connections.jira-main.tpye", message="unknown key", nearest="type"),
        Problem(
            file="okrs/checkout.yaml",
            line=7,
            key="objectives[0].key_results[1].metric.kind",
            message="expected one of number, at_least, at_most, maintain, binary, milestones",
        ),
    ),
)

PAGES: dict[str, Callable[[dict], object]] = {
    "show": lambda doc: show(doc, zone=ZONE),
    "show_empty": lambda doc: show(doc, zone=ZONE),
    "explain_key_result": lambda doc: explain(doc, zone=ZONE, most=6),
    "explain_objective": lambda doc: explain(doc, zone=ZONE),
    "explain_metric": lambda doc: explain(doc, zone=ZONE),
    "explain_null": lambda doc: explain(doc, zone=ZONE),
    "coverage": coverage,
    "portfolio": lambda doc: portfolio(doc, zone=ZONE),
    "portfolio_empty": lambda doc: portfolio(doc, zone=ZONE),
    "whatif": lambda doc: whatif(doc, zone=ZONE),
    "whatif_same": lambda doc: whatif(doc, zone=ZONE),
    "override": override,
    "override_cleared": override,
    "plan": plan,
    "published": published,
    "check": check,
    "counts": lambda doc: counts(doc, zone=ZONE, now=NOW),
}

LONG = 3 * (
    "支付页面重新设计 🎉\N{WOMAN}\u200d\N{WOMAN}\u200d\N{GIRL} "
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenkordelfabrikantenverband \u200fand on and on "
)


def read(name: str) -> dict:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


def rendered(page: object, width: int, **options: object) -> str:
    out = StringIO()
    Console(file=out, width=width, force_terminal=False, **options).print(page)
    return out.getvalue()


def lengthened(value: object) -> object:
    """Return the document with every title, name and text for people made far too long."""
    if isinstance(value, dict):
        texts = ("title", "reason", "message", "subject", "project", "team", "status", "summary", "error", "formula")
        return {k: LONG if k in texts and isinstance(v, str) else lengthened(v) for k, v in value.items()}
    if isinstance(value, list):
        return [LONG if isinstance(each, str) and " " in each else lengthened(each) for each in value]
    return value


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_reads_as_it_should(name: str, width: int) -> None:
    text = rendered(PAGES[name](read(name)), width)
    kept = GOLDEN / f"{name}.{width}.txt"
    if os.environ.get("KEYRAIL_WRITE_GOLDEN"):
        kept.write_text(text, encoding="utf-8")
    assert text == kept.read_text(encoding="utf-8")


@pytest.mark.parametrize("width", [60, 61, 79, 80, 100, 120])
@pytest.mark.parametrize("name", PAGES)
def test_no_line_is_wider_than_the_terminal_or_ends_in_blanks(name: str, width: int) -> None:
    for document in (read(name), lengthened(read(name))):
        lines = rendered(PAGES[name](document), width).splitlines()
        assert [line for line in lines if cell_len(line) > width] == []
        assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_never_grows_wider_than_the_eye_follows(name: str) -> None:
    assert rendered(PAGES[name](read(name)), 400) == rendered(PAGES[name](read(name)), 120)


@pytest.mark.parametrize("name", PAGES)
def test_colour_is_for_terminals_alone_and_takes_no_words_away(name: str) -> None:
    coloured = StringIO()
    console = Console(file=coloured, width=80, force_terminal=True, color_system=None)
    console.print(PAGES[name](read(name)))
    plain = rendered(PAGES[name](read(name)), 80)
    assert "\x1b" not in plain
    assert coloured.getvalue().replace("\x1b[1m", "").replace("\x1b[2m", "").replace("\x1b[0m", "") == plain


@pytest.mark.parametrize("name", [*PAGES])
def test_the_last_paragraph_says_what_to_run_next(name: str) -> None:
    last = rendered(PAGES[name](read(name)), 120).rstrip().splitlines()[-1]
    assert last.startswith("Next: keyrail ")


def test_health_has_its_colour_in_a_terminal() -> None:
    out = StringIO()
    Console(file=out, width=80, force_terminal=True, color_system="256").print(show(read("show"), zone=ZONE))
    assert "\x1b[38;5;172m▲ At risk\x1b[0m" in out.getvalue()
    assert "\x1b[38;5;37m● On track\x1b[0m" in out.getvalue()


def test_control_and_direction_characters_of_a_title_never_reach_the_terminal() -> None:
    document = read("show")
    document["objectives"][0]["title"] = "\x1b[31mred\x07\nline\u202etfel [bold]markup[/bold]"
    text = rendered(show(document, zone=ZONE), 120)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[31mred linetfel [bold]markup[/bold]" in text


def test_only_so_many_inputs_are_shown_and_the_rest_is_counted_with_its_effect() -> None:
    document = read("explain_key_result")
    document["inputs"] = [
        {"id": str(i), "key": f"PAY-{i}", "size": 1, "credit": 1, "share": 1, "rule": "work", "effect": 0.005}
        for i in range(137)
    ]
    text = rendered(explain(document, zone=ZONE), 120)
    assert len([line for line in text.splitlines() if line.startswith("  ████████   0.5    PAY-")]) == 25
    assert "\n  all linked by: named in the file\n" in text
    assert "… and 112 more, together 56.0 points · keyrail explain KR2 --json" in text


def test_the_sentence_of_the_document_is_told_once_with_the_shape_of_its_health() -> None:
    document = {**read("explain_objective"), "sentence": "At risk. 40 % reached, 57 % expected by today."}
    assert "\n▲ At risk. 40 % reached, 57 % expected by today.\n" in rendered(explain(document, zone=ZONE), 120)


def test_an_outcome_is_explained_with_the_delivery_behind_it() -> None:
    document = read("explain_metric")
    document["delivery"] = {k: read("explain_key_result")[k] for k in ("progress", "formula", "inputs", "excluded")}
    text = rendered(explain(document, zone=ZONE), 80)
    assert "\nThe delivery behind it: 43 %\n  sum(share x size x credit)" in text
    assert text.index("2.4 on Fri 20 Nov 2026") < text.index("PAY-9") < text.index("2 canceled: PAY-90 and PAY-91")


def test_milestones_say_which_were_reached() -> None:
    rows = [
        {"kind": "milestone", "title": "Pilot live", "weight": 1, "done": "2026-11-03", "effect": 0.25},
        {"kind": "milestone", "title": "All live", "weight": 3, "done": None, "effect": 0.0},
    ]
    text = rendered(explain({**read("explain_metric"), "inputs": rows}, zone=ZONE), 80)
    assert "  ✓ Pilot live · reached Tue 3 Nov 2026 · weight 1\n  ○ All live · to be reached · weight 3\n" in text


def test_a_value_set_by_hand_stands_before_what_is_computed() -> None:
    computed = {"progress": 0.3, "formula": "(1 x 30 %) / 1 = 30 %", "inputs": [], "excluded": []}
    stated = {"kind": "manual", "by": "maria@acme.com", "reason": "the pilot is live", "effect": 0.4}
    document = {**read("explain_objective"), "inputs": [stated], "computed": computed}
    text = rendered(explain(document, zone=ZONE), 80)
    assert "  40 % by maria@acme.com: the pilot is live\n" in text
    assert "\nWhat is computed beside it: 30 %\n  (1 x 30 %) / 1 = 30 %\n" in text


def test_what_all_items_have_in_common_is_told_once() -> None:
    document = read("explain_key_result")
    for row in document["inputs"]:
        row.update(rule="rule:checkout-epics")
    for width in (60, 80):
        text = rendered(explain(document, zone=ZONE), width)
        assert text.count("checkout-epics") == 1
        assert "\n  each with share 0.4 · all linked by: checkout-epics\n" in text
        assert "PAY-100" in text


def test_what_only_the_shown_items_have_in_common_is_not_said_of_all() -> None:
    document = read("explain_key_result")
    for row in document["inputs"]:
        row.update(rule="rule:checkout-epics")
    document["inputs"][-1].update(rule="work", effect=0.0)
    text = rendered(explain(document, zone=ZONE, most=2), 80)
    assert "all linked by" not in text
    assert "Linked by" in text


def test_children_without_a_known_health_show_no_health() -> None:
    document = read("explain_objective")
    for row in document["inputs"]:
        row.pop("health")
    assert "Unknown" not in rendered(explain(document, zone=ZONE), 80)


def test_an_outcome_is_told_with_the_delivery_behind_it() -> None:
    document = {**read("explain_metric"), "score_basis": "outcome", "delivery": {"progress": 0.66, "inputs": []}}
    assert "\n33 % of the way to the target, 66 % delivered behind it.\n" in rendered(explain(document, zone=ZONE), 80)


def test_subjects_of_skipped_writes_are_named_once() -> None:
    row = {"target": "jira-badge", "subject": "I1", "action": "skip", "reason": "unchanged"}
    text = rendered(plan({"writes": [{**row, "address": f"PAY-{i}"} for i in range(3)]}), 80)
    assert "\n  3 unchanged: jira-badge:I1\n" in text


def test_a_single_objective_is_told_without_a_count() -> None:
    document = read("show")
    document["objectives"].pop()
    assert rendered(show(document, zone=ZONE), 80).splitlines()[1] == "1 objective: at risk."


def test_an_error_of_the_configuration_without_a_place_is_one_statement() -> None:
    assert rendered(error(ConfigError("There is no workspace file. Make one with: keyrail init")), 80) == (
        "Error: There is no workspace file. Make one with: keyrail init.\n"
    )


def test_an_imputed_size_is_marked_and_the_mark_explained() -> None:
    document = read("explain_key_result")
    document["inputs"][0].update(imputed=True, size=5)
    text = rendered(explain(document, zone=ZONE), 80)
    assert "  5*  " in text
    assert "\n  * not estimated: sized like its siblings, its team, or 1\n" in text


def test_a_write_that_takes_an_entry_away_is_told_as_such() -> None:
    write = {"target": "jira-badge", "subject": "I1", "address": "PAY-12", "action": "delete", "after": None}
    text = rendered(plan({"writes": [{**write, "before": {"title": "I1"}, "reason": "no longer linked"}]}), 80)
    assert text.startswith("1 write would be sent: 1 taken away.\n")
    assert "\n  Taken away: no longer linked.\n  - title  I1\n" in text


def test_parents_that_form_a_circle_do_not_hang_the_tree() -> None:
    document = read("show")
    document["objectives"][0]["parent"] = "O2"
    document["objectives"][1]["parent"] = "O1"
    text = rendered(show(document, zone=ZONE), 120)
    assert text.count("Checkout that nobody notices") == 1
    assert text.count("A platform that other teams choose") == 1


def test_a_child_objective_stands_under_its_parent() -> None:
    document = read("show")
    document["objectives"][1]["parent"] = "O1"
    assert "└─ O2  A platform that other teams choose" in rendered(show(document, zone=ZONE), 120)


@pytest.mark.parametrize(
    ("kept", "first"),
    [
        ("key_results", "3 key results: 1 on track, 1 at risk and 1 unknown."),
        ("initiatives", "4 initiatives: 1 on track"),
    ],
)
def test_a_part_of_the_tree_is_told_by_itself(kept: str, first: str) -> None:
    document = {**read("show"), "objectives": []}
    if kept == "initiatives":
        document["key_results"] = []
    text = rendered(show(document, zone=ZONE), 120)
    assert first in text.splitlines()[1]


def test_stale_sources_are_named_with_since_when() -> None:
    document = read("show")
    document["sources"][0].update(stale=True, complete_to="2026-11-17T08:00:00Z")
    assert "jira-main: Stale since Tuesday. Run keyrail check." in rendered(show(document, zone=ZONE), 80)


def test_all_problems_of_the_file_are_told_at_once_each_with_its_place() -> None:
    assert rendered(error(CONFIG), 80) == (
        "Error: keyrail.yaml has 2 problems.\n"
        "\n"
        "  keyrail.yaml:12       connections.jira-main.tpye: unknown key. Did you mean\n"
        "                        'type'?\n"
        "  okrs/checkout.yaml:7  objectives[0].key_results[1].metric.kind: expected one\n"
        "                        of number, at_least, at_most, maintain, binary,\n"
        "                        milestones.\n"
        "\n"
        "Nothing was changed.\n"
        "Next: keyrail check --offline · after correcting the file\n"
    )


def test_a_place_is_whole_on_its_own_line_where_there_is_little_room() -> None:
    assert rendered(error(CONFIG), 60).splitlines()[2:5] == [
        "  keyrail.yaml:12",
        "    connections.jira-main.tpye: unknown key. Did you mean",
        "    'type'?",
    ]


@pytest.mark.parametrize(
    ("raised", "text"),
    [
        (
            UsageError("no subject is called KR9: keyrail show lists them"),
            "Error: no subject is called KR9: keyrail show lists them.\n",
        ),
        (
            AuthError("jira-main refused our credentials (401)"),
            "Error: jira-main refused our credentials (401).\n"
            "Nothing was changed. Put the credentials right, then run: keyrail check\n",
        ),
        (
            RateLimitedError("jira-main asked us to pause until 10:42", NOW),
            "Error: jira-main asked us to pause until 10:42.\nWhat was read so far is kept. Run it again to go on.\n",
        ),
    ],
)
def test_an_error_says_what_happened_and_what_to_do(raised: Exception, text: str) -> None:
    assert rendered(error(raised), 80) == text


@pytest.mark.parametrize("width", [60, 80, 120])
def test_errors_fit_the_terminal(width: int) -> None:
    problem = Problem(file=LONG, line=1, key=LONG, message=LONG, nearest=LONG)
    for raised in (UsageError(LONG), ConfigError(LONG, (problem, *CONFIG.problems))):
        assert [line for line in rendered(error(raised), width).splitlines() if cell_len(line) > width] == []


def test_a_check_that_is_all_right_leads_to_the_backfill() -> None:
    text = rendered(check({"problems": [], "findings": [{"connection": "a", "level": "ok", "subject": "scope"}]}), 80)
    assert text.startswith("All is well.\n")
    assert text.endswith("Next: keyrail backfill · pull the work once, with its history\n")


def test_a_complete_backfill_says_so() -> None:
    row = {"connection": "jira-main", "items": 12, "missing": 0, "complete_to": "2026-11-22T10:42:00Z"}
    text = rendered(counts({"connections": [row]}, zone=ZONE, now=NOW), 80)
    assert text.startswith("12 items in 1 connection: complete.\n")
    assert text.endswith("Next: keyrail show · where everything stands\n")


def test_what_a_person_must_mend_does_not_go_on_by_itself() -> None:
    lasting = {"connection": "github-acme", "error": "github-acme: the token lacks a scope.", "retry": False}
    passing = {"connection": "linear-acme", "error": "linear-acme: Linear did not answer.", "retry": True}
    text = rendered(counts({"connections": [lasting]}, kind="sync", zone=ZONE, now=NOW), 80)
    assert text.endswith("Next: keyrail check · tells whether it is mended; then run this again\n")
    text = rendered(counts({"connections": [lasting, passing]}, kind="sync", zone=ZONE, now=NOW), 80)
    assert text.endswith("Next: keyrail sync --connection linear-acme · goes on where it stopped\n")


def test_a_dry_run_is_told_apart_from_what_is_sent() -> None:
    write = {"target": "digest", "subject": "I1", "address": "slack", "action": "create", "before": None}
    dry = {**write, "after": {"text": "I1: 40 %"}, "reason": "first time", "mode": "dry_run"}
    text = rendered(plan({"writes": [dry, {**dry, "subject": "I2", "mode": "live"}]}), 80)
    assert "2 writes would be sent: 2 new." in text
    assert "1 of them by dry runs, which send nothing." in text
    assert text.count("(dry run)") == 1
    assert "1 noted by a dry run, not sent" in rendered(published({"sent": [], "dry_run": [dry]}), 80)


def test_an_uncertain_write_is_named_with_what_sends_it_again() -> None:
    row = {"target": "digest", "subject": "I1", "address": "slack", "reason": "503"}
    text = rendered(published({"sent": [], "uncertain": [row]}), 80)
    assert "digest · I1 at slack: 503" in text
    assert "publish --release digest:I1 --reason TEXT" in text


def test_a_sync_tells_what_it_read_and_what_it_published() -> None:
    row = {"connection": "jira-main", "items": 214, "read": 3, "complete_to": "2026-11-22T10:42:00Z"}
    document = {"connections": [row], "published": {"sent": [{}], "unchanged": 4, "overridden": [], "failed": []}}
    text = rendered(counts(document, kind="sync", zone=ZONE, now=NOW), 80)
    assert text.startswith("3 items read in 1 connection.\n")
    assert "\nPublished · 1 sent · 4 unchanged\n" in text


def test_a_census_that_misses_items_leads_to_their_repair() -> None:
    row = {"connection": "jira-main", "items": 12, "missing": ["7", "8"], "deleted": 1}
    text = rendered(counts({"connections": [row]}, kind="census", zone=ZONE, now=NOW), 80)
    assert text.startswith("12 items compared in 1 connection; 2 missing and 1 deleted.\n")
    assert text.endswith("Next: keyrail census --repair · read what is missing, mark what is gone\n")


def test_a_repaired_census_is_not_to_be_repaired_again() -> None:
    row = {"connection": "jira-main", "items": 12, "listed": 14, "missing": 2}
    text = rendered(counts({"connections": [row], "repaired": True}, kind="census", zone=ZONE, now=NOW), 80)
    assert text.endswith("Next: keyrail show · where everything stands\n")
    assert "Connection  Items  Listed\njira-main      12      14\n" in text
