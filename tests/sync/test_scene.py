"""Items as they stood: moved on from instant to instant, a scene is what it is when built at the last one."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Node
from domain.past import Known, Life, Version
from domain.work import Link
from rollup.history import fact_of
from sync.scene import Scene, turns

START = datetime(2026, 10, 1, 12, tzinfo=UTC)
END = START + timedelta(days=10)
IDS = ["1", "2", "3", "4", "5"]


def own(*initiatives, also=False):
    return tuple((Link(initiative=one, rule="work"), also) for one in initiatives)


OWN = st.sampled_from([(), own("I1"), own("I2"), own("I2", also=True)])


def life(name, versions, mirror_of=None, lost=None):
    values = dict.fromkeys(Known._fields)
    values |= {
        "connection": "jira", "id": name, "key": f"PAY-{name}", "title": name, "url": "", "tracker": "jira", "type": "",
        "status": "", "flags": "", "own": (), "measured": True, "blocked": False, "mirror_of": mirror_of,
        "inaccessible_on": lost,
    }  # fmt: skip
    return Life(Known(**values), tuple(versions), False)


def version(day, *, parent=None, category="todo", links=(), there=True, level="issue"):
    return Version(
        START + timedelta(days=day), there, level, parent, category, None, None, None, links, None, None, None
    )


@st.composite
def lives(draw):
    """Five items that come, move, change and go; circles and copies among them."""
    found = {}
    for name in IDS:
        days = draw(st.lists(st.integers(-3, 9), min_size=1, max_size=4, unique=True))
        level = draw(st.sampled_from(["epic", "issue", "subtask"]))
        versions = [
            version(
                day,
                parent=draw(st.sampled_from([None, *(one for one in IDS if one != name)])),
                category=draw(st.sampled_from(["todo", "done"])),
                links=draw(OWN),
                there=draw(st.sampled_from([True, True, True, False])),
                level=level,
            )
            for day in sorted(days)
        ]
        copied = draw(st.sampled_from([None, None, None, "jira:1"])) if name == "5" else None
        found["jira", name] = life(name, versions, copied, draw(st.sampled_from([None, None, date(2026, 10, 4)])))
    return found


@settings(max_examples=300)
@given(lives(), st.sampled_from([None, ("jira", "1")]))
def test_going_on_from_instant_to_instant_is_being_there(known, top):
    scene = Scene(known, UTC, START, grace=2, top=top)
    forms = {ref: scene.form(ref) for ref in scene.now}
    ends = {ref: START.replace(hour=0) + timedelta(days=5) for ref, one in known.items() if one.known.inaccessible_on}
    for turn in turns(scene, END, ends):
        forms |= turn.forms
        anew = Scene(known, UTC, turn.at, grace=2, top=top)
        assert forms == {ref: anew.form(ref) for ref in anew.now}


def test_an_item_whose_last_child_leaves_is_a_leaf_again():
    known = {
        ("jira", "1"): life("1", [version(-1, links=own("I1"))]),
        ("jira", "2"): life("2", [version(-1, parent="1"), version(2, parent=None)]),
    }
    scene = Scene(known, UTC, START)
    assert isinstance(scene.form(("jira", "1")), Node)
    (turn,) = turns(scene, END, {})
    assert turn.own == {("jira", "2")}
    assert not isinstance(turn.forms["jira", "1"], Node)
    assert fact_of(turn.forms["jira", "2"]).links == frozenset()


def test_a_copy_brings_its_links_to_what_stands_for_it_and_counts_for_nothing_itself():
    known = {
        ("jira", "1"): life("1", [version(-1)]),
        ("jira", "5"): life("5", [version(-1, links=own("I2"))], mirror_of="jira:1"),
    }
    scene = Scene(known, UTC, START)
    assert scene.form(("jira", "5")) is None
    face = scene.form(("jira", "1")).item
    assert face.rule == {"I2": "mirror:PAY-5"}


def test_nothing_comes_down_from_an_item_that_is_deleted():
    known = {
        ("jira", "1"): life("1", [version(-1, links=own("I1")), version(3, links=own("I1"), there=False)]),
        ("jira", "2"): life("2", [version(-1, parent="1")]),
    }
    scene = Scene(known, UTC, START)
    assert scene.form(("jira", "2")).links == {"I1"}
    (turn,) = turns(scene, END, {})
    assert (turn.forms["jira", "1"], turn.forms["jira", "2"].links) == (None, frozenset())
