"""The operator's rules over a work item: what it counts as, which initiatives it is linked to, its dimensions.

Pure: a `Mapper` is compiled once from a workspace and holds no state but caches of what it computed.
Links on their way down the tree are in `inheritance`, matchers in `matchers`, statuses in `settle`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import NamedTuple
from zoneinfo import ZoneInfo

from domain.okr import Contribution, Initiative, KeyResult, Status
from domain.rules import All, CreateInitiative, MappingRule, Matcher, Test
from domain.work import Category, Link, WorkItem
from domain.workspace import Connection, Workspace
from sync.inheritance import Ref, mirror_groups, mirror_of
from sync.matchers import (
    Captures,
    Groups,
    Predicate,
    captures,
    condition,
    every_test,
    predicate,
    subject_matches,
    word,
)
from sync.settle import Words, dates, history_category, history_state, settle

__all__ = ["Mapper", "Own", "compile_mapping", "dates", "mirror_of", "subject_matches"]

PLACEHOLDER = re.compile(r"\{(\w+)\}")
STATIC = ("connection", "tracker", "level")
"""Fields that decide beforehand, for all items alike in them, whether a rule can match"""

Kind = tuple[str, str, str]
"""(connection, tracker, level)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """What the file says about one item itself, before anything is inherited.

    `links` (named under `work`, else by the first matching rule) take the place of inherited ones, `also`
    are added to them. An initiative that nobody knows is kept: such a link points to nothing and is listed
    by coverage. `dimensions` are those `set` by rules; `created` the initiatives made of the item;
    `rules` the names of the rules that gave any of this.
    """

    links: tuple[Link, ...] = ()
    also: tuple[Link, ...] = ()
    dimensions: Mapping[str, object] = field(default_factory=dict)
    created: tuple[Initiative, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def pairs(self) -> tuple[tuple[Link, bool], ...]:
        """Each link with whether it adds, as inheritance takes them."""
        return (*((link, False) for link in self.links), *((link, True) for link in self.also))


NOTHING = Own()


class Rule(NamedTuple):
    """A mapping rule compiled for items of one kind."""

    stated: MappingRule
    fits: Predicate
    ways: Captures | None
    """None where no template needs the groups of a pattern"""
    initiative: str | CreateInitiative | None


class Named(NamedTuple):
    """Work named under the initiatives, for one connection: initiatives by folded key and by folded project."""

    keys: Mapping[str, tuple[str, ...]]
    projects: Mapping[str, tuple[str, ...]]


NO_NAMES = Named({}, {})


class Mapper:
    """The rules of one workspace, compiled; made by `compile_mapping`.

    `uses_parent` and `uses_raw` say whether any rule looks at an item's parent or at its raw payload.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.zone = ZoneInfo(workspace.timezone)
        self.words = {name: Words(connection) for name, connection in workspace.connections.items()}
        self.ids = known_ids(workspace)
        self.named = named_work(workspace.initiatives.values())
        self.rules = tuple(compiled(rule, self.zone) for rule in workspace.rules)
        self.kinds: dict[Kind, tuple[Rule, ...]] = {}
        tests = [test for rule in workspace.rules for test in every_test(rule.when)]
        self.uses_parent = any(test.field.startswith("parent.") for test in tests)
        self.uses_raw = any(test.op == "jmespath" for test in tests)

    def settle(self, item: WorkItem) -> WorkItem:
        """Return the item with category, stage, level, team and dates as the operator's words have them.

        An item of a connection that is not in the file is measured by the built-in words of its tracker.
        """
        words = self.words.get(item.connection)
        if words is None:
            unknown = Connection(name=item.connection, type=item.tracker, url="")
            words = self.words[item.connection] = Words(unknown)
        return settle(item, words)

    def category_of(
        self, connection: str, status: str | None, status_id: str | None, resolution: str | None, statuses: object
    ) -> Category | None:
        """Return the category that a status and resolution of the past have today, None where nobody knows.

        `statuses` is what discovery keeps of the tracker's statuses (``reading.facts["statuses"]``).
        """
        words = self.words.get(connection)
        return history_category(words, status, status_id, resolution, statuses) if words is not None else None

    def state_of(
        self, connection: str, status: str | None, status_id: str | None, resolution: str | None, statuses: object
    ) -> tuple[Category, str | None] | None:
        """Return category and stage as `category_of` does the category alone."""
        words = self.words.get(connection)
        return history_state(words, status, status_id, resolution, statuses) if words is not None else None

    @property
    def looks_at(self) -> frozenset[str]:
        """The fields of items that any rule tests."""
        return frozenset(test.field for rule in self.workspace.rules for test in every_test(rule.when))

    def own(
        self,
        item: WorkItem,
        parent: WorkItem | None = None,
        raw: object = None,
        former_keys: Sequence[str] = (),
    ) -> Own:
        """Return the links, dimensions and initiatives that the file gives to a settled item itself.

        Work named under an initiative beats every rule; of the rules with an initiative the first that
        matches links the item, each with `also` adds. A rule without initiative only sets dimensions and
        ends nothing. Of dimensions the first rule wins, each key for itself. A pattern that fits several
        labels links to what each of them names. `former_keys` are names that the item had before it moved:
        work named by them stays linked.
        """
        named = self.named_under(item, former_keys)
        rules = self.rules_for(item)
        if not named and not rules:
            return NOTHING
        links = [Link(initiative=initiative, rule="work") for initiative in named]
        also: list[Link] = []
        dimensions: dict[str, object] = {}
        created: list[Initiative] = []
        fired: list[str] = []
        settled = bool(named)
        for rule in rules:
            stated = rule.stated
            links_now = rule.initiative is not None and (stated.also or not settled)
            if not (links_now or stated.set) or not rule.fits(item, parent, raw):
                continue
            ways = rule.ways(item, parent, raw) if rule.ways is not None else [{}]
            said = False
            for name, value in stated.set.items():
                said = set_once(dimensions, name, filled_value(value, ways)) or said
            if links_now and rule.initiative is not None:
                made = self.linked(rule.initiative, item, ways, dimensions, created)
                (also if stated.also else links).extend(
                    Link(initiative=initiative, rule=f"rule:{stated.name}") for initiative in made
                )
                settled = settled or (bool(made) and not stated.also)
                said = said or bool(made)
            if said:
                fired.append(stated.name)
        if not (links or also or dimensions):
            return NOTHING
        return Own(
            links=once_each(links),
            also=once_each(also),
            dimensions=dimensions,
            created=tuple(created),
            rules=tuple(fired),
        )

    def linked(
        self,
        wish: str | CreateInitiative,
        item: WorkItem,
        ways: Sequence[Groups],
        dimensions: Mapping[str, object],
        created: list[Initiative],
    ) -> list[str]:
        """Return the initiatives that a rule means for an item; one that it makes is added to `created`."""
        if isinstance(wish, str):
            return [self.known(id) for id in filled(wish, ways)]
        initiative = self.initiative_of(item, wish, ways, dimensions)
        if all(one.id != initiative.id for one in created):
            created.append(initiative)
        return [initiative.id]

    def known(self, id: str) -> str:
        """Return the id as the file spells it today: without regard to case, a former id (`was`) by its new one."""
        return self.ids.get(id) or self.ids.get(id.casefold()) or id

    def initiative_of(
        self, item: WorkItem, wish: CreateInitiative, ways: Sequence[Groups], dimensions: Mapping[str, object]
    ) -> Initiative:
        """Return the initiative that lives in an item: its id is ``connection:key``, `item` the item's identity."""
        contributes: dict[str, Contribution] = {}
        for template, share, benefit in wish.contributes:
            for to in filled(template, ways):
                to = self.known(to)
                contributes.setdefault(to, Contribution(to=to, share=share, benefit=benefit, explicit=share != 1.0))
        return Initiative(
            id=f"{item.connection}:{item.key}",
            title=item.title,
            contributes=tuple(contributes.values()),
            owner=item.assignees[0] if item.assignees else None,
            team=item.team,
            status=status_of(item),
            start=item.start_date or (item.started_at.astimezone(self.zone).date() if item.started_at else None),
            due=item.due_date,
            dimensions=dict(dimensions),
            external={item.connection: item.key},
            item=str(item.ref),
        )

    def named_under(self, item: WorkItem, former_keys: Sequence[str]) -> tuple[str, ...]:
        """Return the initiatives whose `work` names the item by key or by project.

        `projects` of a Linear connection are projects by title or key, whose issues inherit; elsewhere they are
        all items of a project, or on one (``project:NAME`` among the containers).
        """
        _, projects = self.named.get(item.connection, NO_NAMES)
        found = self.named_by_key(item.connection, item.key, former_keys)
        for name in project_names(item) if projects else ():
            found += projects.get(name.casefold(), ())
        return tuple(dict.fromkeys(found)) if len(found) > 1 else found

    def named_by_key(self, connection: str, key: str, former_keys: Sequence[str]) -> tuple[str, ...]:
        """Return the initiatives whose `work` names an item by a key that it has or had."""
        keys, _ = self.named.get(connection, NO_NAMES)
        found: tuple[str, ...] = ()
        if keys:
            for one in (key, *former_keys):
                found += keys.get(one.casefold(), ())
        return tuple(dict.fromkeys(found)) if len(found) > 1 else found

    def rules_for(self, item: WorkItem) -> tuple[Rule, ...]:
        """Return the rules that an item of this connection, tracker and level can match, in order."""
        return self.rules_of((item.connection, item.tracker, item.level))

    def rules_of(self, kind: Kind) -> tuple[Rule, ...]:
        """Return the rules that items of a kind can match, in order."""
        rules = self.kinds.get(kind)
        if rules is None:
            rules = self.kinds[kind] = tuple(rule for rule in self.rules if possible(rule.stated.when, kind))
        return rules

    def mirrors(
        self,
        found: Callable[[str, str], Ref | None],
        mirrored: Iterable[tuple[Ref, Sequence[str]]] = (),
        resolved: Callable[[str], Ref | None] | None = None,
    ) -> tuple[tuple[Ref, ...], ...]:
        """Return groups of items that are the same work, the leading one (first connection of the file) first.

        `found` gives the item of (connection, key), None where the store has none; `mirrored` are items with
        what their `mirrors` hold, and `resolved` the item that an address in there means. ``connection:key``
        is read here.
        """
        stated: list[list[Ref]] = []
        first: dict[Ref, int] = {}
        for group in self.workspace.mirrors:
            there = [ref for connection, key in group if (ref := found(connection, key)) is not None]
            for ref in there:
                first.setdefault(ref, len(first))
            stated.append(there)
        for ref, names in mirrored:
            for name in names:
                connection, _, key = name.partition(":")
                known = connection in self.workspace.connections
                other = found(connection, key) if known else resolved(name) if resolved is not None else None
                if other is not None and other != ref:
                    stated.append([ref, other])
        order = {name: position for position, name in enumerate(self.workspace.connections)}
        return mirror_groups(stated, order, first)


def compile_mapping(workspace: Workspace) -> Mapper:
    """Compile the rules of a workspace; raises ConfigError for a pattern or field that cannot be compiled."""
    return Mapper(workspace)


def compiled(rule: MappingRule, zone: ZoneInfo) -> Rule:
    """Compile one rule; what its connection, tracker and level say is decided by `possible` and left out."""
    return Rule(
        stated=rule,
        fits=predicate(remaining(rule.when), zone),
        ways=captures(rule.when, zone) if any(PLACEHOLDER.search(text) for text in templates(rule)) else None,
        initiative=rule.initiative,
    )


def remaining(when: Matcher) -> Matcher:
    """Return the matcher without the tests that `possible` has made."""
    if is_static(when):
        return All(inner=())
    if isinstance(when, All):
        return All(inner=tuple(remaining(one) for one in when.inner if not is_static(one)))
    return when


def possible(when: Matcher, kind: Kind) -> bool:
    """Whether an item of this kind can match: all tests on connection, tracker and level at the top hold."""
    if isinstance(when, All):
        return all(possible(one, kind) for one in when.inner)
    if not is_static(when) or not isinstance(when, Test):
        return True
    return condition(when, UTC)(kind[STATIC.index(when.field)])


def is_static(when: Matcher) -> bool:
    """Whether a matcher is a test on connection, tracker or level."""
    return isinstance(when, Test) and when.field in STATIC and when.op in ("in", "glob", "exists")


def templates(rule: MappingRule) -> list[str]:
    """Return the texts of a rule that may name groups of its patterns."""
    found: list[str] = []
    if isinstance(rule.initiative, CreateInitiative):
        found += [to for to, _share, _benefit in rule.initiative.contributes]
    elif rule.initiative is not None:
        found.append(rule.initiative)
    for value in rule.set.values():
        if isinstance(value, list | tuple | Mapping):
            found += [str(one) for one in value]
        else:
            found.append(str(value))
    return found


def filled(template: str, ways: Sequence[Groups]) -> list[str]:
    """Return what a template stands for, once for each way that names all of its groups."""
    names = PLACEHOLDER.findall(template)
    if not names:
        return [template]
    texts = [fill(template, way) for way in ways if all(way.get(name) for name in names)]
    return list(dict.fromkeys(texts))


def fill(template: str, way: Groups) -> str:
    """Put what the groups hold in the place of their names."""
    return PLACEHOLDER.sub(lambda match: way[match[1]], template)


def filled_value(value: object, ways: Sequence[Groups]) -> object:
    """Return a dimension's value with its templates filled; several fillings make a list, None says there is none."""
    if isinstance(value, str):
        texts = filled(value, ways)
        return texts[0] if len(texts) == 1 else tuple(texts) or None
    if isinstance(value, Mapping):
        return {text: share for name, share in value.items() for text in filled(str(name), ways)} or None
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(text for one in value for text in filled(str(one), ways))) or None
    return value


def set_once(dimensions: dict[str, object], name: str, value: object) -> bool:
    """Set a dimension that no rule before has set; return whether it was."""
    if name in dimensions or value is None:
        return False
    dimensions[name] = value
    return True


def once_each(links: Sequence[Link]) -> tuple[Link, ...]:
    """Return one link per initiative, the first."""
    if len(links) < 2:
        return tuple(links)
    return tuple({link.initiative: link for link in reversed(links)}.values())[::-1]


def status_of(item: WorkItem) -> Status:
    """Return what an item's state says about the initiative that lives in it."""
    if item.category is Category.DONE:
        return Status.CLOSED
    if item.category is Category.CANCELED:
        return Status.CANCELED
    return Status.PAUSED if item.status.casefold() == "paused" else Status.ACTIVE


def project_names(item: WorkItem) -> tuple[str, ...]:
    """Return the names under which `work.projects` means an item."""
    if item.tracker == "linear":
        return (item.title, item.key) if item.type.casefold() == "project" else ()
    boards = [name.removeprefix("project:") for name in item.containers if name.startswith("project:")]
    return (item.project, *boards)


def known_ids(workspace: Workspace) -> dict[str, str]:
    """Return today's id by id, folded id and former id; spelling that fits exactly comes first."""
    subjects: list[Initiative | KeyResult] = [*workspace.initiatives.values(), *workspace.key_results.values()]
    ids: dict[str, str] = {subject.id: subject.id for subject in subjects}
    for subject in subjects:
        for former in subject.was:
            ids.setdefault(former, subject.id)
    for name, id in list(ids.items()):
        ids.setdefault(name.casefold(), id)
    return ids


def named_work(initiatives: Iterable[Initiative]) -> dict[str, Named]:
    """Return the work named under initiatives by connection."""
    keys: dict[str, dict[str, list[str]]] = {}
    projects: dict[str, dict[str, list[str]]] = {}
    for initiative in initiatives:
        for selector in initiative.work:
            for names, into in ((selector.keys, keys), (selector.projects, projects)):
                for name in names:
                    into.setdefault(selector.connection, {}).setdefault(word(name), []).append(initiative.id)
    return {
        connection: Named(
            {key: tuple(dict.fromkeys(ids)) for key, ids in keys.get(connection, {}).items()},
            {name: tuple(dict.fromkeys(ids)) for name, ids in projects.get(connection, {}).items()},
        )
        for connection in {*keys, *projects}
    }
