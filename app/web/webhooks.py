"""`POST /webhooks/{connection}`: is it genuine, is it stored, and what the tracker is told.

What a delivery says is not looked at here; whoever reads the inbox does that.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from structlog.contextvars import bound_contextvars

from app.web.needs import Reading, Taker, Web
from connectors.base import Connector
from connectors.registry import CONNECTORS
from domain.errors import PayloadError, SignatureError, StaleDeliveryError, StorageError
from domain.work import Refetch
from domain.workspace import Connection
from sync.arrivals import Arrival

log = logging.getLogger("keyrail")

LARGEST = 25 * 1024 * 1024
"""bytes of the largest body that is read; GitHub sends no larger ones"""
READING = 20.0
"""seconds that a body may take to arrive"""
STORING = 8.0
"""seconds that storing may take: GitHub waits ten for its answer"""
AT_ONCE = 8 * LARGEST
"""bytes of bodies that are read at the same time: nobody knows yet that their senders are genuine"""
LONGEST_ID = 200
"""characters of a delivery id that is kept as it is; indexes have no room for any length"""
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer to a delivery: a status, and what it says under `key`."""

    status: int
    says: str
    key: str = "error"
    headers: Mapping[str, str] | None = None

    def response(self) -> Response:
        """Return it as an answer."""
        return JSONResponse({self.key: self.says}, self.status, headers=self.headers)


ACCEPTED = Verdict(status=200, says="accepted", key="status")
KNOWN = Verdict(status=200, says="known", key="status")
STALE = Verdict(status=200, says="stale", key="status")
AWAY = Verdict(status=503, says="The delivery could not be stored. Send it again later.", headers={"retry-after": "10"})


async def receive(web: Web, arrivals: Taker, request: Request) -> Response:
    """Take a delivery: 200 once it is stored or was known, 401 where it is not genuine, 503 where it was not stored.

    Also 404 for a connection that the workspace does not have, 408 and 413 for a body that is too slow or too large,
    415 for one that is not plain JSON. Never another 5xx: to a tracker that says the same as 503.
    """
    began = time.perf_counter()
    connection = web.workspace().connections.get(request.path_params["connection"])
    if connection is None:
        verdict = Verdict(status=404, says="There is no such connection.")
        web.metrics.webhook(None, verdict.status, time.perf_counter() - began)
        return verdict.response()
    with bound_contextvars(connection=connection.name):
        try:
            verdict = await _taken(web, arrivals, connection, request)
        except Exception as error:  # a defect of ours must not cost a delivery: it is sent again
            log.error("a webhook could not be taken", exc_info=error)
            verdict = AWAY
    web.metrics.webhook(connection.name, verdict.status, time.perf_counter() - began)
    return verdict.response()


async def _taken(web: Web, arrivals: Taker, connection: Connection, request: Request) -> Verdict:
    if refusal := _unreadable(request.headers) or _no_secret(connection):
        log.warning("webhook refused: %s", refusal.says)
        return refusal
    with web.bodies.reading() as reading:
        body = await _body(request, reading)
    if isinstance(body, Verdict):
        log.warning("webhook refused: %s", body.says)
        return body
    connector = CONNECTORS[connection.type]
    delivery = bounded(connector.delivery_id(request.headers, body))
    with bound_contextvars(delivery=delivery):
        try:
            arrival = _genuine(connection, connector, request.headers, body, delivery, web.now())
        except SignatureError as error:
            log.warning("webhook refused: %s", error)
            return Verdict(status=401, says=str(error))
        return await _stored(arrivals, arrival) if arrival is not None else STALE


def _genuine(
    connection: Connection,
    connector: Connector,
    headers: Mapping[str, str],
    body: bytes,
    delivery: str,
    now: datetime,
) -> Arrival | None:
    """Return what is to be stored of a delivery, None where that is nothing; raises SignatureError."""
    secret = connection.webhook_secret.reveal() if connection.webhook_secret else ""
    event = connector.event_of(headers)
    arrival = Arrival(
        connection=connection.name,
        delivery_id=delivery,
        event=event and event[:LONGEST_ID],
        body=body,
        received_at=now,
    )
    try:
        connector.verify(headers, body, secret, now)
    except StaleDeliveryError as error:
        named = _hints(connection, connector, body, event)
        log.warning("webhook dropped, of %d items that it names the present is read: %s", len(named), error)
        return replace(arrival, kind="hint", body=orjson.dumps(named)) if named else None
    return arrival


async def _stored(arrivals: Taker, arrival: Arrival) -> Verdict:
    try:
        async with asyncio.timeout(STORING):
            new = await arrivals.put(arrival)
    except (StorageError, TimeoutError) as error:
        log.error("webhook not stored: %s", error if str(error) else f"no answer within {STORING:.0f} seconds")
        return AWAY
    log.debug("webhook %s", "stored" if new else "known")
    if arrival.kind == "hint":
        return STALE
    return ACCEPTED if new else KNOWN


def _unreadable(headers: Mapping[str, str]) -> Verdict | None:
    """Return the refusal of a body that is encoded or a form: its signature says nothing about the JSON inside."""
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if media in FORMS:
        says = f"The body is {media}. Choose application/json as the webhook's content type."
        return Verdict(status=415, says=says)
    if encoding not in ("", "identity"):
        return Verdict(status=415, says="The body is compressed. Send it as it is, without Content-Encoding.")
    return None


def _no_secret(connection: Connection) -> Verdict | None:
    """Return the refusal of a connection whose deliveries cannot be checked."""
    secret = connection.webhook_secret
    if secret is None:
        return Verdict(status=401, says=f"Connection {connection.name} has no `webhook.secret`. Set one.")
    if secret.missing:
        return Verdict(status=401, says=f"The webhook secret of connection {connection.name} is not set.")
    return None


async def _body(request: Request, reading: Reading) -> bytes | Verdict:
    """Read the body, or refuse one that is too large, or one too many, as soon as that is known."""
    stated = request.headers.get("content-length", "")
    too_large = Verdict(status=413, says=f"The body is larger than {LARGEST >> 20} MB.")
    if stated.isascii() and stated.isdigit() and (len(stated) > 12 or int(stated) > LARGEST):
        return too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(READING):
            async for part in request.stream():
                size += len(part)
                if size > LARGEST:
                    return too_large
                if reading.grown(len(part)) > AT_ONCE:
                    return AWAY
                parts.append(part)
    except TimeoutError:
        return Verdict(status=408, says=f"The body did not arrive within {READING:.0f} seconds.")
    except ClientDisconnect:
        return Verdict(status=400, says="The sender went away before the body was whole.")
    return b"".join(parts)


def _hints(connection: Connection, connector: Connector, body: bytes, event: str | None) -> list[dict[str, str]]:
    """Return what a genuine delivery that came too late names."""
    try:
        changes = connector.hints(body, event, connection, connector.defaults(connection)).changes
    except PayloadError as error:
        log.warning("the stale webhook names nothing: %s", error)
        return []
    return [{"id": change.ref.id, "key": change.key} for change in changes if isinstance(change, Refetch)]


def bounded(id: str) -> str:
    """Return a delivery id that every database can keep and index: a hash of one that is long or has odd characters."""
    if len(id) <= LONGEST_ID and id.isprintable():
        return id
    return f"sha256:{hashlib.sha256(id.encode('utf-8', 'surrogateescape')).hexdigest()}"
