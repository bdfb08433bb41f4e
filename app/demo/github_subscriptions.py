"""The webhooks that are registered at the simulated GitHub, and the deliveries that they get for what happens.

No HTTP here: they are registered through `github_hook_calls`, and sent by `sender`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from app.demo.github_hooks import signed
from app.demo.github_site import Change, Site
from app.demo.github_things import Account, Hook, Repository
from app.demo.ledger import Letter

REPOSITORY_EVENTS = (
    "issues", "sub_issues", "issue_dependencies", "milestone", "label", "issue_comment", "repository", "pull_request",
    "push", "discussion", "create", "delete", "fork", "release", "status", "star", "watch", "ping", "meta", "member",
)  # fmt: skip
ORGANIZATION_EVENTS = (
    *REPOSITORY_EVENTS, "projects_v2", "projects_v2_item", "projects_v2_status_update", "organization", "membership",
    "team", "installation", "installation_repositories",
)  # fmt: skip
OF_PROJECTS = frozenset({"projects_v2", "projects_v2_item", "projects_v2_status_update"})
"""Events that belong to the owner of a project: a repository's webhook never gets them"""
NEWER = frozenset({"sub_issues", "issue_dependencies"})
"""Events that an old Enterprise Server does not know"""


def register(site: Site, url: str) -> list[Hook]:
    """Register a webhook for everything with each organization, and with each repository of a user."""
    owners = [one for one in site.accounts.values() if one.typename == "Organization"]
    alone = [one for one in site.repositories.values() if one.owner.typename != "Organization"]
    secret = site.webhook_secret
    places: list[Repository | Account] = [*owners, *alone]
    return [add(site, place, url, events=["*"], content_type="json", secret=secret) for place in places]


def add(site: Site, place: Repository | Account | None, url: str, **details: Any) -> Hook:
    """Register a webhook and greet it; `details` are the further attributes of `Hook`."""
    now = site.now()
    hook = Hook(id=site.next_id("hook"), place=place, url=url, created_at=now, updated_at=now, **details)
    site.hooks[hook.id] = hook
    ping(site, hook)
    return hook


def ping(site: Site, hook: Hook) -> Change:
    """Greet a webhook, as GitHub does once it is registered."""
    place = hook.place if isinstance(hook.place, Repository) else None
    owner = hook.place if isinstance(hook.place, Account) else None
    return site.tell("ping", "", repository=place, owner=owner, hook=hook)


def letters(site: Site, change: Change) -> Iterator[Letter]:
    """Yield the deliveries of a change: one for each webhook that wants it, all of them under one id."""
    for hook in list(site.hooks.values()):
        if _wants(site, hook, change):
            yield _letter(site, change, hook)


def _wants(site: Site, hook: Hook, change: Change) -> bool:
    if change.event == "ping":
        return change.details["hook"] is hook
    if not hook.active or not ({change.event, "*"} & set(hook.events)):
        return False
    if isinstance(hook.place, Repository):
        return change.event not in OF_PROJECTS and change.repository is hook.place
    return hook.place is None or change.owner is hook.place


def _letter(site: Site, change: Change, hook: Hook) -> Letter:
    sent = signed(site, change, hook.secret, form=hook.content_type == "form")
    kind, number = target(site, hook)
    headers = sent.headers | {
        "X-GitHub-Hook-ID": str(hook.id),
        "X-GitHub-Hook-Installation-Target-Type": kind,
        "X-GitHub-Hook-Installation-Target-ID": str(number),
    }
    app = site.access.app
    return Letter(
        tracker="github", hook=str(hook.id), url=hook.url, guid=headers["X-GitHub-Delivery"], event=change.event,
        action=change.action or None, item=change.issue.key if change.issue else "", headers=headers, body=sent.body,
        repository=change.repository.number if change.repository else None,
        installation=app.installation if app else None,
    )  # fmt: skip


def target(site: Site, hook: Hook) -> tuple[str, int]:
    """Return what a webhook belongs to, as its deliveries name it: kind and number."""
    match hook.place:
        case Repository():
            return "repository", hook.place.number
        case Account():
            return "organization", hook.place.number
        case None:
            return "integration", site.access.app.id if site.access.app else 0
