"""Timelines of issues become transitions, and agree with what the settled item says of its own dates."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.base import Parsed
from connectors.github.parse import defaults, parse
from domain.errors import PayloadError
from domain.work import Category, Transition, Upsert
from domain.workspace import Connection
from sync.settle import Words, dates, history_category, settle

SAMPLES = Path(__file__).parent / "samples"
GITHUB = Connection(
    name="github-acme", type="github", url="https://api.github.com", scope={"projects": ["acme/12"]},
    status={"project_field": "Status"},
)  # fmt: skip
AUTO = replace(GITHUB, status="auto")
READ = defaults(GITHUB)


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def history(body: object, connection: Connection = GITHUB) -> Parsed:
    return parse("history", body, connection, READ)


def told(parsed: Parsed, *names: str) -> list[tuple[str, str, str | None, str | None]]:
    return [(t.id, t.field, t.before, t.after) for t in parsed.transitions if not names or t.field in names]


def event(kind: str, id: str, at: str, **parts: object) -> dict[str, object]:
    return {"__typename": f"{kind}Event", "id": id, "createdAt": f"2026-{at}T09:00:00Z", **parts}


def timeline(*events: object, **issue: object) -> dict[str, object]:
    node = {"id": "I_1", "number": 1, "repository": {"nameWithOwner": "acme/api"}, **issue}
    return {"data": {"nodes": [{**node, "timelineItems": {"nodes": list(events)}}]}}


def labeled(id: str, at: str, name: str, kind: str = "Labeled") -> dict[str, object]:
    return event(kind, id, at, label={"id": f"LA_{name}", "name": name})


def moved(id: str, at: str, before: str, after: str, number: int = 12) -> dict[str, object]:
    project = {"id": f"PVT_{number}", "number": number}
    return event("ProjectV2ItemStatusChanged", id, at, previousStatus=before, status=after, project=project)


def test_timelines_are_read_whole():
    parsed = history(sample("timeline__nodes"))
    assert parsed.history_of == ("I_12",)  # the other goes on
    assert told(parsed) == [
        ("LE_1.4", "labels", None, "size/5"),
        ("PAE_1.3", "parent", None, "acme/api#7"),
        ("IFE_1.2", "estimate", None, "5"),
        ("PVS_1.0", "status", "open", "Todo"),
        ("PVS_2.0", "status", "Todo", "In progress"),
        ("ITE_1.5", "type", "Bug", "Task"),
        ("IFE_2.2", "estimate", "5", "3"),
        ("TE_1.6", "project", "acme/old", "acme/api"),
        ("TE_1.7", "key", None, "acme/api#12"),
        ("CE_1.0", "status", "In progress", "closed"),
        ("CE_1.1", "resolution", None, "not_planned"),
        ("RE_1.0", "status", "closed", "In progress"),
        ("RE_1.1", "resolution", "not_planned", None),
        ("PRE_1.3", "parent", "acme/api#7", None),
        ("PVS_3.0", "status", "In progress", "Done"),
        ("PVS_3.1", "resolution", None, "completed"),
        ("UE_1.4", "labels", "size/5", None),
        ("CE_9.0", "status", "open", "closed"),
        ("CE_9.1", "resolution", None, "duplicate"),
    ]
    ids = [(t.item_id, t.id) for t in parsed.transitions]
    assert len(ids) == len(set(ids))


def test_a_transition_carries_what_github_gives_ids_to():
    parsed = history(sample("timeline__nodes"))
    assert parsed.transitions[1] == Transition(
        connection="github-acme",
        item_id="I_12",
        id="PAE_1.3",
        at=moment("10-02T09:01:00"),
        field="parent",
        before=None,
        after="acme/api#7",
        before_id=None,
        after_id="I_7",
    )
    assert (parsed.transitions[0].after_id, parsed.transitions[5].before_id) == ("LA_3", "IT_9")


def test_by_open_and_closed_alone_words_of_projects_change_nothing():
    assert told(history(sample("timeline__nodes"), AUTO), "status", "resolution")[:6] == [
        ("CE_1.0", "status", "open", "closed"),
        ("CE_1.1", "resolution", None, "not_planned"),
        ("RE_1.0", "status", "closed", "open"),
        ("RE_1.1", "resolution", "not_planned", None),
        ("PVS_3.0", "status", "open", "closed"),
        ("PVS_3.1", "resolution", None, "completed"),
    ]


def test_events_of_rest_say_the_same():
    parsed = history(sample("timeline__rest"), AUTO)
    assert parsed.history_of == ("I_12",)
    assert told(parsed) == [
        ("LE_1.4", "labels", None, "size/5"),
        ("CE_1.0", "status", "open", "closed"),
        ("CE_1.1", "resolution", None, "not_planned"),
        ("RE_1.0", "status", "closed", "open"),
        ("RE_1.1", "resolution", "not_planned", None),
    ]


def test_a_list_of_rest_that_goes_on_is_not_the_whole_past():
    page = {**json.loads(sample("timeline__rest")), "whole": False}
    assert history(page).history_of == ()


def test_events_of_a_repository_name_their_issues():
    def closed(id: int, issue: int) -> dict[str, object]:
        return {
            "id": id,
            "event": "closed",
            "created_at": f"2026-10-0{id}T09:00:00Z",
            "issue": {"node_id": f"I_{issue}"},
        }

    parsed = history([closed(1, 1), closed(2, 2), closed(3, 1)])
    assert [(t.item_id, t.id) for t in parsed.transitions] == [("I_1", "1.0"), ("I_2", "2.0")]
    assert parsed.history_of == ()


# --- what is made of labels, projects, milestones


def test_labels_say_status_and_estimate_where_the_file_says_so():
    connection = replace(GITHUB, status={"label": "status/(.+)"}, estimate={"label": r"size/(\d+)"})
    parsed = history(
        timeline(
            labeled("1", "01-01", "status/Todo"),
            labeled("2", "01-02", "size/3"),
            labeled("3", "01-03", "status/Todo", "Unlabeled"),
            labeled("4", "01-03", "status/In progress"),
            event("Closed", "5", "01-04", stateReason="COMPLETED"),
            labeled("6", "01-05", "size/3", "Unlabeled"),
        ),
        connection,
    )
    assert told(parsed, "status", "estimate") == [
        ("1.0", "status", "open", "Todo"),
        ("2.2", "estimate", None, "3"),
        ("4.0", "status", "Todo", "In progress"),
        ("5.0", "status", "In progress", "closed"),
        ("6.2", "estimate", "3", None),
    ]


def test_what_is_taken_away_first_was_there_from_the_start():
    connection = replace(GITHUB, status={"label": "status/(.+)"})
    first = timeline(
        labeled("1", "01-02", "status/Todo", "Unlabeled"),
        event("Reopened", "2", "01-03"),
        event("ParentIssueRemoved", "3", "01-04", parent={"id": "I_7", "number": 7, "repository": {}}),
    )
    assert told(history(first, connection)) == [
        ("1.4", "labels", "status/Todo", None),
        ("2.0", "status", "closed", "open"),
        ("3.3", "parent", None, None),
    ]
    assert history(first, connection).transitions[2].before_id == "I_7"
    assert told(history(timeline(moved("1", "01-02", "Todo", "Done")))) == [("1.0", "status", "Todo", "Done")]


def test_the_first_project_of_the_scope_says_the_status():
    connection = replace(GITHUB, scope={"projects": ["acme/12", "acme/40"]})
    events = [
        moved("1", "01-01", "", "Todo", 40),
        moved("2", "01-02", "", "In progress"),
        moved("3", "01-03", "", "Done", 40),
    ]
    events += [event("RemovedFromProjectV2", "4", "01-04", project={"id": "PVT_12", "number": 12})]
    assert told(history(timeline(*events), connection)) == [
        ("1.0", "status", "open", "Todo"),
        ("2.0", "status", "Todo", "In progress"),
        ("4.0", "status", "In progress", "Done"),
    ]


def test_without_projects_in_the_scope_any_project_says_the_status():
    anywhere = replace(GITHUB, scope={"repositories": ["acme/api"]})
    assert told(history(timeline(moved("1", "01-01", "", "Done", 40)), anywhere)) == [("1.0", "status", "open", "Done")]
    assert told(history(timeline(moved("1", "01-01", "", "Done", 40)))) == []


def test_a_project_is_known_by_the_id_that_discovery_found():
    connection = replace(GITHUB, scope={"projects": ["acme/12", "other/12"]})
    known = {"acme/12": {"id": "PVT_12"}, "other/12": {"id": "PVT_x"}}
    reading = replace(READ, facts={**READ.facts, "projects": known})
    body = timeline(moved("1", "01-01", "", "Done"))
    assert told(parse("history", body, connection, reading)) == [("1.0", "status", "open", "Done")]
    assert told(history(body, connection)) == []


def test_another_field_of_the_project_has_no_past():
    staged = replace(GITHUB, status={"project_field": "Stage"})
    assert told(history(timeline(moved("1", "01-01", "", "Done")), staged)) == []


def test_an_issue_field_that_is_the_estimate_is_followed():
    def changed(kind: str, id: str, at: str, name: str = "Size", **parts: object) -> dict[str, object]:
        return event(f"IssueField{kind}", id, at, issueField={"name": name}, **parts)

    events = [
        changed("Changed", "1", "01-01", previousValue="8", newValue="5"),
        changed("Added", "2", "01-02", name="Effort", value="99"),
        changed("Removed", "3", "01-03"),
    ]
    expected = [("1.2", "estimate", "8", "5"), ("3.2", "estimate", "5", None)]
    assert told(history(timeline(*events), replace(GITHUB, estimate={"issue_field": "Size"}))) == expected
    assert told(history(timeline(*events))) == [("2.2", "estimate", None, "99")]
    assert told(history(timeline(*events), replace(GITHUB, estimate="none"))) == []


def test_a_milestone_is_a_parent_where_milestones_are_epics():
    above = {"id": "I_7", "number": 7, "repository": {"nameWithOwner": "acme/api"}}
    body = timeline(
        event("Milestoned", "1", "01-01", milestoneTitle="2026.10"),
        event("Demilestoned", "2", "01-02", milestoneTitle="2026.10"),
        event("Milestoned", "3", "01-02", milestoneTitle="2026.11"),
        event("ParentIssueAdded", "4", "01-03", parent=above),
        event("ParentIssueRemoved", "5", "01-04", parent=above),
        milestone={"id": "MI_3", "title": "2026.11"},
    )
    parsed = history(body, replace(GITHUB, epics={"milestones": True}))
    assert told(parsed) == [
        ("1.3", "parent", None, "2026.10"),
        ("3.3", "parent", "2026.10", "2026.11"),
        ("4.3", "parent", "2026.11", "acme/api#7"),
        ("5.3", "parent", "acme/api#7", "2026.11"),
    ]
    assert parsed.transitions[1].after_id == "MI_3"
    assert told(history(body)) == [("4.3", "parent", None, "acme/api#7"), ("5.3", "parent", "acme/api#7", None)]


def test_each_transfer_leads_to_the_next_repository():
    body = timeline(
        event("Transferred", "1", "01-01", fromRepository={"nameWithOwner": "acme/a"}),
        event("Transferred", "2", "01-02", fromRepository={"nameWithOwner": "acme/b"}),
        event("Transferred", "3", "01-03", fromRepository=None),
    )
    assert told(history(body)) == [
        ("1.6", "project", "acme/a", "acme/b"),
        ("2.6", "project", "acme/b", None),
        ("3.6", "project", None, "acme/api"),
        ("3.7", "key", None, "acme/api#1"),
    ]


def test_types_come_change_and_go():
    body = timeline(
        event("IssueTypeAdded", "1", "01-01", issueType={"id": "IT_1", "name": "Bug"}),
        event("IssueTypeRemoved", "2", "01-02", issueType={"id": "IT_1", "name": "Bug"}),
    )
    assert told(history(body)) == [("1.5", "type", None, "Bug"), ("2.5", "type", "Bug", None)]


def test_an_event_that_comes_twice_counts_once_and_out_of_order_in_order():
    closed, reopened = event("Closed", "9", "01-02", stateReason="COMPLETED"), event("Reopened", "8", "01-03")
    assert told(history(timeline(reopened, closed, closed)), "status") == [
        ("9.0", "status", "open", "closed"),
        ("8.0", "status", "closed", "open"),
    ]


# --- the past and the present agree


@pytest.mark.parametrize(
    ("state", "reason", "word", "expected"),
    [
        ("CLOSED", "COMPLETED", "Done", (moment("10-06T08:00:00"), moment("11-12T10:00:00"), None)),
        ("CLOSED", "NOT_PLANNED", "In progress", (moment("10-06T08:00:00"), None, moment("11-12T10:00:00"))),
    ],
)
def test_the_past_dates_the_settled_item(state, reason, word, expected):
    page = json.loads(sample("timeline__nodes"))
    nodes = page["data"]["nodes"][0]["timelineItems"]["nodes"]
    for one in nodes:
        if one and one["id"] == "CE_2":
            one["stateReason"] = reason
        if one and one["id"] == "PVS_3":
            one["status"] = word
    transitions = [t for t in history(page).transitions if t.item_id == "I_12"]
    project = {"number": 12, "owner": {"login": "acme"}}
    node = {
        "id": "I_12", "number": 12, "title": "t", "state": state, "stateReason": reason,
        "createdAt": "2026-10-02T09:00:00Z", "updatedAt": "2026-11-13T09:00:00Z", "closedAt": "2026-11-12T10:00:00Z",
        "repository": {"nameWithOwner": "acme/api"},
        "projectItems": {"nodes": [{"project": project, "value0": {"field": {"name": "Status"}, "name": word}}]},
    }  # fmt: skip
    (change,) = parse("items", node, GITHUB, READ).changes
    assert isinstance(change, Upsert)
    words = Words(GITHUB)
    item = settle(change.item, words)
    assert item.category is (Category.DONE if reason == "COMPLETED" else Category.CANCELED)

    def category_of(status, status_id, resolution):
        return history_category(words, status, status_id, resolution, READ.facts["statuses"])

    assert dates(item, transitions, category_of) == expected


PARENTS = [{"id": f"I_{number}", "number": number, "repository": {"nameWithOwner": "acme/api"}} for number in (7, 8)]
KINDS = st.one_of(
    st.tuples(st.just("Closed"), st.fixed_dictionaries({"stateReason": st.sampled_from(["COMPLETED", "NOT_PLANNED"])})),
    st.tuples(st.just("Reopened"), st.just({})),
    st.tuples(
        st.sampled_from(["Labeled", "Unlabeled"]),
        st.fixed_dictionaries({"label": st.sampled_from([{"name": "size/1"}, {"name": "size/2"}, {"name": "bug"}])}),
    ),
    st.tuples(
        st.just("ProjectV2ItemStatusChanged"),
        st.fixed_dictionaries({
            "previousStatus": st.sampled_from(["", "Todo"]), "status": st.sampled_from(["Todo", "In progress", "Done"]),
            "project": st.just({"id": "PVT_12", "number": 12}),
        }),
    ),
    st.tuples(
        st.sampled_from(["ParentIssueAdded", "ParentIssueRemoved"]),
        st.fixed_dictionaries({"parent": st.sampled_from(PARENTS)}),
    ),
    st.tuples(
        st.sampled_from(["Milestoned", "Demilestoned"]),
        st.fixed_dictionaries({"milestoneTitle": st.sampled_from(["2026.10", "2026.11"])}),
    ),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(drawn=st.lists(st.tuples(KINDS, st.integers(1, 9)), max_size=12))
def test_each_change_begins_where_the_last_one_ended(drawn):
    connection = replace(GITHUB, estimate={"label": r"size/(\d+)"}, epics={"milestones": True})
    events = [event(kind, f"E{n}", f"01-0{day}", **parts) for n, ((kind, parts), day) in enumerate(drawn)]
    transitions = history(timeline(*events), connection).transitions
    assert len({t.id for t in transitions}) == len(transitions)
    assert [t.at for t in transitions] == sorted(t.at for t in transitions)
    for name in ("status", "resolution", "estimate", "parent"):
        chain = [(t.before, t.after) for t in transitions if t.field == name]
        assert all(before == earlier[1] for earlier, (before, _) in pairwise(chain))
        assert all(before != after for before, after in chain)


# --- what is broken


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([1], "does not say which issue"),
        ([{"event": "closed", "id": 1, "created_at": "2026-01-01T00:00:00Z"}], "does not say which issue"),
        ({"events": [], "issue": None}, "has no 'id'"),
        ({"events": 7, "issue": {"node_id": "I_1"}}, "timeline of issue None is int"),
        ({"data": {"node": {"id": "I_1", "timelineItems": {"nodes": None}}}}, "timeline of issue I_1 is NoneType"),
        (timeline(7), "timeline of issue I_1 holds int"),
        (timeline({"__typename": "ClosedEvent", "id": "1"}), "'closed' event of issue I_1 has no 'id' or no time"),
    ],
)
def test_a_broken_timeline_says_what_is_broken(body, says):
    with pytest.raises(PayloadError, match=says):
        history(body)


def test_an_empty_answer_holds_no_past():
    assert history({"data": {"nodes": [None, {"__typename": "PullRequest"}]}}) == Parsed()
