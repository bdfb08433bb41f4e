"""What Slack's answers say: whether a call was carried out, and which error it is where it was not.

Pure. Slack answers 200 to nearly everything; only ``ok`` tells (https://docs.slack.dev/apis/web-api/).
"""

from __future__ import annotations

import orjson

from connectors.base import Answer, Call
from connectors.tools import mapping
from domain.errors import AuthError, KeyrailError, NotFoundError, RejectedError, VendorUnavailableError

OF_TOKEN = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired"})
GONE = frozenset({"message_not_found", "thread_not_found"})
AWAY = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})
ADVICE = {
    "not_in_channel": "Invite the app: /invite @its name, in that channel.",
    "channel_not_found": "Give `channel` the channel's id, such as C0123456789, and invite the app to it.",
    "is_archived": "Name another channel.",
    "missing_scope": "Give the app the scope and install it again.",
    "cant_update_message": "The message is of another app: its token cannot change it.",
    "restricted_action": "A rule of the workspace forbids the app to post there: ask its administrators.",
}


def failed(name: str, call: Call, answer: Answer) -> KeyrailError | None:
    """Return the error of an answer that says ``ok: false``; None for a success, and for a call to a webhook."""
    if not call.path:
        return None
    try:
        said = mapping(orjson.loads(answer.body))
    except orjson.JSONDecodeError:
        said = {}
    if said.get("ok") is True:
        return None
    error = str(said.get("error") or "no JSON")
    what = f"{name}: Slack did not carry out {call.path.removeprefix('/')}: {error}"
    needed = f" It needs {said['needed']}." if isinstance(said.get("needed"), str) else ""
    if error in OF_TOKEN:
        return AuthError(f"{what}.")
    if error in GONE:
        return NotFoundError(f"{what}.")
    if error in AWAY or not said:
        return VendorUnavailableError(f"{what}.")
    return RejectedError(f"{what}.{needed} {ADVICE.get(error, '')}".rstrip())
