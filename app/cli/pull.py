"""Commands that ask the trackers: backfill, sync, census; and those that read again what they once said."""

from __future__ import annotations

import getpass
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.common import ConnectionName, Doc, Json, Session, emit, emit_lines, finish, run, session
from domain.errors import KeyrailError, UsageError, is_lasting

if TYPE_CHECKING:
    from app.bootstrap import Opened
    from connectors.base import Reading
    from domain.workspace import Workspace
    from sync.context import Context
    from sync.poll import Pulled

Ended = tuple[Doc, list[KeyrailError]]
"""what a step found, and what stopped a part of it"""
Step = Callable[["Context", "Opened"], Awaitable[Ended]]

Since = Annotated[
    datetime | None,
    typer.Option("--since", metavar="DATE", formats=["%Y-%m-%d"], help="Only what changed since this day."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(backfill)
    app.command()(sync)
    app.command()(census)
    app.command()(replay)
    app.command()(parse)


def chosen(workspace: Workspace, connection: str | None) -> list[str]:
    """Return the connections to pull; raise UsageError for a name that the file does not have."""
    if connection is None:
        return list(workspace.connections)
    if connection not in workspace.connections:
        known = ", ".join(workspace.connections) or "none"
        raise UsageError(f"There is no connection '{connection}' in the workspace file. It has: {known}.")
    return [connection]


def ask(
    here: Session, connection: str | None, step: Step, *, kind: str, rediscover: bool = True, as_json: bool
) -> None:
    """Take one step over connections that are opened for it, its progress told, and print how it ended."""
    from app.bootstrap import open_sources
    from app.cli.view.counts import counts, so_far
    from app.cli.view.progress import open_progress

    workspace = here.workspace()
    names = chosen(workspace, connection)

    async def work() -> tuple[Doc, list[KeyrailError], Collection[str]]:
        with open_progress(silent=as_json, zone=workspace.timezone) as progress:
            async with (
                here.open(progress) as opened,
                open_sources(opened, names, secret_key=here.secret_key, rediscover=rediscover) as sources,
            ):
                doc, errors = await step(opened, sources)
                return doc, [*sources.errors.values(), *errors], sources.errors

    doc, errors, unopened = run(work)
    emit(doc, as_json, lambda: counts(doc, kind=kind, zone=workspace.timezone))
    finish(errors, so_far(doc, kind, unopened))


def backfill(
    context: typer.Context,
    connection: ConnectionName = None,
    since: Since = None,
    no_history: Annotated[bool, typer.Option("--no-history", help="The present only.")] = False,
    restart: Annotated[bool, typer.Option("--restart", help="From the start, not where it stopped.")] = False,
    as_json: Json = False,
) -> None:
    """Pull everything, with its history; goes on where it stopped.

    The present comes first, then the past; ends with the numbers.
    """
    from sync import run as runs
    from sync.measures import measure

    here = session(context)

    async def step(opened: Context, sources: Opened) -> Ended:
        moment = in_zone(opened.workspace, since)
        pulls = await runs.backfill(opened, sources.sources, history=not no_history, restart=restart, since=moment)
        measured = await measure(opened)
        doc: Doc = {"connections": await runs.outcome(opened, pulls, sources.errors), "measured": measured.document()}
        return doc, [*errors_of(pulls), *measured.errors]

    ask(here, connection, step, kind="backfill", as_json=as_json)


def sync(
    context: typer.Context,
    connection: ConnectionName = None,
    no_publish: Annotated[bool, typer.Option("--no-publish", help="Read and compute, but tell nobody.")] = False,
    as_json: Json = False,
) -> None:
    """Pull what changed, compute, and publish what that changes.

    Key results whose values have a source of their own are measured in between.
    """
    from sync import publish
    from sync import run as runs
    from sync.measures import measure

    here = session(context)

    async def step(opened: Context, sources: Opened) -> Ended:
        pulls = await runs.sync(opened, sources.sources)
        doc: Doc = {"connections": await runs.outcome(opened, pulls, sources.errors)}
        measured = await measure(opened)
        doc["measured"] = measured.document()
        errors = [*errors_of(pulls), *measured.errors]
        if not no_publish and opened.workspace.publish:
            well = {one.connection: sources.sources[one.connection] for one in pulls if one.error is None}
            sent = await publish.tell(opened, well, by=getpass.getuser(), again=True)
            doc["published"] = sent.document()
            errors += sent.errors
        return doc, errors

    ask(here, connection, step, kind="sync", rediscover=False, as_json=as_json)


def census(
    context: typer.Context,
    connection: ConnectionName = None,
    repair: Annotated[bool, typer.Option("--repair", help="Read what is missing, mark what is gone.")] = False,
    as_json: Json = False,
) -> None:
    """Compare ids with the trackers: missing, deleted, moved, hidden."""
    from sync import run as runs

    here = session(context)

    async def step(opened: Context, sources: Opened) -> Ended:
        found, errors = await runs.census(opened, sources.sources, repair=repair)
        failed = {**sources.errors, **errors}
        rows = [one.document() for one in found]
        rows += [
            {"connection": name, "error": str(error), "retry": not is_lasting(error)} for name, error in failed.items()
        ]
        return {"connections": rows, "repaired": repair}, list(errors.values())

    ask(here, connection, step, kind="census", as_json=as_json)


def errors_of(pulls: Iterable[Pulled]) -> list[KeyrailError]:
    """Return what stopped pulls before their end."""
    return [pulled.error for pulled in pulls if pulled.error is not None]


def replay(
    context: typer.Context,
    parked: Annotated[bool, typer.Option("--parked", help="Only what could not be read before.")] = False,
    since: Since = None,
    as_json: Json = False,
) -> None:
    """Read the stored payloads again with today's code and rules.

    Asks no tracker.
    """
    from app.bootstrap import open_offline
    from sync import replay as replays

    here = session(context)
    workspace = here.workspace()
    moment = in_zone(workspace, since)

    async def work() -> Doc:
        async with here.open() as opened:
            sources = await open_offline(opened)
            return await replays.replay(opened, sources, parked=parked, since=moment)

    doc = run(work)
    emit(doc, as_json, lambda: told_replay(doc))
    if doc["parked"]:
        raise typer.Exit(1)


def told_replay(doc: Doc) -> str:
    """Say how a replay ended."""
    read = f"{doc['deliveries']} stored deliveries read again, {doc['items']} items written."
    if doc["parked"]:
        return f"{read}\n{doc['parked']} could not be read and stay parked."
    return f"{read}\nNext: keyrail show"


def parse(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="CONNECTION|jira|jira-dc|github|linear")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE")],
    event: Annotated[str | None, typer.Option("--event", metavar="NAME", help="The webhook's event.")] = None,
    as_json: Json = False,
) -> None:
    """Print the changes that Keyrail reads in a payload.

    FILE is an issue, a page or a webhook's body as JSON, `-` standard input; the changes are JSON lines. A connection
    is read as it was last discovered; a bare tracker stands for default settings.
    """
    from sync.parse import read_payload, reader

    here = session(context)
    bare = kind in ("jira", "jira-dc", "github", "linear")
    source = reader(kind, None) if bare else reader(kind, here.workspace(), discovered(here, kind))
    errors: list[KeyrailError] = []
    for path in files:
        piped = str(path) == "-"
        try:
            body = typer.get_binary_stream("stdin").read() if piped else path.read_bytes()
        except OSError as error:
            errors.append(UsageError(f"{path} cannot be read: {error.strerror}."))
            continue
        try:
            emit_lines(read_payload(source, body, event))
        except KeyrailError as error:
            errors.append(type(error)(f"{'standard input' if piped else path}: {error}"))
    finish(errors)


def discovered(here: Session, name: str) -> Reading | None:
    """Return what discovery once found out about a connection of the file; asks no tracker."""
    from app.bootstrap import open_offline

    async def work() -> Reading | None:
        async with here.open() as opened:
            sources = await open_offline(opened)
            return sources[name].reading if name in sources else None

    return run(work)


def in_zone(workspace: Workspace, since: datetime | None) -> datetime | None:
    """Return the start of a local day of the workspace."""
    if since is None:
        return None
    from zoneinfo import ZoneInfo

    return since.replace(tzinfo=ZoneInfo(workspace.timezone))
