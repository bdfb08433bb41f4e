"""What holds for every scope: order, folding, bounds, and explanations that sum to their number."""

from collections import Counter
from datetime import date
from math import fsum

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Fact, Facts, Node
from domain.rules import CREDITS, Policies
from rollup.progress import delivery, epics, sized

TODAY = date(2026, 11, 20)
DAYS = st.none() | st.dates(date(2026, 8, 1), date(2026, 11, 19))
LINKS = st.frozensets(st.sampled_from(["I1", "I2", "I3"]), max_size=2)
SHARES = {"I1": 1.0, "I2": 0.3}
KW = {"today": TODAY, "start": date(2026, 10, 1), "before_start_applies": True, "baseline_at": date(2026, 10, 1)}


def nodes(links):
    empty = frozenset()
    top = Fact("jira", None, "todo", None, 30.0, "T", links, empty, False, None, None, "", False, None, 1)
    inner = top._replace(parent="E", parent_links=links, estimate=None, category="done")
    story = inner._replace(category="in_progress", estimate=2.0)
    return (
        Node("E", "P-1", "epic", True, top),
        Node("F", "P-2", "issue", True, inner),
        Node("S", "P-3", "issue", False, story),
    )


@st.composite
def scopes(draw):
    top = draw(LINKS)
    rows = []
    for _ in range(draw(st.integers(0, 12))):
        parent = draw(st.sampled_from([None, "E", "F", "S"]))
        category = draw(st.sampled_from(["todo", "in_progress", "done", "canceled"]))
        rows.append(
            Fact(
                connection="jira",
                parent=parent,
                category=category,
                stage=draw(st.sampled_from([None, "review"])) if category == "in_progress" else None,
                estimate=draw(st.none() | st.sampled_from([0.0, 0.1, 1.0, 2.5, 3.0, 8.0, 1 / 3])),
                team=draw(st.sampled_from([None, "T"])),
                links=draw(LINKS) or top,
                parent_links=top if parent else frozenset(),
                subtask=parent == "S",
                completed_on=draw(DAYS) if category == "done" else None,
                entered_on=draw(DAYS),
                flags=draw(st.sampled_from(["", "archived", "unmapped_status"])),
                blocked=draw(st.booleans()),
                inaccessible_on=draw(st.none() | st.just(date(2026, 11, 15)) | st.just(date(2026, 1, 1))),
                count=draw(st.integers(1, 4)),
            )
        )
    return Facts(tuple(rows), nodes(top))


POLICIES = st.builds(
    Policies,
    credit=st.sampled_from(list(CREDITS.values())),
    size=st.sampled_from(["count", "points", "equal_per_child"]),
    unestimated=st.sampled_from(["impute_median", "one", "exclude"]),
    leaf_level=st.sampled_from(["standard", "lowest", "epic_children"]),
    canceled=st.sampled_from(["exclude", "as_done", "as_open"]),
    before_start=st.sampled_from(["exclude", "include"]),
    parent_done_wins=st.booleans(),
    top_down=st.booleans(),
)


def single(facts):
    return Facts(tuple(row._replace(count=1) for row in facts.rows for _ in range(row.count)), facts.nodes)


def folded(facts):
    counts = Counter()
    for row in facts.rows:
        counts[row._replace(count=1)] += row.count
    return Facts(tuple(row._replace(count=n) for row, n in counts.items()), facts.nodes)


@settings(max_examples=300)
@given(scopes(), POLICIES, st.randoms(use_true_random=False))
def test_order_and_folding_make_no_difference(facts, policies, random):
    expected = delivery(facts, SHARES, policies, **KW)
    rows, above = list(facts.rows), list(facts.nodes)
    random.shuffle(rows)
    random.shuffle(above)
    assert delivery(Facts(tuple(rows), tuple(above)), SHARES, policies, **KW) == expected
    assert delivery(single(facts), SHARES, policies, **KW) == expected
    assert delivery(folded(facts), SHARES, policies, **KW) == expected
    assert epics(single(facts), policies, today=TODAY) == epics(facts, policies, today=TODAY)


@settings(max_examples=300)
@given(scopes(), POLICIES)
def test_progress_is_a_ratio_or_nothing(facts, policies):
    found = delivery(facts, SHARES, policies, **KW)
    assert (found.value is None) == (found.state == "no_scope")
    for ratio in (found.value, found.baseline_progress, found.estimated_coverage):
        assert ratio is None or 0 <= ratio <= 1


@settings(max_examples=300)
@given(scopes(), POLICIES)
def test_effects_sum_to_progress(facts, policies):
    found = delivery(facts, SHARES, policies, **KW)
    settled = sized(
        facts, SHARES, policies, today=TODAY, start=KW["start"], before_start_applies=KW["before_start_applies"]
    )
    counted = [*(e for e in settled.entries if e.reason is None), *settled.excess]
    whole = fsum(e.share * e.size * e.fact.count for e in counted)
    if found.value is not None:
        effects = [e.share * e.size * e.credit * e.fact.count / whole for e in counted]
        assert abs(fsum(effects) - found.value) < 1e-9
        assert abs(whole - found.size_total) < 1e-6


@settings(max_examples=200)
@given(scopes(), POLICIES, st.integers(1, 5))
def test_a_canceled_item_changes_nothing_under_exclude(facts, policies, count):
    policies = policies.under({"canceled": "exclude"})
    canceled = Fact(
        "jira",
        "E",
        "canceled",
        None,
        5.0,
        "T",
        facts.nodes[0].fact.links,
        facts.nodes[0].fact.links,
        False,
        None,
        None,
        "",
        False,
        None,
        count,
    )
    more = Facts((*facts.rows, canceled), facts.nodes)
    before, after = delivery(facts, SHARES, policies, **KW), delivery(more, SHARES, policies, **KW)
    assert (after.value, after.size_total, after.items) == (before.value, before.size_total, before.items)


@given(scopes())
def test_a_union_counts_each_item_once(facts):
    policies = Policies(leaf_level="lowest")
    both, one, other = (
        delivery(facts, dict.fromkeys(ids, 1.0), policies, today=TODAY) for ids in (("I1", "I2"), ("I1",), ("I2",))
    )
    twice = Facts(tuple(r for r in facts.rows if {"I1", "I2"} <= r.links), facts.nodes)
    shared = delivery(twice, {"I1": 1.0}, policies, today=TODAY)
    assert both.items == one.items + other.items - shared.items
