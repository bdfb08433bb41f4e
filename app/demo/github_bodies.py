"""What the simulated GitHub says about its objects in the JSON of its REST API and of its webhooks.

Only shapes live here; who may see what, and which body answers which call, is decided elsewhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from app.demo.github_boards import ProjectItem
from app.demo.github_things import (
    Account,
    Comment,
    Hook,
    Issue,
    IssueField,
    IssueFieldValue,
    IssueType,
    Label,
    Milestone,
    Option,
    PullRequest,
    Repository,
)

Body = dict[str, Any]

_LINKS = {
    "followers": "followers", "following": "following{/other_user}", "gists": "gists{/gist_id}",
    "starred": "starred{/owner}{/repo}", "subscriptions": "subscriptions", "organizations": "orgs", "repos": "repos",
    "events": "events{/privacy}", "received_events": "received_events",
}  # fmt: skip
_PLACES = {
    "archive": "{archive_format}{/ref}", "assignees": "assignees{/user}", "blobs": "git/blobs{/sha}",
    "branches": "branches{/branch}", "collaborators": "collaborators{/collaborator}", "comments": "comments{/number}",
    "commits": "commits{/sha}", "compare": "compare/{base}...{head}", "contents": "contents/{+path}",
    "contributors": "contributors", "deployments": "deployments", "downloads": "downloads", "events": "events",
    "forks": "forks", "git_commits": "git/commits{/sha}", "git_refs": "git/refs{/sha}", "git_tags": "git/tags{/sha}",
    "hooks": "hooks", "issue_comment": "issues/comments{/number}", "issue_events": "issues/events{/number}",
    "issues": "issues{/number}", "keys": "keys{/key_id}", "labels": "labels{/name}", "languages": "languages",
    "merges": "merges", "milestones": "milestones{/number}",
    "notifications": "notifications{?since,all,participating}", "pulls": "pulls{/number}", "releases": "releases{/id}",
    "stargazers": "stargazers", "statuses": "statuses/{sha}", "subscribers": "subscribers",
    "subscription": "subscription", "tags": "tags", "teams": "teams", "trees": "git/trees{/sha}",
}  # fmt: skip
_REACTIONS = ("+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes")
_VALUE_TYPES = {name: name.lower() for name in ("NUMBER", "DATE", "TEXT", "SINGLE_SELECT", "MULTI_SELECT")}


def stamp(at: datetime | None) -> str | None:
    """Write a moment as GitHub does: UTC, whole seconds, Z."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}" if at else None


def account(one: Account) -> Body:
    """Describe a user, an organization as an owner, or a bot."""
    api = f"{one.site.api_url}/users/{one.login}"
    return {
        "login": one.login,
        "id": one.number,
        "node_id": one.id,
        "avatar_url": f"{one.site.url}/avatars/u/{one.number}?v=4",
        "gravatar_id": "",
        "url": api,
        "html_url": one.url,
        **{f"{name}_url": f"{api}/{place}" for name, place in _LINKS.items()},
        "type": one.typename,
        "user_view_type": "public",
        "site_admin": False,
    }


def organization(one: Account) -> Body:
    """Describe an organization as webhooks do."""
    api = f"{one.site.api_url}/orgs/{one.login}"
    places = {
        "repos": "",
        "events": "",
        "hooks": "",
        "issues": "",
        "members": "{/member}",
        "public_members": "{/member}",
    }
    return {
        "login": one.login,
        "id": one.number,
        "node_id": one.id,
        "url": api,
        **{f"{name}_url": f"{api}/{name}{more}" for name, more in places.items()},
        "avatar_url": f"{one.site.url}/avatars/u/{one.number}?v=4",
        "description": one.name,
    }


def repository(one: Repository) -> Body:
    """Describe a repository."""
    host = one.owner.site.url.partition("://")[2]
    opened = sum(not issue.closed for issue in one.issues) + sum(not pull.closed for pull in one.pulls)
    level = ("READ", "TRIAGE", "WRITE", "MAINTAIN", "ADMIN").index(one.viewer_permission)
    return {
        "id": one.number,
        "node_id": one.id,
        "name": one.name,
        "full_name": one.name_with_owner,
        "private": one.is_private,
        "owner": account(one.owner),
        "html_url": one.url,
        "description": one.description,
        "fork": False,
        "url": one.api_url,
        **{f"{name}_url": f"{one.api_url}/{place}" for name, place in _PLACES.items()},
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "pushed_at": stamp(one.pushed_at),
        "git_url": f"git://{host}/{one.name_with_owner}.git",
        "ssh_url": f"git@{host}:{one.name_with_owner}.git",
        "clone_url": f"{one.url}.git",
        "svn_url": one.url,
        "homepage": None,
        "size": 4096,
        **dict.fromkeys(("stargazers_count", "watchers_count", "forks_count", "forks", "watchers"), 0),
        "language": "TypeScript",
        "has_issues": one.has_issues_enabled,
        "has_projects": True,
        **dict.fromkeys(("has_downloads", "has_wiki", "has_pages", "has_discussions"), False),
        "mirror_url": None,
        "archived": one.is_archived,
        "disabled": False,
        "open_issues_count": opened,
        "open_issues": opened,
        "license": None,
        "allow_forking": False,
        "is_template": False,
        "web_commit_signoff_required": False,
        "topics": [],
        "visibility": one.visibility.lower(),
        "default_branch": "main",
        "permissions": {name: level >= at for at, name in enumerate(("pull", "triage", "push", "maintain", "admin"))},
    }


def label(one: Label) -> Body:
    """Describe a label."""
    return {
        "id": one.number,
        "node_id": one.id,
        "url": f"{one.repository.api_url}/labels/{one.name.replace('/', '%2F')}",
        "name": one.name,
        "color": one.color,
        "default": one.is_default,
        "description": one.description,
    }


def milestone(one: Milestone) -> Body:
    """Describe a milestone."""
    api = f"{one.repository.api_url}/milestones/{one.number}"
    return {
        "url": api,
        "html_url": one.url,
        "labels_url": f"{api}/labels",
        "id": one.id_number,
        "node_id": one.id,
        "number": one.number,
        "title": one.title,
        "description": one.description,
        "creator": account(one.creator),
        "open_issues": one.open_issue_count,
        "closed_issues": one.closed_issue_count,
        "state": one.state.lower(),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "due_on": stamp(one.due_on),
        "closed_at": stamp(one.closed_at),
    }


def issue_type(one: IssueType) -> Body:
    """Describe an issue type."""
    at = stamp(one.owner.created_at)
    return {
        "id": one.number,
        "node_id": one.id,
        "name": one.name,
        "description": one.description,
        "color": one.color.lower(),
        "created_at": at,
        "updated_at": at,
        "is_enabled": one.is_enabled,
    }


def field_value(one: IssueFieldValue) -> Body:
    """Describe what an issue says in an issue field."""
    told: Body = {
        "issue_field_id": one.field.number,
        "issue_field_name": one.field.name,
        "node_id": one.id,
        "data_type": _VALUE_TYPES[one.field.data_type],
        "value": one.value,
    }
    if one.options:
        told["multi_select_options"] = [option(each) for each in one.options]
    if isinstance(one.content, Option):
        told["single_select_option"] = option(one.content)
    return told


def option(one: Option) -> Body:
    """Describe an option of an issue field."""
    return {"id": one.number, "name": one.name, "color": one.color.lower()}


def _reactions(api: str) -> Body:
    return {"url": f"{api}/reactions", "total_count": 0, **dict.fromkeys(_REACTIONS, 0)}


def issue(one: Issue, *, webhook: bool = False) -> Body:
    """Describe an issue; a list, a single read and a webhook say nearly the same."""
    sums, waits = one.sub_issues_summary, one.issue_dependencies_summary
    users = [account(each) for each in one.assignees]
    told: Body = {
        **_common(one, f"{one.repository.api_url}/issues/{one.number}"),
        "user": account(one.author),
        "labels": [label(each) for each in one.labels],
        "state": one.state.lower(),
        "locked": one.locked,
        "assignee": users[0] if users else None,
        "assignees": users,
        "milestone": milestone(one.milestone) if one.milestone else None,
        "comments": len(one.comments),
        "type": issue_type(one.issue_type) if one.issue_type else None,
        "active_lock_reason": one.active_lock_reason.lower() if one.active_lock_reason else None,
        "sub_issues_summary": {
            "total": sums["total"],
            "completed": sums["completed"],
            "percent_completed": sums["percentCompleted"],
        },
        "issue_dependencies_summary": {
            "blocked_by": waits["blockedBy"],
            "total_blocked_by": waits["totalBlockedBy"],
            "blocking": waits["blocking"],
            "total_blocking": waits["totalBlocking"],
        },
        "issue_field_values": [field_value(each) for each in one.values.values()],
        "body": one.body or None,
        "performed_via_github_app": None,
        "state_reason": one.state_reason.lower() if one.state_reason else None,
        "pinned_comment": None,
    }
    if webhook:
        return told
    if one.parent is not None:
        told["parent_issue_url"] = one.parent.api_url
    return {**told, "closed_by": account(one.closed_by) if one.closed_by else None}


def pull(one: PullRequest) -> Body:
    """Describe a pull request as the list of issues does."""
    api = f"{one.repository.api_url}/pulls/{one.number}"
    return {
        **_common(one, f"{one.repository.api_url}/issues/{one.number}"),
        "user": account(one.author),
        "labels": [],
        "state": "open" if one.state == "OPEN" else "closed",
        "locked": False,
        "assignee": None,
        "assignees": [],
        "milestone": None,
        "comments": 0,
        "active_lock_reason": None,
        "draft": False,
        "pull_request": {
            "url": api,
            "html_url": one.url,
            "diff_url": f"{one.url}.diff",
            "patch_url": f"{one.url}.patch",
            "merged_at": stamp(one.closed_at) if one.state == "MERGED" else None,
        },
        "body": one.body or None,
        "closed_by": None,
        "performed_via_github_app": None,
        "state_reason": None,
    }


def _common(one: Issue | PullRequest, api: str) -> Body:
    return {
        "url": api,
        "repository_url": one.repository.api_url,
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "html_url": one.url,
        "id": one.id_number,
        "node_id": one.id,
        "number": one.number,
        "title": one.title,
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "closed_at": stamp(one.closed_at),
        "author_association": "MEMBER",
        "reactions": _reactions(api),
        "timeline_url": f"{api}/timeline",
    }


def comment(one: Comment) -> Body:
    """Describe a comment."""
    api = f"{one.repository.api_url}/issues/comments/{one.id_number}"
    return {
        "url": api,
        "html_url": one.url,
        "issue_url": one.issue.api_url,
        "id": one.id_number,
        "node_id": one.id,
        "user": account(one.author),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "author_association": "MEMBER",
        "body": one.body,
        "reactions": _reactions(api),
        "performed_via_github_app": None,
    }


def item(one: ProjectItem) -> Body:
    """Describe an item of a project as webhooks do: its content by node id alone."""
    return {
        "id": one.id_number,
        "node_id": one.id,
        "project_node_id": one.project.id,
        "content_node_id": one.holds.id,
        "content_type": one.holds.typename,
        "creator": account(one.creator),
        "created_at": stamp(one.created_at),
        "updated_at": stamp(one.updated_at),
        "archived_at": stamp(one.updated_at) if one.is_archived else None,
    }


def issue_field(one: IssueField) -> Body:
    """Describe an issue field as webhooks do."""
    return {"id": one.number, "name": one.name, "field_type": _VALUE_TYPES[one.data_type]}


def hook(one: Hook, response: Body | None = None) -> Body:
    """Describe a webhook; its secret is never told again, and `response` is what its last delivery was answered."""
    told: Body = {
        "type": "Repository" if isinstance(one.place, Repository) else "Organization" if one.place else "App",
        "id": one.id,
        "name": "web",
        "active": one.active,
        "events": one.events,
        "config": hook_config(one),
        "updated_at": stamp(one.updated_at),
        "created_at": stamp(one.created_at),
    }
    if one.place is None:
        return told
    at = one.place.api_url if isinstance(one.place, Repository) else f"{one.place.site.api_url}/orgs/{one.place.login}"
    url = f"{at}/hooks/{one.id}"
    told |= {"url": url, "ping_url": f"{url}/pings", "deliveries_url": f"{url}/deliveries"}
    if isinstance(one.place, Repository):
        told |= {"test_url": f"{url}/test"}
        told["last_response"] = response or {"code": None, "status": "unused", "message": None}
    return told


def hook_config(one: Hook) -> Body:
    """Describe where a webhook is sent and how."""
    told = {"url": one.url, "content_type": one.content_type, "insecure_ssl": one.insecure_ssl}
    return told | ({"secret": "********"} if one.secret else {})
