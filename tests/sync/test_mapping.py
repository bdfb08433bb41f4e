"""Rules over an item: links, dimensions, initiatives made of items."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from domain.errors import ConfigError
from domain.okr import Contribution, Initiative, KeyResult, Status, WorkSelector
from domain.rules import All, CreateInitiative, MappingRule, Not, Test
from domain.work import Category, Level, Link, WorkItem
from domain.workspace import Connection, Workspace
from sync.mapping import Own, compile_mapping

T0 = datetime(2026, 1, 1, tzinfo=UTC)


def an_item(key="PAY-12", **facts):
    stated = {
        "connection": "jira-main",
        "tracker": "jira",
        "id": f"id-{key}",
        "key": key,
        "url": "",
        "title": "One-click pay",
        "type": "Story",
        "level": Level.ISSUE,
        "status": "To Do",
        "vendor_category": Category.TODO,
        "category": Category.TODO,
        "updated_at": T0,
        "created_at": T0,
        "project": "PAY",
    }
    return WorkItem(**(stated | facts))


def initiatives(**work):
    return {id: Initiative(id=id, title=id, work=tuple(selectors)) for id, selectors in work.items()}


def a_mapper(*rules, work=None, key_results=(), **more):
    connections = {
        name: Connection(name=name, type=name.partition("-")[0], url="")
        for name in ("jira-main", "github-acme", "linear-acme")
    }
    return compile_mapping(
        Workspace(
            name="acme",
            timezone="Europe/Berlin",
            connections=connections,
            initiatives=initiatives(**{"I1": (), "I2": (), **(work or {})}),
            key_results={id: KeyResult(id=id, objective="O1", title=id) for id in key_results},
            rules=rules,
            **more,
        )
    )


def rule(name, initiative=None, *tests, **more):
    when = tests[0] if len(tests) == 1 else All(inner=tuple(tests))
    return MappingRule(name=name, when=when, initiative=initiative, **more)


def word(field, *values):
    return Test(field=field, op="in", value=values)


def label(pattern):
    return Test(field="labels", op="matches", value=pattern)


def pairs(links):
    return [(link.initiative, link.rule) for link in links]


LABEL_RULE = rule("label", "{id}", label(r"okr/(?P<id>[\w-]+)"))
PAY = rule("pay", "I1", word("project", "PAY"))
CORE = rule("core", "I2", word("project", "CORE"))
ALL = rule("all", "I2")


def test_named_work_beats_every_rule():
    mapper = a_mapper(PAY, work={"I2": [WorkSelector(connection="jira-main", keys=("pay-12",))]})
    assert pairs(mapper.own(an_item()).links) == [("I2", "work")]
    assert pairs(mapper.own(an_item("PAY-13")).links) == [("I1", "rule:pay")]


def test_work_named_under_two_initiatives_serves_both():
    selector = WorkSelector(connection="jira-main", keys=("PAY-12",), projects=("PAY",))
    mapper = a_mapper(work={"I1": [selector], "I2": [selector]})
    assert pairs(mapper.own(an_item()).links) == [("I1", "work"), ("I2", "work")]


def test_a_key_of_another_connection_is_another_item():
    mapper = a_mapper(work={"I1": [WorkSelector(connection="github-acme", keys=("PAY-12",))]})
    assert mapper.own(an_item()) == Own()


def test_named_work_follows_the_item_when_it_moves():
    mapper = a_mapper(work={"I1": [WorkSelector(connection="jira-main", keys=("PAY-12",))]})
    assert mapper.own(an_item("CORE-5")).links == ()
    assert pairs(mapper.own(an_item("CORE-5"), former_keys=("PAY-12",)).links) == [("I1", "work")]


@pytest.mark.parametrize(
    ("facts", "name", "linked"),
    [
        ({}, "pay", True),
        ({"project": "CORE"}, "PAY", False),
        ({"connection": "github-acme", "tracker": "github", "project": "acme/api"}, "ACME/api", True),
        ({"connection": "github-acme", "tracker": "github", "containers": ("project:acme/12",)}, "acme/12", True),
        ({"connection": "linear-acme", "tracker": "linear", "type": "Project"}, "one-click PAY", True),
        ({"connection": "linear-acme", "tracker": "linear", "type": "Issue"}, "One-click pay", False),
        ({"connection": "linear-acme", "tracker": "linear", "type": "Issue", "project": "ENG"}, "ENG", False),
    ],
)
def test_projects_named_under_work(facts, name, linked):
    item = an_item(**facts)
    mapper = a_mapper(work={"I1": [WorkSelector(connection=item.connection, projects=(name,))]})
    assert bool(mapper.own(item).links) is linked


def test_the_first_matching_rule_links():
    assert pairs(a_mapper(CORE, PAY, ALL).own(an_item()).links) == [("I1", "rule:pay")]
    assert pairs(a_mapper(CORE, ALL, PAY).own(an_item()).links) == [("I2", "rule:all")]


def test_also_adds_and_ends_nothing():
    also = rule("eu", "I2", word("labels", "eu"), also=True)
    mapper = a_mapper(also, PAY, work={"I3": [WorkSelector(connection="jira-main", keys=("PAY-99",))]})
    both = mapper.own(an_item(labels=("EU",)))
    assert (pairs(both.links), pairs(both.also)) == ([("I1", "rule:pay")], [("I2", "rule:eu")])
    named = mapper.own(an_item("PAY-99", labels=("EU",)))
    assert (pairs(named.links), pairs(named.also)) == ([("I3", "work")], [("I2", "rule:eu")])
    late = a_mapper(PAY, also).own(an_item(labels=("EU",)))
    assert pairs(late.also) == [("I2", "rule:eu")]
    assert both.pairs == ((both.links[0], False), (both.also[0], True))


def test_a_rule_without_initiative_ends_nothing():
    tag = rule("tag", None, word("project", "PAY"), set={"product": "Checkout"})
    own = a_mapper(tag, PAY).own(an_item())
    assert pairs(own.links) == [("I1", "rule:pay")]
    assert own.dimensions == {"product": "Checkout"}
    assert own.rules == ("tag", "pay")


def test_dimensions_come_from_every_matching_rule_and_the_first_wins():
    rules = (
        rule("one", "I1", word("project", "PAY"), set={"product": "Checkout"}),
        rule("two", "I2", word("project", "PAY"), set={"product": "Platform", "bet": "core"}),
        rule("three", None, word("project", "CORE"), set={"region": "EU"}),
    )
    own = a_mapper(*rules).own(an_item())
    assert own.dimensions == {"product": "Checkout", "bet": "core"}
    assert pairs(own.links) == [("I1", "rule:one")]
    assert own.rules == ("one", "two")


def test_dimensions_without_a_link():
    own = a_mapper(rule("tag", None, word("project", "PAY"), set={"product": "Checkout"})).own(an_item())
    assert (own.links, own.dimensions) == ((), {"product": "Checkout"})


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("{r}", ("EU", "US")),
        ("all-{r}", ("all-EU", "all-US")),
        (["{r}", "APAC"], ("EU", "US", "APAC")),
        ({"EU": 0.7, "US": 0.3}, {"EU": 0.7, "US": 0.3}),
        ("{none}", None),
    ],
)
def test_templates_in_dimensions(stated, expected):
    tag = rule("tag", None, label("region:(?P<r>.+)|(?P<none>x)"), set={"region": stated})
    own = a_mapper(tag).own(an_item(labels=("region:EU", "region:US")))
    assert own.dimensions.get("region") == expected


@pytest.mark.parametrize(
    ("labels", "linked"),
    [
        (("okr/I1",), ["I1"]),
        (("bug", "okr/I1", "okr/I2"), ["I1", "I2"]),
        (("OKR/i1",), ["I1"]),
        (("okr/OLD",), ["I1"]),
        (("okr/I1", "okr/OLD"), ["I1"]),
        (("okr/I404",), ["I404"]),
        (("okr/KR1",), ["KR1"]),
        (("other",), []),
    ],
)
def test_templates_name_the_initiative(labels, linked):
    mapper = a_mapper(LABEL_RULE, key_results=("KR1",))
    former = Initiative(id="I1", title="I1", was=("OLD",))
    workspace = replace(mapper.workspace, initiatives={**mapper.workspace.initiatives, "I1": former})
    own = compile_mapping(workspace).own(an_item(labels=labels))
    assert [link.initiative for link in own.links] == linked


def test_a_template_that_stays_open_links_nothing_and_ends_nothing():
    half = rule("half", "{id}", label("^(?:skip|okr/(?P<id>.+))$"))
    assert pairs(a_mapper(half, PAY).own(an_item(labels=("skip",))).links) == [("I1", "rule:pay")]


def test_a_link_to_nothing_still_takes_the_match():
    assert pairs(a_mapper(LABEL_RULE, PAY).own(an_item(labels=("okr/TYPO",))).links) == [("TYPO", "rule:label")]


CREATE = rule(
    "made",
    CreateInitiative(contributes=(("{kr}", 1.0, None), ("KR9", 0.5, 80.0))),
    word("connection", "linear-acme"),
    word("level", "initiative"),
    label("^kr/(?P<kr>.+)$"),
    set={"bet": "core"},
)


def test_an_initiative_that_lives_in_a_tracker():
    item = an_item(
        "INIT-1",
        connection="linear-acme",
        tracker="linear",
        level=Level.INITIATIVE,
        labels=("kr/kr1", "kr/KR2"),
        assignees=("Maria", "Jo"),
        team="Payments",
        start_date=date(2026, 10, 1),
        due_date=date(2026, 12, 10),
    )
    own = a_mapper(CREATE, key_results=("KR1", "KR2")).own(item)
    assert pairs(own.links) == [("linear-acme:INIT-1", "rule:made")]
    assert own.created == (
        Initiative(
            id="linear-acme:INIT-1",
            title="One-click pay",
            contributes=(
                Contribution(to="KR1"),
                Contribution(to="KR2"),
                Contribution(to="KR9", share=0.5, benefit=80.0, explicit=True),
            ),
            owner="Maria",
            team="Payments",
            start=date(2026, 10, 1),
            due=date(2026, 12, 10),
            dimensions={"bet": "core"},
            external={"linear-acme": "INIT-1"},
            item="linear-acme:id-INIT-1",
        ),
    )


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"category": Category.DONE}, Status.CLOSED),
        ({"category": Category.CANCELED}, Status.CANCELED),
        ({"status": "Paused"}, Status.PAUSED),
        ({"category": Category.IN_PROGRESS}, Status.ACTIVE),
    ],
)
def test_the_state_of_the_item_is_that_of_its_initiative(facts, status):
    item = an_item(connection="linear-acme", level=Level.INITIATIVE, labels=("kr/KR1",), **facts)
    assert a_mapper(CREATE).own(item).created[0].status is status


def test_rules_that_look_at_the_parent():
    above = rule("above", "I1", word("parent.labels", "bet"))
    mapper = a_mapper(above)
    assert pairs(mapper.own(an_item(), an_item("PAY-1", labels=("bet",))).links) == [("I1", "rule:above")]
    assert mapper.own(an_item(labels=("bet",)), None).links == ()
    assert (mapper.uses_parent, mapper.uses_raw) == (True, False)


def test_rules_that_look_at_the_raw_payload():
    raw = rule("raw", "I1", Not(inner=Test(field="raw", op="jmespath", value="fields.secret")))
    mapper = a_mapper(raw)
    assert mapper.own(an_item(), raw={"fields": {"secret": True}}).links == ()
    assert pairs(mapper.own(an_item(), raw={"fields": {}}).links) == [("I1", "rule:raw")]
    assert (mapper.uses_parent, mapper.uses_raw) == (False, True)


@pytest.mark.parametrize(
    ("facts", "linked"),
    [
        ({}, False),
        ({"level": Level.EPIC}, True),
        ({"level": Level.EPIC, "project": "CORE"}, False),
        ({"level": Level.EPIC, "connection": "github-acme", "tracker": "github"}, False),
    ],
)
def test_connection_tracker_and_level_decide_beforehand(facts, linked):
    narrow = rule(
        "narrow", "I1", word("connection", "JIRA-main"), word("tracker", "jira"), word("level", "epic"),
        word("project", "PAY"),
    )  # fmt: skip
    mapper = a_mapper(narrow)
    item = an_item(**facts)
    assert bool(mapper.own(item).links) is linked
    assert bool(mapper.own(item).links) is linked
    assert bool(mapper.rules_for(item)) is (item.level is Level.EPIC and item.connection == "jira-main")


def test_negated_and_single_tests_on_the_kind_of_item():
    mapper = a_mapper(rule("epics", "I1", word("level", "epic")), rule("rest", "I2", Not(inner=word("level", "epic"))))
    assert pairs(mapper.own(an_item(level=Level.EPIC)).links) == [("I1", "rule:epics")]
    assert pairs(mapper.own(an_item()).links) == [("I2", "rule:rest")]


def test_a_broken_pattern_is_refused_when_compiled():
    with pytest.raises(ConfigError, match="labels"):
        a_mapper(rule("broken", "I1", label("(")))


def test_mirrors_by_the_file_and_by_the_trackers():
    groups = (
        (("github-acme", "acme/api#9"), ("jira-main", "PAY-7")),
        (("jira-main", "PAY-8"), ("linear-acme", "ENG-404")),
    )
    mapper = a_mapper(mirrors=groups)
    refs = {
        ("jira-main", "PAY-7"): ("jira-main", "7"),
        ("jira-main", "PAY-8"): ("jira-main", "8"),
        ("jira-main", "PAY-9"): ("jira-main", "9"),
        ("github-acme", "acme/api#9"): ("github-acme", "g9"),
    }
    found = mapper.mirrors(
        lambda connection, key: refs.get((connection, key)),
        mirrored=[
            (("linear-acme", "l1"), ["https://github.com/acme/api/issues/9", "https://elsewhere/1"]),
            (("linear-acme", "l2"), ["jira-main:PAY-9", "jira-main:PAY-404"]),
        ],
        resolved={"https://github.com/acme/api/issues/9": ("github-acme", "g9")}.get,
    )
    assert found == (
        (("jira-main", "7"), ("github-acme", "g9"), ("linear-acme", "l1")),
        (("jira-main", "9"), ("linear-acme", "l2")),
    )


def test_an_address_that_nobody_resolves_mirrors_nothing():
    mapper = a_mapper()
    assert mapper.mirrors(lambda connection, key: None, [(("linear-acme", "l1"), ["https://x/1"])]) == ()


def test_an_unlinked_item_has_nothing():
    assert a_mapper(CORE).own(an_item()) == Own(links=(), also=(), dimensions={}, created=(), rules=())
    assert a_mapper(PAY).own(an_item()).links == (Link(initiative="I1", rule="rule:pay"),)
