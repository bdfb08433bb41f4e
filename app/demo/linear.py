"""A simulated Linear over HTTP: GraphQL on `/graphql`, tokens on `/oauth/token`, strict where the real one is.

Access, limits and faults live here; what the workspace knows is in `linear_site`, how it says it in `linear_graph`.
`Site` and `Faults` are offered from here for those who only run it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import orjson
from graphql import FieldNode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.demo.faults import Fault
from app.demo.graphql import Engine, Prepared
from app.demo.linear_answers import json_answer, limited, partial, refusal, replaced, unknown_account
from app.demo.linear_faults import Faults
from app.demo.linear_graph import engine_of
from app.demo.linear_limits import MOST, Limits, charged, complexity
from app.demo.linear_lists import Asked
from app.demo.linear_model import Change, Initiative, Issue, Project, User
from app.demo.linear_oauth import GrantError
from app.demo.linear_site import Site
from app.demo.linear_webhooks import Delivery, delivery
from app.demo.spoilt import spoiled, under

__all__ = ["Exchange", "Face", "Fault", "Faults", "Site", "application"]

ALL_SCOPES: tuple[str, ...] = ("read", "write", "admin", "initiative:read", "initiative:write")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, for observers: bodies are the raw bytes, `operation` is the document's name."""

    path: str
    operation: str
    request: bytes
    status: int
    answer: bytes


@dataclass(slots=True, kw_only=True)
class Face:
    """A workspace seen over HTTP: the application, its limits, every exchange so far, and who else wants to see it."""

    site: Site
    engine: Engine
    app: ASGIApp
    limits: Limits = field(default_factory=Limits)
    exchanges: list[Exchange] = field(default_factory=list)
    observers: list[Callable[[Exchange], None]] = field(default_factory=list)
    kept: dict[bytes, tuple[int, list[Any]]] = field(default_factory=dict)

    def count(self, operation: str = "") -> int:
        """Return how many requests had `operation` in their path or the name of their document."""
        return sum(operation in exchange.path or operation in exchange.operation for exchange in self.exchanges)

    def webhook_for(self, change: Change, *, sent_at: datetime | None = None) -> Delivery:
        """Return the signed delivery that Linear would send for a change."""
        return delivery(self.site, change, sent_at=sent_at)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        await under(self.site.faults, self.app, scope, receive, send)


def application(site: Site, *, newer: bool = False, without: Iterable[str] = ()) -> Face:
    """Return the workspace as an ASGI application; `newer` and `without` change the schema (see `engine_of`)."""
    face = Face(site=site, engine=engine_of(newer=newer, without=without), app=_nowhere)

    async def graphql(request: Request) -> Response:
        return await _exchange(face, request, _graphql)

    async def token(request: Request) -> Response:
        return await _exchange(face, request, _token)

    async def page(request: Request) -> Response:
        return _page(site, request)

    face.app = Starlette(
        routes=[
            Route("/graphql", graphql, methods=["POST"]),
            Route("/oauth/token", token, methods=["POST"]),
            Route("/{workspace}/{kind}/{name}", page),
            Route("/{workspace}/{kind}/{name}/{title}", page),
        ]
    )
    return face


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"", 503)(scope, receive, send)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posted:
    """A request as it came: its bytes, and the document in it, if there is one."""

    request: Request
    raw: bytes
    body: dict[str, Any]
    prepared: Prepared | None
    operation: str
    fault: Fault | None


async def _exchange(face: Face, request: Request, answer: Callable[[Face, _Posted], Response]) -> Response:
    raw = await request.body()
    site = face.site
    if site.faults.latency:
        await asyncio.sleep(site.faults.latency)
    posted = _posted(face, request, raw)
    instead = replaced(posted.fault, face.limits, site.now()) if posted.fault else None
    response = instead or answer(face, posted)
    if posted.fault and not instead:
        response = spoiled(response, posted.fault)
    response.headers["Date"] = format_datetime(site.now().astimezone(UTC), usegmt=True)
    path, told = request.url.path, bytes(response.body)
    exchange = Exchange(path=path, operation=posted.operation, request=raw, status=response.status_code, answer=told)
    face.exchanges.append(exchange)
    for observer in face.observers:
        observer(exchange)
    return response


def _posted(face: Face, request: Request, raw: bytes) -> _Posted:
    path, body, prepared, roots = request.url.path, {}, None, ""
    operation = ""
    if path == "/graphql":
        try:
            loaded = orjson.loads(raw)
        except orjson.JSONDecodeError:
            loaded = None
        body = loaded if isinstance(loaded, dict) else {}
        if isinstance(body.get("query"), str):
            prepared = face.engine.prepare(body["query"])
            found = prepared.operation(body.get("operationName"))
            if found is not None:
                operation = found.name.value if found.name else ""
                fields = (one for one in found.selection_set.selections if isinstance(one, FieldNode))
                roots = " ".join(one.name.value for one in fields)
    fault = face.site.faults.take(f"{path} {operation} {roots}")
    return _Posted(request=request, raw=raw, body=body, prepared=prepared, operation=operation, fault=fault)


def _graphql(face: Face, posted: _Posted) -> Response:
    site, now = face.site, face.site.now()
    asked = _asked(face, posted)
    if isinstance(asked, Response):
        return asked
    if posted.prepared is None:
        return refusal(400, "POST body missing, or it is no JSON object with a query.", "other", "BAD_REQUEST")
    if not face.limits.requests.take(1, now):
        return limited(face.limits, "requests", face.limits.requests.reset(now), now)
    if posted.prepared.errors:
        return json_answer({"errors": posted.prepared.errors}, 400, face.limits.headers(now, 0))
    name = posted.body.get("operationName")
    operation, document = posted.prepared.operation(name), posted.prepared.document
    if operation is None or document is None:
        return refusal(400, "Must provide operation name.", "graphql error", "OPERATION_RESOLUTION_FAILURE")
    variables = posted.body.get("variables") or {}
    if not isinstance(variables, dict):
        return refusal(400, "`variables` in a POST body must be an object.", "graphql error", "BAD_REQUEST")
    cost = complexity(face.engine.schema, document, operation, variables)
    if cost > MOST:
        words = f"The query is too complex: {cost:.1f} points, where at most {MOST} are allowed."
        return refusal(400, words, "invalid input", "INVALID_INPUT", face.limits.headers(now, cost))
    if face.limits.complexity.remaining(now) < cost:
        return limited(face.limits, "complexity", face.limits.complexity.reset(now), now)
    outcome = face.engine.run(posted.prepared, variables, asked, name)
    taken = charged(cost, operation, variables, outcome.data)
    face.limits.complexity.take(taken, now)
    status = 200 if outcome.ran else 400
    half = posted.fault is not None and posted.fault.kind == "partial"
    body = partial(outcome, face.engine.schema) if half else outcome.body()
    return json_answer(body, status, face.limits.headers(site.now(), taken))


def _asked(face: Face, posted: _Posted) -> Asked | Response:
    """Return who asks, or the refusal of the credentials."""
    site, header = face.site, posted.request.headers.get("authorization", "")
    scheme, _, value = header.partition(" ")
    found: tuple[User, bool, tuple[str, ...]]
    if header == site.key:
        found = (site.me, False, ALL_SCOPES)
    elif scheme.casefold() == "bearer" and value == site.key:
        words = "It looks like you're trying to use an API key as a Bearer token. Remove the Bearer prefix."
        return unknown_account(words)
    else:
        token = site.oauth.token(value, site.now()) if scheme.casefold() == "bearer" else None
        if token is None:
            return unknown_account()
        found = (site.bot if token.app else site.me, token.app, token.scopes)
    user, app, scopes = found
    return Asked(
        site=site, user=user, app=app, scopes=scopes, limits=face.limits, fault=posted.fault, kept=face.kept
    )  # fmt: skip


def _token(face: Face, posted: _Posted) -> Response:
    form = dict(parse_qsl(posted.raw.decode("utf-8", "replace"), keep_blank_values=True))
    scheme, _, value = posted.request.headers.get("authorization", "").partition(" ")
    if scheme.casefold() == "basic":
        try:
            client, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            client = secret = ""
        form |= {"client_id": client, "client_secret": secret}
    if "application/x-www-form-urlencoded" not in posted.request.headers.get("content-type", ""):
        words = "Content-Type must be application/x-www-form-urlencoded."
        return json_answer({"error": "invalid_request", "error_description": words}, 400)
    try:
        return json_answer(face.site.oauth.grant(form, face.site.now()))
    except GrantError as error:
        return json_answer(error.body, error.status)


def _page(site: Site, request: Request) -> Response:
    """Return the page for people of an issue, a project or an initiative; open to anyone, as everything is made up."""
    found = _named(site, request.path_params["kind"], request.path_params["name"])
    if found is None or found.trashed:
        return Response("<!doctype html><title>Not found</title><p>No such page.", 404, media_type="text/html")
    match found:
        case Issue():
            title, status = f"{found.identifier}: {found.title}", found.state.name
        case Project():
            title, status = found.name, found.status.name
        case Initiative():
            title, status = found.name, found.status
    labels = ", ".join(label.name for label in found.labels) or "none"
    table = f"<dt>Status<dd>{escape(status)}<dt>Labels<dd>{escape(labels)}"
    page = (
        f'<!doctype html><meta charset="utf-8"><title>{escape(title)}</title><h1>{escape(title)}</h1><dl>{table}</dl>'
    )
    return Response(page + "<p>A simulated page of the Keyrail demo.</p>", media_type="text/html")


def _named(site: Site, kind: str, name: str) -> Issue | Project | Initiative | None:
    if kind == "issue":
        return site.find(name)
    rows: list[Project | Initiative] = [*site.all(Project), *site.all(Initiative)]
    return next((row for row in rows if type(row).__name__.lower() == kind and name.endswith(row.slug_id)), None)
