"""Webhooks at the trackers: seen, set up, kept alive and taken away, one connection beside the other.

Nobody else's webhook is touched, what is right already is left alone, and what stands there afterwards counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from connectors.hooks import Hook, Place
from domain.errors import AuthError, KeyrailError, PermanentError, RejectedError
from sync.context import Context, Live
from sync.places import Doc, Work, begun

MISSING, OK, DIFFERS, BY_HAND, FAILED = "missing", "ok", "differs", "by_hand", "failed"
"""what is at a place: no webhook of ours, one as it shall be, one that is not, work for a person, nobody knows"""
UNDONE = frozenset({BY_HAND, FAILED})
"""what no call has done"""


# --- one connection


Action = Callable[[Work, Place], Awaitable[list[Doc]]]


async def act(context: Context, source: Live, action: Action, *, signing: bool = True) -> Doc:
    """Do something about the webhooks of a connection, at each place that is wanted, and where ours stood before.

    One place that fails stops no other. Raises ConfigError, and AuthError where the tracker refuses our credentials.
    """
    work, wanted = await begun(context, source, signing=signing)
    rows: list[Doc] = []
    for place in (*wanted, *work.memory.old(wanted)):
        try:
            rows += await action(work, place)
        except AuthError:
            raise
        except KeyrailError as error:
            rows.append(_refused(work, place, error, removing=action is remove))
    return {"connection": source.name, "url": work.receiver.url, "webhooks": rows, "error": None}


def _row(place: Place, hook: Hook | None, differs: Mapping[str, str], *, state: str = "", action: str = "") -> Doc:
    state = state or (MISSING if hook is None else DIFFERS if differs else OK)
    doc: Doc = {"place": place.name, "state": state, "action": action or None, "differs": list(differs.values())}
    doc |= {"id": None, "url": None, "enabled": None, "events": list(place.events), "expires_at": None}
    if hook is not None:
        doc |= {"id": hook.id, "url": hook.url, "enabled": hook.enabled, "events": list(hook.events)}
        doc |= {"expires_at": hook.expires_at, "last_failure": hook.last_failure or None}
    return {"last_failure": None, "error": None, "instructions": [], **doc}


def _refused(work: Work, place: Place, error: KeyrailError, *, removing: bool) -> Doc:
    """Tell of a place that no call could set up: what a person does there, unless a repeat may do."""
    text = str(error).replace(work.receiver.secret, "***") if work.receiver.secret else str(error)
    permanent = isinstance(error, PermanentError)
    steps = work.hooks.by_hand(work.source.connection, place, work.receiver)
    if removing:
        steps = (f"Open the webhooks of {place.name} there and delete the one that goes to {work.receiver.url}",)
    row = _row(place, None, {}, state=BY_HAND if permanent else FAILED)
    return row | {"error": text, "instructions": list(steps) if permanent else []}


def _unfinished(work: Work, place: Place, hook: Hook, differs: Mapping[str, str], action: str) -> Doc:
    """Tell of a webhook that no call makes what it shall be."""
    row = _row(place, hook, differs, state=BY_HAND, action=action)
    return row | {"instructions": list(work.hooks.by_hand(work.source.connection, place, work.receiver))}


async def look(work: Work, place: Place) -> list[Doc]:
    """Tell which webhook of ours stands at a place, and what about it differs; nothing is changed."""
    ours = work.ours(place, await work.standing(place))
    if not place.events:
        return [_row(place, hook, {"place": "is not wanted here any more"}) for hook in ours]
    rows = [_row(place, hook, work.differs(place, hook)) for hook in ours[:1]]
    rows += [_row(place, hook, {"twice": "is one too many"}) for hook in ours[1:]]
    return rows or [_row(place, None, {})]


async def register(work: Work, place: Place) -> list[Doc]:
    """Let one webhook of ours stand at a place, as it shall be; what is right already is left alone."""
    found = await work.standing(place)
    ours = work.ours(place, found)
    if not place.events:
        return await _taken_away(work, place, ours)
    if not ours:
        return [await _made(work, place, found)]
    rows = [await _mended(work, place, ours[0])]
    return rows + (await _deleted(work, place, ours[1:]))


async def _made(work: Work, place: Place, found: list[Hook], action: str = "created") -> Doc:
    if place.alone and found:
        raise RejectedError(
            f"{work.source.name}: the webhook of {place.name} goes to {found[0].url}, which is not ours to change."
        )
    call = work.hooks.write(place, None, work.receiver)
    if call is None:
        raise RejectedError(f"{work.source.name}: a webhook of {place.name} cannot be made by a call.")
    client = work.source.client
    id = work.hooks.written(place, await client.json(work.hooks.proved(client, call)))
    # Kept before anything else can go wrong: what is ours is known by it, should the address change.
    await work.remember(place, Hook(id=id, url=work.receiver.url, events=()), signed=True)
    return await _seen(work, place, action)


async def _mended(work: Work, place: Place, hook: Hook) -> Doc:
    differs = work.differs(place, hook)
    if not differs:
        await work.remember(place, hook)
        return _row(place, hook, {}, action="unchanged")
    if set(differs) <= place.fixed:
        return _unfinished(work, place, hook, differs, "unchanged")
    if set(differs) == {"expires"} and await _extended(work, place, hook):
        return await _seen(work, place, "extended")
    call = work.hooks.write(place, hook, work.receiver)
    if call is None:
        await _deleted(work, place, [hook])
        return await _made(work, place, [], "updated")
    await work.send(call)
    await work.remember(place, hook, signed=True)
    return await _seen(work, place, "updated")


async def _extended(work: Work, place: Place, hook: Hook) -> bool:
    call = work.hooks.extend(place, [hook])
    if call is not None:
        await work.send(call)
    return call is not None


async def _seen(work: Work, place: Place, action: str) -> Doc:
    """Look once more at a place that was changed: what stands there counts, not what was sent."""
    ours = work.ours(place, await work.standing(place))
    if not ours:
        raise RejectedError(f"{work.source.name}: the webhook of {place.name} was made, and is not there. Try again.")
    await work.remember(place, ours[0])
    differs = work.differs(place, ours[0])
    return _unfinished(work, place, ours[0], differs, action) if differs else _row(place, ours[0], {}, action=action)


async def refresh(work: Work, place: Place) -> list[Doc]:
    """Keep a webhook alive: more time for one that ends soon, another for one that ended, on again if switched off."""
    found = await work.standing(place)
    ours = work.ours(place, found)
    if not ours and place.events and work.memory.known(place).get("expires"):
        return [await _made(work, place, found, "created")]
    rows: list[Doc] = []
    for hook in ours if place.events else ():
        differs = work.differs(place, hook)
        if ("expires" in differs and await _extended(work, place, hook)) or "enabled" in differs:
            rows.append(await _renewed(work, place, hook, differs))
        else:
            rows.append(_row(place, hook, differs, action="unchanged"))
    return rows or ([_row(place, None, {})] if place.events else [])


async def _renewed(work: Work, place: Place, hook: Hook, differs: Mapping[str, str]) -> Doc:
    if "enabled" not in differs:
        return await _seen(work, place, "extended")
    return (await _mended(work, place, hook)) | {"action": "enabled"}


async def remove(work: Work, place: Place) -> list[Doc]:
    """Take our webhooks away from a place, and nobody else's."""
    return await _taken_away(work, place, work.ours(place, await work.standing(place)))


async def _taken_away(work: Work, place: Place, ours: list[Hook]) -> list[Doc]:
    rows = await _deleted(work, place, ours)
    if all(row["state"] != BY_HAND for row in rows):
        await work.remember(place, None)
    return rows


async def _deleted(work: Work, place: Place, hooks: list[Hook]) -> list[Doc]:
    rows: list[Doc] = []
    for hook in hooks:
        call = work.hooks.delete(place, hook)
        if call is None:
            steps = [f"Only its owner can switch off the webhook of {place.name}: in its settings, untick Active."]
            rows.append(_row(place, hook, {}, state=BY_HAND) | {"instructions": steps})
            continue
        await work.send(call)
        rows.append(_row(place, hook, {}, state=MISSING, action="removed"))
    return rows


ACTIONS: Mapping[str, Action] = {"register": register, "list": look, "refresh": refresh, "remove": remove}
SIGNING = frozenset({"register", "refresh"})
"""actions that may have to give a tracker our secret"""


# --- all connections


async def over(context: Context, sources: Mapping[str, Live], action: str) -> tuple[list[Doc], list[KeyrailError]]:
    """Do an action for each connection; one that fails stops no other. Return a document each, and what failed."""
    docs: list[Doc] = []
    errors: list[KeyrailError] = []

    async def one(source: Live) -> tuple[Doc, KeyrailError | None]:
        try:
            return await act(context, source, ACTIONS[action], signing=action in SIGNING), None
        except KeyrailError as error:
            return {"connection": source.name, "url": None, "webhooks": [], "error": str(error)}, error

    for doc, error in await asyncio.gather(*(one(source) for source in sources.values())):
        docs.append(doc)
        if error is not None:
            errors.append(error)
    return docs, errors
