"""Endpoints of the work: items, epics with what is delivered of them, steps of their history.

Read a page at a time out of the store; what the records are is said in `sync.exports`.
"""

from __future__ import annotations

from app.web.api.asked import flag, instant, path, text, word
from app.web.api.endpoint import Asked, Doc, Endpoint, Find, Key, Page, page
from app.web.api.shapes import CATEGORY, EPIC, ITEM, LEVEL, STEP
from domain.okr import Override
from domain.work import Transition
from rollup import progress as sums
from storage import links as link_store
from storage import lists, overrides, rollups
from sync.answers import one_item
from sync.exports import epic_document, item_document
from sync.refresh import measure_of

CONNECTION = text("connection", "Only those of this connection.")
TITLE = text("q", "Only those with this in their title, or with this key, whatever its case.")
WORK_OF = (
    CONNECTION,
    word("category", tuple(CATEGORY["enum"]), "Only those of this category."),
    text("project", "Only those of this project, repository or team of the tracker."),
    text("team", "Only those of this team."),
    text("initiative", "Only those that count for this initiative."),
    TITLE,
)


def ref_key(one: Doc) -> Key:
    """Return the key of an item."""
    return [one["connection"], one["id"]]


def step_key(one: Doc) -> Key:
    """Return the key of a step of history."""
    return [one["connection"], one["item_id"], one["id"]]


async def items(asked: Asked) -> Find:
    """Open the list of items."""
    names = ("connection", "level", "category", "project", "team", "initiative", "linked", "updated_since", "deleted")
    wanted = lists.Items(text=asked["q"], **{name: asked[name] for name in names})

    async def find(after: Key | None, limit: int) -> Page:
        async with asked.context.store.read() as tx:
            links = await link_store.load_scopes(tx)
            rows = await lists.items_after(tx, wanted, tuple(after) if after else None, limit + 1)
        return page([item_document(row.item, links.get(row.scope, ()), row.dimensions) for row in rows], limit, ref_key)

    return find


async def one(asked: Asked) -> Doc:
    """Answer one item."""
    async with asked.context.store.read() as tx:
        row = await one_item(tx, asked.context.workspace, asked["ref"])
        links = await link_store.load_scopes(tx)
    return item_document(row.item, links.get(row.scope, ()), row.dimensions)


async def epics(asked: Asked) -> Find:
    """Open the list of epics; of those of a page alone is computed what is delivered."""
    context = asked.context
    names = ("connection", "category", "project", "team", "initiative")
    wanted = lists.Items(level="epic", text=asked["q"], **{name: asked[name] for name in names})
    policies = context.workspace.policies

    async def find(after: Key | None, limit: int) -> Page:
        said: dict[str, list[Override]] = {}
        async with context.store.read() as tx:
            rows = await lists.items_after(tx, wanted, tuple(after) if after else None, limit + 1)
            refs = [(row.item.connection, row.item.id) for row in rows]
            found = await rollups.facts(tx, None, measure=measure_of(policies), below=refs)
            for spoken in await overrides.all_overrides(tx):
                said.setdefault(spoken.subject, []).append(spoken)
        progress = sums.epics(found, policies, today=context.today)
        records = [
            epic_document(
                context,
                row.item,
                progress.get((row.item.connection, row.item.id)) or sums.lone(row.item.category.value),
                said.get(str(row.item.ref), ()),
            )
            for row in rows
        ]
        return page(records, limit, ref_key)

    return find


async def history(asked: Asked) -> Find:
    """Open the list of what changed in the past of items."""
    context, connection, item = asked.context, asked["connection"], None
    if asked["item"] is not None:
        async with context.store.read() as tx:
            ref = (await one_item(tx, context.workspace, asked["item"])).item
        connection, item = ref.connection, ref.id
    wanted = lists.Steps(
        connection=connection, item=item, field=asked["field"], since=asked["since"], before=asked["before"]
    )

    async def find(after: Key | None, limit: int) -> Page:
        async with context.store.read() as tx:
            rows = await lists.steps_after(tx, wanted, tuple(after) if after else None, limit + 1)
        return page([step_document(row) for row in rows], limit, step_key)

    return find


def step_document(entry: Transition) -> Doc:
    """Return a step of history as `export history` prints it."""
    return {name: getattr(entry, name) for name in STEP["properties"]}


ENDPOINTS = (
    Endpoint(
        name="list_items",
        path="/api/v1/items",
        group="Work",
        says="Items of all trackers, with the initiatives that they count for.",
        answer=ITEM,
        params=(
            *WORK_OF,
            word("level", tuple(LEVEL["enum"]), "Only those of this level."),
            flag("linked", "Only those that count for an initiative, or for none."),
            instant("updated_since", "Only those that the tracker changed since."),
            flag("deleted", "Also those that are gone.", False),
        ),
        open=items,
        key=(str, str),
    ),
    Endpoint(
        name="get_item",
        path="/api/v1/items/{ref}",
        group="Work",
        says="One item.",
        answer=ITEM,
        params=(path("ref", "`KEY` or `connection:KEY`; a key that it once had does, too."),),
        do=one,
    ),
    Endpoint(
        name="list_epics",
        path="/api/v1/epics",
        group="Work",
        says="Epics, with what is delivered of each.",
        answer=EPIC,
        params=WORK_OF,
        open=epics,
        key=(str, str),
    ),
    Endpoint(
        name="list_history",
        path="/api/v1/history",
        group="Work",
        says="What changed in the past of items, as the trackers tell it, by item.",
        answer=STEP,
        params=(
            CONNECTION,
            text("item", "Only the past of this item: `KEY` or `connection:KEY`."),
            text("field", "Only changes of this field, such as `status`, `estimate`, `parent`."),
            instant("since", "Only what happened then or later."),
            instant("before", "Only what happened earlier."),
        ),
        open=history,
        key=(str, str, str),
    ),
)
