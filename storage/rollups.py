"""Facts for the rollup, as histograms per structural parent, and the rollups that were made of them.

Storage hands out facts and keeps answers; every policy lives in `rollup`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Text,
    and_,
    bindparam,
    case,
    cast,
    delete,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql import Select

from domain.facts import Face, Fact, Facts, Flow, Node, Progress
from domain.work import Link
from storage import pasts
from storage.checkpoints import upsert
from storage.engine import Transaction, dumps
from storage.items import blockers, items, parts
from storage.links import Ref, load_scopes, scope_initiatives
from storage.parts import BUCKET, of_groups, text_of
from storage.parts import parts as stored_parts
from storage.tables import Base, Rollup

rollups = Base.metadata.tables[Rollup.__tablename__]

KINDS = ("key_result", "initiative")
OF_SUBJECT = or_(*(rollups.c.kind == kind for kind in KINDS))
"""to be said beside an id: the keys of the table begin with the kind"""


class Total(NamedTuple):
    """The sum of the parts of a subject as a JSON value, and what says under which terms they were made."""

    terms: str
    part: Any  # Any: the rollup's own shape


parent = items.alias("parent")
child = items.alias("child")
blocker = items.alias("blocker")

CHILDREN = select(literal(1)).where(
    child.c.connection == items.c.connection, child.c.parent_id == items.c.id, child.c.deleted_at.is_(None)
)
HAS_CHILDREN = CHILDREN.exists()
HAS_STANDARD_CHILDREN = CHILDREN.where(child.c.level != "subtask").exists()
BLOCKED = (
    select(literal(1))
    .select_from(
        blockers.join(
            blocker, and_(blocker.c.connection == blockers.c.connection, blocker.c.id == blockers.c.blocker_id)
        )
    )
    .where(
        blockers.c.connection == items.c.connection,
        blockers.c.item_id == items.c.id,
        blocker.c.category.in_(("todo", "in_progress")),
        blocker.c.deleted_at.is_(None),
    )
    .exists()
)
IS_SUBTASK = items.c.level == "subtask"
COUNTED = and_(items.c.deleted_at.is_(None), items.c.mirror_of.is_(None))


def measured(measure: str, dialect: str) -> ColumnElement[Any]:
    """Return the column that sizes come from: ``estimate``, ``time_estimate``, or ``field:NAME`` if a number."""
    if measure.startswith("field:"):
        name = measure.removeprefix("field:")
        value = items.c.data["fields"][name]
        if dialect == "postgresql":
            return case((func.jsonb_typeof(value) == "number", value.as_float()))
        kind = func.json_type(items.c.data, f'$."fields"."{name}"')
        return case((kind.in_(("integer", "real")), value.as_float()))
    return items.c.time_estimate if measure == "time_estimate" else items.c.estimate


def columns(measure: str, dialect: str) -> tuple[ColumnElement[Any], ...]:
    """Return what a fact is made of, in the order of `fact`; to group by, take the very same values."""
    return (
        items.c.connection,
        items.c.parent_id,
        items.c.category,
        items.c.stage,
        measured(measure, dialect),
        items.c.team,
        items.c.scope,
        case((IS_SUBTASK, parent.c.scope)),
        IS_SUBTASK,
        items.c.completed_on,
        items.c.entered_on,
        items.c.flags,
        BLOCKED,
        items.c.inaccessible_on,
        items.c.canceled_on,
    )


NO_BUCKET = literal("")
WIDTH = len(columns("estimate", "")) + 1
SCOPE, SCOPES = 6, slice(6, 8)
"""where a row has the numbers of its own scope, and of that with its parent's"""
NODE = (items.c.id, items.c.key, items.c.level, HAS_STANDARD_CHILDREN, items.c.mirror_of)
FACES = (
    items.c.id,
    items.c.key,
    items.c.title,
    items.c.data["url"].as_string(),
    items.c.data["tracker"].as_string(),
    items.c.data["type"].as_string(),
    items.c.data["status"].as_string(),
    items.c.deleted_at.is_not(None),
    items.c.mirror_of,
)


def with_parent(query: Select[Any]) -> Select[Any]:
    """Join the structural parent, which sub-tasks are judged by; a deleted one is none."""
    above = and_(
        parent.c.connection == items.c.connection, parent.c.id == items.c.parent_id, parent.c.deleted_at.is_(None)
    )
    return query.select_from(items.outerjoin(parent, above))


async def facts(
    tx: Transaction,
    initiatives: Collection[str] | None,
    *,
    measure: str = "estimate",
    listed: bool = False,
    bucketed: bool = False,
    below: Collection[Ref] | None = None,
) -> Facts:
    """Return the facts of items that count for one of `initiatives` (None: of all items), and the nodes above.

    `below` leaves of all items these with all that hangs below them, and nothing above.

    `listed` gives one row an item, with its face, deleted items and mirrored copies too. `bucketed` cuts items
    without a parent into buckets, which sums by part need.
    """
    scopes = await load_scopes(tx) if initiatives is None else await scopes_of(tx, initiatives)
    names = {number: frozenset(link.initiative for link in links) for number, links in scopes.items()}
    wanted: ColumnElement[bool] = (
        true() if initiatives is None else items.c.scope.in_([number for number in scopes if number])
    )
    if below is not None:
        wanted = and_(wanted, tuple_(items.c.connection, items.c.id).in_(hanging(below)))
    asked = asked_for(tx, measure, bucketed=bucketed)
    faces = scopes if listed else None
    if listed:
        base = with_parent(select(*asked, *FACES)).where(wanted, ~HAS_CHILDREN)
        rows = [listed_fact(row, names, scopes) for row in await tx.execute(base)]
        if initiatives is not None:
            rows += await moved_away(tx, asked, names)
    else:
        rows = [fact(row, names, row[-1]) for row in await tx.execute(folded(asked).where(wanted))]
    nodes = with_parent(select(*asked, *NODE, *(FACES if listed else ())))
    found: dict[Ref, Node] = {}
    for row in await tx.execute(nodes.where(wanted, COUNTED, HAS_CHILDREN)):
        node = node_of(row, names, faces)
        found[node.fact.connection, node.id] = node
    if initiatives is not None:
        await add_ancestors(tx, found, rows, nodes, names, faces)
    return Facts(rows=tuple(rows), nodes=tuple(found.values()))


def hanging(refs: Collection[Ref]) -> Select[Any]:
    """Return the query of some items with all that hangs below them, as (connection, id)."""
    found = select(items.c.connection, items.c.id).where(tuple_(items.c.connection, items.c.id).in_(sorted(refs)))
    down = found.cte("hanging", recursive=True)
    child = items.alias("child")
    under = and_(child.c.connection == down.c.connection, child.c.parent_id == down.c.id)
    down = down.union(select(child.c.connection, child.c.id).select_from(child.join(down, under)))
    return select(down.c.connection, down.c.id)


class Shelf:
    """Facts read once for several subjects that share initiatives: what is kept here is what others still want."""

    def __init__(self, names: Mapping[int, frozenset[str]], wanted: Iterable[Collection[str]]) -> None:
        self.names = names
        self.holding: dict[str, list[int]] = {}
        for number, held in names.items():
            for initiative in held:
                self.holding.setdefault(initiative, []).append(number)
        self.waiting = Counter(number for initiatives in wanted for number in self.numbers(initiatives))
        self.rows: dict[tuple[str, int], tuple[list[Fact], list[Node]]] = {}
        self.nodes: dict[str, dict[Ref, Node]] = {}
        """by measure, what has children: it may stand above facts of others"""

    def numbers(self, initiatives: Iterable[str]) -> list[int]:
        """Return the scopes that hold one of the initiatives."""
        return sorted({number for initiative in initiatives for number in self.holding.get(initiative, ())})

    def took(self, initiatives: Collection[str]) -> None:
        """Note that one of those who wanted facts has had them, and forget what nobody waits for any more."""
        over = set()
        for number in self.numbers(initiatives):
            self.waiting[number] -= 1
            if self.waiting[number] <= 0:
                over.add(number)
        for key in [key for key in self.rows if key[1] in over]:
            del self.rows[key]


async def open_shelf(tx: Transaction, wanted: Iterable[Collection[str]] = ()) -> Shelf:
    """Return an empty shelf that knows the scopes of the store.

    `wanted` are the initiatives of each who will ask and then tell (`Shelf.took`).
    """
    scopes = await load_scopes(tx)
    return Shelf({number: frozenset(link.initiative for link in links) for number, links in scopes.items()}, wanted)


async def stock(tx: Transaction, shelf: Shelf, initiatives: Iterable[str], *, measure: str) -> None:
    """Read the facts of initiatives that the shelf lacks, and what stands above them, with few statements for all."""
    missing = [number for number in shelf.numbers(initiatives) if (measure, number) not in shelf.rows]
    if not missing:
        return
    asked = asked_for(tx, measure, bucketed=True)
    nodes = with_parent(select(*asked, *NODE))
    for number in missing:
        shelf.rows[measure, number] = ([], [])
    # One row an item: hardly two of a parent are alike, and finding those costs as much as reading all.
    leaves = with_parent(select(*asked)).where(COUNTED, ~HAS_CHILDREN)
    for part in parts(missing):
        wanted = items.c.scope.in_(part)
        for row in await tx.execute(leaves.where(wanted)):
            shelf.rows[measure, row[SCOPE]][0].append(fact(row, shelf.names))
        for row in await tx.execute(nodes.where(wanted, COUNTED, HAS_CHILDREN)):
            shelf.rows[measure, row[SCOPE]][1].append(node_of(row, shelf.names))
    there = [shelf.rows[measure, number] for number in missing]
    found = {(node.fact.connection, node.id): node for _, inside in there for node in inside}
    await add_ancestors(tx, found, [fact for facts, _ in there for fact in facts], nodes, shelf.names)
    shelf.nodes.setdefault(measure, {}).update(found)


async def shelved(tx: Transaction, shelf: Shelf, initiatives: Collection[str], *, measure: str) -> Facts:
    """Return what `facts` does, bucketed, and read what the shelf lacks alone."""
    await stock(tx, shelf, initiatives, measure=measure)
    there = [shelf.rows[measure, number] for number in shelf.numbers(initiatives)]
    rows = [fact for facts, _ in there for fact in facts]
    found = {(node.fact.connection, node.id): node for _, inside in there for node in inside}
    known = shelf.nodes.get(measure, {})
    waiting = {(row.connection, row.parent) for row in rows}
    waiting |= {(node.fact.connection, node.fact.parent) for node in found.values()}
    while waiting:
        connection, id_ = waiting.pop()
        if id_ is not None and (connection, id_) not in found and (connection, id_) in known:
            node = found[connection, id_] = known[connection, id_]
            waiting.add((connection, node.fact.parent))
    return Facts(rows=tuple(rows), nodes=tuple(found.values()))


async def moved_away(
    tx: Transaction, asked: Sequence[ColumnElement[Any]], names: Mapping[int, frozenset[str]]
) -> list[Fact]:
    """Return items that count elsewhere although their parent counts for one of the scopes in `names`."""
    numbers = [number for number in names if number]
    query = with_parent(select(*asked, *FACES, parent.c.scope)).where(
        items.c.scope.not_in(numbers), parent.c.scope.in_(numbers), items.c.own.is_not(None), ~HAS_CHILDREN
    )
    rows = (await tx.execute(query)).all()
    others = await load_scopes(tx, {row[SCOPE] for row in rows})
    known = {number: frozenset(link.initiative for link in links) for number, links in others.items()}
    return [listed_fact(row, known, others)._replace(parent_links=names[row[-1]]) for row in rows]


async def facts_of(
    tx: Transaction, groups: Collection[Ref], initiatives: Collection[str], *, measure: str = "estimate"
) -> Facts:
    """Return the facts that parts of `initiatives` are made of (`storage.parts`), and the nodes above.

    There may be facts of items that count for others; nodes above may lack their links.
    """
    asked = asked_for(tx, measure, bucketed=True)
    nodes = with_parent(select(*asked, *NODE))
    leaf_rows, node_rows = [], []
    for wanted in await of_groups(tx, groups, initiatives):
        leaf_rows += (await tx.execute(folded(asked).where(wanted))).all()
        node_rows += (await tx.execute(nodes.where(wanted, COUNTED, HAS_CHILDREN))).all()
    names = await names_of(tx, {number for row in (*leaf_rows, *node_rows) for number in row[SCOPES] if number})
    rows = [fact(row, names, row[-1]) for row in leaf_rows]
    found = {(row[0], row[WIDTH]): node_of(row, names) for row in node_rows}
    await add_ancestors(tx, found, rows, nodes, names)
    return Facts(rows=tuple(rows), nodes=tuple(found.values()))


def asked_for(tx: Transaction, measure: str, *, bucketed: bool) -> tuple[ColumnElement[Any], ...]:
    """Return what a fact is made of, with its bucket or an empty one."""
    return (*columns(measure, tx.dialect.name), BUCKET if bucketed else NO_BUCKET)


def folded(asked: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """Return the query of facts with their counts, without its condition."""
    return with_parent(select(*asked, func.count())).where(COUNTED, ~HAS_CHILDREN).group_by(*asked)


async def add_ancestors(
    tx: Transaction,
    found: dict[Ref, Node],
    rows: Sequence[Fact],
    query: Select[Any],
    names: Mapping[int, frozenset[str]],
    faces: Mapping[int, tuple[Link, ...]] | None = None,
) -> None:
    """Add the nodes above what was found, which stand outside the scope themselves."""
    above = {(row.connection, row.parent) for row in rows} | {
        (node.fact.connection, node.fact.parent) for node in found.values()
    }
    asked: set[tuple[str, str | None]] = set()
    while missing := {ref for ref in above if ref[1] is not None and ref not in found} - asked:
        asked |= missing
        above = set()
        for connection in sorted({ref[0] for ref in missing}):
            ids = sorted(str(ref[1]) for ref in missing if ref[0] == connection)
            for part in parts(ids):
                condition = and_(items.c.connection == connection, items.c.id.in_(part), items.c.deleted_at.is_(None))
                for row in await tx.execute(query.where(condition)):
                    node = node_of(row, names, faces)
                    found[(connection, node.id)] = node
                    above.add((connection, node.fact.parent))


def fact(
    row: Any,
    names: Mapping[int, frozenset[str]],
    count: int = 1,
    face: Face | None = None,
    deleted: bool = False,
    mirror_of: str | None = None,
) -> Fact:
    """Return the fact of a row that begins with `columns` and a bucket."""
    (
        connection, above, category, stage, estimate, team, scope, parent_scope, subtask, completed_on, entered_on,
        flags, blocked, inaccessible_on, canceled_on, bucket,
    ) = row[:WIDTH]  # fmt: skip
    return Fact(
        connection,
        above,
        category,
        stage,
        estimate,
        team,
        names.get(scope, NOTHING),
        names.get(parent_scope, NOTHING) if parent_scope else NOTHING,
        bool(subtask),
        completed_on,
        entered_on,
        flags,
        bool(blocked),
        inaccessible_on,
        count,
        face,
        deleted,
        mirror_of,
        canceled_on,
        bucket,
    )


def listed_fact(
    row: Any, names: Mapping[int, frozenset[str]], scopes: Mapping[int, tuple[Link, ...]], at: int = WIDTH
) -> Fact:
    """Return the fact of a row that has FACES from `at` on."""
    face = row[at:]
    return fact(row, names, 1, face_of(face, scopes.get(row[SCOPE], ())), bool(face[7]), face[8])


def face_of(row: Sequence[Any], links: tuple[Link, ...]) -> Face:
    """Return what people recognise an item by, from the columns of FACES."""
    return Face(
        id=row[0],
        key=row[1],
        title=row[2],
        url=row[3],
        rule={link.initiative: link.rule for link in links},
        inherited_from={link.initiative: link.inherited_from for link in links},
        tracker=row[4],
        type=row[5],
        status=row[6],
    )


def node_of(row: Any, names: Mapping[int, frozenset[str]], faces: Mapping[int, tuple[Link, ...]] | None = None) -> Node:
    """Return the node of a row that has NODE after its fact, and FACES after that where `faces` are wanted."""
    id_, key, level, standard, mirror_of = row[WIDTH : WIDTH + len(NODE)]
    after = WIDTH + len(NODE)
    own = fact(row, names, mirror_of=mirror_of) if faces is None else listed_fact(row, names, faces, after)
    return Node(id=id_, key=key, level=level, standard_children=bool(standard), fact=own)


async def names_of(tx: Transaction, scopes: Collection[int]) -> dict[int, frozenset[str]]:
    """Return the initiatives of scopes by number."""
    found: dict[int, set[str]] = {}
    query = select(scope_initiatives.c.scope, scope_initiatives.c.initiative)
    for number, initiative in await tx.execute(query.where(scope_initiatives.c.scope.in_(list(scopes)))):
        found.setdefault(number, set()).add(initiative)
    return {number: frozenset(initiatives) for number, initiatives in found.items()}


async def scopes_of(tx: Transaction, initiatives: Collection[str]) -> dict[int, tuple[Link, ...]]:
    """Return the scopes that hold one of the initiatives."""
    query = select(scope_initiatives.c.scope).where(scope_initiatives.c.initiative.in_(list(initiatives))).distinct()
    return await load_scopes(tx, list(await tx.scalars(query)))


class Kept(NamedTuple):
    """The delivery of a subject, its flow, which forecasts are made of, and the sum of its parts if it has one."""

    kind: str
    id: str
    progress: Progress
    flow: Flow
    total: Total | None = None


async def save(tx: Transaction, found: Sequence[Kept]) -> None:
    """Keep the delivery of subjects."""
    if found:
        await tx.execute(upsert(tx, rollups, ("data", "valid_until", "terms", "total")), [row_of(one) for one in found])


def row_of(one: Kept) -> dict[str, Any]:
    """Return the row of a subject's delivery."""
    done = {day.isoformat(): count for day, count in sorted(one.flow.done.items())}
    flow = {"done": done, "remaining": one.flow.remaining, "first": one.flow.first}
    return {
        "kind": one.kind,
        "id": one.id,
        "data": {"progress": asdict(one.progress), "flow": flow},
        "valid_until": one.progress.valid_until,
        "terms": one.total.terms if one.total else None,
        "total": text_of(one.total.part) if one.total else None,
    }


async def foresee(tx: Transaction, ahead: Mapping[str, object]) -> None:
    """Keep the forecasts of subjects, by id, beside their delivery: until that is another, and for the day."""
    if not ahead:
        return
    there = {"of_id": bindparam("of_id"), "said": bindparam("said", type_=Text)}
    if tx.dialect.name == "postgresql":
        data = func.jsonb_set(rollups.c.data, cast(["ahead"], ARRAY(Text)), cast(there["said"], JSONB))
    else:
        data = func.json_set(rollups.c.data, "$.ahead", func.json(there["said"]))
    statement = update(rollups).where(OF_SUBJECT, rollups.c.id == there["of_id"]).values(data=data)
    await tx.execute(statement, [{"of_id": id_, "said": dumps(said)} for id_, said in sorted(ahead.items())])


async def totals(tx: Transaction, ids: Collection[str], today: date) -> dict[tuple[str, str], Total]:
    """Return, by kind and id, the sum of the parts of those subjects that have one and have not outlived their day."""
    found: dict[tuple[str, str], Total] = {}
    for part in parts(sorted(ids)):
        query = select(rollups.c.kind, rollups.c.id, rollups.c.terms, rollups.c.total).where(
            OF_SUBJECT,
            rollups.c.id.in_(part),
            rollups.c.total.is_not(None),
            or_(rollups.c.valid_until.is_(None), rollups.c.valid_until > today),
        )
        for kind, id_, terms, total in await tx.execute(query):
            found[kind, id_] = Total(terms, orjson.loads(total))
    return found


async def load(tx: Transaction, ids: Collection[str] | None = None) -> dict[str, tuple[Progress, Flow]]:
    """Return the delivery and the flow of all subjects by id, or of some."""
    query = select(rollups.c.id, rollups.c.data)
    asked = [query] if ids is None else [query.where(OF_SUBJECT, rollups.c.id.in_(part)) for part in parts(sorted(ids))]
    return {
        row.id: (progress_of(row.data["progress"]), flow_of(row.data["flow"]))
        for one in asked
        for row in await tx.execute(one)
    }


async def known(tx: Transaction) -> set[str]:
    """Return the ids of the subjects that have a rollup."""
    return set(await tx.scalars(select(rollups.c.id)))


def flow_of(data: Mapping[str, Any]) -> Flow:
    """Return the flow that `save` stored."""
    return Flow(
        done={date.fromisoformat(day): count for day, count in data["done"].items()},
        remaining=data["remaining"],
        first=date.fromisoformat(data["first"]) if data["first"] else None,
    )


async def expired(tx: Transaction, today: date) -> set[str]:
    """Return the subjects whose facts give another answer by today (a grace period ended)."""
    return set(await tx.scalars(select(rollups.c.id).where(rollups.c.valid_until <= today)))


async def drop(tx: Transaction, ids: Collection[str]) -> None:
    """Forget the rollups of subjects that are no more."""
    for part in parts(sorted(ids)):
        await tx.execute(delete(rollups).where(OF_SUBJECT, rollups.c.id.in_(part)))
        await tx.execute(delete(stored_parts).where(stored_parts.c.kind.in_(KINDS), stored_parts.c.id.in_(part)))


async def clear(tx: Transaction) -> None:
    """Forget all rollups, and what was computed of past days."""
    await pasts.touch(tx)
    await tx.execute(delete(rollups))
    await tx.execute(delete(stored_parts))


def progress_of(data: Mapping[str, Any]) -> Progress:
    """Return the value that `save` stored."""
    value = dict(data)
    value["flags"] = tuple(value["flags"])
    if value["valid_until"] is not None:
        value["valid_until"] = date.fromisoformat(value["valid_until"])
    return Progress(**value)


NO_FACTS = Facts(rows=(), nodes=())
NOTHING: frozenset[str] = frozenset()
