"""The webhooks of one connection: what stands at each place, which of it is ours, and what is remembered of it.

What is ours is known by its address, and by its id as it was remembered when we made it. Nothing is changed here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from connectors.base import Answer, Call
from connectors.hooks import Hook, Hooks, Place, Receiver
from domain.errors import ConfigError, RejectedError
from storage import checkpoints
from sync.context import Context, Live
from sync.receivers import differences, mark_of, receiver_of, same_address

Doc = dict[str, Any]  # Any: a JSON document

STREAM = "webhooks"
PAGES = 1000


@dataclass(slots=True)
class Memory:
    """What is remembered of a connection's webhooks; each place is a JSON object with `id`, `mark` and its own shape.

    `mark` tells the secret that we gave it from another one (`sync.receivers.mark_of`).
    """

    places: dict[str, Doc]

    def known(self, place: Place) -> Doc:
        """Return what is remembered of a place, nothing where we never made one there."""
        return self.places.get(place.name, {})

    def old(self, wanted: Iterable[Place]) -> list[Place]:
        """Return the places that webhooks of ours were made at and are not wanted at any more."""
        names = {place.name for place in wanted}
        return [
            Place(name=name, path=str(kept["path"]), events=(), scope=str(kept["scope"]), alone=bool(kept["alone"]))
            for name, kept in sorted(self.places.items())
            if name not in names
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One connection whose webhooks are looked at."""

    context: Context
    source: Live
    hooks: Hooks
    receiver: Receiver
    memory: Memory

    async def send(self, call: Call) -> Answer:
        """Send a call with the proof that it needs."""
        return await self.source.client.send(self.hooks.proved(self.source.client, call))

    async def standing(self, place: Place) -> list[Hook]:
        """Return the webhooks at a place, whoever made them."""
        answers: list[Answer] = []
        while isinstance(told := self.hooks.standing(place, answers), Call):
            answers.append(await self.send(told))
            if len(answers) > PAGES:
                raise RejectedError(f"{self.source.name}: the list of webhooks of {place.name} does not end.")
        return told

    def ours(self, place: Place, found: list[Hook]) -> list[Hook]:
        """Return those that are ours, the one that we remember first."""
        id = self.memory.known(place).get("id")
        ours = [hook for hook in found if hook.id == id or same_address(hook.url, self.receiver.url)]
        return sorted(ours, key=lambda hook: hook.id != id)

    def differs(self, place: Place, hook: Hook) -> dict[str, str]:
        """Return in which ways a webhook of ours is not what it shall be, in words."""
        return differences(place, hook, self.receiver, self.memory.known(place), self.context.now())

    async def remember(self, place: Place, hook: Hook | None, *, signed: bool = False) -> None:
        """Keep what a later run must know of a place; `signed` says that it was given our secret just now."""
        if hook is None:
            self.memory.places.pop(place.name, None)
        else:
            mark = mark_of(self.receiver) if signed else self.memory.known(place).get("mark")
            shape = {"path": place.path, "scope": place.scope, "alone": place.alone}
            expires = hook.expires_at is not None
            self.memory.places[place.name] = {"id": hook.id, "mark": mark, "expires": expires, **shape}
        async with self.context.store.write() as tx:
            kept = await checkpoints.load(tx, self.source.name, STREAM) or {}
            await checkpoints.save(tx, self.source.name, STREAM, {**kept, "places": self.memory.places})


async def begun(context: Context, source: Live, *, signing: bool) -> tuple[Work, tuple[Place, ...]]:
    """Return what the work on a connection's webhooks needs, and the places where they are wanted."""
    hooks = source.connector.hooks
    if hooks is None:
        raise ConfigError(f"{source.name}: webhooks of {source.connection.type} cannot be set up by calls.")
    receiver = receiver_of(context, source.connection, signing=signing)
    async with context.store.read() as tx:
        kept = await checkpoints.load(tx, source.name, STREAM) or {}
    memory = Memory(dict(kept.get("places") or {}))
    work = Work(context=context, source=source, hooks=hooks, receiver=receiver, memory=memory)
    return work, hooks.places(source.connection, source.reading, receiver)
