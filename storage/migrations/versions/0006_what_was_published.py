"""What was published: the journal, which the reports of days become part of; deliveries of past days, kept a while"""

from __future__ import annotations

import hashlib
import json

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INSTANT = sa.DateTime(timezone=True)
KINDS = {"objectives": "objective", "key_results": "key_result", "initiatives": "initiative"}
MOVES = sa.text("field = 'parent'")


def upgrade() -> None:
    """Go up; the reports of days are kept as entries of the journal."""
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("how", sa.String(), nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("complete_to", INSTANT, nullable=True),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("entry", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_journal")),
    )
    op.create_index("ix_journal_id", "journal", ["id", "kind", "number"])
    op.create_table(
        "pasts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("stamp", sa.String(), nullable=False),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_pasts")),
    )
    op.create_index("ix_transitions_field", "transitions", ["field", "at"])
    op.create_index(
        "ix_transitions_left",
        "transitions",
        ["connection", "before_id"],
        sqlite_where=MOVES,
        postgresql_where=MOVES,
    )
    keep_snapshots()
    op.drop_table("snapshots")


def keep_snapshots() -> None:
    """Append the entries of each day's report that differ from the day before."""
    at, file, report = sa.column("at"), sa.column("file"), sa.column("report", DOCUMENT)
    days = sa.select(at, file, report).select_from(sa.table("snapshots")).order_by(sa.column("day"))
    names = ("at", "kind", "id", "how", "file", "complete_to", "fingerprint")
    journal = sa.table("journal", *(sa.column(name) for name in names), sa.column("entry", DOCUMENT))
    last: dict[tuple[str, str], str] = {}
    for when, digest, doc in op.get_bind().execute(days).all():
        rows = []
        for name, kind in KINDS.items():
            for entry in doc.get(name, []):
                mark = hashlib.sha256(json.dumps(entry, sort_keys=True).encode()).hexdigest()
                if last.get((kind, entry["id"])) != mark:
                    last[kind, entry["id"]] = mark
                    told = (when, kind, entry["id"], "shown", digest, None, mark, entry)
                    rows.append(dict(zip((*names, "entry"), told, strict=True)))
        if rows:
            op.bulk_insert(journal, rows)


def downgrade() -> None:
    """Go down; what the journal holds is gone."""
    op.create_table(
        "snapshots",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("file", sa.String(), nullable=False),
        sa.Column("report", DOCUMENT, nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_snapshots")),
    )
    op.drop_index("ix_transitions_left", "transitions")
    op.drop_index("ix_transitions_field", "transitions")
    op.drop_table("pasts")
    op.drop_table("journal")
