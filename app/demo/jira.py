"""A simulated Jira Cloud over HTTP: the calls that a good client uses, strict where the real one is.

Routes, access, paging, limits and faults live here; what the site knows is in `site`, how it says it in
`jira_bodies`, what can be written to it in `jira_writes`. `Site` and `Faults` are offered from here for those who only
run it.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from email.utils import format_datetime
from html import escape
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from app.demo import jira_bodies as bodies
from app.demo import jira_hook_calls as hook_calls
from app.demo import jira_writes as writes
from app.demo import jql
from app.demo.faults import Fault, Faults
from app.demo.jira_answers import Answer, Call, Endpoint, Refusal, json_response, offset_page, replaced
from app.demo.jira_bodies import Body
from app.demo.site import Change, Issue, Site
from app.demo.spoilt import spoiled, under

__all__ = ["Exchange", "Face", "Fault", "Faults", "Site", "application"]

MAX_PAGE_OF_IDS = 5000
MAX_PAGE_OF_ISSUES = 100
MAX_BULK_ISSUES = 100
MAX_RECONCILE = 50
_SEARCH_KEYS = {
    "expand", "fields", "fieldsByKeys", "jql", "maxResults", "nextPageToken", "properties", "reconcileIssues",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One request and its answer, for observers: bodies are the raw bytes, `path` has no query."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...]
    request: bytes
    status: int
    answer: bytes


@dataclass(slots=True, kw_only=True)
class Face:
    """A site seen over HTTP: the application, every exchange so far, and who else wants to see them."""

    site: Site
    app: ASGIApp
    headers: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    observers: list[Callable[[Exchange], None]] = field(default_factory=list)

    def count(self, path: str = "") -> int:
        """Return how many requests had `path` in their path."""
        return sum(path in exchange.path for exchange in self.exchanges)

    def webhook_for(self, change: Change) -> bodies.Webhook:
        """Return the signed webhook that the site would send for a change."""
        return bodies.webhook(self.site, change)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve as an ASGI application."""
        await under(self.site.faults, self.app, scope, receive, send)


def application(site: Site) -> Face:
    """Return the site as an ASGI application; also answers under `/ex/jira/{cloudId}` as the gateway does."""
    face = routed(site, _ROUTES)
    face.app = _gateway(site, face.app)
    return face


def routed(site: Site, routes: Sequence[Endpoint], headers: dict[str, str] | None = None) -> Face:
    """Return a face of a site with these routes; `headers` go with every answer."""
    face = Face(site=site, app=_nowhere, headers=headers or {})
    face.app = Starlette(routes=[_route(face, *row) for row in routes])
    return face


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    await Response(b"", 503)(scope, receive, send)


def _gateway(site: Site, app: ASGIApp) -> ASGIApp:
    prefix = f"/ex/jira/{site.cloud_id}"

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(prefix):
            scope = {**scope, "path": scope["path"].removeprefix(prefix)}
        await app(scope, receive, send)

    return serve


def _route(face: Face, methods: str, path: str, answer: Answer, access: str) -> Route:
    async def endpoint(request: Request) -> Response:
        raw = await request.body()
        response = await _respond(face.site, request, raw, answer, access)
        response.headers.update(face.headers)
        exchange = Exchange(
            method=request.method,
            path=request.url.path,
            query=tuple(parse_qsl(request.url.query, keep_blank_values=True)),
            request=raw,
            status=response.status_code,
            answer=bytes(response.body),
        )
        face.exchanges.append(exchange)
        for observer in face.observers:
            observer(exchange)
        return response

    return Route(path, endpoint, methods=methods.split("|"))


async def _respond(site: Site, request: Request, raw: bytes, answer: Answer, access: str) -> Response:
    if site.faults.latency:
        await asyncio.sleep(site.faults.latency)
    fault = site.faults.take(request.url.path)
    if fault and (instead := replaced(fault, site.now())):
        return instead
    known = _known(site, request.headers.get("authorization"))
    if known is False:
        return Response(b"", 401, {"X-Seraph-LoginReason": "AUTHENTICATED_FAILED", "WWW-Authenticate": "OAuth"})
    if known is None and access == "account":
        message = "Client must be authenticated to access this resource."
        return json_response({"message": message, "status-code": 401}, 401)
    try:
        response = answer(Call(site=site, request=request, anonymous=known is None, raw=raw))
    except Refusal as refusal:
        response = json_response(refusal.body, refusal.status)
    response = response if isinstance(response, Response) else json_response(response)
    if known is None and request.headers.get("authorization"):
        response.headers["X-Seraph-LoginReason"] = "AUTHENTICATED_FAILED"
    elif known:
        response.headers["X-Seraph-LoginReason"] = "OK"
        response.headers["X-AACCOUNTID"] = site.me.id
    response = spoiled(response, fault) if fault else response
    response.headers["Date"] = format_datetime(site.now().astimezone(UTC), usegmt=True)
    return response


def _known(site: Site, header: str | None) -> bool | None:
    """Return True for our account, None for nobody in particular, False for wrong credentials."""
    if header is None or site.faults.stale_credentials:
        return None
    scheme, _, value = header.partition(" ")
    if scheme.casefold() == "bearer":
        return value == site.token
    try:
        return base64.b64decode(value, validate=True).decode() == f"{site.email}:{site.token}"
    except (binascii.Error, UnicodeDecodeError):
        return False


# About the site and our account


def _tenant(call: Call) -> Body:
    return {"cloudId": call.site.cloud_id}


def _server(call: Call) -> Body:
    site = call.site
    return {
        "baseUrl": site.url,
        "version": "1001.0.0-SNAPSHOT",
        "versionNumbers": [1001, 0, 0],
        "deploymentType": "Cloud",
        "buildNumber": 100_300,
        "buildDate": bodies.stamp(site.now() - timedelta(days=2), site.zone),
        "serverTime": bodies.stamp(site.now(), site.zone),
        "scmInfo": "0000000000000000000000000000000000000000",
        "serverTitle": "Jira",
    }


def _myself(call: Call) -> Body:
    extra = {"groups": {"size": 1, "items": []}, "applicationRoles": {"size": 1, "items": []}, "locale": "en_GB"}
    return bodies.account(call.site, call.site.me) | extra | {"expand": "groups,applicationRoles"}


def _fields(call: Call) -> list[Body]:
    return bodies.field_list(call.site, anonymous=call.anonymous)


def _types(call: Call) -> list[Body]:
    return [bodies.issue_type(call.site, kind) for kind in call.site.types.values()]


def statuses(call: Call) -> list[Body]:
    """List the statuses, unpaged."""
    return [bodies.status(call.site, state) for state in call.site.statuses.values()]


def _projects(call: Call) -> Body:
    asked = [value for name, value in call.request.query_params.multi_items() if name == "keys"]
    keys = {key.upper() for part in asked for key in part.split(",")}
    visible = [p for p in call.site.projects.values() if not p.hidden and not call.anonymous]
    values = [bodies.project(call.site, p, in_list=True) for p in visible if not keys or p.key in keys]
    return offset_page(call, values, default=50, most=100)


def permissions(call: Call) -> Body:
    """Answer which of the permissions asked for our account has."""
    asked = call.query.get("permissions")
    if not asked:
        raise Refusal(400, "The 'permissions' query parameter is required.")
    key = call.query.get("projectKey")
    if key and call.site.project(key) is None:
        raise Refusal(404, f"No project could be found with key '{key}'.")
    held = set() if call.anonymous else call.site.permissions
    known = {"BROWSE_PROJECTS": "10", "EDIT_ISSUES": "12", "LINK_ISSUES": "21", "ADD_COMMENTS": "15",
             "EDIT_OWN_COMMENTS": "35", "DELETE_OWN_COMMENTS": "37",
             "ADMINISTER": "0", "ADMINISTER_PROJECTS": "23"}  # fmt: skip
    names = asked.split(",")
    for name in names:
        if name not in known:
            raise Refusal(400, f"Unrecognized permission: {name}")
    return {
        "permissions": {
            name: {
                "id": known[name],
                "key": name,
                "name": name.replace("_", " ").capitalize(),
                "type": "GLOBAL" if name == "ADMINISTER" else "PROJECT",
                "description": "",
                "havePermission": name in held,
            }
            for name in names
        }
    }


def boards(call: Call) -> Body:
    """List the site's only board."""
    here = f"{call.site.url}/rest/agile/1.0/board/1"
    return {
        "maxResults": 50, "startAt": 0, "total": 1, "isLast": True,
        "values": [{"id": 1, "self": here, "name": "Sample board", "type": "scrum"}],
    }  # fmt: skip


def board(call: Call) -> Body:
    """Tell the board's estimation field."""
    return {
        "id": int(call.request.path_params["board"]),
        "name": "Sample board",
        "type": "scrum",
        "self": f"{call.site.url}/rest/agile/1.0/board/{call.request.path_params['board']}/configuration",
        "estimation": {
            "type": "field",
            "field": {"fieldId": "customfield_10016", "displayName": "Story point estimate"},
        },
    }


def browse(call: Call) -> Response:
    """The page for people that an issue's address leads to; open to anyone, as everything here is made up."""
    site, found = call.site, call.site.find(call.request.path_params["issue"])
    if found is None:
        return Response("<!doctype html><title>Not found</title><p>No such issue.", 404, media_type="text/html")
    rows = [("Type", found.type), ("Status", found.status), ("Project", site.projects[found.project].name)]
    rows += [("Team", found.team or "none"), ("Labels", ", ".join(found.labels) or "none")]
    table = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in rows)
    title = f"{found.key}: {escape(found.summary)}"
    page = f'<!doctype html><meta charset="utf-8"><title>{title}</title><h1>{title}</h1><dl>{table}</dl>'
    return Response(page + "<p>A simulated issue of the Keyrail demo.</p>", media_type="text/html")


# Searching


def _removed(call: Call) -> Response:
    message = (
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
        "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
    )
    return json_response({"errorMessages": [message], "errors": {}}, 410)


def _search(call: Call) -> Body:
    if call.request.method == "POST":
        asked = call.json()
        if unknown := sorted(set(asked) - _SEARCH_KEYS):
            raise Refusal(400, f'Invalid request payload. Unrecognized field "{unknown[0]}".')
        if not isinstance(asked.get("expand", ""), str) or not isinstance(asked.get("fields", []), list):
            raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    else:
        pairs = call.request.query_params.multi_items()
        if unknown := sorted({name for name, _ in pairs} - _SEARCH_KEYS - {"failFast"}):
            raise Refusal(400, f'Unknown query parameter "{unknown[0]}".')
        asked = dict(pairs)
        asked["fields"] = [part for name, value in pairs if name == "fields" for part in value.split(",")]
        asked["reconcileIssues"] = [int(value) for name, value in pairs if name == "reconcileIssues"]
    return _search_page(call, asked)


def _search_page(call: Call, asked: Body) -> Body:
    site, fields = call.site, asked.get("fields") or ["id"]
    reconcile = asked.get("reconcileIssues") or []
    if len(reconcile) > MAX_RECONCILE or not all(isinstance(number, int) for number in reconcile):
        raise Refusal(400, f"reconcileIssues takes at most {MAX_RECONCILE} numeric issue ids.")
    if len(asked.get("properties") or []) > 5:
        raise Refusal(400, "The maximum number of properties is 5.")
    if call.anonymous:
        return {"issues": [], "isLast": True}
    most = MAX_PAGE_OF_IDS if set(fields) <= {"id", "key"} else MAX_PAGE_OF_ISSUES
    size = min(int(asked.get("maxResults") or 50), most)
    text = asked.get("jql") or ""
    digest = hashlib.sha256(repr((text, sorted(reconcile))).encode()).hexdigest()
    token = asked.get("nextPageToken")
    if token:
        known, waiting = site.cursors.get(token, ("", []))
        if known != digest:
            raise Refusal(400, "The provided next page token is invalid or has expired.")
    else:
        waiting = [issue.id for issue in matching(site, text, reconcile)]
    page, rest = waiting[:size], waiting[size:]
    if site.faults.empty_pages and not (token or "").startswith("E") and waiting:
        page, rest = [], waiting
    body: Body = {"issues": _written(site, page, reconcile, fields, str(asked.get("expand") or "")), "isLast": not rest}
    if rest:
        body["nextPageToken"] = token if site.faults.repeat_page_token and token else _token(site, digest, rest, page)
    return body


def _token(site: Site, digest: str, rest: list[int], page: list[int]) -> str:
    kind = "C" if page else "E"
    token = kind + base64.urlsafe_b64encode(f"{site.next_id('cursor')}:{digest[:12]}".encode()).decode()
    site.cursors[token] = (digest, rest)
    return token


def matching(
    site: Site, text: str, reconcile: Sequence[int] = (), *, validate: bool = True, bounded: bool = True
) -> list[Issue]:
    """Return what the index finds; ids of `reconcile` are judged as they are in the database now.

    Raises Refusal 400 for a query that cannot be read or, with `bounded`, restricts nothing.
    """
    try:
        query = jql.read(text, site, validate=validate)
    except jql.JqlError as error:
        raise Refusal(400, str(error)) from error
    if bounded and not query.bounded:
        raise Refusal(400, "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.")
    fresh = set(reconcile)
    candidates = [issue for issue in site.indexed() if issue.id not in fresh]
    candidates += [issue for issue in (site.issues.get(number) for number in fresh) if issue and site.visible(issue)]
    return query.run(site, candidates)


def _written(site: Site, ids: list[int], reconcile: Sequence[int], fields: list[str], expand: str) -> list[Body]:
    shown = {issue.id: issue for issue in site.indexed()}
    shown |= {number: site.issues[number] for number in reconcile if number in site.issues}
    return [bodies.issue(site, shown[n], fields, default="id", expand=expand) for n in ids if n in shown]


def _count(call: Call) -> Body:
    asked = call.json()
    if set(asked) - {"jql"}:
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    return {"count": 0 if call.anonymous else len(matching(call.site, asked.get("jql") or ""))}


# Bulk reads


def _bulk_issues(call: Call) -> Body:
    asked = call.json()
    if set(asked) - {"issueIdsOrKeys", "fields", "expand", "fieldsByKeys", "properties"}:
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    wanted, expand = asked.get("issueIdsOrKeys"), asked.get("expand") or []
    if not isinstance(wanted, list) or not wanted or not isinstance(expand, list):
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    if len(wanted) > MAX_BULK_ISSUES:
        raise Refusal(400, f"The number of issues requested must not exceed {MAX_BULK_ISSUES}.")
    found = {} if call.anonymous else {i.id: i for i in (call.site.find(str(w)) for w in wanted) if i}
    fields = asked.get("fields") or []
    issues = [
        bodies.issue(call.site, found[number], fields, default="*navigable", expand=",".join(expand))
        for number in sorted(found)
    ]
    return {"issues": issues, "issueErrors": []}


def _bulk_changelogs(call: Call) -> Body:
    asked = call.json()
    wanted, names = asked.get("issueIdsOrKeys"), asked.get("fieldIds") or []
    size, site = int(asked.get("maxResults") or 1000), call.site
    closed = set(asked) <= {"issueIdsOrKeys", "fieldIds", "maxResults", "nextPageToken"}
    if not closed or not isinstance(wanted, list) or not 1 <= len(wanted) <= 1000 or len(names) > 10 or size > 10_000:
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    found = {} if call.anonymous else {i.id: i for i in (site.find(str(w)) for w in wanted) if i}
    rows = [
        (number, body)
        for number in sorted(found)
        for entry in found[number].histories
        if (body := bodies.bulk_history(site, entry, names))
    ]
    token = asked.get("nextPageToken")
    start = _offset(token) if token else 0
    logs: dict[int, list[Body]] = {}
    for number, body in rows[start : start + size]:
        logs.setdefault(number, []).append(body)
    more = start + size < len(rows)
    # The last page carries the token as null, as the text of the description says and its type does not.
    return {
        "issueChangeLogs": [{"issueId": str(number), "changeHistories": found} for number, found in logs.items()],
        "nextPageToken": base64.urlsafe_b64encode(f"at:{start + size}".encode()).decode() if more else None,
    }


def _offset(token: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("at:"))
    except ValueError as error:
        raise Refusal(400, "The provided next page token is invalid or has expired.") from error


# One issue


def _issue(call: Call) -> Body:
    asked = [value for name, value in call.request.query_params.multi_items() if name == "fields"]
    return bodies.issue(call.site, call.issue(), asked, default="*all", expand=call.query.get("expand", ""))


def _changelog(call: Call) -> Body:
    values = [bodies.history(call.site, entry) for entry in call.issue().histories]
    return offset_page(call, values, default=100, most=100)


_API = "/rest/api/3"
_ROUTES: tuple[Endpoint, ...] = (
    ("GET", "/_edge/tenant_info", _tenant, "anyone"),
    ("GET", "/browse/{issue}", browse, "anyone"),
    ("GET", f"{_API}/serverInfo", _server, "anyone"),
    ("GET", f"{_API}/myself", _myself, "account"),
    ("GET", f"{_API}/field", _fields, "anyone"),
    ("GET", f"{_API}/issuetype", _types, "account"),
    ("GET", f"{_API}/status", statuses, "account"),
    ("GET", f"{_API}/project/search", _projects, "anyone"),
    ("GET", f"{_API}/mypermissions", permissions, "anyone"),
    ("GET|POST", f"{_API}/search", _removed, "anyone"),
    ("GET|POST", f"{_API}/search/jql", _search, "anyone"),
    ("POST", f"{_API}/search/approximate-count", _count, "anyone"),
    ("POST", f"{_API}/issue/bulkfetch", _bulk_issues, "anyone"),
    ("POST", f"{_API}/changelog/bulkfetch", _bulk_changelogs, "anyone"),
    ("GET", f"{_API}/issue/{{issue}}", _issue, "anyone"),
    ("PUT", f"{_API}/issue/{{issue}}", writes.edit, "account"),
    ("GET", f"{_API}/issue/{{issue}}/changelog", _changelog, "anyone"),
    ("GET", f"{_API}/issue/{{issue}}/properties/{{key}}", writes.get_property, "account"),
    ("PUT", f"{_API}/issue/{{issue}}/properties/{{key}}", writes.put_property, "account"),
    ("DELETE", f"{_API}/issue/{{issue}}/properties/{{key}}", writes.delete_property, "account"),
    ("GET", f"{_API}/issue/{{issue}}/remotelink", writes.remote_links, "account"),
    ("POST", f"{_API}/issue/{{issue}}/remotelink", writes.put_remote_link, "account"),
    ("DELETE", f"{_API}/issue/{{issue}}/remotelink", writes.delete_remote_link, "account"),
    ("GET", f"{_API}/issue/{{issue}}/editmeta", writes.edit_meta, "account"),
    ("GET", f"{_API}/issue/{{issue}}/comment", writes.comments, "account"),
    ("POST", f"{_API}/issue/{{issue}}/comment", writes.add_comment, "account"),
    ("GET", f"{_API}/issue/{{issue}}/comment/{{comment}}", writes.get_comment, "account"),
    ("PUT", f"{_API}/issue/{{issue}}/comment/{{comment}}", writes.edit_comment, "account"),
    ("DELETE", f"{_API}/issue/{{issue}}/comment/{{comment}}", writes.delete_comment, "account"),
    *hook_calls.CLOUD,
    ("GET", "/rest/agile/1.0/board", boards, "account"),
    ("GET", "/rest/agile/1.0/board/{board}/configuration", board, "account"),
)
