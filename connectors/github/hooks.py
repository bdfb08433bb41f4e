"""Webhooks at GitHub: of an organization, of single repositories, or of the GitHub App; and what they did not bring.

Pure. What an app is told is chosen in its settings, all else can be set by calls. Sources:
https://docs.github.com/en/rest/repos/webhooks, https://docs.github.com/en/rest/orgs/webhooks,
https://docs.github.com/en/rest/apps/webhooks and, of failed deliveries,
https://docs.github.com/en/webhooks/using-webhooks/handling-failed-webhook-deliveries.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from connectors.base import Answer, Call, Json, Reading
from connectors.github.queries import rest_of_url
from connectors.github.shapes import object_of
from connectors.github.site import Site, scoped, site_of
from connectors.hooks import Failed, Hook, Hooks, Place, Receiver
from connectors.shapes import instant, load
from domain.workspace import Connection

EVENTS: Mapping[str, str] = {
    "issues": "Issues",
    "sub_issues": "Sub-issues",
    "issue_dependencies": "Issue dependencies",
    "milestone": "Milestones",
}
"""what is read, and what the settings call it"""
IN_PROJECTS = "projects_v2_item"
TITLES = {**EVENTS, IN_PROJECTS: "Projects v2 items"}
NEEDS = {"sub_issues": "subIssuesSummary", "issue_dependencies": "blockedBy"}
"""the field of issues that a server has which has the event"""

PAGE = 100
_CURSOR = re.compile(r'[?&]cursor=([^&>]+)[^>]*>;\s*rel="next"')


def places(connection: Connection, reading: Reading, receiver: Receiver) -> tuple[Place, ...]:
    """Return the app, or each organization in scope and each repository outside of them.

    Projects tell of their items in the webhook of their organization alone; those of people tell nobody.
    """
    site, rest = site_of(connection, reading), rest_of_url(connection.url)
    events = tuple(name for name in EVENTS if name not in NEEDS or NEEDS[name] in site.selection.can)
    around = _organizations(connection, reading, site)
    if isinstance(connection.auth.get("app"), Mapping):
        told = (*events, IN_PROJECTS) if around else events
        fixed = frozenset({"events", "enabled"})
        return (Place(name="the GitHub App", path=f"{rest}/app/hook", events=told, fixed=fixed, alone=True),)
    whole = {login.lower() for login in site.organizations}
    of_owners = [
        Place(
            name=f"organization {login}",
            path=f"{rest}/orgs/{login}/hooks",
            events=(*(events if login.lower() in whole else ()), *((IN_PROJECTS,) if with_projects else ())),
        )
        for login, with_projects in around.items()
    ]
    single = [name for name in site.named if name.partition("/")[0].lower() not in whole]
    return (*of_owners, *(Place(name=name, path=f"{rest}/repos/{name}/hooks", events=events) for name in single))


def _organizations(connection: Connection, reading: Reading, site: Site) -> dict[str, bool]:
    """Return the organizations whose webhook is wanted, and whether for their projects too."""
    known = {login.lower() for login in object_of(reading.facts.get("issue_fields"))}
    owners = {key.partition("/")[0].lower(): key.partition("/")[0] for key in scoped(connection, "projects")}
    named = {login.lower() for login in site.organizations}
    found = {login: login.lower() in owners for login in site.organizations}
    return found | {login: True for low, login in owners.items() if low in known and low not in named}


# --- what stands there


def standing(place: Place, answers: Sequence[Answer]) -> Call | list[Hook]:
    """Read the webhooks of a repository or an organization page by page, or the app's and what it is told."""
    if place.alone:
        return _of_app(place, answers)
    told = [load(answer.body) for answer in answers]
    pages = [page if isinstance(page, list) else [] for page in told]
    if not pages or len(pages[-1]) == PAGE:
        return Call(method="GET", path=place.path, params={"per_page": str(PAGE), "page": str(len(pages) + 1)})
    return [_hook(row) for page in pages for row in page if isinstance(row, dict)]


def _of_app(place: Place, answers: Sequence[Answer]) -> Call | list[Hook]:
    steps = (place.path.removesuffix("/hook"), f"{place.path}/config")
    if len(answers) < len(steps):
        return Call(method="GET", path=steps[len(answers)])
    app, config = (object_of(load(answer.body)) for answer in answers)
    if not config.get("url"):
        return []
    return [_hook({"id": app.get("id"), "config": config, "events": app.get("events")})]


def _hook(row: Mapping[str, Any]) -> Hook:
    config = object_of(row.get("config"))
    asked = config.get("content_type") == "json" and str(config.get("insecure_ssl") or "0") == "0"
    return Hook(
        id=str(row.get("id")),
        url=str(config.get("url") or ""),
        events=tuple(str(one) for one in row.get("events") or ()),
        enabled=row.get("active") is not False,
        flaw="" if asked else "sends forms, or does not look at our certificate",
        secret=None if config.get("secret") else "",
        last_failure=_last_failure(object_of(row.get("last_response"))),
    )


def _last_failure(response: Mapping[str, Any]) -> str:
    code = response.get("code")
    if not isinstance(code, int) or 200 <= code < 300:
        return ""
    return f"answered {code} {response.get('message') or response.get('status') or ''}".strip()


# --- what is changed


def write(place: Place, hook: Hook | None, receiver: Receiver) -> Call:
    """Make a webhook, or let one be what it shall be; the secret goes along each time, else GitHub forgets it."""
    config: dict[str, Json] = {
        "url": receiver.url,
        "content_type": "json",
        "secret": receiver.secret,
        "insecure_ssl": "0",
    }
    if place.alone:
        return _change("PATCH", f"{place.path}/config", config)
    said: dict[str, Json] = {"config": config, "active": True, "events": place.events_with(hook)}
    if hook is None:
        return _change("POST", place.path, {"name": "web", **said}, idempotent=False)
    return _change("PATCH", f"{place.path}/{hook.id}", said)


def written(place: Place, told: Json) -> str:
    """Return the id of the webhook that was made."""
    return str(object_of(told).get("id") or "")


def delete(place: Place, hook: Hook) -> Call | None:
    """Take a webhook away; that of an app is switched off in its settings alone."""
    return None if place.alone else _change("DELETE", f"{place.path}/{hook.id}", None)


def _change(method: str, path: str, body: Json, *, idempotent: bool = True) -> Call:
    return Call(method=method, path=path, json=body, idempotent=idempotent, writes=True)


# --- what was not brought


def undelivered(place: Place, hook: Hook, answers: Sequence[Answer], since: datetime) -> Call | list[Failed]:
    """Read deliveries back to `since`, the newest first; of those that no attempt brought, the last attempt.

    GitHub keeps them for three days and repeats none by itself; each attempt has an id, all have the same `guid`.
    """
    base = f"{place.path}/deliveries" if place.alone else f"{place.path}/{hook.id}/deliveries"
    if not answers:
        return Call(method="GET", path=base, params={"per_page": str(PAGE)})
    pages = [_deliveries(answer) for answer in answers]
    cursor = _CURSOR.search(answers[-1].headers.get("link", ""))
    oldest = instant(pages[-1][-1].get("delivered_at")) if pages[-1] else None
    if cursor and oldest is not None and oldest >= since:
        return Call(method="GET", path=base, params={"per_page": str(PAGE), "cursor": cursor[1]})
    rows = [row for page in pages for row in page if (at := instant(row.get("delivered_at"))) and at >= since]
    brought = {row.get("guid") for row in rows if _brought(row)}
    last: dict[str, Any] = {}
    for row in rows:
        last.setdefault(str(row.get("guid")), row.get("id"))
    return [
        Failed(id=guid, again=_change("POST", f"{base}/{id}/attempts", None))
        for guid, id in last.items()
        if guid not in brought and isinstance(id, int)
    ]


def _deliveries(answer: Answer) -> list[dict[str, Any]]:
    told = load(answer.body)
    return [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []


def _brought(row: Mapping[str, Any]) -> bool:
    code = row.get("status_code")
    return row.get("status") == "OK" or (isinstance(code, int) and 200 <= code < 300)


# --- what a person does


def by_hand(connection: Connection, place: Place, receiver: Receiver) -> tuple[str, ...]:
    """Return what an owner clicks, of the app or the organization, or who has the role Admin in the repository."""
    ticks = ", ".join(TITLES[event] for event in place.events)
    site = connection.url.replace("://api.github.com", "://github.com").removesuffix("/api/v3")
    if place.alone:
        return (
            f"{site} -> your picture -> Settings (of the account or the organization that owns the app) -> Developer"
            " settings -> GitHub Apps -> Edit.",
            f"Under Webhook tick Active. Webhook URL: {receiver.url}",
            f"Secret: the value of {receiver.source}. Choose Save changes.",
            "Permissions & events -> Repository permissions: Issues (read, or write to publish)"
            f"{', and Organization permissions: Projects (read)' if IN_PROJECTS in place.events else ''}.",
            f"Subscribe to events: {ticks}. Choose Save changes, and let the owner of the installation accept them.",
        )
    owner = place.name.removeprefix("organization ")
    where = (
        f"{site}/organizations/{owner}/settings/hooks" if owner != place.name else f"{site}/{place.name}/settings/hooks"
    )
    right = "admin:org_hook" if owner != place.name else "admin:repo_hook (fine-grained: Webhooks: write)"
    return (
        f"Give the token the scope {right} and run: keyrail webhooks register --connection {connection.name}",
        f"Or open {where} and choose Add webhook (or Edit, where this URL is listed).",
        f"Payload URL: {receiver.url}",
        "Content type: application/json",
        f"Secret: the value of {receiver.source}",
        f"Let me select individual events: {ticks}; untick Pushes.",
        "Leave SSL verification on and Active ticked, and choose Add webhook.",
    )


HOOKS = Hooks(  # `proved` is added where the connector is put together: it needs the app's key
    places=places,
    standing=standing,
    write=write,
    written=written,
    delete=delete,
    by_hand=by_hand,
    undelivered=undelivered,
)
