"""What can be written to a simulated Linear: cards, updates with health, external links, webhooks.

Each mutation answers as Linear's payload of that name; the site does the work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.demo.graphql import Refusal, Resolver
from app.demo.linear_filters import invalid
from app.demo.linear_lists import Asked, administers, missing, seen
from app.demo.linear_model import RESOURCES, Attachment, Initiative, Issue, Link, Project, Row, Team, Update, Webhook

Input = dict[str, Any]
MOST_TITLE = 512


def _payload(asked: Asked, **told: Any) -> dict[str, Any]:
    return {"success": True, "lastSyncId": asked.site.version, **told}


def _write(asked: Asked) -> None:
    if "write" not in asked.scopes:
        told = {"type": "forbidden", "code": "FORBIDDEN", "statusCode": 403, "userError": True}
        raise Refusal("Invalid scope: `write` required", extensions=told)


def _write_initiative(asked: Asked) -> None:
    """Raise Refusal where an app lacks the scope that initiatives need beside `write`."""
    _write(asked)
    if asked.app and "initiative:write" not in asked.scopes:
        told = {"type": "forbidden", "code": "FORBIDDEN", "statusCode": 403, "userError": True}
        raise Refusal("Invalid scope: `initiative:write` required", extensions=told)


def _row(asked: Asked, kind: type[Any], id_: str, word: str) -> Any:
    """Return a visible row, after a look at whether the account may write at all."""
    _write(asked)
    found = asked.site.find(id_) if kind is Issue else asked.site.get(kind, id_)
    if found is None or not seen(asked, found):
        raise missing(word)
    return found


def _new(asked: Asked, kind: type[Row], id_: str | None) -> str | None:
    """Return the id that the caller chose for a new row; raises Refusal where it is taken."""
    _write(asked)
    if id_ is not None and asked.site.get(kind, id_) is not None:
        raise invalid("Entity with the same id already exists")
    return id_


def _attachment_create(_: Any, asked: Asked, *, input: Input) -> dict[str, Any]:
    issue = _row(asked, Issue, input["issueId"], "Issue")
    if not input["url"].startswith(("http://", "https://")):
        raise invalid("Argument Validation Error: url must be a URL address")
    if not 1 <= len(input["title"]) <= MOST_TITLE:
        raise invalid(f"Argument Validation Error: title must be between 1 and {MOST_TITLE} characters")
    known = any(card.url == input["url"] for card in issue.attachments)
    chosen = None if known else _new(asked, Attachment, input.get("id"))
    values = {"subtitle": input.get("subtitle"), "metadata": input.get("metadata") or {}}
    values["group_by_source"] = bool(input.get("groupBySource"))
    card = asked.site.attach(issue, input["url"], input["title"], by=asked.user, id_=chosen, **values)
    return _payload(asked, attachment=card)


def _attachment_update(_: Any, asked: Asked, *, id: str, input: Input) -> dict[str, Any]:
    card = _row(asked, Attachment, id, "Attachment")
    values = {name: input[name] for name in ("subtitle", "metadata") if name in input}
    return _payload(asked, attachment=asked.site.attach(card.issue, card.url, input["title"], by=asked.user, **values))


def _attachment_delete(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    asked.site.detach(_row(asked, Attachment, id, "Attachment"))
    return _payload(asked, entityId=id)


def _post(asked: Asked, kind: type[Project | Initiative], word: str, key: str, given: Input) -> Update:
    row = _row(asked, kind, given[key], word)
    chosen = _new(asked, Update, given.get("id"))
    return asked.site.post_update(
        row, given.get("health") or "onTrack", given.get("body") or "", by=asked.user, id_=chosen
    )


def _edit(asked: Asked, id_: str, given: Input, word: str) -> Update:
    update: Update = _row(asked, Update, id_, word)
    asked.site.edit_update(update, health=given.get("health"), body=given.get("body"))
    return update


def _archive(asked: Asked, id_: str, word: str) -> Update:
    update: Update = _row(asked, Update, id_, word)
    asked.site.archive_update(update)
    return update


def _unarchive(asked: Asked, id_: str, word: str) -> Update:
    update: Update = _row(asked, Update, id_, word)
    asked.site.archive_update(update, archived=False)
    return update


def _project_update_create(_: Any, asked: Asked, *, input: Input) -> dict[str, Any]:
    return _payload(asked, projectUpdate=_post(asked, Project, "Project", "projectId", input))


def _project_update_update(_: Any, asked: Asked, *, id: str, input: Input) -> dict[str, Any]:
    return _payload(asked, projectUpdate=_edit(asked, id, input, "ProjectUpdate"))


def _project_update_archive(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    return _payload(asked, entity=_archive(asked, id, "ProjectUpdate"))


def _project_update_unarchive(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    return _payload(asked, entity=_unarchive(asked, id, "ProjectUpdate"))


def _initiative_update_create(_: Any, asked: Asked, *, input: Input) -> dict[str, Any]:
    _write_initiative(asked)
    return _payload(asked, initiativeUpdate=_post(asked, Initiative, "Initiative", "initiativeId", input))


def _initiative_update_update(_: Any, asked: Asked, *, id: str, input: Input) -> dict[str, Any]:
    _write_initiative(asked)
    return _payload(asked, initiativeUpdate=_edit(asked, id, input, "InitiativeUpdate"))


def _initiative_update_archive(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    return _payload(asked, entity=_archive(asked, id, "InitiativeUpdate"))


def _initiative_update_unarchive(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    return _payload(asked, entity=_unarchive(asked, id, "InitiativeUpdate"))


def _link_create(_: Any, asked: Asked, *, input: Input) -> dict[str, Any]:
    if input.get("projectId"):
        row = _row(asked, Project, input["projectId"], "Project")
    else:
        row = _row(asked, Initiative, input.get("initiativeId") or "", "Initiative")
    chosen = _new(asked, Link, input.get("id"))
    return _payload(
        asked, entityExternalLink=asked.site.add_link(row, input["label"], input["url"], by=asked.user, id_=chosen)
    )


def _link_delete(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    asked.site.drop(_row(asked, Link, id, "EntityExternalLink"))
    return _payload(asked, entityId=id)


def _check_webhook(given: Input) -> None:
    """Raise Refusal for an address that is none and for what nobody can be told about."""
    if "url" in given and not str(given["url"]).startswith(("http://", "https://")):
        raise invalid("Argument Validation Error: url must be a URL address")
    if "resourceTypes" in given:
        unknown = [one for one in given["resourceTypes"] if one not in RESOURCES]
        if unknown or not given["resourceTypes"]:
            raise invalid(
                f"Argument Validation Error: each value in resourceTypes must be one of {', '.join(RESOURCES)}"
            )


def _webhook_create(_: Any, asked: Asked, *, input: Input) -> dict[str, Any]:
    _write(asked)
    administers(asked)
    _check_webhook(input)
    if bool(input.get("teamId")) == bool(input.get("allPublicTeams")):
        raise invalid("Argument Validation Error: expected either teamId or allPublicTeams")
    team = _row(asked, Team, input["teamId"], "Team") if input.get("teamId") else None
    values = {"label": input.get("label"), "team": team, "all_public_teams": bool(input.get("allPublicTeams"))}
    values |= {"creator": asked.user, "enabled": input.get("enabled") is not False}
    if input.get("secret"):
        values["secret"] = input["secret"]
    webhook = asked.site.register(
        input["url"], input["resourceTypes"], id_=_new(asked, Webhook, input.get("id")), **values
    )
    return _payload(asked, webhook=webhook)


def _webhook_update(_: Any, asked: Asked, *, id: str, input: Input) -> dict[str, Any]:
    webhook = _row(asked, Webhook, id, "Webhook")
    administers(asked)
    _check_webhook(input)
    names = {
        "url": "url",
        "label": "label",
        "enabled": "enabled",
        "secret": "secret",
        "resourceTypes": "resource_types",
    }
    for name, value in input.items():
        setattr(webhook, names[name], value)
    webhook.updated_at = asked.site.now()
    return _payload(asked, webhook=webhook)


def _webhook_delete(_: Any, asked: Asked, *, id: str) -> dict[str, Any]:
    administers(asked)
    asked.site.drop(_row(asked, Webhook, id, "Webhook"))
    return _payload(asked, entityId=id)


WRITES: Mapping[str, Resolver] = {
    "Mutation.attachmentCreate": _attachment_create,
    "Mutation.attachmentUpdate": _attachment_update,
    "Mutation.attachmentDelete": _attachment_delete,
    "Mutation.projectUpdateCreate": _project_update_create,
    "Mutation.projectUpdateUpdate": _project_update_update,
    "Mutation.projectUpdateArchive": _project_update_archive,
    "Mutation.projectUpdateUnarchive": _project_update_unarchive,
    "Mutation.initiativeUpdateCreate": _initiative_update_create,
    "Mutation.initiativeUpdateUpdate": _initiative_update_update,
    "Mutation.initiativeUpdateArchive": _initiative_update_archive,
    "Mutation.initiativeUpdateUnarchive": _initiative_update_unarchive,
    "Mutation.entityExternalLinkCreate": _link_create,
    "Mutation.entityExternalLinkDelete": _link_delete,
    "Mutation.webhookCreate": _webhook_create,
    "Mutation.webhookUpdate": _webhook_update,
    "Mutation.webhookDelete": _webhook_delete,
}
"""Resolvers by place; the names of their arguments are Linear's."""
