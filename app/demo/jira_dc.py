"""The same simulated site seen as Jira Data Center: API version 2, offset pages, Epic Link, names for accounts.

Only what differs from the Cloud face lives here.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from app.demo import jira
from app.demo import jira_bodies as bodies
from app.demo import jira_hook_calls as hook_calls
from app.demo import jira_writes as writes
from app.demo.jira import Face, matching
from app.demo.jira_answers import Call, Endpoint, Refusal
from app.demo.jira_bodies import Body
from app.demo.jira_dc_bodies import account, issue_body
from app.demo.site import POINTS, Site

MAX_PAGE = 1000
_HEADERS = {
    "X-RateLimit-Limit": "100",
    "X-RateLimit-Remaining": "99",
    "X-RateLimit-Interval-Seconds": "1",
    "X-RateLimit-FillRate": "50",
    "Retry-After": "0",
}


def application(site: Site) -> Face:
    """Return the site as a Data Center application; personal access token (`site.token`) or Basic."""
    return jira.routed(site, _ROUTES, _HEADERS)


def _server(call: Call) -> Body:
    site = call.site
    return {
        "baseUrl": site.url,
        "version": "10.3.2",
        "versionNumbers": [10, 3, 2],
        "deploymentType": "Server",
        "buildNumber": 10_030_002,
        "buildDate": bodies.stamp(site.now() - timedelta(days=200), site.zone),
        "serverTime": bodies.stamp(site.now(), site.zone),
        "scmInfo": "0000000000000000000000000000000000000000",
        "serverTitle": "Jira",
    }


def _myself(call: Call) -> Body:
    return account(call.site, call.site.me)


def _fields(call: Call) -> list[Body]:
    fields = [
        {key: value for key, value in field.items() if key not in ("key", "untranslatedName")}
        for field in bodies.field_list(call.site, anonymous=call.anonymous)
        if field["id"] not in ("parent", "statuscategorychangedate")
    ]
    for field in fields:
        if field["id"] == POINTS:
            custom = "com.atlassian.jira.plugin.system.customfieldtypes:float"
            field |= {"name": "Story Points", "schema": {**field["schema"], "custom": custom}}
    return fields


def _types(call: Call) -> list[Body]:
    return [bodies.issue_type(call.site, kind, 2) for kind in call.site.types.values()]


def _projects(call: Call) -> list[Body]:
    visible = [p for p in call.site.projects.values() if not p.hidden and not call.anonymous]
    return [bodies.project(call.site, p, 2) for p in visible]


def _search(call: Call) -> Body:
    if call.request.method == "POST":
        asked = call.json()
        fields, expand = list(asked.get("fields") or []), ",".join(asked.get("expand") or [])
    else:
        asked = dict(call.query)
        fields, expand = (asked["fields"].split(",") if asked.get("fields") else []), asked.get("expand", "")
    start, size = int(asked.get("startAt") or 0), min(int(asked.get("maxResults") or 50), MAX_PAGE)
    if start + size > call.site.faults.result_window:
        raise Refusal(500, f"Search limit exceeded: at most {call.site.faults.result_window} results can be read.")
    validate = str(asked.get("validateQuery", "true")).casefold() != "false"
    text = asked.get("jql") or ""
    found = [] if call.anonymous else matching(call.site, text, validate=validate, bounded=False)
    page = found[start : start + size]
    body: dict[str, Any] = {
        "expand": "schema,names",
        "startAt": start,
        "maxResults": size,
        "total": len(found),
        "issues": [issue_body(call.site, i, fields, default="*navigable", expand=expand) for i in page],
    }
    return body


def _issue(call: Call) -> Body:
    asked = [value for name, value in call.request.query_params.multi_items() if name == "fields"]
    return issue_body(call.site, call.issue(), asked, default="*all", expand=call.query.get("expand", ""))


_API = "/rest/api/2"
_ROUTES: tuple[Endpoint, ...] = (
    ("GET", "/browse/{issue}", jira.browse, "anyone"),
    ("GET", f"{_API}/serverInfo", _server, "anyone"),
    ("GET", f"{_API}/myself", _myself, "account"),
    ("GET", f"{_API}/field", _fields, "anyone"),
    ("GET", f"{_API}/issuetype", _types, "account"),
    ("GET", f"{_API}/status", jira.statuses, "account"),
    ("GET", f"{_API}/project", _projects, "anyone"),
    ("GET", f"{_API}/mypermissions", jira.permissions, "anyone"),
    ("GET|POST", f"{_API}/search", _search, "anyone"),
    ("GET", f"{_API}/issue/{{issue}}", _issue, "anyone"),
    ("PUT", f"{_API}/issue/{{issue}}", writes.edit, "account"),
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
    *hook_calls.DATA_CENTER,
    ("GET", "/rest/agile/1.0/board", jira.boards, "account"),
    ("GET", "/rest/agile/1.0/board/{board}/configuration", jira.board, "account"),
)
