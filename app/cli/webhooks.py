"""Commands about webhooks on the trackers' side: register, list, refresh, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.cli.common import PARTLY, ConnectionName, Doc, Json, emit, finish, run, session
from app.cli.pull import chosen
from domain.errors import ConfigError, KeyrailError

if TYPE_CHECKING:
    from domain.workspace import Workspace


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    text = "Webhooks on the trackers' side: register, list, refresh, remove."
    group = typer.Typer(no_args_is_help=True, help=text, rich_markup_mode=None)
    group.command(name="register")(set_up)
    group.command(name="list")(listed)
    group.command()(refresh)
    group.command()(remove)
    app.add_typer(group, name="webhooks")


def set_up(context: typer.Context, connection: ConnectionName = None, as_json: Json = False) -> None:
    """Let each tracker tell of changes at once; what is set up already is left alone.

    Where a tracker does not allow it, says what to click there.
    """
    _do(context, "register", connection, as_json)


def listed(context: typer.Context, connection: ConnectionName = None, as_json: Json = False) -> None:
    """Tell which webhooks of ours stand at the trackers, and what about them differs; changes nothing."""
    _do(context, "list", connection, as_json)


def refresh(context: typer.Context, connection: ConnectionName = None, as_json: Json = False) -> None:
    """Give more time to webhooks that end soon, and switch those on again that a tracker switched off."""
    _do(context, "refresh", connection, as_json)


def remove(context: typer.Context, connection: ConnectionName = None, as_json: Json = False) -> None:
    """Take our webhooks away from the trackers; nobody else's is touched."""
    _do(context, "remove", connection, as_json)


def _do(context: typer.Context, action: str, connection: str | None, as_json: bool) -> None:
    from app.bootstrap import open_sources
    from app.cli.view.webhooks import webhooks
    from sync.hooks import UNDONE, over

    here = session(context)
    workspace = here.workspace()
    names = _signed(workspace, chosen(workspace, connection), named=connection is not None)

    async def work() -> tuple[Doc, list[KeyrailError]]:
        async with (
            here.open() as opened,
            open_sources(opened, names, secret_key=here.secret_key, rediscover=False, locked=False) as sources,
        ):
            docs, errors = await over(opened, sources.sources, action)
            docs += [
                {"connection": name, "url": None, "webhooks": [], "error": str(error)}
                for name, error in sources.errors.items()
            ]
            return {"connections": docs}, [*errors, *sources.errors.values()]

    doc, errors = run(work)
    emit(doc, as_json, lambda: webhooks(doc, action=action, zone=workspace.timezone))
    well = [one["connection"] for one in doc["connections"] if not one.get("error")]
    finish(errors, f"Done for {', '.join(well)}." if well else "")
    if any(row["state"] in UNDONE for one in doc["connections"] for row in one["webhooks"]):
        raise typer.Exit(PARTLY)


def _signed(workspace: Workspace, names: list[str], *, named: bool) -> list[str]:
    """Return the connections that want webhooks: the one that was named, else all whose deliveries can be verified."""
    wanted = names if named else [name for name in names if workspace.connections[name].webhook_secret is not None]
    if not wanted:
        raise ConfigError(
            "No connection has a webhook secret, so no delivery could be verified. Add to each that shall be told of"
            ' changes at once: webhook: {secret: "${env:NAME}"}'
        )
    return wanted
