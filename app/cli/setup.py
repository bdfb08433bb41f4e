"""Commands around the workspace file and the installation: init, check, schema, rollover, db, version."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app.cli.common import Doc, Json, emit, run, session, worst
from domain.errors import KeyrailError, StorageError, UsageError


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(init)
    app.command()(check)
    app.command()(schema)
    app.command()(rollover)
    app.command()(version)
    db = typer.Typer(no_args_is_help=True, help="The database: upgrade, status, prune.", rich_markup_mode=None)
    db.command()(upgrade)
    db.command()(status)
    db.command()(prune)
    app.add_typer(db, name="db")


def version(as_json: Json = False) -> None:
    """Print the version."""
    from importlib.metadata import version as installed

    found = installed("keyrail")
    emit({"version": found}, as_json, lambda: f"keyrail {found}")


def schema(as_json: Json = False) -> None:
    """Print the JSON Schema of the workspace file, for editors."""
    from config.schema import schema as made

    emit(made(), True)


def init(
    context: typer.Context,
    name: Annotated[str | None, typer.Option("--name", help="The workspace's name.")] = None,
    tracker: Annotated[str | None, typer.Option("--tracker", help="jira, github or linear.")] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="Your Jira, such as https://acme.atlassian.net, or API of your GitHub, if not github.com."
        ),
    ] = None,
    email: Annotated[str | None, typer.Option("--email", help="Jira: the account that the token belongs to.")] = None,
    scope: Annotated[
        str | None,
        typer.Option(
            "--projects", "--repositories", "--teams", help="Project keys, repositories or teams, separated by commas."
        ),
    ] = None,
    timezone: Annotated[str | None, typer.Option("--timezone", help="Such as Europe/Berlin.")] = None,
    token_variable: Annotated[
        str | None, typer.Option("--token-variable", help="Holds the token, such as JIRA_TOKEN.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    as_json: Json = False,
) -> None:
    """Write a commented keyrail.yaml, asking only what it must."""
    from config.template import KINDS, Answers, template

    path = session(context).path
    if path.exists() and not force:
        raise UsageError(f"{path} exists already. Give --force to replace it, or name another with --workspace.")
    # What was said about a Jira needs no question which tracker it is.
    chosen = tracker or ("jira" if url or email else ask(f"Tracker ({', '.join(KINDS)})", "jira"))
    if chosen not in KINDS:
        raise UsageError(f"There is no tracker '{chosen}'. Known: {', '.join(KINDS)}.")
    refuse_unused(chosen, url=url, email=email)
    questions = {"jira": "Project keys", "github": "Repositories (owner/name)", "linear": "Team keys"}
    answers = Answers(
        name=name or ask("Name of the workspace", "acme"),
        tracker=chosen,
        url=url or (ask("Address of your Jira", "https://acme.atlassian.net") if chosen == "jira" else ""),
        email=email
        or (ask("E-mail of the account that the token belongs to", "keyrail@example.com") if chosen == "jira" else ""),
        scope=(scope or ask(questions[chosen], KINDS[chosen].scope)).split(","),
        timezone=timezone or local_timezone(),
        token_variable=token_variable or "",
    )
    text = template(answers)
    refuse_wrong(text, path.name)
    path.write_text(text, encoding="utf-8")
    emit(
        {"file": str(path)}, as_json, lambda: f"Wrote {path}.\nNext: export {answers.variable}=… and run: keyrail check"
    )


def refuse_unused(tracker: str, *, url: str | None, email: str | None) -> None:
    """Raise UsageError for an answer that no tracker of this kind has a place for."""
    for option, value, meant in (("--url", url, ("jira", "github")), ("--email", email, ("jira",))):
        if value and tracker not in meant:
            raise UsageError(f"{option} says nothing about {tracker}: leave it out. It is for {' and '.join(meant)}.")


def refuse_wrong(text: str, name: str) -> None:
    """Raise UsageError where the answers make no valid workspace file."""
    from tempfile import TemporaryDirectory

    from config.workspace import check as checked

    with TemporaryDirectory() as folder:
        file = Path(folder) / name
        file.write_text(text, encoding="utf-8")
        _, problems = checked(file, {})
    wrong = [f"{one.key}: {one.message}" for one in problems if one.severity == "error"]
    if wrong:
        raise UsageError(f"Nothing was written: {' '.join(wrong)}")


def ask(question: str, example: str) -> str:
    """Ask on the terminal; without one, say which flag answers."""
    import sys

    if not sys.stdin.isatty():
        raise UsageError(f"{question}: nobody is there to ask. Give it as an option, see keyrail init --help.")
    return str(typer.prompt(question, default=example, err=True))


def local_timezone() -> str:
    """Return the machine's zone where it can be told, else UTC."""
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    for source in (Path("/etc/timezone"),):
        if source.exists():
            name = source.read_text(encoding="utf-8").strip()
            try:
                return ZoneInfo(name).key
            except (ZoneInfoNotFoundError, ValueError):
                continue
    return "UTC"


def check(
    context: typer.Context,
    offline: Annotated[bool, typer.Option("--offline", help="Look at the file only.")] = False,
    as_json: Json = False,
) -> None:
    """Validate the file, then ask the trackers whether all is well."""
    from app.cli.view.check import check as view
    from config.workspace import check as checked

    here = session(context)
    if not here.path.exists():
        here.workspace()
    workspace, problems = checked(here.path, here.environ)
    doc: Doc = {
        "problems": [
            {
                "file": one.file,
                "line": one.line,
                "key": one.key,
                "message": one.message,
                "nearest": one.nearest,
                "severity": one.severity,
            }
            for one in problems
        ],
        "findings": [],
    }
    errors: list[KeyrailError] = []
    if workspace is not None and not offline:
        from sync.probe import probe
        from sync.refresh import catch_up

        async def work() -> None:
            from app.bootstrap import open_sources

            async with (
                here.open() as opened,
                open_sources(
                    opened, workspace.connections, secret_key=here.secret_key, rediscover=True, locked=False
                ) as sources,
            ):
                await catch_up(opened)
                doc["findings"] = await probe(opened, sources.sources, sources.errors)
                errors.extend(sources.errors.values())

        run(work)
    emit(doc, as_json, lambda: view(doc))
    if workspace is None:
        raise typer.Exit(2)
    end(errors)
    if any(finding["level"] == "error" for finding in doc["findings"]):
        raise typer.Exit(1)


def end(errors: list[KeyrailError]) -> None:
    """End with the code of what failed; the findings have said it already."""
    if errors:
        raise typer.Exit(worst(errors))


def rollover(
    context: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM")],
    target: Annotated[str, typer.Argument(metavar="TO")],
    as_json: Json = False,
) -> None:
    """Print the YAML of the next timeframe; writes nothing."""
    from config.rollover import rollover as made

    text = made(session(context).workspace(), source, target)
    emit({"yaml": text}, as_json, lambda: text) if as_json else typer.echo(text, nl=False)


def upgrade(context: typer.Context, as_json: Json = False) -> None:
    """Bring the database to the schema of this version."""
    here = session(context)

    async def work() -> Doc:
        from storage.beside import refuse_others
        from storage.engine import create_store, revision
        from storage.engine import upgrade as migrate
        from storage.revision import REVISION

        store = create_store(here.database_url)
        try:
            before = await revision(store)
            if before is not None and before > REVISION:
                raise StorageError(
                    f"The database is at revision {before}, newer than this Keyrail knows ({REVISION})."
                    " Upgrade Keyrail; the database was not touched."
                )
            if before != REVISION and store.path is None:
                async with store.read() as tx:
                    await refuse_others(tx, "Stop it first: it cannot work with the new schema.")
            await migrate(store)
            return {"before": before, "after": await revision(store)}
        finally:
            await store.close()

    doc = run(work)
    emit(doc, as_json, lambda: f"The database is at revision {doc['after']}.")


def status(context: typer.Context, as_json: Json = False) -> None:
    """Say where the database is, at which revision, and what it holds."""
    from app.cli.data import database_status, told_status

    here = session(context)
    doc = run(lambda: database_status(here))
    emit(doc, as_json, lambda: told_status(doc))


def prune(
    context: typer.Context,
    older_than: Annotated[int, typer.Option("--older-than", metavar="DAYS", min=0)] = 90,
    as_json: Json = False,
) -> None:
    """Delete stored payloads that were read more than DAYS ago; items and history stay."""
    from app.cli.data import weight

    here = session(context)

    async def work() -> Doc:
        from datetime import timedelta

        from storage import inbox

        async with here.open() as opened, opened.store.write() as tx:
            rows, size = await inbox.prune(tx, opened.now() - timedelta(days=older_than))
        return {"deliveries": rows, "bytes": size}

    doc = run(work)
    emit(doc, as_json, lambda: f"{doc['deliveries']} stored payloads deleted ({weight(doc['bytes'])} compressed).")
