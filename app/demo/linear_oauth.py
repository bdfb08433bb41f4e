"""The application of a simulated Linear workspace and the tokens that it was given.

Rules of the grants only; HTTP is spoken in `linear`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

ACCESS_LIFE = timedelta(hours=24)
APP_LIFE = timedelta(days=30)
REPLAY = timedelta(minutes=30)
"""How long a consumed refresh token still answers, with the tokens that replaced it."""


class GrantError(Exception):
    """A grant is refused: the status and OAuth's word for it."""

    def __init__(self, status: int, word: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": word, "error_description": description}


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token: until when it holds, and whether the application acts for itself with it."""

    value: str
    until: datetime
    app: bool
    scopes: tuple[str, ...]


class Authority:
    """One OAuth application: its client, its refresh token of the moment, and the access tokens that hold.

    `app_scopes` are what the application has when it acts for itself; without ``initiative:read`` it sees no
    initiatives, and private teams it never sees.
    """

    def __init__(self, name: str) -> None:
        self.client_id = f"{name}-client"
        self.client_secret = f"{name}-client-secret"
        self.refresh_token = _secret(name, "refresh", 0)
        self.scopes: tuple[str, ...] = ("read", "write")
        self.app_scopes: tuple[str, ...] = ("read", "write", "initiative:read", "initiative:write")
        self.client_credentials = True
        self.tokens: dict[str, Token] = {}
        self._name = name
        self._issued = 0
        self._consumed: dict[str, tuple[datetime, dict[str, Any]]] = {}

    def grant(self, form: dict[str, str], now: datetime) -> dict[str, Any]:
        """Answer a request for a token; raises GrantError."""
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.client_secret):
            raise GrantError(401, "invalid_client", "The client credentials are wrong.")
        match form.get("grant_type"):
            case "refresh_token":
                return self._refreshed(form.get("refresh_token", ""), now)
            case "client_credentials" if self.client_credentials:
                return self._own(form.get("scope", ""), now)
            case "client_credentials":
                raise GrantError(400, "unauthorized_client", "Client credentials are not enabled for this application.")
            case _:
                raise GrantError(400, "unsupported_grant_type", "Expected refresh_token or client_credentials.")

    def token(self, value: str, now: datetime) -> Token | None:
        """Return the access token of that value while it holds."""
        found = self.tokens.get(value)
        return found if found is not None and found.until > now else None

    def revoke(self) -> None:
        """Take every access token back, as the removal of an application or a new client secret does."""
        self.tokens.clear()

    def _refreshed(self, given: str, now: datetime) -> dict[str, Any]:
        if given in self._consumed:
            at, answer = self._consumed[given]
            if now - at <= REPLAY:
                return answer
        if given != self.refresh_token:
            raise GrantError(400, "invalid_grant", "The refresh token is invalid, expired or was revoked.")
        answer = self._issue(now, ACCESS_LIFE, app=False, scopes=self.scopes)
        self.refresh_token = _secret(self._name, "refresh", self._issued)
        answer["refresh_token"] = self.refresh_token
        self._consumed[given] = now, answer
        return answer

    def _own(self, wanted: str, now: datetime) -> dict[str, Any]:
        names = wanted.replace(",", " ").split() or self.app_scopes
        if refused := [name for name in names if name not in self.app_scopes]:
            raise GrantError(400, "invalid_scope", f"The application may not have {', '.join(refused)}.")
        for value in [token.value for token in self.tokens.values() if token.app]:
            del self.tokens[value]
        return self._issue(now, APP_LIFE, app=True, scopes=tuple(names))

    def _issue(self, now: datetime, life: timedelta, *, app: bool, scopes: tuple[str, ...]) -> dict[str, Any]:
        self._issued += 1
        value = _secret(self._name, "access", self._issued)
        self.tokens[value] = Token(value=value, until=now + life, app=app, scopes=scopes)
        seconds = int(life.total_seconds()) - 1
        return {"access_token": value, "token_type": "Bearer", "expires_in": seconds, "scope": " ".join(scopes)}


def _secret(name: str, kind: str, number: int) -> str:
    return f"lin_{kind}_" + hashlib.sha256(f"{name}:{kind}:{number}".encode()).hexdigest()[:40]
