"""Delivery as a sum of parts: whatever the cut and the order, the sum is what adding up all items says, bit for bit."""

import json
from dataclasses import asdict, replace
from datetime import date
from math import fsum, isclose

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Fact, Facts, Node
from domain.rules import CREDITS, HealthPolicy, Policies
from rollup.parts import Part, exact, merge, separable
from rollup.progress import at_baseline, sized
from rollup.scope import Scope, combine, delivered, fingerprint, parts

TODAY = date(2026, 11, 20)
START = date(2026, 10, 1)
NOBODY = frozenset()
LINKS = st.frozensets(st.sampled_from(["I1", "I2", "I3"]), max_size=2)
DAYS = st.none() | st.dates(date(2026, 8, 1), date(2026, 11, 19))
POLICIES = st.builds(
    Policies,
    credit=st.sampled_from(list(CREDITS.values())),
    size=st.sampled_from(["count", "points", "time"]),
    unestimated=st.sampled_from(["impute_median", "one", "exclude"]),
    leaf_level=st.sampled_from(["standard", "lowest", "epic_children"]),
    canceled=st.sampled_from(["exclude", "as_done", "as_open"]),
    before_start=st.sampled_from(["exclude", "include"]),
    scope_basis=st.sampled_from(["current", "baseline"]),
    parent_done_wins=st.booleans(),
    health=st.builds(HealthPolicy, freeze_after_end=st.booleans()),
)
SCOPES = st.builds(
    Scope,
    id=st.just("KR1"),
    shares=st.sampled_from([{"I1": 1.0, "I2": 0.3}, {"I1": 1 / 3}]),
    policies=POLICIES,
    start=st.sampled_from([START, None]),
    end=st.sampled_from([None, date(2026, 11, 10), date(2026, 12, 31)]),
    due=st.none(),
    before_start_applies=st.booleans(),
)


@st.composite
def facts(draw):
    """Leaves of two epics, a story with sub-tasks, and none; the tree above them in any state."""
    categories = st.sampled_from(["todo", "in_progress", "done", "canceled"])

    def fact(parent, parent_links, **known):
        category = known.pop("category", None) or draw(categories)
        return Fact(
            connection="jira",
            parent=parent,
            category=category,
            stage=draw(st.sampled_from([None, "review"])),
            estimate=draw(st.none() | st.sampled_from([0.0, -1.0, 0.1, 1.0, 2.5, 8.0, 1 / 3])),
            team=draw(st.sampled_from([None, "T", "U"])),
            links=draw(LINKS),
            parent_links=parent_links,
            subtask=parent == "S",
            completed_on=draw(DAYS) if category == "done" else None,
            entered_on=draw(DAYS),
            flags=draw(st.sampled_from(["", "archived", "unmapped_status"])),
            blocked=draw(st.booleans()),
            inaccessible_on=draw(st.sampled_from([None, None, date(2026, 11, 15), date(2026, 1, 1)])),
            count=known.get("count", 1),
            canceled_on=draw(DAYS) if category == "canceled" else None,
            bucket="" if parent else draw(st.sampled_from(["", "01", "02"])),
        )

    epic, other = fact(None, NOBODY), fact(None, NOBODY)
    story = fact("E", epic.links)
    nodes = (
        Node("E", "P-1", "epic", True, epic),
        Node("F", "P-2", "epic", draw(st.booleans()), other),
        Node("S", "P-3", "issue", False, story),
    )
    above = {None: NOBODY, "E": epic.links, "F": other.links, "S": story.links, "gone": NOBODY}
    rows = [
        fact(parent, above[parent], count=draw(st.integers(1, 3)))
        for parent in draw(st.lists(st.sampled_from(sorted(above, key=str)), max_size=14))
    ]
    return Facts(tuple(rows), nodes)


def stored(part):
    """Return a part as it comes back from JSON."""
    return Part(**json.loads(json.dumps(asdict(part))))


@settings(max_examples=400, deadline=None)
@given(facts(), SCOPES, st.randoms(use_true_random=False))
def test_parts_add_up_to_the_whole_in_any_order(found, scope, random):
    whole = delivered(found, scope, today=TODAY)
    cut = parts(found, scope, today=TODAY)
    assert combine(merge(cut.values()), scope, today=TODAY) == whole
    shuffled = [stored(part) for part in cut.values()]
    random.shuffle(shuffled)
    middle = random.randint(0, len(shuffled))
    halves = [merge(shuffled[:middle]), merge(shuffled[middle:])]
    assert merge(halves) == merge(cut.values())
    assert combine(merge(halves), scope, today=TODAY) == whole


@settings(max_examples=300, deadline=None)
@given(facts(), facts(), SCOPES)
def test_a_part_that_is_replaced_leaves_no_trace(before, after, scope):
    was, now = parts(before, scope, today=TODAY), parts(after, scope, today=TODAY)
    total = merge(was.values())
    for key in {*was, *now}:
        total = merge([total, *[now[key] for _ in "x" if key in now]], [was[key] for _ in "x" if key in was])
    assert total == merge(now.values())
    assert combine(total, scope, today=TODAY) == delivered(after, scope, today=TODAY)


@settings(max_examples=200, deadline=None)
@given(facts(), SCOPES)
def test_the_parts_of_some_groups_are_those_of_all(found, scope):
    cut = parts(found, scope, today=TODAY)
    for key, part in cut.items():
        near = tuple(row for row in found.rows if (row.connection, row.parent or f"/{row.bucket}") == key)
        assert parts(Facts(near, found.nodes), scope, today=TODAY, only={key}) == {key: part}


@settings(max_examples=400, deadline=None)
@given(facts(), SCOPES)
def test_the_whole_is_what_its_rows_say(found, scope):
    """Every item is looked at by itself here, as `explain` shows it, and added up once more."""
    progress, flow = delivered(found, scope, today=TODAY)
    settled = sized(
        found, scope.shares, scope.policies, today=TODAY,
        start=scope.start, end=scope.end, before_start_applies=scope.before_start_applies,
    )  # fmt: skip
    counted = [e for e in settled.entries if e.reason is None]
    each = [e for e in counted for _ in range(e.fact.count)]
    assert progress.size_total == fsum(e.weight for e in each)
    assert progress.size_done == fsum(e.weight * e.credit for e in each)
    assert progress.items == len(each)
    assert progress.unestimated == settled.unestimated
    assert progress.estimated_coverage == settled.estimated_coverage
    assert set(progress.flags) - {"baseline_scope"} == settled.flags
    assert progress.valid_until == settled.valid_until
    open_ = [e for e in each if e.category in ("todo", "in_progress")]
    assert progress.blocked_size == fsum(e.weight for e in open_ if e.fact.blocked)
    if scope.policies.scope_basis == "baseline" and scope.start is not None:
        counted = [e for e in at_baseline(settled, scope.start).entries if e.reason is None]
    assert flow.remaining == sum(e.fact.count for e in counted if e.category in ("todo", "in_progress"))
    early = [e for e in settled.entries if e.reason == "done_before_start" and e.category == "done"]
    done = [e for e in (*counted, *early) if e.category == "done" and e.fact.completed_on is not None]
    assert sum(flow.done.values()) == sum(e.fact.count for e in done)


@settings(deadline=None)
@given(st.lists(st.floats(-1e12, 1e12)), st.lists(st.floats(-1e12, 1e12)))
def test_an_exact_sum_can_be_taken_off_again(kept, gone):
    whole = exact([*exact(kept), *exact(gone)])
    assert exact([*whole, *(-value for value in exact(gone))]) == exact(kept)
    assert fsum(whole) == fsum([*kept, *gone])


def test_thirds_add_up_to_what_they_are():
    assert len(exact([0.1] * 10)) == 2
    assert fsum(exact([0.1] * 10)) == 1.0
    assert not isclose(sum([0.1] * 10), 1.0, rel_tol=0, abs_tol=0)


@pytest.mark.parametrize(
    ("policies", "answer"),
    [
        (Policies(), True),
        (Policies(size="points", leaf_level="epic_children", parent_done_wins=True), True),
        (Policies(top_down=True), True),
        (Policies(size="points", top_down=True), False),
        (Policies(size="equal_per_child"), False),
    ],
)
def test_sizes_that_depend_on_the_tree_have_no_parts(policies, answer):
    assert separable(policies) is answer


def test_stored_parts_are_told_apart_by_the_terms_they_were_made_under():
    scope = Scope(
        id="KR1", shares={"I1": 1.0}, policies=Policies(), start=START, end=None, due=None, before_start_applies=True
    )
    others = [
        replace(scope, shares={"I1": 0.5}),
        replace(scope, start=None),
        replace(scope, policies=Policies(canceled="as_done")),
    ]
    prints = [fingerprint(one) for one in (scope, *others)]
    assert len(set(prints)) == len(prints)
    assert fingerprint(replace(scope)) == prints[0]
