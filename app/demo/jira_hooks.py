"""The webhooks that are registered at the simulated Jira, and the deliveries that they get for what happens.

No HTTP here: they are registered through `jira_hook_calls`, and sent by `sender`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson

from app.demo import jira_bodies as bodies
from app.demo import jira_dc_bodies as dc_bodies
from app.demo import jql
from app.demo.jira_bodies import Body
from app.demo.ledger import Letter
from app.demo.site import Change, Hook, Site

LIFE = timedelta(days=30)
"""How long a dynamic webhook lives after it was registered or refreshed"""
TOKEN_LIFE = timedelta(hours=1)


def register(site: Site, url: str, *, kind: str = "admin", name: str = "By hand", **details: Any) -> Hook:
    """Register a webhook; `details` are the further attributes of `Hook`, the secret the site's unless given."""
    secret = None if kind == "dynamic" else site.webhook_secret
    expires = site.now() + LIFE if kind == "dynamic" else None
    given: dict[str, Any] = {"secret": secret, "expires": expires, **details}
    hook = Hook(id=site.next_id("webhook"), kind=kind, url=url, name=name, updated=site.now(), **given)
    site.webhooks[hook.id] = hook
    return hook


def living(site: Site, kind: str) -> list[Hook]:
    """Return the webhooks of a kind, oldest first; dynamic ones that expired are forgotten."""
    now = site.now()
    for hook in [one for one in site.webhooks.values() if one.expires is not None and one.expires <= now]:
        del site.webhooks[hook.id]
    return [one for one in site.webhooks.values() if one.kind == kind]


def letters(site: Site, change: Change) -> Iterator[Letter]:
    """Yield the deliveries of a change: one for each webhook, and one for all dynamic webhooks of an address."""
    for kind in ("admin", "data center"):
        for hook in living(site, kind):
            if _wants(site, hook, change):
                yield _letter(site, change, [hook])
    dynamic = [one for one in living(site, "dynamic") if _wants(site, one, change) and site.visible(change.issue)]
    gone = [one for one in living(site, "dynamic") if _wants(site, one, change) and change.issue.deleted]
    for url in dict.fromkeys(hook.url for hook in (*dynamic, *gone)):
        yield _letter(site, change, [hook for hook in (*dynamic, *gone) if hook.url == url])


def _wants(site: Site, hook: Hook, change: Change) -> bool:
    if not hook.enabled or (hook.events and change.event not in hook.events):
        return False
    if hook.fields and change.event == "jira:issue_updated":
        items = change.history.items if change.history else ()
        if not {item.field_id or item.field for item in items} & set(hook.fields):
            return False
    return not hook.jql or bool(jql.read(hook.jql, site, validate=False).run(site, [change.issue]))


def _letter(site: Site, change: Change, hooks: Sequence[Hook]) -> Letter:
    hook = hooks[0]
    body = _body(site, change, hook)
    if hook.kind == "dynamic":
        body["matchedWebhookIds"] = [one.id for one in hooks]
    raw = b"" if hook.exclude_body else orjson.dumps(body)
    guid = hashlib.sha256(f"{site.name}:{hook.id}:{change.number}".encode()).hexdigest()[:32]
    return Letter(
        tracker="jira", hook=str(hook.id), url=hook.url, guid=guid, event=change.event, item=change.issue.key, body=raw,
        headers={
            "Content-Type": "application/json; charset=UTF-8",
            "User-Agent": "Atlassian Webhook HTTP Client",
            "X-Atlassian-Webhook-Identifier": guid,
            "X-Atlassian-Webhook-Flow": "Primary",
            **_proof(site, hook, raw),
        },
    )  # fmt: skip


def _body(site: Site, change: Change, hook: Hook) -> Body:
    return dc_bodies.webhook_body(site, change) if hook.kind == "data center" else bodies.webhook_body(site, change)


def _proof(site: Site, hook: Hook, raw: bytes) -> dict[str, str]:
    """Return the header that proves where a delivery comes from; an admin webhook without a secret has none."""
    if hook.kind == "dynamic":
        return {"Authorization": f"Bearer {token(site, site.now())}"}
    if hook.secret is None:
        return {}
    digest = hmac.new(hook.secret.encode(), raw, hashlib.sha256).hexdigest()
    return {"X-Hub-Signature": f"sha256={digest}"}


def token(site: Site, at: datetime) -> str:
    """Return the token that proves a dynamic webhook: HS256 with the app's client secret (`webhook_secret`)."""
    claims = {"iss": f"{site.name}-client", "iat": int(at.timestamp()), "exp": int((at + TOKEN_LIFE).timestamp())}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    return f"{signed}.{_unpadded(hmac.new(site.webhook_secret.encode(), signed.encode(), hashlib.sha256).digest())}"


def _encoded(part: Body) -> str:
    return _unpadded(orjson.dumps(part))


def _unpadded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
