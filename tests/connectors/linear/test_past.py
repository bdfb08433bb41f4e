"""Linear's history in any order, transitions oldest first; what stood above an issue is worked out from its moves."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed, Reading
from connectors.linear.parse import kind_of, parse, split
from domain.errors import PayloadError
from domain.work import Category, Level, Transition, WorkItem
from domain.workspace import Connection
from sync.settle import Words, dates, history_category

SAMPLES = Path(__file__).parent / "samples"
LINEAR = Connection(name="linear-acme", type="linear", url="https://api.linear.app/graphql")
TODO, STARTED, DONE = (f"57a70000-0000-4000-8000-00000000000{n}" for n in (1, 2, 4))
READ = Reading(
    facts={
        "teams": {"7ea00000-0000-4000-8000-000000000001": {"key": "MOB", "name": "Mobile"}},
        "statuses": {TODO: ["Todo", "unstarted"], STARTED: ["In Progress", "started"], DONE: ["Erledigt", "completed"]},
        "labels": {"1ab00000-0000-4000-8000-000000000002": {"name": "KR5", "parent": "kr"}},
    },
    account="",
    digest="d",
)
ISSUE = "5b1e0c52-0001-4c1e-9a51-000000000001"
PARENT = "5b1e0c52-0001-4c1e-9a51-000000000050"
PROJECT = "9c0ec700-0000-4000-8000-000000000001"


def page() -> bytes:
    return (SAMPLES / "page__history.json").read_bytes()


def history(*entries: dict[str, object], **issue: object) -> Parsed:
    nodes = [
        {"id": f"h{n}", "createdAt": f"2026-10-0{n}T00:00:00.000Z", **entry} for n, entry in enumerate(entries, start=1)
    ]
    node = {"__typename": "Issue", "id": "i1", "history": {"nodes": nodes}, **issue}
    return parse("history", json.dumps({"data": {"issue": node}}).encode(), LINEAR, READ)


def moves(parsed: Parsed, field: str) -> list[tuple[str | None, ...]]:
    return [(t.before, t.after, t.before_id, t.after_id) for t in parsed.transitions if t.field == field]


def test_a_page_of_histories_becomes_transitions_of_the_fields_we_follow():
    parsed = parse("history", page(), LINEAR, READ)
    first = datetime(2026, 10, 3, 7, 30, tzinfo=UTC)
    second = datetime(2026, 10, 6, 7, 0, tzinfo=UTC)
    third = datetime(2026, 11, 18, 15, 45, tzinfo=UTC)
    mob, eng = "7ea00000-0000-4000-8000-000000000001", "7ea00000-0000-4000-8000-000000000009"

    def transition(entry: int, position: int, at: datetime, field: str, *values: str | None) -> Transition:
        before, after, before_id, after_id = values
        return Transition(
            connection="linear-acme", item_id=ISSUE, id=f"b1570000-0000-4000-8000-00000000000{entry}.{position}",
            at=at, field=field, before=before, after=after, before_id=before_id, after_id=after_id,
        )  # fmt: skip

    assert parsed.changes == ()
    assert parsed.transitions == (
        transition(1, 1, first, "estimate", None, "0", None, None),
        transition(1, 2, first, "parent", None, None, None, PARENT),
        transition(2, 0, second, "status", "Todo", "In Progress", TODO, STARTED),
        transition(2, 1, second, "estimate", "0", "5", None, None),
        transition(2, 2, second, "parent", None, None, PARENT, PROJECT),
        transition(2, 3, second, "project", "ENG", "MOB", eng, mob),
        transition(2, 4, second, "team", None, "Mobile", eng, mob),
        transition(2, 5, second, "key", "ENG-7", "MOB-12", None, None),
        transition(
            2, 6, second, "labels",
            None, "KR5, 1ab00000-0000-4000-8000-0000000000ff",
            None, "1ab00000-0000-4000-8000-000000000002, 1ab00000-0000-4000-8000-0000000000ff",
        ),
        transition(2, 7, second, "sprint", None, None, None, "c7c1e000-0000-4000-8000-000000000007"),
        transition(3, 0, third, "status", "In Progress", "Erledigt", STARTED, DONE),
    )  # fmt: skip


def test_the_history_is_whole_where_no_page_of_it_is_missing():
    assert parse("history", page(), LINEAR, READ).history_of == (ISSUE,)
    cut = {"nodes": [], "pageInfo": {"hasNextPage": False, "hasPreviousPage": True}}
    assert history(history=cut).history_of == ()
    assert history().history_of == ("i1",)


def test_a_project_above_changes_only_while_there_is_no_parent_issue():
    to_project = {"fromProjectId": None, "toProjectId": "p1"}
    under = {"fromParentId": None, "toParentId": "i9"}
    other_project = {"fromProjectId": "p1", "toProjectId": "p2"}
    out = {"fromParentId": "i9", "toParentId": None}
    parsed = history(to_project, under, other_project, out)
    assert moves(parsed, "parent") == [
        (None, None, None, "p1"),
        (None, None, "p1", "i9"),
        (None, None, "i9", "p2"),
    ]
    assert [t.id for t in parsed.transitions] == ["h1.2", "h2.2", "h4.2"]


def test_a_parent_issue_that_never_changed_hides_the_moves_of_its_project():
    assert moves(history({"toProjectId": "p1"}, parent={"id": "i9", "identifier": "MOB-9"}), "parent") == []
    known = history({"fromParentId": "i9"}, project={"id": "p1", "slugId": "abc"})
    assert moves(known, "parent") == [(None, "abc", "i9", "p1")]


def test_nested_things_are_named():
    entry = {
        "fromParent": {"id": "i8", "identifier": "MOB-8"},
        "toParent": {"id": "i9", "identifier": "MOB-9"},
        "fromCycle": {"id": "c1", "number": 6},
        "toCycle": {"id": "c2", "number": 7, "name": "Winter"},
        "fromTeam": {"id": "t1", "key": "ENG", "name": "Engineering"},
        "toTeam": {"id": "t2", "key": "MOB", "name": "Mobile"},
        "addedLabels": [{"id": "l1", "name": "Bug"}],
        "removedLabels": [{"id": "l2", "name": "Idea"}],
    }
    parsed = history(entry)
    assert {t.field: (t.before, t.after, t.before_id, t.after_id) for t in parsed.transitions} == {
        "parent": ("MOB-8", "MOB-9", "i8", "i9"),
        "project": ("ENG", "MOB", "t1", "t2"),
        "team": ("Engineering", "Mobile", "t1", "t2"),
        "labels": ("Idea", "Bug", "l2", "l1"),
        "sprint": ("Cycle 6", "Winter", "c1", "c2"),
    }


def test_an_estimate_that_does_not_count_has_no_past():
    moved = {"fromEstimate": 1, "toEstimate": 0}
    node = {"__typename": "Issue", "id": "i1", "team": {"id": "t1"}}
    node["history"] = {"nodes": [{"id": "h1", "createdAt": "2026-10-01T00:00:00.000Z", **moved}]}
    off = replace(READ, facts={**READ.facts, "teams": {"t1": {"key": "DES", "estimates": False}}})
    assert moves(parse("history", node, LINEAR, READ), "estimate") == [("1", "0", None, None)]
    assert parse("history", node, LINEAR, off) == Parsed(history_of=("i1",))
    assert parse("history", node, replace(LINEAR, estimate="none"), READ) == Parsed(history_of=("i1",))


def test_each_move_between_teams_has_the_identifiers_in_their_order():
    there, back = ({"fromTeamId": "e", "toTeamId": "m"}, {"fromTeamId": "m", "toTeamId": "e"})
    parsed = history(there, back, identifier="ENG-9", previousIdentifiers=["ENG-1", "MOB-5"])
    assert moves(parsed, "key") == [("ENG-1", "MOB-5", None, None), ("MOB-5", "ENG-9", None, None)]
    assert moves(parsed, "project") == [("ENG", "MOB", "e", "m"), ("MOB", "ENG", "m", "e")]


@pytest.mark.parametrize(
    "issue",
    [
        {"identifier": "MOB-5", "previousIdentifiers": []},
        {"identifier": "MOB-5", "previousIdentifiers": ["ENG-1", "DES-2"]},
        {"identifier": "OPS-5", "previousIdentifiers": ["ENG-1"]},
        {"previousIdentifiers": ["ENG-1"]},
    ],
)
def test_identifiers_that_do_not_fit_the_moves_are_not_guessed(issue):
    entry = {"fromTeam": {"id": "e", "key": "ENG"}, "toTeam": {"id": "m", "key": "MOB"}}
    parsed = history(entry, **issue)
    assert moves(parsed, "key") == []
    assert moves(parsed, "project") == [("ENG", "MOB", "e", "m")]


def test_what_we_do_not_follow_is_left_out():
    entry = {"archived": True, "trashed": True, "updatedDescription": True, "fromTitle": "a", "toTitle": "b"}
    assert history(entry).transitions == ()


def test_things_of_other_kinds_have_no_past():
    body = {"data": {"projects": {"nodes": [{"id": "p1", "slugId": "abc", "history": {"nodes": []}}]}}}
    assert parse("history", json.dumps(body).encode(), LINEAR, READ) == Parsed()


def test_the_dates_of_an_issue_follow_from_its_history():
    entries = (
        {"fromStateId": TODO, "toStateId": STARTED},
        {"fromStateId": STARTED, "toStateId": DONE},
        {"fromStateId": DONE, "toStateId": STARTED},
        {"fromStateId": STARTED, "toStateId": DONE},
    )
    item = WorkItem(
        connection="linear-acme", tracker="linear", id="i1", key="MOB-1", url="", title="", type="Issue",
        level=Level.ISSUE, status="Erledigt", vendor_category=Category.DONE, category=Category.DONE,
        created_at=datetime(2026, 9, 1, tzinfo=UTC), updated_at=datetime(2026, 10, 4, tzinfo=UTC),
    )  # fmt: skip
    words = Words(LINEAR)

    def category_of(status: str | None, id: str | None, resolution: str | None) -> Category | None:
        return history_category(words, status, id, resolution, READ.facts["statuses"])

    started, completed, canceled = dates(item, history(*entries).transitions, category_of)
    assert (started, completed) == (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 4, tzinfo=UTC))
    assert canceled is None


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"data": {"issues": {"nodes": [{"id": "i1", "identifier": "MOB-1"}]}}}', "i1 has no 'history'"),
        (b'{"data": {"issues": {"nodes": [{"id": "i1", "history": {"nodes": [7]}}]}}}', "int instead of an object"),
        (b'{"data": {"issues": {"nodes": [{"id": "i1", "history": {"nodes": [{"id": "h"}]}}]}}}', "no 'createdAt'"),
        (b'{"data": {"issues": {"nodes": [{"history": {"nodes": []}}]}}}', "has no 'id'"),
        (b"[", "not JSON"),
    ],
)
def test_a_broken_history_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        parse("history", body, LINEAR, READ)


def test_histories_are_cut_into_pieces_that_read_alone():
    whole = parse("history", page(), LINEAR, READ)
    alone = [parse("history", piece, LINEAR, READ) for piece in split("history", page())]
    assert len(alone) == 2
    assert tuple(t for one in alone for t in one.transitions) == whole.transitions
    assert tuple(id for one in alone for id in one.history_of) == whole.history_of


@settings(max_examples=100, deadline=None)
@given(order=st.permutations(range(3)))
def test_entries_may_come_in_any_order(order):
    body = json.loads(page())
    nodes = body["data"]["issues"]["nodes"][0]["history"]["nodes"]
    body["data"]["issues"]["nodes"][0]["history"]["nodes"] = [nodes[n] for n in order]
    parsed = parse("history", json.dumps(body).encode(), LINEAR, READ)
    assert parsed == parse("history", page(), LINEAR, READ)
    assert len({t.id for t in parsed.transitions}) == len(parsed.transitions)


def test_a_part_of_a_history_gives_the_same_ids_as_the_whole():
    body = json.loads(page())
    history_of = body["data"]["issues"]["nodes"][0]["history"]
    history_of["nodes"] = history_of["nodes"][:1]
    part = parse("history", json.dumps(body).encode(), LINEAR, READ).transitions
    assert set(part) <= set(parse("history", page(), LINEAR, READ).transitions)


def test_without_discovery_a_state_is_what_the_entry_says():
    nothing = replace(READ, facts={})
    parsed = parse("history", page(), LINEAR, nothing)
    assert [(t.before, t.after) for t in parsed.transitions if t.field == "status"] == [
        (None, "In Progress"),
        ("In Progress", "Erledigt"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["i9", "2026-01-01T00:00:00Z", ""]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["id", "key", "name", "identifier", "number", "nodes"]), inner, max_size=4)
    ),
    max_leaves=8,
)
SIDES = [f"{side}{name}" for side in ("from", "to") for name in ("State", "StateId", "Estimate", "Parent", "Team")]


def weeks(**project: object) -> Parsed:
    node = {"id": "p1", "createdAt": "2026-10-01T08:00:00.000Z", **project}
    return parse("history", json.dumps({"data": {"projects": {"nodes": [node]}}}).encode(), LINEAR, READ)


def test_the_sums_of_a_project_that_has_ended_reach_to_its_end():
    said = weeks(completedScopeHistory=[0, 2.5, 2.5, 8], completedAt="2026-10-23T12:00:00.000Z")
    assert said.history_of == ("p1",)
    assert [(t.field, t.before, t.after, t.at.isoformat()) for t in said.transitions] == [
        ("weekly_completed_points", None, "0", "2026-10-08T08:00:00+00:00"),
        ("weekly_completed_points", "0", "2.5", "2026-10-15T08:00:00+00:00"),
        ("weekly_completed_points", "2.5", "8", "2026-10-23T12:00:00+00:00"),
    ]


def test_a_week_that_runs_says_nothing_yet_and_a_strange_value_nothing_at_all():
    said = weeks(issueCountHistory=[3, None, "x", 4, 5], scopeHistory=None, completedScopeHistory=[1])
    assert moves(said, "weekly_issues") == [(None, "3", None, None), ("3", "4", None, None)]
    assert len(said.transitions) == 2


def test_sums_of_a_project_that_was_never_created_cannot_be_dated():
    with pytest.raises(PayloadError, match="has no 'createdAt'"):
        weeks(createdAt=None, issueCountHistory=[1, 2])


def test_sums_are_known_as_history_by_their_shape():
    node = {"id": "p1", "createdAt": "2026-10-01T08:00:00.000Z", "scopeHistory": [1]}
    assert kind_of({"data": {"projects": {"nodes": [node]}}}) == "history"
    assert kind_of({"data": {"projects": {"nodes": [{**node, "name": "Pay"}]}}}) == "items"


@settings(max_examples=300, deadline=None)
@given(
    entry=st.dictionaries(
        st.sampled_from([*SIDES, "addedLabelIds", "addedLabels", "removedLabels", "toCycle", "toProjectId"]), JSON
    ),
    issue=st.dictionaries(st.sampled_from(["previousIdentifiers", "identifier", "parent", "project"]), JSON),
)
def test_an_entry_with_any_fields_is_read_and_gives_texts(entry, issue):
    for transition in history(entry, **issue).transitions:
        texts = (transition.before, transition.after, transition.before_id, transition.after_id)
        assert all(text is None or isinstance(text, str) for text in texts)
