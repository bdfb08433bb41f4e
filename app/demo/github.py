"""A simulated GitHub over HTTP: GraphQL and the REST calls that a good client makes, strict where the real one is.

Access, limits and faults live here; what the site knows is in `github_site`, what it says in `github_graph` and
`github_rest`. `Site` and `Faults` are offered from here for those who only run it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta
from email.utils import format_datetime
from html import escape
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.demo import github_hook_calls as hook_calls
from app.demo import github_rest as rest
from app.demo.faults import Fault
from app.demo.github_access import RefusedError, Token, Window
from app.demo.github_cost import Cost, cost_of
from app.demo.github_faults import Faults
from app.demo.github_graph import OLD_SERVER, Asking, engine, stamp
from app.demo.github_hooks import Webhook, webhook
from app.demo.github_rest import Answered, Call, json_response
from app.demo.github_site import Change, Site
from app.demo.github_things import Account
from app.demo.graphql import Engine, Prepared, Refusal, Told
from app.demo.jira import Exchange
from app.demo.spoilt import SIGN_IN, spoiled, under

__all__ = ["Exchange", "Face", "Fault", "Faults", "Site", "application"]

GRAPHQL_DOCS = "https://docs.github.com/graphql"
TIMED_OUT = (
    "Something went wrong while executing your query. This may be the result of a timeout, or it could be a GitHub "
    "bug. Please include `{id}` when reporting this issue."
)
SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. If you reach out to "
    "GitHub Support for help, please include the request ID {id}."
)
NEEDS = {
    **dict.fromkeys(("projectV2", "projectsV2", "projectItems"), ("read:project", "project")),
    **dict.fromkeys(("issueTypes", "issueFields", "organizations"), ("read:org", "admin:org", "write:org")),
}
"""Scopes of a classic token of which a field needs one"""


@dataclass(slots=True, kw_only=True)
class Face:
    """A site seen over HTTP: the application, every exchange so far, and who else wants to see them."""

    site: Site
    engine: Engine
    app: ASGIApp
    exchanges: list[Exchange] = field(default_factory=list)
    observers: list[Callable[[Exchange], None]] = field(default_factory=list)
    points: int = 0
    """of GraphQL that were used so far"""

    def count(self, path: str = "") -> int:
        """Return how many requests had `path` in their path."""
        return sum(path in exchange.path for exchange in self.exchanges)

    def operations(self) -> list[str]:
        """Return the names of the GraphQL operations that were asked for, in order."""
        bodies = [orjson.loads(one.request) for one in self.exchanges if one.path.endswith("/graphql")]
        return [_name_of(body) for body in bodies]

    def webhook_for(self, change: Change) -> Webhook:
        """Return the signed delivery that GitHub would send for a change."""
        return webhook(self.site, change)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        await under(self.site.faults, self.app, scope, receive, send)


def application(site: Site, *, without: frozenset[str] | None = None) -> Face:
    """Return the site as an ASGI application: at the root, and as an Enterprise Server below `/api`.

    `without` names what the GraphQL schema lacks, see `graphql.schema_of`; an Enterprise Server lacks `OLD_SERVER`.
    """
    lacks = without if without is not None else OLD_SERVER if site.server else frozenset()
    face = Face(site=site, engine=engine(lacks), app=_nowhere)
    routes = []
    for graphql, prefix in (("/graphql", ""), ("/api/graphql", "/api/v3")):
        routes.append(_route(face, "POST", graphql, _graphql, "graphql"))
        routes += [
            _route(face, method, prefix + path, _of_call(answer), access)
            for method, path, answer, access in (*rest.ROUTES, *hook_calls.ROUTES)
        ]
    routes.append(_route(face, "GET", "/{owner}/{repo}/issues/{number:int}", _browse, "anyone"))
    routes.append(_route(face, "GET|POST|PUT|PATCH|DELETE", "/{rest:path}", _unknown, "anyone"))
    face.app = Starlette(routes=routes)
    return face


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"", 503)(scope, receive, send)


@dataclass(slots=True, kw_only=True)
class Session:
    """One request on its way: the call, the face it came to, the fault that it meets, and a name for it."""

    face: Face
    call: Call
    fault: Fault | None
    id: str

    @property
    def site(self) -> Site:
        return self.face.site


Answer = Callable[[Session], Response]


def _of_call(answer: Callable[[Call], Response]) -> Answer:
    return lambda session: answer(session.call)


def _route(face: Face, methods: str, path: str, answer: Answer, access: str) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        if face.site.faults.latency:
            await asyncio.sleep(face.site.faults.latency)
        response = _respond(face, request, raw, answer, access)
        exchange = Exchange(
            method=request.method, path=request.url.path,
            query=tuple(parse_qsl(request.url.query, keep_blank_values=True)), request=raw,
            status=response.status_code, answer=bytes(response.body),
        )  # fmt: skip
        face.exchanges.append(exchange)
        for observer in face.observers:
            observer(exchange)
        return response

    return Route(path, endpoint, methods=methods.split("|"))


def _respond(face: Face, request: Request, raw: bytes, answer: Answer, access: str) -> Response:
    site = face.site
    number = f"{len(face.exchanges)} {request.url.path}"
    id = hashlib.sha256(number.encode()).hexdigest()[:20].upper()
    session = Session(face=face, call=Call(site=site, request=request, token=None, raw=raw), fault=None, id=id)
    response = _worded(lambda: _answered(session, answer, access))
    response = spoiled(response, session.fault) if session.fault else response
    response.headers["Date"] = format_datetime(site.now().astimezone(UTC), usegmt=True)
    response.headers["X-GitHub-Request-Id"] = id
    if site.server:
        response.headers["X-GitHub-Enterprise-Version"] = site.server
    return response


def _worded(answer: Callable[[], Response]) -> Response:
    """Return an answer, or the body of its refusal."""
    try:
        return answer()
    except Answered as answered:
        return json_response(answered.body, answered.status, answered.headers)
    except RefusedError as refused:
        return json_response({"message": str(refused), "documentation_url": rest.DOCS, "status": "401"}, 401)


def _answered(session: Session, answer: Answer, access: str) -> Response:
    site, request = session.site, session.call.request
    if access != "anyone" and "user-agent" not in request.headers:
        text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header"
        raise Answered(403, text)
    if session.call.version not in rest.VERSIONS:
        raise Answered(400, f"Invalid version {session.call.version}")
    session.fault = site.faults.take(f"{request.url.path} {_name_of(_loaded(session.call.raw))}")
    if session.fault is not None and session.fault.kind == "token_expired":
        site.access.expire()
    if access in ("anyone", "application"):
        return _replaced(session, site.access.window(site.me, "core")) or answer(session)
    token = site.access.token(request.headers.get("authorization"))
    if token is None:
        return _anonymous(session)
    site.me = token.account
    session.call = replace(session.call, token=token)
    resource = "graphql" if access == "graphql" else "core"
    window = site.access.window(token.account, resource)
    response = _replaced(session, window) or _worded(lambda: _limited(session, window, answer, access))
    for name, value in _headers(session, token, window, resource).items():
        response.headers.setdefault(name, value)
    return response


def _limited(session: Session, window: Window, answer: Answer, access: str) -> Response:
    """Answer a call as long as its account has something left; GraphQL counts by itself."""
    if access in ("graphql", "free") or session.site.server is not None:
        return answer(session)
    if not window.remaining:
        return _rest_limited(session, window, 403)
    response = _worded(lambda: answer(session))
    window.used += response.status_code != 304
    return response


def _anonymous(session: Session) -> Response:
    graph = session.call.request.url.path.endswith("/graphql")
    text = "This endpoint requires you to be authenticated." if graph else "Requires authentication"
    docs = GRAPHQL_DOCS if graph else rest.DOCS
    return json_response({"message": text, "documentation_url": docs, "status": "401"}, 401)


def _headers(session: Session, token: Token, window: Window, resource: str) -> dict[str, str]:
    told = {"X-GitHub-Media-Type": f"github.{'v4' if resource == 'graphql' else 'v3'}; format=json"}
    if session.site.server is None:
        told |= _limits(window, resource)
    if token.kind == "classic":
        told |= {"X-OAuth-Scopes": ", ".join(token.scopes), "X-Accepted-OAuth-Scopes": "repo"}
    else:
        told["X-Accepted-GitHub-Permissions"] = "issues=read"
    if token.expires_at is not None and token.kind != "installation":
        told["GitHub-Authentication-Token-Expiration"] = f"{token.expires_at:%Y-%m-%d %H:%M:%S} UTC"
    if resource == "core":
        told["X-GitHub-Api-Version-Selected"] = session.call.version
    return told


def _limits(window: Window, resource: str) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(window.limit),
        "X-RateLimit-Remaining": str(window.remaining),
        "X-RateLimit-Reset": str(int(window.reset.timestamp())),
        "X-RateLimit-Used": str(window.used),
        "X-RateLimit-Resource": resource,
    }


# GraphQL


def _graphql(session: Session) -> Response:
    asked = _loaded(session.call.raw)
    text, variables = asked.get("query"), asked.get("variables") or {}
    if not isinstance(text, str) or not isinstance(variables, dict):
        raise Answered(400, "Problems parsing JSON")
    if (owner := _behind_single_sign_on(session.site, variables)) is not None:
        raise rest.single_sign_on(session.site, owner)
    prepared = session.face.engine.prepare(text)
    operation = prepared.operation(asked.get("operationName"))
    if prepared.document is None or prepared.errors or operation is None:
        errors = list(prepared.errors) or [{"message": "No operation found"}]
        return json_response({"errors": errors})
    try:
        cost = cost_of(session.face.engine.schema, prepared.document, operation, variables)
        _has_scopes(session, cost)
    except Refusal as refusal:
        return json_response({"errors": [{**refusal.told, "message": str(refusal)}]})
    return _run(session, prepared, variables, asked.get("operationName"), cost)


def _run(session: Session, prepared: Prepared, variables: Mapping[str, Any], name: str | None, cost: Cost) -> Response:
    site = session.site
    window = site.access.window(site.me, "graphql")
    if site.server is None:
        if window.remaining < cost.points:
            window.used = window.limit
            return _graphql_limited(session, "RATE_LIMITED")
        window.used += cost.points
        session.face.points += cost.points
    most = site.faults.timeout_nodes
    if most is not None and cost.nodes > most:
        return _timed_out(session, 502)
    asking = Asking(site=site, rate=_rate(site, window, cost), fault=session.fault)
    outcome = session.face.engine.run(prepared, variables, asking, name)
    headers = {}
    if asking.partial:
        numbers = ",".join(str(site.accounts[login.casefold()].number) for login in sorted(asking.partial))
        headers["X-GitHub-SSO"] = f"partial-results; organizations={numbers}"
    return json_response(outcome.body(), 200, headers)


def _rate(site: Site, window: Window, cost: Cost) -> Told | None:
    if site.server is not None:
        return None
    return {
        "cost": cost.points,
        "limit": window.limit,
        "nodeCount": cost.nodes,
        "remaining": window.remaining,
        "resetAt": window.reset,
        "used": window.used,
    }


def _has_scopes(session: Session, cost: Cost) -> None:
    token = session.call.token
    if token is None or token.kind != "classic":
        return
    for name in sorted(cost.names & set(NEEDS)):
        if not set(NEEDS[name]) & set(token.scopes):
            text = (
                "Your token has not been granted the required scopes to execute this query. The "
                f"'{name}' field requires one of the following scopes: ['{NEEDS[name][0]}'], but your token has only "
                f"been granted the: {list(token.scopes)} scopes. Please modify your token's scopes at: "
                f"{session.site.url}/settings/tokens."
            )
            raise Refusal(text, type="INSUFFICIENT_SCOPES")


def _behind_single_sign_on(site: Site, variables: Mapping[str, Any]) -> Account | None:
    """Return the organization that a call names and that refuses our token."""
    named = {str(value).casefold() for value in variables.values()}
    for login in site.faults.sso_required:
        if login.casefold() in named:
            return site.accounts[login.casefold()]
    return None


# Faults


def _replaced(session: Session, window: Window) -> Response | None:
    """Return the answer of a fault that replaces the real one, or None where the real one is given, or spoiled."""
    fault = session.fault
    if fault is None:
        return None
    match fault.kind:
        case "rate_limited" | "rest_limited":
            reset = session.site.now() + timedelta(seconds=fault.retry_after)
            spent = Window(limit=window.limit, used=window.limit, reset=reset)
            graph = fault.kind == "rate_limited"
            response = (
                _graphql_limited(session, fault.reason or "RATE_LIMITED")
                if graph
                else _rest_limited(session, spent, int(fault.reason or 403))
            )
            response.headers.update(_limits(spent, "graphql" if graph else "core"))
            return response
        case "secondary" | "secondary_silent" | "secondary_429" | "secondary_ok":
            return _secondary(session, fault)
        case "timeout" | "gateway_timeout":
            return _timed_out(session, 502 if fault.kind == "timeout" else 504)
        case "unavailable":
            page = "<!DOCTYPE html><html><head><title>Unicorn! &middot; GitHub</title></head><body></body></html>"
            return Response(page, 502, media_type="text/html")
        case "login_page":
            return Response(SIGN_IN, 200, media_type="text/html")
        case "refused":
            raise RefusedError("Bad credentials")
        case "forbidden":
            raise Answered(403, fault.reason or "Resource not accessible by personal access token")
        case "internal":
            return json_response({"data": None, "errors": [{"message": TIMED_OUT.format(id=session.id)}]})
        case _:
            return None


def _graphql_limited(session: Session, kind: str) -> Response:
    text = f"API rate limit exceeded for user ID {session.site.me.number}."
    return json_response({"errors": [{"type": kind, "message": text}]})


def _rest_limited(session: Session, window: Window, status: int) -> Response:
    text = f"API rate limit exceeded for user ID {session.site.me.number}. (Used {window.used}.)"
    return json_response({"message": text, "documentation_url": rest.DOCS, "status": str(status)}, status)


def _secondary(session: Session, fault: Fault) -> Response:
    text = SECONDARY.format(id=session.id)
    if fault.kind == "secondary_ok":
        return json_response({"errors": [{"message": text}]})
    headers = {} if fault.kind == "secondary_silent" else {"Retry-After": str(fault.retry_after)}
    status = 429 if fault.kind == "secondary_429" else 403
    docs = f"{rest.DOCS}/overview/rate-limits-for-the-rest-api#about-secondary-rate-limits"
    return json_response({"message": text, "documentation_url": docs, "status": str(status)}, status, headers)


def _timed_out(session: Session, status: int) -> Response:
    return json_response({"data": None, "errors": [{"message": TIMED_OUT.format(id=session.id)}]}, status)


# Small things


def _loaded(raw: bytes) -> Told:
    try:
        told = orjson.loads(raw) if raw else {}
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _name_of(body: Told) -> str:
    """Return the name of the operation of a GraphQL body, empty where it has none."""
    text = body.get("query")
    if not isinstance(text, str):
        return ""
    words = text.replace("(", " ").replace("{", " ").split()
    return words[1] if len(words) > 1 and words[0] in ("query", "mutation") else ""


def _browse(session: Session) -> Response:
    """The page for people that an issue's address leads to; open to anyone, as everything here is made up."""
    path = session.call.request.path_params
    issue = session.site.find(f"{path['owner']}/{path['repo']}#{path['number']}")
    if issue is None or not session.site.visible(issue):
        return Response("<!doctype html><title>Not found</title><p>No such issue.", 404, media_type="text/html")
    state = issue.state.lower() if issue.state_reason is None else f"{issue.state} {issue.state_reason}".lower()
    rows = [("State", state), ("Type", issue.issue_type.name if issue.issue_type else "none")]
    rows += [
        ("Labels", ", ".join(label.name for label in issue.labels) or "none"),
        ("Updated", stamp(issue.updated_at)),
    ]
    table = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    said = "".join(f"<hr><pre>{escape(comment.body)}</pre>" for comment in issue.comments)
    title = f"{issue.key}: {escape(issue.title)}"
    page = f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><dl>{table}</dl>{said}'
    return Response(page + "<p>A simulated issue of the Keyrail demo.</p>", media_type="text/html")


def _unknown(session: Session) -> Response:
    raise rest.not_found()
