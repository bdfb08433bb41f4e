"""The command line: one file per group of commands; each reads its input, calls one function, shapes the answer."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.cli import access, act, data, pull, read, serve, setup, webhooks
from app.cli.common import Session, failed, tell
from config.settings import read as read_settings

app = typer.Typer(
    name="keyrail",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Keeps OKRs true to the work: pulls epics and issues, rolls them up, pushes progress back.",
)


@app.callback()
def start(
    context: typer.Context,
    workspace: Annotated[
        Path | None, typer.Option("--workspace", "-w", metavar="FILE", help="The workspace file.", show_default=False)
    ] = None,
) -> None:
    """Remember where the workspace file is: the option, else KEYRAIL_WORKSPACE, else ./keyrail.yaml."""
    environ = dict(os.environ)
    settings = read_settings(environ, workspace)
    for warning in settings.warnings:
        tell(warning)
    context.obj = Session(settings=settings, environ=environ)


for group in (setup, pull, serve, read, act, webhooks, access, data):
    group.register(app)


def main() -> None:
    """Run a command and turn what went wrong into its exit code."""
    gc.disable()  # until `common.run`: modules are no garbage
    try:
        code = app(standalone_mode=False)
    except BaseException as error:  # noqa: BLE001  # the outermost guard: every error becomes a sentence and a code
        code = failed(error)
    sys.exit(code)
