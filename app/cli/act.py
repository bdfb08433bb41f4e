"""Commands that change something: check-in, override, rebuild, publish; and the demo."""

from __future__ import annotations

import getpass
from datetime import datetime
from typing import Annotated

import typer

from app.cli.common import INTERRUPTED, Doc, Json, emit, finish, run, session, tell
from domain.errors import KeyrailError, UsageError


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    # A value may be below zero: what begins with a dash and is no option is taken for it.
    app.command(name="check-in", context_settings={"ignore_unknown_options": True})(check_in)
    app.command()(override)
    app.command()(rebuild)
    app.command()(publish)
    app.command()(demo)


def check_in(
    context: typer.Context,
    key_result: Annotated[str, typer.Argument(metavar="KR")],
    value: Annotated[float, typer.Argument(metavar="VALUE", help="In the metric's own unit.")],
    date: Annotated[
        datetime | None, typer.Option("--date", metavar="D", formats=["%Y-%m-%d"], help="The day it was measured.")
    ] = None,
    note: Annotated[str, typer.Option("--note", metavar="T")] = "",
    as_json: Json = False,
) -> None:
    """Record a value of a key result's metric."""
    from sync.answers import record

    here = session(context)

    async def work() -> Doc:
        async with here.open() as opened:
            return await record(opened, key_result, value, day=date, note=note, by=getpass.getuser())

    doc = run(work)
    emit(
        doc,
        as_json,
        lambda: f"{doc['key_result']}: {doc['value']:g} on {doc['date']}.\nNext: keyrail show {key_result}",
    )


def override(
    context: typer.Context,
    id_: Annotated[str, typer.Argument(metavar="ID", help="An objective, key result, initiative or epic.")],
    health: Annotated[str | None, typer.Argument(metavar="[HEALTH]", help="Like at_risk or off_track.")] = None,
    until: Annotated[
        datetime | None, typer.Option("--until", metavar="DATE", formats=["%Y-%m-%d"], help="The last day it holds.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", metavar="T", help="Why, for everybody who sees it.")] = "",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was said.")] = False,
    as_json: Json = False,
) -> None:
    """State the health of a subject in place of the computed one, until a day.

    The computed health stays visible beside it.
    """
    from app.cli.view.override import override as sheet
    from sync import overrides
    from sync.refresh import catch_up

    here = session(context)
    if clear and (health is not None or until is not None):
        raise UsageError("--clear takes back what was said: it goes without a health and without --until.")
    if not clear and (health is None or until is None):
        raise UsageError(f"Say what it is and until when: keyrail override {id_} at_risk --until DATE --reason TEXT.")
    word = overrides.health_named(health) if health is not None else None

    async def work() -> Doc:
        async with here.open() as opened:
            await catch_up(opened)
            by = getpass.getuser()
            if word is None or until is None:
                return await overrides.clear(opened, id_, reason=reason, by=by)
            return await overrides.override(opened, id_, word, until=until.date(), reason=reason, by=by)

    doc = run(work)
    emit(doc, as_json, lambda: sheet(doc))


def rebuild(context: typer.Context, as_json: Json = False) -> None:
    """Map and compute everything again from the store.

    Asks no tracker.
    """
    from sync.refresh import rebuild as again

    here = session(context)

    async def work() -> Doc:
        async with here.open() as opened:
            async with opened.store.alone() as tx:
                await again(tx, opened)
            return {
                "key_results": len(opened.workspace.key_results),
                "initiatives": len(opened.workspace.initiatives),
            }

    doc = run(work)
    emit(
        doc,
        as_json,
        lambda: (
            f"{doc['key_results']} key results and {doc['initiatives']} initiatives computed again.\nNext: keyrail show"
        ),
    )


def publish(
    context: typer.Context,
    plan: Annotated[bool, typer.Option("--plan", help="Print each write as a diff; send nothing.")] = False,
    target: Annotated[str | None, typer.Option("--target", metavar="ID", help="Only this row of `publish`.")] = None,
    subject: Annotated[str | None, typer.Option("--subject", metavar="ID", help="Only this subject.")] = None,
    release: Annotated[
        str | None,
        typer.Option("--release", metavar="TARGET:SUBJECT", help="Give a target back after a person's override."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", metavar="T", help="Why it is released.")] = None,
    as_json: Json = False,
) -> None:
    """Send what changed to where people look, or print it first."""
    from app.bootstrap import open_sources
    from app.cli.view import plan as views
    from sync import publish as publishing
    from sync.addresses import unsupported
    from sync.refresh import catch_up

    here = session(context)
    workspace = here.workspace()
    if target is not None and target not in {row.id for row in workspace.publish}:
        known = ", ".join(row.id for row in workspace.publish) or "none"
        raise UsageError(f"There is no target '{target}' in the workspace file. It has: {known}.")

    async def work() -> tuple[Doc, list[KeyrailError]]:
        async with here.open() as opened:
            await catch_up(opened)
            if release is not None:
                return await publishing.release(opened, release, reason, by=getpass.getuser()), []
            if plan:
                writes = await publishing.plan(opened, target=target, subject=subject)
                return {"writes": [write.document() for write in writes]}, [*unsupported(opened, target)]
            names = sorted({row.connection for row in workspace.publish if row.connection is not None})
            async with open_sources(
                opened, names, secret_key=here.secret_key, rediscover=False, locked=False
            ) as sources:
                who = getpass.getuser()
                sent = await publishing.tell(
                    opened, sources.sources, target=target, subject=subject, by=who, again=True
                )
                return sent.document(), [*sources.errors.values(), *sent.errors]

    doc, errors = run(work)
    if release is not None:
        emit(doc, as_json, lambda: f"{doc['released']} given back to {doc['target']}.\nNext: keyrail publish --plan")
        return
    emit(doc, as_json, lambda: views.plan(doc) if plan else views.published(doc))
    finish(errors, f"Published: {', '.join(views.outcome(doc))}." if doc.get("sent") else "")


def demo(
    context: typer.Context,
    port: Annotated[int, typer.Option("--port", metavar="N", help="Of the simulated Jira; 0 picks a free one.")] = 0,
    once: Annotated[bool, typer.Option("--once", help="Print the result and exit.")] = False,
    as_json: Json = False,
) -> None:
    """Run the whole road on a simulated Jira, on this machine alone.

    A sample company is pulled and goes on working until Ctrl-C; nothing of it is kept.
    """
    from app.demo.run import demo as play

    try:
        run(lambda: play(port=port, once=once, as_json=as_json))
    except typer.Abort as interrupt:
        tell("The demo has ended; nothing of it is kept.")
        raise typer.Exit(INTERRUPTED) from interrupt
