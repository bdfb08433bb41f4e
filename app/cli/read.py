"""Commands that answer from the store: show, explain, coverage, portfolio, what-if. They ask no tracker."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.common import Doc, Json, Session, emit, run, session, tell
from domain.errors import KeyrailError, UsageError

if TYPE_CHECKING:
    from domain.workspace import Workspace


def day_option(name: str, help: str) -> Any:  # Any: what typer.Option itself returns
    """Return the option of a day."""
    return typer.Option(name, metavar="DATE", formats=["%Y-%m-%d"], help=help, show_default=False)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(show)
    app.command()(explain)
    app.command()(coverage)
    app.command()(portfolio)
    app.command(name="what-if")(what_if)


def show(
    context: typer.Context,
    id_: Annotated[str | None, typer.Argument(metavar="ID", help="An objective, key result or initiative.")] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", metavar="current|ID|all")] = "current",
    as_of: Annotated[
        datetime | None, day_option("--as-of", "As it stood at the close of a day, by today's file.")
    ] = None,
    as_published: Annotated[
        datetime | None, day_option("--as-published", "As it was shown or sent by the close of a day.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show objectives, key results and initiatives as they stand, or as they stood.

    What is shown is kept in the journal that --as-published reads.
    """
    here = session(context)
    workspace = here.workspace()
    if as_of is not None and as_published is not None:
        raise UsageError("--as-of computes a day anew, --as-published tells what was said then: name one of them.")
    now = datetime.now(UTC)
    if as_of is not None or as_published is not None:
        doc, is_news = run(lambda: stood(here, id_, timeframe, as_of, as_published)), False
    else:
        doc, is_news = stands(here, workspace, id_, timeframe, now)

    def view() -> object:
        from app.cli.view.show import show as sheet

        return sheet(doc, zone=workspace.timezone)

    emit(doc, as_json, view)
    if is_news:
        try:
            run(lambda: shown(here, doc, now))
        except KeyrailError as error:
            tell(f"What was shown could not be kept for --as-published: {error}")


def stands(here: Session, workspace: Workspace, id_: str | None, timeframe: str, now: datetime) -> tuple[Doc, bool]:
    """Return the report of now, and whether it says anything that was not published yet."""
    from storage.views import present
    from sync import present as presents

    there = present(here.database_url)
    if there is None or not presents.is_current(there, workspace, now):
        run(lambda: caught_up(here))
        there = present(here.database_url) or presents.NOTHING
    doc = presents.show(workspace, there, id_, timeframe=timeframe, now=now)
    return doc, presents.is_news(doc, there)


async def stood(
    here: Session, id_: str | None, timeframe: str, as_of: datetime | None, as_published: datetime | None
) -> Doc:
    """Return the report of a past day, recomputed or as it was published."""
    from sync import journal, retell
    from sync.refresh import catch_up

    async with here.open() as opened:
        await catch_up(opened)
        if as_of is not None:
            return await retell.show(opened, id_, timeframe, as_of.date())
        day = as_published.date() if as_published is not None else opened.today
        return await journal.published(opened, day, id_, timeframe=timeframe)


async def shown(here: Session, doc: Doc, now: datetime) -> None:
    """Append a report that is shown to the journal."""
    from sync import journal

    async with here.open() as opened, opened.store.write() as tx:
        await journal.keep(tx, opened, doc, how="shown", at=now)


async def caught_up(here: Session) -> None:
    """Map and compute again what the file or the day has made old."""
    from sync.refresh import catch_up

    async with here.open() as opened:
        await catch_up(opened)


def explain(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="An objective, key result, initiative or item.")],
    as_of: Annotated[
        datetime | None, day_option("--as-of", "As it stood at the close of a day, by today's file.")
    ] = None,
    since: Annotated[datetime | None, day_option("--since", "With what changed after the close of a day.")] = None,
    as_json: Json = False,
) -> None:
    """Say why a number is what it is, item by item.

    Each item comes with its size, credit, share, rule and effect; the effects sum to the number, those of what
    changed to the change.
    """
    from app.cli.view.explain import explain as sheet
    from sync import retell
    from sync.refresh import catch_up

    here = session(context)
    workspace = here.workspace()

    async def work() -> Doc:
        async with here.open() as opened:
            await catch_up(opened)
            return await retell.explain(
                opened,
                id_,
                as_of=as_of.date() if as_of is not None else None,
                since=since.date() if since is not None else None,
                burnup=as_json,
            )

    doc = run(work)
    emit(doc, as_json, lambda: sheet(doc, zone=workspace.timezone))


def coverage(context: typer.Context, as_json: Json = False) -> None:
    """List what is not counted, rules that never match, and proposals.

    Unlinked work, links to nothing and orphaned ids are listed; a proposal is never applied by itself.
    """
    from app.cli.view.coverage import coverage as sheet
    from sync.coverage import coverage as found
    from sync.refresh import catch_up

    here = session(context)

    async def work() -> Doc:
        async with here.open() as opened:
            await catch_up(opened)
            return await found(opened)

    doc = run(work)
    emit(doc, as_json, lambda: sheet(doc))


def portfolio(
    context: typer.Context,
    by: Annotated[
        str | None, typer.Option("--by", metavar="DIMENSION", help="Only this dimension.", show_default=False)
    ] = None,
    timeframe: Annotated[str, typer.Option("--timeframe", metavar="current|ID|all")] = "current",
    as_json: Json = False,
) -> None:
    """Show where the effort goes, what is worth most, and what is at risk.

    By each dimension of the file, and by objective, initiative, team and timeframe.
    """
    from app.cli.view.portfolio import portfolio as sheet
    from sync.portfolio import portfolio as found
    from sync.refresh import catch_up

    here = session(context)
    workspace = here.workspace()

    async def work() -> Doc:
        async with here.open() as opened:
            await catch_up(opened)
            return await found(opened, by=by, timeframe=timeframe)

    doc = run(work)
    emit(doc, as_json, lambda: sheet(doc, zone=workspace.timezone))


def what_if(
    context: typer.Context,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="I1", help="Cancel an initiative.", show_default=False)
    ] = None,
    delay: Annotated[
        list[str] | None,
        typer.Option("--delay", metavar="I1=2w", help="Nobody works on it for so long.", show_default=False),
    ] = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", metavar="I1=+20%", help="More or fewer items.", show_default=False)
    ] = None,
    throughput: Annotated[
        list[str] | None,
        typer.Option("--throughput", metavar="TEAM=-20%", help="A team gets more or less done.", show_default=False),
    ] = None,
    due: Annotated[
        list[str] | None,
        typer.Option("--due", metavar="I1=DATE", help="Another due date, or end of a key result.", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show forecasts and health as they would be, beside today's.

    Options add up, and each may be given several times. Nothing is stored.
    """
    from app.cli.view.whatif import whatif as sheet
    from sync.refresh import catch_up
    from sync.whatif import change_of
    from sync.whatif import what_if as found

    here = session(context)
    workspace = here.workspace()
    change = change_of(
        drop=drop or (), delay=delay or (), scope=scope or (), throughput=throughput or (), due=due or ()
    )

    async def work() -> Doc:
        async with here.open() as opened:
            await catch_up(opened)
            return await found(opened, change)

    doc = run(work)
    emit(doc, as_json, lambda: sheet(doc, zone=workspace.timezone))
