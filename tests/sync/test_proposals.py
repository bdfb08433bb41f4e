"""What is not counted, and which links would mend it."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import ruamel.yaml

from domain.okr import Contribution, Initiative, KeyResult, Objective, Status, WorkSelector
from domain.rules import All, MappingRule
from domain.work import Category, Level, Link, WorkItem
from domain.workspace import Workspace
from sync import proposals as p

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def an_item(key="PAY-12", title="Something else", **facts):
    stated = {
        "connection": "jira-main",
        "tracker": "jira",
        "id": f"id-{key}",
        "key": key,
        "url": "",
        "title": title,
        "type": "Story",
        "level": Level.ISSUE,
        "status": "To Do",
        "vendor_category": Category.TODO,
        "category": Category.TODO,
        "updated_at": T0,
        "created_at": T0,
        "project": key.partition("-")[0],
    }
    return WorkItem(**(stated | facts))


I1 = Initiative(
    id="I1",
    title="One-click pay",
    was=("OLD-7",),
    contributes=(Contribution(to="KR1"), Contribution(to="KR2")),
    work=(WorkSelector(connection="jira-main", keys=("PAY-40",), projects=("PAY",)),),
)
I2 = Initiative(id="I2", title="Faster search results on every page", contributes=(Contribution(to="KR2"),))
WORKSPACE = Workspace(
    name="acme",
    timezone="UTC",
    objectives={"O1": Objective(id="O1", title="O")},
    key_results={id: KeyResult(id=id, objective="O1", title=id) for id in ("KR1", "KR2")},
    initiatives={"I1": I1, "I2": I2},
)


def proposed(*items, linked=(), **more):
    rows = p.proposals(items, linked, WORKSPACE, **more)
    return [(row["key"], row["initiative"]) for row in rows]


def test_unlinked_work_by_project_team_and_size():
    items = [
        an_item("PAY-1", level=Level.EPIC, team="Payments", estimate=13.0),
        an_item("PAY-2", team="Payments", estimate=0.0),
        an_item("PAY-3", estimate=5.0),
        an_item("CORE-1", level=Level.SUBTASK, estimate=2.5),
        an_item("CORE-2", category=Category.CANCELED),
        an_item("CORE-3", deleted=True),
    ]
    assert p.unlinked_work(items) == {
        "epics": 1,
        "items": 3,
        "by_project": [
            {"connection": "jira-main", "project": "PAY", "epics": 1, "items": 2},
            {"connection": "jira-main", "project": "CORE", "epics": 0, "items": 1},
        ],
        "by_team": [{"team": "", "epics": 0, "items": 2}, {"team": "Payments", "epics": 1, "items": 1}],
        "by_size": [
            {"size": "up to 5", "epics": 0, "items": 2},
            {"size": "0", "epics": 0, "items": 1},
            {"size": "over 8", "epics": 1, "items": 0},
        ],
    }
    assert p.unlinked_work([an_item()])["by_size"] == [{"size": "not estimated", "epics": 0, "items": 1}]


def test_rules_that_gave_nothing_are_dead():
    rules = [MappingRule(name=name, when=All(inner=()), file="k.yaml", line=line) for line, name in enumerate("abc")]
    assert p.dead_rules(rules, {"b": 3, "c": 0}) == [
        {"rule": "a", "file": "k.yaml", "line": 0},
        {"rule": "c", "file": "k.yaml", "line": 2},
    ]


def test_links_to_nothing_say_what_is_there_instead():
    links = [
        ("j:1", "PAY-1", Link(initiative=initiative, rule="rule:x"))
        for initiative in ("I1", "made:1", "TYPO", "KR1", "O1")
    ]
    rows = p.dangling(WORKSPACE, links, {"made:1"})
    assert [(row["initiative"], row["reason"]) for row in rows] == [
        ("KR1", "KR1 is a key result; link to one of its initiatives"),
        ("O1", "O1 is an objective; link to an initiative below it"),
        ("TYPO", "no initiative is called TYPO"),
    ]
    assert rows[0]["key"] == "PAY-1"


def test_made_initiatives_that_serve_nothing():
    made = Initiative(id="l:X", title="", item="l:1", contributes=(Contribution(to="KR1"), Contribution(to="KR404")))
    assert p.dangling_contributions(WORKSPACE, [made]) == [
        {"item": "l:1", "key": "l:X", "initiative": "KR404", "reason": "no key result KR404"}
    ]


def test_named_work_that_is_not_there():
    assert p.missing_work([I1], lambda c, k: False, lambda c, n: n == "PAY") == [
        {"initiative": "I1", "connection": "jira-main", "key": "PAY-40", "kind": "key"}
    ]
    assert p.missing_work([I1], lambda c, k: (c, k) == ("jira-main", "PAY-40"), lambda c, n: True) == []


def test_unmapped_statuses_with_the_line_to_paste():
    assert p.unmapped_statuses([("jira-main", "Parked", 1), ("jira-main", "In QA: done?", 4)]) == [
        {"connection": "jira-main", "status": "In QA: done?", "items": 4, "yaml": '"In QA: done?": todo'},
        {"connection": "jira-main", "status": "Parked", "items": 1, "yaml": "Parked: todo"},
    ]


@pytest.mark.parametrize(
    ("facts", "initiative", "reason"),
    [
        ({"labels": ("okr/I1",)}, "I1", "its label 'okr/I1' names I1"),
        ({"labels": ("i2",)}, "I2", "its label 'i2' names I2"),
        ({"labels": ("OLD-7",)}, "I1", "its label 'OLD-7' names OLD-7"),
        ({"title": "[I1] guest checkout"}, "I1", "its title names I1"),
        ({"title": "Part of I1: guests"}, "I1", "its title names I1"),
        ({"title": "Follow-up of PAY-40."}, "I1", "its title names PAY-40, which is work of I1"),
        ({"title": "Towards KR1"}, "I1", "its title names KR1, which only I1 serves"),
        ({"title": "Towards KR2"}, None, None),
        ({"title": "I12 and I1x are other things"}, None, None),
        ({"title": "Talk about O1"}, None, None),
    ],
)
def test_ids_in_text_and_labels(facts, initiative, reason):
    rows = p.proposals([an_item(**facts)], [], WORKSPACE)
    assert [(row["initiative"], row["reason"]) for row in rows] == ([(initiative, reason)] if initiative else [])


def test_an_id_that_is_a_common_word_counts_in_labels_only():
    plain = replace(WORKSPACE, initiatives={"checkout": Initiative(id="checkout", title="Zzz")})
    assert p.proposals([an_item(title="Fix the checkout")], [], plain) == []
    assert len(p.proposals([an_item(labels=("okr/checkout",))], [], plain)) == 1


OTHERS = [(("bug",), ("I2",))] * 6


@pytest.mark.parametrize(
    ("linked", "expected"),
    [
        ([(("Wallet",), ("I1",))] * 3 + OTHERS, [("PAY-12", "I1")]),
        ([(("wallet",), ("I1",))] * 2 + OTHERS, []),
        ([(("wallet",), ("I1",))] * 3 + [(("wallet",), ("I2",))] * 4 + [((), ("I1",))] * 3, []),
        ([(("wallet",), ("I1",))] * 3 + [(("wallet",), ("I9",))] * 4 + OTHERS, []),
        ([(("wallet",), ("I1",))] * 9, []),
    ],
)
def test_labels_shared_with_linked_items(linked, expected):
    assert proposed(an_item(labels=("wallet",)), linked=linked) == expected


def test_the_reason_of_a_shared_label_has_its_numbers():
    rows = p.proposals([an_item(labels=("Wallet",))], [(("wallet",), ("I1",))] * 3 + OTHERS, WORKSPACE)
    assert rows[0]["reason"] == "shares the label 'Wallet' with 3 items of I1, 2.5 times the average"


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("one click pay", "I1"),
        ("Add One-Click Pay to the cart", "I1"),
        ("Guests in every region can use one click to pay for what they put there", "I1"),
        ("Faster results of searches", None),
        ("Fast search result on each page", "I2"),
        ("Search results faster on pages", "I2"),
        ("Pay", None),
        ("", None),
    ],
)
def test_similar_titles(title, expected):
    assert [key[1] for key in proposed(an_item(title=title))] == ([expected] if expected else [])


def test_what_is_not_open_or_not_work_is_left_alone():
    closed = replace(WORKSPACE, initiatives={"I1": replace(I1, status=Status.CLOSED)})
    assert p.proposals([an_item(labels=("I1",))], [], closed) == []
    assert proposed(an_item(labels=("I1",), category=Category.CANCELED)) == []


EPIC = an_item("PAY-1", level=Level.EPIC)


def child(number, **facts):
    return an_item(f"PAY-{100 + number}", parent_id="id-PAY-1", **facts)


def test_the_topmost_unlinked_ancestor_is_proposed_once():
    grandchild = an_item("PAY-200", parent_key="PAY-101", labels=("I1",))
    rows = p.proposals([grandchild, child(1), EPIC, child(2)], [], WORKSPACE)
    assert [(row["key"], row["reason"]) for row in rows] == [
        ("PAY-1", "1 of the 3 unlinked items below it: its label 'I1' names I1")
    ]


def test_children_that_disagree_stand_alone():
    assert proposed(EPIC, child(1, labels=("I1",)), child(2, labels=("I2",))) == [("PAY-101", "I1"), ("PAY-102", "I2")]


def test_a_child_that_says_otherwise_than_its_epic_stands_beside_it():
    epic = replace(EPIC, labels=("I1",))
    assert proposed(epic, child(1, labels=("I2",)), child(2, labels=("I1",))) == [("PAY-1", "I1"), ("PAY-101", "I2")]


def test_a_guess_about_one_of_many_children_is_about_that_child():
    children = [child(number) for number in range(2, 5)]
    assert proposed(EPIC, child(1, title="One click pay"), *children) == [("PAY-101", "I1")]
    assert proposed(EPIC, child(1, title="One click pay"), child(2, title="Pay by one click")) == [("PAY-1", "I1")]


def test_a_cycle_of_parents_ends():
    a = an_item("PAY-1", parent_id="id-PAY-2", labels=("I1",))
    b = an_item("PAY-2", parent_id="id-PAY-1")
    assert len(proposed(a, b)) == 1


def test_best_first_and_never_more_than_asked():
    items = [
        an_item("PAY-3", title="one click pay"),
        an_item("PAY-2", title="About I1"),
        an_item("PAY-1", labels=("I1",)),
        *(an_item(f"CORE-{number}", title="One click pay guest") for number in range(100)),
    ]
    random.Random(4).shuffle(items)
    keys = [key for key, _ in proposed(*items)]
    assert keys[:3] == ["PAY-1", "PAY-2", "PAY-3"]
    assert len(keys) == 50
    assert len(proposed(*items, most=2)) == 2


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "- {connection: jira-main, keys: [PAY-12]}"),
        (
            {"connection": "github-acme", "tracker": "github", "key": "acme/api#418"},
            '- {connection: github-acme, keys: ["acme/api#418"]}',
        ),
        (
            {"connection": "linear-acme", "tracker": "linear", "type": "Project", "title": 'Pay "now": EU'},
            '- {connection: linear-acme, projects: ["Pay \\"now\\": EU"]}',
        ),
    ],
)
def test_the_line_to_paste_is_yaml(facts, line):
    item = an_item(**{"labels": ("I1",), **facts})
    rows = p.proposals([item], [], WORKSPACE)
    assert rows[0]["yaml"] == line
    [read] = ruamel.yaml.YAML(typ="safe").load(line)
    assert (read.get("keys") or read["projects"]) == [item.key if "keys" in read else item.title]


def test_work_for_an_initiative_of_a_tracker_is_linked_by_a_rule():
    made = Initiative(id="linear-acme:INIT-1", title="Wallets for everyone")
    rows = p.proposals([an_item(title="Wallets for everyone")], [], WORKSPACE, created=[made])
    assert ruamel.yaml.YAML(typ="safe").load(rows[0]["yaml"]) == [
        {
            "name": "link PAY-12",
            "when": {"connection": "jira-main", "key": "PAY-12"},
            "initiative": "linear-acme:INIT-1",
        }
    ]


@pytest.mark.parametrize(("text", "line"), [("true", '"true"'), ("7", '"7"'), ("für", '"für"'), ("a-b.c", "a-b.c")])
def test_scalars_that_read_back_as_texts(text, line):
    assert p.scalar(text) == line
    assert ruamel.yaml.YAML(typ="safe").load(line) == text
