"""Running migrations inside a transaction that the caller opened; imported only when there is something to do."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for the migrations of this package, bound to an open connection."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    made.attributes["connection"] = connection
    return made


def run_upgrade(connection: Connection) -> None:
    """Bring the schema to the newest revision."""
    command.upgrade(config(connection), "head")


def run_check(connection: Connection) -> None:
    """Raise where the tables in the code and the migrated schema differ."""
    command.check(config(connection))
