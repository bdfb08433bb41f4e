"""What the present looks like, read in one go over the plain database driver.

Loading the ORM costs several times what these queries do, and `show` runs on every whim of a person; that is why
this module, alone, writes SQL by hand. It only reads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import orjson

from domain.facts import Flow, Progress
from domain.okr import CheckIn, Health, Override
from storage.revision import REVISION

Rows = Callable[[str], Sequence[Sequence[Any]]]
"""runs a query and returns its rows"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """All that a report is made of. `created` are initiatives that rules made, as JSON.

    `digest` is that of the file the store was mapped with, None before the first time; `complete_to` is by
    connection; `valid_until` the first day on which a stored rollup would be another. `forecasts`, as JSON, are
    those of `forecast_day`. `manual_since` is the day on which the file was first seen to state a value for an
    objective without an end. `published` are the fingerprints of what was published last, by kind and id. `closes` are
    those of past days, as JSON, that the health of `closes_day` depends on; `closes_due` says that some are still to be
    computed.
    """

    digest: str | None
    subjects: Mapping[str, tuple[Progress, Flow]]
    created: Mapping[str, Mapping[str, Any]]
    check_ins: Sequence[CheckIn]
    complete_to: Mapping[str, datetime]
    unlinked: Mapping[str, int]
    valid_until: date | None
    forecasts: Mapping[str, Mapping[str, Any]]
    forecast_day: date | None
    overrides: Sequence[Override] = ()
    manual_since: Mapping[str, date] = field(default_factory=dict)
    published: Mapping[tuple[str, str], str] = field(default_factory=dict)
    closes: Mapping[str, Sequence[Sequence[Any]]] = field(default_factory=dict)
    closes_day: date | None = None
    closes_due: bool = True


def present(url: str) -> Present | None:
    """Return the present of a database, None where it cannot be read: `engine.open_store` then says why."""
    if url.startswith("sqlite"):
        path = Path(unquote(url.split("///", 1)[-1].split("?", 1)[0]))
        if not path.exists():
            return None
        try:
            address = f"file:{quote(str(path))}?mode=ro"
            with closing(sqlite3.connect(address, uri=True, timeout=5.0, isolation_level=None)) as file:
                file.execute("begin")
                return read(lambda query: file.execute(query).fetchall())
        except sqlite3.DatabaseError:
            return None
    import psycopg
    from psycopg.types.json import set_json_loads

    try:
        with psycopg.connect(url.replace("+psycopg", "").replace("postgres://", "postgresql://")) as server:
            # As text, as SQLite has it: of a value that was read already nobody can tell whether it is one.
            set_json_loads(lambda text: text, server)
            return read(lambda query: server.execute(query).fetchall())
    except psycopg.Error:
        return None


def read(rows: Rows) -> Present | None:
    """Ask the questions of a report over an open connection."""
    if [row[0] for row in rows("select version_num from alembic_version")] != [REVISION]:
        return None
    mapped = rows("select value from notes where name = 'mapped'")
    digest = value(mapped[0][0])["digest"] if mapped and mapped[0][0] is not None else None
    kept = rows("select value from notes where name = 'forecasts'")
    ahead = value(kept[0][0]) if kept and kept[0][0] is not None else None
    known = rows("select value from notes where name = 'closes'")
    closes = value(known[0][0]) if known and known[0][0] is not None else None
    subjects = [
        (id_, value(data), until)
        for id_, data, until in rows("select id, data, valid_until from rollups order by kind, id")
    ]
    told = {id_: data["ahead"] for id_, data, _ in subjects if "ahead" in data}
    ends = [day(row[2]) for row in subjects if row[2] is not None]
    linked = rows(
        "select level in ('initiative', 'epic') as upper, count(*) from items where scope = 0 and deleted_at is null"
        " and mirror_of is null and category <> 'canceled' group by level in ('initiative', 'epic')"
    )
    counted = {bool(row[0]): int(row[1]) for row in linked}
    return Present(
        digest=digest,
        subjects={row[0]: subject(row[1]) for row in subjects},
        created={row[0]: value(row[1]) for row in rows("select id, data from created_initiatives order by id")},
        check_ins=[check_in(row) for row in rows(CHECK_INS)],
        complete_to={
            row[0]: instant(value(row[1]))
            for row in rows("select connection, value from checkpoints where stream = 'complete_to'")
            if row[1] is not None
        },
        unlinked={"epics": counted.get(True, 0), "items": counted.get(False, 0)},
        valid_until=min(ends, default=None),
        forecasts=told,
        forecast_day=date.fromisoformat(ahead["day"]) if ahead and len(told) == len(subjects) else None,
        overrides=stated(rows(OVERRIDES)),
        closes=closes["of"] if closes else {},
        closes_day=date.fromisoformat(closes["day"]) if closes else None,
        closes_due=closes is None or closes["due"] != {},
        manual_since={row[0]: day(row[1]) for row in rows("select objective, since from manual_rollups")},
        published={(row[0], row[1]): row[2] for row in rows(PUBLISHED)},
    )


def subject(data: Mapping[str, Any]) -> tuple[Progress, Flow]:
    """Return the delivery and the flow of a subject as `storage.rollups.save` stored them."""
    progress = dict(data["progress"])
    progress["flags"] = tuple(progress["flags"])
    if progress["valid_until"] is not None:
        progress["valid_until"] = date.fromisoformat(progress["valid_until"])
    flow = data["flow"]
    return Progress(**progress), Flow(
        done={date.fromisoformat(at): count for at, count in flow["done"].items()},
        remaining=flow["remaining"],
        first=date.fromisoformat(flow["first"]) if flow["first"] else None,
    )


CHECK_INS = 'select key_result, as_of, value, note, "by", recorded_at from check_ins order by as_of, id'
PUBLISHED = (
    "select kind, id, (select fingerprint from journal where journal.id = subjects.id and journal.kind = subjects.kind"
    " order by number desc limit 1) from subjects"
)
OVERRIDES = 'select subject, health, until, "by", reason, at from overrides order by id'


def check_in(row: Sequence[Any]) -> CheckIn:
    """Return the check-in of a row of CHECK_INS."""
    return CheckIn(
        key_result=row[0],
        as_of=instant(row[1]),
        value=row[2],
        note=row[3],
        by=row[4],
        recorded_at=instant(row[5]),
    )


def stated(rows: Iterable[Sequence[Any]]) -> list[Override]:
    """Return the overrides of rows of OVERRIDES, oldest first: one without a health takes back what was said before."""
    found: list[Override] = []
    latest: dict[str, int] = {}
    for subject, health, until, by, reason, at in rows:
        if health is not None:
            latest[subject] = len(found)
            found.append(
                Override(subject=subject, health=Health(health), until=day(until), by=by, reason=reason, at=instant(at))
            )
        elif subject in latest:
            spoken = latest.pop(subject)
            found[spoken] = replace(found[spoken], cleared_at=instant(at))
    return found


def value(stored: Any) -> Any:  # Any: a JSON value, which both databases hand out as text here
    """Return a JSON column's value."""
    return orjson.loads(stored) if isinstance(stored, str | bytes) else stored


def instant(stored: str | datetime) -> datetime:
    """Return an instant in UTC, which SQLite hands out as text."""
    at = datetime.fromisoformat(stored) if isinstance(stored, str) else stored
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def day(stored: str | date) -> date:
    """Return a day, which SQLite hands out as text."""
    return date.fromisoformat(stored) if isinstance(stored, str) else stored
