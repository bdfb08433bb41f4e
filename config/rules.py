"""The shape of `mapping`: rules that link whole fleets of items.

A rule's template may use the named groups of its own patterns; that they exist is checked here.
"""

from __future__ import annotations

import re
from typing import Any

from config.matchers import ITEMS, tests_of
from config.notes import Place, nearest
from config.patterns import groups_of
from config.plan import CLASSIFICATION, contribution
from config.scalars import Define, Flag, Refer
from config.shapes import ByKind, Here, Key, ListOf, Record
from domain.okr import Contribution
from domain.rules import All, CreateInitiative, MappingRule, Matcher

GROUP = re.compile(r"\{([^{}]*)\}")


def _create(values: dict[str, Any], here: Here) -> CreateInitiative:
    if not values["create"]:
        here.error("create", "Expected true; or the id of an initiative in place of this mapping.")
    contributes: list[Contribution] = values.get("contributes", [])
    return CreateInitiative(contributes=tuple((each.to, each.share, each.benefit) for each in contributes))


INITIATIVE = ByKind(
    word=Refer(("initiative",), "an initiative", templates=True),
    mapping=Record(
        "initiative",
        {
            "create": Key(Flag(), "true: make an initiative of each item that matches.", required=True),
            "contributes": Key(ListOf(contribution(templates=True)), "The key results it counts for."),
        },
        _create,
    ),
)


def _templates(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the texts of a rule that may hold templates, with their keys."""
    initiative = values.get("initiative")
    found = [("initiative", initiative)] if isinstance(initiative, str) else []
    if isinstance(initiative, CreateInitiative):
        found = [("initiative", to) for to, _, _ in initiative.contributes]
    for stated in values.get("set", {}).values():
        found += [("set", word) for word in ((stated,) if isinstance(stated, str) else stated)]
    return found


def _groups(when: Matcher) -> set[str]:
    tests = [test for test in tests_of(when) if test.op == "matches"]
    return {group for test in tests for group in groups_of(str(test.value))}


def _rule(values: dict[str, Any], here: Here) -> MappingRule:
    if "initiative" not in values and not values.get("set"):
        here.error("", "The rule does nothing: give it an initiative, or dimensions under set.")
    if values["when"] == All(inner=()):
        here.warning("when", "Empty, so that every item matches.")
    groups = _groups(values["when"])
    for key, text in _templates(values):
        for name in GROUP.findall(text):
            if name not in groups:
                valid = f"Valid: {', '.join(sorted(groups))}." if groups else "Name one in a pattern: (?P<id>…)."
                here.error(
                    key, f"'{{{name[:40]}}}' is no named group of the rule's patterns. {valid}", nearest(name, groups)
                )
    place: Place = here.place()
    return MappingRule(file=place.file, line=place.line, **values)


RULE = Record(
    "a mapping rule",
    {
        "name": Key(Define("rule", "rule", r"\S(.*\S)?"), "Its name, shown as the reason of each link.", required=True),
        "when": Key(ITEMS, "Which items it is for.", required=True),
        "initiative": Key(INITIATIVE, "The initiative to link to, {name} templates allowed, or {create: true}."),
        "set": Key(CLASSIFICATION, "Dimensions of the item itself."),
        "also": Key(Flag(), "Adds to the links that other rules make, in place of being the only one."),
    },
    _rule,
)
MAPPING = ListOf(RULE, single=False)
