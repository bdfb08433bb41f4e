"""The service: `keyrail serve`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.common import Json, emit, run, session, tell

if TYPE_CHECKING:
    import asyncio


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(serve)


def serve(
    context: typer.Context,
    role: Annotated[
        Literal["all", "receiver", "worker"],
        typer.Option("--role", help="receiver takes webhooks, worker does jobs; both may be many, on PostgreSQL."),
    ] = "all",
    as_json: Json = False,
) -> None:
    """Run the service: take webhooks, pull, roll up and publish, until it is stopped.

    The workspace file is read again when it changes. SIGTERM and Ctrl-C end it: nothing more is accepted, running
    jobs have 20 seconds, and what they leave is gone on with later.
    """
    from app.service import service

    here = session(context)

    async def work() -> None:
        import asyncio

        stop = asyncio.Event()
        until_told(stop)
        masks = here.start_log(here.workspace())
        async with service(here.settings, here.environ, role, masks=masks) as served:
            doc = {"url": served.url, "role": role, "workspace": served.workspace.name, "login": served.login}
            if as_json:
                emit(doc, True)
            else:
                tell(f"Keyrail serves {served.workspace.name} at {served.url} (role {role}).")
                if served.login is not None:
                    tell(f"To sign in, once and within the hour: {served.login}")
            await stop.wait()

    run(work)


def until_told(stop: asyncio.Event) -> None:
    """Set an event when the process is asked to end."""
    import asyncio
    import signal

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
