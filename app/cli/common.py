"""What all commands share: the session, opening the workspace, printing an answer, and exit codes."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from domain.errors import AuthError, ConfigError, KeyrailError, UsageError

if TYPE_CHECKING:
    from config.log import Masks
    from config.settings import Settings
    from domain.workspace import Workspace
    from sync.context import Context, Watcher

Doc = dict[str, Any]  # Any: a JSON document
T = TypeVar("T")

OK, PARTLY, BAD_USAGE, REFUSED, INTERRUPTED = 0, 1, 2, 3, 130

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]
ConnectionName = Annotated[
    str | None, typer.Option("--connection", metavar="NAME", help="Only this connection.", show_default=False)
]


@dataclass(frozen=True, slots=True)
class Session:
    """One run of the command line."""

    settings: Settings
    environ: Mapping[str, str]

    @property
    def path(self) -> Path:
        """The workspace file."""
        return self.settings.workspace

    @property
    def database_url(self) -> str:
        """The stated database, else a SQLite file beside the workspace file."""
        return self.settings.database_url

    @property
    def secret_key(self) -> str | None:
        """The key that issued tokens are encrypted with."""
        return None if self.settings.secret_key.missing else self.settings.secret_key.reveal()

    def workspace(self) -> Workspace:
        """Load the workspace file; warnings go to standard error."""
        from config.workspace import check

        if not self.path.exists():
            raise ConfigError(
                f"There is no workspace file at {self.path}. Make one with: keyrail init"
                " (or name another with --workspace or KEYRAIL_WORKSPACE)."
            )
        loaded, problems = check(self.path, self.environ)
        if loaded is None:
            errors = tuple(problem for problem in problems if problem.severity == "error")
            raise ConfigError(f"{self.path} has {len(errors)} error{'s' * (len(errors) != 1)}.", errors)
        return loaded

    @asynccontextmanager
    async def open(self, watcher: Watcher | None = None) -> AsyncIterator[Context]:
        """Load the workspace and open its store."""
        from app.bootstrap import open_context

        workspace = self.workspace()
        if watcher is not None:
            self.start_log(workspace)
        public_url = self.settings.public_url
        async with open_context(workspace, self.database_url, watcher, public_url=public_url) as context:
            yield context

    def start_log(self, workspace: Workspace) -> Masks:
        """Send log lines to standard error, with the secrets of the workspace masked; return what is masked."""
        from config.log import Masks, configure
        from config.workspace import secrets

        values = [secret.reveal() for secret in secrets(workspace) if not secret.missing]
        masks = Masks([*values, self.secret_key or ""])
        configure(self.settings.log_level, self.settings.log_format, masks=masks)
        return masks


def session(context: typer.Context) -> Session:
    """Return the session that the callback made."""
    made = context.obj
    if not isinstance(made, Session):
        raise TypeError("the command line was not started through its callback")
    return made


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:  # Any: what asyncio.run takes
    """Run asynchronous work to its end; Ctrl-C cancels it and leaves the store as the last transaction left it."""
    import asyncio

    # What is loaded by now stays, and values come by the thousand: the collector looks at new ones only, seldom.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    gc.enable()
    try:
        return asyncio.run(work())
    except KeyboardInterrupt as interrupt:
        raise typer.Abort from interrupt


def emit(doc: object, as_json: bool, view: Callable[[], object] | None = None) -> None:
    """Print an answer: the document as JSON, or what a view makes of it for people."""
    if as_json or view is None:
        import orjson

        options = orjson.OPT_UTC_Z | orjson.OPT_INDENT_2 if sys.stdout.isatty() else orjson.OPT_UTC_Z
        sys.stdout.write(orjson.dumps(doc, option=options).decode() + "\n")
        sys.stdout.flush()
        return
    from rich.console import Console

    shown = view()
    # A plain text goes out as it is: its paths are not broken, its brackets are no markup.
    Console(highlight=False, markup=False, emoji=False).print(shown, soft_wrap=isinstance(shown, str))


def emit_lines(docs: object) -> None:
    """Print a document a line."""
    import orjson

    for doc in docs:  # type: ignore[attr-defined]  # any iterable of JSON values
        sys.stdout.write(orjson.dumps(doc, option=orjson.OPT_UTC_Z).decode() + "\n")


def tell(text: str) -> None:
    """Say something that is no part of the answer."""
    sys.stderr.write(text + "\n")


def finish(errors: list[KeyrailError], done: str = "") -> None:
    """End a command whose work failed in part: 3 where a tracker refused our credentials, 2 for the file, else 1.

    `done` says what was done all the same, and what was not; empty where nothing was.
    """
    if not errors:
        return
    for error in {str(error): error for error in errors}.values():
        show_error(error, told=bool(done))
    if done:
        tell(done)
    raise typer.Exit(worst(errors))


def worst(errors: list[KeyrailError]) -> int:
    """Return the exit code for what stopped the work in part."""
    if any(isinstance(error, AuthError) for error in errors):
        return REFUSED
    if any(isinstance(error, ConfigError | UsageError) for error in errors):
        return BAD_USAGE
    return PARTLY


def show_error(error: KeyrailError, *, told: bool = False) -> None:
    """Say on standard error what went wrong and what to do; `told`: what stays safe is said elsewhere."""
    from rich.console import Console

    from app.cli.view.errors import error as sheet

    Console(stderr=True, highlight=False).print(sheet(error, told=told))


def failed(error: BaseException) -> int:
    """Say what ended a command and return its exit code."""
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        tell("Interrupted. What was done so far is kept: run the same command again to go on.")
        return INTERRUPTED
    if isinstance(error, BaseExceptionGroup):
        inner = [one for one in flat(error) if isinstance(one, KeyrailError)]
        if inner:
            return failed(inner[0])
    if isinstance(error, KeyrailError):
        show_error(error)
        return worst([error])
    if error.__class__.__module__.startswith(("click", "typer")) and hasattr(error, "exit_code"):
        error.show()  # type: ignore[attr-defined]  # a ClickException: bad usage, with its own words
        return BAD_USAGE
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else PARTLY
    if isinstance(error, OSError):
        where = f" ({error.filename})" if error.filename else ""
        show_error(KeyrailError(f"The system says: {error.strerror or error}{where}."))
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  # what could not be written is not tried again at the end
        return PARTLY
    raise error


def flat(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    """Return the errors inside a group."""
    found: list[BaseException] = []
    for one in group.exceptions:
        found += flat(one) if isinstance(one, BaseExceptionGroup) else [one]
    return found
