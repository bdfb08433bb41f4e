"""The REST calls of the simulated GitHub: issues in lists and alone, repositories, limits, the ways of a GitHub App.

What each call answers lives here; access, limits and faults are laid over it by `github`.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response

from app.demo import github_bodies as bodies
from app.demo.github_access import Token, Window
from app.demo.github_bodies import Body
from app.demo.github_lists import Place, cursor, is_indexed, place_of
from app.demo.github_site import Site
from app.demo.github_things import Account, Issue, PullRequest, Repository
from app.demo.graphql import Refusal

DOCS = "https://docs.github.com/rest"
VERSIONS = ("2022-11-28", "2026-03-10")
WITHOUT_ASSIGNEE = "2026-03-10"
"""The version from which on issues have `assignees` alone"""

NO_PAGES = (
    "Pagination with the page parameter is not supported for large datasets, please use cursor based pagination "
    "(after/before)"
)
_ORDERS: dict[str, Callable[[Any], float]] = {
    "created": lambda one: one.created_at.timestamp(),
    "updated": lambda one: one.updated_at.timestamp(),
    "comments": lambda one: len(getattr(one, "comments", ())),
}


class Answered(Exception):
    """A call is answered with this status and body; `headers` go with it."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.body = {"message": message, **more, "documentation_url": DOCS, "status": str(status)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request as the endpoints see it; `token` is None for nobody, `raw` is the body."""

    site: Site
    request: Request
    token: Token | None
    raw: bytes = b""

    @property
    def query(self) -> dict[str, str]:
        """The query parameters, the last of each name."""
        return dict(self.request.query_params)

    @property
    def version(self) -> str:
        """The version of the API that is asked for."""
        return self.request.headers.get("x-github-api-version", VERSIONS[0])

    def repository(self) -> Repository:
        """Return the repository that the path names; raise Answered where it moved or is out of sight."""
        path = self.request.path_params
        if "id" in path:
            found = self.site.repositories.get(int(path["id"]))
            found = None if found is None or found.hidden else found
        else:
            found = self.site.repository(f"{path['owner']}/{path['repo']}")
        if found is None:
            raise not_found()
        self._allowed(found)
        if "repo" in path and found.name.casefold() != path["repo"].casefold():
            rest = self.request.url.path.partition(f"/{path['repo']}")[2]
            query = f"?{self.request.url.query}" if self.request.url.query else ""
            raise moved(f"{self.site.api_url}/repositories/{found.number}{rest}{query}")
        return found

    def _allowed(self, repository: Repository) -> None:
        faults, login = self.site.faults, repository.owner.login
        if login in faults.sso_required | faults.sso_partial:
            raise single_sign_on(self.site, repository.owner)
        if repository.forbidden:
            kind = "integration" if self.site.me.typename == "Bot" else "personal access token"
            raise Answered(403, f"Resource not accessible by {kind}")


def not_found() -> Answered:
    """Return GitHub's answer for what does not exist or may not be known."""
    return Answered(404, "Not Found")


def moved(location: str) -> Answered:
    """Return GitHub's answer for what is elsewhere now."""
    return Answered(301, "Moved Permanently", headers={"Location": location}, url=location)


def single_sign_on(site: Site, owner: Account) -> Answered:
    """Return GitHub's answer where a token was not authorized for an organization's single sign-on."""
    text = (
        "Resource protected by organization SAML enforcement. You must grant your Personal Access token access to this "
        "organization."
    )
    url = f"{site.url}/orgs/{owner.login}/sso?authorization_request={hashlib.sha256(owner.login.encode()).hexdigest()}"
    return Answered(403, text, headers={"X-GitHub-SSO": f"required; url={url}"})


def json_response(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON answer."""
    return Response(orjson.dumps(body), status, headers, media_type="application/json; charset=utf-8")


# Issues


def issues(call: Call) -> Response:
    """List a repository's issues and pull requests; an unchanged list is answered with 304."""
    repository, asked = call.repository(), call.query
    if not repository.has_issues_enabled:
        raise Answered(410, "Issues has been disabled in this repository.")
    rows = _rows(repository, asked)
    if call.site.faults.index_lag:
        shown_until = call.site.now() - call.site.faults.lag
        rows = [row for row in rows if is_indexed(row[1], shown_until, "since" in asked)]
    places = [place for place, _ in rows]
    size = min(int(asked.get("per_page", 30)), call.site.faults.page_size or 100)
    number = int(asked.get("page", 1))
    faults = call.site.faults
    limit = 1 if faults.large_repositories else faults.page_limit
    if "page" in asked and limit and number > limit:
        raise Answered(422, NO_PAGES)
    begin = (number - 1) * size if "after" not in asked else bisect_right(places, _after(asked["after"]))
    told = [_written(call, one) for _, one in rows[begin : begin + size]]
    headers = {"Link": link} if (link := _link(call, repository, begin, size, places)) else {}
    return _tagged(call, told, headers)


def _rows(repository: Repository, asked: dict[str, str]) -> list[tuple[Place, Issue | PullRequest]]:
    """Return what is asked for in its order, each with its place there."""
    rows: list[Issue | PullRequest] = [*repository.issues, *repository.pulls]
    state = asked.get("state", "open")
    if state != "all":
        rows = [one for one in rows if one.closed == (state == "closed")]
    if "since" in asked:
        since = datetime.fromisoformat(asked["since"])
        rows = [one for one in rows if one.updated_at >= since]
    for name in asked.get("labels", "").split(",") if asked.get("labels") else ():
        rows = [one for one in rows if isinstance(one, Issue) and name in {label.name for label in one.labels}]
    order = _ORDERS[asked.get("sort", "created")]
    sign = -1.0 if asked.get("direction", "desc") == "desc" else 1.0
    return sorted(((sign * order(one), sign * one.number), one) for one in rows)


def _after(text: str) -> Place:
    try:
        return place_of(text)
    except Refusal as error:
        invalid = [{"resource": "Issue", "field": "after", "code": "invalid"}]
        raise Answered(422, "Validation Failed", errors=invalid) from error


def _link(call: Call, repository: Repository, begin: int, size: int, places: Sequence[Place]) -> str:
    """Return the `Link` header: the address of a list by the repository's number, as GitHub gives it."""
    here = f"{call.site.api_url}/repositories/{repository.number}/issues"
    asked = {name: value for name, value in call.query.items() if name not in ("page", "after")}
    links = []
    if begin + size < len(places):
        by_cursor = call.site.faults.large_repositories
        more = {"after": cursor(places[begin + size - 1])} if by_cursor else {"page": begin // size + 2}
        links.append(f'<{here}?{urlencode({**asked, **more})}>; rel="next"')
    if begin > 0 and not call.site.faults.large_repositories:
        links.append(f'<{here}?{urlencode({**asked, "page": begin // size})}>; rel="prev"')
    return ", ".join(links)


def issue(call: Call) -> Response:
    """Read an issue: 301 where it was transferred, 410 where it was deleted."""
    repository = call.repository()
    found = call.site.numbers.get((repository.number, int(call.request.path_params["number"])))
    if found is None:
        raise not_found()
    if isinstance(found, Issue) and found.gone is not None:
        target = found.moved_to
        if target is None:
            raise Answered(410, "This issue was deleted")
        if target.repository.hidden or call.site.faults.not_followed:
            raise not_found()
        raise moved(f"{call.site.api_url}/repositories/{target.repository.number}/issues/{target.number}")
    return _tagged(call, _written(call, found), {})


def _written(call: Call, one: Issue | PullRequest) -> Body:
    told = bodies.issue(one) if isinstance(one, Issue) else bodies.pull(one)
    if call.version >= WITHOUT_ASSIGNEE:
        del told["assignee"]
    if call.site.server is not None:
        told = {name: value for name, value in told.items() if name not in _NEWER}
    return told


_NEWER = {
    "type", "sub_issues_summary", "issue_dependencies_summary", "issue_field_values", "parent_issue_url",
    "pinned_comment",
}  # fmt: skip
"""What an old Enterprise Server does not say of an issue"""


def _tagged(call: Call, body: Any, headers: dict[str, str]) -> Response:
    """Return an answer with its ETag, or 304 where the caller has it already."""
    raw = orjson.dumps(body)
    tag = f'W/"{hashlib.sha256(raw).hexdigest()}"'
    headers = {**headers, "ETag": tag}
    if call.request.headers.get("if-none-match") == tag:
        return Response(b"", 304, headers)
    return Response(raw, 200, headers, media_type="application/json; charset=utf-8")


# The rest


def repository(call: Call) -> Response:
    """Read a repository."""
    found = call.repository()
    return _tagged(call, {**bodies.repository(found), "network_count": 0, "subscribers_count": 0}, {})


def planning_statuses(call: Call) -> Response:
    """List the issue statuses of a repository; 404 where it is not enrolled."""
    call.repository()
    if call.site.planning_statuses is None:
        raise not_found()
    return json_response(call.site.planning_statuses)


def rate_limit(call: Call) -> Response:
    """Tell what is left of each limit."""
    if call.site.server is not None:
        raise Answered(404, "Rate limiting is not enabled.")
    windows = {name: call.site.access.window(call.site.me, name) for name in ("core", "graphql")}
    told = {name: _window(name, window) for name, window in windows.items()}
    search = {"limit": 30, "used": 0, "remaining": 30, "reset": told["core"]["reset"], "resource": "search"}
    rate = {} if call.version >= WITHOUT_ASSIGNEE else {"rate": told["core"]}
    return json_response({"resources": {**told, "search": search}, **rate})


def _window(name: str, window: Window) -> Body:
    return {
        "limit": window.limit,
        "used": window.used,
        "remaining": window.remaining,
        "reset": int(window.reset.timestamp()),
        "resource": name,
    }


def user(call: Call) -> Response:
    """Tell whose token this is."""
    if call.site.me.typename == "Bot":
        raise Answered(403, "Resource not accessible by integration")
    return _tagged(call, {**bodies.account(call.site.me), "name": call.site.me.name}, {})


def app(call: Call) -> Response:
    """Tell about the GitHub App that a JSON web token proves."""
    found, site = call.site.access.application(call.request.headers.get("authorization")), call.site
    at = bodies.stamp(found.bot.created_at)
    return json_response({
        "id": found.id, "slug": found.slug, "client_id": found.client_id, "node_id": found.bot.id,
        "owner": bodies.account(site.member), "name": found.slug, "description": None,
        "external_url": site.url, "html_url": f"{site.url}/apps/{found.slug}", "created_at": at, "updated_at": at,
        "permissions": dict(site.access.permissions), "events": list(site.access.events),
        "installations_count": 1,
    })  # fmt: skip


def access_token(call: Call) -> Response:
    """Issue an installation token to a GitHub App."""
    found = call.site.access.application(call.request.headers.get("authorization"))
    if int(call.request.path_params["installation"]) != found.installation:
        raise not_found()
    token = call.site.access.install(found)
    return json_response(
        {
            "token": token.value,
            "expires_at": bodies.stamp(token.expires_at),
            "permissions": dict(call.site.access.permissions),
            "repository_selection": "all",
        },
        201,
    )


def installation(call: Call) -> Response:
    """Tell about an installation: whose it is and what it may do."""
    found = call.site.access.application(call.request.headers.get("authorization"))
    if int(call.request.path_params["installation"]) != found.installation:
        raise not_found()
    owner = next((one for one in call.site.accounts.values() if one.typename == "Organization"), call.site.member)
    return json_response({
        "id": found.installation, "account": bodies.account(owner), "app_id": found.id, "app_slug": found.slug,
        "target_id": owner.number, "target_type": owner.typename, "repository_selection": "all",
        "permissions": dict(call.site.access.permissions), "events": ["issues"], "suspended_at": None,
    })  # fmt: skip


ROUTES: tuple[tuple[str, str, Callable[[Call], Response], str], ...] = (
    ("GET", "/rate_limit", rate_limit, "free"),
    ("GET", "/user", user, "account"),
    ("GET", "/app", app, "application"),
    ("GET", "/app/installations/{installation:int}", installation, "application"),
    ("POST", "/app/installations/{installation:int}/access_tokens", access_token, "application"),
    *(
        ("GET", place + path, answer, "account")
        for place in ("/repos/{owner}/{repo}", "/repositories/{id:int}")
        for path, answer in (
            ("", repository),
            ("/issues", issues),
            ("/issues/{number:int}", issue),
            ("/planning-statuses", planning_statuses),
        )
    ),
)
"""Method, path, function, who may call it: an ``account``, an ``application``, an account at no cost (``free``)"""
