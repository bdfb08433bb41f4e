"""What the service does about webhooks by itself: keeps ours alive, and asks for deliveries that did not arrive.

Every run is idempotent; what was asked for is remembered, so that a delivery that fails again is not asked for twice.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from connectors.base import Answer, Call
from connectors.hooks import Failed, Hook, Place
from domain.errors import ConfigError, KeyrailError, NotFoundError, RejectedError
from storage import checkpoints
from sync.context import Context, Live
from sync.hooks import act, refresh
from sync.places import PAGES, Doc, Work, begun

STREAM = "redeliveries"
KEPT = timedelta(days=3)
"""how long a tracker can deliver again"""
OVERLAP = timedelta(hours=1)
"""how far back before the last look deliveries are looked at again: one may have been under way"""
FORBIDDEN = 403

log = logging.getLogger(__name__)


async def upkeep(context: Context, sources: Mapping[str, Live]) -> list[Doc]:
    """Refresh the webhooks of each connection and ask for what did not arrive; nothing here stops another connection.

    Made to be run each hour: it costs a request or two a place. What must be done by a person is logged as a warning.
    Returns a document a connection, as `webhooks refresh` does, with `redelivered` beside.
    """
    docs: list[Doc] = []
    for name, source in sources.items():
        if source.connector.hooks is None or source.connection.webhook_secret is None:
            continue
        try:
            doc = await act(context, source, refresh)
            doc["redelivered"] = await redeliver(context, source)
        except KeyrailError as error:
            log.warning("the webhooks of %s were not looked after: %s", name, error)
            doc = {"connection": name, "url": None, "webhooks": [], "error": str(error), "redelivered": 0}
        for row in doc["webhooks"]:
            if row["state"] != "ok":
                what = row["error"] or "; ".join(row["differs"]) or "is not there"
                log.warning(
                    "%s: webhook of %s: %s. See: keyrail webhooks list --connection %s", name, row["place"], what, name
                )
        docs.append(doc)
    return docs


async def set_up_by_hand(context: Context, source: Live) -> int:
    """Ask for what did not arrive at webhooks that people set up; return how many were asked for.

    They are known by their address: where ours is not known, nothing is done. The webhooks themselves are not touched.
    """
    try:
        return await redeliver(context, source)
    except ConfigError as error:
        log.info("%s: deliveries that failed are not looked for. %s", source.name, error)
    except KeyrailError as error:
        log.warning("%s: deliveries that failed were not looked for: %s", source.name, error)
    return 0


async def redeliver(context: Context, source: Live) -> int:
    """Ask once for each delivery of the last three days that no attempt brought; return how many were asked for.

    Trackers that deliver again by themselves are not asked. Where the tracker does not let us see, nothing is done;
    where it lets us see but not ask, that is told after one try.
    """
    hooks = source.connector.hooks
    if hooks is None or hooks.undelivered is None:
        return 0
    work, places = await begun(context, source, signing=False)
    now = context.now()
    async with context.store.read() as tx:
        kept = await checkpoints.load(tx, source.name, STREAM) or {}
    asked: dict[str, Any] = {id: at for id, at in (kept.get("asked") or {}).items() if _at(at) > now - KEPT - OVERLAP}
    since = max(now - KEPT, _at(kept["to"]) - OVERLAP) if kept.get("to") else now - KEPT
    count = 0
    for place in places:
        for hook in await _ours(work, place):
            for failed in await _failed(work, place, hook, since):
                if failed.id in asked:
                    continue
                asked[failed.id] = now.isoformat()
                # Remembered first: an attempt too few is mended by the poll, one too many each hour by nobody.
                await _remember(work, {**kept, "asked": asked})
                try:
                    await work.send(failed.again)
                except (NotFoundError, RejectedError) as error:
                    log.warning("%s: the delivery %s cannot be had again: %s", source.name, failed.id, error)
                    if isinstance(error, RejectedError) and error.status == FORBIDDEN:
                        return count
                else:
                    count += 1
    await _remember(work, {"to": now.isoformat(), "asked": asked})
    if count:
        log.info("%s: %d deliveries that failed are asked for again", source.name, count)
    return count


async def _ours(work: Work, place: Place) -> list[Hook]:
    try:
        return work.ours(place, await work.standing(place))[:1]
    except (NotFoundError, RejectedError):
        return []


async def _failed(work: Work, place: Place, hook: Hook, since: datetime) -> list[Failed]:
    answers: list[Answer] = []
    if work.hooks.undelivered is None:
        return []
    while isinstance(told := work.hooks.undelivered(place, hook, answers, since), Call):
        answers.append(await work.send(told))
        if len(answers) > PAGES:
            return []
    return told


async def _remember(work: Work, value: Mapping[str, Any]) -> None:
    async with work.context.store.write() as tx:
        await checkpoints.save(tx, work.source.name, STREAM, dict(value))


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)
