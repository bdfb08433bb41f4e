"""Mirrors that trackers know"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "mirrors",
        sa.Column("connection", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("connection", "item_id", "address", name=op.f("pk_mirrors")),
    )
    copied = sa.text("mirror_of IS NOT NULL")
    op.create_index("ix_items_copied", "items", ["connection", "id"], sqlite_where=copied, postgresql_where=copied)


def downgrade() -> None:
    """Go down."""
    op.drop_index("ix_items_copied", table_name="items")
    op.drop_table("mirrors")
