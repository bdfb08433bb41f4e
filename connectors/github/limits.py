"""What GitHub's answers say about limits, refused access and failed queries, whatever their status.

Pure: the waiting is done by `connectors.http`, which asks these functions about each answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from connectors import ratelimit
from connectors.base import Answer, Call, Json
from connectors.github.queries import API_VERSION, GRAPHQL
from connectors.graphql import errors_in
from connectors.http import Dialect
from connectors.ratelimit import QUIET, Signal
from domain.errors import AuthError, KeyrailError, NotFoundError, RejectedError, VendorUnavailableError

SECONDARY_WAIT = 60.0
"""seconds after a secondary limit that does not say until when; they double with each refusal

https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api#exceeding-the-rate-limit
"""
CONCURRENCY = 8
"""of the hundred requests at once that GitHub allows an account in all"""

LIMITED = frozenset({"RATE_LIMITED", "RATE_LIMIT"})
TOO_LARGE = frozenset({"RESOURCE_LIMITS_EXCEEDED", "MAX_NODE_LIMIT_EXCEEDED"})
BAD_CURSOR = "INVALID_CURSOR_ARGUMENTS"
_COST = re.compile(rb'"rateLimit"\s*:\s*\{[^{}]*?"cost"\s*:\s*(\d+)')
_GIVES: Mapping[str, tuple[str, ...]] = {
    "repo": ("public_repo",),
    "project": ("read:project",),
    "admin:org": ("write:org", "read:org"),
    "write:org": ("read:org",),
}
"""scopes of ours that contain others"""
_WENT_WRONG = re.compile(r"something went wrong|timed? ?out|timeout", re.IGNORECASE)
_SCOPES = re.compile(r"one of the following scopes: \[([^\]]*)\]")


class CursorError(RejectedError):
    """The place in a list is not known any more: read the list from its start."""


class TokenScopeError(AuthError):
    """The token was not given what a query needs; nothing is hidden, the token is to be changed.

    `needs` has one entry a part that is lacking; where several scopes would do it names them all.
    """

    def __init__(self, message: str, needs: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.needs = tuple(dict.fromkeys(needs))


def lacks(name: str, needs: Sequence[str], more: str) -> TokenScopeError:
    """Return the error that names all that a token lacks."""
    listed = list(dict.fromkeys(needs))
    which = f" It needs {', and '.join(listed)}." if listed else ""
    what, them = ("scopes", "them") if len(listed) > 1 else ("a scope", "it")
    return TokenScopeError(f"{name}: the token lacks {what}.{which} Add {them} to the token.{more}", listed)


def read_limits(answer: Answer, now: datetime) -> Signal:
    """Read the points or requests that are left, and every form of refusal for the rate.

    GraphQL refuses in answers with status 200 (`errors[].type`), REST with 403 or 429; secondary limits come in both
    forms. What a query cost is in its first bytes, since each of ours asks for it first.
    https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
    """
    headers = answer.headers
    refused = _refused(answer)
    remaining = ratelimit.number(headers.get("x-ratelimit-remaining"))
    if not refused and remaining is None:
        return QUIET
    reset = ratelimit.instant(headers.get("x-ratelimit-reset"))
    found = _COST.search(answer.body, 0, 600)
    signal = Signal(
        limit=ratelimit.number(headers.get("x-ratelimit-limit")),
        remaining=remaining,
        reset=reset,
        pool=headers.get("x-ratelimit-resource", ""),
        cost=float(found[1]) if found else float(answer.status != 304),
    )
    if not refused:
        return signal
    free = _by_our_clock(reset, answer, now) if remaining == 0 else None
    primary = refused == "primary"
    return replace(
        signal,
        limited=True,
        scope=ratelimit.ENDPOINT if primary else ratelimit.ALL,
        until=ratelimit.retry_after(headers, now) or free,
        reason="the hourly limit of the account is used up" if primary else "too many requests in a short time",
        least=SECONDARY_WAIT,
    )


def _refused(answer: Answer) -> str:
    """Return which limit refused the call: ``primary``, ``secondary``, or nothing."""
    if answer.status in (403, 429):
        said = answer.body[:10_000].lower()
        if b"secondary rate limit" in said or b"abuse detection" in said or "retry-after" in answer.headers:
            return "secondary"
        if answer.headers.get("x-ratelimit-remaining") == "0":
            return "primary"
        return "secondary" if answer.status == 429 else ""
    if answer.status != 200:
        return ""
    for error in errors_in(answer):
        message = str(error.get("message", "")).lower()
        if "secondary rate limit" in message:
            return "secondary"
        if kind_of(error) in LIMITED or "api rate limit" in message:
            return "primary"
    return ""


def _by_our_clock(reset: datetime | None, answer: Answer, now: datetime) -> datetime | None:
    """Return the reset as our clock will show it, None where it is over already."""
    if reset is None:
        return None
    theirs = server_time(answer)
    ours = now + (reset - theirs) if theirs else reset
    return ours if ours > now else None


def server_time(answer: Answer) -> datetime | None:
    """Return the server's clock at the answer, None where it sends none."""
    try:
        moment = parsedate_to_datetime(answer.headers.get("date", ""))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else None


# --- access


def denied(status: int, headers: Mapping[str, str]) -> str | None:
    """Find a token that an organization's single sign-on does not let in yet, or that lacks the scope for a call."""
    if status != 403:
        return None
    told = headers.get("x-github-sso", "")
    if told.startswith("required"):
        _, _, url = told.partition("url=")
        where = f" at {url.partition('?')[0]}" if url else ""
        return f"the organization asks for single sign-on, and the token is not authorised for it. Authorise it{where}."
    return _without_scope(headers)


def _without_scope(headers: Mapping[str, str]) -> str | None:
    """Find a classic token that has none of the scopes that a call accepts; other tokens have no scopes.

    https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps
    """
    accepted, has = (_listed(headers.get(name, "")) for name in ("x-accepted-oauth-scopes", "x-oauth-scopes"))
    given = {inner for scope in has for inner in (scope, *_GIVES.get(scope, ()))}
    if "x-oauth-scopes" not in headers or not accepted or given & set(accepted):
        return None
    needs, owns = " or ".join(accepted), ", ".join(has) or "none"
    return f"the token lacks a scope. It needs {needs}, and has {owns}. Add it to the token."


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def hidden_organizations(answer: Answer) -> tuple[str, ...]:
    """Return the ids of organizations that an answer leaves out, since the token is not authorised for them."""
    told = answer.headers.get("x-github-sso", "")
    kind, _, ids = told.partition("organizations=")
    return tuple(_listed(ids)) if kind.startswith("partial-results") else ()


# --- failed queries


def failed(name: str, call: Call, answer: Answer) -> KeyrailError | None:
    """Return the error that a GraphQL answer stands for; None where it holds what was asked, whole or in part.

    Objects that are missing or forbidden beside others that are there are no error of the call, and NOT_FOUND never
    is one of a query: who asked for them looks. A mutation fails with its first error.
    """
    if not call.path.endswith(GRAPHQL):
        return None
    errors = errors_in(answer)
    if not errors:
        return None
    lacking = [error for error in errors if kind_of(error) == "INSUFFICIENT_SCOPES"]
    if lacking:
        told = [_SCOPES.search(_said(error)) for error in lacking]
        return lacks(name, [_either(scopes[1]) for scopes in told if scopes], _said(lacking[0]))
    for error in errors:
        if found := _broken(name, error):
            return found
    data = _data(answer)
    document = call.json.get("query") if isinstance(call.json, dict) else ""
    mutation = str(document).lstrip().startswith("mutation")
    parts = [value for key, value in data.items() if key != "rateLimit"] if data is not None else []
    if not mutation and data is not None and any(value is not None for value in parts):
        return None
    missing = all(kind_of(error) == "NOT_FOUND" for error in errors)
    if not mutation and data is not None and missing:
        return None
    worst = next((error for error in errors if kind_of(error) != "NOT_FOUND"), errors[0])
    return _refusal(name, worst)


def kind_of(error: Mapping[str, Any]) -> str:
    """Return the type of an error, wherever GitHub says it."""
    extensions = error.get("extensions")
    code = extensions.get("code") if isinstance(extensions, dict) else None
    return str(error.get("type") or code or "").upper()


def missing_paths(errors: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the first step of the path of each missing or forbidden object, and why it is not there."""
    found: dict[str, str] = {}
    for error in errors:
        path = error.get("path")
        if isinstance(path, list) and path:
            found.setdefault(str(path[0]), str(error.get("message", "")))
    return found


def _broken(name: str, error: Mapping[str, Any]) -> KeyrailError | None:
    """Find what makes even a partial answer useless."""
    kind, message = kind_of(error), _said(error)
    if kind in TOO_LARGE:
        return VendorUnavailableError(f"{name}: the query asks GitHub for too much at once.{message}")
    if kind == BAD_CURSOR or "does not appear to be a valid cursor" in message:
        return CursorError(f"{name}: GitHub does not know the place in a list any more.{message}", status=200)
    if kind in ("", "INTERNAL", "SERVICE_UNAVAILABLE") and _WENT_WRONG.search(message):
        return VendorUnavailableError(f"{name}: GitHub could not finish a query.{message}")
    return None


def _either(scopes: str) -> str:
    """Return the scopes of which any would do, as GitHub lists them, in words."""
    return " or ".join(_listed(scopes.replace("'", "")))


def _refusal(name: str, error: Mapping[str, Any]) -> KeyrailError:
    kind, message = kind_of(error), _said(error)
    extensions = error.get("extensions")
    saml = isinstance(extensions, dict) and extensions.get("saml_failure") is True
    if saml or "SAML" in message:
        return AuthError(
            f"{name}: the organization asks for single sign-on, and the token is not authorised for it. Authorise it: "
            f"GitHub -> Settings -> Developer settings -> Personal access tokens -> Configure SSO.{message}"
        )
    if kind == "FORBIDDEN":
        return RejectedError(
            f"{name}: our account may not do or see this. Check the permissions of the token or the app, and which "
            f"repositories and organizations it was given.{message}",
            status=403,
        )
    if kind == "NOT_FOUND":
        return NotFoundError(f"{name}: it does not exist, or is not visible to our account.{message}")
    return RejectedError(f"{name}: GitHub refused the query.{message}", status=400)


def _said(error: Mapping[str, Any]) -> str:
    message = " ".join(str(error.get("message", "")).split())
    return f' GitHub says: "{message[:300]}"' if message else ""


def _data(answer: Answer) -> dict[str, Json] | None:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    data = told.get("data") if isinstance(told, dict) else None
    return data if isinstance(data, dict) else None


DIALECT = Dialect(
    vendor="GitHub",
    read_limits=read_limits,
    denied=denied,
    failed=failed,
    # The limit on queries is 2,000 a minute: ten seconds at once and a minute at this pace stay below it.
    rates={"GET": 15.0, "POST": 28.0, "WRITE": 1.0},
    bursts={"POST": 10.0},
    headers={
        "accept": "application/vnd.github+json",
        "x-github-api-version": API_VERSION,
        "x-github-next-global-id": "1",
    },
    concurrency=CONCURRENCY,
)
"""Calls a second as the secondary limits have them: 900 points a minute for REST, 2,000 for GraphQL.

`x-github-next-global-id` asks for ids of the newer form, so that one issue never has two:
https://docs.github.com/en/graphql/guides/migrating-graphql-global-node-ids
"""
