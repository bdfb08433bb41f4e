"""What the simulated site says about its objects in the JSON of Jira Data Center.

Only shapes live here, and only those that differ from the Cloud's.
"""

from __future__ import annotations

from app.demo import jira_bodies as bodies
from app.demo.jira_bodies import Body
from app.demo.site import POINTS, Change, Issue, Site, User


def account(site: Site, user: User) -> Body:
    """Write an account as Data Center does: name and key, no accountId."""
    name = user.name.casefold().replace(" ", ".")
    return {
        "self": f"{site.url}/rest/api/2/user?username={name}",
        "key": f"JIRAUSER{10_000 + int(user.id[-3:], 16)}",
        "name": name,
        "emailAddress": user.email or f"{name}@example.com",
        "displayName": user.name,
        "active": True,
        "timeZone": user.time_zone,
    }


def issue_fields(site: Site, issue: Issue) -> Body:
    """Write an issue's fields: the epic stands in Epic Link, `parent` is for sub-tasks alone."""
    body = bodies.issue_fields(site, issue, version=2)
    assignee = site.users.get(issue.assignee or "")
    body |= {"assignee": account(site, assignee) if assignee else None, "reporter": account(site, site.me)}
    body.pop("statuscategorychangedate")
    if site.types[issue.type].level >= 0:
        body.pop("parent", None)
    return body


def issue_body(site: Site, issue: Issue, fields: list[str], *, default: str, expand: str = "") -> Body:
    """Write an issue; `expand=changelog` embeds all histories, oldest first, without `fieldId`."""
    keep = bodies.chosen(fields, default)
    body: Body = {
        "expand": "operations,versionedRepresentations,editmeta,changelog,renderedFields",
        "id": str(issue.id),
        "self": f"{site.url}/rest/api/2/issue/{issue.id}",
        "key": issue.key,
        "fields": {name: value for name, value in issue_fields(site, issue).items() if keep(name)},
    }
    if "changelog" in expand:
        entries = [_history(site, issue, number) for number in range(len(issue.histories))]
        body["changelog"] = {
            "startAt": 0, "maxResults": len(entries), "total": len(entries), "histories": entries,
        }  # fmt: skip
    return body


def _history(site: Site, issue: Issue, number: int) -> Body:
    entry = issue.histories[number]
    body = bodies.history(site, entry)
    return body | {"author": account(site, site.users.get(entry.author, site.me)), "items": _items(body["items"])}


def _items(told: list[Body]) -> list[Body]:
    """Write the items of a history as Data Center does: names alone, the epic and the points under its own words."""
    items = []
    for item in told:
        plain = {key: value for key, value in item.items() if key != "fieldId" and not key.startswith("tmp")}
        if plain["field"] == "IssueParentAssociation":
            plain["field"], plain["fieldtype"] = "Epic Link", "custom"
        elif item.get("fieldId") == POINTS:
            plain["field"] = "Story Points"
        items.append(plain)
    return items


def webhook_body(site: Site, change: Change) -> Body:
    """Write what a webhook of Data Center says of a change: accounts by name, no `fieldId`, the epic in Epic Link."""
    author = site.users.get(change.history.author if change.history else "", site.me)
    body = bodies.enveloped(site, change, account(site, author), issue_fields(site, change.issue))
    if "changelog" in body:
        body["changelog"]["items"] = _items(body["changelog"]["items"])
    return body
