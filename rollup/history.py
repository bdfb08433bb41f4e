"""Why delivery moved: what items were to the sums, event by event, and what each event did to the progress.

The order of events at one instant is that of semantics section 7. Where versions of items come from is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple, TypeAlias

from domain.facts import Fact, Facts, Flow, Node, Progress
from rollup.parts import Part, group_of, merge, separable
from rollup.scope import Scope, combine, delivered, parts
from rollup.tree import Key

Form: TypeAlias = Fact | Node | None
"""what an item is to the sums: a leaf, a node with children, or nothing at all"""

ORDER = (
    "deleted", "moved_out", "removed", "inaccessible", "canceled", "re_estimated", "linked", "moved_in", "added",
    "un_canceled", "reopened", "status", "done",
)  # fmt: skip
"""Causes in the order in which events of one instant are taken."""
RANK = {cause: rank for rank, cause in enumerate(ORDER)}


class Turn(NamedTuple):
    """What is different from an instant on: items with their new forms; those in `own` changed themselves."""

    at: datetime
    forms: Mapping[Key, Form]
    own: frozenset[Key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One event and what it did: `effect` on the progress (null counts as 0), `done` and `scope` in sizes."""

    at: datetime
    ref: Key
    key: str
    title: str
    url: str | None
    cause: str
    effect: float
    done: float
    scope: float


class Step(NamedTuple):
    """One event of an instant: the item, why, and the forms that it gives to this item and to those that follow it."""

    ref: Key
    cause: str
    forms: tuple[tuple[Key, Form], ...]


@dataclass(slots=True)
class Running:
    """The delivery of a scope while its items change; what one event reaches alone is computed anew.

    `today` is the day that the whole replay is judged on; `baseline_at` as for `scope.measure`.
    """

    scope: Scope
    today: date
    baseline_at: date | None = None
    forms: dict[Key, Fact | Node] = field(default_factory=dict)
    groups: dict[Key, dict[Key, Fact | Node]] = field(default_factory=dict)
    parts: dict[Key, Part] = field(default_factory=dict)
    total: Part = field(default_factory=Part)
    dirty: set[Key] = field(default_factory=set)

    def put(self, ref: Key, form: Form) -> None:
        """Let an item be this from now on."""
        before = self.forms.pop(ref, None)
        if before is not None:
            group = group_of(fact_of(before))
            self.groups[group].pop(ref, None)
            self._touch(ref, before)
        if form is not None:
            self.forms[ref] = form
            self.groups.setdefault(group_of(fact_of(form)), {})[ref] = form
            self._touch(ref, form)

    def measured(self) -> tuple[Progress, Flow]:
        """Return the delivery and the flow of the scope as it is now."""
        if not separable(self.scope.policies):
            return delivered(
                self._facts(self.forms.values()), self.scope, today=self.today, baseline_at=self.baseline_at
            )
        if self.dirty:
            members = [form for group in self.dirty for form in self.groups.get(group, {}).values()]
            facts = self._facts([*members, *self._above()])
            fresh = parts(facts, self.scope, today=self.today, baseline_at=self.baseline_at, only=self.dirty)
            stale = [self.parts.pop(group) for group in self.dirty if group in self.parts]
            self.total = merge([self.total, *fresh.values()], stale)
            self.parts |= fresh
            self.dirty = set()
        return combine(self.total, self.scope, today=self.today, baseline_at=self.baseline_at)

    def _touch(self, ref: Key, form: Fact | Node) -> None:
        """Note the parts that an item reaches: its own and, where it has children, all below it."""
        reached = {ref} if isinstance(form, Node) else set[Key]()
        waiting = list(reached)
        while waiting:
            children = self.groups.get(waiting.pop(), {})
            below = {one for one, child in children.items() if isinstance(child, Node)} - reached
            reached |= below
            waiting.extend(below)
        self.dirty |= {group_of(fact_of(form)), *reached}

    def _above(self) -> Iterator[Node]:
        """Yield the nodes above the parts to be computed anew."""
        waiting, seen = list(self.dirty), set(self.dirty)
        while waiting:
            form = self.forms.get(waiting.pop())
            if isinstance(form, Node):
                yield form
                above = group_of(form.fact)
                if above not in seen:
                    seen.add(above)
                    waiting.append(above)

    @staticmethod
    def _facts(forms: Iterable[Fact | Node]) -> Facts:
        found = list(forms)
        nodes = {(form.fact.connection, form.id): form for form in found if isinstance(form, Node)}
        return Facts(rows=tuple(form for form in found if isinstance(form, Fact)), nodes=tuple(nodes.values()))


def fact_of(form: Fact | Node) -> Fact:
    """Return the fact of a leaf or of a node."""
    return form.fact if isinstance(form, Node) else form


def begun(scope: Scope, forms: Mapping[Key, Form], *, today: date, baseline_at: date | None = None) -> Running:
    """Return the delivery of a scope whose items are these."""
    running = Running(scope, today, baseline_at)
    for ref, form in forms.items():
        running.put(ref, form)
    return running


def replay(running: Running, turn: Turn) -> list[Change]:
    """Let one instant happen, event by event; return what each did. The effects sum to what the progress moved by."""
    found: list[Change] = []
    before = running.measured()[0]
    for step in steps(turn, running):
        face = _face(running.forms.get(step.ref), dict(step.forms).get(step.ref))
        for ref, form in step.forms:
            running.put(ref, form)
        after = running.measured()[0]
        change = Change(
            at=turn.at,
            ref=step.ref,
            key=face[0] or step.ref[1],
            title=face[1],
            url=face[2],
            cause=step.cause,
            effect=(after.value or 0.0) - (before.value or 0.0),
            done=after.size_done - before.size_done,
            scope=after.size_total - before.size_total,
        )
        if change.effect or change.done or change.scope:
            found.append(change)
        before = after
    return found


def steps(turn: Turn, running: Running) -> list[Step]:
    """Return the events of one instant in order; what follows from another's event happens with it."""
    shares = running.scope.shares
    found: list[Step] = []
    following: dict[Key, Form] = {}
    for ref, form in turn.forms.items():
        before = running.forms.get(ref)
        if form == before:
            continue
        if ref not in turn.own and before is not None and form is not None and _links(before) == _links(form):
            following[ref] = form
            continue
        found.extend(_events(ref, before, form, shares, own=ref in turn.own))
    found.sort(key=lambda step: (RANK[step.cause], step.ref))
    return _with_following(found, following, running)


def _with_following(found: list[Step], following: dict[Key, Form], running: Running) -> list[Step]:
    """Let what follows happen with the first event of a child, else with the first event there is."""
    told: list[Step] = []
    for step in found:
        parents = {
            (step.ref[0], fact_of(form).parent)
            for form in (running.forms.get(step.ref), *(form for ref, form in step.forms if ref == step.ref))
            if form is not None
        }
        mine = [ref for ref in following if ref in parents]
        told.append(step._replace(forms=(*step.forms, *((ref, following.pop(ref)) for ref in mine))))
    if not following:
        return told
    if not told:
        return [Step(ref, "status", ((ref, form),)) for ref, form in sorted(following.items(), key=lambda one: one[0])]
    return [told[0]._replace(forms=(*told[0].forms, *following.items())), *told[1:]]


def _events(ref: Key, before: Form, after: Form, shares: Mapping[str, float], *, own: bool) -> Iterator[Step]:
    """Yield the events that an item's change consists of, each with the form after it."""
    inside, now_inside = _counts(before, shares), _counts(after, shares)
    if before is None or after is None or inside != now_inside:
        yield Step(ref, _crossing(before, after, inside=inside, now_inside=now_inside, own=own), ((ref, after),))
        return
    old, new = fact_of(before), fact_of(after)
    changes: list[tuple[str, dict[str, object]]] = []
    if new.inaccessible_on != old.inaccessible_on:
        changes.append(("inaccessible", {"inaccessible_on": new.inaccessible_on}))
    if new.estimate != old.estimate:
        changes.append(("re_estimated", {"estimate": new.estimate}))
    if new.links != old.links:
        changes.append(("linked", {"links": new.links, "parent_links": new.parent_links}))
    state = ("category", "stage", "completed_on", "canceled_on")
    if any(getattr(old, name) != getattr(new, name) for name in state):
        changes.append((_transition(old.category, new.category), {name: getattr(new, name) for name in state}))
    changes.sort(key=lambda change: RANK[change[0]])
    form: Fact | Node = before
    for cause, values in changes[:-1]:
        form = _replaced(form, values)
        yield Step(ref, cause, ((ref, form),))
    yield Step(ref, changes[-1][0] if changes else "status", ((ref, after),))


def _crossing(before: Form, after: Form, *, inside: bool, now_inside: bool, own: bool) -> str:
    """Say how an item came into the scope or left it."""
    if after is None:
        return "deleted"
    if before is None:
        return "added"
    moved = not own or fact_of(before).parent != fact_of(after).parent
    if now_inside:
        return "moved_in" if moved else "linked"
    return "moved_out" if moved and inside else "removed"


def _transition(before: str, after: str) -> str:
    if before == after:
        return "status"
    if after == "canceled":
        return "canceled"
    if before == "canceled":
        return "un_canceled"
    if after == "done":
        return "done"
    return "reopened" if before == "done" else "status"


def _replaced(form: Fact | Node, values: Mapping[str, object]) -> Fact | Node:
    if isinstance(form, Node):
        return form._replace(fact=form.fact._replace(**values))  # type: ignore[arg-type]  # named fields of Fact
    return form._replace(**values)  # type: ignore[arg-type]  # named fields of Fact


def _links(form: Fact | Node) -> frozenset[str]:
    return fact_of(form).links


def _counts(form: Form, shares: Mapping[str, float]) -> bool:
    return form is not None and any(link in shares for link in _links(form))


def _face(*forms: Form) -> tuple[str, str, str | None]:
    for form in reversed(forms):
        item = fact_of(form).item if form is not None else None
        if item is not None:
            return item.key, item.title, item.url
    return "", "", None
