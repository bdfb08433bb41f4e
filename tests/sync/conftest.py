"""A tracker that exists on paper alone, and the road from its pages to the numbers."""

from dataclasses import dataclass, replace
from datetime import datetime

import orjson
import pytest

from connectors.base import Connector, Located, Page, Parsed, Reading
from domain.errors import PayloadError, VendorUnavailableError
from domain.okr import Initiative, WorkSelector
from domain.work import Delete, ItemRef, Refetch, Transition, Upsert
from domain.workspace import Connection
from storage import checkpoints, links, okrs, parts, rollups
from storage import items as store
from storage.views import present
from sync import census, ingest
from sync.context import Context, Live, Source
from sync.mapping import compile_mapping
from sync.poll import WATERMARK
from sync.present import show
from sync.refresh import catch_up, refresh


def parse(kind, body, connection, _reading):
    """Read a page: a JSON list whose entries are items, or say what became of one."""
    changes, transitions, mirrors = [], [], {}
    try:
        entries = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise PayloadError(f"not JSON: {error}") from error
    for entry in entries:
        match entry:
            case {"item": dict(data)}:
                changes.append(Upsert(item=store.item_of(data), unstated=frozenset(entry.get("unstated", ()))))
            case {"mirrors": dict(found)}:
                mirrors |= {id_: tuple(addresses) for id_, addresses in found.items()}
            case {"delete": str(id_)}:
                changes.append(Delete(ref=ItemRef(connection=connection.name, id=id_), key=id_))
            case {"refetch": str(id_)}:
                ref = ItemRef(connection=connection.name, id=id_)
                changes.append(Refetch(ref=ref, key=entry.get("key", id_)))
            case {"transition": dict(data)}:
                transitions.append(Transition(**{**data, "at": datetime.fromisoformat(data["at"])}))
            case _:
                raise PayloadError(f"neither an item nor anything else: {entry}")
    return Parsed(changes=tuple(changes), transitions=tuple(transitions), mirrors=mirrors)


def split(_kind, body):
    """Cut a page into pages of one entry."""
    try:
        return [orjson.dumps([entry]) for entry in orjson.loads(body)]
    except orjson.JSONDecodeError:
        return []


async def asked(*_arguments):
    pytest.fail("the tracker was asked")


def connector(name):
    """Return the paper tracker under a type's name; whatever would ask it fails the test."""
    return Connector(
        type=name,
        discover=asked,
        count=asked,
        backfill=asked,
        changes=asked,
        history=asked,
        ids=asked,
        fetch=asked,
        locate=asked,
        probe=asked,
        parse=parse,
        split=split,
        kind_of=lambda _value: "items",
        webhook=lambda body, _event, connection, reading: parse("webhook", body, connection, reading),
        verify=asked,
        delivery_id=asked,
        event_of=asked,
        hints=asked,
        defaults=lambda _connection: Reading(facts={}, account="", digest=""),
    )


@dataclass
class Client:
    """As much of a client as a run looks at."""

    requests: int = 0
    waits: bool = False

    def aside(self):
        return replace(self, waits=True)


class Paper:
    """Answers for a tracker that exists on paper: what changed, what is listed, what a direct read finds."""

    def __init__(self, road, name="jira"):
        self.road = road
        self.name = name
        self.changed = []
        self.unanswered = ()
        self.listed = []
        self.found = {}
        self.broken = False

    def page(self, entries, *, missing=(), cursor=None):
        return Page(
            kind="items",
            stream="changes",
            number=next(self.road.numbers),
            body=orjson.dumps([{"item": entry} for entry in entries]),
            read_at=self.road.clock(),
            items=len(entries),
            missing=missing,
            cursor=cursor,
        )

    async def changes(self, *_arguments):
        yield self.page(self.changed, missing=self.unanswered, cursor={"updated_ms": 2})
        if self.broken:
            raise VendorUnavailableError(f"{self.name}: 503")

    async def ids(self, *_arguments):
        yield self.listed

    async def history(self, *_arguments):
        for page in ():
            yield page

    async def fetch(self, _client, _connection, _reading, ids):
        there = [one for one in self.changed if one.id in ids]
        yield self.page(there, missing=tuple(set(ids) - {one.id for one in there}))

    async def locate(self, _client, _connection, _reading, id_, _project, _key):
        if self.broken:
            raise VendorUnavailableError(f"{self.name}: 503")
        return Located(id=id_, state=self.found[id_])

    def live(self):
        source = self.road.sources[self.name]
        answers = {name: getattr(self, name) for name in ("changes", "ids", "history", "fetch", "locate")}
        return Live(
            connection=source.connection,
            connector=replace(source.connector, **answers),
            reading=source.reading,
            client=Client(),
        )


class Road:
    """One workspace over one store, fed by hand."""

    def __init__(self, opened, workspace, clock):
        self.store = opened
        self.clock = clock
        self.numbers = iter(range(1, 1_000_000))
        self.moved = ingest.Ingested()
        self.use(workspace)

    def use(self, workspace):
        """Go on with another file."""
        self.context = Context(store=self.store, workspace=workspace, mapper=compile_mapping(workspace), now=self.clock)
        self.sources = {
            name: Source(
                connection=connection,
                connector=connector(connection.type),
                reading=Reading(facts={"statuses": {}}, account="", digest=""),
            )
            for name, connection in workspace.connections.items()
        }

    def tracker(self, name="jira"):
        """Return the tracker of a connection, which answers what it is told to."""
        return Paper(self, name)

    def page(self, *entries, read_at=None, kind="items", body=None, number=None):
        """Write a page: items, or entries as the paper tracker writes them."""
        written = [entry if isinstance(entry, dict) else {"item": entry} for entry in entries]
        return Page(
            kind=kind,
            stream="changes",
            number=next(self.numbers) if number is None else number,
            body=orjson.dumps(written) if body is None else body,
            read_at=read_at or self.clock(),
            items=len(written),
        )

    async def stream(self, *pages, connection="jira"):
        """Take in pages that are ready at once, as a backfill does."""

        async def feed():
            for page in pages:
                yield page

        total = ingest.Ingested()
        async with ingest.receiving(self.context, self.sources[connection], feed(), "run") as received:
            async for done in received:
                total.add(done)
        self.moved.add(total)
        return total

    async def receive(self, *entries, read_at=None, connection="jira", kind="items", body=None, run=None):
        """Take in a page: items, or entries as the paper tracker writes them."""
        page = self.page(*entries, read_at=read_at, kind=kind, body=body, number=None if run is None else 1)
        done = await ingest.receive(self.context, self.sources[connection], page, run or "run")
        self.moved.add(done)
        return done

    async def hide(self, id_, connection="jira"):
        """Find by a direct read that an item is not visible any more."""
        async with self.store.read() as tx:
            known = (await store.versions(tx, connection, [id_]))[id_]
        await census.settle_gone(self.context, known, census.Verdict.INACCESSIBLE, self.moved)

    async def refresh(self):
        """Bring the numbers up to date with what was taken in since the last time."""
        async with self.store.write() as tx:
            computed = await refresh(tx, self.context, self.moved)
        self.moved = ingest.Ingested()
        return computed

    async def take(self, *entries, **how):
        """Take in a page and bring the numbers up to date."""
        await self.receive(*entries, **how)
        return await self.refresh()

    async def items(self):
        """Return the stored items by id."""
        async with self.store.read() as tx:
            return {row.item.id: row async for chunk in store.stream(tx) for row in chunk}

    async def links(self):
        """Return (initiative, rule, inherited from) of each item's links, by id."""
        async with self.store.read() as tx:
            scopes = await links.load_scopes(tx)
            return {
                row.item.id: [(link.initiative, link.rule, link.inherited_from) for link in scopes[row.scope]]
                async for chunk in store.stream(tx)
                for row in chunk
            }

    async def progress(self, id_):
        """Return the delivery of a subject, None where there is none."""
        async with self.store.read() as tx:
            found = (await rollups.load(tx)).get(id_)
        return found and found[0]

    async def dump(self, *, deleted=True):
        """Return everything that follows from the items and the file, in comparable values."""
        stored = await self.items()
        kept = {id_ for id_, row in stored.items() if deleted or not row.item.deleted}
        async with self.store.read() as tx:
            sums = (await tx.execute(rollups.rollups.select())).all()
            made = await links.load_created(tx)
            known = (await tx.execute(okrs.subjects.select().where(okrs.subjects.c.orphaned_at.is_(None)))).all()
            values = {
                "links": {id_: found for id_, found in (await self.links()).items() if id_ in kept},
                "items": {
                    id_: (replace(row.item, former_keys=()), row.own, dict(row.dimensions), row.mirror_of)
                    for id_, row in stored.items()
                    if id_ in kept
                },
                "rollups": {(row.kind, row.id): (compact(row.data), row.valid_until) for row in sums},
                "totals": {(row.kind, row.id): (row.terms, row.total) for row in sums},
                "parts": {tuple(row[:-1]): row.data for row in await tx.execute(parts.parts.select())},
                "created": {id_: compact(data) for id_, data in made.items()},
                "subjects": sorted((row.id, row.kind, row.title) for row in known),
            }
        there = present(self.store.url)
        values["show"] = compact(show(self.context.workspace, there, None, timeframe="all", now=self.clock()))
        return values


def compact(value):
    """Return the bytes of a JSON value."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


@pytest.fixture(scope="session")
def new_road():
    return Road


@pytest.fixture
def road(store, workspace, clock):
    """A road over each kind of database; ``use`` gives it another file."""
    return Road(store, workspace(), clock)


@pytest.fixture
async def pulled(road, workspace, item):
    """A road over PAY-1 with PAY-2 and PAY-3 below, in I1, read whole before; `jira` and `other` are connections."""
    file = workspace(initiatives=[
        Initiative(id="I1", title="One", work=(WorkSelector(connection="jira", keys=("PAY-1",)),))
    ])  # fmt: skip
    other = Connection(name="other", type="jira", url="https://other.test")
    road.use(replace(file, connections={**file.connections, "other": other}))
    await road.receive(item("1", level="epic"), item("2", parent_id="1"), item("3", parent_id="1", category="done"))
    await road.receive(item("9", connection="other"), connection="other")
    async with road.store.write() as tx:
        for name in road.sources:
            await checkpoints.save(tx, name, WATERMARK, {"updated_ms": 1})
            await checkpoints.save(tx, name, "backfill", {"started_at": road.clock(), "digest": ""})
    await catch_up(road.context)
    road.clock.forward(hours=1)
    return road
