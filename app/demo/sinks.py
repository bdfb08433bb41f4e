"""Simulated places that are only written to: Slack's API, its incoming webhooks, and a receiver of signed webhooks.

They refuse what the real ones refuse; people's deeds are plain changes of `Sinks`. Nothing of Keyrail is used here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

Json = dict[str, Any]
BLOCKS = {"header": "text", "section": "text", "context": "elements"}


@dataclass(slots=True)
class Sinks:
    """All places in memory. `token` opens Slack, `key` signs webhooks; `trouble` are answers that come first."""

    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    token: str = "sink-token"  # noqa: S105 of a simulation
    key: bytes = b"0123456789abcdef0123456789abcdef"
    channels: dict[str, list[Json]] = field(default_factory=lambda: {"C0123456789": []})
    hooked: list[Json] = field(default_factory=list)
    delivered: list[tuple[dict[str, str], Any]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    answer: Json = field(default_factory=lambda: {"ok": True})
    trouble: list[Response] = field(default_factory=list)
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    count: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def stamp(self) -> str:
        """Return the `ts` of a new message: unique in its channel."""
        return f"{int(self.clock().timestamp())}.{next(self.count):06}"


def application(sinks: Sinks) -> Starlette:
    """Return Slack and the receiver as an ASGI application."""
    return Starlette(
        routes=[
            Route("/slack/{method}", _slack(sinks), methods=["GET", "POST"]),
            Route("/services/T0/B0/secret", _hook(sinks), methods=["POST"]),
            Route("/receive", _receive(sinks), methods=["POST", "PUT", "PATCH"]),
        ]
    )


def _slack(sinks: Sinks) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        method, body = request.path_params["method"], await request.body()
        asked = orjson.loads(body) if body else dict(request.query_params)
        sinks.calls.append((request.method, method, asked))
        if sinks.trouble:
            return sinks.trouble.pop(0)
        if request.headers.get("authorization") != f"Bearer {sinks.token}":
            return JSONResponse({"ok": False, "error": "invalid_auth"})
        if method == "auth.test":
            return JSONResponse({"ok": True, "bot_id": "B1"}, headers={"x-oauth-scopes": "chat:write,channels:history"})
        messages = sinks.channels.get(asked.get("channel", ""))
        if messages is None:
            return JSONResponse({"ok": False, "error": "channel_not_found"})
        if (problem := _problem(asked)) and method in ("chat.postMessage", "chat.update"):
            return JSONResponse({"ok": False, "error": problem})
        return JSONResponse(_METHODS[method](sinks, messages, asked))

    return answer


def _problem(message: Json) -> str | None:
    """Return the error of a message that Slack would not take, as its Block Kit reference has it."""
    if not message.get("text") or len(message["text"]) > 40_000:
        return "no_text"
    blocks = message.get("blocks", [])
    for block in blocks:
        said = block.get(BLOCKS.get(block.get("type"), ""))
        texts = said if isinstance(said, list) else [said]
        longest = 150 if block["type"] == "header" else 3000
        for text in texts:
            kind = text.get("type") if isinstance(text, dict) else None
            plain = kind == "plain_text"
            if not (plain or (kind == "mrkdwn" and "emoji" not in text and block["type"] != "header")):
                return "invalid_blocks"
            if not 1 <= len(text.get("text", "")) <= longest:
                return "invalid_blocks"
    metadata = message.get("metadata")
    flat = metadata is None or all(isinstance(one, str | int | bool) for one in metadata["event_payload"].values())
    return None if len(blocks) <= 50 and flat else "invalid_metadata_format"


def _post(sinks: Sinks, messages: list[Json], asked: Json) -> Json:
    message: Json = {name: asked[name] for name in ("text", "blocks", "metadata", "thread_ts") if name in asked}
    message["ts"] = sinks.stamp()
    root = next((one for one in messages if one["ts"] == asked.get("thread_ts")), None)
    if root is not None:
        root["thread_ts"], root["reply_count"] = root["ts"], root.get("reply_count", 0) + 1
    messages.append(message)
    return {"ok": True, "ts": message["ts"], "channel": asked["channel"]}


def _update(sinks: Sinks, messages: list[Json], asked: Json) -> Json:
    for message in messages:
        if message["ts"] == asked["ts"]:
            message.update({name: asked[name] for name in ("text", "blocks", "metadata") if name in asked})
            return {"ok": True, "ts": message["ts"]}
    return {"ok": False, "error": "message_not_found"}


def _delete(sinks: Sinks, messages: list[Json], asked: Json) -> Json:
    kept = [one for one in messages if one["ts"] != asked["ts"]]
    if len(kept) == len(messages):
        return {"ok": False, "error": "message_not_found"}
    messages[:] = kept
    return {"ok": True}


def _history(sinks: Sinks, messages: list[Json], asked: Json) -> Json:
    """Newest first, replies left out, a page at a time."""
    since = float(asked.get("oldest", 0))
    shown = [
        one for one in reversed(messages) if one.get("thread_ts", one["ts"]) == one["ts"] and float(one["ts"]) > since
    ]
    return _page(shown, asked)


def _replies(sinks: Sinks, messages: list[Json], asked: Json) -> Json:
    """The message of that `ts`, and where it is the first of a thread the whole thread, oldest first."""
    ts = asked["ts"]
    shown = [one for one in messages if one["ts"] == ts or one.get("thread_ts") == ts]
    return _page(shown, asked) if shown else {"ok": False, "error": "thread_not_found"}


def _page(shown: list[Json], asked: Json) -> Json:
    start, limit = int(asked.get("cursor") or 0), int(asked.get("limit", 100))
    page = [one if asked.get("include_all_metadata") == "true" else {**one, "metadata": {}} for one in shown]
    more = str(start + limit) if start + limit < len(shown) else ""
    return {"ok": True, "messages": page[start : start + limit], "response_metadata": {"next_cursor": more}}


_METHODS = {
    "chat.postMessage": _post,
    "chat.update": _update,
    "chat.delete": _delete,
    "conversations.history": _history,
    "conversations.replies": _replies,
}


def _hook(sinks: Sinks) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        message = orjson.loads(await request.body())
        if sinks.trouble:
            return sinks.trouble.pop(0)
        if _problem(message):
            return PlainTextResponse("invalid_blocks", 400)
        sinks.hooked.append(message)
        return PlainTextResponse("ok")

    return answer


def _receive(sinks: Sinks) -> Callable[[Request], Any]:
    """Answer as a receiver of Standard Webhooks: what is not signed is refused, what it has is not taken twice."""

    async def answer(request: Request) -> Response:
        body, headers = await request.body(), dict(request.headers)
        if sinks.trouble:
            return sinks.trouble.pop(0)
        id, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        digest = hmac.new(sinks.key, f"{id}.{at}.".encode() + body, hashlib.sha256).digest()
        if headers.get("webhook-signature") != f"v1,{base64.b64encode(digest).decode()}":
            return JSONResponse({"ok": False, "error": "signature"}, 401)
        if id not in sinks.seen:
            sinks.seen.add(id)
            sinks.delivered.append((headers, orjson.loads(body)))
        return JSONResponse(sinks.answer)

    return answer
