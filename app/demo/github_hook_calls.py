"""The REST calls by which webhooks are registered at the simulated GitHub and their deliveries listed and repeated.

Of a repository: the account must administer it, and a classic token have ``repo`` or ``admin:repo_hook``. Of an
organization: ``admin:org_hook``. Of the GitHub App: its JSON web token. Others get 404, or 403 where permissions are
told by name. Access beyond that, limits and faults are laid over it by `github`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from starlette.responses import Response

from app.demo import github_bodies as bodies
from app.demo import github_subscriptions as subscriptions
from app.demo.github_bodies import Body
from app.demo.github_rest import Answered, Call, json_response, not_found
from app.demo.github_things import Account, Hook, Repository
from app.demo.ledger import Attempt, Delivery

KEPT = timedelta(days=3)
"""How long deliveries are listed and can be repeated"""
MOST_FOR_AN_EVENT = 20
NO_ANSWER = {"timed out": 504}
"""Statuses of tries without an answer; all others are 502"""


def hooks(call: Call) -> Response:
    """List the webhooks of a place."""
    place = _place(call)
    size, number = _size(call), int(call.query.get("page", 1))
    found = [one for one in call.site.hooks.values() if one.place is place]
    return json_response([_told(call, one) for one in found[(number - 1) * size : number * size]])


def add(call: Call) -> Response:
    """Register a webhook and greet it; where nobody says, it is told of pushes, as a form."""
    place, asked = _place(call), _body(call)
    if asked.get("name", "web") != "web":
        raise invalid("name", "name must be 'web'")
    config = _config(asked.get("config") or {})
    if "url" not in config:
        raise invalid("url", "url cannot be blank")
    events = _events(call, place, asked.get("events") or ["push"])
    same = [one for one in call.site.hooks.values() if one.place is place]
    if any(one.url == config["url"] and set(one.events) == set(events) for one in same):
        raise invalid(None, f"Hook already exists on this {_kind(place)}")
    for event in events:
        if sum(event in one.events for one in same) >= MOST_FOR_AN_EVENT:
            raise invalid(None, f'The "{event}" event cannot have more than {MOST_FOR_AN_EVENT} hooks')
    hook = subscriptions.add(call.site, place, events=events, active=asked.get("active") is not False, **config)
    return json_response(_told(call, hook), 201)


def read(call: Call) -> Response:
    """Read a webhook."""
    return json_response(_told(call, _hook(call)))


def change(call: Call) -> Response:
    """Change a webhook; a `config` replaces the old one, and its secret is gone where it names none."""
    hook, asked = _hook(call), _body(call)
    if "config" in asked:
        config = {"content_type": "form", "secret": None, "insecure_ssl": "0", **_config(asked["config"] or {})}
        _set(call, hook, config)
    events = list(asked.get("events") or hook.events)
    events = [*events, *(one for one in asked.get("add_events") or () if one not in events)]
    events = [one for one in events if one not in (asked.get("remove_events") or ())]
    _set(call, hook, {"events": _events(call, hook.place, events), "active": asked.get("active", hook.active)})
    return json_response(_told(call, hook))


def remove(call: Call) -> Response:
    """Delete a webhook."""
    del call.site.hooks[_hook(call).id]
    return Response(b"", 204)


def greet(call: Call) -> Response:
    """Send a ping to a webhook."""
    subscriptions.ping(call.site, _hook(call))
    return Response(b"", 204)


def config(call: Call) -> Response:
    """Read where a webhook is sent and how; the one of an App that has none has no address."""
    hook = _hook_or_none(call)
    return json_response({"content_type": "form", "insecure_ssl": "0"} if hook is None else bodies.hook_config(hook))


def change_config(call: Call) -> Response:
    """Change where a webhook is sent and how; what is not named stays."""
    hook, asked = _hook_or_none(call), _config(_body(call))
    if hook is not None:
        _set(call, hook, asked)
        return json_response(bodies.hook_config(hook))
    if "url" not in asked:
        raise invalid("url", "url cannot be blank")
    hook = subscriptions.add(call.site, None, events=list(call.site.access.events), **asked)
    return json_response(bodies.hook_config(hook))


# Deliveries


def deliveries(call: Call) -> Response:
    """List the tries of a webhook, newest first; a `Link` leads on."""
    hook, size = _hook(call), _size(call)
    wanted = call.query.get("status")
    if wanted not in (None, "success", "failure"):
        raise Answered(400, "Invalid status")
    rows = [row for row in _tries(call, hook) if wanted is None or (_code(row[1]) < 400) == (wanted == "success")]
    rows.sort(key=lambda row: row[1].id, reverse=True)
    start = _cursor(call.query.get("cursor"))
    rows = [row for row in rows if start is None or row[1].id <= start]
    headers = {}
    if len(rows) > size:
        asked = {**call.query, "cursor": f"v1_{rows[size][1].id}"}
        headers["Link"] = f'<{call.site.api_url}{call.request.url.path}?{urlencode(asked)}>; rel="next"'
    return json_response([_try(*row) for row in rows[:size]], headers=headers)


def delivery(call: Call) -> Response:
    """Read one try with what was sent and what was answered."""
    found, attempt = _one(call, _hook(call))
    payload = orjson.loads(found.letter.body) if found.letter.headers["Content-Type"] == "application/json" else None
    told = _try(found, attempt) | {"url": found.letter.url, "throttled_at": None}
    told["request"] = {"headers": found.letter.headers, "payload": payload}
    told["response"] = {"headers": attempt.headers, "payload": attempt.answer}
    return json_response(told)


def again(call: Call) -> Response:
    """Send a delivery once more."""
    found, _ = _one(call, _hook(call))
    if call.site.ledger.ask_again is not None:
        call.site.ledger.ask_again(found)
    return json_response({}, 202)


def _tries(call: Call, hook: Hook) -> Iterator[tuple[Delivery, Attempt]]:
    oldest = call.site.now() - KEPT
    for one in call.site.ledger.of("github", str(hook.id)):
        yield from ((one, attempt) for attempt in one.attempts if attempt.at >= oldest)


def _one(call: Call, hook: Hook) -> tuple[Delivery, Attempt]:
    wanted = int(call.request.path_params["delivery"])
    found = next((row for row in _tries(call, hook) if row[1].id == wanted), None)
    if found is None:
        raise not_found()
    return found


def _code(attempt: Attempt) -> int:
    return NO_ANSWER.get(attempt.words, 502) if attempt.status is None else attempt.status


def _try(one: Delivery, attempt: Attempt) -> Body:
    return {
        "id": attempt.id, "guid": one.letter.guid, "delivered_at": bodies.stamp(attempt.at),
        "redelivery": attempt.again, "duration": attempt.duration, "status": attempt.words,
        "status_code": _code(attempt), "event": one.letter.event, "action": one.letter.action,
        "installation_id": one.letter.installation, "repository_id": one.letter.repository, "throttled_at": None,
    }  # fmt: skip


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    number = text.removeprefix("v1_")
    if number == text or not number.isdigit():
        raise Answered(400, "Invalid cursor")
    return int(number)


# Whose webhook, and who may


def _place(call: Call) -> Repository | Account | None:
    """Return what the path is about, once the caller proved to administer it; raises Answered."""
    path = call.request.path_params
    if call.request.url.path.removeprefix("/api/v3").startswith("/app/"):
        call.site.access.application(call.request.headers.get("authorization"))
        return None
    if "org" in path:
        owner = call.site.accounts.get(path["org"].casefold())
        if owner is None or owner.typename != "Organization":
            raise not_found()
        _permitted(call, ("admin:org_hook",), "organization_hooks")
        return owner
    repository = call.repository()
    _permitted(call, ("repo", "admin:repo_hook"), "repository_hooks")
    if call.token is not None and call.token.kind != "installation" and repository.viewer_permission != "ADMIN":
        raise not_found()
    return repository


def _permitted(call: Call, scopes: Sequence[str], permission: str) -> None:
    token = call.token
    if token is not None and token.kind == "classic":
        if not set(scopes) & set(token.scopes):
            raise not_found()
        return
    held = call.site.access.permissions.get(permission)
    if held != "write" and not (held == "read" and call.request.method == "GET"):
        kind = "integration" if call.site.me.typename == "Bot" else "personal access token"
        raise Answered(403, f"Resource not accessible by {kind}")


def _hook(call: Call) -> Hook:
    found = _hook_or_none(call)
    if found is None:
        raise not_found()
    return found


def _hook_or_none(call: Call) -> Hook | None:
    place, number = _place(call), call.request.path_params.get("hook")
    if place is None:
        return next((one for one in call.site.hooks.values() if one.place is None), None)
    found = call.site.hooks.get(int(number)) if number is not None else None
    if found is None or found.place is not place:
        raise not_found()
    return found


def _told(call: Call, hook: Hook) -> Body:
    tries = [attempt for one in call.site.ledger.of("github", str(hook.id)) for attempt in one.attempts]
    last = max(tries, key=lambda attempt: attempt.id, default=None)
    if last is None:
        return bodies.hook(hook)
    status = "active" if last.accepted else "failed"
    return bodies.hook(hook, {"code": _code(last), "status": status, "message": last.words})


# What a body says


def invalid(field: str | None, message: str) -> Answered:
    """Return GitHub's answer to values that it does not take."""
    error = {"resource": "Hook", "code": "custom", "message": message} | ({"field": field} if field else {})
    return Answered(422, "Validation Failed", errors=[error])


def _body(call: Call) -> Body:
    try:
        told = orjson.loads(call.raw)
    except orjson.JSONDecodeError as error:
        raise Answered(400, "Problems parsing JSON") from error
    if not isinstance(told, dict):
        raise Answered(400, "Body should be a JSON object")
    return told


def _config(asked: Body) -> dict[str, Any]:
    """Return what a configuration sets, under the names of `Hook`; raises Answered for what GitHub does not take."""
    given = {name: asked[name] for name in ("url", "content_type", "secret") if asked.get(name) is not None}
    if "url" in given and (urlsplit(str(given["url"])).scheme not in ("http", "https")):
        raise invalid("url", "url must be a valid URL")
    if given.get("content_type", "json") not in ("json", "form"):
        raise invalid("content_type", "content_type must be 'json' or 'form'")
    if "insecure_ssl" in asked:
        given["insecure_ssl"] = str(asked["insecure_ssl"])
    return given


def _events(call: Call, place: Repository | Account | None, wanted: Sequence[str]) -> list[str]:
    known = {*(subscriptions.REPOSITORY_EVENTS if isinstance(place, Repository) else subscriptions.ORGANIZATION_EVENTS)}
    if call.site.server is not None:
        known -= subscriptions.NEWER
    if unknown := [event for event in wanted if event not in known and event != "*"]:
        raise invalid("events", f"The following events are not valid for this {_kind(place)}: {', '.join(unknown)}")
    return list(wanted)


def _set(call: Call, hook: Hook, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(hook, name, value)
    hook.updated_at = call.site.now()


def _size(call: Call) -> int:
    return min(int(call.query.get("per_page", 30)), 100)


def _kind(place: Repository | Account | None) -> str:
    return "repository" if isinstance(place, Repository) else "organization" if place else "App"


_OF_PLACES: tuple[tuple[str, str, Callable[[Call], Response]], ...] = (
    ("GET", "/hooks", hooks),
    ("POST", "/hooks", add),
    ("GET", "/hooks/{hook:int}", read),
    ("PATCH", "/hooks/{hook:int}", change),
    ("DELETE", "/hooks/{hook:int}", remove),
    ("POST", "/hooks/{hook:int}/pings", greet),
)
_OF_HOOKS: tuple[tuple[str, str, Callable[[Call], Response]], ...] = (
    ("GET", "/config", config),
    ("PATCH", "/config", change_config),
    ("GET", "/deliveries", deliveries),
    ("GET", "/deliveries/{delivery:int}", delivery),
    ("POST", "/deliveries/{delivery:int}/attempts", again),
)
_PLACES = ("/repos/{owner}/{repo}", "/repositories/{id:int}", "/orgs/{org}")
ROUTES: tuple[tuple[str, str, Callable[[Call], Response], str], ...] = (
    *((method, place + path, answer, "account") for place in _PLACES for method, path, answer in _OF_PLACES),
    *(
        (method, f"{place}/hooks/{{hook:int}}{path}", answer, "account")
        for place in _PLACES
        for method, path, answer in _OF_HOOKS
    ),
    *((method, f"/app/hook{path}", answer, "application") for method, path, answer in _OF_HOOKS),
)
"""Method, path, function, who may call it, as in `github_rest.ROUTES`"""
