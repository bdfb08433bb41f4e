"""How it was published: the period, the entry and the state of each place, and the log of who told what and why"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0011"
down_revision = "0010"

DOCUMENT = sa.JSON(none_as_null=True).with_variant(postgresql.JSONB(none_as_null=True), "postgresql")
INSTANT = sa.DateTime(timezone=True)
PLACE = ("target", "kind", "subject", "address")
PUBLICATIONS = sa.table(
    "publications", *(sa.column(name) for name in (*PLACE, "entry")), sa.column("content", DOCUMENT)
)


def upgrade() -> None:
    """Go up; the ids of our entries move out of the contents."""
    op.add_column("outbox", sa.Column("period", sa.String(), nullable=False, server_default=""))
    op.add_column("publications", sa.Column("entry", sa.String(), nullable=True))
    op.add_column("publications", sa.Column("period", sa.String(), nullable=False, server_default=""))
    op.add_column("publications", sa.Column("state", sa.String(), nullable=False, server_default="told"))
    op.create_table(
        "publication_log",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in (*PLACE, "key", "action", "by", "period")),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.String(), nullable=False),
        sa.Column("before", DOCUMENT, nullable=True),
        sa.Column("after", DOCUMENT, nullable=True),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_publication_log")),
    )
    op.create_index("ix_publication_log_place", "publication_log", list(PLACE))
    for row in op.get_bind().execute(sa.select(PUBLICATIONS)).all():
        if "entry" in row.content:
            content = {name: value for name, value in row.content.items() if name != "entry"}
            keep(row, entry=row.content["entry"], content=content)


def keep(row: sa.Row[tuple[object, ...]], **values: object) -> None:
    """Change one row of the ledger."""
    here = sa.and_(*(PUBLICATIONS.c[name] == getattr(row, name) for name in PLACE))
    op.get_bind().execute(sa.update(PUBLICATIONS).where(here).values(**values))


def downgrade() -> None:
    """Go down; the log is gone."""
    for row in op.get_bind().execute(sa.select(PUBLICATIONS)).all():
        keep(row, content={**row.content, "entry": row.entry})
    op.drop_index("ix_publication_log_place", "publication_log")
    op.drop_table("publication_log")
    for name in ("state", "period", "entry"):
        op.drop_column("publications", name)
    op.drop_column("outbox", "period")
