"""Webhooks at Jira: of an administrator on Cloud and Data Center, and the dynamic ones of OAuth apps, which expire.

Pure. An administrator's webhook signs with a secret that we set; a dynamic one with the app's client secret. Sources:
https://developer.atlassian.com/cloud/jira/platform/webhooks/ and, for Data Center from 10 on,
https://developer.atlassian.com/server/jira/platform/webhooks/.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from connectors.base import Answer, Call, Json, Reading
from connectors.hooks import Hook, Hooks, Place, Receiver
from connectors.jira import queries
from connectors.jira.webhook import SPRINT_EVENTS, VERSION_EVENTS
from connectors.shapes import instant, is_number, load
from connectors.signature import same
from domain.errors import ConfigError, RejectedError
from domain.workspace import Connection, Secret

ADMIN = "/rest/webhooks/1.0/webhook"
SERVER = "/rest/jira-webhook/1.0/webhooks"
DYNAMIC = f"{queries.CLOUD}/webhook"

EVENTS = ("jira:issue_created", "jira:issue_updated", "jira:issue_deleted")
LINKS = ("issuelink_created", "issuelink_deleted")
"""what dynamic webhooks do not have"""
AROUND = (*sorted(SPRINT_EVENTS), *sorted(VERSION_EVENTS))

FILTER = "issue-related-events-section"
PAGE = 100


def places(connection: Connection, reading: Reading, receiver: Receiver) -> tuple[Place, ...]:
    """Return the one place: the site, or the OAuth app's webhooks in it."""
    if isinstance(oauth := connection.auth.get("oauth"), Mapping):
        return (_of_app(connection, oauth, reading, receiver),)
    events = (*EVENTS, *LINKS, *AROUND)
    if reading.facts.get("deployment") == "datacenter":
        return (Place(name="the server", path=SERVER, events=events),)
    return (Place(name="the site", path=ADMIN, events=events, filter=_narrowed(connection)),)


def _of_app(connection: Connection, oauth: Mapping[str, object], reading: Reading, receiver: Receiver) -> Place:
    told = oauth.get("client_secret")
    if receiver.secret and isinstance(told, Secret) and not same(told.reveal(connection.name), receiver.secret):
        raise ConfigError(
            f"{connection.name}: Jira signs the webhooks of an OAuth app with its client secret. Let `webhook.secret`"
            " refer to the same value as `auth.oauth.client_secret`."
        )
    filter = _narrowed(connection) or _in_projects(reading.facts.get("visible_projects"))
    return Place(name="the OAuth app", path=DYNAMIC, events=(*EVENTS, *AROUND), filter=filter, signs=False)


def _narrowed(connection: Connection) -> str:
    """Return the JQL of what is wanted; empty for everything, since those below a scope do not match its JQL."""
    if keys := queries.project_keys(connection):
        return _in_projects(keys)
    return "" if connection.scope.get("children") is True else queries.scope_jql(connection)


def _in_projects(keys: object) -> str:
    named = [queries.quoted(str(key)) for key in keys] if isinstance(keys, list | tuple) else []
    return f"project in ({', '.join(named)})" if named else ""


# --- what stands there


def standing(place: Place, answers: Sequence[Answer]) -> Call | list[Hook]:
    """Read the webhooks of a place, page by page where there are pages."""
    if not answers:
        return _page(place, 0)
    told = [load(answer.body) for answer in answers]
    rows = [row for page in told for row in _rows(page)]
    if place.path == DYNAMIC and isinstance(told[-1], dict) and told[-1].get("isLast") is False and _rows(told[-1]):
        return _page(place, len(rows))
    return [_hook(place, row) for row in rows]


def _page(place: Place, start: int) -> Call:
    params = {"startAt": str(start), "maxResults": str(PAGE)} if place.path == DYNAMIC else {}
    return Call(method="GET", path=place.path, params=params)


def _rows(page: Any) -> list[dict[str, Any]]:
    rows = page.get("values") if isinstance(page, dict) else page
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _hook(place: Place, row: Mapping[str, Any]) -> Hook:
    match place.path:
        case path if path == DYNAMIC:
            return Hook(
                id=str(row.get("id")),
                url=str(row.get("url") or ""),
                events=_texts(row.get("events")),
                filter=str(row.get("jqlFilter") or ""),
                expires_at=_moment(row.get("expirationDate")),
            )
        case path if path == SERVER:
            return Hook(
                id=str(row.get("id")),
                url=str(row.get("url") or ""),
                events=_texts(row.get("events")),
                enabled=row.get("active") is not False,
            )
        case _:
            filters = row.get("filters")
            return Hook(
                id=str(row.get("self") or "").rstrip("/").rpartition("/")[2],
                url=str(row.get("url") or ""),
                events=_texts(row.get("events")),
                enabled=row.get("enabled") is not False,
                filter=str((filters.get(FILTER) if isinstance(filters, dict) else None) or ""),
                secret="" if row.get("isSigned") is False else None,
            )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(one) for one in value) if isinstance(value, list) else ()


def _moment(value: object) -> datetime | None:
    """Read a time: the schema has epoch milliseconds, its examples texts."""
    return datetime.fromtimestamp(value / 1000, UTC) if is_number(value) else instant(value)


# --- what is changed


def write(place: Place, hook: Hook | None, receiver: Receiver) -> Call | None:
    """Make a webhook, or let one be what it shall be; a dynamic one can only be made anew."""
    if place.path == DYNAMIC:
        if hook is not None:
            return None
        wanted = {"events": list(place.events), "jqlFilter": place.filter}
        return _change("POST", place.path, {"url": receiver.url, "webhooks": [wanted]}, idempotent=False)
    said: dict[str, Json] = {"name": receiver.name, "url": receiver.url, "events": place.events_with(hook)}
    if place.path == SERVER:
        # On Data Center a `secret` outside of `configuration` is passed over in silence.
        configuration: Json = {"SECRET": receiver.secret, "EXCLUDE_BODY": "false"}
        said |= {"active": True, "scopeType": "global", "configuration": configuration}
    else:
        filters: Json = {FILTER: place.filter} if place.filter else {}
        said |= {"filters": filters, "excludeBody": False, "secret": receiver.secret, "enabled": True}
    if hook is None:
        return _change("POST", place.path, said, idempotent=False)
    return _change("PUT", f"{place.path}/{hook.id}", said)


def written(place: Place, told: Json) -> str:
    """Return the id of the webhook that was made; a dynamic one is refused in an answer that looks like a success."""
    if not isinstance(told, dict):
        return ""
    if place.path != DYNAMIC:
        return str(told.get("id") or str(told.get("self") or "").rstrip("/").rpartition("/")[2])
    results = told.get("webhookRegistrationResult")
    first = results[0] if isinstance(results, list) and results and isinstance(results[0], dict) else {}
    if first.get("createdWebhookId") is None:
        raise RejectedError(f"Jira did not take the webhook: {' '.join(_texts(first.get('errors'))) or 'no reason'}")
    return str(first["createdWebhookId"])


def delete(place: Place, hook: Hook) -> Call:
    """Take a webhook away."""
    if place.path == DYNAMIC:
        return _change("DELETE", place.path, _named([hook]))
    return _change("DELETE", f"{place.path}/{hook.id}", None)


def extend(place: Place, hooks: Sequence[Hook]) -> Call | None:
    """Let dynamic webhooks live another thirty days."""
    return _change("PUT", f"{place.path}/refresh", _named(hooks)) if place.path == DYNAMIC else None


def _named(hooks: Sequence[Hook]) -> dict[str, Json]:
    return {"webhookIds": [int(hook.id) for hook in hooks]}


def _change(method: str, path: str, body: Json, *, idempotent: bool = True) -> Call:
    return Call(method=method, path=path, json=body, idempotent=idempotent, writes=True)


# --- what a person does


def by_hand(connection: Connection, place: Place, receiver: Receiver) -> tuple[str, ...]:
    """Return what a Jira administrator clicks."""
    events = ", ".join(place.events)
    if place.path == DYNAMIC:
        return (
            "developer.atlassian.com -> Developer console -> your app -> Permissions -> Jira API -> Configure: add the"
            " scope manage:jira-webhook.",
            "Authorise the app anew, put the new refresh token in place, and run: keyrail webhooks register"
            f" --connection {connection.name}",
            f"Or let a Jira administrator add a webhook to {receiver.url} at {_page_of(connection)} with the events"
            f" {events} and the value of {receiver.source} as its secret.",
        )
    where = f"Open {_page_of(connection)} as a Jira administrator (cogwheel -> System -> Advanced -> WebHooks)."
    narrowed = (f"JQL under issue related events: {place.filter}",) if place.filter else ()
    return (
        where,
        f"Create a WebHook (or open the one with this URL). Name: {receiver.name}. Status: Enabled.",
        f"URL: {receiver.url}",
        f"Secret: the value of {receiver.source}.{_UNSIGNED if place.path == SERVER else ''}",
        *narrowed,
        f"Tick the events: {events}",
        "Leave 'Exclude body' off, and choose Create (or Save).",
    )


_UNSIGNED = " A Jira before version 10 has no such field and signs nothing: stay with the poll there."


def _page_of(connection: Connection) -> str:
    return f"{connection.url.rstrip('/')}/plugins/servlet/webhooks"


HOOKS = Hooks(
    places=places,
    standing=standing,
    write=write,
    written=written,
    delete=delete,
    by_hand=by_hand,
    extend=extend,
)
