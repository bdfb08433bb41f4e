"""Where the job engine keeps its tables, and what its database's errors mean; the engine itself is in `sync.engine`.

On PostgreSQL that is the schema `dbos` of Keyrail's own database: one server to run, one backup, one outage. Beside a
SQLite file it is a file of its own, so that the engine's polling never waits for Keyrail's writers nor they for it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from domain.errors import StorageError
from storage.engine import async_url, explained, shown_url

CONNECT_WITHIN = 3
"""Seconds after which a PostgreSQL that does not answer counts as away, unless the URL states `connect_timeout`."""


def jobs_file(database_url: str) -> Path | None:
    """Return the file of the jobs beside a SQLite database (`keyrail.db` -> `keyrail.db.jobs`), None on PostgreSQL.

    Named after the database, so that two of them in one folder never run each other's jobs.
    """
    url = make_url(async_url(database_url))
    return Path(f"{url.database}.jobs") if url.get_backend_name() == "sqlite" else None


def jobs_url(database_url: str) -> str:
    """Return the URL of the job engine's database, with its password."""
    file = jobs_file(database_url)
    if file is not None:
        return URL.create("sqlite", database=str(file)).render_as_string(hide_password=False)
    url = make_url(async_url(database_url)).set(drivername="postgresql")
    if "connect_timeout" not in url.query:
        url = url.update_query_dict({"connect_timeout": str(CONNECT_WITHIN)})
    return url.render_as_string(hide_password=False)


def prepare_jobs_file(database_url: str) -> None:
    """Make the file of the jobs in WAL mode, which it keeps: readers and a writer side by side. Blocks."""
    file = jobs_file(database_url)
    if file is None:
        return
    with jobs_explained(database_url):
        file.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


@contextmanager
def jobs_explained(database_url: str) -> Iterator[None]:
    """Turn every error of the job engine's database into a StorageError that says what to do."""
    try:
        with explained(database_url):
            yield
    except TimeoutError as error:
        raise away(database_url, "it did not answer in time") from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        raise away(database_url, said.strip().partition("\n")[0]) from error


def away(database_url: str, said: str) -> StorageError:
    """Say that the jobs could not be reached, and that this loses nothing."""
    return StorageError(
        f"Jobs in {shown_url(database_url)}: {said}. Check that the database is running and reachable;"
        " what waits is woken again once it is."
    )
