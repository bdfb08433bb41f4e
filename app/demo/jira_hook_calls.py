"""The calls by which webhooks are registered at the simulated Jira: by administrators, by apps, on Data Center.

Shapes and rules of these calls only; which webhook gets what is told in `jira_hooks`. Administrators' calls need the
permission ``ADMINISTER``, those of apps a bearer token, as OAuth apps have.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import Response

from app.demo import jira_hooks as hooks
from app.demo import jql
from app.demo.jira_answers import Call, Endpoint, Refusal, json_response, offset_page
from app.demo.jira_bodies import Body
from app.demo.site import Hook

DYNAMIC_EVENTS = (
    "jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created", "comment_updated",
    "comment_deleted", "issue_property_set", "issue_property_deleted", "sprint_created", "sprint_updated",
    "sprint_closed", "sprint_deleted", "sprint_started", "jira:version_released", "jira:version_unreleased",
    "jira:version_created", "jira:version_moved", "jira:version_updated", "jira:version_merged", "jira:version_deleted",
)  # fmt: skip
EVENTS = (
    *DYNAMIC_EVENTS, "jira:worklog_updated", "worklog_created", "worklog_updated", "worklog_deleted",
    "issuelink_created", "issuelink_deleted", "attachment_created", "attachment_deleted", "project_created",
    "project_updated", "project_deleted", "project_soft_deleted", "project_restored_deleted", "project_archived",
    "project_restored_archived", "user_created", "user_updated", "user_deleted", "board_created", "board_updated",
    "board_deleted", "board_configuration_changed",
)  # fmt: skip
MOST_DYNAMIC = 5
"""of an app and an account at a site"""
_SECTION = "issue-related-events-section"
_CLAUSE = re.compile(
    r"(issuekey|project|issuetype|status|assignee|reporter|issue\.property\[\S+|cf\[\d+\])\s*(=|!=|not\s+in\b|in\b)",
    re.IGNORECASE,
)


# Administrators, Cloud and Data Center up to 9: https://developer.atlassian.com/cloud/jira/platform/webhooks/


def _list(call: Call) -> list[Body]:
    _is_admin(call)
    return [_admin(call, hook) for hook in hooks.living(call.site, "admin")]


def _read(call: Call) -> Body:
    _is_admin(call)
    return _admin(call, _hook(call, "admin"))


def _add(call: Call) -> Response:
    _is_admin(call)
    asked = call.json()
    given = _admin_details(call, asked, {"name": None, "url": None, **asked})
    return json_response(_admin(call, hooks.register(call.site, **given)), 201)


def _change(call: Call) -> Body:
    _is_admin(call)
    hook = _hook(call, "admin")
    for name, value in _admin_details(call, asked := call.json(), asked).items():
        if name != "secret" or "secret" in asked:
            setattr(hook, name, value)
    hook.updated = call.site.now()
    return _admin(call, hook)


def _remove(call: Call) -> Response:
    _is_admin(call)
    del call.site.webhooks[_hook(call, "admin").id]
    return Response(b"", 204)


def _admin_details(call: Call, asked: Body, checked: Body) -> dict[str, Any]:
    """Return what a body sets, under the names of `Hook`; raises Refusal for what Jira refuses."""
    given: dict[str, Any] = {}
    if "name" in checked:
        if not checked["name"] or not isinstance(checked["name"], str):
            raise Refusal(400, "The webhook must have a name.")
        given["name"] = checked["name"]
    if "url" in checked:
        given["url"] = _address(checked["url"])
    if "events" in asked:
        given["events"] = _events(asked["events"], EVENTS)
    if "filters" in asked:
        given["jql"] = _filter(call, (asked["filters"] or {}).get(_SECTION) or "")
    for ours, theirs in (("exclude_body", "excludeBody"), ("enabled", "enabled"), ("description", "description")):
        if theirs in asked:
            given[ours] = asked[theirs]
    return given | {"secret": asked.get("secret") or None}


def _admin(call: Call, hook: Hook) -> Body:
    return {
        "name": hook.name, "description": hook.description, "url": hook.url, "excludeBody": hook.exclude_body,
        "filters": {_SECTION: hook.jql} if hook.jql else {}, "events": hook.events, "enabled": hook.enabled,
        "self": f"{call.site.url}/rest/webhooks/1.0/webhook/{hook.id}", "isSigned": hook.secret is not None,
        "lastUpdatedUser": call.site.me.id, "lastUpdatedDisplayName": call.site.me.name,
        "lastUpdated": int(hook.updated.timestamp() * 1000),
    }  # fmt: skip


# Apps


def _list_dynamic(call: Call) -> Body:
    _is_app(call)
    values = [_dynamic(hook) for hook in hooks.living(call.site, "dynamic")]
    return offset_page(call, values, default=100, most=100)


def _add_dynamic(call: Call) -> Body:
    _is_app(call)
    asked = call.json()
    entries = asked.get("webhooks")
    if set(asked) != {"url", "webhooks"} or not isinstance(entries, list) or not entries:
        raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
    url, known = _address(asked["url"]), hooks.living(call.site, "dynamic")
    if any(hook.url != url for hook in known):
        raise Refusal(400, "Only a single URL per app is allowed to be registered.")
    return {"webhookRegistrationResult": [_registered(call, url, entry) for entry in entries]}


def _registered(call: Call, url: str, entry: Body) -> Body:
    """Register one webhook of a request and return its id, or why it was not."""
    try:
        if set(entry) - {"events", "jqlFilter", "fieldIdsFilter", "issuePropertyKeysFilter"}:
            raise Refusal(400, "Invalid request payload. Refer to the REST API documentation and try again.")
        if len(hooks.living(call.site, "dynamic")) >= MOST_DYNAMIC:
            raise Refusal(400, "The maximum number of webhooks for this app and user has been reached.")
        text = entry.get("jqlFilter")
        if not isinstance(text, str) or not _is_simple(text):
            raise Refusal(400, f"The clause of the JQL filter '{text}' is not supported for webhooks.")
        hook = hooks.register(
            call.site, url, kind="dynamic", events=_events(entry.get("events") or [], DYNAMIC_EVENTS, least=1),
            jql=_filter(call, text), fields=list(entry.get("fieldIdsFilter") or ()),
            property_keys=list(entry.get("issuePropertyKeysFilter") or ()),
        )  # fmt: skip
    except Refusal as refusal:
        return {"errors": refusal.body["errorMessages"]}
    return {"createdWebhookId": hook.id}


def _refresh(call: Call) -> Body:
    _is_app(call)
    until = call.site.now() + hooks.LIFE
    for hook in _named(call):
        hook.expires = until
    return {"expirationDate": int(until.timestamp() * 1000)}


def _remove_dynamic(call: Call) -> Response:
    _is_app(call)
    for hook in _named(call):
        del call.site.webhooks[hook.id]
    return Response(b"", 202)


def _named(call: Call) -> list[Hook]:
    """Return the webhooks that a body names; unknown ids are passed over."""
    wanted = call.json().get("webhookIds")
    if not isinstance(wanted, list) or not wanted:
        raise Refusal(400, "The list of webhook IDs is missing.")
    return [hook for hook in hooks.living(call.site, "dynamic") if hook.id in wanted]


def _failed(call: Call) -> Response:
    raise Refusal(403, "The caller is not a Connect app.")


def _dynamic(hook: Hook) -> Body:
    told: Body = {"id": hook.id, "jqlFilter": hook.jql, "events": hook.events, "url": hook.url}
    told |= {"fieldIdsFilter": hook.fields} if hook.fields else {}
    told |= {"issuePropertyKeysFilter": hook.property_keys} if hook.property_keys else {}
    return told | ({"expirationDate": int(hook.expires.timestamp() * 1000)} if hook.expires else {})


# Data Center from 10 on; what is known of it comes from clients that use it, its secret is unverified


def _list_dc(call: Call) -> list[Body]:
    _is_admin(call)
    return [_dc(hook) for hook in hooks.living(call.site, "data center")]


def _read_dc(call: Call) -> Body:
    _is_admin(call)
    return _dc(_hook(call, "data center"))


def _add_dc(call: Call) -> Response:
    _is_admin(call)
    asked = call.json()
    given = _dc_details(call, asked, {"name": None, "url": None, **asked})
    return json_response(_dc(hooks.register(call.site, kind="data center", **given)), 201)


def _change_dc(call: Call) -> Body:
    _is_admin(call)
    hook, asked = _hook(call, "data center"), call.json()
    for name, value in _dc_details(call, asked, asked).items():
        if name != "secret" or value is not None:
            setattr(hook, name, value)
    hook.updated = call.site.now()
    return _dc(hook)


def _remove_dc(call: Call) -> Response:
    _is_admin(call)
    del call.site.webhooks[_hook(call, "data center").id]
    return Response(b"", 204)


def _dc_details(call: Call, asked: Body, checked: Body) -> dict[str, Any]:
    settings = asked.get("configuration") or {}
    filters = asked.get("filters") or {_SECTION: settings.get("FILTERS")}
    excluded = asked.get("excludeBody", str(settings.get("EXCLUDE_BODY", "false")).casefold() == "true")
    plain: Body = {"filters": filters, "excludeBody": excluded, "secret": settings.get("SECRET")}
    plain |= {name: asked[name] for name in ("events", "description") if name in asked}
    if "active" in asked:
        plain["enabled"] = str(asked["active"]).casefold() == "true"
    return _admin_details(call, plain, {name: checked[name] for name in ("name", "url") if name in checked})


def _dc(hook: Hook) -> Body:
    at = int(hook.updated.timestamp() * 1000)
    settings = {"EXCLUDE_BODY": str(hook.exclude_body).lower()}
    if hook.jql:
        settings["FILTERS"] = hook.jql
    return {
        "id": hook.id, "name": hook.name, "url": hook.url, "events": hook.events, "active": hook.enabled,
        "configuration": settings, "scopeType": "global", "sslVerificationRequired": True, "statistics": {},
        "createdDate": at, "updatedDate": at,
    }  # fmt: skip


# What all of them refuse


def _is_admin(call: Call) -> None:
    if "ADMINISTER" not in call.site.permissions:
        raise Refusal(403, "You do not have permission to administer webhooks. Only Jira administrators have it.")


def _is_app(call: Call) -> None:
    if not call.request.headers.get("authorization", "").casefold().startswith("bearer "):
        raise Refusal(403, "The caller is not an app: only Connect and OAuth 2.0 apps can use dynamic webhooks.")


def _hook(call: Call, kind: str) -> Hook:
    number = call.request.path_params["webhook"]
    found = call.site.webhooks.get(int(number)) if number.isdigit() else None
    if found is None or found.kind != kind:
        raise Refusal(404, "The webhook does not exist.")
    return found


def _address(value: object) -> str:
    if not isinstance(value, str) or urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).hostname:
        raise Refusal(400, "The webhook must have a valid URL.")
    return value


def _events(value: object, known: Sequence[str], *, least: int = 0) -> list[str]:
    if not isinstance(value, list) or len(value) < least:
        raise Refusal(400, "The webhook must have a list of events.")
    if unknown := [event for event in value if event not in known]:
        raise Refusal(400, f"Unrecognized webhook event: {unknown[0]}")
    return list(value)


def _filter(call: Call, text: str) -> str:
    try:
        jql.read(text, call.site, validate=False)
    except jql.JqlError as error:
        raise Refusal(400, str(error)) from error
    return text


def _is_simple(text: str) -> bool:
    """Return whether a filter keeps to the fields and operators that dynamic webhooks may use."""
    parts = re.split(r"\s+(?:and|or)\s+", text.strip(" ()"), flags=re.IGNORECASE)
    return bool(text.strip()) and all(_CLAUSE.match(part.strip(" (")) for part in parts)


_ADMIN = "/rest/webhooks/1.0/webhook"
_DC = "/rest/jira-webhook/1.0/webhooks"
_DYNAMIC = "/rest/api/3/webhook"
CLOUD: tuple[Endpoint, ...] = (
    ("GET", _ADMIN, _list, "account"),
    ("POST", _ADMIN, _add, "account"),
    ("GET", f"{_ADMIN}/{{webhook}}", _read, "account"),
    ("PUT", f"{_ADMIN}/{{webhook}}", _change, "account"),
    ("DELETE", f"{_ADMIN}/{{webhook}}", _remove, "account"),
    ("GET", _DYNAMIC, _list_dynamic, "account"),
    ("POST", _DYNAMIC, _add_dynamic, "account"),
    ("DELETE", _DYNAMIC, _remove_dynamic, "account"),
    ("PUT", f"{_DYNAMIC}/refresh", _refresh, "account"),
    ("GET", f"{_DYNAMIC}/failed", _failed, "account"),
)
DATA_CENTER: tuple[Endpoint, ...] = (
    ("GET", _DC, _list_dc, "account"),
    ("POST", _DC, _add_dc, "account"),
    ("GET", f"{_DC}/{{webhook}}", _read_dc, "account"),
    ("PUT", f"{_DC}/{{webhook}}", _change_dc, "account"),
    ("DELETE", f"{_DC}/{{webhook}}", _remove_dc, "account"),
)
