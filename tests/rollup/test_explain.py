"""Explanations: inputs whose effects sum to the number, and everything left out with its reason."""

from dataclasses import replace
from datetime import UTC, date, datetime
from math import fsum

import pytest

from domain.errors import UsageError
from domain.facts import Face, Fact, Facts, Freshness, Node
from domain.okr import (
    CheckIn,
    Contribution,
    Initiative,
    KeyResult,
    ManualRollup,
    Metric,
    Milestone,
    Objective,
    Status,
    Timeframe,
)
from domain.rules import Policies
from domain.workspace import Connection, Workspace
from rollup.explain import explain, explain_epic
from rollup.scope import measure, scope_of
from rollup.views import evaluate

NOW = datetime(2026, 11, 16, 12, tzinfo=UTC)
TODAY = NOW.date()
FRESH = {"jira": Freshness(connection="jira", complete_to=NOW, stale=False)}
Q4 = Timeframe(id="Q4", start=date(2026, 10, 1), end=date(2026, 12, 31))


def face(key, links=("I1",), rule="work", inherited=None):
    return Face(
        f"id-{key}",
        key,
        f"Title of {key}",
        f"https://jira/{key}",
        dict.fromkeys(links, rule),
        dict.fromkeys(links, inherited),
        "jira",
        "Story",
        "Open",
    )


def fact(key, category="todo", estimate=None, parent=None, links=("I1",), inherited=None, **over):
    base = {
        "connection": "jira",
        "parent": parent,
        "category": category,
        "stage": None,
        "estimate": estimate,
        "team": None,
        "links": frozenset(links),
        "parent_links": frozenset({"I1"} if parent else ()),
        "subtask": False,
        "completed_on": None,
        "entered_on": None,
        "flags": "",
        "blocked": False,
        "inaccessible_on": None,
        "count": 1,
        "item": face(key, links, "work" if inherited is None else "rule:epics", inherited),
    }
    return Fact(**{**base, **over})


def facts():
    rows = (
        fact("P-2", "done", 3, parent="E", inherited="P-1", completed_on=date(2026, 10, 5)),
        fact("P-3", "todo", None, parent="E", inherited="P-1"),
        fact("P-4", "todo", 5, parent="E", links=("I2",)),
        fact("P-5", "canceled", 5),
        fact("P-6", "done", 2, completed_on=date(2026, 9, 1)),
        fact("P-7", "todo", deleted=True),
        fact("P-8", "todo", inaccessible_on=date(2026, 1, 1)),
        fact("P-9", "todo", mirror_of="github:acme/api#9"),
        fact("P-10", "todo", 1, parent="S", subtask=True),
    )
    nodes = (
        Node("E", "P-1", "epic", True, fact("P-1", estimate=13)),
        Node("S", "P-11", "issue", False, fact("P-11", "in_progress", 1)),
    )
    return Facts(rows, nodes)


def workspace(**over):
    key_results = (
        KeyResult(id="KR1", objective="O1", title="Delivered"),
        KeyResult(id="KR2", objective="O1", title="Measured", metric=Metric(start=50, target=80), weight=3),
        KeyResult(id="KR3", objective="O1", title="On hold", status=Status.PAUSED),
        KeyResult(id="KR4", objective="O1", title="Silent", metric=Metric(start=1, target=2)),
    )
    base = {
        "name": "acme",
        "timezone": "UTC",
        "connections": {"jira": Connection(name="jira", type="jira", url="https://jira")},
        "timeframes": {"Q4": Q4},
        "objectives": {"O1": Objective(id="O1", title="Grow", timeframe="Q4")},
        "key_results": {kr.id: kr for kr in key_results},
        "initiatives": {
            "I1": Initiative(id="I1", title="One", contributes=(Contribution(to="KR1", share=0.5),)),
            "I2": Initiative(id="I2", title="Two", contributes=(Contribution(to="KR1"),)),
        },
        "policies": Policies(size="points"),
    }
    return Workspace(**{**base, **over})


def views(ws):
    progress = {i: measure(facts(), scope_of(ws, i), today=TODAY) for i in ("KR1", "KR2", "I1", "I2")}
    at = datetime(2026, 11, 10, tzinfo=UTC)
    check_in = CheckIn(key_result="KR2", as_of=at, value=62, recorded_at=at, by="ada")
    return evaluate(ws, progress, check_ins=[check_in], freshness=FRESH, now=NOW)


def told(subject, ws=None):
    ws = ws or workspace()
    scope = scope_of(ws, subject) if subject not in ws.objectives else None
    return explain(views(ws), subject, facts(), scope=scope)


def effects(document):
    return fsum(row["effect"] for row in document["inputs"])


def reasons(document):
    return {row["key"]: row["reason"] for row in document["excluded"]}


def test_initiative():
    document = told("I1")
    assert list(document)[:7] == ["id", "kind", "title", "sentence", "progress", "state", "formula"]
    assert effects(document) == pytest.approx(document["progress"], abs=1e-9)
    assert document["progress"] == pytest.approx(5 / 9)
    rows = {row["key"]: row for row in document["inputs"]}
    assert set(rows) == {"P-2", "P-3", "P-6", "P-11"}
    assert rows["P-3"]["size"] == 3
    assert (rows["P-3"]["imputed"], rows["P-2"]["imputed"]) == ("siblings", None)
    assert (rows["P-2"]["rule"], rows["P-2"]["inherited_from"]) == ("rule:epics", "P-1")
    assert rows["P-2"]["effect"] == pytest.approx(3 / 9)
    assert (rows["P-2"]["credit"], rows["P-2"]["share"], rows["P-2"]["size"]) == (1.0, 1.0, 3)
    assert document["formula"] == "sum of size x credit / sum of size = 5 of 9 points = 56 %"
    assert reasons(document) == {
        "P-1": "has_children",
        "P-4": "moved_away",
        "P-5": "canceled",
        "P-7": "deleted",
        "P-8": "inaccessible",
        "P-9": "mirror",
        "P-10": "subtask",
    }
    details = {row["key"]: row["detail"] for row in document["excluded"]}
    assert details["P-4"] == "counts for I2 instead of its parent's initiative"
    assert details["P-9"] == "a mirrored copy of github:acme/api#9"
    assert document["complete_to"] == "2026-11-16T12:00:00Z"
    assert document["changes"] == []


def test_key_result_by_delivery():
    document = told("KR1")
    assert effects(document) == pytest.approx(document["progress"], abs=1e-9)
    assert document["progress"] == pytest.approx(0.5 * 3 / (0.5 * 3 + 0.5 * 4 + 5 + 0.5))
    rows = {row["key"]: row for row in document["inputs"]}
    assert (rows["P-4"]["share"], rows["P-4"]["initiative"]) == (1.0, "I2")
    assert reasons(document)["P-6"] == "done_before_start"


def test_key_result_by_outcome():
    document = told("KR2")
    assert document["progress"] == pytest.approx(0.4)
    assert effects(document) == pytest.approx(0.4, abs=1e-12)
    assert document["formula"] == "(62 - 50) / (80 - 50), kept within 0 and 1, = 40 %"
    assert document["inputs"][0]["by"] == "ada"
    assert document["delivery"]["inputs"] == []


def test_milestones():
    steps = (
        Milestone(title="a", weight=1, done=date(2026, 10, 3)),
        Milestone(title="b", weight=3),
        Milestone(title="c", weight=4, done=date(2027, 1, 1)),
    )
    kr = KeyResult(id="KR1", objective="O1", title="Steps", metric=Metric(kind="milestones", milestones=steps))
    document = told("KR1", workspace(key_results={"KR1": kr, "KR2": replace(kr, id="KR2")}))
    assert (document["progress"], effects(document)) == (0.125, 0.125)
    assert [row["effect"] for row in document["inputs"]] == [0.125, 0, 0]
    assert document["formula"] == "weight 1 of 8 reached = 12 %"


def test_objective():
    document = told("O1")
    assert effects(document) == pytest.approx(document["progress"], abs=1e-9)
    assert [(row["id"], row["weight"]) for row in document["inputs"]] == [("KR1", 1), ("KR2", 3)]
    assert reasons(document) == {"KR3": "paused", "KR4": "no_value"}
    assert document["formula"].endswith(f"/ 4 = {round(document['progress'] * 100)} %")


def test_objective_with_a_manual_value():
    manual = ManualRollup(value=0.9, by="maria", reason="audited", until=date(2026, 12, 1))
    document = told("O1", workspace(objectives={"O1": Objective(id="O1", title="x", rollup=manual)}))
    assert (document["progress"], effects(document)) == (0.9, 0.9)
    assert document["formula"] == "set by maria until 2026-12-01: audited"
    assert len(document["computed"]["inputs"]) == 2
    off = told("O1", workspace(objectives={"O1": Objective(id="O1", title="x", rollup="off")}))
    assert (off["progress"], off["inputs"]) == (None, [])


def test_unknown_id():
    with pytest.raises(UsageError, match="NOPE"):
        explain(views(workspace()), "NOPE", facts())


def epic(name):
    return explain_epic(facts(), name, Policies(), today=TODAY, workspace=workspace(), freshness=FRESH)


@pytest.mark.parametrize("name", ["P-1", "E", "jira:P-1"])
def test_epic_by_any_of_its_names(name):
    document = epic(name)
    assert (document["kind"], document["id"], document["progress"]) == ("epic", "E", pytest.approx(1 / 3))
    assert effects(document) == pytest.approx(document["progress"], abs=1e-9)
    assert [row["key"] for row in document["inputs"]] == ["P-2", "P-3", "P-4"]


def test_epic_without_children():
    assert (epic("P-6")["progress"], effects(epic("P-6"))) == (1.0, 1.0)
    assert (epic("P-5")["progress"], epic("P-5")["inputs"], epic("P-5")["state"]) == (None, [], "no_scope")


def test_unknown_and_ambiguous_epics():
    with pytest.raises(UsageError, match="P-99"):
        epic("P-99")
    twice = facts()
    twice = twice._replace(rows=(*twice.rows, fact("P-2", connection="github")))
    with pytest.raises(UsageError, match="github:P-2, jira:P-2"):
        explain_epic(twice, "P-2", Policies(), today=TODAY, workspace=workspace(), freshness=FRESH)
