"""Links on their way down the tree, over places made by hand."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.work import Link
from sync.inheritance import Inheritance, brought_along, effective, handed_down, mirror_groups, mirror_of


@dataclass
class Place:
    key: str
    parent_id: str | None = None
    own: tuple[tuple[Link, bool], ...] = ()
    connection: str = "c"


def link(initiative, rule="rule:r", inherited_from=None):
    return Link(initiative=initiative, rule=rule, inherited_from=inherited_from)


def tree(**nodes):
    """Build places from id -> (parent, own initiatives; a + before one that adds)."""
    return {
        ("c", id): Place(
            key=f"K-{id}", parent_id=parent, own=tuple((link(one.lstrip("+")), one.startswith("+")) for one in own)
        )
        for id, (parent, own) in nodes.items()
    }


def found(places, id, **more):
    links = Inheritance(places=places, **more).links(("c", id))
    return [(one.initiative, one.inherited_from) for one in links]


FAMILY = tree(
    epic=(None, ["I1"]),
    story=("epic", []),
    moved=("epic", ["I2"]),
    added=("epic", ["+I2"]),
    subtask=("story", []),
    below_moved=("moved", []),
    below_added=("added", []),
    same=("epic", ["+I1"]),
    both=("epic", ["I2", "+I3"]),
    orphan=("nobody", []),
)


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        ("epic", [("I1", None)]),
        ("story", [("I1", "K-epic")]),
        ("subtask", [("I1", "K-epic")]),
        ("moved", [("I2", None)]),
        ("below_moved", [("I2", "K-moved")]),
        ("added", [("I1", "K-epic"), ("I2", None)]),
        ("below_added", [("I1", "K-epic"), ("I2", "K-added")]),
        ("same", [("I1", None)]),
        ("both", [("I2", None), ("I3", None)]),
        ("orphan", []),
        ("unheard", []),
    ],
)
def test_the_nearest_links_count_and_also_adds(id, expected):
    assert found(FAMILY, id) == expected


def test_leaves_are_asked_for_by_their_parent():
    assert Inheritance(places=FAMILY).below(("c", "story")) == (link("I1", inherited_from="K-epic"),)
    assert Inheritance(places=FAMILY).below(("c", "nobody")) == ()


def test_a_cycle_is_cut_at_the_first_repeated_item():
    places = tree(a=("b", ["I1"]), b=("c", []), c=("a", ["+I2"]), hanging=("c", []), self=("self", ["I3"]))
    assert found(places, "a") == [("I1", None)]
    assert found(places, "b") == [("I1", "K-a"), ("I2", "K-c")]
    assert found(places, "c") == [("I1", "K-a"), ("I2", None)]
    assert found(places, "hanging") == [("I1", "K-a"), ("I2", "K-c")]
    assert found(places, "self") == [("I3", None)]


IDS = "abcdefg"
TREES = st.fixed_dictionaries(
    {
        id: st.tuples(
            st.sampled_from([None, "x", *IDS]), st.lists(st.sampled_from(["I1", "I2", "+I2", "+I3"]), max_size=2)
        )
        for id in IDS
    }
)


@given(nodes=TREES, order=st.permutations(IDS))
def test_links_do_not_depend_on_the_order_of_the_items(nodes, order):
    places = tree(**nodes)
    one, other = Inheritance(places=places), Inheritance(places=places)
    first = {id: one.links(("c", id)) for id in IDS}
    second = {id: other.links(("c", id)) for id in order}
    assert first == second
    assert all(found(places, id) == [(x.initiative, x.inherited_from) for x in first[id]] for id in IDS)


@given(nodes=TREES)
def test_an_initiative_is_linked_once_and_own_links_are_in_effect(nodes):
    places = tree(**nodes)
    for id in IDS:
        links = Inheritance(places=places).links(("c", id))
        assert len({one.initiative for one in links}) == len(links)
        assert {one.lstrip("+") for one in nodes[id][1]} <= {one.initiative for one in links}


def test_mirrored_copies_bring_their_links_to_the_leading_item_and_below():
    added = {("c", "story"): brought_along([("acme/api#9", [link("I7"), link("I1")])])}
    inheritance = Inheritance(places=FAMILY, added=added)
    assert inheritance.links(("c", "story")) == (
        link("I1", "mirror:acme/api#9"),
        link("I7", "mirror:acme/api#9"),
    )
    assert [one.initiative for one in inheritance.links(("c", "subtask"))] == ["I1", "I7"]


def test_an_own_link_is_kept_before_that_of_a_copy():
    assert effective([(link("I1"), False)], [link("I9", inherited_from="E")], [link("I1", "mirror:x")]) == (link("I1"),)


def test_links_handed_down_name_who_had_them():
    assert handed_down([link("I1"), link("I2", inherited_from="E-1")], "S-1") == (
        link("I1", inherited_from="S-1"),
        link("I2", inherited_from="E-1"),
    )


ORDER = {"jira": 0, "github": 1, "linear": 2}
STATEMENTS = [
    [("github", "9"), ("jira", "7")],
    [("linear", "3"), ("github", "9")],
    [("linear", "5"), ("linear", "4")],
    [("jira", "1")],
    [("unheard", "0"), ("linear", "6")],
]


@given(order=st.permutations(STATEMENTS))
def test_groups_of_mirrors_whatever_is_said_first(order):
    groups = mirror_groups(order, ORDER, {("linear", "5"): 0, ("linear", "4"): 1})
    assert groups == (
        (("jira", "7"), ("github", "9"), ("linear", "3")),
        (("linear", "5"), ("linear", "4")),
        (("linear", "6"), ("unheard", "0")),
    )
    assert mirror_of(groups) == {
        ("github", "9"): ("jira", "7"),
        ("linear", "3"): ("jira", "7"),
        ("linear", "4"): ("linear", "5"),
        ("unheard", "0"): ("linear", "6"),
    }
