"""What people say: overrides of health, and since when a value stands in the file in place of a computed one"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0003"


def upgrade() -> None:
    """Go up."""
    op.create_table(
        "overrides",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("health", sa.String(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_overrides")),
    )
    op.create_index("ix_overrides_subject", "overrides", ["subject"])
    op.create_table(
        "manual_rollups",
        sa.Column("objective", sa.String(), nullable=False),
        sa.Column("statement", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("objective", name=op.f("pk_manual_rollups")),
    )


def downgrade() -> None:
    """Go down."""
    op.drop_table("manual_rollups")
    op.drop_index("ix_overrides_subject", table_name="overrides")
    op.drop_table("overrides")
