"""Who may come in: bearer tokens, links that work once, sessions of browsers. Secrets are kept as hashes alone.

A secret has 256 bits of chance, so that a plain SHA-256 of it can neither be guessed nor turned back.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, insert, or_, select, update

from storage.engine import Transaction
from storage.tables import Base, Login, Token

tokens = Base.metadata.tables[Token.__tablename__]
logins = Base.metadata.tables[Login.__tablename__]

ROLES = ("read", "write")
"""what a token may do; who may write may read"""
PREFIX = "kr_"
"""how a token begins, so that scanners of leaked secrets know one"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A token as it is listed; its secret is known to nobody but who has it."""

    id: str
    name: str
    role: str
    by: str
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None
    revoked_at: datetime | None

    def holds(self, now: datetime) -> bool:
        """Return whether it opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """Whom a session or a link lets in; `token` is the one that the session was opened with."""

    name: str
    role: str
    token: str | None


ISSUED = (
    tokens.c.id, tokens.c.name, tokens.c.role, tokens.c.by, tokens.c.created_at, tokens.c.expires_at, tokens.c.used_at,
    tokens.c.revoked_at,
)  # fmt: skip
"""what a token is listed with"""


def new_secret() -> str:
    """Return a secret that nobody can guess."""
    return secrets.token_urlsafe(32)


def hash_of(secret: str) -> str:
    """Return what is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


async def create(
    tx: Transaction, *, name: str, role: str, by: str, now: datetime, expires_at: datetime | None
) -> tuple[Issued, str]:
    """Make a token; return it with its secret, which is never seen again."""
    secret = PREFIX + new_secret()
    made = Issued(
        id=secrets.token_hex(4),
        name=name,
        role=role,
        by=by,
        created_at=now,
        expires_at=expires_at,
        used_at=None,
        revoked_at=None,
    )
    row = {
        "id": made.id,
        "hash": hash_of(secret),
        "name": name,
        "role": role,
        "by": by,
        "created_at": now,
        "expires_at": expires_at,
    }
    await tx.execute(insert(tokens), [row])
    return made, secret


async def listed(tx: Transaction) -> list[Issued]:
    """Return all tokens, also those that open nothing any more, oldest first."""
    rows = await tx.execute(select(*ISSUED).order_by(tokens.c.created_at, tokens.c.id))
    return [Issued(**row._mapping) for row in rows]


async def by_secret(tx: Transaction, secret: str, now: datetime) -> Issued | None:
    """Return the token of a secret, None where it opens nothing."""
    row = (await tx.execute(select(*ISSUED).where(tokens.c.hash == hash_of(secret)))).one_or_none()
    found = Issued(**row._mapping) if row is not None else None
    return found if found is not None and found.holds(now) else None


async def note_use(tx: Transaction, id_: str, now: datetime) -> None:
    """Note when a token was used last."""
    await tx.execute(update(tokens).where(tokens.c.id == id_).values(used_at=now))


async def revoke(tx: Transaction, id_: str, now: datetime) -> None:
    """Have a token open nothing any more, nor the sessions that were opened with it."""
    await tx.execute(update(tokens).where(tokens.c.id == id_, tokens.c.revoked_at.is_(None)).values(revoked_at=now))
    await tx.execute(delete(logins).where(logins.c.token == id_))


async def open_login(
    tx: Transaction,
    kind: str,
    *,
    name: str,
    role: str,
    now: datetime,
    expires_at: datetime,
    token: str | None = None,
) -> str:
    """Make a link or a session; return its secret. Those that have ended are forgotten on the way."""
    await tx.execute(delete(logins).where(logins.c.expires_at <= now))
    secret = new_secret()
    row = {
        "hash": hash_of(secret),
        "kind": kind,
        "name": name,
        "role": role,
        "token": token,
        "created_at": now,
        "expires_at": expires_at,
    }
    await tx.execute(insert(logins), [row])
    return secret


async def is_link(tx: Transaction, secret: str, now: datetime) -> bool:
    """Return whether a link works; asking costs no write, so that anybody may guess."""
    mine = (logins.c.hash == hash_of(secret), logins.c.kind == "link", logins.c.expires_at > now)
    return await tx.scalar(select(logins.c.kind).where(*mine)) is not None


async def use_link(tx: Transaction, secret: str, now: datetime) -> Visitor | None:
    """Return whom a link lets in, and have it work no more; None where it does not work, or has been used."""
    used = (
        delete(logins)
        .where(logins.c.hash == hash_of(secret), logins.c.kind == "link", logins.c.expires_at > now)
        .returning(logins.c.name, logins.c.role, logins.c.token)
    )
    row = (await tx.execute(used)).one_or_none()
    return Visitor(**row._mapping) if row is not None else None


async def session(tx: Transaction, secret: str, now: datetime) -> Visitor | None:
    """Return whose session a secret is; None where it has ended, or the token that it was opened with."""
    mine = and_(logins.c.hash == hash_of(secret), logins.c.kind == "session", logins.c.expires_at > now)
    holds = or_(
        logins.c.token.is_(None),
        and_(tokens.c.revoked_at.is_(None), or_(tokens.c.expires_at.is_(None), tokens.c.expires_at > now)),
    )
    query = select(logins.c.name, logins.c.role, logins.c.token)
    joined = query.select_from(logins.outerjoin(tokens, tokens.c.id == logins.c.token)).where(mine, holds)
    row = (await tx.execute(joined)).one_or_none()
    return Visitor(**row._mapping) if row is not None else None


async def close_session(tx: Transaction, secret: str) -> None:
    """End a session."""
    await tx.execute(delete(logins).where(logins.c.hash == hash_of(secret), logins.c.kind == "session"))


async def close_all(tx: Transaction) -> int:
    """End all sessions and links; return how many there were."""
    return (await tx.execute(delete(logins))).rowcount
