"""Settings of the process, from environment variables that start with KEYRAIL_.

A plain function and a frozen dataclass: importing pydantic-settings takes longer than a reading command may.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from config.access import Auth, read_auth
from config.notes import nearest
from config.variables import number, problem, word
from domain.errors import ConfigError, Problem
from domain.workspace import Secret

PREFIX = "KEYRAIL_"
VARIABLES = {
    "KEYRAIL_WORKSPACE": "Path of the workspace file; default ./keyrail.yaml.",
    "KEYRAIL_DATABASE_URL": "sqlite:///PATH or postgresql://…; default .keyrail/keyrail.db beside the workspace file.",
    "KEYRAIL_SECRET_KEY": "Key that issued tokens are encrypted with; needed by OAuth connections.",
    "KEYRAIL_PUBLIC_URL": "Address under which people reach the dashboard; links in published texts start with it.",
    "KEYRAIL_HOST": "Address that `serve` listens on; default 127.0.0.1.",
    "KEYRAIL_PORT": "Port that `serve` listens on; default 8080, 0 takes a free one.",
    "KEYRAIL_DATABASE_WAIT": "Seconds that `serve` waits for a database that is away or behind; default 0.",
    "KEYRAIL_AUTH": "Who is let in: token (default), proxy, or none, which listens on loopback only.",
    "KEYRAIL_AUTH_HEADER": "Header in which the proxy names who asks; default X-Forwarded-User.",
    "KEYRAIL_AUTH_PROXIES": "Addresses or networks of the proxies that are believed, with commas between.",
    "KEYRAIL_AUTH_WRITERS": "Names of those whom the proxy knows who may write, with commas between; * for all.",
    "KEYRAIL_BADGES": "private (default): badges need access as all else; public: everybody sees them.",
    "KEYRAIL_LOG_LEVEL": "debug, info (default), warning or error.",
    "KEYRAIL_LOG_FORMAT": "json, console or auto (default): console on a terminal, else json.",
}
"""Every variable and what it is for; any other that starts with KEYRAIL_ is warned of."""

OTHERS = frozenset({"KEYRAIL_SHARED", "KEYRAIL_WRITE_GOLDEN"})
"""Variables of the test suite."""

LEVELS = ("debug", "info", "warning", "error")
FORMATS = ("json", "console", "auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the process was started with. `public_url` has no slash at its end; `warnings` are for the log.

    `database_wait` is in seconds.
    """

    workspace: Path
    database_url: str
    secret_key: Secret
    public_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    database_wait: int = 0
    auth: Auth = field(default_factory=Auth)
    log_level: str = "info"
    log_format: str = "auto"
    warnings: tuple[str, ...] = ()


def read(environ: Mapping[str, str], workspace: Path | None = None) -> Settings:
    """Return the settings; `workspace` is the path given on the command line, which wins.

    Raises ConfigError with all wrong variables at once. An empty variable counts as not set.
    """
    stated = {name: value for name in VARIABLES if (value := environ.get(name, "").strip())}
    problems: list[Problem] = []
    path = workspace or Path(stated.get("KEYRAIL_WORKSPACE", "keyrail.yaml"))
    settings = Settings(
        workspace=path,
        database_url=stated.get("KEYRAIL_DATABASE_URL") or default_database_url(path),
        secret_key=Secret("env:KEYRAIL_SECRET_KEY", stated.get("KEYRAIL_SECRET_KEY")),
        public_url=_public(stated.get("KEYRAIL_PUBLIC_URL"), problems),
        host=stated.get("KEYRAIL_HOST", "127.0.0.1"),
        port=number("KEYRAIL_PORT", stated.get("KEYRAIL_PORT", "8080"), 65_535, problems),
        database_wait=number("KEYRAIL_DATABASE_WAIT", stated.get("KEYRAIL_DATABASE_WAIT", "0"), 86_400, problems),
        auth=read_auth(stated, problems),
        log_level=word("KEYRAIL_LOG_LEVEL", stated.get("KEYRAIL_LOG_LEVEL", "info"), LEVELS, problems),
        log_format=word("KEYRAIL_LOG_FORMAT", stated.get("KEYRAIL_LOG_FORMAT", "auto"), FORMATS, problems),
        warnings=tuple(unknown(environ)),
    )
    if problems:
        raise ConfigError(f"{len(problems)} environment variable(s) are wrong.", tuple(problems))
    return settings


def default_database_url(workspace: Path) -> str:
    """Return the address of the SQLite file under .keyrail/ beside the workspace file."""
    return f"sqlite:///{quote(os.path.join(workspace.resolve().parent, '.keyrail', 'keyrail.db'))}"


def unknown(environ: Mapping[str, str]) -> list[str]:
    """Return a sentence for each KEYRAIL_ variable that nothing reads, with the name that may be meant."""
    sentences = []
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in VARIABLES and name not in OTHERS:
            close = nearest(name, VARIABLES)
            hint = f" Did you mean {close}?" if close else ""
            sentences.append(f"The environment variable {name} is not one that Keyrail reads.{hint}")
    return sentences


def _public(text: str | None, problems: list[Problem]) -> str | None:
    if text is None or text.startswith(("https://", "http://")):
        return text.rstrip("/") if text else None
    problems.append(problem("KEYRAIL_PUBLIC_URL", "Expected an address like https://keyrail.example.com."))
    return None
