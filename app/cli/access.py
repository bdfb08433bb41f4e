"""Who may come in: token create, list, revoke."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.common import Doc, Json, Session, emit, run, session, tell
from domain.errors import UsageError

if TYPE_CHECKING:
    from storage.audit import Deed
    from storage.engine import Store
    from storage.tokens import Issued


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    group = typer.Typer(no_args_is_help=True, help="Tokens for the dashboard and the API.")
    group.command(name="create")(create)
    group.command(name="list")(listed)
    group.command(name="revoke")(revoke)
    app.add_typer(group, name="token")


def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Whose it is, or what for: the account shows it.")],
    role: Annotated[Literal["read", "write"], typer.Option("--role", help="write also takes check-ins.")] = "read",
    expires: Annotated[
        str, typer.Option("--expires", metavar="SPAN", help="Like 90d or 52w; never: it holds until it is revoked.")
    ] = "365d",
    as_json: Json = False,
) -> None:
    """Make a token and print it, this once: only a hash of it is kept."""
    from config.scalars import to_span
    from storage import audit, tokens

    here = session(context)
    label = " ".join(name.split())
    if not label or len(label) > 100 or not label.isprintable():
        raise UsageError("Say whose it is, or what for, in at most 100 characters.")
    span = None if expires == "never" else to_span(expires)
    if expires != "never" and (span is None or not span):
        raise UsageError(f"--expires: expected a span like 12h, 90d or 52w, or never; found '{expires}'.")

    async def work() -> tuple[Issued, str]:
        now = datetime.now(UTC)
        try:
            until = now + span if span is not None else None
        except OverflowError as error:
            raise UsageError(f"--expires: {expires} is longer than the calendar; say never.") from error
        store = await opened(here)
        try:
            async with store.write() as tx:
                made = await tokens.create(tx, name=label, role=role, by=getpass.getuser(), now=now, expires_at=until)
                await audit.note(tx, deed("create token", made[0], now))
                return made
        finally:
            await store.close()

    token, secret = run(work)
    if not as_json:
        tell(f"{label} may {'read and write' if role == 'write' else 'read'} with this token. It is not shown again:")
    emit({**document(token), "token": secret}, as_json, lambda: secret)


def listed(context: typer.Context, as_json: Json = False) -> None:
    """List the tokens: whose, what they may do, until when, and when they were used last."""
    from app.cli.view.tokens import tokens as sheet
    from storage import tokens

    here = session(context)

    async def work() -> list[Issued]:
        store = await opened(here)
        try:
            async with store.read() as tx:
                return await tokens.listed(tx)
        finally:
            await store.close()

    doc = {"tokens": [document(token) for token in run(work)]}
    emit(doc, as_json, lambda: sheet(doc, now=datetime.now(UTC)))


def revoke(
    context: typer.Context,
    which: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="A token's id, or its name.", show_default=False)
    ] = None,
    sessions: Annotated[bool, typer.Option("--sessions", help="Have everybody sign in again.")] = False,
    as_json: Json = False,
) -> None:
    """Have a token open nothing any more, from this moment, nor the sessions that were opened with it."""
    from storage import audit, tokens

    here = session(context)
    if (which is None) is not sessions:
        raise UsageError("Name one token to revoke (keyrail token list shows them), or say --sessions.")

    async def work() -> Doc:
        now = datetime.now(UTC)
        store = await opened(here)
        try:
            async with store.write() as tx:
                if which is None:
                    count = await tokens.close_all(tx)
                    said = audit.Deed(
                        at=now, by=getpass.getuser(), via="terminal", action="end sessions", subject=str(count)
                    )
                    await audit.note(tx, said)
                    return {"sessions": count}
                token = named(which, await tokens.listed(tx))
                await tokens.revoke(tx, token.id, now)
                await audit.note(tx, deed("revoke token", token, now))
                return {"revoked": token.id, "name": token.name}
        finally:
            await store.close()

    doc = run(work)
    emit(
        doc,
        as_json,
        lambda: (
            f"{doc['name']} ({doc['revoked']}) opens nothing any more."
            if "revoked" in doc
            else f"Ended: {doc['sessions']} sessions and links. Everybody signs in again."
        ),
    )


def named(which: str, known: list[Issued]) -> Issued:
    """Return the token of an id or a name; raise UsageError where it is none, or several."""
    found = [token for token in known if token.id == which]
    found = found or [token for token in known if token.name == which and token.revoked_at is None]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(token.id for token in found)
        raise UsageError(f"'{which}' names {len(found)} tokens: {ids}. Say which, by its id.")
    raise UsageError(f"There is no token '{which}'. keyrail token list shows them.")


def deed(action: str, token: Issued, at: datetime) -> Deed:
    """Return what was done to a token, for the account of it."""
    from storage.audit import Deed

    return Deed(
        at=at,
        by=getpass.getuser(),
        via="terminal",
        action=action,
        subject=token.id,
        detail={"name": token.name, "role": token.role},
    )


def document(token: Issued) -> Doc:
    """Return a token as it is listed."""
    names = ("id", "name", "role", "by", "created_at", "expires_at", "used_at", "revoked_at")
    return {name: getattr(token, name) for name in names}


async def opened(here: Session) -> Store:
    """Open the store; the workspace file is not needed for who may come in."""
    from storage.engine import open_store

    return await open_store(here.database_url)
