"""What can be written to the simulated Jira: fields, properties, remote links, comments; Cloud and Data Center.

Each answer is that of one call; routes and access live in `jira` and `jira_dc`.
"""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from app.demo import jira_bodies as bodies
from app.demo.jira_answers import Call, Refusal, json_response
from app.demo.jira_bodies import Body
from app.demo.jira_dc_bodies import account
from app.demo.site import OKR_HEALTH, OKR_STATE, OKR_STATES, START_DATE, WRITABLE_CUSTOM, Site

MAX_PROPERTY = 32_768
MAX_COMMENTS = 100


def edit(call: Call) -> Response:
    """Change fields and properties of an issue: 204, or 200 with the issue where asked for."""
    site, issue, asked = call.site, call.issue(), call.json()
    if "EDIT_ISSUES" not in site.permissions:
        raise Refusal(403, "You do not have permission to edit issues in this project.")
    quiet = call.query.get("notifyUsers", "true").casefold() == "false"
    if quiet and site.faults.refuse_quiet_edit:
        raise Refusal(403, "To discard the user notification either admin or project admin permissions are required.")
    new = _edits(site, asked.get("fields") or {})
    for entry in asked.get("properties") or []:
        issue.properties[entry["key"]] = entry["value"]
    for key in ("parent",) if "parent" in (asked.get("update") or {}) else ():
        new[key] = None
    if new:
        site.change(issue, by=site.me.name, **new)
    if call.query.get("returnIssue", "").casefold() == "true":
        return json_response(bodies.issue(site, issue, [], default="*all"))
    return Response(b"", 204)


def _edits(site: Site, fields: Body) -> dict[str, Any]:
    new: dict[str, Any] = {}
    custom = {name: value for name, value in fields.items() if name in WRITABLE_CUSTOM - {START_DATE}}
    for name, value in fields.items():
        if name in custom:
            _refuse_wrong(name, value)
        elif name in ("labels", "summary"):
            new[name] = value
        elif name == "parent" and isinstance(value, dict):
            parent = site.find(str(value.get("id") or value.get("key")))
            if parent is None:
                raise Refusal(400, errors={"parent": "Could not find issue by id or key."})
            new["parent"] = parent
        else:
            text = f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
            raise Refusal(400, errors={name: text})
    told = {name: value["value"] if isinstance(value, dict) else value for name, value in custom.items()}
    return new | ({"custom": told} if custom else {})


def _refuse_wrong(name: str, value: Any) -> None:
    """Refuse what a custom field does not take."""
    if name == OKR_STATE:
        if value is not None and not (isinstance(value, dict) and value.get("value") in OKR_STATES):
            raise Refusal(400, errors={name: f"Option value '{value}' is not valid"})
    elif value is not None and not isinstance(value, str if name == OKR_HEALTH else int | float):
        kind = "a string" if name == OKR_HEALTH else "a number"
        raise Refusal(400, errors={name: f"Operation value must be {kind}"})


def edit_meta(call: Call) -> Body:
    """Tell the fields of ours that the edit screen of an issue shows, and their options."""
    call.issue()
    return {
        "fields": {
            field["id"]: {
                "required": False,
                "schema": field["schema"],
                "name": field["name"],
                "key": field["id"],
                "operations": ["set"],
                **({"allowedValues": bodies.states(call.site)} if field["id"] == OKR_STATE else {}),
            }
            for field in bodies.field_list(call.site, anonymous=False)
            if field["id"] in WRITABLE_CUSTOM
        }
    }


def get_property(call: Call) -> Body:
    """Read a property of an issue."""
    key, properties = call.request.path_params["key"], call.issue().properties
    if key not in properties:
        raise Refusal(404, f"The property with key '{key}' does not exist.")
    return {"key": key, "value": properties[key]}


def put_property(call: Call) -> Response:
    """Set a property of an issue: 201 where it is new."""
    key, issue = call.request.path_params["key"], call.issue()
    if "EDIT_ISSUES" not in call.site.permissions:
        raise Refusal(403, "You do not have permission to edit issues in this project.")
    if not 0 < len(call.raw) <= MAX_PROPERTY or len(key) > 255:
        raise Refusal(400, "The property value must be valid JSON of at most 32768 characters.")
    try:
        value = orjson.loads(call.raw)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "The property value must be valid JSON of at most 32768 characters.") from error
    new = key not in issue.properties
    issue.properties[key] = value
    return json_response({}, 201 if new else 200)


def delete_property(call: Call) -> Response:
    """Remove a property of an issue."""
    if call.issue().properties.pop(call.request.path_params["key"], None) is None:
        raise Refusal(404, f"The property with key '{call.request.path_params['key']}' does not exist.")
    return Response(b"", 204)


def remote_links(call: Call) -> Any:
    """List the remote links of an issue, or read the one with a `globalId`."""
    links, wanted = call.issue().remote_links, call.query.get("globalId")
    if wanted is None:
        return list(links.values())
    if wanted not in links:
        raise Refusal(404, f"The remote link with globalId '{wanted}' does not exist.")
    return links[wanted]


def put_remote_link(call: Call) -> Response:
    """Add a remote link (201) or replace the one with the same `globalId` (200)."""
    issue, asked = call.issue(), call.json()
    if "LINK_ISSUES" not in call.site.permissions:
        raise Refusal(403, "You do not have permission to link issues in this project.")
    target = asked.get("object")
    if not isinstance(target, dict) or not target.get("url") or not target.get("title"):
        raise Refusal(400, errors={"title": "'title' is required.", "url": "'url' is required."})
    name = asked.get("globalId") or f"generated-{call.site.next_id('remotelink')}"
    old = issue.remote_links.get(name)
    number = old["id"] if old else call.site.next_id("remotelink")
    link = {
        "id": number,
        "self": f"{call.site.url}/rest/api/3/issue/{issue.key}/remotelink/{number}",
        "globalId": name,
        "application": asked.get("application") or {},
        # What a repeated call leaves out is gone.
        "object": target,
    }
    issue.remote_links[name] = link | ({"relationship": asked["relationship"]} if asked.get("relationship") else {})
    return json_response({"id": number, "self": link["self"]}, 200 if old else 201)


def delete_remote_link(call: Call) -> Response:
    """Remove the remote link with a `globalId`."""
    name = call.query.get("globalId", "")
    if call.issue().remote_links.pop(name, None) is None:
        raise Refusal(404, f"The remote link with globalId '{name}' does not exist.")
    return Response(b"", 204)


def comments(call: Call) -> Body:
    """List the comments of an issue, the oldest first unless asked for the newest."""
    found = [_shown(call, comment) for comment in call.issue().comments]
    if call.query.get("orderBy") == "-created":
        found.reverse()
    start = int(call.query.get("startAt", 0))
    page = found[start : start + min(int(call.query.get("maxResults", 100)), MAX_COMMENTS)]
    return {"startAt": start, "maxResults": MAX_COMMENTS, "total": len(found), "comments": page}


def get_comment(call: Call) -> Body:
    """Read a comment of an issue."""
    return _shown(call, _comment(call))


def add_comment(call: Call) -> Response:
    """Add a comment (201); its author is our account."""
    site, issue, asked = call.site, call.issue(), call.json()
    if "ADD_COMMENTS" not in site.permissions:
        raise Refusal(403, "You do not have permission to comment on this issue.")
    number, at = site.next_id("comment"), bodies.stamp(site.now(), site.zone)
    version = 3 if is_cloud(call) else 2
    author = _author(call)
    comment = {
        "self": f"{site.url}/rest/api/{version}/issue/{issue.id}/comment/{number}", "id": str(number),
        "author": author, "body": _body(call, asked), "updateAuthor": author, "created": at, "updated": at,
        **({"jsdPublic": True} if version == 3 else {}), "properties": asked.get("properties") or [],
    }  # fmt: skip
    issue.comments.append(comment)
    return json_response(_shown(call, comment), 201)


def edit_comment(call: Call) -> Body:
    """Change a comment in place."""
    comment, asked = _comment(call), call.json()
    if "EDIT_OWN_COMMENTS" not in call.site.permissions:
        raise Refusal(400, errors={"comment": "You do not have the permission to edit this comment."})
    comment.update({"body": _body(call, asked), "updated": bodies.stamp(call.site.now(), call.site.zone)})
    if asked.get("properties"):
        comment["properties"] = asked["properties"]
    return _shown(call, comment)


def delete_comment(call: Call) -> Response:
    """Remove a comment."""
    call.issue().comments.remove(_comment(call))
    return Response(b"", 204)


def is_cloud(call: Call) -> bool:
    """Tell by the path which of the two was asked: texts are documents on Cloud, markup on Data Center."""
    return call.request.url.path.startswith("/rest/api/3/")


def _author(call: Call) -> Body:
    site = call.site
    return bodies.account(site, site.me) if is_cloud(call) else account(site, site.me)


def _comment(call: Call) -> Body:
    wanted = call.request.path_params["comment"]
    for comment in call.issue().comments:
        if comment["id"] == wanted:
            return comment
    raise Refusal(404, f"Can not find a comment for the id: {wanted}.")


def _shown(call: Call, comment: Body) -> Body:
    """Return a comment as it is told: its properties only where they are asked for."""
    wanted = "properties" in call.query.get("expand", "").split(",")
    return {key: value for key, value in comment.items() if key != "properties" or wanted}


def _body(call: Call, asked: Body) -> Any:
    body = asked.get("body")
    if isinstance(body, dict) and body.get("type") == "doc" if is_cloud(call) else isinstance(body, str):
        return body
    raise Refusal(400, errors={"comment": "Comment body is not valid!"})
