"""What changed since a watermark: issues by their time, projects and initiatives by a sweep of all.

Pages go out as they came in; the last one carries the new watermark.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import orjson

from connectors.base import Answer, Json, Page, Reading
from connectors.http import Client
from connectors.linear import queries
from connectors.linear.client import pages_of
from connectors.linear.containers import sweep
from connectors.linear.site import Found, listing, nothing, page_of, site_of
from domain.workspace import Connection

OVERLAP_MS = 5 * 60 * 1000


async def changes(client: Client, connection: Connection, reading: Reading, watermark: Json) -> AsyncIterator[Page]:
    """Yield what changed since the watermark; the last page's cursor is the new watermark.

    Lists are newest first, so what is touched on the way would shift their pages: the span ends when the run began,
    by Linear's clock, which is the next watermark too; it begins five minutes before the last one. Projects and
    initiatives are read in full, since neither closing an issue nor a new link moves their time; a page that says
    what it said in the last sweep is not handed out again, but once a day. A watermark is
    ``{"updated_ms", "day", "swept"}``.
    """
    site = site_of(connection, reading)
    mark: Mapping[str, Json] = watermark if isinstance(watermark, dict) else {}
    marks = (_ms(mark.get("updated_ms")), _ms(reading.facts.get("read_ms")), to_ms(client.now))
    since = next(moment for moment in marks if moment is not None)
    today = client.now.astimezone(UTC).date().isoformat()
    swept = mark.get("swept") if mark.get("day") == today else None
    known = frozenset(str(digest) for digest in swept) if isinstance(swept, list) else frozenset[str]()
    began: float | None = None
    digests: list[Json] = []
    number = 0
    async with aclosing(sweep(client, site)) as containers:
        async for _, found, mended in containers:
            began = to_ms(server_time(found.answer)) if began is None else began
            digest = _digest(found)
            digests.append(digest)
            if digest not in known and found.nodes:
                yield replace(page_of("changes", found, mended=mended), number=number)
                number += 1
    until = began if began is not None else to_ms(client.now)
    changed = listing(
        client,
        queries.ISSUES_CHANGED,
        "issues",
        teams=list[Json](site.teams),
        since=queries.stamp(max(since - OVERLAP_MS, 0.0)),
        until=queries.stamp(until),
    )
    async with aclosing(pages_of(client, site, "issues", changed, "changes")) as pages:
        async for page in pages:
            yield replace(page, number=number)
            number += 1
    cursor: dict[str, Json] = {"updated_ms": int(max(until, since)), "day": today, "swept": digests}
    yield replace(nothing(client, "changes", cursor=cursor), number=number)


def server_time(answer: Answer) -> datetime:
    """Return the server's clock at the answer, our own at the request where it sends none."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return answer.sent_at
    return moment if moment.tzinfo else answer.sent_at


def to_ms(moment: datetime) -> float:
    """Return epoch milliseconds."""
    return moment.timestamp() * 1000


def _digest(found: Found) -> str:
    return hashlib.sha256(orjson.dumps(found.nodes, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]


def _ms(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
