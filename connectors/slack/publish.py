"""Status updates -> messages of Slack: blocks, the calls that post and change them, what answers say.

Pure: a `Call` is described, never sent. Texts go into `plain_text`, which Slack shows letter by letter.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta

import orjson

from connectors.base import Answer, Call, Json, Outlet, Spot, There
from connectors.shapes import load
from connectors.tools import get, lines, mapping, setting, status_line, title_of
from connectors.words import complete_words, one_line, shorten
from domain.errors import RejectedError
from domain.facts import StatusUpdate
from domain.workspace import PublishRow

EVENT = "keyrail_update"
"""type of the metadata that each message of ours carries (https://docs.slack.dev/messaging/message-metadata/)"""

HEADER, SECTION, PAGE = 150, 3000, 200
"""characters of a header and of a section (https://docs.slack.dev/reference/block-kit/blocks/), messages of a page"""

LOOK_BACK = timedelta(days=7)
"""how far a message is looked for whose id was lost, where the period does not say when it began"""

IN_THREAD = "in:"
"""begins a `There.id` that names the thread to answer in, as long as no message of ours is in it"""


def content_of(update: StatusUpdate, row: PublishRow) -> Mapping[str, Json]:
    """Return what a message says: title, status, url, own text, and under `summary` what moves with the calendar."""
    markup = "mrkdwn" if update.markup == "mrkdwn" else "plain"
    told: dict[str, Json]
    if update.text is not None:
        told = {"text": update.text.strip(), "markup": markup}
    else:
        told = {"words": _words(update), "changed": lines(update.changed), "reasons": lines(update.drivers)}
    told["complete"] = complete_words(update.complete_to)
    return {
        "title": title_of(update),
        "status": status_line(update),
        "url": update.url or "",
        "summary": told
        or {"changed": lines(update.changed), "reasons": lines(update.drivers), "words": _words(update)},
    }


def _words(update: StatusUpdate) -> str:
    return shorten(one_line(update.summary), 500)


def escape(text: str) -> str:
    """Escape the three characters that mean something in any text of Slack."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def blocks_of(content: Mapping[str, Json]) -> list[Json]:
    """Return the blocks that show a content."""
    summary = mapping(content.get("summary"))
    parts: list[Json] = [
        {"type": "header", "text": _plain(str(content["title"]), HEADER)},
        {"type": "section", "text": _plain(str(content["status"]))},
    ]
    own = summary.get("text")
    if isinstance(own, str) and own:
        marked = summary.get("markup") == "mrkdwn"
        told = {"type": "mrkdwn", "text": shorten(own, SECTION)} if marked else _plain(own)
        parts.append({"type": "section", "text": told})
    words = "\n".join([str(summary.get("words") or ""), *_texts(summary.get("changed"))]).strip()
    if words:
        parts.append({"type": "section", "text": _plain(words)})
    if reasons := _texts(summary.get("reasons")):
        parts.append({"type": "context", "elements": [_plain("\n".join(f"• {reason}" for reason in reasons))]})
    foot: list[Json] = []
    if url := str(content.get("url") or ""):
        link = f"<{escape(url).replace('|', '%7C')}|Why this number>"
        foot.append({"type": "mrkdwn", "text": link})
    if complete := summary.get("complete"):
        foot.append(_plain(str(complete)))
    return [*parts, {"type": "context", "elements": foot}] if foot else parts


def message_of(content: Mapping[str, Json]) -> dict[str, Json]:
    """Return a message: its blocks, and the text that notifications show."""
    line = f"{content['title']}: {content['status']}"
    return {"text": escape(shorten(line, SECTION)), "blocks": blocks_of(content)}


def _plain(text: str, longest: int = SECTION) -> dict[str, Json]:
    return {"type": "plain_text", "text": shorten(text, longest), "emoji": False}


def _texts(value: Json) -> list[str]:
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def hook_render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that posts to an incoming webhook, whose address is the client's; it is never repeated."""
    return Call(method="POST", path="", json=message_of(content), idempotent=False)


def hook_sent(answer: Answer, spot: Spot) -> None:
    """Take ``ok`` for an answer; raise RejectedError for anything else, such as the page of a proxy."""
    said = answer.body.strip()
    if said != b"ok":
        words = one_line(said[:100].decode("utf-8", "replace"))
        raise RejectedError(
            f"{spot.row.id}: the incoming webhook did not answer 'ok' but '{words}'. Nobody may have seen the message: "
            "check the address that the row names."
        )


def bot_render(content: Mapping[str, Json], spot: Spot) -> Call:
    """Return the call that changes our message, or posts one: in the thread of the period where there is one."""
    payload = {"key": spot.key, "row": spot.row.id, "period": spot.period, "content": orjson.dumps(content).decode()}
    body = {
        **message_of(content),
        "channel": setting(spot.row, "channel"),
        "metadata": {"event_type": EVENT, "event_payload": payload},
    }
    if spot.id is not None and not spot.id.startswith(IN_THREAD):
        return Call(method="POST", path="/chat.update", json={**body, "ts": spot.id}, writes=True)
    if spot.id is not None:
        body["thread_ts"] = spot.id.removeprefix(IN_THREAD)
    more = {"unfurl_links": False, "unfurl_media": False}
    return Call(method="POST", path="/chat.postMessage", json={**body, **more}, idempotent=False)


def bot_sent(answer: Answer, spot: Spot) -> str | None:
    """Return the `ts` of the message, by which it is changed later."""
    ts = mapping(load(answer.body)).get("ts")
    return ts if isinstance(ts, str) else None


def bot_read(spot: Spot) -> Call:
    """Return the call that reads our message, or lists those since the period began, newest first."""
    if spot.id is not None:
        return _replies(spot, spot.id)
    return _history(spot)


def _history(spot: Spot, cursor: str = "") -> Call:
    params = {
        "channel": setting(spot.row, "channel"),
        "limit": str(PAGE),
        "include_all_metadata": "true",
        "oldest": f"{began(spot.period, spot.now).timestamp():.6f}" if spot.now is not None else "0",
    }
    return get("/conversations.history", **params, **({"cursor": cursor} if cursor else {}))


def began(period: str, now: datetime) -> datetime:
    """Return when a period began, in any time zone: a week, a day; of any other, a week ago."""
    try:
        if "-W" in period:
            year, _, week = period.partition("-W")
            first = date.fromisocalendar(int(year), int(week), 1)
        else:
            first = date.fromisoformat(period.partition("T")[0])
    except ValueError:
        return now - LOOK_BACK
    return datetime(first.year, first.month, first.day, tzinfo=now.tzinfo) - timedelta(days=1)


def bot_current(body: bytes, spot: Spot) -> There | Call | None:
    """Return what our message says, the call to read on with, or the thread to post in.

    With `threads` the first message of the row in a period is what the others answer to.
    """
    said = mapping(load(body))
    page = _list(said.get("messages"))
    root = _root(page, spot)
    for message in page:
        payload = _payload(message)
        if payload.get("key") == spot.key:
            return There(content=_content(payload), id=str(message.get("ts")))
    cursor = mapping(said.get("response_metadata")).get("next_cursor")
    more = cursor if isinstance(cursor, str) and cursor else ""
    if root is not None and spot.row.to.get("threads") is True:
        ts = str(root["ts"])
        replies = len(page) > 1 and all(one.get("thread_ts") == ts for one in page)
        if root.get("reply_count") and not (replies and not more):
            return _replies(spot, ts, cursor=more if replies else "")
        return There(content={}, id=IN_THREAD + ts)
    return _history(spot, more) if more else None


def _root(page: list[Mapping[str, Json]], spot: Spot) -> Mapping[str, Json] | None:
    """Return the message of the row and period that is no answer to another."""
    for message in page:
        payload = _payload(message)
        alone = message.get("thread_ts", message.get("ts")) == message.get("ts")
        if alone and payload.get("row") == spot.row.id and payload.get("period") == spot.period:
            return message
    return None


def _replies(spot: Spot, ts: str, *, cursor: str = "") -> Call:
    params = {"channel": setting(spot.row, "channel"), "ts": ts, "limit": str(PAGE), "include_all_metadata": "true"}
    return get("/conversations.replies", **params, **({"cursor": cursor} if cursor else {}))


def _payload(message: Mapping[str, Json]) -> Mapping[str, Json]:
    metadata = mapping(message.get("metadata"))
    return mapping(metadata.get("event_payload")) if metadata.get("event_type") == EVENT else {}


def _content(payload: Mapping[str, Json]) -> Mapping[str, Json]:
    try:
        return mapping(orjson.loads(str(payload.get("content"))))
    except orjson.JSONDecodeError:
        return {}


def _list(value: Json) -> list[Mapping[str, Json]]:
    return [mapping(one) for one in value] if isinstance(value, list) else []


def bot_remove(spot: Spot) -> Call:
    """Return the call that deletes our message."""
    body = {"channel": setting(spot.row, "channel"), "ts": spot.id or ""}
    return Call(method="POST", path="/chat.delete", json=body, writes=True)


HOOK = Outlet(
    kind="slack",
    guarantee="blind",
    content=content_of,
    render=hook_render,
    sent=hook_sent,
    addressed=False,
)
BOT = Outlet(
    kind="slack",
    guarantee="read_back",
    content=content_of,
    render=bot_render,
    read=bot_read,
    current=bot_current,
    sent=bot_sent,
    remove=bot_remove,
    addressed=False,
    per_period=True,
)
